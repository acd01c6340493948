"""Images and ground truth of NXmx files."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...util.memory import check_image_fits
from ..atomic import PathLike
from ..opening import label
from .checksums import check_images
from .file import read
from .layout import DATA, DETECTOR, TRUTH, Column

if TYPE_CHECKING:
    import h5py


def image_count(path: PathLike, option: str = "") -> int:
    """Return how many images a file holds."""
    with read(path, option) as file:
        return int(file[DATA].shape[0])


def read_images(path: PathLike, option: str = "") -> NDArray[Any]:
    """Read all images.

    Parameters
    ----------
    path : str or path
    option : str
        The option that named the file, for messages.

    Returns
    -------
    (n, rows, n_fast) array
        As stored; the panels of a detector of several lie one below the other.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no NXmx file, or is damaged.
    """
    with read(path, option) as file:
        return _pixels(file, slice(None), label(option, path))


def read_image(path: PathLike, index: int = 0, option: str = "") -> list[NDArray[Any]]:
    """Read one image, panel by panel.

    Returns
    -------
    list of (n_slow, n_fast) array

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no NXmx file, is damaged, or has no image of this number.
    """
    with read(path, option) as file:
        name = label(option, path)
        _check_index(index, int(file[DATA].shape[0]), name)
        rows = _pixels(file, index, name)
        return [rows[top : top + n_slow, left : left + n_fast] for top, left, n_slow, n_fast in _modules(file)]


def read_ground_truth(path: PathLike, option: str = "") -> dict[str, Column]:
    """Read what is known of the images of a simulation.

    Returns
    -------
    dict of str to Column
        By quantity, with a first axis of images; empty where the file has none.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no NXmx file.
    """
    with read(path, option) as file:
        return columns(file)


def read_command(path: PathLike, index: int = 0, option: str = "") -> str:
    """Return the command line that draws an image, without the program's name.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no NXmx file, has no image of this number, or holds no command line for it.
    """
    with read(path, option) as file:
        name = label(option, path)
        _check_index(index, int(file[DATA].shape[0]), name)
        command = columns(file).get("command")
    text = "" if command is None else str(command.values[index])
    if not text:
        raise InputError(f"{name}: holds no command line for image {index}")
    return text


def columns(file: h5py.File) -> dict[str, Column]:
    """Return the ground truth of an open file."""
    import h5py

    found = {}
    for name, dataset in file.get(TRUTH, {}).items():
        if not isinstance(dataset, h5py.Dataset):
            continue
        text = h5py.check_string_dtype(dataset.dtype) is not None
        missing = dataset.attrs.get("missing")
        found[name] = Column(
            values=list(dataset.asstr(errors="surrogateescape")[()]) if text else dataset[()],
            units=dataset.attrs.get("units"),
            missing=None if missing is None else int(missing),
        )
    return found


def pixel_sizes(file: h5py.File) -> list[tuple[float, float]]:
    """Return the edges of a pixel of every module, fast and slow [m]; of an open file that nbnumba wrote."""
    detector = file[DETECTOR]
    names = ("fast_pixel_direction", "slow_pixel_direction")
    found = [tuple(float(np.ravel(group[name][()])[0]) * 1e-3 for name in names) for group in _module_groups(file)]
    whole = float(detector["x_pixel_size"][()]), float(detector["y_pixel_size"][()])
    # In meters they are exact; a module of pixels of another size says so in millimeters.
    return [whole if np.allclose(sizes, whole, rtol=1e-12, atol=0.0) else (sizes[0], sizes[1]) for sizes in found]


def _module_groups(file: h5py.File) -> list[h5py.Group]:
    return [
        group
        for group in file.get(DETECTOR, {}).values()
        if group.attrs.get("NX_class") in ("NXdetector_module", b"NXdetector_module")
    ]


def _modules(file: h5py.File) -> list[tuple[int, int, int, int]]:
    """Return first row, first column, n_slow and n_fast of every module; all pixels where none is listed."""
    places = []
    for group in _module_groups(file):
        (top, left), (n_slow, n_fast) = group["data_origin"][()], group["data_size"][()]
        places.append((int(top), int(left), int(n_slow), int(n_fast)))
    return places or [(0, 0, int(file[DATA].shape[1]), int(file[DATA].shape[2]))]


def _pixels(file: h5py.File, which: slice | int, name: str) -> NDArray[Any]:
    data = file[DATA]
    images = range(len(data))[which] if isinstance(which, slice) else [which]
    check_image_fits(name, len(images) * math.prod(data.shape[1:]) * data.dtype.itemsize)
    check_images(data, images)
    try:
        return np.asarray(data[which])
    except OSError as error:
        raise InputError(f"{name}: the images cannot be read: the file is damaged, or its filter is unknown") from error


def _check_index(index: int, count: int, name: str) -> None:
    if not 0 <= index < count:
        raise InputError(f"{name}: no image {index}; there are {count}, counted from 0")
