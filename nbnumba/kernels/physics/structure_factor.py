"""Structure factors from the padded table: the nearest reflection's, or interpolated between 4 x 4 x 4 of them."""

from ..jit import physics
from .functions import nearest_index
from .intrinsics import floor


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
def cubic_coefficients(f0, f1, f2, f3):
    """Coefficients, from the constant up, of the cubic through values at -1, 0, 1 and 2 (see `cubic_weights`)."""
    square = 0.5 * (f0 + f2) - f1
    cube = (f3 - f0) * (1.0 / 6.0) + 0.5 * (f1 - f2)
    return f1, f2 - f1 - square - cube, square, cube


@physics
def padded_index(h0, h_min, size):
    """Index along one axis of the padded table of a reflection; the border when it lies outside."""
    i = h0 - (h_min - 1)
    i = i if i > 0 else 0
    return i if i < size - 1 else size - 1


@physics
def cubic_fits(h, h_min, size):
    """Tell whether the four neighbors floor(h) - 1 ... floor(h) + 2 stand in the padded table's inside."""
    below = floor(h)
    return (below > h_min) & (below < h_min + size - 4.0)


@physics
def trips_latch(h, h_min, size):
    """C's test for being out of range of interpolation, up to a cell early (nanoBragg.c:2934)."""
    return (h - h_min + 3.0 > size - 2.0) | (h - 2.0 < h_min)


@physics
def cubic_line(weights, f):
    """Interpolate among four neighbors."""
    return weights[0] * f[0] + weights[1] * f[1] + weights[2] * f[2] + weights[3] * f[3]


@physics
def cubic_plane(k_weights, l_weights, f):
    """Interpolate among 4 x 4 neighbors, a tuple of sixteen with l innermost."""
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
def cubic_polynomial(u, c):
    """Value of a cubic of four coefficients, by Horner's rule."""
    return c[0] + u * (c[1] + u * (c[2] + u * c[3]))


@physics
def cubic_polynomial_on_plane(v, w, c):
    """Value of a polynomial that is cubic in v and in w: sixteen coefficients, those of the powers of w innermost."""
    return cubic_polynomial(
        v,
        (
            cubic_polynomial(w, c[0:4]),
            cubic_polynomial(w, c[4:8]),
            cubic_polynomial(w, c[8:12]),
            cubic_polynomial(w, c[12:16]),
        ),
    )


@physics
def neighbors_on_plane(flat, place, nl):
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

    `flat` is the padded table in one dimension; the 4 x 4 x 4 neighborhood must lie inside (`cubic_fits`).
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
        neighbors = neighbors_on_plane(flat, place + a * nk * nl, nl)
        total += h_weights[a] * cubic_plane(k_weights, l_weights, neighbors)
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
