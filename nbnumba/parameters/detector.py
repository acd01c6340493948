"""Options of the detector: size, place, sensor, conventions and axes."""

from __future__ import annotations

from .choices import Convention, Pivot
from .types import (
    DEGREE,
    INTEGER,
    METRE,
    MICRON,
    MM,
    NOT_ZERO,
    PIXEL,
    POSITIVE,
    Range,
    Unset,
    at_most,
    filename,
    flag,
    number,
    special,
    whole,
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
    ),
    number(
        "-close_distance",
        "from the sample to the nearest point of the detector plane; beats -distance",
        "D",
        ("close_distance",),
        unit=MM,
        allowed=POSITIVE,
        sets=_SAMPLE_FIRST,
    ),
    number("-pixel", "edge of a pixel", "D", ("pixel_size",), unit=MM, allowed=POSITIVE, default="0.1"),
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
        names=(),
        whole=("-detpixels",),
    ),
    whole(
        "-detpixels_f",
        "pixels in a row",
        "N",
        ("pixels_fast",),
        unset=Unset.NOT_POSITIVE,
        allowed=_SIDE,
        names=("-detpixels_f", "-detpixels_x"),
    ),
    whole(
        "-detpixels_s",
        "pixels in a column",
        "N",
        ("pixels_slow",),
        unset=Unset.NOT_POSITIVE,
        allowed=_SIDE,
        names=("-detpixels_s", "-detpixels_y"),
    ),
    number("-Xbeam", "beam centre, x of the convention", "D", ("Xbeam",), unit=MM, sets=_BEAM_CENTER, default="centre"),
    number("-Ybeam", "beam centre, y of the convention", "D", ("Ybeam",), unit=MM, sets=_BEAM_CENTER, default="centre"),
    number("-Xclose", "point nearest to the sample, fast", "D", ("Xclose",), unit=MM, sets=_FOOT_POINT),
    number("-Yclose", "point nearest to the sample, slow", "D", ("Yclose",), unit=MM, sets=_FOOT_POINT),
    number("-ORGX", "the same as XDS counts it, fast", "P", ("ORGX",), unit=PIXEL, sets=_FOOT_POINT),
    number("-ORGY", "the same as XDS counts it, slow", "P", ("ORGY",), unit=PIXEL, sets=_FOOT_POINT),
    number(
        "-beam_center_fast",
        "from the corner of the detector to the beam along a row of pixels, in any convention: shifts the detector in "
        "its plane",
        "D",
        ("beam_fast",),
        unit=MM,
        own=True,
    ),
    number("-beam_center_slow", "the same along a column", "D", ("beam_slow",), unit=MM, own=True),
    number("-detector_rotx", "turn the detector about x", "A", ("detector_rotx",), unit=DEGREE, default="0"),
    number("-detector_roty", "turn the detector about y", "A", ("detector_roty",), unit=DEGREE, default="0"),
    number("-detector_rotz", "turn the detector about z", "A", ("detector_rotz",), unit=DEGREE, default="0"),
    number(
        "-twotheta",
        "swing the detector about the 2theta axis",
        "A",
        ("twotheta",),
        unit=DEGREE,
        sets=_SAMPLE_FIRST,
        default="0",
    ),
    special("-pivot", "what stays in place when the detector turns: sample or beam", "WHAT", takes="sample or beam"),
    filename(
        "-expt",
        "take beam, every panel, crystal and the rotation of the first image (in 10 steps) from a DIALS .expt; options "
        "that place no detector count beside it",
        "FILE",
        ("expt_file",),
        own=True,
    ),
    filename("-img", "take defaults for the geometry from the header of an SMV image", "FILE", ("header_file",)),
    filename(
        "-mask",
        "SMV image whose zeros mark pixels to skip; its header counts like that of -img",
        "FILE",
        ("mask_file",),
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
    ),
    whole(
        "-detector_thicksteps",
        "layers of the sensor",
        "N",
        ("detector_thicksteps",),
        unset=Unset.NOT_POSITIVE,
        allowed=at_most(MAX_LAYERS),
        names=("-detector_thicksteps", "-thicksteps"),
    ),
    flag("-curved_det", "all pixels at the same distance from the sample", sets={"curved_detector": True}),
    flag("-point_pixel", "solid angle without the obliquity of the pixel", sets={"point_pixel": True}),
    whole(
        "-roi",
        "render a part only: fast min and max, slow min and max, inclusive",
        "F0 F1 S0 S1",
        ("roi",),
        unset=Unset.NEGATIVE,
        allowed=INTEGER,
    ),
)

AXES = (
    flag(
        "-mosflm",
        "beam centre and axes as MOSFLM has them (default)",
        sets={"convention": Convention.MOSFLM, **_BEAM_FIRST},
    ),
    flag("-denzo", "as DENZO: MOSFLM without its half pixel", sets={"convention": Convention.DENZO, **_BEAM_FIRST}),
    flag("-adxv", "as ADXV", sets={"convention": Convention.ADXV, **_BEAM_FIRST}),
    flag("-xds", "as XDS", sets={"convention": Convention.XDS, **_SAMPLE_FIRST}),
    flag("-dials", "as DIALS", sets={"convention": Convention.DIALS, **_BEAM_FIRST}),
    number(
        "-beam_vector",
        "direction of the beam; like each vector below it selects axes of your own",
        "X Y Z",
        ("beam_vector",),
        sets=_CUSTOM,
        default="1 0 0",
    ),
    number("-fdet_vector", "direction of a row of pixels", "X Y Z", ("fdet_vector",), sets=_CUSTOM, default="0 0 1"),
    number(
        "-sdet_vector", "direction of a column of pixels", "X Y Z", ("sdet_vector",), sets=_CUSTOM, default="0 -1 0"
    ),
    number(
        "-odet_vector",
        "direction of growing detector distance",
        "X Y Z",
        ("odet_vector",),
        sets=_CUSTOM,
        default="1 0 0",
    ),
    number("-polar_vector", "direction of the polarization", "X Y Z", ("polar_vector",), sets=_CUSTOM, default="0 0 1"),
    number("-spindle_axis", "axis of phi", "X Y Z", ("spindle_axis",), sets=_CUSTOM, default="0 0 1"),
    number("-twotheta_axis", "axis of 2theta", "X Y Z", ("twotheta_axis",), sets=_CUSTOM, default="0 1 0"),
    number(
        "-pix0_vector",
        "from the sample to the corner of the first pixel, before any rotation; used with -semantics exact only",
        "X Y Z",
        ("pix0_vector",),
        unit=METRE,
        sets=_CUSTOM,
    ),
    number("-pix0_vector_mm", "the same", "X Y Z", ("pix0_vector",), unit=MM, sets=_CUSTOM),
)
