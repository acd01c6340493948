"""The search for the first sample that switches interpolation off, in C's order."""

import math

import numpy as np

from ..jit import inner
from ..physics import sample as p
from ..physics import structure_factor as look_up
from ..scene import NEVER, SQUARE
from . import orientations as per_orientation
from .strip import AMPLITUDE, FIRST, fill
from .whole_strip import middle_of_strip


@inner
def longest_axes(orientations):
    """Return the largest length of a, b and c of any orientation [m]."""
    a = b = c = 0.0
    for o in range(orientations.shape[0]):
        cell = orientations[o]
        a = max(a, cell[0] * cell[0] + cell[1] * cell[1] + cell[2] * cell[2])
        b = max(b, cell[3] * cell[3] + cell[4] * cell[4] + cell[5] * cell[5])
        c = max(c, cell[6] * cell[6] + cell[7] * cell[7] + cell[8] * cell[8])
    return math.sqrt(a), math.sqrt(b), math.sqrt(c)


@inner
def strip_may_trip(q, sources, orientations, axes, slow, fast, pixels):
    """Tell whether any sample of a strip can be out of range of interpolation.

    Its middle is asked, and how far the indices of a direction that meets the strip elsewhere can be from its own.
    """
    x, y, z, turn = middle_of_strip(q, slow, fast, pixels)
    if turn == np.inf:
        return True
    h_min, k_min, l_min = float(q.h_min), float(q.k_min), float(q.l_min)
    nh, nk, nl = float(q.nh), float(q.nk), float(q.nl)
    for source in range(sources.shape[0]):
        inverse_wavelength = sources[source, 3]
        qx, qy, qz = p.scattering_vector(
            x, y, z, sources[source, 0], sources[source, 1], sources[source, 2],
            inverse_wavelength,
        )  # fmt: skip
        step = turn * inverse_wavelength
        dh, dk, dl = axes[0] * step, axes[1] * step, axes[2] * step
        found = 0
        for o in range(orientations.shape[0]):
            cell = orientations[o]
            h = p.dot(cell[0], cell[1], cell[2], qx, qy, qz)
            k = p.dot(cell[3], cell[4], cell[5], qx, qy, qz)
            l = p.dot(cell[6], cell[7], cell[8], qx, qy, qz)
            found += (
                look_up.trips_latch(h - dh, h_min, nh)
                | look_up.trips_latch(h + dh, h_min, nh)
                | look_up.trips_latch(k - dk, k_min, nk)
                | look_up.trips_latch(k + dk, k_min, nk)
                | look_up.trips_latch(l - dl, l_min, nl)
                | look_up.trips_latch(l + dl, l_min, nl)
            )
        if found > 0:
            return True
    return False


@inner
def search_orientations(q, orientations, weights, flat, s, index, n, first_pixel, first_sample, samples):
    """Note the first sample of each pixel that trips the interpolation latch."""
    for o in range(orientations.shape[0]):
        if q.shape == SQUARE:
            fill(s, AMPLITUDE, n, 1.0)  # never exactly zero
        else:
            per_orientation.index_strip(orientations, s, n, o)
            per_orientation.offsets_from_indices(s, n)
            per_orientation.amplitude_strip(q, s, n)
        per_orientation.index_strip(orientations, s, n, o)
        per_orientation.search_strip(q, s, n, first_sample + o)


@inner
def first_trip(q, per_pixel, s, n, slow, fast):
    """Ordinal of the first sample of a strip that trips the latch, or NEVER."""
    for w in range(n):
        if s[FIRST + w] < np.inf:
            return (np.int64(slow) * q.n_fast + fast + w) * per_pixel + np.int64(s[FIRST + w])
    return NEVER
