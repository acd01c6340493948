"""What can be told of a strip as a whole, without asking each of its pixels: where it is, and that nothing is in it."""

import math

import numpy as np

from ..jit import inner
from ..physics import sample as p
from ..scene import FLAT
from .strip import is_bounded

ROUNDING = 1e-9  # of a unit vector; that of float64 is a millionth of it
PART_ANGLE = 0.03  # [rad] half of a part of a strip whose solid angles are summed by four of them
MOST_PARTS = 4
UNKNOWN = -1.0


@inner
def position(q, along_fast, along_slow, depth):
    """Place on a flat detector [m]."""
    x = p.flat_position(along_fast, along_slow, depth, q.fast[0], q.slow[0], q.normal[0], q.origin[0])
    y = p.flat_position(along_fast, along_slow, depth, q.fast[1], q.slow[1], q.normal[1], q.origin[1])
    z = p.flat_position(along_fast, along_slow, depth, q.fast[2], q.slow[2], q.normal[2], q.origin[2])
    return x, y, z, math.sqrt(x * x + y * y + z * z)


@inner
def middle_of_strip(q, slow, fast, pixels):
    """Direction to the middle of a strip, and how far unit vectors to any place in it can be from that.

    The distance is infinite where there is no bound: close to the sample, and on a curved detector.
    """
    width, depth = pixels * q.pixel_fast, q.layers * q.layer_step
    x, y, z, radius = position(q, fast * q.pixel_fast + width / 2.0, (slow + 0.5) * q.pixel_slow, depth / 2.0)
    reach = (width + q.pixel_slow + abs(depth)) / 2.0
    if q.surface != FLAT or not radius > reach:
        return x, y, z, np.inf
    # The unit vectors of P and P' differ by 2 |P - P'| / (|P| + |P'|) at the most (Dunkl and Williams 1964).
    return x / radius, y / radius, z / radius, 2.0 * reach / (2.0 * radius - reach) + ROUNDING


@inner
def is_beyond_reflections(q, middle):
    """Tell whether no source has a structure factor anywhere in a strip, of which `middle_of_strip` tells."""
    x, y, z, turn = middle
    least, most = q.chord_least, q.chord_most
    return not p.chord_in_range(x, y, z, q.middle[0], q.middle[1], q.middle[2], least, most, turn)


@inner
def sum_of_solid_angles(q, slow, first, count):
    """Sum the solid angles of the first sub-pixels of `count` pixels, four at the least, from four places among them.

    Gauss's rule for sums: exact for polynomials up to the seventh degree. Its places are the roots of Gram's polynomial
    t^4 - 2 b t^2 + c over t = -(count - 1)/2 ... (count - 1)/2.
    """
    squared = float(count) * count
    b, c = (3.0 * squared - 13.0) / 28.0, 3.0 * (squared - 1.0) * (squared - 9.0) / 560.0
    root = math.sqrt(b * b - c)
    outer, inside = b + root, b - root
    second_moment = (squared - 1.0) / 12.0
    outer_weight = 0.5 * count * (second_moment - inside) / (outer - inside)
    along_slow = p.subpixel_center(slow, 0, q.oversample, q.pixel_slow)
    middle = first + (count - 1) / 2.0
    total = 0.0
    for node in range(4):
        t = math.sqrt(outer if node < 2 else inside)
        along_fast = p.subpixel_center(middle + (t if node % 2 else -t), 0, q.oversample, q.pixel_fast)
        radius = position(q, along_fast, along_slow, 0.0)[3]
        omega = p.solid_angle(1.0 / radius, q.pixel_fast, q.pixel_slow, q.close_distance, q.point_pixel, True)
        total += omega * (outer_weight if node < 2 else 0.5 * count - outer_weight)
    return total


@inner
def is_dark(q, middle):
    """Tell whether all pixels of a strip, of which `middle_of_strip` tells, are beyond all reflections and exactly 0.

    They are 0 where every factor of theirs is positive and finite.
    """
    if not is_bounded(q) or q.water_start != 0.0 or q.water_end != 0.0:
        return False
    if q.oversample_thick or q.oversample_polar or q.oversample_omega or not is_beyond_reflections(q, middle):
        return False
    x, y, z, turn = middle
    facing = p.dot(x, y, z, q.normal[0], q.normal[1], q.normal[2]) > turn
    if q.sensor and not (facing and 0.0 <= q.layer_step * q.mu < np.inf):
        return False
    return 0.0 <= q.photons < np.inf


@inner
def solid_angle_of_strip(q, slow, fast, pixels, turn):
    """Sum of the solid angles of all places of a strip; UNKNOWN where four pixels of a part cannot tell.

    `turn` is that of `middle_of_strip`.
    """
    parts = int(turn / PART_ANGLE) + 1 if turn < MOST_PARTS * PART_ANGLE else 0
    if parts == 0 or pixels < 4 * parts:
        return UNKNOWN
    total = 0.0
    for part in range(parts):
        first, stop = part * pixels // parts, (part + 1) * pixels // parts
        total += sum_of_solid_angles(q, slow, fast + first, stop - first)
    return total * (q.layers * q.oversample * q.oversample) if 0.0 <= total < np.inf else UNKNOWN
