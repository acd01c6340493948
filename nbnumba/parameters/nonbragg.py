"""The command line of nonBragg: its options, over the parameters of the table where they say the same."""

from __future__ import annotations

import math

from .detector import CURVED, POINT_PIXEL
from .dialect import Dialect, inside_words
from .exposure import POLARIZED, ROUND_DIVERGENCE
from .table import like, same
from .types import Kind, Option, Parameter, Range, flag, ignored, input_file, number, output_file, spelling

_SIZE = Range("from 1e-12 to 1e12", low=1e-12, high=1e12)
_PLACE = Range("from -1e9 to 1e9", low=-1e9, high=1e9)
_ANGLE = Range("from -360 to 360", low=-360.0, high=360.0)
_PIXELS = Range("from 1 to 65536", low=1, high=65536)
_SEED = Range("from -2^63 to 2^63", low=-(2**63), high=2**63)
_FACTOR = Range("from -1e30 to 1e30", low=-1e30, high=1e30)

MOLAR_MASS = Parameter("molar_mass", "molar mass, g/mol", Kind.NUMBER, allowed=_SIZE, default="18")

_TABLES = (
    input_file("-stol", "table of sin(theta)/lambda (1/A) and F", "FILE", names=(), whole=("-stol",)),
    input_file("-4stol", "table of 4 sin(theta)/lambda and F", "FILE", names=(), whole=("-4stol",)),
    input_file("-Q", "table of 4 pi sin(theta)/lambda and F", "FILE", names=(), whole=("-Q",)),
)
_SAMPLE = (
    number("-samplesize", "edge of the sample, mm", "D", allowed=_SIZE, names=("-samplesize", "-sample_size"),
           default="0.1"),
    number("-sample_x", "thickness along the beam, mm", "D", allowed=_SIZE,
           names=("-sample_thick", "-sample_x", "-thick")),
    number("-sample_y", "width, mm; at most that of the beam", "D", allowed=_SIZE,
           names=("-sample_width", "-sample_y", "-width")),
    number("-sample_z", "height, mm; at most that of the beam", "D", allowed=_SIZE,
           names=("-sample_heigh", "-sample_z", "-heigh")),
    number("-density", "g/cm3", "X", allowed=_SIZE, names=("-density", "-sample_den"), default="1"),
    number("-molecules", "in the beam, in place of the density", "N",
           allowed=Range("from 0 to 1e40", low=0.0, high=1e40), names=("-molecules", "-sample_molecules")),
    Option("-MW", MOLAR_MASS, "X", names=(), whole=("-MW",)),
    Option("-molecular", MOLAR_MASS, "X"),
)  # fmt: skip
_DETECTOR = (
    like("-Xbeam", "Xbeam_mm", "beam center along fast from the corner", allowed=_PLACE),
    like("-Ybeam", "Ybeam_mm", "beam center along slow from the corner", allowed=_PLACE),
    like("-Xclose", "Xclose_mm", "foot of the perpendicular along fast", allowed=_PLACE),
    like("-Yclose", "Yclose_mm", "foot of the perpendicular along slow", allowed=_PLACE),
    like("-ORGX", "ORGX", "the same in pixels", allowed=_PLACE),
    like("-ORGY", "ORGY", "the same in pixels", allowed=_PLACE),
    like("-pivot", "pivot"),
    *(
        like(f"-{name}", name, default="")
        for name in (
            *("fdet_vector", "sdet_vector", "odet_vector", "beam_vector", "polar_vector", "spindle_axis"),
            *("twotheta_axis", "pix0_vector"),
        )
    ),
    like("-distance", "distance_mm", allowed=_PLACE),
    like("-close_distance", "close_distance_mm", allowed=_PLACE),
    number("-source_distance", "without effect: sources stand far away", "D", allowed=_SIZE),
    like("-twotheta", "twotheta_deg", allowed=_ANGLE, whole=True),
    *(like(f"-detector_rot{axis}", f"detector_rot{axis}", allowed=_ANGLE) for axis in "xyz"),
    like("-detsize", "detsize", allowed=_SIZE, whole=True),
    like("-detsize_x", "detsize_f", allowed=_SIZE),
    like("-detsize_y", "detsize_s", allowed=_SIZE),
    like("-detpixels", "detpixels", allowed=_PIXELS, whole=True),
    like("-detpixels_f", "pixels_fast", allowed=_PIXELS, names=("-detpixels_f", "-detpixels_x")),
    like("-detpixels_s", "pixels_slow", allowed=_PIXELS, names=("-detpixels_s", "-detpixels_y")),
    like("-pixel", "pixel_mm", allowed=_SIZE),
)
_BEAM = (
    same("-lambda", "wavelength_A", names=("-lambda", "-wave")),
    same("-energy", "energy_ev"),
    same("-beamsize", "beamsize_mm", allowed=_SIZE),
    same("-polar", "polarization", whole=True),
    spelling("-nopolar", POLARIZED, False, "no polarization correction"),
    same("-fluence", "fluence"),
    same("-flux", "flux"),
    same("-exposure", "exposure_s"),
    same("-dispersion", "dispersion_percent"),
    same("-dispsteps", "dispsteps"),
    same("-divergence", "divergence"),
    same("-hdivrange", "hdivrange_mrad"),
    same("-vdivrange", "vdivrange_mrad"),
    same("-divsteps", "divsteps"),
    same("-hdivsteps", "hdivsteps"),
    same("-vdivsteps", "vdivsteps"),
    same("-hdivstep", "hdivstep_mrad", whole=True),
    same("-vdivstep", "vdivstep_mrad", whole=True),
    spelling("-round_div", ROUND_DIVERGENCE, True, "round off the corners of the divergence grid (default)"),
    spelling("-square_div", ROUND_DIVERGENCE, False, "keep the corners"),
    same("-sourcefile", "sources"),
)
_IMAGE = (
    flag("-Fmap", "write F in place of photons"),
    same("-oversample", "oversample", default="1"),
    same("-roi", "roi"),
    spelling("-point_pixel", POINT_PIXEL, True),
    spelling("-curved_det", CURVED, True),
    like("-phi", "phi_deg", "for the header", whole=True),
    like("-osc", "osc_deg", "for the header"),
    same("-semantics", "semantics", whole=True),
)
_FILES = (
    input_file("-img", "SMV image to work F out of; its header gives what is not typed", "FILE"),
    number("-ignore", "value of pixels that do not count", "N", allowed=Range("from 0 to 65535", low=0, high=65535)),
    output_file("-stolout", "table to write of F in the image that -img names", "FILE"),
    like("-gain", "gain", "of the image that -img names", allowed=_SIZE),
    same("-adc", "adc", allowed=_PLACE),
    same("-floatfile", "float_file", names=("-floatfile", "-floatimage")),
    same("-intfile", "int_file", names=("-intfile", "-intimage")),
    same("-scale", "scale", allowed=_FACTOR),
    same("-pgmfile", "pgm_name", names=("-pgmfile", "-pgmimage")),
    same("-pgmscale", "pgm_scale", allowed=_FACTOR),
    same("-nopgm", "nopgm"),
    same("-noisefile", "noise_file", names=("-noisefile", "-noiseimage")),
    same("-nonoise", "nonoise"),
    same("-seed", "seed", allowed=_SEED),
)
_NO_EFFECT = (
    flag("-coherent", "nonBragg takes these and does nothing with them"),
    *(flag(key, "the same") for key in ("-noreject", "-progress", "-noprogress")),
    flag("-printout", "the same", names=(), whole=("-printout",)),
    ignored("-printout_pixel", "the same", "F S"),
    ignored("-phisteps", "the same", "N"),
    ignored("-phistep", "the same", "A", names=(), whole=("-phistep",)),
    # Its usage names these.
    *(ignored(key, "the same", "X") for key in ("-dispstep", "-detector_thick", "-detector_abs", "-hdiv", "-vdiv")),
)

# A crystal that is never drawn, so that geometry and beam are those of an experiment.
_CRYSTAL = {
    "cell_given": True,
    "cell_lengths_A": (10.0, 10.0, 10.0),
    "cell_angles": (math.pi / 2, math.pi / 2, math.pi / 2),
    "default_F": 1.0,
    "dump_file": None,
}

NONBRAGG = Dialect(
    {
        "Table": _TABLES,
        "Sample": _SAMPLE,
        "Detector": _DETECTOR,
        "Beam": _BEAM,
        "Image": _IMAGE,
        "Files": _FILES,
        "Without effect": _NO_EFFECT,
    },
    inside_words,
    program="nonBragg",
    ignored=_NO_EFFECT,
    defaults={**_CRYSTAL, "oversample": 1},
)
