"""Files of spectra: tables, NXmx files of any writer, DIALS experiment lists."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from nbnumba.errors import FileError, InputError
from nbnumba.io.spectrum_file import EV_ANGSTROM, SpectrumFile


def written(folder: Path, text: str) -> Path:
    path = folder / "a.txt"
    path.write_text(text, encoding="latin-1", newline="")
    return path


def nxmx(folder: Path, suffix: str = "_weights", units: str = "angstrom", scale: float = 1.0) -> Path:
    """Write a file as other programs do: no images, spectra of two shots, the second padded by a weight of 0."""
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        beam = file.create_group("run/instrument/beam_1")
        beam.attrs["NX_class"] = np.bytes_("NXbeam")
        beam["incident_wavelength"] = [1.0 * scale, 1.1 * scale]
        beam["incident_wavelength"].attrs["variant"] = "spectrum"
        beam["spectrum"] = np.array([1.2, 1.1, 1.0]) * scale
        beam["spectrum"].attrs["units"] = units
        beam[f"spectrum{suffix}"] = [[1.0, 2.0, 3.0], [0.0, 5.0, 1.0]]
    return path


def test_table(tmp_path: Path) -> None:
    path = written(tmp_path, "# eV weight\r\n9100, 3\r\n\r\n9000\t1 # middle\r\n9050;0")
    energies, weights = SpectrumFile(path).spectrum()
    np.testing.assert_array_equal(energies, [9000, 9050, 9100])
    np.testing.assert_array_equal(weights, [1, 0, 3])


def test_table_of_shots(tmp_path: Path) -> None:
    path = written(tmp_path, "9000 1 2 0\n9100 3 4 5\n")
    for shot, expected in enumerate(([1, 3], [2, 4], [0, 5])):
        np.testing.assert_array_equal(SpectrumFile(path).spectrum(shot)[1], expected)
    with pytest.raises(InputError, match="no spectrum 3; there are 3, counted from 0"):
        SpectrumFile(path).spectrum(3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no channel"),
        ("# nothing\n", "holds no channel"),
        ("9000\n", "line 1: the weight is missing"),
        ("9000 1\n9100 1 2\n", "line 2: has 3 columns, the lines above it 2"),
        ("9000 nan\n", "line 1: 'nan' is no finite number"),
        ("9000 1e999\n", "line 1: '1e999' is no finite number"),
        ("9000 -1\n9001 2\n", "a weight is -1"),
        ("9000 0\n9001 0\n", "all weights are 0"),
        ("9000 1\n9000 2\n", "9000 eV stands twice"),
        ("1.3 1\n1.4 2\n", r"1.3 eV; allowed are 100 to 1e\+06 eV; a wavelength in Angstrom"),
        ("9e9 1\n", r"9e\+09 eV; allowed are 100 to 1e\+06 eV$"),
        ("\x00\x01\x02", "is no finite number"),
        ("{", "not JSON"),
        ("{}", "names no image file"),
        ('{"experiment": [], "imageset": []}', "names no image file"),
        ('{"experiment": [{"imageset": 0}], "imageset": [{"template": 7}]}', "names no image file"),
    ],
)
def test_malformed_text(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        SpectrumFile(written(tmp_path, text), "-spectrum_file").spectrum()
    assert str(error.value).startswith("-spectrum_file ")
    assert "\n" not in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"-spectrum_file .*none: cannot be read: no such file"):
        SpectrumFile(tmp_path / "none", "-spectrum_file")


@pytest.mark.parametrize(
    ("suffix", "units", "scale"),
    [("_weights", "angstrom", 1.0), ("_weight", "Angstrom", 1.0), ("_weights", "nm", 0.1), ("_weights", "m", 1e-10)],
)
def test_nxmx_of_other_programs(tmp_path: Path, suffix: str, units: str, scale: float) -> None:
    path = nxmx(tmp_path, suffix, units, scale)
    energies, weights = SpectrumFile(path).spectrum(0)
    # Rounding of the units.
    np.testing.assert_allclose(energies, [EV_ANGSTROM / 1.2, EV_ANGSTROM / 1.1, EV_ANGSTROM], rtol=1e-14)
    np.testing.assert_array_equal(weights, [1.0, 2.0, 3.0])
    energies, weights = SpectrumFile(path).spectrum(1)
    np.testing.assert_allclose(energies, [EV_ANGSTROM / 1.1, EV_ANGSTROM], rtol=1e-14)
    np.testing.assert_array_equal(weights, [5.0, 1.0])


def test_malformed_nxmx(tmp_path: Path) -> None:
    path = nxmx(tmp_path)
    with pytest.raises(InputError, match="no spectrum 2; there are 2"):
        SpectrumFile(path).spectrum(2)
    with h5py.File(path, "a") as file:
        file["run/instrument/beam_1/spectrum"].attrs["units"] = "inch"
    with pytest.raises(InputError, match="has units 'inch'"):
        SpectrumFile(path).spectrum()
    with h5py.File(path, "a") as file:
        beam = file["run/instrument/beam_1"]
        beam["spectrum"].attrs["units"] = "angstrom"
        del beam["spectrum_weights"]
        beam["spectrum_weights"] = [1.0, 2.0]
    with pytest.raises(InputError, match="3 wavelengths have 2 weights"):
        SpectrumFile(path).spectrum()
    with h5py.File(path, "a") as file:
        beam = file["run/instrument/beam_1"]
        del beam["spectrum_weights"]
        beam["spectrum"].attrs["variant"] = "incident_wavelength"
    with pytest.raises(InputError, match="go round in a circle"):
        SpectrumFile(path).spectrum()
    with h5py.File(path, "a") as file:
        del file["run/instrument/beam_1/incident_wavelength"]
    with pytest.raises(InputError, match="holds no spectrum"):
        SpectrumFile(path).spectrum()
    with h5py.File(path, "a") as file:
        beam = file["run/instrument/beam_1"]
        beam.create_dataset("incident_wavelength", (2, 10**9), dtype="f8", chunks=(1, 10**6))  # takes no room
        beam["incident_wavelength_weights"] = beam["incident_wavelength"]
        beam["incident_wavelength"].attrs["units"] = "angstrom"
    with pytest.raises(InputError, match="has 1000000000 channels; at most 100000"):
        SpectrumFile(path).spectrum()
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(InputError, match="not an HDF5 file, or cut short"):
        SpectrumFile(path).spectrum()


def test_expt_leads_to_its_image_file(tmp_path: Path) -> None:
    image = nxmx(tmp_path)
    path = tmp_path / "a.expt"
    # DIALS writes whole paths: of a scan a template, of stills a list.
    for named in ({"template": str(image)}, {"template": image.name}, {"images": [str(image)]}):
        imageset = {"__id__": "ImageSet", "single_file_indices": [1], **named}
        content = {"__id__": "ExperimentList", "experiment": [{"imageset": 0}], "imageset": [imageset]}
        path.write_text(json.dumps(content))
        np.testing.assert_array_equal(SpectrumFile(path).spectrum()[1], [5.0, 1.0])
        np.testing.assert_array_equal(SpectrumFile(path).spectrum(0)[1], [1.0, 2.0, 3.0])
