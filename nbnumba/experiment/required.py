"""What an image cannot do without, as nanoBragg.c:1287 checks it."""

from __future__ import annotations

import os

from ..errors import called
from ..parameters.settings import Settings


def has_crystal(settings: Settings) -> bool:
    """Tell whether there is a matrix or a cell, apart from that of a file of structure factors."""
    return (
        bool(settings.crystal.crystals)
        or settings.crystal.reciprocal_A is not None
        or settings.crystal.matrix_file is not None
        or (settings.crystal.cell_given and settings.crystal.cell_lengths_A[0] > 0.0)
    )


def missing_crystal(settings: Settings) -> str | None:
    """Return a message where there is no crystal, else None; a file of structure factors may state its cell."""
    if has_crystal(settings):
        return None
    hkl_file = settings.factors.hkl_file
    # False, too, for a name that is too long.
    there = hkl_file is not None and os.path.exists(hkl_file)  # noqa: PTH110
    return None if there or settings.factors.pdb_file is not None else no_crystal(settings)


def no_crystal(settings: Settings) -> str:
    """Return the message that there is no crystal, with the options that give one."""
    if settings.detector.expt_file is not None:
        holds_none = f"{called('expt')} {settings.detector.expt_file} holds none"
        return f"no crystal: {holds_none}; give {called('matrix')} FILE or {called('cell')} a b c al be ga"
    return f"no crystal: give {called('matrix')} FILE, {called('expt')} FILE or {called('cell')} a b c al be ga"
