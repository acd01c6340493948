"""What the table of options is made of: kinds, units, ranges and the option itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from ..constants import DEGREES_PER_RADIAN

C_INT = 2**31 - 1  # C stores whole numbers in an int


class Kind(Enum):
    """What the words after an option are."""

    FLAG = "no value"
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
    """A unit of the command line and the way to SI, by the floating-point operations of C."""

    symbol: str
    to_si: Callable[[float], float]


PLAIN = Unit("", lambda x: x)
MM = Unit("mm", lambda x: x / 1000.0)
MICRON = Unit("um", lambda x: x * 1e-6)
MICRON_BY_DIVISION = Unit("um", lambda x: x / 1e6)
METRE = Unit("m", lambda x: x)
ANGSTROM = Unit("A", lambda x: x / 1.0e10)
PER_ANGSTROM = Unit("1/A", lambda x: x)
ANGSTROM_BY_PRODUCT = Unit("A", lambda x: x * 1e-10)
ELECTRON_VOLT = Unit("eV", lambda x: (12398.42 / x) / 1.0e10)
DEGREE = Unit("deg", lambda x: x / DEGREES_PER_RADIAN)
MRAD = Unit("mrad", lambda x: x / 1000.0)
PERCENT = Unit("%", lambda x: x / 100.0)
PIXEL = Unit("pixels", lambda x: x)
SECOND = Unit("s", lambda x: x)
FLUX = Unit("photons/s", lambda x: x)
FLUENCE = Unit("photons/m^2", lambda x: x)


@dataclass(frozen=True)
class Range:
    """The numbers that an option takes, in its own unit."""

    text: str = ""  # "greater than 0"; empty: no limit worth telling
    low: float = -math.inf
    high: float = math.inf
    excluded: tuple[float, ...] = ()

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high and value not in self.excluded


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


@dataclass(frozen=True)
class Option:
    """One option of the command line.

    Attributes
    ----------
    key
        Its name in help and messages.
    help
        One line for the help text.
    values
        Placeholders of its values, separated by blanks; as many as there are values.
    fields
        Fields of Settings, Output or ComputeOptions that take the value; several values make a tuple.
    sets
        Fields that the option sets to a constant.
    names
        What C looks for anywhere in a word; the key when left out.
    whole
        Names that count only as a whole word.
    shown
        Spellings to show beside the key, when they are not simply all the names.
    takes
        What it takes, in words for a message, when that does not follow from the rest.
    own
        Not an option of nanoBragg: its names are whole words, with one dash or two.
    instead
        Of an option without effect: what the user is told to take in its place.
    """

    key: str
    help: str
    values: str = ""
    fields: tuple[str, ...] = ()
    kind: Kind = Kind.FLAG
    unit: Unit = PLAIN
    allowed: Range = ANY
    unset: Unset = Unset.NEVER
    default: str = ""
    sets: Mapping[str, object] = field(default_factory=dict)
    names: tuple[str, ...] | None = None
    whole: tuple[str, ...] = ()
    shown: tuple[str, ...] | None = None
    choices: tuple[str, ...] = ()
    takes: str = ""
    own: bool = False
    instead: str = ""

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

    def describe_values(self) -> str:
        """Say in a few words what the option takes, for an error message."""
        if self.takes:
            return self.takes
        if self.kind is Kind.CHOICE:
            return f"{', '.join(self.choices[:-1])} or {self.choices[-1]}"
        if self.kind is Kind.FILE:
            return "a file name"
        if self.kind is Kind.TEXT:
            return "a name"
        what = "whole number" if self.kind is Kind.WHOLE else "number"
        text = f"{self.count} {what}s" if self.count > 1 else f"a {what}"
        if self.allowed.text:
            text += f" {self.allowed.text}"
        return f"{text} [{self.unit.symbol}]" if self.unit.symbol else text


flag = partial(Option, kind=Kind.FLAG)
number = partial(Option, kind=Kind.NUMBER)
whole = partial(Option, kind=Kind.WHOLE)
filename = partial(Option, kind=Kind.FILE)
text = partial(Option, kind=Kind.TEXT)
choice = partial(Option, kind=Kind.CHOICE, own=True)
special = partial(Option, kind=Kind.SPECIAL)
ignored = partial(Option, kind=Kind.IGNORED)
