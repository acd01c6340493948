"""nonBragg's options put into those of nanoBragg: its detector conventions, sizes and sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..constants import AVOGADRO
from ..errors import InputError
from ..io import smv
from ..util.messages import logger

_PIVOT_SAMPLE = ("Xclose", "Yclose", "ORGX", "ORGY", "close_distance", "twotheta")
_PIVOT_BEAM = ("Xbeam", "Ybeam", "distance")


@dataclass(frozen=True, eq=False)
class NonBraggGeometry:
    """Sizes [m] and places as nonBragg completes them."""

    n_fast: int
    n_slow: int
    pixel: float
    detsize: tuple[float, float]
    words: tuple[str, ...]  # of nanoBragg
    pivot: str


def take_header(values: dict[str, Any]) -> None:
    """Take from the image that -img names what was not typed (nonBragg.c:300-350)."""
    if "img_file" not in values:
        return
    header = smv.read_header(values["img_file"], "-img")
    stated = {
        "pixel": "PIXEL_SIZE",
        "distance": "DISTANCE",
        "close_distance": "CLOSE_DISTANCE",
        "Xbeam": "BEAM_CENTER_X",
        "wavelength": "WAVELENGTH",
        "ORGX": "ORGX",
        "ORGY": "ORGY",
        "phi": "PHI",
        "osc": "OSC_RANGE",
    }
    before: dict[str, Any] = {"n_fast": header.n_fast, "n_slow": header.n_slow}
    for key, keyword in stated.items():
        value = header.value_of(keyword)
        if not math.isnan(value) and not (key == "wavelength" and "energy" in values):
            before[key] = value
    center = header.value_of("BEAM_CENTER_Y")
    if not math.isnan(center):
        before["Ybeam"] = before.get("pixel", 0.1) * header.n_slow - center
    swing = header.value_of("TWOTHETA")
    # C differs: it stores the angle in a variable that nobody reads.
    if not math.isnan(swing) and values.get("semantics") == "exact":
        before["twotheta"] = swing
    for key, value in before.items():
        values.setdefault(key, value)
    values["_from_header"] = set(before)


def resolve(values: dict[str, Any], order: list[str], exact: bool) -> NonBraggGeometry:
    """Work out sizes and the words that place the same detector in nanoBragg.

    Parameters
    ----------
    values : dict
        As typed.
    order : list of str
        Keys in the order of the line; the last one that names a pivot counts.
    exact : bool

    Raises
    ------
    InputError
        For an unknown pivot.
    """
    pixel = values.get("pixel", 0.1) / 1000.0
    both, size = values.get("pixels"), values.get("size", 102.4)
    counts = [values.get("n_fast", both), values.get("n_slow", both)]
    sizes = [values.get(key, size) / 1000.0 for key in ("size_x", "size_y")]
    sizes = [length if count is None else pixel * count for count, length in zip(counts, sizes, strict=True)]
    # C differs: the quotient of a product and its factor may lie above the whole number, and one pixel more is made.
    whole = [math.ceil(length / pixel - (1e-9 if exact else 0.0)) for length in sizes]
    if not all(1 <= count <= 65536 for count in whole):
        raise InputError(f"-detsize: {whole[0]} x {whole[1]} pixels of {pixel * 1e3:g} mm; allowed are 1 to 65536")
    if "twotheta_axis" in order and not exact:
        # C differs: the axis is read as an angle too, its first number.
        if "twotheta" not in order or order.index("twotheta") < order.index("twotheta_axis"):
            values["twotheta"] = values["twotheta_axis"][0]
        order = [*order, "twotheta"] if "pivot" not in order else order
    pivot = _pivot(values, order)
    xclose = values["ORGX"] * pixel if "ORGX" in values else _mm(values, "Xclose", (sizes[0] - pixel) / 2.0)
    yclose = values["ORGY"] * pixel if "ORGY" in values else _mm(values, "Yclose", (sizes[1] + pixel) / 2.0)
    xbeam, ybeam = _mm(values, "Xbeam", xclose), _mm(values, "Ybeam", yclose)
    x, y = (xclose, yclose) if pivot == "sample" else (xbeam, ybeam)
    words = _axes(values)
    words += ["-Xbeam", repr(x * 1000.0), "-Ybeam", repr(y * 1000.0)]
    close = values.get("close_distance")
    distance = values.get("distance", 100.0)
    words += ["-distance", repr(distance)] if close is None else ["-close_distance", repr(close)]
    for key, word in (
        ("twotheta", "-twotheta"),
        ("rotx", "-detector_rotx"),
        ("roty", "-detector_roty"),
        ("rotz", "-detector_rotz"),
    ):
        if key in values:
            words += [word, repr(values[key])]
    words += [
        "-pivot",
        pivot,
        "-detpixels_f",
        str(whole[0]),
        "-detpixels_s",
        str(whole[1]),
        "-pixel",
        repr(pixel * 1000.0),
    ]
    if "pix0_vector" in values:
        logger.warning("-pix0_vector: nonBragg overwrites it; without effect")
    return NonBraggGeometry(whole[0], whole[1], pixel, (sizes[0], sizes[1]), tuple(words), pivot)


def _mm(values: dict[str, Any], key: str, default: float) -> float:
    return float(values[key]) / 1000.0 if key in values else default


def _pivot(values: dict[str, Any], order: list[str]) -> str:
    """Return the pivot that the last of the options says that name one; the beam by default."""
    pivot = "beam"
    for key in order:
        if key == "pivot":
            word = values["pivot"]
            if "sample" not in word and "beam" not in word:
                raise InputError(f"-pivot: {word!r}; allowed are sample and beam")
            pivot = "beam" if "beam" in word else "sample"
        elif key in _PIVOT_SAMPLE:
            pivot = "sample"
        elif key in _PIVOT_BEAM:
            pivot = "beam"
    return pivot


def _axes(values: dict[str, Any]) -> list[str]:
    """Words of all vectors, which make nanoBragg place the detector without a convention."""
    default = {"beam_vector": (1.0, 0.0, 0.0), "fdet_vector": (0.0, 0.0, 1.0), "sdet_vector": (0.0, -1.0, 0.0),
               "polar_vector": (0.0, 0.0, 1.0), "twotheta_axis": (0.0, 1.0, 0.0),
               "spindle_axis": (0.0, 0.0, 1.0)}  # fmt: skip
    vectors = {key: values.get(key, vector) for key, vector in default.items()}
    vectors["odet_vector"] = tuple(np.cross(vectors["fdet_vector"], vectors["sdet_vector"]).tolist())
    words = []
    for key, vector in vectors.items():
        if not any(vector):
            raise InputError(f"-{key}: 0 0 0 has no direction; the vector must not be zero")
        words += [f"-{key}", *(repr(float(v)) for v in vector)]
    return words


@dataclass(frozen=True)
class Sample:
    """The amorphous body [m, g/cm3, g/mol]."""

    x: float
    y: float
    z: float
    density: float
    molar_mass: float
    molecules: float


def sample(values: dict[str, Any], order: list[str]) -> tuple[Sample, list[str]]:
    """Return the sample and the warnings that nonBragg prints (nonBragg.c:855-880)."""
    edges = {"x": 1e-4, "y": 1e-4, "z": 1e-4}
    for key in order:
        if key == "sample_all":
            edges = dict.fromkeys(edges, values[key] / 1000.0)
        elif key in ("sample_x", "sample_y", "sample_z"):
            edges[key[-1]] = values[key] / 1000.0
    beam, lines = values.get("beamsize", 0.1) / 1000.0, []
    for edge, name in (("y", "high"), ("z", "wide")):
        if beam < edges[edge]:
            lines.append(f"WARNING: clipping sample ({edges[edge]:g} m {name}) with beam ({beam:g} m)")
            edges[edge] = beam
    volume, molar_mass = edges["x"] * edges["y"] * edges["z"], values.get("molar_mass", 18.0)
    molecules, density = values.get("molecules", 0.0), values.get("density", 1.0) * 1e6
    if molecules != 0.0:
        density = molecules / volume / AVOGADRO * molar_mass
    molecules = volume * density * AVOGADRO / molar_mass
    return Sample(edges["x"], edges["y"], edges["z"], density / 1e6, molar_mass, molecules), lines
