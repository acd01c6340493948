"""Spots in closed form against sums over many domains, wavelengths and directions that follow the same Gaussians."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import norm, qmc

from nbnumba.beam.model import Sources
from nbnumba.crystal.continuous import ContinuousSpread, in_closed_form
from nbnumba.crystal.mosaic import CAP_SIGMA, mosaic_rotations
from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene
from nbnumba.kernels.cpu import driver
from nbnumba.kernels.scene import Scene
from nbnumba.parameters.parser import parse

LINE = (
    "-cell 78 -misset 12 25 40 -default_F 100 -lambda 1 -distance 100 -pixel 0.5 -detpixels 150 -N 10 -gauss_xtal "
    "-oversample 1 -nointerpolate -semantics exact -nodump"
)
SIGMA_L, SIGMA_D = 0.003, 0.001


def experiment(folder: Path, more: str = "") -> Experiment:
    with contextlib.chdir(folder):
        return resolve(parse([*LINE.split(), *more.split()]).settings)


def drawn(made: Experiment) -> NDArray[np.float64]:
    """Draw an experiment, without the neighborhood of the direct beam, which is no reflection."""
    image = driver.render(build_scene(made), 2, None, None).image.astype(np.float64)
    image[65:85, 65:85] = 0.0
    return image


def gaussian_steps(count: int, sigma: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values in equal steps over 4 sigma either way, and the share of each."""
    values = np.linspace(-4.0, 4.0, count) * sigma
    weights = np.exp(-0.5 * (values / sigma) ** 2)
    return values, weights / weights.sum()


def with_spectrum(made: Experiment, count: int) -> Experiment:
    values, weights = gaussian_steps(count, SIGMA_L)
    sources = Sources(np.tile(-made.beam.direction, (count, 1)), weights, made.beam.wavelength * (1.0 + values))
    return dataclasses.replace(made, beam=dataclasses.replace(made.beam, sources=sources))


def with_divergence(made: Experiment, count: int) -> Experiment:
    values, shares = gaussian_steps(count, SIGMA_D)
    across = np.array([[0.0, y, z] for y in values for z in values])
    directions = -(made.beam.direction + across)
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    wavelengths = np.full(len(directions), made.beam.wavelength)
    sources = Sources(directions, np.outer(shares, shares).ravel(), wavelengths)
    return dataclasses.replace(made, beam=dataclasses.replace(made.beam, sources=sources))


def with_domains(made: Experiment, count: int, sigma: float, seed: int = 1) -> Experiment:
    vectors = np.random.default_rng(seed).normal(0.0, sigma, (count, 3))
    rotations = Rotation.from_rotvec(vectors).as_matrix()
    return dataclasses.replace(made, crystals=(dataclasses.replace(made.crystal, mosaic_rotations=rotations),))


def closed(made: Experiment, sigma_m: float = 0.0) -> Experiment:
    """Return the experiment in closed form, with the variances of its own sources."""
    crystal, beam, spread = in_closed_form(made.crystal, made.beam, False, np.eye(3))
    spread = dataclasses.replace(spread, mosaicity=sigma_m**2 * np.eye(3))
    return dataclasses.replace(made, crystals=(crystal,), beam=beam, closed_form=spread)


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_without_any_spread(tmp_path: Path) -> None:
    made = experiment(tmp_path)
    sampled, ours = drawn(made), drawn(closed(made))
    # Of a sampled spot ends what is nearer to the next reflection; here that is next to nothing.
    np.testing.assert_allclose(ours, sampled, rtol=1e-6, atol=1e-9 * sampled.max())


@pytest.mark.parametrize("more", ["", "-curved_det"])
def test_bandwidth(more: str, tmp_path: Path) -> None:
    made = with_spectrum(experiment(tmp_path, more), 41)
    sampled, ours = drawn(made), drawn(closed(made))
    # 41 wavelengths, and spots that are not small against |q|: the reference in NumPy has 4e-6 and 1e-5 here.
    assert correlation(sampled, ours) > 1.0 - 1e-4
    assert ours.sum() == pytest.approx(sampled.sum(), rel=1e-3)


def test_divergence(tmp_path: Path) -> None:
    made = with_divergence(experiment(tmp_path), 15)
    sampled, ours = drawn(made), drawn(closed(made))
    # 225 directions, whose steps are half of sigma: 2e-6 and 1.4e-5.
    assert correlation(sampled, ours) > 1.0 - 1e-4
    assert ours.sum() == pytest.approx(sampled.sum(), rel=1e-3)


@pytest.mark.parametrize("sigma_deg", [0.1, 0.3, 1.0])
def test_mosaicity(sigma_deg: float, tmp_path: Path) -> None:
    made, sigma = experiment(tmp_path), np.radians(sigma_deg)
    ours = drawn(closed(made, sigma))
    errors = []
    for count in (100, 6400):
        sampled = drawn(with_domains(made, count, sigma))
        errors.append(float(np.sqrt(np.mean((sampled - ours) ** 2) / np.mean(ours**2))))
    # The grain of random domains falls as 1/sqrt(n): by 8 here, give or take its own fluctuations, which are those of
    # the few reflections that 100 domains excite.
    assert 5.0 < errors[0] / errors[1] < 13.0
    assert errors[1] < 0.2  # 0.12 at 1 degree, where 6400 domains are spread most thinly


@pytest.mark.parametrize(("sigma_deg", "count"), [(0.1, 4096), (0.3, 4096), (1.0, 16384)])
def test_against_rotations_that_are_not_linear(sigma_deg: float, count: int, tmp_path: Path) -> None:
    made, sigma = experiment(tmp_path), np.radians(sigma_deg)
    even = norm.ppf(qmc.Sobol(3, seed=3).random(count)) * sigma  # no grain: they fill the distribution evenly
    rotations = Rotation.from_rotvec(even).as_matrix()
    crystal = dataclasses.replace(made.crystal, mosaic_rotations=rotations)
    sampled = drawn(dataclasses.replace(made, crystals=(crystal,)))
    ours = drawn(closed(made, sigma))
    # Spots follow the sphere to second order. Planes in its place differ by 1.5e-4, 1.1e-3 and 2.4e-3.
    assert ours.sum() == pytest.approx(sampled.sum(), rel=1e-3)
    # What is left is the grain of the rotations; planes in place of spheres leave 2.3e-3 at 1 degree.
    assert correlation(sampled, ours) > 1.0 - 5e-4


def reference(scene: Scene, N: tuple[int, ...], farthest: tuple[int, ...]) -> NDArray[np.float64]:
    """Draw bent Gaussians in NumPy, every reflection in every pixel, without a factor that all of them have."""
    at = np.arange(scene.n_slow) + 0.5
    places = (
        scene.origin + at[:, None, None] * scene.pixel_slow * scene.slow + at[:, None] * scene.pixel_fast * scene.fast
    )
    distances = np.linalg.norm(places, axis=-1, keepdims=True)
    k0, incident = scene.sources[0, 3], scene.sources[0, :3]
    q = k0 * (places / distances - incident)
    reciprocal = np.linalg.inv(scene.orientations[0].reshape(3, 3))
    S = 0.63 / 4.0 * reciprocal @ np.diag(1.0 / np.square(np.array(N, float))) @ reciprocal.T
    image = np.zeros(q.shape[:2])
    for hkl in itertools.product(*(range(-last, last + 1) for last in farthest)):
        q_h = reciprocal @ np.array(hkl, float)
        length, cross = np.linalg.norm(q_h), np.cross(np.eye(3), -q_h)
        if length == 0.0 or abs(np.linalg.norm(q_h + k0 * incident) / k0 - 1.0) > 0.2:
            continue
        n, mosaic = q_h / length, cross @ scene.mosaicity @ cross.T
        T = S + mosaic + scene.bandwidth**2 * np.outer(q_h, q_h) + k0**2 * scene.divergence
        share = np.trace(mosaic) / (np.trace(T) - n @ T @ n)
        middle = q_h * (1.0 - 0.5 * (1.0 - share) * np.trace(mosaic) / length**2)
        x = q - middle
        across = x - (x @ n)[..., None] * n
        x = x + (0.5 * share**2 / np.linalg.norm(middle) * np.square(across).sum(-1))[..., None] * n
        exponent = 0.5 * np.einsum("...i,ij,...j", x, np.linalg.inv(T), x)
        image += np.sqrt(np.linalg.det(S) / np.linalg.det(T)) * np.exp(-exponent)
    return image / distances[..., 0] ** 3


@pytest.mark.parametrize("sigma_deg", ["0.3", "2"])
def test_against_numpy(sigma_deg: str, tmp_path: Path) -> None:
    """Whatever its axes, its spreads and the option that ends it, a spot is drawn whole and where it is."""
    more = "-cell 20 24 31 95 100 105 -shape gauss_abc -Na 8 -Nb 12 -Nc 30 -detpixels 40 -pixel 2.2 -nopolar -fudge 1 "
    more += f"-spread continuous -mosaic_model gauss -mosaic_sigmas {sigma_deg} 0.1 0.7 -dispersion 1 -dispsteps 9 "
    more += "-hdivrange 3 -hdivsteps 5 -vdivrange 1 -vdivsteps 5"
    scene = build_scene(experiment(tmp_path, more))
    expected = reference(scene, (8, 12, 30), (12, 15, 19))
    ours = driver.render(scene, 2, None, None).image.astype(np.float64)
    ours[18:22, 18:22] = expected[18:22, 18:22] = 0.0  # the reflection 0 0 0
    expected *= ours.sum() / expected.sum()
    # float32, and what ends below 1e-12 of the brightest pixel there could be.
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-8 * expected.max())


def test_the_cutoff_by_default_leaves_out_nothing_that_shows(tmp_path: Path) -> None:
    more = "-spread continuous -mosaic 0.4 -dispersion 1 -dispsteps 9"
    short, whole = (drawn(experiment(tmp_path, f"{more} {cutoff}")) for cutoff in ("", "-spot_cutoff 1e-47"))
    # Half a unit in the last place of the brightest pixel, in float32.
    assert float((whole - short).max()) < 2.0**-25 * whole.max()
    assert np.count_nonzero(short) < np.count_nonzero(whole)


def test_all_together(tmp_path: Path) -> None:
    sigma = np.radians(0.3)
    made = with_domains(with_spectrum(experiment(tmp_path), 21), 2000, sigma)
    sampled, ours = drawn(made), drawn(closed(made, sigma))
    assert correlation(sampled, ours) > 0.998  # the grain of 2000 domains
    assert ours.sum() == pytest.approx(sampled.sum(), rel=5e-3)


def test_the_variances_of_options(tmp_path: Path) -> None:
    more = "-mosaic 0.5 -dispersion 1.2 -dispsteps 7 -hdivrange 2 -hdivsteps 5 -vdivrange 4 -vdivsteps 9 -square_div"
    made = experiment(tmp_path, more)
    spread: ContinuousSpread = in_closed_form(made.crystal, made.beam, False, np.eye(3))[2]

    def sigma(width: float, count: int) -> float:
        return width * float(np.sqrt((count + 1) / (12.0 * (count - 1))))

    assert spread.bandwidth == pytest.approx(sigma(0.012, 7), rel=1e-12)
    # Sines of the directions' angles, of up to 2 mrad.
    assert np.sqrt(np.linalg.eigvalsh(spread.divergence)[1:]) == pytest.approx(
        [sigma(0.002, 5), sigma(0.004, 9)], rel=1e-5
    )
    assert np.sqrt(np.diag(spread.mosaicity)) == pytest.approx(CAP_SIGMA * np.radians(0.5), rel=1e-12)


def test_the_variance_of_c_s_domains() -> None:
    angles = Rotation.from_matrix(mosaic_rotations(0.01, 20_000, 7)).as_rotvec()
    # 20 000 random domains.
    assert angles.std(axis=0) == pytest.approx(CAP_SIGMA * 0.01, rel=0.02)
