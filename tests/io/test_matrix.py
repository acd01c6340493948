"""Orientation matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from goldens import INPUTS
from hypothesis import given
from hypothesis import strategies as st

from nbnumba.errors import FileError, InputError
from nbnumba.io import matrix

GOOD = "0.01 0 0\n0 0.02 0\n0 0 0.03\n"


def read(folder: Path, text: str) -> np.ndarray:
    (folder / "a.mat").write_text(text, newline="")
    return matrix.read(folder / "a.mat")


def test_rows_are_x_y_z_and_columns_are_the_vectors() -> None:
    values = matrix.read(INPUTS / "triclinic.mat")
    assert values.shape == (3, 3)
    assert values[:, 0].tolist() == [0.02742338, 0.00121167, -0.01302405]
    assert values[2].tolist() == [-0.01302405, 0.02147689, -0.00891876]


def test_text_behind_the_ninth_number_is_ignored(tmp_path: Path) -> None:
    # A MOSFLM file: missetting angles, the orientation, the cell and the missetting angles again.
    mosflm = GOOD + "       0.000       0.000       0.000\n" * 4 + "   78.0  78.0  37.0  90.0  90.0 nan\nand words\n"
    assert np.diag(read(tmp_path, mosflm)).tolist() == [0.01, 0.02, 0.03]
    assert np.diag(read(tmp_path, GOOD.rstrip() + "x")).tolist() == [0.01, 0.02, 0.03]


@pytest.mark.parametrize(
    "text",
    [
        "0.01 0 0 0 0.02 0 0 0 0.03",
        "0.01\n0\n0\n0\n0.02\n0\n0\n0\n0.03",
        GOOD.replace("\n", "\r\n"),
        "\n\t .01 -0 +0.\n0 2e-2 0\v0 0\f3.E-02",
        "0.01-0.0+0.0 0 0.02 0 0-0 0.03",
    ],
)
def test_layouts_that_mean_the_same(tmp_path: Path, text: str) -> None:
    np.testing.assert_array_equal(read(tmp_path, text), np.diag([0.01, 0.02, 0.03]))


@pytest.mark.property
@given(st.lists(st.floats(-1.0, 1.0), min_size=9, max_size=9))
def test_numbers_survive_the_file(tmp_path_factory: pytest.TempPathFactory, numbers: list[float]) -> None:
    for diagonal in (0, 4, 8):  # keeps the vectors out of one plane
        numbers[diagonal] += 3.0
    values = read(tmp_path_factory.getbasetemp(), " ".join(map(repr, numbers)))
    assert values.ravel().tolist() == numbers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.mat: holds 0 numbers; a matrix takes nine$"),
        ("1 2 3\n4 5 6\n7 8\n", r"a\.mat: holds 8 numbers; a matrix takes nine$"),
        ("1 2 3\n4 five 6\n7 8 9\n", r"a\.mat, line 2: 'five' is not a number; a matrix takes nine$"),
        ("1 2 3\n4 nan 6\n7 8 9\n", r"line 2: 'nan' is not a number"),
        ("1 2 3\n4 5 -inf\n7 8 9\n", r"line 2: '-inf' is not a number"),
        ("1 2 3\n4 5 6\n7 8 1e999\n", r"line 3: '1e999' is too large for a matrix element$"),
        ("# A matrix\n" + GOOD, r"line 1: '#' is not a number"),
        ("0 0 0\n" * 3, r"a\.mat: a\*, b\* and c\* lie in one plane or are zero: 0 0 0 0 0 0 0 0 0$"),
        ("1 2 3\n4 5 6\n7 8 9\n", r"lie in one plane"),
        ("1 0 0\n0 1 0\n0 1e-13 0\n", r"lie in one plane"),
        ("1e-9 0 1\n0 1e-9 1\n0 0 1e-13\n", r"lie in one plane"),
    ],
)
def test_malformed_matrices(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^-mat .*{message}") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_small_and_large_matrices_are_not_singular(tmp_path: Path) -> None:
    for scale in (1e-200, 1e-9, 1e200):
        text = " ".join(repr(scale * value) for value in (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
        np.testing.assert_array_equal(read(tmp_path, text), scale * np.eye(3))


def test_a_missing_matrix(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^-mat .*a\.mat: cannot be read: no such file or directory$"):
        matrix.read(tmp_path / "a.mat")
