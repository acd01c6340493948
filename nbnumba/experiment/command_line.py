"""Command lines that draw the same image again."""

from __future__ import annotations

import dataclasses
import os

from ..parameters.command import CommandLine
from ..parameters.parser import inside
from ..parameters.settings import Settings
from ..parameters.tokens import split
from .model import ExperimentRecord


def with_choices(command: CommandLine, experiment: ExperimentRecord) -> CommandLine:
    """Return a command line that also says what was chosen for it: the default dump, and the seed of -misset random.

    Parameters
    ----------
    command : CommandLine
    experiment : ExperimentRecord
        That came out of it.
    """
    words = command.words
    if experiment.reflections is not None and not {"-hkl", "-pdb", "-dump"}.intersection(command.used):
        words += ("-dump", str(Settings().factors.dump_file))
    if experiment.crystal.misset_seed is not None and command.settings.crystal.misset_seed is None:
        words += ("-misset_seed", str(experiment.crystal.misset_seed))
    return dataclasses.replace(command, words=words)


def with_whole_paths(command: CommandLine, folder: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Return the words of a command line that means the same in every folder.

    Parameters
    ----------
    command : CommandLine
        As `parse` returns it.
    folder : path, optional
        That `parse` was told.
    """
    place = os.path.abspath("" if folder is None else folder)  # noqa: PTH100
    return tuple(word for use in split(command.words)[0] for word in (use.option.key, *inside(place, use).values))
