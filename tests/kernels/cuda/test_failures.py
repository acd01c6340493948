"""What becomes of an image when the memory of a GPU is full, on the CUDA simulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from requirements import requires
from simulated_failures import CASES, MEANS
from simulator import results_of

from nbnumba.readout.chain import read_out
from nbnumba.readout.model import Readout
from nbnumba.readout.poisson import poisson_image_counter

pytestmark = [pytest.mark.twins, requires("CUDA package")]


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    return results_of("simulated_failures.py", tmp_path_factory.mktemp("failures"))


@pytest.mark.parametrize("name", list(CASES))
def test_the_image_is_whole(name: str, simulation: Mapping[str, Any]) -> None:
    """The processor draws it anew, and the GPU after it has given back what it kept from image to image."""
    expected, backend = simulation["after the error"], CASES[name][0]
    assert np.all(expected > 0.0), "an image that shows nothing proves nothing"
    assert simulation[f"{name} failures"] > 0
    # Sums in another order, in float64, stored as float32.
    np.testing.assert_allclose(simulation[name], expected, rtol=1e-6)
    assert simulation[f"{name} backend"] == ("cpu" if backend == "auto" else "cuda")


def test_readout_is_done_again(simulation: Mapping[str, Any]) -> None:
    assert simulation["failures of readout"].tolist() == [1, 1]
    read = read_out(simulation["photons"], Readout(gain=3.0, readout=2.0), 5, 0)
    np.testing.assert_array_equal(simulation["read"], read.pixels)
    counts = poisson_image_counter(MEANS, 9, 0.0, image_number=3, dtype="int32").counts
    np.testing.assert_array_equal(simulation["counts"], counts)


def test_what_is_told(simulation: Mapping[str, Any]) -> None:
    error = "GPU 0 (simulator): out of device memory; 1.2 of 8 GB are free"
    assert simulation["error"] == error
    for name, (backend, *_) in CASES.items():
        told = [f"rendered by the processor, as the GPU cannot be used: {error}"] if backend == "auto" else []
        assert simulation[f"{name} said"].tolist() == told
