"""Content of JSON and TOML files checked against types; what is wrong is said in one line.

The types are those of msgspec; the description of a `msgspec.Meta` says what a field needs.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from ..errors import InputError

LARGEST = 1e50  # numbers that mean something, as on the command line

Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST, description="a finite number is needed")]
Vector = Annotated[tuple[Number, Number, Number], msgspec.Meta(description="3 finite numbers are needed")]

_T = TypeVar("_T")

_PATH = re.compile(r" - at `\$(?P<path>.*)`$")
_TOKEN = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+)\]")
_MISSING = re.compile(r"missing required field `(?P<name>\w+)`")
_KINDS = {"object": "an object is needed", "array": "a list is needed", "str": "a text is needed"}


def converted(content: object, kind: type[_T], where: str, place: str = "") -> _T:
    """Return content as an object of a type.

    Parameters
    ----------
    content : object
        Of dicts, lists, texts and numbers.
    kind : type
        A msgspec.Struct.
    where : str
        What messages begin with, for example the name of the file.
    place : str
        Where in the file the content stands, for example ``beam[0]``.

    Raises
    ------
    InputError
        Something is missing, or is not what the type says.
    """
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise failure(where, *_found(content, kind, place, str(error))) from None
    except RecursionError:
        raise failure(where, place, "lists or groups too deep") from None


def converted_table(content: Mapping[str, object], kind: type[_T], fault: Callable[[str, str], InputError]) -> _T:
    """Return a table without tables in it as an object of a type.

    Parameters
    ----------
    content : mapping
    kind : type
        A msgspec.Struct whose fields are described.
    fault : callable
        Given the key that is missing or wrong, and what it takes; returns the error.
    """
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        missing, path = _MISSING.search(str(error)), _PATH.search(str(error))
        key = missing["name"] if missing is not None else "" if path is None else path["path"].removeprefix(".")
        raise fault(key, _field(kind, key)[0]) from None


def failure(where: str, place: str, found: str) -> InputError:
    """Return the error for a place in a file."""
    return InputError(": ".join(filter(None, (where, place, found))))


def shown(value: object) -> str:
    """Return a value of a file for a message, not too long."""
    if isinstance(value, dict):
        return "an object"
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _found(content: Any, kind: type, place: str, message: str) -> tuple[str, str]:
    """Return the place that msgspec found fault with, and what it needs."""
    path = _PATH.search(message)
    here, value, words = place, content, ""
    for name, index in _tokens("" if path is None else path["path"]):
        here = f"{here}[{index}]" if name is None else ".".join(filter(None, (here, name)))
        value = value[int(index)] if name is None else value[name]
        if name is not None:
            words, kind = _field(kind, name)
            at, whole = here, value
    missing = _MISSING.search(message)
    if missing is not None:
        return ".".join(filter(None, (here, missing["name"]))), "is missing"
    if words:
        return at, f"{words}, not {shown(whole)}"
    expected = message.removeprefix("Expected `").partition("`")[0].partition(" ")[0]
    return here, f"{_KINDS.get(expected, message.partition(' - at ')[0])}, not {shown(value)}"


def _tokens(path: str) -> Iterator[tuple[str | None, str]]:
    for token in _TOKEN.finditer(path):
        yield token["name"], token["index"]


def _field(kind: type, name: str) -> tuple[str, type]:
    """Return what a field needs, in words, and the struct in it; its own type where there is none."""
    attribute = next(field.name for field in msgspec.structs.fields(kind) if field.encode_name == name)
    hint = _hints(kind)[attribute]
    words, struct = "", kind
    for inner in _parts(hint):
        if isinstance(inner, msgspec.Meta):
            words = words or (inner.description or "")
        elif isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            return "", inner
    return words, struct


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _parts(hint: Any) -> Iterator[Any]:
    """Yield everything that a hint is made of, the outer before the inner."""
    if get_origin(hint) is Annotated:
        first, *rest = get_args(hint)
        yield from rest
        yield from _parts(first)
        return
    yield hint
    for inner in get_args(hint):
        yield from _parts(inner)
