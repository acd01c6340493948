"""The one table of parameters, and nanoBragg's dialect of them."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..errors import call_parameters
from .anomalous import ANOMALOUS_FACTORS
from .detector import AXES, DETECTOR
from .dialect import Dialect, Row, inside_words
from .disorder import DISORDER
from .exposure import BEAM, SPREAD
from .factors import BACKGROUND, FACTORS
from .program import ENGINE, HELP, NO_EFFECT, NOISE, OUTPUT
from .readout import READOUT
from .sample import CRYSTAL
from .sampling import GONIOMETER, SAMPLING
from .sensor import SENSOR
from .types import Option, Parameter, Role

SUBJECTS: dict[str, tuple[Row, ...]] = {
    "Crystal": (*CRYSTAL, *DISORDER),
    "Structure factors": (*FACTORS, *ANOMALOUS_FACTORS),
    "Beam": BEAM,
    "Divergence and bandwidth": SPREAD,
    "Detector: size and place": DETECTOR,
    "Detector: pixels and sensor": SENSOR,
    "Conventions and axes": AXES,
    "Goniometer": GONIOMETER,
    "Sampling": SAMPLING,
    "Background": BACKGROUND,
    "Detector: readout": READOUT,
    "Output": OUTPUT,
    "Noise": NOISE,
    "Engine": ENGINE,
    "Help": HELP,
    "Accepted, without effect": NO_EFFECT,
}

NANOBRAGG = Dialect(
    SUBJECTS,
    inside_words,
    # In the help text of nanoBragg, and unknown to it.
    meant={
        "-detsize_x": "-detsize_f",
        "-detsize_y": "-detsize_s",
        "-xdet_vector": "-fdet_vector",
        "-ydet_vector": "-sdet_vector",
        "-zdet_vector": "-odet_vector",
    },
    longer={
        "-matrix",
        "-wavelength",
        "-mosaic_domains",
        "-mosaicity",
        "-mosaic_spread",
        "-sample_thickness",
        "-xtal_thickness",
        "-sample_height",
        "-xtal_height",
        "-height",
        "-sample_density",
        "-molecular_weight",
        "-molecules",
        "-detsize_fast",
        "-detsize_slow",
        "-detpixels_fast",
        "-detpixels_slow",
        "-detector_absorb",
        "-detector_absorption",
        "-curved_detector",
        "-round_divergence",
        "-square_divergence",
    },
    ignored=NO_EFFECT,
)

call_parameters(NANOBRAGG.label)


def _parameter(row: Row) -> Parameter:
    return row.parameter if isinstance(row, Option) else row


SUBJECT_OF: dict[str, str] = {_parameter(row).name: title for title, rows in SUBJECTS.items() for row in rows}
PARAMETERS: dict[str, Parameter] = {_parameter(row).name: _parameter(row) for rows in SUBJECTS.values() for row in rows}
# What parameters state of an image that is made from another file, where they do not say it themselves.
_STATED = {
    "Crystal": ("crystal",),
    "Detector: size and place": ("geometry",),
    "Conventions and axes": ("geometry",),
    "Goniometer": ("rotation",),
}
KEYWORDS: dict[str, Parameter] = {name: parameter for name, parameter in PARAMETERS.items() if parameter.keyword}
"""Parameters of Python and TOML, by name."""
VARYING: dict[str, Parameter] = {
    name: parameter for name, parameter in PARAMETERS.items() if parameter.varies is not None
}
"""Parameters that may vary in a batch."""
CHOSEN: dict[str, Parameter] = {name: parameter for name, parameter in PARAMETERS.items() if parameter.chosen}
"""Parameters whose file or word may be another one in every image of a batch."""
ORIENTING = frozenset(name for name, parameter in PARAMETERS.items() if parameter.orients)
"""Parameters that say which cell a crystal has, and how it lies."""
INPUT_FILES = tuple(parameter for parameter in PARAMETERS.values() if parameter.role is Role.INPUT)
FILES_INSIDE = tuple(parameter for parameter in PARAMETERS.values() if parameter.file_places is not None)
"""Texts of which a part names a file to be read."""
OUTPUT_FILES = tuple(parameter for parameter in PARAMETERS.values() if parameter.role is Role.OUTPUT)


def describes_crystal(parameter: Parameter) -> bool:
    """Tell whether a parameter may describe one of several crystals."""
    if parameter.of_crystal is not None:
        return parameter.of_crystal
    return SUBJECT_OF[parameter.name] == "Crystal"


def stated_by(parameter: Parameter) -> tuple[str, ...]:
    """Return what a parameter states of an image that is made from another file."""
    if parameter.states is not None:
        return parameter.states
    # Another dialect has parameters of its own.
    return _STATED.get(SUBJECT_OF.get(parameter.name, ""), ())


def same(key: str, name: str, help: str = "", *, whole: bool = False, **changes: Any) -> Option:
    """Return an option of another dialect for a parameter of the table.

    Parameters
    ----------
    key, help : str
        As of `Option`.
    name : str
        Of the parameter.
    whole : bool
        Whether the key counts only as a whole word.
    **changes
        Fields of the parameter that are others there, such as its range; and `names`, as of `Option`.
    """
    names = changes.pop("names", () if whole else None)
    if help:
        changes["help"] = help
    if "allowed" in changes:
        changes["strict"] = None
    parameter = dataclasses.replace(PARAMETERS[name], **changes)
    values = next((option.values for option in NANOBRAGG.by_parameter[name] if option.values), "")
    return Option(key, parameter, values, names=names, whole=(key,) if whole else ())


def like(key: str, name: str, help: str = "", *, whole: bool = False, **changes: Any) -> Option:
    """Return an option for a quantity of the table that means another thing in a dialect; it sets no field."""
    return same(key, name, help, whole=whole, fields=(), sets={}, **changes)
