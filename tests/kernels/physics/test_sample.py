"""The compiled formulas against closed forms in exact or double arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from nbnumba.kernels.physics import functions
from nbnumba.kernels.physics import sample as physics
from nbnumba.kernels.physics import structure_factor as look_up

RNG_SEED = 20260117


def sine_of_half_turns(x: Fraction) -> float:
    """sin(pi x), with the whole turns taken off exactly."""
    rest = x - 2 * math.floor(x / 2)
    if rest > 1:
        return -sine_of_half_turns(rest - 1)
    return math.sin(math.pi * float(min(rest, 1 - rest)))


def interference_exactly(h: float, cells: int) -> float:
    """sin(pi N h)/sin(pi h), reduced in rational numbers."""
    bottom = sine_of_half_turns(Fraction(h))
    return cells if bottom == 0.0 else sine_of_half_turns(cells * Fraction(h)) / bottom


def lattice_factor(h: float, cells: int) -> float:
    """The compiled amplitude along one axis, as the kernels call it."""
    return physics.lattice_factor_square(h - functions.nearest_index(h), 0.3, 0.2, float(cells), 1.0, 1.0)


def test_sin_pi_keeps_its_bound() -> None:
    x = np.random.default_rng(RNG_SEED).uniform(-0.5, 0.5, 20_000)
    ours = np.array([functions.sin_pi(v) for v in x])
    # The docstring's 2.2e-11 is the polynomial's own error.
    assert np.max(np.abs(ours / np.sin(np.pi * x) - 1.0)) < 2.2e-11


def test_amplitude_of_a_square_crystal_for_any_index_and_size() -> None:
    """Over |h| <= 300 and N <= 1000; the error is that of two polynomials and of the rounding of N dh."""
    rng = np.random.default_rng(RNG_SEED)
    for _ in range(20_000):
        h, cells = float(rng.uniform(-300.0, 300.0)), int(rng.integers(1, 1001))
        exactly = interference_exactly(h, cells)
        # 2 x 2.2e-11 of the value; N dh is rounded to 1 part in 2^53 of at most 500, which turns sin by up to 2e-13.
        bottom = abs(sine_of_half_turns(Fraction(h)))
        allowed = 5e-11 * abs(exactly) + 2e-13 / bottom
        assert abs(abs(lattice_factor(h, cells)) - abs(exactly)) <= allowed


@pytest.mark.parametrize("cells", [1, 2, 7, 900, 1000])
@pytest.mark.parametrize("h", [0.0, 1.0, -17.0, 299.0])
def test_amplitude_on_a_reflection_is_the_number_of_cells(h: float, cells: int) -> None:
    assert abs(lattice_factor(h, cells)) == pytest.approx(cells, rel=1e-10)  # of the polynomials


def test_nearest_index_rounds_ties_down() -> None:
    assert [functions.nearest_index(h) for h in (0.5, 1.5, -0.5, -1.5, 2.49, 2.51)] == [0.0, 1.0, -1.0, -2.0, 2.0, 3.0]


def test_exponential_down_to_the_smallest_number() -> None:
    x = np.concatenate([np.random.default_rng(RNG_SEED).uniform(0.0, 708.0, 5000), [0.0, 1e-300, 1.0, 700.0]])
    ours = np.array([functions.exp_minus(v) for v in x])
    assert np.max(np.abs(ours / np.exp(-x) - 1.0)) < 1e-15  # the docstring's 4e-16 and NumPy's own half unit
    assert functions.exp_minus(800.0) == 0.0
    assert functions.exp_minus(740.0) == pytest.approx(math.exp(-740.0), rel=0.02)  # a subnormal number has few digits
    assert functions.exp_minus(-2.0) == pytest.approx(math.exp(2.0), rel=1e-15)  # as of negative exponents


def test_inverse_square_root() -> None:
    x = 10.0 ** np.random.default_rng(RNG_SEED).uniform(-30.0, 30.0, 5000)
    ours = np.array([functions.inverse_sqrt(v) for v in x])
    # The docstring's 3e-16, and the rounding of the root and of the product.
    assert np.max(np.abs(ours * np.sqrt(x) - 1.0)) < 7e-16
    assert math.isfinite(functions.inverse_sqrt(0.0))


def test_amplitude_of_a_round_crystal() -> None:
    rng = np.random.default_rng(RNG_SEED)
    for dh, dk, dl in rng.uniform(-0.5, 0.5, (5000, 3)):
        Na, Nb, Nc, fudge = 12.0, 10.0, 30.0, 1.3
        x = math.pi * math.sqrt(fudge * ((Na * dh) ** 2 + (Nb * dk) ** 2 + (Nc * dl) ** 2))
        expected = Na * Nb * Nc * 0.723601254558268 * 3.0 * (math.sin(x) / x - math.cos(x)) / x**2
        for cancels in (False, True):
            ours = physics.lattice_factor_round(dh, dk, dl, Na, Nb, Nc, fudge, cancels)
            # Relative to the envelope 3/x^2: 1e-12 of the polynomials, and 1e-16 x of the reduction of x <= 60.
            assert abs(abs(ours) - abs(expected)) <= 2e-12 * Na * Nb * Nc * 3.0 / x**2
    for cancels in (False, True):
        ours = physics.lattice_factor_round(0.0, 0.0, 0.0, 4.0, 5.0, 6.0, 1.0, cancels)
        assert ours == 120 * 0.723601254558268


def test_the_middle_of_a_round_spot() -> None:
    """sinc3(x) = 1 - x^2/10 + x^4/280 - x^6/15120 near 0; what C computes there is noise, and then nothing."""
    height = 12.0 * 0.723601254558268
    for x in 10.0 ** np.linspace(-12.0, -0.5, 200):
        dh = float(x) / math.pi / 12.0
        series = 1.0 - x**2 / 10.0 + x**4 / 280.0 - x**6 / 15120.0
        ours = physics.lattice_factor_round(dh, 0.0, 0.0, 12.0, 1.0, 1.0, 1.0, False) / height
        # The next term of the series, and rounding.
        assert ours == pytest.approx(series, abs=x**8 / 1330560.0 + 1e-15)
        as_c = physics.lattice_factor_round(dh, 0.0, 0.0, 12.0, 1.0, 1.0, 1.0, True) / height
        if x < 0.9e-8:
            assert as_c == 0.0
        elif x > 1.1e-8:
            # A few roundings to 1 part in 2^53 of numbers near 1, whose difference is x^2/3; the error of `_COSINE`.
            assert as_c == pytest.approx(series, abs=2e-15 * 3.0 / x**2 + 1e-10)


def test_spot_radius_is_the_same_in_the_turned_cell() -> None:
    """The triangular form that the kernels use against the length of the vector itself."""
    from nbnumba.crystal.spot_shape import triangle_of

    rng = np.random.default_rng(RNG_SEED)
    for _ in range(100):
        stars = rng.normal(0.0, 0.02, (3, 3))
        offset = rng.uniform(-0.5, 0.5, 3)
        expected = float(np.sum((offset @ stars) ** 2)) * 60.0**2
        ours = physics.spot_radius_squared(*offset, *triangle_of(stars.T), 60.0)
        assert ours == pytest.approx(expected, rel=1e-12)  # rounding of the orthogonal decomposition


def test_cubic_weights_reproduce_cubics() -> None:
    nodes = np.array([-1.0, 0.0, 1.0, 2.0])
    for u in np.linspace(0.0, 1.0, 11):
        weights = np.array(look_up.cubic_weights(u))
        for power in range(4):
            assert weights @ nodes**power == pytest.approx(u**power, abs=1e-14)  # rounding of four terms


def test_cubic_interpolation_of_a_polynomial_is_exact() -> None:
    """A product of cubics in h, k and l is reproduced anywhere in the table."""
    h0, k0, l0, shape = -3, -2, 5, (9, 8, 7)
    inside = np.ones(shape)
    for axis, first in enumerate((h0, k0, l0)):
        x = np.arange(first, first + shape[axis], dtype=float)
        inside *= (1.0 + 0.1 * x - 0.02 * x**3).reshape([-1 if i == axis else 1 for i in range(3)])
    padded = np.zeros([n + 2 for n in shape])
    padded[1:-1, 1:-1, 1:-1] = inside
    nh, nk, nl = padded.shape
    rng = np.random.default_rng(RNG_SEED)
    for h, k, l in rng.uniform((-1.9, -0.9, 6.1), (3.9, 3.9, 8.9), (200, 3)):
        expected = math.prod(1.0 + 0.1 * x - 0.02 * x**3 for x in (h, k, l))
        ours = look_up.structure_factor(h, k, l, padded.ravel(), h0, k0, l0, nh, nk, nl, True)
        assert ours == pytest.approx(expected, rel=1e-10, abs=1e-9)  # sums of 64 terms of up to 1e3
    assert look_up.structure_factor(-2.4, 0.0, 7.0, padded.ravel(), h0, k0, l0, nh, nk, nl, True) == inside[1, 2, 2]
    assert look_up.structure_factor(99.0, 0.0, 7.0, padded.ravel(), h0, k0, l0, nh, nk, nl, True) == 0.0


def test_polarization_of_a_horizontal_beam() -> None:
    """Fully polarized: nothing along the electric vector at 90 degrees, everything across it."""
    axes = physics.polarization_axes(0.0, 0.0, 1.0, 1.0, 0.0, 0.0)
    electric, magnetic = np.array(axes[:3]), np.array(axes[3:])
    for direction, expected in ((electric, 0.0), (magnetic, 1.0)):
        along = float(direction @ electric), float(direction @ magnetic)
        # Rounding of the unit vectors and of their squares.
        assert physics.polarization_factor(1.0, 0.0, *along) == pytest.approx(expected, abs=1e-15)
    assert physics.polarization_factor(0.0, 0.5, 0.3, 0.2) == 0.5 * (1 + 0.25)


def test_capture_of_thin_layers_adds_up() -> None:
    step, mu, parallax = 1e-4, 3000.0, 0.8
    total = sum(physics.capture_fraction(t, step, mu, parallax) for t in range(5))
    # Rounding of ten exponentials between 0 and 1 that cancel in the sum.
    assert total == pytest.approx(1.0 - math.exp(-5 * step * mu / parallax), rel=1e-14)
