"""Compact spots: whether there is one, and where.

A spot is a reflection that one source and one orientation excite, a pair; pairs count orientations first, as the sum
does. `spot_search` lists them and `spot_tiles` draws them. Beyond its ellipse a spot is not looked at.
"""

import math

import numpy as np

from ..jit import inner, kernel
from ..physics import sample as p
from ..physics import spot as geometry
from ..physics import spot_place as place
from ..physics import structure_factor as look_up
from ..physics.intrinsics import ceil
from ..scene import GAUSS

TILE_ROWS = 32
VX, VY, VZ, FCELL, ROOT, PAIR = range(6)  # of a spot: v [1/m], structure factor, where it ends, pair
SPOT = 6
_LOWEST = -2147483000  # index


@inner
def matrix_of(q, o):
    """M of an orientation."""
    t = q.triangle
    return geometry.stretched(
        t[0], t[1], t[2], t[3], t[4], t[5], q.spot_scale * q.spot_stretch,
        o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8],
    )  # fmt: skip


@inner
def form_of(q, view, m, k0, x, y, z):
    """M of a reflection at (x, y, z) [1/m], what the height is multiplied by, and the bend (`geometry.broadened`).

    `m` is that of one domain, one wavelength and one direction.
    """
    if not q.continuous:
        return m, 1.0, (0.0, 0.0, 0.0, 0.0)
    return geometry.broadened(q, m, k0, x, y, z)


@inner
def smallest_stretch(q, view, k0, squared):
    """A bound of the smallest stretch of M, for a reflection of squared length `squared` [1/m^2]."""
    if not q.continuous:
        return view[5]
    own = 0.5 / (view[5] * view[5])
    widest = own + squared * max(view[10], q.bandwidth * q.bandwidth) + k0 * k0 * view[11]
    return math.sqrt(0.5 / widest)


@inner
def spot_root(q, brightness, reach, log_f, log_gain):
    """Where a spot of a structure factor ends, as a length that M takes offsets to; 0 where it leaves no trace.

    `brightness` and `reach` are those fields of a panel's record; those that are read of `q` all panels share.
    """
    exponent = brightness + 2.0 * log_f + log_gain
    if q.shape != GAUSS:
        return math.sqrt(reach) * q.spot_stretch if exponent > 0.0 else 0.0
    farthest = reach * q.spot_stretch * q.spot_stretch
    return math.sqrt(min(exponent, farthest)) if exponent > 0.0 else 0.0


@inner
def index_range(center, half, first, last):
    """Whole numbers within `half` of `center`, at most from `first` to `last`."""
    low = max(math.ceil(center - half), float(first))
    high = min(math.floor(center + half), float(last))
    return int(low), int(high)


@inner
def ellipse_of(q, view, depth, k0, vx, vy, vz, squared, form, bend, root):
    """Ellipse on the panel of a spot whose middle is at v, of a reflection of squared length `squared` [1/m^2]."""
    around, limit, more = geometry.around_bent(form, bend, root)
    rho = min(root * more / smallest_stretch(q, view, k0, squared), view[8])
    return ellipse_on_panel(q, depth, k0, vx, vy, vz, around, limit, rho, view[6])


@inner
def ellipse_on_panel(q, depth, k0, vx, vy, vz, m, root, rho, largest):
    """See `spot_ellipse`; compiled once for all that call it."""
    return place.spot_ellipse(q, depth, k0, vx, vy, vz, m, root, rho, largest)


@inner
def pixel_box(q, k0, vx, vy, vz, m, root, rho, largest):
    """Rows and columns of the region whose pixels may see a spot in some sub-pixel and layer, and its area [pixels]."""
    seen, f, s, half_f, half_s, _, widest, narrowing = ellipse_on_panel(q, 0.0, k0, vx, vy, vz, m, root, rho, largest)
    f1, f2, s1, s2 = f - half_f, f + half_f, s - half_s, s + half_s
    area = math.pi * widest / math.sqrt(narrowing) if narrowing > 0.0 else 1e18
    if q.layers > 1:
        depth = (q.layers - 1) * q.layer_step
        beyond, f, s, half_f, half_s, _, _, _ = ellipse_on_panel(q, depth, k0, vx, vy, vz, m, root, rho, largest)
        if seen and beyond:
            f1, f2, s1, s2 = min(f1, f - half_f), max(f2, f + half_f), min(s1, s - half_s), max(s2, s + half_s)
        elif seen != beyond:
            f1, f2, s1, s2 = -1e9, 1e9, -1e9, 1e9
        seen = seen or beyond
    # A sub-pixel is less than half a pixel off the middle.
    left = max(math.ceil(f1 - 0.5), float(q.fast_first))
    right = min(math.floor(f2 + 0.5), float(q.fast_last))
    bottom = max(math.ceil(s1 - 0.5), float(q.slow_first))
    top = min(math.floor(s2 + 0.5), float(q.slow_last))
    if not seen or left > right or bottom > top:
        return 0, -1, 0, -1, 0.0
    area = min(area, (right - left + 1.0) * (top - bottom + 1.0))
    return int(left), int(right), int(bottom), int(top), area


@inner
def index_box(q, o, k0, axis, incident, far, bounded):
    """First and last h, k and l of what the panel's cone of directions can scatter: within `far` of its axis [1/m]."""
    x, y, z = k0 * axis[0] - incident[0], k0 * axis[1] - incident[1], k0 * axis[2] - incident[2]
    far_h = math.sqrt(p.dot(o[0], o[1], o[2], o[0], o[1], o[2])) * far
    far_k = math.sqrt(p.dot(o[3], o[4], o[5], o[3], o[4], o[5])) * far
    far_l = math.sqrt(p.dot(o[6], o[7], o[8], o[6], o[7], o[8])) * far
    h_low, k_low, l_low = (q.h_min, q.k_min, q.l_min) if bounded else (_LOWEST, _LOWEST, _LOWEST)
    h_high, k_high, l_high = -_LOWEST, -_LOWEST, -_LOWEST
    if bounded:
        h_high, k_high, l_high = q.h_min + q.nh - 3, q.k_min + q.nk - 3, q.l_min + q.nl - 3
    h1, h2 = index_range(p.dot(o[0], o[1], o[2], x, y, z), far_h, h_low, h_high)
    k1, k2 = index_range(p.dot(o[3], o[4], o[5], x, y, z), far_k, k_low, k_high)
    l1, l2 = index_range(p.dot(o[6], o[7], o[8], x, y, z), far_l, l_low, l_high)
    return h1, h2, k1, k2, l1, l2


@inner
def sine_of(cosine):
    """Sine of an angle up to pi."""
    return math.sqrt(max(0.0, 1.0 - cosine * cosine))


@inner
def misses_panel(view, x, y, z, v, cos_theta, sin_theta):
    """Tell whether the cone of half-angle theta about (x, y, z), of length v, has no direction that the panel sees."""
    gx, gy, gz, cos_view, sin_view = view[0], view[1], view[2], view[3], view[4]
    if sin_theta * cos_view + cos_theta * sin_view <= 0.0:  # both half-angles are more than a half turn together
        return False
    return x * gx + y * gy + z * gz < (cos_theta * cos_view - sin_theta * sin_view - 1e-12) * v


@inner
def factor_at(q, flat, h, k, l):
    """Structure factor of a reflection."""
    i = look_up.padded_index(h, q.h_min, q.nh)
    j = look_up.padded_index(k, q.k_min, q.nk)
    m = look_up.padded_index(l, q.l_min, q.nl)
    return flat[look_up.table_place(i, j, m, q.nk, q.nl)]


@inner
def opened_pair(q, view, sources, orientations, bounded, pair):
    """Work out what the search for the spots of a pair needs.

    Parameters
    ----------
    view : as of `list_spots`
    bounded : bool
        Whether reflections outside the table are 0.

    Returns
    -------
    wave : (k0, x, y, z)
        1/wavelength, and the incident direction times it [1/m].
    m, reciprocal : tuples of 9
        M, and a*, b*, c*.
    box : (h first, h last, k first, k last, l first, l last)
    shell : (rho, inner squared, outer squared)
        The longest offset of any spot [1/m]; v of a reflection has a length in between [1/m^2].
    """
    source, orientation = pair // orientations.shape[0], pair % orientations.shape[0]
    gx, gy, gz, cos_view = view[0], view[1], view[2], view[3]
    longest, farthest = view[8], view[9]
    k0 = sources[source, 3]
    ix, iy, iz = sources[source, 0] * k0, sources[source, 1] * k0, sources[source, 2] * k0
    o = orientations[orientation]
    root = min(math.sqrt(q.reach) * q.spot_stretch, farthest)
    half_chord = math.sqrt(max(0.0, 2.0 - 2.0 * cos_view))
    rho = min(root / smallest_stretch(q, view, k0, 0.0), longest)
    if q.continuous:
        # Spots become larger as q does: |q| <= outermost + rho, and rho <= that of q = 0 + share |q|.
        x, y, z = k0 * gx - ix, k0 * gy - iy, k0 * gz - iz
        outermost = math.sqrt(p.dot(x, y, z, x, y, z)) + k0 * half_chord
        # The bend adds up to (2 root^2 + 1) sigma^2 |q| of mosaicity. Beyond 0.9 spots would count whose reflections
        # are ten times as far from the origin as all that the panel sees.
        share = root * math.sqrt(2.0 * max(view[10], q.bandwidth * q.bandwidth)) + (2.0 * root * root + 1.0) * view[10]
        share = min(share, 0.9)
        rho = (rho + share * outermost) / (1.0 - share)
    reciprocal = geometry.reciprocal_vectors(o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8])
    box = index_box(q, o, k0, (gx, gy, gz), (ix, iy, iz), k0 * half_chord + rho, bounded)
    shell = rho, max(0.0, k0 - rho) ** 2, (k0 + rho) ** 2
    return (k0, ix, iy, iz), matrix_of(q, o), reciprocal, box, shell


@inner
def open_column(opened, h, k):
    """Work out which l of a column of reflections may have spots.

    Returns
    -------
    first, last : int
    middle, skipped : float
        None of those has that are nearer than `skipped` to `middle`.
    """
    (_, ix, iy, iz), _, (ax, ay, az, bx, by, bz, cx, cy, cz), box, (_, inner_squared, outer_squared) = opened
    ux, uy, uz = ix + h * ax + k * bx, iy + h * ay + k * by, iz + h * az + k * bz
    uc, uu, cc = ux * cx + uy * cy + uz * cz, ux * ux + uy * uy + uz * uz, cx * cx + cy * cy + cz * cz
    discriminant = uc * uc - cc * (uu - outer_squared)
    if discriminant < 0.0:
        return 0, -1, 0.0, -1.0
    half = math.sqrt(discriminant) / cc
    first, last = index_range(-uc / cc, half + 1e-9, box[4], box[5])
    discriminant = uc * uc - cc * (uu - inner_squared)
    skipped = math.sqrt(discriminant) / cc - 1e-9 if discriminant > 0.0 else -1.0
    return first, last, -uc / cc, skipped


@inner
def stepped(l, middle, skipped):
    """Return l, or the first beyond those that have no spots."""
    return int(ceil(middle + skipped)) if abs(l - middle) < skipped else l


@inner
def excited(q, view, flat, opened, h, k, l):
    """Work out the spot of a reflection, wherever on the panels it may be.

    Parameters
    ----------
    q, view
        Of all panels: the largest spots, and a cone around what they see.

    Returns
    -------
    seen : bool
    x, y, z : float [1/m]
        v.
    factor, root : float
        Structure factor, and where the spot ends.
    middle : (x, y, z, length, form, bend, smallest)
        v of the middle of the spot, which the bend moves; as of `form_of`; a bound of the smallest stretch of the form.
    cos_theta : float
        Of the half-angle of a cone around the spot.
    logarithms : (float, float)
        Of the structure factor, and of what the height is multiplied by.
    """
    (k0, ix, iy, iz), m, (ax, ay, az, bx, by, bz, cx, cy, cz), _, (rho_of_all, _, _) = opened
    no_bend = (0.0, 0.0, 0.0, 0.0)
    nothing = (False, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0, 0.0, m, no_bend, 0.0), 1.0, (0.0, 0.0))
    x = ix + h * ax + k * bx + l * cx
    y = iy + h * ay + k * by + l * cy
    z = iz + h * az + k * bz + l * cz
    v = math.sqrt(x * x + y * y + z * z)
    cos_theta = place.cone_cosine(k0, v, rho_of_all)
    if cos_theta > 1.0 or misses_panel(view, x, y, z, v, cos_theta, sine_of(cos_theta)):
        return nothing
    f = factor_at(q, flat, h, k, l)
    if f == 0.0:
        return nothing
    ux, uy, uz = x - ix, y - iy, z - iz
    form, gain, bend = form_of(q, view, m, k0, ux, uy, uz)
    logarithms = math.log(abs(f)), math.log(gain)
    root = min(spot_root(q, q.spot_brightness, q.reach, logarithms[0], logarithms[1]), view[9])
    if root == 0.0:
        return nothing
    smallest, closer = smallest_stretch(q, view, k0, ux * ux + uy * uy + uz * uz), bend[0]
    mx, my, mz = x - closer * ux, y - closer * uy, z - closer * uz
    length = math.sqrt(mx * mx + my * my + mz * mz)
    around, limit, more = geometry.around_bent(form, bend, root)
    rho = min(root * more / smallest, view[8])
    cos_theta = place.cone_cosine(k0, length, rho)
    if cos_theta > 1.0 or place.misses_sphere(k0, mx, my, mz, length, cos_theta, around, limit):
        return nothing
    middle = mx, my, mz, length, form, bend, smallest
    return True, x, y, z, f, root, middle, cos_theta, logarithms


@inner
def box_of(q, view, k0, middle, root):
    """Rows and columns of the region whose pixels may see a spot of `excited`, and its area; see `pixel_box`."""
    x, y, z, _, form, bend, smallest = middle
    around, limit, more = geometry.around_bent(form, bend, root)
    return pixel_box(q, k0, x, y, z, around, limit, min(root * more / smallest, view[8]), view[6])


@inner
def find_spot(q, view, flat, opened, h, k, l):
    """Work out whether a reflection has a spot on the panel.

    Returns
    -------
    seen : bool
    x, y, z : float [1/m]
        v.
    factor, root : float
        Structure factor, and where the spot ends.
    left, right, bottom, top : int
        Columns and rows of the panel.
    """
    seen, x, y, z, f, root, middle = excited(q, view, flat, opened, h, k, l)[:7]
    if not seen:
        return False, 0.0, 0.0, 0.0, 0.0, 0.0, 0, -1, 0, -1
    left, right, bottom, top, _area = box_of(q, view, opened[0][0], middle, root)
    return left <= right, x, y, z, f, root, left, right, bottom, top


@kernel
def look_at_curved(scene, steps):
    """Look at a curved detector in steps of its region.

    Returns
    -------
    directions : (2, steps + 1, steps + 1, 3)
        Unit vectors; of the first layer and the last.
    turns : (2, steps + 1, steps + 1, 2) [rad]
        About slow, from the turn of `bend_branch` on, and about fast.
    """
    q = scene.numbers[0]
    directions, turns = np.empty((2, steps + 1, steps + 1, 3)), np.empty((2, steps + 1, steps + 1, 2))
    start = place.bend_branch(q)[2]
    for layer in range(2):
        depth = layer * (q.layers - 1) * q.layer_step
        (u0, v0), (u1, v1), (u2, v2) = place.bend_map(q, depth)
        for i in range(steps + 1):
            along_slow = (q.slow_first + (q.slow_last + 1 - q.slow_first) * i / steps) * q.pixel_slow
            for j in range(steps + 1):
                along_fast = (q.fast_first + (q.fast_last + 1 - q.fast_first) * j / steps) * q.pixel_fast
                flat_y = p.flat_position(along_fast, along_slow, depth, q.fast[1], q.slow[1], q.normal[1], q.origin[1])
                flat_z = p.flat_position(along_fast, along_slow, depth, q.fast[2], q.slow[2], q.normal[2], q.origin[2])
                x, y, z = p.curved_position(q, along_fast, along_slow, depth, flat_y, flat_z)
                length = math.sqrt(x * x + y * y + z * z)
                to = directions[layer, i, j]
                to[0], to[1], to[2] = x / length, y / length, z / length
                turns[layer, i, j, 0] = u0 + u1 * along_fast + u2 * along_slow + start
                turns[layer, i, j, 1] = v0 + v1 * along_fast + v2 * along_slow
    return directions, turns
