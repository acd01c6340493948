"""Keywords of an experiment as parameters with values; no command line has a part in it."""

from __future__ import annotations

import copy
import difflib
import json
import math
import numbers
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .errors import Call, InputError
from .parameters.given import Given, Value
from .parameters.table import KEYWORDS, PARAMETERS
from .parameters.types import Kind, Parameter
from .util.text import NUMBER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NUMBER = re.compile(NUMBER, re.ASCII)
_WHOLE = {part: name for name, parameter in KEYWORDS.items() for part in parameter.parts}
_TABLE = "a file name, or (n, 4), rows of h, k, l, F"

_PLAIN = 1e300  # a number that is smaller is finite, an int too

# A named convention comes first, since what moves the detector counts after it.
_ORDER = {name: place for place, name in enumerate(dict.fromkeys(["convention", *KEYWORDS]))}


def parameters_given(keywords: Mapping[str, Any]) -> list[Given]:
    """Return the parameters that keywords give; an array of `hkl` is left out.

    Raises
    ------
    TypeError
        For an unknown keyword.
    InputError
        For a value of the wrong kind, or keywords that contradict each other.
    """
    given = {name: value for name, value in keywords.items() if value is not None}
    _check(given)
    found: list[Given] = []
    for name in sorted(given, key=_ORDER.__getitem__):
        if name == "crystals":
            found += _crystals(given[name])
        elif name == "U_matrix":
            found.append(_of_U_matrix(given[name], given["cell"]))
        elif not (name == "cell" and "U_matrix" in given) and not (name == "hkl" and is_table(given[name])):
            found += _given(KEYWORDS[name], given[name])
    return found


def copied(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords that no change of a list or an array outside reaches."""
    own = {
        name: list(value) if isinstance(value, Iterator) else copy.deepcopy(value)
        for name, value in keywords.items()
        if name != "hkl"
    }
    hkl = keywords.get("hkl")
    return {**own, "hkl": array_of_numbers("hkl", hkl, _TABLE) if is_table(hkl) else hkl}


def is_table(hkl: object) -> bool:
    """Tell whether reflections are given as an array rather than by the name of a file."""
    return hkl is not None and not isinstance(hkl, (str, bytes, os.PathLike))


def calling(given: Collection[str]) -> Call:
    """Return what tells the keyword of a parameter where these keywords were given."""

    def call(name: str, value: object) -> str:
        if name == "A_matrix" and "U_matrix" in given:
            return "U_matrix"
        keyword = _WHOLE.get(name, name)
        return keyword if value is None else f"{keyword}={value!r}"

    return call


def _check(given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in KEYWORDS:
            close = difflib.get_close_matches(name, KEYWORDS, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise TypeError(f"Experiment has no keyword {name!r}{hint}")
    for one in given:
        others = KEYWORDS[one].excludes
        if one == "hkl" and "phase_column" in given:  # then the model completes the list
            others = tuple(name for name in others if name != "pdb")
        other = next((name for name in others if name in given), None)
        if other is not None:
            raise InputError(f"{one}, {other}: give one of the two")
    if "U_matrix" in given and "cell" not in given:
        raise InputError("U_matrix: needs a cell as well")
    for name in ("hkl_column", "hkl_dmin_A"):
        if name in given and is_table(given.get("hkl")):
            raise InputError(f"{name}: goes with a file of reflections, and hkl is an array")


def _given(parameter: Parameter, value: Any) -> list[Given]:
    """Return what one keyword gives: a parameter, or a part of it for each of several values."""
    name = parameter.name
    if parameter.kind is Kind.SWITCH:
        value = plain(value)
        if not isinstance(value, bool):
            raise InputError(f"{name}: {value!r} is not allowed; allowed: True or False")
        return [Given(parameter, (value,), (str(value),), name, name)]
    if parameter.choices:
        if not isinstance(value, str) or value not in parameter.choices:
            raise InputError(f"{name}: {value!r} is unknown; allowed: {', '.join(parameter.choices)}")
        return [Given(parameter, (value,), (value,), name, name)]
    if name == "A_matrix":
        value = three_by_three(name, value).T.ravel()
    named = parameter.kind in (Kind.FILE, Kind.TEXT)
    values: list[Value] = [text_of(name, value)] if named else values_of(name, value)
    if len(values) not in parameter.counts or (name == "misset_deg" and (len(values) == 1) != isinstance(value, str)):
        raise InputError(f"{name}: {len(values)} values; allowed: {_counts(parameter)}")
    if name == "attenuation_depth_um" and values == ["inf"]:
        values = [math.inf]
    texts = tuple(value if isinstance(value, str) else repr(value) for value in values)
    if parameter.parts and len(values) > 1:
        parts = zip(parameter.parts, values, texts, strict=True)
        return [Given(PARAMETERS[part], (value,), (text,), name, name) for part, value, text in parts]
    return [Given(parameter, tuple(values), texts, name, name)]


def _crystals(value: Any) -> list[Given]:
    """Return the crystals that are described apart, each by a file or by keywords."""
    alone = isinstance(value, (str, os.PathLike, Mapping))
    if not alone and (isinstance(value, (bytes, Set)) or not isinstance(value, Iterable)):
        raise InputError(f"crystals: {value!r} is not allowed; allowed: files or mappings of keywords")
    texts = [_crystal(item) for item in ([value] if alone else value)]
    return [Given(PARAMETERS["crystals"], (text,), (text,), "crystals", "crystals") for text in texts]


def _crystal(item: Any) -> str:
    """Return a crystal as the word of a command line: a file name, or keywords as JSON with whole paths."""
    if not isinstance(item, Mapping):
        return text_of("crystals", item)
    plainly: dict[str, Any] = {}
    for key, value in item.items():
        named = isinstance(value, os.PathLike) or (
            isinstance(value, str) and key in KEYWORDS and KEYWORDS[key].kind is Kind.FILE
        )
        value = os.path.abspath(os.fspath(value)) if named else plain(value)  # noqa: PTH100
        plainly[str(key)] = value.tolist() if hasattr(value, "tolist") else value
    try:
        return json.dumps(plainly)
    except (TypeError, ValueError) as error:
        raise InputError(f"crystals: {error}; allowed: numbers, texts, and lists of them") from None


def _counts(parameter: Parameter) -> str:
    if parameter.name == "misset_deg":
        return '3, or "random"'
    counts = parameter.counts
    return f"{counts[0]} to {counts[-1]}" if len(counts) > 2 else " or ".join(map(str, counts))


def _of_U_matrix(value: Any, cell: Any) -> Given:
    """Return the reciprocal vectors that an orientation and a cell make."""
    import numpy as np

    from .crystal.lattice import complete_cell, upright_reciprocal
    from .parameters.draft import Draft
    from .parameters.fill import apply

    U = three_by_three("U_matrix", value)
    # Of six decimals, as people paste them; what follows takes the matrix as it is.
    if not (np.abs(U @ U.T - np.eye(3)).max() < 1e-5 and np.linalg.det(U) > 0.0):
        raise InputError("U_matrix: is not a rotation; its columns must be unit vectors at right angles, right-handed")
    # Checked as any cell is, before it is taken apart.
    draft = Draft([])
    for item in _given(KEYWORDS["cell"], cell):
        apply(draft, item)
    lengths, angles = draft.get("cell_lengths_A"), draft.get("cell_angles")
    B = upright_reciprocal(*complete_cell(lengths, angles)).T
    values = tuple(float(number) for number in (U @ B).T.ravel())
    return Given(PARAMETERS["A_matrix"], values, tuple(map(repr, values)), "U_matrix", "U_matrix")


def values_of(name: str, value: Any) -> list[Value]:
    """Return a value, or several, as plain numbers; a word that is not a number stays one."""
    value = plain(value)
    if isinstance(value, str):
        return [float(value) if _NUMBER.fullmatch(value) else value]
    if isinstance(value, (bytes, bytearray, Mapping, Set)):
        raise InputError(f"{name}: {value!r} is not allowed; allowed: a number, a name, or numbers in their order")
    items = list(value) if isinstance(value, Iterable) else [value]
    return [number_of(name, item) for item in items]


def number_of(name: str, value: Any) -> int | float:
    """Return Python's own number; raise InputError for anything else."""
    if type(value) in (int, float) and -_PLAIN < value < _PLAIN:  # nearly all; the checks below take longer
        return value  # type: ignore[no-any-return]
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, Decimal)):
        raise InputError(f"{name}: {value!r} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{name}: {number} is not a finite number")
    return int(value) if isinstance(value, numbers.Integral) else number


def plain(value: Any) -> Any:
    """Return Python's own number for a scalar or an array without axes, anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def text_of(name: str, value: Any) -> str:
    """Return the name of a file, or another text, as it is; raise InputError for anything else."""
    if isinstance(value, (str, os.PathLike)) and isinstance(text := os.fspath(value), str):
        return text
    raise InputError(f"{name}: {value!r} is not a name; allowed: str or a path")


def array_of_numbers(name: str, value: Any, allowed: str) -> NDArray[np.float64]:
    """Return a copy of an array of real numbers as float64, or raise InputError."""
    import numpy as np

    try:
        array = np.asarray(value)
        if array.dtype.kind in "iufO":
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"{name}: is not an array of numbers; allowed: {allowed}")


def three_by_three(name: str, value: Any) -> NDArray[np.float64]:
    """Return a copy of a matrix as float64, or raise InputError."""
    matrix = array_of_numbers(name, value, "(3, 3)")
    if matrix.shape != (3, 3):
        raise InputError(f"{name}: has the shape {matrix.shape}; allowed: (3, 3)")
    return matrix
