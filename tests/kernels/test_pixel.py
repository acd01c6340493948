"""The code of a GPU thread, compiled for the processor: the golden pictures, in double and in mixed precision."""

from __future__ import annotations

import contextlib
from pathlib import Path
from random import Random

import golden_runs
import goldens
import gpu_images
import numpy as np
import pytest
import random_commands
from agreement import judge

from nbnumba import kernels
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene
from nbnumba.kernels import pixel
from nbnumba.kernels.cuda import plan as cuda_plan
from nbnumba.kernels.scene import Scene
from nbnumba.parameters.parser import parse

pytestmark = pytest.mark.twins

MOST_STEPS = 200_000  # of a golden picture: of a longer one a part about the middle is compared
GATES = {False: "cuda", True: "cuda-mixed"}


def scene_of(words: list[str], folder: Path) -> Scene:
    with contextlib.chdir(folder):
        return build_scene(resolve(parse([*words, "-nodump"]).settings))


def middle(first: int, last: int, most: int) -> tuple[int, int]:
    """Return the first and the last of at most so many numbers in the middle of a range."""
    count = min(last - first + 1, max(1, most))
    start = first + (last - first + 1 - count) // 2
    return start, start + count - 1


def some_pixels(scene: Scene) -> Scene:
    """Return as much of the region as MOST_STEPS allow, with the latch of the whole."""
    rows, columns = scene.region_shape
    if rows * columns * scene.samples_per_pixel <= MOST_STEPS:
        return scene
    if gpu_images.may_latch(scene):
        scene = scene.replace(latch=kernels.render(scene, "cpu").latch, latching=False)
    fast = middle(scene.fast_first, scene.fast_last, MOST_STEPS // scene.samples_per_pixel)
    slow = middle(scene.slow_first, scene.slow_last, MOST_STEPS // (scene.samples_per_pixel * (fast[1] - fast[0] + 1)))
    return scene.replace(fast_first=fast[0], fast_last=fast[1], slow_first=slow[0], slow_last=slow[1])


@pytest.mark.parametrize("mixed", [False, True], ids=["double", "mixed"])
@pytest.mark.parametrize("name", goldens.names())
def test_golden(name: str, mixed: bool, tmp_path: Path) -> None:
    golden = goldens.load(name)
    goldens.copy_inputs(tmp_path)
    expected = {"c": golden.float_image, "exact": golden.exact_image}
    for semantics, image in expected.items():
        if image is None:
            continue
        words = [*golden.words, "-semantics", semantics]
        scene = some_pixels(scene_of(words, tmp_path))
        left_out = golden_runs.pixels_left_out(golden, tmp_path) if semantics == "c" else None
        (tmp_path / "Fdump.bin").unlink(missing_ok=True)
        drawn = slice(scene.slow_first, scene.slow_last + 1), slice(scene.fast_first, scene.fast_last + 1)
        ours = gpu_images.render(scene, mixed)[drawn]
        verdict = judge(image[drawn], ours, GATES[mixed], None if left_out is None else left_out[drawn])
        assert verdict.passed, f"{semantics}: {verdict.reason}"


@pytest.mark.parametrize("seed", range(100, 108))
def test_random_command(seed: int, tmp_path: Path) -> None:
    words = random_commands.random_command(Random(seed))
    random_commands.prepare_folder(tmp_path)
    for semantics in ("c", "exact"):
        scene = scene_of([*words, "-semantics", semantics], tmp_path)
        expected = kernels.render(scene, "cpu")
        assert gpu_images.find_latch(scene) == expected.latch
        for mixed, gate in GATES.items():
            verdict = judge(expected.image, gpu_images.render(scene, mixed), gate)
            assert verdict.pixels_agree, f"{semantics}, {gate}: {verdict.reason}; {' '.join(words)}"


LARGE = "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 100 -detpixels 96 -pixel 0.9 -oversample 2 -nonoise"


@pytest.mark.parametrize("shape", ["-square_xtal", "-round_xtal", "-gauss_xtal", "-tophat_spots"])
@pytest.mark.parametrize("more", ["", "-curved_det -semantics exact", "-curved_det"])
def test_large_crystals_in_mixed_precision(shape: str, more: str, tmp_path: Path) -> None:
    """Crystals of 1000 cells along each axis, whose fringes are a thousandth of an index apart."""
    goldens.copy_inputs(tmp_path)
    # Gaussian and top-hat spots of such a crystal are a millionth of an index wide: none would meet a pixel.
    size = ["-N", "1000"] if shape in ("-square_xtal", "-round_xtal") else ["-N", "1000", "-fudge", "1e-12"]
    scene = scene_of([*LARGE.split(), shape, *size, *more.split()], tmp_path)
    expected = kernels.render(scene, "cpu").image
    assert expected.any()
    verdict = judge(expected, gpu_images.render(scene, mixed=True), "cuda-mixed")
    assert verdict.passed, verdict.reason


@pytest.mark.parametrize("mixed", [False, True], ids=["double", "mixed"])
def test_portions_change_no_bit(mixed: bool, tmp_path: Path) -> None:
    """A pixel whose sum is interrupted anywhere goes on as if it had not been."""
    goldens.copy_inputs(tmp_path)
    words = (
        "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 100 -detpixels 12 -pixel 6 -N 12 -mosaic 1 -mosaic_domains 7 "
        "-dispersion 3 -dispsteps 3 -oversample 2 -detector_thick 400 -detector_abs 300 -detector_thicksteps 3 "
        "-water 20 -dmin 1.4 -nonoise -semantics"
    ).split()
    switched = ["-oversample_thick", "-oversample_polar", "-oversample_omega"]
    for more in (["c"], ["exact"], ["exact", *switched], ["c", *switched]):
        scene = scene_of([*words, *more], tmp_path)
        whole = gpu_images.render(scene, mixed)
        for portion in (1, 5, 21, 22, 84, scene.samples_per_pixel - 1):
            assert np.array_equal(whole, gpu_images.render(scene, mixed, portion)), (more, portion)


def test_float32_would_overflow() -> None:
    """A crystal of 1e15 cells and more is computed in double precision."""
    words = "-cell 50 50 50 90 90 90 -default_F 10 -lambda 1 -distance 100 -detpixels 2 -nointerpolate -N 1000"
    scene = build_scene(resolve(parse(words.split()).settings))
    single = cuda_plan.choose_variant(scene, mixed=True)
    assert single == pixel.Variant(pixel.SQUARE, pixel.NEAREST, compound=False, single=True)
    large = scene.replace(N=np.diag([1e9, 1e3, 1e3]))
    assert cuda_plan.choose_variant(large, mixed=True) == pixel.Variant(pixel.SQUARE, pixel.NEAREST)


@pytest.mark.parametrize("look_up", ["-nointerpolate", "-interpolate"])
@pytest.mark.parametrize(("strongest", "single"), [("1e11", True), ("1e25", False)])
def test_structure_factors_that_float32_cannot_span(strongest: str, single: bool, look_up: str, tmp_path: Path) -> None:
    """A strong reflection outside the image decides what the others are divided by."""
    rows = [f"{h} {k} {l} 1" for h in range(-6, 7) for k in range(-6, 7) for l in (-1, 0, 1)]
    (tmp_path / "strong.hkl").write_text("\n".join([*rows, f"20 20 20 {strongest}", ""]))
    box = "-cell 70 80 90 90 90 90 -lambda 1 -distance 100 -detpixels 24 -pixel 1 -N 10 -oversample 1 -nonoise"
    scene = scene_of([*box.split(), "-hkl", "strong.hkl", look_up, "-semantics", "exact"], tmp_path)
    assert cuda_plan.choose_variant(scene, mixed=True).single is single
    expected = kernels.render(scene, "cpu").image
    assert expected.any(), "a picture that shows nothing proves nothing"
    verdict = judge(expected, gpu_images.render(scene, mixed=True), "cuda-mixed")
    assert verdict.passed, verdict.reason


@pytest.mark.parametrize("steps", [1, 100, 3000, 10**9])
@pytest.mark.parametrize("samples", [1, 7, 500])
def test_launches_cover_each_sample_once(steps: int, samples: int) -> None:
    rows, columns = 9, 11
    done = np.zeros((rows, samples), dtype=int)
    for launch in cuda_plan.plan(rows, columns, samples, fill=30, steps=lambda: steps):
        block = done[launch.first_row : launch.first_row + launch.rows]
        assert np.all(block[:, : launch.first] == 1), "earlier samples come first"
        block[:, launch.first : launch.last] += 1
        assert launch.rows * columns >= 30 or launch.first_row + launch.rows == rows
    assert np.all(done == 1)
