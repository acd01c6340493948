"""What is drawn on a picture of a diffraction image: resolution rings, direct beam, scale bar, gray values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

Resolution = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""A function of slow and fast [pixels, 0 is the outer corner of the first], arrays that broadcast, that returns the
d-spacing [Angstrom] there."""


class SpacingMap(NamedTuple):
    """The resolution at the middle of each pixel of an image.

    Attributes
    ----------
    inverse : (n_slow, n_fast) float [1/Angstrom]
        1/d; 0 where there is no pixel.
    slope : (n_slow, n_fast) float [1/Angstrom]
        How much it changes from pixel to pixel; 0 where there is no pixel.
    """

    inverse: NDArray[np.float64]
    slope: NDArray[np.float64]


Rings = Resolution | SpacingMap


@dataclass(frozen=True)
class Annotations:
    """What is written on a picture.

    Attributes
    ----------
    unit : str
        Of the values.
    pixel_mm : float
        Width of a pixel.
    beam : (slow, fast) or None [pixels]
        Where the direct beam meets the image, from the outer corner of the first pixel.
    """

    unit: str
    pixel_mm: float
    beam: tuple[float, float] | None


_GRID = 257  # points per side at which the resolution is asked for
_MOST_RINGS = 5
_ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_RING_COLOR = np.array([31.0, 105.0, 180.0])
_BEAM_COLOR = (208, 62, 28)
_INK = (40, 40, 40)


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


def with_rings(picture: Image.Image, extent: tuple[int, int], rings: Rings) -> Image.Image:
    """Draw resolution rings over a picture that covers `extent` (slow, fast) pixels of the image."""
    from PIL import Image, ImageDraw

    pixels = np.asarray(picture.convert("RGB"))
    shape = pixels.shape[:2]
    half_width = 0.5 + max(shape) / 2048.0
    if isinstance(rings, SpacingMap):
        factor = shape[0] // rings.inverse.shape[0]
        inverse, steepness = (np.repeat(np.repeat(a, factor, axis=0), factor, axis=1) for a in rings)
        steepness = steepness / factor
        half_width *= factor
    else:
        inverse = inverse_spacing(shape, extent, rings)
        steepness = np.hypot(*np.gradient(inverse)) if min(shape) > 1 else np.zeros(shape)
    steepness = np.maximum(steepness, 1e-12 * max(float(inverse.max()), 1e-300))
    largest = float(inverse.max())
    seen = inverse[inverse > 0.0] if isinstance(rings, SpacingMap) else inverse
    smallest = float(seen.min()) if seen.size else 0.0
    spacings = round_spacings(1.0 / largest, 1.0 / smallest if smallest > 0.0 else math.inf) if largest > 0.0 else []
    colors = pixels.astype(np.float64)
    distances = [np.abs(inverse - 1.0 / d) / steepness for d in spacings]  # pixels of the picture
    for distance in distances:
        opacity = 0.75 * np.clip(half_width + 0.5 - distance, 0.0, 1.0)[:, :, np.newaxis]
        colors += opacity * (_RING_COLOR - colors)
    drawn = Image.fromarray(np.rint(colors).astype(np.uint8))
    draw = ImageDraw.Draw(drawn, "RGBA")
    center = np.unravel_index(int(np.argmin(np.where(inverse > 0.0, inverse, math.inf))), shape)
    for d, distance in zip(spacings, distances, strict=True):
        _label_ring(draw, f"{d:g} A", distance, center)  # Pillow's own font lacks the Angstrom sign
    return drawn


def inverse_spacing(shape: tuple[int, int], extent: tuple[int, int], resolution: Resolution) -> NDArray[np.float64]:
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
    font = ImageFont.load_default(max(10, round(max(n_slow, n_fast) / 60)))
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


def _font(shape: tuple[int, int]) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(max(11, round(max(shape) / 60)))


def with_beam_mark(picture: Image.Image, notes: Annotations, scale: float) -> Image.Image:
    """Mark where the direct beam meets a picture that has `scale` pixels for one of the image."""
    from PIL import ImageDraw

    picture = picture.convert("RGB")
    if notes.beam is None:
        return picture
    y, x = (scale * place - 0.5 for place in notes.beam)
    if not (-0.5 <= x <= picture.width - 0.5 and -0.5 <= y <= picture.height - 0.5):
        return picture
    draw = ImageDraw.Draw(picture)
    size = max(picture.size)
    inner, outer, width = size / 200, size / 60, max(1, round(size / 640))
    for along, across in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        ends = [(x + along * reach, y + across * reach) for reach in (inner, outer)]
        draw.line(ends, fill=_BEAM_COLOR, width=width)
    return picture


def annotated(
    picture: Image.Image, notes: Annotations, scale: float, ticks: list[tuple[float, float]], soft: float
) -> Image.Image:
    """Put a picture on paper, with a bar of the gray values on its right and a scale bar below.

    Parameters
    ----------
    picture : Image
    notes : Annotations
    scale : float
        Pixels of the picture for one of the image.
    ticks : list of (value, level)
        Round values and where they are on the bar, 0 (white) to 1 (black); none: no bar.
    soft : float
        The height above white up to which the bar is about linear.
    """
    from PIL import Image, ImageDraw

    width, height = picture.size
    font = _font((height, width))
    line = round(1.5 * font.size)
    bar, edge = max(8, line), max(4, font.size // 2)
    labels = [(f"{value:g}", level) for value, level in ticks]
    words = f"{notes.unit}/pixel, linear to {soft:.2g}, then log" if labels else ""
    longest = max((font.getlength(text) for text, _ in labels), default=0.0)
    right = math.ceil(2 * edge + bar + longest + 2 * edge) if labels else edge
    length_mm = _round_length(width / scale * notes.pixel_mm / 4.0)
    length = length_mm / notes.pixel_mm * scale
    scale_text = f"{length_mm:g} mm"
    below = font.getlength(scale_text) + length + 4 * edge + font.getlength(words)
    paper_width = max(edge + width + right, math.ceil(below) + 2 * edge)
    paper = Image.new("RGB", (paper_width, height + 2 * edge + 2 * line), (255, 255, 255))
    paper.paste(picture, (edge, edge))
    draw = ImageDraw.Draw(paper)
    draw.rectangle((edge - 1, edge - 1, edge + width, edge + height), outline=_INK)
    middle = edge + height + line
    draw.rectangle((edge, middle - 2, edge + length, middle + 1), fill=_INK)
    draw.text((2 * edge + length, middle), scale_text, font=font, fill=_INK, anchor="lm")
    if labels:
        place = (2 * edge + width, edge, bar, height)
        _draw_bar(paper, place, labels, font)
        draw.text((paper_width - edge, middle), words, font=font, fill=_INK, anchor="rm")
    return paper


def _draw_bar(paper: Image.Image, place: tuple[int, int, int, int], labels: list[tuple[str, float]], font: Any) -> None:
    """Draw the gray values from white to black upwards in (left, top, width, height), with what they stand for."""
    from PIL import Image, ImageDraw

    left, top, width, height = place
    gray = np.rint(np.linspace(0.0, 255.0, height)).astype(np.uint8)
    paper.paste(Image.fromarray(np.repeat(gray[:, np.newaxis], width, axis=1)), (left, top))
    draw = ImageDraw.Draw(paper)
    draw.rectangle((left - 1, top - 1, left + width, top + height), outline=_INK)
    free = math.inf
    for text, level in reversed(labels):  # from the top, which is the strongest
        y = top + (1.0 - level) * (height - 1)
        draw.line((left + width, y, left + width + font.size // 3, y), fill=_INK)
        at = min(max(y, top + font.size / 2), top + height - font.size / 2)
        if free == math.inf or at >= free:
            draw.text((left + width + font.size // 2, at), text, font=font, fill=_INK, anchor="lm")
            free = at + 1.2 * font.size


def _round_length(length: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not longer."""
    power = math.floor(math.log10(length))
    return max(m * 10.0**n for n in (power - 1, power) for m in (1.0, 2.0, 5.0) if m * 10.0**n <= length * (1 + 1e-9))
