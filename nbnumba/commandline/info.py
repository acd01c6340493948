"""What this installation computes with: packages, processor, GPUs, caches."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from ..errors import DeviceError
from ..util.text import counted
from ..version import __version__


def info_lines() -> list[str]:
    """Return the lines that `nbnumba info` prints; what is missing is said in its place."""
    rows = [
        ("nbnumba", __version__),
        ("Python", f"{platform.python_version()}, {platform.system()} {platform.machine()}"),
        *_compiler(),
        *_cuda(),
    ]
    width = max(len(name) for name, _ in rows) + 2
    return [f"{name:{width}}{text}" for name, text in rows]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _compiler() -> list[tuple[str, str]]:
    """Describe Numba, the processor and the cache of compiled code."""
    import llvmlite.binding

    from ..kernels import jit
    from ..kernels.types import available_threads

    packages = ", ".join(f"{name} {_version(name)}" for name in ("llvmlite", "numpy"))
    cache = f"none: everything is compiled again in each start; {jit.CACHE_PROBLEM}"
    if jit.CACHE_FOLDER is not None:
        home = jit.CACHE_FOLDER.parent
        cache = f"{home} ({_megabytes(home):.1f} MB)"
    return [
        ("numba", f"{_version('numba')} ({packages})"),
        ("processor", f"{llvmlite.binding.get_host_cpu_name()}, {counted(available_threads(), 'thread')}"),
        ("cache", cache),
    ]


def _megabytes(folder: Path) -> float:
    """Return the size of all files in a folder."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(parent) / name).stat().st_size
            except OSError:  # removed meanwhile
                continue
    return size / 1e6


def _cuda() -> list[tuple[str, str]]:
    """Describe the CUDA packages, the toolkit, the driver and the GPUs; what is missing stands in its row."""
    from ..kernels.cuda import device as cuda_device
    from ..kernels.cuda import toolkit

    try:
        toolkit.check_packages()
    except DeviceError as error:
        return [("CUDA package", f"none; {_without_prefix(error)}")]
    versions = [f"{name} {_version(name)}" for name in ("numba-cuda", "cuda-bindings")]
    rows = [("CUDA package", ", ".join(versions)), *_toolkit()]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        rows.append(("", f"CUDA_VISIBLE_DEVICES is {visible!r}"))
    try:
        gpus = cuda_device.gpus()
    except DeviceError as error:
        return [*rows, ("GPU", f"none; {_without_prefix(error)}")]
    for gpu in gpus:
        capability = ".".join(str(part) for part in gpu.capability)
        rows.append((f"GPU {gpu.number}", f"{gpu.name}, compute capability {capability}"))
        speed = f"{gpu.processors} multiprocessors at {gpu.clock / 1e9:.2f} GHz"
        rows.append(("", f"{gpu.memory / 2**30:.1f} GiB, {speed}"))
        rate = "as float32" if gpu.double_ratio == 1 else f"1/{gpu.double_ratio} of float32"
        rows.append(("", f"float64 rate {rate}: -precision auto takes {gpu.precision}"))
    return rows


def _toolkit() -> list[tuple[str, str]]:
    """Describe the parts of the CUDA toolkit and the driver."""
    from ..kernels.cuda import toolkit

    parts = toolkit.parts()
    found = [f"{part.name} {part.version}".strip() for part in parts if part.found]
    rows = [("CUDA toolkit", ", ".join(found) or "none")]
    rows += [
        ("", f"{part.name} is not installed; {part.purpose}") for part in parts if not (part.found or part.required)
    ]
    rows += [("", problem) for problem in toolkit.problems(parts)]
    supports = toolkit.driver_supports()
    if supports is not None:
        release = toolkit.driver_release()
        rows.append(("driver", f"{release}, " * bool(release) + f"CUDA up to {supports[0]}.{supports[1]}"))
    return rows


def _without_prefix(error: DeviceError) -> str:
    return str(error).removeprefix("CUDA: ")
