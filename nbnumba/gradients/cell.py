"""The unit cell as a parameter: its free constants, and a crystal that has other ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ..crystal.lattice import cell_of_vectors, upright_reciprocal
from ..crystal.model import Crystal
from ..experiment.model import Experiment
from ..geometry.vectors import Array
from .model import Component, Point

_SAME = 1e-6  # relative difference of lengths, and of angles from a special one, that are meant to be the same


def with_axes(crystal: Crystal, real_space: Array) -> Crystal:
    """Return a crystal with other axes a, b, c, rows [m].

    Its reciprocal axes change along, so that they stay what they were to the real ones: under the semantics of C these
    are not quite those of a triclinic cell.
    """
    strain = real_space @ np.linalg.inv(crystal.real_space)
    reciprocal: Array = np.asarray(np.linalg.inv(strain).T @ crystal.reciprocal_A, dtype=np.float64)
    lengths, angles = cell_of_vectors(real_space * 1e10)
    star_lengths, star_angles = cell_of_vectors(reciprocal)
    return dataclasses.replace(
        crystal,
        real_space=real_space,
        reciprocal_A=reciprocal,
        lengths_A=lengths,
        angles=angles,
        reciprocal_lengths_A=star_lengths,
        reciprocal_angles=star_angles,
        volume_A3=crystal.volume_A3 * abs(float(np.linalg.det(strain))),
    )


def free_constants(experiment: Experiment) -> list[Component]:
    """Free constants of the cell: lengths that are the same stay the same, angles of 90 and 120 degrees stay."""
    lengths, angles = experiment.crystal.lengths_A, np.degrees(experiment.crystal.angles)
    found = [_length(i, lengths) for i in range(3) if i == _first_like(lengths, i)]
    for i in range(3):
        special = min(abs(float(angles[i]) - 90.0), abs(float(angles[i]) - 120.0)) < 90.0 * _SAME
        if not special and (i == 0 or not _rhombohedral(experiment)):
            found.append(_angle(i, angles))
    return found


def all_constants(experiment: Experiment) -> list[Component]:
    """All six."""
    lengths, angles = experiment.crystal.lengths_A, np.degrees(experiment.crystal.angles)
    return [_length(i, lengths) for i in range(3)] + [_angle(i, angles) for i in range(3)]


def _length(i: int, lengths: Array) -> Component:
    return Component(f"cell_{'abc'[i]}", "Angstrom", float(lengths[i]), 0.01, 1e-3 * float(lengths[i]), 1.0)


def _angle(i: int, angles: Array) -> Component:
    return Component(f"cell_{('alpha', 'beta', 'gamma')[i]}", "deg", float(angles[i]), 0.01, 0.05, 1.0, 179.0)


def _first_like(lengths: Array, i: int) -> int:
    return next(j for j in range(i + 1) if abs(lengths[j] / lengths[i] - 1.0) < _SAME)


def _rhombohedral(experiment: Experiment) -> bool:
    """Tell whether all lengths are the same, and all angles."""
    lengths, angles = experiment.crystal.lengths_A, experiment.crystal.angles
    return all(abs(each[i] / each[0] - 1.0) < _SAME for each in (lengths, angles) for i in (1, 2))


def constants_by(experiment: Experiment, components: Sequence[Component]) -> Array:
    """How the six constants change with those that are named, (n, 6) [Angstrom, rad].

    Constants that are meant to be the same change in proportion.
    """
    lengths, slopes = experiment.crystal.lengths_A, np.zeros((len(components), 6))
    names = [component.name for component in components]
    for i in range(3):
        first = i if f"cell_{'abc'[i]}" in names else _first_like(lengths, i)
        slopes[names.index(f"cell_{'abc'[first]}"), i] = lengths[i] / lengths[first]
    for i, name in enumerate(("cell_alpha", "cell_beta", "cell_gamma")):
        if name in names:
            slopes[names.index(name), 3 + i] = math.pi / 180.0
    if names[-1] == "cell_alpha" and _rhombohedral(experiment):
        slopes[-1, 3:] = math.pi / 180.0
    return slopes


def cell_at(experiment: Experiment, components: Sequence[Component], values: Sequence[float]) -> tuple[Array, Array]:
    """Return lengths [Angstrom] and angles [rad] where the constants that are named have other values, (3,) each."""
    off = np.array(values) - np.array([component.value for component in components])
    moved = off @ constants_by(experiment, components)
    return experiment.crystal.lengths_A + moved[:3], experiment.crystal.angles + moved[3:]


def set_free_constants(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    """Bring in the free constants of the cell."""
    return _with_cell(point, base.crystal, *cell_at(base, free_constants(base), values))


def set_all_constants(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    """Bring in all constants of the cell."""
    return _with_cell(point, base.crystal, *cell_at(base, all_constants(base), values))


def _with_cell(point: Point, before: Crystal, lengths: Array, angles: Array) -> Point:
    """Bring in a cell: a* keeps its direction, and b* its plane with a*."""
    crystal = point.experiment.crystal
    standing = upright_reciprocal(before.lengths_A, before.angles)
    turn = np.linalg.inv(standing) @ np.linalg.inv(before.real_space * 1e10).T  # rows a*, b*, c*, from upright to ours
    reciprocal = upright_reciprocal(lengths, angles) @ turn
    return point.with_parts(crystals=(with_axes(crystal, np.asarray(np.linalg.inv(reciprocal).T * 1e-10)),))
