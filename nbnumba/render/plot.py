"""An image drawn by matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..detector.model import Panel
from ..detector.resolution import beam_place, spacing
from ..errors import InputError
from ..experiment.model import Experiment
from ..io.png_marks import round_spacings

_GRID = 400  # points along an edge at which the resolution is worked out
_FROM, _TO = 50.0, 99.9  # percentiles between which the colors run, without logarithm


def plot(
    pixels: NDArray[np.float32],
    experiment: Experiment,
    ax: Any,
    log: bool,
    rings: bool,
    panel: int,
    options: dict[str, Any],
) -> Any:
    """Draw a panel of an image; see `Image.plot`."""
    try:
        from matplotlib import pyplot
        from matplotlib.colors import LogNorm, Normalize
    except ImportError as error:
        raise InputError(f"plot: needs matplotlib ({error}); pip install matplotlib") from None
    geometry = experiment.detector.panels[panel]
    array = pixels if pixels.ndim == 2 else pixels[panel, : geometry.n_slow, : geometry.n_fast]
    values = np.where(np.isfinite(array), array, np.nan)
    positive = values[values > 0.0]
    if log and positive.size:
        low, high = np.percentile(positive, [_FROM, 100.0])
        norm: Any = LogNorm(max(low, high * 1e-8), max(high, low * (1.0 + 1e-6)), clip=True)
    else:
        low, high = (0.0, float(np.percentile(positive, _TO))) if positive.size else (0.0, 1.0)
        norm = Normalize(low, high)
    if ax is None:
        ax = pyplot.subplots()[1]
    settings = {"cmap": "magma", "norm": norm, "interpolation": "nearest", "origin": "upper", **options}
    shown = ax.imshow(values, **settings)
    ax.figure.colorbar(shown, ax=ax, label="photons/pixel" + (" (log)" if log else ""))
    ax.set_xlabel("fast [pixels]")
    ax.set_ylabel("slow [pixels]")
    if rings and not experiment.detector.curved:
        _rings(ax, experiment, geometry)
    return ax


def _rings(ax: Any, experiment: Experiment, panel: Panel) -> None:
    """Mark the direct beam, and draw rings of round spacings with their labels."""
    slow, fast = np.linspace(0.0, panel.n_slow, _GRID), np.linspace(0.0, panel.n_fast, _GRID)
    d = spacing(panel, experiment.beam)(slow[:, None], fast[None, :])
    inverse = np.where(np.isfinite(d), 1.0 / d, 0.0)
    low, high = float(inverse.min()), float(inverse.max())
    chosen = round_spacings(1.0 / high, 1.0 / low if low > 0.0 else np.inf) if high > 0.0 else []
    if chosen:
        levels = [1.0 / value for value in chosen]
        lines = ax.contour(fast - 0.5, slow - 0.5, inverse, levels=levels, colors="tab:cyan", linewidths=0.7)
        ax.clabel(lines, fmt={level: f"{value:g} Å" for level, value in zip(lines.levels, chosen, strict=True)})
    at = beam_place(panel, experiment.beam)
    if at is not None and 0.0 <= at[0] <= panel.n_slow and 0.0 <= at[1] <= panel.n_fast:
        ax.plot(at[1] - 0.5, at[0] - 0.5, "+", color="tab:cyan", markersize=10)
