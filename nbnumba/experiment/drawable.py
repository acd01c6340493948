"""What an experiment may hold and no image shows yet."""

from __future__ import annotations

import numpy as np

from ..background.water import Water
from ..errors import InputError
from .model import Experiment


def check_drawable(experiment: Experiment) -> None:
    """Refuse what would be left out of the image.

    Raises
    ------
    InputError
        For no crystal, a share of the fluence that is none, sources that a crystal has no structure factors for, more
        than one cube of water, or an unknown fluence.
    """
    if not experiment.crystals:
        raise InputError("crystals: there are none; at least one is needed")
    sources = np.arange(len(experiment.beam.sources.weights))
    for number, crystal in enumerate(experiment.crystals):
        if not 0.0 <= crystal.weight <= 1.0:
            raise InputError(f"crystals: number {number} has the weight {crystal.weight:g}; it must lie from 0 to 1")
        grouped = [group.sources for group in crystal.energy_groups]
        if grouped and not np.array_equal(np.sort(np.concatenate(grouped)), sources):
            raise InputError(f"crystals: the energy groups of number {number} must hold every source once")
    cubes = sum(isinstance(material, Water) for material in experiment.background)
    if cubes > 1:
        raise InputError(f"background: there are {cubes} cubes of water; at most 1")
    if experiment.beam.fluence is None:
        raise InputError("beam: its fluence is None; an image needs a number")
