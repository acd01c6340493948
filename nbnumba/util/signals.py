"""Signals that ask the program to end: they raise, so that files that are half written are removed on the way out."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_ENDING = ("SIGTERM", "SIGHUP")  # SIGHUP is unknown to Windows
_MOMENT = 0.05  # s; the place where exceptions are dropped has been left by then


class Ended(BaseException):
    """A signal asked the program to end.

    Attributes
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_status(self) -> int:
        """What a shell sees of a program that the signal ended."""
        return 128 + self.number


class _Ear:
    """What hears the signals of this process while `ending_signals_raise` lasts."""

    def __init__(self) -> None:
        self.ended = False  # a second signal would cut the cleaning up short; Ctrl-C may
        self.waiting = 0  # blocks of `signals_wait` that are open
        self.late: int | None = None  # the signal that came meanwhile
        self.hook_before: Callable[[sys.UnraisableHookArgs], Any] = sys.unraisablehook

    def hear(self, number: int, frame: FrameType | None = None) -> None:
        """Raise what a signal stands for, now or when it no longer has to wait."""
        if self.waiting:
            self.late = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        elif not self.ended:
            self.ended = True
            raise Ended(number)

    def hear_again(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Let a signal come once more that came where Python drops exceptions, while it freed an object for example."""
        error = unraisable.exc_value
        if not isinstance(error, (Ended, KeyboardInterrupt)):
            self.hook_before(unraisable)
            return
        self.ended = False
        number = error.number if isinstance(error, Ended) else signal.SIGINT
        again = threading.Timer(_MOMENT, _thread.interrupt_main, (number,))
        again.daemon = True
        again.start()

    def listen(self) -> None:
        """Hear of exceptions that are dropped."""
        self.ended = False
        self.hook_before = sys.unraisablehook
        sys.unraisablehook = self.hear_again

    def turn_away(self) -> None:
        """Undo `listen`."""
        sys.unraisablehook = self.hook_before


_ear = _Ear()


def hear_in_worker(number: int, when_idle: Callable[[], None]) -> None:
    """Let a signal raise `Ended` in this process from now on, after a look whether there is anything to clean up.

    Parameters
    ----------
    number : int
        Of the signal.
    when_idle : callable
        Is called first, and does not return where the process can end at once.
    """

    def hear(number: int, frame: FrameType | None) -> None:
        when_idle()
        _ear.hear(number)

    _ear.listen()
    signal.signal(number, hear)


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Keep the signals of `ending_signals_raise` waiting until the block ends, in the main thread.

    For calls of libraries that an exception out of nowhere leaves with a lock taken.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _ear.waiting += 1
    try:
        yield
    finally:
        _ear.waiting -= 1
        if not _ear.waiting and _ear.late is not None:
            number, _ear.late = _ear.late, None
            _ear.hear(number)


@contextlib.contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `Ended` within the block; elsewhere than in the main thread nothing changes.

    A signal that is ignored, as SIGHUP under nohup, stays ignored. Ctrl-C raises KeyboardInterrupt as ever, but can be
    kept waiting.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual: dict[int, Any] = {getattr(signal, name): signal.SIG_DFL for name in _ENDING if hasattr(signal, name)}
    usual[signal.SIGINT] = signal.default_int_handler
    before = {number: handler for number, handler in usual.items() if signal.getsignal(number) is handler}

    _ear.listen()
    for number in before:
        signal.signal(number, _ear.hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _ear.turn_away()
