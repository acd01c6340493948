"""What is done with a pair of images: measure, judge, report, write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import FileError, InputError
from ..imagefiles.records import LoadedImage
from ..io.opening import is_folder
from ..util.regions import Roi
from . import summary
from .metrics import Metrics, Thresholds, judge, measure
from .pair import make_pair
from .run_other import Run


@dataclass(frozen=True)
class Report:
    """What was found; `text` is the report for a terminal."""

    metrics: Metrics
    passed: bool
    text: str


@dataclass(frozen=True)
class Comparing:
    """How two images are compared.

    Attributes
    ----------
    roi : (fast_min, fast_max, slow_min, slow_max) or None
    valid : (low, high) or None
        Pixels outside are left out.
    thresholds : Thresholds
    peaks : int
        Brightest peaks to match.
    radius : float [pixels]
        Largest distance of peaks that match.
    percentile : float
        Contrast of the pictures.
    """

    roi: Roi | None
    valid: tuple[float, float] | None
    thresholds: Thresholds
    peaks: int
    radius: float
    percentile: float

    def report(
        self, images: tuple[LoadedImage, LoadedImage], runs: tuple[Run, Run] | None, folder: Path | None
    ) -> Report:
        """Measure two images and judge them; write metrics.json, the picture and the page into a folder.

        Raises
        ------
        InputError
            No pixel is left to compare.
        FileError
            The folder cannot be written.
        """
        pair = make_pair(*images, self.roi, self.valid)
        del images  # large ones would otherwise stay in memory beside their copies
        metrics = measure(pair, self.peaks, self.radius)
        checks = judge(metrics, self.thresholds)
        text = summary.text(pair, metrics, checks, runs)
        if folder is not None:
            from ..io.atomic import whole_file
            from . import page, picture

            found = summary.as_dict(pair, metrics, checks, runs)
            with whole_file(folder / "metrics.json") as file:
                file.write(summary.to_json(found).encode())
            picture.write(folder / "compare.png", pair, metrics, self.percentile)
            page.write(folder / "compare.html", pair, metrics, found, summary.rows(metrics, checks), self.percentile)
            text += f"\nwrote {folder / 'compare.html'}, compare.png and metrics.json"
        return Report(metrics, summary.passed(checks), text)


def make_folder(name: str) -> Path:
    """Make a folder for results, before anything is computed.

    Raises
    ------
    InputError
        The name is that of a file.
    FileError
        It cannot be made.
    """
    folder = Path(name)
    if folder.suffix.lower() in (".html", ".json", ".png") and not is_folder(folder):
        raise InputError(f"-out {name}: names a folder, which gets compare.html, compare.png and metrics.json")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"-out {name}: cannot be made: {error.strerror or error}") from None
    return folder
