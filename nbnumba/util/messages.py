"""What the program says besides its results: notices, report lines, progress."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

Notify = Callable[[str], None]
"""What receives the notices of a computation, one line each."""


class _Audience(NamedTuple):
    """Who hears what is logged in a context, and whether the handlers of `logging` hear it too."""

    listeners: tuple[Notify, ...] = ()
    handlers: bool = True


# One for each thread and task: what one simulation has to say does not reach the listener of another.
_audience: ContextVar[_Audience] = ContextVar("nbnumba_audience", default=_Audience())  # noqa: B039


class _Notices(logging.LoggerAdapter[logging.Logger]):
    """Logs notices, and hands each to the listeners of its context, whatever `logging` is set to.

    A listener runs in the thread that logs, without a lock, and what it raises ends the computation.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        audience = _audience.get()
        for listener in audience.listeners:
            listener(str(msg) % args if args else str(msg))
        if audience.handlers:
            # The record is to name the caller's place, not this one.
            super().log(level, msg, *args, **{"stacklevel": 2, **kwargs})


logger = _Notices(logging.getLogger("nbnumba"))
"""Receives every notice, at level WARNING. Nothing is printed until the user sets up `logging`."""

logger.logger.addHandler(logging.NullHandler())


@contextlib.contextmanager
def _with_audience(audience: _Audience) -> Iterator[None]:
    token = _audience.set(audience)
    try:
        yield
    finally:
        _audience.reset(token)


def heard_by(notify: Notify | None) -> contextlib.AbstractContextManager[None]:
    """Let a callable receive the notices of this context too, for the time of the block; None changes nothing.

    Threads that are started in the block hear it where they run in a copy of the context.
    """
    listeners, handlers = _audience.get()
    return _with_audience(_Audience(listeners if notify is None else (*listeners, notify), handlers))


def heard_only_by(notify: Notify) -> contextlib.AbstractContextManager[None]:
    """Let a callable receive the notices of this context, and nobody else, for the time of the block."""
    return _with_audience(_Audience((notify,), handlers=False))


def muted() -> contextlib.AbstractContextManager[None]:
    """Drop the notices of this context, for the time of the block."""
    return _with_audience(_Audience(handlers=False))


def notice(line: str) -> None:
    """Tell the user something on standard error."""
    say(f"nbnumba: notice: {line}")


def say(line: str) -> None:
    """Print a line on standard error, or lose it where nobody listens."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


class Reporter:
    """Prints report lines unless -quiet was given."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    def __call__(self, lines: Iterable[str]) -> None:
        """Print lines."""
        if not self.quiet:
            print("\n".join(lines), flush=True)


@contextlib.contextmanager
def progress_bar(what: str, shown: bool = True) -> Iterator[Callable[[float], None] | None]:
    """Show a progress bar on standard error, on a terminal only.

    Yields
    ------
    callable or None
        Receives the fraction done; None where no bar is shown.
    """
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)
