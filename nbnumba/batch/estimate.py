"""What a batch will draw, and about what it will take in time and on disk; nothing is written."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..experiment.hints import hints
from ..experiment.model import Experiment
from ..experiment.regions import rendered_panels
from ..kernels.types import available_threads
from ..parameters.choices import PhiSampling
from ..util.messages import logger, muted
from ..util.signals import signals_wait
from ..util.text import counted
from .chunk import spots_and_maps, to_pixels
from .drawn import Draw
from .reference import Base
from .sample import draw, image_experiment
from .spec_model import Spec

SHOWN = 5  # images
_SAMPLES = 100_000_000  # that are rendered to measure the time: about a second of one core
_SAMPLES_OF_SPOTS = 5_000_000  # the same where every sample is given to its reflection


def dry_run_lines(spec: Spec, base: Base, threads: int | None) -> Iterator[str]:
    """Yield what a batch would do, line by line."""
    images, files = counted(spec.count, "image"), counted(spec.chunks, "file")
    yield f"{images} in {files} of {spec.images_per_file}, {spec.dtype}, {_noise(spec)}"
    yield from sampling_lines(spec, base)
    draws = [draw(spec, base, image) for image in range(min(SHOWN, spec.count))]
    experiments = [image_experiment(base, drawn) for drawn in draws]
    rows = [_row(drawn, experiment) for drawn, experiment in zip(draws, experiments, strict=True)]
    widths = [max(len(row[i]) for row in (_head(draws[0]), *rows)) for i in range(len(rows[0]))]
    for row in (_head(draws[0]), *rows):
        yield "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
    seconds, ratio, surprises = _measure(spec, base, draws, experiments, threads)
    panels = base.experiment.detector.panels
    size = spec.count * sum(panel.n_slow * panel.n_fast for panel in panels) * np.dtype(spec.dtype).itemsize
    for hint in surprises:
        yield f"hint: of image {draws[0].image}, {hint}"
    yield f"time: about {duration(spec.count * seconds)}, {seconds:.3g} s an image, on this machine"
    yield f"disk: about {amount(size * ratio)} for the pixels; {amount(size)} before compression"


def sampling_lines(spec: Spec, base: Base) -> Iterator[str]:
    """Yield how a rotation is sampled."""
    if spec.series is None:
        return
    goniometer = image_experiment(base, draw(spec, base, 0)).goniometer
    where = "in the middle" if goniometer.sampling is PhiSampling.MID else "at the start"
    chosen = "as the command says"
    if base.rocking_width is not None:
        chosen = f"from rocking curves of {math.degrees(base.rocking_width):.3g} deg"
    yield (
        f"rotation from {math.degrees(goniometer.phi):.6g} deg, {math.degrees(goniometer.osc):.6g} deg an image, "
        f"{goniometer.steps} phi steps an image ({chosen}), sampled {where} of each"
    )


def duration(seconds: float) -> str:
    """Return a time in a unit that suits it."""
    for unit, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2g} s"


def amount(size: float) -> str:
    """Return a size in bytes in a unit that suits it."""
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= one:
            return f"{size / one:.3g} {unit}"
    return f"{size / 1e3:.3g} kB"


def _noise(spec: Spec) -> str:
    return f"with noise (noise_rng {spec.noise_rng})" if spec.noise else "without noise"


def _head(drawn: Draw) -> list[str]:
    return ["image", *drawn.values, *drawn.texts, "a*", "", "", "b*", "", "", "c* [1/A]", "", ""]


def _row(drawn: Draw, experiment: Experiment) -> list[str]:
    values = [str(value) if isinstance(value, int) else f"{value:.6g}" for value in drawn.values.values()]
    return [
        str(drawn.image),
        *values,
        *drawn.texts.values(),
        *(f"{number:.5f}" for number in experiment.crystal.reciprocal_A.reshape(-1)),
    ]


def _measure(
    spec: Spec, base: Base, draws: Sequence[Draw], experiments: Sequence[Experiment], threads: int | None
) -> tuple[float, float, list[str]]:
    """Render some rows of the first images; return the seconds an image takes, how far files shrink, and hints."""
    from ..render.renderer import Renderer

    renderer = Renderer(spec.backend, threads, precision=spec.precision)
    some, _ = _some_rows(experiments[0], _SAMPLES)
    image = renderer.render(some, None, lambda: logger.warning(kernels.compiling_line()))
    surprises = list(hints(some, image.array))
    samples = (_SAMPLES_OF_SPOTS if spec.spots or spec.truth else _SAMPLES) // len(draws)
    seconds: list[float] = []
    shares: list[float] = []
    for drawn, experiment in zip(draws, experiments, strict=True):
        some, rows = _some_rows(experiment, samples)

        def make(drawn: Draw = drawn, some: Experiment = some) -> float:
            with muted():
                image = renderer.render(some)
            pixels, _ = to_pixels(image.array, spec, drawn.noise_seed, drawn.noise_number, image.experiment.readout)
            return compressed_share(pixels[some.sampling.roi[2] : some.sampling.roi[3] + 1])

        if not seconds:  # what is loaded for the first image takes longer than a small image
            make()
            spots_and_maps(spec, some, renderer.threads, drawn.image)
        start = time.perf_counter()
        shares.append(make())
        rendering, start = time.perf_counter() - start, time.process_time()
        spots_and_maps(spec, some, renderer.threads, drawn.image)
        # A few rows keep one thread busy, the images of a batch all of them.
        attributing = (time.process_time() - start) / (renderer.threads or available_threads())
        seconds.append((rendering + attributing) * rows)
    setting_up = _seconds(lambda: image_experiment(base, draws[0]))
    return float(np.mean(seconds)) + setting_up, float(np.mean(shares)), surprises


def _some_rows(experiment: Experiment, samples: int) -> tuple[Experiment, float]:
    """Return an experiment of some rows in the middle of the first panel, and how many times as many there are."""
    sampling, panels = experiment.sampling, rendered_panels(experiment)
    panel = experiment.detector.panels[panels[0]]
    fast_first, fast_last, slow_first, slow_last = sampling.roi
    in_row = (fast_last - fast_first + 1) * experiment.steps * panel.sensor.layers
    rows = slow_last - slow_first + 1
    part = max(1, min(rows, samples // in_row))
    first = slow_first + (rows - part) // 2
    some = replace(
        experiment,
        sampling=replace(sampling, roi=(fast_first, fast_last, first, first + part - 1), panel=None),
        detector=replace(experiment.detector, panels=(panel,)),
    )
    return some, rows / part * len(panels)


def _seconds(action: Callable[[], object]) -> float:
    """Return the time that an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def compressed_share(pixels: NDArray[Any]) -> float:
    """Return what share of its size an image keeps in a file; it is compressed in memory."""
    import h5py

    from ..io.nexus.filters import image_compression

    if pixels.size == 0:
        return math.nan
    with signals_wait(), h5py.File("in memory", "w", driver="core", backing_store=False) as file:
        stored = file.create_dataset("data", data=pixels, chunks=pixels.shape, **image_compression())
        return float(stored.id.get_storage_size() / pixels.nbytes)
