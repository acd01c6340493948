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
        one_panel=True,
        square_pixels=True,
    ),
    number(
        "-scale",
        "factor of that image; 0 or less: automatic",
        "X",
        ("scale",),
        unset=Unset.NOT_POSITIVE,
        strict=ANY,  # 0 and below are described
        default="55000/max",
        states=("scale",),
    ),
    number(
        "-adc",
        "offset added to its pixels and to those of the noise image",
        "X",
        ("adc",),
        default="40",
        states=("offset",),
        in_batch="the images hold photons without an offset",
    ),
    output_file(
        "-pgmfile",
        "8-bit picture",
        "FILE",
        ("pgm_name",),
        sets={"write_pgm": True},
        names=("-pgmfile", "-pgmimage"),
        default="image.pgm",
        one_panel=True,
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
    flag("-rings", "resolution rings in that picture", own=True, sets={"rings": True}, states=("rings",)),
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
        one_panel=True,
        square_pixels=True,
    ),
    choice(
        "-smv_header",
        "whose beam center the SMV headers state",
        "c|dials|adxv",
        ("smv_header",),
        choices=("c", "dials", "adxv"),
        default="c; with -semantics exact dials",
        states=("header",),
    ),
    whole(
        "-trace_pixel",
        "print every quantity that goes into a pixel: slow, fast",
        "SLOW FAST",
        ("trace_pixel",),
        allowed=INTEGER,
        own=True,
        one_panel=True,
        in_batch="only a single image can be traced",
    ),
    output_file(
        "-tracefile",
        "the same with every sub-pixel, source, phi step and domain, JSON",
        "FILE",
        ("trace_file",),
        own=True,
    ),
    flag("-progress", "show progress (default)", sets={"progress": True}, states=("talk",)),
    flag("-noprogress", "do not", sets={"progress": False}, states=("talk",)),
    flag(
        "-quiet",
        "neither report nor progress; notices and errors only",
        own=True,
        sets={"quiet": True},
        states=("talk",),
    ),
)

NOISE = (
    output_file(
        "-noisefile",
        "image with photon noise, SMV",
        "FILE",
        ("noise_file",),
        names=("-noisefile", "-noiseimage"),
        default="noiseimage.img",
        one_panel=True,
        square_pixels=True,
        in_batch="noise = true in the SPEC takes its place",
    ),
    flag(
        "-nonoise", "do not write it", sets={"noise_file": None}, in_batch="noise = false in the SPEC takes its place"
    ),
    whole(
        "-seed",
        "seed of the noise",
        "N",
        ("seed",),
        allowed=INTEGER,
        default="the time",
        states=("noise",),
        in_batch="the key seed of the SPEC takes its place",
    ),
    choice(
        "-noise_rng",
        "random numbers of nanoBragg, or counted by pixel: the same on all processors and GPUs",
        "c|counter",
        ("noise_rng",),
        choices=("c", "counter"),
        default="c",
        states=("noise",),
        in_batch="the key noise_rng of the SPEC takes its place",
    ),
)

ENGINE = (
    choice(
        "-semantics",
        "the image that nanoBragg draws, or the one without its defects",
        "c|exact",
        ("semantics",),
        choices=("c", "exact"),
        default="c",
        unit=Unit("", Semantics),
        states=("geometry",),
        in_batch="the key semantics of the SPEC takes its place",
    ),
    choice(
        "-backend",
        "what does the arithmetic",
        "auto|cpu|cuda",
        ("backend",),
        choices=("auto", "cpu", "cuda"),
        default="auto",
        in_batch="the key backend of the SPEC takes its place",
        states=("compute",),
    ),
    whole(
        "-threads",
        "threads of the processor",
        "N",
        ("threads",),
        allowed=AT_LEAST_ONE,
        own=True,
        default="all cores",
        in_batch="the option --threads of nbnumba batch takes its place",
        states=("compute",),
    ),
    choice(
        "-precision",
        "of a GPU: float64, or float32 where that is enough",
        "auto|double|mixed",
        ("precision",),
        choices=("auto", "double", "mixed"),
        default="auto: by the GPU's float64 rate",
        in_batch="the key precision of the SPEC takes its place",
    ),
    whole(
        "-device",
        "number of the GPU, among those that CUDA_VISIBLE_DEVICES leaves",
        "N",
        ("device",),
        allowed=FROM_ZERO,
        own=True,
        default="0",
        in_batch="every worker gets a GPU of its own",
        states=("compute",),
    ),
)

HELP = (
    flag("-help", "show this text", own=True, whole=("-h",), states=("talk",)),
    flag("-version", "show the version", own=True, states=("talk",)),
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
