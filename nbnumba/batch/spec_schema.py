"""Keys of a SPEC, table by table; how values are drawn is read in `distributions`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

MAX_COUNT = 100_000_000
MAX_SEED = 2**63 - 1
_MOST_DEGREES = 1e6


def _whole(low: int, high: int) -> Any:
    return msgspec.Meta(ge=low, le=high, description=f"a whole number from {low} to {high}")


def _one_of(*allowed: str) -> Any:
    return msgspec.Meta(description=", ".join(allowed))


def _degrees(more: str = "") -> Any:
    allowed = f"a number of degrees{more}, of at most a million"
    return msgspec.Meta(ge=-_MOST_DEGREES, le=_MOST_DEGREES, description=allowed)


_SPOTS = 'true, false, "h5", "parquet" or "refl"'


class Common(msgspec.Struct, kw_only=True):
    """Keys of batches and of series; the description of each says what it takes."""

    command: Annotated[str, msgspec.Meta(pattern=r"\S", description="a command line of nbnumba, in quotes")]
    seed: Annotated[int, _whole(0, MAX_SEED)] = 0
    images_per_file: Annotated[int, _whole(1, MAX_COUNT)] = 250
    dtype: Annotated[Literal["float32", "int32", "uint16"], _one_of("float32", "int32", "uint16")] = "uint16"
    noise: Annotated[bool, msgspec.Meta(description="true or false")] = True
    spots: Annotated[bool | Literal["h5", "parquet", "refl"], msgspec.Meta(description=_SPOTS)] = False
    truth: Annotated[bool, msgspec.Meta(description="true or false")] = False
    noise_rng: Annotated[Literal["counter", "c"], _one_of("counter", "c")] = "counter"
    semantics: Annotated[Literal["exact", "c"], _one_of("exact", "c")] = "exact"
    backend: Annotated[Literal["auto", "cpu", "cuda"], _one_of("auto", "cpu", "cuda")] = "auto"
    precision: Annotated[Literal["auto", "double", "mixed"], _one_of("auto", "double", "mixed")] = "auto"


class Top(Common, kw_only=True):
    """Keys of a batch, apart from the table [vary]."""

    count: Annotated[int, _whole(1, MAX_COUNT)]


class Varying(msgspec.Struct, kw_only=True):
    """Keys of a table [vary] that hold no way to draw."""

    orientation: Annotated[Literal["random"], msgspec.Meta(description='"random"')] | None = None
    csv: Annotated[str, msgspec.Meta(pattern=r"\A[^\0]+\Z", description="the name of a file, in quotes")] | None = None


class Rotation(msgspec.Struct, kw_only=True):
    """Keys of a table [series], apart from its own table [vary]."""

    phi0_deg: Annotated[float, _degrees()] = 0.0
    osc_deg: Annotated[float, _degrees(" other than 0")]
    images: Annotated[int, _whole(1, MAX_COUNT)]
    format: Annotated[Literal["h5", "cbf", "img"], _one_of("h5", "cbf", "img")] = "h5"
    name: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,60}\Z", description="a name of letters, digits, _ - and ."
            ),
        ]
        | None
    ) = None
    options: Annotated[str, msgspec.Meta(description="options of nbnumba, in quotes")] = ""
    seed: Annotated[int, _whole(0, MAX_SEED)] | None = None
