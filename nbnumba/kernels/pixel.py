"""One sample, composed of the functions of `physics`, and the sum of the samples of one pixel.

Position, solid angle, capture, polarization and lattice factor of a sample stand here once, for the sum below, which a
GPU thread runs, and for the trace (`trace_sample`). The strips of the processor loop over the same functions of
`physics`, in `cpu.strip` and `cpu.orientations`.

A new shape of crystal takes a function of numbers in `physics.sample`, a branch of `make_lattice_factor` here, a loop
over a strip in `cpu.orientations.amplitude_strip`, and its number in `scene`. A new background takes its function in
`physics.sample`, and a line where the water stands: at the end of `make_sum`, in `cpu.strip.water_strip` and in
`trace.walk`. What does not depend on the pixel is worked out in `experiment.scene`.

The sum is compiled for what an image needs: the shape of the crystal, the look-up, and the precision. In mixed
precision h, k and l are reduced to their offsets in float64, and what is computed from the offsets is float32:
the lattice factor, the nearest structure factor, and the sum over orientations, which carries its rounding along.

A long sum is done in portions, between which a pixel's state is kept: a launch must be short, however many samples
a pixel has. Nothing here is about CUDA: the functions compile for the processor too.
"""

import math
from typing import NamedTuple

import numpy as np

from ..constants import ROUND_AMPLITUDE
from .jit import inner
from .physics import functions
from .physics import sample as p
from .physics import structure_factor as look_up
from .physics.diffuse import halo_intensity
from .physics.intrinsics import round_even
from .scene import CURVED, FLAT, NEVER, ROUND, SQUARE, TOPHAT

NEAREST, CUBIC, SEARCH = 0, 1, 2  # what is done with the indices of a sample
STATE = 10  # numbers that are kept of an unfinished pixel
_1, _2, _3, _4, _5, _6, _7, _8, _9 = (np.uint64(i) for i in range(1, 10))  # unsigned: they cannot count from the end
_VANISHED = 100.0  # exp(-100) squared is nothing beside the smallest number that float32 holds


class Variant(NamedTuple):
    """What a kernel is compiled for."""

    shape: int
    look_up: int
    compound: bool = False  # factors multiply the running sum
    single: bool = False  # mixed precision
    weighted: bool = False  # orientations have weights other than 1
    halo: bool = False  # with diffuse scattering


@inner
def polarization(q, sources, source, dx, dy, dz):
    """Polarization factor of a source for a diffracted direction."""
    ix, iy, iz = sources[source, 0], sources[source, 1], sources[source, 2]
    ex, ey, ez, bx, by, bz = p.polarization_axes(ix, iy, iz, q.polar_axis[0], q.polar_axis[1], q.polar_axis[2])
    along_e, along_b = p.dot(dx, dy, dz, ex, ey, ez), p.dot(dx, dy, dz, bx, by, bz)
    return p.polarization_factor(q.kahn, p.dot(ix, iy, iz, dx, dy, dz), along_e, along_b)


@inner
def position(q, slow, fast, sub, layer):
    """Place of a sub-pixel in a layer, from the sample [m]."""
    along_fast = p.subpixel_center(fast, sub % q.oversample, q.oversample, q.pixel_fast)
    along_slow = p.subpixel_center(slow, sub // q.oversample, q.oversample, q.pixel_slow)
    depth = layer * q.layer_step
    x = p.flat_position(along_fast, along_slow, depth, q.fast[0], q.slow[0], q.normal[0], q.origin[0])
    y = p.flat_position(along_fast, along_slow, depth, q.fast[1], q.slow[1], q.normal[1], q.origin[1])
    z = p.flat_position(along_fast, along_slow, depth, q.fast[2], q.slow[2], q.normal[2], q.origin[2])
    if q.surface != FLAT:
        x, y, z = p.curved_position(q, along_fast, along_slow, depth, y, z)
    return x, y, z


@inner
def direction_to(x, y, z):
    """Diffracted unit vector and distance [m] of a place."""
    # Divided as in C: whether a pixel on the direct beam has q = 0 or not depends on the last bit.
    radius = math.sqrt(p.dot(x, y, z, x, y, z))
    return x / radius, y / radius, z / radius, radius


@inner
def solid_angle(q, inverse):
    """Solid angle of a pixel at an inverse distance [sr]."""
    return p.solid_angle(inverse, q.pixel_fast, q.pixel_slow, q.close_distance, q.point_pixel, q.surface != CURVED)


@inner
def parallax(q, dx, dy, dz):
    """Cosine of a diffracted ray to the normal of the sensor."""
    return 1.0 if q.surface == CURVED else p.dot(dx, dy, dz, q.normal[0], q.normal[1], q.normal[2])


@inner
def capture(q, layer, dx, dy, dz):
    """Captured fraction of a layer."""
    return p.capture_fraction(layer, q.layer_step, q.mu, parallax(q, dx, dy, dz))


@inner
def scattering_vector(sources, source, dx, dy, dz):
    """Scattering vector of a source for a diffracted direction [1/m]."""
    ix, iy, iz, inverse_wavelength = sources[source, 0], sources[source, 1], sources[source, 2], sources[source, 3]
    return p.scattering_vector(dx, dy, dz, ix, iy, iz, inverse_wavelength)


@inner
def place_in_table(h, k, l, h_first, k_first, l_first, nh, nk, nl):
    """Where a reflection stands in the flat table; 0 for all beyond it, as the whole border holds the same.

    Indices count from the table's first, h_first; whole numbers of 32 bits, which wrap around below it.
    """
    i, j, m = np.uint32(h - h_first), np.uint32(k - k_first), np.uint32(l - l_first)
    row = np.uint32(np.uint32(i * nk) + j)
    place = np.uint32(np.uint32(row * nl) + m)
    return place if i < nh and j < nk and m < nl else np.uint32(0)


@inner
def indices(orientations, at, qx, qy, qz):
    """Fractional indices of a scattering vector for the orientation that stands at a place of the flat array."""
    return (
        p.dot(orientations[at], orientations[at + _1], orientations[at + _2], qx, qy, qz),
        p.dot(orientations[at + _3], orientations[at + _4], orientations[at + _5], qx, qy, qz),
        p.dot(orientations[at + _6], orientations[at + _7], orientations[at + _8], qx, qy, qz),
    )


@inner
def trips(q, h, k, l):
    """Tell whether a sample trips the interpolation latch."""
    return (
        look_up.trips_latch(h, q.h_min, q.nh)
        or look_up.trips_latch(k, q.k_min, q.nk)
        or look_up.trips_latch(l, q.l_min, q.nl)
    )


def make_lattice_factor(variant):
    """Compile two functions of a variant.

    The first takes out of the scene's numbers what the second needs, the lattice factor: from float64 offsets to an
    amplitude in the variant's precision. Beyond their reach spots are 0, except where a sample counts for more than
    its term.
    """
    shape, single = variant.shape, variant.single
    everywhere = variant.compound or variant.look_up == SEARCH
    real = np.float32 if single else np.float64

    @inner
    def crystal_cells(q):
        return p.cells_along_axes(q)

    @inner
    def square(crystal, dh, dk, dl):
        Na, Nb, Nc = crystal
        dh, dk, dl = p.off_peak(dh), p.off_peak(dk), p.off_peak(dl)
        turned_h, turned_k, turned_l = p.turns(dh, Na), p.turns(dk, Nb), p.turns(dl, Nc)
        return p.lattice_ratio(real(dh), real(dk), real(dl), real(turned_h), real(turned_k), real(turned_l))

    @inner
    def crystal_ellipsoid(q):
        Na, Nb, Nc = p.cells_along_axes(q)
        return Na, Nb, Nc, q.fudge, q.sinc3_cancels, real(p.cells_in_crystal(q) * ROUND_AMPLITUDE)

    @inner
    def ellipsoid(crystal, dh, dk, dl):
        Na, Nb, Nc, fudge, cancels, height = crystal
        if not single:
            return p.lattice_factor_round(dh, dk, dl, Na, Nb, Nc, fudge, cancels)
        s, inverse = p.ellipsoid_radius(dh, dk, dl, Na, Nb, Nc, fudge)
        turned = real(s - round_even(s))
        profile = p.sinc3_central(turned) if s < 0.5 else p.sinc3(turned, real(inverse))
        return height * (p.sinc3_near_zero(profile, s) if cancels else profile)

    @inner
    def crystal_triangle(q):
        t = q.triangle
        shape = q.spot_scale, q.spot_height, q.fudge, q.spot_width, q.spot_limit, q.reach
        return t[0], t[1], t[2], t[3], t[4], t[5], shape

    @inner
    def spot(crystal, dh, dk, dl):
        xa, xb, xc, yb, yc, zc, (scale, height, fudge, width, limit, reach) = crystal
        radius_squared = p.spot_radius_squared(dh, dk, dl, xa, xb, xc, yb, yc, zc, scale)
        if not (everywhere or radius_squared < reach):
            return real(0.0)
        if shape == TOPHAT:
            return real(p.lattice_factor_tophat(radius_squared, height, fudge))
        if not single:
            return p.lattice_factor_gauss(radius_squared, height, fudge, width, limit)
        exponent = p.gauss_exponent(radius_squared, fudge, width)
        if not exponent < limit:
            return real(0.0)
        n, r = functions.exp_parts(exponent if exponent < _VANISHED else _VANISHED)
        return real(height) * functions.exp_of_parts(np.int32(n), real(r))

    if shape == SQUARE:
        return crystal_cells, square
    return (crystal_ellipsoid, ellipsoid) if shape == ROUND else (crystal_triangle, spot)


def make_amplitude(variant):
    """Compile a function of a variant that takes its crystal, and one for its lattice factor, the halo included."""
    crystal_of, lattice_factor = make_lattice_factor(variant)
    real = np.float32 if variant.single else np.float64
    if not variant.halo:

        @inner
        def spot(crystal, q, flat, h0, k0, l0, dh, dk, dl):
            return lattice_factor(crystal, dh, dk, dl)

        return crystal_of, spot

    @inner
    def spot_and_halo(crystal, q, flat, h0, k0, l0, dh, dk, dl):
        lattice = np.float64(0.0) if q.halo_only else np.float64(lattice_factor(crystal, dh, dk, dl))
        return real(math.sqrt(lattice * lattice + halo_intensity(q, flat, h0, k0, l0, dh, dk, dl)))

    return crystal_of, spot_and_halo


def make_sum_orientations(variant):
    """Compile the sum over phi steps and mosaic domains."""
    crystal_of, lattice_factor = make_amplitude(variant)
    single, compound, cubic, weighted = variant.single, variant.compound, variant.look_up == CUBIC, variant.weighted
    real = np.float32 if single else np.float64
    nothing = real(0.0)

    @inner
    def run(q, source, orientations, weights, flat, begin, end, qx, qy, qz, ordinal, total, carry, factor):
        """Add terms to a sum and what its rounding has left over (Kahan's sum, in mixed precision alone).

        A compound sum is multiplied by the factor after each term, as C does.
        """
        crystal = crystal_of(q)
        skip_empty, allowed = q.skip_empty, q.latch - ordinal
        h_min, k_min, l_min = np.float64(q.h_min), np.float64(q.k_min), np.float64(q.l_min)
        n_h, n_k, n_l = q.nh, q.nk, q.nl
        h_first, k_first, l_first = np.int32(q.h_min - 1), np.int32(q.k_min - 1), np.int32(q.l_min - 1)
        nh, nk, nl = np.uint32(n_h), np.uint32(n_k), np.uint32(n_l)
        at, stop, off = np.uint64(begin) * _9, np.uint64(end) * _9, np.uint64(min(max(allowed, 0), end)) * _9
        while at < stop:
            h, k, l = indices(orientations, at, qx, qy, qz)
            h0, h_whole = functions.nearest_whole(h)
            k0, k_whole = functions.nearest_whole(k)
            l0, l_whole = functions.nearest_whole(l)
            if cubic:
                factor_of_cell = real(
                    look_up.structure_factor(h, k, l, flat, h_min, k_min, l_min, n_h, n_k, n_l, at < off)
                )
            else:
                factor_of_cell = flat[place_in_table(h_whole, k_whole, l_whole, h_first, k_first, l_first, nh, nk, nl)]
            weight = real(weights[at // _9]) if weighted else real(1.0)
            at += _9
            if compound:
                lattice = lattice_factor(crystal, q, flat, h0, k0, l0, h - h0, k - k0, l - l0)
                if lattice != nothing or not skip_empty:
                    amplitude = factor_of_cell * lattice
                    total = (total + p.weighted_square(amplitude, weight)) * factor
            elif factor_of_cell != nothing:
                amplitude = factor_of_cell * lattice_factor(crystal, q, flat, h0, k0, l0, h - h0, k - k0, l - l0)
                if single:
                    term = p.weighted_square(amplitude, weight) - carry
                    longer = total + term
                    carry = (longer - total) - term
                    total = longer
                else:
                    total += p.weighted_square(amplitude, weight)
        return total, carry

    return run


def make_sum(variant, sum_terms=None):
    """Compile the sum of one pixel, from some sample to some other.

    What a source adds to a sub-pixel is the sum over all orientations, or that of another function in its place, which
    then also reads what stands in the place of the table.
    """
    sum_orientations = make_sum_orientations(variant) if sum_terms is None else sum_terms
    compound = variant.compound
    bounded = sum_terms is None and not compound
    real = np.float32 if variant.single else np.float64

    @inner
    def run(q, sources, orientations, weights, flat, slow, fast, first, last, state, i):
        """Add the samples first to last - 1 of a pixel; `state[:, i]` keeps what an unfinished one needs.

        Returns the pixel [photons] and its sum of solid angles [sr], meant when `last` is the number of samples.
        """
        n, subs = orientations.shape[0] // 9, q.oversample * q.oversample
        per_place = sources.shape[0] * n
        thick, water = q.oversample_thick, q.water_end != 0.0
        pixel = np.int64(slow) * q.n_fast + fast
        ordinal = pixel * (q.layers * subs * per_place)
        total, part, carry = q.water_start, real(0.0), real(0.0)
        polar = 0.0 if q.polarized else 1.0
        omega = captured = omega_sum = water_capture = water_polar = first_polar = 0.0
        if first > 0:
            total, part, carry = state[0, i], real(state[1, i]), real(state[2, i])
            polar, omega, captured, omega_sum = state[3, i], state[4, i], state[5, i], state[6, i]
            water_capture, water_polar, first_polar = state[7, i], state[8, i], state[9, i]
        for place in range(first // per_place, (last + per_place - 1) // per_place):
            layer, sub = place // subs, place % subs
            begin, end = max(first - place * per_place, 0), min(last - place * per_place, per_place)
            x, y, z = position(q, slow, fast, sub, layer)
            dx, dy, dz, distance = direction_to(x, y, z)
            if begin == 0:
                if p.takes_over(q.oversample_omega, omega, place == 0):
                    omega = solid_angle(q, 1.0 / distance)
                omega_sum += omega
                if sub == 0:
                    captured = 0.0 if q.sensor else 1.0
                # Without these two only the last layer's capture reaches the image.
                wanted = thick or q.weigh_layers or layer == q.layers - 1
                if q.sensor and wanted and p.takes_over(thick, captured, True):
                    captured = capture(q, layer, dx, dy, dz)
                if water and thick:
                    water_capture += captured / subs
            for source in range(begin // n, (end + n - 1) // n):
                o_begin, o_end = max(begin - source * n, 0), min(end - source * n, n)
                weight = sources[source, 4]
                qx, qy, qz = scattering_vector(sources, source, dx, dy, dz)
                passes = not q.dmin > 0.0 or p.passes_dmin(qx, qy, qz, q.dmin) > 0.0
                if o_begin == 0:
                    part, carry = real(0.0), real(0.0)
                    opening = water and place == 0 and source == 0
                    taken = p.takes_over(q.oversample_polar, polar, passes)
                    if q.polarized and (opening or taken):
                        polarized = polarization(q, sources, source, dx, dy, dz)
                        if opening:
                            first_polar = polarized
                        if taken:
                            polar = polarized
                    water_polar += polar * weight
                factor = p.switched_product(
                    thick or q.weigh_layers, q.oversample_polar, q.oversample_omega, captured, polar, omega
                )
                here = ordinal + (place * per_place + source * n)
                if passes and compound:
                    total, _ = sum_orientations(
                        q, source, orientations, weights, flat, o_begin, o_end, qx, qy, qz, here, total, carry, factor
                    )
                elif passes and (not bounded or p.may_diffract(qx, qy, qz, q.q_least_squared, q.q_most_squared)):
                    part, carry = sum_orientations(
                        q, source, orientations, weights, flat, o_begin, o_end, qx, qy, qz, here, part, carry, factor
                    )
                    if o_end == n:
                        total += weight * factor * (np.float64(part) - np.float64(carry))
            if water and not thick and end == per_place and sub == subs - 1:
                water_capture += captured
        if last < q.layers * subs * per_place:
            state[0, i], state[1, i], state[2, i] = total, part, carry
            state[3, i], state[4, i], state[5, i], state[6, i] = polar, omega, captured, omega_sum
            state[7, i], state[8, i], state[9, i] = water_capture, water_polar, first_polar
        value = q.photons * total
        value *= p.switched_product(
            not (thick or q.weigh_layers), not q.oversample_polar, not q.oversample_omega, captured, polar, omega
        )
        if water:
            places = np.float64(q.layers * subs)
            mean = water_polar / (places * sources.shape[0])
            water_factor = p.water_polarization(q.polarized, q.oversample_polar, polar, first_polar, mean)
            value += q.water_end * water_capture * water_factor * (omega_sum / places)
        return value, omega_sum

    return run


def make_search(shape):
    """Compile the search of one pixel for the sample that trips the interpolation latch."""
    crystal_of, lattice_factor = make_lattice_factor(Variant(shape, SEARCH))
    never_empty = shape == SQUARE

    @inner
    def run(q, sources, orientations, slow, fast, first, last):
        """Return the number within the pixel of the first of the samples that trips the latch, or NEVER."""
        n, subs = orientations.shape[0] // 9, q.oversample * q.oversample
        per_place = sources.shape[0] * n
        crystal = crystal_of(q)
        for place in range(first // per_place, (last + per_place - 1) // per_place):
            x, y, z = position(q, slow, fast, place % subs, place // subs)
            dx, dy, dz, _ = direction_to(x, y, z)
            begin, end = max(first - place * per_place, 0), min(last - place * per_place, per_place)
            for source in range(begin // n, (end + n - 1) // n):
                qx, qy, qz = scattering_vector(sources, source, dx, dy, dz)
                if q.dmin > 0.0 and p.passes_dmin(qx, qy, qz, q.dmin) == 0.0:
                    continue
                for o in range(max(begin - source * n, 0), min(end - source * n, n)):
                    h, k, l = indices(orientations, np.uint64(o) * _9, qx, qy, qz)
                    if trips(q, h, k, l):
                        dh, dk, dl = (
                            h - functions.nearest_index(h),
                            k - functions.nearest_index(k),
                            l - functions.nearest_index(l),
                        )
                        if never_empty or not q.skip_empty or lattice_factor(crystal, dh, dk, dl) != 0.0:
                            return place * per_place + source * n + o
        return NEVER

    return run
