"""An image as a sum of passes, each an experiment of one crystal with one table of structure factors.

A kernel renders one crystal, one table and one set of sources. What has more is rendered pass by pass, and the photons
of the passes are added up. A pass is an experiment of its own that says which share of the fluence it stands for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..background.water import Water
from ..beam.model import Beam, Sources
from ..crystal.model import Crystal
from ..errors import InputError, called
from ..parameters.choices import Semantics
from .model import Experiment


class Pass(NamedTuple):
    """A part of the sum over crystals and sources.

    Attributes
    ----------
    experiment : Experiment
        One crystal, and the sources that meet it with this table of structure factors.
    crystal : int
        Number of the crystal among those of the whole experiment.
    """

    experiment: Experiment
    crystal: int


def split_into_passes(experiment: Experiment) -> list[Pass]:
    """Split an experiment into passes whose photons add up to its image.

    An experiment that a kernel renders as it is comes back as the only pass, itself.

    Raises
    ------
    InputError
        For water under the semantics of C, where it is part of the sum of one pass.
    """
    crystals = experiment.crystals
    if len(crystals) == 1 and crystals[0].weight == 1.0 and not crystals[0].energy_groups:
        return [Pass(experiment, 0)]
    found = list(_passes(experiment))
    if not found and not any(crystal.weight for crystal in crystals):
        return [Pass(dataclasses.replace(experiment, crystals=(_without_spots(crystals[0]),)), 0)]
    if not found:
        raise InputError("crystals: no source meets any of them; at least one is needed")
    if len(found) == 1:
        return found
    if experiment.water_size > 0.0 and experiment.semantics is Semantics.C:
        raise InputError(
            f"{called('water_um')}: as C, the water is part of the sum over one crystal with one table of structure "
            f"factors, and there are {len(found)}; give {called('semantics')} exact"
        )
    cutoff = experiment.sampling.spot_cutoff / len(found)
    sampling = dataclasses.replace(experiment.sampling, spot_cutoff=cutoff)
    dry = tuple(material for material in experiment.background if not isinstance(material, Water))
    return [
        Pass(
            dataclasses.replace(
                part.experiment, sampling=sampling, background=dry if number else experiment.background
            ),
            part.crystal,
        )
        for number, part in enumerate(found)
    ]


def _passes(experiment: Experiment) -> Iterator[Pass]:
    """Yield the passes without regard to one another."""
    weights = experiment.weights
    for number, crystal in enumerate(experiment.crystals):
        if crystal.weight == 0.0:
            continue
        one = dataclasses.replace(crystal, weight=1.0, energy_groups=())
        if not crystal.energy_groups:
            yield Pass(_pass(experiment, one, experiment.beam, crystal.weight), number)
        for group in crystal.energy_groups:
            part = float(np.sum(weights[group.sources]) / np.sum(weights))
            if part > 0.0:
                beam = _beam_of(experiment.beam, group.sources)
                with_factors = dataclasses.replace(one, reflections=group.reflections)
                yield Pass(_pass(experiment, with_factors, beam, crystal.weight * part), number)


def _without_spots(crystal: Crystal) -> Crystal:
    """Return what stands for a crystal that the beam misses, in an image of the materials around it."""
    return dataclasses.replace(
        crystal, weight=1.0, energy_groups=(), reflections=None, default_F=0.0, diffuse=None,
        mosaic_rotations=np.eye(3)[None],
        domain_weights=None, domain_stretches=None,
    )  # fmt: skip


def _pass(experiment: Experiment, crystal: Crystal, beam: Beam, share: float) -> Experiment:
    spread = experiment.closed_form
    if spread is not None and crystal.mosaicity is not None:
        spread = dataclasses.replace(spread, mosaicity=crystal.mosaicity)
    return dataclasses.replace(experiment, crystals=(crystal,), beam=beam, closed_form=spread, share=share)


def _beam_of(beam: Beam, chosen: NDArray[np.intp]) -> Beam:
    """Return the beam of some of the sources."""
    listed = beam.sources
    sources = Sources(listed.directions[chosen], listed.weights[chosen], listed.wavelengths[chosen])
    return dataclasses.replace(beam, sources=sources)
