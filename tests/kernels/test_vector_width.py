"""Vectors are as wide as the processor has them, whatever LLVM prefers; of other people's functions it still decides.

The code for a processor is looked at, not run: any x86-64 machine can compile for any other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from requirements import ROOT, requires

# The innermost loops as they stand, inlined into a kernel, and a plain function of Numba's.
SCRIPT = """
import re
import numba
from nbnumba.kernels.cpu import orientations as loops
from nbnumba.kernels.jit import kernel

def both(s, n):
    loops.square_strip(s, n, 24.0, 20.0, 28.0)
    loops.sum_terms(s, n, True, 1.0)

def double(s, n):
    for i in range(n):
        s[i] *= 2.0

values, number = numba.float64[::1], numba.int64
for function, signature in (
    (loops.square_strip, (values, number, *[numba.float64] * 3)),
    (loops.round_strip, (values, number, *[numba.float64] * 4)),
    (kernel(both), (values, number)),
    (numba.njit(double), (values, number)),
):
    function.compile(signature)
    (code,) = function.inspect_asm().values()
    registers = re.findall(r"\\tv(?:add|mul|fn?m(?:add|sub)\\d+)pd.*%([xyz]mm)", code)
    print(function.__name__, max(set(registers), key=registers.count, default=None))
"""


def _registers(processor: str, cache: Path) -> dict[str, str]:
    """Return the vector registers of most of the arithmetic of a function, in code for a processor."""
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": processor,
        "NUMBA_CPU_FEATURES": "",
        "NBNUMBA_CACHE_DIR": str(cache),
        "PYTHONPATH": str(ROOT),
    }
    ran = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return dict(line.split() for line in ran.stdout.splitlines())


@requires("x86-64")
@pytest.mark.parametrize(
    ("processor", "ours", "others"),
    [("sapphirerapids", "zmm", "ymm"), ("haswell", "ymm", "ymm")],
)
def test_the_widest_vectors_of_a_processor(processor: str, ours: str, others: str, tmp_path: Path) -> None:
    found = _registers(processor, tmp_path)
    assert found == {"square_strip": ours, "round_strip": ours, "both": ours, "double": others}
