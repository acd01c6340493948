from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import goldens
import numpy as np
import pytest
from numpy.typing import NDArray
from requirements import requires

from nbnumba.crystal.mosaic import mosaic_rotations
from nbnumba.errors import InputError
from nbnumba.kernels.random import c_stream as c_random
from nbnumba.kernels.random import park_miller
from nbnumba.readout.poisson import poisson_image_c, seed_from_time


def noisy_cases() -> list[str]:
    return [name for name in goldens.names() if goldens.load(name).noise_image is not None]


def numbers_after(words: tuple[str, ...], option: str, n: int) -> tuple[float, ...] | None:
    if option not in words:
        return None
    at = words.index(option) + 1
    return tuple(float(word) for word in words[at : at + n])


def bright_image(n_slow: int, n_fast: int) -> NDArray[np.float32]:
    """Return means from 0.001 to 3 million, so that each way of drawing is met."""
    return np.geomspace(1e-3, 3e6, n_slow * n_fast, dtype=np.float32).reshape(n_slow, n_fast)


@pytest.mark.golden
@pytest.mark.parametrize("name", noisy_cases())
def test_noise_of_the_golden_cases(name: str) -> None:
    case = goldens.load(name)
    (seed,) = numbers_after(case.words, "-seed", 1) or (0,)
    (adc,) = numbers_after(case.words, "-adc", 1) or (40.0,)
    bounds = numbers_after(case.words, "-roi", 4)
    roi = None if bounds is None else tuple(int(bound) for bound in bounds)
    noise = poisson_image_c(case.float_image, int(seed), adc, roi)
    np.testing.assert_array_equal(noise.counts, case.noise_image)
    assert f"{noise.photons:.0f} photons on noise image ({noise.overloads} overloads)" in case.report


def test_golden_cases_have_noise() -> None:
    assert noisy_cases()


def test_seed_from_time_starts_a_stream_of_its_own() -> None:
    seed = seed_from_time()
    assert 1 <= seed < 2**31
    assert park_miller.start_value(seed) == -seed


def test_counts_are_zero_outside_the_region_and_hold_the_offset_inside() -> None:
    noise = poisson_image_c(np.zeros((7, 9), np.float32), 3, 40.0, (2, 5, 1, 6))
    expected = np.zeros((7, 9), np.uint16)
    expected[1:7, 2:6] = 40
    assert noise.counts.dtype == np.uint16
    np.testing.assert_array_equal(noise.counts, expected)
    assert noise.photons == 0.0
    assert noise.overloads == 0


def test_an_empty_region_draws_nothing() -> None:
    noise = poisson_image_c(bright_image(4, 4), 3, 40.0, (3, 1, 0, 3))
    assert not noise.counts.any()
    assert noise.photons == 0.0


def test_pixels_of_mean_zero_draw_too() -> None:
    bright = np.full((1, 2), 30.0, np.float32)
    masked = bright.copy()
    masked[0, 0] = 0.0
    assert poisson_image_c(bright, 8, 0.0).counts[0, 1] != poisson_image_c(masked, 8, 0.0).counts[0, 1]
    table = park_miller.new_table()
    poisson_image_c(np.zeros((3, 4), np.float32), 8, 0.0, table=table)
    ahead = park_miller.new_table()
    ahead[park_miller.VALUE] = park_miller.start_value(8)
    for _ in range(12):
        park_miller.ran1(ahead)
    assert table == ahead


def test_offset_is_truncated_and_overloads_are_clipped() -> None:
    mean = np.array([[0.0, 70000.0, 0.0, 5e6]], np.float32)
    noise = poisson_image_c(mean, 2, 10.75)
    assert noise.counts.tolist() == [[10, 65535, 10, 65535]]
    assert noise.overloads == 2
    assert noise.photons > 5.0e6


def test_negative_sums_wrap() -> None:
    assert poisson_image_c(np.zeros((1, 2), np.float32), 2, -50.7).counts.tolist() == [[65486, 65486]]


def test_any_float_image_ends() -> None:
    mean = np.array([[-5.0, -np.inf, np.nan, np.inf, 1e38, 0.0]], np.float32)
    noise = poisson_image_c(mean, 2, 40.0)
    assert noise.counts.tolist() == [[40, 40, 0, 65535, 65535, 40]]
    assert noise.overloads == 2
    assert np.isnan(noise.photons)


def test_blocks_of_rows_change_nothing() -> None:
    mean = bright_image(600, 1024)  # three blocks
    fractions: list[float] = []
    noise = poisson_image_c(mean, 17, 40.0, progress=fractions.append)
    assert len(fractions) > 1
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    table, kept = c_random.new_state()
    table[park_miller.VALUE] = park_miller.start_value(17)
    counts = np.zeros(mean.shape, np.uint16)
    photons, overloads = c_random.draw_rows(mean, counts, (0, 1023, 0, 599), 40.0, table, kept, 0.0)
    np.testing.assert_array_equal(noise.counts, counts)
    assert (noise.photons, noise.overloads) == (photons, overloads)


def test_layout_and_precision_of_the_image_do_not_matter() -> None:
    mean = bright_image(30, 20)
    expected = poisson_image_c(mean, 4, 40.0).counts
    np.testing.assert_array_equal(poisson_image_c(np.asfortranarray(mean), 4, 40.0).counts, expected)
    np.testing.assert_array_equal(poisson_image_c(mean.astype(">f4"), 4, 40.0).counts, expected)


@pytest.mark.parametrize("roi", [(-1, 5, 0, 5), (0, 9, 0, 5), (0, 5, -2, 5), (0, 5, 0, 7)])
def test_a_region_outside_the_image_is_refused(roi: tuple[int, int, int, int]) -> None:
    with pytest.raises(InputError, match=r"outside the image of 9 x 7 pixels"):
        poisson_image_c(np.zeros((7, 9), np.float32), 1, 40.0, roi)


def test_a_flat_array_is_refused() -> None:
    with pytest.raises(InputError, match="two dimensions"):
        poisson_image_c(np.zeros(63, np.float32), 1, 40.0)


@pytest.mark.differential
@requires("nanoBragg executable")
@pytest.mark.parametrize("adc", [40.0, -2000.5])
@pytest.mark.parametrize("seed", [12, 0, -5, 2147483647, 3000000000, 99999999999999999999])
def test_typed_seeds_against_the_program(seed: int, adc: float, tmp_path: Path) -> None:
    command = (
        "-cell 100 100 100 90 90 90 -default_F 100 -lambda 6.2 -N 5 -distance 100 -pixel 0.8 -detpixels 40"
        f" -fluence 4e30 -oversample 1 -mosaic 1 -mosaic_domains 3 -mosaic_seed 7 -seed {seed} -adc {adc}"
    )
    run = subprocess.run([os.environ["NANOBRAGG_BIN"], *command.split()], cwd=tmp_path, capture_output=True, check=True)
    table = park_miller.new_table()
    mosaic_rotations(np.radians(1.0), 3, 7, table)
    mean = np.fromfile(tmp_path / "floatimage.bin", np.float32).reshape(40, 40)
    noise = poisson_image_c(mean, seed, adc, table=table)
    expected = np.frombuffer((tmp_path / "noiseimage.img").read_bytes()[512:], np.uint16).reshape(40, 40)
    np.testing.assert_array_equal(noise.counts, expected)
    summary = re.search(rb"(\d+) photons on noise image \((\d+) overloads\)", run.stdout)
    assert summary is not None
    assert (f"{noise.photons:.0f}", noise.overloads) == (summary[1].decode(), int(summary[2]))
