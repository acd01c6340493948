"""Which options have an effect on files that are made from other files: of `nbnumba convert` and `nbnumba noise`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..experiment.required import has_crystal
from ..imagefiles.registry import CBF, NXMX, SMV, ImageFormat
from ..parameters.command import CommandLine
from ..parameters.table import NANOBRAGG

# What an option states, by the group that it is listed in.
_OF_GROUP = {
    "Crystal": ("crystal",),
    "Detector: size and place": ("geometry",),
    "Conventions and axes": ("geometry",),
    "Goniometer": ("rotation",),
}
# And where it is another thing than the rest of its group; an empty tuple: nothing that a file states.
_OF_OPTION: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("-fudge", "-Nd", "-Ne", "-Nf", "-spread", "-phi_sampling"), ()),
    "-expt": ("size", "geometry", "wavelength", "rotation", "polarization", "crystal"),
    "-img": ("size", "geometry", "wavelength", "rotation"),
    "-mask": ("size", "geometry", "wavelength", "rotation"),
    **dict.fromkeys(("-detsize", "-detsize_f", "-detsize_s", "-pixel"), ("size", "geometry")),
    **dict.fromkeys(("-detpixels", "-detpixels_f", "-detpixels_s"), ("size", "geometry")),
    **dict.fromkeys(("-lambda", "-energy"), ("wavelength",)),
    **dict.fromkeys(("-polar", "-nopolar"), ("polarization",)),
    "-detector": ("size", "geometry", "sensor"),
    "-fluence": ("fluence",),
    "-flux": ("flux", "fluence"),
    "-exposure": ("exposure", "fluence"),
    "-beamsize": ("beam size", "fluence", "crystal"),
    **dict.fromkeys(("-dispersion", "-dispsteps", "-sourcefile"), ("spectrum",)),
    **dict.fromkeys(("-spectrum", "-spectrum_file", "-spectrum_shift"), ("spectrum", "wavelength")),
    **dict.fromkeys(("-spectrum_shot", "-spectrum_seed"), ("spectrum", "wavelength")),
    **dict.fromkeys(("-detector_abs", "-detector_thick", "-detector_thicksteps"), ("sensor",)),
    "-roi": ("region",),
    "-adc": ("offset",),
    "-scale": ("scale",),
    "-smv_header": ("header",),
    "-seed": ("noise",),
    "-noise_rng": ("noise",),
    "-semantics": ("geometry",),
    # These are about what the program says, not about files.
    **dict.fromkeys(("-quiet", "-progress", "-noprogress", "-help", "-version"), ("talk",)),
}
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


def facts(key: str) -> tuple[str, ...]:
    """Return what an option states that a file made from another may hold."""
    if key in _OF_OPTION:
        return _OF_OPTION[key]
    group = next(name for name, options in NANOBRAGG.groups.items() if any(option.key == key for option in options))
    return _OF_GROUP.get(group, ())


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
        files |= {"-threads", "-backend", "-device"}
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
