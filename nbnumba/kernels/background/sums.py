"""The sum of one pixel over sub-pixels, layers and sources, and tiles of pixels that are smooth enough to interpolate.

Geometry, solid angle, capture and polarization are those of the spots; each sample has its own.
"""

import math

import numpy as np

from ..jit import inner, kernel
from ..physics import sample as p
from ..pixel import capture, direction_to, polarization, position, solid_angle
from .curve import LAGRANGE, intensity, lagrange, monotone, tabulated

NODES = 8  # of a tile, along each edge
_TAIL = 2  # orders of the expansion of a curve that estimate what is left out; of geometry the last one does
_ANGLE_TOLERANCE = 1e-12  # of squared sin(theta): rings may be narrow


@inner
def direction_and_factor(q, slow, fast, sub, layer):
    """Diffracted direction of a sample, and its solid angle times the capture [sr]."""
    x, y, z = position(q, slow, fast, sub, layer)
    dx, dy, dz, radius = direction_to(x, y, z)
    factor = solid_angle(q, 1.0 / radius)
    if q.sensor:
        factor *= capture(q, layer, dx, dy, dz)
    return dx, dy, dz, factor


@inner
def angle_and_polarization(q, sources, source, dx, dy, dz):
    """Squared sin(theta) and polarization factor of a source for a diffracted direction."""
    qx, qy, qz = p.scattering_vector(dx, dy, dz, sources[source, 0], sources[source, 1], sources[source, 2], 1.0)
    polar = polarization(q, sources, source, dx, dy, dz) if q.polarized else 1.0
    return 0.25 * p.dot(qx, qy, qz, qx, qy, qz), polar


@inner
def pixel_sum(q, sources, kind, knots, values, slopes, table, cells, slow, fast):
    """Sum of sign(F) F^2 polarization, solid angle, capture and weight over the samples of a pixel [sr].

    Notes
    -----
    nonBragg.c:1450-1530. `slow` and `fast` may lie between pixels.
    """
    total = 0.0
    for sub in range(q.oversample * q.oversample):
        for layer in range(q.layers):
            dx, dy, dz, factor = direction_and_factor(q, slow, fast, sub, layer)
            for source in range(sources.shape[0]):
                squared_sine, polar = angle_and_polarization(q, sources, source, dx, dy, dz)
                sine = math.sqrt(squared_sine)
                inverse_wavelength, weight = sources[source, 3], sources[source, 4]
                stol = sine * inverse_wavelength
                squared = intensity(kind, stol, sine, source, knots, values, slopes, table, cells)
                total += squared * polar * factor * weight
    return total


@kernel
def sum_rows(numbers, mask, sources, kind, knots, values, slopes, table, cells, scale, first, last, image):
    """Add scale times the sum of every pixel of some rows to an image of float64, within region and mask."""
    q = numbers[0]
    masked = mask.shape[0] > 0
    for slow in range(max(first, q.slow_first), min(last, q.slow_last) + 1):
        for fast in range(q.fast_first, q.fast_last + 1):
            if not masked or mask[slow, fast] != 0:
                image[slow, fast] += scale * pixel_sum(
                    q, sources, kind, knots, values, slopes, table, cells, slow, fast
                )


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
def smooth_tile(
    q, mask, sources, kind, knots, values, slopes, table, cells, scale, tolerance, corner, size, nodes, orders, image
):
    """Add a tile by its expansion and return True; return False where the estimated error is above the tolerance."""
    slow_0, fast_0 = corner
    n_slow, n_fast = size
    at_nodes, work = np.empty((NODES, NODES)), np.empty((NODES, NODES))
    least = np.inf
    for i in range(NODES):
        slow = slow_0 + 0.5 * (n_slow - 1) * (1.0 + nodes[i])
        for j in range(NODES):
            fast = fast_0 + 0.5 * (n_fast - 1) * (1.0 + nodes[j])
            at_nodes[i, j] = pixel_sum(q, sources, kind, knots, values, slopes, table, cells, slow, fast)
            least = min(least, abs(at_nodes[i, j]))
    if not expansion(orders, at_nodes, work, _TAIL) <= tolerance * least:
        return False
    along, across, row = np.empty((n_fast, NODES)), np.empty(NODES), np.empty(NODES)
    for fast in range(n_fast):
        chebyshev(2.0 * fast / (n_fast - 1) - 1.0, along[fast])
    masked = mask.shape[0] > 0
    for slow in range(n_slow):
        chebyshev(2.0 * slow / (n_slow - 1) - 1.0, across)
        for j in range(NODES):
            total = 0.0
            for i in range(NODES):
                total += across[i] * at_nodes[i, j]
            row[j] = total
        for fast in range(n_fast):
            if not masked or mask[slow_0 + slow, fast_0 + fast] != 0:
                total = 0.0
                for j in range(NODES):
                    total += along[fast, j] * row[j]
                image[slow_0 + slow, fast_0 + fast] += scale * total
    return True


@kernel
def sum_tiles(
    numbers, mask, sources, kind, knots, values, slopes, table, cells, scale, tolerance, first, last, edge, image
):
    """As `sum_rows`, with tiles of pixels expanded in Chebyshev polynomials where that is as good.

    Parameters
    ----------
    tolerance : float
        Largest relative error of a pixel, as the last two orders of the expansion estimate it.
    edge : int
        Pixels along the edge of a tile. One that is not smooth enough is cut into four, and these are summed pixel by
        pixel where they are not either.

    Returns
    -------
    int
        Pixels that were summed one by one.
    """
    q = numbers[0]
    masked = mask.shape[0] > 0
    nodes, orders = chebyshev_nodes()
    single = 0
    begin, end = max(first, q.slow_first), min(last, q.slow_last) + 1
    for slow_0 in range(begin, end, edge):
        for fast_0 in range(q.fast_first, q.fast_last + 1, edge):
            n_slow, n_fast = min(edge, end - slow_0), min(edge, q.fast_last + 1 - fast_0)
            for part in range(-1, 4):
                # The whole tile first, then its quarters.
                half = edge // 2
                corner, size = (slow_0, fast_0), (n_slow, n_fast)
                if part >= 0:
                    down, right = (part // 2) * half, (part % 2) * half
                    corner = (slow_0 + down, fast_0 + right)
                    size = (min(half, n_slow - down), min(half, n_fast - right))
                    if size[0] <= 0 or size[1] <= 0:
                        continue
                worthwhile = size[0] * size[1] > 2 * NODES * NODES and min(size) > 1
                if worthwhile and smooth_tile(
                    q, mask, sources, kind, knots, values, slopes, table, cells, scale, tolerance,
                    corner, size, nodes, orders, image,
                ):  # fmt: skip
                    if part < 0:
                        break
                    continue
                if part < 0:
                    continue
                for slow in range(corner[0], corner[0] + size[0]):
                    for fast in range(corner[1], corner[1] + size[1]):
                        if not masked or mask[slow, fast] != 0:
                            single += 1
                            image[slow, fast] += scale * pixel_sum(
                                q, sources, kind, knots, values, slopes, table, cells, slow, fast
                            )
    return single


@inner
def line_of_tile(coefficients, across, along, line):
    """Write the values of an expansion along a line of a tile; `along` holds an order in each row."""
    line[:] = 0.0
    for j in range(NODES):
        total = 0.0
        for i in range(NODES):
            total += across[i] * coefficients[i, j]
        for fast in range(line.shape[0]):
            line[fast] += total * along[j, fast]


@inner
def tile_of_one_sample(q, mask, sources, table, cells, scale, tolerance, corner, size, nodes, orders, image):
    """Add a tile whose pixels have one sample, and return True; return False where its geometry is not smooth enough.

    Angle and factor are expanded, and the curve is looked up for every pixel: it may have any rings.
    """
    slow_0, fast_0 = corner
    n_slow, n_fast = size
    squares, factors, work = np.empty((NODES, NODES)), np.empty((NODES, NODES)), np.empty((NODES, NODES))
    least_square, least_factor = np.inf, np.inf
    for i in range(NODES):
        slow = slow_0 + 0.5 * (n_slow - 1) * (1.0 + nodes[i])
        for j in range(NODES):
            fast = fast_0 + 0.5 * (n_fast - 1) * (1.0 + nodes[j])
            dx, dy, dz, factor = direction_and_factor(q, slow, fast, 0, 0)
            squares[i, j], polar = angle_and_polarization(q, sources, 0, dx, dy, dz)
            factors[i, j] = factor * polar
            least_square, least_factor = min(least_square, squares[i, j]), min(least_factor, factors[i, j])
    if not expansion(orders, squares, work, 1) <= _ANGLE_TOLERANCE * least_square:
        return False
    if not expansion(orders, factors, work, 1) <= tolerance * least_factor:
        return False
    along, across = np.empty((NODES, n_fast)), np.empty(NODES)
    for fast in range(n_fast):
        chebyshev(2.0 * fast / (n_fast - 1) - 1.0, along[:, fast])
    square, factor_line = np.empty(n_fast), np.empty(n_fast)
    masked = mask.shape[0] > 0
    for slow in range(n_slow):
        chebyshev(2.0 * slow / (n_slow - 1) - 1.0, across)
        line_of_tile(squares, across, along, square)
        line_of_tile(factors, across, along, factor_line)
        for fast in range(n_fast):
            if not masked or mask[slow_0 + slow, fast_0 + fast] != 0:
                value = tabulated(math.sqrt(max(0.0, square[fast])), table, 0, cells)
                image[slow_0 + slow, fast_0 + fast] += scale * factor_line[fast] * value
    return True


@kernel
def sum_one_sample(
    numbers, mask, sources, kind, knots, values, slopes, table, cells, scale, tolerance, first, last, edge, image
):
    """As `sum_rows` where each pixel has one sample of a tabulated curve; smooth tiles have their geometry expanded."""
    q = numbers[0]
    masked = mask.shape[0] > 0
    nodes, orders = chebyshev_nodes()
    begin, end = max(first, q.slow_first), min(last, q.slow_last) + 1
    for slow_0 in range(begin, end, edge):
        for fast_0 in range(q.fast_first, q.fast_last + 1, edge):
            n_slow, n_fast = min(edge, end - slow_0), min(edge, q.fast_last + 1 - fast_0)
            worthwhile = n_slow * n_fast > 2 * NODES * NODES and min(n_slow, n_fast) > 1
            if worthwhile and tile_of_one_sample(
                q, mask, sources, table, cells, scale, tolerance, (slow_0, fast_0), (n_slow, n_fast), nodes, orders,
                image,
            ):  # fmt: skip
                continue
            for slow in range(slow_0, slow_0 + n_slow):
                for fast in range(fast_0, fast_0 + n_fast):
                    if not masked or mask[slow, fast] != 0:
                        image[slow, fast] += scale * pixel_sum(
                            q, sources, kind, knots, values, slopes, table, cells, slow, fast
                        )


@kernel
def last_F(numbers, sources, kind, knots, values, slopes, image):
    """Write F of the last sample of every pixel of the region to an image."""
    q = numbers[0]
    last = sources.shape[0] - 1
    for slow in range(q.slow_first, q.slow_last + 1):
        for fast in range(q.fast_first, q.fast_last + 1):
            x, y, z = position(q, slow, fast, q.oversample * q.oversample - 1, q.layers - 1)
            dx, dy, dz, _ = direction_to(x, y, z)
            ix, iy, iz, inverse = sources[last, 0], sources[last, 1], sources[last, 2], sources[last, 3]
            qx, qy, qz = p.scattering_vector(dx, dy, dz, ix, iy, iz, inverse)
            stol = 0.5 * math.sqrt(p.dot(qx, qy, qz, qx, qy, qz))
            if kind == LAGRANGE:
                image[slow, fast] = lagrange(stol, knots, values)
            else:
                image[slow, fast] = monotone(stol, knots, values, slopes)[0]
