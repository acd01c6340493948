"""How fast batches are: images a second, next to what kernel and noise alone could do. `python -m bench.batch`."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import machine

COMMON = (
    "-cell 79 79 38 90 90 90 -default_F 100 -lambda 1.0 -distance 200 -N 12 -beamsize 0.01 -water 0.5 "
    "-oversample 1 -nointerpolate"
)
VARY = """
[vary]
orientation = "random"
energy_ev = { normal = [12398.0, 15.0] }
distance_mm = { uniform = [195, 205] }
fluence = { lognormal = [26, 0.5] }
"""


@dataclass(frozen=True)
class Row:
    """A batch to be timed."""

    name: str
    command: str
    images: int


ROWS = (
    Row("1024 x 1024, 100 domains", f"{COMMON} -detpixels 1024 -pixel 0.1 -mosaic 0.5 -mosaic_domains 100", 20),
    Row("256 x 256, one orientation", f"{COMMON} -detpixels 256 -pixel 0.4", 400),
)


@dataclass(frozen=True)
class Speed:
    """Images a second by the clock, and processor time of an image."""

    per_second: float
    processor: float


def measure(row: Row, folder: Path, threads: int, rounds: int) -> dict[str, list[Speed]]:
    """Time kernel and noise alone, on scenes that are ready, and the whole batch, in turn."""
    from nbnumba import kernels
    from nbnumba.batch.chunk import ChunkTask, render_chunk
    from nbnumba.batch.executors.resources import Share, use_share
    from nbnumba.batch.reference import base_of
    from nbnumba.batch.sample import draw, image_experiment
    from nbnumba.batch.spec import read_spec
    from nbnumba.experiment.scene import build_scene

    path = folder / "bench.toml"
    lines = [f'command = "{row.command}"', f"count = {row.images}", f"images_per_file = {row.images}", "seed = 1"]
    path.write_text("\n".join([*lines, 'backend = "cpu"', VARY]))
    spec, _ = read_spec(str(path))
    base = base_of(spec, row.name, {})
    scenes = [build_scene(image_experiment(base, draw(spec, base, image))) for image in range(row.images)]
    use_share(Share(threads))

    def kernel_and_noise() -> None:
        for number, scene in enumerate(scenes):
            image = kernels.render(scene, "cpu", threads).image
            region = (0, scene.n_fast - 1, 0, scene.n_slow - 1)
            kernels.draw_noise(image, region, 0.0, 1, number, threads)

    def batch() -> None:
        render_chunk(ChunkTask(spec, str(folder), 0, row.name, {}))

    found: dict[str, list[Speed]] = {"kernel": [], "batch": []}
    for number in range(rounds + 1):
        for name, work in (("kernel", kernel_and_noise), ("batch", batch)):
            speed = _speed(work, row.images)
            if number > 0:  # the first round compiles
                found[name].append(speed)
    return found


def _speed(work: Callable[[], None], images: int) -> Speed:
    start, spent = time.perf_counter(), time.process_time()
    work()
    return Speed(images / (time.perf_counter() - start), (time.process_time() - spent) / images)


def main() -> int:
    """Time every row and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.batch", description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    where = machine.describe(given.threads, None)
    print(", ".join(f"{name} {value}" for name, value in where.items() if value is not None) + "\n")
    print("| uint16 with noise | kernel and noise | batch | batch / both alone | processor time, alone / batch |")
    print("|---|---|---|---|---|")
    for row in ROWS:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(row, Path(folder), given.threads, given.rounds)
        kernel, batch = (statistics.median(speed.per_second for speed in found[name]) for name in found)
        spent = [statistics.median(speed.processor for speed in found[name]) for name in found]
        share = statistics.median(
            b.per_second / k.per_second for k, b in zip(found["kernel"], found["batch"], strict=True)
        )
        costs = f"{1e3 * spent[0]:.1f} ms / {1e3 * spent[1]:.1f} ms"
        print(f"| {row.name} | {kernel:.1f}/s | {batch:.1f}/s | {100 * share:.0f} % | {costs} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
