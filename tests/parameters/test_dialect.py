"""Dialects of the command line over the same parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pytest

from nbnumba.errors import InputError
from nbnumba.parameters.dialect import Dialect
from nbnumba.parameters.parser import parse
from nbnumba.parameters.table import NANOBRAGG, PARAMETERS
from nbnumba.parameters.types import Option


def whole_words(options: Sequence[Option]) -> Callable[[str], Option | None]:
    """Find options by their whole names, with one dash or two."""
    names = {name: option for option in options for name in option.spellings}
    return lambda word: names.get(word[1:] if word.startswith("--") else word)


# Words that nanoBragg knows too, with another meaning: what programs of the same family do.
_TITLE = "Detector"
SMALL = Dialect(
    {
        _TITLE: [
            Option("-Xbeam", PARAMETERS["beam_center_fast_mm"], "MM"),
            Option("-adc", PARAMETERS["scale"], "X"),
            Option("-scale", PARAMETERS["distance_mm"], "D"),
            Option("-flat", PARAMETERS["curved"], value=False),
            Option("-name", dataclasses.replace(PARAMETERS["float_file"]), "FILE"),
        ]
    },
    whole_words,
    meant={"-ybeam": "-Xbeam"},
    defaults={"distance": 0.25, "pixel_size": 5e-5},
)


def test_a_word_means_what_its_dialect_says() -> None:
    words = ["-Xbeam", "5", "-adc", "3", "--name", "x.bin"]
    ours, theirs = parse(words, dialect=SMALL), parse(words[:4])
    assert ours.settings.detector.beam_fast == 5 / 1000
    assert ours.settings.detector.Xbeam is None
    assert (ours.output.scale, ours.output.adc) == (3.0, 40.0)
    assert ours.output.float_file == "x.bin"
    assert theirs.settings.detector.beam_fast is None
    assert theirs.settings.detector.Xbeam == 5 / 1000
    assert (theirs.output.scale, theirs.output.adc) == (None, 3.0)


def test_defaults_are_those_of_the_dialect() -> None:
    assert parse([], dialect=SMALL).settings == parse([]).settings.changed(distance=0.25, pixel_size=5e-5)
    assert parse(["-scale", "80"], dialect=SMALL).settings.detector.distance == 80 / 1000


def test_the_rule_that_finds_an_option_is_that_of_the_dialect() -> None:
    assert parse(["-Xbeamline", "5"]).settings.detector.Xbeam == 5 / 1000
    with pytest.raises(InputError, match=r"^-Xbeamline: unknown option; did you mean -Xbeam\?$"):
        parse(["-Xbeamline", "5"], dialect=SMALL)
    with pytest.raises(InputError, match=r"^-ybeam: unknown option; the right one is -Xbeam$"):
        parse(["-ybeam", "5"], dialect=SMALL)
    with pytest.raises(InputError, match=r"^-distance: unknown option"):
        parse(["-distance", "5"], dialect=SMALL)


def test_limits_are_those_of_the_parameter_and_messages_name_what_was_typed() -> None:
    with pytest.raises(InputError, match=r"^--scale: '0' is out of range; allowed: a number other than 0 \[mm\]"):
        parse(["--scale", "0"], dialect=SMALL)


def test_the_same_parameters_are_written_in_either_dialect() -> None:
    given = parse(["-Xbeam", "5", "-scale", "80", "-flat"], dialect=SMALL).given
    assert SMALL.words(given) == ("-Xbeam", "5", "-scale", "80", "-flat")
    assert NANOBRAGG.words(given) == ("-beam_center_fast", "5", "-distance", "80")
    assert (SMALL.label("distance_mm"), NANOBRAGG.label("distance_mm")) == ("-scale", "-distance")
    assert SMALL.label("phi_deg") == "phi_deg"
