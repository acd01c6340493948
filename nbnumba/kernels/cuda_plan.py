"""What a GPU renders a scene with: the variant of the kernel, and the scene in its numbers."""

from __future__ import annotations

import math

import numpy as np

from ..scene import Scene
from .packing import PackedScene, pack
from .pixel import CUBIC, NEAREST, Variant

_PEAK_BITS = 50  # the largest amplitude of mixed precision becomes about 2^50: its square, and sums of it, stay finite


def choose_variant(scene: Scene, mixed: bool) -> Variant:
    """Choose the kernel for a scene.

    Factors that compound are computed in double precision always: there a sample of no weight is not the same as none.
    """
    return Variant(
        scene.shape, CUBIC if scene.interpolate else NEAREST, scene.compound, mixed and not scene.compound
    )


def table_of(scene: Scene, variant: Variant) -> tuple[np.ndarray, int]:
    """Return the structure factors as a variant reads them, and the power of two by which they were divided.

    Nearest structure factors are float32 in mixed precision. Interpolation cancels among neighbours and stays float64.
    """
    if not variant.single:
        return scene.table, 0
    brightest = float(np.max(np.abs(scene.table))) * scene.Na * scene.Nb * scene.Nc
    power = math.frexp(brightest)[1] - _PEAK_BITS if 0.0 < brightest < math.inf else 0
    dtype = np.float32 if variant.look_up == NEAREST else np.float64
    return np.ldexp(scene.table, -power).astype(dtype), power


def pack_for(scene: Scene, table: np.ndarray, power: int) -> PackedScene:
    """Pack a scene with another table; the sum's scale is that of the table squared."""
    scale = math.ldexp(1.0, 2 * power)
    return pack(
        scene._replace(table=table, photons=scene.photons * scale, water_start=scene.water_start / scale)
    )
