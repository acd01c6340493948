"""Images as a function that PyTorch differentiates; PyTorch is an extra, `nbnumba[torch]`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..gradients.parameters import Parameters
from .linearize import Linearization


def image_function(parameters: Parameters, threads: int | None = None) -> Callable[[torch.Tensor], torch.Tensor]:
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
        From values, a float64 tensor (n,) on the processor, to the image, a float64 tensor. It can be differentiated
        once, backward.
    """

    class Image(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
            ctx.linear = Linearization(parameters, values.detach().cpu().numpy(), threads)
            return torch.from_numpy(ctx.linear.image.copy()).to(values)

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, weights: torch.Tensor) -> torch.Tensor:
            gradient = ctx.linear.vjp(weights.detach().cpu().numpy())
            return torch.from_numpy(gradient).to(weights)

    return Image.apply
