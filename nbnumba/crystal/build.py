"""The crystal that the settings describe."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from ..detector.placement import Axes
from ..errors import InputError, called
from ..geometry.vectors import length_of
from ..kernels.random import park_miller
from ..parameters.choices import Semantics, Shape, Vector
from ..parameters.settings import Settings
from ..readout.poisson import seed_from_time
from ..util.messages import logger
from . import lattice, mosaic
from .diffuse import build_halo
from .ensembles import mosaic_ensemble
from .model import Crystal
from .orientation_files import reciprocal_from_file
from .spot_shape import GAUSSIAN, check_between


def build_crystal(settings: Settings, axes: Axes, turning: bool) -> Crystal:
    """Cell, orientation, size and mosaic domains (nanoBragg.c:1785-2090), without its reflections.

    Parameters
    ----------
    settings : Settings
    axes : Axes
        Of the command's convention, before the detector turns.
    turning : bool
        Whether the crystal is drawn at spindle angles other than 0.

    Raises
    ------
    InputError, FileError
        For a file or values that make no crystal.
    """
    random_table = park_miller.new_table()
    misset, misset_seed = settings.crystal.misset, None
    if settings.crystal.misset_random:
        misset_seed = _misset_seed(settings)
        misset = mosaic.random_misset(misset_seed, settings.semantics, random_table)
    made = _lattice(settings, axes, turning, misset)
    # As C: the length of the vector in meters decides, to the last bit, whether one more cell fits.
    lengths_m = [length_of(v) for v in (made.real_A * 1e-10).tolist()]
    sizes = clipped_sizes(settings)
    typed = (settings.crystal.Na, settings.crystal.Nb, settings.crystal.Nc)
    cells = tuple(lattice.cells_along(s, m, n) for s, m, n in zip(sizes, lengths_m, typed, strict=True))
    if math.prod(cells) > 10**15:
        raise InputError(
            f"{called('N')}, {called('crystal_size_mm')}: {cells[0]} x {cells[1]} x {cells[2]} unit cells; at most "
            "1e15 in all"
        )
    if settings.crystal.fudge < 0.0 and settings.crystal.shape in {Shape.ROUND, *GAUSSIAN}:
        raise InputError(
            f"{called('fudge')}: {settings.crystal.fudge:g} makes a spot without bounds; it must be 0 or more"
        )
    cells_between = (settings.crystal.Nd, settings.crystal.Ne, settings.crystal.Nf)
    check_between(cells, cells_between, settings.crystal.shape)
    domains = mosaic_ensemble(settings.crystal, lambda: made.orientation, random_table)
    return Crystal(
        real_space=made.real_A * 1e-10,
        reciprocal_A=made.reciprocal_A.copy(),
        lengths_A=made.lengths_A,
        angles=made.angles.copy(),
        reciprocal_lengths_A=made.reciprocal_lengths_A,
        reciprocal_angles=made.reciprocal_angles.copy(),
        volume_A3=made.volume_A3,
        cells=(cells[0], cells[1], cells[2]),
        shape=settings.crystal.shape,
        fudge=settings.crystal.fudge,
        misset=misset,
        misset_seed=misset_seed,
        mosaic_spread=domains.spread,
        mosaic_seed=settings.crystal.mosaic_seed,
        mosaic_rotations=domains.rotations,
        domain_weights=domains.weights,
        mosaic_model=domains.model,
        mosaic_sigmas=settings.crystal.mosaic_sigmas,
        lattice_spread=settings.crystal.lattice_spread,
        domain_stretches=domains.stretches,
        mosaicity=domains.covariance,
        weight=settings.crystal.crystal_share,
        diffuse=build_halo(settings.crystal, made.real_A),
        default_F=settings.factors.default_F,
        B_factor=settings.factors.B_factor,
        cells_between=cells_between,
    )


def _lattice(settings: Settings, axes: Axes, turning: bool, misset: Vector | None) -> lattice.Lattice:
    """Return the lattice of a matrix or a cell, turned; nobody may change it."""
    crystal = settings.crystal
    cell = crystal.cell_lengths_A, crystal.cell_angles
    if crystal.reciprocal_A is not None:
        reciprocal = np.array(crystal.reciprocal_A)
        made = lattice.lattice_of_vectors(reciprocal.tobytes(), cell if crystal.cell_given else None, misset)
    elif crystal.matrix_file is not None:
        reciprocal = reciprocal_from_file(settings, axes, turning)
        made = lattice.lattice_of_vectors(reciprocal.tobytes(), cell if crystal.cell_given else None, misset)
    else:
        made = _lattice_of_cell(*cell, settings.semantics is Semantics.C, misset)
    return made


@lru_cache(maxsize=64)
def _lattice_of_cell(lengths_A: Vector, angles: Vector, as_C: bool, misset: Vector | None) -> lattice.Lattice:
    """Return the lattice of a cell, turned; nobody may change it."""
    cell = lattice.complete_cell(lengths_A, angles)
    reciprocal = lattice.reciprocal_from_cell(*cell, as_C=as_C)
    return lattice.lattice_from_reciprocal(reciprocal if misset is None else lattice.misset(reciprocal, misset), cell)


def clipped_sizes(settings: Settings) -> Vector:
    """Edges of the sample that the beam hits [m] (nanoBragg.c:1140-1150)."""
    crystal, beam = settings.crystal, settings.beam.beamsize
    # As C: the beam clips y and z, never x.
    y, z = (beam if 0.0 <= beam < size else size for size in (crystal.sample_y, crystal.sample_z))
    return crystal.sample_x, y, z


def clipping_warnings(settings: Settings) -> Iterator[str]:
    """Yield the lines of C's report about a sample larger than the beam."""
    crystal, beam = settings.crystal, settings.beam.beamsize
    for size, name in ((crystal.sample_y, "high"), (crystal.sample_z, "wide")):
        if 0.0 <= beam < size:
            yield f"WARNING: clipping sample ({size:g} m {name}) with beam ({beam:g} m)"


def _misset_seed(settings: Settings) -> int:
    """Return the seed of the random orientation; one that is drawn from the time goes out as a notice."""
    if settings.crystal.misset_seed is not None:
        return settings.crystal.misset_seed
    seed = seed_from_time()
    logger.warning(
        f"{called('misset_deg')} random: seed {seed}, from the time; {called('misset_seed')} {seed} gives the same "
        "orientation again"
    )
    return seed
