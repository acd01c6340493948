"""A table of values, one row an image, read from CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import FileError, InputError
from ..io.atomic import reason
from ..io.opening import refuse_device
from ..util.text import NUMBER, counted, quote
from .distributions import A_COLUMNS, KEYS, ONLY_COLUMNS, U_COLUMNS, BadValue, Key, Number
from .texts import TEXTS, check

_NUMBER = re.compile(NUMBER, re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)

Row = dict[str, Number]
Texts = dict[str, str]

_ALLOWED = ", ".join((*(key for key in KEYS if key not in ONLY_COLUMNS), *TEXTS, "A_11 ... A_33", "U_11 ... U_33"))


def read(path: Path, label: str, count: int) -> tuple[tuple[str, ...], tuple[Row, ...], tuple[Texts, ...]]:
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
    rows, texts : tuple of dict
        Numbers and texts, `count` of each.

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
            texts: list[Texts] = []
            for cells in lines:
                if len(rows) == count:
                    break
                if any(cell.strip() for cell in cells):
                    row, chosen = _row(columns, cells, f"{label} line {lines.line_num}")
                    rows.append(row)
                    texts.append(chosen)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{label}: cannot be read: {reason(error)}") from error
    except UnicodeDecodeError:
        raise InputError(f"{label}: is not text in UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{label} line {lines.line_num}: no CSV: {error}") from None
    if len(rows) < count:
        raise InputError(f"{label}: {counted(len(rows), 'row')} of values for count = {count}; every image needs one")
    return columns, tuple(rows), tuple(texts)


def _columns(header: Sequence[str], label: str) -> tuple[str, ...]:
    """Return the names of the columns."""
    columns = tuple(name.strip() for name in header)
    if not any(columns):
        raise InputError(f"{label} line 1: no names of columns; allowed: {_ALLOWED}")
    for name in columns:
        if name not in KEYS and name not in TEXTS:
            raise InputError(f"{label} line 1: {quote(name)} is not the name of a column; allowed: {_ALLOWED}")
        if columns.count(name) > 1:
            raise InputError(f"{label} line 1: {name} names two columns; every name may stand once")
    for matrix in (A_COLUMNS, U_COLUMNS):
        missing = [name for name in matrix if name not in columns]
        if 0 < len(missing) < len(matrix):
            raise InputError(f"{label} line 1: {missing[0]} is missing; a matrix takes {matrix[0]} ... {matrix[-1]}")
    return columns


def _row(columns: Sequence[str], cells: Sequence[str], place: str) -> tuple[Row, Texts]:
    """Return the numbers and the texts of one image."""
    if len(cells) != len(columns):
        raise InputError(f"{place}: {counted(len(cells), 'value')} under {counted(len(columns), 'name')} of columns")
    row: Row = {}
    texts: Texts = {}
    for name, cell in zip(columns, cells, strict=True):
        if name in KEYS:
            row[name] = _value(KEYS[name], cell.strip(), place)
            continue
        try:
            check(name, cell.strip())
        except (BadValue, InputError) as error:
            raise InputError(f"{place}: {name}: {error}") from None
        texts[name] = cell.strip()
    _check_matrix(row, place)
    return row, texts


def _check_matrix(row: Row, place: str) -> None:
    """Refuse reciprocal vectors in one plane, and what is no rotation."""
    if A_COLUMNS[0] in row:
        matrix = np.array([row[name] for name in A_COLUMNS]).reshape(3, 3)
        if abs(np.linalg.det(matrix)) <= 1e-12 * np.prod(np.linalg.norm(matrix, axis=0)):
            raise InputError(f"{place}: A_11 ... A_33: a*, b*, c* lie in one plane")
    if U_COLUMNS[0] in row:
        matrix = np.array([row[name] for name in U_COLUMNS]).reshape(3, 3)
        # As nearly as six digits tell.
        if np.max(np.abs(matrix @ matrix.T - np.eye(3))) > 1e-5 or np.linalg.det(matrix) < 0.0:
            raise InputError(f"{place}: U_11 ... U_33: is no rotation")


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
