"""The physics of one sample, once: small functions of numbers that every kernel and the trace call.

A sample is one term of the sum: sensor layer, sub-pixel, source, phi step, mosaic domain. The functions on
the path of a sample have no branches, so that a strip of pixels is computed in vector units, and use nothing
but arithmetic, `math` and `elementary`, so that they compile for a GPU too. Those that say so take float32 as well,
and stay in float32.
"""

import math

import numpy as np

from ..constants import GAUSS_WIDTH, ROUND_AMPLITUDE, TOPHAT_RADIUS_SQUARED
from ..scene import CURVED_AS_C
from .elementary import (
    bits_of,
    ceil,
    constant,
    float_of,
    floor,
    magnitude_above,
    polynomial,
    power_of_two,
    quotient,
    round_even,
    whole_ceil,
)
from .jit import physics, strict_physics

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.6931471803691238  # ln 2 with its last bits zero, so that n * _LN2_HIGH is exact
_LN2_LOW = 1.9082149292705877e-10

# Minimax polynomials, from the constant term up; the second of a kind is for float32.
_SIN_PI = (
    3.1415926535233476,
    -5.1677127621156105,
    2.5501632403133097,
    -0.5992513300797654,
    0.0820464787869173,
    -0.0070221635507176534,
)
_SIN_PI_SINGLE = (3.1415927, -5.16771, 2.5500698, -0.5982421, 0.07756039)
_EXP = (
    1.0,
    1.0000000000000064,
    0.49999999999997286,
    0.1666666666655774,
    0.04166666666842573,
    0.008333333384666939,
    0.0013888888499199242,
    0.00019841171382838866,
    2.4801917635509972e-05,
    2.7639768792727978e-06,
    2.7488459360278e-07,
)
_EXP_SINGLE = (1.0, 1.0, 0.4999999, 0.1666642, 0.041668225, 0.008374816, 0.0013836846)
_SINE = (
    -0.16666666666504604,
    0.008333333321087323,
    -0.00019841266729734368,
    2.7556953113117888e-06,
    -2.5030196945924265e-08,
    1.5409528760326e-10,
)
_SINE_SINGLE = (-0.16666667, 0.008333333, -0.00019841082, 2.7536203e-06, -2.4074897e-08)
_COSINE = (
    -0.499999999979384,
    0.04166666650396573,
    -0.0013888884612303207,
    2.4801070170301778e-05,
    -2.752566085918576e-07,
    1.9919951488124795e-09,
)
_COSINE_SINGLE = (-0.5, 0.04166666, -0.0013888642, 2.4773977e-05, -2.628538e-07)
_SMALLEST_OFFSET = 1e-12


@physics
def nearest_index(h):
    """Nearest whole number, as a float; a tie goes down (nanoBragg.c:2815)."""
    return ceil(h - 0.5)


@physics
def nearest_whole(h):
    """The same, as a float and as an integer of 32 bits."""
    return whole_ceil(h - 0.5)


@physics
def sin_pi(x):
    """sin(pi x) for |x| <= 1/2, to a relative error of 2.2e-11; in float32 to its rounding.

    Notes
    -----
    Minimax polynomial in x^2 with six terms. Six such factors, squared, make an error of 2.6e-10 at the
    most in an intensity: one part in 200 of the rounding to float32.
    """
    return x * polynomial(x * x, _SIN_PI, _SIN_PI_SINGLE)


@physics
def inverse_sqrt(x):
    """1/sqrt(x) for x >= 0, relative error 3e-16; a large finite number for 0.

    Notes
    -----
    Halving the exponent's bits gives a first guess that is good to 3.5 %; two steps of Householder's
    method make it 7e-6 and then exact. Vector units take a third of the time that their root and division take.
    """
    y = float_of(0x5FE6EB50C7B537A9 - (bits_of(x) >> 1))
    r = 1.0 - x * y * y
    y = y + y * (r * (0.5 + r * (0.375 + r * 0.3125)))
    r = 1.0 - x * y * y
    return y + y * (r * (0.5 + r * 0.375))


@physics
def exp_parts(x):
    """Whole number n and remainder r, |r| <= ln(2)/2, such that exp(-x) = 2^n exp(r)."""
    n = round_even(-x * _LOG2_E)
    return n, (-x - n * _LN2_HIGH) - n * _LN2_LOW


@physics
def exp_of_parts(n, r):
    """2^n exp(r) for an integer n and small r, relative error 4e-16; in the type of r."""
    # In two halves, so that results below the smallest normal number are reached.
    half = n >> 1
    return polynomial(r, _EXP, _EXP_SINGLE) * power_of_two(half, r) * power_of_two(n - half, r)


@physics
def exp_minus(x):
    """exp(-x), relative error 4e-16, zero where the exact function underflows; x is kept within -700 and 750.

    Notes
    -----
    exp(-x) = 2^n exp(r) with |r| <= ln(2)/2 and a minimax polynomial of eleven terms. Written out because a
    call into the C library would keep the loop around it from being vectorised.
    """
    x = x if x < 750.0 else 750.0
    x = x if x > -700.0 else -700.0
    n, r = exp_parts(x)
    return exp_of_parts(np.int64(n), r)


@physics
def off_peak(dh):
    """|dh|, but not less than 1e-12: there sin(pi N dh)/sin(pi dh) is N already, as at 0 (nanoBragg.c:3269)."""
    return magnitude_above(dh, _SMALLEST_OFFSET)


@physics
def turns(dh, cells):
    """Fraction of a turn, at most 1/2 either way, that is left of N dh turns."""
    whole = cells * dh
    return whole - round_even(whole)


@physics
def lattice_ratio(dh, dk, dl, turned_h, turned_k, turned_l):
    """Product of sin(pi N h)/sin(pi h) along three axes, up to sign, from offsets `off_peak` and their `turns`.

    Notes
    -----
    sin(pi N h) = +- sin(pi (N dh - n)) for whole N, n; the sign is lost when the amplitude is squared. float32 is
    enough for it, once N dh is reduced.
    """
    top = sin_pi(turned_h) * sin_pi(turned_k) * sin_pi(turned_l)
    return quotient(top, sin_pi(dh) * sin_pi(dk) * sin_pi(dl))


@physics
def odd(n):
    """1 for an odd whole number, 0 for an even one, as floats."""
    return n - 2.0 * floor(0.5 * n)


@physics
def interference_sign(h0, dh, cells):
    """Sign of sin(pi N h)/sin(pi h) that `lattice_ratio` leaves out, for h = h0 + dh: 1 or -1.

    Notes
    -----
    sin(pi N h)/sin(pi h) = (-1)^((N - 1) h0 + n) sin(pi (N dh - n))/sin(pi dh) for whole N, h0 and n, with n the
    whole number nearest to N dh. Pictures do not need it; a trace shows amplitudes with their signs, as C has them.
    """
    return 1.0 - 2.0 * odd(odd(cells - 1.0) * odd(h0) + odd(round_even(cells * dh)))


@physics
def lattice_factor_square(dh, dk, dl, Na, Nb, Nc):
    """Amplitude of a parallelepiped crystal, up to sign (nanoBragg.c:2824-2838)."""
    dh = off_peak(dh)
    dk = off_peak(dk)
    dl = off_peak(dl)
    return lattice_ratio(dh, dk, dl, turns(dh, Na), turns(dk, Nb), turns(dl, Nc))


@physics
def ellipsoid_radius(dh, dk, dl, Na, Nb, Nc, fudge):
    """Distance from a reciprocal-lattice point in units of 1/N along each axis, and its inverse (nanoBragg.c:2851)."""
    a = dh * Na
    b = dk * Nb
    c = dl * Nc
    squared = (a * a + b * b + c * c) * fudge
    inverse = inverse_sqrt(squared)
    return squared * inverse, inverse


@physics
def ellipsoid_sign(radius):
    """Sign that `lattice_factor_round` leaves out, 1 or -1, from the `ellipsoid_radius`: of its whole half turns."""
    return 1.0 - 2.0 * odd(round_even(radius))


@physics
def sine_cosine_terms(t):
    """S and C such that sin(y) = y + y t S and cos(y) = 1 + t C, for t = y^2 and |y| <= pi/2.

    Minimax polynomials of relative error 7e-14 and 8e-13; in float32 to its rounding.
    """
    return polynomial(t, _SINE, _SINE_SINGLE), polynomial(t, _COSINE, _COSINE_SINGLE)


_SINC3_CANCELS = 1e-8 / math.pi  # x/pi below which sin(x)/x and cos(x) are both 1 in float64


@physics
def sinc3(turned, inverse):
    """sinc3(x) = 3 (sin(x)/x - cos(x))/x^2, up to sign, from x/pi less its whole half turns and from pi/x.

    Notes
    -----
    nanoBragg.c:3276. Near zero the formula cancels, in C as here: below x = 1e-8 both give 0.
    """
    y = constant(math.pi, turned) * turned
    t = y * y
    S, C = sine_cosine_terms(t)
    sine = y + y * t * S
    cosine = constant(1.0, t) + t * C
    inverse_x = inverse * constant(1.0 / math.pi, inverse)
    return constant(3.0, t) * (sine * inverse_x - cosine) * (inverse_x * inverse_x)


@physics
def sinc3_central(turned):
    """The same for |x| <= pi/2, from x/pi, in the form 3 (S - C): nothing cancels, so that float32 is enough."""
    y = constant(math.pi, turned) * turned
    S, C = sine_cosine_terms(y * y)
    return constant(3.0, y) * (S - C)


@physics
def sinc3_near_zero(profile, s):
    """Put C's values in place of sinc3(pi s) where s is next to nothing: 1 for 0, else 0.

    There the formula cancels. A pixel whose centre is on the direct beam is there.
    """
    profile = profile if s > _SINC3_CANCELS else constant(0.0, profile)
    return profile if s > 0.0 else constant(1.0, profile)


@physics
def lattice_factor_round(dh, dk, dl, Na, Nb, Nc, fudge):
    """Amplitude of an ellipsoidal crystal at an offset from a reciprocal-lattice point, up to sign.

    Notes
    -----
    Na Nb Nc 0.7236 sinc3(x), x = pi sqrt(fudge (Na^2 dh^2 + Nb^2 dk^2 + Nc^2 dl^2)), and 1 for sinc3(0)
    (nanoBragg.c:2854). The angle is reduced by whole half turns, which change the sign of sine and cosine alike.
    """
    s, inverse = ellipsoid_radius(dh, dk, dl, Na, Nb, Nc, fudge)
    return Na * Nb * Nc * ROUND_AMPLITUDE * sinc3_near_zero(sinc3(s - round_even(s), inverse), s)


@physics
def spot_radius_squared(dh, dk, dl, xa, xb, xc, yb, yc, zc, cells):
    """Squared distance from a reciprocal-lattice point, in units of 1/(Na Nb Nc) per Angstrom.

    The reciprocal cell is laid with a* = (xa, 0, 0), b* = (xb, yb, 0), c* = (xc, yc, zc) [1/Angstrom], which changes
    no distance (nanoBragg.c:2843).
    """
    x = dh * xa + dk * xb + dl * xc
    y = dk * yb + dl * yc
    z = dl * zc
    return (x * x + y * y + z * z) * (cells * cells)


@physics
def gauss_exponent(radius_squared, fudge):
    """What a Gaussian spot falls off by: its amplitude is that of the centre times exp(-exponent)."""
    return radius_squared / GAUSS_WIDTH * fudge


@physics
def lattice_factor_gauss(radius_squared, cells, fudge):
    """Amplitude of a Gaussian spot (nanoBragg.c:2861)."""
    return cells * exp_minus(gauss_exponent(radius_squared, fudge))


@physics
def lattice_factor_tophat(radius_squared, cells, fudge):
    """Amplitude of a spot cut at its half-width (nanoBragg.c:2866)."""
    return cells if radius_squared * fudge < TOPHAT_RADIUS_SQUARED else 0.0


@physics
def cubic_weights(u):
    """Weights of the values at -1, 0, 1, 2 in cubic Lagrange interpolation at 0 <= u < 1."""
    below = u - 1.0
    above = u + 1.0
    beyond = 2.0 - u
    inner = u * below
    outer = above * beyond
    return (
        inner * beyond * (1.0 / 6.0),
        outer * below * -0.5,
        outer * u * 0.5,
        above * inner * (1.0 / 6.0),
    )


@physics
def padded_index(h0, h_min, size):
    """Index along one axis of the padded table of a reflection; the border when it lies outside."""
    i = h0 - (h_min - 1)
    i = i if i > 0 else 0
    return i if i < size - 1 else size - 1


@physics
def cubic_fits(h, h_min, size):
    """Tell whether the four neighbours floor(h) - 1 ... floor(h) + 2 stand in the padded table's inside."""
    below = floor(h)
    return (below - 1.0 >= h_min) & (below + 2.0 <= h_min + size - 3.0)


@physics
def trips_latch(h, h_min, size):
    """C's test for being out of range of interpolation, up to a cell early (nanoBragg.c:2934)."""
    return (h - h_min + 3.0 > size - 2.0) | (h - 2.0 < h_min)


@physics
def cubic_line(weights, f):
    """Interpolate among four neighbours."""
    return weights[0] * f[0] + weights[1] * f[1] + weights[2] * f[2] + weights[3] * f[3]


@physics
def cubic_plane(k_weights, l_weights, f):
    """Interpolate among 4 x 4 neighbours, a tuple of sixteen with l innermost."""
    return cubic_line(
        k_weights,
        (
            cubic_line(l_weights, f[0:4]),
            cubic_line(l_weights, f[4:8]),
            cubic_line(l_weights, f[8:12]),
            cubic_line(l_weights, f[12:16]),
        ),
    )


@physics
def neighbours_on_plane(flat, place, nl):
    """The 4 x 4 values from `place` of a flat table on, (k, l) with l innermost; `nl` cells are a step along k."""
    a, b, c, d = place, place + nl, place + 2 * nl, place + 3 * nl
    return (
        flat[a], flat[a + 1], flat[a + 2], flat[a + 3],
        flat[b], flat[b + 1], flat[b + 2], flat[b + 3],
        flat[c], flat[c + 1], flat[c + 2], flat[c + 3],
        flat[d], flat[d + 1], flat[d + 2], flat[d + 3],
    )  # fmt: skip


@physics
def cubic_interpolation(h, k, l, flat, h_min, k_min, l_min, nk, nl):
    """Structure factor between reflections: cubic Lagrange in three dimensions (nanoBragg.c:3846-3885).

    `flat` is the padded table in one dimension; the 4 x 4 x 4 neighbourhood must lie inside (`cubic_fits`).
    """
    h_below = floor(h)
    k_below = floor(k)
    l_below = floor(l)
    h_weights = cubic_weights(h - h_below)
    k_weights = cubic_weights(k - k_below)
    l_weights = cubic_weights(l - l_below)
    place = int(table_place(h_below - h_min, k_below - k_min, l_below - l_min, nk, nl))
    total = 0.0
    for a in range(4):
        neighbours = neighbours_on_plane(flat, place + a * nk * nl, nl)
        total += h_weights[a] * cubic_plane(k_weights, l_weights, neighbours)
    return total


@physics
def table_place(i, j, m, nk, nl):
    """Place of cell (i, j, m) of the padded table in its one-dimensional form."""
    return (i * nk + j) * nl + m


@physics
def nearest_factor(h, k, l, flat, h_min, k_min, l_min, nh, nk, nl):
    """Structure factor of the nearest reflection; `flat` is the padded table in one dimension."""
    i = padded_index(nearest_index(h), h_min, nh)
    j = padded_index(nearest_index(k), k_min, nk)
    m = padded_index(nearest_index(l), l_min, nl)
    return flat[int(table_place(i, j, m, nk, nl))]


@physics
def structure_factor(h, k, l, flat, h_min, k_min, l_min, nh, nk, nl, may_interpolate):
    """Structure factor at fractional indices: interpolated if it may be and the table reaches, else the nearest."""
    fits = cubic_fits(h, h_min, nh) and cubic_fits(k, k_min, nk) and cubic_fits(l, l_min, nl)
    if may_interpolate and fits:
        return cubic_interpolation(h, k, l, flat, h_min, k_min, l_min, nk, nl)
    return nearest_factor(h, k, l, flat, h_min, k_min, l_min, nh, nk, nl)


@physics
def dot(ax, ay, az, bx, by, bz):
    """Inner product of two vectors, summed from x to z."""
    return ax * bx + ay * by + az * bz


@strict_physics
def subpixel_center(pixel, sub, oversample, pixel_size):
    """Distance of the centre of a sub-pixel from the detector's corner along one edge [m] (nanoBragg.c:2694)."""
    size = pixel_size / oversample
    return size * (pixel * oversample + sub) + size / 2.0


@strict_physics
def flat_position(along_fast, along_slow, depth, fast, slow, normal, origin):
    """One coordinate of a place on a flat detector [m] (nanoBragg.c:2703).

    `fast`, `slow`, `normal` and `origin` are the components of these vectors along that coordinate.
    """
    return along_fast * fast + along_slow * slow + depth * normal + origin


@physics
def scattering_vector(dx, dy, dz, ix, iy, iz, inverse_wavelength):
    """(d - i)/lambda for the unit vectors of diffracted d and incident i [1/m] (nanoBragg.c:2750)."""
    return (dx - ix) * inverse_wavelength, (dy - iy) * inverse_wavelength, (dz - iz) * inverse_wavelength


@physics
def switched_product(with_capture, with_polar, with_omega, capture, polar, omega):
    """Product of those factors of a sample that are switched on."""
    product = capture if with_capture else 1.0
    product *= polar if with_polar else 1.0
    product *= omega if with_omega else 1.0
    return product


@physics
def water_polarization(polarized, averaged, kept, first, mean):
    """Polarisation factor of the water in a pixel, in semantics exact.

    Parameters
    ----------
    polarized, averaged : bool
        Whether there is polarisation at all, and whether -oversample_polar asks for the mean.
    kept, first, mean : float
        The value that serves the pixel, 0 where dmin left out every sample; that of its first sample; the mean.
    """
    used = first if polarized and kept == 0.0 else kept
    return mean if polarized and averaged else used


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
def solid_angle(inverse, pixel_size, close_distance, point_pixel, obliquity):
    """Solid angle of a pixel [sr] (nanoBragg.c:2725-2728).

    pixel^2/R^2 times the obliquity close_distance/R; 1/R^2 with -point_pixel. `inverse` is 1/R [1/m].
    """
    inverse_squared = inverse * inverse
    flat = pixel_size * pixel_size * inverse_squared
    oblique = flat * (close_distance * inverse) if obliquity else flat
    return inverse_squared if point_pixel else oblique


@physics
def capture_fraction(layer, layer_step, mu, parallax):
    """Fraction of the photons absorbed in one layer of the sensor (nanoBragg.c:2738).

    A ray that comes from behind (parallax < 0) grows in the sensor, as it does in C.
    """
    depths = layer_step * mu / parallax
    return exp_minus(layer * depths) - exp_minus((layer + 1) * depths)


@physics
def polarization_axes(ix, iy, iz, px, py, pz):
    """Unit vectors E and B across an incident beam i, for the polarisation axis p: B = p x i, E = i x B."""
    bx = py * iz - pz * iy
    by = pz * ix - px * iz
    bz = px * iy - py * ix
    scale = inverse_sqrt(bx * bx + by * by + bz * bz)
    bx *= scale
    by *= scale
    bz *= scale
    return iy * bz - iz * by, iz * bx - ix * bz, ix * by - iy * bx, bx, by, bz


@physics
def polarization_factor(kahn, cosine, along_e, along_b):
    """Kahn polarisation factor (nanoBragg.c:4077-4125).

    Parameters
    ----------
    kahn : float
        Kahn's factor K.
    cosine, along_e, along_b : float
        Components of the diffracted unit vector along the beam, E and B (`polarization_axes`); the first is
        cos(2 theta).

    Notes
    -----
    (1 + cos^2(2 theta) - K cos(2 psi) sin^2(2 theta))/2; psi is the azimuth of the diffracted ray between E and B:
    cos(2 psi) = (e^2 - b^2)/(e^2 + b^2), 1 along the beam itself.
    """
    cosine_squared = cosine * cosine
    e_squared = along_e * along_e
    b_squared = along_b * along_b
    total = e_squared + b_squared
    cos_two_psi = (e_squared - b_squared) / total if total > 0.0 else 1.0
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
