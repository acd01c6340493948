"""Where the detector stands, and what the user hears of options that cannot hold."""

from __future__ import annotations

import pytest

from nbnumba.detector import resolve_axes, resolve_detector
from nbnumba.dialect import parse

CORNER = "-semantics exact -detpixels 20 -pix0_vector 0.1 0.001 -0.001"


def notices(line: str) -> list[str]:
    settings = parse(line.split()).settings
    told: list[str] = []
    resolve_detector(settings, resolve_axes(settings), told.append)
    return told


@pytest.mark.parametrize("words", ["", "-distance 100", "-close_distance 100"])
def test_a_distance_that_agrees_with_the_corner_is_no_news(words: str) -> None:
    assert notices(f"{CORNER} {words}") == []


def test_a_distance_that_the_corner_overrules() -> None:
    assert notices(f"{CORNER} -distance 90") == ["-pix0_vector puts the detector at 100 mm: -distance 90 is not used"]


def test_a_close_distance_that_the_corner_overrules() -> None:
    (told,) = notices(f"{CORNER} -close_distance 90")
    assert told == (
        "-pix0_vector puts the closest point of the detector's plane at 100 mm: a close distance of 90 is not used"
    )


def test_no_notice_where_the_corner_is_not_used() -> None:
    assert notices(f"{CORNER} -semantics c -close_distance 90") == []
    assert notices(f"{CORNER} -close_distance 90 -Xbeam 1 -pivot sample") == [
        "-pix0_vector is not used: the beam centre given by other options wins"
    ]
