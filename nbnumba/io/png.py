"""PNG pictures of diffraction images for people: spots and background both visible, dark on light."""

from __future__ import annotations

import io
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .atomic import PathLike, whole_file
from .png_marks import Annotations, Rings, annotated, with_beam_mark, with_rings

_LARGEST_SIDE = 2048  # pixels of the picture
_SMALLEST_SIDE = 640  # smaller images are enlarged, so that labels can be read
_LARGEST_ENLARGEMENT = 8
_SAMPLE = 1 << 18  # pixels that the contrast is measured on
_DECADES = 4.0  # between the softest gray and a strong pixel
_HEADROOM = 10.0  # between a strong pixel and black
_GAP_COLOR = np.array([198, 212, 232], dtype=np.uint8)


class Contrast(NamedTuple):
    """How values become gray: 255 (1 - asinh(height/soft) / asinh(top/soft)), height = value - floor.

    Attributes
    ----------
    floor : float
        The value that is white.
    soft : float
        The height up to which gray is about linear; logarithmic beyond.
    top : float
        The height that is black; 0 where all values are alike.
    """

    floor: float
    soft: float
    top: float

    def gray(self, image: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the gray values of an image, uint8."""
        if self.top <= 0.0:
            return np.full(image.shape, 255 if self.floor <= 0.0 else 128, dtype=np.uint8)
        level = np.clip((image - np.float64(self.floor)) / self.soft, 0.0, self.top / self.soft)
        level = np.arcsinh(level) / math.asinh(self.top / self.soft)
        gray: NDArray[np.uint8] = np.rint(255.0 * (1.0 - level)).astype(np.uint8)
        return gray

    def ticks(self) -> list[tuple[float, float]]:
        """Return round values and their levels, 0 (white) to 1 (black)."""
        if self.top <= 0.0:
            return []
        largest = self.floor + self.top
        power = math.floor(math.log10(max(abs(self.floor), largest)))
        few = self.top / self.soft < 30.0
        steps = (1.0, 2.0, 5.0) if few else (1.0,)
        values = {0.0} | {m * 10.0**n for n in range(power - 12, power + 1) for m in steps}
        scale = math.asinh(self.top / self.soft)
        found = [(v, math.asinh((v - self.floor) / self.soft) / scale) for v in sorted(values)]
        return [(v, level) for v, level in found if -1e-9 <= level <= 1.0 + 1e-9]


def write_png(
    path: PathLike,
    image: NDArray[np.float32],
    rings: Rings | None = None,
    gaps: NDArray[np.bool_] | None = None,
    notes: Annotations | None = None,
) -> None:
    """Write a picture of an image.

    Parameters
    ----------
    path : str or path
        The file to write.
    image : (n_slow, n_fast) float32 [photons/pixel]
        The image; values that are not finite show as the largest (inf) or as nothing (NaN). More than 2048
        pixels along a side are reduced, each block to its brightest pixel; small images are enlarged.
    rings : callable or SpacingMap, optional
        Where the resolution is what; see `nbnumba.io.png_marks`. Rings are then drawn at round spacings and labeled.
    gaps : (n_slow, n_fast) bool, optional
        Where there are no pixels, shown in a color; of an image of at most 2048 pixels along a side.
    notes : Annotations, optional
        A mark at the direct beam, and beside the image a scale bar and a bar of the gray values.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    with whole_file(path) as file:
        file.write(png(image, rings, gaps, notes))


def png(
    image: NDArray[np.float32],
    rings: Rings | None = None,
    gaps: NDArray[np.bool_] | None = None,
    notes: Annotations | None = None,
) -> bytes:
    """Return the picture of an image as the bytes of a PNG; see `write_png`."""
    from PIL import Image

    reduced = reduce(np.asarray(image))
    contrast = contrast_of(reduced)
    gray = contrast.gray(reduced)
    n_slow, n_fast = gray.shape
    block = _block_size(image.shape)
    enlargement = max(1, min(_LARGEST_ENLARGEMENT, _SMALLEST_SIDE // max(n_slow, n_fast)))
    pixels = np.repeat(np.repeat(gray, enlargement, axis=0), enlargement, axis=1)
    if gaps is not None:
        pixels = np.repeat(pixels[:, :, np.newaxis], 3, axis=2)
        pixels[np.repeat(np.repeat(gaps, enlargement, axis=0), enlargement, axis=1)] = _GAP_COLOR
    picture = Image.fromarray(pixels)
    if rings is not None:
        # A reduced image may cover some pixels that the last block lacks.
        picture = with_rings(picture, (block * n_slow, block * n_fast), rings)
    if notes is not None:
        scale = enlargement / block
        picture = with_beam_mark(picture, notes, scale)
        picture = annotated(picture, notes, scale, contrast.ticks(), contrast.soft)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=False, compress_level=6)
    return buffer.getvalue()


def _block_size(shape: tuple[int, ...]) -> int:
    return max(1, math.ceil(max(shape) / _LARGEST_SIDE))


def reduce(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image of at most 2048 pixels a side in which every pixel is the largest of a square block.

    Parameters
    ----------
    image : (n_slow, n_fast) float32
        The image.

    Returns
    -------
    (ceil(n_slow/b), ceil(n_fast/b)) float32
        Values without NaN, which becomes 0, and without infinities, which become the largest finite value.
    """
    block = _block_size(image.shape)
    n_slow, n_fast = image.shape
    clean = np.array(image, dtype=np.float32)
    largest = float(np.max(clean, where=np.isfinite(clean), initial=0.0))
    np.nan_to_num(clean, copy=False, nan=0.0, posinf=largest, neginf=0.0)
    rows = np.maximum.reduceat(clean, np.arange(0, n_slow, block), axis=0)
    return np.maximum.reduceat(rows, np.arange(0, n_fast, block), axis=1)


def contrast_of(image: NDArray[np.float32], counted: NDArray[np.bool_] | None = None) -> Contrast:
    """Return the contrast that shows both background and spots.

    Parameters
    ----------
    image : (n_slow, n_fast) float32
        Finite values.
    counted : (n_slow, n_fast) bool, optional
        The pixels that decide; all by default.

    Notes
    -----
    Linear around the background, logarithmic for the spots. A height is a value less the first percentile of what is
    not 0; soft is the median of the heights above 0, but at least 1/10^4 of their 99.9th percentile, so that the tails
    of spots do not cover an empty background; top is 10 times that percentile where heights reach so far, so that
    spots differ and a few overwhelming pixels do not blank the rest.
    """
    if counted is not None and counted.any():
        image = image[counted]
    sample = image.reshape(-1)[:: max(1, image.size // _SAMPLE)].astype(np.float64)
    present = sample[sample != 0.0]  # pixels outside the region of interest, or masked, hold 0
    floor = float(np.percentile(present if present.size else sample, 1.0))
    if floor == sample.max() or floor == image.max():  # almost all pixels are alike
        floor = float(image.min())
    heights = sample[sample > floor] - floor
    largest = float(image.max()) - floor
    if largest <= 0.0:
        return Contrast(floor, 1.0, 0.0)
    strong = float(np.percentile(heights, 99.9)) if heights.size else largest
    soft = max(float(np.median(heights)) if heights.size else largest, strong / 10.0**_DECADES)
    return Contrast(floor, soft, min(largest, _HEADROOM * strong))


def gray_values(image: NDArray[np.float32], counted: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Return gray values, 255 for nothing and 0 for the strongest spots; see `contrast_of`."""
    return contrast_of(image, counted).gray(image)
