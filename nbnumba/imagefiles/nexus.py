"""NXmx files of an experiment: many images, what they were rendered with, and where their pixels are."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..beam.frames import to_mcstas
from ..detector.model import Detector
from ..errors import InputError
from ..experiment.geometry import Geometry
from ..experiment.ground_truth import GroundTruth
from ..geometry.mounting import Mounting
from ..geometry.vectors import MCSTAS_TO_IMGCIF, Array, unit
from ..io.nexus import file as nexus_file
from ..io.nexus import layout as nexus_writing
from ..io.nexus.layout import Column
from ..io.nexus.rotation import joined_rotation
from ..readout.digitize import DTYPES, largest_good, saturation_value
from ..util.messages import logger
from ..version import __version__
from .records import ImageRecord, SaveOptions, digitized
from .stacking import _where_the_beam_meets, camera_length, panel_rows, stacked_panel

if TYPE_CHECKING:
    import h5py

_SAME = 1e-9  # m, by which the geometry of images in one file may differ

NO_NUMBER = -(2**63)  # stands for a whole number that there is none of, such as the seed of noise that was not drawn

_UNITS = {
    "A_matrix": "1/angstrom",
    "A_matrix_imgcif": "1/angstrom",
    "cell": "angstrom,angstrom,angstrom,deg,deg,deg",
    "mosaic_spread_deg": "deg",
    "fluence": "1/m^2",
    "wavelength": "m",
    "distance": "m",
    "phi_deg": "deg",
    "osc_deg": "deg",
    "panel_origin": "m",
}

_TEXTS = {item.name for item in dataclasses.fields(GroundTruth) if str(item.type).startswith("str")}


# What stands for an unknown quantity where a file must hold something; whole numbers that may be none have NO_NUMBER.
_BLANKS: dict[str, Any] = {
    "A_matrix": np.full((3, 3), np.nan),
    "A_matrix_imgcif": np.full((3, 3), np.nan),
    "U_matrix": np.full((3, 3), np.nan),
    "cell": np.full(6, np.nan),
    "cells": (0, 0, 0),
    "mosaic_spread_deg": math.nan,
    "mosaic_domains": 0,
    "mosaic_seed": 0,
    "fluence": math.nan,
}


class NexusWriter:
    """Writes images of one detector into an NXmx file; a context manager.

    The file appears under its name when the block ends without an exception and all images are written.

    Parameters
    ----------
    path : str or path
    geometry : Geometry
        Its detector, sensor and mask stand for all images.
    count : int
        How many images there will be.
    dtype : str
        "float32", "int32" or "uint16".
    saturation : float, optional
        The largest value that the pixels can have; by default the one of `nbnumba.readout.digitize.to_dtype`, and none
        for float32.
    underload : int
        The smallest value that a good pixel can have.
    sensor_material : str
        "Si", "CdTe" or "GaAs", by default that of the sensor, or "Si". The format wants one; without a simulated sensor
        nothing follows from it.
    scan : bool
        Whether images that continue one another are a rotation even where the crystal changes on the way.
    one_laboratory : bool
        Whether the images have the laboratory of `geometry`: then a beam that turns from image to image is told as
        such (`beam_direction`). Otherwise each image has a frame of its own, in which the beam runs along z.

    Raises
    ------
    FileError
        The file cannot be written, or the disk is full.
    ValueError
        A dtype that is none of the three, no images, images left out or of another type or size than promised.

    Notes
    -----
    The panels of a detector lie one below the other in an array of three axes (image, row, fast), each with a
    module of its own: readers exist that know no fourth axis. Columns beside a narrower panel are marked
    and those between modules as gaps in the pixel mask; other masked pixels bear the bit of a user's mask, pixels
    outside the region of interest none.

    DIALS' reader takes one detector geometry for a file, even where the format has room for one of every image. So
    that of `experiment` alone stands in the chain of transformations. Where a series varies the distance or the beam
    center, `panel_origin`, `panel_fast`, `panel_slow` and `beam_direction` of the ground truth, vectors in the McStas
    frame, tell each image's own; give such images files of their own when other programs are to read them.

    The file describes a rotation where the images continue one another: the same crystal, the same width, each
    starting where the one before it ends. All others are stills, whatever they turned by in their exposure, which
    the ground truth tells. A rotation in the negative sense is one about the opposite axis.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        geometry: Geometry,
        count: int,
        dtype: str,
        *,
        saturation: float | None = None,
        underload: int = 0,
        sensor_material: str = "",
        scan: bool = False,
        one_laboratory: bool = False,
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype {dtype!r}: allowed are {', '.join(DTYPES)}")
        if count < 1:
            raise ValueError(f"{count} images: a file holds at least 1")
        self._path = path
        self._geometry = geometry
        self._dtype = np.dtype(dtype)
        self._saturation = saturation_value(dtype, saturation)
        self._underload = underload
        self._material = sensor_material
        self._scan = scan
        self._frame = to_mcstas(geometry.beam) if one_laboratory else None
        self._panels = geometry.detector.panels
        self._shape = stacked_shape(geometry.detector)
        self._shots: list[_Entry | None] = [None] * count
        self._closing = contextlib.ExitStack()
        self._writing: nexus_file.Writing
        self._data: h5py.Dataset

    def __enter__(self) -> Self:
        self._writing = self._closing.enter_context(nexus_file.written(self._path))
        try:
            self._data = self._writing.run(self._write_head)
        except BaseException as error:
            if not self._closing.__exit__(type(error), error, error.__traceback__):
                raise
        return self

    def _write_head(self, file: h5py.File) -> h5py.Dataset:
        count = len(self._shots)
        nexus_writing.write_head(file, os.fspath(self._path), ("nbnumba", __version__))
        nexus_writing.write_instrument(file, self._instrument(), count)
        return nexus_writing.create_data(file, count, self._shape, self._dtype.name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if error is not None:
            return self._closing.__exit__(kind, error, traceback)
        with self._closing:
            shots = [shot for shot in self._shots if shot is not None]
            if len(shots) < len(self._shots):
                raise ValueError(f"{os.fspath(self._path)}: {len(shots)} of {len(self._shots)} images were written")
            self._writing.run(nexus_writing.write_shots, _together(shots, self._scan))
        return None

    def write(self, index: int, pixels: NDArray[Any], geometry: Geometry, truth: GroundTruth) -> None:
        """Write one image; the order of the images does not matter.

        Parameters
        ----------
        index : int
            From 0.
        pixels : (n_slow, n_fast) or (n_panels, n_slow, n_fast)
            Of the promised dtype; smaller panels are padded at the end of both axes.
        geometry : Geometry
            What this image was rendered from.
        truth : GroundTruth
        """
        if not 0 <= index < len(self._shots):
            raise ValueError(f"image {index}: allowed are 0 to {len(self._shots) - 1}")
        image = np.ascontiguousarray(self._stacked(pixels))
        self._writing.run(lambda file: nexus_writing.write_image(self._data, index, image))
        self._shots[index] = _Entry.of(geometry, truth, self._frame)

    def add(self, function: Callable[[h5py.File], None]) -> None:
        """Call a function with the open file, for what a caller has to add to it; signals wait meanwhile."""
        self._writing.run(function)

    def _stacked(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Lay the panels below one another."""
        if pixels.dtype != self._dtype:
            raise ValueError(f"pixels are {pixels.dtype}, not the promised {self._dtype}")
        panels = self._panels
        padded = (max(panel.n_slow for panel in panels), max(panel.n_fast for panel in panels))
        expected = padded if len(panels) == 1 else (len(panels), *padded)
        if pixels.shape != expected:
            raise ValueError(f"pixels have the shape {pixels.shape}, not the promised {expected}")
        if len(panels) * padded[0] == self._shape[0]:
            return pixels.reshape(self._shape)
        stacked = np.zeros(self._shape, dtype=self._dtype)
        for panel, (first, n_slow, _), part in zip(panels, panel_rows(self._geometry.detector), pixels, strict=True):
            stacked[first : first + n_slow, : panel.n_fast] = part[:n_slow, : panel.n_fast]
        return stacked

    def _instrument(self) -> nexus_writing.Instrument:
        geometry = self._geometry
        detector = geometry.detector
        frame = to_mcstas(geometry.beam)
        modules = [
            stacked_panel(panel, first, frame, right_angles=True)
            for panel, (first, _, _) in zip(detector.panels, panel_rows(detector), strict=True)
        ]
        mask = np.full(self._shape, nexus_writing.GAP, dtype=np.uint32)
        for module in modules:
            mask[module.first_row : module.first_row + module.n_slow, : module.n_fast] = 0
        for module, panel in zip(modules, detector.panels, strict=True):
            if panel.mask is not None:
                rows = mask[module.first_row : module.first_row + module.n_slow, : module.n_fast]
                rows[~panel.mask] |= nexus_writing.USER_MASK
            if panel.gaps is not None:
                rows = mask[module.first_row : module.first_row + module.n_slow, : module.n_fast]
                rows[panel.gaps] = nexus_writing.GAP
        first = modules[0]
        met = _where_the_beam_meets(first.origin, first.fast, first.slow)
        sensors = _sensors(self._path, detector, self._material)
        return nexus_writing.Instrument(
            modules=modules,
            distance=camera_length(first.origin, first.fast, first.slow),
            beam_center=None if met is None else (met[0] / first.pixel_sizes[0], met[1] / first.pixel_sizes[1]),
            sensor_material=sensors[0][0],
            sensor_thickness=sensors[0][1],
            own_sensors=sensors if len(sensors) > 1 else (),
            pixel_mask=mask,
            underload=self._underload,
            saturation=None if math.isinf(self._saturation) else largest_good(self._saturation),
            frame_time=geometry.beam.exposure,
        )


def _sensors(path: str | os.PathLike[str], detector: Detector, material: str) -> list[tuple[str, float]]:
    """Material and depth [m] of the sensors of all panels; one where they are the same."""
    sensors = [panel.sensor for panel in detector.panels]
    stated = [(material or (one.material if one.material in ("CdTe", "GaAs") else "Si"), one.depth) for one in sensors]
    if all(one == sensors[0] for one in sensors):
        return stated[:1]
    logger.warning(
        f"{os.fspath(path)}: its panels have sensors that differ; readers of DIALS take that of panel 0 for all, those "
        "of this program find each in its module"
    )
    return stated


def write(path: str, images: Iterator[ImageRecord], count: int, options: SaveOptions) -> None:
    """Write images of one detector, and beside them the geometry for CrystFEL and XDS.

    Raises
    ------
    FileError
        A file cannot be written.
    InputError
        The images differ in their size or in the place of their detector.
    """
    from .crystfel_xds import write_geometry_files

    first = next(images)
    # Pixels of an image that bore an offset go below 0 by noise.
    underload = -math.ceil(max(first.offset or 0.0, 0.0))
    top = options.saturation
    with NexusWriter(path, first.geometry, count, options.dtype, saturation=top, underload=underload) as file:
        for index, image in enumerate(itertools.chain([first], images)):
            _check_alike(image, first, path)
            file.write(index, digitized(image, options.dtype, path), image.geometry, image.truth)
    write_geometry_files(path, first.geometry, first.crystal, images=count, dtype=options.dtype, saturation=top)


def _check_alike(image: ImageRecord, first: ImageRecord, path: str) -> None:
    """Refuse images of different detectors: readers take the geometry of the first for all."""

    def places(one: ImageRecord) -> Array:
        # Images may come with laboratories of their own; the file has one frame.
        frame = to_mcstas(one.geometry.beam)
        return np.array(
            [
                frame @ panel.position(slow, fast)
                for panel in one.geometry.detector.panels
                for slow, fast in ((0, 0), (panel.n_slow, 0), (0, panel.n_fast))
            ]
        )

    if image.pixels.shape != first.pixels.shape:
        ours, theirs = (" x ".join(map(str, one.pixels.shape[::-1])) for one in (image, first))
        raise InputError(f"{image.name}: has {ours} pixels, {first.name} {theirs}; one file holds images of one size")
    if np.max(np.abs(places(image) - places(first))) > _SAME:
        raise InputError(
            f"{image.name}: its detector stands elsewhere than that of {first.name}; {path} can hold one geometry"
        )


def stacked_shape(detector: Detector) -> tuple[int, int]:
    """Return the rows and columns of the array in which the panels lie below one another."""
    return sum(panel.n_slow for panel in detector.panels), max(panel.n_fast for panel in detector.panels)


@dataclasses.dataclass(frozen=True, eq=False)
class _Entry:
    """What is kept of an image until its file is closed."""

    spectrum: tuple[Array, Array]
    polarization: float | None  # None: not simulated
    flux: float | None
    beam_size: float
    spindle: Array
    mounting: Mounting
    start: float  # deg
    width: float
    truth: dict[str, Any]

    @classmethod
    def of(cls, geometry: Geometry, truth: GroundTruth, frame: Array | None = None) -> Self:
        beam, goniometer = geometry.beam, geometry.goniometer
        fields = vars(truth)
        if frame is None:
            frame = to_mcstas(beam)
        elif truth.A_matrix is not None:
            fields = {**fields, "A_matrix_imgcif": MCSTAS_TO_IMGCIF @ frame @ truth.A_matrix}
        panels = geometry.detector.panels
        polarization = None if beam.nopolar else beam.polarization
        return cls(
            spectrum=beam.sources.spectrum,
            polarization=polarization,
            flux=beam.flux,
            beam_size=beam.size,
            spindle=frame @ goniometer.spindle,
            mounting=goniometer.mounting.seen_from(frame),
            start=math.degrees(goniometer.phi),
            width=math.degrees(goniometer.osc),
            truth={name: _BLANKS.get(name) if value is None else value for name, value in fields.items()}
            | {
                "polarization": math.nan if polarization is None else polarization,
                "panel_origin": np.array([frame @ panel.origin for panel in panels]),
                "panel_fast": np.array([frame @ panel.fast for panel in panels]),
                "panel_slow": np.array([frame @ panel.slow for panel in panels]),
                "beam_direction": frame @ unit(beam.direction),
            },
        )


def _together(shots: Sequence[_Entry], scan: bool) -> nexus_writing.Shots:
    polarizations = [shot.polarization for shot in shots if shot.polarization is not None]
    stokes = None
    if len(polarizations) == len(shots):
        stokes = np.zeros((len(shots), 4))
        stokes[:, 0], stokes[:, 1] = 1.0, polarizations
    fluxes = [shot.flux for shot in shots if shot.flux is not None]
    known = len(fluxes) == len(shots)
    rotation = joined_rotation(
        np.array([shot.spindle for shot in shots]),
        np.array([shot.start for shot in shots]),
        np.array([shot.width for shot in shots]),
        None if scan else np.array([shot.truth["A_matrix"] for shot in shots]),
        [shot.mounting for shot in shots],
    )
    truth = {name: _column(name, [shot.truth[name] for shot in shots]) for name in shots[0].truth}
    if rotation is not None:
        mounted = rotation.on_goniometer(np.asarray(truth[nexus_writing.MOUNTED].values))
        truth[nexus_writing.MOUNTED] = dataclasses.replace(truth[nexus_writing.MOUNTED], values=mounted)
    one_size = all(shot.beam_size == shots[0].beam_size for shot in shots)
    return nexus_writing.Shots(
        spectra=[shot.spectrum for shot in shots],
        rotation=rotation,
        stokes=stokes,
        total_flux=np.array(fluxes) if known else None,
        beam_size=shots[0].beam_size if known and one_size else None,
        truth=truth,
    )


def truth_columns(images: Sequence[tuple[Geometry, GroundTruth]], stated: Geometry) -> Mapping[str, Column]:
    """Return the ground truth of images that are a rotation, as their NXmx file would hold it.

    Parameters
    ----------
    images : sequence of (Geometry, GroundTruth)
    stated : Geometry
        What their files state, in the same laboratory.
    """
    frame = to_mcstas(stated.beam)
    return _together([_Entry.of(*image, frame) for image in images], scan=True).truth


def _column(name: str, values: Sequence[Any]) -> Column:
    if name in _TEXTS:
        return Column(["" if value is None else value for value in values])
    missing = None
    if any(value is None for value in values):
        missing = NO_NUMBER
        values = [NO_NUMBER if value is None else value for value in values]
    return Column(np.array(values), _UNITS.get(name), missing)
