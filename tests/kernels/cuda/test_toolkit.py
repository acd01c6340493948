"""What is said where a part of CUDA is missing or too old: packages, toolkit, driver, GPU."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
from pathlib import Path

import other_environments
import pytest
from requirements import ROOT, requires

from nbnumba.kernels.cuda import toolkit

pytestmark = [pytest.mark.command_line, requires("CUDA package"), requires("no GPU")]

BASE = ("numpy", "numba", "typer", "rich", "pillow", "h5py", "scipy")
RENDER = "-cell 50 60 70 90 90 90 -default_F 9 -lambda 1 -distance 100 -detpixels 4 -N 5 -nointerpolate -backend cuda"


def _run(python: Path | str, folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(python), "-m", "nbnumba", *words],
        cwd=folder,
        env={**environment, "NBNUMBA_CACHE_DIR": str(folder / "cache"), **variables},
        capture_output=True,
        text=True,
    )


def _info(python: Path | str, folder: Path, **variables: str) -> str:
    ran = _run(python, folder, "info", **variables)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def without_toolkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with numba-cuda, and without NVIDIA's compiler."""
    return other_environments.make(tmp_path_factory.mktemp("without-toolkit") / "venv", (*BASE, "numba-cuda"))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a driver library that answers as the environment says."""
    folder = tmp_path_factory.mktemp("driver")
    source = ROOT / "tests" / "support" / "driver_stub.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "libcuda.so.1", source, "-ldl"], check=True)
    return folder


def test_no_package(tmp_path: Path) -> None:
    python = other_environments.make(tmp_path / "venv", BASE)
    line = f"none; the package numba-cuda is not installed; {toolkit.INSTALL}"
    assert re.search(rf"^CUDA package +{re.escape(line)}$", _info(python, tmp_path), re.MULTILINE)
    ran = _run(python, tmp_path, *RENDER.split())
    assert ran.returncode == 4
    assert ran.stderr == f"nbnumba: error: CUDA: the package numba-cuda is not installed; {toolkit.INSTALL}\n"


@requires("no CUDA toolkit of the system")
def test_no_toolkit(without_toolkit: Path, tmp_path: Path) -> None:
    said = _info(without_toolkit, tmp_path)
    release = importlib.metadata.version("cuda-bindings").split(".")[0]
    line = rf'^ +NVRTC of the CUDA toolkit is not installed \(.*\); pip install "nbnumba\[cuda{release}\]"$'
    assert re.search(line, said, re.MULTILINE)
    assert re.search(r"^ +nvJitLink is not installed; without it the driver links kernels$", said, re.MULTILINE)
    assert re.search(r"^GPU +none; no NVIDIA driver is found$", said, re.MULTILINE)


@requires("C compiler")
@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, "no GPU is visible"),
        ({"CUDA_VISIBLE_DEVICES": "7"}, "no GPU is visible (CUDA_VISIBLE_DEVICES is '7')"),
        ({"STUB_INIT": "100"}, "no GPU is visible"),
        ({"STUB_INIT": "803"}, "the NVIDIA driver does not fit its kernel module; update or restart"),
        (
            {"STUB_VERSION": "11040"},
            "the NVIDIA driver supports CUDA 11.4 and the installed packages need {release}; "
            "update the driver to {driver} or newer",
        ),
    ],
    ids=["no device", "hidden device", "init: no device", "init: mismatch", "old driver"],
)
def test_driver(variables: dict[str, str], line: str, driver: Path, without_toolkit: Path, tmp_path: Path) -> None:
    if "CUDA_VISIBLE_DEVICES" not in variables:
        variables = {"CUDA_VISIBLE_DEVICES": "0", **variables}
        line += " (CUDA_VISIBLE_DEVICES is '0')" if line == "no GPU is visible" else ""
    release = toolkit.package_release()
    line = line.format(release=release, driver=toolkit.OLDEST_DRIVERS[release])
    variables = {"LD_LIBRARY_PATH": str(driver), **variables}
    version = variables.get("STUB_VERSION", "13000")
    said = _info(without_toolkit, tmp_path, **variables)
    assert re.search(rf"^GPU +none; {re.escape(line)}$", said, re.MULTILINE), said
    assert re.search(rf"^driver +CUDA up to {int(version) // 1000}\.{int(version) % 1000 // 10}$", said, re.MULTILINE)
    ran = _run(without_toolkit, tmp_path, *RENDER.split(), **variables)
    assert ran.returncode == 4
    assert ran.stderr == f"nbnumba: error: CUDA: {line}\n"


class TestProblems:
    """Toolkits that lack a part or are of another release."""

    def test_none(self) -> None:
        release = str(toolkit.package_release())
        parts = [
            toolkit.Part("NVVM", f"{release}.0", True, True, ""),
            toolkit.Part("NVRTC", f"{release}.9", True, True, ""),
        ]
        assert toolkit.problems(parts) == []

    def test_a_part_that_can_be_done_without(self) -> None:
        assert toolkit.problems([toolkit.Part("nvJitLink", "", False, False, "")]) == []

    def test_no_compiler(self) -> None:
        (line,) = toolkit.problems([toolkit.Part("NVVM", "", False, True, "it compiles kernels")])
        again = toolkit.install_again()
        assert line == f"NVVM of the CUDA toolkit is not installed (it compiles kernels); {again}"

    def test_another_release(self) -> None:
        release = toolkit.package_release()
        (line,) = toolkit.problems([toolkit.Part("NVRTC", "11.8", True, True, "")])
        assert line == f"NVRTC is of CUDA 11 and cuda-bindings of CUDA {release}; {toolkit.install_again()}"
