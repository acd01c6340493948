"""Spectra of the beam: channels, each with a photon energy and a weight."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, called
from ..geometry.vectors import Array
from ..io.contents import content_of
from ..io.spectrum_file import EV_ANGSTROM, HIGHEST, LOWEST, SpectrumFile
from ..parameters.settings import BeamSettings, Settings
from ..util.text import counted, is_whole, quote

FORMS = {
    "gauss": ("mean_ev", "fwhm_ev", "channels"),
    "sase": ("mean_ev", "fwhm_ev", "spike_ev", "channels"),
    "pink": ("peak_ev", "fwhm_ev", "tail_ev", "channels"),
}
_SIGMA = 1.0 / math.sqrt(8.0 * math.log(2.0))  # of a Gaussian whose full width at half maximum is 1
_HALF_RANGE = 1.5  # full widths on either side of a Gaussian: 4e-4 of it lies outside
_TAIL = 8.0  # decay lengths of an exponential tail: 3e-4 of it lies beyond
_POINTS_PER_SPIKE = 8
_MOST_POINTS = 1 << 22  # of the field of a SASE pulse
DEFAULT_SEED = 1


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The channels of a polychromatic beam.

    Attributes
    ----------
    energies : (n,) [eV]
        Rising.
    weights : (n,)
        Above 0; they add up to 1.
    origin : str
        How it came about, as JSON, for the ground truth.
    """

    energies: Array
    weights: Array
    origin: str

    @property
    def wavelengths(self) -> Array:
        """Wavelength of each channel, (n,) [m]."""
        return np.asarray((EV_ANGSTROM / self.energies) / 1.0e10)

    @property
    def mean_wavelength(self) -> float:
        """Mean of the wavelength by weight [m]."""
        return float(np.sum(self.weights * self.wavelengths))


def spectrum_of(settings: Settings) -> Spectrum | None:
    """Return the spectrum that the settings ask for; None where they ask for none.

    Raises
    ------
    FileError
        A file is missing or cannot be read.
    InputError
        The spectrum is malformed, or contradicts other settings.
    """
    beam = settings.beam
    if beam.spectrum is None and beam.spectrum_file is None:
        for name, value in (
            ("spectrum_shot", beam.spectrum_shot),
            ("spectrum_seed", beam.spectrum_seed),
            ("spectrum_shift_ev", beam.spectrum_shift or None),
        ):
            if value is not None:
                raise InputError(
                    f"{called(name)}: {value:g} has no spectrum to act on; give {called('spectrum')} or "
                    f"{called('spectrum_file')}"
                )
        return None
    _check_contradictions(beam)
    if beam.spectrum_file is not None:
        shot = beam.spectrum_shot
        energies, weights = content_of(SpectrumFile, beam.spectrum_file, called("spectrum_file")).spectrum(shot)
        origin: dict[str, object] = {"file": beam.spectrum_file, "shot": shot or 0}
        place = f"{called('spectrum_file')} {beam.spectrum_file}"
    else:
        assert beam.spectrum is not None
        place = f"{called('spectrum')} {beam.spectrum}"
        seed = DEFAULT_SEED if beam.spectrum_seed is None else beam.spectrum_seed
        energies, weights, random = _drawn(beam.spectrum, seed, place)
        if beam.spectrum_seed is not None and not random:
            raise InputError(
                f"{called('spectrum_seed')}: {seed} has no effect on {quote(beam.spectrum)}; it goes with sase"
            )
        origin = {"spectrum": beam.spectrum} | ({"seed": seed} if random else {})
    if beam.spectrum_shift != 0.0:
        energies = energies + beam.spectrum_shift
        origin["shift_ev"] = beam.spectrum_shift
        place += f" with {called('spectrum_shift_ev')} {beam.spectrum_shift:g}"
    if energies[0] < LOWEST or energies[-1] > HIGHEST:
        raise InputError(
            f"{place}: has photon energies from {energies[0]:g} to {energies[-1]:g} eV; allowed are {LOWEST:g} to "
            f"{HIGHEST:g}"
        )
    counted = weights > 0.0
    return Spectrum(energies[counted], weights[counted] / np.sum(weights), json.dumps(origin))


def _check_contradictions(beam: BeamSettings) -> None:
    """Refuse what says in another way which wavelengths there are."""
    here = called("spectrum" if beam.spectrum is not None else "spectrum_file")
    others = {
        called("spectrum_file"): beam.spectrum is not None and beam.spectrum_file is not None,
        called("dispersion_percent"): beam.dispersion != 0.0,
        called("dispsteps"): beam.dispsteps is not None,
        called("sources"): beam.source_file is not None,
    }
    for other, given in others.items():
        if given:
            raise InputError(f"{here}: contradicts {other}; give one of the two")
    if beam.spectrum_file is None and beam.spectrum_shot is not None:
        raise InputError(
            f"{called('spectrum_shot')}: {beam.spectrum_shot} goes with {called('spectrum_file')}; leave it out"
        )
    if beam.spectrum is None and beam.spectrum_seed is not None:
        raise InputError(
            f"{called('spectrum_seed')}: {beam.spectrum_seed} goes with {called('spectrum')} sase; leave it out"
        )


def _drawn(text: str, seed: int, place: str) -> tuple[Array, Array, bool]:
    """Return energies [eV] and weights of a spectrum by name, and whether a seed has a part in it."""
    name, _, rest = text.partition(":")
    if name not in FORMS:
        forms = ", ".join(":".join((form, *numbers)) for form, numbers in FORMS.items())
        raise InputError(
            f"{called('spectrum')}: {quote(text)} is unknown; allowed: {forms}; a file is given by "
            f"{called('spectrum_file')}"
        )
    values, channels = _numbers(name, rest, place)
    if name == "sase":
        return *_sase(values, channels, seed, place), True
    make: Callable[[list[float], int], tuple[Array, Array]] = _gauss if name == "gauss" else _pink
    return *make(values, channels), False


def _numbers(name: str, rest: str, place: str) -> tuple[list[float], int]:
    """Return the numbers of a form, the last of which counts channels."""
    words, names = rest.split(":"), FORMS[name]
    if len(words) != len(names):
        raise InputError(f"{place}: {counted(len(words), 'value')}; allowed: {':'.join((name, *names))}")
    values = []
    for word, what in zip(words[:-1], names, strict=False):
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not 0.0 < value <= HIGHEST:
            raise InputError(f"{place}: {what} is {quote(word)}; allowed is a number above 0, up to {HIGHEST:g}")
        values.append(value)
    from ..io.nexus.spectrum import MOST_CHANNELS

    if not is_whole(words[-1], 1, MOST_CHANNELS):
        raise InputError(
            f"{place}: channels is {quote(words[-1])}; allowed are whole numbers from 1 to {MOST_CHANNELS}"
        )
    return values, int(words[-1])


def _edges(low: float, high: float, channels: int) -> Array:
    return np.linspace(low, high, channels + 1)


def _shares(edges: Array, cumulative: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Return the middles of channels, and the part of a distribution that lies in each."""
    middles = (edges[:-1] + edges[1:]) / 2.0
    return middles, np.diff(cumulative(edges))


def _gauss(values: list[float], channels: int) -> tuple[Array, Array]:
    """Gaussian of a mean and a full width at half maximum, over 1.5 widths on either side."""
    from scipy.special import ndtr

    mean, fwhm = values
    edges = _edges(mean - _HALF_RANGE * fwhm, mean + _HALF_RANGE * fwhm, channels)
    return _shares(edges, lambda energy: np.asarray(ndtr((energy - mean) / (_SIGMA * fwhm))))


def _pink(values: list[float], channels: int) -> tuple[Array, Array]:
    """Harmonic of an undulator: a Gaussian edge with an exponential tail to lower energies.

    Notes
    -----
    The sum of a Gaussian energy and of an exponential one, taken off (an exponentially modified Gaussian): its mean is
    peak - tail, its variance (fwhm/2.3548)^2 + tail^2. With z = (peak - E)/sigma, r = sigma/tail the part of it above E
    is ndtr(z) - exp(r^2/2 - r z) ndtr(z - r).
    """
    from scipy.special import log_ndtr, ndtr

    peak, fwhm, tail = values
    sigma, ratio = _SIGMA * fwhm, _SIGMA * fwhm / tail
    edges = _edges(peak - _HALF_RANGE * fwhm - _TAIL * tail, peak + _HALF_RANGE * fwhm, channels)

    def cumulative(energy: Array) -> Array:
        z = (peak - energy) / sigma
        return np.asarray(-(ndtr(z) - np.exp(ratio * ratio / 2.0 - ratio * z + log_ndtr(z - ratio))))

    middles, weights = _shares(edges, cumulative)
    return middles, np.maximum(weights, 0.0)  # rounding of what cancels far out


def _sase(values: list[float], channels: int, seed: int, place: str) -> tuple[Array, Array]:
    """One pulse of self-amplified spontaneous emission: random spikes under a Gaussian envelope.

    Notes
    -----
    The field is complex Gaussian noise; smoothed so that intensities at energies E and E + x are correlated like
    exp(-x^2/2 s^2), of a full width at half maximum of spike_ev. Intensities are distributed exponentially, as those of
    a free-electron laser before saturation, and their mean over many seeds is the envelope (E. L. Saldin et al.,
    Opt. Commun. 148, 383 (1998)).
    """
    from scipy.ndimage import gaussian_filter1d

    mean, fwhm, spike = values
    width = 2.0 * _HALF_RANGE * fwhm
    per_channel = math.ceil(width / channels * _POINTS_PER_SPIKE / spike)
    smoothing = _SIGMA * spike / (width / (channels * per_channel))  # points
    margin = math.ceil(5.0 * smoothing)
    points = channels * per_channel + 2 * margin
    if points > _MOST_POINTS:
        least = _POINTS_PER_SPIKE * width / _MOST_POINTS
        raise InputError(
            f"{place}: spikes of {spike:g} eV are too narrow for a width of {fwhm:g} eV, or the channels too many; "
            f"allowed are spikes from about {least:.2g} eV"
        )
    noise = np.random.Generator(np.random.Philox(seed)).standard_normal((2, points))
    field = gaussian_filter1d(noise, smoothing, axis=1, mode="constant")[:, margin : points - margin]
    fine = _edges(mean - width / 2.0, mean + width / 2.0, channels * per_channel)
    fine = (fine[:-1] + fine[1:]) / 2.0
    envelope = np.exp(-0.5 * ((fine - mean) / (_SIGMA * fwhm)) ** 2)
    weights = (np.sum(field**2, axis=0) * envelope).reshape(channels, per_channel).sum(axis=1)
    return fine.reshape(channels, per_channel).mean(axis=1), weights
