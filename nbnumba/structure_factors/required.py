"""Whether there are structure factors at all."""

from __future__ import annotations

import os

from ..errors import called
from ..parameters.settings import Settings


def missing_structure_factors(settings: Settings) -> str | None:
    """Return a message where there are no structure factors, not even in a dump, else None."""
    given = settings.factors.hkl_file, settings.factors.pdb_file
    if any(source is not None for source in given) or settings.factors.default_F != 0.0:
        return None
    message = f"no structure factors: give {called('hkl')} FILE, {called('pdb')} FILE or {called('default_F')} F"
    if settings.factors.dump_file is None:
        return message
    if os.path.exists(settings.factors.dump_file):  # noqa: PTH110 false, too, for a name that is too long
        return None
    return f"{message} (there is no {settings.factors.dump_file} to read either)"
