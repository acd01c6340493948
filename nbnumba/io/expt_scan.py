"""The scan of a DIALS experiment list, and models that vary along it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .expt_place import ROUNDING, Array, Place
from .expt_schema import BeamEntry, CrystalEntry, GoniometerEntry, Scan
from .validated import LARGEST, shown


@dataclass(frozen=True)
class ScanAngles:
    """Start and width of the first image, and how many there are.

    Attributes
    ----------
    phi_deg, width_deg : float
        0 and 0 without a scan.
    images : int
        0: not told.
    """

    phi_deg: float
    width_deg: float
    images: int

    def at(self, phi_deg: float | None) -> float:
        """Return how many images after the start of the scan the middle of an image that starts at an angle is.

        Parameters
        ----------
        phi_deg : float or None
            None: the first image. Of a scan that turns backwards, about the opposite axis.
        """
        if phi_deg is None or self.width_deg == 0.0:
            return 0.5
        phi_deg = -phi_deg if self.width_deg < 0.0 else phi_deg
        return (phi_deg - self.phi_deg) / self.width_deg + 0.5


def scan_angles(scan: Scan | None, place: Place) -> ScanAngles:
    """Return the angles of a scan [deg]."""
    if scan is None or (scan.properties is None and scan.oscillation is None):
        return ScanAngles(0.0, 0.0, 0)
    images = 0
    if scan.image_range is not None:
        first, last = scan.image_range
        images = max(0, math.floor(last - first) + 1)
    if scan.properties is None:
        return ScanAngles(*(scan.oscillation or (0.0, 0.0)), images)
    starts, widths = scan.properties.oscillation, scan.properties.oscillation_width
    if not starts:
        return ScanAngles(0.0, 0.0, images)
    if len(starts) > 1:
        return ScanAngles(starts[0], starts[1] - starts[0], images)
    if widths and len(widths) > 1:
        place.inside("properties").fail("oscillation_width", f"1 finite number is needed, not {shown(widths)}")
    return ScanAngles(starts[0], widths[0] if widths else 0.0, images)


@dataclass(frozen=True, eq=False)
class Varying:
    """Models that vary along a scan, at one place of it; None: the static model counts.

    Attributes
    ----------
    reciprocal : (3, 3) [1/Angstrom] or None
        The matrix A of columns a*, b*, c*.
    s0 : (3,) [1/Angstrom] or None
        Direction of the beam over the wavelength.
    setting : (3, 3) or None
        Setting rotation of the goniometer.
    remarks : tuple of str
        What was taken from where, or what does not count.
    """

    reciprocal: Array | None
    s0: Array | None
    setting: Array | None
    remarks: tuple[str, ...]


def varying_models(
    where: str,
    angles: ScanAngles,
    phi_deg: float | None,
    models: tuple[BeamEntry, GoniometerEntry | None, CrystalEntry | None],
) -> Varying:
    """Return the models that vary along the scan in the middle of an image.

    Parameters
    ----------
    where : str
        What messages begin with.
    angles : ScanAngles
    phi_deg : float or None
        Where the image starts; None: as the first one of the scan.
    models : beam, goniometer and crystal
    """
    beam, goniometer, crystal = models
    listed = {
        "A_at_scan_points": (None if crystal is None else crystal.A_at_scan_points, 9),
        "s0_at_scan_points": (beam.s0_at_scan_points, 3),
        "setting_rotation_at_scan_points": (
            None if goniometer is None else goniometer.setting_rotation_at_scan_points,
            9,
        ),
    }
    x = angles.at(phi_deg)
    found: dict[str, Array] = {}
    unusable = False
    for name, (content, size) in listed.items():
        if content is None:
            continue
        points = _points(content, size)
        if points is None or len(points) != angles.images + 1:
            unusable = True
        else:
            found[name] = _between(points, x)
    setting, reciprocal = found.get("setting_rotation_at_scan_points"), found.get("A_at_scan_points")
    if setting is not None:
        setting = _nearest_rotation(setting.reshape(3, 3))
        unusable = unusable or setting is None
    if reciprocal is not None:
        reciprocal = reciprocal.reshape(3, 3)
        lengths = np.linalg.norm(reciprocal, axis=0)
        if not lengths.all() or abs(np.linalg.det(reciprocal / lengths)) < ROUNDING:
            reciprocal, unusable = None, True
    s0 = found.get("s0_at_scan_points")
    if s0 is not None and not np.linalg.norm(s0) > ROUNDING:
        s0, unusable = None, True
    return Varying(reciprocal, s0, setting, tuple(_remarks(where, x, angles, bool(found), unusable)))


def _remarks(where: str, x: float, angles: ScanAngles, used: bool, unusable: bool) -> Iterator[str]:
    if unusable:
        yield f"{where}: models that vary along the scan are not used; their means are"
    elif used and not 0.0 <= x <= angles.images:
        yield (
            f"{where}: phi lies outside its scan, {angles.phi_deg:g} to "
            f"{angles.phi_deg + angles.images * angles.width_deg:g} degrees; of models that vary along it the nearest "
            "count"
        )


def _points(content: Any, size: int) -> Array | None:
    """Return the numbers of all points, (n, size); None where they are none."""
    try:
        points = np.array(content, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    if points.ndim != 2 or points.shape[1] != size or not np.all(np.abs(points) <= LARGEST):
        return None
    return points


def _between(points: Array, x: float) -> Array:
    """Interpolate between the points on both sides."""
    x = min(max(x, 0.0), len(points) - 1.0)
    before = min(math.floor(x), len(points) - 2) if len(points) > 1 else 0
    after = min(before + 1, len(points) - 1)
    return np.asarray(points[before] + (x - before) * (points[after] - points[before]))


def _nearest_rotation(matrix: Array) -> Array | None:
    left, sizes, right = np.linalg.svd(matrix)
    turn = left @ right
    return turn if np.abs(sizes - 1.0).max() < 1e-3 and np.linalg.det(turn) > 0.0 else None
