"""One command line, from settings to files and report."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import kernels, report
from .errors import InputError
from .experiment import Experiment
from .io import floatfile, pgm, preview, smv
from .io.atomic import check_can_write, check_distinct
from .noise import poisson_image_c, seed_from_time
from .resolve import Notify, resolve
from .scene import build_scene
from .settings import CommandLine, Output, Semantics
from .simulate import Image, simulate


def run(command: CommandLine, notify: Notify) -> None:
    """Render a command line, write its files and print C's report.

    Parameters
    ----------
    command : CommandLine
    notify : callable
        Receives one-line remarks for standard error.

    Raises
    ------
    InputError, FileError, DeviceError
        As `nbnumba.resolve.resolve` and `nbnumba.simulate.simulate`; a full disk is a FileError.
    """
    output = command.output
    kernels.check_engine(command.engine.backend, command.engine.threads)
    _check_outputs(output)
    experiment = resolve(command.settings, notify)
    if output.trace_pixel is not None:
        from .trace import check_pixel

        check_pixel(experiment, output.trace_pixel, output.trace_file is not None)
    style = _header_style(experiment, output, notify)
    seed = None
    if output.noise_file is not None:
        seed = seed_from_time() if output.seed is None else output.seed
    say = _Reporter(output.quiet)
    say(report.setup_lines(experiment, seed))
    with _progress("rendering", output) as progress:
        image = simulate(
            experiment,
            command.engine.backend,
            command.engine.threads,
            progress,
            lambda: notify("compiling for this machine, once; the next start takes a second"),
        )
    if image.latch_hkl is not None:
        notify(
            "interpolation latch: as C, a sample beyond the table's range switched interpolation off for the rest "
            "of the image; -semantics exact draws it right"
        )
    say(report.image_lines(image))
    if output.trace_pixel is not None:
        _trace(image, output.trace_pixel, output.trace_file, say)
    _Writer(image, output, style, say).write_all(seed)


class _Reporter:
    """Prints report lines unless -quiet was given."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    def __call__(self, lines: Iterable[str]) -> None:
        if not self.quiet:
            print("\n".join(lines), flush=True)


def _check_outputs(output: Output) -> None:
    """Find out before the render that every file can be written."""
    named = [
        ("-floatfile", output.float_file),
        ("-intfile", output.int_file),
        ("-pgmfile", output.pgm_file),
        ("-noisefile", output.noise_file),
        ("-pngfile", output.png_file),
        ("-tracefile", output.trace_file),
    ]
    if output.trace_file is not None and output.trace_pixel is None:
        raise InputError(f"-tracefile {output.trace_file}: no pixel is chosen; give -trace_pixel SLOW FAST as well")
    outputs = [(option, path) for option, path in named if path is not None]
    check_distinct(outputs)
    for option, path in outputs:
        check_can_write(option, path)


def _header_style(experiment: Experiment, output: Output, notify: Notify) -> str:
    """Choose the dialect of the SMV headers and warn where the format cannot tell the truth."""
    style = output.smv_header or ("c" if experiment.semantics is Semantics.C else "dials")
    panel = experiment.detector.panels[0]
    tilted = abs(abs(float(panel.normal @ experiment.beam.direction)) - 1.0) > 1e-9
    if style != "c" and (tilted or experiment.detector.curved):
        notify(
            "SMV headers cannot tell that a detector is tilted or curved: readers will take it for a flat, upright one"
        )
    return style


def _trace(image: Image, pixel: tuple[int, int], path: str | None, say: _Reporter) -> None:
    """Print the trace of a pixel, under -quiet too, and write it to a file."""
    from . import trace_file
    from .trace import trace_pixel

    scene = build_scene(image.experiment)._replace(latch=image.latch)
    trace = trace_pixel(image.experiment, scene, pixel, float(image.array[pixel]))
    print("\n".join(trace.lines()), flush=True)
    if path is not None:
        say([f"writing {path} as JSON"])
        trace_file.write(path, trace, image.experiment, scene)


@contextlib.contextmanager
def _progress(what: str, output: Output) -> Iterator[Callable[[float], None] | None]:
    """Show a progress bar on standard error, on a terminal only."""
    if output.quiet or not output.progress or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)


@dataclass(frozen=True)
class _Writer:
    """Writes the files of one image, in C's order."""

    image: Image
    output: Output
    style: str
    say: _Reporter

    def write_all(self, seed: int | None) -> None:
        """Write every file that was asked for; `seed` is the noise's, None without noise."""
        array, output = self.image.array, self.output
        roi = self.image.experiment.sampling.roi
        self.say([f"writing {output.float_file} as {array.size} 4-byte floats"])
        floatfile.write(output.float_file, array)
        self.say(report.statistics_lines(self.image))
        statistics = self.image.statistics
        scale = output.scale if output.scale is not None else smv.automatic_scale(statistics.maximum)
        self.say([f"intfile_scale = {scale:g}", f"writing {output.int_file} as 2-byte integers"])
        header = smv.header(smv_fields(self.image.experiment, output.adc), self.style)
        smv.write(output.int_file, smv.int_values(array, scale, output.adc, roi), header)
        if output.pgm_file is not None:
            grey = output.pgm_scale if output.pgm_scale is not None else pgm.automatic_scale(statistics.rmsd, scale)
            self.say([f"pgm_scale = {grey:g}", f"writing {output.pgm_file} as 1-byte integers"])
            pgm.write(output.pgm_file, pgm.pgm_values(array, grey, roi), grey)
        if output.png_file is not None:
            self.say([f"writing {output.png_file} as a picture"])
            preview.write_png(output.png_file, array, self._spacing if output.rings else None)
        if output.noise_file is not None and seed is not None:
            self._write_noise(output.noise_file, seed, header)

    def _write_noise(self, path: str, seed: int, header: bytes) -> None:
        """Draw the noise image and write it."""
        experiment = self.image.experiment
        with _progress("drawing noise", self.output) as progress:
            noise = poisson_image_c(
                self.image.array,
                seed,
                self.output.adc,
                experiment.sampling.roi,
                progress,
                list(experiment.random_table),
            )
        self.say([f"{noise.photons:.0f} photons on noise image ({noise.overloads} overloads)"])
        self.say([f"writing {path} as 2-byte integers"])
        smv.write(path, noise.counts, header)

    def _spacing(self, slow: NDArray[np.float64], fast: NDArray[np.float64]) -> NDArray[np.float64]:
        """Resolution [Angstrom] at a place on the flat detector, in pixels from its corner."""
        experiment = self.image.experiment
        panel = experiment.detector.panels[0]
        place = (
            panel.origin
            + panel.pixel_size * np.asarray(fast)[..., None] * panel.fast
            + panel.pixel_size * np.asarray(slow)[..., None] * panel.slow
        )
        direction = place / np.linalg.norm(place, axis=-1, keepdims=True)
        with np.errstate(divide="ignore"):
            return np.asarray(
                experiment.beam.wavelength * 1e10 / np.linalg.norm(direction - experiment.beam.direction, axis=-1)
            )


def smv_fields(experiment: Experiment, adc: float) -> smv.SmvFields:
    """Collect what an SMV header says of an experiment."""
    detector, panel = experiment.detector, experiment.detector.panels[0]
    center = detector.center
    return smv.SmvFields(
        n_fast=panel.n_fast,
        n_slow=panel.n_slow,
        pixel_size=panel.pixel_size,
        distance=panel.distance,
        wavelength=experiment.beam.wavelength,
        Xbeam=center.Xbeam,
        Ybeam=center.Ybeam,
        Fbeam=center.Fbeam,
        Sbeam=center.Sbeam,
        detsize_s=detector.detsize_s,
        dials_origin_mm=center.dials_origin_mm,
        ORGX=center.ORGX,
        ORGY=center.ORGY,
        close_distance=panel.close_distance,
        phi=experiment.goniometer.phi,
        osc=experiment.goniometer.osc,
        twotheta=detector.twotheta,
        adc=adc,
    )
