"""What the files of a finished batch held when they were written, in a file that `sha256sum -c` reads.

Files of images hold checksums of their own (`nbnumba.io.nexus.checksums`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from ..io.atomic import whole_file
from .folder import LOG, STATE

NAME = "checksums.sha256"

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_LOG_LINE = re.compile(rf"# first (\d+) bytes of {re.escape(LOG)}: ([0-9a-f]{{64}})")


def write(folder: Path, names: Iterable[str]) -> None:
    """Write the checksums of a batch whose files are all there: those with these names, its state and its log.

    Raises
    ------
    FileError
        A file is missing, or the checksums cannot be written.
    """
    lines = [f"{_digest(folder / name)}  {name}\n" for name in (STATE, *names)]
    size = (folder / LOG).stat().st_size
    lines.append(f"# first {size} bytes of {LOG}: {_digest(folder / LOG, size)}\n")
    text = "".join(lines)
    with whole_file(folder / NAME) as file:
        file.write(f"{text}# the lines above: {hashlib.sha256(text.encode()).hexdigest()}\n".encode())


def damaged(folder: Path, names: Iterable[str]) -> list[str]:
    """Return which files of a batch are not what was written; all where that is not known, and the record itself."""
    names = (STATE, *names, LOG)
    found = _read(folder)
    if found is None:
        return [*names, NAME]
    expected, (size, log) = found
    wrong = []
    for name in names:
        path = folder / name
        try:
            good = _digest(path, size) == log if name == LOG else _digest(path) == expected.get(name)
        except OSError:
            good = False
        if not good:
            wrong.append(name)
    return wrong


def _read(folder: Path) -> tuple[dict[str, str], tuple[int, str]] | None:
    """Return the digests by file, and the size and the digest of the log; None for no record or a damaged one."""
    try:
        data = (folder / NAME).read_bytes()
        text, mark, own = data.decode("ascii").rpartition("# the lines above: ")
    except (OSError, ValueError):
        return None
    if not mark or own != f"{hashlib.sha256(text.encode()).hexdigest()}\n":
        return None
    *lines, last = text.splitlines()
    log = _LOG_LINE.fullmatch(last)
    found = [_LINE.fullmatch(line) for line in lines]
    if log is None or not all(found):
        return None
    return {line[2]: line[1] for line in found if line is not None}, (int(log[1]), log[2])


def _digest(path: Path, size: int | None = None) -> str:
    with path.open("rb") as file:
        if size is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(file.read(size)).hexdigest()
