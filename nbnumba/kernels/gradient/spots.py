"""Spots with their derivatives, drawn from a list: Gaussians whose covariances are known one by one.

A spot adds f exp(-x T^-1 x/2) to a pixel, with x = k0 d - v the offset in reciprocal space, v = q_h + k0 i, and T the
covariance: that of the crystal's form, and in closed form those of mosaicity, bandwidth and divergence. With y = T^-1 x
the logarithm changes by y·dq_h + y dT y/2 + c, where q_h and T are the spot's own and c is a number: ten coefficients
for each spot and direction serve all its pixels. What moves the pixel or the source enters through x alone.
"""

from ..cpu.spot_tiles import row_range
from ..cpu.spots import FCELL, PAIR, ROOT, VX, VY, VZ, ellipse_on_panel, form_of, matrix_of
from ..cpu.strip import DX, DY, DZ, GAIN, LANES, PART
from ..jit import borrowed, inner, inner_inlined, kernel
from ..physics import functions
from ..physics import sample as p
from ..physics import spot as geometry
from ..physics import structure_factor as look_up
from .rows import BY_H, BY_K, BY_L, D_SUM, DIRECTION, DIRECTIONS, LATTICE, SHARE, T_X, T_Y, T_Z

INVERSE_T, HEIGHT, END, SPOT_K0, SPOT_V, PLACE, FACTOR, BASE = 0, 6, 7, 8, 9, 12, 13, 14  # of a spot
PER_DIRECTION = 10  # coefficients: of y, of its products, and one without
ELLIPSE = 7  # seen, f, s, half of s, slope, widest, narrowing
COVARIANCE, SLOPE = 6, 16  # numbers of an orientation, and of each direction of one


@inner_inlined
def crossed(c, x, y, z):
    """C [x]x^T of a symmetric matrix of nine numbers, row by row, for the vector (x, y, z)."""
    return (
        y * c[2] - z * c[1], z * c[0] - x * c[2], x * c[1] - y * c[0],
        y * c[5] - z * c[4], z * c[3] - x * c[5], x * c[4] - y * c[3],
        y * c[8] - z * c[7], z * c[6] - x * c[8], x * c[7] - y * c[6],
    )  # fmt: skip


@inner_inlined
def crossed_twice(m, u, v, w):
    """[u]x M of a matrix of nine numbers and the vector (u, v, w), with its transpose: xx, xy, xz, yy, yz, zz."""
    a0, a1, a2 = v * m[6] - w * m[3], v * m[7] - w * m[4], v * m[8] - w * m[5]
    b0, b1, b2 = w * m[0] - u * m[6], w * m[1] - u * m[7], w * m[2] - u * m[8]
    c0, c1, c2 = u * m[3] - v * m[0], u * m[4] - v * m[1], u * m[5] - v * m[2]
    return 2.0 * a0, a1 + b0, a2 + c0, 2.0 * b1, b2 + c1, 2.0 * c2


@inner_inlined
def nine_of(m):
    """The numbers of a matrix, row by row."""
    return m[0, 0], m[0, 1], m[0, 2], m[1, 0], m[1, 1], m[1, 2], m[2, 0], m[2, 1], m[2, 2]


@inner_inlined
def six_of(m):
    """The numbers of a symmetric matrix: xx, xy, xz, yy, yz, zz."""
    return m[0, 0], m[0, 1], m[0, 2], m[1, 1], m[1, 2], m[2, 2]


@inner_inlined
def symmetric(f):
    """A symmetric matrix of six numbers as nine, row by row."""
    return f[0], f[1], f[2], f[1], f[3], f[4], f[2], f[4], f[5]


@inner_inlined
def product(a, b):
    """Product of two matrices of nine numbers."""
    return (
        a[0] * b[0] + a[1] * b[3] + a[2] * b[6], a[0] * b[1] + a[1] * b[4] + a[2] * b[7],
        a[0] * b[2] + a[1] * b[5] + a[2] * b[8],
        a[3] * b[0] + a[4] * b[3] + a[5] * b[6], a[3] * b[1] + a[4] * b[4] + a[5] * b[7],
        a[3] * b[2] + a[4] * b[5] + a[5] * b[8],
        a[6] * b[0] + a[7] * b[3] + a[8] * b[6], a[6] * b[1] + a[7] * b[4] + a[8] * b[7],
        a[6] * b[2] + a[7] * b[5] + a[8] * b[8],
    )  # fmt: skip


@inner_inlined
def transposed(a):
    """Transpose of a matrix of nine numbers."""
    return a[0], a[3], a[6], a[1], a[4], a[7], a[2], a[5], a[8]


@inner_inlined
def upper(a):
    """Upper triangle of a symmetric matrix of nine numbers."""
    return a[0], a[1], a[2], a[4], a[5], a[8]


@inner_inlined
def trace_of_product(a, b):
    """Trace of the product of two symmetric matrices of six numbers."""
    return a[0] * b[0] + a[3] * b[3] + a[5] * b[5] + 2.0 * (a[1] * b[1] + a[2] * b[2] + a[4] * b[4])


@kernel
def prepare_orientations(scene, tangents, covariances, slopes):
    """Work out the own covariance of the spots of every orientation, and what each direction changes of it.

    Parameters
    ----------
    covariances : (orientations, COVARIANCE)
        Covariance of the crystal's form: six numbers.
    slopes : (orientations, directions, SLOPE)
        Z such that q_h changes by -Z q_h, nine numbers; the change of the covariance, six; the change of the logarithm
        of its determinant, halved.

    Notes
    -----
    A form of matrix Q and axes A have the covariance A^-1 Q^-1 A^-T/4. By a strain S of the axes and by dQ the matrix
    in the middle changes by -(S Q^-1 + Q^-1 S^T + Q^-1 dQ Q^-1).
    """
    orientations, form = scene.orientations, tangents.form
    inverse_form, _ = geometry.inverse_of(symmetric(form))
    for o in range(orientations.shape[0]):
        x = orientations[o]
        axes = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8]
        reciprocal, _ = geometry.inverse_of(axes)  # its columns are a*, b*, c*
        own = upper(product(product(reciprocal, inverse_form), transposed(reciprocal)))
        for i in range(6):
            covariances[o, i] = 0.25 * own[i]
        for number in range(tangents.numbers.shape[0]):
            x, d = tangents.strains[number, o], tangents.forms[number]
            S = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8]
            Z = product(product(reciprocal, S), axes)
            by_strain = product(S, inverse_form)
            by_form = product(product(inverse_form, symmetric(d)), inverse_form)
            middle = (
                -2.0 * by_strain[0] - by_form[0],
                -by_strain[1] - by_strain[3] - by_form[1],
                -by_strain[2] - by_strain[6] - by_form[2],
                -2.0 * by_strain[4] - by_form[4],
                -by_strain[5] - by_strain[7] - by_form[5],
                -2.0 * by_strain[8] - by_form[8],
            )
            change = upper(product(product(reciprocal, symmetric(middle)), transposed(reciprocal)))
            out = slopes[o, number]
            for i in range(9):
                out[i] = Z[i]
            for i in range(6):
                out[9 + i] = 0.25 * change[i]
            out[15] = 0.5 * trace_of_product(form, middle)


@kernel
def prepare_spots(scene, tangents, view, spots, order, covariances, slopes, spreading, coefficients, ellipses):
    """Work out the coefficients of the spots of a band, and their ellipses in every layer.

    Parameters
    ----------
    view, spots : as of `cpu.spot_search.list_spots`
    order : (n,) int
        Spots of the band.
    covariances, slopes
        Of the orientations, by `prepare_orientations`.
    spreading : (directions,) bool
        Whether mosaicity, bandwidth or divergence change, or the wavelength, which divergence is multiplied by.
    coefficients : (n, BASE + PER_DIRECTION * directions)
    ellipses : (n, layers, ELLIPSE)
    """
    q = scene.numbers[0]
    sources, orientations, weights = borrowed(scene.sources), borrowed(scene.orientations), borrowed(scene.weights)
    numbers, d_sources = borrowed(tangents.numbers), borrowed(tangents.sources)
    tables, table_of = borrowed(tangents.tables), borrowed(tangents.table_of)
    mosaicity, divergence = nine_of(q.mosaicity), six_of(q.divergence)
    band = q.bandwidth * q.bandwidth
    for at in range(order.shape[0]):
        spot, c = spots[order[at]], coefficients[at]
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
        own = covariances[orientation]
        around = crossed(mosaicity, x, y, z)
        wide = crossed_twice(around, 0.5 * x, 0.5 * y, 0.5 * z)
        k2 = k0 * k0
        T = (
            own[0] + wide[0] + band * x * x + k2 * divergence[0],
            own[1] + wide[1] + band * x * y + k2 * divergence[1],
            own[2] + wide[2] + band * x * z + k2 * divergence[2],
            own[3] + wide[3] + band * y * y + k2 * divergence[3],
            own[4] + wide[4] + band * y * z + k2 * divergence[4],
            own[5] + wide[5] + band * z * z + k2 * divergence[5],
        )
        inverse, _ = geometry.inverse_of(symmetric(T))
        inverse_T = upper(inverse)
        for i in range(6):
            c[INVERSE_T + i] = inverse_T[i]
        factor = spot[FCELL]
        c[FACTOR] = factor
        c[HEIGHT], c[END], c[SPOT_K0] = factor * factor * tangents.form[6] * gain, spot[ROOT] * spot[ROOT], k0
        c[HEIGHT] *= weights[orientation]
        c[SPOT_V], c[SPOT_V + 1], c[SPOT_V + 2] = spot[VX], spot[VY], spot[VZ]
        place = place_of(q, o, x, y, z)
        c[PLACE] = place
        for number in range(numbers.shape[0]):
            d, first, t = numbers[number], BASE + number * PER_DIRECTION, slopes[orientation, number]
            u = -(t[0] * x + t[1] * y + t[2] * z)
            v = -(t[3] * x + t[4] * y + t[5] * z)
            w = -(t[6] * x + t[7] * y + t[8] * z)
            moved = crossed_twice(around, u, v, w)
            d_T = (
                t[9] + moved[0] + 2.0 * band * u * x,
                t[10] + moved[1] + band * (u * y + v * x),
                t[11] + moved[2] + band * (u * z + w * x),
                t[12] + moved[3] + 2.0 * band * v * y,
                t[13] + moved[4] + band * (v * z + w * y),
                t[14] + moved[5] + 2.0 * band * w * z,
            )
            if spreading[number]:
                d_T = with_spread(q, d, k0, d_sources[number, source, 3], x, y, z, d_T)
            c[first], c[first + 1], c[first + 2] = u, v, w
            c[first + 3], c[first + 4], c[first + 5] = 0.5 * d_T[0], d_T[1], d_T[2]
            c[first + 6], c[first + 7], c[first + 8] = 0.5 * d_T[3], d_T[4], 0.5 * d_T[5]
            c[first + 9] = t[15] - 0.5 * trace_of_product(inverse_T, d_T)
            if table_of[number] >= 0:
                c[first + 9] += 2.0 * tables[table_of[number], place] / factor


@inner
def with_spread(q, d, k0, d_k0, x, y, z, d_T):
    """Add what changes of mosaicity, bandwidth and divergence change of a spot's covariance."""
    wide = crossed_twice(crossed(nine_of(d.mosaicity), x, y, z), 0.5 * x, 0.5 * y, 0.5 * z)
    band, first, second = 2.0 * q.bandwidth * d.bandwidth, 2.0 * k0 * d_k0, k0 * k0
    a, b = six_of(q.divergence), six_of(d.divergence)
    return (
        d_T[0] + wide[0] + band * x * x + first * a[0] + second * b[0],
        d_T[1] + wide[1] + band * x * y + first * a[1] + second * b[1],
        d_T[2] + wide[2] + band * x * z + first * a[2] + second * b[2],
        d_T[3] + wide[3] + band * y * y + first * a[3] + second * b[3],
        d_T[4] + wide[4] + band * y * z + first * a[4] + second * b[4],
        d_T[5] + wide[5] + band * z * z + first * a[5] + second * b[5],
    )


@inner
def place_of(q, o, x, y, z):
    """Place in the table of structure factors of the reflection at (x, y, z)."""
    h = functions.nearest_index(p.dot(o[0], o[1], o[2], x, y, z))
    k = functions.nearest_index(p.dot(o[3], o[4], o[5], x, y, z))
    l = functions.nearest_index(p.dot(o[6], o[7], o[8], x, y, z))
    i = look_up.padded_index(h, q.h_min, q.nh)
    j = look_up.padded_index(k, q.k_min, q.nk)
    m = look_up.padded_index(l, q.l_min, q.nl)
    return int(look_up.table_place(i, j, m, q.nk, q.nl))


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
    t, to = s[left:], s[left + row :]
    for w in range(lanes):
        u, v, r = t[BY_H + w], t[BY_K + w], t[BY_L + w]
        change = u * (a0 + b0 * u + b1 * v + b2 * r) + v * (a1 + b3 * v + b4 * r) + r * (a2 + b5 * r) + e
        to[w] += t[LATTICE + w] * change


@inner
def strip_place(q, scene, pixel, sample):
    """Row and column of a strip's first pixel, as the sub-pixel of a sample counts them, and the sample's layer."""
    of_sub = scene.orientations.shape[0] * scene.sources.shape[0]
    oversample, number = q.oversample, sample // of_sub
    sub, layer = number % (oversample * oversample), number // (oversample * oversample)
    # The middle of an ellipse in pixels of the strip.
    row = pixel // q.n_fast + (sub // oversample + 0.5) / oversample - 0.5
    column = pixel % q.n_fast + (sub % oversample + 0.5) / oversample - 0.5
    return row, column, layer


@inner
def in_row(e, row, column, end):
    """First pixel of a strip that a spot's ellipse meets, and the number of groups of pixels from it on."""
    if e[0] == 0.0 or abs(row - e[2]) > e[3]:
        return 0, 0
    return row_range((e[1] - column, e[2] - row, e[4], e[5], e[6]), 0, end)


@inner
def share_out_spots(q, scene, tangents, s, index, n, pixel, sample, samples, source, want, extra):
    """Add derivatives by the structure factors to a table; see `samples.share_out_samples`."""
    coefficients, ellipses, starts, pixels, table = extra
    row, column, layer = strip_place(q, scene, pixel, sample)
    end = min(n, pixels - pixel % q.n_fast)
    for at in range(starts[source], starts[source + 1]):
        left, groups = in_row(ellipses[at, layer], row, column, end)
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
    row, column, layer = strip_place(q, scene, pixel, sample)
    end = min(n, pixels - pixel % q.n_fast)
    for at in range(starts[source], starts[source + 1]):
        left, groups = in_row(ellipses[at, layer], row, column, end)
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
