"""Tiles of pixels that are smooth enough to interpolate.

What is expanded in Chebyshev polynomials over a tile is either the sum itself, where there are several samples, or the
angle and the factor of every sample; the curve is then looked up for every pixel and may have any rings.
"""

import numpy as np

from ..jit import borrowed, inner, kernel
from .curve import SPARE, add_product, write_intensities, write_line, write_root
from .sums import angle_and_polarization, direction_and_factor, pixel_sum

NODES = 10  # of a tile, along each edge
_OUTERMOST = float(np.cos(np.pi * 0.5 / NODES))  # node: no pixel lies beyond it, where no node would see a break
EDGE = 64  # of a tile along slow; along fast it is twice as long
_HALVINGS = 2  # of a tile that is not smooth, until its pixels are summed one by one
_TAIL = 2  # orders of the expansion of a sum that estimate what is left out; of geometry the last one does
_ANGLE_TOLERANCE = 1e-11  # of squared sin(theta): rings may be narrow


@inner
def expansion(orders, at_nodes, work, tail):
    """Chebyshev coefficients of a tile from its values at the nodes, in place; returns the sum of the last orders'."""
    for i in range(NODES):
        for j in range(NODES):
            total = 0.0
            for n in range(NODES):
                total += orders[i, n] * at_nodes[n, j]
            work[i, j] = total
    rest = 0.0
    for i in range(NODES):
        for j in range(NODES):
            total = 0.0
            for n in range(NODES):
                total += work[i, n] * orders[j, n]
            at_nodes[i, j] = total
            if i >= NODES - tail or j >= NODES - tail:
                rest += abs(total)
    return rest


@inner
def chebyshev_nodes():
    """Places of the nodes from -1 to 1, what turns values there into coefficients, and powers of the polynomials."""
    nodes, orders, powers = np.empty(NODES), np.empty((NODES, NODES)), np.zeros((NODES, NODES))
    for n in range(NODES):
        nodes[n] = np.cos(np.pi * (n + 0.5) / NODES)
        for order in range(NODES):
            orders[order, n] = np.cos(np.pi * order * (n + 0.5) / NODES) * ((1.0 if order == 0 else 2.0) / NODES)
    powers[0, 0] = powers[1, 1] = 1.0
    for order in range(2, NODES):
        powers[order, 0] = -powers[order - 2, 0]
        for power in range(1, NODES):
            powers[order, power] = 2.0 * powers[order - 1, power - 1] - powers[order - 2, power]
    return nodes, orders, powers


@inner
def lines_of_tile(coefficients, powers, down, work, lines):
    """Write an expansion along the lines of a tile, each as coefficients of powers of the place along it.

    Parameters
    ----------
    coefficients : (NODES, NODES)
        Of the Chebyshev polynomials along slow and along fast; changed.
    powers : (NODES, NODES)
    down : (n_slow,)
        Places of the lines, as of `places_along`.
    work : (NODES, NODES)
    lines : (NODES, n_slow)
        Written: a power in each row.
    """
    for i in range(NODES):
        for power in range(NODES):
            total = 0.0
            for j in range(power, NODES):
                total += coefficients[i, j] * powers[j, power]
            work[power, i] = total
    for power in range(NODES):
        for other in range(NODES):
            total = 0.0
            for i in range(other, NODES):
                total += work[power, i] * powers[i, other]
            coefficients[power, other] = total
        write_line(coefficients[power], down, lines[power])


@inner
def places_along(n):
    """Return the places of the n pixels of a line: from the first of the Chebyshev nodes to the last."""
    along = np.empty(n)
    for w in range(n):
        along[w] = _OUTERMOST * (2.0 * w / (n - 1) - 1.0)
    return along


@inner
def add_line(values, mask, slow, fast_0, image, row):
    """Add the values of the pixels of a line to a row of the image, but those that the mask hides."""
    n = values.shape[0]
    line = image[row, fast_0 : fast_0 + n]
    if mask.shape[0] > 0:
        shown = mask[slow, fast_0 : fast_0 + n]
        for w in range(n):
            if shown[w] != 0:
                line[w] += values[w]
    else:
        for w in range(n):
            line[w] += values[w]


@inner
def add_smooth_sum(
    q, sources, kind, knots, values, slopes, table, cells, scale, tolerance, corner, size, nodes, orders, powers, mask,
    image, first,
):  # fmt: skip
    """Add a tile by the expansion of its sum and return True; False where the estimated error is too large."""
    slow_0, fast_0 = corner
    n_slow, n_fast = size
    at_nodes, work = np.empty((NODES, NODES)), np.empty((NODES, NODES))
    least = np.inf
    for i in range(NODES):
        slow = slow_0 + 0.5 * (n_slow - 1) * (1.0 + nodes[i] / _OUTERMOST)
        for j in range(NODES):
            fast = fast_0 + 0.5 * (n_fast - 1) * (1.0 + nodes[j] / _OUTERMOST)
            at_nodes[i, j] = scale * pixel_sum(q, sources, kind, knots, values, slopes, table, cells, slow, fast)
            least = min(least, abs(at_nodes[i, j]))
    if not expansion(orders, at_nodes, work, _TAIL) <= tolerance * least:
        return False
    along, down = places_along(n_fast), places_along(n_slow)
    lines, photons = np.empty((NODES, n_slow)), np.empty(n_fast)
    lines_of_tile(at_nodes, powers, down, work, lines)
    for slow in range(n_slow):
        write_line(lines[:, slow], along, photons)
        add_line(photons, mask, slow_0 + slow, fast_0, image, slow_0 + slow - first)
    return True


@inner
def expand_geometry(
    q, sources, source, sub, layer, scale, tolerance, corner, size, nodes, orders, work, squares, factors
):
    """Expand the geometry of a sample over a tile; False where it is not smooth enough.

    Parameters
    ----------
    scale : float
        Of the factors.
    squares, factors : (NODES, NODES)
        Written: expansions of squared sin(theta), and of what the intensity there is multiplied with.
    """
    slow_0, fast_0 = corner
    n_slow, n_fast = size
    weight = scale * sources[source, 4]
    least_square, least_factor = np.inf, np.inf
    for i in range(NODES):
        slow = slow_0 + 0.5 * (n_slow - 1) * (1.0 + nodes[i] / _OUTERMOST)
        for j in range(NODES):
            fast = fast_0 + 0.5 * (n_fast - 1) * (1.0 + nodes[j] / _OUTERMOST)
            dx, dy, dz, solid = direction_and_factor(q, slow, fast, sub, layer)
            squares[i, j], polar = angle_and_polarization(q, sources, source, dx, dy, dz)
            factors[i, j] = weight * solid * polar
            least_square, least_factor = min(least_square, squares[i, j]), min(least_factor, abs(factors[i, j]))
    return (
        expansion(orders, squares, work, 1) <= _ANGLE_TOLERANCE * least_square
        and expansion(orders, factors, work, 1) <= tolerance * least_factor
    )


@inner
def add_smooth_geometry(
    q, sources, kind, knots, table, cells, scale, tolerance, corner, size, nodes, orders, powers, mask, image, first
):
    """Add a tile by the expansions of its samples' geometry; return False where one of them is not smooth enough."""
    slow_0, fast_0 = corner
    n_slow, n_fast = size
    samples = q.oversample * q.oversample * q.layers * sources.shape[0]
    squares, factors, work = np.empty((NODES, NODES)), np.empty((NODES, NODES)), np.empty((NODES, NODES))
    along, down = places_along(n_fast), places_along(n_slow)
    square_lines, factor_lines = np.empty((NODES, n_slow)), np.empty((NODES, n_slow))
    sines, values = np.zeros(n_fast + SPARE), np.empty(n_fast + SPARE)
    # One sample is added at once; some are summed before.
    tile = np.zeros((n_slow if samples > 1 else 1, n_fast))
    for sub in range(q.oversample * q.oversample):
        for layer in range(q.layers):
            for source in range(sources.shape[0]):
                if not expand_geometry(
                    q, sources, source, sub, layer, scale, tolerance, corner, size, nodes, orders, work, squares,
                    factors,
                ):  # fmt: skip
                    return False
                lines_of_tile(squares, powers, down, work, square_lines)
                lines_of_tile(factors, powers, down, work, factor_lines)
                number = int(sources[source, 3])
                for slow in range(n_slow):
                    write_root(square_lines[:, slow], along, sines)
                    write_intensities(kind, sines, n_fast, number, knots, table, cells, values)
                    if samples == 1:
                        tile[0] = 0.0
                    photons = tile[slow if samples > 1 else 0]
                    add_product(factor_lines[:, slow], along, values, photons)
                    if samples == 1:
                        add_line(photons, mask, slow_0 + slow, fast_0, image, slow_0 + slow - first)
    if samples > 1:
        for slow in range(n_slow):
            add_line(tile[slow], mask, slow_0 + slow, fast_0, image, slow_0 + slow - first)
    return True


@kernel
def sum_tiles(numbers, mask, sources, kind, knots, values, slopes, table, cells, scale, tolerance, first, last, image):
    """As `sums.sum_rows`, with tiles of pixels expanded in Chebyshev polynomials where that is as good.

    Parameters
    ----------
    sources, kind :
        Directions, as of the kinds `TABULATED` and `PIECES`.
    tolerance : float
        Largest relative error of a pixel, as the last orders of the expansion estimate it.

    Notes
    -----
    A tile that is not smooth enough is cut into four, and so are these; at last pixels are summed one by one.
    """
    mask, sources, knots, values, slopes = (
        borrowed(mask), borrowed(sources), borrowed(knots), borrowed(values), borrowed(slopes)
    )  # fmt: skip
    table, image = borrowed(table), borrowed(image)
    q = numbers[0]
    nodes, orders, powers = chebyshev_nodes()
    samples = q.oversample * q.oversample * q.layers * sources.shape[0]
    begin, end = max(first, q.slow_first), min(last, q.slow_last) + 1
    # Corner and edge of the tiles that are still to be drawn: three of each halving at the most.
    todo = np.empty((3 * _HALVINGS + 1, 3), np.int64)
    for slow_0 in range(begin, end, EDGE):
        for fast_0 in range(q.fast_first, q.fast_last + 1, 2 * EDGE):
            todo[0, 0], todo[0, 1], todo[0, 2] = slow_0, fast_0, EDGE
            left = 1
            while left > 0:
                left -= 1
                down, right, edge = todo[left, 0], todo[left, 1], todo[left, 2]
                size = (min(edge, end - down), min(2 * edge, q.fast_last + 1 - right))
                if size[0] <= 0 or size[1] <= 0:
                    continue
                if size[0] * size[1] > 2 * NODES * NODES and min(size) > 1:
                    drawn = False
                    if samples > 1:
                        drawn = add_smooth_sum(
                            q, sources, kind, knots, values, slopes, table, cells, scale, tolerance,
                            (down, right), size, nodes, orders, powers, mask, image, first,
                        )  # fmt: skip
                    if not drawn:
                        drawn = add_smooth_geometry(
                            q, sources, kind, knots, table, cells, scale, tolerance,
                            (down, right), size, nodes, orders, powers, mask, image, first,
                        )  # fmt: skip
                    if drawn:
                        continue
                    if edge > EDGE >> _HALVINGS:
                        half = edge // 2
                        for part in range(4):
                            todo[left + part, 0] = down + (part // 2) * half
                            todo[left + part, 1] = right + (part % 2) * edge
                            todo[left + part, 2] = half
                        left += 4
                        continue
                for slow in range(down, down + size[0]):
                    for fast in range(right, right + size[1]):
                        if mask.shape[0] == 0 or mask[slow, fast] != 0:
                            image[slow - first, fast] += scale * pixel_sum(
                                q, sources, kind, knots, values, slopes, table, cells, slow, fast
                            )
