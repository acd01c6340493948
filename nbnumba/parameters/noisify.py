"""The command line of noisify: its options, over the parameters of the table where they say the same."""

from __future__ import annotations

from .dialect import Dialect, inside_words
from .table import like, same
from .types import Range, Role, input_file, number, whole

_FACTOR = Range("from -1e30 to 1e30", low=-1e30, high=1e30)
_SPREAD = Range("from 0 to 1000", low=0.0, high=1e3)
_SIZE = Range("from 1e-6 to 1e9", low=1e-6, high=1e9)
_PIXELS = Range("from 1 to 65536", low=1, high=65536)
_SEED = Range("from -2^63 to 2^63", low=-(2**63), high=2**63)

_FILES = (
    same("-floatfile", "float_file", "raw float32 image", names=("-floatfile", "-floatimage", "-bin"), role=Role.INPUT),
    input_file("-header", "SMV image whose header is copied and gives the size", "FILE"),
    same("-intfile", "int_file", "noiseless image to write", names=("-intfile", "-intimage")),
    same("-pgmfile", "pgm_name", "gray image to write", names=("-pgmfile", "-pgmimage")),
    same("-noisefile", "noise_file", "image with noise to write", names=("-noisefile", "-noiseimage")),
    same("-nonoise", "nonoise", "write the noiseless image alone"),
    same("-nopgm", "nopgm", "write no gray image"),
    same("-good_pixels", "good_pixels_file", "mask to write: 1 where a pixel works and is not hidden (exact)",
         whole=True),
    whole("-bits", "16 or 32", "N", allowed=Range("16 or 32", low=16, high=32), default="16"),
    same("-semantics", "semantics", whole=True),
)  # fmt: skip
_DETECTOR = (
    same("-detector", "detector_preset", "a detector by name: its size, gaps, bits, saturation and noise; options"
         " given beside it win (exact)", whole=True),
    same("-beamstop", "beamstop_mm", "radius of a disc around the beam that is not read (exact)", whole=True),
)  # fmt: skip
_NOISE = (
    number("-scale", "photons per unit of the float image", "X", allowed=_FACTOR, default="1"),
    same("-fluence", "fluence", "photons/m^2 of the float image", default="1/r_e^2: it holds photons"),
    like("-gain", "gain", "ADU per photon", allowed=_FACTOR),
    same("-adc", "adc", "offset in ADU", allowed=_FACTOR),
    same("-readout", "readout_noise", "readout noise in ADU", names=("-readout", "-readnoi")),
    same("-flicker", "flicker", "flicker of the source, a fraction", allowed=_SPREAD),
    same("-flicker_pixels", "flicker_pixels", "flicker of every pixel by itself, a fraction (exact)", whole=True,
         allowed=_SPREAD),
    same("-calibration", "calibration", "error of the pixels' sensitivity", allowed=_SPREAD, default="0.03"),
    same("-seed", "seed", "of all noise but the calibration", allowed=_SEED),
    same("-calib_seed", "calib_seed", "of the calibration", allowed=_SEED),
    same("-dead_time", "dead_time_ns", "dead time of a paralyzable counter in ns (exact)", whole=True),
    same("-rate_limit", "rate_limit", "photons/s of a pixel from which on it is an overload (exact)", whole=True),
    same("-exposure", "exposure_s", "s, for these two (exact)", whole=True),
    same("-dark_current", "dark_current", "mean dark current in ADU (exact)", whole=True),
    same("-saturation", "saturation", "largest number (exact)", whole=True, allowed=Range("of at least 1", low=1,
         high=2**31 - 1)),
    same("-dead_pixels", "dead_pixels", "how many (exact)", whole=True),
    same("-hot_pixels", "hot_pixels", "how many (exact)", whole=True),
    whole("-noise_image", "number of the image in a series (exact)", "N", allowed=Range("of at least 0", low=0,
          high=2**63), names=(), whole=("-noise_image",), default="0"),
)  # fmt: skip
_POINT_SPREAD = (
    same("-psf", "psf", "gauss or fiber; in exact moffat:EXPONENT, charge:THRESHOLD and file too", whole=True),
    number("-psf_rad", "radius of the kernel in pixels", "N", allowed=Range("from -1e9 to 1e9", low=-1e9, high=1e9),
           default="0: automatic"),
    same("-psf_fwhm", "psf_fwhm_um", "its width", names=("-psf_si", "-psf_fw", "-psf_wi"),
         allowed=Range("from 0 to 1e9", low=0.0, high=1e9)),
    same("-psf_file", "psf_file", "kernel for -psf file (exact)", whole=True),
    same("-psf_stage", "psf_stage", "what is spread (exact)", whole=True),
)  # fmt: skip
_HEADER = (
    like("-detpixels", "detpixels", allowed=_PIXELS, whole=True),
    like("-detpixels_x", "pixels_fast", allowed=_PIXELS, names=("-detpixels_x", "-detpixels_f")),
    like("-detpixels_y", "pixels_slow", allowed=_PIXELS, names=("-detpixels_y", "-detpixels_s")),
    like("-pixel", "pixel_mm", allowed=Range("from 1e-9 to 1e6", low=1e-9, high=1e6)),
    like("-distance", "distance_mm", "for the header", allowed=_FACTOR),
    like("-detsize", "detsize", "without effect, as in noisify", allowed=_SIZE, whole=True),
    like("-detsize_x", "detsize_f", "without effect, as in noisify", allowed=_SIZE),
    like("-detsize_y", "detsize_s", "without effect, as in noisify", allowed=_SIZE),
    like("-lambda", "wavelength_A", "for the header", allowed=_FACTOR),
    like("-Xbeam", "Xbeam_mm", "for the header, and of -beamstop", allowed=_FACTOR),
    like("-Ybeam", "Ybeam_mm", "for the header, and of -beamstop", allowed=_FACTOR),
    like("-phi", "phi_deg", "for the header"),
    like("-osc", "osc_deg", "for the header", default="1"),
)
_NO_EFFECT = (
    whole("-badpix_seed", "noisify takes these and does nothing with them", "N", allowed=_SEED),
    whole("-hotpix_seed", "the same", "N", allowed=_SEED),
)

EXACT_ONLY = (
    "psf_file", "psf_stage", "dead_time_ns", "rate_limit", "exposure_s", "dark_current", "saturation", "dead_pixels",
    "hot_pixels", "flicker_pixels", "noise_image", "detector_preset", "beamstop_mm", "good_pixels_file",
)  # fmt: skip

NOISIFY = Dialect(
    {
        "Files": _FILES,
        "Detector": _DETECTOR,
        "Noise": _NOISE,
        "Point spread": _POINT_SPREAD,
        "Header": _HEADER,
        "Without effect": _NO_EFFECT,
    },
    inside_words,
    program="noisify",
    ignored=_NO_EFFECT,
    defaults={"calibration": 0.03},
)
