"""Mixed precision on the processor: the golden pictures, random scenes, and what fixed point rests on."""

from __future__ import annotations

import math
from fractions import Fraction
from math import ceil
from pathlib import Path
from random import Random

import golden_runs
import goldens
import numpy as np
import pytest
import random_commands
from agreement import judge

from nbnumba import kernels
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene
from nbnumba.kernels.cpu import single_scene
from nbnumba.kernels.cpu.nodes import PLACES
from nbnumba.kernels.physics import ellipsoid
from nbnumba.kernels.physics import fixed_point as fixed
from nbnumba.kernels.scene import Scene
from nbnumba.parameters.parser import parse

LYSOZYME = "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 100 -detpixels 128 -pixel 0.6 -nonoise".split()


def scene_of(words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.chdir(folder)
    return build_scene(resolve(parse([*words, "-nodump"]).settings))


@pytest.mark.golden
@pytest.mark.parametrize("name", goldens.names())
def test_golden(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = goldens.load(name)
    goldens.copy_inputs(tmp_path)
    for semantics, image in {"c": golden.float_image, "exact": golden.exact_image}.items():
        if image is None:
            continue
        scene = scene_of([*golden.words, "-semantics", semantics], tmp_path, monkeypatch)
        drawn = kernels.render(scene, "cpu", precision="mixed")
        assert drawn.precision == ("mixed" if single_scene.can_be_mixed(scene) else "double")
        left_out = golden_runs.pixels_left_out(golden, tmp_path) if semantics == "c" else None
        (tmp_path / "Fdump.bin").unlink(missing_ok=True)
        verdict = judge(image, drawn.image, "cuda-mixed", left_out)
        assert verdict.passed, f"{semantics}: {verdict.reason}"


@pytest.mark.parametrize("shape", ["-square_xtal", "-round_xtal"])
@pytest.mark.parametrize("seed", range(300, 308))
def test_random_command(seed: int, shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    words = random_commands.random_command(random)
    random_commands.prepare_folder(tmp_path)
    for semantics in ("c", "exact"):
        # Sizes that may be drawn in mixed precision, whatever else the command asks for.
        words = [*words, shape, "-N", str(random.randint(2, 60)), "-nointerpolate", "-semantics", semantics]
        scene = scene_of(words, tmp_path, monkeypatch)
        expected = kernels.render(scene, "cpu")
        drawn = kernels.render(scene, "cpu", precision="mixed")
        verdict = judge(expected.image, drawn.image, "cuda-mixed")
        assert verdict.pixels_agree, f"{semantics}: {verdict.reason}; {' '.join(words)}"
        assert drawn.evaluated_steps == expected.evaluated_steps
        # Summed once as places times one value, or place by place: rounding alone.
        assert drawn.solid_angle == pytest.approx(expected.solid_angle, rel=1e-12)


BOX = "-cell 70 80 90 90 90 90 -lambda 1 -distance 100 -detpixels 24 -pixel 1 -N 10 -oversample 1 -nonoise"


MORE = {
    "one image": "",
    "domains": "-mosaic 1 -mosaic_domains 21",
    "sources": "-dispersion 3 -dispsteps 3 -divergence 2 -divsteps 3",
    "weights": "-sourcefile two_sources.txt -semantics exact",
    "sub-pixels": "-oversample 3",
    "factors": "-oversample 2 -oversample_polar -oversample_omega -semantics exact",
    "layers": "-detector_thick 450 -detector_abs 300 -detector_thicksteps 3 -semantics exact -oversample_thick",
    "dmin": "-dmin 1.6",
    "default_F": "-default_F 20",
    "water": "-water 0.01 -semantics exact",
    "region": "-roi 3 37 60 111",
    "mask": "-mask mask.img -default_F 5",
    "curved": "-curved_det -semantics exact",
    "many cells": "-N 1000 -oversample 1",
    "most cells": "-N 5000 -mosaic 0.1 -mosaic_domains 5 -oversample 1",
    "one cell along an axis": "-Na 1 -Nb 20 -Nc 1 -nointerpolate",
    "even and odd": "-Na 8 -Nb 9 -Nc 16",
    "round": "-round_xtal",
    "round, exact": "-round_xtal -mosaic 1 -mosaic_domains 21 -semantics exact",
    "round, weights": "-round_xtal -sourcefile two_sources.txt -semantics exact",
    "round, factors": "-round_xtal -oversample 2 -oversample_polar -oversample_omega -semantics exact",
    "round, many cells": "-round_xtal -N 2000 -mosaic 0.1 -mosaic_domains 5 -oversample 1",
    "round, one cell": "-round_xtal -N 1 -nointerpolate",
    "round, plate": "-round_xtal -Na 2 -Nb 300 -Nc 40 -nointerpolate -oversample 1",
    "round, wide spots": "-round_xtal -fudge 0.001",
    "round, narrow spots": "-round_xtal -fudge 2000",
    "round, no spots": "-round_xtal -fudge 0",
}


@pytest.mark.parametrize("pixel", ["0.6", "0.1"], ids=["each pixel", "polynomials"])
@pytest.mark.parametrize("more", MORE.values(), ids=MORE)
def test_same_picture(more: str, pixel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goldens.copy_inputs(tmp_path)
    cells = [] if "-N" in more else ["-N", "23"]
    scene = scene_of([*LYSOZYME, "-pixel", pixel, *cells, *more.split()], tmp_path, monkeypatch)
    if pixel == "0.6":
        assert single_scene.smooth_width(scene) == 0
    elif not any(option in more for option in ("-dmin", "-water", "-curved_det", "-round_xtal")):
        assert single_scene.smooth_width(scene) >= 32
    expected, drawn = (kernels.render(scene, "cpu", 2, precision=precision) for precision in ("double", "mixed"))
    assert (expected.precision, drawn.precision) == ("double", "mixed")
    assert expected.image.any()
    assert not np.array_equal(expected.image, drawn.image)  # float32 shows
    verdict = judge(expected.image, drawn.image, "cuda-mixed")
    assert verdict.passed, verdict.reason
    assert np.array_equal(drawn.image, kernels.render(scene, "cpu", 1, precision="mixed").image)


@pytest.mark.parametrize(
    "more",
    [
        "-gauss_xtal -N 10",
        "-round_xtal -N 10 -interpolate",
        "-round_xtal -N 3000",  # more than the square of a distance has digits for
        "-round_xtal -N 100 -fudge 1000",
        "-N 100000",
        "-Na 1 -Nb 100000 -Nc 1 -nointerpolate",  # longer than a direction has digits for
        "-N 1 -nointerpolate",
        "-N 10 -interpolate",
        "-N 10 -oversample_polar -oversample_thick -semantics c",  # factors of the running sum
        "-N 10 -diffuse_gamma 50 -diffuse_sigma 0.4",
    ],
)
def test_what_stays_double(more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goldens.copy_inputs(tmp_path)
    scene = scene_of([*LYSOZYME, "-oversample", "1", *more.split()], tmp_path, monkeypatch)
    expected, drawn = (kernels.render(scene, "cpu", precision=precision) for precision in ("double", "mixed"))
    assert drawn.precision == "double"
    assert np.array_equal(expected.image, drawn.image)


@pytest.mark.parametrize("seed", range(3))
def test_polynomials_are_as_good_as_they_must_be(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns by which an index along the crystal's edge is off where directions are polynomials along a strip."""
    random = Random(seed)
    goldens.copy_inputs(tmp_path)
    weights = np.array([1 / np.prod([a - b for b in PLACES if b != a]) for a in PLACES])
    t = np.linspace(-1, 1, 61)
    terms = weights / (t[:, None] - PLACES)  # barycentric interpolation
    found = set()
    while len(found) < 3:
        turned = " ".join(f"-detector_rot{axis} {random.uniform(-40, 40)}" for axis in "xyz")
        words = (
            f"-mat lyso.mat -default_F 10 -lambda {random.uniform(0.7, 2)} -N {random.choice([3, 40, 900])} -nonoise "
            f"-distance {random.choice([30, 100, 400])} -pixel {random.choice([0.02, 0.1, 0.2])} -detpixels 400 "
            f"-oversample 1 {turned} -twotheta {random.uniform(-40, 40)}"
        )
        scene = scene_of(words.split(), tmp_path, monkeypatch)
        width = single_scene.smooth_width(scene)
        found.add(width)
        edge = np.max(np.linalg.norm(scene.orientations.reshape(-1, 3, 3), axis=2) * np.diag(scene.N))
        for _ in range(20 if width > 0 else 0):
            first, slow, half = random.uniform(0, 400 - width), random.uniform(0, 400), (width - 1) / 2
            at_nodes, exact = (
                _directions(scene, slow, first + half + half * place.astype(np.longdouble)) for place in (PLACES, t)
            )
            drawn = terms @ at_nodes / np.sum(terms, axis=1)[:, None]
            off = np.max(np.linalg.norm((drawn - exact).astype(float), axis=1))
            # Rounding of the weights, 1e-15, comes to the polynomial's own error.
            assert (off - 1e-15) * edge * scene.sources[0, 3] < 6e-9


def _directions(scene: Scene, slow: float, fast: np.ndarray) -> np.ndarray:
    """Directions to places of a row, in pixels."""
    place = scene.origin + (fast * scene.pixel_fast)[:, None] * scene.fast + slow * scene.pixel_slow * scene.slow
    return place / np.sqrt(np.sum(place**2, axis=1))[:, None]


@pytest.mark.parametrize("shape", ["-square_xtal", "-round_xtal"])
@pytest.mark.parametrize("N", [2, 5, 16])
def test_offsets_of_nothing_and_of_half_a_cell(
    N: int, shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels that lie on rows of reflections, and half between them: where a tie, or 0/0, would show."""
    words = "-cell 100 100 100 90 90 90 -lambda 1 -distance 100 -detpixels 64 -pixel 0.5 -default_F 10 -nonoise"
    beam = "-Xbeam 16 -Ybeam 16 -oversample 1 -point_pixel -nopolar"  # on a corner of pixels, then on a center
    for more in (beam, beam.replace("16", "16.25")):
        scene = scene_of([*words.split(), *more.split(), shape, "-N", str(N)], tmp_path, monkeypatch)
        expected, drawn = (kernels.render(scene, "cpu", precision=precision) for precision in ("double", "mixed"))
        assert drawn.precision == "mixed"
        verdict = judge(expected.image, drawn.image, "cuda-mixed")
        assert verdict.passed, verdict.reason


@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize("turn", ["0", "1e-9", "1e-3"])
def test_direct_beam_of_a_round_crystal(
    turn: str, semantics: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Around the reflection 0 0 0 C's formula loses its digits: its amplitude is 1 there, and 0 next to it."""
    words = "-cell 100 100 100 90 90 90 -lambda 1 -distance 100 -detpixels 64 -pixel 0.5 -default_F 10 -nonoise -N 10"
    beam = f"-round_xtal -Xbeam 16.25 -Ybeam 16.25 -beam_vector 1 {turn} 0 -point_pixel -nopolar -oversample 1"
    scene = scene_of([*words.split(), *beam.split(), "-semantics", semantics], tmp_path, monkeypatch)
    expected, drawn = (kernels.render(scene, "cpu", precision=precision) for precision in ("double", "mixed"))
    assert drawn.precision == "mixed"
    verdict = judge(expected.image, drawn.image, "cuda-mixed")
    assert verdict.passed, verdict.reason
    assert np.array_equal(expected.image == 0.0, drawn.image == 0.0)
    lost = semantics == "c" and turn != "0"
    assert expected.image[32, 32] == pytest.approx(0.0 if lost else expected.image.max())


@pytest.mark.parametrize("shape", ["-square_xtal", "-round_xtal"])
def test_large_and_small_factors(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Structure factors whose squares, with those of the lattice, are far beyond float32 and below it."""
    goldens.copy_inputs(tmp_path)
    words = "-mat lyso.mat -lambda 1 -distance 100 -detpixels 60 -pixel 1 -N 900 -oversample 1 -nonoise".split()
    for factor in ("1e9", "1e-9"):
        scene = scene_of([*words, shape, "-default_F", factor], tmp_path, monkeypatch)
        expected, drawn = (kernels.render(scene, "cpu", precision=precision) for precision in ("double", "mixed"))
        assert drawn.precision == "mixed"
        verdict = judge(expected.image, drawn.image, "cuda-mixed")
        assert verdict.passed, verdict.reason


@pytest.mark.parametrize(("strongest", "precision"), [("1e11", "mixed"), ("1e25", "double")])
def test_a_strong_reflection_outside_the_image(
    strongest: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size decides what the others are divided by."""
    rows = [f"{h} {k} {l} 1" for h in range(-6, 7) for k in range(-6, 7) for l in (-1, 0, 1)]
    (tmp_path / "strong.hkl").write_text("\n".join([*rows, f"20 20 20 {strongest}", ""]))
    words = BOX.split()
    scene = scene_of([*words, "-hkl", "strong.hkl"], tmp_path, monkeypatch)
    expected, drawn = (kernels.render(scene, "cpu", precision=asked) for asked in ("double", "mixed"))
    assert drawn.precision == precision
    verdict = judge(expected.image, drawn.image, "cuda-mixed")
    assert verdict.passed, verdict.reason


def test_reflections_of_minus_nothing_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{h} {k} {l} {-0.0 if h < 4 else 7}" for h in range(-6, 7) for k in range(-6, 7) for l in (-1, 0, 1)]
    (tmp_path / "zeros.hkl").write_text("\n".join([*rows, ""]))
    words = BOX.split()
    scene = scene_of([*words, "-hkl", "zeros.hkl", "-misset", "0", "0", "90"], tmp_path, monkeypatch)
    expected, drawn = (kernels.render(scene, "cpu", precision=precision) for precision in ("double", "mixed"))
    assert drawn.precision == "mixed"
    assert 0 < drawn.evaluated_steps == expected.evaluated_steps


def test_fixed_point_is_the_nearest_whole_number_and_what_is_left() -> None:
    random = Random(5)
    cells, nh, h_min = 37, 41, -20
    origin = fixed.fixed_origin(float(h_min))
    indices = [random.uniform(-25, 25) for _ in range(2000)] + [i / 4 for i in range(-100, 100)]
    for h in indices:
        bits = int(fixed.fixed_index(h, origin))
        whole = ceil(Fraction(h) - Fraction(1, 2))
        place = int(fixed.fixed_place(bits, np.uint32(nh - 1)))
        low = np.uint32(bits & 0xFFFFFFFF).view(np.int32)
        offset = fixed.fixed_offset(low)
        left = Fraction(h) - whole
        if abs(abs(left) - Fraction(1, 2)) > Fraction(1, 2**32) or h * 4 == int(h * 4):
            inside = 0 <= whole - (h_min - 1) < nh
            assert place == (whole - (h_min - 1) if inside else nh - 1)  # all of the border is the same
        error = (Fraction(int(offset), 2**32) - left) % 1
        assert min(error, 1 - error) <= Fraction(1, 2**32)  # half a unit, and a whole one at 0
        rest = Fraction(float(fixed.fixed_rest(h, bits, origin))) / 2**32
        if low != np.int32(2**31 - 1):  # an offset that is not 0
            error = (error + rest) % 1
            assert min(error, 1 - error) <= Fraction(1, 2**50)  # of the float64 index
        turns = Fraction(int(fixed.fixed_turns(offset, np.int32(cells))), 2**32)
        exact = Fraction(int(offset), 2**32) * cells
        assert (turns - exact).denominator == 1
        assert abs(turns) <= Fraction(1, 2)


@pytest.mark.parametrize("largest", [0.5, 3.0, 30.0, ellipsoid.MOST_RADIUS])
def test_lattice_factor_of_an_ellipsoid(largest: float) -> None:
    """Against float64, at any distance and close to the zeros."""
    random = Random(6)
    for _ in range(2000):
        s = random.uniform(0.01, largest)
        if largest > 1.0 and random.random() < 0.5:
            half_odd = math.pi * (max(1.0, math.floor(s)) + 0.5)
            zero = half_odd - 1.0 / half_odd
            zero -= (math.sin(zero) - zero * math.cos(zero)) / (zero * math.sin(zero))
            s = zero / math.pi + random.choice([-1.0, 1.0]) * 10.0 ** random.uniform(-8.0, -1.0)
        x = math.pi * math.sqrt(s * s)
        exact = 3.0 * (math.sin(x) / x - math.cos(x)) / x**2
        found = float(ellipsoid.sinc3_of_square(*ellipsoid.in_two(s * s)))
        # Ten roundings to float32 of 6e-8 each. Where cos(x) and sin(x)/x cancel, those of sin(x)/x stay, and of x
        # those of float64.
        left = 2e-7 / x + 1e-11
        assert abs(abs(found) - abs(exact)) < 1.5e-6 * abs(exact) + left * 3.0 / x**2
    assert float(ellipsoid.sinc3_of_square(*ellipsoid.in_two(0.0))) == 1.0
