r"""A spot, summed over rotation and detector, holds the photons of the kinematic theory.

A pixel is r_e² Φ P dΩ F² |S(h)|², averaged over the phi steps: Φ [photons/m²] is the fluence of the whole exposure,
S = product of sin(pi N h)/sin(pi h) the lattice sum and P the polarization factor. A crystal that turns through the
angle φ_range at a constant rate therefore diffracts, from one reflection,

    E = r_e² Φ F² P / φ_range · ∫∫ |S|² dΩ dφ.

The scattering vector q = (s - s0)/λ, with s the unit vector to the pixel, sweeps a volume of the crystal's reciprocal
space: a step dΩ moves it along the Ewald sphere, of radius 1/λ, by an area dΩ/λ², and a step dφ about the spindle u
moves the sphere through the crystal, along its normal s, by |(u x q) · s| dφ. So

    dΩ dφ = λ² / |(u x q) · s| d³q,   d³q = d³h / V_cell.

The integral of sin²(pi N h)/sin²(pi h) over one period of h is N exactly (the square of a sum of N phase factors, of
which only the N diagonal terms survive). A reflection list with a single entry lights exactly one period along each
axis, for a sample takes F from the nearest whole indices. With Na Nb Nc = V_crystal / V_cell,

    E = r_e² Φ F² P λ³ V_crystal / V_cell² / (λ |(u x q) · s| φ_range),

which is Darwin's formula; 1/(λ |(u x q) · s|) is the Lorentz factor, 1/sin(2θ) for a spindle along u perpendicular to
the plane of incidence.

What is left are the width of the period, over which P and the Lorentz factor vary (they are those of its middle
here; second order in the spot's width over |h|), and the sampling by pixels and phi steps. Found, sum of the
engine's pixels over the formula, minus 1:

    phi steps x sub-pixels    100 x 1     300 x 2     600 x 3
    cubic, 10 x 10 x 10      +1.6e-5     -2.2e-5     -3.0e-5
    triclinic, 12 x 9 x 8    +3.5e-4     -1.3e-4     -2.1e-4
    Gaussian spot            +0.3e-5     -1.5e-5     -2.1e-5

The Gaussian spot has an integral of its own, see `Spot.lattice_integral`: C does not put it on Darwin's scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from closed_forms import R_E_SQUARED, Render, render

__all__ = ["render"]  # the fixture

F, FLUENCE = 50.0, 1e26  # electrons, photons/m²
BEAM, SPINDLE = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])  # MOSFLM's axes
DISTANCE, PIXELS = 0.1, 90  # m, along each edge


@dataclass(frozen=True)
class Spot:
    """A reflection of a crystal and what it takes to record all of it."""

    cell: tuple[float, float, float, float, float, float]  # Angstrom, degrees
    index: tuple[int, int, int]
    cells: tuple[int, int, int]
    wavelength: float = 1.0  # Angstrom
    kahn: float = 0.0
    shape: str = "-square_xtal"

    @property
    def direct(self) -> np.ndarray:
        """Return rows a, b, c [Angstrom] in the orientation in which -cell puts a*, b*, c*."""
        a, b, c, alpha, beta, gamma = (*self.cell[:3], *(math.radians(x) for x in self.cell[3:]))
        metric = np.array(
            [
                [a * a, a * b * math.cos(gamma), a * c * math.cos(beta)],
                [a * b * math.cos(gamma), b * b, b * c * math.cos(alpha)],
                [a * c * math.cos(beta), b * c * math.cos(alpha), c * c],
            ]
        )
        # a* along x, b* in the xy plane: the columns of an upper triangular matrix.
        reciprocal = np.linalg.cholesky(np.linalg.inv(metric)).T
        return np.linalg.inv(reciprocal)

    @property
    def volume(self) -> float:
        return abs(np.linalg.det(self.direct))

    def reciprocal_point(self, index: np.ndarray) -> np.ndarray:
        """Return h a* + k b* + l c* [1/Angstrom] at phi = 0."""
        return np.linalg.inv(self.direct) @ index

    def phi_at_reflection(self) -> float:
        """Return the spindle angle [rad] at which the reflection is on the Ewald sphere: q_x = -λ q²/2."""
        x, y, z = self.reciprocal_point(np.array(self.index))
        q2 = x * x + y * y + z * z
        return math.acos(-self.wavelength * q2 / 2 / math.hypot(x, y)) - math.atan2(y, x)

    def turned(self, q: np.ndarray, phi: float) -> np.ndarray:
        c, s = math.cos(phi), math.sin(phi)
        return np.array([c * q[0] - s * q[1], s * q[0] + c * q[1], q[2]])

    def extent(self) -> tuple[float, np.ndarray, float]:
        """Return the range of phi [rad], and center (fast, slow) and width [m] on the detector, of one period."""
        half = [np.array(self.index) + 0.5 * np.array([i, j, k]) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]
        middle = self.phi_at_reflection()
        angles, places = [], []
        for index in half:
            x, y, z = self.reciprocal_point(index)
            q2 = x * x + y * y + z * z
            phi = math.acos(-self.wavelength * q2 / 2 / math.hypot(x, y)) - math.atan2(y, x)
            ray = BEAM + self.wavelength * self.turned(np.array([x, y, z]), phi)
            angles.append(abs(phi - middle))
            places.append(DISTANCE * np.array([ray[2], -ray[1]]) / ray[0])
        low, high = np.min(places, axis=0), np.max(places, axis=0)
        return 2.1 * max(angles), (low + high) / 2, 1.1 * float(np.max(high - low))

    def lattice_integral(self) -> float:
        """Return the integral of |S|² over one period of h, k, l."""
        n = math.prod(self.cells)
        if self.shape == "-gauss_xtal":
            # exp(-2 |dq|² n² / 0.63), dq in 1/Angstrom, over all of reciprocal space, of which a cell takes 1/V.
            return n**2 * (math.pi * 0.63 / 2) ** 1.5 / n**3 * self.volume
        return n

    def expected(self, phi_range: float) -> float:
        """Return the photons of the whole spot."""
        q = self.turned(self.reciprocal_point(np.array(self.index)), self.phi_at_reflection())
        ray = BEAM + self.wavelength * q
        cos2 = ray[0] ** 2
        along, across = ray[2] ** 2, ray[1] ** 2  # E-vector along z
        polarization = (1 + cos2 - self.kahn * (along - across) / (along + across) * (1 - cos2)) / 2
        lorentz = 1 / (self.wavelength * abs(np.dot(np.cross(SPINDLE, q), ray)))
        wavelength, volume = self.wavelength * 1e-10, self.volume * 1e-30
        photons = R_E_SQUARED * FLUENCE * F**2 * polarization * wavelength**3 / volume * self.lattice_integral()
        return photons * lorentz / phi_range


def measured(spot: Spot, render: Render, steps: int, oversample: int) -> tuple[float, float, np.ndarray]:
    """Return the spot's photons as rendered, the range of phi [rad] and the image."""
    phi_range, (fast, slow), width = spot.extent()
    pixel = width / PIXELS
    start = math.degrees(spot.phi_at_reflection() - phi_range / 2 + phi_range / steps / 2)
    # MOSFLM: Xbeam along slow, Ybeam along fast, half a pixel less than the true place.
    x_beam, y_beam = width / 2 - slow - pixel / 2, width / 2 - fast - pixel / 2
    Path("one.hkl").write_text("{} {} {} {}\n".format(*spot.index, F))
    image = render(
        f"-cell {' '.join(str(x) for x in spot.cell)} -hkl one.hkl -nointerpolate"
        f" -lambda {spot.wavelength} {spot.shape}"
        f" -Na {spot.cells[0]} -Nb {spot.cells[1]} -Nc {spot.cells[2]} -fluence {FLUENCE} -polar {spot.kahn}"
        f" -distance {DISTANCE * 1e3} -pixel {pixel * 1e3:.16g} -detpixels {PIXELS} -oversample {oversample}"
        f" -Xbeam {x_beam * 1e3:.16g} -Ybeam {y_beam * 1e3:.16g}"
        f" -phi {start:.16g} -osc {math.degrees(phi_range):.16g} -phisteps {steps}"
    )
    return float(image.sum(dtype=np.float64)), phi_range, image


CUBIC = Spot((100, 100, 100, 90, 90, 90), (14, 20, 9), (10, 10, 10))
TRICLINIC = Spot((60, 75, 90, 82, 97, 108), (12, 9, -14), (12, 9, 8), wavelength=1.3, kahn=0.8)
GAUSS = Spot((80, 85, 90, 90, 100, 90), (10, 13, 12), (9, 9, 9), shape="-gauss_xtal")


@pytest.mark.parametrize("spot", [CUBIC, TRICLINIC, GAUSS], ids=["cubic", "triclinic", "gauss"])
def test_photons_of_a_spot(spot: Spot, render: Render) -> None:
    photons, phi_range, image = measured(spot, render, steps=300, oversample=2)
    # All of the period is on the detector, with a dark rim.
    assert not np.concatenate([image[[0, -1]].ravel(), image[:, [0, -1]].ravel()]).any()
    assert np.count_nonzero(image) > 1000
    ratio = photons / spot.expected(phi_range)
    # The figures of the docstring, and room for another processor's vector units.
    assert abs(ratio - 1) < 1e-3, f"{ratio:.6f}"


def test_twice_the_crystal_twice_the_photons(render: Render) -> None:
    small, _, _ = measured(CUBIC, render, steps=200, oversample=2)
    large, _, _ = measured(Spot(CUBIC.cell, CUBIC.index, (20, 10, 10)), render, steps=400, oversample=3)
    # Both integrals are good to 1e-3.
    assert abs(large / small - 2) < 4e-3
