"""Where the detector stands, and the notices about options that cannot hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nbnumba
from nbnumba.detector.placement import resolve_axes, resolve_detector
from nbnumba.errors import InputError
from nbnumba.parameters.parser import parse
from nbnumba.util.messages import notices_to

CORNER = "-semantics exact -detpixels 20 -pix0_vector 0.1 0.001 -0.001"


def notices(line: str) -> list[str]:
    settings = parse(line.split()).settings
    printed: list[str] = []
    with notices_to(printed.append):
        resolve_detector(settings, resolve_axes(settings))
    return printed


@pytest.mark.parametrize("words", ["", "-distance 100", "-close_distance 100"])
def test_a_distance_that_agrees_with_the_corner_is_no_news(words: str) -> None:
    assert notices(f"{CORNER} {words}") == []


def test_a_distance_that_the_corner_overrules() -> None:
    assert notices(f"{CORNER} -distance 90") == ["-pix0_vector puts the detector at 100 mm: -distance 90 is not used"]


def test_a_close_distance_that_the_corner_overrules() -> None:
    (printed,) = notices(f"{CORNER} -close_distance 90")
    assert printed == (
        "-pix0_vector puts the closest point of the detector's plane at 100 mm: a close distance of 90 is not used"
    )


def test_no_notice_where_the_corner_is_not_used() -> None:
    assert notices(f"{CORNER} -semantics c -close_distance 90") == []
    assert notices(f"{CORNER} -close_distance 90 -Xbeam 1 -pivot sample") == [
        "-pix0_vector is not used: the beam center given by other options wins"
    ]


def test_a_corner_at_the_sample() -> None:
    with pytest.raises(InputError, match=r"^-pix0_vector: with its corner at 0 0 0 mm the detector plane passes"):
        notices("-semantics exact -detpixels 20 -pix0_vector 0 0 0")


def test_a_header_without_distance(tmp_path: Path) -> None:
    image = tmp_path / "a.img"
    image.write_bytes(b"{\nHEADER_BYTES=512;\nSIZE1=2;\nSIZE2=2;\nTYPE=unsigned_short;\nDISTANCE=0;\n}\f".ljust(520))
    with pytest.raises(InputError, match=r"^-img .*a\.img: DISTANCE is 0; give -distance MM, other than 0$"):
        notices(f"-img {image}")
    assert notices(f"-img {image} -distance 50") == []


IMAGE_UNDER_A_LIMIT = """
import resource
from nbnumba.cli import main
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
raise SystemExit(main("-cell 40 -default_F 5 -N 1 -oversample 1 -detpixels 46000".split()))
"""


def test_an_image_larger_than_memory(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(nbnumba.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", IMAGE_UNDER_A_LIMIT], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "-detpixels, -detsize: 46000 x 46000 pixels need 8.46 GB of memory;" in done.stderr
    assert done.stderr.count("\n") == 1
