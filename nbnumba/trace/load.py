"""Traces of a pixel as they are read: text of either program, or JSON."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io.opening import opened
from .json_file import FORMAT
from .walk import UNITS

_LINE = re.compile(r"TRACE_(?:C|PY)(?:_(PASS|PHI|SOURCE|LAYER|NEIGHBOR|WATER)\b|:)(.*)")
_NAMED = re.compile(r"\s*([^\s=]+)(?:\s*=\s*|\s+|$)(.*)")
_BETWEEN_NUMBERS = re.compile(r"[\s,;\[\]()]+")
_MORE = ("PASS", "PHI", "SOURCE", "LAYER", "NEIGHBOR", "WATER")  # groups that make no trace alone
_QUANTITIES = ""  # group of the lines that every trace has
_PARTS = {"PASS": "passes", "PHI": "phi_steps", "SOURCE": "sources", "LAYER": "layers", "NEIGHBOR": "neighbors"}
_INDICES = ("hkl_frac", "hkl_rounded", "h_frac", "k_frac", "l_frac", *"hkl", "h0", "k0", "l0")
_INTENSITIES = ("I_before_scaling", "I_pixel_final", "photons", "water_photons", "term", "sum_after")


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
    """What stands under one name, and the kind of line that it stands in.

    Attributes
    ----------
    name, group : str
        Quantities of a group are compared where both traces have the group. A name that is none of `walk.UNITS` is a
        group of its own.
    measure : Measure
    numbers : (n,) float64
    text : str
        What stands there where it is not a number; empty else.
    """

    name: str
    group: str
    measure: Measure
    numbers: NDArray[np.float64]
    text: str = ""


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
        raise InputError(f"{path}: is not a trace: it is not text (byte {error.start})") from None
    found: dict[str, Quantity] = {}
    entries = _from_json(path, text) if text.lstrip().startswith("{") else _from_text(path, text)
    for name, group, key, value in entries:
        if isinstance(value, str):
            found[name] = Quantity(name, group, Measure.GEOMETRY, np.zeros(0), value)
            continue
        if value.size == 0:
            raise InputError(f"{path}: {name} holds no number")
        if name in found:
            raise InputError(f"{path}: {name} stands there twice; a file must hold one trace")
        found[name] = Quantity(name, group, _measure(key), value)
    if all(quantity.group in _MORE for quantity in found.values()):
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


_Entry = tuple[str, str, str, NDArray[np.float64] | str]  # full name, group, the name alone, numbers or text


def _from_text(path: str, text: str) -> Iterator[_Entry]:
    """Yield the quantities of the lines of a trace; other lines may stand between them."""
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.match(line.strip())
        if match is None:
            continue
        try:
            if match[1] is None:
                yield _of_name(match[2], seen)
                continue
            pairs = [(key, float(value)) for key, value in (word.split("=") for word in match[2].split())]
            yield from list(_of_line(match[1], pairs))
        except ValueError:
            raise InputError(f"{path}, line {number}: {line.strip()[:80]!a} is not a line of a trace") from None


def _of_name(words: str, seen: Counter[str]) -> _Entry:
    """Return the quantity of a line `name 1 2 3` or `name=1 2 3`.

    An instrumented program may print anything: text, matrices, names that are not quantities of nbnumba, any of them
    several times. From the second time on such a name has its number.
    """
    match = _NAMED.match(words)
    if match is None:
        raise ValueError(words)
    name, value = match[1], match[2].strip()
    if name in UNITS:
        numbers = np.array([float(word) for word in _words(value)])
        if numbers.size == 0:
            raise ValueError(words)
        return name, _QUANTITIES, name, numbers
    seen[name] += 1
    numbered = name if seen[name] == 1 else f"{name} ({seen[name]})"
    try:
        # Of "rotx:0.1 roty:0.2" the numbers.
        numbers = np.array([float(word.rpartition(":")[2]) for word in _words(value)])
    except ValueError:
        return numbered, numbered, name, value
    return numbered, numbered, name, numbers if numbers.size else value


def _words(value: str) -> list[str]:
    return [word for word in _BETWEEN_NUMBERS.split(value) if word]


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
    if not isinstance(trace, dict):
        raise InputError(f"{path}: is JSON but no trace: it holds no quantities")
    if trace.get("format") != FORMAT:
        raise InputError(f"{path}: is JSON but no trace: its format is {trace.get('format')!r}, not {FORMAT!r}")
    try:
        for name, value in trace["quantities"].items():
            yield name, _QUANTITIES, name, _array(value)
        for group, part in _PARTS.items():
            for entry in (
                trace.get(part, []) if group in ("NEIGHBOR", "PASS") else trace[part]
            ):  # older files lack these
                yield from _of_line(group, [(key, _number(value)) for key, value in entry.items()])
        if trace["water_photons"]:
            yield from _of_line("WATER", [("photons", float(trace["water_photons"]))])
        yield from _samples(trace)
        for number, further in enumerate(trace.get("further_passes", []), start=1):
            for name, group, key, value in _samples(further):
                yield f"{name} of pass={number}", group, key, value
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
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
