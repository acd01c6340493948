"""The background sum: against simtbx's images, closed forms, and itself in its two forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import oracles
import pytest
from background_scenes import PLAIN, oracle_material, oracle_scene
from requirements import requires
from scenes import scene_of

from nbnumba.background import tables
from nbnumba.background.material import Material, check_range, monotone_points, padded_points
from nbnumba.constants import R_E_SQUARED
from nbnumba.errors import InputError
from nbnumba.kernels.background import curve, driver, pieces
from nbnumba.kernels.background.bodies import Points, Scatterer
from nbnumba.kernels.background.extent import sine_range
from nbnumba.kernels.scene import Scene


def drawn(scene: Scene, points: Points, photons: float, *, lagrange: bool = False, direct: bool = False):
    image = np.zeros((scene.n_slow, scene.n_fast))
    driver.add(scene, [Scatterer(points, photons, lagrange)], image, 2, direct=direct)
    return image


@requires("oracles")
@pytest.mark.parametrize("name", [n for n in oracles.names("background") if n != "waterfull"])
def test_simtbx_image_with_its_interpolation(name: str, tmp_path: Path) -> None:
    params, arrays = oracles.load("background", name)
    material, photons = oracle_material(params)
    scene, points, top = oracle_scene(params, tmp_path), padded_points(material.points), arrays["raw_pixels"].max()
    image = drawn(scene, points, photons, lagrange=True, direct=True)
    # Rounding of a sum of up to 45 terms, and of differences of neighboring stol in the interpolation.
    np.testing.assert_allclose(image, arrays["raw_pixels"], rtol=1e-11, atol=1e-12 * top)
    # Angles are expanded to 1e-11; the steepest curve, ice, magnifies that.
    fast = drawn(scene, points, photons, lagrange=True)
    np.testing.assert_allclose(fast, image, rtol=2e-9, atol=1e-12 * top)


@requires("oracles")
@pytest.mark.parametrize("name", ["water14_sensor", "water14_over3", "water14_polar09", "water14_nopolar"])
def test_flat_curve_equals_simtbx_whatever_interpolates(name: str, tmp_path: Path) -> None:
    params, _ = oracles.load("background", name)
    scene = oracle_scene(params, tmp_path)
    flat = np.array([[0.0, 3.0], [0.1, 3.0], [0.4, 3.0], [2.0, 3.0]])
    exact = drawn(scene, monotone_points(flat), 1e20, direct=True)
    as_c = drawn(scene, padded_points(flat), 1e20, lagrange=True)
    np.testing.assert_allclose(exact, as_c, rtol=1e-12)


def test_flat_curve_at_normal_incidence_is_a_closed_form(tmp_path: Path) -> None:
    scene = scene_of(PLAIN + " -nopolar -semantics exact", tmp_path).replace(oversample=1)
    points = monotone_points(np.array([[0.0, 5.0], [1.0, 5.0]]))
    image = drawn(scene, points, R_E_SQUARED * 1e30)
    center = (np.arange(32) + 0.5) * 1e-4
    place = scene.origin + center[None, :, None] * scene.fast + center[:, None, None] * scene.slow
    radius = np.linalg.norm(place, axis=-1)
    omega = 1e-8 * scene.close_distance / radius**3
    np.testing.assert_allclose(image, R_E_SQUARED * 1e30 * 25.0 * omega, rtol=1e-12)  # rounding


@pytest.mark.parametrize("name", ["water", "air", "icerings"])
@pytest.mark.parametrize(
    "extra",
    ["", "-detpixels 250 -pixel 0.4 -polar 0.9 -dispersion 2 -dispsteps 9",
     "-oversample 3", "-dispersion 3 -dispsteps 7", "-oversample 2 -detector_thick 0.4 -detector_abs 0.3"
     " -detector_thicksteps 3 -hdivrange 4 -hdivsteps 3 -detector_rotx 12"],
)  # fmt: skip
def test_fast_form_equals_the_whole_sum(name: str, extra: str, tmp_path: Path) -> None:
    line = f"-cell 78 78 38 90 90 90 -N 5 -default_F 1 -detpixels 96 -pixel 1 -distance 80 -lambda 1 {extra}"
    scene = scene_of(line + " -semantics exact", tmp_path)
    points = monotone_points(tables.load(name, "").points)
    fast, whole = drawn(scene, points, 1e20), drawn(scene, points, 1e20, direct=True)
    np.testing.assert_allclose(fast, whole, rtol=1e-6)  # what the fast form promises


@pytest.mark.parametrize(
    "extra",
    ["", "-dispersion 2 -dispsteps 3 -hdivrange 4 -hdivsteps 3 -detector_rotx 12",
     "-oversample 2 -detector_thick 0.4 -detector_abs 0.3 -detector_thicksteps 3 -dispersion 3 -dispsteps 7"],
)  # fmt: skip
def test_fast_form_of_nonbraggs_interpolation_equals_the_whole_sum(extra: str, tmp_path: Path) -> None:
    line = f"-cell 78 78 38 90 90 90 -N 5 -default_F 1 -detpixels 150 -pixel 0.7 -distance 80 -lambda 1 {extra}"
    scene = scene_of(line, tmp_path)
    # F changes its sign twice, also between two points that are above 0, and the image reaches beyond the last point.
    table = np.array([[0.02, 3.0], [0.05, 0.2], [0.06, 0.2], [0.1, 6.0], [0.15, -4.0], [0.2, 2.0], [0.3, 1.0]])
    fast, whole = (
        drawn(scene, padded_points(table), 1e20, lagrange=True, direct=direct) for direct in (False, True)
    )  # fmt: skip
    assert whole.min() < 0.0 < whole.max()
    # A hundredth of the gate; next to nothing where the sum of several wavelengths crosses 0.
    np.testing.assert_allclose(fast, whole, rtol=2.5e-9, atol=1e-11 * whole.max())


@pytest.mark.parametrize("extra", ["", "-oversample 2", "-detector_rotx 70", "-hdivrange 4 -hdivsteps 2"])
def test_few_breaks_of_monotone_cubics_are_kept_as_they_are(extra: str, tmp_path: Path) -> None:
    line = f"-cell 78 78 38 90 90 90 -N 5 -default_F 1 -detpixels 300 -pixel 0.3 -distance 80 -lambda 1 {extra}"
    scene = scene_of(line + " -semantics exact", tmp_path)
    # Flat before the first point and behind the last, which the image goes beyond, and through 0 on its way.
    points = monotone_points(np.array([[0.02, 3.0], [0.05, 0.2], [0.06, 0.2], [0.1, 6.0], [0.15, -4.0], [0.2, 2.0]]))
    assert [term.kind for term in driver.terms(scene, [Scatterer(points, 1e20)])] == [curve.PIECES]
    fast, whole = drawn(scene, points, 1e20), drawn(scene, points, 1e20, direct=True)
    assert whole.min() < 0.0 < whole.max()
    # What the fast form promises; next to nothing where the sum of several samples crosses 0.
    np.testing.assert_allclose(fast, whole, rtol=1e-6, atol=1e-9 * whole.max())


def test_two_points_at_one_stol_are_summed_as_they_are(tmp_path: Path) -> None:
    table = padded_points(np.array([[0.0, 3.0], [0.1, 2.0], [0.1, 4.0], [0.2, 2.0]]))
    assert pieces.lagrange_cubics(table, 1e10) is None
    scene = scene_of(PLAIN, tmp_path)
    fast, whole = (drawn(scene, table, 1e20, lagrange=True, direct=direct) for direct in (False, True))
    np.testing.assert_array_equal(fast, whole)


def test_region_and_mask(tmp_path: Path) -> None:
    scene = scene_of(PLAIN + " -oversample 2", tmp_path)
    points = monotone_points(tables.load("water", "").points)
    whole = drawn(scene, points, 1e20)
    part = drawn(scene.replace(fast_first=3, fast_last=20, slow_first=5, slow_last=30), points, 1e20, direct=True)
    np.testing.assert_allclose(part[5:31, 3:21], whole[5:31, 3:21], rtol=1e-6)  # tiles are cut otherwise
    assert np.count_nonzero(part) == 26 * 18
    mask = np.ones((32, 32), dtype=np.uint8)
    mask[4, 7] = 0
    masked = drawn(scene.replace(mask=mask), points, 1e20)
    assert masked[4, 7] == 0.0
    assert np.count_nonzero(masked) == 32 * 32 - 1


def test_weights_are_normalized_by_their_sum(tmp_path: Path) -> None:
    scene = scene_of(PLAIN, tmp_path)
    points = monotone_points(tables.load("water", "").points)
    one = drawn(scene, points, 1e20)
    two = np.repeat(scene.sources, 2, axis=0)
    two[:, 4] = (1.0, 3.0)
    np.testing.assert_allclose(drawn(scene.replace(sources=two), points, 1e20 / 4.0), one, rtol=1e-6)


@pytest.mark.parametrize("semantics", ["c", "exact"])
def test_the_range_of_a_curved_detector(semantics: str, tmp_path: Path) -> None:
    line = f"{PLAIN} -curved_det -distance 40 -detpixels 32 -pixel 1.5 -Xbeam 20 -Ybeam 15 -semantics {semantics}"
    scene = scene_of(line, tmp_path)
    line_of_F = Points(np.array([0.0, 1e12]), np.array([0.0, 1e12]), np.ones(2))
    sines = driver.structure_factors(scene, line_of_F, lagrange=False) * 1e-10  # stol at 1 A
    lowest, highest = sine_range(scene)
    # Centers of pixels lie within the edges, by half a pixel of 1.5 mm at 40 mm.
    assert lowest == 0.0
    assert sines.max() < highest < sines.max() + 0.02


def test_a_table_that_does_not_reach_names_both_ranges(tmp_path: Path) -> None:
    scene = scene_of(PLAIN, tmp_path)
    short = Material("short.stol", 1e-3, 1.0, 18.0, np.array([[0.1, 4.0], [0.2, 3.0]]))
    with pytest.raises(
        InputError, match=r"-background short.stol: the table covers stol 0.1 to 0.2 1/A; the image needs 0 "
    ):
        check_range(short, [scene])
