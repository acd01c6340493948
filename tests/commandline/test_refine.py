"""`nbnumba refine` as a user meets it."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import subprocess
from pathlib import Path

import dxtbx_reader
import h5py
import numpy as np
import pytest
from PIL import Image
from requirements import requires

import nbnumba
from nbnumba import cli
from nbnumba.crystal.mosaic import misset_angles
from nbnumba.geometry.vectors import rotate_xyz
from nbnumba.io import expt

pytestmark = pytest.mark.command_line

_GEOMETRY = "-lambda 1.3 -distance 120 -pixel 0.35 -detpixels 96 -oversample 1".split()
_CRYSTAL = "-N 20 -shape gauss_abc -spread continuous -default_F 90 -nodump -fluence 1e27".split()
_CELL = "-cell 79 79 38 90 90 90".split()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with counts of a still, as HDF5 and as mini-CBF."""
    monkeypatch.chdir(tmp_path)
    experiment = nbnumba.Experiment.from_command(
        [*_GEOMETRY, *_CRYSTAL, *_CELL, "-misset", "10", "20", "30", "-mosaic", "0.1", "-semantics", "exact"]
    )
    image = nbnumba.simulate(experiment, "cpu")
    image = dataclasses.replace(image, array=image.array + np.float32(2.0))
    image.save("still.h5", dtype="int32", noise_seed=3)
    image.save("still.cbf", noise_seed=3)
    return tmp_path


def _refine(*words: str) -> int:
    start = [*_GEOMETRY, *_CRYSTAL, "-cell", "79.1", "79.1", "37.95", "90", "90", "90"]
    return cli.main(["refine", *start, "-misset", "10.05", "19.95", "30.05", "-mosaic", "0.15", *words])


@pytest.mark.parametrize("image", ["still.h5", "still.cbf"])
def test_finds_the_crystal(folder: Path, image: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _refine(image, "-o", "found", "-free", "misset,cell,mosaic,scale,background") == 0
    printed = capsys.readouterr().out
    assert "sigmaZ" in printed
    assert "wrote found.expt" in printed
    content = json.loads(Path("found.json").read_text())
    rows = {row["name"]: row for row in content["parameters"]}
    assert list(rows) == ["cell_a", "cell_c", "misset_x", "misset_y", "misset_z", "mosaic_spread", "scale", "offset"]
    for name, truth in (("cell_a", 79.0), ("cell_c", 38.0), ("mosaic_spread", 0.1), ("scale", 1.0), ("offset", 2.0)):
        assert abs(rows[name]["value"] - truth) < 5 * rows[name]["error"], name
        assert rows[name]["error"] < 0.2 * truth
    assert content["converged"] is True
    assert np.allclose(np.diagonal(content["correlations"]), 1.0)
    assert content["sigma_z"] == pytest.approx(1.0, abs=0.04)  # of 9216 pixels: an error of 0.01
    residual = np.fromfile("found_residual.bin", dtype=np.float32)
    assert residual.size == 96 * 96
    found = expt.read("found.expt")
    assert found.wavelength_A == pytest.approx(1.3)
    assert found.reciprocal_A is not None
    lengths = np.linalg.norm(np.linalg.inv(found.reciprocal_A), axis=0)
    np.testing.assert_allclose(lengths, [rows["cell_a"]["value"]] * 2 + [rows["cell_c"]["value"]], rtol=1e-9)
    corner = found.panels[0].origin
    assert np.linalg.norm(corner) > 0.12
    assert found.panels[0].n_fast == 96


@requires("DIALS' reader")
def test_dxtbx_reads_what_it_wrote(folder: Path) -> None:
    assert _refine("still.h5", "-o", "found", "-free", "misset,cell,scale,background") == 0
    script = (
        "from dxtbx.model.experiment_list import ExperimentListFactory as F; import json, sys; "
        "e = F.from_json_file('found.expt', check_format=False)[0]; p = e.detector[0]; "
        "print(json.dumps([e.crystal.get_unit_cell().parameters(), e.beam.get_wavelength(), p.get_image_size(), "
        "e.beam.get_s0()]))"
    )
    done = subprocess.run([dxtbx_reader.PYTHON, "-c", script], capture_output=True, check=True, text=True)
    cell, wavelength, size, s0 = json.loads(done.stdout.splitlines()[-1])
    rows = {row["name"]: row["value"] for row in json.loads(Path("found.json").read_text())["parameters"]}
    np.testing.assert_allclose(cell, [rows["cell_a"], rows["cell_a"], rows["cell_c"], 90, 90, 90], rtol=1e-9)
    assert (wavelength, size) == (pytest.approx(1.3), [96, 96])
    np.testing.assert_allclose(s0, [0, 0, -1 / 1.3], atol=1e-12)


def test_what_it_wrote_is_where_it_can_go_on(folder: Path) -> None:
    """From the refined .expt nothing is left to be refined, in the frame of DIALS."""
    assert _refine("still.h5", "-o", "found", "-free", "misset,cell,mosaic,scale,background") == 0
    first = json.loads(Path("found.json").read_text())
    again = "-expt found.expt -oversample 1".split()
    assert cli.main(["refine", "still.h5", *again, *_CRYSTAL, "-mosaic", "0.15", "-o", "second"]) == 0
    second = json.loads(Path("second.json").read_text())
    rows, before = ({row["name"]: row for row in found["parameters"]} for found in (second, first))
    assert abs(rows["misset_x"]["value"]) < 0.01
    assert rows["cell_a"]["value"] == pytest.approx(before["cell_a"]["value"], abs=3 * rows["cell_a"]["error"])


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["still.h5"], 2, "refine: needs -o NAME"),
        (["-o", "found"], 2, "refine: needs one image, got 0"),
        (["absent.h5", "-o", "found"], 3, "absent.h5"),
        (["still.h5", "-o", "absent/found"], 3, "absent/found.expt"),
        (["still.h5", "-o", "found", "-free", "nonsense"], 2, "'nonsense' is unknown; allowed: cell"),
        (
            ["still.h5", "-o", "found", "-free", "misset,psf_fwhm"],
            2,
            "psf_fwhm: the experiment has no point spread; -psf gives one",
        ),
        (["still.h5", "-o", "found", "-free", ","], 2, "parameters: there are none"),
        (["still.h5", "-o", "found", "-image", "2"], 2, "-image '2': allowed are 1 to 1"),
        (["still.h5", "-o", "found", "-bounds", "cell_a"], 2, "-bounds: 'cell_a' is not NAME=X:Y"),
        (["still.h5", "-o", "found", "-bounds", "cell_a=1:inf"], 2, "both numbers must be finite"),
        (["still.h5", "-o", "found", "-priors", "Nd=1:2"], 2, "'Nd' is not refined"),
        (["still.h5", "-o", "found", "-shoebox", "-1"], 2, "-shoebox: '-1'; allowed are whole numbers"),
        (["still.h5", "-o", "found", "-workers", "2"], 2, "-workers: 2 for one image"),
        (["still.h5", "-o", "found", "-workers", "none"], 2, "-workers: 'none'; allowed are whole numbers"),
        (["still.h5", "-o", "found", "-evaluations", "0"], 2, "-evaluations: '0'; allowed"),
        (["still.h5", "-o", "found", "-shape", "tophat", "-spread", "sampled"], 2, "with shape tophat pixels jump"),
    ],
)
def test_mistakes(
    folder: Path, words: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _refine(*words) == status
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error
    assert not list(folder.glob("found*"))


def test_no_crystal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["refine", "still.h5", "-o", "found", *_GEOMETRY, *_CRYSTAL]) == 2
    assert "-cell" in capsys.readouterr().err


def _several(count: int) -> str:
    """Make a file of some images of the crystal, in turns by phi."""
    words = [*_GEOMETRY, *_CRYSTAL, *_CELL, "-misset", "10", "20", "30", "-mosaic", "0.1"]
    Path("spec.toml").write_text(
        f'command = "{" ".join(words)}"\ncount = {count}\nnoise = true\nimages_per_file = {count}\n'
    )
    assert cli.main(["batch", "spec.toml", "-o", "shots", "--threads", "1"]) == 0
    return "shots/shots_0000.h5"


def test_workers_and_resume(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is there stays; what is missing, or cut short, is made; processes give the same as this one."""
    words = [_several(3), "-o", "shot", "-free", "misset,scale"]
    assert _refine(*words) == 0
    whole = {path.name: path.read_bytes() for path in folder.glob("shot_*")}
    table = Path("shot.csv").read_text().splitlines()
    assert table[0].startswith("image,converged,evaluations,sigma_z,misset_x,misset_x_error")
    assert [line.split(",")[0] for line in table[1:]] == ["1", "2", "3"]
    Path("shot_0002.json").unlink()
    Path("shot_0003.json").write_text("{")
    before = Path("shot_0001.json").stat().st_mtime_ns
    capsys.readouterr()
    assert _refine(*words, "-workers", "2", "-resume") == 0
    assert "1 of 3 images are there already" in capsys.readouterr().err
    assert Path("shot_0001.json").stat().st_mtime_ns == before
    assert {path.name: path.read_bytes() for path in folder.glob("shot_*")} == whole
    assert _refine(*words[:-1], "misset", "-resume") == 2
    assert "was made with other options or of other files" in capsys.readouterr().err


def test_an_image_with_nothing_in_it_is_no_failure_of_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _several(2)
    with h5py.File(path) as file:
        pixels = file["/entry/data/data"][:]
        pixels[0] = 0
    with h5py.File("stack.h5", "w") as file:
        file["entry/data/data"] = pixels
    assert _refine("stack.h5", "-o", "shot", "-free", "misset,scale") == 1
    assert "stack.h5, image 1: not refined: refine: every pixel that counts is 0" in capsys.readouterr().err
    assert not Path("shot_0001.json").exists()
    assert json.loads(Path("shot_0002.json").read_text())["converged"]


def test_page(folder: Path) -> None:
    """It shows everything without any other file."""
    assert _refine("still.h5", "-o", "found", "-free", "misset,scale,background") == 0
    text = Path("found.html").read_text()
    assert len(re.findall('src="data:image/png;base64,', text)) == 5
    assert not re.findall(r'(?:src|href)="(?!data:)|url\(', text)
    rows = json.loads(Path("found.json").read_text())["parameters"]
    assert all(f"<td>{row['value']:.7g}</td>" in text for row in rows)
    pictures = [base64.b64decode(found) for found in re.findall('base64,([^"]+)', text)]
    sizes = {Image.open(io.BytesIO(picture)).size for picture in pictures}
    assert sizes == {(96, 96)}


@pytest.mark.parametrize("image", ["still.h5", "still.cbf"])
def test_geometry_of_the_image(folder: Path, image: str, capsys: pytest.CaptureFixture[str]) -> None:
    # The laboratory frame is the file's: the crystal is turned as the panel is.
    crystal = [*_CRYSTAL, "-oversample", "1", "-mosaic", "0.1", "-cell", "79.1", "79.1", "37.95", "90", "90", "90"]
    panels = [
        nbnumba.Experiment.from_command([*crystal, "-misset", "10.05", "19.95", "30.05", *words]).detector.panels[0]
        for words in (_GEOMETRY, ["-geometry", image])
    ]
    before, after = (np.column_stack([panel.fast, panel.slow, panel.normal]) for panel in panels)
    old = np.column_stack([rotate_xyz(axis, *np.radians([10.05, 19.95, 30.05])) for axis in np.eye(3)])
    angles = np.degrees(misset_angles(after @ before.T @ old)).tolist()
    words = [*crystal, "-misset", *map(repr, angles)]
    assert cli.main(["refine", image, *words, "-o", "found", "-free", "misset,cell,scale,background"]) == 0
    assert f"the geometry is that of {image}" in capsys.readouterr().err
    rows = {row["name"]: row for row in json.loads(Path("found.json").read_text())["parameters"]}
    assert abs(rows["cell_a"]["value"] - 79.0) < 5 * rows["cell_a"]["error"]


def test_every_image_from_its_own_start(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _several(2)
    assert _refine(path, "-o", "first", "-image", "1", "-free", "misset,scale") == 0
    content = json.loads(Path("first.expt").read_text())
    content["experiment"] = [content["experiment"][0], {**content["experiment"][0], "crystal": 1}]
    turned = json.loads(json.dumps(content["crystal"][0]))
    turned["real_space_a"], turned["real_space_b"] = turned["real_space_b"], [-x for x in turned["real_space_a"]]
    content["crystal"].append(turned)
    Path("starts.expt").write_text(json.dumps(content))
    words = ["-expt", "starts.expt", "-oversample", "1", *_CRYSTAL, "-mosaic", "0.1", "-o", "shot", "-free", "scale"]
    assert cli.main(["refine", path, *words]) == 0
    assert "every image starts from its own experiment" in capsys.readouterr().err
    axes = [json.loads(Path(f"shot_000{n}.expt").read_text())["crystal"][0]["real_space_a"] for n in (1, 2)]
    np.testing.assert_allclose(axes[0], content["crystal"][0]["real_space_a"], rtol=1e-9)
    np.testing.assert_allclose(axes[1], turned["real_space_a"], rtol=1e-9)


def test_point_spread(folder: Path) -> None:
    """The width of a phosphor's point spread is refined with the crystal."""
    words = [*_GEOMETRY, *_CRYSTAL, *_CELL, "-misset", "10", "20", "30", "-mosaic", "0.1", "-semantics", "exact"]
    experiment = nbnumba.Experiment.from_command([*words, "-psf", "gauss", "-psf_fwhm", "500"])
    image = nbnumba.simulate(experiment, "cpu")
    image = dataclasses.replace(image, array=image.array + np.float32(2.0))
    image.save("spread.h5", dtype="int32", noise_seed=3)
    free = "misset,cell,mosaic,scale,background,psf_fwhm"
    assert _refine("spread.h5", "-o", "found", "-free", free, "-psf", "gauss", "-psf_fwhm", "400") == 0
    content = json.loads(Path("found.json").read_text())
    rows = {row["name"]: row for row in content["parameters"]}
    for name, truth in (("psf_fwhm", 500.0), ("mosaic_spread", 0.1), ("cell_a", 79.0), ("offset", 2.0)):
        assert abs(rows[name]["value"] - truth) < 5 * rows[name]["error"], name
    assert rows["psf_fwhm"]["error"] < 20.0
    # Pixels that are rounded to whole numbers have a twelfth of a photon squared of noise more.
    assert content["sigma_z"] == pytest.approx(1.0, abs=0.1)


def test_out_of_evaluations(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _refine("still.h5", "-o", "found", "-evaluations", "2", "-shoebox", "4") == 1
    assert "not converged after 2 evaluations" in capsys.readouterr().err
    assert json.loads(Path("found.json").read_text())["converged"] is False
