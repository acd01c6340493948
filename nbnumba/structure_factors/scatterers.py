"""Atoms that scatter anomalously alike: every element of a model, and atoms that have a table of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from ..io import anomalous_file
from ..io.contents import content_of
from ..util.text import quote

Array = NDArray[np.float64]

_LIGHTEST = 3  # of the elements of which f' and f'' are tabulated
_HEAVIEST = 92


@dataclass(frozen=True, eq=False)
class Scatterer:
    """Atoms with the same f' and f''.

    Attributes
    ----------
    name : str
        Of the element, or chain/residue/atom.
    count : int
        Of the atoms in the model, their symmetry mates apart.
    atomic_number : int
    points : (n, 3) or None
        Energy [eV], f', f'' of a table of its own; None: Cromer and Liberman's, as gemmi computes them.
    path : str
        Of that table.
    """

    name: str
    count: int
    atomic_number: int
    points: Array | None = None
    path: str = ""

    def factors(self, energies: Array) -> NDArray[np.complex128]:
        """Return f' + i f'' at photon energies [eV], (n,) [electrons]; those of a table are linear between its points.

        Raises
        ------
        InputError
            The table does not reach as far.
        """
        if self.points is None:
            import gemmi

            pairs = np.array([gemmi.cromer_liberman(self.atomic_number, float(energy)) for energy in energies])
            return np.asarray(pairs[:, 0] + 1j * pairs[:, 1])
        low, high = self.points[0, 0], self.points[-1, 0]
        if energies.min() < low or energies.max() > high:
            raise InputError(
                f"{called('anomalous_file')} {self.name}={self.path}: covers {low:g} to {high:g} eV; the beam has "
                f"{energies.min():.8g} to {energies.max():.8g} eV"
            )
        f1, f2 = (np.interp(energies, self.points[:, 0], column) for column in self.points[:, 1:].T)
        return np.asarray(f1 + 1j * f2)


def found_in(structure: Any, files: Sequence[tuple[str, str]], place: str) -> list[tuple[Scatterer, list[Any]]]:
    """Sort the atoms (gemmi.Atom) of a model's first model by what they scatter like.

    Parameters
    ----------
    structure : gemmi.Structure
    files : sequence of (element or site, path)
        Tables that take the place of gemmi's; that of a site comes before that of its element.
    place : str
        Of the model, for messages.

    Raises
    ------
    FileError, InputError
        A table cannot be read or is malformed, or nothing in the model is called so.
    """
    option = called("anomalous_file")
    tables = {name.upper(): (content_of(anomalous_file.read, path, f"{option} {name}"), path) for name, path in files}
    used: set[str] = set()
    sorted_atoms: dict[str, list[Any]] = {}
    for where in structure[0].all():
        element = where.atom.element
        site = _site(where).upper()
        key = site if site in tables else element.name.upper()
        if key in tables:
            used.add(key)
        elif not _LIGHTEST <= element.atomic_number <= _HEAVIEST:
            continue
        sorted_atoms.setdefault(key, []).append(where.atom)
    for name, path in files:
        if name.upper() not in used:
            what = "no such atom" if "/" in name else "no atom of this element that has no table of its own"
            raise InputError(
                f"{option} {quote(name)}={path}: {place} has {what}; allowed is an element, or "
                "chain/residue/atom as A/201/FE1"
            )
    found = []
    for name, atoms in sorted(sorted_atoms.items()):
        points, path = tables.get(name, (None, ""))
        shown = name if "/" in name else name.capitalize()
        found.append((Scatterer(shown, len(atoms), atoms[0].element.atomic_number, points, path), atoms))
    return found


def _site(where: Any) -> str:
    """Return the name of an atom's site: chain, number of the residue with its insertion code, atom."""
    return f"{where.chain.name}/{where.residue.seqid}/{where.atom.name}"


def partial_waves(
    structure: Any, atoms: Sequence[Any], hkl: NDArray[np.int64], d_min: float, rate: float
) -> NDArray[np.complex128]:
    """Return what the atoms would add to structure factors if each scattered like one electron at a point, (n,).

    That is the sum of occupancy, Debye-Waller factor and phase over the atoms and their symmetry mates.

    Parameters
    ----------
    structure : gemmi.Structure
        Its cell and space group count.
    atoms : sequence of gemmi.Atom
    hkl : (n, 3) int64
    d_min : float
        Finest spacing [Angstrom].
    rate : float
        Grid points per half of it.
    """
    import gemmi

    alone = gemmi.Structure()
    alone.cell, alone.spacegroup_hm = structure.cell, structure.spacegroup_hm
    model, chain = gemmi.Model(1), gemmi.Chain("A")
    carbon = gemmi.Element("C")
    for number, atom in enumerate(atoms, start=1):
        residue = gemmi.Residue()
        residue.name, residue.seqid = "X", gemmi.SeqId(number, " ")
        copy = atom.clone()
        copy.element = carbon  # any: gemmi's neutrons see a point of the same strength whatever the angle
        residue.add_atom(copy)
        chain.add_residue(residue)
    model.add_chain(chain)
    alone.add_model(model)
    alone.setup_cell_images()
    density = gemmi.DensityCalculatorN()
    density.d_min = d_min * (1.0 - 1e-9)
    density.rate = rate
    density.set_refmac_compatible_blur(alone[0])
    density.set_grid_cell_and_spacegroup(alone)
    density.put_model_density_on_grid(alone[0])
    waves = gemmi.transform_map_to_f_phi(density.grid, half_l=True)
    values = waves.get_value_by_hkl(np.ascontiguousarray(hkl, dtype=np.int32), unblur=density.blur)
    return np.asarray(values, dtype=np.complex128) / carbon.neutron92.calculate_sf(0.0)
