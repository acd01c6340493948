"""Telling options, values and loose words apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbnumba.errors import InputError
from nbnumba.parameters.table import NANOBRAGG
from nbnumba.parameters.tokens import Use, number, split, whole_number
from nbnumba.util.text import quote


def use(key: str) -> Use:
    option = NANOBRAGG.find(key)
    assert option is not None
    return Use(key, option, ())


def shapes(line: str) -> list[tuple[str, ...]]:
    return [(item.word, *item.values) for item in split(line.split(), NANOBRAGG)[0]]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-misset -10 20 -30 -N 5", [("-misset", "-10", "20", "-30"), ("-N", "5")]),
        ("-misset random -N 5", [("-misset", "random"), ("-N", "5")]),
        ("-cell 1 2 3 4 5 6", [("-cell", "1", "2", "3", "4", "5", "6")]),
        ("-cell 1 2 -N 5", [("-cell", "1", "2"), ("-N", "5")]),
        ("-phi -1e-3 -osc +.5", [("-phi", "-1e-3"), ("-osc", "+.5")]),
        ("-hkl -5 -mat -x", [("-hkl", "-5"), ("-mat", "-x")]),
        ("-pivot beam -nopolar -xds", [("-pivot", "beam"), ("-nopolar",), ("-xds",)]),
        ("-coherent -hdiv -vdiv 3", [("-coherent",), ("-hdiv",), ("-vdiv", "3")]),
    ],
)
def test_values_stay_with_their_option(line: str, expected: list[tuple[str, ...]]) -> None:
    assert shapes(line) == expected


def test_loose_words_remember_what_stood_before() -> None:
    _, loose = split("a -nopolar b -N 5 c".split(), NANOBRAGG)
    assert [(item.word, item.after.word if item.after else None) for item in loose] == [
        ("a", None),
        ("b", "-nopolar"),
        ("c", "-N"),
    ]


@pytest.mark.parametrize("text", ["1", "-1", "+1", "1.", ".5", "1.5e3", "1E-3", "00012", "-0"])
def test_number(text: str) -> None:
    assert number(use("-phi"), text) == float(text)


@pytest.mark.parametrize("text", ["", " 1", "1 ", "0x10", "1e", "e5", ".", "-", "--1", "1d5", "infinity", "NaN", "1\n"])
def test_no_number(text: str) -> None:
    with pytest.raises(InputError, match="is not a number"):
        number(use("-phi"), text)


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("-5", -5), ("+5", 5), ("12.0", 12), ("12.", 12), ("007", 7)])
def test_whole_number(text: str, value: int) -> None:
    assert whole_number(use("-N"), text) == value


@pytest.mark.parametrize("text", ["", "12.7", "1e3", ".0", "0x10", "5 ", "1.0e0", "1_0"])
def test_no_whole_number(text: str) -> None:
    with pytest.raises(InputError, match="is not a whole number in plain digits"):
        whole_number(use("-N"), text)


@given(st.text(max_size=60))
def test_quoted_word_is_short_and_printable(text: str) -> None:
    shown = quote(text)
    assert shown.isprintable()
    assert shown.isascii()
    assert shown.endswith("...") == (len(text) > 40)


@given(st.lists(st.sampled_from(["-N", "-cell", "-misset", "-nopolar", "-mat", "5", "-5", "x", "random", "-"])))
def test_no_word_is_lost(words: list[str]) -> None:
    try:
        uses, loose = split(words, NANOBRAGG)
    except InputError:
        return
    kept = sum(1 + len(item.values) for item in uses) + len(loose)
    assert kept == len(words)


@pytest.mark.parametrize("dash", ["\u2010", "\u2013", "\u2014", "\u2212", "\ufe63", "\uff0d"])
@pytest.mark.parametrize("line", ["-N 5 {}lambda 1.5", "-nopgm {}lambda 1.5", "-misset 10 {}20 30", "{}{}N 5"])
def test_another_dash_is_never_ignored(line: str, dash: str) -> None:
    with pytest.raises(InputError, match=r"not the dash of the keyboard; type -(lambda|20|N)$") as error:
        split(line.format(dash, dash).split(), NANOBRAGG)
    assert str(error.value).isascii()


def test_a_file_may_begin_with_any_sign() -> None:
    assert shapes("-hkl \u2013a.txt") == [("-hkl", "\u2013a.txt")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-cell=50", "60", "70"], r"^'-cell=50': an option and its value are two words; type -cell 50$"),
        (["-misset=5", "10", "20", "30"], r"type -misset 5$"),
        (["--lambda=1"], r"type --lambda 1$"),
        (["-N", "5", "-hkl=a.hkl"], r"type -hkl a\.hkl$"),
        (["-lambda="], r"two words; type -lambda$"),
        (["-misset 10", "20", "30", "40"], r"holds a blank or another dash"),
        (["-misset\u00a010", "20", "30", "40"], r"holds a blank or another dash"),
        (["-no=x"], r"unknown option"),
    ],
)
def test_a_value_inside_of_the_name_is_an_error(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split(words, NANOBRAGG)
