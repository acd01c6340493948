"""Where the chunks of a batch are worked on: in this process, in others of this machine, under Dask or under MPI.

The rest of the batch uses two functions::

    return run_on_ranks(engine, action)          # around the whole command, the reading of the SPEC included
    with open_executor(engine, ...) as pool:       # inside it
        future = pool.submit(render_chunk, task)

A task learns from `own_share()` how many threads it may use, and which GPU.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...util.text import counted
from .pool import Pool
from .resources import Share, Sharing, count_gpus, own_cores, own_seat, own_share, use_share

__all__ = ["ENGINES", "Pool", "Share", "check_executor", "open_executor", "own_share", "run_on_ranks"]

ENGINES = ("local", "dask", "mpi")


class InProcess(Pool):
    """One task after another, in this process and thread: `submit` returns when the task is done.

    So Ctrl-C meets the task itself, which removes what it has half written.
    """

    def __init__(self, threads: int | None) -> None:
        super().__init__(1, 1, f"local: in this process, {counted(threads or len(own_cores()), 'thread')}")
        self._share = Share(threads)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Do a task; see `Pool.submit`."""
        future: Future[Any] = Future()
        use_share(self._share)
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        finally:
            use_share(Share())
        return future


def check_executor(
    name: str, *, scheduler: str | None = None, workers: int | None = None, threads: int | None = None
) -> None:
    """Find mistakes in the options of an executor, before any work.

    Raises
    ------
    InputError
        For an unknown executor, or an option that is out of its range or has no meaning for it.
    """
    if name not in ENGINES:
        raise InputError(f"--engine: {name!a} is unknown; allowed are {', '.join(ENGINES)}")
    if scheduler is not None and name != "dask":
        raise InputError(f"--scheduler {scheduler}: only --engine dask has a scheduler, not {name}")
    if scheduler is not None and not re.search(r"(:\d+|\.json)$", scheduler):
        raise InputError(f"--scheduler: {scheduler!a} is not an address, which is tcp://HOST:PORT, or a file *.json")
    if workers is not None and name == "mpi":
        raise InputError("--workers: under --engine mpi the number of ranks is given to mpiexec or srun")
    for option, value in (("--workers", workers), ("--threads", threads)):
        if value is not None and value < 1:
            raise InputError(f"{option}: {value} is less than 1")
    if threads is not None and name == "local" and threads > len(own_cores()):
        raise InputError(
            f"--threads: {threads} is not between 1 and {len(own_cores())}, the cores this process may use"
        )


@contextlib.contextmanager
def open_executor(
    name: str,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    backend: str = "auto",
    folder: Path | None = None,
) -> Iterator[Pool]:
    """Make the workers ready, and end them with the block.

    When the block ends by an exception, what is under way is broken off as far as the executor can: processes of this
    machine end and remove what they have half written; workers of a Dask scheduler finish the task they are at;
    under MPI `run_on_ranks` ends the job.

    Parameters
    ----------
    name : {"local", "dask", "mpi"}
    scheduler : str, optional
        Of Dask: its address as tcp://HOST:PORT, or the JSON file it wrote; by default a cluster of this machine.
    workers : int, optional
        Processes; with a scheduler, workers to wait for before the first task (1 by default). By default the local
        engine works in this process, or with one process per GPU where there are several; a Dask cluster of this
        machine has one process per core.
    threads : int, optional
        Of each task; by default the cores are divided among the workers that share them.
    backend : {"auto", "cpu", "cuda"}
        What the tasks will ask of the renderer.
    folder : path, optional
        Of the output, which every worker must see; it exists.

    Raises
    ------
    InputError
        See `check_executor`.
    WorkerError
        When a package is missing, or no worker can be had, or one does not fit.
    DeviceError
        For the backend cuda without a GPU.
    """
    check_executor(name, scheduler=scheduler, workers=workers, threads=threads)
    if name == "dask":
        from .dask import open_dask

        opened: contextlib.AbstractContextManager[Pool] = open_dask(scheduler, workers, threads, backend, folder)
    elif name == "mpi":
        from .mpi import open_mpi

        opened = open_mpi(threads, backend)
    else:
        opened = _open_local(workers, threads, backend)
    with opened as pool:
        yield pool


def run_on_ranks(name: str, action: Callable[[], int]) -> int:
    """Run a command that uses an executor and return its exit status.

    Under MPI every rank runs the program: rank 0 runs the action, the others serve until it ends, print nothing and
    return 0. A failure of the action while tasks are under way ends the whole job, after the failure is reported.
    With the other executors this is the action alone.

    Raises
    ------
    WorkerError
        When mpi4py is missing or broken, or there is one rank only.
    """
    if name != "mpi":
        return action()
    from .mpi import run_on_ranks as run

    return run(action)


@contextlib.contextmanager
def _open_local(workers: int | None, threads: int | None, backend: str) -> Iterator[Pool]:
    """Work in this process, or in several of this machine."""
    if workers is None:
        workers = max(1, count_gpus(backend))
    if workers == 1:
        yield InProcess(threads)
        return
    from .processes import open_processes

    seats = tuple(own_seat(str(number)) for number in range(workers))
    with open_processes(Sharing(seats, threads, backend)) as pool:
        yield pool
