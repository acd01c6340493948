"""Bringing two images to one shape: sums stay, masks and regions hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnumba.compare.pair import add_up, make_pair
from nbnumba.errors import InputError
from nbnumba.imagefiles.records import LoadedImage


def image(values: object, left_out: object = None) -> LoadedImage:
    mask = None if left_out is None else np.asarray(left_out, bool)
    return LoadedImage("name", "kind", np.asarray(values, dtype=np.float64), mask)


def test_whole_factors_add_blocks_up() -> None:
    fine = np.random.default_rng(1).random((6, 12))
    expected = fine.reshape(3, 2, 4, 3).sum(axis=(1, 3))
    np.testing.assert_allclose(add_up(fine, (3, 4)), expected, rtol=1e-15)  # order of the sums


def test_fractions_of_pixels() -> None:
    # Three pixels on two: the middle one is shared.
    np.testing.assert_array_equal(add_up(np.array([[1.0], [10.0], [100.0]]), (2, 1)), [[6.0], [105.0]])
    np.testing.assert_array_equal(add_up(np.array([[1.0, 10.0, 100.0]]), (1, 2)), [[6.0, 105.0]])


@pytest.mark.property
@settings(max_examples=60)
@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_sum_is_kept(n_slow: int, n_fast: int, data: st.DataObject) -> None:
    fine = np.random.default_rng(n_slow * 100 + n_fast).random((n_slow, n_fast))
    shape = data.draw(st.integers(1, n_slow)), data.draw(st.integers(1, n_fast))
    coarse = add_up(fine, shape)
    assert coarse.shape == shape
    assert coarse.sum() == pytest.approx(fine.sum(), rel=1e-13)  # rounding of sums of up to 900 terms
    # A flat image stays flat, but for the rounding of the same sums.
    flat = add_up(np.ones((n_slow, n_fast)), shape)
    np.testing.assert_allclose(flat, n_slow * n_fast / (shape[0] * shape[1]), rtol=1e-13)


def test_not_a_number_spoils_only_the_pixels_that_hold_it() -> None:
    fine = np.ones((4, 1))
    fine[2] = np.nan
    np.testing.assert_array_equal(np.isnan(add_up(fine, (2, 1)))[:, 0], [False, True])


def test_coarser_shape_is_taken_along_each_axis() -> None:
    pair = make_pair(image(np.ones((4, 6))), image(np.ones((8, 3))))
    assert pair.resampled
    assert pair.a.shape == pair.b.shape == (4, 3)
    assert np.all(pair.a == 2.0)
    assert np.all(pair.b == 2.0)
    assert pair.shapes == ((4, 6), (8, 3))


def test_images_of_one_shape_are_left_alone() -> None:
    values = np.random.default_rng(2).random((5, 7))
    pair = make_pair(image(values), image(values + 1.0))
    assert not pair.resampled
    assert not pair.left_out.any()
    np.testing.assert_array_equal(pair.a, values)


def test_region_is_cut_out_and_remembers_its_place() -> None:
    values = np.arange(50.0).reshape(5, 10)
    pair = make_pair(image(values), image(values), roi=(3, 6, 1, 2))
    np.testing.assert_array_equal(pair.a, values[1:3, 3:7])
    assert pair.origin == (1, 3)


def test_region_outside() -> None:
    with pytest.raises(InputError, match="-roi 20 30 0 4: holds no pixel of an image of 10 x 5"):
        make_pair(image(np.ones((5, 10))), image(np.ones((5, 10))), roi=(20, 30, 0, 4))


def test_pixels_outside_the_valid_range_are_left_out_of_both() -> None:
    pair = make_pair(image([[-1.0, 2.0, 3.0]]), image([[1.0, 2.0, 99.0]]), valid=(0.0, 10.0))
    np.testing.assert_array_equal(pair.left_out, [[True, False, True]])


def test_masked_pixels_are_left_out_after_adding_up_too() -> None:
    masked = image(np.full((4, 4), 5.0), np.eye(4) * [1, 0, 0, 0])
    pair = make_pair(masked, image(np.ones((2, 2))))
    np.testing.assert_array_equal(pair.left_out, [[True, False], [False, False]])
    assert pair.a[1, 1] == 20.0


def test_nothing_left() -> None:
    with pytest.raises(InputError, match="no pixel is left"):
        make_pair(image([[1.0]]), image([[2.0]]), valid=(5.0, 6.0))
