"""Pictures for people."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from goldens import load
from PIL import Image

from nbnumba.errors import FileError
from nbnumba.io import png as preview
from nbnumba.io import png_marks


def picture(folder: Path, image: np.ndarray, rings: png_marks.Resolution | None = None) -> Image.Image:
    preview.write_png(folder / "a.png", image, rings)
    with Image.open(folder / "a.png") as opened:
        opened.load()
    assert opened.format == "PNG"
    return opened


def flat_resolution(center: tuple[float, float]) -> png_marks.Resolution:
    """Return 1/d = 0.004 per pixel from the center (slow, fast)."""

    def resolution(slow: np.ndarray, fast: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return 1.0 / (0.004 * np.hypot(slow - center[0], fast - center[1]))

    return resolution


def test_spots_and_background_differ_from_white_and_from_each_other() -> None:
    rng = np.random.default_rng(3)
    image = rng.poisson(10.0, (200, 200)).astype(np.float32)
    image[50:53, 50:53] += 40.0
    image[120:123, 120:123] += 3000.0
    image[160:163, 160:163] += 300_000.0
    gray = preview.gray_values(image).astype(int)
    background = np.median(gray)
    assert 60 < background < 245
    assert gray[51, 51] < background - 20
    assert gray[121, 121] < gray[51, 51] - 20
    assert gray[161, 161] == 0


def test_spots_on_nothing_leave_the_paper_white() -> None:
    gray = preview.gray_values(load("shape_tophat").float_image)
    assert np.median(gray) == 255
    assert gray.min() == 0


def test_a_pattern_without_background_uses_the_whole_scale() -> None:
    gray = preview.gray_values(load("still_lysozyme").float_image)
    assert gray.min() == 0
    assert gray.max() == 255
    assert np.count_nonzero((gray > 30) & (gray < 225)) > 0.15 * gray.size


def test_brighter_is_never_lighter() -> None:
    image = load("still_lysozyme").float_image
    order = np.argsort(image, axis=None)
    assert np.all(np.diff(preview.gray_values(image).ravel()[order].astype(int)) <= 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (3, 2)])
def test_empty_and_constant_images_of_any_shape(tmp_path: Path, shape: tuple[int, int]) -> None:
    white = picture(tmp_path, np.zeros(shape, dtype=np.float32))
    assert white.size == (8 * shape[1], 8 * shape[0])
    assert white.getextrema() == (255, 255)
    assert picture(tmp_path, np.full(shape, 5.0, dtype=np.float32)).getextrema() == (128, 128)
    picture(tmp_path, np.ones(shape, dtype=np.float32), flat_resolution((0.5, 0.5)))


def test_values_that_are_not_finite(tmp_path: Path) -> None:
    image = np.array([[np.nan, np.inf], [-np.inf, 3.0]], dtype=np.float32)
    assert preview.reduce(image).tolist() == [[0.0, 3.0], [0.0, 3.0]]
    assert picture(tmp_path, image).getextrema() == (0, 255)
    assert picture(tmp_path, np.full((2, 2), np.nan, dtype=np.float32)).getextrema() == (255, 255)


def test_a_huge_image_is_reduced_and_no_spot_is_lost(tmp_path: Path) -> None:
    image = np.zeros((2500, 4099), dtype=np.float32)
    spots = [(0, 0), (2499, 4098), (1234, 2047), (7, 3000)]
    for slow, fast in spots:
        image[slow, fast] = 100.0
    reduced = preview.reduce(image)
    assert reduced.shape == (834, 1367)  # blocks of 3, the last of each row and column smaller
    assert {(int(slow), int(fast)) for slow, fast in np.argwhere(reduced)} == {(s // 3, f // 3) for s, f in spots}
    assert picture(tmp_path, image).size == (1367, 834)


def test_one_overwhelming_pixel_does_not_blank_the_rest() -> None:
    image = load("still_lysozyme").float_image.copy()
    before = preview.gray_values(image)
    image[5, 5] = 1e30
    after = preview.gray_values(image)
    # The percentiles move by one pixel in 16384.
    assert np.abs(after.astype(int) - before).max(where=image < 1e30, initial=0) < 30


def test_rings_stand_where_the_resolution_says(tmp_path: Path) -> None:
    center = (300.0, 180.0)
    image = np.zeros((640, 700), dtype=np.float32)
    rgb = np.asarray(picture(tmp_path, image, flat_resolution(center))).astype(int)
    assert rgb.shape == (640, 700, 3)
    colored = np.abs(rgb - 255).sum(axis=2) > 150
    radius = np.hypot(*(np.argwhere(colored) + 0.5 - center).T)
    largest = 0.004 * np.hypot(340, 520)
    spacings = png_marks.round_spacings(1.0 / largest, np.inf)
    assert len(spacings) >= 3
    radii = np.array([1.0 / (0.004 * d) for d in spacings])
    # Lines are two pixels wide; labels, which cover less, stand within 40 pixels of their ring.
    off = np.abs(radius[:, np.newaxis] - radii).min(axis=1)
    assert np.mean(off < 2.0) > 0.9
    assert off.max() < 40.0
    for wanted in radii:
        assert np.any(np.abs(radius - wanted) < 1.0)


def test_rings_of_an_enlarged_and_of_a_reduced_image(tmp_path: Path) -> None:
    for shape, factor in (((80, 80), 8.0), ((4100, 4100), 1 / 3)):
        center = (shape[0] / 2, shape[1] / 2)
        scale = 0.5 / shape[0]

        def resolution(slow, fast, center=center, scale=scale):
            with np.errstate(divide="ignore"):
                return 1.0 / (scale * np.hypot(slow - center[0], fast - center[1]))

        rgb = np.asarray(picture(tmp_path, np.zeros(shape, dtype=np.float32), resolution)).astype(int)
        middle = rgb[int(center[0] * factor), :, 0]
        found = np.flatnonzero(middle < 200) / factor - center[1]
        expected = [1.0 / (scale * d) for d in png_marks.round_spacings(1.0 / (scale * np.hypot(*center)), np.inf)]
        inside = [r for r in expected if r < center[1] - 4 / factor]
        assert inside
        for radius in inside:
            # Half a line, and the pixel of the picture.
            assert np.abs(found - radius).min() < 3.0 / factor
            assert np.abs(found + radius).min() < 3.0 / factor


def test_no_rings_where_there_is_no_resolution(tmp_path: Path) -> None:
    rgb = picture(tmp_path, np.zeros((50, 50), dtype=np.float32), lambda slow, fast: np.inf + slow + fast)
    assert rgb.getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize(
    ("smallest", "largest", "expected"),
    [
        (1.0, np.inf, [5.0, 2.5, 1.5, 1.2, 1.0]),
        (2.9, np.inf, [15.0, 8.0, 5.0, 4.0, 3.0]),
        (1.01, 1.1, []),
        (0.0, 5.0, []),
        (3.0, 2.0, []),
        (np.inf, np.inf, []),
    ],
)
def test_round_spacings(smallest: float, largest: float, expected: list[float]) -> None:
    # Rounding of a figure times a power of ten.
    assert png_marks.round_spacings(smallest, largest) == pytest.approx(expected, rel=1e-15)


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        preview.write_png(tmp_path / "absent" / "a.png", np.zeros((2, 2), dtype=np.float32))


def test_pillow_is_loaded_only_to_draw() -> None:
    code = (
        "import sys, nbnumba.io.png, nbnumba.structure_factors.hkl_list, nbnumba.structure_factors.load; "
        "print(sorted(sys.modules))"
    )
    root = Path(__file__).resolve().parent.parent.parent
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    for name in ("'PIL'", "'numba'", "'h5py'"):
        assert name not in modules
