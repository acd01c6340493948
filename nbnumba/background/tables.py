"""Curves of F against sin(theta)/lambda: files, and built-in materials worked out from published values.

Sources
-------
Form factors: International Tables for Crystallography, vol. C, table 6.1.1.4 (as in gemmi). Bond lengths of N2 and O2:
K. P. Huber and G. Herzberg, Constants of diatomic molecules (1979). Dry air: mole fractions of the U.S. Standard
Atmosphere (1976). Ice Ih: cell of K. Röttger et al., Acta Cryst. B50, 644 (1994) at 250 K, oxygen position of
W. F. Kuhs and M. S. Lehmann, J. Phys. Chem. 87, 4312 (1983). Water: 14 points that J. M. Holton distributes with
simtbx.nanoBragg, of which the first is the compressibility limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io import stol_file
from ..io.contents import content_of
from .words import WIDENED

Array = NDArray[np.float64]


class Curve(NamedTuple):
    """A curve, and what the material is like where nothing else is said."""

    points: Array  # (n, 2) stol [1/A], F [electrons per molecule], ascending
    density: float  # g/cm3
    molar_mass: float  # g/mol


_WATER = (
    (0.0, 2.57), (0.0365, 2.58), (0.07, 2.8), (0.12, 5.0), (0.162, 8.0), (0.18, 7.32), (0.2, 6.75), (0.216, 6.75),
    (0.236, 6.5), (0.28, 4.5), (0.3, 4.3), (0.345, 4.36), (0.436, 3.77), (0.5, 3.17),
)  # fmt: skip
_HIGHEST = 2.0  # stol of the last point of a built-in curve; the form factors are given up to there
_STEP = 0.005

_AIR = {"N2": 0.78084, "O2": 0.20948, "AR": 0.00934}  # mole fractions
_BOND = {"N2": ("N", 1.0977), "O2": ("O", 1.2075)}  # A

_ICE_A, _ICE_C = 4.5181, 7.3560  # A
_ICE_Z = 0.0622  # of the oxygen at 1/3 2/3 z
_ICE_B = 1.9  # A^2, of the oxygen at 250 K
_ICE_WIDTHS = {"ice": 0.02, "icerings": 0.0015}  # full width at half maximum of a ring in stol, 1/A
_NARROWEST, _WIDEST = 1e-4, 0.1
_RINGS_END = 0.6  # 1/A, where rings are too weak and too many to tell apart


def load(name: str, option: str) -> Curve:
    """Return a built-in curve, or read one from a file; a name with a / in it is a file's.

    Parameters
    ----------
    name : str
        ``water``, ``air``, ``ice``, ``icerings``, ``icerings=WIDTH`` (of a ring in sin(theta)/lambda, full width at
        half maximum, 1/A), or a file.
    option : str
        The option that named it, for messages.

    Raises
    ------
    FileError, InputError
        See `nbnumba.io.stol_file.read`; a width is not a number from 1e-4 to 0.1.
    """
    kind, equals, width = name.partition("=")
    if name in _BUILT_IN:
        curve = _BUILT_IN[name]()
    elif kind in WIDENED and equals:
        curve = _ice(_checked_width(width, option))
    else:
        return Curve(content_of(stol_file.read, name, option), 1.0, 18.0)
    return curve._replace(points=curve.points.copy())  # others are handed the same one


def _checked_width(text: str, option: str) -> float:
    try:
        width = float(text)
    except ValueError:
        width = math.nan
    if not _NARROWEST <= width <= _WIDEST:
        raise InputError(f"{option}: the width of rings is {text!r}; allowed are {_NARROWEST:g} to {_WIDEST:g} 1/A")
    return width


def form_factor(element: str, stol: Array) -> Array:
    """Return the form factor of an atom [electrons]."""
    import gemmi

    table = gemmi.Element(element).it92
    return np.array([table.calculate_sf(float(s) ** 2) for s in stol])


@cache
def _water() -> Curve:
    """Water, continued beyond its last point in proportion to the form factor of the free molecule."""
    known = np.array(_WATER)
    beyond = np.arange(known[-1, 0] + 0.02, _HIGHEST + 0.01, 0.02)
    free = _free_water(np.append(known[-1, 0], beyond))
    tail = known[-1, 1] * free[1:] / free[0]
    return Curve(np.vstack([known, np.column_stack([beyond, tail])]), 1.0, 18.0)


def _free_water(stol: Array) -> Array:
    """F of a single water molecule, averaged over its orientations (Debye); O-H 0.9572 A, H-O-H 104.52 deg."""
    oxygen, hydrogen = form_factor("O", stol), form_factor("H", stol)
    bond, apart = 0.9572, 2.0 * 0.9572 * math.sin(math.radians(104.52 / 2.0))
    squared = oxygen**2 + 2.0 * hydrogen**2 + 4.0 * oxygen * hydrogen * _sinc(stol, bond)
    return np.asarray(np.sqrt(squared + 2.0 * hydrogen**2 * _sinc(stol, apart)))


def _sinc(stol: Array, distance: float) -> Array:
    """sin(q r)/(q r) with q = 4 pi stol."""
    return np.sinc(4.0 * stol * distance)


@cache
def _air() -> Curve:
    """Dry air of 15 degrees and one atmosphere: single molecules, averaged over their orientations (Debye)."""
    stol = np.arange(0.0, _HIGHEST + _STEP / 2.0, _STEP)
    squared = _AIR["AR"] * form_factor("Ar", stol) ** 2
    for molecule, (element, bond) in _BOND.items():
        squared += _AIR[molecule] * 2.0 * form_factor(element, stol) ** 2 * (1.0 + _sinc(stol, bond))
    return Curve(np.column_stack([stol, np.sqrt(squared)]), 1.225e-3, 28.964)


@lru_cache(maxsize=8)
def _ice(width: float) -> Curve:
    """Powder of hexagonal ice: rings of a width, and between them what thermal motion scatters.

    Parameters
    ----------
    width : float [1/A]
        Full width at half maximum of a ring in stol.

    Notes
    -----
    Averaged over orientations the reflections of a crystal of volume V/Z per molecule make
    F^2 = sum |F_hkl|^2 g(2 stol - 1/d) / (Z V 4 pi / d^2), g a Gaussian of area 1. Each hydrogen is spread over the
    sphere around its oxygen, so that a molecule is the oxygen with a form factor of f_O + 2 f_H sin(q r)/(q r). The
    rings are damped by exp(-2 B stol^2); F_molecule^2 (1 - exp(-2 B stol^2)) lies between them.
    """
    d_star, squared_F = _ice_reflections()
    step = min(width / 10.0, _STEP)
    fine = np.arange(0.0, _RINGS_END + 8.0 * width, step)
    stol = np.concatenate([fine, np.arange(fine[-1] + _STEP, _HIGHEST + _STEP / 2.0, _STEP)])
    squared = _ice_molecule(stol) ** 2 * (1.0 - np.exp(-2.0 * _ICE_B * stol**2))
    sigma = 2.0 * width / (2.0 * math.sqrt(2.0 * math.log(2.0)))  # of 1/d
    volume = _ICE_A**2 * math.sin(math.radians(60.0)) * _ICE_C
    for s, F2 in zip(d_star, squared_F, strict=True):
        near = np.abs(2.0 * stol - s) < 8.0 * sigma
        ring = np.exp(-0.5 * ((2.0 * stol[near] - s) / sigma) ** 2) / (sigma * math.sqrt(2.0 * math.pi))
        squared[near] += F2 * ring / (4.0 * volume * 4.0 * math.pi * s * s)
    # The curve is F: where rings have fallen to nothing a least value keeps its slope finite.
    return Curve(np.column_stack([stol, np.sqrt(np.maximum(squared, 1e-4))]), 0.917, 18.015)


def _ice_molecule(stol: Array) -> Array:
    return form_factor("O", stol) + 2.0 * form_factor("H", stol) * _sinc(stol, 0.98)


def _ice_reflections() -> tuple[Array, Array]:
    """Return 1/d [1/A] and |F|^2, damped, of every reflection of the sphere: all signs, not one of a family."""
    reach = 2.0 * _RINGS_END
    most_h, most_l = math.ceil(reach * _ICE_A * 1.2), math.ceil(reach * _ICE_C)
    h, k, l = np.meshgrid(
        *(np.arange(-n, n + 1) for n in (most_h, most_h, most_l)), indexing="ij"
    )  # fmt: skip
    s = np.sqrt(4.0 / 3.0 * (h * h + h * k + k * k) / _ICE_A**2 + l * l / _ICE_C**2).ravel()
    inside = (s > 0.0) & (s < reach)
    indices, s = np.column_stack([h.ravel(), k.ravel(), l.ravel()])[inside], s[inside]
    z = _ICE_Z
    atoms = [(1 / 3, 2 / 3, z), (2 / 3, 1 / 3, z + 0.5), (2 / 3, 1 / 3, -z), (1 / 3, 2 / 3, 0.5 - z)]
    phases = np.exp(2j * math.pi * (indices @ np.array(atoms).T))
    stol = s / 2.0
    distinct, place = np.unique(np.round(stol, 6), return_inverse=True)
    molecule = _ice_molecule(distinct)[place.reshape(-1)]
    return s, np.abs(phases.sum(axis=1)) ** 2 * molecule**2 * np.exp(-2.0 * _ICE_B * stol**2)


_BUILT_IN: dict[str, Callable[[], Curve]] = {
    "water": _water,
    "air": _air,
    "ice": lambda: _ice(_ICE_WIDTHS["ice"]),
    "icerings": lambda: _ice(_ICE_WIDTHS["icerings"]),
}
