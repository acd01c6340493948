"""Models in CIF files of small molecules: fractional coordinates, displacements U, operations of their own."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from ..errors import InputError
from ..util.messages import logger
from ..util.text import counted, quote

_FRACTIONAL = re.compile(rb"^\s*_atom_site_fract_x\b", re.IGNORECASE | re.MULTILINE)
_SPECIAL = 0.2  # Angstrom between symmetry mates of one atom that stands on a special position
_B_PER_U = 8.0 * math.pi**2


def is_small_molecule(data: bytes) -> bool:
    """Tell whether a file is a CIF with fractional coordinates."""
    return _FRACTIONAL.search(data) is not None


def read_small_molecule(data: bytes, place: str) -> Any:
    """Read a model as if it were one of a macromolecule.

    Parameters
    ----------
    data : bytes
    place : str
        Option and path, for messages.

    Returns
    -------
    gemmi.Structure
        Occupancies are divided among symmetry mates.

    Raises
    ------
    InputError
        The file has no atoms, or no space group that is known.
    """
    import gemmi

    small, isotropic = None, False
    for block in gemmi.cif.read_string(data):
        found = gemmi.make_small_structure_from_block(block)
        # gemmi takes a coordinate that is not listed for 0.
        if len(found.sites) > 0 and all(len(block.find_values(f"_atom_site_fract_{axis}")) > 0 for axis in "xyz"):
            small, isotropic = found, _has_displacements(block)
            break
    if small is None:
        raise InputError(f"{place}: holds no atoms with a label and fractional coordinates (_atom_site_fract_x)")
    if not small.cell.is_crystal() or not small.cell.volume > 0.0:
        raise InputError(f"{place}: the unit cell (_cell_length_a ...) is missing or has no volume")
    group = _group(small, place)
    small.change_occupancies_to_crystallographic(_SPECIAL)
    if not isotropic:
        logger.warning(f"{place}: states no displacements of its atoms (U or B); they are drawn at rest")
    return _structure(small, group, place)


def _has_displacements(block: Any) -> bool:
    tags = ("_atom_site_U_iso_or_equiv", "_atom_site_B_iso_or_equiv", "_atom_site_aniso_U_11", "_atom_site_aniso_B_11")
    return any(len(block.find_values(tag)) > 0 for tag in tags)


def _group(small: Any, place: str) -> Any:
    """Return the space group; refuse a name that the operations contradict."""
    import gemmi

    group = small.spacegroup
    if group is None:
        stated = small.spacegroup_hm or small.spacegroup_hall
        what = f"the space group {quote(stated)} is unknown" if stated else "states no space group that is known"
        raise InputError(f"{place}: {what}")
    named = gemmi.find_spacegroup_by_name(small.spacegroup_hm, small.cell.alpha, small.cell.gamma)
    if named is not None and named.operations() != group.operations():
        raise InputError(
            f"{place}: the operations that it lists are those of {group.xhm()}, not of {named.xhm()}, the space group "
            "that it states; one of the two must be mended"
        )
    return group


def _structure(small: Any, group: Any, place: str) -> Any:
    import gemmi

    structure = gemmi.Structure()
    structure.name, structure.cell, structure.spacegroup_hm = small.name, small.cell, group.xhm()
    cell = small.cell
    # U of a CIF belongs to the axes of the cell, in units of the reciprocal lengths.
    lengths = (cell.reciprocal().a, cell.reciprocal().b, cell.reciprocal().c)
    frame = np.array(cell.orth.mat.tolist()) @ np.diag(lengths)
    residue = gemmi.Residue()
    residue.name, residue.seqid = "UNL", gemmi.SeqId("1")
    left_out = 0
    for site in small.sites:
        if not all(map(math.isfinite, site.fract.tolist())):
            left_out += 1
            continue
        atom = gemmi.Atom()
        atom.name, atom.element, atom.charge = site.label, site.element, site.charge
        atom.pos, atom.occ, atom.b_iso = cell.orthogonalize(site.fract), site.occ, _B_PER_U * site.u_iso
        if site.aniso.nonzero():
            U = frame @ np.array(site.aniso.as_mat33().tolist()) @ frame.T
            atom.aniso = gemmi.SMat33f(U[0, 0], U[1, 1], U[2, 2], U[0, 1], U[0, 2], U[1, 2])
        residue.add_atom(atom)
    if left_out:
        logger.warning(
            f"{place}: {counted(left_out, 'atom without coordinates is', 'atoms without coordinates are')} left out"
        )
    negative = sum(site.u_iso < 0.0 for site in small.sites)
    if negative:
        found = counted(negative, "atom has", "atoms have")
        logger.warning(f"{place}: {found} a negative U, by which the scattering grows with resolution")
    chain, model = gemmi.Chain("A"), gemmi.Model(1)
    chain.add_residue(residue)
    model.add_chain(chain)
    structure.add_model(model)
    structure.setup_cell_images()
    return structure
