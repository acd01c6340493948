"""Derivatives of the functions of a sample, against differences of these functions and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from nbnumba.kernels.physics import sample, slopes, structure_factor


def difference(function: Callable[[float], float], at: float, step: float) -> float:
    """Fourth-order central difference."""
    near, far = function(at + step) - function(at - step), function(at + 2 * step) - function(at - 2 * step)
    return (8.0 * near - far) / (12.0 * step)


def _ratio(h: float, N: float) -> float:
    return math.sin(math.pi * N * h) / math.sin(math.pi * h)


def _interference(h: float, N: float) -> tuple[float, float, float]:
    """Value of one axis, with its derivatives; along the others it is 1."""
    ends = slopes.least_offset(N), slopes.least_offset(1.0), slopes.least_offset(1.0)
    value, by_offset, by_cells = slopes.interference_slopes(h, 0.0, 0.0, (N, 1.0, 1.0), *zip(*ends, strict=True), 1.0)
    return value, math.pi * by_offset[0] / value, math.pi * by_cells[0] / value


@pytest.mark.parametrize("N", [1.0, 5.0, 36.7, 400.0])
@pytest.mark.parametrize("reach", [1e-3, 0.1, 0.9, 1.5, 3.3])
def test_interference(N: float, reach: float) -> None:
    """On either side of where the series ends, and far from the reflection."""
    h = min(0.45, reach / N)
    value, by_h, by_N = _interference(h, N)
    sign = math.copysign(1.0, value * _ratio(h, N))
    step = 1e-3 * h
    # Rounding of the differences: 1e-16 of a value of N over the step; truncation: the step's fourth power.
    assert sign * by_h == pytest.approx(difference(lambda x: _ratio(x, N), h, step), abs=1e-9 * N * N)
    assert sign * by_N == pytest.approx(difference(lambda n: _ratio(h, n), N, 1e-3 * N), abs=1e-9 * N)
    mirrored = _interference(-h, N)
    assert mirrored == (value, -by_h, by_N)


@pytest.mark.parametrize("N", [5.0, 36.7, 400.0])
@pytest.mark.parametrize("reach", [1e-8, 2e-5, 3.1e-5, 3.3e-5, 1e-4])
def test_interference_near_the_middle(N: float, reach: float) -> None:
    """On either side of where the derivative is taken for linear."""
    h = reach / N
    value, by_h, _ = _interference(h, N)
    linear = math.copysign(1.0, value) * N * (1.0 - N * N) * math.pi**2 / 3.0 * h
    # The rounding of what cancels over pi h; the next term of the series is 1e-12 of the largest derivative, some N^2.
    assert by_h == pytest.approx(linear, abs=2e-11 * N * N)


def test_interference_in_the_middle() -> None:
    value, by_h, by_N = _interference(0.0, 25.0)
    assert (abs(value), by_N) == (pytest.approx(25.0), pytest.approx(1.0))
    assert abs(by_h) < 1e-6  # it is worked out at 1e-12 off the middle


@pytest.mark.parametrize("s", [1e-3, 0.2, 0.2499, 0.2501, 0.7, 1.3, 4.4])
def test_ellipsoid(s: float) -> None:
    N = 10.0
    height = sample.lattice_factor_round(0.0, 0.0, 0.0, N, N, N, 1.0, False)

    def intensity(squared: float) -> float:
        x = math.pi * math.sqrt(squared)
        return (height * 3.0 * (math.sin(x) - x * math.cos(x)) / x**3) ** 2

    value, slope = slopes.ellipsoid_intensity(s / N, 0.0, 0.0, N, N, N, 1.0, False, height)
    if s > 0.1:  # nearer to the middle the formula above cancels
        assert value == pytest.approx(intensity(s * s), abs=1e-10 * height**2)
        assert slope == pytest.approx(difference(intensity, s * s, 1e-3 * s * s), abs=1e-9 * height**2)
    else:  # 1 - x^2/5: of the square of 1 - x^2/10 + x^4/280
        assert slope == pytest.approx(-(math.pi**2) / 5.0 * height**2, rel=1e-4)


def test_interpolation() -> None:
    flat = np.random.default_rng(0).normal(size=8**3)
    at = [3.3, 2.6, 3.9]
    found = slopes.cubic_interpolation_slopes(*at, flat, 0.0, 0.0, 0.0, 8, 8)
    assert found[0] == structure_factor.cubic_interpolation(*at, flat, 0.0, 0.0, 0.0, 8, 8)
    for axis in range(3):

        def along(x: float, axis: int = axis) -> float:
            h, k, l = (x if i == axis else value for i, value in enumerate(at))
            return float(structure_factor.cubic_interpolation(h, k, l, flat, 0.0, 0.0, 0.0, 8, 8))

        assert found[1 + axis] == pytest.approx(difference(along, at[axis], 1e-3), abs=1e-11)


def test_factors() -> None:
    """Polarization, capture and solid angle, along random changes of all that they depend on."""
    random = np.random.default_rng(1)
    axis, incident, diffracted = np.array([0.1, 0.2, 0.97]), np.array([1.0, 0.0, 0.0]), np.array([0.9, 0.3, 0.2])
    d_axis, d_incident, d_diffracted = random.normal(size=(3, 3))

    def polarization(t: float) -> float:
        i, d = incident + t * d_incident, diffracted + t * d_diffracted
        axes = sample.polarization_axes(*i, *(axis + t * d_axis))
        return float(
            sample.polarization_factor(0.7 + 0.3 * t, i @ d, float(np.dot(axes[:3], d)), float(np.dot(axes[3:], d)))
        )

    found = slopes.polarization_slope(
        0.7, tuple(axis), tuple(incident), tuple(diffracted), 0.3, tuple(d_axis), tuple(d_incident), tuple(d_diffracted)
    )
    assert found == pytest.approx(difference(polarization, 0.0, 1e-4), rel=1e-9)

    def capture(t: float) -> float:
        return float(sample.capture_fraction(2.0, 1e-4 + 1e-4 * t, 3e3 + 1e3 * t, 0.8 + 0.3 * t))

    assert slopes.capture_slope(2.0, 1e-4, 3e3, 0.8, 1e-4, 1e3, 0.3) == pytest.approx(
        difference(capture, 0.0, 1e-3), rel=1e-9
    )
    for point, obliquity in ((False, True), (False, False), (True, True)):

        def omega(t: float, point: bool = point, obliquity: bool = obliquity) -> float:
            return math.log(
                sample.solid_angle(5.0 * math.exp(-2.0 * t), 1e-4, 2e-4, math.exp(3.0 * t), point, obliquity)
            )

        assert slopes.solid_angle_log_slope(2.0, 3.0, point, obliquity) == pytest.approx(difference(omega, 0.0, 1e-3))
