"""`nbnumba refine`: an experiment fitted to images."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

from ..batch.executors.open import Pool, check_executor, open_executor, own_share
from ..errors import InputError
from ..gradients.parameters import Parameters
from ..imagefiles.load import count, format_of
from ..io import expt
from ..io.atomic import check_can_write, check_distinct, whole_file
from ..parameters.command import CommandLine
from ..parameters.detector import PLACING
from ..parameters.parser import parse_with_files
from ..refine.fit import MOST_EVALUATIONS
from ..refine.shots import DEFAULT, Done, Shot, done_before, parameters_at, refine_shot, start_of
from ..util.messages import Reporter, logger, muted, progress_bar
from ..util.signals import wait_for_any
from ..util.text import is_whole, quote
from .own_options import take_own_options

_OWN = {
    "-o": "-o",
    "-output": "-o",
    "-free": "-free",
    "-image": "-image",
    "-bounds": "-bounds",
    "-priors": "-priors",
    "-shoebox": "-shoebox",
    "-evaluations": "-evaluations",
    "-workers": "-workers",
}
_RESUME = ("-resume", "--resume")


def run(words: Sequence[str]) -> int:
    """Refine an experiment against the images of a file.

    Parameters
    ----------
    words : sequence of str
        An image, the options of this command (`_OWN` and -resume), and options of a rendering that say where to start.

    Returns
    -------
    int
        Exit status: 1 where a fit has not converged, or one of several images could not be refined.

    Raises
    ------
    InputError
        For a mistake in the words, an image that is not the detector's, or one that determines nothing.
    FileError
        When a file cannot be read or written.
    WorkerError
        When a process is lost.
    """
    resume = any(word in _RESUME for word in words)
    own, rest = take_own_options([word for word in words if word not in _RESUME], _OWN)
    if not any(word.lstrip("-").startswith("semantics") for word in rest if word.startswith("-")):
        rest = [*rest, "-semantics", "exact"]
    with muted():
        typed, files = parse_with_files(rest)
    if len(files) != 1:
        raise InputError(f"refine: needs one image, got {len(files)}: {' '.join(files) or 'none'}")
    target = own.get("-o")
    if target is None:
        raise InputError("refine: needs -o NAME, what the results are called: NAME.expt, NAME.json, NAME_residual.bin")
    path = files[0]
    rest = [*_without(rest, path), *_geometry_of(path, typed)]
    workers = None if "-workers" not in own else _whole("-workers", own["-workers"], 1, 10_000)
    first = Shot(
        words=tuple(rest),
        path=path,
        number=0,
        name=target,
        free=own.get("-free", DEFAULT),
        bounds=_pairs("-bounds", own.get("-bounds")),
        priors=_pairs("-priors", own.get("-priors")),
        shoebox=None if "-shoebox" not in own else _whole("-shoebox", own["-shoebox"], 0, 10_000),
        most_evaluations=_whole("-evaluations", own.get("-evaluations", str(MOST_EVALUATIONS)), 1, 100_000),
        quiet=typed.output.quiet,
    )
    shots = _shots(first, own.get("-image"), typed)
    _check(shots, typed, workers)
    return _run(shots, target, typed, workers, resume)


def _without(words: Sequence[str], path: str) -> list[str]:
    """Return words without that which names the image: the last, where options have the same value."""
    place = len(words) - 1 - list(reversed(words)).index(path)
    for number, word in enumerate(words):
        if word == path:
            with muted():
                files = parse_with_files([*words[:number], *words[number + 1 :]])[1]
            if not files:
                place = number
                break
    return [*words[:place], *words[place + 1 :]]


def _geometry_of(path: str, typed: CommandLine) -> list[str]:
    """Return the option that takes the geometry from the image, where no other says anything of it."""
    if typed.gives("expt", "geometry", "header_file") or typed.gives(*(name for name in PLACING if name)):
        return []
    if any(item.parameter.fields == ("header_file",) for item in typed.given) or not format_of(path).geometry:
        return []
    logger.warning(f"refine: the geometry is that of {path}")
    return ["-geometry", path]


def _shots(first: Shot, image: str | None, typed: CommandLine) -> list[Shot]:
    """Return what is to be refined, each with its own start where an experiment list has one for each image."""
    there = count(first.path)
    if image is not None and not is_whole(image, 1, there):
        raise InputError(f"-image {quote(image)}: allowed are 1 to {there}, the images of {first.path}")
    chosen = range(there) if image is None else [int(image) - 1]
    starts = typed.settings.detector.expt_file
    apart = there > 1 and starts is not None and not typed.gives("expt_number") and expt.count(starts) == there
    if apart:
        logger.warning(f"refine: every image starts from its own experiment of {starts}")
    return [
        dataclasses.replace(
            first,
            number=number,
            name=first.name if len(chosen) == 1 else f"{first.name}_{number + 1:04d}",
            words=(*first.words, "-expt_number", str(number)) if apart else first.words,
            with_page=len(chosen) == 1,
        )
        for number in chosen
    ]


def _check(shots: Sequence[Shot], typed: CommandLine, workers: int | None) -> None:
    """Find mistakes before any work."""
    from .. import kernels

    outputs = shots[0].outputs
    check_distinct([("-o", path) for path in outputs], [("refine", shots[0].path)])
    for path in outputs:
        check_can_write("-o", path)
    if workers is not None and len(shots) == 1 and workers > 1:
        raise InputError(f"-workers: {workers} for one image; they share out the images of a file")
    check_executor("local", workers=workers)
    kernels.check_compute_options("cpu", typed.compute.threads)
    command, experiment = start_of(shots[0].words)
    for line in command.notices:
        logger.warning(line)
    parameters = parameters_at(shots[0].free, experiment)
    for option, named in (("bounds", shots[0].bounds), ("priors", shots[0].priors)):
        _check_names(option, named, parameters)


def _check_names(option: str, named: dict[str, tuple[float, float]], parameters: Parameters) -> None:
    for name in named:
        if name not in parameters.names:
            raise InputError(f"{option}: {name!r} is not refined; allowed: {', '.join(parameters.names)}")


def _run(shots: Sequence[Shot], target: str, typed: CommandLine, workers: int | None, resume: bool) -> int:
    """Do the refinements and report them; return the exit status."""
    before = {shot.number: done_before(shot) for shot in shots} if resume else {}
    waiting = [shot for shot in shots if before.get(shot.number) is None]
    if len(waiting) < len(shots):
        logger.warning(f"refine: {len(shots) - len(waiting)} of {len(shots)} images are there already")
    good = all(done is None or done.converged for done in before.values())
    if len(shots) == 1:
        done = [refine_shot(shot, typed.compute.threads) for shot in waiting]
        _report(done, typed, set())
        return 0 if good and all(one.converged for one in done) else 1
    quiet = [dataclasses.replace(shot, quiet=True) for shot in waiting]
    said: set[str] = set()
    with (
        open_executor("local", workers=workers, threads=typed.compute.threads, backend="cpu") as pool,
        progress_bar("refining", not typed.output.quiet) as bar,
    ):
        for number, one in enumerate(_done(pool, quiet)):
            _report([one], typed, said)
            good = good and one.converged
            if bar is not None:
                bar((number + 1) / len(quiet))
    _write_summary(shots, f"{target}.csv")
    Reporter(typed.output.quiet)([f"wrote {target}.csv"])
    return 0 if good else 1


def _report(done: Sequence[Done], typed: CommandLine, said: set[str]) -> None:
    """Print tables, and notices that are not among those that were said."""
    for one in done:
        for line in one.notices:
            if line not in said:
                logger.warning(line)
        said.update(one.notices)
        if one.lines:
            Reporter(typed.output.quiet)(one.lines)


def _done(pool: Pool, shots: Sequence[Shot]) -> Iterator[Done]:
    """Yield what the refinements have come to, as they end; one image that cannot be refined is no other's failure."""
    running: dict[Future[Done], Shot] = {}
    waiting = iter(shots)
    while True:
        while len(running) < pool.in_flight and (shot := next(waiting, None)) is not None:
            running[pool.submit(_refine_here, shot)] = shot
        if not running:
            return
        for future in wait_for_any(running)[0]:
            shot = running.pop(future)
            try:
                yield future.result()
            except InputError as error:
                yield Done((), (f"{shot.path}, image {shot.number + 1}: not refined: {error}",), False)


def _refine_here(shot: Shot) -> Done:
    """Refine an image in the share of the machine that this process has."""
    return refine_shot(shot, own_share().threads)


def _write_summary(shots: Sequence[Shot], path: str) -> None:
    """Write a table with a line for each image that was refined."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names: list[str] = []
    for shot in shots:
        if not Path(shot.table).is_file():
            continue
        content = json.loads(Path(shot.table).read_bytes())
        rows = content["parameters"]
        if not names:
            names = [row["name"] for row in rows]
            columns = [column for name in names for column in (name, f"{name}_error")]
            writer.writerow(["image", "converged", "evaluations", "sigma_z", *columns])
        numbers = [repr(row[key]) for row in rows for key in ("value", "error")]
        state = int(content["converged"]), content["evaluations"], repr(content["sigma_z"])
        writer.writerow([shot.number + 1, *state, *numbers])
    with whole_file(path) as file:
        file.write(text.getvalue().encode("ascii"))


def _whole(option: str, text: str, low: int, high: int) -> int:
    if not is_whole(text, low, high):
        raise InputError(f"{option}: {quote(text)}; allowed are whole numbers from {low} to {high}")
    return int(text)


def _pairs(option: str, text: str | None) -> dict[str, tuple[float, float]]:
    """Read NAME=X:Y,NAME=X:Y."""
    found: dict[str, tuple[float, float]] = {}
    for word in (text or "").split(","):
        if not word.strip():
            continue
        name, _, numbers = word.partition("=")
        try:
            first, second = (float(number) for number in numbers.split(":"))
        except ValueError:
            raise InputError(f"{option}: {quote(word)} is not NAME=X:Y") from None
        if not (math.isfinite(first) and math.isfinite(second)):
            raise InputError(f"{option}: {quote(word)}: both numbers must be finite")
        found[name.strip()] = (first, second)
    return found
