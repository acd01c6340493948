"""What NXmx files are made of: many images in one HDF5 file, with the geometry in NeXus terms.

The format alone. Vectors are in the McStas frame of NeXus, whose z axis runs along the beam and
whose origin is the sample; lengths in meters, angles in degrees, wavelengths in meters.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...geometry.panel import StackedPanel
from ...util.text import encodable
from .filters import image_compression
from .nodes import new_group, quantity
from .rotation import Rotation, write_rotation

if TYPE_CHECKING:
    import h5py

Array = NDArray[np.float64]

GAP = 1 << 0  # bits of a pixel mask: no sensor here
USER_MASK = 1 << 8  # left out on the user's wish

DATA = "/entry/data/data"
TRUTH = "/entry/ground_truth"
DETECTOR = "/entry/instrument/detector"
BEAM = "/entry/instrument/beam"
SAMPLE = "/entry/sample"
MOUNTED = "A_matrix_imgcif"  # of the ground truth: crystals as they are mounted on the goniometer
SPECTRUM = "incident_wavelength_1Dspectrum"
_AXES = f"{DETECTOR}/transformations"

# DIALS' reader asserts a thickness above zero, from which it works out a parallax. This one is too thin to be seen.
NO_SENSOR = 1e-9  # m


@dataclass(frozen=True, eq=False)
class Instrument:
    """The detector, and what is the same for all images.

    Attributes
    ----------
    modules : sequence of StackedPanel
        Where their fast or slow is longer or shorter than 1, so are the steps from pixel to pixel.
    distance : float [m]
        Of the first module along the beam.
    beam_center : (fast, slow) [pixels] or None
        Where the beam meets the plane of the first module.
    sensor_material : str
        "Si", "CdTe" or "GaAs"; DIALS' reader takes no other.
    sensor_thickness : float [m]
        0: none.
    own_sensors : sequence of (material, thickness [m])
        Of each module, where they differ; none where they are the same. Readers of other programs do not look there.
    pixel_mask : (rows, columns) uint32
        0: good.
    underload, saturation : int or None
        Smallest and largest value of a good pixel.
    frame_time : float [s]
    """

    modules: Sequence[StackedPanel]
    distance: float
    beam_center: tuple[float, float] | None
    sensor_material: str
    sensor_thickness: float
    pixel_mask: NDArray[np.uint32]
    underload: int | None
    saturation: int | None
    frame_time: float
    own_sensors: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True, eq=False)
class Column:
    """One quantity of every image: numbers with a first axis of images, or texts."""

    values: NDArray[Any] | Sequence[str]
    units: str | None = None
    missing: int | None = None  # the number that stands for none


@dataclass(frozen=True, eq=False)
class Shots:
    """What differs from image to image.

    Attributes
    ----------
    spectra : sequence of (wavelengths (m,) [m], weights (m,))
        One wavelength: a monochromatic image.
    rotation : Rotation or None
        None: stills.
    stokes : (n, 4) or None
        Polarization of the beam; x is the axis of its first parameter.
    total_flux : (n,) [photons/s] or None
    beam_size : float or None [m]
        Edge of the square beam.
    truth : mapping of str to Column
        What is known of simulated images alone.
    """

    spectra: Sequence[tuple[Array, Array]]
    rotation: Rotation | None = None
    stokes: Array | None = None
    total_flux: Array | None = None
    beam_size: float | None = None
    truth: Mapping[str, Column] = field(default_factory=dict)


def write_head(file: h5py.File, name: str, program: tuple[str, str]) -> None:
    """Write the groups that every file has.

    Parameters
    ----------
    file : h5py.File
        Empty.
    name : str
        What the file will be called.
    program : (name, version)
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    file.attrs.update(
        {
            "NX_class": "NXroot",
            "default": "entry",
            "file_name": encodable(PurePath(name).name),
            "file_time": now,
            "creator": program[0],
            "HDF5_Version": _hdf5_version(),
        }
    )
    # Readers look for this name, whatever the attribute says.
    entry = new_group(file, "/entry", "NXentry")
    entry.attrs["default"] = "data"
    entry["definition"] = "NXmx"
    entry["start_time"] = entry["end_time_estimated"] = now
    entry["program_name"] = program[0]
    entry["program_name"].attrs["version"] = program[1]
    for path, kind, text in (
        ("/entry/source", "NXsource", "simulation"),
        ("/entry/instrument", "NXinstrument", program[0]),
        (SAMPLE, "NXsample", "crystal"),
    ):
        group = new_group(file, path, kind)
        group["name"] = text
        if path != SAMPLE:
            group["name"].attrs["short_name"] = text
    data = new_group(file, "/entry/data", "NXdata")
    data.attrs["signal"] = "data"


def create_data(file: h5py.File, count: int, shape: tuple[int, int], dtype: str) -> h5py.Dataset:
    """Create the dataset of the images, compressed one image at a time."""
    return file.create_dataset(
        DATA,
        shape=(count, *shape),
        dtype=dtype,
        chunks=(1, *shape),
        **image_compression(),
    )


def write_image(data: h5py.Dataset, index: int, image: NDArray[Any]) -> None:
    """Write one of the images: ``data[index] = image`` in half the time, of an array of its size and type."""
    from h5py import h5s

    place = data.id.get_space()
    place.select_hyperslab((index, 0, 0), (1, *image.shape))
    data.id.write(h5s.create_simple((1, *image.shape)), place, image)


def write_instrument(file: h5py.File, instrument: Instrument, count: int) -> None:
    """Write the detector, the place of its modules included.

    Notes
    -----
    The origin of a module is a translation on which its fast and slow axes depend: readers exist that overlook the
    `offset` of an axis. Of several modules each translation depends on one that they share, which readers
    take for the detector's own.
    """
    detector = new_group(file, DETECTOR, "NXdetector")
    axes = new_group(file, _AXES, "NXtransformations")
    base = "."
    shift = np.zeros(3)
    if len(instrument.modules) > 1:
        shift = np.array([0.0, 0.0, instrument.distance])
        base = _translation(axes, "detector", shift, ".")
    digits = len(str(len(instrument.modules) - 1))
    for number, module in enumerate(instrument.modules):
        suffix = f"_{number:0{digits}d}" if len(instrument.modules) > 1 else ""
        place = _translation(axes, f"translation{suffix}", module.origin - shift, base)
        _write_module(detector, f"module{suffix}", module, place)
        if instrument.own_sensors:
            _write_sensor(detector[f"module{suffix}"], *instrument.own_sensors[number])
    detector["depends_on"] = place if base == "." else base
    fast_size, slow_size = instrument.modules[0].pixel_sizes
    quantity(detector, "x_pixel_size", fast_size, "m")
    quantity(detector, "y_pixel_size", slow_size, "m")
    quantity(detector, "distance", instrument.distance, "m")
    if instrument.beam_center is not None:
        for key, value in zip(("beam_center_x", "beam_center_y"), instrument.beam_center, strict=True):
            quantity(detector, key, value, "pixels")
    quantity(detector, "frame_time", instrument.frame_time, "s")
    quantity(detector, "count_time", instrument.frame_time, "s")
    _write_sensor(detector, instrument.sensor_material, instrument.sensor_thickness)
    if instrument.underload is not None:
        detector["underload_value"] = instrument.underload
    if instrument.saturation is not None:
        detector["saturation_value"] = instrument.saturation
    # XDS' plugins look for these where one maker's files have them.
    specific = new_group(file, f"{DETECTOR}/detectorSpecific", "NXcollection")
    specific["pixel_mask"] = instrument.pixel_mask
    # Versions of DIALS' reader fail on the mask of a module narrower than the data, whose gap it does not need.
    if all(module.n_fast == instrument.pixel_mask.shape[1] for module in instrument.modules):
        detector["pixel_mask"] = specific["pixel_mask"]
    specific["nimages"] = np.uint32(count)
    specific["ntrigger"] = np.uint32(1)
    specific["x_pixels_in_detector"] = np.uint32(instrument.pixel_mask.shape[1])
    specific["y_pixels_in_detector"] = np.uint32(instrument.pixel_mask.shape[0])


def write_shots(file: h5py.File, shots: Shots) -> None:
    """Write the beam, the rotation and the ground truth of all images.

    Notes
    -----
    `incident_wavelength` is always one number per image, the weighted mean of a spectrum, because readers exist that
    take a list of channels for one wavelength per image; the spectra stand beside it as its variant.
    """
    beam = new_group(file, BEAM, "NXbeam")
    means = np.array([np.sum(w * s) / np.sum(s) if len(w) > 1 else w[0] for w, s in shots.spectra])
    wavelength = quantity(beam, "incident_wavelength", means * 1e10, "angstrom")
    if any(len(wavelengths) > 1 for wavelengths, _ in shots.spectra):
        wavelength.attrs["variant"] = SPECTRUM
        channels, weights = _padded(shots.spectra)
        quantity(beam, SPECTRUM, channels * 1e10, "angstrom")
        beam[f"{SPECTRUM}_weights"] = weights
        beam[f"{SPECTRUM}_weight"] = beam[f"{SPECTRUM}_weights"]  # a link, for versions of dxtbx that know this name
    if shots.stokes is not None:
        beam["incident_polarization_stokes"] = shots.stokes
    if shots.total_flux is not None:
        quantity(beam, "total_flux", shots.total_flux, "Hz")
    if shots.beam_size is not None:
        quantity(beam, "incident_beam_size", np.full(2, shots.beam_size), "m")
        beam["profile"] = "rectangular"
    write_rotation(file[SAMPLE], shots.rotation)
    truth = new_group(file, TRUTH, "NXcollection")
    for name, column in shots.truth.items():
        write_column(truth, name, column)


def write_column(group: h5py.Group, name: str, column: Column) -> None:
    """Write one quantity of all images; texts as UTF-8."""
    import h5py

    if isinstance(column.values, np.ndarray):
        dataset = group.create_dataset(name, data=column.values)
    else:
        # File names may hold bytes that are no UTF-8.
        texts = [text.encode("utf-8", "surrogateescape") for text in column.values]
        dataset = group.create_dataset(name, data=texts, dtype=h5py.string_dtype())
    if column.units is not None:
        dataset.attrs["units"] = column.units
    if column.missing is not None:
        dataset.attrs["missing"] = column.missing


def _padded(spectra: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return wavelengths and weights, both (n, m), or (m,) wavelengths where all images share them."""
    most = max(len(wavelengths) for wavelengths, _ in spectra)
    channels = np.array([np.pad(w, (0, most - len(w)), mode="edge") for w, _ in spectra])
    weights = np.array([np.pad(s, (0, most - len(s))) for _, s in spectra])
    return (channels[0] if np.all(channels == channels[0]) else channels), weights


def _write_sensor(group: h5py.Group, material: str, thickness: float) -> None:
    group["sensor_material"] = material
    quantity(group, "sensor_thickness", thickness or NO_SENSOR, "m")


def _write_module(detector: h5py.Group, name: str, module: StackedPanel, place: str) -> None:
    group = new_group(detector, name, "NXdetector_module")
    group["data_origin"] = np.array([module.first_row, 0])
    group["data_size"] = np.array([module.n_slow, module.n_fast])
    axes = zip(("fast_pixel_direction", "slow_pixel_direction"), (module.fast, module.slow), strict=True)
    for (key, vector), pixel in zip(axes, module.pixel_sizes, strict=True):
        # Readers take the direction of the vector alone.
        length = float(np.linalg.norm(vector))
        axis = quantity(group, key, np.array([pixel * length * 1e3]), "mm")
        axis.attrs.update(
            {
                "transformation_type": "translation",
                "vector": vector / length,
                "offset": np.zeros(3),
                "offset_units": "mm",
                "depends_on": place,
            }
        )


def _translation(axes: h5py.Group, name: str, shift: Array, depends_on: str) -> str:
    """Write a translation [m] and return its path."""
    distance = float(np.linalg.norm(shift))
    axis = quantity(axes, name, np.array([distance * 1e3]), "mm")
    vector = shift / distance if distance > 0.0 else np.array([0.0, 0.0, 1.0])
    axis.attrs.update({"transformation_type": "translation", "vector": vector, "depends_on": depends_on})
    return str(axis.name)


def _hdf5_version() -> str:
    import h5py

    return str(h5py.version.hdf5_version)
