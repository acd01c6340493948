"""The picture: one sample after another, all pixels at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nbnumba.parameters.settings import Settings
from reference import structure_factors
from reference.crystal import Crystal, build_crystal, interpolates, lattice_factor, orientations, phi_angles
from reference.defects import Defects, of_semantics
from reference.geometry import Detector, build_detector, sub_pixel_positions
from reference.sources import Source, build_sources
from reference.structure_factors import Table
from reference.vectors import Vector, cross, unit

_THOMSON = 7.94079248018965e-30  # square of the classical electron radius, m²
_AVOGADRO = 6.02214179e23


@dataclass(frozen=True)
class Picture:
    """A float32 image (n_slow, n_fast), and the pixels that cannot be compared with the C program's."""

    image: np.ndarray
    incomparable: np.ndarray


@dataclass(frozen=True)
class _Scene:
    settings: Settings
    defects: Defects
    detector: Detector
    crystal: Crystal
    sources: list[Source]
    orientations: list[tuple[Vector, Vector, Vector]]
    table: Table
    interpolate: bool
    oversample: int
    layers: int
    layer_step: float  # m
    mu: float  # 1/m
    fluence: float
    background: float  # photons per steradian
    slow: np.ndarray  # indices of the rendered pixels, in raster order
    fast: np.ndarray


@dataclass
class _Ray:
    """A sub-pixel of a layer, seen from one source: everything that orientation does not change."""

    first_of_layer: bool
    active: np.ndarray  # bool: not cut off by -dmin
    scattering: np.ndarray  # (3, n) [1/m]
    omega: np.ndarray
    capture: np.ndarray
    polar: np.ndarray
    weight: float


def reference_image(settings: Settings, folder: Path, defects: Defects | None = None) -> np.ndarray:
    """Return the float32 image (n_slow, n_fast) of settings whose files lie in a folder."""
    return reference_picture(settings, folder, defects).image


def reference_picture(
    settings: Settings, folder: Path, defects: Defects | None = None, only: np.ndarray | None = None
) -> Picture:
    """Render an image.

    Parameters
    ----------
    defects : by default those of the settings' semantics
    only : (n_slow, n_fast) bool
        Pixels of the picture that are drawn, the others stay 0. A region of interest is something else: it can
        change the pixels inside, by the interpolation latch.
    """
    scene = _build_scene(settings, Path(folder), defects or of_semantics(settings.semantics))
    latch = _find_latch(scene) if scene.interpolate and scene.defects.interpolation_latch else None
    d = scene.detector
    image = np.zeros((d.n_slow, d.n_fast), np.float32)
    pixels = np.arange(scene.slow.size)
    if only is not None:
        pixels = np.flatnonzero(only[scene.slow, scene.fast])
        scene = _part(scene, pixels)
    # Factors that compound may overflow, in the C program too.
    with np.errstate(over="ignore", invalid="ignore"):
        values, evaluated = _render(scene, pixels, latch)
        image[scene.slow, scene.fast] = values
    incomparable = np.zeros(image.shape, bool)
    phis = phi_angles(settings, scene.defects)
    if scene.defects.stale_phi0 and phis[0] == 0.0 and any(phis) and evaluated.any():
        # The C program starts this one pixel from phi = 0 where all others start from the last step.
        first = int(np.argmax(evaluated))
        incomparable[scene.slow[first], scene.fast[first]] = True
    return Picture(image, incomparable)


def samples_per_pixel(settings: Settings, folder: Path) -> int:
    """Return how many samples one pixel sums over."""
    scene = _build_scene(settings, Path(folder), of_semantics(settings.semantics))
    return scene.layers * scene.oversample**2 * len(scene.sources) * len(scene.orientations)


def _part(scene: _Scene, pixels: np.ndarray) -> _Scene:
    """Restrict a scene to some of its pixels, without changing anything else."""
    return replace(scene, slow=scene.slow[pixels], fast=scene.fast[pixels])


def _build_scene(settings: Settings, folder: Path, defects: Defects) -> _Scene:
    detector = build_detector(settings, defects)
    crystal = build_crystal(settings, folder, defects)
    layers, layer_step, mu = _layers(settings)
    fluence = settings.beam.fluence
    if settings.beam.flux != 0.0 and settings.beam.exposure > 0.0 and settings.beam.beamsize >= 0.0:
        fluence = settings.beam.flux * settings.beam.exposure / settings.beam.beamsize / settings.beam.beamsize
    table = structure_factors.read_table(settings, folder)
    slow, fast = _rendered_pixels(settings, folder, detector)
    return _Scene(
        settings=settings,
        defects=defects,
        detector=detector,
        crystal=crystal,
        sources=build_sources(settings, folder, detector, defects),
        orientations=orientations(settings, crystal, detector.spindle, defects),
        table=table,
        interpolate=table.values is not None and interpolates(settings, crystal, defects),
        oversample=_oversample(settings, detector, crystal),
        layers=layers,
        layer_step=layer_step,
        mu=mu,
        fluence=fluence,
        background=2.57 * 2.57 * _THOMSON * fluence * settings.background.water_size**3 * 1e6 * _AVOGADRO / 18.0,
        slow=slow,
        fast=fast,
    )


def _layers(settings: Settings) -> tuple[int, float, float]:
    """Return the number of sensor layers, the thickness of one and the attenuation (nanoBragg.c:1590-1650)."""
    thick, mu = settings.detector.detector_thick, settings.detector.detector_mu
    count = settings.detector.detector_thicksteps if settings.detector.detector_thicksteps is not None else -1
    if thick < 0.0 and count > 0:
        thick = 0.5e-6
        step = thick / count
    elif count > 0:
        count = max(count, 2)
        step = thick / (count - 1)
    else:
        count, step = 2, thick / 2
    if thick > 0.0 and mu < 0.0:
        mu = 1.0 / thick
    return (count, step, mu) if thick > 0.0 else (1, 0.0, mu)


def _oversample(settings: Settings, detector: Detector, crystal: Crystal) -> int:
    if settings.sampling.oversample is not None and settings.sampling.oversample > 0:
        return settings.sampling.oversample
    lengths = [math.sqrt(sum(x * x for x in axis)) for axis in crystal.axes]
    largest = max(n * size for n, size in zip(crystal.cells, lengths, strict=True))
    reciprocal_pixel = settings.beam.wavelength * detector.distance / detector.pixel_size
    return max(math.ceil(3.0 * largest / reciprocal_pixel), 1)


def _rendered_pixels(settings: Settings, folder: Path, d: Detector) -> tuple[np.ndarray, np.ndarray]:
    """Return slow and fast indices of the pixels inside the region of interest and not masked."""
    low_f, high_f, low_s, high_s = settings.sampling.roi

    def bounds(low: int | None, high: int | None, n: int) -> slice:
        first = low if low is not None and low >= 0 else 0
        last = high if high is not None and high >= 0 else n
        return slice(first, last + 1)

    wanted = np.zeros((d.n_slow, d.n_fast), bool)
    wanted[bounds(low_s, high_s, d.n_slow), bounds(low_f, high_f, d.n_fast)] = True
    if settings.detector.mask_file is not None:
        wanted &= _read_mask(folder / settings.detector.mask_file, wanted.shape) != 0
    return np.nonzero(wanted)


def _read_mask(path: Path, shape: tuple[int, int]) -> np.ndarray:
    data = path.read_bytes()
    header = dict(
        item.split("=", 1) for item in data[:512].decode("latin-1").replace("\n", "").split(";") if "=" in item
    )
    order = ">u2" if header.get("BYTE_ORDER", "").startswith("big") else "<u2"
    start = int(header["{HEADER_BYTES"])
    return np.frombuffer(data, order, count=shape[0] * shape[1], offset=start).reshape(shape)


def _rays(scene: _Scene) -> Iterator[_Ray]:
    """Go through layers, sub-pixels and sources, in the order in which they are summed."""
    s, d, defects = scene.settings, scene.detector, scene.defects
    sub = d.pixel_size / scene.oversample
    sensor = scene.layer_step > 0.0
    for layer in range(scene.layers):
        depth = layer * scene.layer_step
        for sub_s in range(scene.oversample):
            for sub_f in range(scene.oversample):
                fast = sub * (scene.fast * scene.oversample + sub_f) + sub / 2.0
                slow = sub * (scene.slow * scene.oversample + sub_s) + sub / 2.0
                positions = sub_pixel_positions(
                    d, fast, slow, depth, s.detector.curved_detector, defects.curved_mirrored
                )
                air = np.sqrt(positions[0] ** 2 + positions[1] ** 2 + positions[2] ** 2)
                ray = positions / air
                obliquity = d.close_distance / air
                inverse_parallax = ray[0] * d.odet[0] + ray[1] * d.odet[1] + ray[2] * d.odet[2]
                if s.detector.curved_detector and not defects.curved_mirrored:
                    obliquity = inverse_parallax = np.ones_like(air)
                omega = (
                    1.0 / air / air if s.detector.point_pixel else d.pixel_size * d.pixel_size / air / air * obliquity
                )
                capture = np.ones_like(air)
                if sensor or (s.sampling.oversample_thick and defects.black_without_sensor):
                    path = scene.layer_step * scene.mu / inverse_parallax
                    capture = np.exp(-layer * path) - np.exp(-(layer + 1) * path)
                for number, source in enumerate(scene.sources):
                    scattering = (ray - np.array(source.incident)[:, None]) / source.wavelength
                    stol = 0.5 * np.sqrt(scattering[0] ** 2 + scattering[1] ** 2 + scattering[2] ** 2)
                    active = np.ones(air.shape, bool)
                    if s.sampling.dmin > 0.0:
                        with np.errstate(divide="ignore"):
                            active = ~((stol > 0.0) & (s.sampling.dmin > 0.5 / stol))
                    polar = _polarization(s.beam.polarization, np.array(source.incident), ray, d.polar)
                    if s.beam.nopolar and not (s.sampling.oversample_polar and defects.nopolar_undone):
                        polar = np.ones_like(polar)
                    yield _Ray(
                        first_of_layer=sub_s == sub_f == number == 0,
                        active=active,
                        scattering=scattering,
                        omega=omega,
                        capture=capture,
                        polar=polar,
                        weight=source.weight,
                    )


def _polarization(kahn: float, incident: np.ndarray, ray: np.ndarray, axis: Vector) -> np.ndarray:
    """Return Kahn's factor, (1 + cos² - K cos(2 psi) sin²)/2 (nanoBragg.c:4060)."""
    cos2 = (incident[0] * ray[0] + incident[1] * ray[1] + incident[2] * ray[2]) ** 2
    if kahn == 0.0:
        return 0.5 * (1.0 + cos2)
    magnetic = unit(cross(axis, tuple(incident)))
    electric = unit(cross(tuple(incident), magnetic))
    e = ray[0] * electric[0] + ray[1] * electric[1] + ray[2] * electric[2]
    b = ray[0] * magnetic[0] + ray[1] * magnetic[1] + ray[2] * magnetic[2]
    psi = -np.arctan2(b, e)
    return 0.5 * (1.0 + cos2 - kahn * np.cos(2 * psi) * (1.0 - cos2))


@dataclass
class _Kept:
    """The factors that serve a whole pixel (capture: a whole layer), where no switch asks for more."""

    omega: np.ndarray
    polar: np.ndarray
    has_polar: np.ndarray
    capture: np.ndarray


class _WaterFactors:
    """Collect capture, omega and polar of the background: the kept values, or means where a switch is on."""

    def __init__(self, scene: _Scene) -> None:
        self._scene = scene
        self._first: _Ray | None = None
        self._captures: list[np.ndarray] = []
        self._capture_sum = self._omega_sum = self._polar_sum = 0.0
        self._rays = 0

    def add(self, ray: _Ray) -> None:
        self._first = self._first or ray
        if ray.first_of_layer:
            self._captures.append(ray.capture)
        self._capture_sum = self._capture_sum + ray.capture
        self._omega_sum = self._omega_sum + ray.omega
        self._polar_sum = self._polar_sum + ray.weight * ray.polar
        self._rays += 1

    def product(self, kept: _Kept) -> np.ndarray:
        s = self._scene.settings
        capture = sum(self._captures)
        if s.sampling.oversample_thick:
            capture = self._capture_sum * self._scene.layers / self._rays
        omega = self._omega_sum / self._rays if s.sampling.oversample_omega else kept.omega
        polar = np.where(kept.has_polar, kept.polar, self._first.polar)
        if s.sampling.oversample_polar:
            polar = self._polar_sum / self._rays
        return capture * omega * polar


def _keep(scene: _Scene, kept: _Kept, ray: _Ray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return capture, polar and omega of this sample, and remember what is to be kept."""
    s = scene.settings
    if ray.first_of_layer or s.sampling.oversample_thick:
        kept.capture = ray.capture
    else:
        kept.capture = np.where(kept.capture == 0.0, ray.capture, kept.capture)
    if s.sampling.oversample_omega or not kept.omega.any():
        kept.omega = ray.omega
    fresh = ray.active if s.sampling.oversample_polar else ray.active & ~kept.has_polar
    kept.polar = np.where(fresh, ray.polar, kept.polar)
    kept.has_polar = kept.has_polar | ray.active
    return kept.capture, kept.polar, kept.omega


def _samples(scene: _Scene, ray: _Ray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (h, h0, F_latt, counted) of each orientation; samples that are left out are not counted."""
    x, y, z = ray.scattering
    for axes in scene.orientations:
        indices = np.array([axis[0] * x + axis[1] * y + axis[2] * z for axis in axes])
        whole = np.ceil(indices - 0.5)
        factor = lattice_factor(scene.settings, scene.crystal, indices - whole, indices)
        counted = ray.active & ((factor != 0.0) | (scene.settings.background.water_size != 0.0))
        yield indices, whole, factor, counted


def _find_latch(scene: _Scene) -> tuple[int, int]:
    """Return the pixel and the sample of it (both counted from 0) that end interpolation."""
    for start in range(0, scene.slow.size, 512):
        part = _part(scene, np.arange(start, min(start + 512, scene.slow.size)))
        pixel, sample = _first_trip(part)
        if pixel < part.slow.size:
            return start + pixel, sample
    return scene.slow.size, 0


def _first_trip(scene: _Scene) -> tuple[int, int]:
    never = np.iinfo(np.int64).max
    trips_at = np.full(scene.slow.size, never)
    number = 0
    for ray in _rays(scene):
        for indices, _, _, counted in _samples(scene, ray):
            trips = counted & structure_factors.leaves_latch(scene.table, indices)
            trips_at = np.where(trips & (trips_at == never), number, trips_at)
            if trips_at[0] != never:  # nothing comes before the first pixel
                return 0, int(trips_at[0])
            number += 1
    if np.all(trips_at == never):
        return scene.slow.size, 0
    pixel = int(np.argmax(trips_at != never))
    return pixel, int(trips_at[pixel])


def _structure_factor(scene: _Scene, indices: np.ndarray, whole: np.ndarray, may_interpolate: np.ndarray) -> np.ndarray:
    amplitude = structure_factors.nearest(scene.table, whole)
    if may_interpolate.any():
        amplitude[may_interpolate] = structure_factors.tricubic(scene.table, indices[:, may_interpolate])
    return amplitude


def _render(scene: _Scene, pixels: np.ndarray, latch: tuple[int, int] | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixel values (float64) and which pixels have a sample that -dmin lets through.

    `pixels` are the ordinals of the scene's pixels in the whole picture.
    """
    s, defects = scene.settings, scene.defects
    size = scene.slow.size
    kept = _Kept(np.zeros(size), np.zeros(size), np.zeros(size, bool), np.zeros(size))
    if s.beam.nopolar:
        kept.polar, kept.has_polar = np.ones(size), np.ones(size, bool)
    intensity = np.full(size, scene.background if defects.water_in_sum else 0.0)
    water = _WaterFactors(scene)
    evaluated = np.zeros(size, bool)
    number = 0
    for ray in _rays(scene):
        capture, polar, omega = _keep(scene, kept, ray)
        water.add(ray)
        evaluated |= ray.active
        factors = _switched(s, capture, polar, omega)
        for indices, whole, lattice, counted in _samples(scene, ray):
            interpolate = np.full(size, scene.interpolate)
            if latch is not None:
                interpolate &= (pixels < latch[0]) | ((pixels == latch[0]) & (number < latch[1]))
            if scene.interpolate:
                interpolate &= counted & ~structure_factors.leaves_neighborhood(scene.table, indices)
            amplitude = _structure_factor(scene, indices, whole, interpolate)
            term = amplitude * amplitude * lattice * lattice * ray.weight
            if defects.compounding_factors:
                new = intensity + term
                for factor in factors:
                    new = new * factor
            else:
                for factor in factors:
                    term = term * factor
                if not (s.sampling.oversample_thick or defects.last_layer_capture):
                    term = term * capture
                new = intensity + term
            intensity = np.where(counted, new, intensity)
            number += 1
    values = _scaled(scene, intensity, kept)
    if not defects.water_in_sum:
        values = values + scene.background * water.product(kept)
    return values, evaluated


def _switched(s: Settings, capture: np.ndarray, polar: np.ndarray, omega: np.ndarray) -> list[np.ndarray]:
    pairs = (
        (s.sampling.oversample_thick, capture),
        (s.sampling.oversample_polar, polar),
        (s.sampling.oversample_omega, omega),
    )
    return [factor for on, factor in pairs if on]


def _scaled(scene: _Scene, intensity: np.ndarray, kept: _Kept) -> np.ndarray:
    """Turn sums into photons (nanoBragg.c:3029-3036)."""
    s = scene.settings
    steps = len(scene.sources) * len(scene.orientations) * scene.oversample**2
    values = _THOMSON * scene.fluence * intensity / steps
    if not s.sampling.oversample_thick and scene.defects.last_layer_capture:
        values = values * kept.capture
    if not s.sampling.oversample_polar:
        values = values * kept.polar
    if not s.sampling.oversample_omega:
        values = values * kept.omega
    return values
