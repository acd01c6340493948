"""What the CUDA kernels need of a GPU, by the compiler: registers, spills, local memory, float64 in the inner loop.

`python -m bench.cuda_report` needs the extra `cuda`, and no GPU. Spilled are numbers that wait outside the inner loop:
the kernels are compiled for many threads at a time.
"""

from __future__ import annotations

import re
import sys

from . import cuda_compile
from .report import markdown

SHAPES = ("square", "round", "gauss", "tophat")
LOOK_UPS = ("nearest", "tricubic")
HEADER = (
    "kernel",
    "registers",
    "local memory [B]",
    "spill stores [B]",
    "spill loads [B]",
    "PTX of the inner loop",
    "of these float64",
    "float32",
    "local memory",
)
KINDS = (r"\.f64", r"\.f32", r"\.local")


def main() -> int:
    """Print a table for each compute capability."""
    for capability in cuda_compile.CAPABILITIES:
        rows = [_row(name, code, capability) for name, code in _kernels(capability)]
        print(f"\nCompute capability {capability[0]}.{capability[1]}, per thread\n")
        print(markdown(HEADER, rows))
    return 0


def _kernels(capability: cuda_compile.Capability) -> list[tuple[str, str]]:
    found = []
    for shape, shape_name in enumerate(SHAPES):
        for look_up, look_up_name in enumerate(LOOK_UPS):
            for single in (False, True):
                name = f"{shape_name}, {look_up_name}, {'mixed' if single else 'double'}"
                found.append((name, cuda_compile.sum_ptx((shape, look_up, False, single), capability)))
    found.append(("square, compound, double", cuda_compile.sum_ptx((0, 0, True, False), capability)))
    found.append(("search", cuda_compile.search_ptx(0, capability)))
    found.append(("noise", cuda_compile.noise_ptx(capability)))
    found.append(("fold", cuda_compile.fold_ptx(capability)))
    found.append(("spots, double", cuda_compile.draw_spots_ptx((2, False, False), capability)))
    found.append(("spots, mixed", cuda_compile.draw_spots_ptx((2, False, True), capability)))
    found.extend(cuda_compile.spot_kernels_ptx(capability))
    return found


def _row(name: str, code: str, capability: cuda_compile.Capability) -> list[str]:
    cells = [name, *(str(number) for number in cuda_compile.resources(code, capability))]
    loop = cuda_compile.orientation_loop(code)
    if loop is None:
        return [*cells, "", "", "", ""]
    instructions = [line for line in loop.splitlines() if line.strip().endswith(";")]
    counts = [sum(bool(re.search(kind, line)) for line in instructions) for kind in KINDS]
    return [*cells, str(len(instructions)), *(str(count) for count in counts)]


if __name__ == "__main__":
    sys.exit(main())
