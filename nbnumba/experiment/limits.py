"""How many orientations and samples an experiment may have, and what may be drawn in closed form."""

from __future__ import annotations

import math

import numpy as np

from ..crystal.ensembles import CRYSTAL_FIXED
from ..crystal.model import Crystal
from ..crystal.spot_shape import GAUSSIAN
from ..errors import InputError, called
from ..kernels.scene import NEVER
from ..parameters.choices import Semantics
from ..parameters.settings import Settings
from ..parameters.steps import domain_count
from ..util.memory import gigabytes, too_little_memory
from .model import Experiment, Sampling

MAX_SIGMA_DEG = 3.0  # of mosaicity in closed form, which follows rotations to second order
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
    if settings.crystal.mosaic_file is None:
        _check_count(steps, domain_count(settings.crystal)[1])


def check_domains(crystal: Crystal, steps: int) -> None:
    """Refuse more orientations than memory holds, of domains that a file lists."""
    _check_count(steps, len(crystal.mosaic_rotations))


def _check_count(steps: int, domains: int) -> None:
    count = steps * domains
    free = too_little_memory(ORIENTATION_BYTES * count)
    if count > MAX_ORIENTATIONS:
        allowed = f"{MAX_ORIENTATIONS}"
    elif free is not None:
        allowed = f"{free // ORIENTATION_BYTES}, for which the {gigabytes(free)} GB of free memory suffice"
    else:
        return
    raise InputError(
        f"{called('phisteps')}, {called('mosaic_domains')}: {steps} x {domains} make {count} orientations of the "
        f"crystal; at most {allowed}"
    )


def check_b_factor(crystal: Crystal, sampling: Sampling) -> None:
    """Refuse a B factor for reflections beyond a list that is interpolated: the list must end where it ends."""
    interpolated = sampling.interpolate and crystal.reflections is not None
    if crystal.B_factor != 0.0 and crystal.default_F != 0.0 and interpolated:
        raise InputError(
            f"{called('B_factor_A2')}: {crystal.B_factor:g} and {called('default_F')} {crystal.default_F:g} do not go "
            "together where reflections are interpolated; give one of them, or no interpolation"
        )


def check_samples(experiment: Experiment) -> None:
    """Refuse an image whose samples cannot be counted in 63 bits; it would never be finished."""
    samples = sum(panel.n_fast * panel.n_slow * panel.sensor.layers for panel in experiment.detector.panels)
    samples *= experiment.sampling.oversample**2 * experiment.goniometer.steps
    samples *= len(experiment.beam.sources.weights) * sum(len(c.mosaic_rotations) for c in experiment.crystals)
    if samples >= NEVER:
        raise InputError(
            f"{called('oversample')}, {called('thicksteps')}, sources, {called('phisteps')}, "
            f"{called('mosaic_domains')}: all pixels together sum over "
            f"{samples:.3g} samples; at most {NEVER:.3g}"
        )


def check_closed_form(experiment: Experiment) -> None:
    """Refuse what cannot be drawn in closed form.

    Raises
    ------
    InputError
        Naming the option that rules it out.
    """
    spread, crystal, sampling = experiment.closed_form, experiment.crystal, experiment.sampling
    if spread is None:
        return
    if crystal.shape not in GAUSSIAN:
        raise InputError(
            f"{called('spread')} continuous: with {called('shape')} {crystal.shape.value}; it takes "
            f"{', '.join(sorted(GAUSSIAN))}"
        )
    if crystal.fudge == 0.0:
        raise InputError(
            f"{called('spread')} continuous: with {called('fudge')} 0, which makes spots without bounds; it must be "
            "positive"
        )
    if sampling.interpolate:
        raise InputError(
            f"{called('spread')} continuous: with {called('interpolate', True)}; give {called('interpolate', False)}"
        )
    switches = sampling.oversample_thick or sampling.oversample_polar or sampling.oversample_omega
    if switches and experiment.semantics is Semantics.C:
        raise InputError(
            f"{called('spread')} continuous: with {called('oversample_thick')}, {called('oversample_polar')} or "
            f"{called('oversample_omega')}; these take "
            f"{called('semantics')} exact"
        )
    if crystal.diffuse is not None:
        raise InputError(
            f"{called('spread')} continuous: with {called('diffuse_gamma_A')} or {called('diffuse_sigma_A')}; a halo "
            f"takes {called('spread')} sampled"
        )
    if crystal.domain_stretches is not None:
        raise InputError(
            f"{called('spread')} continuous: with {called('lattice_spread_percent')}; domains of different cells take "
            f"{called('spread')} sampled"
        )
    variances = np.linalg.eigvalsh(spread.mosaicity)
    uneven = crystal.mosaic_model in CRYSTAL_FIXED and variances[-1] > variances[0] * (1.0 + 1e-9)
    if uneven and np.ptp(experiment.goniometer.angles) > 0.0:
        raise InputError(
            f"{called('spread')} continuous: with {called('mosaic_sigmas_deg')} that differ and several phi steps; the "
            f"mosaicity turns with the crystal, give one phi step or {called('spread')} sampled"
        )
    sigma = math.degrees(math.sqrt(float(variances[-1])))
    if sigma > MAX_SIGMA_DEG:
        raise InputError(
            f"{called('mosaic_spread_deg')}: {math.degrees(crystal.mosaic_spread):g} degrees are a standard "
            f"deviation of {sigma:.3g} about an axis; {called('spread')} continuous takes at most {MAX_SIGMA_DEG:g}"
        )
