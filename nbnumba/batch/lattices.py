"""The crystals of one image: how many there are, how each lies, and which the beam hits."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from ..crystal.lattice import cell_of_vectors, misset, upright_reciprocal
from ..experiment.command_line import given_as
from ..experiment.crystal_files import description, written
from ..geometry.vectors import Array, rotate_xyz
from ..parameters.given import Given
from ..parameters.table import ORIENTING, PARAMETERS
from ..parameters.types import Kind
from .distributions import HIT, LATTICES, MISSET, OF_WAVELENGTH, TURN
from .drawn import Draw
from .reference import Base


def crystals_given(base: Base, draw: Draw) -> list[Given]:
    """Return the parameters that make the crystals of an image out of the command's; none where they are the same."""
    hit = draw.values.get(HIT, 1) != 0
    count = lattices(base, draw)
    if base.settings.crystal.crystals or count > 1:
        return _described(base, draw, count, hit)
    found = [] if hit else [given_as("crystal_share", 0)]
    vectors = reciprocal_vectors(base, draw)
    if vectors is not None:
        found.append(given_as("A_matrix", *(float(number) for number in vectors.reshape(-1))))
    return found


def lattices(base: Base, draw: Draw) -> int:
    """Return how many crystals are described for an image; of a blank shot one that the beam misses."""
    return max(1, int(draw.values.get(LATTICES, len(base.experiment.crystals))))


def _described(base: Base, draw: Draw, count: int, hit: bool) -> list[Given]:
    """Return the crystals of an image that are described apart; none where they are those of the command."""
    entries = base.settings.crystal.crystals
    own = [description(entry)[0] for entry in entries] or [{}]
    found = []
    for number in range(count):
        vectors = reciprocal_vectors(base, draw, number)
        if vectors is None and hit and LATTICES not in draw.values:
            return []
        if vectors is None:
            vectors = command_vectors(base, number % len(own))
        keywords = {key: value for key, value in own[number % len(own)].items() if key not in ORIENTING}
        for key, value in keywords.items():
            if isinstance(value, str) and PARAMETERS[key].kind is Kind.FILE:
                keywords[key] = os.path.abspath(value)  # noqa: PTH100
        more: dict[str, Any] = {} if hit else {"crystal_share": 0}
        found.append(given_as("crystals", written({**keywords, **more, "A_matrix": vectors.T.tolist()})))
    return found


def command_vectors(base: Base, crystal: int = 0) -> Array:
    """Return a*, b*, c* of a crystal of the command as rows [1/Angstrom]."""
    # Of the real axes, which are what is rendered: of an oblique cell the record's own vectors miss them by a little.
    real_space = base.experiment.crystals[crystal].real_space
    return np.asarray(np.linalg.inv(real_space.T * 1e10), dtype=np.float64)


def reciprocal_vectors(base: Base, draw: Draw, crystal: int = 0) -> Array | None:
    """Return a*, b*, c* of a crystal of an image as rows [1/Angstrom]; None where they are those of the command.

    The command's wavelength has set the scale of a matrix file, whatever the wavelength of the image.
    """
    of_command = len(base.experiment.crystals)
    split = crystal > 0 and bool(draw.misorientations)
    vectors = command_vectors(base, 0 if split else crystal % of_command)
    settings = base.settings
    first = crystal == 0 or split or draw.rotation is None
    rotation = draw.rotation if first else draw.further_rotations[crystal - 1]
    moved = draw.spectrum_seed is not None or not draw.values.keys().isdisjoint(OF_WAVELENGTH)
    scaled_by_wavelength = (settings.crystal.matrix_file is not None or bool(settings.crystal.crystals)) and moved
    turn = [math.radians(draw.values.get(key, 0.0)) for key in TURN]
    missets = [math.radians(draw.values.get(key, 0.0)) for key in MISSET]
    set_anew = not draw.values.keys().isdisjoint(MISSET)
    same = rotation is None and draw.matrix is None and draw.stretch is None and not any(turn)
    if same and not set_anew and not split and not scaled_by_wavelength:
        return None
    if draw.matrix is not None and (crystal == 0 or split):
        vectors = draw.matrix
    if set_anew:
        given = base.experiment.crystals[crystal % of_command].misset
        if given is not None:
            vectors = vectors @ np.array([rotate_xyz(axis, *given) for axis in np.eye(3)]).T
        vectors = misset(vectors, (missets[0], missets[1], missets[2]))
    if draw.stretch is not None:
        vectors = _stretched(vectors, draw.stretch)
    if rotation is not None:
        vectors = vectors @ rotation.T
    if split:
        vectors = vectors @ draw.misorientations[crystal - 1].T
    if any(turn):
        vectors = np.array([rotate_xyz(vector, *turn) for vector in vectors])
    return np.ascontiguousarray(vectors)


def _stretched(vectors: Array, factors: Array) -> Array:
    """Return the reciprocal vectors of a cell of other lengths, the same angles and the same orientation."""
    real = np.linalg.inv(vectors.T)
    lengths, angles = cell_of_vectors(np.asarray(real, dtype=np.float64))
    upright = upright_reciprocal(lengths, angles)
    turn = np.linalg.solve(upright, vectors)  # rows: vectors = upright @ turn
    return np.asarray(upright_reciprocal(lengths * factors, angles) @ turn)
