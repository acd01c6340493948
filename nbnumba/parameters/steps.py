"""Steps and ranges: how C completes what the user said about phi, divergence, dispersion and the sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..constants import DEGREES_PER_RADIAN
from ..errors import InputError, called
from .choices import Semantics

if TYPE_CHECKING:
    from .settings import CrystalSettings

MAX_STEPS = 1_000_000  # of one kind, and of the sources that divergence and dispersion span
MAX_OVERSAMPLE = 10_000
_USUAL_DOMAINS = 10


@dataclass(frozen=True)
class Steps:
    """A range cut into steps: `count` samples, `step` apart, over `extent`."""

    count: int
    extent: float
    step: float


def phi_steps(osc: float | None, step: float | None, count: int | None, semantics: Semantics = Semantics.C) -> Steps:
    """Complete the phi sweep (nanoBragg.c:1386-1438) [rad].

    Parameters
    ----------
    osc, step
        None or negative: not given.
    count
        None or negative: not given; 0 counts as 1.
    semantics
        With `exact` a negative range turns the other way: extent and step are negative.

    Raises
    ------
    InputError
        For more than a million steps.
    """
    # C differs: to it a negative range is not given.
    if semantics is Semantics.EXACT and osc is not None and osc < 0.0:
        forward = phi_steps(-osc, step, count)
        return Steps(forward.count, -forward.extent, -forward.step)
    osc = -1.0 if osc is None else osc
    step = -1.0 if step is None else step
    if count is None or count < 0:
        if osc < 0.0:
            return Steps(1, 0.0, 0.0) if step <= 0.0 else Steps(2, step, step)
        if step <= 0.0:
            return Steps(2, osc, osc / 2.0)
        return Steps(_steps_within(osc, step, ("osc_deg", "phistep_deg")), osc, step)
    count = max(1, count)
    if osc < 0.0:
        if step <= 0.0:
            osc = 1.0 / DEGREES_PER_RADIAN
            return Steps(count, osc, osc / count)
        return Steps(2, step, step)
    return Steps(count, osc, osc / count if step < 0.0 else step)


def _steps_within(extent: float, step: float, names: tuple[str, ...]) -> int:
    """Return how many steps cover a range."""
    steps = extent / step
    if not steps <= MAX_STEPS:
        raise InputError(f"{', '.join(map(called, names))}: {steps:.7g} steps; at most {MAX_STEPS}")
    return math.ceil(steps)


def spread_steps(extent: float | None, step: float | None, count: int | None, names: tuple[str, ...] = ()) -> Steps:
    """Complete a symmetric spread: divergence or dispersion (nanoBragg.c:1440-1618).

    Parameters
    ----------
    extent
        Full range; None or negative: not given.
    step
        None or <= 0: not given.
    count
        None or <= 0: not given. A count alone spreads over 1.
    names
        Parameters that give range and step, for messages.

    Raises
    ------
    InputError
        For more than a million steps.

    Returns
    -------
    Steps
        One step of nothing when range, step or count come out as zero.
    """
    extent = -1.0 if extent is None else extent
    step = -1.0 if step is None else step
    count = 0 if count is None else count
    if count <= 0:
        if extent < 0.0:
            result = Steps(1, 0.0, 0.0) if step <= 0.0 else Steps(2, step, step)
        elif step <= 0.0:
            result = Steps(2, extent, extent)
        else:
            result = Steps(_steps_within(extent, step, names), extent, step)
    elif extent < 0.0:
        result = Steps(count, 1.0, 1.0 / count) if step <= 0.0 else Steps(2, step, step)
    elif step <= 0.0:
        count = max(2, count)
        result = Steps(count, extent, extent / (count - 1))
    else:
        result = Steps(count, extent, step)
    if result.extent <= 0.0 or result.step <= 0.0 or result.count <= 0:
        return Steps(1, 0.0, 0.0)
    return result


def sensor_layers(thickness: float, count: int | None) -> Steps:
    """Cut a sensor into layers (nanoBragg.c:1620-1695) [m].

    A count of layers n makes steps of thickness/(n-1), so that n of them cover more than the sensor;
    a thickness alone makes two layers of half of it.
    """
    count = 0 if count is None else count
    if count <= 0:
        layers = Steps(1, 0.0, 0.0) if thickness < 0.0 else Steps(2, thickness, thickness / 2)
    elif thickness < 0.0:
        layers = Steps(count, 0.5e-6, 0.5e-6 / count)
    else:
        count = max(2, count)
        layers = Steps(count, thickness, thickness / (count - 1))
    if layers.extent <= 0.0 or layers.step <= 0.0:
        return Steps(1, 0.0, 0.0)
    return layers


def domain_count(crystal: CrystalSettings) -> tuple[float, int, str | None]:
    """Complete mosaic spread [rad] and number of domains of a crystal whose domains no file lists.

    Returns
    -------
    spread, count, warning
        As `mosaic_domains`; of several sigmas the largest.
    """
    spread = max(crystal.mosaic_sigmas[:3]) if crystal.mosaic_sigmas else crystal.mosaic_spread
    found = mosaic_domains(spread, crystal.mosaic_domains)
    if found[1] == 1 and any(crystal.lattice_spread):  # domains that differ in their cells
        return found[0], crystal.mosaic_domains or _USUAL_DOMAINS, None
    return found


def mosaic_domains(spread: float | None, count: int | None) -> tuple[float, int, str | None]:
    """Complete mosaic spread [rad] and number of domains (nanoBragg.c:1640-1675).

    Returns
    -------
    spread, count, warning
        The warning is C's line, or None.
    """
    given = 0 if count is None else count
    if spread is None or spread < 0.0:
        warning = "WARNING: no mosaic spread specified.  setting mosaic_domains = 1" if given > 0 else None
        return 0.0, 1, warning
    if spread == 0.0:
        warning = "WARNING: zero mosaic spread specified.  setting mosaic_domains = 1" if given > 0 else None
        return 0.0, 1, warning
    if given <= 0:
        return spread, _USUAL_DOMAINS, "WARNING: finite mosaicity with only one domain! upping to 10 mosaic domains"
    return spread, given, None
