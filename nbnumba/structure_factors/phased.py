"""Structure factors with their phases, of an MTZ file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from .table import Cell

_LONGER, _WIDER = 0.01, 1.0  # by which lengths, relatively, and angles [deg] of two cells may differ


@dataclass(frozen=True, eq=False)
class PhasedReflections:
    """Complex structure factors without anomalous terms.

    Attributes
    ----------
    hkl : (n, 3) int64
    values : (n,) complex128
        [electrons]
    operations : gemmi.GroupOps
    cell : (6,) [Angstrom, deg] or None
        That the file states.
    place : str
        Option and path, for messages.
    """

    hkl: NDArray[np.int64]
    values: NDArray[np.complex128]
    operations: Any
    cell: Cell | None
    place: str

    def finest(self, cell: Any) -> float:
        """Return the finest spacing [Angstrom] in a cell (gemmi.UnitCell)."""
        squares = cell.calculate_1_d2_array(np.ascontiguousarray(self.hkl, dtype=np.int32))
        return float(1.0 / np.sqrt(np.max(squares)))

    def check_belongs_to(self, structure: Any, group: Any, model: str) -> None:
        """Refuse a model of another cell or space group: its atoms would be added at other places.

        Raises
        ------
        InputError
            Naming both.
        """
        ours = structure.cell.parameters
        if self.cell is not None:
            longer = np.abs(np.array(self.cell[:3]) / ours[:3] - 1.0).max()
            wider = np.abs(np.array(self.cell[3:]) - ours[3:]).max()
            if longer > _LONGER or wider > _WIDER:
                cells = [" ".join(f"{value:.6g}" for value in six) for six in (self.cell, ours)]
                raise InputError(f"{self.place}: has the cell {cells[0]}, and {model} {cells[1]}; they must agree")
        mine, theirs = ({op.wrap().triplet() for op in ops} for ops in (self.operations, group.operations()))
        if mine != theirs:
            raise InputError(
                f"{self.place}: has other symmetry operations than {model} ({group.xhm()}); with "
                f"{called('phase_column')} they must agree"
            )
