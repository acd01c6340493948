"""Two traces of a pixel side by side: the first quantity at which they part."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io.opening import opened
from .json_file import FORMAT

_LINE = re.compile(r"TRACE_(?:C|PY)(?:_(PHI|SOURCE|LAYER|WATER)\b|:)(.*)")
_QUANTITIES = ""  # group of the lines that every trace has
_INDICES = ("hkl_frac", "hkl_rounded", "h_frac", "k_frac", "l_frac", *"hkl", "h0", "k0", "l0")
_INTENSITIES = ("I_before_scaling", "I_pixel_final", "photons", "water_photons", "term", "sum_after")

# What rounding leaves of a component of a vector or matrix that should be 0, as a fraction of the largest one.
_CANCELLED = 2e-15


class Measure(Enum):
    """How far a quantity may differ, and whether as a fraction of itself."""

    GEOMETRY = (1e-11, True)
    INDEX = (1e-9, False)
    INTENSITY = (1e-9, True)  # amplitudes too: the kernels' sin(pi x) has an error of 2.2e-11 per factor
    FLOAT32 = (2.0**-23, True)  # one unit in the last place: the same value may round either way

    @property
    def allowed(self) -> float:
        """The built-in tolerance."""
        return self.value[0]

    @property
    def relative(self) -> bool:
        """Whether the tolerance is a fraction of the value."""
        return self.value[1]


@dataclass(frozen=True, eq=False)
class Quantity:
    """The numbers of one name, and the kind of line that they stand in."""

    name: str
    group: str
    measure: Measure
    numbers: NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A quantity that differs, at its worst component.

    Attributes
    ----------
    name : str
    a, b : float
        NaN where a file lacks it.
    excess : float
        The difference in units of what is allowed.
    text : str
        The whole in one line.
    """

    name: str
    a: float
    b: float
    excess: float
    text: str


@dataclass(frozen=True)
class Comparison:
    """The result: differences in the order of A, how much was compared, and what only one of the two holds."""

    differences: tuple[Difference, ...]
    compared: int
    closest: str  # of those that agree, the one that differs most, in words
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yield the result as text."""
        if self.differences:
            yield self.differences[0].text
            yield f"{len(self.differences)} of {self.compared} quantities differ; this is the first"
        else:
            yield f"the traces agree: {self.compared} quantities{self.closest}"
        for label, groups in (("A", self.only_in_a), ("B", self.only_in_b)):
            if groups:
                yield f"only in {label}, not compared: {', '.join(groups)}"


def compare_traces(path_a: str, path_b: str, tolerance: float | None = None) -> Comparison:
    """Compare two traces quantity by quantity.

    Parameters
    ----------
    path_a, path_b : str
        Text with TRACE_C or TRACE_PY lines, other lines between them allowed, or a trace file in JSON.
    tolerance : float, optional
        For every quantity: a fraction of its value, and for h, k and l the difference itself. By default
        1e-11 for geometry and cell, 1e-9 for amplitudes and intensities, 1e-9 for h, k and l, and one unit in
        the last place for what is stored as float32.

    Raises
    ------
    InputError
        For a file that is not a trace, or a tolerance that is negative.
    FileError
        For a file that cannot be read.
    """
    if tolerance is not None and not (math.isfinite(tolerance) and tolerance >= 0.0):
        raise InputError(f"-tolerance: {tolerance:g} is out of range; allowed: a number of at least 0")
    a, b = read(path_a), read(path_b)
    groups_a, groups_b = _groups(a), _groups(b)
    shared = [group for group in groups_a if group in groups_b]
    names = [q.name for q in a.values() if q.group in shared]
    names += [q.name for q in b.values() if q.group in shared and q.name not in a]
    differences = []
    closest, share = "", 0.0
    for name in names:
        found = _compare(name, a.get(name), b.get(name), tolerance)
        if found.excess > 1.0:
            differences.append(found)
        elif found.excess > share:
            closest, share = f"; closest to its limit: {found.text}", found.excess
    return Comparison(
        tuple(differences),
        len(names),
        closest,
        tuple(group for group in groups_a if group not in shared),
        tuple(group for group in groups_b if group not in shared),
    )


def _groups(trace: dict[str, Quantity]) -> list[str]:
    return list(dict.fromkeys(q.group for q in trace.values()))


def _compare(name: str, a: Quantity | None, b: Quantity | None, tolerance: float | None) -> Difference:
    """Compare one quantity at the component that differs most."""
    if a is None or b is None:
        lacking = "A" if a is None else "B"
        return Difference(name, math.nan, math.nan, math.inf, f"{name}: missing in {lacking}")
    x, y = a.numbers, b.numbers
    if x.shape != y.shape:
        text = f"{name}: {x.size} numbers in A, {y.size} in B"
        return Difference(name, math.nan, math.nan, math.inf, text)
    measure = a.measure
    allowed = measure.allowed if tolerance is None else tolerance
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(same, 0.0, np.abs(x - y))
        limit = np.full(x.shape, allowed)
        if measure.relative:
            size = np.maximum(np.abs(x), np.abs(y))
            limit = allowed * size
            if measure is Measure.GEOMETRY and allowed > 0.0:
                limit += _CANCELLED * size.max()
        excess = np.where(same, 0.0, gap / limit)
    excess[np.isnan(excess)] = math.inf  # a number on one side, NaN or infinity on the other
    worst = int(np.argmax(excess))
    one, other = float(x[worst]), float(y[worst])
    where = f"{name}[{worst}]" if x.size > 1 else name
    ratio = f"{other / one:.15g}" if one != 0.0 else "none, A is 0"
    unit = "relative" if measure.relative else "absolute"
    amount = float(gap[worst])
    if measure.relative and one != 0.0:
        amount /= abs(one)
    text = f"{where}: A {one:.15g}, B {other:.15g}, ratio B/A {ratio}; differs by {amount:.2g} {unit}"
    return Difference(name, one, other, float(excess[worst]), f"{text}, allowed {allowed:.2g}")


def read(path: str) -> dict[str, Quantity]:
    """Read a trace, text or JSON, into quantities by name and in their order.

    Raises
    ------
    InputError
        When the file holds no trace, or a malformed one.
    FileError
        When it cannot be read.
    """
    with opened(path) as file:
        raw = file.read()
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no trace: it is not text (byte {error.start})") from None
    found: dict[str, Quantity] = {}
    entries = _from_json(path, text) if text.lstrip().startswith("{") else _from_text(path, text)
    for name, group, key, numbers in entries:
        if numbers.size == 0:
            raise InputError(f"{path}: {name} holds no number")
        if name in found:
            raise InputError(f"{path}: {name} stands there twice; a file must hold one trace")
        found[name] = Quantity(name, group, _measure(key), numbers)
    if not any(quantity.group == _QUANTITIES for quantity in found.values()):
        raise InputError(f"{path}: holds no trace: neither lines beginning TRACE_C: or TRACE_PY: nor JSON of a trace")
    return found


def _measure(key: str) -> Measure:
    if key in _INDICES:
        return Measure.INDEX
    if key == "floatimage_accumulated":
        return Measure.FLOAT32
    if key in _INTENSITIES or key.startswith(("F_latt", "F_cell")):
        return Measure.INTENSITY
    return Measure.GEOMETRY


_Entry = tuple[str, str, str, NDArray[np.float64]]  # full name, group, the name alone, numbers


def _from_text(path: str, text: str) -> Iterator[_Entry]:
    """Yield the quantities of the lines of a trace."""
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.match(line.strip())
        if match is None:
            continue
        group, words = match[1] or _QUANTITIES, match[2].split()
        try:
            if group == _QUANTITIES:
                name, *values = words
                if not values:
                    raise ValueError
                yield name, group, name, np.array([float(v) for v in values])
                continue
            pairs = [(key, float(value)) for key, value in (word.split("=") for word in words)]
            yield from list(_of_line(group, pairs))
        except ValueError:
            raise InputError(f"{path}, line {number}: {line.strip()[:80]!a} is no line of a trace") from None


def _of_line(group: str, pairs: list[tuple[str, float]]) -> Iterator[_Entry]:
    """Yield the quantities of a line that begins with what it is about, phi_tic=3 for one."""
    about = ""
    if group != "WATER":
        (key, value), *pairs = pairs
        about = f" of {key}={value:.15g}"
    for key, value in pairs:
        yield f"{key}{about}", group, key, np.array([value])


def _from_json(path: str, text: str) -> Iterator[_Entry]:
    """Yield the quantities of a trace file."""
    try:
        trace = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is malformed JSON: {error}") from None
    if trace.get("format") != FORMAT:
        raise InputError(f"{path}: is JSON but no trace: its format is {trace.get('format')!r}, not {FORMAT!r}")
    try:
        for name, value in trace["quantities"].items():
            yield name, _QUANTITIES, name, _array(value)
        for group, part in (("PHI", "phi_steps"), ("SOURCE", "sources"), ("LAYER", "layers")):
            for entry in trace[part]:
                yield from _of_line(group, [(key, _number(value)) for key, value in entry.items()])
        if trace["water_photons"]:
            yield from _of_line("WATER", [("photons", float(trace["water_photons"]))])
        yield from _samples(trace)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(f"{path}: is malformed: not what a trace file holds ({error!r})") from None


def _samples(trace: dict[str, Any]) -> Iterator[_Entry]:
    """Yield the orientations, and every quantity of every sub-pixel, ray and sample."""
    group = "samples"
    yield "orientations", group, "orientations", _array(trace["orientations"])
    for place in trace["sub_pixels"]:
        at = f"layer={place['layer']} sub_slow={place['sub_slow']} sub_fast={place['sub_fast']}"
        for key, value in place.items():
            if key not in ("layer", "sub_slow", "sub_fast", "rays"):
                yield f"{key} of {at}", group, key, _array(value)
        for ray in place["rays"]:
            seen = f"{at} source={ray['source']}"
            flat = {key: value for key, value in ray.items() if key not in ("source", "in_use", "samples")}
            flat |= {f"{key} in use": value for key, value in ray["in_use"].items()}
            for key, value in (flat | ray["samples"]).items():
                yield f"{key} of {seen}", group, key, _array(value)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _array(value: Any) -> NDArray[np.float64]:
    """Return any nesting of numbers, truths and nulls as flat numbers."""
    return np.asarray(value, dtype=np.float64).ravel()
