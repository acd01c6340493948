"""Where the panels stand, from a file of any kind that tells it, as settings: `-geometry`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InputError, called
from ..io.contents import kept
from ..io.opening import label, opened, rest_as_text
from .choices import Convention
from .types import ANGSTROM, DEGREE

if TYPE_CHECKING:
    from ..geometry.panel import PlacedPanel
    from ..geometry.vectors import Array

_SMV, _CBF, _HDF5 = (b"{\nHEADER_BYTES", b"{\r\nHEADER_BYTES"), b"###CBF", b"\x89HDF\r\n\x1a\n"
_KNOWN = "CrystFEL .geom, pyFAI .poni, NXmx .h5, DIALS .expt, XPARM.XDS, and headers of SMV and mini-CBF images"

_OF_CRYSTALS = {"reciprocal_A", "crystals", "crystals_of_expt"}

SMV_HEADER: dict[str, Any] = {}
"""What stands for the fields of an SMV header, which count in a way of their own."""


def settings_from_geometry(
    path: str,
    notices: list[str],
    *,
    distance: float | None,
    size: tuple[int, int] | None,
    phi_deg: float | None,
    number: int | None,
) -> dict[str, Any]:
    """Read the geometry of a file as fields of Settings, in the laboratory frame of the file.

    Parameters
    ----------
    path : str
    notices : list of str
        Receives what of the file does not count.
    distance : float or None [m]
        As typed; of a .geom it takes the place of clen, beside others it is None.
    size : (n_fast, n_slow) or None
        As typed; of a .poni the pixels of its detector.
    phi_deg : float or None
        As typed; of models that vary along a scan the place.
    number : int or None
        As typed; of the experiments of a .expt.

    Returns
    -------
    dict
        `SMV_HEADER` for an SMV image; `completed_by` are parameters that may be given beside the file.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is of no kind that is known, or malformed.
    """
    option = called("geometry")
    with opened(path, option) as file:
        start = file.read(16)
        if start.startswith(_SMV):
            return SMV_HEADER
        if start.startswith(_CBF):
            return _of_cbf(path, option)
        if start.startswith(_HDF5):
            return _of_nexus(path, option, notices)
        text = rest_as_text(file, label(option, path), start)
    fields: Mapping[str, Any]
    remarks: Sequence[str]
    if text.lstrip().startswith("{"):
        from .from_dials import settings_of_expt

        stated, remarks = settings_of_expt(text, path, option, number, phi_deg)
        fields = {name: value for name, value in stated.items() if name not in _OF_CRYSTALS}
    else:
        fields, remarks = _of_text(text, path, option, distance, size)
    notices.extend(remarks)
    return dict(fields)


@kept
def _of_text(
    text: str, path: str, option: str, distance: float | None, size: tuple[int, int] | None
) -> tuple[Mapping[str, Any], Sequence[str]]:
    """Return what a text other than a .expt says, and remarks."""
    from ..io import geom_read, poni, xparm

    if poni.is_poni(text):
        found = poni.parse(text, path, option, size)
        # Axis 1 of pyFAI points up, axis 2 lies across, along the electric field.
        fields = _fields((found.panel,), found.wavelength_A, across=(0.0, 1.0, 0.0))
        kind = ("detpixels", "pixels_fast", "pixels_slow") if size is not None else ()
        return fields | {"completed_by": kind}, ()
    if geom_read.is_geom(text):
        content = geom_read.parse(text, path, option, distance)
        return _fields(content.panels, content.wavelength_A) | {"completed_by": ("distance_mm",)}, content.remarks
    if xparm.is_xparm(text):
        return _of_xparm(text, path, option), ()
    raise InputError(f"{label(option, path)}: is of no kind that is known; allowed: {_KNOWN}")


def _fields(
    panels: Sequence[PlacedPanel],
    wavelength_A: float | None,
    across: Sequence[float] = (1.0, 0.0, 0.0),
    beam: Sequence[float] = (0.0, 0.0, 1.0),
) -> dict[str, Any]:
    """Return the fields of panels, in a frame whose z runs along the beam where nothing else is said."""
    first = panels[0]
    fields: dict[str, Any] = {
        "convention": Convention.CUSTOM,
        "beam_vector": tuple(beam),
        "polar_vector": tuple(across),
        "spindle_axis": tuple(across),
        "fdet_vector": _tuple(first.fast),
        "sdet_vector": _tuple(first.slow),
        "odet_vector": (0.0, 0.0, 0.0),  # made from the other two
        "panels": tuple(panels),
        "pixel_size": first.pixel_sizes[0],
        "pixels_fast": first.n_fast,
        "pixels_slow": first.n_slow,
    }
    if wavelength_A is not None:
        fields["wavelength"] = ANGSTROM.to_si(wavelength_A)
    return fields


def _of_nexus(path: str, option: str, notices: list[str]) -> dict[str, Any]:
    from ..io.nexus.geometry import read_geometry

    content = read_geometry(path, option)
    notices.extend(content.remarks)
    fields = _fields(content.panels, content.wavelength_A)
    if content.rotation_axis is not None:
        sense = -1.0 if content.width_deg < 0.0 else 1.0
        fields["spindle_axis"] = _tuple(sense * content.rotation_axis)
        fields["mounting"] = content.mounting
        fields["phi"] = DEGREE.to_si(sense * content.phi_deg)
        if content.width_deg != 0.0:
            fields["osc"] = DEGREE.to_si(abs(content.width_deg))
    return fields


def _of_xparm(text: str, path: str, option: str) -> dict[str, Any]:
    """Return what an XPARM.XDS says of detector, beam and spindle."""
    from ..io import xparm

    found, placed = xparm.parse(text, path, option), xparm.parse_detector(text, path, option)
    fields = _fields((placed.panel,), placed.wavelength_A, beam=_tuple(found.beam))
    fields["spindle_axis"] = _tuple(found.spindle)
    fields["phi"] = DEGREE.to_si(placed.phi_deg)
    if placed.width_deg > 0.0:
        fields["osc"] = DEGREE.to_si(placed.width_deg)
    return fields


def _of_cbf(path: str, option: str) -> dict[str, Any]:
    """Return what the header of a mini-CBF says; the convention of the command counts."""
    from ..io import cbf

    header = cbf.read_header(path, option)
    n_slow, n_fast = cbf.read_size(path, option)
    fields: dict[str, Any] = {
        "pixel_size": header.pixel_size,
        "pixels_fast": n_fast,
        "pixels_slow": n_slow,
        "distance": header.distance,
        "beam_fast": header.beam_fast * header.pixel_size,
        "beam_slow": header.beam_slow * header.pixel_size,
        "wavelength": header.wavelength,
        "phi": DEGREE.to_si(header.start_angle),
    }
    if header.angle_increment > 0.0:
        fields["osc"] = DEGREE.to_si(header.angle_increment)
    return fields


def _tuple(values: Array) -> tuple[float, float, float]:
    x, y, z = (float(v) + 0.0 for v in values)  # no minus zero
    return x, y, z
