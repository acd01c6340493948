"""What a parameter changes of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..geometry.vectors import Array


@dataclass(eq=False)
class Change:
    """Derivatives of all that a kernel reads of one scene, by one parameter.

    Attributes
    ----------
    numbers : dict
        From fields of the scene's record to their changes.
    sources : (sources, 5) or None
    strain : (1, 9), (orientations, 9) or None
        S of all orientations, or of each: its axes a, b, c change by S (a, b, c).
    form : (6,)
        Of the first numbers of a form, see `Tangents`.
    log_height : float
        Of the logarithm of what multiplies all intensities.
    table : (cells,) or None
        Of the structure factors.
    """

    numbers: dict[str, Array] = field(default_factory=dict)
    sources: Array | None = None
    strain: Array | None = None
    form: Array = field(default_factory=lambda: np.zeros(6))
    log_height: float = 0.0
    table: Array | None = None

    @property
    def there(self) -> bool:
        """Whether anything changes."""
        arrays = [*self.numbers.values(), self.form, self.sources, self.strain, self.table]
        return self.log_height != 0.0 or any(array is not None and np.any(array != 0.0) for array in arrays)


def along(changes: Sequence[Change], direction: Array) -> Change:
    """Return the change along a direction."""

    def total(parts: Sequence[tuple[float, Array | None]]) -> Array | None:
        there = [share * part for share, part in parts if part is not None and share != 0.0]
        return np.asarray(sum(there)) if there else None

    pairs = [(float(share), change) for share, change in zip(direction, changes, strict=True)]
    result = Change(log_height=sum(share * change.log_height for share, change in pairs))
    for name in {name for change in changes for name in change.numbers}:
        found = total([(share, change.numbers.get(name)) for share, change in pairs])
        if found is not None:
            result.numbers[name] = found
    result.sources = total([(share, change.sources) for share, change in pairs])
    result.strain = total([(share, change.strain) for share, change in pairs])
    result.form = np.asarray(sum(share * change.form for share, change in pairs))
    result.table = total([(share, change.table) for share, change in pairs])
    return result
