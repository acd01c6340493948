"""Second processes of the tests of batches: started so that all that they start can be found and ended."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from requirements import ROOT, mpiexec_path

MARK = "NBNUMBA_TEST_MARK"
TESTS = str(ROOT / "tests" / "support")


def environment(mark: str) -> dict[str, str]:
    """Return an environment that every process below inherits, and that tells them from all others."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), TESTS]), MARK: mark}


def mpi_words(ranks: int = 3) -> list[str]:
    """Return what stands before a program that is started by mpiexec."""
    return [str(mpiexec_path()), "-n", str(ranks)]


class Started:
    """A program that was started, with everything that it started itself.

    Attributes
    ----------
    process : subprocess.Popen
    mark : str
        In the environment of all these processes.
    """

    def __init__(self, words: Sequence[str], log: Path, folder: Path | None = None) -> None:
        self.mark = secrets.token_hex(8)
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                list(words),
                cwd=folder,
                stdout=out,
                stderr=out,
                env=environment(self.mark),
                start_new_session=True,
                preexec_fn=_restore_default_signals,
            )

    def press_ctrl_c(self) -> None:
        """Send what a terminal sends, to all processes."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self, timeout: float = 60.0) -> int:
        """Wait for its end and return its exit status."""
        return self.process.wait(timeout)

    @property
    def printed(self) -> str:
        """What it has printed, on both streams."""
        return self.log.read_text(errors="replace")

    def living(self) -> dict[int, str]:
        """Return the processes that live: their number and their command line."""
        wanted = f"{MARK}={self.mark}".encode()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def find(self, *words: str) -> list[int]:
        """Return the processes, oldest first, whose command lines hold all these words, and not the first's."""
        return sorted(
            number
            for number, line in self.living().items()
            if number != self.process.pid and all(word in line for word in words)
        )

    def end(self) -> None:
        """End all of it."""
        while living := self.living():
            for number in living:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.02)
        self.process.wait()


@contextlib.contextmanager
def started(words: Sequence[str], log: Path, folder: Path | None = None) -> Iterator[Started]:
    """Start a program in a folder; it and all that it has started end with the block."""
    running = Started(words, log, folder)
    try:
        yield running
    finally:
        running.end()


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> bool:
    """Wait for something; tell whether it came."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return bool(condition())


class Cluster:
    """A Dask scheduler and two workers on loopback, each a process of its own.

    Attributes
    ----------
    scheduler : Started
    workers : list of Started
    address : str
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        file = folder / "scheduler.json"
        words = ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        self.scheduler = stack.enter_context(
            started([sys.executable, *words, "--scheduler-file", str(file)], folder / "scheduler.log", folder)
        )
        assert eventually(file.exists), self.scheduler.printed
        self.scheduler_file = file
        words = ["-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1"]
        words += ["--no-dashboard", "--no-nanny", "--local-directory", str(folder)]
        self.workers = [
            stack.enter_context(started([sys.executable, *words], folder / f"worker{number}.log", folder))
            for number in range(2)
        ]
        assert eventually(lambda: "Registered to" in self.workers[0].printed), self.workers[0].printed
        line = next(line for line in self.workers[0].printed.splitlines() if "Registered to" in line)
        self.address = "tcp://" + line.split("tcp://")[1].strip()


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a scheduler and two workers; they end with the block."""
    with contextlib.ExitStack() as stack:
        yield Cluster(folder, stack)


def _restore_default_signals() -> None:
    """Undo what a parent in the background hands down: some signals ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
