"""Damaged and hostile input for every reader and every command.

Allowed are an image, or one line of error and a status from 0 to 3. A traceback (status 6), a crash, more than ten
seconds or more than a gigabyte above what the program takes anyway fail, and leave the input behind.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

HANG_SECONDS = 10.0  # of the processor
BUSY_SECONDS = 60.0  # of the clock, for other processes and a busy machine
SEED_SECONDS = 1800.0  # for the seeds, which are compiled first
MEMORY = 1_000_000_000  # bytes


def _child(link: Connection, folder: Path, seed: int, names: list[str]) -> None:
    """Try inputs until the other side has heard enough: tell what is tried, then what came of it."""
    from fuzz.mutate import mutated
    from fuzz.target import run_target
    from fuzz.targets import WORDS, run_words, targets

    os.chdir(folder)
    chance = random.Random(seed)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    known = targets(folder)
    for name, target in known.items():  # what the seeds need is compiled and in memory before it is limited
        for number in range(len(target.commands)):
            with contextlib.redirect_stderr(io.StringIO()) as told:
                status = run_target(target, target.seed, number, folder)
            if status > 1:
                raise SystemExit(f"the seed of {name} fails, status {status}: {told.getvalue()}")
            tidy(folder)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + 2 * MEMORY  # of addresses, of which threads take more than of memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEMORY, resource.RLIM_INFINITY))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    words = "\0".join(WORDS).encode()
    often = [_SELDOM if name in _APART else 1.0 for name in names]
    while True:
        (name,) = chance.choices(names, often)
        number = chance.randrange(12)
        data = mutated(words if name == "words" else known[name].seed, chance)
        link.send((name, number, data))
        with contextlib.redirect_stderr(io.StringIO()) as told:
            try:
                status = run_words(data) if name == "words" else run_target(known[name], data, number, folder)
            except BaseException as error:
                status = f"{type(error).__name__} passes through"
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        link.send((status, told.getvalue(), grown))
        tidy(folder)


def fault_of(status: object, told: str) -> str | None:
    """Return what is wrong with a status and what was printed on standard error, or None."""
    if status not in (0, 1, 2, 3) or "Traceback" in told:
        return f"status {status}: {told.strip()[-400:]}"
    if status in (2, 3) and told.count("nbnumba: error: ") != 1:
        return f"status {status} and not one line of error: {told[-400:]!r}"
    return None


def tidy(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in ("Fdump.bin",):
            path.unlink()


def _answers(link: Connection, process: BaseProcess) -> bool:
    """Wait for an answer, until the process has computed for too long or something does not come."""
    spent = _processor_seconds(process)
    for _ in range(int(BUSY_SECONDS)):
        if link.poll(1.0):
            return True
        if _processor_seconds(process) - spent > HANG_SECONDS:
            break
    return link.poll()


def _processor_seconds(process: BaseProcess) -> float:
    """Return what a process has used, with those that it has started and that have ended."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class Fuzzer:
    """Tries inputs in a process of its own, which is started again where one was its end.

    Attributes
    ----------
    counts : Counter
        Inputs by format.
    failures : list of str
    """

    def __init__(self, names: list[str], seed: int, keep: Path) -> None:
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[object] = Counter()
        self.failures: list[str] = []
        self._names = names
        self._seed = seed
        self._keep = keep

    def run(self, seconds: float, most: int | None = None) -> None:
        """Try inputs for so long, or so many; what is compiled at the beginning does not count."""
        self._end = float("inf")
        context = multiprocessing.get_context("spawn")
        while self._goes_on(most):
            ours, theirs = context.Pipe()
            with tempfile.TemporaryDirectory(prefix="nbnumba-fuzz-") as folder:
                process = context.Process(target=_child, args=(theirs, Path(folder), self._seed, self._names))
                process.start()
                theirs.close()
                try:
                    self._listen(ours, process, seconds, most)
                finally:
                    process.kill()
                    process.join()
                    ours.close()
            self._seed += 1_000_003

    def _goes_on(self, most: int | None) -> bool:
        return time.monotonic() < self._end and (most is None or sum(self.counts.values()) < most)

    def _listen(self, link: Connection, process: BaseProcess, seconds: float, most: int | None) -> None:
        waits = SEED_SECONDS
        while self._goes_on(most):
            try:
                if not link.poll(waits):
                    raise SystemExit("the seeds take too long")
                name, number, data = link.recv()
            except EOFError:
                raise SystemExit("the seeds fail: see above") from None
            if self._end == float("inf"):
                self._end = time.monotonic() + seconds
            waits = BUSY_SECONDS
            self.counts[name] += 1
            try:
                if not _answers(link, process):
                    return self._fail(name, number, data, f"more than {HANG_SECONDS:.0f} s")
                status, told, grown = link.recv()
            except EOFError:
                process.join(5.0)
                return self._fail(name, number, data, f"crash: exit code {process.exitcode}")
            self.statuses[status] += 1
            if grown > MEMORY:
                return self._fail(name, number, data, f"{grown / 1e6:.0f} MB more than before")
            if fault := fault_of(status, told):
                self._fail(name, number, data, fault)
        return None

    def _fail(self, name: str, number: int, data: bytes, what: str) -> None:
        self._keep.mkdir(parents=True, exist_ok=True)
        path = self._keep / f"{name.replace(' ', '_')}-{number}-{len(self.failures)}"
        path.write_bytes(data)
        self.failures.append(f"{name} {number}: {what}; input: {path}")
        print(self.failures[-1], file=sys.stderr, flush=True)


NAMES = [
    "hkl", "mat", "sources", "pdb", "cif", "mtz", "gzip", "expt", "spec", "csv", "smv", "cbf", "nexus", "hdf5",
    "float", "dump", "npy", "png", "tiff", "edf", "trace", "trace text", "words",
    "geom", "poni", "xparm", "nexus geometry", "expt geometry", "spectrum", "spectra hdf5", "psf",
    "mask npy", "mask hdf5", "crystal", "mosaic", "mosaic matrices", "anomalous", "background", "nonbragg", "noisify",
    "background-profile", "refine", "view", "series",
]  # fmt: skip
_APART = {
    "cbf",
    "nexus",
    "hdf5",
    "tiff",
    "edf",
    "nexus geometry",
    "spectra hdf5",
    "mask hdf5",
    "refine",
    "view",
    "spec",
    "series",
}  # read by another process, or rendered into files: they take ten times as long as the others
_SELDOM = 0.2
