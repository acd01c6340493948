"""The first images of a batch at a glance, with a word about those that will surprise who looks for their spots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..crystal.model import Crystal
from ..detector.assembly import assembled
from ..detector.resolution import beam_place
from ..errors import called
from ..experiment.geometry import Geometry
from ..experiment.hints import FEW, fringes_of
from ..experiment.model import Experiment
from ..geometry.vectors import length
from ..readout.digitize import SATURATION, saturation_value
from ..util.messages import logger
from .contact_sheet import write_contact_sheet

DIM, FRINGES, CLIPPED = "dim", "fringes", "clipped"  # beside the number of an image
_MANY_CLIPPED = 0.01  # of the pixels: more than spots have, as where a background overflows
_NAMED = 10  # images
_BEFORE_FIRST = 0.7  # of the way from the direct beam to the first reflection; the forward peak ends there


@dataclass(frozen=True, eq=False)
class Shot:
    """An image to be shown.

    Attributes
    ----------
    pixels : (rows, columns) array
        Panels one below the other.
    geometry : Geometry
        Of an experiment, fringes are looked for, too.
    crystals : sequence of Crystal
        Those in the beam.
    """

    pixels: NDArray[Any]
    geometry: Geometry
    crystals: Sequence[Crystal]


@dataclass
class _Found:
    """Images that will surprise."""

    images: int = 0
    dim: list[int] = field(default_factory=list)
    fringed: list[int] = field(default_factory=list)
    fringes: str = ""  # of the first
    clipped: list[int] = field(default_factory=list)


def write_sheet(path: Path, shots: Iterable[Shot]) -> None:
    """Write the picture, and tell which images have spots too dim to be found, fringes that will be, or clipped pixels.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    found = _Found()
    write_contact_sheet(path, _judged(shots, found))
    of = f"of the first {found.images} images"
    if found.dim:
        dim = f"{len(found.dim)} {of} ({_listed(found.dim)})"
        logger.warning(
            f"hint: away from the direct beam no pixel reaches {FEW:g} in {dim}, so that spots will not be found; a "
            f"larger {called('fluence')} or {called('N')} makes them brighter"
        )
    if found.fringed:
        logger.warning(
            f"hint: {found.fringes} in image {found.fringed[0]}, will be found as spots in {len(found.fringed)} {of} "
            f"({_listed(found.fringed)}); {called('shape')} gauss has none"
        )
    if found.clipped:
        logger.warning(
            f"hint: more than {100 * _MANY_CLIPPED:g} % of the pixels are clipped in {len(found.clipped)} {of} "
            f"({_listed(found.clipped)}); a smaller {called('fluence')} or less background keeps them within the "
            "numbers of the file"
        )


def _listed(images: Sequence[int]) -> str:
    return ", ".join(map(str, images[:_NAMED])) + (", ..." if len(images) > _NAMED else "")


def _judged(shots: Iterable[Shot], found: _Found) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_], str]]:
    """Yield images, their panels in place, where they are free of the direct beam, and a word about each."""
    for number, shot in enumerate(shots):
        found.images += 1
        image, counted = _placed(shot)
        brightest = _brightest(image, counted) if shot.crystals else FEW
        word = ""
        if _clipped_share(shot) > _MANY_CLIPPED:
            word = CLIPPED
            found.clipped.append(number)
        elif brightest < FEW:
            word = DIM
            found.dim.append(number)
        elif isinstance(shot.geometry, Experiment) and shot.crystals:
            fringes = fringes_of(shot.geometry, brightest)
            if fringes is not None:
                word = FRINGES
                found.fringes = found.fringes or fringes
                found.fringed.append(number)
        yield image, counted, word


def _clipped_share(shot: Shot) -> float:
    """Return the share of the pixels that hold the largest number that is stored."""
    dtype = shot.pixels.dtype.name
    readout = shot.geometry.readout if isinstance(shot.geometry, Experiment) else None
    top = saturation_value(dtype, None if readout is None else readout.saturation)
    return float(np.mean((shot.pixels >= top) & (shot.pixels <= SATURATION.get(dtype, np.inf))))


def _brightest(image: NDArray[Any], counted: NDArray[np.bool_]) -> float:
    """Return the largest value of the pixels that count and were read out."""
    # Of whole numbers those above the largest good one stand for pixels without a value.
    good = counted & (~np.isnan(image) if image.dtype.kind == "f" else image <= SATURATION[image.dtype.name])
    return float(image.max(initial=0.0, where=good))


def _placed(shot: Shot) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return an image, its panels in place, and where it lies outside the forward peak of the crystal."""
    image, detector, beam = shot.pixels, shot.geometry.detector, shot.geometry.beam
    pitch, place = min(detector.panels[0].pixel_sizes), None
    if len(detector.panels) > 1:
        stacked = np.asarray(image, dtype=np.float32).reshape(len(detector.panels), -1, image.shape[-1])
        together = assembled(stacked, detector, beam)
        image, pitch, place = together.photons, together.pitch, together.beam
    elif not detector.curved:
        place = beam_place(detector.panels[0], beam)
    if place is None or not shot.crystals:
        return image, np.ones(image.shape, dtype=np.bool_)
    nearest = min(abs(panel.distance) for panel in detector.panels)
    longest = max(length(axis) for crystal in shot.crystals for axis in crystal.real_space)
    radius = _BEFORE_FIRST * beam.wavelength / longest * nearest / pitch  # pixels; angles are small there
    slow, fast = ((np.arange(size) + 0.5 - at) ** 2 for size, at in zip(image.shape, place, strict=True))
    return image, slow[:, np.newaxis] + fast > radius**2
