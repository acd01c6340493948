"""The Scene: the flat arrays and numbers that a kernel reads.

Everything that does not depend on the pixel is worked out here, once. The two semantics differ only in what
stands in a Scene: the kernels do not know which of them they draw.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..background.water import water_photons_per_steradian
from ..constants import R_E_SQUARED
from ..crystal.ensembles import CRYSTAL_FIXED
from ..crystal.model import Crystal
from ..crystal.spot_shape import GAUSSIAN, TOPHATS, SpotShape, number_matrix, spot_shape
from ..detector.model import Panel
from ..detector.resolution import finest_spacing
from ..errors import InputError, called
from ..geometry.vectors import Array, cross, dot, rotate_about
from ..kernels.scene import CURVED, CURVED_AS_C, FLAT, GAUSS, MOST_OPERATIONS, NEVER, ROUND, SQUARE, TOPHAT, Scene
from ..parameters.choices import Semantics, Shape
from ..structure_factors.b_factor import attenuated, largest_indices
from .model import Experiment
from .scattering_range import EVERYTHING, scattering_range
from .spot_reach import spot_reach

_NO_MASK: NDArray[np.uint8] = np.zeros((0, 0), dtype=np.uint8)
SHAPES = {Shape.SQUARE: SQUARE, Shape.ROUND: ROUND} | dict.fromkeys(GAUSSIAN, GAUSS) | dict.fromkeys(TOPHATS, TOPHAT)


class _Shared(NamedTuple):
    """What the panels of a detector have in common."""

    table: Array  # (nh, nk, nl), padded
    minima: tuple[int, int, int]
    sources: Array
    orientations: Array
    weights: Array
    largest_F: float  # where the reach of spots needs it, else 0
    reflections: int  # not 0; where spots are in closed form, else 0
    spot: SpotShape
    weighted: bool  # whether any source or orientation has another weight than 1
    numbers: dict[str, Any]  # fields of the record that no panel changes


def build_scenes(experiment: Experiment) -> list[Scene]:
    """Flatten an experiment of one pass: one scene for each panel, with arrays that they share."""
    shared = _shared(experiment)
    return [_scene(experiment, panel, shared) for panel in experiment.detector.panels]


def build_surroundings(experiment: Experiment) -> list[Scene]:
    """Flatten what materials around the crystals need: panels, all sources, and a crystal without reflections."""
    bare = dataclasses.replace(
        experiment.crystals[0],
        mosaic_rotations=np.eye(3)[np.newaxis],
        domain_weights=None,
        domain_stretches=None,
        diffuse=None,
        reflections=None,
        B_factor=0.0,
    )
    return build_scenes(dataclasses.replace(experiment, crystals=(bare,)))


def build_scene(experiment: Experiment, panel_index: int = 0) -> Scene:
    """Flatten one panel of an experiment of one pass."""
    return _scene(experiment, experiment.detector.panels[panel_index], _shared(experiment))


def _shared(experiment: Experiment) -> _Shared:
    if len(experiment.crystals) != 1:
        raise InputError(f"crystals: there are {len(experiment.crystals)}; one is needed here")
    table, minima = _padded_table(experiment)
    everywhere = experiment.crystal.shape in (Shape.SQUARE, Shape.ROUND)
    orientations = orientations_of(experiment)
    sources, weights, spot = sources_of(experiment), _weights(experiment), spot_shape(experiment.crystal)
    sums = _sum(experiment, sources, weights)
    # Where terms are the whole of the sum: not where factors compound, nor where spots overlap.
    bounded = not sums["compound"] and experiment.closed_form is None
    near = scattering_range(experiment, table, minima, orientations) if bounded else EVERYTHING
    return _Shared(
        table=table,
        minima=minima,
        sources=sources,
        orientations=orientations,
        weights=weights,
        spot=spot,
        weighted=bool(np.any(sources[:, 4] != 1.0) or np.any(weights != 1.0)),
        numbers={
            **_crystal(experiment, spot),
            **_structure_factors(experiment, table, minima),
            **sums,
            **near.numbers(sources),
        },
        reflections=0 if experiment.closed_form is None else _count_reflections(experiment, table),
        largest_F=0.0 if everywhere else max(float(table.max()), -float(table.min())),
    )


def _scene(experiment: Experiment, panel: Panel, shared: _Shared) -> Scene:
    """Put the scene of one panel together."""
    return Scene.of(
        mask=mask_of(panel) if _is_rendered(experiment, panel) else np.zeros((panel.n_slow, panel.n_fast), np.uint8),
        sources=shared.sources,
        orientations=shared.orientations,
        weights=shared.weights,
        flat=shared.table.reshape(-1),
        **shared.numbers,
        **_region(experiment, panel),
        **_detector(experiment, panel),
        **_reach(experiment, panel, shared),
        **_factors_of_terms(experiment, panel, shared),
    )


def mask_of(panel: Panel) -> NDArray[np.uint8]:
    """Return the mask of a panel as kernels read it."""
    return _NO_MASK if panel.mask is None else np.ascontiguousarray(panel.mask).view(np.uint8)


def _is_rendered(experiment: Experiment, panel: Panel) -> bool:
    panels, chosen = experiment.detector.panels, experiment.sampling.panel
    return len(panels) == 1 or chosen is None or panel is panels[chosen]


def _region(experiment: Experiment, panel: Panel) -> dict[str, Any]:
    """Fields of the pixels that are rendered."""
    sampling = experiment.sampling
    whole = (0, panel.n_fast - 1, 0, panel.n_slow - 1)
    one = len(experiment.detector.panels) == 1 or sampling.panel is not None
    region = sampling.roi if one and _is_rendered(experiment, panel) else whole
    return {
        "n_slow": panel.n_slow,
        "n_fast": panel.n_fast,
        "slow_first": region[2],
        "slow_last": region[3],
        "fast_first": region[0],
        "fast_last": region[1],
        "oversample": sampling.oversample,
    }


def _detector(experiment: Experiment, panel: Panel) -> dict[str, Any]:
    """Fields of the detector and its sensor."""
    detector, exact = experiment.detector, experiment.semantics is Semantics.EXACT
    bend_fast, bend_slow = _bend_signs(experiment, panel)
    return {
        "pixel_fast": panel.pixel_sizes[0],
        "pixel_slow": panel.pixel_sizes[1],
        "origin": panel.origin,
        "fast": panel.fast,
        "slow": panel.slow,
        "normal": panel.normal,
        "distance": panel.distance,
        "close_distance": panel.close_distance,
        "beam_fast": detector.center.Fbeam,
        "beam_slow": detector.center.Sbeam,
        "bend_fast": bend_fast,
        "bend_slow": bend_slow,
        "surface": (CURVED if exact else CURVED_AS_C) if detector.curved else FLAT,
        "point_pixel": detector.point_pixel,
        "layers": panel.sensor.layers,
        "layer_step": panel.sensor.layer_step,
        "mu": panel.sensor.mu,
        # C differs: with -oversample_thick it computes a capture, of 0, for a sensor that is not there.
        "sensor": panel.sensor.thickness != 0.0 or (experiment.sampling.oversample_thick and not exact),
    }


def _crystal(experiment: Experiment, spot: SpotShape) -> dict[str, Any]:
    """Fields of the crystal."""
    crystal = experiment.crystal
    return {
        "domains": len(crystal.mosaic_rotations),
        "N": number_matrix(crystal),
        "shape": SHAPES[crystal.shape],
        "fudge": crystal.fudge,
        # C differs: its sinc3 loses its digits near the middle of a spot.
        "sinc3_cancels": experiment.semantics is not Semantics.EXACT,
        "triangle": spot.triangle,
        "spot_scale": spot.scale,
        "spot_height": spot.height,
        "spot_width": spot.width,
        "spot_limit": spot.limit,
        **_spread(experiment),
    }


def _reach(experiment: Experiment, panel: Panel, shared: _Shared) -> dict[str, Any]:
    """Fields of where spots end on a panel."""
    reach = spot_reach(experiment, panel, shared.spot, shared.largest_F, shared.reflections)
    return {"spot_stretch": reach.stretch, "spot_brightness": reach.brightness, "reach": reach.squared_radius}


def _spread(experiment: Experiment) -> dict[str, Any]:
    """Fields of spots in closed form."""
    spread = experiment.closed_form
    return {
        "continuous": spread is not None,
        "mosaicity": np.zeros((3, 3)) if spread is None else spread.mosaicity,
        "bandwidth": 0.0 if spread is None else spread.bandwidth,
        "divergence": np.zeros((3, 3)) if spread is None else spread.divergence,
    }


def _structure_factors(experiment: Experiment, table: Array, minima: tuple[int, int, int]) -> dict[str, Any]:
    """Fields of the table of structure factors."""
    return {
        **dict(zip(("nh", "nk", "nl"), table.shape, strict=True)),
        **dict(zip(("h_min", "k_min", "l_min"), minima, strict=True)),
        "interpolate": experiment.interpolate,
        # C has no halo, and its latch no part in one.
        "latching": experiment.semantics is not Semantics.EXACT and experiment.crystal.diffuse is None,
        "latch": NEVER,
        **_halo(experiment.crystal),
    }


def _halo(crystal: Crystal) -> dict[str, Any]:
    """Fields of diffuse scattering."""
    halo, matrices = crystal.diffuse, np.zeros((MOST_OPERATIONS, 18))
    if halo is None:
        return {"halo_count": 0, "halo_stencil": 0, "halo_scale": 0.0, "halo_only": False, "halo": matrices}
    found = halo.matrices(crystal.orientation, crystal.upright_reciprocal)
    matrices[: len(found)] = found
    return {
        "halo_count": len(found),
        "halo_stencil": halo.stencil,
        "halo_scale": halo.scale,
        "halo_only": halo.only,
        "halo": matrices,
    }


def _factors_of_terms(experiment: Experiment, panel: Panel, shared: _Shared) -> dict[str, Any]:
    """Fields that say by what each term is multiplied."""
    sampling, exact = experiment.sampling, experiment.semantics is Semantics.EXACT
    weigh_layers = exact and panel.sensor.thickness != 0.0
    switches = sampling.oversample_thick or sampling.oversample_polar or sampling.oversample_omega
    per_pixel = switches or weigh_layers or sampling.dmin > 0.0
    return {"weigh_layers": weigh_layers, "plain": not (per_pixel or shared.weighted), "per_pixel": per_pixel}


def _sum(experiment: Experiment, sources: Array, weights: Array) -> dict[str, Any]:
    """Fields of the beam, of the factors of each term, and of what scales the sum."""
    sampling, beam, exact = experiment.sampling, experiment.beam, experiment.semantics is Semantics.EXACT
    switches = sampling.oversample_thick or sampling.oversample_polar or sampling.oversample_omega
    water = water_photons_per_steradian(experiment.water_size, experiment.fluence)
    return {
        "beam": beam.direction,
        "polar_axis": beam.polarization_axis,
        "kahn": beam.polarization,
        # C differs: -oversample_polar undoes -nopolar.
        "polarized": not beam.nopolar or (sampling.oversample_polar and not exact),
        "dmin": max(0.0, sampling.dmin),
        "oversample_thick": sampling.oversample_thick,
        "oversample_polar": sampling.oversample_polar,
        "oversample_omega": sampling.oversample_omega,
        "compound": switches and not exact,
        "photons": R_E_SQUARED * (experiment.fluence * experiment.share) / (experiment.steps * float(np.mean(weights))),
        # C differs: it puts the water into the sum, where fluence and steps scale it once more.
        "water_start": 0.0 if exact else water,
        "water_end": water if exact else 0.0,
        "skip_empty": exact or experiment.water_size == 0.0,
    }


def _padded_table(experiment: Experiment) -> tuple[Array, tuple[int, int, int]]:
    """Return the reflections with their border of default_F; an index clipped to the border needs no test."""
    reflections, crystal = experiment.reflections, experiment.crystal
    if crystal.B_factor != 0.0:
        return _attenuated_table(experiment)
    if reflections is None:
        return np.full((2, 2, 2), experiment.default_F), (0, 0, 0)
    return reflections.bordered_by(experiment.default_F), (reflections.h_min, reflections.k_min, reflections.l_min)


def _attenuated_table(experiment: Experiment) -> tuple[Array, tuple[int, int, int]]:
    """Return the reflections, and those of default_F as far as the detector sees, weakened by the B factor."""
    crystal = experiment.crystal
    largest = largest_indices(crystal.real_space, finest_spacing(experiment.detector, experiment.beam))
    return attenuated(
        experiment.reflections,
        crystal.default_F,
        crystal.B_factor,
        # As drawn: in `c` the reciprocal axes of a triclinic -cell are not quite those of a, b, c.
        np.asarray(np.linalg.inv(crystal.real_space * 1e10).T),
        largest,
        called("B_factor_A2"),
    )


def _count_reflections(experiment: Experiment, table: Array) -> int:
    """Number of reflections that can add to the image."""
    if experiment.default_F == 0.0:
        return int(np.count_nonzero(table))
    longest = 2.0 / float(experiment.beam.sources.wavelengths.min())
    lengths = np.linalg.norm(experiment.crystal.real_space, axis=1)
    return math.prod(2 * math.ceil(1.5 * length * longest) + 1 for length in lengths)


def orientations_of(experiment: Experiment) -> Array:
    """Real-space vectors of every phi step and, innermost, mosaic domain, (n, 9) [m].

    Under the semantics of C a step at exactly phi = 0 reuses the orientation of the step before it, the last
    step's when it comes first: C leaves the rotated vectors as they are there (nanoBragg.c:2780-2795).
    """
    gonio = experiment.goniometer
    cell = experiment.crystal.real_space
    angles = gonio.angles
    if experiment.semantics is Semantics.C and np.any(angles != 0.0):
        for i in np.flatnonzero(angles == 0.0):
            angles[i] = angles[i - 1]
    turned = np.array(
        [[rotate_about(v, gonio.spindle, float(phi)) if phi != 0.0 else v for v in cell] for phi in angles]
    )
    crystal = experiment.crystal
    if crystal.mosaic_model in CRYSTAL_FIXED and np.any(angles != 0.0):
        turns = np.array([gonio.turn(float(phi)) for phi in angles])
        domains = np.einsum("pij,djk,plk->pdil", turns, crystal.mosaic_rotations, turns, optimize=True)
        everything = np.einsum("pdij,pvj->pdvi", domains, turned)
    else:
        everything = np.einsum("dij,pvj->pdvi", crystal.mosaic_rotations, turned)
    if crystal.domain_stretches is not None:
        everything *= crystal.domain_stretches[None, :, :, None]
    return np.ascontiguousarray(everything.reshape(-1, 9))


def _weights(experiment: Experiment) -> Array:
    """Weight of every orientation, (n,)."""
    crystal, gonio = experiment.crystal, experiment.goniometer
    if crystal.domain_weights is None:
        return np.ones(len(crystal.mosaic_rotations) * gonio.steps)
    return np.tile(crystal.domain_weights, gonio.steps)


def sources_of(experiment: Experiment) -> Array:
    """Incident direction, 1/wavelength and weight of every source, (n, 5).

    A source of weight 0 is left out: it would lend the pixels its polarization.
    """
    listed, weights = experiment.beam.sources, experiment.weights
    sources = np.column_stack([-listed.directions, 1.0 / listed.wavelengths, weights])
    return sources[weights > 0.0]


def _bend_signs(experiment: Experiment, panel: Panel) -> tuple[float, float]:
    """Sense of the two turns of a curved detector that goes over into the flat one near the beam."""
    if not experiment.detector.curved:
        return 1.0, 1.0
    beam = experiment.beam.direction
    along_fast = dot(cross(panel.slow, beam), panel.fast)
    along_slow = dot(cross(panel.fast, beam), panel.slow)
    return math.copysign(1.0, along_fast), math.copysign(1.0, along_slow)
