"""Parameters of structure factors, and of what scatters besides the crystal."""

from __future__ import annotations

from ..background.words import file_places
from .types import (
    ANGSTROM,
    ANY,
    MICRON_BY_DIVISION,
    MM,
    NOT_NEGATIVE,
    SQUARE_ANGSTROM,
    Range,
    flag,
    input_file,
    number,
    spelling,
    text,
    yes_or_no,
)

_RESOLUTION = Range("from 0.3 to 1000, or 0", low=0.0, high=1000.0, gap=(0.0, 0.3))

INTERPOLATE = yes_or_no(
    "interpolate", "interpolate structure factors between the reflections; by default crystal size decides"
)

FACTORS = (
    input_file(
        "-hkl",
        "reflections: lines of h k l F, for P1; or an MTZ, CIF or XDS_ASCII file",
        "FILE",
        ("hkl_file",),
        name="hkl",
        of_crystal=True,
        chosen=True,
        hint="Path | ArrayLike",
        note="A file (text, MTZ, CIF, XDS_ASCII), or an array (n, 4) of h, k, l, F for P1.",
        excludes=("pdb", "dump"),
    ),
    text(
        "-hkl_column",
        "column of an MTZ or CIF file",
        "NAME",
        ("hkl_column",),
        own=True,
        default="by its type",
        name="hkl_column",
        of_crystal=True,
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
        of_crystal=True,
    ),
    input_file(
        "-pdb",
        "structure factors of a model: PDB or mmCIF with bulk solvent, or CIF of a small molecule; instead of -hkl",
        "FILE",
        ("pdb_file",),
        own=True,
        name="pdb",
        of_crystal=True,
        chosen=True,
    ),
    number(
        "-default_F",
        "structure factor of every reflection that -hkl lacks",
        "F",
        ("default_F",),
        default="0",
        name="default_F",
        of_crystal=True,
        varies=ANY,
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
        of_crystal=True,
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
        chosen=True,
        file_places=file_places,
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
