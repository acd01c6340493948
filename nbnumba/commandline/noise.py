"""The noise image: of a render, and of a float image that exists already (`nbnumba noise`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..imagefiles import registry
from ..imagefiles.records import ImageRecord, SaveOptions
from ..imagefiles.save import write_images
from ..imagefiles.smv import header_style, smv_fields
from ..io import smv
from ..io.atomic import check_can_write, check_distinct, check_is_on_disk
from ..io.opening import is_folder
from ..parameters.command import CommandLine, Output
from ..parameters.files import check_files, image_outputs
from ..parameters.parser import parse_with_files
from ..readout.digitize import DTYPES
from ..readout.model import Readout
from ..readout.poisson import NoiseImage, poisson_image_c, poisson_image_counter, seed_from_time
from ..util.messages import Reporter, logger, progress_bar
from . import effects
from .own_options import take_own_options

Region = tuple[int, int, int, int]
"""Fast first and last, slow first and last, inclusive."""

_OUTPUTS = ("-noisefile", "-h5file", "-cbffile")


def noise(words: Sequence[str]) -> None:
    """Draw noise on a float image, or on stored images with -o.

    Parameters
    ----------
    words : sequence of str
        A file or the folder of a batch, and options.

    Raises
    ------
    InputError
        For a mistake in the words, not exactly one file among them, or what `draw_noise` or
        `nbnumba.batch.stored_noise.add_noise` refuses.
    FileError
        When a file cannot be read or written.
    """
    own, rest = take_own_options(words, {"-o": "-o", "-output": "-o", "-dtype": "-dtype"})
    command, files = parse_with_files(rest)
    for line in command.notices:
        logger.warning(line)
    if len(files) != 1:
        raise InputError(f"noise: needs one image or folder, got {len(files)}: {' '.join(files) or 'none'}")
    source = Path(files[0])
    if not is_folder(source) and not is_nexus(files[0]):
        for option in own:
            raise InputError(f"{option}: goes with an .h5 file or a folder, and {source} is {_kind(files[0])}")
        draw_noise(command, files[0])
        return
    _draw_on_stored(command, source, own)


def _kind(path: str) -> str:
    """Return what a file is, in words.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    """
    start = registry.beginning(path)
    form = registry.recognized(start)
    if form is None and registry.looks_like_text(start):
        return "a text file"
    return (form or registry.FLOAT).name


def _draw_on_stored(command: CommandLine, source: Path, own: dict[str, str]) -> None:
    """Draw noise on the images of a file or a batch."""
    from ..batch.noisy_folder import add_noise_to_folder
    from ..batch.stored_noise import Terms, add_noise, is_term

    if "-o" not in own:
        raise InputError("noise: needs -o, the file or the folder to write")
    dtype = own.get("-dtype")
    if dtype not in (None, *DTYPES):
        raise InputError(f"-dtype {dtype}: allowed: {', '.join(DTYPES)}")
    used = {"seed", "noise_rng", "quiet", "progress"}
    idle = [item.label for item in command.given if not is_term(item) and not used.intersection(item.parameter.fields)]
    idle = [label for label in dict.fromkeys(idle) if label not in ("-quiet", "-progress", "-noprogress")]
    if idle:
        logger.warning(f"noise: without effect here: {', '.join(idle)}")
    target = Path(own["-o"])
    check_distinct([("-o", own["-o"])], [("noise", str(source))])
    terms = Terms.of(command, dtype)
    with progress_bar("drawing noise", command.output.shows_progress) as progress:
        if is_folder(source):
            add_noise_to_folder(source, target, terms, progress)
        else:
            registry.check_ending("-o", own["-o"], registry.NXMX)
            check_is_on_disk("-o", own["-o"])
            check_can_write("-o", own["-o"])
            add_noise(source, target, terms, progress)
    Reporter(command.output.quiet)([f"writing {target}"])


def draw_noise(command: CommandLine, float_file: str) -> None:
    """Draw noise on a float image that exists already.

    Parameters
    ----------
    command : CommandLine
        Says the size of the image, the noise, the files to write and what they state; no crystal is needed.
    float_file : str

    Raises
    ------
    InputError
        When the file does not have the size that the options say, or -nonoise forbids the result, or the result
        would replace a file that is read; for more threads than cores.
    FileError
        When a file cannot be read or written.
    DeviceError
        When an explicit -backend is not there.
    """
    from .. import kernels
    from ..beam.build import with_spectrum
    from ..detector.placement import resolve_axes, resolve_detector
    from ..experiment.geometry_only import build_goniometer
    from ..experiment.regions import region_of_interest
    from ..imagefiles.floatfile import read_pixels

    output, compute = command.output, command.compute
    settings, _ = with_spectrum(command.settings)
    kernels.check_compute_options(compute.backend, compute.threads, compute.device)
    idle = effects.without_effect_on_noise(command)
    if idle:
        logger.warning(f"noise: without effect here: {', '.join(idle)}")
    if output.noise_file is None:
        raise InputError("-nonoise: contradicts the command noise; leave it out, or name a -noisefile after it")
    check_endings(output)
    files = [(option, path) for option, path in image_outputs(output) if option in _OUTPUTS]
    check_files(settings, files, [("noise", float_file)])
    axes = resolve_axes(settings)
    detector = resolve_detector(settings, axes)
    if len(detector.panels) > 1:
        raise InputError(f"noise: the float image must be of one panel, and the detector has {len(detector.panels)}")
    region = region_of_interest(settings, detector.panels[0])[1]
    fields = smv_fields(detector, settings.beam.wavelength, build_goniometer(settings, axes), output.adc)
    image = read_pixels(float_file, (fields.n_slow, fields.n_fast))
    style = header_style(settings.semantics, output, detector, axes.beam)
    seed = choose_noise_seed(output)
    Reporter(output.quiet)([f"noise seed = {seed}"])
    device = (compute.device or 0) if compute.backend == "cuda" else None
    draw = NoiseDraw(output, device, compute.threads)
    if not is_nexus(output.noise_file):
        write_noise(output.noise_file, image, seed, region, smv.header(fields, style), draw)
    _write_counts(command, image, seed, region, draw)


def _write_counts(command: CommandLine, image: NDArray[np.float32], seed: int, region: Region, draw: NoiseDraw) -> None:
    """Write the counts without offset, with all that is known of them, where the options name such files."""
    from ..experiment.geometry_only import build_geometry
    from ..experiment.ground_truth import partial_truth

    output = command.output
    wanted = [(registry.NXMX, "-h5file", output.h5_file), (registry.CBF, "-cbffile", output.cbf_file)]
    if is_nexus(output.noise_file):
        wanted.append((registry.NXMX, "-noisefile", output.noise_file))
    if all(path is None for _, _, path in wanted):
        return
    counts = draw(image, seed, region, 0.0, "int32").counts
    geometry, crystal = build_geometry(command.settings)
    truth = replace(partial_truth(geometry, crystal), noise_seed=seed, noise_rng=output.noise_rng)
    for form, option, path in wanted:
        if path is not None:
            Reporter(output.quiet)([f"writing {path} as {form.name}"])
            options = SaveOptions(option=option, dtype="int32")
            write_images(form, path, [ImageRecord(counts, geometry, crystal, truth)], 1, options)


def is_nexus(path: str | None) -> bool:
    """Tell whether a noise image is to be an NXmx file, by its name."""
    return path is not None and Path(path).suffix.lower() in registry.NXMX.endings


def check_endings(output: Output) -> None:
    """Refuse names of files whose ending contradicts what is written; nanoBragg's own take any name.

    Raises
    ------
    InputError
    FileError
        An HDF5 file is a pipe or a device.
    """
    for form, option, path in (
        (registry.PNG, "-pngfile", output.png_file),
        (registry.NXMX, "-h5file", output.h5_file),
        (registry.CBF, "-cbffile", output.cbf_file),
    ):
        if path is not None:
            registry.check_ending(option, path, form)
            if form is registry.NXMX:
                check_is_on_disk(option, path)
    if output.noise_file is not None and is_nexus(output.noise_file):
        check_is_on_disk("-noisefile", output.noise_file)


def choose_noise_seed(output: Output) -> int:
    """Return the seed of the noise; one that is drawn from the time goes out as a notice, under -quiet too."""
    if output.seed is not None:
        return output.seed
    seed = seed_from_time()
    logger.warning(f"noise seed {seed}, from the time; -seed {seed} draws the same noise again")
    return seed


@dataclass(frozen=True)
class NoiseDraw:
    """Draws counts with the random numbers that the options choose.

    Attributes
    ----------
    output : Output
        -adc, -noise_rng, -quiet and -noprogress count.
    device : int or None
        GPU that draws counted noise and reads out; None: the processor.
    threads : int or None
        Of the processor, for counted noise; None: every core.
    random_table : sequence of int or None
        See `nbnumba.readout.poisson.poisson_image_c`.
    readout : Readout or None
        What the detector does besides; then random numbers are counted by pixel.
    mask : bool array of the image's shape, or None
        Pixels that are read; with a readout the others hold 0.
    """

    output: Output
    device: int | None = None
    threads: int | None = None
    random_table: Sequence[int] | None = None
    readout: Readout | None = None
    mask: NDArray[np.bool_] | None = None

    def __call__(
        self,
        image: NDArray[np.float32],
        seed: int,
        roi: Region,
        adc: float,
        dtype: str,
        progress: Callable[[float], None] | None = None,
    ) -> NoiseImage:
        """Return the counts of an image."""
        if self.readout is not None:
            return self._read_out(self.readout, image, seed, adc, dtype)
        image = image.reshape(-1, image.shape[-1])
        if self.output.noise_rng == "counter":
            return poisson_image_counter(
                image, seed, adc, roi, progress, device=self.device, threads=self.threads, dtype=dtype
            )
        table = None if self.random_table is None else list(self.random_table)
        return poisson_image_c(image, seed, adc, roi, progress, table, dtype=dtype)

    def _read_out(self, readout: Readout, image: NDArray[np.float32], seed: int, adc: float, dtype: str) -> NoiseImage:
        """Return what the detector writes, and report what the point spread lost."""
        from ..kernels.types import available_threads

        largest = int(np.iinfo(dtype).max)
        top = largest if readout.saturation is None else min(readout.saturation, largest)
        made = replace(readout, offset=adc, dtype=dtype, saturation=top)
        from ..readout.chain import read_out

        result = read_out(image, made, seed, threads=self.threads or available_threads(), device=self.device)
        if readout.spread is not None:
            Reporter(self.output.quiet)([result.spread_line])
        pixels = result.pixels
        if self.mask is not None:
            pixels = np.where(self.mask, pixels, pixels.dtype.type(0))
        return NoiseImage(pixels, result.photons, result.overloads)


def write_noise(path: str, image: NDArray[np.float32], seed: int, roi: Region, header: bytes, draw: NoiseDraw) -> None:
    """Draw the noise image, report it and write it.

    Parameters
    ----------
    path : str
    image : (n_slow, n_fast) or (panels, n_slow, n_fast) float32 [photons]
    seed : int
        As typed after -seed.
    roi : (fast first, fast last, slow first, slow last)
        Inclusive, of panels that lie one below the other.
    header : bytes
    draw : NoiseDraw

    Raises
    ------
    FileError
        The file cannot be written.
    """
    output = draw.output
    say = Reporter(output.quiet)
    with progress_bar("drawing noise", output.shows_progress) as progress:
        noise = draw(image, seed, roi, output.adc, "uint16", progress)
    say([f"{noise.photons:.0f} photons on noise image ({noise.overloads} overloads)"])
    say([f"writing {path} as 2-byte integers"])
    smv.write(path, noise.counts.reshape(-1, noise.counts.shape[-1]), header)
