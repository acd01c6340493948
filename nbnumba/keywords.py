"""Keywords of an experiment, in the units of their names, and the options of the command line that they stand for."""

from __future__ import annotations

import copy
import difflib
import math
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from .errors import InputError
from .keyword_values import array_of_numbers, number_as_word, path_as_word, plain, three_by_three, words_of_value
from .parameters.table import find

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Path = str | os.PathLike[str]
Three = Sequence[float]


class Keywords(TypedDict, total=False):
    """What describes an experiment; everything has a default but crystal and structure factors."""

    # Crystal: an orientation matrix file, or a cell with or without an orientation
    matrix: Path
    """As of MOSFLM, the crystal of a DIALS .expt, or an XDS XPARM.XDS."""
    A_matrix: ArrayLike
    """(3, 3) [1/Angstrom], columns a*, b*, c*, in the laboratory frame."""
    cell: Sequence[float]
    """One to six numbers: lengths [Angstrom], angles [deg].

    With `semantics="c"` the angles of a triclinic or primitive rhombohedral cell come out up to 2 degrees off, as C
    draws them; a `U_matrix` beside it (np.eye(3) in the same orientation) avoids that.
    """
    U_matrix: ArrayLike
    """(3, 3) orientation, with `cell`: A = U B, where B has a* along x and b* in the xy plane."""
    misset_deg: Three | str
    """Turns the crystal about x, y and z; or "random"."""
    misset_seed: int
    N: int | Sequence[int]
    """Unit cells along each axis: one number, or three."""
    crystal_size_mm: float | Three
    """Edges of the crystal, instead of N."""
    shape: str
    """"square", "round", "gauss" or "tophat"."""
    fudge: float
    mosaic_spread_deg: float
    mosaic_domains: int
    mosaic_seed: int

    # Structure factors
    hkl: Path | ArrayLike
    """A file (text, MTZ, CIF), or an array (n, 4) of h, k, l, F for P1."""
    hkl_column: str
    hkl_dmin_A: float
    pdb: Path
    default_F: float
    dump: Path
    """A Fdump.bin to read, instead of hkl."""
    interpolate: bool

    # Beam
    wavelength_A: float
    energy_ev: float
    fluence: float
    """Photons per square metre on the sample."""
    flux: float
    """Photons per second; with exposure_s and beamsize_mm instead of fluence."""
    exposure_s: float
    beamsize_mm: float
    polarization: float
    """Kahn factor, -1 to 1."""
    polarized: bool
    """False: no polarization correction."""
    dispersion_percent: float
    dispsteps: int
    hdivrange_mrad: float
    vdivrange_mrad: float
    hdivsteps: int
    vdivsteps: int
    hdivstep_mrad: float
    vdivstep_mrad: float
    round_divergence: bool
    sources: Path
    """File of sources: lines of x y z weight wavelength [m]."""

    # Detector
    convention: str
    """"mosflm" (default), "denzo", "adxv", "xds" or "dials"."""
    expt: Path
    """DIALS .expt: beam, goniometer, every panel, and the crystal if no other is given."""
    distance_mm: float
    close_distance_mm: float
    pixel_mm: float
    detpixels: int | Sequence[int]
    """Pixels along each edge, or (fast, slow)."""
    beam_center_fast_mm: float
    """From the corner of the detector along a row to the beam, in any convention."""
    beam_center_slow_mm: float
    Xbeam_mm: float
    Ybeam_mm: float
    Xclose_mm: float
    Yclose_mm: float
    ORGX: float
    ORGY: float
    detector_rotation_deg: Three
    """About x, y and z of the laboratory."""
    twotheta_deg: float
    pivot: str
    """"sample" or "beam"."""
    beam_vector: Three
    fdet_vector: Three
    sdet_vector: Three
    odet_vector: Three
    polar_vector: Three
    spindle_axis: Three
    twotheta_axis: Three
    pix0_vector_mm: Three
    attenuation_depth_um: float
    thickness_um: float
    thicksteps: int
    curved: bool
    point_pixel: bool
    roi: Sequence[int]
    """Fast first and last, slow first and last; inclusive."""
    mask: Path

    # Goniometer
    phi_deg: float
    osc_deg: float
    phistep_deg: float
    phisteps: int

    # Sampling and background
    oversample: int
    oversample_thick: bool
    oversample_polar: bool
    oversample_omega: bool
    dmin_A: float
    water_um: float


# Keyword -> option, for those whose value or values follow the option as they are; in the order of the command line.
# A named convention stands first, since what moves the detector counts after it.
_PLAIN = {
    "expt": "-expt",
    "distance_mm": "-distance",
    "close_distance_mm": "-close_distance",
    "pixel_mm": "-pixel",
    "beam_center_fast_mm": "-beam_center_fast",
    "beam_center_slow_mm": "-beam_center_slow",
    "Xbeam_mm": "-Xbeam",
    "Ybeam_mm": "-Ybeam",
    "Xclose_mm": "-Xclose",
    "Yclose_mm": "-Yclose",
    "ORGX": "-ORGX",
    "ORGY": "-ORGY",
    "twotheta_deg": "-twotheta",
    "pivot": "-pivot",
    "beam_vector": "-beam_vector",
    "fdet_vector": "-fdet_vector",
    "sdet_vector": "-sdet_vector",
    "odet_vector": "-odet_vector",
    "polar_vector": "-polar_vector",
    "spindle_axis": "-spindle_axis",
    "twotheta_axis": "-twotheta_axis",
    "pix0_vector_mm": "-pix0_vector_mm",
    "attenuation_depth_um": "-detector_abs",
    "thickness_um": "-detector_thick",
    "thicksteps": "-detector_thicksteps",
    "roi": "-roi",
    "mask": "-mask",
    "matrix": "-mat",
    "cell": "-cell",
    "misset_deg": "-misset",
    "misset_seed": "-misset_seed",
    "fudge": "-fudge",
    "mosaic_spread_deg": "-mosaic",
    "mosaic_domains": "-mosaic_domains",
    "mosaic_seed": "-mosaic_seed",
    "hkl_column": "-hkl_column",
    "hkl_dmin_A": "-hkl_dmin",
    "pdb": "-pdb",
    "default_F": "-default_F",
    "dump": "-dump",
    "wavelength_A": "-lambda",
    "energy_ev": "-energy",
    "fluence": "-fluence",
    "flux": "-flux",
    "exposure_s": "-exposure",
    "beamsize_mm": "-beamsize",
    "polarization": "-polar",
    "dispersion_percent": "-dispersion",
    "dispsteps": "-dispsteps",
    "hdivrange_mrad": "-hdivrange",
    "vdivrange_mrad": "-vdivrange",
    "hdivsteps": "-hdivsteps",
    "vdivsteps": "-vdivsteps",
    "hdivstep_mrad": "-hdivstep",
    "vdivstep_mrad": "-vdivstep",
    "sources": "-sourcefile",
    "phi_deg": "-phi",
    "osc_deg": "-osc",
    "phistep_deg": "-phistep",
    "phisteps": "-phisteps",
    "oversample": "-oversample",
    "dmin_A": "-dmin",
    "water_um": "-water",
}

# Keyword -> how many values it takes, where its option takes more than one number of them.
_COUNTS: dict[str, Sequence[int]] = {"cell": range(1, 7), "misset_deg": (1, 3)}

# Keyword -> options for True and False.
_SWITCHES: dict[str, tuple[str | None, str | None]] = {
    "interpolate": ("-interpolate", "-nointerpolate"),
    "polarized": (None, "-nopolar"),
    "round_divergence": ("-round_div", "-square_div"),
    "curved": ("-curved_det", None),
    "point_pixel": ("-point_pixel", None),
    "oversample_thick": ("-oversample_thick", None),
    "oversample_polar": ("-oversample_polar", None),
    "oversample_omega": ("-oversample_omega", None),
}

# Keyword -> the options of its one, two or three values.
_SPREAD_OUT: dict[str, dict[int, tuple[str, ...]]] = {
    "N": {1: ("-N",), 3: ("-Na", "-Nb", "-Nc")},
    "crystal_size_mm": {1: ("-samplesize",), 3: ("-sample_x", "-sample_y", "-sample_z")},
    "detpixels": {1: ("-detpixels",), 2: ("-detpixels_f", "-detpixels_s")},
    "detector_rotation_deg": {3: ("-detector_rotx", "-detector_roty", "-detector_rotz")},
}

_CONVENTIONS = {name: f"-{name}" for name in ("mosflm", "denzo", "adxv", "xds", "dials")}
_TABLE = "a file name, or (n, 4), rows of h, k, l, F"
_SHAPES = {"square": "-square_xtal", "round": "-round_xtal", "gauss": "-gauss_xtal", "tophat": "-tophat_spots"}


def words_of(keywords: Keywords) -> tuple[str, ...]:
    """Return the command line that says the same; an array of `hkl`, which has none, is left out.

    Raises
    ------
    TypeError
        For an unknown keyword.
    InputError
        For a value of the wrong kind, or keywords that contradict each other.
    """
    given: dict[str, Any] = {name: value for name, value in keywords.items() if value is not None}
    _check(given)
    words: list[str] = []
    for name in sorted(given, key=_ORDER.__getitem__):
        words += _SPECIAL[name](name, given) if name in _SPECIAL else _words(name, given[name])
    return tuple(words)


def copied(keywords: Keywords) -> dict[str, Any]:
    """Return keywords that no change of a list or an array outside reaches."""
    own = {
        name: list(value) if isinstance(value, Iterator) else copy.deepcopy(value)
        for name, value in keywords.items()
        if name != "hkl"
    }
    hkl = keywords.get("hkl")
    return {**own, "hkl": array_of_numbers("hkl", hkl, _TABLE) if is_table(hkl) else hkl}


def is_table(hkl: object) -> bool:
    """Tell whether reflections are given as an array rather than by the name of a file."""
    return hkl is not None and not isinstance(hkl, (str, bytes, os.PathLike))


def named_after(given: Collection[str], message: str) -> str:
    """Return a message about options of the command line as one about the keywords that stand for them."""
    names = _keywords_of_options()
    if "U_matrix" in given:
        names["-A_matrix"] = "U_matrix"
    return re.sub(r"(?<![^\s(])-[A-Za-z]\w*", lambda option: names.get(option[0], option[0]), message)


def _keywords_of_options() -> dict[str, str]:
    spread = {option: name for name, counts in _SPREAD_OUT.items() for options in counts.values() for option in options}
    switches = {option: name for name, pair in _SWITCHES.items() for option in pair if option is not None}
    plain = {option: name for name, option in _PLAIN.items()}
    chosen = {
        option: name
        for name, options in (("convention", _CONVENTIONS), ("shape", _SHAPES))
        for option in options.values()
    }
    special = {"-A_matrix": "A_matrix", "-hkl": "hkl", "-semantics": "semantics"}
    return {**spread, **switches, **chosen, **plain, **special}


def _check(given: dict[str, Any]) -> None:
    for name in given:
        if name not in _ORDER:
            close = difflib.get_close_matches(name, _ORDER, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise TypeError(f"Experiment has no keyword {name!r}{hint}")
    for one, other in (
        ("wavelength_A", "energy_ev"),
        ("matrix", "A_matrix"),
        ("matrix", "U_matrix"),
        ("A_matrix", "U_matrix"),
        ("A_matrix", "cell"),
        ("hkl", "pdb"),
        ("hkl", "dump"),
        ("N", "crystal_size_mm"),
        ("fluence", "flux"),
    ):
        if one in given and other in given:
            raise InputError(f"{one}, {other}: give one of the two")
    if "U_matrix" in given and "cell" not in given:
        raise InputError("U_matrix: needs a cell as well")
    for name in ("hkl_column", "hkl_dmin_A"):
        if name in given and is_table(given.get("hkl")):
            raise InputError(f"{name}: goes with a file of reflections, and hkl is an array")


def _words(name: str, value: Any) -> list[str]:
    """Return the words of one keyword."""
    if name in _SWITCHES:
        value = plain(value)
        if not isinstance(value, bool):
            raise InputError(f"{name}: {value!r} is not allowed; allowed: True or False")
        option = _SWITCHES[name][not value]
        return [] if option is None else [option]
    if name in _SPREAD_OUT:
        values = words_of_value(name, value)
        options = _SPREAD_OUT[name].get(len(values))
        if options is None:
            counts = " or ".join(str(count) for count in _SPREAD_OUT[name])
            raise InputError(f"{name}: {len(values)} values; allowed: {counts}")
        return [word for pair in zip(options, values, strict=True) for word in pair]
    values = words_of_value(name, value)
    option = _PLAIN[name]
    found = find(option)
    assert found is not None
    possible = _COUNTS.get(name, (found.count,))
    if len(values) not in possible or (name == "misset_deg" and (len(values) == 1) != isinstance(value, str)):
        allowed = {"cell": "1 to 6", "misset_deg": '3, or "random"'}.get(name, possible[0])
        raise InputError(f"{name}: {len(values)} values; allowed: {allowed}")
    if name == "cell" and any(value.startswith("-") for value in values):
        raise InputError(
            f"cell: {' '.join(values)} holds a negative number; allowed: lengths and angles greater than 0"
        )
    return [option, *values]


def _choice(names: dict[str, str]) -> Callable[[str, dict[str, Any]], list[str]]:
    def words(name: str, given: dict[str, Any]) -> list[str]:
        if not isinstance(given[name], str) or given[name] not in names:
            raise InputError(f"{name}: {given[name]!r} is unknown; allowed: {', '.join(names)}")
        return [names[given[name]]]

    return words


def _A_matrix(name: str, given: dict[str, Any]) -> list[str]:
    return ["-A_matrix", *(number_as_word(name, value) for value in three_by_three(name, given[name]).T.ravel())]


def _U_matrix(name: str, given: dict[str, Any]) -> list[str]:
    import numpy as np

    from .crystal.lattice import complete_cell, upright_reciprocal

    U = three_by_three(name, given[name])
    # Of six decimals, as people paste them; what follows takes the matrix as it is.
    if not (np.abs(U @ U.T - np.eye(3)).max() < 1e-5 and np.linalg.det(U) > 0.0):
        raise InputError("U_matrix: is not a rotation; its columns must be unit vectors at right angles, right-handed")
    # Checked as any cell is, before it is taken apart.
    cell = [float(value) for value in _words("cell", given["cell"])[1:]]
    cell += [-1.0] * (6 - len(cell))
    a, b, c, *angles = cell
    alpha, beta, gamma = (math.radians(angle) for angle in angles)
    B = upright_reciprocal(*complete_cell((a, b, c), (alpha, beta, gamma))).T
    return ["-A_matrix", *(repr(float(value)) for value in (U @ B).T.ravel())]


def _cell(name: str, given: dict[str, Any]) -> list[str]:
    return [] if "U_matrix" in given else _words(name, given[name])  # U_matrix says it all


def _hkl(name: str, given: dict[str, Any]) -> list[str]:
    return [] if is_table(given[name]) else ["-hkl", path_as_word(name, given[name])]


_SPECIAL: dict[str, Callable[[str, dict[str, Any]], list[str]]] = {
    "convention": _choice(_CONVENTIONS),
    "shape": _choice(_SHAPES),
    "A_matrix": _A_matrix,
    "U_matrix": _U_matrix,
    "cell": _cell,
    "hkl": _hkl,
}
_ORDER = {name: place for place, name in enumerate(["convention", *_PLAIN, *_SWITCHES, *_SPREAD_OUT, *_SPECIAL])}
