"""Rotations without preferred direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from .vectors import Array


def random_rotation(generator: np.random.Generator) -> Array:
    """Draw a rotation, uniform over all rotations.

    Parameters
    ----------
    generator : numpy.random.Generator
        Advanced by four normal deviates.

    Returns
    -------
    (3, 3) float64
        Matrix that turns column vectors; its determinant is +1.

    Notes
    -----
    Four normal deviates, made a unit vector, are uniform on the sphere of the unit quaternions (M. E. Muller,
    Commun. ACM 2, 19 (1959)).
    """
    import numpy as np

    quaternion = generator.standard_normal(4)
    w, x, y, z = (float(q) for q in quaternion / np.linalg.norm(quaternion))
    return np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
            [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
            [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
        ]
    )
