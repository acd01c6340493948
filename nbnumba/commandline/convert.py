"""`nbnumba convert`: images of one format as files of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import InputError
from ..imagefiles.load import count, format_of, read
from ..imagefiles.records import ImageRecord, SaveOptions
from ..imagefiles.registry import CBF, SMV, ImageFormat, by_ending
from ..imagefiles.save import write_images
from ..imagefiles.smv import style_of
from ..io.atomic import check_can_write, check_distinct
from ..parameters.choices import Semantics
from ..parameters.command import CommandLine
from ..parameters.parser import parse_with_files
from ..util.messages import logger
from ..util.text import is_whole, quote
from .effects import without_effect_on_copy
from .own_options import take_own_options

_OWN_WORDS = {"-o": "-o", "-output": "-o", "-dtype": "-dtype", "-image": "-image"}


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
    own, rest = take_own_options(words, _OWN_WORDS)
    command, files = parse_with_files(rest)
    for line in command.notices:
        logger.warning(line)
    if not files:
        raise InputError("convert: needs an image to read")
    target = own.get("-o")
    if target is None:
        raise InputError("convert: needs -o FILE, the file to write")
    form = by_ending(target, "-o")
    check_distinct([("-o", target)], [("convert", path) for path in files])
    check_can_write("-o", target)
    kinds = [format_of(path) for path in files]
    idle = without_effect_on_copy(command, form, kinds)
    if idle:
        logger.warning(f"convert: without effect here: {', '.join(idle)}")
    chosen = _chosen_image(own.get("-image"), files)
    dtype = _dtype(own.get("-dtype"), form, target, kinds)
    output = command.output
    written = SaveOptions(
        option="-o",
        dtype=dtype,
        adc=output.adc,
        scale=1.0 if output.scale is None else output.scale,
        smv_header=output.smv_header or style_of(Semantics.EXACT),
        rings=output.rings,
        annotate=output.annotate,
    )
    number = 1 if chosen is not None else sum(map(count, files))
    geometry = form.geometry or output.rings or output.annotate
    write_images(form, target, _chosen(files, command, chosen, geometry), number, written)


def _chosen_image(text: str | None, files: Sequence[str]) -> int | None:
    if text is None:
        return None
    if len(files) != 1:
        raise InputError(f"-image {text}: chooses among the images of one file, and {len(files)} are given")
    if not is_whole(text, 1, count(files[0])):
        raise InputError(f"-image {quote(text)}: allowed are 1 to {count(files[0])}, the images of {files[0]}")
    return int(text) - 1


def _dtype(text: str | None, form: ImageFormat, target: str, kinds: Sequence[ImageFormat]) -> str:
    if text is not None and text not in form.dtypes:
        raise InputError(f"-dtype {quote(text)}: allowed for {target}: {', '.join(form.dtypes) or 'none'}")
    if text is None and "dtype" in form.options and all(kind in (SMV, CBF) for kind in kinds):
        return "int32"
    return text or next(iter(form.dtypes), "float32")


def _chosen(files: Sequence[str], command: CommandLine, chosen: int | None, geometry: bool) -> Iterator[ImageRecord]:
    for path in files:
        for index, image in enumerate(read(path, command, geometry)):
            if chosen is None or index == chosen:
                yield image
