"""Reflection files of other programs that are text, and what to do with them: none is a list of ``h k l F``."""

from __future__ import annotations

import re

from ..errors import InputError, called

_BOM = b"\xef\xbb\xbf"
_LINES = 20  # that must all have SHELX's layout

_CONVERT = "convert it to MTZ or CIF, or write lines of h k l F"

# How files begin, in the order in which they are tried; what they are; and the way out.
_BEGINNINGS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (
        re.compile(rb"(?:!.*\r?\n)*?!OUTPUT_FILE=\s*INTEGRATE"),
        "is an INTEGRATE.HKL of XDS, intensities that are neither corrected nor merged",
        "let CORRECT make an XDS_ASCII.HKL, which is read",
    ),
    (
        re.compile(rb"\s*CrystFEL reflection list"),
        "is a reflection list of CrystFEL, intensities of a point group",
        "turn it into an MTZ file of amplitudes (get_hkl and ctruncate)",
    ),
    (
        re.compile(rb"\s*CrystFEL stream"),
        "is a stream of CrystFEL, of unmerged intensities",
        "merge it by partialator or process_hkl, and turn that into an MTZ file of amplitudes",
    ),
    (
        re.compile(rb"\s*1[ \t]*\r?\n\s*-\d+[ \t]*\r?\n(?:\s*\d+\.\d*){6}\s+[a-zA-Z]"),
        "is a scalepack file, merged intensities of a space group",
        "turn it into an MTZ file of amplitudes (scalepack2mtz and ctruncate)",
    ),
    (
        re.compile(rb"\s*\d+[ \t]+[PABCFIRHpabcfirh][\w/: -]*\r?\n(?:[ \t]*-?\d+){3,}"),
        "is a scalepack file, unmerged intensities of a space group",
        "merge it, and turn it into an MTZ file of amplitudes (pointless, aimless and ctruncate)",
    ),
    (
        re.compile(rb"\s*(?:NREF\w*\s*=|INDE\w*\s*=|\s*INDEX?\s+-?\d|DECL\w*\s+NAME)", re.IGNORECASE),
        "is a reflection file of CNS or X-PLOR",
        _CONVERT,
    ),
    (
        re.compile(rb"[\x80-\x9f\xdc\xdd].{0,3}dials::af::reflection_table", re.DOTALL),
        "is a reflection table of DIALS",
        "scale it and write an MTZ file by dials.export",
    ),
    (
        re.compile(rb"\x89HDF\r\n\x1a\n"),
        "is an HDF5 file",
        "allowed are lines of h k l F, MTZ and CIF",
    ),
    (
        re.compile(rb"(?:HEADER|TITLE |REMARK|CRYST1|COMPND|ATOM  |HETATM|ORIGX1).{10,}"),
        "is a PDB model",
        "",
    ),
)

_SHELX = re.compile(rb"(?:[ \d-]{3}\d){3}(?:[ \d.-]{6}[\d.][\d.]|[ \d.-]{7}\d){2}(?:[ \d-]{3}\d.*)?\s*")

_SHELX_END = re.compile(rb"(?: *0){3} *0*\.0* ")


def refuse(start: bytes, place: str) -> None:
    """Refuse a file that is recognized as another program's, whose numbers are no structure factors of P1.

    Parameters
    ----------
    start : bytes
        Its beginning, some kilobytes.
    place : str
        Option and path, for messages.

    Raises
    ------
    InputError
        It is one of them.
    """
    start = start.removeprefix(_BOM)
    for pattern, what, way_out in _BEGINNINGS:
        if pattern.match(start):
            raise InputError(f"{place}: {what}; {way_out or 'it goes with ' + called('pdb')}")
    if _is_shelx(start):
        raise InputError(
            f"{place}: has the layout of SHELX (3I4, 2F8), intensities or amplitudes of a space group; {_CONVERT}"
        )
    if b"\0" in start:
        raise InputError(f"{place}: is binary, and not MTZ; allowed are lines of h k l F, MTZ and CIF")


def _is_shelx(start: bytes) -> bool:
    """Whether the lines have h k l in four characters each, then two numbers in eight characters each."""
    few = b"\n".join(start.split(b"\n", _LINES + 1)[: _LINES + 1])
    lines = [line for line in few.splitlines()[: _LINES + 1] if line.strip()]
    end = next((place for place, line in enumerate(lines) if _SHELX_END.match(line)), len(lines))
    lines = lines[: end + 1]  # what follows is text
    if len(lines) > 1 and len(lines) > _LINES:
        lines.pop()
    return bool(lines) and all(_SHELX.fullmatch(line) and b"." in line[12:28] for line in lines)
