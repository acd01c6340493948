"""Each rule of the gate fails for its own violation and for no other."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import judge, judge_counts


@pytest.fixture
def golden() -> np.ndarray:
    return np.random.default_rng(1).uniform(1, 100, (40, 50)).astype(np.float32)


def test_an_image_agrees_with_itself(golden: np.ndarray) -> None:
    verdict = judge(golden, golden)
    assert verdict.passed
    assert (verdict.worst_relative, verdict.equal_fraction, verdict.sum_ratio) == (0.0, 1.0, 1.0)


def test_one_pixel_may_be_two_units_off_but_not_five(golden: np.ndarray) -> None:
    near, far = golden.copy(), golden.copy()
    near[3, 7] *= np.float32(1 + 1.9e-7)
    far[3, 7] *= np.float32(1 + 5e-7)
    assert judge(golden, near).passed
    verdict = judge(golden, far)
    assert not verdict.passed
    assert not verdict.pixels_agree
    assert verdict.worst_pixel == (3, 7)
    assert "(3, 7)" in verdict.reason


def test_pixels_left_out_are_not_judged(golden: np.ndarray) -> None:
    far = golden.copy()
    far[3, 7] *= 2
    left_out = np.zeros(golden.shape, bool)
    left_out[3, 7] = True
    assert judge(golden, far, left_out=left_out).passed
    assert not judge(golden, far).passed


def test_too_many_pixels_a_unit_off(golden: np.ndarray) -> None:
    # Up and down in turn, so that the sum stays.
    ours = golden.copy()
    ours[::5, ::2] = np.nextafter(ours[::5, ::2], np.float32(200))
    ours[::5, 1::2] = np.nextafter(ours[::5, 1::2], np.float32(0))
    verdict = judge(golden, ours)
    assert verdict.pixels_agree
    assert not verdict.passed
    assert "equal to the bit" in verdict.reason
    assert judge(golden, ours, "cuda").passed


def test_a_sum_that_drifts(golden: np.ndarray) -> None:
    # A few very bright pixels, all two units up: few differ, none by much, the sum does.
    golden[:, 0] = 8400.0
    ours = golden.copy()
    for _ in range(2):
        ours[:30, 0] = np.nextafter(ours[:30, 0], np.float32(1e5))
    verdict = judge(golden, ours)
    assert verdict.pixels_agree
    assert verdict.sum_ratio - 1.0 > 1e-8
    assert verdict.reason.startswith("sum ratio - 1 is")
    assert ";" not in verdict.reason


def test_zero_stays_zero(golden: np.ndarray) -> None:
    golden[5, 5] = 0.0
    ours = golden.copy()
    ours[5, 5] = 5e-13 * golden.max()
    assert judge(golden, ours).passed
    ours[5, 5] = 2e-12 * golden.max()
    assert not judge(golden, ours).pixels_agree


def test_nan_and_infinity_must_be_in_the_same_places(golden: np.ndarray) -> None:
    golden[0, 0], golden[0, 1] = np.nan, np.inf
    assert judge(golden, golden.copy()).passed
    ours = golden.copy()
    ours[0, 0] = 1.0
    assert not judge(golden, ours).pixels_agree
    ours = golden.copy()
    ours[0, 1] = -np.inf
    assert not judge(golden, ours).pixels_agree


def test_black_images() -> None:
    black = np.zeros((4, 4), np.float32)
    assert judge(black, black).passed
    lit = black.copy()
    lit[1, 1] = 1e-30
    assert not judge(black, lit).passed
    assert not judge(lit, black).passed


def test_another_number_of_pixels(golden: np.ndarray) -> None:
    with pytest.raises(ValueError, match="2000 pixels"):
        judge(golden, golden[:-1])


def test_counts() -> None:
    golden = np.full((100, 100), 7, np.uint16)
    ours = golden.copy()
    ours[0, 0] += 1
    assert judge_counts(golden, ours) == ""
    ours[0, 1] -= 1
    assert "2 pixels" in judge_counts(golden, ours)
    ours[0, 1] = 9
    assert "2 counts" in judge_counts(golden, ours)
    assert "pixels" in judge_counts(golden, ours[:-1])
