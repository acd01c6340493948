"""What a test may need and a machine may lack, and the only way to skip a test for it.

A test states its need as `@requires("large job")`; conftest.py skips it where the need is not
met. A skip that is issued in any other way, or for a requirement that is there after all, fails.
"""

from __future__ import annotations

import ctypes.util
import functools
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import dials_programs
import dxtbx_reader
import oracles
import pytest
from large_job import large_job_folder

ROOT = Path(__file__).resolve().parent.parent.parent


def _large_job() -> str | None:
    folder = large_job_folder()
    for name in ("A.mat", "scaled.hkl", "args.txt", "c_main.npz", "c_main_stdout.txt", "exact.npz"):
        if not (folder / name).is_file():
            return f"no {folder / name}; NBNUMBA_LARGE_JOB names its folder"
    return None


def _oracles() -> str | None:
    found = all(oracles.names(kind) for kind in ("background", "noise", "noisify", "nonbragg", "psf"))
    return None if found else f"no images in {oracles.folder()}; NBNUMBA_ORACLES names their folder"


def _nanobragg() -> str | None:
    program = os.environ.get("NANOBRAGG_BIN")
    if not program:
        return "NANOBRAGG_BIN does not name a nanoBragg executable"
    return None if os.access(program, os.X_OK) else f"NANOBRAGG_BIN={program} cannot be executed"


def chromium_path() -> str | None:
    """Return the path of a Chromium: NBNUMBA_CHROMIUM, else where systems have it; None where there is none."""
    named = os.environ.get("NBNUMBA_CHROMIUM")
    names = (named,) if named else ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def _chromium() -> str | None:
    found = chromium_path()
    return None if found else "no chromium, chromium-browser or google-chrome in PATH; NBNUMBA_CHROMIUM names one"


def _dials_reader() -> str | None:
    return dxtbx_reader.missing()


def _dials() -> str | None:
    return dials_programs.missing() or dxtbx_reader.missing()


def _cuda_package() -> str | None:
    found = importlib.util.find_spec("numba_cuda")
    return None if found else "the package numba-cuda is not installed (extra cuda, or test)"


def _cuda_compiler() -> str | None:
    if missing := _cuda_package():
        return missing
    if any(find_library("nvvm", path) for path in sys.path):
        return None
    return "NVVM, NVIDIA's compiler, is not installed (wheel nvidia-cuda-nvcc-cu12 or nvidia-nvvm, or extra cuda)"


def find_library(name: str, folder: str) -> bool:
    """Tell whether a library of a wheel of NVIDIA's lies in a folder of packages."""
    root = Path(folder) / "nvidia"
    places = (f"*/nvvm/lib*/lib{name}.so*", f"*/lib/lib{name}.so*")  # of CUDA 12, of CUDA 13
    return root.is_dir() and any(True for place in places for _ in root.glob(place))


def _no_system_toolkit() -> str | None:
    return f"the system has {found}" if (found := ctypes.util.find_library("nvrtc")) else None


def _no_gpu() -> str | None:
    from nbnumba.kernels.cuda.device import may_be_there

    return "there is a GPU" if may_be_there() else None


def _torch() -> str | None:
    return None if importlib.util.find_spec("torch") is not None else "no PyTorch; pip install nbnumba[torch]"


def _jax() -> str | None:
    return None if importlib.util.find_spec("jax") is not None else "no JAX; pip install nbnumba[jax]"


def _pyarrow() -> str | None:
    found = importlib.util.find_spec("pyarrow")
    return None if found else "the package pyarrow is not installed (extra parquet, or test)"


def _dask() -> str | None:
    found = importlib.util.find_spec("distributed")
    return None if found else "the package distributed is not installed (extra dask, or test)"


def mpiexec_path() -> str | None:
    """Return the path of mpiexec: that of a wheel beside this Python, else in PATH; None where there is none."""
    beside = Path(sys.executable).parent / "mpiexec"
    return str(beside) if beside.is_file() else shutil.which("mpiexec")


def _mpi() -> str | None:
    if importlib.util.find_spec("mpi4py") is None:
        return "the package mpi4py is not installed (extra mpi, or test)"
    return None if mpiexec_path() else "no mpiexec beside Python or in PATH (wheel mpich, extra test)"


@functools.cache
def _small_disk() -> str | None:
    """Try it: in a container the superuser may mount nothing."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        return "only the superuser can mount a small disk"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True
        )
        if done.returncode != 0:
            return f"a small disk cannot be mounted: {done.stderr.strip()}"
        subprocess.run(["umount", folder], check=True)
    return None


def _c_compiler() -> str | None:
    return None if shutil.which("cc") else "there is no cc"


def _superuser() -> str | None:
    return None if hasattr(os, "geteuid") and os.geteuid() == 0 else "only the superuser can give files to other users"


# Requirement -> function that says why it is missing here, or returns None where it is present.
# The functions are cheap and are asked again when the session ends.
def _x86_64() -> str | None:
    machine = platform.machine()
    return None if machine in ("x86_64", "AMD64") else f"the processor is {machine}"


REQUIREMENTS: dict[str, Callable[[], str | None]] = {
    "CUDA package": _cuda_package,
    "CUDA compiler": _cuda_compiler,
    "no GPU": _no_gpu,
    "no CUDA toolkit of the system": _no_system_toolkit,
    "Dask": _dask,
    "pyarrow": _pyarrow,
    "MPI": _mpi,
    "small disk": _small_disk,
    "superuser": _superuser,
    "C compiler": _c_compiler,
    "large job": _large_job,
    "oracles": _oracles,
    "nanoBragg executable": _nanobragg,
    "Chromium": _chromium,
    "DIALS' reader": _dials_reader,
    "DIALS": _dials,
    "torch": _torch,
    "jax": _jax,
    "x86-64": _x86_64,
}


def requires(name: str) -> pytest.MarkDecorator:
    """Mark a test (or a module, as `pytestmark`) that needs a registered requirement."""
    if name not in REQUIREMENTS:
        raise KeyError(f"requirement {name!r} is not registered in support/requirements.py: {sorted(REQUIREMENTS)}")
    return pytest.mark.requires(name)
