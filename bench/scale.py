"""Predicts the wall time of a large batch from measured parts, and checks it with one and two workers here.

`python -m bench.scale` measures what one image costs, step by step, what the disk takes and how long a start is.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
PARTS = ("set-up", "spots and background", "photon noise", "compression")
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

    @property
    def total(self) -> float:
        """Wall time: rendering and writing overlap, so the slowest counts, after the start."""
        return self.start + max(self.processors, self.disk, self.scheduler)

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
    )


def write_spec(folder: Path, edge: int, images: int, images_per_file: int) -> Path:
    """Write the SPEC of images of `edge` x `edge` pixels."""
    path = folder / f"scale-{edge}-{images}.toml"
    pixel = 300.0 / edge
    path.write_text(SPEC.format(edge=edge, pixel=pixel, images=images, images_per_file=images_per_file))
    return path


def measure(edge: int, rounds: int) -> Costs:
    """Measure the parts of one image on one core, one after the other."""
    from nbnumba import kernels
    from nbnumba.batch.reference import base_of
    from nbnumba.batch.sample import draw, image_experiment
    from nbnumba.batch.spec import read_spec
    from nbnumba.render.renderer import Renderer

    renderer = Renderer("cpu", 1)
    found: dict[str, list[float]] = {name: [] for name in PARTS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec, _ = read_spec(str(write_spec(folder, edge, rounds + 1, rounds + 1)))
        base = base_of(spec, "scale", {})
        stored = 0.0
        for image in range(rounds + 1):

            def set_up(image: int = image) -> Any:
                return image_experiment(base, draw(spec, base, image))

            def noise(photons: Any, image: int = image) -> Any:
                region = (0, edge - 1, 0, edge - 1)
                return kernels.draw_noise(photons, region, 0.0, 1, image, 1)[0]

            spent, experiment = _timed(set_up)
            times = [spent]
            spent, photons = _timed(lambda e=experiment: renderer.render(e).array)
            times.append(spent)
            spent, counts = _timed(lambda p=photons: noise(p))
            times.append(spent)
            spent, size = _timed(lambda c=counts: _compressed_size(c, folder))
            times.append(spent)
            if image > 0:  # the first compiles
                stored += size / rounds
                for part, value in zip(PARTS, times, strict=True):
                    found[part].append(value)
        disk = _disk_speed(folder)
        start = _start_time(folder)
    return Costs({part: statistics.median(values) for part, values in found.items()}, stored, disk, start)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def _compressed_size(counts: Any, folder: Path) -> int:
    import h5py
    import hdf5plugin

    path = folder / "chunk.h5"
    with h5py.File(path, "w", driver="core", backing_store=False) as file:
        data = file.create_dataset("data", data=counts, chunks=counts.shape, **hdf5plugin.Bitshuffle(cname="lz4"))
        return int(data.id.get_storage_size())


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


def check(costs: Costs, edge: int, images: int) -> list[tuple[int, float, float]]:
    """Run a batch with one and with two workers of one thread; return workers, predicted and measured seconds."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = write_spec(folder, edge, images, max(1, images // 8))
        for workers in (1, 2):
            predicted = predict(costs, images, workers, costs.disk, max(1, images // 8)).total
            rows.append((workers, predicted, _batch_seconds(spec, folder / f"workers{workers}", workers)))
    return rows


def larger(costs: Costs, pixels: int, of: int) -> Costs:
    """Costs of larger images: everything but the set-up grows with the pixels."""
    factor = pixels / of
    seconds = {name: value * (1.0 if name == "set-up" else factor) for name, value in costs.seconds.items()}
    return Costs(seconds, costs.stored * factor, costs.disk, costs.start)


def report(costs: Costs, edge: int, rows: list[tuple[int, float, float]], given: argparse.Namespace) -> list[str]:
    """Return the lines of the report."""
    lines = [f"| part of an image of {edge} x {edge} pixels | processor time |", "|---|---|"]
    lines += [f"| {name} | {1e3 * value:.1f} ms |" for name, value in costs.seconds.items()]
    lines += [f"| on disk | {costs.stored / 1e6:.2f} MB |", f"| this disk | {costs.disk / 1e6:.0f} MB/s |"]
    lines += [
        f"| start of a worker | {costs.start:.1f} s |",
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
    on_host = predict(Costs(host, big.stored, big.disk, big.start), IMAGES, cores, given.disk * 1e6)
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
    costs = measure(given.edge, given.rounds)
    rows = check(costs, given.edge, given.images)
    print("\n".join(report(costs, given.edge, rows, given)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
