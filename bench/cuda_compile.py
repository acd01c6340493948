"""Compiles the CUDA kernels without a GPU: to PTX for any compute capability, and on to machine code with ptxas."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

CAPABILITIES = ((7, 5), (8, 0), (9, 0), (10, 0))
Capability = tuple[int, int]


class Resources(NamedTuple):
    """What ptxas reports of a kernel, per thread."""

    registers: int
    stack_bytes: int
    spill_store_bytes: int
    spill_load_bytes: int


@contextlib.contextmanager
def for_capability(capability: Capability) -> Iterator[None]:
    """Let numba-cuda compile for a compute capability.

    It asks the present device, which may not exist, and a library of NVIDIA's that nothing else here needs.
    """
    from numba.cuda import compiler, cuda_paths, dispatcher
    from numba.cuda.cudadrv import nvrtc

    device = SimpleNamespace(compute_capability=capability)
    replaced = [
        (compiler, "get_current_device", lambda: device),
        (dispatcher, "get_current_device", lambda: device),
        (nvrtc, "get_arch_option", lambda major, minor, *_: f"compute_{major}{minor}"),
        (cuda_paths, "_get_nvrtc_path", lambda: None),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in replaced]
    for module, name, value in replaced:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
        # What was found without the library must not be taken for the truth later.
        vars(cuda_paths.get_cuda_paths).pop("_cached_result", None)


def ptx(function: Any, signature: tuple[Any, ...], capability: Capability, device: bool = False) -> str:
    """Compile a Python function, a function of the processor, or a kernel to PTX."""
    from numba import cuda

    bounds = getattr(function, "targetoptions", {}).get("launch_bounds")
    with for_capability(capability):
        code, _ = cuda.compile_ptx(
            getattr(function, "py_func", function),
            signature,
            cc=capability,
            device=device,
            abi="numba",
            launch_bounds=bounds,
        )
    return str(code)


def sum_ptx(variant: tuple[int | bool, ...], capability: Capability) -> str:
    """Compile a sum kernel: shape, look-up, compound, single precision, and perhaps weighted and with a halo."""
    import numba

    from nbnumba.kernels import pixel
    from nbnumba.kernels.cuda import kernel as cuda

    chosen = pixel.Variant(*variant)
    cell = numba.float32 if chosen.single and chosen.look_up == pixel.NEAREST else numba.float64
    common, launch = _arguments()
    images = (numba.float64[:, ::1], numba.float32[:, ::1], numba.float64[::1])
    return ptx(cuda.sum_kernel(chosen), (*common, cell[::1], *launch, *images), capability)


def search_ptx(shape: int, capability: Capability) -> str:
    """Compile the search for the interpolation latch."""
    import numba

    from nbnumba.kernels.cuda import kernel as cuda

    common, launch = _arguments()
    return ptx(cuda.search_kernel(shape), (*common, *launch, numba.int64[::1]), capability)


def noise_ptx(capability: Capability) -> str:
    """Compile the kernel that draws photon counts."""
    import numba

    from nbnumba.kernels.cuda import kernel as cuda

    real, whole, bits = numba.float64, numba.int64, numba.uint64
    signature = (
        numba.float32[:, ::1], whole, whole, whole, real, real, bits, bits, numba.uint16[:, ::1], real[::1],
        real[::1],
    )  # fmt: skip
    return ptx(cuda.noise_kernel(), signature, capability)


def fold_ptx(capability: Capability) -> str:
    """Compile the kernel that adds up many numbers."""
    import numba

    from nbnumba.kernels.cuda import kernel as cuda

    return ptx(cuda.fold_kernel(), (numba.float64[::1], numba.float64[::1]), capability)


def chain_ptx(capability: Capability) -> Iterator[tuple[str, str]]:
    """Compile the kernels of background and readout."""
    import numba

    from nbnumba.kernels.cuda import chain_kernels as chain

    real, whole, bits, flag = numba.float64, numba.int64, numba.uint64, numba.boolean
    line, image = real[::1], numba.float32[:, ::1]
    (numbers, masked, mask, sources, *_), _ = _arguments()
    background = (
        numbers, masked, mask, sources, whole, line, line, line, real[:, :, ::1], real, real, whole, whole, flag, flag,
        real[:, ::1], image,
    )  # fmt: skip
    yield "background", ptx(chain.background_kernel(), background, capability)
    count = (image, bits, flag, real, real, real, bits, real, bits, bits, line)
    yield "count", ptx(chain.count_kernel(), count, capability)
    yield "along fast", ptx(chain.along_fast_kernel(), (line, whole, line, line), capability)
    yield "along slow", ptx(chain.along_slow_kernel(), (line, whole, line, flag, real, line), capability)
    yield "least", ptx(chain.least_kernel(), (line, line), capability)
    yield "widen", ptx(chain.widen_kernel(), (image, line), capability)
    yield "narrow", ptx(chain.narrow_kernel(), (line, image), capability)
    read = (line, image, real, bits, *[real] * 5, bits, bits, numba.uint16[:, ::1], line, line)
    yield "read", ptx(chain.read_kernel(), read, capability)


def spot_kernels_ptx(capability: Capability) -> Iterator[tuple[str, str]]:
    """Compile the kernels that list spots and put them in order."""
    import numba

    from nbnumba.kernels.cuda import spot_kernel as cuda
    from nbnumba.kernels.scene import RECORD

    real, table, whole = numba.float64[::1], numba.float64[:, ::1], numba.int64
    record, boxes, counts = numba.from_dtype(RECORD)[::1], numba.int32[:, ::1], numba.int64[::1]
    scene = (record, real, table, table)
    yield "columns", ptx(cuda.columns_kernel(), (*scene, real, whole, counts), capability)
    yield "spots of columns", ptx(cuda.count_kernel(), (*scene, real, whole, counts, counts), capability)
    listed = (*scene, real, real, whole, counts, counts, table, boxes)
    yield "list of spots", ptx(cuda.list_kernel(), listed, capability)
    yield "spots of tiles", ptx(cuda.units_kernel(), (boxes, whole, whole, whole, counts), capability)
    order = (boxes, whole, whole, whole, counts, numba.int32[::1])
    yield "order of spots", ptx(cuda.order_kernel(), order, capability)
    parts, starts, within = cuda.scan_kernels()
    yield "scan parts", ptx(parts, (counts, counts), capability)
    yield "scan starts", ptx(starts, (counts,), capability)
    yield "scan within", ptx(within, (counts, counts), capability)


def draw_spots_ptx(variant: tuple[int | bool, ...], capability: Capability) -> str:
    """Compile the kernel that draws spots: shape, crowded, single precision, bent."""
    import numba

    from nbnumba.kernels.cuda import spot_kernel as cuda
    from nbnumba.kernels.spot_lists import SpotVariant

    common, _ = _arguments()
    whole, table = numba.int64, numba.float64[:, ::1]
    lists = (table, numba.int32[::1], numba.int64[::1], whole, whole, numba.boolean, numba.boolean)
    images = (table, numba.float32[:, ::1], numba.float64[::1])
    return ptx(cuda.draw_kernel(SpotVariant(*variant)), (*common, *lists, *images), capability)


def some_kernels(capability: Capability) -> Iterator[tuple[str, str]]:
    """Compile one kernel of each kind."""
    yield "square, double", sum_ptx((0, 0, False, False), capability)
    yield "square, mixed", sum_ptx((0, 0, False, True), capability)
    yield "search", search_ptx(1, capability)
    yield "noise", noise_ptx(capability)
    yield "fold", fold_ptx(capability)


def gradient_ptx(capability: Capability) -> Iterator[tuple[str, str]]:
    """Compile the kernels of derivatives."""
    import numba

    from nbnumba.kernels.cuda import gradient_kernel as cuda

    real, whole, flags = numba.float64, numba.int64, numba.boolean[::1]
    plane, cube = real[:, ::1], real[:, :, ::1]
    (record, masked, mask, sources, _, weights), _ = _arguments()
    scene = (record, masked, mask, sources, plane, weights, real[::1])
    tangents = (real[::1], record, cube, cube, plane, plane, whole[::1], flags, flags, flags, whole)
    rest = (whole, plane, numba.int32[:, ::1], plane, cube)
    yield "weighted", ptx(cuda.weigh_kernel(), (plane, cube, plane), capability)
    sums = (plane, numba.boolean[:, ::1], plane, cube, real, plane, whole[:, ::1], plane)
    yield "likelihood", ptx(cuda.likelihood_kernel(), sums, capability)
    yield "fold", ptx(cuda.fold_kernel(), (plane, whole, whole, numba.boolean, real[::1]), capability)
    yield "samples", ptx(cuda.samples_kernel(), (*scene, *tangents, *rest), capability)
    yield "spots", ptx(cuda.spots_kernel(), (*scene, *tangents, plane, cube, whole[::1], *rest), capability)


def _arguments() -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the argument types that sum and search have in common: of the scene, and of a launch."""
    import numba

    from nbnumba.kernels.scene import RECORD

    record = numba.from_dtype(RECORD)
    real, whole = numba.float64, numba.int64
    return (record[::1], whole, numba.uint8[:, ::1], real[:, ::1], real[::1], real[::1]), (whole,) * 4


def orientation_loop(code: str) -> str | None:
    """Return the loop over phi steps and domains: the shortest that finds the nearest whole indices."""
    lines = code.splitlines()
    labels = {line[:-1]: i for i, line in enumerate(lines) if re.fullmatch(r"\$L\w+:", line)}
    loops = []
    for i, line in enumerate(lines):
        jump = re.search(r"\bbra(?:\.uni)?\s+(\$L\w+);", line)
        if jump and labels.get(jump[1], i) < i:
            loops.append(lines[labels[jump[1]] : i + 1])
    return min(("\n".join(loop) for loop in loops if any("add.rp.f64" in line for line in loop)), key=len, default=None)


def float64_operations(code: str) -> int:
    """Count the float64 operations of a step in PTX; a fused multiply-add is one, and so is a whole division."""
    loop = orientation_loop(code) or ""
    return len(re.findall(r"\b(?:fma|mul|add|sub|div|sqrt|setp|min|max)\.[a-z.]*f64\b", loop))


def ptxas() -> str | None:
    """Return NVIDIA's assembler, None where it is not installed."""
    import shutil

    try:
        from cuda import pathfinder

        found = pathfinder.find_nvidia_binary_utility("ptxas")
    except Exception:
        found = None
    return found or shutil.which("ptxas")


def resources(code: str, capability: Capability) -> Resources:
    """Assemble PTX and read what ptxas says of its one kernel."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(code)
        arch = f"sm_{capability[0]}{capability[1]}"
        command = [ptxas() or "ptxas", "-v", f"--gpu-name={arch}", str(source), "-o", str(source.with_suffix(".cubin"))]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    patterns = (
        r"Used (\d+) registers",
        r"(\d+) bytes stack frame",
        r"(\d+) bytes spill stores",
        r"(\d+) bytes spill loads",
    )
    return Resources(*(int(match[1]) if (match := re.search(pattern, said)) else -1 for pattern in patterns))
