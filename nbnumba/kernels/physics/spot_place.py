"""Where a compact spot falls on a panel; see `spot` for what it is."""

import math

from ..jit import physics
from ..scene import FLAT
from . import sample
from .intrinsics import round_even

_GRAZING = 0.05  # cosine of the angle to the panel's normal below which a ray may meet any pixel
_LARGE = 0.25  # size of a spot over its distance from the sample beyond which the panel's plane is no approximation
_MARGIN = 1e-5  # pixels; for rounding
_ROUNDING = 1e-6  # of the squared distance at which a spot ends
_EVERYWHERE = 1e9  # pixels


@physics
def cone_cosine(k0, v, rho):
    """Cosine of the half-angle of the cone about v outside which no k0 d comes within rho of v; 2 if none does.

    From the triangle of sides k0, v and rho.
    """
    cosine = (k0 * k0 + v * v - rho * rho) / (2.0 * k0 * v)
    return 2.0 if abs(k0 - v) > rho else max(cosine, -1.0)


@physics
def misses_sphere(k0, vx, vy, vz, v, cos_theta, m, root):
    """Tell whether no unit vector d has an |M (k0 d - v)| below `root`.

    Parameters
    ----------
    k0, vx, vy, vz, v : float [1/m]
        1/wavelength, v and its length.
    cos_theta : float
        Of the half-angle of the cone about v that holds all such d.
    m, root
        As of `spot_ellipse`.

    Notes
    -----
    In the plane that touches the sphere where v meets it, |M y| is at the least |k0 - v| / |M^-T x| for the unit vector
    x along v. A d at the angle t from x is k0 M x (1 - cos t) off that plane. M^-T is the matrix of cofactors over the
    determinant.
    """
    x, y, z = vx / v, vy / v, vz / v
    a, b, c, d, e, f, g, h, i = m
    c0, c1, c2 = e * i - f * h, f * g - d * i, d * h - e * g
    determinant = a * c0 + b * c1 + c * c2
    n0 = c0 * x + c1 * y + c2 * z
    n1 = (c * h - b * i) * x + (a * i - c * g) * y + (b * g - a * h) * z
    n2 = (b * f - c * e) * x + (c * d - a * f) * y + (a * e - b * d) * z
    r0, r1, r2 = a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z
    end = root + k0 * (1.0 - cos_theta) * math.sqrt(r0 * r0 + r1 * r1 + r2 * r2)
    off = (k0 - v) * determinant
    return off * off > end * end * (n0 * n0 + n1 * n1 + n2 * n2) * (1.0 + _ROUNDING)


@physics
def place_on_flat(q, depth, x, y, z, cos_theta, sin_theta):
    """Where a flat panel is met by a direction, and how directions change around that place.

    Parameters
    ----------
    q : record
        Numbers of the scene.
    depth : float [m]
        Of the layer.
    x, y, z : float
        Unit vector.
    cos_theta, sin_theta : float
        Of the half-angle of the cone around it that counts.

    Returns
    -------
    usable : bool
        False where any pixel may see the cone.
    fast, slow : float [pixels]
        The place; the middle of a pixel has whole coordinates.
    w : float
        Bound of the distance of what the cone meets from the place, as a measure that `longer` gives.
    wide, high : float [pixels]
        Halves of the axes of an ellipse around that.
    longer : float
        A place that is dx pixels off along fast, and dy along slow, is at most this times
        sqrt(dx^2 + (aspect dy)^2) off; aspect is that of a pixel's edges.
    u, t : (x, y, z)
        Change of the unit vector from one pixel to the next along fast, and along slow. The unit vector is linear but
        for less than the square of the distance from the place, where that is below 1/4.
    """
    fx, fy, fz = q.fast[0], q.fast[1], q.fast[2]
    sx, sy, sz = q.slow[0], q.slow[1], q.slow[2]
    # The edges of a panel need not be perpendicular, nor the direction into the sensor.
    skew = fx * sx + fy * sy + fz * sz
    across = 1.0 / (1.0 - skew * skew)
    scale = math.sqrt(across)
    nx, ny, nz = (fy * sz - fz * sy) * scale, (fz * sx - fx * sz) * scale, (fx * sy - fy * sx) * scale
    ox = q.origin[0] + depth * q.normal[0]
    oy = q.origin[1] + depth * q.normal[1]
    oz = q.origin[2] + depth * q.normal[2]
    distance = ox * nx + oy * ny + oz * nz
    cos_psi = x * nx + y * ny + z * nz
    if distance < 0.0:
        distance, cos_psi = -distance, -cos_psi
    sin_psi = math.sqrt(max(0.0, 1.0 - cos_psi * cos_psi))
    outermost = cos_psi * cos_theta - sin_psi * sin_theta
    if outermost < _GRAZING or cos_psi < _GRAZING or cos_theta < _GRAZING:
        return False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    length = distance / cos_psi
    px, py, pz = length * x - ox, length * y - oy, length * z - oz
    along_f, along_s = px * fx + py * fy + pz * fz, px * sx + py * sy + pz * sz
    fast = (along_f - skew * along_s) * (across / q.pixel_fast) - 0.5
    slow = (along_s - skew * along_f) * (across / q.pixel_slow) - 0.5
    w = sin_theta / outermost
    per_fast, per_slow = q.pixel_fast / length, q.pixel_slow / length
    along_f, along_s = x * fx + y * fy + z * fz, x * sx + y * sy + z * sz
    u = (fx - along_f * x) * per_fast, (fy - along_f * y) * per_fast, (fz - along_f * z) * per_fast
    t = (sx - along_s * x) * per_slow, (sy - along_s * y) * per_slow, (sz - along_s * z) * per_slow
    longer = math.sqrt(1.0 + abs(skew)) * per_fast
    return True, fast, slow, w, w / per_fast * scale, w / per_slow * scale, longer, u, t


@physics
def bend_branch(q):
    """Constants of f d = apart + radius sin(sign (turn + start)), the component along fast of a curved detector.

    Returns
    -------
    apart, radius, start, sign : float
        For the turn about slow; of the two turns with the same component it is the one on the side of no turn, where
        |turn + start| is below a quarter turn.
    """
    fx, fy, fz = q.fast[0], q.fast[1], q.fast[2]
    sx, sy, sz = q.slow[0], q.slow[1], q.slow[2]
    bx, by, bz = q.beam[0], q.beam[1], q.beam[2]
    skew, along_s = fx * sx + fy * sy + fz * sz, bx * sx + by * sy + bz * sz
    apart = along_s * skew
    by_cosine = fx * bx + fy * by + fz * bz - apart
    by_sine = fx * (sy * bz - sz * by) + fy * (sz * bx - sx * bz) + fz * (sx * by - sy * bx)
    sign = 1.0 if by_sine >= 0.0 else -1.0
    radius = math.sqrt(by_cosine * by_cosine + by_sine * by_sine)
    return apart, radius, math.atan2(sign * by_cosine, sign * by_sine), sign


@physics
def bend_map(q, depth):
    """Turns of a curved detector's corner, and by how much they grow with a meter along fast and along slow [rad].

    Returns
    -------
    corner, along_fast, along_slow : (about slow, about fast)
    """
    fy, fz, sy, sz, oy, oz = q.fast[1], q.fast[2], q.slow[1], q.slow[2], q.origin[1], q.origin[2]
    oy, oz = oy + depth * q.normal[1], oz + depth * q.normal[2]
    u0, v0 = sample.bend_angles(q, 0.0, 0.0, oy, oz)
    u1, v1 = sample.bend_angles(q, 1.0, 0.0, oy + fy, oz + fz)
    u2, v2 = sample.bend_angles(q, 0.0, 1.0, oy + sy, oz + sz)
    return (u0, v0), (u1 - u0, v1 - v0), (u2 - u0, v2 - v0)


@physics
def place_on_curved(q, depth, x, y, z, cos_theta, sin_theta):
    """Where a detector that is bent around the sample is met by a direction; see `place_on_flat`.

    Notes
    -----
    d = R_fast(v) R_slow(u) b for the beam b and turns u, v that are linear in the place. Distances are those of (u, v).
    No second derivative of d is longer than 1. The determinant of its first ones is radius cos(u + start), which bounds
    how far the turns can be apart where directions are not.
    """
    fx, fy, fz = q.fast[0], q.fast[1], q.fast[2]
    sx, sy, sz = q.slow[0], q.slow[1], q.slow[2]
    apart, radius, start, sign = bend_branch(q)
    along_f = x * fx + y * fy + z * fz
    sine, chord = along_f - apart, math.sqrt(max(0.0, 2.0 - 2.0 * cos_theta))
    left = radius * radius - (abs(sine) + chord) * (abs(sine) + chord)
    if cos_theta < _GRAZING or abs(sine) + chord > radius or left < _GRAZING * _GRAZING:
        return False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    w = math.sqrt(2.0 / left) * math.atan2(sin_theta, cos_theta)
    turn = sign * math.asin(sine / radius) - start
    mx, my, mz = sample.rotate_about(q.beam[0], q.beam[1], q.beam[2], sx, sy, sz, turn)
    # From m to d about fast.
    along_m = mx * fx + my * fy + mz * fz
    across = fx * (my * z - mz * y) + fy * (mz * x - mx * z) + fz * (mx * y - my * x)
    second = math.atan2(across, mx * x + my * y + mz * z - along_m * along_f)
    (u0, v0), (u1, v1), (u2, v2) = bend_map(q, depth)
    # Of the angles that are whole turns apart, the one nearest to the middle of the region.
    middle = v0 + 0.5 * (
        v1 * q.pixel_fast * (q.fast_first + q.fast_last + 1) + v2 * q.pixel_slow * (q.slow_first + q.slow_last + 1)
    )
    second += 2.0 * math.pi * round_even((middle - second) / (2.0 * math.pi))
    determinant = u1 * v2 - u2 * v1
    fast = ((turn - u0) * v2 - (second - v0) * u2) / (determinant * q.pixel_fast) - 0.5
    slow = ((second - v0) * u1 - (turn - u0) * v1) / (determinant * q.pixel_slow) - 0.5
    skew = fx * sx + fy * sy + fz * sz
    largest = math.sqrt(1.0 + abs(skew)) / abs(q.distance)  # of the matrix (u1 u2, v1 v2), whose inverse has this over
    inverse = largest / abs(determinant)  # the determinant
    # Derivatives of d by the turns, then by pixels.
    hx, hy, hz = sample.rotate_about(sy * mz - sz * my, sz * mx - sx * mz, sx * my - sy * mx, fx, fy, fz, second)
    gx, gy, gz = fy * z - fz * y, fz * x - fx * z, fx * y - fy * x
    pf, ps = q.pixel_fast, q.pixel_slow
    u = (u1 * hx + v1 * gx) * pf, (u1 * hy + v1 * gy) * pf, (u1 * hz + v1 * gz) * pf
    t = (u2 * hx + v2 * gx) * ps, (u2 * hy + v2 * gy) * ps, (u2 * hz + v2 * gz) * ps
    return True, fast, slow, w, w * inverse / pf, w * inverse / ps, largest * pf, u, t


@physics
def spot_ellipse(q, depth, k0, vx, vy, vz, m, root, rho, largest):
    """Ellipse on the panel outside which no pixel sees a spot.

    Parameters
    ----------
    q : record
        Numbers of the scene.
    depth : float [m]
        Of the layer.
    k0, vx, vy, vz : float [1/m]
    m : tuple of 9
        M, row by row.
    root : float
        The spot ends where |M (k0 d - v)| is this.
    rho : float [1/m]
        The longest offset that M takes to `root`.
    largest : float
        The factor by which M stretches at the most.

    Returns
    -------
    seen : bool
    fast, slow : float [pixels]
        Its middle; the middle of a pixel has whole coordinates.
    half_fast, half_slow : float [pixels]
        Half the sides of the rectangle around it.
    slope, widest, narrowing : float
        A row that is y off the middle is met from x - h to x + h, x = fast - slope y, h^2 = widest - narrowing y^2.

    Notes
    -----
    The unit vector d is linear in the place on the panel but for less than w^2, for a place within w < 1/4 of where v
    meets the panel (`place_on_flat`): `root` is enlarged by what that amounts to. The ellipse which that gives is
    smaller than the cone it started with, so the allowance is worked out once more.
    """
    v = math.sqrt(vx * vx + vy * vy + vz * vz)
    cos_theta = cone_cosine(k0, v, rho)
    nothing = (False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    if cos_theta > 1.0:
        return nothing
    x, y, z = vx / v, vy / v, vz / v
    sin_theta = math.sqrt(max(0.0, 1.0 - cos_theta * cos_theta))
    if q.surface == FLAT:
        place = place_on_flat(q, depth, x, y, z, cos_theta, sin_theta)
    else:
        place = place_on_curved(q, depth, x, y, z, cos_theta, sin_theta)
    usable, fast, slow, w, wide, high, longer, (ux, uy, uz), (wx, wy, wz) = place
    if not usable:
        return True, 0.0, 0.0, _EVERYWHERE, _EVERYWHERE, 0.0, _EVERYWHERE * _EVERYWHERE, 0.0
    wide, high = wide + _MARGIN, high + _MARGIN
    around = (True, fast, slow, wide, high, 0.0, wide * wide, (wide / high) * (wide / high))
    if w > _LARGE:
        return around
    aspect = q.pixel_slow / q.pixel_fast
    ux, uy, uz, wx, wy, wz = ux * k0, uy * k0, uz * k0, wx * k0, wy * k0, wz * k0
    u0, u1, u2 = (
        m[0] * ux + m[1] * uy + m[2] * uz, m[3] * ux + m[4] * uy + m[5] * uz, m[6] * ux + m[7] * uy + m[8] * uz,
    )  # fmt: skip
    w0, w1, w2 = (
        m[0] * wx + m[1] * wy + m[2] * wz, m[3] * wx + m[4] * wy + m[5] * wz, m[6] * wx + m[7] * wy + m[8] * wz,
    )  # fmt: skip
    off = k0 - v
    r0, r1, r2 = (
        (m[0] * x + m[1] * y + m[2] * z) * off,
        (m[3] * x + m[4] * y + m[5] * z) * off,
        (m[6] * x + m[7] * y + m[8] * z) * off,
    )
    guu, gvv, guv = u0 * u0 + u1 * u1 + u2 * u2, w0 * w0 + w1 * w1 + w2 * w2, u0 * w0 + u1 * w1 + u2 * w2
    bu, bv, cc = u0 * r0 + u1 * r1 + u2 * r2, w0 * r0 + w1 * r1 + w2 * r2, r0 * r0 + r1 * r1 + r2 * r2
    det = guu * gvv - guv * guv
    if not det > 1e-12 * guu * gvv:
        return around
    x0 = (guv * bv - gvv * bu) / det
    y0 = (guv * bu - guu * bv) / det
    least = cc + bu * x0 + bv * y0
    middle = math.sqrt(x0 * x0 + (y0 * aspect) * (y0 * aspect))
    farthest = w
    left = half_fast = half_slow = 0.0
    for _ in range(2):
        end = root + largest * k0 * farthest * farthest
        left = end * end - least
        if left < 0.0:
            return nothing
        half_fast = math.sqrt(left * gvv / det)
        half_slow = math.sqrt(left * guu / det)
        half = math.sqrt(half_fast * half_fast + (half_slow * aspect) * (half_slow * aspect))
        farthest = min(farthest, (middle + half) * longer)
    return (
        True, fast + x0, slow + y0, half_fast + _MARGIN, half_slow + _MARGIN,
        guv / guu, left / guu + _MARGIN * (1.0 + half_fast), det / (guu * guu),
    )  # fmt: skip
