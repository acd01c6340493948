"""Files beside an HDF5 file that tell CrystFEL and XDS its geometry.

Both use the McStas frame of the HDF5 file: the beam along z, the polarization axis along x.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from ..beam.frames import to_mcstas
from ..crystal.lattice import cell_of_vectors
from ..crystal.model import Crystal
from ..experiment.geometry import Geometry
from ..geometry.panel import MOST_MOVED, PanelGeometry
from ..geometry.vectors import Array, dot
from ..io import geom, xds_inp
from ..io.atomic import PathLike, whole_file
from ..readout.digitize import SATURATION, largest_good, saturation_value
from ..util.messages import logger
from .stacking import camera_length, panel_rows, stacked_panel

DATA = "/entry/data/data"
MASK = "/entry/instrument/detector/detectorSpecific/pixel_mask"
WAVELENGTH = "/entry/instrument/beam/incident_wavelength"

_DETECTORS = {".cbf": "PILATUS", ".img": "ADSC"}  # others: a detector that writes HDF5


def write_geometry_files(
    path: PathLike,
    geometry: Geometry,
    crystal: Crystal | None,
    *,
    images: int = 1,
    dtype: str = "float32",
    saturation: float | None = None,
) -> list[Path]:
    """Write a CrystFEL .geom and, for a detector of one panel, an XDS.INP beside an HDF5 file.

    A file of these names that nbnumba has not written stays as it is; ours then takes the name
    `<stem>_nbnumba.geom` or `<stem>_XDS.INP`.

    Parameters
    ----------
    path : str or path
        The HDF5 file; it is not touched.
    geometry : Geometry
        Of its first image.
    crystal : Crystal or None
    images : int
        How many there are.
    dtype, saturation
        As for `nbnumba.readout.digitize.to_dtype`.

    Returns
    -------
    list of path
        What was written.

    Raises
    ------
    FileError
        A file cannot be written.
    """
    target = Path(path)
    top = saturation_value(dtype, saturation)
    detector = geometry.detector
    if detector.curved:
        logger.warning(
            f"{target.name}: geometry files cannot tell that a detector is curved: readers will take it for a flat one"
        )
    moved = max((panel.at_right_angles()[3] for panel in detector.panels if panel.is_skew), default=0.0)
    if moved > MOST_MOVED:
        logger.warning(
            f"{target.name}: fast and slow of its detector are not at right angles, as DIALS and XDS want them: they "
            "may refuse it, or take it for another"
        )
    elif moved > 0.0:
        logger.warning(
            f"{target.name}: fast and slow of its detector are not at right angles; the file has the nearest axes that "
            f"are, which move no pixel by more than {moved:.1g} pixels"
        )
    if any(dot(_middle(panel), geometry.beam.direction) < 0.0 for panel in detector.panels):
        logger.warning(
            f"{target.name}: its detector stands between source and sample: DIALS puts an upright one behind the sample"
        )
    written = []
    geom_path = _name_of_ours(target.with_suffix(".geom"), target.with_name(f"{target.stem}_nbnumba.geom"), geom.MARKER)
    if geom_path is not None:
        write_geom(geom_path, geometry, target.name, saturation=top)
        written.append(geom_path)
    if len(detector.panels) > 1:
        logger.warning(
            f"no XDS.INP for {target.name}: it would have to hold one panel, the detector has {len(detector.panels)}"
        )
        return written
    xds_path = _name_of_ours(target.with_name("XDS.INP"), target.with_name(f"{target.stem}_XDS.INP"), xds_inp.MARKER)
    if xds_path is not None:
        write_xds_inp(xds_path, geometry, crystal, target.name, images=images, dtype=dtype, saturation=saturation)
        written.append(xds_path)
    return written


def write_geom(
    path: PathLike,
    geometry: Geometry,
    h5_name: str,
    *,
    wavelength_path: str | None = WAVELENGTH,
    data_path: str = DATA,
    mask_path: str | None = MASK,
    saturation: float = math.inf,
) -> None:
    """Write a CrystFEL geometry for an NXmx file, in which panels lie below one another.

    Parameters
    ----------
    path : str or path
        The file to write.
    geometry : Geometry
    h5_name : str
        Of the NXmx file, for a comment.
    wavelength_path : str or None
        Where the file holds the wavelength of each image [Angstrom]; None: that of the geometry is written.
    data_path, mask_path : str
    saturation : float
        Pixels that reach it are bad.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    frame = to_mcstas(geometry.beam)
    detector = geometry.detector
    panels = [
        stacked_panel(panel, first, frame)
        for panel, (first, _, _) in zip(detector.panels, panel_rows(detector), strict=True)
    ]
    own = f"{geometry.beam.wavelength * 1e10:.15g}"
    text = geom.text(
        panels,
        wavelength=f"{own if wavelength_path is None else wavelength_path} A",
        camera_length=camera_length(panels[0].origin, panels[0].fast, panels[0].slow),
        data=data_path,
        mask=mask_path,
        saturation=None if math.isinf(saturation) else math.floor(saturation),
        remarks=[
            f"for {_one_line(h5_name)}",
            f"wavelength of its first image: {own} A",
            "x lies along the electric field of the beam",
        ],
    )
    _write(path, text)


def write_xds_inp(
    path: PathLike,
    geometry: Geometry,
    crystal: Crystal | None,
    image_name: str,
    *,
    images: int = 1,
    dtype: str = "int32",
    saturation: float | None = None,
) -> None:
    """Write an XDS.INP for images of one panel.

    Parameters
    ----------
    path : str or path
        The file to write.
    geometry : Geometry
        Of the first image.
    crystal : Crystal or None
    image_name : str
        Of the data in the same folder: an .h5 file, or the first image of a series of .cbf or .img.
    images : int
        How many there are.
    dtype, saturation
        As for `nbnumba.readout.digitize.to_dtype`.

    Raises
    ------
    FileError
        The file cannot be written.
    ValueError
        The detector has several panels.
    """
    (panel,) = geometry.detector.panels
    sensor, beam = geometry.detector.sensor, geometry.beam
    frame = to_mcstas(beam)
    # XDS wants a rotation in the positive sense.
    sense = -1.0 if geometry.goniometer.osc < 0.0 else 1.0
    top = saturation_value(dtype, saturation)
    template, remarks = name_template(image_name)
    if dtype == "float32":
        remarks.append("XDS reads whole numbers; these pixels are float32.")
    real = None if crystal is None else crystal.real_space * 1e10
    fields = xds_inp.XdsFields(
        template=template,
        images=images,
        detector=_DETECTORS.get(Path(image_name).suffix.lower(), "EIGER"),
        n_fast=panel.n_fast,
        n_slow=panel.n_slow,
        pixel_size=panel.pixel_sizes[0],
        saturation=largest_good(SATURATION["int32"] if math.isinf(top) else top),
        origin=frame @ panel.origin,
        fast=frame @ panel.fast,
        slow=frame @ panel.slow * (panel.pixel_sizes[1] / panel.pixel_sizes[0]),
        beam=frame @ beam.direction,
        spindle=sense * (frame @ geometry.goniometer.spindle),
        wavelength=beam.wavelength,
        starting_angle=sense * math.degrees(geometry.goniometer.phi),
        oscillation=abs(math.degrees(geometry.goniometer.osc)),
        polarization_fraction=0.5 if beam.nopolar else (1.0 + beam.polarization) / 2.0,
        polarization_normal=np.array([0.0, 1.0, 0.0]),
        thickness=sensor.depth if sensor.thickness > 0.0 else 0.0,
        absorption=max(sensor.mu, 0.0),
        real_space_A=None if real is None else real @ frame.T,
        cell=None if real is None else _cell(real),
    )
    _write(path, xds_inp.text(fields, remarks))


def _cell(real_A: Array) -> Array:
    """Return lengths [Angstrom] and angles [deg] of three vectors, (6,)."""
    lengths, angles = cell_of_vectors(real_A)
    return np.concatenate([lengths, np.degrees(angles)])


def name_template(image_name: str) -> tuple[str, list[str]]:
    """Return XDS' name for a series of images, with question marks, and remarks about it."""
    name = _one_line(image_name)
    suffix = Path(name).suffix
    stem = name.removesuffix(suffix)
    if suffix.lower() in _DETECTORS:
        number = re.search(r"\d+$", stem)
        if number is None:
            return name, ["XDS wants file names that end in a number."]
        return stem[: number.start()] + "?" * len(number.group()) + suffix, []
    remarks = ["HDF5 files need a plug-in: LIB= /path/to/the/plug-in.so"]
    if not stem.endswith("_master"):
        remarks.append(f"XDS looks for {stem}_master{suffix}: make that a link to {name}.")
    return stem.removesuffix("_master") + "_??????" + suffix, remarks


def _middle(panel: PanelGeometry) -> Array:
    return panel.position(0.5 * panel.n_slow, 0.5 * panel.n_fast)


def _name_of_ours(wanted: Path, other: Path, marker: str) -> Path | None:
    """Return the first of two names that is free or holds a file of ours; None where neither is."""
    if _is_free(wanted, marker):
        return wanted
    if _is_free(other, marker):
        logger.warning(f"{wanted} is not nbnumba's and stays as it is; the geometry goes to {other.name}")
        return other
    logger.warning(f"{wanted} and {other.name} are not nbnumba's and stay as they are")
    return None


def _is_free(path: Path, marker: str) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(marker)) == marker.encode()
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _one_line(name: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in name)


def _write(path: PathLike, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode("utf-8", "replace"))
