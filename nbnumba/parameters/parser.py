"""A command line: from words to parameters with values, and to settings."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Sequence

from ..errors import InputError
from ..util.text import quote
from .choices import Pivot, Semantics
from .command import CommandLine
from .dialect import Dialect, is_extended, shown
from .fill import filled
from .given import Given, Value
from .table import NANOBRAGG
from .tokens import DASHES, Loose, Use, number, split, whole_number
from .types import Kind

_PROGRAMS = ("nanoBragg", "nbnumba")


def without_program(words: Sequence[str]) -> list[str]:
    """Return the words of a command line without the program's name, where it stands in front."""
    named = bool(words) and os.path.basename(words[0]).startswith(_PROGRAMS)  # noqa: PTH119
    return list(words[1:] if named else words)


def parse(
    words: Sequence[str],
    folder: str | os.PathLike[str] | None = None,
    *,
    dialect: Dialect = NANOBRAGG,
    strict: bool = False,
) -> CommandLine:
    """Read a command line, without the program's name.

    Parameters
    ----------
    words : sequence of str
    folder : path, optional
        Where relative file names start, the default Fdump.bin among them; the working folder by default.
    dialect : Dialect, optional
        Which options there are, how they are found in a word, and what holds without them.
    strict : bool
        Whether what C alone would take is an error, as it is with -semantics exact.

    Raises
    ------
    InputError
        For an unknown option, a missing value, or a value that is not allowed.
    FileError
        For an -img, -mask or -expt that cannot be read.
    """
    uses, loose = split(words, dialect)
    command = _interpret(uses, [_left_over(word) for word in loose], dialect, folder, strict)
    if folder is not None and not command.gives("dump"):
        default = os.path.join(folder, str(command.settings.factors.dump_file))  # noqa: PTH118
        command = dataclasses.replace(command, settings=command.settings.changed(dump_file=default))
    return dataclasses.replace(command, words=tuple(words))


def parse_with_files(words: Sequence[str], *, dialect: Dialect = NANOBRAGG) -> tuple[CommandLine, tuple[str, ...]]:
    """Read a command line in which words without a dash are files; return it and the files."""
    uses, loose = split(words, dialect)
    command = _interpret(uses, [], dialect, None, strict=False)
    return dataclasses.replace(command, words=tuple(words)), tuple(item.word for item in loose)


def given_of(words: Sequence[str], dialect: Dialect = NANOBRAGG) -> list[Given]:
    """Return the parameters that the options among some words give, without reading what files say."""
    return [_given(use) for use in split(words, dialect)[0]]


def _left_over(loose: Loose) -> str:
    """Return the notice for a word that belongs to no option, or raise where it is a mistake."""
    if loose.after is None:
        raise InputError(f"{quote(loose.word)}: an option is expected here, beginning with a dash; -help lists them")
    if loose.after.option.kind is not Kind.FLAG or loose.word[:1] in DASHES:
        typed = " ".join(map(shown, (loose.after.word, *loose.after.values)))
        raise InputError(f"{quote(loose.word)}: an option is expected after {typed}")
    return f"{quote(loose.word)} has no meaning: {loose.after.word} takes no value"


def _interpret(
    uses: Sequence[Use], doubtful: list[str], dialect: Dialect, folder: str | os.PathLike[str] | None, strict: bool
) -> CommandLine:
    """Turn options and their values into settings; what is doubtful is a notice, in `exact` an error."""
    notices: list[str] = []
    given = [_given(use) for use in uses]
    for use in uses:
        if use.option.key in dialect.without_effect:
            notices.append(f"{use.word} {dialect.without_effect[use.option.key]}")
        elif is_extended(use.word, use.option, dialect.longer):
            doubtful.append(f"{use.word} is read as {use.option.key}, as in {dialect.program}")
    notices += doubtful
    placed = given if folder is None else [item.inside(folder) for item in given]
    draft = filled(placed, notices, dialect.defaults, strict=strict)
    if doubtful and (strict or draft.get("semantics") is Semantics.EXACT):
        raise InputError(f"{doubtful[0]}; with -semantics exact options are spelled as the help does")
    return CommandLine(
        draft.settings(),
        draft.output(),
        draft.compute(),
        tuple(draft.notices),
        used=tuple(dict.fromkeys(use.option.key for use in uses)),
        given=tuple(given),
    )


def _given(use: Use) -> Given:
    """Return the parameter that an option stands for, with its values."""
    option = use.option
    values: tuple[Value, ...] = use.values
    if not option.values:
        values = () if option.value is None else (option.value,)
        return Given(option.parameter, values, tuple(map(str, values)), use.word, option.key)
    if option.parameter.name in _READERS:
        values = _READERS[option.parameter.name](use)
    elif option.kind is Kind.NUMBER:
        values = tuple(number(use, text) for text in use.values)
    elif option.kind is Kind.WHOLE:
        values = tuple(whole_number(use, text) for text in use.values)
    return Given(option.parameter, values, use.values or tuple(map(str, values)), use.word, option.key)


def _numbers(use: Use) -> tuple[Value, ...]:
    return tuple(number(use, text) for text in use.values)


def _misset(use: Use) -> tuple[Value, ...]:
    return ("random",) if len(use.values) == 1 else _numbers(use)


def _show_config(use: Use) -> tuple[Value, ...]:
    return use.values or ("text",)


def _pivot(use: Use) -> tuple[Value, ...]:
    # As C: the words are looked for inside the value, "beam" last.
    found = [pivot for pivot in (Pivot.SAMPLE, Pivot.BEAM) if pivot.value in use.values[0]]
    return tuple(found[-1:]) or use.values


def _detector_abs(use: Use) -> tuple[Value, ...]:
    (text,) = use.values
    # C differs: it knows inf in small letters only, and draws a black image for others.
    return (math.inf,) if "inf" in text.lower() and not text.startswith("-") else _numbers(use)


# Parameters whose words are read in a way of their own.
_READERS: dict[str, Callable[[Use], tuple[Value, ...]]] = {
    "cell": _numbers,
    "A_matrix": _numbers,
    "mosaic_sigmas_deg": _numbers,
    "lattice_spread_percent": _numbers,
    "diffuse_gamma_A": _numbers,
    "diffuse_sigma_A": _numbers,
    "misset_deg": _misset,
    "show_config": _show_config,
    "pivot": _pivot,
    "attenuation_depth_um": _detector_abs,
}
