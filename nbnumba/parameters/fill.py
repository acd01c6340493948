"""Settings from the parameters that were given, by any front end.

The rules are those of nanoBragg.c:400-1116: what is given later overwrites what was given before, headers of files
come before all of it, and units become SI by the same floating-point operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..background.words import materials
from ..errors import InputError, called
from ..util.text import quote
from .choices import Convention, Pivot, Semantics
from .draft import Draft
from .given import BIGGEST, Given, checked, number
from .pairs import split_pairs
from .placing import apply_expt, apply_geometry, settle_sensors
from .presets import PRESETS, silicon_attenuation
from .table import stated_by
from .types import ANGSTROM, DEGREE, MM, PERCENT, PLAIN, Unit

EXPT_PHI_STEPS = 10  # into which a rotation is cut beside -expt; C's two steps stand at its start and middle


def filled(
    given: Sequence[Given], notices: list[str], defaults: Mapping[str, Any] | None = None, *, strict: bool = False
) -> Draft:
    """Apply headers of files, then what was given, in its order.

    Parameters
    ----------
    given : sequence of Given
    notices : list of str
        Receives remarks for the user.
    defaults : mapping, optional
        Values of fields that differ from those of `Settings`.
    strict : bool
        Whether numbers that C takes by a rule of its own are errors, as they are with `exact`.

    Raises
    ------
    InputError
        For a value that is not allowed, or the content of a header.
    FileError
        For a header that cannot be read.
    """
    draft = Draft(notices, defaults)
    named = {item.parameter.name: item for item in given}
    placing = named.get("expt") or named.get("geometry")
    if "geometry" in named:
        if not apply_geometry(draft, named["geometry"], given):
            placing = None
            _apply_header(draft, named["geometry"])
    elif "expt" in named:
        apply_expt(draft, named["expt"], given)
    else:
        # As C: -img overrides -mask, and of several the last one is read.
        for name in ("mask", "header_file"):
            if name in named:
                _apply_header(draft, named[name])
    if "expt_number" in named and not {"expt", "geometry", "matrix"} & named.keys():
        raise InputError(f"{named['expt_number'].label}: goes with {called('expt')}, which is not given")
    if "detector_preset" in named:
        _apply_preset(draft, named["detector_preset"], given)
    for item in given:
        apply(draft, item)
    _check_meanings(given, notices, strict or draft.get("semantics") is Semantics.EXACT)
    if draft.get("detector_preset") is not None and draft.get("detector_mu") < 0.0 < draft.get("detector_thick"):
        draft.set(detector_mu=silicon_attenuation(draft.get("wavelength")))
    if placing is not None and draft.get("panels"):
        settle_sensors(draft, placing, given)
    if "expt" in named and _turns(draft) and draft.get("phistep") is None and draft.get("phisteps") is None:
        draft.set(phisteps=EXPT_PHI_STEPS)
    if draft.get("distance_given") and "close_distance_mm" not in named:
        if strict or draft.get("semantics") is Semantics.EXACT:
            prefer_typed_distance(draft)
        else:
            _note_distance(draft, named["distance_mm"], notices)
    _check(draft)
    _check_wavelengths(named)
    if "sources" in named and draft.get("divergence_or_dispersion_given"):
        label = named["sources"].label
        notices.append(f"{label}: divergence and dispersion options have no effect beside it")
    return draft


def prefer_typed_distance(draft: Draft) -> None:
    """Let a distance that was typed win over the CLOSE_DISTANCE of a header, which beats it in C."""
    if draft.get("distance_given") and "close_distance" in draft.from_header:
        del draft.from_header["close_distance"]
        draft.set(close_distance=None)


def _note_distance(draft: Draft, typed: Given, notices: list[str]) -> None:
    """Tell of a header that decides in place of a distance that was typed."""
    place = draft.from_header.get("close_distance")
    if place is not None and draft.get("close_distance") != abs(draft.get("distance")):
        notices.append(
            f"{typed.label} {typed.texts[0]} is not used, as in nanoBragg: {place}, which decides; "
            f"{called('close_distance_mm')} replaces it"
        )


def _check_wavelengths(named: Mapping[str, Given]) -> None:
    """Refuse a wavelength beside a spectrum, whose mean is the wavelength."""
    for spectrum in ("spectrum", "spectrum_file"):
        for single in ("wavelength_A", "energy_ev"):
            if spectrum in named and single in named:
                raise InputError(
                    f"{named[single].label}: contradicts {named[spectrum].label}, whose mean is the wavelength; give "
                    "one of the two"
                )


def _check_meanings(given: Sequence[Given], notices: list[str], strict: bool) -> None:
    """Refuse numbers that C takes by a rule of its own, or tell of them."""
    for item in given:
        found = item.beyond_meaning
        if found is None:
            continue
        text, counts_as = found
        if strict:
            raise item.error(text, "is out of range")
        takes = item.parameter.describe_values()
        notices.append(f"{item.spelling} {text} {counts_as}, as in nanoBragg; allowed otherwise: {takes}")


def _turns(draft: Draft) -> bool:
    osc = draft.get("osc") or 0.0
    return osc > 0.0 or (osc < 0.0 and draft.get("semantics") is Semantics.EXACT)


def apply(draft: Draft, given: Given) -> None:
    """Put one parameter into the draft."""
    parameter = given.parameter
    if parameter.name in SPECIAL:
        SPECIAL[parameter.name](draft, given)
        draft.set(**parameter.sets)
    else:
        draft.set(**given.fields)


def _cell(draft: Draft, given: Given) -> None:
    values = [number(given, index) for index in range(len(given.values))]
    if values[0] <= 0.0:
        raise given.error(given.texts[0], "is out of range for the first length")
    if min(values) < 0.0:
        raise InputError(
            f"{given.spelling}: {' '.join(given.texts)} holds a negative number; "
            "allowed: lengths and angles greater than 0"
        )
    # As C: what an earlier -cell said and this one leaves out stays.
    lengths, angles = list(draft.get("cell_lengths_A")), list(draft.get("cell_angles"))
    lengths[: len(values[:3])] = values[:3]
    angles[: len(values[3:])] = [DEGREE.to_si(value) for value in values[3:]]
    draft.set(cell_given=True, cell_lengths_A=tuple(lengths), cell_angles=tuple(angles))


def _A_matrix(draft: Draft, given: Given) -> None:
    values = [number(given, index) for index in range(9)]
    a, b, c = rows = (tuple(values[:3]), tuple(values[3:6]), tuple(values[6:]))
    volume = sum(a[i] * (b[i - 2] * c[i - 1] - b[i - 1] * c[i - 2]) for i in range(3))
    if abs(volume) <= 1e-12 * math.prod(math.hypot(*row) for row in rows):
        raise given.error(" ".join(given.texts), "has its vectors in one plane")
    draft.set(reciprocal_A=rows)


def _misset(draft: Draft, given: Given) -> None:
    if len(given.values) == 1:
        if given.values[0] != "random":
            raise given.error(given.texts[0], "is unknown")
        draft.set(misset=None, misset_random=True)
    else:
        angles = tuple(DEGREE.to_si(number(given, index)) for index in range(3))
        draft.set(misset=angles, misset_random=False)


def _convention(draft: Draft, given: Given) -> None:
    (name,) = given.values
    if name not in given.parameter.choices:
        raise given.error(given.texts[0], "is unknown")
    pivot = Pivot.SAMPLE if name == Convention.XDS else Pivot.BEAM
    draft.set(convention=Convention(str(name)), pivot_by_order=pivot)


def _pivot(draft: Draft, given: Given) -> None:
    (name,) = given.values
    if name not in given.parameter.choices:
        raise given.error(given.texts[0], "is unknown")
    pivot = Pivot(str(name))
    draft.set(pivot_by_order=pivot, pivot_explicit=pivot)


def _detector_abs(draft: Draft, given: Given) -> None:
    (depth,) = given.values
    if depth != math.inf:
        depth = number(given, 0)
    if depth in (0.0, math.inf):
        draft.set(detector_thick=0.0, detector_mu=0.0)
    else:
        draft.set(detector_mu=1.0 / (float(depth) * 1e-6))


def _amorphous(draft: Draft, given: Given) -> None:
    draft.set(materials=(*draft.get("materials"), *materials(str(checked(given, 0)))))


def _mosaic_sigmas(draft: Draft, given: Given) -> None:
    values = [number(given, index) for index in range(len(given.values))]
    for index, value in enumerate(values):
        low, high = (0.0, 180.0) if index < 3 else (-1.0, 1.0)
        if not low <= value <= high:
            raise given.error(given.texts[index], "is out of range")
    draft.set(mosaic_sigmas=(*map(DEGREE.to_si, values[:3]), *values[3:]))


def _lattice_spread(draft: Draft, given: Given) -> None:
    draft.set(lattice_spread=tuple(PERCENT.to_si(number(given, index)) for index in range(len(given.values))))


def _anomalous_file(draft: Draft, given: Given) -> None:
    pairs = split_pairs(str(checked(given, 0)))
    for name, file in pairs:
        if not name or not file or "\0" in file:
            raise given.error(given.texts[0], "is not ELEMENT=FILE")
    known = {name.upper() for name, _ in draft.get("anomalous_files")}
    for name, _ in pairs:
        if name.upper() in known:
            raise InputError(f"{given.spelling}: {quote(name)} is given twice; give one file for it")
        known.add(name.upper())
    draft.set(anomalous=True, anomalous_files=(*draft.get("anomalous_files"), *pairs))


def _diffuse(field: str) -> Callable[[Draft, Given], None]:
    def put(draft: Draft, given: Given) -> None:
        draft.set(**{field: tuple(number(given, index) for index in range(len(given.values)))})

    return put


def _show_config(draft: Draft, given: Given) -> None:
    draft.set(show_config=str(given.values[0]))


def _crystals(draft: Draft, given: Given) -> None:
    (name,) = given.values
    if not isinstance(name, str) or not name or "\0" in name:
        raise given.error(given.texts[0], "is not a file name")
    draft.set(crystals=(*draft.get("crystals"), name))


SPECIAL: dict[str, Callable[[Draft, Given], None]] = {
    "crystals": _crystals,
    "diffuse_gamma_A": _diffuse("diffuse_gamma"),
    "diffuse_sigma_A": _diffuse("diffuse_sigma"),
    "mosaic_sigmas_deg": _mosaic_sigmas,
    "lattice_spread_percent": _lattice_spread,
    "cell": _cell,
    "A_matrix": _A_matrix,
    "misset_deg": _misset,
    "show_config": _show_config,
    "convention": _convention,
    "pivot": _pivot,
    "attenuation_depth_um": _detector_abs,
    "amorphous": _amorphous,
    "anomalous_file": _anomalous_file,
}
"""Parameters whose values set fields in ways of their own."""

# Keywords of a header, the fields that they set and their units (nanoBragg.c:428-496); TWOTHETA has no effect.
_KEYWORDS: tuple[tuple[str, str, Unit], ...] = (
    ("PIXEL_SIZE", "pixel_size", MM),
    ("DISTANCE", "distance", MM),
    ("CLOSE_DISTANCE", "close_distance", MM),
    ("WAVELENGTH", "wavelength", ANGSTROM),
    ("BEAM_CENTER_X", "Xbeam", MM),
    ("BEAM_CENTER_Y", "Ybeam", MM),
    ("ORGX", "ORGX", PLAIN),
    ("ORGY", "ORGY", PLAIN),
    ("PHI", "phi", DEGREE),
    ("OSC_RANGE", "osc", DEGREE),
)


def _apply_preset(draft: Draft, preset: Given, given: Sequence[Given]) -> None:
    """Let a detector that is named set defaults."""
    # The number of an experiment may be that of a crystal.
    sizing = [item for item in given if "size" in stated_by(item.parameter) and item.parameter.name != "expt_number"]
    typed = list(dict.fromkeys(item.label for item in sizing if item.parameter is not preset.parameter))
    name = str(checked(preset, 0))
    if typed:
        contradict = "contradicts" if len(typed) == 1 else "contradict"
        raise InputError(f"{', '.join(typed)}: {contradict} {preset.label} {name}, which has its own pixels")
    known = PRESETS[name]
    fast, slow = known.size
    draft.set(
        pixel_size=known.pixel,
        pixels_fast=fast,
        pixels_slow=slow,
        detector_thick=known.silicon,
        saturation=known.saturation,
        readout_noise=known.readout_noise,
        gain=known.gain,
        adc=known.adc,
        dead_time=known.dead_time,
    )
    if known.psf:
        draft.set(psf=known.psf, psf_fwhm=known.psf_fwhm)


def _apply_header(draft: Draft, given: Given) -> None:
    """Let the header of an image set defaults."""
    from ..io import mask_file, smv
    from ..io.contents import content_of

    path = str(checked(given, 0))
    is_mask = given.parameter.name == "mask"
    begun = content_of(mask_file.begin, path, given.label) if is_mask else None
    if isinstance(begun, str):
        return  # only the header of an SMV image states a geometry
    header = smv.read_header(path, given.label) if begun is None else begun.header
    for keyword, field, unit in _KEYWORDS:
        value = header.value_of(keyword)
        if math.isnan(value):
            continue
        place = f"{given.label} {path}: {keyword} is {value:g}"
        if abs(value) > BIGGEST:
            raise InputError(f"{place}; allowed is a size up to {BIGGEST:g}")
        draft.set(**{field: unit.to_si(value)})
        draft.from_header[field] = place
        if keyword == "OSC_RANGE" and value < 0.0:
            draft.set(osc=None)
    pixel = draft.get("pixel_size")
    draft.set(pixels_fast=header.n_fast, pixels_slow=header.n_slow)
    draft.set(detsize_f=pixel * header.n_fast, detsize_s=pixel * header.n_slow)
    y_beam = header.value_of("BEAM_CENTER_Y")
    if is_mask and not math.isnan(y_beam):
        draft.set(Ybeam=draft.get("detsize_s") - y_beam / 1000.0)


def _check(draft: Draft) -> None:
    """Refuse what only a header can have brought in: values were checked when they were given."""
    for field in ("pixel_size", "wavelength", "close_distance"):
        value = draft.get(field)
        if value is not None and value <= 0.0:
            raise InputError(f"{draft.from_header[field]}; it must be greater than 0")
