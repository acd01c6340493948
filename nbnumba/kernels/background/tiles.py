"""Tiles of pixels that are smooth enough to interpolate.

What is expanded in Chebyshev polynomials over a tile is either the sum itself, where there are several samples, or the
angle and the factor of every sample; the curve is then looked up for every pixel and may have any rings.
"""

import numpy as np

from ..jit import inner, kernel
from .curve import line_of_intensities
from .sums import angle_and_polarization, direction_and_factor, pixel_sum

NODES = 10  # of a tile, along each edge
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
def chebyshev(x, terms):
    """Write the Chebyshev polynomials at x into an array."""
    terms[0] = 1.0
    terms[1] = x
    for n in range(2, NODES):
        terms[n] = 2.0 * x * terms[n - 1] - terms[n - 2]


@inner
def chebyshev_nodes():
    """Places of the nodes from -1 to 1, and what turns values there into coefficients."""
    nodes, orders = np.empty(NODES), np.empty((NODES, NODES))
    for n in range(NODES):
        nodes[n] = np.cos(np.pi * (n + 0.5) / NODES)
        for order in range(NODES):
            orders[order, n] = np.cos(np.pi * order * (n + 0.5) / NODES) * ((1.0 if order == 0 else 2.0) / NODES)
    return nodes, orders


@inner
def polynomials_along(n_fast, along):
    """Write the Chebyshev polynomials at the pixels of a line, an order in each row."""
    terms = np.empty(NODES)
    for fast in range(n_fast):
        chebyshev(2.0 * fast / (n_fast - 1) - 1.0, terms)
        for order in range(NODES):
            along[order, fast] = terms[order]


@inner
def summed_along(coefficients, along, n, orders_slow):
    """Sum an expansion over its orders along fast, at the n pixels of a line; an order along slow in each row."""
    for i in range(NODES):
        for w in range(n):
            orders_slow[i, w] = coefficients[i, 0]
        for j in range(1, NODES):
            coefficient = coefficients[i, j]
            for w in range(n):
                orders_slow[i, w] += coefficient * along[j, w]


@inner
def line_of_tile(orders_slow, across, n, line):
    """Write the n values of an expansion along a line of a tile, from `summed_along` and the line's polynomials."""
    a, b, c, d, e = across[0], across[1], across[2], across[3], across[4]
    f, g, h, k, m = across[5], across[6], across[7], across[8], across[9]
    for w in range(n):
        line[w] = (
            a * orders_slow[0, w] + b * orders_slow[1, w] + c * orders_slow[2, w] + d * orders_slow[3, w]
            + e * orders_slow[4, w] + f * orders_slow[5, w] + g * orders_slow[6, w] + h * orders_slow[7, w]
            + k * orders_slow[8, w] + m * orders_slow[9, w]
        )  # fmt: skip


@inner
def smooth_sum(
    q, sources, kind, knots, values, slopes, table, cells, scale, tolerance, corner, size, nodes, orders, along, tile
):
    """Write a tile by the expansion of its sum and return True; False where the estimated error is too large."""
    slow_0, fast_0 = corner
    n_slow, n_fast = size
    at_nodes, work = np.empty((NODES, NODES)), np.empty((NODES, NODES))
    across, line, lines = np.empty(NODES), np.empty(2 * EDGE), np.empty((NODES, 2 * EDGE))
    least = np.inf
    for i in range(NODES):
        slow = slow_0 + 0.5 * (n_slow - 1) * (1.0 + nodes[i])
        for j in range(NODES):
            fast = fast_0 + 0.5 * (n_fast - 1) * (1.0 + nodes[j])
            at_nodes[i, j] = scale * pixel_sum(q, sources, kind, knots, values, slopes, table, cells, slow, fast)
            least = min(least, abs(at_nodes[i, j]))
    if not expansion(orders, at_nodes, work, _TAIL) <= tolerance * least:
        return False
    summed_along(at_nodes, along, n_fast, lines)
    for slow in range(n_slow):
        chebyshev(2.0 * slow / (n_slow - 1) - 1.0, across)
        line_of_tile(lines, across, n_fast, line)
        for w in range(n_fast):
            tile[slow, w] = line[w]
    return True


@inner
def smooth_geometry(q, sources, kind, knots, table, cells, scale, tolerance, corner, size, nodes, orders, along, tile):
    """Write a tile by the expansions of its samples' geometry; return False where one of them is not smooth enough."""
    slow_0, fast_0 = corner
    n_slow, n_fast = size
    squares, factors = np.empty((NODES, NODES)), np.empty((NODES, NODES))
    square_lines, factor_lines = np.empty((NODES, 2 * EDGE)), np.empty((NODES, 2 * EDGE))
    work, across = np.empty((NODES, NODES)), np.empty(NODES)
    places, factor_line = np.empty(2 * EDGE), np.empty(2 * EDGE)
    tile[:n_slow, :n_fast] = 0.0
    for sub in range(q.oversample * q.oversample):
        for layer in range(q.layers):
            for source in range(sources.shape[0]):
                least_square, least_factor = np.inf, np.inf
                for i in range(NODES):
                    slow = slow_0 + 0.5 * (n_slow - 1) * (1.0 + nodes[i])
                    for j in range(NODES):
                        fast = fast_0 + 0.5 * (n_fast - 1) * (1.0 + nodes[j])
                        dx, dy, dz, factor = direction_and_factor(q, slow, fast, sub, layer)
                        square, polar = angle_and_polarization(q, sources, source, dx, dy, dz)
                        squares[i, j] = square
                        factors[i, j] = factor * polar
                        least_square, least_factor = min(least_square, square), min(least_factor, factors[i, j])
                if not expansion(orders, squares, work, 1) <= _ANGLE_TOLERANCE * least_square:
                    return False
                if not expansion(orders, factors, work, 1) <= tolerance * least_factor:
                    return False
                summed_along(squares, along, n_fast, square_lines)
                summed_along(factors, along, n_fast, factor_lines)
                number, weight = int(sources[source, 3]), scale * sources[source, 4]
                for slow in range(n_slow):
                    chebyshev(2.0 * slow / (n_slow - 1) - 1.0, across)
                    line_of_tile(square_lines, across, n_fast, places)
                    line_of_tile(factor_lines, across, n_fast, factor_line)
                    line_of_intensities(
                        kind, places, factor_line, n_fast, weight, number, knots, table, cells, tile, slow
                    )
    return True


@kernel
def sum_tiles(numbers, mask, sources, kind, knots, values, slopes, table, cells, scale, tolerance, first, last, block):
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
    q = numbers[0]
    masked = mask.shape[0] > 0
    nodes, orders = chebyshev_nodes()
    along, tile = np.empty((NODES, 2 * EDGE)), np.empty((EDGE, 2 * EDGE))
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
                drawn = False
                if size[0] * size[1] > 2 * NODES * NODES and min(size) > 1:
                    polynomials_along(size[1], along)
                    if samples > 1:
                        drawn = smooth_sum(
                            q, sources, kind, knots, values, slopes, table, cells, scale, tolerance,
                            (down, right), size, nodes, orders, along, tile,
                        )  # fmt: skip
                    if not drawn:
                        drawn = smooth_geometry(
                            q, sources, kind, knots, table, cells, scale, tolerance,
                            (down, right), size, nodes, orders, along, tile,
                        )  # fmt: skip
                    if not drawn and edge > EDGE >> _HALVINGS:
                        half = edge // 2
                        for part in range(4):
                            todo[left + part, 0] = down + (part // 2) * half
                            todo[left + part, 1] = right + (part % 2) * edge
                            todo[left + part, 2] = half
                        left += 4
                        continue
                if drawn and not masked:
                    for slow in range(size[0]):
                        for fast in range(size[1]):
                            block[down + slow - first, right + fast] += tile[slow, fast]
                    continue
                for slow in range(size[0]):
                    for fast in range(size[1]):
                        if not masked or mask[down + slow, right + fast] != 0:
                            if not drawn:
                                tile[slow, fast] = scale * pixel_sum(
                                    q, sources, kind, knots, values, slopes, table, cells, down + slow, right + fast
                                )
                            block[down + slow - first, right + fast] += tile[slow, fast]
