"""Signals that ask the program to end: they raise, so that files that are half written are removed on the way out."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import FrameType
from typing import Any, TypeVar

Result = TypeVar("Result")

# Not all are known to Windows.
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
_MAY_RAISE = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
]
_MOMENT = 0.05  # s; the place where exceptions are dropped has been left by then
_LOOK_SECONDS = 0.2  # between two looks for signals that another thread has received


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


def _is_of_llvmlite(thing: object) -> bool:
    return str(getattr(thing, "__module__", "")).startswith("llvmlite.")


class _Handler:
    """Handles the signals of this process while `ending_signals_raise` lasts."""

    def __init__(self) -> None:
        self.ended = False  # a second signal would cut the cleaning up short; Ctrl-C may
        self.hook_before: Callable[[sys.UnraisableHookArgs], Any] = sys.unraisablehook

    def handle(self, number: int, frame: FrameType | None = None) -> None:
        """Raise what a signal stands for."""
        if not self.ended:
            self.ended = True
            raise Ended(number)

    def send_again(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Send a signal once more that came where Python drops exceptions, for example while it freed an object."""
        error = unraisable.exc_value
        if isinstance(error, AttributeError) and _is_of_llvmlite(unraisable.object):
            return  # an object that a signal met while it was made, and that cannot be freed
        if not isinstance(error, (Ended, KeyboardInterrupt)):
            self.hook_before(unraisable)
            return
        self.ended = False
        number = error.number if isinstance(error, Ended) else signal.SIGINT
        again = threading.Timer(_MOMENT, _thread.interrupt_main, (number,))
        again.daemon = True
        again.start()

    def install(self) -> None:
        """Receive the exceptions that Python drops."""
        self.ended = False
        self.hook_before = sys.unraisablehook
        sys.unraisablehook = self.send_again

    def uninstall(self) -> None:
        """Undo `install`."""
        sys.unraisablehook = self.hook_before


_handler = _Handler()


def raise_in_worker(number: int, when_idle: Callable[[], None]) -> None:
    """Let a signal raise `Ended` in this process from now on, after checking whether there is anything to clean up.

    Parameters
    ----------
    number : int
        Of the signal.
    when_idle : callable
        Is called first, and does not return where the process can end at once.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        when_idle()
        _handler.handle(number)

    _handler.install()
    signal.signal(number, handle)


class _Deferred:
    """The handlers of signals, which run later."""

    def __init__(self) -> None:
        self.handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self.late: list[int] = []
        self.over = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Remember a signal; where an interruption left this handler in its place, do what the other would."""
        if self.over:
            self.handlers[number](number, frame)
        else:
            self.late.append(number)

    def begin(self) -> None:
        """Take the place of every handler that may raise."""
        for number in _MAY_RAISE:
            handler = signal.getsignal(number)
            if callable(handler):
                self.handlers[number] = handler
                signal.signal(number, self.handle)

    def end(self) -> None:
        """Give the handlers their places back, and let them run for the signals that came."""
        self.over = True
        for number, handler in self.handlers.items():
            if signal.getsignal(number) == self.handle:
                signal.signal(number, handler)
        for number in self.late:
            self.handlers[number](number, None)


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Keep the handlers of signals from running until the block ends; only the main thread runs any.

    For calls of HDF5: an exception from a signal handler leaves a lock taken, or makes it crash some time later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting = _Deferred()
    try:
        waiting.begin()
        yield
    finally:
        waiting.end()


@contextlib.contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `Ended` within the block; elsewhere than in the main thread nothing changes.

    A signal that is ignored, as SIGHUP under nohup, stays ignored. After a block that such a signal has ended they are
    ignored: the program is on its way out, and has a status to give.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    _handler.install()
    for number in before:
        signal.signal(number, _handler.handle)
    try:
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN if _handler.ended else signal.SIG_DFL)
        _handler.uninstall()


def wait_for_any(futures: Collection[Future[Result]]) -> tuple[set[Future[Result]], set[Future[Result]]]:
    """Wait until some of these have ended; return those, and the others.

    The system gives a signal to any thread, most often when the process was stopped meanwhile. Handlers run in the main
    thread, which would not wake up for it from a wait without an end.
    """
    while True:
        done, rest = wait(futures, _LOOK_SECONDS, FIRST_COMPLETED)
        if done or not futures:
            return done, rest
