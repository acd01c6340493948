"""Every defect of the C program put right under `-semantics exact`, against closed forms.

A crystal of one cell (-N 1) with -default_F alone scatters F² everywhere, so that a pixel is a product of its
factors, which the tests work out from the geometry of a MOSFLM detector: beam along x, fast along z, slow along -y.
"""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import numpy as np
import pytest
import random_commands
from closed_forms import AVOGADRO, R_E_SQUARED, ROUNDING, Render, assert_close, render

from nbnumba import Experiment, simulate
from nbnumba.errors import InputError

__all__ = ["render"]  # the fixture

# 30 x 20 pixels of 2 mm at 100 mm, the beam near the middle: two-theta up to 20 degrees.
FLAT = "-cell 60 -default_F 40 -N 1 -nointerpolate -lambda 1 -distance 100 -pixel 2 -detpixels_x 30 -detpixels_y 20"
FLAT_FLUENCE, FLAT_F = 1e24, 40.0
FLAT += " -oversample 1 -fluence 1e24"


class FlatDetector:
    """Closed-form factors of the pixels of `FLAT`, sub-pixel by sub-pixel."""

    distance, pixel = 0.1, 2e-3

    def __init__(self, oversample: int = 1, fluence: float = FLAT_FLUENCE) -> None:
        self.oversample = oversample
        self.scale = R_E_SQUARED * fluence * FLAT_F**2

    def ray(self, sub_slow: int = 0, sub_fast: int = 0, depth: float = 0.0) -> tuple[np.ndarray, ...]:
        """Return (x, y, z, length) of the centers of one sub-pixel of all pixels [m]."""
        fast = self.pixel * (np.arange(30) + (sub_fast + 0.5) / self.oversample)
        slow = self.pixel * (np.arange(20) + (sub_slow + 0.5) / self.oversample)
        # The default center is (size + pixel)/2 in MOSFLM's sense, half a pixel more in ours.
        z = (fast - (0.060 / 2 + self.pixel))[None, :] * np.ones((20, 1))
        y = -(slow - (0.040 / 2 + self.pixel))[:, None] * np.ones((1, 30))
        x = np.full(z.shape, self.distance + depth)
        return x, y, z, np.sqrt(x * x + y * y + z * z)

    def omega(self, *place: float) -> np.ndarray:
        length = self.ray(*place)[3]
        return self.pixel**2 / length**2 * self.distance / length

    def polar(self, *place: float) -> np.ndarray:
        x, _, _, length = self.ray(*place)
        return (1 + (x / length) ** 2) / 2

    def capture(self, layer: int, step: float, mu: float, *place: float) -> np.ndarray:
        x, _, _, length = self.ray(*(place or (0, 0)), layer * step)
        path = step * mu / (x / length)
        return np.exp(-layer * path) - np.exp(-(layer + 1) * path)

    def sub_pixels(self) -> list[tuple[int, int]]:
        return [(s, f) for s in range(self.oversample) for f in range(self.oversample)]


def test_closed_form_of_a_single_cell(render: Render) -> None:
    d = FlatDetector()
    for semantics in ("c", "exact"):
        assert_close(render(FLAT, semantics), d.scale * d.omega() * d.polar())


class TestPhi0:
    def test_the_mean_of_stills(self, render: Render) -> None:
        line = "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 200 -pixel 3 -detpixels 30 -N 6 -oversample 1"
        stills = [render(f"{line} -phi {phi}").astype(float) for phi in (0, 2, 4)]
        sweep = render(f"{line} -phi 0 -osc 6 -phisteps 3")
        # A pixel is the sum of three float32 numbers of either picture.
        np.testing.assert_allclose(sweep, np.mean(stills, axis=0), rtol=3 * ROUNDING)
        stale = render(f"{line} -phi 0 -osc 6 -phisteps 3", "c")
        np.testing.assert_allclose(stale.ravel()[1:], ((2 * stills[2] + stills[1]) / 3).ravel()[1:], rtol=3 * ROUNDING)


class TestOversampleSwitches:
    @pytest.mark.parametrize(
        ("switches", "per_term"),
        [
            ("-oversample_omega", "o"),
            ("-oversample_polar", "p"),
            ("-oversample_omega -oversample_polar", "op"),
        ],
    )
    def test_each_term_has_its_own_factors_once(self, render: Render, switches: str, per_term: str) -> None:
        d = FlatDetector(oversample=3)
        omega = np.array([d.omega(*place if "o" in per_term else (0, 0)) for place in d.sub_pixels()])
        polar = np.array([d.polar(*place if "p" in per_term else (0, 0)) for place in d.sub_pixels()])
        image = render(f"{FLAT} -oversample 3 {switches} -phisteps 2 -osc 1")
        assert_close(image, d.scale * np.mean(omega * polar, axis=0))

    def test_no_sensor_captures_everything(self, render: Render) -> None:
        line = f"{FLAT} -oversample 2"
        np.testing.assert_array_equal(render(f"{line} -oversample_thick"), render(line))
        assert not render(f"{line} -oversample_thick", "c").any()


class TestNopolar:
    def test_nopolar_wins(self, render: Render) -> None:
        line = f"{FLAT} -oversample 2 -nopolar"
        d = FlatDetector(oversample=2)
        assert_close(render(f"{line} -oversample_polar"), d.scale * d.omega())
        assert_close(render(line), d.scale * d.omega())

    def test_c_undoes_it(self, render: Render) -> None:
        # One sub-pixel, so that nothing compounds.
        d = FlatDetector()
        assert_close(render(f"{FLAT} -nopolar -oversample_polar", "c"), d.scale * d.omega() * d.polar())


class TestThickness:
    SENSOR = "-detector_thick 900 -detector_abs 400 -detector_thicksteps 4"
    STEP, MU = 300e-6, 1 / 400e-6  # four layers of a third of the thickness

    def test_each_layer_has_its_own_capture(self, render: Render) -> None:
        d = FlatDetector()
        capture = sum(d.capture(layer, self.STEP, self.MU) for layer in range(4))
        assert_close(render(f"{FLAT} {self.SENSOR}"), d.scale * d.omega() * d.polar() * capture)

    def test_c_scales_by_the_last_layer(self, render: Render) -> None:
        d = FlatDetector()
        capture = 4 * d.capture(3, self.STEP, self.MU)
        assert_close(render(f"{FLAT} {self.SENSOR}", "c"), d.scale * d.omega() * d.polar() * capture)

    def test_sub_pixels_with_their_own_capture(self, render: Render) -> None:
        d = FlatDetector(oversample=2)
        capture = sum(
            d.capture(layer, self.STEP, self.MU, *place) for layer in range(4) for place in d.sub_pixels()
        ) / len(d.sub_pixels())
        image = render(f"{FLAT} {self.SENSOR} -oversample 2 -oversample_thick")
        assert_close(image, d.scale * d.omega() * d.polar() * capture)

    def test_a_thick_sensor_captures_what_a_transparent_one_lets_through(self, render: Render) -> None:
        """Where the beam meets it head on, the layers add up to 1 - exp(-thickness mu)."""
        line = (
            "-cell 60 -default_F 40 -N 1 -nointerpolate -lambda 1 -distance 2000 -pixel .1 -detpixels 4 -oversample 1"
        )
        ratio = render(f"{line} {self.SENSOR}") / render(line)
        # Rays are up to 2e-4 rad from the normal: 1 / cos is 1 + 2e-8.
        np.testing.assert_allclose(ratio, 1 - math.exp(-4 * self.STEP * self.MU), rtol=5e-7)


class TestInterpolation:
    """F(h, k, l) that is a cubic polynomial along each axis is what tricubic interpolation gives, exactly."""

    LINE = "-cell 30 -hkl cubic.hkl -lambda 1 -distance 50 -pixel 1.2 -detpixels 30 -oversample 1 -interpolate -N 1"
    LOW, HIGH = -4, 5

    @staticmethod
    def amplitude(h: np.ndarray, k: np.ndarray, l_: np.ndarray) -> np.ndarray:
        return (9 + h - 0.3 * h**2 + 0.05 * h**3) * (8 + 0.1 * k**2 - 0.04 * k**3) * (12 + 2 * l_ + 0.2 * l_**2)

    def write(self) -> None:
        whole = range(self.LOW, self.HIGH + 1)
        rows = [f"{h} {k} {m} {self.amplitude(h, k, m):.12g}" for h in whole for k in whole for m in whole]
        Path("cubic.hkl").write_text("\n".join(rows) + "\n")

    @staticmethod
    def indices() -> np.ndarray:
        """Return h, k, l of all pixels of `LINE`, (3, 30, 30)."""
        offset = 1.2e-3 * (np.arange(30) + 0.5) - (0.036 / 2 + 1.2e-3)
        z, y = np.meshgrid(offset, -offset)
        x = np.full(z.shape, 0.05)
        length = np.sqrt(x * x + y * y + z * z)
        return np.array([x / length - 1, y / length, z / length]) * 30

    def test_a_sample_falls_back_alone(self, render: Render) -> None:
        self.write()
        h = self.indices()
        floor = np.floor(h)
        fits = np.all((floor - 1 >= self.LOW) & (floor + 2 <= self.HIGH), axis=0)
        whole = np.ceil(h - 0.5)
        inside = np.all((whole >= self.LOW) & (whole <= self.HIGH), axis=0)
        amplitude = np.where(fits, self.amplitude(*h), np.where(inside, self.amplitude(*whole), 77.0))
        # Pixels of each kind, and some that interpolate behind some that cannot.
        assert np.count_nonzero(fits) > 80
        assert np.count_nonzero(~fits & inside) > 50
        assert np.count_nonzero(~inside) > 50
        assert not fits.ravel()[: np.argmax(fits.ravel())].any()
        default = "-cell 30 -default_F 1 -lambda 1 -distance 50 -pixel 1.2 -detpixels 30 -oversample 1 -N 1"
        factors = render(default).astype(float)
        image = render(f"{self.LINE} -default_F 77")
        # Two float32 pictures, and numbers of 12 digits in the file.
        assert_close(image, factors * amplitude**2, 4 * ROUNDING)

    def test_c_stops_for_good(self, render: Render) -> None:
        self.write()
        image = render(f"{self.LINE} -default_F 77", "c")
        nearest = render(f"{self.LINE} -default_F 77 -nointerpolate", "c")
        # The corner, the first pixel, is outside the table already.
        np.testing.assert_array_equal(image, nearest)

    @pytest.mark.parametrize(
        ("size", "interpolates"),
        [
            ("-samplesize 3e-5", False),
            ("-N 10 -samplesize 4e-6", True),
            ("-N 2", True),
            ("-N 3", False),
            ("-N 0", True),
        ],
    )
    def test_the_automatic_choice_looks_at_the_final_size(self, render: Render, size: str, interpolates: bool) -> None:
        self.write()
        line = f"{self.LINE.replace('-interpolate -N 1', '')} {size}"
        choice = "-interpolate" if interpolates else "-nointerpolate"
        other = "-nointerpolate" if interpolates else "-interpolate"
        np.testing.assert_array_equal(render(line), render(f"{line} {choice}"))
        assert not np.array_equal(render(line), render(f"{line} {other}"))


class TestSourceWeights:
    LINE = "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 200 -pixel 3 -detpixels 30 -N 5 -oversample 1"
    SOURCES = ("-10 0 0 {} 1e-10", "-10 0.1 0 {} 1.01e-10", "-10 0 -0.08 {} 0.98e-10")

    def with_weights(
        self, render: Render, *weights: float | None, semantics: str = "exact", more: str = ""
    ) -> np.ndarray:
        rows = [row.format(w) for row, w in zip(self.SOURCES, weights, strict=True) if w is not None]
        Path("weights.txt").write_text("\n".join(rows) + "\n")
        return render(f"{self.LINE} -sourcefile weights.txt {more}", semantics)

    def test_a_weighted_mean(self, render: Render) -> None:
        # Polarization is one source's for all of a pixel, so it is left out here.
        alone = [
            self.with_weights(render, *(1 if i == j else None for j in range(3)), more="-nopolar").astype(float)
            for i in range(3)
        ]
        for weights in ((1, 2, 1), (0.2, 0.7, 3), (5, 5, 5)):
            image = self.with_weights(render, *weights, more="-nopolar")
            expected = sum(w * picture for w, picture in zip(weights, alone, strict=True)) / sum(weights)
            # Three float32 pictures are added up.
            np.testing.assert_allclose(image, expected, rtol=4 * ROUNDING)

    @pytest.mark.parametrize("switch", ["", "-oversample_polar"])
    @pytest.mark.parametrize("silent", [0, 1, 2])
    def test_a_weight_of_zero_is_as_good_as_no_source(self, render: Render, silent: int, switch: str) -> None:
        weights = [0.5, 2.0, 1.5]
        image = self.with_weights(render, *(0 if i == silent else w for i, w in enumerate(weights)), more=switch)
        left_out = self.with_weights(render, *(None if i == silent else w for i, w in enumerate(weights)), more=switch)
        np.testing.assert_array_equal(image, left_out)

    def test_only_ratios_count(self, render: Render) -> None:
        np.testing.assert_allclose(
            self.with_weights(render, 1, 2, 3), self.with_weights(render, 10, 20, 30), rtol=ROUNDING
        )

    def test_c_ignores_them(self, render: Render) -> None:
        np.testing.assert_array_equal(
            self.with_weights(render, 1, 2, 0, semantics="c"), self.with_weights(render, 1, 1, 1, semantics="c")
        )

    @pytest.mark.parametrize("weights", [(1, -0.5, 1), (0, 0, 0)])
    def test_negative_or_all_zero_is_an_error(self, render: Render, weights: tuple[float, ...]) -> None:
        with pytest.raises(InputError, match=r"weights\.txt"):
            self.with_weights(render, *weights)


class TestWater:
    """A -dmin that nothing passes leaves the background alone."""

    SIZE = 50e-6
    BACKGROUND = 2.57**2 * R_E_SQUARED * FLAT_FLUENCE * SIZE**3 * 1e6 * AVOGADRO / 18

    def test_added_once_to_the_signal(self, render: Render) -> None:
        d = FlatDetector()
        image = render(f"{FLAT} -water 50 -phisteps 3 -osc 1 -mosaic 1 -mosaic_domains 2")
        assert_close(image, (d.scale + self.BACKGROUND) * d.omega() * d.polar())

    def test_there_where_dmin_lets_nothing_through(self, render: Render) -> None:
        d = FlatDetector()
        image = render(f"{FLAT} -water 50 -dmin 1000 -divergence 2 -divsteps 2")
        first_source = np.array([1, -1e-3, -1e-3]) / math.sqrt(1 + 2e-6)
        x, y, z, length = d.ray()
        polar = (1 + ((x * first_source[0] + y * first_source[1] + z * first_source[2]) / length) ** 2) / 2
        mirrored = (1 + ((x * first_source[0] - y * first_source[1] - z * first_source[2]) / length) ** 2) / 2
        assert_close(image, self.BACKGROUND * d.omega() * polar, 1e-4)
        # The first source is one corner of the grid of four, not another.
        assert np.max(np.abs(image / (self.BACKGROUND * d.omega() * polar) - 1)) < 0.1 * np.max(
            np.abs(image / (self.BACKGROUND * d.omega() * mirrored) - 1)
        )

    def test_means_where_a_switch_is_on(self, render: Render) -> None:
        d = FlatDetector(oversample=3)
        mean = [np.mean([factor(*place) for place in d.sub_pixels()], axis=0) for factor in (d.omega, d.polar)]
        image = render(f"{FLAT} -oversample 3 -water 50 -dmin 1000 -oversample_omega -oversample_polar")
        assert_close(image, self.BACKGROUND * mean[0] * mean[1])
        assert_close(render(f"{FLAT} -oversample 3 -water 50 -dmin 1000"), self.BACKGROUND * d.omega() * d.polar())

    def test_captured_by_all_layers(self, render: Render) -> None:
        d = FlatDetector()
        capture = sum(d.capture(layer, TestThickness.STEP, TestThickness.MU) for layer in range(4))
        image = render(f"{FLAT} {TestThickness.SENSOR} -water 50 -dmin 1000")
        assert_close(image, self.BACKGROUND * d.omega() * d.polar() * capture)

    def test_c_scales_it_once_more(self, render: Render) -> None:
        d = FlatDetector()
        scaled = R_E_SQUARED * FLAT_FLUENCE * self.BACKGROUND / 3
        image = render(f"{FLAT} -water 50 -phisteps 3 -osc 1", "c")
        assert_close(image, (d.scale + scaled) * d.omega() * d.polar())


class TestMissetRandom:
    LINE = "-cell 60 70 80 -hkl lyso.hkl -lambda 1 -distance 150 -pixel 3 -detpixels 24 -N 4 -oversample 1"

    def test_the_seed_decides(self, render: Render) -> None:
        first = render(f"{self.LINE} -misset random -misset_seed 5")
        np.testing.assert_array_equal(first, render(f"{self.LINE} -misset_seed 5 -misset random"))
        assert not np.array_equal(first, render(f"{self.LINE} -misset random -misset_seed 6"))
        assert not np.array_equal(first, render(f"{self.LINE} -misset random -misset_seed 5", "c"))


@pytest.mark.parametrize("seed", [*range(60, 76)])
def test_a_row_is_announced_where_it_changes_the_image_and_nowhere_else(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random_commands.prepare_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = [*random_commands.random_command(Random(seed)), "-backend", "cpu"]
    notices: list[str] = []
    as_C = simulate(Experiment.from_command(words, notify=notices.append))
    exact = simulate(Experiment.from_command([*words, "-semantics", "exact"])).array
    announced = as_C.latch_hkl is not None or any(line.endswith("-semantics exact draws it right") for line in notices)
    # As the gate: two units in the last place of float32; and the digits that sinc3 loses, which no line announces.
    same = np.allclose(as_C.array, exact, rtol=3e-6, atol=1e-9 * max(float(exact.max()), 1e-300))
    assert announced == (not same) or not exact.any(), notices
