"""simtbx's add_noise, number by number: streams of random numbers that share one shuffle table, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MODULUS = 2147483647
_LANCZOS = (
    76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155, 0.1208650973866179e-2,
    -0.5395239384953e-5,
)  # fmt: skip


class Streams:
    """The shuffle table that all streams of a process share."""

    def __init__(self) -> None:
        self._table: list[int] = []
        self._last = 0

    def uniform(self, stream: Stream) -> float:
        """Return the next number of a stream, which begins anew where its state is not above 0."""
        state = stream.state
        if state <= 0 or not self._table:
            state = max(1, -state)
            filled = []
            for _ in range(40):
                state = 16807 * state % _MODULUS
                filled.append(state)
            self._table = filled[:7:-1]
            self._last = self._table[0]
        stream.state = 16807 * state % _MODULUS
        place = self._last // 67108864
        self._last, self._table[place] = self._table[place], stream.state
        return min(1.0 / _MODULUS * self._last, 1.0 - 1.2e-7)


class Stream:
    """One stream, and the Gaussian deviate that it has left."""

    def __init__(self, shared: Streams, seed: int) -> None:
        self.shared, self.state = shared, -abs(seed)
        self._spare: float | None = None

    def uniform(self) -> float:
        """Return a number from 0 to 1."""
        return self.shared.uniform(self)

    def gaussian(self) -> float:
        """Return a deviate by the polar method, of which every second is the spare of the one before."""
        if self._spare is not None:
            found, self._spare = self._spare, None
            return found
        while True:
            v1 = 2.0 * self.uniform() - 1.0
            v2 = 2.0 * self.uniform() - 1.0
            square = v1 * v1 + v2 * v2
            if 0.0 < square < 1.0:
                break
        factor = math.sqrt(-2.0 * math.log(square) / square)
        self._spare = v1 * factor
        return v2 * factor

    def poisson(self, mean: float) -> float:
        """Return a count."""
        if mean > 1e6:
            return mean + math.sqrt(mean) * self.gaussian()
        if mean < 12.0:
            least, product, count = math.exp(-mean), self.uniform(), 0
            while product > least:
                product *= self.uniform()
                count += 1
            return float(count)
        root, logarithm = math.sqrt(2.0 * mean), math.log(mean)
        g = mean * logarithm - _ln_gamma(mean + 1.0)
        while True:
            y = math.tan(math.pi * self.uniform())
            found = root * y + mean
            if found < 0.0:
                continue
            found = math.floor(found)
            level = 0.9 * (1.0 + y * y) * math.exp(found * logarithm - _ln_gamma(found + 1.0) - g)
            if self.uniform() <= level:
                return float(found)


def _ln_gamma(x: float) -> float:
    shifted = x + 5.5
    shifted -= (x + 0.5) * math.log(shifted)
    series = 1.000000000190015
    for number, coefficient in enumerate(_LANCZOS, start=1):
        series += coefficient / (x + number)
    return -shifted + math.log(2.5066282746310005 * series / x)


def add_noise(params: dict[str, Any], image: NDArray[np.float64], spread: Any) -> NDArray[np.float64]:
    """Return the ADU that add_noise makes of expected photons.

    Parameters
    ----------
    params : dict
        As the oracles have them.
    image : (n_slow, n_fast) [photons]
    spread : callable
        Spreads an image: image, kind, width in pixels, radius.
    """
    shared = Streams()
    photons = Stream(shared, params["seed"])
    (fast, slow) = params["roi"] or ((0, image.shape[1] - 1), (0, image.shape[0] - 1))
    places = [(s, f) for s in range(slow[0], slow[1] + 1) for f in range(fast[0], fast[1] + 1)]
    result = image.astype(np.float64)
    flicker, calibration = params["flicker_noise_pct"] / 100.0, params["calibration_noise_pct"] / 100.0
    for place in places:
        value = float(result[place])
        if value >= 0.0:
            if flicker > 0.0:
                value *= 1.0 + flicker * photons.gaussian()
            result[place] = photons.poisson(value)
    if calibration > 0.0:
        pixels = Stream(shared, params["calib_seed"])
        for place in places:
            result[place] *= 1.0 + calibration * pixels.gaussian()
    if params["psf_type"] != "Unknown":
        width = params["psf_fwhm_mm"] / params["pixel_size_mm"]
        result = spread(result, params["psf_type"].lower(), width, params["psf_radius"])
    for place in places:
        result[place] = result[place] * params["quantum_gain"] + params["adc_offset_adu"]
        if params["readout_noise_adu"] > 0.0:
            result[place] += params["readout_noise_adu"] * photons.gaussian()
    return result
