"""Materials as words: where one ends, and where the name of its file is."""

from __future__ import annotations

import pytest

from nbnumba.background.words import file_places, materials


@pytest.mark.parametrize(
    ("text", "parts", "files"),
    [
        ("water:0.1", ["water:0.1"], []),
        ("water:0.1:1:18 air:2", ["water:0.1:1:18", "air:2"], []),
        ("icerings=0.01:3  ice=0.02:1", ["icerings=0.01:3", "ice=0.02:1"], []),
        ("a b/t.stol:0.1 air:2", ["a b/t.stol:0.1", "air:2"], ["a b/t.stol"]),
        ("t.stol:0.1:1:18 u=1.stol:2", ["t.stol:0.1:1:18", "u=1.stol:2"], ["t.stol", "u=1.stol"]),
        ("./water:0.1", ["./water:0.1"], ["./water"]),
        (r"C:\t.stol:1", [r"C:\t.stol:1"], [r"C:\t.stol"]),
        ("water", ["water"], []),
        ("", [], []),
    ],
)
def test_materials_and_their_files(text: str, parts: list[str], files: list[str]) -> None:
    assert materials(text) == parts
    assert [text[start:end] for start, end in file_places(text)] == files
