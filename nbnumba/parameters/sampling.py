"""Parameters of goniometer and sampling."""

from __future__ import annotations

from .choices import PhiSampling
from .steps import MAX_OVERSAMPLE, MAX_STEPS
from .types import (
    ANGSTROM_BY_PRODUCT,
    ANY,
    DEGREE,
    NOT_NEGATIVE,
    Unit,
    Unset,
    at_most,
    choice,
    number,
    spelling,
    whole,
    yes_or_no,
)

OVERSAMPLE_THICK = yes_or_no("oversample_thick", "sensor absorption anew for every sub-pixel")
OVERSAMPLE_POLAR = yes_or_no("oversample_polar", "polarization anew for every sub-pixel")
OVERSAMPLE_OMEGA = yes_or_no("oversample_omega", "solid angle anew for every sub-pixel")

GONIOMETER = (
    number(
        "-phi",
        "spindle angle at the start",
        "A",
        ("phi",),
        unit=DEGREE,
        names=(),
        whole=("-phi",),
        default="0",
        name="phi_deg",
        varies=ANY,
    ),
    number(
        "-osc",
        "rotation range; below 0 the other way round, with -semantics exact only",
        "A",
        ("osc",),
        unit=DEGREE,
        default="0",
        name="osc_deg",
        varies=ANY,
        note='Rotation range; below 0 the other way round, with `semantics="exact"` only [deg].',
    ),
    number(
        "-phistep",
        "angle between steps",
        "A",
        ("phistep",),
        unit=DEGREE,
        unset=Unset.NEGATIVE,
        names=(),
        whole=("-phistep",),
        name="phistep_deg",
    ),
    whole(
        "-phisteps",
        "number of steps",
        "N",
        ("phisteps",),
        unset=Unset.NEGATIVE,
        allowed=at_most(MAX_STEPS),
        default="2 with -osc, or by -phistep; in series by the rocking curves",
        name="phisteps",
    ),
    choice(
        "-phi_sampling",
        "where in each step the crystal is drawn: at its start, as nanoBragg does, or in its middle, as programs "
        "expect that read the range from a file",
        "edge|mid",
        ("phi_sampling",),
        choices=tuple(PhiSampling),
        default="edge; in Python, batches and series mid",
        unit=Unit("", PhiSampling),
        name="phi_sampling",
        states=(),
        note='Where in each phi step the crystal is drawn: "mid" (default), its middle; "edge", its start, as C does.',
    ),
)

SAMPLING = (
    whole(
        "-oversample",
        "sub-pixels along each edge of a pixel",
        "N",
        ("oversample",),
        unset=Unset.NOT_POSITIVE,
        allowed=at_most(MAX_OVERSAMPLE),
        default="by crystal size",
        name="oversample",
    ),
    spelling("-oversample_thick", OVERSAMPLE_THICK, True),
    spelling("-oversample_polar", OVERSAMPLE_POLAR, True),
    spelling("-oversample_omega", OVERSAMPLE_OMEGA, True),
    number(
        "-dmin",
        "leave out what lies beyond this resolution",
        "D",
        ("dmin",),
        unit=ANGSTROM_BY_PRODUCT,
        default="0",
        name="dmin_A",
    ),
    number(
        "-spot_cutoff",
        "photons, in all, that Gaussian spots may lack in a pixel because they are cut off",
        "PHOTONS",
        ("spot_cutoff",),
        allowed=NOT_NEGATIVE,
        own=True,
        default="0: cut off where float32 cannot hold them, or in closed form not beside the brightest spot",
        name="spot_cutoff_photons",
    ),
)
