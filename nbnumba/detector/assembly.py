"""The panels of a detector in one picture, each where it stands."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..beam.frames import to_mcstas
from ..beam.model import Beam
from ..geometry.vectors import Array
from .model import Detector, Panel

LARGEST_SIDE = 2048  # pixels of a picture
_ROWS = 256  # of a panel at a time


class Assembled(NamedTuple):
    """A picture as seen from the sample along the beam, the polarization across.

    Attributes
    ----------
    photons : (height, width) float32
        The brightest of the pixels that fall on one place.
    gaps : (height, width) bool
        Where there is no pixel, or a masked one.
    pitch : float [m]
        Edge of a place.
    beam : (down, across) [places]
        Where the direct beam meets the plane, from the outer corner of the first place.
    """

    photons: NDArray[np.float32]
    gaps: NDArray[np.bool_]
    pitch: float
    beam: tuple[float, float]


def assembled(pixels: NDArray[np.float32], detector: Detector, beam: Beam) -> Assembled:
    """Put the panels of an image together on the plane across the beam.

    Parameters
    ----------
    pixels : (n_panels, n_slow, n_fast)
        Smaller panels are padded.
    detector : Detector
    beam : Beam
    """
    frame = to_mcstas(beam)
    # Looking along the beam, x of McStas points to the left and y up.
    across, down = -frame[0], -frame[1]
    places = [_Place.of(panel, across, down) for panel in detector.panels]
    corners = np.concatenate([place.corners() for place in places])
    low, extent = corners.min(axis=0), np.ptp(corners, axis=0)
    pitch = max(min(min(panel.pixel_sizes) for panel in detector.panels), float(extent.max()) / LARGEST_SIDE)
    width, height = (max(1, min(LARGEST_SIDE, math.ceil(size / pitch - 1e-6))) for size in extent)
    picture = np.full((height, width), -np.inf, dtype=np.float32)
    for place, part in zip(places, pixels, strict=True):
        _fill(picture, place, part, low, pitch)
    gaps = np.isneginf(picture)
    picture[gaps] = 0.0
    return Assembled(picture, gaps, pitch, (float(-low[1] / pitch), float(-low[0] / pitch)))


class _Place(NamedTuple):
    """Where a panel lies in the plane [m]."""

    panel: Panel
    corner: Array  # (2,)
    fast: Array  # (2,) step from pixel to pixel
    slow: Array

    @classmethod
    def of(cls, panel: Panel, across: Array, down: Array) -> _Place:
        plane = np.array([across, down])
        return cls(
            panel, plane @ panel.origin, plane @ panel.fast * panel.pixel_sizes[0],
            plane @ panel.slow * panel.pixel_sizes[1],
        )  # fmt: skip

    def corners(self) -> Array:
        """Return the four corners, (4, 2)."""
        ends = [(f, s) for f in (0, self.panel.n_fast) for s in (0, self.panel.n_slow)]
        return np.array([self.corner + f * self.fast + s * self.slow for f, s in ends])


def _fill(picture: NDArray[np.float32], place: _Place, pixels: NDArray[np.float32], low: Array, pitch: float) -> None:
    """Draw a panel: every place that it covers, then every pixel at its middle, so that no spot is lost."""
    panel = place.panel
    values = pixels[: panel.n_slow, : panel.n_fast].astype(np.float32)
    if panel.mask is not None:
        values = np.where(panel.mask, values, -np.inf).astype(np.float32)
    _cover(picture, place, values, low, pitch)
    fast = np.arange(panel.n_fast) + 0.5
    for first in range(0, panel.n_slow, _ROWS):
        slow = np.arange(first, min(panel.n_slow, first + _ROWS)) + 0.5
        at = place.corner - low + fast[None, :, None] * place.fast + slow[:, None, None] * place.slow
        x, y = (
            np.clip(at[..., axis] / pitch, 0, size - 1).astype(np.intp) for axis, size in enumerate(picture.shape[::-1])
        )
        np.maximum.at(picture, (y, x), values[first : first + len(slow)])


def _cover(picture: NDArray[np.float32], place: _Place, values: NDArray[np.float32], low: Array, pitch: float) -> None:
    """Give each place inside a panel the pixel that its middle falls on; nothing of a panel that is seen edge-on."""
    steps = np.array([place.fast, place.slow]).T
    if abs(np.linalg.det(steps)) < 1e-9 * float(np.linalg.norm(place.fast) * np.linalg.norm(place.slow) + 1e-300):
        return
    corners = (place.corners() - low) / pitch
    (x0, y0), (x1, y1) = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, picture.shape[1]), min(y1, picture.shape[0])
    x, y = np.meshgrid((np.arange(x0, x1) + 0.5) * pitch, (np.arange(y0, y1) + 0.5) * pitch)
    at = np.stack([x, y], axis=-1) + low - place.corner
    fast, slow = np.moveaxis(np.floor(at @ np.linalg.inv(steps).T), -1, 0).astype(np.intp)
    inside = (fast >= 0) & (fast < values.shape[1]) & (slow >= 0) & (slow < values.shape[0])
    part = picture[y0:y1, x0:x1]
    part[inside] = np.maximum(part[inside], values[slow[inside], fast[inside]])
