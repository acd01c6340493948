"""Geometry files of pyFAI (.poni): one flat detector, its distance, point of normal incidence and three rotations."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from ..geometry.panel import PlacedPanel
from ..util.text import quote
from .atomic import PathLike
from .opening import label

Array = NDArray[np.float64]

_LARGEST = 1e9
_NEEDED = ("Distance", "Poni1", "Poni2", "Rot1", "Rot2", "Rot3")

# Pixel edge [m] and pixels along slow and fast of detectors that a file may name without saying more.
_DETECTORS: dict[str, tuple[float, int, int]] = {
    "pilatus100k": (172e-6, 195, 487),
    "pilatus300k": (172e-6, 619, 487),
    "pilatus1m": (172e-6, 1043, 981),
    "pilatus2m": (172e-6, 1679, 1475),
    "pilatus6m": (172e-6, 2527, 2463),
    "eiger500k": (75e-6, 514, 1030),
    "eiger1m": (75e-6, 1065, 1030),
    "eiger4m": (75e-6, 2167, 2070),
    "eiger9m": (75e-6, 3269, 3110),
    "eiger16m": (75e-6, 4371, 4150),
    "eiger2250k": (75e-6, 512, 512),
    "eiger2500k": (75e-6, 512, 1028),
    "eiger21m": (75e-6, 1062, 1028),
    "eiger22mw": (75e-6, 512, 4148),
    "eiger24m": (75e-6, 2162, 2068),
    "eiger29m": (75e-6, 3262, 3108),
    "eiger216m": (75e-6, 4362, 4148),
}


@dataclass(frozen=True)
class Poni:
    """What a file says.

    Attributes
    ----------
    panel : PlacedPanel
        In the frame of pyFAI: axis 1 up, axis 2 across, axis 3 along the beam.
    wavelength_A : float or None
    """

    panel: PlacedPanel
    wavelength_A: float | None


def is_poni(text: str) -> bool:
    """Tell whether a text can only be meant as a .poni file."""
    return all(re.search(rf"^\s*{key}\s*:", text, re.MULTILINE) for key in ("Distance", "Poni1", "Poni2"))


def parse(text: str, path: PathLike, option: str = "", size: tuple[int, int] | None = None) -> Poni:
    """Read the text of a file; of lines that say the same the last counts, as for pyFAI.

    Parameters
    ----------
    text : str
    path : str or path
    option : str
        What named the file, for messages.
    size : (n_fast, n_slow), optional
        Takes the place of the size that the file's detector has.

    Raises
    ------
    InputError
        A value is missing, malformed or not supported.

    Notes
    -----
    The center of pixel (i, j), slow and fast, lies at R ((i + 1/2) p1 - poni1, (j + 1/2) p2 - poni2, distance);
    R turns by -rot1 about axis 1, then by -rot2 about axis 2, then by rot3 about axis 3.
    """
    where = label(option, path)
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and not key.lstrip().startswith("#"):
            values[key.strip().lower()] = value.strip()
    numbers = {key: _number(values, key, where) for key in _NEEDED}
    (edge1, edge2), shape = _detector(values, where)
    if size is not None:
        shape = size[1], size[0]
    if shape is None:
        raise InputError(
            f"{where}: does not tell how many pixels its detector {quote(values.get('detector', ''))} has; give "
            f"{called('pixels_fast')} and {called('pixels_slow')}"
        )
    turn = _turn(numbers["Rot1"], numbers["Rot2"], numbers["Rot3"])
    corner = turn @ np.array([-numbers["Poni1"], -numbers["Poni2"], numbers["Distance"]])
    panel = PlacedPanel(
        n_fast=shape[1],
        n_slow=shape[0],
        pixel_sizes=(edge2, edge1),
        origin=corner,
        fast=turn[:, 1],
        slow=turn[:, 0],
        name=values.get("detector", ""),
    )
    wavelength = _number(values, "Wavelength", where) if values.get("wavelength", "none").lower() != "none" else None
    if wavelength is not None and not wavelength > 0.0:
        raise InputError(f"{where}: Wavelength is {wavelength:g} m; it must be greater than 0")
    return Poni(panel, None if wavelength is None else wavelength * 1e10)


def _number(values: dict[str, str], key: str, where: str) -> float:
    if key.lower() not in values:
        raise InputError(f"{where}: has no line {key}: VALUE")
    text = values[key.lower()]
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: {key} is {quote(text)}; a number is needed") from None
    if not abs(value) <= _LARGEST:
        raise InputError(f"{where}: {key} is {value:g}; a finite number is needed")
    return value


def _turn(rot1: float, rot2: float, rot3: float) -> Array:
    (c1, s1), (c2, s2), (c3, s3) = ((math.cos(angle), math.sin(angle)) for angle in (rot1, rot2, rot3))
    about1 = np.array([[1.0, 0.0, 0.0], [0.0, c1, s1], [0.0, -s1, c1]])
    about2 = np.array([[c2, 0.0, -s2], [0.0, 1.0, 0.0], [s2, 0.0, c2]])
    about3 = np.array([[c3, -s3, 0.0], [s3, c3, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(about3 @ about2 @ about1)


def _detector(values: dict[str, str], where: str) -> tuple[tuple[float, float], tuple[int, int] | None]:
    """Return the edges of a pixel along slow and fast [m], and the pixels along slow and fast where they are told."""
    config = _config(values.get("detector_config", ""), where)
    name = re.sub(r"[^a-z0-9]", "", values.get("detector", "").lower())
    known = _DETECTORS.get(name)
    orientation = config.get("orientation", 3)
    if orientation not in (0, 3):
        raise InputError(f"{where}: the orientation of its detector is {orientation}; only 3, the usual one, is read")
    if config.get("splineFile") or values.get("splinefile", "none").lower() not in ("none", ""):
        raise InputError(f"{where}: its detector is distorted by a spline, which is not read")
    edges = []
    for number in ("1", "2"):
        edge = config.get(f"pixel{number}")
        if edge is None and f"pixelsize{number}" in values:
            edge = _number(values, f"PixelSize{number}", where)
        if edge is None and known is not None:
            edge = known[0]
        if not isinstance(edge, int | float) or not 0.0 < edge <= _LARGEST:
            raise InputError(f"{where}: pixel{number} of its detector is {edge}; a number greater than 0 is needed")
        edges.append(float(edge))
    shape = config.get("max_shape")
    if shape is None:
        return (edges[0], edges[1]), None if known is None else known[1:]
    good = isinstance(shape, list) and len(shape) == 2 and all(isinstance(n, int) and 0 < n < 10**6 for n in shape)
    if not good:
        raise InputError(f"{where}: max_shape of its detector is {quote(str(shape))}; two whole numbers are needed")
    return (edges[0], edges[1]), (shape[0], shape[1])


def _config(text: str, where: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise InputError(f"{where}: Detector_config is {quote(text)}; a JSON object is needed")
    return config
