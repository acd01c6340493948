"""Contents of small input files, read once for many experiments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..errors import Call, current_call

_LONGEST_KEPT = 1 << 20  # letters of a text that is worth its memory

Content = TypeVar("Content")
Further = ParamSpec("Further")
Contents = dict[tuple[Any, str], Any]
"""What readers returned, by reader and path."""

_kept: ContextVar[Contents | None] = ContextVar("nbnumba_contents", default=None)


@contextlib.contextmanager
def read_once(contents: Contents) -> Iterator[None]:
    """Let `content_of` read no file twice in the block, nor one whose content is there already."""
    token = _kept.set(contents)
    try:
        yield
    finally:
        _kept.reset(token)


def content_of(read: Callable[..., Content], path: str, option: str = "") -> Content:
    """Return what a reader makes of a file; nobody may change it.

    Parameters
    ----------
    read : callable
        Called with the path, and with the option where there is one.
    path : str
    option : str, optional
        Named in messages.
    """
    arguments = (path, option) if option else (path,)
    contents = _kept.get()
    if contents is None:
        return read(*arguments)
    key = (read, path)
    if key not in contents:
        contents[key] = read(*arguments)
    found: Content = contents[key]
    return found


def kept(parse: Callable[Concatenate[str, Further], Content]) -> Callable[Concatenate[str, Further], Content]:
    """Let a parser of texts keep what it made of the last few; nobody may change it.

    The text itself is compared, so that a file that has changed is parsed again; so are all other arguments, and what
    messages call parameters.
    """

    @lru_cache(maxsize=8)
    def of_text(call: Call, text: str, *more: Further.args, **named: Further.kwargs) -> Content:
        return parse(text, *more, **named)

    @wraps(parse)
    def parsed(text: str, /, *more: Further.args, **named: Further.kwargs) -> Content:
        if len(text) > _LONGEST_KEPT:
            return parse(text, *more, **named)
        return of_text(current_call(), text, *more, **named)  # type: ignore[arg-type]

    return parsed
