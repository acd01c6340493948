"""Lists of reflections: text, ``h k l F`` on each line."""

from __future__ import annotations

import contextlib
import functools
import io
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from ..io.atomic import PathLike
from ..io.opening import is_regular, label, opened
from ..util.messages import logger
from ..util.text import NUMBER, counted, quote
from .table import LARGEST_F, IndexBox

_BLOCK = 1 << 20  # bytes that are read at a time; also the longest line
_COLUMNS = ("h", "k", "l", "F")
_ROW = np.dtype([("h", np.int32), ("k", np.int32), ("l", np.int32), ("F", np.float64)])
_OF_NUMBERS = b"0123456789+-.eE \t\v\f\r\n"  # bytes of numbers, and between them
_COMMENTS = (b"#", b"!")
_COMMENT_LINE = re.compile(rb"(?m)^[ \t\v\f]*[#!][^\r\n]*")
_MOST_KEPT = 4_000_000  # reflections of a file, 80 MB, that are kept rather than read again
_LARGEST_INDEX = 2**31 - 1
_NUMBER = re.compile(NUMBER.encode())


def read(
    path: PathLike,
    default_F: float = 0.0,
    report: Callable[[str], None] = lambda line: None,
    option: str | None = None,
) -> tuple[NDArray[np.float64], IndexBox, int]:
    """Read a list into a table; of reflections that stand in it twice the last one counts.

    Blank lines and lines that begin with ``#`` or ``!`` are skipped. Columns are separated by blanks or tabs;
    those after the fourth are ignored, with one notice for the file.

    Parameters
    ----------
    path : str or path
        The list. A pipe is held in memory; another file is read twice when it is long.
    default_F : float
        Structure factor of the reflections inside the box that the list lacks, and of the border [electrons].
    report : callable
        Called with C's lines of progress.
    option : str, optional
        What named the file, for messages.

    Returns
    -------
    table : (nh + 2, nk + 2, nl + 2) float64
        Structure factors [electrons] within a border of one cell; index 1 is h_min, k_min, l_min.
    box : IndexBox
        The ranges.
    count : int
        Number of lines that hold a reflection, repeated ones included.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        There is no reflection; a line has fewer than four columns, a word, an index that is no integer or a
        structure factor beyond 1e50; or the table would not fit into memory.

    Notes
    -----
    nanoBragg.c:2140-2200. C reads a stream of numbers, four to a reflection wherever the lines end, and
    stops without a word at the first thing that is none.
    """
    with opened(path, option or called("hkl")) as file:
        return read_open(file, path, default_F, report, option)


def read_open(
    file: BinaryIO,
    path: PathLike,
    default_F: float = 0.0,
    report: Callable[[str], None] = lambda line: None,
    option: str | None = None,
) -> tuple[NDArray[np.float64], IndexBox, int]:
    """Read a list that is open already, from its beginning; see `read`."""
    option = option or called("hkl")
    source = file if isinstance(file, io.BytesIO) or is_regular(file) else io.BytesIO(file.read())
    report(f"counting entries in {path}")
    survey = _Survey()
    kept: list[_Block] = []
    for block in _blocks(source, option, path):
        survey.add(block)
        kept = [*kept, block] if survey.count <= _MOST_KEPT else []
    if survey.count == 0:
        raise InputError(f"{label(option, path)}: holds no reflection; a line is h k l F")
    if survey.extra:
        below = f"; {survey.negative} of the fourth are below 0, as intensities are, and F is needed"
        logger.warning(
            f"{label(option, path)}: columns after the fourth are ignored "
            f"({survey.extra} lines, the first is line {survey.first_extra}){below if survey.negative else ''}"
        )
    box = survey.box()
    box.check_fits(label(option, path), survey.count)
    table = _allocate(box, default_F, report)
    report(f"re-reading {path}")
    if not kept:
        source.seek(0)
    _fill(table, box, kept or _blocks(source, option, path), option, path)
    return table, box, survey.count


def _allocate(box: IndexBox, default_F: float, report: Callable[[str], None]) -> NDArray[np.float64]:
    if default_F == 0.0:
        return box.table(default_F)
    report(f"initializing to default_F = {default_F:g}:")
    table = box.table(default_F)
    report("done initializing:")
    return table


@dataclass
class _Block:
    """The reflections of one block of the file."""

    rows: NDArray[np.void]  # (n,) of _ROW
    extra: int = 0  # lines of more than four columns
    first_extra: int = 0
    lasts: bool = False  # whether it outlives the table that it is read for
    _placed: tuple[IndexBox, NDArray[np.int64], NDArray[np.float64]] | None = None

    @functools.cached_property
    def ends(self) -> list[tuple[int, int]]:
        """Lowest and highest h, k and l."""
        return [(int(self.rows[name].min()), int(self.rows[name].max())) for name in "hkl"]

    @functools.cached_property
    def negative(self) -> int:
        """Number of structure factors below 0."""
        return int(np.count_nonzero(self.rows["F"] < 0.0))

    def placed(self, box: IndexBox) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return where the reflections stand in the table of a box, in one dimension, and their structure factors."""
        known = self._placed  # another thread may replace it
        if known is not None and known[0] == box:
            return known[1:]
        nk, nl = box.k_max - box.k_min + 3, box.l_max - box.l_min + 3
        h, k, l = (self.rows[name].astype(np.int64) for name in "hkl")
        places = ((h - box.h_min + 1) * nk + (k - box.k_min + 1)) * nl + (l - box.l_min + 1)
        factors = np.ascontiguousarray(self.rows["F"])
        if self.lasts:
            self._placed = box, places, factors
        return places, factors


def _blocks(file: BinaryIO, option: str, path: PathLike) -> Iterator[_Block]:
    """Cut a file into blocks of whole lines and read each."""
    held = b""  # of an unfinished line
    line, before = 1, b""
    at_end = False
    while not at_end:
        got = file.read(_BLOCK - len(held))
        at_end = not got
        text = held + got
        if text:
            line += before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")
            before = b""
        if line == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")  # byte order mark
        stop = len(text) if at_end else _end_of_last_line(text)
        if stop == 0 and len(held) + len(got) == _BLOCK:
            raise InputError(f"{label(option, path, line)}: longer than {_BLOCK} bytes; a line is h k l F")
        text, held = text[:stop], text[stop:]
        if text:
            yield _of_known_text(text, line) or _of_anything(text, line, option, path)
            before = text


def _end_of_last_line(text: bytes) -> int:
    """Return how many bytes belong to finished lines, 0 for none."""
    newline = text.rfind(b"\n")
    # A carriage return at the very end may be half of a line end.
    return newline + 1 if newline >= 0 else text.rfind(b"\r", 0, len(text) - 1) + 1


_last: tuple[bytes, _Block] | None = None  # the first block of the list that was read last, as text and as numbers


def _of_known_text(text: bytes, line: int) -> _Block | None:
    """Read lines as `_of_numbers_alone`, or take what was made of the same text just before: where F of others change.

    The text itself is compared, so that a file that has changed is parsed again.
    """
    global _last
    if line > 1:
        return _of_numbers_alone(text, line)
    known = _last
    if known is not None and known[0] == text:
        return known[1]
    block = _of_numbers_alone(text, line)
    if block is not None and block.rows.size > 0:
        block.lasts = True
        _last = text, block
    return block


def _of_numbers_alone(text: bytes, line: int) -> _Block | None:
    """Read lines of four or more numbers, the quick way; None where anything else may stand in them."""
    if b"#" in text or b"!" in text:
        text = _COMMENT_LINE.sub(b"", text)
    if not text or text.isspace() or text.translate(None, _OF_NUMBERS):
        return None
    block: _Block | None = None
    with warnings.catch_warnings():
        # Before version 2.4 NumPy cuts an index such as 1.5, and warns.
        warnings.filterwarnings("error", "loadtxt", DeprecationWarning)
        with contextlib.suppress(ValueError, DeprecationWarning):
            block = _Block(np.loadtxt(_lines(text), _ROW, ndmin=1))
        if block is None:
            with contextlib.suppress(ValueError, DeprecationWarning):
                rows = np.loadtxt(_lines(text), _ROW, ndmin=1, usecols=range(4))
                longer = [number for number, found in enumerate(text.splitlines(), line) if len(found.split()) > 4]
                block = _Block(rows, len(longer), longer[0] if longer else 0)
    if block is None or not (np.abs(block.rows["F"]) <= LARGEST_F).all():
        return None
    return block if min(low for low, _ in block.ends) >= -_LARGEST_INDEX else None


def _lines(text: bytes) -> io.StringIO:
    return io.StringIO(text.decode("ascii"), newline=None)  # which takes all three kinds of line ends


def _of_anything(text: bytes, line: int, option: str, path: PathLike) -> _Block:
    """Read lines one by one, among them comments, and say what is wrong with the first that is no reflection."""
    rows: list[tuple[int, int, int, float]] = []
    extra = first_extra = 0
    for number, found in enumerate(text.splitlines(), line):
        words = found.split(None, 4)
        if not words or words[0].startswith(_COMMENTS):
            continue
        if len(words) < 4 or not all(map(_NUMBER.fullmatch, words[:4])):
            _explain(found, label(option, path, number))
        h, k, l = (_whole(word) for word in words[:3])
        F = float(words[3])
        if h is None or k is None or l is None:
            _explain(found, label(option, path, number))
        if not math.isfinite(F):
            raise InputError(f"{label(option, path, number)}: F is {quote(words[3])}; a finite number is allowed")
        if abs(F) > LARGEST_F:
            place = label(option, path, number)
            raise InputError(f"{place}: F is {F:g}; allowed are {-LARGEST_F:g} to {LARGEST_F:g}")
        rows.append((h, k, l, F))
        if len(words) > 4 and not words[4].startswith(_COMMENTS):
            first_extra = first_extra or number
            extra += 1
    return _Block(np.array(rows, _ROW), extra, first_extra)


def _whole(word: bytes) -> int | None:
    """Return a number of any spelling as an index; None where it is no whole number or too large for one."""
    value = float(word)
    if not abs(value) <= _LARGEST_INDEX or not value.is_integer():
        return None
    if not word.lstrip(b"+-").isdigit() and Decimal(word.decode()) != int(value):  # digits that float has no room for
        return None
    return int(value)


@dataclass
class _Survey:
    """What the first reading finds out."""

    count: int = 0
    extra: int = 0
    first_extra: int = 0
    negative: int = 0
    low: list[int] = field(default_factory=list)
    high: list[int] = field(default_factory=list)

    def add(self, block: _Block) -> None:
        if block.extra and not self.extra:
            self.first_extra = block.first_extra
        self.extra += block.extra
        if block.rows.size == 0:
            return
        self.negative += block.negative
        low, high = ([pair[end] for pair in block.ends] for end in range(2))
        self.low = [min(pair) for pair in zip(self.low, low, strict=True)] if self.count else low
        self.high = [max(pair) for pair in zip(self.high, high, strict=True)] if self.count else high
        self.count += block.rows.size

    def box(self) -> IndexBox:
        return IndexBox(self.low[0], self.high[0], self.low[1], self.high[1], self.low[2], self.high[2])


def _fill(table: NDArray[np.float64], box: IndexBox, blocks: Iterable[_Block], option: str, path: PathLike) -> None:
    """Put reflections into the table."""
    limits = (box.h_min, box.h_max), (box.k_min, box.k_max), (box.l_min, box.l_max)
    flat = table.reshape(-1)
    for block in blocks:
        if block.rows.size == 0:
            continue
        if any(low < least or high > most for (low, high), (least, most) in zip(block.ends, limits, strict=True)):
            raise InputError(f"{label(option, path)}: changed while it was being read")
        places, factors = block.placed(box)
        flat[places] = factors  # in their order: the last of a repeated reflection stays


def _explain(text: bytes, place: str) -> NoReturn:
    """Raise an error that says what is wrong with the first line of a text."""
    line = re.split(rb"[\r\n]", text, maxsplit=1)[0]
    words = line.split()[: len(_COLUMNS)]
    for name, word in zip(_COLUMNS, words, strict=False):
        allowed = "a finite number" if name == "F" else "an integer"
        if not _NUMBER.fullmatch(word):
            raise InputError(f"{place}: {name} is {quote(word)}; {allowed} is allowed")
        if name == "F":
            continue
        value = Decimal(word.decode())
        if abs(value) > _LARGEST_INDEX:
            raise InputError(f"{place}: {name} is {quote(word)}; allowed are -{_LARGEST_INDEX} to {_LARGEST_INDEX}")
        if value != value.to_integral_value():
            raise InputError(f"{place}: {name} is {quote(word)}; {allowed} is allowed")
    raise InputError(
        f"{place}: {quote(line.strip())} has {counted(len(words), 'column')}; a reflection takes four, h k l F"
    )
