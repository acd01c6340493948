"""Panels put together in one picture."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nbnumba import Experiment, simulate
from nbnumba.detector.assembly import assembled
from nbnumba.geometry.vectors import vector

# The beam along z, polarization along x: looking along the beam, x points to the left.
KEYWORDS: dict[str, Any] = {
    "cell": (40, 50, 60), "default_F": 30.0, "N": 3, "convention": "xds", "distance_mm": 60, "detpixels": (6, 4),
    "pixel_mm": 1.0, "oversample": 1,
}  # fmt: skip


def experiment_of(*corners: tuple[float, float], **changes: Any) -> Any:
    """Return an experiment with a panel at each corner x, y [mm] whose rows run along x and columns along -y."""
    record = Experiment(**KEYWORDS)
    first = dataclasses.replace(record.detector.panels[0], fast=vector((1, 0, 0)), slow=vector((0, -1, 0)), **changes)
    panels = tuple(dataclasses.replace(first, origin=np.array([x * 1e-3, y * 1e-3, 0.06])) for x, y in corners)
    return dataclasses.replace(record, detector=dataclasses.replace(record.detector, panels=panels))


def test_panels_stand_where_they_are_and_gaps_are_marked() -> None:
    record = experiment_of((0, 0), (-9, 2))
    pixels = np.arange(48, dtype=np.float32).reshape(2, 4, 6) + 1.0
    picture = assembled(pixels, record.detector, record.beam)
    # From x = 6 to -9 and from y = 2 to -4: 15 x 6 pixels; rows run from right to left.
    assert picture.photons.shape == (6, 15)
    expected = np.zeros((6, 15), np.float32)
    expected[2:6, 0:6] = pixels[0, :, ::-1]
    expected[0:4, 9:15] = pixels[1, :, ::-1]
    np.testing.assert_array_equal(picture.photons, expected)
    np.testing.assert_array_equal(picture.gaps, expected == 0.0)


def test_masked_pixels_are_gaps_and_oblong_pixels_leave_none() -> None:
    mask = np.ones((4, 6), dtype=np.bool_)
    mask[1, 2] = False
    record = experiment_of((0, 0), (10, 0), pixel_sizes=(1e-3, 3e-3), mask=mask)
    picture = assembled(np.ones((2, 4, 6), np.float32), record.detector, record.beam)
    assert picture.gaps.shape == (12, 16)
    one = np.repeat(~mask[:, ::-1], 3, axis=0)
    expected = np.hstack([one, np.ones((12, 4), dtype=bool), one])
    np.testing.assert_array_equal(picture.gaps, expected)


def test_no_spot_is_lost_where_the_picture_is_coarser_than_the_pixels() -> None:
    record = Experiment(**{**KEYWORDS, "detpixels": 3000, "pixel_mm": 0.01})
    first = record.detector.panels[0]
    panels = (first, dataclasses.replace(first, origin=first.origin + vector((0.04, 0, 0))))
    detector = dataclasses.replace(record.detector, panels=panels)
    pixels = np.zeros((2, 3000, 3000), np.float32)
    pixels[1, 1234, 777] = 5.0
    picture = assembled(pixels, detector, record.beam)
    assert max(picture.photons.shape) <= 2048
    assert picture.photons.max() == 5.0


def test_a_panel_that_is_seen_edge_on() -> None:
    record = experiment_of((0, 0), (8, 0))
    side = dataclasses.replace(record.detector.panels[1], slow=vector((0, 0, 1)), normal=vector((0, -1, 0)))
    detector = dataclasses.replace(record.detector, panels=(record.detector.panels[0], side))
    picture = assembled(np.ones((2, 4, 6), np.float32), detector, record.beam)
    assert picture.photons.sum() > 24


def test_the_file_shows_gaps_in_a_color(tmp_path: Path) -> None:
    image = simulate(experiment_of((0, 0), (-9, 2)))
    image.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "RGB"
        assert picture.size == (15 * 8, 6 * 8)
        colors = np.asarray(picture)
    gray = (colors[..., 0] == colors[..., 1]) & (colors[..., 1] == colors[..., 2])
    assert gray.sum() == 48 * 64
    assert image._repr_png_() == (tmp_path / "a.png").read_bytes()
