"""Strips beyond all reflections, which are left out without asking their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenes import scene_of

from nbnumba import kernels
from nbnumba.kernels.scene import Scene

# Reflections end at 4 to 8 A, in the middle of the detector.
LINE = "-mat triclinic.mat -hkl triclinic.hkl -lambda 1.2 -distance 100 -nointerpolate -N 5 -nonoise"
UNTOUCHED = np.float32(7.0)


def drawn_twice(scene: Scene) -> tuple[float, float, int]:
    """Compare an image with that of a scene whose mask, of which no pixel is 0, has every pixel asked.

    Returns
    -------
    (float, float, int)
        Solid angles of the image and of the other one; pixels that were left out.
    """
    image = np.full((scene.n_slow, scene.n_fast), UNTOUCHED)
    ours = kernels.render_panels([scene], "cpu", 1, images=[image])[0]
    everywhere = scene.replace(mask=np.ones((scene.n_slow, scene.n_fast), dtype=np.uint8))
    other = kernels.render(everywhere, "cpu", 1)
    left_out = image == UNTOUCHED
    assert (other.image[left_out].view(np.uint32) == 0).all()  # not -0.0 either
    np.testing.assert_array_equal(image[~left_out].view(np.uint32), other.image[~left_out].view(np.uint32))
    assert ours.evaluated_steps == other.evaluated_steps
    return ours.solid_angle, other.solid_angle, int(np.count_nonzero(left_out))


@pytest.mark.parametrize(
    ("more", "share"),
    [
        ("-pixel 0.2 -detpixels 1200", 0.3),
        ("-pixel 0.2 -detpixels_f 1101 -detpixels_s 300 -oversample 3 -Xbeam 3 -Ybeam 30", 0.2),
        ("-pixel 0.2 -detpixels_f 900 -detpixels_s 300 -round_xtal -polar 0.7", 0.2),
        ("-pixel 0.5 -detpixels 300 -point_pixel -distance 80", 0.02),
        ("-pixel 0.2 -detpixels 600 -detector_rotx 20 -detector_roty -35 -twotheta 15 -misset 10 20 30", 0.1),
        ("-pixel 0.2 -detpixels 700 -detector_thick 450 -detector_abs 300 -detector_thicksteps 3 -oversample 2", 0.2),
        ("-pixel 0.2 -detpixels 700 -dispersion 3 -dispsteps 2 -hdivrange 5 -hdivsteps 2", 0.1),
        ("-pixel 0.2 -detpixels 700 -mosaic 1 -mosaic_domains 3", 0.2),
        ("-pixel 0.2 -detpixels_f 4 -detpixels_s 900 -oversample 2 -Xbeam 10 -Ybeam 10", 0.2),
        ("-pixel 0.2 -detpixels_f 133 -detpixels_s 900 -oversample 2 -Xbeam 10 -Ybeam 10", 0.2),
        ("-pixel 0.2 -detpixels 700 -phi 10 -osc 5 -phisteps 3 -dmin 5", 0.2),
        ("-pixel 0.2 -detpixels 1200 -roi 100 1190 3 1150", 0.2),
    ],
)  # fmt: skip
def test_a_strip_that_is_left_out_is_0(more: str, share: float, tmp_path: Path) -> None:
    scene = scene_of(f"{LINE} {more}", tmp_path)
    solid_angle, expected, left_out = drawn_twice(scene)
    # Four places for a part of a strip: 2e-14 of its solid angle, and the order of the sums.
    assert solid_angle == pytest.approx(expected, rel=1e-13)
    rows, columns = scene.region_shape
    assert left_out - (scene.n_slow * scene.n_fast - rows * columns) > share * rows * columns


@pytest.mark.parametrize(
    "more",
    [
        "-water 50",
        "-water 50 -semantics exact",
        "-oversample_omega -oversample 2",
        "-oversample_thick -detector_thick 450 -detector_abs 300 -detector_thicksteps 3",
        "-default_F 1",
        "-curved_det",
        "-distance 5",
    ],
)
def test_where_strips_are_asked(more: str, tmp_path: Path) -> None:
    """Where every pixel has a value, a factor of its own, or a direction of which the middle says too little."""
    scene = scene_of(f"{LINE} -pixel 0.5 -detpixels 200 {more}", tmp_path)
    solid_angle, expected, left_out = drawn_twice(scene)
    assert left_out == 0
    assert solid_angle == expected
