"""Crystals in random orientations, and the files that they are written to."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from nbnumba import cli
from nbnumba.crystal.orientation import random_orientation
from nbnumba.errors import InputError
from nbnumba.experiment.resolve import resolve
from nbnumba.geometry.vectors import random_rotation
from nbnumba.io import matrix
from nbnumba.parameters.parser import parse

CELL = (41.0, 52.5, 73.25, 85.0, 95.5, 101.0)
WORDS = "random-orientation -cell 41 52.5 73.25 85 95.5 101"


def rotations(count: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.array([random_rotation(generator) for _ in range(count)])


def test_rotations_are_proper() -> None:
    drawn = rotations(200, 1)
    np.testing.assert_allclose(drawn @ drawn.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (200, 3, 3)), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(drawn), 1.0, atol=1e-14)


def kolmogorov_distance(values: np.ndarray, distribution: np.ndarray) -> float:
    """Largest distance of an empirical distribution from the one given at the sorted values."""
    assert np.all(np.diff(values) >= 0)
    n = len(values)
    return float(max((np.arange(1, n + 1) / n - distribution).max(), (distribution - np.arange(n) / n).max()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rotations_are_uniform(seed: int) -> None:
    n = 10_000
    drawn = rotations(n, seed)
    # Beyond this a uniform sample strays once in a million: sqrt(-ln(alpha / 2) / 2n).
    limit = np.sqrt(-np.log(1e-6 / 2) / 2 / n)
    # Each coordinate of a turned axis is uniform in [-1, 1] (Archimedes).
    for i, j in itertools.product(range(3), range(3)):
        values = np.sort(drawn[:, i, j])
        assert kolmogorov_distance(values, (values + 1) / 2) < limit
    # The angle of a uniform rotation has the density (1 - cos x) / pi.
    angles = np.sort(np.arccos(np.clip((np.trace(drawn, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert kolmogorov_distance(angles, (angles - np.sin(angles)) / np.pi) < limit


def test_the_seed_decides() -> None:
    first, again, other = (random_orientation(CELL, 1.2, seed) for seed in (7, 7, 8))
    assert first.text() == again.text()
    assert first.text() != other.text()


def test_layout_of_the_file() -> None:
    lines = random_orientation(CELL, 1.2, 7).text().splitlines()
    assert len(lines) == 9
    widths = [36, 36, 36, 36, 36, 36, 36, 72, 36]
    assert list(map(len, lines)) == widths
    number = r"[ -][ \d]*\d\.\d"
    for line, digits in zip(lines, (8, 8, 8, 3, 7, 7, 7, 4, 3), strict=True):
        columns = [line[i : i + 12] for i in range(0, len(line), 12)]
        assert all(re.fullmatch(rf" *-?\d+\.\d{{{digits}}}", column) for column in columns), (number, line)
    assert lines[3] == lines[8] == "       0.000       0.000       0.000"
    assert lines[7].split() == ["41.0000", "52.5000", "73.2500", "85.0000", "95.5000", "101.0000"]


def test_a_number_that_rounds_to_nothing_has_no_sign() -> None:
    # Seeds whose matrix holds a small negative number; a large cell makes them common.
    texts = [random_orientation((90000.0, 90000.0, 90000.0, 90.0, 90.0, 90.0), 0.1, seed).text() for seed in range(400)]
    assert any(" 0.00000000" in text for text in texts)
    assert not any("-0.00000000" in text for text in texts)


def test_written_matrix_is_wavelength_u_b() -> None:
    orientation = random_orientation(CELL, 1.2, 7)
    lines = orientation.text().splitlines()
    A = np.array([list(map(float, line.split())) for line in lines[:3]])
    U = np.array([list(map(float, line.split())) for line in lines[4:7]])
    # B has a* along x and b* in the xy plane: U takes A/wavelength to an upper triangle. Both are rounded.
    B = U.T @ A / 1.2
    assert np.abs(np.tril(B, -1)).max() < 2e-8
    assert np.all(np.diag(B) > 0)


@pytest.mark.parametrize("wavelength", ["1", "0.9795", "2.2"])
def test_render_recovers_the_cell(wavelength: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.mat"
    assert cli.main([*WORDS.split(), "-lambda", wavelength, "-seed", "11", "-o", str(path)]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{path}: orientation of seed 11; render it with -mat {path} -lambda {wavelength}\n"
    assert printed.err == ""
    words = ["-mat", str(path), "-lambda", wavelength, "-default_F", "1", "-N", "1", "-detpixels", "8"]
    crystal = resolve(parse(words).settings).crystal
    # Half of the eighth digit, of numbers that are wavelength / length: 5e-9 * 73 / 1 of a length, twice.
    np.testing.assert_allclose(crystal.lengths_A, CELL[:3], rtol=1e-6)
    np.testing.assert_allclose(np.degrees(crystal.angles), CELL[3:], rtol=0, atol=1e-4)
    assert matrix.read(path).shape == (3, 3)


def test_standard_output_and_two_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*WORDS.replace("-cell", "--cell").split(), "--seed", "5", "--lambda", "1.5"]) == 0
    printed = capsys.readouterr()
    assert printed.out == random_orientation(CELL, 1.5, 5).text()
    assert printed.err == ""


@pytest.mark.parametrize(
    ("typed", "cell"),
    [
        ("41", (41.0, 41.0, 41.0, 90.0, 90.0, 90.0)),
        ("41 52.5", (41.0, 52.5, 41.0, 90.0, 90.0, 90.0)),
        ("41 52.5 73.25 85", (41.0, 52.5, 73.25, 85.0, 90.0, 90.0)),
    ],
)
def test_what_is_missing_in_a_cell_is_as_of_the_option_cell(
    typed: str, cell: tuple[float, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["random-orientation", "-cell", *typed.split(), "-seed", "5"]) == 0
    assert capsys.readouterr().out == random_orientation(cell, 1.0, 5).text()


def test_a_seed_from_the_time_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(WORDS.split()) == 0
    printed = capsys.readouterr()
    found = re.fullmatch(
        r"nbnumba: notice: seed (\d+), from the time; -seed \1 gives the same orientation again\n", printed.err
    )
    assert found is not None
    assert printed.out == random_orientation(CELL, 1.0, int(found[1])).text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-cell 41 52 73 85 95 -o", r"random-orientation: -o: needs a value$"),
        ("-cell 41 52 73 85 95 90 7", r"-cell: 7 numbers: 41 52 73 85 95 90 7; allowed: 1 to 6 numbers, lengths"),
        ("", r"random-orientation: --cell is missing"),
        (
            "-cell 41 52 73 85 95 x",
            r"-cell: 'x' is not a number; allowed: 1 to 6 numbers, lengths \[Å\] and angles",
        ),
        ("-cell 41 52 -73 85 95 90", r"-cell: 41 52 -73 85 95 90; lengths \[Å\] and angles \[deg\] must be greater"),
        ("-cell 41 nan 73 85 95 90", r"-cell: 'nan' is not a number"),
        ("-cell 41 52 73 0 95 90", r"-cell: 41 52 73 0 95 90; lengths"),
        ("-cell 41 52 73 20 30 90", r"-cell: angles 20 30 90 degrees do not form a unit cell"),
        ("-cell 41 52 1e6 90 90 90", r"-cell: 1e\+06 Å; at most 99999"),
        ("-cell 0.01 52 73 90 90 90", r"-cell, -lambda: wavelength times a\*, b\*, c\* is 0\.0137 to 100; the columns"),
        ("-cell 41 52 73 90 90 90 -lambda 0", r"-lambda: 0; the wavelength must be greater than 0 Å"),
        ("-cell 41 52 73 90 90 90 -lambda inf", r"-lambda: inf; the wavelength"),
        ("-cell 41 52 73 90 90 90 -seed -1", r"-seed: -1; it must be at least 0"),
        ("-cell 41 52 73 90 90 90 -sead 1", r"random-orientation: no such option: -sead"),
    ],
)
def test_mistakes(words: str, message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    old = tmp_path / "old.mat"
    old.write_text("kept")
    assert cli.main(["random-orientation", "-o", str(old), *words.split()]) == 2
    printed = capsys.readouterr()
    assert re.search(f"^nbnumba: error: {message}", printed.err), printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert old.read_text() == "kept"


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none" / "a.mat"
    assert cli.main([*WORDS.split(), "-seed", "1", "-o", str(path)]) == 3
    printed = capsys.readouterr()
    assert printed.err == f"nbnumba: error: {path}: cannot be written: there is no folder {path.parent}\n"
    assert printed.out == ""
    (tmp_path / "file").write_text("")
    assert cli.main([*WORDS.split(), "-seed", "1", "-o", str(tmp_path)]) == 3


def test_a_cell_is_needed() -> None:
    with pytest.raises(InputError, match=r"^-cell: 0 "):
        random_orientation((0.0, 1.0, 1.0, 90.0, 90.0, 90.0), 1.0, 1)
