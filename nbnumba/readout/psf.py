"""Point spread of a detector: one kernel for the whole image, integrated over pixels and normalized over the plane.

What lies beyond the kernel is not given back, and what leaves the image is gone; both are reported.
"""

from __future__ import annotations

import functools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io.opening import label, read_text
from ..kernels.readout.steps import SeparableSpread
from ..util.text import counted
from .charge import counting_kernel

Array = NDArray[np.float64]

KINDS = ("gauss", "fiber", "moffat", "charge", "file")
FIBER_EXPONENT = 1.5
LOST = 1e-3  # of a long-tailed kernel, at most, beyond its radius
_GAUSS_LOST = 1e-9
_LARGEST_KERNEL = 4097  # pixels along an edge of a kernel file
WIDEST = 1e4  # pixels
_STEP = 0.125  # of ln t, between the Gaussians that make up a Moffat function
_SMALLEST_PART = 1e-13  # of a kernel that is cut into products, relative to the largest
_BAND = 128  # rows that a thread convolves at a time
_LEAST_THRESHOLD = 0.05
DIRECT = 2  # radius up to which a sum over the kernel is quicker than transforms


@dataclass(frozen=True)
class Kernel:
    """Numbers of a kernel, float64 line by line, and the file that they come from."""

    numbers: bytes
    shape: tuple[int, int]
    file: str

    @property
    def array(self) -> Array:
        """The numbers, of `shape`; they cannot be changed."""
        return np.frombuffer(self.numbers).reshape(self.shape)


@dataclass(frozen=True)
class PointSpread:
    """A point spread function.

    Attributes
    ----------
    kind : str
        One of `KINDS`. "fiber" is a Moffat function of exponent 3/2, as of a fiber-coupled CCD.
    fwhm : float
        Full width at half maximum [pixels]; of no meaning for "file".
    exponent : float
        Of a Moffat function, above 1: (1 + r^2/alpha^2)^-exponent.
    radius : int
        Pixels from the middle of the kernel to its edge; 0: as many as keep `LOST` beyond it, at most the longer edge
        of the image.
    kernel : Kernel or None
        For "file".
    threshold : float
        For "charge": the part of a photon's charge from which on a pixel counts it.
    """

    kind: str
    fwhm: float = 0.0
    exponent: float = FIBER_EXPONENT
    radius: int = 0
    kernel: Kernel | None = None
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"point spread {self.kind!r}: allowed are {', '.join(KINDS)}")
        if (self.kind == "file") != (self.kernel is not None):
            raise InputError(f"point spread {self.kind!r}: a kernel goes with 'file' alone, and is needed there")
        if self.kind != "file" and not 0.0 < self.fwhm <= WIDEST:
            raise InputError(
                f"the width of the point spread is {self.fwhm:g} pixels; allowed are above 0 to {WIDEST:g}"
            )
        if not self.exponent > 1.0:
            raise InputError(f"the exponent of a Moffat function is {self.exponent:g}; its integral needs more than 1")
        if not _LEAST_THRESHOLD <= self.threshold <= 1.0 - _LEAST_THRESHOLD:
            raise InputError(
                f"the threshold of charge sharing is {self.threshold:g}; allowed are {_LEAST_THRESHOLD:g} to "
                f"{1.0 - _LEAST_THRESHOLD:g} of the charge"
            )
        if self.radius < 0:
            raise InputError(f"the radius of the point spread is {self.radius}; allowed are 0 (automatic) and more")


@dataclass(frozen=True, eq=False)
class SpreadImage:
    """A spread image, and the photons that did not stay in it."""

    image: Array
    beyond: float  # fraction that lies beyond the kernel
    sums: tuple[float, float]  # photons before and afterwards

    @property
    def left(self) -> float:
        """Photons that left the image."""
        before, after = self.sums
        return max(0.0, before * (1.0 - self.beyond) - after)


def parse(word: str, fwhm: float, option: str, radius: int = 0, kernel: Kernel | None = None) -> PointSpread:
    """Read ``gauss``, ``fiber``, ``moffat:EXPONENT``, ``charge``, ``charge:THRESHOLD`` or ``file``; `fwhm` in pixels.

    Raises
    ------
    InputError
        For another word, an exponent that is not above 1, or a threshold that is not from 0.05 to 0.95.
    """
    kind, colon, text = word.partition(":")
    exponent, threshold = FIBER_EXPONENT, 0.5
    if kind == "moffat":
        try:
            exponent = float(text)
        except ValueError:
            exponent = math.nan
        if not 1.0 < exponent <= 1000.0:
            raise InputError(f"{option}: the exponent of {word!r} must be above 1, up to 1000, e.g. moffat:2.5")
    elif kind == "charge" and colon:
        try:
            threshold = float(text)
        except ValueError:
            threshold = math.nan
        if not _LEAST_THRESHOLD <= threshold <= 1.0 - _LEAST_THRESHOLD:
            raise InputError(f"{option}: the threshold of {word!r} must be from 0.05 to 0.95, e.g. charge:0.5")
    elif colon or kind not in KINDS:
        raise InputError(f"{option}: {word!r}; allowed are gauss, fiber, moffat:EXPONENT, charge:THRESHOLD and file")
    return PointSpread(kind, fwhm, exponent, radius, kernel, threshold)


def radius_of(spread: PointSpread, longest: int, lost: float = LOST) -> int:
    """Return the radius of the kernel [pixels] for an image whose longer edge has `longest` pixels."""
    if spread.radius > 0:
        return min(spread.radius, longest)
    if spread.kind == "gauss":
        radius = spread.fwhm * math.sqrt(-math.log(_GAUSS_LOST) / math.log(16.0))
    else:
        exponent = spread.exponent if spread.kind == "moffat" else FIBER_EXPONENT
        # exp and log, as the power overflows for exponents near 1.
        squared = -math.log(lost) / (exponent - 1.0)
        alpha = moffat_alpha(spread.fwhm, exponent)
        radius = alpha * math.sqrt(math.expm1(min(squared, 700.0)))
    return max(1, min(math.ceil(min(radius, 1e9)), longest))


def moffat_alpha(fwhm: float, exponent: float) -> float:
    """Scale of a Moffat function of a width: fwhm = 2 alpha sqrt(2^(1/exponent) - 1)."""
    return fwhm / (2.0 * math.sqrt(math.expm1(math.log(2.0) / exponent)))


def quarter(spread: PointSpread, radius: int) -> Array:
    """Integrals over the pixels from the middle of the kernel to its lower right corner, (radius + 1, radius + 1).

    Notes
    -----
    A Moffat function is a mixture of Gaussians, (1 + s)^-b = 1/Gamma(b) integral t^(b-1) exp(-t (1 + s)) dt, and the
    integral over a pixel of each of them is a product of two differences of error functions. The trapezoidal sum over
    ln t converges to rounding. The fiber's integral has a closed form.
    """
    if spread.kind == "gauss":
        along = gauss_integrals(np.array([gauss_inverse(spread)]), radius)
        return np.asarray(np.outer(along[0], along[0]))
    if spread.kind == "fiber":
        return _fiber_quarter(moffat_alpha(spread.fwhm, FIBER_EXPONENT), radius)
    weights, along = mixture(spread, radius)
    return np.asarray((along * weights[:, None]).T @ along)


def gauss_inverse(spread: PointSpread) -> float:
    """Inverse width of a Gaussian point spread, see `gauss_integrals` [1/pixel]."""
    return 2.0 * math.sqrt(math.log(2.0)) / spread.fwhm


def mixture(spread: PointSpread, radius: int) -> tuple[Array, Array]:
    """Weights (n,) of the Gaussians of a Moffat function; integrals over pixels 0 to radius, (n, radius + 1)."""
    weights, inverse = mixture_widths(spread, radius)
    return weights, gauss_integrals(inverse, radius)


def mixture_widths(spread: PointSpread, radius: int) -> tuple[Array, Array]:
    """Weights of the Gaussians of a Moffat function, and their inverse widths, (n,) each."""
    exponent = spread.exponent if spread.kind == "moffat" else FIBER_EXPONENT
    alpha, power = moffat_alpha(spread.fwhm, exponent), exponent - 1.0
    # Below the least t a Gaussian is far wider than the kernel and has next to nothing in it.
    least = 2.0 * math.log(alpha / (radius + 1.0)) - 40.0
    ln_t = np.arange(min(least, -40.0), math.log(60.0 + 2.0 * power), _STEP)
    weights = _STEP * np.exp(power * ln_t - np.exp(ln_t) - math.lgamma(power))
    return weights, np.exp(0.5 * ln_t) / alpha


def gauss_integrals(inverse_widths: Array, radius: int) -> Array:
    """Integrals over pixels 0 to radius of Gaussians exp(-(k x)^2) k/sqrt(pi), (n, radius + 1)."""
    from scipy.special import erf, erfc

    edges = np.arange(radius + 2) - 0.5
    scaled = inverse_widths[:, None] * edges
    near, far = erf(scaled), erfc(scaled)
    # Differences of erf lose their digits in the tail, those of erfc do not.
    return np.asarray(np.where(scaled[:, 1:] < 0.5, near[:, 1:] - near[:, :-1], far[:, :-1] - far[:, 1:]) / 2.0)


def _fiber_quarter(g: float, radius: int) -> Array:
    """Integrals of g/(2 pi) (g^2 + r^2)^(-3/2) over pixels.

    Notes
    -----
    From differences of atan(x y/(g sqrt(g^2 + x^2 + y^2)))/(2 pi) over the corners; far from the middle these
    cancel, and the density at Gauss points of the pixel is summed instead.
    """
    edges = np.arange(radius + 2) - 0.5
    x, y = edges[None, :], edges[:, None]
    corner = np.arctan(x * y / (g * np.sqrt(g * g + x * x + y * y))) / (2.0 * math.pi)
    values = np.asarray(corner[1:, 1:] - corner[1:, :-1] - corner[:-1, 1:] + corner[:-1, :-1])
    nodes, weights = np.polynomial.legendre.leggauss(8)
    center = np.arange(radius + 1)[:, None] + nodes / 2.0
    far = np.hypot(*np.meshgrid(np.arange(radius + 1), np.arange(radius + 1))) > 12
    rows = np.flatnonzero(far.any(axis=1))
    for row in rows:
        columns = np.flatnonzero(far[row])
        squared = g * g + center[row][:, None, None] ** 2 + center[columns][None, :, :] ** 2
        density = g / (2.0 * math.pi) * squared**-1.5
        values[row, columns] = np.einsum("i,ijk,k->j", weights / 2.0, density, weights / 2.0)
    return values


def full_kernel(spread: PointSpread, longest: int) -> Array:
    """The whole kernel, (2 radius + 1, 2 radius + 1) or as the file has it."""
    if spread.kernel is not None:
        return spread.kernel.array
    if spread.kind == "charge":
        return counting_kernel(spread.fwhm, spread.threshold)
    part = quarter(spread, radius_of(spread, longest))
    return whole_kernel(part)


def whole_kernel(part: Array) -> Array:
    """Return a kernel from its quarter."""
    half = np.concatenate([part[:0:-1], part])
    return np.concatenate([half[:, :0:-1], half], axis=1)


def read_kernel(path: str, option: str = "") -> Kernel:
    """Read a kernel: lines of as many numbers, odd in both directions; its sum is what of a photon stays within it.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        A word is not a number or negative, lines differ in length, or the sum is 0 or above 1.
    """
    rows: list[list[float]] = []
    for number, line in enumerate(read_text(path, option).splitlines(), start=1):
        words = line.split("#", 1)[0].replace(",", " ").split()
        if not words:
            continue
        place = label(option, path, number)
        try:
            values = [float(word) for word in words]
        except ValueError:
            raise InputError(f"{place}: not numbers alone") from None
        if not all(0.0 <= value < math.inf for value in values):
            raise InputError(f"{place}: allowed are finite numbers of 0 and more")
        if rows and len(values) != len(rows[0]):
            raise InputError(f"{place}: {counted(len(values), 'number')}; the lines before hold {len(rows[0])}")
        rows.append(values)
    kernel = np.array(rows)
    if not rows or not all(size % 2 == 1 and size <= _LARGEST_KERNEL for size in kernel.shape):
        found = f"{len(rows[0])} x {len(rows)}" if rows else "nothing"
        raise InputError(f"{label(option, path)}: holds {found}; allowed are odd numbers of columns and lines")
    if not 0.0 < kernel.sum() <= 1.0 + 1e-6:
        raise InputError(f"{label(option, path)}: the sum is {kernel.sum():g}; allowed are above 0 to 1")
    return Kernel(kernel.tobytes(), kernel.shape, path)


def apply(image: NDArray[Any], spread: PointSpread, threads: int = 1) -> SpreadImage:
    """Spread an image.

    Parameters
    ----------
    image : (n_slow, n_fast)
    spread : PointSpread
    threads : int

    Returns
    -------
    SpreadImage
        The image is float64: beside a bright pixel float32 is wrong by a tenth of a photon.
    """
    source = np.asarray(image, dtype=np.float64)
    result, kept = convolved(source, spread, threads)
    if not np.any(source < 0.0):
        np.maximum(result, 0.0, out=result)  # what rounding leaves of nothing
    return SpreadImage(result, 1.0 - kept, (float(source.sum()), float(result.sum())))


def convolved(source: Array, spread: PointSpread, threads: int) -> tuple[Array, float]:
    """Spread an image; return what of a photon lies in the kernel, too."""
    longest = max(source.shape)
    if spread.kind == "gauss":
        along = symmetric(gauss_integrals_of(spread, longest))
        return along_axes(source, along, along, threads), float(along.sum()) ** 2
    if spread.kind in ("file", "charge") or radius_of(spread, longest) <= DIRECT:
        kernel = full_kernel(spread, longest)
        return summed(source, kernel), float(kernel.sum())
    radius = radius_of(spread, longest)
    transform, kept = _transform(spread, radius, *source.shape)
    return transformed(source, transform, radius, threads), kept


@functools.lru_cache(maxsize=2)
def separable(spread: PointSpread, longest: int) -> tuple[SeparableSpread, float]:
    """Return the kernel as a sum of products, and what of a photon lies in it.

    Notes
    -----
    Of the singular values of the kernel those below 1e-13 of the largest are left out. A Moffat function is a mixture
    of Gaussians (see `quarter`), each a product, so that a matrix of their rows is decomposed, not the kernel.
    """
    if spread.kind == "gauss":
        along = symmetric(gauss_integrals_of(spread, longest))[None]
        return SeparableSpread(along, along), float(along.sum()) ** 2
    if spread.kind in ("file", "charge"):
        kernel = full_kernel(spread, longest)
        left, sizes, right = np.linalg.svd(kernel, full_matrices=False)
        chosen = sizes > _SMALLEST_PART * sizes[0]
        roots = np.sqrt(sizes[chosen])[:, None]
        parts = (np.ascontiguousarray(roots * some[chosen]) for some in (left.T, right))
        return SeparableSpread(*parts), float(kernel.sum())
    weights, along = mixture(spread, radius_of(spread, longest))
    _, sizes, rows = np.linalg.svd(np.sqrt(weights)[:, None] * along, full_matrices=False)
    chosen = sizes**2 > _SMALLEST_PART * sizes[0] ** 2
    half = sizes[chosen, None] * rows[chosen]
    whole = np.ascontiguousarray(np.concatenate([half[:, :0:-1], half], axis=1))
    return SeparableSpread(whole, whole), float(np.sum(whole.sum(axis=1) ** 2))


def gauss_integrals_of(spread: PointSpread, longest: int) -> Array:
    """Integrals over pixels of a Gaussian point spread, from the middle of its kernel to the edge."""
    return np.asarray(gauss_integrals(np.array([gauss_inverse(spread)]), radius_of(spread, longest))[0])


def symmetric(half: Array) -> Array:
    """Return a row from its middle and what is to the right."""
    return np.concatenate([half[:0:-1], half])


def along_axes(image: Array, slow: Array, fast: Array, threads: int) -> Array:
    """Convolve along slow and along fast with kernels of the same length, band after band of rows."""
    from scipy.ndimage import convolve1d

    out, reach = np.empty(image.shape), len(slow) // 2

    def band(first: int) -> None:
        last = min(first + _BAND, len(image))
        start = max(0, first - reach)
        # What is cut off above and below is too far away to be seen.
        rows = convolve1d(image[start : last + reach], slow, axis=0, mode="constant")[first - start :][: last - first]
        convolve1d(rows, fast, axis=1, mode="constant", output=out[first:last])

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for _ in pool.map(band, range(0, len(image), _BAND)):
            pass
    return out


def summed(image: Array, kernel: Array) -> Array:
    """Convolve with any kernel."""
    from scipy.ndimage import convolve
    from scipy.signal import fftconvolve

    if kernel.size <= (2 * DIRECT + 1) ** 2:
        return np.asarray(convolve(image, kernel, mode="constant"))
    rows, columns = (size // 2 for size in kernel.shape)
    whole = fftconvolve(image, kernel, mode="full")
    return np.asarray(whole[rows : rows + image.shape[0], columns : columns + image.shape[1]])


@functools.lru_cache(maxsize=2)
def _transform(spread: PointSpread, radius: int, n_slow: int, n_fast: int) -> tuple[Array, float]:
    """Transform of the kernel, (rows/2 + 1, columns/2 + 1), real as the kernel is symmetric; and its sum."""
    part = quarter(spread, radius)
    double = np.full(radius + 1, 2.0)
    double[0] = 1.0
    return transform_of(part, radius, n_slow, n_fast), float(double @ part @ double)


def transform_of(part: Array, radius: int, n_slow: int, n_fast: int) -> Array:
    """Transform of a kernel that is given by its quarter."""
    from scipy.fft import dctn, next_fast_len

    sizes = [2 * next_fast_len((n + min(radius, n) + 1) // 2 + 1, real=True) for n in (n_slow, n_fast)]
    padded = np.zeros([size // 2 + 1 for size in sizes])
    # Periods shorter than the kernel cannot be: an image of n pixels sees the kernel up to n - 1 pixels away.
    rows, columns = (min(radius + 1, n, size // 2 + 1) for n, size in zip((n_slow, n_fast), sizes, strict=True))
    padded[:rows, :columns] = part[:rows, :columns]
    return np.asarray(dctn(padded, type=1))


def transformed(image: Array, transform: Array, radius: int, threads: int) -> Array:
    """Convolve with a kernel by its transform."""
    from scipy.fft import irfft2, rfft2

    rows, columns = (2 * (size - 1) for size in transform.shape)
    spectrum = rfft2(image, (rows, columns), workers=threads)
    half = rows // 2
    spectrum[: half + 1] *= transform
    spectrum[half + 1 :] *= transform[half - 1 : 0 : -1]
    whole = irfft2(spectrum, (rows, columns), workers=threads, overwrite_x=True)
    return np.ascontiguousarray(whole[: image.shape[0], : image.shape[1]])
