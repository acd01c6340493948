"""Pictures with rings and annotations."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nbnumba import Experiment, cli, simulate
from nbnumba.errors import InputError
from nbnumba.geometry.vectors import vector
from nbnumba.io.png import contrast_of
from nbnumba.io.png_marks import round_spacings

KEYWORDS: dict[str, Any] = {
    "cell": (40, 50, 60), "default_F": 30.0, "N": 3, "distance_mm": 100, "detpixels": (640, 600), "pixel_mm": 0.2,
    "oversample": 1, "fluence": 1e24,
}  # fmt: skip
RED = (208, 62, 28)


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def places(rgb: np.ndarray, color: tuple[int, int, int], most: int) -> np.ndarray:
    """Return rows and columns of the pixels of about a color."""
    return np.argwhere(np.abs(rgb - color).max(axis=2) <= most)


def test_an_annotated_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = simulate(Experiment(**KEYWORDS))
    image.save("plain.png")
    image.save("rings.png", rings=True)
    image.save("noted.png", annotate=True)
    plain, rings, noted = (pixels(name) for name in ("plain.png", "rings.png", "noted.png"))
    edge = 5  # half a letter
    inside = noted[edge : edge + 600, edge : edge + 640]
    # But for the cross, the picture is that with rings, which is the plain one elsewhere.
    cross = places(inside, RED, 0)
    same = np.all(inside == rings, axis=2)
    same[tuple(cross.T)] = True
    assert same.all()
    assert np.mean(np.all(rings == plain, axis=2)) > 0.9
    # The direct beam of the mosflm convention meets the detector half a pixel beyond its middle: a pixel of rounding.
    assert np.abs(cross.mean(axis=0) - (300.0, 320.0)).max() <= 1.0
    # A bar of 20 mm is 100 pixels long, its ends included.
    row = noted[edge + 600 + 16]
    assert np.flatnonzero(np.all(row == 40, axis=1))[:101].tolist() == list(range(edge, edge + 101))
    # The gray values go from white at the bottom to black at the top, on the right.
    bar = noted[edge : edge + 600, 2 * edge + 640 + 3, 0]
    assert bar[0] == 0
    assert bar[-1] == 255
    assert np.all(np.diff(bar) >= 0)


def test_ticks_stand_where_the_gray_values_are() -> None:
    values = np.geomspace(1e-3, 1e4, 4096).astype(np.float32).reshape(64, 64)
    contrast = contrast_of(values)
    ticks = contrast.ticks()
    assert {0.1, 1.0, 10.0, 100.0, 1000.0} <= {value for value, _ in ticks}
    for value, level in ticks:
        # Rounding to whole gray values.
        assert abs(255 * (1 - level) - int(contrast.gray(np.array([[value]], np.float32))[0, 0])) <= 0.51
    assert contrast_of(np.full((4, 4), 3.0, np.float32)).ticks() == []


def test_rings_go_on_from_panel_to_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record = Experiment(**KEYWORDS, convention="xds")
    first = record.detector.panels[0]
    axes = vector((1, 0, 0)), vector((0, -1, 0))
    # Two panels left and right of the beam, the second 20 mm further away.
    panels = tuple(
        dataclasses.replace(first, n_fast=300, fast=axes[0], slow=axes[1], origin=np.array(origin))
        for origin in ((-0.065, 0.06, 0.1), (0.005, 0.06, 0.12))
    )
    detector = dataclasses.replace(record.detector, panels=panels)
    image = simulate(dataclasses.replace(record, detector=detector))
    image.save("a.png", annotate=True)
    image.save("rings.png", rings=True)
    rgb = pixels("rings.png")
    assert rgb.shape == (600, 650, 3)
    # Looking along the beam x points to the left; the picture begins at x = 65 mm.
    found = np.argwhere(rgb[:, :, 2] - rgb[:, :, 0] > 60)  # bluer than the gaps
    x, y = 0.065 - (found[:, 1] + 0.5) * 2e-4, 0.06 - (found[:, 0] + 0.5) * 2e-4
    distance = np.where(x > 0.0, 0.12, 0.1)
    d = 0.5 / np.sin(0.5 * np.arctan2(np.hypot(x, y), distance))  # of 1 Angstrom
    edges = (math.atan2(math.hypot(0.065, 0.06), 0.1), math.atan2(0.005, 0.12))
    spacings = np.array(round_spacings(*(0.5 / math.sin(0.5 * angle) for angle in edges)))
    assert len(spacings) == 5
    # The lines are about two pixels wide; a label covers less than a tenth of them.
    pitch = 2e-4 / 0.1
    off = np.abs(1 / d[:, None] - 1 / spacings).min(axis=1) / pitch
    assert np.mean(off < 2.0) > 0.9
    for panel in (x > 0.0, x < 0.0):
        assert len({float(spacings[np.argmin(np.abs(spacings - one))]) for one in d[panel & (off < 1.0)]}) >= 3
    assert math.prod(pixels("a.png").shape[:2]) > math.prod(rgb.shape[:2])


def test_a_curved_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = simulate(Experiment(**{**KEYWORDS, "detpixels": 16}, curved=True))
    with pytest.raises(InputError, match="no annotations are drawn on a curved detector"):
        image.save("a.png", annotate=True)
    image.save("a.png")


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    shot = "-cell 40 50 60 90 90 90 -default_F 30 -N 3 -distance 100 -detpixels 64 -fluence 1e24 -lambda 1 -nonoise"
    assert cli.main(f"{shot} -semantics exact -quiet -nopgm -pngfile a.png -annotate -h5file a.h5".split()) == 0
    assert cli.main("convert a.h5 -o b.png -annotate".split()) == 0
    assert "without effect" not in capsys.readouterr().err
    one, other = pixels("a.png"), pixels("b.png")
    # The words below differ, as a file does not say what its values are.
    assert np.array_equal(one[:520], other[:520])
