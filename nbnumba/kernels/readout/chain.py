"""From expected photons to what a detector writes, with random numbers counted by pixel.

Every number depends on the seed, the image, what it is for, and the pixel alone: the images are the same for any
number of threads, for a region as for the whole, and on a GPU.
"""

import numpy as np

from ..jit import strict, strict_inner
from ..physics.intrinsics import round_even, rounded_product
from ..random.counter import exponential, poisson_count
from ..random.counter_rows import prepare, quick_count
from .normal import CALIBRATION, DARK, FLICKER, PIXEL_FLICKER, READOUT, gaussian, gaussians

_STRIP = 256  # pixels whose random numbers are worked out together
_FIRST_IMAGE = np.uint64(0)  # what is the same in every image is counted as of this one


@strict
def flicker_factor(fraction, seed, image):
    """Brightness of an image of a flickering source, 1 on average and never below 0."""
    return max(0.0, 1.0 + rounded_product(fraction, gaussian(seed, image, FLICKER, np.uint64(0))))


@strict_inner
def sensitivity_deviate(calibration_seed, pixel):
    """Gaussian deviate of a pixel's sensitivity, the same in every image."""
    return gaussian(calibration_seed, _FIRST_IMAGE, CALIBRATION, pixel)


@strict_inner
def flicker_deviate(seed, image, pixel):
    """Gaussian deviate of the flicker of a pixel, another one in every image."""
    return gaussian(seed, image, PIXEL_FLICKER, pixel)


@strict_inner
def detected(mean, factor, flicker, flickers, calibration, deviate, dead):
    """Photons that a pixel is expected to count.

    Parameters
    ----------
    mean : float
        Photons that are expected to arrive, before flicker.
    factor : float
        Brightness of this image.
    flicker : float
        Fraction by which the brightness differs from pixel to pixel; drawn anew in every image.
    flickers : float
        Deviate of the pixel, by `flicker_deviate`.
    calibration : float
        Fraction by which the sensitivities of pixels differ; the same in every image.
    deviate : float
        The pixel's, by `sensitivity_deviate`.
    dead : float
        Dead time over exposure time. A paralysable counter sees n exp(-n dead) of n photons.
    """
    value = mean * factor
    if flicker > 0.0:
        value *= max(0.0, 1.0 + rounded_product(flicker, flickers))
    if calibration > 0.0:
        value *= max(0.0, 1.0 + rounded_product(calibration, deviate))
    if dead > 0.0 and value > 0.0:
        value *= exponential(rounded_product(value, dead))
    return value


@strict
def count_rows(
    mean, photons, first_pixel, first, last, noise, factor, flicker, calibration, calibration_seed, dead, seed, image
):
    """Draw the photons that rows first to last count.

    Parameters
    ----------
    mean : (n_slow, n_fast) float32 [photons]
    photons : (n_slow, n_fast) float32 or float64
        Written.
    first_pixel : uint64
        Number of the panel's first pixel.
    first, last : int
    noise : bool
        Draw counts; else what is expected is written.
    factor, flicker, calibration, calibration_seed, dead : see `detected`
    seed, image : uint64

    Returns
    -------
    float
        Sum of the photons.
    """
    n_fast = mean.shape[1]
    u, v, p = np.empty(_STRIP), np.empty(_STRIP), np.empty(_STRIP)
    expected, deviates, flickers = np.empty(_STRIP, np.float32), np.zeros(_STRIP), np.zeros(_STRIP)
    tails, places = np.empty(_STRIP), np.empty(_STRIP, np.int64)
    total = 0.0
    for slow in range(first, last + 1):
        for start in range(0, n_fast, _STRIP):
            count = min(_STRIP, n_fast - start)
            pixel = first_pixel + np.uint64(slow) * np.uint64(n_fast) + np.uint64(start)
            if flicker > 0.0:
                gaussians(seed, image, PIXEL_FLICKER, pixel, flickers[:count], tails, places)
            if calibration > 0.0:
                gaussians(calibration_seed, _FIRST_IMAGE, CALIBRATION, pixel, deviates[:count], tails, places)
            for w in range(count):
                arriving = np.float64(mean[slow, start + w])
                expected[w] = detected(arriving, factor, flicker, flickers[w], calibration, deviates[w], dead)
            if noise:
                prepare(expected[:count], pixel, seed, image, u, v, p, places)
            for w in range(count):
                value = np.float64(expected[w])
                if noise:
                    value = quick_count(value, u[w], p[w], seed, image, pixel + np.uint64(w))
                photons[slow, start + w] = value
                total += value
    return total


@strict_inner
def converted(photons, gain, offset, readout, deviate, dark, seed, image, pixel):
    """Whole number that a pixel's photons are converted to, whatever a file can hold; see `read_rows`.

    `deviate` is Gaussian, of purpose READOUT.
    """
    value = rounded_product(photons, gain) + offset
    if dark > 0.0:
        value += poisson_count(dark, seed ^ DARK, image, pixel)
    if readout > 0.0:
        value += rounded_product(readout, deviate)
    return round_even(value)


@strict
def read_rows(photons, pixels, first_pixel, first, last, gain, offset, readout, dark, top, seed, image):
    """Convert rows of photons to the numbers that a detector writes.

    Parameters
    ----------
    photons : (n_slow, n_fast) float32 or float64
    pixels : (n_slow, n_fast) of a whole-number type
        Written: rounded, not below 0 and not above `top`.
    first_pixel, seed, image : uint64
    first, last : int
    gain : float [ADU/photon]
    offset, readout : float [ADU]
        Added, and the standard deviation of the readout.
    dark : float [ADU]
        Mean of the dark current of an exposure; its variance is as large.
    top : float
        The largest number; pixels above it are overloads.

    Returns
    -------
    overloads : int
    below : int
        Pixels that would have been negative.
    """
    n_fast = photons.shape[1]
    overloads = below = 0
    deviates, tails, places = np.zeros(_STRIP), np.empty(_STRIP), np.empty(_STRIP, np.int64)
    for slow in range(first, last + 1):
        for start in range(0, n_fast, _STRIP):
            count = min(_STRIP, n_fast - start)
            pixel = first_pixel + np.uint64(slow) * np.uint64(n_fast) + np.uint64(start)
            if readout > 0.0:
                gaussians(seed, image, READOUT, pixel, deviates[:count], tails, places)
            for w in range(count):
                value = converted(
                    np.float64(photons[slow, start + w]), gain, offset, readout, deviates[w], dark, seed, image,
                    pixel + np.uint64(w),
                )  # fmt: skip
                if value > top:
                    value = top
                    overloads += 1
                elif not value >= 0.0:
                    below += 1
                    value = 0.0
                pixels[slow, start + w] = value
    return overloads, below
