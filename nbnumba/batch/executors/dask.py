"""Workers of a Dask scheduler, or of a Dask cluster of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import itertools
import logging
import os
import platform
import secrets
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ...errors import FileError, NbnumbaError, WorkerError
from ...io.temporary import temporary_beside
from ...util.messages import logger
from ...util.text import counted
from ...version import __version__
from .pool import GO_ON, Pool
from .processes import ctrl_c_blocked
from .resources import Introduction, Seat, Sharing, introduce, own_cores, perform

INSTALL = 'pip install "nbnumba[dask]"'
CONNECT_SECONDS = 10.0
WORKER_SECONDS = 120.0  # for the first worker to come; an allocation of a cluster brings them one after another
ALONE_SECONDS = 60.0  # without any worker, in the middle of the work
LOOK_SECONDS = 2.0
FETCH_SECONDS = 1.0  # between two looks whether a result is still wanted
ANSWER_SECONDS = 30.0  # of a scheduler that lives


@contextlib.contextmanager
def open_dask(
    scheduler: str | None, workers: int | None, threads: int | None, backend: str, folder: Path | None
) -> Iterator[Pool]:
    """Connect to a scheduler, or start a cluster of this machine; see `open.open_executor`."""
    distributed = _load()
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            count = workers or max(1, len(own_cores()) // (threads or 1))
            security = _own_certificates(distributed)
            address = stack.enter_context(_local_cluster(distributed, count, security)).scheduler_address
            where = "a cluster of this machine"
        else:
            count = workers or 1
            address = where = scheduler
            security = None  # what the configuration of Dask says
        client = stack.enter_context(_connected(distributed, address, where, security))
        seats = _introduce_workers(client, where, count, folder)
        pool = DaskPool(client, where, Sharing(seats, threads, backend))
        stack.callback(pool.close)
        yield pool


class DaskPool(Pool):
    """A client of a scheduler, which a thread watches: no task waits for one that is gone."""

    def __init__(self, client: Any, where: str, sharing: Sharing) -> None:
        count = sum(seat.tasks for seat in sharing.seats)
        hosts = len({seat.host for seat in sharing.seats})
        super().__init__(count, 2 * count, f"dask: {where}, {counted(count, 'task')} at once, hosts: {hosts}")
        self._client = client
        self._where = where
        self._sharing = sharing
        self._run = secrets.token_hex(4)
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._under_way: dict[Future[Any], Any] = {}
        self._failure: WorkerError | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a task done; see `Pool.submit`."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            if self._failure is not None:
                future.set_exception(self._failure)
                return future
            self._under_way[future] = None
        try:
            # Not pure: Dask would else take two tasks with the same words for one. It does a task again elsewhere
            # when its worker dies.
            inner = self._client.submit(
                perform_on_dask,
                self._sharing,
                function,
                arguments,
                pure=False,
                key=f"nbnumba-{self._run}-{next(self._numbers)}",
            )
        except Exception as error:
            self._finish(future, None, self._meaning(error))
            return future
        with self._lock:
            if future in self._under_way:
                self._under_way[future] = inner  # which Dask forgets when nobody holds it
        inner.add_done_callback(lambda done: self._relay(done, future))
        return future

    def _relay(self, done: Any, future: Future[Any]) -> None:
        """Hand on what became of a task."""
        while not self._ended.is_set():  # else this thread would keep the program from ending
            try:
                result = done.result(timeout=FETCH_SECONDS)
            except BaseException as error:
                # A worker that dies with a result that nobody has fetched: Dask does the task again.
                if type(error).__name__ == "TimeoutError" and done.status != "error":
                    continue
                self._finish(future, None, self._meaning(error))
            else:
                self._finish(future, result, None)
            return

    def _finish(self, future: Future[Any], result: Any, error: BaseException | None) -> None:
        with self._lock:
            if self._under_way.pop(future, self) is self:
                return  # the watch was first
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def _meaning(self, error: BaseException) -> BaseException:
        """Translate an exception of Dask's; what the task raised stays as it is."""
        kinds = {cls.__name__ for cls in type(error).__mro__}
        if isinstance(error, NbnumbaError):
            return error
        if "KilledWorker" in kinds:
            return WorkerError(
                f"--engine dask: one chunk ended several workers of {self._where}, perhaps for want of memory; {GO_ON}"
            )
        if kinds & {
            "CancelledError",
            "CommClosedError",
            "TimeoutError",
            "ClosedClientError",
        } or self._client.status not in (
            "running",
            "newly-created",
        ):
            return self._lost("the connection to the scheduler is lost")
        if "deserializ" in str(error):
            return WorkerError(
                f"--engine dask: the scheduler at {self._where} cannot read a task; "
                f"it needs nbnumba {__version__} too: {_first_line(error)}"
            )
        return error

    def _lost(self, what: str) -> WorkerError:
        return WorkerError(f"--engine dask: {self._where}: {what}; {GO_ON}")

    def _watch(self) -> None:
        """Fail what is under way when the scheduler does not answer any more, or has had no workers for long."""
        last_worker = time.monotonic()
        while not self._ended.wait(LOOK_SECONDS):
            try:
                cores = self._client.sync(self._client.scheduler.ncores, callback_timeout=ANSWER_SECONDS)
            except Exception:
                if not self._ended.is_set():
                    self._fail(self._lost("the connection to the scheduler is lost"))
                return
            if cores:
                last_worker = time.monotonic()
            elif time.monotonic() - last_worker > ALONE_SECONDS:
                self._fail(self._lost(f"no worker has been there for {ALONE_SECONDS:.0f} s"))
                return

    def _fail(self, error: WorkerError) -> None:
        with self._lock:
            self._failure = error
            futures = list(self._under_way)
            self._under_way.clear()
        for future in futures:
            future.set_exception(error)

    def close(self) -> None:
        """Lose interest in what is under way; with the client the scheduler forgets what no worker has begun."""
        self._ended.set()
        with self._lock:
            self._under_way.clear()


def perform_on_dask(sharing: Sharing, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Do a task in a worker."""
    from distributed import get_worker

    return perform(sharing, get_worker().address, function, arguments)


def introduce_on_dask(probe: str | None, dask_worker: Any) -> Introduction:
    """Return what a worker says of itself; Dask fills in the worker."""
    return introduce(probe, dask_worker.address, dask_worker.state.nthreads)


def _load() -> Any:
    """Import Dask, silent."""
    for package in ("dask", "distributed"):
        if importlib.util.find_spec(package) is None:
            raise WorkerError(f"--engine dask: the package {package} is not installed; {INSTALL}")
    try:
        import distributed
    except Exception as error:  # a broken installation fails in many ways
        raise WorkerError(f"--engine dask: the package distributed cannot be loaded: {_first_line(error)}") from None
    # Dask gives some of its loggers a level of their own.
    for name in ("distributed", "tornado", "asyncio", *logging.root.manager.loggerDict):
        if name.split(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return distributed


def _own_certificates(distributed: Any) -> Any:
    """Return certificates for one cluster, so that no other user of this machine can give it tasks."""
    try:
        return distributed.Security.temporary()
    except ImportError:
        logger.warning(
            "--engine dask: without the package cryptography the workers listen unprotected: any user of this machine "
            f"could have them run code as you; {INSTALL}, or take --engine local"
        )
        return None


@contextlib.contextmanager
def _errors_aside() -> Iterator[Callable[[], str]]:
    """Let what processes that are started in the block print on standard error go into a temporary file.

    Yields
    ------
    callable
        Returns the last line of it.
    """
    with tempfile.TemporaryFile() as file:

        def last_line() -> str:
            file.seek(0)
            lines = file.read().decode(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")

        try:
            kept = os.dup(2)
        except OSError:  # it is closed
            yield last_line
            return
        try:
            os.dup2(file.fileno(), 2)
            yield last_line
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def _local_cluster(distributed: Any, count: int, security: Any) -> Iterator[Any]:
    """Start worker processes of this machine, without a dashboard.

    Raises
    ------
    WorkerError
        A worker ends before it has begun.
    """
    import dask

    quiet = {"distributed.worker.multiprocessing-method": "spawn", "distributed.logging.distributed": "critical"}
    cluster = None
    with dask.config.set(quiet):
        try:
            with ctrl_c_blocked(), _errors_aside() as last_line:
                cluster = _started(
                    distributed,
                    last_line,
                    n_workers=count,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    protocol="tcp" if security is None else "tls",
                    security=security,
                    dashboard_address=None,
                    memory_limit=0,  # else each worker is ended that takes more than its part of the memory
                    silence_logs=logging.CRITICAL + 1,
                )
            yield cluster
        finally:
            if cluster is not None:
                with ctrl_c_blocked(), contextlib.suppress(Exception):
                    cluster.close(timeout=ANSWER_SECONDS)
                cluster = None
                gc.collect()  # semaphores, of which Python complains when the program ends abruptly


def _started(distributed: Any, last_line: Callable[[], str], **options: Any) -> Any:
    try:
        return distributed.LocalCluster(**options)
    except Exception as error:
        why = last_line() or _first_line(error)
        raise WorkerError(f"--engine dask: the workers of this machine do not start: {why}") from None


@contextlib.contextmanager
def _connected(distributed: Any, address: str, where: str, security: Any) -> Iterator[Any]:
    """Connect to a scheduler."""
    place: dict[str, Any] = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    if security is not None:
        place["security"] = security
    if "scheduler_file" in place and not Path(address).is_file():
        raise FileError(f"--scheduler {address}: there is no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other versions of packages at the workers
            client = distributed.Client(**place, timeout=CONNECT_SECONDS, set_as_default=False)
    except Exception as error:
        raise WorkerError(
            f"--scheduler {where}: no Dask scheduler can be reached there: {_first_line(error)}"
        ) from None
    try:
        yield client
    finally:
        with contextlib.suppress(Exception, asyncio.CancelledError):
            client.close(timeout=5)


def _introduce_workers(client: Any, where: str, count: int, folder: Path | None) -> tuple[Seat, ...]:
    """Wait for workers and have each say whether it fits."""
    try:
        client.wait_for_workers(count, timeout=WORKER_SECONDS)
    except Exception as error:
        raise WorkerError(
            f"--engine dask: {where}: waited {WORKER_SECONDS:.0f} s for {count} workers: {_first_line(error)}"
        ) from None
    with _probe(folder) as probe:
        try:
            answers = client.run(introduce_on_dask, probe, on_error="return")
        except Exception as error:
            raise WorkerError(
                f"--engine dask: {where}: the workers cannot run nbnumba {__version__}: {_first_line(error)}"
            ) from None
    for address, answer in answers.items():
        unfit = _unfit(answer, folder)
        if unfit:
            raise WorkerError(f"--engine dask: the worker {address} of {where} {unfit}")
    return tuple(answer.seat for answer in answers.values())


def _unfit(answer: Any, folder: Path | None) -> str | None:
    """Return why a worker cannot be used, or None."""
    if isinstance(answer, BaseException):
        return f"cannot run nbnumba {__version__}, which must be installed there too: {_first_line(answer)}"
    if answer.version != __version__:
        return f"has nbnumba {answer.version}, this is {__version__}; install the same version"
    ours = platform.python_version()
    if answer.python.split(".")[:2] != ours.split(".")[:2]:
        return f"has Python {answer.python}, this is {ours}; use the same version"
    if not answer.sees_folder:
        return f"does not see the output folder {folder}; it must lie on a file system that all share"
    return None


@contextlib.contextmanager
def _probe(folder: Path | None) -> Iterator[str | None]:
    """Put a file into the output folder for the time of the block."""
    if folder is None:
        yield None
        return
    path = temporary_beside(folder.resolve() / "probe")  # resuming removes it
    try:
        path.touch()
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        yield str(path)
    finally:
        path.unlink(missing_ok=True)


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
