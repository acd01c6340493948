"""Settings -> image: the public Python functions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .experiment import ExperimentRecord
from .io.roi import row_blocks
from .notices import Notify
from .resolve import resolve
from .scene import NEVER, build_scene
from .settings import CommandLine


@dataclass(frozen=True, eq=False)
class Statistics:
    """What C's report says about an image.

    Attributes
    ----------
    maximum : float [photons]
    maximum_fast_m, maximum_slow_m : float [m]
        Centre of the last sub-pixel of the brightest pixel; 0 when no pixel is above 0.
    mean, rms : float [photons]
        Over the rendered pixels.
    rmsd : float [photons]
        Over every pixel of the region, masked ones included.
    solid_angle : float [sr]
        As C has it: the sum over pixels, sub-pixels and layers, divided by the steps.
    """

    maximum: float
    maximum_fast_m: float
    maximum_slow_m: float
    mean: float
    rms: float
    rmsd: float
    solid_angle: float


@dataclass(frozen=True, eq=False)
class Image:
    """A rendered image with the experiment it belongs to.

    Attributes
    ----------
    array : (n_slow, n_fast) float32 [photons/pixel]
    experiment : ExperimentRecord
    statistics : Statistics
    backend : str
        What rendered it.
    threads : int
    latch_hkl : (h, k, l) or None
        Fractional indices of the sample that switched interpolation off for the rest of the image.
    latch : int
        Its number in the image, or `scene.NEVER`.
    seconds : float
        Wall time of the rendering, compiling included.
    evaluated_steps : int
        Steps whose lattice factor was worked out; of the others it was seen beforehand that they add nothing.
    """

    array: NDArray[np.float32]
    experiment: ExperimentRecord
    statistics: Statistics
    backend: str
    threads: int
    latch_hkl: tuple[float, float, float] | None
    latch: int
    seconds: float
    evaluated_steps: int


def simulate(
    experiment: ExperimentRecord,
    backend: str = "auto",
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
    on_compiling: Callable[[], None] | None = None,
    *,
    precision: str = "auto",
    device: int | None = None,
    notify: Notify | None = None,
) -> Image:
    """Render an experiment.

    Parameters
    ----------
    experiment : ExperimentRecord
    backend : {"auto", "cpu", "cuda"}
    threads : int, optional
        Every core that this process may use by default.
    progress : callable, optional
        Receives the fraction done, a few times a second.
    on_compiling : callable, optional
        Called once when the kernel must be compiled first, which takes some seconds.
    precision : {"auto", "double", "mixed"}
        Of a GPU; "auto" chooses by its float64 rate.
    device : int, optional
        Number of the GPU among the visible ones; the first by default.
    notify : callable, optional
        Receives a line where a GPU is there and the processor renders instead.

    Raises
    ------
    DeviceError
        When the GPU of an explicit "cuda" is not there or fails.
    InputError
        For more threads than cores.
    """
    from . import kernels

    start = time.perf_counter()
    scene = build_scene(experiment)
    rendered = kernels.render(
        scene, backend, threads, progress, on_compiling, precision=precision, device=device, notify=notify
    )
    latch_hkl = kernels.sample_hkl(scene, rendered.latch) if rendered.latch != NEVER else None
    return Image(
        array=rendered.image,
        experiment=experiment,
        statistics=_statistics(experiment, rendered.image, rendered.solid_angle, rendered.threads),
        backend=rendered.backend,
        threads=rendered.threads,
        latch_hkl=latch_hkl,
        latch=rendered.latch,
        seconds=time.perf_counter() - start,
        evaluated_steps=rendered.evaluated_steps,
    )


def simulate_command(words: Sequence[str], folder: str | os.PathLike[str] | None = None) -> NDArray[np.float32]:
    """Render a nanoBragg command line and write nothing but its Fdump.bin.

    Parameters
    ----------
    words : sequence of str
        The words after the program's name.
    folder : path, optional
        Where relative file names start; the working folder by default.

    Returns
    -------
    (n_slow, n_fast) float32 [photons/pixel]

    Raises
    ------
    InputError
        For a mistake in the words or in a file that they name.
    FileError
        For a file that is missing or unreadable.
    DeviceError
        When an explicit -backend is not there.
    """
    from .dialect import parse

    here = Path.cwd()
    try:
        if folder is not None:
            os.chdir(folder)
        command: CommandLine = parse(words)
        experiment = resolve(command.settings, lambda line: None)
    finally:
        os.chdir(here)
    engine = command.engine
    image = simulate(experiment, engine.backend, engine.threads, precision=engine.precision, device=engine.device)
    return image.array


def _statistics(experiment: ExperimentRecord, image: NDArray[np.float32], omega_sum: float, threads: int) -> Statistics:
    """Work out the numbers of C's report (nanoBragg.c:3048-3130)."""
    sampling = experiment.sampling
    fast_first, fast_last, slow_first, slow_last = sampling.roi
    region = image[slow_first : slow_last + 1, fast_first : fast_last + 1]
    mask = sampling.mask
    rendered = region.size
    if mask is not None:
        rendered = int(np.count_nonzero(mask[slow_first : slow_last + 1, fast_first : fast_last + 1]))
    mean, squares, deviations = _moments(region, max(1, rendered), threads)
    rms = float(np.sqrt(squares / (max(2, rendered) - 1)))
    rmsd = float(np.sqrt(deviations / (max(2, region.size) - 1)))
    slow, fast = divmod(int(np.argmax(image)), image.shape[1])
    maximum = max(0.0, float(image[slow, fast]))
    subpixel = experiment.detector.panels[0].pixel_size / sampling.oversample
    last = sampling.oversample - 1
    fast_m = subpixel * (fast * sampling.oversample + last) + subpixel / 2.0
    slow_m = subpixel * (slow * sampling.oversample + last) + subpixel / 2.0
    return Statistics(
        maximum=maximum,
        maximum_fast_m=fast_m if maximum > 0.0 else 0.0,
        maximum_slow_m=slow_m if maximum > 0.0 else 0.0,
        mean=mean,
        rms=rms,
        rmsd=rmsd,
        solid_angle=omega_sum / experiment.steps,
    )


def _moments(region: NDArray[np.float32], rendered: int, threads: int) -> tuple[float, float, float]:
    """Return the mean over the rendered pixels, the sum of squares, and the sum of squared distances from the mean.

    Notes
    -----
    Block by block on all threads: one thread would take nearly as long as the render of a single orientation, and a
    float64 copy of a large image as much memory as two images. The order of the sums is that of the blocks.
    """
    rows, columns = region.shape
    blocks = [region[part] for part in row_blocks(slice(0, rows), slice(0, columns))]
    with ThreadPoolExecutor(threads) as pool:
        apply = pool.map if len(blocks) > 1 else map
        sums = list(apply(_sum_and_squares, blocks))
        mean = sum(total for total, _ in sums) / rendered
        deviations = sum(apply(lambda block: _squared_distances(block, mean), blocks))
    return mean, sum(squares for _, squares in sums), deviations


def _sum_and_squares(block: NDArray[np.float32]) -> tuple[float, float]:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sum(block, dtype=np.float64)), float(np.sum(block * block, dtype=np.float64))  # as C: float32


def _squared_distances(block: NDArray[np.float32], mean: float) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        distance = block - np.float64(mean)
        distance *= distance
        return float(np.sum(distance))
