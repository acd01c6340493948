"""The kernels: images and their derivatives, for a band of rows after another.

A band belongs to one task, which adds to arrays of its own: several scenes can be summed up there, and derivatives
need not be kept for a whole image.
"""

import numpy as np

from ..cpu.kernel import activate_strip, close_place, open_place, polarize, prepare
from ..cpu.strip import (
    ACTIVE,
    CAPTURE,
    GAIN,
    LANES,
    OMEGA,
    PART,
    POLAR,
    STRIDE,
    SUM,
    WIDTH,
    any_positive,
    fill,
    is_bounded,
    place_strip,
    scatter_strip,
    water_strip,
    weigh_strip,
)
from ..cpu.whole_strip import is_beyond_reflections, middle_of_strip
from ..jit import borrowed, generic, inner, inner_inlined, kernel
from ..physics import sample as p
from ..scene import Scene
from .factors import (
    close_source_slopes,
    empty_directions,
    finish_slopes,
    note_wanted,
    open_place_slopes,
    polarization_slopes,
)
from .rows import D_SUM, DIRECTION, DIRECTIONS, FORM_0, HH, LL, REST, SHARE, T_X, T_Y, T_Z, TOTAL
from .samples import share_nothing, share_out_samples, sum_samples
from .spots import share_out_spots, sum_spots
from .tangents import Tangents


@inner
def any_of(flags):
    """Tell whether any flag is set."""
    found = False
    for flag in flags:
        found = found or flag
    return found


@inner_inlined
def add_row(s, row, change, to, n):
    """Add a number times a row to another."""
    # Views: the compiler cannot tell that indices which begin at `row` or `to` are never negative.
    x, y = s[row:], s[to:]
    for w in range(n):
        y[w] += change * x[w]


@inner
def finish_directions(q, tangents, s, n, n_sources):
    """Complete the derivatives of a strip's pixels."""
    for number in range(tangents.numbers.shape[0]):
        row = DIRECTIONS + number * DIRECTION + D_SUM
        if tangents.strained[number]:
            for i in range(9):
                change = tangents.strains[number, 0, i]
                if change != 0.0:
                    add_row(s, HH + i * STRIDE, change, row, n)
        for i in range(6):
            change = tangents.forms[number, i]
            if change != 0.0:
                add_row(s, FORM_0 + i * STRIDE, change, row, n)
        change = tangents.forms[number, 6]
        if change != 0.0:
            add_row(s, TOTAL, change, row, n)
        finish_slopes(q, tangents, s, n, number, n_sources)


@inner
def finish_image(q, s, n, n_sources):
    """Complete the strip's pixels [photons]."""
    with_capture = not (q.oversample_thick or q.weigh_layers)
    with_polar, with_omega = not q.oversample_polar, not q.oversample_omega
    start, photons = q.water_start, q.photons
    for w in range(n):
        rest = p.switched_product(with_capture, with_polar, with_omega, s[CAPTURE + w], s[POLAR + w], s[OMEGA + w])
        s[REST + w] = photons * rest
        s[SUM + w] = photons * (start + s[TOTAL + w]) * rest
    if q.water_end != 0.0:
        water_strip(q, n_sources, s, n)


@inner
def is_dark(q, slow, fast, pixels):
    """Tell whether no sample of a strip has a structure factor: then its sums are 0, and so are all derivatives.

    What a parameter moves comes from a neighborhood that is dark too: the nearest reflection has no structure factor.
    """
    return is_bounded(q) and is_beyond_reflections(q, middle_of_strip(q, slow, fast, pixels))


@generic
def sum_strip(sum_source, q, scene, tangents, s, index, n, slow, fast, want, extra):
    """Run the sum of one strip."""
    sources = scene.sources
    n_orientations, n_sources = scene.orientations.shape[0], sources.shape[0]
    moving = want[0]
    subs = q.oversample * q.oversample
    pixel, samples = np.int64(slow) * q.n_fast + fast, q.layers * subs * n_sources * n_orientations
    prepare(q, s, n)
    for row in range(TOTAL, SHARE, STRIDE):
        fill(s, row, n, 0.0)
    for row in range(HH, LL + STRIDE, STRIDE):
        fill(s, row, n, 0.0)
    empty_directions(tangents, s, n)
    unpolarized = q.polarized
    sample = np.int64(0)
    for layer in range(q.layers):
        for sub in range(subs):
            open_place(place_strip, q, s, n, slow, fast, layer, sub)
            if moving:
                open_place_slopes(q, tangents, s, n, slow, fast, layer, sub)
            for source in range(n_sources):
                fill(s, GAIN, n, 1.0)
                scatter_strip(q, sources, s, n, source)
                if q.polarized:
                    note_wanted(q, s, n)
                    first = layer == 0 and sub == 0 and source == 0
                    unpolarized = polarize(q, sources, s, n, source, first, unpolarized)
                    if moving:
                        polarization_slopes(q, tangents, sources, s, n, source, first)
                elif q.water_end != 0.0:
                    polarize(q, sources, s, n, source, False, False)
                if any_positive(s, GAIN, n):
                    weigh_strip(q, s, n, sources[source, 4])
                    fill(s, PART, n, 0.0)
                    if moving:
                        fill(s, T_X, n, 0.0)
                        fill(s, T_Y, n, 0.0)
                        fill(s, T_Z, n, 0.0)
                    sum_source(q, scene, tangents, s, index, n, pixel, sample, samples, source, want, extra)
                    for w in range(n):
                        s[TOTAL + w] += s[PART + w]
                    if moving:
                        close_source_slopes(q, tangents, sources, s, n, source)
                sample += n_orientations
            close_place(q, s, n, sub)


@inner_inlined
def store(q, tangents, s, pixels, row, column, image, slopes):
    """Add a strip to the image and to the derivatives of a band; pixels that are not rendered get nothing."""
    drawn = image[row, column:]
    for w in range(pixels):
        drawn[w] += s[SUM + w] if s[ACTIVE + w] != 0.0 else 0.0
    for number in range(tangents.numbers.shape[0]):
        t, to = s[DIRECTIONS + number * DIRECTION + D_SUM :], slopes[number, row, column:]
        for w in range(pixels):
            to[w] += t[w] if s[ACTIVE + w] != 0.0 else 0.0


@inner_inlined
def without_counting(scene, tangents):
    """The same scene and tangents without a part in counting references to their arrays."""
    return Scene(
        scene.numbers,
        borrowed(scene.mask),
        borrowed(scene.sources),
        borrowed(scene.orientations),
        borrowed(scene.weights),
        borrowed(scene.flat),
    ), Tangents(
        borrowed(tangents.form),
        borrowed(tangents.numbers),
        borrowed(tangents.sources),
        borrowed(tangents.strains),
        borrowed(tangents.forms),
        borrowed(tangents.tables),
        borrowed(tangents.table_of),
        borrowed(tangents.moving),
        borrowed(tangents.strained),
        borrowed(tangents.strained_apart),
    )


@generic
def work_on_strip(
    sum_source, q, scene, tangents, s, index, n, pixels, slow, fast, row, column, want, extra, image, slopes
):
    """Add a strip to the image and to the derivatives of a band; a GPU thread's strip is one pixel, in every row of
    the scratch array at its own place.
    """
    water = q.water_start != 0.0 or q.water_end != 0.0
    if not water and is_dark(q, slow, fast, pixels):
        return
    sum_strip(sum_source, q, scene, tangents, s, index, n, slow, fast, want, extra)
    if water or any_positive(s, TOTAL, n):
        n_sources = scene.sources.shape[0]
        finish_image(q, s, n, n_sources)
        finish_directions(q, tangents, s, n, n_sources)
        store(q, tangents, s, pixels, row, column, image, slopes)


@generic
def work_on_band(sum_source, scene, tangents, scratch, numbers, extra, image, slopes, first, last):
    """Add rows of a region to the band's image and derivatives; rows and columns count from the region's first."""
    q = scene.numbers[0]
    scene, tangents = without_counting(scene, tangents)
    image, slopes = borrowed(image), borrowed(slopes)
    s, index = borrowed(scratch), borrowed(numbers)
    apart = any_of(tangents.strained_apart) or tangents.tables.shape[0] > 0
    want = any_of(tangents.moving), any_of(tangents.strained), apart
    columns = q.fast_last - q.fast_first + 1
    for row in range(first, last):
        slow = q.slow_first + row
        for column in range(0, columns, WIDTH):
            fast = q.fast_first + column
            pixels = min(WIDTH, columns - column)
            n = (pixels + LANES - 1) // LANES * LANES
            if not activate_strip(scene.mask, s, n, pixels, slow, fast):
                continue
            work_on_strip(
                sum_source, q, scene, tangents, s, index, n, pixels, slow, fast, row - first, column, want, extra,
                image, slopes,
            )  # fmt: skip


@kernel
def add_samples(scene, tangents, scratch, numbers, image, slopes, first, last):
    """Add rows first to last - 1, sample by sample.

    Parameters
    ----------
    scene : Scene
    tangents : Tangents
    scratch : (rows.scratch_size(directions),)
        A thread's own, as `numbers`.
    numbers : (WIDTH,) int32
    image : (last - first, columns)
        Photons; added to.
    slopes : (directions, last - first, columns)
        Derivatives; added to.
    first, last : int
        Rows of the region.
    """
    work_on_band(sum_samples, scene, tangents, scratch, numbers, 0, image, slopes, first, last)


@kernel
def add_spots(scene, tangents, scratch, numbers, coefficients, ellipses, starts, image, slopes, first, last):
    """The same, spot by spot.

    Parameters
    ----------
    coefficients, ellipses
        Of the band's spots, by `spots.prepare_spots`.
    starts : (sources + 1,) int
        Where those of each source begin.
    """
    extra = (borrowed(coefficients), borrowed(ellipses), borrowed(starts), scene.numbers[0].fast_last + 1)
    work_on_band(sum_spots, scene, tangents, scratch, numbers, extra, image, slopes, first, last)


@inner
def shares(q, s, pixels, n, row, column, weights):
    """Work out SHARE from the derivatives of a number by the pixels."""
    fill(s, SHARE, n, 0.0)
    with_capture = not (q.oversample_thick or q.weigh_layers)
    with_polar, with_omega = not q.oversample_polar, not q.oversample_omega
    for w in range(pixels):
        if s[ACTIVE + w] != 0.0:
            rest = p.switched_product(with_capture, with_polar, with_omega, s[CAPTURE + w], s[POLAR + w], s[OMEGA + w])
            s[SHARE + w] = weights[row, column + w] * q.photons * rest


@generic
def share_out_band(share_out, scene, tangents, scratch, numbers, extra, weights, first, last):
    """Add rows of a region to the derivatives of a number by structure factors.

    A strip is gone through twice: what multiplies a pixel's sum is known only at its end.
    """
    q = scene.numbers[0]
    scene, tangents = without_counting(scene, tangents)
    s, index = borrowed(scratch), borrowed(numbers)
    want = False, False, False
    columns = q.fast_last - q.fast_first + 1
    for row in range(first, last):
        slow = q.slow_first + row
        for column in range(0, columns, WIDTH):
            fast = q.fast_first + column
            pixels = min(WIDTH, columns - column)
            n = (pixels + LANES - 1) // LANES * LANES
            if not activate_strip(scene.mask, s, n, pixels, slow, fast) or is_dark(q, slow, fast, pixels):
                continue
            sum_strip(share_nothing, q, scene, tangents, s, index, n, slow, fast, want, 0)
            shares(q, s, pixels, n, row - first, column, weights)
            sum_strip(share_out, q, scene, tangents, s, index, n, slow, fast, want, extra)


@kernel
def share_out(scene, tangents, scratch, numbers, weights, table, first, last):
    """Add to the derivatives of a number by every structure factor, sample by sample.

    Parameters
    ----------
    weights : (last - first, columns)
        Derivatives of the number by the pixels.
    table : (cells,)
        Added to.
    """
    share_out_band(share_out_samples, scene, tangents, scratch, numbers, table, weights, first, last)


@kernel
def share_out_by_spots(scene, tangents, scratch, numbers, coefficients, ellipses, starts, weights, table, first, last):
    """The same, spot by spot."""
    extra = (borrowed(coefficients), borrowed(ellipses), borrowed(starts), scene.numbers[0].fast_last + 1, table)
    share_out_band(share_out_spots, scene, tangents, scratch, numbers, extra, weights, first, last)
