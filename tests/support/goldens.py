"""Reader of the golden cases in golden/ (layout: golden/README.md)."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GOLDEN = Path(__file__).resolve().parent.parent.parent / "golden"
INPUTS = GOLDEN / "inputs"
TRACES = GOLDEN / "trace"


@dataclass(frozen=True)
class Golden:
    """One command line and what the C program wrote for it; images are (slow, fast)."""

    name: str
    words: tuple[str, ...]  # the command line, without the program's name
    report: str  # standard output
    float_image: NDArray[np.float32]
    int_header: bytes
    int_image: NDArray[np.uint16]
    pgm_header: bytes
    pgm_image: NDArray[np.uint8]
    noise_header: bytes | None  # None, like the next: noise is off
    noise_image: NDArray[np.uint16] | None
    exact_image: NDArray[np.float32] | None  # None: no corrected picture is stored


def names() -> list[str]:
    """Return the names of all cases, sorted."""
    return sorted(folder.name for folder in (GOLDEN / "cases").iterdir())


def exact_names() -> list[str]:
    """Return the names of the cases for which a corrected picture is stored, sorted."""
    return [name for name in names() if load(name).exact_image is not None]


def load(name: str) -> Golden:
    """Read one case."""
    folder = GOLDEN / "cases" / name
    with np.load(folder / "images.npz") as images:
        stored = {key: images[key] for key in images.files}
    return Golden(
        name=name,
        words=tuple((folder / "args.txt").read_text().split()),
        report=(folder / "stdout.txt").read_text(),
        float_image=stored["float"],
        int_header=stored["int_header"].tobytes(),
        int_image=stored["int"],
        pgm_header=stored["pgm_header"].tobytes(),
        pgm_image=stored["pgm"],
        noise_header=stored["noise_header"].tobytes() if "noise" in stored else None,
        noise_image=stored.get("noise"),
        exact_image=stored.get("exact"),
    )


def copy_inputs(folder: Path) -> None:
    """Copy the input files of all cases into an existing folder."""
    for source in INPUTS.iterdir():
        shutil.copyfile(source, folder / source.name)


def roi_of(golden: Golden) -> tuple[int, int, int, int] | None:
    """Return the region of a golden command line."""
    if "-roi" not in golden.words:
        return None
    start = golden.words.index("-roi") + 1
    fast_min, fast_max, slow_min, slow_max = (int(word) for word in golden.words[start : start + 4])
    return fast_min, fast_max, slow_min, slow_max
