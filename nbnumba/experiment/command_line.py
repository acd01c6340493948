"""Command lines that draw the same image again, written from the parameters that were given."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..parameters.given import Given
from ..parameters.settings import Settings
from ..parameters.table import NANOBRAGG, PARAMETERS
from .model import Experiment


def with_choices(given: Sequence[Given], experiment: Experiment) -> list[Given]:
    """Return parameters with what was chosen: default dump, seed of a random orientation, where phi is sampled.

    Parameters
    ----------
    given : sequence of Given
    experiment : Experiment
        That came out of them.
    """
    names = {item.parameter.name for item in given}
    everything = list(given)
    if experiment.reflections is not None and not {"hkl", "pdb", "dump"}.intersection(names):
        everything.append(given_as("dump", str(Settings().factors.dump_file)))
    if experiment.crystal.misset_seed is not None and not {"misset_seed", "crystals"}.intersection(names):
        everything.append(given_as("misset_seed", experiment.crystal.misset_seed))
    if experiment.goniometer.sweeps and "phi_sampling" not in names:
        everything.append(given_as("phi_sampling", experiment.goniometer.sampling.value))
    return everything


def given_as(name: str, *values: float | int | str | bool) -> Given:
    """Return a parameter with values that the program gives it."""
    texts = tuple(value if isinstance(value, str) else repr(value) for value in values)
    return Given(PARAMETERS[name], values, texts, name, name)


def with_whole_paths(given: Sequence[Given], folder: str | os.PathLike[str] | None = None) -> list[Given]:
    """Return parameters that mean the same in every folder.

    Parameters
    ----------
    given : sequence of Given
    folder : path, optional
        Where their relative file names start; the working folder by default.
    """
    if not any(item.parameter.names_files for item in given):
        return list(given)
    place = os.getcwd() if folder is None else os.path.abspath(folder)  # noqa: PTH100, PTH109
    return [item.inside(place) for item in given]


def words_to_draw(
    given: Sequence[Given], experiment: Experiment, folder: str | os.PathLike[str] | None = None
) -> tuple[str, ...]:
    """Return the words of a command line that draws an experiment in any folder."""
    return NANOBRAGG.words(with_whole_paths(with_choices(given, experiment), folder))
