"""What may differ from image to image, and how its values are drawn."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..parameters.given import BIGGEST, SMALLEST
from ..parameters.table import SUBJECT_OF, VARYING, stated_by
from ..parameters.types import NOT_NEGATIVE, Kind, Range
from .toml_file import shown

if TYPE_CHECKING:
    import numpy as np

Number = float | int
T = TypeVar("T")

HIT, HIT_RATE = "hit", "hit_rate"
LATTICES, SPLIT = "crystals", "split_deg"
MOST_LATTICES = 20
MISSET = ("misset_x_deg", "misset_y_deg", "misset_z_deg")
TURN = ("turn_x_deg", "turn_y_deg", "turn_z_deg")
A_COLUMNS, U_COLUMNS = (tuple(f"{name}_{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)) for name in "AU")
"""Of a table alone: A_ij [1/Angstrom] is component i of a*, b*, c*; U turns the command's cell."""
ONLY_COLUMNS = (*A_COLUMNS, *U_COLUMNS)
BEAM_TILT = ("beam_tilt_fast_mrad", "beam_tilt_slow_mrad")
"""What turns the beam, and with it the detector as files with the beam along an axis state it."""
_NAMES = {f"detector_rot{axis}": f"detector_rot{axis}_deg" for axis in "xyz"}  # of parameters without a unit in theirs
MOVING = tuple(_NAMES.get(name, name) for name in VARYING if SUBJECT_OF[name] == "Detector: size and place")
"""What moves the detector."""


@dataclass(frozen=True)
class Key:
    """A quantity that may vary.

    Attributes
    ----------
    name : str
        In the document, in tables and in labels.
    allowed : Range
        Of its values, in the unit that the name states.
    whole : bool
        Its values are whole numbers.
    """

    name: str
    allowed: Range
    whole: bool = False

    def takes(self, value: Number) -> bool:
        """Tell whether a value is possible."""
        return math.isfinite(value) and value in self.allowed and (value == 0.0 or SMALLEST <= abs(value) <= BIGGEST)


def _keys() -> Iterator[Key]:
    """Yield what may vary: what the table of parameters says, and changes of cell, orientation and fluence."""
    for name, parameter in VARYING.items():
        yield Key(_NAMES.get(name, name), parameter.varies or Range(), parameter.kind is Kind.WHOLE)
    yield Key("cell_jitter_percent", NOT_NEGATIVE)
    yield Key("cell_expansion_percent", Range("above -90", low=-90.0, excluded=(-90.0,)))
    yield Key("fluence_factor", NOT_NEGATIVE)
    for name in (*MISSET, *TURN):
        yield Key(name, Range())
    yield Key(HIT, Range("0 or 1", low=0, high=1), whole=True)
    yield Key(LATTICES, Range(f"from 0 to {MOST_LATTICES}", low=0, high=MOST_LATTICES), whole=True)
    yield Key(SPLIT, Range("from 0 to 180", low=0.0, high=180.0))
    for name in ONLY_COLUMNS:
        yield Key(name, Range())


KEYS: dict[str, Key] = {key.name: key for key in _keys()}
PARAMETER_OF: dict[str, str] = {_NAMES.get(name, name): name for name in VARYING}
"""The parameter that a key gives a value to."""
OF_WAVELENGTH = frozenset(key for key, name in PARAMETER_OF.items() if "wavelength" in stated_by(VARYING[name]))
"""What changes the wavelength."""


def _contradictions() -> Iterator[tuple[str, str]]:
    """Yield pairs of keys that set one thing, or of which one rules the other out."""
    key_of = {name: key for key, name in PARAMETER_OF.items()}
    for name, parameter in VARYING.items():
        for other, another in VARYING.items():
            if name != other and set(parameter.fields) & set(another.fields):
                yield key_of[name], key_of[other]
            if other in parameter.excludes:
                yield from ((key_of[one], key_of[other]) for one in (name, *parameter.parts))


CONTRADICTORY = frozenset(frozenset(pair) for pair in _contradictions() if len(set(pair)) == 2)
"""Pairs of keys of which one may vary."""


@dataclass(frozen=True)
class Form:
    """A way to draw numbers: its name, what its list holds, and how one is drawn."""

    holds: str
    length: int | None  # None: any but 0
    whole: bool
    draw: Callable[[np.random.Generator, Sequence[Number]], Number]
    of_image: Callable[[int, Sequence[Number]], float] | None = None  # of its number alone, instead of `draw`


def _normal(generator: np.random.Generator, numbers: Sequence[Number]) -> float:
    mean, deviation = numbers
    return float(mean + deviation * generator.standard_normal())


def _uniform(generator: np.random.Generator, numbers: Sequence[Number]) -> float:
    low, high = numbers
    return float(low + (high - low) * generator.random())


def _integers(generator: np.random.Generator, numbers: Sequence[Number]) -> int:
    low, high = numbers
    return int(generator.integers(int(low), int(high), endpoint=True))


def _lognormal(generator: np.random.Generator, numbers: Sequence[Number]) -> float:
    exponent = _normal(generator, numbers)
    return float(10.0**exponent) if exponent < 300.0 else math.inf


def _choice(generator: np.random.Generator, numbers: Sequence[Number]) -> Number:
    return picked(generator, numbers, ())


def _truncated(generator: np.random.Generator, numbers: Sequence[Number]) -> float:
    """By the inverse of the distribution function, on the side of the mean where its digits are."""
    from scipy.special import ndtr, ndtri

    mean, deviation, low, high = numbers
    share = generator.random()
    if deviation == 0.0:
        return float(min(max(mean, low), high))
    first, last = (low - mean) / deviation, (high - mean) / deviation
    if first > 0.0:
        below, above = ndtr(-first), ndtr(-last)
        value = -ndtri(below + (above - below) * share)
    else:
        below, above = ndtr(first), ndtr(last)
        value = ndtri(below + (above - below) * share)
    return float(min(max(mean + deviation * value, low), high))


def _loguniform(generator: np.random.Generator, numbers: Sequence[Number]) -> float:
    low, high = numbers
    return float(low * (high / low) ** generator.random())


def _none(generator: np.random.Generator, numbers: Sequence[Number]) -> Number:
    raise AssertionError("the number of the image decides")


def _linear(image: int, numbers: Sequence[Number]) -> float:
    first, each = numbers
    return float(first + each * image)


def _decay(image: int, numbers: Sequence[Number]) -> float:
    first, share = numbers
    return float(first * (1.0 - share) ** image)


FORMS: dict[str, Form] = {
    "normal": Form("[mean, standard deviation]", 2, False, _normal),
    "uniform": Form("[lowest, highest]", 2, False, _uniform),
    "integers": Form("[first, last]", 2, True, _integers),
    "lognormal": Form("[log10 of the median, standard deviation in decades]", 2, False, _lognormal),
    "truncated_normal": Form("[mean, standard deviation, lowest, highest]", 4, False, _truncated),
    "loguniform": Form("[lowest, highest]", 2, False, _loguniform),
    "choice": Form("[one, another, ...]", None, True, _choice),
    "linear": Form("[of the first image, more with each image]", 2, False, _none, _linear),
    "decay": Form("[of the first image, share that is lost with each image]", 2, False, _none, _decay),
}
_FIXED = "fixed"


@dataclass(frozen=True)
class Distribution:
    """What the values of a key are drawn from; of a fixed number, that number."""

    form: str
    numbers: tuple[Number, ...]
    weights: tuple[float, ...] = ()  # of a choice; none: all alike

    @property
    def is_drawn(self) -> bool:
        """Whether chance has a part in its values."""
        return self.form != _FIXED and FORMS[self.form].of_image is None

    def draw(self, generator: np.random.Generator, image: int = 0) -> Number:
        """Draw the value of an image, which may be impossible."""
        if self.form == _FIXED:
            return self.numbers[0]
        form = FORMS[self.form]
        if self.weights:
            return picked(generator, self.numbers, self.weights)
        return form.draw(generator, self.numbers) if form.of_image is None else form.of_image(image, self.numbers)

    def __str__(self) -> str:
        if self.form == _FIXED:
            return _plain(self.numbers[0])
        weights = f", weights = {_listed(self.weights)}" if self.weights else ""
        return f"{{ {self.form} = {_listed(self.numbers)}{weights} }}"


class BadValue(ValueError):
    """A value that a key does not take; the message says what it takes."""


def distribution(key: Key, value: Any) -> Distribution:
    """Read the value of a key.

    Raises
    ------
    BadValue
        When the key takes no such value.
    """
    if not isinstance(value, dict):
        return Distribution(_FIXED, (_number(key, value, whole=key.whole, only=True),))
    value = dict(value)
    weights = value.pop("weights", None)
    if len(value) != 1 or next(iter(value)) not in FORMS:
        raise BadValue(f"{shown(value)} is not a way to draw; {_takes(key)}")
    ((name, numbers),) = value.items()
    form = FORMS[name]
    if key.whole and not form.whole:
        raise BadValue(f"{name} draws no whole numbers; {_takes(key)}")
    if not isinstance(numbers, list) or len(numbers) != (form.length or max(1, len(numbers))):
        raise BadValue(f"{name} = {shown(numbers)}; it takes {form.holds}")
    whole = name == "integers" or key.whole
    found = Distribution(
        name,
        tuple(_number(key, number, whole=whole, only=False) for number in numbers),
        () if weights is None else weights_of(name, weights, len(numbers)),
    )
    _check(key, found)
    return found


def picked(generator: np.random.Generator, values: Sequence[T], weights: Sequence[float]) -> T:
    """Return one of some values, by their weights; without weights with equal chances."""
    if not weights:
        return values[int(generator.integers(len(values)))]
    sums = list(itertools.accumulate(weights))
    return values[min(bisect.bisect_right(sums, generator.random() * sums[-1]), len(sums) - 1)]


def weights_of(form: str, weights: Any, count: int) -> tuple[float, ...]:
    """Return the weights of a choice."""
    if form != "choice":
        raise BadValue(f"weights: go with choice, not with {form}")
    good = isinstance(weights, list) and len(weights) == count
    good = good and all(isinstance(weight, int | float) and not isinstance(weight, bool) for weight in weights)
    if not good or not all(0.0 <= weight <= BIGGEST for weight in weights) or not sum(weights) > 0.0:
        raise BadValue(
            f"weights = {shown(weights)}; allowed: {count} numbers of at least 0, one a choice, not all of them 0"
        )
    return tuple(float(weight) for weight in weights)


def number_of(value: Any, takes: str) -> Number:
    """Return a finite number of a document."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadValue(f"{shown(value)} is not a number; allowed: {takes}")
    if not math.isfinite(value):
        raise BadValue(f"{value} is not a finite number; allowed: {takes}")
    return value


def _number(key: Key, value: Any, *, whole: bool, only: bool) -> Number:
    """Return a number of a document that a key takes."""
    value = number_of(value, _takes(key).removeprefix("allowed: "))
    if whole and not isinstance(value, int):
        raise BadValue(f"{value} is not a whole number in plain digits; {_takes(key)}")
    if abs(value) > BIGGEST or (whole and abs(value) >= 2**62) or (only and not key.takes(value)):
        raise BadValue(f"{value} is out of range; {_takes(key)}")
    return value if whole else float(value)  # a column of labels is of one kind


def _plain(number: Number) -> str:
    """Return a number in short; 1 and 1.0 are the same."""
    return repr(int(number)) if number == round(number) and abs(number) < 1e15 else repr(number)


def _listed(numbers: Sequence[Number]) -> str:
    return f"[{', '.join(map(_plain, numbers))}]"


def _check(key: Key, found: Distribution) -> None:
    """Refuse numbers that contradict each other, and what can draw nothing but impossible values."""
    if found.form == "choice":
        for number in found.numbers:
            if not key.takes(number):
                raise BadValue(f"choice: {_plain(number)} is out of range; {_takes(key)}")
        return
    if found.form == "truncated_normal":
        _check_truncated(key, found)
        return
    first, second = found.numbers
    if FORMS[found.form].of_image is not None:
        if not key.takes(first):
            raise BadValue(f"{found.form}: {_plain(first)} is out of range; {_takes(key)}")
        if found.form == "decay" and not 0.0 <= second <= 1.0:
            raise BadValue(f"decay: a share of {_plain(second)}; it must lie from 0 to 1")
        return
    if found.form in ("normal", "lognormal"):
        if second < 0:
            raise BadValue(f"{found.form}: a standard deviation of {_plain(second)}; it must be at least 0")
        values = [] if second > 0 else [10.0**first if found.form == "lognormal" else first]
        if found.form == "lognormal" and abs(first) > 50:
            raise BadValue(f"lognormal: a median of 10^{_plain(first)}; the exponent must lie between -50 and 50")
        possible = all(map(key.takes, values))
    else:
        if found.form == "loguniform" and first <= 0:
            raise BadValue(f"loguniform = {_listed(found.numbers)}: the first number must be above 0")
        if first > second:
            raise BadValue(f"{found.form} = {_listed(found.numbers)}: the first number must not be above the second")
        for end in (first, second):
            if not key.takes(end):
                listed = _listed(found.numbers)
                raise BadValue(f"{found.form} = {listed}: {_plain(end)} is out of range; {_takes(key)}")
        return
    if not possible:
        raise BadValue(f"{found.form} = {_listed(found.numbers)} draws no possible value; {_takes(key)}")


def _check_truncated(key: Key, found: Distribution) -> None:
    """Refuse limits that contradict each other, lie where the distribution is 0, or allow nothing."""
    mean, deviation, low, high = found.numbers
    if deviation < 0:
        raise BadValue(f"truncated_normal: a standard deviation of {_plain(deviation)}; it must be at least 0")
    if low > high:
        raise BadValue(f"truncated_normal = {_listed(found.numbers)}: lowest must not be above highest")
    nearest = min(max(mean, low), high)
    if abs(nearest - mean) > 30.0 * deviation:  # where the normal distribution is 0 in float64
        raise BadValue(f"truncated_normal = {_listed(found.numbers)}: the limits leave nothing of the distribution")
    if not any(map(key.takes, (nearest, low, high, (low + high) / 2))):
        raise BadValue(f"truncated_normal = {_listed(found.numbers)} draws no possible value; {_takes(key)}")


def _takes(key: Key) -> str:
    """Return in words what a key takes."""
    forms = [name for name, form in FORMS.items() if form.whole or not key.whole]
    what = "a whole number" if key.whole else "a number"
    allowed = f" {key.allowed.text}" if key.allowed.text else ""
    tables = ", ".join(f"{{ {name} = {FORMS[name].holds} }}" for name in forms)
    return f"allowed: {what}{allowed}, {tables}"
