"""What takes the tasks of a batch, whatever executes them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

GO_ON = "--resume goes on with what is missing"  # the end of every message about what is lost


class Pool:
    """What takes tasks; each kind of executor has its own.

    Attributes
    ----------
    workers : int
        Tasks that are worked on at once.
    in_flight : int
        Tasks that should be under way or waiting so that no worker is idle; more gain nothing. 1 where `submit`
        itself does the work, in the thread that calls it.
    words : str
        What the log says of it.
    """

    def __init__(self, workers: int, in_flight: int, words: str) -> None:
        self.workers = workers
        self.in_flight = in_flight
        self.words = words

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a task done.

        Parameters
        ----------
        function : callable
            At the top of a module; it runs in another process, perhaps on another machine: paths among the
            arguments are absolute.
        arguments
            Whatever can be pickled, and small.

        Returns
        -------
        concurrent.futures.Future
            Raises what the task raised, or WorkerError when the worker, or the way to it, is lost. It cannot be
            canceled: to give it up, leave the `with` block of `open_executor` by an exception.
        """
        raise NotImplementedError
