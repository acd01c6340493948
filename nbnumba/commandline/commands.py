"""The sub-commands of the program `nbnumba`."""

from __future__ import annotations

from typing import Annotated

import typer

from ..batch.command import batch, series
from ..compare.command import compare
from ..parameters.noisify import NOISIFY
from ..parameters.nonbragg import NONBRAGG
from ..util.messages import logger
from ..view.command import view
from .help import COMMANDS, help_of

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None)

# The words are read by the parser of nanoBragg's options, not by Typer's.
_OUR_WORDS = {"ignore_unknown_options": True, "allow_interspersed_args": True}


def _help(command: str) -> str:
    """Return what a command does, as a sentence that begins one."""
    what = COMMANDS[command]
    return what[0].upper() + what[1:]


@app.callback()
def _nbnumba() -> None:
    """Render diffraction images of nanocrystals (nbnumba -help), and work with them."""


app.command("batch", help=_help("batch"))(batch)
app.command("series", help=_help("series"))(series)
app.command("compare", help=_help("compare"))(compare)
app.command("view", help=_help("view"), context_settings=_OUR_WORDS)(view)


@app.command("noise", help=_help("noise"), context_settings=_OUR_WORDS)
def noise(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="FLOATFILE|STORED",
            help="A raw float image and options as for rendering: -detpixels_f and -detpixels_s give its size, "
            "-seed, -adc and -roi the noise, -noisefile the result, -h5file and -cbffile the counts without offset; "
            "-distance, -pixel and others go into the headers. Or an .h5 file of nbnumba with expected photons, or "
            "the folder of a batch without noise, with -o for the file or folder to write and options of the "
            "readout: -psf, -gain, -readout_noise and so on. Its noise is what the batch would have drawn, or that "
            "of -seed N; -dtype uint16 (default), int32 or float32 chooses the numbers.",
        ),
    ],
) -> None:
    """Draw photon noise on a float image and write it as SMV, or on stored images of a batch.

    Raises
    ------
    InputError, FileError
        As `nbnumba.commandline.noise.noise`.
    """
    from .noise import noise as run

    run(words)


@app.command("noisify", help=_help("noisify"), context_settings=_OUR_WORDS, add_help_option=False)
def noisify(
    words: Annotated[list[str], typer.Argument(metavar="-floatfile FILE ...")],
) -> None:
    """Add the noise of a detector to a float image.

    Raises
    ------
    InputError, FileError
        As `nbnumba.commandline.noisify.run`.
    """
    if "--help" in words:
        print(help_of("noisify", "-floatfile FILE", NOISIFY))
        return
    from .noisify import run

    run(words)


@app.command("nonbragg", help=_help("nonbragg"), context_settings=_OUR_WORDS, add_help_option=False)
def nonbragg(
    words: Annotated[list[str], typer.Argument(metavar="-stol FILE ...")],
) -> None:
    """Draw scattering by amorphous material.

    Raises
    ------
    InputError, FileError
        As `nbnumba.commandline.nonbragg.run`.
    """
    if "--help" in words:
        print(help_of("nonbragg", "-stol FILE", NONBRAGG))
        return
    from .nonbragg import run

    run(words)


@app.command("background-profile", help=_help("background-profile"), context_settings=_OUR_WORDS)
def background_profile(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE -o FILE",
            help="An image of any format that convert reads, and the table to write: the median of F in -bins N bins "
            "of sin(theta)/lambda. -amount thick_mm[:density:MW] says how much material (1 mm of water), -fluence, "
            "-beamsize, -gain and the geometry what the image does not.",
        ),
    ],
) -> None:
    """Work the background of an image out.

    Raises
    ------
    InputError, FileError
        As `nbnumba.commandline.profile.profile`.
    """
    from .profile import profile

    profile(words)


@app.command("convert", help=_help("convert"), context_settings=_OUR_WORDS)
def convert(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE... -o FILE",
            help="Raw float images, SMV, mini-CBF, HDF5 files of nbnumba or what FabIO reads, and the result, whose "
            "ending .h5, .cbf, .img, .bin or .png tells its format. Several images go into one .h5, beside which "
            "a .geom for CrystFEL and an XDS.INP are written; -image N takes the N-th of a file. Options as for "
            "rendering say what a float image does not, -detpixels_f and -detpixels_s first; of SMV and CBF the "
            "header does, and options override it (the geometry of an .h5 stands). -mat or -cell, where given, "
            "travels in the result. -dtype float32, int32 or uint16 chooses the numbers of an .h5. From SMV the "
            "offset is subtracted: -adc, else that of the header, else 40 where nanoBragg made the image. To .img "
            "it is added, in the style dials unless -smv_header says otherwise. Whole numbers are rounded and "
            "clipped to what they hold, which is reported; what nanoBragg scaled stays scaled.",
        ),
    ],
) -> None:
    """Write images as files of another format.

    Raises
    ------
    InputError, FileError
        As `nbnumba.commandline.convert.convert`.
    """
    from .convert import convert as run

    run(words)


@app.command("refine", help=_help("refine"), context_settings=_OUR_WORDS)
def refine(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE -o NAME",
            help="An image of any format that convert reads, and options as for rendering that say where to start: "
            "-expt, or -mat, -cell and the geometry; -hkl, -pdb or -default_F; -fluence. -free names what is refined "
            "(misset,cell,N,mosaic_spread,scale,background; docs/gradients.md has all), -bounds and -priors NAME=X:Y "
            "limits and expected values with their standard deviations, -shoebox N only pixels that close to a spot, "
            "-image N one image out of several, -evaluations N the most that is tried. Counts are taken for Poisson "
            "distributed; with -readout_noise the likelihood is normal. NAME.expt is the result, NAME.json the "
            "table with errors and correlations, NAME.html a page with the image before and after, "
            "NAME_residual.bin image less model, raw float32. Of several images NAME.csv is the table of all; "
            "-workers N processes share them out, -resume goes on with those that are missing.",
        ),
    ],
) -> int:
    """Refine an experiment against images.

    Raises
    ------
    InputError, FileError
        As `nbnumba.commandline.refine.run`.
    """
    from .refine import run

    return run(words)


@app.command("geometry", help=_help("geometry"), context_settings=_OUR_WORDS)
def geometry(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="OPTIONS -out PAGE.html",
            help="Options as for rendering, of which those of detector, beam, spindle and crystal count, and the page.",
        ),
    ],
) -> None:
    """Write a page with detector, beam, spindle and crystal in three dimensions.

    Raises
    ------
    InputError, FileError
        As `nbnumba.commandline.geometry.geometry`.
    """
    from .geometry import geometry as run

    run(words)


@app.command("info", help=_help("info"))
def info() -> None:
    """Print what this installation computes with."""
    from .info import info_lines

    print("\n".join(info_lines()))


@app.command("compare-traces", help=_help("compare-traces"))
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
    everything: Annotated[
        bool, typer.Option("-all", "--all", help="Print every quantity of both, its difference and ratio.")
    ] = False,
    out: Annotated[
        str | None, typer.Option("-out", "--out", metavar="FILE", help="Write every quantity to this JSON file.")
    ] = None,
) -> int:
    """Print the first quantity that differs; exit status 1 when there is one."""
    from ..io.atomic import check_can_write, check_distinct
    from ..trace.compare import compare_traces as compare

    if out is not None:
        check_distinct([("-out", out)], [("A", a), ("B", b)])
        check_can_write("-out", out)
    comparison = compare(a, b, tolerance)
    if everything:
        print("\n".join(comparison.table()))
    print("\n".join(comparison.lines()))
    if out is not None:
        comparison.write(out)
    return 1 if comparison.differences else 0


@app.command("random-orientation", help=_help("random-orientation"), context_settings=_OUR_WORDS)
def random_orientation(
    first: Annotated[
        str,
        typer.Option(
            "-cell",
            "--cell",
            metavar="A B C AL BE GA",
            help="Unit cell, 1 to 6 numbers, lengths (Å) and angles (deg); missing lengths are A, missing angles 90.",
        ),
    ],
    others: Annotated[list[str] | None, typer.Argument(metavar="B C AL BE GA", hidden=True)] = None,
    seed: Annotated[
        int | None,
        typer.Option("-seed", "--seed", metavar="N", help="Of the orientation, at least 0 (default: the time)."),
    ] = None,
    wavelength: Annotated[
        float,
        typer.Option("-lambda", "--lambda", metavar="L", help="Wavelength (Å); give the same to the rendering."),
    ] = 1.0,
    out: Annotated[
        str | None,
        typer.Option("-o", "-output", "--output", metavar="FILE", help="What to write, else standard output."),
    ] = None,
) -> None:
    """Write a crystal in a random orientation, all being equally likely, as a matrix file for -mat and MOSFLM."""
    from ..crystal import orientation as orientations
    from ..readout.poisson import seed_from_time

    cell = orientations.cell_of_words([first, *(others or [])])
    drawn = seed is None
    number = seed_from_time() if seed is None else seed
    orientation = orientations.random_orientation(cell, wavelength, number)
    if out is not None:
        orientations.write_orientation(orientation, out)
        print(f"{out}: orientation of seed {number}; render it with -mat {out} -lambda {wavelength:.10g}")
    else:
        print(orientation.text(), end="")
    if drawn:
        logger.warning(f"seed {number}, from the time; -seed {number} gives the same orientation again")
