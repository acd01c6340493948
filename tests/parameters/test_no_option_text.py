"""Keywords, TOML files and batches fill the settings without a command line in between."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from requirements import ROOT

from nbnumba import Experiment, api
from nbnumba.batch import reference, sample, spec, spec_model
from nbnumba.parameters import parser, tokens
from nbnumba.parameters.dialect import Dialect
from nbnumba.parameters.table import NANOBRAGG

KEYWORDS: dict[str, Any] = {
    "cell": (40, 50, 60, 80, 85, 95),
    "default_F": 12.5,
    "N": (3, 4, 5),
    "shape": "gauss",
    "mosaic_spread_deg": 0.3,
    "mosaic_domains": 2,
    "energy_ev": 9000,
    "polarization": 0.5,
    "distance_mm": 80,
    "detpixels": (12, 14),
    "detector_rotation_deg": (1, 2, 3),
    "twotheta_deg": 4,
    "pivot": "beam",
    "attenuation_depth_um": 200,
    "thickness_um": 300,
    "phi_deg": 10,
    "interpolate": False,
}


@pytest.fixture
def _no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **keywords: object) -> None:
        raise AssertionError(f"a command line is read: {args}")

    for module in (api, parser, tokens, spec):
        for name in ("parse", "split", "number", "whole_number"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(NANOBRAGG, "find", refuse)


@pytest.fixture
def _no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be written as a command line either."""
    monkeypatch.setattr(Dialect, "words", lambda self, given: ())


def arrays(experiment: Experiment) -> Iterator[np.ndarray]:
    panel = experiment.detector.panels[0]
    yield from (panel.origin, panel.fast, experiment.crystal.real_space, experiment.crystal.mosaic_rotations)
    yield np.array([experiment.beam.wavelength, experiment.goniometer.phi, experiment.detector.panels[0].n_slow])


@pytest.mark.usefixtures("_no_parser", "_no_words")
def test_keywords_and_toml_without_a_parser(tmp_path: Path) -> None:
    experiment = Experiment(**KEYWORDS)
    assert experiment.command == ()
    assert experiment.crystal.cells == (3, 4, 5)
    assert experiment.beam.wavelength == pytest.approx(12398.42e-10 / 9000, rel=1e-15)  # one rounding
    nearer = experiment.replace(distance_mm=40, convention="xds")
    assert nearer.detector.panels[0].distance != experiment.detector.panels[0].distance
    path = tmp_path / "e.toml"
    path.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in KEYWORDS.items()))
    for one, other in zip(arrays(experiment), arrays(Experiment.from_file(path)), strict=True):
        np.testing.assert_array_equal(one, other)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)


@pytest.fixture
def base(tmp_path: Path) -> tuple[spec_model.Spec, reference.Base]:
    path = tmp_path / "s.toml"
    path.write_text(
        'command = "-cell 40 50 60 -default_F 12 -N 5 -lambda 1 -distance 90 -detpixels 12 -xds -mosaic 0.2"\n'
        "count = 3\nseed = 2\n[vary]\norientation = 'random'\nenergy_ev = { normal = [9000, 10] }\n"
        "distance_mm = { uniform = [80, 90] }\nNa = { integers = [3, 9] }\nfluence = { lognormal = [24, 0.2] }\n"
        "cell_jitter_percent = 1\nmosaic_spread_deg = { uniform = [0.1, 0.5] }\nbeam_center_fast_mm = 0.6\n"
    )
    found, _ = spec.read_spec(str(path))
    return found, reference.make_base(found)


@pytest.mark.usefixtures("base")
def test_images_of_a_batch_without_a_parser(
    base: tuple[spec_model.Spec, reference.Base], request: pytest.FixtureRequest
) -> None:
    found, start = base  # whose command is read, once
    for name in ("_no_parser", "_no_words"):
        request.getfixturevalue(name)
    seen = set()
    for image in range(3):
        drawn = sample.draw(found, start, image)
        experiment = sample.image_experiment(start, drawn)
        assert experiment.crystal.cells[0] == drawn.values["Na"]
        assert experiment.beam.fluence == drawn.values["fluence"]
        seen.add((experiment.beam.wavelength, experiment.detector.panels[0].distance))
    assert len(seen) == 3


def test_names_of_options_stand_in_the_front_ends_alone() -> None:
    # Sub-commands with options of their own, files whose text is a command line, and C's names in printed files.
    own = {
        *(
            "cli.py",
            "batch/command.py",
            "batch/spec.py",
            "batch/spec_checks.py",
            "compare",
            "view",
            "imagefiles",
            "io",
            "render",
            "trace",
            "kernels",
        ),
        *("crystal/orientation.py", "example"),
    }
    keys = "|".join(sorted((re.escape(option.key) for option in NANOBRAGG.options), key=len, reverse=True))
    found = []
    for path in sorted((ROOT / "nbnumba").rglob("*.py")):
        place = path.relative_to(ROOT / "nbnumba").as_posix()
        if place.split("/")[0] in {"parameters", "commandline", *own} or place in own:
            continue
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                text = token.string
                if (
                    token.type == tokenize.STRING
                    and not text.startswith('"""')
                    and re.search(rf"[\"' ](?:{keys})\b", text)
                ):
                    found.append(f"{place}:{token.start[0]}: {text}")
    assert found == []


def test_a_parameter_of_an_error_is_known() -> None:
    with pytest.raises(api.InputError) as caught:
        Experiment(**{**KEYWORDS, "beam_vector": (0, 0, 0)})
    assert caught.value.parameter == "beam_vector"
    assert str(caught.value) == "beam_vector: 0 0 0 has no direction; the vector must not be zero"
    with pytest.raises(api.InputError, match=r"^-beam_vector: 0 0 0 has no direction"):
        Experiment.from_command("-cell 40 -default_F 1 -beam_vector 0 0 0")
