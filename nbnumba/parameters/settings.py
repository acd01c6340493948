"""What a user asked for, after the words or keywords are read and before anything is worked out.

The values are those that the variables of nanoBragg.c hold when its argument loop ends (nanoBragg.c:505-1116),
in SI units; `None` stands for C's "not set" values: counts of zero or less (phisteps: below zero), negative
ranges and spreads, divergence steps of zero or less. Values that C tells apart from "not set" stay as typed,
the odd ones with a remark. Nothing here is derived: defaults that depend on other settings are filled in by
`nbnumba.experiment.resolve`.

Lengths are in meters, angles in radians; cell lengths alone are in Angstrom, as in the matrix files. Names in
brackets are C's. No two parts have a field of the same name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..util.records import changed
from .choices import Convention, DiffuseAxes, MosaicModel, PhiSampling, Pivot, Semantics, Shape, Spreading, Vector

if TYPE_CHECKING:
    from ..geometry.mounting import Mounting
    from ..geometry.panel import PanelGeometry


@dataclass(frozen=True)
class CrystalSettings:
    """Cell, orientation, size, shape and mosaicity."""

    Na: int = 1  # as typed; values below 1 become 1 later
    Nb: int = 1
    Nc: int = 1
    cell_given: bool = False  # [user_cell]
    cell_lengths_A: Vector = (0.0, 0.0, 0.0)  # <= 0: not given
    cell_angles: Vector = (0.0, 0.0, 0.0)  # <= 0: not given
    misset: Vector | None = None  # rotation about x, then y, then z
    misset_random: bool = False  # beats `misset`, as in C the last of the two options wins
    misset_seed: int | None = None  # None: from the time
    matrix_file: str | None = None
    reciprocal_A: tuple[Vector, Vector, Vector] | None = None  # a*, b*, c* [1/Angstrom]; beats matrix_file and cell
    sample_x: float = 0.0  # <= 0: N decides
    sample_y: float = 0.0
    sample_z: float = 0.0
    Nd: float = 0.0  # off the diagonal of the matrix of unit cells: between a and b, b and c, a and c
    Ne: float = 0.0
    Nf: float = 0.0
    shape: Shape = Shape.SQUARE
    spreading: Spreading = Spreading.SAMPLED
    fudge: float = 1.0
    mosaic_spread: float | None = None
    mosaic_domains: int | None = None
    mosaic_seed: int = 12345678
    mosaic_model: MosaicModel | None = None  # None: as C
    mosaic_sigmas: tuple[float, ...] = ()  # 1 or 3 angles, or 3 angles and 3 correlations; instead of mosaic_spread
    mosaic_file: str | None = None
    diffuse_gamma: tuple[float, ...] = ()  # Angstrom; 1 or 3; empty with diffuse_sigma: 50
    diffuse_sigma: tuple[float, ...] = ()  # Angstrom; 1 or 3; empty with diffuse_gamma: 0.4
    diffuse_laue: str | None = None
    diffuse_stencil: int | None = None
    diffuse_axes: DiffuseAxes | None = None
    only_diffuse: bool = False
    crystals: tuple[str, ...] = ()  # files, or keywords as JSON; each is a crystal of its own
    crystals_of_expt: bool = False  # whether they are the lattices of expt_file
    crystal_share: float = 1.0
    lattice_spread: tuple[float, ...] = ()  # of a, b, c among the domains, fractions: 1 or 3


@dataclass(frozen=True)
class FactorSettings:
    """Where structure factors come from and how they are looked up."""

    hkl_file: str | None = None
    hkl_column: str | None = None  # of an MTZ or CIF file; None: chosen by its type
    hkl_dmin: float = 0.0  # m; reflections of finer spacing are not taken; 0: all
    pdb_file: str | None = None
    dump_file: str | None = "Fdump.bin"  # None: neither read nor written
    write_dump: bool = True
    anomalous: bool = False
    anomalous_files: tuple[tuple[str, str], ...] = ()  # element or site, file
    anomalous_bins: int | None = None  # None: by f' and f''
    phase_column: str | None = None  # column of phases of an MTZ file
    default_F: float = 0.0
    B_factor: float = 0.0  # Angstrom^2
    interpolate: bool | None = None  # None: choose by crystal size


@dataclass(frozen=True)
class BeamSettings:
    """Direction, wavelength, spectrum, divergence, fluence and polarization."""

    beam_vector: Vector = (1.0, 0.0, 0.0)
    polar_vector: Vector = (0.0, 0.0, 1.0)
    wavelength: float = 1.0e-10  # [lambda0]
    dispersion: float = 0.0  # fraction of the wavelength, full range; < 0 with dispsteps: C takes 1
    dispsteps: int | None = None
    hdivrange: float | None = None
    vdivrange: float | None = None
    hdivstep: float | None = None
    vdivstep: float | None = None
    hdivsteps: int | None = None
    vdivsteps: int | None = None
    round_divergence: bool = True  # [round_div]
    divergence_or_dispersion_given: bool = False  # any of the options above was on the command line
    source_file: str | None = None
    spectrum: str | None = None  # form:number:...:channels
    spectrum_file: str | None = None
    spectrum_shot: int | None = None  # None: the first
    spectrum_seed: int | None = None
    spectrum_shift: float = 0.0  # eV
    gauss_hdiv: float = 0.0  # full width at half maximum
    gauss_vdiv: float = 0.0
    gauss_divs: int | None = None
    tilt_fast: float = 0.0  # of the beam, after the detector is placed
    tilt_slow: float = 0.0
    fluence: float = 125932015286227086360700780544.0  # photons/m^2
    flux: float = 0.0  # photons/s; 0: not given
    exposure: float = 1.0  # s
    beamsize: float = 1.0e-4
    polarization: float = 0.0  # Kahn factor
    nopolar: bool = False


@dataclass(frozen=True)
class DetectorSettings:
    """Size, place, axes and sensor."""

    convention: Convention = Convention.MOSFLM
    pivot_by_order: Pivot = Pivot.BEAM  # what the last option that moves the pivot left, -pivot included
    pivot_explicit: Pivot | None = None  # the last -pivot, if any
    fdet_vector: Vector = (0.0, 0.0, 1.0)
    sdet_vector: Vector = (0.0, -1.0, 0.0)
    odet_vector: Vector = (1.0, 0.0, 0.0)
    twotheta_axis: Vector = (0.0, 1.0, 0.0)
    pix0_vector: Vector | None = None
    distance: float = 0.1
    distance_given: bool = False  # -distance was on the command line (headers do not count)
    close_distance: float | None = None
    Xbeam: float | None = None
    Ybeam: float | None = None
    Xclose: float | None = None
    Yclose: float | None = None
    ORGX: float | None = None  # pixels, XDS convention
    ORGY: float | None = None
    beam_center_given: bool = False  # one of the six above was on the command line (headers do not count)
    detector_rotx: float = 0.0
    detector_roty: float = 0.0
    detector_rotz: float = 0.0
    twotheta: float = 0.0
    pixel_size: float = 1.0e-4
    detsize_f: float = 0.1024
    detsize_s: float = 0.1024
    pixels_fast: int | None = None  # beat detsize
    pixels_slow: int | None = None
    curved_detector: bool = False
    point_pixel: bool = False
    detector_mu: float = -1.0  # 1/m; < 0: not given, 0: no absorption [-detector_abs inf]
    detector_thick: float = 0.0  # < 0 with detector_thicksteps: C takes half a micrometer
    detector_thicksteps: int | None = None
    mask_file: str | None = None
    panels: tuple[PanelGeometry, ...] = ()  # placed by a file; beat everything that places a detector
    beam_fast: float | None = None  # where the beam meets the panel, from its corner; beats what the convention says
    beam_slow: float | None = None
    expt_file: str | None = None  # what it holds is already in the other fields
    expt_number: int | None = None  # of its experiments
    geometry_file: str | None = None  # as expt_file, without a crystal
    header_file: str | None = None  # -img; its header is already in the other fields


@dataclass(frozen=True)
class GoniometerSettings:
    """Rotation of the crystal during the exposure."""

    spindle_axis: Vector = (0.0, 0.0, 1.0)
    mounting: Mounting | None = None  # other axes of the goniometer of a file; spindle_axis has its outer ones in it
    phi: float = 0.0  # start [phi0]
    osc: float | None = None  # None: not given; negative: as C not given, in exact the other way round
    phistep: float | None = None  # 0 with osc and phisteps keeps all steps at the start, else it is not given
    phisteps: int | None = None  # 0 counts as 1
    phi_sampling: PhiSampling = PhiSampling.EDGE


@dataclass(frozen=True)
class SamplingSettings:
    """How finely, and which pixels."""

    oversample: int | None = None
    oversample_thick: bool = False
    oversample_polar: bool = False
    oversample_omega: bool = False
    dmin: float = 0.0
    spot_cutoff: float = 0.0  # photons; 0: not given
    roi: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None)
    # fast min, fast max, slow min, slow max; inclusive
    panel: int | None = None  # that alone is rendered, and that roi and a trace are of


@dataclass(frozen=True)
class BackgroundSettings:
    """What scatters besides the crystal."""

    water_size: float = 0.0
    materials: tuple[str, ...] = ()  # TABLE:thick_mm[:density:MW]
    water_thick: float = 0.0
    air_thick: float = 0.0
    ice_thick: float = 0.0


@dataclass(frozen=True)
class ReadoutSettings:
    """What the detector does to the photons; all at its default: nothing but counting them."""

    detector_preset: str | None = None  # its numbers are already in the other fields
    beamstop: float = 0.0
    psf: str | None = None
    psf_fwhm: float = 46e-6
    psf_radius: int = 0
    psf_file: str | None = None
    psf_stage: str | None = None
    flicker: float = 0.0
    flicker_pixels: float = 0.0
    calibration: float = 0.0
    calibration_seed: int = 123456789
    dead_time: float = 0.0
    rate_limit: float | None = None
    gain: float = 1.0
    dark_current: float = 0.0
    readout_noise: float = 0.0
    saturation: int | None = None
    dead_pixels: int = 0
    hot_pixels: int = 0
    bad_seed: int = 1234


@dataclass(frozen=True)
class Settings:
    """Everything that decides the image."""

    semantics: Semantics = Semantics.C
    crystal: CrystalSettings = CrystalSettings()
    factors: FactorSettings = FactorSettings()
    beam: BeamSettings = BeamSettings()
    detector: DetectorSettings = DetectorSettings()
    goniometer: GoniometerSettings = GoniometerSettings()
    sampling: SamplingSettings = SamplingSettings()
    background: BackgroundSettings = BackgroundSettings()
    readout: ReadoutSettings = ReadoutSettings()

    @classmethod
    def of(cls, **fields: Any) -> Settings:
        """Return the settings that some fields, of whatever parts, make out of the defaults."""
        of_settings, by_part = _sorted(fields)
        return cls(**of_settings, **{part: _PARTS[part](**some) for part, some in by_part.items()})

    def changed(self, **fields: Any) -> Settings:
        """Return settings with other values of some fields, of whatever parts.

        Raises
        ------
        KeyError
            For a name that no part has.
        """
        of_settings, by_part = _sorted(fields)
        parts = {part: changed(getattr(self, part), **some) for part, some in by_part.items()}
        return changed(self, **of_settings, **parts)

    def value(self, name: str) -> Any:
        """Return a field, of whatever part."""
        part = PART_OF[name]
        return getattr(getattr(self, part) if part else self, name)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield the name and value of every field, part by part."""
        for name in PART_OF:
            yield name, self.value(name)


PART_OF: dict[str, str] = {
    name: part
    for whole in dataclasses.fields(Settings)
    for part, names in (
        [("", [whole.name])]
        if whole.name == "semantics"
        else [(whole.name, [field.name for field in dataclasses.fields(whole.default)])]  # type: ignore[arg-type]
    )
    for name in names
}
"""Field -> the part of `Settings` that it stands in; empty for a field of `Settings` itself."""

_PARTS: dict[str, Any] = {
    whole.name: type(whole.default) for whole in dataclasses.fields(Settings) if whole.name != "semantics"
}


def _sorted(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Sort fields into those of `Settings` itself and those of each part."""
    by_part: dict[str, dict[str, Any]] = {}
    for name, value in fields.items():
        by_part.setdefault(PART_OF[name], {})[name] = value
    return by_part.pop("", {}), by_part
