"""What a DIALS experiment list says, as settings: `-expt`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .choices import Convention, PanelPlace, Vector
from .types import ANGSTROM, DEGREE, MM

if TYPE_CHECKING:
    from ..geometry.vectors import Array
    from ..io.expt import ExptPanel

_SAME = 1e-9  # relative difference between pixel edges that are meant to be one


def settings_from_expt(path: str, notices: list[str]) -> dict[str, Any]:
    """Read an experiment list as fields of Settings, in the laboratory frame of the file.

    The beam's wavelength is left out where the file has none.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no experiment list, or what it holds cannot be drawn.
    """
    from ..geometry.vectors import cross, vector
    from ..io import expt

    content = expt.read(path, "-expt")
    notices.extend(content.remarks)
    panels = tuple(_place(path, number, panel) for number, panel in enumerate(content.panels))
    first = panels[0]
    spindle, phi_deg, width_deg = content.rotation_axis, content.phi_deg, content.width_deg
    if width_deg < 0.0:
        spindle, phi_deg, width_deg = -spindle, -phi_deg, -width_deg
        notices.append(f"-expt {path}: the scan turns backwards; phi counts the other way round here")
    fields: dict[str, Any] = {
        "convention": Convention.CUSTOM,
        "beam_vector": _tuple(content.beam),
        "polar_vector": _tuple(cross(vector(content.polarization_normal), vector(content.beam))),
        "polarization": 2.0 * content.polarization_fraction - 1.0,
        "spindle_axis": _tuple(spindle),
        "fdet_vector": first.fast,
        "sdet_vector": first.slow,
        "odet_vector": (0.0, 0.0, 0.0),  # made from the other two
        "panels": panels,
        "pixel_size": first.pixel_size,
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
    return fields


def _place(path: str, number: int, panel: ExptPanel) -> PanelPlace:
    fast_mm, slow_mm = panel.pixel_mm
    if abs(fast_mm - slow_mm) > _SAME * fast_mm:
        raise InputError(
            f"-expt {path}: the pixels of panel {number} measure {fast_mm:g} x {slow_mm:g} mm; they must be square"
        )
    return PanelPlace(
        n_fast=panel.n_fast,
        n_slow=panel.n_slow,
        pixel_size=MM.to_si(fast_mm),
        origin=_tuple(panel.origin_mm / 1000.0),
        fast=_tuple(panel.fast),
        slow=_tuple(panel.slow),
    )


def _tuple(values: Array) -> Vector:
    x, y, z = (float(v) + 0.0 for v in values)  # no minus zero
    return x, y, z
