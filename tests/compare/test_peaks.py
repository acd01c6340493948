"""Peaks: where they are found, and how far apart their partners lie."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from nbnumba.compare.peaks import find_peaks, match_peaks

SPOTS = np.array([[12.0, 20.0], [30.2, 15.4], [40.0, 41.7], [18.3, 44.1], [25.0, 30.0]])
HEIGHTS = np.array([1000.0, 800.0, 700.0, 500.0, 300.0])

# The centroid over 5 x 5 pixels cuts the tails of a spot unevenly, and the background below is not flat.
OFF_CENTER = 0.03  # pixels
# Most of that is common to two images of the same spots.
OFF_SHIFT = 0.005
SUMS = 1e-12  # rounding of the sums of a centroid


def spots(places: NDArray, heights: NDArray = HEIGHTS, shape: tuple[int, int] = (52, 57)) -> NDArray:
    """Gaussian spots on a background of 10 with some structure, one pixel wide (sigma)."""
    slow, fast = np.indices(shape)
    image = 10.0 + np.sin(slow * 1.3) + np.cos(fast * 0.9)
    for (s, f), height in zip(places, heights, strict=True):
        image += height * np.exp(-0.5 * ((slow - s) ** 2 + (fast - f) ** 2))
    return image


def test_peaks_are_found_brightest_first() -> None:
    found = find_peaks(spots(SPOTS), 10)
    assert len(found) == len(SPOTS)
    np.testing.assert_allclose(found, SPOTS, rtol=0, atol=OFF_CENTER)


def test_no_more_peaks_than_asked_for() -> None:
    np.testing.assert_allclose(find_peaks(spots(SPOTS), 2), SPOTS[:2], rtol=0, atol=OFF_CENTER)


def test_displacement_of_shifted_spots() -> None:
    shift = np.array([0.3, -0.2])
    match = match_peaks(spots(SPOTS), spots(SPOTS + shift), 10, 3.0)
    assert (match.matched, match.found_a, match.found_b) == (5, 5, 5)
    assert match.mean is not None
    assert match.median is not None
    assert match.mean == pytest.approx(np.hypot(*shift), abs=OFF_SHIFT)
    assert match.median == pytest.approx(np.hypot(*shift), abs=OFF_SHIFT)
    assert match.shift == pytest.approx(tuple(shift), abs=OFF_SHIFT)


def test_whole_pixel_shift_is_measured_exactly() -> None:
    image = spots(SPOTS)
    moved = np.roll(image, (1, -2), axis=(0, 1))
    match = match_peaks(image, moved, 10, 3.0)
    assert match.matched == 5
    assert match.shift == pytest.approx((1.0, -2.0), abs=SUMS)
    assert match.mean == pytest.approx(np.sqrt(5.0), abs=SUMS)


def test_nothing_matches_beyond_the_radius() -> None:
    image = spots(SPOTS)
    match = match_peaks(image, np.roll(image, 4, axis=0), 10, 3.0)
    assert (match.found_a, match.found_b, match.matched) == (5, 5, 0)
    assert match.mean is match.median is match.shift is None


def test_one_displaced_spot_moves_the_mean_not_the_median() -> None:
    places = SPOTS.copy()
    places[4, 0] += 2.0
    match = match_peaks(spots(SPOTS), spots(places), 10, 3.0)
    assert match.median == pytest.approx(0.0, abs=SUMS)
    assert match.mean == pytest.approx(2.0 / 5, abs=OFF_SHIFT)


def test_peaks_of_almost_one_height_match_across_the_end_of_the_list() -> None:
    places = SPOTS[:2]
    a, b = spots(places, np.array([1000.0, 999.0])), spots(places, np.array([999.0, 1000.0]))
    match = match_peaks(a, b, 1, 3.0)
    assert (match.found_a, match.matched) == (1, 1)
    assert match.mean == pytest.approx(0.0, abs=1e-5)  # the height moves the centroid that little


@pytest.mark.parametrize("value", [0.0, 7.0, -1e300, np.nan, np.inf])
def test_image_without_pattern_has_no_peaks(value: float) -> None:
    image = np.full((30, 30), value)
    match = match_peaks(image, image, 10, 3.0)
    assert (match.found_a, match.found_b, match.matched) == (0, 0, 0)


@pytest.mark.parametrize("shape", [(1, 1), (4, 40), (5, 5)])
def test_small_images(shape: tuple[int, int]) -> None:
    image = np.zeros(shape)
    image[shape[0] // 2, shape[1] // 2] = 1.0
    assert len(find_peaks(image, 10)) == (1 if min(shape) >= 5 else 0)


def test_plateau_is_one_peak() -> None:
    image = np.zeros((20, 20))
    image[8:10, 11:13] = 65535.0
    np.testing.assert_allclose(find_peaks(image, 10), [[8.5, 11.5]], rtol=0, atol=SUMS)


def test_values_that_are_not_finite_are_background() -> None:
    image = spots(SPOTS)
    image[2:6, :] = np.nan
    image[48, 50] = np.inf
    np.testing.assert_allclose(find_peaks(image, 10), SPOTS, rtol=0, atol=OFF_CENTER)


def test_huge_values_do_not_overflow() -> None:
    np.testing.assert_allclose(find_peaks(spots(SPOTS) * 1e304, 10), find_peaks(spots(SPOTS), 10), rtol=0, atol=SUMS)


def test_peaks_stay_apart() -> None:
    image = np.random.default_rng(5).random((60, 60))
    found = find_peaks(image * (image > 0.95), 500)
    assert len(found) > 20
    near = np.abs(found[:, None, :] - found[None, :, :]).max(axis=2) + 10.0 * np.eye(len(found))
    # Maxima are more than two pixels apart; centroids of neighbors lean toward each other, never together.
    assert near.min() > 0.0


def test_a_peak_has_one_partner_at_most() -> None:
    a = spots(np.array([[20.0, 20.0], [20.0, 25.0]]), np.array([1000.0, 900.0]))
    b = spots(np.array([[20.0, 22.0]]), np.array([1000.0]))
    match = match_peaks(a, b, 10, 4.0)
    assert (match.found_a, match.found_b, match.matched) == (2, 1, 1)
    assert match.mean == pytest.approx(2.0, abs=OFF_CENTER)  # and the tail of the neighbor
