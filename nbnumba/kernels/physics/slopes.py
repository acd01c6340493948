"""Derivatives of the functions that a sample is composed of, each by the numbers that it takes.

They stand beside `sample`, `structure_factor` and `spot`, whose functions they differentiate and call. What jumps has
the derivative of the smooth parts on either side: the nearest reflection, the resolution cut-off, the middle of the
ellipsoid's spots where C's formula has lost its digits.
"""

import math

from ..jit import physics
from .functions import sin_pi, sine_cosine_terms
from .intrinsics import floor, polynomial, round_even
from .sample import (
    capture_fraction,
    ellipsoid_radius,
    lattice_factor_gauss,
    lattice_factor_round,
    polarization_axes,
    turns,
)
from .structure_factor import cubic_plane, cubic_weights, neighbors_on_plane, table_place

# cos(pi x) in powers of x^2 for |x| <= 1/2, from the constant term up: the minimax polynomial, error 8e-13.
_COS_PI = (
    0.9999999999992518,
    -4.934802200250963,
    4.058712107589404,
    -1.3352623161483312,
    0.23532544342768913,
    -0.025776340745072054,
    0.0018400218585535406,
)
_NEAREST = 3e-5  # N h below which sin(pi N h)/sin(pi h) is taken for constant, and its derivative for linear
# (d sinc3/dx)/x, from the constant term up; of `sample._SINC3` term by term.
_SINC3_SLOPE = tuple(2 * n * (-1) ** n * 6.0 * (n + 1) / math.factorial(2 * n + 3) for n in range(1, 9))


@physics
def cos_pi(x):
    """cos(pi x) for |x| <= 1/2, to 8e-13."""
    return polynomial(x * x, _COS_PI, _COS_PI)


@physics
def least_offset(cells):
    """Offset from a reflection up to which `interference_slopes` is that of the spot's middle, and its inverse."""
    return _NEAREST / cells, cells / _NEAREST


@physics
def interference_terms(dh, cells, least):
    """|h|, sin(pi N h), cos(pi N h), sin(pi h) and cos(pi h) at an offset from a reflection, which is `least` or more.

    Up to a common sign of the sine and the cosine of pi N h.
    """
    x = abs(dh)
    x = x if x > least else least
    turned = turns(x, cells)
    return x, sin_pi(turned), cos_pi(turned), sin_pi(x), cos_pi(x)


@physics
def interference_share(dh, inverse_least):
    """Sign of an offset from a reflection; up to `least_offset` what is between -1 and 1."""
    share = dh * inverse_least
    share = share if share < 1.0 else 1.0
    return share if share > -1.0 else -1.0


@physics
def interference_slopes(dh, dk, dl, cells, least, inverse_least, weight):
    """Product of sin(pi N h)/sin(pi h) along three axes, up to sign, with half the derivatives of its square.

    Parameters
    ----------
    dh, dk, dl : float
        Offset from a reflection.
    cells, least, inverse_least : (3,)
        N, and `least_offset` of each.
    weight : float
        What the derivatives are multiplied by.

    Returns
    -------
    float
        The product.
    (3,), (3,)
        Half the derivatives of its square, by pi h and by pi N, times the weight.

    Notes
    -----
    With S the sines of pi N h, s those of pi h and P = 1/(s_h s_k s_l) half the derivatives are S_h S_k S_l P times
    P (N S_k S_l cos(pi N h) - S_h S_k S_l P s_k s_l cos(pi h)) by pi h, and h P S_k S_l cos(pi N h) by pi N: one
    division for all. Near the reflection, where the first cancels, it grows in proportion to h from 0 to what it is at
    `least_offset`: both are good to 1e-9 of the largest derivative.
    """
    Na, Nb, Nc = cells
    h, S_h, C_h, s_h, c_h = interference_terms(dh, Na, least[0])
    k, S_k, C_k, s_k, c_k = interference_terms(dk, Nb, least[1])
    l, S_l, C_l, s_l, c_l = interference_terms(dl, Nc, least[2])
    beside_h, beside_k, beside_l = s_k * s_l, s_h * s_l, s_h * s_k
    over_h, over_k, over_l = S_k * S_l, S_h * S_l, S_h * S_k
    inverse = 1.0 / (s_h * beside_h)
    amplitude = S_h * over_h * inverse
    first = weight * amplitude * inverse
    second = first * amplitude
    a, b, c = first * (over_h * C_h), first * (over_k * C_k), first * (over_l * C_l)
    by_h = (Na * a - second * (beside_h * c_h)) * interference_share(dh, inverse_least[0])
    by_k = (Nb * b - second * (beside_k * c_k)) * interference_share(dk, inverse_least[1])
    by_l = (Nc * c - second * (beside_l * c_l)) * interference_share(dl, inverse_least[2])
    return amplitude, (by_h, by_k, by_l), (h * a, k * b, l * c)


@physics
def ellipsoid_intensity(dh, dk, dl, Na, Nb, Nc, fudge, cancels, height):
    """Square of `lattice_factor_round`, and its derivative by the squared `ellipsoid_radius`.

    `height` is the factor in the middle. The derivative is that of the formula that keeps its digits.
    """
    s, inverse = ellipsoid_radius(dh, dk, dl, Na, Nb, Nc, fudge)
    smooth = lattice_factor_round(dh, dk, dl, Na, Nb, Nc, fudge, False)
    amplitude = lattice_factor_round(dh, dk, dl, Na, Nb, Nc, fudge, True) if cancels else smooth
    y = math.pi * (s - round_even(s))
    t = y * y
    sine = y + y * t * sine_cosine_terms(t)[0]
    inverse_x = inverse / math.pi
    # (d sinc3/dx)/x = 3 (sin(x)/x - sinc3(x))/x^2
    beyond = 3.0 * (height * sine * inverse_x - smooth) * (inverse_x * inverse_x)
    series = height * polynomial(t, _SINC3_SLOPE, _SINC3_SLOPE)
    slope = series if s < 0.25 else beyond
    return amplitude * amplitude, (math.pi * math.pi) * smooth * slope


@physics
def gauss_intensity(exponent, height, limit):
    """Square of `lattice_factor_gauss` at an exponent, and its derivative by the exponent."""
    amplitude = lattice_factor_gauss(exponent, height, 1.0, 1.0, limit)
    intensity = amplitude * amplitude
    return intensity, -2.0 * intensity


@physics
def quadratic_form(form, dh, dk, dl):
    """Product of a symmetric matrix with an offset, (3), and with that once more, a number."""
    x = form[0] * dh + form[1] * dk + form[2] * dl
    y = form[1] * dh + form[3] * dk + form[4] * dl
    z = form[2] * dh + form[4] * dk + form[5] * dl
    return x, y, z, dh * x + dk * y + dl * z


@physics
def cubic_slopes(u):
    """Derivatives of `cubic_weights`."""
    return (
        (-3.0 * u * u + 6.0 * u - 2.0) * (1.0 / 6.0),
        1.5 * u * u - 2.0 * u - 0.5,
        -1.5 * u * u + u + 1.0,
        (3.0 * u * u - 1.0) * (1.0 / 6.0),
    )


@physics
def cubic_interpolation_slopes(h, k, l, flat, h_min, k_min, l_min, nk, nl):
    """`cubic_interpolation` with its derivatives by h, k and l."""
    h_below, k_below, l_below = floor(h), floor(k), floor(l)
    u, v, w = h - h_below, k - k_below, l - l_below
    along_h, along_k, along_l = cubic_weights(u), cubic_weights(v), cubic_weights(w)
    slope_h, slope_k, slope_l = cubic_slopes(u), cubic_slopes(v), cubic_slopes(w)
    place = int(table_place(h_below - h_min, k_below - k_min, l_below - l_min, nk, nl))
    total = by_h = by_k = by_l = 0.0
    for a in range(4):
        neighbors = neighbors_on_plane(flat, place + a * nk * nl, nl)
        plane = cubic_plane(along_k, along_l, neighbors)
        total += along_h[a] * plane
        by_h += slope_h[a] * plane
        by_k += along_h[a] * cubic_plane(slope_k, along_l, neighbors)
        by_l += along_h[a] * cubic_plane(along_k, slope_l, neighbors)
    return total, by_h, by_k, by_l


@physics
def direction_slope(dx, dy, dz, inverse, x, y, z):
    """Change of the unit vector (dx, dy, dz) of a place at 1/`inverse`, and of the logarithm of its distance.

    (x, y, z) is by what the place moves.
    """
    along = dx * x + dy * y + dz * z
    return (x - dx * along) * inverse, (y - dy * along) * inverse, (z - dz * along) * inverse, along * inverse


@physics
def solid_angle_log_slope(log_distance, log_close, point_pixel, obliquity):
    """Change of the logarithm of `solid_angle` with those of the distance and of the closest distance."""
    oblique = -3.0 * log_distance + log_close if obliquity else -2.0 * log_distance
    return -2.0 * log_distance if point_pixel else oblique


@physics
def capture_slope(layer, layer_step, mu, parallax, d_step, d_mu, d_parallax):
    """Change of `capture_fraction` with the layer's depth, the absorption and the parallax."""
    inverse = 1.0 / parallax
    d_depths = (d_step * mu + layer_step * d_mu - layer_step * mu * d_parallax * inverse) * inverse
    # What is left of the ray at either side of the layer: `capture_fraction` of all that lies beyond it.
    above = 1.0 - capture_fraction(0.0, layer * layer_step, mu, parallax)
    below = 1.0 - capture_fraction(0.0, (layer + 1.0) * layer_step, mu, parallax)
    return ((layer + 1.0) * below - layer * above) * d_depths


@physics
def polarization_slope(kahn, axis, incident, diffracted, d_kahn, d_axis, d_incident, d_diffracted):
    """Change of the polarization factor of a source; vectors are tuples of three numbers."""
    ix, iy, iz = incident
    dx, dy, dz = diffracted
    px, py, pz = axis
    jx, jy, jz = d_incident
    rx, ry, rz = d_axis
    sx, sy, sz = d_diffracted
    ex, ey, ez, bx, by, bz = polarization_axes(ix, iy, iz, px, py, pz)
    wx, wy, wz = py * iz - pz * iy, pz * ix - px * iz, px * iy - py * ix
    shrink = 1.0 / math.sqrt(wx * wx + wy * wy + wz * wz)
    # Of B = p x i over its length, and of E = i x B.
    vx = (ry * iz - rz * iy + py * jz - pz * jy) * shrink
    vy = (rz * ix - rx * iz + pz * jx - px * jz) * shrink
    vz = (rx * iy - ry * ix + px * jy - py * jx) * shrink
    along = vx * bx + vy * by + vz * bz
    vx, vy, vz = vx - along * bx, vy - along * by, vz - along * bz
    ux = jy * bz - jz * by + iy * vz - iz * vy
    uy = jz * bx - jx * bz + iz * vx - ix * vz
    uz = jx * by - jy * bx + ix * vy - iy * vx
    c, e, b = ix * dx + iy * dy + iz * dz, ex * dx + ey * dy + ez * dz, bx * dx + by * dy + bz * dz
    d_c = jx * dx + jy * dy + jz * dz + ix * sx + iy * sy + iz * sz
    d_e = ux * dx + uy * dy + uz * dz + ex * sx + ey * sy + ez * sz
    d_b = vx * dx + vy * dy + vz * dz + bx * sx + by * sy + bz * sz
    total = e * e + b * b
    cos_two_psi = (e * e - b * b) / total if total > 0.0 else 1.0
    d_cos_two_psi = 4.0 * e * b * (b * d_e - e * d_b) / (total * total) if total > 0.0 else 0.0
    sin_squared = 1.0 - c * c
    change = (1.0 + kahn * cos_two_psi) * 2.0 * c * d_c
    return 0.5 * (change - (d_kahn * cos_two_psi + kahn * d_cos_two_psi) * sin_squared)
