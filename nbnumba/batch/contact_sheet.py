"""One picture of the first images of a batch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io.atomic import whole_file
from ..io.png import gray_values

MOST_IMAGES = 100
_SIDE = 160  # pixels of an image in the picture, at most
_GAP = 4
_PAPER = 200
_INK = 60
_STRIP = 14  # above each image, for its number
_FEW = 0.05  # share of the pixels


def write_contact_sheet(path: Path, images: Iterable[tuple[NDArray[Any], NDArray[np.bool_] | None, str]]) -> None:
    """Write a PNG of images side by side, row by row, numbered from 0, each with a contrast of its own.

    Parameters
    ----------
    path : Path
    images : iterable of (rows, columns) array, (rows, columns) bool or None, str
        All of one size, with the pixels that decide about the contrast (None: all) and what stands beside the number;
        no more than `MOST_IMAGES` are taken.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    from PIL import Image, ImageDraw, ImageFont

    thumbnails, words = [], []
    for image, counted, word in images:
        thumbnails.append(thumbnail(image, counted))
        words.append(word)
        if len(thumbnails) == MOST_IMAGES:
            break
    height, width = thumbnails[0].shape
    columns = math.ceil(math.sqrt(len(thumbnails) * height / width))
    rows = -(-len(thumbnails) // columns)
    down, along = height + _STRIP + _GAP, width + _GAP
    sheet = np.full((rows * down + _GAP, columns * along + _GAP), _PAPER, dtype=np.uint8)
    for number, picture in enumerate(thumbnails):
        row, column = divmod(number, columns)
        top, left = _GAP + _STRIP + row * down, _GAP + column * along
        sheet[top : top + height, left : left + width] = picture
    drawn = Image.fromarray(sheet)
    write = ImageDraw.Draw(drawn)
    font = ImageFont.load_default(_STRIP - 3)
    for number, word in enumerate(words):
        row, column = divmod(number, columns)
        middle = _GAP + row * down + _STRIP // 2
        write.text((_GAP + column * along, middle), f"{number} {word}", font=font, fill=_INK, anchor="lm")
    with whole_file(path) as file:
        drawn.save(file, format="PNG", compress_level=6)


def thumbnail(image: NDArray[Any], counted: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Return a small picture of an image, dark spots on light; each of its pixels is the brightest of a block.

    Parameters
    ----------
    image : (rows, columns) array
    counted : (rows, columns) bool, optional
        The pixels that decide about the contrast; all by default.
    """
    block = max(1, math.ceil(max(image.shape) / _SIDE))
    values = image if image.dtype.kind in "iu" else np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0)
    for axis in (0, 1):
        values = np.maximum.reduceat(values, np.arange(0, image.shape[axis], block), axis=axis)
    values = values.astype(np.float32, copy=False)
    if counted is not None:
        for axis in (0, 1):
            counted = np.minimum.reduceat(counted, np.arange(0, image.shape[axis], block), axis=axis)
    gray = gray_values(values, counted)
    if np.count_nonzero(gray < _PAPER) < _FEW * gray.size:  # spots of one pixel would hardly be seen
        gray = _grown(_grown(gray).T).T
    enlargement = max(1, _SIDE // (2 * max(gray.shape)))
    return np.repeat(np.repeat(gray, enlargement, axis=0), enlargement, axis=1)


def _grown(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Let dark pixels cover those above and below."""
    edged = np.pad(gray, ((1, 1), (0, 0)), constant_values=255)
    return np.minimum(np.minimum(edged[:-2], edged[1:-1]), edged[2:])
