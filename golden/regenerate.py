"""Remakes the golden cases from a nanoBragg executable and reports what changed.

    NANOBRAGG_BIN=/path/to/nanoBragg python golden/regenerate.py [CASE...] [--into FOLDER | --overwrite]

Without --into or --overwrite nothing is written: the cases are run and compared with the committed ones.
docs/goldens.md says when overwriting is legitimate.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GOLDEN = Path(__file__).resolve().parent
sys.path.insert(0, str(GOLDEN.parent / "tests" / "support"))

from agreement import judge  # noqa: E402

OUTPUTS = {"-floatfile": "float.bin", "-intfile": "int.img", "-pgmfile": "image.pgm"}
PROVENANCE = "provenance.json"

# Lines that a second run may print differently: progress, and addresses of memory maps.
_UNSTEADY = re.compile(r"^\s*\d+% done\s*$|^mmap\(")

Images = dict[str, NDArray]


class Failure(Exception):
    """Something that ends the script with one line."""


@dataclass(frozen=True)
class Executable:
    """A program that makes goldens, by content."""

    path: Path
    sha256: str

    @classmethod
    def named_by(cls, variable: str) -> Executable | None:
        """Return the executable that an environment variable names, None where it is not set."""
        value = os.environ.get(variable)
        if not value:
            return None
        found = shutil.which(value)
        if found is None:
            raise Failure(f"{variable}={value}: no such executable")
        path = Path(found).resolve()
        return cls(path, hashlib.sha256(path.read_bytes()).hexdigest())


@dataclass(frozen=True)
class Case:
    """What one command line wrote."""

    images: Images
    report: str


def main(arguments: list[str]) -> int:
    """Run the script; return 0 when nothing changed, 1 when something did, 2 for a mistake."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        epilog="NANOBRAGG_BIN names the executable. NANOBRAGG_EXACT_BIN names the one with the maintainers' pending "
        "fixes; without it the arrays `exact` stay as they are.",
    )
    parser.add_argument("case", nargs="*", help="names of folders in golden/cases (default: all)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--into", type=Path, metavar="FOLDER", help="write all cases, changed or not, into a new folder")
    where.add_argument("--overwrite", action="store_true", help="replace the committed cases that changed")
    options = parser.parse_args(arguments)
    try:
        return regenerate(options.case, options.into, options.overwrite)
    except Failure as failure:
        print(f"regenerate.py: {failure}", file=sys.stderr)
        return 2


def regenerate(names: list[str], into: Path | None, overwrite: bool) -> int:
    """Remake cases and print what changed; return 1 when something did."""
    program = Executable.named_by("NANOBRAGG_BIN")
    if program is None:
        raise Failure("NANOBRAGG_BIN does not name a nanoBragg executable")
    exact_program = Executable.named_by("NANOBRAGG_EXACT_BIN")
    known = sorted(folder.name for folder in (GOLDEN / "cases").iterdir() if (folder / "args.txt").is_file())
    if unknown := [name for name in names if name not in known]:
        raise Failure(f"no such case: {' '.join(unknown)}; each is a folder in {GOLDEN / 'cases'} with an args.txt")
    if into is not None:
        if into.exists() and any(into.iterdir()):
            raise Failure(f"--into {into}: is not empty")
        into.mkdir(parents=True, exist_ok=True)
    print(f"{program.path} sha256 {program.sha256}")
    changed = []
    for name in names or known:
        words = (GOLDEN / "cases" / name / "args.txt").read_text().split()
        committed = load(GOLDEN / "cases" / name)
        made = make(words, program, exact_program, committed)
        differences = ["new"] if committed is None else compare(committed, made)
        if differences:
            changed.append(name)
        print(f"{name}: {'unchanged' if not differences else ''}".rstrip())
        for difference in differences:
            print(f"    {difference}")
        target = into if into is not None else GOLDEN if overwrite and differences else None
        if target is not None:
            write(target, name, made)
            note_provenance(target, name, words, program, exact_program)
    print(f"{len(changed)} of {len(names or known)} cases changed" + (f": {' '.join(changed)}" if changed else ""))
    if changed and not overwrite:
        print("the committed ones are as they were; --overwrite replaces them")
    return 1 if changed else 0


def load(folder: Path) -> Case | None:
    """Read a committed case; None where only its command line is there."""
    if not (folder / "images.npz").is_file():
        return None
    with np.load(folder / "images.npz") as stored:
        return Case({key: stored[key] for key in stored.files}, (folder / "stdout.txt").read_text())


def make(words: list[str], program: Executable, exact_program: Executable | None, committed: Case | None) -> Case:
    """Run one command line and collect what it wrote."""
    for option, name in OUTPUTS.items():
        if (option, name) not in itertools.pairwise(words):
            raise Failure(f"args.txt must hold {option} {name}: {' '.join(words)}")
    made = run(words, program)
    if exact_program is not None:
        exact = run(words, exact_program).images["float"]
        if not np.array_equal(exact, made.images["float"], equal_nan=True):
            made.images["exact"] = exact
    elif committed is not None and "exact" in committed.images:
        made.images["exact"] = committed.images["exact"]
    return made


def run(words: list[str], program: Executable) -> Case:
    """Run a program in a fresh folder that holds the inputs: a dump that another case left would change pictures."""
    with tempfile.TemporaryDirectory(prefix="golden-") as name:
        folder = Path(name)
        for source in (GOLDEN / "inputs").iterdir():
            shutil.copyfile(source, folder / source.name)
        done = subprocess.run(
            [program.path, *words], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing printed"]
            raise Failure(f"{program.path} {' '.join(words)}: status {done.returncode}: {last[0]}")
        int_file = (folder / "int.img").read_bytes()
        size = dict(re.findall(rb"\b(SIZE[12])=(\d+);", int_file[:1024]))
        shape = int(size[b"SIZE2"]), int(size[b"SIZE1"])
        images: Images = {"float": np.fromfile(folder / "float.bin", "<f4").reshape(shape)}
        images["int_header"], images["int"] = split(int_file, "<u2", shape)
        images["pgm_header"], images["pgm"] = split((folder / "image.pgm").read_bytes(), "u1", shape)
        if "-noisefile" in words:
            noise_file = folder / words[len(words) - words[::-1].index("-noisefile")]
            images["noise_header"], images["noise"] = split(noise_file.read_bytes(), "<u2", shape)
    lines = [line for line in done.stdout.splitlines(keepends=True) if not _UNSTEADY.match(line)]
    return Case(images, "".join(lines))


def split(raw: bytes, dtype: str, shape: tuple[int, int]) -> tuple[NDArray, NDArray]:
    """Split a file into the bytes before its pixels and the pixels, which end it."""
    start = len(raw) - shape[0] * shape[1] * np.dtype(dtype).itemsize
    return np.frombuffer(raw[:start], np.uint8), np.frombuffer(raw, dtype, offset=start).reshape(shape)


def compare(old: Case, new: Case) -> list[str]:
    """Return one line for everything that differs."""
    lines = []
    for key in sorted(old.images.keys() | new.images.keys()):
        if key not in old.images or key not in new.images:
            lines.append(f"{key}: {'appears' if key in new.images else 'is gone'}")
            continue
        before, after = old.images[key], new.images[key]
        if before.shape != after.shape:
            lines.append(f"{key}: shape {before.shape} becomes {after.shape}")
        elif not np.array_equal(before, after, equal_nan=before.dtype.kind == "f"):
            lines.append(f"{key}: {describe(before, after)}")
    old_lines, new_lines = old.report.splitlines(), new.report.splitlines()
    for number, (before_line, after_line) in enumerate(zip(old_lines, new_lines, strict=False), start=1):
        if before_line != after_line:
            lines.append(f"stdout.txt, line {number}: {before_line!r} becomes {after_line!r}")
    if len(old_lines) != len(new_lines):
        lines.append(f"stdout.txt: {len(old_lines)} lines become {len(new_lines)}")
    return lines


def describe(before: NDArray, after: NDArray) -> str:
    """Return how far an array of unchanged shape changed."""
    if before.ndim == 1:
        return f"{bytes(before)!r} becomes {bytes(after)!r}"
    share = f"{np.count_nonzero(before != after)} of {before.size} pixels"
    if before.dtype.kind != "f":
        return f"{share}, by up to {np.max(np.abs(before.astype(int) - after.astype(int)))} counts"
    verdict = judge(before, after)
    text = f"{share}, sum ratio - 1 {verdict.sum_ratio - 1.0:.1e}, worst relative {verdict.worst_relative:.1e}"
    return f"{text}: {'within the gate' if verdict.passed else f'OUTSIDE THE GATE: {verdict.reason}'}"


def write(golden: Path, name: str, case: Case) -> None:
    """Write a case into a folder laid out like golden/."""
    folder = golden / "cases" / name
    folder.mkdir(parents=True, exist_ok=True)
    if golden != GOLDEN:
        shutil.copyfile(GOLDEN / "cases" / name / "args.txt", folder / "args.txt")
    np.savez_compressed(folder / "images.npz", **case.images)
    (folder / "stdout.txt").write_text(case.report)


def note_provenance(
    golden: Path, name: str, words: list[str], program: Executable, exact_program: Executable | None
) -> None:
    """Put down what made a case, and when."""
    path = golden / PROVENANCE
    notes = json.loads(path.read_text()) if path.is_file() else {}
    notes[name] = {
        "command": [program.path.name, *words],
        "sha256": program.sha256,
        "exact_sha256": None if exact_program is None else exact_program.sha256,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": platform.machine(),
    }
    path.write_text(json.dumps(notes, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
