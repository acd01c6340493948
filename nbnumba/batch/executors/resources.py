"""Which part of a machine a worker of a batch may use, when several share it."""

from __future__ import annotations

import functools
import os
import platform
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import WorkerError
from ...version import __version__


class Share(NamedTuple):
    """What one task may use."""

    threads: int | None = None  # of the processor; None: every core that the process may use
    device: int | None = None  # number of the GPU among the visible ones; None leaves the choice to the renderer


class Seat(NamedTuple):
    """A worker process and the cores it may use."""

    name: str
    host: str
    cores: frozenset[int]
    tasks: int  # that it works on at once


@dataclass(frozen=True)
class Sharing:
    """How the workers of a pool divide their machines; travels with every task.

    Attributes
    ----------
    seats : tuple of Seat
        All workers that are known; one may be missing that came later.
    threads : int or None
        Of each task, where the user says so.
    backend : str
        "auto", "cpu" or "cuda".
    version : str
        Of the nbnumba that deals out the tasks.
    """

    seats: tuple[Seat, ...]
    threads: int | None = None
    backend: str = "auto"
    version: str = __version__

    def share(self, own: Seat) -> Share:
        """Return the share of a worker.

        The cores it may use are divided among the tasks of all workers of its host that may use any of them: under
        SLURM each worker often has cores of its own. GPUs go round by the order of the workers on the host.
        """
        here = [seat for seat in self.seats if seat.host == own.host]
        if all(seat.name != own.name for seat in here):
            # It took the place of one that died: counted already, except where it is alone.
            here = here or [own]
        neighbors = sum(seat.tasks for seat in here if seat.cores & own.cores)
        threads = self.threads or max(1, len(own.cores) // max(1, neighbors))
        gpus = count_gpus(self.backend)
        if gpus < 2:
            return Share(threads)
        names = [seat.name for seat in here]
        number = names.index(own.name) if own.name in names else os.getpid()
        return Share(threads, number % gpus)


class Introduction(NamedTuple):
    """What a worker says of itself before it gets any task."""

    seat: Seat
    version: str
    python: str
    sees_folder: bool


def own_seat(name: str, tasks: int = 1) -> Seat:
    """Return the seat of this process."""
    return Seat(name, socket.gethostname(), own_cores(), tasks)


def own_cores() -> frozenset[int]:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def introduce(probe: str | None, name: str = "", tasks: int = 1) -> Introduction:
    """Return what a worker says of itself; `probe` is a file that the user's process has written."""
    sees = probe is None or Path(probe).is_file()
    return Introduction(own_seat(name, tasks), __version__, platform.python_version(), sees)


@functools.cache
def count_gpus(backend: str) -> int:
    """Return how many GPUs a backend can use in this process; 0 where it takes the processor.

    Raises
    ------
    DeviceError
        For the backend cuda without a GPU.
    """
    from ...errors import DeviceError
    from ...kernels.cuda import device as cuda_device

    if backend == "cpu" or (backend == "auto" and not cuda_device.may_be_there()):
        return 0
    try:
        return len(cuda_device.gpus())
    except DeviceError:
        if backend == "cuda":
            raise
        return 0


def own_share() -> Share:
    """Return what the task that this process works on may use; all of the machine where no pool has said more."""
    return _own


def use_share(share: Share) -> None:
    """Set what the tasks of this process may use."""
    global _own
    _own = share


_own = Share()


def perform(sharing: Sharing, name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Do a task in a worker.

    Parameters
    ----------
    sharing : Sharing
    name : str
        Of this worker.
    function, arguments
        The task.

    Raises
    ------
    WorkerError
        When this worker has another version of nbnumba.
    """
    if sharing.version != __version__:
        raise WorkerError(
            f"the worker {name} on {socket.gethostname()} has nbnumba {__version__}, the batch {sharing.version}; "
            "install the same version"
        )
    use_share(sharing.share(own_seat(name)))
    return function(*arguments)
