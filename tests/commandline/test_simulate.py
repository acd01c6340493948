"""Whole runs: what is printed besides the report."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import fabio
import h5py
import numpy as np
import pytest
from goldens import INPUTS
from requirements import ROOT

from nbnumba import cli
from nbnumba.io import smv

pytestmark = pytest.mark.command_line

RENDER = "-cell 40 -default_F 5 -detpixels 16 -N 3".split()


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def notices(words: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run a small job quietly; return its notices."""
    capsys.readouterr()
    assert cli.main([*RENDER, "-quiet", *words.split()]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    return [
        line.removeprefix("nbnumba: notice: ")
        for line in err.splitlines()
        if "compiling" not in line and "hint: " not in line
    ]


def test_a_noise_seed_from_the_time_is_shown_and_repeats_the_noise(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = notices("-fluence 1e30 -noisefile a.img", capsys)
    seed = re.fullmatch(r"noise seed (\d+), from the time; -seed \1 draws the same noise again", line)
    assert seed is not None
    assert notices(f"-fluence 1e30 -noisefile b.img -seed {seed[1]}", capsys) == []
    assert Path("a.img").read_bytes() == Path("b.img").read_bytes()
    assert np.ptp(smv.read("a.img").data) > 0


def test_a_misset_seed_from_the_time_is_shown_and_repeats_the_picture(capsys: pytest.CaptureFixture[str]) -> None:
    words = "-nonoise -semantics exact -misset random"
    (line,) = notices(f"{words} -floatfile a.bin", capsys)
    seed = re.fullmatch(
        r"-misset random: seed (\d+), from the time; -misset_seed \1 gives the same orientation again", line
    )
    assert seed is not None
    assert notices(f"{words} -floatfile b.bin -misset_seed {seed[1]}", capsys) == []
    assert Path("a.bin").read_bytes() == Path("b.bin").read_bytes()


def test_seeds_that_were_given_are_no_news(capsys: pytest.CaptureFixture[str]) -> None:
    assert notices("-semantics exact -misset random -misset_seed 7 -seed 8", capsys) == []


def test_rings_without_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert notices("-nonoise -rings", capsys) == ["-rings has no effect without a -pngfile"]
    assert notices("-nonoise -annotate", capsys) == ["-annotate has no effect without a -pngfile"]


def test_rings_are_not_drawn_on_a_curved_detector(capsys: pytest.CaptureFixture[str]) -> None:
    curved = "-nonoise -semantics exact -curved_det"
    printed = notices(f"{curved} -pngfile rings.png -rings", capsys)
    assert "-rings: nothing is drawn on the picture of a curved detector" in printed
    notices(f"{curved} -pngfile plain.png", capsys)
    assert Path("rings.png").read_bytes() == Path("plain.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-trace_pixel 99 0", "-trace_pixel: pixel slow 99, fast 0 is not on the detector"),
        ("-osc 90 -phistep 1e-9", "-osc, -phistep: 9e+10 steps; at most 1000000"),
        ("-roi 9 3 0 5", "-roi: 9 3 0 5 holds no pixel"),
    ],
)
def test_a_command_that_fails_leaves_no_dump(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.hkl").write_text("0 0 1 5\n")
    assert cli.main([*RENDER, "-hkl", "a.hkl", *words.split()]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["a.hkl"]


def test_pixels_that_are_not_finite_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    printed = notices("-nonoise -default_F 1e40", capsys)
    image = np.fromfile("floatimage.bin", "<f4")
    odd = np.count_nonzero(~np.isfinite(image))
    assert odd > 0
    assert printed == [f"the image: {odd} of 256 pixels are not finite numbers (infinite or NaN)"]


@pytest.mark.slow
def test_compiling_is_announced_once(tmp_path: Path) -> None:
    environment = {**os.environ, "NBNUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    spots = "-shape gauss -mosaic 1 -mosaic_domains 12000".split()  # listed by one kernel, drawn by another
    words = [sys.executable, "-m", "nbnumba", *RENDER, *spots, "-nonoise", "-quiet", "-backend", "cpu"]
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert ran.stderr == "nbnumba: notice: compiling for this machine, once; the next start takes a second\n"


def test_a_cell_that_contradicts_the_matrix_is_told_as_in_nanobragg(capsys: pytest.CaptureFixture[str]) -> None:
    words = f"-mat {INPUTS}/triclinic.mat -cell 50 50 50 90 90 90 -default_F 10 -N 3 -detpixels 4 -nopgm -nonoise"
    assert cli.main(words.split()) == 0
    report = capsys.readouterr().out
    # As nanoBragg prints it, digit by digit.
    assert (
        """WARNING: oddball reciprocal cell angles:
sin(alpha_star) = 1.012178899123274300464459
cos(alpha_star) = -0.2184194559257089107706662
sin(beta_star)  = 1.029937032902498383890588
cos(beta_star)  = -0.1183173758493298866056875
sin(gamma_star) = 1.025649305458103288657412
cos(gamma_star) = 0.1489682773180950325908611
Unit Cell: 50 50 50 78.2 84.9 97.3
"""
        in report
    )
    assert cli.main(words.replace(" -cell 50 50 50 90 90 90", "").split()) == 0
    assert "oddball" not in capsys.readouterr().out


def test_counts_as_an_hdf5_file(capsys: pytest.CaptureFixture[str]) -> None:
    image = "-cell 50 -default_F 100 -N 3 -detpixels 16 -pixel 1 -fluence 1e28 -lambda 3"
    words = [*image.split(), *"-seed 4 -nopgm -quiet -adc 7".split()]
    assert cli.main([*words, "-noisefile", "noise.img", "-cbffile", "noise.cbf"]) == 0
    assert cli.main([*words, "-noisefile", "noise.h5", "-h5file", "photons.h5"]) == 0
    assert cli.main([*words, "-h5file", "counts.h5", "-h5data", "counts", "-nonoise", "-cbffile", "mean.cbf"]) == 0
    assert cli.main([*words, "-h5file", "expected.h5", "-h5data", "photons", "-gain", "3", "-noisefile", "g.img"]) == 0
    counts = fabio.open("noise.cbf").data
    assert counts.max() > 5
    np.testing.assert_array_equal(fabio.open("noise.img").data.astype(int) - 7, counts)
    photons = np.fromfile("floatimage.bin", "<f4").reshape(16, 16)
    np.testing.assert_array_equal(fabio.open("mean.cbf").data, np.rint(photons))
    for name, expected in (
        ("noise.h5", counts), ("counts.h5", counts), ("photons.h5", photons), ("expected.h5", photons)
    ):  # fmt: skip
        with h5py.File(name) as file:
            np.testing.assert_array_equal(file["/entry/data/data"][0], expected)
            seed = file["/entry/ground_truth/noise_seed"][0]
            assert (seed == 4) == (expected is counts)
    assert cli.main(["noise", "floatimage.bin", "-detpixels", "16", "-seed", "4", "-noisefile", "again.h5"]) == 0
    with h5py.File("again.h5") as file:
        np.testing.assert_array_equal(file["/entry/data/data"][0], counts)
    capsys.readouterr()
    assert cli.main([*words, "-h5data", "photons"]) == 0
    assert "-h5data has no effect without an -h5file" in capsys.readouterr().err


def test_mixed_precision_on_the_processor(capsys: pytest.CaptureFixture[str]) -> None:
    words = "-nonoise -backend cpu -nointerpolate -precision"
    assert notices(f"{words} mixed -floatfile mixed.bin -h5file mixed.h5", capsys) == []
    assert notices(f"{words} double -floatfile double.bin", capsys) == []
    mixed, double = np.fromfile("mixed.bin", "<f4"), np.fromfile("double.bin", "<f4")
    assert not np.array_equal(mixed, double)
    np.testing.assert_allclose(mixed, double, rtol=5e-6, atol=1e-9 * double.max())  # the gate of mixed precision
    with h5py.File("mixed.h5") as file:
        assert file["/entry/ground_truth/precision"].asstr()[0] == "mixed"


def test_mixed_precision_that_is_not_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    words = "-nonoise -backend cpu -gauss_xtal -nointerpolate -precision mixed"
    (line,) = notices(f"{words} -floatfile a.bin -h5file a.h5", capsys)
    assert line.startswith("-precision mixed has no effect: this image is rendered in double precision; ")
    with h5py.File("a.h5") as file:
        assert file["/entry/ground_truth/precision"].asstr()[0] == "double"


def test_structure_factors_of_next_to_nothing_are_not_drawn_in_mixed_precision(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("tiny.hkl").write_text("0 0 0 1e-300\n0 0 1 3e-300\n")
    words = "-nonoise -backend cpu -nointerpolate -water 10 -precision mixed -hkl tiny.hkl -floatfile a.bin"
    assert any(line.startswith("-precision mixed has no effect: ") for line in notices(words, capsys))
