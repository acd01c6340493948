"""A table of values, one row an image, read from CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import FileError, InputError
from ..io.atomic import reason
from ..io.opening import refuse_device
from ..util.text import NUMBER, quote
from .distributions import KEYS, Key, Number

_NUMBER = re.compile(NUMBER, re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)

Row = dict[str, Number]


def read(path: Path, label: str, count: int) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """Read the values of the first images; a line without any values counts for nothing.

    Parameters
    ----------
    path : Path
    label : str
        Of the file, for messages.
    count : int
        Images that need a row.

    Returns
    -------
    columns : tuple of str
    rows : tuple of dict
        `count` of them.

    Raises
    ------
    FileError
        The file cannot be read.
    InputError
        A column or a value has no meaning, or there are too few rows.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            refuse_device(file, label)
            lines = csv.reader(file, strict=True, skipinitialspace=True)
            columns = _columns(next(lines, []), label)
            rows: list[Row] = []
            for cells in lines:
                if len(rows) == count:
                    break
                if any(cell.strip() for cell in cells):
                    rows.append(_row(columns, cells, f"{label} line {lines.line_num}"))
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{label}: cannot be read: {reason(error)}") from error
    except UnicodeDecodeError:
        raise InputError(f"{label}: is not text in UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{label} line {lines.line_num}: no CSV: {error}") from None
    if len(rows) < count:
        raise InputError(f"{label}: {len(rows)} rows of values for count = {count}; every image needs one")
    return columns, tuple(rows)


def _columns(header: Sequence[str], label: str) -> tuple[str, ...]:
    """Return the names of the columns."""
    columns = tuple(name.strip() for name in header)
    if not any(columns):
        raise InputError(f"{label} line 1: no names of columns; allowed: {', '.join(KEYS)}")
    for name in columns:
        if name not in KEYS:
            raise InputError(f"{label} line 1: {quote(name)} is not the name of a column; allowed: {', '.join(KEYS)}")
        if columns.count(name) > 1:
            raise InputError(f"{label} line 1: {name} names two columns; every name may stand once")
    return columns


def _row(columns: Sequence[str], cells: Sequence[str], place: str) -> Row:
    """Return the values of one image."""
    if len(cells) != len(columns):
        raise InputError(f"{place}: {len(cells)} values under {len(columns)} names of columns")
    return {name: _value(KEYS[name], cell.strip(), place) for name, cell in zip(columns, cells, strict=True)}


def _value(key: Key, cell: str, place: str) -> Number:
    """Return one value."""
    allowed = f" {key.allowed.text}" if key.allowed.text else ""
    if not (_WHOLE if key.whole else _NUMBER).fullmatch(cell):
        what = "whole number in plain digits" if key.whole else "number"
        raise InputError(f"{place}: {key.name}: {quote(cell)} is not a {what}; allowed: a {what}{allowed}")
    value = int(cell) if key.whole else float(cell)
    if not key.takes(value):
        raise InputError(f"{place}: {key.name}: {cell} is out of range; allowed: a number{allowed}")
    return value
