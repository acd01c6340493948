"""Images with their derivatives on a GPU, band after band of rows; see `kernels.gradient.driver` for the processor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import renderer
from ..gradient import reduce
from ..gradient.driver import Consumer, Pass, spots_of_rows
from ..gradient.rows import scratch_size
from ..scene import Array
from .launcher import Launcher


def run(passes: Sequence[Pass], device: int, consume: Consumer) -> None:
    """Sum up passes on a GPU; see `gradient.driver.run`."""
    gpu = renderer(device, "double")
    directions = passes[0].tangents.directions
    with gpu.on_device():
        for first, image, slopes in _bands(passes, gpu.launcher, None, {}):
            consume(first, image.copy_to_host(), slopes.copy_to_host()[:directions])


def weighted(passes: Sequence[Pass], device: int, weights: Array) -> Array:
    """Return the sums of weights times derivatives, (directions,), added up in an order that is always the same.

    Parameters
    ----------
    passes : sequence of Pass
    device : int
    weights : (rows, columns) of the region
    """
    gpu = renderer(device, "double")
    directions = passes[0].tangents.directions
    with gpu.on_device():
        kernels = _kernels()
        sums = gpu.launcher.kernels.cuda.to_device(np.zeros((kernels.REDUCING, max(1, directions))))
        for first, image, slopes in _bands(passes, gpu.launcher, None, {}):
            part = np.ascontiguousarray(weights[first : first + image.shape[0]])
            on_device = gpu.launcher.kernels.cuda.to_device(part)
            gpu.launcher.launch(kernels.weigh_kernel(), kernels.REDUCING, 0, on_device, slopes, sums)
        total: Array = sums.copy_to_host().sum(axis=0)[:directions]
    return total


def likelihood(
    passes: Sequence[Pass],
    device: int,
    data: Array,
    used: NDArray[np.bool_],
    variance: float,
    background: Array | None,
    of_background: Mapping[int, Array],
) -> Array:
    """Return the sums of `gradient.reduce.add_likelihood` over a region, added up in an order that is always the same.

    Parameters
    ----------
    passes : sequence of Pass
    device : int
    data, used : (rows, columns) of the region
    variance : float [photons^2]
    background : (rows, columns) or None
        Photons beside those of the passes.
    of_background : mapping
        From numbers of directions to the derivatives of these photons, (rows, columns).
    """
    gpu = renderer(device, "double")
    n = passes[0].tangents.directions
    with gpu.on_device():
        launcher, kernels = gpu.launcher, _kernels()
        put, threads = launcher.kernels.cuda.to_device, kernels.REDUCING
        scratch = put(np.zeros((-(-threads // reduce.PART), reduce.scratch_size(n))))
        active, sums = put(np.zeros((threads, n), np.int64)), put(np.zeros((threads, reduce.FIRST_SUM)))
        for first, image, slopes in _bands(passes, launcher, background, of_background):
            rows = slice(first, first + image.shape[0])
            measured, there = put(np.ascontiguousarray(data[rows])), put(np.ascontiguousarray(used[rows]))
            launcher.launch(
                kernels.likelihood_kernel(), threads, 0, measured, there, image, slopes, variance, scratch, active, sums
            )
        out = put(np.zeros(reduce.sums_size(n) - reduce.FIRST_SUM))
        launcher.launch(kernels.fold_kernel(), len(out), 0, scratch, threads, n, variance != 0.0, out)
        found: Array = np.concatenate([sums.copy_to_host().sum(axis=0), out.copy_to_host()])
    return found


def _kernels() -> Any:
    """Return the module of the kernels, which needs CUDA to be imported."""
    from . import gradient_kernel

    return gradient_kernel


def _bands(
    passes: Sequence[Pass], launcher: Launcher, background: Array | None, of_background: Mapping[int, Array]
) -> Iterator[tuple[int, Any, Any]]:
    """Yield the first row of each band, its image and its derivatives, (directions or 1, rows, columns), on the GPU."""
    scene, directions = passes[0].scene, passes[0].tangents.directions
    rows, columns = scene.region_shape
    size, put = scratch_size(max(1, directions)), launcher.kernels.cuda.to_device
    threads = launcher.kernels.THREADS_PER_BLOCK
    of_band = min(rows, max(1, _kernels().MEMORY // (8 * size) * threads // columns))
    blocks = -(-of_band * columns // threads)
    scratch, index = put(np.zeros((blocks, size))), put(np.zeros((blocks, threads), np.int32))
    scenes = [_on_device(one, put) for one in passes]
    for first in range(0, rows, of_band):
        last = min(rows, first + of_band)
        image, slopes = np.zeros((last - first, columns)), np.zeros((max(1, directions), last - first, columns))
        if background is not None:
            image += background[first:last]
        for number, change in of_background.items():
            slopes[number] += change[first:last]
        drawn, changed = put(image), put(slopes)
        for one, arguments in zip(passes, scenes, strict=True):
            more: tuple[Any, ...] = ()
            kernel = _kernels().samples_kernel() if one.listed is None else _kernels().spots_kernel()
            if one.listed is not None:
                more = tuple(put(_some(part)) for part in spots_of_rows(one, one.listed, first, last))
            count = (last - first) * columns
            launcher.launch(kernel, count, 0, *arguments, *more, first, scratch, index, drawn, changed)
        yield first, drawn, changed


def _on_device(one: Pass, put: Any) -> tuple[Any, ...]:
    """Return a scene and its tangents as the kernels take them."""
    scene, tangents = one.scene, one.tangents
    apart = tangents.strained_apart.any() or len(tangents.tables) > 0
    wanted = int(tangents.moving.any()) + 2 * int(tangents.strained.any()) + 4 * int(apart)
    masked = int(scene.mask.size > 0)
    mask = np.ascontiguousarray(scene.mask, dtype=np.uint8) if masked else np.zeros((1, 1), np.uint8)
    arrays = scene.sources, scene.orientations, scene.weights, scene.flat, *tangents
    return put(scene.numbers), masked, put(mask), *(put(_some(array)) for array in arrays), wanted


def _some(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that a GPU can hold: one of no elements has one of zeros instead."""
    if array.size:
        return np.ascontiguousarray(array)
    return np.zeros([max(1, length) for length in array.shape], dtype=array.dtype)
