"""The kinds of failure a user can meet; each prints as one line and has an exit status."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

# What a parameter is called in the messages of this context.
Call = Callable[[str, object], str]
_calls: ContextVar[Call | None] = ContextVar("nbnumba_calls", default=None)


def _by_name(name: str, value: object) -> str:
    return name


_default_calls: Call = _by_name


def called(name: str, value: object = None) -> str:
    """Return what the user of this context calls a parameter, or the way to give it a value: option or keyword."""
    return current_call()(name, value)


def current_call() -> Call:
    """Return the function by which `called` says it in this context."""
    return _calls.get() or _default_calls


def call_parameters(call: Call) -> None:
    """Set what parameters are called where no front end says otherwise."""
    global _default_calls
    _default_calls = call


@contextlib.contextmanager
def parameters_called(call: Call) -> Iterator[None]:
    """Let messages in the block call parameters by what a function of their names returns."""
    token = _calls.set(call)
    try:
        yield
    finally:
        _calls.reset(token)


class NbnumbaError(Exception):
    """Base of every error that is the input's or the machine's fault, not ours.

    The command line prints the message as one line on standard error and exits with `exit_status`.
    """

    exit_status = 1


class InputError(NbnumbaError, ValueError):
    """A bad value, or a file whose content is malformed.

    The message names the parameter or file, the value found and what is allowed. Of a parameter it is made of three:
    ``InputError("roi", "5 1 0 9", "holds no pixel; ...")``.

    Attributes
    ----------
    parameter : str or None
        Name of the parameter; None where the message was made otherwise.
    """

    exit_status = 2

    def __init__(self, message: str, value: object = None, why: str | None = None) -> None:
        self.parameter = None if why is None else message
        super().__init__(message if why is None else f"{called(message)}: {value} {why}")


class IncompleteError(InputError):
    """What an image cannot do without is not given."""


class FileError(NbnumbaError, OSError):
    """A file that is missing, unreadable or cannot be written, or a full disk."""

    exit_status = 3


class DeviceError(NbnumbaError, RuntimeError):
    """A device that was asked for explicitly is not there or failed."""

    exit_status = 4


class WorkerError(NbnumbaError, RuntimeError):
    """The workers of a batch, or the way to them, cannot be had or were lost."""

    exit_status = 5
