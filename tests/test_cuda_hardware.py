"""`python -m bench.cuda_hardware` on the simulator, in an environment with few packages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import other_environments
import pytest
from requirements import ROOT, requires
from test_twins import SIMULATOR

pytestmark = [pytest.mark.twins, pytest.mark.command_line, requires("CUDA package")]

PACKAGES = ("numpy", "scipy", "numba", "numba-cuda", "h5py", "typer", "rich", "pytest")
STAGES = ["golden", "noise", "launches", "memory", "rows", "overhead", "in-flight", "record"]
SMALL = ("--pixels", "1", "--repeats", "1", "--cases", "100 mosaic")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment without the readers of other formats."""
    path = other_environments.make(tmp_path_factory.mktemp("few-packages") / "venv", PACKAGES)
    for module in ("gemmi", "fabio", "hdf5plugin", "PIL"):
        assert subprocess.run([path, "-c", f"import {module}"], capture_output=True).returncode == 1
    return path


def _start(python: Path | str, folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(
        [str(python), "-m", "bench.cuda_hardware", *words, "--out", str(folder / "figures.json")],
        cwd=ROOT,
        env={**environment, **SIMULATOR, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _figures(folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((folder / "figures.json").read_text())
    return figures


@pytest.mark.slow
def test_from_end_to_end(python: Path, tmp_path: Path) -> None:
    process = _start(python, tmp_path, "--minutes", "30", *SMALL)
    said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, said + errors
    assert errors == ""
    figures = _figures(tmp_path)
    assert list(figures["stages"]) == STAGES
    assert all(stage["complete"] for stage in figures["stages"].values())
    assert figures["cut_off"] is None
    assert figures["gpu"]["name"] == "simulator"
    for name in ("noise", "launches"):
        assert {item["passed"] for item in figures["stages"][name]["found"]} == {True}
    assert [item["precision"] for item in figures["stages"]["rows"]["found"]] == ["double", "mixed"]
    assert len(figures["stages"]["record"]["found"]) == 4
    assert f"written to {tmp_path / 'figures.json'}" in said


@pytest.mark.slow
def test_golden_images_within_a_limited_time(python: Path, tmp_path: Path) -> None:
    """The stages after the first get their turn although the first has not finished."""
    words = ("--only", "golden", "--only", "noise", "--pixels", "1", "--minutes", "0.4")
    start = time.monotonic()
    process = _start(python, tmp_path, *words)
    said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, said + errors
    figures = _figures(tmp_path)
    golden = figures["stages"]["golden"]
    assert not golden["complete"]
    assert golden["found"], "no image within the time"
    assert {item["passed"] for item in golden["found"]} == {True}
    assert figures["stages"]["noise"]["complete"]
    assert said.index("\nNoise: ") < said.rindex("\nGolden images: ")
    assert "not finished (no time left): golden" in said
    assert time.monotonic() - start < 600.0


def test_sigterm_leaves_what_there_is(python: Path, tmp_path: Path) -> None:
    process = _start(python, tmp_path, "--only", "noise", "--only", "golden", "--pixels", "1")
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Golden images"):
            pytest.fail("the golden images were done before the signal")
        found = tmp_path / "figures.json"
        if line.startswith("GPU 0") and found.exists():
            break
    deadline = time.monotonic() + 300.0
    while not _figures(tmp_path)["stages"].get("golden", {}).get("found") and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 128 + signal.SIGTERM, said + errors
    figures = _figures(tmp_path)
    assert figures["cut_off"] == "SIGTERM"
    assert figures["stages"]["golden"]["found"]
    assert not figures["stages"]["golden"]["complete"]
    assert "not finished (SIGTERM): " in said
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]


def test_a_package_that_is_missing(tmp_path: Path) -> None:
    python = other_environments.make(tmp_path / "venv", ("numpy", "scipy", "numba", "h5py", "rich"))
    process = _start(python, tmp_path)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 4
    assert errors == "cuda_hardware: missing typer; pip install typer\n"
    assert said == ""


@requires("no GPU")
def test_without_a_gpu(tmp_path: Path) -> None:
    process = _start(sys.executable, tmp_path, NUMBA_ENABLE_CUDASIM="0")
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 4
    assert errors == "cuda_hardware: CUDA: no NVIDIA driver is found\n"
    assert said == ""
    assert not (tmp_path / "figures.json").exists()


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (("--minutes", "0"), 2, "--minutes 0: allowed is 0.05 to 10000"),
        (("--minutes", "nan"), 2, "--minutes nan: allowed is 0.05 to 10000"),
        (("--pixels", "0"), 2, "--pixels 0: allowed is 1 or more"),
        (("--only", "speed"), 2, "--only speed: no such stage; there are golden, noise, "),
    ],
)
def test_mistakes(words: tuple[str, ...], status: int, line: str, tmp_path: Path) -> None:
    process = _start(sys.executable, tmp_path, *words)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == status
    assert line in errors.splitlines()[-1]
    assert said == ""


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "figures.json").mkdir()
    process = _start(sys.executable, tmp_path, "--only", "noise", "--pixels", "1")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 3
    assert errors.count("\n") == 1
    assert errors.startswith(f"cuda_hardware: {tmp_path / 'figures.json'}")
