"""Spectra of the beam in NXmx files, whoever wrote them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...util.text import quote
from ..atomic import PathLike
from ..guarded import read_apart
from ..opening import label
from .checksums import check
from .file import read_any
from .filters import register_filters
from .layout import BEAM, SPECTRUM

if TYPE_CHECKING:
    import h5py

Array = NDArray[np.float64]

MOST_CHANNELS = 100_000
WAVELENGTH = "incident_wavelength"
_IN_ANGSTROM = {
    **dict.fromkeys(("angstrom", "angstroms", "a"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre"), 10.0),
    **dict.fromkeys(("m", "meter", "meters", "metre"), 1e10),
}
_DEEPEST = 4  # groups within groups: entry, instrument, beam
_MOST_VARIANTS = 10
_AT_ONCE = 4_000_000  # numbers


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra of images that follow one another.

    Attributes
    ----------
    first : int
        Number of the first image.
    stop : int or None
        One more than that of the last; None: there is one spectrum, for every image.
    wavelengths : (n, m) or (1, m) [Angstrom]
        In the order of the file.
    weights : (n, m) or (1, m)
    """

    first: int
    stop: int | None
    wavelengths: Array
    weights: Array

    def holds(self, shot: int) -> bool:
        """Whether the spectrum of an image is among these."""
        return self.stop is None or self.first <= shot < self.stop

    def of(self, shot: int) -> tuple[Array, Array]:
        """Return wavelengths [Angstrom] and weights of an image, (m,) each."""
        at = shot - self.first
        return self.wavelengths[min(at, len(self.wavelengths) - 1)], self.weights[min(at, len(self.weights) - 1)]


def read(path: PathLike, shot: int, option: str = "") -> Spectra:
    """Read the spectrum of one image, and with it those of images around it.

    Parameters
    ----------
    path : str or path
    shot : int
        Number of the image, counted from 0; where the file has one spectrum for all images it is that one.
    option : str
        The option that named the file, for messages.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no HDF5 file, is damaged, or holds no spectrum or none of this image.

    Notes
    -----
    NXbeam of NeXus: `incident_wavelength` with `incident_wavelength_weights`, or a dataset that `incident_wavelength`
    names as its variant, with weights of its own; both (m,) or, by image, (n, m).
    """
    if check(path, option, foreign=False):
        return read_unchecked(path, option, shot)
    return read_apart(read_unchecked, os.fspath(path), option, shot)


def read_unchecked(path: PathLike, option: str, shot: int) -> Spectra:
    """Read what `read` does in this process, whatever the HDF5 library does with the file."""
    name = label(option, path)
    register_filters()
    with read_any(path, option) as file:
        found = next((pair for beam in _beams(file) if (pair := _spectrum(beam, name)) is not None), None)
        if found is None:
            raise InputError(f"{name}: holds no spectrum: {WAVELENGTH} of no NXbeam has weights")
        scale = _in_angstrom(found[0], name)
        counts = {len(dataset) for dataset in found if _channels(dataset, name) and dataset.ndim == 2}
        if found[0].shape[-1] != found[1].shape[-1]:
            raise InputError(f"{name}: {found[0].shape[-1]} wavelengths have {found[1].shape[-1]} weights")
        first, stop = 0, None
        if counts:
            count = min(counts)
            _check_shot(shot, count, name)
            block = max(1, _AT_ONCE // found[0].shape[-1])
            first = shot - shot % block
            stop = min(first + block, count)
        wavelengths, weights = (
            np.atleast_2d(np.asarray(each[()] if each.ndim == 1 else each[first:stop], dtype=np.float64))
            for each in found
        )
    return Spectra(first, stop, wavelengths * scale, weights)


def written_by_us(file: h5py.File, index: int) -> tuple[Array, Array] | None:
    """Return the spectrum of an image of an open file of nbnumba's, without the channels that pad it.

    Returns
    -------
    (wavelengths [m], weights) or None
        None where the image has a single wavelength.
    """
    beam = file.get(BEAM)
    if beam is None or SPECTRUM not in beam:
        return None
    name = str(file.filename)
    wavelengths, weights = (_of_shot(beam[key], index, name) for key in (SPECTRUM, f"{SPECTRUM}_weights"))
    counted = weights > 0.0
    if np.count_nonzero(counted) < 2:
        return None
    return wavelengths[counted] * 1e-10, weights[counted]


def _beams(group: h5py.Group, depth: int = 0) -> Iterator[h5py.Group]:
    import h5py

    for child in group.values():
        if not isinstance(child, h5py.Group):
            continue
        if _text(child.attrs.get("NX_class")) == "NXbeam":
            yield child
        elif depth < _DEEPEST:
            yield from _beams(child, depth + 1)


def _spectrum(beam: h5py.Group, name: str) -> tuple[h5py.Dataset, h5py.Dataset] | None:
    """Return wavelengths and weights of a beam; None where it has no spectrum."""
    key = WAVELENGTH
    for _ in range(_MOST_VARIANTS):
        if key not in beam:
            return None
        for weights in (f"{key}_weights", f"{key}_weight"):  # the second is dxtbx's of old
            if weights in beam:
                return beam[key], beam[weights]
        variant = _text(beam[key].attrs.get("variant"))
        if variant is None:
            return None
        key = variant
    raise InputError(f"{name}: the variants of {WAVELENGTH} go round in a circle")


def _in_angstrom(dataset: h5py.Dataset, name: str) -> float:
    units = _text(dataset.attrs.get("units")) or ""
    if units.lower() not in _IN_ANGSTROM:
        raise InputError(f"{name}: {WAVELENGTH} has units {quote(units)}; allowed are angstrom, nm and m")
    return _IN_ANGSTROM[units.lower()]


def _channels(dataset: h5py.Dataset, name: str) -> int:
    """Return the number of channels of a dataset, which is one of a spectrum or of several."""
    if dataset.ndim not in (1, 2) or dataset.shape[-1] < 1:
        raise InputError(f"{name}: {dataset.name} has the shape {dataset.shape}; allowed are (m,) and (images, m)")
    if dataset.shape[-1] > MOST_CHANNELS:
        raise InputError(f"{name}: {dataset.name} has {dataset.shape[-1]} channels; at most {MOST_CHANNELS}")
    return int(dataset.shape[-1])


def _check_shot(shot: int, count: int, name: str) -> None:
    if shot >= count:
        raise InputError(f"{name}: no spectrum {shot}; there are {count}, counted from 0")


def _of_shot(dataset: h5py.Dataset, shot: int, name: str) -> Array:
    _channels(dataset, name)
    if dataset.ndim == 1:
        return np.asarray(dataset[()], dtype=np.float64)
    _check_shot(shot, len(dataset), name)
    return np.asarray(dataset[shot], dtype=np.float64)


def _text(value: Any) -> str | None:
    """Return an attribute as text, however it was written."""
    if isinstance(value, np.ndarray):
        value = value.item() if value.size == 1 else None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else None
