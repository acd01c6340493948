"""Spots drawn from lists against the kernel that asks every pixel."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from random import Random

import numpy as np
import pytest
from agreement import judge
from random_commands import prepare_folder, random_command
from scenes import scene_of
from scipy.spatial.transform import Rotation

from nbnumba import errors
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scenes
from nbnumba.kernels.cpu import driver, spot_driver
from nbnumba.kernels.scene import GAUSS, TOPHAT, Scene
from nbnumba.parameters.parser import parse

# Neighboring spots overlap or touch; 40 x 36 pixels.
BASE = (
    "-mat lyso.mat -hkl lyso.hkl -lambda 1.0 -distance 100 -pixel 0.8 -detpixels_x 130 -detpixels_y 70 "
    "-N 8 -oversample 1"
)
CASES = {
    "one orientation": "",
    "tophat": "-tophat_spots -N 4 -mosaic 2 -mosaic_domains 10",
    "domains": "-mosaic 1 -mosaic_domains 9",
    "phi from zero": "-phi 0 -osc 2 -phisteps 4",
    "sub-pixels": "-oversample 3",
    "layers": "-detector_thick 900 -detector_abs 400 -detector_thicksteps 3 -oversample 2",
    "sources": "-dispersion 3 -dispsteps 4 -hdivrange 5 -vdivrange 3 -hdivsteps 2 -vdivsteps 2 -mosaic_domains 2",
    "weights": "-sourcefile spectrum.txt -mosaic 1 -mosaic_domains 3",
    "dmin": "-dmin 2.5 -dispersion 3 -dispsteps 3",
    "polarization": "-polar 0.8 -dispersion 3 -dispsteps 3",
    "tilted": "-detector_rotx 15 -detector_roty -25 -twotheta 20",
    "far off the axis": "-twotheta 75 -distance 60",
    "close": "-distance 20 -pixel 1",
    "behind": "-twotheta 180 -distance 60",
    "point pixels": "-point_pixel",
    "region": "-roi 31 97 5 60",
    "default F": "-hkl gaps.hkl -default_F 30",
    "no list": "-nodump -cell 40 50 60 80 95 100 -default_F 20 -N 12",
    "water": "-water 30 -fluence 1e20",
    "triclinic": "-mat triclinic.mat -hkl triclinic.hkl -Na 20 -Nb 9 -Nc 12 -misset 10 20 30",
}
CURVED = {
    "one orientation": "",
    "wide": "-distance 42 -mosaic 1 -mosaic_domains 5",
    "layers": "-detector_thick 900 -detector_abs 400 -detector_thicksteps 3 -oversample 2 -mosaic_domains 3",
    "tilted": "-detector_rotx 15 -detector_roty -25 -twotheta 20",
    "off the axis": "-twotheta 40 -distance 60 -dispersion 3 -dispsteps 3",
    "beam at a corner": "-Xbeam 5 -Ybeam 90 -mosaic 1 -mosaic_domains 5",
    "other convention": "-denzo -mosaic 1 -mosaic_domains 5",
    "region": "-roi 31 97 5 60 -tophat_spots",
}
SWITCHES = "-oversample_thick -oversample_polar -oversample_omega -detector_thick 500 -detector_abs 300 -oversample 2"


def by_lists(scene: Scene, threads: int = 2, most_spots: int = 1_500_000) -> tuple[np.ndarray, float]:
    """Draw a scene from lists of spots."""
    plan = spot_driver.forced_plan(scene, most_spots=most_spots)
    assert plan is not None
    rendered = spot_driver.render(scene, plan, threads, None, None)
    return rendered.image, rendered.solid_angle


def by_pixels(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, float]:
    """Draw a scene pixel by pixel."""
    with monkeypatch.context() as patch:
        patch.setattr(spot_driver, "plan_panels", lambda *arguments: [])
        rendered = driver.render(scene, 2, None, None)
    return rendered.image, rendered.solid_angle


def check(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    image, solid_angle = by_lists(scene)
    expected, expected_angle = by_pixels(scene, monkeypatch)
    assert expected.any(), "a picture that shows nothing proves nothing"
    verdict = judge(expected, image)
    assert verdict.passed, verdict.reason
    # Sums of the same numbers in another order.
    assert solid_angle == pytest.approx(expected_angle, rel=1e-12)


@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize("name", list(CASES))
def test_same_picture(name: str, semantics: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"{BASE} -gauss_xtal {CASES[name]} -semantics {semantics}"
    check(scene_of(line, tmp_path), monkeypatch)


@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize("name", list(CURVED))
def test_curved_detector(name: str, semantics: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_of(f"{BASE} -curved_det -gauss_xtal {CURVED[name]} -semantics {semantics}", tmp_path)
    check(scene, monkeypatch)


def test_curved_detectors_whose_places_are_not_told_apart(tmp_path: Path) -> None:
    """One that goes around the sample; and C's, with a convention in which both turns are by the same coordinate."""
    line = f"{BASE} -gauss_xtal -curved_det"
    for more in ("-distance 8 -semantics exact", "-fdet_vector 1 0 0 -sdet_vector 0 1 0 -semantics c"):
        assert spot_driver.forced_plan(scene_of(f"{line} {more}", tmp_path)) is None


@pytest.mark.parametrize("aspect", [0.3, 2.7])
def test_oblong_pixels(aspect: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spots small and large, beside pixels that are higher or wider."""
    for size in ("-N 7 -mosaic_domains 5", "-N 16 -mosaic_domains 60"):
        scene = scene_of(f"{BASE} -gauss_xtal {size} -mosaic 1 -semantics exact", tmp_path)
        check(scene.replace(pixel_slow=aspect * scene.pixel_fast), monkeypatch)
    curved = scene_of(f"{BASE} -gauss_xtal -N 9 -mosaic_domains 5 -mosaic 1 -curved_det -semantics exact", tmp_path)
    check(curved.replace(pixel_slow=aspect * curved.pixel_fast), monkeypatch)


def test_switches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In semantics c these switches rule lists out."""
    more = "-dispersion 3 -dispsteps 3 -water 20 -fluence 1e20 -mosaic 1 -mosaic_domains 3 -dmin 2"
    line = f"{BASE} -gauss_xtal {SWITCHES} {more}"
    check(scene_of(f"{line} -semantics exact", tmp_path), monkeypatch)
    assert spot_driver.forced_plan(scene_of(f"{line} -semantics c", tmp_path)) is None


@pytest.mark.parametrize("more", ["", "-oversample 2 -detector_thick 500 -detector_abs 300", "-dmin 3"])
def test_blocks_and_threads_do_not_show(more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"{BASE} -gauss_xtal -mosaic 1 -mosaic_domains 7 -dispersion 2 -dispsteps 5 {more} -semantics exact"
    scene = scene_of(line, tmp_path)
    whole = by_lists(scene, 1)[0]
    assert np.array_equal(whole, by_lists(scene, 2)[0])
    blocks = by_lists(scene, 2, most_spots=300)[0]
    assert np.array_equal(blocks, by_lists(scene, 1, most_spots=300)[0])
    verdict = judge(whole, blocks)
    assert verdict.passed, verdict.reason


def random_scenes(seed: int, folder: Path, count: int) -> list[Scene]:
    """Return scenes of random command lines of compact spots that lists can draw."""
    random, scenes = Random(seed), []
    prepare_folder(folder)
    while len(scenes) < count:
        shape = random.choice(("-gauss_xtal", "-tophat_spots"))
        semantics = ("-semantics", random.choice(("c", "exact")))
        words = [*random_command(random), shape, "-nointerpolate", *semantics, "-nodump"]
        with contextlib.chdir(folder), contextlib.suppress(errors.InputError):
            made = build_scenes(resolve(parse(words).settings))[0]
            made = made.replace(pixel_slow=random.choice((1.0, 1.0, 0.3, 2.7)) * made.pixel_slow)
            if spot_driver.forced_plan(made) is not None:
                scenes.append(made)
    return scenes


@pytest.mark.differential
def test_random_command_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    for scene in random_scenes(18, tmp_path, 60):
        image, _ = by_lists(scene)
        expected, _ = by_pixels(scene, monkeypatch)
        verdict = judge(expected, image)
        assert verdict.passed, verdict.reason
        if expected.any():
            seen.add(scene.shape)
    assert seen == {GAUSS, TOPHAT}


def test_progress_goes_up_to_the_end(tmp_path: Path) -> None:
    scene = scene_of(f"{BASE} -gauss_xtal -mosaic 1 -mosaic_domains 40 -dispersion 2 -dispsteps 5", tmp_path)
    plan = spot_driver.forced_plan(scene, most_spots=2000)
    assert plan is not None
    assert plan.block < plan.pairs
    seen: list[float] = []
    spot_driver.render(scene, plan, 2, seen.append, None)
    assert seen == sorted(seen)
    assert 0.0 <= seen[0] <= seen[-1] <= 1.0
    assert seen[-1] > 0.9


def test_lists_are_chosen_where_they_are_less_work(tmp_path: Path) -> None:
    """Large crystals have small spots; of small crystals every pixel sees one."""
    line = "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 200 -pixel 0.2 -detpixels 700 -oversample 1 -gauss_xtal"
    domains = "-mosaic 0.6 -mosaic_domains 10"
    few = scene_of(f"{line} -N 24 {domains}", tmp_path)
    assert spot_driver.plan(few) is not None
    assert driver.render(few, 2, None, None).spots > 0
    assert spot_driver.plan(scene_of(f"{line} -N 3 {domains}", tmp_path)) is None
    assert spot_driver.plan(scene_of(f"{line} -N 24 {domains} -curved_det", tmp_path)) is not None
    assert spot_driver.plan(scene_of(f"{line} -N 24 -detpixels 100", tmp_path)) is None


def test_many_small_panels_list_spots_as_one_large_panel_does(tmp_path: Path) -> None:
    """Of each panel alone there would be nothing to be gained."""
    line = "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 200 -pixel 0.2 -oversample 1 -gauss_xtal -N 24"
    whole = scene_of(f"{line} -mosaic 0.6 -mosaic_domains 10 -detpixels 640", tmp_path)
    parts = [
        whole.replace(
            n_slow=80, n_fast=80, slow_last=79, fast_last=79,
            origin=whole.origin + 80 * (i * whole.pixel_fast * whole.fast + j * whole.pixel_slow * whole.slow),
        )
        for j in range(8)
        for i in range(8)
    ]  # fmt: skip
    assert spot_driver.plan(parts[0]) is None
    drawn = driver.render_panels(parts, 2, None, None)
    assert sum(panel.spots for panel in drawn) > 0
    expected = driver.render(whole, 2, None, None).image
    images = np.array([panel.image for panel in drawn]).reshape(8, 8, 80, 80).transpose(0, 2, 1, 3).reshape(640, 640)
    # Pixels stand where they stood but for the rounding of the corners of panels, over the width of a spot.
    np.testing.assert_allclose(images, expected, rtol=1e-6, atol=1e-9 * expected.max())


@pytest.mark.parametrize("more", ["-gauss_xtal -mosaic 0.6 -mosaic_domains 4", "-shape gauss_abc -spread continuous"])
def test_panels_around_the_sample(more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spots that are listed for all panels at once, in some groups or one, are those of each panel alone."""
    line = f"-nodump -cell 20 25 30 80 95 100 -default_F 20 -lambda 1.5 -N 12 {more} -semantics exact -oversample 1"
    line += " -detector_thick 300 -detector_abs 400 -detector_thicksteps 2 -detpixels 60 -pixel 0.5 -distance 40"
    whole = scene_of(line, tmp_path)
    random = np.random.default_rng(4)
    panels = []
    for number, turn in enumerate(Rotation.random(24, random).as_matrix()):
        panel = whole.replace(**{name: turn @ getattr(whole, name) for name in ("origin", "fast", "slow", "normal")})
        aspect, dimmer = random.uniform(0.7, 1.3), 2.0 * (number % 3)
        panels.append(
            panel.replace(
                pixel_fast=aspect * whole.pixel_fast, spot_brightness=whole.spot_brightness - dimmer,
                fast_first=number, origin=panel.origin * random.uniform(1.0, 3.0),
            )
        )  # fmt: skip
    alone = [spot_driver.render(panel, spot_driver.forced_plan(panel), 1, None, None) for panel in panels]
    assert sum(rendered.spots > 0 for rendered in alone) > 20
    monkeypatch.setattr(spot_driver, "_LEAST_STEPS", 0)
    monkeypatch.setattr(spot_driver, "_PER_STEP", math.inf)
    for most, groups in ((1_500_000, 1), (400, 2), (1, len(panels))):
        monkeypatch.setattr(spot_driver, "_MOST_SPOTS", most)
        planned = spot_driver.plan_panels(panels)
        assert len(planned) >= groups
        assert sorted(place for group in planned for place in group.places) == list(range(len(panels)))
        for threads in (1, 3):
            for together, expected in zip(driver.render_panels(panels, threads, None, None), alone, strict=True):
                assert np.array_equal(together.image, expected.image)
                assert together.solid_angle == expected.solid_angle
