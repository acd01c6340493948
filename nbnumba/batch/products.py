"""What is made of the files of a batch once they are all there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..detector.assembly import assembled
from ..detector.resolution import beam_place
from ..errors import called
from ..experiment.hints import FEW
from ..experiment.model import Experiment
from ..geometry.vectors import length
from ..imagefiles import pixel_truth, spots
from ..imagefiles.crystfel_xds import write_xds_inp
from ..io.atomic import whole_file
from ..io.nexus import file as nexus_file
from ..io.nexus.checksums import check_images
from ..io.nexus.layout import DATA
from ..io.nexus.master import write_master
from ..readout.digitize import SATURATION
from ..util.messages import logger, muted
from . import labels
from .contact_sheet import MOST_IMAGES, write_contact_sheet
from .labels import Labels
from .machine import versions
from .names import LABELS, SHEET, SPOTS, XDS
from .reference import Base
from .sample import draw, image_experiment, stated_geometry
from .spec_model import Spec
from .stored import frame_pixels
from .truth_expt import truth_of, write_truth

_NAMED = 10  # images
_BEFORE_FIRST = 0.7  # of the way from the direct beam to the first reflection; the forward peak ends there


def _rows(paths: Sequence[Path]) -> Iterator[Labels]:
    """Yield the labels of all images."""
    for path in paths:
        with nexus_file.read(path, images=False) as file:
            yield from labels.read_from(file)


def _first_images(
    paths: Sequence[Path], spec: Spec, base: Base, dim: list[int]
) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
    """Yield the first images, their panels in place, and where they are free of the direct beam; list dim ones."""
    for number, pixels in enumerate(_first_pixels(paths, spec)):
        experiment = image_experiment(base, draw(spec, base, number))
        image, counted = _shown(pixels, experiment)
        if any(crystal.weight for crystal in experiment.crystals) and _brightest(image, counted) < FEW:
            dim.append(number)
        yield image, counted


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


def _brightest(image: NDArray[Any], counted: NDArray[np.bool_]) -> float:
    """Return the largest value of the pixels that count and were read out."""
    # Of whole numbers those above the largest good one stand for pixels without a value.
    good = counted & (~np.isnan(image) if image.dtype.kind == "f" else image <= SATURATION[image.dtype.name])
    return float(image.max(initial=0.0, where=good))


def _shown(image: NDArray[Any], experiment: Experiment) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return an image, its panels in place, and where it lies outside the forward peak of the crystal."""
    detector, beam = experiment.detector, experiment.beam
    pitch, place = min(detector.panels[0].pixel_sizes), None
    if len(detector.panels) > 1:
        stacked = np.asarray(image, dtype=np.float32).reshape(len(detector.panels), -1, image.shape[-1])
        together = assembled(stacked, detector, beam)
        image, pitch, place = together.photons, together.pitch, together.beam
    elif not detector.curved:
        place = beam_place(detector.panels[0], beam)
    if place is None or not experiment.crystals:
        return image, np.ones(image.shape, dtype=np.bool_)
    nearest = min(abs(panel.distance) for panel in detector.panels)
    longest = max(length(axis) for crystal in experiment.crystals for axis in crystal.real_space)
    radius = _BEFORE_FIRST * beam.wavelength / longest * nearest / pitch  # pixels; angles are small there
    slow, fast = ((np.arange(size) + 0.5 - at) ** 2 for size, at in zip(image.shape, place, strict=True))
    return image, slow[:, np.newaxis] + fast > radius**2


def differing_machines(paths: Sequence[Path]) -> str | None:
    """Name what the images were made by, where that was not the same for all."""
    columns = ("backend", "precision", "instruction_set", *versions())
    found: dict[str, None] = {}
    for path in paths:
        with nexus_file.read(path, images=False) as file:
            group = file[labels.GROUP]
            values = [group[name].asstr()[:] for name in columns]
            found |= dict.fromkeys(" ".join(row) for row in zip(*values, strict=True))
    return " and by ".join(found) if len(found) > 1 else None


def _write_labels(path: Path, chunks: Sequence[Path], spec: Spec, base: Base) -> None:
    labels.write_csv(path, _rows(chunks))


def _write_master(path: Path, chunks: Sequence[Path], spec: Spec, base: Base) -> None:
    write_master(path, chunks, scan=spec.series is not None, maps=pixel_truth.MAPS)


def _write_sheet(path: Path, chunks: Sequence[Path], spec: Spec, base: Base) -> None:
    dim: list[int] = []
    write_contact_sheet(path, _first_images(chunks, spec, base, dim))
    if dim:
        numbers = ", ".join(map(str, dim[:_NAMED])) + (", ..." if len(dim) > _NAMED else "")
        logger.warning(
            f"hint: away from the direct beam no pixel reaches {FEW:g} in {len(dim)} of the first "
            f"{min(spec.count, MOST_IMAGES)} images ({numbers}), so that spots will not be found; a larger "
            f"{called('fluence')} or {called('N')} makes them brighter"
        )


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
    images = [truth_of(image_experiment(base, draw(spec, base, image))) for image in range(spec.count)]
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
    if path.name == SPOTS:
        spots.write(path, spots.joined([_read_spots(chunk) for chunk in chunks]))
    elif path.name in MAKERS:
        MAKERS[path.name](path, chunks, spec, base)
    elif path.name == spec.names.master:
        _write_master(path, chunks, spec, base)
    else:
        write_rotation(path, spec, base)
