"""What the files of a batch or a series hold, once they are written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..io import cbf, smv
from ..io.nexus import checksums
from ..io.nexus import file as nexus_file
from ..util.signals import signals_wait
from . import labels

if TYPE_CHECKING:
    import h5py

FRAMES = "frames"  # of an HDF5 file: the files that hold one image each, and their checksums
PEDESTAL = 40.0  # of SMV images, as nanoBragg adds it: readers take pixels of 0 for bad ones
_STORED = "/entry/data/data"


def write_frame_digests(file: h5py.File, frames: Sequence[Path]) -> None:
    """Write which files hold the images, and their checksums."""
    import h5py

    group = file.create_group(FRAMES)
    text = h5py.string_dtype()
    group.create_dataset("name", data=[path.name for path in frames], dtype=text)
    group.create_dataset("sha256", data=[file_digest(path) for path in frames], dtype=text)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def frame_pixels(path: Path) -> NDArray[Any]:
    """Return the photons of an image in a file of its own; pixels without a value are below 0, or huge.

    Raises
    ------
    FileError, InputError
        The file cannot be read, or is damaged.
    """
    if path.suffix == ".cbf":
        return cbf.read(path)
    return smv.read(path).data.astype(np.int32) - int(PEDESTAL)


def is_whole(path: Path, images: range, fingerprint: str, *, frames: bool = True) -> str | None:
    """Return None for the whole file of these images of this batch, else what is wrong with it.

    Parameters
    ----------
    path : Path
    images : range
    fingerprint : str
        Of the batch.
    frames : bool
        Whether images in files of their own count, too.
    """
    try:
        if not checksums.check(path, images=True, foreign=False):
            return "has no checksums, or they are damaged"
        with signals_wait(), nexus_file.open_to_read(path) as file:
            group = file[labels.GROUP]
            if group.attrs["batch"] != fingerprint:
                return "belongs to another batch"
            found = group["image"][:].tolist()
            listed = _listed(file)
            stored = len(listed) if listed else file[_STORED].id.get_num_chunks()
    except checksums.Damaged as error:
        return str(error).removeprefix(f"{path}: ")
    except (OSError, KeyError, RuntimeError, AttributeError, TypeError, ValueError):
        return "does not open as a file of images"
    if len(found) < len(images) or stored < len(images):
        return f"lacks images: {min(len(found), stored)} of {len(images)}"
    if found != list(images):
        return "holds other images"
    return _wrong_frame(path.parent, listed) if frames else None


def _listed(file: h5py.File) -> dict[str, str]:
    """Return the digests of the files with one image each, by their names; none where images are in this one."""
    if FRAMES not in file:
        return {}
    group = file[FRAMES]
    return dict(zip(group["name"].asstr()[:], group["sha256"].asstr()[:], strict=True))


def _wrong_frame(folder: Path, listed: dict[str, str]) -> str | None:
    for name, digest in listed.items():
        path = folder / Path(name).name
        try:
            good = file_digest(path) == digest
        except OSError:
            good = False
        if not good:
            return f"{path.name} is {'not what was written' if path.exists() else 'missing'}"
    return None
