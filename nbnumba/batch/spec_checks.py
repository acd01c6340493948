"""What cannot vary in a batch, as something else in its SPEC decides it."""

from __future__ import annotations

import math

from ..detector.panels import placed_by
from ..parameters.command import CommandLine
from .distributions import A_COLUMNS, LATTICES, MISSET, MOST_LATTICES, MOVING, ONLY_COLUMNS, SPLIT, U_COLUMNS
from .spec_model import Spec
from .toml_file import Document, Where


def check_places(found: Document, spec: Spec, command: CommandLine) -> None:
    """Refuse to vary what something else decides.

    Raises
    ------
    InputError
        Naming the key, and what decides in its place.
    FileError
        A file of sources cannot be read.
    """
    _check_crystals(found, spec, command)
    settings = command.settings
    place = ("vary", "csv")
    reaching = {"energy_ev", "spectrum_shot", "spectrum_shift_ev", "distance_mm", "cell_jitter_percent"}
    reaching |= {"beam_center_fast_mm", "beam_center_slow_mm"}
    changing = [key for key in spec.keys if key in reaching]
    if settings.factors.pdb_file is not None and settings.factors.hkl_dmin == 0.0 and changing:
        raise found.error(
            ("command",),
            f"-pdb needs -hkl_dmin where {changing[0]} varies, as images then reach to different resolutions",
        )
    if "energy_ev" in spec.keys and settings.beam.source_file is not None:
        from ..io import source_file

        if not math.isnan(source_file.read(settings.beam.source_file)[:, 4].sum()):
            here = ("vary", "energy_ev") if "energy_ev" in spec.vary else place
            raise found.error(
                here, "energy_ev cannot vary: -sourcefile in the command gives every source its wavelength"
            )
    if "energy_ev" in spec.keys and (settings.beam.spectrum or settings.beam.spectrum_file):
        here = ("vary", "energy_ev") if "energy_ev" in spec.vary else place
        raise found.error(
            here, "energy_ev cannot vary beside a spectrum in the command; spectrum_shift_ev moves its energies"
        )
    for key in MOVING:
        if key not in spec.keys:
            continue
        here = ("vary", key) if key in spec.vary else place
        if settings.detector.panels:
            raise found.error(here, f"{key} cannot vary where {placed_by(settings)} places the detector")
        if key == "distance_mm" and settings.detector.close_distance is not None:
            raise found.error(here, "distance_mm cannot vary: -close_distance in the command decides")
        if key == "distance_mm" and settings.detector.pix0_vector is not None:
            raise found.error(here, "distance_mm cannot vary: -pix0_vector in the command decides")


def _check_crystals(found: Document, spec: Spec, command: CommandLine) -> None:
    """Refuse what contradicts itself in the number of crystals and in how they lie."""
    keys = set(spec.keys)

    def place(key: str) -> Where:
        return ("vary", key) if key in spec.vary else ("vary", "csv")

    lying = [name for name in (*MISSET, A_COLUMNS[0], U_COLUMNS[0]) if name in keys]
    kinds = {name if name in ONLY_COLUMNS else "misset" for name in lying}
    if len(kinds) > 1:
        raise found.error(place(lying[-1]), f"{lying[-1]} contradicts {lying[0]}; give one of the two")
    if lying and spec.random_orientation:
        raise found.error(place(lying[0]), f"{lying[0]} contradicts a random orientation; give one of the two")
    described = len(command.settings.crystal.crystals)
    if SPLIT in keys and LATTICES not in keys:
        raise found.error(place(SPLIT), f"goes with {LATTICES}, which says how many there are")
    if SPLIT in keys and described > 1:
        raise found.error(place(SPLIT), f"the command describes {described} crystals; it goes with one")
    if LATTICES not in keys:
        return
    if most_lattices(spec) > max(1, described) and SPLIT not in keys and not spec.random_orientation:
        raise found.error(
            place(LATTICES), f'several would lie alike; give {SPLIT}, or orientation = "random" for each of its own'
        )
    if spec.series is not None and (LATTICES not in spec.vary or spec.vary[LATTICES].form != "fixed"):
        raise found.error(place(LATTICES), "all images of a rotation show the same crystals; allowed: a number")
    if spec.series is not None and most_lattices(spec) == 0:
        raise found.error(place(LATTICES), "0; allowed in a series: 1 or more")


def most_lattices(spec: Spec) -> int:
    """Return the largest number of crystals that the images of a batch can have; 1 where it does not vary."""
    if LATTICES in spec.vary:
        most = max(int(number) for number in spec.vary[LATTICES].numbers)
        return min(most, MOST_LATTICES)
    return MOST_LATTICES if LATTICES in spec.columns else 1
