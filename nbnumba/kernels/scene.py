"""The Scene: what a kernel reads, as one record of numbers and a few arrays.

Sixty loose arguments would be handed down every call, and compiling that costs more than compiling the physics.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SQUARE, ROUND, GAUSS, TOPHAT = range(4)
FLAT, CURVED_AS_C, CURVED = 0, 1, 2  # kinds of detector surface
MOST_OPERATIONS = 24  # of a Laue group, inversions apart
NEVER = 2**63 - 1  # a latch that no sample reaches

_WHOLE, _REAL, _FLAG = np.int64, np.float64, np.bool_

# The numbers of a scene; SI units. One dtype for all scenes: compiled code is made for it once.
RECORD = np.dtype(
    [
        # region and sub-pixels
        ("n_slow", _WHOLE),
        ("n_fast", _WHOLE),
        ("slow_first", _WHOLE),
        ("slow_last", _WHOLE),
        ("fast_first", _WHOLE),
        ("fast_last", _WHOLE),
        ("oversample", _WHOLE),
        ("pixel_fast", _REAL),  # edges of a pixel
        ("pixel_slow", _REAL),
        # detector
        ("origin", _REAL, 3),
        ("fast", _REAL, 3),
        ("slow", _REAL, 3),
        ("normal", _REAL, 3),
        ("beam", _REAL, 3),
        ("distance", _REAL),
        ("close_distance", _REAL),
        ("beam_fast", _REAL),  # beam center from the origin along fast and slow
        ("beam_slow", _REAL),
        ("bend_fast", _REAL),  # sign of the turn about slow that moves along fast
        ("bend_slow", _REAL),
        ("surface", _WHOLE),
        ("point_pixel", _FLAG),
        # sensor
        ("layers", _WHOLE),
        ("layer_step", _REAL),
        ("mu", _REAL),
        ("sensor", _FLAG),
        # beam
        ("polar_axis", _REAL, 3),
        ("kahn", _REAL),
        ("polarized", _FLAG),  # False: the polarization factor is 1
        # crystal
        ("domains", _WHOLE),  # mosaic domains of a phi step
        ("N", _REAL, (3, 3)),  # symmetric; unit cells along a, b, c on the diagonal
        ("shape", _WHOLE),
        ("fudge", _REAL),
        ("sinc3_cancels", _FLAG),  # near the middle of the spots of an ellipsoidal crystal, as in C
        ("triangle", _REAL, 6),  # a* = (0, -, -), b* = (1, 3, -), c* = (2, 4, 5) laid with a* on x, b* in the xy plane
        # Gaussian and top-hat spots; the radius is that of physics.spot_radius_squared
        ("spot_scale", _REAL),  # of the triangle
        ("spot_height", _REAL),  # amplitude in the middle
        ("spot_width", _REAL),  # of a Gaussian: its exponent is the squared radius times fudge over this
        ("spot_limit", _REAL),  # exponent from which on it is 0
        ("spot_stretch", _REAL),  # radius times this is sqrt(2 exponent), or sqrt(fudge) times the radius of a top hat
        ("spot_brightness", _REAL),  # ln of the photons that all samples of a pixel amount to at the most, each in the
        # middle of a spot of F = 1, over the photons that may be left out of a pixel
        # In closed form, spots are as wide as mosaicity, bandwidth and divergence make them
        ("continuous", _FLAG),
        ("mosaicity", _REAL, (3, 3)),  # covariance of rotation vectors [rad^2]
        ("bandwidth", _REAL),  # standard deviation of the wavelength over the wavelength
        ("divergence", _REAL, (3, 3)),  # covariance of the incident direction [rad^2]
        ("reach", _REAL),  # a spot whose squared radius is not below this is left out
        # diffuse scattering
        ("halo_count", _WHOLE),  # symmetry operations; 0: none
        ("halo_stencil", _WHOLE),  # neighbors on each side whose halos reach a sample
        ("halo_scale", _REAL),
        ("halo_only", _FLAG),  # without the spots
        # Of each operation: 2 pi sigma and 2 pi gamma times the matrix from indices to 1/Angstrom
        ("halo", _REAL, (MOST_OPERATIONS, 18)),
        # structure factors, padded by one cell of default_F on every side
        ("nh", _WHOLE),  # cells of the padded table along h
        ("nk", _WHOLE),
        ("nl", _WHOLE),
        ("h_min", _WHOLE),
        ("k_min", _WHOLE),
        ("l_min", _WHOLE),
        ("interpolate", _FLAG),
        ("latching", _FLAG),  # the first sample out of range switches interpolation off for the rest, as in C
        ("latch", _WHOLE),  # ordinal of that sample; NEVER until it has been looked for
        # Every structure factor is 0 for a scattering vector whose length has a square below the one or above the other
        ("q_least_squared", _REAL),
        ("q_most_squared", _REAL),
        # The same for all sources at once: for a diffracted direction that far from `middle`
        ("middle", _REAL, 3),
        ("chord_least", _REAL),
        ("chord_most", _REAL),
        # sampling
        ("dmin", _REAL),
        ("oversample_thick", _FLAG),
        ("oversample_polar", _FLAG),
        ("oversample_omega", _FLAG),
        ("compound", _FLAG),  # factors multiply the running sum
        ("weigh_layers", _FLAG),  # each layer's terms are multiplied by its own capture
        ("plain", _FLAG),  # every term is added as it is
        ("per_pixel", _FLAG),  # what a term is multiplied by depends on the pixel
        # scaling and background
        ("photons", _REAL),  # r_e^2 fluence / steps
        ("water_start", _REAL),  # in the sum from the beginning
        ("water_end", _REAL),  # added per steradian at the end
        ("skip_empty", _FLAG),  # samples of zero lattice factor are left out
    ],
    align=True,
)


def same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Tell whether two arrays are one, or views of one."""
    return a.__array_interface__ == b.__array_interface__


class _PlainRecord(np.record):
    """A record whose fields are attributes, as in compiled code; `shape` too, which np.record takes for its own."""

    def __getattribute__(self, name: str) -> Any:
        return self[name] if name in RECORD.names else super().__getattribute__(name)  # type: ignore[operator]


# For kernels that Numba is told not to compile.
_UNCOMPILED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
_STORED = np.dtype((_PlainRecord, RECORD)) if _UNCOMPILED else RECORD


class Scene(NamedTuple):
    """One panel, ready to be rendered.

    The panels of a detector share all arrays but the record. In Python the record's fields are attributes of the
    scene: ``scene.oversample``. A sample's ordinal is pixel * samples_per_pixel + its number within the pixel, in C's
    order.

    A compiled function should take out what it needs once: Numba counts references, and two threads that count
    the same ones get in each other's way.
    """

    numbers: NDArray[np.void]  # (1,) of RECORD
    mask: NDArray[np.uint8]  # (n_slow, n_fast), or (0, 0) when every pixel is rendered
    sources: Array  # (sources, 5) incident direction (3), 1/wavelength, weight
    orientations: Array  # (orientations, 9) a, b, c of each phi step and, innermost, mosaic domain [m]
    weights: Array  # (orientations,)
    flat: Array  # (nh nk nl,) the padded table of structure factors, l innermost

    @classmethod
    def of(
        cls, mask: NDArray[np.uint8], sources: Array, orientations: Array, weights: Array, flat: Array, **numbers: Any
    ) -> Scene:
        """Make a scene of its arrays and of all fields of the record.

        Raises
        ------
        TypeError
            For a field that is missing or unknown.
        """
        wrong = set(RECORD.names or ()) ^ set(numbers)
        if wrong:
            raise TypeError(f"fields of a scene that are missing or unknown: {', '.join(sorted(wrong))}")
        record = np.array([tuple(numbers[name] for name in RECORD.names or ())], _STORED)
        return cls(record, mask, sources, orientations, weights, flat)

    def replace(self, **changes: Any) -> Scene:
        """Return a scene with some fields of the record, or arrays, changed."""
        arrays = {name: changes.pop(name) for name in self._fields if name in changes}
        numbers = arrays.setdefault("numbers", self.numbers).copy()
        for name, value in changes.items():
            numbers[name][0] = value
        return self._replace(**(arrays | {"numbers": numbers}))

    def __getattr__(self, name: str) -> Any:
        """Return a field of the record."""
        if name not in RECORD.fields:  # type: ignore[operator]
            raise AttributeError(f"a scene has no {name!r}")
        value = self.numbers[name][0]
        return value if isinstance(value, np.ndarray) else value.item()

    @property
    def table(self) -> Array:
        """The padded table of structure factors, (nh, nk, nl); no copy."""
        return self.flat.reshape(self.nh, self.nk, self.nl)

    @property
    def samples_per_pixel(self) -> int:
        """Samples that one pixel sums over."""
        oversample: int = self.oversample
        layers: int = self.layers
        return layers * oversample**2 * len(self.sources) * len(self.orientations)

    @property
    def region_shape(self) -> tuple[int, int]:
        """Rows and columns that are rendered."""
        return self.slow_last - self.slow_first + 1, self.fast_last - self.fast_first + 1
