"""What is made of the text of a file is kept as long as nothing that it depends on changes."""

from __future__ import annotations

import pytest

from nbnumba.errors import InputError, called, parameters_called
from nbnumba.io.contents import kept


@kept
def parse(text: str, path: str, size: float | None = None) -> list[str]:
    if "bad" in text:
        raise InputError(f"{called('matrix')} {path}: is bad")
    return [text, path, repr(size), called("matrix")]


def test_the_same_text_is_parsed_once() -> None:
    first = parse("a", "x")
    assert parse("a", "x") is first
    assert first[:3] == ["a", "x", "None"]


def test_another_text_or_argument_is_parsed() -> None:
    assert parse("b", "x")[0] == "b"
    assert parse("a", "y")[1] == "y"
    assert parse("a", "x", size=2.5)[2] == "2.5"
    assert parse("a", "x", 1.0)[2] == "1.0"


def test_messages_are_those_of_the_front_end() -> None:
    for call in (lambda name, value: name, lambda name, value: f"--{name}", lambda name, value: name.upper()):
        with parameters_called(call):
            assert parse("c", "x")[3] == call("matrix", None)


def test_an_error_is_raised_every_time() -> None:
    for _ in range(2):
        with pytest.raises(InputError, match="x: is bad"):
            parse("bad", "x")


def test_a_long_text_is_not_kept() -> None:
    text = "a" * (1 << 21)
    assert parse(text, "x") == parse(text, "x")
    assert parse(text, "x") is not parse(text, "x")
