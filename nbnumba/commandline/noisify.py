"""`nbnumba noisify`: noise of a detector on a float image, as noisify does it or with its defects put right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import R_E_SQUARED
from ..errors import InputError, parameters_called
from ..experiment.readout import check_rates
from ..io import mask_file, pgm
from ..io.atomic import check_can_write, check_distinct, whole_file, write_array
from ..io.opening import label, opened
from ..kernels.random.park_miller import start_value
from ..kernels.types import available_threads
from ..parameters.choices import Semantics
from ..parameters.command import CommandLine, Output
from ..parameters.noisify import EXACT_ONLY, NOISIFY
from ..parameters.parser import parse_with_files
from ..parameters.settings import ReadoutSettings
from ..readout import as_c, psf
from ..readout.chain import DetectorImage, check_bad_pixels, read_out
from ..readout.model import Readout
from ..readout.poisson import seed_from_time
from ..util.messages import logger
from ..util.text import counted
from .noisify_detector import check_numbers, check_spread, readable, size_of, take_header, take_preset

_INT32_TOP, _UINT16_TOP = 2147483647.0, 65535.0


@dataclass(frozen=True, eq=False)
class Job:
    """What is to be done."""

    command: CommandLine
    values: dict[str, Any]  # as typed, or from the header that is copied, in the units of the options
    header: bytes
    shape: tuple[int, int]
    detsize: tuple[float, float]  # m, along x and y
    beam: tuple[float, float]  # m
    pixel: float  # m
    distance: float  # m
    bits: int
    seed: int
    mask: NDArray[np.bool_] | None = None  # pixels that are read; None: all

    def get(self, key: str, default: Any) -> Any:
        """Return what was typed, else a default."""
        return self.values.get(key, default)

    @property
    def exact(self) -> bool:
        """Whether the defects of the program are put right."""
        return self.command.settings.semantics is Semantics.EXACT

    @property
    def output(self) -> Output:
        """Where the results go."""
        return self.command.output

    @property
    def readout(self) -> ReadoutSettings:
        """What the detector does."""
        return self.command.settings.readout

    @property
    def scale(self) -> float:
        """Photons per unit of the float image."""
        return float(self.get("scale", 1.0))

    @property
    def gain(self) -> float:
        """ADU per photon."""
        return float(self.get("gain", 1.0))

    @property
    def psf_radius(self) -> int:
        """Of the kernel [pixels]; 0: automatic."""
        return int(self.get("psf_rad", 0))

    @property
    def width_um(self) -> float:
        """Width of the point spread [um], as C holds it."""
        return float(np.float32(self.readout.psf_fwhm)) * 1e6

    @property
    def fwhm(self) -> float:
        """Width of the point spread [pixels]; as C, through a float32 in meters."""
        return float(np.float64(np.float32(self.readout.psf_fwhm)) / self.pixel)

    @property
    def calibration_start(self) -> int:
        """State of the generator of the sensitivities."""
        seed = self.readout.calibration_seed
        return start_value(seed) if self.command.gives("calib_seed") else seed


def run(words: Sequence[str]) -> None:
    """Run the command.

    Raises
    ------
    InputError
        For a mistake in the words, or a file of the wrong size.
    FileError
        When a file cannot be read or written.
    """
    with parameters_called(NOISIFY.label):
        command, loose = parse_with_files(words, dialect=NOISIFY)
        for line in command.notices:
            logger.warning(line)
        # As noisify: a word that holds its default name is the image.
        for word in loose:
            if "floatimage.bin" not in word:
                raise InputError(f"noisify: {word!r} is neither an option nor the value of one")
            command = replace(command, output=replace(command.output, float_file=word))
        if not loose and not command.gives("float_file"):
            raise InputError("noisify: -floatfile is missing; noisify --help lists all options")
        job = _job(command)
        _check_names(job)
        image = _read(job)
        readouts = _readouts(job) if job.exact else None
        if command.output.seed is None and command.output.noise_file is not None:
            logger.warning(f"seed {job.seed}, from the time; -seed {job.seed} draws the same noise again")
        print("\n".join(_report(job)))
        if readouts is None:
            _run_c(job, image)
        else:
            _run_exact(job, image, *readouts)


def _job(command: CommandLine) -> Job:
    """Work out sizes and the header."""
    values, exact = command.typed(), command.settings.semantics is Semantics.EXACT
    too_new = next((item for item in command.given if item.parameter.name in EXACT_ONLY), None)
    if too_new is not None and not exact:
        raise InputError(f"{too_new.label}: noisify has no such option; -semantics exact has")
    take_preset(command, values)
    bits = values.get("bits", 16)
    if bits not in (16, 32):
        raise InputError(f"-bits: {bits}; allowed are 16 and 32")
    if exact:
        check_numbers(command, values.get("gain", 1.0), bits)
    spread = command.settings.readout.psf
    if not exact and spread is not None and not any(name in spread for name in as_c.PSF_KINDS):
        raise InputError(f"-psf: {spread!r}; allowed are gauss and fiber, and in -semantics exact moffat:EXPONENT")
    if exact and (spread == "file") != command.gives("psf_file"):
        raise InputError("-psf_file: names the kernel of -psf file, and is needed by it")
    check_rates(command.settings)
    header_block = take_header(values, command.settings.readout.detector_preset)
    n_fast, n_slow = size_of(values, command.output.float_file)
    given = command.settings.readout
    check_bad_pixels(n_fast * n_slow, given.dead_pixels, given.hot_pixels)
    pixel = values.get("pixel_mm", 0.1) / 1000.0
    detsize = (pixel * n_fast, pixel * n_slow)
    beam = tuple(
        values[key] / 1000.0 if key in values else size / 2.0
        for key, size in zip(("Xbeam_mm", "Ybeam_mm"), detsize, strict=True)
    )
    distance = values.get("distance_mm", 100.0) / 1000.0
    mask = readable(command, (n_slow, n_fast), pixel, (beam[0], beam[1]))
    seed = _seed(command.output)
    job = Job(
        command, values, b"", (n_slow, n_fast), detsize, (beam[0], beam[1]), pixel, distance, bits, seed, mask
    )  # fmt: skip
    if exact:
        check_spread(command.settings.readout, job.fwhm, job.psf_radius)
    return replace(job, header=_made_header(job) if header_block is None else header_block)


def _seed(output: Output) -> int:
    """Return the seed of the noise, from the time where it is needed and not given."""
    if output.noise_file is None:
        return output.seed or 0
    return seed_from_time() if output.seed is None else output.seed


def _check_names(job: Job) -> None:
    """Refuse a file that is both read and written, or written twice, or that cannot be written."""
    output = job.output
    read = (
        ("-floatfile", output.float_file),
        ("-header", job.get("header", None)),
        ("-psf_file", job.readout.psf_file),
    )
    written = (
        ("-intfile", output.int_file),
        ("-pgmfile", output.pgm_file),
        ("-noisefile", output.noise_file),
        ("-good_pixels", output.good_pixels_file),
    )
    outputs = [(option, name) for option, name in written if name is not None]
    check_distinct(outputs, [(option, name) for option, name in read if name])
    for option, name in outputs:
        check_can_write(option, name)


def _read(job: Job) -> NDArray[np.float32]:
    """Read the float image; as C, a part of it is enough in semantics c, and the rest is 0."""
    path, count = job.output.float_file, job.shape[0] * job.shape[1]
    with opened(path, "-floatfile") as file:
        data = file.read(4 * count)
        longer = bool(file.read(1))
    if len(data) < (4 * count if job.exact else count) or (longer and job.exact):
        found = "more" if longer else str(len(data))
        raise InputError(
            f"{label('-floatfile', path)}: holds {found} bytes; {job.shape[1]} x {job.shape[0]} pixels take {4 * count}"
        )
    image = np.zeros(count, dtype="<f4")
    image[: len(data) // 4] = np.frombuffer(data[: len(data) // 4 * 4], dtype="<f4")
    if job.exact and not np.isfinite(image).all():
        bad = int(np.count_nonzero(~np.isfinite(image)))
        found = counted(bad, "pixel holds", "pixels hold")
        raise InputError(f"{label('-floatfile', path)}: {found} no finite number")
    print(f"importing {count} pixel intensites: {path}")
    return image.astype(np.float32).reshape(job.shape)


def _made_header(job: Job) -> bytes:
    """Return the header that noisify makes up (noisify.c:529-541)."""
    kind = "unsigned_short" if job.bits == 16 else "long_integer"
    n_slow, n_fast = job.shape
    text = (
        f"{{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE={kind};\nSIZE1={n_fast};\nSIZE2={n_slow};\n"
        f"PIXEL_SIZE={job.pixel * 1000.0:g};\nDISTANCE={job.distance * 1000.0:g};\n"
        f"WAVELENGTH={job.get('wavelength_A', 1.0):g};\nBEAM_CENTER_X={job.beam[0] * 1000.0:g};\n"
        f"BEAM_CENTER_Y={(job.detsize[1] - job.beam[1]) * 1000:g};\n"
        f"PHI={job.get('phi_deg', 0.0):g};\nOSC_START={job.get('phi_deg', 0.0):g};\n"
        f"OSC_RANGE={job.get('osc_deg', 1.0):g};\n"
        "DETECTOR_SN=000;\nBEAMLINE=fake;\n}\f"
    )
    return text.encode("ascii").ljust(512)


def _report(job: Job) -> list[str]:
    """Return the lines that noisify prints about its options."""
    noisy, readout = job.output.noise_file is not None, job.readout
    kind = next((name for name in as_c.PSF_KINDS if name in (readout.psf or "")), None)
    n_slow, n_fast = job.shape
    lines = [
        f"  distance={job.distance:g} detsize={job.detsize[0]:g}x{job.detsize[1]:g}  pixel={job.pixel:g} meters "
        f"({n_fast}x{n_slow} pixels)",
        f"  Xbeam={job.beam[0]:g} Ybeam={job.beam[1]:g}",
    ]
    if kind is not None:
        radius = job.psf_radius
        name = "Gaussian" if kind == "gauss" else "fiber"
        automatic = "  with automatic rendering radius\n" if radius == 0 else ""
        fixed = f"  with rendering radius: {radius}" if radius >= 0 else ""
        lines.append(f"  {name} PSF fwhm = {job.width_um:g} um {automatic}{fixed}")
    return [
        *lines,
        f"  seed: {start_value(job.seed)}",
        f"  calibration noise seed: {job.calibration_start}",
        f"  calibration_noise = {readout.calibration * 100 if noisy else 0:g} %",
        f"  input file scale = {job.scale:g}",
        f"  readout_noise = {readout.readout_noise if noisy else 0:g} ADU",
        f"  flicker_noise = {readout.flicker * 100 if noisy else 0:g} %",
        f"  quantum_gain = {job.gain:g} ADU/photon",
        f"  adc_offset = {job.output.adc:g} ADU",
        "",
    ]


def _photons(job: Job, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put the float image on the scale of photons."""
    factor = (job.command.settings.beam.fluence * R_E_SQUARED) * job.scale
    negative = image[image < 0.0]
    if negative.size:
        found = counted(negative.size, "pixel is", "pixels are")
        logger.warning(f"{job.output.float_file}: {found} negative, the lowest {negative.min():g}")
    top = max(0.0, float(np.nanmax(image, initial=0.0)))
    print(f"maximum value in input file: {top:g} ( {top * factor:g} on photon scale)")
    with np.errstate(over="ignore"):
        return np.asarray(factor * image.astype(np.float64), dtype=np.float32)


def _run_c(job: Job, image: NDArray[np.float32]) -> None:
    """Do what noisify does, to the bit."""
    photons = _photons(job, image)
    spread = None
    readout, noise_file = job.readout, job.output.noise_file
    if readout.psf is not None and readout.psf_fwhm > 0.0:
        # As C: of a word that holds both, the one that is looked for last.
        spread = ("fiber" if "fiber" in readout.psf else "gauss", job.fwhm, job.psf_radius)
    if spread is not None and noise_file is None:
        print(f"  applying PSF to noiseless image width = {job.fwhm:g} pixels")
        photons, _ = as_c.spread(photons, *spread, print)
    adu = np.minimum(photons.astype(np.float64) * job.gain + job.output.adc, _UINT16_TOP)
    _write_int(job, _as_c_casts(adu, job.bits), _as_c_casts(adu, 16))
    if noise_file is None:
        return
    result = as_c.read_out(
        photons,
        flicker=readout.flicker,
        calibration=readout.calibration,
        readout=readout.readout_noise,
        gain=job.gain,
        adc=job.output.adc,
        seed=start_value(job.seed),
        calibration_seed=job.calibration_start,
        psf=spread,
        width_um=job.width_um,
        say=print,
    )
    top = _UINT16_TOP if job.bits == 16 else _INT32_TOP
    overloads = int(np.count_nonzero(result.adu > top))
    print(f"{result.photons:.0f} photons on noise image ({overloads} overloads)")
    _write(job, noise_file, _as_c_casts(np.minimum(result.adu, top), job.bits))


def _as_c_casts(adu: NDArray[np.float64], bits: int) -> NDArray[Any]:
    """Cut ADU to whole numbers as the program does on x86-64: what is below 0 wraps, NaN is 0."""
    whole = np.trunc(np.nan_to_num(np.clip(adu, -(2.0**62), 2.0**62), nan=0.0)).astype(np.int64)
    if bits == 16:
        whole = np.where(np.abs(whole) < 2**31, whole, 0)
        return (whole & 0xFFFF).astype(np.uint16)
    return (whole & 0xFFFFFFFF).astype(np.uint32)


def _run_exact(job: Job, image: NDArray[np.float32], noiseless: Readout, readout: Readout) -> None:
    """Do what noisify means to do."""
    photons = np.maximum(_photons(job, image), 0.0)
    if job.mask is not None:
        photons[~job.mask] = 0.0
    noise_file, threads = job.output.noise_file, available_threads()
    result = read_out(photons, noiseless, 0, threads=threads)
    _write_int(job, result.pixels, np.minimum(result.pixels, 65535).astype(np.uint16))
    if noise_file is None:
        _report_spread(result)
        _write_mask(job, None)
        return
    result = read_out(photons, readout, job.seed, job.get("noise_image", 0), threads)
    _report_spread(result)
    print(f"{result.photons:.0f} photons on noise image ({result.overloads} overloads)")
    if job.mask is not None:
        result.pixels[~job.mask] = 0
    _write(job, noise_file, result.pixels)
    _write_mask(job, result.bad)


def _readouts(job: Job) -> tuple[Readout, Readout]:
    """Return how the image without and the one with noise are read out."""
    given = job.readout
    spread = None
    if given.psf is not None:
        kernel = None if given.psf_file is None else psf.read_kernel(given.psf_file, "-psf_file")
        spread = psf.parse(given.psf, job.fwhm, "-psf", radius=job.psf_radius, kernel=kernel)
    dtype, top = ("uint16", 65535) if job.bits == 16 else ("uint32", 2147483647)
    noiseless = Readout(
        spread=spread if job.output.noise_file is None else None,
        photon_noise=False,
        gain=job.gain,
        offset=job.output.adc,
        dtype=dtype,
        saturation=min(top, given.saturation or top),
    )
    settings = job.command.settings
    noisy = replace(
        noiseless,
        spread=spread,
        photon_noise=True,
        flicker=given.flicker,
        flicker_pixels=given.flicker_pixels,
        calibration=given.calibration,
        calibration_seed=given.calibration_seed,
        readout=given.readout_noise,
        dark=given.dark_current,
        dead_time=given.dead_time,
        rate_limit=given.rate_limit,
        exposure=settings.beam.exposure if check_rates(settings) else 1.0,
        spread_first=given.psf_stage == "photons",
        dead_pixels=given.dead_pixels,
        hot_pixels=given.hot_pixels,
    )
    return noiseless, noisy


def _write_mask(job: Job, bad: NDArray[np.bool_] | None) -> None:
    """Write which pixels are read and work."""
    path = job.output.good_pixels_file
    if path is not None:
        good = np.ones(job.shape, dtype=np.bool_) if job.mask is None else job.mask
        print(f"writing {path} as a mask")
        mask_file.write(path, good if bad is None else good & ~bad, job.header)


def _report_spread(result: DetectorImage) -> None:
    if result.readout.spread is not None:
        print(f"  {result.spread_line}")


def _write_int(job: Job, pixels: NDArray[Any], sixteen: NDArray[np.uint16]) -> None:
    _write(job, str(job.output.int_file), pixels)
    if job.output.pgm_file is not None:
        print(f"writing {job.output.pgm_file} as 1-byte integers")
        pgm.write(job.output.pgm_file, np.minimum(sixteen, 255).astype(np.uint8), 1.0)


def _write(job: Job, path: str, pixels: NDArray[Any]) -> None:
    size = job.bits // 8
    what = f"{pixels.size} " if path == job.output.int_file else ""
    print(f"writing {path} as {what}{size}-byte integers")
    with whole_file(path) as file:
        file.write(job.header)
        write_array(file, np.ascontiguousarray(pixels, dtype=f"<u{size}"))
