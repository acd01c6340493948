"""The command lines of nonBragg and noisify, over the parameters of nanoBragg's."""

from __future__ import annotations

import pytest

from nbnumba.errors import InputError
from nbnumba.parameters.choices import Semantics
from nbnumba.parameters.dialect import Dialect
from nbnumba.parameters.noisify import NOISIFY
from nbnumba.parameters.nonbragg import NONBRAGG
from nbnumba.parameters.parser import parse
from nbnumba.parameters.settings import Settings
from nbnumba.parameters.table import PARAMETERS

OTHERS = {"nonBragg": NONBRAGG, "noisify": NOISIFY}


@pytest.mark.parametrize("dialect", OTHERS.values(), ids=list(OTHERS))
def test_every_spelling_finds_its_option(dialect: Dialect) -> None:
    for option in dialect.options:
        for spelling in option.spellings:
            if spelling in option.whole or any(name in spelling for name in option.anywhere):
                assert dialect.find(spelling) is option, spelling


@pytest.mark.parametrize("dialect", OTHERS.values(), ids=list(OTHERS))
def test_what_sets_a_field_has_the_unit_of_the_table(dialect: Dialect) -> None:
    shared = [option.parameter for option in dialect.options if option.parameter.fields]
    assert len(shared) > 10
    for parameter in shared:
        assert parameter.unit is PARAMETERS[parameter.name].unit


def test_options_of_one_name_mean_other_things() -> None:
    words = "-Xbeam 3 -scale 2 -gain 4".split()
    ours, theirs = parse(words), parse(words, dialect=NOISIFY)
    assert (ours.settings.detector.Xbeam, ours.output.scale, ours.settings.readout.gain) == (3e-3, 2.0, 4.0)
    assert (theirs.settings.detector.Xbeam, theirs.output.scale, theirs.settings.readout.gain) == (None, None, 1.0)
    assert theirs.typed() == {"Xbeam_mm": 3.0, "scale": 2.0, "gain": 4.0}
    assert parse(words[:2], dialect=NONBRAGG).settings.detector.Xbeam is None


def test_defaults_are_those_of_the_program() -> None:
    assert parse([], dialect=NOISIFY).settings.readout.calibration == 0.03
    assert parse([], dialect=NONBRAGG).settings.sampling.oversample == 1
    assert Settings().readout.calibration == 0.0
    assert parse(["-semantics", "exact"], dialect=NONBRAGG).settings.semantics is Semantics.EXACT


@pytest.mark.parametrize(
    ("dialect", "words", "message"),
    [
        (NONBRAGG, "-heigh 0", "-heigh: '0' is out of range; allowed: a number from 1e-12 to 1e12"),
        (NONBRAGG, "-detsize_x", "-detsize_x: needs a number from 1e-12 to 1e12 \\[mm\\], but the line ends"),
        (NOISIFY, "-detpixels_f 0", "-detpixels_f: '0' is out of range"),
        (NOISIFY, "-dump x", "-dump: unknown option"),
    ],
)
def test_mistakes_name_the_option_as_typed(dialect: Dialect, words: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        parse(words.split(), dialect=dialect)


def test_without_effect_is_a_notice() -> None:
    assert parse("-hdiv 3 -coherent".split(), dialect=NONBRAGG).notices == (
        "-hdiv has no effect, as in nonBragg",
        "-coherent has no effect, as in nonBragg",
    )
