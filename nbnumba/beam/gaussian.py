"""Gaussian divergence: directions that are spread evenly over a Gaussian, all of the same weight."""

from __future__ import annotations

import math

import numpy as np

from ..errors import InputError, called
from ..geometry.vectors import Array
from ..parameters.settings import BeamSettings

DIRECTIONS = 25
WIDEST = 0.5  # rad, full width at half maximum
_SIGMA = 1.0 / math.sqrt(8.0 * math.log(2.0))
_GOLDEN_ANGLE = math.pi * (3.0 - math.sqrt(5.0))


def gaussian_divergence(beam: BeamSettings) -> list[tuple[float, float]] | None:
    """Return the (horizontal, vertical) angles of the directions [rad]; None where no Gaussian is asked for.

    Raises
    ------
    InputError
        For a width beyond 500 mrad, or beside C's grid or a source file.
    """
    widths = beam.gauss_hdiv, beam.gauss_vdiv
    if not any(widths):
        if beam.gauss_divs is not None:
            raise InputError(
                f"{called('gauss_divs')}: {beam.gauss_divs} directions have no width; give {called('gauss_hdiv_mrad')} "
                f"or {called('gauss_vdiv_mrad')}"
            )
        return None
    name, width = max(zip(("gauss_hdiv_mrad", "gauss_vdiv_mrad"), widths, strict=True), key=lambda pair: pair[1])
    if width > WIDEST:
        raise InputError(f"{called(name)}: {width * 1e3:g} mrad; at most {WIDEST * 1e3:g}")
    grid = ("hdivrange", "vdivrange", "hdivstep", "vdivstep", "hdivsteps", "vdivsteps")
    others = {name: getattr(beam, name) for name in grid} | {"sources": beam.source_file}
    for other, value in others.items():
        if value is not None:
            known = f"{other}_mrad" if other in grid[:4] else other
            raise InputError(f"{called(name)}: contradicts {called(known)}; give one of the two")
    count = DIRECTIONS if beam.gauss_divs is None else beam.gauss_divs
    angles = _SIGMA * np.array(widths) * points(count, all(widths))
    return [(float(h), float(v)) for h, v in angles]


def points(count: int, plane: bool) -> Array:
    """Return points that represent a Gaussian of mean 0 and variance 1 along each of two axes, (count, 2).

    Parameters
    ----------
    count : int
        At least 3 in the plane, 2 on a line.
    plane : bool
        Over the plane; else both columns hold the same points on a line.

    Notes
    -----
    On a line the quantiles of the middles of `count` equal parts; in the plane the spiral of Vogel (Math. Biosci. 44,
    179 (1979)), whose radii are those of equal parts of a Gaussian: quasi-random points, of which n do the work of many
    more random ones. Then they are moved and stretched so that mean and covariance are those of the Gaussian to
    rounding.
    """
    from scipy.special import ndtri

    parts = (np.arange(count) + 0.5) / count
    if not plane:
        line = ndtri(parts)
        return np.repeat((line / np.sqrt(np.mean(line**2)))[:, np.newaxis], 2, axis=1)
    radii, angles = np.sqrt(-2.0 * np.log1p(-parts)), _GOLDEN_ANGLE * np.arange(count)
    spiral = radii[:, np.newaxis] * np.column_stack([np.cos(angles), np.sin(angles)])
    spiral -= spiral.mean(axis=0)
    covariance = spiral.T @ spiral / count
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(spiral @ (vectors / np.sqrt(values)) @ vectors.T)
