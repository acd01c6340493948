"""A TOML document whose mistakes are told by file, line and key."""

from __future__ import annotations

import contextlib
import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

from ..errors import FileError, InputError
from ..io.atomic import reason
from ..util.text import quote

_BY_TOMLLIB = re.compile(r"^(?P<what>.*?) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$", re.DOTALL)

Where = tuple[str, ...]
"""The names of the tables around a key, and the key."""


@dataclass(frozen=True)
class Document:
    """What a TOML file says, and its text.

    Attributes
    ----------
    name : str
        As typed, for messages.
    text : str
    content : dict
    """

    name: str
    text: str
    content: dict[str, Any]

    def line_of(self, where: Where) -> int | None:
        """Return the line on which a key stands, 1 for the first; None where it stands nowhere.

        Notes
        -----
        tomllib tells no lines. The key is looked for in ever longer beginnings of the document: a statement begins
        behind the last beginning that is a document without it.
        """
        lines = self.text.splitlines(keepends=True)
        without = 0
        for end in range(1, len(lines) + 1):
            beginning: dict[str, Any] | None = None
            with contextlib.suppress(tomllib.TOMLDecodeError):
                beginning = tomllib.loads("".join(lines[:end]))
            if beginning is None:
                continue
            if _holds(beginning, where):
                return without + 1
            without = end
        return None

    def error(self, where: Where, what: str) -> InputError:
        """Return the error for the value of a key; a key that is not there has no line."""
        line = self.line_of(where)
        key = where[-1] if len(where) < 2 else f"[{'.'.join(where[:-1])}] {where[-1]}"
        place = self.name if line is None else f"{self.name} line {line}"
        return InputError(f"{place}: {key}: {what}")

    def refuse_unknown(
        self, table: Mapping[str, Any], allowed: Collection[str], where: Where = (), elsewhere: Mapping[str, str] = {}
    ) -> None:
        """Raise for a key that has no meaning, with the nearest that has; `elsewhere` says where others belong."""
        for key in table:
            if key not in allowed and key in elsewhere:
                raise self.error((*where, key), f"stands in the wrong place; it belongs {elsewhere[key]}")
            if key not in allowed:
                nearest = difflib.get_close_matches(key, list(allowed), n=1, cutoff=0.5)
                hint = f"did you mean {nearest[0]}? " if nearest else ""
                raise self.error((*where, key), f"unknown key; {hint}allowed: {', '.join(allowed)}")


def read(path: str) -> Document:
    """Read a TOML file.

    Raises
    ------
    FileError
        The file cannot be read.
    InputError
        It is no TOML.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {reason(error)}") from error
    try:
        text = raw.decode("utf-8-sig")  # some editors put a mark first
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(f"{path} line {line}: byte {raw[error.start]:#04x} is no UTF-8 text, which TOML is") from None
    try:
        return Document(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        match = _BY_TOMLLIB.match(str(error))
        last = max(1, len(text.splitlines()))
        line = int(match["line"] or last) if match else last
        raise InputError(f"{path} line {line}: no TOML: {match['what'] if match else error}") from None


def shown(value: object) -> str:
    """Return a value of a document for a message."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bool):
        return str(value).lower()
    text = value.isoformat() if isinstance(value, date | time) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _holds(content: Mapping[str, Any], where: Where) -> bool:
    """Tell whether a key stands in nested tables."""
    inner: Any = content
    for name in where:
        if not isinstance(inner, Mapping) or name not in inner:
            return False
        inner = inner[name]
    return True
