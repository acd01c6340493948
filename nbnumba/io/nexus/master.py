"""A master file: the images of several NXmx files as one, without copying them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ...errors import InputError
from ..atomic import PathLike
from .file import read, written
from .layout import (
    BEAM,
    DATA,
    DETECTOR,
    MOUNTED,
    SAMPLE,
    SPECTRUM,
    Array,
    Column,
    Shots,
    write_head,
    write_shots,
)
from .read import columns
from .rotation import Rotation, joined_rotation, read_rotation

if TYPE_CHECKING:
    import h5py

_T = TypeVar("_T")

# What the pixels of an image hold whose file is not there: a value that no pixel has.
_MISSING: dict[str, Callable[[Any], Any]] = {
    "f": lambda dtype: np.nan,
    "i": lambda dtype: -1,
    "u": lambda dtype: np.iinfo(dtype).max,
}


def write_master(
    path: PathLike, chunk_files: Sequence[PathLike], *, scan: bool = False, maps: Mapping[str, Any] = {}
) -> int:
    """Write a file that shows the images of others as its own.

    Parameters
    ----------
    path : str or path
        What to write.
    chunk_files : sequence of path
        Files of one detector, as `nbnumba.imagefiles.nexus.NexusWriter` writes them, in the order of their images.
        The master refers to them by names relative to its own folder, so that the lot can be moved together.

    scan : bool
        Whether images that continue one another are a rotation even where the crystal changes on the way.

    maps : mapping of str to number
        Further datasets with a first axis of images, by their paths, that the master shows where the first file has
        them, and what their pixels hold in an image whose file is missing.

    Returns
    -------
    int
        Images in all.

    Raises
    ------
    FileError
        A file is missing or unreadable, or the master cannot be written.
    InputError
        There are no files, one is no NXmx file, or they differ in the size or the type of their images or in what
        their ground truth holds.

    Notes
    -----
    The images are a virtual dataset; those of a file that is missing, or that is one file too many for a process, read
    as its fill value, which its attribute `missing_image` states. Wavelengths, spectra, rotation and ground truth are
    copied. Detector and mask are those of the first file.
    """
    if not chunk_files:
        raise InputError(f"{os.fspath(path)}: a master needs at least one file of images")
    import h5py

    folder = Path(os.path.realpath(path)).parent
    sources, parts = [], []
    for chunk in chunk_files:
        with read(chunk) as file:
            data = file[DATA]
            # HDF5 takes a percent sign for the beginning of a pattern.
            name = os.path.relpath(os.path.realpath(chunk), folder).replace("%", "%%")
            sources.append(h5py.VirtualSource(name, DATA, shape=data.shape, dtype=data.dtype))
            if sources[0].shape[1:] != data.shape[1:] or sources[0].dtype != data.dtype:
                raise InputError(
                    f"{os.fspath(chunk)}: images of {data.shape[1:]} {data.dtype}; "
                    f"those of {os.fspath(chunk_files[0])} are {sources[0].shape[1:]} {sources[0].dtype}"
                )
            parts.append(read_shots(file))
            if set(parts[-1].truth) != set(parts[0].truth):
                raise InputError(
                    f"{os.fspath(chunk)}: its ground truth holds other quantities "
                    f"than that of {os.fspath(chunk_files[0])}"
                )
    count = sum(int(source.shape[0]) for source in sources)

    def write(file: h5py.File) -> None:
        made_by = first["/entry/program_name"]
        write_head(file, os.fspath(path), (made_by.asstr()[()], made_by.attrs["version"]))
        missing = _MISSING[np.dtype(sources[0].dtype).kind](sources[0].dtype)
        data = _show(file, DATA, sources, missing)
        data.attrs["missing_image"] = missing
        for name in maps:
            if name in first:
                shown = [_source(of, name, first[name]) for of in sources]
                _show(file, name, shown, maps[name]).attrs.update(first[name].attrs)
        first.copy(DETECTOR, file["/entry/instrument"])
        file[f"{DETECTOR}/detectorSpecific/nimages"][...] = count
        write_shots(file, _joined(parts, scan))

    with written(path) as writing, read(chunk_files[0]) as first:
        writing.run(write)
    return count


def read_shots(file: h5py.File) -> Shots:
    """Return what differs from image to image in a file."""
    beam = file[BEAM]
    means = np.asarray(beam["incident_wavelength"][()]) * 1e-10
    if SPECTRUM in beam:
        weights = beam[f"{SPECTRUM}_weights"][()]
        channels = np.broadcast_to(beam[SPECTRUM][()] * 1e-10, weights.shape)
        spectra = [(line[lit > 0.0], lit[lit > 0.0]) for line, lit in zip(channels, weights, strict=True)]
    else:
        spectra = [(means[i : i + 1], np.ones(1)) for i in range(len(means))]
    size = beam.get("incident_beam_size")
    return Shots(
        spectra=spectra,
        rotation=read_rotation(file[SAMPLE]),
        stokes=_values(beam, "incident_polarization_stokes"),
        total_flux=_values(beam, "total_flux"),
        beam_size=None if size is None else float(size[0]),
        truth=columns(file),
    )


def _values(group: h5py.Group, name: str) -> Array | None:
    return np.asarray(group[name][()]) if name in group else None


def _source(images: Any, name: str, like: h5py.Dataset) -> Any:
    """Return the source of a dataset in the file that holds some images."""
    import h5py

    return h5py.VirtualSource(images.path, name, shape=(images.shape[0], *like.shape[1:]), dtype=like.dtype)


def _show(file: h5py.File, name: str, sources: Sequence[Any], missing: Any) -> h5py.Dataset:
    """Show the datasets of several files as one."""
    import h5py

    count = sum(int(source.shape[0]) for source in sources)
    layout = h5py.VirtualLayout(shape=(count, *sources[0].shape[1:]), dtype=sources[0].dtype)
    first = 0
    for source in sources:
        layout[first : first + source.shape[0]] = source
        first += source.shape[0]
    return file.create_virtual_dataset(name, layout, fillvalue=missing)


def _joined(parts: Sequence[Shots], scan: bool) -> Shots:
    truth = {name: _joined_column([part.truth[name] for part in parts]) for name in parts[0].truth}
    sizes = {part.beam_size for part in parts}
    rotation = _joined_rotation(parts, None if scan else truth.get("A_matrix"))
    _remount(truth, parts, rotation)
    return Shots(
        spectra=[spectrum for part in parts for spectrum in part.spectra],
        rotation=rotation,
        stokes=_joined_arrays(parts, lambda part: part.stokes),
        total_flux=_joined_arrays(parts, lambda part: part.total_flux),
        beam_size=parts[0].beam_size if len(sizes) == 1 else None,
        truth=truth,
    )


def _remount(truth: dict[str, Column], parts: Sequence[Shots], rotation: Rotation | None) -> None:
    """Let the crystals of all files be those of the joined goniometer."""
    if MOUNTED not in truth or all(part.rotation is None for part in parts):
        return
    matrices = np.concatenate(
        [
            np.asarray(part.truth[MOUNTED].values)
            if part.rotation is None
            else part.rotation.in_laboratory(np.asarray(part.truth[MOUNTED].values))
            for part in parts
        ]
    )
    values = matrices if rotation is None else rotation.on_goniometer(matrices)
    truth[MOUNTED] = dataclasses.replace(truth[MOUNTED], values=values)


def _joined_column(pieces: Sequence[Column]) -> Column:
    missing = next((piece.missing for piece in pieces if piece.missing is not None), None)
    arrays = [piece.values for piece in pieces if isinstance(piece.values, np.ndarray)]
    if len(arrays) == len(pieces):
        return Column(np.concatenate(arrays), pieces[0].units, missing)
    return Column([text for piece in pieces for text in piece.values], pieces[0].units, missing)


def _joined_arrays(parts: Sequence[Shots], get: Callable[[Shots], Array | None]) -> Array | None:
    found = list(_present(get(part) for part in parts))
    return np.concatenate(found) if len(found) == len(parts) else None


def _joined_rotation(parts: Sequence[Shots], orientations: Column | None) -> Rotation | None:
    rotations = list(_present(part.rotation for part in parts))
    if len(rotations) < len(parts):
        return None
    counts = [len(rotation.starts) for rotation in rotations]
    return joined_rotation(
        np.repeat([rotation.axis for rotation in rotations], counts, axis=0),
        np.concatenate([rotation.starts for rotation in rotations]),
        np.repeat([rotation.width for rotation in rotations], counts),
        None if orientations is None else np.asarray(orientations.values),
        [rotation.mounting for rotation in rotations],
    )


def _present(values: Iterator[_T | None] | Sequence[_T | None]) -> Iterator[_T]:
    return (value for value in values if value is not None)
