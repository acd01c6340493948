"""Crystals that are described apart, each in a file or a table of its own: several lattices in one image."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ..errors import InputError, called, parameters_called
from ..io.contents import content_of
from ..io.opening import label, read_text
from ..parameters.draft import Draft
from ..parameters.fill import apply
from ..parameters.given import moved
from ..parameters.settings import Settings
from ..parameters.table import KEYWORDS, describes_crystal
from ..parameters.types import Kind, Parameter
from ..parameters.values import given_by
from ..util.text import quote
from .required import has_crystal

KEYS = tuple(name for name, parameter in KEYWORDS.items() if describes_crystal(parameter))
"""What a crystal may be described by."""

_MOSAICITY = ("mosaic_spread_deg", "mosaic_sigmas_deg", "mosaic_file")
_NO_ENERGIES = {"anomalous": False, "anomalous_files": (), "anomalous_bins": None, "phase_column": None}
_NO_MOSAICITY = {"mosaic_spread": None, "mosaic_sigmas": (), "mosaic_file": None}


def settings_of_crystals(settings: Settings) -> list[Settings]:
    """Return the settings of every crystal; those that were given where no crystal is described apart.

    Raises
    ------
    InputError
        For a description that is malformed, incomplete, or contradicts the command's own crystal.
    FileError
        A file cannot be read.
    """
    entries = settings.crystal.crystals
    if not entries:
        return [settings]
    _check_contradictions(settings)
    bare = settings.changed(crystals=(), reciprocal_A=None)
    return [_with_description(bare, entry) for entry in entries]


def description(entry: str) -> tuple[dict[str, Any], str]:
    """Return what describes a crystal, by keywords, and the place that messages name.

    Parameters
    ----------
    entry : str
        A file, TOML of keywords or one of those that -mat takes; or the keywords themselves as JSON.
    """
    option = called("crystals")
    if entry.startswith("{"):
        try:
            found = json.loads(entry)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{option}: {quote(entry)} is malformed JSON: {error}") from None
        return dict(found), option
    place = label(option, entry)
    text = content_of(read_text, entry, option)
    if not entry.lower().endswith(".toml"):
        return {"matrix": entry}, place
    from ..io.toml_text import NoTOML, parse

    try:
        found = parse(text)
    except NoTOML as error:
        line = "" if error.line is None else f" (line {error.line})"
        raise InputError(f"{place}: {error}{line}") from None
    folder = os.path.dirname(entry)  # noqa: PTH120
    for key, value in found.items():
        if key not in KEYWORDS or not isinstance(value, str):
            continue
        if KEYWORDS[key].kind is Kind.FILE:
            found[key] = os.path.join(folder, value)  # noqa: PTH118
        elif (places := KEYWORDS[key].file_places) is not None:
            found[key] = moved(value, places(value), folder)
    return found, place


def files_of_crystals(settings: Settings) -> list[str]:
    """Return the files that the descriptions of crystals name to be read."""
    return [
        file
        for entry in settings.crystal.crystals
        for key, value in description(entry)[0].items()
        if key in KEYWORDS and isinstance(value, str)
        for file in _files_in(KEYWORDS[key], value)
    ]


def _files_in(parameter: Parameter, value: str) -> list[str]:
    """Return the files that a value names."""
    if parameter.file_places is not None:
        return [value[start:end] for start, end in parameter.file_places(value)]
    return [value] if parameter.kind is Kind.FILE else []


def written(found: Mapping[str, Any]) -> str:
    """Return keywords of a crystal as an entry."""
    return json.dumps(found)


def _check_contradictions(settings: Settings) -> None:
    crystal = settings.crystal
    given = {
        "matrix": crystal.matrix_file is not None,
        "cell": crystal.cell_given,
        # Of -expt it is the one that the file holds beside its detector.
        "A_matrix": crystal.reciprocal_A is not None and settings.detector.expt_file is None,
        "misset_deg": crystal.misset is not None or crystal.misset_random,
    }
    names = [called(name) for name, met in given.items() if met]
    if names and crystal.crystals_of_expt:
        raise InputError(
            f"{called('expt')}: {settings.detector.expt_file} holds {len(crystal.crystals)} lattices of one image, "
            f"which {', '.join(names)} cannot change; choose one with {called('expt_number')}"
        )
    if names:
        raise InputError(f"{called('crystals')}: describes the crystals, and contradicts {', '.join(names)}")


def _with_description(settings: Settings, entry: str) -> Settings:
    """Return the settings of one crystal: the command's, and what describes it."""
    found, place = description(entry)
    unknown = next((key for key in found if key not in KEYS), None)
    if unknown is not None:
        raise InputError(f"{place}: {quote(unknown)} says nothing of a crystal; allowed: {', '.join(KEYS)}")
    if found.get("misset_deg") == "random" and "misset_seed" not in found:
        raise InputError(f"{place}: misset_deg: random needs a misset_seed here")
    draft = Draft([])
    try:
        with parameters_called(lambda name, value: name):
            for key, value in found.items():
                for item in given_by(KEYWORDS[key], value):
                    apply(draft, item)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    fields = dict(draft.fields)
    if any(name in found for name in _MOSAICITY):  # in place of what the command says
        fields = _NO_MOSAICITY | fields
    if "N" in found and "crystal_size_mm" not in found:
        fields = dict.fromkeys(("sample_x", "sample_y", "sample_z"), 0.0) | fields
    if "hkl" in found or "pdb" in found:
        # Of atoms of its own the energies matter as the command says, of a list they do not.
        energies = {"phase_column": None} if "pdb" in found else _NO_ENERGIES
        fields = {"hkl_file": None, "pdb_file": None, "dump_file": None, "write_dump": False, **energies} | fields
    described = settings.changed(**fields)
    if not has_crystal(described):
        raise InputError(f"{place}: says nothing of the lattice; one of matrix, cell, A_matrix is needed")
    return described
