"""Derivatives in a file, which says what they are derivatives of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nbnumba
from nbnumba.errors import FileError

OPTIONS = {"cell": (50, 60, 40, 90, 90, 90), "N": 8, "shape": "gauss", "distance_mm": 100, "detpixels": 16}


def test_the_file_states_its_experiment(tmp_path: Path) -> None:
    """From its command line and values the same derivatives come again."""
    experiment = nbnumba.Experiment(**OPTIONS, default_F=30, misset_deg=(10, 20, 30))
    renderer = nbnumba.Renderer("cpu", 1)
    parameters = experiment.parameters("misset", "N", "offset")
    values = parameters.values + 0.5 * parameters.scales
    linear = renderer.linearize(experiment, parameters, values)
    linear.save(tmp_path / "derivatives.npz")
    with np.load(tmp_path / "derivatives.npz") as file:
        content = dict(file)
    assert str(content["semantics"]) == "exact"
    assert str(content["version"]) == nbnumba.__version__
    assert tuple(content["names"]) == parameters.names
    assert tuple(content["units"]) == parameters.units
    np.testing.assert_array_equal(content["values_of_command"], parameters.values)
    again = nbnumba.Experiment.from_command(str(content["command"]))
    groups = ("misset", "N", "offset")
    repeated = renderer.linearize(again, again.parameters(*groups), content["values"])
    # Angles in degrees are not quite what they were in radians.
    largest = np.abs(content["derivatives"]).max(axis=(1, 2), keepdims=True)
    assert np.all(np.abs(repeated.jacobian() - content["derivatives"]) <= 1e-9 * largest)
    np.testing.assert_allclose(repeated.image, content["image"], rtol=1e-9)


def test_parts_in_memory_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    experiment = nbnumba.Experiment(**OPTIONS, hkl=np.array([[1, 0, 0, 10.0]]))
    nbnumba.Renderer("cpu", 1).linearize(experiment, ("scale",)).save(tmp_path / "derivatives.npz")
    assert "states no command line that draws it" in caplog.text
    with pytest.raises(FileError, match="absent"):
        nbnumba.Renderer("cpu", 1).linearize(experiment, ("scale",)).save(tmp_path / "absent" / "derivatives.npz")
