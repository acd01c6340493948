"""Mistakes in the words of sub-commands: one style, whatever the version of Typer says."""

from __future__ import annotations

import pytest

from nbnumba import cli


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("batch", "batch: SPEC.toml|FOLDER is missing; batch --help tells more"),
        ("batch a b", "batch: 'b': nothing more is expected here; batch --help tells what is"),
        ("batch a --workers x", "batch: --workers: 'x' is not allowed; allowed: a whole number"),
        ("batch a -workers 1.5", "batch: -workers: '1.5' is not allowed; allowed: a whole number"),
        ("batch a --workers", "batch: --workers: needs a value"),
        ("batch a --dry-run=3", "batch: --dry-run: takes no value"),
        ("compare a b --detpixels 0", "compare: --detpixels: '0' is not allowed; allowed: numbers of at least 1"),
        ("compare a b -percentile 101", "compare: -percentile: '101' is not allowed; allowed: numbers up to 100"),
        ("compare a b -peaks 5001", "compare: -peaks: '5001' is not allowed; allowed: numbers up to 5000"),
        ("compare a b -radius -1", "compare: -radius: '-1' is not allowed; allowed: numbers of at least 0"),
        ("compare a b --detpixels=1.5", "compare: --detpixels: '1.5' is not allowed; allowed: a whole number"),
        ("compare a b --foo", "compare: --foo: unknown option; compare --help lists them all"),
        ("compare a b -o x", "compare: -o: unknown option; compare --help lists them all"),
        ("compare a b --outt=x", "compare: --outt: unknown option; did you mean --out?"),
        ("compare a b -detpixel 3", "compare: -detpixel: unknown option; did you mean --detpixels?"),
        ("compare-traces a b --tolerance x", "compare-traces: --tolerance: 'x' is not allowed; allowed: a number"),
        ("random-orientation", "random-orientation: --cell is missing; random-orientation --help tells more"),
        ("info x", "info: 'x': nothing more is expected here; info --help tells what is"),
    ],
)
def test_one_line_names_option_and_value(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words.split()) == 2
    assert capsys.readouterr().err == f"nbnumba: error: {message}\n"


@pytest.mark.parametrize("command", ["batch", "compare", "noise", "convert", "random-orientation", "compare-traces"])
def test_help_shows_names_that_may_be_typed_and_no_python(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: nbnumba {command} ")
    for foreign in ("<bool>", "<str>", "<list", "--o,", "--o "):
        assert foreign not in text
