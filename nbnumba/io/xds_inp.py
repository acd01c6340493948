"""Input files of XDS: text that says where detector, beam and axis are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MARKER = "! XDS.INP written by nbnumba"

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class XdsFields:
    """What an input file says; lengths in meters, angles in degrees, vectors in any frame that all share.

    Attributes
    ----------
    template : str
        Names of the images, question marks for their numbers.
    images : int
    detector : str
        One of XDS' detectors.
    origin : (3,)
        Outer corner of the first pixel.
    fast, slow, beam, spindle, polarization_normal : (3,)
        Unit vectors; where fast or slow is longer or shorter, so is the step from pixel to pixel. The crystal turns
        right-handed about the spindle.
    real_space_A : (3, 3) or None [Angstrom]
        Rows a, b, c at the spindle angle 0, the truth.
    cell : (6,) or None [Angstrom, deg]
    thickness : float
        Of the sensor; 0: none.
    absorption : float [1/m]
    polarization_fraction : float
        0.5 for an unpolarized beam.
    """

    template: str
    images: int
    detector: str
    n_fast: int
    n_slow: int
    pixel_size: float
    saturation: int
    origin: Array
    fast: Array
    slow: Array
    beam: Array
    spindle: Array
    wavelength: float
    starting_angle: float
    oscillation: float
    polarization_fraction: float
    polarization_normal: Array
    thickness: float = 0.0
    absorption: float = 0.0
    real_space_A: Array | None = None
    cell: Array | None = None


def text(fields: XdsFields, remarks: Sequence[str] = ()) -> str:
    """Return the text of an input file.

    Notes
    -----
    XDS finds the center of pixel (i, j), counted from 1, at
    (i - ORGX) QX X + (j - ORGY) QY Y + F Z with Z = X x Y and F the DETECTOR_DISTANCE, which is negative where Z
    points to the side of the sample.
    """
    normal = np.cross(fields.fast, fields.slow)
    normal /= np.linalg.norm(normal)
    along_fast, along_slow, distance = np.linalg.solve(np.array([fields.fast, fields.slow, normal]).T, fields.origin)
    orgx = -along_fast / fields.pixel_size + 0.5
    orgy = -along_slow / fields.pixel_size + 0.5
    steps = [np.linalg.norm(axis) for axis in (fields.fast, fields.slow)]
    qx, qy = (f"{fields.pixel_size * step * 1e3:.15g}" for step in steps)
    lines = [
        MARKER,
        *(f"! {remark}" for remark in remarks),
        "",
        "JOB= XYCORR INIT COLSPOT IDXREF DEFPIX INTEGRATE CORRECT",
        f"NAME_TEMPLATE_OF_DATA_FRAMES= {fields.template}",
        f"DATA_RANGE= 1 {fields.images}",
        f"SPOT_RANGE= 1 {fields.images}",
        "",
        f"DETECTOR= {fields.detector} MINIMUM_VALID_PIXEL_VALUE= 0 OVERLOAD= {fields.saturation}",
        f"NX= {fields.n_fast} NY= {fields.n_slow} QX= {qx} QY= {qy}",
        f"SENSOR_THICKNESS= {fields.thickness * 1e3:.9g}",
        *([f"SILICON= {fields.absorption / 1e3:.9g}"] if fields.thickness > 0.0 else []),
        f"DIRECTION_OF_DETECTOR_X-AXIS= {_vector(fields.fast / steps[0])}",
        f"DIRECTION_OF_DETECTOR_Y-AXIS= {_vector(fields.slow / steps[1])}",
        f"ORGX= {orgx:.12f} ORGY= {orgy:.12f}",
        f"DETECTOR_DISTANCE= {distance * 1e3:.12f}",
        "TRUSTED_REGION= 0.0 1.5",
        "",
        f"X-RAY_WAVELENGTH= {fields.wavelength * 1e10:.15g}",
        f"INCIDENT_BEAM_DIRECTION= {_vector(fields.beam)}",
        f"FRACTION_OF_POLARIZATION= {fields.polarization_fraction:.9g}",
        f"POLARIZATION_PLANE_NORMAL= {_vector(fields.polarization_normal)}",
        "",
        f"ROTATION_AXIS= {_vector(fields.spindle)}",
        f"STARTING_ANGLE= {fields.starting_angle:.12g} STARTING_FRAME= 1",
        f"OSCILLATION_RANGE= {fields.oscillation:.12g}",
        *([] if fields.oscillation > 0.0 else ["! The crystal stands still: XDS needs a rotation."]),
    ]
    if fields.cell is not None and fields.real_space_A is not None:
        lines += [
            "",
            "! The truth, for whoever wants XDS to start from it:",
            "!SPACE_GROUP_NUMBER= 1",
            "!UNIT_CELL_CONSTANTS= " + " ".join(f"{value:.9g}" for value in fields.cell),
            *(
                f"!UNIT_CELL_{name}-AXIS= " + " ".join(f"{value:.9f}" for value in row)
                for name, row in zip("ABC", fields.real_space_A, strict=True)
            ),
        ]
    return "\n".join([*lines, ""])


def _vector(values: Array) -> str:
    return " ".join(f"{float(value) + 0.0:.15f}" for value in values)
