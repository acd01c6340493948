"""Lists of sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from goldens import INPUTS

from nbnumba.errors import FileError, InputError
from nbnumba.io import source_file

NAN = float("nan")


def read(folder: Path, text: str) -> np.ndarray:
    (folder / "s.txt").write_text(text, newline="")
    return source_file.read(folder / "s.txt")


def test_five_columns() -> None:
    sources = source_file.read(INPUTS / "spectrum.txt")
    assert sources.shape == (5, 5)
    assert sources[1].tolist() == [-10.0, 0.001, -0.002, 0.7, 9.98e-11]


def test_missing_columns_are_nan() -> None:
    sources = source_file.read(INPUTS / "short_source.txt")
    expected = [[-10, 0.02, 0, NAN, NAN], [-10, -0.02, 0.01, NAN, NAN], [-10, 0, 0, 0.5, NAN]]
    np.testing.assert_array_equal(sources, expected)


def test_comments_are_skipped() -> None:
    sources = source_file.read(INPUTS / "commented_sources.txt")
    assert sources.tolist() == [[-10.0, 0.0, 0.05, 1.0, 1.2e-10], [-10.0, 0.1, 0.0, 0.2, 1.21e-10]]


@pytest.mark.parametrize(
    "text",
    [
        "-1 2 3\n-4 5 6 0.5\n",
        "-1 2 3\n-4 5 6 0.5",
        "-1 2 3\r\n-4 5 6 0.5\r\n",
        "-1 2 3\r-4 5 6 0.5",
        "\n  \n-1,2;3\n# nothing\n\t-4\t5:6!0.5 # half\n\n",
        "!-1 , 2 , 3 ,\n-4 5 6 5E-1",
    ],
)
def test_layouts_that_mean_the_same(tmp_path: Path, text: str) -> None:
    np.testing.assert_array_equal(read(tmp_path, text), [[-1, 2, 3, NAN, NAN], [-4, 5, 6, 0.5, NAN]])


def test_columns_after_the_fifth_are_ignored(tmp_path: Path) -> None:
    assert read(tmp_path, "1 2 3 4 5 six 7\n").tolist() == [[1, 2, 3, 4, 5]]


def test_weights_may_be_zero_or_negative(tmp_path: Path) -> None:
    # Which semantics is in force decides whether they matter.
    assert read(tmp_path, "1 0 0 0\n1 0 0 -2\n")[:, 3].tolist() == [0.0, -2.0]


def test_one_coordinate_alone(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(tmp_path, "0\n0 0\n"), [[0, NAN, NAN, NAN, NAN], [0, 0, NAN, NAN, NAN]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"s\.txt: holds no source; a line is X Y Z weight lambda\(m\)$"),
        ("# X Y Z\n\n , ;\n", "holds no source"),
        ("1 2 3\nX Y Z\n", r"s\.txt, line 2: X is 'X'; a finite number is allowed$"),
        ("1 2 3 nan\n", "line 1: weight is 'nan'; a finite number is allowed"),
        ("1 inf 3\n", "line 1: Y is 'inf'"),
        ("1 2 1e999\n", "line 1: Z is '1e999'"),
        ("1 2 3_0\n", "line 1: Z is '3_0'"),
        ("1 2 3 1 0x1p-30\n", "lambda is '0x1p-30'"),
        ("\n\n1 2 3 1 0\n", "line 3: lambda is '0'; allowed are wavelengths above 0, in meters"),
        ("1 2 3 1 -1e-10\n", "lambda is '-1e-10'"),
        ("1 2 3\n0 0.0 -0 1\n", "line 2: the source stands at 0 0 0"),
    ],
)
def test_malformed_sources(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^-sourcefile .*{message}") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^-sourcefile .*s\.txt: cannot be read: no such file or directory$"):
        source_file.read(tmp_path / "s.txt")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1e60 0 0", r"line 1: the source stands 1e\+60 m from the sample; allowed are 1e-50 to 1e\+50"),
        ("1e-60 0 0", r"stands 1e-60 m from the sample"),
        ("-10 0 0 1 1e-60", r"lambda is '1e-60'; allowed are 1e-50 to 1e\+50 meters"),
        ("-10 0 0 1 1e60", r"lambda is '1e60'"),
    ],
)
def test_lengths_beyond_all_measure(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, line)
