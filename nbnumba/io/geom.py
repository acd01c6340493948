"""Geometry files of CrystFEL: text that says where the panels stand and where their pixels are in the data.

The frame is CrystFEL's: z along the beam, y up, x to complete it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..geometry.panel import StackedPanel

MARKER = "; CrystFEL geometry written by nbnumba"

Array = NDArray[np.float64]


def text(
    panels: Sequence[StackedPanel],
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
    panels : sequence of StackedPanel
        In the frame of CrystFEL; they are called p0, p1 and so on.
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
    for number, panel in enumerate(panels):
        x, y, z = (float(value) for value in panel.origin)
        # A step along ss is as long as the vector says: of oblong pixels it is not 1.
        edge, aspect = panel.pixel_sizes[0], panel.pixel_sizes[1] / panel.pixel_sizes[0]
        entries = {
            "res": format(1.0 / edge, ".17g"),
            "min_fs": "0",
            "max_fs": str(panel.n_fast - 1),
            "min_ss": str(panel.first_row),
            "max_ss": str(panel.first_row + panel.n_slow - 1),
            "corner_x": _fixed(x / edge),
            "corner_y": _fixed(y / edge),
            "coffset": _fixed(z - camera_length),
            "fs": _direction(panel.fast),
            "ss": _direction(panel.slow * aspect),
        }
        lines += ["", *(f"p{number}/{key} = {value}" for key, value in entries.items())]
    return "\n".join([*lines, *_groups(panels), ""])


def _groups(panels: Sequence[StackedPanel]) -> Iterator[str]:
    """Yield the groups of panels, for versions of CrystFEL that know hierarchies, and as rigid ones for older ones."""
    members: dict[str, list[str]] = {}
    for number, panel in enumerate(panels):
        if panel.group:
            members.setdefault(re.sub(r"\W", "_", panel.group, flags=re.ASCII), []).append(f"p{number}")
    # A hierarchy holds every panel, and no group may have the name of another or of a panel.
    if sum(map(len, members.values())) != len(panels) or any(re.fullmatch(r"p\d+|all", name) for name in members):
        return
    yield ""
    yield from (f"group_{name} = {','.join(some)}" for name, some in members.items())
    yield f"group_all = {','.join(members)}"
    yield from (f"rigid_group_{name} = {','.join(some)}" for name, some in members.items())
    yield f"rigid_group_collection_all = {','.join(members)}"


def _fixed(value: float) -> str:
    return f"{value + 0.0:.15f}"


def _direction(vector: Array) -> str:
    # The reader takes no exponents here.
    return " ".join(f"{float(value):+.15f}{axis}" for value, axis in zip(vector, "xyz", strict=True))
