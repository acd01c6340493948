"""What a Scene leaves out is not in the image, what its panels share is held once, and orientations have weights."""

from __future__ import annotations

import contextlib
import dataclasses
import tracemalloc
from pathlib import Path

import goldens
import gpu_images
import numpy as np
import pytest
from agreement import judge
from scenes import scene_of

from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene, build_scenes
from nbnumba.kernels import render
from nbnumba.kernels.scene import Scene
from nbnumba.parameters.parser import parse

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
    ours, whole = render(scene, "cpu", 1), render(scene.replace(reach=np.inf), "cpu", 1)
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


def experiment_of(line: str, folder: Path) -> Experiment:
    goldens.copy_inputs(folder)
    with contextlib.chdir(folder):
        return resolve(parse([*line.split(), "-nodump"]).settings)


DOMAINS = "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 100 -detpixels 40 -pixel 2 -N 7 -mosaic 3 -mosaic_domains 2"
FACTORS = (
    "-detector_thick 400 -detector_abs 300 -detector_thicksteps 2 -oversample_thick -oversample_polar -oversample_omega"
)


@pytest.mark.parametrize(
    "more",
    [
        "-semantics exact",
        f"-semantics exact -phi 2 -osc 3 -phisteps 2 -dmin 2 {FACTORS}",
        f"-semantics c {FACTORS}",
        "-semantics exact -gauss_xtal -fudge 0.001",
        "-semantics exact -round_xtal -dispersion 3 -dispsteps 2",
    ],
)
def test_weights_of_mosaic_domains(more: str, tmp_path: Path) -> None:
    """Weights 1 and 3 draw what four domains do of which the last three are the same, on all back ends."""
    experiment = experiment_of(f"{DOMAINS} -oversample 1 {more}", tmp_path)
    crystal = experiment.crystal
    repeated = dataclasses.replace(crystal, mosaic_rotations=crystal.mosaic_rotations[[0, 1, 1, 1]])
    weighted = dataclasses.replace(crystal, domain_weights=np.array([0.5, 1.5]))
    scene = build_scene(dataclasses.replace(experiment, crystals=(weighted,)))
    assert not scene.plain
    if scene.compound:  # one factor after each term cannot be told apart from three
        heavy = dataclasses.replace(crystal, domain_weights=np.array([2.5, 2.5]))
        expected = render(build_scene(experiment), "cpu").image
        ours = render(build_scene(dataclasses.replace(experiment, crystals=(heavy,))), "cpu").image
        # The terms are 2.5 times as large, and so is what divides them: float32 rounding is left.
        np.testing.assert_allclose(ours, expected, rtol=1e-6)
        return
    expected = render(build_scene(dataclasses.replace(experiment, crystals=(repeated,))), "cpu").image
    assert expected.any()
    verdict = judge(expected, render(scene, "cpu").image)
    assert verdict.passed, verdict.reason
    assert judge(expected, gpu_images.render(scene, mixed=False), "cuda").passed
    assert judge(expected, gpu_images.render(scene, mixed=True), "cuda-mixed").passed


def test_panels_share_what_does_not_depend_on_them(tmp_path: Path) -> None:
    """64 panels take the memory of one: the orientations of 20 000 domains are 1.4 MB."""
    line = "-cell 50 60 70 80 90 100 -default_F 10 -lambda 1 -distance 100 -detpixels 8 -mosaic 1 -mosaic_domains 20000"
    one = experiment_of(line, tmp_path)
    panels = one.detector.panels * 64
    many = dataclasses.replace(one, detector=dataclasses.replace(one.detector, panels=panels))
    sizes = [_peak_bytes(one), _peak_bytes(many)]
    assert sizes[1] < sizes[0] + 500_000  # 64 records of a kilobyte, and what Python needs for them
    scenes = build_scenes(many)
    assert len(scenes) == 64
    for name in ("sources", "orientations", "weights", "flat"):
        assert all(np.shares_memory(getattr(scene, name), getattr(scenes[0], name)) for scene in scenes)


def _peak_bytes(experiment: Experiment) -> int:
    tracemalloc.start()
    scenes = build_scenes(experiment)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert scenes
    return peak


def test_a_scene_has_all_fields_and_no_others(tmp_path: Path) -> None:
    scene = scene_of(f"{SPOTS} -oversample 1", tmp_path)
    numbers = {name: getattr(scene, name) for name in scene.numbers.dtype.names}
    arrays = {name: getattr(scene, name) for name in ("mask", "sources", "orientations", "weights", "flat")}
    again = Scene.of(**arrays, **numbers)
    assert all(np.array_equal(getattr(again, name), value) for name, value in numbers.items())
    with pytest.raises(TypeError, match="missing or unknown: color"):
        Scene.of(**arrays, **numbers, color=1)
    del numbers["fudge"]
    with pytest.raises(TypeError, match="missing or unknown: fudge"):
        Scene.of(**arrays, **numbers)
    with pytest.raises(AttributeError, match="color"):
        _ = scene.color
    changed = scene.replace(fudge=2.5, weights=scene.weights * 2.0)
    assert (changed.fudge, scene.fudge) == (2.5, 1.0)
    assert changed.weights[0] == 2.0 * scene.weights[0]
