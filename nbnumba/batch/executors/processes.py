"""Worker processes of this machine, which end with the process that started them."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any

from ...errors import WorkerError
from ...util.signals import Ended, raise_in_worker
from ...util.text import counted
from .pool import GO_ON, Pool
from .resources import Sharing, perform

PATIENCE_SECONDS = 10.0  # for a process that was asked to end
EXIT_CODE_SECONDS = 0.5  # from the end of the pipe of a process that dies to its exit code

_spawn = multiprocessing.get_context("spawn")


@contextlib.contextmanager
def open_processes(sharing: Sharing) -> Iterator[Pool]:
    """Start one process for each seat, and end them with the block."""
    _start_tracker()
    pool = Processes(sharing)
    try:
        yield pool
    except BaseException:
        with ctrl_c_blocked():  # a second one would leave processes and semaphores behind
            pool.break_off()
        raise
    else:
        pool.close()


def _start_tracker() -> None:
    """Start Python's resource tracker, whose start unblocks the signals of a thread.

    It cleans up after a process that was killed, and need not say so on the terminal.
    """
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")  # is handed on to it
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.pop()


@contextlib.contextmanager
def ctrl_c_blocked() -> Iterator[None]:
    """Block Ctrl-C in processes that are started in the block; a terminal sends it to all, and this one ends them.

    Signals that would end this process within the block do so at its end: then it knows what it has started. Threads
    that are started in the block, and what those start, block it too.
    """
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    _start_tracker()
    received: list[int] = []
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(signal.getsignal(ending)):
                # Other threads may take the signal, and Python hands it to this one.
                handlers[ending] = signal.signal(ending, lambda number, frame: received.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in received[:1]:
            signal.raise_signal(number)


class Processes(Pool):
    """Processes that are started anew: a fork would take along threads and locks of compiled code and of HDF5."""

    def __init__(self, sharing: Sharing) -> None:
        count = len(sharing.seats)
        threads = sharing.share(sharing.seats[0]).threads
        each = f"{threads} {'thread' if threads == 1 else 'threads'} each"
        super().__init__(count, 2 * count, f"local: {counted(count, 'process', 'processes')}, {each}")
        self._sharing = sharing
        self._numbers = _spawn.Value("i", 0)
        self._executor: ProcessPoolExecutor | None = ProcessPoolExecutor(
            count, mp_context=_spawn, initializer=_begin, initargs=(self._numbers,)
        )
        self._processes: set[Any] = set()
        self._end: WorkerError | None = None

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a task done; see `Pool.submit`."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        assert self._executor is not None
        try:
            with self._starting():
                inner = self._executor.submit(_work, self._sharing, function, arguments)
        except BrokenProcessPool:
            future.set_exception(self._lost())
        else:
            inner.add_done_callback(lambda done: self._relay(done, future))
        return future

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        """Remember processes that are started."""
        before = set(multiprocessing.active_children())
        try:
            with ctrl_c_blocked():
                yield
        finally:
            self._processes |= set(multiprocessing.active_children()) - before

    def _relay(self, done: Future[Any], future: Future[Any]) -> None:
        """Hand on what became of a task."""
        if done.cancelled():
            future.set_exception(WorkerError("--engine local: the chunk was broken off"))
            return
        error = done.exception()
        if error is None:
            future.set_result(done.result())
        else:
            future.set_exception(self._lost() if isinstance(error, BrokenProcessPool) else error)

    def _lost(self) -> WorkerError:
        """Return how a worker ended."""
        if self._end is None:
            self._end = WorkerError(f"--engine local: a worker process {self._how_it_ended()}; {GO_ON}")
        return self._end

    def _how_it_ended(self) -> str:
        ends: list[int] = []
        deadline = time.monotonic() + EXIT_CODE_SECONDS
        while not ends and time.monotonic() < deadline:
            time.sleep(0.01)
            codes = [process.exitcode for process in self._processes]
            # The executor ends the other workers itself, by SIGTERM.
            ends = [code for code in codes if code not in (None, 0, -signal.SIGTERM, 128 + signal.SIGTERM)]
        how = "ended" if not ends else f"ended with exit status {ends[0]}"
        if ends and ends[0] < 0:
            name = signal.Signals(-ends[0]).name
            how = f"was ended by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")
        return how

    def close(self) -> None:
        """End the processes when they have done their tasks."""
        assert self._executor is not None
        self._executor.shutdown(wait=True)
        self._forget()

    def break_off(self) -> None:
        """End the processes now; each removes what it has half written."""
        assert self._executor is not None
        self._end = self._end or WorkerError("--engine local: the chunk was broken off")
        for process in self._processes:
            process.terminate()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._forget()

    def _forget(self) -> None:
        """Drop the semaphores; Python complains of those that a process leaves behind when it ends abruptly."""
        self._executor = None
        del self._numbers
        gc.collect()


_name = ""  # of this worker
_busy = False


def _begin(numbers: Any) -> None:
    """Prepare a worker process: give it its number, and let it end when it is asked to or is left alone."""
    global _name
    with numbers.get_lock():
        _name = str(numbers.value)
        numbers.value += 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise_in_worker(signal.SIGTERM, _end_if_idle)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _work(sharing: Sharing, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Do a task; SIGTERM lets it clean up, then ends the process."""
    global _busy
    _busy = True
    try:
        return perform(sharing, _name, function, arguments)
    except Ended as end:
        # The executor would take it for the task's failure, and the process would live on.
        os._exit(end.exit_status)
    finally:
        _busy = False


def _end_if_idle() -> None:
    if not _busy:
        os._exit(128 + signal.SIGTERM)


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one; it can be killed without any notice."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_SECONDS)
    os._exit(1)
