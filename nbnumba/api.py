"""Experiments as users make them: from keywords, from a command line, from a file."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np
from numpy.typing import NDArray

from . import keyword_values as kw
from .background.water import Water
from .beam.model import Beam
from .crystal.model import Crystal
from .detector.model import Detector
from .errors import InputError, called, parameters_called
from .experiment.command_line import given_as, words_to_draw
from .experiment.model import ExperimentRecord, Goniometer, Sampling
from .experiment.resolve import resolve_with_choices
from .experiment.resolved import Resolved
from .keyword_values import number_of
from .keywords import Keywords
from .parameters.choices import ComputeOptions, PhiSampling, Semantics
from .parameters.command import CommandLine
from .parameters.fill import filled
from .parameters.parser import parse, without_program
from .parameters.stub import with_keywords
from .parameters.table import KEYWORDS, SUBJECT_OF
from .parameters.types import Kind
from .structure_factors.table import ReflectionTable
from .util.messages import Notify, logger, notices_to

if TYPE_CHECKING:
    from .gradients.parameters import Parameters

# Of which reflections are read again; all but what is done with those that were read.
_REFLECTION_KEYWORDS = {name for name in KEYWORDS if SUBJECT_OF[name] == "Structure factors"}
_REFLECTION_KEYWORDS = (_REFLECTION_KEYWORDS | {"expt"}) - {"interpolate", "B_factor_A2"}
# What `dataclasses.replace` hands over besides the changes.
_PARTS = {field.name for field in dataclasses.fields(ExperimentRecord) if field.init} - {"semantics"}


class Experiment(ExperimentRecord):
    """A crystal in a beam before a detector, ready to be simulated.

    It cannot be changed; `replace` makes another one. All files are read, and all mistakes found, when it is made.
    Attributes are those of `ExperimentRecord`: what was worked out, in SI units. `command` draws the same from any
    folder; it is empty where `hkl` is an array.

    Parameters
    ----------
    semantics : {"exact", "c"}
        The physics, or the image of the C program with its defects.
    notify : callable, optional
        Receives one-line notices, as the program prints them on standard error. The logger ``nbnumba``
        receives them as well.
    **keywords
        See below: names carry their unit, and what is left out has the default of the command line. A crystal and
        structure factors are needed.

    Raises
    ------
    InputError
        A ValueError: for a value that is not allowed, or the content of a file.
    FileError
        An OSError: for a file that is missing or unreadable.
    TypeError
        For an unknown keyword.

    Examples
    --------
    >>> import nbnumba
    >>> experiment = nbnumba.Experiment(
    ...     cell=(78, 78, 38, 90, 90, 90), default_F=100, N=5, wavelength_A=1.0, distance_mm=100, detpixels=64
    ... )
    >>> nbnumba.simulate(experiment).array.shape
    (64, 64)
    """

    _keywords: dict[str, Any] | None
    _resolved: Resolved | None

    def __init__(
        self,
        *,
        semantics: str = "exact",
        notify: Notify | None = None,
        **keywords: Unpack[Keywords],
    ) -> None:
        if keywords.keys() >= _PARTS:  # by `dataclasses.replace`
            super().__init__(semantics=Semantics(semantics), **keywords)  # type: ignore[misc, arg-type]
            object.__setattr__(self, "_keywords", None)
            object.__setattr__(self, "_resolved", None)
            return
        with notices_to(notify):
            self._make(semantics, keywords, None, None)

    def _make(
        self, semantics: str, keywords: Keywords, reflections: ReflectionTable | None, before: Resolved | None
    ) -> None:
        """Work out the experiment; of reflections that are in memory no file is read."""
        if semantics not in list(Semantics):
            raise InputError(f"semantics: {semantics!r} is unknown; allowed: exact, c")
        own = cast(Keywords, kw.copied(keywords))
        listed = kw.is_table(own.get("hkl"))
        with parameters_called(kw.calling(own)):
            given = [given_as("semantics", str(semantics)), *kw.parameters_given(own)]
            draft = filled(given, [], {"phi_sampling": PhiSampling.MID}, strict=True)
            if listed and reflections is None:
                reflections = _table(cast(NDArray[np.float64], own["hkl"]), draft.get("default_F"))
            dump_file = _dump_to_read(draft.get("dump_file"), asked_for=own.get("dump") is not None)
            draft.set(dump_file=dump_file, write_dump=False)
            resolved = resolve_with_choices(draft.settings(), reflections=reflections, before=before)
        # No command line can name reflections in memory.
        words = () if listed else words_to_draw(given, resolved.experiment)
        self._take(resolved, draft.compute(), words, dict(own))

    def _take(
        self, resolved: Resolved, compute: ComputeOptions, words: tuple[str, ...], keywords: dict[str, Any] | None
    ) -> None:
        record = resolved.experiment
        parts = {field.name: getattr(record, field.name) for field in dataclasses.fields(record) if field.init}
        super().__init__(**{**parts, "compute": compute})
        object.__setattr__(self, "command", words)
        object.__setattr__(self, "_keywords", keywords)
        object.__setattr__(self, "_resolved", resolved)

    def __repr__(self) -> str:
        words = shlex.join(self.command) or f"{called('semantics')} {self.semantics.value} ... with parts in memory"
        return f"<{type(self).__name__}: {words}>"

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows."""
        from .experiment.html import experiment_table

        return experiment_table(self, shlex.join(self.command))

    @classmethod
    def from_command(
        cls,
        command: str | Sequence[str],
        folder: str | os.PathLike[str] | None = None,
        notify: Notify | None = None,
    ) -> Experiment:
        """Make the experiment of a nanoBragg command line; its semantics are "c" unless it says -semantics exact.

        Parameters
        ----------
        command : str or sequence of str
            Words, with or without the program's name in front; a string is split as a shell does. Options that name
            output files have no effect, and no Fdump.bin is written.
        folder : path, optional
            Where relative file names start; the working folder by default.
        notify : callable, optional
            Receives one-line notices.

        Raises
        ------
        InputError, FileError
            As the program would end.

        Examples
        --------
        >>> import nbnumba
        >>> line = "-cell 78 78 38 90 90 90 -default_F 100 -N 5 -lambda 1 -distance 100 -detpixels 64"
        >>> nbnumba.Experiment.from_command(line).beam.wavelength
        1e-10
        """
        with notices_to(notify):
            return cls._from_parsed(parse(_words(command), folder), folder)

    @classmethod
    def _from_parsed(cls, command: CommandLine, folder: str | os.PathLike[str] | None) -> Experiment:
        for line in command.notices:
            logger.warning(line)
        resolved = resolve_with_choices(command.settings.changed(write_dump=False))
        words = words_to_draw(command.given, resolved.experiment, folder)
        experiment = cls.__new__(cls)
        experiment._take(resolved, command.compute, words, None)
        return experiment

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], notify: Notify | None = None) -> Experiment:
        """Make the experiment that a file describes; its relative file names start in its folder.

        Parameters
        ----------
        path : path
            A command line as text (line breaks and lines that begin with # do not count); a ``.toml`` with keywords
            of `Experiment`; or an NXmx file that nbnumba has written, for its first image.
        notify : callable, optional
            Receives one-line notices.

        Raises
        ------
        InputError, FileError
            The file is missing or unreadable, or describes no experiment.
        """
        from .imagefiles import registry
        from .io.opening import read_text

        name = os.fspath(path)
        folder = Path(name).resolve().parent
        form = registry.recognized(registry.beginning(name))
        if form is registry.NXMX:
            from .io.nexus.read import read_command

            command = parse(_words(read_command(name)), folder)
            # Where a dump was read the command names it.
            settings = command.settings
            dump_file = _dump_to_read(settings.factors.dump_file, asked_for=command.gives("dump"))
            settings = settings.changed(dump_file=dump_file)
            with notices_to(notify):
                return cls._from_parsed(dataclasses.replace(command, settings=settings), folder)
        if form is not None:
            raise InputError(
                f"{name}: is {form.name}; allowed: a command line as text, TOML, or an HDF5 file of nbnumba"
            )
        text = read_text(name, "")
        try:
            if name.lower().endswith(".toml"):
                return cls(notify=notify, **_toml_keywords(text, folder))
            lines = (line.strip() for line in text.splitlines() if not line.lstrip().startswith("#"))
            return cls.from_command(" ".join(line.removesuffix("\\") for line in lines), folder, notify)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None

    def replace(
        self,
        *,
        semantics: str | None = None,
        notify: Notify | None = None,
        crystal: Crystal | None = None,
        beam: Beam | None = None,
        detector: Detector | None = None,
        goniometer: Goniometer | None = None,
        sampling: Sampling | None = None,
        background: tuple[Water, ...] | None = None,
        **keywords: Unpack[Keywords],
    ) -> Experiment:
        """Return the same experiment but for some parts, or some keywords.

        With keywords, reflections are read again only where they change. A random orientation stays unless
        `misset_deg` is given again. None takes a keyword away. With parts nothing is worked out anew: an oversampling
        that was chosen stays, for example. No `command` is known to draw the result.

        Parameters
        ----------
        semantics : {"exact", "c"}, optional
            Those of this experiment by default.
        notify : callable, optional
            Receives one-line notices.
        crystal, beam, detector, goniometer, sampling, background
            Parts to take the place of those that this experiment has; `dataclasses.replace` makes one of these out of
            another.
        **keywords
            As of `Experiment`.

        Raises
        ------
        InputError
            For keywords where the experiment was not made from keywords, or beside parts.

        Examples
        --------
        >>> import nbnumba
        >>> near = nbnumba.Experiment(cell=(78, 78, 38), default_F=100, distance_mm=100, detpixels=64)
        >>> near.replace(distance_mm=200).detector.panels[0].distance
        0.2
        """
        given = {
            "crystals": None if crystal is None else (crystal,),
            "beam": beam,
            "detector": detector,
            "goniometer": goniometer,
            "sampling": sampling,
            "background": background,
        }
        parts = {name: part for name, part in given.items() if part is not None}
        if parts:
            if keywords or semantics is not None:
                name = next(iter(keywords), "semantics")
                raise InputError(f"replace: {name} is a keyword and cannot stand beside parts ({', '.join(parts)})")
            return dataclasses.replace(self, **parts)  # type: ignore[arg-type]
        own = self._keywords
        if own is None:
            raise InputError(
                "replace: keywords go with an experiment made from keywords; change the command line or a part instead"
            )
        semantics = self.semantics.value if semantics is None else semantics
        merged: dict[str, Any] = {**own, **keywords}
        seed = merged.get("misset_seed")
        if seed is None and "misset_deg" not in keywords:
            seed = self.crystal.misset_seed
        # Without a resolution the image decides how many reflections of a model are computed.
        by_picture = own.get("pdb") is not None and not own.get("hkl_dmin_A")
        again = by_picture or _REFLECTION_KEYWORDS.intersection(keywords)
        changed = type(self).__new__(type(self))
        with notices_to(notify):
            changed._make(
                semantics,
                cast(Keywords, {**merged, "misset_seed": seed}),
                None if again else self.reflections,
                # Of a file that is named again the content may be another.
                None
                if any(KEYWORDS[name].kind is Kind.FILE for name in keywords if name in KEYWORDS)
                else self._resolved,
            )
        # What the user said, not what the time chose.
        object.__setattr__(
            changed, "_keywords", {**(changed._keywords or {}), "misset_seed": merged.get("misset_seed")}
        )
        return changed

    def parameters(self, *names: str) -> Parameters:
        """Return parameters by which images of this experiment can be differentiated, as a vector.

        Parameters
        ----------
        *names : str
            "misset" (three angles), "cell" (its free constants), "N" (three numbers), "mosaic_spread", "distance",
            "beam_center" (two), "wavelength", "scale", "background", "offset" and others; the error of an unknown name
            lists them all.

        Raises
        ------
        InputError
            For an unknown name, or one that images of this experiment have no derivative by.

        Examples
        --------
        >>> import nbnumba
        >>> still = nbnumba.Experiment(
        ...     cell=(78, 78, 38), default_F=100, N=20, shape="gauss", distance_mm=100, detpixels=64
        ... )
        >>> still.parameters("cell", "scale").names
        ('cell_a', 'cell_c', 'scale')
        """
        from .gradients.parameters import parameters_of

        return parameters_of(self, names)


def _dump_to_read(dump_file: str | None, *, asked_for: bool) -> str | None:
    """Return the dump that was asked for, which must be there; a Fdump.bin that happens to be there does not count."""
    if not asked_for or dump_file is None:
        return None
    from .io.opening import opened

    if not Path(dump_file).exists():
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


Experiment.__doc__ = with_keywords(Experiment.__doc__ or "")
