"""Spots with their derivatives, drawn from a list: Gaussians whose covariances are known one by one.

A spot adds f exp(-x T^-1 x/2) to a pixel, with x = k0 d - v the offset in reciprocal space, v = q_h + k0 i, and T the
covariance: that of the crystal's form, and in closed form those of mosaicity, bandwidth and divergence. With y = T^-1 x
the logarithm changes by y·dq_h + y dT y/2 + c, where q_h and T are the spot's own and c is a number: ten coefficients
for each spot and direction serve all its pixels. What moves the pixel or the source enters through x alone.
"""

import numpy as np

from ..cpu.spot_tiles import row_range
from ..cpu.spots import FCELL, PAIR, ROOT, VX, VY, VZ, ellipse_on_panel, form_of, matrix_of
from ..cpu.strip import DX, DY, DZ, GAIN, LANES, PART
from ..jit import borrowed, inner, kernel
from ..physics import functions
from ..physics import sample as p
from ..physics import spot as geometry
from ..physics import structure_factor as look_up
from .rows import BY_H, BY_K, BY_L, D_SUM, DIRECTION, DIRECTIONS, LATTICE, SHARE, T_X, T_Y, T_Z

INVERSE_T, HEIGHT, END, SPOT_K0, SPOT_V, PLACE, FACTOR, BASE = 0, 6, 7, 8, 9, 12, 13, 14  # of a spot
PER_DIRECTION = 10  # coefficients: of y, of its products, and one without
ELLIPSE = 7  # seen, f, s, half of s, slope, widest, narrowing
_WORK = 8  # matrices of working memory


@inner
def outer_products(q, k0, x, y, z, m):
    """Covariance that mosaicity, bandwidth and divergence add to a spot at (x, y, z), into a matrix."""
    cross_into(q.mosaicity, x, y, z, x, y, z, m)
    v = (x, y, z)
    band, k2 = q.bandwidth * q.bandwidth, k0 * k0
    for i in range(3):
        for j in range(3):
            m[i, j] += band * v[i] * v[j] + k2 * q.divergence[i, j]


@inner
def cross_into(c, x, y, z, u, v, w, m):
    """[a]x c [b]x^T for a = (x, y, z) and b = (u, v, w), into a matrix."""
    for j in range(3):
        r0, r1, r2 = y * c[2, j] - z * c[1, j], z * c[0, j] - x * c[2, j], x * c[1, j] - y * c[0, j]
        m[0, j], m[1, j], m[2, j] = r0, r1, r2
    for i in range(3):
        s0, s1, s2 = m[i, 0], m[i, 1], m[i, 2]
        m[i, 0], m[i, 1], m[i, 2] = s2 * v - s1 * w, s0 * w - s2 * u, s1 * u - s0 * v


@inner
def inverse_into(m, out):
    """Inverse of a matrix, into another; return the determinant."""
    inverse, determinant = geometry.inverse_of(
        (m[0, 0], m[0, 1], m[0, 2], m[1, 0], m[1, 1], m[1, 2], m[2, 0], m[2, 1], m[2, 2])
    )
    for i in range(9):
        out[i // 3, i % 3] = inverse[i]
    return determinant


@inner
def product_into(a, b, out):
    """Product of two matrices, into a third."""
    for i in range(3):
        for j in range(3):
            out[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]


@inner
def form_matrix(f, out):
    """Symmetric matrix of a form's six numbers, into a matrix."""
    out[0, 0], out[0, 1], out[0, 2] = f[0], f[1], f[2]
    out[1, 0], out[1, 1], out[1, 2] = f[1], f[3], f[4]
    out[2, 0], out[2, 1], out[2, 2] = f[2], f[4], f[5]


@inner
def inverse_own_covariance(f, axes, m, work, out):
    """4 A^T Q A, into a matrix: the inverse of the covariance that a form of matrix Q has for axes A."""
    form_matrix(f, m)
    product_into(m, axes, work)
    for i in range(3):
        for j in range(3):
            out[i, j] = 4.0 * (axes[0, i] * work[0, j] + axes[1, i] * work[1, j] + axes[2, i] * work[2, j])


@inner
def trace_of_product(a, b):
    """Trace of the product of two symmetric matrices."""
    total = 0.0
    for i in range(3):
        for j in range(3):
            total += a[i, j] * b[i, j]
    return total


@kernel
def prepare_spots(scene, tangents, view, spots, order, coefficients, ellipses):
    """Work out the coefficients of the spots of a band, and their ellipses in every layer.

    Parameters
    ----------
    view, spots : as of `cpu.spots.list_spots`
    order : (n,) int
        Spots of the band.
    coefficients : (n, BASE + PER_DIRECTION * directions)
    ellipses : (n, layers, ELLIPSE)
    """
    q = scene.numbers[0]
    sources, orientations, weights = borrowed(scene.sources), borrowed(scene.orientations), borrowed(scene.weights)
    work = np.zeros((_WORK + 6, 3, 3))
    for at in range(order.shape[0]):
        spot = spots[order[at]]
        pair = int(spot[PAIR])
        source, orientation = pair // orientations.shape[0], pair % orientations.shape[0]
        k0, o = sources[source, 3], orientations[orientation]
        x = spot[VX] - sources[source, 0] * k0
        y = spot[VY] - sources[source, 1] * k0
        z = spot[VZ] - sources[source, 2] * k0
        form, gain, smallest = form_of(q, view, matrix_of(q, o), k0, x, y, z)
        for layer in range(q.layers):
            seen, f, s, _, half_s, slope, widest, narrowing = ellipse_on_panel(
                q, layer * q.layer_step, k0, spot[VX], spot[VY], spot[VZ], form, spot[ROOT],
                min(spot[ROOT] / smallest, view[8]), view[6],
            )  # fmt: skip
            e = ellipses[at, layer]
            e[0] = 1.0 if seen else 0.0
            e[1], e[2], e[3], e[4], e[5], e[6] = f, s, half_s, slope, widest, narrowing
        work_out_spot(scene, q, tangents, spot, source, orientation, gain, x, y, z, work, coefficients[at])
        coefficients[at, HEIGHT] *= weights[orientation]


@inner
def work_out_spot(scene, q, tangents, spot, source, orientation, gain, x, y, z, work, c):
    """Covariance and height of one spot, and the coefficients of all directions."""
    k0, o = scene.sources[source, 3], scene.orientations[orientation]
    axes, own, inverse_own, T, inverse_T = work[0], work[1], work[2], work[3], work[4]
    for i in range(9):
        axes[i // 3, i % 3] = o[i]
    inverse_own_covariance(tangents.form, axes, work[5], work[6], inverse_own)
    inverse_into(inverse_own, own)
    outer_products(q, k0, x, y, z, T)
    for i in range(3):
        for j in range(3):
            T[i, j] += own[i, j]
    inverse_into(T, inverse_T)
    c[0], c[1], c[2] = inverse_T[0, 0], inverse_T[0, 1], inverse_T[0, 2]
    c[3], c[4], c[5] = inverse_T[1, 1], inverse_T[1, 2], inverse_T[2, 2]
    f = spot[FCELL]
    c[FACTOR] = f
    c[HEIGHT], c[END], c[SPOT_K0] = f * f * tangents.form[6] * gain, spot[ROOT] * spot[ROOT], k0
    c[SPOT_V], c[SPOT_V + 1], c[SPOT_V + 2] = spot[VX], spot[VY], spot[VZ]
    h = functions.nearest_index(p.dot(o[0], o[1], o[2], x, y, z))
    k = functions.nearest_index(p.dot(o[3], o[4], o[5], x, y, z))
    l = functions.nearest_index(p.dot(o[6], o[7], o[8], x, y, z))
    i = look_up.padded_index(h, q.h_min, q.nh)
    j = look_up.padded_index(k, q.k_min, q.nk)
    m = look_up.padded_index(l, q.l_min, q.nl)
    place = int(look_up.table_place(i, j, m, q.nk, q.nl))
    c[PLACE] = place
    for number in range(tangents.numbers.shape[0]):
        first = BASE + number * PER_DIRECTION
        work_out_direction(scene, q, tangents, number, source, orientation, (x, y, z), (h, k, l), work, c[first:])
        table = tangents.table_of[number]
        if table >= 0:
            c[first + 9] += 2.0 * tangents.tables[table, place] / f


@inner
def work_out_direction(scene, q, tangents, number, source, orientation, at, indices, work, c):
    """Coefficients of one spot for one direction; see `work_out_spot` for what `work` holds."""
    x, y, z = at
    h, k, l = indices
    k0, d = scene.sources[source, 3], tangents.numbers[number]
    d_k0, S = tangents.sources[number, source, 3], tangents.strains[number, orientation]
    axes, own, inverse_own, inverse_T = work[0], work[1], work[2], work[4]
    a, b, d_own, d_T, reciprocal = work[7], work[8], work[9], work[10], work[11]
    inverse_into(axes, reciprocal)  # its columns are a*, b*, c*
    # Z = A^-1 S A turns and stretches space as S does the axes.
    for i in range(9):
        a[i // 3, i % 3] = S[i]
    u, v, w = (
        a[0, 0] * h + a[0, 1] * k + a[0, 2] * l,
        a[1, 0] * h + a[1, 1] * k + a[1, 2] * l,
        a[2, 0] * h + a[2, 1] * k + a[2, 2] * l,
    )
    dx = -(reciprocal[0, 0] * u + reciprocal[0, 1] * v + reciprocal[0, 2] * w)
    dy = -(reciprocal[1, 0] * u + reciprocal[1, 1] * v + reciprocal[1, 2] * w)
    dz = -(reciprocal[2, 0] * u + reciprocal[2, 1] * v + reciprocal[2, 2] * w)
    product_into(a, axes, b)
    product_into(reciprocal, b, a)
    # Of the crystal's own covariance: -Z T - T Z^T, and -T d(T^-1) T by the form.
    product_into(a, own, b)
    for i in range(3):
        for j in range(3):
            d_own[i, j] = -b[i, j] - b[j, i]
    inverse_own_covariance(tangents.forms[number], axes, work[12], work[13], a)
    product_into(a, own, b)
    product_into(own, b, a)
    for i in range(3):
        for j in range(3):
            d_own[i, j] -= a[i, j]
    cross_into(q.mosaicity, dx, dy, dz, x, y, z, a)
    cross_into(d.mosaicity, x, y, z, x, y, z, b)
    q_h, d_q = (x, y, z), (dx, dy, dz)
    band, d_band = q.bandwidth * q.bandwidth, 2.0 * q.bandwidth * d.bandwidth
    for i in range(3):
        for j in range(3):
            d_T[i, j] = d_own[i, j] + a[i, j] + a[j, i] + b[i, j]
            d_T[i, j] += band * (d_q[i] * q_h[j] + q_h[i] * d_q[j]) + d_band * q_h[i] * q_h[j]
            d_T[i, j] += 2.0 * k0 * d_k0 * q.divergence[i, j] + k0 * k0 * d.divergence[i, j]
    c[0], c[1], c[2] = dx, dy, dz
    c[3], c[4], c[5] = 0.5 * d_T[0, 0], d_T[0, 1], d_T[0, 2]
    c[6], c[7], c[8] = 0.5 * d_T[1, 1], d_T[1, 2], 0.5 * d_T[2, 2]
    c[9] = 0.5 * (trace_of_product(inverse_own, d_own) - trace_of_product(inverse_T, d_T))


@inner
def draw_row(s, left, lanes, c):
    """Work out a spot in some pixels of a strip: what it adds, and y times that."""
    t0, t1, t2, t3, t4, t5 = c[0], c[1], c[2], c[3], c[4], c[5]
    k0, vx, vy, vz, height, end = c[SPOT_K0], c[SPOT_V], c[SPOT_V + 1], c[SPOT_V + 2], c[HEIGHT], c[END]
    t = s[left:]
    for w in range(lanes):
        x, y, z = k0 * t[DX + w] - vx, k0 * t[DY + w] - vy, k0 * t[DZ + w] - vz
        u, v, r = t0 * x + t1 * y + t2 * z, t1 * x + t3 * y + t4 * z, t2 * x + t4 * y + t5 * z
        squared = 0.5 * (x * u + y * v + z * r)
        term = p.lattice_intensity_gauss(squared, height) * t[GAIN + w]
        t[LATTICE + w] = term if squared < end else 0.0
        t[BY_H + w], t[BY_K + w], t[BY_L + w] = u, v, r


@inner
def add_direction(s, left, lanes, c, row):
    """Add the derivative of a spot by one direction, from its ten coefficients."""
    a0, a1, a2, b0, b1, b2, b3, b4, b5, e = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9]
    t = s[left:]
    for w in range(lanes):
        u, v, r = t[BY_H + w], t[BY_K + w], t[BY_L + w]
        change = u * (a0 + b0 * u + b1 * v + b2 * r) + v * (a1 + b3 * v + b4 * r) + r * (a2 + b5 * r) + e
        t[row + w] += t[LATTICE + w] * change


@inner
def in_row(q, scene, ellipse, pixel, sample, pixels, n):
    """First pixel of a strip that a spot's ellipse meets, and the number of groups of pixels from it on."""
    subs = q.oversample * q.oversample
    sub = sample // (scene.orientations.shape[0] * scene.sources.shape[0]) % subs
    slow, fast = pixel // q.n_fast, pixel % q.n_fast
    # The middle of an ellipse in pixels of the strip, as the sub-pixel counts them.
    row = slow + (sub // q.oversample + 0.5) / q.oversample - 0.5
    column = fast + (sub % q.oversample + 0.5) / q.oversample - 0.5
    e = ellipse
    if e[0] == 0.0 or abs(row - e[2]) > e[3]:
        return 0, 0
    return row_range((e[1] - column, e[2] - row, e[4], e[5], e[6]), 0, min(n, pixels - fast))


@inner
def layer_of(q, scene, sample):
    """Layer that a sample belongs to."""
    return sample // (scene.orientations.shape[0] * scene.sources.shape[0] * q.oversample * q.oversample)


@inner
def share_out_spots(q, scene, tangents, s, index, n, pixel, sample, samples, source, want, extra):
    """Add derivatives by the structure factors to a table; see `samples.share_out_samples`."""
    coefficients, ellipses, starts, pixels, table = extra
    layer = layer_of(q, scene, sample)
    for at in range(starts[source], starts[source + 1]):
        left, groups = in_row(q, scene, ellipses[at, layer], pixel, sample, pixels, n)
        if groups == 0:
            continue
        c = coefficients[at]
        draw_row(s, left, groups * LANES, c)
        total = 0.0
        for w in range(left, min(left + groups * LANES, n)):
            total += s[LATTICE + w] * s[SHARE + w]
        table[int(c[PLACE])] += 2.0 * total / c[FACTOR]


@inner
def sum_spots(q, scene, tangents, s, index, n, pixel, sample, samples, source, want, extra):
    """Add the spots of one source to a strip; see `samples.sum_samples`."""
    coefficients, ellipses, starts, pixels = extra
    moving, strained, apart = want
    layer = layer_of(q, scene, sample)
    for at in range(starts[source], starts[source + 1]):
        left, groups = in_row(q, scene, ellipses[at, layer], pixel, sample, pixels, n)
        if groups == 0:
            continue
        c, lanes = coefficients[at], groups * LANES
        draw_row(s, left, lanes, c)
        t = s[left:]
        for w in range(lanes):
            t[PART + w] += t[LATTICE + w]
        if moving:
            for w in range(lanes):
                t[T_X + w] -= t[LATTICE + w] * t[BY_H + w]
                t[T_Y + w] -= t[LATTICE + w] * t[BY_K + w]
                t[T_Z + w] -= t[LATTICE + w] * t[BY_L + w]
        if strained or apart:
            for number in range(tangents.numbers.shape[0]):
                if tangents.strained_apart[number]:
                    first = BASE + number * PER_DIRECTION
                    add_direction(s, left, lanes, c[first:], DIRECTIONS + number * DIRECTION + D_SUM)
