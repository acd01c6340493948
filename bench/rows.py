"""Times one row of the matrix, in nbnumba and, when there is one, in a nanoBragg executable."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from .matrix import Row
from .processes import Usage, nbnumba, timed, work
from .worker import EMPTY

Measured = dict[str, Any]


def measure(row: Row, rounds: int, threads: int, reference: str | None) -> Measured:
    """Time a row and compare the two pictures.

    In every round each program draws the image and then, with `-roi 0 0 0 0` added, a single pixel of it; the two
    programs take turns.

    Returns
    -------
    dict
        name, crystal, command; skipped: why nothing was measured, or None; steps; evaluated_steps, None when the
        engine does not tell; in_process: seconds of each image and of each single pixel within one process; ours and
        reference: seconds and cpu of each whole process, seconds_empty and cpu_empty of those with a single pixel,
        peak_mb; gate: what the rule of the tests says of the two pictures that were timed.
    """
    found: Measured = {"name": row.name, "crystal": row.crystal, "command": " ".join(row.words)}
    found["skipped"] = row.missing()
    if found["skipped"]:
        return found
    with tempfile.TemporaryDirectory(prefix="nbnumba-bench-") as name:
        folder = Path(name)
        row.copy_inputs(folder)
        inside = work("render", folder, words=row.words, threads=threads, repeats=rounds)
        found["steps"] = inside.pop("steps")
        found["evaluated_steps"] = inside.pop("evaluated_steps")
        found["in_process"] = inside
        programs = {"ours": _Program(row, None, threads, folder)}
        often = rounds if row.reference_rounds is None else min(rounds, row.reference_rounds)
        if often == 0:
            reference = None
        if reference is not None:
            programs["reference"] = _Program(row, reference, threads, folder)
        for number in range(rounds):
            running = [
                program for program in reversed(programs.values()) if program.reference is None or number < often
            ]
            for program in running:
                program.full.append(program.run("full"))
                # At once: a virtual machine gives memory back that is free for seconds, and the run that takes it again
                # then waits for it. After the other program's image one of the two runs would, and not the other.
                program.empty.append(program.run("empty", *EMPTY))
        found["ours"] = programs["ours"].measured()
        found["reference"] = programs["reference"].measured() if reference is not None else None
        found["gate"] = _judge(row, programs, folder) if reference is not None else None
    return found


class _Program:
    """One of the two programs with a row's command line."""

    def __init__(self, row: Row, reference: str | None, threads: int, folder: Path) -> None:
        self.words = (*row.words, "-noprogress")
        self.reference = reference
        self.threads = threads
        self.folder = folder
        self.full: list[Usage] = []
        self.empty: list[Usage] = []

    def run(self, name: str, *more: str, threads: int | None = None) -> Usage:
        """Run it; the images are called `name` and the program."""
        count = str(threads or self.threads)
        if self.reference is None:
            outputs = ("-floatfile", f"{name}.ours.bin", "-intfile", f"{name}.ours.img")
            return nbnumba([*self.words, *more, *outputs, "-threads", count], self.folder)
        outputs = ("-floatfile", f"{name}.reference.bin", "-intfile", f"{name}.reference.img")
        return timed([self.reference, *self.words, *more, *outputs], self.folder, {"OMP_NUM_THREADS": count})

    def measured(self) -> Measured:
        """Return the figures of all runs."""
        return {
            "seconds": [usage.wall for usage in self.full],
            "seconds_empty": [usage.wall for usage in self.empty],
            "cpu": [usage.cpu for usage in self.full],
            "cpu_empty": [usage.cpu for usage in self.empty],
            "peak_mb": max(usage.peak_mb for usage in self.full),
        }


def _judge(row: Row, programs: dict[str, _Program], folder: Path) -> Measured:
    """Judge the last pictures by the gate of the tests."""
    if row.picture_depends_on_threads:
        programs["reference"].run("full", threads=1)  # not timed
    return work("judge", folder, words=row.words, reference="full.reference.bin", ours="full.ours.bin")
