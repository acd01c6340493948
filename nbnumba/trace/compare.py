"""Two traces of a pixel side by side: the first quantity at which they part, and all of them as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io.atomic import whole_file
from ..version import __version__
from .load import Measure, Quantity, read

# What rounding leaves of a component of a vector or matrix that should be 0, as a fraction of the largest one.
_CANCELLED = 2e-15


@dataclass(frozen=True, eq=False)
class Compared:
    """One quantity of both traces; numbers are those of the component that differs most.

    Attributes
    ----------
    name : str
    where : str
        The name, and the component where there are several.
    first, second : Quantity or None
        None where it is missing in a trace.
    a, b : float
        NaN where it is missing in a file, or holds text or another number of numbers.
    difference : float
        A fraction of A where the tolerance is one, see `unit`; NaN where there are no numbers to compare.
    ratio : float
        B / A; NaN where A is 0.
    unit : str
        "relative" or "absolute".
    allowed : float
    excess : float
        The difference in units of what is allowed.
    trouble : str
        What is different where it is not the numbers; empty else.
    """

    name: str
    where: str
    first: Quantity | None
    second: Quantity | None
    a: float
    b: float
    difference: float
    ratio: float
    unit: str
    allowed: float
    excess: float
    trouble: str = ""

    @property
    def differs(self) -> bool:
        """Whether the difference is larger than what is allowed."""
        return self.excess > 1.0

    @property
    def text(self) -> str:
        """The whole in one line."""
        if self.trouble:
            return f"{self.name}: {self.trouble}"
        ratio = "none, A is 0" if math.isnan(self.ratio) and self.a == 0.0 else f"{self.ratio:.15g}"
        return (
            f"{self.where}: A {self.a:.15g}, B {self.b:.15g}, ratio B/A {ratio}; "
            f"differs by {self.difference:.2g} {self.unit}, allowed {self.allowed:.2g}"
        )


@dataclass(frozen=True)
class Comparison:
    """The result: all quantities in the order of A, and the groups that only one of the two holds."""

    quantities: tuple[Compared, ...]
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]

    @property
    def differences(self) -> tuple[Compared, ...]:
        """Those that differ by more than is allowed."""
        return tuple(each for each in self.quantities if each.differs)

    @property
    def compared(self) -> int:
        """How many quantities were compared."""
        return len(self.quantities)

    def lines(self) -> Iterator[str]:
        """Yield the result as text."""
        differences = self.differences
        if differences:
            yield differences[0].text
            yield f"{len(differences)} of {self.compared} quantities differ; this is the first"
        else:
            closest = max(self.quantities, key=lambda each: each.excess)
            more = f"; closest to its limit: {closest.text}" if closest.excess > 0.0 else ""
            yield f"the traces agree: {self.compared} quantities{more}"
        for label, groups in (("A", self.only_in_a), ("B", self.only_in_b)):
            if groups:
                yield f"only in {label}, not compared: {', '.join(groups)}"

    def table(self) -> Iterator[str]:
        """Yield a line for every quantity, at the component that differs most."""
        rows = [("quantity", "A", "B", "difference", "ratio B/A", "")]
        rows += [_cells(each) for each in self.quantities]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        for row in rows:
            yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[5]]).rstrip()

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON: numbers that are not finite or not defined are null."""
        return {
            "format": "nbnumba comparison of traces",
            "made_by": f"nbnumba {__version__}",
            "agree": not self.differences,
            "compared": self.compared,
            "different": len(self.differences),
            "only_in_a": list(self.only_in_a),
            "only_in_b": list(self.only_in_b),
            "quantities": [
                {
                    "name": each.name,
                    "a": _values(each.first),
                    "b": _values(each.second),
                    "difference": _finite(each.difference),
                    "unit": each.unit,
                    "ratio": _finite(each.ratio),
                    "allowed": _finite(each.allowed),
                    "differs": each.differs,
                }
                for each in self.quantities
            ],
        }

    def write(self, path: str) -> None:
        """Write everything as JSON.

        Raises
        ------
        FileError
            When the file cannot be written.
        """
        with whole_file(path) as file:
            file.write(json.dumps(self.as_dict(), indent=1, allow_nan=False).encode() + b"\n")


def compare_traces(path_a: str, path_b: str, tolerance: float | None = None) -> Comparison:
    """Compare two traces quantity by quantity.

    Parameters
    ----------
    path_a, path_b : str
        Text with TRACE_C or TRACE_PY lines, other lines between them allowed, or a trace file in JSON.
    tolerance : float, optional
        For every quantity: a fraction of its value, and for h, k and l the difference itself. By default
        1e-11 for geometry and cell, 1e-9 for amplitudes and intensities, 1e-9 for h, k and l, and one unit in
        the last place for what is stored as float32.

    Raises
    ------
    InputError
        For a file that is not a trace, a tolerance that is negative, or traces without a quantity in common.
    FileError
        For a file that cannot be read.
    """
    if tolerance is not None and not (math.isfinite(tolerance) and tolerance >= 0.0):
        raise InputError(f"-tolerance: {tolerance:g} is out of range; allowed: a number of at least 0")
    a, b = read(path_a), read(path_b)
    groups_a, groups_b = _groups(a), _groups(b)
    shared = [group for group in groups_a if group in groups_b]
    if not shared:
        raise InputError(f"{path_a}, {path_b}: these traces have no quantity in common")
    names = [q.name for q in a.values() if q.group in shared]
    names += [q.name for q in b.values() if q.group in shared and q.name not in a]
    return Comparison(
        tuple(_compare(name, a.get(name), b.get(name), tolerance) for name in names),
        tuple(group or "the quantities" for group in groups_a if group not in shared),
        tuple(group or "the quantities" for group in groups_b if group not in shared),
    )


def _groups(trace: dict[str, Quantity]) -> list[str]:
    return list(dict.fromkeys(q.group for q in trace.values()))


def _compare(name: str, a: Quantity | None, b: Quantity | None, tolerance: float | None) -> Compared:
    """Compare one quantity at the component that differs most."""
    trouble = _trouble(a, b)
    if a is None or b is None or trouble or a.numbers.size == 0:
        excess, gap = (math.inf, math.nan) if trouble else (0.0, 0.0)
        return Compared(name, name, a, b, math.nan, math.nan, gap, math.nan, "", 0.0, excess, trouble)
    measure = a.measure
    allowed = measure.allowed if tolerance is None else tolerance
    x, y = a.numbers, b.numbers
    gaps, excesses = _excess(x, y, measure, allowed)
    worst = int(np.argmax(excesses))
    one, other = float(x[worst]), float(y[worst])
    amount = float(gaps[worst])
    if measure.relative and one != 0.0:
        amount /= abs(one)
    return Compared(
        name=name,
        where=f"{name}[{worst}]" if x.size > 1 else name,
        first=a,
        second=b,
        a=one,
        b=other,
        difference=amount,
        ratio=other / one if one != 0.0 else math.nan,
        unit="relative" if measure.relative else "absolute",
        allowed=allowed,
        excess=float(excesses[worst]),
    )


def _trouble(a: Quantity | None, b: Quantity | None) -> str:
    """Return what keeps two quantities from being compared as numbers; empty where their text is the same."""
    if a is None or b is None:
        return f"missing in {'A' if a is None else 'B'}"
    if a.text or b.text:
        held = [each.text or " ".join(f"{number:.15g}" for number in each.numbers) for each in (a, b)]
        return "" if held[0] == held[1] else f"A {held[0][:60]!r}, B {held[1][:60]!r}"
    if a.numbers.shape != b.numbers.shape:
        return f"{a.numbers.size} numbers in A, {b.numbers.size} in B"
    return ""


def _excess(
    x: NDArray[np.float64], y: NDArray[np.float64], measure: Measure, allowed: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the differences, and the same in units of what is allowed."""
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(same, 0.0, np.abs(x - y))
        limit = np.full(x.shape, allowed)
        if measure.relative:
            size = np.maximum(np.abs(x), np.abs(y))
            limit = allowed * size
            if measure is Measure.GEOMETRY and allowed > 0.0:
                limit += _CANCELLED * size.max()
        excess = np.where(same, 0.0, gap / limit)
    excess[np.isnan(excess)] = math.inf  # a number on one side, NaN or infinity on the other
    return gap, excess


def _cells(each: Compared) -> tuple[str, str, str, str, str, str]:
    verdict = "DIFFERS" if each.differs else ""
    if each.trouble or not each.unit:
        same = each.first.text if each.first is not None else ""
        return each.name, *((each.trouble, "") if each.trouble else (same[:60], same[:60])), "", "", verdict
    ratio = "" if math.isnan(each.ratio) else f"{each.ratio:.15g}"
    return each.where, f"{each.a:.15g}", f"{each.b:.15g}", f"{each.difference:.3g} {each.unit}", ratio, verdict


def _values(quantity: Quantity | None) -> list[float | None] | str | None:
    if quantity is None:
        return None
    return quantity.text or [_finite(number) for number in quantity.numbers.tolist()]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
