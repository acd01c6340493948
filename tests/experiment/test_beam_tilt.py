"""A beam that is turned once the detector is placed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import nbnumba
from nbnumba import cli
from nbnumba.detector.resolution import beam_place
from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.parameters.parser import parse
from nbnumba.render.renderer import simulate

COMMON = (
    "-cell 50 60 70 -misset 10 20 30 -default_F 100 -N 6 -detpixels 48 -pixel 0.5 -lambda 2 -fluence 1e24 -water 0.1"
)


def of(words: str) -> Experiment:
    return resolve(parse(f"{COMMON} -semantics exact {words}".split()).settings)


def test_the_image_is_that_of_the_turned_beam_given_as_vectors() -> None:
    fast, slow = 0.03, -0.02
    tilted = of(f"-distance 90 -detector_roty 4 -beam_tilt_fast {1e3 * fast} -beam_tilt_slow {1e3 * slow}")
    plain = of("-distance 90 -detector_roty 4")
    panel = tilted.detector.panels[0]
    np.testing.assert_array_equal(panel.origin, plain.detector.panels[0].origin)
    beam, polar = tilted.beam.direction, tilted.beam.polarization_axis

    def typed(vector: np.ndarray) -> str:
        return " ".join(repr(float(value)) for value in vector)

    # Axes of one's own and the corner put the same detector before a beam that was never turned.
    vectors = of(
        f"-beam_vector {typed(beam)} -polar_vector {typed(polar)} -fdet_vector {typed(panel.fast)} "
        f"-sdet_vector {typed(panel.slow)} -odet_vector {typed(panel.normal)} -spindle_axis 0 0 1 "
        f"-pix0_vector {typed(panel.origin)}"
    )
    one, other = (simulate(experiment, "cpu").array for experiment in (tilted, vectors))
    # Directions differ in the last digits of float64, pixels in those of float32.
    np.testing.assert_allclose(one, other, rtol=2e-5)
    assert not np.allclose(one, simulate(plain, "cpu").array, rtol=0.01)


@pytest.mark.parametrize("semantics", ["c", "exact"])
def test_the_direct_beam_moves_towards_fast_and_slow(semantics: str) -> None:
    def place(**more: float) -> np.ndarray:
        made = nbnumba.Experiment(
            cell=(50, 60, 70), default_F=1, N=3, detpixels=48, pixel_mm=0.5, distance_mm=90, semantics=semantics, **more
        )
        found = beam_place(made.detector.panels[0], made.beam)
        assert found is not None
        np.testing.assert_allclose(made.beam.sources.directions, -made.beam.direction[None], atol=1e-15)
        return np.array(found)

    moved = 90 * math.tan(0.01) / 0.5  # pixels
    np.testing.assert_allclose(place(beam_tilt_fast_mrad=10) - place(), [0, moved], atol=1e-9)
    np.testing.assert_allclose(place(beam_tilt_slow_mrad=10) - place(), [moved, 0], atol=1e-9)


def test_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*COMMON.split(), "-distance", "90", "-quiet"]
    assert cli.main([*words, "-beam_tilt_fast", "2", "-curved_det"]) == 2
    assert "-beam_tilt_fast" in capsys.readouterr().err
    assert cli.main([*words, "-beam_tilt_slow", "101"]) == 2
    assert "-beam_tilt_slow: '101' is out of range; allowed: a number from -100 to 100" in capsys.readouterr().err
