"""`nbnumba convert`: images of one format as files of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..beam.frames import to_mcstas
from ..errors import InputError
from ..geometry.vectors import Array
from ..imagefiles.load import Picture, count, kind_of, pictures
from ..io.atomic import check_can_write, check_distinct
from ..parameters.choices import Semantics
from ..parameters.command import Output
from ..parameters.parser import parse_with_files
from ..parameters.table import NANOBRAGG, without_effect
from ..readout.digitize import to_dtype
from ..util.messages import logger
from ..util.text import quote

# What each ending may hold, the default first; None: as the input.
_DTYPES: dict[str, tuple[str | None, ...]] = {
    ".cbf": ("int32",),
    ".img": ("uint16",),
    ".bin": ("float32",),
    ".png": (),
    **dict.fromkeys((".h5", ".hdf5", ".nxs"), (None, "float32", "int32", "uint16")),
}
_OWN_WORDS = {"-o": "-o", "-output": "-o", "-dtype": "-dtype", "-image": "-image"}
_SAME = 1e-9  # m, by which the geometry of images in one file may differ


def convert(words: Sequence[str]) -> None:
    """Read images and write them as a file of another format.

    Parameters
    ----------
    words : sequence of str
        Files, `-o OUT`, and options: `-dtype`, `-image` and those of a rendering.

    Raises
    ------
    InputError
        For a mistake in the words, or an image that the format cannot hold.
    FileError
        When a file cannot be read or written.
    """
    own, rest = _own_words(words)
    command, files = parse_with_files(rest)
    for line in command.notices:
        logger.warning(line)
    if not files:
        raise InputError("convert: needs an image to read")
    options = NANOBRAGG.words(command.given)
    target = own.get("-o")
    if target is None:
        raise InputError("convert: needs -o FILE, the file to write")
    ending = Path(target).suffix.lower()
    if ending not in _DTYPES:
        raise InputError(f"-o {target}: the ending {quote(ending)} names no format; allowed: {', '.join(_DTYPES)}")
    idle = without_effect(command.given, "convert")
    if idle:
        logger.warning(f"convert: without effect here: {', '.join(idle)}")
    check_distinct([("-o", target)], [("convert", path) for path in files])
    check_can_write("-o", target)
    chosen = _chosen_image(own.get("-image"), files)
    dtype = _dtype(own.get("-dtype"), ending, target, files)
    number = 1 if chosen is not None else sum(map(count, files))
    images = _chosen(files, options, chosen)
    if ending in (".cbf", ".img", ".bin", ".png"):
        if number != 1:
            raise InputError(f"-o {target}: holds one image, and there are {number}; an .h5 file holds them all")
        _WRITERS[ending](target, next(images), command.output)
    else:
        _write_h5(target, images, number, dtype)


def _own_words(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Take the options that only this command has out of a command line."""
    own: dict[str, str] = {}
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        key = _OWN_WORDS.get(f"-{word.lstrip('-')}") if word.startswith("-") else None
        if key is None:
            rest.append(word)
            continue
        value = next(waiting, None)
        if not value:
            raise InputError(f"{word}: needs a value")
        own[key] = value
    return own, rest


def _chosen_image(text: str | None, files: Sequence[str]) -> int | None:
    if text is None:
        return None
    if len(files) != 1:
        raise InputError(f"-image {text}: chooses among the images of one file, and {len(files)} are given")
    if not text.isdecimal() or not 1 <= int(text) <= count(files[0]):
        raise InputError(f"-image {quote(text)}: allowed are 1 to {count(files[0])}, the images of {files[0]}")
    return int(text) - 1


def _dtype(text: str | None, ending: str, target: str, files: Sequence[str]) -> str:
    allowed = [dtype for dtype in _DTYPES[ending] if dtype is not None]
    if text is not None and text not in allowed:
        raise InputError(f"-dtype {quote(text)}: allowed for {target}: {', '.join(allowed) or 'none'}")
    if text is not None or None not in _DTYPES[ending]:
        return text or next(iter(allowed), "float32")
    return "int32" if all(kind_of(path) in ("smv", "cbf") for path in files) else "float32"


def _chosen(files: Sequence[str], options: Sequence[str], chosen: int | None) -> Iterator[Picture]:
    for path in files:
        for index, picture in enumerate(pictures(path, options)):
            if chosen is None or index == chosen:
                yield picture


def _write_h5(target: str, images: Iterator[Picture], number: int, dtype: str) -> None:
    from ..imagefiles.crystfel_xds import write_geometry_files
    from ..imagefiles.nexus import NexusWriter

    first = next(images)
    with NexusWriter(target, first.geometry, number, dtype) as file:
        picture, index = first, 0
        while True:
            _check_alike(picture, first, target)
            file.write(index, _pixels(picture, dtype, target), picture.geometry, picture.truth)
            following = next(images, None)
            if following is None:
                break
            picture, index = following, index + 1
    write_geometry_files(target, first.geometry, first.crystal, images=number, dtype=dtype)


def _check_alike(picture: Picture, first: Picture, target: str) -> None:
    """Refuse images of different detectors: readers take the geometry of the first for all."""

    def places(one: Picture) -> Array:
        # Images may come with laboratories of their own; the file has one frame.
        frame = to_mcstas(one.geometry.beam)
        return np.array(
            [
                frame @ panel.position(slow, fast)
                for panel in one.geometry.detector.panels
                for slow, fast in ((0, 0), (panel.n_slow, 0), (0, panel.n_fast))
            ]
        )

    if picture.pixels.shape != first.pixels.shape:
        ours, theirs = (" x ".join(map(str, one.pixels.shape[::-1])) for one in (picture, first))
        raise InputError(f"{picture.name}: has {ours} pixels, {first.name} {theirs}; one file holds images of one size")
    if np.max(np.abs(places(picture) - places(first))) > _SAME:
        raise InputError(
            f"{picture.name}: its detector stands elsewhere than that of {first.name}; {target} can hold one geometry"
        )


def _pixels(picture: Picture, dtype: str, target: str) -> NDArray[np.generic]:
    pixels, clipped = to_dtype(picture.pixels, dtype)
    if clipped:
        logger.warning(f"{target}: {clipped} pixels of {picture.name} beyond what {dtype} holds were clipped")
    return pixels


def _write_cbf(target: str, picture: Picture, output: Output) -> None:
    from ..imagefiles.cbf import write_cbf

    _one_panel(target, picture)
    counts = np.asarray(_pixels(picture, "int32", target), dtype=np.int32)
    write_cbf(target, counts, picture.geometry, picture.crystal, picture.truth)


def _write_smv(target: str, picture: Picture, output: Output) -> None:
    from ..imagefiles.headers import truth_lines
    from ..imagefiles.smv import header_style, smv_fields
    from ..io import smv

    _one_panel(target, picture)
    geometry = picture.geometry
    # Of another SMV image the offset was given or found when it was read.
    adc = output.adc if picture.pedestal is None else picture.pedestal
    scale = 1.0 if output.scale is None else output.scale
    style = header_style(Semantics.EXACT, output, geometry.detector, geometry.beam.direction)
    fields = smv_fields(geometry.detector, geometry.beam.wavelength, geometry.goniometer, adc)
    photons = np.asarray(picture.pixels, dtype=np.float32)
    beyond = int(np.count_nonzero(~((photons * scale + adc >= -0.5) & (photons * scale + adc < 65535.5))))
    if beyond:
        logger.warning(f"{target}: {beyond} pixels of {picture.name} beyond what uint16 holds were clipped")
    counts = smv.int_values(photons, scale, adc)
    smv.write(target, counts, smv.header(fields, style, truth_lines(geometry, picture.crystal, picture.truth)))


def _write_float(target: str, picture: Picture, output: Output) -> None:
    from ..io import floatfile

    floatfile.write(target, picture.pixels)


def _write_png(target: str, picture: Picture, output: Output) -> None:
    from ..io import png as preview

    preview.write_png(target, np.asarray(picture.pixels, dtype=np.float32).reshape(-1, picture.pixels.shape[-1]))


def _one_panel(target: str, picture: Picture) -> None:
    panels = len(picture.geometry.detector.panels)
    if panels > 1:
        raise InputError(f"-o {target}: holds one panel, the detector has {panels}; write an .h5 file")


_WRITERS: dict[str, Callable[[str, Picture, Output], None]] = {
    ".cbf": _write_cbf,
    ".img": _write_smv,
    ".bin": _write_float,
    ".png": _write_png,
}
