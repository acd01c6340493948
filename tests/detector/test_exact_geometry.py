"""The rows of curved detectors, pivots and -pix0_vector under `-semantics exact`."""

from __future__ import annotations

import numpy as np
import pytest
from closed_forms import R_E_SQUARED, Render, assert_close, render

__all__ = ["render"]  # the fixture

CONVENTIONS = ("-mosflm", "-adxv", "-denzo", "-xds", "-dials")
AXES = {  # as custom vectors: beam, fdet, sdet, odet, polar, spindle, 2theta
    "-mosflm": ("1 0 0", "0 0 1", "0 -1 0", "1 0 0", "0 0 1", "0 0 1", "0 0 -1"),
    "-adxv": ("0 0 1", "1 0 0", "0 -1 0", "0 0 1", "1 0 0", "1 0 0", "-1 0 0"),
    "-denzo": ("1 0 0", "0 0 1", "0 -1 0", "1 0 0", "0 0 1", "0 0 1", "0 0 -1"),
    "-xds": ("0 0 1", "1 0 0", "0 1 0", "0 0 1", "1 0 0", "1 0 0", "1 0 0"),
    "-dials": ("0 0 1", "1 0 0", "0 1 0", "0 0 1", "0 1 0", "0 1 0", "0 1 0"),
}
SPOTS = "-mat lyso.mat -hkl lyso.hkl -lambda 1 -pixel 2 -detpixels_x 36 -detpixels_y 30 -N 5 -oversample 1"
TILTED = "-detector_rotx 4 -detector_roty -7 -detector_rotz 11 -twotheta 9"
# Rounding moves a scattering vector by 1e-16 or so, and with it the flank of a spot.
SAME_PLACE = 1e-6


def custom(convention: str) -> str:
    """Return a convention's axes as vectors of a custom detector, without an angle of 2theta."""
    names = ("-beam_vector", "-fdet_vector", "-sdet_vector", "-odet_vector", "-polar_vector", "-spindle_axis")
    named = [f"{name} {axis}" for name, axis in zip(names, AXES[convention][:-1], strict=True)]
    return " ".join([*named, f"-twotheta_axis {AXES[convention][-1]}"])


def assert_same_picture(image: np.ndarray, expected: np.ndarray) -> None:
    assert expected.max() > 0.0
    np.testing.assert_allclose(image, expected, rtol=SAME_PLACE, atol=1e-9 * expected.max())


class TestCurvedDetector:
    FLAT = "-cell 60 -default_F 40 -N 1 -nointerpolate -lambda 1 -distance 80 -pixel 2 -detpixels_x 30 -detpixels_y 20"
    PLAIN = f"{FLAT} -oversample 1 -fluence 1e24 -nopolar -curved_det"
    SCALE = R_E_SQUARED * 1e24 * 1600

    @pytest.mark.parametrize("convention", CONVENTIONS)
    def test_every_pixel_is_as_far_away(self, render: Render, convention: str) -> None:
        assert_close(render(f"{self.PLAIN} -point_pixel {convention}"), self.SCALE / 0.08**2)

    def test_no_obliquity(self, render: Render) -> None:
        assert_close(render(self.PLAIN), self.SCALE * 2e-3**2 / 0.08**2)

    def test_the_sensor_faces_the_ray(self, render: Render) -> None:
        image = render(f"{self.PLAIN} -detector_thick 400 -detector_abs 300 -detector_thicksteps 3")
        # Three layers of 200 um, each captured over its own depth, the solid angle kept from the first.
        assert_close(image, self.SCALE * 2e-3**2 / 0.08**2 * (1 - np.exp(-600 / 300)))

    def test_position_of_each_pixel(self, render: Render) -> None:
        """The polarization factor tells 2theta: cos(2theta) = cos(u/D) cos(v/D) on the bent surface."""
        image = render(self.PLAIN.replace("-nopolar", ""))
        fast = 2e-3 * (np.arange(30) + 0.5) - (0.060 / 2 + 2e-3)
        slow = 2e-3 * (np.arange(20) + 0.5) - (0.040 / 2 + 2e-3)
        cosine = np.cos(fast / 0.08)[None, :] * np.cos(slow / 0.08)[:, None]
        assert_close(image, self.SCALE * 2e-3**2 / 0.08**2 * (1 + cosine**2) / 2)

    @pytest.mark.parametrize("convention", CONVENTIONS)
    def test_flat_in_the_limit_of_small_angles(self, render: Render, convention: str) -> None:
        # At 4 m, the two surfaces differ up to 50 mm from the beam by 3e-3 mm in the place of a ray and by 2.3e-4 in
        # obliquity: 5e-5 of the brightest pixel on the flanks of these wide spots. The beam is off-center to tell the
        # axes apart.
        line = "-mat bigcell.mat -hkl bigcell.hkl -lambda 1 -distance 4000 -pixel 2 -detpixels 30 -N 3 -oversample 1"
        line += f" -nointerpolate -gauss_xtal -fudge 0.02 -Xbeam 20 -Ybeam 33 -ORGX 11 -ORGY 17 {convention}"
        flat, curved = render(line), render(f"{line} -curved_det")
        assert flat.max() > 2 * np.median(flat)
        np.testing.assert_allclose(curved, flat, rtol=0, atol=1e-4 * flat.max())
        assert np.abs(render(f"{line} -curved_det", "c") - flat).max() > 0.1 * flat.max()


class TestPivot:
    @pytest.mark.parametrize("convention", ["-mosflm", "-adxv", "-denzo"])
    def test_about_the_sample_where_c_pivots_about_the_beam(self, render: Render, convention: str) -> None:
        """The foot point is the beam center, in fast and slow coordinates."""
        image = render(f"{SPOTS} {convention} -distance 100 -Xbeam 24 -Ybeam 37 {TILTED} -pivot sample")
        fast, slow = {"-mosflm": (38, 25), "-denzo": (37, 24), "-adxv": (24, 60 - 37)}[convention]
        same = f"{SPOTS} {custom(convention)} -distance 100 -Xbeam {fast} -Ybeam {slow} {TILTED} -pivot sample"
        assert_same_picture(image, render(same))

    @pytest.mark.parametrize(
        ("foot", "fast", "slow"),
        [
            ("-ORGX 10.5 -ORGY 8", 20, 15),
            ("-Xclose 21 -Yclose 16", 21, 16),
            ("-Xclose 21 -Yclose 16 -ORGX 10.5", 20, 16),
        ],
    )
    def test_about_a_foot_point_that_was_given(self, render: Render, foot: str, fast: float, slow: float) -> None:
        image = render(f"{SPOTS} -mosflm -distance 100 -Xbeam 24 -Ybeam 37 {foot} {TILTED} -pivot sample")
        same = f"{SPOTS} {custom('-mosflm')} -distance 100 -Xbeam {fast} -Ybeam {slow} {TILTED} -pivot sample"
        assert_same_picture(image, render(same))

    @pytest.mark.parametrize("convention", ["-xds", "-dials"])
    def test_about_the_beam_where_c_pivots_about_the_sample(self, render: Render, convention: str) -> None:
        image = render(f"{SPOTS} {convention} -distance 100 -ORGX 12 -ORGY 15.5 {TILTED} -pivot beam")
        same = f"{SPOTS} {custom(convention)} -distance 100 -Xbeam 23 -Ybeam 30 {TILTED} -pivot beam"
        assert_same_picture(image, render(same))

    @pytest.mark.parametrize("convention", [*CONVENTIONS, "-beam_vector 1 0 0"])
    @pytest.mark.parametrize("pivot", ["beam", "sample"])
    def test_it_stands_anywhere(self, render: Render, convention: str, pivot: str) -> None:
        rest = f"{convention} -distance 100 {TILTED}"
        after, before = f"{SPOTS} {rest} -pivot {pivot}", f"-pivot {pivot} {SPOTS} {rest}"
        np.testing.assert_array_equal(render(after), render(before))

    @pytest.mark.parametrize("convention", CONVENTIONS)
    def test_without_it_nothing_changes(self, render: Render, convention: str) -> None:
        line = f"{SPOTS} {convention} -distance 100 -Xbeam 24 -ORGX 12 -Yclose 20 {TILTED}"
        np.testing.assert_array_equal(render(line), render(line, "c"))


class TestPix0Vector:
    LINE = f"{SPOTS} {custom('-mosflm')}"

    def test_places_the_corner(self, render: Render) -> None:
        image = render(f"{self.LINE} -pix0_vector 0.11 0.025 -0.031")
        same = render(f"{self.LINE} -distance 110 -Xbeam 31 -Ybeam 25")
        assert_same_picture(image, same)

    def test_millimeters(self, render: Render) -> None:
        assert_same_picture(
            render(f"{self.LINE} -pix0_vector_mm 110 25 -31"), render(f"{self.LINE} -pix0_vector .110 .025 -.031")
        )

    @pytest.mark.parametrize("pivot", ["", "-pivot beam", "-pivot sample"])
    def test_rotations_turn_it_about_the_sample(self, render: Render, pivot: str) -> None:
        image = render(f"{self.LINE} -pix0_vector_mm 110 25 -31 {TILTED} {pivot}")
        same = render(f"{self.LINE} -close_distance 110 -Xbeam 31 -Ybeam 25 {TILTED} -pivot sample")
        assert_same_picture(image, same)

    def test_the_distance_follows(self, render: Render) -> None:
        line = f"{self.LINE} -pix0_vector_mm 110 25 -31"
        np.testing.assert_array_equal(render(f"{line} -distance 300"), render(line))

    @pytest.mark.parametrize("center", ["-Xbeam 20", "-Yclose 20", "-ORGX 10"])
    def test_a_beam_center_on_the_command_line_wins(self, render: Render, center: str) -> None:
        line = f"{self.LINE} -distance 110 {center}"
        np.testing.assert_array_equal(render(f"{line} -pix0_vector_mm 110 25 -31"), render(line))

    def test_a_beam_center_of_a_header_does_not(self, render: Render) -> None:
        line = f"-img header.img {self.LINE}"
        assert_same_picture(
            render(f"{line} -pix0_vector_mm 110 25 -31"),
            render(f"{line} -distance 110 -Xbeam 31 -Ybeam 25 -pivot beam"),
        )

    def test_c_ignores_it(self, render: Render) -> None:
        line = f"{self.LINE} -distance 110"
        np.testing.assert_array_equal(render(f"{line} -pix0_vector_mm 90 25 -31", "c"), render(line, "c"))
