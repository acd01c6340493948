"""Checks of arguments."""

from __future__ import annotations

import numpy as np
import pytest

from nbnumba.errors import InputError
from nbnumba.util.checks import one_of, whole


def test_whole_numbers() -> None:
    for value in (3, np.int8(3), np.uint64(3)):
        found = whole("number", value, 0, 3)
        assert (found, type(found)) == (3, int)


@pytest.mark.parametrize("value", [4, -1, 3.0, True, np.True_, "3", None, [3]])
def test_what_is_no_whole_number_of_the_range(value: object) -> None:
    with pytest.raises(InputError, match=r"^number: .* is not possible; allowed: a whole number from 0 to 3$"):
        whole("number", value, 0, 3)


def test_words_of_a_list() -> None:
    assert one_of("rng", "c", ("counter", "c")) == "c"
    for value in ("C", None, ["c"], np.zeros(2)):
        with pytest.raises(InputError, match=r"^rng: .* is unknown; allowed: counter, c$"):
            one_of("rng", value, ("counter", "c"))
