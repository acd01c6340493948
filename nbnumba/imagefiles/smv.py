"""SMV images of an experiment: what their headers say, and what those of others say."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..detector.model import Detector
from ..errors import InputError
from ..experiment.geometry import Goniometer
from ..experiment.geometry_only import build_geometry
from ..geometry.vectors import Array
from ..io import smv
from ..parameters.choices import Semantics
from ..parameters.command import CommandLine, Output
from ..util.messages import logger
from ..util.regions import roi_slices, row_blocks
from .headers import gives_beam_center, header_warnings, settings_beside, truth_lines
from .records import ImageRecord, LoadedImage, SaveOptions, Source, image_of_options, note_clipped

# What a header should say, and the parameters that say it instead.
_SAY: dict[str, tuple[str, ...]] = {
    "PIXEL_SIZE": ("pixel_mm",),
    "DISTANCE": ("distance_mm", "close_distance_mm"),
    "WAVELENGTH": ("wavelength_A", "energy_ev"),
    "BEAM_CENTER_X": (),
}
_TILTS = (
    *("twotheta_deg", "detector_rotx", "detector_roty", "detector_rotz"),
    *("fdet_vector", "sdet_vector", "expt", "geometry"),
)
_ADC = 40.0  # what C adds, and its headers do not state
_OF_NANOBRAGG = ("BEAMLINE=fake;", "DIALS_ORIGIN=", "XDS_ORGX=", "DENZO_X_BEAM=")


def header_style(semantics: Semantics, output: Output, detector: Detector, beam_direction: Array) -> str:
    """Choose the dialect of the headers and warn where the format cannot tell the truth.

    Parameters
    ----------
    semantics : Semantics
    output : Output
        An explicit -smv_header wins.
    detector : Detector
    beam_direction : (3,)

    Returns
    -------
    str
        A style of `nbnumba.io.smv.header`.
    """
    style = output.smv_header or style_of(semantics)
    _note_header_warnings(style, detector, beam_direction)
    return style


def style_of(semantics: Semantics) -> str:
    """Return the style of headers where none is asked for."""
    return "c" if semantics is Semantics.C else "dials"


def _note_header_warnings(style: str, detector: Detector, beam_direction: Array) -> None:
    """Warn where the format cannot tell the truth."""
    if style != "c":
        for line in header_warnings(detector, beam_direction, "SMV"):
            logger.warning(line)


def smv_fields(detector: Detector, wavelength: float, goniometer: Goniometer, adc: float) -> smv.SmvFields:
    """Collect what a header says.

    Parameters
    ----------
    detector : Detector
    wavelength : float [m]
    goniometer : Goniometer
    adc : float
        Offset of the pixels.
    """
    panel, center = detector.panels[0], detector.center
    return smv.SmvFields(
        n_fast=panel.n_fast,
        n_slow=panel.n_slow,
        pixel_size=panel.pixel_size,
        distance=panel.distance,
        wavelength=wavelength,
        Xbeam=center.Xbeam,
        Ybeam=center.Ybeam,
        Fbeam=center.Fbeam,
        Sbeam=center.Sbeam,
        detsize_s=detector.placement.detsize_s,
        dials_origin_mm=center.dials_origin_mm,
        ORGX=center.ORGX,
        ORGY=center.ORGY,
        close_distance=panel.close_distance,
        phi=goniometer.phi,
        osc=goniometer.osc,
        twotheta=detector.placement.twotheta,
        adc=adc,
    )


def write(path: str, images: Iterator[ImageRecord], count: int, options: SaveOptions) -> None:
    """Write an image of one panel as counts: photons * scale + adc, or the offset that its own file had.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    image = next(images)
    geometry = image.geometry
    adc = options.adc if image.offset is None else image.offset
    photons = np.asarray(image.pixels, dtype=np.float32)
    note_clipped(image, _clipped(photons, options.scale, adc), "uint16", path)
    _note_header_warnings(options.smv_header, geometry.detector, geometry.beam.direction)
    fields = smv_fields(geometry.detector, geometry.beam.wavelength, geometry.goniometer, adc)
    header = smv.header(fields, options.smv_header, truth_lines(geometry, image.crystal, image.truth))
    smv.write_rows(path, smv.int_rows(photons, options.scale, adc), header)


def _clipped(photons: NDArray[np.float32], scale: float, adc: float) -> int:
    """Return how many pixels are beyond the counts of a file."""
    rows, columns = roi_slices(None, (photons.shape[0], photons.shape[1]))
    found = 0
    for block in row_blocks(rows, columns):
        with np.errstate(over="ignore", invalid="ignore"):
            counts = photons[block].astype(np.float64) * scale + adc
        found += int(np.count_nonzero(~((counts >= -0.5) & (counts < 65535.5))))
    return found


def load(source: Source) -> LoadedImage:
    """Read the pixels alone, as they are in the file."""
    from .others import single  # late, as below: writing loads none of the readers of other formats

    return single(source, LoadedImage(source.path, "SMV", np.asarray(_pixels(source.path), dtype=np.float64)))


def _pixels(path: str) -> NDArray[Any]:
    try:
        return smv.read(path).data
    except InputError:
        from .others import load_by_fabio

        with contextlib.suppress(InputError):
            return load_by_fabio(Source(path)).values  # it knows wider pixels
        raise


def read(path: str, typed: CommandLine, geometry: bool = True) -> Iterator[ImageRecord]:
    """Read an image; options of a command line override what its header says."""
    header = smv.read_header(path)
    said: dict[str, float | str] = {}
    if not typed.gives("header_file"):
        said["header_file"] = path
        if not gives_beam_center(typed):
            said |= _beam_center(header)
        if geometry:
            _note_unsaid(path, header, typed)
            _note_tilt(path, header, typed)
    pixels, offset = _pixels(path), _offset(path, header, typed)
    # Whole numbers stay whole, below 0 as well.
    if pixels.dtype.kind in "iu" and offset == round(offset) and abs(offset) < 1 << 30:
        pixels = pixels.astype(np.int32) - np.int32(offset)
    else:
        pixels = pixels.astype(np.float64) - offset
    yield image_of_options(path, pixels, *build_geometry(settings_beside(typed, said)), offset)


def _beam_center(header: smv.SmvHeader) -> dict[str, float]:
    """Return the beam center in a form that depends on no convention, where a header has it."""
    slow, fast = header.value_of("DENZO_X_BEAM"), header.value_of("DENZO_Y_BEAM")
    if math.isnan(slow) or math.isnan(fast):
        return {}
    return {"beam_center_fast_mm": fast, "beam_center_slow_mm": slow}


def _note_unsaid(path: str, header: smv.SmvHeader, typed: CommandLine) -> None:
    """Name what neither the header nor the options tell, so that a default takes its place."""
    given = {key for key, names in _SAY.items() if typed.gives(*names)}
    if gives_beam_center(typed) or not math.isnan(header.value_of("DENZO_X_BEAM")):
        given.add("BEAM_CENTER_X")
    unsaid = [key for key in _SAY if key not in given and math.isnan(header.value_of(key))]
    if unsaid and not typed.gives("expt", "geometry"):
        logger.warning(
            f"{path}: its header does not say {', '.join(unsaid)}; without an option for it the default is taken"
        )


def _note_tilt(path: str, header: smv.SmvHeader, typed: CommandLine) -> None:
    """Log that a header hints at a tilt, unless the user gives one."""
    if typed.gives(*_TILTS):
        return
    close, along = header.value_of("CLOSE_DISTANCE"), header.value_of("DISTANCE")
    twotheta = header.value_of("TWOTHETA")
    # Six digits are written.
    if (twotheta != 0.0 and not math.isnan(twotheta)) or abs(close - along) > 1e-5 * abs(along):
        logger.warning(
            f"{path}: its detector was tilted, which the header cannot tell exactly; give the options that tilt it"
        )


def _offset(path: str, header: smv.SmvHeader, typed: CommandLine) -> float:
    """Return what was added to the pixels; where it is not stated, 40 in images of nanoBragg, 0 in those of others."""
    if typed.gives("adc"):
        return typed.output.adc
    for key in ("IMAGE_PEDESTAL", "ADC_OFFSET"):
        value = header.value_of(key)
        if not math.isnan(value):
            return value
    if all(sign in header.text for sign in _OF_NANOBRAGG):
        logger.warning(
            f"{path}: its header states no offset; {_ADC:g} is subtracted, as nanoBragg adds it (-adc N: another)"
        )
        return _ADC
    logger.warning(f"{path}: its header states no offset, and none is subtracted (-adc N subtracts N)")
    return 0.0
