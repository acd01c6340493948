"""A batch in memory, image by image, for training."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..crystal.lattice import cell_of_vectors
from ..errors import InputError
from ..experiment.ground_truth import A_matrix
from ..util.checks import one_of, whole
from ..util.text import counted
from .chunk import make_shot
from .folder import input_digests
from .inputs import unchanged
from .labels import orientations
from .reference import Base, make_base
from .sample import draw, image_experiment
from .spec import read_spec

if TYPE_CHECKING:
    from ..render.renderer import Renderer

POOLINGS = ("sum", "max")


@dataclass(frozen=True)
class _Shape:
    """What is done to the pixels of an image before it is handed out."""

    crop: tuple[int, int, int, int] | None
    binning: int
    pooling: str
    square_root: bool
    dtype: np.dtype[Any] | None

    def apply(self, pixels: NDArray[Any]) -> NDArray[Any]:
        if self.crop is not None:
            slow, slow_end, fast, fast_end = self.crop
            pixels = pixels[..., slow:slow_end, fast:fast_end]
        if self.binning > 1:
            pixels = self._blocks(pixels)
        if self.square_root:
            pixels = np.sqrt(np.maximum(pixels, 0), dtype=np.float32)
        return np.ascontiguousarray(pixels, dtype=self.dtype)

    def _blocks(self, pixels: NDArray[Any]) -> NDArray[Any]:
        edge = self.binning
        rows, columns = (size // edge for size in pixels.shape[-2:])
        blocks = pixels[..., : rows * edge, : columns * edge]
        blocks = blocks.reshape(*pixels.shape[:-2], rows, edge, columns, edge)
        if self.pooling == "max":
            return np.asarray(blocks.max(axis=(-3, -1)))
        wide = np.float32 if pixels.dtype.kind == "f" else np.int32
        return np.asarray(blocks.sum(axis=(-3, -1), dtype=np.float64).astype(wide))


# Pixels and labels; with masks pixels, mask and labels. As a union of the two it could not be unpacked.
Item = tuple[Any, ...]


class Dataset(Sequence[Item]):
    """The images of a batch and their labels, rendered when they are asked for.

    Item i is what `nbnumba batch` would write as image i, to the byte, unless the options below change it: a tuple of
    the pixels and of a dict with the columns of labels.csv. A slice is a Dataset of these images. It can be pickled,
    and works as a map-style dataset of PyTorch's DataLoader, with workers too.

    Parameters
    ----------
    spec : path
        A TOML file as for `nbnumba batch`; docs/batch.md describes it.
    backend : {"auto", "cpu", "cuda"}, optional
        What the SPEC says by default.
    threads : int
        Of each process that renders; 1 by default, since data loaders have processes of their own.
    crop : (slow start, slow end, fast start, fast end), optional
        Pixels to keep, the ends excluded; of several panels the same of each.
    binning : int
        Pixels along an edge of the blocks that become one; what is left over at the ends is cut off.
    pooling : {"sum", "max"}
        Of a block; sums are int32, or float32 where the SPEC says float32.
    square_root : bool
        Hand out square roots, which have the same noise at all levels, as float32.
    dtype : NumPy dtype, optional
        To convert to at last; PyTorch has few operations for uint16.
    masks : bool
        Items are pixels, spot mask and labels: 1 (uint8) where a pixel is part of a spot, cropped, and the maximum of
        each block.

    Raises
    ------
    InputError
        For a mistake in the SPEC or an argument.
    FileError
        For a file that cannot be read.
    """

    def __init__(
        self,
        spec: str | os.PathLike[str],
        *,
        backend: str | None = None,
        threads: int = 1,
        crop: Sequence[SupportsIndex] | None = None,
        binning: int = 1,
        pooling: str = "sum",
        square_root: bool = False,
        dtype: DTypeLike | None = None,
        masks: bool = False,
    ) -> None:
        self._spec, command = read_spec(os.fspath(spec))
        self._backend = one_of("backend", backend or self._spec.backend, ("auto", "cpu", "cuda"))
        self._threads = whole("threads", threads, 1)
        self._shape = _Shape(
            None if crop is None else _checked_crop(crop),
            whole("binning", binning, 1),
            one_of("pooling", pooling, POOLINGS),
            square_root,
            None if dtype is None else np.dtype(dtype),
        )
        self._masks = masks
        self._spec = replace(self._spec, truth=masks)
        self._images = range(self._spec.count)
        self._digests = input_digests(os.fspath(spec), self._spec, command.settings)
        self._kept: tuple[Base, Renderer] | None = None
        self._check_size(self._warm()[0])

    def _check_size(self, base: Base) -> None:
        panels = base.experiment.detector.panels
        n_slow, n_fast = max(panel.n_slow for panel in panels), max(panel.n_fast for panel in panels)
        crop = self._shape.crop
        if crop is not None:
            if crop[1] > n_slow or crop[3] > n_fast:
                raise InputError(f"crop: {crop} reaches beyond the image of {n_slow} x {n_fast} pixels (slow x fast)")
            n_slow, n_fast = crop[1] - crop[0], crop[3] - crop[2]
        if self._shape.binning > min(n_slow, n_fast):
            raise InputError(f"binning: {self._shape.binning} is more than the {min(n_slow, n_fast)} pixels of an edge")

    def _warm(self) -> tuple[Base, Renderer]:
        """Return what all images of this process share, made when it is first needed."""
        if self._kept is None:
            from ..render.renderer import Renderer

            with unchanged(self._digests):
                base = make_base(self._spec, self._digests)
            self._kept = base, Renderer(self._backend, self._threads, precision=self._spec.precision)
        return self._kept

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what every process makes for itself."""
        return {**self.__dict__, "_kept": None}

    def __len__(self) -> int:
        return len(self._images)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Item | Dataset:
        """Return an image and its labels, or the Dataset of a slice."""
        if isinstance(index, slice):
            part = object.__new__(type(self))
            part.__dict__.update(self.__dict__, _images=self._images[index])
            return part
        base, renderer = self._warm()
        shot = make_shot(self._spec, base, renderer, self._images[index])
        if shot.maps is None:
            return self._shape.apply(shot.pixels), shot.labels
        mask = replace(self._shape, pooling="max", square_root=False, dtype=None).apply(shot.maps["spot_mask"])
        return self._shape.apply(shot.pixels), mask, shot.labels

    def __iter__(self) -> Iterator[Item]:
        return (self[i] for i in range(len(self)))

    @property
    def labels(self) -> dict[str, NDArray[Any]]:
        """What is known of every image before it is rendered, a column each.

        `image`, every varied value, the cell lengths [Angstrom] and angles [deg], and the A matrix: A_ij is component
        i of reciprocal axis j, (a*, b*, c*), in the laboratory frame [1/Angstrom]. `pandas.DataFrame(dataset.labels)`
        is a table.
        """
        base, _ = self._warm()
        rows = []
        for image in self._images:
            drawn = draw(self._spec, base, image)
            experiment = image_experiment(base, drawn)
            crystal = experiment.crystals[0]
            lengths, angles = cell_of_vectors(crystal.real_space * 1e10)
            cell = dict(zip(_CELL, map(float, [*lengths, *np.degrees(angles)]), strict=True))
            lying = orientations(self._spec, drawn, [A_matrix(one) for one in experiment.crystals])
            rows.append({"image": image, **drawn.values, **drawn.texts, **cell, **lying})
        return {name: np.array([row[name] for row in rows]) for name in rows[0]} if rows else {}

    def __repr__(self) -> str:
        return f"<Dataset: {counted(len(self), 'image')}>"


_CELL = ("cell_a", "cell_b", "cell_c", "cell_alpha", "cell_beta", "cell_gamma")


def _checked_crop(crop: Sequence[SupportsIndex]) -> tuple[int, int, int, int]:
    if isinstance(crop, str) or len(crop) != 4:
        raise InputError(f"crop: {crop!r} is not possible; allowed: slow start, slow end, fast start, fast end")
    slow, slow_end, fast, fast_end = (whole("crop", value, 0) for value in crop)
    if slow >= slow_end or fast >= fast_end:
        raise InputError(f"crop: {(slow, slow_end, fast, fast_end)} holds no pixel")
    return slow, slow_end, fast, fast_end
