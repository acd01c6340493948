"""`nbnumba nonbragg`: the images of nonBragg in c, its defects put right in exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import oracles
import pytest
from requirements import requires
from scipy.interpolate import PchipInterpolator

from nbnumba.cli import main

# Comments are points at 0 there, which leaves no number in the pixel on the beam.
_NOT_A_NUMBER = {"nanoice": 1}


def prepare(params: dict[str, str]) -> list[str]:
    """Write the inputs of a case into the folder and return its words."""
    Path(params["stol_file"]).write_text(params["stol_text"])
    if "source_text" in params:
        Path("src.txt").write_text(params["source_text"])
    return ["nonbragg", *params["command"].split()[1:]]


@requires("oracles")
@pytest.mark.parametrize("name", oracles.names("nonbragg"))
def test_images_of_nonbragg(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params, arrays = oracles.load("nonbragg", name)
    monkeypatch.chdir(tmp_path)
    assert main(prepare(params)) == 0
    expected = arrays["float"].astype(np.float64)
    image = np.fromfile("f.bin", dtype="<f4").reshape(expected.shape).astype(np.float64)
    known = np.isfinite(expected)
    assert np.count_nonzero(~known) == _NOT_A_NUMBER.get(name, 0)
    assert np.isfinite(image).all()
    image[~known] = expected[~known] = 0.0
    # The gate: two units in the last place of float32; next to nothing where the curve crosses 0.
    top = np.abs(expected).max()
    np.testing.assert_allclose(image, expected, rtol=2.5e-7, atol=1e-7 * top if name == "ice" else 1e-12 * top)
    assert np.mean(image == expected) > 0.9
    data = Path("i.img").read_bytes()
    assert data[:512] == arrays["int_header"].tobytes()
    pixels = np.frombuffer(data[512:], "<u2").reshape(expected.shape).astype(int)
    if known.all():  # else C's scale is lost as well
        assert np.abs(pixels - arrays["int"].astype(int)).max() <= 1
        assert np.count_nonzero(pixels != arrays["int"]) <= 1
    if "noise" in arrays:
        noise = np.frombuffer(Path("n.img").read_bytes()[512:], "<u2").reshape(expected.shape)
        np.testing.assert_array_equal(noise, arrays["noise"])


def draw(words: str, n: int = 40) -> np.ndarray:
    base = f"nonbragg -stol t.stol -nonoise -nopgm -detpixels {n} -pixel 0.5 -distance 60 -semantics exact"
    assert main([*base.split(), *words.split()]) == 0
    return np.fromfile("floatimage.bin", dtype="<f4").reshape(n, n)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "t.stol"
    file.write_text("# stol F\n0.3 4\n0 2.5\n\n0.15, 7\n0.6 3\n")
    return file


def test_exact_divides_by_the_sum_of_the_weights(table: Path) -> None:
    one = draw("")
    Path("s.txt").write_text("-10 0 0 1 1e-10\n-10 0 0 3 1e-10\n-10 0 0 0 1e-10\n")
    np.testing.assert_allclose(draw("-sourcefile s.txt"), one, rtol=1e-6)


def test_exact_makes_the_pixels_that_were_asked_for(table: Path) -> None:
    assert main("nonbragg -stol t.stol -nonoise -nopgm -detpixels 49 -pixel 0.04 -semantics exact".split()) == 0
    assert Path("floatimage.bin").stat().st_size == 4 * 49 * 49
    assert main("nonbragg -stol t.stol -nonoise -nopgm -detpixels 49 -pixel 0.04".split()) == 0
    assert Path("floatimage.bin").stat().st_size == 4 * 50 * 50


def test_a_profile_is_that_of_the_table(table: Path) -> None:
    draw("-intfile i.img -scale 1 -adc 0 -flux 1e12 -exposure 0.1 -beamsize 0.05", 120)
    fine = np.arange(0.0, 0.31, 0.01)
    Path("bins.stol").write_text("".join(f"{s:g} 1\n" for s in fine))
    words = "-stol bins.stol -img i.img -adc 0 -stolout out.stol -flux 1e12 -exposure 0.1 -beamsize 0.05"
    assert main(["nonbragg", *words.split(), *"-nonoise -nopgm -floatfile g.bin -intfile j.img".split()]) == 0
    profile = np.loadtxt("out.stol")
    expected = PchipInterpolator([0, 0.15, 0.3, 0.6], [2.5, 7, 4, 3])(profile[:, 0])
    assert len(profile) > 20
    assert np.abs(profile[:, 3] - expected).max() < 0.1  # bins are 0.01 wide, the slope is up to 50


@pytest.mark.parametrize(
    "words",
    ["nonbragg -stol ./t.stol", "-cell 50 50 50 90 90 90 -N 1 -default_F 1 -nodump -background ./t.stol:0.1"],
)
def test_a_table_that_ends_early_is_continued_with_a_notice(words: str, tmp_path: Path, capfd) -> None:
    (tmp_path / "t.stol").write_text("0 3\n0.02 2\n")
    base = f"{words} -detpixels 8 -pixel 5 -distance 60 -lambda 1 -nonoise -nopgm".replace("./", f"{tmp_path}/")
    files = ["-floatfile", str(tmp_path / "f.bin"), "-intfile", str(tmp_path / "i.img")]
    assert main([*base.split(), *files, "-semantics", "c"]) == 0
    error = capfd.readouterr().err
    assert "t.stol: the table covers stol 0 to 0.02 1/A; the image needs 0 to 0." in error
    assert "as in nonBragg, F goes on along a straight line" in error


def test_points_at_one_stol_make_no_numbers_and_a_notice_in_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.stol").write_text("0 1\n0.1 2\n0.1 3\n1 2\n")
    assert main("nonbragg -stol t.stol -lambda 1 -distance 50 -detpixels 30 -pixel 1 -seed 1".split()) == 0
    assert "pixels are no finite numbers, from points that are too close together" in capfd.readouterr().err
    assert not np.isfinite(np.fromfile("floatimage.bin", "<f4")).all()


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        ("-stol gone.stol", "", "gone.stol: cannot be read"),
        ("-thick 1", "", "-stol is missing"),
        ("-stol t.stol", "", "holds no point"),
        ("-stol t.stol", "# all\n# comments\n", "holds no point"),
        ("-stol t.stol -semantics exact", "0 1\n0.1\n", "line 2: F is missing"),
        ("-stol t.stol -semantics exact", "0 1\n0.1 2\n0.1 3\n", "line 3: stol 0.1 stands on line 2"),
        (
            "-stol t.stol -semantics exact",
            "0 1\n1e-320 2\n3 1\n",
            "is closer than 1e-12/Å to that of line 1",
        ),
        ("-stol t.stol -semantics exact", "0 1\n0.1 2\n", "the table covers stol 0 to 0.1"),
        ("-stol t.stol", "0 x\n", "line 1: F is 'x'"),
        ("-stol t.stol", "-1 2\n", "line 1: stol is '-1'"),
        ("-stol t.stol -thick -1", "0 1\n3 1\n", "-thick: '-1'"),
        ("-stol t.stol -density nan", "0 1\n3 1\n", "-density: 'nan'"),
        ("-stol t.stol -pivot left", "0 1\n3 1\n", "-pivot: 'left'"),
        ("-stol t.stol -floatfile t.stol", "0 1\n3 1\n", "-floatfile t.stol: -stol reads the same file"),
        ("-stol t.stol -detpixles 30", "0 1\n3 1\n", "-detpixles: unknown option"),
    ],
)
def test_mistakes_are_one_line(
    words: str, text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.stol").write_text(text)
    assert main(["nonbragg", *words.split()]) in (2, 3)
    error = capfd.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["t.stol"]
