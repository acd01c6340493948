"""Plain mutation of the bytes of a file or the words of a command line."""

from __future__ import annotations

import random
from collections.abc import Callable

_NUMBERS = (
    b"0", b"-1", b"1e308", b"-1e308", b"1e400", b"1e-320", b"nan", b"inf", b"-inf", b"2147483648", b"-2147483649",
    b"18446744073709551616", b"4294967295", b"65536", b"1e9", b"999999999", b"9" * 5000, b"0x41", b"1_000", b"1,5",
)  # fmt: skip
_TEXTS = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\xa9", b"%s", b"{", b"}", b"[" * 3000, b'{"a":' * 3000, b'"', b"'",
    b"\\", b"\r", b"\n\n", b"\t", b"#", b"=", b"=" * 40, b"A" * 5000, "−".encode(), "\u202e".encode(),
    b"loop_\n_a\n", b"true",
)  # fmt: skip
_BINARY = (
    b"\0" * 8,
    b"\xff" * 8,
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\x80",
    b"\xff\xff\xff\x7f",
    b"\x01\0\0\0",
)


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.randrange(256)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _drop(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    del data[start : start + chance.choice((1, 2, 8, 64, 512))]


def _double(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    part = data[start : start + chance.choice((1, 8, 64, 512))]
    data[start:start] = part * chance.choice((1, 1, 2, 50))


def _insert(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    data[start:start] = chance.choice(_TEXTS + _BINARY)


def _overwrite(data: bytearray, chance: random.Random) -> None:
    part = chance.choice(_BINARY)
    start = chance.randrange(len(data))
    data[start : start + len(part)] = part


def _another_number(data: bytearray, chance: random.Random) -> None:
    """Put a number in the place of one that stands in a text."""
    digits = [at for at in range(len(data)) if 48 <= data[at] <= 57]
    if not digits:
        return _flip(data, chance)
    start = end = chance.choice(digits)
    while end < len(data) and data[end : end + 1] in b"0123456789.eE+-":
        end += 1
    while start and data[start - 1 : start] in b"0123456789.eE+-":
        start -= 1
    data[start:end] = chance.choice(_NUMBERS)
    return None


def _swap_lines(data: bytearray, chance: random.Random) -> None:
    lines = data.split(b"\n")
    a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    data[:] = b"\n".join(lines)


_KINDS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _flip, _set, _cut, _drop, _double, _insert, _overwrite, _another_number, _another_number, _swap_lines,
)  # fmt: skip


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """Return bytes that differ from a seed in one to four places."""
    data = bytearray(seed)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if not data:
            break
        chance.choice(_KINDS)(data, chance)
    return bytes(data)
