"""What is measured inside one process: `python -m bench.worker TASK`, arguments and answer as JSON.

Each task runs in a fresh process, so that memory and compiled code of one measurement do not touch the next.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .matrix import ROOT

EMPTY = ("-roi", "0", "0", "0", "0")


def render(words: list[str], threads: int, repeats: int, at_least: float = 0.3) -> dict[str, Any]:
    """Time `simulate` for a command line, and for the same command of which a single pixel is rendered.

    The first image is not timed: it loads or compiles the kernel. Images of a few milliseconds are repeated until
    `at_least` seconds have gone by.
    """
    from nbnumba.experiment.resolve import resolve
    from nbnumba.experiment.scene import build_scene
    from nbnumba.parameters.parser import parse
    from nbnumba.render.renderer import simulate

    words = [*words, "-nodump"]
    experiment = resolve(parse(words).settings)
    empty = resolve(parse([*words, *EMPTY]).settings)
    scene = build_scene(experiment)
    rows, columns = scene.region_shape
    image = simulate(experiment, "cpu", threads)
    evaluated = getattr(image, "evaluated_steps", None)
    full_times: list[float] = []
    empty_times: list[float] = []
    while len(full_times) < repeats or sum(full_times) + sum(empty_times) < at_least:
        full_times.append(_seconds(lambda: simulate(experiment, "cpu", threads)))
        empty_times.append(_seconds(lambda: simulate(empty, "cpu", threads)))
    return {
        "steps": scene.samples_per_pixel * rows * columns,
        "evaluated_steps": None if evaluated is None else int(evaluated),
        "seconds": full_times,
        "empty_seconds": empty_times,
    }


def judge(words: list[str], reference: str, ours: str) -> dict[str, Any]:
    """Compare two float images of a command line by the gate of the tests."""
    import numpy as np

    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from agreement import judge as judged  # type: ignore[import-not-found]
    from golden_runs import first_evaluated_pixel  # type: ignore[import-not-found]

    from nbnumba.experiment.resolve import resolve
    from nbnumba.parameters.parser import parse

    experiment = resolve(parse([*words, "-nodump"]).settings)
    panel = experiment.detector.panels[0]
    shape = panel.n_slow, panel.n_fast
    left_out = np.zeros(shape, dtype=bool)
    angles = experiment.goniometer.angles
    if len(angles) > 1 and np.any(angles == 0.0):  # row phi0 of DIFFERENCES.md
        left_out[first_evaluated_pixel(experiment)] = True
    images = [np.fromfile(name, "<f4").reshape(shape) for name in (reference, ours)]
    verdict = judged(*images, left_out=left_out)
    return {
        "passed": verdict.passed,
        "worst_relative": verdict.worst_relative,
        "equal_fraction": verdict.equal_fraction,
        "reason": verdict.reason,
    }


def write_list(path: str, lines: int) -> dict[str, Any]:
    """Write a list of that many reflections, which fill a sphere, with made-up structure factors."""
    import numpy as np

    radius = round((0.75 * lines / np.pi) ** (1.0 / 3.0)) + 1
    index = np.arange(-radius, radius + 1)
    k, l = (plane.ravel() for plane in np.meshgrid(index, index, indexing="ij"))
    rng = np.random.default_rng(7)
    left = lines
    with Path(path).open("w") as file:
        for h in index.tolist():
            inside = np.flatnonzero(h * h + k * k + l * l <= radius * radius)[:left]
            F = rng.gamma(2.0, 60.0, inside.size)
            values = zip(k[inside].tolist(), l[inside].tolist(), F.tolist(), strict=True)
            file.write("".join([f"{h} {i} {j} {f:.3f}\n" for i, j, f in values]))
            left -= inside.size
    return {"lines": lines - left, "bytes": Path(path).stat().st_size}


def read_list(path: str, small: str) -> dict[str, Any]:
    """Read a list of reflections, after a small one that loads what the reader needs."""
    from nbnumba.structure_factors import hkl_list as hkl

    hkl.read(small)
    before = _peak_mb()
    start = time.perf_counter()
    table, _, lines = hkl.read(path)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "lines": lines, "table_mb": table.nbytes / 1e6, "more_mb": _peak_mb() - before}


def write_images(size: int, repeats: int) -> dict[str, Any]:
    """Time the writers of image files, and a plain write of the same bytes."""
    import numpy as np

    from nbnumba.io import floatfile, pgm, smv

    image = np.random.default_rng(7).gamma(0.5, 100.0, (size, size)).astype(np.float32)
    header = b"{\nHEADER_BYTES=512;\n}".ljust(512)
    writers: dict[str, tuple[int, Callable[[str], None]]] = {
        "float": (4, lambda path: floatfile.write(path, image)),
        "int": (2, lambda path: smv.write_rows(path, smv.int_rows(image, 1.0, 40.0), header)),
        "pgm": (1, lambda path: pgm.write_rows(path, pgm.pgm_rows(image, 0.1), image.shape, 0.1)),
    }
    found = {}
    for name, (width, write) in writers.items():
        raw = image.tobytes()[: width * image.size]
        ours, plain = [], []
        for _ in range(repeats):
            ours.append(_seconds(lambda write=write: write("written")))  # type: ignore[misc]
            Path("written").unlink()
            plain.append(_seconds(lambda raw=raw: Path("written").write_bytes(raw)))  # type: ignore[misc]
            Path("written").unlink()
        found[name] = {"bytes": len(raw), "seconds": ours, "plain_seconds": plain}
    return found


def small_images(words: list[str], threads: int, seconds: float) -> dict[str, Any]:
    """Count the images that one process renders, with the experiment at hand and from the words of a command line."""
    from nbnumba.experiment.resolve import resolve
    from nbnumba.parameters.parser import parse
    from nbnumba.render.renderer import simulate

    words = [*words, "-nodump"]
    experiment = resolve(parse(words).settings)

    def from_words() -> None:
        simulate(resolve(parse(words).settings), "cpu", threads)

    simulate(experiment, "cpu", threads)
    return {
        "per_second": _rate(lambda: simulate(experiment, "cpu", threads), seconds),
        "per_second_from_words": _rate(from_words, seconds),
    }


def batch(name: str, threads: int, rounds: int) -> dict[str, Any]:
    """Time a batch of `bench.batch` in this process, and the kernel alone on its scenes, in turn."""
    from dataclasses import asdict

    from .batch import ROWS, measure

    row = next(row for row in ROWS if row.name == name)
    found = measure(row, Path.cwd(), threads, rounds)
    return {what: [asdict(speed) for speed in speeds] for what, speeds in found.items()}


def _rate(action: Callable[[], object], seconds: float) -> float:
    """Return how often an action can be done in a second."""
    start = time.perf_counter()
    count = 0
    while time.perf_counter() - start < seconds:
        action()
        count += 1
    return count / (time.perf_counter() - start)


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _peak_mb() -> float:
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def instructions() -> dict[str, Any]:
    """Count and time the instructions of the innermost loops."""
    from .instructions import measure

    return measure()


def precisions(words: list[str], repeats: int) -> dict[str, Any]:
    """Time both precisions for a command line, and judge the images."""
    from .precisions import measure

    return measure(words, repeats)


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    function.__name__: function
    for function in (render, judge, write_list, read_list, write_images, small_images, batch, instructions, precisions)
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](**json.load(sys.stdin))))
