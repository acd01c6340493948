"""Experiments as users make them: from keywords, from a command line, from a file."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from . import keyword_values as kw
from .errors import InputError, called, parameters_called
from .experiment.command_line import given_as, words_to_draw
from .experiment.model import Experiment
from .experiment.resolve import resolve, resolve_with_choices
from .experiment.resolved import Resolved
from .io.contents import read_once
from .keywords import Keywords
from .parameters.choices import PhiSampling, Semantics
from .parameters.command import CommandLine
from .parameters.draft import Draft
from .parameters.fill import filled
from .parameters.parser import parse, without_program
from .parameters.stub import with_keywords as doc_with_keywords
from .parameters.table import KEYWORDS, SUBJECT_OF
from .parameters.types import Kind
from .parameters.values import number_of
from .structure_factors.table import ReflectionTable
from .util.messages import Notify, logger, notices_to

# Of which reflections are read again; all but what is done with those that were read.
_REFLECTION_KEYWORDS = {name for name in KEYWORDS if SUBJECT_OF[name] == "Structure factors"}
_REFLECTION_KEYWORDS = (_REFLECTION_KEYWORDS | {"expt"}) - {"interpolate", "B_factor_A2"}

_SEMANTICS = {one.value: given_as("semantics", one.value) for one in Semantics}


class _Read(NamedTuple):
    """What was read from keywords."""

    given: kw.GivenBy
    draft: Draft


@dataclasses.dataclass(frozen=True)
class Origin:
    """Keywords that an experiment was made of, and all that was worked out on the way.

    Attributes
    ----------
    keywords : dict
    resolved : Resolved
    read : _Read or None
        Saves time to `replace`; a copy through `pickle` comes without.
    """

    keywords: dict[str, Any]
    resolved: Resolved
    read: _Read | None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "read": None}


def from_keywords(semantics: str, notify: Notify | None, keywords: Keywords) -> Experiment:
    """Make the experiment that keywords describe; see `Experiment`."""
    with notices_to(notify), read_once({}):
        own = kw.copied(keywords)
        return _made(semantics, own, own)


def _made(
    semantics: str,
    own: dict[str, Any],
    said: dict[str, Any],
    *,
    read: _Read | None = None,
    reflections: ReflectionTable | None = None,
    before: Resolved | None = None,
) -> Experiment:
    """Work out the experiment.

    Parameters
    ----------
    semantics : str
    own : dict
        Its keywords, which nobody changes.
    said : dict
        The keywords as the user gave them.
    read : _Read, optional
        What was read from some of the same keywords.
    reflections : ReflectionTable, optional
        Those that are in memory: no file of them is read.
    before : Resolved, optional
        As of `resolve_with_choices`.
    """
    if semantics not in _SEMANTICS:
        raise InputError(f"semantics: {semantics!r} is unknown; allowed: exact, c")
    listed = kw.is_table(own.get("hkl"))
    with parameters_called(kw.calling(own)):
        by_keyword = kw.parameters_given(own, None if read is None else read.given)
        given = [_SEMANTICS[semantics], *itertools.chain.from_iterable(by_keyword.values())]
        draft = filled(given, [], {"phi_sampling": PhiSampling.MID}, strict=True)
        if listed and reflections is None:
            reflections = _table(cast(NDArray[np.float64], own["hkl"]), draft.get("default_F"))
        dump_file = _dump_to_read(draft.get("dump_file"), asked_for=own.get("dump") is not None)
        draft.set(dump_file=dump_file, write_dump=False)
        settings = draft.settings(None if read is None else read.draft)
        resolved = resolve_with_choices(settings, reflections=reflections, before=before)
    # No command line can name reflections in memory.
    words = () if listed else words_to_draw(given, resolved.experiment)
    origin = Origin(said, resolved, _Read(by_keyword, draft))
    return resolved.experiment.drawn_by(words, origin, draft.compute())


def from_command(
    command: str | Sequence[str], folder: str | os.PathLike[str] | None = None, notify: Notify | None = None
) -> Experiment:
    """Make the experiment of a command line; see `Experiment.from_command`."""
    with notices_to(notify), read_once({}):
        return _parsed(parse(_words(command), folder), folder)


def _parsed(command: CommandLine, folder: str | os.PathLike[str] | None) -> Experiment:
    for line in command.notices:
        logger.warning(line)
    experiment = resolve(command.settings.changed(write_dump=False))
    words = words_to_draw(command.given, experiment, folder)
    return experiment.drawn_by(words, compute=command.compute)


def from_file(path: str | os.PathLike[str], notify: Notify | None = None) -> Experiment:
    """Make the experiment that a file describes; see `Experiment.from_file`."""
    from .imagefiles import registry
    from .io.opening import read_text

    name = os.fspath(path)
    folder = Path(name).resolve().parent
    form = registry.recognized(registry.beginning(name))
    if form is registry.NXMX:
        from .io.nexus.read import read_command

        with notices_to(notify), read_once({}):
            command = parse(_words(read_command(name)), folder)
            # Where a dump was read the command names it.
            settings = command.settings
            dump_file = _dump_to_read(settings.factors.dump_file, asked_for=command.gives("dump"))
            settings = settings.changed(dump_file=dump_file)
            return _parsed(dataclasses.replace(command, settings=settings), folder)
    if form is not None:
        raise InputError(f"{name}: is {form.name}; allowed: a command line as text, TOML, or an HDF5 file of nbnumba")
    text = read_text(name, "")
    try:
        if name.lower().endswith(".toml"):
            return Experiment(notify=notify, **_toml_keywords(text, folder))
        lines = (line.strip() for line in text.splitlines() if not line.lstrip().startswith("#"))
        return from_command(" ".join(line.removesuffix("\\") for line in lines), folder, notify)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def with_keywords(
    experiment: Experiment, semantics: str | None, notify: Notify | None, keywords: Keywords
) -> Experiment:
    """Return an experiment made of the same keywords but for some; see `Experiment.replace`."""
    origin = experiment.origin
    if not isinstance(origin, Origin):
        raise InputError(
            "replace: keywords go with an experiment made from keywords; change the command line or a part instead"
        )
    own = origin.keywords
    semantics = experiment.semantics.value if semantics is None else semantics
    merged: dict[str, Any] = {**own, **kw.copied(keywords)}
    seed = merged.get("misset_seed")
    if seed is None and "misset_deg" not in keywords:
        seed = experiment.crystal.misset_seed
    # Without a resolution the image decides how many reflections of a model are computed.
    by_picture = own.get("pdb") is not None and not own.get("hkl_dmin_A")
    again = by_picture or _REFLECTION_KEYWORDS.intersection(keywords)
    # Of a file that is named again the content may be another.
    named = any(KEYWORDS[name].names_files for name in keywords if name in KEYWORDS)
    read = origin.read
    if read is not None:
        new = {*keywords, "misset_seed"}
        read = read._replace(given={name: given for name, given in read.given.items() if name not in new})
    with notices_to(notify), read_once({}):
        return _made(
            semantics,
            {**merged, "misset_seed": seed},
            merged,  # what the user said, not what the time chose
            read=read,
            reflections=None if again else experiment.reflections,
            before=None if named else origin.resolved,
        )


def _dump_to_read(dump_file: str | None, *, asked_for: bool) -> str | None:
    """Return the dump that was asked for, which must be there; a Fdump.bin that happens to be there does not count."""
    if not asked_for or dump_file is None:
        return None
    from .io.opening import opened

    if not os.path.exists(dump_file):  # noqa: PTH110 false, too, for a name that is too long
        with opened(dump_file, called("dump")):  # raises, and says why
            pass
    return dump_file


def _table(rows: NDArray[np.float64], default_F: float) -> ReflectionTable:
    """Return reflections that are given as an array."""
    from .structure_factors.table import LARGEST_F, IndexBox, inside

    if rows.ndim != 2 or rows.shape[1] != 4 or len(rows) == 0:
        raise InputError(f"hkl: has the shape {rows.shape}; allowed: (n, 4), rows of h, k, l, F")
    indices, F = rows[:, :3], rows[:, 3]
    if not np.all(np.abs(indices) < 2**31) or np.any(indices != np.round(indices)):
        raise InputError("hkl: h, k and l must be whole numbers below 2^31")
    if not np.all(np.abs(F) <= LARGEST_F):
        raise InputError(f"hkl: every F must be a number from {-LARGEST_F:g} to {LARGEST_F:g}")
    low, high = indices.min(axis=0).astype(int), indices.max(axis=0).astype(int)
    box = IndexBox(*(int(bound) for pair in zip(low, high, strict=True) for bound in pair))
    box.check_fits("hkl")
    table = box.table(default_F)
    inside(table)[tuple((indices.astype(int) - low).T)] = F
    return ReflectionTable(table, box.h_min, box.k_min, box.l_min, len(rows))


def _words(command: str | Sequence[str]) -> list[str]:
    """Return the words of a command line without the program's name."""
    if isinstance(command, str):
        try:
            words = shlex.split(re.sub(r"\\\r?\n", " ", command))
        except ValueError as error:
            raise InputError(f"the command line cannot be split into words: {error}") from None
    elif isinstance(command, bytes):
        raise InputError("the command line: bytes are not allowed; allowed: str, or a sequence of words")
    else:
        words = [_word(item) for item in command]
    return without_program(words)


def _word(item: object) -> str:
    """Return a word of a command line; paths and numbers become one."""
    if isinstance(item, (str, os.PathLike)) and isinstance(word := os.fspath(item), str):
        return word
    return repr(number_of("the command line", item))


def _toml_keywords(text: str, folder: Path) -> dict[str, Any]:
    """Return the keywords of a TOML file, their file names starting in its folder."""
    from .io.toml_text import NoTOML, parse

    try:
        found = parse(text)
    except NoTOML as error:
        place = "" if error.line is None else f" (line {error.line})"
        raise InputError(f"{error}{place}") from None
    unknown = [key for key in found if key not in KEYWORDS and key != "semantics"]
    if unknown:
        raise InputError(f"{unknown[0]} is not a keyword of an experiment")
    for key, value in found.items():
        if key in KEYWORDS and KEYWORDS[key].kind is Kind.FILE and isinstance(value, str):
            found[key] = os.fspath(folder / value)
        elif key == "crystals" and isinstance(value, list):
            found[key] = [_crystal_inside(item, folder) for item in value]
    return found


def _crystal_inside(item: Any, folder: Path) -> Any:
    """Return a crystal of a TOML file, a file name or a table, with the files that it names in a folder."""
    if isinstance(item, str):
        return os.fspath(folder / item)
    if not isinstance(item, dict):
        return item
    named = {key for key in item if key in KEYWORDS and KEYWORDS[key].kind is Kind.FILE}
    return {
        key: os.fspath(folder / value) if key in named and isinstance(value, str) else value
        for key, value in item.items()
    }


Experiment.__doc__ = doc_with_keywords(Experiment.__doc__ or "")
