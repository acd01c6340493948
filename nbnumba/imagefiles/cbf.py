"""Mini-CBF images of an experiment."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..crystal.model import Crystal
from ..errors import InputError
from ..experiment.ground_truth import GroundTruth
from ..experiment.model import Geometry
from ..io import cbf
from ..io.atomic import PathLike
from ..readout.digitize import SATURATION
from ..util.messages import logger
from .headers import truth_lines, untold


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
) -> None:
    """Write an image with its geometry and what else is known of it.

    Parameters
    ----------
    path : str or path
        The file to write.
    counts : (n_slow, n_fast) int32 [photons/pixel]
        The pixels, without offset.
    geometry : Geometry
        Its detector has one panel. The format knows neither tilt nor curvature nor the direction of the spindle,
        which readers take to lie along fast.
    crystal : Crystal or None
    truth : GroundTruth
    saturation : int, optional
        The largest count that a pixel may hold, for the reader's trusted range; by default that of
        `nbnumba.readout.digitize`.

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
    for line in untold(geometry.detector, geometry.beam.direction, "CBF", geometry.goniometer):
        logger.warning(line)
    fields = cbf_fields(geometry, SATURATION["int32"] if saturation is None else saturation)
    cbf.write(path, counts, cbf.header_lines(fields, truth_lines(geometry, crystal, truth)), Path(path).stem)
