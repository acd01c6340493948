"""Mosaic domains as other distributions than C's: rotations, weights and cells, from the settings."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, MutableSequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..errors import InputError, called
from ..geometry.vectors import Array
from ..io import mosaic_file
from ..io.contents import content_of
from ..parameters.choices import MosaicModel
from ..parameters.settings import CrystalSettings
from ..parameters.steps import domain_count
from . import mosaic

_RELAXED = 128  # domains; more of them are spread evenly enough as they are
_RELAXATIONS = 50
_UNIT = np.eye(3)
_DIFFBRAGG_SEED = 8675309
CRYSTAL_FIXED = frozenset({MosaicModel.GAUSS, MosaicModel.UNIFORM})  # spread about the crystal's axes
_WITH_SIGMAS = frozenset({MosaicModel.GAUSS, MosaicModel.UNIFORM, MosaicModel.DIFFBRAGG})


class Domains(NamedTuple):
    """Mosaic domains.

    Attributes
    ----------
    model : MosaicModel
    spread : float [rad]
        The one number of the model; the largest of several; 0 for those of a file.
    rotations : (n, 3, 3)
        In the laboratory frame at phi = 0.
    weights : (n,) or None
    stretches : (n, 3) or None
        Factors of the lengths a, b, c.
    covariance : (3, 3) [rad^2]
        Of the rotation vectors, in the laboratory frame at phi = 0.
    """

    model: MosaicModel
    spread: float
    rotations: Array
    weights: Array | None
    stretches: Array | None
    covariance: Array


def mosaic_ensemble(
    settings: CrystalSettings, orientation: Callable[[], Array], table: MutableSequence[int]
) -> Domains:
    """Make the mosaic domains that the settings describe.

    Parameters
    ----------
    settings : CrystalSettings
    orientation : callable
        Returns the orientation of the crystal, (3, 3), for the models that depend on it: its columns are the crystal's
        axes, a* along x and b* in the xy plane.
    table : sequence of 34 int
        C's random table, advanced by the models that draw from it.

    Raises
    ------
    InputError
        For options that contradict each other, or a malformed file.
    FileError
        The file cannot be read.
    """
    check_mosaicity(settings)
    seed = settings.mosaic_seed
    if settings.mosaic_file is not None:
        rotations, weights = content_of(mosaic_file.read, settings.mosaic_file, called("mosaic_file"))
        covariance = covariance_of(rotations, weights)
        stretches = _stretches(settings.lattice_spread, len(rotations), seed)
        return Domains(MosaicModel.FILE, 0.0, rotations, weights, stretches, covariance)
    model = settings.mosaic_model or MosaicModel.C
    spread, count, _ = domain_count(settings)
    stretches = _stretches(settings.lattice_spread, count, seed)
    if model is MosaicModel.C:
        rotations = mosaic.mosaic_rotations(spread, count, seed, table)
        covariance = (mosaic.CAP_SIGMA * spread) ** 2 * _UNIT
    elif model is MosaicModel.SIMTBX:
        rotations = mosaic.simtbx_rotations(spread, count, seed)
        covariance = (mosaic.CAP_SIGMA * spread) ** 2 * _UNIT
    elif model is MosaicModel.DIFFBRAGG:
        rotations = _diffbragg(count, np.diagonal(_square_root(settings, spread)))
        covariance = covariance_of(rotations, None)
    else:
        points = gaussian_points(count, seed) if count > 1 else np.zeros((1, 3))
        gauss = model is MosaicModel.GAUSS
        turn = orientation() @ _square_root(settings, spread)
        rotations = rotations_of((points if gauss else _in_ball(points)) @ turn.T)
        covariance = turn @ turn.T / (1.0 if gauss else 5.0)
    return Domains(model, spread, rotations, None, stretches, covariance)


def check_mosaicity(settings: CrystalSettings) -> None:
    """Refuse options of mosaicity that contradict each other.

    Raises
    ------
    InputError
    """
    sigmas = settings.mosaic_sigmas
    if settings.mosaic_file is not None:
        given = {
            "mosaic_spread_deg": settings.mosaic_spread is not None,
            "mosaic_domains": settings.mosaic_domains is not None,
            "mosaic_model": settings.mosaic_model is not None,
            "mosaic_sigmas_deg": bool(sigmas),
        }
        others = [called(name) for name, met in given.items() if met]
        if others:
            raise InputError(f"{called('mosaic_file')}: lists the domains, and contradicts {', '.join(others)}")
    elif sigmas:
        model = settings.mosaic_model or MosaicModel.C
        if settings.mosaic_spread is not None:
            raise InputError(f"{called('mosaic_spread_deg')}, {called('mosaic_sigmas_deg')}: give one of the two")
        if model not in _WITH_SIGMAS:
            raise InputError(
                f"{called('mosaic_sigmas_deg')}: with {called('mosaic_model')} {model.value}; allowed: "
                f"{', '.join(sorted(_WITH_SIGMAS))}"
            )
        if model is MosaicModel.DIFFBRAGG and len(sigmas) == 6:
            raise InputError(
                f"{called('mosaic_sigmas_deg')}: 6 numbers with {called('mosaic_model')} diffbragg; allowed: 1 or 3"
            )


def _square_root(settings: CrystalSettings, spread: float) -> Array:
    """Return the matrix whose product with its transpose is the covariance in the crystal's axes, (3, 3) [rad]."""
    sigmas = settings.mosaic_sigmas
    if len(sigmas) < 3:
        return spread * np.eye(3)
    along = np.diag(sigmas[:3])
    if len(sigmas) == 3:
        return along
    ab, bc, ac = sigmas[3:]
    try:
        return np.asarray(along @ np.linalg.cholesky([[1.0, ab, ac], [ab, 1.0, bc], [ac, bc, 1.0]]))
    except np.linalg.LinAlgError:
        raise InputError(
            f"{called('mosaic_sigmas_deg')}: correlations {ab:g} {bc:g} {ac:g} cannot occur together; their "
            "matrix must be positive definite"
        ) from None


def gaussian_points(count: int, seed: int) -> Array:
    """Spread points like independent normal deviates, but evenly, (count, 3).

    Parameters
    ----------
    count : int
        At least 2.
    seed : int
        Another one moves the points to other places.

    Notes
    -----
    A Kronecker sequence in three dimensions with a random shift, through the inverse of the normal distribution. Up to
    128 points are then moved down the gradient of the maximum mean discrepancy between them and the normal
    distribution, for a Gaussian kernel as wide as there is room between the points: what an image that blurs them
    by as much sees as an error (Gretton et al., J. Mach. Learn. Res. 13 (2012) 723).
    """
    return _evenly_spread(count, seed) if count > _RELAXED else _relaxed(count, seed)


def _evenly_spread(count: int, seed: int) -> Array:
    return _normalized(_normal(_kronecker(count, 3, seed)))


@lru_cache(maxsize=16)
def _relaxed(count: int, seed: int) -> Array:
    """Return points that are moved apart; nobody may change them."""
    points = _evenly_spread(count, seed)
    width = 0.3 * (25.0 / count) ** (1.0 / 3.0)  # squared, of the kernel exp(-d^2/(4 width))
    wider = 1.0 + 2.0 * width
    step = 2.0 * count ** (1.0 / 3.0)
    for _ in range(_RELAXATIONS):
        squares = np.sum(points * points, axis=1)
        products = points @ points.T
        kernel = np.exp((2.0 * products - squares[:, None] - squares[None, :]) / (4.0 * width))
        apart = (kernel @ points - points * kernel.sum(axis=1)[:, None]) / (2.0 * width * count)
        inward = points * ((2.0 * width / wider) ** 1.5 * np.exp(-squares / (2.0 * wider)) / wider)[:, None]
        points = points - step * (apart + inward)
    return points


def _kronecker(count: int, dimensions: int, seed: int) -> Array:
    """Spread points evenly in the unit cube, (count, dimensions).

    Notes
    -----
    Multiples of the powers of 1/g, modulo 1, g the root above 1 of g^(d + 1) = g + 1; g = golden ratio for d = 1.
    """
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    steps = root ** -np.arange(1.0, dimensions + 1.0)
    shift = np.random.Generator(np.random.PCG64(seed % 2**64)).random(dimensions)
    return np.asarray((shift + np.arange(count)[:, None] * steps) % 1.0)


def _normal(uniform: Array) -> Array:
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(uniform, 1e-12, 1.0 - 1e-12)))


def _normalized(points: Array) -> Array:
    """Move and scale points to a mean of 0 and, along each axis, a mean square of 1."""
    centered = points - points.mean(axis=0)
    return np.asarray(centered / np.sqrt(np.mean(centered**2, axis=0)))


def _in_ball(points: Array) -> Array:
    """Move normal points along their directions so that they fill the unit ball evenly."""
    from scipy.special import gammainc

    radii = np.linalg.norm(points, axis=1)
    filled = gammainc(1.5, radii**2 / 2.0) ** (1.0 / 3.0)
    return np.asarray(points * (filled / np.where(radii > 0.0, radii, 1.0))[:, None])


def _stretches(spread: tuple[float, ...], count: int, seed: int) -> Array | None:
    """Draw the factors of a, b, c in each domain; None where all are the same."""
    if not any(spread) or count == 1:
        return None
    # Three further dimensions of one sequence, so that cells and rotations do not depend on each other.
    points = _normalized(_normal(_kronecker(count, 6, seed)[:, 3:]))
    factors = np.asarray(1.0 + points * np.broadcast_to(spread, 3))
    if not factors.min() > 0.1:
        raise InputError(
            f"{called('lattice_spread_percent')}: a domain has {factors.min():.3g} times the length of the cell; at "
            "least 0.1 is allowed"
        )
    return factors


def _diffbragg(count: int, sigmas: Array) -> Array:
    """Return the ensemble of diffBragg, (count, 3, 3).

    Notes
    -----
    Pairs of opposite turns about axes on a spiral over a hemisphere; the angles are quantiles of a half-normal
    distribution in the shuffled order of Python's generator. Where the three sigmas differ, an axis c has the sigma
    (sum of (c_k/sigma_k)^2)^(-1/2), in laboratory axes.
    """
    if count % 2:
        raise InputError(
            f"{called('mosaic_domains')}: {count} with {called('mosaic_model')} diffbragg; an even number is needed"
        )
    from scipy.special import erfinv

    half = count // 2
    places = (np.arange(half) + 0.5) / half
    azimuths = math.sqrt(math.pi * count / 2.0) * np.arcsin(places)
    across = np.sqrt(1.0 - places**2)
    axes = np.column_stack([across * np.cos(azimuths), across * np.sin(azimuths), places])
    quantiles = [k / half for k in range(half)]
    random.Random(_DIFFBRAGG_SEED).shuffle(quantiles)
    with np.errstate(divide="ignore"):
        along = 1.0 / np.sqrt(np.sum((axes / sigmas) ** 2, axis=1))
    vectors = axes * (along * math.sqrt(2.0) * erfinv(quantiles))[:, None]
    return rotations_of(np.stack([vectors, -vectors], axis=1).reshape(-1, 3))


def rotations_of(vectors: Array) -> Array:
    """Return the matrices of rotation vectors, (n, 3, 3)."""
    angles = np.linalg.norm(vectors, axis=1)
    x, y, z = (vectors / np.where(angles > 0.0, angles, 1.0)[:, None]).T
    cross = np.zeros((len(vectors), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -z, y, -x
    cross -= cross.transpose(0, 2, 1)
    sines, versines = np.sin(angles), 2.0 * np.sin(angles / 2.0) ** 2
    return np.asarray(np.eye(3) + sines[:, None, None] * cross + versines[:, None, None] * (cross @ cross))


def covariance_of(rotations: Array, weights: Array | None) -> Array:
    """Return the mean product of the components of rotation vectors, (3, 3) [rad^2]."""
    from scipy.spatial.transform import Rotation

    vectors = Rotation.from_matrix(rotations).as_rotvec()
    shares = np.full(len(vectors), 1.0 / len(vectors)) if weights is None else weights / np.sum(weights)
    return np.asarray(np.einsum("n,ni,nj->ij", shares, vectors, vectors))
