"""Amplitudes from measured intensities: the mean that an amplitude has, given intensity and error (French-Wilson)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FAR = 36.0  # beyond it parabolic cylinder functions run out of range, and two terms of their series suffice
_PER_SHELL = 100  # reflections whose mean intensity is known to a tenth
_MOST_SHELLS = 60


def amplitudes(intensity: Array, sigma: Array, mean: Array, centric: NDArray[np.bool_]) -> Array:
    """Return the mean amplitude of each reflection, over all that its true intensity may be.

    Parameters
    ----------
    intensity, sigma : (n,) float64
        As measured, below 0 included, and its standard deviation, greater than 0.
    mean : (n,) float64
        Of the true intensity of such reflections by Wilson's statistics, greater than 0.
    centric : (n,) bool

    Returns
    -------
    (n,) float64

    Notes
    -----
    S. French and K. Wilson, Acta Cryst. A34 (1978) 517. With x the true intensity over sigma, the prior is
    exp(-x sigma/mean), or x^(-1/2) exp(-x sigma/(2 mean)) for centric reflections. It times the error's
    exp(-(x - I/sigma)^2/2) is, but for a factor, x^(nu - 1) exp(-x^2/2 + h x), of which D_nu, the parabolic
    cylinder function, is the integral.
    """
    h = intensity / sigma - sigma / np.where(centric, 2.0 * mean, mean)
    found = np.empty_like(h)
    found[~centric] = _moment_ratio(h[~centric], 1.0)
    found[centric] = _moment_ratio(h[centric], 0.5)
    return found * np.sqrt(sigma)


def _moment_ratio(h: Array, nu: float) -> Array:
    """Return the integral of x^(nu - 1/2) exp(-x^2/2 + h x) over that of x^(nu - 1) exp(-x^2/2 + h x), x from 0."""
    from scipy.special import gamma, pbdv

    factor = gamma(nu + 0.5) / gamma(nu)
    near = np.clip(h, -_FAR, _FAR)
    ratio = np.asarray(factor * pbdv(-nu - 0.5, -near)[0] / pbdv(-nu, -near)[0])
    above, below = h > _FAR, h < -_FAR
    # Gaussian about h; the next term is below 1e-8.
    inverse = 1.0 / np.square(h[above])
    ratio[above] = np.sqrt(h[above]) * _peak(nu + 0.5, inverse) / _peak(nu, inverse)
    inverse = 1.0 / np.square(h[below])
    ratio[below] = factor * np.sqrt(-1.0 / h[below]) * _tail(nu + 0.5, inverse) / _tail(nu, inverse)
    return ratio


def _peak(nu: float, inverse: Array) -> Array:
    """Return the mean of (x/h)^(nu - 1) about h, by its series in 1/h^2."""
    p = nu - 1.0
    return np.asarray(1.0 + p * (p - 1.0) / 2.0 * inverse + p * (p - 1.0) * (p - 2.0) * (p - 3.0) / 8.0 * inverse**2)


def _tail(nu: float, inverse: Array) -> Array:
    """Return the same where exp(h x) falls off faster than the Gaussian."""
    first = nu * (nu + 1.0)
    return np.asarray(1.0 - first / 2.0 * inverse + first * (nu + 2.0) * (nu + 3.0) / 8.0 * inverse**2)


def from_measured(
    hkl: NDArray[np.int64], intensity: Array, sigma: Array, operations: Any, spacing: Callable[..., Array]
) -> Array:
    """Return amplitudes of merged intensities.

    Parameters
    ----------
    hkl : (n, 3) int64
    intensity, sigma : (n,) float64
        Of rows whose sigma is not greater than 0, or NaN, the square root is taken.
    operations : gemmi.GroupOps
    spacing : callable
        Returns the spacings of indices [Angstrom], NaN where they are not known.

    Returns
    -------
    (n,) float64
    """
    found = np.sqrt(np.maximum(intensity, 0.0))
    indices = np.ascontiguousarray(hkl, dtype=np.int32)
    # A systematic absence has no true intensity to be distributed.
    usable = (sigma > 0.0) & np.isfinite(intensity) & ~operations.systematic_absences(indices)
    if not usable.any():
        return found
    indices, measured, error = indices[usable], intensity[usable], sigma[usable]
    multiplicity = np.asarray(operations.epsilon_factor_without_centering_array(indices), dtype=np.float64)
    mean = multiplicity * wilson_means(measured / multiplicity, error / multiplicity, spacing(hkl[usable]))
    found[usable] = amplitudes(measured, error, mean, np.asarray(operations.centric_flag_array(indices)))
    return found


def wilson_means(intensity: Array, sigma: Array, spacing: Array) -> Array:
    """Return the mean intensity about each reflection, by shells of resolution with as many reflections each.

    Parameters
    ----------
    intensity, sigma : (n,) float64
        Divided by the multiplicity of the reflection.
    spacing : (n,) float64 [Angstrom]
        NaN: all reflections are one shell.

    Returns
    -------
    (n,) float64
        Greater than 0: where noise makes a mean that is not, the error of the mean.
    """
    squares = np.where(np.isfinite(spacing), 1.0 / np.square(spacing), 0.0)
    order = np.argsort(squares, kind="stable")
    shells = np.array_split(order, min(_MOST_SHELLS, max(1, len(order) // _PER_SHELL)))
    means = []
    for shell in shells:
        least = np.sqrt(np.square(sigma[shell]).sum()) / len(shell)
        means.append(max(intensity[shell].mean(), least))
    return np.asarray(np.interp(squares, [squares[shell].mean() for shell in shells], means))
