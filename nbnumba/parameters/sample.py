"""Options of crystal, structure factors, beam, goniometer, sampling and background."""

from __future__ import annotations

from .choices import Shape
from .steps import MAX_OVERSAMPLE, MAX_STEPS
from .types import (
    ANGSTROM,
    ANGSTROM_BY_PRODUCT,
    DEGREE,
    ELECTRON_VOLT,
    FLUENCE,
    FLUX,
    INTEGER,
    MICRON_BY_DIVISION,
    MM,
    MRAD,
    NOT_NEGATIVE,
    PER_ANGSTROM,
    PERCENT,
    POSITIVE,
    SECOND,
    UNIT_INTERVAL,
    Range,
    Unset,
    at_most,
    filename,
    flag,
    number,
    special,
    text,
    whole,
)

MAX_CELLS = 1_000_000  # along an axis: Na²Nb²Nc² then stays inside float32

_SPREAD = {"divergence_or_dispersion_given": True}

CRYSTAL = (
    filename(
        "-mat",
        "orientation matrix as of MOSFLM: a*, b*, c* times the wavelength; or the crystal of a DIALS .expt or an XDS "
        "XPARM.XDS, GXPARM.XDS",
        "FILE",
        ("matrix_file",),
        sets={"reciprocal_A": None},
    ),
    special(
        "-A_matrix",
        "reciprocal vectors a*, b*, c*, one after the other; instead of -mat",
        "X Y Z X Y Z X Y Z",
        unit=PER_ANGSTROM,
        own=True,
        takes="9 numbers [1/A]: a*, b*, c*, which span a volume",
    ),
    special(
        "-cell",
        "unit cell, with or without -mat (which then gives directions alone); 1 to 6 numbers, missing lengths are a, "
        "missing angles 90",
        "a b c al be ga",
        takes="1 to 6 numbers, lengths [A] and angles [deg], the first greater than 0",
    ),
    special(
        "-misset",
        "turn the crystal about x, y and z [deg], or at random: -misset random",
        "X Y Z",
        takes="random, or 3 numbers [deg]",
    ),
    whole("-misset_seed", "seed of the random orientation", "N", ("misset_seed",), allowed=INTEGER, default="the time"),
    whole(
        "-N",
        "unit cells along each axis",
        "N",
        ("Na", "Nb", "Nc"),
        names=(),
        whole=("-N",),
        allowed=at_most(MAX_CELLS),
        default="1",
    ),
    whole("-Na", "unit cells along a", "N", ("Na",), allowed=at_most(MAX_CELLS), default="1"),
    whole("-Nb", "unit cells along b", "N", ("Nb",), allowed=at_most(MAX_CELLS), default="1"),
    whole("-Nc", "unit cells along c", "N", ("Nc",), allowed=at_most(MAX_CELLS), default="1"),
    number(
        "-samplesize",
        "edge of the crystal, instead of -N",
        "D",
        ("sample_x", "sample_y", "sample_z"),
        unit=MM,
        names=("-samplesize", "-sample_size", "-xtalsize", "-xtal_size"),
    ),
    number(
        "-sample_x",
        "edge along a, instead of -Na",
        "D",
        ("sample_x",),
        unit=MM,
        names=("-sample_x", "-sample_thick", "-xtal_x", "-xtal_thick"),
    ),
    number(
        "-sample_y",
        "edge along b; clipped to -beamsize",
        "D",
        ("sample_y",),
        unit=MM,
        names=("-sample_y", "-sample_width", "-xtal_y", "-xtal_width", "-width"),
    ),
    number(
        "-sample_z",
        "edge along c; clipped to -beamsize",
        "D",
        ("sample_z",),
        unit=MM,
        names=("-sample_z", "-sample_heigh", "-xtal_z", "-xtal_heigh", "-heigh"),
        shown=("-sample_height", "-xtal_z", "-xtal_height", "-height"),
    ),
    flag(
        "-square_xtal", "block-shaped crystal, with fringes between the spots (default)", sets={"shape": Shape.SQUARE}
    ),
    flag("-round_xtal", "ball-shaped crystal, with fringes", sets={"shape": Shape.ROUND}),
    flag("-gauss_xtal", "Gaussian spots without fringes", sets={"shape": Shape.GAUSS}),
    flag(
        "-tophat_spots",
        "spots of constant height, cut off at half maximum",
        sets={"shape": Shape.TOPHAT},
        names=("-tophat_spots", "-binary_spots"),
    ),
    number(
        "-fudge",
        "factor on the squared distance to a spot, not for square",
        "X",
        ("fudge",),
        allowed=NOT_NEGATIVE,
        default="1",
    ),
    number(
        "-mosaic",
        "isotropic mosaic spread",
        "A",
        ("mosaic_spread",),
        unit=DEGREE,
        unset=Unset.NEGATIVE,
        allowed=Range("from 0 to 360", high=360.0),
        names=("-mosaici", "-mosaic_spr"),
        whole=("-mosaic",),
        shown=("-mosaicity", "-mosaic_spread"),
        default="0",
    ),
    whole(
        "-mosaic_domains",
        "number of mosaic domains",
        "N",
        ("mosaic_domains",),
        unset=Unset.NOT_POSITIVE,
        allowed=at_most(MAX_STEPS),
        names=("-mosaic_dom",),
        shown=(),
        default="10 with -mosaic",
    ),
    whole("-mosaic_seed", "seed of the domains", "N", ("mosaic_seed",), allowed=INTEGER, default="12345678"),
)

FACTORS = (
    filename("-hkl", "reflections: lines of h k l F, for P1; or an MTZ or CIF file", "FILE", ("hkl_file",)),
    text("-hkl_column", "column of an MTZ or CIF file", "NAME", ("hkl_column",), own=True, default="by its type"),
    number(
        "-hkl_dmin",
        "take no reflections beyond this resolution from an MTZ, CIF or PDB file",
        "D",
        ("hkl_dmin",),
        unit=ANGSTROM,
        allowed=NOT_NEGATIVE,
        own=True,
        default="0: all",
    ),
    filename(
        "-pdb",
        "structure factors of a model with bulk solvent, PDB or mmCIF; instead of -hkl",
        "FILE",
        ("pdb_file",),
        own=True,
    ),
    number("-default_F", "structure factor of every reflection that -hkl lacks", "F", ("default_F",), default="0"),
    filename(
        "-dump",
        "binary copy of the reflections; read when there is no -hkl",
        "FILE",
        ("dump_file",),
        default="Fdump.bin",
    ),
    flag("-nodump", "do not write that copy", own=True, sets={"write_dump": False}),
    flag("-interpolate", "interpolate structure factors between the reflections", sets={"interpolate": True}),
    flag("-nointerpolate", "use the nearest reflection (default: by crystal size)", sets={"interpolate": False}),
)

BEAM = (
    number(
        "-lambda",
        "wavelength",
        "L",
        ("wavelength",),
        unit=ANGSTROM,
        allowed=POSITIVE,
        names=("-lambda", "-wave"),
        shown=("-wavelength",),
        default="1",
    ),
    number("-energy", "photon energy, instead of -lambda", "E", ("wavelength",), unit=ELECTRON_VOLT, allowed=POSITIVE),
    number(
        "-fluence",
        "photons per area on the sample",
        "X",
        ("fluence",),
        unit=FLUENCE,
        allowed=NOT_NEGATIVE,
        default="1.259e29",
    ),
    number(
        "-flux",
        "photons per second; with -exposure and -beamsize it replaces -fluence",
        "X",
        ("flux",),
        unit=FLUX,
        allowed=NOT_NEGATIVE,
    ),
    number("-exposure", "exposure time", "T", ("exposure",), unit=SECOND, default="1"),
    number(
        "-beamsize", "edge of the square beam; clips the sample in y and z", "D", ("beamsize",), unit=MM, default="0.1"
    ),
    number(
        "-polar",
        "Kahn polarization factor",
        "K",
        ("polarization",),
        allowed=UNIT_INTERVAL,
        sets={"nopolar": False},
        names=(),
        whole=("-polar",),
        default="0",
    ),
    flag("-nopolar", "no polarization correction", sets={"nopolar": True}),
)

SPREAD = (
    number(
        "-dispersion",
        "full width of the spectrum, of the wavelength",
        "X",
        ("dispersion",),
        unit=PERCENT,
        sets=_SPREAD,
        default="0",
    ),
    whole(
        "-dispsteps",
        "wavelengths across it",
        "N",
        ("dispsteps",),
        unset=Unset.NOT_POSITIVE,
        allowed=at_most(MAX_STEPS),
        sets=_SPREAD,
    ),
    number(
        "-divergence",
        "full divergence, horizontal and vertical",
        "A",
        ("hdivrange", "vdivrange"),
        unit=MRAD,
        unset=Unset.NEGATIVE,
        sets=_SPREAD,
    ),
    number(
        "-hdivrange", "full horizontal divergence", "A", ("hdivrange",), unit=MRAD, unset=Unset.NEGATIVE, sets=_SPREAD
    ),
    number(
        "-vdivrange", "full vertical divergence", "A", ("vdivrange",), unit=MRAD, unset=Unset.NEGATIVE, sets=_SPREAD
    ),
    whole(
        "-divsteps",
        "directions across each",
        "N",
        ("hdivsteps", "vdivsteps"),
        unset=Unset.NOT_POSITIVE,
        allowed=at_most(MAX_STEPS),
        sets=_SPREAD,
    ),
    whole(
        "-hdivsteps",
        "directions across the horizontal divergence",
        "N",
        ("hdivsteps",),
        unset=Unset.NOT_POSITIVE,
        allowed=at_most(MAX_STEPS),
        sets=_SPREAD,
    ),
    whole(
        "-vdivsteps",
        "directions across the vertical divergence",
        "N",
        ("vdivsteps",),
        unset=Unset.NOT_POSITIVE,
        allowed=at_most(MAX_STEPS),
        sets=_SPREAD,
    ),
    number(
        "-hdivstep",
        "angle between directions, horizontal",
        "A",
        ("hdivstep",),
        unit=MRAD,
        unset=Unset.NOT_POSITIVE,
        sets=_SPREAD,
        names=(),
        whole=("-hdivstep",),
    ),
    number(
        "-vdivstep",
        "angle between directions, vertical",
        "A",
        ("vdivstep",),
        unit=MRAD,
        unset=Unset.NOT_POSITIVE,
        sets=_SPREAD,
        names=(),
        whole=("-vdivstep",),
    ),
    flag(
        "-round_div",
        "round off the corners of the divergence grid (default)",
        sets={**_SPREAD, "round_divergence": True},
    ),
    flag("-square_div", "keep the corners", sets={**_SPREAD, "round_divergence": False}),
    filename(
        "-sourcefile",
        "sources: lines of x y z weight wavelength [m]; replaces the options above",
        "FILE",
        ("source_file",),
    ),
)

GONIOMETER = (
    number("-phi", "spindle angle at the start", "A", ("phi",), unit=DEGREE, names=(), whole=("-phi",), default="0"),
    number("-osc", "rotation range", "A", ("osc",), unit=DEGREE, unset=Unset.NEGATIVE, default="0"),
    number(
        "-phistep",
        "angle between steps",
        "A",
        ("phistep",),
        unit=DEGREE,
        unset=Unset.NEGATIVE,
        names=(),
        whole=("-phistep",),
    ),
    whole("-phisteps", "number of steps", "N", ("phisteps",), unset=Unset.NEGATIVE, allowed=at_most(MAX_STEPS)),
)

SAMPLING = (
    whole(
        "-oversample",
        "sub-pixels along each edge of a pixel",
        "N",
        ("oversample",),
        unset=Unset.NOT_POSITIVE,
        allowed=at_most(MAX_OVERSAMPLE),
        default="by crystal size",
    ),
    flag("-oversample_thick", "sensor absorption anew for every sub-pixel", sets={"oversample_thick": True}),
    flag("-oversample_polar", "polarization anew for every sub-pixel", sets={"oversample_polar": True}),
    flag("-oversample_omega", "solid angle anew for every sub-pixel", sets={"oversample_omega": True}),
    number(
        "-dmin", "leave out what lies beyond this resolution", "D", ("dmin",), unit=ANGSTROM_BY_PRODUCT, default="0"
    ),
)

BACKGROUND = (
    number(
        "-water",
        "edge of a cube of water around the crystal",
        "D",
        ("water_size",),
        unit=MICRON_BY_DIVISION,
        allowed=NOT_NEGATIVE,
        default="0",
    ),
)
