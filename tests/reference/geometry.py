"""Where the detector stands: axes, corner, distance, pixel counts."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace

import numpy as np

from nbnumba.parameters.choices import Convention, Pivot
from nbnumba.parameters.settings import Settings
from reference.defects import Defects
from reference.vectors import Vector, cross, dot, length, scaled, turned, turned_xyz, unit

# Axes of the named conventions (nanoBragg.c:1175-1267): beam, fdet, sdet, odet, twotheta axis, polar, spindle.
_MOSFLM_AXES = ((1, 0, 0), (0, 0, 1), (0, -1, 0), (1, 0, 0), (0, 0, -1), (0, 0, 1), (0, 0, 1))
_AXES: dict[Convention, tuple[Vector, ...]] = {
    Convention.ADXV: ((0, 0, 1), (1, 0, 0), (0, -1, 0), (0, 0, 1), (-1, 0, 0), (1, 0, 0), (1, 0, 0)),
    Convention.MOSFLM: _MOSFLM_AXES,
    Convention.DENZO: _MOSFLM_AXES,
    Convention.XDS: ((0, 0, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0), (1, 0, 0), (1, 0, 0)),
    Convention.DIALS: ((0, 0, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 0), (0, 1, 0), (0, 1, 0)),
}
_FORCED_PIVOT = {
    Convention.ADXV: Pivot.BEAM,
    Convention.MOSFLM: Pivot.BEAM,
    Convention.DENZO: Pivot.BEAM,
    Convention.XDS: Pivot.SAMPLE,
    Convention.DIALS: Pivot.SAMPLE,
}


@dataclass(frozen=True)
class Detector:
    """A detector in the laboratory; meters, unit vectors; the sample is at the origin."""

    n_slow: int
    n_fast: int
    pixel_size: float
    beam: Vector
    fdet: Vector
    sdet: Vector
    odet: Vector
    twotheta_axis: Vector
    polar: Vector
    vertical: Vector  # beam x polar
    spindle: Vector
    pix0: Vector = (0.0, 0.0, 0.0)  # outer corner of the first pixel
    distance: float = 0.0  # along the beam
    close_distance: float = 0.0  # along odet
    Fbeam: float = 0.0
    Sbeam: float = 0.0


def build_detector(settings: Settings, defects: Defects) -> Detector:
    """Place the detector (nanoBragg.c:1120-1298, 1680-1770)."""
    pixel = settings.detector.pixel_size
    detsize_f = pixel * settings.detector.pixels_fast if settings.detector.pixels_fast else settings.detector.detsize_f
    detsize_s = pixel * settings.detector.pixels_slow if settings.detector.pixels_slow else settings.detector.detsize_s
    axes = _straightened_axes(settings)
    unplaced = Detector(
        n_slow=math.ceil(detsize_s / pixel - 0.5), n_fast=math.ceil(detsize_f / pixel - 0.5), pixel_size=pixel, **axes
    )
    foot, spot = _foot_and_spot(settings, detsize_f, detsize_s)
    pivot, foot = _pivot(settings, defects, foot, spot)
    return _placed(settings, defects, unplaced, pivot, foot, spot)


def _straightened_axes(settings: Settings) -> dict[str, Vector]:
    names = ("beam", "fdet", "sdet", "odet", "twotheta_axis", "polar", "spindle")
    if settings.detector.convention is Convention.CUSTOM:
        given = (
            settings.beam.beam_vector,
            settings.detector.fdet_vector,
            settings.detector.sdet_vector,
            settings.detector.odet_vector,
            settings.detector.twotheta_axis,
            settings.beam.polar_vector,
            settings.goniometer.spindle_axis,
        )
    else:
        given = _AXES[settings.detector.convention]
    axes = {name: unit(v) if name != "twotheta_axis" else v for name, v in zip(names, given, strict=True)}
    if length(given[3]) != 1.0:
        axes["odet"] = unit(cross(axes["fdet"], axes["sdet"]))
    axes["vertical"] = unit(cross(axes["beam"], axes["polar"]))
    return axes


def _foot_and_spot(settings: Settings, detsize_f: float, detsize_s: float) -> tuple[tuple, tuple]:
    """Return where the detector is nearest to the sample, and where the beam meets it: (fast, slow) [m]."""
    pixel = settings.detector.pixel_size
    f_close = (settings.detector.ORGX - 0.5) * pixel if settings.detector.ORGX is not None else detsize_f / 2.0
    s_close = (settings.detector.ORGY - 0.5) * pixel if settings.detector.ORGY is not None else detsize_s / 2.0
    match settings.detector.convention:
        case Convention.ADXV:
            x = settings.detector.Xbeam if settings.detector.Xbeam is not None else (detsize_f + pixel) / 2.0
            y = settings.detector.Ybeam if settings.detector.Ybeam is not None else (detsize_s - pixel) / 2.0
            return (f_close, s_close), (x, detsize_s - y)
        case Convention.MOSFLM | Convention.DENZO:
            x = settings.detector.Xbeam if settings.detector.Xbeam is not None else (detsize_s + pixel) / 2.0
            y = settings.detector.Ybeam if settings.detector.Ybeam is not None else (detsize_f + pixel) / 2.0
            half = 0.5 * pixel if settings.detector.convention is Convention.MOSFLM else 0.0
            return (f_close, s_close), (y + half, x + half)
    x_close = settings.detector.Xclose if settings.detector.Xclose is not None else f_close
    y_close = settings.detector.Yclose if settings.detector.Yclose is not None else s_close
    x = settings.detector.Xbeam if settings.detector.Xbeam is not None else x_close
    y = settings.detector.Ybeam if settings.detector.Ybeam is not None else y_close
    foot = (x, y) if settings.detector.convention is Convention.CUSTOM else (f_close, s_close)
    return foot, (x, y)


def _pivot(settings: Settings, defects: Defects, foot: tuple, spot: tuple) -> tuple[Pivot, tuple]:
    """Return what the detector turns about, and the foot point that goes with it."""
    forced = _FORCED_PIVOT.get(settings.detector.convention)
    explicit = settings.detector.pivot_explicit
    if defects.pivot_forced or explicit is None:
        return forced or settings.detector.pivot_by_order, foot
    if explicit is Pivot.BEAM or forced is not Pivot.BEAM:
        return explicit, foot
    # A convention whose C program never pivots about the sample: the foot is what was said of it, else the spot.
    fast, slow = spot
    if settings.detector.Xclose is not None:
        fast = settings.detector.Xclose
    if settings.detector.Yclose is not None:
        slow = settings.detector.Yclose
    if settings.detector.ORGX is not None:
        fast = foot[0]
    if settings.detector.ORGY is not None:
        slow = foot[1]
    return explicit, (fast, slow)


def _placed(settings: Settings, defects: Defects, d: Detector, pivot: Pivot, foot: tuple, spot: tuple) -> Detector:
    angles = (settings.detector.detector_rotx, settings.detector.detector_roty, settings.detector.detector_rotz)

    def swung(v: Vector) -> Vector:
        return turned(turned_xyz(v, angles), d.twotheta_axis, settings.detector.twotheta)

    ratio = dot(d.beam, turned_xyz(d.odet, angles))
    if ratio == 0.0:
        ratio = sys.float_info.min
    close = (
        settings.detector.close_distance
        if settings.detector.close_distance is not None
        else abs(ratio * settings.detector.distance)
    )
    distance = close / ratio
    fdet, sdet, odet = swung(d.fdet), swung(d.sdet), swung(d.odet)

    if (
        settings.detector.pix0_vector is not None
        and not defects.pix0_ignored
        and not settings.detector.beam_center_given
    ):
        pix0 = swung(settings.detector.pix0_vector)
    elif pivot is Pivot.SAMPLE:
        f, s = foot
        pix0 = swung(tuple(-f * d.fdet[i] - s * d.sdet[i] + close * d.odet[i] for i in range(3)))
    else:
        f, s = spot
        pix0 = tuple(-f * fdet[i] - s * sdet[i] + distance * d.beam[i] for i in range(3))

    close = dot(pix0, odet)
    to_spot = tuple(close / ratio * d.beam[i] - pix0[i] for i in range(3))
    return replace(
        d,
        fdet=fdet,
        sdet=sdet,
        odet=odet,
        pix0=pix0,
        distance=close / ratio,
        close_distance=close,
        Fbeam=dot(fdet, to_spot),
        Sbeam=dot(sdet, to_spot),
    )


def sub_pixel_positions(
    d: Detector, fast: np.ndarray, slow: np.ndarray, depth: float, curved: bool, mirrored: bool
) -> np.ndarray:
    """Return laboratory positions (3, n) of points of the sensor.

    Parameters
    ----------
    fast, slow : (n,) [m] from the corner
    depth : of the sensor layer [m]
    curved, mirrored : -curved_det, and whether as nanoBragg.c bends it
    """
    flat = np.array([fast * d.fdet[i] + slow * d.sdet[i] + depth * d.odet[i] + d.pix0[i] for i in range(3)])
    if not curved:
        return flat
    if mirrored:
        ray = scaled(d.beam, d.distance)
        about_s, about_f = flat[1] / d.distance, flat[2] / d.distance
    else:
        # Turn toward growing fast and slow coordinates, whatever the handedness of the axes.
        ray = scaled(d.beam, d.distance + depth)
        about_s = math.copysign(1.0, dot(cross(d.sdet, d.beam), d.fdet)) * (fast - d.Fbeam) / d.distance
        about_f = math.copysign(1.0, dot(cross(d.fdet, d.beam), d.sdet)) * (slow - d.Sbeam) / d.distance
    ray = np.array(ray)[:, None] * np.ones_like(fast)
    return _turned_array(_turned_array(ray, d.sdet, about_s), d.fdet, about_f)


def _turned_array(v: np.ndarray, axis: Vector, angle: np.ndarray) -> np.ndarray:
    """Rotate vectors (3, n) about one axis by angles (n,)."""
    c, s = np.cos(angle), np.sin(angle)
    along = (axis[0] * v[0] + axis[1] * v[1] + axis[2] * v[2]) * (1.0 - c)
    return np.array(
        [
            axis[0] * along + v[0] * c + (-axis[2] * v[1] + axis[1] * v[2]) * s,
            axis[1] * along + v[1] * c + (axis[2] * v[0] - axis[0] * v[2]) * s,
            axis[2] * along + v[2] * c + (-axis[1] * v[0] + axis[0] * v[1]) * s,
        ]
    )
