"""The crystal: cell vectors in the laboratory, number of cells, orientations, and its shape's transform."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbnumba.parameters.choices import Shape
from nbnumba.parameters.settings import Settings
from reference.defects import Defects
from reference.randoms import Uniform, cap_rotation, missetting_angles, uniform_rotation
from reference.vectors import Vector, cross, dot, length, matrix_times, scaled, turned, turned_xyz

_ANGSTROM = 1e-10


@dataclass(frozen=True)
class Crystal:
    """Cell axes a, b, c [m] and reciprocal axes [1/Angstrom] of the unrotated crystal, and its size in cells."""

    axes: tuple[Vector, Vector, Vector]
    reciprocal_A: tuple[Vector, Vector, Vector]
    cells: tuple[float, float, float]


def build_crystal(settings: Settings, folder: Path, defects: Defects) -> Crystal:
    """Orient and size the crystal (nanoBragg.c:1790-2085)."""
    lengths, angles = _completed_cell(settings)
    reciprocal = (
        _reciprocal_of_cell(lengths, angles, defects.cell_by_volume)[0] if settings.crystal.cell_given else None
    )
    if settings.crystal.matrix_file is not None:
        reciprocal = _reciprocal_of_matrix(folder / settings.crystal.matrix_file, settings.beam.wavelength)
    assert reciprocal is not None, "neither -cell nor -mat"

    misset = settings.crystal.misset
    if settings.crystal.misset_random:
        assert settings.crystal.misset_seed is not None, "an orientation seeded from the time cannot be repeated"
        uniform = Uniform(settings.crystal.misset_seed)
        # C differs: from a uniform orientation, for it takes 90 degrees for radians.
        rotation = cap_rotation(90.0, uniform) if defects.misset_in_radians else uniform_rotation(uniform)
        misset = missetting_angles(rotation)
    if misset is not None:
        reciprocal = tuple(turned_xyz(v, misset) for v in reciprocal)

    a_star, b_star, c_star = reciprocal
    products = (cross(b_star, c_star), cross(c_star, a_star), cross(a_star, b_star))
    volume_star = dot(a_star, products[0])
    if settings.crystal.cell_given:
        volume = _reciprocal_of_cell(lengths, angles, defects.cell_by_volume)[1]
        products = tuple(
            scaled(p, size / volume / (length(p) or 1.0)) for p, size in zip(products, lengths, strict=True)
        )
        volume_star = 1.0 / volume
    volume = 1.0 / volume_star
    a, b, c = (scaled(p, volume) for p in products)
    reciprocal = tuple(scaled(p, volume_star) for p in (cross(b, c), cross(c, a), cross(a, b)))
    axes = tuple(scaled(v, _ANGSTROM) for v in (a, b, c))
    return Crystal(axes, reciprocal, _cells(settings, axes))


def _completed_cell(settings: Settings) -> tuple[Vector, Vector]:
    a = settings.crystal.cell_lengths_A[0]
    lengths = tuple(size if size > 0.0 else a for size in settings.crystal.cell_lengths_A)
    angles = tuple(angle if angle > 0.0 else math.pi / 2 for angle in settings.crystal.cell_angles)
    return lengths, angles


def _reciprocal_of_cell(
    lengths: Vector, angles: Vector, by_volume: bool
) -> tuple[tuple[Vector, Vector, Vector], float]:
    """Return a* (along x), b* (in the xy plane), c* [1/Angstrom] and the cell's volume [Angstrom^3]."""
    a, b, c = lengths
    alpha, beta, gamma = angles
    half = (alpha + beta + gamma) / 2
    skew = abs(math.sin(half) * math.sin(half - alpha) * math.sin(half - beta) * math.sin(half - gamma))
    volume = 2.0 * a * b * c * math.sqrt(skew)
    if volume <= 0.0:
        volume = sys.float_info.min
    a_star = b * c * math.sin(alpha) * (1.0 / volume)
    b_star = c * a * math.sin(beta) * (1.0 / volume)
    c_star = a * b * math.sin(gamma) * (1.0 / volume)

    def cosine(x: float, y: float, z: float) -> float:
        value = (math.cos(y) * math.cos(z) - math.cos(x)) / (math.sin(y) * math.sin(z))
        return 1.0 if value * value > 1.0 else value  # as C: -1 - epsilon becomes +1 too

    cos_alpha, cos_beta, cos_gamma = cosine(alpha, beta, gamma), cosine(beta, gamma, alpha), cosine(gamma, alpha, beta)
    sin_gamma = min(max(c * (1.0 / volume) / a_star / b_star, -1.0), 1.0)
    vectors = (
        (a_star, 0.0, 0.0),
        (b_star * cos_gamma, b_star * sin_gamma, 0.0),
        (
            c_star * cos_beta,
            c_star * (cos_alpha - cos_beta * cos_gamma) / sin_gamma,
            c_star * volume / (a * b * c * sin_gamma) if by_volume else 1.0 / c,
        ),
    )
    return vectors, volume


def _reciprocal_of_matrix(path: Path, wavelength: float) -> tuple[Vector, Vector, Vector]:
    """Return the columns of a MOSFLM matrix over the wavelength [1/Angstrom]."""
    numbers = [float(word) for word in path.read_text().split()[:9]]
    return tuple(scaled(tuple(numbers[column::3]), _ANGSTROM / wavelength) for column in range(3))


def _cells(settings: Settings, axes: tuple[Vector, ...]) -> tuple[float, float, float]:
    x, y, z = settings.crystal.sample_x, settings.crystal.sample_y, settings.crystal.sample_z
    if settings.beam.beamsize >= 0:
        y, z = min(y, settings.beam.beamsize), min(z, settings.beam.beamsize)
    typed = (settings.crystal.Na, settings.crystal.Nb, settings.crystal.Nc)
    cells = []
    for size, axis, n in zip((x, y, z), axes, typed, strict=True):
        cells.append(math.ceil(size / length(axis)) if size > 0 else n)
    return tuple(float(max(n, 1)) for n in cells)


def interpolates(settings: Settings, crystal: Crystal, defects: Defects) -> bool:
    """Return whether structure factors are to be interpolated where there is a table."""
    if settings.factors.interpolate is not None:
        return settings.factors.interpolate
    typed = (settings.crystal.Na, settings.crystal.Nb, settings.crystal.Nc)
    return min(typed if defects.interpolation_by_typed_size else crystal.cells) <= 2


def phi_angles(settings: Settings, defects: Defects) -> list[float]:
    """Return the spindle angles (nanoBragg.c:1380-1435)."""
    phi, range_ = settings.goniometer.phi, settings.goniometer.osc
    if range_ is not None and range_ < 0.0 and not defects.negative_osc_unset:
        forward = phi_angles(settings.changed(phi=0.0, osc=-range_), defects)
        return [phi - angle for angle in forward]
    osc = settings.goniometer.osc if settings.goniometer.osc is not None and settings.goniometer.osc >= 0.0 else None
    step = settings.goniometer.phistep if settings.goniometer.phistep is not None else -1.0
    count = (
        settings.goniometer.phisteps
        if settings.goniometer.phisteps is not None and settings.goniometer.phisteps >= 0
        else None
    )
    if count is None:
        if osc is None:
            count, step = (1, 0.0) if step <= 0.0 else (2, step)
        elif step <= 0.0:
            count, step = 2, osc / 2.0
        else:
            count = math.ceil(osc / step)
    else:
        count = max(count, 1)
        if osc is None:
            if step <= 0.0:
                step = 1.0 / (180.0 * (1.0 / math.pi)) / count
            else:
                count = 2
        elif step < 0.0:
            step = osc / count
    within = 0.5 if settings.goniometer.phi_sampling == "mid" else 0.0
    return [settings.goniometer.phi + step * (i + within) for i in range(count)]


def orientations(
    settings: Settings, crystal: Crystal, spindle: Vector, defects: Defects
) -> list[tuple[Vector, Vector, Vector]]:
    """Return the cell axes of every phi step (slow) and mosaic domain (fast)."""
    phis = phi_angles(settings, defects)
    rotated = [
        tuple(turned(axis, spindle, phi) for axis in crystal.axes) if phi != 0.0 else crystal.axes for phi in phis
    ]
    if defects.stale_phi0 and any(phis):
        # Axes are turned only where phi is not 0, and otherwise are those of the step before, cyclically.
        for i, phi in enumerate(phis):
            if phi == 0.0:
                j = i
                while phis[j] == 0.0:
                    j = j - 1 if j > 0 else len(phis) - 1
                rotated[i] = rotated[j]
    domains = mosaic_rotations(settings)
    return [tuple(matrix_times(domain, axis) for axis in axes) for axes in rotated for domain in domains]


def mosaic_rotations(settings: Settings) -> list[tuple[float, ...]]:
    """Return a rotation matrix per mosaic domain; the first is the identity."""
    identity = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    spread = settings.crystal.mosaic_spread if settings.crystal.mosaic_spread is not None else -1.0
    count = settings.crystal.mosaic_domains if settings.crystal.mosaic_domains is not None else -1
    if spread <= 0.0:
        return [identity]
    uniform = Uniform(settings.crystal.mosaic_seed)
    matrices = [cap_rotation(spread, uniform) for _ in range(count if count > 0 else 10)]
    return [identity, *matrices[1:]]


def lattice_factor(settings: Settings, crystal: Crystal, offsets: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return the crystal's amplitude in units of one cell's.

    Parameters
    ----------
    offsets : (3, n) h - h0, from the nearest reciprocal-lattice point
    indices : (3, n) h
    """
    na, nb, nc = crystal.cells
    if settings.crystal.shape is Shape.SQUARE:
        factor = np.ones(offsets.shape[1])
        for n, h in zip(crystal.cells, indices, strict=True):
            if n > 1:
                factor = factor * _grating(math.pi * h, n)
        return factor
    if settings.crystal.shape is Shape.ROUND:
        dh, dk, dl = offsets
        radius2 = dh * dh * na * na + dk * dk * nb * nb + dl * dl * nc * nc
        return na * nb * nc * 0.723601254558268 * _sphere(math.pi * np.sqrt(radius2 * settings.crystal.fudge))
    star = [sum(offsets[j] * crystal.reciprocal_A[j][i] for j in range(3)) for i in range(3)]
    radius2 = (star[0] ** 2 + star[1] ** 2 + star[2] ** 2) * na * na * nb * nb * nc * nc
    if settings.crystal.shape is Shape.GAUSS:
        return na * nb * nc * np.exp(-(radius2 / 0.63 * settings.crystal.fudge))
    return na * nb * nc * (radius2 * settings.crystal.fudge < 0.3969)


def _grating(x: np.ndarray, n: float) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x == 0.0, n, np.sin(x * n) / np.sin(x))


def _sphere(x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x == 0.0, 1.0, 3.0 * (np.sin(x) / x - np.cos(x)) / (x * x))
