"""The help text."""

from __future__ import annotations

import pytest

from nbnumba.cli import main
from nbnumba.commandline import help as usage
from nbnumba.parameters.dialect import Dialect
from nbnumba.parameters.noisify import NOISIFY
from nbnumba.parameters.nonbragg import NONBRAGG
from nbnumba.parameters.table import NANOBRAGG

COMMANDS = pytest.mark.parametrize(
    ("words", "dialect"),
    [(["-help"], NANOBRAGG), (["noisify", "-help"], NOISIFY), (["nonbragg", "-seed", "1", "--help"], NONBRAGG)],
)


@COMMANDS
def test_help_fits_a_terminal(words: list[str], dialect: Dialect, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    lines = capfd.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert all(line == line.rstrip() for line in lines)


@COMMANDS
def test_help_shows_every_option_with_its_values(
    words: list[str], dialect: Dialect, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    lines = capfd.readouterr().out.splitlines()
    for option in dialect.options:
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
