"""A Scene as the kernels take it: one record of numbers and the few large arrays.

Sixty loose arguments would be handed down every call, and compiling that costs more than compiling the physics.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..scene import Scene

_LARGE = ("mask", "sources", "orientations", "table")


class PackedScene(NamedTuple):
    """A Scene in arrays; `numbers[0]` has the names and types of the Scene's other fields, and the table's shape.

    A compiled function should take out what it needs once: Numba counts references, and two threads that count
    the same ones get in each other's way.
    """

    numbers: NDArray[np.void]  # (1,)
    mask: NDArray[np.uint8]
    sources: NDArray[np.float64]
    orientations: NDArray[np.float64]
    flat: NDArray[np.float64]  # the table in one dimension


def _field(name: str, value: object) -> tuple[object, ...]:
    """Type of one field of the record."""
    if isinstance(value, np.ndarray):
        return name, np.float64, value.shape
    return name, {bool: np.bool_, int: np.int64, float: np.float64}[type(value)]


def pack(scene: Scene) -> PackedScene:
    """Put the numbers and small vectors of a scene into a record."""
    fields = {name: value for name, value in scene._asdict().items() if name not in _LARGE}
    fields.update(zip(("nh", "nk", "nl"), scene.table.shape, strict=True))
    record = np.dtype([_field(name, value) for name, value in fields.items()], align=True)
    numbers = np.zeros(1, dtype=record)
    for name, value in fields.items():
        numbers[name][0] = value
    return PackedScene(numbers, scene.mask, scene.sources, scene.orientations, scene.table.reshape(-1))
