"""Panels that a file places, as defaults of the settings: `-expt` and `-geometry`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InputError, called
from .choices import Semantics
from .detector import PLACING
from .given import Given, checked, number
from .presets import silicon_attenuation

if TYPE_CHECKING:
    from ..geometry.panel import PlacedPanel
    from .draft import Draft

_OTHER_CRYSTALS = {"matrix", "A_matrix", "crystals"}  # stand for those of an experiment list
_MICRON = 1e-6
_THICKEST_LAYER = 40e-6  # m
_LAYERS_PER_PIXEL = 4  # at least, of a depth as large as the pixel's edge
_MOST_LAYERS = 30


def apply_expt(draft: Draft, expt: Given, given: Sequence[Given]) -> None:
    """Let a DIALS experiment list set defaults."""
    _refuse_others(expt, given, PLACING)
    from .from_dials import settings_from_expt

    path = str(checked(expt, 0))
    fields = settings_from_expt(path, draft.notices, number=_number(given), phi_deg=_phi_deg(given))
    _check_wavelength(fields, expt, path, given)
    if "crystals" in fields and any(item.parameter.name in _OTHER_CRYSTALS for item in given):
        del fields["crystals"], fields["crystals_of_expt"]
    draft.set(**fields)


def apply_geometry(draft: Draft, geometry: Given, given: Sequence[Given]) -> bool:
    """Let a file of any kind that tells a geometry set defaults; False: it is an image whose header counts."""
    from .geometry_file import SMV_HEADER, settings_from_geometry

    if any(item.parameter.name == "expt" for item in given):
        raise InputError(f"{geometry.label}: contradicts {called('expt')}, which places the panels")
    path = str(checked(geometry, 0))
    distance = _last(given, "distance_mm")
    # Two spellings of a size, of which the last one counts.
    sizes = [_size(given, name) for name in ("pixels_fast", "pixels_slow")]
    size = None if None in sizes else (sizes[0], sizes[1])
    fields = settings_from_geometry(
        path,
        draft.notices,
        distance=None if distance is None else checked(distance, 0),
        size=size,  # type: ignore[arg-type]
        phi_deg=_phi_deg(given),
        number=_number(given),
    )
    if fields is SMV_HEADER:
        return False
    if "panels" in fields:
        kind = fields.pop("completed_by", ())
        _refuse_others(geometry, given, PLACING - set(kind))
        _check_wavelength(fields, geometry, path, given)
    draft.set(**fields)
    return True


def _refuse_others(file: Given, given: Sequence[Given], placing: set[str]) -> None:
    typed = list(dict.fromkeys(item.label for item in given if item.parameter.name in placing))
    if typed:
        contradict = "contradicts" if len(typed) == 1 else "contradict"
        raise InputError(f"{', '.join(typed)}: {contradict} {file.label}, which places the panels")


def _check_wavelength(fields: dict[str, Any], file: Given, path: str, given: Sequence[Given]) -> None:
    of_wavelength = {"wavelength", "spectrum", "spectrum_file"}
    if "wavelength" not in fields and not any(of_wavelength & {*item.parameter.fields} for item in given):
        raise InputError(f"{file.label} {path}: the beam has no single wavelength; give {called('wavelength_A')} A")


def _last(given: Sequence[Given], name: str) -> Given | None:
    return next((item for item in reversed(given) if item.parameter.name == name), None)


def _number(given: Sequence[Given]) -> int | None:
    number_of = _last(given, "expt_number")
    return None if number_of is None else checked(number_of, 0)


def _phi_deg(given: Sequence[Given]) -> float | None:
    phi = _last(given, "phi_deg")
    return None if phi is None else number(phi, 0)


def _size(given: Sequence[Given], field: str) -> int | None:
    """Return the pixels along an edge as typed."""
    for item in reversed(given):
        if field in item.parameter.fields or field in item.parameter.parts:
            place = item.parameter.parts.index(field) if len(item.values) > 1 else 0
            count: int | None = checked(item, place)
            return count
    return None


def settle_sensors(draft: Draft, file: Given, given: Sequence[Given]) -> None:
    """Decide by which sensor the panels of a file are drawn: that of the options, that of the file, or none.

    In semantics `c` the layers of a sensor add up to something else than a sensor captures, so that none is drawn
    unless it is typed.
    """
    panels: tuple[PlacedPanel, ...] = tuple(
        _with_absorption(panel, draft.get("wavelength")) for panel in draft.get("panels")
    )
    named = {item.parameter.name for item in given}
    typed = {"thickness_um", "attenuation_depth_um"} & named
    stated = [panel for panel in panels if panel.thickness > 0.0 and panel.mu > 0.0]
    alike = len(stated) == len(panels) and len({(panel.thickness, panel.mu) for panel in stated}) == 1
    parallax = [panel for panel in stated if panel.parallax]
    exact = draft.get("semantics") is Semantics.EXACT
    if typed and exact and alike and len(typed) == 1:
        if typed == {"thickness_um"}:
            draft.set(detector_mu=stated[0].mu)
        elif draft.get("detector_mu") > 0.0:
            draft.set(detector_thick=stated[0].thickness)
    drawn = parallax if exact and not typed else []
    path = str(file.values[0])
    if stated and not typed:
        draft.notices.append(f"{file.label} {path}: {_said_of_sensors(stated, drawn, draft, several=not alike)}")
    keep = {id(panel) for panel in drawn}
    draft.set(
        panels=tuple(
            panel
            if id(panel) in keep or panel.thickness == panel.mu == 0.0
            else dataclasses.replace(panel, thickness=0.0, mu=0.0)
            for panel in panels
        )
    )


def _with_absorption(panel: PlacedPanel, wavelength: float) -> PlacedPanel:
    """Return a panel with the absorption of silicon, where its sensor is of that and no more is stated."""
    if panel.thickness > 0.0 and panel.mu == 0.0 and panel.material == "Si":
        return dataclasses.replace(panel, mu=silicon_attenuation(wavelength))
    return panel


def _said_of_sensors(
    stated: Sequence[PlacedPanel], drawn: Sequence[PlacedPanel], draft: Draft, *, several: bool
) -> str:
    first = drawn[0] if drawn else stated[0]
    thick, depth = first.thickness / _MICRON, 1.0 / first.mu / _MICRON
    options = f"{called('thickness_um')} {thick:g} {called('attenuation_depth_um')} {depth:g}"
    if drawn:
        layers = sensor_layers_of(first, draft.get("detector_thicksteps"))
        others = " and others" if several else ""
        return (
            f"its sensor, {thick:g} um thick with an attenuation depth of {depth:g} um{others}, is drawn in {layers} "
            f"layers; {called('attenuation_depth_um', 'inf')} inf leaves it out"
        )
    exact = ", as does " + called("semantics", "exact") if any(panel.parallax for panel in stated) else ""
    return f"its sensor is not drawn, so that spots stand where there is no parallax; {options} draws it{exact}"


def sensor_layers_of(panel: PlacedPanel, asked_for: int | None) -> int:
    """Return by how many layers the sensor of a panel is drawn.

    A layer is drawn at its front; spots lie too near to the middle of the image by half a layer times the tangent of
    the angle, at 45 degrees an eighth of a pixel.
    """
    if asked_for:
        return asked_for
    step = min(_THICKEST_LAYER, min(panel.pixel_sizes) / _LAYERS_PER_PIXEL)
    return max(2, min(_MOST_LAYERS, math.ceil(panel.thickness / step - 1e-9)))
