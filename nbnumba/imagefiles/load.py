"""Images with all that their files say of them."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import InputError
from ..io.opening import is_regular, opened
from ..parameters.command import CommandLine
from . import registry
from .records import ImageRecord


def format_of(path: str) -> registry.ImageFormat:
    """Return the format of a file; raw floats where no other is recognized.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is a pipe, which can be read only once.
    """
    with opened(path) as file:
        if not is_regular(file):
            raise InputError(f"{path}: is a pipe; its images are looked at more than once, save it first")
    return registry.recognized(registry.beginning(path)) or registry.FLOAT


def count(path: str) -> int:
    """Return how many images a file holds."""
    if format_of(path) is not registry.NXMX:
        return 1
    from ..io.nexus import read as nexus

    return nexus.image_count(path)


def read(path: str, typed: CommandLine, geometry: bool = True) -> Iterator[ImageRecord]:
    """Read the images of a file.

    Parameters
    ----------
    path : str
    typed : CommandLine
        Its options override what headers say.
    geometry : bool
        Whether it counts where the pixels are, so that a notice names what a header leaves out.

    Raises
    ------
    InputError, FileError
        The file or an option is not what it should be, or the size of the image is not the detector's.
    """
    images: Iterator[ImageRecord] = format_of(path).read(path, typed, geometry)
    return images
