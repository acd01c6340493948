"""Lists of reflections: text, ``h k l F`` on each line."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io.atomic import PathLike
from ..io.opening import is_regular, label, opened
from ..util.messages import logger
from ..util.text import NUMBER, quote
from .table import LARGEST_F, IndexBox, inside

_BLOCK = 1 << 20  # bytes per call of the scanner: a few milliseconds; also the longest line
_SHORTEST_REFLECTION = 8  # bytes: "1 2 3 4" and the end of its line
_COLUMNS = ("h", "k", "l", "F")
_LARGEST_INDEX = 2**31 - 1
_NUMBER = re.compile(NUMBER.encode())


def read(
    path: PathLike,
    default_F: float = 0.0,
    report: Callable[[str], None] = lambda line: None,
    option: str = "-hkl",
) -> tuple[NDArray[np.float64], IndexBox, int]:
    """Read a list into a table; of reflections that stand in it twice the last one counts.

    Blank lines and lines that begin with ``#`` or ``!`` are skipped. Columns are separated by blanks or tabs;
    those after the fourth are ignored, with one notice for the file.

    Parameters
    ----------
    path : str or path
        The list. A pipe is held in memory, any other file is read twice.
    default_F : float
        Structure factor of the reflections inside the box that the list lacks, and of the border [electrons].
    report : callable
        Called with C's lines of progress.
    option : str
        The option that named the file, for messages.

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
    with opened(path, option) as file:
        return read_open(file, path, default_F, report, option)


def read_open(
    file: BinaryIO,
    path: PathLike,
    default_F: float = 0.0,
    report: Callable[[str], None] = lambda line: None,
    option: str = "-hkl",
) -> tuple[NDArray[np.float64], IndexBox, int]:
    """Read a list that is open already, from its beginning; see `read`."""
    source = file if is_regular(file) else io.BytesIO(file.read())
    report(f"counting entries in {path}")
    survey = _Survey()
    for block in _blocks(source, option, path):
        survey.add(block)
    if survey.count == 0:
        raise InputError(f"{label(option, path)}: holds no reflection; a line is h k l F")
    if survey.extra:
        logger.warning(
            f"{label(option, path)}: columns after the fourth are ignored "
            f"({survey.extra} lines, the first is line {survey.first_extra})"
        )
    box = survey.box()
    box.check_fits(label(option, path))
    table = _allocate(box, default_F, report)
    report(f"re-reading {path}")
    source.seek(0)
    _fill(inside(table), box, source, option, path)
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
    """The reflections of one block of the file; the arrays are reused for the next.

    `slow` lists the structure factors that are not worked out yet: row, first and last byte in `text`.
    """

    text: NDArray[np.uint8]
    h: NDArray[np.int32]
    k: NDArray[np.int32]
    l: NDArray[np.int32]
    F: NDArray[np.float64]
    line: NDArray[np.int64]
    slow: NDArray[np.int64]
    count: int = 0
    n_slow: int = 0
    extra: int = 0
    first_extra: int = 0

    @classmethod
    def empty(cls) -> _Block:
        rows = _BLOCK // _SHORTEST_REFLECTION + 1
        return cls(
            text=np.empty(_BLOCK, dtype=np.uint8),
            h=np.empty(rows, dtype=np.int32),
            k=np.empty(rows, dtype=np.int32),
            l=np.empty(rows, dtype=np.int32),
            F=np.empty(rows),
            line=np.empty(rows, dtype=np.int64),
            slow=np.empty((rows, 3), dtype=np.int64),
        )


def _blocks(file: BinaryIO, option: str, path: PathLike) -> Iterator[_Block]:
    """Cut a file into blocks of whole lines and scan each."""
    from ..kernels.text import scan_reflections

    block = _Block.empty()
    buffer = memoryview(block.text)  # type: ignore[arg-type]
    held = 0  # bytes of an unfinished line at the front of the buffer
    line = 1
    at_end = False
    while not at_end:
        got = file.readinto(buffer[held:])  # type: ignore[attr-defined]
        at_end = got == 0
        if line == 1 and bytes(buffer[:3]) == b"\xef\xbb\xbf":  # byte order mark
            buffer[:3] = b"   "
        filled = held + got
        stop = filled if at_end else _end_of_last_line(block.text[:filled])
        if stop == 0 and filled == _BLOCK:
            raise InputError(f"{label(option, path, line)}: longer than {_BLOCK} bytes; a line is h k l F")
        block.count, block.n_slow, block.extra, block.first_extra, bad, line = scan_reflections(
            block.text[:stop], line, block.h, block.k, block.l, block.F, block.line, block.slow
        )
        if bad >= 0:
            _explain(bytes(buffer[bad:stop]), label(option, path, line))
        yield block
        held = filled - stop
        buffer[:held] = bytes(buffer[stop:filled])


def _end_of_last_line(text: NDArray[np.uint8]) -> int:
    """Return how many bytes belong to finished lines, 0 for none."""
    data = text.tobytes()
    newline = data.rfind(b"\n")
    # A carriage return at the very end may be half of a line end.
    return newline + 1 if newline >= 0 else data.rfind(b"\r", 0, len(data) - 1) + 1


@dataclass
class _Survey:
    """What the first reading finds out."""

    count: int = 0
    extra: int = 0
    first_extra: int = 0
    low: list[int] = field(default_factory=list)
    high: list[int] = field(default_factory=list)

    def add(self, block: _Block) -> None:
        if block.extra and not self.extra:
            self.first_extra = block.first_extra
        self.extra += block.extra
        if block.count == 0:
            return
        low = [int(index[: block.count].min()) for index in (block.h, block.k, block.l)]
        high = [int(index[: block.count].max()) for index in (block.h, block.k, block.l)]
        self.low = [min(pair) for pair in zip(self.low, low, strict=True)] if self.count else low
        self.high = [max(pair) for pair in zip(self.high, high, strict=True)] if self.count else high
        self.count += block.count

    def box(self) -> IndexBox:
        return IndexBox(self.low[0], self.high[0], self.low[1], self.high[1], self.low[2], self.high[2])


def _fill(values: NDArray[np.float64], box: IndexBox, file: BinaryIO, option: str, path: PathLike) -> None:
    """Put the reflections of a second reading into the table."""
    from ..kernels.text import fill_table

    for block in _blocks(file, option, path):
        _finish(block, option, path)
        n = block.count
        if not fill_table(values, box.h_min, box.k_min, box.l_min, block.h[:n], block.k[:n], block.l[:n], block.F[:n]):
            raise InputError(f"{label(option, path)}: changed while it was being read")


def _finish(block: _Block, option: str, path: PathLike) -> None:
    """Work out the structure factors that the scanner left, those of more than about fifteen digits; check all."""
    if block.n_slow:
        _convert_slow(block, option, path)
    F = block.F[: block.count]
    if F.size and max(F.max(), -F.min()) > LARGEST_F:
        first = int(np.argmax(np.abs(F) > LARGEST_F))
        place = label(option, path, int(block.line[first]))
        raise InputError(f"{place}: F is {F[first]:g}; allowed are {-LARGEST_F:g} to {LARGEST_F:g}")


def _convert_slow(block: _Block, option: str, path: PathLike) -> None:
    data = block.text.tobytes()
    rows, starts, stops = block.slow[: block.n_slow].T
    words = [data[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    block.F[rows] = list(map(float, words))
    endless = np.flatnonzero(~np.isfinite(block.F[rows]))
    if endless.size:
        first = int(endless[0])
        place = label(option, path, int(block.line[rows[first]]))
        raise InputError(f"{place}: F is {quote(words[first])}; a finite number is allowed")


def _explain(text: bytes, place: str) -> NoReturn:
    """Say what is wrong with the line that the text begins with."""
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
    raise InputError(f"{place}: {quote(line.strip())} has {len(words)} columns; a reflection takes four, h k l F")
