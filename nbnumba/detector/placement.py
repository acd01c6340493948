"""Where the detector stands: conventions, beam centers, pivots and rotations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..errors import InputError, called
from ..geometry.vectors import Array, cross, dot, length, rotate_about, rotate_xyz, unit, vector
from ..parameters.choices import Convention, Pivot, Semantics, Vector
from ..parameters.settings import Settings
from ..parameters.steps import sensor_layers
from ..util.memory import gigabytes, too_little_memory
from ..util.messages import logger
from .model import BeamCenter, Center, Detector, Panel, Placement, Sensor
from .panels import placed_by, placed_panels

MAX_PIXELS = 2**31 - 1  # of one image; C's counter is a 32-bit int
BYTES_PER_PIXEL = 4  # of the image in memory, which is float32


@dataclass(frozen=True)
class Axes:
    """Unit vectors of beam and detector before any rotation; the 2theta axis is as given."""

    beam: Array
    fast: Array
    slow: Array
    normal: Array
    twotheta: Array
    polar: Array
    spindle: Array
    normal_generated: bool


# beam, fast, slow, normal, 2theta axis, polarization, spindle (nanoBragg.c:1166-1262)
_CONVENTIONS: dict[Convention, tuple[Vector, ...]] = {
    Convention.ADXV: ((0, 0, 1), (1, 0, 0), (0, -1, 0), (0, 0, 1), (-1, 0, 0), (1, 0, 0), (1, 0, 0)),
    Convention.MOSFLM: ((1, 0, 0), (0, 0, 1), (0, -1, 0), (1, 0, 0), (0, 0, -1), (0, 0, 1), (0, 0, 1)),
    Convention.DENZO: ((1, 0, 0), (0, 0, 1), (0, -1, 0), (1, 0, 0), (0, 0, -1), (0, 0, 1), (0, 0, 1)),
    Convention.XDS: ((0, 0, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0), (1, 0, 0), (1, 0, 0)),
    Convention.DIALS: ((0, 0, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 0), (0, 1, 0), (0, 1, 0)),
}


def resolve_axes(settings: Settings) -> Axes:
    """Choose the axes of the convention, or the user's, and normalize them; the same object for the same settings.

    The normal is kept only when its length is exactly 1 in float64, otherwise it is the cross product
    of fast and slow (nanoBragg.c:1276).

    Raises
    ------
    InputError
        For a vector of zero length, or fast and slow that are parallel.
    """
    detector = settings.detector
    given = (
        settings.beam.beam_vector,
        detector.fdet_vector,
        detector.sdet_vector,
        detector.odet_vector,
        detector.twotheta_axis,
        settings.beam.polar_vector,
        settings.goniometer.spindle_axis,
    )
    axes = _axes(_CONVENTIONS.get(detector.convention, given))
    if detector.twotheta != 0.0 and length(axes.twotheta) == 0.0:
        raise _no_direction("twotheta_axis")
    return axes


_VECTORS = (
    "beam_vector",
    "fdet_vector",
    "sdet_vector",
    "odet_vector",
    "twotheta_axis",
    "polar_vector",
    "spindle_axis",
)


@lru_cache(maxsize=64)
def _axes(given: tuple[Vector, ...]) -> Axes:
    """Normalize axes, which nobody can change then."""
    vectors = [vector(v) for v in given]
    for name, v in zip(_VECTORS, vectors, strict=True):
        # A zero normal is replaced below, and a zero 2theta axis matters only when it is turned about.
        if length(v) == 0.0 and name not in ("odet_vector", "twotheta_axis"):
            raise _no_direction(name)
    beam, fast, slow, normal, twotheta, polar, spindle = vectors
    beam, fast, slow = unit(beam), unit(fast), unit(slow)
    generated = length(normal) != 1.0
    normal = unit(normal)
    if generated:
        normal = cross(fast, slow)
        if length(normal) < 1e-12:
            raise InputError(
                f"{called('fdet_vector')}, {called('sdet_vector')}: the two vectors are parallel and span no detector"
            )
        normal = unit(normal)
    polar = unit(polar)
    if length(cross(beam, polar)) == 0.0:
        raise InputError(
            f"{called('polar_vector')}: it is parallel to the beam; it must have a component across the beam"
        )
    axes = (beam, fast, slow, normal, twotheta, polar, unit(spindle))
    for axis in axes:
        axis.setflags(write=False)
    return Axes(*axes, generated)


def _no_direction(name: str) -> InputError:
    return InputError(name, "0 0 0", "has no direction; the vector must not be zero")


def resolve_detector(settings: Settings, axes: Axes) -> Detector:
    """Work out the detector's place and sensor from the settings (nanoBragg.c:1118-1290, 1697-1775).

    Parameters
    ----------
    settings : Settings
    axes : Axes

    Raises
    ------
    InputError
        For a detector without pixels or with too many, or one whose plane holds the sample or the beam.
    """
    if settings.detector.panels:
        return _placed_detector(settings, axes)
    n_fast, n_slow, detsize_f, detsize_s = _size(settings)
    pixel = settings.detector.pixel_size
    center, pivot = _beam_center(settings, pixel, detsize_f, detsize_s)
    corner = _explicit_corner(settings)
    if corner is not None:
        pivot = Pivot.SAMPLE
    fast, slow, normal = (_turned(v, settings, axes) for v in (axes.fast, axes.slow, axes.normal))
    close, ratio = _distances(settings, axes)
    if pivot is Pivot.BEAM:
        origin = -center.Fbeam * fast - center.Sbeam * slow + (close / ratio) * axes.beam
    else:
        foot_corner = -center.Fclose * axes.fast - center.Sclose * axes.slow + close * axes.normal
        origin = _turned(foot_corner if corner is None else corner, settings, axes)
    close = dot(origin, normal)
    distance = close / ratio
    origin = origin + _shift_in_plane(settings, origin, fast, slow, distance * axes.beam)
    _check_place(settings, close, distance, corner is not None)
    if corner is not None:
        _say_what_the_corner_overrules(settings, distance, close)
    panel = Panel(n_fast, n_slow, (pixel, pixel), origin, fast, slow, normal, distance, close)
    return _detector(settings, axes, (panel,), center, pivot, (detsize_f, detsize_s))


def _detector(
    settings: Settings,
    axes: Axes,
    panels: tuple[Panel, ...],
    center: Center,
    pivot: Pivot,
    detsize: tuple[float, float],
) -> Detector:
    """Put panels, sensor and center together."""
    layers = sensor_layers(settings.detector.detector_thick, settings.detector.detector_thicksteps)
    mu = settings.detector.detector_mu
    if layers.extent > 0.0 and mu < 0.0:
        mu = 1.0 / layers.extent
    sensor = Sensor(layers.extent, layers.count, layers.step, mu, panels[0].sensor.material)
    return Detector(
        panels=tuple(panel if panel.sensor.thickness else replace(panel, sensor=sensor) for panel in panels),
        center=final_center(center, panels[0], axes.beam),
        curved=settings.detector.curved_detector,
        point_pixel=settings.detector.point_pixel,
        placement=Placement(pivot, *detsize, settings.detector.twotheta),
    )


def _placed_detector(settings: Settings, axes: Axes) -> Detector:
    """Take panels from where the settings put them; beam center and size are those of the first."""
    panels = placed_panels(settings, axes.beam)
    source = placed_by(settings) or "panels"
    if settings.detector.curved_detector and len(panels) > 1:
        raise InputError(
            f"{called('curved')}: contradicts {source}: {len(panels)} panels cannot be one curved detector"
        )
    first = panels[0]
    # In memory all of them have the size of the largest.
    n_fast, n_slow = (max(sizes) for sizes in zip(*((panel.n_fast, panel.n_slow) for panel in panels), strict=True))
    _check_pixels(lambda: source, len(panels), n_fast, n_slow)
    spot = first.distance * axes.beam - first.origin
    fast, slow = dot(first.fast, spot), dot(first.slow, spot)
    fclose, sclose = -dot(first.origin, first.fast), -dot(first.origin, first.slow)
    center = Center(fast, slow, fast, slow, fclose, sclose, fclose, sclose)
    detsize = (first.pixel_sizes[0] * first.n_fast, first.pixel_sizes[1] * first.n_slow)
    return _detector(settings, axes, panels, center, Pivot.SAMPLE, detsize)


def _turned(v: Array, settings: Settings, axes: Axes) -> Array:
    """Turn a vector with the detector: about the laboratory's axes, then about the 2theta axis."""
    turned = rotate_xyz(
        v, settings.detector.detector_rotx, settings.detector.detector_roty, settings.detector.detector_rotz
    )
    return rotate_about(turned, axes.twotheta, settings.detector.twotheta)


def _shift_in_plane(settings: Settings, origin: Array, fast: Array, slow: Array, spot: Array) -> Array:
    """Return the way by which the detector must slide for the beam to meet it where -beam_center_fast, _slow say."""
    way = np.zeros(3)
    for wanted, axis in ((settings.detector.beam_fast, fast), (settings.detector.beam_slow, slow)):
        if wanted is not None:
            way = way + (dot(spot - origin, axis) - wanted) * axis
    return way


def _distances(settings: Settings, axes: Axes) -> tuple[float, float]:
    """Distance of the plane's closest point [m], and its ratio to that along the beam, before 2theta."""
    turn = (settings.detector.detector_rotx, settings.detector.detector_roty, settings.detector.detector_rotz)
    ratio = dot(axes.beam, rotate_xyz(axes.normal, *turn))
    if ratio == 0.0:
        ratio = float(np.finfo(np.float64).tiny)
    close = settings.detector.close_distance
    return abs(ratio * settings.detector.distance) if close is None else close, ratio


def final_center(center: Center, panel: Panel, beam: Array) -> BeamCenter:
    """Work out the beam center and the foot point anew from where the panel has come to stand."""
    beam_spot = panel.distance * beam - panel.origin
    fclose, sclose = -dot(panel.origin, panel.fast), -dot(panel.origin, panel.slow)
    x, y, z = (float(v) for v in panel.origin)
    return BeamCenter(
        Xbeam=center.Xbeam,
        Ybeam=center.Ybeam,
        Fbeam=dot(panel.fast, beam_spot),
        Sbeam=dot(panel.slow, beam_spot),
        Xclose=center.Xclose,
        Yclose=center.Yclose,
        Fclose=fclose,
        Sclose=sclose,
        ORGX=fclose / panel.pixel_sizes[0] + 0.5,
        ORGY=sclose / panel.pixel_sizes[1] + 0.5,
        dials_origin_mm=(1000.0 * z, 1000.0 * y, 1000.0 * -x),
    )


def _size(settings: Settings) -> tuple[int, int, float, float]:
    """Pixels and edge lengths [m]; pixel counts beat edge lengths (nanoBragg.c:1119-1129)."""
    pixel = settings.detector.pixel_size
    detsize_f = pixel * settings.detector.pixels_fast if settings.detector.pixels_fast else settings.detector.detsize_f
    detsize_s = pixel * settings.detector.pixels_slow if settings.detector.pixels_slow else settings.detector.detsize_s
    n_fast = math.ceil(detsize_f / pixel - 0.5)
    n_slow = math.ceil(detsize_s / pixel - 0.5)
    if n_fast < 1 or n_slow < 1:
        raise InputError(
            f"{called('detsize')}: {n_fast} x {n_slow} pixels of {pixel * 1e3:g} mm; at least 1 x 1 is needed"
        )
    _check_pixels(lambda: f"{called('detpixels')}, {called('detsize')}", n_fast, n_slow)
    return n_fast, n_slow, detsize_f, detsize_s


def _check_pixels(source: Callable[[], str], *sizes: int) -> None:
    """Refuse more pixels than memory holds or an image may have; `source` tells what asks for them."""
    count = math.prod(sizes)
    needed = BYTES_PER_PIXEL * count
    free = too_little_memory(needed)
    if count <= MAX_PIXELS and free is None:
        return
    place = f"{source()}: {' x '.join(map(str, sizes))}"
    if count > MAX_PIXELS:
        raise InputError(f"{place} pixels would need {gigabytes(needed)} GB; at most {MAX_PIXELS} pixels")
    raise InputError(f"{place} pixels need {gigabytes(needed)} GB of memory; {gigabytes(free or 0)} GB are free")


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _beam_center(settings: Settings, pixel: float, detsize_f: float, detsize_s: float) -> tuple[Center, Pivot]:
    """Beam center and pivot of each convention (nanoBragg.c:1152-1272)."""
    fclose = (settings.detector.ORGX - 0.5) * pixel if settings.detector.ORGX is not None else detsize_f / 2.0
    sclose = (settings.detector.ORGY - 0.5) * pixel if settings.detector.ORGY is not None else detsize_s / 2.0
    xclose, yclose = _or(settings.detector.Xclose, fclose), _or(settings.detector.Yclose, sclose)
    kind = settings.detector.convention
    if kind is Convention.ADXV:
        xbeam = _or(settings.detector.Xbeam, (detsize_f + pixel) / 2.0)
        ybeam = _or(settings.detector.Ybeam, (detsize_s - pixel) / 2.0)
        fbeam, sbeam, pivot = xbeam, detsize_s - ybeam, Pivot.BEAM
    elif kind in (Convention.MOSFLM, Convention.DENZO):
        xbeam = _or(settings.detector.Xbeam, (detsize_s + pixel) / 2.0)
        ybeam = _or(settings.detector.Ybeam, (detsize_f + pixel) / 2.0)
        shift = 0.5 if kind is Convention.MOSFLM else 0.0
        fbeam, sbeam, pivot = ybeam + shift * pixel, xbeam + shift * pixel, Pivot.BEAM
    else:
        xbeam, ybeam = _or(settings.detector.Xbeam, xclose), _or(settings.detector.Ybeam, yclose)
        fbeam, sbeam, pivot = xbeam, ybeam, Pivot.SAMPLE
    if kind is Convention.CUSTOM:
        fclose, sclose, pivot = xbeam, ybeam, settings.detector.pivot_by_order
    if settings.semantics is Semantics.EXACT and settings.detector.pivot_explicit is not None:
        # C differs: every convention but custom forgets -pivot, and in custom a later option overrides it.
        if settings.detector.pivot_explicit is Pivot.SAMPLE and pivot is Pivot.BEAM and kind is not Convention.CUSTOM:
            fclose = fclose if settings.detector.ORGX is not None else _or(settings.detector.Xclose, fbeam)
            sclose = sclose if settings.detector.ORGY is not None else _or(settings.detector.Yclose, sbeam)
        pivot = settings.detector.pivot_explicit
    return Center(xbeam, ybeam, fbeam, sbeam, xclose, yclose, fclose, sclose), pivot


def _explicit_corner(settings: Settings) -> Array | None:
    """Corner of the first pixel before rotations, where -pix0_vector is honored [m]."""
    # C differs: it reads the vector and overwrites it for either pivot.
    if settings.detector.pix0_vector is None or settings.semantics is Semantics.C:
        return None
    if settings.detector.beam_center_given:
        logger.warning(f"{called('pix0_vector')} is not used: the beam center given by other options wins")
        return None
    return vector(settings.detector.pix0_vector)


def _say_what_the_corner_overrules(settings: Settings, distance: float, close: float) -> None:
    """Tell the user of distances that contradict a -pix0_vector."""
    if settings.detector.distance_given and abs(settings.detector.distance - distance) > 1e-6 * abs(distance):
        typed = settings.detector.distance * 1e3
        logger.warning(
            f"{called('pix0_vector')} puts the detector at {distance * 1e3:g} mm: {called('distance_mm')} {typed:g} "
            "is not used"
        )
    # -close_distance, or what the header of an -img or a -mask says.
    typed_close = settings.detector.close_distance
    if typed_close is not None and abs(typed_close - close) > 1e-6 * abs(close):
        logger.warning(
            f"{called('pix0_vector')} puts the closest point of the detector's plane at {close * 1e3:g} mm: "
            f"a close distance of {typed_close * 1e3:g} is not used"
        )


def _check_place(settings: Settings, close: float, distance: float, by_corner: bool) -> None:
    """Refuse a detector that passes through the sample or lies at no finite distance."""
    if by_corner and (close == 0.0 or not math.isfinite(close)):
        x, y, z = (v * 1e3 for v in settings.detector.pix0_vector or (0.0, 0.0, 0.0))
        raise InputError(
            f"{called('pix0_vector')}: with its corner at {x:g} {y:g} {z:g} mm the detector plane passes through "
            "the sample; "
            "it must not"
        )
    if not math.isfinite(close) or not math.isfinite(distance):
        raise InputError(
            f"{called('distance_mm')}, {called('detector_rotx')}/y/z: the beam is parallel to the detector plane"
        )
    if close == 0.0 and settings.detector.distance == 0.0 and not settings.detector.distance_given:
        header = (
            f"{called('header_file')} {settings.detector.header_file}"
            if settings.detector.header_file is not None
            else f"{called('mask')} {settings.detector.mask_file}"
        )
        raise InputError(f"{header}: DISTANCE is 0; give {called('distance_mm')} MM, other than 0")
    if close == 0.0:
        raise InputError(
            f"{called('distance_mm')}: the detector plane passes through the sample (distance "
            f"{settings.detector.distance * 1e3:g} "
            "mm); its distance must not be 0"
        )
