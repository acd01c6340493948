"""`nbnumba info`."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
from requirements import requires

from nbnumba import __version__, cli
from nbnumba.commandline.info import info_lines
from nbnumba.kernels import jit
from nbnumba.kernels.types import available_threads

pytestmark = pytest.mark.command_line

ROOT = Path(__file__).resolve().parent.parent.parent


def _rows() -> dict[str, str]:
    rows: dict[str, str] = {}
    for line in info_lines():
        width = len(info_lines()[0]) - len(__version__)
        rows.setdefault(line[:width].strip(), line[width:])
    return rows


def test_versions_processor_and_cache() -> None:
    rows = _rows()
    assert rows["nbnumba"] == __version__
    assert rows["numba"].startswith(importlib.metadata.version("numba"))
    assert rows["processor"].endswith(f"{available_threads()} threads")
    assert jit.CACHE_FOLDER is not None
    assert rows["cache"].startswith(f"{jit.CACHE_FOLDER.parent} (")


@requires("no GPU")
def test_no_gpu_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "none; " in printed.out


@requires("CUDA package")
@requires("no GPU")
def test_cuda_package_without_a_driver() -> None:
    rows = _rows()
    assert rows["CUDA package"].startswith(f"numba-cuda {importlib.metadata.version('numba-cuda')}")
    assert rows["GPU"].startswith("none; ")


@requires("CUDA package")
def test_a_gpu_is_described() -> None:
    simulator = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-m", "nbnumba", "info"], env=simulator, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "GPU 0         simulator, compute capability " in ran.stdout
    assert "-precision auto takes double" in ran.stdout


def test_no_cache(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    environment = {**os.environ, "NBNUMBA_CACHE_DIR": str(blocked / "folder"), "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-m", "nbnumba", "info"], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert f"none: everything is compiled again in each start; {blocked}/folder: not a directory" in ran.stdout
