"""One self-contained, interactive HTML page of a comparison."""

from __future__ import annotations

import base64
import html
import json
import math
import zlib
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...io.atomic import PathLike, whole_file
from ..metrics import Metrics
from ..pair import Array, Pair
from ..scales import Scale, scales

MOST_PIXELS = 1 << 24  # of one image; larger ones are reduced
_LEVEL = 6  # of the compression


def write(
    path: PathLike,
    pair: Pair,
    metrics: Metrics,
    found: dict[str, Any],
    table: list[tuple[str, str, str, str]],
    percentile: float,
    most_pixels: int = MOST_PIXELS,
) -> None:
    """Write the page.

    Parameters
    ----------
    path : str or path
    pair : Pair
    metrics : Metrics
    found, table
        From `nbnumba.compare.summary`.
    percentile : float
        Of the contrast at the start.
    most_pixels : int
        Images with more are reduced by a whole factor, which the page states; pixels are averaged then.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    block = max(1, math.ceil(math.sqrt(pair.a.size / most_pixels)))
    a, b = (_reduce(np.where(pair.left_out, np.nan, image), block) for image in (pair.a, pair.b))
    with np.errstate(over="ignore", invalid="ignore"):
        shared, differing = scales(pair, np.where(pair.left_out, np.nan, pair.b - pair.a), percentile)
    kind = "float32" if _fits_float32(a) and _fits_float32(b) else "float64"
    setup = {
        "shape": a.shape,
        "origin": pair.origin,
        "block": block,
        "type": kind,
        "shared": _levels(shared),
        "difference": _levels(differing),
        "worst": found["worst_pixels"],
    }
    parts = {
        "title": html.escape(f"{pair.names[0]} and {pair.names[1]}"),
        "verdict": "PASS" if found["passed"] else "FAIL",
        "verdict_class": "pass" if found["passed"] else "fail",
        "name_a": html.escape(pair.names[0]),
        "name_b": html.escape(pair.names[1]),
        "remarks": "".join(f"<p>{html.escape(line)}</p>" for line in _remarks(pair, found, block)),
        "metrics": _metrics_rows(table),
        "worst": _worst_rows(metrics),
        "setup": json.dumps(setup, allow_nan=False).replace("<", "\\u003c"),
        "style": _resource("page.css"),
        "script": "\n".join(_resource(name) for name in ("pixels.js", "panels.js", "profile.js", "page.js")),
    }
    words, other = _bits(a, kind), _bits(b, kind)
    parts["data_a"] = _packed(words)
    # Images that agree differ in few bits: this makes the page half as large.
    parts["data_b"] = _packed(words ^ other)
    with whole_file(path) as file:
        for piece in _filled(_resource("page.html"), parts):
            file.write(piece.encode())


def _filled(template: str, parts: dict[str, str]) -> list[str]:
    """Put the parts where the template says {{name}}; nothing inside a part is taken for a place."""
    pieces = template.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        filled += [parts[name], rest]
    return filled


def _resource(name: str) -> str:
    return (resources.files(__name__) / name).read_text(encoding="utf-8")


def _reduce(image: Array, block: int) -> Array:
    """Average square blocks; those at the far edges may be smaller."""
    if block == 1:
        return image
    edges = [np.arange(0, size, block) for size in image.shape]
    rows = np.add.reduceat(image, edges[0], axis=0)
    total = np.add.reduceat(rows, edges[1], axis=1)
    counts = [np.diff(np.append(edge, size)) for edge, size in zip(edges, image.shape, strict=True)]
    # As float32, as images are: averages are for the eye.
    return (total / np.outer(*counts)).astype(np.float32).astype(np.float64)


def _fits_float32(image: Array) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(image.astype(np.float32).astype(np.float64), image, equal_nan=True))


def _bits(image: Array, kind: str) -> NDArray[Any]:
    """Return the numbers as little-endian bit patterns."""
    if kind == "float32":
        return image.astype("<f4").view("<u4").ravel()
    return image.astype("<f8").view("<u8").ravel()


def _packed(words: NDArray[Any]) -> str:
    """Return numbers as text: byte planes, which compress better than numbers, deflated, in base64."""
    planes = np.ascontiguousarray(words.view(np.uint8).reshape(-1, words.itemsize).T)
    return base64.b64encode(zlib.compress(planes.data, _LEVEL)).decode()


def _levels(scale: Scale) -> dict[str, Any]:
    return {"low": scale.low, "percentiles": scale.percentiles, "values": scale.values, "chosen": scale.chosen}


def _remarks(pair: Pair, found: dict[str, Any], block: int) -> list[str]:
    """Return sentences about what is shown."""
    sizes = [f"{name} ({kind}, {f} x {s})" for name, kind, (s, f) in zip("AB", pair.kinds, pair.shapes, strict=True)]
    lines = [f"{sizes[0]}; {sizes[1]}; sizes are fast x slow."]
    if pair.resampled:
        lines.append(f"Finer pixels are added up to {pair.a.shape[1]} x {pair.a.shape[0]}.")
    if block > 1:
        lines.append(
            f"Shown here {block} times smaller: each value is the average of {block} x {block} pixels. "
            "The numbers of the table are those of all pixels."
        )
    if "runs" in found:
        times = [f"{run['program']} {run['seconds']:.2f} s" for run in found["runs"]]
        lines.append(f"Time: {times[0]}, {times[1]}.")
    return lines


def _metrics_rows(table: list[tuple[str, str, str, str]]) -> str:
    rows = []
    for name, value, asked, verdict in table:
        cells = "".join(f"<td>{html.escape(text)}</td>" for text in (value, asked))
        cells += f'<td class="{verdict.lower()}">{verdict}</td>'
        rows.append(f'<tr><th scope="row">{html.escape(name)}</th>{cells}</tr>')
    return "\n".join(rows)


def _worst_rows(metrics: Metrics) -> str:
    rows = []
    for number, pixel in enumerate(metrics.worst, start=1):
        numbers = (pixel.slow, pixel.fast, f"{pixel.a:.9g}", f"{pixel.b:.9g}", f"{pixel.b - pixel.a:.6g}")
        cells = "".join(f"<td>{value}</td>" for value in numbers)
        button = f'<button type="button" data-worst="{number - 1}">Show {number}</button>'
        rows.append(f'<tr><th scope="row">{button}</th>{cells}</tr>')
    return "\n".join(rows) or '<tr><td colspan="6">The images do not differ.</td></tr>'
