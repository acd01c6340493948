"""A fast reader of reflection lists, working on the bytes of a file."""

from __future__ import annotations

import numpy as np

from .jit import strict, strict_inner

_POWERS_OF_TEN = np.array([10.0**n for n in range(23)])  # all exact in float64
_INTEGER_POWERS_OF_TEN = np.array([10**n for n in range(19)], dtype=np.int64)
_EXACT_INTEGERS = 1 << 53
_MOST_DIGITS = 18  # that int64 holds, whatever they are
_LARGEST_INDEX = 2147483647

_EXACT, _SLOW, _WORD = 0, 1, 2  # what a number turned out to be


@strict_inner
def _is_digit(byte):
    return 48 <= byte <= 57


@strict_inner
def _is_blank(byte):
    """Whether a byte separates columns: space, tab, vertical tab, form feed."""
    return byte == 32 or byte == 9 or byte == 11 or byte == 12


@strict_inner
def _ends_line(byte):
    return byte == 10 or byte == 13


@strict_inner
def _skip_blanks(text, i):
    while i < text.size and _is_blank(text[i]):
        i += 1
    return i


@strict_inner
def _skip_line(text, i):
    """Return where the next line begins; the two bytes of a Windows line end are one end."""
    while i < text.size and not _ends_line(text[i]):
        i += 1
    if i + 1 < text.size and text[i] == 13 and text[i + 1] == 10:
        i += 1
    return i + 1


@strict_inner
def _starts_comment(byte):
    """Whether a byte is ``#`` or ``!``."""
    return byte == 35 or byte == 33


@strict_inner
def parse_number(text, i):
    """Read the number that begins at a byte.

    Returns
    -------
    value : float
        The number, correctly rounded, where `kind` is `_EXACT`; else unspecified.
    end : int
        The byte after it.
    kind : int
        `_EXACT`; `_SLOW`, a number that needs more than one rounding to work out; or `_WORD`, no number.

    Notes
    -----
    An integer up to 2^53 times or over a power of ten up to 10^22 takes one operation on exact operands, so
    it is correctly rounded (W. D. Clinger, "How to read floating point numbers accurately", 1990).
    """
    n = text.size
    negative = i < n and text[i] == 45
    if i < n and (text[i] == 45 or text[i] == 43):
        i += 1
    mantissa = 0  # up to the last digit that is not 0
    zeros = 0  # after that digit
    digits = 0  # in the mantissa
    exponent = 0
    seen = False
    cut = False  # a digit found no room
    fraction = False
    while i < n:
        byte = text[i]
        if byte == 46 and not fraction:
            fraction = True
        elif _is_digit(byte):
            seen = True
            exponent -= fraction
            digit = np.int64(byte) - 48
            if digit == 0:
                zeros += 1
            else:
                digits = digits + zeros + 1 if mantissa != 0 else 1
                if digits <= _MOST_DIGITS:
                    mantissa = mantissa * _INTEGER_POWERS_OF_TEN[zeros + 1 if mantissa != 0 else 0] + digit
                else:
                    cut = True
                zeros = 0
        else:
            break
        i += 1
    if not seen:
        return 0.0, i, _WORD
    if i < n and (text[i] == 101 or text[i] == 69):
        i += 1
        down = i < n and text[i] == 45
        if i < n and (text[i] == 45 or text[i] == 43):
            i += 1
        if i >= n or not _is_digit(text[i]):
            return 0.0, i, _WORD
        power = 0
        while i < n and _is_digit(text[i]):
            power = min(power * 10 + np.int64(text[i]) - 48, 1 << 30)
            i += 1
        exponent += -power if down else power
    if i < n and not _is_blank(text[i]) and not _ends_line(text[i]):
        return 0.0, i, _WORD

    exponent += zeros
    if mantissa == 0:
        value = 0.0
    elif cut or mantissa > _EXACT_INTEGERS or abs(exponent) > 22:
        return 0.0, i, _SLOW
    elif exponent < 0:
        value = mantissa / _POWERS_OF_TEN[-exponent]
    else:
        value = mantissa * _POWERS_OF_TEN[exponent]
    return (-value if negative else value), i, _EXACT


@strict
def scan_reflections(text, line, h, k, l, F, line_of, slow):
    """Read the reflections of a block of whole lines.

    Parameters
    ----------
    text : (n,) uint8
        The block; its last line may lack its end.
    line : int
        Number of its first line in the file.
    h, k, l : (m,) int32
        Filled with the indices.
    F : (m,) float64
        Filled with the structure factors.
    line_of : (m,) int64
        Filled with the numbers of the lines.
    slow : (m, 3) int64
        Filled, for each structure factor that is left to the caller, with its place in `F` and its first and
        last byte, the last exclusive.

    Returns
    -------
    count, n_slow : int
        How much of the arrays is filled.
    extra, first_extra : int
        How many lines have more than four columns, and the number of the first of them.
    bad : int
        Where the first line begins that is no reflection, -1 when there is none; reading stops there.
    line : int
        Number of the line after the block, or of the bad one.

    Notes
    -----
    The arrays must hold one reflection for every 8 bytes of text, and one more.
    """
    count = 0
    n_slow = 0
    extra = 0
    first_extra = 0
    indices = np.empty(3, dtype=np.int32)
    start = 0
    while start < text.size:
        i = _skip_blanks(text, start)
        if i >= text.size or _ends_line(text[i]) or _starts_comment(text[i]):
            start = _skip_line(text, i)
            line += 1
            continue
        for column in range(3):
            value, i, kind = parse_number(text, i)
            if kind != _EXACT or abs(value) > _LARGEST_INDEX or value != np.floor(value):
                return count, n_slow, extra, first_extra, start, line
            indices[column] = np.int32(value)
            i = _skip_blanks(text, i)
        first = i
        value, i, kind = parse_number(text, i)
        if kind == _WORD:
            return count, n_slow, extra, first_extra, start, line
        if kind == _SLOW:
            slow[n_slow, 0] = count
            slow[n_slow, 1] = first
            slow[n_slow, 2] = i
            n_slow += 1
        h[count] = indices[0]
        k[count] = indices[1]
        l[count] = indices[2]
        F[count] = value
        line_of[count] = line
        count += 1
        i = _skip_blanks(text, i)
        if i < text.size and not _ends_line(text[i]) and not _starts_comment(text[i]):
            if extra == 0:
                first_extra = line
            extra += 1
        start = _skip_line(text, i)
        line += 1
    return count, n_slow, extra, first_extra, -1, line


@strict
def fill_table(values, h_min, k_min, l_min, h, k, l, F):
    """Store structure factors in their order, so that the last of a repeated reflection stays.

    Parameters
    ----------
    values : (nh, nk, nl) float64
        The table; changed.
    h_min, k_min, l_min : int
        Indices of its first cell.
    h, k, l : (n,) int32
        Indices.
    F : (n,) float64
        Structure factors.

    Returns
    -------
    bool
        False, with the rest left undone, when a reflection lies outside the table.
    """
    nh, nk, nl = values.shape
    for n in range(h.size):
        i = h[n] - h_min
        j = k[n] - k_min
        m = l[n] - l_min
        if i < 0 or i >= nh or j < 0 or j >= nk or m < 0 or m >= nl:
            return False
        values[i, j, m] = F[n]
    return True
