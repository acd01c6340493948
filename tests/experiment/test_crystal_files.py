"""Several crystals in one image, each described apart: on the command line, in Python, in TOML and in a batch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import goldens
import h5py
import numpy as np
import pytest
from small_model import pdb_text

from nbnumba import Experiment, cli, simulate
from nbnumba.experiment.crystal_files import KEYS

LINE = "-hkl lyso.hkl -lambda 1 -distance 100 -detpixels 40 -pixel 2 -oversample 1 -N 5 -nonoise -nopgm -nodump"
ONE = 'matrix = "lyso.mat"\ncrystal_share = 0.7\nmosaic_spread_deg = 1\nmosaic_domains = 3\n'
TWO = (
    "cell = [79, 79, 38]\nmisset_deg = [10, 20, 30]\nN = [3, 4, 5]\ncrystal_share = 0.2\n"
    'shape = "gauss"\nmosaic_model = "gauss"\nmosaic_sigmas_deg = [0.2, 0.4, 0.6]\n'
)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goldens.copy_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("one.toml").write_text(ONE)
    Path("two.toml").write_text(TWO)


def drawn(words: str, name: str = "f.bin", line: str = LINE) -> np.ndarray:
    assert cli.main([*line.split(), *words.split(), "-floatfile", name]) == 0
    return np.fromfile(name, "<f4").reshape(40, 40)


def assert_same(ours: np.ndarray, expected: np.ndarray) -> None:
    """Float32 rounding of each crystal's image, of their sum, and of the shares of the fluence."""
    assert expected.max() > 0.0
    np.testing.assert_allclose(ours, expected, rtol=3 * 2.0**-24 + 2.0**-24, atol=1e-44)


@pytest.mark.parametrize("semantics", ["c", "exact"])
def test_an_image_of_several_crystals_is_the_sum_of_theirs(semantics: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = f"-semantics {semantics} -nointerpolate"
    both = drawn(f"{more} -crystal one.toml -crystal two.toml -h5file a.h5 -cbffile a.cbf")
    report = capsys.readouterr().out
    first = drawn(f"{more} -mat lyso.mat -mosaic 1 -mosaic_domains 3").astype(float)
    second = drawn(
        f"{more} -cell 79 79 38 -misset 10 20 30 -Na 3 -Nb 4 -Nc 5 -gauss_xtal -mosaic_model gauss "
        "-mosaic_sigmas 0.2 0.4 0.6"
    )
    assert_same(both, 0.7 * first + 0.2 * second)
    assert "reading one.toml\nreading two.toml\n" in report
    assert re.search(r"crystal 1 of 2: 0\.7 of the fluence, cell .*, 5x5x5 cells, 3 mosaic domains", report)
    assert "crystal 2 of 2: 0.2 of the fluence, cell 79 79 38 90 90 90, 3x4x5 cells, 10 mosaic domains" in report
    assert "mosaic model gauss: 0.2 0.4 0.6 deg" in report
    truth = json.loads(_texts("a.h5")["crystals"])
    assert [one["share"] for one in truth] == [0.7, 0.2]
    assert truth[1]["cells"] == [3, 4, 5]
    assert json.loads(truth[1]["mosaic"])["sigmas_deg"] == pytest.approx([0.2, 0.4, 0.6])
    np.testing.assert_allclose(truth[1]["cell"], [79, 79, 38, 90, 90, 90], rtol=1e-9)
    assert b"NBNUMBA_CRYSTALS" in Path("a.cbf").read_bytes()
    again = Experiment.from_file("a.h5")
    np.testing.assert_array_equal(simulate(again).array, both)


def _texts(path: str) -> dict[str, str]:
    found = {}
    with h5py.File(path) as file:
        for name, item in file["entry/ground_truth"].items():
            if h5py.check_string_dtype(item.dtype) is not None:
                found[name] = str(item.asstr()[()].ravel()[0])
    return found


def test_python_and_toml_take_files_and_tables() -> None:
    keywords: dict[str, Any] = {
        "hkl": "lyso.hkl", "wavelength_A": 1, "distance_mm": 100, "detpixels": 40, "pixel_mm": 2, "oversample": 1,
        "N": 5, "interpolate": False,
    }  # fmt: skip
    expected = drawn("-semantics exact -nointerpolate -crystal one.toml -crystal two.toml")
    two = {"cell": (79, 79, 38), "misset_deg": np.array([10, 20, 30]), "N": (3, 4, 5), "crystal_share": 0.2}
    two |= {"shape": "gauss", "mosaic_model": "gauss", "mosaic_sigmas_deg": [0.2, 0.4, 0.6]}
    made = Experiment(**keywords, crystals=[Path("one.toml"), two])
    assert [crystal.weight for crystal in made.crystals] == [0.7, 0.2]
    np.testing.assert_array_equal(simulate(made).array, expected)
    # Its command draws the same, from another folder too.
    Path("elsewhere").mkdir()
    again = Experiment.from_command(made.command, "elsewhere")
    np.testing.assert_array_equal(simulate(again).array, expected)
    np.testing.assert_array_equal(simulate(made.replace(phi_deg=0)).array, expected)
    lines = "".join(f"{name} = {value!r}\n".replace("False", "false") for name, value in keywords.items())
    Path("whole.toml").write_text(
        lines.replace("'", '"') + 'crystals = ["one.toml", { matrix = "lyso.mat", crystal_share = 0.5 }]\n'
    )
    found = Experiment.from_file("whole.toml")
    assert [crystal.weight for crystal in found.crystals] == [0.7, 0.5]
    alone = Experiment(**keywords, crystals="lyso.mat")
    assert len(alone.crystals) == 1


def test_a_crystal_may_have_structure_factors_of_its_own() -> None:
    Path("other.hkl").write_text("1 2 3 500\n2 2 1 300\n-1 0 4 200\n")
    Path("three.toml").write_text('matrix = "lyso.mat"\nhkl = "other.hkl"\ndefault_F = 10\nB_factor_A2 = 5\n')
    more = "-semantics exact -nointerpolate"
    both = drawn(f"{more} -crystal one.toml -crystal three.toml")
    first = drawn(f"{more} -mat lyso.mat -mosaic 1 -mosaic_domains 3").astype(float)
    assert (
        cli.main(
            [
                *LINE.replace("lyso.hkl", "other.hkl").split(),
                *more.split(),
                *"-mat lyso.mat -default_F 10 -B_factor 5".split(),
            ]
        )
        == 0
    )
    other = np.fromfile("floatimage.bin", "<f4").reshape(40, 40)
    assert_same(both, 0.7 * first + other)


def test_a_crystal_may_have_a_model_of_its_own() -> None:
    Path("m.pdb").write_text(pdb_text())
    Path("model.toml").write_text('cell = [24, 27, 31]\npdb = "m.pdb"\nhkl_dmin_A = 3\n')
    more = "-semantics exact -nointerpolate"
    both = drawn(f"{more} -crystal one.toml -crystal model.toml")
    first = drawn(f"{more} -mat lyso.mat -mosaic 1 -mosaic_domains 3").astype(float)
    alone = LINE.replace("-hkl lyso.hkl", "-pdb m.pdb -hkl_dmin 3 -cell 24 27 31")
    assert cli.main([*alone.split(), *more.split()]) == 0
    other = np.fromfile("floatimage.bin", "<f4").reshape(40, 40)
    assert other.max() > 0.0
    assert_same(both, 0.7 * first + other)


def test_a_batch_turns_every_crystal_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    Path("spec.toml").write_text(
        f'command = "{LINE.replace(" -nonoise -nopgm -nodump", "")} -crystal one.toml -crystal two.toml"\n'
        'count = 3\nseed = 5\nnoise = false\ndtype = "float32"\n[vary]\norientation = "random"\n'
    )
    assert cli.main(["batch", "spec.toml", "-o", "out"]) == 0, capsys.readouterr().err
    with h5py.File(next(Path("out").glob("*_0000.h5" if list(Path("out").glob("*_0000.h5")) else "*.h5"))) as file:
        truth = file["entry/ground_truth"]
        crystals = [json.loads(text) for text in truth["crystals"].asstr()[()]]
        commands = list(truth["command"].asstr()[()])
        images = np.asarray(file["entry/data/data"] if "data" in file["entry/data"] else file["entry/data/data_000001"])
    first, second = (np.array([image[i]["A_matrix"] for image in crystals]) for i in (0, 1))
    turns = [a @ np.linalg.inv(b) for a, b in ((first[0], first[1]), (second[0], second[1]))]
    assert np.abs(turns[0] - turns[1]).max() > 0.01
    for command, image in zip(commands, images, strict=True):
        np.testing.assert_allclose(simulate(Experiment.from_command(command)).array, image, rtol=1e-6)


def test_files_that_describe_crystals_are_inputs_of_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    Path("inner.mat").write_bytes(Path("lyso.mat").read_bytes())
    Path("inner.toml").write_text('matrix = "inner.mat"\nN = 3\n')
    line = LINE.replace(" -nonoise -nopgm -nodump", "")
    Path("inputs.toml").write_text(f'command = "{line} -crystal inner.toml"\ncount = 1\n')
    assert cli.main(["batch", "inputs.toml", "-o", "inputs"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    Path("inner.mat").write_text(Path("inner.mat").read_text() + "\n")
    assert cli.main(["batch", "inputs.toml", "-o", "inputs", "--resume"]) == 2
    assert "inner.mat" in capsys.readouterr().err


BAD = {
    "nothing = 1\nmatrix = 'lyso.mat'": "'nothing' says nothing of a crystal; allowed: matrix, A_matrix, cell",
    "U_matrix = [[1,0,0],[0,1,0],[0,0,1]]": "'U_matrix' says nothing of a crystal",
    "N = 3": "says nothing of the lattice; one of matrix, cell, A_matrix is needed",
    "": "says nothing of the lattice",
    "cell = [1, 2\n": "(line ",
    "cell = 'a'": "cell: 'a' is not a number",
    "cell = [79, 79, 38, 90, 90, 90, 90]": "cell: 7 values; allowed: 1 to 6",
    "cell = [79, 79, nan]": "cell: nan is not a finite number",
    "cell = [79, true, 3]": "cell: True is not a number",
    "cell = 79\nN = [1, 2]": "N: 2 values; allowed: 1 or 3",
    "cell = 79\nN = 0.5": "N: '0.5' is not a whole number",
    "cell = 79\ncrystal_share = -1": "crystal_share: '-1' is out of range; allowed: a number from 0 to 1",
    "cell = 79\ncrystal_share = 1.01": "crystal_share: '1.01' is out of range",
    "cell = 79\nshape = 'cube'": "shape: 'cube' is unknown",
    "cell = 79\nshape = 3": "shape: 3 is unknown; allowed: square, round",
    "cell = 79\nmisset_deg = 'random'": "misset_deg: random needs a misset_seed here",
    "cell = 79\nmisset_deg = 5": 'misset_deg: 1 value; allowed: 3, or "random"',
    "A_matrix = [1, 2, 3]": "A_matrix: has the shape (3,); allowed: (3, 3)",
    "matrix = 'none.mat'": "none.mat",
}


@pytest.mark.parametrize("text", BAD)
def test_what_describes_no_crystal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.toml").write_text(text)
    before = sorted(Path().iterdir())
    status = cli.main([*LINE.split(), "-crystal", "one.toml", "-crystal", "bad.toml"])
    said = capsys.readouterr().err
    assert status == (3 if "none.mat" in text else 2)
    assert BAD[text] in said
    assert "bad.toml" in said or "none.mat" in said
    assert said.count("error:") == 1
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-crystal one.toml -mat lyso.mat", "-crystal: describes the crystals, and contradicts -mat"),
        (
            "-crystal one.toml -cell 79 -misset 1 2 3",
            "-crystal: describes the crystals, and contradicts -cell, -misset",
        ),
        ("-crystal none.toml", "-crystal none.toml"),
        ("-crystal {1:2}", "-crystal: '{1:2}' is malformed JSON"),
        ("-crystal_share -1 -cell 79", "-crystal_share: '-1' is out of range"),
        ("-crystal one.toml -crystal two.toml -water 5 -semantics c", "-water: as C, the water is part of the sum"),
        ("-crystal one.toml -crystal lyso.mat -floatfile lyso.mat", "lyso.mat"),
    ],
)
def test_contradictions(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*LINE.split(), *words.split()]) in (2, 3)
    assert message in capsys.readouterr().err


def test_each_crystal_has_parameters_of_its_own() -> None:
    experiment = Experiment(crystals=["one.toml", "two.toml"], hkl="lyso.hkl", wavelength_A=1, detpixels=4)
    found = experiment.parameters("misset", "wavelength", "N").names
    of_each = {f"{name}_{number}" for name in ("misset_x", "misset_y", "misset_z") for number in (1, 2)}
    assert of_each <= set(found)
    assert "wavelength" in found


def test_a_share_dims_a_single_crystal() -> None:
    whole = drawn("-mat lyso.mat -nointerpolate").astype(float)
    assert_same(drawn("-mat lyso.mat -crystal_share 0.25 -nointerpolate"), 0.25 * whole)


def test_every_key_is_a_keyword() -> None:
    assert {"matrix", "cell", "A_matrix", "N", "mosaic_file", "diffuse_gamma_A", "crystal_share", "hkl"} <= set(KEYS)
    assert {"U_matrix", "crystals", "spread", "distance_mm"}.isdisjoint(KEYS)


def test_structure_factors_by_energy_of_one_crystal_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """The crystal names the model and its tables in its own folder; the other one has the command's list."""
    Path("in").mkdir()
    Path("in/m.pdb").write_text(pdb_text().replace("ZN", "FE"))
    Path("in/fe.txt").write_text("7000 -6 0.5\n7110 -8 1\n7115 -7 4\n7300 -4 4\n")
    model = 'matrix = "../lyso.mat"\npdb = "m.pdb"\nhkl_dmin_A = 3\n'
    more = 'anomalous = true\nanomalous_file = "FE=fe.txt"\nanomalous_bins = 3\n'
    Path("in/iron.toml").write_text(f"crystal_share = 0.3\n{model}{more}")
    Path("in/plain.toml").write_text(f"crystal_share = 0.3\n{model}")
    line = LINE.replace("-lambda 1 ", "") + " -nointerpolate -semantics exact"
    pulse = "-spectrum gauss:7112:60:6"
    both = drawn(f"{pulse} -crystal one.toml -crystal in/iron.toml -h5file a.h5", line=line)
    assert "crystal 2: structure factors by energy: 3 tables for 6 energies" in capsys.readouterr().out
    of_model = "-pdb in/m.pdb -hkl_dmin 3 -anomalous -anomalous_file FE=in/fe.txt -anomalous_bins 3"
    iron = drawn(f"{pulse} -mat lyso.mat {of_model}", line=line.replace("-hkl lyso.hkl", "")).astype(float)
    listed = drawn(f"{pulse} -mat lyso.mat -mosaic 1 -mosaic_domains 3", line=line)
    assert_same(both, 0.3 * iron + 0.7 * listed)
    plain = drawn(f"{pulse} -crystal one.toml -crystal in/plain.toml", line=line)
    assert np.abs(plain - both).max() > 1e-3 * iron.max()
    with h5py.File("a.h5") as file:
        crystals = json.loads(file["/entry/ground_truth/crystals"].asstr()[()][0])
    assert crystals[0]["anomalous"] is None
    assert len(json.loads(crystals[1]["anomalous"])) == 3
    # In a batch the model serves all images, each with a pulse of its own.
    line = line.replace(" -nonoise -nopgm -nodump", "").replace(" -semantics exact", "")
    Path("spec.toml").write_text(
        f'command = "{line} -spectrum sase:7112:60:2:6 -crystal one.toml -crystal in/iron.toml"\n'
        "count = 2\nseed = 5\nnoise = false\ndtype = 'float32'\n"
    )
    assert cli.main(["batch", "spec.toml", "-o", "out"]) == 0, capsys.readouterr().err
    with h5py.File("out/shots_0000.h5") as file:
        truth = file["/entry/ground_truth"]
        commands = truth["command"].asstr()[:]
        tables = [json.loads(json.loads(text)[1]["anomalous"]) for text in truth["crystals"].asstr()[:]]
        images = file["/entry/data/data"][:]
    assert list(map(len, tables)) == [3, 3]
    assert not np.array_equal(images[0], images[1])
    for command, image in zip(commands, images, strict=True):
        np.testing.assert_array_equal(simulate(Experiment.from_command(command)).array, image)


def test_a_series_states_every_crystal_for_dials(capsys: pytest.CaptureFixture[str]) -> None:
    command = LINE.replace(" -nonoise -nopgm -nodump", "") + " -crystal one.toml -crystal two.toml"
    Path("spec.toml").write_text(
        f'command = "{command}"\nseed = 5\nnoise = false\n[series]\nphi0_deg = 5\nosc_deg = 0.5\nimages = 2\n'
    )
    assert cli.main(["series", "spec.toml", "-o", "out"]) == 0, capsys.readouterr().err
    said = json.loads(Path("out/series.expt").read_text())
    assert [experiment["crystal"] for experiment in said["experiment"]] == [0, 1]
    with h5py.File("out/series_master.h5") as file:
        crystals = json.loads(file["/entry/ground_truth/crystals"].asstr()[()][0])
    for ours, theirs in zip(crystals, said["crystal"], strict=True):
        lengths = [np.linalg.norm(theirs[f"real_space_{axis}"]) for axis in "abc"]
        np.testing.assert_allclose(lengths, ours["cell"][:3], rtol=1e-9)
