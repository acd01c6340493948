"""What a picture cannot do without, as nanoBragg.c:1287 checks it."""

from __future__ import annotations

from pathlib import Path

from .settings import Settings


def lacks_crystal(settings: Settings) -> str | None:
    """Say that there is no crystal, or return None."""
    if settings.matrix_file is not None or (settings.cell_given and settings.cell_lengths_A[0] > 0.0):
        return None
    return "no crystal: give -mat FILE or -cell a b c al be ga"


def lacks_structure_factors(settings: Settings) -> str | None:
    """Say that there are no structure factors, not even in a dump, or return None."""
    if settings.hkl_file is not None or settings.default_F != 0.0 or Path(settings.dump_file).exists():
        return None
    return f"no structure factors: give -hkl FILE or -default_F F (there is no {settings.dump_file} to read either)"
