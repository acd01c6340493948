"""The sub-command `nbnumba compare`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import FileError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from ..util.regions import Roi
    from .metrics import Metrics, Thresholds
    from .pair import LoadedImage, Pair
    from .run_other import Run

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
    out: Annotated[
        str | None,
        typer.Option(
            "-out",
            "--out",
            metavar="DIR",
            help="Write metrics.json, compare.png and compare.html, a page to look around in, into this folder.",
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
    folder = None if out is None else _make_folder(out)
    thresholds = Thresholds(min_correlation, max_sum_error, max_rmse, max_difference, max_displacement, min_equal)
    runs = None
    if executable is not None:
        from .run_other import run_both

        if not words:
            raise InputError(f"compare --with {executable}: needs a command line behind two dashes: -- -mat A.mat ...")
        images, runs = run_both(executable, words)
    else:
        if words is None or len(words) != 2:
            raise InputError(f"compare: needs two images, got {len(words or ())}: {' '.join(words or ()) or 'none'}")
        images = _read(words, (detpixels_s or detpixels, detpixels_f or detpixels), (image, image_b or image))
    return _compare(images, runs, roi, valid_range, thresholds, peaks, radius, percentile, folder)


def _refuse_nan(limits: dict[str, float | None]) -> None:
    """Refuse a limit that every comparison would pass, or none."""
    for option, limit in limits.items():
        if limit is not None and math.isnan(limit):
            raise InputError(f"compare: {option}: nan is not a number to compare with")


def _read(
    paths: list[str], size: tuple[int | None, int | None], numbers: tuple[int | None, int | None]
) -> tuple[LoadedImage, LoadedImage]:
    """Read both images."""
    from .load import Source, read_two

    n_slow, n_fast = size
    if (n_slow is None) != (n_fast is None):
        raise InputError("compare: -detpixels_f and -detpixels_s belong together; give both, or -detpixels")
    shape = None if n_slow is None or n_fast is None else (n_slow, n_fast)
    return read_two(Source(paths[0], numbers[0]), Source(paths[1], numbers[1]), shape)


def _compare(
    images: tuple[LoadedImage, LoadedImage],
    runs: tuple[Run, Run] | None,
    roi: Roi | None,
    valid: tuple[float, float] | None,
    thresholds: Thresholds,
    peaks: int,
    radius: float,
    percentile: float,
    folder: Path | None,
) -> int:
    """Measure, print and write; return the exit status."""
    from . import summary
    from .metrics import judge, measure
    from .pair import make_pair

    pair = make_pair(*images, roi, valid)
    del images  # large ones would otherwise stay in memory beside their copies
    metrics = measure(pair, peaks, radius)
    checks = judge(metrics, thresholds)
    print(summary.text(pair, metrics, checks, runs))
    if folder is not None:
        found = summary.as_dict(pair, metrics, checks, runs)
        table = summary.rows(metrics, checks)
        _write(folder, pair, metrics, found, table, percentile)
    return 0 if summary.passed(checks) else 1


def _write(
    folder: Path,
    pair: Pair,
    metrics: Metrics,
    found: dict[str, object],
    table: list[tuple[str, str, str, str]],
    percentile: float,
) -> None:
    """Write metrics.json, the picture and the page."""
    from ..io.atomic import whole_file
    from . import page, picture, summary

    with whole_file(folder / "metrics.json") as file:
        file.write(summary.to_json(found).encode())
    picture.write(folder / "compare.png", pair, metrics, percentile)
    page.write(folder / "compare.html", pair, metrics, found, table, percentile)
    print(f"wrote {folder / 'compare.html'}, compare.png and metrics.json")


def _make_folder(name: str) -> Path:
    """Make the folder for the results, before anything is computed."""
    from pathlib import Path

    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"-out {name}: cannot be made: {error.strerror or error}") from None
    return folder
