"""PNG pictures of diffraction images for people: spots and background both visible, dark on light."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .atomic import PathLike, whole_file

if TYPE_CHECKING:
    from PIL import Image

Resolution = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]

_LARGEST_SIDE = 2048  # pixels of the picture
_SMALLEST_SIDE = 640  # smaller images are enlarged, so that labels can be read
_LARGEST_ENLARGEMENT = 8
_SAMPLE = 1 << 18  # pixels that the contrast is measured on
_DECADES = 4.0  # between the softest gray and a strong pixel
_HEADROOM = 10.0  # between a strong pixel and black
_GRID = 257  # points per side at which the resolution is asked for
_MOST_RINGS = 5
_ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_GAP_COLOR = np.array([198, 212, 232], dtype=np.uint8)
_RING_COLOR = np.array([31.0, 105.0, 180.0])


def write_png(
    path: PathLike,
    image: NDArray[np.float32],
    rings: Resolution | None = None,
    gaps: NDArray[np.bool_] | None = None,
) -> None:
    """Write a picture of an image.

    Parameters
    ----------
    path : str or path
        The file to write.
    image : (n_slow, n_fast) float32 [photons/pixel]
        The image; values that are not finite show as the largest (inf) or as nothing (NaN). More than 2048
        pixels along a side are reduced, each block to its brightest pixel; small images are enlarged.
    rings : callable, optional
        A function of slow and fast [pixels, 0 is the outer corner of the first], arrays that broadcast, that returns
        the d-spacing [Angstrom] there. Rings are then drawn at round spacings and labeled.
    gaps : (n_slow, n_fast) bool, optional
        Where there are no pixels, shown in a color; of an image of at most 2048 pixels along a side.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    with whole_file(path) as file:
        file.write(png(image, rings, gaps))


def png(image: NDArray[np.float32], rings: Resolution | None = None, gaps: NDArray[np.bool_] | None = None) -> bytes:
    """Return the picture of an image as the bytes of a PNG; see `write_png`."""
    from PIL import Image

    reduced = reduce(np.asarray(image))
    gray = gray_values(reduced)
    n_slow, n_fast = gray.shape
    enlargement = max(1, min(_LARGEST_ENLARGEMENT, _SMALLEST_SIDE // max(n_slow, n_fast)))
    gray = np.repeat(np.repeat(gray, enlargement, axis=0), enlargement, axis=1)
    if rings is None and gaps is not None:
        colors = np.repeat(gray[:, :, np.newaxis], 3, axis=2)
        colors[np.repeat(np.repeat(gaps, enlargement, axis=0), enlargement, axis=1)] = _GAP_COLOR
        picture = Image.fromarray(colors)
    elif rings is None:
        picture = Image.fromarray(gray)
    else:
        # A reduced image may cover some pixels that the last block lacks.
        block = _block_size(image.shape)
        extent = (block * n_slow, block * n_fast)
        picture = _with_rings(gray, extent, rings)
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


def gray_values(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return gray values, 255 for nothing and 0 for the strongest spots.

    Parameters
    ----------
    image : (n_slow, n_fast) float32
        Finite values.

    Returns
    -------
    (n_slow, n_fast) uint8

    Notes
    -----
    255 (1 - asinh(height/soft) / asinh(top/soft)): linear around the background, logarithmic for the spots. A height is
    a value less the first percentile of what is not 0; soft is the median of the heights above 0, but at least
    1/10^4 of their 99.9th percentile, so that the tails of spots do not cover an empty background; top is 10 times
    that percentile where heights reach so far, so that spots differ and a few overwhelming pixels do not blank the
    rest.
    """
    sample = image.reshape(-1)[:: max(1, image.size // _SAMPLE)].astype(np.float64)
    counted = sample[sample != 0.0]  # pixels outside the region of interest, or masked, hold 0
    floor = float(np.percentile(counted if counted.size else sample, 1.0))
    if floor == sample.max() or floor == image.max():  # almost all pixels are alike
        floor = float(image.min())
    heights = sample[sample > floor] - floor
    largest = float(image.max()) - floor
    if largest <= 0.0:
        return np.full(image.shape, 255 if floor <= 0.0 else 128, dtype=np.uint8)
    strong = float(np.percentile(heights, 99.9)) if heights.size else largest
    soft = max(float(np.median(heights)) if heights.size else largest, strong / 10.0**_DECADES)
    top = min(largest, _HEADROOM * strong)
    level = np.clip((image - np.float64(floor)) / soft, 0.0, top / soft)
    level = np.arcsinh(level) / math.asinh(top / soft)
    gray: NDArray[np.uint8] = np.rint(255.0 * (1.0 - level)).astype(np.uint8)
    return gray


def round_spacings(smallest: float, largest: float) -> list[float]:
    """Return up to five round d-spacings, about evenly spaced in 1/d, largest first.

    Parameters
    ----------
    smallest, largest : float
        The range they lie in [Angstrom]; `largest` may be infinite.
    """
    if not 0.0 < smallest < largest:
        return []
    start, end = 1.0 / largest, 1.0 / smallest
    power = math.floor(math.log10(smallest))
    choice = [mantissa * 10.0**n for n in range(power - 1, power + 5) for mantissa in _ROUND]
    choice = [d for d in choice if smallest <= d <= largest]
    chosen = set()
    for step in range(1, _MOST_RINGS + 1):
        target = start + (end - start) * step / _MOST_RINGS
        if choice:
            chosen.add(min(choice, key=lambda d: abs(1.0 / d - target)))
    return sorted(chosen, reverse=True)


def _with_rings(gray: NDArray[np.uint8], extent: tuple[int, int], resolution: Resolution) -> Image.Image:
    """Draw resolution rings over a gray picture that covers `extent` pixels of the image."""
    from PIL import Image, ImageDraw

    inverse = _inverse_spacing(gray.shape, extent, resolution)  # 1/Angstrom
    steepness = np.hypot(*np.gradient(inverse)) if min(gray.shape) > 1 else np.zeros(gray.shape)
    steepness = np.maximum(steepness, 1e-12 * max(float(inverse.max()), 1e-300))
    largest = float(inverse.max())
    smallest = float(inverse.min())
    spacings = round_spacings(1.0 / largest, 1.0 / smallest if smallest > 0.0 else math.inf) if largest > 0.0 else []
    colors = np.repeat(gray[:, :, np.newaxis].astype(np.float64), 3, axis=2)
    half_width = 0.5 + max(gray.shape) / 2048.0
    distances = [np.abs(inverse - 1.0 / d) / steepness for d in spacings]  # pixels of the picture
    for distance in distances:
        opacity = 0.75 * np.clip(half_width + 0.5 - distance, 0.0, 1.0)[:, :, np.newaxis]
        colors += opacity * (_RING_COLOR - colors)
    picture = Image.fromarray(np.rint(colors).astype(np.uint8))
    draw = ImageDraw.Draw(picture, "RGBA")
    center = np.unravel_index(int(np.argmin(inverse)), inverse.shape)
    for d, distance in zip(spacings, distances, strict=True):
        _label_ring(draw, f"{d:g} A", distance, center)  # Pillow's own font lacks the Angstrom sign
    return picture


def _inverse_spacing(shape: tuple[int, int], extent: tuple[int, int], resolution: Resolution) -> NDArray[np.float64]:
    """Return 1/d at the center of each pixel of the picture, from a coarse grid [1/Angstrom]."""
    slow, fast = (np.linspace(0.0, size, _GRID) for size in extent)
    with np.errstate(divide="ignore"):
        grid = 1.0 / np.asarray(resolution(slow[:, np.newaxis], fast[np.newaxis, :]), dtype=np.float64)
    grid = np.nan_to_num(grid, nan=0.0, posinf=0.0, neginf=0.0)
    for axis, size in enumerate(shape):
        place = (np.arange(size) + 0.5) / size * (_GRID - 1)
        before = np.minimum(place.astype(np.int64), _GRID - 2)
        weight = np.expand_dims(place - before, 1 - axis)
        grid = (1.0 - weight) * grid.take(before, axis) + weight * grid.take(before + 1, axis)
    return grid


def _label_ring(draw: Any, text: str, distance: NDArray[np.float64], center: tuple[Any, ...]) -> None:
    """Write a label where a ring runs inside the picture, toward the upper right of its center if it can."""
    from PIL import ImageFont

    n_slow, n_fast = distance.shape
    size = max(10, round(max(n_slow, n_fast) / 60))
    font = ImageFont.load_default(size)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    half_width, half_height = (right - left) / 2 + 3, (bottom - top) / 2 + 3
    slow, fast = np.nonzero(distance < 0.7)
    inside = (slow > half_height) & (slow < n_slow - half_height) & (fast > half_width) & (fast < n_fast - half_width)
    slow, fast = slow[inside], fast[inside]
    if slow.size == 0:
        return
    up, along = center[0] - slow, fast - center[1]
    best = int(np.argmax((up + along) / np.maximum(np.hypot(up, along), 1.0)))
    x, y = float(fast[best]), float(slow[best])
    box = (x - half_width, y - half_height, x + half_width, y + half_height)
    draw.rectangle(box, fill=(255, 255, 255, 190))
    draw.text((x, y), text, font=font, fill=(*(int(c) for c in _RING_COLOR), 255), anchor="mm")
