"""Panels whose place is given."""

from __future__ import annotations

import math

from ..errors import InputError, called
from ..geometry.panel import PanelGeometry
from ..geometry.vectors import Array, cross, dot, length
from ..parameters.settings import Settings
from .model import Panel

_ROUNDING = 1e-6  # by which axes may miss length 1 and a right angle
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
    return tuple(_panel(_label(settings, number), place, beam) for number, place in enumerate(settings.detector.panels))


def _label(settings: Settings, number: int) -> str:
    file = f"{called('expt')} {settings.detector.expt_file}: " if settings.detector.expt_file is not None else ""
    return f"{file}panel {number}"


def _panel(name: str, place: PanelGeometry, beam: Array) -> Panel:
    if place.n_fast < 1 or place.n_slow < 1:
        raise InputError(f"{name}: has {place.n_fast} x {place.n_slow} pixels; at least 1 x 1 is needed")
    for size in place.pixel_sizes:
        if not (math.isfinite(size) and size > 0.0):
            raise InputError(f"{name}: a pixel measures {size * 1e3:g} mm; it must be greater than 0")
    origin, fast, slow = place.origin, place.fast, place.slow
    if not math.isfinite(length(origin)):
        raise InputError(f"{name}: its corner lies at {_numbers(origin)}; it must be somewhere")
    right_angle = abs(dot(fast, slow)) <= _ROUNDING
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
    )


def _numbers(vector: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in vector)
