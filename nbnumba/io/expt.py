"""DIALS experiment lists (.expt): beam, detector, goniometer, scan and crystal of the first experiment.

JSON as dxtbx writes it: lists of models, and experiments that name their models by number. Lengths are in mm,
the crystal and the wavelength in Angstrom, angles in degrees.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.panel import PanelGeometry
from ..util.text import quote
from .atomic import PathLike
from .opening import label, read_text

Array = NDArray[np.float64]

_KIND = "ExperimentList"
# What dxtbx takes where a file says nothing.
_POLARIZATION_NORMAL = (0.0, 1.0, 0.0)
_POLARIZATION_FRACTION = 0.999
_NO_ROTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
_SCAN_POINTS = ("A_at_scan_points", "s0_at_scan_points", "setting_rotation_at_scan_points")

_ROUNDING = 1e-6  # by which axes may miss a right angle, and rotations being one
_DEEPEST = 100  # groups within groups
_SMALLEST, _BIGGEST = 1e-50, 1e50  # sizes that mean something, as on the command line


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
        From 0 to 1; half for an unpolarised beam.
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


def is_expt(text: str) -> bool:
    """Tell whether a text can only be meant as an experiment list."""
    return text.lstrip().startswith("{")


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
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{label(option, path, error.lineno)}: not JSON, so no .expt: {error.msg}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{where}: not an .expt: numbers too long or lists too deep") from None
    if not isinstance(content, dict) or content.get("__id__") != _KIND:
        raise InputError(f'{where}: not an .expt: it does not say "__id__": "{_KIND}"')
    root = _Node(content, "", where)
    experiments = root.list("experiment")
    if not experiments:
        raise InputError(f"{where}: holds no experiment")
    first = experiments[0]
    models = {name: _model(root, first, name) for name in ("beam", "detector", "goniometer", "scan", "crystal")}
    beam, detector = models["beam"], models["detector"]
    if beam is None or detector is None:
        raise InputError(f"{where}: the experiment has no {'beam' if beam is None else 'detector'}")
    direction, wavelength, normal, fraction = _beam(beam)
    axis, fixed, setting = _goniometer(models["goniometer"])
    phi, width = _scan(models["scan"])
    crystal = models["crystal"]
    reciprocal = None if crystal is None else (setting @ fixed @ _reciprocal(crystal)).T
    return Expt(
        beam=direction,
        wavelength_A=wavelength,
        polarization_normal=normal,
        polarization_fraction=fraction,
        panels=_panels(detector),
        rotation_axis=setting @ axis,
        phi_deg=phi,
        width_deg=width,
        reciprocal_A=reciprocal,
        remarks=tuple(_remarks(where, len(experiments), models)),
    )


class _Node:
    """A JSON object with the place where it stands, for messages."""

    def __init__(self, content: dict[str, Any], place: str, where: str) -> None:
        self.content, self.place, self.where = content, place, where

    def __contains__(self, key: str) -> bool:
        return self.content.get(key) is not None

    def fail(self, key: str, found: str) -> NoReturn:
        raise InputError(f"{self.where}: {'.'.join(filter(None, (self.place, key)))}: {found}")

    def get(self, key: str) -> Any:
        if key not in self:
            self.fail(key, "is missing")
        return self.content[key]

    def list(self, key: str) -> list[_Node]:
        """Return a list of objects."""
        items = self.get(key)
        if not isinstance(items, list):
            self.fail(key, f"a list is needed, not {_shown(items)}")
        prefix = f"{self.place}.{key}" if self.place else key
        for i, item in enumerate(items):
            if not isinstance(item, dict):
                self.fail(f"{key}[{i}]", f"an object is needed, not {_shown(item)}")
        return [_Node(item, f"{prefix}[{i}]", self.where) for i, item in enumerate(items)]

    def number(self, key: str, default: float | None = None) -> float:
        if key not in self and default is not None:
            return default
        value = self.get(key)
        number = _finite(value)
        if number is None:
            self.fail(key, f"a finite number is needed, not {_shown(value)}")
        return number

    def numbers(self, key: str, count: int, default: tuple[float, ...] | None = None) -> Array:
        if key not in self and default is not None:
            return np.array(default)
        values = self.get(key)
        numbers = [_finite(value) for value in values] if isinstance(values, list) else []
        if len(numbers) != count or None in numbers:
            self.fail(key, f"{count} finite numbers are needed, not {_shown(values)}")
        return np.array(numbers, dtype=np.float64)

    def unit_vector(self, key: str, default: tuple[float, ...] | None = None) -> Array:
        vector = self.numbers(key, 3, default)
        size = math.hypot(*vector)
        if size < _SMALLEST:
            self.fail(key, f"a direction is needed, not {_shown(vector.tolist())}")
        return np.asarray(vector / size)

    def rotation(self, key: str) -> Array:
        matrix = self.numbers(key, 9, _NO_ROTATION).reshape(3, 3)
        if np.abs(matrix @ matrix.T - np.eye(3)).max() > _ROUNDING or np.linalg.det(matrix) < 0.0:
            self.fail(key, f"a rotation matrix is needed, not {_shown(matrix.ravel().tolist())}")
        return matrix

    def index(self, key: str, count: int) -> int:
        """Return a number that counts from 0 to below `count`."""
        value = self.get(key)
        if isinstance(value, str):
            self.fail(key, f"it stands in another file, {quote(value)}; only files that hold all models are read")
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
            self.fail(key, f"is {_shown(value)}; there are {count} to choose from, counted from 0")
        return value


def _finite(value: Any) -> float | None:
    """Return a JSON number, None for what is none or too large; NaN and Infinity, which Python reads, are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= _BIGGEST else None


def _shown(value: Any) -> str:
    """Return a value of a file for a message, not too long."""
    if isinstance(value, dict):
        return "an object"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _model(root: _Node, experiment: _Node, name: str) -> _Node | None:
    """Return the model that an experiment names, None where it names none."""
    if name not in experiment:
        return None
    models = root.list(name)
    return models[experiment.index(name, len(models))]


def _beam(beam: _Node) -> tuple[Array, float | None, Array, float]:
    """Return direction, wavelength [Angstrom], normal of the polarisation and its fraction."""
    # dxtbx: the direction points from the sample to the source.
    direction = -beam.unit_vector("direction")
    wavelength = None
    if beam.content.get("__id__") != "polychromatic":
        wavelength = beam.number("wavelength")
        if wavelength < _SMALLEST:
            beam.fail("wavelength", f"is {wavelength:g} Angstrom; it must be greater than 0")
    normal = beam.unit_vector("polarization_normal", _POLARIZATION_NORMAL)
    if math.hypot(*np.cross(normal, direction)) < _ROUNDING:
        beam.fail("polarization_normal", "lies along the beam")
    fraction = beam.number("polarization_fraction", _POLARIZATION_FRACTION)
    if not 0.0 <= fraction <= 1.0:
        beam.fail("polarization_fraction", f"is {fraction:g}; allowed is 0 to 1")
    return direction, wavelength, normal, fraction


def _goniometer(goniometer: _Node | None) -> tuple[Array, Array, Array]:
    """Return axis, fixed and setting rotation: a crystal at an angle phi is S R(axis, phi) F A."""
    if goniometer is None:
        return np.array([1.0, 0.0, 0.0]), np.eye(3), np.eye(3)
    if "axes" in goniometer:
        return _several_axes(goniometer)
    axis = goniometer.unit_vector("rotation_axis")
    return axis, goniometer.rotation("fixed_rotation"), goniometer.rotation("setting_rotation")


def _several_axes(goniometer: _Node) -> tuple[Array, Array, Array]:
    """Return the same of a goniometer of several axes, the first of which is next to the crystal."""
    rows = goniometer.get("axes")
    count = len(rows) if isinstance(rows, list) else 0
    axes = _Node({str(i): row for i, row in enumerate(rows)} if count else {}, "goniometer axis", goniometer.where)
    angles = goniometer.numbers("angles", count)
    scanned = goniometer.index("scan_axis", count)
    fixed, setting = np.eye(3), np.eye(3)
    for i in range(count):
        turn = _turn(axes.unit_vector(str(i)), math.radians(angles[i]))
        if i < scanned:
            fixed = turn @ fixed
        elif i > scanned:
            setting = turn @ setting
    return axes.unit_vector(str(scanned)), fixed, setting


def _turn(axis: Array, angle: float) -> Array:
    """Return the matrix of a right-handed turn about a unit vector [rad], Rodrigues' formula."""
    x, y, z = axis
    across = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + math.sin(angle) * across + (1.0 - math.cos(angle)) * (across @ across))


def _scan(scan: _Node | None) -> tuple[float, float]:
    """Return start and width of the first image [deg]."""
    if scan is None:
        return 0.0, 0.0
    if "properties" in scan:
        properties = scan.get("properties")
        if not isinstance(properties, dict):
            scan.fail("properties", f"an object is needed, not {_shown(properties)}")
        return _angles_of_images(_Node(properties, f"{scan.place}.properties", scan.where))
    if "oscillation" not in scan:
        return 0.0, 0.0
    start, width = scan.numbers("oscillation", 2)
    return float(start), float(width)


def _angles_of_images(properties: _Node) -> tuple[float, float]:
    """Return the same from the start of every image."""
    starts = properties.content.get("oscillation")
    if not isinstance(starts, list) or not starts:
        return 0.0, 0.0
    start = properties.numbers("oscillation", len(starts))
    if len(starts) > 1:
        return float(start[0]), float(start[1] - start[0])
    widths = properties.content.get("oscillation_width")
    width = properties.numbers("oscillation_width", 1)[0] if isinstance(widths, list) and widths else 0.0
    return float(start[0]), float(width)


def _reciprocal(crystal: _Node) -> Array:
    """Return the matrix A of columns a*, b*, c* [1/Angstrom]."""
    real = np.array([crystal.numbers(f"real_space_{axis}", 3) for axis in "abc"])
    lengths = np.linalg.norm(real, axis=1)
    if not np.all(lengths > _SMALLEST) or abs(np.linalg.det(real / lengths[:, None])) < _ROUNDING:
        crystal.fail("real_space_a, _b, _c", "the three vectors lie in one plane or are zero")
    return np.linalg.inv(real)


def _panels(detector: _Node) -> tuple[PanelGeometry, ...]:
    """Return the panels in their order, each carried from its group's frame to the laboratory's."""
    panels = detector.list("panels")
    if not panels:
        detector.fail("panels", "the detector has no panel")
    frames = [_LABORATORY] * len(panels)
    if "hierarchy" in detector:
        hierarchy = detector.get("hierarchy")
        if not isinstance(hierarchy, dict):
            detector.fail("hierarchy", f"an object is needed, not {_shown(hierarchy)}")
        found = dict(_leaves(_Node(hierarchy, f"{detector.place}.hierarchy", detector.where), _LABORATORY, len(panels)))
        for i in range(len(panels)):
            if i not in found:
                detector.fail("hierarchy", f"panel {i} is in no group")
        frames = [found[i] for i in range(len(panels))]
    return tuple(_panel(panel, frame) for panel, frame in zip(panels, frames, strict=True))


_Frame = tuple[Array, Array]
"""Axes as the columns of a matrix, and an origin [mm]."""

_LABORATORY: _Frame = (np.eye(3), np.zeros(3))


def _leaves(group: _Node, parent: _Frame, count: int, depth: int = 0) -> Iterator[tuple[int, _Frame]]:
    """Yield the number of every panel in a group with the frame that its vectors are relative to."""
    if depth > _DEEPEST:
        group.fail("children", f"groups within groups, more than {_DEEPEST} deep")
    frame = _frame_in(parent, group) if "origin" in group else parent
    for child in group.list("children"):
        if "panel" in child:
            yield child.index("panel", count), frame
        else:
            yield from _leaves(child, frame, count, depth + 1)


def _frame_in(parent: _Frame, node: _Node) -> _Frame:
    """Return the frame of a group or panel, in the laboratory."""
    fast, slow = node.unit_vector("fast_axis"), node.unit_vector("slow_axis")
    if abs(float(fast @ slow)) > _ROUNDING:
        node.fail("slow_axis", "is not at right angles to fast_axis")
    axes, origin = parent
    local = np.column_stack([fast, slow, np.cross(fast, slow)])
    return axes @ local, origin + axes @ node.numbers("origin", 3)


def _panel(panel: _Node, parent: _Frame) -> PanelGeometry:
    axes, origin = _frame_in(parent, panel)
    size = panel.numbers("image_size", 2)
    pixel = panel.numbers("pixel_size", 2)
    if not (np.all(size >= 1.0) and np.all(size == np.floor(size)) and np.all(size <= 1e9)):
        panel.fail("image_size", f"is {_shown(panel.get('image_size'))}; two whole numbers of at least 1 are needed")
    if not np.all(pixel >= _SMALLEST):
        panel.fail("pixel_size", f"is {_shown(panel.get('pixel_size'))}; two sizes greater than 0 are needed")
    return PanelGeometry(
        n_fast=int(size[0]),
        n_slow=int(size[1]),
        pixel_sizes=(float(pixel[0]) / 1000.0, float(pixel[1]) / 1000.0),
        origin=origin / 1000.0 + 0.0,  # no minus zero, which commands would show
        fast=axes[:, 0] + 0.0,
        slow=axes[:, 1] + 0.0,
    )


def _remarks(where: str, experiments: int, models: dict[str, _Node | None]) -> Iterator[str]:
    """Say what of the file does not count, though it changes a picture."""
    if experiments > 1:
        yield f"{where}: holds {experiments} experiments; the first one counts"
    if any(key in model for model in models.values() if model is not None for key in _SCAN_POINTS):
        yield f"{where}: models that vary along the scan are not used; their means are"
    beam = models["beam"]
    probe = beam.content.get("probe", "x-ray") if beam is not None else "x-ray"
    if probe != "x-ray":
        yield f"{where}: the beam is of {quote(str(probe))}; what is drawn is the scattering of X-rays"
