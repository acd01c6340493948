"""What follows from an experiment: weights of the sources and steps of the sum."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest

import nbnumba
from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene
from nbnumba.parameters.parser import parse
from nbnumba.render.renderer import simulate

SWEEP = "-cell 40 -default_F 5 -N 1 -detpixels 8 -oversample 2 -osc 1 -phisteps 3 -detector_thick 100"


def experiment(words: str) -> Experiment:
    return resolve(parse(f"{SWEEP} {words}".split()).settings)


@pytest.fixture(autouse=True)
def _beside_a_source_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # x, y, z, weight, wavelength
    Path("three.txt").write_text("-10 0 0 3 1e-10\n-10 0.01 0 0 1e-10\n-10 0 0.01 1 1e-10\n")
    Path("two.txt").write_text("-10 0 0 3 1e-10\n-10 0 0.01 1 1e-10\n")


@pytest.mark.parametrize(
    ("words", "weights"),
    [
        ("-semantics c -sourcefile three.txt", [1.0, 1.0, 1.0]),
        ("-semantics exact -sourcefile three.txt", [1.5, 0.0, 0.5]),
        ("-semantics exact -sourcefile two.txt", [1.5, 0.5]),
        ("-semantics exact -hdivrange 1 -hdivsteps 2", [1.0, 1.0]),
    ],
)
def test_weights_and_steps(words: str, weights: list[float]) -> None:
    found = experiment(words)
    assert found.weights.tolist() == weights
    assert found.steps == np.count_nonzero(weights) * 3 * 2**2  # phi steps, sub-pixels
    scene = build_scene(found)
    assert scene.samples_per_pixel == found.steps * scene.layers


def test_a_source_of_weight_0_changes_nothing() -> None:
    with_it, without = (
        simulate(experiment(f"-semantics exact -sourcefile {name}")) for name in ("three.txt", "two.txt")
    )
    assert np.array_equal(with_it.array, without.array)
    assert asdict(with_it.statistics) == asdict(without.statistics)


def test_the_solid_angle_of_one_step_is_that_of_the_detector() -> None:
    words = "-semantics exact -sourcefile three.txt"
    image = simulate(experiment(words))
    # As C: per sub-pixel the whole pixel's solid angle, summed over sub-pixels and layers, divided by all steps.
    pixel = 1e-4**2 / 0.1**2
    steps_of_sources_and_phi, layers = 2 * 3, 2
    expected = 64 * pixel * layers / steps_of_sources_and_phi
    assert image.statistics.solid_angle == pytest.approx(expected, rel=1e-4)  # the detector is not quite a sphere


def test_there_is_one_type_of_experiments() -> None:
    made = experiment("")
    assert type(made) is nbnumba.Experiment
    assert made == nbnumba.Experiment.from_command(SWEEP)
    assert made == Experiment.of_parts(**{one.name: getattr(made, one.name) for one in fields(made) if one.init})
    assert made.parameters("distance").names == ("distance",)
    with pytest.raises(TypeError, match="needed: beam, crystals, detector, goniometer, sampling"):
        Experiment.of_parts(beam=made.beam)
    with pytest.raises(TypeError, match=r"^Experiment has no keyword 'goniometer'"):
        Experiment(goniometer=made.goniometer)  # type: ignore[call-arg]
