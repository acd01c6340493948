"""Every quantity that goes into one pixel, as the production path has it.

The walk below is the kernels' sum for a single pixel: layer, sub-pixel, source, then all phi steps and mosaic domains.
It reads the Scene that was rendered and calls the same physics; nothing is worked out a second way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..constants import DEGREES_PER_RADIAN, R_E_SQUARED
from ..errors import InputError
from ..experiment.model import Experiment
from ..geometry.vectors import Array
from ..kernels.scene import Scene
from ..render.background import background_photons

MAX_SAMPLES = 500_000  # of a trace file, which then takes 200 to 600 megabytes

Quantity = float | int | tuple[float, ...] | tuple[int, ...]

# Names as C has them, its wrong unit labels included, and the units that the values really have.
UNITS = {
    "pix0_vector_meters": "m",
    "fdet_vec": "",
    "sdet_vec": "",
    "pixel_pos_meters": "m",
    "R_distance_meters": "m",
    "omega_pixel_sr": "sr",
    "close_distance_meters": "m",
    "obliquity_factor": "",
    "diffracted_vec": "",
    "incident_vec": "",
    "lambda_meters": "m",
    "lambda_angstroms": "Angstrom",
    "scattering_vec_A_inv": "1/m",
    "rot_a_angstroms": "Angstrom",
    "rot_b_angstroms": "Angstrom",
    "rot_c_angstroms": "Angstrom",
    "rot_a_star_A_inv": "1/Angstrom",
    "rot_b_star_A_inv": "1/Angstrom",
    "rot_c_star_A_inv": "1/Angstrom",
    "hkl_frac": "",
    "hkl_rounded": "",
    "F_latt_a": "",
    "F_latt_b": "",
    "F_latt_c": "",
    "F_latt": "",
    "F_cell": "electrons",
    "I_before_scaling": "electrons^2",
    "r_e_meters": "m",
    "r_e_sqr": "m^2",
    "fluence_photons_per_m2": "photons/m^2",
    "steps": "",
    "oversample_thick": "",
    "oversample_polar": "",
    "oversample_omega": "",
    "capture_fraction": "",
    "polar": "",
    "omega_pixel": "sr",
    "cos_2theta": "",
    "I_pixel_final": "photons",
    "floatimage_accumulated": "photons",
}


@dataclass(frozen=True)
class Trace:
    """What goes into one pixel, but for the samples that it sums over.

    Attributes
    ----------
    slow, fast : int
    quantities : dict
        By C's names and in C's order; per-sample ones are those of the first sample.
    neighbors : list of dict
        The 64 reflections that the structure factor of the first sample is interpolated from, their weights and
        structure factors; empty where it is that of the nearest reflection.
    phi_steps, sources, layers : list of dict
        One entry each; of the first layer, sub-pixel, source, phi step and domain where nothing else is said.
    water : float [photons]
        Part of the pixel that the water adds at the end.
    background : float [photons]
        Part of the pixel that the materials of -background add.
    passes : list of dict
        One entry for each pass (`nbnumba.experiment.passes`) where there are several; everything else but the final
        value and the background is of the first.
    panel : int or None
        Number of the panel where there are several.
    """

    slow: int
    fast: int
    quantities: dict[str, Quantity]
    phi_steps: list[dict[str, float | int]]
    sources: list[dict[str, float | int]]
    layers: list[dict[str, float | int]]
    neighbors: list[dict[str, float | int]]
    water: float
    background: float = 0.0
    passes: list[dict[str, float | int]] = field(default_factory=list)
    panel: int | None = None

    def lines(self) -> Iterator[str]:
        """Yield the trace as text, 15 digits a number."""
        for name, value in self.quantities.items():
            numbers = value if isinstance(value, tuple) else (value,)
            yield f"TRACE_PY: {name} {' '.join(f'{v:.15g}' for v in numbers)}"
        parts = (self.passes, self.phi_steps, self.sources, self.layers, self.neighbors)
        for kind, entries in zip(("PASS", "PHI", "SOURCE", "LAYER", "NEIGHBOR"), parts, strict=True):
            for entry in entries:
                yield f"TRACE_PY_{kind} {' '.join(f'{name}={value:.15g}' for name, value in entry.items())}"
        if self.water != 0.0:
            yield f"TRACE_PY_WATER photons={self.water:.15g}"
        if self.background != 0.0:
            yield f"TRACE_PY_BACKGROUND photons={self.background:.15g}"


class Step(NamedTuple):
    """One source seen from one sub-pixel: all its samples, and the sum and the factors in use after them."""

    layer: int
    sub_slow: int
    sub_fast: int
    source: int
    place: Any  # kernels.trace_sample.Place
    ray: Any  # kernels.trace_sample.Ray
    samples: Any  # kernels.trace_sample.Samples; overwritten by the next ray
    total: float
    capture: float
    polarization: float
    solid_angle: float


def check_pixel(experiment: Experiment, pixel: tuple[int, int], writes_file: bool, panel_number: int = 0) -> None:
    """Refuse a pixel that is not rendered, or a trace file without bounds.

    Parameters
    ----------
    experiment : Experiment
    pixel : (slow, fast)
    writes_file : bool
        Whether every sample is to be written.
    panel_number : int

    Raises
    ------
    InputError
    """
    if experiment.closed_form is not None:
        raise InputError("-trace_pixel: with -spread continuous a pixel has no samples that could be listed")
    slow, fast = pixel
    panel, sampling = experiment.detector.panels[panel_number], experiment.sampling
    what = f"-trace_pixel: pixel slow {slow}, fast {fast}"
    if slow >= panel.n_slow or fast >= panel.n_fast or min(pixel) < 0:
        raise InputError(
            f"{what} is not on the detector; allowed are 0 to {panel.n_slow - 1} (slow) "
            f"and 0 to {panel.n_fast - 1} (fast)"
        )
    if sampling.panel not in (None, panel_number):
        raise InputError(f"{what} is on panel {panel_number}, and the -roi on panel {sampling.panel}, alone rendered")
    whole = len(experiment.detector.panels) > 1 and sampling.panel is None
    region = (0, panel.n_fast - 1, 0, panel.n_slow - 1) if whole else sampling.roi
    fast_first, fast_last, slow_first, slow_last = region
    if not (slow_first <= slow <= slow_last and fast_first <= fast <= fast_last):
        raise InputError(
            f"{what} is outside the -roi and not rendered; allowed are {slow_first} to {slow_last} (slow) "
            f"and {fast_first} to {fast_last} (fast)"
        )
    if panel.mask is not None and not panel.mask[slow, fast]:
        raise InputError(f"{what} is masked and not rendered; choose one at which the -mask is not 0")
    samples = panel.sensor.layers * experiment.steps
    if writes_file and samples > MAX_SAMPLES:
        raise InputError(
            f"-tracefile: the pixel sums over {samples} samples, a trace file holds at most {MAX_SAMPLES}; take fewer "
            "steps of the crystal, the beam or the sensor, or -trace_pixel without a file"
        )


def trace_pixel(experiment: Experiment, scene: Scene, pixel: tuple[int, int], stored: float) -> Trace:
    """Follow one pixel through the sum of one pass; see `nbnumba.trace.passes` for an image of several.

    Parameters
    ----------
    experiment : Experiment
        Of one pass.
    scene : Scene
        As rendered, its latch included.
    pixel : (slow, fast)
        A rendered one, see `check_pixel`.
    stored : float [photons]
        The value that the image holds there.
    """
    slow, fast = pixel
    first: dict[str, Quantity] | None = None
    sources: list[dict[str, float | int]] = []
    phi_steps: list[dict[str, float | int]] = []
    layers: list[dict[str, float | int]] = []
    neighbors: list[dict[str, float | int]] = []
    water = _Water(scene)
    for step in walk(scene, slow, fast):
        if first is None:
            first = _first_sample(experiment, scene, step)
            phi_steps = _phi_entries(experiment, scene, step.samples)
            neighbors = _neighbor_entries(scene, step.samples)
        if step.sub_slow == step.sub_fast == step.source == 0:
            layers.append(_layer_entry(scene, step))
        if step.layer == step.sub_slow == step.sub_fast == 0:
            sources.append(_source_entry(scene, step))
        water.add(step)
        last = step
    assert first is not None
    value = _scaled(scene, last)
    water_photons = water.photons(last.polarization)
    background = background_at(experiment, scene, slow, fast)
    rest: dict[str, Quantity] = {
        "I_before_scaling": last.total,
        "r_e_meters": math.sqrt(R_E_SQUARED),
        "r_e_sqr": R_E_SQUARED,
        "fluence_photons_per_m2": experiment.fluence,
        "steps": experiment.steps,
        "oversample_thick": int(scene.oversample_thick),
        "oversample_polar": int(scene.oversample_polar),
        "oversample_omega": int(scene.oversample_omega),
        "capture_fraction": last.capture,
        "polar": last.polarization,
        "omega_pixel": last.solid_angle,
        "cos_2theta": last.ray.cos_two_theta,
        "I_pixel_final": value + water_photons + background,
        "floatimage_accumulated": float(stored),
    }
    return Trace(slow, fast, first | rest, phi_steps, sources, layers, neighbors, water_photons, background)


def walk(scene: Scene, slow: int, fast: int) -> Iterator[Step]:
    """Yield every ray of a pixel, in the order of the sum."""
    from ..kernels import trace_sample
    from ..kernels.physics.sample import takes_over

    count = len(scene.orientations)
    samples = trace_sample.new_samples(count)
    ordinal = (slow * scene.n_fast + fast) * scene.samples_per_pixel
    total, solid_angle = scene.water_start, 0.0
    polarization = 0.0 if scene.polarized else 1.0
    for layer in range(scene.layers):
        capture = 0.0 if scene.sensor else 1.0
        for sub in range(scene.oversample**2):
            sub_slow, sub_fast = divmod(sub, scene.oversample)
            place = trace_sample.place(scene, slow, fast, layer, sub_slow, sub_fast)
            if takes_over(scene.oversample_omega, solid_angle, layer == sub == 0):
                solid_angle = place.solid_angle
            if takes_over(scene.oversample_thick, capture, True):
                capture = place.capture
            for source in range(len(scene.sources)):
                ray = trace_sample.ray(scene, source, place.dx, place.dy, place.dz)
                if scene.polarized and takes_over(scene.oversample_polar, polarization, ray.passes):
                    polarization = ray.polarization
                trace_sample.fill(scene, samples, ray.qx, ray.qy, ray.qz, ray.passes, ordinal)
                gain, factor = _gain_and_factor(scene, source, ray.passes, capture, polarization, solid_angle)
                total = trace_sample.add_terms(scene, total, samples.term, samples.counted, gain, factor)
                ordinal += count
                yield Step(
                    layer, sub_slow, sub_fast, source, place, ray, samples, total, capture, polarization, solid_angle
                )


def _gain_and_factor(
    scene: Scene, source: int, passes: bool, capture: float, polarization: float, solid_angle: float
) -> tuple[float, float]:
    """What multiplies each term of a ray, and what multiplies the running sum after each."""
    from ..kernels.physics import sample as physics

    thick = scene.oversample_thick or scene.weigh_layers
    polar, omega = scene.oversample_polar, scene.oversample_omega
    factors = physics.switched_product(thick, polar, omega, capture, polarization, solid_angle)
    weight = float(scene.sources[source, 4]) if passes else 0.0
    return (weight, factors) if scene.compound else (weight * factors, 1.0)


def _scaled(scene: Scene, last: Step) -> float:
    """Scale the sum by what it has not been multiplied by yet [photons]."""
    from ..kernels.physics import sample as physics

    capture = not (scene.oversample_thick or scene.weigh_layers)
    polar, omega = not scene.oversample_polar, not scene.oversample_omega
    rest = physics.switched_product(capture, polar, omega, last.capture, last.polarization, last.solid_angle)
    return float(scene.photons * last.total * rest)


def background_at(experiment: Experiment, scene: Scene, slow: int, fast: int) -> float:
    """Photons that the materials of an experiment scatter into a pixel."""
    pixel = scene.replace(slow_first=slow, slow_last=slow, fast_first=fast, fast_last=fast)
    photons = background_photons(experiment, pixel, 1)
    return 0.0 if photons is None else float(photons[slow, fast])


class _Water:
    """What water adds to a pixel at its end: nothing under the semantics of C, where it starts the sum."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.places = scene.layers * scene.oversample**2
        self.capture = 0.0  # sum over the layers of the kept, or of the mean, fraction
        self.polarization = 0.0  # mean over all rays
        self.first_polarization = 0.0
        self.solid_angle = 0.0  # mean over all places

    def add(self, step: Step) -> None:
        """Take in one ray."""
        scene = self.scene
        self.polarization += step.ray.polarization * float(scene.sources[step.source, 4])
        if step.source != 0:
            return
        self.solid_angle += step.solid_angle / self.places
        if scene.oversample_thick:
            self.capture += step.capture / scene.oversample**2
        elif step.sub_slow == step.sub_fast == scene.oversample - 1:
            self.capture += step.capture
        if step.layer == step.sub_slow == step.sub_fast == 0:
            self.first_polarization = step.ray.polarization

    def photons(self, kept_polarization: float) -> float:
        """Return the photons added; `kept_polarization` is 0 where dmin left every sample out."""
        scene = self.scene
        if scene.water_end == 0.0:
            return 0.0
        from ..kernels.physics import sample as physics

        mean = self.polarization / (self.places * len(scene.sources))
        polarization = physics.water_polarization(
            scene.polarized, scene.oversample_polar, kept_polarization, self.first_polarization, mean
        )
        return float(scene.water_end * self.capture * polarization * self.solid_angle)


def _first_sample(experiment: Experiment, scene: Scene, step: Step) -> dict[str, Quantity]:
    """Quantities of the detector and of the first sample, up to F_cell."""
    place, ray, samples = step.place, step.ray, step.samples
    wavelength = 1.0 / float(scene.sources[step.source, 3])
    real = scene.orientations[0] * 1e10
    star = experiment.crystal.reciprocal_A
    return {
        "pix0_vector_meters": _numbers(scene.origin),
        "fdet_vec": _numbers(scene.fast),
        "sdet_vec": _numbers(scene.slow),
        "pixel_pos_meters": (place.x, place.y, place.z),
        "R_distance_meters": place.distance,
        "omega_pixel_sr": place.solid_angle,
        "close_distance_meters": scene.close_distance,
        "obliquity_factor": place.obliquity,
        "diffracted_vec": (place.dx, place.dy, place.dz),
        "incident_vec": _numbers(scene.sources[step.source, :3]),
        "lambda_meters": wavelength,
        "lambda_angstroms": wavelength * 1e10,
        "scattering_vec_A_inv": (ray.qx, ray.qy, ray.qz),
        "rot_a_angstroms": _numbers(real[:3]),
        "rot_b_angstroms": _numbers(real[3:6]),
        "rot_c_angstroms": _numbers(real[6:]),
        "rot_a_star_A_inv": _numbers(star[0]),
        "rot_b_star_A_inv": _numbers(star[1]),
        "rot_c_star_A_inv": _numbers(star[2]),
        "hkl_frac": (float(samples.h[0]), float(samples.k[0]), float(samples.l[0])),
        "hkl_rounded": (int(samples.h0[0]), int(samples.k0[0]), int(samples.l0[0])),
        "F_latt_a": float(samples.F_latt_a[0]),
        "F_latt_b": float(samples.F_latt_b[0]),
        "F_latt_c": float(samples.F_latt_c[0]),
        "F_latt": float(samples.F_latt[0]),
        "F_cell": float(samples.F_cell[0]),
    }


def _numbers(vector: Array) -> tuple[float, ...]:
    return tuple(float(v) for v in vector)


def _phi_entries(experiment: Experiment, scene: Scene, samples: Any) -> list[dict[str, float | int]]:
    """One entry for each phi step, of the first domain."""
    return [
        {
            "phi_tic": tic,
            "phi_deg": float(phi) * DEGREES_PER_RADIAN,
            "k_frac": float(samples.k[tic * scene.domains]),
            "F_latt_b": float(samples.F_latt_b[tic * scene.domains]),
            "F_latt": float(samples.F_latt[tic * scene.domains]),
        }
        for tic, phi in enumerate(experiment.goniometer.angles)
    ]


def _neighbor_entries(scene: Scene, samples: Any) -> list[dict[str, float | int]]:
    """One entry for each reflection that the first sample is interpolated from."""
    from ..kernels import trace_sample

    if not samples.interpolated[0]:
        return []
    table = trace_sample.neighbors(scene, samples.h[0], samples.k[0], samples.l[0])
    return [
        {"neighbor": number, "h": int(h), "k": int(k), "l": int(l), "weight": float(weight), "F_cell": float(factor)}
        for number, (h, k, l, weight, factor) in enumerate(table)
    ]


def _source_entry(scene: Scene, step: Step) -> dict[str, float | int]:
    """One entry for a source, seen from the first sub-pixel of the first layer."""
    ix, iy, iz, inverse_wavelength, weight = _numbers(scene.sources[step.source])
    return {
        "source": step.source,
        "incident_x": ix,
        "incident_y": iy,
        "incident_z": iz,
        "lambda_meters": 1.0 / inverse_wavelength,
        "weight": weight,
        "polar": step.ray.polarization,
        "cos_2theta": step.ray.cos_two_theta,
        "h_frac": float(step.samples.h[0]),
        "k_frac": float(step.samples.k[0]),
        "l_frac": float(step.samples.l[0]),
        "F_latt": float(step.samples.F_latt[0]),
        "F_cell": float(step.samples.F_cell[0]),
    }


def _layer_entry(scene: Scene, step: Step) -> dict[str, float | int]:
    """One entry for a layer of the sensor, at its first sub-pixel."""
    return {
        "thick_tic": step.layer,
        "depth_meters": step.layer * scene.layer_step,
        "R_distance_meters": step.place.distance,
        "parallax": step.place.parallax,
        "capture_fraction": step.capture,
    }
