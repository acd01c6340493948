"""The goniometer of an NXmx file: the axis that turns, and those that stand still."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...geometry.mounting import NO_MOUNTING, Mounting, StandingAxis
from ...geometry.vectors import MCSTAS_TO_IMGCIF, Array
from .nodes import new_group, quantity

if TYPE_CHECKING:
    import h5py

_WIDTHS = "_increment_set"  # after the name of the axis that turns


@dataclass(frozen=True, eq=False)
class Rotation:
    """A crystal that turns during the exposures.

    Attributes
    ----------
    axis : (3,)
        Unit vector in the laboratory; the right-handed rotation about it by a positive angle.
    starts : (n,) [deg]
    width : float [deg]
        Of every image, above 0.
    mounting : Mounting
        The other axes of the goniometer.
    """

    axis: Array
    starts: Array
    width: float
    mounting: Mounting = NO_MOUNTING

    def on_goniometer(self, A_imgcif: Array) -> Array:
        """Return matrices A of crystals (..., 3, 3) without what the standing axes turn them by; as DIALS has them."""
        return np.asarray(self._standing().T @ A_imgcif) if self.mounting.stands else A_imgcif

    def in_laboratory(self, A: Array) -> Array:
        """Undo `on_goniometer`."""
        return np.asarray(self._standing() @ A) if self.mounting.stands else A

    def _standing(self) -> Array:
        turn = self.mounting.setting @ self.mounting.fixed
        return np.asarray(MCSTAS_TO_IMGCIF @ turn @ MCSTAS_TO_IMGCIF)


def joined_rotation(
    axes: Array, starts: Array, widths: Array, orientations: Array | None, mountings: Sequence[Mounting]
) -> Rotation | None:
    """Return the rotation that images are slices of; None where they do not continue one another.

    Parameters
    ----------
    axes : (n, 3)
    starts, widths : (n,) [deg]
        Of either sign.
    orientations : (n, ...) or None
        What is the same in all images of one rotation.
    mountings : sequence of Mounting
        Where they differ none is stated.

    Notes
    -----
    Readers of DIALS take the first axis for the one that turns where none has several angles, so that the inner axes
    are left out of a rotation of one image.
    """
    sense = np.copysign(1.0, widths[0])
    axes, starts, widths = sense * axes, sense * starts, sense * widths
    # Rounding of angles that were typed and added up, not a change that any reader would see.
    slack = 1e-6 * widths[0]
    follows = (
        widths[0] > 0.0
        and np.all(np.abs(widths - widths[0]) <= slack)
        and np.all(np.abs(np.diff(starts) - widths[:-1]) <= slack)
        and np.all(np.abs(axes - axes[0]) <= 1e-12)
        and (orientations is None or _alike(orientations))
    )
    if not follows:
        return None
    return Rotation(axes[0], starts, float(widths[0]), _joined_mounting(mountings, len(starts)))


def _alike(orientations: Array) -> bool:
    """Tell whether all are the same but for the rounding of products of rotations; unknown ones are not."""
    return bool(np.all(np.abs(orientations - orientations[0]) <= 1e-12 * np.max(np.abs(orientations))))


def _joined_mounting(mountings: Sequence[Mounting], images: int) -> Mounting:
    """Return what all images have in common; files of one image have left their inner axes out."""
    outermost = {dataclasses.replace(mounting, inner=()) for mounting in mountings}
    inner = {mounting.inner for mounting in mountings if mounting.inner}
    if len(outermost) > 1 or len(inner) > 1:
        return NO_MOUNTING
    (mounting,) = outermost
    return dataclasses.replace(mounting, inner=inner.pop()) if inner and images > 1 else mounting


def write_rotation(sample: h5py.Group, rotation: Rotation | None) -> None:
    """Write the axes of a goniometer into a sample, or that there are none."""
    if rotation is None:
        sample["depends_on"] = "."
        return
    axes = new_group(sample, "transformations", "NXtransformations")
    mounting, name = rotation.mounting, rotation.mounting.scanned
    depends_on = _standing_axes(axes, mounting.outer, ".")
    scanned = quantity(axes, name, rotation.starts, "deg")
    vector = rotation.axis if not mounting.outer else mounting.setting.T @ rotation.axis
    scanned.attrs.update({"transformation_type": "rotation", "vector": vector, "depends_on": depends_on})
    quantity(axes, f"{name}_end", rotation.starts + rotation.width, "deg")
    quantity(axes, f"{name}_increment_set", np.full(len(rotation.starts), rotation.width), "deg")
    sample["depends_on"] = _standing_axes(axes, mounting.inner, str(scanned.name))


def _standing_axes(parent: h5py.Group, axes: Sequence[StandingAxis], depends_on: str) -> str:
    """Write axes, that next to the crystal first, and return the path of the innermost, or what it would depend on."""
    for axis in reversed(axes):
        dataset = quantity(parent, axis.name, np.array([math.degrees(axis.angle)]), "deg")
        dataset.attrs.update(
            {"transformation_type": "rotation", "vector": np.array(axis.direction), "depends_on": depends_on}
        )
        depends_on = str(dataset.name)
    return depends_on


def read_rotation(sample: h5py.Group) -> Rotation | None:
    """Return the rotation that `write_rotation` has written; None of stills."""
    axes = sample.get("transformations")
    if axes is None:
        return None
    scanned = next(name.removesuffix(_WIDTHS) for name in axes if name.endswith(_WIDTHS))
    place = sample["depends_on"].asstr()[()]
    inner: list[StandingAxis] = []
    outer: list[StandingAxis] = []
    here = inner
    for _ in range(len(axes)):
        if place == ".":
            break
        axis = sample.file[place]
        name = place.rsplit("/", 1)[-1]
        if name == scanned:
            here = outer
        else:
            x, y, z = (float(value) for value in axis.attrs["vector"])
            here.append(StandingAxis(name, (x, y, z), math.radians(float(np.ravel(axis[()])[0]))))
        place = str(axis.attrs["depends_on"])
    mounting = Mounting(tuple(inner), tuple(outer), scanned)
    vector = np.asarray(axes[scanned].attrs["vector"], dtype=np.float64)
    return Rotation(
        vector if not outer else mounting.setting @ vector,
        axes[scanned][()],
        float(axes[f"{scanned}{_WIDTHS}"][0]),
        mounting,
    )
