"""Values that a parameter takes out of a few, and what an image is to be rendered by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Vector = tuple[float, float, float]

LAUE_GROUPS = ("-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m1", "-31m", "6/m", "6/mmm", "m-3", "m-3m")


class Semantics(StrEnum):
    """Which image to draw: the C program's own, or the same physics with its defects put right."""

    C = "c"
    EXACT = "exact"


class Shape(StrEnum):
    """Shape of the crystal, hence of its spots."""

    SQUARE = "square"
    ROUND = "round"
    GAUSS = "gauss"
    TOPHAT = "tophat"
    GAUSS_ABC = "gauss_abc"
    GAUSS_ARGCHK = "gauss_argchk"
    GAUSS_STAR = "gauss_star"
    TOPHAT_ABC = "tophat_abc"


class Spreading(StrEnum):
    """How mosaicity, bandwidth and divergence are drawn: by domains and sources, or in closed form."""

    SAMPLED = "sampled"
    CONTINUOUS = "continuous"


class MosaicModel(StrEnum):
    """How the rotations of mosaic domains are distributed; those of a file are listed there."""

    C = "c"
    GAUSS = "gauss"
    UNIFORM = "uniform"
    SIMTBX = "simtbx"
    DIFFBRAGG = "diffbragg"
    FILE = "file"


class PhiSampling(StrEnum):
    """Where in each phi step the crystal is drawn."""

    EDGE = "edge"
    MID = "mid"


class DiffuseAxes(StrEnum):
    """Along which axes the numbers of a diffuse halo are meant."""

    CRYSTAL = "crystal"  # a* along the first, b* in the plane of the first two
    DIAGONAL = "diagonal"  # a - b, a + b, c
    DIFFBRAGG = "diffbragg"  # those of the laboratory, the crystal turned by 45 degrees about c


class Convention(StrEnum):
    """Which program's beam center and axes are meant."""

    CUSTOM = "custom"
    ADXV = "adxv"
    MOSFLM = "mosflm"
    XDS = "xds"
    DIALS = "dials"
    DENZO = "denzo"


class Pivot(StrEnum):
    """What stays in place when the detector turns."""

    SAMPLE = "sample"
    BEAM = "beam"


@dataclass(frozen=True)
class ComputeOptions:
    """What does the arithmetic."""

    backend: str = "auto"  # "auto", "cpu", "cuda"
    threads: int | None = None  # None: every core this process may use
    precision: str = "auto"  # "auto", "double", "mixed"
    device: int | None = None  # GPU by its number; None: the first
