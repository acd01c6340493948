"""The laboratory frames of other programs, as rotations of ours.

Ours is the frame of the chosen convention: any, with the sample at its origin.
"""

from __future__ import annotations

import numpy as np

from ..geometry.vectors import MCSTAS_TO_IMGCIF, Array, cross, unit
from .model import Beam


def to_mcstas(beam: Beam) -> Array:
    """Rotation to the frame of NeXus files, (3, 3): the beam runs along z, the polarization axis lies along x.

    Rows are the axes of the new frame in ours, so that `to_mcstas(beam) @ v` is a vector there. Of a polarization
    axis that is not at right angles to the beam the part across the beam counts.
    """
    z = unit(beam.direction)
    across = beam.polarization_axis - np.dot(beam.polarization_axis, z) * z
    x = unit(across)
    return np.array([x, cross(z, x), z])


def to_imgcif(beam: Beam) -> Array:
    """Rotation to the frame in which DIALS' reader puts an NXmx file, (3, 3)."""
    return MCSTAS_TO_IMGCIF @ to_mcstas(beam)
