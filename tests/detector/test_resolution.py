"""The finest spacing that a detector sees."""

from __future__ import annotations

import numpy as np
import pytest

from nbnumba.detector.resolution import finest_spacing
from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.geometry.vectors import rotate_about
from nbnumba.parameters.parser import parse
from nbnumba.structure_factors.table import index_margin

JOB = "-cell 40 50 60 -default_F 1 -detpixels_f 30 -detpixels_s 24 -pixel 2"


def experiment(words: str) -> Experiment:
    return resolve(parse(f"{JOB} {words}".split()).settings)


def spacings(record: Experiment, places: np.ndarray) -> np.ndarray:
    """Spacing at each place for each source [m]."""
    toward = places / np.linalg.norm(places, axis=-1, keepdims=True)
    source = record.beam.sources
    q = (toward[:, None] + source.directions[None]) / source.wavelengths[None, :, None]
    return np.asarray(1.0 / np.maximum(np.linalg.norm(q, axis=-1), 1e-10))


@pytest.mark.parametrize(
    "words",
    [
        "-distance 50",
        "-distance 50 -twotheta 40",
        "-distance 30 -detector_rotx 30 -detector_roty 20 -detector_rotz 10",
        "-distance 50 -twotheta 150",
        "-distance 50 -dispersion 10 -dispsteps 5 -hdivrange 50 -hdivsteps 5 -vdivrange 30 -vdivsteps 3",
        "-xds -distance 50 -ORGX 100 -ORGY -20",
        "-distance 40 -lambda 0.5",
    ],
)
def test_a_flat_detector(words: str) -> None:
    record = experiment(words)
    panel = record.detector.panels[0]
    f, s = np.meshgrid(np.linspace(0, 30, 121), np.linspace(0, 24, 97))
    places = panel.origin + 2e-3 * (f[..., None] * panel.fast + s[..., None] * panel.slow)
    finest = spacings(record, places.reshape(-1, 3)).min()
    # Back-scattering has its largest angle inside the panel, between the points that are looked at.
    assert finest_spacing(record.detector, record.beam) == pytest.approx(finest, rel=5e-3)


@pytest.mark.parametrize("words", ["", "-Xbeam 10 -Ybeam 40", "-hdivrange 50 -hdivsteps 5", "-twotheta 20"])
@pytest.mark.parametrize("semantics", ["c", "exact"])
def test_a_curved_detector_is_bounded(words: str, semantics: str) -> None:
    record = experiment(f"-distance 50 -curved_det {words} -semantics {semantics}")
    panel, beam = record.detector.panels[0], record.beam.direction
    spot = panel.distance * beam - panel.origin
    places = []
    for f in np.linspace(0.0, 0.06, 13):
        for s in np.linspace(0.0, 0.048, 13):
            if semantics == "exact":
                turns = [(f - spot @ panel.fast) / panel.distance, (s - spot @ panel.slow) / panel.distance]
            else:
                flat = panel.origin + f * panel.fast + s * panel.slow
                turns = [flat[1] / panel.distance, flat[2] / panel.distance]
            turned = rotate_about(panel.distance * beam, panel.slow, float(turns[0]))
            places.append(rotate_about(turned, panel.fast, float(turns[1])))
    finest = spacings(record, np.array(places)).min()
    bound = finest_spacing(record.detector, record.beam)
    assert 0.6 * finest < bound <= finest * (1 + 1e-9)


def test_margin_of_indices() -> None:
    reciprocal = np.diag([0.1, 0.2, 0.2])
    assert index_margin(reciprocal, 2) == pytest.approx(0.6)
    oblique = np.array([[1.0, 0.0, 0.0], [-1.0, 0.1, 0.0], [0.0, 0.0, 0.1]])
    assert index_margin(oblique, 1) == pytest.approx(np.sqrt(4 + 0.02))  # a* - b*
