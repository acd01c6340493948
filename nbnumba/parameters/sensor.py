"""Parameters of the sensor, and of which pixels are computed."""

from __future__ import annotations

from .detector import CURVED, MAX_SIDE, POINT_PIXEL
from .types import INTEGER, MICRON, NOT_NEGATIVE, POSITIVE, Unset, at_most, number, special, spelling, whole

MAX_LAYERS = 1_000_000

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
        varies=POSITIVE,
        note="Attenuation depth of the sensor; infinite: no depth effect at all.",
        states=("sensor",),
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
        varies=NOT_NEGATIVE,
        states=("sensor",),
    ),
    whole(
        "-detector_thicksteps",
        "layers of the sensor",
        "N",
        ("detector_thicksteps",),
        unset=Unset.NOT_POSITIVE,
        allowed=at_most(MAX_LAYERS),
        names=("-detector_thicksteps", "-thicksteps"),
        default="2 with -detector_thick",
        name="thicksteps",
        states=("sensor",),
    ),
    spelling("-curved_det", CURVED, True),
    spelling("-point_pixel", POINT_PIXEL, True),
    whole(
        "-panel",
        "render this panel alone, counted from 0; of several, -roi and -trace_pixel need it",
        "N",
        ("panel",),
        allowed=at_most(MAX_SIDE),
        own=True,
        name="panel",
        note="The panel that alone is rendered, and that roi is of; counted from 0.",
    ),
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
        states=("region",),
    ),
)
