"""What a picture cannot do without, as nanoBragg.c:1287 checks it."""

from __future__ import annotations

from ..errors import NbnumbaError
from ..parameters.settings import Settings


def has_crystal(settings: Settings) -> bool:
    """Tell whether there is a matrix or a cell, apart from that of a file of structure factors."""
    return (
        settings.crystal.reciprocal_A is not None
        or settings.crystal.matrix_file is not None
        or (settings.crystal.cell_given and settings.crystal.cell_lengths_A[0] > 0.0)
    )


def lacks_crystal(settings: Settings) -> str | None:
    """Say that there is no crystal, or return None; a file of structure factors that states a cell may serve."""
    if has_crystal(settings) or settings.factors.pdb_file is not None or _states_cell(settings.factors.hkl_file):
        return None
    if settings.detector.expt_file is not None:
        return f"no crystal: -expt {settings.detector.expt_file} holds none; give -mat FILE or -cell a b c al be ga"
    return "no crystal: give -mat FILE, -expt FILE or -cell a b c al be ga"


def _states_cell(hkl_file: str | None) -> bool:
    """Tell whether a reflection file is of a kind that states its cell."""
    if hkl_file is None:
        return False
    from ..structure_factors.mtz_cif import kind

    try:
        return kind(hkl_file) is not None
    except NbnumbaError:
        return False
