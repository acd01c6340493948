"""Photons as whole numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nbnumba.errors import InputError
from nbnumba.readout.digitize import LOWEST, SATURATION, saturation_value, to_dtype

WHOLE = ["int32", "uint16"]


def one(value: float, dtype: str, saturation: int | None) -> tuple[int, bool]:
    """Return the pixel of one value, and whether it was clipped, without NumPy."""
    top, low = SATURATION[dtype] if saturation is None else saturation, LOWEST[dtype]
    if math.isnan(value):
        return 0, True
    if math.isinf(value):
        return (top if value > 0.0 else low), True
    nearest = round(value)
    return min(max(nearest, low), top), not low <= nearest <= top


@pytest.mark.parametrize("dtype", WHOLE)
@given(
    values=arrays.arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32)),
    saturation=st.none() | st.integers(0, 65535),
)
@pytest.mark.property
def test_every_pixel_is_the_nearest_allowed_number(dtype: str, values: np.ndarray, saturation: int | None) -> None:
    pixels, clipped = to_dtype(values, dtype, saturation)
    expected = [one(float(value), dtype, saturation) for value in values]
    assert pixels.dtype == dtype
    assert pixels.tolist() == [pixel for pixel, _ in expected]
    assert clipped == sum(was for _, was in expected)


@pytest.mark.parametrize(
    ("dtype", "values", "expected", "clipped"),
    [
        ("uint16", [0.5, 1.5, 2.4999, 65533.4, 65534, np.inf], [0, 2, 2, 65533, 65533, 65533], 2),
        ("uint16", [-0.4, -0.6, -np.inf, np.nan], [0, 0, 0, 0], 3),
        ("int32", [2147483520.0, 2147483648.0, 1e30], [2147483520, 2**31 - 3, 2**31 - 3], 2),
        ("int32", [-0.6, -28.0, -(2.0**31), -3e9, np.nan], [-1, -28, -(2**31), -(2**31), 0], 2),
    ],
)
def test_limits(dtype: str, values: list[float], expected: list[int], clipped: int) -> None:
    pixels, count = to_dtype(np.array(values, np.float32), dtype)
    assert pixels.tolist() == expected
    assert count == clipped


def test_float_pixels_stay_as_they_are() -> None:
    image = np.array([[1.25, -3.0], [np.nan, np.inf]], np.float32)
    pixels, clipped = to_dtype(image, "float32")
    np.testing.assert_array_equal(pixels, image)
    assert (pixels.dtype, clipped) == (np.float32, 0)
    pixels, clipped = to_dtype(image, "float32", 1.0)
    np.testing.assert_array_equal(pixels, np.array([[1.0, -3.0], [np.nan, 1.0]], np.float32))
    assert clipped == 2
    assert image[0, 0] == 1.25


@pytest.mark.parametrize("dtype", WHOLE)
def test_shape_is_kept_across_blocks(dtype: str) -> None:
    # More pixels than three blocks, of a shape that none of them ends with.
    image = (np.arange(3 * 70001 * 1, dtype=np.float32) % 70000).reshape(3, 1, 70001)
    image[2, 0, 70000] = -5.0
    pixels, clipped = to_dtype(image, dtype)
    expected = np.clip(image.astype(np.int64), LOWEST[dtype], SATURATION[dtype])
    np.testing.assert_array_equal(pixels, expected)
    assert clipped == np.count_nonzero(expected != image)


def test_a_view_with_gaps_and_other_numbers() -> None:
    counts = np.arange(24, dtype=np.uint16).reshape(4, 6)
    pixels, clipped = to_dtype(counts[::2, ::3].astype(np.int64) - 5, "int32")
    assert pixels.tolist() == [[-5, -2], [7, 10]]
    assert clipped == 0


@pytest.mark.parametrize("dtype", ["int64", "float", ""])
def test_other_dtypes(dtype: str) -> None:
    with pytest.raises(InputError, match="allowed are float32, int32, uint16"):
        to_dtype(np.zeros(1, np.float32), dtype)


@pytest.mark.parametrize(("dtype", "saturation"), [("uint16", 65536), ("int32", -1), ("int32", math.nan)])
def test_saturation_that_does_not_fit(dtype: str, saturation: float) -> None:
    with pytest.raises(InputError, match="saturation value"):
        to_dtype(np.zeros(1, np.float32), dtype, saturation)
    with pytest.raises(InputError, match="saturation value"):
        saturation_value(dtype, saturation)


def test_a_limit_for_floats_must_be_a_number() -> None:
    with pytest.raises(InputError, match="saturation value nan"):
        to_dtype(np.zeros(1, np.float32), "float32", math.nan)


def test_saturation_value() -> None:
    assert saturation_value("uint16") == 65533
    assert saturation_value("int32") == 2**31 - 3
    assert saturation_value("int32", 1000.7) == 1000
    assert saturation_value("float32") == math.inf
    assert saturation_value("float32", 12.5) == 12.5
