"""The panels with their sensors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.panel import PanelGeometry
from ..geometry.vectors import Array
from ..parameters.choices import Pivot


@dataclass(frozen=True)
class Sensor:
    """A slab that captures photons.

    Attributes
    ----------
    thickness : float [m]
        As typed or completed; 0: no sensor, every photon counts. What is simulated is layers * layer_step.
    layers : int
    layer_step : float [m]
    mu : float [1/m]
        Absorption.
    material : str
        As a file names it; empty where none does.
    """

    thickness: float = 0.0
    layers: int = 1
    layer_step: float = 0.0
    mu: float = 0.0
    material: str = ""

    @property
    def depth(self) -> float:
        """Thickness that is simulated [m]."""
        return self.layers * self.layer_step


@dataclass(frozen=True, eq=False)
class Panel(PanelGeometry):
    """A panel, and where it stands in the beam.

    Attributes
    ----------
    normal : (3,)
        Unit vector of increasing distance.
    distance, close_distance : float [m]
        From the sample along the beam, and to the closest point of the plane.
    sensor : Sensor
    mask : (n_slow, n_fast) bool or None
        Pixels to render; None: all.
    gaps : (n_slow, n_fast) bool or None
        Pixels of the mask that there are not, between modules; None: none.
    name, group : str
        Of the panel and of the smallest group that it belongs to, as a file names them.
    """

    normal: Array
    distance: float
    close_distance: float
    sensor: Sensor = field(default_factory=lambda: Sensor())
    mask: NDArray[np.bool_] | None = None
    gaps: NDArray[np.bool_] | None = None
    name: str = ""
    group: str = ""


@dataclass(frozen=True)
class Center:
    """Where the beam and the foot of the perpendicular meet the detector [m]."""

    Xbeam: float
    Ybeam: float
    Fbeam: float
    Sbeam: float
    Xclose: float
    Yclose: float
    Fclose: float
    Sclose: float


@dataclass(frozen=True)
class BeamCenter(Center):
    """The same in every convention."""

    ORGX: float  # pixels
    ORGY: float
    dials_origin_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Placement:
    """How the user placed the first panel; the panels say where it came to stand.

    Attributes
    ----------
    pivot : Pivot
        What the rotations of the detector leave where it is.
    detsize_f, detsize_s : float [m]
        Edges, of which the pixels may be no whole part.
    twotheta : float [rad]
    """

    pivot: Pivot
    detsize_f: float
    detsize_s: float
    twotheta: float = 0.0


@dataclass(frozen=True, eq=False)
class Detector:
    """The panels with their sensors.

    Attributes
    ----------
    panels : tuple of Panel
    center : BeamCenter
        Of the first panel.
    curved : bool
        Whether all pixels are equally far from the sample.
    point_pixel : bool
        Whether the solid angle of every pixel is 1 / (distance from the sample)^2, whatever its size and tilt.
    placement : Placement
        For reports and headers, and for what a change of the distance means; no image depends on it.
    """

    panels: tuple[Panel, ...]
    center: BeamCenter
    curved: bool
    point_pixel: bool
    placement: Placement

    @property
    def sensor(self) -> Sensor:
        """The sensor that all panels have.

        Raises
        ------
        InputError
            The sensors of the panels differ.
        """
        first = self.panels[0].sensor
        if any(panel.sensor != first for panel in self.panels):
            raise InputError("detector: its panels have sensors that differ; one is needed here")
        return first
