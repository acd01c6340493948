"""How many orientations and samples an experiment may have."""

from __future__ import annotations

from ..errors import InputError
from ..kernels.scene import NEVER
from ..parameters.settings import Settings
from ..parameters.steps import mosaic_domains
from ..util.memory import free_memory, gigabytes
from .model import ExperimentRecord

MAX_ORIENTATIONS = 10_000_000
ORIENTATION_BYTES = 72  # nine float64


def check_orientations(settings: Settings, steps: int) -> None:
    """Refuse more orientations of the crystal than memory holds.

    Parameters
    ----------
    settings : Settings
    steps : int
        Of phi.
    """
    domains = mosaic_domains(settings.crystal.mosaic_spread, settings.crystal.mosaic_domains)[1]
    count = steps * domains
    free = free_memory()
    if count > MAX_ORIENTATIONS:
        allowed = f"{MAX_ORIENTATIONS}"
    elif free is not None and ORIENTATION_BYTES * count > free:
        allowed = f"{free // ORIENTATION_BYTES}, for which the {gigabytes(free)} GB of free memory suffice"
    else:
        return
    raise InputError(
        f"-phisteps, -mosaic_domains: {steps} x {domains} make {count} orientations of the crystal; at most {allowed}"
    )


def check_samples(experiment: ExperimentRecord) -> None:
    """Refuse an image whose samples cannot be counted in 63 bits; it would take millennia anyway."""
    samples = sum(panel.n_fast * panel.n_slow * panel.sensor.layers for panel in experiment.detector.panels)
    samples *= experiment.sampling.oversample**2 * experiment.goniometer.steps
    samples *= len(experiment.beam.sources.weights) * len(experiment.crystal.mosaic_rotations)
    if samples >= NEVER:
        raise InputError(
            f"-oversample, -detector_thicksteps, sources, -phisteps, -mosaic_domains: all pixels together sum over "
            f"{samples:.3g} samples; at most {NEVER:.3g}"
        )
