"""Images to be converted: what a file holds, and what it says about the experiment."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..beam.frames import MCSTAS_TO_IMGCIF
from ..crystal.model import Crystal
from ..errors import InputError, NbnumbaError
from ..experiment.geometry_only import build_geometry, crystal_of_vectors
from ..experiment.ground_truth import GroundTruth, partial_truth
from ..experiment.model import Geometry
from ..geometry.panel import PanelGeometry
from ..io import cbf, floatfile, smv
from ..io.opening import is_regular, opened
from ..parameters.choices import Convention, Vector
from ..parameters.command import CommandLine
from ..parameters.parser import parse_with_files
from ..parameters.settings import Settings
from ..util.messages import logger

# What is not known without the vectors of the crystal; whole numbers stand in the file all the same.
_OF_CRYSTAL = ("A_matrix_imgcif", "U_matrix", "cell", "cells", "mosaic_spread_deg", "mosaic_domains", "mosaic_seed")
_SHAPES = {"A_matrix": (3, 3), "A_matrix_imgcif": (3, 3), "U_matrix": (3, 3), "cell": (6,), "cells": (3,)}
# What a header should say, and the options that say it instead.
_SAY = {
    "PIXEL_SIZE": {"-pixel"},
    "DISTANCE": {"-distance", "-close_distance"},
    "WAVELENGTH": {"-lambda", "-energy"},
    "BEAM_CENTER_X": set[str](),
}
_PEDESTAL = 40.0  # of an SMV image that states none: what C adds


@dataclass(frozen=True, eq=False)
class Picture:
    """An image with all that is known of it.

    Attributes
    ----------
    pixels : (n_slow, n_fast) or (n_panels, n_slow, n_fast) array [photons/pixel]
        Of any type of number, without pedestal.
    pedestal : float or None
        What the file added to them; None where the format has none.
    """

    name: str
    pixels: NDArray[Any]
    pedestal: float | None
    geometry: Geometry
    crystal: Crystal | None
    truth: GroundTruth


def kind_of(path: str) -> str:
    """Return "smv", "cbf", "h5" or, for everything else, "float"."""
    with opened(path) as file:
        if not is_regular(file):
            raise InputError(f"{path}: is a pipe; convert looks into its files more than once, save it first")
        start = file.read(16)
    for sign, kind in ((b"{\nHEADER_BYTES", "smv"), (b"###CBF", "cbf"), (b"\x89HDF\r\n\x1a\n", "h5")):
        if start.startswith(sign):
            return kind
    return "float"


def count(path: str) -> int:
    """Return how many images a file holds."""
    from ..io.nexus import read as nexus

    return nexus.image_count(path) if kind_of(path) == "h5" else 1


def pictures(path: str, words: Sequence[str]) -> Iterator[Picture]:
    """Read the images of a file.

    Parameters
    ----------
    path : str
    words : sequence of str
        Options of the command line, which override what headers say.

    Raises
    ------
    InputError, FileError
        The file or an option is not what it should be, or the size of the image is not the detector's.
    """
    readers: dict[str, Callable[[str, Sequence[str]], Iterator[Picture]]] = {
        "float": _of_float,
        "smv": _of_smv,
        "cbf": _of_cbf,
        "h5": _of_h5,
    }
    return readers[kind_of(path)](path, words)


def _of_float(path: str, words: Sequence[str]) -> Iterator[Picture]:
    command, _ = parse_with_files(words)
    known = build_geometry(command.settings)
    panels = known[0].detector.panels
    shape = (len(panels) * panels[0].n_slow, panels[0].n_fast)
    pixels = floatfile.read(path, shape)
    not_finite = floatfile.not_finite(pixels)
    if not_finite is not None:
        logger.warning(f"{path}: {not_finite}")
    if len(panels) > 1:
        pixels = pixels.reshape(len(panels), panels[0].n_slow, panels[0].n_fast)
    yield _picture(path, pixels, None, known)


def _of_smv(path: str, words: Sequence[str]) -> Iterator[Picture]:
    typed, _ = parse_with_files(words)
    image = smv.read(path)
    said: list[str] = []
    if "-img" not in typed.used:
        said += ["-img", path]
        if not _gives_beam_center(typed):
            said += _beam_center_words(image)
        _note_unsaid(path, image, typed)
        _note_tilt(path, image, typed)
    command, _ = parse_with_files([*said, *words])
    pedestal = _pedestal(path, image, command)
    pixels = image.data.astype(np.float32) - np.float32(pedestal)
    yield _picture(path, pixels, pedestal, build_geometry(command.settings))


def _beam_center_words(header: smv.SmvHeader) -> list[str]:
    """Return the beam centre in a form that depends on no convention, where a header has it."""
    slow, fast = header.value_of("DENZO_X_BEAM"), header.value_of("DENZO_Y_BEAM")
    if math.isnan(slow) or math.isnan(fast):
        return []
    return ["-beam_center_fast", repr(fast), "-beam_center_slow", repr(slow)]


def _gives_beam_center(command: CommandLine) -> bool:
    settings = command.settings
    return (
        settings.detector.beam_center_given
        or settings.detector.beam_fast is not None
        or settings.detector.beam_slow is not None
        or settings.detector.pix0_vector is not None
        or bool(settings.detector.panels)
    )


def _note_unsaid(path: str, header: smv.SmvHeader, typed: CommandLine) -> None:
    """Name what neither the header nor the options tell, so that a default takes its place."""
    given = {key for key, options in _SAY.items() if options & set(typed.used)}
    if _gives_beam_center(typed) or not math.isnan(header.value_of("DENZO_X_BEAM")):
        given.add("BEAM_CENTER_X")
    unsaid = [key for key in _SAY if key not in given and math.isnan(header.value_of(key))]
    if unsaid and "-expt" not in typed.used:
        logger.warning(
            f"{path}: its header does not say {', '.join(unsaid)}; without an option for it the default is taken"
        )


def _note_tilt(path: str, header: smv.SmvHeader, typed: CommandLine) -> None:
    """Say that a header hints at a tilt, unless the user gives one."""
    tilts = {"-twotheta", "-detector_rotx", "-detector_roty", "-detector_rotz", "-fdet_vector", "-sdet_vector", "-expt"}
    if tilts & set(typed.used):
        return
    close, along = header.value_of("CLOSE_DISTANCE"), header.value_of("DISTANCE")
    twotheta = header.value_of("TWOTHETA")
    # Six digits are written.
    if (twotheta != 0.0 and not math.isnan(twotheta)) or abs(close - along) > 1e-5 * abs(along):
        logger.warning(
            f"{path}: its detector was tilted, which the header cannot tell exactly; give the options that tilt it"
        )


def _pedestal(path: str, header: smv.SmvHeader, command: CommandLine) -> float:
    if "-adc" in command.used:
        return command.output.adc
    for key in ("IMAGE_PEDESTAL", "ADC_OFFSET"):
        value = header.value_of(key)
        if not math.isnan(value):
            return value
    logger.warning(
        f"{path}: its header states no offset; {_PEDESTAL:g} is subtracted, as nanoBragg adds it (-adc N: another)"
    )
    return _PEDESTAL


def _of_cbf(path: str, words: Sequence[str]) -> Iterator[Picture]:
    typed, _ = parse_with_files(words)
    pixels, fields = cbf.read_with_header(path)
    n_slow, n_fast = pixels.shape
    said = {
        "-detpixels_f": n_fast,
        "-detpixels_s": n_slow,
        "-pixel": fields.pixel_size * 1e3,
        "-lambda": fields.wavelength * 1e10,
        "-distance": fields.distance * 1e3,
        "-phi": fields.start_angle,
    }
    if fields.exposure > 0.0:
        said["-exposure"] = fields.exposure
    if fields.angle_increment > 0.0:
        said["-osc"] = fields.angle_increment
    if fields.polarization is not None:
        said["-polar"] = 2.0 * fields.polarization - 1.0
    if not _gives_beam_center(typed):
        said["-beam_center_fast"] = fields.beam_fast * fields.pixel_size * 1e3
        said["-beam_center_slow"] = fields.beam_slow * fields.pixel_size * 1e3
    front = [text for key, value in said.items() for text in (key, repr(value))]
    command, _ = parse_with_files([*front, *words])
    yield _picture(path, pixels, None, build_geometry(command.settings))


def _of_h5(path: str, words: Sequence[str]) -> Iterator[Picture]:
    from ..io.nexus import read as nexus
    from ..io.nexus.file import read

    command, _ = parse_with_files(words)
    columns = nexus.read_ground_truth(path)
    needed = {item.name for item in dataclasses.fields(GroundTruth)} | {"panel_origin", "panel_fast", "panel_slow"}
    if not needed <= columns.keys():
        raise InputError(f"{path}: holds no ground truth of nbnumba, so that its geometry is not known")
    with read(path) as file:
        pixel_size = float(file["/entry/instrument/detector/x_pixel_size"][()])
        omega = file.get("/entry/sample/transformations/omega")
        spindle = (1.0, 0.0, 0.0) if omega is None else _vector(omega.attrs["vector"])
    for index in range(nexus.image_count(path)):
        parts = nexus.read_image(path, index)
        try:
            known = {key: _value(column.values[index], column.missing) for key, column in columns.items()}
            picture = _known_picture(path, parts, known, (pixel_size, spindle), command.settings)
        except NbnumbaError:
            raise
        except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:
            raise InputError(f"{path}: its ground truth makes no sense: {error}") from error
        yield picture


def _known_picture(
    path: str,
    parts: Sequence[NDArray[Any]],
    known: dict[str, Any],
    of_file: tuple[float, Vector],
    settings: Settings,
) -> Picture:
    """Put an image together from its panels, its ground truth, and the file's pixel size and spindle axis."""
    pixel_size, spindle = of_file
    panels = tuple(
        PanelGeometry(part.shape[1], part.shape[0], (pixel_size, pixel_size), origin, fast, slow)
        for part, origin, fast, slow in zip(
            parts, known["panel_origin"], known["panel_fast"], known["panel_slow"], strict=True
        )
    )
    settings = settings.changed(
        convention=Convention.CUSTOM,
        beam_vector=(0.0, 0.0, 1.0),
        polar_vector=(1.0, 0.0, 0.0),
        spindle_axis=spindle,
        fdet_vector=_vector(panels[0].fast),
        sdet_vector=_vector(panels[0].slow),
        odet_vector=(0.0, 0.0, 0.0),
        panels=panels,
        pixel_size=pixel_size,
        pixels_fast=panels[0].n_fast,
        pixels_slow=panels[0].n_slow,
        wavelength=float(known["wavelength"]),
        phi=math.radians(known["phi_deg"]),
        osc=math.radians(known["osc_deg"]) if known["osc_deg"] > 0.0 else None,
        reciprocal_A=None,
        matrix_file=None,
        cell_given=False,
    )
    polarization = _or_none(known.get("polarization"))
    if polarization is not None:
        settings = settings.changed(polarization=float(polarization))
    geometry, crystal = build_geometry(settings)
    truth = _truth_in_file_frame(known)
    if truth.A_matrix is not None:
        crystal = crystal_of_vectors(np.asarray(np.linalg.inv(truth.A_matrix) * 1e-10, dtype=np.float64))
    pixels = parts[0] if len(parts) == 1 else np.stack(parts)
    return Picture(path, pixels, None, geometry, crystal, truth)


def _truth_in_file_frame(known: dict[str, Any]) -> GroundTruth:
    """Return the ground truth of an image whose laboratory frame is now that of the file, McStas'."""
    _check_types(known)
    told = {item.name: _or_none(known[item.name]) for item in dataclasses.fields(GroundTruth)}
    if told["A_matrix"] is None:
        told.update(dict.fromkeys(_OF_CRYSTAL))
        return GroundTruth(**told)
    Na, Nb, Nc = (int(cells) for cells in told["cells"])
    A = MCSTAS_TO_IMGCIF @ told["A_matrix_imgcif"]
    turn = A @ np.linalg.inv(told["A_matrix"])
    return GroundTruth(**{**told, "A_matrix": A, "U_matrix": turn @ told["U_matrix"], "cells": (Na, Nb, Nc)})


def _or_none(value: Any) -> Any:
    """Return None for what stands for an unknown quantity in a file: no text, or no number."""
    if isinstance(value, str):
        return value or None
    if value is None or np.asarray(value).dtype.kind != "f":
        return value
    return value if np.all(np.isfinite(value)) else None


def _check_types(known: dict[str, Any]) -> None:
    """Refuse texts where numbers should be, the reverse, and arrays of other shapes."""
    for item in dataclasses.fields(GroundTruth):
        value, kind = known[item.name], str(item.type)
        if "str" in kind:
            good = isinstance(value, str) or (value is None and "None" in kind)
        elif value is None:
            good = "None" in kind
        else:
            good = np.shape(value) == _SHAPES.get(item.name, ()) and np.asarray(value).dtype.kind in "fiu"
        if not good:
            raise ValueError(f"{item.name} is {value!r}")


def _value(value: Any, missing: int | None) -> Any:
    """Return an item of a column as Python has it; None where it stands for nothing."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if missing is not None and value == missing else value


def _vector(values: Any) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _picture(
    path: str, pixels: NDArray[Any], pedestal: float | None, known: tuple[Geometry, Crystal | None]
) -> Picture:
    panel = known[0].detector.panels[0]
    if pixels.shape[-2:] != (panel.n_slow, panel.n_fast):
        raise InputError(
            f"{path}: has {pixels.shape[-1]} x {pixels.shape[-2]} pixels, the detector of the options "
            f"{panel.n_fast} x {panel.n_slow} (fast x slow); the two must be the same"
        )
    return Picture(path, pixels, pedestal, *known, partial_truth(*known))
