"""SMV images: 16-bit pixels behind a text header of KEY=VALUE lines."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..constants import DEGREES_PER_RADIAN
from ..errors import InputError
from ..util.regions import Roi, converted_rows
from ..util.text import quote
from .atomic import PathLike, whole_file, write_array
from .opening import is_regular, label, opened

SIGNATURES = b"{\nHEADER_BYTES", b"{\r\nHEADER_BYTES"  # some programs end lines as Windows does
_LARGEST_HEADER = 1 << 24  # bytes
_LARGEST_SIDE = 1 << 16  # pixels
_TYPE = re.compile(r"^(?:Data_type|TYPE)\s*=\s*([^;\n]*)", re.MULTILINE)
_BYTE_ORDER = re.compile(r"BYTE_ORDER[ \t]*=[ \t]*([^\n]*)")
_NOT_SIXTEEN_BITS = re.compile(r"long|float|double|char|byte|32|64|compressed", re.IGNORECASE)

_NUMBER = re.compile(
    r"[ \t\n\v\f\r]*([+-]?)(?:(0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+)?)"
    r"|((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(inf|nan))",
    re.IGNORECASE,
)


def atof(text: str) -> float:
    """Return the number that a text begins with, 0.0 when it begins with none, as C's function does."""
    match = _NUMBER.match(text)
    if match is None:
        return 0.0
    sign, hexadecimal, decimal, word = match.groups()
    try:
        value = float.fromhex(hexadecimal) if hexadecimal else float(decimal or word)
    except OverflowError:
        value = math.inf
    return -value if sign == "-" else value


@dataclass(frozen=True, eq=False)
class SmvHeader:
    """The header of an SMV image.

    Attributes
    ----------
    text : str
        The header up to its size or to the first null character.
    header_bytes : int
        Where the pixels begin in the file.
    n_slow, n_fast : int
        Size of the image [pixels].
    byte_order : str
        "little" or "big".
    """

    text: str
    header_bytes: int
    n_slow: int
    n_fast: int
    byte_order: str

    @property
    def shape(self) -> tuple[int, int]:
        """(n_slow, n_fast)."""
        return self.n_slow, self.n_fast

    def value_of(self, keyword: str) -> float:
        """Return the number that a keyword stands for; NaN when the header does not hold it.

        Notes
        -----
        As C (nanoBragg.c:4236): the *last* place where the keyword occurs counts, inside longer words and
        inside values too, so DISTANCE finds CLOSE_DISTANCE. The value stands behind the next "=", and
        text that is not a number is 0.
        """
        return _value_of(self.text, keyword)


@dataclass(frozen=True, eq=False)
class SmvImage(SmvHeader):
    """An SMV image: its header and `data`, (n_slow, n_fast) uint16."""

    data: NDArray[np.uint16]


def _value_of(text: str, keyword: str) -> float:
    end = 0
    while (found := text.find(keyword, end)) >= 0:
        end = found + len(keyword)
    if end == 0:
        return math.nan
    equals = text.find("=", end)
    return 0.0 if equals < 0 else atof(text[equals + 1 :])


def read_header(path: PathLike, option: str = "") -> SmvHeader:
    """Read the header alone; the pixels need not be there.

    Parameters
    ----------
    path : str or path
        The image.
    option : str
        The option that named the file, for messages.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        The file is no SMV image, or its header makes no sense.
    """
    with opened(path, option) as file:
        return header_from(file, label(option, path))


def read(path: PathLike, option: str = "") -> SmvImage:
    """Read an image.

    Parameters
    ----------
    path : str or path
        The image.
    option : str
        The option that named the file, for messages.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        The file is no SMV image, its header makes no sense, its pixels do not have 16 bits, or it is too short.
    """
    with opened(path, option) as file:
        name = label(option, path)
        return image_from(file, header_from(file, name), name)


def image_from(file: BinaryIO, header: SmvHeader, name: str) -> SmvImage:
    """Read the pixels behind a header; see `read`."""
    for kind in _TYPE.findall(header.text):
        if _NOT_SIXTEEN_BITS.search(kind):
            raise InputError(f"{name}: TYPE is {quote(kind)}; only 16-bit pixels (unsigned_short) can be read")
    expected = 2 * header.n_slow * header.n_fast
    found = os.fstat(file.fileno()).st_size - header.header_bytes
    pixels = b""
    if found >= expected or not is_regular(file):
        pixels = file.read(expected)
        found = len(pixels)
    # C differs: there missing pixels are 0.
    if found < expected:
        raise InputError(
            f"{name}: cut short: {found} bytes behind a header of {header.header_bytes}; "
            f"{header.n_fast} x {header.n_slow} pixels take {expected}"
        )
    # C differs: there the bytes are never swapped.
    data = np.frombuffer(pixels, dtype="<u2" if header.byte_order == "little" else ">u2")
    return SmvImage(
        **{key: getattr(header, key) for key in SmvHeader.__dataclass_fields__},
        data=data.astype(np.uint16).reshape(header.shape),
    )


def header_from(file: BinaryIO, name: str) -> SmvHeader:
    """Read the header from an open file, which messages call by a name; leave the file at the first pixel."""
    start = file.read(512)
    if not start.startswith(SIGNATURES):
        raise InputError(f"{name}: not an SMV image: begins with {quote(start[:14])}, not {quote(SIGNATURES[0])}")
    text = start.split(b"\0", 1)[0].decode("latin-1")
    stated = _value_of(text, "HEADER_BYTES")
    if not 16 <= stated <= _LARGEST_HEADER:
        raise InputError(f"{name}: HEADER_BYTES is {stated:g}; allowed are 16 to {_LARGEST_HEADER}")
    header_bytes = int(stated)
    block = start[:header_bytes] + file.read(max(header_bytes - len(start), 0))
    if len(block) < header_bytes:
        raise InputError(f"{name}: cut short: {len(block)} bytes of a header of {header_bytes}")
    if header_bytes < len(start):
        file.seek(header_bytes)
    text = block.split(b"\0", 1)[0].decode("latin-1")

    n_fast, n_slow = _value_of(text, "SIZE1"), _value_of(text, "SIZE2")
    if math.isnan(n_fast) or abs(n_fast) < 1.0:
        n_fast = n_slow = _value_of(text, "DETECTOR_DIMENSIONS")
    for key, size in (("SIZE1", n_fast), ("SIZE2", n_slow)):
        if not 1 <= size <= _LARGEST_SIDE:
            found = "missing" if math.isnan(size) else f"{size:g}"
            raise InputError(f"{name}: {key} is {found}; allowed are 1 to {_LARGEST_SIDE} pixels")

    byte_order = "little"
    stated_orders = _BYTE_ORDER.findall(text)
    if stated_orders:
        stated_order = stated_orders[-1]
        if not stated_order.startswith(("little_endian", "big_endian")):
            raise InputError(f"{name}: BYTE_ORDER is {quote(stated_order)}; allowed are little_endian and big_endian")
        byte_order = stated_order.partition("_")[0]
    return SmvHeader(text, header_bytes, int(n_slow), int(n_fast), byte_order)


@dataclass(frozen=True)
class SmvFields:
    """What a header says about the experiment; lengths in meters, angles in radians.

    Attributes
    ----------
    n_fast, n_slow : int
        Size of the image [pixels].
    Xbeam, Ybeam : float
        The beam center in the convention of the command line [m].
    Fbeam, Sbeam : float
        The beam center along fast and slow from the corner of the first pixel [m].
    detsize_s : float
        Length of the detector along slow [m].
    dials_origin_mm : (3,)
        Corner of the first pixel in DIALS' frame [mm].
    ORGX, ORGY : float
        Point of closest approach in the convention of XDS [pixels].
    phi, osc : float
        Start and width of the rotation [rad].
    adc : float
        What is added to every pixel.
    """

    n_fast: int
    n_slow: int
    pixel_size: float
    distance: float
    wavelength: float
    Xbeam: float
    Ybeam: float
    Fbeam: float
    Sbeam: float
    detsize_s: float
    dials_origin_mm: tuple[float, float, float]
    ORGX: float
    ORGY: float
    close_distance: float
    phi: float
    osc: float
    twotheta: float
    adc: float


def header(fields: SmvFields, style: str, truth: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return a header, padded to a multiple of 512 bytes.

    Parameters
    ----------
    fields : SmvFields
        What to say.
    style : str
        "c": byte for byte what C writes, BEAM_CENTER in the convention of the command line.
        "dials": BEAM_CENTER_X/Y along slow and fast from the corner, which dxtbx's ADSC reader takes as they are.
        "adxv": BEAM_CENTER_X/Y such that dxtbx's reader for BEAMLINE=fake, which takes them for ADXV's
        and adds a pixel to each, finds the beam.
    truth : sequence of (key, value)
        Further lines, behind the others; left out of style "c". They must hold none of the keywords of a header.

    Returns
    -------
    bytes
        512 bytes where the text fits, else the next multiple.

    Raises
    ------
    ValueError
        The style is none of the three, or a further line would end before its end or hold two values.

    Notes
    -----
    The format knows neither tilt nor 2theta: a header is true only for a flat detector perpendicular to the
    beam. C's text is at nanoBragg.c:3158-3182. The numbers of the other styles carry 12 digits.
    """
    lines = _lines(fields, style)
    if style != "c":
        lines += "".join(map(_further_line, truth))
    size = 512
    while True:
        text = f"{{\nHEADER_BYTES={size};\n{lines}}}\f".encode("ascii")
        # C differs: a text beyond 512 bytes still says 512, and the pixels begin where the text ends.
        if len(text) <= size:
            return text.ljust(size, b" ")
        size += 512


def _further_line(pair: tuple[str, str]) -> str:
    text = "".join(pair)
    if not text.isascii() or not text.isprintable() or set("=;{}") & set(text):
        raise ValueError(f"a header cannot hold the line {quote('='.join(pair))}")
    key, value = pair
    return f"{key}={value};\n"


def _lines(fields: SmvFields, style: str) -> str:
    """Return the lines between HEADER_BYTES and the closing brace."""
    if style == "c":
        center, digits, origin_end, beamline = (fields.Xbeam, fields.Ybeam), "g", "", "fake"
    elif style == "dials":
        center, digits, origin_end, beamline = (fields.Sbeam, fields.Fbeam), ".12g", ";", "nbnumba"
    elif style == "adxv":
        pixel = fields.pixel_size
        center = (fields.Fbeam - pixel, fields.detsize_s - fields.Sbeam + pixel)
        digits, origin_end, beamline = ".12g", ";", "fake"
    else:
        raise ValueError(f"header style {style!r}; allowed are c, dials and adxv")

    def mm(length: float) -> str:
        return format(length * 1000.0, digits)

    def degrees(angle: float) -> str:
        return format(angle * DEGREES_PER_RADIAN, digits)

    half = 0.5 * fields.pixel_size
    origin = ",".join(format(coordinate, digits) for coordinate in fields.dials_origin_mm)
    pairs = [
        ("DIM", "2"),
        ("BYTE_ORDER", "little_endian"),
        ("TYPE", "unsigned_short"),
        ("SIZE1", str(fields.n_fast)),
        ("SIZE2", str(fields.n_slow)),
        ("PIXEL_SIZE", mm(fields.pixel_size)),
        ("DISTANCE", mm(fields.distance)),
        ("WAVELENGTH", format(fields.wavelength * 1e10, digits)),
        ("BEAM_CENTER_X", mm(center[0])),
        ("BEAM_CENTER_Y", mm(center[1])),
        ("ADXV_CENTER_X", mm(fields.Fbeam)),
        ("ADXV_CENTER_Y", mm(fields.detsize_s - fields.Sbeam)),
        ("MOSFLM_CENTER_X", mm(fields.Sbeam - half)),
        ("MOSFLM_CENTER_Y", mm(fields.Fbeam - half)),
        ("DENZO_X_BEAM", mm(fields.Sbeam)),
        ("DENZO_Y_BEAM", mm(fields.Fbeam)),
        ("DIALS_ORIGIN", origin),
        ("XDS_ORGX", format(fields.ORGX, digits)),
        ("XDS_ORGY", format(fields.ORGY, digits)),
        ("CLOSE_DISTANCE", mm(fields.close_distance)),
        ("PHI", degrees(fields.phi)),
        ("OSC_START", degrees(fields.phi)),
        ("OSC_RANGE", degrees(fields.osc)),
        ("TWOTHETA", degrees(fields.twotheta)),
        ("DETECTOR_SN", "000"),
        ("BEAMLINE", beamline),
    ]
    if style != "c":
        # No TIME or DATE: with them dxtbx would choose a reader that makes assumptions about one beamline.
        adc = format(fields.adc, digits)
        pairs += [("ADC_OFFSET", adc), ("IMAGE_PEDESTAL", adc), ("GAIN", "1")]
    # as C: the line of the origin has no semicolon.
    return "".join(f"{key}={value}{origin_end if key == 'DIALS_ORIGIN' else ';'}\n" for key, value in pairs)


def write(path: PathLike, data: NDArray[np.uint16], header_bytes: bytes) -> None:
    """Write an image.

    Parameters
    ----------
    path : str or path
        The file to write.
    data : (n_slow, n_fast) uint16
        The pixels, written little endian.
    header_bytes : bytes
        From `header`.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    write_rows(path, [data], header_bytes)


def write_rows(path: PathLike, blocks: Iterable[NDArray[np.uint16]], header_bytes: bytes) -> None:
    """Write an image that comes in blocks of rows; see `write`."""
    with whole_file(path) as file:
        file.write(header_bytes)
        for block in blocks:
            write_array(file, np.ascontiguousarray(block, dtype="<u2"))


def automatic_scale(maximum: float) -> float:
    """Return the counts per photon when -scale is not given: the brightest pixel becomes 55000."""
    return 55000.0 / maximum if maximum > 0.0 else 1.0


def int_rows(image: NDArray[np.float32], scale: float, adc: float, roi: Roi | None = None) -> Iterator[NDArray[Any]]:
    """Scale a float image to counts.

    Parameters
    ----------
    image : (n_slow, n_fast) float32 [photons/pixel]
        The image.
    scale : float
        Counts per photon.
    adc : float
        Added to every pixel.
    roi : (fast_min, fast_max, slow_min, slow_max), optional
        Inclusive bounds [pixels]; pixels outside hold 0, not `adc`.

    Yields
    ------
    (rows, n_fast) uint16
        One block of rows after another, in the same memory. NaN, for which C's conversion is undefined, becomes 0.

    Notes
    -----
    value * scale + adc in float64, clipped to 0..65535, plus a half, rounded to float32, truncated
    (nanoBragg.c:3140-3153). Rounding to float32 lifts a value just below a half-integer to the next count.
    """

    def convert(value: NDArray[np.float64], counts: NDArray[Any]) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            value *= scale
            value += adc
            value += 0.5
            rounded = value.astype(np.float32)
        if not (rounded.min() >= 0.0 and rounded.max() < 65536.0):  # to clip now gives the same counts, and takes less
            np.nan_to_num(np.clip(rounded, 0.0, 65535.0, out=rounded), copy=False)
        counts[...] = rounded

    return converted_rows(image, roi, np.uint16, convert)
