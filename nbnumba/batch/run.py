"""A batch from its SPEC to the finished folder."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import FileError, InputError, NbnumbaError
from ..imagefiles.headers import note_phi_bias
from ..io.atomic import reason
from ..io.temporary import remove_leftovers, writing_for
from ..parameters.command import CommandLine
from ..util.messages import Notify, Reporter, logger, muted, notices_to, progress_bar
from ..util.signals import Ended, wait_for_any
from ..util.text import counted
from . import folder as state
from . import products as finish
from . import record
from .chunk import ChunkResult, ChunkTask, render_chunk, watch
from .distributions import BEAM_TILT, MOVING
from .estimate import amount, dry_run_lines, duration, sampling_lines
from .executors.open import check_executor, open_executor
from .executors.pool import Pool
from .frames import note_headers
from .inputs import Digests
from .names import LABELS
from .reference import Base, base_of
from .sample import draw, draw_value, image_experiment, stated_geometry
from .series_spec import read_series
from .spec import placed, read_spec
from .spec_model import Spec
from .stored import is_whole

Log = Callable[[str], None]


MOST_TRIED = 50  # files and words that are tried before any work; the others are read when their images are
MANY_FILES = 900  # that a process may have open on most systems: 1024
_READERS = 4  # threads that check finished files
_MENDED = ("it is made again", "it is taken as it stands now")


@dataclass(frozen=True)
class Request:
    """What the command line of `nbnumba batch` or `nbnumba series` asks for."""

    spec_file: str
    output: str | None
    resume: bool = False
    dry_run: bool = False
    engine: str = "local"
    scheduler: str | None = None
    workers: int | None = None
    threads: int | None = None
    series: bool = False
    quiet: bool = False


@dataclass(frozen=True, eq=False)
class _Batch:
    """A batch whose SPEC has been read and found good."""

    request: Request
    spec: Spec
    digests: Digests
    identity: dict[str, object]
    fingerprint: str
    folder: Path

    def task(self, number: int) -> ChunkTask:
        """Return the task of making a file."""
        spec = self.spec
        if spec.columns:
            images = spec.images_of(number)
            part = slice(images.start, images.stop)
            spec = replace(spec, rows=spec.rows[part], texts=spec.texts[part], first_row=images.start)
        return ChunkTask(spec, str(self.folder), number, self.fingerprint, self.digests)

    def path(self, number: int) -> Path:
        """Return a file of images."""
        return self.folder / self.spec.names.chunk(number)

    def paths(self) -> list[Path]:
        """Return the files of images, in their order."""
        return [self.path(number) for number in range(self.spec.chunks)]


def run(request: Request) -> int:
    """Make a batch or the sweeps of a series, or say what they would be; return the exit status.

    Raises
    ------
    InputError
        For a mistake in the SPEC or in a file that it names, before any work; for a folder that holds another batch,
        or that another process works in.
    FileError
        For a file that cannot be read or written, and a full disk: files that are finished stay.
    DeviceError, WorkerError
        When what was asked for cannot be had or is lost.
    """
    check_executor(request.engine, scheduler=request.scheduler, workers=request.workers, threads=request.threads)
    what = "series" if request.series else "batch"
    if not request.output and not request.dry_run:
        raise InputError(f"{what}: -o FOLDER is missing; it names the folder for the images")
    sweeps = _sweeps(request)
    for sweep in sweeps:  # every mistake before any work
        _prepare(request, sweep)
    for sweep in sweeps:
        if len(sweeps) > 1 and (request.dry_run or not request.output):
            print(f"{sweep.folder}:")
        _run_one(request, sweep, *_prepare(request, sweep, noting=True))
    return 0


@dataclass(frozen=True, eq=False)
class _Read:
    """A batch or a sweep, as its SPEC says it.

    Attributes
    ----------
    folder : str
        Of its files, in that of the whole; empty: the same.
    where : tuple of str
        Of its command in the SPEC.
    """

    spec: Spec
    command: CommandLine
    folder: str = ""


def _sweeps(request: Request) -> list[_Read]:
    if not request.series:
        return [_Read(*read_spec(request.spec_file))]
    return [_Read(sweep.spec, sweep.command, sweep.folder) for sweep in read_series(request.spec_file)]


def _prepare(request: Request, sweep: _Read, *, noting: bool = False) -> tuple[Base, Digests, dict[str, object]]:
    """Read the files of a batch and find its mistakes; notices come when it is made."""
    spec, command = sweep.spec, sweep.command
    with contextlib.nullcontext() if noting else muted():
        digests = state.input_digests(request.spec_file, spec, command.settings)
        with placed(request.spec_file, ("command",)):
            identity = state.identity(spec, digests)
            base = base_of(spec, state.fingerprint(identity), digests)
        tabled = spec.rows, spec.texts
        if spec.csv_file is not None and all((new.spec.rows, new.spec.texts) != tabled for new in _sweeps(request)):
            raise InputError(f"{spec.csv_file}: has changed while it was read")
        _check(spec, command, base, request)
    return base, digests, identity


def _run_one(request: Request, sweep: _Read, base: Base, digests: Digests, identity: dict[str, object]) -> None:
    """Make one batch, or say what it would be."""
    spec = sweep.spec
    if request.dry_run or not request.output:
        for line in dry_run_lines(spec, base, request.threads):
            print(line)
        return
    say = Reporter(request.quiet)
    if spec.series is not None:
        say(sampling_lines(spec, base))
    folder = _make_folder(request.output, sweep.folder)
    batch = _Batch(request, spec, digests, identity, state.fingerprint(identity), folder)
    if not any((folder / name).exists() for name in (state.LOG, state.STATE)):
        _refuse_unknown_files(batch)
    with state.opened_log(folder) as log:
        try:
            with writing_for(batch.fingerprint), notices_to(lambda line: log(f"notice: {line}")):
                for line in sampling_lines(spec, base):
                    log(line)
                _make(batch, log)
            files = spec.count if spec.names.has_frames else spec.chunks
            made = f"{counted(spec.count, 'image')} in {counted(files, 'file')}"
            say([f"{made}: {folder / spec.names.images}, {folder / LABELS}"])
        except NbnumbaError as error:
            log(f"error: {error}")
            raise
        except BaseException as end:
            log(_how_it_ended(end))
            raise


def _how_it_ended(end: BaseException) -> str:
    if isinstance(end, KeyboardInterrupt):
        return "interrupted"
    return f"ended by {end}" if isinstance(end, Ended) else f"failed: {type(end).__name__}: {end}"


def _check(spec: Spec, command: CommandLine, base: Base, request: Request) -> None:
    """Find mistakes that only the drawn experiments show, in the first and the last."""
    from .. import kernels

    for line in command.notices:
        logger.warning(f"command: {line}")
    if request.engine == "local":
        kernels.check_compute_options(spec.backend, request.threads)
    for image in {0, spec.count - 1}:
        for key in spec.vary:
            with placed(request.spec_file, ("vary", key)):
                draw_value(spec, key, image)
        with placed(request.spec_file, ("vary",)):
            image_experiment(base, draw(spec, base, image))
    for texts in spec.all_texts[:MOST_TRIED]:
        with placed(request.spec_file, ("vary",)):
            base.with_texts(texts)
    moving = [key for key in (*MOVING, *BEAM_TILT, "mask") if key in spec.keys or key in spec.text_keys]
    if moving and spec.series is not None:
        logger.warning(
            f"{', '.join(moving)}: files of a series have one geometry for other programs, that of the command; "
            "ground truth and labels.csv tell that of each image"
        )
    elif moving and spec.images_per_file == 1:
        logger.warning(
            f"{', '.join(moving)}: every file states the geometry of its own image; {spec.names.master} states that "
            "of the first for all"
        )
    elif moving:
        logger.warning(
            f"{', '.join(moving)}: a file has one geometry for other programs, here that of the command; "
            "/entry/ground_truth and labels.csv tell that of each image; with images_per_file = 1 every "
            "file states that of its own image"
        )
    if spec.chunks > MANY_FILES and spec.names.master is not None:
        logger.warning(
            f"{spec.names.master}: shows {spec.chunks} files, more than programs may open at once (ulimit -n); images "
            "beyond read as missing. A larger images_per_file makes fewer"
        )
    stated = stated_geometry(spec, base, range(spec.count))
    note_phi_bias(stated.goniometer)
    note_headers(spec, stated)
    if not spec.random_orientation and not spec.keys and not spec.text_keys and not spec.noise:
        logger.warning("nothing varies and there is no noise: all images will be the same")


def _make_folder(output: str, inner: str) -> Path:
    """Make the folder of a batch."""
    folder = Path(output).resolve() / inner
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"-o {output}: the folder cannot be made: {reason(error)}") from error
    return folder


def _refuse_unknown_files(batch: _Batch) -> None:
    """Refuse a folder with files that a batch would replace and that are not its own."""
    folder = batch.folder
    if batch.request.resume and any(_wrong(batch, number) is None for number in _there(batch)):
        return
    names = batch.spec.names
    others = (path for path in folder.glob("*.h5") if path.name.startswith(names.stem))
    for path in (*others, *(folder / name for name in (*names.products, *names.frames))):
        if path.exists():
            raise InputError(f"{folder}: holds a {path.name} but no batch; give a new folder")


def _make(batch: _Batch, log: Log) -> None:
    """Make what is missing of a batch."""
    _begin(batch, log)
    missing = _missing(batch)
    names = batch.spec.names
    finals = [batch.folder / name for name in names.products]
    damaged = record.damaged(batch.folder, names.products)
    incomplete = [path for path in finals if missing or path.name in damaged]
    if not missing and not damaged:
        logger.warning(f"{batch.folder}: the batch is complete already")
        return
    if missing:
        for path in (*finals, batch.folder / record.NAME):  # of an earlier run
            path.unlink(missing_ok=True)
        _note_space(batch, missing)
        start = time.perf_counter()
        try:
            _render(batch, missing, log)
        except BaseException:
            remove_leftovers(batch.folder, batch.fingerprint)
            raise
        remove_leftovers(batch.folder, batch.fingerprint)  # of workers that died, whose files others have made
        log(f"rendered {counted(_images(batch, missing), 'image')} in {duration(time.perf_counter() - start)}")
    elif record.NAME not in damaged:
        for name in damaged:
            logger.warning(f"{batch.folder / name}: is not what was written; {_MENDED[name == state.LOG]}")
    for path in incomplete:
        finish.make(path, batch.spec, _base(batch), batch.paths())
        log(f"wrote {path.name}")
    for line in finish.notices_of_making(finish.made_by(batch.paths()), batch.spec.precision):
        logger.warning(line)
    if state.STATE in damaged:
        state.write_state(batch.folder, batch.identity)
    log(f"complete: {counted(batch.spec.count, 'image')} in {counted(batch.spec.chunks, 'file')}")
    record.write(batch.folder, (*names.products, *names.frames))


def _begin(batch: _Batch, log: Log) -> None:
    """Find out whether the folder's batch is this one, and take up work on it."""
    before = state.read_state(batch.folder)
    if before is None:
        _refuse_unknown_files(batch)
        state.write_state(batch.folder, batch.identity)
        log(f"begun: {batch.request.spec_file}, {counted(batch.spec.count, 'image')}, {batch.fingerprint[:16]}")
    else:
        if not batch.request.resume:
            raise InputError(f"{batch.folder}: holds a batch already; --resume continues it, or give a new folder")
        differing = state.differences(before, batch.identity)
        if differing:
            raise InputError(
                f"{batch.request.spec_file}: is not what the batch in {batch.folder} was begun with: "
                f"{'; '.join(differing)}"
            )
        log(f"resumed: {batch.request.spec_file}")
    leftovers = remove_leftovers(batch.folder, batch.fingerprint)
    if leftovers.removed:
        removed = counted(leftovers.removed, "file that was", "files that were")
        logger.warning(f"{batch.folder}: removed {removed} left half written")
    if leftovers.elsewhere:
        logger.warning(
            f"{batch.folder}: holds half-written files, .nbnumba-*.part, of {', '.join(leftovers.elsewhere)}; "
            "remove them when no process there works on this batch any more"
        )


def _missing(batch: _Batch) -> list[int]:
    """Return the numbers of the files that have to be made."""
    whole = set()
    there = _there(batch)
    with ThreadPoolExecutor(_READERS) as pool:
        found = list(pool.map(lambda number: _wrong(batch, number), there))
    for number, wrong in zip(there, found, strict=True):
        if wrong is None:
            whole.add(number)
        else:
            logger.warning(f"{batch.path(number)}: {wrong}; it is made again")
    return [number for number in range(batch.spec.chunks) if number not in whole]


def _there(batch: _Batch) -> list[int]:
    """Return the numbers of the files that are there, whole or not."""
    names = batch.spec.names
    found = {path.name for path in batch.folder.glob("*_*.h5")}  # of a million files only few may be there
    return [number for number in range(batch.spec.chunks) if names.chunk(number) in found]


def _wrong(batch: _Batch, number: int) -> str | None:
    """Return what is wrong with a file of images; None for a good one."""
    return is_whole(batch.path(number), batch.spec.images_of(number), batch.fingerprint)


def _images(batch: _Batch, numbers: list[int]) -> int:
    return sum(len(batch.spec.images_of(number)) for number in numbers)


def _note_space(batch: _Batch, missing: list[int]) -> None:
    """Say when the disk may turn out too small; compression often makes it large enough."""
    pixels = sum(panel.n_slow * panel.n_fast for panel in _base(batch).experiment.detector.panels)
    needed = _images(batch, missing) * pixels * np.dtype(batch.spec.dtype).itemsize
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(batch.folder).free
        if needed > free:
            logger.warning(
                f"{batch.folder}: the images take {amount(needed)} before compression, {amount(free)} are free; "
                "after a full disk, make room and give --resume"
            )


def _base(batch: _Batch) -> Base:
    with muted():
        return base_of(batch.spec, batch.fingerprint, batch.digests)


def _render(batch: _Batch, missing: list[int], log: Log) -> None:
    """Make files of images, and log each."""
    request = batch.request
    total = _images(batch, missing)
    finished = under_way = 0
    with (
        open_executor(
            request.engine,
            scheduler=request.scheduler,
            workers=request.workers,
            threads=request.threads,
            backend=batch.spec.backend,
            folder=batch.folder,
        ) as pool,
        progress_bar(counted(total, "image")) as progress,
    ):
        log(f"{pool.words}; {counted(len(missing), 'file')} to make")

        def one_more() -> None:
            nonlocal under_way
            under_way += 1
            if progress is not None:
                progress((finished + under_way) / total)

        logged: set[str] = set()
        context = copy_context()  # where the user and the log receive notices; the files are made elsewhere

        def log_once(line: str) -> None:
            if line not in logged:
                logged.add(line)
                context.copy().run(logger.warning, line)  # several threads cannot enter one context

        watch.on_image, watch.notify = one_more, log_once
        try:
            for result in _results(pool, (batch.task(number) for number in missing)):
                finished, under_way = finished + result.images, 0
                if progress is not None:
                    progress(finished / total)
                _log_result(result, log, log_once)
        finally:
            watch.on_image = watch.notify = None


def _results(pool: Pool, tasks: Iterator[ChunkTask]) -> Iterator[ChunkResult]:
    """Yield what comes of tasks as they end, as many under way as keep every worker busy."""
    under_way: set[Future[ChunkResult]] = set()
    while True:
        while len(under_way) < pool.in_flight and (task := next(tasks, None)) is not None:
            under_way.add(pool.submit(render_chunk, task))
        if not under_way:
            return
        done, under_way = wait_for_any(under_way)
        for future in done:
            yield future.result()


def _log_result(result: ChunkResult, log: Log, log_once: Notify) -> None:
    ran = " ".join(f"{name} {value}" for name, value in result.ran.items())
    log(f"{result.file}: {counted(result.images, 'image')} in {result.seconds:.1f} s; {ran}")
    for line in result.notices:
        log_once(line)
