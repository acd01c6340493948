"""Whole images of what files receive block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbnumba.io import pgm, smv
from nbnumba.util.regions import Roi


def int_values(image: NDArray[np.float32], scale: float, adc: float, roi: Roi | None = None) -> NDArray[Any]:
    """Return the counts of an SMV image."""
    return np.concatenate([block.copy() for block in smv.int_rows(image, scale, adc, roi)])


def pgm_values(image: NDArray[np.float32], scale: float, roi: Roi | None = None) -> NDArray[Any]:
    """Return the gray values of a PGM picture."""
    return np.concatenate([block.copy() for block in pgm.pgm_rows(image, scale, roi)])
