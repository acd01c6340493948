"""`nbnumba compare` as a user meets it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from golden_runs import run
from PIL import Image

pytestmark = pytest.mark.command_line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a.bin, of 30 x 40 pixels, a b.bin that passes and a c.bin that does not."""
    a = np.random.default_rng(11).gamma(2.0, 10.0, (30, 40)).astype(np.float32)
    a.tofile(tmp_path / "a.bin")
    (a * np.float32(1.0 + 3e-7)).tofile(tmp_path / "b.bin")
    c = a.copy()
    c[12, 34] += 1000.0
    c.tofile(tmp_path / "c.bin")
    return tmp_path


SIZE = ["-detpixels_f", "40", "-detpixels_s", "30"]


def test_images_that_agree(folder: Path) -> None:
    status, text, notices = run(["compare", "a.bin", "b.bin", *SIZE], folder)
    assert (status, notices) == (0, "")
    assert "A: a.bin (raw float32), 40 x 30 (fast x slow)" in text
    for what in ("correlation", "sum of B / sum of A", "RMSE", "largest |B - A|", "peaks matched", "displacement"):
        assert what in text
    assert text.endswith("\nPASS\n")
    assert sorted(path.name for path in folder.iterdir()) == ["a.bin", "b.bin", "c.bin"]


def test_images_that_do_not(folder: Path) -> None:
    status, text, _ = run(["compare", "a.bin", "c.bin", *SIZE], folder)
    assert status == 1
    assert "1000 at slow 12, fast 34" in text
    assert "equal pixels         99.9167 % of 1200" in text
    assert text.endswith("\nFAIL\n")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["c.bin", "-min_correlation", "0.1", "-max_sum_error", "0.1"], 0),
        (["c.bin", "-min_correlation", "0.1", "-max_sum_error", "0.1", "-max_difference", "999"], 1),
        (["c.bin", "-roi", "0", "39", "13", "29"], 0),
        (["c.bin", "-roi", "0", "39", "12", "29"], 1),
        (["c.bin", "-valid_range", "0", "900"], 0),
        (["b.bin", "--max_rmse", "1e-9"], 1),
        (["b.bin", "-min_equal", "0.9"], 1),
        (["b.bin", "-max_displacement", "0.01", "-peaks", "5", "-radius", "2"], 0),
        (["b.bin", "-min_correlation", "-1"], 0),
    ],
)
def test_options(folder: Path, words: list[str], status: int) -> None:
    assert run(["compare", "a.bin", *words, *SIZE], folder)[0] == status


def test_results_are_written(folder: Path) -> None:
    status, text, _ = run(["compare", "a.bin", "c.bin", *SIZE, "-out", "new/results", "-percentile", "99"], folder)
    assert status == 1
    assert "new/results/compare.html" in text
    found = json.loads((folder / "new/results/metrics.json").read_text())
    assert found["passed"] is False
    assert found["max_difference_at"] == [12, 34]
    assert found["worst_pixels"][0]["slow"] == 12
    assert [check["name"] for check in found["checks"] if not check["passed"]] == ["correlation", "sum_ratio"]
    with Image.open(folder / "new/results/compare.png") as picture:
        assert picture.width > picture.height > 100
    page = (folder / "new/results/compare.html").read_text()
    assert "FAIL" in page
    assert "99 %" not in text


def test_numbers_that_json_lacks_are_null(folder: Path) -> None:
    black = np.zeros((30, 40), np.float32)
    black.tofile(folder / "black.bin")
    a = np.fromfile(folder / "a.bin", np.float32)
    a[5] = np.nan
    a.tofile(folder / "hole.bin")
    assert run(["compare", "black.bin", "hole.bin", *SIZE, "-out", "."], folder)[0] == 1
    text = (folder / "metrics.json").read_text()
    assert "NaN" not in text
    found = json.loads(text)
    assert found["sum_ratio"] is None
    assert found["correlation"] is None
    assert found["not_finite_in_one"] == 1
    assert run(["compare", "black.bin", "black.bin", *SIZE], folder)[0] == 0


def test_shapes_that_differ(folder: Path) -> None:
    a = np.fromfile(folder / "a.bin", np.float32).reshape(30, 40)
    np.save(folder / "fine.npy", np.repeat(np.repeat(a, 2, axis=0), 2, axis=1) / 4)
    status, text, _ = run(["compare", "a.bin", "fine.npy", *SIZE], folder)
    assert status == 0
    assert "finer pixels are added up to 40 x 30" in text


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["a.bin"], 2, "needs two images, got 1"),
        ([], 2, "needs two images, got 0"),
        (["a.bin", "b.bin", "c.bin"], 2, "needs two images, got 3"),
        (["a.bin", "missing.bin"], 3, "missing.bin"),
        (["a.bin", "b.bin"], 2, "-detpixels_f"),
        (["a.bin", "b.bin", "-detpixels_f", "40"], 2, "-detpixels_s"),
        (["a.bin", "b.bin", "-detpixels", "30"], 2, "30 x 30"),
        (["a.bin", "b.bin", *SIZE, "-roi", "50", "60", "0", "9"], 2, "-roi 50 60 0 9"),
        (["a.bin", "b.bin", *SIZE, "-image", "2"], 2, "image 2"),
        (["a.bin", "b.bin", *SIZE, "-out", "a.bin"], 3, "-out a.bin"),
        (["a.bin", "b.bin", *SIZE, "-out", "x.html"], 2, "-out x.html: names a folder"),
        (["a.bin", "b.bin", *SIZE, "-percentile", "101"], 2, "-percentile"),
        (["a.bin", "b.bin", *SIZE, "-min_correlation", "nan"], 2, "-min_correlation: nan"),
        (["--with", "no-such-program", "--", "-cell", "50", "-default_F", "1"], 3, "no-such-program"),
        (["--with", "a.bin", "--", "-cell", "50", "-default_F", "1"], 3, "a.bin: is not executable"),
        (["--with", "true"], 2, "needs a command line"),
        (["--with", "true", "--", "-no_such_option"], 2, "-no_such_option"),
    ],
)
def test_mistakes(folder: Path, words: list[str], status: int, message: str) -> None:
    found, text, notices = run(["compare", *words], folder)
    assert (found, text) == (status, "")
    assert message in notices
    assert notices.count("\n") == 1


def test_results_are_refused_before_anything_is_read(folder: Path) -> None:
    (folder / "plain").write_text("")
    status, _, notices = run(["compare", "missing.bin", "b.bin", "-out", os.fspath(folder / "plain" / "x")], folder)
    assert status == 3
    assert "-out" in notices


def test_a_size_for_each_raw_file(folder: Path) -> None:
    """B has twice the pixels along fast, each with half of A's photons."""
    a = np.fromfile(folder / "a.bin", np.float32).reshape(30, 40)
    np.repeat(a * np.float32(0.5), 2, axis=1).tofile(folder / "fine.bin")
    sizes = [*SIZE, "-detpixels_f_b", "80", "-detpixels_s_b", "30"]
    status, text, notices = run(["compare", "a.bin", "fine.bin", *sizes], folder)
    assert (status, notices) == (0, "")
    assert "B: fine.bin (raw float32), 80 x 30 (fast x slow)" in text
    assert "finer pixels are added up to 40 x 30" in text
    status, text, notices = run(["compare", "a.bin", "fine.bin", *SIZE, "-detpixels_f_b", "80"], folder)
    assert (status, text) == (2, "")
    assert "-detpixels_f_b and -detpixels_s_b belong together; give both, or -detpixels_b" in notices


def test_the_largest_displacement_of_a_peak(tmp_path: Path) -> None:
    slow, fast = np.mgrid[:60, :60]

    def spots(*places: tuple[float, float]) -> np.ndarray:
        gaps = [(slow - s) ** 2 + (fast - f) ** 2 for s, f in places]
        return sum(1000.0 * np.exp(-gap) for gap in gaps) + 1e-3 * np.sin(slow * fast)

    np.save(tmp_path / "a.npy", spots((10, 10), (30, 45), (50, 20)))
    np.save(tmp_path / "b.npy", spots((10, 10), (30, 47), (50, 20)))
    status, text, _ = run(["compare", "a.npy", "b.npy", "-out", "found"], tmp_path)
    assert status == 1
    peaks = json.loads((tmp_path / "found" / "metrics.json").read_text())["peaks"]
    # Centroids over 5 x 5 pixels; the background, a thousandth of a photon, moves them by far less.
    assert peaks["largest_displacement"] == pytest.approx(2.0, abs=1e-3)
    assert peaks["median_displacement"] == pytest.approx(0.0, abs=1e-3)
    assert ", largest 2 pixels" in text
