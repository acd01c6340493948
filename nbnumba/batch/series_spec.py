"""What a rotation series is to be: a TOML file as of a batch, with a table [series] or several of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError, called
from ..io.validated import converted_table
from ..parameters.command import CommandLine
from ..parameters.given import SMALLEST
from . import toml_file as document
from .distributions import KEYS, Distribution
from .names import DTYPES, Series
from .spec import VARYING, refuse_misplaced, spec_of, top_values
from .spec_model import Spec
from .spec_schema import MAX_SEED, Common, Rotation
from .toml_file import Document, Where, shown

_ALLOWED = {"h5": ("int32", "uint16", "float32"), "cbf": ("int32", "float32"), "img": ("uint16", "float32")}
_IMAGES_PER_FILE, _IN_FILES_OF_THEIR_OWN = 100, 25
_TOP = Common.__struct_fields__
_SCANNING = {"phi_deg": "phi0_deg", "osc_deg": "osc_deg"}
_SWEEP = (*Rotation.__struct_fields__, "vary")


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

    def fault(key: str, allowed: str) -> InputError:
        if key not in table:
            return InputError(f"{found.name}: {key} is missing below [series]; it takes {allowed}")
        return found.error((*where, key), f"{shown(table[key])}; allowed: {allowed}")

    said = converted_table(table, Rotation, fault)
    start, width, form = said.phi0_deg, said.osc_deg, said.format
    for key, angle in (("phi0_deg", start), ("osc_deg", width)):
        if not KEYS["phi_deg"].takes(angle):
            raise found.error(
                (*where, key), f"{shown(table[key])}; allowed: 0, or at least {SMALLEST:g} degrees either way"
            )
    if width == 0.0:
        raise found.error((*where, "osc_deg"), "0; allowed: a number other than 0")
    stem = said.name or (f"sweep_{number + 1:02d}" if several else "series")
    merged = _merged(found, table, where)
    values = top_values(merged, Common) | {"count": said.images}
    values["command"] = f"{values['command']} {said.options}"
    values["seed"] = min(values["seed"] + number, MAX_SEED) if said.seed is None else said.seed
    if "images_per_file" not in found.content:
        values["images_per_file"] = _IMAGES_PER_FILE if form == "h5" else _IN_FILES_OF_THEIR_OWN
    if "dtype" not in found.content:
        values["dtype"] = DTYPES[form]
    elif values["dtype"] not in _ALLOWED[form]:
        allowed = ", ".join(_ALLOWED[form])
        raise found.error(("dtype",), f"{values['dtype']} does not go with format {form}; allowed: {allowed}")
    photons = form != "h5" and values["dtype"] == "float32"
    if photons and values["noise"]:
        raise found.error(
            ("dtype",),
            f"float32: a file of format {form} holds whole numbers; it goes with noise = false, for noise later",
        )
    if width < 0.0 and values["semantics"] == "c":
        raise found.error((*where, "osc_deg"), f"{width:g}: with semantics c a negative range counts as not given")
    scan = {"phi_deg": Distribution("linear", (start, width)), "osc_deg": Distribution("fixed", (width,))}
    spec, command = spec_of(merged, values, Series(stem, form, photons), scan)
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
