"""Every input file is opened once on the way from settings to scene."""

from __future__ import annotations

import collections
import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from goldens import copy_inputs
from reflection_files import cif_text, unique_reflections, values_of, write_mtz

from nbnumba import Experiment, cli, simulate
from nbnumba.batch.chunk import to_pixels
from nbnumba.batch.reference import make_base
from nbnumba.batch.sample import draw, image_experiment
from nbnumba.batch.spec import read_spec
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene
from nbnumba.io.contents import read_once
from nbnumba.parameters.parser import parse
from nbnumba.structure_factors import fdump
from nbnumba.structure_factors.table import IndexBox

MODEL = """\
CRYST1   20.000   24.000   30.000  90.00  90.00  90.00 P 21 21 21
ATOM      1  CA  GLY A   1       5.000   6.000   7.000  1.00 20.00           C
END
"""
SMALL = "-N 2 -detpixels 16 -oversample 1 -nodump"

_opens: collections.Counter[str] | None = None


def _count(event: str, arguments: tuple[object, ...]) -> None:
    if _opens is not None and event == "open" and isinstance(arguments[0], (str, bytes)):
        path = arguments[0] if isinstance(arguments[0], str) else arguments[0].decode()
        _opens[Path(path).name] += 1


sys.addaudithook(_count)  # cannot be removed again


@contextmanager
def counted() -> Iterator[collections.Counter[str]]:
    """Count how often files are opened in the block, by name."""
    global _opens
    counter = _opens = collections.Counter()
    try:
        yield counter
    finally:
        _opens = None


@pytest.fixture
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    copy_inputs(tmp_path)
    rows = unique_reflections("P 21 21 21")
    F = values_of(rows)
    write_mtz(tmp_path / "x.mtz", "P 21 21 21", rows, [("FP", "F", F)])
    Path("x.mtz.gz").write_bytes(gzip.compress(Path("x.mtz").read_bytes()))
    Path("x.cif").write_text(cif_text("P 21 21 21", rows, {"F_meas_au": F}))
    Path("m.pdb").write_text(MODEL)
    fdump.write("kept.bin", np.ones((2, 2, 2)), IndexBox(0, 1, 0, 1, 0, 1))


@pytest.mark.usefixtures("_inputs")
@pytest.mark.parametrize(
    "words",
    [
        "-hkl x.mtz",
        "-hkl x.mtz -cell 20 24 30 -hkl_dmin 2",
        "-hkl x.mtz.gz",
        "-hkl x.cif -hkl_column F_meas_au",
        "-pdb m.pdb",
        "-pdb m.pdb -hkl_dmin 4 -cell 20 24 30",
        "-mat lyso.mat -hkl lyso.hkl -sourcefile spectrum.txt",
        "-cell 20 24 30 -dump kept.bin",
    ],
)
def test_files_are_opened_once(words: str) -> None:
    settings = parse(f"{words} {SMALL}".replace("-nodump", "" if "-dump" in words else "-nodump").split()).settings
    with counted() as opens:
        scene = build_scene(resolve(settings))
    assert scene.nh > 2
    named = {word for word in words.split() if Path(word).is_file()}
    assert named
    assert {name: opens[name] for name in named} == dict.fromkeys(named, 1)


@pytest.mark.usefixtures("_inputs")
def test_keywords_open_files_once() -> None:
    for keywords in (
        {"cell": (20, 24, 30), "dump": "kept.bin"},
        {"hkl": "x.mtz"},
        {"matrix": "lyso.mat", "hkl": "lyso.hkl"},
    ):
        with counted() as opens:
            Experiment(detpixels=16, N=2, oversample=1, **keywords)  # type: ignore[arg-type]
        named = {str(value) for value in keywords.values() if isinstance(value, str)}
        assert {name: opens[name] for name in named} == dict.fromkeys(named, 1)


@pytest.mark.usefixtures("_inputs")
def test_a_rendering_opens_its_reflections_once(capsys: pytest.CaptureFixture[str]) -> None:
    with counted() as opens:
        assert cli.main(f"-hkl x.mtz {SMALL} -nonoise -nopgm".split()) == 0
    assert "is taken from -hkl x.mtz" in capsys.readouterr().err
    assert opens["x.mtz"] == 1


@pytest.mark.usefixtures("_inputs")
def test_mask_and_kernel_are_opened_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("kernel.txt").write_text("0 0.1 0\n0.1 0.5 0.1\n0 0.1 0\n")
    line = "-cell 20 24 30 -default_F 1 -N 2 -detpixels 16 -oversample 1 -nonoise -nopgm -quiet"
    assert cli.main(f"{line} -intfile mask.img".split()) == 0
    with counted() as opens:
        words = f"{line} -mask mask.img -semantics exact -psf file -psf_file kernel.txt -noisefile n.img -seed 1"
        assert cli.main(words.replace("-nonoise ", "").split()) == 0, capsys.readouterr().err
    assert (opens["mask.img"], opens["kernel.txt"]) == (1, 1)
    psf = {"psf": "file", "psf_file": "kernel.txt"}
    with counted() as opens:
        made = Experiment(cell=(20, 24, 30), default_F=1, N=2, detpixels=16, mask="mask.img", **psf)  # type: ignore[arg-type]
        image = simulate(made)
        image.with_noise(1)
    assert (opens["mask.img"], opens["kernel.txt"]) == (1, 1)
    assert '"file": "kernel.txt", "shape": [3, 3]' in str(image.ground_truth(1).readout)
    blurred = made.readout
    Path("kernel.txt").write_text("1\n")
    other = made.replace(psf_file="kernel.txt")
    assert blurred is not None
    assert other != made
    assert other.readout != blurred


@pytest.mark.usefixtures("_inputs")
def test_images_of_a_batch_open_no_file_again() -> None:
    Path("kernel.txt").write_text("0 0.1 0\n0.1 0.5 0.1\n0 0.1 0\n")
    Path("t.stol").write_text("0 1\n5 1\n")
    line = "-cell 20 24 30 -default_F 1 -N 2 -detpixels 16 -oversample 1 -intfile mask.img -nonoise -nopgm -quiet"
    assert cli.main(line.split()) == 0
    command = "-mat lyso.mat -mask mask.img -sourcefile spectrum.txt -default_F 1 -N 2 -background t.stol:1"
    command += " -psf file -psf_file kernel.txt"
    Path("b.toml").write_text(
        f'command = "{command}"\ncount = 3\n[vary]\nfluence = {{ uniform = [1e27, 2e27] }}\n'
        "beam_center_fast_mm = { uniform = [0.5, 1] }\nN = { integers = [2, 4] }\n"
    )
    spec, _ = read_spec("b.toml")
    base = make_base(spec)
    with counted() as opens:
        drawn = [draw(spec, base, image) for image in range(3)]
        made = [image_experiment(base, each) for each in drawn]
        with read_once(base.contents):
            for each, experiment in zip(drawn, made, strict=True):
                photons = np.ones((16, 16), np.float32)
                to_pixels(photons, spec, each.noise_seed, each.noise_number, experiment.readout)
    names = ("lyso.mat", "mask.img", "spectrum.txt", "kernel.txt", "t.stol")
    assert len({experiment.detector.center.Fbeam for experiment in made}) == 3
    assert {name: opens[name] for name in names} == dict.fromkeys(names, 0)
