"""The truth of a series as a DIALS experiment list, in the frame in which DIALS sees its images."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..beam.frames import to_imgcif
from ..experiment.ground_truth import A_matrix
from ..experiment.model import Experiment
from ..geometry.mounting import NO_MOUNTING
from ..geometry.panel import PanelGeometry
from ..geometry.vectors import Array, cross, unit
from ..imagefiles.headers import reading_frame
from ..io import expt_text
from ..io.atomic import whole_file
from ..readout.digitize import SATURATION
from .names import Series

_SAME_BEAM = 1e-12  # 1/Angstrom; rounding of rotations


@dataclass(frozen=True, eq=False)
class ImageTruth:
    """What may differ from image to image of a series, in our laboratory frame.

    Attributes
    ----------
    A_matrices : sequence of (3, 3) [1/Angstrom]
        Of every crystal at the spindle angle 0.
    s0 : (3,) [1/Angstrom]
        Along the beam, one over the wavelength long.
    """

    A_matrices: Sequence[Array]
    s0: Array


def truth_of(experiment: Experiment) -> ImageTruth:
    """Return what is true of an image."""
    beam = experiment.beam
    return ImageTruth(
        [A_matrix(crystal) for crystal in experiment.crystals], unit(beam.direction) / (beam.wavelength * 1e10)
    )


def write_truth(
    path: Path,
    first: Experiment,
    images: Sequence[ImageTruth],
    series: Series,
    dtype: str,
    saturation: float | None,
    images_per_file: int,
) -> None:
    """Write beam, detector, goniometer, scan and crystal of a series.

    Parameters
    ----------
    path : Path
    first : Experiment
        Of the first image, with the beam and the detector that the files of images state.
    images : sequence of ImageTruth
    series : Series
    dtype : str
        Of the pixels.
    saturation : float or None
        The largest value that the pixels have.
    images_per_file : int
        Of the NXmx files.

    Raises
    ------
    FileError
        The file cannot be written.

    Notes
    -----
    Crystal and beam of an image do not change during it; DIALS wants one at the start of each image and at the end of
    the last. Between two images it gets the mean of both.
    """
    beam, goniometer, detector = first.beam, first.goniometer, first.detector
    by_header = series.form != "h5"
    frame = reading_frame(detector.panels[0], beam.direction) if by_header else to_imgcif(beam)
    sense = -1.0 if goniometer.osc < 0.0 else 1.0
    along = -unit(frame @ beam.direction)
    electric = frame @ beam.polarization_axis
    # Headers tell the axis that turns alone, and an NXmx file of one image leaves the inner axes out.
    mounting = NO_MOUNTING if by_header else goniometer.mounting.seen_from(frame)
    if min(images_per_file, len(images)) == 1:
        mounting = dataclasses.replace(mounting, inner=())
    standing = mounting.setting @ mounting.fixed if mounting.stands else np.eye(3)
    crystals = [
        _at_scan_points(np.array([standing.T @ frame @ A for A in matrices]))
        for matrices in zip(*(image.A_matrices for image in images), strict=True)
    ]
    s0 = np.array([frame @ image.s0 for image in images])
    fields = expt_text.ExptFields(
        direction=along,
        wavelength=beam.wavelength,
        polarization_normal=unit(cross(along, electric)),
        polarization_fraction=0.5 if beam.nopolar else (1.0 + beam.polarization) / 2.0,
        panels=[_panel(panel, frame) for panel in detector.panels],
        trusted=trusted_range(dtype, saturation),
        thickness=detector.sensor.depth if detector.sensor.thickness > 0.0 else 0.0,
        mu=max(detector.sensor.mu, 0.0),
        spindle=sense * (frame @ goniometer.spindle),
        start=sense * math.degrees(goniometer.phi),
        width=abs(math.degrees(goniometer.osc)),
        images=len(images),
        exposure=max(beam.exposure, 0.0),
        A=crystals[0],
        further=crystals[1:],
        s0=_at_scan_points(s0) if np.any(np.abs(s0 - s0[0]) > _SAME_BEAM) else (),
        mounting=mounting,
    )
    with whole_file(path) as file:
        file.write(expt_text.text(fields).encode())


def trusted_range(dtype: str, saturation: float | None) -> tuple[float, float]:
    """Return the smallest and the largest value of a good pixel."""
    return 0.0, float(saturation if saturation is not None else SATURATION.get(dtype, 2**31 - 3))


def _at_scan_points(matrices: Array) -> Array:
    """Return the matrices of a crystal at scan points, from those of images; one where it does not change."""
    if np.all(matrices == matrices[0]):
        return matrices[:1]
    return np.concatenate([matrices[:1], 0.5 * (matrices[:-1] + matrices[1:]), matrices[-1:]])


def _panel(panel: PanelGeometry, frame: Array) -> PanelGeometry:
    axes = frame @ panel.origin, frame @ panel.fast, frame @ panel.slow
    return PanelGeometry(panel.n_fast, panel.n_slow, panel.pixel_sizes, *axes)
