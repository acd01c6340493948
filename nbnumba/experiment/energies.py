"""Structure factors that depend on the energy, for the channels of a beam."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..beam.model import Beam
from ..crystal.model import AnomalousFactors, Crystal, EnergyGroup
from ..io.spectrum_file import EV_ANGSTROM
from ..parameters.settings import Settings
from ..structure_factors.load import FactorSource
from ..structure_factors.table import NeededRange
from .resolved import Resolved

if TYPE_CHECKING:
    from ..structure_factors.by_energy import EnergyFactors


def factors_by_energy(
    settings: Settings, factors: FactorSource, reach: NeededRange | None, before: Resolved | None
) -> EnergyFactors | None:
    """Return what structure factors at any energy are made of, as before where that serves; None without -anomalous."""
    if not settings.factors.anomalous:
        return None
    old = None if before is None else before.by_energy
    if before is None or old is None or not before.agrees(settings, "factors"):
        return factors.by_energy(reach)
    return old if reaches(old, settings, reach) else factors.by_energy(reach)


def reaches(factors: EnergyFactors, settings: Settings, reach: NeededRange | None) -> bool:
    """Tell whether what is there serves an image.

    Of a model without a resolution that is given the image decides, and another one may need finer ones.
    """
    from ..structure_factors.from_model import needed_resolution

    return settings.factors.phase_column is not None or factors.d_min <= needed_resolution(
        settings, reach, factors.cell
    )


def with_energies(
    crystal: Crystal, beam: Beam, factors: EnergyFactors, settings: Settings, report: Callable[[str], None]
) -> Crystal:
    """Return a crystal with the structure factors of every channel of a beam.

    Parameters
    ----------
    crystal : Crystal
    beam : Beam
    factors : EnergyFactors
    settings : Settings
        anomalous_bins counts.
    report : callable
        Called with a line of the report.
    """
    energies = EV_ANGSTROM / (beam.sources.wavelengths * 1e10)
    channels, channel_of = np.unique(energies, return_inverse=True)
    tables = factors.tables(channels, settings.factors.anomalous_bins)
    megabytes = 8e-6 * factors.layout.cells * len(tables)
    report(
        f"structure factors by energy: {len(tables)} tables for {len(channels)} energies from {channels[0]:.8g} to "
        f"{channels[-1]:.8g} eV, {megabytes:.3g} MB; anomalous scatterers "
        f"{' '.join(one.name for one in factors.scatterers)}"
    )
    groups = tuple(
        EnergyGroup(np.flatnonzero(np.isin(channel_of.reshape(-1), table.channels)), table.reflections)
        for table in tables
    )
    names = [one.name for one in factors.scatterers]
    anomalous = tuple(
        AnomalousFactors(
            (float(channels[table.channels].min()), float(channels[table.channels].max())),
            tuple(zip(names, map(complex, table.factors), strict=True)),
        )
        for table in tables
    )
    one = groups[len(groups) // 2].reflections
    return dataclasses.replace(
        crystal, reflections=one, energy_groups=groups if len(groups) > 1 else (), anomalous=anomalous
    )
