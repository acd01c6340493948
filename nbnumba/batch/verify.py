"""Whether a finished batch is still what was written."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..errors import FileError, InputError
from ..io.opening import is_folder
from ..util.text import counted
from . import folder as state
from . import record
from .names import FORMATS, SPOTS, Names, Series
from .stored import is_whole

READERS = 4  # threads that check files


def verify(folder: str) -> int:
    """Print what is damaged or missing in the folder of a batch, or of all sweeps; return the exit status: 1 if any is.

    Raises
    ------
    FileError
        The folder is missing, or holds no batch.
    InputError
        What the batch is cannot be read.
    """
    place = Path(folder)
    if not is_folder(place):
        raise FileError(f"{folder}: there is no such folder")
    identity = state.read_state(place)
    sweeps = sorted(path.parent for path in place.glob(f"*/{state.STATE}")) if identity is None else []
    if sweeps:
        return max(verify(str(sweep)) for sweep in sweeps)
    if identity is None:
        raise FileError(f"{folder}: holds no batch: there is no {state.STATE}")
    problems = list(_problems(place, identity))
    for problem in problems:
        print(f"{place / problem}")
    if problems:
        print(
            f"{folder}: {counted(len(problems), 'file is', 'files are')} damaged or missing; "
            f"the command of the batch with --resume makes {'it' if len(problems) == 1 else 'them'} again"
        )
        return 1
    count, each = sizes_of(place, identity)
    print(f"{folder}: {counted(count, 'image')} in {counted(-(-count // each), 'file')}, all as they were written")
    return 0


def sizes_of(folder: Path, identity: dict[str, Any]) -> tuple[int, int]:
    """Return the number of images, and of images in a file."""
    found = [identity["spec"].get(name) for name in ("count", "images_per_file")]
    for value in found:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InputError(f"{folder / state.STATE}: damaged: it does not tell how many images there are")
    count, each = found
    return count, each


def _problems(folder: Path, identity: dict[str, Any]) -> Iterator[str]:
    """Yield the name of every file that is not what was written, and what is wrong with it."""
    count, each = sizes_of(folder, identity)
    ranges = [range(first, min(first + each, count)) for first in range(0, count, each)]
    names = names_of(identity, count)
    check = functools.partial(_wrong, folder, names, state.fingerprint(identity))
    with ThreadPoolExecutor(READERS) as pool:
        for number, wrong in enumerate(pool.map(check, range(len(ranges)), ranges)):
            if wrong is not None:
                yield f"{names.chunk(number)}: {wrong}"
    if not (folder / record.NAME).exists():
        yield f"{record.NAME}: is missing; the batch is not complete"
        return
    damaged = record.damaged(folder, (*names.products, *names.frames))
    if record.NAME in damaged:
        yield f"{record.NAME}: is damaged, so that {', '.join(damaged[:-1])} cannot be checked"
        return
    for name in damaged:
        yield f"{name}: {'is not what was written' if (folder / name).exists() else 'is missing'}"


def names_of(identity: dict[str, Any], count: int) -> Names:
    """Return what the files of a batch or a series are called."""
    found, spots = identity["spec"].get("series"), identity["spec"].get("spots", False)
    if not isinstance(spots, bool) and spots not in SPOTS:
        raise InputError("damaged: it does not tell whether there is a table of spots")
    if not isinstance(found, dict):
        return Names(count, spots=spots)
    stem, form, photons = found.get("stem"), found.get("form"), found.get("photons") is True
    if not isinstance(stem, str) or form not in FORMATS:
        raise InputError("damaged: it does not tell what the files of the series are called")
    return Names(count, Series(stem, form, photons), spots)


def _wrong(folder: Path, names: Names, fingerprint: str, number: int, images: range) -> str | None:
    path = folder / names.chunk(number)
    # Images in files of their own are checked by the record of all files.
    return is_whole(path, images, fingerprint, frames=False) if path.exists() else "is missing"
