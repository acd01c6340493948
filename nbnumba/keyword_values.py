"""Keywords of an experiment as parameters with values; no command line has a part in it."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from typing import Any

from .errors import Call, InputError
from .parameters.given import Given
from .parameters.table import KEYWORDS, NANOBRAGG, PARAMETERS
from .parameters.types import Kind
from .parameters.values import array_of_numbers, given_by, plain, shown, text_of, three_by_three
from .util.text import nearest

_WHOLE = {part: name for name, parameter in KEYWORDS.items() for part in parameter.parts}
_UNITS = frozenset(
    name.rpartition("_")[2] for name, parameter in KEYWORDS.items() if "_" in name and parameter.unit.symbol
)
_RENDERING = dict.fromkeys(("backend", "threads", "precision", "device"), "simulate and Renderer take")
_SAVING = dict.fromkeys(("dtype", "noise_seed", "noise_rng", "adc", "scale"), "Image.save takes")
# What other functions take.
_ELSEWHERE = _RENDERING | _SAVING | {"seed": "Image.with_noise takes", "pixels": "simulate takes"}
_TABLE = "a file name, or (n, 4), rows of h, k, l, F"

# A named convention comes first, since what moves the detector counts after it.
_ORDER = {name: place for place, name in enumerate(dict.fromkeys(["convention", *KEYWORDS]))}


GivenBy = dict[str, list[Given]]
"""Parameters with their values, by the keyword that gives them."""


def parameters_given(keywords: Mapping[str, Any], known: GivenBy | None = None) -> GivenBy:
    """Return the parameters that keywords give, in the order in which they count; an array of `hkl` is left out.

    Parameters
    ----------
    keywords : mapping
    known : dict, optional
        What some of them give with the same values; their values are not read again.

    Raises
    ------
    TypeError
        For an unknown keyword.
    InputError
        For a value of the wrong kind, or keywords that contradict each other.
    """
    given = {name: value for name, value in keywords.items() if value is not None}
    _check(given)
    found: GivenBy = {}
    for name in sorted(given, key=_ORDER.__getitem__):
        if name == "U_matrix":
            found[name] = [_of_U_matrix(given[name], given["cell"])]
        elif (name == "cell" and "U_matrix" in given) or (name == "hkl" and is_table(given[name])):
            continue
        elif known is not None and name in known:
            found[name] = known[name]
        elif name == "crystals":
            found[name] = _crystals(given[name])
        else:
            found[name] = given_by(KEYWORDS[name], given[name])
    return found


def copied(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords that no change of a list or an array outside reaches."""
    return {name: _copied(name, value) for name, value in keywords.items()}


def _copied(name: str, value: Any) -> Any:
    if name == "hkl" and is_table(value):
        return array_of_numbers("hkl", value, _TABLE)
    try:
        return list(value) if isinstance(value, Iterator) else copy.deepcopy(value)
    except TypeError:  # of what cannot be copied; no keyword takes it
        return value


def is_table(hkl: object) -> bool:
    """Tell whether reflections are given as an array rather than by the name of a file."""
    return hkl is not None and not isinstance(hkl, (str, bytes, os.PathLike))


def calling(given: Collection[str]) -> Call:
    """Return what tells the keyword of a parameter where these keywords were given."""

    return _call_of_U_matrix if "U_matrix" in given else _call


def _call(name: str, value: object) -> str:
    keyword = _WHOLE.get(name, name)
    return keyword if value is None else f"{keyword}={value!r}"


def _call_of_U_matrix(name: str, value: object) -> str:
    return "U_matrix" if name == "A_matrix" else _call(name, value)


def _check(given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in KEYWORDS:
            near = _nearest(name)
            hint = "" if near is None else f"; did you mean {near}?"
            if name in _ELSEWHERE:
                hint = f"; {_ELSEWHERE[name]} it"
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


def _nearest(name: str) -> str | None:
    """Return the keyword that is meant by the name of an option, by a name without its unit or by a slip; or None."""
    body = name.rpartition("_")[0] if name.rpartition("_")[2] in _UNITS else name
    for spelling in (f"-{name}", f"-{body}"):
        option = NANOBRAGG.by_key.get(spelling)
        if option is not None and option.parameter.name in KEYWORDS:
            return option.parameter.name
    longer = [keyword for keyword in KEYWORDS if keyword.startswith(f"{body}_")]
    return longer[0] if longer else nearest(name, KEYWORDS)


def _crystals(value: Any) -> list[Given]:
    """Return the crystals that are described apart, each by a file or by keywords."""
    value = plain(value)
    alone = isinstance(value, (str, os.PathLike, Mapping))
    if not alone and (isinstance(value, (bytes, Set)) or not isinstance(value, Iterable)):
        raise InputError(f"crystals: {shown(value)} is not allowed; allowed: files or mappings of keywords")
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
    for item in given_by(KEYWORDS["cell"], cell):
        apply(draft, item)
    lengths, angles = draft.get("cell_lengths_A"), draft.get("cell_angles")
    B = upright_reciprocal(*complete_cell(lengths, angles)).T
    values = tuple(float(number) for number in (U @ B).T.ravel())
    return Given(PARAMETERS["A_matrix"], values, tuple(map(repr, values)), "U_matrix", "U_matrix")
