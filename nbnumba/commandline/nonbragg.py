"""`nbnumba nonbragg`: scattering by amorphous material, as nonBragg draws it or with its defects put right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..background.material import Material, check_range, monotone_points, padded_points, photons_per_steradian
from ..errors import InputError, parameters_called
from ..experiment.resolve import resolve as resolve_experiment
from ..experiment.scene import build_scene
from ..io import floatfile, pgm, smv, source_file, stol_file
from ..io.atomic import check_can_write, check_distinct, whole_file, write_array
from ..kernels.types import available_threads
from ..parameters.choices import Pivot, Semantics
from ..parameters.command import CommandLine
from ..parameters.given import Given
from ..parameters.nonbragg import NONBRAGG
from ..parameters.parser import parse_with_files
from ..parameters.types import ANGSTROM
from ..readout.chain import read_out
from ..readout.model import Readout
from ..readout.poisson import poisson_image_c
from ..util.messages import logger
from .noise import choose_noise_seed
from .nonbragg_geometry import NonBraggGeometry, Sample, resolve, sample, take_header

if TYPE_CHECKING:
    from ..experiment.model import Experiment
    from ..kernels.scene import Scene

# What the first column of each table is divided by to give sin(theta)/lambda in 1/m, as a factor.
_TABLES = {"stol": 1e10, "4stol": 1e10 / 4, "Q": 1e10 / math.pi / 4}
_FEWEST = 100  # pixels of a bin of the table that is written


@dataclass(frozen=True, eq=False)
class _Run:
    command: CommandLine
    values: dict[str, Any]  # as typed, and from the header of -img, in the units of the options
    exact: bool
    geometry: NonBraggGeometry
    sample: Sample
    experiment: Experiment
    scene: Scene
    path: str  # of the table
    table: NDArray[np.float64]
    factor: float  # of the table's first column, 1/m

    def get(self, key: str, default: Any) -> Any:
        """Return what was typed, else a default."""
        return self.values.get(key, default)


def run(words: Sequence[str]) -> None:
    """Run the command.

    Raises
    ------
    InputError
        For a mistake in the words or a file, or a table that does not reach as far as the image.
    FileError
        When a file cannot be read or written.
    """
    with parameters_called(NONBRAGG.label):
        command, loose = parse_with_files(words, dialect=NONBRAGG)
        for line in command.notices:
            logger.warning(line)
        if loose:
            raise InputError(f"nonbragg: {loose[0]!r} is neither an option nor the value of one")
        tables = [item for item in command.given if item.parameter.name in _TABLES]
        if not tables:
            raise InputError("nonbragg: -stol is missing; nonbragg --help lists all options")
        _check_names(command)
        state = _prepare(command, tables[-1])
        image = _draw(state)
        if command.gives("img") and command.gives("stolout"):
            _write_profile(state)
        _write(state, image)


def _check_names(command: CommandLine) -> None:
    """Refuse a file that is both read and written, or written twice, or that cannot be written."""
    typed, output = command.typed(), command.output
    options = {**{key: f"-{key}" for key in (*_TABLES, "img")}, "sources": "-sourcefile"}
    written = (
        ("-floatfile", output.float_file),
        ("-intfile", output.int_file),
        ("-pgmfile", output.pgm_file),
        ("-noisefile", output.noise_file),
        ("-stolout", typed.get("stolout")),
    )
    outputs = [(option, name) for option, name in written if name is not None]
    check_distinct(outputs, [(option, typed[key]) for key, option in options.items() if key in typed])
    for option, name in outputs:
        check_can_write(option, name)


def _prepare(command: CommandLine, table: Given) -> _Run:
    """Work out sample, geometry and scene, and read the table."""
    values, exact = command.typed(), command.settings.semantics is Semantics.EXACT
    order = list(values)
    take_header(values)
    body, lines = sample(values, order)
    geometry = resolve(values, order, exact)
    pivot = "sample" if geometry.pivot is Pivot.SAMPLE else "direct beam spot"
    print("\n".join([*lines, f"pivoting detector around {pivot}"]))
    path = str(table.values[0])
    print(f"reading {path}")
    points = stol_file.read(path, table.label, as_c=not exact)
    settings = command.settings.changed(**geometry.fields, oversample=command.settings.sampling.oversample or 1)
    if "wavelength_A" in values and not command.gives("wavelength_A", "energy_ev"):
        settings = settings.changed(wavelength=ANGSTROM.to_si(values["wavelength_A"]))
    experiment = resolve_experiment(settings)
    scene = build_scene(experiment)
    if settings.beam.source_file is not None and not exact:
        listed = source_file.read(settings.beam.source_file)[:, 3]
        sources = scene.sources.copy()
        sources[:, 4] = np.where(np.isnan(listed), 1.0, listed)
        scene = scene.replace(sources=sources)
    state = _Run(command, values, exact, geometry, body, experiment, scene, path, points, _TABLES[table.parameter.name])
    _report(state)
    return state


def _report(state: _Run) -> None:
    """Print what nonBragg prints about the run."""
    s, beam, panel = state.sample, state.experiment.beam, state.experiment.detector.panels[0]
    n_fast, n_slow = panel.n_fast, panel.n_slow
    center = state.experiment.detector.center
    pad = 0 if state.exact else 4

    def three(vector: Any) -> str:
        return " ".join(f"{float(v) + 0.0:g}" for v in vector)

    print(
        "\n".join(
            [
                f"  {len(state.table) + pad} initialized F points",
                f"  wave={beam.wavelength:g} meters",
                "  polarization effect disabled"
                if beam.nopolar
                else f"  Kahn polarization factor: {beam.polarization:f}",
                f"  incident fluence: {state.experiment.fluence:g} photons/m^2",
                f"  sample is {s.x:g} m thick x {s.y:g} m high x {s.z:g} m wide, {s.density:g} g/cm^3 and "
                f"{s.molar_mass:g} g/mol ({s.molecules:g} molecules)",
                f"  distance={panel.distance:g} detsize={state.geometry.detsize[0]:g}x{state.geometry.detsize[1]:g}  "
                f"pixel={state.geometry.pixel:g} meters ({n_fast}x{n_slow} pixels)",
                f"  Xbeam={center.Fbeam:g} Ybeam={center.Sbeam:g}",
                f"  detector origin: {three(panel.origin)}",
                f"  DIRECTION_OF_DETECTOR_X-AXIS= {three(panel.fast)}",
                f"  DIRECTION_OF_DETECTOR_Y-AXIS= {three(panel.slow)}",
                f"  INCIDENT_BEAM_DIRECTION= {three(beam.direction)}",
                f"  {len(state.scene.sources)} sources",
                f"  {state.scene.oversample} pixel oversample steps",
            ]
        )
    )


def _draw(state: _Run) -> NDArray[np.float32]:
    """Render the image, or F where -Fmap asks for it."""
    from ..kernels.background import driver
    from ..kernels.background.bodies import Scatterer

    scene, weights = state.scene, state.scene.sources[:, 4]
    # C differs: weights are summed and divided by the number of sources.
    total = float(weights.sum()) if state.exact else float(len(weights))
    photons = photons_per_steradian(state.experiment.fluence, state.sample.molecules, total, scene.oversample**2)
    if state.command.gives("Fmap"):
        return driver.structure_factors(scene, _points(state), not state.exact).astype(np.float32)
    image = np.zeros((scene.n_slow, scene.n_fast), np.float32)
    driver.add(scene, [Scatterer(_points(state), photons, not state.exact)], image, available_threads())
    return image


def _points(state: _Run) -> Any:
    table = state.table * np.array([state.factor / 1e10, 1.0])
    check_range(Material(state.path, 0.0, 1.0, 18.0, table), [state.scene], "-stol", exact=state.exact)
    return monotone_points(table) if state.exact else padded_points(state.table, state.factor)


@np.errstate(invalid="ignore", over="ignore")
def _write(state: _Run, image: NDArray[np.float32]) -> None:
    """Write the images and print what nonBragg prints about them (nonBragg.c:1680-1890)."""
    q = state.scene
    rows, columns = slice(q.slow_first, q.slow_last + 1), slice(q.fast_first, q.fast_last + 1)
    part = image[rows, columns].astype(np.float64)
    output = state.command.output
    if bad := int(np.count_nonzero(~np.isfinite(part))):
        # as C: two points that are next to one another, or the same, make cubics that are no numbers.
        logger.warning(
            f"-stol {state.path}: {bad} pixels are no finite numbers, from points that are too close together"
        )
    path = output.float_file
    print(f"writing {path} as {image.size} 4-byte floats")
    floatfile.write(path, image)
    top = max(0.0, float(part.max(initial=0.0)))
    mean = float(part.mean())
    spread = math.sqrt(float(((part - mean) ** 2).sum()) / max(part.size - 1, 1))
    rms = math.sqrt(float((part**2).sum()) / max(part.size - 1, 1))
    print(f"max_I = {top:g}\nmean= {mean:g} rms= {rms:g} rmsd= {spread:g}")
    scale = output.scale
    if scale is None:
        scale = 55000.0 / top if top > 0.0 else 1.0
    print(f"intfile_scale = {scale:g}")
    header = _header(state)
    values = np.clip(part * scale + output.adc, 0.0, 65535.0) + 0.5
    pixels = np.zeros(image.shape, dtype=np.uint16)
    # as C: the sum is rounded to float32 before it is cut.
    pixels[rows, columns] = np.minimum(np.floor(values.astype(np.float32)), 65535.0)
    path = str(output.int_file)
    print(f"writing {path} as 2-byte integers")
    _write_smv(path, header, pixels)
    if output.pgm_file is not None:
        pgm_scale = output.pgm_scale or pgm.automatic_scale(spread, scale)
        print(f"pgm_scale = {pgm_scale:g}\nwriting {output.pgm_file} as 1-byte integers")
        roi = (q.fast_first, q.fast_last, q.slow_first, q.slow_last)
        # C differs: it writes twice the bytes.
        pgm.write_rows(output.pgm_file, pgm.pgm_rows(image, pgm_scale, roi), image.shape, pgm_scale)
    if output.noise_file is not None:
        _write_noise(state, image, header, output.noise_file)


def _write_noise(state: _Run, image: NDArray[np.float32], header: bytes, path: str) -> None:
    seed, adc, q = choose_noise_seed(state.command.output), state.command.output.adc, state.scene
    if state.exact:
        readout = Readout(offset=adc, dtype="uint16", saturation=65535)
        result = read_out(image, readout, seed, threads=available_threads())
        counts, photons, overloads = result.pixels, result.photons, result.overloads
    else:
        noise = poisson_image_c(image, seed, adc, (q.fast_first, q.fast_last, q.slow_first, q.slow_last))
        counts, photons, overloads = noise.counts, noise.photons, noise.overloads
    print(f"{photons:.0f} photons on noise image ({overloads} overloads)\nwriting {path} as 2-byte integers")
    _write_smv(path, header, counts)


def _write_smv(path: str, header: bytes, pixels: NDArray[np.uint16]) -> None:
    with whole_file(path) as file:
        file.write(header)
        write_array(file, np.ascontiguousarray(pixels, dtype="<u2"))


def _header(state: _Run) -> bytes:
    """Return the header that nonBragg writes (nonBragg.c:1732-1748)."""
    panel, center = state.experiment.detector.panels[0], state.experiment.detector.center
    pixel, phi = state.geometry.pixel, state.get("phi_deg", 0.0)
    xbeam, ybeam = center.Fbeam, center.Sbeam
    text = (
        "{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE=unsigned_short;\n"
        f"SIZE1={panel.n_fast};\nSIZE2={panel.n_slow};\nPIXEL_SIZE={pixel * 1000.0:g};\n"
        f"DISTANCE={panel.distance * 1000.0:g};\nWAVELENGTH={state.experiment.beam.wavelength * 1e10:g};\n"
        f"BEAM_CENTER_X={xbeam * 1000.0:g};\nBEAM_CENTER_Y={(state.geometry.detsize[1] - ybeam) * 1000:g};\n"
        f"ORGX={center.Fclose / pixel:g};\nORGY={center.Sclose / pixel:g};\n"
        f"CLOSE_DISTANCE={panel.close_distance * 1000.0:g};\n"
        f"PHI={phi:g};\nOSC_START={phi:g};\nOSC_RANGE={state.get('osc_deg', 0.0):g};\n"
        f"TWOTHETA={state.get('twotheta_deg', 0.0):g};\nDETECTOR_SN=000;\nBEAMLINE=fake;\n}}\f"
    )
    return text.encode("ascii").ljust(512)


def _write_profile(state: _Run) -> None:
    """Write F against stol of the image that -img names, binned at the points of the table (nonBragg.c:1590-1680)."""
    from ..kernels.background import driver

    image = smv.read(state.values["img"], "-img").data.astype(np.float64)
    scene = state.scene
    if image.shape != (scene.n_slow, scene.n_fast):
        raise InputError(
            f"-img: {image.shape[1]} x {image.shape[0]} pixels; the detector has {scene.n_fast} x {scene.n_slow}"
        )
    weights = float(scene.sources[:, 4].sum()) if state.exact else float(len(scene.sources))
    photons = photons_per_steradian(state.experiment.fluence, state.sample.molecules, weights, scene.oversample**2)
    stol, F = driver.extracted(scene, (image - state.command.output.adc) / state.get("gain", 1.0), photons)
    valid = np.isfinite(F)
    if "ignore" in state.values:
        valid &= image != state.values["ignore"]
    knots = state.table[:, 0] * state.factor
    edges = (knots[1:] + knots[:-1]) / 2.0
    bins = np.searchsorted(edges, stol[valid])
    lines = []
    for number, knot in enumerate(knots):
        inside = F[valid][bins == number]
        if inside.size > _FEWEST:
            median = float(np.median(inside))
            deviation = float(np.median(np.abs(inside - median)))
            lines.append(
                f"{knot / state.factor:g} {inside.mean():g} {inside.std():g}   {median:g} {deviation:g}  {inside.size}"
            )
        else:
            logger.warning(
                f"-stolout: {inside.size} pixels in the bin of {knot / state.factor:g}; more than {_FEWEST} are needed"
            )
    print(f"wrote {state.values['stolout']} as {len(lines)} lines of text")
    with whole_file(state.values["stolout"]) as file:
        file.write("".join(line + "\n" for line in lines).encode("ascii"))
