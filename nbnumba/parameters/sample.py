"""Parameters of crystal, structure factors and background."""

from __future__ import annotations

from .choices import MosaicModel, Shape, Spreading
from .exposure import COUNT
from .steps import MAX_STEPS
from .types import (
    ANGSTROM,
    DEGREE,
    INTEGER,
    MICRON_BY_DIVISION,
    MM,
    NOT_NEGATIVE,
    PER_ANGSTROM,
    SQUARE_ANGSTROM,
    Kind,
    Option,
    Parameter,
    Range,
    Unit,
    Unset,
    at_most,
    choice,
    flag,
    input_file,
    number,
    special,
    spelling,
    text,
    whole,
    yes_or_no,
)

_RESOLUTION = Range("from 0.3 to 1000, or 0", low=0.0, high=1000.0, gap=(0.0, 0.3))
MAX_CELLS = 1_000_000  # along an axis: Na²Nb²Nc² then stays inside float32
_LATTICE_SPREAD = Range("from 0 to 20", low=0.0, high=20.0)
_CELLS = Range(f"from 1 to {MAX_CELLS}", low=1, high=MAX_CELLS)

SHAPE = Parameter(
    "shape",
    kind=Kind.CHOICE,
    fields=("shape",),
    unit=Unit("", Shape),
    choices=tuple(Shape),
    keyword=True,
    note='"square", "round", "gauss", "tophat"; with unit cells counted along each axis "gauss_abc", "gauss_argchk",\n'
    '"tophat_abc"; "gauss_star", as large in all directions.',
)
INTERPOLATE = yes_or_no(
    "interpolate", "interpolate structure factors between the reflections; by default crystal size decides"
)
CRYSTAL = (
    input_file(
        "-mat",
        "orientation matrix as of MOSFLM: a*, b*, c* times the wavelength; or the crystal of a DIALS .expt or an XDS "
        "XPARM.XDS, GXPARM.XDS",
        "FILE",
        ("matrix_file",),
        sets={"reciprocal_A": None},
        name="matrix",
        note="As of MOSFLM, the crystal of a DIALS .expt, or an XDS XPARM.XDS.",
    ),
    special(
        "-A_matrix",
        "reciprocal vectors a*, b*, c*, one after the other; instead of -mat",
        "X Y Z X Y Z X Y Z",
        unit=PER_ANGSTROM,
        own=True,
        takes="9 numbers [1/Å]: a*, b*, c*, which span a volume",
        name="A_matrix",
        hint="ArrayLike",
        note="(3, 3) [1/Å], columns a*, b*, c*, in the laboratory frame.",
    ),
    special(
        "-cell",
        "unit cell, with or without -mat (which then gives directions alone); 1 to 6 numbers, missing lengths are a, "
        "missing angles 90",
        "a b c al be ga",
        takes="1 to 6 numbers, lengths [Å] and angles [deg], the first greater than 0",
        name="cell",
        counts=tuple(range(1, 7)),
        hint="Sequence[float]",
        note="One to six numbers: lengths [Å], angles [deg].\n\n"
        'With `semantics="c"` the angles of a triclinic or primitive rhombohedral cell come out up to 2 degrees off,\n'
        "as C draws them; a `U_matrix` beside it (np.eye(3) in the same orientation) avoids that.",
    ),
    Parameter(
        "U_matrix",
        kind=Kind.SPECIAL,
        counts=(9,),
        keyword=True,
        hint="ArrayLike",
        note="(3, 3) orientation, with `cell`: A = U B, where B has a* along x and b* in the xy plane.",
    ),
    special(
        "-misset",
        "turn the crystal about x, y and z [deg], or at random: -misset random",
        "X Y Z",
        takes="random, or 3 numbers [deg]",
        name="misset_deg",
        counts=(3, 1),
        hint="Three | str",
        note='Turns the crystal about x, y and z; or "random".',
    ),
    whole(
        "-misset_seed",
        "seed of the random orientation",
        "N",
        ("misset_seed",),
        allowed=INTEGER,
        default="the time",
        name="misset_seed",
    ),
    whole(
        "-N",
        "unit cells along each axis",
        "N",
        ("Na", "Nb", "Nc"),
        names=(),
        whole=("-N",),
        allowed=at_most(MAX_CELLS),
        strict=_CELLS,
        default="1",
        name="N",
        varies=_CELLS,
        counts=(1, 3),
        parts=("Na", "Nb", "Nc"),
        hint="int | Sequence[int]",
        note="Unit cells along each axis: one number, or three.",
    ),
    whole(
        "-Na", "unit cells along a", "N", ("Na",), allowed=at_most(MAX_CELLS), varies=_CELLS, strict=_CELLS, default="1"
    ),
    whole(
        "-Nb", "unit cells along b", "N", ("Nb",), allowed=at_most(MAX_CELLS), varies=_CELLS, strict=_CELLS, default="1"
    ),
    whole(
        "-Nc", "unit cells along c", "N", ("Nc",), allowed=at_most(MAX_CELLS), varies=_CELLS, strict=_CELLS, default="1"
    ),
    number(
        "-samplesize",
        "edge of the crystal, instead of -N",
        "D",
        ("sample_x", "sample_y", "sample_z"),
        unit=MM,
        names=("-samplesize", "-sample_size", "-xtalsize", "-xtal_size"),
        name="crystal_size_mm",
        counts=(1, 3),
        parts=("sample_x", "sample_y", "sample_z"),
        hint="float | Three",
        note="Edges of the crystal, instead of N.",
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
    spelling("-square_xtal", SHAPE, "square", "block-shaped crystal, with fringes between the spots (default)"),
    spelling("-round_xtal", SHAPE, "round", "ball-shaped crystal, with fringes"),
    spelling("-gauss_xtal", SHAPE, "gauss", "Gaussian spots without fringes"),
    spelling(
        "-tophat_spots",
        SHAPE,
        "tophat",
        "spots of constant height, cut off at half maximum",
        names=("-tophat_spots", "-binary_spots"),
    ),
    Option(
        "-shape",
        SHAPE,
        "|".join(Shape),
        help="shape of the crystal by name: those above; Gaussian or top-hat spots whose width along each axis follows "
        "from the cells along it (abc; argchk: 0 where exp(-35) is reached); of one size in all directions (star)",
        default="square",
        own=True,
    ),
    number(
        "-Nd",
        "off the diagonal of the matrix of unit cells, between a and b; for -shape gauss_* and tophat_abc",
        "X",
        ("Nd",),
        own=True,
        default="0",
        name="Nd",
    ),
    number("-Ne", "the same between b and c", "X", ("Ne",), own=True, default="0", name="Ne"),
    number("-Nf", "the same between a and c", "X", ("Nf",), own=True, default="0", name="Nf"),
    choice(
        "-spread",
        "Gaussian spots: mosaicity, dispersion and divergence by domains and sources, or as one Gaussian of the same "
        "variances for each reflection",
        "sampled|continuous",
        ("spreading",),
        choices=tuple(Spreading),
        default="sampled",
        unit=Unit("", Spreading),
        name="spread",
        note='"sampled": mosaicity, dispersion and divergence by domains and sources; "continuous": as one Gaussian\n'
        "of the same variances for each reflection of Gaussian spots.",
    ),
    number(
        "-fudge",
        "factor on the squared distance to a spot, not for square",
        "X",
        ("fudge",),
        allowed=NOT_NEGATIVE,
        default="1",
        name="fudge",
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
        name="mosaic_spread_deg",
        varies=Range("from 0 to 360", low=0.0, high=360.0),
    ),
    whole(
        "-mosaic_domains",
        "number of mosaic domains",
        "N",
        ("mosaic_domains",),
        unset=Unset.NOT_POSITIVE,
        allowed=at_most(MAX_STEPS),
        strict=COUNT,
        names=("-mosaic_dom",),
        shown=(),
        default="10 with -mosaic",
        name="mosaic_domains",
    ),
    whole(
        "-mosaic_seed",
        "seed of the domains",
        "N",
        ("mosaic_seed",),
        allowed=INTEGER,
        default="12345678",
        name="mosaic_seed",
    ),
    choice(
        "-mosaic_model",
        "what -mosaic is: the largest angle of C's domains or of simtbx's, the sigma of a Gaussian about each axis of "
        "the crystal, the largest angle of uniform rotations, or the sigma of diffBragg's domains",
        "c|gauss|uniform|simtbx|diffbragg",
        ("mosaic_model",),
        choices=tuple(model for model in MosaicModel if model is not MosaicModel.FILE),
        default="c",
        unit=Unit("", MosaicModel),
        name="mosaic_model",
        note='Distribution of the domains: "c", "gauss", "uniform", "simtbx", "diffbragg".\n\n'
        "`mosaic_spread_deg` is the largest angle of c, simtbx and uniform, and the standard deviation of gauss\n"
        "(about each axis) and diffbragg (of the angle).",
    ),
    special(
        "-mosaic_sigmas",
        "instead of -mosaic with gauss, uniform, diffbragg: about a*, the axis across it in the plane of b*, and the "
        "third; for the first two also their correlations ab, bc, ac",
        "A [B C [ab bc ac]]",
        own=True,
        takes="1 or 3 angles from 0 to 180 [deg], or 3 of them and 3 correlations from -1 to 1",
        name="mosaic_sigmas_deg",
        counts=(1, 3, 6),
        hint="float | Sequence[float]",
        note="Instead of `mosaic_spread_deg`: one number, or three about a*, the axis across it in the plane of b*,\n"
        "and the third [deg]; with three correlations ab, bc, ac after them where they are not independent.",
    ),
    input_file(
        "-mosaic_file",
        "rotations of the mosaic domains, a line each: a matrix (9 numbers) or a quaternion (w x y z), and a weight",
        "FILE",
        ("mosaic_file",),
        own=True,
        name="mosaic_file",
    ),
    special(
        "-lattice_spread_percent",
        "standard deviation of the lengths a, b, c among the mosaic domains; one number for all, or three",
        "P [P P]",
        own=True,
        takes="1 or 3 numbers from 0 to 20 [%]",
        default="0",
        name="lattice_spread_percent",
        counts=(1, 3),
        allowed=_LATTICE_SPREAD,
        varies=_LATTICE_SPREAD,
        hint="float | Three",
        note="Standard deviation of the lengths a, b, c among the mosaic domains: one number, or three.",
    ),
)

FACTORS = (
    input_file(
        "-hkl",
        "reflections: lines of h k l F, for P1; or an MTZ or CIF file",
        "FILE",
        ("hkl_file",),
        name="hkl",
        hint="Path | ArrayLike",
        note="A file (text, MTZ, CIF), or an array (n, 4) of h, k, l, F for P1.",
    ),
    text(
        "-hkl_column",
        "column of an MTZ or CIF file",
        "NAME",
        ("hkl_column",),
        own=True,
        default="by its type",
        name="hkl_column",
    ),
    number(
        "-hkl_dmin",
        "take no reflections beyond this resolution from an MTZ, CIF or PDB file",
        "D",
        ("hkl_dmin",),
        unit=ANGSTROM,
        allowed=_RESOLUTION,
        own=True,
        default="0: all",
        name="hkl_dmin_A",
    ),
    input_file(
        "-pdb",
        "structure factors of a model: PDB or mmCIF with bulk solvent, or CIF of a small molecule; instead of -hkl",
        "FILE",
        ("pdb_file",),
        own=True,
        name="pdb",
    ),
    number(
        "-default_F",
        "structure factor of every reflection that -hkl lacks",
        "F",
        ("default_F",),
        default="0",
        name="default_F",
    ),
    number(
        "-B_factor",
        "isotropic B factor: every F, -default_F included, is multiplied by exp(-B s^2), s = sin(theta)/lambda",
        "B",
        ("B_factor",),
        unit=SQUARE_ANGSTROM,
        allowed=NOT_NEGATIVE,
        own=True,
        default="0",
        name="B_factor_A2",
        varies=NOT_NEGATIVE,
    ),
    input_file(
        "-dump",
        "binary copy of the reflections; read when there is no -hkl",
        "FILE",
        ("dump_file",),
        default="Fdump.bin",
        name="dump",
        note="A Fdump.bin to read, instead of hkl.",
    ),
    flag("-nodump", "do not write that copy", own=True, sets={"write_dump": False}),
    spelling("-interpolate", INTERPOLATE, True, "interpolate structure factors between the reflections"),
    spelling("-nointerpolate", INTERPOLATE, False, "use the nearest reflection (default: by crystal size)"),
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
        name="water_um",
        varies=NOT_NEGATIVE,
    ),
    text(
        "-background",
        "amorphous material in the beam, TABLE:thick_mm[:density:MW], any number of times; TABLE is water, air, ice, "
        "icerings, icerings=WIDTH, or a file of sin(theta)/lambda [1/Å] and F",
        "MATERIAL",
        ("materials",),
        own=True,
        name="amorphous",
        note="Materials in the beam, TABLE:thick_mm[:density:MW], separated by blanks: water, air, ice, icerings,\n"
        "icerings=WIDTH, or a file of sin(theta)/lambda [1/Å] and F.",
    ),
    *(
        number(
            f"-layer_{material}",
            f"thickness of {what} in the beam; -background {material} with its usual density",
            "D",
            (f"{material}_thick",),
            unit=MM,
            allowed=NOT_NEGATIVE,
            own=True,
            default="0",
            name=f"{material}_layer_mm",
            varies=NOT_NEGATIVE,
        )
        for material, what in (("water", "water"), ("air", "air: the path of the beam outside vacuum"), ("ice", "ice"))
    ),
)
