"""Curves summed over bodies and wavelengths, as polynomials between breaks: exact but for rounding.

Between two points of a table F is a cubic in stol: nonBragg's polynomial through four points, or a monotone one. Its
square, with the sign of F, is a polynomial of degree 6 in sin(theta) between the points and the zeros of F, and so is a
sum of such squares between the breaks of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..jit import kernel
from .bodies import Points, Scatterer
from .curve import ROW

Array = NDArray[np.float64]

_MOST = 1 << 20  # pieces
_NEGLIGIBLE = 1e-15
_CELLS_PER_PIECE = 4  # of the index that finds a piece


class Cubics(NamedTuple):
    """F as cubics, one between each two breaks."""

    breaks: Array  # (n + 1,) stol [1/m], ascending from 0
    centers: Array  # (n,) stol that the powers of a cubic count from
    coefficients: Array  # (n, 4) of the powers 0 to 3


def lagrange_cubics(points: Points, highest: float) -> Cubics | None:
    """Return the cubics through four points that nonBragg interpolates with, from stol 0 to the highest [1/m].

    None where two points have the same stol, or one so close that the cubics overflow.

    Notes
    -----
    nonBragg.c:1506, 2181. Newton's form, with the points in the order of their distance: those that stand for infinity
    then add next to nothing.
    """
    stol, F = points.stol, points.F
    if not (np.diff(stol) > 0.0).all():
        return None
    ends = stol[2:-2]  # between them and the two infinities the polynomial changes
    first = np.arange(len(stol) - 3)
    # Before the first point of the table the polynomial is that of the interval of the points that were added.
    edges = np.concatenate([[-np.inf], ends, [np.inf]])
    centers = np.where(np.isfinite(edges[:-1]), edges[:-1], edges[1:])
    at = first[:, None] + np.arange(4)
    order = np.argsort(np.abs(stol[at] - centers[:, None]), axis=1, kind="stable")
    at = np.take_along_axis(at, order, axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        coefficients = _powers(stol[at], F[at], centers)
    if not np.isfinite(coefficients).all():
        return None
    used = (edges[1:] > 0.0) & (edges[:-1] < highest)
    breaks = np.append(np.maximum(edges[:-1][used], 0.0), min(edges[1:][used][-1], highest))
    return _cut_at_zeros(Cubics(breaks, centers[used], coefficients[used]))


def monotone_cubics(points: Points, highest: float) -> Cubics | None:
    """Return the cubics of `curve.monotone`, from stol 0 to the highest [1/m]; None as of `lagrange_cubics`."""
    stol, F = points.stol, points.F
    widths, rises = np.diff(stol), np.diff(F)
    if not (widths > 0.0).all():
        return None
    a, b = points.slopes[:-1] * widths, points.slopes[1:] * widths
    scaled = np.column_stack([F[:-1], a, 3.0 * rises - 2.0 * a - b, a + b - 2.0 * rises])
    ends = np.array([[F[0], 0.0, 0.0, 0.0], [F[-1], 0.0, 0.0, 0.0]])  # beyond the points
    coefficients = np.vstack([ends[:1], scaled / widths[:, None] ** np.arange(4), ends[1:]])
    edges = np.concatenate([[-np.inf], stol, [np.inf]])
    centers = np.concatenate([stol[:1], stol])
    used = (edges[1:] > 0.0) & (edges[:-1] < highest)
    breaks = np.append(np.maximum(edges[:-1][used], 0.0), min(edges[1:][used][-1], highest))
    return _cut_at_zeros(Cubics(breaks, centers[used], coefficients[used]))


def _powers(x: Array, y: Array, centers: Array) -> Array:
    """Coefficients of the cubics through (n, 4) points, in powers of the distance from the centers, (n, 4)."""
    differences = y.copy()
    for level in range(1, 4):
        differences[:, level:] = (differences[:, level:] - differences[:, level - 1 : -1]) / (
            x[:, level:] - x[:, : 4 - level]
        )
    found = np.zeros(y.shape)
    for level in range(3, -1, -1):  # Horner's rule, with the factor (x - x_level)
        shift = (centers - x[:, level])[:, None]
        raised = np.column_stack([np.zeros(len(y)), found[:, :3]])
        found = raised + found * shift
        found[:, 0] += differences[:, level]
    return found


def _cut_at_zeros(whole: Cubics) -> Cubics:
    """Cut cubics where F changes its sign."""
    breaks, number = [whole.breaks[0]], []
    for i, (center, coefficients) in enumerate(zip(whole.centers, whole.coefficients, strict=True)):
        low, high = whole.breaks[i] - center, whole.breaks[i + 1] - center
        largest = max(abs(low), abs(high))
        scaled = coefficients * largest ** np.arange(4)
        sizes = np.abs(scaled)
        cuts = []
        if sizes[0] <= sizes[1:].sum():  # else it cannot vanish
            # Next to nothing as the highest coefficient would cost the other roots their digits.
            order = int(np.flatnonzero(sizes > _NEGLIGIBLE * sizes.max())[-1]) if sizes.any() else 0
            roots = np.roots(scaled[order::-1]) * largest
            real = roots.real[np.abs(roots.imag) <= 1e-7 * largest]
            cuts = sorted(float(root) + center for root in real if low < root < high)
        for edge in [*cuts, whole.breaks[i + 1]]:
            breaks.append(edge)
            number.append(i)
    return Cubics(np.array(breaks), whole.centers[number], whole.coefficients[number])


def summed(inverse: Array, weights: Array, bodies: Sequence[Scatterer], reach: float, most: int) -> Array | None:
    """Sum weight photons sign(F) F^2 of some bodies over wavelengths.

    Parameters
    ----------
    inverse : (n,)
        Inverse wavelengths [1/m].
    weights : (n,)
    bodies : sequence of Scatterer
    reach : float
        Largest sin(theta) that is asked for.
    most : int
        Pieces that are worth their while.

    Returns
    -------
    (n + 1, ROW) or None
        Of each piece sin(theta) where it begins, and the coefficients of the powers 0 to 6 of what lies beyond; the
        last begins at infinity. None where a table has two points of the same stol, or there would be too many pieces.
    """
    curves = []
    for body in bodies:
        cubics = lagrange_cubics if body.lagrange else monotone_cubics
        found = cubics(body.points, reach * float(inverse.max()) * (1.0 + 1e-9))
        if found is None:
            return None
        curves.append(found)
    if sum(len(one.centers) for one in curves) * len(inverse) > min(most, _MOST):
        return None
    inner = [np.outer(1.0 / inverse, one.breaks[1:-1]).reshape(-1) for one in curves]
    breaks = np.unique(np.concatenate([[0.0], *inner]))
    breaks = np.append(breaks[breaks < reach], np.inf)
    rows = np.zeros((len(breaks), ROW))
    rows[:, 0] = breaks
    for one, body in zip(curves, bodies, strict=True):
        add_squares(one.breaks, one.centers, one.coefficients, inverse, weights * body.photons, reach, rows)
    return rows


def indexed(curves: Sequence[Array], reach: float) -> tuple[Array, Array, float]:
    """Join the pieces of some curves, and make the index by which those at a place are found.

    Returns
    -------
    rows : (n,)
        Of all curves, flat.
    index : (curves, cells, 1)
        Where in the rows the piece stands in which a cell of sin(theta) begins.
    cells : float
        Cells in a unit of sin(theta).
    """
    count = _CELLS_PER_PIECE * max(len(rows) for rows in curves)
    begins = np.arange(count + 1) * (reach / count)
    index, before = np.empty((len(curves), count + 1, 1)), 0
    for number, rows in enumerate(curves):
        index[number, :, 0] = ROW * (before + np.searchsorted(rows[:, 0], begins, side="right") - 1)
        before += len(rows)
    return np.concatenate(list(curves)).reshape(-1), index, count / reach


@kernel
def add_squares(breaks, centers, coefficients, inverse, weights, reach, rows):
    """Add the weighted squares of cubics to the coefficients of pieces, for each wavelength.

    Parameters
    ----------
    breaks, centers, coefficients : of `Cubics`
    inverse, weights : (n,)
    reach : float
        End of the last piece.
    rows : (pieces + 1, ROW)
        Changed in place.
    """
    pieces = rows.shape[0] - 1
    for i in range(inverse.shape[0]):
        scale = inverse[i]
        at = 0
        for piece in range(pieces):
            start, end = rows[piece, 0], rows[piece + 1, 0]
            middle = 0.5 * (start + min(end, reach)) * scale
            while at < centers.shape[0] - 1 and breaks[at + 1] <= middle:
                at += 1
            x = start * scale - centers[at]
            c0, c1, c2, c3 = coefficients[at, 0], coefficients[at, 1], coefficients[at, 2], coefficients[at, 3]
            # The cubic and its derivatives where the piece begins, in powers of sin(theta).
            a0 = c0 + x * (c1 + x * (c2 + x * c3))
            a1 = (c1 + x * (2.0 * c2 + x * 3.0 * c3)) * scale
            a2 = (c2 + x * 3.0 * c3) * scale * scale
            a3 = c3 * scale * scale * scale
            half = middle / scale - start
            sign = -1.0 if a0 + half * (a1 + half * (a2 + half * a3)) < 0.0 else 1.0
            factor = weights[i] * sign
            rows[piece, 1] += factor * (a0 * a0)
            rows[piece, 2] += factor * (2.0 * a0 * a1)
            rows[piece, 3] += factor * (2.0 * a0 * a2 + a1 * a1)
            rows[piece, 4] += factor * (2.0 * (a0 * a3 + a1 * a2))
            rows[piece, 5] += factor * (2.0 * a1 * a3 + a2 * a2)
            rows[piece, 6] += factor * (2.0 * a2 * a3)
            rows[piece, 7] += factor * (a3 * a3)
