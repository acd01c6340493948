"""What the table of parameters is made of: kinds, units, ranges, the parameter and its spellings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, partial
from typing import Any

from ..constants import DEGREES_PER_RADIAN

C_INT = 2**31 - 1  # C stores whole numbers in an int


class Kind(Enum):
    """What the words after an option are."""

    FLAG = "no value"
    SWITCH = "yes or no"
    NUMBER = "numbers"
    WHOLE = "whole numbers"
    FILE = "a file name"
    TEXT = "a name"
    CHOICE = "one of a few words"
    SPECIAL = "read by a function of its own"
    IGNORED = "a word that is not looked at"


class Unset(Enum):
    """Values that mean "not given" and leave the choice to the program, as in C."""

    NEVER = "never"
    NEGATIVE = "below zero"
    NOT_POSITIVE = "zero and below"

    def covers(self, value: float) -> bool:
        """Tell whether a value means "not given"."""
        return self is not Unset.NEVER and (value < 0 or (self is Unset.NOT_POSITIVE and value == 0))


@dataclass(frozen=True)
class Unit:
    """A unit and the way to SI, by the floating-point operations of C; for words the way to what they stand for."""

    symbol: str
    to_si: Callable[[Any], Any]


PLAIN = Unit("", lambda x: x)
MM = Unit("mm", lambda x: x / 1000.0)
MICRON = Unit("um", lambda x: x * 1e-6)
MICRON_BY_DIVISION = Unit("um", lambda x: x / 1e6)
METER = Unit("m", lambda x: x)
ANGSTROM = Unit("Å", lambda x: x / 1.0e10)
SQUARE_ANGSTROM = Unit("Å^2", lambda x: x)
PER_ANGSTROM = Unit("1/Å", lambda x: x)
ANGSTROM_BY_PRODUCT = Unit("Å", lambda x: x * 1e-10)
ELECTRON_VOLT = Unit("eV", lambda x: (12398.42 / x) / 1.0e10)
PLAIN_ELECTRON_VOLT = Unit("eV", lambda x: x)
DEGREE = Unit("deg", lambda x: x / DEGREES_PER_RADIAN)
MRAD = Unit("mrad", lambda x: x / 1000.0)
PERCENT = Unit("%", lambda x: x / 100.0)
PIXEL = Unit("pixels", lambda x: x)
SECOND = Unit("s", lambda x: x)
FLUX = Unit("photons/s", lambda x: x)
FLUENCE = Unit("photons/m^2", lambda x: x)


@dataclass(frozen=True)
class Range:
    """The numbers that a parameter takes, in its own unit."""

    text: str = ""  # "greater than 0"; empty: no limit worth telling
    low: float = -math.inf
    high: float = math.inf
    excluded: tuple[float, ...] = ()
    gap: tuple[float, float] = (math.inf, math.inf)  # its ends are allowed

    def __contains__(self, value: float) -> bool:
        inside = self.low <= value <= self.high and value not in self.excluded
        return inside and not self.gap[0] < value < self.gap[1]


ANY = Range()
POSITIVE = Range("greater than 0", low=0.0, excluded=(0.0,))
NOT_NEGATIVE = Range("of at least 0", low=0.0)
NOT_ZERO = Range("other than 0", excluded=(0.0,))
UNIT_INTERVAL = Range("from -1 to 1", low=-1.0, high=1.0)
FROM_ZERO = Range("of at least 0", low=0, high=C_INT)
AT_LEAST_ONE = Range("of at least 1", low=1, high=C_INT)
INTEGER = Range(f"from -{C_INT} to {C_INT}", low=-C_INT, high=C_INT)


def at_most(high: int) -> Range:
    """Return the range of a count that is "not given" when it is too small."""
    return Range(f"of at most {high}", low=-C_INT, high=high)


class Role(Enum):
    """What a file that a parameter names is to a run."""

    PLAIN = "no file"
    INPUT = "read"
    OUTPUT = "written"


@dataclass(frozen=True, eq=False)
class Parameter:
    """One quantity that a user can give, whatever the spelling.

    Attributes
    ----------
    name
        Its name in Python, in TOML and in batches, with the unit where that is not SI; of a parameter that only command
        lines have, the name of its field.
    help
        One line for the help text and for the editor.
    fields
        Fields of Settings, Output or ComputeOptions that take the value; several values make a tuple.
    sets
        Fields that become a constant whenever it is given.
    default
        Of a command line, in words.
    choices
        Words that it takes.
    takes
        What it takes, in words for a message, when that does not follow from the rest.
    counts
        Numbers of values that it may be given.
    strict
        Numbers that mean what they say, where that does not follow from `unset`: C takes others, by a rule of its own.
    otherwise
        What C makes of the others, in words, where they are not what `unset` covers.
    parts
        Parameters that take one value each where it is given several.
    role
        Whether it names a file that is read or written.
    file_places
        Of a text: where the names of files to be read begin and end in it.
    varies
        Range of its values where it may vary from image to image of a batch.
    varied_by
        Of one that may not: what varies in its place, in words.
    chosen
        Whether its file or word may be another one in every image of a batch.
    fills
        Fields of Settings that a function of its own fills.
    of_crystal
        Whether it may describe one of several crystals, where that differs from the rest of its subject.
    orients
        Whether it says a part of what an A matrix says: which cell the crystal has, and how it lies.
    keyword
        Whether Python and TOML know it.
    excludes
        Keywords that say the same, or that it rules out; each pair stands with the first of the two.
    states
        What it says of an image that is made from another file, where that differs from the rest of its subject:
        "geometry", "wavelength", ...; empty: nothing that a file states.
    beside_panels
        Of a parameter of a detector's size, place and axes: whether it may stand beside a file that places the panels.
        (The header of a mask does not count there.)
    one_panel
        Whether it goes with a detector of one panel only.
    square_pixels
        Whether it names a file whose header states one edge of a pixel only.
    in_batch
        Why the command of a batch cannot hold it, where that differs from the rest of its subject.
    hint
        Type of its value, as annotated; by kind and count when left out.
    note
        What to tell in an editor instead of the help.
    """

    name: str
    help: str = ""
    kind: Kind = Kind.FLAG
    fields: tuple[str, ...] = ()
    unit: Unit = PLAIN
    allowed: Range = ANY
    unset: Unset = Unset.NEVER
    sets: Mapping[str, object] = field(default_factory=dict)
    default: str = ""
    choices: tuple[str, ...] = ()
    takes: str = ""
    counts: tuple[int, ...] = (1,)
    strict: Range | None = None
    otherwise: str = "counts as 1"
    parts: tuple[str, ...] = ()
    role: Role = Role.PLAIN
    file_places: Callable[[str], Iterable[tuple[int, int]]] | None = None
    varies: Range | None = None
    varied_by: str = ""
    chosen: bool = False
    fills: tuple[str, ...] = ()
    of_crystal: bool | None = None
    orients: bool = False
    keyword: bool = False
    excludes: tuple[str, ...] = ()
    states: tuple[str, ...] | None = None
    beside_panels: bool = False
    one_panel: bool = False
    square_pixels: bool = False
    in_batch: str = ""
    hint: str = ""
    note: str = ""

    @cached_property
    def meaning(self) -> Range:
        """The numbers that mean what they say; with `exact`, and in Python, the only ones that are allowed."""
        if self.strict is not None or self.unset is Unset.NEVER:
            return self.strict or self.allowed
        high = self.allowed.high
        if self.kind is Kind.WHOLE:
            low = 0 if self.unset is Unset.NEGATIVE else 1
            rest = self.allowed.text.removeprefix(f"of at most {high:.0f}")
            text = f"of at least {low}" if high >= C_INT else f"from {low} to {high:.0f}{rest}"
            return Range(text, low=low, high=high)
        if self.unset is Unset.NOT_POSITIVE:
            return POSITIVE
        return Range(self.allowed.text or NOT_NEGATIVE.text, low=0.0, high=high)

    @property
    def names_files(self) -> bool:
        """Whether its values name files, or hold the names of files to be read."""
        return self.kind is Kind.FILE or self.file_places is not None

    def describe_values(self) -> str:
        """Return in a few words what it takes, for an error message."""
        if self.takes:
            return self.takes
        if self.kind is Kind.CHOICE:
            return f"{', '.join(self.choices[:-1])} or {self.choices[-1]}"
        if self.kind is Kind.FILE:
            return "a file name"
        if self.kind is Kind.TEXT:
            return "a name"
        what = "whole number" if self.kind is Kind.WHOLE else "number"
        count = self.counts[0]
        text = f"{count} {what}s" if count > 1 else f"a {what}"
        if self.meaning.text:
            text += f" {self.meaning.text}"
        return f"{text} [{self.unit.symbol}]" if self.unit.symbol else text


@dataclass(frozen=True)
class Option:
    """A spelling of a parameter on the command line of a dialect.

    Attributes
    ----------
    key
        Its name in help and messages.
    parameter
        What it gives a value to.
    values
        Placeholders of its values, separated by blanks; as many as there are values.
    value
        Of an option without values: the value that it gives; None where giving the parameter is all.
    help, default
        For the help text, instead of those of the parameter.
    names
        What is looked for anywhere in a word; the key when left out.
    whole
        Names that count only as a whole word.
    shown
        Spellings to show beside the key, when they are not simply all the names.
    own
        Not an option of nanoBragg: its names are whole words, with one dash or two.
    instead
        Of an option without effect: what the user is advised to use in its place.
    """

    key: str
    parameter: Parameter
    values: str = ""
    value: bool | str | None = None
    help: str = ""
    default: str = ""
    names: tuple[str, ...] | None = None
    whole: tuple[str, ...] = ()
    shown: tuple[str, ...] | None = None
    own: bool = False
    instead: str = ""

    @property
    def kind(self) -> Kind:
        """What the words after it are."""
        return self.parameter.kind if self.values else Kind.FLAG

    @property
    def anywhere(self) -> tuple[str, ...]:
        """Names that are found anywhere in a word."""
        if self.names is not None:
            return self.names
        return () if self.own else (self.key,)

    @property
    def count(self) -> int:
        """Number of values."""
        return len(self.values.split())

    @property
    def spellings(self) -> tuple[str, ...]:
        """Spellings to show, the key first."""
        others = (*self.whole, *self.anywhere) if self.shown is None else self.shown
        return (self.key, *(name for name in others if name != self.key))


_OF_OPTION = {"names", "whole", "shown", "own", "instead"}


def _option(
    kind: Kind, key: str, help: str, values: str = "", fields: tuple[str, ...] = (), *, name: str = "", **more: Any
) -> Option:
    """Return an option with a parameter of its own; one that Python knows has a name."""
    of_option = {word: more.pop(word) for word in _OF_OPTION.intersection(more)}
    more.setdefault("counts", (max(1, len(values.split())),))
    called = name or (fields[0] if len(fields) == 1 else key.lstrip("-"))
    parameter = Parameter(called, help, kind, fields, keyword=bool(name), **more)
    return Option(key, parameter, values, **of_option)


def spelling(key: str, of: Parameter, value: bool | str, help: str = "", **more: Any) -> Option:
    """Return an option without values that gives one to a parameter."""
    return Option(key, of, value=value, help=help, **more)


def yes_or_no(name: str, help: str, fields: tuple[str, ...] = (), **more: Any) -> Parameter:
    """Return a parameter that is on or off, a keyword of Python."""
    return Parameter(name, help, Kind.SWITCH, fields or (name,), keyword=True, **more)


flag = partial(_option, Kind.FLAG)
number = partial(_option, Kind.NUMBER)
whole = partial(_option, Kind.WHOLE)
input_file = partial(_option, Kind.FILE, role=Role.INPUT)
output_file = partial(_option, Kind.FILE, role=Role.OUTPUT)
text = partial(_option, Kind.TEXT)
choice = partial(_option, Kind.CHOICE, own=True)
special = partial(_option, Kind.SPECIAL)
ignored = partial(_option, Kind.IGNORED)
