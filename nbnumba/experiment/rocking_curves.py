"""How much of a reflection an image records: its rocking curve, from the shape of the spot and its spreads.

The intensity of a reflection at an orientation is the integral of its spot over the Ewald sphere, here a plane: a
function of the distance s of the reflection from the sphere. The Fourier transform of that function is the
autocorrelation of the crystal along the sphere's normal.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..constants import TOPHAT_RADIUS_SQUARED
from ..crystal.spot_shape import GAUSSIAN, number_matrix, spot_shape
from ..geometry.vectors import Array, rotate_about
from ..parameters.choices import Shape
from .model import Experiment

_POINTS = 241  # of a curve that is worked out by points
_WIDTHS = 12.0  # of 1/size, to either side


def partialities(experiment: Experiment, hkl: NDArray[np.int64]) -> Array:
    """Return the partiality of reflections of the only crystal, (n,).

    Parameters
    ----------
    experiment : Experiment
        Of one crystal.
    hkl : (n, 3)

    Returns
    -------
    (n,)
        For a rotation the fraction of the rocking curve inside its range of phi, for a still the rocking curve at this
        orientation over its maximum; the sum over mosaic domains and sources counts.
    """
    crystal, goniometer = experiment.crystal, experiment.goniometer
    listed = experiment.beam.sources
    weights = experiment.weights
    lit = weights > 0.0
    rays = -listed.directions[lit] / listed.wavelengths[lit, np.newaxis]
    source_weights = weights[lit]
    domains = crystal.mosaic_rotations
    domain_weights = np.ones(len(domains)) if crystal.domain_weights is None else np.asarray(crystal.domain_weights)
    reciprocal = np.linalg.inv(crystal.real_space).T  # rows a*, b*, c*
    q = hkl.astype(np.float64) @ reciprocal
    begin, end = _turns(experiment)
    rotates = goniometer.osc != 0.0
    shares = np.outer(source_weights, domain_weights).reshape(-1)
    shares = shares / shares.sum()
    found = np.empty(len(hkl))
    for number, vector in enumerate(q):
        offsets = []
        normal = None
        for turn in (begin, end) if rotates else (begin,):
            points = np.einsum("dij,j->di", domains, turn @ vector)
            toward = rays[:, np.newaxis, :] + points[np.newaxis]
            lengths = np.linalg.norm(toward, axis=2)
            offsets.append((lengths - np.linalg.norm(rays, axis=1)[:, np.newaxis]).reshape(-1))
            middle = toward.reshape(-1, 3).mean(axis=0)
            along = middle / np.linalg.norm(middle)
            normal = along if normal is None else normal + along
        assert normal is not None
        normal = normal / np.linalg.norm(normal)
        middle_turn = _middle(experiment)
        curve = _Curve(experiment, middle_turn @ vector, np.asarray(middle_turn.T @ normal), normal)
        if rotates:
            inside = np.abs(curve.fraction_below(offsets[1]) - curve.fraction_below(offsets[0]))
            found[number] = float(np.sum(shares * inside))
        else:
            found[number] = curve.relative_height(offsets[0], shares)
    return np.clip(found, 0.0, 1.0)


def _turns(experiment: Experiment) -> tuple[Array, Array]:
    goniometer = experiment.goniometer
    return _turn(experiment, goniometer.phi), _turn(experiment, goniometer.phi + goniometer.osc)


def _middle(experiment: Experiment) -> Array:
    return _turn(experiment, experiment.goniometer.phi + 0.5 * experiment.goniometer.osc)


def _turn(experiment: Experiment, angle: float) -> Array:
    return np.array([rotate_about(axis, experiment.goniometer.spindle, angle) for axis in np.eye(3)]).T


class _Curve:
    """The intensity of one reflection as a function of its distance from the Ewald sphere."""

    def __init__(self, experiment: Experiment, q: Array, body_normal: Array, normal: Array) -> None:
        """Work it out.

        Parameters
        ----------
        experiment : Experiment
        q : (3,) [1/m]
            The reflection, in the middle of the exposure.
        body_normal, normal : (3,)
            Of the sphere, in the crystal's frame at the spindle angle 0 and in the laboratory.
        """
        crystal = experiment.crystal
        shape = crystal.shape
        self._gauss = self._radius = 0.0
        self._s: Array = np.zeros(0)
        self._profile: Array = np.zeros(0)
        if shape in (Shape.SQUARE, Shape.ROUND):
            self._by_points(experiment, body_normal)
            return
        spot = spot_shape(crystal)
        R = np.zeros((3, 3))
        R[np.triu_indices(3)] = spot.triangle
        # r = |scale R dh|, dh = (a, b, c) dQ; along the normal the variance of the marginal is n M^-1 M^-T n.
        inverse = np.linalg.inv(spot.scale * R @ crystal.real_space)
        along = float(np.linalg.norm(body_normal @ inverse))
        if shape in GAUSSIAN:
            # F_latt^2 = exp(-2 fudge r^2 / width)
            variance = along**2 * spot.width / (4.0 * max(crystal.fudge, 1e-12))
            spread = experiment.closed_form
            if spread is not None:
                turned = np.cross(q, normal)
                k = 1.0 / experiment.beam.wavelength
                variance += float(turned @ spread.mosaicity @ turned) + (spread.bandwidth * float(q @ normal)) ** 2
                variance += k * k * float(normal @ spread.divergence @ normal)
            self._gauss = math.sqrt(variance)
        else:
            self._radius = along * math.sqrt(TOPHAT_RADIUS_SQUARED / max(crystal.fudge, 1e-12))

    def _by_points(self, experiment: Experiment, body_normal: Array) -> None:
        crystal = experiment.crystal
        # A shift of 1 m along the normal, in cells, over the cells of the crystal.
        cells = np.diag(number_matrix(crystal))
        shifts = np.abs(np.linalg.inv(crystal.real_space.T) @ body_normal) / cells
        if crystal.shape is Shape.SQUARE:
            longest = 1.0 / float(shifts.max())
            t = np.linspace(0.0, longest, 400)
            overlap = np.prod(np.maximum(0.0, 1.0 - np.outer(t, shifts)), axis=1)
        else:
            longest = 1.0 / float(np.linalg.norm(shifts)) * math.sqrt(max(crystal.fudge, 1e-12))
            t = np.linspace(0.0, longest, 400)
            u = t / longest
            overlap = 1.0 - 1.5 * u + 0.5 * u**3
        # Beyond this another reflection is the nearer one.
        farthest = min(_WIDTHS / longest, 0.5 / float(np.abs(crystal.real_space @ body_normal).max()))
        self._s = np.linspace(-farthest, farthest, _POINTS)
        waves = np.cos(2.0 * math.pi * np.outer(self._s, t))
        self._profile = np.maximum(0.0, 2.0 * np.trapezoid(waves * overlap, t, axis=1))

    def fraction_below(self, s: Array) -> Array:
        """Return the fraction of the curve at distances below s."""
        if self._gauss > 0.0:
            from scipy.special import ndtr

            return np.asarray(ndtr(s / self._gauss))
        if self._radius > 0.0:
            u = np.clip(s / self._radius, -1.0, 1.0)
            return np.asarray(0.5 + 0.75 * (u - u**3 / 3.0))
        steps = np.diff(self._s) * 0.5 * (self._profile[1:] + self._profile[:-1])
        sums = np.concatenate([[0.0], np.cumsum(steps)])
        return np.asarray(np.interp(s, self._s, sums / sums[-1]))

    def height(self, s: Array) -> Array:
        """Return the curve, 1 at distance 0."""
        if self._gauss > 0.0:
            return np.asarray(np.exp(-0.5 * (s / self._gauss) ** 2))
        if self._radius > 0.0:
            return np.asarray(np.maximum(0.0, 1.0 - (s / self._radius) ** 2))
        return np.asarray(np.interp(s, self._s, self._profile / self._profile.max(), left=0.0, right=0.0))

    def relative_height(self, s: Array, shares: Array) -> float:
        """Return the sum of curves at their distances over its largest value, whatever the orientation."""
        here = float(np.sum(shares * self.height(s)))
        if len(s) == 1:
            return here
        moves = np.linspace(-float(s.max()), -float(s.min()), 201)
        most = max(float(np.sum(shares * self.height(s + move))) for move in moves)
        return here / most if most > 0.0 else 0.0
