"""Background and readout in a batch: what varies is drawn, told and seen in the pixels."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (reads the images)
import numpy as np

from nbnumba.cli import main

SPEC = """\
command = "-cell 78 78 38 90 90 90 -N 5 -default_F 100 -misset 10 20 30 -detpixels 32 -pixel 1 -distance 60 -flux 1e12 \
-exposure 0.1 -beamsize 0.05 -oversample 1 -background air:20 -psf gauss -readout_noise 2 -calibration 0.03"
count = 4
seed = 3
images_per_file = 4
dtype = "int32"
[vary]
water_layer_mm = { uniform = [0.01, 0.2] }
gain = { uniform = [0.5, 2.0] }
flicker = 0.1
"""


def test_labels_truth_and_pixels_agree(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(SPEC)
    assert main(["batch", str(tmp_path / "spec.toml"), "-o", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    with h5py.File(tmp_path / "out" / "shots_0000.h5") as file:
        pixels = file["entry/data/data"][:]
        truth = file["entry/ground_truth"]
        backgrounds = [json.loads(text) for text in truth["background"][:]]
        readouts = [json.loads(text) for text in truth["readout"][:]]
    assert len({row["water_layer_mm"] for row in rows}) == 4
    for row, background, readout, image in zip(rows, backgrounds, readouts, pixels, strict=True):
        assert [body["name"] for body in background] == ["air", "water"]
        assert background[1]["thickness_m"] == float(row["water_layer_mm"]) * 1e-3
        assert readout["gain"] == float(row["gain"])
        assert readout["calibration_seed"] == readouts[0]["calibration_seed"]
        # Flicker of 10 %, and the light that leaves the edges.
        ratio = image.sum() / (float(row["gain"]) * float(row["expected_photons"]))
        assert 0.55 < ratio < 1.4
    assert len({np.round(image.sum()) for image in pixels}) == 4
