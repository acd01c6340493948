"""Cells, their reciprocals and their orientation."""

from __future__ import annotations

import numpy as np
import pytest

from nbnumba.crystal import lattice
from nbnumba.errors import InputError


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


@pytest.mark.parametrize(
    ("cell", "drawn_by_C"),
    [
        # The angles that the C program reports.
        ((40, 40, 40, 60, 60, 60), (57.85, 57.85, 58.53)),
        ((40, 50, 60, 90, 97, 90), (90, 97, 90)),
        ((40, 40, 60, 90, 90, 120), (90, 90, 120)),
    ],
)
def test_the_cell_given_and_that_of_C(cell: tuple[float, ...], drawn_by_C: tuple[float, ...]) -> None:
    lengths, angles = np.array(cell[:3], dtype=float), np.radians(cell[3:])
    for as_C, expected in ((True, drawn_by_C), (False, cell[3:])):
        rows = lattice.reciprocal_from_cell(lengths, angles, as_C)
        real = lattice.lattice_from_reciprocal(rows, (lengths, angles)).real_A
        found = lattice.cell_of_vectors(real)
        np.testing.assert_allclose(found[0], lengths, rtol=1e-13)
        np.testing.assert_allclose(np.degrees(found[1]), expected, atol=0.005 if as_C else 1e-11)
    # The same orientation as that of Busing and Levy; rounding.
    np.testing.assert_allclose(rows, lattice.upright_reciprocal(lengths, angles), rtol=1e-12, atol=1e-17)
    assert lattice.C_draws_another_cell(lengths, angles) == (drawn_by_C != cell[3:])


@pytest.mark.parametrize("length", [1e308, 1e-300, float("nan"), float("inf")])
def test_a_length_that_a_file_states_is_no_length(length: float) -> None:
    with pytest.raises(InputError, match=r"cell: a length of .* Å; allowed are"):
        lattice.complete_cell((length, 50.0, 60.0), (0.0, 0.0, 0.0))


@pytest.mark.parametrize("length", [1e-320, 1e-100, 1e100])
def test_a_reciprocal_length_that_a_matrix_states_is_no_length(length: float) -> None:
    with pytest.raises(InputError, match=r"mat(rix)?: a reciprocal length of .*/Å; allowed are 1e-60 to 1e\+60/Å$"):
        lattice.lattice_from_reciprocal(np.diag([0.02, 0.02, length]), None)
