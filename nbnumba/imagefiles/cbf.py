"""Mini-CBF images of an experiment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..crystal.model import Crystal
from ..detector.model import Panel
from ..errors import InputError
from ..experiment.geometry import Geometry
from ..experiment.geometry_only import build_geometry
from ..experiment.ground_truth import GroundTruth
from ..io import cbf
from ..io.atomic import PathLike
from ..parameters.command import CommandLine
from ..readout.digitize import SATURATION, largest_good
from ..util.messages import logger
from .headers import gives_beam_center, header_warnings, settings_beside, truth_lines
from .others import load_by_fabio, single
from .records import ImageRecord, LoadedImage, SaveOptions, Source, digitized, image_of_options

GAP, MASKED = -1, -2  # as the images of pixel detectors have them


def cbf_fields(geometry: Geometry, saturation: int) -> cbf.CbfFields:
    """Collect what a header says."""
    panel, center, sensor = geometry.detector.panels[0], geometry.detector.center, geometry.detector.sensor
    beam, goniometer = geometry.beam, geometry.goniometer
    return cbf.CbfFields(
        pixel_size=panel.pixel_size,
        thickness=sensor.depth if sensor.thickness > 0.0 else 0.0,
        exposure=max(beam.exposure, 0.0),
        saturation=saturation,
        wavelength=beam.wavelength,
        distance=panel.distance,
        beam_fast=center.Fbeam / panel.pixel_size,
        beam_slow=center.Sbeam / panel.pixel_size,
        start_angle=math.degrees(goniometer.phi),
        angle_increment=math.degrees(goniometer.osc),
        flux=beam.flux,
        polarization=None if beam.nopolar else (1.0 + beam.polarization) / 2.0,
    )


def write_cbf(
    path: PathLike,
    counts: NDArray[np.int32],
    geometry: Geometry,
    crystal: Crystal | None,
    truth: GroundTruth,
    *,
    saturation: int | None = None,
    moment: datetime | None = None,
) -> None:
    """Write an image with its geometry and what else is known of it.

    Parameters
    ----------
    path : str or path
        The file to write.
    counts : (n_slow, n_fast) int32 [photons/pixel]
        The pixels, without offset; gaps between modules are written as -1, other
        masked pixels as -2.
    geometry : Geometry
        Its detector has one panel. The format knows neither tilt nor curvature nor the direction of the spindle,
        which readers take to lie along fast.
    crystal : Crystal or None
    truth : GroundTruth
    saturation : int, optional
        The largest count that a pixel may hold, for the reader's trusted range; by default that of
        `nbnumba.readout.digitize`.
    moment : datetime, optional
        When the image was made; now by default.

    Raises
    ------
    FileError
        The file cannot be written.
    InputError
        The detector has several panels, or the pixels are others than its own, or no int32.
    """
    panels = geometry.detector.panels
    if len(panels) != 1:
        raise InputError(f"{path}: a CBF image holds one panel, the detector has {len(panels)}; write an .h5 file")
    shape = (panels[0].n_slow, panels[0].n_fast)
    if counts.dtype != np.int32 or counts.shape != shape:
        raise InputError(f"{path}: needs int32 pixels of shape {shape}, not {counts.dtype} of {counts.shape}")
    if panels[0].mask is not None:
        counts = np.where(panels[0].mask, counts, _marks(panels[0]))
    for line in header_warnings(geometry.detector, geometry.beam.direction, "CBF", geometry.goniometer):
        logger.warning(line)
    fields = cbf_fields(geometry, largest_good(SATURATION["int32"] if saturation is None else saturation))
    lines = cbf.header_lines(fields, truth_lines(geometry, crystal, truth), moment)
    cbf.write(path, counts, lines, Path(path).stem)


def _marks(panel: Panel) -> NDArray[np.int32]:
    """Return what stands for a pixel that is not read."""
    if panel.gaps is None:
        return np.array(MASKED, dtype=np.int32)
    return np.where(panel.gaps, GAP, MASKED).astype(np.int32)


def write(path: str, images: Iterator[ImageRecord], count: int, options: SaveOptions) -> None:
    """Write an image of one panel."""
    image = next(images)
    counts = np.asarray(digitized(image, "int32", path), dtype=np.int32)
    write_cbf(
        path,
        counts,
        image.geometry,
        image.crystal,
        image.truth,
        saturation=options.saturation,
        moment=options.moment,
    )


def load(source: Source) -> LoadedImage:
    """Read the pixels alone."""
    return single(source, LoadedImage(source.path, "CBF", np.asarray(_pixels(source.path), dtype=np.float64)))


def _pixels(path: str) -> NDArray[Any]:
    try:
        return cbf.read(path)
    except cbf.OtherCoding:
        return load_by_fabio(Source(path)).values


def read(path: str, typed: CommandLine, geometry: bool = True) -> Iterator[ImageRecord]:
    """Read an image; options of a command line override what its header says."""
    pixels, fields = _pixels(path), cbf.read_header(path, partly=True)
    n_slow, n_fast = pixels.shape
    if geometry:
        _note_unsaid(path, fields, typed)
    said: dict[str, float | str] = {
        "pixels_fast": n_fast,
        "pixels_slow": n_slow,
        "pixel_mm": fields.pixel_size * 1e3,
        "wavelength_A": fields.wavelength * 1e10,
        "distance_mm": fields.distance * 1e3,
        "phi_deg": fields.start_angle,
    }
    if fields.exposure > 0.0:
        said["exposure_s"] = fields.exposure
    if fields.angle_increment > 0.0:
        said["osc_deg"] = fields.angle_increment
    if fields.polarization is not None:
        said["polarization"] = 2.0 * fields.polarization - 1.0
    if not gives_beam_center(typed):
        said["beam_center_fast_mm"] = fields.beam_fast * fields.pixel_size * 1e3
        said["beam_center_slow_mm"] = fields.beam_slow * fields.pixel_size * 1e3
    known = {key: value for key, value in said.items() if isinstance(value, str) or math.isfinite(value)}
    yield image_of_options(path, pixels, *build_geometry(settings_beside(typed, known)))


def _note_unsaid(path: str, fields: cbf.CbfFields, typed: CommandLine) -> None:
    """Name what neither the header nor the options tell, so that a default takes its place."""
    said = {
        "Pixel_size": (fields.pixel_size, typed.gives("pixel_mm")),
        "Wavelength": (fields.wavelength, typed.gives("wavelength_A", "energy_ev")),
        "Detector_distance": (fields.distance, typed.gives("distance_mm", "close_distance_mm")),
        "Beam_xy": (fields.beam_fast + fields.beam_slow, gives_beam_center(typed)),
    }
    unsaid = [key for key, (value, given) in said.items() if not given and not math.isfinite(value)]
    if unsaid and not typed.gives("expt", "geometry"):
        logger.warning(
            f"{path}: its header does not say {', '.join(unsaid)}; without an option for it the default is taken"
        )
