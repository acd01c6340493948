"""Refinement against simulated stills whose truth is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import nbnumba
from bench import stills
from nbnumba.errors import InputError
from nbnumba.refine.fit import Fit, Refined, refine

COUNT = 24


@pytest.fixture(scope="module")
def refined() -> list[tuple[stills.Still, Refined]]:
    made = [stills.make(seed, 128) for seed in range(COUNT)]
    return [(still, refine(still.fit)) for still in made]


def test_all_converge_in_few_evaluations(refined: list[tuple[stills.Still, Refined]]) -> None:
    assert all(result.converged for _, result in refined)
    assert np.median([result.evaluations for _, result in refined]) <= 12


def test_errors_are_those_of_the_photons(refined: list[tuple[stills.Still, Refined]]) -> None:
    """(refined - truth)/error is normal: of 24 stills a mean has the error 0.2, a standard deviation 0.15."""
    z = np.array([(result.values - still.truth) / result.errors for still, result in refined])
    assert np.all(np.abs(z.mean(axis=0)) < 4 * 0.2), z.mean(axis=0)
    assert np.all(np.abs(z.std(axis=0) - 1.0) < 4 * 0.15), z.std(axis=0)
    assert abs(np.sqrt(np.mean(z * z)) - 1.0) < 0.15  # over all parameters together


def test_the_model_is_complete(refined: list[tuple[stills.Still, Refined]]) -> None:
    found = np.array([result.sigma_z for _, result in refined])
    # Of 16384 pixels with 2 photons each the root mean square of z has an error of 0.007.
    assert np.all(np.abs(found - 1.0) < 0.03), found


def test_orientations_reach_the_limit_of_the_photons(refined: list[tuple[stills.Still, Refined]]) -> None:
    ratios = []
    for still, result in refined:
        three = [result.parameters.names.index(f"misset_{axis}") for axis in "xyz"]
        off = (result.values - still.truth)[three]
        ratios.append(np.linalg.norm(off) / np.sqrt(np.sum(result.errors[three] ** 2)))
    # The median of the length of a vector with three equal normal components is 0.89; of 24 it has an error of 0.1.
    assert np.median(ratios) < 1.25


def test_readout_noise() -> None:
    """With the normal likelihood of counts and readout noise, errors are those of the sandwich."""
    z = []
    for seed in range(6):
        still = stills.make(seed, 128)
        noisy = still.counts + np.random.default_rng(seed).normal(0.0, 1.5, still.counts.shape)
        result = refine(dataclasses.replace(still.fit, data=noisy, variance=1.5**2))
        assert result.converged
        z.append((result.values - still.truth) / result.errors)
    assert 0.75 < np.sqrt(np.mean(np.square(z))) < 1.3  # of 66 numbers: 1 +- 0.09


@pytest.mark.parametrize("noise", [0.0, 1.5])
@pytest.mark.parametrize("stage", ["photons", "counts"])
def test_point_spread(stage: str, noise: float) -> None:
    """Its width is found, and errors hold although neighboring pixels share the light of the same photons."""
    z, residuals = [], []
    for seed in range(4):
        still = stills.make(seed, 128, psf="fiber", psf_fwhm_um=900, psf_stage=stage, psf_radius=8)
        noisy = still.counts + np.random.default_rng(seed).normal(0.0, noise, still.counts.shape)
        result = refine(dataclasses.replace(still.fit, data=noisy, variance=noise**2))
        assert result.converged
        assert result.parameters.names[-3] == "psf_fwhm"
        z.append((result.values - still.truth) / result.errors)
        residuals.append(result.sigma_z)
    assert 0.7 < np.sqrt(np.mean(np.square(z))) < 1.35  # of 48 numbers: 1 +- 0.1
    # Of 16384 pixels the root mean square of z has an error of 0.007; light that is shared makes it larger.
    assert np.all(np.abs(np.array(residuals) - 1.0) < 0.05), residuals


def test_bounds_and_priors() -> None:
    still = stills.make(1, 128)
    held = refine(dataclasses.replace(still.fit, bounds={"cell_a": (79.0, 79.05)}))
    assert held.values[held.parameters.names.index("cell_a")] == pytest.approx(79.05)
    drawn = refine(dataclasses.replace(still.fit, priors={"cell_a": (79.3, 1e-6)}))
    assert drawn.values[drawn.parameters.names.index("cell_a")] == pytest.approx(79.3, abs=1e-4)
    free = refine(still.fit)
    known = refine(dataclasses.replace(still.fit, priors={"mosaic_spread": (0.1, 1e-5)}))
    number = free.parameters.names.index("mosaic_spread")
    assert known.errors[number] < 1e-5 < free.errors[number]


def test_masked_pixels_do_not_count() -> None:
    still = stills.make(2, 128)
    used = np.random.default_rng(0).uniform(size=still.counts.shape) < 0.7
    spoiled = np.where(used, still.counts, 1e9)
    assert np.array_equal(
        refine(dataclasses.replace(still.fit, data=spoiled, used=used)).values,
        refine(dataclasses.replace(still.fit, used=used)).values,
    )


def _fit(experiment: nbnumba.Experiment, names: tuple[str, ...], level: float = 1.0) -> Fit:
    shape = (experiment.detector.panels[0].n_slow, experiment.detector.panels[0].n_fast)
    return Fit(experiment.parameters(*names), np.full(shape, level), np.ones(shape, dtype=bool), threads=1)


def test_refused() -> None:
    experiment = nbnumba.Experiment(
        cell=(50, 60, 40, 90, 90, 90), default_F=10, N=10, shape="gauss", distance_mm=100, detpixels=32, fluence=1e20
    )
    fit = _fit(experiment, ("misset", "offset"))
    for changed, message in (
        (dataclasses.replace(fit, used=np.zeros_like(fit.used)), "no pixel of the image counts"),
        (dataclasses.replace(fit, data=0.0 * fit.data), "there is nothing to fit"),
        (dataclasses.replace(fit, bounds={"Na": (1, 2)}), "bounds: 'Na' is not refined"),
        (dataclasses.replace(fit, bounds={"offset": (2, 1)}), "the first must be below the second"),
        (dataclasses.replace(fit, priors={"offset": (1, 0)}), "it must be above 0"),
        (dataclasses.replace(fit, used=fit.used[:3]), "used: has the shape"),
    ):
        with pytest.raises(InputError, match=message):
            refine(changed)
    image = nbnumba.Renderer("cpu").linearize(experiment, ("scale",)).image
    one = image == image.max()
    with pytest.raises(InputError, match="does not tell scale and offset apart; leave one out"):
        refine(dataclasses.replace(_fit(experiment, ("scale", "offset"), 5.0), used=one))
    dark = image == 0.0
    assert dark.any()
    with pytest.raises(InputError, match="misset_x, misset_y, misset_z: no pixel that counts depends on it"):
        refine(dataclasses.replace(fit, used=dark))
