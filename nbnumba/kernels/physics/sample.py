"""The physics of one sample, once: small functions of numbers that every kernel and the trace call.

A sample is one term of the sum: sensor layer, sub-pixel, source, phi step, mosaic domain. The functions on
the path of a sample have no branches, so that a strip of pixels is computed in vector units, and use nothing
but arithmetic, `math` and `intrinsics`, so that they compile for a GPU too. Those that say so take float32 as well,
and stay in float32.
"""

import math

from ...constants import ROUND_AMPLITUDE, TOPHAT_RADIUS_SQUARED
from ..jit import physics, strict_physics
from ..scene import CURVED_AS_C
from .functions import exp_minus, exp_negative, inverse_sqrt, sin_pi, sine_cosine_terms
from .intrinsics import constant, floor, magnitude_above, polynomial, quotient, round_even

_SMALLEST_OFFSET = 1e-12


@physics
def cells_along_axes(scene):
    """Unit cells along a, b and c, from the numbers of a scene."""
    return scene.N[0, 0], scene.N[1, 1], scene.N[2, 2]


@physics
def cells_in_crystal(scene):
    """Unit cells of the whole crystal, from the numbers of a scene."""
    return scene.N[0, 0] * scene.N[1, 1] * scene.N[2, 2]


@physics
def weighted_square(amplitude, weight):
    """Square of an amplitude times a weight; for a weight of 1 it rounds as the square alone."""
    return amplitude * (amplitude * weight)


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
    whole number nearest to N dh. Images do not need it; a trace shows amplitudes with their signs, as C has them.
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


_SINC3 = tuple((-1) ** n * 6.0 * (n + 1) / math.factorial(2 * n + 3) for n in range(6))
_SINC3_CANCELS = 1e-8 / math.pi  # x/pi below which sin(x)/x and cos(x) are both 1 in float64


@physics
def sinc3(turned, inverse):
    """sinc3(x) = 3 (sin(x)/x - cos(x))/x^2, up to sign, from x/pi less its whole half turns and from pi/x.

    Notes
    -----
    nanoBragg.c:3276. Near zero the formula cancels, in C as here: the error is 3e-6 at x = 1e-5 and 2e-4 at 1e-6, and
    below x = 1e-8 both give 0. `sinc3_uncancelled` keeps its digits.
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
def sinc3_series(turned):
    """1 - x^2/10 + x^4/280 - ..., x = pi `turned`: sinc3(x) to 2e-12 for |x| <= pi/4."""
    return polynomial((math.pi * math.pi) * (turned * turned), _SINC3, _SINC3)


@physics
def sinc3_near_zero(profile, s):
    """Put C's values in place of sinc3(pi s) where s is next to nothing: 1 for 0, else 0.

    There the formula cancels. A pixel whose center is on the direct beam is there.
    """
    profile = profile if s > _SINC3_CANCELS else constant(0.0, profile)
    return profile if s > 0.0 else constant(1.0, profile)


@physics
def sinc3_uncancelled(turned, inverse, s):
    """sinc3(pi s), up to sign, with all its digits near zero and 1 at zero; relative error 4e-12 up to the first zero.

    Below s = 1/4, where s is `turned`, it is the beginning of its power series.
    """
    series = sinc3_series(turned)
    beyond = sinc3(turned, inverse)
    return series if s < 0.25 else beyond


@physics
def lattice_factor_round(dh, dk, dl, Na, Nb, Nc, fudge, cancels):
    """Amplitude of an ellipsoidal crystal at an offset from a reciprocal-lattice point, up to sign.

    With `cancels` it loses its digits near the point, and vanishes next to it, as in C.

    Notes
    -----
    Na Nb Nc 0.7236 sinc3(x), x = pi sqrt(fudge (Na^2 dh^2 + Nb^2 dk^2 + Nc^2 dl^2)), and 1 for sinc3(0)
    (nanoBragg.c:2854). The angle is reduced by whole half turns, which change the sign of sine and cosine alike.
    """
    s, inverse = ellipsoid_radius(dh, dk, dl, Na, Nb, Nc, fudge)
    turned = s - round_even(s)
    profile = sinc3_near_zero(sinc3(turned, inverse), s) if cancels else sinc3_uncancelled(turned, inverse, s)
    return Na * Nb * Nc * ROUND_AMPLITUDE * profile


@physics
def spot_radius_squared(dh, dk, dl, xa, xb, xc, yb, yc, zc, scale):
    """Squared distance from a reciprocal-lattice point, in the units that the shape measures it in.

    Notes
    -----
    C's Gaussian and top-hat spots measure |dh a* + dk b* + dl c*| Na Nb Nc, in 1/Angstrom: the reciprocal cell is laid
    with a* = (xa, 0, 0), b* = (xb, yb, 0), c* = (xc, yc, zc), which changes no distance (nanoBragg.c:2843). The other
    shapes have a triangle and a scale of their own, see `nbnumba.crystal.spot_shape`.
    """
    x = dh * xa + dk * xb + dl * xc
    y = dk * yb + dl * yc
    z = dl * zc
    return (x * x + y * y + z * z) * (scale * scale)


@physics
def gauss_exponent(radius_squared, fudge, width):
    """What a Gaussian spot falls off by: its amplitude is that of the center times exp(-exponent)."""
    return radius_squared / width * fudge


@physics
def lattice_factor_gauss(radius_squared, height, fudge, width, limit):
    """Amplitude of a Gaussian spot: height exp(-exponent), 0 from an exponent of `limit` on (nanoBragg.c:2861)."""
    exponent = gauss_exponent(radius_squared, fudge, width)
    return height * exp_minus(exponent) if exponent < limit else 0.0


@physics
def lattice_factor_tophat(radius_squared, height, fudge):
    """Amplitude of a spot cut at its half-width (nanoBragg.c:2866)."""
    return height if radius_squared * fudge < TOPHAT_RADIUS_SQUARED else 0.0


@physics
def lattice_intensity_gauss(twice_exponent, height_squared):
    """Square of `lattice_factor_gauss`, from twice its exponent."""
    return height_squared * exp_negative(twice_exponent)


@physics
def lattice_intensity_tophat(radius_squared, height_squared):
    """Square of `lattice_factor_tophat`, from the squared radius times fudge."""
    return height_squared if radius_squared < TOPHAT_RADIUS_SQUARED else 0.0


@physics
def dot(ax, ay, az, bx, by, bz):
    """Inner product of two vectors, summed from x to z."""
    return ax * bx + ay * by + az * bz


@strict_physics
def subpixel_center(pixel, sub, oversample, pixel_size):
    """Distance of the center of a sub-pixel from the detector's corner along one edge [m] (nanoBragg.c:2694)."""
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
def may_diffract(qx, qy, qz, least_squared, most_squared):
    """Tell whether a scattering vector is as long as one that a structure factor other than 0 belongs to."""
    squared = qx * qx + qy * qy + qz * qz
    return not ((squared < least_squared) | (squared > most_squared))


@physics
def chord_in_range(dx, dy, dz, mx, my, mz, least, most, margin):
    """Tell whether |d - m|, give or take a margin, lies between two lengths."""
    x, y, z = dx - mx, dy - my, dz - mz
    squared = x * x + y * y + z * z
    shortest, longest = least - margin, most + margin
    shortest = shortest if shortest > 0.0 else 0.0
    return not ((squared < shortest * shortest) | (longest < 0.0) | (squared > longest * longest))


@physics
def switched_product(with_capture, with_polar, with_omega, capture, polar, omega):
    """Product of those factors of a sample that are switched on."""
    product = capture if with_capture else 1.0
    product *= polar if with_polar else 1.0
    product *= omega if with_omega else 1.0
    return product


@physics
def takes_over(always, kept, counts):
    """Tell whether the factor of a sample replaces the one in use, `kept`: capture, polarization or solid angle.

    With its -oversample_ switch it always does. Without, the first that counts serves the whole pixel, or the layer for
    capture; as C, one of 0 is none yet (nanoBragg.c:2721, 2732, 2772).
    """
    return always | ((kept == 0.0) & counts)


@physics
def water_polarization(polarized, averaged, kept, first, mean):
    """Polarization factor of the water in a pixel, in semantics exact.

    Parameters
    ----------
    polarized, averaged : bool
        Whether there is polarization at all, and whether -oversample_polar asks for the mean.
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
def bend_angles(scene, along_fast, along_slow, flat_y, flat_z):
    """Turns about slow and about fast that take the beam to a place on a detector that is bent around the sample [rad].

    Parameters
    ----------
    along_fast, along_slow : float [m]
        From the corner of the detector.
    flat_y, flat_z : float [m]
        Laboratory coordinates of the same place on the flat detector.

    Notes
    -----
    Offsets from the beam center over the distance. C turns by the flat position's y and z instead
    (nanoBragg.c:2707-2716).
    """
    radius = scene.distance
    if scene.surface == CURVED_AS_C:
        return flat_y / radius, flat_z / radius
    return (
        scene.bend_fast * (along_fast - scene.beam_fast) / radius,
        scene.bend_slow * (along_slow - scene.beam_slow) / radius,
    )


@physics
def curved_position(scene, along_fast, along_slow, depth, flat_y, flat_z):
    """Place of a sub-pixel on a detector that is bent around the sample [m].

    Parameters
    ----------
    along_fast, along_slow, depth : float [m]
        From the corner of the detector, and into the sensor.
    flat_y, flat_z : float [m]
        As of `bend_angles`; the beam's end is turned about slow, then about fast.
    """
    bx, by, bz = scene.beam[0], scene.beam[1], scene.beam[2]
    reach = scene.distance if scene.surface == CURVED_AS_C else scene.distance + depth
    about_slow, about_fast = bend_angles(scene, along_fast, along_slow, flat_y, flat_z)
    x, y, z = rotate_about(reach * bx, reach * by, reach * bz, scene.slow[0], scene.slow[1], scene.slow[2], about_slow)
    return rotate_about(x, y, z, scene.fast[0], scene.fast[1], scene.fast[2], about_fast)


@physics
def solid_angle(inverse, pixel_fast, pixel_slow, close_distance, point_pixel, obliquity):
    """Solid angle of a pixel [sr] (nanoBragg.c:2725-2728).

    Area of the pixel over R^2 times the obliquity close_distance/R; 1/R^2 with -point_pixel. `inverse` is 1/R [1/m].
    """
    inverse_squared = inverse * inverse
    flat = pixel_fast * pixel_slow * inverse_squared
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
    """Unit vectors E and B across an incident beam i, for the polarization axis p: B = p x i, E = i x B."""
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
    """Kahn polarization factor (nanoBragg.c:4077-4125).

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
