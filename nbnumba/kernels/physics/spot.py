"""What a compact spot is: a matrix, a height, and the bend that mosaicity gives it.

A spot is the neighborhood of one reflection q_h for one source and one orientation. A pixel sees it at the offset
k0 d - v, with the diffracted unit vector d, k0 = 1/wavelength and v = q_h + k0 i for the incident direction i. The
matrix M of the crystal stretches the offset so that the spot ends where |M (k0 d - v)| reaches a limit.
"""

import math

from ..jit import physics


@physics
def reciprocal_vectors(ax, ay, az, bx, by, bz, cx, cy, cz):
    """a*, b*, c* of a cell, such that a·a* = 1 and a·b* = 0."""
    ux, uy, uz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    vx, vy, vz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
    wx, wy, wz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    scale = 1.0 / (ax * ux + ay * uy + az * uz)
    return (
        ux * scale, uy * scale, uz * scale,
        vx * scale, vy * scale, vz * scale,
        wx * scale, wy * scale, wz * scale,
    )  # fmt: skip


@physics
def stretched(xa, xb, xc, yb, yc, zc, scale, ax, ay, az, bx, by, bz, cx, cy, cz):
    """The matrix M of an orientation: the triangle of `spot_radius_squared`, scaled, times the rows a, b, c."""
    xa, xb, xc, yb, yc, zc = xa * scale, xb * scale, xc * scale, yb * scale, yc * scale, zc * scale
    return (
        xa * ax + xb * bx + xc * cx, xa * ay + xb * by + xc * cy, xa * az + xb * bz + xc * cz,
        yb * bx + yc * cx, yb * by + yc * cy, yb * bz + yc * cz,
        zc * cx, zc * cy, zc * cz,
    )  # fmt: skip


@physics
def inverse_of(m):
    """Inverse of a matrix of nine numbers, row by row, and its determinant."""
    a, b, c, d, e, f, g, h, i = m
    x, y, z = e * i - f * h, f * g - d * i, d * h - e * g
    determinant = a * x + b * y + c * z
    s = 1.0 / determinant
    return (
        x * s, (c * h - b * i) * s, (b * f - c * e) * s,
        y * s, (a * i - c * g) * s, (c * d - a * f) * s,
        z * s, (b * g - a * h) * s, (a * e - b * d) * s,
    ), determinant  # fmt: skip


@physics
def covariance_of(m):
    """Covariance of a spot exp(-|M x|^2), the inverse of 2 M^T M: xx, xy, xz, yy, yz, zz; and the determinant of M."""
    (a, b, c, d, e, f, g, h, i), determinant = inverse_of(m)
    return (
        0.5 * (a * a + b * b + c * c), 0.5 * (a * d + b * e + c * f), 0.5 * (a * g + b * h + c * i),
        0.5 * (d * d + e * e + f * f), 0.5 * (d * g + e * h + f * i), 0.5 * (g * g + h * h + i * i),
    ), determinant  # fmt: skip


@physics
def axes_along(x, y, z):
    """Two unit vectors that stand at right angles to a third, and to each other (Duff et al., JCGT 6, 1, 2017)."""
    sign = math.copysign(1.0, z)
    a = -1.0 / (sign + z)
    b = x * y * a
    return (1.0 + sign * x * x * a, sign * b, -sign * x), (b, sign + y * y * a, -y)


@physics
def spread_of(q, k0, x, y, z):
    """Covariance of what broadens the spot of a reflection q_h, and the trace of what mosaicity has in it.

    Parameters
    ----------
    q : record
        Numbers of the scene.
    k0, x, y, z : float [1/m]
        1/wavelength, and q_h.

    Returns
    -------
    covariance : (xx, xy, xz, yy, yz, zz) [1/m^2]
    mosaic : float [1/m^2]

    Notes
    -----
    [q]x C [q]x^T for rotations of covariance C, where [q]x is the matrix of the vector product; (sigma/lambda)^2 q q^T
    for the wavelength; k0^2 D for incident directions of covariance D.
    """
    c, d = q.mosaicity, q.divergence
    # Rows of [q]x C.
    r00, r01, r02 = y * c[2, 0] - z * c[1, 0], y * c[2, 1] - z * c[1, 1], y * c[2, 2] - z * c[1, 2]
    r10, r11, r12 = z * c[0, 0] - x * c[2, 0], z * c[0, 1] - x * c[2, 1], z * c[0, 2] - x * c[2, 2]
    r20, r21 = x * c[1, 0] - y * c[0, 0], x * c[1, 1] - y * c[0, 1]
    xx, yy, zz = y * r02 - z * r01, z * r10 - x * r12, x * r21 - y * r20
    band, k2 = q.bandwidth * q.bandwidth, k0 * k0
    return (
        xx + band * x * x + k2 * d[0, 0],
        z * r00 - x * r02 + band * x * y + k2 * d[0, 1],
        x * r01 - y * r00 + band * x * z + k2 * d[0, 2],
        yy + band * y * y + k2 * d[1, 1],
        x * r11 - y * r10 + band * y * z + k2 * d[1, 2],
        zz + band * z * z + k2 * d[2, 2],
    ), xx + yy + zz  # fmt: skip


@physics
def curving(mosaic, across, squared):
    """How a spot follows the sphere that rotations move its reflection on.

    Parameters
    ----------
    mosaic, across : float [1/m^2]
        Variances across q_h, both directions together: what mosaicity has in it, and of the whole spot.
    squared : float [1/m^2]
        |q_h|^2.

    Returns
    -------
    share : float
        Of an offset across q_h, what is due to a rotation.
    closer : float
        By what fraction of |q_h| the middle of the spot is closer to the origin.

    Notes
    -----
    A rotation that moves q_h by t across it moves it toward the origin by |t|^2/(2 |q_h|). Where the spot is seen at
    the offset x across, t is x times the share on average, with variances that add up to mosaic times (1 - share).
    """
    share = mosaic / across
    return share, 0.5 * (1.0 - share) * mosaic / squared


@physics
def broadened(q, m, k0, x, y, z):
    """The spot of a reflection that mosaicity, bandwidth and divergence have broadened.

    Parameters
    ----------
    q : record
        Numbers of the scene.
    m : tuple of 9
        M of the spot of one domain, one wavelength and one direction.
    k0, x, y, z : float [1/m]
        1/wavelength, and the reflection q_h.

    Returns
    -------
    new : tuple of 9
        M of the broadened spot; what it makes of offsets along q_h stands in its last row alone.
    gain : float
        What the height is multiplied by.
    bend : (closer, by_00, by_01, by_11)
        See `curving` and `bent`.

    Notes
    -----
    Covariances add up: that of the spot itself, and `spread_of`. With T = L L^T for their sum, in axes across and along
    q_h, the new M is L^-1 / sqrt 2, and the integral over the spot stays the same.
    """
    (xx, xy, xz, yy, yz, zz), determinant = covariance_of(m)
    spread, mosaic = spread_of(q, k0, x, y, z)
    xx, xy, xz, yy, yz, zz = (
        xx + spread[0], xy + spread[1], xz + spread[2], yy + spread[3], yz + spread[4], zz + spread[5],
    )  # fmt: skip
    length = math.sqrt(x * x + y * y + z * z)
    there = length > 1.0  # 1/m; else it is the reflection 0 0 0, for which any axes serve
    length = length if there else 1.0
    nx, ny, nz = x / length if there else 0.0, y / length if there else 0.0, z / length if there else 1.0
    (ax, ay, az), (bx, by, bz) = axes_along(nx, ny, nz)
    ta0, ta1, ta2 = xx * ax + xy * ay + xz * az, xy * ax + yy * ay + yz * az, xz * ax + yz * ay + zz * az
    tb0, tb1, tb2 = xx * bx + xy * by + xz * bz, xy * bx + yy * by + yz * bz, xz * bx + yz * by + zz * bz
    tn0, tn1, tn2 = xx * nx + xy * ny + xz * nz, xy * nx + yy * ny + yz * nz, xz * nx + yz * ny + zz * nz
    aa, bb = ax * ta0 + ay * ta1 + az * ta2, bx * tb0 + by * tb1 + bz * tb2
    l00 = math.sqrt(aa)
    l10, l20 = (bx * ta0 + by * ta1 + bz * ta2) / l00, (nx * ta0 + ny * ta1 + nz * ta2) / l00
    l11 = math.sqrt(bb - l10 * l10)
    l21 = (nx * tb0 + ny * tb1 + nz * tb2 - l20 * l10) / l11
    l22 = math.sqrt(nx * tn0 + ny * tn1 + nz * tn2 - l20 * l20 - l21 * l21)
    s = math.sqrt(0.5)
    m00, m10, m11 = s / l00, -s * l10 / (l00 * l11), s / l11
    m20, m21, m22 = s * (l10 * l21 - l11 * l20) / (l00 * l11 * l22), -s * l21 / (l11 * l22), s / l22
    new = (
        m00 * ax, m00 * ay, m00 * az,
        m10 * ax + m11 * bx, m10 * ay + m11 * by, m10 * az + m11 * bz,
        m20 * ax + m21 * bx + m22 * nx, m20 * ay + m21 * by + m22 * ny, m20 * az + m21 * bz + m22 * nz,
    )  # fmt: skip
    share, closer = curving(mosaic, aa + bb, length * length)
    # The offset across q_h is sqrt 2 (l00 r0, l10 r0 + l11 r1).
    by = share * share / (length * (1.0 - closer)) * m22
    bend = closer, by * (l00 * l00 + l10 * l10), by * 2.0 * l10 * l11, by * l11 * l11
    return new, s * s * s / (abs(determinant) * l00 * l11 * l22), bend


@physics
def bent(r0, r1, r2, b0, b1, b2):
    """|M x|^2 of a bent spot, from (r0, r1, r2) = M x and what `broadened` says of its bend."""
    r2 = r2 + (r0 * (b0 * r0 + b1 * r1) + b2 * (r1 * r1))
    return r0 * r0 + r1 * r1 + r2 * r2


@physics
def around_bent(m, bend, root):
    """M and limit of a spot that is not bent and holds a bent one; and how much farther its offsets reach.

    Notes
    -----
    With u^2 = r0^2 + r1^2 and R the limit, u^2 + (r2 + b)^2 <= R^2 where 0 <= b <= B u^2: for g = B R,
    r2^2 <= (|r2 + b| + B u^2)^2 <= (1 + g) ((r2 + b)^2 + g u^2), hence u^2 + r2^2/(1 + g) <= (1 + g) R^2.
    """
    more = 1.0 + (bend[1] + bend[3]) * root
    wider = math.sqrt(more)
    inverse = 1.0 / wider
    around = m[0], m[1], m[2], m[3], m[4], m[5], m[6] * inverse, m[7] * inverse, m[8] * inverse
    return around, root * wider, more
