"""Runs programs and says what they took."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .matrix import ROOT


class RunFailed(RuntimeError):
    """A program that should be timed failed."""


@dataclass(frozen=True)
class Usage:
    """What a process took: wall time [s], processor time of all its threads [s], largest memory [MB = 10^6 bytes]."""

    wall: float
    cpu: float
    peak_mb: float


def timed(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Usage:
    """Run a program to its end.

    Parameters
    ----------
    words : sequence of str
        The program and its arguments.
    folder : path
        Where it runs; its output goes into `log` there.
    environment : mapping
        Added to that of this process.

    Raises
    ------
    RunFailed
        With the end of its output when its exit status is not 0.
    """
    log = folder / "log"
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            # Not process.wait(): the usage of this one child is wanted.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        end = log.read_text(errors="replace")[-1000:]
        raise RunFailed(f"{' '.join(words)}: exit status {process.returncode}: {end}")
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6)


def nbnumba(words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Usage:
    """Run the program `nbnumba` of this checkout."""
    return timed([sys.executable, "-m", "nbnumba", *words], folder, {**python_environment(), **(environment or {})})


def work(task: str, folder: Path, **arguments: Any) -> dict[str, Any]:
    """Have a function of `bench.worker` called in a process of its own; return what it returns."""
    ran = subprocess.run(
        [sys.executable, "-m", "bench.worker", task],
        cwd=folder,
        env={**os.environ, **python_environment()},
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
    )
    if ran.returncode != 0:
        raise RunFailed(f"{task}: {ran.stderr[-1000:]}")
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def python_environment() -> dict[str, str]:
    """Return what makes Python import the packages of this checkout from any folder, compiled as those installed are.

    Where Python is told to write no byte code, a run would compile all modules again: 0.15 s that no user spends.
    """
    path = os.environ.get("PYTHONPATH")
    return {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{path}" if path else str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "",
        **_byte_code(),
    }


@functools.cache
def _byte_code() -> dict[str, str]:
    """Return where byte code is kept until this program ends, where it may not stand beside the modules."""
    if not os.environ.get("PYTHONDONTWRITEBYTECODE"):
        return {}
    folder = tempfile.mkdtemp(prefix="nbnumba-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {"PYTHONPYCACHEPREFIX": folder}
