"""TOML text, whose mistakes are reported with their line, whatever it holds."""

from __future__ import annotations

import re
import tomllib
from typing import Any

_BY_TOMLLIB = re.compile(r"^(?P<what>.*?) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$", re.DOTALL)


class NoTOML(ValueError):
    """Why a text is no TOML.

    Attributes
    ----------
    line : int or None
        Where, 1 for the first; None where that is not known.
    """

    def __init__(self, what: str, line: int | None) -> None:
        super().__init__(what)
        self.line = line


def parse(text: str) -> dict[str, Any]:
    """Return what a document says.

    Raises
    ------
    NoTOML
        It is no TOML, nests too deeply, or holds a number of thousands of digits.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _BY_TOMLLIB.match(str(error))
        last = max(1, len(text.splitlines()))
        raise NoTOML(match["what"] if match else str(error), int(match["line"] or last) if match else last) from None
    except RecursionError:
        raise NoTOML("nested too deeply", None) from None
    except ValueError as error:  # of Python: numbers have at most 4300 digits
        raise NoTOML(f"a number is too long: {error}", None) from None
