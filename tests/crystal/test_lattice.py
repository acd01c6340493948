"""Cells, their reciprocals and their orientation."""

from __future__ import annotations

import numpy as np
import pytest

from nbnumba.crystal import lattice


@pytest.mark.parametrize("cell", [(40, 50, 60, 90, 90, 90), (40, 50, 60, 80, 95, 100), (78, 78, 38, 90, 90, 120)])
def test_upright_reciprocal_has_the_cell(cell: tuple[float, ...]) -> None:
    lengths, angles = np.array(cell[:3], dtype=float), np.radians(cell[3:])
    rows = lattice.upright_reciprocal(lengths, angles)
    assert rows[0, 1] == rows[0, 2] == rows[1, 2] == 0.0
    assert np.linalg.det(rows) > 0.0
    real = np.linalg.inv(rows).T
    np.testing.assert_allclose(np.linalg.norm(real, axis=1), lengths, rtol=1e-13)  # rounding of two inverses
    cosines = (real @ real.T) / np.outer(lengths, lengths)
    np.testing.assert_allclose(np.arccos(cosines[[1, 0, 0], [2, 2, 1]]), angles, rtol=1e-13)
    for found, expected in zip(lattice.cell_of_vectors(real), (lengths, angles), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)
