"""Options of `nbnumba noisify`."""

from __future__ import annotations

from .c_words import Word

_BIG = 1e30

WORDS = [
    Word("float_file", ("-floatfile", "-floatimage", "-bin"), kind=str, help="raw float32 image"),
    Word("header_file", ("-header",), kind=str, help="SMV image whose header is copied and gives the size"),
    Word("int_file", ("-intfile", "-intimage"), kind=str, help="noiseless image to write (intimage.img)"),
    Word("pgm_file", ("-pgmfile", "-pgmimage"), kind=str, help="gray image to write (image.pgm)"),
    Word("noise_file", ("-noisefile", "-noiseimage"), kind=str, help="image with noise to write (noiseimage.img)"),
    Word("pixels", ("-detpixels",), kind=int, whole=True, least=1, most=65536, help="pixels along both edges"),
    Word("n_fast", ("-detpixels_x", "-detpixels_f"), kind=int, least=1, most=65536, help="pixels along fast"),
    Word("n_slow", ("-detpixels_y", "-detpixels_s"), kind=int, least=1, most=65536, help="pixels along slow"),
    Word("scale", ("-scale",), least=-_BIG, most=_BIG, help="photons per unit of the float image (1)"),
    Word("fluence", ("-fluence",), least=0.0, most=1e40, help="photons/m^2 (1/r_e^2: the image holds photons)"),
    Word("gain", ("-gain",), least=-_BIG, most=_BIG, help="ADU per photon (1)"),
    Word("adc", ("-adc",), least=-_BIG, most=_BIG, help="offset in ADU (40)"),
    Word("readout", ("-readout", "-readnoi"), least=0.0, most=_BIG, help="readout noise in ADU (0)"),
    Word("flicker", ("-flicker",), least=0.0, most=1e3, help="flicker of the source, a fraction (0)"),
    Word("calibration", ("-calibration",), least=0.0, most=1e3, help="error of the pixels' sensitivity (0.03)"),
    Word("seed", ("-seed",), kind=int, least=-(2.0**63), most=2.0**63, help="of all noise but the calibration (time)"),
    Word("calibration_seed", ("-calib_seed",), kind=int, least=-(2.0**63), most=2.0**63, help="of the calibration"),
    Word("bits", ("-bits",), kind=int, least=16, most=32, help="16 or 32 (16)"),
    Word("noiseless", ("-nonoise",), 0, help="write the noiseless image alone"),
    Word("no_pgm", ("-nopgm",), 0, help="write no gray image"),
    Word("psf", ("-psf",), kind=str, whole=True, help="gauss or fiber; in exact moffat:EXPONENT and file too"),
    Word("psf_radius", ("-psf_rad",), least=-1e9, most=1e9, help="radius of the kernel in pixels (0: automatic)"),
    Word("psf_fwhm", ("-psf_si", "-psf_fw", "-psf_wi"), least=0.0, most=1e9, help="width in micrometers (46)"),
    Word("psf_file", ("-psf_file",), kind=str, whole=True, help="kernel for -psf file (exact)"),
    Word("pixel", ("-pixel",), least=1e-9, most=1e6, help="pixel size in mm (0.1)"),
    Word("distance", ("-distance",), help="for the header, mm"),
    Word("size", ("-detsize",), whole=True, least=1e-6, most=1e9, help="of the detector, mm"),
    Word("size_x", ("-detsize_x",), least=1e-6, most=1e9),
    Word("size_y", ("-detsize_y",), least=1e-6, most=1e9),
    Word("wavelength", ("-lambda",), help="for the header, Å"),
    Word("Xbeam", ("-Xbeam",), help="for the header, mm"),
    Word("Ybeam", ("-Ybeam",), help="for the header, mm"),
    Word("phi", ("-phi",), help="for the header, deg"),
    Word("osc", ("-osc",), help="for the header, deg"),
    Word("unused_seed", ("-badpix_seed", "-hotpix_seed"), kind=int, least=-(2.0**63), most=2.0**63),
    Word("semantics", ("-semantics",), kind=str, whole=True, help="c (default) or exact"),
    Word("dark", ("-dark_current",), whole=True, least=0.0, most=1e9, help="mean dark current in ADU (exact)"),
    Word("saturation", ("-saturation",), kind=int, whole=True, least=1, most=2**31 - 1, help="largest number (exact)"),
    Word("dead_pixels", ("-dead_pixels",), kind=int, whole=True, least=0, most=2**31, help="how many (exact)"),
    Word("hot_pixels", ("-hot_pixels",), kind=int, whole=True, least=0, most=2**31, help="how many (exact)"),
    Word("image_number", ("-noise_image",), kind=int, whole=True, least=0, most=2**63, help="of a series (exact)"),
]

EXACT_ONLY = {
    "psf_file": "-psf_file", "dark": "-dark_current", "saturation": "-saturation", "dead_pixels": "-dead_pixels",
    "hot_pixels": "-hot_pixels", "image_number": "-noise_image",
}  # fmt: skip
