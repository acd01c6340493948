"""What a DIALS experiment list says, as settings: `-expt`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import called
from ..io.contents import kept
from .choices import Convention, Vector
from .types import ANGSTROM, DEGREE

if TYPE_CHECKING:
    from ..geometry.vectors import Array


def settings_from_expt(
    path: str, notices: list[str], *, number: int | None = None, phi_deg: float | None = None
) -> dict[str, Any]:
    """Read an experiment list as fields of Settings, in the laboratory frame of the file.

    The beam's wavelength is left out where the file has none.

    Parameters
    ----------
    path : str
    notices : list of str
        Receives what of the file does not count.
    number : int, optional
        Of the experiment, counted from 0.
    phi_deg : float, optional
        Where the image starts; of a scan that turns backwards, about the opposite axis.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no experiment list, or what it holds cannot be drawn.
    """
    from ..io.opening import read_text

    fields, remarks = settings_of_expt(read_text(path, called("expt")), path, called("expt"), number, phi_deg)
    notices.extend(remarks)
    return dict(fields)


@kept
def settings_of_expt(
    text: str, path: str, option: str, number: int | None, phi_deg: float | None
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return what the text of an experiment list says, and remarks; see `settings_from_expt`.

    Parameters
    ----------
    option : str
        What named the file, for messages.
    """
    from ..geometry.vectors import cross, vector
    from ..io import expt

    content = expt.parse(text, path, option, number, phi_deg)
    remarks = [*content.remarks, *content.panel_remarks]
    first = content.panels[0]
    spindle, phi_deg, width_deg = content.rotation_axis, content.phi_deg, content.width_deg
    if width_deg < 0.0:
        spindle, phi_deg, width_deg = -spindle, -phi_deg, -width_deg
        remarks.append(f"{option} {path}: the scan turns backwards; phi counts the other way round here")
    fields: dict[str, Any] = {
        "convention": Convention.CUSTOM,
        "beam_vector": _tuple(content.beam),
        "polar_vector": _tuple(cross(vector(content.polarization_normal), vector(content.beam))),
        "polarization": 2.0 * content.polarization_fraction - 1.0,
        "spindle_axis": _tuple(spindle),
        "mounting": content.mounting,
        "fdet_vector": _tuple(first.fast),
        "sdet_vector": _tuple(first.slow),
        "odet_vector": (0.0, 0.0, 0.0),  # made from the other two
        "panels": content.panels,
        "pixel_size": first.pixel_sizes[0],
        "pixels_fast": first.n_fast,
        "pixels_slow": first.n_slow,
        "phi": DEGREE.to_si(phi_deg),
    }
    if width_deg > 0.0:
        fields["osc"] = DEGREE.to_si(width_deg)
    if content.wavelength_A is not None:
        fields["wavelength"] = ANGSTROM.to_si(content.wavelength_A)
    if content.reciprocal_A is not None:
        fields["reciprocal_A"] = tuple(_tuple(row) for row in content.reciprocal_A)
    if content.further_reciprocal_A:
        lattices = (content.reciprocal_A, *content.further_reciprocal_A)
        fields["crystals"] = tuple(_entry(reciprocal) for reciprocal in lattices if reciprocal is not None)
        fields["crystals_of_expt"] = True
    return fields, tuple(remarks)


def _entry(reciprocal_A: Array) -> str:
    """Return a crystal as `crystals` takes it: columns a*, b*, c*."""
    return json.dumps({"A_matrix": [list(_tuple(row)) for row in reciprocal_A.T]})


def _tuple(values: Array) -> Vector:
    x, y, z = (float(v) + 0.0 for v in values)  # no minus zero
    return x, y, z
