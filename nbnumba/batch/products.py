"""What is made of the files of a batch once they are all there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..io.nexus import file as nexus_file
from ..io.nexus.checksums import check_images
from ..io.nexus.layout import DATA
from . import labels
from .contact_sheet import MOST_IMAGES, write_contact_sheet
from .labels import Labels
from .machine import versions


def _rows(paths: Sequence[Path]) -> Iterator[Labels]:
    """Yield the labels of all images."""
    for path in paths:
        with nexus_file.read(path) as file:
            yield from labels.read_from(file)


def _first_images(paths: Sequence[Path]) -> Iterator[NDArray[Any]]:
    """Yield the first images."""
    left = MOST_IMAGES
    for path in paths:
        with nexus_file.read(path) as file:
            count = min(left, len(file[DATA]))
            check_images(file[DATA], range(count))
            for index in range(count):
                yield file[DATA][index]
                left -= 1
        if left == 0:
            return


def differing_machines(paths: Sequence[Path]) -> str | None:
    """Name what the images were made by, where that was not the same for all."""
    columns = ("backend", "precision", "instruction_set", *versions())
    found: dict[str, None] = {}
    for path in paths:
        with nexus_file.read(path) as file:
            group = file[labels.GROUP]
            values = [group[name].asstr()[:] for name in columns]
            found |= dict.fromkeys(" ".join(row) for row in zip(*values, strict=True))
    return " and by ".join(found) if len(found) > 1 else None


def _write_labels(path: Path, chunks: Sequence[Path]) -> None:
    labels.write_csv(path, _rows(chunks))


def _write_master(path: Path, chunks: Sequence[Path]) -> None:
    from ..io.nexus.master import write_master

    write_master(path, chunks)


def _write_sheet(path: Path, chunks: Sequence[Path]) -> None:
    write_contact_sheet(path, _first_images(chunks))


MAKERS: dict[str, Callable[[Path, Sequence[Path]], None]] = {
    "labels.csv": _write_labels,
    "shots.h5": _write_master,
    "contact_sheet.png": _write_sheet,
}
NAMES = tuple(MAKERS)
