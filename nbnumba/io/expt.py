"""DIALS experiment lists (.expt): beam, detector, goniometer, scan and crystals of one image.

JSON as dxtbx writes it: lists of models, and experiments that name their models by number. Lengths are in mm,
the crystal and the wavelength in Angstrom, angles in degrees.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from ..geometry.mounting import Mounting, StandingAxis, axes_of_rotation, axis_names
from ..geometry.panel import PlacedPanel
from ..util.text import quote
from .atomic import PathLike
from .contents import kept
from .expt_detector import panels_of
from .expt_place import ROUNDING, SMALLEST, Place, check_index, rotation, unit_vector
from .expt_scan import scan_angles, varying_models
from .expt_schema import BeamEntry, CrystalEntry, DetectorEntry, GoniometerEntry, Models, Root, Scan
from .opening import label, read_text
from .validated import Vector, converted, failure, shown

Array = NDArray[np.float64]

_KIND = "ExperimentList"
# What dxtbx takes where a file says nothing.
_POLARIZATION_NORMAL = (0.0, 1.0, 0.0)
_POLARIZATION_FRACTION = 0.999
_MOST_COUNTS = 2.0**31 - 10  # of a trusted range; from there on it says no more than the kind of number


@dataclass(frozen=True, eq=False)
class Expt:
    """What a list says of one image; vectors in the laboratory frame of the file.

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
    panels : tuple of PlacedPanel
    rotation_axis : (3,)
        Unit vector of the spindle as it is mounted, the setting rotation included.
    mounting : Mounting or None
        The goniometer's other axes; None where it has none.
    phi_deg, width_deg : float
        Start and width of the scan's first image; 0 and 0 without a scan.
    reciprocal_A : (3, 3) [1/Angstrom] or None
        Rows a*, b*, c* at the spindle angle 0, fixed and setting rotation included; None without a crystal. Models
        that vary along the scan are those of the middle of the image.
    further_reciprocal_A : tuple of (3, 3)
        The same of the other lattices of the image: of experiments that differ in their crystals alone.
    remarks, panel_remarks : tuple of str
        What of the file does not count; of its panels alone.
    """

    beam: Array
    wavelength_A: float | None
    polarization_normal: Array
    polarization_fraction: float
    panels: tuple[PlacedPanel, ...]
    rotation_axis: Array
    mounting: Mounting | None
    phi_deg: float
    width_deg: float
    reciprocal_A: Array | None
    further_reciprocal_A: tuple[Array, ...]
    remarks: tuple[str, ...]
    panel_remarks: tuple[str, ...]


def read(path: PathLike, option: str = "-expt", number: int | None = None, phi_deg: float | None = None) -> Expt:
    """Read one experiment of a file, or several that are lattices of one image.

    Parameters
    ----------
    path : str or path
    option : str
        What named the file, for messages.
    number : int, optional
        Of the experiment, counted from 0; by default the first one, with all others that differ in their crystals
        alone.
    phi_deg : float, optional
        Where the image starts that models which vary along the scan are wanted for; by default as the scan's first.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no experiment list, or what it holds cannot be drawn.
    """
    return parse(read_text(path, option), path, option, number, phi_deg)


def count(path: PathLike, option: str = "-expt") -> int:
    """Return how many experiments a file holds.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no experiment list.
    """
    return len(_root(read_text(path, option), path, option).experiment)


@kept
def parse(
    text: str, path: PathLike, option: str = "-expt", number: int | None = None, phi_deg: float | None = None
) -> Expt:
    """Read one experiment from the text of a file; see `read`.

    Raises
    ------
    InputError
        As `read`.
    """
    where, root = label(option, path), _root(text, path, option)
    others, lattices = _choose(root, number, where)
    number = number or 0
    beam, beam_place = _model(root, number, "beam", BeamEntry, where)
    detector, detector_place = _model(root, number, "detector", DetectorEntry, where)
    goniometer, goniometer_place = _model(root, number, "goniometer", GoniometerEntry, where)
    scan, scan_place = _model(root, number, "scan", Scan, where)
    if beam is None or detector is None:
        raise InputError(f"{where}: the experiment has no {'beam' if beam is None else 'detector'}")
    direction, wavelength, normal, fraction = _beam(beam, beam_place)
    axis, mounting = _mounting(goniometer, goniometer_place)
    fixed, setting = mounting.fixed, mounting.setting
    angles = scan_angles(scan, scan_place)
    reciprocal: list[Array] = []
    remarks: list[str] = [others] if others else []
    for lattice in lattices:
        crystal, crystal_place = _model(root, lattice, "crystal", CrystalEntry, where)
        varying = varying_models(where, angles, phi_deg, (beam, goniometer, crystal))
        if varying.setting is not None:
            setting = varying.setting
            mounting = Mounting(mounting.inner, axes_of_rotation(setting, "setting"), mounting.scanned)
        if varying.s0 is not None:
            direction = varying.s0 / np.linalg.norm(varying.s0)
            wavelength = 1.0 / float(np.linalg.norm(varying.s0))
        if crystal is not None:
            columns = _reciprocal(crystal, crystal_place) if varying.reciprocal is None else varying.reciprocal
            reciprocal.append((setting @ fixed @ columns).T)
        remarks += [*varying.remarks, *_remarks(where, beam, crystal), *_profile_remarks(where, root, lattice)]
    return Expt(
        beam=direction,
        wavelength_A=wavelength,
        polarization_normal=normal,
        polarization_fraction=fraction,
        panels=panels_of(detector, detector_place),
        rotation_axis=setting @ axis,
        mounting=mounting if mounting.stands else None,
        phi_deg=angles.phi_deg,
        width_deg=angles.width_deg,
        reciprocal_A=reciprocal[0] if reciprocal else None,
        further_reciprocal_A=tuple(reciprocal[1:]),
        remarks=tuple(dict.fromkeys(remarks)),
        panel_remarks=tuple(_panel_remarks(where, detector)),
    )


def _root(text: str, path: PathLike, option: str) -> Root:
    """Return what a file holds."""
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
    return root


def _choose(root: Root, number: int | None, where: str) -> tuple[str, list[int]]:
    """Return what to say of the experiments that do not count, and the numbers of those whose crystals do."""
    count = len(root.experiment)
    if number is not None:
        if not 0 <= number < count:
            raise InputError("expt_number", number, f"names no experiment of {where}; allowed: 0 to {count - 1}")
        return "", [number]
    if count == 1:
        return "", [0]
    choice = f"{called('expt_number')} 0 to {count - 1}"
    if all(_same_image(root, root.experiment[0], other) for other in root.experiment[1:]):
        crystals = {models.crystal: place for place, models in reversed(list(enumerate(root.experiment)))}
        crystals.pop(None, None)
        if len(crystals) > 1:
            said = f"all {len(crystals)} lattices count ({choice} chooses)"
            return f"{where}: holds {count} experiments of one image; {said}", sorted(crystals.values())
    return f"{where}: holds {count} experiments; the first one counts ({choice} chooses)", [0]


def _same_image(root: Root, one: Models, other: Models) -> bool:
    """Tell whether two experiments differ in their crystals alone; files may hold a model twice."""
    for name in ("beam", "detector", "goniometer", "scan"):
        numbers, models = (getattr(one, name), getattr(other, name)), getattr(root, name) or []
        if numbers[0] == numbers[1]:
            continue
        if not all(isinstance(number, int) and 0 <= number < len(models) for number in numbers):
            return False
        if models[numbers[0]] != models[numbers[1]]:
            return False
    return bool(one.imageset == other.imageset)


_M = TypeVar("_M")


def _model(root: Root, experiment: int, name: str, kind: type[_M], where: str) -> tuple[_M | None, Place]:
    """Return the model that an experiment names, None where it names none, and its place in the file."""
    number, models = getattr(root.experiment[experiment], name), getattr(root, name)
    here = Place(where, f"experiment[{experiment}]")
    if number is None:
        return None, here
    if models is None:
        raise failure(where, name, "is missing")
    if isinstance(number, str):
        here.fail(name, f"it stands in another file, {quote(number)}; only files that hold all models are read")
    check_index(number, len(models), here, name)
    place = Place(where, f"{name}[{number}]")
    return converted(models[number], kind, where, place.name), place


def _beam(beam: BeamEntry, place: Place) -> tuple[Array, float | None, Array, float]:
    """Return direction, wavelength [Angstrom], normal of the polarization and its fraction."""
    # dxtbx: the direction points from the sample to the source.
    direction = -unit_vector(beam.direction, place, "direction")
    wavelength = None
    if beam.kind != "polychromatic":
        if beam.wavelength is None:
            place.fail("wavelength", "is missing")
        wavelength = beam.wavelength
        if wavelength < SMALLEST:
            place.fail("wavelength", f"is {wavelength:g} Å; it must be greater than 0")
    normal = unit_vector(beam.polarization_normal or _POLARIZATION_NORMAL, place, "polarization_normal")
    if math.hypot(*np.cross(normal, direction)) < ROUNDING:
        place.fail("polarization_normal", "lies along the beam")
    fraction = _POLARIZATION_FRACTION if beam.polarization_fraction is None else beam.polarization_fraction
    if not 0.0 <= fraction <= 1.0:
        place.fail("polarization_fraction", f"is {fraction:g}; allowed is 0 to 1")
    return direction, wavelength, normal, fraction


def _mounting(goniometer: GoniometerEntry | None, place: Place) -> tuple[Array, Mounting]:
    """Return the axis that turns, where all others stand at 0, and the others."""
    if goniometer is None:
        return np.array([1.0, 0.0, 0.0]), Mounting()
    if goniometer.axes is not None:
        return _several_axes(goniometer, goniometer.axes, place)
    if goniometer.rotation_axis is None:
        place.fail("rotation_axis", "is missing")
    axis = unit_vector(goniometer.rotation_axis, place, "rotation_axis")
    fixed = rotation(goniometer.fixed_rotation, place, "fixed_rotation")
    setting = rotation(goniometer.setting_rotation, place, "setting_rotation")
    return axis, Mounting(axes_of_rotation(fixed, "fixed"), axes_of_rotation(setting, "setting"))


def _several_axes(goniometer: GoniometerEntry, axes: Sequence[Vector], place: Place) -> tuple[Array, Mounting]:
    """Return the same of a goniometer of several axes, the first of which is next to the crystal."""
    count, angles, scanned = len(axes), goniometer.angles, goniometer.scan_axis
    if angles is None or len(angles) != count:
        found = "is missing" if angles is None else f"{count} finite numbers are needed, not {shown(angles)}"
        place.fail("angles", found)
    if scanned is None:
        place.fail("scan_axis", "is missing")
    check_index(scanned, count, place, "scan_axis")
    directions = [unit_vector(axis, place, f"axes[{number}]") for number, axis in enumerate(axes)]
    listed = goniometer.names if isinstance(goniometer.names, list) else []
    names = axis_names([str(name) for name in listed], count)
    standing = [
        StandingAxis(name, (float(axis[0]), float(axis[1]), float(axis[2])), math.radians(angle))
        for name, axis, angle in zip(names, directions, angles, strict=True)
    ]
    return directions[scanned], Mounting(tuple(standing[:scanned]), tuple(standing[scanned + 1 :]), names[scanned])


def _reciprocal(crystal: CrystalEntry, place: Place) -> Array:
    """Return the matrix A of columns a*, b*, c* [1/Angstrom]."""
    real = np.array([crystal.real_space_a, crystal.real_space_b, crystal.real_space_c])
    lengths = np.linalg.norm(real, axis=1)
    if not np.all(lengths > SMALLEST) or abs(np.linalg.det(real / lengths[:, None])) < ROUNDING:
        place.fail("real_space_a, _b, _c", "the three vectors lie in one plane or are zero")
    return np.linalg.inv(real)


def _remarks(where: str, beam: BeamEntry, crystal: CrystalEntry | None) -> Iterator[str]:
    """Yield what is ignored of beam and crystal though it changes an image."""
    if beam.probe not in (None, "x-ray"):
        yield f"{where}: the beam is of {quote(str(beam.probe))}; what is drawn is the scattering of X-rays"
    if crystal is not None and crystal.half_mosaicity:
        yield (
            f"{where}: its crystal has a mosaicity of {2.0 * crystal.half_mosaicity:g} degrees in all, which counts "
            f"only as {called('mosaic_spread_deg')}"
        )
    if crystal is not None and crystal.domain_size_A:
        yield (
            f"{where}: its crystal has mosaic domains of {crystal.domain_size_A:g} Angstrom, which count only as "
            f"{called('crystal_size_mm')} {crystal.domain_size_A * 1e-7:g}"
        )
    if crystal is not None and crystal.mosaicity and not crystal.half_mosaicity:
        yield (
            f"{where}: its crystal has a mosaicity of {crystal.mosaicity:g} degrees, which counts only as "
            f"{called('mosaic_spread_deg')}"
        )


def _profile_remarks(where: str, root: Root, number: int) -> Iterator[str]:
    """Say that a model of how reflections spread with their direction is not used; others say what DIALS integrates."""
    index = root.experiment[number].profile
    profiles = root.profile
    if not isinstance(profiles, list) or not isinstance(index, int) or not 0 <= index < len(profiles):
        return
    profile = profiles[index]
    if isinstance(profile, dict) and "ellipsoid" in str(profile.get("__id__", "")):
        yield (
            f"{where}: its profile model, an ellipsoid of mosaicity, is not used; {called('mosaic_sigmas_deg')} takes "
            "a spread about each axis of the crystal"
        )


def _panel_remarks(where: str, detector: DetectorEntry) -> Iterator[str]:
    """Yield what is ignored of the panels though it changes the numbers of an image."""
    stated = list(_readout(detector))
    if stated:
        names, options = zip(*stated, strict=True)
        yield (
            f"{where}: its panels state {', '.join(names)}; such numbers count only where they are given: "
            + " ".join(options)
        )


def _readout(detector: DetectorEntry) -> Iterator[tuple[str, str]]:
    """Yield what the panels say of their numbers, in words and as the parameter that does it."""
    for name, parameter, plain in (("gain", "gain", 1.0), ("pedestal", "adc", 0.0)):
        values = {getattr(panel, name) for panel in detector.panels} - {None, plain}
        if values:
            value = max(values)
            several = " and others" if len(values) > 1 else ""
            yield f"{name} {value:g}{several}", f"{called(parameter)} {value:g}"
    tops = {panel.trusted_range[1] for panel in detector.panels if panel.trusted_range is not None}
    tops = {top for top in tops if 1.0 < top < _MOST_COUNTS}
    if tops:
        yield f"a trusted range up to {max(tops):g}", f"{called('saturation')} {max(tops):g}"
