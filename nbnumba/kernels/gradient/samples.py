"""Samples of a strip with their derivatives: the sum over the orientations of one source, for any shape.

A sample is weight F^2 L^2, with L^2 a function of the offset from the nearest reflection. Its derivative by the
fractional indices (h, k, l) serves all that moves them: a strain S of the crystal's axes changes them by S (h, k, l),
a change of the scattering vector by that times the axes.
"""

import math

import numpy as np

from ..cpu.kernel import allowed_lanes
from ..cpu.orientations import gather_strip
from ..cpu.strip import FCELL, GAIN, LANES, PART, QX, QY, QZ, H, K, L, lanes_in_range
from ..jit import inner, inner_inlined
from ..physics import functions, slopes
from ..physics import sample as p
from ..physics import structure_factor as look_up
from ..physics.intrinsics import floor
from ..scene import GAUSS, ROUND, SQUARE
from .rows import (
    BY_H,
    BY_K,
    BY_L,
    D_SUM,
    DIRECTION,
    DIRECTIONS,
    F_H,
    F_K,
    F_L,
    FORM_0,
    FORM_1,
    FORM_2,
    FORM_3,
    FORM_4,
    FORM_5,
    HH,
    HK,
    HL,
    KH,
    KK,
    KL,
    LATTICE,
    LH,
    LK,
    LL,
    OFF_H,
    OFF_K,
    OFF_L,
    SHARE,
    T_X,
    T_Y,
    T_Z,
)


@inner
def nearest_strip(q, a, s, index, n, o):
    """Fractional indices of one of the orientations `a`, offsets from the nearest reflections, their places."""
    ax, ay, az, bx, by, bz = a[o, 0], a[o, 1], a[o, 2], a[o, 3], a[o, 4], a[o, 5]
    cx, cy, cz = a[o, 6], a[o, 7], a[o, 8]
    h_min, k_min, l_min = float(q.h_min), float(q.k_min), float(q.l_min)
    nh, nk, nl = float(q.nh), float(q.nk), float(q.nl)
    for w in range(n):
        x, y, z = s[QX + w], s[QY + w], s[QZ + w]
        h, k, l = p.dot(ax, ay, az, x, y, z), p.dot(bx, by, bz, x, y, z), p.dot(cx, cy, cz, x, y, z)
        h0, k0, l0 = functions.nearest_index(h), functions.nearest_index(k), functions.nearest_index(l)
        s[H + w], s[K + w], s[L + w] = h, k, l
        s[OFF_H + w], s[OFF_K + w], s[OFF_L + w] = h - h0, k - k0, l - l0
        i = look_up.padded_index(h0, h_min, nh)
        j = look_up.padded_index(k0, k_min, nk)
        m = look_up.padded_index(l0, l_min, nl)
        index[w] = np.int32(look_up.table_place(i, j, m, nk, nl))


@inner
def interpolated(q, h, k, l):
    """Tell whether structure factors are interpolated at some indices, as far as the table is concerned."""
    return (
        look_up.cubic_fits(h, float(q.h_min), float(q.nh))
        and look_up.cubic_fits(k, float(q.k_min), float(q.nk))
        and look_up.cubic_fits(l, float(q.l_min), float(q.nl))
    )


@inner
def interpolate_strip(q, flat, s, n, allowed):
    """Put interpolated structure factors and their slopes in place of the nearest, where they are interpolated."""
    h_min, k_min, l_min = float(q.h_min), float(q.k_min), float(q.l_min)
    for w in range(n):
        s[F_H + w] = s[F_K + w] = s[F_L + w] = 0.0
        h, k, l = s[H + w], s[K + w], s[L + w]
        if w < allowed and interpolated(q, h, k, l):
            s[FCELL + w], s[F_H + w], s[F_K + w], s[F_L + w] = slopes.cubic_interpolation_slopes(
                h, k, l, flat, h_min, k_min, l_min, q.nk, q.nl
            )


@inner
def factor_at(q, flat, s, index, w, allowed):
    """Structure factor of a sample from another table, looked up as its own was."""
    h, k, l = s[H + w], s[K + w], s[L + w]
    if q.interpolate and w < allowed and interpolated(q, h, k, l):
        return look_up.cubic_interpolation(h, k, l, flat, float(q.h_min), float(q.k_min), float(q.l_min), q.nk, q.nl)
    return flat[index[w]]


@inner
def square_slopes(s, n, form, weight):
    """Samples of a parallelepiped crystal, and their derivatives by offsets and by Na, Nb, Nc."""
    cells, height = (form[0], form[1], form[2]), form[6] * weight
    least_a, inverse_a = slopes.least_offset(form[0])
    least_b, inverse_b = slopes.least_offset(form[1])
    least_c, inverse_c = slopes.least_offset(form[2])
    least, inverse_least = (least_a, least_b, least_c), (inverse_a, inverse_b, inverse_c)
    for w in range(n):
        f, gain = s[FCELL + w], height * s[GAIN + w]
        ff = f * f * gain
        amplitude, by_offset, by_cells = slopes.interference_slopes(
            s[OFF_H + w], s[OFF_K + w], s[OFF_L + w], cells, least, inverse_least, (2.0 * math.pi) * ff
        )
        squared = amplitude * amplitude
        s[LATTICE + w] = gain * squared
        s[PART + w] += ff * squared
        s[BY_H + w], s[BY_K + w], s[BY_L + w] = by_offset
        s[FORM_0 + w] += by_cells[0]
        s[FORM_1 + w] += by_cells[1]
        s[FORM_2 + w] += by_cells[2]


@inner_inlined
def radial_slopes(s, w, form, lattice, slope):
    """Derivatives of a sample that depends on a quadratic form of its offset, from that by the form's value."""
    f = s[FCELL + w]
    dh, dk, dl = s[OFF_H + w], s[OFF_K + w], s[OFF_L + w]
    x, y, z, _ = slopes.quadratic_form(form, dh, dk, dl)
    e = f * f * slope
    s[LATTICE + w] = lattice
    s[PART + w] += f * f * lattice
    s[BY_H + w], s[BY_K + w], s[BY_L + w] = 2.0 * e * x, 2.0 * e * y, 2.0 * e * z
    s[FORM_0 + w] += e * dh * dh
    s[FORM_1 + w] += 2.0 * e * dh * dk
    s[FORM_2 + w] += 2.0 * e * dh * dl
    s[FORM_3 + w] += e * dk * dk
    s[FORM_4 + w] += 2.0 * e * dk * dl
    s[FORM_5 + w] += e * dl * dl


@inner
def round_slopes(q, s, n, form, weight):
    """Samples of an ellipsoidal crystal, and their derivatives by offsets and form."""
    Na, Nb, Nc = p.cells_along_axes(q)
    fudge, cancels = q.fudge, q.sinc3_cancels
    height = p.lattice_factor_round(0.0, 0.0, 0.0, Na, Nb, Nc, fudge, False)
    weight *= form[6]
    for w in range(n):
        lattice, slope = slopes.ellipsoid_intensity(
            s[OFF_H + w], s[OFF_K + w], s[OFF_L + w], Na, Nb, Nc, fudge, cancels, height
        )
        gain = weight * s[GAIN + w]
        radial_slopes(s, w, form, lattice * gain, slope * gain)


@inner
def gauss_slopes(q, s, n, form, weight):
    """Samples of Gaussian spots, and their derivatives by offsets and form; tell whether there is any."""
    limit = q.spot_limit
    farthest = q.reach / q.spot_width * q.fudge if q.fudge > 0.0 else np.inf
    near = 0
    for w in range(n):
        exponent = slopes.quadratic_form(form, s[OFF_H + w], s[OFF_K + w], s[OFF_L + w])[3]
        s[LATTICE + w] = exponent
        near += exponent < farthest
    if near == 0:
        return False
    weight *= form[6]
    for w in range(n):
        lattice, slope = slopes.gauss_intensity(s[LATTICE + w], 1.0, limit)
        gain = weight * s[GAIN + w]
        radial_slopes(s, w, form, lattice * gain, slope * gain)
    return True


@inner
def tophat_samples(s, n, form, weight):
    """Samples of spots that are cut off; by their offsets they have no derivative."""
    weight *= form[6]
    for w in range(n):
        squared = slopes.quadratic_form(form, s[OFF_H + w], s[OFF_K + w], s[OFF_L + w])[3]
        lattice, f = weight * s[GAIN + w] * p.lattice_intensity_tophat(squared, 1.0), s[FCELL + w]
        s[LATTICE + w] = lattice
        s[PART + w] += f * f * lattice
        s[BY_H + w] = s[BY_K + w] = s[BY_L + w] = 0.0


@inner
def strain_strip(s, n):
    """Add up what a strain of all orientations makes of a sample."""
    for w in range(n):
        x, y, z, h, k, l = s[BY_H + w], s[BY_K + w], s[BY_L + w], s[H + w], s[K + w], s[L + w]
        s[HH + w] += x * h
        s[HK + w] += x * k
        s[HL + w] += x * l
        s[KH + w] += y * h
        s[KK + w] += y * k
        s[KL + w] += y * l
        s[LH + w] += z * h
        s[LK + w] += z * k
        s[LL + w] += z * l


@inner
def strain_apart_strip(s, n, S, row):
    """Add what the strain S of one orientation makes of a sample."""
    a, b, c, d, e, f, g, i, j = S[0], S[1], S[2], S[3], S[4], S[5], S[6], S[7], S[8]
    t = s[row:]
    for w in range(n):
        h, k, l = s[H + w], s[K + w], s[L + w]
        change = s[BY_H + w] * (a * h + b * k + c * l) + s[BY_K + w] * (d * h + e * k + f * l)
        t[w] += change + s[BY_L + w] * (g * h + i * k + j * l)


@inner
def wave_strip(s, n, o):
    """Add derivatives by the scattering vector."""
    ax, ay, az, bx, by, bz, cx, cy, cz = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8]
    for w in range(n):
        x, y, z = s[BY_H + w], s[BY_K + w], s[BY_L + w]
        s[T_X + w] += x * ax + y * bx + z * cx
        s[T_Y + w] += x * ay + y * by + z * cy
        s[T_Z + w] += x * az + y * bz + z * cz


@inner
def shape_slopes(q, s, n, form, weight):
    """Samples of any shape with their derivatives; tell whether there is any."""
    if q.shape == SQUARE:
        square_slopes(s, n, form, weight)
    elif q.shape == ROUND:
        round_slopes(q, s, n, form, weight)
    elif q.shape == GAUSS:
        return gauss_slopes(q, s, n, form, weight)
    else:
        tophat_samples(s, n, form, weight)
    return True


@inner
def sum_samples(q, scene, tangents, s, index, n, pixel, sample, samples, source, want, extra):
    """Add the samples of one source and of all orientations; `want` says which derivatives: moving, strained, apart.

    `pixel` and `sample` are the number of the strip's first pixel, and of the source's first sample within it.
    """
    orientations, weights, flat, form = scene.orientations, scene.weights, scene.flat, tangents.form
    moving, strained, apart = want
    cubic = q.interpolate
    start, stop = lanes_in_range(q, s, n, LANES)
    if start == stop:
        return
    s, n, pixel = s[start:], stop - start, pixel + start
    for o in range(orientations.shape[0]):
        nearest_strip(q, orientations, s, index, n, o)
        found = gather_strip(flat, s, index, n)
        allowed = allowed_lanes(q.latch, pixel, sample + o, samples) if cubic else 0
        if allowed > 0:
            interpolate_strip(q, flat, s, n, allowed)
        elif not found and tangents.tables.shape[0] == 0:
            continue
        if not shape_slopes(q, s, n, form, weights[o]):
            continue
        if allowed > 0:
            for w in range(n):
                twice = 2.0 * s[FCELL + w] * s[LATTICE + w]
                s[BY_H + w] += twice * s[F_H + w]
                s[BY_K + w] += twice * s[F_K + w]
                s[BY_L + w] += twice * s[F_L + w]
        if strained:
            strain_strip(s, n)
        if moving:
            wave_strip(s, n, orientations[o])
        if apart:
            for number in range(tangents.numbers.shape[0]):
                row = DIRECTIONS + number * DIRECTION + D_SUM
                if tangents.strained_apart[number]:
                    strain_apart_strip(s, n, tangents.strains[number, o], row)
                if tangents.table_of[number] >= 0:
                    table, t = tangents.tables[tangents.table_of[number]], s[row:]
                    for w in range(n):
                        change = factor_at(q, table, s, index, w, allowed)
                        t[w] += 2.0 * s[FCELL + w] * change * s[LATTICE + w]


@inner
def spread_to_neighbors(q, h, k, l, amount, table):
    """Add to the 4 x 4 x 4 cells of a table that a sample is interpolated from, by their weights."""
    h_below, k_below, l_below = floor(h), floor(k), floor(l)
    along_h = look_up.cubic_weights(h - h_below)
    along_k = look_up.cubic_weights(k - k_below)
    along_l = look_up.cubic_weights(l - l_below)
    first = int(look_up.table_place(h_below - q.h_min, k_below - q.k_min, l_below - q.l_min, q.nk, q.nl))
    for i in range(4):
        for j in range(4):
            for m in range(4):
                table[first + (i * q.nk + j) * q.nl + m] += amount * along_h[i] * along_k[j] * along_l[m]


@inner
def share_out_samples(q, scene, tangents, s, index, n, pixel, sample, samples, source, want, table):
    """Add derivatives by the structure factors to a table: SHARE times those of one source's samples."""
    orientations, weights, flat, form = scene.orientations, scene.weights, scene.flat, tangents.form
    cubic = q.interpolate
    start, stop = lanes_in_range(q, s, n, LANES)
    if start == stop:
        return
    s, n, pixel = s[start:], stop - start, pixel + start
    for o in range(orientations.shape[0]):
        nearest_strip(q, orientations, s, index, n, o)
        gather_strip(flat, s, index, n)
        allowed = allowed_lanes(q.latch, pixel, sample + o, samples) if cubic else 0
        if allowed > 0:
            interpolate_strip(q, flat, s, n, allowed)
        if not shape_slopes(q, s, n, form, weights[o]):
            continue
        for w in range(n):
            amount = 2.0 * s[FCELL + w] * s[LATTICE + w] * s[SHARE + w]
            if amount == 0.0:
                continue
            h, k, l = s[H + w], s[K + w], s[L + w]
            if w < allowed and interpolated(q, h, k, l):
                spread_to_neighbors(q, h, k, l, amount, table)
            else:
                table[index[w]] += amount


@inner
def share_nothing(q, scene, tangents, s, index, n, pixel, sample, samples, source, want, extra):
    """Leave the samples of a source alone, so that only the factors of the pixels are worked out."""
