"""`nbnumba noisify`: noise of a detector on a float image, as noisify does it or with its defects put right."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import R_E_SQUARED
from ..errors import InputError
from ..io import pgm, smv
from ..io.atomic import whole_file, write_array
from ..io.opening import label, opened
from ..kernels.random.park_miller import start_value
from ..kernels.types import available_threads
from ..readout import as_c, psf
from ..readout.chain import read_out
from ..readout.model import Readout
from ..readout.poisson import seed_from_time
from ..util.messages import logger
from .c_words import help_lines, parse
from .noisify_words import EXACT_ONLY, WORDS

DEFAULT_FLUENCE = 125932015286227086360700780544.0  # 1/r_e^2
_DEFAULT_CALIBRATION_SEED = 123456789
_INT32_TOP, _UINT16_TOP = 2147483647.0, 65535.0


@dataclass(frozen=True, eq=False)
class Job:
    """What is to be done: numbers as typed, in the units of the command line, and the header."""

    values: dict[str, Any]
    header: bytes
    shape: tuple[int, int]
    detsize: tuple[float, float]  # m, along x and y
    beam: tuple[float, float]  # m
    pixel: float  # m
    distance: float  # m
    bits: int
    exact: bool
    seed: int
    lines: list[str] = field(default_factory=list)

    def get(self, key: str, default: Any) -> Any:
        """Return what was typed, else a default."""
        return self.values.get(key, default)

    @property
    def width_um(self) -> float:
        """Width of the point spread [um], as C holds it."""
        return float(np.float32(self.get("psf_fwhm", 46.0) / 1e6)) * 1e6

    @property
    def fwhm(self) -> float:
        """Width of the point spread [pixels]; as C, through a float32 in meters."""
        return float(np.float64(np.float32(self.get("psf_fwhm", 46.0) / 1e6)) / self.pixel)


def run(words: Sequence[str]) -> None:
    """Run the command.

    Raises
    ------
    InputError
        For a mistake in the words, or a file of the wrong size.
    FileError
        When a file cannot be read or written.
    """
    values, loose = parse(words, WORDS)
    for word in loose:
        if "floatimage.bin" not in word:
            raise InputError(f"noisify: {word!r} is neither an option nor the value of one")
        values["float_file"] = word
    if "float_file" not in values:
        print("\n".join(["usage: nbnumba noisify -floatfile floatimage.bin", *help_lines(WORDS)]))
        raise InputError("noisify: -floatfile is missing")
    job = _job(values)
    _check_names(job)
    image = _read(job)
    print("\n".join(_report(job)))
    (_run_exact if job.exact else _run_c)(job, image)


def _job(values: dict[str, Any]) -> Job:
    """Work out sizes and the header."""
    semantics = values.get("semantics", "c")
    if semantics not in ("c", "exact"):
        raise InputError(f"-semantics: {semantics!r}; allowed are c and exact")
    exact = semantics == "exact"
    typed = [word for key, word in EXACT_ONLY.items() if key in values]
    if typed and not exact:
        raise InputError(f"{typed[0]}: noisify has no such option; -semantics exact has")
    bits = values.get("bits", 16)
    if bits not in (16, 32):
        raise InputError(f"-bits: {bits}; allowed are 16 and 32")
    kind = values.get("psf", "none").partition(":")[0]
    if not exact and "psf" in values and not any(name in values["psf"] for name in as_c.PSF_KINDS):
        raise InputError(
            f"-psf: {values['psf']!r}; allowed are gauss and fiber, and in -semantics exact moffat:EXPONENT"
        )
    if exact and (kind == "file") != ("psf_file" in values):
        raise InputError("-psf_file: names the kernel of -psf file, and is needed by it")
    if "seed" not in values and "noiseless" not in values:
        values["seed"] = seed_from_time()
        logger.warning(f"seed {values['seed']}, from the time; -seed {values['seed']} draws the same noise again")
    header_block = _header_of(values)
    n_fast, n_slow = _shape(values)
    pixel = values.get("pixel", 0.1) / 1000.0
    detsize = (pixel * n_fast, pixel * n_slow)
    beam = tuple(
        values[key] / 1000.0 if key in values else size / 2.0
        for key, size in zip(("Xbeam", "Ybeam"), detsize, strict=True)
    )
    distance = values.get("distance", 100.0) / 1000.0
    job = Job(
        values, b"", (n_slow, n_fast), detsize, (beam[0], beam[1]), pixel, distance, bits, exact, values.get("seed", 0)
    )
    block = header_block if header_block is not None else _made_header(job)
    return Job(**(job.__dict__ | {"header": block}))


def _header_of(values: dict[str, Any]) -> bytes | None:
    """Return the header that is copied, and take the sizes that it states."""
    if "header_file" not in values:
        return None
    path = values["header_file"]
    header = smv.read_header(path, "-header")
    with opened(path, "-header") as file:
        block = file.read(header.header_bytes)
    values["n_fast"], values["n_slow"] = header.n_fast, header.n_slow
    stated = {"pixel": "PIXEL_SIZE", "distance": "DISTANCE", "Xbeam": "BEAM_CENTER_X"}
    for key, keyword in stated.items():
        if not math.isnan(value := header.value_of(keyword)):
            values[key] = value
    if not math.isnan(value := header.value_of("BEAM_CENTER_Y")):
        values["Ybeam"] = values.get("pixel", 0.1) * header.n_slow - value
    return block


def _shape(values: dict[str, Any]) -> tuple[int, int]:
    """Return the pixels along fast and slow: as typed, else the most square pair that the file can have."""
    both = values.get("pixels")
    n_fast: int | None = values.get("n_fast", both)
    n_slow: int | None = values.get("n_slow", both)
    if n_fast is not None and n_slow is not None:
        return n_fast, n_slow
    with opened(values["float_file"], "-floatfile") as file:
        count = os.fstat(file.fileno()).st_size // 4
    if count == 0:
        raise InputError(f"{label('-floatfile', values['float_file'])}: holds no pixel")
    if n_fast is not None:
        return n_fast, max(1, count // n_fast)
    if n_slow is not None:
        return max(1, count // n_slow), n_slow
    print("WARNING: guessing xy pixel dimensions.")
    fast = math.isqrt(count)
    while count % fast:
        fast -= 1
    if max(fast, count // fast) > 65536:
        raise InputError(
            f"{label('-floatfile', values['float_file'])}: -detpixels_x and -detpixels_y must say the size"
        )
    return fast, count // fast


def _check_names(job: Job) -> None:
    """Refuse a file that is both read and written, or written twice."""
    read = [job.get(key, None) for key in ("float_file", "header_file", "psf_file")]
    taken = {os.path.realpath(name): name for name in read if name}
    for name in _outputs(job):
        place = os.path.realpath(name)
        if place in taken:
            raise InputError(f"noisify: {name} would replace {taken[place]}")
        taken[place] = name


def _outputs(job: Job) -> list[str]:
    names = [job.get("int_file", "intimage.img")]
    if "no_pgm" not in job.values:
        names.append(job.get("pgm_file", "image.pgm"))
    if "noiseless" not in job.values:
        names.append(job.get("noise_file", "noiseimage.img"))
    return names


def _read(job: Job) -> NDArray[np.float32]:
    """Read the float image; as C, a part of it is enough in semantics c, and the rest is 0."""
    path, count = job.values["float_file"], job.shape[0] * job.shape[1]
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
    print(f"importing {count} pixel intensites: {path}")
    return image.astype(np.float32).reshape(job.shape)


def _made_header(job: Job) -> bytes:
    """Return the header that noisify makes up (noisify.c:529-541)."""
    kind = "unsigned_short" if job.bits == 16 else "long_integer"
    n_slow, n_fast = job.shape
    text = (
        f"{{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE={kind};\nSIZE1={n_fast};\nSIZE2={n_slow};\n"
        f"PIXEL_SIZE={job.pixel * 1000.0:g};\nDISTANCE={job.distance * 1000.0:g};\n"
        f"WAVELENGTH={job.get('wavelength', 1.0):g};\nBEAM_CENTER_X={job.beam[0] * 1000.0:g};\n"
        f"BEAM_CENTER_Y={(job.detsize[1] - job.beam[1]) * 1000:g};\n"
        f"PHI={job.get('phi', 0.0):g};\nOSC_START={job.get('phi', 0.0):g};\nOSC_RANGE={job.get('osc', 1.0):g};\n"
        "DETECTOR_SN=000;\nBEAMLINE=fake;\n}\f"
    )
    return text.encode("ascii").ljust(512)


def _report(job: Job) -> list[str]:
    """Return the lines that noisify prints about its options."""
    noisy = "noiseless" not in job.values
    kind = next((name for name in as_c.PSF_KINDS if name in job.get("psf", "")), None)
    n_slow, n_fast = job.shape
    lines = [
        f"  distance={job.distance:g} detsize={job.detsize[0]:g}x{job.detsize[1]:g}  pixel={job.pixel:g} meters "
        f"({n_fast}x{n_slow} pixels)",
        f"  Xbeam={job.beam[0]:g} Ybeam={job.beam[1]:g}",
    ]
    if kind is not None:
        radius = int(job.get("psf_radius", 0))
        name = "Gaussian" if kind == "gauss" else "fiber"
        automatic = "  with automatic rendering radius\n" if radius == 0 else ""
        fixed = f"  with rendering radius: {radius}" if radius >= 0 else ""
        lines.append(f"  {name} PSF fwhm = {job.width_um:g} um {automatic}{fixed}")
    calibration_seed = job.values.get("calibration_seed")
    return [
        *lines,
        f"  seed: {start_value(job.seed)}",
        f"  calibration noise seed: "
        f"{_DEFAULT_CALIBRATION_SEED if calibration_seed is None else start_value(calibration_seed)}",
        f"  calibration_noise = {job.get('calibration', 0.03) * 100 if noisy else 0:g} %",
        f"  input file scale = {job.get('scale', 1.0):g}",
        f"  readout_noise = {job.get('readout', 0.0) if noisy else 0:g} ADU",
        f"  flicker_noise = {job.get('flicker', 0.0) * 100 if noisy else 0:g} %",
        f"  quantum_gain = {job.get('gain', 1.0):g} ADU/photon",
        f"  adc_offset = {job.get('adc', 40.0):g} ADU",
        "",
    ]


def _photons(job: Job, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put the float image on the scale of photons."""
    factor = (job.get("fluence", DEFAULT_FLUENCE) * R_E_SQUARED) * job.get("scale", 1.0)
    negative = image[image < 0.0]
    if negative.size:
        logger.warning(
            f"{job.values['float_file']}: {negative.size} pixels are negative, the lowest {negative.min():g}"
        )
    top = max(0.0, float(np.nanmax(image, initial=0.0)))
    print(f"maximum value in input file: {top:g} ( {top * factor:g} on photon scale)")
    with np.errstate(over="ignore"):
        return np.asarray(factor * image.astype(np.float64), dtype=np.float32)


def _run_c(job: Job, image: NDArray[np.float32]) -> None:
    """Do what noisify does, to the bit."""
    photons = _photons(job, image)
    spread = None
    if "psf" in job.values and job.get("psf_fwhm", 46.0) > 0.0:
        # As C: of a word that holds both, the one that is looked for last.
        kind = "fiber" if "fiber" in job.values["psf"] else "gauss"
        spread = (kind, job.fwhm, int(job.get("psf_radius", 0)))
    gain, adc = job.get("gain", 1.0), job.get("adc", 40.0)
    noisy = "noiseless" not in job.values
    if spread is not None and not noisy:
        print(f"  applying PSF to noiseless image width = {job.fwhm:g} pixels")
        photons, _ = as_c.spread(photons, *spread, print)
    adu = np.minimum(photons.astype(np.float64) * gain + adc, _UINT16_TOP)
    _write_int(job, _as_c_casts(adu, job.bits), _as_c_casts(adu, 16))
    if not noisy:
        return
    calibration_seed = job.values.get("calibration_seed")
    result = as_c.read_out(
        photons,
        flicker=job.get("flicker", 0.0),
        calibration=job.get("calibration", 0.03),
        readout=job.get("readout", 0.0),
        gain=gain,
        adc=adc,
        seed=start_value(job.seed),
        calibration_seed=_DEFAULT_CALIBRATION_SEED if calibration_seed is None else start_value(calibration_seed),
        psf=spread,
        width_um=job.width_um,
        say=print,
    )
    top = _UINT16_TOP if job.bits == 16 else _INT32_TOP
    overloads = int(np.count_nonzero(result.adu > top))
    print(f"{result.photons:.0f} photons on noise image ({overloads} overloads)")
    _write(job, job.get("noise_file", "noiseimage.img"), _as_c_casts(np.minimum(result.adu, top), job.bits))


def _as_c_casts(adu: NDArray[np.float64], bits: int) -> NDArray[Any]:
    """Cut ADU to whole numbers as the program does on x86-64: what is below 0 wraps, NaN is 0."""
    whole = np.trunc(np.nan_to_num(np.clip(adu, -(2.0**62), 2.0**62), nan=0.0)).astype(np.int64)
    if bits == 16:
        whole = np.where(np.abs(whole) < 2**31, whole, 0)
        return (whole & 0xFFFF).astype(np.uint16)
    return (whole & 0xFFFFFFFF).astype(np.uint32)


def _run_exact(job: Job, image: NDArray[np.float32]) -> None:
    """Do what noisify means to do."""
    photons = np.maximum(_photons(job, image), 0.0)
    spread = None
    if "psf" in job.values:
        spread = psf.parse(
            job.values["psf"], job.fwhm, "-psf", radius=int(job.get("psf_radius", 0)), file=job.get("psf_file", "")
        )
    dtype, top = ("uint16", 65535) if job.bits == 16 else ("uint32", 2147483647)
    noisy = "noiseless" not in job.values
    noiseless = Readout(
        spread=None if noisy else spread,
        photon_noise=False,
        gain=job.get("gain", 1.0),
        offset=job.get("adc", 40.0),
        dtype=dtype,
        saturation=min(top, job.get("saturation", top)),
    )
    threads = available_threads()
    result = read_out(photons, noiseless, 0, threads=threads)
    _write_int(job, result.pixels, np.minimum(result.pixels, 65535).astype(np.uint16))
    if not noisy:
        _report_spread(noiseless, result.beyond, result.left)
        return
    readout = Readout(
        **(
            noiseless.__dict__
            | {
                "spread": spread,
                "photon_noise": True,
                "flicker": job.get("flicker", 0.0),
                "calibration": job.get("calibration", 0.03),
                "calibration_seed": job.get("calibration_seed", _DEFAULT_CALIBRATION_SEED),
                "readout": job.get("readout", 0.0),
                "dark": job.get("dark", 0.0),
                "dead_pixels": job.get("dead_pixels", 0),
                "hot_pixels": job.get("hot_pixels", 0),
            }
        )
    )
    result = read_out(photons, readout, job.seed, job.get("image_number", 0), threads)
    _report_spread(readout, result.beyond, result.left)
    print(f"{result.photons:.0f} photons on noise image ({result.overloads} overloads)")
    _write(job, job.get("noise_file", "noiseimage.img"), result.pixels)


def _report_spread(readout: Readout, beyond: float, left: float) -> None:
    if readout.spread is not None:
        print(
            f"  point spread: {beyond * 100:.3g} % of the light lies beyond the kernel; "
            f"{left:.0f} photons left the image"
        )


def _write_int(job: Job, pixels: NDArray[Any], sixteen: NDArray[np.uint16]) -> None:
    _write(job, job.get("int_file", "intimage.img"), pixels)
    if "no_pgm" not in job.values:
        path = job.get("pgm_file", "image.pgm")
        print(f"writing {path} as 1-byte integers")
        pgm.write(path, np.minimum(sixteen, 255).astype(np.uint8), 1.0)


def _write(job: Job, path: str, pixels: NDArray[Any]) -> None:
    size = job.bits // 8
    what = f"{pixels.size} " if path == job.get("int_file", "intimage.img") else ""
    print(f"writing {path} as {what}{size}-byte integers")
    with whole_file(path) as file:
        file.write(job.header)
        write_array(file, np.ascontiguousarray(pixels, dtype=f"<u{size}"))
