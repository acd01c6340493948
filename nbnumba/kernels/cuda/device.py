"""Which GPU there is, and what to say where there is none or it fails."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from ...errors import DeviceError
from . import toolkit

FAST_DOUBLE = 4  # float32 to float64 throughput up to which double precision is the better choice

# What CUresult numbers mean to a user.
_MEANINGS = {
    2: "out of device memory",
    35: "the NVIDIA driver is too old for the CUDA package; update the driver",
    46: "the GPU is in use by another process",
    100: "no GPU is visible",
    209: "the GPU is too old for the CUDA package",
    214: "an uncorrectable memory error of the GPU",
    222: "the NVIDIA driver is too old for the CUDA package; update the driver",
    700: "the kernel failed: it read or wrote where it must not",
    702: "the kernel was stopped: it took longer than the display allows",
    718: "the kernel failed: invalid program counter",
    719: "the kernel failed",
    803: "the NVIDIA driver does not fit its kernel module; update or restart",
    804: "the NVIDIA driver is too old for the CUDA package; update the driver",
}


class Gpu(NamedTuple):
    """A GPU that can be used."""

    number: int  # among those that CUDA_VISIBLE_DEVICES leaves visible
    name: str
    capability: tuple[int, int]
    memory: int  # [byte]
    processors: int
    clock: float  # [Hz]
    double_ratio: int  # float32 operations in the time of one of float64

    @property
    def fill(self) -> int:
        """Pixels that keep all its units busy."""
        return max(64, self.processors * 1024)

    @property
    def precision(self) -> str:
        """The precision that suits it."""
        return "double" if self.double_ratio <= FAST_DOUBLE else "mixed"


def may_be_there() -> bool:
    """Tell, without loading anything, whether this machine may have a GPU that CUDA can use."""
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        return True
    if os.environ.get("NUMBA_DISABLE_CUDA") == "1" or os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").exists()
    if Path("/dev/dxg").exists():  # Windows Subsystem for Linux
        return Path("/usr/lib/wsl/lib/libcuda.so.1").exists()
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/nvhost-gpu").exists()


@functools.cache
def load() -> ModuleType:
    """Import the CUDA kernels.

    Raises
    ------
    DeviceError
        When the package for CUDA is missing or broken.
    """
    toolkit.check_packages()
    try:
        from . import kernel as cuda
    except Exception as error:  # a broken installation fails in many ways
        raise DeviceError(f"CUDA: the package numba-cuda cannot be loaded: {_first_line(error)}") from None
    return cuda


def gpus() -> list[Gpu]:
    """Return all visible GPUs.

    Raises
    ------
    DeviceError
        When there is none, or no driver, a driver that is too old, or no CUDA package.
    """
    kernels = load()
    if not kernels.SIMULATED:
        toolkit.check_driver()
    with translated("CUDA"):
        found = [_describe(number, device) for number, device in enumerate(kernels.cuda.gpus)]
    if not found:
        raise DeviceError(f"CUDA: {_MEANINGS[100]}{_visible()}")
    return found


def choose(number: int | None) -> Gpu:
    """Return the GPU of a number, the first by default.

    Raises
    ------
    DeviceError
        When it is not there.
    """
    found = gpus()
    wanted = 0 if number is None else number
    if wanted >= len(found):
        numbers = "only GPU 0 is" if len(found) == 1 else f"GPUs 0 to {len(found) - 1} are"
        raise DeviceError(f"-device {wanted}: {numbers} visible{_visible()}")
    return found[wanted]


@contextlib.contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn what CUDA raises into a DeviceError of one line that begins with `where`."""
    try:
        yield
    except DeviceError:
        raise
    except MemoryError as error:
        raise DeviceError(f"{where}: not enough memory of the host: {_first_line(error)}") from None
    except Exception as error:
        meaning = _meaning(error)
        if meaning is None:
            raise
        raise DeviceError(f"{where}: {meaning}") from None


def out_of_memory(error: Exception) -> bool:
    """Tell whether CUDA raises an exception because the memory of a GPU is full."""
    return _meaning(error) == _MEANINGS[2]


def _meaning(error: Exception) -> str | None:
    """Return what an exception of CUDA means; None for other exceptions."""
    kinds = {cls.__name__ for cls in type(error).__mro__}
    if "CudaAPIError" in kinds:
        return _meaning_of_code(int(error.code), str(error.msg))  # type: ignore[attr-defined]
    if kinds & {"CUDAError", "NvJitLinkError", "nvJitLinkError", "LinkerError", "nvvmError", "NVVMError"}:
        text = _first_line(error)
        code = next((number for number, name in _NAMES.items() if name in text), None)
        return _MEANINGS[code] if code is not None else f"the CUDA toolkit fails: {text}"
    if "CCSupportError" in kinds:
        return f"{_MEANINGS[209]}: {_first_line(error)}"
    if kinds & {"NvvmSupportError", "NvrtcSupportError", "DynamicLibNotFoundError"}:
        return next(iter(toolkit.problems()), f"the CUDA toolkit is not whole: {_first_line(error)}")
    if "CudaSupportError" in kinds:
        text = " ".join(str(error).split()).removeprefix("Error at driver init: ").rstrip(": ")
        code = next((number for number, name in _NAMES.items() if name in text), None)
        if code is not None:
            return _meaning_of_code(code, text)
        return "no NVIDIA driver is found" if "cannot be found" in text else text
    if kinds & {"CudaDriverError", "CudaRuntimeError", "NvvmError", "NvrtcError"}:
        return _first_line(error)
    return None


_NAMES = {
    2: "CUDA_ERROR_OUT_OF_MEMORY",
    100: "CUDA_ERROR_NO_DEVICE",
    209: "CUDA_ERROR_NO_BINARY_FOR_GPU",
    222: "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
    803: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
    804: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
}


def _meaning_of_code(code: int, text: str) -> str:
    meaning = _MEANINGS.get(code, f"error {code}: {text}")
    return meaning + _visible() if code == 100 else meaning


def _visible() -> str:
    """Remind of the variable that hides GPUs, where it is set."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "" if visible is None else f" (CUDA_VISIBLE_DEVICES is {visible!r})"


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _describe(number: int, device: object) -> Gpu:
    """Read the properties of a device; the simulator's has next to none."""

    def attribute(name: str, default: int) -> int:
        return int(getattr(device, name, default))

    name = getattr(device, "name", "simulator")
    major, minor = device.compute_capability  # type: ignore[attr-defined]
    return Gpu(
        number=number,
        name=name.decode() if isinstance(name, bytes) else str(name),
        capability=(int(major), int(minor)),
        memory=_memory(number),
        processors=attribute("MULTIPROCESSOR_COUNT", 0),
        clock=attribute("CLOCK_RATE", 1_000_000) * 1e3,
        double_ratio=attribute("SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO", 1),
    )


def _memory(number: int) -> int:
    """Return the memory of a device [byte], 0 for the simulator's."""
    kernels = load()
    if kernels.SIMULATED:
        return 0
    from cuda.bindings import driver

    status, size = driver.cuDeviceTotalMem(number)
    return int(size) if int(status) == 0 else 0
