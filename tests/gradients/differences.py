"""Derivatives of images by parameters, checked against differences of the images themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nbnumba
from nbnumba.render.linearize import Linearization

# A triclinic crystal with a few mosaic domains.
STILL: dict[str, Any] = {
    "cell": (50, 60, 40, 80, 95, 100),
    "wavelength_A": 1.0,
    "distance_mm": 100,
    "detpixels": 24,
    "pixel_mm": 0.4,
    "N": (7, 9, 6),
    "misset_deg": (10, 20, 30),
    "oversample": 1,
    "mosaic_spread_deg": 0.5,
    "mosaic_domains": 4,
}
_ORDER = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
_CUTS = (3e-2, 3e-3, 3e-4)  # of a parameter's step: the truncation of differences falls, their rounding grows

_SLIGHT = 1e-6  # of the brightest pixel in a parameter's step: less is no effect


def reflections(most: int) -> NDArray[np.float64]:
    """Reflections up to an index with structure factors of 10 to 100, (n, 4)."""
    indices = np.stack(np.meshgrid(*[np.arange(-most, most + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return np.column_stack([indices, np.random.default_rng(7).uniform(10, 100, len(indices))])


def worst_difference(
    experiment: nbnumba.Experiment, names: Sequence[str], threads: int | None = None
) -> tuple[dict[str, float], Linearization]:
    """Compare derivatives by every parameter with fourth-order differences of the float64 image.

    Returns
    -------
    dict
        By parameter the largest difference over the largest derivative, for the best of some step widths.
    Linearization
    """
    parameters = experiment.parameters(*names)
    renderer = nbnumba.Renderer("cpu", threads)
    linear = renderer.linearize(experiment, parameters)
    jacobian = linear.jacobian()
    values = parameters.values
    found = {}
    for number, component in enumerate(parameters.components):
        best = np.inf
        for cut in _CUTS:
            step = component.step * cut
            total = np.zeros(linear.shape)
            for steps, weight in _ORDER:
                at = values.copy()
                at[number] += steps * step
                total += weight / step * renderer.linearize(experiment, parameters, at).image
            largest = np.abs(total).max()
            assert largest > 0.0, component.name
            largest = max(largest, _SLIGHT * float(linear.image.max()) / component.step)
            best = min(best, float(np.abs(total - jacobian[number]).max() / largest))
        found[component.name] = best
    return found, linear
