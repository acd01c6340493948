"""How fine the spacings are that a detector can see."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..beam.model import Beam
from ..geometry.panel import PanelGeometry
from ..geometry.vectors import Array
from .model import Detector, Panel

_PROBES = 17  # points along each edge of a panel at which the spacing is looked at
_SOURCES_AT_ONCE = 10_000


def finest_spacing(detector: Detector, beam: Beam) -> float:
    """Return the finest spacing that any pixel sees with any source [m].

    On a flat panel the largest angle lies in a corner, but for panels behind the sample: a grid of points over each
    panel, corners included, serves for all. Of a curved detector the angle is a bound, whichever way it bends.
    """
    incident, wavelengths = -beam.sources.directions, beam.sources.wavelengths
    finest = math.inf
    for panel in detector.panels:
        if detector.curved:
            off_axis = np.arccos(np.clip(incident @ beam.direction, -1.0, 1.0))
            chords = 2.0 * np.sin(np.minimum(curved_angle(panel, beam.direction) + off_axis, np.pi) / 2.0)
            finest = min(finest, float(np.min(wavelengths / chords)))
            continue
        toward = _directions(panel)
        for first in range(0, len(incident), _SOURCES_AT_ONCE):
            some = slice(first, first + _SOURCES_AT_ONCE)
            lowest = (incident[some] @ toward.T).min(axis=1)
            chords = np.sqrt(np.maximum(2.0 - 2.0 * lowest, 1e-20))
            finest = min(finest, float(np.min(wavelengths[some] / chords)))
    return finest


def _directions(panel: PanelGeometry) -> Array:
    """Unit vectors from the sample to points all over a flat panel, (n, 3)."""
    fast = np.linspace(0.0, panel.n_fast * panel.pixel_sizes[0], _PROBES)
    slow = np.linspace(0.0, panel.n_slow * panel.pixel_sizes[1], _PROBES)
    points = panel.origin + fast[:, None, None] * panel.fast + slow[None, :, None] * panel.slow
    points = points.reshape(-1, 3)
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def curved_angle(panel: Panel, beam: Array) -> float:
    """Return a bound of the angle between the beam and a pixel of a curved detector [rad].

    A pixel is the beam's spot turned about slow and fast by ways over the distance: ways along the surface or, as C
    has it, y and z of the flat detector.
    """
    spot = panel.distance * beam - panel.origin
    lengths = panel.n_fast * panel.pixel_sizes[0], panel.n_slow * panel.pixel_sizes[1]
    ways = []
    for edge, axis in zip(lengths, (panel.fast, panel.slow), strict=True):
        at = float(spot @ axis)
        ways.append(max(abs(at), abs(edge - at)))
    corners = np.array(
        [panel.origin + f * panel.fast + s * panel.slow for f in (0.0, lengths[0]) for s in (0.0, lengths[1])]
    )
    y, z = np.abs(corners[:, 1:]).max(axis=0)
    a, b = max(ways[0], y, z), max(ways[1], y, z)
    # Where the axes stand across the beam, the two turns are the sides of a right-angled triangle on a sphere.
    across = abs(panel.fast @ beam) < 1e-6 and abs(panel.slow @ beam) < 1e-6
    together = math.hypot(a, b) if across else a + b
    return float(min(together / abs(panel.distance), math.pi))


def beam_place(panel: Panel, beam: Beam) -> tuple[float, float] | None:
    """Return where the direct beam meets a flat panel, slow and fast in pixels from its corner; None if nowhere."""
    facing = float(beam.direction @ panel.normal)
    if facing == 0.0:
        return None
    along = float(panel.origin @ panel.normal) / facing
    if along <= 0.0:
        return None
    spot = along * beam.direction - panel.origin
    return float(spot @ panel.slow) / panel.pixel_sizes[1], float(spot @ panel.fast) / panel.pixel_sizes[0]


def spacing(panel: PanelGeometry, beam: Beam) -> Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]:
    """Return the resolution [Angstrom] as a function of slow and fast on a panel, in pixels from its corner."""

    def at(slow: NDArray[Any], fast: NDArray[Any]) -> NDArray[np.float64]:
        slow, fast = np.broadcast_arrays(slow, fast)
        fast_m, slow_m = fast[..., None] * panel.pixel_sizes[0], slow[..., None] * panel.pixel_sizes[1]
        place = panel.origin + fast_m * panel.fast + slow_m * panel.slow
        direction = place / np.linalg.norm(place, axis=-1, keepdims=True)
        with np.errstate(divide="ignore"):
            return np.asarray(beam.wavelength * 1e10 / np.linalg.norm(direction - beam.direction, axis=-1))

    return at
