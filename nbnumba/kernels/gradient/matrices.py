"""Matrices of three rows as tuples: nine numbers, or six of a symmetric one."""

from ..jit import inner_inlined


@inner_inlined
def crossed(c, x, y, z):
    """C [x]x^T of a symmetric matrix of nine numbers, row by row, for the vector (x, y, z)."""
    return (
        y * c[2] - z * c[1], z * c[0] - x * c[2], x * c[1] - y * c[0],
        y * c[5] - z * c[4], z * c[3] - x * c[5], x * c[4] - y * c[3],
        y * c[8] - z * c[7], z * c[6] - x * c[8], x * c[7] - y * c[6],
    )  # fmt: skip


@inner_inlined
def crossed_twice(m, u, v, w):
    """[u]x M of a matrix of nine numbers and the vector (u, v, w), with its transpose: xx, xy, xz, yy, yz, zz."""
    a0, a1, a2 = v * m[6] - w * m[3], v * m[7] - w * m[4], v * m[8] - w * m[5]
    b0, b1, b2 = w * m[0] - u * m[6], w * m[1] - u * m[7], w * m[2] - u * m[8]
    c0, c1, c2 = u * m[3] - v * m[0], u * m[4] - v * m[1], u * m[5] - v * m[2]
    return 2.0 * a0, a1 + b0, a2 + c0, 2.0 * b1, b2 + c1, 2.0 * c2


@inner_inlined
def nine_of(m):
    """The numbers of a matrix, row by row."""
    return m[0, 0], m[0, 1], m[0, 2], m[1, 0], m[1, 1], m[1, 2], m[2, 0], m[2, 1], m[2, 2]


@inner_inlined
def six_of(m):
    """The numbers of a symmetric matrix: xx, xy, xz, yy, yz, zz."""
    return m[0, 0], m[0, 1], m[0, 2], m[1, 1], m[1, 2], m[2, 2]


@inner_inlined
def symmetric(f):
    """A symmetric matrix of six numbers as nine, row by row."""
    return f[0], f[1], f[2], f[1], f[3], f[4], f[2], f[4], f[5]


@inner_inlined
def product(a, b):
    """Product of two matrices of nine numbers."""
    return (
        a[0] * b[0] + a[1] * b[3] + a[2] * b[6], a[0] * b[1] + a[1] * b[4] + a[2] * b[7],
        a[0] * b[2] + a[1] * b[5] + a[2] * b[8],
        a[3] * b[0] + a[4] * b[3] + a[5] * b[6], a[3] * b[1] + a[4] * b[4] + a[5] * b[7],
        a[3] * b[2] + a[4] * b[5] + a[5] * b[8],
        a[6] * b[0] + a[7] * b[3] + a[8] * b[6], a[6] * b[1] + a[7] * b[4] + a[8] * b[7],
        a[6] * b[2] + a[7] * b[5] + a[8] * b[8],
    )  # fmt: skip


@inner_inlined
def transposed(a):
    """Transpose of a matrix of nine numbers."""
    return a[0], a[3], a[6], a[1], a[4], a[7], a[2], a[5], a[8]


@inner_inlined
def upper(a):
    """Upper triangle of a symmetric matrix of nine numbers."""
    return a[0], a[1], a[2], a[4], a[5], a[8]


@inner_inlined
def trace_of_product(a, b):
    """Trace of the product of two symmetric matrices of six numbers."""
    return a[0] * b[0] + a[3] * b[3] + a[5] * b[5] + 2.0 * (a[1] * b[1] + a[2] * b[2] + a[4] * b[4])


@inner_inlined
def trace_across(c, x, y, z):
    """Trace of [q]x C [q]x^T for a symmetric matrix of nine numbers."""
    along = x * (c[0] * x + c[1] * y + c[2] * z) + y * (c[3] * x + c[4] * y + c[5] * z)
    along += z * (c[6] * x + c[7] * y + c[8] * z)
    return (x * x + y * y + z * z) * (c[0] + c[4] + c[8]) - along


@inner_inlined
def times(f, x, y, z):
    """A symmetric matrix of six numbers times a vector."""
    return f[0] * x + f[1] * y + f[2] * z, f[1] * x + f[3] * y + f[4] * z, f[2] * x + f[4] * y + f[5] * z
