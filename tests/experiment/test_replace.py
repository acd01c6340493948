"""An experiment of which numbers are replaced is the experiment that is made of all its keywords at once."""

from __future__ import annotations

import itertools
import pickle
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_keywords import FILES, makers

from nbnumba import Experiment, FileError, InputError
from nbnumba.api import Origin
from nbnumba.parameters.table import KEYWORDS
from nbnumba.parameters.types import Kind
from nbnumba.util.digest import digest

PLAIN: dict[str, Any] = {"cell": (40, 50, 60, 90, 95, 90), "default_F": 50, "detpixels": 12, "pixel_mm": 1}
COMMON: dict[str, Any] = {
    **PLAIN,
    "N": (3, 4, 5),
    "mosaic_spread_deg": 0.3,
    "misset_deg": (10, 20, 30),
    "oversample": 2,
}
# Experiments in which all numbers have a meaning, some here, some there.
BASES: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "flux": {
        **{**PLAIN, "flux": 1e12, "exposure_s": 0.5, "beamsize_mm": 0.05, "crystal_size_mm": (0.02, 0.2, 0.03)},
        **{"misset_deg": "random", "misset_seed": 3, "oversample": 2},
    },
    "spindle": {
        **COMMON,
        "phi_deg": 10,
        "osc_deg": 1,
        "phisteps": 3,
        "fluence": 1e26,
        "twotheta_deg": 4,
        "water_um": 9,
    },
    "matrix": {"matrix": "A.mat", "hkl": "P1.hkl", "detpixels": 12, "pixel_mm": 1, "sources": "sources.txt"},
    "upright": {**COMMON, "U_matrix": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]], "misset_deg": None, "thickness_um": 300},
    "spots": {
        **{**COMMON, "shape": "gauss_abc", "Nd": 0.1, "Ne": 0.2, "Nf": -0.1, "spot_cutoff_photons": 1e-3},
        **{"spread": "continuous", "spectrum": "gauss:9000:30:3", "gauss_hdiv_mrad": 1, "gauss_divs": 9},
    },
    "spikes": {**COMMON, "spectrum": "sase:9000:50:5:9", "spectrum_seed": 5, "mosaic_model": "gauss"},
    "sigmas": {**COMMON, "mosaic_sigmas_deg": (0.1, 0.2, 0.3), "mosaic_model": "gauss", "mosaic_spread_deg": None},
    "readout": {
        **{**COMMON, "psf": "gauss", "psf_fwhm_um": 900, "gain": 2, "dead_time_ns": 100, "saturation": 5000},
        **{"amorphous": "water:0.5", "dead_pixels": 2, "hot_pixels": 3, "calibration": 0.02, "beamstop_mm": 1},
    },
    "crystals": {
        **{"crystals": [{"cell": (40, 50, 60), "N": 3}, {"cell": (70, 80, 90), "misset_deg": (1, 2, 3)}]},
        **{"default_F": 20, "detpixels": 12, "pixel_mm": 1, "mosaic_spread_deg": 0.3},
    },
}
# No two values that differ, or of a file that these experiments do not have.
ELSEWHERE = {"panel", "expt_number", "spectrum_shot", "anomalous_bins", "hkl_dmin_A"}
NUMERIC = {
    name
    for name, parameter in KEYWORDS.items()
    if parameter.kind in {Kind.NUMBER, Kind.WHOLE} or name in {"cell", "misset_deg", "A_matrix", "U_matrix"}
} - ELSEWHERE
NUMERIC |= {"mosaic_sigmas_deg", "diffuse_gamma_A", "diffuse_sigma_A", "lattice_spread_percent"}


def values(rng: random.Random) -> dict[str, Any]:
    """Return a random value of every number."""
    made = {name: make() for name, make in makers(rng, Path()).items() if name in NUMERIC}
    whole = {"psf_radius": (8, 12), "spectrum_seed": (1, 99), "gauss_divs": (1, 9), "diffuse_stencil": (0, 1)}
    whole |= {"calib_seed": (1, 99), "badpix_seed": (1, 99), "dead_pixels": (0, 3), "hot_pixels": (0, 3)}
    whole |= {"saturation": (100, 65535)}
    high = {"Nd": 0.2, "Ne": 0.2, "Nf": 0.2, "spectrum_shift_ev": 20, "gauss_hdiv_mrad": 2, "gauss_vdiv_mrad": 2}
    high |= {"beam_tilt_fast_mrad": 5, "beam_tilt_slow_mrad": 5, "spot_cutoff_photons": 0.1, "beamstop_mm": 3}
    high |= {"water_layer_mm": 3, "air_layer_mm": 30, "ice_layer_mm": 1, "flicker": 0.1, "calibration": 0.1}
    high |= {"flicker_pixels": 0.1, "dead_time_ns": 200, "rate_limit": 1e7, "gain": 3, "dark_current": 9}
    high |= {"readout_noise": 5}
    more = {name: rng.randint(*ends) for name, ends in whole.items()}
    more |= {name: rng.uniform(0.1 * most, most) for name, most in high.items()}
    more |= {"psf_fwhm_um": rng.uniform(500, 1500)}
    for name, most in (("mosaic_sigmas_deg", 0.5), ("misset_deg", 90)):  # "random" would take a seed from the time
        more[name] = [rng.uniform(0.1 * most, most) for _ in range(3)]
    return made | more


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def everything(experiment: Experiment) -> tuple[Any, ...]:
    """Return all that is known of an experiment: what is drawn, what the report says, what it was made of."""
    resolved = experiment.origin.resolved  # type: ignore[attr-defined]
    given = experiment.origin.keywords  # type: ignore[attr-defined]
    keywords = repr(sorted((name, value) for name, value in given.items() if value is not None))
    parts = {field: digest(getattr(experiment, field)) for field in ("beam", "detector", "goniometer", "sampling")}
    return (
        *parts.items(),
        *map(digest, experiment.crystals),
        digest(experiment, without=("command", "origin")),
        digest(resolved.choices, without=("reflection_lines",)),  # of what is not read again
        digest(resolved.parts),
        resolved.settings,
        experiment.command,
        keywords,
    )


def check(experiment: Experiment, keywords: dict[str, Any], changes: dict[str, Any]) -> Experiment | None:
    """Replace, and compare with what is made from the start; None where both are refused alike."""
    semantics = experiment.semantics.value
    try:
        anew = Experiment(semantics=semantics, **{**keywords, **changes})
    except InputError as error:
        with pytest.raises(InputError, match=re.escape(str(error))):
            experiment.replace(**changes)
        return None
    replaced = experiment.replace(**changes)
    assert everything(replaced) == everything(anew), changes
    return replaced


def test_every_number_has_a_random_value() -> None:
    assert values(random.Random(1)).keys() == NUMERIC


@pytest.mark.parametrize(("name", "semantics"), [*((name, "exact") for name in BASES), ("flux", "c"), ("spindle", "c")])
def test_one_number_replaced(name: str, semantics: str, folder: Path) -> None:
    base, rng = BASES[name], random.Random(name)
    experiment, made = Experiment(semantics=semantics, **base), 0
    start = everything(experiment)
    found = values(rng)
    # All of them in two experiments, and some in each of the others.
    for keyword in found if name in ("flux", "readout") else rng.sample(sorted(found), 25):
        value = found[keyword]
        replaced = check(experiment, base, {keyword: value})
        if replaced is None:
            continue
        made += 1
        assert everything(replaced.replace(**{keyword: base.get(keyword)})) == start, keyword
    assert made > 10  # some do not go with the base, and are refused alike
    assert everything(experiment) == start


@pytest.mark.parametrize("name", BASES)
def test_two_numbers_replaced_at_once_or_in_turn(name: str, folder: Path) -> None:
    base, rng = BASES[name], random.Random(name)
    experiment, made = Experiment(**base), 0
    for _ in range(12):
        one, other = rng.sample(sorted(NUMERIC), 2)
        found = values(rng)
        first = check(experiment, base, {one: found[one]})
        check(experiment, base, {one: found[one], other: found[other]})
        if first is not None:
            made += check(first, {**base, one: found[one]}, {other: found[other]}) is not None
    assert made > 3


def test_numbers_that_are_equal_and_of_another_type_are_replaced() -> None:
    experiment = Experiment(**COMMON)
    for one, other in itertools.permutations((1, 1.0), 2):
        base = {**COMMON, "exposure_s": one, "misset_deg": (one, 2, 3)}
        check(Experiment(**base), base, {"exposure_s": other, "misset_deg": (other, 2, 3)})
    with pytest.raises(InputError, match="exposure_s: True"):
        experiment.replace(exposure_s=True)


def test_a_pickled_experiment_is_replaced_as_before() -> None:
    experiment = Experiment(**COMMON)
    again = pickle.loads(pickle.dumps(experiment))
    assert isinstance(again.origin, Origin)
    assert everything(again.replace(fluence=1e25)) == everything(experiment.replace(fluence=1e25))


@pytest.mark.parametrize(
    ("keyword", "value", "error"),
    [
        ("distance_mm", memoryview(b"a"), "distance_mm: <memory at"),
        ("curved", np.eye(3), r"curved: array([[1., 0., 0.], [0., 1., 0.], [0., 0., 1.]]) is not allowed"),
        ("crystals", np.array(1.0), "crystals: 1.0 is not allowed"),
        ("crystals", 10**400, "crystals: 1000"),
        ("N", [None], "N: None is not a number"),
        ("hkl", "x" * 300, "cannot be read: file name too long"),
        ("dump", "x" * 300, "cannot be read: file name too long"),
    ],
)
def test_a_value_of_no_use_is_one_line_of_error(keyword: str, value: Any, error: str) -> None:
    experiment = Experiment(**PLAIN)
    for make in (experiment.replace, lambda **more: Experiment(**{**PLAIN, **more})):
        with pytest.raises((InputError, FileError), match=re.escape(error)) as caught:
            make(**{keyword: value})
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500
