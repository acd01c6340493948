"""The engine draws what the slow reference of the tests draws, for random command lines."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import random_commands
from agreement import judge
from reference import reference_picture

from nbnumba import Experiment, simulate
from nbnumba.parameters.parser import parse

pytestmark = pytest.mark.differential

# The first sixty, and those that found something: a pixel whose center is on the direct beam, where the amplitude of
# an ellipsoidal crystal is 1 or 0 by the last bit of the pixel's place.
SEEDS = (*range(60), 5075, 5391, 5489, 5543, 5896)


@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize("seed", SEEDS)
def test_random_command(seed: int, semantics: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [*random_commands.random_command(Random(seed)), "-semantics", semantics, "-backend", "cpu"]
    random_commands.prepare_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    expected = reference_picture(parse(words).settings, tmp_path)
    ours = simulate(Experiment.from_command(words, tmp_path)).array
    verdict = judge(expected.image, ours, left_out=expected.incomparable)
    assert verdict.passed, f"{verdict.reason}; {' '.join(words)}"
