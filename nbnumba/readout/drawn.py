"""Pixels with noise, as files of a batch hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .model import Readout


def drawn_pixels(
    photons: NDArray[np.float32],
    dtype: str,
    seed: int | None,
    number: int | None,
    readout: Readout | None = None,
    *,
    threads: int = 1,
    device: int | None = None,
) -> tuple[NDArray[Any], int]:
    """Draw the noise of an image, if it is to have any, and make the numbers that a file holds.

    Parameters
    ----------
    photons : (n_slow, n_fast) or (panels, n_slow, n_fast) float32
    dtype : {"float32", "int32", "uint16"}
    seed : int or None
        None: without noise.
    number : int or None
        Of the image in the series of the counted generator; None: the generator is C's.
    readout : Readout, optional
        What the detector does besides.
    threads : int
        Of the processor; they change no pixel.
    device : int, optional
        GPU that draws.

    Returns
    -------
    pixels : array of the dtype
    clipped : int
        Pixels that hold something else than their nearest number.

    Notes
    -----
    Drawn counts end at 2147483645, those of float32 images too.
    """
    from .digitize import to_dtype
    from .poisson import poisson_image_c, poisson_image_counter

    if seed is None:
        return to_dtype(photons, dtype)
    if readout is not None:
        from .chain import read_out

        detected = read_out(photons, readout, seed, number or 0, threads, device=device)
        pixels, clipped = to_dtype(detected.pixels, dtype)
        return pixels, clipped + detected.overloads
    rows = photons.reshape(-1, photons.shape[-1])  # panels one below the other
    if number is None:
        noisy = poisson_image_c(rows, seed, 0.0, dtype="int32")
    else:
        noisy = poisson_image_counter(
            rows, seed, 0.0, image_number=number, threads=threads, device=device, dtype="int32"
        )
    pixels, clipped = to_dtype(noisy.counts.reshape(photons.shape), dtype)
    return pixels, clipped + noisy.overloads
