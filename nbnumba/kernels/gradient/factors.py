"""Derivatives of what multiplies the samples of a strip: places, solid angle, capture and polarization.

As in the image, one value serves a pixel where no switch asks for more: the rows of a direction are brought up to date
when, and only when, the factor itself is.
"""

from ..cpu.strip import (
    CAPTURE,
    DX,
    DY,
    DZ,
    GAIN,
    INVERSE,
    OMEGA,
    OMEGA_SUM,
    PART,
    POLAR,
    WATER_CAPTURE,
    WATER_POLAR,
    WATER_POLAR_FIRST,
    fill,
)
from ..jit import inner, inner_inlined
from ..physics import sample as p
from ..physics import slopes
from ..scene import CURVED
from .rows import (
    D_CAPTURE,
    D_LOG_DISTANCE,
    D_OMEGA,
    D_OMEGA_SUM,
    D_POLAR,
    D_SUM,
    D_WATER_CAPTURE,
    D_WATER_FIRST,
    D_WATER_POLAR,
    D_X,
    D_Y,
    D_Z,
    DIRECTION,
    DIRECTIONS,
    REST,
    T_X,
    T_Y,
    T_Z,
    TOTAL,
    WANTED,
)


@inner
def empty_directions(tangents, s, n):
    """Begin with derivatives of zero."""
    for number in range(tangents.numbers.shape[0]):
        first = DIRECTIONS + number * DIRECTION
        fill(s, first + D_SUM, n, 0.0)
        if tangents.moving[number]:
            for row in range(first, first + DIRECTION, D_X - D_SUM):
                fill(s, row, n, 0.0)


@inner
def move_strip(q, d, s, n, slow, fast, layer, sub, row):
    """Derivatives of direction and distance of the current sub-pixel; `d` holds those of the scene's numbers."""
    oversample, pixel = q.oversample, q.pixel_fast
    along_slow = p.subpixel_center(slow, sub // oversample, oversample, q.pixel_slow)
    depth, d_depth = layer * q.layer_step, layer * d.layer_step
    # A direction moves places along these, in addition to what is along fast.
    x = d.origin[0] + along_slow * d.slow[0] + depth * d.normal[0] + d_depth * q.normal[0]
    y = d.origin[1] + along_slow * d.slow[1] + depth * d.normal[1] + d_depth * q.normal[1]
    z = d.origin[2] + along_slow * d.slow[2] + depth * d.normal[2] + d_depth * q.normal[2]
    fx, fy, fz = d.fast[0], d.fast[1], d.fast[2]
    # A view: the compiler cannot tell that an index which begins at `row` is never negative.
    t = s[row:]
    sub_fast = sub % oversample
    for w in range(n):
        along_fast = p.subpixel_center(fast + w, sub_fast, oversample, pixel)
        t[D_X + w], t[D_Y + w], t[D_Z + w], t[D_LOG_DISTANCE + w] = slopes.direction_slope(
            s[DX + w],
            s[DY + w],
            s[DZ + w],
            s[INVERSE + w],
            x + along_fast * fx,
            y + along_fast * fy,
            z + along_fast * fz,
        )


@inner
def omega_slope_strip(q, d, s, n, row):
    """Derivative of the solid angle of the current sub-pixel."""
    log_close = d.close_distance / q.close_distance
    point, obliquity = q.point_pixel, q.surface != CURVED
    t = s[row:]
    for w in range(n):
        change = slopes.solid_angle_log_slope(t[D_LOG_DISTANCE + w], log_close, point, obliquity)
        t[D_OMEGA + w] = s[OMEGA + w] * change


@inner
def capture_slope_strip(q, d, s, n, layer, row):
    """Derivative of the captured fraction of a layer at the current sub-pixel."""
    nx, ny, nz = q.normal[0], q.normal[1], q.normal[2]
    mx, my, mz = d.normal[0], d.normal[1], d.normal[2]
    along_ray = q.surface == CURVED
    t = s[row:]
    for w in range(n):
        x, y, z = s[DX + w], s[DY + w], s[DZ + w]
        parallax = 1.0 if along_ray else p.dot(x, y, z, nx, ny, nz)
        change = p.dot(x, y, z, mx, my, mz)
        change += p.dot(t[D_X + w], t[D_Y + w], t[D_Z + w], nx, ny, nz)
        t[D_CAPTURE + w] = slopes.capture_slope(
            layer, q.layer_step, q.mu, parallax, d.layer_step, d.mu, 0.0 if along_ray else change
        )


@inner
def open_place_slopes(q, tangents, s, n, slow, fast, layer, sub):
    """Bring the derivatives of the factors of a sub-pixel up to date, after the factors themselves."""
    first, thick = layer == 0 and sub == 0, q.oversample_thick
    captured = q.sensor and (thick or q.weigh_layers or layer == q.layers - 1)
    for number in range(tangents.numbers.shape[0]):
        if not tangents.moving[number]:
            continue
        d, row = tangents.numbers[number], DIRECTIONS + number * DIRECTION
        t = s[row:]
        move_strip(q, d, s, n, slow, fast, layer, sub, row)
        if first or q.oversample_omega:
            omega_slope_strip(q, d, s, n, row)
        if captured and (thick or sub == 0):
            capture_slope_strip(q, d, s, n, layer, row)
        if q.water_end == 0.0:
            continue
        subs = q.oversample * q.oversample
        for w in range(n):
            t[D_OMEGA_SUM + w] += t[D_OMEGA + w]
        if thick:
            for w in range(n):
                t[D_WATER_CAPTURE + w] += t[D_CAPTURE + w] / subs
        elif sub == subs - 1:
            for w in range(n):
                t[D_WATER_CAPTURE + w] += t[D_CAPTURE + w]


@inner
def note_wanted(q, s, n):
    """Note the pixels whose polarization factor will be that of this source; GAIN is 0 where dmin leaves them out."""
    for w in range(n):
        wanted = q.oversample_polar | ((s[POLAR + w] == 0.0) & (s[GAIN + w] > 0.0))
        s[WANTED + w] = 1.0 if wanted else 0.0


@inner
def polar_slope_strip(q, d, sources, d_sources, s, n, source, row, to, always):
    """Derivative of the polarization factor of a source: everywhere, or in the pixels that are noted."""
    axis, d_axis = (
        (q.polar_axis[0], q.polar_axis[1], q.polar_axis[2]),
        (d.polar_axis[0], d.polar_axis[1], d.polar_axis[2]),
    )
    i = sources[source, 0], sources[source, 1], sources[source, 2]
    d_i = d_sources[source, 0], d_sources[source, 1], d_sources[source, 2]
    t = s[row:]
    for w in range(n):
        if always or s[WANTED + w] != 0.0:
            t[to + w] = slopes.polarization_slope(
                q.kahn, axis, i, (s[DX + w], s[DY + w], s[DZ + w]),
                d.kahn, d_axis, d_i, (t[D_X + w], t[D_Y + w], t[D_Z + w]),
            )  # fmt: skip


@inner
def polarization_slopes(q, tangents, sources, s, n, source, first):
    """Bring the derivatives of the polarization factor up to date for one source, after the factor itself."""
    weight = sources[source, 4]
    for number in range(tangents.numbers.shape[0]):
        if not tangents.moving[number]:
            continue
        d, d_sources, row = tangents.numbers[number], tangents.sources[number], DIRECTIONS + number * DIRECTION
        t = s[row:]
        polar_slope_strip(q, d, sources, d_sources, s, n, source, row, D_POLAR, False)
        if q.water_end != 0.0:
            if first:
                polar_slope_strip(q, d, sources, d_sources, s, n, source, row, D_WATER_FIRST, True)
            for w in range(n):
                t[D_WATER_POLAR + w] += t[D_POLAR + w] * weight


@inner
def close_source_slopes(q, tangents, sources, s, n, source):
    """Add what the moving directions make of one source's samples.

    PART is their sum, and T its derivative by the scattering vector, both multiplied by GAIN already.
    """
    ix, iy, iz, k0 = sources[source, 0], sources[source, 1], sources[source, 2], sources[source, 3]
    thick, polar, omega = q.oversample_thick or q.weigh_layers, q.oversample_polar, q.oversample_omega
    for number in range(tangents.numbers.shape[0]):
        if not tangents.moving[number]:
            continue
        d_source, row = tangents.sources[number, source], DIRECTIONS + number * DIRECTION
        t = s[row:]
        jx, jy, jz, d_k0 = d_source[0], d_source[1], d_source[2], d_source[3]
        for w in range(n):
            x = (t[D_X + w] - jx) * k0 + (s[DX + w] - ix) * d_k0
            y = (t[D_Y + w] - jy) * k0 + (s[DY + w] - iy) * d_k0
            z = (t[D_Z + w] - jz) * k0 + (s[DZ + w] - iz) * d_k0
            t[D_SUM + w] += s[T_X + w] * x + s[T_Y + w] * y + s[T_Z + w] * z
        if thick:
            add_log_slope(s, n, row, D_CAPTURE, CAPTURE)
        if polar:
            add_log_slope(s, n, row, D_POLAR, POLAR)
        if omega:
            add_log_slope(s, n, row, D_OMEGA, OMEGA)
        if d_source[4] != 0.0:
            change = d_source[4] / sources[source, 4]
            for w in range(n):
                t[D_SUM + w] += change * s[PART + w]


@inner_inlined
def add_log_slope(s, n, row, slope, factor):
    """Add the sum of one source times the change of the logarithm of one of its factors."""
    t = s[row:]
    for w in range(n):
        value = s[factor + w]
        t[D_SUM + w] += s[PART + w] * t[slope + w] / value if value != 0.0 else 0.0


@inner
def finish_slopes(q, tangents, s, n, number, n_sources):
    """Complete the derivative of the pixels by one direction: what multiplies the whole sum, and the water."""
    row = DIRECTIONS + number * DIRECTION
    t = s[row:]
    for w in range(n):
        t[D_SUM + w] *= s[REST + w]
    if not tangents.moving[number]:
        return
    with_capture = not (q.oversample_thick or q.weigh_layers)
    with_polar, with_omega = not q.oversample_polar, not q.oversample_omega
    start, photons = q.water_start, q.photons
    for w in range(n):
        capture, polar, omega = s[CAPTURE + w], s[POLAR + w], s[OMEGA + w]
        by_capture = p.switched_product(with_capture, with_polar, with_omega, t[D_CAPTURE + w], polar, omega)
        by_polar = p.switched_product(with_capture, with_polar, with_omega, capture, t[D_POLAR + w], omega)
        by_omega = p.switched_product(with_capture, with_polar, with_omega, capture, polar, t[D_OMEGA + w])
        change = by_capture if with_capture else 0.0
        change += by_polar if with_polar else 0.0
        change += by_omega if with_omega else 0.0
        t[D_SUM + w] += (start + s[TOTAL + w]) * (photons * change)
    if q.water_end != 0.0:
        finish_water_slopes(q, s, n, row, n_sources)


@inner
def finish_water_slopes(q, s, n, row, n_sources):
    """Add the derivative of the water of semantics exact."""
    t = s[row:]
    places = q.layers * q.oversample * q.oversample
    polars = float(places * n_sources)
    for w in range(n):
        capture, omega = s[WATER_CAPTURE + w], s[OMEGA_SUM + w] / places
        polar = p.water_polarization(
            q.polarized, q.oversample_polar, s[POLAR + w], s[WATER_POLAR_FIRST + w], s[WATER_POLAR + w] / polars
        )
        d_polar = t[D_WATER_FIRST + w] if q.polarized and s[POLAR + w] == 0.0 else t[D_POLAR + w]
        d_polar = t[D_WATER_POLAR + w] / polars if q.polarized and q.oversample_polar else d_polar
        d_omega = t[D_OMEGA_SUM + w] / places
        t[D_SUM + w] += q.water_end * (
            t[D_WATER_CAPTURE + w] * polar * omega + capture * (d_polar * omega + polar * d_omega)
        )
