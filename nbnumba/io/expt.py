"""DIALS experiment lists (.expt): beam, detector, goniometer, scan and crystal of the first experiment.

JSON as dxtbx writes it: lists of models, and experiments that name their models by number. Lengths are in mm,
the crystal and the wavelength in Angstrom, angles in degrees.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.panel import PanelGeometry
from ..util.text import quote
from .atomic import PathLike
from .expt_schema import BeamEntry, CrystalEntry, DetectorEntry, GoniometerEntry, Group, PanelEntry, Root, Scan
from .opening import label, read_text
from .validated import Vector, converted, failure, shown

Array = NDArray[np.float64]

_KIND = "ExperimentList"
# What dxtbx takes where a file says nothing.
_POLARIZATION_NORMAL = (0.0, 1.0, 0.0)
_POLARIZATION_FRACTION = 0.999

_ROUNDING = 1e-6  # by which axes may miss a right angle, and rotations being one
_DEEPEST = 100  # groups within groups
_SMALLEST = 1e-50  # sizes that mean something, as on the command line


@dataclass(frozen=True)
class _Place:
    """Where in a file a model stands, for messages."""

    where: str
    name: str

    def fail(self, key: str, found: str) -> NoReturn:
        raise failure(self.where, f"{self.name}.{key}", found)

    def inside(self, key: str) -> _Place:
        return _Place(self.where, f"{self.name}.{key}")


@dataclass(frozen=True, eq=False)
class Expt:
    """The first experiment of a list; vectors in the laboratory frame of the file.

    Attributes
    ----------
    beam : (3,)
        Unit vector of the beam, from the source to the sample.
    wavelength_A : float or None
        None for a polychromatic beam.
    polarization_normal : (3,)
        Unit vector across the beam and across its electric field.
    polarization_fraction : float
        From 0 to 1; half for an unpolarized beam.
    panels : tuple of PanelGeometry
    rotation_axis : (3,)
        Unit vector of the spindle as it is mounted, the setting rotation included.
    phi_deg, width_deg : float
        Start and width of the scan's first image; 0 and 0 without a scan.
    reciprocal_A : (3, 3) [1/Angstrom] or None
        Rows a*, b*, c* at the spindle angle 0, fixed and setting rotation included; None without a crystal.
    remarks : tuple of str
        What of the file does not count.
    """

    beam: Array
    wavelength_A: float | None
    polarization_normal: Array
    polarization_fraction: float
    panels: tuple[PanelGeometry, ...]
    rotation_axis: Array
    phi_deg: float
    width_deg: float
    reciprocal_A: Array | None
    remarks: tuple[str, ...]


def read(path: PathLike, option: str = "-expt") -> Expt:
    """Read the first experiment of a file.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no experiment list, or what it holds cannot be drawn.
    """
    return parse(read_text(path, option), path, option)


def parse(text: str, path: PathLike, option: str = "-expt") -> Expt:
    """Read the first experiment from the text of a file.

    Raises
    ------
    InputError
        As `read`.
    """
    where = label(option, path)
    try:
        content = json.loads(text)  # dxtbx writes Infinity, which msgspec's own reader refuses
    except json.JSONDecodeError as error:
        raise InputError(f"{label(option, path, error.lineno)}: not JSON, so no .expt: {error.msg}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{where}: not an .expt: numbers too long or lists too deep") from None
    if not isinstance(content, dict) or content.get("__id__") != _KIND:
        raise InputError(f'{where}: not an .expt: it does not say "__id__": "{_KIND}"')
    root = converted(content, Root, where)
    if not root.experiment:
        raise InputError(f"{where}: holds no experiment")
    beam, beam_place = _model(root, "beam", BeamEntry, where)
    detector, detector_place = _model(root, "detector", DetectorEntry, where)
    goniometer, goniometer_place = _model(root, "goniometer", GoniometerEntry, where)
    scan, scan_place = _model(root, "scan", Scan, where)
    crystal, crystal_place = _model(root, "crystal", CrystalEntry, where)
    if beam is None or detector is None:
        raise InputError(f"{where}: the experiment has no {'beam' if beam is None else 'detector'}")
    direction, wavelength, normal, fraction = _beam(beam, beam_place)
    axis, fixed, setting = _mounting(goniometer, goniometer_place)
    phi, width = _angles(scan, scan_place)
    reciprocal = None if crystal is None else (setting @ fixed @ _reciprocal(crystal, crystal_place)).T
    return Expt(
        beam=direction,
        wavelength_A=wavelength,
        polarization_normal=normal,
        polarization_fraction=fraction,
        panels=_panels(detector, detector_place),
        rotation_axis=setting @ axis,
        phi_deg=phi,
        width_deg=width,
        reciprocal_A=reciprocal,
        remarks=tuple(_remarks(where, len(root.experiment), (beam, detector, goniometer, crystal))),
    )


_M = TypeVar("_M")


def _model(root: Root, name: str, kind: type[_M], where: str) -> tuple[_M | None, _Place]:
    """Return the model that the first experiment names, None where it names none, and its place in the file."""
    number, models = getattr(root.experiment[0], name), getattr(root, name)
    here = _Place(where, "experiment[0]")
    if number is None:
        return None, here
    if models is None:
        raise failure(where, name, "is missing")
    if isinstance(number, str):
        here.fail(name, f"it stands in another file, {quote(number)}; only files that hold all models are read")
    _check_index(number, len(models), here, name)
    place = _Place(where, f"{name}[{number}]")
    return converted(models[number], kind, where, place.name), place


def _check_index(number: int, count: int, place: _Place, key: str) -> None:
    if not 0 <= number < count:
        place.fail(key, f"is {number}; there are {count} to choose from, counted from 0")


def _unit_vector(values: Sequence[float], place: _Place, key: str) -> Array:
    size = math.hypot(*values)
    if size < _SMALLEST:
        place.fail(key, f"a direction is needed, not {shown(list(values))}")
    return np.asarray(np.array(values) / size)


def _rotation(values: Sequence[float] | None, place: _Place, key: str) -> Array:
    if values is None:
        return np.eye(3)
    matrix = np.reshape(np.array(values, dtype=np.float64), (3, 3))
    if np.abs(matrix @ matrix.T - np.eye(3)).max() > _ROUNDING or np.linalg.det(matrix) < 0.0:
        place.fail(key, f"a rotation matrix is needed, not {shown(list(values))}")
    return matrix


def _beam(beam: BeamEntry, place: _Place) -> tuple[Array, float | None, Array, float]:
    """Return direction, wavelength [Angstrom], normal of the polarization and its fraction."""
    # dxtbx: the direction points from the sample to the source.
    direction = -_unit_vector(beam.direction, place, "direction")
    wavelength = None
    if beam.kind != "polychromatic":
        if beam.wavelength is None:
            place.fail("wavelength", "is missing")
        wavelength = beam.wavelength
        if wavelength < _SMALLEST:
            place.fail("wavelength", f"is {wavelength:g} Å; it must be greater than 0")
    normal = _unit_vector(beam.polarization_normal or _POLARIZATION_NORMAL, place, "polarization_normal")
    if math.hypot(*np.cross(normal, direction)) < _ROUNDING:
        place.fail("polarization_normal", "lies along the beam")
    fraction = _POLARIZATION_FRACTION if beam.polarization_fraction is None else beam.polarization_fraction
    if not 0.0 <= fraction <= 1.0:
        place.fail("polarization_fraction", f"is {fraction:g}; allowed is 0 to 1")
    return direction, wavelength, normal, fraction


def _mounting(goniometer: GoniometerEntry | None, place: _Place) -> tuple[Array, Array, Array]:
    """Return axis, fixed and setting rotation: a crystal at an angle phi is S R(axis, phi) F A."""
    if goniometer is None:
        return np.array([1.0, 0.0, 0.0]), np.eye(3), np.eye(3)
    if goniometer.axes is not None:
        return _several_axes(goniometer, goniometer.axes, place)
    if goniometer.rotation_axis is None:
        place.fail("rotation_axis", "is missing")
    return (
        _unit_vector(goniometer.rotation_axis, place, "rotation_axis"),
        _rotation(goniometer.fixed_rotation, place, "fixed_rotation"),
        _rotation(goniometer.setting_rotation, place, "setting_rotation"),
    )


def _several_axes(goniometer: GoniometerEntry, axes: Sequence[Vector], place: _Place) -> tuple[Array, Array, Array]:
    """Return the same of a goniometer of several axes, the first of which is next to the crystal."""
    count, angles, scanned = len(axes), goniometer.angles, goniometer.scan_axis
    if angles is None or len(angles) != count:
        found = "is missing" if angles is None else f"{count} finite numbers are needed, not {shown(angles)}"
        place.fail("angles", found)
    if scanned is None:
        place.fail("scan_axis", "is missing")
    _check_index(scanned, count, place, "scan_axis")
    directions = [_unit_vector(axis, place, f"axes[{number}]") for number, axis in enumerate(axes)]
    fixed, setting = np.eye(3), np.eye(3)
    for number, (axis, angle) in enumerate(zip(directions, angles, strict=True)):
        turn = _turn(axis, math.radians(angle))
        if number < scanned:
            fixed = turn @ fixed
        elif number > scanned:
            setting = turn @ setting
    return directions[scanned], fixed, setting


def _turn(axis: Array, angle: float) -> Array:
    """Return the matrix of a right-handed turn about a unit vector [rad], Rodrigues' formula."""
    x, y, z = axis
    across = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + math.sin(angle) * across + (1.0 - math.cos(angle)) * (across @ across))


def _angles(scan: Scan | None, place: _Place) -> tuple[float, float]:
    """Return start and width of the first image [deg]."""
    if scan is None or (scan.properties is None and scan.oscillation is None):
        return 0.0, 0.0
    if scan.properties is None:
        return scan.oscillation or (0.0, 0.0)
    starts, widths = scan.properties.oscillation, scan.properties.oscillation_width
    if not starts:
        return 0.0, 0.0
    if len(starts) > 1:
        return starts[0], starts[1] - starts[0]
    if widths and len(widths) > 1:
        place.inside("properties").fail("oscillation_width", f"1 finite number is needed, not {shown(widths)}")
    return starts[0], widths[0] if widths else 0.0


def _reciprocal(crystal: CrystalEntry, place: _Place) -> Array:
    """Return the matrix A of columns a*, b*, c* [1/Angstrom]."""
    real = np.array([crystal.real_space_a, crystal.real_space_b, crystal.real_space_c])
    lengths = np.linalg.norm(real, axis=1)
    if not np.all(lengths > _SMALLEST) or abs(np.linalg.det(real / lengths[:, None])) < _ROUNDING:
        place.fail("real_space_a, _b, _c", "the three vectors lie in one plane or are zero")
    return np.linalg.inv(real)


def _panels(detector: DetectorEntry, place: _Place) -> tuple[PanelGeometry, ...]:
    """Return the panels in their order, each carried from its group's frame to the laboratory's."""
    panels = detector.panels
    if not panels:
        place.fail("panels", "the detector has no panel")
    frames = [_LABORATORY] * len(panels)
    if detector.hierarchy is not None:
        found = dict(_leaves(detector.hierarchy, place.inside("hierarchy"), _LABORATORY, len(panels)))
        for number in range(len(panels)):
            if number not in found:
                place.fail("hierarchy", f"panel {number} is in no group")
        frames = [found[number] for number in range(len(panels))]
    return tuple(
        _panel(panel, place.inside(f"panels[{number}]"), frame)
        for number, (panel, frame) in enumerate(zip(panels, frames, strict=True))
    )


_Frame = tuple[Array, Array]
"""Axes as the columns of a matrix, and an origin [mm]."""

_LABORATORY: _Frame = (np.eye(3), np.zeros(3))


def _leaves(group: Group, place: _Place, parent: _Frame, count: int, depth: int = 0) -> Iterator[tuple[int, _Frame]]:
    """Yield the number of every panel in a group with the frame that its vectors are relative to."""
    if depth > _DEEPEST:
        place.fail("children", f"groups within groups, more than {_DEEPEST} deep")
    frame = _frame_of_group(parent, group, place)
    if group.children is None:
        place.fail("children", "is missing")
    for number, child in enumerate(group.children):
        here = place.inside(f"children[{number}]")
        if child.panel is None:
            yield from _leaves(child, here, frame, count, depth + 1)
        else:
            _check_index(child.panel, count, here, "panel")
            yield child.panel, frame


def _frame_of_group(parent: _Frame, group: Group, place: _Place) -> _Frame:
    """Return the frame of a group, that of the group around it where it has none."""
    if group.origin is None:
        return parent
    for key, axis in (("fast_axis", group.fast_axis), ("slow_axis", group.slow_axis)):
        if axis is None:
            place.fail(key, "is missing")
    assert group.fast_axis is not None
    assert group.slow_axis is not None
    return _frame_in(parent, (group.fast_axis, group.slow_axis, group.origin), place)


def _frame_in(parent: _Frame, vectors: tuple[Vector, Vector, Vector], place: _Place) -> _Frame:
    """Return the frame of fast axis, slow axis and origin in the laboratory."""
    fast, slow = _unit_vector(vectors[0], place, "fast_axis"), _unit_vector(vectors[1], place, "slow_axis")
    if abs(float(fast @ slow)) > _ROUNDING:
        place.fail("slow_axis", "is not at right angles to fast_axis")
    axes, origin = parent
    local = np.column_stack([fast, slow, np.cross(fast, slow)])
    return axes @ local, origin + axes @ np.array(vectors[2])


def _panel(panel: PanelEntry, place: _Place, parent: _Frame) -> PanelGeometry:
    axes, origin = _frame_in(parent, (panel.fast_axis, panel.slow_axis, panel.origin), place)
    n_fast, n_slow = panel.image_size
    if not all(1.0 <= size <= 1e9 and size == math.floor(size) for size in panel.image_size):
        place.fail("image_size", f"is [{n_fast:g}, {n_slow:g}]; two whole numbers of at least 1 are needed")
    fast_mm, slow_mm = panel.pixel_size
    if not min(fast_mm, slow_mm) >= _SMALLEST:
        place.fail("pixel_size", f"is [{fast_mm:g}, {slow_mm:g}]; two sizes greater than 0 are needed")
    return PanelGeometry(
        n_fast=int(n_fast),
        n_slow=int(n_slow),
        pixel_sizes=(fast_mm / 1000.0, slow_mm / 1000.0),
        origin=origin / 1000.0 + 0.0,  # no minus zero, which commands would show
        fast=axes[:, 0] + 0.0,
        slow=axes[:, 1] + 0.0,
    )


def _remarks(
    where: str, experiments: int, models: tuple[BeamEntry, DetectorEntry, GoniometerEntry | None, CrystalEntry | None]
) -> Iterator[str]:
    """Yield what is ignored of the file though it changes an image."""
    beam, detector, goniometer, crystal = models
    if experiments > 1:
        yield f"{where}: holds {experiments} experiments; the first one counts"
    scanned = [beam.s0_at_scan_points]
    scanned += [] if goniometer is None else [goniometer.setting_rotation_at_scan_points]
    scanned += [] if crystal is None else [crystal.A_at_scan_points]
    if any(points is not None for points in scanned):
        yield f"{where}: models that vary along the scan are not used; their means are"
    if beam.probe not in (None, "x-ray"):
        yield f"{where}: the beam is of {quote(str(beam.probe))}; what is drawn is the scattering of X-rays"
    panel = detector.panels[0]
    strategy = panel.px_mm_strategy
    if strategy is not None and strategy.type == "ParallaxCorrectedPxMmStrategy" and panel.thickness and panel.mu:
        yield (
            f"{where}: its sensor is not drawn, so that spots stand where there is no parallax; "
            f"-detector_thick {panel.thickness * 1e3:g} -detector_abs {1e3 / panel.mu:g} draws it"
        )
