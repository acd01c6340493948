"""An experiment as names and values, all that was worked out: for people, and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from enum import Enum
from typing import Any

import numpy as np

from .model import Experiment

_MOST_NUMBERS = 64  # of an array that are listed


def described(experiment: Experiment) -> dict[str, Any]:
    """Return everything that an experiment holds, in SI units unless a name says otherwise.

    Parameters
    ----------
    experiment : Experiment

    Returns
    -------
    dict
        Fit for JSON, part by part with the names of the attributes in Python. Of arrays of more than 64 numbers shape,
        type and range stand in their place.
    """
    found = _plain(experiment)
    assert isinstance(found, dict)
    return found


def lines(values: dict[str, Any]) -> list[str]:
    """Return one line for each value, ``beam.wavelength = 1e-10``."""
    return [f"{name} = {text}" for name, text in _flat(values, "")]


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and "dtype" not in value:
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else key)
    elif isinstance(value, dict):
        size = " x ".join(map(str, value["shape"]))
        yield name, f"{size} {value['dtype']}, {value['minimum']} to {value['maximum']}"
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from _flat(item, f"{name}[{number}]")
    else:
        yield name, "none" if value is None else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, np.ndarray):
        if value.size <= _MOST_NUMBERS:
            return _plain(value.tolist())
        ends = {"minimum": _plain(value.min()), "maximum": _plain(value.max())}
        return {"shape": list(value.shape), "dtype": str(value.dtype), **ends}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, complex):
        return str(value)
    names = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
    return {name: _plain(getattr(value, name)) for name in names}
