"""The CPU twin: rows of pixels in strips, every inner loop over the strip.

A strip is up to `WIDTH` neighbouring pixels of one row. All values of a strip stand in one scratch array, each
in a row of its own at a constant distance: that is how the compiler sees that a loop reads and writes different
memory and may use vector units. One strip belongs to one task, so that an image is the same for any number of
threads.
"""

import numpy as np

from ..scene import CURVED, FLAT, NEVER
from . import physics as p
from .jit import inner, kernel

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


@inner
def fill(s, row, n, value):
    """Set a row of the scratch array."""
    for w in range(n):
        s[row + w] = value


@inner
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


@inner
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


@inner
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


@inner
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


@inner
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


@inner
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


@inner
def place_strip(scene, s, n, slow, fast, sub_slow, sub_fast, layer):
    """Diffracted direction and distance of one sub-pixel of every pixel of a strip."""
    q = scene.numbers[0]
    sub = q.pixel_size / q.oversample
    along_slow = sub * (slow * q.oversample + sub_slow) + sub / 2.0
    depth = layer * q.layer_step
    fx, fy, fz = q.fast[0], q.fast[1], q.fast[2]
    row_x = along_slow * q.slow[0] + depth * q.normal[0] + q.origin[0]
    row_y = along_slow * q.slow[1] + depth * q.normal[1] + q.origin[1]
    row_z = along_slow * q.slow[2] + depth * q.normal[2] + q.origin[2]
    oversample = q.oversample
    if q.surface == FLAT:
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
            q, along_fast, along_slow, depth, along_fast * fy + row_y, along_fast * fz + row_z
        )
        radius = np.sqrt(x * x + y * y + z * z)
        s[RADIUS + w] = radius
        s[DX + w] = x / radius
        s[DY + w] = y / radius
        s[DZ + w] = z / radius


@inner
def omega_strip(scene, s, n):
    """Solid angle of every pixel at the current sub-pixel."""
    q = scene.numbers[0]
    pixel, close, point = q.pixel_size, q.close_distance, q.point_pixel
    obliquity = q.surface != CURVED
    for w in range(n):
        s[OMEGA + w] = p.solid_angle(s[RADIUS + w], pixel, close, point, obliquity)


@inner
def capture_strip(scene, s, n, layer, always):
    """Captured fraction at the current sub-pixel: where it is still 0, or everywhere."""
    q = scene.numbers[0]
    ox, oy, oz = q.normal[0], q.normal[1], q.normal[2]
    along_ray = q.surface == CURVED
    for w in range(n):
        if always or s[CAPTURE + w] == 0.0:
            parallax = 1.0 if along_ray else s[DX + w] * ox + s[DY + w] * oy + s[DZ + w] * oz
            s[CAPTURE + w] = p.capture_fraction(layer, q.layer_step, q.mu, parallax)


@inner
def scatter_strip(scene, s, n, source):
    """Scattering vectors for one source; GAIN becomes 0 where dmin leaves the sample out, else 1."""
    q = scene.numbers[0]
    ix = scene.sources[source, 0]
    iy = scene.sources[source, 1]
    iz = scene.sources[source, 2]
    inverse_wavelength = scene.sources[source, 3]
    for w in range(n):
        s[QX + w] = (s[DX + w] - ix) * inverse_wavelength
        s[QY + w] = (s[DY + w] - iy) * inverse_wavelength
        s[QZ + w] = (s[DZ + w] - iz) * inverse_wavelength
    dmin = q.dmin
    if dmin > 0.0:
        for w in range(n):
            x = s[QX + w]
            y = s[QY + w]
            z = s[QZ + w]
            s[GAIN + w] = p.passes_dmin(x, y, z, dmin)
    else:
        fill(s, GAIN, n, 1.0)


@inner
def polar_strip(scene, s, n, source, row, always):
    """Polarisation factor for one source: where it is still 0 and the sample counts, or everywhere."""
    q = scene.numbers[0]
    ix = scene.sources[source, 0]
    iy = scene.sources[source, 1]
    iz = scene.sources[source, 2]
    px, py, pz = q.polar_axis[0], q.polar_axis[1], q.polar_axis[2]
    kahn = q.kahn
    for w in range(n):
        factor = p.polarization_factor(kahn, ix, iy, iz, s[DX + w], s[DY + w], s[DZ + w], px, py, pz)
        kept = s[row + w]
        wanted = always or (kept == 0.0 and s[GAIN + w] > 0.0)
        s[row + w] = factor if wanted else kept


@inner
def any_zero(s, row, n):
    """Tell whether a row holds a zero."""
    zeros = 0
    for w in range(n):
        zeros += s[row + w] == 0.0
    return zeros > 0


@inner
def weigh_strip(scene, s, n, weight):
    """Complete GAIN by the factors that multiply each term, and FACTOR by those of the running sum."""
    q = scene.numbers[0]
    if weight != 1.0:
        for w in range(n):
            s[GAIN + w] *= weight
    row = FACTOR if q.compound else GAIN
    if q.compound:
        fill(s, FACTOR, n, 1.0)
    if q.oversample_thick or q.weigh_layers:
        for w in range(n):
            s[row + w] *= s[CAPTURE + w]
    if q.oversample_polar:
        for w in range(n):
            s[row + w] *= s[POLAR + w]
    if q.oversample_omega:
        for w in range(n):
            s[row + w] *= s[OMEGA + w]


@inner
def compound_strip(s, n, skip_empty):
    """Add a term to the running sum and multiply the whole by the factors, as C does."""
    for w in range(n):
        left_out = s[GAIN + w] == 0.0 or (s[AMPLITUDE + w] == 0.0 and skip_empty)
        together = (s[SUM + w] + s[TERM + w]) * s[FACTOR + w]
        s[SUM + w] = s[SUM + w] if left_out else together


@inner
def lattice_strip(scene, s, n, j):
    """Indices and lattice factors of one orientation."""
    q = scene.numbers[0]
    o = scene.orientations
    ax, ay, az = o[j, 0], o[j, 1], o[j, 2]
    bx, by, bz = o[j, 3], o[j, 4], o[j, 5]
    cx, cy, cz = o[j, 6], o[j, 7], o[j, 8]
    Na, Nb, Nc = q.Na, q.Nb, q.Nc
    if q.shape == 0:
        square_strip(s, n, ax, ay, az, bx, by, bz, cx, cy, cz, Na, Nb, Nc)
    elif q.shape == 1:
        round_strip(s, n, ax, ay, az, bx, by, bz, cx, cy, cz, Na, Nb, Nc, q.fudge)
    else:
        tophat = q.shape == 3
        spot_strip(s, n, ax, ay, az, bx, by, bz, cx, cy, cz, q.reciprocal_A, Na * Nb * Nc, q.fudge, tophat)


@inner
def sum_orientations(scene, s, index, n, look_up, first_pixel, first_sample, samples):
    """Add the terms of all phi steps and mosaic domains for one source, or search them for the latch."""
    q = scene.numbers[0]
    h_min, k_min, l_min = float(q.h_min), float(q.k_min), float(q.l_min)
    row = SUM if q.plain else PART
    for j in range(scene.orientations.shape[0]):
        lattice_strip(scene, s, n, j)
        if look_up == SEARCH:
            search_strip(s, n, scene.table, h_min, k_min, l_min, first_sample + j, q.skip_empty)
            continue
        if look_up == CUBIC:
            cubic_strip(s, n, scene.table, h_min, k_min, l_min, first_pixel, first_sample + j, samples, q.latch)
        else:
            nearest_strip(s, index, n, scene.table, h_min, k_min, l_min)
        if q.compound:
            compound_strip(s, n, q.skip_empty)
        else:
            for w in range(n):
                s[row + w] += s[TERM + w]


@inner
def sum_strip(scene, s, index, n, slow, fast, look_up):
    """Run the sum of one strip: layers, sub-pixels, sources, orientations."""
    q = scene.numbers[0]
    orientations, n_sources = scene.orientations.shape[0], scene.sources.shape[0]
    first_pixel = np.int64(slow) * q.n_fast + fast
    samples = np.int64(q.layers) * q.oversample * q.oversample * n_sources * orientations
    fill(s, SUM, n, q.water_start)
    fill(s, OMEGA_SUM, WIDTH, 0.0)
    fill(s, FIRST, n, np.inf)
    fill(s, POLAR, n, 0.0 if q.polarized else 1.0)
    fill(s, WATER_CAPTURE, n, 0.0)
    fill(s, WATER_POLAR, n, 0.0)
    fill(s, WATER_POLAR_FIRST, n, 0.0)
    unpolarized = q.polarized
    sample = np.int64(0)
    for layer in range(q.layers):
        fill(s, CAPTURE, n, 0.0 if q.sensor else 1.0)
        # Without these two only the last layer's capture reaches the picture.
        capture_wanted = q.oversample_thick or q.weigh_layers or layer == q.layers - 1
        for sub in range(q.oversample * q.oversample):
            place_strip(scene, s, n, slow, fast, sub // q.oversample, sub % q.oversample, layer)
            first = layer == 0 and sub == 0
            if first or q.oversample_omega:
                omega_strip(scene, s, n)
            for w in range(n):
                s[OMEGA_SUM + w] += s[OMEGA + w]
            if q.sensor and capture_wanted:
                capture_strip(scene, s, n, layer, q.oversample_thick)
            if q.water_end != 0.0 and q.oversample_thick:
                for w in range(n):
                    s[WATER_CAPTURE + w] += s[CAPTURE + w] / (q.oversample * q.oversample)
            for source in range(n_sources):
                scatter_strip(scene, s, n, source)
                if q.polarized and (unpolarized or q.oversample_polar):
                    polar_strip(scene, s, n, source, POLAR, q.oversample_polar)
                    unpolarized = any_zero(s, POLAR, n)
                if q.water_end != 0.0 and q.polarized:
                    if first and source == 0:
                        polar_strip(scene, s, n, source, WATER_POLAR_FIRST, True)
                    if q.oversample_polar:
                        for w in range(n):
                            s[WATER_POLAR + w] += s[POLAR + w] * scene.sources[source, 4]
                if look_up != SEARCH and not q.plain:
                    weigh_strip(scene, s, n, scene.sources[source, 4])
                    fill(s, PART, n, 0.0)
                sum_orientations(scene, s, index, n, look_up, first_pixel, sample, samples)
                if look_up != SEARCH and not q.plain and not q.compound:
                    for w in range(n):
                        s[SUM + w] += s[GAIN + w] * s[PART + w]
                sample += orientations
        if q.water_end != 0.0 and not q.oversample_thick:
            for w in range(n):
                s[WATER_CAPTURE + w] += s[CAPTURE + w]


@inner
def water_strip(scene, s, n):
    """Put what the water adds to each pixel into TERM [photons]."""
    q = scene.numbers[0]
    places = q.layers * q.oversample * q.oversample
    for w in range(n):
        polar = s[POLAR + w]
        if q.polarized:
            if q.oversample_polar:
                polar = s[WATER_POLAR + w] / (places * scene.sources.shape[0])
            elif polar == 0.0:
                polar = s[WATER_POLAR_FIRST + w]
        s[TERM + w] = q.water_end * s[WATER_CAPTURE + w] * polar * (s[OMEGA_SUM + w] / places)


@inner
def store_strip(scene, s, n, slow, fast, image):
    """Scale the sums by what they have not been multiplied by yet and store them as float32."""
    q = scene.numbers[0]
    capture = not (q.oversample_thick or q.weigh_layers)
    for w in range(n):
        value = q.photons * s[SUM + w]
        value *= s[CAPTURE + w] if capture else 1.0
        value *= 1.0 if q.oversample_polar else s[POLAR + w]
        value *= 1.0 if q.oversample_omega else s[OMEGA + w]
        s[SUM + w] = value
    if q.water_end != 0.0:
        water_strip(scene, s, n)
        for w in range(n):
            s[SUM + w] += s[TERM + w]
    for w in range(n):
        if s[ACTIVE + w] > 0.0:
            image[slow, fast + w] = np.float32(s[SUM + w])


@inner
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


@inner
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


@inner
def strip_place(scene, strip, strips_per_row):
    """Row, first column and width of a strip of the region."""
    q = scene.numbers[0]
    columns = q.fast_last - q.fast_first + 1
    row = strip // strips_per_row
    part = strip % strips_per_row
    start = columns * part // strips_per_row
    stop = columns * (part + 1) // strips_per_row
    return q.slow_first + row, q.fast_first + start, stop - start


@inner
def first_trip(scene, s, n, slow, fast):
    """Ordinal of the first sample of a strip that trips the latch, or NEVER."""
    q = scene.numbers[0]
    per_pixel = np.int64(q.layers) * q.oversample * q.oversample
    per_pixel *= scene.sources.shape[0] * scene.orientations.shape[0]
    for w in range(n):
        if s[FIRST + w] < np.inf:
            return (np.int64(slow) * q.n_fast + fast + w) * per_pixel + np.int64(s[FIRST + w])
    return NEVER


@kernel
def work_on_strips(scene, image, omega, first, last, strips_per_row, search):
    """Render the strips first to last - 1, or search them for the latch.

    `omega` receives each strip's sum of solid angles. Returns the ordinal of the first sample that trips the latch,
    or NEVER.
    """
    q = scene.numbers[0]
    s = np.zeros(SCRATCH)
    index = np.zeros(WIDTH, dtype=np.int32)
    look_up = SEARCH if search else (CUBIC if q.interpolate else NEAREST)
    for strip in range(first, last):
        slow, fast, n = strip_place(scene, strip, strips_per_row)
        if not activate_strip(scene, s, n, slow, fast):
            continue
        sum_strip(scene, s, index, n, slow, fast, look_up)
        if search:
            found = first_trip(scene, s, n, slow, fast)
            if found != NEVER:
                return found
        else:
            store_strip(scene, s, n, slow, fast, image)
            omega[strip] = total_omega(s, n)
    return NEVER


@kernel
def sample_hkl(scene, slow, fast, layer, sub, source, orientation):
    """Fractional indices of a single sample."""
    q = scene.numbers[0]
    s = np.zeros(SCRATCH)
    place_strip(scene, s, 1, slow, fast, sub // q.oversample, sub % q.oversample, layer)
    scatter_strip(scene, s, 1, source)
    lattice_strip(scene, s, 1, orientation)
    return s[H], s[K], s[L]
