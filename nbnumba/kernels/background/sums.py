"""The sum of one pixel over sub-pixels, layers and sources.

Geometry, solid angle, capture and polarization are those of the spots; each sample has its own.
"""

import math

from ..jit import inner, kernel
from ..physics import sample as p
from ..pixel import capture, direction_to, polarization, position, solid_angle
from .curve import LAGRANGE, PIECES, TABULATED, intensity, lagrange, monotone


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
    nonBragg.c:1450-1530. `slow` and `fast` may lie between pixels. Of the kinds `TABULATED` and `PIECES` the sources
    are directions: in place of the inverse wavelength they have the number of a curve.
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
                number = int(inverse_wavelength) if kind in (TABULATED, PIECES) else 0
                squared = intensity(kind, stol, sine, number, knots, values, slopes, table, cells)
                total += squared * polar * factor * weight
    return total


@kernel
def sum_rows(numbers, mask, sources, kind, knots, values, slopes, table, cells, scale, first, last, block):
    """Add scale times the sum of every pixel of rows first to last to a block of them, within region and mask."""
    q = numbers[0]
    masked = mask.shape[0] > 0
    for slow in range(max(first, q.slow_first), min(last, q.slow_last) + 1):
        for fast in range(q.fast_first, q.fast_last + 1):
            if not masked or mask[slow, fast] != 0:
                block[slow - first, fast] += scale * pixel_sum(
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
