"""Tasks in a row, shared out among threads, while Ctrl-C and the progress bar get their turn.

The threads are Python's: compiled code does not hold the interpreter's lock, a thread that is done takes the next
tasks, and any number of renders may run at once. Numba's own parallel loops would compile a kernel three times over,
share the tasks out beforehand, and keep Ctrl-C waiting.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context

CHUNK_SECONDS = 0.02
LOOK_SECONDS = 0.1  # between two looks at the progress
PATIENCE_SECONDS = 0.7  # code that is loaded, not compiled, is there by then

Worker = Callable[[int, int], object]  # does the tasks from the first to before the last


class Tasks:
    """Some number of tasks, which threads take in chunks of about CHUNK_SECONDS.

    Parameters
    ----------
    count : int
    new_worker : callable
        Called by every thread; returns the function that does the tasks first to last - 1.
    first_chunk : int
        Number of tasks that a thread takes at first.
    """

    def __init__(self, count: int, new_worker: Callable[[], Worker], first_chunk: int = 1) -> None:
        self.count = count
        self.done = 0
        self.stop = False
        self._new_worker = new_worker
        self._first_chunk = first_chunk
        self._next = 0
        self._failure: BaseException | None = None
        self._lock = threading.Lock()

    def run(self, threads: int, progress: Callable[[float], None] | None) -> None:
        """Do all tasks, or those until `stop` is set; progress receives the fraction done."""
        # Daemons: on Ctrl-C nobody waits for a long task; nothing is written that could be left half done.
        workers = [threading.Thread(target=self._take_chunks_safely, daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                while worker.is_alive():
                    worker.join(LOOK_SECONDS)
                    if progress is not None:
                        progress(self.done / self.count)
        finally:
            self.stop = True
        if self._failure is not None:
            raise self._failure

    def run_here(self) -> None:
        """Do all tasks, or those until `stop` is set, in the thread that asks."""
        self._take_chunks()

    def _take_chunks_safely(self) -> None:
        """Work as a thread; a failure is left for the main thread."""
        try:
            self._take_chunks()
        except BaseException as failure:
            self._failure = failure
            self.stop = True

    def _take_chunks(self) -> None:
        """Work on one chunk after another until none is left."""
        size = self._first_chunk
        work = self._new_worker()
        while not self.stop:
            with self._lock:
                first = self._next
                last = self._next = min(self.count, first + size)
            if first == last:
                return
            start = time.perf_counter()
            work(first, last)
            spent = max(1e-6, time.perf_counter() - start)
            size = max(1, int((last - first) * min(4.0, CHUNK_SECONDS / spent)))
            with self._lock:
                self.done += last - first


@contextlib.contextmanager
def announced(on_compiling: Callable[[], None] | None) -> Iterator[None]:
    """Tell of a function that takes too long to be loading, so that it must be compiling."""
    timer = threading.Timer(PATIENCE_SECONDS, copy_context().run, (on_compiling or (lambda: None),))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
