"""The sub-command `nbnumba compare`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError

if TYPE_CHECKING:
    from ..imagefiles.records import LoadedImage

_MOST_PEAKS = 5000


def compare(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B | -- ARGS...",
            help="Two images: raw float32, SMV, CBF, HDF5, NumPy, TIFF and whatever else FabIO reads; or, after --with "
            "and two dashes, a command line of nanoBragg.",
        ),
    ] = None,
    executable: Annotated[
        str | None,
        typer.Option(
            "-with",
            "--with",
            metavar="EXECUTABLE",
            help="Run this program and nbnumba on ARGS, in empty folders of their own, and compare their float images.",
        ),
    ] = None,
    command_list: Annotated[
        str | None,
        typer.Option(
            "-list",
            "--list",
            metavar="FILE",
            help="With --with: compare on every command line of this file, one a line, and print a table.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "-out",
            "--out",
            metavar="DIR",
            help="Write metrics.json, compare.png and compare.html, a page to look around in, into this folder; with "
            "--list one folder for each line, and table.json.",
        ),
    ] = None,
    detpixels: Annotated[
        int | None, typer.Option("-detpixels", "--detpixels", min=1, help="Size of square raw images.")
    ] = None,
    detpixels_f: Annotated[
        int | None, typer.Option("-detpixels_f", "--detpixels_f", min=1, help="Size of raw images along fast.")
    ] = None,
    detpixels_s: Annotated[
        int | None, typer.Option("-detpixels_s", "--detpixels_s", min=1, help="Size of raw images along slow.")
    ] = None,
    detpixels_b: Annotated[
        int | None, typer.Option("-detpixels_b", "--detpixels_b", min=1, help="Size of B where it differs from A's.")
    ] = None,
    detpixels_f_b: Annotated[
        int | None, typer.Option("-detpixels_f_b", "--detpixels_f_b", min=1, help="The same along fast.")
    ] = None,
    detpixels_s_b: Annotated[
        int | None, typer.Option("-detpixels_s_b", "--detpixels_s_b", min=1, help="The same along slow.")
    ] = None,
    image: Annotated[
        int | None, typer.Option("-image", "--image", min=1, help="Which image of files that hold several (first: 1).")
    ] = None,
    image_b: Annotated[
        int | None, typer.Option("-image_b", "--image_b", min=1, help="The same for B where it differs from A.")
    ] = None,
    roi: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(
            "-roi",
            "--roi",
            metavar="F F S S",
            help="Compare only these pixels: fast first and last, slow first and last, both included.",
        ),
    ] = None,
    valid_range: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "-valid_range",
            "--valid_range",
            metavar="LOW HIGH",
            help="Leave out pixels with a value outside, such as the -1 of masked pixels.",
        ),
    ] = None,
    percentile: Annotated[
        float,
        typer.Option(
            "-percentile", "--percentile", min=0.0, max=100.0, help="Contrast: this share of the pixels is not clipped."
        ),
    ] = 99.9,
    peaks: Annotated[
        int, typer.Option("-peaks", "--peaks", min=1, max=_MOST_PEAKS, help="Brightest peaks to match.")
    ] = 200,
    radius: Annotated[
        float, typer.Option("-radius", "--radius", min=0.0, help="Largest distance of peaks that match, in pixels.")
    ] = 3.0,
    min_correlation: Annotated[
        float, typer.Option("-min_correlation", "--min_correlation", help="Fail below.")
    ] = 0.999999,
    max_sum_error: Annotated[
        float,
        typer.Option("-max_sum_error", "--max_sum_error", min=0.0, help="Fail where |sum(B) / sum(A) - 1| is above."),
    ] = 1e-6,
    max_rmse: Annotated[float | None, typer.Option("-max_rmse", "--max_rmse", help="Fail above.")] = None,
    max_difference: Annotated[
        float | None, typer.Option("-max_difference", "--max_difference", help="Fail where any |B - A| is above.")
    ] = None,
    max_displacement: Annotated[
        float | None,
        typer.Option(
            "-max_displacement", "--max_displacement", help="Fail where the median of peak displacements is above."
        ),
    ] = None,
    min_equal: Annotated[
        float | None,
        typer.Option("-min_equal", "--min_equal", min=0.0, max=1.0, help="Fail where fewer pixels are equal (0 to 1)."),
    ] = None,
) -> int:
    """Compare two images, or what another program and nbnumba draw for the same command line.

    Prints how far they agree; the exit status is 0 where they pass and 1 where they do not. Where the shapes differ,
    finer pixels are added up to the coarser ones.
    """
    from .comparing import Comparing, make_folder
    from .metrics import Thresholds

    _refuse_nan(
        {
            "-percentile": percentile,
            "-radius": radius,
            "-min_correlation": min_correlation,
            "-max_sum_error": max_sum_error,
            "-max_rmse": max_rmse,
            "-max_difference": max_difference,
            "-max_displacement": max_displacement,
            "-min_equal": min_equal,
        }
    )
    folder = None if out is None else make_folder(out)
    thresholds = Thresholds(min_correlation, max_sum_error, max_rmse, max_difference, max_displacement, min_equal)
    how = Comparing(roi, valid_range, thresholds, peaks, radius, percentile)
    if command_list is not None:
        from . import command_lines

        if executable is None:
            raise InputError(f"compare: --list {command_list}: needs --with EXECUTABLE, the program to compare with")
        if words:
            raise InputError(f"compare: --list {command_list}: its lines are compared, so {words[0]!a} has no place")
        return command_lines.compare_all(executable, command_list, how, folder)
    runs = None
    if executable is not None:
        from .run_other import run_both

        if not words:
            raise InputError(f"compare --with {executable}: needs a command line behind two dashes: -- -mat A.mat ...")
        images, runs = run_both(executable, words)
    else:
        if words is None or len(words) != 2:
            raise InputError(f"compare: needs two images, got {len(words or ())}: {' '.join(words or ()) or 'none'}")
        size = (detpixels_s or detpixels, detpixels_f or detpixels)
        size_b = (detpixels_s_b or detpixels_b, detpixels_f_b or detpixels_b)
        images = _read(words, size, size_b, (image, image_b or image))
    report = how.report(images, runs, folder)
    print(report.text)
    return 0 if report.passed else 1


def _refuse_nan(limits: dict[str, float | None]) -> None:
    """Refuse a limit that every comparison would pass, or none."""
    for option, limit in limits.items():
        if limit is not None and math.isnan(limit):
            raise InputError(f"compare: {option}: nan is not a number to compare with")


def _read(
    paths: list[str],
    size: tuple[int | None, int | None],
    size_b: tuple[int | None, int | None],
    numbers: tuple[int | None, int | None],
) -> tuple[LoadedImage, LoadedImage]:
    """Read both images."""
    from ..imagefiles.records import Source
    from .load import read_image, read_two

    shape, shape_b = _shape(size, ""), _shape(size_b, "_b")
    first, second = Source(paths[0], numbers[0]), Source(paths[1], numbers[1])
    if shape_b is None:
        return read_two(first, second, shape)
    return read_image(first, shape), read_image(second, shape_b)


def _shape(size: tuple[int | None, int | None], ending: str) -> tuple[int, int] | None:
    n_slow, n_fast = size
    if (n_slow is None) != (n_fast is None):
        names = f"-detpixels_f{ending} and -detpixels_s{ending}"
        raise InputError(f"compare: {names} belong together; give both, or -detpixels{ending}")
    return None if n_slow is None or n_fast is None else (n_slow, n_fast)
