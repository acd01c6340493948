"""A page of one refinement: image, model before and after, residuals, and the table. It needs no network."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..geometry.vectors import Array
from ..io.atomic import whole_file
from ..io.png import gray_values
from ..render.linearize import Linearization
from .fit import Fit, Refined

_SIDE = 480  # pixels of a picture's longer side, about
_FULL = 5.0  # residual over its standard deviation that has the full color
_BINS = 41  # of the histogram

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 1100px; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
td, th { padding: 2px 10px; text-align: right; font-variant-numeric: tabular-nums }
th { border-bottom: 1px solid #999; font-weight: 600 }
td:first-child, th:first-child { text-align: left }
figure { display: inline-block; margin: 0 10px 14px 0; vertical-align: top; width: 30% }
figure img { width: 100%; image-rendering: pixelated; border: 1px solid #bbb }
figcaption { font-size: 13px; color: #555 }
.small td { font-size: 12px; padding: 2px 6px }
"""


def write(path: str, fit: Fit, refined: Refined, name: str) -> None:
    """Write the page.

    Parameters
    ----------
    path : str
    fit, refined
        What was fitted, and what that has come to.
    name : str
        Of the image.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    before = Linearization(fit.parameters, fit.first_values(), fit.threads).image
    with whole_file(path) as file:
        file.write("\n".join(_lines(fit, refined, before, name)).encode())


def _lines(fit: Fit, refined: Refined, before: Array, name: str) -> Iterator[str]:
    title = f"Refinement of {html.escape(name)}"
    yield f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
    state = "converged" if refined.converged else "not converged"
    yield (
        f"<p>{refined.pixels} pixels; {refined.evaluations} evaluations, {state}; sigmaZ {refined.sigma_z:.4f}; "
        f"-log likelihood {refined.loss_before:.6g} at the start, {refined.loss:.6g} refined.</p>"
    )
    data = np.where(fit.used, fit.data, 0.0)
    shown = [_reduced(_flat(image)) for image in (data, before, refined.image)]
    # One stack, so that all have the same grays.
    grays = gray_values(np.concatenate(shown).astype(np.float32))
    titles = ("image", "model at the start", "model refined")
    for caption, gray in zip(titles, np.split(grays, 3), strict=True):
        yield _figure(gray, caption)
    for caption, model in (("residuals at the start", before), ("residuals refined", refined.image)):
        z = _residuals(fit, model)
        yield _figure(_red_and_blue(_reduced(_flat(z))), f"{caption}: blue -{_FULL:g}, red +{_FULL:g} sigma")
    yield _histogram(_residuals(fit, refined.image)[fit.used])
    yield from _table(refined)
    yield from _correlations(refined)
    yield "</body></html>"


def _flat(image: Array) -> Array:
    """Panels below one another."""
    return image.reshape(-1, image.shape[-1])


def _reduced(image: Array) -> Array:
    """Return an image of at most some _SIDE pixels a side; each block becomes its value farthest from 0."""
    block = max(1, math.ceil(max(image.shape) / (2 * _SIDE)))
    if block == 1:
        return image
    starts = [np.arange(0, size, block) for size in image.shape]
    high = np.maximum.reduceat(np.maximum.reduceat(image, starts[0], axis=0), starts[1], axis=1)
    low = np.minimum.reduceat(np.minimum.reduceat(image, starts[0], axis=0), starts[1], axis=1)
    return np.where(-low > high, low, high)


def _residuals(fit: Fit, model: Array) -> Array:
    """Residuals over their standard deviations; 0 where a pixel does not count."""
    variance = np.maximum(model, 1e-3) + fit.variance
    return np.where(fit.used, (np.where(fit.used, fit.data, 0.0) - model) / np.sqrt(variance), 0.0)


def _red_and_blue(z: Array) -> NDArray[np.uint8]:
    """Colors of residuals, white for none, (n_slow, n_fast, 3)."""
    share = np.clip(np.abs(z) / _FULL, 0.0, 1.0)[..., None]
    full = np.where(z[..., None] > 0.0, np.array([178.0, 24.0, 43.0]), np.array([33.0, 102.0, 172.0]))
    return np.asarray(255.0 + share * (full - 255.0)).round().astype(np.uint8)


def _figure(pixels: NDArray[np.uint8], caption: str) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    source = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{source}"><figcaption>{caption}</figcaption></figure>'
    )


def _histogram(z: Array) -> str:
    """Bars of the residuals beside the unit normal, as SVG."""
    edges = np.linspace(-_FULL, _FULL, _BINS + 1)
    counts, _ = np.histogram(z, edges)
    width = edges[1] - edges[0]
    density = counts / max(1, len(z)) / width
    middles = 0.5 * (edges[1:] + edges[:-1])
    normal = np.exp(-0.5 * middles**2) / math.sqrt(2.0 * math.pi)
    top = 1.1 * max(float(density.max()), float(normal.max()))
    places = [(40.0 * (x + _FULL), 240.0 * (1.0 - y / top)) for x, y in zip(middles, density, strict=True)]
    bars = "".join(
        f'<rect x="{x - 20.0 * width:.1f}" y="{y:.1f}" width="{40.0 * width:.1f}" height="{240.0 - y:.1f}"/>'
        for x, y in places
    )
    line = " ".join(
        f"{40.0 * (x + _FULL):.1f},{240.0 * (1.0 - y / top):.1f}" for x, y in zip(middles, normal, strict=True)
    )
    return (
        '<figure><svg viewBox="0 0 400 245" role="img" aria-label="histogram of residuals">'
        f'<g fill="#bbb">{bars}</g><polyline points="{line}" fill="none" stroke="#b2182b" stroke-width="2"/></svg>'
        "<figcaption>residuals refined over their standard deviations, -5 to 5; line: the unit normal</figcaption>"
        "</figure>"
    )


def _table(refined: Refined) -> Iterator[str]:
    parameters = refined.parameters
    yield "<table><tr><th>parameter</th><th>start</th><th>refined</th><th>error</th><th>unit</th></tr>"
    rows = zip(parameters.names, parameters.values, refined.values, refined.errors, parameters.units, strict=True)
    for name, start, value, error, unit in rows:
        yield (
            f"<tr><td>{html.escape(name)}</td><td>{start:.7g}</td><td>{value:.7g}</td><td>{error:.2g}</td>"
            f"<td>{html.escape(unit)}</td></tr>"
        )
    yield "</table>"


def _correlations(refined: Refined) -> Iterator[str]:
    yield '<h2>Correlations</h2><table class="small">'
    for name, row in zip(refined.parameters.names, refined.correlations, strict=True):
        cells = "".join(f'<td style="background:{_shade(value)}">{value:.2f}</td>' for value in row.tolist())
        yield f"<tr><td>{html.escape(name)}</td>{cells}</tr>"
    yield "</table>"


def _shade(value: float) -> str:
    red, green, blue = _red_and_blue(np.array([_FULL * 0.6 * value]))[0].tolist()
    return f"rgb({red},{green},{blue})"
