"""The sources: where each stands, its wavelength and its weight."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from nbnumba.parameters.settings import Settings
from reference.defects import Defects
from reference.geometry import Detector
from reference.vectors import Vector, scaled, turned, unit

_SOURCE_DISTANCE = 10.0  # m


@dataclass(frozen=True)
class Source:
    """One direction and wavelength of the incident beam."""

    incident: Vector  # unit vector, from source to sample
    wavelength: float  # m
    weight: float


def build_sources(settings: Settings, folder: Path, detector: Detector, defects: Defects) -> list[Source]:
    """List the sources in the order in which they are summed (nanoBragg.c:2325-2450)."""
    if settings.beam.source_file is None:
        return _generated(settings, detector)
    sources = _read(folder / settings.beam.source_file, settings, detector)
    if defects.weights_ignored:
        return [Source(s.incident, s.wavelength, 1.0) for s in sources]
    # A source of weight 0 is as if it were not there: it neither counts nor lends its polarization.
    sources = [s for s in sources if s.weight != 0.0]
    mean = math.fsum(s.weight for s in sources) / len(sources)
    return [Source(s.incident, s.wavelength, s.weight / mean) for s in sources]


def _read(path: Path, settings: Settings, detector: Detector) -> list[Source]:
    default = [*scaled(detector.beam, -_SOURCE_DISTANCE), 1.0, settings.beam.wavelength]
    sources = []
    for line in path.read_text().splitlines():
        words = line.split("#")[0].translate(str.maketrans(",;:!", "    ")).split()
        if not words:
            continue
        x, y, z, weight, wavelength = [float(word) for word in words] + default[len(words) :]
        sources.append(Source(scaled(unit((x, y, z)), -1.0), wavelength, weight))
    return sources


def _steps(count: int | None, width: float | None, step: float | None) -> tuple[int, float, float]:
    """Fill in a number of steps, a full range and a step from those given (nanoBragg.c:1437-1585)."""
    count = count if count is not None else -1
    width = width if width is not None else -1.0
    step = step if step is not None else -1.0
    if width < 0.0:
        if step > 0.0:
            count, width = 2, step
        elif count > 0:
            width = 1.0
            step = width / count
    elif step <= 0.0:
        count = max(count, 2)
        step = width / (count - 1)
    elif count <= 0:
        count = math.ceil(width / step)
    if width <= 0.0 or step <= 0.0 or count <= 0:
        return 1, 0.0, 0.0
    return count, width, step


def _square_over(numerator: float, width: float) -> float:
    """Return numerator / width², where C's 0/0 makes a comparison false."""
    return numerator / width / width if width > 0.0 else math.nan


def _generated(settings: Settings, detector: Detector) -> list[Source]:
    hsteps, hrange, hstep = _steps(settings.beam.hdivsteps, settings.beam.hdivrange, settings.beam.hdivstep)
    vsteps, vrange, vstep = _steps(settings.beam.vdivsteps, settings.beam.vdivrange, settings.beam.vdivstep)
    # A negative dispersion counts as not given.
    dsteps, dispersion, dstep = _steps(settings.beam.dispsteps, settings.beam.dispersion, None)
    sources = []
    for i in range(hsteps):
        for j in range(vsteps):
            h = hstep * i - hrange / 2.0
            v = vstep * j - vrange / 2.0
            test = _square_over(h * h - hstep * hstep / 4.0 * (1 - hsteps % 2), hrange)
            test += _square_over(v * v - vstep * vstep / 4.0 * (1 - vsteps % 2), vrange)
            if settings.beam.round_divergence and test * 4.0 > 1.1:
                continue
            position = turned(scaled(detector.beam, -_SOURCE_DISTANCE), detector.polar, v)
            position = turned(position, detector.vertical, h)
            for k in range(dsteps):
                wavelength = settings.beam.wavelength * (1.0 + dstep * k - dispersion / 2.0)
                sources.append(Source(scaled(unit(position), -1.0), wavelength, 1.0))
    return sources
