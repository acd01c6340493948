"""The lines of atoms in PDB files.

Before 1996 they have the entry's code and the number of the line where elements stand now.
"""

from __future__ import annotations

import re

from ..errors import InputError
from ..util.text import NUMBER, quote

_ATOM = re.compile(rb"(?:ATOM  |HETATM).{48}")
_NUMBERED = re.compile(rb".{72}(\d[A-Z\d]{3})[ \d]{3}\d *\r?", re.IGNORECASE)
_FIELDS = ((30, 38), (38, 46), (46, 54), (54, 60), (60, 66))  # x, y, z, occupancy, B factor; the last two may lack
_OCCUPANCY = 54
_VALUE = re.compile(rf"{NUMBER}|[+-]?nan".encode(), re.IGNORECASE)  # of what is not finite the atom is named later
_LAST = 72  # column of what such a line says of an atom


def without_line_numbers(data: bytes) -> bytes:
    """Return a PDB file without the code and the numbers that an old one has in columns 73 to 80; others as they are.

    Parameters
    ----------
    data : bytes
        Of any file.
    """
    lines = data.split(b"\n")
    codes = {None if match is None else match[1] for match in map(_NUMBERED.match, filter(_ATOM.match, lines))}
    if len(codes) != 1 or None in codes:
        return data
    return b"\n".join(line[:_LAST].rstrip() if _NUMBERED.fullmatch(line) else line for line in lines)


def check_numbers(data: bytes, place: str) -> None:
    """Refuse a PDB file with an atom whose coordinates, occupancy or B factor are no numbers, which gemmi cuts.

    Raises
    ------
    InputError
    """
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.startswith((b"ATOM  ", b"HETATM")):
            for start, stop in _FIELDS:
                word = line[start:stop].strip()
                if not _VALUE.fullmatch(word) and (word or start < _OCCUPANCY):
                    raise InputError(
                        f"{place}, line {number}: {quote(word)} in columns {start + 1} to {stop} is not a number"
                    )
