"""What a Scene leaves out is not in the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenes import scene_of

from nbnumba.kernels import render

# A few spots, and between them pixels that fade through all of float32 to nothing.
SPOTS = "-cell 30 31 33 85 95 100 -misset 10 20 30 -default_F 40 -lambda 1 -distance 60 -pixel 0.4 -detpixels 60 -N 7"


@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize(
    "more",
    [
        "-gauss_xtal",
        "-gauss_xtal -fudge 3 -default_F 1e6 -fluence 1e30",
        "-gauss_xtal -fudge 0.3 -default_F 1e-3 -fluence 1e16",
        "-gauss_xtal -mosaic 1 -mosaic_domains 5 -phi 3 -osc 1 -phisteps 3 -oversample 2 -divergence 2 -divsteps 2",
        "-gauss_xtal -detector_thick 300 -detector_abs 200 -detector_thicksteps 3 -dmin 3",
        "-gauss_xtal -point_pixel",
        "-gauss_xtal -point_pixel -curved_det",
        "-gauss_xtal -detector_rotx 40 -detector_roty 30",
        "-gauss_xtal -mat triclinic.mat -hkl triclinic.hkl -interpolate",
        "-gauss_xtal -mat triclinic.mat -hkl triclinic.hkl -sourcefile spectrum.txt",
        "-tophat_spots -N 4",
        "-tophat_spots -N 3 -fudge 2.7 -mosaic 1 -mosaic_domains 5",
    ],
)
def test_spots_out_of_reach_leave_no_trace(more: str, semantics: str, tmp_path: Path) -> None:
    scene = scene_of(f"{SPOTS} -oversample 1 {more} -semantics {semantics}", tmp_path)
    assert 0.0 < scene.reach < np.inf
    ours, whole = render(scene, "cpu", 1), render(scene._replace(reach=np.inf), "cpu", 1)
    assert ours.evaluated_steps < whole.evaluated_steps
    assert ours.image.max() > 0.0
    np.testing.assert_array_equal(ours.image, whole.image)
    if "gauss" in more:  # the reach ends where the last pixel fades
        faint = ours.image[ours.image > 0.0].min()
        assert faint < 1e-43, faint


def test_the_reach_of_the_brightest_spots(tmp_path: Path) -> None:
    scene = scene_of(
        f"{SPOTS} -gauss_xtal -oversample 1 -default_F 1e50 -fluence 1e50 -distance 1e-40 -Na 1000000", tmp_path
    )
    # 0.63 ln(sqrt(brightness / 1e-47)), of a brightness near 1e250
    assert 150.0 < scene.reach < 300.0
