"""Predicts the wall time of a large batch from measured parts, and checks it with one and two workers here.

`python -m bench.scale` measures what one image costs, step by step, what the disk takes, and how long the start and the
end of a batch are. The parts are measured before and after each batch of the check, since processors do not keep
their speed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nbnumba.batch.contact_sheet import MOST_IMAGES
from nbnumba.batch.names import SHEET

from . import machine

SPEC = """
command = "-cell 79 79 38 90 90 90 -default_F 100 -lambda 1.0 -distance 200 -N 30 -shape gauss_abc -beamsize 0.01 \
-mosaic 0.1 -mosaic_domains 25 -oversample 1 -background water:0.01 -detpixels {edge} -pixel {pixel}"
count = {images}
images_per_file = {images_per_file}
seed = 1
backend = "cpu"
[vary]
orientation = "random"
fluence = {{ lognormal = [24, 0.5] }}
"""
PARTS = ("set-up", "spots and background", "photon noise", "labels", "compression and writing")
FIXED = ("set-up", "labels")  # whatever the number of pixels
PIXELS = 9_000_000  # of the images to be predicted
IMAGES = 100_000
NETWORK_S = 1e-3  # to hand a file to a worker of another machine, and to hear that it is done


@dataclass(frozen=True)
class Costs:
    """What an image costs: processor seconds by part, its bytes on disk, and what the disk takes."""

    seconds: dict[str, float]
    stored: float  # bytes
    disk: float  # bytes/s, synced
    start: float  # s, of one worker
    shown: float  # s, of one image of the contact sheet

    @property
    def processor(self) -> float:
        """Processor time of an image [s]."""
        return sum(self.seconds.values())


@dataclass(frozen=True)
class Prediction:
    """Wall time by what may limit it [s]."""

    processors: float
    disk: float
    scheduler: float
    start: float
    end: float

    @property
    def total(self) -> float:
        """Wall time: rendering and writing overlap, so the slowest counts, between the start and the end."""
        return self.start + max(self.processors, self.disk, self.scheduler) + self.end

    @property
    def bottleneck(self) -> str:
        """What limits it."""
        limits = {"processors": self.processors, "disk": self.disk, "scheduler": self.scheduler}
        return max(limits, key=lambda name: limits[name])


def predict(costs: Costs, images: int, cores: int, disk: float, images_per_file: int = 100) -> Prediction:
    """Predict a batch on so many cores that write to one file system of `disk` bytes/s."""
    return Prediction(
        processors=images * costs.processor / cores,
        disk=images * costs.stored / disk,
        scheduler=images / images_per_file * NETWORK_S,
        start=costs.start,
        end=min(images, MOST_IMAGES) * costs.shown,
    )


def write_spec(folder: Path, edge: int, images: int, images_per_file: int) -> Path:
    """Write the SPEC of images of `edge` x `edge` pixels."""
    path = folder / f"scale-{edge}-{images}.toml"
    pixel = 300.0 / edge
    path.write_text(SPEC.format(edge=edge, pixel=pixel, images=images, images_per_file=images_per_file))
    return path


def measure(edge: int, rounds: int) -> Costs:
    """Measure the parts of one image on one core, one after the other."""
    from nbnumba.batch import chunk, labels, products
    from nbnumba.batch.reference import base_of
    from nbnumba.batch.sample import draw, image_experiment, image_truth
    from nbnumba.batch.spec import read_spec
    from nbnumba.experiment.ground_truth import A_matrix
    from nbnumba.imagefiles.nexus import NexusWriter
    from nbnumba.io.nexus import file as nexus_file
    from nbnumba.io.nexus.layout import DATA
    from nbnumba.render.renderer import Renderer

    renderer = Renderer("cpu", 1)
    found: dict[str, list[float]] = {name: [] for name in PARTS[:-1]}
    shots = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec, _ = read_spec(str(write_spec(folder, edge, rounds + 1, rounds + 1)))
        base = base_of(spec, "scale", {})

        def write(path: Path, kept: list[Any]) -> None:
            with NexusWriter(path, base.experiment, len(kept), spec.dtype) as writer:
                for index, shot in enumerate(kept):
                    writer.write(index, *shot)

        for image in range(rounds + 1):
            watch = _Watch()
            drawn = draw(spec, base, image)
            experiment = image_experiment(base, drawn)
            watch.next()
            photons = renderer.render(experiment).array
            watch.next()
            pixels, clipped = chunk.to_pixels(photons, spec, drawn.noise_seed, drawn.noise_number, experiment.readout)
            watch.next()
            expected = float(photons.sum(dtype=np.float64))
            truth = image_truth(spec, base, drawn, experiment, "cpu", "double")
            matrices = [A_matrix(crystal) for crystal in experiment.crystals]
            place = (spec.names.chunk(0), image)
            labels.image_labels(spec, drawn, place, truth, matrices, pixels, clipped, expected, None)
            watch.next()
            shots.append((pixels, experiment, truth))
            if image == 0:  # compiles
                write(folder / "first.h5", shots)
                continue
            for part, value in zip(PARTS, watch.times, strict=False):
                found[part].append(value)
        watch = _Watch()
        write(folder / "images.h5", shots)
        watch.next()
        products.MAKERS[SHEET](folder / "sheet.png", [folder / "images.h5"], spec, base)
        watch.next()
        with nexus_file.read(folder / "images.h5") as file:
            stored = file[DATA].id.get_storage_size() / len(shots)
        disk = _disk_speed(folder)
        start = _start_time(folder)
    seconds = {part: statistics.median(values) for part, values in found.items()}
    seconds[PARTS[-1]] = watch.times[0] / len(shots)
    return Costs(seconds, stored, disk, start, watch.times[1] / len(shots))


class _Watch:
    """Processor seconds of this process, step by step."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._last = time.process_time()

    def next(self) -> None:
        """A step has ended."""
        now = time.process_time()
        self.times.append(now - self._last)
        self._last = now


def _disk_speed(folder: Path) -> float:
    block = np.random.default_rng(1).bytes(1 << 26)
    start = time.perf_counter()
    with (folder / "disk").open("wb") as file:
        for _ in range(4):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return 4 * len(block) / (time.perf_counter() - start)


def _start_time(folder: Path) -> float:
    """Wall time of a batch of one small image, in a process of its own [s]."""
    return _batch_seconds(write_spec(folder, 64, 1, 1), folder / "start", 1)


def _batch_seconds(spec: Path, output: Path, workers: int) -> float:
    words = [sys.executable, "-m", "nbnumba", "batch", str(spec), "-o", str(output), "--workers", str(workers)]
    start = time.perf_counter()
    subprocess.run([*words, "--threads", "1"], check=True, capture_output=True)
    return time.perf_counter() - start


def check(edge: int, images: int, rounds: int) -> tuple[Costs, list[tuple[int, float, float]]]:
    """Run a batch with one and with two workers of one thread, and measure the parts before and after each.

    Returns
    -------
    costs : Costs
        Medians of the three measurements.
    rows : list of tuple
        Workers, predicted and measured seconds.
    """
    measured, seconds = [measure(edge, rounds)], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = write_spec(folder, edge, images, max(1, images // 8))
        for workers in (1, 2):
            seconds.append(_batch_seconds(spec, folder / f"workers{workers}", workers))
            measured.append(measure(edge, rounds))
    costs = middle(measured)
    predicted = [predict(costs, images, workers, costs.disk, max(1, images // 8)).total for workers in (1, 2)]
    return costs, list(zip((1, 2), predicted, seconds, strict=True))


def middle(measured: list[Costs]) -> Costs:
    """Return the medians of several measurements."""
    return Costs(
        {part: statistics.median(costs.seconds[part] for costs in measured) for part in PARTS},
        *(
            statistics.median(getattr(costs, name) for costs in measured)
            for name in ("stored", "disk", "start", "shown")
        ),
    )


def larger(costs: Costs, pixels: int, of: int) -> Costs:
    """Costs of larger images: everything but the set-up and the labels grows with the pixels."""
    factor = pixels / of
    seconds = {name: value * (1.0 if name in FIXED else factor) for name, value in costs.seconds.items()}
    return replace(costs, seconds=seconds, stored=costs.stored * factor, shown=costs.shown * factor)


def report(costs: Costs, edge: int, rows: list[tuple[int, float, float]], given: argparse.Namespace) -> list[str]:
    """Return the lines of the report."""
    lines = [f"| part of an image of {edge} x {edge} pixels | processor time |", "|---|---|"]
    lines += [f"| {name} | {1e3 * value:.1f} ms |" for name, value in costs.seconds.items()]
    lines += [f"| on disk | {costs.stored / 1e6:.2f} MB |", f"| this disk | {costs.disk / 1e6:.0f} MB/s |"]
    lines += [
        f"| start of a worker | {costs.start:.1f} s |",
        f"| an image of the contact sheet, {MOST_IMAGES} at most | {1e3 * costs.shown:.1f} ms |",
        "",
        "| workers here | predicted | measured |",
        "|---|---|---|",
    ]
    lines += [f"| {workers} | {predicted:.1f} s | {measured:.1f} s |" for workers, predicted, measured in rows]
    big = larger(costs, PIXELS, edge * edge)
    on_cores = predict(big, IMAGES, given.cores, given.disk * 1e6)
    lines += ["", f"{IMAGES} images of {PIXELS / 1e6:g} megapixels, a file system that takes {given.disk:g} MB/s:", ""]
    lines += [f"- {given.cores} cores: {on_cores.total / 60:.1f} minutes, limited by the {on_cores.bottleneck}"]
    host = {name: value for name, value in big.seconds.items() if name != "spots and background"}
    cores = given.gpus * given.cores_per_gpu
    on_host = predict(replace(big, seconds=host), IMAGES, cores, given.disk * 1e6)
    if given.gpu_image_s is None:
        lines += [
            f"- {given.gpus} GPUs with {given.cores_per_gpu} cores each: at least {on_host.total / 60:.1f} minutes, "
            f"limited by the {on_host.bottleneck} beside them; --gpu-image-s adds what an image takes on a GPU"
        ]
        return lines
    rendering = IMAGES * given.gpu_image_s / given.gpus
    limit = "GPUs" if rendering > on_host.total else on_host.bottleneck
    lines += [f"- {given.gpus} GPUs: {max(rendering, on_host.total) / 60:.1f} minutes, limited by the {limit}"]
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Measure, check, predict, and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--edge", type=int, default=1000, help="pixels along a side of the images that are measured")
    parser.add_argument("--images", type=int, default=64, help="of the check")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=400)
    parser.add_argument("--gpus", type=int, default=32)
    parser.add_argument("--cores-per-gpu", type=int, default=8)
    parser.add_argument("--gpu-image-s", type=float, help="seconds that one such image takes on one GPU")
    parser.add_argument("--disk", type=float, default=5000.0, help="what the file system takes [MB/s]")
    given = parser.parse_args(arguments)
    print(machine.in_words(machine.describe(1, None)) + "\n")
    costs, rows = check(given.edge, given.images, given.rounds)
    print("\n".join(report(costs, given.edge, rows, given)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
