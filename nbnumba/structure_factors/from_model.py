"""Structure factors of an atomic model in a crystal with bulk solvent."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError, InputError, called
from ..io.gzip_files import understood, unpacked
from ..io.opening import label
from ..parameters.settings import Settings
from ..util.memory import gigabytes, too_little_memory
from ..util.messages import logger
from ..util.text import counted, quote
from . import fdump, scatterers
from .by_energy import EnergyFactors
from .old_pdb import check_numbers, without_line_numbers
from .phased import PhasedReflections
from .small_molecule import is_small_molecule, read_small_molecule
from .symmetry import Layout, check_number_in, expand
from .table import Cell, IndexBox, NeededRange, index_margin, inside

K_SOLVENT = 0.35  # electrons/Angstrom^3
B_SOLVENT = 46.0  # Angstrom^2
FORMAT = 2  # of the cache; to be raised when the same input gives other structure factors

_RATE = 1.5  # grid points per half of the finest spacing
_MASK_SPACING = 0.6  # Angstrom; grid of the solvent's mask
_FINEST_OF_SOLVENT = 1.25  # Angstrom; beyond, its B factor leaves less than a thousandth
_BYTES_PER_POINT = 24  # density, its transform, the mask's, and what the transforms need meanwhile
_LARGEST_GRID = 1 << 31  # points
_POINTS_PER_SECOND = 1e7  # of one core, roughly; decides whether a notice asks the user to wait
_SPECIAL = 0.5  # Angstrom between symmetry mates of one atom that stands on a special position
_FULL = 1.05  # occupancy of all mates together, rounding to two decimals included
_BOM = b"\xef\xbb\xbf"
_FRAME = 2e-3  # of a length squared: SCALEn has six decimals, three digits of 1/500 A
_MARGIN = 0.98  # of the finest spacing that the image needs


class Model:
    """An atomic model in its unit cell.

    Parameters
    ----------
    path : str
        Of a PDB or mmCIF file, or a CIF of a small molecule, packed or not.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no model of a crystal.
    """

    def __init__(self, path: str) -> None:
        self._place = label(called("pdb"), path)
        data = unpacked(path, called("pdb"))
        self._small = is_small_molecule(data)
        self._structure = _structure(data, self._place, self._small)
        self._digest = hashlib.sha256(data)

    @property
    def cell(self) -> Cell:
        """Its unit cell."""
        cell = self._structure.cell
        return (cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma)

    def table(
        self, settings: Settings, reach: NeededRange | None, cache_folder: Path | None
    ) -> tuple[NDArray[np.float64], IndexBox]:
        """Compute the structure factors, or take them from an earlier run.

        Amplitudes come from the model's density on a grid, Gaussian form factors without anomalous terms, plus a flat
        bulk solvent, of which a small molecule has none. The term 0 0 0, in the direct beam, is left out as in a list.

        Parameters
        ----------
        settings : Settings
            hkl_dmin and default_F count; write_dump switches the cache.
        reach : NeededRange or None
            Decides the resolution without -hkl_dmin.
        cache_folder : path or None
            Where the table is kept for the next run.

        Returns
        -------
        table : (nh + 2, nk + 2, nl + 2) float64
            Structure factors [electrons] within a border of one cell; index 1 is h_min, k_min, l_min.
        box : IndexBox

        Raises
        ------
        InputError
            The resolution needs more memory than there is.
        """
        place, default_F = self._place, settings.factors.default_F
        d_min = _resolution(settings, reach, self._structure.cell)
        kept = None
        if cache_folder is not None and settings.factors.write_dump:
            kept = cache_folder / f"Fpdb_{self._fingerprint(d_min, default_F)}.bin"
            found = _kept_table(kept, default_F)
            if found is not None:
                logger.warning(f"{place}: structure factors to {d_min:g} Å are read from {kept}")
                return found
        k_solvent = 0.0 if self._small else K_SOLVENT
        table, box = _compute(self._structure, d_min, default_F, k_solvent, place)
        if kept is not None:
            try:
                fdump.write(kept, inside(table), box)
                logger.warning(
                    f"{place}: structure factors are kept in {kept} for the next run; {called('nodump')} leaves it out"
                )
            except (FileError, InputError) as error:
                logger.warning(f"{place}: structure factors are not kept for the next run: {error}")
        return table, box

    def by_energy(
        self, settings: Settings, reach: NeededRange | None, phased: PhasedReflections | None
    ) -> EnergyFactors:
        """Work out everything of the structure factors at any photon energy that does not depend on the energy.

        Parameters
        ----------
        settings : Settings
        reach : NeededRange or None
            Decides the resolution without -hkl_dmin.
        phased : PhasedReflections or None
            Structure factors without anomalous terms; None: those of the model, as `table` computes them.

        Raises
        ------
        FileError, InputError
            As `table`, and for a malformed table of scattering factors or an atom that the model has not.
        """
        place, structure = self._place, self._structure
        limit = None if phased is None else phased.finest(structure.cell)
        d_min = _resolution(settings, reach, structure.cell) if limit is None else limit
        k_solvent = 0.0 if self._small else K_SOLVENT
        group = _prepared(structure, d_min, k_solvent, place, atoms_alone=phased is not None)
        if phased is None:
            with _on_a_grid(place):
                hkl, normal = waves_of(structure, d_min, k_solvent, B_SOLVENT)
            _check_waves(hkl, normal, d_min, place)
            operations = group.operations()
        else:
            phased.check_belongs_to(structure, group, place)
            hkl, normal, operations = phased.hkl, phased.values, phased.operations
        found = scatterers.found_in(structure, settings.factors.anomalous_files, place)
        with _on_a_grid(place):
            partial = np.array([scatterers.partial_waves(structure, atoms, hkl, d_min, _RATE) for _, atoms in found])
        return EnergyFactors(
            scatterers=tuple(one for one, _ in found),
            normal=normal,
            partial=partial.reshape(len(found), len(hkl)),
            layout=Layout(hkl, operations, settings.factors.default_F, place),
            d_min=d_min,
            cell=self.cell,
            place=place,
        )

    def _fingerprint(self, d_min: float, default_F: float) -> str:
        """Return a name for everything that the table depends on."""
        digest = self._digest.copy()
        digest.update(f"|{d_min!r}|{default_F!r}|{K_SOLVENT}|{B_SOLVENT}|{_RATE}|{version('gemmi')}|{FORMAT}".encode())
        return digest.hexdigest()[:16]


def _structure(data: bytes, place: str, small: bool) -> Any:
    """Read a model and check that it is one of a crystal."""
    import gemmi

    data = data.removeprefix(_BOM)
    with understood(place, "PDB, mmCIF or CIF model"):
        if small:
            structure = read_small_molecule(data, place)
        else:
            structure = gemmi.read_structure_string(without_line_numbers(data), format=gemmi.CoorFormat.Detect)
            if structure.input_format == gemmi.CoorFormat.Pdb:
                check_numbers(data, place)
        _check_structure(structure, place)
        check_number_in(data, structure.find_spacegroup(), place)
        if structure.cell.explicit_matrices:
            structure = _in_the_standard_frame(structure, place)
    return structure


def _in_the_standard_frame(structure: Any, place: str) -> Any:
    """Return a model of which the file states SCALEn of its own, with a along x and b in the plane of x and y.

    Raises
    ------
    InputError
        The matrix belongs to another cell.
    """
    import gemmi

    stated, (a, b, c, alpha, beta, gamma) = structure.cell, structure.cell.parameters
    cell = gemmi.UnitCell(a, b, c, alpha, beta, gamma)
    # The same fractional coordinates must be the same distances apart in both frames.
    own, standard = (np.array(which.orth.mat.tolist()) for which in (stated, cell))
    if not np.allclose(own.T @ own, standard.T @ standard, rtol=0.0, atol=_FRAME * max(a, b, c) ** 2):
        numbers = " ".join(f"{value:g}" for value in structure.cell.parameters)
        raise InputError(f"{place}: SCALEn contradicts the unit cell {numbers}; one of the two must be mended")
    turn = standard @ np.linalg.inv(own)
    if np.linalg.det(turn) < 0.0:
        raise InputError(f"{place}: SCALEn mirrors the axes of the unit cell; a right-handed matrix is allowed")
    for model in structure:
        for where in model.all():
            where.atom.pos = cell.orthogonalize(stated.fractionalize(where.atom.pos))
            if where.atom.aniso.nonzero():
                where.atom.aniso = where.atom.aniso.transformed_by(gemmi.Mat33(turn.tolist()))
    if any(not operation.given for operation in structure.ncs):
        raise InputError(f"{place}: MTRIXn beside SCALEn of another frame; write all copies into the file")
    structure.cell = cell
    structure.setup_cell_images()
    return structure


def _check_structure(structure: Any, place: str) -> None:
    if len(structure) == 0 or not any(True for _ in structure[0].all()):
        raise InputError(f"{place}: holds no atoms; a PDB, mmCIF or CIF file of coordinates is allowed")
    if not structure.cell.is_crystal():
        raise InputError(f"{place}: states no unit cell (CRYST1, or _cell); a model of a crystal is allowed")
    if not math.isfinite(structure.cell.volume) or structure.cell.volume <= 0.0:
        raise InputError(f"{place}: the unit cell has no volume")
    if structure.spacegroup_hm and structure.find_spacegroup() is None:
        raise InputError(f"{place}: the space group {quote(structure.spacegroup_hm)} is unknown")
    for where in structure[0].all():
        atom = where.atom
        if atom.element.it92 is None:
            raise InputError(f"{place}: element {atom.element.name} has no form factor; allowed are those up to Cf")
        if not all(map(math.isfinite, (*atom.pos.tolist(), atom.occ, atom.b_iso))):
            raise InputError(f"{place}: atom {where} has a coordinate, occupancy or B factor that is not finite")


def needed_resolution(settings: Settings, reach: NeededRange | None, cell: Cell) -> float:
    """Return the finest spacing of a model's structure factors that an image takes [Angstrom]."""
    import gemmi

    return _resolution(settings, reach, gemmi.UnitCell(*cell))


def _resolution(settings: Settings, reach: NeededRange | None, cell: Any) -> float:
    """Return the finest spacing to compute [Angstrom], rounded down so that a cache serves similar images."""
    if settings.factors.hkl_dmin > 0.0:
        return float(f"{settings.factors.hkl_dmin * 1e10:.9g}")
    if reach is None:
        raise InputError(
            f"{called('pdb')} {settings.factors.pdb_file}: give {called('hkl_dmin_A')}, the resolution to which it "
            "is computed"
        )
    finest = max(reach.finest, settings.sampling.dmin) * 1e10 * _MARGIN
    reciprocal = np.array(cell.frac.mat.tolist())
    needed = 1.0 / (1.0 / finest + index_margin(reciprocal, reach.indices))
    return float(f"{max(math.floor(needed * 100.0) / 100.0, min(needed, 0.01)):.9g}")


def _kept_table(path: Path, default_F: float) -> tuple[NDArray[np.float64], IndexBox] | None:
    """Read the table of an earlier run; None where there is none that is whole."""
    try:
        if not path.is_file():
            return None
        return fdump.read(path, default_F=default_F)
    except (OSError, FileError, InputError) as error:
        logger.warning(f"structure factors are computed anew: {error}")
        return None


def _compute(
    structure: Any, d_min: float, default_F: float, k_solvent: float, place: str
) -> tuple[NDArray[np.float64], IndexBox]:
    group = _prepared(structure, d_min, k_solvent, place)
    with _on_a_grid(place):
        hkl, values = waves_of(structure, d_min, k_solvent, B_SOLVENT)
    _check_waves(hkl, values, d_min, place)
    expansion = expand(hkl, np.abs(values), group.operations(), True, default_F, place)
    return expansion.table, expansion.box


@contextlib.contextmanager
def _on_a_grid(place: str) -> Iterator[None]:
    """Say of which file it is that gemmi can make no density, of a cell that is almost flat for example."""
    try:
        yield
    except RuntimeError as error:
        raise InputError(f"{place}: no density can be made of the model: {error}") from None


def _check_waves(hkl: NDArray[np.int64], values: NDArray[np.complex128], d_min: float, place: str) -> None:
    if not len(hkl):
        raise InputError(f"{place}: no reflection of {d_min:g} Å or coarser; a finer {called('hkl_dmin_A')} is allowed")
    if not np.isfinite(values).all():
        raise InputError(f"{place}: structure factors come out that are not finite")
    if not values.any():
        logger.warning(f"{place}: all structure factors are 0; are there atoms with an occupancy?")


def _prepared(structure: Any, d_min: float, k_solvent: float, place: str, atoms_alone: bool = False) -> Any:
    """Make a structure ready for a density on a grid, say what is done, and return its space group."""
    import gemmi

    points = _check_size(structure, d_min, place)
    if len(structure) > 1:
        logger.warning(f"{place}: the first of {len(structure)} models is taken")
    if any(not operation.given for operation in structure.ncs):
        structure.expand_ncs(gemmi.HowToNameCopiedChain.Dup)
    unknown = sum(1 for where in structure[0].all() if where.atom.element.atomic_number == 0)
    if unknown:
        found = counted(unknown, "atom of an unknown element scatters", "atoms of an unknown element scatter")
        logger.warning(f"{place}: {found} like oxygen")
    group = structure.find_spacegroup()
    if group is None:
        logger.warning(f"{place}: states no space group; it is taken for P1")
        group = gemmi.SpaceGroup("P 1")
        structure.spacegroup_hm = "P 1"
        structure.setup_cell_images()
    cut = _cut_occupancies(structure)
    if cut:
        one, several = "atom on a special position has an occupancy", "atoms on special positions have occupancies"
        logger.warning(
            f"{place}: {counted(cut, f'{one} that adds', f'{several} that add')} up to more than 1 with those of the "
            "symmetry mates; the sum is cut to 1"
        )
    if not structure.cell.is_compatible_with_spacegroup(group):
        numbers = " ".join(f"{value:g}" for value in structure.cell.parameters)
        logger.warning(f"{place}: the unit cell {numbers} has not the symmetry of {group.xhm()}")
    wait = f", which takes about {points / _POINTS_PER_SECOND:.0f} s" if points > _POINTS_PER_SECOND else ""
    solvent = f"with bulk solvent of {k_solvent:g} electrons/Å^3 and B {B_SOLVENT:g} Å^2" if k_solvent else "no solvent"
    what = "anomalous scattering is computed" if atoms_alone else "structure factors are computed"
    logger.warning(f"{place}: {what} to {d_min:g} Å in {group.xhm()}{'' if atoms_alone else f', {solvent}'}{wait}")
    return group


def _cut_occupancies(structure: Any) -> int:
    """Reduce occupancies that symmetry takes beyond 1, and return how many.

    Of an atom on a special position files of macromolecules state the part of one of its mates, half on a twofold
    axis; others state 1.
    """
    cut = 0
    for where in structure[0].all():
        atoms = 1 + structure.cell.is_special_position(where.atom.pos, _SPECIAL)
        if atoms > 1 and where.atom.occ * atoms > _FULL:
            where.atom.occ = 1.0 / atoms
            cut += 1
    return cut


def waves_of(
    structure: Any, d_min: float, k_solvent: float, B_solvent: float
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """Return the unique reflections of a model, 0 0 0 apart, and their structure factors without anomalous terms.

    Parameters
    ----------
    structure : gemmi.Structure
        Its first model counts.
    d_min : float
        Finest spacing [Angstrom].
    k_solvent, B_solvent : float
        Density [electrons/Angstrom^3] and B factor [Angstrom^2] of the solvent; 0 for none.

    Returns
    -------
    hkl : (n, 3) int64
    values : (n,) complex128
        [electrons]
    """
    import gemmi

    model = structure[0]
    limit = d_min * (1.0 - 1e-9)  # so that d_min itself is inside
    density = gemmi.DensityCalculatorX()
    density.d_min = limit
    density.rate = _RATE
    # Atoms are blurred so that their density is smooth on the grid; unblurred in reciprocal space.
    density.set_refmac_compatible_blur(model)
    density.set_grid_cell_and_spacegroup(structure)
    density.put_model_density_on_grid(model)
    waves = gemmi.transform_map_to_f_phi(density.grid, half_l=True).prepare_asu_data(dmin=limit, unblur=density.blur)
    hkl = np.asarray(waves.miller_array).astype(np.int64)
    values = np.asarray(waves.value_array).astype(np.complex128)
    if k_solvent != 0.0:
        mask = gemmi.FloatGrid()
        mask.setup_from(structure, spacing=_MASK_SPACING)
        gemmi.SolventMasker(gemmi.AtomicRadiiSet.Cctbx).put_mask_on_float_grid(mask, model)
        solvent = gemmi.transform_map_to_f_phi(mask, half_l=True)
        inverse_squares = np.asarray(waves.make_1_d2_array())
        coarse = inverse_squares < 1.0 / _FINEST_OF_SOLVENT**2
        amounts = np.asarray(solvent.get_value_by_hkl(np.asarray(waves.miller_array)[coarse]))
        values[coarse] += k_solvent * np.exp(-B_solvent / 4.0 * inverse_squares[coarse]) * amounts
    return hkl, values


def _check_size(structure: Any, d_min: float, place: str) -> float:
    """Return how many points the grids have, or refuse more than memory holds."""
    volume = structure.cell.volume
    points = volume / (d_min / (2.0 * _RATE)) ** 3 + volume / _MASK_SPACING**3
    free = too_little_memory(_BYTES_PER_POINT * points)
    if points > _LARGEST_GRID:
        allowed = f"{_LARGEST_GRID} points"
    elif free is not None:
        allowed = f"the {gigabytes(free)} GB that are free"
    else:
        return float(points)
    raise InputError(
        f"{called('hkl_dmin_A')} {d_min:g}: the density of {place} takes a grid of {points:.3g} points, "
        f"{gigabytes(int(_BYTES_PER_POINT * points))} GB, at that resolution in Å; allowed are {allowed}: "
        f"give a coarser {called('hkl_dmin_A')}"
    )
