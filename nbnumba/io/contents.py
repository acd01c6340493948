"""Contents of small input files, read once for many experiments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

Content = TypeVar("Content")
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
