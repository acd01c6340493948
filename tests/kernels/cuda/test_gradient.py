"""Derivatives on the CUDA simulator against the processor, and their kernels compiled without a GPU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import simulated_gradients
from requirements import requires
from simulator import results_of

pytestmark = pytest.mark.twins


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    return results_of("simulated_gradients.py", tmp_path_factory.mktemp("gradient"))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    path = tmp_path_factory.mktemp("gradient") / "expected.npz"
    simulated_gradients.main(str(path))
    found: Mapping[str, Any] = np.load(path)
    return found


@requires("CUDA package")
@pytest.mark.parametrize("case", simulated_gradients.CASES)
def test_the_same_as_by_the_processor(case: str, simulation: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    names = [name for name in expected if name.startswith(f"{case}: ")]
    assert len(names) == 15
    for name in names:
        ours, theirs = np.atleast_1d(simulation[name]), np.atleast_1d(expected[name])
        if name.endswith("jacobian"):  # of each parameter by itself
            ours, theirs = ours.reshape(len(ours), -1), theirs.reshape(len(theirs), -1)
            largest = np.abs(theirs).max(axis=1, keepdims=True)
        else:
            largest = np.abs(theirs).max()
        assert np.all(largest > 0.0), name
        # The rounding of sums in another order, and of products that are not fused on the simulator.
        assert np.all(np.abs(ours - theirs) <= 1e-10 * largest), name


@pytest.mark.slow
@requires("CUDA compiler")
def test_compiled() -> None:
    from bench import cuda_compile

    codes = dict(cuda_compile.gradient_ptx((8, 0)))
    assert set(codes) == {"weighted", "likelihood", "fold", "samples", "spots"}
    for name, code in codes.items():
        assert ".visible .entry" in code, name
        assert ".extern .func" not in code, f"{name} calls what is not there"
        assert not re.search(r"\batom\.", code), name  # the order of sums does not depend on the launch
