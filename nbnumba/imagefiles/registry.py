"""The formats of images: how a file is called and begins, what it holds, and what reads and writes it."""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.opening import is_regular, label, opened
from ..util.text import quote

_LOOKED_AT = 512  # bytes at the beginning of a file
_TEXT = frozenset((string.ascii_letters + string.digits + string.punctuation + " \t\r\n").encode())


@dataclass(frozen=True)
class ImageFormat:
    """A format of image files.

    Attributes
    ----------
    name : str
        In words, with an article.
    endings : tuple of str
        What the name of a file ends in, in small letters, the usual one first.
    signatures : tuple of bytes
        What a file begins with; none where any bytes are possible.
    dtypes : tuple of str
        Numbers that a file of ours may hold, the default first.
    options : frozenset of str
        What of `nbnumba.imagefiles.records.SaveOptions` counts, and "noise" where noise may be on the image.
    geometry : bool
        Whether a file of ours states where the pixels are.
    many_images, many_panels : bool
        Whether one file of ours holds several images, and images of several panels.
    writer, reader, loader : str
        "module:function" of this folder that writes, that reads an image with its geometry, and that reads nothing
        but its pixels; empty where there is none.
    other_endings : tuple of str
        Further ones that a file to be read may have.
    """

    name: str
    endings: tuple[str, ...] = ()
    signatures: tuple[bytes, ...] = ()
    dtypes: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()
    geometry: bool = False
    many_images: bool = False
    many_panels: bool = False
    writer: str = ""
    reader: str = "others:read"
    loader: str = "others:load_by_fabio"
    other_endings: tuple[str, ...] = ()

    @property
    def write(self) -> Callable[..., Any]:
        """Function of path, images, their number and SaveOptions."""
        return _function(self.writer)

    @property
    def read(self) -> Callable[..., Any]:
        """Function of path, CommandLine, and whether the geometry counts; an iterator of ImageRecord."""
        return _function(self.reader)

    @property
    def load(self) -> Callable[..., Any]:
        """Function of a Source; a LoadedImage."""
        return _function(self.loader)


FLOAT = ImageFormat(
    "a raw float image",
    endings=(".bin",),
    dtypes=("float32",),
    many_panels=True,
    writer="floatfile:write",
    reader="floatfile:read",
    loader="",  # its shape is not in the file
    other_endings=(".raw", ".f32"),
)
PNG = ImageFormat(
    "a PNG picture",
    endings=(".png",),
    signatures=(b"\x89PNG\r\n\x1a\n",),
    options=frozenset({"rings", "annotate"}),
    many_panels=True,
    writer="png:write",
    loader="others:load_by_pillow",
)
SMV = ImageFormat(
    "an SMV image",
    endings=(".img",),
    signatures=(b"{\nHEADER_BYTES", b"{\r\nHEADER_BYTES"),
    dtypes=("uint16",),
    options=frozenset({"noise", "adc", "scale"}),
    geometry=True,
    writer="smv:write",
    reader="smv:read",
    loader="smv:load",
)
CBF = ImageFormat(
    "a CBF image",
    endings=(".cbf",),
    signatures=(b"###CBF",),
    dtypes=("int32",),
    options=frozenset({"noise"}),
    geometry=True,
    writer="cbf:write",
    reader="cbf:read",
    loader="cbf:load",
)
NXMX = ImageFormat(
    "an HDF5 file",
    endings=(".h5", ".hdf5", ".nxs"),
    signatures=(b"\x89HDF\r\n\x1a\n",),
    dtypes=("float32", "int32", "uint16"),
    options=frozenset({"noise", "dtype"}),
    geometry=True,
    many_images=True,
    many_panels=True,
    writer="nexus:write",
    reader="nexus_read:read",
    loader="others:load_hdf5",
)
# Only read.
PGM = ImageFormat("a PGM picture", (".pgm",), (b"P5\n", b"P5 "), loader="others:load_by_pillow")
NUMPY = ImageFormat("a NumPy array", (".npy",), (b"\x93NUMPY",), loader="others:load_numpy")
# Beginnings that no raw image has by chance. FabIO knows more of them, some as short as one byte.
FABIO = (
    ImageFormat("a TIFF image", (".tif", ".tiff"), (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM+\x00")),
    ImageFormat("an EDF image", (".edf",), (b"{\r\nEDF", b"\n{\r\nEDF", b"{\nEDF", b"{\nHeaderID")),
    ImageFormat("a RAXIS image", (".osc",), (b"R-AXIS",)),
    ImageFormat("a Bruker image", (".sfrm",), (b"FORMAT :",)),
    ImageFormat("an Esperanto image", (".esperanto",), (b"ESPERANTO FORMAT",)),
    ImageFormat("a Fit2D image", (".f2d",), (b"\\$FFF_START",)),
    ImageFormat("a gzip file", (".gz",), (b"\x1f\x8b\x08",)),
    ImageFormat("a bzip2 file", (".bz2",), (b"BZh",)),
)
OTHER = ImageFormat("an image of another kind")
"""What nothing but FabIO may know."""

FORMATS: tuple[ImageFormat, ...] = (FLOAT, PNG, SMV, CBF, NXMX, PGM, NUMPY, *FABIO)
WRITTEN = tuple(form for form in FORMATS if form.writer)

ENDINGS: dict[str, ImageFormat] = {ending: form for form in WRITTEN for ending in form.endings}


def by_ending(path: str | os.PathLike[str], option: str = "") -> ImageFormat:
    """Return the format of a file to be written, by its name.

    Raises
    ------
    InputError
        Its ending names none.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise InputError(
            f"{label(option, path)}: the ending {quote(ending)} names no format; allowed: {', '.join(ENDINGS)}"
        )
    return ENDINGS[ending]


def check_ending(option: str, path: str | os.PathLike[str], form: ImageFormat) -> None:
    """Refuse a name whose ending contradicts the format that an option writes.

    A name without an ending, of a device for example, is taken.

    Raises
    ------
    InputError
    """
    ending = Path(path).suffix.lower()
    if ending and ending not in form.endings:
        raise InputError(
            f"{label(option, path)}: {option} writes {form.name}; allowed endings: {', '.join(form.endings)}"
        )


def recognized(start: bytes) -> ImageFormat | None:
    """Return the format of a file that begins so; None where it cannot be recognized."""
    return next((form for form in FORMATS if form.signatures and start.startswith(form.signatures)), None)


def beginning(path: str | os.PathLike[str], option: str = "") -> bytes:
    """Return the first bytes of a file; none of a pipe, which can be read only once.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    """
    with opened(path, option) as file:
        return file.read(_LOOKED_AT) if is_regular(file) else b""


def looks_like_text(start: bytes) -> bool:
    """Whether a file that begins so is a text: hardly any raw image does by chance."""
    return bool(start) and _TEXT.issuperset(start.removeprefix(b"\xef\xbb\xbf"))


def names(forms: Iterable[ImageFormat]) -> str:
    """Return the usual endings of formats, for a message."""
    return ", ".join(form.endings[0] for form in forms)


def _function(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    function: Callable[..., Any] = getattr(import_module(f".{module}", __package__), name)
    return function
