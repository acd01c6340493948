"""What a user asked for, after the words are read and before anything is worked out.

The values are those that the variables of nanoBragg.c hold when its argument loop ends (nanoBragg.c:505-1116),
in SI units; `None` stands for C's "not set" values: counts of zero or less (phisteps: below zero), negative
ranges and spreads, divergence steps of zero or less. Values that C tells apart from "not set" stay as typed,
the odd ones with a remark. Nothing here is derived: defaults that depend on other settings are filled in by
`nbnumba.experiment.resolve`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .choices import Convention, Pivot, Semantics, Shape, Vector

if TYPE_CHECKING:
    from ..geometry.panel import PanelGeometry
    from ..structure_factors.table import ReflectionTable


@dataclass(frozen=True)
class Settings:
    """Everything that decides the picture; lengths in metres, angles in radians.

    Cell lengths alone are in Angstrom, as in the matrix files. Names in brackets are C's.
    """

    semantics: Semantics = Semantics.C

    # Crystal
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
    shape: Shape = Shape.SQUARE
    fudge: float = 1.0
    mosaic_spread: float | None = None
    mosaic_domains: int | None = None
    mosaic_seed: int = 12345678

    # Structure factors
    hkl_file: str | None = None
    hkl_column: str | None = None  # of an MTZ or CIF file; None: chosen by its type
    hkl_dmin: float = 0.0  # m; reflections of finer spacing are not taken; 0: all
    pdb_file: str | None = None
    reflections: ReflectionTable | None = field(default=None, compare=False, repr=False)  # in memory; beats all files
    dump_file: str | None = "Fdump.bin"  # None: neither read nor written
    write_dump: bool = True
    default_F: float = 0.0
    interpolate: bool | None = None  # None: choose by crystal size

    # Beam
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
    fluence: float = 125932015286227086360700780544.0  # photons/m^2
    flux: float = 0.0  # photons/s; 0: not given
    exposure: float = 1.0  # s
    beamsize: float = 1.0e-4
    polarization: float = 0.0  # Kahn factor
    nopolar: bool = False

    # Detector
    convention: Convention = Convention.MOSFLM
    pivot_by_order: Pivot = Pivot.BEAM  # what the last option that moves the pivot left, -pivot included
    pivot_explicit: Pivot | None = None  # the last -pivot, if any
    fdet_vector: Vector = (0.0, 0.0, 1.0)
    sdet_vector: Vector = (0.0, -1.0, 0.0)
    odet_vector: Vector = (1.0, 0.0, 0.0)
    beam_vector: Vector = (1.0, 0.0, 0.0)
    polar_vector: Vector = (0.0, 0.0, 1.0)
    spindle_axis: Vector = (0.0, 0.0, 1.0)
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
    detector_thick: float = 0.0  # < 0 with detector_thicksteps: C takes half a micrometre
    detector_thicksteps: int | None = None
    mask_file: str | None = None
    panels: tuple[PanelGeometry, ...] = ()  # placed by -expt; beat everything that places a detector
    beam_fast: float | None = None  # where the beam meets the panel, from its corner; beats what the convention says
    beam_slow: float | None = None
    expt_file: str | None = None  # what it holds is already in the other fields
    header_file: str | None = None  # -img; its header is already in the other fields
    roi: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None)
    # fast min, fast max, slow min, slow max; inclusive

    # Goniometer
    phi: float = 0.0  # start [phi0]
    osc: float | None = None  # None or negative: not given
    phistep: float | None = None  # 0 with osc and phisteps keeps all steps at the start, else it is not given
    phisteps: int | None = None  # 0 counts as 1

    # Sampling
    oversample: int | None = None
    oversample_thick: bool = False
    oversample_polar: bool = False
    oversample_omega: bool = False
    dmin: float = 0.0

    # Background
    water_size: float = 0.0
