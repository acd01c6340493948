"""The packages of NVIDIA that compile kernels and talk to the driver: their versions, and what is missing."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ...errors import DeviceError

EXTRAS = {12: "cuda12", 13: "cuda13"}  # CUDA release -> extra of this package
OLDEST_DRIVERS = {12: "525", 13: "580"}  # CUDA release -> first driver that supports it on Linux
INSTALL = 'pip install "nbnumba[cuda12]", or "nbnumba[cuda13]" where the driver supports CUDA 13'
_DRIVER_RELEASE = Path("/proc/driver/nvidia/version")


class Part(NamedTuple):
    """One library of the CUDA toolkit."""

    name: str
    version: str  # empty: not known
    found: bool
    required: bool
    purpose: str


def check_packages() -> None:
    """Raise where a Python package is missing.

    Raises
    ------
    DeviceError
        Without numba-cuda or cuda-bindings.
    """
    for module, package in (
        ("numba_cuda", "numba-cuda"),
        ("cuda", "cuda-bindings"),
        ("cuda.bindings", "cuda-bindings"),
    ):
        if importlib.util.find_spec(module) is None:
            raise DeviceError(f"CUDA: the package {package} is not installed; {INSTALL}")


def package_release() -> int:
    """Return the CUDA release, 12 or 13, that the installed packages are for."""
    return int(importlib.metadata.version("cuda-bindings").split(".")[0])


def install_again() -> str:
    """Return the command that completes what is installed."""
    return f'pip install "nbnumba[{EXTRAS.get(package_release(), "cuda12")}]"'


def parts() -> list[Part]:
    """Look for the libraries of the CUDA toolkit; this loads them."""
    return [
        _part("NVVM", _nvvm_version, True, "it compiles kernels"),
        _part("NVRTC", _nvrtc_version, True, "it knows the compute capabilities"),
        _part("nvJitLink", _nvjitlink_version, False, "without it the driver links kernels"),
    ]


def problems(found: list[Part] | None = None) -> list[str]:
    """Return what keeps kernels from being compiled, one line each."""
    found = parts() if found is None else found
    lines = [
        f"{part.name} of the CUDA toolkit is not installed ({part.purpose}); {install_again()}"
        for part in found
        if part.required and not part.found
    ]
    release = package_release()
    for part in found:
        other = part.version.split(".")[0]
        if other and int(other) != release:
            lines.append(f"{part.name} is of CUDA {other} and cuda-bindings of CUDA {release}; {install_again()}")
    return lines


def check_driver() -> None:
    """Raise where the driver is too old for the installed packages; say nothing where there is no driver.

    Raises
    ------
    DeviceError
        When the driver supports an older CUDA release only.
    """
    supported = driver_supports()
    release = package_release()
    if supported is None or supported[0] >= release:
        return
    found = f"the NVIDIA driver supports CUDA {supported[0]}.{supported[1]} and the installed packages need {release}"
    update = f"update the driver to {OLDEST_DRIVERS.get(release, 'the newest')} or newer"
    other = f'pip install "nbnumba[{EXTRAS[supported[0]]}]" or ' if supported[0] in EXTRAS else ""
    raise DeviceError(f"CUDA: {found}; {other}{update}")


def driver_supports() -> tuple[int, int] | None:
    """Return the newest CUDA version that the driver supports, None where there is no driver."""
    from cuda.bindings import driver

    try:
        status, version = driver.cuDriverGetVersion()
    except Exception:  # of several kinds, by version of cuda-bindings: there is no driver
        return None
    return (version // 1000, version % 1000 // 10) if int(status) == 0 else None


def driver_release() -> str:
    """Return the release of the driver as NVIDIA numbers it, or an empty string where it does not say."""
    try:
        text = _DRIVER_RELEASE.read_text()
    except OSError:
        return ""
    found = re.search(r"\b\d{3}\.\d+(?:\.\d+)?\b", text)
    return found.group() if found else ""


def _part(name: str, version: Callable[[], str], required: bool, purpose: str) -> Part:
    try:
        return Part(name, version(), True, required, purpose)
    except Exception:  # of several kinds, by version of cuda-bindings: the library is not there
        return Part(name, "", False, required, purpose)


def _nvvm_version() -> str:
    """Return the version of what brings NVVM; the library itself tells that of its language only."""
    from cuda import pathfinder

    path = Path(pathfinder.load_nvidia_dynamic_lib("nvvm").abs_path)
    if "site-packages" in path.parts:
        for package in ("nvidia-nvvm", "nvidia-cuda-nvcc-cu12"):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                return importlib.metadata.version(package)
    found = re.search(r"cuda-(\d+\.\d+)", str(path.resolve()))
    return found[1] if found else ""


def _nvrtc_version() -> str:
    from cuda.bindings import nvrtc

    _, major, minor = nvrtc.nvrtcVersion()
    return f"{major}.{minor}"


def _nvjitlink_version() -> str:
    from cuda.bindings import nvjitlink

    major, minor = nvjitlink.version()
    return f"{major}.{minor}"
