"""Noise and point spread as noisify.c makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..kernels.random import park_miller

PSF_KINDS = {"gauss": 0, "fiber": 1}
_LARGEST_KERNEL = 1 << 28  # pixels


@dataclass(frozen=True, eq=False)
class CReadout:
    """ADU before they become whole numbers, and the photons that they were made from."""

    adu: NDArray[np.float64]
    photons: float


def spread(
    image: NDArray[Any], kind: str, fwhm: float, radius: int = 0, say: Callable[[str], None] | None = None
) -> tuple[NDArray[Any], float]:
    """Spread an image as noisify and simtbx do, which accumulate in the type of the image.

    Parameters
    ----------
    image : (n_slow, n_fast) float32 or float64
    kind : str
        "gauss" or "fiber".
    fwhm : float [pixels]
    radius : int
        0 chooses it for every pixel by its brightness.
    say : callable, optional
        Receives the lines that noisify prints.

    Returns
    -------
    image : as the image
    lost : float
        Photons beyond the kernels, which are in the image, shared out among all pixels.
    """
    from ..kernels.readout import c_chain

    image = np.ascontiguousarray(image)
    number = PSF_KINDS[kind]
    reach = c_chain.largest_radius(number, image, fwhm, radius)
    say = say or (lambda line: None)
    if radius == 0:
        say(f"  maximum input photon/pixel: {max(0.0, float(image.max(initial=0.0))):g}")
        if reach > 0:
            say(f"  auto-selected psf_radius = {reach} pixels")
    if reach <= 0 and not radius < 0:
        return np.zeros_like(image), 0.0
    reach = min(max(int(reach), 0), max(image.shape))
    if (2 * reach + 1) ** 2 > _LARGEST_KERNEL:
        raise InputError(f"the kernel of the point spread would have {2 * reach + 1} pixels along an edge")
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    c_chain.fill_kernel(number, reach, fwhm, kernel)
    out = np.zeros(image.size + 1, image.dtype)
    lost = c_chain.spread(number, image, fwhm, radius, kernel, out)
    say(f"adding back {lost:g} lost photons")
    return out[:-1].reshape(image.shape), float(lost)


def read_out(
    photons: NDArray[np.float32],
    *,
    flicker: float,
    calibration: float,
    readout: float,
    gain: float,
    adc: float,
    seed: int,
    calibration_seed: int,
    psf: tuple[str, float, int] | None,
    width_um: float = 0.0,
    say: Callable[[str], None] | None = None,
) -> CReadout:
    """Draw the noise image of noisify.

    Parameters
    ----------
    photons : (n_slow, n_fast) float32
        Expected; left as they are.
    flicker, calibration : float
        Fractions.
    readout, adc : float [ADU]
    gain : float [ADU/photon]
    seed, calibration_seed : int
        As C's variables hold them: what is typed, negated.
    psf : (kind, fwhm [pixels], radius), optional
        Of the counts.
    width_um : float
        Width of the point spread, for the line that names it.
    say : callable, optional
        Receives the lines that noisify prints.

    Notes
    -----
    noisify.c:564-640. All streams share one shuffle table, so that the pattern of the calibration changes from shot to
    shot although its seed does not.
    """
    from ..kernels.random import c_stream
    from ..kernels.readout import c_chain

    counts = photons.reshape(-1).astype(np.float32)
    table, kept = c_stream.new_state()
    table[park_miller.VALUE] = seed
    seeds = np.array([seed, calibration_seed], dtype=np.int64)
    before = c_chain.draw_photons(counts, flicker, calibration, seeds, table, kept)
    image = counts.reshape(photons.shape)
    if psf is not None:
        if say is not None:
            say(f"{before:.0f} photons on noise image before PSF\n  applying PSF width = {width_um:g} um")
        image, _ = spread(image, *psf, say)
    adu = np.empty(counts.size)
    total = c_chain.read_out(image.reshape(-1), adu, gain, adc, readout, seeds, table, kept)
    return CReadout(adu.reshape(photons.shape), float(total))
