"""PDB files from before 1996, which have the entry's code and the number of the line where elements stand now."""

from __future__ import annotations

import re

_ATOM = re.compile(rb"(?:ATOM  |HETATM).{48}")
_NUMBERED = re.compile(rb".{72}(\d[A-Z\d]{3})[ \d]{3}\d *\r?", re.IGNORECASE)
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
