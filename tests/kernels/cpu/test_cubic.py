"""Tricubic interpolation of strips of pixels, beside C's weights pixel by pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import scene_of

from nbnumba import kernels
from nbnumba.kernels.cpu.cubic import CELL_COUNT
from nbnumba.kernels.physics import structure_factor as look_up
from nbnumba.kernels.scene import NEVER, Scene


def indices_of(scene: Scene) -> NDArray[np.float64]:
    """Return h, k and l in the middle of every pixel: (slow, fast, 3)."""
    slow, fast = np.mgrid[0 : scene.n_slow, 0 : scene.n_fast] + 0.5
    place = fast[..., None] * scene.pixel_fast * scene.fast + slow[..., None] * scene.pixel_slow * scene.slow
    place = place + scene.origin
    direction = place / np.linalg.norm(place, axis=-1, keepdims=True)
    source = scene.sources[0]
    return np.asarray((direction - source[:3]) * source[3] @ scene.orientations[0].reshape(3, 3).T)


def expected_factors(scene: Scene, indices: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return structure factors by C's weights, and the cells that they stand in; NaN out of the table."""
    below = np.floor(indices).astype(int)
    first = below - (scene.h_min, scene.k_min, scene.l_min)  # of the padded table, one before the cell
    table = scene.flat.reshape(scene.nh, scene.nk, scene.nl)
    fits = np.all((first >= 1) & (first + 3 < np.array(table.shape) - 1), axis=-1)
    weights = [np.stack(look_up.cubic_weights.py_func(u), axis=-1) for u in np.moveaxis(indices - below, -1, 0)]
    found = np.full(fits.shape, np.nan)
    for pixel in np.argwhere(fits):
        at = tuple(pixel)
        h, k, l = first[at]
        cube = table[h : h + 4, k : k + 4, l : l + 4]
        found[at] = np.einsum("abc,a,b,c", cube, *(w[at] for w in weights))
    return found, np.unique(first[fits], axis=0)


@pytest.mark.parametrize(("pixel", "many"), [(0.02, False), (0.8, True)], ids=["long runs", "short runs"])
def test_factors(pixel: float, many: bool, tmp_path: Path) -> None:
    size = f"-pixel {pixel} -detpixels_x 141 -detpixels_y 90 -distance 250 -lambda 1"
    scene = scene_of(f"-mat lyso.mat -hkl lyso.hkl {size} -N 1 -interpolate -oversample 1 -nonoise", tmp_path)
    scene = scene.replace(latch=NEVER, latching=False)
    ones = scene.replace(flat=np.ones_like(scene.flat))
    expected, cells = expected_factors(scene, indices_of(scene))
    assert (len(cells) > 3 * CELL_COUNT) == many, "cells have to make room for others"
    inside = ~np.isnan(expected)
    assert np.mean(inside) > 0.3
    images = [kernels.render(each, "cpu").image.astype(float) for each in (scene, ones)]
    squares = (images[0] / images[1])[inside]
    # Rounding of both images to float32; where terms cancel, that of positions too, a thousandth of a millionth of F.
    assert squares == pytest.approx(expected[inside] ** 2, rel=3e-7, abs=1e-9 * float(np.max(scene.flat)) ** 2)


def test_coefficients_are_weights_by_powers() -> None:
    values = np.random.default_rng(1).normal(size=4)
    coefficients = look_up.cubic_coefficients(*values)
    for u in np.linspace(0.0, 1.0, 11):
        by_weights = np.dot(look_up.cubic_weights(u), values)
        assert look_up.cubic_polynomial(u, coefficients) == pytest.approx(by_weights, abs=1e-14)  # rounding
