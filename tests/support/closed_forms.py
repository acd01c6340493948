"""What the tests against closed forms share: constants, a fixture that renders, a comparison."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import goldens
import numpy as np
import pytest

from nbnumba import Experiment, simulate

R_E_SQUARED = 7.94079248018965e-30  # m²
AVOGADRO = 6.02214179e23

# Float32 pixels, and factors that differ in the last bits of float64.
ROUNDING = 1.2e-7

Render = Callable[..., np.ndarray]


@pytest.fixture
def render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Render:
    """Return a function that renders a command line, by default under `exact`, among copies of the golden inputs."""
    goldens.copy_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(line: str, semantics: str = "exact") -> np.ndarray:
        words = [*line.split(), "-nonoise", "-nodump", "-semantics", semantics, "-backend", "cpu"]
        return simulate(Experiment.from_command(words)).array

    return run


def assert_close(image: np.ndarray, expected: np.ndarray | float, tolerance: float = ROUNDING) -> None:
    expected = np.broadcast_to(expected, image.shape)
    assert np.max(np.abs(expected)) > 0.0
    worst = np.max(np.abs(image - expected) / np.abs(expected))
    assert worst <= tolerance, f"worst relative difference {worst:.3g}"
