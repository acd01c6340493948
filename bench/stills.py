"""Simulated stills with known truth, and starts that are off by as much as indexing leaves."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import nbnumba
from nbnumba.crystal.mosaic import misset_angles
from nbnumba.geometry.vectors import random_rotation
from nbnumba.gradients.parameters import Parameters
from nbnumba.readout import psf
from nbnumba.refine.fit import Fit

FREE = ("misset", "cell", "N", "mosaic_spread", "scale", "offset")
BACKGROUND = 2.0  # photons in every pixel

_H, _L = np.arange(-40, 41), np.arange(-20, 21)
_INDICES = np.stack(np.meshgrid(_H, _H, _L, indexing="ij"), -1).reshape(-1, 3)
HKL = np.column_stack([_INDICES, np.random.default_rng(11).lognormal(4.5, 0.6, len(_INDICES))])


class Still(NamedTuple):
    """One still.

    Attributes
    ----------
    parameters : Parameters
        Where a refinement starts.
    truth : (n,)
        What the image was drawn with.
    counts : (n_slow, n_fast)
        Photons, Poisson distributed before a point spread of light.
    """

    parameters: Parameters
    truth: NDArray[np.float64]
    counts: NDArray[np.float64]

    @property
    def fit(self) -> Fit:
        """The refinement of this still on one core."""
        return Fit(self.parameters, self.counts, np.ones(self.counts.shape, dtype=bool), threads=1)


def experiment(pixels: int, random: np.random.Generator, **more: Any) -> nbnumba.Experiment:
    """Return the experiment of a still in a random orientation: spots in closed form, some 2e5 photons.

    `more` are further keywords.
    """
    misset = np.degrees(misset_angles(random_rotation(random)))
    options: dict[str, Any] = {
        "cell": (79.1, 79.1, 37.9, 90, 90, 90),
        "misset_deg": tuple(misset.tolist()),
        "hkl": HKL,
        "N": (25, 22, 18),
        "shape": "gauss_abc",
        "mosaic_spread_deg": 0.1,
        "spread": "continuous",
        "wavelength_A": 1.3,
        "distance_mm": 120,
        "pixel_mm": 0.35 * 256 / pixels,
        "detpixels": pixels,
        "oversample": 1,
        "fluence": 5e26,
    }
    return nbnumba.Experiment(**options, **more)


def make(seed: int, pixels: int = 256, **more: Any) -> Still:
    """Draw a still, and a start: 0.05 to 0.1 degrees and 0.1 to 0.2 % off, N, mosaicity and scale by up to 2.

    `more` are further keywords of the experiment; the width of a point spread is free too, and starts 20 % off.
    """
    random = np.random.default_rng(seed)
    drawn = experiment(pixels, random, **more)
    spread = None if drawn.readout is None else drawn.readout.spread
    parameters = drawn.parameters(*FREE, *(() if spread is None else ("psf_fwhm",)))
    truth = parameters.values
    names = list(parameters.names)
    truth[names.index("offset")] = BACKGROUND
    renderer = nbnumba.Renderer("cpu", 1)
    expected = renderer.linearize(drawn, parameters, truth).image
    if spread is not None and drawn.readout is not None and not drawn.readout.spread_first:
        bare = dataclasses.replace(drawn, readout=None)
        expected = renderer.linearize(bare, ("scale",)).image + BACKGROUND
    start = truth.copy()
    axis = random.normal(size=3)
    axis *= math.radians(random.uniform(0.05, 0.1)) / np.linalg.norm(axis)
    x, y, z = axis
    small = np.array([[1.0, -z, y], [z, 1.0, -x], [-y, x, 1.0]])
    turned = small @ _matrix(np.radians(truth[names.index("misset_x") :][:3]))
    start[names.index("misset_x") :][:3] = np.degrees(misset_angles(turned))
    for name in ("cell_a", "cell_c"):
        start[names.index(name)] *= 1.0 + random.choice([-1, 1]) * random.uniform(0.001, 0.002)
    cells, wide, scale = np.exp(random.uniform(-math.log(2), math.log(2), 3))
    start[names.index("Na") :][:3] *= cells
    start[names.index("mosaic_spread")] *= wide
    start[names.index("scale")] *= scale
    start[names.index("offset")] = 1.0
    counts = random.poisson(expected).astype(np.float64)
    if spread is not None and drawn.readout is not None:
        start[names.index("psf_fwhm")] *= random.choice([0.8, 1.2])
        if not drawn.readout.spread_first:
            counts = psf.apply(counts, spread).image
    return Still(parameters.starting_at(start), truth, counts)


def _matrix(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn about x, then y, then z."""
    x, y, z = angles
    about_x = np.array([[1, 0, 0], [0, math.cos(x), -math.sin(x)], [0, math.sin(x), math.cos(x)]])
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_z = np.array([[math.cos(z), -math.sin(z), 0], [math.sin(z), math.cos(z), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)
