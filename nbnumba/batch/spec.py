"""What a batch is to be: a TOML file, read and checked before any work."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from ..errors import InputError, NbnumbaError
from ..imagefiles.spots import check_name as check_table_name
from ..io.validated import converted_table
from ..parameters.choices import PhiSampling, Semantics
from ..parameters.command import CommandLine
from ..parameters.table import PARAMETERS, SUBJECT_OF
from . import csv_table as table
from . import toml_file as document
from .csv_table import Row, Texts
from .distributions import (
    CONTRADICTORY,
    HIT,
    HIT_RATE,
    KEYS,
    ONLY_COLUMNS,
    BadValue,
    Distribution,
    distribution,
    number_of,
)
from .names import Series
from .spec_checks import check_places
from .spec_model import Spec
from .spec_schema import Common, Top, Varying
from .texts import TEXTS, Choice, choice, given_texts, words_of
from .toml_file import Document, Where, shown

_FORBIDDEN = {"Output", "Noise", "Engine", "Help"}  # subjects
_OTHERS_INSTEAD = "a batch decides itself what it writes and shows"

TOP = Top.__struct_fields__
"""Keys above all tables."""
VARYING = ("orientation", *(key for key in KEYS if key not in ONLY_COLUMNS), HIT_RATE, *TEXTS, "csv")
"""Keys of a table of what varies."""

_AT_ONCE = {"N": ("Na", "Nb", "Nc"), "crystal_size_mm": ("N", "Na", "Nb", "Nc")}


def read_spec(path: str) -> tuple[Spec, CommandLine]:
    """Read a SPEC and the command line in it.

    Returns
    -------
    spec : Spec
    command : CommandLine
        Its settings are those of the image that nothing varies, without a dump of structure factors to write.

    Raises
    ------
    InputError
        For any mistake, naming the line, the key and what is allowed.
    FileError
        For a file that cannot be read.
    """
    found = document.read(path)
    found.refuse_unknown(found.content, [*TOP, "vary"], elsewhere=dict.fromkeys(VARYING, "below the line [vary]"))
    if isinstance(found.content.get("vary"), dict):
        refuse_misplaced(found, found.content["vary"], ("vary",))
    return spec_of(found, top_values(found, Top))


def spec_of(
    found: Document, values: dict[str, Any], series: Series | None = None, scan: Mapping[str, Distribution] = {}
) -> tuple[Spec, CommandLine]:
    """Work out a SPEC whose keys have been read.

    Parameters
    ----------
    found : Document
    values : dict
        Of every key of `TOP`.
    series : Series, optional
        Where it is one, with
    scan : mapping of str to Distribution
        where each image begins and how far it turns.

    Raises
    ------
    InputError, FileError
        As `read_spec`.
    """
    folder = os.path.abspath(os.path.dirname(found.name))  # noqa: PTH100, PTH120
    varied = _vary(found)
    vary, csv_file = varied.numbers, varied.csv_file
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    texts: tuple[Texts, ...] = ()
    if csv_file is not None:
        label = str(found.error(("vary", "csv"), csv_file))
        columns, rows, texts = table.read(Path(folder) / csv_file, label, values["count"])
        _refuse_doubles(found, csv_file, columns, {**vary, **varied.texts, **scan})
    varying = {**vary, **scan}
    vary = {key: varying[key] for key in KEYS if key in varying}
    spec = Spec(
        folder=folder,
        words=_split(found, values["command"]),
        random_orientation=varied.orientation,
        vary=vary,
        columns=columns,
        rows=rows,
        csv_file=csv_file,
        series=series,
        chosen=varied.texts,
        texts=texts,
        first_texts={key: some.values[0] for key, some in varied.texts.items()} | (texts[0] if texts else {}),
        **{key: values[key] for key in TOP if key != "command"},
    )
    if spec.names.table is not None:
        with placed(found.name, ("spots",)):
            check_table_name("spots", spec.names.table)
    command = _command(found, spec)
    if command.settings.crystal.misset_random and command.settings.crystal.misset_seed is None:
        spec = replace(spec, random_orientation=True)  # its seed would come from the time
    check_places(found, spec, command)
    return spec, command


def refuse_misplaced(found: Document, table: Mapping[str, Any], where: Where) -> None:
    """Raise for a key of a table of what varies that has no meaning there."""
    for key in table:
        parameter = PARAMETERS.get(key)
        if parameter is not None and key not in VARYING and key not in TOP:
            instead = parameter.varied_by or "the command says it for all"
            raise found.error((*where, key), f"cannot vary from image to image; {instead}")
    found.refuse_unknown(table, VARYING, where, elsewhere=dict.fromkeys(TOP, "above the line [vary]"))


@contextmanager
def placed(path: str, where: Where) -> Iterator[None]:
    """Let errors in the block begin with the place of a key in a SPEC."""
    try:
        yield
    except NbnumbaError as error:
        raise type(error)(str(document.read(path).error(where, str(error)))) from error


def parse_command(spec: Spec, texts: Mapping[str, str] | None = None) -> CommandLine:
    """Parse the command of a SPEC with the files and words that are chosen for an image, by default the first."""
    more = words_of(spec.first_texts if texts is None else texts)
    return _parsed((*spec.words, *more), spec.folder, spec.semantics)


def _parsed(words: tuple[str, ...], folder: str, semantics: str) -> CommandLine:
    from ..parameters.parser import parse

    command = parse(words, folder, strict=semantics == Semantics.EXACT)
    # A dump that an earlier run left behind is read only where the command names it, and none is written.
    dump_file = command.settings.factors.dump_file if command.gives("dump") else None
    settings = command.settings.changed(semantics=Semantics(semantics), write_dump=False, dump_file=dump_file)
    if settings.factors.hkl_file is not None:
        settings = settings.changed(dump_file=None)
    if not command.gives("phi_sampling"):
        settings = settings.changed(phi_sampling=PhiSampling.MID)
    return replace(command, settings=settings)


def top_values(found: Document, kind: type[Common]) -> dict[str, Any]:
    """Return the values of the keys above all tables, checked."""

    def fault(key: str, allowed: str) -> InputError:
        if key not in found.content:
            return InputError(f"{found.name}: {key} is missing; it takes {allowed}")
        return found.error((key,), f"{shown(found.content[key])}; allowed: {allowed}")

    return msgspec.structs.asdict(converted_table(found.content, kind, fault))


def _split(found: Document, typed: str) -> tuple[str, ...]:
    """Split the command into words."""
    from ..parameters.parser import without_program

    try:
        words = shlex.split(typed.replace("\\\n", ""))  # lines that a backslash joins, as in a shell
    except ValueError as error:
        raise found.error(("command",), f"cannot be split into words: {str(error).lower()}") from None
    return tuple(without_program(words))


def _command(found: Document, spec: Spec) -> CommandLine:
    """Parse the command, and refuse what a batch decides itself."""
    chosen = {item.parameter.name: key for key in spec.text_keys for item in given_texts({key: spec.first_texts[key]})}
    try:
        alone = _parsed(spec.words, spec.folder, spec.semantics)
    except NbnumbaError as error:
        raise type(error)(str(found.error(("command",), str(error)))) from None
    try:
        command = parse_command(spec)
    except NbnumbaError as error:
        raise type(error)(str(found.error(_where_it_fails(spec), str(error)))) from None
    for item in alone.given:
        if item.parameter.name in chosen:
            raise found.error(
                ("command",), f"{item.label} cannot stand here; {chosen[item.parameter.name]} below [vary] chooses it"
            )
    for item in command.given:
        if SUBJECT_OF[item.parameter.name] in _FORBIDDEN:
            instead = item.parameter.in_batch or _OTHERS_INSTEAD
            raise found.error(("command",), f"{item.label} cannot stand here; {instead}")
    from ..experiment.required import missing_crystal
    from ..structure_factors.required import missing_structure_factors

    missing = missing_crystal(command.settings) or missing_structure_factors(command.settings)
    if missing:
        raise found.error(("command",), missing)
    return command


def _where_it_fails(spec: Spec) -> Where:
    """Return the key whose file or word the command cannot be parsed with; all of them where it is none alone."""
    for key in spec.text_keys:
        try:
            parse_command(spec, {key: spec.first_texts[key]})
        except NbnumbaError:
            return "vary", key if key in spec.chosen else "csv"
    return ("vary",)


@dataclass(frozen=True)
class _Varied:
    """What stands in the table [vary]."""

    numbers: dict[str, Distribution]
    texts: dict[str, Choice]
    orientation: bool
    csv_file: str | None


def _vary(found: Document) -> _Varied:
    """Read the table [vary]: distributions, whether the orientation is random, and the name of a table."""
    typed = found.content.get("vary", {})
    if not isinstance(typed, dict):
        raise found.error(("vary",), f"{shown(typed)}; it is a table: a line [vary], and below it keys and values")

    def fault(key: str, allowed: str) -> InputError:
        return found.error(("vary", key), f"{shown(typed[key])}; allowed: {allowed}")

    fixed = converted_table(typed, Varying, fault)
    vary: dict[str, Distribution] = {}
    texts: dict[str, Choice] = {}
    for key in typed:
        try:
            if key in KEYS:
                vary[key] = distribution(KEYS[key], typed[key])
            elif key in TEXTS:
                texts[key] = choice(key, typed[key])
            elif key == HIT_RATE:
                vary[HIT] = _hit_rate(typed)
        except (BadValue, InputError) as error:
            raise found.error(("vary", key), str(error)) from None
    for whole, parts in _AT_ONCE.items():
        both = [part for part in parts if part in vary]
        if whole in vary and both:
            raise found.error(("vary", both[0]), f"{whole} sets it too; give {whole}, or {', '.join(parts)}")
    for one, other in itertools.combinations(vary, 2):
        if frozenset((one, other)) in CONTRADICTORY:
            raise found.error(("vary", other), f"contradicts {one}; give one of the two")
    return _Varied(vary, texts, fixed.orientation is not None, fixed.csv)


def _hit_rate(typed: Mapping[str, Any]) -> Distribution:
    """Return what draws whether the beam hits a crystal."""
    if HIT in typed:
        raise BadValue(f"{HIT} says it too; give one of them")
    rate = number_of(typed[HIT_RATE], "a number from 0 to 1")
    if not 0.0 <= rate <= 1.0:
        raise BadValue(f"{rate:g} is out of range; allowed: a number from 0 to 1")
    return Distribution("choice", (0, 1), (1.0 - rate, rate))


def _refuse_doubles(
    found: Document, csv_file: str, columns: tuple[str, ...], vary: Mapping[str, Distribution | Choice]
) -> None:
    """Refuse a key that a table gives too."""
    keys = {*columns, *vary}
    for key in columns:
        if key in vary:
            raise found.error(("vary", key), f"{csv_file} has a column of that name too; give one of them")
    for whole, parts in _AT_ONCE.items():
        if whole in keys and keys.intersection(parts):
            raise found.error(("vary", "csv"), f"{whole} and {', '.join(parts)} contradict each other; give one kind")
    for one, other in itertools.combinations(sorted(keys), 2):
        if frozenset((one, other)) in CONTRADICTORY and {one, other}.intersection(columns):
            raise found.error(("vary", "csv"), f"{one} and {other} contradict each other; give one of the two")
