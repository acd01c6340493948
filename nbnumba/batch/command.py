"""The sub-commands `nbnumba batch` and `nbnumba series`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from .run import Request

DryRun = Annotated[
    bool,
    typer.Option(
        "-dry-run", "--dry-run", help="Print the first experiments, time and disk that it takes; write nothing."
    ),
]
Resume = Annotated[bool, typer.Option("-resume", "--resume", help="Go on with what was interrupted in FOLDER.")]
Verify = Annotated[
    bool,
    typer.Option(
        "-verify",
        "--verify",
        help="Check every file that is finished against its checksums; the folder stands in place of SPEC.toml. "
        "Exit status 1 where one is damaged or missing.",
    ),
]
Engine = Annotated[str, typer.Option("-engine", "--engine", metavar="local|dask|mpi", help="What does the work.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "-scheduler",
        "--scheduler",
        metavar="ADDRESS",
        help="Of Dask: tcp://HOST:PORT, or the JSON file that the scheduler wrote (default: a cluster of this "
        "machine).",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "-workers",
        "--workers",
        metavar="N",
        help="Processes (default: local 1, or one per GPU; dask one per core); with a scheduler, workers to wait for.",
    ),
]
Threads = Annotated[
    int | None, typer.Option("-threads", "--threads", metavar="N", help="Of each process (default: its cores).")
]


def _output(what: str) -> Any:
    """Return the option that names the folder to write."""
    return typer.Option("-o", "-output", "--output", metavar="FOLDER", help=what)


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
        str | None, _output("Where shots.h5, shots_0000.h5 and so on, labels.csv, contact_sheet.png and batch.log go.")
    ] = None,
    dry_run: DryRun = False,
    resume: Resume = False,
    verify: Verify = False,
    engine: Engine = "local",
    scheduler: Scheduler = None,
    workers: Workers = None,
    threads: Threads = None,
) -> int:
    """Render many images, each drawn anew, into NXmx files with their labels.

    Image i depends on the seed and i alone. What is interrupted goes on with --resume and loses nothing.
    """
    from .run import Request

    return _run(Request(spec, output, resume, dry_run, engine, scheduler, workers, threads), verify)


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
        str | None, _output("Where series_master.h5, series_0000.h5 and so on, XDS.INP, series.expt and labels.csv go.")
    ] = None,
    dry_run: DryRun = False,
    resume: Resume = False,
    verify: Verify = False,
    engine: Engine = "local",
    scheduler: Scheduler = None,
    workers: Workers = None,
    threads: Threads = None,
) -> int:
    """Render the images of a rotation, with the truth beside them.

    Image i depends on the SPEC and i alone. What is interrupted goes on with --resume and loses nothing.
    """
    from .run import Request

    return _run(Request(spec, output, resume, dry_run, engine, scheduler, workers, threads, series=True), verify)


def _run(request: Request, verify: bool) -> int:
    if verify:
        from .verify import verify as check

        return check(request.spec_file)
    from .executors.open import run_on_ranks
    from .run import run

    return run_on_ranks(request.engine, lambda: run(request))
