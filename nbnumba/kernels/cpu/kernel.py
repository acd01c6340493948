"""The CPU kernel: the sum over layers, sub-pixels, sources and orientations, for one strip of pixels after another.

The loops over a strip are in `strip` and `orientations`; here is their order. One strip belongs to one task, so that an
image is the same for any number of threads.

The innermost loop, over the orientations of one source, has four forms. Each is compiled with the rest around it into a
function of its own, so that a first run waits for no other.
"""

import numpy as np

from ..jit import borrowed, generic, inner, inner_inlined, kernel
from ..physics import sample as p
from ..scene import FLAT, NEVER, ROUND, SQUARE
from . import orientations as per_orientation
from .cubic import cubic_strip, forget_cells
from .latch import first_trip, longest_axes, search_orientations, strip_may_trip
from .mixed import place_strip_fused, sum_mixed
from .mixed_round import sum_mixed_round
from .strip import (
    ACTIVE,
    AMPLITUDE,
    CAPTURE,
    EVALUATED,
    FIRST,
    GAIN,
    LANES,
    OMEGA,
    OMEGA_SUM,
    PART,
    POLAR,
    SCRATCH,
    SUM,
    WATER_CAPTURE,
    WATER_POLAR,
    WATER_POLAR_FIRST,
    WIDTH,
    H,
    K,
    L,
    add,
    any_positive,
    any_zero,
    capture_strip,
    fill,
    fill_from,
    finish_strip,
    lanes_in_range,
    omega_strip,
    out_of_range,
    place_strip,
    polar_strip,
    scatter_strip,
    total_omega,
    water_strip,
    weigh_strip,
)
from .whole_strip import UNKNOWN, is_dark, middle_of_strip, solid_angle_of_strip


@inner
def sum_bulk(q, orientations, weights, flat, s, index, n, first_pixel, first_sample, samples):
    """Add the terms of square or round crystals, whose amplitudes are nowhere negligible."""
    plain = q.plain
    Na, Nb, Nc = p.cells_along_axes(q)
    fudge, cancels = q.fudge, q.sinc3_cancels
    single = Na == 1.0 and Nb == 1.0 and Nc == 1.0
    first, stop = lanes_in_range(q, s, n, LANES)
    lanes = stop - first
    if lanes == 0:
        return
    part = s[first:]
    evaluated = 0
    for o in range(orientations.shape[0]):
        per_orientation.offset_strip(q, orientations, part, index, lanes, o)
        if not per_orientation.gather_strip(flat, part, index, lanes):
            continue
        evaluated += n
        if q.shape == ROUND:
            per_orientation.either_round_strip(part, lanes, Na, Nb, Nc, fudge, cancels)
        elif single:
            fill(part, AMPLITUDE, lanes, 1.0)
        else:
            per_orientation.square_strip(part, lanes, Na, Nb, Nc)
        per_orientation.sum_terms(part, lanes, plain, weights[o])
    s[EVALUATED] += evaluated


@inner
def sum_spots(q, orientations, weights, flat, s, index, n, first_pixel, first_sample, samples):
    """Add the terms of Gaussian and top-hat spots, for the pixels that they reach."""
    cubic = q.interpolate
    for o in range(orientations.shape[0]):
        lanes = per_orientation.spots_in_reach(q, orientations, s, index, n, o)
        if lanes > 0:
            per_orientation.sum_spots(
                q, orientations, weights, flat, s, index, lanes, o, first_pixel, first_sample + o, samples, cubic
            )


@inner_inlined
def allowed_lanes(latch, first_pixel, sample, samples):
    """Number of pixels of a strip whose sample comes before the interpolation latch."""
    if latch == NEVER:
        return WIDTH
    before = (latch - sample + samples - 1) // samples - first_pixel
    return min(max(before, 0), WIDTH)


@inner
def sum_any(q, orientations, weights, flat, s, index, n, first_pixel, first_sample, samples):
    """Add the terms of any crystal in the general way: interpolation, a halo, or factors of the running sum."""
    halo = q.halo_count > 0
    Na, Nb, Nc = p.cells_along_axes(q)
    single = q.shape == SQUARE and Na == 1.0 and Nb == 1.0 and Nc == 1.0
    bare = single and not halo and not q.compound  # the lattice factor is 1
    s[EVALUATED] += n * orientations.shape[0]
    first, stop = lanes_in_range(q, s, n, LANES)
    if first == stop:
        return
    for o in range(orientations.shape[0]):
        if halo:
            per_orientation.index_strip(orientations, s, n, o)
            per_orientation.halo_strip(q, flat, s, n)
        allowed = allowed_lanes(q.latch, first_pixel, first_sample + o, samples) if q.interpolate else 0
        if allowed > 0:
            cubic_strip(q, orientations, flat, s, index, n, o, allowed)
        else:
            per_orientation.offset_strip(q, orientations, s, index, n, o)
            per_orientation.gather_strip(flat, s, index, n)
        if bare:
            per_orientation.sum_factors(s, n, q.plain, weights[o])
            continue
        if single:
            fill(s, AMPLITUDE, n, 1.0)
        else:
            if allowed > 0:
                per_orientation.index_strip(orientations, s, n, o)
                per_orientation.offsets_from_indices(s, n)
            per_orientation.amplitude_strip(q, s, n)
        if halo:
            per_orientation.add_halo(q, s, n)
        if q.compound:
            per_orientation.compound_terms(s, n, q.skip_empty, weights[o])
        else:
            per_orientation.sum_terms(s, n, q.plain, weights[o])


@generic
def sum_source(
    sum_orientations, q, weight, orientations, weights, flat, s, index, n, first_pixel, first_sample, samples
):
    """Add the terms of one source, weighed by what belongs to all of them."""
    if not q.plain:
        if not any_positive(s, GAIN, n):  # dmin leaves out the whole strip
            return
        weigh_strip(q, s, n, weight)
        fill(s, PART, n, 0.0)
    sum_orientations(q, orientations, weights, flat, s, index, n, first_pixel, first_sample, samples)
    if not q.plain and not q.compound:
        for w in range(n):
            s[SUM + w] += s[GAIN + w] * s[PART + w]


@inner_inlined
def polarize(q, sources, s, n, source, first, unpolarized):
    """Bring the polarization factors up to date for one source; tell whether some pixel still has none."""
    if unpolarized or q.oversample_polar:
        polar_strip(q, sources, s, n, source, POLAR, q.oversample_polar)
        unpolarized = any_zero(s, POLAR, n)
    if q.water_end != 0.0:
        if first:
            polar_strip(q, sources, s, n, source, WATER_POLAR_FIRST, True)
        weight = sources[source, 4]
        for w in range(n):
            s[WATER_POLAR + w] += s[POLAR + w] * weight
    return unpolarized


@inner_inlined
def prepare(q, s, n):
    """Empty the sums of a strip."""
    fill(s, SUM, n, q.water_start)
    fill(s, POLAR, n, 0.0 if q.polarized else 1.0)
    fill(s, GAIN, n, 1.0)
    fill(s, OMEGA_SUM, n, 0.0)
    if q.water_end != 0.0:
        fill(s, WATER_CAPTURE, n, 0.0)
        fill(s, WATER_POLAR, n, 0.0)
        fill(s, WATER_POLAR_FIRST, n, 0.0)


@generic
def open_place(place, q, s, n, slow, fast, layer, sub):
    """Work out directions and factors of one sub-pixel in one layer; each place is opened after the one before it."""
    oversample, layers, sensor, thick = q.oversample, q.layers, q.sensor, q.oversample_thick
    if sub == 0:
        fill(s, CAPTURE, n, 0.0 if sensor else 1.0)
    place(q, s, n, slow, fast, sub // oversample, sub % oversample, layer)
    if q.oversample_omega or (layer == 0 and sub == 0):
        omega_strip(q, s, n)
        places = 1 if q.oversample_omega else layers * oversample * oversample  # that it serves
        for w in range(n):
            s[OMEGA_SUM + w] += places * s[OMEGA + w]
    # Without these two only the last layer's capture reaches the image.
    if sensor and (thick or q.weigh_layers or layer == layers - 1):
        capture_strip(q, s, n, layer, thick)
    if q.water_end != 0.0 and thick:
        subs = oversample * oversample
        for w in range(n):
            s[WATER_CAPTURE + w] += s[CAPTURE + w] / subs


@inner_inlined
def close_place(q, s, n, sub):
    """Keep what the water needs of a layer, once its last sub-pixel is done."""
    if q.water_end != 0.0 and not q.oversample_thick and sub == q.oversample * q.oversample - 1:
        add(s, WATER_CAPTURE, n, CAPTURE)


@inner_inlined
def finds_nothing(q, s, n):
    """Tell whether all samples of a layer add nothing to a strip, and its sub-pixels leave no other trace."""
    factors = q.oversample_thick or q.oversample_polar or q.oversample_omega or q.water_end != 0.0
    if factors or q.surface != FLAT or not out_of_range(q, s, n):
        return False
    # A capture of exactly 0 is looked for again in the next sub-pixel.
    return not (q.sensor and any_zero(s, CAPTURE, n))


@generic
def sum_strip(
    place, sum_orientations, search, bounded, q, sources, orientations, weights, flat, s, index, n, slow, fast
):
    """Run the sum of one strip, or search it for the latch."""
    n_orientations, n_sources = orientations.shape[0], sources.shape[0]
    oversample, layers = q.oversample, q.layers
    first_pixel = np.int64(slow) * q.n_fast + fast
    samples = layers * oversample * oversample * n_sources * n_orientations
    subs = oversample * oversample
    prepare(q, s, n)
    unpolarized = q.polarized
    # A pixel of 0 needs no polarization factor; another layer may be more than 0.
    dark = layers == 1 and q.water_start == 0.0 and abs(q.kahn) <= 1.0
    nothing = False
    sample = np.int64(0)
    for layer in range(layers):
        for sub in range(subs):
            first = layer == 0 and sub == 0
            if bounded and nothing and sub > 0 and (dark or not unpolarized):
                continue
            open_place(place, q, s, n, slow, fast, layer, sub)
            if bounded and sub == 0:
                nothing = finds_nothing(q, s, n)
            if bounded and nothing and (dark or not unpolarized):
                continue
            for source in range(n_sources):
                scatter_strip(q, sources, s, n, source)
                if search:
                    sum_orientations(q, orientations, weights, flat, s, index, n, first_pixel, sample, samples)
                else:
                    if q.polarized:
                        unpolarized = polarize(q, sources, s, n, source, first and source == 0, unpolarized)
                    weight = sources[source, 4]
                    sum_source(
                        sum_orientations,
                        q,
                        weight,
                        orientations,
                        weights,
                        flat,
                        s,
                        index,
                        n,
                        first_pixel,
                        sample,
                        samples,
                    )
                sample += n_orientations
            close_place(q, s, n, sub)


@inner
def activate_strip(mask, s, n, pixels, slow, fast):
    """Mark the pixels of a strip that are rendered; tell whether there is any."""
    fill(s, ACTIVE, pixels, 1.0)
    fill_from(s, ACTIVE, pixels, n, 0.0)
    if mask.shape[0] > 0:
        for w in range(pixels):
            s[ACTIVE + w] = 1.0 if mask[slow, fast + w] != 0 else 0.0
        return any_positive(s, ACTIVE, n)
    return True


@inner
def store_strip(q, n_sources, masked, s, n, pixels, slow, fast, image):
    """Store a strip as float32."""
    finish_strip(q, s, n)
    if q.water_end != 0.0:
        water_strip(q, n_sources, s, n)
    row = image[slow, fast : fast + pixels]
    if masked:
        for w in range(pixels):
            row[w] = np.float32(s[SUM + w]) if s[ACTIVE + w] > 0.0 else np.float32(0.0)
    else:
        for w in range(pixels):
            row[w] = np.float32(s[SUM + w])


@inner_inlined
def place_of_strip(q, strip, strips_per_row, width):
    """Row, first column and number of pixels of a strip."""
    fast = q.fast_first + strip % strips_per_row * width
    return q.slow_first + strip // strips_per_row, fast, min(width, q.fast_last + 1 - fast)


@generic
def work_on_strips(
    place, sum_orientations, search, bounded, scene, scratch, numbers, image, tallies, first, last, strips_per_row,
    width,
):  # fmt: skip
    """Render the strips first to last - 1 of the region, or search them for the latch.

    `scratch` and `numbers` are a thread's own: ROOM floats and SINGLES 32-bit integers. A strip has `width` pixels,
    the last one of a row what is left. `tallies` receives each strip's sum of solid angles and number of
    evaluated steps.
    Returns the ordinal of the first sample that trips the latch, or NEVER.
    """
    q = scene.numbers[0]
    mask, sources, orientations = borrowed(scene.mask), borrowed(scene.sources), borrowed(scene.orientations)
    weights, flat = borrowed(scene.weights), borrowed(scene.flat)
    s, index = borrowed(scratch), borrowed(numbers)
    n_sources = sources.shape[0]
    per_pixel = q.layers * q.oversample * q.oversample * n_sources * orientations.shape[0]
    axes = longest_axes(orientations) if search else (0.0, 0.0, 0.0)
    if q.interpolate:
        forget_cells(s)
    for strip in range(first, last):
        slow, fast, pixels = place_of_strip(q, strip, strips_per_row, width)
        n = (pixels + LANES - 1) // LANES * LANES
        if search and not strip_may_trip(q, sources, orientations, axes, slow, fast, pixels):
            continue
        if bounded and mask.shape[0] == 0:
            middle = middle_of_strip(q, slow, fast, pixels)
            if is_dark(q, middle):
                solid_angle = solid_angle_of_strip(q, slow, fast, pixels, middle[3])
                if solid_angle != UNKNOWN:  # the image is 0 there
                    tallies[strip, 0] = solid_angle
                    continue
        if not activate_strip(mask, s, n, pixels, slow, fast):
            continue
        s[EVALUATED] = 0.0
        if search:
            fill(s, FIRST, n, np.inf)
        sum_strip(
            place, sum_orientations, search, bounded, q, sources, orientations, weights, flat, s, index, n, slow, fast
        )
        if search:
            found = first_trip(q, per_pixel, s, pixels, slow, fast)
            if found != NEVER:
                return found
        else:
            store_strip(q, n_sources, mask.shape[0] > 0, s, n, pixels, slow, fast, image)
            tallies[strip, 0] = total_omega(s, n)
            tallies[strip, 1] = s[EVALUATED] * pixels / n
    return NEVER


@kernel
def render_bulk(scene, scratch, numbers, image, tallies, first, last, strips_per_row, width):
    """Render strips of square or round crystals with the structure factors of the nearest reflections."""
    work_on_strips(
        place_strip, sum_bulk, False, True, scene, scratch, numbers, image, tallies, first, last, strips_per_row, width
    )


@kernel
def render_mixed(scene, scratch, numbers, image, tallies, first, last, strips_per_row, width):
    """Render strips of square crystals in mixed precision; the scene's table is float32."""
    work_on_strips(
        place_strip_fused, sum_mixed, False, True, scene, scratch, numbers, image, tallies, first, last, strips_per_row,
        width,
    )  # fmt: skip


@kernel
def render_mixed_round(scene, scratch, numbers, image, tallies, first, last, strips_per_row, width):
    """Render strips of round crystals in mixed precision; the scene's table is float32."""
    work_on_strips(
        place_strip, sum_mixed_round, False, True, scene, scratch, numbers, image, tallies, first, last, strips_per_row,
        width,
    )  # fmt: skip


@kernel
def render_spots(scene, scratch, numbers, image, tallies, first, last, strips_per_row, width):
    """Render strips of Gaussian or top-hat spots."""
    work_on_strips(
        place_strip, sum_spots, False, False, scene, scratch, numbers, image, tallies, first, last, strips_per_row,
        width,
    )  # fmt: skip


@kernel
def render_any(scene, scratch, numbers, image, tallies, first, last, strips_per_row, width):
    """Render strips of anything."""
    work_on_strips(
        place_strip, sum_any, False, False, scene, scratch, numbers, image, tallies, first, last, strips_per_row, width
    )


@kernel
def search(scene, scratch, numbers, image, tallies, first, last, strips_per_row, width):
    """Ordinal of the first sample in the strips that trips the interpolation latch, or NEVER."""
    return work_on_strips(
        place_strip, search_orientations, True, False, scene, scratch, numbers, image, tallies, first, last,
        strips_per_row, width,
    )  # fmt: skip


@kernel
def sample_hkl(scene, slow, fast, layer, sub, source, orientation):
    """Fractional indices of a single sample."""
    q = scene.numbers[0]
    oversample = q.oversample
    s = np.zeros(SCRATCH)
    place_strip(q, s, LANES, slow, fast, sub // oversample, sub % oversample, layer)
    scatter_strip(q, scene.sources, s, LANES, source)
    per_orientation.index_strip(scene.orientations, s, LANES, orientation)
    return s[H], s[K], s[L]
