"""Scattered intensity of amorphous material against the scattering angle.

A curve is given by points of F against stol = sin(theta)/lambda. Four forms of it can be looked up: the points, as
nonBragg does (`LAGRANGE`) or monotonically (`MONOTONE`); and the intensity against sin(theta), summed over all
wavelengths beforehand, as a fine table of cubics (`TABULATED`) or as the polynomials between the breaks of a sum of
squared cubics (`PIECES`, see `pieces`). These two have a curve for each group of sources.
"""

import math

import numpy as np

from ..jit import inner, inner_inlined, kernel, strict_inner

LAGRANGE, MONOTONE, TABULATED, PIECES = 0, 1, 2, 3
ROW = 8  # numbers of a piece: where it begins, and the coefficients of the powers 0 to 6 of what lies beyond
SPARE = 8  # numbers behind a line that may be overwritten: those of a vector unit
_LONG = 16  # pixels of a run from which on its length is counted in vector units


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


@inner_inlined
def at_place(x, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9):
    """Polynomial from its coefficients: numbers, so that they stay in registers."""
    high = c5 + x * (c6 + x * (c7 + x * (c8 + x * c9)))
    return c0 + x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * high))))


@inner
def write_line(line, along, values):
    """Write the polynomial of a line, from its coefficients, at places along it."""
    c0, c1, c2, c3, c4 = line[0], line[1], line[2], line[3], line[4]
    c5, c6, c7, c8, c9 = line[5], line[6], line[7], line[8], line[9]
    for w in range(along.shape[0]):
        values[w] = at_place(along[w], c0, c1, c2, c3, c4, c5, c6, c7, c8, c9)


@inner
def write_root(line, along, values):
    """Write the square root of that polynomial."""
    c0, c1, c2, c3, c4 = line[0], line[1], line[2], line[3], line[4]
    c5, c6, c7, c8, c9 = line[5], line[6], line[7], line[8], line[9]
    for w in range(along.shape[0]):
        values[w] = math.sqrt(max(0.0, at_place(along[w], c0, c1, c2, c3, c4, c5, c6, c7, c8, c9)))


@inner
def add_product(line, along, values, photons):
    """Add the product of that polynomial and other values to the photons of a line."""
    c0, c1, c2, c3, c4 = line[0], line[1], line[2], line[3], line[4]
    c5, c6, c7, c8, c9 = line[5], line[6], line[7], line[8], line[9]
    for w in range(along.shape[0]):
        photons[w] += at_place(along[w], c0, c1, c2, c3, c4, c5, c6, c7, c8, c9) * values[w]


@inner
def write_intensities(kind, sines, n, number, knots, table, cells, values):
    """Write the intensity at each sin(theta) of a line.

    Parameters
    ----------
    kind : int
        `TABULATED` or `PIECES`.
    sines, values : (n + `SPARE`,)
        The first n count; others are read and written.
    """
    if kind == TABULATED:
        for w in range(n):
            values[w] = tabulated(sines[w], table, number, cells)
    else:
        at = 0
        while at < n:
            piece = piece_of(sines[at], knots, table, number, cells)
            length = run_length(sines[at:n], knots[piece], knots[piece + ROW])
            write_run(sines[at:], length, knots[piece : piece + ROW], values[at:])
            at += length


@inner
def count_inside(places, low, high):
    """How many of the places are at least low and below high."""
    inside = 0
    for w in range(places.shape[0]):
        inside += int(low <= places[w]) & int(places[w] < high)
    return inside


@inner
def run_length(places, low, high):
    """How many places from the first on are at least low and below high, as the first one is."""
    n = places.shape[0]
    if n > _LONG and low <= places[_LONG] < high:
        # Mostly all that is inside stands together.
        length = count_inside(places, low, high)
        if count_inside(places[:length], low, high) == length:
            return length
    length = 1
    while length < n and low <= places[length] < high:
        length += 1
    return length


@inner
def write_run(places, n, piece, values):
    """Write the values of a piece of a curve at the first n places, and at up to `SPARE` more.

    Whole vector units are written: it takes longer to stop in the middle of one.
    """
    first, c0, c1, c2, c3, c4, c5, c6 = piece[0], piece[1], piece[2], piece[3], piece[4], piece[5], piece[6], piece[7]
    whole = (n + SPARE - 1) // SPARE * SPARE
    places, values = places[:whole], values[:whole]
    for w in range(places.shape[0]):
        x = places[w] - first
        values[w] = c0 + x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * (c5 + x * c6)))))


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
