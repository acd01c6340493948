"""What is made of the files of a batch once they are all there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..imagefiles import pixel_truth, spots
from ..imagefiles.crystfel_xds import write_xds_inp
from ..io.atomic import whole_file
from ..io.nexus import file as nexus_file
from ..io.nexus.checksums import check_images
from ..io.nexus.layout import DATA
from ..io.nexus.master import write_master
from ..kernels.mixed import WHY_DOUBLE
from ..util.messages import muted
from ..util.text import counted
from . import labels
from .contact_sheet import MOST_IMAGES
from .labels import Labels
from .machine import versions
from .names import LABELS, SHEET, XDS
from .reference import Base
from .sample import draw, image_experiment, stated_geometry
from .sheet import Shot, write_sheet
from .spec_model import Spec
from .stored import frame_pixels
from .truth_expt import truth_of, write_truth


def _rows(paths: Sequence[Path]) -> Iterator[Labels]:
    """Yield the labels of all images."""
    for path in paths:
        with nexus_file.read(path, images=False) as file:
            yield from labels.read_from(file)


def _first_pixels(paths: Sequence[Path], spec: Spec) -> Iterator[NDArray[Any]]:
    """Yield the pixels of the first images."""
    count = min(MOST_IMAGES, spec.count)
    if spec.names.has_frames:
        yield from (frame_pixels(paths[0].parent / name) for name in spec.names.frames[:count])
        return
    for number, path in enumerate(paths[: -(-count // spec.images_per_file)]):
        here = range(len(spec.images_of(number)))[: count - number * spec.images_per_file]
        with nexus_file.read(path) as file:
            check_images(file[DATA], here)
            yield from (np.asarray(file[DATA][index]) for index in here)


def made_by(paths: Sequence[Path]) -> Counter[tuple[str, ...]]:
    """Count the images by what made them: backend, precision, instruction set, versions."""
    columns = ("backend", "precision", "instruction_set", *versions())
    found: Counter[tuple[str, ...]] = Counter()
    for path in paths:
        with nexus_file.read(path, images=False) as file:
            group = file[labels.GROUP]
            found.update(zip(*(group[name].asstr()[:] for name in columns), strict=True))
    return found


def notices_of_making(found: Counter[tuple[str, ...]], precision: str) -> Iterator[str]:
    """Tell of images that differ in their last digits for what made them.

    Parameters
    ----------
    found : Counter
        Of `made_by`.
    precision : str
        That was asked for.
    """
    machines: dict[tuple[str, ...], dict[str, None]] = {}
    for backend, reached, *rest in found:
        machines.setdefault((backend, *rest), {})[reached] = None
    if len(machines) > 1:
        names = (" ".join([backend, "/".join(reached), *rest]) for (backend, *rest), reached in machines.items())
        yield (
            f"the images were made by {' and by '.join(names)}; labels.csv tells which, and the last digits may differ "
            "between them"
        )
    by_precision: Counter[tuple[str, str]] = Counter()
    for (backend, reached, *_), count in found.items():
        by_precision[backend, reached] += count
    for (backend, reached), count in list(by_precision.items()):
        if reached == "double" and (precision == "mixed" or by_precision[backend, "mixed"]):
            images = f"{count} of {counted(found.total(), 'image')}"
            yield f"precision {precision}: {images} in double precision; {WHY_DOUBLE[backend]}"


def _write_labels(path: Path, chunks: Sequence[Path], spec: Spec, base: Base) -> None:
    labels.write_csv(path, _rows(chunks))


def _write_master(path: Path, chunks: Sequence[Path], spec: Spec, base: Base) -> None:
    write_master(path, chunks, scan=spec.series is not None, maps=pixel_truth.MAPS)


def _write_sheet(path: Path, chunks: Sequence[Path], spec: Spec, base: Base) -> None:
    def shots() -> Iterator[Shot]:
        for number, pixels in enumerate(_first_pixels(chunks, spec)):
            experiment = image_experiment(base, draw(spec, base, number))
            yield Shot(pixels, experiment, [crystal for crystal in experiment.crystals if crystal.weight])

    write_sheet(path, shots())


def write_rotation(path: Path, spec: Spec, base: Base) -> None:
    """Write what a series states as a whole: an XDS.INP, or the truth as an experiment list.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    assert spec.series is not None
    first = stated_geometry(spec, base, range(spec.count))
    saturation = None if first.readout is None or not spec.noise else first.readout.saturation
    if path.name == XDS:
        if len(first.detector.panels) == 1:
            with muted():
                write_xds_inp(
                    path,
                    first,
                    first.crystals[0],
                    spec.names.images,
                    images=spec.count,
                    dtype=spec.dtype,
                    saturation=saturation,
                )
        else:
            with whole_file(path) as file:
                file.write(b"! XDS wants one panel, and this detector has several.\n")
        return
    # The crystals are there in blank images, too.
    draws = (draw(spec, base, image, missing=False) for image in range(spec.count))
    images = [truth_of(image_experiment(base, drawn)) for drawn in draws]
    write_truth(path, first, images, spec.series, spec.dtype, saturation, spec.images_per_file)


MAKERS: dict[str, Callable[[Path, Sequence[Path], Spec, Base], None]] = {
    LABELS: _write_labels,
    SHEET: _write_sheet,
}


def _read_spots(path: Path) -> spots.Table:
    with nexus_file.read(path, images=False) as file:
        return spots.read_from(file)


def make(path: Path, spec: Spec, base: Base, chunks: Sequence[Path]) -> None:
    """Write what is made of the files of images.

    Parameters
    ----------
    path : Path
        One of `Names.products`.
    spec : Spec
    base : Base
    chunks : sequence of Path
        The files of images.

    Raises
    ------
    FileError
        A file cannot be read or written.
    """
    if path.name == spec.names.table:
        spots.write(path, spots.joined([_read_spots(chunk) for chunk in chunks]))
    elif path.name in MAKERS:
        MAKERS[path.name](path, chunks, spec, base)
    elif path.name == spec.names.master:
        _write_master(path, chunks, spec, base)
    else:
        write_rotation(path, spec, base)
