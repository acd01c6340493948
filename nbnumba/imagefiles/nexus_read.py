"""NXmx files of nbnumba read back: images with their geometry and ground truth."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..beam.model import Sources
from ..errors import InputError, NbnumbaError
from ..experiment.geometry_only import build_geometry, crystal_of_vectors
from ..experiment.ground_truth import GroundTruth
from ..geometry.panel import PanelGeometry
from ..geometry.vectors import MCSTAS_TO_IMGCIF, Array
from ..io.nexus import file as nexus_file
from ..io.nexus import layout as nexus_layout
from ..io.nexus import read as nexus
from ..io.nexus import spectrum as nexus_spectrum
from ..io.nexus.rotation import Rotation, read_rotation
from ..parameters.choices import Convention, Semantics, Vector
from ..parameters.command import CommandLine
from ..parameters.settings import Settings
from .records import ImageRecord

# What is not known without the vectors of the crystal; whole numbers stand in the file all the same.
_OF_CRYSTAL = ("A_matrix_imgcif", "U_matrix", "cell", "cells", "mosaic_spread_deg", "mosaic_domains", "mosaic_seed")
_SHAPES = {"A_matrix": (3, 3), "A_matrix_imgcif": (3, 3), "U_matrix": (3, 3), "cell": (6,), "cells": (3,)}


def read(path: str, typed: CommandLine, geometry: bool = True, only: int | None = None) -> Iterator[ImageRecord]:
    """Read the images of a file that nbnumba wrote; its geometry stands, whatever the options say.

    Parameters
    ----------
    path : str
    typed : CommandLine
        Its options.
    geometry : bool
        Without effect: the file states it.
    only : int, optional
        The one image to read, counted from 0.
    """
    columns = nexus.read_ground_truth(path)
    # Fields with a default came later than the format: older files lack them.
    needed = {item.name for item in dataclasses.fields(GroundTruth) if item.default is dataclasses.MISSING}
    if not needed | {"panel_origin", "panel_fast", "panel_slow"} <= columns.keys():
        raise InputError(f"{path}: holds no ground truth of nbnumba, so that its geometry is not known")
    with nexus_file.read(path) as file:
        sizes = nexus.pixel_sizes(file)
        try:
            rotation = read_rotation(file[nexus_layout.SAMPLE])
        except (ArithmeticError, AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError) as error:
            raise InputError(f"{path}: its goniometer makes no sense: {error}") from error
        chosen = range(len(file[nexus_layout.DATA])) if only is None else (only,)
        spectra = [nexus_spectrum.written_by_us(file, index) for index in chosen]
    for index, spectrum in zip(chosen, spectra, strict=True):
        parts = nexus.read_image(path, index)
        try:
            known = {key: _value(column.values[index], column.missing) for key, column in columns.items()}
            if rotation is not None:
                known["A_matrix_imgcif"] = rotation.in_laboratory(known["A_matrix_imgcif"])
            image = _with_spectrum(_known_image(path, parts, known, (sizes, rotation), typed.settings), spectrum)
        except NbnumbaError:
            raise
        except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:
            raise InputError(f"{path}: its ground truth makes no sense: {error}") from error
        yield image


def _known_image(
    path: str,
    parts: Sequence[NDArray[Any]],
    known: dict[str, Any],
    of_file: tuple[Sequence[tuple[float, float]], Rotation | None],
    settings: Settings,
) -> ImageRecord:
    """Put an image together from its panels, its ground truth, and the file's pixel sizes and rotation."""
    sizes, rotation = of_file
    panels = tuple(
        PanelGeometry(part.shape[1], part.shape[0], edges, origin, fast, slow)
        for part, edges, origin, fast, slow in zip(
            parts, sizes, known["panel_origin"], known["panel_fast"], known["panel_slow"], strict=True
        )
    )
    settings = settings.changed(
        convention=Convention.CUSTOM,
        beam_vector=_vector(known.get("beam_direction", (0.0, 0.0, 1.0))),
        polar_vector=(1.0, 0.0, 0.0),
        # The file has a rotation that turns the other way as one about the opposite axis.
        spindle_axis=(1.0, 0.0, 0.0)
        if rotation is None
        else _vector(math.copysign(1.0, known["osc_deg"]) * rotation.axis),
        mounting=None if rotation is None else rotation.mounting,
        fdet_vector=_vector(panels[0].fast),
        sdet_vector=_vector(panels[0].slow),
        odet_vector=(0.0, 0.0, 0.0),
        panels=panels,
        pixel_size=sizes[0][0],
        pixels_fast=panels[0].n_fast,
        pixels_slow=panels[0].n_slow,
        wavelength=float(known["wavelength"]),
        phi=math.radians(known["phi_deg"]),
        osc=math.radians(known["osc_deg"]) if known["osc_deg"] != 0.0 else None,
        # To C a range that turns the other way is not given.
        semantics=Semantics.EXACT if known["osc_deg"] < 0.0 else settings.semantics,
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
    return ImageRecord(pixels, geometry, crystal, truth, path)


def _with_spectrum(image: ImageRecord, spectrum: tuple[Array, Array] | None) -> ImageRecord:
    """Return an image whose beam has the channels of its spectrum [m] and their weights, where there is one."""
    if spectrum is None:
        return image
    wavelengths, weights = spectrum
    beam = image.geometry.beam
    sources = Sources(np.tile(-beam.direction, (len(weights), 1)), weights, wavelengths)
    beam = dataclasses.replace(beam, sources=sources, spectrum_origin=image.truth.spectrum)
    return dataclasses.replace(image, geometry=dataclasses.replace(image.geometry, beam=beam))


def _truth_in_file_frame(known: dict[str, Any]) -> GroundTruth:
    """Return the ground truth of an image whose laboratory frame is now that of the file, McStas'."""
    _check_types(known)
    known = {item.name: _or_none(known.get(item.name)) for item in dataclasses.fields(GroundTruth)}
    if known["A_matrix"] is None:
        known.update(dict.fromkeys(_OF_CRYSTAL))
        return GroundTruth(**known)
    Na, Nb, Nc = (int(cells) for cells in known["cells"])
    A = MCSTAS_TO_IMGCIF @ known["A_matrix_imgcif"]
    turn = A @ np.linalg.inv(known["A_matrix"])
    return GroundTruth(**{**known, "A_matrix": A, "U_matrix": turn @ known["U_matrix"], "cells": (Na, Nb, Nc)})


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
        value, kind = known.get(item.name), str(item.type)
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
