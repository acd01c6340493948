from __future__ import annotations

import numpy as np
import pytest

from nbnumba.kernels.random import park_miller

# Seed -> the first four numbers, as the bits of float32.
FIRST_NUMBERS = {
    1: (1054146014, 1035753495, 1061266462, 1057462895),
    2: (1051673033, 1053689064, 1050516719, 1062344082),
    3: (1063640526, 1057941866, 1061442949, 1058459468),
    7: (1039897012, 1054564459, 1059376404, 1055887365),
    12345678: (1061427168, 1019224550, 1058469971, 1057553515),
}


def seeded(seed: int) -> list[int]:
    table = park_miller.new_table()
    table[park_miller.VALUE] = park_miller.start_value(seed)
    return table


@pytest.mark.parametrize("seed", FIRST_NUMBERS)
def test_numbers_are_those_of_c(seed: int) -> None:
    table = seeded(seed)
    numbers = np.array([park_miller.ran1(table) for _ in range(4)])
    assert numbers.dtype == np.float32
    assert tuple(numbers.view(np.uint32)) == FIRST_NUMBERS[seed]


def test_seed_zero_is_the_stream_of_one() -> None:
    assert park_miller.ran1(seeded(0)) == park_miller.ran1(seeded(1))


def test_a_value_below_zero_sets_the_table_up_anew() -> None:
    table = seeded(12345678)
    park_miller.ran1(table)
    table[park_miller.VALUE] = park_miller.start_value(7)
    fresh = seeded(7)
    assert park_miller.ran1(table) == park_miller.ran1(fresh)
    assert table == fresh


def test_a_seed_below_zero_goes_on_with_the_table_that_is_there() -> None:
    table = seeded(12345678)
    for _ in range(3):
        park_miller.ran1(table)
    before = table[park_miller.SHUFFLE :]
    due = before[table[park_miller.LAST] >> park_miller.SHIFT]
    table[park_miller.VALUE] = park_miller.start_value(-5)
    assert park_miller.ran1(table) == np.float32(due / park_miller.MODULUS)
    assert sum(old != new for old, new in zip(before, table[park_miller.SHUFFLE :], strict=True)) == 1


def test_a_seed_below_zero_with_nothing_drawn_before_is_the_stream_of_one() -> None:
    table, first = seeded(-5), seeded(1)
    assert park_miller.ran1(table) == park_miller.ran1(first)
    assert table == first


def test_seed_that_is_the_modulus_gives_zero_and_then_the_stream_of_one() -> None:
    table, first = seeded(park_miller.MODULUS), seeded(1)
    assert park_miller.ran1(table) == 0.0
    assert park_miller.ran1(table) == park_miller.ran1(first)


def test_numbers_stay_below_one() -> None:
    table = seeded(1)
    park_miller.ran1(table)
    table[park_miller.LAST] = 0x40000000
    table[park_miller.SHUFFLE + (table[park_miller.LAST] >> park_miller.SHIFT)] = park_miller.MODULUS - 1
    assert park_miller.ran1(table) == np.float32(1.0 - 2.0**-23)


@pytest.mark.parametrize(
    ("typed", "start"),  # the second as "seed:" in the report of the C program
    [
        (7, -7),
        (0, 0),
        (-5, 5),
        (2147483647, -2147483647),
        (2147483648, -2147483648),
        (-2147483648, -2147483648),
        (3000000000, 1294967296),
        (4294967301, -5),
        (99999999999999999999, 1),
    ],
)
def test_typed_seeds_are_read_as_atoi_reads_them(typed: int, start: int) -> None:
    assert park_miller.start_value(typed) == start


@pytest.mark.parametrize("seed", [1, 0, -7, 2147483647, -2147483647, 2147483648, 12345])
@pytest.mark.parametrize("before", [None, 3])
def test_many_numbers_at_a_time_are_those_of_one_at_a_time(seed: int, before: int | None) -> None:
    table = park_miller.new_table()
    if before is not None:
        table[park_miller.VALUE] = park_miller.start_value(before)
        park_miller.drawn_integers(table, 50)
    table[park_miller.VALUE] = park_miller.start_value(seed)
    for count in (0, 1, 3, 40, 1500):  # more than there are powers of the multiplier
        one_by_one = table.copy()
        expected = [park_miller.ran1(one_by_one) for _ in range(count)]
        assert park_miller.numbers(table, count).tolist() == expected
        assert table == one_by_one
