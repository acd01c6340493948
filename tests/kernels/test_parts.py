"""Parts of kernels: called from Python, from other compiled code, and from kernels."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np

from nbnumba.kernels import jit
from nbnumba.kernels.physics import sample


@jit.physics
def _twice(x):
    return x + x


@jit.physics
def _four_times(x):
    return _twice(_twice(x))


@jit.inner
def _scale(values):
    for i in range(values.shape[0]):
        values[i] = _four_times(values[i])


@numba.njit
def _plain(x):
    return _four_times(x) + _twice(x)


def test_python_calls_a_part():
    assert _four_times(1.5) == 6.0
    assert sample.dot(1.0, 2.0, 3.0, 1.0, 2.0, 3.0) == 14.0


def test_compiled_code_that_knows_of_no_parts_calls_one():
    assert _plain(1.5) == 9.0


def test_a_kernel_takes_in_what_it_calls_and_is_loaded_by_the_next_process(tmp_path):
    program = Path(__file__).with_name("kernel_of_parts.py")
    environment = os.environ | {"NBNUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    for compiled in ("1", "0"):
        done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["4.0", "8.0", compiled]


def test_a_part_has_no_machine_code():
    values = np.ones(3)

    @numba.njit
    def scaled(values):
        _scale(values)

    scaled(values)
    assert values.tolist() == [4.0, 4.0, 4.0]
    for function in (_scale, _twice, _four_times):
        for compiled in function.overloads.values():
            assert compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name) == 0
