"""The help text."""

from __future__ import annotations

from nbnumba.commandline import help as usage
from nbnumba.parameters.table import NANOBRAGG


def test_help_fits_a_terminal() -> None:
    lines = usage.help_text().splitlines()
    assert max(len(line) for line in lines) <= 80
    assert all(line == line.rstrip() for line in lines)


def test_help_shows_every_option_with_its_values() -> None:
    lines = usage.help_text().splitlines()
    for option in NANOBRAGG.options:
        exact = option.own or option.key in option.whole
        entry = f"  {option.key}{'*' if exact else ''} {option.values}".rstrip()
        assert [line for line in lines if line == entry or line.startswith(entry + " ")], option.key
        assert option.help or option.parameter.help, option.key


def test_help_shows_groups_units_and_defaults() -> None:
    text = usage.help_text()
    assert all(f"\n\n{group}\n" in text for group in NANOBRAGG.groups)
    assert "from the sample to the detector, along the beam [mm]" in text
    assert "-misset random" in text
    assert "nbnumba noise" in text
    assert "(default 100)" in text


def test_every_spelling_shown_works() -> None:
    for option in NANOBRAGG.options:
        for name in option.spellings:
            assert NANOBRAGG.find(name) is option, name
