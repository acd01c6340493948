"""Records that hold the same have the same digest, and others have not."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from nbnumba.experiment.describe import described
from nbnumba.util.digest import digest


@dataclass
class Record:
    a: object = 1.0
    b: object = None
    _lock: threading.Lock = field(default_factory=threading.Lock)


def test_equal_content_has_an_equal_digest() -> None:
    numbers = np.arange(6.0).reshape(2, 3)
    assert digest(Record(numbers)) == digest(Record(np.asfortranarray(numbers)))
    assert digest(Record(0.0)) == digest(Record(-0.0))
    assert digest(Record(1j, (1, "x"))) == digest(Record(np.complex128(1j), [1, "x"]))
    assert digest(Record(1.0, 2), without=("b",)) == digest(Record(1.0, 3), without=("b",))


def test_other_content_has_another_digest() -> None:
    values = [1.0, 1, True, "1", None, (1.0,), ((1.0,),), 1j, np.ones(1), np.ones((1, 1)), np.ones(1, np.float32),
              np.ones(1, np.complex128), float("nan"), Record(), Record(2.0)]  # fmt: skip
    assert len({digest(Record(value)) for value in values}) == len(values)
    with pytest.raises(TypeError):
        digest(Record({1: 2}))


def test_records_with_complex_numbers_are_described() -> None:
    assert described(Record(np.array([1 + 2j]), 3)) == {"a": ["(1+2j)"], "b": 3}  # type: ignore[arg-type]
