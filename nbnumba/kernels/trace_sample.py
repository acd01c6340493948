"""Single samples for the trace: compiled functions that return what the kernels keep to themselves.

What a sample is composed of is called from `pixel`; here stand the names of the results, and the signs of amplitudes,
which images do not need.
"""

import math
from typing import NamedTuple

import numpy as np

from . import pixel
from .jit import inner, kernel
from .physics import functions
from .physics import sample as p
from .physics import structure_factor as look_up
from .physics.diffuse import halo_intensity
from .pixel import SEARCH, Variant, make_lattice_factor
from .scene import CURVED, GAUSS, ROUND, SQUARE, TOPHAT

_square_of, _square = make_lattice_factor(Variant(SQUARE, SEARCH))
_ellipsoid_of, _ellipsoid = make_lattice_factor(Variant(ROUND, SEARCH))
_gauss_of, _gauss = make_lattice_factor(Variant(GAUSS, SEARCH))
_tophat_of, _tophat = make_lattice_factor(Variant(TOPHAT, SEARCH))


class Place(NamedTuple):
    """One sub-pixel of one layer."""

    x: float  # position [m]
    y: float
    z: float
    distance: float  # from the sample [m]
    dx: float  # diffracted unit vector
    dy: float
    dz: float
    solid_angle: float  # [sr]
    obliquity: float
    parallax: float
    capture: float


class Ray(NamedTuple):
    """One source as seen from a sub-pixel."""

    qx: float  # scattering vector [1/m]
    qy: float
    qz: float
    passes: bool  # dmin lets it through
    polarization: float
    cos_two_theta: float


class Samples(NamedTuple):
    """All phi steps and, innermost, mosaic domains of one ray; arrays of shape (orientations,)."""

    h: np.ndarray
    k: np.ndarray
    l: np.ndarray
    h0: np.ndarray
    k0: np.ndarray
    l0: np.ndarray
    F_latt_a: np.ndarray  # NaN for shapes whose lattice factor is no product
    F_latt_b: np.ndarray
    F_latt_c: np.ndarray
    F_latt: np.ndarray
    halo: np.ndarray  # diffuse scattering over F_cell^2, added to F_latt^2
    F_cell: np.ndarray
    interpolated: np.ndarray
    counted: np.ndarray  # False: left out of the sum
    term: np.ndarray  # F_cell^2 F_latt^2 times the weight of the orientation


def new_samples(count: int) -> Samples:
    """Return room for the samples of one ray."""
    flags = ("interpolated", "counted")
    return Samples(*(np.empty(count, dtype=np.bool_ if name in flags else np.float64) for name in Samples._fields))


@kernel
def place(scene, slow, fast, layer, sub_slow, sub_fast):
    """Position, direction and factors of one sub-pixel."""
    q = scene.numbers[0]
    x, y, z = pixel.position(q, slow, fast, sub_slow * q.oversample + sub_fast, layer)
    dx, dy, dz, distance = pixel.direction_to(x, y, z)
    inverse = 1.0 / distance
    width, height, close = q.pixel_fast, q.pixel_slow, q.close_distance
    oblique = q.surface != CURVED and not q.point_pixel
    obliquity = p.solid_angle(inverse, width, height, close, False, oblique)
    obliquity /= p.solid_angle(inverse, width, height, close, False, False)
    captured = pixel.capture(q, layer, dx, dy, dz) if q.sensor else 1.0
    omega = pixel.solid_angle(q, inverse)
    return Place(x, y, z, distance, dx, dy, dz, omega, obliquity, pixel.parallax(q, dx, dy, dz), captured)


@kernel
def ray(scene, source, dx, dy, dz):
    """Scattering vector and factors of one source for a diffracted direction."""
    q = scene.numbers[0]
    qx, qy, qz = pixel.scattering_vector(scene.sources, source, dx, dy, dz)
    polarization = pixel.polarization(q, scene.sources, source, dx, dy, dz) if q.polarized else 1.0
    passes = p.passes_dmin(qx, qy, qz, q.dmin) > 0.0
    ix, iy, iz = scene.sources[source, 0], scene.sources[source, 1], scene.sources[source, 2]
    return Ray(qx, qy, qz, passes, polarization, p.dot(ix, iy, iz, dx, dy, dz))


@inner
def factor_along(h0, dh, cells):
    """Lattice factor of one axis of a parallelepiped crystal, with its sign."""
    offset = p.off_peak(dh)
    return p.interference_sign(h0, dh, cells) * functions.sin_pi(p.turns(offset, cells)) / functions.sin_pi(offset)


@inner
def lattice_factor(q, h0, k0, l0, dh, dk, dl):
    """Lattice factors of the three axes and the whole, with their signs, from the numbers of a scene."""
    Na, Nb, Nc = p.cells_along_axes(q)
    nothing = math.nan
    if q.shape == SQUARE:
        Fa, Fb, Fc = factor_along(h0, dh, Na), factor_along(k0, dk, Nb), factor_along(l0, dl, Nc)
        return Fa, Fb, Fc, math.copysign(_square(_square_of(q), dh, dk, dl), Fa * Fb * Fc)
    if q.shape == ROUND:
        sign = p.ellipsoid_sign(p.ellipsoid_radius(dh, dk, dl, Na, Nb, Nc, q.fudge)[0])
        return nothing, nothing, nothing, sign * _ellipsoid(_ellipsoid_of(q), dh, dk, dl)
    if q.shape == TOPHAT:
        return nothing, nothing, nothing, _tophat(_tophat_of(q), dh, dk, dl)
    return nothing, nothing, nothing, _gauss(_gauss_of(q), dh, dk, dl)


@inner
def structure_factor(scene, h, k, l, may_interpolate):
    """Structure factor of one sample, and whether it was interpolated."""
    q = scene.numbers[0]
    h_min, k_min, l_min, nh, nk, nl = q.h_min, q.k_min, q.l_min, q.nh, q.nk, q.nl
    fits = look_up.cubic_fits(h, h_min, nh) and look_up.cubic_fits(k, k_min, nk) and look_up.cubic_fits(l, l_min, nl)
    f = look_up.structure_factor(h, k, l, scene.flat, h_min, k_min, l_min, nh, nk, nl, may_interpolate)
    return f, may_interpolate and fits


@kernel
def neighbors(scene, h, k, l):
    """Reflections that a sample is interpolated from: (64, 5) with h, k, l, weight and structure factor, l innermost.

    All of them must stand in the table, as they do for a sample that is interpolated.
    """
    q = scene.numbers[0]
    found = np.empty((64, 5))
    h_below, k_below, l_below = math.floor(h), math.floor(k), math.floor(l)
    along_h = look_up.cubic_weights(h - h_below)
    along_k = look_up.cubic_weights(k - k_below)
    along_l = look_up.cubic_weights(l - l_below)
    for number in range(64):
        i, j, m = number // 16, number // 4 % 4, number % 4
        place = (h_below - q.h_min + i, k_below - q.k_min + j, l_below - q.l_min + m)
        found[number, 0], found[number, 1], found[number, 2] = h_below - 1 + i, k_below - 1 + j, l_below - 1 + m
        found[number, 3] = along_h[i] * along_k[j] * along_l[m]
        found[number, 4] = scene.flat[int(look_up.table_place(place[0], place[1], place[2], q.nk, q.nl))]
    return found


@kernel
def fill(scene, out, qx, qy, qz, passes, first_ordinal):
    """Work out all orientations of one ray; `first_ordinal` is the ordinal of the first one in the image."""
    q = scene.numbers[0]
    orientations = scene.orientations.reshape(-1)
    for j in range(scene.orientations.shape[0]):
        h, k, l = pixel.indices(orientations, np.uint64(9 * j), qx, qy, qz)
        h0, k0, l0 = functions.nearest_index(h), functions.nearest_index(k), functions.nearest_index(l)
        Fa, Fb, Fc, F_latt = lattice_factor(q, h0, k0, l0, h - h0, k - k0, l - l0)
        may_interpolate = q.interpolate and first_ordinal + j < q.latch
        F_cell, interpolated = structure_factor(scene, h, k, l, may_interpolate)
        halo, spot = 0.0, F_latt
        if q.halo_count > 0:
            halo = halo_intensity(q, scene.flat, h0, k0, l0, h - h0, k - k0, l - l0)
            spot = math.sqrt((0.0 if q.halo_only else F_latt * F_latt) + halo)
        amplitude = F_cell * spot
        out.h[j], out.k[j], out.l[j] = h, k, l
        out.h0[j], out.k0[j], out.l0[j] = h0, k0, l0
        out.F_latt_a[j], out.F_latt_b[j], out.F_latt_c[j], out.F_latt[j] = Fa, Fb, Fc, F_latt
        out.halo[j], out.F_cell[j], out.interpolated[j] = halo, F_cell, interpolated
        out.counted[j] = passes and (spot != 0.0 or not q.skip_empty)
        out.term[j] = p.weighted_square(amplitude, scene.weights[j])


@kernel
def add_terms(scene, total, term, counted, gain, factor):
    """Add the terms of one ray to a pixel's sum, in the order of the kernels; return the new sum.

    `gain` multiplies each term; `factor` multiplies the running sum after every term.
    """
    q = scene.numbers[0]
    if q.compound:
        for j in range(term.shape[0]):
            if counted[j]:
                total = (total + term[j]) * factor
        return total
    if q.plain:
        for j in range(term.shape[0]):
            total += term[j]
        return total
    part = 0.0
    for j in range(term.shape[0]):
        part += term[j]
    return total + gain * part
