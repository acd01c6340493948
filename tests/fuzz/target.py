"""One kind of file that the program reads, and how its commands are run in this process."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nbnumba import cli
from nbnumba.parameters.parser import parse_with_files
from nbnumba.util.exits import exit_status
from nbnumba.view.frames import list_frames, read_frame

CELL = "-cell 50 60 70"
SHORT = "-lambda 1.5 -distance 50 -pixel 1 -detpixels 4 -N 3 -oversample 1 -threads 1"
SILENT = "-nopgm -nonoise -nodump -quiet -floatfile /dev/null -intfile /dev/null"
RENDER = f"{SHORT} {SILENT}"

SPEC = """command = "-cell 50 60 70 -default_F 10 -lambda 1.5 -distance 50 -pixel 1 -detpixels 4 -N 3 -oversample 1"
count = 2
seed = 7
images_per_file = 1
dtype = "uint16"
noise = true
[vary]
orientation = "random"
energy_ev = { normal = [8265.0, 15.0] }
N = { integers = [2, 4] }
fluence = { lognormal = [24, 0.5] }
mosaic_spread_deg = { choice = [0, 0.1] }
"""
PDB = """CRYST1   50.000   60.000   70.000  90.00  90.00  90.00 P 21 21 21    4
ATOM      1  CA  ALA A   1      11.000  12.000  13.000  1.00 20.00           C
ATOM      2  O   HOH A   2      21.000  22.000  13.000  1.00 20.00           O
END
"""


@dataclass(frozen=True)
class Target:
    """A kind of input.

    Attributes
    ----------
    seed : bytes
    name : str
        Of the file; {} in `commands` stands for its path.
    commands : tuple of str
        Command lines, one of which reads the file.
    beside : dict of str to str
        Other files in its folder.
    """

    seed: bytes
    name: str
    commands: tuple[str, ...]
    beside: tuple[tuple[str, str], ...] = ()


def text(content: str, name: str, *commands: str, beside: dict[str, str] | None = None) -> Target:
    return Target(content.encode(), name, commands, tuple((beside or {}).items()))


def saved(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def run_target(target: Target, data: bytes, number: int, folder: Path) -> int:
    """Run one of the commands that read a file with this content; return its exit status."""
    for name, content in target.beside:
        (folder / name).write_text(content)
    path = folder / target.name
    path.write_bytes(data)
    words = target.commands[number % len(target.commands)].split()
    words = [word.replace("{}", str(path)).replace("OUT", os.fspath(folder)) for word in words]
    return exit_status(lambda: _view(words[1:])) if words[0] == "view" else cli.main(words)


def _view(words: list[str]) -> int:
    """Read what the page would show first; the command itself would wait for a browser."""
    command, paths = parse_with_files(words)
    read_frame(list_frames(paths[0])[0], command)
    return 0
