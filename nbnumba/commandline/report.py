"""The printed report: C's lines, so that scripts that parse them go on working."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..beam.model import Sources
from ..constants import AVOGADRO, DEGREES_PER_RADIAN
from ..crystal.lattice import sines_and_cosines
from ..crystal.model import Crystal
from ..experiment.resolved import Resolved
from ..geometry.vectors import Array, cross, dot
from ..io.spectrum_file import EV_ANGSTROM
from ..parameters.choices import MosaicModel, PhiSampling, Pivot, Shape
from ..parameters.steps import MAX_OVERSAMPLE, domain_count
from ..render.image import Image

_SHAPE_WORDS = {
    Shape.ROUND: "ellipsoidal",
    Shape.SQUARE: "parallelpiped",  # C's spelling
    Shape.GAUSS: "gaussian",
    Shape.TOPHAT: "tophat-spot",
    Shape.GAUSS_ABC: "gaussian (abc)",
    Shape.GAUSS_ARGCHK: "gaussian (argchk)",
    Shape.GAUSS_STAR: "gaussian (star)",
    Shape.TOPHAT_ABC: "tophat-spot (abc)",
}

_ODD = 1.0000001  # beyond which C tells of a sine or cosine


def _g(*values: float) -> str:
    """Format numbers as C's %g, separated by blanks."""
    return " ".join(f"{float(v):g}" for v in values)


def setup_lines(resolved: Resolved, noise_seed: int | None) -> Iterator[str]:
    """Yield the report up to the rendering.

    Parameters
    ----------
    resolved : Resolved
    noise_seed : int or None
        As typed; None when no noise image is drawn.
    """
    yield from _opening(resolved)
    yield from _crystal(resolved)
    yield from _sampling(resolved)
    yield from resolved.choices.reflection_lines
    yield from _sweeps(resolved)
    yield from _parameters(resolved)
    if noise_seed is not None:
        yield ""
        yield "  noise image paramters:"
        yield f"  seed: {-noise_seed}"
        yield f"  water droplet size: {resolved.experiment.water_size:g} m"


def _opening(resolved: Resolved) -> Iterator[str]:
    """Geometry, up to the choice of interpolation."""
    experiment, settings = resolved.experiment, resolved.settings
    detector, sensor = experiment.detector, experiment.detector.panels[0].sensor
    for name in (settings.detector.mask_file, settings.detector.header_file):
        if name is not None:
            yield f"reading {name}"
    yield from resolved.choices.clipping_warnings
    if resolved.parts.axes.normal_generated:
        yield "WARNING: auto-generating odet_vector"
    yield "nanoBragg nanocrystal diffraction simulator - James Holton and Ken Frankel 5-17-17"
    if settings.detector.detector_mu < 0.0 < sensor.thickness:
        yield f"WARNING: setting detector attenuation depth to {sensor.mu:g} m"
    warning = None if settings.crystal.mosaic_file is not None else domain_count(settings.crystal)[2]
    if warning is not None:
        yield warning
    yield f"{settings.detector.convention} convention selected."
    pivot = "sample" if detector.placement.pivot is Pivot.SAMPLE else "direct beam spot"
    yield f"pivoting detector around {pivot}"
    panel, beam = detector.panels[0], experiment.beam.direction
    yield f"XDS incident beam: {_g(dot(beam, panel.fast), dot(beam, panel.slow), dot(beam, panel.normal))}"
    if resolved.choices.interpolate_chosen:
        tricubic = experiment.sampling.interpolate
        yield f"auto-selected {'tricubic interpolation of structure factors' if tricubic else 'no interpolation'}"


def _matrix(rows: Array) -> Iterator[str]:
    """Three vectors as the columns of a table."""
    for axis, values in zip("XYZ", rows.T, strict=True):
        yield f"{axis}: " + " ".join(f"{float(v):11.8f}" for v in values)


def _odd_angles(crystal: Crystal) -> Iterator[str]:
    """Sines and cosines that are none, of a -cell that contradicts the matrix (nanoBragg.c:2005)."""
    found = sines_and_cosines(
        crystal.reciprocal_A.tolist(), (crystal.real_space / 1e-10).tolist(), 1.0 / crystal.volume_A3
    )
    if all(abs(value) <= _ODD for pair in found for value in pair):
        return
    yield "WARNING: oddball reciprocal cell angles:"
    for letter, (sine, cosine) in zip(("alpha", "beta", "gamma"), found, strict=True):
        width = len("sin(alpha_star)")
        yield f"{f'sin({letter}_star)':{width}s} = {sine:.25g}"
        yield f"{f'cos({letter}_star)':{width}s} = {cosine:.25g}"


def _crystal(resolved: Resolved) -> Iterator[str]:
    """Cell, orientation and size."""
    crystal, settings = resolved.experiment.crystal, resolved.settings.crystal
    if settings.matrix_file is not None:
        yield f"reading {settings.matrix_file}"
    for entry in settings.crystals:
        if not entry.startswith("{"):
            yield f"reading {entry}"
    if crystal.misset_seed is not None and crystal.misset is not None:
        angles = " ".join(f"{v * DEGREES_PER_RADIAN:f}" for v in crystal.misset)
        yield f"random orientation misset angles: {angles} deg"
    yield from _odd_angles(crystal)
    yield f"Unit Cell: {_g(*crystal.lengths_A, *crystal.angles * DEGREES_PER_RADIAN)}"
    yield f"Recp Cell: {_g(*crystal.reciprocal_lengths_A, *crystal.reciprocal_angles * DEGREES_PER_RADIAN)}"
    yield f"volume = {crystal.volume_A3:g} A^3"
    yield "real-space cell vectors (Angstrom):"
    yield f"     {'a':<10s}  {'b':<10s}  {'c':<10s}"
    yield from _matrix(crystal.real_space / 1e-10)
    yield "reciprocal-space cell vectors (Angstrom^-1):"
    yield f"     {'a_star':<10s}  {'b_star':<10s}  {'c_star':<10s}"
    yield from _matrix(crystal.reciprocal_A)
    yield from _further(resolved.experiment.crystals)


def _further(crystals: Sequence[Crystal]) -> Iterator[str]:
    """What tells apart several crystals."""
    if len(crystals) == 1 and crystals[0].weight == 1.0:
        return
    for number, crystal in enumerate(crystals, start=1):
        cell = _g(*crystal.lengths_A, *crystal.angles * DEGREES_PER_RADIAN)
        cells = "x".join(map(str, crystal.cells))
        yield (
            f"crystal {number} of {len(crystals)}: {crystal.weight:g} of the fluence, cell {cell}, {cells} cells, "
            f"{len(crystal.mosaic_rotations)} mosaic domains"
        )
        yield from _mosaicity(crystal)


def _sampling(resolved: Resolved) -> Iterator[str]:
    """Crystal size and what it asks of the sampling."""
    crystal, sampling, choices = resolved.experiment.crystal, resolved.experiment.sampling, resolved.choices
    size = crystal.size_m
    yield f"crystal is {' x '.join(f'{v * 1e6:g}' for v in size)} microns"
    if choices.oversample_chosen:
        yield f"auto-selected {sampling.oversample}-fold oversampling"
    if sampling.oversample < choices.recommended_oversample:
        yield f"WARNING: maximum dimension of sample is {float(np.max(size)) * 1e10:g} A"
        yield f"         but reciprocal pixel size is {choices.reciprocal_pixel_size * 1e10:g} A"
        yield "         intensity may vary significantly across a pixel!"
        if choices.recommended_oversample <= MAX_OVERSAMPLE:
            yield f"         recommend -oversample {choices.recommended_oversample} to work around this"
    # One protein of density 1.2 g/cm^3 that fills the cell.
    weight = float(np.prod(size)) * 1.2e6 * AVOGADRO / math.prod(crystal.cells)
    yield f"approximate MW = {weight:g}"


def _sweeps(resolved: Resolved) -> Iterator[str]:
    """Layers, phi steps, divergence, wavelengths, sources and mosaic domains, one line each."""
    experiment, grid = resolved.experiment, resolved.choices.grid
    sensor, wavelengths = experiment.detector.panels[0].sensor, experiment.beam.sources.wavelengths
    for layer in range(sensor.layers):
        yield f"thick{layer} = {sensor.layer_step * layer * 1e6:g} um"
    for step, phi in enumerate(experiment.goniometer.angles):
        yield f"phi{step} = {phi * DEGREES_PER_RADIAN:g}"
    if experiment.goniometer.sweeps and experiment.goniometer.sampling is PhiSampling.MID:
        yield "phi is sampled in the middle of each step"
    for horizontal, vertical in grid.divergences:
        yield f"divergence deviation: {_g(horizontal, vertical)}"
    for step, wavelength in enumerate(grid.wavelengths):
        yield f"lambda{step} = {wavelength:.15g}"
    yield f"  created a total of {len(wavelengths)} sources:"
    for position, weight, wavelength in zip(grid.positions, grid.weights, wavelengths, strict=True):
        yield f"{_g(*position)}   {_g(weight, wavelength)}"
    yield f"  created a total of {len(experiment.crystal.mosaic_rotations)} mosaic domains"
    yield from _mosaicity(experiment.crystal)


def _mosaicity(crystal: Crystal) -> Iterator[str]:
    """What the mosaic domains are, where they are not C's."""
    if crystal.mosaic_model is not MosaicModel.C:
        sigmas = crystal.mosaic_sigmas or (crystal.mosaic_spread,)
        spread = _g(*(v * DEGREES_PER_RADIAN for v in sigmas[:3]))
        correlations = f", correlations {_g(*sigmas[3:])}" if sigmas[3:] else ""
        listed = crystal.mosaic_model is MosaicModel.FILE
        yield f"  mosaic model {crystal.mosaic_model.value}" + ("" if listed else f": {spread} deg{correlations}")
    if any(crystal.lattice_spread):
        yield f"  lengths of the cell vary by {_g(*(v * 100 for v in crystal.lattice_spread))} % among the domains"
    halo = crystal.diffuse
    if halo is not None:
        yield (
            f"  diffuse halo: gamma {_g(*halo.gamma_A)} A, sigma {_g(*halo.sigma_A)} A, Laue group {halo.laue}, "
            f"stencil {halo.stencil}, axes {halo.axes.value}" + (", without the spots" if halo.only else "")
        )


def _parameters(resolved: Resolved) -> Iterator[str]:
    """The block of parameters in use."""
    experiment, settings, grid = resolved.experiment, resolved.settings, resolved.choices.grid
    crystal, beam = experiment.crystal, experiment.beam
    count = 0 if experiment.reflections is None else experiment.reflections.count
    yield f"  {count} initialized hkls (all others ={experiment.default_F:g})"
    yield f"  {_SHAPE_WORDS[crystal.shape]} xtal: {'x'.join(str(n) for n in crystal.cells)} cells"
    yield f"  wave={beam.wavelength:g} meters +/- {grid.dispersion * 100:g}% in {grid.dispsteps} steps"
    if beam.spectrum_origin is not None:
        yield f"  spectrum: {_channels(beam.sources)}"
    if beam.nopolar:
        yield "  polarization effect disabled"
    else:
        yield f"  Kahn polarization factor: {beam.polarization:f}"
    if experiment.detector.curved:
        yield "  curved detector: all pixels same distance from origin"
    if experiment.detector.point_pixel:
        yield "  pixel obliquity effect disabled"
    yield f"  incident fluence: {experiment.fluence:g} photons/m^2"
    yield from _detector(resolved)
    gonio, sampling = experiment.goniometer, experiment.sampling
    yield f"  hdivrange={grid.hdivrange:g} hdivstep={grid.hdivstep:g}  radians"
    yield f"  vdivrange={grid.vdivrange:g} vdivstep={grid.vdivstep:g}  radians"
    # As C: with -sourcefile its counter of directions is never set.
    yield f"  {len(grid.divergences) if settings.beam.source_file is None else -1} divergence steps"
    yield f"  {len(beam.sources.weights)} sources"
    domains, spread = len(crystal.mosaic_rotations), crystal.mosaic_spread * DEGREES_PER_RADIAN
    yield f"  {domains} mosaic domains over mosaic spread of {spread:g} degrees"
    start, stop = gonio.phi * DEGREES_PER_RADIAN, (gonio.phi + gonio.osc) * DEGREES_PER_RADIAN
    yield f"  {gonio.steps} phi steps from {start:g} to {stop:g} degrees"
    switches = {
        "thick": sampling.oversample_thick,
        "polar": sampling.oversample_polar,
        "omega": sampling.oversample_omega,
    }
    marks = "".join(f" +{name}" for name, on in switches.items() if on)
    yield f"  {sampling.oversample}x{sampling.oversample} pixel oversample steps{marks}"
    if settings.detector.mask_file is not None:
        yield f"  skipping zero-flagged pixels in {settings.detector.mask_file}"


def _channels(sources: Sources) -> str:
    """Describe a spectrum in a line."""
    wavelengths, weights = sources.spectrum
    energies, shares = EV_ANGSTROM / (wavelengths * 1e10), weights / np.sum(weights)
    mean = float(np.sum(shares * energies))
    deviation = math.sqrt(float(np.sum(shares * (energies - mean) ** 2)))
    return (
        f"{len(energies)} channels from {energies.min():.8g} to {energies.max():.8g} eV, mean {mean:.8g} eV, standard "
        f"deviation {deviation:.4g} eV"
    )


def _detector(resolved: Resolved) -> Iterator[str]:
    """Place, size and axes of the detector."""
    experiment = resolved.experiment
    detector, beam = experiment.detector, experiment.beam
    panel, center = detector.panels[0], detector.center
    sensor, edges = panel.sensor, " x ".join(dict.fromkeys(f"{size:g}" for size in panel.pixel_sizes))
    yield (
        f"  distance={panel.distance:g} detsize={detector.placement.detsize_f:g}x{detector.placement.detsize_s:g}  "
        f"pixel={edges} meters ({panel.n_fast}x{panel.n_slow} pixels)"
    )
    yield f"  sensor is {sensor.thickness:g} m thick in {sensor.layers} layers with mu= {sensor.mu:g}"
    yield f"  Xbeam={center.Xbeam:g} Ybeam={center.Ybeam:g}"
    yield f"  Fbeam={center.Fbeam:g} Sbeam={center.Sbeam:g}"
    yield f"  Xclose={center.Xclose:g} Yclose={center.Yclose:g}"
    yield f"  Fclose={center.Fclose:g} Sclose={center.Sclose:g}"
    yield f"  DIRECTION_OF_DETECTOR_X-AXIS= {_g(*panel.fast)}"
    yield f"  DIRECTION_OF_DETECTOR_Y-AXIS= {_g(*panel.slow)}"
    yield f"  DIRECTION_OF_DETECTOR_Z-AXIS= {_g(*panel.normal)}"
    yield f"  INCIDENT_BEAM_DIRECTION= {_g(*beam.direction)}"
    yield f"  spindle ROTATION_AXIS= {_g(*experiment.goniometer.spindle)}"
    yield f"  POLARIZATION_PLANE_NORMAL= {_g(*cross(beam.direction, beam.polarization_axis))}"
    yield f"  dials origin= {_g(*center.dials_origin_mm)}"
    f0, f1, s0, s1 = resolved.choices.roi_as_set
    yield f"  roi: {f0} < x < {f1} && {s0} < y < {s1}"


def image_lines(image: Image) -> Iterator[str]:
    """Yield what is known once the image is rendered, before any file is written."""
    if image.latch_hkl is not None:
        h, k, l = image.latch_hkl
        nearest = ",".join(str(math.ceil(v - 0.5)) for v in image.latch_hkl)
        yield f"WARNING: out of range for three point interpolation: h,k,l,h0,k0,l0: {h:g},{k:g},{l:g},{nearest} "
        yield "WARNING: further warnings will not be printed! "
    else:
        yield ""
    solid_angle = image.statistics.solid_angle
    sphere = 100 * solid_angle / 4 / math.pi
    yield from _spots(image)
    yield f"solid angle subtended by detector = {solid_angle:g} steradian ( {sphere:g}% sphere)"


def _spots(image: Image) -> Iterator[str]:
    """What was left out of the spots, where that was asked for, and what they took."""
    experiment = image.experiment
    cutoff, spread = experiment.sampling.spot_cutoff, experiment.closed_form
    if cutoff == 0.0 and spread is None:
        return
    samples = sum(panel.n_slow * panel.n_fast * panel.sensor.layers for panel in experiment.detector.panels)
    if spread is not None:
        mosaic = math.sqrt(spread.mosaicity[0, 0]) * DEGREES_PER_RADIAN
        directions = np.sqrt(np.maximum(0.0, np.linalg.eigvalsh(spread.divergence)[1:])) * 1e3
        yield (
            f"spots in closed form: sigma of mosaicity {mosaic:g} deg about each axis, of the wavelength "
            f"{spread.bandwidth * 100:g} %, of the direction {_g(*directions)} mrad"
        )
    yield (
        f"spots: cutoff {cutoff:g} photons, {image.spots} listed, {image.evaluated_steps} steps evaluated of "
        f"{samples * experiment.steps}"
    )


def statistics_lines(image: Image) -> Iterator[str]:
    """Yield the lines between the float file and the integer image."""
    s = image.statistics
    yield f"max_I = {s.maximum:g}  at {_g(s.maximum_fast_m, s.maximum_slow_m)}"
    yield f"mean= {s.mean:g} rms= {s.rms:g} rmsd= {s.rmsd:g}"
