"""Derivatives of an image in a file of NumPy, with the experiment that they belong to."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from ..geometry.vectors import Array
from ..gradients.parameters import Parameters
from ..io.atomic import PathLike, whole_file
from ..util.messages import logger
from ..version import __version__


def write(path: PathLike, parameters: Parameters, values: Array, image: Array, derivatives: Array) -> None:
    """Write an image, its derivatives by every parameter, and what they are derivatives of.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    experiment = parameters.experiment
    if not experiment.command:
        logger.warning(f"{path}: parts of the experiment are in memory; the file states no command line that draws it")
    content: dict[str, Any] = {
        "image": image,
        "derivatives": derivatives,
        "names": np.array(parameters.names),
        "units": np.array(parameters.units),
        "values": values,
        "values_of_command": parameters.values,
        "scales": parameters.scales,
        "command": np.array(shlex.join(experiment.command)),
        "semantics": np.array(experiment.semantics.value),
        "version": np.array(__version__),
    }
    with whole_file(path, seekable=True) as file:
        np.savez_compressed(file, **content)
