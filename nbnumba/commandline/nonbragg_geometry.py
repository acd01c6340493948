"""What nonBragg makes of its options: where its detector stands, its sizes and its sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..constants import AVOGADRO
from ..errors import InputError
from ..io import smv
from ..parameters.choices import Convention, Pivot
from ..parameters.types import DEGREE
from ..util.messages import logger

_PIVOT_SAMPLE = ("Xclose_mm", "Yclose_mm", "ORGX", "ORGY", "close_distance_mm", "twotheta_deg")
_PIVOT_BEAM = ("Xbeam_mm", "Ybeam_mm", "distance_mm")
_AXES = {
    "beam_vector": (1.0, 0.0, 0.0),
    "fdet_vector": (0.0, 0.0, 1.0),
    "sdet_vector": (0.0, -1.0, 0.0),
    "polar_vector": (0.0, 0.0, 1.0),
    "twotheta_axis": (0.0, 1.0, 0.0),
    "spindle_axis": (0.0, 0.0, 1.0),
}


@dataclass(frozen=True, eq=False)
class NonBraggGeometry:
    """Sizes [m] and places as nonBragg completes them."""

    n_fast: int
    n_slow: int
    pixel: float
    detsize: tuple[float, float]
    fields: dict[str, Any]  # of Settings
    pivot: Pivot


def take_header(values: dict[str, Any]) -> None:
    """Take from the image that -img names what was not typed (nonBragg.c:300-350), in the units of the options."""
    if "img" not in values:
        return
    header = smv.read_header(values["img"], "-img")
    stated = {
        "pixel_mm": "PIXEL_SIZE",
        "distance_mm": "DISTANCE",
        "close_distance_mm": "CLOSE_DISTANCE",
        "Xbeam_mm": "BEAM_CENTER_X",
        "wavelength_A": "WAVELENGTH",
        "ORGX": "ORGX",
        "ORGY": "ORGY",
        "phi_deg": "PHI",
        "osc_deg": "OSC_RANGE",
    }
    before: dict[str, Any] = {"pixels_fast": header.n_fast, "pixels_slow": header.n_slow}
    for key, keyword in stated.items():
        value = header.value_of(keyword)
        if not math.isnan(value) and not (key == "wavelength_A" and "energy_ev" in values):
            before[key] = value
    center = header.value_of("BEAM_CENTER_Y")
    if not math.isnan(center):
        before["Ybeam_mm"] = before.get("pixel_mm", 0.1) * header.n_slow - center
    swing = header.value_of("TWOTHETA")
    # C differs: it stores the angle in a variable that nobody reads.
    if not math.isnan(swing) and values.get("semantics") == "exact":
        before["twotheta_deg"] = swing
    for key, value in before.items():
        values.setdefault(key, value)


def resolve(values: dict[str, Any], order: list[str], exact: bool) -> NonBraggGeometry:
    """Work out sizes and the settings that place the detector, in axes of their own.

    Parameters
    ----------
    values : dict
        As typed, by parameter.
    order : list of str
        Keys in the order of the line; the last one that names a pivot counts.
    exact : bool

    Raises
    ------
    InputError
        For a detector without pixels or with too many, or a vector of no direction.
    """
    pixel = values.get("pixel_mm", 0.1) / 1000.0
    both, size = values.get("detpixels"), values.get("detsize", 102.4)
    counts = [values.get("pixels_fast", both), values.get("pixels_slow", both)]
    sizes = [values.get(key, size) / 1000.0 for key in ("detsize_f", "detsize_s")]
    sizes = [length if count is None else pixel * count for count, length in zip(counts, sizes, strict=True)]
    # C differs: the quotient of a product and its factor may lie above the whole number, and one pixel more is made.
    whole = [math.ceil(length / pixel - (1e-9 if exact else 0.0)) for length in sizes]
    if not all(1 <= count <= 65536 for count in whole):
        raise InputError(f"-detsize: {whole[0]} x {whole[1]} pixels of {pixel * 1e3:g} mm; allowed are 1 to 65536")
    if "twotheta_axis" in order and not exact:
        # C differs: the axis is read as an angle too, its first number.
        if "twotheta_deg" not in order or order.index("twotheta_deg") < order.index("twotheta_axis"):
            values["twotheta_deg"] = values["twotheta_axis"][0]
        order = [*order, "twotheta_deg"] if "pivot" not in order else order
    pivot = _pivot(values, order)
    xclose = values["ORGX"] * pixel if "ORGX" in values else _mm(values, "Xclose_mm", (sizes[0] - pixel) / 2.0)
    yclose = values["ORGY"] * pixel if "ORGY" in values else _mm(values, "Yclose_mm", (sizes[1] + pixel) / 2.0)
    xbeam, ybeam = _mm(values, "Xbeam_mm", xclose), _mm(values, "Ybeam_mm", yclose)
    x, y = (xclose, yclose) if pivot is Pivot.SAMPLE else (xbeam, ybeam)
    close = values.get("close_distance_mm")
    if "pix0_vector" in values:
        logger.warning("-pix0_vector: nonBragg overwrites it; without effect")
    turns = {"detector_rotx": "detector_rotx", "detector_roty": "detector_roty", "detector_rotz": "detector_rotz",
             "twotheta_deg": "twotheta"}  # fmt: skip
    fields = {
        **_axes(values),
        "convention": Convention.CUSTOM,
        "Xbeam": x,
        "Ybeam": y,
        "beam_center_given": True,
        "distance": _mm(values, "distance_mm", 0.1),
        "distance_given": close is None,
        "close_distance": None if close is None else close / 1000.0,
        **{field: DEGREE.to_si(values[key]) for key, field in turns.items() if key in values},
        "pivot_by_order": pivot,
        "pivot_explicit": pivot,
        "pixels_fast": whole[0],
        "pixels_slow": whole[1],
        "pixel_size": pixel,
    }
    return NonBraggGeometry(whole[0], whole[1], pixel, (sizes[0], sizes[1]), fields, pivot)


def _mm(values: dict[str, Any], key: str, default: float) -> float:
    return float(values[key]) / 1000.0 if key in values else default


def _pivot(values: dict[str, Any], order: list[str]) -> Pivot:
    """Return the pivot that the last of the options says that name one; the beam by default."""
    pivot = Pivot.BEAM
    for key in order:
        if key == "pivot":
            pivot = Pivot(values["pivot"])
        elif key in _PIVOT_SAMPLE:
            pivot = Pivot.SAMPLE
        elif key in _PIVOT_BEAM:
            pivot = Pivot.BEAM
    return pivot


def _axes(values: dict[str, Any]) -> dict[str, tuple[float, ...]]:
    """Return all vectors; the normal of the detector is that of its axes."""
    vectors = {key: values.get(key, vector) for key, vector in _AXES.items()}
    vectors["odet_vector"] = tuple(np.cross(vectors["fdet_vector"], vectors["sdet_vector"]).tolist())
    for key, vector in vectors.items():
        if not any(vector):
            raise InputError(f"-{key}: 0 0 0 has no direction; the vector must not be zero")
    return vectors


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
        if key == "samplesize":
            edges = dict.fromkeys(edges, values[key] / 1000.0)
        elif key in ("sample_x", "sample_y", "sample_z"):
            edges[key[-1]] = values[key] / 1000.0
    beam, lines = values.get("beamsize_mm", 0.1) / 1000.0, []
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
