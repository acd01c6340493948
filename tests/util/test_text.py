"""Words of messages."""

from __future__ import annotations

import pytest

from nbnumba.util.text import counted, nearest


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("pixel",), "0 pixels"),
        (1, ("pixel",), "1 pixel"),
        (2, ("pixel",), "2 pixels"),
        (1, ("intensity", "intensities"), "1 intensity"),
        (3, ("intensity", "intensities"), "3 intensities"),
    ],
)
def test_what_is_counted(count: int, words: tuple[str, ...], text: str) -> None:
    assert counted(count, *words) == text


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("misset_sed", "misset_seed"),
        ("mosaic_ssed", "mosaic_seed"),
        ("noise_seed", None),
        ("distanc_mm", "distance_mm"),
        ("distancemm", "distance_mm"),
        ("nothing", None),
    ],
)
def test_a_name_that_comes_near(word: str, meant: str | None) -> None:
    assert nearest(word, ["misset_seed", "mosaic_seed", "distance_mm"]) == meant
