"""An experiment of which numbers are replaced is the experiment that is made of all its keywords at once."""

from __future__ import annotations

import itertools
import os
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

GEOM = """photon_energy = 9.5 keV
clen = 95.3 mm
res = 5000
adu_per_photon = 1
group_q = a, b
""" + "".join(
    f"{name}/min_fs = 0\n{name}/max_fs = 11\n{name}/min_ss = {first}\n{name}/max_ss = {first + 8}\n"
    f"{name}/corner_x = {corner}\n{name}/corner_y = -3\n{name}/fs = x\n{name}/ss = y +0.02z\n"
    for name, first, corner in (("a", 0, -13.5), ("b", 9, 2.5))
)
EXPT = """{"__id__": "ExperimentList",
 "experiment": [{"__id__": "Experiment", "beam": 0, "detector": 0, "goniometer": 0, "scan": 0, "crystal": 0}],
 "beam": [{"__id__": "monochromatic", "direction": [0, 0, 1], "wavelength": 1.25, "probe": "x-ray",
           "polarization_normal": [0, 1, 0], "polarization_fraction": 0.9}],
 "detector": [{"panels": [
   {"name": "a", "fast_axis": [1, 0, 0], "slow_axis": [0, -1, 0], "origin": [-1, 1, -100], "image_size": [12, 9],
    "pixel_size": [0.2, 0.2], "trusted_range": [0, 1], "thickness": 0.32, "material": "Si", "mu": 3.9, "gain": 2,
    "mask": [[0, 0, 2, 3]], "px_mm_strategy": {"type": "ParallaxCorrectedPxMmStrategy"}},
   {"name": "b", "fast_axis": [1, 0, 0], "slow_axis": [0, -1, 0], "origin": [2, 1, -100], "image_size": [12, 9],
    "pixel_size": [0.2, 0.2], "trusted_range": [0, 1], "thickness": 0.32, "material": "Si", "mu": 3.9, "gain": 2,
    "px_mm_strategy": {"type": "ParallaxCorrectedPxMmStrategy"}}]}],
 "goniometer": [{"rotation_axis": [1, 0, 0], "fixed_rotation": [1, 0, 0, 0, 0, -1, 0, 1, 0],
                 "setting_rotation": [1, 0, 0, 0, 1, 0, 0, 0, 1]}],
 "scan": [{"image_range": [1, 3], "oscillation": [30.0, 0.5], "exposure_time": [1, 1, 1], "epochs": [0, 0, 0]}],
 "crystal": [{"__id__": "crystal", "real_space_a": [50, 0, 0], "real_space_b": [0, 80, 0], "real_space_c": [0, 0, 90],
              "space_group_hall_symbol": " P 1", "ML_domain_size_ang": 500, "ML_half_mosaicity_deg": 0.1}]}
"""
# A matrix at 1 Angstrom, missetting angles, a rotation, the cell that the matrix makes, missetting angles.
MOSFLM = f"{'0.02 0 0 0 0.0125 0 0 0 0.01'} 0 0 0 {'1 0 0 0 1 0 0 0 1'} 50 80 100 90 90 90 0 0 0\n"
TEXTS = {**FILES, "a.geom": GEOM, "a.expt": EXPT, "mosflm.mat": MOSFLM}

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
    "geometry": {"matrix": "mosflm.mat", "hkl": "P1.hkl", "geometry": "a.geom", "wavelength_A": 1.0, "N": 3},
    "expt": {"expt": "a.expt", "hkl": "P1.hkl", "N": 3, "fluence": 1e26},
    "domains": {
        **{"matrix": "A.mat", "hkl": "P1.hkl", "detpixels": 12, "pixel_mm": 1, "mosaic_spread_deg": 0.5},
        **{"mosaic_domains": 24, "mosaic_model": "gauss", "misset_deg": (1, 2, 3)},
    },
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
    for name, content in TEXTS.items():
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
    for _ in range(16):
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


@pytest.mark.parametrize(
    ("base", "file", "old", "new", "changes"),
    [
        ("matrix", "A.mat", "0.01", "0.02", {"N": 4}),
        ("matrix", "A.mat", "0.01", "0.02", {"wavelength_A": 1.1}),
        ("matrix", "P1.hkl", "\n", " # longer\n1 2 3 45\n", {"default_F": 4}),
        ("matrix", "sources.txt", "0 2 1.01e-10", "0 3 1.02e-10", {"wavelength_A": 1.1}),
        ("geometry", "a.geom", "95.3 mm", "96.3 mm", {"fluence": 1e25}),
        ("geometry", "mosflm.mat", "0.02 0", "0.02 1e-4", {"N": 4}),
        ("expt", "a.expt", "50, 0, 0", "51, 0, 0", {"exposure_s": 2}),
        ("expt", "a.expt", "[-1, 1, -100]", "[-1, 1, -101]", {"exposure_s": 2}),
    ],
)
def test_a_file_that_has_changed_counts(
    base: str, file: str, old: str, new: str, changes: dict[str, Any], folder: Path
) -> None:
    experiment = Experiment(**BASES[base])
    first = everything(experiment.replace(**changes))
    path, dates = folder / file, (folder / file).stat()
    path.write_text(TEXTS[file].replace(old, new, 1))
    os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    replaced = check(experiment, BASES[base], changes)
    assert replaced is not None
    assert everything(replaced) != first
    path.write_text(TEXTS[file])
    assert everything(experiment.replace(**changes)) == first


@pytest.mark.parametrize("name", BASES)
def test_an_array_that_a_user_changes_is_in_no_other_experiment(name: str, folder: Path) -> None:
    experiment = Experiment(**BASES[name])
    start = everything(experiment)
    crystal, detector, sources = experiment.crystal, experiment.detector, experiment.beam.sources
    for record in (crystal, crystal.diffuse, *detector.panels, sources, *experiment.background):
        for array in () if record is None else vars(record).values():
            if isinstance(array, np.ndarray) and array.flags.writeable:
                array[...] = 0
    assert everything(Experiment(**BASES[name])) == start


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
