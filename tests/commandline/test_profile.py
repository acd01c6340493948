"""`nbnumba background-profile`: the curve that an image was drawn with comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nbnumba
from nbnumba.background import tables
from nbnumba.cli import main

PLAIN = {
    "cell": (78.0, 78.0, 38.0), "N": (12, 12, 12), "default_F": 30.0, "misset_deg": (10.0, 20.0, 30.0),
    "detpixels": 120, "pixel_mm": 0.5, "distance_mm": 60.0, "flux": 1e12, "exposure_s": 0.1, "beamsize_mm": 0.05,
    "oversample": 1,
}  # fmt: skip


def test_water_comes_back_beneath_spots(tmp_path: Path) -> None:
    image = nbnumba.simulate(nbnumba.Experiment(amorphous="water:0.5", **PLAIN))  # type: ignore[arg-type]
    image.save(tmp_path / "a.h5")
    table = tmp_path / "out.stol"
    words = f"background-profile {tmp_path}/a.h5 -o {table} -bins 60 -amount 0.5:1:18 -beamsize 0.05"
    assert main(words.split()) == 0
    found = np.loadtxt(table)
    expected = np.interp(found[:, 0], *tables.load("water", "").points.T)
    # Bins of 0.006 1/A where the curve rises by 80 per 1/A, and straight lines for monotone cubics.
    assert np.abs(found[:, 1] - expected).max() < 0.5
    again = nbnumba.simulate(nbnumba.Experiment(amorphous=f"{table}:0.5:1:18", **PLAIN)).array  # type: ignore[arg-type]
    assert abs(np.median(again / image.array) - 1.0) < 0.02


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", " is missing; "),
        ("gone.h5 -o t.stol", "gone.h5"),
        ("in.bin", "needs -o FILE"),
        ("in.bin other.bin -o t.stol", "needs one image, got 2"),
        ("in.bin -o t.stol -bins 0", "-bins: '0'"),
        (f"in.bin -o t.stol -bins {'9' * 5000}", "-bins: '9999"),
        ("in.bin -o t.stol -amount x", "-amount: 'x'"),
        ("in.bin -o t.stol -amount 0", "-amount: '0'"),
        ("in.bin -o t.stol -detpixels 4", "none of the 100 bins"),
        ("in.bin -o in.bin -detpixels 4", "in.bin"),
        ("in.bin -o t.stol -detpixels 4 -bins 1 -fluence 1e-3", "in.bin: F reaches 1.94e+10 electrons with a fluence"),
    ],
)
def test_mistakes(words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.bin").write_bytes(np.ones(16, "<f4").tobytes())
    assert main(["background-profile", *words.split()]) in (2, 3)
    assert message in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.bin"]
