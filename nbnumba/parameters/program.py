"""Parameters of output, noise and compute options, and those without effect."""

from __future__ import annotations

from .choices import Semantics
from .types import ANY, AT_LEAST_ONE, FROM_ZERO, INTEGER, Unit, Unset, choice, flag, ignored, number, output_file, whole

OUTPUT = (
    output_file(
        "-floatfile",
        "raw image, 4-byte floats",
        "FILE",
        ("float_file",),
        names=("-floatfile", "-floatimage"),
        default="floatimage.bin",
    ),
    output_file(
        "-intfile",
        "scaled image without noise, SMV",
        "FILE",
        ("int_file",),
        names=("-intfile", "-intimage"),
        default="intimage.img",
    ),
    number(
        "-scale",
        "factor of that image; 0 or less: automatic",
        "X",
        ("scale",),
        unset=Unset.NOT_POSITIVE,
        strict=ANY,  # 0 and below are described
        default="55000/max",
    ),
    number("-adc", "offset added to its pixels and to those of the noise image", "X", ("adc",), default="40"),
    output_file(
        "-pgmfile",
        "8-bit picture",
        "FILE",
        ("pgm_name",),
        sets={"write_pgm": True},
        names=("-pgmfile", "-pgmimage"),
        default="image.pgm",
    ),
    number(
        "-pgmscale",
        "factor of that picture; 0 or less: automatic",
        "X",
        ("pgm_scale",),
        unset=Unset.NOT_POSITIVE,
        strict=ANY,  # 0 and below are described
        sets={"write_pgm": True},
        default="250/(5 rmsd)",
    ),
    flag("-nopgm", "do not write it", sets={"write_pgm": False}),
    output_file("-pngfile", "picture for the eye", "FILE", ("png_file",), own=True, default="not written"),
    flag("-rings", "resolution rings in that picture", own=True, sets={"rings": True}),
    output_file(
        "-h5file",
        "NXmx HDF5: photons as float32, geometry and ground truth; beside it a CrystFEL .geom and an XDS.INP",
        "FILE",
        ("h5_file",),
        own=True,
        default="not written",
    ),
    output_file(
        "-cbffile",
        "mini-CBF: the noise image, or with -nonoise rounded photons",
        "FILE",
        ("cbf_file",),
        own=True,
        default="not written",
    ),
    choice(
        "-smv_header",
        "whose beam center the SMV headers state",
        "c|dials|adxv",
        ("smv_header",),
        choices=("c", "dials", "adxv"),
        default="c; with -semantics exact dials",
    ),
    whole(
        "-trace_pixel",
        "print every quantity that goes into a pixel: slow, fast",
        "SLOW FAST",
        ("trace_pixel",),
        allowed=INTEGER,
        own=True,
    ),
    output_file(
        "-tracefile",
        "the same with every sub-pixel, source, phi step and domain, JSON",
        "FILE",
        ("trace_file",),
        own=True,
    ),
    flag("-progress", "show progress (default)", sets={"progress": True}),
    flag("-noprogress", "do not", sets={"progress": False}),
    flag("-quiet", "neither report nor progress; notices and errors only", own=True, sets={"quiet": True}),
)

NOISE = (
    output_file(
        "-noisefile",
        "image with photon noise, SMV",
        "FILE",
        ("noise_file",),
        names=("-noisefile", "-noiseimage"),
        default="noiseimage.img",
    ),
    flag("-nonoise", "do not write it", sets={"noise_file": None}),
    whole("-seed", "seed of the noise", "N", ("seed",), allowed=INTEGER, default="the time"),
    choice(
        "-noise_rng",
        "random numbers of nanoBragg, or counted by pixel: the same on all processors and GPUs",
        "c|counter",
        ("noise_rng",),
        choices=("c", "counter"),
        default="c",
    ),
)

ENGINE = (
    choice(
        "-semantics",
        "the picture that nanoBragg draws, or the one without its defects",
        "c|exact",
        ("semantics",),
        choices=("c", "exact"),
        default="c",
        unit=Unit("", Semantics),
    ),
    choice(
        "-backend",
        "what does the arithmetic",
        "auto|cpu|cuda",
        ("backend",),
        choices=("auto", "cpu", "cuda"),
        default="auto",
    ),
    whole(
        "-threads", "threads of the processor", "N", ("threads",), allowed=AT_LEAST_ONE, own=True, default="all cores"
    ),
    choice(
        "-precision",
        "of a GPU: float64, or float32 where that is enough",
        "auto|double|mixed",
        ("precision",),
        choices=("auto", "double", "mixed"),
        default="auto: by the GPU's float64 rate",
    ),
    whole(
        "-device",
        "number of the GPU, among those that CUDA_VISIBLE_DEVICES leaves",
        "N",
        ("device",),
        allowed=FROM_ZERO,
        own=True,
        default="0",
    ),
)

HELP = (
    flag("-help", "show this text", own=True, whole=("-h",)),
    flag("-version", "show the version", own=True),
)

_TRACE = "-trace_pixel SLOW FAST shows what goes into a pixel"

NO_EFFECT = (
    flag("-coherent", "nanoBragg takes these and does nothing with them"),
    ignored("-stol", "structure factors of a solvent", "FILE", names=(), whole=("-stol",)),
    ignored("-4stol", "the same", "FILE", names=(), whole=("-4stol",)),
    ignored("-Q", "the same", "FILE", names=(), whole=("-Q",)),
    ignored("-stolout", "where to write them", "FILE"),
    ignored("-density", "density of the sample", "X", names=("-density", "-sample_den")),
    ignored("-MW", "molecular weight", "X", names=("-molec",), whole=("-MW",)),
    ignored("-hdiv", "-hdivrange, -hdivstep and -hdivsteps work", "X", names=(), whole=("-hdiv",)),
    ignored("-vdiv", "-vdivrange, -vdivstep and -vdivsteps work", "X", names=(), whole=("-vdiv",)),
    ignored("-dispstep", "-dispsteps works", "X", names=(), whole=("-dispstep",)),
    flag("-printout", "-trace_pixel shows a pixel", instead=_TRACE),
    ignored("-printout_pixel", "the same", "F S", instead=_TRACE),
)
