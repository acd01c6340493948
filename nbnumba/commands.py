"""The sub-commands of the program `nbnumba`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .cli import notice
from .compare.command import compare
from .dialect import parse_with_files
from .errors import InputError
from .settings import CommandLine, Semantics
from .usage import COMMANDS

if TYPE_CHECKING:
    from .io.smv import SmvFields

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

# The words are read by the parser of nanoBragg's options, not by Typer's.
_OUR_WORDS = {"ignore_unknown_options": True, "allow_interspersed_args": True}


@app.callback()
def _nbnumba() -> None:
    """Render diffraction images of nanocrystals (nbnumba -help), and work with them."""


app.command("compare", help=COMMANDS["compare"].capitalize())(compare)


@app.command("noise", help=COMMANDS["noise"].capitalize(), context_settings=_OUR_WORDS)
def noise(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="FLOATFILE",
            help="A raw float image and options as for rendering: -detpixels_f and -detpixels_s give its size, "
            "-seed, -adc and -roi the noise, -noisefile the result; -distance, -pixel and others go into the header.",
        ),
    ],
) -> None:
    """Draw photon noise on a float image and write it as SMV."""
    command, files = parse_with_files(words)
    for line in command.notices:
        notice(line)
    if len(files) != 1:
        raise InputError(f"noise: needs one float image, got {len(files)}: {' '.join(files) or 'none'}")
    draw_noise(command, files[0])


def draw_noise(command: CommandLine, float_file: str) -> None:
    """Draw C's noise on a float image that exists already.

    Raises
    ------
    InputError
        When the file does not have the size that the options say, or -nonoise forbids the result.
    FileError
        When a file cannot be read or written.
    """
    from .io import floatfile, smv
    from .noise import poisson_image_c, seed_from_time

    settings, output = command.settings, command.output
    if output.noise_file is None:
        raise InputError("-nonoise: contradicts the command noise; leave it out, or name a -noisefile after it")
    fields, region = _header_fields(command)
    image = floatfile.read(float_file, (fields.n_slow, fields.n_fast))
    seed = seed_from_time() if output.seed is None else output.seed
    drawn = poisson_image_c(image, seed, output.adc, region)
    if not output.quiet:
        print(f"noise seed = {seed}")
        print(f"{drawn.photons:.0f} photons on noise image ({drawn.overloads} overloads)")
        print(f"writing {output.noise_file} as 2-byte integers")
    style = output.smv_header or ("c" if settings.semantics is Semantics.C else "dials")
    smv.write(output.noise_file, drawn.counts, smv.header(fields, style))


@app.command("compare-traces", help=COMMANDS["compare-traces"].capitalize())
def compare_traces(
    a: Annotated[str, typer.Argument(metavar="A", help="A trace: text with TRACE_C or TRACE_PY lines, or JSON.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    tolerance: Annotated[
        float | None,
        typer.Option(
            "-tolerance",
            "--tolerance",
            metavar="X",
            help="Allowed difference, a fraction of the value; for h, k and l the difference itself "
            "(default: 1e-11 for geometry and cell, 1e-9 for the rest).",
        ),
    ] = None,
) -> int:
    """Print the first quantity that differs; exit status 1 when there is one."""
    from .compare_traces import compare_traces as compare

    comparison = compare(a, b, tolerance)
    for line in comparison.lines():
        print(line)
    return 1 if comparison.differences else 0


def _header_fields(command: CommandLine) -> tuple[SmvFields, tuple[int, int, int, int]]:
    """Work out what a header states, and the region of interest; no crystal is needed for either."""
    from .detector import resolve_axes, resolve_detector
    from .io.smv import SmvFields
    from .resolve import _region
    from .sampling import phi_steps

    settings = command.settings
    detector = resolve_detector(settings, resolve_axes(settings), notice)
    panel, center = detector.panels[0], detector.center
    fields = SmvFields(
        n_fast=panel.n_fast,
        n_slow=panel.n_slow,
        pixel_size=panel.pixel_size,
        distance=panel.distance,
        wavelength=settings.wavelength,
        Xbeam=center.Xbeam,
        Ybeam=center.Ybeam,
        Fbeam=center.Fbeam,
        Sbeam=center.Sbeam,
        detsize_s=detector.detsize_s,
        dials_origin_mm=center.dials_origin_mm,
        ORGX=center.ORGX,
        ORGY=center.ORGY,
        close_distance=panel.close_distance,
        phi=settings.phi,
        osc=phi_steps(settings.osc, settings.phistep, settings.phisteps).extent,
        twotheta=settings.twotheta,
        adc=command.output.adc,
    )
    return fields, _region(settings, panel)[1]
