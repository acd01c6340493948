"""Geometry files of CrystFEL: text that says where the panels stand and where their pixels are in the data.

The frame is CrystFEL's: z along the beam, y up, x to complete it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MARKER = "; CrystFEL geometry written by nbnumba"

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GeomPanel:
    """A panel: its place in the laboratory, and in the array of pixels.

    Attributes
    ----------
    name : str
    origin : (3,) [m]
        Outer corner of the first pixel.
    fast, slow : (3,)
        Unit vectors.
    pixel_size : float [m]
    first_row, n_slow, n_fast : int
        The panel's pixels are rows first_row to first_row + n_slow - 1, columns 0 to n_fast - 1.
    """

    name: str
    origin: Array
    fast: Array
    slow: Array
    pixel_size: float
    first_row: int
    n_slow: int
    n_fast: int


def text(
    panels: Sequence[GeomPanel],
    *,
    wavelength: str,
    camera_length: float,
    data: str,
    mask: str | None = None,
    saturation: int | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """Return the text of a geometry file for images of three axes: image, row, column.

    Parameters
    ----------
    panels : sequence of GeomPanel
    wavelength : str
        A number or a path in the data file, and its unit, e.g. "1.5 A".
    camera_length : float [m]
        The z that the panels' own are counted from.
    data, mask : str
        Paths in the data file. Pixels whose mask is not 0 are bad.
    saturation : int, optional
        Pixels that reach it are bad.
    remarks : sequence of str
        Comments.
    """
    lines = [MARKER, *(f"; {remark}" for remark in remarks), ""]
    lines += [
        f"wavelength = {wavelength}",
        f"clen = {_fixed(camera_length)} m",
        "adu_per_photon = 1",
        f"data = {data}",
        "dim0 = %",
        "dim1 = ss",
        "dim2 = fs",
    ]
    if mask is not None:
        lines += [f"mask = {mask}", "mask_good = 0x0000", "mask_bad = 0xffff"]
    if saturation is not None:
        lines.append(f"flag_morethan = {saturation - 1}")
    for panel in panels:
        x, y, z = (float(value) for value in panel.origin)
        entries = {
            "res": format(1.0 / panel.pixel_size, ".17g"),
            "min_fs": "0",
            "max_fs": str(panel.n_fast - 1),
            "min_ss": str(panel.first_row),
            "max_ss": str(panel.first_row + panel.n_slow - 1),
            "corner_x": _fixed(x / panel.pixel_size),
            "corner_y": _fixed(y / panel.pixel_size),
            "coffset": _fixed(z - camera_length),
            "fs": _direction(panel.fast),
            "ss": _direction(panel.slow),
        }
        lines += ["", *(f"{panel.name}/{key} = {value}" for key, value in entries.items())]
    return "\n".join([*lines, ""])


def _fixed(value: float) -> str:
    return f"{value + 0.0:.15f}"


def _direction(vector: Array) -> str:
    # The reader takes no exponents here.
    return " ".join(f"{float(value):+.15f}{axis}" for value, axis in zip(vector, "xyz", strict=True))
