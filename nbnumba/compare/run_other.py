"""Runs another program and ours on the same command line, each in an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import version
from ..errors import FileError, InputError
from ..imagefiles.records import LoadedImage
from ..io import floatfile, smv
from ..parameters.parser import parse
from ..parameters.table import NANOBRAGG
from ..parameters.tokens import split
from ..parameters.types import Kind, Option, Role

_LAST_LINES = 10  # of a program that failed
_TAIL = 1 << 14  # bytes


@dataclass(frozen=True)
class Run:
    """How a program went.

    Attributes
    ----------
    program : str
        As it was named.
    command : tuple of str
        The words that it was started with.
    seconds : float
        From its start to its end.
    status : int
        Exit status; negative for a signal.
    last_lines : tuple of str
        The end of what it printed, standard output and error together.
    """

    program: str
    command: tuple[str, ...]
    seconds: float
    status: int
    last_lines: tuple[str, ...]


def run_both(executable: str, words: Sequence[str]) -> tuple[tuple[LoadedImage, LoadedImage], tuple[Run, Run]]:
    """Run another program and nbnumba on the same options and read the float images of both.

    Parameters
    ----------
    executable : str
        A path, or a name to look up in PATH.
    words : sequence of str
        The command line without the program's name. Files in it are looked for from the working folder.

    Returns
    -------
    images : (LoadedImage, LoadedImage)
        The other program's, ours.
    runs : (Run, Run)
        Likewise.

    Raises
    ------
    FileError
        The executable cannot be started.
    InputError
        The words are no command line of nanoBragg, or one of the programs failed or wrote no image.

    Notes
    -----
    Both folders are empty and are removed again: input files are passed by their whole path, and files that the
    command line names for writing are put there, whatever folder the words say. Nothing of the user's, such as an
    Fdump.bin, can be overwritten.
    """
    program = find(executable)
    prepared = prepare_words(words)
    command = parse(prepared)
    with tempfile.TemporaryDirectory(prefix="nbnumba-compare-") as name:
        folders = Path(name) / "other", Path(name) / "ours"
        for folder in folders:
            folder.mkdir()
        runs = (
            _run(executable, (program, *prepared), folders[0]),
            _run("nbnumba", (sys.executable, "-m", "nbnumba", *prepared), folders[1]),
        )
        _refuse_failures(runs)
        shape = smv.read_header(folders[1] / (command.output.int_file or "")).shape
        images = []
        for run, folder in zip(runs, folders, strict=True):
            path = folder / command.output.float_file
            if not path.is_file():
                raise InputError(f"{run.program}: ended well but wrote no float image ({command.output.float_file})")
            kind = f"float image, {run.seconds:.2f} s"
            images.append(LoadedImage(run.program, kind, floatfile.read(path, shape).astype(np.float64)))
    return (images[0], images[1]), runs


def find(executable: str) -> str:
    """Return the whole path of an executable.

    Raises
    ------
    FileError
        It is not there or cannot be executed.
    """
    found = shutil.which(executable)
    if found is None:
        why = "is not executable" if Path(executable).is_file() else "is not there"
        raise FileError(f"--with {executable}: {why}")
    return str(Path(found).resolve())


def prepare_words(words: Sequence[str]) -> list[str]:
    """Rewrite the file names of a command line so that it can run in any folder and writes into that folder alone.

    Parameters
    ----------
    words : sequence of str
        A command line without the program's name.

    Returns
    -------
    list of str
        Input files by their whole path, output files by a bare name of their own.

    Raises
    ------
    InputError
        The words are no command line of nanoBragg.
    """
    uses, loose = split(words, NANOBRAGG)
    settings = parse(words).settings
    writes_dump = settings.factors.hkl_file is not None
    prepared = [item.word for item in loose if item.after is None]
    outputs: dict[str, str] = {}
    for use in uses:
        values = list(use.values)
        if _names_a_file(use.option) and values:
            if _is_output(use.option, writes_dump):
                # The same name for the same option, so that of several the last one counts as before.
                values = [outputs.setdefault(use.option.key, f"{len(outputs)}_{Path(values[0]).name}")]
            else:
                values = [str(Path(value).absolute()) for value in values]
        prepared += [use.word, *values]
        prepared += [item.word for item in loose if item.after is use]
    dump = Path(settings.factors.dump_file or "Fdump.bin")
    if not writes_dump and "-dump" not in {use.option.key for use in uses} and dump.exists():
        prepared += ["-dump", str(dump.absolute())]
    return prepared


def _names_a_file(option: Option) -> bool:
    return option.kind is Kind.FILE or (option.kind is Kind.IGNORED and option.values == "FILE")


def _is_output(option: Option, writes_dump: bool) -> bool:
    if option.key == "-dump":
        return writes_dump
    if option.kind is Kind.IGNORED:
        return option.key == "-stolout"
    return option.parameter.role is Role.OUTPUT


def _run(program: str, command: tuple[str, ...], folder: Path) -> Run:
    """Run a program to its end."""
    environment = dict(os.environ)
    # So that -m finds this package from another folder, wherever it was imported from.
    package = str(Path(version.__file__).resolve().parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package, environment.get("PYTHONPATH")]))
    with tempfile.TemporaryFile() as printed:
        start = time.perf_counter()
        try:
            status = subprocess.run(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed
            ).returncode
        except OSError as error:
            raise FileError(f"--with {program}: cannot be started: {error.strerror or error}") from None
        seconds = time.perf_counter() - start
        end = printed.seek(0, os.SEEK_END)
        printed.seek(max(0, end - _TAIL))
        text = printed.read().decode("utf-8", "replace")
    lines = [line for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return Run(program, command, seconds, status, tuple(lines[-_LAST_LINES:]))


def _refuse_failures(runs: tuple[Run, Run]) -> None:
    """Show the last lines of programs that failed on standard error, and raise."""
    failed = [run for run in runs if run.status != 0]
    for run in failed:
        for line in run.last_lines:
            print(f"{run.program}: {line}", file=sys.stderr)
    if failed:
        ends = " and ".join(f"{run.program} ended with {_status(run.status)}" for run in failed)
        raise InputError(f"compare --with: {ends}; the last lines stand above")


def _status(status: int) -> str:
    return f"status {status}" if status >= 0 else f"signal {-status}"
