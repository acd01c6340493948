"""Keywords for readers: `python -m nbnumba.parameters.stub` prints `nbnumba/keywords.py`; and for docstrings."""

from __future__ import annotations

import re
from inspect import cleandoc

from .table import KEYWORDS, NANOBRAGG, SUBJECT_OF
from .types import Kind, Parameter

_HEAD = '''\
"""Keywords of an experiment, in the units of their names, with their types.

Written by `python -m nbnumba.parameters.stub` from the table of parameters, for editors and type checkers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from numpy.typing import ArrayLike, NDArray

Path = str | os.PathLike[str]
Numbers = Sequence[float] | NDArray[Any]
Three = Numbers
Wholes = Sequence[int] | NDArray[Any]


class Keywords(TypedDict, total=False):
    """What describes an experiment; everything has a default but crystal and structure factors."""
'''
_HINTS = {Kind.SWITCH: "bool", Kind.WHOLE: "int", Kind.FILE: "Path", Kind.TEXT: "str", Kind.CHOICE: "str"}


def keywords_module() -> str:
    """Return the text of the module."""
    lines = [_HEAD]
    subject = ""
    for name, parameter in KEYWORDS.items():
        if SUBJECT_OF[name] != subject:
            subject = SUBJECT_OF[name]
            lines += [*([""] if len(lines) > 1 else []), f"    # {subject}"]
        hint = _hint(parameter).replace("Sequence[float]", "Numbers").replace("Sequence[int]", "Wholes")
        lines.append(f"    {name}: {hint}")
        lines += _docstring(parameter)
    return "\n".join(lines) + "\n"


def with_keywords(text: str) -> str:
    """Return a docstring with all keywords of an experiment, their types and units, before what it raises."""
    lines = "\n".join(_listed())
    # Python 3.13 has taken off the indentation already.
    return cleandoc(text).replace("Raises\n", f"Other Parameters\n----------------\n{lines}\n\nRaises\n", 1)


def _listed() -> list[str]:
    lines: list[str] = []
    for name, parameter in KEYWORDS.items():
        text = "\n".join(line.strip() for line in _docstring(parameter)).strip("\n")
        text = text.removeprefix('"""').removesuffix('"""').rstrip()
        lines += [f"{name} : {_hint(parameter)}", *(f"    {line}" if line else "" for line in text.split("\n"))]
    return lines


def _hint(parameter: Parameter) -> str:
    if parameter.hint:
        return parameter.hint
    if parameter.kind is Kind.NUMBER:
        return "Three" if parameter.counts == (3,) else "float"
    return _HINTS[parameter.kind]


def _docstring(parameter: Parameter) -> list[str]:
    text = parameter.note or f"{parameter.help[:1].upper()}{parameter.help[1:]}."
    if parameter.unit.symbol and not parameter.note:
        text = f"{text.removesuffix('.')} [{parameter.unit.symbol}]."
    keywords = {option.key: option.parameter.name for option in NANOBRAGG.options if option.parameter.keyword}
    text = re.sub(r"(?<!the option )-[A-Za-z]\w+", lambda option: keywords.get(option[0], option[0]), text)
    first, *rest = text.split("\n")
    if not rest:
        return [f'    """{first}"""']
    return [f'    """{first}', *(f"    {line}" if line else "" for line in rest), '    """']


if __name__ == "__main__":
    print(keywords_module(), end="")
