"""Images as functions of PyTorch and JAX, where these are installed."""

from __future__ import annotations

import numpy as np
import pytest
from requirements import requires

import nbnumba
from nbnumba.gradients.parameters import Parameters


@pytest.fixture(scope="module")
def parameters() -> Parameters:
    experiment = nbnumba.Experiment(
        cell=(50, 60, 40, 90, 95, 90), misset_deg=(10, 20, 30), N=8, default_F=30, shape="gauss_abc",
        mosaic_spread_deg=0.3, spread="continuous", wavelength_A=1, distance_mm=100, pixel_mm=0.4, detpixels=24,
    )  # fmt: skip
    return experiment.parameters("misset", "cell", "N", "distance", "mosaic_spread")


@requires("torch")
def test_torch(parameters: Parameters) -> None:
    import torch

    from nbnumba.render.for_torch import image_function

    image = image_function(parameters)
    values = torch.tensor(parameters.values, dtype=torch.float64, requires_grad=True)
    loss = (image(values) ** 2).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    expected = _gradient_of_squares(parameters)
    np.testing.assert_allclose(values.grad.numpy(), expected, rtol=1e-12)


@requires("jax")
def test_jax(parameters: Parameters) -> None:
    import jax

    from nbnumba.render.for_jax import image_function

    jax.config.update("jax_enable_x64", True)
    image = image_function(parameters)
    gradient = jax.jit(jax.grad(lambda values: (image(values) ** 2).sum()))(parameters.values)
    np.testing.assert_allclose(gradient, _gradient_of_squares(parameters), rtol=1e-12)


def _gradient_of_squares(parameters: Parameters) -> np.ndarray:
    """Derivatives of the sum of squared pixels, checked against differences of that sum."""
    renderer = nbnumba.Renderer("cpu")
    linear = renderer.linearize(parameters.experiment, parameters)
    gradient = linear.vjp(2.0 * linear.image)
    for number, component in enumerate(parameters.components):
        step = 1e-2 * component.step
        sums = []
        for side in (-1, 1):
            at = parameters.values
            at[number] += side * step
            sums.append(float((renderer.linearize(parameters.experiment, parameters, at).image ** 2).sum()))
        # Second-order differences: their truncation is some 1e-5 of the derivative or of the largest of its kind.
        assert gradient[number] == pytest.approx((sums[1] - sums[0]) / (2.0 * step), rel=1e-3, abs=1e-4 * sums[0])
    return gradient
