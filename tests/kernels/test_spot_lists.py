"""Spots as a GPU lists, sorts and draws them, compiled for the processor, against the lists of the processor."""

from __future__ import annotations

from pathlib import Path

import gpu_images
import numpy as np
import pytest
from agreement import judge
from scenes import scene_of

from nbnumba.kernels.cpu import spot_driver
from nbnumba.kernels.cpu import spots as cpu_spots
from nbnumba.kernels.cpu.spot_panels import spots_of
from nbnumba.kernels.spot_lists import HKL, PAIR

pytestmark = pytest.mark.twins

GATES = {False: "cuda", True: "cuda-mixed"}
BASE = (
    "-mat lyso.mat -hkl lyso.hkl -lambda 1.0 -distance 100 -pixel 0.8 -detpixels_x 70 -detpixels_y 40 -N 8 "
    "-oversample 1 -mosaic 1 -mosaic_domains 3 "
)
THICK = "-detector_abs 300 -detector_thick 450 -detector_thicksteps 2 -oversample 2 "
SOURCES = "-dispersion 3 -dispsteps 3 -hdivrange 5 -hdivsteps 2 "
CASES = {
    "one row": "-gauss_xtal",
    "sensor c": "-shape gauss_argchk -N 12 -semantics c " + THICK + SOURCES,
    "switches": "-shape gauss_star -N 9 -semantics exact -oversample_thick -oversample_polar -oversample_omega "
    + THICK + SOURCES,
    "weights": "-gauss_xtal -sourcefile two_sources.txt -semantics exact",
    "tophat": "-tophat_spots -N 4",
    "tophat_abc": "-shape tophat_abc -N 5 -dmin 2.5 " + SOURCES,
    "default F": "-shape gauss_abc -N 9 -hkl gaps.hkl -default_F 30 -nopolar -point_pixel",
    "region": "-shape gauss_abc -N 9 -roi 31 60 5 33",
    "water c": "-shape gauss_abc -N 9 -water 30 -fluence 1e20 -semantics c " + SOURCES,
    "water exact": "-shape gauss_abc -N 9 -water 30 -fluence 1e20 -semantics exact " + SOURCES,
    "closed form": "-shape gauss_abc -N 12 -spread continuous -dispersion 1 -dispsteps 9 " + THICK,
    "curved c": "-shape gauss_abc -N 9 -curved_det -semantics c " + THICK,
    "curved": "-shape gauss_abc -N 12 -curved_det -semantics exact -spread continuous " + THICK,
    "closed form of channels": "-shape gauss_abc -N 9 -spread continuous -sourcefile two_sources.txt",
}  # fmt: skip


@pytest.mark.parametrize("name", list(CASES))
def test_same_picture(name: str, tmp_path: Path) -> None:
    scene = scene_of(BASE + CASES[name], tmp_path)
    plan = spot_driver.forced_plan(scene)
    assert plan is not None
    expected = spot_driver.render(scene, plan, 2, None, None)
    assert expected.image.any(), "a picture that shows nothing proves nothing"
    for mixed, gate in GATES.items():
        ours, solid_angle, spots = gpu_images.render_spots(scene, plan, mixed)
        verdict = judge(expected.image, ours, gate)
        assert verdict.passed, verdict.reason
        # Sums of the same numbers in another order.
        assert solid_angle == pytest.approx(expected.solid_angle, rel=1e-12)
        assert len(spots) == expected.spots


def test_tiles_units_and_blocks_do_not_show(tmp_path: Path) -> None:
    scene = scene_of(BASE + CASES["water c"], tmp_path)
    plan = spot_driver.forced_plan(scene)
    assert plan is not None
    whole, _, spots = gpu_images.render_spots(scene, plan, mixed=False)
    for rows, columns, units in ((1, 1, 1), (40, 70, 64), (3, 16, 2)):
        assert np.array_equal(whole, gpu_images.render_spots(scene, plan, False, rows, columns, units)[0])
    blocks, _, last = gpu_images.render_spots(scene, plan._replace(block=2), mixed=False)
    assert 0 < len(last) < len(spots)
    verdict = judge(whole, blocks)
    assert verdict.passed, verdict.reason


def test_the_list_is_that_of_the_processor(tmp_path: Path) -> None:
    scene = scene_of(BASE + CASES["default F"], tmp_path)
    plan = spot_driver.forced_plan(scene)
    assert plan is not None
    spots = gpu_images.render_spots(scene, plan, mixed=False)[2]
    listed, _ = spots_of(scene, plan.geometry, 0, plan.pairs)
    assert np.array_equal(spots[:, PAIR], listed[:, cpu_spots.PAIR])
    # v of a reflection is h a* + k b* + l c* + k0 i.
    cells = scene.orientations[spots[:, PAIR].astype(int)].reshape(-1, 3, 3)
    q = listed[:, :3] - scene.sources[0, :3] * scene.sources[0, 3]
    np.testing.assert_allclose(np.einsum("nij,nj->ni", cells, q), spots[:, HKL : HKL + 3], atol=1e-9)
