"""What a rotation series is to be: a TOML file as of a batch, with a table [series] or several of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError, called
from ..parameters.command import CommandLine
from ..parameters.given import BIGGEST, SMALLEST
from . import toml_file as document
from .distributions import KEYS, Distribution
from .names import FORMATS, Series
from .spec import VARYING, refuse_misplaced, spec_of, top_values
from .spec_model import Spec
from .spec_schema import MAX_COUNT, MAX_SEED, Common
from .toml_file import Document, Where, shown

_DTYPES = {"h5": "int32", "cbf": "int32", "img": "uint16"}
_ALLOWED = {"h5": ("int32", "uint16", "float32"), "cbf": ("int32",), "img": ("uint16",)}
_IMAGES_PER_FILE = 100
_TOP = Common.__struct_fields__
_SCANNING = {"phi_deg": "phi0_deg", "osc_deg": "osc_deg"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}", re.ASCII)

_SWEEP = ("phi0_deg", "osc_deg", "images", "format", "name", "options", "seed", "vary")


@dataclass(frozen=True, eq=False)
class Sweep:
    """One rotation of a series.

    Attributes
    ----------
    spec : Spec
    command : CommandLine
    folder : str
        Of its files, in that of the series; empty: the same.
    """

    spec: Spec
    command: CommandLine
    folder: str


def read_series(path: str) -> list[Sweep]:
    """Read the SPEC of a series.

    Raises
    ------
    InputError
        For any mistake, naming the key and what is allowed.
    FileError
        For a file that cannot be read.
    """
    found = document.read(path)
    below = dict.fromkeys(VARYING, "below the line [vary]") | dict.fromkeys(_SWEEP[:-2], "below the line [series]")
    found.refuse_unknown(found.content, [*_TOP, "series", "vary"], elsewhere=below)
    if "series" not in found.content:
        raise InputError(f"{path}: series is missing; it takes a line [series], and below it osc_deg and images")
    typed = found.content["series"]
    several = isinstance(typed, list)
    tables = typed if several else [typed]
    if not tables or not all(isinstance(table, dict) for table in tables):
        raise found.error(
            ("series",), f"{shown(typed)}; it is a table: a line [series], or [[series]] for each of several"
        )
    sweeps = [_sweep(found, table, number, several) for number, table in enumerate(tables)]
    for number, sweep in enumerate(sweeps):
        if sweep.folder in [other.folder for other in sweeps[:number]]:
            raise found.error(("series", "name"), f"{sweep.folder} names two sweeps; each needs a name of its own")
    return sweeps


def _sweep(found: Document, table: Mapping[str, Any], number: int, several: bool) -> Sweep:
    """Work out one rotation."""
    where: Where = ("series", str(number + 1)) if several else ("series",)
    found.refuse_unknown(
        table,
        _SWEEP,
        where,
        elsewhere={
            **dict.fromkeys(_TOP, "above the line [series]"),
            **dict.fromkeys(VARYING, "below the line [vary]"),
        },
    )
    start = _number(found, table, (*where, "phi0_deg"), 0.0)
    width = _number(found, table, (*where, "osc_deg"), None)
    if width == 0.0:
        raise found.error((*where, "osc_deg"), "0; allowed: a number other than 0")
    images = _whole(found, table, (*where, "images"), None, 1, MAX_COUNT)
    form = table.get("format", "h5")
    if form not in FORMATS:
        raise found.error((*where, "format"), f"{shown(form)}; allowed: {', '.join(FORMATS)}")
    stem = table.get("name", f"sweep_{number + 1:02d}" if several else "series")
    if not isinstance(stem, str) or not _NAME.fullmatch(stem):
        raise found.error((*where, "name"), f"{shown(stem)}; allowed: a name of letters, digits, _ - and .")
    merged = _merged(found, table, where)
    values = top_values(merged, Common) | {"count": images}
    values["command"] = f"{values['command']} {_options(found, table, where)}"
    values["seed"] = _whole(found, table, (*where, "seed"), min(values["seed"] + number, MAX_SEED), 0, MAX_SEED)
    if "images_per_file" not in found.content:
        values["images_per_file"] = _IMAGES_PER_FILE
    if "dtype" not in found.content:
        values["dtype"] = _DTYPES[form]
    elif values["dtype"] not in _ALLOWED[form]:
        allowed = ", ".join(_ALLOWED[form])
        raise found.error(("dtype",), f"{values['dtype']} does not go with format {form}; allowed: {allowed}")
    if width < 0.0 and values["semantics"] == "c":
        raise found.error((*where, "osc_deg"), f"{width:g}: with semantics c a negative range counts as not given")
    scan = {"phi_deg": Distribution("linear", (start, width)), "osc_deg": Distribution("fixed", (width,))}
    spec, command = spec_of(merged, values, Series(stem, form), scan)
    _refuse_own_rotation(found, spec, command)
    if form != "h5" and len(command.settings.detector.panels) > 1:
        raise found.error((*where, "format"), f"{form}: holds one panel, the detector has several; allowed: h5")
    return Sweep(spec, command, stem if several else "")


def _merged(found: Document, table: Mapping[str, Any], where: Where) -> Document:
    """Return the document with what varies in one rotation."""
    own = table.get("vary", {})
    common = found.content.get("vary", {})
    for place, some in ((("vary",), common), ((*where, "vary"), own)):
        if not isinstance(some, dict):
            raise found.error(place, f"{shown(some)}; it is a table: a line [vary], and below it keys and values")
        refuse_misplaced(found, some, place)
        for key, instead in _SCANNING.items():
            if key in some:
                raise found.error((*place, key), f"cannot stand here; the key {instead} of [series] takes its place")
        if "orientation" in some:
            raise found.error((*place, "orientation"), "cannot stand here: all images of a rotation show one crystal")
    return dataclasses.replace(found, content={**found.content, "vary": {**common, **own}})


def _options(found: Document, table: Mapping[str, Any], where: Where) -> str:
    """Return what one rotation adds to the command."""
    words = table.get("options", "")
    if not isinstance(words, str):
        raise found.error((*where, "options"), f"{shown(words)}; allowed: options of nbnumba, in quotes")
    return words


def _refuse_own_rotation(found: Document, spec: Spec, command: CommandLine) -> None:
    """Refuse what the scan decides."""
    for key, instead in _SCANNING.items():
        if command.gives(key):
            raise found.error(
                ("command",), f"{called(key)} cannot stand here; the key {instead} of [series] takes its place"
            )
        if key in spec.columns:
            raise found.error(("vary", "csv"), f"{spec.csv_file}: has a column {key}, which [series] decides")
    if spec.random_orientation:
        raise found.error(
            ("command",),
            f"{called('misset_deg')} random needs {called('misset_seed')} N here: all images of a rotation show one "
            "crystal",
        )


def _number(found: Document, table: Mapping[str, Any], where: Where, default: float | None) -> float:
    """Return an angle."""
    value = table.get(where[-1], default)
    if value is None:
        raise InputError(f"{found.name}: {where[-1]} is missing below [series]; it takes a number of degrees")
    if isinstance(value, bool) or not isinstance(value, int | float) or not KEYS["phi_deg"].takes(float(value)):
        raise found.error(where, f"{shown(value)}; allowed: a number from {SMALLEST:g} to {BIGGEST:g} [deg]")
    if abs(value) > 1e6:
        raise found.error(where, f"{shown(value)}; allowed: at most a million degrees")
    return float(value)


def _whole(found: Document, table: Mapping[str, Any], where: Where, default: int | None, low: int, high: int) -> int:
    """Return a whole number."""
    value = table.get(where[-1], default)
    if value is None:
        raise InputError(f"{found.name}: {where[-1]} is missing below [series]; it takes a whole number from {low} on")
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise found.error(where, f"{shown(value)}; allowed: a whole number from {low} to {high}")
    return value
