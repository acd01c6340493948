"""An experiment as a table for notebooks."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator

from ..util.text import counted
from .model import Experiment


def experiment_table(experiment: Experiment, command: str) -> str:
    """Return an HTML table of the main quantities, and the command that draws the same.

    Parameters
    ----------
    experiment : Experiment
    command : str
        Empty where there is none.
    """
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in _rows(experiment)
    )
    line = f"<details><summary>command</summary><code>{html.escape(command)}</code></details>" if command else ""
    return f"<table>{rows}</table>{line}"


def _rows(experiment: Experiment) -> Iterator[tuple[str, str]]:
    beam, goniometer, sampling = experiment.beam, experiment.goniometer, experiment.sampling
    yield "semantics", experiment.semantics.value
    for number, crystal in enumerate(experiment.crystals, 1):
        name = "crystal" if len(experiment.crystals) == 1 else f"crystal {number}"
        cell = " ".join(f"{value:.5g}" for value in (*crystal.lengths_A, *map(math.degrees, crystal.angles)))
        size = " x ".join(map(str, crystal.cells))
        spread = f", mosaic spread {math.degrees(crystal.mosaic_spread):.3g}°" if crystal.mosaic_spread else ""
        yield name, f"{cell} (Å, °); {size} cells, {crystal.shape.value}{spread}"
        table = crystal.reflections
        listed = f"{counted(table.count, 'reflection')}; " if table is not None else ""
        yield "structure factors", f"{listed}F {crystal.default_F:g} for others"
    sources = len(beam.sources.weights)
    fluence = "unknown" if beam.fluence is None else f"{beam.fluence:.4g} photons/m²"
    yield "beam", f"{beam.wavelength * 1e10:.6g} Å, {sources} source{'s' if sources > 1 else ''}, fluence {fluence}"
    panel, panels = experiment.detector.panels[0], len(experiment.detector.panels)
    count = f"{panels} panels of " if panels > 1 else ""
    fast_mm, slow_mm = (size * 1e3 for size in panel.pixel_sizes)
    pixel = f"{fast_mm:.4g}" if fast_mm == slow_mm else f"{fast_mm:.4g} x {slow_mm:.4g}"
    yield "detector", f"{count}{panel.n_fast} x {panel.n_slow} pixels of {pixel} mm at {panel.distance * 1e3:.6g} mm"
    if goniometer.turns:
        start, range_deg = math.degrees(goniometer.phi), math.degrees(goniometer.osc)
        yield "rotation", f"{start:g}° to {start + range_deg:g}° in {goniometer.steps} steps"
    yield "oversampling", f"{sampling.oversample} x {sampling.oversample}"
