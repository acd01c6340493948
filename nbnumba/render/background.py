"""Photons of amorphous material, added to rendered panels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..background.material import Material, monotone_points, padded_points, photons_per_steradian
from ..experiment.model import Experiment
from ..experiment.regions import rendered_panels
from ..experiment.scene import build_surroundings
from ..kernels.scene import Scene
from ..parameters.choices import Semantics


def add_background(experiment: Experiment, images: Sequence[NDArray[np.float32]], threads: int | None) -> None:
    """Add the photons of an experiment's materials to its panels, in place."""
    if not any(isinstance(material, Material) for material in experiment.background):
        return
    scenes = build_surroundings(experiment)
    for number in rendered_panels(experiment):
        photons, image = background_photons(experiment, scenes[number], threads), images[number]
        if photons is not None:
            np.add(image, photons, out=image, casting="same_kind")


def background_photons(experiment: Experiment, scene: Scene, threads: int | None) -> NDArray[np.float64] | None:
    """Photons that the materials scatter into every pixel of a panel; None without materials.

    Under the semantics of C they are nonBragg's: its interpolation, and its division by the number of sources.
    """
    from ..kernels.background import driver
    from ..kernels.types import available_threads

    materials = [material for material in experiment.background if isinstance(material, Material)]
    if not materials:
        return None
    exact = experiment.semantics is Semantics.EXACT
    weights = float(scene.sources[:, 4].sum()) if exact else float(len(scene.sources))
    bodies = [
        driver.Scatterer(
            monotone_points(material.points) if exact else padded_points(material.points),
            photons_per_steradian(
                experiment.fluence, material.molecules(experiment.beam.size), weights, scene.oversample**2
            ),
            lagrange=not exact,
        )
        for material in materials
    ]
    image = np.zeros((scene.n_slow, scene.n_fast))
    driver.add(scene, bodies, image, threads or available_threads())
    return image
