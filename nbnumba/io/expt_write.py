"""DIALS experiment lists (.expt) to be written: one still, with beam, detector and crystals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..geometry.panel import PanelGeometry
from ..geometry.vectors import Array
from .atomic import PathLike, whole_file


@dataclass(frozen=True, eq=False)
class Still:
    """What a list says; vectors in the laboratory frame of the file.

    Attributes
    ----------
    beam : (3,)
        Unit vector of the beam, from the source to the sample.
    wavelength_A : float
    polarization_normal : (3,)
    polarization_fraction : float
        From 0 to 1; half for an unpolarized beam.
    panels : sequence of PanelGeometry
    thickness_mm, mu_per_mm : sequence of float
        Of the sensor of each panel; 0 where there is none.
    crystals_A : sequence of (3, 3)
        Rows a, b, c of each crystal.
    spindle : (3,) or None
        Axis of a goniometer, and with it a scan of one image; None for a still.
    phi_deg, width_deg : float
    images : sequence of str
        Names of the image files.
    """

    beam: Array
    wavelength_A: float
    polarization_normal: Array
    polarization_fraction: float
    panels: Sequence[PanelGeometry]
    thickness_mm: Sequence[float]
    mu_per_mm: Sequence[float]
    crystals_A: Sequence[Array]
    spindle: Array | None = None
    phi_deg: float = 0.0
    width_deg: float = 0.0
    images: Sequence[str] = ()


def write(path: PathLike, still: Still) -> None:
    """Write an experiment list, whole or not at all.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    scanned = still.spindle is not None
    models: dict[str, Any] = {"beam": 0, "detector": 0, "imageset": 0}
    if scanned:
        models |= {"goniometer": 0, "scan": 0}
    content = {
        "__id__": "ExperimentList",
        "experiment": [
            {"__id__": "Experiment", "identifier": "", "crystal": number, **models}
            for number in range(len(still.crystals_A))
        ],
        "imageset": [
            {
                "__id__": "ImageSet",
                "images": list(still.images),
                "mask": None,
                "gain": None,
                "pedestal": None,
                "dx": None,
                "dy": None,
                "params": {},
            }
        ],
        "beam": [
            {
                "__id__": "monochromatic",
                "direction": _list(-still.beam),
                "wavelength": still.wavelength_A,
                "divergence": 0.0,
                "sigma_divergence": 0.0,
                "polarization_normal": _list(still.polarization_normal),
                "polarization_fraction": still.polarization_fraction,
                "flux": 0.0,
                "transmission": 1.0,
                "probe": "x-ray",
            }
        ],
        "detector": [{"panels": [_panel(still, number) for number in range(len(still.panels))]}],
        "goniometer": [_goniometer(still)] if scanned else [],
        "scan": [_scan(still)] if scanned else [],
        "crystal": [
            {
                "__id__": "crystal",
                **{f"real_space_{name}": _list(row) for name, row in zip("abc", axes, strict=True)},
                "space_group_hall_symbol": " P 1",
            }
            for axes in still.crystals_A
        ],
        "profile": [],
        "scaling_model": [],
    }
    with whole_file(path) as file:
        file.write(json.dumps(content, indent=2).encode("ascii") + b"\n")


def _list(vector: Array) -> list[float]:
    return [float(value) + 0.0 for value in vector]


def _panel(still: Still, number: int) -> dict[str, Any]:
    panel, thickness, mu = still.panels[number], still.thickness_mm[number], still.mu_per_mm[number]
    strategy = {"type": "ParallaxCorrectedPxMmStrategy"} if thickness > 0.0 else {"type": "SimplePxMmStrategy"}
    return {
        "name": f"panel{number}",
        "type": "SENSOR_PAD",
        "fast_axis": _list(panel.fast),
        "slow_axis": _list(panel.slow),
        "origin": _list(panel.origin * 1e3),
        "raw_image_offset": [0, 0],
        "image_size": [panel.n_fast, panel.n_slow],
        "pixel_size": [size * 1e3 for size in panel.pixel_sizes],
        "trusted_range": [0.0, 4294967295.0],
        "thickness": thickness,
        "material": "",
        "mu": mu,
        "identifier": "",
        "mask": [],
        "gain": 1.0,
        "pedestal": 0.0,
        "px_mm_strategy": strategy,
    }


def _goniometer(still: Still) -> dict[str, Any]:
    assert still.spindle is not None
    still_standing = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    return {
        "rotation_axis": _list(still.spindle),
        "fixed_rotation": still_standing,
        "setting_rotation": still_standing,
    }


def _scan(still: Still) -> dict[str, Any]:
    return {
        "image_range": [1, 1],
        "batch_offset": 0,
        "properties": {
            "exposure_time": [0.0],
            "epochs": [0.0],
            "oscillation": [still.phi_deg],
            "oscillation_width": [still.width_deg],
        },
        "valid_image_ranges": {},
    }
