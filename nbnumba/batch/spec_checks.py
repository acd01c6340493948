"""What cannot vary in a batch, as something else in its SPEC decides it."""

from __future__ import annotations

import math

import numpy as np

from ..detector.panels import placed_by
from ..detector.placement import resolve_axes, resolve_detector
from ..errors import InputError, called
from ..parameters.command import CommandLine
from ..parameters.settings import Settings
from ..parameters.table import SUBJECT_OF, VARYING
from ..util.messages import logger, muted
from .distributions import (
    A_COLUMNS,
    LATTICES,
    MISSET,
    MOST_LATTICES,
    MOVING,
    OF_WAVELENGTH,
    ONLY_COLUMNS,
    PARAMETER_OF,
    SPLIT,
    U_COLUMNS,
)
from .spec_model import Spec
from .toml_file import Document, Where

_SOME = 10.0  # of any place of a detector, in the unit of its key
_PLACING = ("Detector: size and place", "Conventions and axes")


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
    reaching = {*OF_WAVELENGTH, *MOVING, "cell_jitter_percent", "cell_expansion_percent"}
    changing = [key for key in spec.keys if key in reaching]
    if settings.factors.pdb_file is not None and settings.factors.hkl_dmin == 0.0 and changing:
        raise found.error(
            ("command",),
            f"-pdb needs -hkl_dmin where {changing[0]} varies, as images then reach to different resolutions",
        )
    for key in spec.keys:
        here = ("vary", key) if key in spec.vary else place
        if key in PARAMETER_OF and "wavelength" in VARYING[PARAMETER_OF[key]].fields:
            _check_wavelength(found, command, key, here)
        if key in MOVING:
            _check_moves(found, spec, command, key, here)
    width = "psf_fwhm_um"
    if width in spec.keys and settings.readout.psf is None and "psf" not in {*spec.keys, *spec.vary}:
        raise found.error(
            ("vary", width) if width in spec.vary else place, f"{width} cannot vary: no psf spreads the light"
        )
    _check_fluence(spec, command)


def _check_wavelength(found: Document, command: CommandLine, key: str, here: Where) -> None:
    """Refuse a wavelength that something else gives to every source."""
    beam = command.settings.beam
    if beam.source_file is not None:
        from ..io import source_file

        if not math.isnan(source_file.read(beam.source_file)[:, 4].sum()):
            raise found.error(here, f"{key} cannot vary: -sourcefile in the command gives every source its wavelength")
    if beam.spectrum or beam.spectrum_file:
        raise found.error(
            here, f"{key} cannot vary beside a spectrum in the command; spectrum_shift_ev moves its energies"
        )


def _check_moves(found: Document, spec: Spec, command: CommandLine, key: str, here: Where) -> None:
    """Refuse a place of the detector that other options decide."""
    settings = command.settings
    if settings.detector.panels:
        raise found.error(here, f"{key} cannot vary where {placed_by(settings)} places the detector")
    others = [one for one in spec.keys if one in MOVING and one != key]
    for one in others:
        varied = VARYING[PARAMETER_OF[one]]
        settings = settings.changed(**dict(varied.sets) | {varied.fields[0]: varied.unit.to_si(_SOME)})
    if _moves(settings, key):
        return
    unset = dict(Settings().items())
    deciding = [
        item.label
        for item in command.given
        if item.parameter.fields
        and SUBJECT_OF[item.parameter.name] in _PLACING
        and _moves(settings.changed(**{name: unset[name] for name in item.parameter.fields}), key)
    ]
    if deciding:
        raise found.error(here, f"{key} cannot vary: {', '.join(dict.fromkeys(deciding))} in the command decides")
    beside = f" beside {' and '.join(others)}" if others else ""
    convention = settings.detector.convention.value
    raise found.error(here, f"{key} cannot vary: it moves nothing{beside} with the convention {convention}")


def _moves(settings: Settings, key: str) -> bool:
    """Tell whether the detector stands elsewhere for another value of a key."""
    parameter = VARYING[PARAMETER_OF[key]]
    places = []
    for value in (_SOME, _SOME + 1.0):
        changed = settings.changed(**dict(parameter.sets) | {parameter.fields[0]: parameter.unit.to_si(value)})
        try:
            with muted():
                panel = resolve_detector(changed, resolve_axes(changed)).panels[0]
        except InputError:
            return True  # it was moved to where it cannot stand
        places.append(np.concatenate([panel.origin, panel.fast, panel.slow]))
    return not np.allclose(places[0], places[1], rtol=0.0, atol=1e-12)  # m; rounding


def _check_fluence(spec: Spec, command: CommandLine) -> None:
    """Say where what varies does not change the fluence."""
    idle = [key for key in ("exposure_s", "beamsize_mm") if key in spec.keys]
    if idle and command.settings.beam.flux == 0.0 and "flux" not in spec.keys:
        logger.warning(f"{' and '.join(idle)}: the fluence stays as it is, since {called('flux')} is not given")


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
