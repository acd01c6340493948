"""Amorphous material around the crystals, as the kernels need it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..background.material import Material, monotone_points, padded_points, photons_per_steradian
from ..experiment.model import Experiment
from ..experiment.scene import build_surroundings
from ..kernels.background.bodies import Scatterer, Surroundings
from ..kernels.scene import Scene
from ..parameters.choices import Semantics


def surroundings_of(experiment: Experiment) -> list[Surroundings]:
    """Return the materials as every panel sees them; nothing where there are none.

    What surrounds the crystals meets all sources, whichever pass they are in.
    """
    if not any(isinstance(material, Material) for material in experiment.background):
        return []
    return [Surroundings(scene, scatterers(experiment, scene)) for scene in build_surroundings(experiment)]


def scatterers(experiment: Experiment, scene: Scene) -> list[Scatterer]:
    """Return what each material adds to a panel.

    Under the semantics of C it is nonBragg's: its interpolation, and its division by the number of sources.
    """
    exact = experiment.semantics is Semantics.EXACT
    weights = float(scene.sources[:, 4].sum()) if exact else float(len(scene.sources))
    return [
        Scatterer(
            monotone_points(material.points) if exact else padded_points(material.points),
            photons_per_steradian(
                experiment.fluence, material.molecules(experiment.beam.size), weights, scene.oversample**2
            ),
            lagrange=not exact,
        )
        for material in experiment.background
        if isinstance(material, Material)
    ]


def background_photons(experiment: Experiment, scene: Scene, threads: int | None) -> NDArray[np.float64] | None:
    """Photons that the materials scatter into every pixel of a panel; None without materials."""
    from ..kernels.background import driver
    from ..kernels.types import available_threads

    bodies = scatterers(experiment, scene)
    if not bodies:
        return None
    image = np.zeros((scene.n_slow, scene.n_fast))
    driver.add(scene, bodies, image, threads or available_threads())
    return image
