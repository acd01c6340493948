"""Parameters of an experiment, fitted to an image by maximum likelihood."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.vectors import Array
from ..gradients.model import Point
from ..gradients.parameters import Parameters
from ..render.likelihood import Likelihood
from ..render.linearize import Linearization

MOST_EVALUATIONS = 60
_CONVERGED = 5e-4  # gain of the likelihood's logarithm that is still expected: 0.03 standard deviations
_FIRST_DAMPING = 1.0
_LARGEST_DAMPING = 1e10
_LONGEST_LOG_STEP = 0.7  # of a parameter that is positive: it changes by a factor of 2 at the most
_LONGEST_STEP = 20.0  # of other parameters, in units of their scales: derivatives mean nothing beyond
_LEAST_OFFSET = 1e-3  # photons
_SINGULAR = 1e-12  # of the smallest eigenvalue of the correlations that can still be inverted

Progress = Callable[[int, float], None]
"""Receives the number of the evaluation and the loss."""


@dataclass(frozen=True, eq=False)
class Refined:
    """What a fit has come to.

    Attributes
    ----------
    parameters : Parameters
        At the start.
    values : (n,)
    errors : (n,)
        One standard deviation each.
    covariance : (n, n)
    point : Point
        The experiment that was found, and what multiplies its photons.
    image : array
        Its model of the image [photons].
    sigma_z : float
        Root mean square of residuals over their standard deviations; 1 for a complete model.
    loss, loss_before : float
        Minus the logarithm of the likelihood, up to a constant, at the end and at the start.
    pixels, evaluations : int
    converged : bool
        False where the evaluations ran out.
    """

    parameters: Parameters
    values: Array
    errors: Array
    covariance: Array
    point: Point
    image: Array
    sigma_z: float
    loss: float
    loss_before: float
    pixels: int
    evaluations: int
    converged: bool

    @property
    def correlations(self) -> Array:
        """Correlation of every two parameters, (n, n)."""
        return np.asarray(self.covariance / np.outer(self.errors, self.errors))


@dataclass(frozen=True, eq=False)
class Fit:
    """A fit that is to be done.

    Attributes
    ----------
    parameters : Parameters
        To start from.
    data : array
        Of the shape of the image [photons].
    used : array of bool
        Pixels that count.
    variance : float [photons^2]
        Of the readout; 0: the data are counts.
    bounds : mapping
        From a parameter's name to the lowest and the highest value allowed.
    priors : mapping
        From a parameter's name to an expected value and its standard deviation.
    most_evaluations : int
    threads : int or None
    """

    parameters: Parameters
    data: NDArray[np.float64]
    used: NDArray[np.bool_]
    variance: float = 0.0
    bounds: Mapping[str, tuple[float, float]] | None = None
    priors: Mapping[str, tuple[float, float]] | None = None
    most_evaluations: int = MOST_EVALUATIONS
    threads: int | None = None

    def limits(self) -> tuple[Array, Array]:
        """Lowest and highest values, (n,) each."""
        low = np.array([component.low for component in self.parameters.components])
        high = np.array([component.high for component in self.parameters.components])
        for name, (lowest, highest) in (self.bounds or {}).items():
            number = self.number(name, "bounds")
            if not lowest < highest:
                raise InputError(f"bounds: {name}: {lowest:g} to {highest:g}; the first must be below the second")
            low[number], high[number] = max(low[number], lowest), min(high[number], highest)
            if not low[number] < high[number]:
                raise InputError(f"bounds: {name}: {lowest:g} to {highest:g} lies outside what is possible")
        return low, high

    def first_values(self) -> Array:
        """Values to start from, (n,).

        An offset of 0, which would make every background pixel impossible, is the median first.
        """
        values = self.parameters.values
        for number, name in enumerate(self.parameters.names):
            if name == "offset" and values[number] == 0.0:
                values[number] = max(_LEAST_OFFSET, float(np.median(self.data[self.used])))
        return np.clip(values, *self.limits())

    def number(self, name: str, option: str) -> int:
        """Number of a parameter by its name."""
        if name not in self.parameters.names:
            raise InputError(f"{option}: {name!r} is not refined; allowed: {', '.join(self.parameters.names)}")
        return self.parameters.names.index(name)

    def with_priors(self, found: Likelihood, values: Array) -> Likelihood:
        """Add what is expected beforehand."""
        gradient, information, spread, loss = (
            found.gradient.copy(),
            found.information.copy(),
            found.spread.copy(),
            found.loss,
        )
        for name, (center, width) in (self.priors or {}).items():
            i = self.number(name, "priors")
            if not width > 0.0:
                raise InputError(f"priors: {name}: a standard deviation of {width:g}; it must be above 0")
            loss += 0.5 * ((values[i] - center) / width) ** 2
            gradient[i] -= (values[i] - center) / width**2
            information[i, i] += width**-2
            spread[i, i] += width**-2
        return found._replace(loss=loss, gradient=gradient, information=information, spread=spread)


def refine(fit: Fit, progress: Progress | None = None) -> Refined:
    """Fit parameters by Levenberg's and Marquardt's method, with Fisher's information for the curvature.

    Positive parameters (numbers of cells, mosaicity, scale) change by factors. Errors are those of the sandwich
    covariance, which holds also where the likelihood is not quite that of the noise.

    Raises
    ------
    InputError
        For an image without pixels that count or without signal, parameters that it does not determine, and bounds or
        priors of parameters that are not refined.
    """
    start = _checked(fit)
    low, high = fit.limits()
    values = fit.first_values()
    factors = (low >= 0.0) & (values > 0.0)

    longest = np.where(factors, _LONGEST_LOG_STEP, _LONGEST_STEP * fit.parameters.scales)

    def evaluate(at: Array) -> Likelihood:
        linear = Linearization(fit.parameters, at, fit.threads)
        return fit.with_priors(linear.likelihood(start, fit.used, fit.variance), at)

    now = evaluate(values)
    before, evaluations, damping, growth, converged = now.loss, 1, _FIRST_DAMPING, 2.0, False
    _check_determined(fit, now, values)
    while evaluations < fit.most_evaluations and not converged and damping < _LARGEST_DAMPING:
        rates = np.where(factors, values, 1.0)
        gradient, information = now.gradient * rates, now.information * np.outer(rates, rates)
        # A parameter that stands at a bound and would leave it stays there.
        free = ~(((values <= low) & (gradient < 0.0)) | ((values >= high) & (gradient > 0.0)))
        step = np.zeros(len(values))
        damped = information[np.ix_(free, free)]
        left = 0.5 * float(gradient[free] @ _solved(damped, gradient[free])) if free.any() else 0.0
        if left < _CONVERGED:
            converged = True
            break
        step[free] = _solved(damped + damping * np.diag(np.diagonal(damped)), gradient[free])
        expected = 0.5 * float(step @ (damping * np.diagonal(information) * step + gradient))
        step = np.clip(step, -longest, longest)
        trial = np.clip(np.where(factors, values * np.exp(np.where(factors, step, 0.0)), values + step), low, high)
        if progress is not None:
            progress(evaluations, now.loss)
        then = evaluate(trial)
        evaluations += 1
        gain = now.loss - then.loss
        if np.isfinite(then.loss) and gain > -1e-9 * abs(now.loss):
            ratio = gain / expected if expected > 0.0 else 0.0
            values, now = trial, then
            damping *= max(0.1, 1.0 - (2.0 * ratio - 1.0) ** 3)
            growth = 2.0
        else:
            damping, growth = damping * growth, 2.0 * growth
    return _result(fit, now, values, before, evaluations, converged)


def _checked(fit: Fit) -> Array:
    """Return the data where they count; raise where there is nothing to fit."""
    if fit.used.shape != fit.data.shape:
        raise InputError(f"used: has the shape {fit.used.shape}; allowed: {fit.data.shape}, that of the data")
    if not fit.used.any():
        raise InputError("refine: no pixel of the image counts; all are masked, negative or saturated")
    data = np.where(fit.used, fit.data, 0.0)
    if not data.any():
        raise InputError("refine: every pixel that counts is 0: there is nothing to fit")
    return data


def _check_determined(fit: Fit, found: Likelihood, values: Array) -> None:
    """Refuse parameters that no pixel depends on."""
    missing = [name for name, own in zip(fit.parameters.names, np.diagonal(found.information), strict=True) if own <= 0]
    if missing:
        raise InputError(
            f"refine: {', '.join(missing)}: no pixel that counts depends on it here; is the start far off, or a spot "
            "in none of the pixels?"
        )
    if not (np.all(np.isfinite(found.information)) and math.isfinite(found.loss)):
        shown = ", ".join(f"{name} {value:g}" for name, value in zip(fit.parameters.names, values, strict=True))
        raise InputError(f"refine: the start has no finite likelihood: {shown}")


def _solved(matrix: Array, vector: Array) -> Array:
    """Solve equations whose unknowns may differ widely in size."""
    size = np.sqrt(np.diagonal(matrix))
    return np.asarray(np.linalg.lstsq(matrix / np.outer(size, size), vector / size, rcond=1e-14)[0] / size)


def _result(fit: Fit, found: Likelihood, values: Array, before: float, evaluations: int, converged: bool) -> Refined:
    size = np.sqrt(np.diagonal(found.information))
    scaled = found.information / np.outer(size, size)
    eigenvalues, vectors = np.linalg.eigh(scaled)
    if not eigenvalues[0] > _SINGULAR:
        worst = np.argsort(-np.abs(vectors[:, 0]))[:2]
        names = " and ".join(fit.parameters.names[i] for i in sorted(worst.tolist()))
        raise InputError(f"refine: the image does not tell {names} apart; leave one out")
    inverse = np.linalg.inv(scaled) / np.outer(size, size)
    covariance = np.asarray(inverse @ found.spread @ inverse)
    linear = Linearization(fit.parameters, values, fit.threads)
    image = linear.image
    return Refined(
        parameters=fit.parameters,
        values=values,
        errors=np.sqrt(np.diagonal(covariance)),
        covariance=covariance,
        point=linear.point,
        image=image,
        sigma_z=math.sqrt(found.squares / found.pixels),
        loss=found.loss,
        loss_before=before,
        pixels=found.pixels,
        evaluations=evaluations,
        converged=converged,
    )
