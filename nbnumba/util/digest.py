"""One number for what a record holds, so that records can be compared and be keys."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from collections.abc import Collection
from enum import Enum
from typing import Any

import numpy as np


def digest(value: Any, without: Collection[str] = ()) -> bytes:
    """Return 16 bytes that two values share where all that they hold is equal.

    Parameters
    ----------
    value
        A dataclass, tuple, list or array of any depth; numbers, texts, bytes, enumerations, None.
    without : collection of str
        Fields of the outermost dataclass that do not count.

    Raises
    ------
    TypeError
        For anything else.
    """
    state = hashlib.blake2b(digest_size=16)
    _add(state, value, without)
    return state.digest()


def _add(state: Any, value: Any, without: Collection[str] = ()) -> None:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, (bool, str, int)):
        state.update(f"{type(value).__name__}:{value!r};".encode("utf-8", "surrogatepass"))
    elif isinstance(value, float):
        state.update(b"float:" + struct.pack("<d", value + 0.0))  # no negative zero
    elif isinstance(value, bytes):
        state.update(f"bytes:{len(value)};".encode() + value)
    elif isinstance(value, complex):
        _add(state, (value.real, value.imag))
    elif isinstance(value, np.ndarray):
        state.update(f"array:{value.dtype.str}{value.shape};".encode())
        state.update(np.ascontiguousarray(value + 0.0 if value.dtype.kind == "f" else value).data)
    elif isinstance(value, (tuple, list)):
        state.update(f"items:{len(value)};".encode())
        for item in value:
            _add(state, item)
    elif dataclasses.is_dataclass(value):
        # What begins with an underscore is kept for speed, and follows from the rest.
        public = (field.name for field in dataclasses.fields(value) if not field.name.startswith("_"))
        names = sorted(name for name in public if name not in without)
        state.update(f"record:{len(names)};".encode())
        for name in names:
            state.update(name.encode())
            _add(state, getattr(value, name))
    else:
        raise TypeError(f"{type(value).__name__} has no digest")
