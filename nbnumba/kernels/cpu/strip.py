"""Loops over a strip that do not depend on the crystal: place, solid angle, scattering vector, factors.

A strip is up to `WIDTH` neighboring pixels of one row. All values of a strip stand in one scratch array, each
in a row of its own at a constant distance: that is how the compiler sees that a loop reads and writes different
memory and may use vector units. Numbers are taken out of the scene before a loop for the same reason.
The last lanes of a strip may lie beyond its pixels: they are computed, and never stored.
"""

import math

import numpy as np

from ..jit import inner, inner_inlined, strict_inner
from ..physics import sample as p
from ..scene import CURVED, FLAT, ROUND

WIDTH = 128  # pixels of a strip
LANES = 8  # strips are computed in multiples of this
STRIDE = WIDTH + LANES  # of rows; a power of two would make them compete for the same lines of the cache

_NAMES = (
    "SUM PART FCELL AMPLITUDE H K L RADIUS_SQUARED QX QY QZ DX DY DZ INVERSE OMEGA OMEGA_SUM POLAR CAPTURE GAIN "
    "FACTOR ACTIVE FIRST WATER_CAPTURE WATER_POLAR WATER_POLAR_FIRST "
    "HALO TOTAL UNIT SQUARE FOURTH NODE POWERS"
).split()
(
    SUM,  # the pixel's sum so far
    PART,  # the sum of one source's orientations, before its gain
    FCELL,  # structure factor of one sample
    AMPLITUDE,  # lattice factor of one sample
    H,  # fractional indices of one sample, or their offsets from the nearest whole numbers
    K,
    L,
    RADIUS_SQUARED,  # of the offset in reciprocal space, see physics.spot_radius_squared
    QX,  # scattering vector [1/m]
    QY,
    QZ,
    DX,  # diffracted unit vector
    DY,
    DZ,
    INVERSE,  # 1 / (sample to sub-pixel) [1/m]
    OMEGA,  # solid angle in use [sr]
    OMEGA_SUM,  # of all layers and sub-pixels [sr]
    POLAR,  # polarization factor in use
    CAPTURE,  # captured fraction of the layer in use
    GAIN,  # what a source's terms are multiplied by; 0 where dmin leaves them out
    FACTOR,  # what the running sum is multiplied by after every term
    ACTIVE,  # 1 where the pixel is rendered, else 0
    FIRST,  # number of the first sample out of the interpolation range
    WATER_CAPTURE,  # means for the water background of semantics exact
    WATER_POLAR,
    WATER_POLAR_FIRST,
    HALO,  # diffuse scattering of one sample, over F^2
    TOTAL,  # the pixel's sum so far where other rows have values of nodes, see `smooth`
    UNIT,  # place of a pixel in the strip, from -1 to 1, and powers of it
    SQUARE,
    FOURTH,
    NODE,  # places of the nodes, in pixels
    POWERS,  # coefficients of polynomials
) = (i * STRIDE for i in range(len(_NAMES)))
EVALUATED = len(_NAMES) * STRIDE  # number of lanes whose lattice factor was worked out
SCRATCH = EVALUATED + 1


@inner_inlined
def fill(s, row, n, value):
    """Set a row."""
    for w in range(n):
        s[row + w] = value


@inner_inlined
def fill_from(s, row, start, n, value):
    """Set the lanes of a row from `start` on."""
    for w in range(start, n):
        s[row + w] = value


@inner_inlined
def copy(s, row, n, other):
    """Copy a row."""
    for w in range(n):
        s[row + w] = s[other + w]


@inner_inlined
def add(s, row, n, other):
    """Add one row to another."""
    for w in range(n):
        s[row + w] += s[other + w]


@inner_inlined
def any_zero(s, row, n):
    """Tell whether a row holds a zero."""
    zeros = 0
    for w in range(n):
        zeros += s[row + w] == 0.0
    return zeros > 0


@inner_inlined
def any_positive(s, row, n):
    """Tell whether a row holds a number above zero."""
    found = 0
    for w in range(n):
        found += s[row + w] > 0.0
    return found > 0


@strict_inner
def place_strip(q, s, n, slow, fast, sub_slow, sub_fast, layer):
    """Diffracted direction and inverse distance of one sub-pixel of every pixel.

    Positions are summed in C's order with nothing fused: a large crystal magnifies their last bit a thousandfold.
    """
    oversample, pixel = q.oversample, q.pixel_fast
    along_slow = p.subpixel_center(slow, sub_slow, oversample, q.pixel_slow)
    depth = layer * q.layer_step
    fx, fy, fz = q.fast[0], q.fast[1], q.fast[2]
    sx, sy, sz = q.slow[0], q.slow[1], q.slow[2]
    nx, ny, nz = q.normal[0], q.normal[1], q.normal[2]
    ox, oy, oz = q.origin[0], q.origin[1], q.origin[2]
    if q.surface == FLAT and q.shape != ROUND:
        for w in range(n):
            along_fast = p.subpixel_center(fast + w, sub_fast, oversample, pixel)
            x = p.flat_position(along_fast, along_slow, depth, fx, sx, nx, ox)
            y = p.flat_position(along_fast, along_slow, depth, fy, sy, ny, oy)
            z = p.flat_position(along_fast, along_slow, depth, fz, sz, nz, oz)
            inverse = 1.0 / math.sqrt(x * x + y * y + z * z)
            s[INVERSE + w] = inverse
            s[DX + w] = x * inverse
            s[DY + w] = y * inverse
            s[DZ + w] = z * inverse
        return
    for w in range(n):
        along_fast = p.subpixel_center(fast + w, sub_fast, oversample, pixel)
        s[DX + w] = p.flat_position(along_fast, along_slow, depth, fx, sx, nx, ox)
        s[DY + w] = p.flat_position(along_fast, along_slow, depth, fy, sy, ny, oy)
        s[DZ + w] = p.flat_position(along_fast, along_slow, depth, fz, sz, nz, oz)
    if q.surface != FLAT:
        for w in range(n):
            along_fast = p.subpixel_center(fast + w, sub_fast, oversample, pixel)
            s[DX + w], s[DY + w], s[DZ + w] = p.curved_position(q, along_fast, along_slow, depth, s[DY + w], s[DZ + w])
    # Divided as in C: whether a pixel on the direct beam has q = 0 or not depends on the last bit, and the amplitude of
    # an ellipsoidal crystal is 1 or 0 by that.
    for w in range(n):
        x, y, z = s[DX + w], s[DY + w], s[DZ + w]
        radius = math.sqrt(x * x + y * y + z * z)
        s[INVERSE + w] = 1.0 / radius
        s[DX + w] = x / radius
        s[DY + w] = y / radius
        s[DZ + w] = z / radius


@inner
def omega_strip(q, s, n):
    """Solid angle of every pixel at the current sub-pixel."""
    fast, slow, close, point = q.pixel_fast, q.pixel_slow, q.close_distance, q.point_pixel
    obliquity = q.surface != CURVED
    for w in range(n):
        s[OMEGA + w] = p.solid_angle(s[INVERSE + w], fast, slow, close, point, obliquity)


@inner
def capture_strip(q, s, n, layer, always):
    """Captured fraction at the current sub-pixel: where it is still 0, or everywhere."""
    ox, oy, oz = q.normal[0], q.normal[1], q.normal[2]
    step, mu = q.layer_step, q.mu
    along_ray = q.surface == CURVED
    for w in range(n):
        along_normal = p.dot(s[DX + w], s[DY + w], s[DZ + w], ox, oy, oz)
        parallax = 1.0 if along_ray else along_normal
        captured = p.capture_fraction(layer, step, mu, parallax)
        kept = s[CAPTURE + w]
        s[CAPTURE + w] = captured if p.takes_over(always, kept, True) else kept


@inner_inlined
def scatter_strip(q, sources, s, n, source):
    """Scattering vectors for one source; GAIN becomes 0 where dmin leaves the sample out, else 1."""
    ix = sources[source, 0]
    iy = sources[source, 1]
    iz = sources[source, 2]
    inverse_wavelength = sources[source, 3]
    dmin = q.dmin
    for w in range(n):
        s[QX + w], s[QY + w], s[QZ + w] = p.scattering_vector(
            s[DX + w], s[DY + w], s[DZ + w], ix, iy, iz, inverse_wavelength
        )
    if dmin > 0.0:
        for w in range(n):
            s[GAIN + w] = p.passes_dmin(s[QX + w], s[QY + w], s[QZ + w], dmin)
    elif not q.plain:
        fill(s, GAIN, n, 1.0)


@inner
def lanes_in_range(q, s, n, vector):
    """First lane, and that after the last one, that may have a structure factor: whole vectors, 0 and 0 if none.

    Uses FCELL.
    """
    least, most = q.q_least_squared, q.q_most_squared
    if least <= 0.0 and most == np.inf:
        return 0, n
    found = 0
    for w in range(n):
        near = p.may_diffract(s[QX + w], s[QY + w], s[QZ + w], least, most)
        s[FCELL + w] = 1.0 if near else 0.0
        found += near
    if found == n or found == 0:
        return 0, found
    first, last = 0, n - 1
    while s[FCELL + first] == 0.0:
        first += 1
    while s[FCELL + last] == 0.0:
        last -= 1
    return first // vector * vector, min(last // vector * vector + vector, n)


@inner_inlined
def is_bounded(q):
    """Tell whether the directions in which there can be structure factors have bounds."""
    return q.chord_least > 0.0 or q.chord_most != np.inf


@inner
def out_of_range(q, s, n):
    """Tell whether no source has a structure factor anywhere in these pixels, in the layer whose place is open."""
    if not is_bounded(q):
        return False
    least, most = q.chord_least, q.chord_most
    mx, my, mz = q.middle[0], q.middle[1], q.middle[2]
    # A unit vector turns by no more than this from one end of a pixel to the other.
    across = 2.0 * (q.pixel_fast + q.pixel_slow)
    found = 0
    for w in range(n):
        margin = across * s[INVERSE + w]
        found += p.chord_in_range(s[DX + w], s[DY + w], s[DZ + w], mx, my, mz, least, most, margin) | (margin > 1.0)
    return found == 0


@inner_inlined
def polar_strip(q, sources, s, n, source, row, always):
    """Polarization factor for one source: where it is still 0 and the sample counts, or everywhere."""
    ix = sources[source, 0]
    iy = sources[source, 1]
    iz = sources[source, 2]
    kahn = q.kahn
    if kahn == 0.0:
        for w in range(n):
            factor = p.polarization_factor(0.0, p.dot(ix, iy, iz, s[DX + w], s[DY + w], s[DZ + w]), 1.0, 0.0)
            kept = s[row + w]
            s[row + w] = factor if p.takes_over(always, kept, s[GAIN + w] > 0.0) else kept
        return
    ex, ey, ez, bx, by, bz = p.polarization_axes(ix, iy, iz, q.polar_axis[0], q.polar_axis[1], q.polar_axis[2])
    for w in range(n):
        x, y, z = s[DX + w], s[DY + w], s[DZ + w]
        along_e, along_b = p.dot(x, y, z, ex, ey, ez), p.dot(x, y, z, bx, by, bz)
        factor = p.polarization_factor(kahn, p.dot(ix, iy, iz, x, y, z), along_e, along_b)
        kept = s[row + w]
        s[row + w] = factor if p.takes_over(always, kept, s[GAIN + w] > 0.0) else kept


@inner
def weigh_strip(q, s, n, weight):
    """Complete GAIN by the factors that multiply each term, and FACTOR by those of the running sum."""
    compound, thick = q.compound, q.oversample_thick or q.weigh_layers
    polar, omega = q.oversample_polar, q.oversample_omega
    for w in range(n):
        factor = p.switched_product(thick, polar, omega, s[CAPTURE + w], s[POLAR + w], s[OMEGA + w])
        s[GAIN + w] *= weight if compound else weight * factor
        s[FACTOR + w] = factor


@inner
def finish_strip(q, s, n):
    """Scale the sums by what they have not been multiplied by yet [photons]."""
    photons = q.photons
    capture = not (q.oversample_thick or q.weigh_layers)
    polar, omega = not q.oversample_polar, not q.oversample_omega
    for w in range(n):
        rest = p.switched_product(capture, polar, omega, s[CAPTURE + w], s[POLAR + w], s[OMEGA + w])
        s[SUM + w] = photons * s[SUM + w] * rest


@inner
def water_strip(q, n_sources, s, n):
    """Add the water of semantics exact: its photons per steradian times the mean capture, polarization, solid angle."""
    places = q.layers * q.oversample * q.oversample
    water, polarized, mean_polar = q.water_end, q.polarized, q.oversample_polar
    polars = float(places * n_sources)
    for w in range(n):
        mean = s[WATER_POLAR + w] / polars
        polar = p.water_polarization(polarized, mean_polar, s[POLAR + w], s[WATER_POLAR_FIRST + w], mean)
        s[SUM + w] += water * s[WATER_CAPTURE + w] * polar * (s[OMEGA_SUM + w] / places)


@inner_inlined
def fold(s, row, half):
    """Add the upper half of 2 * half lanes to the lower."""
    for w in range(half):
        s[row + w] += s[row + half + w]


@inner
def total_omega(s, n):
    """Sum OMEGA_SUM over the rendered pixels, which it changes."""
    for w in range(n):
        s[OMEGA_SUM + w] *= s[ACTIVE + w]
    fill_from(s, OMEGA_SUM, n, WIDTH, 0.0)
    fold(s, OMEGA_SUM, WIDTH // 2)
    fold(s, OMEGA_SUM, WIDTH // 4)
    fold(s, OMEGA_SUM, WIDTH // 8)
    fold(s, OMEGA_SUM, WIDTH // 16)
    total = 0.0
    for w in range(WIDTH // 16):
        total += s[OMEGA_SUM + w]
    return total
