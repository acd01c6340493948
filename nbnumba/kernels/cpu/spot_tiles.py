"""What compact spots add to the pixels of a tile.

Each tile adds up its own spots, in the order of `spot_search.list_spots`: one task has one tile, and an image is the
same for any number of threads.
"""

import math

from ..jit import borrowed, inner, kernel
from ..physics import functions
from ..physics import sample as p
from ..physics import spot as geometry
from ..scene import GAUSS
from .kernel import activate_strip, close_place, open_place, polarize, prepare, store_strip
from .spots import FCELL, PAIR, ROOT, TILE_ROWS, VX, VY, VZ, ellipse_of, form_of, index_range, matrix_of
from .strip import (
    DX,
    DY,
    DZ,
    GAIN,
    LANES,
    PART,
    SUM,
    copy,
    fill,
    place_strip,
    scatter_strip,
    total_omega,
    weigh_strip,
)


@inner
def row_range(ellipse, row, pixels):
    """First pixel of a row that an ellipse meets, and the number of groups of pixels from it on."""
    f, s, slope, widest, narrowing = ellipse
    y = row - s
    squared = widest - narrowing * (y * y)
    if squared < 0.0:
        return 0, 0
    left, right = index_range(f - slope * y, math.sqrt(squared), 0, pixels - 1)
    return left, (right - left + LANES) // LANES if left <= right else 0


@inner
def add_gauss_rows(scratch, first, last, pixels, ellipse, m, c, end, height):
    """Add a Gaussian spot to the rows first to last of a tile; return the number of pixels looked at.

    The spot is height exp(-|M d - c|^2) where that exponent is below `end`.
    """
    m0, m1, m2, m3, m4, m5, m6, m7, m8 = m
    c0, c1, c2 = c
    looked_at = 0
    for row in range(first, last + 1):
        left, groups = row_range(ellipse, row, pixels)
        looked_at += groups
        s = scratch[row]
        for g in range(groups):
            # A view: the compiler cannot tell that an index which begins at `left` is never negative.
            t = s[left + g * LANES :]
            for w in range(LANES):
                x, y, z = t[DX + w], t[DY + w], t[DZ + w]
                r0 = m0 * x + m1 * y + (m2 * z - c0)
                r1 = m3 * x + m4 * y + (m5 * z - c1)
                r2 = m6 * x + m7 * y + (m8 * z - c2)
                squared = r0 * r0 + r1 * r1 + r2 * r2
                term = p.lattice_intensity_gauss(squared, height)
                t[SUM + w] += term if squared < end else 0.0
    return looked_at * LANES


@inner
def add_bent_rows(scratch, first, last, pixels, ellipse, m, c, end, height, bend):
    """Add a bent Gaussian spot, as `add_gauss_rows` does."""
    m0, m1, m2, m3, m4, m5, m6, m7, m8 = m
    c0, c1, c2 = c
    _, b0, b1, b2 = bend
    looked_at = 0
    for row in range(first, last + 1):
        left, groups = row_range(ellipse, row, pixels)
        looked_at += groups
        s = scratch[row]
        for g in range(groups):
            t = s[left + g * LANES :]
            for w in range(LANES):
                x, y, z = t[DX + w], t[DY + w], t[DZ + w]
                r0 = m0 * x + m1 * y + (m2 * z - c0)
                r1 = m3 * x + m4 * y + (m5 * z - c1)
                r2 = m6 * x + m7 * y + (m8 * z - c2)
                squared = geometry.bent(r0, r1, r2, b0, b1, b2)
                term = p.lattice_intensity_gauss(squared, height)
                t[SUM + w] += term if squared < end else 0.0
    return looked_at * LANES


@inner
def add_tophat_rows(scratch, first, last, pixels, ellipse, m, c, height):
    """Add a spot of constant height, as `add_gauss_rows` does; |M d - c| is its radius."""
    m0, m1, m2, m3, m4, m5, m6, m7, m8 = m
    c0, c1, c2 = c
    looked_at = 0
    for row in range(first, last + 1):
        left, groups = row_range(ellipse, row, pixels)
        looked_at += groups
        s = scratch[row]
        for g in range(groups):
            t = s[left + g * LANES :]
            for w in range(LANES):
                x, y, z = t[DX + w], t[DY + w], t[DZ + w]
                r0 = m0 * x + m1 * y + (m2 * z - c0)
                r1 = m3 * x + m4 * y + (m5 * z - c1)
                r2 = m6 * x + m7 * y + (m8 * z - c2)
                t[SUM + w] += p.lattice_intensity_tophat(r0 * r0 + r1 * r1 + r2 * r2, height)
    return looked_at * LANES


@inner
def add_crowded_rows(scratch, first, last, pixels, ellipse, cell, incident, k0, triangle, end, height, gauss):
    """Add a spot that overlaps its neighbors, to the pixels alone that no other reflection is nearer to.

    `cell` holds a, b, c and the indices of the reflection, `triangle` what makes |M d - c| of offsets in indices.
    """
    ax, ay, az, bx, by, bz, cx, cy, cz, h0, k0_index, l0 = cell
    ix, iy, iz = incident
    xa, xb, xc, yb, yc, zc, stretch = triangle
    looked_at = 0
    for row in range(first, last + 1):
        left, groups = row_range(ellipse, row, pixels)
        looked_at += groups
        s = scratch[row]
        for g in range(groups):
            t = s[left + g * LANES :]
            for w in range(LANES):
                x, y, z = p.scattering_vector(t[DX + w], t[DY + w], t[DZ + w], ix, iy, iz, k0)
                h, k, l = p.dot(ax, ay, az, x, y, z), p.dot(bx, by, bz, x, y, z), p.dot(cx, cy, cz, x, y, z)
                nearest = (
                    (functions.nearest_index(h) == h0)
                    & (functions.nearest_index(k) == k0_index)
                    & (functions.nearest_index(l) == l0)
                )
                squared = p.spot_radius_squared(h - h0, k - k0_index, l - l0, xa, xb, xc, yb, yc, zc, stretch)
                round_term = p.lattice_intensity_gauss(squared, height)
                flat_term = p.lattice_intensity_tophat(squared, height)
                term = round_term if gauss else flat_term
                t[SUM + w] += term if nearest & (squared < end) else 0.0
    return looked_at * LANES


@inner
def draw_spot(q, view, sources, orientations, weights, spot, rows, scratch, slow, fast, pixels, layer, sub):
    """Add one spot to the rows of a tile, for one sub-pixel and layer; return the number of pixels looked at.

    `slow` and `fast` are the tile's first pixel.
    """
    crowded = view[7] != 0.0
    pair = int(spot[PAIR])
    source, orientation = pair // orientations.shape[0], pair % orientations.shape[0]
    k0 = sources[source, 3]
    ix, iy, iz = sources[source, 0], sources[source, 1], sources[source, 2]
    vx, vy, vz, root = spot[VX], spot[VY], spot[VZ], spot[ROOT]
    x, y, z = vx - ix * k0, vy - iy * k0, vz - iz * k0
    m, gain, bend = form_of(q, view, matrix_of(q, orientations[orientation]), k0, x, y, z)
    closer = bend[0]
    vx, vy, vz = vx - closer * x, vy - closer * y, vz - closer * z
    seen, f, s, _, half_s, slope, widest, narrowing = ellipse_of(
        q, view, layer * q.layer_step, k0, vx, vy, vz, x * x + y * y + z * z, m, bend, root
    )
    if not seen:
        return 0
    c0 = m[0] * vx + m[1] * vy + m[2] * vz
    c1 = m[3] * vx + m[4] * vy + m[5] * vz
    c2 = m[6] * vx + m[7] * vy + m[8] * vz
    mk = (m[0] * k0, m[1] * k0, m[2] * k0, m[3] * k0, m[4] * k0, m[5] * k0, m[6] * k0, m[7] * k0, m[8] * k0)
    amplitude = spot[FCELL] * q.spot_height
    height = amplitude * amplitude * gain
    if not q.plain:
        height *= weights[orientation] if q.per_pixel else weights[orientation] * sources[source, 4]
    # Middle of the ellipse in pixels of the tile, as the sub-pixel counts them.
    f -= fast + (sub % q.oversample + 0.5) / q.oversample - 0.5
    s -= slow + (sub // q.oversample + 0.5) / q.oversample - 0.5
    first, last = index_range(s, half_s, 0, rows - 1)
    end = root * root
    ellipse, c = (f, s, slope, widest, narrowing), (c0, c1, c2)
    if crowded:
        a, t = orientations[orientation], q.triangle
        h, k, l = p.dot(a[0], a[1], a[2], x, y, z), p.dot(a[3], a[4], a[5], x, y, z), p.dot(a[6], a[7], a[8], x, y, z)
        h0, k0_index, l0 = functions.nearest_index(h), functions.nearest_index(k), functions.nearest_index(l)
        cell = (a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], h0, k0_index, l0)
        triangle = (t[0], t[1], t[2], t[3], t[4], t[5], q.spot_scale * q.spot_stretch)
        return add_crowded_rows(
            scratch, first, last, pixels, ellipse, cell, (ix, iy, iz), k0, triangle, end, height, q.shape == GAUSS
        )  # fmt: skip
    if bend[1] + bend[3] > 0.0:
        return add_bent_rows(scratch, first, last, pixels, ellipse, mk, c, end, height, bend)
    if q.shape == GAUSS:
        return add_gauss_rows(scratch, first, last, pixels, ellipse, mk, c, end, height)
    return add_tophat_rows(scratch, first, last, pixels, ellipse, mk, c, height)


@inner
def open_source(q, sources, s, n, source, first, unpolarized):
    """Work out what the terms of a source are multiplied by; tell whether some pixel has no polarization yet."""
    if q.per_pixel:
        scatter_strip(q, sources, s, n, source)
    if q.polarized:
        unpolarized = polarize(q, sources, s, n, source, first, unpolarized)
    if q.per_pixel:
        # Where dmin leaves out the whole strip, its gains are 0.
        weigh_strip(q, s, n, sources[source, 4])
        copy(s, PART, n, SUM)
        fill(s, SUM, n, 0.0)
    return unpolarized


@inner
def close_source(s, n):
    """Multiply what a source has added up by its gains, and add what was there before."""
    for w in range(n):
        s[SUM + w] = s[PART + w] + s[GAIN + w] * s[SUM + w]


@inner
def sum_tile(q, view, sources, orientations, weights, spots, order, scratch, rows, n, pixels, slow, fast):
    """Go through the layers, sub-pixels, sources and spots of a tile; return the number of pixels looked at."""
    subs, n_sources, n_orientations = q.oversample * q.oversample, sources.shape[0], orientations.shape[0]
    looked_at = 0
    unpolarized = q.polarized
    for layer in range(q.layers):
        for sub in range(subs):
            for row in range(rows):
                open_place(place_strip, q, scratch[row], n, slow + row, fast, layer, sub)
            first = layer == 0 and sub == 0
            at = 0
            for source in range(n_sources):
                opened = q.per_pixel or unpolarized or q.water_end != 0.0
                if opened:
                    still = False
                    for row in range(rows):
                        unset = open_source(q, sources, scratch[row], n, source, first and source == 0, unpolarized)
                        still = still or unset
                    unpolarized = still
                stop = (source + 1) * n_orientations
                while at < order.shape[0] and spots[order[at], PAIR] < stop:
                    looked_at += draw_spot(
                        q, view, sources, orientations, weights, spots[order[at]], rows, scratch, slow, fast, pixels,
                        layer, sub,
                    )  # fmt: skip
                    at += 1
                if q.per_pixel:
                    for row in range(rows):
                        close_source(scratch[row], n)
            for row in range(rows):
                close_place(q, scratch[row], n, sub)
    return looked_at


@kernel
def draw_tiles(scene, view, spots, order, starts, scratch, sums, image, tallies, first, last, tile_width, begins, ends):
    """Draw the spots of the tiles first to last - 1.

    Parameters
    ----------
    order : int array
        Spots of all tiles, one tile after the other; those of a tile from `starts[tile]` to `starts[tile + 1]`.
    scratch : (TILE_ROWS, SCRATCH)
        A thread's own.
    sums : (rows, columns) of the region
        Sums of the pixels, between one list of spots and the next; (0, 0) when there is one list alone.
    tallies : (tiles, 2)
        Sum of solid angles; number of pixels looked at, which is added to.
    begins, ends : bool
        Whether this is the first list of spots, and the last.
    """
    q = scene.numbers[0]
    mask, sources, orientations = borrowed(scene.mask), borrowed(scene.sources), borrowed(scene.orientations)
    weights = borrowed(scene.weights)
    spots, order, s2 = borrowed(spots), borrowed(order), borrowed(scratch)
    columns, rows_in_all = q.fast_last - q.fast_first + 1, q.slow_last - q.slow_first + 1
    tiles_per_row = (columns - 1) // tile_width + 1
    for tile in range(first, last):
        top, left = tile // tiles_per_row * TILE_ROWS, tile % tiles_per_row * tile_width
        rows, pixels = min(TILE_ROWS, rows_in_all - top), min(tile_width, columns - left)
        n = (pixels + LANES - 1) // LANES * LANES
        slow, fast = q.slow_first + top, q.fast_first + left
        rendered = False
        for row in range(rows):
            active = activate_strip(mask, s2[row], n, pixels, slow + row, fast)
            rendered = rendered or active
            prepare(q, s2[row], n)
            if not begins:
                for w in range(pixels):
                    s2[row, SUM + w] = sums[top + row, left + w]
        if not rendered:
            continue
        tallies[tile, 1] += sum_tile(
            q, view, sources, orientations, weights, spots, order[starts[tile] : starts[tile + 1]], s2, rows, n,
            pixels, slow, fast,
        )  # fmt: skip
        if not ends:
            for row in range(rows):
                for w in range(pixels):
                    sums[top + row, left + w] = s2[row, SUM + w]
            continue
        omega = 0.0
        for row in range(rows):
            store_strip(q, sources.shape[0], mask.shape[0] > 0, s2[row], n, pixels, slow + row, fast, image)
            omega += total_omega(s2[row], n)
        tallies[tile, 0] = omega
