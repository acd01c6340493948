"""Which options have an effect on files that are made from other files: of `nbnumba convert` and `nbnumba noise`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..experiment.required import has_crystal
from ..imagefiles.registry import CBF, NXMX, PNG, SMV, ImageFormat
from ..parameters.command import CommandLine
from ..parameters.table import NANOBRAGG, stated_by

_HEADER = {"geometry", "wavelength", "rotation"}
_DESCRIPTION = {"crystal", "fluence"}
# What the files of a format state besides the pixels.
_STATED: dict[str, set[str]] = {
    SMV.name: {*_HEADER, "offset", "scale", "header"},
    CBF.name: {*_HEADER, *_DESCRIPTION, "exposure", "flux", "polarization", "sensor"},
    NXMX.name: {
        *_HEADER,
        *_DESCRIPTION,
        *("exposure", "flux", "polarization", "sensor", "spectrum", "beam size"),
    },
}


def without_effect_on_copy(command: CommandLine, form: ImageFormat, sources: Sequence[ImageFormat]) -> list[str]:
    """Return the options that were typed and change nothing of images in another format.

    Parameters
    ----------
    command : CommandLine
    form : ImageFormat
        Of the file that is written.
    sources : sequence of ImageFormat
        Of those that are read.
    """
    stated = {"talk", *_stated(command, form, "dials")}
    if form is PNG:
        drawn = command.output.rings or command.output.annotate
        stated |= {"rings", "geometry", "wavelength"} if drawn else {"rings"}
    if any(source is not NXMX for source in sources):
        stated.add("size")
    else:  # its geometry and its crystal stand
        stated -= {"size", *_HEADER, *_DESCRIPTION, "spectrum"}
    if SMV in sources:
        stated.add("offset")
    return _idle(command, stated)


def without_effect_on_noise(command: CommandLine) -> list[str]:
    """Return the options that were typed and change nothing of noise images."""
    output = command.output
    # The header of the noise image states no more than C's, and noise is not scaled.
    stated = {"talk", "size", "region", "noise", *_stated(command, SMV, None)} - {"scale", *_DESCRIPTION}
    files = {"-noisefile", "-nonoise"}
    if output.noise_rng == "counter":
        stated.add("compute")
    for option, path, form in (("-h5file", output.h5_file, NXMX), ("-cbffile", output.cbf_file, CBF)):
        if path is not None:
            files.add(option)
            stated |= _stated(command, form, None)
    return [key for key in _idle(command, stated) if key not in files]


def _stated(command: CommandLine, form: ImageFormat, style: str | None) -> set[str]:
    """Return what a file states of what options may tell."""
    stated = set(_STATED.get(form.name, ()))
    if form is SMV and (command.output.smv_header or style) != "c":
        stated |= _DESCRIPTION
    if not has_crystal(command.settings):
        stated -= _DESCRIPTION
    return stated


def _idle(command: CommandLine, stated: Collection[str]) -> list[str]:
    # Options that never have an effect were reported by the parser.
    return [key for key in command.used if key not in NANOBRAGG.without_effect and not set(facts(key)) & set(stated)]


def facts(key: str) -> tuple[str, ...]:
    """Return what an option states that a file made from another may hold."""
    return stated_by(NANOBRAGG.by_key[key].parameter)
