"""Structure factors at any photon energy, of a model whose atoms scatter anomalously.

F(E) of a reflection is F0 + sum of (f' + i f'')(E) A over the kinds of atoms, where F0 is the structure factor without
anomalous terms and A what atoms of the kind would add if each scattered like one electron at a point. F0 and A do not
depend on the energy. That of the Friedel mate has the complex conjugates of F0 and A in their place.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from ..util.memory import gigabytes, too_little_memory
from .scatterers import Scatterer
from .symmetry import Layout
from .table import Cell, ReflectionTable

Array = NDArray[np.float64]

SAME = 0.05  # electrons, by which f' and f'' of channels that share a table may differ


@dataclass(frozen=True, eq=False)
class EnergyTable:
    """A table of structure factors, and the channels that it serves.

    Attributes
    ----------
    channels : (n,) intp
        Numbers of the photon energies that were asked for.
    factors : (kinds,) complex128
        f' + i f'' of every kind of atom, the mean over the channels.
    reflections : ReflectionTable
    """

    channels: NDArray[np.intp]
    factors: NDArray[np.complex128]
    reflections: ReflectionTable


@dataclass(frozen=True, eq=False)
class EnergyFactors:
    """What the structure factors at any photon energy are made of.

    Attributes
    ----------
    scatterers : tuple of Scatterer
        The kinds of atoms.
    normal : (n,) complex128
        F0 of the unique reflections [electrons].
    partial : (kinds, n) complex128
        A of every kind.
    layout : Layout
        Of the tables for P1.
    d_min : float
        Finest spacing [Angstrom].
    cell : (6,) [Angstrom, deg]
        Of the model.
    place : str
        Option and path of the model, for messages.
    """

    scatterers: tuple[Scatterer, ...]
    normal: NDArray[np.complex128]
    partial: NDArray[np.complex128]
    layout: Layout
    d_min: float
    cell: Cell
    place: str
    # Tables of the last image: those of a batch often have the same channels.
    _made: dict[bytes, ReflectionTable] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the tables, which are made anew, and their lock, which cannot be copied."""
        return {name: value for name, value in vars(self).items() if name not in ("_made", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was kept."""
        vars(self).update(state, _made={}, _lock=threading.Lock())

    def tables(self, energies: Array, bins: int | None = None) -> list[EnergyTable]:
        """Make the tables of some photon energies.

        Parameters
        ----------
        energies : (n,) [eV]
        bins : int, optional
            Number of tables, each of as many neighboring energies; by default as few as keep f' and f'' of every kind
            of atom within 0.05 electrons.

        Raises
        ------
        InputError
            The tables do not fit into memory together.
        """
        order = np.argsort(energies, kind="stable")
        factors = np.array([one.factors(energies[order]) for one in self.scatterers]).reshape(-1, len(order))
        groups = np.array_split(np.arange(len(order)), min(bins, len(order))) if bins else _alike(factors)
        self._check_fits(len(groups))
        means = [factors[:, group].mean(axis=1) for group in groups]
        with self._lock:
            made = {mean.tobytes(): self._made.get(mean.tobytes()) or self._table(mean) for mean in means}
            self._made.clear()
            self._made.update(made)
        return [
            EnergyTable(order[group], mean, made[mean.tobytes()]) for group, mean in zip(groups, means, strict=True)
        ]

    def amplitudes(self, factors: NDArray[np.complex128]) -> tuple[Array, Array]:
        """Return |F| of the unique reflections and of their Friedel mates, (n,) each, at f' + i f'' of every kind."""
        plus, minus = self.normal.copy(), self.normal.copy()
        for one, waves in zip(factors, self.partial, strict=True):
            plus += one * waves
            minus += np.conj(one) * waves  # the complex conjugate of the mate's, which has the same amplitude
        return np.abs(plus), np.abs(minus)

    def _table(self, factors: NDArray[np.complex128]) -> ReflectionTable:
        box = self.layout.box
        table = self.layout.table(*self.amplitudes(factors))
        return ReflectionTable(table, box.h_min, box.k_min, box.l_min, box.cells, self.cell)

    def _check_fits(self, count: int) -> None:
        needed = 8 * self.layout.cells * count
        free = too_little_memory(needed)
        if free is not None:
            raise InputError(
                f"{called('anomalous_bins')}: {count} tables of {self.place} take {gigabytes(needed)} GB; allowed are "
                f"the {gigabytes(free)} GB that are free: give fewer, or a coarser {called('hkl_dmin_A')}"
            )


def _alike(factors: NDArray[np.complex128]) -> Sequence[NDArray[np.intp]]:
    """Divide neighboring channels into groups within which no factor differs by more than `SAME`.

    Parameters
    ----------
    factors : (kinds, n)
        By rising energy.
    """
    parts = np.concatenate([factors.real, factors.imag])
    starts = [0]
    low, high = parts[:, 0], parts[:, 0]
    for channel, column in enumerate(parts.T):
        low, high = np.minimum(low, column), np.maximum(high, column)
        if np.any(high - low > SAME):
            starts.append(channel)
            low, high = column, column
    return np.split(np.arange(parts.shape[1]), starts[1:])
