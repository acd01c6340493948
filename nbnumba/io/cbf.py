"""Mini-CBF images: 32-bit pixels, compressed by differences, behind a short text header."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..util.text import NUMBER
from .atomic import PathLike, whole_file
from .opening import label, opened

_NUMBER = re.compile(NUMBER, re.ASCII)
START = b"\x0c\x1a\x04\xd5"  # stands before the pixels
_SECTION = b"--CIF-BINARY-FORMAT-SECTION--"
_PADDING = 4095  # bytes of zero behind the pixels, as detectors write them: readers may look ahead


class OtherCoding(InputError):
    """The pixels of a CBF image are coded in a way that is not read here."""


NO_SENSOR = 1e-9  # m; readers want a thickness


@dataclass(frozen=True)
class CbfFields:
    """What a header says about the experiment; lengths in meters, angles in degrees.

    Attributes
    ----------
    beam_fast, beam_slow : float
        Where the beam meets the detector, from the outer corner of the first pixel [pixels].
    thickness : float
        Of the sensor; 0 when none is simulated, and no sensor is named.
    saturation : int
        The largest count.
    exposure : float [s]
    flux : float or None [photons/s]
    polarization : float or None
        Fraction of the intensity whose electric field lies along fast, 0.5 for an unpolarized beam.
    """

    pixel_size: float
    thickness: float
    exposure: float
    saturation: int
    wavelength: float
    distance: float
    beam_fast: float
    beam_slow: float
    start_angle: float
    angle_increment: float
    flux: float | None = None
    polarization: float | None = None


def header_lines(fields: CbfFields, truth: Sequence[tuple[str, str]] = (), moment: datetime | None = None) -> list[str]:
    """Return the lines of a header, without the "# " that each begins with in the file.

    Parameters
    ----------
    fields : CbfFields
    truth : sequence of (key, value)
        Further lines. Values must hold no word that a reader may look for.
    moment : datetime, optional
        When the image was made; now by default.
    """
    moment = datetime.now(UTC) if moment is None else moment
    pixel = f"{fields.pixel_size:.15g}"
    lines = [
        "Detector: simulated, S/N nbnumba",
        # No zone: readers take it for universal time and fail at a letter after it.
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3],
        f"Pixel_size {pixel} m x {pixel} m",
    ]
    lines += [
        # Without it DIALS takes the detector for a CCD, and looks for larger spots.
        f"Silicon sensor, thickness {fields.thickness or NO_SENSOR:.15g} m",
        f"Exposure_time {fields.exposure:.9g} s",
        f"Exposure_period {fields.exposure:.9g} s",
        f"Count_cutoff {fields.saturation} counts",
        f"Wavelength {fields.wavelength * 1e10:.15g} A",
        f"Detector_distance {fields.distance:.15g} m",
        f"Beam_xy ({fields.beam_fast:.15g}, {fields.beam_slow:.15g}) pixels",
        f"Start_angle {fields.start_angle:.12g} deg.",
        f"Angle_increment {fields.angle_increment:.12g} deg.",
    ]
    if fields.flux is not None:
        lines.append(f"Flux {fields.flux:.12g}")
    if fields.polarization is not None:
        lines.append(f"Polarization {fields.polarization:.9g}")
    return lines + [f"{key} {value}" for key, value in truth]


def write(path: PathLike, counts: NDArray[np.int32], lines: Sequence[str], name: str = "image") -> None:
    """Write an image.

    Parameters
    ----------
    path : str or path
        The file to write.
    counts : (n_slow, n_fast) int32
        The pixels.
    lines : sequence of str
        From `header_lines`.
    name : str
        What the data block is called; signs other than letters, digits, "_", "-" and "." become "_".

    Raises
    ------
    FileError
        The file cannot be written.
    """
    from fabio.compression import compByteOffset

    pixels = np.ascontiguousarray(counts, dtype=np.int32)
    n_slow, n_fast = pixels.shape
    packed = compByteOffset(pixels.reshape(-1))
    block = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "_-.") else "_" for sign in name) or "image"
    text = [
        "###CBF: VERSION 1.5",
        "",
        f"data_{block}",
        "",
        '_array_data.header_convention "GENERIC_MINI"',
        "_array_data.header_contents",
        ";",
        *(f"# {line}" for line in lines),
        ";",
        "",
        "_array_data.data",
        ";",
        _SECTION.decode(),
        "Content-Type: application/octet-stream;",
        '     conversions="x-CBF_BYTE_OFFSET"',
        "Content-Transfer-Encoding: BINARY",
        f"X-Binary-Size: {len(packed)}",
        "X-Binary-ID: 1",
        'X-Binary-Element-Type: "signed 32-bit integer"',
        "X-Binary-Element-Byte-Order: LITTLE_ENDIAN",
        f"Content-MD5: {base64.b64encode(hashlib.md5(packed, usedforsecurity=False).digest()).decode()}",
        f"X-Binary-Number-of-Elements: {pixels.size}",
        f"X-Binary-Size-Fastest-Dimension: {n_fast}",
        f"X-Binary-Size-Second-Dimension: {n_slow}",
        f"X-Binary-Size-Padding: {_PADDING}",
        "",
        "",
    ]
    with whole_file(path) as file:
        file.write("\r\n".join(text).encode("ascii"))
        file.write(START)
        file.write(packed)
        file.write(bytes(_PADDING))
        file.write(b"\r\n" + _SECTION + b"--\r\n;\r\n")


def read(path: PathLike, option: str = "") -> NDArray[np.int32]:
    """Read the pixels of an image that `write` has written, or of one like it.

    Returns
    -------
    (n_slow, n_fast) int32

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        The file is no mini-CBF, is cut short or damaged.
    """
    return _pixels(_content(path, option), label(option, path))


def _depth(thickness: float) -> float:
    return 0.0 if thickness == NO_SENSOR else thickness


def read_header(path: PathLike, option: str = "", partly: bool = False) -> CbfFields:
    """Read what the header says about the experiment.

    Parameters
    ----------
    path : str or path
    option : str
        What messages begin with.
    partly : bool
        Whether pixel size, wavelength, distance and beam center may be missing, and are then NaN.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        The header leaves out what it must say.
    """
    name, data = label(option, path), _content(path, option)
    lines = data[: data.find(_SECTION)].decode("latin-1").splitlines()
    said: dict[str, list[float]] = {}
    for line in lines:
        key, _, rest = line.removeprefix("# ").partition(" ")
        if line.startswith("# ") and key not in said:
            said[key.rstrip(":=")] = [float(number) for number in _NUMBER.findall(rest)]

    def value(key: str, place: int = 0, default: float | None = None) -> float:
        numbers = said.get(key, [])
        if len(numbers) > place:
            return numbers[place]
        if default is None and partly:
            return math.nan
        if default is None:
            raise InputError(f"{name}: its header does not say {key}")
        return default

    return CbfFields(
        pixel_size=value("Pixel_size"),
        thickness=_depth(value("Silicon", default=0.0)),
        exposure=value("Exposure_time", default=1.0),
        saturation=int(value("Count_cutoff", default=float(2**31 - 1))),
        wavelength=value("Wavelength") * 1e-10,
        distance=value("Detector_distance"),
        beam_fast=value("Beam_xy"),
        beam_slow=value("Beam_xy", 1),
        start_angle=value("Start_angle", default=0.0),
        angle_increment=value("Angle_increment", default=0.0),
        flux=said["Flux"][0] if said.get("Flux") else None,
        polarization=said["Polarization"][0] if said.get("Polarization") else None,
    )


def read_size(path: PathLike, option: str = "") -> tuple[int, int]:
    """Read how many pixels an image has, slow and fast.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It does not say.
    """
    data = _content(path, option)
    section, start = data.find(_SECTION), data.find(START)
    said = _said(data[max(section, 0) : start]) if start > 0 else {}
    try:
        shape = int(said["X-Binary-Size-Second-Dimension"]), int(said["X-Binary-Size-Fastest-Dimension"])
    except (KeyError, ValueError):
        raise InputError(f"{label(option, path)}: does not say how many pixels it holds") from None
    if min(shape) < 1:
        raise InputError(f"{label(option, path)}: holds no pixels")
    return shape


def _said(section: bytes) -> dict[str, str]:
    """Return the lines KEY: VALUE of the binary section."""
    lines = (line.partition(":") for line in section.decode("latin-1").splitlines())
    return {key.strip(): value.strip().strip('"') for key, _, value in lines}


def _content(path: PathLike, option: str) -> bytes:
    with opened(path, option) as file:
        return file.read()


def _pixels(data: bytes, name: str) -> NDArray[np.int32]:
    from fabio.compression import decByteOffset

    if not data.startswith(b"###CBF"):
        raise InputError(f"{name}: not a CBF image: it does not begin with ###CBF")
    section, start = data.find(_SECTION), data.find(START)
    if section < 0 or start < section:
        raise InputError(f"{name}: holds no pixels")
    said = _said(data[section:start])
    if b"x-CBF_BYTE_OFFSET" not in data[section:start] or said.get("X-Binary-Element-Type") != "signed 32-bit integer":
        raise OtherCoding(f"{name}: only signed 32-bit pixels in the compression x-CBF_BYTE_OFFSET can be read")
    try:
        size = int(said["X-Binary-Size"])
        shape = int(said["X-Binary-Size-Second-Dimension"]), int(said["X-Binary-Size-Fastest-Dimension"])
        count = int(said["X-Binary-Number-of-Elements"])
    except (KeyError, ValueError):
        raise InputError(f"{name}: does not say how many pixels it holds") from None
    packed = data[start + len(START) :][: max(size, 0)]
    digest = base64.b64encode(hashlib.md5(packed, usedforsecurity=False).digest()).decode()
    if len(packed) < size or size < 1 or min(shape) < 1 or said.get("Content-MD5", digest) != digest:
        raise InputError(f"{name}: cut short or damaged: {len(packed)} of {size} bytes of pixels")
    # A byte holds one pixel at most: more cannot be in there.
    pixels = np.asarray(decByteOffset(packed, size=count) if 1 <= count <= size else ())
    if pixels.size != shape[0] * shape[1]:
        raise InputError(f"{name}: damaged: holds {pixels.size} pixels, not {shape[1]} x {shape[0]}")
    return pixels.astype(np.int32).reshape(shape)
