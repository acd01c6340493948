"""What is known of every image of a batch: as columns in its file, and as a table for learning."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..experiment.ground_truth import GroundTruth
from ..geometry.vectors import Array
from ..io.atomic import whole_file
from .distributions import HIT, LATTICES
from .drawn import Draw
from .machine import instruction_set, versions
from .spec_checks import most_lattices
from .spec_model import Spec

if TYPE_CHECKING:
    import h5py

GROUP = "labels"  # of an HDF5 file; its datasets are the columns

Labels = dict[str, int | float | str]


def image_labels(
    spec: Spec,
    drawn: Draw,
    place: tuple[str, int],
    truth: GroundTruth,
    matrices: Sequence[Array],
    pixels: NDArray[Any],
    clipped: int,
    expected: float,
    device: int | None,
) -> Labels:
    """Return what is known of an image.

    Parameters
    ----------
    spec : Spec
    drawn : Draw
    place : (str, int)
        File, and number in it.
    truth : GroundTruth
    matrices : sequence of (3, 3) [1/Angstrom]
        Columns a*, b*, c* of every crystal.
    pixels : array
        As written.
    clipped : int
        Pixels that hold something else than their nearest number.
    expected : float
        Photons before noise and clipping.
    device : int or None
        Number of the GPU, where one has rendered.
    """
    # Of a rendered image all of it is known.
    assert truth.cell is not None
    assert truth.backend is not None
    assert truth.precision is not None
    labels: Labels = {"image": drawn.image, "file": place[0], "index": place[1], "seed": spec.seed}
    if drawn.noise_seed is not None:
        labels["noise_seed"] = drawn.noise_seed
    if drawn.noise_number is not None:
        labels["noise_number"] = drawn.noise_number
    labels |= drawn.values
    labels |= drawn.texts
    if drawn.mosaic_seed is not None:
        labels["mosaic_seed"] = drawn.mosaic_seed
    if drawn.spectrum_seed is not None:
        labels["spectrum_seed"] = drawn.spectrum_seed
    if truth.spectrum is not None:
        labels["mean_wavelength_A"] = truth.wavelength * 1e10
    if drawn.stretch is not None:
        names = ("cell_a", "cell_b", "cell_c", "cell_alpha", "cell_beta", "cell_gamma")
        labels |= dict(zip(names, map(float, truth.cell), strict=True))
    labels |= orientations(spec, drawn, matrices)
    wide = np.float64 if pixels.dtype.kind == "f" else np.int64
    labels |= {
        "expected_photons": expected,
        "total_photons": pixels.sum(dtype=wide).item(),
        "maximum": pixels.max().item(),
        "clipped_pixels": clipped,
        "backend": truth.backend,
        "precision": truth.precision,
        "instruction_set": instruction_set(truth.backend, device),
    }
    return labels | versions()


def orientations(spec: Spec, drawn: Draw, matrices: Sequence[Array]) -> dict[str, float]:
    """Return the A matrices of an image: as many in every image, NaN for a crystal that there is not."""
    there = [] if drawn.values.get(HIT, 1) == 0 else list(matrices)
    found = {}
    for number in range(max(1, most_lattices(spec) if LATTICES in drawn.values else len(matrices))):
        A = there[number] if number < len(there) else np.full((3, 3), np.nan)
        name = "A" if number == 0 else f"A{number + 1}"
        found.update({f"{name}_{i + 1}{j + 1}": float(A[i, j]) for i in range(3) for j in range(3)})
    return found


def write_into(file: h5py.File, rows: Sequence[Labels], fingerprint: str) -> None:
    """Write the labels of a file's images into it, a dataset a column, and what stands for the batch."""
    import h5py

    group = file.create_group(GROUP)
    group.attrs["batch"] = fingerprint
    group.attrs["columns"] = " ".join(rows[0])  # their order
    for name, first in rows[0].items():
        column = [row[name] for row in rows]
        if isinstance(first, str):
            group.create_dataset(name, data=column, dtype=h5py.string_dtype())
        else:
            group.create_dataset(
                name, data=np.array(column, dtype=np.float64 if isinstance(first, float) else np.int64)
            )


def read_from(file: h5py.File) -> list[Labels]:
    """Read the labels of a file's images.

    Raises
    ------
    KeyError, ValueError, OSError
        When the file does not hold them.
    """
    group = file[GROUP]
    order = group.attrs["columns"].split()
    columns = {name: group[name] for name in order}
    values = {
        name: column.asstr()[:].tolist() if column.dtype.kind == "O" else column[:].tolist()
        for name, column in columns.items()
    }
    return [dict(zip(order, row, strict=True)) for row in zip(*values.values(), strict=True)]


def write_csv(path: Path, rows: Iterable[Labels]) -> None:
    """Write a table, one line an image; numbers with all their digits.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    with whole_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer: csv.DictWriter[str] | None = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(text, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
        text.detach()
