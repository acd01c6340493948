"""Images as a function that JAX differentiates; JAX is an extra, `nbnumba[jax]`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ..gradients.parameters import Parameters
from .linearize import Linearization


def image_function(parameters: Parameters, threads: int | None = None) -> Callable[[Any], Any]:
    """Return the image as a function of the values of parameters.

    Parameters
    ----------
    parameters : Parameters
        Of an experiment, by `Experiment.parameters`.
    threads : int, optional
        Every core that this process may use by default.

    Returns
    -------
    callable
        From values (n,) to the image, in the type of the values: float64 where `jax_enable_x64` is set. It may be
        compiled by `jax.jit`, and differentiated once, backward.
    """
    shape = Linearization(parameters, None, threads).shape
    count = len(parameters)

    def render(values: Any) -> Any:
        given = np.asarray(values)
        return Linearization(parameters, given.astype(np.float64), threads).image.astype(given.dtype)

    def pull_back(values: Any, weights: Any) -> Any:
        given = np.asarray(values)
        linear = Linearization(parameters, given.astype(np.float64), threads)
        return linear.vjp(np.asarray(weights, dtype=np.float64)).astype(given.dtype)

    @jax.custom_vjp
    def image(values: Any) -> Any:
        return jax.pure_callback(render, jax.ShapeDtypeStruct(shape, values.dtype), values)

    def forward(values: Any) -> tuple[Any, Any]:
        return image(values), values

    def backward(values: Any, weights: Any) -> tuple[Any]:
        return (jax.pure_callback(pull_back, jax.ShapeDtypeStruct((count,), values.dtype), values, weights),)

    image.defvjp(forward, backward)
    return image
