"""Compiles the CUDA kernels without a GPU: to PTX for any compute capability, and on to machine code with ptxas."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

CAPABILITIES = ((7, 5), (8, 0), (9, 0), (10, 0))


class Resources(NamedTuple):
    """What ptxas reports of a kernel, per thread."""

    registers: int
    stack_bytes: int
    spill_store_bytes: int
    spill_load_bytes: int


@contextlib.contextmanager
def for_capability(capability: tuple[int, int]) -> Iterator[None]:
    """Let numba-cuda compile for a compute capability; it asks the present device for it, which may not exist."""
    from numba.cuda import compiler, dispatcher

    device = SimpleNamespace(compute_capability=capability)
    before = [module.get_current_device for module in (compiler, dispatcher)]
    for module in (compiler, dispatcher):
        module.get_current_device = lambda: device
    try:
        yield
    finally:
        for module, original in zip((compiler, dispatcher), before, strict=True):
            module.get_current_device = original


def ptx(function: object, signature: tuple[object, ...], capability: tuple[int, int], device: bool = False) -> str:
    """Compile a Python function, or a kernel, to PTX."""
    from numba import cuda

    with for_capability(capability):
        code, _ = cuda.compile_ptx(
            getattr(function, "py_func", function), signature, cc=capability, device=device, abi="numba"
        )
    return str(code)


def resources(code: str, capability: tuple[int, int]) -> Resources:
    """Assemble PTX and read what ptxas says of its one kernel."""
    from cuda import pathfinder

    program = pathfinder.find_nvidia_binary_utility("ptxas") or "ptxas"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(code)
        arch = f"sm_{capability[0]}{capability[1]}"
        command = [program, "-v", f"--gpu-name={arch}", str(source), "-o", str(source.with_suffix(".cubin"))]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    numbers = [
        int(re.search(pattern, said)[1])  # type: ignore[index]
        for pattern in (
            r"Used (\d+) registers",
            r"(\d+) bytes stack frame",
            r"(\d+) bytes spill stores",
            r"(\d+) bytes spill loads",
        )
    ]
    return Resources(*numbers)


def sum_signature(single_table: bool) -> tuple[object, ...]:
    """Return the argument types of a sum kernel."""
    import numba
    from nbnumba.kernels.packing import pack

    record = numba.from_dtype(pack(example_scene()).numbers.dtype)
    real, whole = numba.float64, numba.int64
    cell = numba.float32 if single_table else real
    return (
        record[::1], whole, numba.uint8[:, ::1], real[:, ::1], real[::1], cell[::1], whole, whole, whole, whole,
        real[:, ::1], numba.float32[:, ::1], real[::1],
    )  # fmt: skip


def example_scene() -> object:
    """Return some scene: its numbers have the types that all scenes have."""
    from nbnumba.dialect import parse
    from nbnumba.resolve import resolve
    from nbnumba.scene import build_scene

    words = "-cell 50 60 70 90 90 90 -default_F 10 -lambda 1 -distance 100 -detpixels 8 -N 5 -nointerpolate -nodump"
    return build_scene(resolve(parse(words.split()).settings, lambda line: None))
