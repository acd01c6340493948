"""NXmx files: what is in them, what reads them, and what happens when they cannot be written or read."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fabio
import h5py
import numpy as np
import nxmx
import pytest
from plain_experiments import CENTERS, TILTS, experiment, lab_position, points
from requirements import ROOT

from nbnumba import __version__
from nbnumba.beam.frames import to_mcstas
from nbnumba.errors import FileError, InputError
from nbnumba.experiment.ground_truth import GroundTruth, ground_truth
from nbnumba.experiment.model import Experiment
from nbnumba.geometry.mounting import Mounting
from nbnumba.imagefiles import nexus_read
from nbnumba.imagefiles.nexus import NO_NUMBER, NexusWriter, stacked_shape
from nbnumba.imagefiles.stacking import panel_rows
from nbnumba.io.nexus import checksums
from nbnumba.io.nexus import layout as nexus_writing
from nbnumba.io.nexus import master as nexus_master
from nbnumba.io.nexus import read as nexus
from nbnumba.io.nexus.rotation import joined_rotation
from nbnumba.parameters.parser import parse

FLAT = experiment("-Xbeam 0.913 -Ybeam 1.217")
DETECTOR = "/entry/instrument/detector"
BEAM = "/entry/instrument/beam"


def image(record: Experiment, dtype: str = "int32", value: int | None = None) -> np.ndarray:
    panel = record.detector.panels[0]
    shape = (panel.n_slow, panel.n_fast)
    if value is not None:
        return np.full(shape, value, dtype=dtype)
    return np.arange(math.prod(shape)).reshape(shape).astype(dtype)


def write(path: Path, records: list[Experiment], dtype: str = "int32", **options: object) -> Path:
    with NexusWriter(path, records[0], len(records), dtype, **options) as writer:
        for index, record in enumerate(records):
            writer.write(index, image(record, dtype, index), record, ground_truth(record, command=["-N", str(index)]))
    return path


def two_panels(*sizes: tuple[int, int]) -> Experiment:
    first = FLAT.detector.panels[0]
    panels = tuple(
        dataclasses.replace(first, n_slow=n_slow, n_fast=n_fast, origin=first.origin + 0.01 * i)
        for i, (n_slow, n_fast) in enumerate(sizes)
    )
    return dataclasses.replace(FLAT, detector=dataclasses.replace(FLAT.detector, panels=panels))


# What readers find


@pytest.mark.readers
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint16"])
def test_fabio_finds_the_images(tmp_path: Path, dtype: str) -> None:
    path = write(tmp_path / "a.h5", [FLAT] * 3, dtype)
    with fabio.open(path) as found:
        assert found.nframes == 3
        for index in range(3):
            frame = found.get_frame(index)
            assert frame.data.dtype == dtype
            np.testing.assert_array_equal(frame.data, image(FLAT, dtype, index))


@pytest.mark.readers
@pytest.mark.parametrize("tilt", ["", *TILTS.values()])
@pytest.mark.parametrize("center", CENTERS.values(), ids=CENTERS)
def test_nxmx_finds_every_pixel_where_it_is(tmp_path: Path, center: str, tilt: str) -> None:
    record = experiment(f"{center} {tilt}")
    with h5py.File(write(tmp_path / "a.h5", [record])) as file:
        (entry,) = nxmx.NXmx(file).entries
        (detector,) = entry.instruments[0].detectors
        (module,) = detector.modules
        chain = nxmx.get_dependency_chain(module.fast_pixel_direction.depends_on)
        origin = nxmx.get_cumulative_transformation(chain)[0, :3, 3] / 1e3
        fast = module.fast_pixel_direction.vector * module.fast_pixel_direction[()].to("m").magnitude
        slow = module.slow_pixel_direction.vector * module.slow_pixel_direction[()].to("m").magnitude
        frame = to_mcstas(record.beam)
        for point in points(record):
            theirs = origin + point[1] * fast + point[2] * slow
            # Rounding alone, below 1e-14.
            np.testing.assert_allclose(theirs, frame @ lab_position(record, *point), rtol=0.0, atol=1e-12)
        center = (detector.beam_center_x.to("pixel").magnitude, detector.beam_center_y.to("pixel").magnitude)
        on_beam = origin + center[0] * fast + center[1] * slow
        np.testing.assert_allclose(on_beam[:2], 0.0, atol=1e-12)
        assert detector.distance.to("m").magnitude == pytest.approx(on_beam[2], rel=1e-12)


@pytest.mark.readers
def test_nxmx_finds_the_rest(tmp_path: Path) -> None:
    record = experiment("-lambda 1.25 -detector_abs 300 -detector_thick 450 -flux 1e12 -exposure 0.1 -beamsize 0.03")
    with h5py.File(write(tmp_path / "a.h5", [record, record])) as file:
        (entry,) = nxmx.NXmx(file).entries
        assert entry.definition == "NXmx"
        assert entry.start_time.tzinfo is not None
        (instrument,) = entry.instruments
        (beam,) = instrument.beams
        np.testing.assert_allclose(beam.incident_wavelength.to("angstrom").magnitude, [1.25, 1.25], rtol=1e-15)
        np.testing.assert_array_equal(beam.total_flux.to("Hz").magnitude, [1e12, 1e12])
        np.testing.assert_allclose(beam.incident_beam_size.to("mm").magnitude, [0.03, 0.03])
        assert beam.profile == "rectangular"
        (detector,) = instrument.detectors
        assert detector.sensor_material == "Si"
        assert detector.sensor_thickness.to("micrometer").magnitude == pytest.approx(450.0)
        assert detector.frame_time.to("s").magnitude == 0.1
        assert detector.saturation_value == 2**31 - 4
        assert detector.underload_value == 0
        assert entry.source.short_name == "simulation"
        (sample,) = entry.samples
        assert sample.depends_on is None


def test_plugins_of_xds_find_what_they_ask_for(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "a.h5", [FLAT] * 2, "uint16")) as file:
        data = file["/entry/data/data"]
        assert data.shape == (2, 9, 12)
        assert data.chunks == (1, 9, 12)
        filters = data.id.get_create_plist()
        assert filters.get_nfilters() == 1
        number, _, values, _ = filters.get_filter(0)
        assert number == 32008  # bitshuffle
        assert values[4] == 2  # followed by LZ4
        specific = file[f"{DETECTOR}/detectorSpecific"]
        assert specific["nimages"][()] == 2
        assert specific["ntrigger"][()] == 1
        for mask in (specific["pixel_mask"], file[f"{DETECTOR}/pixel_mask"]):
            assert mask.dtype == np.uint32
            assert mask.chunks is None
        assert file[f"{DETECTOR}/x_pixel_size"][()] == pytest.approx(0.172e-3)
        assert file[f"{DETECTOR}/y_pixel_size"].attrs["units"] == "m"


def test_groups_are_found_by_their_class_and_default(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "a.h5", [FLAT])) as file:
        entry = file[file.attrs["default"]]
        plotted = entry[entry.attrs["default"]]
        assert plotted[plotted.attrs["signal"]].shape == (1, 9, 12)
        assert file.attrs["file_name"] == "a.h5"
        assert file.attrs["creator"] == "nbnumba"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", file.attrs["file_time"])
        assert entry["program_name"].attrs["version"] == __version__
        kinds: dict[str, str] = {}
        file.visititems(lambda name, item: kinds.setdefault(name, item.attrs.get("NX_class", "")))
        assert all(kinds[name].startswith("NX") for name in kinds if isinstance(file[name], h5py.Group))


# What is in them


def test_the_ground_truth_travels_with_every_image(tmp_path: Path) -> None:
    records = [experiment(f"-lambda {1 + i / 10} -misset {i} 2 3 -distance {100 + i}") for i in range(3)]
    truths = [
        ground_truth(
            record, command=["-hkl", f"naïve {i}.hkl"], noise_seed=None if i == 1 else i, noise_rng=["c", None, "c"][i]
        )
        for i, record in enumerate(records)
    ]
    with NexusWriter(tmp_path / "a.h5", records[0], 3, "int32") as writer:
        for index in (2, 0, 1):
            writer.write(index, image(FLAT), records[index], truths[index])
    found = nexus.read_ground_truth(tmp_path / "a.h5")
    for item in dataclasses.fields(GroundTruth):
        column = found[item.name]
        for i, truth in enumerate(truths):
            expected = getattr(truth, item.name)
            if expected is None:
                texts = "noise_rng background readout spectrum mosaic diffuse crystals phi_sampling anomalous".split()
                expected = "" if item.name in texts else NO_NUMBER
                assert item.name in (*texts, "noise_seed", "noise_number", "misset_seed")
            np.testing.assert_array_equal(column.values[i], expected)
    assert found["noise_seed"].missing == NO_NUMBER
    assert found["mosaic_seed"].missing is None
    assert found["A_matrix"].units == "1/angstrom"
    assert found["distance"].units == "m"
    for i, record in enumerate(records):
        panel, frame = record.detector.panels[0], to_mcstas(record.beam)
        np.testing.assert_array_equal(found["panel_origin"].values[i, 0], frame @ panel.origin)
        np.testing.assert_array_equal(found["panel_fast"].values[i, 0], frame @ panel.fast)
        np.testing.assert_array_equal(found["panel_slow"].values[i, 0], frame @ panel.slow)
    assert nexus.read_command(tmp_path / "a.h5", 2) == "-hkl 'naïve 2.hkl'"


def test_quantities_without_units_are_those_that_have_none(tmp_path: Path) -> None:
    found = nexus.read_ground_truth(write(tmp_path / "a.h5", [FLAT]))
    bare = {name for name, column in found.items() if column.units is None and not isinstance(column.values, list)}
    counts = {"cells", "mosaic_domains", "mosaic_seed", "misset_seed", "noise_seed", "noise_number"}
    assert bare == counts | {"U_matrix", "polarization", "panel_fast", "panel_slow", "beam_direction"}


def test_one_wavelength_is_written_plainly(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "a.h5", [FLAT] * 2)) as file:
        wavelength = file[f"{BEAM}/incident_wavelength"]
        assert wavelength.shape == (2,)
        assert set(wavelength.attrs) == {"units"}
        assert wavelength.attrs["units"] == "angstrom"
        assert not [name for name in file[BEAM] if "spectrum" in name]


def test_spectra_stand_beside_their_mean(tmp_path: Path) -> None:
    records = [experiment(f"-dispersion {i} -dispsteps {i + 1} -hdivrange 1 -hdivsteps 2") for i in range(3)]
    with h5py.File(write(tmp_path / "a.h5", records)) as file:
        beam = file[BEAM]
        assert beam["incident_wavelength"].attrs["variant"] == "incident_wavelength_1Dspectrum"
        channels = beam["incident_wavelength_1Dspectrum"]
        weights = beam["incident_wavelength_1Dspectrum_weights"]
        assert beam["incident_wavelength_1Dspectrum_weight"] == weights
        assert channels.attrs["units"] == "angstrom"
        assert channels.shape == weights.shape == (3, 3)
        for i, record in enumerate(records):
            expected = np.unique(record.beam.sources.wavelengths) * 1e10
            assert len(expected) == i + 1
            np.testing.assert_array_equal(channels[i, : i + 1], expected)
            # Two directions of every wavelength.
            np.testing.assert_array_equal(weights[i], [2.0] * (i + 1) + [0.0] * (2 - i))
    # One spectrum for all images stands there once.
    with h5py.File(write(tmp_path / "b.h5", [records[2]] * 2)) as file:
        assert file[f"{BEAM}/incident_wavelength_1Dspectrum"].shape == (3,)
        assert file[f"{BEAM}/incident_wavelength_1Dspectrum_weights"].shape == (2, 3)


def test_weights_of_sources_add_up(tmp_path: Path) -> None:
    (tmp_path / "sources.txt").write_text("-1 0 0 2 1e-10\n-1 0.001 0 1 1e-10\n-1 0 0 3 0.9e-10\n-1 0 0 0 0.8e-10\n")
    wavelengths, weights = experiment(f"-sourcefile {tmp_path / 'sources.txt'}").beam.sources.spectrum
    np.testing.assert_allclose(wavelengths, [0.9e-10, 1e-10])
    np.testing.assert_allclose(weights / weights.sum(), [0.5, 0.5])
    record = experiment(f"-sourcefile {tmp_path / 'sources.txt'} -semantics c")
    wavelengths, weights = record.beam.sources.spectrum  # in which the weights have no effect
    np.testing.assert_allclose(wavelengths, [0.8e-10, 0.9e-10, 1e-10])
    np.testing.assert_array_equal(weights, [1, 1, 2])


def test_polarization_is_that_of_the_beam(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "a.h5", [experiment("-polar 0.9")] * 2)) as file:
        np.testing.assert_array_equal(file[f"{BEAM}/incident_polarization_stokes"], [[1.0, 0.9, 0.0, 0.0]] * 2)
    with h5py.File(write(tmp_path / "b.h5", [experiment("-nopolar")])) as file:
        assert "incident_polarization_stokes" not in file[BEAM]
        assert np.isnan(file["/entry/ground_truth/polarization"][0])


def test_a_flux_that_is_not_known_is_not_written(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "a.h5", [FLAT])) as file:
        assert not {"total_flux", "incident_beam_size", "profile"} & set(file[BEAM])
        assert file["/entry/ground_truth/fluence"][0] == FLAT.beam.fluence


def test_a_rotation_holds_the_angles_of_every_image(tmp_path: Path) -> None:
    records = [experiment(f"-phi {10 + i} -osc 1 -phisteps 3") for i in range(3)]
    with h5py.File(write(tmp_path / "a.h5", records)) as file:
        assert file["/entry/sample/depends_on"].asstr()[()] == "/entry/sample/transformations/omega"
        axes = file["/entry/sample/transformations"]
        np.testing.assert_allclose(axes["omega"], [10, 11, 12], rtol=1e-14)
        np.testing.assert_allclose(axes["omega_end"], [11, 12, 13], rtol=1e-14)
        np.testing.assert_allclose(axes["omega_increment_set"], [1, 1, 1], rtol=1e-14)
        frame = to_mcstas(records[0].beam)
        np.testing.assert_array_equal(axes["omega"].attrs["vector"], frame @ records[0].goniometer.spindle)


def test_a_turn_the_other_way_is_one_about_the_opposite_axis() -> None:
    axes = np.array([[0.0, 1.0, 0.0]] * 3)
    starts, widths = np.array([10.0, 9.5, 9.0]), np.full(3, -0.5)
    found = joined_rotation(axes, starts, widths, None, [Mounting()] * len(starts))
    assert found is not None
    assert found.width == 0.5
    np.testing.assert_array_equal(found.axis, [0.0, -1.0, 0.0])
    np.testing.assert_array_equal(found.starts, [-10.0, -9.5, -9.0])
    for change in (
        {"axes": axes + np.array([[0], [0], [1e-6]])},
        {"starts": np.array([10.0, 9.5, 8.9])},
        {"widths": np.array([-0.5, -0.5, -0.4])},
        {"widths": np.array([0.5, 0.5, 0.5])},
        {"widths": np.zeros(3)},
        {"orientations": np.arange(3.0)},
    ):
        words = {"axes": axes, "starts": starts, "widths": widths, "orientations": None} | change
        words["mountings"] = [Mounting()] * 3
        assert joined_rotation(**words) is None


def test_masked_pixels_and_gaps_are_marked(tmp_path: Path) -> None:
    wanted = np.ones((9, 12), dtype=bool)
    wanted[3, 5] = False
    panel = dataclasses.replace(FLAT.detector.panels[0], mask=wanted)
    record = dataclasses.replace(FLAT, detector=dataclasses.replace(FLAT.detector, panels=(panel,)))
    with h5py.File(write(tmp_path / "a.h5", [record])) as file:
        mask = file[f"{DETECTOR}/pixel_mask"][()]
    assert mask[3, 5] == 1 << 8
    assert np.count_nonzero(mask) == 1
    record = experiment("-roi 2 4 3 5")
    with h5py.File(write(tmp_path / "b.h5", [record])) as file:
        assert not np.any(file[f"{DETECTOR}/pixel_mask"][()])
    record = two_panels((4, 5), (2, 12))
    with NexusWriter(tmp_path / "c.h5", record, 1, "int32") as writer:
        writer.write(0, np.ones((2, 4, 12), dtype=np.int32), record, ground_truth(record))
    with h5py.File(tmp_path / "c.h5") as file:
        mask = file[f"{DETECTOR}/detectorSpecific/pixel_mask"][()]
        assert np.all(mask[:4, 5:] == 1)
        assert np.count_nonzero(mask) == 28
        # Versions of DIALS' reader fail on the mask of a module narrower than the data.
        assert "pixel_mask" not in file[DETECTOR]


def test_panels_lie_one_below_the_other(tmp_path: Path) -> None:
    record = two_panels((3, 5), (4, 2), (3, 5))
    assert panel_rows(record.detector) == [(0, 3, 5), (3, 4, 2), (7, 3, 5)]
    assert stacked_shape(record.detector) == (10, 5)
    pixels = np.arange(3 * 4 * 5, dtype=np.int32).reshape(3, 4, 5)
    with NexusWriter(tmp_path / "a.h5", record, 1, "int32") as writer:
        writer.write(0, pixels, record, ground_truth(record))
    parts = nexus.read_image(tmp_path / "a.h5")
    for part, (index, n_slow, n_fast) in zip(parts, [(0, 3, 5), (1, 4, 2), (2, 3, 5)], strict=True):
        np.testing.assert_array_equal(part, pixels[index, :n_slow, :n_fast])
    stored = nexus.read_images(tmp_path / "a.h5")
    assert stored.shape == (1, 10, 5)
    assert not np.any(stored[0, 3:7, 2:])


def test_images_come_back_as_they_were(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.normal(size=(3, 9, 12)).astype(np.float32)
    pixels[0, 0, :3] = np.nan, np.inf, -0.0
    for name in ("a.h5", "b.h5"):
        with NexusWriter(tmp_path / name, FLAT, 3, "float32") as writer:
            for index in (1, 2, 0):
                writer.write(index, pixels[index], FLAT, ground_truth(FLAT))
    assert nexus.image_count(tmp_path / "a.h5") == 3
    found = nexus.read_images(tmp_path / "a.h5")
    assert found.tobytes() == pixels.tobytes()
    np.testing.assert_array_equal(nexus.read_image(tmp_path / "a.h5", 2)[0], pixels[2])
    with h5py.File(tmp_path / "a.h5") as first, h5py.File(tmp_path / "b.h5") as second:
        for index in range(3):
            chunks = [file["/entry/data/data"].id.read_direct_chunk((index, 0, 0))[1] for file in (first, second)]
            assert chunks[0] == chunks[1]


def test_a_saturation_value_is_written(tmp_path: Path) -> None:
    for dtype, saturation, expected in (
        ("uint16", None, 65532),
        ("float32", None, None),
        ("float32", 1e5, 99999),
        ("int32", 9, 8),
    ):
        with h5py.File(write(tmp_path / "a.h5", [FLAT], dtype, saturation=saturation)) as file:
            found = file[DETECTOR].get("saturation_value")
            assert (None if found is None else found[()]) == expected


def test_a_detector_beside_the_beam_has_no_beam_center(tmp_path: Path) -> None:
    record = FLAT
    panel = record.detector.panels[0]
    beside = dataclasses.replace(panel, fast=record.beam.direction)
    record = dataclasses.replace(record, detector=dataclasses.replace(record.detector, panels=(beside,)))
    with h5py.File(write(tmp_path / "a.h5", [record])) as file:
        assert "beam_center_x" not in file[DETECTOR]


# Masters


def test_a_master_refers_to_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "there 100%d"
    (folder / "sub").mkdir(parents=True)
    bands = [experiment(f"-dispersion 1 -dispsteps {n} -flux 1e12") for n in (3, 2)]
    chunks = [
        write(folder / "a%b.h5", [experiment("-flux 1e11")] * 3),
        write(folder / "sub" / "b.h5", bands),
    ]
    assert nexus_master.write_master(folder / "all.h5", chunks) == 5
    assert all(chunk.stat().st_size > 0 for chunk in chunks)
    moved = tmp_path / "moved"
    folder.rename(moved)
    master = moved / "all.h5"
    images = nexus.read_images(master)
    np.testing.assert_array_equal(images[:, 0, 0], [0, 1, 2, 0, 1])
    assert [nexus.read_command(master, i) for i in range(5)] == ["-N 0", "-N 1", "-N 2", "-N 0", "-N 1"]
    with h5py.File(master) as file:
        assert file["/entry/data/data"].is_virtual
        np.testing.assert_array_equal(file[f"{BEAM}/total_flux"], [1e11] * 3 + [1e12] * 2)
        assert file[f"{BEAM}/incident_wavelength_1Dspectrum_weights"].shape == (5, 3)
        np.testing.assert_array_equal(
            np.count_nonzero(file[f"{BEAM}/incident_wavelength_1Dspectrum_weights"], axis=1), [1, 1, 1, 3, 2]
        )
        assert file[f"{DETECTOR}/detectorSpecific/nimages"][()] == 5
        assert file[f"{DETECTOR}/pixel_mask"] == file[f"{DETECTOR}/detectorSpecific/pixel_mask"]
        assert file["/entry/program_name"].attrs["version"] == __version__
        assert file["/entry/ground_truth/A_matrix"].shape == (5, 3, 3)
        assert file["/entry/ground_truth/A_matrix"].attrs["units"] == "1/angstrom"
        with h5py.File(moved / "sub" / "b.h5") as chunk:
            for name in ("incident_wavelength", "incident_polarization_stokes"):
                np.testing.assert_allclose(file[BEAM][name][3:], chunk[BEAM][name], rtol=1e-15)
            (theirs,) = nxmx.NXmx(file).entries
            assert len(theirs.instruments[0].beams[0].incident_wavelength) == 5


@pytest.mark.readers
def test_fabio_finds_the_images_of_a_master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = [write(tmp_path / f"{n}.h5", [FLAT] * n) for n in (3, 1)]
    nexus_master.write_master(tmp_path / "all.h5", chunks)
    monkeypatch.chdir("/")
    with fabio.open(tmp_path / "all.h5") as found:
        assert found.nframes == 4
        assert [int(found.get_frame(i).data[0, 0]) for i in range(4)] == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: [], r"all.h5: a master needs at least one file of images$"),
        (
            lambda folder: [write(folder / "a.h5", [FLAT]), folder / "absent.h5"],
            r"absent.h5: cannot be read: no such file",
        ),
        (
            lambda folder: [write(folder / "a.h5", [FLAT]), write(folder / "b.h5", [FLAT], "uint16")],
            r"b.h5: images of \(9, 12\) uint16; those of .*a.h5 are \(9, 12\) int32$",
        ),
    ],
)
def test_files_that_make_no_master(tmp_path: Path, make: Callable[[Path], list[Path]], message: str) -> None:
    chunks = make(tmp_path)
    with pytest.raises((InputError, FileError), match=message):
        nexus_master.write_master(tmp_path / "all.h5", chunks)
    assert not (tmp_path / "all.h5").exists()


def test_files_that_know_other_things_make_no_master(tmp_path: Path) -> None:
    chunks = [write(tmp_path / "a.h5", [FLAT]), write(tmp_path / "b.h5", [FLAT])]
    with h5py.File(chunks[1], "a") as file:
        file["/entry/ground_truth/more"] = [1.0]
    with pytest.raises(InputError, match=r"b.h5: its ground truth holds other quantities than that of .*a.h5$"):
        nexus_master.write_master(tmp_path / "all.h5", chunks)


# What goes wrong


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, MemoryError])
def test_a_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path, failure: type[BaseException]) -> None:
    (tmp_path / "a.h5").write_bytes(b"old")

    def write_half() -> None:
        with NexusWriter(tmp_path / "a.h5", FLAT, 2, "int32") as writer:
            writer.write(0, image(FLAT), FLAT, ground_truth(FLAT))
            raise failure

    with pytest.raises(failure):
        write_half()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.h5"]
    assert (tmp_path / "a.h5").read_bytes() == b"old"


@pytest.mark.parametrize("count", [1, 40])
def test_a_full_disk_is_one_line(tmp_path: Path, count: int) -> None:
    record = experiment("-detpixels 100")
    noise = np.random.default_rng(0).integers(0, 2**30, (100, 100), dtype=np.int32)

    def fill() -> None:
        with NexusWriter(tmp_path / "a.h5", record, count, "int32") as writer:
            for index in range(count):
                writer.write(index, noise, record, ground_truth(record))

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(FileError, match=r"a.h5: cannot be written: file too large$"):
            fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_cannot_be_written(tmp_path: Path) -> None:
    with (
        pytest.raises(FileError, match=r"absent/a.h5: cannot be written: there is no folder"),
        NexusWriter(tmp_path / "absent" / "a.h5", FLAT, 1, "int32"),
    ):
        pass


def test_images_that_were_not_promised(tmp_path: Path) -> None:
    truth = ground_truth(FLAT)
    with pytest.raises(ValueError, match="allowed are float32, int32, uint16"):
        NexusWriter(tmp_path / "a.h5", FLAT, 1, "int64")
    with pytest.raises(ValueError, match="0 images"):
        NexusWriter(tmp_path / "a.h5", FLAT, 0, "int32")
    for index, pixels, message in (
        (1, image(FLAT), "image 1: allowed are 0 to 0"),
        (-1, image(FLAT), "image -1"),
        (0, image(FLAT, "uint16"), "pixels are uint16, not the promised int32"),
        (0, image(FLAT)[:5], r"shape \(5, 12\), not the promised \(9, 12\)"),
        (0, image(FLAT)[np.newaxis], r"shape \(1, 9, 12\)"),
    ):
        with (
            pytest.raises(ValueError, match=message),
            NexusWriter(tmp_path / "a.h5", FLAT, 1, "int32") as writer,
        ):
            writer.write(index, pixels, FLAT, truth)
    with (
        pytest.raises(ValueError, match="1 of 2 images were written"),
        NexusWriter(tmp_path / "a.h5", FLAT, 2, "int32") as writer,
    ):
        writer.write(0, image(FLAT), FLAT, truth)
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    good = write(tmp_path / "good.h5", [experiment("-detpixels 64")]).read_bytes()
    (tmp_path / "text.h5").write_text("no such thing\n")
    (tmp_path / "short.h5").write_bytes(good[: len(good) // 2])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["/entry/data/data"] = np.zeros((3, 4))
    for name, kind, message in (
        ("absent.h5", FileError, "cannot be read: no such file"),
        ("text.h5", InputError, "not an HDF5 file, or cut short$"),
        ("short.h5", InputError, "not an HDF5 file, or cut short$"),
        ("other.h5", InputError, "no images: a NeXus file of images has a dataset /entry/data/data of three axes$"),
    ):
        with pytest.raises(kind, match=rf"^-h5 .*{name}: {message}"):
            nexus.read_images(tmp_path / name, "-h5")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "good.h5", [FLAT])
    with path.open("rb") as file:
        found = checksums.read(file)
        assert found is not None
        file.seek(0)
        good = file.read(found.end)  # without the checksums, as the files of others
    received = []
    for node in re.finditer(b"SNOD", good):  # of the tree of groups
        (tmp_path / "bad.h5").write_bytes(good[: node.start()] + b"SNAD" + good[node.end() :])
        try:
            nexus.read_images(tmp_path / "bad.h5", "-h5")
            nexus.read_ground_truth(tmp_path / "bad.h5", "-h5")
        except InputError as error:
            received.append(str(error))
    assert any(line.startswith(f"-h5 {tmp_path}/bad.h5: is damaged, or lacks something: ") for line in received)


def test_what_a_file_does_not_hold(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", [FLAT] * 2)
    for call in (nexus.read_image, nexus.read_command):
        with pytest.raises(InputError, match=r"a.h5: no image 2; there are 2, counted from 0$"):
            call(path, 2)
    with NexusWriter(tmp_path / "b.h5", FLAT, 1, "int32") as writer:
        writer.write(0, image(FLAT), FLAT, ground_truth(FLAT))
    with pytest.raises(InputError, match=r"b.h5: holds no command line for image 0$"):
        nexus.read_command(tmp_path / "b.h5")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["/entry/data/data"] = np.arange(24).reshape(2, 3, 4)
    assert nexus.read_ground_truth(tmp_path / "c.h5") == {}
    with pytest.raises(InputError, match="holds no command line"):
        nexus.read_command(tmp_path / "c.h5")
    np.testing.assert_array_equal(nexus.read_image(tmp_path / "c.h5", 1)[0], np.arange(12, 24).reshape(3, 4))


def test_an_interruption_of_the_library_waits_until_it_has_written(tmp_path: Path) -> None:
    """Ctrl-C at any moment leaves nothing behind, and the process whole."""
    script = """
import gc, os, signal, sys, threading, time
import numpy as np
from test_nexus import FLAT, NexusWriter, experiment, ground_truth

record = experiment("-detpixels 300")
noise = np.random.default_rng(0).integers(0, 2**30, (300, 300), dtype=np.int32)
interrupted = 0
for wait in np.linspace(0.0, 0.05, 25):
    timer = threading.Timer(wait, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with NexusWriter(sys.argv[1], record, 2000, "int32") as writer:
            timer.start()
            for index in range(2000):
                writer.write(index, noise, record, ground_truth(record))
    except KeyboardInterrupt:
        interrupted += 1
    gc.collect()
print(interrupted, os.listdir(os.path.dirname(sys.argv[1])))
"""
    here, support = Path(__file__).parent, ROOT / "tests" / "support"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (here, support, ROOT)))}
    (tmp_path / "out").mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "out" / "a.h5")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "25 []\n", "")


def test_a_spectrum_survives_the_way_through_a_file(tmp_path: Path) -> None:
    records = [experiment(f"-spectrum sase:12000:60:3:20 -spectrum_seed {seed}") for seed in (3, 4)]
    write(tmp_path / "a.h5", records)
    for record, found in zip(records, nexus_read.read(str(tmp_path / "a.h5"), parse([])), strict=True):
        for ours, theirs in zip(found.geometry.beam.sources.spectrum, record.beam.sources.spectrum, strict=True):
            # Meters to Angstrom and back.
            np.testing.assert_allclose(ours, theirs, rtol=1e-15)
        assert found.geometry.beam.spectrum_origin == record.beam.spectrum_origin
        assert found.truth.spectrum is not None
        assert '"seed"' in found.truth.spectrum


def test_a_file_without_later_columns_of_the_ground_truth_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", [FLAT])
    with path.open("rb") as file:
        found = checksums.read(file)
    assert found is not None
    path.write_bytes(path.read_bytes()[: found.end])  # without checksums, which an edited file would contradict
    with h5py.File(path, "a") as file:
        for name in ("spectrum", "background", "readout", "mosaic", "phi_sampling"):
            del file[f"{nexus_writing.TRUTH}/{name}"]
    (image,) = nexus_read.read(str(path), parse([]))
    assert image.truth.spectrum is None
    assert image.truth.A_matrix is not None
