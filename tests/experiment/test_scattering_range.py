"""Where |q| alone tells that there is no structure factor: images stay the same to the bit, and the bound is close."""

from __future__ import annotations

import contextlib
from pathlib import Path
from random import Random
from typing import Any

import goldens
import gpu_images
import numpy as np
import pytest
import random_commands
from scenes import scene_of

import nbnumba
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scattering_range import EVERYTHING
from nbnumba.experiment.scene import build_scene
from nbnumba.gradients.tangents import Slopes
from nbnumba.kernels import render
from nbnumba.kernels.gradient import driver
from nbnumba.kernels.gradient.tangents import no_tangents
from nbnumba.kernels.scene import Array, Scene
from nbnumba.parameters.parser import parse
from nbnumba.structure_factors.extent import extent_of
from nbnumba.structure_factors.table import ReflectionTable

# Reflections of triclinic.hkl end well inside the image.
TRICLINIC = "-mat triclinic.mat -hkl triclinic.hkl -lambda 1.2 -distance 40 -pixel 0.4 -detpixels 150 -N 6 -nopolar"


def unbounded(scene: Scene) -> Scene:
    return scene.replace(**EVERYTHING.numbers(scene.sources))


def assert_same(scene: Scene) -> None:
    ours, whole = render(scene, "cpu", 2), render(unbounded(scene), "cpu", 2)
    np.testing.assert_array_equal(ours.image.view(np.uint32), whole.image.view(np.uint32))
    # Four places for a part of a dark strip: 2e-14 of its solid angle, and the order of the sums.
    assert ours.solid_angle == pytest.approx(whole.solid_angle, rel=1e-13)
    assert ours._replace(image=whole.image, solid_angle=whole.solid_angle) == whole


@pytest.mark.parametrize("seed", range(5))
def test_random_images_are_the_same(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    random_commands.prepare_folder(tmp_path)
    bounded = 0
    for number in range(16):
        semantics = ("-semantics", ("c", "exact")[number % 2])
        with contextlib.chdir(tmp_path):
            scene = build_scene(
                resolve(parse([*random_commands.random_command(random), *semantics, "-nodump"]).settings)
            )
        bounded += scene.q_most_squared < np.inf
        assert_same(scene)
    assert bounded > 2


@pytest.mark.parametrize(
    "more",
    [
        "-oversample 5",
        "-oversample 3 -polar 0.5 -nointerpolate",
        "-oversample 2 -detector_thick 300 -detector_abs 200 -detector_thicksteps 3 -semantics exact",
        "-oversample 2 -detector_thick 300 -detector_abs 0 -detector_thicksteps 3",
        "-oversample 1 -round_xtal -mosaic 3 -mosaic_domains 7",
        "-oversample 1 -dispersion 40 -dispsteps 5 -divergence 40 -divsteps 3",
        "-oversample 2 -water 10 -semantics exact",
        "-oversample 2 -water 10",
        "-oversample 2 -dmin 2",
        "-oversample 1 -curved_det",
        "-oversample 2 -point_pixel -detector_rotx 30 -twotheta 20",
        "-oversample 1 -interpolate -semantics exact",
        "-oversample 1 -mosaic_domains 20 -lattice_spread_percent 4 -semantics exact",
        "-oversample 2 -B_factor 30",
        "-oversample 1 -phi 0 -osc 300 -phisteps 7",
        "-oversample 2 -lambda 4",  # the reflections reach beyond the image
        "-oversample 1 -default_F 3",
        "-oversample 2 -oversample_omega",
        "-oversample 2 -oversample_omega -oversample_polar -semantics exact",
    ],
)
def test_an_image_is_the_same(more: str, tmp_path: Path) -> None:
    words = TRICLINIC if "-polar" not in more and "_polar" not in more else TRICLINIC.replace("-nopolar", "")
    scene = scene_of(f"{words} {more}", tmp_path)
    compounds = "omega" in more and "exact" not in more
    assert (scene.q_most_squared < np.inf) == ("-default_F" not in more and not compounds)
    assert_same(scene)


def test_most_of_an_image_is_left_out(tmp_path: Path) -> None:
    scene = scene_of(f"{TRICLINIC} -oversample 1", tmp_path)
    image = render(scene, "cpu", 1).image
    # Nothing but |q| matters: were all structure factors 1 in there, the image would end at the same place.
    filled = scene.replace(flat=np.ones_like(scene.flat))
    disc = render(filled, "cpu", 1).image > 0.0
    assert 0.05 < disc.mean() < 0.6
    assert not image[~disc].any()


@pytest.mark.parametrize(
    "options",
    [
        {"shape": "square", "mosaic_spread_deg": 1.0, "mosaic_domains": 3},
        {"shape": "round", "dispersion_percent": 6.0, "dispsteps": 3, "water_um": 10},
        {"interpolate": True, "oversample": 2, "thickness_um": 300, "attenuation_depth_um": 200, "thicksteps": 2},
        {"shape": "gauss", "mosaic_spread_deg": 0.5, "mosaic_domains": 2},
    ],
)
def test_derivatives_are_the_same(options: dict[str, Any], tmp_path: Path) -> None:
    files = {"hkl": goldens.INPUTS / "triclinic.hkl", "matrix": goldens.INPUTS / "triclinic.mat"}
    setting = {**files, "wavelength_A": 1.2, "distance_mm": 40, "pixel_mm": 0.3, "N": 6}
    experiment = nbnumba.Experiment(**{**setting, "detpixels": (301, 50), "oversample": 1, **options})
    parameters = experiment.parameters("cell", "misset", "distance", "wavelength", "polarization", "scale")
    slopes = Slopes(parameters, parameters.values)
    scene, tangents = slopes.scenes[0][0], slopes.tangents()[0][0]
    assert scene.q_most_squared < np.inf
    weights = np.random.default_rng(5).normal(size=scene.region_shape)
    found = []
    for one in (scene, unbounded(scene)):
        bands: dict[int, tuple[Array, Array]] = {}
        driver.run(
            [driver.prepared(one, tangents, 2)],
            2,
            lambda first, image, change, bands=bands: bands.update({first: (image.copy(), change.copy())}),
        )
        table = driver.table_gradient(driver.prepared(one, no_tangents(one, slopes.form(0, one)), 2), weights, 2)
        image, change = (
            np.concatenate(part, axis=-2) for part in zip(*(bands[key] for key in sorted(bands)), strict=True)
        )
        found.append((image, change, table))
    for ours, whole in zip(*found, strict=True):
        np.testing.assert_array_equal(ours.view(np.uint64), whole.view(np.uint64))
    image, change, table = found[0]
    assert table.any()
    assert all(slope.any() for slope in change)


def test_a_gpu_leaves_out_the_same(tmp_path: Path) -> None:
    scene = scene_of(f"{TRICLINIC} -oversample 1 -detpixels 100", tmp_path)
    for mixed in (False, True):
        image = gpu_images.render(scene, mixed)
        assert image.any()
        np.testing.assert_array_equal(image, gpu_images.render(unbounded(scene), mixed))
    filled = scene.replace(flat=np.ones_like(scene.flat))
    assert 0.05 < (gpu_images.render(filled, False) > 0.0).mean() < 0.6


def cell_of(seed: int) -> Array:
    """Rows a, b, c of a skewed cell."""
    random = np.random.default_rng(seed)
    cell: Array = np.diag(random.uniform(20.0, 80.0, 3)) + random.uniform(-8.0, 8.0, (3, 3))
    return cell


@pytest.mark.parametrize("seed", range(8))
def test_extent_of_a_table(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.where(random.random((13, 11, 17)) < (0.3, 0.02)[seed % 2], random.random((13, 11, 17)), 0.0)
    minima = tuple(int(i) for i in random.integers((-9, -14, -20), (3, 2, 6)))
    reciprocal = np.linalg.inv(cell_of(seed)).T
    lengths = np.linalg.norm((np.argwhere(values) + minima) @ reciprocal, axis=1)
    least, most = extent_of(values, minima).distances(reciprocal)
    assert most == pytest.approx(lengths.max(), rel=1e-13)  # rounding of two orders of the same sum
    # Exact where it is asked for among the near ones, else a lower bound.
    assert 0.25 * lengths.min() <= least <= lengths.min() * (1.0 + 1e-13)


def test_extent_of_an_empty_table() -> None:
    assert extent_of(np.zeros((3, 4, 5)), (-1, -2, -3)).distances(np.eye(3)) == (np.inf, 0.0)
    assert extent_of(np.ones((1, 1, 1)), (0, 0, 0)).distances(np.eye(3)) == (0.0, 0.0)
    table = ReflectionTable(np.pad(np.ones((1, 1, 1)), 1), 3, 0, -4, 1)
    assert table.extent.distances(np.eye(3)) == (5.0, 5.0)
    assert table.extent is table.extent


@pytest.mark.parametrize("more", ["", "-lattice_spread_percent 4 -mosaic 20 -mosaic_domains 30", "-interpolate"])
def test_no_sample_beyond_the_bound_has_a_structure_factor(more: str, tmp_path: Path) -> None:
    scene = scene_of(f"{TRICLINIC} -oversample 1 -semantics exact {more}", tmp_path)
    random = np.random.default_rng(1)
    directions = random.normal(size=(20_000, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    most = np.sqrt(scene.q_most_squared)
    lengths = most * random.uniform(0.5, 1.3, 20_000)
    cells = scene.orientations.reshape(-1, 3, 3)[random.integers(0, len(scene.orientations), 20_000)]
    h = np.einsum("nij,nj->ni", cells, directions * lengths[:, None])
    reach = 1.5 if scene.interpolate else 0.0  # neighbors of the nearest reflection that the look-up may take
    found = np.zeros(len(h), dtype=bool)
    for offset in np.ndindex(*(3 if reach else 1,) * 3):
        place = np.ceil(h - 0.5) + (np.array(offset) - 1.0 if reach else 0.0)
        place = (place - (scene.h_min - 1, scene.k_min - 1, scene.l_min - 1)).astype(int)
        found |= scene.table[tuple(np.clip(place, 0, np.array(scene.table.shape) - 1).T)] != 0.0
    assert not found[lengths > most].any()
    assert lengths[found].max() > (0.7 if more else 0.85) * most, "a bound that is far off leaves nothing out"
