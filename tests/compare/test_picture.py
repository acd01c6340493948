"""The picture of a comparison: three panels whose pixels follow the values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nbnumba.compare import picture
from nbnumba.compare.metrics import measure
from nbnumba.compare.pair import make_pair
from nbnumba.compare.scales import gray, scales, signed
from nbnumba.imagefiles.records import LoadedImage


def draw(path: Path, a: NDArray, b: NDArray, names: tuple[str, str] = ("A.bin", "B.bin")) -> NDArray[np.uint8]:
    loaded = [LoadedImage(name, "test", np.asarray(values, float)) for name, values in zip(names, (a, b), strict=True)]
    pair = make_pair(loaded[0], loaded[1])
    picture.write(path, pair, measure(pair), 99.9)
    with Image.open(path) as opened:
        return np.array(opened.convert("RGB"))


def corner_of_panel(drawn: NDArray[np.uint8], number: int) -> tuple[int, int]:
    """Return row and column of a panel's first pixel; panels share the width between four margins."""
    margin = 16
    width = (drawn.shape[1] - 4 * margin) // 3
    return 30, margin + number * (width + margin)


def test_panels_show_a_b_and_their_difference(tmp_path: Path) -> None:
    a = np.zeros((64, 80))
    a[10, 20] = 100.0
    b = a.copy()
    b[30, 40], b[50, 60] = 100.0, -100.0
    drawn = draw(tmp_path / "compare.png", a, b)
    zoom = 640 // 80

    def shown(number: int, slow: int, fast: int) -> list[int]:
        row, column = corner_of_panel(drawn, number)
        return drawn[row + slow * zoom + zoom // 2, column + fast * zoom + zoom // 2].tolist()

    assert shown(0, 10, 20) == shown(1, 10, 20) == [0, 0, 0]
    assert shown(0, 30, 40) != [0, 0, 0]
    assert shown(1, 30, 40) == [0, 0, 0]
    assert shown(2, 10, 20) == [255, 255, 255]
    assert shown(2, 30, 40) == [178, 24, 43]
    assert shown(2, 50, 60) == [33, 102, 172]
    # The rings round the two worst pixels stand in every panel.
    for number in range(3):
        row, column = corner_of_panel(drawn, number)
        around = drawn[row + 30 * zoom - 12 : row + 31 * zoom + 12, column + 40 * zoom - 12 : column + 41 * zoom + 12]
        assert (around == [0, 128, 64]).all(axis=2).any()


def test_single_pixels_survive_the_reduction(tmp_path: Path) -> None:
    a = np.zeros((1500, 1300))
    b = a.copy()
    b[777, 999] = -5.0
    drawn = draw(tmp_path / "compare.png", a, b)
    assert (drawn == [33, 102, 172]).all(axis=2).sum() > 0


@pytest.mark.parametrize("value", [0.0, 4.0, np.nan, np.inf, 1e300])
@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (20, 20)])
def test_images_without_contrast(tmp_path: Path, value: float, shape: tuple[int, int]) -> None:
    flat = np.full(shape, value)
    drawn = draw(tmp_path / "compare.png", flat, flat)
    row, column = corner_of_panel(drawn, 2)
    assert drawn[row, column].tolist() == ([240, 228, 66] if not np.isfinite(value) else [255, 255, 255])


def test_long_names_fit(tmp_path: Path) -> None:
    short = draw(tmp_path / "short.png", np.eye(30), np.eye(30))
    long = draw(tmp_path / "long.png", np.eye(30), np.eye(30), ("/folder" * 60 + "/A.bin", "/folder" * 60 + "/B.bin"))
    assert short.shape == long.shape


def test_scale_is_shared_and_clips_at_the_percentile() -> None:
    a = np.arange(10_000.0).reshape(100, 100)
    pair = make_pair(LoadedImage("a", "", a), LoadedImage("b", "", a / 2))
    shared, difference = scales(pair, pair.b - pair.a, 90.0)
    values = np.concatenate([a.ravel(), a.ravel() / 2])
    assert shared.high == np.percentile(values, 90.0, method="higher")
    assert shared.low == np.percentile(values, 1.0, method="higher")
    assert difference.high == np.percentile(a / 2, 90.0, method="higher")
    colors = gray(np.array([[shared.low, shared.high, np.nan]]), shared)
    assert colors[0].tolist() == [[255, 255, 255], [0, 0, 0], [240, 228, 66]]
    ends = signed(np.array([[-difference.high, 0.0, difference.high]]), difference)
    assert ends[0].tolist() == [[33, 102, 172], [255, 255, 255], [178, 24, 43]]


def test_percentile_of_sparse_differences_still_shows_them() -> None:
    a = np.zeros((100, 100))
    b = a.copy()
    b[3, 4] = 2.0
    pair = make_pair(LoadedImage("a", "", a), LoadedImage("b", "", b))
    shared, difference = scales(pair, b - a, 99.9)
    assert (shared.low, shared.high, difference.high) == (0.0, 2.0, 2.0)
