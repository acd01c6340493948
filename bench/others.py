"""What is measured beside the matrix, each as a table: start-up, compiling, files, scaling."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .instructions import summary
from .matrix import ROOT
from .processes import Usage, nbnumba, python_environment, timed, work

Cells = list[str]

CRYSTAL = "-mat lyso.mat -hkl lyso.hkl -lambda 1.0 -distance 200 -Na 24 -Nb 20 -Nc 28 -oversample 1 -nonoise -nopgm"
WIDTH_MM = 204.8  # of the detector, whatever its pixels


@dataclass(frozen=True)
class Table:
    """A finished table; `raw` keeps the figures behind it."""

    key: str
    title: str
    note: str
    header: Cells
    rows: list[Cells]
    raw: Any

    def as_json(self) -> dict[str, Any]:
        """Return a dictionary of plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """How thorough to be."""

    rounds: int
    threads: int
    quick: bool


def image_words(pixels: int, *more: str) -> list[str]:
    """Return the command line of a square detector of some pixels a side."""
    return [*CRYSTAL.split(), "-pixel", repr(WIDTH_MM / pixels), "-detpixels", str(pixels), *more]


def spread(values: list[float], digits: int = 2) -> str:
    """Return the median, with the smallest and the largest when there are several."""
    middle = f"{statistics.median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f}-{max(values):.{digits}f})"


class _Folder(tempfile.TemporaryDirectory[str]):
    """A temporary folder that holds the inputs of the tables below."""

    def __enter__(self) -> Path:  # type: ignore[override]
        folder = Path(super().__enter__())
        for name in ("lyso.mat", "lyso.hkl"):
            (folder / name).write_bytes((ROOT / "golden" / "inputs" / name).read_bytes())
        return folder


def _folder() -> _Folder:
    return _Folder(prefix="nbnumba-bench-")


def start_up(plan: Plan) -> Table:
    """Time runs that have little to do."""
    small = [*image_words(256), "-threads", str(plan.threads)]
    python = [sys.executable, "-c"]
    with _folder() as folder:
        environment = python_environment()
        cases: list[tuple[str, str, Callable[[], Usage]]] = [
            ("`nbnumba -help`", "0.3", lambda: nbnumba(["-help"], folder)),
            ("256 x 256 pixels, one orientation, second run", "1.0", lambda: nbnumba(small, folder)),
            ("Python's own start, for comparison", "", lambda: timed([*python, "pass"], folder, environment)),
            ("`import numba`, for comparison", "", lambda: timed([*python, "import numba"], folder, environment)),
        ]
        nbnumba(small, folder)  # compiles where that was not done yet
        found = {name: [run() for _ in range(max(2, plan.rounds))] for name, _, run in cases}
    rows = []
    for name, goal, _ in cases:
        usages = found[name]
        walls, cpus = [usage.wall for usage in usages], [usage.cpu for usage in usages]
        rows.append([name, spread(walls), goal, spread(cpus), f"{max(usage.peak_mb for usage in usages):.0f}"])
    return Table(
        "start-up",
        "Start-up",
        "Whole processes, importing included. Processor time is that of all threads.",
        ["run", "wall time [s]", "goal [s]", "processor time [s]", "memory [MB]"],
        rows,
        {name: [asdict(usage) for usage in usages] for name, usages in found.items()},
    )


def compiling(plan: Plan) -> Table:
    """Time the first run on a new machine: nothing is compiled yet."""
    outputs = ("-noisefile", "noise.img", "-seed", "1")
    usages: dict[str, Usage] = {}
    with _folder() as folder:
        words = [*image_words(256), "-threads", str(plan.threads)]
        for name, more in (("reflections, image and noise", outputs), ("reflections and image", ())):
            cache = {"NBNUMBA_CACHE_DIR": str(folder / name.replace(" ", "-"))}
            usages[name] = nbnumba([*words, *more], folder, cache)
    return Table(
        "compiling",
        "First run on a new machine",
        "A whole process with an empty cache folder, 256 x 256 pixels, until all files are written; goal 12 s.",
        ["what is compiled", "wall time [s]", "processor time [s]", "memory [MB]"],
        [[name, f"{usage.wall:.1f}", f"{usage.cpu:.1f}", f"{usage.peak_mb:.0f}"] for name, usage in usages.items()],
        {name: asdict(usage) for name, usage in usages.items()},
    )


def reading(plan: Plan) -> Table:
    """Time the reading of a long reflection list."""
    rows, raw = [], []
    with _folder() as folder:
        for lines in (700_000,) if plan.quick else (700_000, 7_000_000):
            written = work("write_list", folder, path="long.hkl", lines=lines)
            found = work("read_list", folder, path="long.hkl", small="lyso.hkl")
            words = [*image_words(64), "-nodump", "-threads", str(plan.threads)]
            words[words.index("lyso.hkl")] = "long.hkl"
            usage = nbnumba(words, folder)
            raw.append({**written, **found, "process": asdict(usage)})
            rows.append(
                [
                    f"{lines:,}".replace(",", " "),
                    f"{written['bytes'] / 1e6:.0f}",
                    f"{found['seconds']:.2f}",
                    f"{found['lines'] / found['seconds'] / 1e6:.1f}",
                    f"{found['table_mb']:.0f}",
                    f"{found['more_mb']:.0f}",
                    f"{usage.wall:.2f}",
                    f"{usage.peak_mb:.0f}",
                ]
            )
    return Table(
        "reading",
        "Reading reflections from text",
        "Goals: 2 million lines a second; 7 million lines within 6 s and within 3 times the table's memory. "
        "The last two columns are a whole process that reads the list and draws 64 x 64 pixels.",
        (
            "lines, file [MB], reading [s], million lines/s, table [MB], memory for it [MB], process [s], process [MB]"
        ).split(", "),
        rows,
        raw,
    )


def writing(plan: Plan) -> Table:
    """Time the writing of images."""
    size = 2048 if plan.quick else 4096
    with _folder() as folder:
        found = work("write_images", folder, size=size, repeats=max(2, plan.rounds))
    rows = []
    for name, figures in found.items():
        megabytes = figures["bytes"] / 1e6
        rates = [megabytes / statistics.median(figures[key]) for key in ("seconds", "plain_seconds")]
        rows.append([name, f"{megabytes:.0f}", spread(figures["seconds"], 3), *(f"{rate:.0f}" for rate in rates)])
    return Table(
        "writing",
        "Writing images",
        f"{size} x {size} pixels, converted from float32 and written; beside it a plain write of the same bytes. "
        "Neither waits for the disk itself.",
        ["file", "MB", "time [s]", "MB/s", "plain write, MB/s"],
        rows,
        found,
    )


def small_images(plan: Plan) -> Table:
    """Count small images per second in one process."""
    raw = {}
    with _folder() as folder:
        for pixels in (64, 128, 256):
            words = image_words(pixels)
            seconds = 0.5 if plan.quick else 2.0
            raw[pixels] = work("small_images", folder, words=words, threads=plan.threads, seconds=seconds)
    rows = [
        [f"{pixels} x {pixels}", f"{found['per_second']:.0f}", f"{found['per_second_from_words']:.1f}"]
        for pixels, found in raw.items()
    ]
    return Table(
        "small-images",
        "Small images in one process",
        "One orientation. From an experiment: `simulate` alone; from a command line: reading its files too.",
        ["pixels", "images/s from an experiment", "images/s from a command line"],
        rows,
        raw,
    )


def batches(plan: Plan) -> Table:
    """Time batches beside kernel and noise alone."""
    from .batch import ROWS

    rows, raw = [], {}
    for row in ROWS:
        with _folder() as folder:
            raw[row.name] = found = work("batch", folder, name=row.name, threads=plan.threads, rounds=plan.rounds)
        kernel, whole = ([speed["per_second"] for speed in found[what]] for what in ("kernel", "batch"))
        shares = [100.0 * ours / bound for ours, bound in zip(whole, kernel, strict=True)]
        rows.append([row.name, spread(kernel, 1), spread(whole, 1), spread(shares, 0)])
    return Table(
        "batches",
        "Batches in one process",
        "Files of `nbnumba batch`: images drawn, rendered, with photon noise as uint16, compressed and written, their "
        "ground truth and labels too; in turn with that kernel and noise alone on the same scenes, ready made. Goals: "
        "80 % of their speed for the large images, half of it for the small ones.",
        ["images", "kernel and noise [images/s]", "batch [images/s]", "of their speed [%]"],
        rows,
        raw,
    )


def steps_scaling(plan: Plan) -> Table:
    """Time images of 10^4 to 10^8 steps."""
    series = {
        "one orientation": (100, 316, 1000, 3162, 4096),
        "100 domains": (10, 32, 100, 316, 1000),
    }
    rows, raw = [], []
    with _folder() as folder:
        for name, sizes in series.items():
            more = () if name == "one orientation" else ("-mosaic", "0.6", "-mosaic_domains", "100")
            for pixels in sizes[:-1] if plan.quick else sizes:
                words = image_words(pixels, *more)
                found = work("render", folder, words=words, threads=plan.threads, repeats=max(3, plan.rounds))
                raw.append({"series": name, "pixels": pixels, **found})
                whole = statistics.median(found["seconds"])
                empty = statistics.median(found["empty_seconds"])
                rate = found["steps"] / max(whole - empty, 1e-6)
                rows.append([name, f"{found['steps']:.2g}", f"{1e3 * whole:.2f}", f"{1e3 * empty:.2f}", f"{rate:.2g}"])
    return Table(
        "scaling-steps",
        "Time against steps",
        "Within one process. The image less a single pixel of it, over the steps, is the rate.",
        ["series", "steps", "image [ms]", "single pixel [ms]", "steps/s"],
        rows,
        raw,
    )


def threads_scaling(plan: Plan) -> Table:
    """Time one image with 1, 2, ... threads."""
    from .machine import cores

    most = cores()
    counts = sorted({1, *(2**n for n in range(most.bit_length()) if 2**n <= most), most})
    raw = {}
    with _folder() as folder:
        words = image_words(512 if plan.quick else 1024, "-mosaic", "0.6", "-mosaic_domains", "100")
        for threads in counts:
            raw[threads] = work("render", folder, words=words, threads=threads, repeats=max(3, plan.rounds))
    times = {threads: statistics.median(found["seconds"]) for threads, found in raw.items()}
    return Table(
        "scaling-threads",
        "Time against threads",
        "100 mosaic domains, within one process.",
        ["threads", "image [s]", "times faster than one"],
        [[str(n), spread(raw[n]["seconds"], 3), f"{times[1] / times[n]:.2f}"] for n in counts],
        raw,
    )


def memory_scaling(plan: Plan) -> Table:
    """Measure the memory of whole processes up to 16 million pixels."""
    rows, raw = [], []
    with _folder() as folder:
        for pixels in (64, 1024, 2048) if plan.quick else (64, 1024, 2048, 4096):
            words = [word for word in image_words(pixels, "-seed", "1") if word not in ("-nonoise", "-nopgm")]
            usage = nbnumba([*words, "-threads", str(plan.threads)], folder)
            image = 4 * pixels**2 / 1e6
            raw.append({"pixels": pixels, **asdict(usage)})
            rows.append([f"{pixels} x {pixels}", f"{image:.0f}", f"{usage.peak_mb:.0f}", f"{3 * image + 200:.0f}"])
    return Table(
        "scaling-memory",
        "Memory against pixels",
        "Whole processes that write the float, integer, gray and noise images; the limit is 3 float images and 200 MB. "
        "The table of reflections takes 1 MB.",
        ["pixels", "float image [MB]", "memory [MB]", "limit [MB]"],
        rows,
        raw,
    )


def peak(plan: Plan) -> Table:
    """Compare the innermost loops with what a core can issue."""
    with _folder() as folder:
        raw = work("instructions", folder)
    per_second = raw["fma_lanes_per_second"]
    rows = []
    for loop in raw["loops"]:
        total, multiplications, divisions = summary(loop["instructions"])
        share = multiplications / loop["seconds"] / (per_second * (2 if loop["single"] else 1))
        cells = [str(total), str(multiplications), str(divisions), f"{loop['seconds'] * 1e9:.2f}", f"{share:.0%}"]
        rows.append([f"{loop['name']} ({loop['lanes']} pixels a vector)", *cells])
    return Table(
        "peak",
        "Innermost loops against the peak of one core",
        "Instructions per vector of pixels, counted in the machine code; share: multiplications and multiply-adds per "
        f"second over the {per_second:.3g} multiply-adds of float64 that one thread was measured to issue.",
        ["loop", "instructions", "multiply or multiply-add", "divide or root", "ns per pixel", "share of the peak"],
        rows,
        raw,
    )


TABLES: dict[str, Callable[[Plan], Table]] = {
    "peak": peak,
    "start-up": start_up,
    "compiling": compiling,
    "writing": writing,
    "reading": reading,
    "small-images": small_images,
    "batches": batches,
    "scaling-steps": steps_scaling,
    "scaling-threads": threads_scaling,
    "scaling-memory": memory_scaling,
}
