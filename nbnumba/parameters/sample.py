"""Parameters of the crystal."""

from __future__ import annotations

from .choices import Shape, Spreading
from .types import (
    INTEGER,
    MM,
    NOT_NEGATIVE,
    PER_ANGSTROM,
    POSITIVE,
    Kind,
    Option,
    Parameter,
    Range,
    Unit,
    at_most,
    choice,
    input_file,
    number,
    special,
    spelling,
    text,
    whole,
)

MAX_CELLS = 1_000_000  # along an axis: Na²Nb²Nc² then stays inside float32


def crystal_places(text: str) -> list[tuple[int, int]]:
    """Return where a crystal's description names a file: all of it, unless it is JSON, which names whole paths."""
    return [] if text.startswith("{") else [(0, len(text))]


_SHARE = Range("from 0 to 1", low=0.0, high=1.0)
_CELLS = Range(f"from 1 to {MAX_CELLS}", low=1, high=MAX_CELLS)
_CELLS_TYPED = Range(f"from 0 (counts as 1) to {MAX_CELLS}", low=0, high=MAX_CELLS)

SHAPE = Parameter(
    "shape",
    kind=Kind.CHOICE,
    fields=("shape",),
    unit=Unit("", Shape),
    choices=tuple(Shape),
    keyword=True,
    chosen=True,
    note='"square", "round", "gauss", "tophat"; with unit cells counted along each axis "gauss_abc", "gauss_argchk",\n'
    '"tophat_abc"; "gauss_star", as large in all directions.',
)
CRYSTAL: tuple[Option | Parameter, ...] = (
    input_file(
        "-mat",
        "orientation matrix as of MOSFLM: a*, b*, c* times the wavelength; or the crystal of a DIALS .expt or an XDS "
        "XPARM.XDS, GXPARM.XDS",
        "FILE",
        ("matrix_file",),
        sets={"reciprocal_A": None},
        name="matrix",
        orients=True,
        chosen=True,
        note="As of MOSFLM, the crystal of a DIALS .expt, or an XDS XPARM.XDS.",
        excludes=("A_matrix", "U_matrix"),
    ),
    special(
        "-A_matrix",
        "reciprocal vectors a*, b*, c*, one after the other; instead of -mat",
        "X Y Z X Y Z X Y Z",
        unit=PER_ANGSTROM,
        own=True,
        takes="9 numbers [1/Å]: a*, b*, c*, which span a volume",
        name="A_matrix",
        fills=("reciprocal_A",),
        orients=True,
        varied_by="a csv has columns A_11 ... A_33",
        hint="ArrayLike",
        note="(3, 3) [1/Å], columns a*, b*, c*, in the laboratory frame.",
        excludes=("U_matrix", "cell"),
    ),
    special(
        "-cell",
        "unit cell, with or without -mat (which then gives directions alone); 1 to 6 numbers, missing lengths are a, "
        "missing angles 90",
        "a b c al be ga",
        takes="1 to 6 numbers, lengths [Å] and angles [deg], the first greater than 0",
        name="cell",
        fills=("cell_given",),
        orients=True,
        varied_by="cell_jitter_percent, cell_expansion_percent, or a csv with columns A_11 ... A_33",
        counts=tuple(range(1, 7)),
        hint="Sequence[float]",
        note="One to six numbers: lengths [Å], angles [deg].\n\n"
        'With `semantics="c"` the angles of a triclinic or primitive rhombohedral cell come out up to 2 degrees off,\n'
        "as C draws them; a `U_matrix` beside it (np.eye(3) in the same orientation) avoids that.",
    ),
    Parameter(
        "U_matrix",
        of_crystal=False,
        kind=Kind.SPECIAL,
        counts=(9,),
        keyword=True,
        varied_by="a csv has columns U_11 ... U_33",
        hint="ArrayLike",
        note="(3, 3) orientation, with `cell`: A = U B, where B has a* along x and b* in the xy plane.",
    ),
    special(
        "-misset",
        "turn the crystal about x, y and z [deg], or at random: -misset random",
        "X Y Z",
        takes="random, or 3 numbers [deg]",
        name="misset_deg",
        fills=("misset", "misset_random"),
        orients=True,
        varied_by='misset_x_deg, misset_y_deg and misset_z_deg, or orientation = "random"',
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
        orients=True,
    ),
    text(
        "-crystal",
        "a crystal, once for each of several, instead of -mat and -cell: TOML with keywords of a crystal, or as -mat",
        "FILE",
        ("crystals",),
        own=True,
        file_places=crystal_places,
        name="crystals",
        of_crystal=False,
        hint="Path | Mapping[str, Any] | Sequence[Path | Mapping[str, Any]]",
        note="Several crystals, or one: files, or mappings of the keywords of a crystal (matrix, cell, A_matrix,\n"
        "misset_deg, N, shape, mosaicity, hkl, default_F, crystal_share, ...). What they leave out is that of the\n"
        "other keywords.",
    ),
    number(
        "-crystal_share",
        "part of the beam's fluence that falls on the crystal; 0: the beam misses it",
        "X",
        ("crystal_share",),
        allowed=_SHARE,
        own=True,
        default="1",
        name="crystal_share",
        varies=_SHARE,
        states=(),
    ),
    whole(
        "-N",
        "unit cells along each axis",
        "N",
        ("Na", "Nb", "Nc"),
        names=(),
        whole=("-N",),
        allowed=at_most(MAX_CELLS),
        strict=_CELLS_TYPED,
        default="1",
        name="N",
        varies=_CELLS,
        counts=(1, 3),
        parts=("Na", "Nb", "Nc"),
        hint="int | Sequence[int]",
        note="Unit cells along each axis: one number, or three.",
        excludes=("crystal_size_mm",),
    ),
    *(
        whole(
            f"-N{axis}",
            f"unit cells along {axis}",
            "N",
            (f"N{axis}",),
            allowed=at_most(MAX_CELLS),
            varies=_CELLS,
            strict=_CELLS_TYPED,
            default="1",
        )
        for axis in "abc"
    ),
    number(
        "-samplesize",
        "edge of the crystal, instead of -N",
        "D",
        ("sample_x", "sample_y", "sample_z"),
        unit=MM,
        names=("-samplesize", "-sample_size", "-xtalsize", "-xtal_size"),
        name="crystal_size_mm",
        varies=POSITIVE,
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
        states=(),
    ),
    number("-Ne", "the same between b and c", "X", ("Ne",), own=True, default="0", name="Ne", states=()),
    number("-Nf", "the same between a and c", "X", ("Nf",), own=True, default="0", name="Nf", states=()),
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
        of_crystal=False,
        note='"sampled": mosaicity, dispersion and divergence by domains and sources; "continuous": as one Gaussian\n'
        "of the same variances for each reflection of Gaussian spots.",
        states=(),
    ),
    number(
        "-fudge",
        "factor on the squared distance to a spot, not for square",
        "X",
        ("fudge",),
        allowed=NOT_NEGATIVE,
        default="1",
        name="fudge",
        varies=NOT_NEGATIVE,
        states=(),
    ),
)
