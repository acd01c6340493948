"""One PNG of a comparison: A, B and the difference, the worst pixels marked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io.atomic import PathLike, whole_file
from .metrics import Metrics
from .pair import Array, Pair
from .scales import Scale, gray, scales, signed
from .summary import near_one

_SIDE = 640  # pixels of a panel's longer side, about
_MARGIN = 16
_TITLE = 30
_BAR = 14
_FOOT = 64
_MARK = (0, 128, 64)
_MARK_RADIUS = 9


def write(path: PathLike, pair: Pair, metrics: Metrics, percentile: float) -> None:
    """Write the picture.

    Parameters
    ----------
    path : str or path
    pair : Pair
    metrics : Metrics
        For the worst pixels and the line below the panels.
    percentile : float
        Of the contrast.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    from PIL import Image, ImageDraw

    with np.errstate(over="ignore", invalid="ignore"):
        difference = np.where(pair.left_out, np.nan, pair.b - pair.a)
    shared, differing = scales(pair, difference, percentile)
    block = max(1, math.ceil(max(pair.a.shape) / _SIDE))
    enlargement = max(1, _SIDE // max(pair.a.shape))
    images = [np.where(pair.left_out, np.nan, image) for image in (pair.a, pair.b)]
    panels = [gray(_extremes(image, block), shared) for image in images]
    panels.append(signed(_extremes(difference, block), differing))
    panels = [np.repeat(np.repeat(panel, enlargement, axis=0), enlargement, axis=1) for panel in panels]

    height, width = panels[0].shape[:2]
    width = max(width, 280)  # room for titles
    picture = Image.new("RGB", (3 * width + 4 * _MARGIN, _TITLE + height + _FOOT), "white")
    draw = ImageDraw.Draw(picture)
    titles = (f"A: {pair.names[0]}", f"B: {pair.names[1]}", "B - A")
    for i, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        left = _MARGIN + i * (width + _MARGIN)
        picture.paste(Image.fromarray(panel), (left, _TITLE))
        draw.rectangle((left - 1, _TITLE - 1, left + panel.shape[1], _TITLE + height), outline=(150, 150, 150))
        _text(draw, (left, 8), title, width)
        _color_bar(picture, (left, _TITLE + height + 8), panel.shape[1], shared if i < 2 else differing, i == 2)
        _marks(draw, (left, _TITLE), pair, metrics, enlargement / block)
    _text(draw, (_MARGIN, _TITLE + height + _FOOT - 18), _summary(metrics, block), 3 * width)
    with whole_file(path) as file:
        picture.save(file, format="PNG")


def _extremes(image: Array, block: int) -> Array:
    """Reduce an image; each block becomes its value farthest from 0, so that single pixels stay visible."""
    if block == 1:
        return image
    edges = [np.arange(0, size, block) for size in image.shape]
    ends = []
    for extreme in (np.fmax, np.fmin):
        rows = extreme.reduceat(image, edges[0], axis=0)
        ends.append(extreme.reduceat(rows, edges[1], axis=1))
    high, low = ends
    return np.where(np.abs(low) > np.abs(high), low, high)


def _summary(metrics: Metrics, block: int) -> str:
    parts = []
    if metrics.correlation is not None:
        parts.append(f"correlation {near_one(metrics.correlation, metrics.decorrelation)}")
    if metrics.sum_ratio is not None:
        parts.append(f"sum ratio {near_one(metrics.sum_ratio)}")
    if metrics.worst:
        worst = metrics.worst[0]
        parts.append(f"largest difference {worst.b - worst.a:.4g} at slow {worst.slow}, fast {worst.fast}")
    else:
        parts.append("no difference")
    if block > 1:
        parts.append(f"drawn {block} times smaller")
    return "; ".join(parts)


def _marks(draw: Any, corner: tuple[int, int], pair: Pair, metrics: Metrics, zoom: float) -> None:
    """Ring the worst pixels and number them."""
    for number, pixel in enumerate(metrics.worst, start=1):
        x = corner[0] + (pixel.fast - pair.origin[1] + 0.5) * zoom
        y = corner[1] + (pixel.slow - pair.origin[0] + 0.5) * zoom
        radius = _MARK_RADIUS
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=_MARK, width=2)
        # On the side where there is room.
        to_left = x + 26 > corner[0] + pair.a.shape[1] * zoom
        place = (x - radius - 2, y) if to_left else (x + radius + 2, y)
        anchor = "rm" if to_left else "lm"
        draw.text(place, str(number), fill=_MARK, font=_font(13), anchor=anchor, stroke_width=2, stroke_fill="white")


def _color_bar(picture: Any, place: tuple[int, int], width: int, scale: Scale, both_signs: bool) -> None:
    """Draw the colors of a scale with the values at its ends."""
    from PIL import Image, ImageDraw

    low = -scale.high if both_signs else scale.low
    ramp: Array = np.tile(np.linspace(low, scale.high, width), (_BAR, 1))
    colors: NDArray[np.uint8] = signed(ramp, scale) if both_signs else gray(ramp, scale)
    picture.paste(Image.fromarray(colors), place)
    draw = ImageDraw.Draw(picture)
    x, y = place
    draw.rectangle((x - 1, y - 1, x + width, y + _BAR), outline=(150, 150, 150))
    draw.text((x, y + _BAR + 3), f"{low:.4g}", fill="black", font=_font(13))
    draw.text((x + width, y + _BAR + 3), f"{scale.high:.4g}", fill="black", font=_font(13), anchor="ra")


def _text(draw: Any, place: tuple[int, int], text: str, width: int) -> None:
    """Write a line, its beginning cut where it is too long: file names differ at their ends."""
    font = _font(15)
    shown = text
    while draw.textlength(shown, font=font) > width and len(text) > 4:
        text = text[1:]
        shown = f"...{text}"
    draw.text(place, shown, fill="black", font=font)


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
