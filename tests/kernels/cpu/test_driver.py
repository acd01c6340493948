"""The search for the interpolation latch is left out only where it would find nothing."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scenes import scene_of

from nbnumba.kernels.cpu import kernel as cpu
from nbnumba.kernels.cpu.driver import _Work
from nbnumba.kernels.latch import may_trip
from nbnumba.kernels.scene import NEVER, Scene

FLAT = "-mat triclinic.mat -hkl triclinic.hkl -interpolate -N 5 -lambda 1.2 -pixel 1 -detpixels_x 30 -detpixels_y 26"


def first_trip(scene: Scene) -> int:
    """Search all samples of a scene for the one that switches interpolation off."""
    work = _Work([scene], cpu.search, None)
    work.run(1, None)
    return work.found


def moved_out(scene: Scene, distance: float) -> Scene:
    """Return the scene with its panel along the beam at another distance [m]."""
    shift = distance - scene.distance
    return scene.replace(
        origin=scene.origin + shift * scene.beam, distance=distance, close_distance=scene.close_distance + shift
    )


@pytest.mark.parametrize(
    "more",
    [
        "",
        "-misset 10 20 30",
        "-mat lyso.mat -hkl lyso.hkl",
        "-mat bigcell.mat -hkl bigcell.hkl",
        "-detector_rotx 12 -detector_roty -20 -twotheta 8",
        "-Xbeam 3 -Ybeam 40 -oversample 3",
        "-divergence 4 -divsteps 3 -dispersion 5 -dispsteps 3",
        "-phi 0 -osc 30 -phisteps 4 -mosaic 3 -mosaic_domains 6",
        "-detector_thick 20000 -detector_abs 500 -detector_thicksteps 4",
        "-round_xtal",
        "-water 50 -tophat_spots",
    ],
)
def test_the_search_is_left_out_only_where_nothing_trips(more: str, tmp_path: Path) -> None:
    """The closest place of the panel where no search is made is the one where most could be missed."""
    scene = scene_of(f"{FLAT} -distance 100 {more}", tmp_path)
    assert scene.interpolate
    assert scene.latching
    near, far = 0.005, 10.0
    assert not may_trip(moved_out(scene, far))
    assert may_trip(moved_out(scene, near))
    while far / near > 1.0001:
        middle = math.sqrt(near * far)
        near, far = (middle, far) if may_trip(moved_out(scene, middle)) else (near, middle)
    assert first_trip(moved_out(scene, far)) == NEVER
    # A search finds something, too: when the panel is much closer.
    assert any(first_trip(moved_out(scene, far * share)) != NEVER for share in (0.5, 0.25, 0.1, 0.03))


def with_one_axis(scene: Scene, axis: int) -> Scene:
    """Return the scene with two axes of no length and one along the scattering vector of a corner."""
    corner = scene.origin + scene.pixel_slow * scene.n_slow * scene.slow
    vector = corner / np.linalg.norm(corner) - scene.sources[0, :3]
    cell = np.zeros((3, 3))
    length = np.linalg.norm(scene.orientations[0].reshape(3, 3)[axis])
    cell[axis] = length * vector / np.linalg.norm(vector)
    return scene.replace(orientations=cell.reshape(1, 9), weights=np.ones(1))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_search_is_made_as_soon_as_a_corner_trips(axis: int, tmp_path: Path) -> None:
    """An axis along the longest scattering vector trips where it may, but for the half pixel to the corner."""
    # The beam meets the detector near the corner of the last fast and the first slow pixel.
    line = f"{FLAT} -detpixels 150 -distance 100 -pixel 0.3 -Xbeam 1 -Ybeam 44 -oversample 1"
    scene = scene_of(line, tmp_path)
    near, far = 0.005, 10.0
    while far / near > 1.0001:
        middle = math.sqrt(near * far)
        trips = may_trip(with_one_axis(moved_out(scene, middle), axis))
        near, far = (middle, far) if trips else (near, middle)
    assert first_trip(with_one_axis(moved_out(scene, far), axis)) == NEVER
    # The outermost sample is half of a pixel of 150 inside the corner.
    assert first_trip(with_one_axis(moved_out(scene, 0.99 * far), axis)) != NEVER


def test_a_curved_panel_is_always_searched(tmp_path: Path) -> None:
    assert may_trip(scene_of(f"{FLAT} -distance 10000 -curved_det", tmp_path))
