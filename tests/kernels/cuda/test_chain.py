"""Background and readout on the CUDA simulator against the processor: the same functions, the same counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import simulated_chain
from requirements import requires
from simulator import results_of

import nbnumba
from nbnumba.readout.chain import read_out
from nbnumba.readout.poisson import poisson_image_counter

pytestmark = [pytest.mark.twins, requires("CUDA package")]


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    return results_of("simulated_chain.py", tmp_path_factory.mktemp("chain"))


@pytest.mark.parametrize("name", list(simulated_chain.EXPERIMENTS))
def test_background(name: str, simulation: Mapping[str, Any]) -> None:
    words = simulated_chain.PLAIN | simulated_chain.EXPERIMENTS[name]
    expected = nbnumba.simulate(nbnumba.Experiment(**words), "cpu").array
    spots = nbnumba.simulate(nbnumba.Experiment(**(words | {"amorphous": None})), "cpu").array
    assert np.count_nonzero(expected > spots) >= (25 if name == "region" else 70)
    # Rounding of the spots' sum, which the GPU adds up in another order, and to float32.
    np.testing.assert_allclose(simulation[name], expected, rtol=1e-6, atol=1e-6 * spots.max())


@pytest.mark.parametrize("name", list(simulated_chain.READOUTS))
def test_readout(name: str, simulation: Mapping[str, Any]) -> None:
    expected = read_out(simulated_chain.MEANS, simulated_chain.READOUTS[name], 9, 3)
    np.testing.assert_array_equal(simulation[name], expected.pixels)
    assert simulation[name].dtype == expected.pixels.dtype
    truth = expected.truth()
    sums = [truth[key] for key in ("photons", "overloads", "below", "brightness", "beyond", "left")]
    # Sums of the same numbers in another order; what left is a difference of two of them.
    np.testing.assert_allclose(simulation[f"{name} sums"], sums, rtol=1e-9, atol=1e-12)


def test_every_step_did_something(simulation: Mapping[str, Any]) -> None:
    sums = simulation["all sums"]
    assert sums[1] > 0
    assert simulation["expected sums"][2] > 0
    for name in ("gauss", "fiber", "photons spread"):
        assert simulation[f"{name} sums"][5] > 0.0, name


def test_counts_of_32_bits(simulation: Mapping[str, Any]) -> None:
    expected = poisson_image_counter(simulated_chain.MEANS, 9, 0.0, image_number=3, dtype="int32")
    np.testing.assert_array_equal(simulation["counts"], expected.counts)
    assert tuple(simulation["counts sums"]) == (expected.photons, expected.overloads)


def test_an_image_is_read_out_where_it_was_rendered(simulation: Mapping[str, Any]) -> None:
    assert simulation["held"].tolist() == [True, False, True, False]
    assert simulation["uploads"] == 0
    np.testing.assert_array_equal(simulation["stayed"], simulation["stayed on processor"])
