"""Which reflections the photons of a pixel come from.

Every term of a pixel's sum belongs to the nearest reflection of its sample. The terms are worked out once more, by the
functions that the image was drawn with, and kept by pixel and reflection; what is left is to share out the photons of
the pixel in their ratio. Factors that all terms of a pixel have in common are left out.
"""

import numpy as np

from .. import pixel
from ..jit import borrowed, inner, kernel
from ..physics import functions
from ..physics import sample as p
from ..physics import spot as geometry
from ..scene import GAUSS
from ..trace_sample import lattice_factor, structure_factor
from .spots import FCELL, PAIR, ROOT, VX, VY, VZ, form_of, matrix_of

H, K, L, PIXEL, TERM, PHI, WAVELENGTH = range(7)  # of a share: indices, pixel, term, and term times phi and wavelength
SHARE = 7
_FIRST_ROOM = 4096
_MOST = 4096  # reflections in one pixel; further ones count with the last


@inner
def _doubled(shares):
    found = shares.shape[0]
    more = np.empty((2 * found, SHARE))
    for i in range(found):
        for column in range(SHARE):
            more[i, column] = shares[i, column]
    return more


@inner
def _factor(q, sources, source, layer, dx, dy, dz, distance):
    """What a term is multiplied by that depends on its place or source; factors of the whole pixel count as 1."""
    thick = (q.oversample_thick or q.weigh_layers) and q.sensor
    captured = pixel.capture(q, layer, dx, dy, dz) if thick else 1.0
    polar = pixel.polarization(q, sources, source, dx, dy, dz) if q.polarized and q.oversample_polar else 1.0
    omega = pixel.solid_angle(q, 1.0 / distance) if q.oversample_omega else 1.0
    return captured * polar * omega * sources[source, 4]


@kernel
def shares_of_pixels(scene, image, phis, first, last):
    """Return the shares of the rows first to last - 1, pixel by pixel.

    Parameters
    ----------
    scene : Scene
        With the latch of the image.
    image : (n_slow, n_fast) float32
        Pixels of 0 are skipped.
    phis : (n,)
        Spindle angle of every orientation.

    Returns
    -------
    (n, SHARE)
    """
    q = scene.numbers[0]
    sources, weights = borrowed(scene.sources), borrowed(scene.weights)
    orientations = scene.orientations.reshape(-1)
    n, subs, n_sources = scene.orientations.shape[0], q.oversample * q.oversample, sources.shape[0]
    shares = np.empty((_FIRST_ROOM, SHARE))
    found = 0
    for slow in range(first, last):
        for fast in range(q.fast_first, q.fast_last + 1):
            if not image[slow, fast] > 0.0:
                continue
            begin, at = found, found
            ordinal = (np.int64(slow) * q.n_fast + fast) * (q.layers * subs * n_sources * n)
            for place in range(q.layers * subs):
                layer, sub = place // subs, place % subs
                x, y, z = pixel.position(q, slow, fast, sub, layer)
                dx, dy, dz, distance = pixel.direction_to(x, y, z)
                for source in range(n_sources):
                    qx, qy, qz = pixel.scattering_vector(sources, source, dx, dy, dz)
                    if q.dmin > 0.0 and p.passes_dmin(qx, qy, qz, q.dmin) == 0.0:
                        continue
                    gain = _factor(q, sources, source, layer, dx, dy, dz, distance)
                    here = ordinal + (place * n_sources + source) * n
                    for o in range(n):
                        h, k, l = pixel.indices(orientations, np.uint64(9 * o), qx, qy, qz)
                        h0, k0, l0 = functions.nearest_index(h), functions.nearest_index(k), functions.nearest_index(l)
                        factor, _ = structure_factor(scene, h, k, l, q.interpolate and here + o < q.latch)
                        if factor == 0.0:
                            continue
                        lattice = lattice_factor(q, h0, k0, l0, h - h0, k - k0, l - l0)[3]
                        term = p.weighted_square(factor * lattice, weights[o]) * gain
                        if not term > 0.0:
                            continue
                        if at == found or shares[at, H] != h0 or shares[at, K] != k0 or shares[at, L] != l0:
                            at = begin
                            while at < found and (shares[at, H] != h0 or shares[at, K] != k0 or shares[at, L] != l0):
                                at += 1
                            if at == begin + _MOST:
                                at -= 1
                            elif at == found:
                                if found == shares.shape[0]:
                                    shares = _doubled(shares)
                                shares[at, H], shares[at, K], shares[at, L] = h0, k0, l0
                                shares[at, PIXEL] = slow * q.n_fast + fast
                                shares[at, TERM] = shares[at, PHI] = shares[at, WAVELENGTH] = 0.0
                                found += 1
                        shares[at, TERM] += term
                        shares[at, PHI] += term * phis[o]
                        shares[at, WAVELENGTH] += term / sources[source, 3]
    return shares[:found]


@inner
def _spot_term(q, sources, spot, m, c, bend, height, cell, nearest_only, source, slow, fast):
    """Sum of what one spot adds to a pixel over layers and sub-pixels."""
    k0 = sources[source, 3]
    end, total = spot[ROOT] * spot[ROOT], 0.0
    subs = q.oversample * q.oversample
    for place in range(q.layers * subs):
        layer, sub = place // subs, place % subs
        x, y, z = pixel.position(q, slow, fast, sub, layer)
        dx, dy, dz, distance = pixel.direction_to(x, y, z)
        if nearest_only or q.dmin > 0.0:
            qx, qy, qz = pixel.scattering_vector(sources, source, dx, dy, dz)
            if q.dmin > 0.0 and p.passes_dmin(qx, qy, qz, q.dmin) == 0.0:
                continue
            if nearest_only and not (
                functions.nearest_index(p.dot(cell[0], cell[1], cell[2], qx, qy, qz)) == cell[9]
                and functions.nearest_index(p.dot(cell[3], cell[4], cell[5], qx, qy, qz)) == cell[10]
                and functions.nearest_index(p.dot(cell[6], cell[7], cell[8], qx, qy, qz)) == cell[11]
            ):
                continue
        ux, uy, uz = k0 * dx, k0 * dy, k0 * dz
        r0 = m[0] * ux + m[1] * uy + (m[2] * uz - c[0])
        r1 = m[3] * ux + m[4] * uy + (m[5] * uz - c[1])
        r2 = m[6] * ux + m[7] * uy + (m[8] * uz - c[2])
        squared = geometry.bent(r0, r1, r2, bend[1], bend[2], bend[3])
        if squared < end:
            gauss = p.lattice_intensity_gauss(squared, height)
            flat = p.lattice_intensity_tophat(squared, height)
            total += (gauss if q.shape == GAUSS else flat) * _factor(q, sources, source, layer, dx, dy, dz, distance)
    return total


@kernel
def shares_of_spots(scene, view, spots, boxes, phis, first, last):
    """Return the shares of spots of a list, first to last - 1; see `spot_search.list_spots`, `shares_of_pixels`."""
    q = scene.numbers[0]
    sources, orientations, weights = borrowed(scene.sources), borrowed(scene.orientations), borrowed(scene.weights)
    shares = np.empty((_FIRST_ROOM, SHARE))
    found = 0
    for i in range(first, last):
        spot = spots[i]
        pair = int(spot[PAIR])
        source, orientation = pair // orientations.shape[0], pair % orientations.shape[0]
        k0, a = sources[source, 3], orientations[orientation]
        vx, vy, vz = spot[VX], spot[VY], spot[VZ]
        x, y, z = vx - sources[source, 0] * k0, vy - sources[source, 1] * k0, vz - sources[source, 2] * k0
        m, gain, bend = form_of(q, view, matrix_of(q, a), k0, x, y, z)
        vx, vy, vz = vx - bend[0] * x, vy - bend[0] * y, vz - bend[0] * z
        c = (
            m[0] * vx + m[1] * vy + m[2] * vz,
            m[3] * vx + m[4] * vy + m[5] * vz,
            m[6] * vx + m[7] * vy + m[8] * vz,
        )
        amplitude = spot[FCELL] * q.spot_height
        height = amplitude * amplitude * gain * weights[orientation]
        h0 = functions.nearest_index(p.dot(a[0], a[1], a[2], x, y, z))
        k0_index = functions.nearest_index(p.dot(a[3], a[4], a[5], x, y, z))
        l0 = functions.nearest_index(p.dot(a[6], a[7], a[8], x, y, z))
        cell = (a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], h0, k0_index, l0)
        for row in range(boxes[i, 2], boxes[i, 3] + 1):
            for column in range(boxes[i, 0], boxes[i, 1] + 1):
                slow, fast = q.slow_first + row, q.fast_first + column
                term = _spot_term(q, sources, spot, m, c, bend, height, cell, view[7] != 0.0, source, slow, fast)
                if not term > 0.0:
                    continue
                if found == shares.shape[0]:
                    shares = _doubled(shares)
                shares[found, H], shares[found, K], shares[found, L] = h0, k0_index, l0
                shares[found, PIXEL] = slow * q.n_fast + fast
                shares[found, TERM], shares[found, PHI] = term, term * phis[orientation]
                shares[found, WAVELENGTH] = term / k0
                found += 1
    return shares[:found]
