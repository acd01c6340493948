"""What the models of a DIALS experiment list hold, of what is read here."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from .validated import Number, Vector

Pair = Annotated[tuple[Number, Number], msgspec.Meta(description="2 finite numbers are needed")]
Range = tuple[float, float]  # either may be infinite
Rectangle = Annotated[tuple[int, int, int, int], msgspec.Meta(description="4 whole numbers are needed")]
Numbers = Annotated[list[Number], msgspec.Meta(description="a list of finite numbers is needed")]
Matrix = Annotated[list[Number], msgspec.Meta(min_length=9, max_length=9, description="9 finite numbers are needed")]
Index = Annotated[int | str, msgspec.Meta(description="the number of a model, counted from 0, is needed")]


class Models(msgspec.Struct):
    """Which of the models belong together."""

    beam: Index | None = None
    detector: Index | None = None
    goniometer: Index | None = None
    scan: Index | None = None
    crystal: Index | None = None
    imageset: Any = None
    profile: Any = None


class Root(msgspec.Struct):
    experiment: list[Models]
    beam: list[Any] | None = None
    detector: list[Any] | None = None
    goniometer: list[Any] | None = None
    scan: list[Any] | None = None
    crystal: list[Any] | None = None
    profile: Any = None


class BeamEntry(msgspec.Struct):
    direction: Vector
    kind: str = msgspec.field(name="__id__", default="")
    wavelength: Number | None = None
    polarization_normal: Vector | None = None
    polarization_fraction: Number | None = None
    probe: str | None = None
    s0_at_scan_points: Any = None


class GoniometerEntry(msgspec.Struct):
    rotation_axis: Vector | None = None
    fixed_rotation: Matrix | None = None
    setting_rotation: Matrix | None = None
    axes: list[Vector] | None = None
    angles: Numbers | None = None
    names: Any = None
    scan_axis: int | None = None
    setting_rotation_at_scan_points: Any = None


class Properties(msgspec.Struct):
    oscillation: Numbers | None = None
    oscillation_width: Numbers | None = None


class Scan(msgspec.Struct):
    image_range: Pair | None = None
    oscillation: Pair | None = None
    properties: Properties | None = None


class CrystalEntry(msgspec.Struct):
    real_space_a: Vector
    real_space_b: Vector
    real_space_c: Vector
    A_at_scan_points: Any = None
    half_mosaicity: Number | None = msgspec.field(name="ML_half_mosaicity_deg", default=None)
    domain_size_A: Number | None = msgspec.field(name="ML_domain_size_ang", default=None)
    mosaicity: Number | None = None


class Group(msgspec.Struct):
    """A group of panels; vectors are relative to the group around it."""

    fast_axis: Vector | None = None
    slow_axis: Vector | None = None
    origin: Vector | None = None
    children: list[Group] | None = None
    panel: int | None = None
    name: str | None = None


class Strategy(msgspec.Struct):
    type: str | None = None


class PanelEntry(msgspec.Struct):
    fast_axis: Vector
    slow_axis: Vector
    origin: Vector
    image_size: Pair
    pixel_size: Pair
    thickness: Number | None = None
    mu: Number | None = None
    name: str | None = None
    material: str | None = None
    mask: list[Rectangle] | None = None
    gain: Number | None = None
    pedestal: Number | None = None
    trusted_range: Range | None = None
    px_mm_strategy: Strategy | None = None


class DetectorEntry(msgspec.Struct):
    panels: list[PanelEntry]
    hierarchy: Group | None = None
