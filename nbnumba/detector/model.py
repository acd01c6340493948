"""The panels, their sensor, and how the user placed them."""

from __future__ import annotations

from dataclasses import dataclass

from ..geometry.panel import PanelGeometry
from ..geometry.vectors import Array
from ..parameters.choices import Convention, Pivot


@dataclass(frozen=True, eq=False)
class Panel(PanelGeometry):
    """A panel, and where it stands in the beam.

    Attributes
    ----------
    normal : (3,)
        Unit vector of increasing distance.
    distance, close_distance : float [m]
        From the sample along the beam, and to the closest point of the plane.
    """

    normal: Array
    distance: float
    close_distance: float


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


@dataclass(frozen=True, eq=False)
class Detector:
    """The panels, their sensor, and how the user placed them."""

    panels: tuple[Panel, ...]
    center: BeamCenter
    convention: Convention
    pivot: Pivot
    detsize_f: float
    detsize_s: float
    twotheta: float
    odet_generated: bool
    curved: bool
    point_pixel: bool
    thickness: float  # as typed or completed [m]; 0: no sensor. What is simulated is layers * layer_step
    layers: int
    layer_step: float  # m
    mu: float  # 1/m
