"""DIALS experiment lists (.expt) as text: one beam, detector, goniometer and scan, and a crystal or several."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.mounting import NO_MOUNTING, Mounting
from ..geometry.panel import PanelGeometry

Array = NDArray[np.float64]

_NO_TURN = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


@dataclass(frozen=True, eq=False)
class ExptFields:
    """What a list says; vectors in DIALS' frame.

    Attributes
    ----------
    direction : (3,)
        Unit vector from the sample to the source.
    wavelength : float [m]
    polarization_normal : (3,)
    polarization_fraction : float
    panels : sequence of PanelGeometry
    trusted : (float, float)
        Smallest and largest value of a good pixel.
    thickness, mu : float [m], [1/m]
        Of the sensor; 0: none.
    spindle : (3,)
        About which the crystal turns right-handed, in the laboratory; not looked at without a scan.
    start, width : float [deg]
        Of the first image, and of each.
    images : int
        0: a still.
    exposure : float [s]
    A : (n, 3, 3) [1/Angstrom]
        Columns a*, b*, c* at the spindle angle 0: one for all images, or one for each scan point, which are one more
        than the images.
    hall : str
        Hall symbol of the space group.
    further : sequence of (n, 3, 3) [1/Angstrom]
        The same as A of the crystals after the first, each in an experiment of its own.
    s0 : (n, 3) [1/Angstrom]
        Along the beam, one over the wavelength long, for each scan point; empty where it does not change.
    mounting : Mounting
        Other axes of the goniometer; A is without what they turn it by.
    """

    direction: Array
    wavelength: float
    polarization_normal: Array
    polarization_fraction: float
    panels: Sequence[PanelGeometry]
    trusted: tuple[float, float]
    thickness: float
    mu: float
    spindle: Array
    start: float
    width: float
    images: int
    exposure: float
    A: Array
    hall: str = "P 1"
    further: Sequence[Array] = ()
    mounting: Mounting = NO_MOUNTING
    s0: Array | Sequence[Array] = ()


def text(fields: ExptFields) -> str:
    """Return the text of a list."""
    rotates = fields.images > 0
    crystals = [fields.A, *fields.further]
    models: dict[str, Any] = {"__id__": "Experiment", "identifier": "", "beam": 0, "detector": 0}
    models |= {"goniometer": 0, "scan": 0} if rotates else {}
    content: dict[str, Any] = {
        "__id__": "ExperimentList",
        "experiment": [models | {"crystal": number} for number in range(len(crystals))],
        "imageset": [],
        "beam": [_beam(fields)],
        "detector": [_detector(fields)],
        "goniometer": [_goniometer(fields)] if rotates else [],
        "scan": [_scan(fields)] if rotates else [],
        "crystal": [_crystal(A, fields.hall) for A in crystals],
        "profile": [],
        "scaling_model": [],
    }
    return json.dumps(content, indent=1)


def _beam(fields: ExptFields) -> dict[str, Any]:
    varying = {"s0_at_scan_points": [_numbers(s0) for s0 in fields.s0]} if len(fields.s0) else {}
    return varying | {
        "__id__": "monochromatic",
        "direction": _numbers(fields.direction),
        "wavelength": fields.wavelength * 1e10,
        "divergence": 0.0,
        "sigma_divergence": 0.0,
        "polarization_normal": _numbers(fields.polarization_normal),
        "polarization_fraction": fields.polarization_fraction,
        "flux": 0.0,
        "transmission": 1.0,
        "probe": "x-ray",
        "sample_to_source_distance": 0.0,
    }


def _detector(fields: ExptFields) -> dict[str, Any]:
    corrected = fields.thickness > 0.0 and fields.mu > 0.0
    panels = [
        {
            "name": f"panel_{number}" if len(fields.panels) > 1 else "Panel",
            "type": "SENSOR_PAD",
            "fast_axis": _numbers(panel.fast),
            "slow_axis": _numbers(panel.slow),
            "origin": _numbers(panel.origin * 1e3),
            "raw_image_offset": [0, 0],
            "image_size": [panel.n_fast, panel.n_slow],
            "pixel_size": [size * 1e3 for size in panel.pixel_sizes],
            "trusted_range": list(fields.trusted),
            "thickness": fields.thickness * 1e3,
            "material": "Si" if fields.thickness > 0.0 else "",
            "mu": fields.mu * 1e-3,
            "identifier": "",
            "mask": [],
            "gain": 1.0,
            "pedestal": 0.0,
            "px_mm_strategy": {"type": "ParallaxCorrectedPxMmStrategy" if corrected else "SimplePxMmStrategy"},
        }
        for number, panel in enumerate(fields.panels)
    ]
    return {"panels": panels, "hierarchy": {**_ROOT, "children": [{"panel": i} for i in range(len(panels))]}}


_ROOT: dict[str, Any] = {
    "name": "",
    "type": "",
    "fast_axis": [1.0, 0.0, 0.0],
    "slow_axis": [0.0, 1.0, 0.0],
    "origin": [0.0, 0.0, 0.0],
    "raw_image_offset": [0, 0],
    "image_size": [0, 0],
    "pixel_size": [0.0, 0.0],
    "trusted_range": [0.0, 0.0],
    "thickness": 0.0,
    "material": "",
    "mu": 0.0,
    "identifier": "",
    "mask": [],
    "gain": 1.0,
    "pedestal": 0.0,
    "px_mm_strategy": {"type": "SimplePxMmStrategy"},
}


def _goniometer(fields: ExptFields) -> dict[str, Any]:
    mounting = fields.mounting
    if mounting.stands:
        axes = [*mounting.inner, None, *mounting.outer]
        datum = mounting.setting.T @ fields.spindle
        return {
            "axes": [_numbers(datum if axis is None else np.array(axis.direction)) for axis in axes],
            "angles": [fields.start if axis is None else math.degrees(axis.angle) for axis in axes],
            "names": [mounting.scanned if axis is None else axis.name for axis in axes],
            "scan_axis": len(mounting.inner),
        }
    return {
        "rotation_axis": _numbers(fields.spindle),
        "fixed_rotation": _NO_TURN,
        "setting_rotation": _NO_TURN,
    }


def _scan(fields: ExptFields) -> dict[str, Any]:
    starts = [fields.start + fields.width * image for image in range(fields.images)]
    return {
        "image_range": [1, fields.images],
        "batch_offset": 0,
        "properties": {
            "oscillation": starts,
            "exposure_time": [fields.exposure] * fields.images,
            "epochs": [fields.exposure * image for image in range(fields.images)],
        },
        # Of older versions, and of a scan of one image, whose width no list of starts tells.
        "oscillation": [fields.start, fields.width],
        "exposure_time": [fields.exposure] * fields.images,
        "epochs": [fields.exposure * image for image in range(fields.images)],
        "valid_image_ranges": {},
    }


def _crystal(matrices: Array, hall: str) -> dict[str, Any]:
    real = np.linalg.inv(matrices[0])
    content = {
        "__id__": "crystal",
        "real_space_a": _numbers(real[0]),
        "real_space_b": _numbers(real[1]),
        "real_space_c": _numbers(real[2]),
        "space_group_hall_symbol": f" {hall}",
    }
    if len(matrices) > 1:
        content["A_at_scan_points"] = [_numbers(A.reshape(-1)) for A in matrices]
    return content


def _numbers(values: Array) -> list[float]:
    return [float(value) + 0.0 for value in values]
