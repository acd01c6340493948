"""The physics of one sample, once: small functions of numbers that every kernel and the trace call.

A sample is one term of the sum: sensor layer, sub-pixel, source, phi step, mosaic domain. The functions on
the path of a sample have no branches, so that a strip of pixels is computed in vector units, and use nothing
but arithmetic and `math`, so that they compile for a GPU too.
"""

import math

import numpy as np

from ..constants import GAUSS_WIDTH, ROUND_AMPLITUDE, TOPHAT_RADIUS_SQUARED
from ..scene import CURVED_AS_C
from .jit import ceil, floor, physics, power_of_two, round_even

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.6931471803691238  # ln 2 with its last bits zero, so that n * _LN2_HIGH is exact
_LN2_LOW = 1.9082149292705877e-10


@physics
def nearest_index(h):
    """Nearest whole number, as a float; a tie goes down (nanoBragg.c:2815)."""
    return ceil(h - 0.5)


@physics
def sin_pi(x):
    """sin(pi x) for |x| <= 1/2, to a relative error of 2.2e-11.

    Notes
    -----
    Minimax polynomial in x^2 with six terms. Six such factors, squared, make an error of 2.6e-10 at the
    most in an intensity: one part in 200 of the rounding to float32.
    """
    t = x * x
    p = 0.0820464787869173 + t * -0.0070221635507176534
    p = -0.5992513300797654 + t * p
    p = 2.5501632403133097 + t * p
    p = -5.1677127621156105 + t * p
    return x * (3.1415926535233476 + t * p)


@physics
def exp_minus(x):
    """exp(-x) for x >= 0, relative error 4e-16, zero where the exact function underflows.

    Notes
    -----
    exp(-x) = 2^n exp(r) with |r| <= ln(2)/2 and a minimax polynomial of eleven terms. Written out because a
    call into the C library would keep the loop around it from being vectorised.
    """
    x = x if x < 750.0 else 750.0
    n = round_even(-x * _LOG2_E)
    r = (-x - n * _LN2_HIGH) - n * _LN2_LOW
    p = 2.7639768792727978e-06 + r * 2.7488459360278e-07
    p = 2.4801917635509972e-05 + r * p
    p = 0.00019841171382838866 + r * p
    p = 0.0013888888499199242 + r * p
    p = 0.008333333384666939 + r * p
    p = 0.04166666666842573 + r * p
    p = 0.1666666666655774 + r * p
    p = 0.49999999999997286 + r * p
    p = 1.0000000000000064 + r * p
    p = 1.0 + r * p
    # In two halves, so that results below the smallest normal number are reached.
    whole = np.int64(n)
    half = whole >> 1
    return p * power_of_two(half) * power_of_two(whole - half)


@physics
def interference(dh, cells):
    """Numerator and denominator of sin(pi N h)/sin(pi h), up to sign, from the offset dh = h - h0.

    Notes
    -----
    At dh = 0 the ratio is N (nanoBragg.c:3269). sin(pi N h) = +- sin(pi (N dh - n)) for whole N, n; the sign
    is lost when the amplitude is squared.
    """
    turns = cells * dh
    turns -= round_even(turns)
    bottom = sin_pi(dh)
    top = sin_pi(turns)
    peak = bottom == 0.0
    return (cells if peak else top), (1.0 if peak else bottom)


@physics
def odd(n):
    """1 for an odd whole number, 0 for an even one, as floats."""
    return n - 2.0 * floor(0.5 * n)


@physics
def interference_sign(h0, dh, cells):
    """Sign of sin(pi N h)/sin(pi h) that `interference` leaves out, for h = h0 + dh: 1 or -1.

    Notes
    -----
    sin(pi N h)/sin(pi h) = (-1)^((N - 1) h0 + n) sin(pi (N dh - n))/sin(pi dh) for whole N, h0 and n, with n the
    whole number nearest to N dh. Pictures do not need it; a trace shows amplitudes with their signs, as C has them.
    """
    return 1.0 - 2.0 * odd(odd(cells - 1.0) * odd(h0) + odd(round_even(cells * dh)))


@physics
def lattice_factor_square(dh, dk, dl, Na, Nb, Nc):
    """Amplitude of a parallelepiped crystal, up to sign (nanoBragg.c:2824-2838)."""
    top_h, bottom_h = interference(dh, Na)
    top_k, bottom_k = interference(dk, Nb)
    top_l, bottom_l = interference(dl, Nc)
    return (top_h * top_k * top_l) / (bottom_h * bottom_k * bottom_l)


@physics
def ellipsoid_radius(dh, dk, dl, Na, Nb, Nc, fudge):
    """Distance from a reciprocal-lattice point in units of 1/N along each axis (nanoBragg.c:2851)."""
    return math.sqrt((dh * dh * Na * Na + dk * dk * Nb * Nb + dl * dl * Nc * Nc) * fudge)


@physics
def ellipsoid_sign(radius):
    """Sign that `lattice_factor_round` leaves out, 1 or -1, from the `ellipsoid_radius`: of its whole half turns."""
    return 1.0 - 2.0 * odd(round_even(radius))


@physics
def lattice_factor_round(dh, dk, dl, Na, Nb, Nc, fudge):
    """Amplitude of an ellipsoidal crystal at an offset from a reciprocal-lattice point, up to sign.

    Notes
    -----
    Na Nb Nc 0.7236 sinc3(x), x = pi sqrt(fudge (Na^2 dh^2 + Nb^2 dk^2 + Nc^2 dl^2)),
    sinc3(x) = 3 (sin(x)/x - cos(x))/x^2 (nanoBragg.c:2854, 3276).
    The angle is reduced to |y| <= pi/2 by whole half turns, which change the sign of sine and cosine alike.
    Near zero the formula cancels, in C as here: below x = 1e-8 both give 0, and 1 at x = 0 itself.
    """
    s = ellipsoid_radius(dh, dk, dl, Na, Nb, Nc, fudge)
    x = math.pi * s
    y = math.pi * (s - round_even(s))
    t = y * y
    p = -2.5051880275131696e-08 + t * (1.604809543790667e-10 + t * -7.373344868031778e-13)
    p = -0.00019841269825056481 + t * (2.7557316600576556e-06 + t * p)
    p = -0.16666666666666186 + t * (0.008333333333285542 + t * p)
    sine = y + y * t * p
    p = 2.087656773998485e-09 + t * (-1.146303934181755e-11 + t * 4.610293870490452e-14)
    p = 2.480158727914883e-05 + t * (-2.755731652520808e-07 + t * p)
    p = 0.04166666666666437 + t * (-0.0013888888888785652 + t * p)
    cosine = 1.0 + t * (-0.49999999999999983 + t * p)
    safe = x if x > 0.0 else 1.0
    sinc3 = 3.0 * (sine / safe - cosine) / (safe * safe)
    return Na * Nb * Nc * ROUND_AMPLITUDE * (sinc3 if x > 0.0 else 1.0)


@physics
def spot_radius_squared(dh, dk, dl, ax, ay, az, bx, by, bz, cx, cy, cz, cells):
    """Squared distance from a reciprocal-lattice point, in units of 1/(Na Nb Nc) per Angstrom.

    (ax, ay, az) and so on are the unrotated a*, b*, c* [1/Angstrom] (nanoBragg.c:2843).
    """
    x = dh * ax + dk * bx + dl * cx
    y = dh * ay + dk * by + dl * cy
    z = dh * az + dk * bz + dl * cz
    return (x * x + y * y + z * z) * cells * cells


@physics
def lattice_factor_gauss(radius_squared, cells, fudge):
    """Amplitude of a Gaussian spot (nanoBragg.c:2861)."""
    return cells * exp_minus(radius_squared / GAUSS_WIDTH * fudge)


@physics
def lattice_factor_tophat(radius_squared, cells, fudge):
    """Amplitude of a spot cut at its half-width (nanoBragg.c:2866)."""
    return cells if radius_squared * fudge < TOPHAT_RADIUS_SQUARED else 0.0


@physics
def cubic_weights(u):
    """Weights of the values at -1, 0, 1, 2 in cubic Lagrange interpolation at 0 <= u < 1."""
    return (
        u * (u - 1.0) * (2.0 - u) / 6.0,
        (u + 1.0) * (u - 1.0) * (u - 2.0) / 2.0,
        (u + 1.0) * u * (2.0 - u) / 2.0,
        (u + 1.0) * u * (u - 1.0) / 6.0,
    )


@physics
def padded_index(h, h_min, size):
    """Index along one axis of the padded table of the nearest reflection, as a float; the border when outside."""
    i = nearest_index(h) - (h_min - 1.0)
    i = i if i > 0.0 else 0.0
    return i if i < size - 1.0 else size - 1.0


@physics
def cubic_fits(h, h_min, size):
    """Tell whether the four neighbours floor(h) - 1 ... floor(h) + 2 stand in the padded table's inside."""
    below = floor(h)
    return below - 1.0 >= h_min and below + 2.0 <= h_min + size - 3.0


@physics
def trips_latch(h, h_min, size):
    """C's test for being out of range of interpolation, up to a cell early (nanoBragg.c:2934)."""
    return h - h_min + 3.0 > size - 2.0 or h - 2.0 < h_min


@physics
def cubic_interpolation(h, k, l, table, h_min, k_min, l_min):
    """Structure factor between reflections: cubic Lagrange in three dimensions (nanoBragg.c:3846-3885).

    `table` is padded by one cell; the 4 x 4 x 4 neighbourhood must lie inside (`cubic_fits`).
    """
    h_below = floor(h)
    k_below = floor(k)
    l_below = floor(l)
    h_weights = cubic_weights(h - h_below)
    k_weights = cubic_weights(k - k_below)
    l0, l1, l2, l3 = cubic_weights(l - l_below)
    i = int(h_below - h_min)
    j = int(k_below - k_min)
    m = int(l_below - l_min)
    total = 0.0
    for a in range(4):
        plane = 0.0
        for b in range(4):
            line = (
                l0 * table[i + a, j + b, m]
                + l1 * table[i + a, j + b, m + 1]
                + l2 * table[i + a, j + b, m + 2]
                + l3 * table[i + a, j + b, m + 3]
            )
            plane += k_weights[b] * line
        total += h_weights[a] * plane
    return total


@physics
def dot(ax, ay, az, bx, by, bz):
    """Inner product of two vectors, summed from x to z."""
    return ax * bx + ay * by + az * bz


@physics
def subpixel_center(pixel, sub, oversample, pixel_size):
    """Distance of the centre of a sub-pixel from the detector's corner along one edge [m] (nanoBragg.c:2694)."""
    size = pixel_size / oversample
    return size * (pixel * oversample + sub) + size / 2.0


@physics
def flat_position(along_fast, along_slow, depth, fast, slow, normal, origin):
    """One coordinate of a place on a flat detector [m] (nanoBragg.c:2703).

    `fast`, `slow`, `normal` and `origin` are the components of these vectors along that coordinate.
    """
    return along_fast * fast + (along_slow * slow + depth * normal + origin)


@physics
def passes_dmin(qx, qy, qz, dmin):
    """1 for a sample that the resolution cut-off lets through, else 0 (nanoBragg.c:2758)."""
    stol = 0.5 * math.sqrt(qx * qx + qy * qy + qz * qz)
    return 0.0 if stol > 0.0 and dmin > 0.5 / stol else 1.0


@physics
def curved_position(scene, along_fast, along_slow, depth, flat_y, flat_z):
    """Place of a sub-pixel on a detector that is bent around the sample [m].

    Parameters
    ----------
    along_fast, along_slow, depth : float [m]
        From the corner of the detector, and into the sensor.
    flat_y, flat_z : float [m]
        Laboratory coordinates of the same sub-pixel on the flat detector.

    Notes
    -----
    The beam's end is turned about slow, then about fast, by the offset from the beam centre over the distance.
    C turns by the flat position's y and z instead (nanoBragg.c:2707-2716).
    """
    bx, by, bz = scene.beam[0], scene.beam[1], scene.beam[2]
    radius = scene.distance
    if scene.surface == CURVED_AS_C:
        about_slow = flat_y / radius
        about_fast = flat_z / radius
        reach = radius
    else:
        about_slow = scene.bend_fast * (along_fast - scene.beam_fast) / radius
        about_fast = scene.bend_slow * (along_slow - scene.beam_slow) / radius
        reach = radius + depth
    x, y, z = rotate_about(reach * bx, reach * by, reach * bz, scene.slow[0], scene.slow[1], scene.slow[2], about_slow)
    return rotate_about(x, y, z, scene.fast[0], scene.fast[1], scene.fast[2], about_fast)


@physics
def solid_angle(airpath, pixel_size, close_distance, point_pixel, obliquity):
    """Solid angle of a pixel [sr] (nanoBragg.c:2725-2728).

    pixel^2/R^2 times the obliquity close_distance/R; 1/R^2 with -point_pixel.
    """
    inverse = 1.0 / airpath
    if point_pixel:
        return inverse * inverse
    flat = pixel_size * inverse * pixel_size * inverse
    return flat * (close_distance * inverse) if obliquity else flat


@physics
def capture_fraction(layer, layer_step, mu, parallax):
    """Fraction of the photons absorbed in one layer of the sensor (nanoBragg.c:2738)."""
    return math.exp(-layer * layer_step * mu / parallax) - math.exp(-(layer + 1) * layer_step * mu / parallax)


@physics
def polarization_factor(kahn, ix, iy, iz, dx, dy, dz, px, py, pz):
    """Kahn polarisation factor for unit vectors of incident i and diffracted d (nanoBragg.c:4077-4125).

    Notes
    -----
    (1 + cos^2(2 theta) - K cos(2 psi) sin^2(2 theta))/2; psi is the azimuth of the diffracted ray between
    B = p x i and E = i x B, and cos(2 psi) = (E.d^2 - B.d^2)/(E.d^2 + B.d^2).
    """
    cosine = ix * dx + iy * dy + iz * dz
    cosine_squared = cosine * cosine
    if kahn == 0.0:
        return 0.5 * (1.0 + cosine_squared)
    bx = py * iz - pz * iy
    by = pz * ix - px * iz
    bz = px * iy - py * ix
    scale = 1.0 / math.sqrt(bx * bx + by * by + bz * bz)
    bx *= scale
    by *= scale
    bz *= scale
    ex = iy * bz - iz * by
    ey = iz * bx - ix * bz
    ez = ix * by - iy * bx
    along_e = dx * ex + dy * ey + dz * ez
    along_b = dx * bx + dy * by + dz * bz
    e_squared = along_e * along_e
    b_squared = along_b * along_b
    total = e_squared + b_squared
    cos_two_psi = (e_squared - b_squared) / (total if total > 0.0 else 1.0) if total > 0.0 else 1.0
    return 0.5 * (1.0 + cosine_squared - kahn * cos_two_psi * (1.0 - cosine_squared))


@physics
def rotate_about(vx, vy, vz, ax, ay, az, angle):
    """Turn a vector about a unit axis by a right-handed angle [rad] (nanoBragg.c:3347)."""
    s = math.sin(angle)
    c = math.cos(angle)
    along = (ax * vx + ay * vy + az * vz) * (1.0 - c)
    return (
        ax * along + vx * c + (-az * vy + ay * vz) * s,
        ay * along + vy * c + (az * vx - ax * vz) * s,
        az * along + vz * c + (-ay * vx + ax * vy) * s,
    )
