"""The help text, written from the table of options."""

from __future__ import annotations

import textwrap

from ..parameters.dialect import Dialect
from ..parameters.table import NANOBRAGG
from ..parameters.types import Option

WIDTH = 80
_COLUMN = 24

# Sub-commands and what they do; `nbnumba.commandline.commands` holds them.
COMMANDS: dict[str, str] = {
    "batch": "render many images, each drawn anew, into files with labels",
    "series": "render the images of a rotation, with XDS.INP and the truth for DIALS",
    "compare": "show how far two images agree, or another program and nbnumba",
    "view": "show images in a browser, with resolution and h k l under the pointer",
    "noise": "draw photon noise on a float image that exists already, or on a batch without noise",
    "noisify": "add the noise of a detector to a float image, with the options of noisify",
    "nonbragg": "draw scattering by amorphous material, with the options of nonBragg",
    "background-profile": "work the background of an image out as a table for -background",
    "convert": "write images as files of another format: HDF5, CBF, SMV, PNG, float",
    "refine": "refine a crystal, its orientation and more against an image, with errors",
    "geometry": "write a page that shows detector, beam and crystal in three dimensions",
    "info": "show what nbnumba computes with: numba, processor, GPUs, caches",
    "compare-traces": "show where two traces of a pixel part",
    "random-orientation": "write a crystal in a random orientation as a file for -mat",
}

USAGE = """\
usage: nbnumba -mat FILE -hkl FILE [options]             render an image
       nbnumba -cell a b c al be ga -default_F F [...]   the same without files
       nbnumba -help                                     show all options"""

_INTRODUCTION = """\
Renders the X-ray diffraction image of a nanocrystal, pixel by pixel and on an absolute scale. The command line is \
that of nanoBragg.

A crystal (-mat or -cell) and structure factors (-hkl, -default_F, or the dump of an earlier run) are needed; all \
else has defaults. Of options that contradict each other the last one counts."""

_SPELLING = """\
A name may be written with two dashes and may be longer than here (-matrix for -mat), never shorter; those marked \
with a star count only as written. [mm] and the like are units."""

_CLOSING = """\
Exit status: 0 good; 1 a comparison differs; 2 bad option, value or file content; 3 a file cannot be read or \
written; 4 a device failed; 5 the workers of a batch were lost; 6 an internal error; 7 too little memory, or too few \
threads; 130 interrupted; 129 or 143 ended by SIGHUP or SIGTERM."""


def help_text() -> str:
    """Return the whole help text, at most 80 columns wide."""
    parts = [USAGE, *(_wrap(paragraph) for paragraph in f"{_INTRODUCTION} {_SPELLING}".split("\n\n"))]
    commands = [_entry(f"nbnumba {name}", what) for name, what in COMMANDS.items()]
    parts.append("\n".join(["Other commands (each with --help)", *commands]))
    parts += [_options(NANOBRAGG), _wrap(_CLOSING)]
    return "\n\n".join(parts)


def help_of(command: str, words: str, dialect: Dialect) -> str:
    """Return the help text of a sub-command that takes the options of another program.

    Parameters
    ----------
    command : str
        One of `COMMANDS`.
    words : str
        What it cannot do without.
    dialect : Dialect
        Its options.
    """
    what = COMMANDS[command]
    usage = f"usage: nbnumba {command} {words} [options]"
    return "\n\n".join([usage, _wrap(f"{what[0].upper()}{what[1:]}. {_SPELLING}"), _options(dialect), _wrap(_CLOSING)])


def _options(dialect: Dialect) -> str:
    """Return the lines about the options of a dialect."""
    return "\n\n".join("\n".join([title, *map(_option, group)]) for title, group in dialect.groups.items())


def _wrap(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)


def _option(option: Option) -> str:
    """Return the lines about one option."""
    star = "*" if option.key in option.whole or option.own else ""
    parameter = option.parameter
    unit = f" [{parameter.unit.symbol}]" if parameter.unit.symbol else ""
    default = f" (default {parameter.default})" if parameter.default else ""
    others = ", ".join(name + ("*" if name in option.whole else "") for name in option.spellings[1:])
    also = f"; also {others}" if others else ""
    return _entry(f"{option.key}{star} {option.values}", f"{option.help or parameter.help}{unit}{default}{also}")


def _entry(left: str, right: str) -> str:
    """Return a name and its explanation in two columns; a long name has a line of its own."""
    left = f"  {left.rstrip()} "
    lines = textwrap.wrap(right, WIDTH - _COLUMN, break_on_hyphens=False)
    if len(left) > _COLUMN:
        lines.insert(0, "")
    head, *rest = lines
    return "\n".join([f"{left:{_COLUMN}}{head}".rstrip(), *(" " * _COLUMN + line for line in rest)])
