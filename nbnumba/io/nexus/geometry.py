"""The geometry of any NXmx file: its modules, beam and goniometer, carried along their chains of transformations.

The frame is that of the file, McStas': z along the beam, y up.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...geometry.mounting import Mounting, StandingAxis, axis_names
from ...geometry.panel import PlacedPanel
from ...geometry.vectors import rotation_matrix
from ..atomic import PathLike
from ..guarded import read_apart
from ..opening import label
from .checksums import check
from .file import read_any
from .filters import register_filters

if TYPE_CHECKING:
    import h5py

Array = NDArray[np.float64]
_Transformation = tuple[Array, Array]
"""Rotation (3, 3) and translation (3,) [m]: x becomes R x + t."""

_LENGTHS = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "micron": 1e-6, "microns": 1e-6, "micrometer": 1e-6, "cm": 1e-2}
_LENGTHS |= {"meter": 1.0, "meters": 1.0, "metre": 1.0, "millimeter": 1e-3, "angstrom": 1e-10, "nm": 1e-9, "pm": 1e-12}
_ANGLES = {"deg": math.pi / 180.0, "degree": math.pi / 180.0, "degrees": math.pi / 180.0, "rad": 1.0, "radian": 1.0}
_ANGLES["radians"] = 1.0
_LONGEST_CHAIN = 1000
_LARGEST = 1e9
_NO_SENSOR = 1e-8  # m; thinner ones stand for none
_MATERIALS = {"si": "Si", "silicon": "Si", "cdte": "CdTe", "gaas": "GaAs"}


@dataclass(frozen=True, eq=False)
class NxGeometry:
    """What a file says.

    Attributes
    ----------
    panels : tuple of PlacedPanel
        One for each module, in the order of their names.
    wavelength_A : float or None
        Of the image that was asked for; of a spectrum the mean.
    rotation_axis : (3,) or None
        Unit vector of the axis that the crystal turns about during the exposure, all outer axes included.
    phi_deg, width_deg : float
        Where that axis stands when the image begins, and by how much it turns.
    mounting : Mounting or None
        The goniometer's other axes; None where it has none.
    remarks : tuple of str
        What of the file does not count.
    """

    panels: tuple[PlacedPanel, ...]
    wavelength_A: float | None
    rotation_axis: Array | None
    phi_deg: float
    width_deg: float
    mounting: Mounting | None
    remarks: tuple[str, ...]


def read_geometry(path: PathLike, option: str = "", image: int = 0) -> NxGeometry:
    """Read the geometry of one image of a file.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no NXmx file, or something of its geometry is missing or malformed.
    """
    if check(path, option, foreign=False):
        return read_unchecked(path, option, image)
    return read_apart(read_unchecked, os.fspath(path), option, image)


def read_unchecked(path: PathLike, option: str, image: int) -> NxGeometry:
    """Read what `read_geometry` does in this process, whatever the HDF5 library does with the file."""
    where = label(option, path)
    register_filters()
    with read_any(path, option) as file:
        try:
            return _Reader(file, where, image).geometry()
        except InputError:
            raise
        except (ArithmeticError, AttributeError, IndexError, KeyError, OSError, TypeError, ValueError) as error:
            raise InputError(f"{where}: its geometry makes no sense: {error}") from error


@dataclass(frozen=True)
class _Reader:
    """An open file."""

    file: h5py.File
    where: str
    image: int

    def geometry(self) -> NxGeometry:
        entry = self._first(self.file, "NXentry")
        instrument = self._first(entry, "NXinstrument")
        detectors = [group for group in self._all(instrument, "NXdetector") if self._all(group, "NXdetector_module")]
        if not detectors:
            self._fail("/".join(filter(None, (str(instrument.name),))), "holds no NXdetector with modules")
        detector, remarks = detectors[0], []
        if len(detectors) > 1:
            remarks.append(f"{self.where}: holds {len(detectors)} detectors; {detector.name} counts")
        axis, phi, width, mounting = self._goniometer(entry)
        return NxGeometry(
            panels=tuple(self._panels(detector)),
            wavelength_A=self._wavelength_A(entry, instrument),
            rotation_axis=axis,
            mounting=mounting,
            phi_deg=phi,
            width_deg=width,
            remarks=tuple(remarks),
        )

    def _fail(self, place: str, what: str) -> NoReturn:
        raise InputError(f"{self.where}: {place}: {what}")

    def _all(self, parent: Any, kind: str) -> list[h5py.Group]:
        import h5py

        groups = [item for item in parent.values() if isinstance(item, h5py.Group)]
        return [group for group in groups if _text(group.attrs.get("NX_class", "")) == kind]

    def _first(self, parent: Any, kind: str) -> h5py.Group:
        found = self._all(parent, kind)
        if not found:
            self._fail(str(parent.name), f"holds no {kind}")
        return found[0]

    def _panels(self, detector: h5py.Group) -> list[PlacedPanel]:
        mask = self._mask(detector)
        panels = []
        for module in self._all(detector, "NXdetector_module"):
            name = str(module.name).rsplit("/", 1)[-1]
            origin, fast, slow, sizes = self._module_axes(module)
            n_slow, n_fast = self._pair(module, "data_size")
            if n_slow < 1 or n_fast < 1 or n_slow * n_fast > 2**31 - 1:
                self._fail(str(module.name), f"data_size is {n_slow} x {n_fast} pixels")
            # Ours state the sensor of a module where the sensors differ.
            thickness, material = self._sensor(module if "sensor_thickness" in module else detector)
            panels.append(
                PlacedPanel(
                    n_fast=n_fast, n_slow=n_slow, pixel_sizes=sizes, origin=origin, fast=fast, slow=slow, name=name,
                    thickness=thickness, material=material, parallax=thickness > 0.0,
                    bad=self._bad(module, mask, n_slow, n_fast),
                )
            )  # fmt: skip
        return panels

    def _module_axes(self, module: h5py.Group) -> tuple[Array, Array, Array, tuple[float, float]]:
        """Return corner, fast, slow and the edges of a pixel."""
        vectors, sizes, corner = [], [], np.zeros(3)
        for name in ("fast_pixel_direction", "slow_pixel_direction"):
            if name not in module:
                self._fail(str(module.name), f"has no {name}")
            axis = module[name]
            turn, shift = self._chain(_text(axis.attrs.get("depends_on", ".")), axis)
            if name == "fast_pixel_direction":
                corner = turn @ self._offset(axis) + shift
            vectors.append(turn @ self._vector(axis))
            size = self._value(axis) * self._unit(axis, _LENGTHS)
            if not 0.0 < size <= _LARGEST:
                self._fail(str(axis.name), f"is {size:g} m; the edge of a pixel is greater than 0")
            sizes.append(size)
        return corner, vectors[0], vectors[1], (sizes[0], sizes[1])

    def _pair(self, module: h5py.Group, name: str) -> tuple[int, int]:
        """Return the last two numbers of a data set of whole numbers: slow and fast."""
        numbers = np.ravel(module[name][()])
        if len(numbers) < 2:
            self._fail(f"{module.name}/{name}", "holds fewer than two numbers")
        return int(numbers[-2]), int(numbers[-1])

    def _chain(self, depends_on: str, start: Any) -> _Transformation:
        """Return the transformation from where a chain begins to the laboratory."""
        turn, shift = np.eye(3), np.zeros(3)
        for axis in self._axes(depends_on, start):
            rotation, translation = self._transformation(axis)
            turn, shift = rotation @ turn, rotation @ shift + translation
        return turn, shift

    def _axes(self, depends_on: str, start: Any) -> list[Any]:
        """Return the axes of a chain, the outermost last."""
        axes, here = [], start
        while depends_on not in (".", ""):
            parent = here.parent if hasattr(here, "shape") else here
            place = depends_on if depends_on.startswith("/") else f"{parent.name}/{depends_on}"
            if place not in self.file:
                self._fail(str(here.name), f"depends on {depends_on}, which there is not")
            here = self.file[place]
            axes.append(here)
            if len(axes) > _LONGEST_CHAIN:
                self._fail(str(start.name), "its chain of transformations has no end")
            depends_on = _text(here.attrs.get("depends_on", "."))
        return axes

    def _transformation(self, axis: Any) -> _Transformation:
        kind, value, vector = _text(axis.attrs.get("transformation_type", "")), self._value(axis), self._vector(axis)
        offset = self._offset(axis)
        if kind == "rotation":
            return rotation_matrix(vector, value * self._unit(axis, _ANGLES)), offset
        if kind == "translation":
            return np.eye(3), vector * (value * self._unit(axis, _LENGTHS)) + offset
        self._fail(str(axis.name), f"transformation_type is {kind!r}; rotation or translation is needed")

    def _value(self, axis: Any, index: int | None = None) -> float:
        values = np.ravel(np.asarray(axis[()], dtype=np.float64))
        if len(values) == 0:
            self._fail(str(axis.name), "holds no number")
        value = float(values[min(self.image if index is None else index, len(values) - 1)])
        if not abs(value) <= _LARGEST:
            self._fail(str(axis.name), f"is {value:g}; a finite number is needed")
        return value

    def _unit(self, axis: Any, known: dict[str, float], name: str = "units") -> float:
        unit = _text(axis.attrs.get(name, "")).strip()
        if unit.lower() not in known:
            self._fail(str(axis.name), f"{name} are {unit!r}; known: {', '.join(known)}")
        return known[unit.lower()]

    def _vector(self, axis: Any) -> Array:
        vector = np.asarray(axis.attrs.get("vector", ()), dtype=np.float64)
        if vector.shape != (3,) or not 0.0 < np.linalg.norm(vector) <= _LARGEST:
            self._fail(str(axis.name), "has no vector of three numbers")
        return vector / np.linalg.norm(vector)

    def _offset(self, axis: Any) -> Array:
        offset = np.asarray(axis.attrs.get("offset", np.zeros(3)), dtype=np.float64)
        if offset.shape != (3,) or not np.linalg.norm(offset) <= _LARGEST:
            self._fail(str(axis.name), "its offset is not three finite numbers")
        if not offset.any():
            return offset
        return offset * self._unit(axis, _LENGTHS, "offset_units" if "offset_units" in axis.attrs else "units")

    def _sensor(self, detector: h5py.Group) -> tuple[float, str]:
        """Return thickness [m] and material of the sensor; 0 and nothing where there is none."""
        if "sensor_thickness" not in detector:
            return 0.0, ""
        thickness = self._value(detector["sensor_thickness"]) * self._unit(detector["sensor_thickness"], _LENGTHS)
        if not thickness > _NO_SENSOR:
            return 0.0, ""
        named = _text(detector["sensor_material"][()]) if "sensor_material" in detector else ""
        return thickness, _MATERIALS.get(named.strip().lower(), named)

    def _mask(self, detector: h5py.Group) -> Any:
        for place in ("pixel_mask", "detectorSpecific/pixel_mask"):
            if place in detector:
                return detector[place]
        return None

    def _bad(self, module: h5py.Group, mask: Any, n_slow: int, n_fast: int) -> NDArray[np.bool_] | None:
        """Return the pixels of a module that the file's mask marks; None where there are none."""
        if mask is None:
            return None
        origin = (
            np.ravel(module["data_origin"][()]).astype(int) if "data_origin" in module else np.zeros(mask.ndim, int)
        )
        if len(origin) < mask.ndim or np.any(origin < 0):
            return None
        slow, fast = int(origin[-2]), int(origin[-1])
        front = tuple(int(place) for place in origin[len(origin) - mask.ndim : -2])
        part = np.asarray(mask[(*front, slice(slow, slow + n_slow), slice(fast, fast + n_fast))])
        if part.shape != (n_slow, n_fast):
            self._fail(str(mask.name), f"does not cover {module.name}")
        bad = part != 0
        return bad if bad.any() else None

    def _wavelength_A(self, entry: h5py.Group, instrument: h5py.Group) -> float | None:
        samples = self._all(entry, "NXsample")
        for parent in (instrument, *samples):
            for beam in self._all(parent, "NXbeam"):
                if "incident_wavelength" in beam:
                    return self._mean_wavelength(beam)
        return None

    def _mean_wavelength(self, beam: h5py.Group) -> float:
        wavelength = beam["incident_wavelength"]
        scale = self._unit(wavelength, _LENGTHS) * 1e10
        values = np.ravel(np.asarray(wavelength[()], dtype=np.float64))
        weights = beam.get("incident_wavelength_weights")
        if weights is not None and np.shape(weights)[-1:] == values.shape:
            weight = np.atleast_2d(np.asarray(weights[()], dtype=np.float64))
            weight = weight[min(self.image, len(weight) - 1)]
            value = float(np.sum(values * weight) / np.sum(weight)) * scale
        else:
            value = self._value(wavelength) * scale
        if not 0.0 < value <= _LARGEST:
            self._fail(str(wavelength.name), f"is {value:g} Angstrom; it must be greater than 0")
        return value

    def _goniometer(self, entry: h5py.Group) -> tuple[Array | None, float, float, Mounting | None]:
        """Return the axis that turns, where it stands, by how much it turns during the image [deg], and the others."""
        samples = self._all(entry, "NXsample")
        if not samples or "depends_on" not in samples[0]:
            return None, 0.0, 0.0, None
        axes = self._axes(_text(samples[0]["depends_on"][()]), samples[0])
        rotations = [i for i, axis in enumerate(axes) if _text(axis.attrs.get("transformation_type", "")) == "rotation"]
        if not rotations:
            return None, 0.0, 0.0, None
        widths = {i: self._width(axes[i]) for i in rotations}
        turning = next((i for i in rotations if widths[i] != 0.0), rotations[0])
        names = axis_names([str(axes[i].name).rsplit("/", 1)[-1] for i in rotations], len(rotations))
        inner, outer = (
            tuple(self._standing(axes[i], name) for i, name in zip(rotations, names, strict=True) if chosen(i))
            for chosen in (turning.__gt__, turning.__lt__)
        )
        mounting = Mounting(inner, outer, names[rotations.index(turning)])
        direction = self._vector(axes[turning])
        for axis in axes[turning + 1 :]:
            direction = self._transformation(axis)[0] @ direction
        degrees = math.degrees(self._unit(axes[turning], _ANGLES))
        phi_deg, width_deg = self._value(axes[turning]) * degrees, widths[turning] * degrees
        return direction, phi_deg, width_deg, mounting if mounting.stands else None

    def _standing(self, axis: Any, name: str) -> StandingAxis:
        x, y, z = (float(value) for value in self._vector(axis))
        return StandingAxis(name, (x, y, z), self._value(axis) * self._unit(axis, _ANGLES))

    def _width(self, axis: Any) -> float:
        """Return by how much an axis turns during the image, in its own unit."""
        for ending in ("_end", "_increment_set"):
            name = f"{axis.name}{ending}"
            if name in self.file:
                value = self._value(self.file[name])
                return value - self._value(axis) if ending == "_end" else value
        starts = np.ravel(np.asarray(axis[()], dtype=np.float64))
        if len(starts) < 2:
            return 0.0
        at = min(self.image, len(starts) - 2)
        return float(starts[at + 1] - starts[at])


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
