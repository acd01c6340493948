"""A TOML document whose mistakes are reported with file, line and key."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from ..errors import InputError
from ..io.opening import opened
from ..io.toml_text import NoTOML, parse
from ..util.text import nearest, quote

_LONGEST = 1 << 24  # bytes of a document
_MOST_LOOKS = 64

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
        tomllib gives no line numbers. The key is looked for in beginnings of the document, by halves: a
        statement begins behind the last beginning that is a document without it.
        """
        lines = self.text.splitlines(keepends=True)

        def beginning(end: int) -> dict[str, Any] | None:
            with contextlib.suppress(NoTOML):
                return parse("".join(lines[:end]))
            return None

        # The first beginning that holds the key lies between these two, of which the second does.
        without, within = 0, len(lines)
        for _ in range(_MOST_LOOKS):
            if within - without < 2:
                break
            middle = end = (without + within) // 2
            while end < within and (content := beginning(end)) is None:
                end += 1  # in the middle of a statement
            if end == within:
                # Only the lines before the middle can still begin another statement.
                end = middle - 1
                while end > without and (content := beginning(end)) is None:
                    end -= 1
                if end == without:
                    break
            if content is not None and _holds(content, where):
                within = end
            else:
                without = end
        else:
            return None
        return without + 1 if _holds(self.content, where) else None

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
                near = nearest(key, allowed)
                hint = f"did you mean {near}? " if near else ""
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
    with opened(path) as file:
        raw = file.read(_LONGEST + 1)
    if len(raw) > _LONGEST:
        raise InputError(f"{path}: longer than {_LONGEST} bytes, no description of a batch")
    try:
        text = raw.decode("utf-8-sig")  # some editors put a mark first
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path} line {line}: byte {raw[error.start]:#04x} is not UTF-8 text, as TOML must be"
        ) from None
    try:
        return Document(path, text, parse(text))
    except NoTOML as error:
        place = path if error.line is None else f"{path} line {error.line}"
        raise InputError(f"{place}: no TOML: {error}") from None


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
