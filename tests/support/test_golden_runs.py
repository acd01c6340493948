"""The comparisons of the golden suite can fail, and leave out the right pixel."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import golden_runs
import goldens
import numpy as np
import pytest

from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.parameters.parser import parse

REPORT = "writing float.bin as 16384 4-byte floats\nmax_I = 7.72587e+07  at 0.0527667 0.0527667\n"
ROTATION = ("-phi", "0", "-osc", "1", "-phisteps", "4")


def _experiment(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> Experiment:
    goldens.copy_inputs(folder)
    monkeypatch.chdir(folder)
    return resolve(parse(words).settings)


@pytest.mark.parametrize(
    ("ours", "differences"),
    [
        (REPORT, 0),
        (REPORT.replace("7.72587e+07", "7.72588e+07"), 0),  # the last digit, by rounding
        (REPORT.replace("7.72587e+07", "7.72687e+07"), 1),
        (REPORT.replace("0.0527667", "-0.0527667"), 1),
        (REPORT.replace("4-byte floats", "4-byte  floats"), 1),
        (REPORT.replace("float.bin", "floats.bin"), 1),
        (REPORT + "one more line\n", 1),
        ("", 1),
    ],
)
def test_report_differences(ours: str, differences: int) -> None:
    assert len(golden_runs.report_differences(REPORT, ours)) == differences


def test_first_evaluated_pixel_of_a_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = _experiment(monkeypatch, tmp_path, *goldens.load("roi").words)
    assert golden_runs.first_evaluated_pixel(experiment) == (45, 30)  # -roi 30 90 45 110: fast, then slow


def test_first_evaluated_pixel_under_a_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = goldens.load("mask")
    experiment = _experiment(monkeypatch, tmp_path, *golden.words)
    mask = np.frombuffer((tmp_path / "mask.img").read_bytes()[512:], "<u2")
    first = np.unravel_index(np.flatnonzero(mask)[0], golden.float_image.shape)
    assert golden_runs.first_evaluated_pixel(experiment) == first


def test_first_evaluated_pixel_past_dmin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = goldens.load("dmin")  # its reflections reach beyond dmin: what is evaluated has intensity
    experiment = _experiment(monkeypatch, tmp_path, *golden.words)
    first = np.unravel_index(np.flatnonzero(golden.float_image)[0], golden.float_image.shape)
    assert golden_runs.first_evaluated_pixel(experiment) == first


@pytest.mark.parametrize(
    ("words", "left_out"),
    [
        (ROTATION, 1),
        (("-phi", "-1", "-osc", "2", "-phisteps", "4"), 1),  # the third step is 0
        (("-phi", "1", "-osc", "1", "-phisteps", "4"), 0),
        (("-phi", "0"), 0),
    ],
)
def test_pixels_left_out(words: tuple[str, ...], left_out: int, tmp_path: Path) -> None:
    golden = goldens.load("still_lysozyme")
    goldens.copy_inputs(tmp_path)
    mask = golden_runs.pixels_left_out(dataclasses.replace(golden, words=(*golden.words, *words)), tmp_path)
    assert (0 if mask is None else np.count_nonzero(mask)) == left_out
