"""`python -m bench.cuda_hardware` on the simulator, in an environment with few packages."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import other_environments
import pytest
from requirements import ROOT, requires
from simulator import SIMULATOR

sys.path.insert(0, str(ROOT))

from bench import cuda_hardware

pytestmark = [pytest.mark.twins, pytest.mark.command_line, requires("CUDA package")]

PACKAGES = ("numpy", "scipy", "numba", "numba-cuda", "h5py", "typer", "rich", "pytest")
STAGES = [
    "golden",
    "spots",
    "whole",
    "derivatives",
    "noise",
    "launches",
    "memory",
    "rows",
    "overhead",
    "in-flight",
    "record",
]
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
def test_a_limited_time(python: Path, tmp_path: Path) -> None:
    """All golden images take longer than that on any machine."""
    process = _start(python, tmp_path, "--only", "golden", "--only", "noise", "--pixels", "1", "--minutes", "0.4")
    said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, said + errors
    golden = _figures(tmp_path)["stages"]["golden"]
    assert not golden["complete"]
    assert {item["passed"] for item in golden["found"]} <= {True}
    assert "\nnot finished (no time left): golden" in said


def test_every_stage_gets_its_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A stage that never ends leaves time to the next one, which may fail, and then goes on."""

    def endless(session: Any) -> Iterator[dict[str, Any]]:
        for number in itertools.count():
            time.sleep(0.01)
            yield {"name": str(number), "passed": True, "text": ""}

    def failing(session: Any) -> Iterator[dict[str, Any]]:
        yield {"name": "first", "passed": True, "text": "good"}
        raise ZeroDivisionError("of all things")

    def missing(session: Any) -> Iterator[dict[str, Any]]:
        yield {"name": "first", "passed": None, "text": "measured"}
        raise ModuleNotFoundError("No module named 'gemmi'")

    end = time.monotonic() + 1.0
    session: Any = SimpleNamespace(
        gpu=SimpleNamespace(name="a GPU"), about={"info": []}, seconds_left=lambda: end - time.monotonic()
    )
    record = cuda_hardware._Record(session, tmp_path / "figures.json")
    stages: Any = [
        SimpleNamespace(name=run.__name__, title=run.__name__, share=0.3, run=run, table=None)
        for run in (endless, failing, missing)
    ]
    record.stages = [cuda_hardware.Progress(stage, stage.run(session)) for stage in stages]
    cuda_hardware._work(session, record)
    said = capsys.readouterr().out
    assert [line.split(":")[0] for line in said.splitlines() if line[:1].isalpha()] == [
        "endless", "failing", "missing", "endless"
    ]  # fmt: skip
    found = _figures(tmp_path)["stages"]
    assert [stage["complete"] for stage in found.values()] == [False, True, True]
    assert found["failing"]["found"][1]["text"] == "ZeroDivisionError: of all things"
    assert found["failing"]["found"][1]["passed"] is False
    assert found["missing"]["found"][1]["text"] == "not run: No module named 'gemmi'"
    assert found["missing"]["found"][1]["passed"] is None


def test_sigterm_leaves_what_there_is(python: Path, tmp_path: Path) -> None:
    process = _start(python, tmp_path, "--only", "noise", "--only", "golden", "--pixels", "1")
    deadline = time.monotonic() + 300.0
    while not ((tmp_path / "figures.json").exists() and _figures(tmp_path)["stages"]["golden"]["found"]):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no golden image in five minutes"
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
        (("--only", "speed"), 2, "--only speed: no such stage; there are golden, spots, "),
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
