"""Series from Python."""

from __future__ import annotations

import os

from ..util.messages import Notify, notices_to


def series(
    spec: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    resume: bool = False,
    engine: str = "local",
    scheduler: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    notify: Notify | None = None,
) -> None:
    """Render the images of a rotation, as `nbnumba series SPEC.toml -o FOLDER` does.

    Parameters
    ----------
    spec : path
        A TOML file; docs/series.md describes it.
    folder : path
        Receives the files; it is made where it is missing.
    resume : bool
        Go on with what was interrupted there.
    engine : {"local", "dask", "mpi"}
        What does the work; of "mpi" every rank calls this.
    scheduler : str, optional
        Of Dask.
    workers, threads : int, optional
        Processes, and threads of each.
    notify : callable, optional
        Receives one-line notices.

    Raises
    ------
    InputError
        For a mistake in the SPEC, or a folder that holds something else.
    FileError
        For a file that cannot be read or written, and a full disk.
    DeviceError, WorkerError
        When what was asked for cannot be had or is lost.
    """
    from .executors.open import run_on_ranks
    from .run import Request, run

    request = Request(
        os.fspath(spec), os.fspath(folder), resume, False, engine, scheduler, workers, threads, series=True, quiet=True
    )
    with notices_to(notify):
        run_on_ranks(engine, lambda: run(request))
