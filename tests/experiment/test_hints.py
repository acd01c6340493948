"""Hints about images in which spots will not be found, or too many of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nbnumba
from nbnumba import cli
from nbnumba.batch.sheet import Shot, write_sheet
from nbnumba.experiment.hints import hints
from nbnumba.util.messages import notices_to

KEYWORDS = {
    "cell": (50, 60, 70),
    "misset_deg": (10, 20, 30),
    "default_F": 100.0,
    "N": 20,
    "detpixels": 100,
    "pixel_mm": 0.2,
    "distance_mm": 200,
    "wavelength_A": 3.0,
    "oversample": 2,
}


def found(**keywords: object) -> list[str]:
    experiment = nbnumba.Experiment(**KEYWORDS | keywords)
    return list(hints(experiment, nbnumba.simulate(experiment, "cpu").array))


def test_dim_images_and_fringes() -> None:
    (dim,) = found(fluence=1e20)
    assert dim.startswith("the brightest pixel expects ")
    assert "fluence" in dim
    (fringes,) = found(fluence=1e29)
    # 3 A over 20 cells of 50 A at 200 mm, in pixels of 0.2 mm.
    assert fringes.startswith("fringes of the square crystal, 3 pixels apart and of up to ")
    assert found(fluence=1e29, shape="gauss", N=5) == []
    assert found(fluence=1e29, mosaic_spread_deg=0.5, mosaic_domains=5) == []


def test_the_direct_beam_and_blank_shots_do_not_count() -> None:
    (bright,) = found(fluence=1e20, default_F=0.0, hkl=[(0, 0, 0, 1e7), (1, 0, 0, 1.0)])
    assert bright.startswith("the brightest pixel expects ")
    assert found(fluence=1e20, crystal_share=0.0) == []


def test_who_hears_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    command = "-cell 50 60 70 -misset 10 20 30 -default_F 100 -N 5 -detpixels 32 -distance 100 -fluence 1e18"
    assert cli.main([*command.split(), "-quiet", "-seed", "1", "-noisefile", "n.img"]) == 0
    assert "hint: the brightest pixel expects " in capsys.readouterr().err
    assert cli.main([*command.split(), "-quiet", "-seed", "1"]) == 0  # as nanoBragg is run
    assert "hint" not in capsys.readouterr().err
    (tmp_path / "s.toml").write_text(f'command = "{command}"\ncount = 2\n')
    assert cli.main(["batch", "s.toml", "--dry-run"]) == 0
    assert "hint: of image 0, the brightest pixel expects " in capsys.readouterr().out


def test_the_contact_sheet_marks_dim_and_clipped_images_and_fringes(tmp_path: Path) -> None:
    heard: list[str] = []
    shots = []
    for fluence, share in ((1e20, 1.0), (1e29, 1.0), (1e20, 0.0)):
        experiment = nbnumba.Experiment(**KEYWORDS | {"fluence": fluence, "crystal_share": share})
        image = nbnumba.simulate(experiment, "cpu").array
        shots.append(Shot(image, experiment, [crystal for crystal in experiment.crystals if crystal.weight]))
    counts = np.zeros(image.shape, dtype=np.uint16)
    counts[: len(counts) // 2] = 65533
    shots.append(Shot(counts, experiment, ()))
    counts = np.full(image.shape, 65535, dtype=np.uint16)  # without values
    counts[0] = 1
    shots.append(Shot(counts, experiment, ()))
    with notices_to(heard.append):
        write_sheet(tmp_path / "sheet.png", shots)
    dim, fringes, clipped = heard
    assert "no pixel reaches 3 in 1 of the first 5 images (0), so that spots will not be found" in dim
    assert fringes.startswith("hint: fringes of the square crystal, 3 pixels apart")
    assert "in image 1, will be found as spots in 1 of the first 5 images (1)" in fringes
    assert clipped.startswith("hint: more than 1 % of the pixels are clipped in 1 of the first 5 images (3); ")
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
