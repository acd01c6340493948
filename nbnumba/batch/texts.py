"""Files and words that are chosen from image to image: structures, masks, spectra, shapes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..experiment.command_line import given_as
from ..parameters.given import Given, checked
from ..parameters.table import CHOSEN, NANOBRAGG, SUBJECT_OF
from ..parameters.types import Kind
from .distributions import BadValue, picked, weights_of
from .toml_file import shown

if TYPE_CHECKING:
    import numpy as np

STRUCTURE = "structure"
_MODELS = (".pdb", ".ent", ".pdb.gz", ".ent.gz")
TEXTS: tuple[str, ...] = (*CHOSEN, STRUCTURE)
"""Keys whose values are texts."""
FACTORS = {STRUCTURE, *(name for name in CHOSEN if SUBJECT_OF[name] == "Structure factors")}
"""Those that say what the structure factors are."""


@dataclass(frozen=True)
class Choice:
    """Texts of which every image takes one, with equal chances or by weights."""

    values: tuple[str, ...]
    weights: tuple[float, ...] = ()

    def draw(self, generator: np.random.Generator) -> str:
        """Draw the text of an image."""
        return str(picked(generator, self.values, self.weights)) if len(self.values) > 1 else self.values[0]

    def __str__(self) -> str:
        weights = f", weights = {list(self.weights)}" if self.weights else ""
        return f"{{ choice = {list(self.values)}{weights} }}"


def choice(key: str, value: Any) -> Choice:
    """Read the value of a key.

    Raises
    ------
    BadValue
        When the key takes no such value.
    """
    weights = None
    if isinstance(value, dict):
        value = dict(value)
        weights = value.pop("weights", None)
        if list(value) != ["choice"]:
            raise BadValue(f"{shown(value)} is not a way to draw; {_takes(key)}")
        value = value["choice"]
        if not isinstance(value, list) or not value:
            raise BadValue(f"choice = {shown(value)}; it takes [one, another, ...]")
    values = value if isinstance(value, list) else [value]
    if not values:
        raise BadValue(f"{shown(value)}; {_takes(key)}")
    for text in values:
        check(key, text)
    return Choice(tuple(values), () if weights is None else weights_of("choice", weights, len(values)))


def check(key: str, text: Any) -> None:
    """Refuse a text that a key does not take."""
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise BadValue(f"{shown(text)}; {_takes(key)}")
    parameter = parameter_of(key, text)
    if CHOSEN[parameter].kind is Kind.CHOICE and text not in CHOSEN[parameter].choices:
        raise BadValue(f"{shown(text)} is unknown; {_takes(key)}")
    checked(given_as(parameter, text), 0)


def _takes(key: str) -> str:
    what = "a text in quotes"
    if key == STRUCTURE:
        what = "a file of structure factors or, as .pdb or .ent, of a model, in quotes"
    elif CHOSEN[key].kind is Kind.FILE:
        what = "the name of a file, in quotes"
    elif CHOSEN[key].kind is Kind.CHOICE:
        what = ", ".join(f'"{word}"' for word in CHOSEN[key].choices)
    return f"allowed: {what}, or {{ choice = [one, another, ...] }}"


def parameter_of(key: str, text: str) -> str:
    """Return the name of the parameter that a text is given to."""
    if key != STRUCTURE:
        return key
    return "pdb" if text.lower().endswith(_MODELS) else "hkl"


def given_texts(texts: Mapping[str, str]) -> list[Given]:
    """Return the parameters that the texts of an image are given to."""
    return [given_as(parameter_of(key, text), text) for key, text in texts.items()]


def words_of(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the texts of an image as words of a command line."""
    return NANOBRAGG.words(given_texts(texts))


def files_of(texts: Mapping[str, str], folder: str) -> Iterator[str]:
    """Yield the files that texts name, by their paths."""
    for item in given_texts(texts):
        moved = item.inside(folder)
        if item.parameter.kind is Kind.FILE:
            yield from map(os.fspath, moved.texts)
        elif item.parameter.file_places is not None:
            for text in moved.texts:
                yield from (text[start:end] for start, end in item.parameter.file_places(text))
