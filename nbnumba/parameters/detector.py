"""Parameters of the detector: size, place, sensor, conventions and axes."""

from __future__ import annotations

from .choices import Convention, Pivot
from .types import (
    ANY,
    DEGREE,
    INTEGER,
    METRE,
    MICRON,
    MM,
    NOT_ZERO,
    PIXEL,
    POSITIVE,
    Kind,
    Option,
    Parameter,
    Range,
    Unset,
    at_most,
    input_file,
    number,
    special,
    spelling,
    whole,
    yes_or_no,
)

MAX_SIDE = 1_000_000  # pixels
MAX_LAYERS = 1_000_000

_SIDE = Range(
    f"from 0 (let the size in mm decide) to {MAX_SIDE} (a square of that needs {4e-12 * MAX_SIDE**2:g} TB)",
    low=0,
    high=MAX_SIDE,
)
_BEAM_FIRST = {"pivot_by_order": Pivot.BEAM}
_SAMPLE_FIRST = {"pivot_by_order": Pivot.SAMPLE}
_BEAM_CENTER = {**_BEAM_FIRST, "beam_center_given": True}
_FOOT_POINT = {**_SAMPLE_FIRST, "beam_center_given": True}
_CUSTOM = {"convention": Convention.CUSTOM}

CONVENTION = Parameter(
    "convention",
    kind=Kind.SPECIAL,
    choices=("mosflm", "denzo", "adxv", "xds", "dials"),
    takes="mosflm, denzo, adxv, xds, dials",
    keyword=True,
    hint="str",
    note='"mosflm" (default), "denzo", "adxv", "xds" or "dials".',
)
CURVED = yes_or_no("curved", "all pixels at the same distance from the sample", fields=("curved_detector",))
POINT_PIXEL = yes_or_no("point_pixel", "solid angle without the obliquity of the pixel")

DETECTOR = (
    number(
        "-distance",
        "from the sample to the detector, along the beam",
        "D",
        ("distance",),
        unit=MM,
        allowed=NOT_ZERO,
        sets={**_BEAM_FIRST, "distance_given": True},
        default="100",
        name="distance_mm",
        varies=POSITIVE,
    ),
    number(
        "-close_distance",
        "from the sample to the nearest point of the detector plane; beats -distance",
        "D",
        ("close_distance",),
        unit=MM,
        allowed=POSITIVE,
        sets=_SAMPLE_FIRST,
        name="close_distance_mm",
    ),
    number(
        "-pixel", "edge of a pixel", "D", ("pixel_size",), unit=MM, allowed=POSITIVE, default="0.1", name="pixel_mm"
    ),
    number(
        "-detsize",
        "edge of the detector",
        "D",
        ("detsize_f", "detsize_s"),
        unit=MM,
        allowed=POSITIVE,
        names=(),
        whole=("-detsize",),
        default="102.4",
    ),
    number("-detsize_f", "edge along a row of pixels (fast)", "D", ("detsize_f",), unit=MM, allowed=POSITIVE),
    number("-detsize_s", "edge along a column of pixels (slow)", "D", ("detsize_s",), unit=MM, allowed=POSITIVE),
    whole(
        "-detpixels",
        "pixels along each edge; beats -detsize",
        "N",
        ("pixels_fast", "pixels_slow"),
        unset=Unset.NOT_POSITIVE,
        allowed=_SIDE,
        strict=_SIDE,
        names=(),
        whole=("-detpixels",),
        name="detpixels",
        counts=(1, 2),
        parts=("pixels_fast", "pixels_slow"),
        hint="int | Sequence[int]",
        note="Pixels along each edge, or (fast, slow).",
    ),
    whole(
        "-detpixels_f",
        "pixels in a row",
        "N",
        ("pixels_fast",),
        unset=Unset.NOT_POSITIVE,
        allowed=_SIDE,
        strict=_SIDE,
        names=("-detpixels_f", "-detpixels_x"),
    ),
    whole(
        "-detpixels_s",
        "pixels in a column",
        "N",
        ("pixels_slow",),
        unset=Unset.NOT_POSITIVE,
        allowed=_SIDE,
        strict=_SIDE,
        names=("-detpixels_s", "-detpixels_y"),
    ),
    number(
        "-Xbeam",
        "beam center, x of the convention",
        "D",
        ("Xbeam",),
        unit=MM,
        sets=_BEAM_CENTER,
        default="center",
        name="Xbeam_mm",
    ),
    number(
        "-Ybeam",
        "beam center, y of the convention",
        "D",
        ("Ybeam",),
        unit=MM,
        sets=_BEAM_CENTER,
        default="center",
        name="Ybeam_mm",
    ),
    number(
        "-Xclose", "point nearest to the sample, fast", "D", ("Xclose",), unit=MM, sets=_FOOT_POINT, name="Xclose_mm"
    ),
    number(
        "-Yclose", "point nearest to the sample, slow", "D", ("Yclose",), unit=MM, sets=_FOOT_POINT, name="Yclose_mm"
    ),
    number("-ORGX", "the same as XDS counts it, fast", "P", ("ORGX",), unit=PIXEL, sets=_FOOT_POINT, name="ORGX"),
    number("-ORGY", "the same as XDS counts it, slow", "P", ("ORGY",), unit=PIXEL, sets=_FOOT_POINT, name="ORGY"),
    number(
        "-beam_center_fast",
        "from the corner of the detector to the beam along a row of pixels, in any convention: shifts the detector in "
        "its plane",
        "D",
        ("beam_fast",),
        unit=MM,
        own=True,
        name="beam_center_fast_mm",
        varies=ANY,
        note="From the corner of the detector along a row to the beam, in any convention.",
    ),
    number(
        "-beam_center_slow",
        "the same along a column",
        "D",
        ("beam_slow",),
        unit=MM,
        own=True,
        name="beam_center_slow_mm",
        varies=ANY,
    ),
    number("-detector_rotx", "turn the detector about x", "A", ("detector_rotx",), unit=DEGREE, default="0"),
    number("-detector_roty", "turn the detector about y", "A", ("detector_roty",), unit=DEGREE, default="0"),
    number("-detector_rotz", "turn the detector about z", "A", ("detector_rotz",), unit=DEGREE, default="0"),
    Parameter(
        "detector_rotation_deg",
        kind=Kind.NUMBER,
        counts=(3,),
        parts=("detector_rotx", "detector_roty", "detector_rotz"),
        keyword=True,
        note="About x, y and z of the laboratory.",
    ),
    number(
        "-twotheta",
        "swing the detector about the 2theta axis",
        "A",
        ("twotheta",),
        unit=DEGREE,
        sets=_SAMPLE_FIRST,
        default="0",
        name="twotheta_deg",
    ),
    special(
        "-pivot",
        "what stays in place when the detector turns: sample or beam",
        "WHAT",
        takes="sample or beam",
        name="pivot",
        choices=("sample", "beam"),
        hint="str",
        note='"sample" or "beam".',
    ),
    input_file(
        "-expt",
        "take beam, every panel, crystal and the rotation of the first image (in 10 steps) from a DIALS .expt; options "
        "that place no detector count beside it",
        "FILE",
        ("expt_file",),
        own=True,
        name="expt",
        note="DIALS .expt: beam, goniometer, every panel, and the crystal if no other is given.",
    ),
    input_file("-img", "take defaults for the geometry from the header of an SMV image", "FILE", ("header_file",)),
    input_file(
        "-mask",
        "SMV image whose zeros mark pixels to skip; its header counts like that of -img",
        "FILE",
        ("mask_file",),
        name="mask",
    ),
)

SENSOR = (
    special(
        "-detector_abs",
        "attenuation depth of the sensor, or inf for no depth effect at all",
        "D",
        unit=MICRON,
        shown=("-detector_absorb",),
        takes="a number [um] or inf",
        default="inf",
        name="attenuation_depth_um",
        hint="float",
        note="Attenuation depth of the sensor; infinite: no depth effect at all.",
    ),
    number(
        "-detector_thick",
        "thickness of the sensor",
        "D",
        ("detector_thick",),
        unit=MICRON,
        names=(),
        whole=("-detector_thick",),
        default="0",
        name="thickness_um",
    ),
    whole(
        "-detector_thicksteps",
        "layers of the sensor",
        "N",
        ("detector_thicksteps",),
        unset=Unset.NOT_POSITIVE,
        allowed=at_most(MAX_LAYERS),
        names=("-detector_thicksteps", "-thicksteps"),
        name="thicksteps",
    ),
    spelling("-curved_det", CURVED, True),
    spelling("-point_pixel", POINT_PIXEL, True),
    whole(
        "-roi",
        "render a part only: fast min and max, slow min and max, inclusive",
        "F0 F1 S0 S1",
        ("roi",),
        unset=Unset.NEGATIVE,
        allowed=INTEGER,
        strict=INTEGER,
        name="roi",
        hint="Sequence[int]",
        note="Fast first and last, slow first and last; inclusive.",
    ),
)

AXES = (
    spelling("-mosflm", CONVENTION, "mosflm", "beam center and axes as MOSFLM has them (default)"),
    spelling("-denzo", CONVENTION, "denzo", "as DENZO: MOSFLM without its half pixel"),
    spelling("-adxv", CONVENTION, "adxv", "as ADXV"),
    spelling("-xds", CONVENTION, "xds", "as XDS"),
    spelling("-dials", CONVENTION, "dials", "as DIALS"),
    number(
        "-beam_vector",
        "direction of the beam; like each vector below it selects axes of your own",
        "X Y Z",
        ("beam_vector",),
        sets=_CUSTOM,
        default="1 0 0",
        name="beam_vector",
    ),
    number(
        "-fdet_vector",
        "direction of a row of pixels",
        "X Y Z",
        ("fdet_vector",),
        sets=_CUSTOM,
        default="0 0 1",
        name="fdet_vector",
    ),
    number(
        "-sdet_vector",
        "direction of a column of pixels",
        "X Y Z",
        ("sdet_vector",),
        sets=_CUSTOM,
        default="0 -1 0",
        name="sdet_vector",
    ),
    number(
        "-odet_vector",
        "direction of growing detector distance",
        "X Y Z",
        ("odet_vector",),
        sets=_CUSTOM,
        default="1 0 0",
        name="odet_vector",
    ),
    number(
        "-polar_vector",
        "direction of the polarization",
        "X Y Z",
        ("polar_vector",),
        sets=_CUSTOM,
        default="0 0 1",
        name="polar_vector",
    ),
    number(
        "-spindle_axis", "axis of phi", "X Y Z", ("spindle_axis",), sets=_CUSTOM, default="0 0 1", name="spindle_axis"
    ),
    number(
        "-twotheta_axis",
        "axis of 2theta",
        "X Y Z",
        ("twotheta_axis",),
        sets=_CUSTOM,
        default="0 1 0",
        name="twotheta_axis",
    ),
    number(
        "-pix0_vector",
        "from the sample to the corner of the first pixel, before any rotation; used with -semantics exact only",
        "X Y Z",
        ("pix0_vector",),
        unit=METRE,
        sets=_CUSTOM,
    ),
    number("-pix0_vector_mm", "the same", "X Y Z", ("pix0_vector",), unit=MM, sets=_CUSTOM, name="pix0_vector_mm"),
)

# Beside -expt these would place or size the detector, or mean a frame that is not the file's. A mask's header does not
# count there.
PLACING = {row.parameter.name if isinstance(row, Option) else row.name for row in (*DETECTOR, *AXES)} - {
    "expt",
    "mask",
    "polar_vector",
    "spindle_axis",
}
