"""The sub-command `nbnumba batch`."""

from __future__ import annotations

from typing import Annotated

import typer


def batch(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC.toml|FOLDER",
            help="What to render: command, count, seed, images_per_file, dtype, noise, and what varies. File names in "
            "it start in its own folder.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "-output",
            "--output",
            metavar="FOLDER",
            help="Where shots.h5, shots_0000.h5 and so on, labels.csv, contact_sheet.png and batch.log go.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "-dry-run", "--dry-run", help="Print the first experiments, time and disk that it takes; write nothing."
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("-resume", "--resume", help="Go on with what was interrupted in FOLDER.")
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "-verify",
            "--verify",
            help="Check every file of a finished batch against its checksums; the folder stands in place of SPEC.toml. "
            "Exit status 1 where one is damaged or missing.",
        ),
    ] = False,
    engine: Annotated[
        str, typer.Option("-engine", "--engine", metavar="local|dask|mpi", help="What does the work.")
    ] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option(
            "-scheduler",
            "--scheduler",
            metavar="ADDRESS",
            help="Of Dask: tcp://HOST:PORT, or the JSON file that the scheduler wrote (default: a cluster of this "
            "machine).",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "-workers",
            "--workers",
            metavar="N",
            help="Processes (default: local 1, or one per GPU; dask one per core); with a scheduler, workers to wait "
            "for.",
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("-threads", "--threads", metavar="N", help="Of each process (default: its cores).")
    ] = None,
) -> int:
    """Render many images, each drawn anew, into NXmx files with their labels.

    Image i depends on the seed and i alone. What is interrupted goes on with --resume and loses nothing.
    """
    if verify:
        from .verify import verify as check

        return check(spec)
    from .executors.open import run_on_ranks
    from .run import Request, run

    request = Request(spec, output, resume, dry_run, engine, scheduler, workers, threads)
    return run_on_ranks(engine, lambda: run(request))


def series(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC.toml|FOLDER",
            help="What to render: a SPEC as of a batch, with a table [series] of phi0_deg, osc_deg, images and format. "
            "File names in it start in its own folder.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--o",
            "-output",
            "--output",
            metavar="FOLDER",
            help="Where series_master.h5, series_0000.h5 and so on, XDS.INP, series.expt and labels.csv go.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "-dry-run", "--dry-run", help="Print the first images, time and disk that it takes; write nothing."
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("-resume", "--resume", help="Go on with what was interrupted in FOLDER.")
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "-verify",
            "--verify",
            help="Check every file of a finished series against its checksums; the folder stands in place of "
            "SPEC.toml. Exit status 1 where one is damaged or missing.",
        ),
    ] = False,
    engine: Annotated[
        str, typer.Option("-engine", "--engine", metavar="local|dask|mpi", help="What does the work.")
    ] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option(
            "-scheduler",
            "--scheduler",
            metavar="ADDRESS",
            help="Of Dask: tcp://HOST:PORT, or the JSON file that the scheduler wrote (default: a cluster of this "
            "machine).",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "-workers",
            "--workers",
            metavar="N",
            help="Processes (default: local 1, or one per GPU; dask one per core); with a scheduler, workers to wait "
            "for.",
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("-threads", "--threads", metavar="N", help="Of each process (default: its cores).")
    ] = None,
) -> int:
    """Render the images of a rotation, with the truth beside them.

    Image i depends on the SPEC and i alone. What is interrupted goes on with --resume and loses nothing.
    """
    if verify:
        from .verify import verify as check

        return check(spec)
    from .executors.open import run_on_ranks
    from .run import Request, run

    request = Request(spec, output, resume, dry_run, engine, scheduler, workers, threads, series=True)
    return run_on_ranks(engine, lambda: run(request))
