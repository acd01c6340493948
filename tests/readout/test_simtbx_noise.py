"""simtbx's add_noise: our twin of it to the bit, and the same means and variances from our own readout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import oracles
import pytest
from numpy.typing import NDArray
from reference.simtbx_noise import add_noise
from requirements import requires

from nbnumba.readout import as_c
from nbnumba.readout.chain import read_out
from nbnumba.readout.model import Readout

_OTHERWISE = {"defaults", "negative_adu"}  # with a point spread; without photons


def spread(image: NDArray[np.float64], kind: str, width: float, radius: int) -> NDArray[np.float64]:
    return as_c.spread(image, kind, width, radius)[0]


@requires("oracles")
@pytest.mark.parametrize("name", oracles.names("noise"))
def test_noise_images_of_simtbx(name: str) -> None:
    params, arrays = oracles.load("noise", name)
    image = add_noise(params, arrays["image_in"], spread)
    # Equal to the bit but for a point spread, whose functions of the C library may differ in the last digit.
    limit = 0.0 if params["psf_type"] == "Unknown" else 4e-16 * float(np.abs(image).max())
    np.testing.assert_allclose(image, arrays["image_out"], rtol=0.0, atol=limit)
    whole = np.trunc(np.minimum(arrays["image_out"], 65534.0)).astype(np.int64)
    np.testing.assert_array_equal(whole & 0xFFFF, arrays["smv_u16"])


def moments(adu: NDArray[Any], photons: NDArray[np.float64], readout: Readout) -> tuple[float, float, float]:
    """Mean and variance of the deviations over what they should be, and the standard error of a mean of 1."""
    wanted = photons * readout.gain + readout.offset
    relative = readout.calibration**2 + readout.flicker**2
    # Rounding to whole numbers adds a twelfth.
    variance = readout.gain**2 * (photons + relative * photons**2) + readout.readout**2 + 1.0 / 12.0
    z = (adu - wanted) / np.sqrt(variance)
    return float(z.mean()), float(z.var()), 1.0 / math.sqrt(z.size)


@requires("oracles")
@pytest.mark.parametrize("name", [n for n in oracles.names("noise") if "psf" not in n and n not in _OTHERWISE])
def test_our_readout_has_its_means_and_variances(name: str) -> None:
    params, arrays = oracles.load("noise", name)
    photons = arrays["image_in"]
    readout = Readout(
        flicker=params["flicker_noise_pct"] / 100.0,
        calibration=params["calibration_noise_pct"] / 100.0,
        gain=params["quantum_gain"],
        offset=params["adc_offset_adu"],
        readout=params["readout_noise_adu"],
    )
    inside = np.zeros(photons.shape, dtype=bool)
    (f0, f1), (s0, s1) = params["roi"] or ((0, photons.shape[1] - 1), (0, photons.shape[0] - 1))
    inside[s0 : s1 + 1, f0 : f1 + 1] = True
    # Few photons are not Gaussian.
    inside &= photons > 3.0
    assert np.count_nonzero(inside) > 100
    # C differs: it draws flicker for every pixel; ours is one number an image, and is left out here.
    ours = read_out(photons.astype(np.float32), Readout(**{**vars(readout), "flicker": 0.0}), seed=3).pixels
    for adu, by in ((arrays["image_out"], readout), (ours, Readout(**{**vars(readout), "flicker": 0.0}))):
        mean, variance, error = moments(adu[inside], photons[inside], by)
        assert abs(mean) < 4.0 * error
        assert abs(variance - 1.0) < 4.0 * math.sqrt(2.0) * error * 1.5  # Poisson's kurtosis at 3 photons
