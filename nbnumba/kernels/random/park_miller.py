"""The uniform random numbers of C: Park and Miller's generator behind a 32-entry shuffle table.

Plain Python, so that a few draws cost no Numba; `nbnumba.kernels.random.c_stream` compiles the same function.

Notes
-----
A table is a sequence of 34 integers: the generator's value (what C's `seed` variables hold), the last
number given out, and the shuffle table. C keeps one shuffle table for all uses and sets it up anew
whenever a value <= 0 comes in (nanoBragg.c:3774). Typed seeds are negated, so each seed above zero starts a
stream of its own, and zero the stream of 1. A seed typed *below* zero arrives as a positive value: it sets up
nothing and goes on with whatever table the draws before it left (an untouched table makes it the stream of 1).
"""

from __future__ import annotations

import functools
from collections.abc import MutableSequence

import numpy as np
from numpy.typing import NDArray

SHUFFLED = 32
VALUE = 0  # where the three parts of a table lie
LAST = 1
SHUFFLE = 2

MULTIPLIER = 16807
MODULUS = 2147483647
QUOTIENT = 127773  # of MODULUS by MULTIPLIER, and its remainder: Schrage's product without overflow
REMAINDER = 2836
SHIFT = 26  # of the last value, to the number of an entry
SCALE = 1.0 / MODULUS
LARGEST = np.float32(1.0 - 1.2e-7)


def new_table() -> list[int]:
    """Return the table as it is when the C program starts: nothing drawn yet."""
    return [0] * (SHUFFLE + SHUFFLED)


def start_value(seed: int) -> int:
    """Return what C's seed variable holds for a seed typed on the command line.

    Notes
    -----
    `-atoi(word)` (nanoBragg.c:1101) with glibc: the number is clipped to 64 bits, its low 32 bits are read as
    a signed integer, and that is negated in 32 bits.
    """
    clipped = min(max(seed, -(2**63)), 2**63 - 1)
    return (-clipped + 2**31) % 2**32 - 2**31


def ran1(table: MutableSequence[int]) -> np.float32:
    """Draw a number between 0 and 1 and advance the table.

    Parameters
    ----------
    table : sequence of 34 int
        Changed in place; a list in Python, an int64 array when compiled.

    Returns
    -------
    float32
        At most 1 - 2**-23.

    Notes
    -----
    nanoBragg.c:3769. With seed 2147483647 the first value is 0 and the next call sets up the stream of 1.
    """
    value = table[VALUE]
    if value <= 0 or table[LAST] == 0:
        value = 1 if -value < 1 else -value
        for entry in range(SHUFFLED + 7, -1, -1):
            quotient = value // QUOTIENT
            value = MULTIPLIER * (value - quotient * QUOTIENT) - REMAINDER * quotient
            if value < 0:
                value += MODULUS
            if entry < SHUFFLED:
                table[SHUFFLE + entry] = value
        table[LAST] = table[SHUFFLE]
    # The remainder by 2^31 - 1, without a division.
    product = MULTIPLIER * value
    value = (product & MODULUS) + (product >> 31)
    if value >= MODULUS:
        value -= MODULUS
    entry = SHUFFLE + (table[LAST] >> SHIFT)
    drawn = table[entry]
    table[entry] = value
    table[LAST] = drawn
    table[VALUE] = value
    return min(np.float32(SCALE * drawn), LARGEST)


def drawn_integers(table: MutableSequence[int], count: int) -> NDArray[np.int64]:
    """Draw the whole numbers behind so many numbers of `ran1`, in a tenth of its time, and advance the table.

    Parameters
    ----------
    table : list of 34 int
        Changed in place.
    count : int

    Notes
    -----
    The values of the generator are products of the first one and powers of the multiplier, modulo the modulus.
    """
    drawn: list[int] = []
    while len(drawn) < count and (table[VALUE] <= 0 or 0 in table or table[VALUE] % MODULUS == 0):
        ran1(table)
        drawn.append(table[LAST])
    last, shuffled = table[LAST], list(table[SHUFFLE:])
    while len(drawn) < count:
        powers = _powers()[: count - len(drawn)]
        values = (table[VALUE] * powers % MODULUS).tolist()
        for value in values:
            entry = last >> SHIFT
            last = shuffled[entry]
            shuffled[entry] = value
            drawn.append(last)
        table[VALUE] = values[-1]
    table[LAST], table[SHUFFLE:] = last, shuffled
    return np.array(drawn, dtype=np.int64)


def numbers(table: MutableSequence[int], count: int) -> NDArray[np.float32]:
    """Draw so many numbers of `ran1`, and advance the table."""
    return np.minimum((SCALE * drawn_integers(table, count)).astype(np.float32), LARGEST)


@functools.cache
def _powers() -> NDArray[np.int64]:
    """Return the powers of the multiplier from the first on, modulo the modulus: (1024,)."""
    found = [MULTIPLIER]
    while len(found) < 1024:
        found.append(found[-1] * MULTIPLIER % MODULUS)
    return np.array(found, dtype=np.int64)
