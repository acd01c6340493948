"""Parameters of structure factors that depend on the photon energy."""

from __future__ import annotations

from .pairs import file_places
from .types import Range, spelling, text, whole, yes_or_no

ANOMALOUS = yes_or_no(
    "anomalous",
    "structure factors of -pdb at the energy of every channel, with f' and f'' of every element",
    of_crystal=True,
)

ANOMALOUS_FACTORS = (
    spelling(
        "-anomalous",
        ANOMALOUS,
        True,
        "structure factors of -pdb at the energy of every channel, with f' and f'' of every element (Cromer-Liberman)",
        own=True,
    ),
    text(
        "-anomalous_file",
        "f' and f'' of an element (FE) or of an atom (A/201/FE1: chain, residue, atom) from lines of energy [eV], f', "
        "f''; any number of times; switches -anomalous on",
        "WHAT=FILE",
        ("anomalous_files",),
        own=True,
        file_places=file_places,
        takes="ELEMENT=FILE or CHAIN/RESIDUE/ATOM=FILE",
        name="anomalous_file",
        of_crystal=True,
        note="ELEMENT=FILE or CHAIN/RESIDUE/ATOM=FILE, separated by blanks; lines of energy [eV], f', f''.",
    ),
    whole(
        "-anomalous_bins",
        "tables of structure factors by energy, each for as many channels",
        "N",
        ("anomalous_bins",),
        allowed=Range("from 1 to 10000", low=1, high=10000),
        own=True,
        default="by f' and f''",
        name="anomalous_bins",
        of_crystal=True,
    ),
    text(
        "-phase_column",
        "column of phases of the MTZ file, such as PHIC with -hkl_column FC: -anomalous adds the atoms of -pdb to them",
        "NAME",
        ("phase_column",),
        own=True,
        name="phase_column",
        of_crystal=True,
    ),
)
