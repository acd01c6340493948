"""Spots with their derivatives, drawn from a list: Gaussians whose covariances are known one by one.

A spot adds f exp(-x T^-1 x/2) to a pixel, with x = k0 d - v the offset in reciprocal space, v = q_h + k0 i, and T the
covariance: that of the crystal's form, and in closed form those of mosaicity, bandwidth and divergence. With y = T^-1 x
the logarithm changes by y·dq_h + y dT y/2 + c, where q_h and T are the spot's own and c is a number: ten coefficients
for each spot and direction serve all its pixels. What moves the pixel or the source enters through x alone. A spot that
mosaicity bends (`physics.spot.curving`) has an eleventh, for the share of mosaicity; see `draw_bent_row`.
"""

import math

from ..cpu.spot_tiles import row_range
from ..cpu.spots import FCELL, PAIR, ROOT, VX, VY, VZ, ellipse_of, form_of, matrix_of
from ..cpu.strip import DX, DY, DZ, GAIN, LANES, PART, STRIDE
from ..jit import borrowed, inner, kernel
from ..physics import functions
from ..physics import sample as p
from ..physics import spot as geometry
from ..physics import structure_factor as look_up
from .matrices import (
    crossed,
    crossed_twice,
    nine_of,
    product,
    six_of,
    symmetric,
    times,
    trace_across,
    trace_of_product,
    transposed,
    upper,
)
from .rows import (
    BY_H,
    BY_K,
    BY_L,
    BY_SHARE,
    D_SUM,
    DIRECTION,
    DIRECTIONS,
    LATTICE,
    PULL_X,
    PULL_Y,
    PULL_Z,
    SHARE,
    T_X,
    T_Y,
    T_Z,
    TO_X,
    TO_Y,
    TO_Z,
)

INVERSE_T, HEIGHT, END, SPOT_K0, SPOT_V, PLACE, FACTOR, AXIS, LENGTH, PART_OF, BASE = (
    0,
    6,
    7,
    8,
    9,
    12,
    13,
    14,
    17,
    18,
    19,
)
PER_DIRECTION = 11  # coefficients: of y, of its products, one without, and one of the share of mosaicity
ELLIPSE = 7  # seen, f, s, half of s, slope, widest, narrowing
COVARIANCE, SLOPE = 6, 16  # numbers of an orientation, and of each direction of one


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
    mosaicity = nine_of(q.mosaicity)
    band = q.bandwidth * q.bandwidth
    for at in range(order.shape[0]):
        spot, c = spots[order[at]], coefficients[at]
        pair = int(spot[PAIR])
        source, orientation = pair // orientations.shape[0], pair % orientations.shape[0]
        k0, o = sources[source, 3], orientations[orientation]
        x = spot[VX] - sources[source, 0] * k0
        y = spot[VY] - sources[source, 1] * k0
        z = spot[VZ] - sources[source, 2] * k0
        form, gain, bend = form_of(q, view, matrix_of(q, o), k0, x, y, z)
        closer, squared = bend[0], x * x + y * y + z * z
        vx, vy, vz = spot[VX] - closer * x, spot[VY] - closer * y, spot[VZ] - closer * z
        for layer in range(q.layers):
            seen, f, s, _, half_s, slope, widest, narrowing = ellipse_of(
                q, view, layer * q.layer_step, k0, vx, vy, vz, squared, form, bend, spot[ROOT]
            )
            e = ellipses[at, layer]
            e[0] = 1.0 if seen else 0.0
            e[1], e[2], e[3], e[4], e[5], e[6] = f, s, half_s, slope, widest, narrowing
        own = covariances[orientation]
        around = crossed(mosaicity, x, y, z)
        spread, mosaic = geometry.spread_of(q, k0, x, y, z)
        T = (
            own[0] + spread[0], own[1] + spread[1], own[2] + spread[2],
            own[3] + spread[3], own[4] + spread[4], own[5] + spread[5],
        )  # fmt: skip
        length = max(math.sqrt(squared), 1.0)  # 1/m; that of the reflection 0 0 0 is 0
        ux, uy, uz = x / length, y / length, z / length
        tx, ty, tz = (
            T[0] * ux + T[1] * uy + T[2] * uz,
            T[1] * ux + T[3] * uy + T[4] * uz,
            T[2] * ux + T[4] * uy + T[5] * uz,
        )
        across = T[0] + T[3] + T[5] - (ux * tx + uy * ty + uz * tz)
        share, _ = geometry.curving(mosaic, across, length * length)
        c[AXIS], c[AXIS + 1], c[AXIS + 2] = ux, uy, uz
        c[LENGTH], c[PART_OF] = length * (1.0 - closer), share
        inverse, _ = geometry.inverse_of(symmetric(T))
        inverse_T = upper(inverse)
        for i in range(6):
            c[INVERSE_T + i] = inverse_T[i]
        factor = spot[FCELL]
        c[FACTOR] = factor
        c[HEIGHT], c[END], c[SPOT_K0] = factor * factor * tangents.form[6] * gain, spot[ROOT] * spot[ROOT], k0
        c[HEIGHT] *= weights[orientation]
        c[SPOT_V], c[SPOT_V + 1], c[SPOT_V + 2] = vx, vy, vz
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
            d_mosaic = moved[0] + moved[3] + moved[5]
            if spreading[number]:
                d_T = with_spread(q, d, k0, d_sources[number, source, 3], x, y, z, d_T)
                wide = nine_of(d.mosaicity)
                d_mosaic += trace_across(wide, x, y, z)
            # Of the share, and of the middle of the spot.
            along = ux * u + uy * v + uz * w
            dx, dy, dz = times(d_T, ux, uy, uz)
            d_across = d_T[0] + d_T[3] + d_T[5] - (ux * dx + uy * dy + uz * dz)
            d_across -= 2.0 * (tx * (u - along * ux) + ty * (v - along * uy) + tz * (w - along * uz)) / length
            d_share = (d_mosaic - share * d_across) / across
            d_closer = 0.5 * ((1.0 - share) * (d_mosaic - 2.0 * mosaic * along / length) - d_share * mosaic)
            d_closer /= length * length
            u, v, w = u - closer * u - d_closer * x, v - closer * v - d_closer * y, w - closer * w - d_closer * z
            c[first + 10] = d_share
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
    """Work out a spot in some pixels of a strip: what it adds, and y. Tell in which rows slopes by x and q are."""
    if c[PART_OF] > 0.0:
        draw_bent_row(s, left, lanes, c)
        return PULL_X, TO_X
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
        t[BY_SHARE + w] = 0.0
    return BY_H, BY_H


@inner
def draw_bent_row(s, left, lanes, c):
    """Work out a bent spot in some pixels of a strip; see `draw_row`.

    Notes
    -----
    With n the unit vector along q of the spot's middle, s the share of mosaicity and a = x - n (n·x), the offset is
    x' = x + n k, k = s^2 |a|^2/(2 |q|), and y = T^-1 x'. With b = y·n the logarithm changes by -Y·dx, where
    Y = y + (b s^2/|q|) a; by dq, beside what it changes of x, by
    -(k (y - b n) - (b s^2/|q|) (n·x) a - b k n)·dq/|q|; and by -(b s |a|^2/|q|) ds.
    """
    t0, t1, t2, t3, t4, t5 = c[0], c[1], c[2], c[3], c[4], c[5]
    k0, vx, vy, vz, height, end = c[SPOT_K0], c[SPOT_V], c[SPOT_V + 1], c[SPOT_V + 2], c[HEIGHT], c[END]
    nx, ny, nz, share, per_length = c[AXIS], c[AXIS + 1], c[AXIS + 2], c[PART_OF], 1.0 / c[LENGTH]
    curvature = share * share * per_length
    t = s[left:]
    for w in range(lanes):
        x, y, z = k0 * t[DX + w] - vx, k0 * t[DY + w] - vy, k0 * t[DZ + w] - vz
        along = nx * x + ny * y + nz * z
        ax, ay, az = x - along * nx, y - along * ny, z - along * nz
        across = ax * ax + ay * ay + az * az
        k = 0.5 * curvature * across
        x, y, z = x + k * nx, y + k * ny, z + k * nz
        u, v, r = t0 * x + t1 * y + t2 * z, t1 * x + t3 * y + t4 * z, t2 * x + t4 * y + t5 * z
        squared = 0.5 * (x * u + y * v + z * r)
        term = p.lattice_intensity_gauss(squared, height) * t[GAIN + w]
        t[LATTICE + w] = term if squared < end else 0.0
        t[BY_H + w], t[BY_K + w], t[BY_L + w] = u, v, r
        b = u * nx + v * ny + r * nz
        by_a = b * curvature
        px, py, pz = u + by_a * ax, v + by_a * ay, r + by_a * az
        t[PULL_X + w], t[PULL_Y + w], t[PULL_Z + w] = px, py, pz
        by_y, by_n, by_a = k * per_length, 2.0 * b * k * per_length, by_a * along * per_length
        t[TO_X + w] = px - by_y * u + by_a * ax + by_n * nx
        t[TO_Y + w] = py - by_y * v + by_a * ay + by_n * ny
        t[TO_Z + w] = pz - by_y * r + by_a * az + by_n * nz
        t[BY_SHARE + w] = -b * share * across * per_length


@inner
def add_direction(s, left, lanes, c, row, to_q):
    """Add the derivative of a spot by one direction, from its coefficients."""
    a0, a1, a2, b0, b1, b2, b3, b4, b5, e, f = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10]
    t, to, by = s[left:], s[left + row :], s[left + to_q :]
    for w in range(lanes):
        u, v, r = t[BY_H + w], t[BY_K + w], t[BY_L + w]
        change = by[w] * a0 + by[STRIDE + w] * a1 + by[2 * STRIDE + w] * a2 + t[BY_SHARE + w] * f
        change += u * (b0 * u + b1 * v + b2 * r) + v * (b3 * v + b4 * r) + r * (b5 * r) + e
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
        c, lanes = coefficients[at], groups * LANES if n > 1 else 1
        to_x, to_q = draw_row(s, left, lanes, c)
        t = s[left:]
        for w in range(lanes):
            t[PART + w] += t[LATTICE + w]
        if moving:
            by = s[left + to_x :]
            for w in range(lanes):
                t[T_X + w] -= t[LATTICE + w] * by[w]
                t[T_Y + w] -= t[LATTICE + w] * by[STRIDE + w]
                t[T_Z + w] -= t[LATTICE + w] * by[2 * STRIDE + w]
        if strained or apart:
            for number in range(tangents.numbers.shape[0]):
                if tangents.strained_apart[number]:
                    first = BASE + number * PER_DIRECTION
                    add_direction(s, left, lanes, c[first:], DIRECTIONS + number * DIRECTION + D_SUM, to_q)
