"""Values of Python, TOML and JSON as parameters with values."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..util.text import NUMBER, counted, quote
from .given import Given, Value
from .table import PARAMETERS
from .types import Kind, Parameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NUMBER = re.compile(NUMBER, re.ASCII)
_PLAIN = 1e300  # a number that is smaller is finite, an int too


def given_by(parameter: Parameter, value: Any) -> list[Given]:
    """Return what a value of Python, TOML or JSON gives: the parameter, or a part of it for each of several values.

    Raises
    ------
    InputError
        For a value of the wrong kind, or a wrong number of values; by the name of the parameter.
    """
    name = parameter.name
    if parameter.kind is Kind.SWITCH:
        value = plain(value)
        if not isinstance(value, bool):
            raise InputError(f"{name}: {shown(value)} is not allowed; allowed: True or False")
        return [Given(parameter, (value,), (str(value),), name, name)]
    if parameter.choices:
        if not isinstance(value, str) or value not in parameter.choices:
            raise InputError(f"{name}: {shown(value)} is unknown; allowed: {', '.join(parameter.choices)}")
        return [Given(parameter, (value,), (value,), name, name)]
    if name == "A_matrix":
        value = three_by_three(name, value).T.ravel()
    named = parameter.kind in (Kind.FILE, Kind.TEXT)
    values: list[Value] = [text_of(name, value)] if named else values_of(name, value)
    if len(values) not in parameter.counts or (name == "misset_deg" and (len(values) == 1) != isinstance(value, str)):
        raise InputError(f"{name}: {counted(len(values), 'value')}; allowed: {_counts(parameter)}")
    if name == "attenuation_depth_um" and values == ["inf"]:
        values = [math.inf]
    texts = tuple(value if isinstance(value, str) else repr(value) for value in values)
    if parameter.parts and len(values) > 1:
        parts = zip(parameter.parts, values, texts, strict=True)
        return [Given(PARAMETERS[part], (value,), (text,), name, name) for part, value, text in parts]
    return [Given(parameter, tuple(values), texts, name, name)]


def _counts(parameter: Parameter) -> str:
    if parameter.name == "misset_deg":
        return '3, or "random"'
    counts = parameter.counts
    return f"{counts[0]} to {counts[-1]}" if len(counts) > 2 else " or ".join(map(str, counts))


def values_of(name: str, value: Any) -> list[Value]:
    """Return a value, or several, as plain numbers; a word that is not a number stays one."""
    value = plain(value)
    if isinstance(value, str):
        return [float(value) if _NUMBER.fullmatch(value) else value]
    if isinstance(value, (bytes, bytearray, memoryview, Mapping, Set)):
        raise InputError(f"{name}: {shown(value)} is not allowed; allowed: a number, a name, or numbers in their order")
    items = list(value) if isinstance(value, Iterable) else [value]
    return [number_of(name, item) for item in items]


def number_of(name: str, value: Any) -> int | float:
    """Return Python's own number; raise InputError for anything else."""
    if type(value) in (int, float) and -_PLAIN < value < _PLAIN:  # nearly all; the checks below take longer
        return value  # type: ignore[no-any-return]
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, Decimal)):
        raise InputError(f"{name}: {shown(value)} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{name}: {number} is not a finite number")
    return int(value) if isinstance(value, numbers.Integral) else number


def plain(value: Any) -> Any:
    """Return Python's own number for a scalar or an array without axes, anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def text_of(name: str, value: Any) -> str:
    """Return the name of a file, or another text, as it is; raise InputError for anything else."""
    if isinstance(value, (str, PathLike)) and isinstance(text := fspath(value), str):
        return text
    raise InputError(f"{name}: {shown(value)} is not a name; allowed: str or a path")


def array_of_numbers(name: str, value: Any, allowed: str) -> NDArray[np.float64]:
    """Return a copy of an array of real numbers as float64, or raise InputError."""
    import numpy as np

    try:
        array = np.asarray(value)
        if array.dtype.kind in "iufO":
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"{name}: is not an array of numbers; allowed: {allowed}")


def three_by_three(name: str, value: Any) -> NDArray[np.float64]:
    """Return a copy of a matrix as float64, or raise InputError."""
    matrix = array_of_numbers(name, value, "(3, 3)")
    if matrix.shape != (3, 3):
        raise InputError(f"{name}: has the shape {matrix.shape}; allowed: (3, 3)")
    return matrix


def shown(value: object) -> str:
    """Return a value for a message, not too long."""
    text = quote(value) if isinstance(value, str) else " ".join(repr(value).split())
    return text if len(text) <= 100 else f"{text[:97]}..."
