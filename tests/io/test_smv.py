"""SMV images: what C wrote, what we write, and what other programs make of it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import dxtbx_reader
import fabio
import numpy as np
import pytest
from converted import int_values
from goldens import INPUTS, Golden, load, names, roi_of
from plain_experiments import CENTERS, experiment, lab_position, points
from requirements import requires

from nbnumba import cli
from nbnumba.errors import FileError, InputError
from nbnumba.experiment.ground_truth import ground_truth
from nbnumba.experiment.model import Experiment
from nbnumba.imagefiles.headers import truth_lines
from nbnumba.imagefiles.smv import smv_fields
from nbnumba.io import pgm, smv
from nbnumba.io.smv import SmvFields
from nbnumba.util.regions import roi_slices

RADIANS = math.pi / 180.0
WRITTEN = 5e-12  # half a unit of the last of 12 digits

# Lengths and angles that need all of C's six digits and push its header to 542 bytes.
LONG = SmvFields(
    n_fast=7,
    n_slow=5,
    pixel_size=0.000172,
    distance=0.2473712,
    wavelength=0.976813e-10,
    Xbeam=0.2177423,
    Ybeam=0.2139071,
    Fbeam=0.1234567,
    Sbeam=0.1345678,
    detsize_s=0.3456789,
    dials_origin_mm=(-123.4567, 134.5678, -247.3712),
    ORGX=717.7715,
    ORGY=782.3709,
    close_distance=0.2393456,
    phi=12.34567 * RADIANS,
    osc=0.123456 * RADIANS,
    twotheta=14.98765 * RADIANS,
    adc=40.0,
)
SHORT = SmvFields(
    n_fast=3,
    n_slow=2,
    pixel_size=1e-4,
    distance=0.1,
    wavelength=1e-10,
    Xbeam=1.5e-4,
    Ybeam=2e-4,
    Fbeam=2.5e-4,
    Sbeam=2e-4,
    detsize_s=2e-4,
    dials_origin_mm=(-0.25, 0.2, -100.0),
    ORGX=3.0,
    ORGY=2.5,
    close_distance=0.1,
    phi=0.0,
    osc=0.0,
    twotheta=0.0,
    adc=40.0,
)


def keys_of(header: bytes) -> dict[str, str]:
    """Return the values of a header, with the origin's split up."""
    text = header.split(b"}", 1)[0].decode("ascii")
    return dict(re.findall(r"^(\w+)=([^;\n]*);?$", text, re.MULTILINE))


def fields_of(golden: Golden) -> SmvFields:
    """Return the fields that a golden header was made from, as far as its six digits tell."""
    value = {key: text for key, text in keys_of(golden.int_header).items()}

    def mm(key: str) -> float:
        return float(value[key]) / 1000.0

    x, y, z = (float(word) for word in value["DIALS_ORIGIN"].split(","))
    return SmvFields(
        n_fast=int(value["SIZE1"]),
        n_slow=int(value["SIZE2"]),
        pixel_size=mm("PIXEL_SIZE"),
        distance=mm("DISTANCE"),
        wavelength=float(value["WAVELENGTH"]) / 1e10,
        Xbeam=mm("BEAM_CENTER_X"),
        Ybeam=mm("BEAM_CENTER_Y"),
        Fbeam=mm("DENZO_Y_BEAM"),
        Sbeam=mm("DENZO_X_BEAM"),
        detsize_s=int(value["SIZE2"]) * mm("PIXEL_SIZE"),
        dials_origin_mm=(x, y, z),
        ORGX=float(value["XDS_ORGX"]),
        ORGY=float(value["XDS_ORGY"]),
        close_distance=mm("CLOSE_DISTANCE"),
        phi=float(value["PHI"]) * RADIANS,
        osc=float(value["OSC_RANGE"]) * RADIANS,
        twotheta=float(value["TWOTHETA"]) * RADIANS,
        adc=40.0,
    )


def int_scale_of(golden: Golden) -> tuple[float, float]:
    """Return scale and adc of a golden command line."""
    words = golden.words
    scale = float(words[words.index("-scale") + 1]) if "-scale" in words else 0.0
    adc = float(words[words.index("-adc") + 1]) if "-adc" in words else 40.0
    return scale if scale > 0.0 else smv.automatic_scale(float(golden.float_image.max())), adc


@pytest.mark.golden
@pytest.mark.parametrize("name", names())
def test_counts_are_those_of_c(name: str) -> None:
    golden = load(name)
    scale, adc = int_scale_of(golden)
    counts = int_values(golden.float_image, scale, adc, roi_of(golden))
    np.testing.assert_array_equal(counts, golden.int_image)


@pytest.mark.golden
@pytest.mark.parametrize("name", names())
def test_headers_are_those_of_c(name: str) -> None:
    golden = load(name)
    ours = smv.header(fields_of(golden), "c")
    if len(golden.int_header) != 512:  # C's text overflowed; ours takes the next size
        theirs = golden.int_header.replace(b"HEADER_BYTES=512", b"HEADER_BYTES=1024").ljust(1024)
    else:
        theirs = golden.int_header
    assert ours == theirs
    if golden.noise_header is not None:
        assert golden.noise_header == golden.int_header


def test_angles_are_converted_with_the_factor_of_c() -> None:
    text = smv.header(replace(SHORT, phi=0.1, osc=1.0, twotheta=math.pi), "c")
    assert keys_of(text)["PHI"] == f"{0.1 * (180.0 * 0.31830988618379067154):g}"
    assert keys_of(text)["OSC_RANGE"] == "57.2958"
    assert keys_of(text)["TWOTHETA"] == "180"


@pytest.mark.parametrize("style", ["c", "dials", "adxv"])
def test_a_header_that_does_not_fit_takes_the_next_size(style: str) -> None:
    short, long = smv.header(SHORT, style), smv.header(LONG, style)
    assert len(long) == 1024
    assert keys_of(long)["HEADER_BYTES"] == "1024"
    assert keys_of(short)["HEADER_BYTES"] == str(len(short))
    assert short[-1:] == long[-1:] == b" "
    if style == "c":
        assert len(short) == 512


def test_a_text_that_fills_the_header_to_the_last_byte() -> None:
    start = len(smv.header(SHORT, "c").rstrip(b" "))
    # Every digit of the width is one byte more.
    full = replace(SHORT, n_fast=10 ** (512 - start))
    header = smv.header(full, "c")
    assert header.endswith(b"}\f")
    assert len(header) == 512
    over = smv.header(replace(full, n_fast=full.n_fast * 10), "c")
    assert len(over) == 1024
    assert over.startswith(b"{\nHEADER_BYTES=1024;\n")
    assert over.rstrip(b" ").endswith(b"}\f")


def test_an_unknown_style() -> None:
    with pytest.raises(ValueError, match="allowed are c, dials and adxv"):
        smv.header(SHORT, "xds")


def test_the_origin_ends_with_a_semicolon_but_for_c() -> None:
    assert b"DIALS_ORIGIN=-0.25,0.2,-100\n" in smv.header(SHORT, "c")
    assert b"DIALS_ORIGIN=-0.25,0.2,-100;\n" in smv.header(SHORT, "dials")


def test_the_header_for_dials_holds_the_corner_distances() -> None:
    # dxtbx's reader for ADSC: fast from BEAM_CENTER_Y, slow from BEAM_CENTER_X, in mm from the corner.
    keys = keys_of(smv.header(LONG, "dials"))
    assert keys["BEAMLINE"].lower() not in ("fake", "timepix_su")
    assert not {"TIME", "DATE", "DTREK_DATE_TIME"} & keys.keys()
    assert float(keys["BEAM_CENTER_Y"]) == pytest.approx(1000 * LONG.Fbeam, rel=WRITTEN)
    assert float(keys["BEAM_CENTER_X"]) == pytest.approx(1000 * LONG.Sbeam, rel=WRITTEN)
    assert float(keys["IMAGE_PEDESTAL"]) == 40.0
    assert float(keys["GAIN"]) == 1.0


def test_the_header_for_adxv_undoes_what_the_reader_does() -> None:
    # dxtbx's reader for BEAMLINE=fake: fast = X + pixel, slow = height - Y + pixel, in mm.
    keys = keys_of(smv.header(LONG, "adxv"))
    assert keys["BEAMLINE"] == "fake"
    pixel, height = float(keys["PIXEL_SIZE"]), 1000 * LONG.detsize_s
    # The difference of the second has the error of a number up to three times its size.
    assert float(keys["BEAM_CENTER_X"]) + pixel == pytest.approx(1000 * LONG.Fbeam, rel=WRITTEN)
    assert height - float(keys["BEAM_CENTER_Y"]) + pixel == pytest.approx(1000 * LONG.Sbeam, rel=3 * WRITTEN)
    assert float(keys["ADC_OFFSET"]) == 40.0


@pytest.mark.readers
@pytest.mark.parametrize("style", ["c", "dials", "adxv"])
@pytest.mark.parametrize("fields", [SHORT, LONG], ids=["short", "long"])
def test_fabio_finds_pixels_and_header(tmp_path: Path, style: str, fields: SmvFields) -> None:
    data = np.arange(fields.n_slow * fields.n_fast, dtype=np.uint16).reshape(fields.n_slow, fields.n_fast)
    data[-1, -1] = 65535
    header = smv.header(fields, style)
    smv.write(tmp_path / "shot_0001.img", data, header)
    image = fabio.open(str(tmp_path / "shot_0001.img"))
    np.testing.assert_array_equal(image.data, data)
    read = {key: value for key, value in image.header.items() if key in keys_of(header)}
    assert read == keys_of(header)


def write_with_truth(path: Path, style: str, words: str) -> tuple[Experiment, np.ndarray]:
    record = experiment(words)
    truth = ground_truth(record, command=["-mat", "PHI = 3; ORGX=4 }.mat", *words.split()], noise_seed=5)
    panel = record.detector.panels[0]
    counts = np.arange(panel.n_slow * panel.n_fast, dtype=np.uint16).reshape(panel.n_slow, panel.n_fast) + 40
    fields = smv_fields(record.detector, record.beam.wavelength, record.goniometer, 40.0)
    smv.write(path, counts, smv.header(fields, style, truth_lines(record, record.crystal, truth)))
    return record, counts


@requires("DIALS' reader")
@pytest.mark.readers
@pytest.mark.parametrize(("style", "reader"), [("dials", "FormatSMVADSC"), ("adxv", "FormatSMVJHSim")])
def test_dials_finds_every_pixel_where_it_is(tmp_path: Path, style: str, reader: str) -> None:
    written = []
    for number, (name, words) in enumerate(CENTERS.items(), 1):
        path = tmp_path / f"shot_{number:04d}.img"
        written.append((name, path, *write_with_truth(path, style, f"{words} -phi {number} -osc 0.5")))
    results = dxtbx_reader.read([(path, points(record)) for _, path, record, _ in written])
    for (name, _, record, counts), found in zip(written, results, strict=True):
        assert "error" not in found, (name, found)
        assert found["format"].startswith(reader)
        np.testing.assert_array_equal(found["data"][0][0], counts)
        # The reader's frame has fast along +x, slow along -y and the beam along -z.
        panel, beam = record.detector.panels[0], record.beam.direction
        frame = np.array([panel.fast, -panel.slow, -beam])
        ours = [frame @ lab_position(record, *point) for point in points(record)]
        # 1e-9 m, in which the digits of the header may differ.
        np.testing.assert_allclose(np.array(found["points_mm"]) / 1000.0, ours, rtol=0.0, atol=1e-9, err_msg=name)
        assert found["wavelengths_A"][0] == pytest.approx(record.beam.wavelength * 1e10, rel=WRITTEN)


@pytest.mark.readers
@pytest.mark.parametrize("style", ["dials", "adxv"])
def test_the_truth_is_written_after_the_rest(tmp_path: Path, style: str) -> None:
    record, counts = write_with_truth(tmp_path / "shot_0001.img", style, "-mosflm")
    image = fabio.open(str(tmp_path / "shot_0001.img"))
    np.testing.assert_array_equal(image.data, counts)
    direct = np.array(image.header["DIRECT_SPACE_ABC"].split(","), float).reshape(3, 3)
    # Of the frame of MOSFLM, readers call z x, y y, and the beam, x, -z.
    x, y, z = record.crystal.real_space.T * 1e10
    np.testing.assert_allclose(direct, np.array([z, y, -x]).T, atol=1e-9)  # 12 digits are written
    assert image.header["NBNUMBA_NOISE_SEED"] == "5"
    assert image.header["NBNUMBA_SEMANTICS"] == "exact"
    raw = (tmp_path / "shot_0001.img").read_bytes()
    assert len(raw) == int(image.header["HEADER_BYTES"]) + counts.nbytes
    assert int(image.header["HEADER_BYTES"]) % 512 == 0
    assert raw.index(b"BEAMLINE=") < raw.index(b"DIRECT_SPACE_ABC=") < raw.index(b"}\f")
    # What looks for keywords anywhere, as C does, finds none of the truth.
    plain = smv.SmvHeader(raw[: raw.index(b"DIRECT_SPACE")].decode(), 0, 0, 0, "little")
    whole = smv.read_header(tmp_path / "shot_0001.img")
    for (
        key
    ) in "PIXEL_SIZE DISTANCE CLOSE_DISTANCE WAVELENGTH BEAM_CENTER_X BEAM_CENTER_Y ORGX ORGY PHI OSC_RANGE".split():
        assert whole.value_of(key) == plain.value_of(key)


@pytest.mark.command_line
def test_a_render_writes_its_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = "-cell 40 50 60 90 90 90 -default_F 9 -N 2 -detpixels 16 -seed 7 -semantics exact -oversample 1 -quiet"
    assert cli.main(words.split()) == 0
    quiet, noisy = (keys_of(Path(name).read_bytes()) for name in ("intimage.img", "noiseimage.img"))
    assert "NBNUMBA_NOISE_SEED" not in quiet
    assert (noisy["NBNUMBA_NOISE_SEED"], noisy["NBNUMBA_NOISE_RNG"]) == ("7", "c")
    assert quiet["NBNUMBA_COMMAND_1"] == words
    assert cli.main([*words.split(), "-semantics", "c"]) == 0
    assert b"NBNUMBA" not in Path("intimage.img").read_bytes() + Path("noiseimage.img").read_bytes()


def test_a_header_of_c_holds_no_truth() -> None:
    assert smv.header(LONG, "c", [("NBNUMBA_VERSION", "1")]) == smv.header(LONG, "c")
    assert b"NBNUMBA_VERSION=1;\n}\f" in smv.header(LONG, "dials", [("NBNUMBA_VERSION", "1")])


@pytest.mark.parametrize("value", ["a=b", "a;b", "a}b", "a\nb", "\u00e9", "a\fb"])
def test_truth_that_would_break_a_header(value: str) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        smv.header(SHORT, "dials", [("KEY", value)])


@pytest.mark.parametrize("style", ["c", "dials", "adxv"])
@pytest.mark.parametrize("fields", [SHORT, LONG], ids=["short", "long"])
def test_what_is_written_is_read_back(tmp_path: Path, style: str, fields: SmvFields) -> None:
    data = np.arange(fields.n_slow * fields.n_fast, dtype=np.uint16).reshape(fields.n_slow, fields.n_fast) * 1001
    smv.write(tmp_path / "a.img", data, smv.header(fields, style))
    image = smv.read(tmp_path / "a.img")
    np.testing.assert_array_equal(image.data, data)
    assert image.data.dtype == np.uint16
    assert image.shape == data.shape
    # Half a unit of the last of six digits.
    assert image.value_of("PIXEL_SIZE") == pytest.approx(1000 * fields.pixel_size, rel=5e-6)


@pytest.mark.parametrize("stated", [b"BYTE_ORDER=big_endian;   ", b"BYTE_ORDER = big_endian; "])
def test_bytes_are_swapped_as_the_header_says(stated: bytes, tmp_path: Path) -> None:
    image = smv.read(INPUTS / "mask.img")
    assert image.byte_order == "little"
    header = (INPUTS / "mask.img").read_bytes()[: image.header_bytes]
    swapped = header.replace(b"BYTE_ORDER=little_endian;", stated)
    (tmp_path / "big.img").write_bytes(swapped + image.data.astype(">u2").tobytes())
    big = smv.read(tmp_path / "big.img")
    assert big.byte_order == "big"
    np.testing.assert_array_equal(big.data, image.data)


def test_lines_may_end_as_those_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content, unix = (INPUTS / "header_close.img").read_bytes(), smv.read(INPUTS / "header_close.img")
    end = content.index(b"}")
    header = content[: end + 1].replace(b"\n", b"\r\n").ljust(unix.header_bytes)
    assert len(header) == unix.header_bytes
    Path("windows.img").write_bytes(header + content[unix.header_bytes :])
    image = smv.read("windows.img")
    np.testing.assert_array_equal(image.data, unix.data)
    assert (image.shape, image.byte_order) == (unix.shape, unix.byte_order)
    # As the header of a command, as the place of a detector, and to be converted.
    for option in ("-img", "-geometry"):
        ours, theirs = (
            Experiment.from_command(f"-cell 40 50 60 -default_F 50 -N 2 {option} {path}").detector.panels
            for path in ("windows.img", INPUTS / "header_close.img")
        )
        assert ours == theirs
    assert cli.main(["convert", "windows.img", "-o", "a.cbf"]) == 0
    np.testing.assert_array_equal(fabio.open("a.cbf").data, unix.data)


def test_the_golden_images_are_read() -> None:
    image = smv.read(INPUTS / "header_close.img")
    assert image.shape == (70, 80)
    header = smv.read_header(INPUTS / "header_close.img")
    assert (header.text, header.shape) == (image.text, image.shape)


def smv_bytes(lines: str, size: int = 512, pixels: int = 6) -> bytes:
    return f"{{\nHEADER_BYTES={size};\n{lines}}}\n".encode().ljust(size) + np.arange(pixels, dtype="<u2").tobytes()


def test_the_last_substring_counts(tmp_path: Path) -> None:
    lines = (
        "SIZE1=3;\nSIZE2=2;\nDISTANCE=100;\nXDS_ORGX=7;\nORGX=5;\nCLOSE_DISTANCE=90;\nNOTE=the PHI axis;\n"
        "OSC= 0x10;\nFLAG=on;\nBIG=-1e999;\nWORD=infinite;\nXPHI=3\n"
    )
    (tmp_path / "a.img").write_bytes(smv_bytes(lines))
    header = smv.read_header(tmp_path / "a.img")
    assert header.value_of("DISTANCE") == 90.0
    assert header.value_of("ORGX") == 5.0
    assert header.value_of("PHI") == 3.0
    assert header.value_of("OSC") == 16.0
    assert header.value_of("FLAG") == 0.0
    assert header.value_of("BIG") == -math.inf
    assert header.value_of("WORD") == math.inf
    assert math.isnan(header.value_of("ABSENT"))
    # The value stands behind the next "=", whoever that belongs to.
    assert header.value_of("NOTE=the") == 16.0
    assert header.value_of("XPHI=3") == 0.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.5;", 12.5),
        ("  -.5e1 mm", -5.0),
        ("+3", 3.0),
        ("1e", 1.0),
        ("1e+", 1.0),
        ("", 0.0),
        (";", 0.0),
        (".", 0.0),
        ("-", 0.0),
        ("0x1p-1", 0.5),
        ("-inf", -math.inf),
        ("7.", 7.0),
    ],
)
def test_atof(text: str, value: float) -> None:
    assert smv.atof(text) == value


def test_atof_knows_nan() -> None:
    assert math.isnan(smv.atof("nan(1)"))


def test_sizes_from_detector_dimensions(tmp_path: Path) -> None:
    (tmp_path / "a.img").write_bytes(smv_bytes("DETECTOR_DIMENSIONS=2 2;\n", pixels=4))
    assert smv.read(tmp_path / "a.img").data.tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("size", [256, 1024, 1536])
def test_the_size_of_the_header_is_honored(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.img").write_bytes(smv_bytes("SIZE1=3;\nSIZE2=2;\n", size))
    assert smv.read(tmp_path / "a.img").data.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not an SMV image: begins with ''"),
        (b"P5\n3 2\n255\n", r"not an SMV image: begins with 'P5\\n3 2\\n255\\n'"),
        (b"{\rHEADER_BYTES=512;", "not an SMV image"),
        (b"{\nHEADER_BYTES=x;\n}", "HEADER_BYTES is 0; allowed are 16 to"),
        (b"{\nHEADER_BYTES=1e300;\n}", r"HEADER_BYTES is 1e\+300"),
        (b"{\nHEADER_BYTES=512;\nSIZE1=3;\nSIZE2=2;\n}", "cut short: 39 bytes of a header of 512"),
        (smv_bytes("SIZE1=3;\n"), "SIZE2 is missing; allowed are 1 to 65536 pixels"),
        (smv_bytes(""), "SIZE1 is missing"),
        (smv_bytes("SIZE1=-3;\nSIZE2=2;\n"), "SIZE1 is -3"),
        (smv_bytes("SIZE1=inf;\nSIZE2=2;\n"), "SIZE1 is inf"),
        (smv_bytes("SIZE1=3;\nSIZE2=100000;\n"), "SIZE2 is 100000"),
        (smv_bytes("SIZE1=60000;\nSIZE2=60000;\n"), "cut short: 12 bytes behind a header of 512; .* take 7200000000"),
        (smv_bytes("SIZE1=3;\nSIZE2=3;\n"), "cut short: 12 bytes behind a header of 512; 3 x 3 pixels take 18"),
        (smv_bytes("SIZE1=3;\nSIZE2=2;\nBYTE_ORDER=other;\n"), "BYTE_ORDER is 'other;'; allowed are little_endian"),
        (smv_bytes("SIZE1=3;\nSIZE2=1;\nTYPE=float;\n"), "TYPE is 'float'; only 16-bit pixels"),
        (smv_bytes("SIZE1=3;\nSIZE2=1;\nData_type=long int;\n"), "TYPE is 'long int'"),
    ],
)
def test_malformed_images(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.img").write_bytes(content)
    with pytest.raises(InputError, match=rf"^-mask .*bad\.img: .*{message}") as caught:
        smv.read(tmp_path / "bad.img", "-mask")
    assert "\n" not in str(caught.value)


def test_a_header_without_pixels_is_enough_for_read_header(tmp_path: Path) -> None:
    (tmp_path / "a.img").write_bytes(smv_bytes("SIZE1=3;\nSIZE2=2;\n", pixels=0))
    assert smv.read_header(tmp_path / "a.img").shape == (2, 3)


def test_a_missing_image(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^-img .*a\.img: cannot be read: no such file or directory$"):
        smv.read_header(tmp_path / "a.img", "-img")
    with pytest.raises(FileError, match="is a device, not a file"):
        smv.read("/dev/zero", "-mask")


def test_counts_are_rounded_to_float32_before_the_floor() -> None:
    # In float64 the half is not reached; 1000.5 - 1e-6 rounded to float32 is 1000.5 and 1001 after adding a half.
    just_below = np.array([[1.0]], dtype=np.float32)
    assert int_values(just_below, 1000.4999999, 0.0)[0, 0] == 1001
    assert int_values(just_below, 1000.4999, 0.0)[0, 0] == 1000


def test_counts_are_clipped() -> None:
    image = np.array([[-1e30, -1.0, 0.0, 65494.4, 65495.0, 65495.4, 65496.0, 1e30, np.inf, np.nan]], dtype=np.float32)
    counts = int_values(image, 1.0, 40.0)
    assert counts.tolist() == [[0, 39, 40, 65534, 65535, 65535, 65535, 65535, 65535, 0]]


def test_pixels_outside_the_region_hold_0_not_the_offset() -> None:
    counts = int_values(np.zeros((4, 5), dtype=np.float32), 1.0, 40.0, (0, 1, 3, 3))
    assert counts[3, :2].tolist() == [40, 40]
    assert int(counts.sum()) == 80


def test_the_automatic_scale() -> None:
    assert smv.automatic_scale(0.0) == 1.0
    assert smv.automatic_scale(11.0) == 5000.0


@pytest.mark.parametrize("roi", [None, (3, 480, 300, 1040)])
def test_files_written_block_by_block(roi: tuple[int, int, int, int] | None, tmp_path: Path) -> None:
    """Of 700 000 pixels, six blocks of rows, of which the first and the last are outside the region."""
    image = np.random.default_rng(1).uniform(-5.0, 90.0, (1400, 500)).astype(np.float32)
    image[350, 7], image[950, 100] = np.nan, np.inf
    rows, columns = roi_slices(roi, image.shape)
    exact = np.zeros(image.shape)
    exact[rows, columns] = np.nan_to_num(image[rows, columns].astype(np.float64), nan=-1e9, posinf=1e9)
    counts, gray = np.zeros(image.shape, dtype="<u2"), np.clip(exact * 3.0, 0.0, 255.0).astype(np.uint8)
    counts[rows, columns] = (np.clip(exact * 1000.0 + 40.0, 0.0, 65535.0) + 0.5).astype(np.float32)[rows, columns]
    smv.write_rows(tmp_path / "a.img", smv.int_rows(image, 1000.0, 40.0, roi), bytes(512))
    pgm.write_rows(tmp_path / "a.pgm", pgm.pgm_rows(image, 3.0, roi), image.shape, 3.0)
    assert (tmp_path / "a.img").read_bytes() == bytes(512) + counts.tobytes()
    assert (tmp_path / "a.pgm").read_bytes() == pgm.header(image.shape, 3.0) + gray.tobytes()
    assert counts.max() == 65535
