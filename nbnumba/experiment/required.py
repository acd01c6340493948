"""What a picture cannot do without, as nanoBragg.c:1287 checks it."""

from __future__ import annotations

from pathlib import Path

from ..errors import NbnumbaError
from ..parameters.settings import Settings


def has_crystal(settings: Settings) -> bool:
    """Tell whether there is a matrix or a cell, apart from that of a file of structure factors."""
    return (
        settings.reciprocal_A is not None
        or settings.matrix_file is not None
        or (settings.cell_given and settings.cell_lengths_A[0] > 0.0)
    )


def lacks_crystal(settings: Settings) -> str | None:
    """Say that there is no crystal, or return None; a file of structure factors that states a cell may serve."""
    if has_crystal(settings) or settings.pdb_file is not None or _states_cell(settings.hkl_file):
        return None
    if settings.expt_file is not None:
        return f"no crystal: -expt {settings.expt_file} holds none; give -mat FILE or -cell a b c al be ga"
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


def lacks_structure_factors(settings: Settings) -> str | None:
    """Say that there are no structure factors, not even in a dump, or return None."""
    given = settings.reflections, settings.hkl_file, settings.pdb_file
    if any(source is not None for source in given) or settings.default_F != 0.0:
        return None
    message = "no structure factors: give -hkl FILE, -pdb FILE or -default_F F"
    if settings.dump_file is None:
        return message
    if Path(settings.dump_file).exists():
        return None
    return f"{message} (there is no {settings.dump_file} to read either)"
