"""How near the innermost loops come to what the processor can issue.

The instructions of each loop are counted in the machine code that Numba made of it; its time and the rate at which
the processor issues fused multiply-adds are measured in the same process, on one thread.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

TERMS, CHAINS = 32, 8  # where the peak rate is measured: multiply-adds in a row, and such rows side by side
LANES = {"zmm": 8, "ymm": 4, "xmm": 2}
_MULTIPLY = re.compile(r"v(fn?m(add|sub)\d+|mul)p[ds]")
_ARITHMETIC = re.compile(_MULTIPLY.pattern + r"|v(add|sub|div|sqrt|max|min|rndscale|round)p[ds]")


def measure(repeats: int = 7) -> dict[str, Any]:
    """Return the peak rate and, for each loop, its instructions per vector and its time per pixel."""
    import numba
    import numpy as np

    from nbnumba.kernels.cpu import cubic, mixed, strip
    from nbnumba.kernels.cpu import orientations as per_orientation

    scratch = np.random.default_rng(1).uniform(0.01, 0.49, cubic.ROOM)
    n = strip.WIDTH

    @numba.njit
    def square(times, s):
        for _ in range(times):
            per_orientation.square_strip(s, n, 24.0, 20.0, 28.0)

    @numba.njit
    def ellipsoid(times, s):
        for _ in range(times):
            per_orientation.round_strip(s, n, 24.0, 20.0, 28.0, 1.0)

    @numba.njit
    def look_up(times, s, flat):
        for _ in range(times):
            cubic.cubic_run(s, cubic.known_cell(flat, s, 5000, 40, 40), 0, n)

    numbers = np.random.default_rng(3).integers(2**30, size=mixed.SINGLES, dtype=np.int32)
    few = np.int32(24), np.int32(20), np.int32(28)

    @numba.njit
    def mixed_square(times, numbers):
        for _ in range(times):
            mixed.coarse_square_strip(numbers, n, *few)

    flat = np.random.default_rng(2).normal(size=70_000)
    cases: list[tuple[str, Any, Callable[[int], None]]] = [
        ("lattice factor, square", per_orientation.square_strip, lambda times: square(times, scratch)),
        ("the same, mixed precision", mixed.coarse_square_strip, lambda times: mixed_square(times, numbers)),
        ("lattice factor, round", per_orientation.round_strip, lambda times: ellipsoid(times, scratch)),
        ("tricubic look-up of a run", cubic.cubic_run, lambda times: look_up(times, scratch, flat)),
    ]
    loops = []
    for name, function, run in cases:
        run(1)
        counts, lanes, single = _main_loop(function.inspect_asm(function.signatures[0]))
        seconds = min(_seconds(lambda run=run: run(5000)) for _ in range(repeats)) / (5000 * n)
        loops.append({"name": name, "lanes": lanes, "single": single, "instructions": dict(counts), "seconds": seconds})
    return {"fma_lanes_per_second": _peak(repeats), "loops": loops}


def _seconds(action: Callable[[], object]) -> float:
    start = time.thread_time()
    action()
    return time.thread_time() - start


def _peak(repeats: int) -> float:
    """Measure how many fused multiply-adds of float64 a thread can do a second, in vectors that stay in registers."""
    import numba
    import numpy as np

    # Written out, as a loop over the terms would keep the loop over the values from being vectorized.
    source = ["def horner(times, values):", " for _ in range(times):", "  for i in range(values.shape[0]):"]
    source += ["   x = values[i]", *[f"   y{c} = 0.{c + 1}" for c in range(CHAINS)]]
    source += [f"   y{c} = y{c} * x + 0.5" for _ in range(TERMS) for c in range(CHAINS)]
    source += ["   values[i] = " + " + ".join(f"y{c}" for c in range(CHAINS))]
    names: dict[str, Any] = {}
    exec("\n".join(source), names)
    horner = numba.njit(names["horner"], fastmath={"contract"}, error_model="numpy")
    values = np.full(256, 0.1)
    horner(1, values)
    times = 2000
    seconds = min(_seconds(lambda: horner(times, values)) for _ in range(repeats))
    return len(values) * TERMS * CHAINS * times / seconds


def _main_loop(assembly: str) -> tuple[Counter[str], int, bool]:
    """Count the instructions of the loop with the most vector arithmetic, its lanes, and whether it is of float32."""
    blocks = re.split(r"^(\.LBB\d+_\d+):", assembly, flags=re.MULTILINE)
    best: tuple[int, str] = (0, "")
    for label, body in zip(blocks[1::2], blocks[2::2], strict=True):
        jump = re.search(rf"\bj\w+\s+{re.escape(label)}\b", body)
        if jump is not None:
            arithmetic = len(_ARITHMETIC.findall(body[: jump.end()]))
            best = max(best, (arithmetic, body[: jump.end()]))
    loop = best[1]
    register = next((name for name in LANES if name in loop), "xmm")
    names = [line.split()[0] for line in loop.splitlines() if line.strip() and not line.strip().startswith((".", "#"))]
    single = any(name.startswith("vmulps") for name in names)
    return Counter(names), LANES[register] * (2 if single else 1), single


def summary(instructions: dict[str, int]) -> tuple[int, int, int]:
    """Return the number of all instructions of a loop, of its multiplications (fused too), and of its divisions."""
    multiplications = sum(count for name, count in instructions.items() if _MULTIPLY.fullmatch(name))
    divisions = sum(count for name, count in instructions.items() if name.startswith(("vdiv", "vsqrt")))
    return sum(instructions.values()), multiplications, divisions
