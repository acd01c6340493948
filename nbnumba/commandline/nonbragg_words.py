"""Options of `nbnumba nonbragg`, and how they are said to the parser of nanoBragg's options."""

from __future__ import annotations

from .c_words import Word

_TINY, _HUGE, _FAR = 1e-12, 1e12, 1e9


def _vector(key: str, spelling: str) -> Word:
    return Word(key, (spelling,), 3)


def _same(spelling: str, count: int = 1, whole: bool = False) -> Word:
    """An option that nanoBragg has too, with the same meaning."""
    return Word("=" + spelling, (spelling,), count, str, whole=whole)


# Sample and files, and what places the detector.
WORDS = [
    Word("stol", ("-stol",), kind=str, whole=True, help="table of sin(theta)/lambda (1/A) and F"),
    Word("four_stol", ("-4stol",), kind=str, whole=True, help="table of 4 sin(theta)/lambda and F"),
    Word("q", ("-Q",), kind=str, whole=True, help="table of 4 pi sin(theta)/lambda and F"),
    Word("sample_all", ("-samplesize", "-sample_size"), least=_TINY, most=_HUGE, help="edge of the sample, mm (0.1)"),
    Word(
        "sample_x",
        ("-sample_thick", "-sample_x", "-thick"),
        least=_TINY,
        most=_HUGE,
        help="thickness along the beam, mm",
    ),
    Word(
        "sample_y",
        ("-sample_width", "-sample_y", "-width"),
        least=_TINY,
        most=_HUGE,
        help="width, mm; at most that of the beam",
    ),
    Word(
        "sample_z",
        ("-sample_heigh", "-sample_z", "-heigh"),
        least=_TINY,
        most=_HUGE,
        help="height, mm; at most that of the beam",
    ),
    Word("density", ("-density", "-sample_den"), least=_TINY, most=_HUGE, help="g/cm3 (1)"),
    Word(
        "molecules", ("-molecules", "-sample_molecules"), least=0.0, most=1e40, help="in the beam, in place of density"
    ),
    Word("molar_mass", ("-MW",), whole=True, least=_TINY, most=_HUGE, help="g/mol (18)"),
    Word("molar_mass", ("-molecular",), least=_TINY, most=_HUGE),
    Word("Xbeam", ("-Xbeam",), least=-_FAR, most=_FAR, help="beam center along fast from the corner, mm"),
    Word("Ybeam", ("-Ybeam",), least=-_FAR, most=_FAR, help="beam center along slow from the corner, mm"),
    Word("Xclose", ("-Xclose",), least=-_FAR, most=_FAR, help="foot of the perpendicular along fast, mm"),
    Word("Yclose", ("-Yclose",), least=-_FAR, most=_FAR, help="foot of the perpendicular along slow, mm"),
    Word("ORGX", ("-ORGX",), least=-_FAR, most=_FAR, help="the same in pixels"),
    Word("ORGY", ("-ORGY",), least=-_FAR, most=_FAR, help="the same in pixels"),
    Word("pivot", ("-pivot",), kind=str, help="sample or beam"),
    _vector("fdet_vector", "-fdet_vector"),
    _vector("sdet_vector", "-sdet_vector"),
    _vector("odet_vector", "-odet_vector"),
    _vector("beam_vector", "-beam_vector"),
    _vector("polar_vector", "-polar_vector"),
    _vector("spindle_axis", "-spindle_axis"),
    _vector("twotheta_axis", "-twotheta_axis"),
    _vector("pix0_vector", "-pix0_vector"),
    Word("distance", ("-distance",), least=-_FAR, most=_FAR, help="to the detector, mm (100)"),
    Word("close_distance", ("-close_distance",), least=-_FAR, most=_FAR),
    Word("source_distance", ("-source_distance",), least=_TINY, most=_HUGE),
    Word("twotheta", ("-twotheta",), whole=True, least=-360.0, most=360.0, help="swing of the detector, deg"),
    *(Word(f"rot{axis}", (f"-detector_rot{axis}",), least=-360.0, most=360.0) for axis in "xyz"),
    Word("size", ("-detsize",), whole=True, least=_TINY, most=_HUGE, help="edge of the detector, mm (102.4)"),
    Word("size_x", ("-detsize_x",), least=_TINY, most=_HUGE),
    Word("size_y", ("-detsize_y",), least=_TINY, most=_HUGE),
    Word("pixels", ("-detpixels",), kind=int, whole=True, least=1, most=65536, help="pixels along both edges"),
    Word("n_fast", ("-detpixels_f", "-detpixels_x"), kind=int, least=1, most=65536),
    Word("n_slow", ("-detpixels_s", "-detpixels_y"), kind=int, least=1, most=65536),
    Word("pixel", ("-pixel",), least=_TINY, most=_HUGE, help="pixel size, mm (0.1)"),
    Word("fmap", ("-Fmap",), 0, help="write F in place of photons"),
    Word("polarization", ("-polar",), whole=True, least=-1.0, most=1.0, help="Kahn's factor (0)"),
    Word("oversample", ("-oversample",), kind=int, least=-1, most=1000, help="sub-pixels along an edge (1)"),
    Word("roi", ("-roi",), 4, int, least=-1, most=65536, help="fast first, last, slow first, last"),
    Word("wavelength", ("-lambda", "-wave"), least=_TINY, most=_HUGE, help="A (1)"),
    Word("energy", ("-energy",), least=_TINY, most=_HUGE, help="eV"),
    Word("beamsize", ("-beamsize",), least=_TINY, most=_HUGE, help="edge of the beam, mm (0.1)"),
    Word("phi", ("-phi",), whole=True),
    Word("osc", ("-osc",)),
    Word("gain", ("-gain",), least=_TINY, most=_HUGE, help="of the image that -img names (1)"),
    Word("adc", ("-adc",), least=-_FAR, most=_FAR, help="offset, ADU (40)"),
    Word("img_file", ("-img",), kind=str, help="SMV image to work F out of"),
    Word("ignore", ("-ignore",), kind=int, least=0, most=65535, help="value of pixels that do not count"),
    Word("stolout", ("-stolout",), kind=str, help="table to write of F in the image that -img names"),
    Word("float_file", ("-floatfile", "-floatimage"), kind=str),
    Word("int_file", ("-intfile", "-intimage"), kind=str),
    Word("pgm_file", ("-pgmfile", "-pgmimage"), kind=str),
    Word("noise_file", ("-noisefile", "-noiseimage"), kind=str),
    Word("noiseless", ("-nonoise",), 0),
    Word("no_pgm", ("-nopgm",), 0),
    Word("scale", ("-scale",), least=-1e30, most=1e30, help="of the integer image (55000/maximum)"),
    Word("pgm_scale", ("-pgmscale",), least=-1e30, most=1e30),
    Word("seed", ("-seed",), kind=int, least=-(2.0**63), most=2.0**63, help="of the noise (time)"),
    Word("semantics", ("-semantics",), kind=str, whole=True, help="c (default) or exact"),
    # As nanoBragg has them.
    *(_same(word) for word in ("-fluence", "-flux", "-exposure", "-dispersion", "-dispsteps", "-divergence")),
    *(_same(word) for word in ("-hdivrange", "-vdivrange", "-hdivsteps", "-vdivsteps", "-divsteps", "-sourcefile")),
    *(_same(word, whole=True) for word in ("-hdivstep", "-vdivstep")),
    *(_same(word, 0) for word in ("-round_div", "-square_div", "-nopolar", "-point_pixel", "-curved_det")),
    # Without effect on any file.
    *(Word("idle", (word,), 0) for word in ("-coherent", "-noreject", "-progress", "-noprogress")),
    Word("idle", ("-printout",), 0, whole=True),
    Word("idle", ("-printout_pixel",), 2),
    Word("idle", ("-phisteps",)),
    Word("idle", ("-phistep",), whole=True),
]

# Its usage names some of these, and it ignores them.
IGNORED = ("-dispstep", "-detector_thick", "-detector_abs", "-detector_thicksteps", "-hdiv", "-vdiv")
