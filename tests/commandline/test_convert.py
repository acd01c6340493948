"""Images as files of another format."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import dxtbx_reader
import fabio
import goldens
import h5py
import numpy as np
import pytest
from PIL import Image
from plain_experiments import CENTERS, experiment, lab_position, points, some_counts, two_panels
from requirements import requires

from nbnumba import cli
from nbnumba.experiment.ground_truth import ground_truth
from nbnumba.experiment.model import Experiment
from nbnumba.imagefiles.cbf import write_cbf
from nbnumba.imagefiles.headers import truth_lines
from nbnumba.imagefiles.load import read
from nbnumba.imagefiles.nexus import NexusWriter
from nbnumba.imagefiles.smv import smv_fields
from nbnumba.io import smv
from nbnumba.io.nexus import read as nexus
from nbnumba.parameters.parser import parse

pytestmark = pytest.mark.command_line

SIZE = "-detpixels_f 12 -detpixels_s 9 -pixel 0.172 -distance 123.4567891 -lambda 0.9768132"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(line: str) -> int:
    return cli.main(["convert", *line.split()])


def floats(name: str, factor: float = 1.0) -> np.ndarray:
    image = (np.arange(108).reshape(9, 12) * np.float32(factor)).astype("<f4")
    image.tofile(name)
    return image


def in_frame_of_readers(words: str) -> tuple[list[tuple[int, float, float]], np.ndarray]:
    """Return points of an upright detector, and where readers of plain headers put them [mm]."""
    record = experiment(words)
    panel = record.detector.panels[0]
    frame = np.array([panel.fast, -panel.slow, -record.beam.direction])
    return points(record), np.array([frame @ lab_position(record, *point) for point in points(record)]) * 1e3


def test_float_to_float_and_picture() -> None:
    image = floats("a.bin", 0.5)
    assert run(f"a.bin -o b.bin {SIZE}") == 0
    assert Path("b.bin").read_bytes() == image.tobytes()
    assert run(f"a.bin -o b.png {SIZE}") == 0
    with Image.open("b.png") as picture:
        assert picture.size == (12 * 8, 9 * 8)  # small pictures are enlarged


@pytest.mark.readers
def test_rings_on_the_picture_of_a_copy(capsys: pytest.CaptureFixture[str]) -> None:
    floats("a.bin")
    assert run(f"a.bin -o plain.png {SIZE}") == 0
    assert "without effect here: -distance, -lambda" in capsys.readouterr().err
    assert run(f"a.bin -o rings.png {SIZE} -rings") == 0
    assert "without effect" not in capsys.readouterr().err
    with Image.open("plain.png") as plain, Image.open("rings.png") as rings:
        assert plain.size == rings.size
        assert len(rings.convert("RGB").getcolors(1 << 20) or ()) > len(plain.convert("RGB").getcolors(1 << 20) or ())
    assert run("a.bin -o a.h5 " + SIZE) == 0
    assert run("a.h5 -o again.png -rings") == 0
    assert Path("again.png").read_bytes() == Path("rings.png").read_bytes()


def test_float_to_cbf_rounds_and_counts_what_is_clipped(capsys: pytest.CaptureFixture[str]) -> None:
    image = floats("a.bin", 0.3)
    image[0, :4] = -7, np.nan, 1e12, 0.6
    image.tofile("a.bin")
    assert run(f"a.bin -o b.cbf {SIZE}") == 0
    expected = np.rint(image.astype(float))
    expected[0, :4] = -7, 0, 2**31 - 3, 1
    np.testing.assert_array_equal(fabio.open("b.cbf").data, expected)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "nbnumba: notice: a.bin: 1 of 108 pixels is no finite number (infinite or NaN)",
        "nbnumba: notice: b.cbf: 2 pixels of a.bin beyond what int32 holds were clipped",
    ]


@requires("DIALS' reader")
@pytest.mark.readers
@pytest.mark.parametrize("ending", ["cbf", "img"])
def test_dials_finds_the_geometry_of_the_options(ending: str) -> None:
    image = floats("a.bin")
    files, expected = [], []
    for number, words in enumerate(CENTERS.values(), 1):
        assert run(f"a.bin -o shot_{number:04d}.{ending} {SIZE} {words} -semantics exact -adc 10") == 0
        places, ours = in_frame_of_readers(words)
        files.append((f"shot_{number:04d}.{ending}", places))
        expected.append(ours)
    for found, ours in zip(dxtbx_reader.read(files), expected, strict=True):
        offset = 10 if ending == "img" else 0
        np.testing.assert_array_equal(np.array(found["data"][0][0]), image + offset)
        # 1e-6 mm, in which the digits of the header may differ.
        np.testing.assert_allclose(found["points_mm"], ours, rtol=0.0, atol=1e-6)


@requires("DIALS' reader")
def plain_header(record: Experiment, adc: float) -> bytes:
    """Return an SMV header without ground truth."""
    return smv.header(smv_fields(record.detector, record.beam.wavelength, record.goniometer, adc), "dials")


@pytest.mark.readers
def test_the_geometry_of_an_smv_image_travels_whatever_its_style_and_convention() -> None:
    files, expected = [], []
    number = 0
    for words in CENTERS.values():
        for style in ("c", "dials", "adxv"):
            number += 1
            record = experiment(words)
            counts = np.arange(108, dtype=np.uint16).reshape(9, 12) + 40
            fields = smv_fields(record.detector, record.beam.wavelength, record.goniometer, 40.0)
            header = smv.header(fields, style, truth_lines(record, record.crystal, ground_truth(record)))
            smv.write("a.img", counts, header)
            assert run(f"a.img -o shot_{number:04d}.cbf") == 0
            places, ours = in_frame_of_readers(words)
            files.append((f"shot_{number:04d}.cbf", places))
            # C's headers have six digits: half a unit of the last one of numbers below 300 mm.
            expected.append((ours, 1e-3 if style == "c" else 1e-6, counts))
    for found, (ours, within, counts) in zip(dxtbx_reader.read(files), expected, strict=True):
        np.testing.assert_array_equal(np.array(found["data"][0][0]) + 40, counts)
        np.testing.assert_allclose(found["points_mm"], ours, rtol=0.0, atol=within)


@pytest.mark.golden
def test_an_image_of_c(capsys: pytest.CaptureFixture[str]) -> None:
    name = next(name for name in goldens.names() if goldens.load(name).noise_image is not None)
    golden = goldens.load(name)
    assert golden.noise_header is not None
    assert golden.noise_image is not None
    Path("c.img").write_bytes(golden.noise_header + golden.noise_image.astype("<u2").tobytes())
    assert run("c.img -o c.h5") == 0
    assert "states no offset; 40 is subtracted" in capsys.readouterr().err
    expected = golden.noise_image.astype(int) - 40
    with h5py.File("c.h5") as file:
        np.testing.assert_array_equal(file["/entry/data/data"][0], expected)
        assert file["/entry/data/data"].dtype == np.int32
    assert run("c.img -o d.cbf -adc 0") == 0
    np.testing.assert_array_equal(fabio.open("d.cbf").data, golden.noise_image)
    assert run("c.img -o e.img") == 0
    np.testing.assert_array_equal(smv.read("e.img").data, golden.noise_image)


def test_what_a_header_does_not_say_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = b"{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER=big_endian;\nSIZE1=12;\nSIZE2=9;\nSCAN_WAVELENGTH=1.5;\n}\f"
    Path("a.img").write_bytes(text.ljust(512) + np.arange(108, dtype=">u2").tobytes())
    assert run("a.img -o b.cbf -adc 0") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "a.img: its header does not say PIXEL_SIZE, DISTANCE, BEAM_CENTER_X; without" in line
    assert run("a.img -o b.cbf -adc 0 -pixel 0.1 -distance 100 -Xbeam 1 -Ybeam 2") == 0
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(fabio.open("b.cbf").data.ravel(), np.arange(108))
    assert run("a.img -o b.bin -adc 0") == 0  # holds no geometry that could be wrong
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(np.fromfile("b.bin", "<f4"), np.arange(108))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ground_truth/version", 3.0),
        ("ground_truth/mosaic_spread_deg", "much"),
        ("ground_truth/cell", np.zeros((1, 2, 3))),
        ("ground_truth/A_matrix", np.zeros((1, 3, 3))),
        ("ground_truth/panel_fast", "along"),
        ("instrument/detector/module/data_size", np.nan),
        ("instrument/detector/x_pixel_size", None),
    ],
)
def test_a_damaged_ground_truth_is_one_line(capsys: pytest.CaptureFixture[str], name: str, value: object) -> None:
    floats("a.bin")
    assert run(f"a.bin -o a.h5 {SIZE} -cell 10 20 30 90 90 90") == 0
    with h5py.File("a.h5", "a") as file:
        del file["entry"][name]
        if value is not None:
            file["entry"][name] = [value] if isinstance(value, float) else value
    capsys.readouterr()
    Path("b.cbf").write_text("old")
    assert run("a.h5 -o b.cbf") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"nbnumba: error: a.h5: (its ground truth makes no sense|is damaged, or lacks something): ", line)
    assert Path("b.cbf").read_text() == "old"


def test_big_endian_pixels() -> None:
    record = experiment("")
    counts = np.arange(108, dtype=np.uint16).reshape(9, 12) * 600
    header = plain_header(record, 0.0)
    swapped = header.replace(b"little_endian;", b"big_endian;   ")
    assert len(swapped) == len(header)
    Path("a.img").write_bytes(swapped + counts.astype(">u2").tobytes())
    assert run("a.img -o b.cbf") == 0
    np.testing.assert_array_equal(fabio.open("b.cbf").data, counts)


@requires("DIALS' reader")
@pytest.mark.readers
def test_a_stack_from_files_of_several_kinds() -> None:
    record = experiment(CENTERS["mosflm"])
    first = floats("a.bin")
    counts = some_counts(record) // 4096
    write_cbf("b.cbf", counts, record, record.crystal, ground_truth(record))
    pixels = np.arange(108, dtype=np.uint16).reshape(9, 12) + 40
    smv.write(
        "c.img",
        pixels,
        plain_header(record, 40.0),
    )
    words = f"{CENTERS['mosflm']} {SIZE} -semantics exact"
    assert run(f"a.bin b.cbf c.img -o stack.h5 -dtype int32 {words}") == 0
    with h5py.File("stack.h5") as file:
        data = file["/entry/data/data"][()]
    assert data.dtype == np.int32
    np.testing.assert_array_equal(data, [first, counts, pixels - 40])
    assert Path("stack.geom").is_file()
    assert "DATA_RANGE= 1 3" in Path("XDS.INP").read_text()
    (found,) = dxtbx_reader.read([("stack.h5", points(record))])
    assert found["images"] == 3
    np.testing.assert_array_equal(np.array(found["data"])[:, 0], data)
    # Distances between points do not depend on the frame. 1e-6 mm, in which the digits of headers may differ.
    theirs = np.array(found["points_mm"])
    ours = np.array([lab_position(record, *point) for point in points(record)]) * 1e3
    gram = ours @ ours.T
    np.testing.assert_allclose(theirs @ theirs.T, gram, rtol=0.0, atol=1e-6 * np.sqrt(gram.max()))

    assert run("stack.h5 -image 2 -o one_0001.cbf") == 0
    np.testing.assert_array_equal(fabio.open("one_0001.cbf").data, counts)
    assert run("stack.h5 stack.h5 -o again.h5 -dtype uint16") == 0
    with h5py.File("again.h5") as file:
        np.testing.assert_array_equal(file["/entry/data/data"][()], np.concatenate([data, data]).clip(0, 65533))
    one, again = dxtbx_reader.read([("one_0001.cbf", points(record)), ("again.h5", points(record))])
    panel = record.detector.panels[0]
    frame = np.array([panel.fast, -panel.slow, -record.beam.direction])
    np.testing.assert_allclose(one["points_mm"], ours @ frame.T, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(again["points_mm"], theirs, rtol=0.0, atol=1e-6)


@pytest.mark.readers
def test_images_in_laboratories_of_their_own_share_a_file() -> None:
    floats("a.bin")
    assert run(f"a.bin -o a.h5 {SIZE} -xds -ORGX 5 -ORGY 4") == 0
    assert run(f"a.h5 a.bin -o both.h5 {SIZE} -xds -ORGX 5 -ORGY 4") == 0  # that of a.h5 is the frame of the file
    with h5py.File("both.h5") as file:
        images, origins = file["/entry/data/data"][()], file["/entry/ground_truth/panel_origin"][()]
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_allclose(origins[0], origins[1], rtol=0.0, atol=1e-12)  # m; rounding


def test_tilts_travel_in_an_h5() -> None:
    words = f"{SIZE} -twotheta 20 -detector_rotx 5 -semantics exact"
    floats("a.bin")
    assert run(f"a.bin -o a.h5 {words}") == 0
    assert run("a.h5 -o b.h5") == 0
    with h5py.File("a.h5") as a, h5py.File("b.h5") as b:
        for key in ("panel_origin", "panel_fast", "panel_slow"):
            path = next(name for name in _names(a) if name.endswith(key))
            # Rounding of the rotation to the file's frame and back.
            np.testing.assert_allclose(a[path][()], b[path][()], rtol=0.0, atol=1e-12)


def _names(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visit(names.append)
    return names


@pytest.mark.readers
def test_panels_travel(capsys: pytest.CaptureFixture[str]) -> None:
    record = two_panels()
    pixels = np.arange(2 * 108, dtype=np.int32).reshape(2, 9, 12)
    with NexusWriter("two.h5", record, 1, "int32") as file:
        file.write(0, pixels, record, ground_truth(record))
    assert run("two.h5 -o again.h5 -dtype int32") == 0
    for index, part in enumerate(nexus.read_image("again.h5")):
        np.testing.assert_array_equal(part, pixels[index])
    truth, again = nexus.read_ground_truth("two.h5"), nexus.read_ground_truth("again.h5")
    # Rounding of the rotation to the file's frame and back.
    np.testing.assert_allclose(again["panel_origin"].values, truth["panel_origin"].values, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(again["A_matrix_imgcif"].values, truth["A_matrix_imgcif"].values, rtol=0.0, atol=1e-12)
    assert run("two.h5 -o two.bin") == 0
    np.testing.assert_array_equal(np.fromfile("two.bin", "<f4").reshape(pixels.shape), pixels)
    assert run("two.h5 -o two.png") == 0
    capsys.readouterr()
    for name in ("two.cbf", "two.img"):
        assert run(f"two.h5 -o {name}") == 2
        assert capsys.readouterr().err.endswith(": holds one panel, the detector has 2; write an .h5 file\n")
        assert not Path(name).exists()


def test_a_crystal_travels() -> None:
    floats("a.bin")
    cell = "-cell 40 50 60 90 90 90 -misset 10 20 30"
    assert run(f"a.bin -o a.cbf {SIZE}") == 0
    assert b"DIRECT_SPACE_ABC" not in Path("a.cbf").read_bytes()
    assert run(f"a.bin -o b.cbf {SIZE} {cell}") == 0
    assert b"DIRECT_SPACE_ABC" in Path("b.cbf").read_bytes()
    assert run(f"a.bin -o a.h5 {SIZE} {cell} -mosaic 0.5") == 0
    assert run("a.h5 -o c.cbf") == 0
    (abc,), (other,) = (re.findall(rb"DIRECT_SPACE_ABC (\S+)", Path(name).read_bytes()) for name in ("b.cbf", "c.cbf"))
    # 12 digits are written, of numbers up to 60.
    np.testing.assert_allclose(
        np.array(abc.split(b","), float), np.array(other.split(b","), float), rtol=0.0, atol=2e-9
    )
    assert b"NBNUMBA_MOSAIC_DEG 0.5" in Path("c.cbf").read_bytes()


def test_what_is_not_known_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    floats("a.bin", 3.0)
    assert run(f"a.bin -o bare.h5 {SIZE} -nopolar") == 0
    (bare,) = read("bare.h5", parse([]))
    assert bare.crystal is None
    assert bare.geometry.beam.fluence is None
    known = {"version", "wavelength", "distance", "phi_deg", "osc_deg"}
    known_fields = {field.name: getattr(bare.truth, field.name) for field in dataclasses.fields(bare.truth)}
    assert {name for name, value in known_fields.items() if value is not None} == known
    assert run(f"a.bin -o oriented.h5 {SIZE} -cell 40 50 60 -fluence 1e25") == 0
    (oriented,) = read("oriented.h5", parse([]))
    assert oriented.crystal is not None
    np.testing.assert_allclose(oriented.crystal.lengths_A, [40, 50, 60], rtol=1e-12)  # rounding of an inverse
    assert oriented.truth.A_matrix is not None
    assert oriented.truth.fluence == 1e25
    assert (oriented.truth.backend, oriented.truth.command) == (None, None)
    # Neither is lost, nor made up, on the way through a file once more.
    assert run("bare.h5 oriented.h5 -o both.h5") == 0
    again = list(read("both.h5", parse([])))
    assert [one.crystal is None for one in again] == [True, False]
    assert run("both.h5 -image 1 -o bare.cbf") == 0
    assert b"NBNUMBA_ABC" not in Path("bare.cbf").read_bytes()
    assert b"nan" not in Path("bare.cbf").read_bytes().split(b"CIF-BINARY")[0]


def test_options_override_a_header() -> None:
    record = experiment(CENTERS["mosflm"])
    write_cbf("a.cbf", some_counts(record), record, record.crystal, ground_truth(record))
    assert run("a.cbf -o b.cbf -distance 200 -Xbeam 1 -Ybeam 2") == 0
    contents = fabio.open("b.cbf").header["_array_data.header_contents"]
    assert "Detector_distance 0.2 m" in contents
    fast, slow = map(float, re.findall(r"Beam_xy \((\S+), (\S+)\)", contents)[0])
    assert (fast, slow) == pytest.approx((2 / 0.172 + 0.5, 1 / 0.172 + 0.5))


def test_a_distance_that_is_typed_beats_the_close_distance_of_a_header() -> None:
    floats("a.bin")
    assert run(f"a.bin -o n.img {SIZE} -smv_header c") == 0
    assert b"CLOSE_DISTANCE=123.457" in Path("n.img").read_bytes()
    assert run("n.img -o b.cbf -distance 200") == 0
    assert b"Detector_distance 0.2 m" in Path("b.cbf").read_bytes()


def test_a_tilted_header_is_pointed_out(capsys: pytest.CaptureFixture[str]) -> None:
    record = experiment("-twotheta 20")
    counts = np.full((9, 12), 40, np.uint16)
    smv.write(
        "a.img",
        counts,
        plain_header(record, 40.0),
    )
    assert run("a.img -o b.h5") == 0
    assert "a.img: its detector was tilted" in capsys.readouterr().err
    assert run("a.img -o b.h5 -twotheta 20") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("-o b.cbf", 2, "convert: needs an image to read"),
        (f"a.bin {SIZE}", 2, "convert: needs -o FILE"),
        (f"a.bin -o {SIZE}", 2, "names no format"),
        ("a.bin -o", 2, "-o: needs a value"),
        (f"a.bin -o b.tif {SIZE}", 2, "-o b.tif: the ending '.tif' names no format; allowed: .bin, .png, .img, .cbf"),
        (f"a.bin -o a.bin {SIZE}", 2, "-o a.bin: convert reads the same file"),
        (f"a.bin -o no/b.cbf {SIZE}", 3, "-o no/b.cbf: cannot be written: there is no folder"),
        (f"none.bin -o b.cbf {SIZE}", 3, "none.bin: cannot be read: no such file or directory"),
        ("a.bin -o b.cbf", 2, "a.bin: holds 432 bytes; 1024 x 1024 pixels of float32 take 4194304"),
        (f"a.bin -o b.cbf {SIZE} -dtype float32", 2, "-dtype 'float32': allowed for b.cbf: int32"),
        (f"a.bin -o b.png {SIZE} -dtype int32", 2, "-dtype 'int32': allowed for b.png: none"),
        (f"a.bin -o b.h5 {SIZE} -dtype int64", 2, "-dtype 'int64': allowed for b.h5: float32, int32, uint16"),
        (f"a.bin a.bin -o b.cbf {SIZE}", 2, "-o b.cbf: holds one image, and there are 2"),
        (f"a.bin a.bin -image 1 -o b.cbf {SIZE}", 2, "-image 1: chooses among the images of one file, and 2"),
        (f"a.bin -image 2 -o b.cbf {SIZE}", 2, "-image '2': allowed are 1 to 1, the images of a.bin"),
        (f"a.bin -o b.cbf {SIZE} -distnace 5", 2, "-distnace"),
        ("short.img -o b.cbf", 2, "short.img: cut short"),
        ("short.cbf -o b.cbf", 2, "short.cbf: cut short or damaged"),
        ("good.img -detpixels_f 11 -o b.cbf", 2, "good.img: has 12 x 9 pixels, the detector of the options 11 x 9"),
        ("good.img other.cbf -o b.h5", 2, "other.cbf: its detector stands elsewhere than that of good.img"),
        ("foreign.h5 -o b.bin", 2, "foreign.h5"),
        (". -o b.bin", 3, ".: cannot be read: is a directory"),
        ("short.h5 -o b.bin", 2, "short.h5"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    line: str, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    floats("a.bin")
    record, other = experiment(""), experiment("-distance 90")
    counts = np.full((9, 12), 50, np.uint16)
    smv.write(
        "good.img",
        counts,
        plain_header(record, 40.0),
    )
    Path("short.img").write_bytes(Path("good.img").read_bytes()[:-1])
    write_cbf("other.cbf", counts.astype(np.int32), other, other.crystal, ground_truth(other))
    whole = Path("other.cbf").read_bytes()
    Path("short.cbf").write_bytes(whole[: whole.index(b"\x0c\x1a\x04\xd5") + 40])
    with h5py.File("foreign.h5", "w") as file:
        file["data"] = counts
    Path("short.h5").write_bytes(Path("foreign.h5").read_bytes()[:100])
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert run(line) == status
    lines = capsys.readouterr().err.splitlines()
    errors = [text for text in lines if "notice" not in text]
    assert len(errors) == 1
    assert errors[0].startswith("nbnumba: error: ")
    assert message in errors[0]
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_a_pipe_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    try:
        assert run(f"/dev/fd/{reading} -o b.bin {SIZE}") == 2
    finally:
        os.close(reading)
    assert "is a pipe" in capsys.readouterr().err


def foreign_smv(name: str, pixels: np.ndarray, more: str = "") -> None:
    """Write an SMV image as another maker would."""
    n_slow, n_fast = pixels.shape
    head = (
        "{\nHEADER_BYTES=  512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE=unsigned_short;\n"
        f"SIZE1={n_fast};\nSIZE2={n_slow};\nPIXEL_SIZE=0.055;\nDISTANCE=500;\nWAVELENGTH=0.0251;\n"
        f"BEAMLINE=elsewhere;\n{more}}}\n"
    )
    Path(name).write_bytes(head.encode().ljust(512) + pixels.astype("<u2").tobytes())


@pytest.mark.parametrize(("target", "path"), [("a.h5", "h5"), ("a.cbf", "cbf"), ("a.bin", "bin"), ("b.img", "img")])
def test_an_smv_image_of_another_maker_keeps_its_values(
    target: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = np.full((64, 64), 12)
    pixels[3, 4], pixels[5, 6] = 0, 65535
    foreign_smv("foreign_001.img", pixels)
    assert run(f"foreign_001.img -o {target}") == 0
    err = capsys.readouterr().err
    assert "foreign_001.img: its header states no offset, and none is subtracted (-adc N subtracts N)" in err
    assert "clipped" not in err
    np.testing.assert_array_equal(written_pixels(target), pixels)


def written_pixels(name: str) -> np.ndarray:
    if name.endswith(".h5"):
        with h5py.File(name) as file:
            assert file["/entry/data/data"].dtype == np.int32
            return np.asarray(file["/entry/data/data"][0])
    if name.endswith(".bin"):
        return np.fromfile(name, "<f4").reshape(64, 64)
    return np.asarray(fabio.open(name).data)


@pytest.mark.parametrize("options", ["-adc 40", ""])
def test_pixels_below_an_offset_are_negative(options: str, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.full((64, 64), 12)
    pixels[7, 8] = 47
    foreign_smv("a.img", pixels, "" if options else "IMAGE_PEDESTAL=40;\n")
    for target in ("a.h5", "a.cbf", "a.bin"):
        assert run(f"a.img -o {target} {options}") == 0
        np.testing.assert_array_equal(written_pixels(target), pixels - 40)
    with h5py.File("a.h5") as file:  # where DIALS' trusted range begins
        assert file["/entry/instrument/detector/underload_value"][()] == -40
    assert run(f"a.img -o b.img {options}") == 0
    np.testing.assert_array_equal(written_pixels("b.img"), pixels)
    assert "clipped" not in capsys.readouterr().err
    assert run(f"a.img -o u.h5 -dtype uint16 {options}") == 0
    assert "u.h5: 4095 pixels of a.img beyond what uint16 holds were clipped" in capsys.readouterr().err


@pytest.mark.readers
def test_masked_pixels_of_another_makers_cbf_stay_negative() -> None:
    record = experiment("")
    counts = some_counts(record)
    counts[0, :3] = -1, -2, -(2**31)
    write_cbf("a.cbf", counts, record, record.crystal, ground_truth(record))
    assert run("a.cbf -o a.h5") == 0
    assert run("a.h5 -o b.cbf") == 0
    with h5py.File("a.h5") as file:
        np.testing.assert_array_equal(file["/entry/data/data"][0], counts)
    np.testing.assert_array_equal(fabio.open("b.cbf").data, counts)


@pytest.mark.readers
def test_images_of_other_formats_take_their_geometry_from_the_options() -> None:
    counts = np.arange(108, dtype=np.uint16).reshape(9, 12) * 300
    Image.fromarray(counts).save("a.tif")
    np.save("a.npy", counts)
    fabio.edfimage.EdfImage(data=counts).write("a.edf")
    for name in ("a.tif", "a.npy", "a.edf"):
        assert run(f"{name} -o out.cbf -pixel 0.2 -distance 77 -lambda 1.3") == 0
        found = fabio.open("out.cbf")
        np.testing.assert_array_equal(found.data, counts)
        assert "Detector_distance 0.077 m" in found.header["_array_data.header_contents"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"# h k l F\n1 2 3 4.5\n", "a.bin: is a text file; a raw float image is needed"),
        (b"\x93NUMPY\x01\x00", "a.bin: not readable as a NumPy array"),
        (b"II*\x00\x08\x00", "a.bin: begins with 'II*"),
        (b"###CBF: VERSION 1.5\ndata_x\n", "a.bin: holds no pixels"),
    ],
)
def test_files_of_other_kinds_are_called_by_their_name(
    content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.bin").write_bytes(content)
    assert run(f"a.bin -o b.cbf {SIZE}") == 2
    (line,) = [text for text in capsys.readouterr().err.splitlines() if "notice" not in text]
    assert line.startswith(f"nbnumba: error: {message}")


@pytest.mark.readers
def test_a_cbf_of_another_program_takes_its_geometry_from_options(capsys: pytest.CaptureFixture[str]) -> None:
    counts = np.arange(108, dtype=np.int32).reshape(9, 12) - 5
    fabio.cbfimage.CbfImage(data=counts).save("other.cbf")
    assert run("other.cbf -o b.h5 -pixel 0.1 -distance 50") == 0
    unsaid = "other.cbf: its header does not say Wavelength, Beam_xy; without an option for it the default is taken"
    assert unsaid in capsys.readouterr().err
    with h5py.File("b.h5") as file:
        np.testing.assert_array_equal(file["entry/data/data"][0], counts)
        assert file["entry/instrument/detector/x_pixel_size"][()] == pytest.approx(1e-4)
    assert run("other.cbf -o b.bin") == 0
    assert "header" not in capsys.readouterr().err
