"""Programs for `nbnumba compare --with`."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

from requirements import ROOT

SMALL = ["-cell", "50", "60", "70", "-default_F", "10", "-N", "3", "-distance", "100", "-detpixels_f", "24"]
SMALL += ["-detpixels_s", "16", "-pixel", "1", "-nonoise"]


def program(path: Path, *lines: str) -> str:
    """Write an executable shell script."""
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def nbnumba(path: Path, *more: str) -> str:
    """Write a program that is nbnumba with some more options."""
    return program(path, f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m nbnumba "$@" {" ".join(more)}')
