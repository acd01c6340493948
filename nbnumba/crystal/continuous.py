"""Mosaicity, bandwidth and divergence as Gaussian distributions, in place of domains and sources that sample them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ..beam.model import Beam, SourceGrid, Sources
from ..beam.sources import SOURCE_DISTANCE
from ..geometry.vectors import Array
from .ensembles import CRYSTAL_FIXED
from .model import Crystal


@dataclass(frozen=True, eq=False)
class ContinuousSpread:
    """How widely orientations, wavelengths and directions are spread.

    Attributes
    ----------
    mosaicity : (3, 3) [rad^2]
        Covariance of rotation vectors, in the laboratory frame.
    bandwidth : float
        Standard deviation of the wavelength over the wavelength.
    divergence : (3, 3) [rad^2]
        Covariance of the incident direction.
    """

    mosaicity: Array
    bandwidth: float
    divergence: Array


def in_closed_form(
    crystal: Crystal, beam: Beam, keep_sources: bool, turn: Array, keep_channels: bool = False
) -> tuple[Crystal, Beam, ContinuousSpread]:
    """Replace domains and sources by Gaussian distributions of equal variances.

    Parameters
    ----------
    crystal : Crystal
    beam : Beam
    keep_sources : bool
        Whether the sources stay as they are, as those of a file do.
    turn : (3, 3)
        Rotation of the goniometer, for mosaicity that turns with the crystal.
    keep_channels : bool
        Whether the channels of a spectrum stay, and only directions become a distribution.

    Notes
    -----
    C's rotations have a uniform axis and the angle spread (1 - r^2)^(1/3), r uniform: their variance about each axis is
    a third of the mean squared angle, (0.4964 spread)^2. For n wavelengths in equal steps over a full width X the
    variance of the list is X^2 (n + 1)/(12 (n - 1)); whatever the list, its own variance is taken, and so for
    directions.
    """
    assert crystal.mosaicity is not None
    mosaicity = crystal.mosaicity
    if crystal.mosaic_model in CRYSTAL_FIXED:
        mosaicity = turn @ mosaicity @ turn.T
    still = dataclasses.replace(
        crystal,
        mosaic_rotations=np.eye(3)[np.newaxis],
        domain_weights=None,
        mosaicity=mosaicity,
    )
    if keep_sources:
        return still, beam, ContinuousSpread(mosaicity, 0.0, np.zeros((3, 3)))
    listed = beam.sources
    shares = listed.weights / np.sum(listed.weights)
    deviations = listed.wavelengths / beam.wavelength - 1.0
    bandwidth = float(np.sqrt(np.sum(shares * deviations**2)))
    incident = -listed.directions
    across = incident - np.outer(incident @ beam.direction, beam.direction)
    divergence = np.einsum("n,ni,nj->ij", shares, across, across)
    if keep_channels:
        wavelengths, weights = listed.spectrum
        channels = Sources(np.tile(-beam.direction, (len(weights), 1)), weights, wavelengths)
        return still, dataclasses.replace(beam, sources=channels), ContinuousSpread(mosaicity, 0.0, divergence)
    one = Sources(-beam.direction[np.newaxis], np.ones(1), np.array([beam.wavelength]))
    return still, dataclasses.replace(beam, sources=one), ContinuousSpread(mosaicity, bandwidth, divergence)


def one_direction(grid: SourceGrid, beam: Beam) -> SourceGrid:
    """Return what the report says of sources that have become one, or one for each channel of a spectrum."""
    sources = beam.sources
    return dataclasses.replace(
        grid,
        positions=-SOURCE_DISTANCE * np.tile(beam.direction, (len(sources.weights), 1)),
        weights=sources.weights / np.sum(sources.weights),
        divergences=((0.0, 0.0),),
        wavelengths=tuple(sources.wavelengths.tolist()),
    )
