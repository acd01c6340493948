"""Signals at random moments to a batch, or to one of its processes; then `--resume`, and a comparison of everything.

A blow falls at a moment drawn evenly from the time that the batch takes undisturbed, from the start of the program to
its end. It counts where the batch was running. Afterwards no process may live and nothing may be a
traceback; `--resume` must complete the set, whose files must then be those of an undisturbed one, with nothing lost,
doubled, changed or left over, and `--verify` must find them whole.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the compression of the files
import numpy as np
from batch_processes import Started, eventually, mpi_words, started
from requirements import ROOT

from nbnumba import cli

# A file takes about as long as Python needs to start, so that most blows fall while images are drawn.
SPEC = """
command = '''-mat lyso.mat -hkl lyso.hkl -lambda 1.0 -distance 200 -pixel 1.6 -detpixels 64 -N 12
-flux 1e16 -beamsize 0.01 -oversample 12 -mosaic 0.5 -mosaic_domains 40'''
count = 15
seed = 7
images_per_file = 2
backend = "cpu"
dtype = "uint16"
noise = true
[vary]
orientation = "random"
energy_ev = { normal = [12398.0, 15.0] }
"""
FILES = 8

ENGINES = {
    "one process": ["--threads", "1"],
    "two processes": ["--workers", "2", "--threads", "1"],
    "dask": ["--engine", "dask", "--workers", "2", "--threads", "1"],
    "mpi": ["--engine", "mpi", "--threads", "1"],
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_TIMES = {"file_time", "start_time", "end_time", "end_time_estimated"}  # of the clock
_TOLD_BY_CLOCK = {"batch.log", "checksums.sha256"}  # the first holds times, the second digests of such files
_TRACKER = "Python's resource tracker"  # which prints tracebacks of its own when it is started again
_WAIT_SECONDS = 120.0


@dataclass
class Blow:
    """What came of one blow.

    Attributes
    ----------
    struck, ended : bool
        Whether the batch was running, and whether the blow was its end.
    moment : {"before the first file", "among the files", "after the last file"}
    failures : list of str
    """

    engine: str
    number: signal.Signals
    target: str
    struck: bool
    ended: bool
    moment: str
    failures: list[str]


class Campaign:
    """Blows to batches of one SPEC in a folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self._chance = random.Random(seed)
        self._out = folder / "out"
        self._undisturbed = folder / "undisturbed"
        for name in ("lyso.mat", "lyso.hkl"):
            shutil.copyfile(ROOT / "golden" / "inputs" / name, folder / name)
        (folder / "SPEC.toml").write_text(SPEC)
        self.seconds: dict[str, float] = {}
        status, told = _run_here(self._batch("--threads", "1"))
        assert status == 0, told
        self._out.rename(self._undisturbed)

    def blow(self, engine: str) -> Blow:
        """Strike a batch, complete it and look at what is there."""
        if engine not in self.seconds:
            self.seconds[engine] = self._duration(engine)
        number = self._chance.choice(SIGNALS)
        moment = self._chance.uniform(0.0, self.seconds[engine])
        one = self._chance.random() < 0.25  # of the processes, and not the program
        log = self.folder / "log"
        failures: list[str] = []
        with started(self._words(engine), log) as program:
            time.sleep(moment)
            struck = program.process.poll() is None
            finished = len(list(self._out.glob("shots_*.h5")))
            target = self._strike(program, number, one)
            try:
                status = program.wait(_WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                failures.append(f"does not end: {list(program.living().values())}")
                status = -1
            if not eventually(lambda: not program.living(), 15.0):
                failures.append(f"processes live on: {list(program.living().values())}")
        if target != _TRACKER and "Traceback" in log.read_text(errors="replace"):
            failures.append(f"prints {log.read_text(errors='replace')[-2000:]}")
        when = "before the first file" if not finished else "among the files"
        when = "after the last file" if finished == FILES else when
        return Blow(engine, number, target, struck, status != 0, when, failures + self._complete())

    def _strike(self, program: Started, number: signal.Signals, one: bool) -> str:
        living = program.living()
        others = [process for process in living if process != program.process.pid]
        victim = self._chance.choice(others) if one and others else program.process.pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, number)
        if "resource_tracker" in living.get(victim, ""):
            return _TRACKER
        return "the program" if victim == program.process.pid else "one of its processes"

    def _complete(self) -> list[str]:
        """Resume; return what is wrong then, and clear the folder."""
        status, told = _run_here(self._batch("--resume", "--threads", "1"))
        if status != 0:
            failures = [f"--resume: status {status}: {told}"]
        else:
            failures = _differences(self._out, self._undisturbed)
            status, told = _run_here(["batch", str(self._out), "--verify"])
            if status != 0:
                failures.append(f"--verify: status {status}: {told}")
        if failures:
            kept = self.folder / f"failure-{time.time_ns()}"
            self._out.rename(kept)
            shutil.copyfile(self.folder / "log", kept / "printed.txt")
        else:
            shutil.rmtree(self._out)
        return failures

    def _duration(self, engine: str) -> float:
        """Return how long an engine takes for the batch [s]."""
        start = time.monotonic()
        with started(self._words(engine), self.folder / "log") as program:
            assert program.wait(_WAIT_SECONDS) == 0, program.printed
        took = time.monotonic() - start
        shutil.rmtree(self._out)
        return took

    def _words(self, engine: str) -> list[str]:
        before = mpi_words() if engine == "mpi" else []
        return [*before, sys.executable, "-m", "nbnumba", *self._batch(*ENGINES[engine])]

    def _batch(self, *options: str) -> list[str]:
        return ["batch", str(self.folder / "SPEC.toml"), "-o", str(self._out), *options]


def _run_here(words: list[str]) -> tuple[int, str]:
    """Run the program in this process; return its status and what it printed on standard error."""
    with contextlib.redirect_stderr(io.StringIO()) as told, contextlib.redirect_stdout(io.StringIO()):
        status = cli.main(words)
    return status, told.getvalue()


def _differences(found: Path, undisturbed: Path) -> list[str]:
    """Return in what two folders differ; in HDF5 files every value counts that is not a time of the clock."""
    names = {path.name for path in found.iterdir()}
    wanted = {path.name for path in undisturbed.iterdir()}
    if names != wanted:
        return [f"missing {sorted(wanted - names)}, too many {sorted(names - wanted)}"]
    return [name for name in sorted(names - _TOLD_BY_CLOCK) if _contents(found / name) != _contents(undisturbed / name)]


def _contents(path: Path) -> object:
    if path.suffix != ".h5":
        return path.read_bytes()
    values: dict[str, object] = {}

    def visit(name: str, thing: h5py.Group | h5py.Dataset) -> None:
        for key, value in thing.attrs.items():
            if key not in _TIMES:
                values[f"{name}@{key}"] = _plain(value)
        if isinstance(thing, h5py.Dataset) and name.rpartition("/")[2] not in _TIMES:
            values[name] = _plain(thing[()])

    with h5py.File(path) as file:
        visit("", file)
        file.visititems(visit)
    return values


def _plain(value: object) -> object:
    array = np.asarray(value)
    return (array.dtype.str, array.shape, array.tolist() if array.dtype.hasobject else array.tobytes())


def run(campaign: Campaign, engines: list[str], strikes: int, told: Callable[[Blow], None]) -> list[Blow]:
    """Strike the engines in turn until so many blows have struck a batch that was running; return all of them."""
    blows: list[Blow] = []
    while sum(blow.struck for blow in blows) < strikes:
        blows.append(campaign.blow(engines[len(blows) % len(engines)]))
        told(blows[-1])
    return blows
