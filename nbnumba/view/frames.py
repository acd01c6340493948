"""The frames that are looked at: the images of a file, or of all files of a folder."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compare.load import read_image
from ..errors import FileError, InputError, NbnumbaError
from ..experiment.geometry import Geometry
from ..geometry.vectors import rotate_about
from ..imagefiles import load, nexus_read, registry
from ..imagefiles.records import ImageRecord, Source
from ..io.opening import is_folder
from ..parameters.command import CommandLine
from ..util.messages import muted

_ENDINGS = tuple(
    ending for form in registry.FORMATS for ending in form.endings if form not in (registry.PNG, registry.PGM)
)


@dataclass(frozen=True)
class FrameName:
    """Where a frame is: a file, and the image in it, counted from 0."""

    path: str
    index: int
    title: str


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame to be shown.

    Attributes
    ----------
    values : (n_slow, n_fast) float32
        Panels one below the other; NaN where the file says that there is no value.
    about : dict
        What the page needs beside them: see `geometry_of`; empty where the geometry is not known.
    """

    values: NDArray[np.float32]
    about: dict[str, Any]


def list_frames(path: str) -> list[FrameName]:
    """Return the frames of a file or folder, in the order of their names.

    Of a folder with a `shots.h5` or the like, which opens other files as one, the other files count.

    Raises
    ------
    FileError
        The file or folder is missing or cannot be read.
    InputError
        There is no image.
    """
    if not is_folder(path):
        return _frames_of(path)
    try:
        names = sorted(
            (entry for entry in Path(path).iterdir() if entry.is_file()), key=lambda entry: _natural(entry.name)
        )
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
    files = [entry for entry in names if entry.suffix.lower() in _ENDINGS]
    numbered = [entry for entry in files if re.search(r"_\d+$", entry.stem)]
    found = [frame for entry in numbered or files for frame in _frames_of(str(entry))]
    if not found:
        raise InputError(f"{path}: holds no image; known endings are {', '.join(_ENDINGS)}")
    return found


def _natural(name: str) -> list[Any]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _frames_of(path: str) -> list[FrameName]:
    count = load.count(path)
    name = Path(path).name
    return [FrameName(path, index, name if count == 1 else f"{name}, image {index + 1}") for index in range(count)]


def read_frame(frame: FrameName, typed: CommandLine) -> Frame:
    """Read the pixels of a frame and what is known of its geometry.

    Parameters
    ----------
    frame : FrameName
    typed : CommandLine
        Options as for rendering: the geometry of files that do not state it.

    Raises
    ------
    FileError, InputError
        The file cannot be read, or holds no image.
    """
    settings = typed.settings
    fast, slow = settings.detector.pixels_fast, settings.detector.pixels_slow
    with muted():
        loaded = read_image(Source(frame.path, frame.index + 1), (slow, fast) if fast and slow else None)
        record = _record(frame, typed)
    values = loaded.values.astype(np.float32)
    if loaded.left_out is not None:
        values[loaded.left_out] = np.nan
    if record is None:
        return Frame(values, {})
    _blank_masked(values, record.geometry)
    return Frame(values, geometry_of(record))


def _record(frame: FrameName, typed: CommandLine) -> ImageRecord | None:
    """Return the image with its geometry; None where the file does not state it."""
    try:
        form = load.format_of(frame.path)
        if form is registry.NXMX:
            return next(nexus_read.read(frame.path, typed, only=frame.index))
        if not form.geometry and not typed.given:
            return None
        return next(iter(load.read(frame.path, typed)))
    except (NbnumbaError, StopIteration):
        return None


def _blank_masked(values: NDArray[np.float32], geometry: Geometry) -> None:
    panels = geometry.detector.panels
    height = len(values) // len(panels)
    for number, panel in enumerate(panels):
        if panel.mask is not None:
            values[number * height : number * height + panel.n_slow, : panel.n_fast][~panel.mask] = np.nan


def geometry_of(record: ImageRecord) -> dict[str, Any]:
    """Return the geometry of an image as the page uses it.

    Returns
    -------
    dict
        `panels` (origin, fast, slow [m per pixel], size), `beam` (unit vector), `wavelength` [A], and with a crystal
        `cell`: its real-space vectors [A], in the middle of the range of phi.
    """
    beam, spindle = record.geometry.beam, record.geometry.goniometer
    panels = [
        {
            "origin": panel.origin.tolist(),
            "fast": (panel.pixel_sizes[0] * panel.fast).tolist(),
            "slow": (panel.pixel_sizes[1] * panel.slow).tolist(),
            "size": [panel.n_slow, panel.n_fast],
        }
        for panel in record.geometry.detector.panels
    ]
    found: dict[str, Any] = {
        "panels": panels,
        "beam": beam.direction.tolist(),
        "wavelength": beam.wavelength * 1e10,
    }
    if record.crystal is not None:
        middle = spindle.phi + spindle.osc / 2.0
        cell = [rotate_about(v, spindle.spindle, middle) * 1e10 for v in record.crystal.real_space]
        if all(math.isfinite(number) for vector in cell for number in vector):
            found["cell"] = [vector.tolist() for vector in cell]
    return found
