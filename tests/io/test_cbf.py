"""Mini-CBF images: what other programs find in them."""

from __future__ import annotations

import dataclasses
import datetime
import urllib.parse
from pathlib import Path

import dxtbx_reader
import fabio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_experiments import CENTERS, TILTS, experiment, lab_position, points, some_counts
from requirements import requires

from nbnumba.errors import FileError, InputError
from nbnumba.experiment.ground_truth import ground_truth, partial_truth
from nbnumba.experiment.model import Experiment
from nbnumba.geometry.vectors import cross, dot
from nbnumba.imagefiles import headers as plain_headers
from nbnumba.imagefiles.cbf import write_cbf
from nbnumba.io import cbf
from nbnumba.util.messages import notices_to

NASTY = [
    "-mat",
    "# Detector: PILATUS3 6M, S/N 60-0127.mat",
    "-hkl",
    "a=b;c}.hkl\n;\n--CIF-BINARY-FORMAT-SECTION--",
    "-img",
    "12:30:45 Beam_xy é Wavelength PHI DISTANCE 50%",
]


def write(path: Path, words: str, command: list[str] | None = None) -> tuple[Experiment, np.ndarray]:
    record = experiment(words)
    counts = some_counts(record)
    write_cbf(
        path, counts, record, record.crystal, ground_truth(record, command=command or words.split(), noise_seed=42)
    )
    return record, counts


def told(path: Path) -> dict[str, str]:
    """Return the lines of a header by their first words, read without the help of nbnumba."""
    lines = path.read_bytes().partition(b"--CIF-BINARY")[0].decode("ascii").split("\r\n")
    return dict(line[2:].split(" ", 1) for line in lines if line.startswith("# ") and " " in line[2:])


def command_in(header: dict[str, str]) -> str:
    parts = [header[f"NBNUMBA_COMMAND_{n}"] for n in range(1, 99) if f"NBNUMBA_COMMAND_{n}" in header]
    return urllib.parse.unquote("".join(parts))


@pytest.mark.readers
def test_fabio_finds_pixels_and_header(tmp_path: Path) -> None:
    path = tmp_path / "shot_0001.cbf"
    _, counts = write(path, "-phi 12.5 -osc 0.25")
    image = fabio.open(str(path))
    assert type(image).__name__ == "CbfImage"
    np.testing.assert_array_equal(image.data, counts)
    assert image.header["_array_data.header_convention"] == "GENERIC_MINI"
    contents = image.header["_array_data.header_contents"]
    assert "Start_angle 12.5 deg." in contents
    assert "Angle_increment 0.25 deg." in contents
    assert image.header["Content-MD5"]


@requires("DIALS' reader")
@pytest.mark.readers
def test_dials_finds_every_pixel_where_it_is(tmp_path: Path) -> None:
    files, expected = [], []
    for number, (name, words) in enumerate(CENTERS.items(), 1):
        path = tmp_path / f"shot_{number:04d}.cbf"
        record, counts = write(path, f"{words} -phi {number} -osc 0.5")
        files.append((path, points(record)))
        expected.append((name, record, counts))
    for number, ((name, record, counts), found) in enumerate(zip(expected, dxtbx_reader.read(files), strict=True), 1):
        assert "error" not in found, (name, found)
        assert found["format"] == "FormatCBFMini"
        np.testing.assert_array_equal(found["data"][0][0], counts)
        # The reader's frame has fast along +x, slow along -y and the beam along -z.
        panel, beam = record.detector.panels[0], record.beam.direction
        frame = np.array([panel.fast, -panel.slow, -beam])
        ours = [frame @ lab_position(record, *point) for point in points(record)]
        # 1e-9 m, in which the digits of the header may differ.
        np.testing.assert_allclose(np.array(found["points_mm"]) / 1000.0, ours, rtol=0.0, atol=1e-9, err_msg=name)
        # One part in 1e12: the header has 15 digits.
        assert found["wavelengths_A"][0] == pytest.approx(record.beam.wavelength * 1e10, rel=1e-12)
        assert found["scan"]["oscillation_deg"] == [number, 0.5]
        assert found["panels"][0]["trusted_range"][1] == 2**31 - 4
        assert found["panels"][0]["pixel_size_mm"] == pytest.approx([0.172, 0.172], rel=1e-12)
        assert found["sample_to_source"] == [0.0, 0.0, 1.0]
        assert found["panels"][0]["thickness_mm"] == pytest.approx(1e-6)  # stands for none
        assert found["panels"][0]["gain"] == 1.0


@requires("DIALS' reader")
@pytest.mark.readers
def test_dials_reads_sensors_and_is_not_led_astray(tmp_path: Path) -> None:
    thick, nasty = tmp_path / "thick_0001.cbf", tmp_path / "nasty_0001.cbf"
    record, counts = write(thick, "-detector_abs 300 -detector_thick 450 -detector_thicksteps 3")
    write(nasty, "", NASTY)
    write_cbf(thick, counts, record, record.crystal, ground_truth(record), saturation=60000)
    with_sensor, led = dxtbx_reader.read([(thick, []), (nasty, points(record))])
    assert with_sensor["panels"][0]["material"] == "Si"
    assert with_sensor["panels"][0]["thickness_mm"] == pytest.approx(0.675, rel=1e-12)  # 3 layers
    assert with_sensor["panels"][0]["trusted_range"][1] == 59999
    assert led["format"] == "FormatCBFMini"
    np.testing.assert_array_equal(led["data"][0][0], counts)
    assert led["goniometer"]["axis"] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("words", [NASTY, ["-mat", "A.mat", "-N", "5"], ["x y"] * 60, [" "], ["%41" * 40]])
def test_a_command_comes_back_whole(tmp_path: Path, words: list[str]) -> None:
    write(tmp_path / "a.cbf", "", words)
    record = experiment("")
    assert command_in(told(tmp_path / "a.cbf")) == ground_truth(record, command=words).command
    image = fabio.open(str(tmp_path / "a.cbf"))
    np.testing.assert_array_equal(image.data, some_counts(record))


def test_a_command_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "a.cbf", "", ["-mat", "x" * 5000])
    header = told(tmp_path / "a.cbf")
    assert not [key for key in header if "COMMAND" in key]
    assert "NBNUMBA_VERSION" in header


@pytest.mark.property
@given(text=st.text(max_size=400))
def test_encoded_texts_are_lines_that_separate_nothing(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    lines = [value for _, value in plain_headers._command_lines(text)]
    assert urllib.parse.unquote("".join(lines)) == text
    for line in lines:
        assert line == line.strip()
        assert not set(line) & set("=:;#{}\n\r\f\t")
        assert line.isascii()
        assert line.isprintable()


def test_the_truth_is_written(tmp_path: Path) -> None:
    record, _ = write(tmp_path / "a.cbf", "-adxv -Xbeam 1.2 -Ybeam 0.9")
    header = told(tmp_path / "a.cbf")
    panel, beam = record.detector.panels[0], record.beam.direction
    frame = np.array([panel.fast, -panel.slow, -beam])
    direct = np.array(header["DIRECT_SPACE_ABC"].split(","), float).reshape(3, 3)
    ours = record.crystal.real_space * 1e10
    # 12 digits are written.
    np.testing.assert_allclose(direct, ours @ frame.T, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(np.array(header["NBNUMBA_ABC"].split(","), float).reshape(3, 3), ours, atol=1e-10)
    np.testing.assert_allclose(
        np.array(header["NBNUMBA_CELL"].split(","), float), [62, 73, 84, *np.degrees(record.crystal.angles)], rtol=1e-11
    )
    np.testing.assert_allclose(np.linalg.norm(direct, axis=1), [62, 73, 84], rtol=1e-10)
    assert header["NBNUMBA_N"] == "5,5,5"
    assert header["NBNUMBA_MOSAIC_DOMAINS"] == "3"
    assert header["NBNUMBA_MOSAIC_SEED"] == "12345678"
    assert header["NBNUMBA_NOISE_SEED"] == "42"
    assert float(header["NBNUMBA_FLUENCE"]) == pytest.approx(record.beam.fluence, rel=1e-11)
    assert float(header["NBNUMBA_MOSAIC_DEG"]) == pytest.approx(0.2, rel=1e-11)


def test_what_is_unknown_is_left_out(tmp_path: Path) -> None:
    record = experiment("")
    write_cbf(tmp_path / "a.cbf", some_counts(record), record, None, partial_truth(record, None))
    header = told(tmp_path / "a.cbf")
    assert "DIRECT_SPACE_ABC" not in header
    assert "nan" not in " ".join(header.values())


def test_flux_and_polarization(tmp_path: Path) -> None:
    write(tmp_path / "a.cbf", "-flux 1e12 -exposure 0.1 -beamsize 0.1 -polar 0.98")
    header = told(tmp_path / "a.cbf")
    assert float(header["Flux"]) == 1e12
    assert float(header["Polarization"]) == 0.99
    assert header["Exposure_time"] == header["Exposure_period"] == "0.1 s"
    write(tmp_path / "a.cbf", "-nopolar")
    assert not {"Flux", "Polarization"} & told(tmp_path / "a.cbf").keys()


def test_the_moment_is_in_universal_time() -> None:
    record = experiment("")
    from nbnumba.imagefiles.cbf import cbf_fields

    zone = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2026, 3, 4, 1, 2, 3, 456789, zone)
    assert cbf.header_lines(cbf_fields(record, 7), (), moment)[1] == "2026-03-03T23:02:03.456"


@pytest.mark.parametrize("tilt", TILTS)
@pytest.mark.parametrize("name", CENTERS)
def test_frame_of_readers(name: str, tilt: str) -> None:
    record = experiment(f"{CENTERS[name]} {TILTS[tilt]}")
    panel, beam = record.detector.panels[0], record.beam.direction
    frame = plain_headers.reading_frame(panel, beam)
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-14)  # rounding of unit vectors
    assert (frame @ beam)[2] == pytest.approx(-1.0)
    assert (frame @ panel.fast)[1] == pytest.approx(0.0, abs=1e-14)
    assert (frame @ panel.fast)[0] > 0.0
    assert (frame @ panel.slow)[1] < 0.0
    handed = dot(cross(panel.fast, panel.slow), beam)
    assert np.sign(np.linalg.det(frame)) == np.sign(handed)


def test_notices() -> None:
    def lines(words: str) -> list[str]:
        record = experiment(words)
        return plain_headers.header_warnings(record.detector, record.beam.direction, "CBF", record.goniometer)

    assert lines("-mosflm") == lines("-xds") == []
    (tilted,) = lines("-twotheta 3")
    assert tilted.startswith("CBF headers cannot tell that a detector is tilted or curved")
    assert lines("-curved_det") == [tilted]
    # The normal of the options does not turn with fast and slow.
    assert lines("-odet_vector 1 0 0 -fdet_vector 0.02 0 1") == [tilted]
    (skew,) = lines("-fdet_vector 0 0.02 1")
    assert "not at right angles" in skew
    (mirrored,) = lines("-adxv")
    assert "mirror image" in mirrored
    assert lines("-adxv -detector_rotx 1") == [tilted, mirrored]
    assert lines("-mosflm -osc 1") == lines("-dials") == []
    (axis,) = lines("-dials -osc 1")
    assert "spindle" in axis


def test_notices_go_out(tmp_path: Path) -> None:
    record = experiment("-adxv -twotheta 3")
    received: list[str] = []
    with notices_to(received.append):
        write_cbf(tmp_path / "a.cbf", some_counts(record), record, record.crystal, ground_truth(record))
    assert received == plain_headers.header_warnings(record.detector, record.beam.direction, "CBF")
    assert len(received) == 2


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    _, counts = write(tmp_path / "a.cbf", "")
    found = cbf.read(tmp_path / "a.cbf")
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, counts)


@pytest.mark.readers
def test_files_of_another_writer_are_read(tmp_path: Path) -> None:
    counts = some_counts(experiment(""))
    fabio.cbfimage.CbfImage(data=counts).write(str(tmp_path / "theirs.cbf"))
    np.testing.assert_array_equal(cbf.read(tmp_path / "theirs.cbf"), counts)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"###CBF", b"###XXX", "not a CBF image"),
        (b"\x0c\x1a\x04\xd5", b"", "holds no pixels"),
        (b"BYTE_OFFSET", b"PACKED", "only signed 32-bit pixels"),
        (b"signed 32", b"unsigned 16", "only signed 32-bit pixels"),
        (b"Fastest-Dimension: 12", b"Fastest-Dimension: ab", "how many pixels"),
        (b"Fastest-Dimension: 12", b"Fastest-Dimension: 11", "damaged: holds"),
        (b"Elements: 108", b"Elements: 999999999", "damaged: holds"),
        (b"Elements: 108", b"Elements: 107", "damaged: holds"),
        (b"X-Binary-Size: ", b"X-Binary-Size: 9", "cut short or damaged"),
        (b"X-Binary-Size: ", b"X-Binary-Size: -", "cut short or damaged"),
        (b"Content-MD5: ", b"Content-MD5: A", "cut short or damaged"),
    ],
)
def test_damaged_files(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    write(tmp_path / "a.cbf", "")
    whole = (tmp_path / "a.cbf").read_bytes()
    assert old in whole
    (tmp_path / "b.cbf").write_bytes(whole.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        cbf.read(tmp_path / "b.cbf", "-o")
    (tmp_path / "b.cbf").write_bytes(whole[:-4500])
    with pytest.raises(InputError, match="cut short"):
        cbf.read(tmp_path / "b.cbf")


def test_pixels_and_panels_that_do_not_fit(tmp_path: Path) -> None:
    record = experiment("")
    counts, truth = some_counts(record), ground_truth(record)
    for wrong in (counts[:-1], counts.astype(np.int64), counts[None]):
        with pytest.raises(InputError, match="needs int32 pixels of shape"):
            write_cbf(tmp_path / "a.cbf", wrong, record, record.crystal, truth)
    two = dataclasses.replace(record.detector, panels=record.detector.panels * 2)
    with pytest.raises(InputError, match="holds one panel, the detector has 2"):
        write_cbf(tmp_path / "a.cbf", counts, dataclasses.replace(record, detector=two), None, truth)
    with pytest.raises(FileError, match="there is no folder"):
        write_cbf(tmp_path / "none" / "a.cbf", counts, record, record.crystal, truth)
    assert list(tmp_path.iterdir()) == []
