"""Gray maps as C writes them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from converted import pgm_values
from goldens import INPUTS, Golden, load, names, roi_of

from nbnumba.io import pgm, smv
from nbnumba.util.regions import roi_slices


def golden_scale(golden: Golden) -> float:
    """Work the scale out of the float image, in float64; 1 part in 1e12 of rounding hardly ever moves a gray value."""
    if "-pgmscale" in golden.words:
        return float(golden.words[golden.words.index("-pgmscale") + 1])
    rows, columns = roi_slices(roi_of(golden), golden.float_image.shape)
    rendered = np.ones(golden.float_image.shape, dtype=bool)
    if "-mask" in golden.words:
        rendered = smv.read(INPUTS / golden.words[golden.words.index("-mask") + 1]).data != 0
    part = golden.float_image[rows, columns].astype(np.float64)
    average = part[rendered[rows, columns]].mean()
    rmsd = np.sqrt(((part - average) ** 2).sum() / (part.size - 1))
    return pgm.automatic_scale(float(rmsd), 1.0)


@pytest.mark.golden
@pytest.mark.parametrize("name", names())
def test_values_and_header_are_those_of_c(name: str, tmp_path: Path) -> None:
    golden = load(name)
    scale = golden_scale(golden)
    values = pgm_values(golden.float_image, scale, roi_of(golden))
    np.testing.assert_array_equal(values, golden.pgm_image)
    pgm.write(tmp_path / "a.pgm", values, scale)
    assert (tmp_path / "a.pgm").read_bytes() == golden.pgm_header + golden.pgm_image.tobytes()


def test_values_are_truncated_and_clipped() -> None:
    image = np.array([[0.0, 0.999, 1.0, 254.9, 255.0, 255.5, 256.0, 1e30, np.inf, np.nan, -3.0]], dtype=np.float32)
    assert pgm_values(image, 1.0).tolist() == [[0, 0, 1, 254, 255, 255, 255, 255, 255, 0, 0]]


def test_the_product_is_taken_in_float64() -> None:
    # The float32 nearest 0.7 lies below it: times 10 it is below 7, but 7 exactly when rounded to float32.
    image = np.array([[0.7]], dtype=np.float32)
    assert image[0, 0] * np.float32(10.0) == 7.0
    assert pgm_values(image, 10.0)[0, 0] == 6


def test_pixels_outside_the_region_are_0() -> None:
    image = np.full((4, 5), 7.0, dtype=np.float32)
    values = pgm_values(image, 1.0, (1, 3, 2, 9))
    assert values[2:4, 1:4].tolist() == [[7, 7, 7], [7, 7, 7]]
    assert int(values.sum()) == 6 * 7
    assert pgm_values(image, 1.0, (7, 9, 0, 3)).max() == 0


def test_the_automatic_scale_and_its_fallback() -> None:
    assert pgm.automatic_scale(2.0, 9.0) == 25.0
    assert pgm.automatic_scale(0.0, 9.0) == 9.0


def test_the_scale_stands_in_the_header_with_six_digits() -> None:
    found = re.findall(rb"# pixels scaled by (.*)\n", pgm.header((2, 3), 1.0 / 3e-7))
    assert found == [b"3.33333e+06"]
    assert pgm.header((2, 3), 1.0).startswith(b"P5\n3 2\n")
