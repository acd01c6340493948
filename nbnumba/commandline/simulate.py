"""One command line, from settings to files and report."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

from .. import kernels
from ..errors import InputError
from ..experiment.command_line import with_choices, words_to_draw
from ..experiment.hints import hints
from ..experiment.model import Experiment
from ..experiment.regions import chosen_panel, good_rows, region_of_rows, stacked_mask
from ..experiment.resolve import resolve, resolve_with_choices
from ..imagefiles import registry
from ..imagefiles.headers import note_phi_bias, truth_lines
from ..imagefiles.records import ImageRecord, SaveOptions
from ..imagefiles.save import write_images
from ..imagefiles.smv import header_style, smv_fields
from ..io import floatfile, pgm, smv
from ..io.atomic import check_can_write
from ..io.contents import Contents, read_once
from ..parameters.choices import ComputeOptions
from ..parameters.command import CommandLine, Output
from ..parameters.files import check_files, image_outputs
from ..parameters.settings import ReadoutSettings
from ..parameters.table import NANOBRAGG
from ..parameters.types import Role
from ..render.image import Image
from ..render.renderer import simulate
from ..util.messages import Reporter, logger, progress_bar
from . import report
from .noise import NoiseDraw, check_endings, choose_noise_seed, is_nexus, write_noise


def run(command: CommandLine, contents: Contents | None = None) -> None:
    """Render a command line, write its files and print C's report.

    Parameters
    ----------
    command : CommandLine
    contents : dict, optional
        What was read of its input files; it is emptied.

    Raises
    ------
    InputError, FileError, DeviceError
        As `nbnumba.experiment.resolve.resolve` and `nbnumba.render.renderer.simulate`; a full disk is a FileError.
    """
    output, compute = command.output, command.compute
    kernels.check_compute_options(compute.backend, compute.threads, compute.device)
    if output.show_config is not None:
        _show(command)
        return
    _check_outputs(command)
    contents = {} if contents is None else contents
    with read_once(contents):
        resolved = resolve_with_choices(
            command.settings,
            lambda experiment: _check_experiment(experiment, command),
            cache_folder=_folder_of_results(output),
        )
    contents.clear()
    experiment = replace(resolved.experiment, compute=compute)
    experiment = experiment.drawn_by(_words_to_keep(command, experiment))
    output = _for_panels(command, experiment)
    style = header_style(experiment.semantics, output, experiment.detector, experiment.beam.direction)
    if any((output.int_file, output.noise_file, output.h5_file, output.cbf_file)):
        note_phi_bias(experiment.goniometer)
    drawn = output.noise_file is not None or (output.h5_file is not None and output.h5_data == "counts")
    seed = choose_noise_seed(output) if drawn else None
    say = Reporter(output.quiet)
    say(report.setup_lines(resolved, seed))
    with progress_bar("rendering", output.shows_progress) as progress:
        image = simulate(
            experiment,
            progress=progress,
            on_compiling=lambda: logger.warning(kernels.compiling_line()),
        )
    _note_compute_options(compute, image)
    if image.latch_hkl is not None:
        logger.warning(
            "interpolation latch: as C, a sample beyond the table's range switched interpolation off for the rest "
            "of the image; -semantics exact draws it right"
        )
    if not math.isfinite(image.statistics.mean):  # of finite pixels it is
        logger.warning(f"the image: {floatfile.not_finite(image.array)}")
    if command.gives("noise_file", "h5_file", "cbf_file"):  # for programs that look for spots
        for hint in hints(experiment, image.array):
            logger.warning(f"hint: {hint}")
    say(report.image_lines(image))
    if output.trace_pixel is not None:
        panel = chosen_panel(command.settings, len(experiment.detector.panels), "-trace_pixel")
        _trace(image, output.trace_pixel, panel, output.trace_file, say)
    device = (compute.device or 0) if image.backend == "cuda" else None
    _Writer(image, output, style, say, device).write_all(seed)


def _show(command: CommandLine) -> None:
    """Print the experiment as it was worked out; no file is written."""
    from ..experiment.describe import described, lines

    experiment = resolve(command.settings.changed(write_dump=False))
    found = described(replace(experiment, compute=command.compute))
    found["command"] = list(command.words)
    print(json.dumps(found, indent=1) if command.output.show_config == "json" else "\n".join(lines(found)), flush=True)


def _folder_of_results(output: Output) -> Path | None:
    """Return where to keep what a later run can use, None where the image goes to a device or a pipe."""
    folder = Path(output.float_file).absolute().parent
    system = any(folder.is_relative_to(place) for place in ("/dev", "/proc"))
    return None if system else Path(output.float_file).parent


def _words_to_keep(command: CommandLine, experiment: Experiment) -> tuple[str, ...]:
    """Return the command as typed, or with whole paths for an HDF5 file in another folder: they start in its own."""
    name = command.output.h5_file
    if name is None or Path(name).absolute().parent == Path.cwd():
        chosen = with_choices(command.given, experiment)[len(command.given) :]
        return command.words + NANOBRAGG.words(chosen)
    return words_to_draw(command.given, experiment)


def _note_compute_options(compute: ComputeOptions, image: Image) -> None:
    """Name the options that had no effect on how an image was rendered."""
    if compute.precision == "mixed" and image.precision != "mixed":
        from ..kernels.mixed import WHY_DOUBLE

        logger.warning(
            f"-precision mixed has no effect: this image is rendered in double precision; {WHY_DOUBLE[image.backend]}"
        )
    if image.backend == "cpu" and compute.device is not None and compute.backend == "cpu":
        logger.warning(f"-device {compute.device} has no effect: the processor renders")


def _check_outputs(command: CommandLine) -> None:
    """Find out before the render that every file can be written."""
    output = command.output
    if output.trace_file is not None and output.trace_pixel is None:
        raise InputError(f"-tracefile {output.trace_file}: no pixel is chosen; give -trace_pixel SLOW FAST as well")
    check_endings(output)
    if output.spots_file is not None:
        from ..imagefiles import spots

        spots.check_name("-spotsfile", output.spots_file)
    if output.truth_file is not None:
        from ..imagefiles import pixel_truth

        pixel_truth.check_name("-truthfile", output.truth_file)
    if output.h5_data is not None and output.h5_file is None:
        logger.warning("-h5data has no effect without an -h5file")
    check_files(command.settings, image_outputs(output))
    settings = command.settings
    if settings.readout != ReadoutSettings() and not abs(output.adc) <= 1e9:
        raise InputError(f"-adc: {output.adc:g}; allowed where a readout is simulated are -1e9 to 1e9")
    writes_dump = settings.factors.hkl_file is not None and settings.factors.write_dump
    if writes_dump and settings.factors.dump_file is not None and command.gives("dump"):
        check_can_write("-dump", settings.factors.dump_file)
    drawn = {"-rings": output.rings, "-annotate": output.annotate}
    for option in (name for name, wanted in drawn.items() if wanted):
        if output.png_file is None:
            logger.warning(f"{option} has no effect without a -pngfile")
        elif command.settings.detector.curved_detector:
            logger.warning(f"{option}: nothing is drawn on the picture of a curved detector")


def _check_experiment(experiment: Experiment, command: CommandLine) -> None:
    """Find out before the reflections are read whether all that was asked for can be written."""
    output = command.output
    panels = len(experiment.detector.panels)
    if panels == 1 and not experiment.detector.panels[0].is_square:
        kept = {"noise_file"} if is_nexus(output.noise_file) else set()
        square = (item for item in command.given if item.parameter.square_pixels)
        typed = next((item for item in square if kept.isdisjoint(item.parameter.fields)), None)
        if typed is not None:
            raise InputError(
                f"{typed.label}: its header holds one edge of a pixel, and these are oblong; -h5file holds both"
            )
    if panels > 1:
        typed = next((item for item in command.given if item.parameter.one_panel), None)
        if typed is not None:
            instead = "; -h5file holds them all" if typed.parameter.role is Role.OUTPUT else ""
            raise InputError(f"{typed.label}: goes with a detector of one panel, and this one has {panels}{instead}")
    if output.trace_pixel is not None:
        from ..trace.walk import check_pixel

        panel = chosen_panel(command.settings, panels, "-trace_pixel")
        check_pixel(experiment, output.trace_pixel, output.trace_file is not None, panel)


def _for_panels(command: CommandLine, experiment: Experiment) -> Output:
    """Leave out the files whose header states one panel only, where there are more and the files are not asked for."""
    output = command.output
    if len(experiment.detector.panels) == 1:
        if experiment.detector.panels[0].is_square:
            return output
        counts = output.noise_file if is_nexus(output.noise_file) else None
        dropped = "-intfile: not written" if counts else "-intfile, -noisefile: not written"
        logger.warning(f"{dropped}, as a header of theirs holds one edge of a pixel; -h5file holds both")
        return replace(output, int_file=None, noise_file=counts)
    names = {"int_file": "-intfile", "noise_file": "-noisefile", "pgm_file": "-pgmfile"}
    if is_nexus(output.noise_file):
        del names["noise_file"]
    given = {field for item in command.given for field in item.parameter.fields}
    given |= {"pgm_file"} if "pgm_name" in given else set()
    left_out = {field: name for field, name in names.items() if field not in given}
    if left_out:
        logger.warning(
            f"{', '.join(left_out.values())}: not written unless given, as their headers state the place of one panel; "
            "-h5file states them all"
        )
    kept = [name for field, name in names.items() if field not in left_out and field != "pgm_file"]
    if kept and any(getattr(output, field) is not None for field in ("int_file", "noise_file")):
        logger.warning(
            f"{', '.join(kept)}: the panels lie one below the other, and the header states the place of the first"
        )
    return replace(
        output,
        int_file=output.int_file if "int_file" in given else None,
        noise_file=output.noise_file if "noise_file" in given else None,
        pgm_file=output.pgm_file if "pgm_file" in given else None,
    )


def _trace(image: Image, pixel: tuple[int, int], panel: int, path: str | None, say: Reporter) -> None:
    """Print the trace of a pixel, under -quiet too, and write it to a file."""
    from ..trace import json_file as trace_file
    from ..trace.passes import trace_image

    array = image.array if image.array.ndim == 2 else image.array[panel]
    trace, scenes = trace_image(image.experiment, pixel, float(array[pixel]), image.latches, panel)
    print("\n".join(trace.lines()), flush=True)
    if path is not None:
        say([f"writing {path} as JSON"])
        trace_file.write(path, trace, image.experiment, scenes)


@dataclass(frozen=True)
class _Writer:
    """Writes the files of one image, in C's order."""

    image: Image
    output: Output
    style: str
    say: Reporter
    device: int | None  # GPU to draw counted noise on

    def write_all(self, seed: int | None) -> None:
        """Write every file that was asked for; `seed` is the noise's, None without noise."""
        array, output = self.image.array, self.output
        experiment = self.image.experiment
        rows, roi = array.reshape(-1, array.shape[-1]), region_of_rows(experiment)
        self.say([f"writing {output.float_file} as {array.size} 4-byte floats"])
        floatfile.write(output.float_file, array)
        self.say(report.statistics_lines(self.image))
        statistics = self.image.statistics
        scale = output.scale if output.scale is not None else smv.automatic_scale(statistics.maximum)
        if output.int_file is not None:
            self.say([f"intfile_scale = {scale:g}", f"writing {output.int_file} as 2-byte integers"])
            smv.write_rows(output.int_file, smv.int_rows(rows, scale, output.adc, roi), self._header(None))
        if output.pgm_file is not None:
            gray = output.pgm_scale if output.pgm_scale is not None else pgm.automatic_scale(statistics.rmsd, scale)
            self.say([f"pgm_scale = {gray:g}", f"writing {output.pgm_file} as 1-byte integers"])
            pgm.write_rows(output.pgm_file, pgm.pgm_rows(rows, gray, roi), rows.shape, gray)
        if output.png_file is not None:
            self.say([f"writing {output.png_file} as a picture"])
            flat = not experiment.detector.curved
            options = SaveOptions("-pngfile", rings=output.rings and flat, annotate=output.annotate and flat)
            write_images(registry.PNG, output.png_file, [self._record(None)], 1, options)
        if output.noise_file is not None and seed is not None and is_nexus(output.noise_file):
            self.say([f"writing {output.noise_file} as NXmx"])
            options = self._options("-noisefile", seed)
            write_images(registry.NXMX, output.noise_file, [self._record(seed)], 1, options)
        elif output.noise_file is not None and seed is not None:
            draw = NoiseDraw(
                output,
                self.device,
                random_table=experiment.random_table,
                readout=experiment.readout,
                mask=stacked_mask(experiment.detector),
            )
            write_noise(output.noise_file, array, seed, roi, self._header(seed), draw)
        if output.h5_file is not None:
            self.say([f"writing {output.h5_file} as NXmx"])
            # Without a readout the file holds expected photons, as it always has.
            noisy = experiment.readout is not None if output.h5_data is None else output.h5_data == "counts"
            drawn = seed if noisy else None
            options = self._options("-h5file", drawn)
            write_images(registry.NXMX, output.h5_file, [self._record(drawn)], 1, options)
        if output.cbf_file is not None:
            self.say([f"writing {output.cbf_file} as mini-CBF"])
            drawn = None if output.noise_file is None else seed
            write_images(registry.CBF, output.cbf_file, [self._record(drawn)], 1, self._options("-cbffile", drawn))
        self._write_spots(output.spots_file, output.truth_file)
        if output.good_pixels_file is not None:
            self.say([f"writing {output.good_pixels_file} as a mask"])
            from ..io import mask_file

            mask_file.write(output.good_pixels_file, good_rows(experiment.detector), self._header(None))

    def _write_spots(self, spots_file: str | None, truth_file: str | None) -> None:
        """Write which reflections the photons come from, as a table and as maps, worked out once for both."""
        if spots_file is None and truth_file is None:
            return
        from ..imagefiles import pixel_truth, spots
        from ..render.pixel_truth import PixelTruth
        from ..render.shares import collect
        from ..render.spot_table import SpotTable

        experiment = self.image.experiment
        table = None if spots_file is None else SpotTable()
        maps = None if truth_file is None else PixelTruth(experiment)
        collect(experiment, self.image.threads, *(one for one in (table, maps) if one is not None))
        if spots_file is not None and table is not None:
            self.say([f"writing {spots_file} as a table of spots"])
            spots.write(spots_file, table.table())
        if truth_file is not None and maps is not None:
            self.say([f"writing {truth_file} as maps of what pixels show"])
            pixel_truth.write(truth_file, maps.maps())

    def _options(self, option: str, seed: int | None) -> SaveOptions:
        """Return how photons, or the counts that a seed draws, are written."""
        if seed is None:
            return SaveOptions(option)
        return SaveOptions(option, dtype="int32", saturation=self.image.saturation)

    def _noise_rng(self) -> str:
        """Random numbers of the noise; a readout takes counted ones."""
        return self.output.noise_rng if self.image.experiment.readout is None else "counter"

    def _record(self, seed: int | None) -> ImageRecord:
        """Return the photons, or the counts that a seed draws, with all that is known of them."""
        image, rng = self.image, self._noise_rng()
        known = image.experiment, image.experiment.crystal
        if seed is None:
            return ImageRecord(image.array, *known, image.ground_truth())
        return ImageRecord(image.with_noise(seed, rng), *known, image.ground_truth(seed, rng))

    def _header(self, seed: int | None) -> bytes:
        """Return the header of an SMV image; `seed` is that of its noise."""
        experiment = self.image.experiment
        fields = smv_fields(experiment.detector, experiment.beam.wavelength, experiment.goniometer, self.output.adc)
        n_fast = self.image.array.shape[-1]
        fields = replace(fields, n_fast=n_fast, n_slow=self.image.array.size // n_fast)  # of all panels
        truth = self.image.ground_truth(seed, None if seed is None else self._noise_rng())
        return smv.header(fields, self.style, truth_lines(experiment, experiment.crystal, truth))
