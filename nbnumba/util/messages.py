"""What the program prints besides its results: notices, report lines, progress."""

from __future__ import annotations

import codecs
import contextlib
import functools
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

Notify = Callable[[str], None]
"""What receives the notices of a computation, one line each."""


class _Receivers(NamedTuple):
    """What receives the notices of a context, and whether the handlers of `logging` receive them too."""

    callables: tuple[Notify, ...] = ()
    handlers: bool = True


# One for each thread and task: the notices of one simulation do not reach the receivers of another.
_receivers: ContextVar[_Receivers] = ContextVar("nbnumba_receivers", default=_Receivers())  # noqa: B039


class _Notices(logging.LoggerAdapter[logging.Logger]):
    """Logs notices, and passes each to the receivers of its context, whatever `logging` is set to.

    A receiver runs in the thread that logs, without a lock, and an exception that it raises ends the computation.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        receivers = _receivers.get()
        for receive in receivers.callables:
            receive(str(msg) % args if args else str(msg))
        if receivers.handlers:
            # The record is to name the caller's place, not this one.
            super().log(level, msg, *args, **{"stacklevel": 2, **kwargs})


logger = _Notices(logging.getLogger("nbnumba"))
"""Receives every notice, at level WARNING. Nothing is printed until the user sets up `logging`."""

logger.logger.addHandler(logging.NullHandler())


@contextlib.contextmanager
def _with_receivers(receivers: _Receivers) -> Iterator[None]:
    token = _receivers.set(receivers)
    try:
        yield
    finally:
        _receivers.reset(token)


def notices_to(notify: Notify | None) -> contextlib.AbstractContextManager[None]:
    """Let a callable receive the notices of this context too, for the time of the block; None changes nothing.

    For threads that are started in the block this holds where they run in a copy of the context.
    """
    callables, handlers = _receivers.get()
    return _with_receivers(_Receivers(callables if notify is None else (*callables, notify), handlers))


def notices_only_to(notify: Notify) -> contextlib.AbstractContextManager[None]:
    """Let a callable be the only receiver of the notices of this context, for the time of the block."""
    return _with_receivers(_Receivers((notify,), handlers=False))


def muted() -> contextlib.AbstractContextManager[None]:
    """Drop the notices of this context, for the time of the block."""
    return _with_receivers(_Receivers(handlers=False))


def let_streams_take_any_letter() -> None:
    """Let standard output and standard error take what their encoding lacks, as a plain C locale lacks Å.

    Bytes of file names that are no text leave on standard output as they came.
    """
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if hasattr(stream, "reconfigure"):
            name = f"nbnumba-{errors}"
            codecs.register_error(name, functools.partial(_replaced, codecs.lookup_error(errors)))
            stream.reconfigure(errors=name)


def _replaced(otherwise: Callable[[UnicodeError], Any], error: UnicodeError) -> Any:
    if not isinstance(error, UnicodeEncodeError):
        return otherwise(error)
    letter = error.object[error.start]
    if letter == "Å":
        return "A", error.start + 1
    error.end = error.start + 1
    try:
        return otherwise(error)
    except UnicodeError:
        return "?", error.end


def notice(line: str) -> None:
    """Print a notice on standard error."""
    say(f"nbnumba: notice: {line}")


def say(line: str) -> None:
    """Print a line on standard error, or drop it where standard error is closed."""
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
