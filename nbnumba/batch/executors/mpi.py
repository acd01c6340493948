"""Ranks of an MPI job: rank 0 deals out the tasks, the others work on them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, NoReturn

from ...errors import WorkerError
from ...util.exits import INTERRUPTED
from ...util.signals import Ended
from ...util.text import counted
from .pool import Pool
from .resources import Seat, Sharing, own_seat, perform

INSTALL = 'pip install "nbnumba[mpi]"'
START = "mpiexec -n 3 nbnumba batch ... --engine mpi"

LEAVE_SECONDS = 10.0  # that a rank waits for rank 0 to end the job
_PRINT_SECONDS = 0.2  # that mpiexec needs to hand on what rank 0 has printed; Abort does not wait for it


class _Job:
    """The job as rank 0 sees it."""

    def __init__(self, executor: Any, seats: tuple[Seat, ...]) -> None:
        self.executor = executor
        self.seats = seats
        self.under_way: set[Future[Any]] = set()


_job: _Job | None = None


def run_on_ranks(action: Callable[[], int]) -> int:
    """Run an action on rank 0 and serve it on the others; see `open.run_on_ranks`."""
    global _job
    try:
        ranks, seats, futures = _gather()
    except (Ended, KeyboardInterrupt) as end:
        _leave_at_start(end)
        raise
    if ranks.rank != 0:
        return _serve(ranks, futures)
    with futures.MPICommExecutor(ranks, root=0) as executor:
        _job = _Job(executor, tuple(seats[1:]))
        try:
            return action()
        except BaseException:
            if any(not future.done() for future in _job.under_way):
                # Nobody waits for the chunks that others are at.
                ranks.Abort(_report())
            raise
        finally:
            _job = None


def _gather() -> tuple[Any, list[Seat], Any]:
    """Start MPI and wait for all ranks; return their communicator, where they are, and mpi4py.futures."""
    mpi, futures = _load()
    ranks = mpi.COMM_WORLD
    if ranks.size < 2:
        raise WorkerError(
            "--engine mpi: there is one rank only: one deals out the chunks, the others render them; start it as "
            f"{START}, with the mpiexec or srun of the MPI that mpi4py uses; on one machine use --engine local"
        )
    return ranks, ranks.allgather(own_seat(f"rank {ranks.rank}")), futures


def _leave_at_start(end: BaseException) -> None:
    """End the job because of a signal while its ranks gather; a rank that left in good order would wait for them."""
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is None or not mpi.Is_initialized():
        return
    if mpi.COMM_WORLD.rank == 0:
        mpi.COMM_WORLD.Abort(_report())
    _leave(end.exit_status if isinstance(end, Ended) else INTERRUPTED)


def _serve(ranks: Any, futures: Any) -> int:
    """Work on tasks until rank 0 has no more; a signal ends this rank without a message, and with it the job."""
    try:
        with futures.MPICommExecutor(ranks, root=0):
            return 0
    except Ended as end:
        _leave(end.exit_status)
    except KeyboardInterrupt:
        _leave(INTERRUPTED)


def _leave(status: int) -> NoReturn:
    """End this rank because of a signal."""
    # Rank 0 has most often received it too, and needs time to report it: the first rank that is gone ends all others.
    time.sleep(LEAVE_SECONDS)
    os._exit(status)


def _report() -> int:
    """Print the exception that is being handled as the program would, and return its exit status."""
    from ...util.exits import exit_status

    status = exit_status(_raise_again)
    sys.stderr.flush()
    time.sleep(_PRINT_SECONDS)
    return status


def _raise_again() -> int:
    """Raise the exception that a caller is handling."""
    raise


class _Ranks(Pool):
    """The ranks that serve."""

    def __init__(self, job: _Job, sharing: Sharing) -> None:
        count = len(job.seats)
        hosts = len({seat.host for seat in job.seats})
        super().__init__(count, 2 * count, f"mpi: {counted(count, 'rank')} and one that deals out, hosts: {hosts}")
        self._job = job
        self._sharing = sharing

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a task done; see `Pool.submit`."""
        inner = self._job.executor.submit(perform_on_rank, self._sharing, function, arguments)
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self._job.under_way.add(future)
        inner.add_done_callback(lambda done: self._relay(done, future))
        return future

    def _relay(self, done: Future[Any], future: Future[Any]) -> None:
        """Hand on what became of a task."""
        self._job.under_way.discard(future)
        if done.cancelled():
            future.set_exception(WorkerError("--engine mpi: the chunk was broken off"))
            return
        error = done.exception()
        if error is None:
            future.set_result(done.result())
        else:
            future.set_exception(error)


@contextlib.contextmanager
def open_mpi(threads: int | None, backend: str) -> Iterator[Pool]:
    """Give out the ranks that serve; they end with `run_on_ranks`."""
    if _job is None:
        raise WorkerError(f"--engine mpi: the program was not started as {START}")
    yield _Ranks(_job, Sharing(_job.seats, threads, backend))


def perform_on_rank(sharing: Sharing, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Do a task in a rank that serves; a signal ends the rank when the task has cleaned up."""
    from mpi4py import MPI

    try:
        return perform(sharing, f"rank {MPI.COMM_WORLD.rank}", function, arguments)
    except Ended as end:
        # The executor would send it to rank 0 as the task's failure.
        _leave(end.exit_status)
    except KeyboardInterrupt:
        _leave(INTERRUPTED)


def _load() -> tuple[Any, Any]:
    """Import MPI, which starts it."""
    if importlib.util.find_spec("mpi4py") is None:
        raise WorkerError(f"--engine mpi: the package mpi4py is not installed; {INSTALL}")
    try:
        from mpi4py import MPI, futures
    except Exception as error:  # a broken installation fails in many ways
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WorkerError(
            f"--engine mpi: mpi4py cannot be loaded: {text}; it needs an MPI library (pip install mpich)"
        ) from None
    if getattr(getattr(futures, "_core", None), "SharedPool", None) is not None:
        raise WorkerError(f"--engine mpi: not through python -m mpi4py.futures; start it as {START}")
    return MPI, futures
