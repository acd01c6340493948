"""The slow reference of the tests draws what the C program draws."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from random import Random

import goldens
import numpy as np
import pytest
import random_commands
from agreement import judge
from reference import reference_picture, samples_per_pixel
from reference.defects import C_PROGRAM
from requirements import requires

from nbnumba.parameters.choices import Semantics
from nbnumba.parameters.parser import parse

pytestmark = pytest.mark.differential

# Of larger pictures only a part is drawn: a second or less per case.
MOST_SAMPLES = 1_000_000


def _around_brightest(image: np.ndarray, pixels: int) -> np.ndarray:
    """Mark a square of about so many pixels around the brightest pixel of an image."""
    half = int(pixels**0.5) // 2
    marked = np.zeros(image.shape, bool)
    slow, fast = np.unravel_index(np.argmax(image), image.shape)
    marked[max(0, slow - half) : slow + half + 1, max(0, fast - half) : fast + half + 1] = True
    return marked


def _agrees(golden: goldens.Golden, image: np.ndarray, semantics: Semantics, folder: Path) -> None:
    settings = parse(golden.words).settings.changed(semantics=semantics)
    samples = samples_per_pixel(settings, folder)
    only = _around_brightest(image, MOST_SAMPLES // samples) if samples * image.size > MOST_SAMPLES else None
    picture = reference_picture(settings, folder, only=only)
    left_out = picture.incomparable if only is None else picture.incomparable | ~only
    verdict = judge(image, picture.image, left_out=left_out)
    assert verdict.passed, verdict.reason


@pytest.mark.parametrize("name", goldens.names())
def test_golden_case(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = goldens.load(name)
    goldens.copy_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    _agrees(golden, golden.float_image, Semantics.C, tmp_path)


@pytest.mark.parametrize("name", goldens.exact_names())
def test_corrected_golden_case(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = goldens.load(name)
    goldens.copy_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    _agrees(golden, golden.exact_image, Semantics.EXACT, tmp_path)


@requires("nanoBragg executable")
@pytest.mark.parametrize("seed", range(100))
def test_random_command_of_the_program(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = random_commands.random_command(Random(seed))
    random_commands.prepare_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    command = [os.environ["NANOBRAGG_BIN"], *words, "-floatfile", "picture.bin", "-nopgm", "-noprogress"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    picture = reference_picture(parse(words).settings, tmp_path, C_PROGRAM)
    golden = np.fromfile("picture.bin", "<f4").reshape(picture.image.shape)
    verdict = judge(golden, picture.image, left_out=picture.incomparable)
    assert verdict.passed, f"{verdict.reason}; {' '.join(words)}"
