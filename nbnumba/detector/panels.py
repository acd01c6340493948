"""Panels whose place is given."""

from __future__ import annotations

import math
from typing import Any

from ..errors import InputError, called
from ..geometry.panel import PanelGeometry, PlacedPanel
from ..geometry.vectors import Array, cross, dot, length
from ..parameters.placing import sensor_layers_of
from ..parameters.settings import Settings
from .model import Panel, Sensor

_ROUNDING = 1e-6  # by which axes may miss length 1
_SKEWEST = 1e-2  # cosine of the angle between fast and slow; refined files of CrystFEL reach 3e-4
_NEAREST = 1e-9  # m, of a plane to the sample
# Of the angle between the beam and a panel along it: the distance along the beam stays a number of some use.
_FLATTEST = 1e-6


def placed_panels(settings: Settings, beam: Array) -> tuple[Panel, ...]:
    """Return the panels of the settings in the order given.

    The normal points away from the sample, so that `close_distance` is positive; `distance` is negative where the
    beam meets the plane upstream of the sample only.

    Parameters
    ----------
    beam : (3,)
        Unit vector.

    Raises
    ------
    InputError
        For a panel without pixels, with axes that are no axes or with a plane through the sample.
    """
    steps = settings.detector.detector_thicksteps
    return tuple(
        _panel(_label(settings, number), place, beam, steps) for number, place in enumerate(settings.detector.panels)
    )


def _label(settings: Settings, number: int) -> str:
    file = placed_by(settings)
    return f"panel {number}" if file is None else f"{file}: panel {number}"


def placed_by(settings: Settings) -> str | None:
    """Return the option and the file that place the panels; None where no file does."""
    detector = settings.detector
    for name, file in (("expt", detector.expt_file), ("geometry", detector.geometry_file)):
        if file is not None and detector.panels:
            return f"{called(name)} {file}"
    return None


def _panel(name: str, place: PanelGeometry, beam: Array, layers: int | None) -> Panel:
    if place.n_fast < 1 or place.n_slow < 1:
        raise InputError(f"{name}: has {place.n_fast} x {place.n_slow} pixels; at least 1 x 1 is needed")
    for size in place.pixel_sizes:
        if not (math.isfinite(size) and size > 0.0):
            raise InputError(f"{name}: a pixel measures {size * 1e3:g} mm; it must be greater than 0")
    origin, fast, slow = place.origin.copy(), place.fast.copy(), place.slow.copy()  # others have the same place
    if not math.isfinite(length(origin)):
        raise InputError(f"{name}: its corner lies at {_numbers(origin)}; it must be somewhere")
    right_angle = abs(dot(fast, slow)) <= _SKEWEST
    if not (right_angle and all(abs(length(axis) - 1.0) <= _ROUNDING for axis in (fast, slow))):
        raise InputError(
            f"{name}: fast {_numbers(fast)} and slow {_numbers(slow)} must be unit vectors at right angles to each "
            "other"
        )
    normal = cross(fast, slow)
    normal = normal / length(normal)
    close = dot(origin, normal)
    if abs(close) < _NEAREST:
        raise InputError(f"{name}: its plane passes through the sample; it must not")
    if close < 0.0:
        normal, close = -normal, -close
    ratio = dot(beam, normal)
    if abs(ratio) < _FLATTEST:
        ratio = math.copysign(_FLATTEST, ratio)
    return Panel(
        place.n_fast,
        place.n_slow,
        place.pixel_sizes,
        origin,
        fast,
        slow,
        normal=normal,
        distance=close / ratio,
        close_distance=close,
        **_of_file(place, layers),
    )


def _of_file(place: PanelGeometry, layers: int | None) -> dict[str, Any]:
    """Return name, sensor and mask of a panel that a file describes."""
    if not isinstance(place, PlacedPanel):
        return {}
    sensor = Sensor(material=place.material)
    if place.thickness > 0.0 and place.mu > 0.0:
        count = sensor_layers_of(place, layers)
        sensor = Sensor(place.thickness, count, place.thickness / count, place.mu, place.material)
    mask = None if place.bad is None else ~place.bad
    return {"name": place.name, "group": place.group, "sensor": sensor, "mask": mask}


def _numbers(vector: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in vector)
