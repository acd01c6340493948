"""The gradient of a loss for a real job: 2463 x 2527 pixels, ten phi steps, 64 333 reflections."""

from __future__ import annotations

import numpy as np
import pytest
from large_job import large_job_folder
from requirements import requires

import nbnumba
from nbnumba.gradients.tangents import WEIGHTS

ROI = (1034, 1045, 680, 691)  # around a spot
CUT = 1e-3  # of a parameter's step: no pixel comes to another reflection


@requires("large job")
def test_gradient_of_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """By cell, misset, N, distance and mosaic spread: finite, and equal to differences of the loss."""
    monkeypatch.chdir(large_job_folder())
    words = [*(large_job_folder() / "args.txt").read_text().split(), "-nodump", "-semantics", "exact"]
    words += ["-mosaic", "0.1", "-mosaic_dom", "3", "-roi", *map(str, ROI)]
    experiment = nbnumba.Experiment.from_command(words)
    parameters = experiment.parameters("cell", "misset", "N", "distance", "mosaic_spread")
    renderer = nbnumba.Renderer("cpu", 1)
    inside = np.s_[ROI[2] : ROI[3] + 1, ROI[0] : ROI[1] + 1]
    linear = renderer.linearize(experiment, parameters)
    target = 0.9 * linear.image[inside]
    weights = np.zeros(linear.shape)
    weights[inside] = linear.image[inside] - target
    gradient = linear.vjp(weights)
    assert np.all(np.isfinite(gradient))
    assert np.all(gradient != 0.0)
    largest = np.abs(gradient * parameters.scales).max()
    for number, component in enumerate(parameters.components):
        difference, step = 0.0, CUT * component.step
        for steps, weight in WEIGHTS:
            values = parameters.values
            values[number] += steps * step
            image = renderer.linearize(experiment, parameters, values).image[inside]
            difference += weight / step * 0.5 * float(np.sum((image - target) ** 2))
        # Rounding of the loss over the step, and the truncation of the difference.
        tolerance = 1e-6 * max(abs(difference), largest / component.scale)
        assert gradient[number] == pytest.approx(difference, rel=0, abs=tolerance), component.name
