"""Scattered intensity of amorphous material against the scattering angle.

A curve is given by points of F against stol = sin(theta)/lambda. Four forms of it can be looked up: the points, as
nonBragg does (`LAGRANGE`) or monotonically (`MONOTONE`); and the intensity against sin(theta), summed over all
wavelengths beforehand, as a fine table of cubics (`TABULATED`) or as the polynomials between the breaks of a sum of
squared cubics (`PIECES`, see `pieces`). These two have a curve for each group of sources.
"""

import math

import numpy as np

from ..jit import inner, kernel, strict_inner

LAGRANGE, MONOTONE, TABULATED, PIECES = 0, 1, 2, 3
ROW = 8  # numbers of a piece: where it begins, and the coefficients of the powers 0 to 6 of what lies beyond


@inner
def interval(x, knots):
    """Largest index whose knot is at most x; 0 where there is none."""
    low, high = 0, knots.shape[0]
    while high - low > 1:
        middle = (low + high) // 2
        if knots[middle] <= x:
            low = middle
        else:
            high = middle
    return low


@strict_inner
def lagrange(x, knots, values):
    """Cubic through the four points around x (nonBragg.c:2181), terms added in its order."""
    n = interval(x, knots)
    first = min(max(n, 1), knots.shape[0] - 3) - 1
    total = 0.0
    for i in range(4):
        numerator, denominator = 1.0, 1.0
        for j in range(4):
            if j != i:
                numerator *= x - knots[first + j]
                denominator *= knots[first + i] - knots[first + j]
        total += numerator * values[first + i] / denominator
    return total


@inner
def hermite(t, width, value_0, value_1, slope_0, slope_1):
    """Value and slope of the cubic with given values and slopes at both ends, at the fraction t of the interval."""
    rise = value_1 - value_0
    a = width * slope_0
    b = width * slope_1
    square = 3.0 * rise - 2.0 * a - b
    cube = a + b - 2.0 * rise
    return value_0 + t * (a + t * (square + t * cube)), (a + t * (2.0 * square + t * 3.0 * cube)) / width


@inner
def monotone(x, knots, values, slopes):
    """F and its slope from monotone cubics between the points; the end values beyond them."""
    last = knots.shape[0] - 1
    if x <= knots[0]:
        return values[0], 0.0
    if x >= knots[last]:
        return values[last], 0.0
    n = interval(x, knots)
    width = knots[n + 1] - knots[n]
    return hermite((x - knots[n]) / width, width, values[n], values[n + 1], slopes[n], slopes[n + 1])


@inner
def tabulated(sine, table, number, cells):
    """Intensity from the fine table of a curve, at sin(theta)."""
    place = sine * cells
    cell = min(int(place), table.shape[1] - 1)
    t = place - cell
    c0, c1, c2, c3 = table[number, cell, 0], table[number, cell, 1], table[number, cell, 2], table[number, cell, 3]
    return c0 + t * (c1 + t * (c2 + t * c3))


@inner
def piece_of(sine, rows, index, number, cells):
    """Where in the rows the piece of a curve stands that holds sin(theta)."""
    cell = min(int(sine * cells), index.shape[1] - 1)
    at = int(index[number, cell, 0])
    while rows[at + ROW] <= sine:
        at += ROW
    return at


@inner
def in_pieces(sine, rows, index, number, cells):
    """Intensity from the pieces of a curve, at sin(theta); `rows` is flat, `index` (curves, cells, 1)."""
    at = piece_of(sine, rows, index, number, cells)
    x = sine - rows[at]
    total = rows[at + ROW - 1]
    for power in range(ROW - 2, 0, -1):
        total = rows[at + power] + x * total
    return total


@inner
def intensity(kind, stol, sine, number, knots, values, slopes, table, cells):
    """Sign(F) F^2 in electrons squared, from the form of the curve that `kind` names.

    `number` is that of the curve, where there are several.
    """
    if kind == TABULATED:
        return tabulated(sine, table, number, cells)
    if kind == PIECES:
        return in_pieces(sine, knots, table, number, cells)
    if kind == LAGRANGE:
        F = lagrange(stol, knots, values)
    else:
        F, _ = monotone(stol, knots, values, slopes)
    return F * abs(F)


@inner
def line_of_intensities(kind, places, factors, n, scale, number, knots, table, cells, tile, line):
    """Add scale times factor times intensity to the first n numbers of a line of a tile.

    `kind` is `TABULATED` or `PIECES`. `places` are squares of sin(theta), and its roots afterwards.
    """
    for w in range(n):
        places[w] = math.sqrt(max(0.0, places[w]))
    if kind == TABULATED:
        for w in range(n):
            tile[line, w] += scale * factors[w] * tabulated(places[w], table, number, cells)
    else:
        line_in_pieces(places, factors, n, scale, knots, table, number, cells, tile, line)


@inner
def line_in_pieces(places, factors, n, scale, rows, index, number, cells, tile, line):
    """Do so for the kind `PIECES`; neighbors of one piece are worked out in vector units."""
    begin = 0
    while begin < n:
        at = piece_of(places[begin], rows, index, number, cells)
        first, last = rows[at], rows[at + ROW]
        end = begin + 1
        while end < n and first <= places[end] < last:
            end += 1
        c0, c1, c2, c3 = rows[at + 1], rows[at + 2], rows[at + 3], rows[at + 4]
        c4, c5, c6 = rows[at + 5], rows[at + 6], rows[at + 7]
        for w in range(begin, end):
            x = places[w] - first
            value = c0 + x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * (c5 + x * c6)))))
            tile[line, w] += scale * factors[w] * value
        begin = end


@kernel
def tabulate(first, step, inverse_wavelengths, weights, knots, values, slopes, table):
    """Fill a table with the weighted sum over wavelengths of the intensity, and its slope times the step.

    Parameters
    ----------
    first, step : float
        sin(theta) of the first place, and from place to place.
    inverse_wavelengths, weights : (n,)
        In the unit of the knots, and of each wavelength.
    knots, values, slopes : (m,)
        Points of F and the slopes of its monotone cubics.
    table : (places, 2)
        Written.
    """
    for place in range(table.shape[0]):
        sine = first + place * step
        total, slope = 0.0, 0.0
        for i in range(weights.shape[0]):
            F, rise = monotone(sine * inverse_wavelengths[i], knots, values, slopes)
            total += weights[i] * (F * abs(F))
            slope += weights[i] * inverse_wavelengths[i] * (2.0 * abs(F) * rise)
        table[place, 0] = total
        table[place, 1] = slope * step


@kernel
def cubics_of(table):
    """Coefficients of the cubics in the cells of a table, (cells, 4): powers 0 to 3 of the fraction of a cell."""
    found = np.empty((table.shape[0] - 1, 4))
    for cell in range(found.shape[0]):
        rise = table[cell + 1, 0] - table[cell, 0]
        a, b = table[cell, 1], table[cell + 1, 1]
        found[cell, 0], found[cell, 1] = table[cell, 0], a
        found[cell, 2], found[cell, 3] = 3.0 * rise - 2.0 * a - b, a + b - 2.0 * rise
    return found


@kernel
def largest_error(coarse, fine):
    """Largest error at the middles of a coarse table's cells, which a table of half the step holds.

    Relative to the value there or, where the curve is next to nothing, to a millionth of its largest one.
    """
    top = 0.0
    for place in range(fine.shape[0]):
        top = max(top, abs(fine[place, 0]))
    worst = 0.0
    for cell in range(coarse.shape[0] - 1):
        value, _ = hermite(0.5, 1.0, coarse[cell, 0], coarse[cell + 1, 0], coarse[cell, 1], coarse[cell + 1, 1])
        true = fine[2 * cell + 1, 0]
        scale = max(abs(true), 1e-6 * top)
        if scale > 0.0:
            worst = max(worst, abs(value - true) / scale)
    return worst


def empty_table():
    """Return a table for the forms that need none."""
    return np.zeros((0, 0, 2))
