"""Values of keywords as words of a command line, or as arrays; what is neither is told in one line."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def words_of_value(name: str, value: Any) -> list[str]:
    """Return a value, or several, as words of a command line that are read back to the same number."""
    value = plain(value)
    if isinstance(value, (str, os.PathLike)):
        return [path_as_word(name, value)]
    if isinstance(value, (bytes, bytearray, Mapping, Set)):
        raise InputError(f"{name}: {value!r} is not allowed; allowed: a number, a name, or numbers in their order")
    values = list(value) if isinstance(value, Iterable) else [value]
    return [number_as_word(name, item) for item in values]


def number_as_word(name: str, value: Any) -> str:
    """Return a number as a word that is read back to the same number; raise InputError for anything else."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, Decimal)):
        raise InputError(f"{name}: {value!r} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{name}: {number} is not a finite number")
    return str(int(value)) if isinstance(value, numbers.Integral) else repr(number)


def plain(value: Any) -> Any:
    """Return Python's own number for a scalar or an array without axes, anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def path_as_word(name: str, value: Any) -> str:
    """Return the name of a file, or another text, as it is; raise InputError for anything else."""
    if isinstance(value, (str, os.PathLike)) and isinstance(text := os.fspath(value), str):
        return text
    raise InputError(f"{name}: {value!r} is not a name; allowed: str or a path")


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
