"""What every pixel shows, as datasets of an HDF5 file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io.atomic import PathLike

if TYPE_CHECKING:
    import h5py

GROUP = "pixel_truth"
ENDINGS = (".h5", ".hdf5")
EMPTY: dict[str, Any] = {
    "h": np.int16(0),
    "k": np.int16(0),
    "l": np.int16(0),
    "lattice": np.int16(-1),
    "wavelength_A": np.float32(np.nan),
    "spot_photons": np.float32(0.0),
    "spot_mask": np.uint8(0),
}
"""Maps of an image, and what a pixel without photons of a crystal holds."""
MAPS = {f"/{GROUP}/{name}": value for name, value in EMPTY.items()}
"""The same by their places in a file of images."""
_UNITS = {"wavelength_A": "angstrom"}

Maps = dict[str, NDArray[Any]]


def check_name(option: str, path: str) -> None:
    """Refuse a name with another ending.

    Raises
    ------
    InputError
    """
    if not path.lower().endswith(ENDINGS):
        raise InputError(f"{option} {path}: allowed endings: {', '.join(ENDINGS)}")


def write(path: PathLike, maps: Maps) -> None:
    """Write the maps of an image.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    from ..io.nexus import file as nexus_file

    with nexus_file.written(path) as writing:
        writing.run(write_into, 0, 1, maps)


def write_into(file: h5py.File, index: int, count: int, maps: Maps) -> None:
    """Write the maps of one of a file's images, (images, n_slow, n_fast) each, panels one below the other."""
    if GROUP not in file:
        _create(file, count, maps)
    for name in EMPTY:
        file[GROUP][name][index] = maps[name].reshape(-1, maps[name].shape[-1])


def _create(file: h5py.File, count: int, maps: Maps) -> None:
    from ..io.nexus.filters import image_compression

    group = file.create_group(GROUP)
    n_fast = maps["h"].shape[-1]
    shape = maps["h"].size // n_fast, n_fast
    for name in EMPTY:
        data = group.create_dataset(
            name, shape=(count, *shape), dtype=maps[name].dtype, chunks=(1, *shape), **image_compression()
        )
        if name in _UNITS:
            data.attrs["units"] = _UNITS[name]
