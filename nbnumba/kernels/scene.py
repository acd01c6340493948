"""The Scene: what a kernel reads, as numbers and arrays, and as the one record that compiled code takes.

Sixty loose arguments would be handed down every call, and compiling that costs more than compiling the physics.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SQUARE, ROUND, GAUSS, TOPHAT = range(4)
FLAT, CURVED_AS_C, CURVED = 0, 1, 2  # kinds of detector surface
NEVER = 2**63 - 1  # a latch that no sample reaches


class Scene(NamedTuple):
    """One panel, ready to be rendered; SI units.

    A sample's ordinal is pixel * samples_per_pixel + its number within the pixel, in C's order.
    """

    # region and sub-pixels
    n_slow: int
    n_fast: int
    slow_first: int
    slow_last: int
    fast_first: int
    fast_last: int
    mask: NDArray[np.uint8]  # (n_slow, n_fast), or (0, 0) when every pixel is rendered
    oversample: int
    pixel_size: float
    # detector
    origin: Array
    fast: Array
    slow: Array
    normal: Array
    beam: Array
    distance: float
    close_distance: float
    beam_fast: float  # beam centre from the origin along fast and slow
    beam_slow: float
    bend_fast: float  # sign of the turn about slow that moves along fast
    bend_slow: float
    surface: int
    point_pixel: bool
    # sensor
    layers: int
    layer_step: float
    mu: float
    sensor: bool
    # sources: incident direction (3), 1/wavelength, weight
    sources: Array
    polar_axis: Array
    kahn: float
    polarized: bool  # False: the polarisation factor is 1
    # crystal: a, b, c of each phi step and mosaic domain, (orientations, 9) [m]
    orientations: Array
    domains: int
    Na: float
    Nb: float
    Nc: float
    shape: int
    fudge: float
    triangle: Array  # (6,) a* = (0, -, -), b* = (1, 3, -), c* = (2, 4, 5) laid with a* on x, b* in the xy plane
    reach: float  # spots whose squared radius is larger cannot be seen, see physics.spot_radius_squared
    # structure factors, padded by one cell of default_F on every side
    table: Array  # (nh + 2, nk + 2, nl + 2)
    h_min: int
    k_min: int
    l_min: int
    interpolate: bool
    latching: bool  # the first sample out of range switches interpolation off for the rest, as in C
    latch: int  # ordinal of that sample; NEVER until it has been looked for
    # sampling
    dmin: float
    oversample_thick: bool
    oversample_polar: bool
    oversample_omega: bool
    compound: bool  # factors multiply the running sum
    weigh_layers: bool  # each layer's terms are multiplied by its own capture
    plain: bool  # every term is added as it is
    # scaling and background
    photons: float  # r_e^2 fluence / steps
    water_start: float  # in the sum from the beginning
    water_end: float  # added per steradian at the end
    skip_empty: bool  # samples of zero lattice factor are left out

    @property
    def samples_per_pixel(self) -> int:
        """Samples that one pixel sums over."""
        return self.layers * self.oversample**2 * len(self.sources) * len(self.orientations)

    @property
    def region_shape(self) -> tuple[int, int]:
        """Rows and columns that are rendered."""
        return self.slow_last - self.slow_first + 1, self.fast_last - self.fast_first + 1


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
