"""Every golden command line, through the command line, against what the C program wrote for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import golden_runs
import goldens
import numpy as np
import pytest
from agreement import Verdict, judge

pytestmark = pytest.mark.golden


@pytest.mark.parametrize("name", goldens.names())
def test_c(name: str, tmp_path: Path, record_golden: Callable[..., None]) -> None:
    golden = goldens.load(name)
    ours = golden_runs.run_golden(golden, tmp_path)  # `c` is the default
    left_out = golden_runs.pixels_left_out(golden, tmp_path)
    verdict = judge(golden.float_image, ours.float_image, left_out=left_out)
    _record(record_golden, f"{name} c", verdict)
    differences = golden_runs.file_differences(golden, ours)
    differences += golden_runs.report_differences(golden.report, ours.report)
    if not verdict.passed:
        differences.insert(0, f"float image: {verdict.reason}")
    assert not differences, "\n".join(differences)


@pytest.mark.parametrize("name", goldens.exact_names())
def test_exact(name: str, tmp_path: Path, record_golden: Callable[..., None]) -> None:
    golden = goldens.load(name)
    ours = golden_runs.run_golden(golden, tmp_path, "-semantics", "exact")
    verdict = judge(golden.exact_image, ours.float_image)
    _record(record_golden, f"{name} exact", verdict)
    assert verdict.passed, verdict.reason


@pytest.mark.parametrize("name", [name for name in goldens.names() if goldens.load(name).noise_image is not None])
def test_noise_of_the_golden_float_image(name: str, tmp_path: Path) -> None:
    golden = goldens.load(name)
    header, pixels = golden_runs.draw_noise(golden, tmp_path)
    assert header == golden.noise_header
    assert np.array_equal(pixels, golden.noise_image)


def _record(record_golden: Callable[..., None], case: str, verdict: Verdict) -> None:
    record_golden(case, verdict.worst_relative, verdict.equal_fraction, verdict.sum_ratio, verdict.passed)
