"""The CPU twin: rows of pixels in strips, every inner loop over the strip.

A strip is up to `WIDTH` neighbouring pixels of one row. All values of a strip stand in one scratch array, each
in a row of its own at a constant distance: that is how the compiler sees that a loop reads and writes different
memory and may use vector units. One strip belongs to one task, so that an image is the same for any number of
threads.
"""

import numpy as np
from numba import prange

from ..scene import CURVED, FLAT, NEVER
from . import physics as p
from .jit import kernel, parallel_kernel

WIDTH = 64  # pixels of a strip
LANES = 8  # partial sums of a row

# Rows of the scratch array, as offsets.
_NAMES = (
    "SUM PART TERM H K L AMPLITUDE QX QY QZ DX DY DZ RADIUS OMEGA OMEGA_SUM POLAR CAPTURE GAIN FACTOR ACTIVE FIRST "
    "WATER_CAPTURE WATER_POLAR WATER_POLAR_FIRST LANE"
).split()
(
    SUM,  # the pixel's sum so far
    PART,  # the sum of one source's orientations, before its gain
    TERM,  # F_cell^2 F_latt^2 of one sample
    H,  # fractional indices of one sample
    K,
    L,
    AMPLITUDE,  # lattice factor of one sample
    QX,  # scattering vector [1/m]
    QY,
    QZ,
    DX,  # diffracted unit vector
    DY,
    DZ,
    RADIUS,  # sample to sub-pixel [m]
    OMEGA,  # solid angle in use [sr]
    OMEGA_SUM,  # of all layers and sub-pixels [sr]
    POLAR,  # polarisation factor in use
    CAPTURE,  # captured fraction of the layer in use
    GAIN,  # what a source's terms are multiplied by; 0 where dmin leaves them out
    FACTOR,  # what the running sum is multiplied by after every term
    ACTIVE,  # 1 where the pixel is rendered, else 0
    FIRST,  # number of the first sample out of the interpolation range
    WATER_CAPTURE,
    WATER_POLAR,
    WATER_POLAR_FIRST,
    LANE,
) = (i * WIDTH for i in range(len(_NAMES)))
SCRATCH = len(_NAMES) * WIDTH

NEAREST, CUBIC, SEARCH = 0, 1, 2  # what is done with the indices of a sample


@kernel
def fill(s, row, n, value):
    """Set a row of the scratch array."""
    for w in range(n):
        s[row + w] = value


@kernel
def square_strip(s, n, ax, ay, az, bx, by, bz, cx, cy, cz, Na, Nb, Nc):
    """Indices and lattice factors of a parallelepiped crystal."""
    for w in range(n):
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        h = ax * x + ay * y + az * z
        k = bx * x + by * y + bz * z
        l = cx * x + cy * y + cz * z
        s[H + w] = h
        s[K + w] = k
        s[L + w] = l
        s[AMPLITUDE + w] = p.lattice_factor_square(
            h - p.nearest_index(h), k - p.nearest_index(k), l - p.nearest_index(l), Na, Nb, Nc
        )


@kernel
def round_strip(s, n, ax, ay, az, bx, by, bz, cx, cy, cz, Na, Nb, Nc, fudge):
    """Indices and lattice factors of an ellipsoidal crystal."""
    for w in range(n):
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        h = ax * x + ay * y + az * z
        k = bx * x + by * y + bz * z
        l = cx * x + cy * y + cz * z
        s[H + w] = h
        s[K + w] = k
        s[L + w] = l
        s[AMPLITUDE + w] = p.lattice_factor_round(
            h - p.nearest_index(h), k - p.nearest_index(k), l - p.nearest_index(l), Na, Nb, Nc, fudge
        )


@kernel
def spot_strip(s, n, ax, ay, az, bx, by, bz, cx, cy, cz, stars, cells, fudge, tophat):
    """Indices and lattice factors of Gaussian or top-hat spots."""
    ux, uy, uz = stars[0], stars[1], stars[2]
    vx, vy, vz = stars[3], stars[4], stars[5]
    wx, wy, wz = stars[6], stars[7], stars[8]
    for w in range(n):
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        h = ax * x + ay * y + az * z
        k = bx * x + by * y + bz * z
        l = cx * x + cy * y + cz * z
        s[H + w] = h
        s[K + w] = k
        s[L + w] = l
        s[TERM + w] = p.spot_radius_squared(
            h - p.nearest_index(h), k - p.nearest_index(k), l - p.nearest_index(l),
            ux, uy, uz, vx, vy, vz, wx, wy, wz, cells,
        )  # fmt: skip
    if tophat:
        for w in range(n):
            s[AMPLITUDE + w] = p.lattice_factor_tophat(s[TERM + w], cells, fudge)
    else:
        for w in range(n):
            s[AMPLITUDE + w] = p.lattice_factor_gauss(s[TERM + w], cells, fudge)


@kernel
def nearest_strip(s, index, n, table, h_min, k_min, l_min):
    """Terms of one sample with the structure factor of the nearest reflection."""
    nh, nk, nl = table.shape
    flat = table.reshape(nh * nk * nl)
    for w in range(n):
        i = p.padded_index(s[H + w], h_min, nh)
        j = p.padded_index(s[K + w], k_min, nk)
        m = p.padded_index(s[L + w], l_min, nl)
        index[w] = np.int32((i * nk + j) * nl + m)
    for w in range(n):
        amplitude = flat[index[w]] * s[AMPLITUDE + w]
        s[TERM + w] = amplitude * amplitude


@kernel
def cubic_strip(s, n, table, h_min, k_min, l_min, first_pixel, sample, samples, latch):
    """Terms of one sample with tricubic interpolation where the table reaches and the latch allows."""
    nh, nk, nl = table.shape
    for w in range(n):
        h = s[H + w]
        k = s[K + w]
        l = s[L + w]
        inside = p.cubic_fits(h, h_min, nh) and p.cubic_fits(k, k_min, nk) and p.cubic_fits(l, l_min, nl)
        if inside and (first_pixel + w) * samples + sample < latch:
            f = p.cubic_interpolation(h, k, l, table, h_min, k_min, l_min)
        else:
            f = table[
                int(p.padded_index(h, h_min, nh)), int(p.padded_index(k, k_min, nk)), int(p.padded_index(l, l_min, nl))
            ]
        amplitude = f * s[AMPLITUDE + w]
        s[TERM + w] = amplitude * amplitude


@kernel
def search_strip(s, n, table, h_min, k_min, l_min, sample, skip_empty):
    """Note the first sample of each pixel that trips the interpolation latch."""
    nh, nk, nl = table.shape
    for w in range(n):
        trips = (
            p.trips_latch(s[H + w], h_min, nh)
            or p.trips_latch(s[K + w], k_min, nk)
            or p.trips_latch(s[L + w], l_min, nl)
        )
        counted = s[GAIN + w] > 0.0 and s[ACTIVE + w] > 0.0 and (s[AMPLITUDE + w] != 0.0 or not skip_empty)
        if trips and counted and sample < s[FIRST + w]:
            s[FIRST + w] = sample


@kernel
def place_strip(scene, s, n, slow, fast, sub_slow, sub_fast, layer):
    """Diffracted direction and distance of one sub-pixel of every pixel of a strip."""
    sub = scene.pixel_size / scene.oversample
    along_slow = sub * (slow * scene.oversample + sub_slow) + sub / 2.0
    depth = layer * scene.layer_step
    fx, fy, fz = scene.fast[0], scene.fast[1], scene.fast[2]
    row_x = along_slow * scene.slow[0] + depth * scene.normal[0] + scene.origin[0]
    row_y = along_slow * scene.slow[1] + depth * scene.normal[1] + scene.origin[1]
    row_z = along_slow * scene.slow[2] + depth * scene.normal[2] + scene.origin[2]
    oversample = scene.oversample
    if scene.surface == FLAT:
        for w in range(n):
            along_fast = sub * ((fast + w) * oversample + sub_fast) + sub / 2.0
            x = along_fast * fx + row_x
            y = along_fast * fy + row_y
            z = along_fast * fz + row_z
            radius = np.sqrt(x * x + y * y + z * z)
            inverse = 1.0 / radius
            s[RADIUS + w] = radius
            s[DX + w] = x * inverse
            s[DY + w] = y * inverse
            s[DZ + w] = z * inverse
        return
    for w in range(n):
        along_fast = sub * ((fast + w) * oversample + sub_fast) + sub / 2.0
        x, y, z = p.curved_position(
            scene, along_fast, along_slow, depth, along_fast * fy + row_y, along_fast * fz + row_z
        )
        radius = np.sqrt(x * x + y * y + z * z)
        s[RADIUS + w] = radius
        s[DX + w] = x / radius
        s[DY + w] = y / radius
        s[DZ + w] = z / radius


@kernel
def omega_strip(scene, s, n):
    """Solid angle of every pixel at the current sub-pixel."""
    pixel, close, point = scene.pixel_size, scene.close_distance, scene.point_pixel
    obliquity = scene.surface != CURVED
    for w in range(n):
        s[OMEGA + w] = p.solid_angle(s[RADIUS + w], pixel, close, point, obliquity)


@kernel
def capture_strip(scene, s, n, layer, always):
    """Captured fraction at the current sub-pixel: where it is still 0, or everywhere."""
    ox, oy, oz = scene.normal[0], scene.normal[1], scene.normal[2]
    along_ray = scene.surface == CURVED
    for w in range(n):
        if always or s[CAPTURE + w] == 0.0:
            parallax = 1.0 if along_ray else s[DX + w] * ox + s[DY + w] * oy + s[DZ + w] * oz
            s[CAPTURE + w] = p.capture_fraction(layer, scene.layer_step, scene.mu, parallax)


@kernel
def scatter_strip(scene, s, n, source):
    """Scattering vectors for one source; GAIN becomes 0 where dmin leaves the sample out, else 1."""
    ix = scene.sources[source, 0]
    iy = scene.sources[source, 1]
    iz = scene.sources[source, 2]
    inverse_wavelength = scene.sources[source, 3]
    for w in range(n):
        s[QX + w] = (s[DX + w] - ix) * inverse_wavelength
        s[QY + w] = (s[DY + w] - iy) * inverse_wavelength
        s[QZ + w] = (s[DZ + w] - iz) * inverse_wavelength
    dmin = scene.dmin
    if dmin > 0.0:
        for w in range(n):
            x = s[QX + w]
            y = s[QY + w]
            z = s[QZ + w]
            s[GAIN + w] = p.passes_dmin(x, y, z, dmin)
    else:
        fill(s, GAIN, n, 1.0)


@kernel
def polar_strip(scene, s, n, source, row, always):
    """Polarisation factor for one source: where it is still 0 and the sample counts, or everywhere."""
    ix = scene.sources[source, 0]
    iy = scene.sources[source, 1]
    iz = scene.sources[source, 2]
    px, py, pz = scene.polar_axis[0], scene.polar_axis[1], scene.polar_axis[2]
    kahn = scene.kahn
    for w in range(n):
        factor = p.polarization_factor(kahn, ix, iy, iz, s[DX + w], s[DY + w], s[DZ + w], px, py, pz)
        kept = s[row + w]
        wanted = always or (kept == 0.0 and s[GAIN + w] > 0.0)
        s[row + w] = factor if wanted else kept


@kernel
def any_zero(s, row, n):
    """Tell whether a row holds a zero."""
    zeros = 0
    for w in range(n):
        zeros += s[row + w] == 0.0
    return zeros > 0


@kernel
def weigh_strip(scene, s, n, weight):
    """Complete GAIN by the factors that multiply each term, and FACTOR by those of the running sum."""
    if weight != 1.0:
        for w in range(n):
            s[GAIN + w] *= weight
    row = FACTOR if scene.compound else GAIN
    if scene.compound:
        fill(s, FACTOR, n, 1.0)
    if scene.oversample_thick or scene.weigh_layers:
        for w in range(n):
            s[row + w] *= s[CAPTURE + w]
    if scene.oversample_polar:
        for w in range(n):
            s[row + w] *= s[POLAR + w]
    if scene.oversample_omega:
        for w in range(n):
            s[row + w] *= s[OMEGA + w]


@kernel
def compound_strip(s, n, skip_empty):
    """Add a term to the running sum and multiply the whole by the factors, as C does."""
    for w in range(n):
        left_out = s[GAIN + w] == 0.0 or (s[AMPLITUDE + w] == 0.0 and skip_empty)
        together = (s[SUM + w] + s[TERM + w]) * s[FACTOR + w]
        s[SUM + w] = s[SUM + w] if left_out else together


@kernel
def lattice_strip(scene, s, n, j):
    """Indices and lattice factors of one orientation."""
    o = scene.orientations
    ax, ay, az = o[j, 0], o[j, 1], o[j, 2]
    bx, by, bz = o[j, 3], o[j, 4], o[j, 5]
    cx, cy, cz = o[j, 6], o[j, 7], o[j, 8]
    Na, Nb, Nc = scene.Na, scene.Nb, scene.Nc
    if scene.shape == 0:
        square_strip(s, n, ax, ay, az, bx, by, bz, cx, cy, cz, Na, Nb, Nc)
    elif scene.shape == 1:
        round_strip(s, n, ax, ay, az, bx, by, bz, cx, cy, cz, Na, Nb, Nc, scene.fudge)
    else:
        tophat = scene.shape == 3
        spot_strip(s, n, ax, ay, az, bx, by, bz, cx, cy, cz, scene.reciprocal_A, Na * Nb * Nc, scene.fudge, tophat)


@kernel
def sum_orientations(scene, s, index, n, look_up, first_pixel, first_sample, samples):
    """Add the terms of all phi steps and mosaic domains for one source, or search them for the latch."""
    h_min, k_min, l_min = float(scene.h_min), float(scene.k_min), float(scene.l_min)
    row = SUM if scene.plain else PART
    for j in range(scene.orientations.shape[0]):
        lattice_strip(scene, s, n, j)
        if look_up == SEARCH:
            search_strip(s, n, scene.table, h_min, k_min, l_min, first_sample + j, scene.skip_empty)
            continue
        if look_up == CUBIC:
            cubic_strip(s, n, scene.table, h_min, k_min, l_min, first_pixel, first_sample + j, samples, scene.latch)
        else:
            nearest_strip(s, index, n, scene.table, h_min, k_min, l_min)
        if scene.compound:
            compound_strip(s, n, scene.skip_empty)
        else:
            for w in range(n):
                s[row + w] += s[TERM + w]


@kernel
def sum_strip(scene, s, index, n, slow, fast, look_up):
    """Run the sum of one strip: layers, sub-pixels, sources, orientations."""
    orientations, n_sources = scene.orientations.shape[0], scene.sources.shape[0]
    first_pixel = np.int64(slow) * scene.n_fast + fast
    samples = np.int64(scene.layers) * scene.oversample * scene.oversample * n_sources * orientations
    fill(s, SUM, n, scene.water_start)
    fill(s, OMEGA_SUM, WIDTH, 0.0)
    fill(s, FIRST, n, np.inf)
    fill(s, POLAR, n, 0.0 if scene.polarized else 1.0)
    fill(s, WATER_CAPTURE, n, 0.0)
    fill(s, WATER_POLAR, n, 0.0)
    fill(s, WATER_POLAR_FIRST, n, 0.0)
    unpolarized = scene.polarized
    sample = np.int64(0)
    for layer in range(scene.layers):
        fill(s, CAPTURE, n, 0.0 if scene.sensor else 1.0)
        # Without these two only the last layer's capture reaches the picture.
        capture_wanted = scene.oversample_thick or scene.weigh_layers or layer == scene.layers - 1
        for sub in range(scene.oversample * scene.oversample):
            place_strip(scene, s, n, slow, fast, sub // scene.oversample, sub % scene.oversample, layer)
            first = layer == 0 and sub == 0
            if first or scene.oversample_omega:
                omega_strip(scene, s, n)
            for w in range(n):
                s[OMEGA_SUM + w] += s[OMEGA + w]
            if scene.sensor and capture_wanted:
                capture_strip(scene, s, n, layer, scene.oversample_thick)
            if scene.water_end != 0.0 and scene.oversample_thick:
                for w in range(n):
                    s[WATER_CAPTURE + w] += s[CAPTURE + w] / (scene.oversample * scene.oversample)
            for source in range(n_sources):
                scatter_strip(scene, s, n, source)
                if scene.polarized and (unpolarized or scene.oversample_polar):
                    polar_strip(scene, s, n, source, POLAR, scene.oversample_polar)
                    unpolarized = any_zero(s, POLAR, n)
                if scene.water_end != 0.0 and scene.polarized:
                    if first and source == 0:
                        polar_strip(scene, s, n, source, WATER_POLAR_FIRST, True)
                    if scene.oversample_polar:
                        for w in range(n):
                            s[WATER_POLAR + w] += s[POLAR + w] * scene.sources[source, 4]
                if look_up != SEARCH and not scene.plain:
                    weigh_strip(scene, s, n, scene.sources[source, 4])
                    fill(s, PART, n, 0.0)
                sum_orientations(scene, s, index, n, look_up, first_pixel, sample, samples)
                if look_up != SEARCH and not scene.plain and not scene.compound:
                    for w in range(n):
                        s[SUM + w] += s[GAIN + w] * s[PART + w]
                sample += orientations
        if scene.water_end != 0.0 and not scene.oversample_thick:
            for w in range(n):
                s[WATER_CAPTURE + w] += s[CAPTURE + w]


@kernel
def water_strip(scene, s, n):
    """Put what the water adds to each pixel into TERM [photons]."""
    places = scene.layers * scene.oversample * scene.oversample
    for w in range(n):
        polar = s[POLAR + w]
        if scene.polarized:
            if scene.oversample_polar:
                polar = s[WATER_POLAR + w] / (places * scene.sources.shape[0])
            elif polar == 0.0:
                polar = s[WATER_POLAR_FIRST + w]
        s[TERM + w] = scene.water_end * s[WATER_CAPTURE + w] * polar * (s[OMEGA_SUM + w] / places)


@kernel
def store_strip(scene, s, n, slow, fast, image):
    """Scale the sums by what they have not been multiplied by yet and store them as float32."""
    capture = not (scene.oversample_thick or scene.weigh_layers)
    for w in range(n):
        value = scene.photons * s[SUM + w]
        value *= s[CAPTURE + w] if capture else 1.0
        value *= 1.0 if scene.oversample_polar else s[POLAR + w]
        value *= 1.0 if scene.oversample_omega else s[OMEGA + w]
        s[SUM + w] = value
    if scene.water_end != 0.0:
        water_strip(scene, s, n)
        for w in range(n):
            s[SUM + w] += s[TERM + w]
    for w in range(n):
        if s[ACTIVE + w] > 0.0:
            image[slow, fast + w] = np.float32(s[SUM + w])


@kernel
def total_omega(s, n):
    """Sum OMEGA_SUM over the rendered pixels of a strip."""
    for w in range(n):
        s[OMEGA_SUM + w] *= s[ACTIVE + w]
    fill(s, LANE, LANES, 0.0)
    for start in range(0, WIDTH, LANES):
        for lane in range(LANES):
            s[LANE + lane] += s[OMEGA_SUM + start + lane]
    total = 0.0
    for lane in range(LANES):
        total += s[LANE + lane]
    return total


@kernel
def activate_strip(scene, s, n, slow, fast):
    """Mark the pixels of a strip that the mask lets through; tell whether there is any."""
    if scene.mask.shape[0] == 0:
        fill(s, ACTIVE, n, 1.0)
        return True
    active = 0
    for w in range(n):
        on = scene.mask[slow, fast + w] != 0
        s[ACTIVE + w] = 1.0 if on else 0.0
        active += on
    return active > 0


@kernel
def strip_place(scene, strip, strips_per_row):
    """Row, first column and width of a strip of the region."""
    columns = scene.fast_last - scene.fast_first + 1
    row = strip // strips_per_row
    part = strip % strips_per_row
    start = columns * part // strips_per_row
    stop = columns * (part + 1) // strips_per_row
    return scene.slow_first + row, scene.fast_first + start, stop - start


@kernel
def first_trip(scene, s, n, slow, fast):
    """Ordinal of the first sample of a strip that trips the latch, or NEVER."""
    per_pixel = np.int64(scene.layers) * scene.oversample * scene.oversample
    per_pixel *= scene.sources.shape[0] * scene.orientations.shape[0]
    for w in range(n):
        if s[FIRST + w] < np.inf:
            return (np.int64(slow) * scene.n_fast + fast + w) * per_pixel + np.int64(s[FIRST + w])
    return NEVER


@kernel
def render_group(scene, image, omega, first, last, strips_per_row):
    """Render the strips first to last - 1; `omega` receives each strip's sum of solid angles."""
    s = np.zeros(SCRATCH)
    index = np.zeros(WIDTH, dtype=np.int32)
    look_up = CUBIC if scene.interpolate else NEAREST
    for strip in range(first, last):
        slow, fast, n = strip_place(scene, strip, strips_per_row)
        omega[strip] = 0.0
        if activate_strip(scene, s, n, slow, fast):
            sum_strip(scene, s, index, n, slow, fast, look_up)
            store_strip(scene, s, n, slow, fast, image)
            omega[strip] = total_omega(s, n)


@kernel
def search_group(scene, first, last, strips_per_row):
    """Ordinal of the first sample that trips the latch in the strips first to last - 1, or NEVER."""
    s = np.zeros(SCRATCH)
    index = np.zeros(WIDTH, dtype=np.int32)
    for strip in range(first, last):
        slow, fast, n = strip_place(scene, strip, strips_per_row)
        if activate_strip(scene, s, n, slow, fast):
            sum_strip(scene, s, index, n, slow, fast, SEARCH)
            found = first_trip(scene, s, n, slow, fast)
            if found != NEVER:
                return found
    return NEVER


@parallel_kernel
def render_strips(scene, image, omega, first, last, strips_per_row, group):
    """Render the strips first to last - 1 of the region, `group` of them a task."""
    for task in prange((last - first + group - 1) // group):
        start = first + task * group
        render_group(scene, image, omega, start, min(start + group, last), strips_per_row)


@parallel_kernel
def search_strips(scene, found, first, last, strips_per_row, group):
    """Search the strips for the latch; `found` receives one ordinal a task."""
    for task in prange((last - first + group - 1) // group):
        start = first + task * group
        found[task] = search_group(scene, start, min(start + group, last), strips_per_row)


@kernel
def sample_hkl(scene, slow, fast, layer, sub, source, orientation):
    """Fractional indices of a single sample."""
    s = np.zeros(SCRATCH)
    place_strip(scene, s, 1, slow, fast, sub // scene.oversample, sub % scene.oversample, layer)
    scatter_strip(scene, s, 1, source)
    lattice_strip(scene, s, 1, orientation)
    return s[H], s[K], s[L]
