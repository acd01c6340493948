"""Images of every kind are read, and what is no image says so in one line."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import fabio
import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nbnumba.compare.load import read_image, read_two
from nbnumba.errors import FileError, InputError
from nbnumba.imagefiles.others import _BLOCK, _lacks_mark
from nbnumba.imagefiles.records import LoadedImage, Source
from nbnumba.io import cbf, pgm, smv
from nbnumba.util.messages import notices_to

COUNTS = np.random.default_rng(6).integers(0, 60000, (12, 20)).astype(np.uint16)


def read(path: Path, image: int | None = None, shape: tuple[int, int] | None = None) -> tuple[LoadedImage, list[str]]:
    notices: list[str] = []
    with notices_to(notices.append):
        return read_image(Source(str(path), image), shape), notices


def fails(path: Path, image: int | None = None, shape: tuple[int, int] | None = None) -> str:
    with pytest.raises(InputError) as failure:
        read(path, image, shape)
    text = str(failure.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def write_smv(path: Path, counts: NDArray[np.uint16] = COUNTS) -> None:
    n_slow, n_fast = counts.shape
    header = (
        f"{{\nHEADER_BYTES=512;\nBYTE_ORDER=little_endian;\nTYPE=unsigned_short;\nSIZE1={n_fast};\nSIZE2={n_slow};\n}}"
    )
    smv.write(path, counts, header.encode().ljust(512))


def write_cbf(path: Path) -> None:
    fabio.cbfimage.CbfImage(data=COUNTS.astype(np.int32)).write(str(path))


def write_edf(path: Path) -> None:
    fabio.edfimage.EdfImage(data=COUNTS.astype(np.float32)).write(str(path))


def write_tiff(path: Path) -> None:
    Image.fromarray(COUNTS).save(path)


def write_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, COUNTS)


def write_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["some/where/picture"] = COUNTS.astype(np.int32)
        file["some/where/numbers"] = np.arange(10_000)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("image.img", write_smv),
        ("image.cbf", write_cbf),
        ("image.edf", write_edf),
        ("image.tif", write_tiff),
        ("image.npy", write_npy),
        ("image.h5", write_hdf5),
        ("no_ending", write_smv),
        ("no_ending", write_cbf),
        ("no_ending", write_hdf5),
    ],
)
def test_formats_that_state_their_shape(tmp_path: Path, name: str, write: object) -> None:
    path = tmp_path / name
    write(path)  # type: ignore[operator]
    found, notices = read(path)
    np.testing.assert_array_equal(found.values, COUNTS)
    assert found.values.dtype == np.float64
    assert notices == []


def test_gray_pictures(tmp_path: Path) -> None:
    gray = (COUNTS % 256).astype(np.uint8)
    pgm.write(tmp_path / "image.pgm", gray, 0.5)
    np.testing.assert_array_equal(read(tmp_path / "image.pgm")[0].values, gray)
    Image.fromarray(COUNTS).save(tmp_path / "image.png")
    np.testing.assert_array_equal(read(tmp_path / "image.png")[0].values, COUNTS)
    Image.new("RGB", (4, 4)).save(tmp_path / "color.png")
    assert "color" in fails(tmp_path / "color.png")


def test_wide_smv_is_left_to_fabio(tmp_path: Path) -> None:
    values = np.linspace(-3.0, 1e6, 240, dtype="<f4").reshape(12, 20)
    header = "{\nHEADER_BYTES=512;\nBYTE_ORDER=little_endian;\nData_type=float IEEE;\nDIM=2;\nSIZE1=20;\nSIZE2=12;\n}\n"
    (tmp_path / "wide.img").write_bytes(header.encode().ljust(512) + values.tobytes())
    np.testing.assert_array_equal(read(tmp_path / "wide.img")[0].values, values)


def test_raw_image_of_a_stated_shape(tmp_path: Path) -> None:
    values = COUNTS.astype(np.float32)
    for name in ("image.bin", "image.img", "anything"):
        values.tofile(tmp_path / name)
        found, notices = read(tmp_path / name, shape=(12, 20))
        np.testing.assert_array_equal(found.values, values)
        assert notices == []
    assert "take 440" in fails(tmp_path / "image.bin", shape=(11, 10))


def test_raw_image_takes_the_shape_of_the_other(tmp_path: Path) -> None:
    raw, other = tmp_path / "image.bin", tmp_path / "image.img"
    COUNTS.astype(np.float32).tofile(raw)
    write_smv(other)
    for first, second in ((raw, other), (other, raw)):
        with notices_to(pytest.fail):
            a, b = read_two(Source(str(first)), Source(str(second)), None)
        assert (a.name, b.name) == (str(first), str(second))
        np.testing.assert_array_equal(a.values, b.values)


def test_raw_image_of_unknown_shape_is_taken_for_a_square(tmp_path: Path) -> None:
    np.arange(25.0, dtype=np.float32).tofile(tmp_path / "square.bin")
    found, notices = read(tmp_path / "square.bin")
    assert found.values.shape == (5, 5)
    assert "5 x 5" in notices[0]
    np.arange(24.0, dtype=np.float32).tofile(tmp_path / "other.bin")
    assert "-detpixels_f" in fails(tmp_path / "other.bin")


@pytest.mark.parametrize("name", ["black.bin", "black"])
def test_raw_image_that_begins_like_another_format(tmp_path: Path, name: str) -> None:
    # FabIO takes ten null bytes for an image of a medical detector.
    values = np.zeros((6, 6), np.float32)
    values[5, 5] = 3.0
    values.tofile(tmp_path / name)
    for shape in ((6, 6), None):
        np.testing.assert_array_equal(read(tmp_path / name, shape=shape)[0].values, values)


STACK = np.arange(3 * 4 * 5, dtype=np.int32).reshape(3, 4, 5)


def test_image_of_a_stack_counts_from_one(tmp_path: Path) -> None:
    path = tmp_path / "stack.h5"
    with h5py.File(path, "w") as file:
        file["entry/data/data"] = STACK
    for number in (1, 2, 3):
        found, notices = read(path, number)
        np.testing.assert_array_equal(found.values, STACK[number - 1])
        assert notices == []
    found, notices = read(path)
    np.testing.assert_array_equal(found.values, STACK[0])
    assert "holds 3 images" in notices[0]
    assert "allowed are 1 to 3" in fails(path, 4)


def test_stack_in_several_datasets(tmp_path: Path) -> None:
    path = tmp_path / "stack.h5"
    with h5py.File(path, "w") as file:
        file["entry/data/data_000001"] = STACK[:2]
        file["entry/data/data_000002"] = STACK[2:]
        file["entry/data/data_000003"] = h5py.ExternalLink("not_there.h5", "/data")
    found, _ = read(path, 3)
    np.testing.assert_array_equal(found.values, STACK[2])
    assert "image 3" in found.name
    assert "allowed are 1 to 3" in fails(path, 4)
    with h5py.File(path, "a") as file:
        del file["entry/data/data_000001"]
        file["entry/data/data_000001"] = h5py.ExternalLink("not_there.h5", "/data")
    assert "data_000001" in fails(path, 3)


def test_nexus_points_to_its_image(tmp_path: Path) -> None:
    path = tmp_path / "nexus.h5"
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "scan"
        scan = file.create_group("scan")
        scan.attrs["default"] = "plot"
        plot = scan.create_group("plot")
        plot.attrs["signal"] = "counts"
        plot["counts"] = STACK[1]
        file["entry/data/data"] = STACK
    np.testing.assert_array_equal(read(path)[0].values, STACK[1])


def test_panels_stand_under_one_another(tmp_path: Path) -> None:
    path = tmp_path / "panels.h5"
    with h5py.File(path, "w") as file:
        file["entry/data/data"] = STACK[None]
    np.testing.assert_array_equal(read(path)[0].values, STACK.reshape(12, 5))


def test_mask_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "masked.h5"
    mask = np.zeros((4, 5), np.uint32)
    mask[2, 3] = 1
    with h5py.File(path, "w") as file:
        file["entry/data/data"] = STACK[:1]
        file["entry/instrument/detector/pixel_mask"] = mask
    left_out = read(path)[0].left_out
    assert left_out is not None
    np.testing.assert_array_equal(left_out, mask == 1)


def test_compressed_detector_file(tmp_path: Path) -> None:
    import hdf5plugin

    path = tmp_path / "compressed.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data/data", data=STACK, chunks=(1, 4, 5), compression=hdf5plugin.Bitshuffle())
    np.testing.assert_array_equal(read(path, 2)[0].values, STACK[1])


def test_stack_of_numpy_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", STACK)
    np.testing.assert_array_equal(read(tmp_path / "stack.npy", 2)[0].values, STACK[1])


def test_second_image_of_a_single_one(tmp_path: Path) -> None:
    write_smv(tmp_path / "a.img")
    write_cbf(tmp_path / "a.cbf")
    COUNTS.astype(np.float32).tofile(tmp_path / "a.bin")
    for name in ("a.img", "a.cbf", "a.bin"):
        assert "image 2" in fails(tmp_path / name, 2, (12, 20))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.img", tmp_path):
        with pytest.raises(FileError, match=str(path)):
            read(path)


def broken(tmp_path: Path) -> list[Path]:
    whole = tmp_path / "whole.h5"
    with h5py.File(whole, "w") as file:
        file["entry/data/data"] = np.zeros((50, 50))
    contents = {
        "cut.h5": whole.read_bytes()[:3000],
        "head.h5": b"\x89HDF\r\n\x1a\n",
        "cut.cbf": b"###CBF: VERSION 1.5\ndata_x\n",
        "cut.npy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f4',",
        "cut.tif": b"II*\x00\x08\x00",
        "cut.img": b"{\nHEADER_BYTES=512;\nSIZE1=10;\nSIZE2=10;\n}".ljust(600),
        "cut.png": b"\x89PNG\r\n\x1a\n" + bytes(30),
        "cut.pgm": b"P5\n100 100\n255\n12",
        "cut.edf": b"{\n; EDF\n",
        "text.hkl": b"1 2 3 4.5\n",
        "text": b"<html>",
        "empty.bin": b"",
        "pickled.npy": b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }".ljust(117)
        + b"\n"
        + b"\x80\x04.",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with h5py.File(tmp_path / "nothing.h5", "w") as file:
        file["text"] = "no image"
    np.save(tmp_path / "line.npy", np.arange(5.0))
    np.save(tmp_path / "complex.npy", np.zeros((4, 4), complex))
    return [tmp_path / name for name in (*contents, "nothing.h5", "line.npy", "complex.npy")]


@pytest.mark.parametrize("name", ["cut.tif"])
def test_broken_files_are_reported_without_the_readers_insides(name: str, tmp_path: Path) -> None:
    (path,) = (path for path in broken(tmp_path) if path.name == name)
    start = ascii(path.read_bytes()[:8].decode("latin-1"))
    assert fails(path) == f"{path}: begins with {start}, but is not a whole image of a format that FabIO knows"


def test_broken_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for path in broken(tmp_path):
        fails(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("ending", "pack"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress)])
def test_a_cbf_image_without_its_mark_ends(tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]) -> None:
    # FabIO looks for the mark for ever.
    write_cbf(tmp_path / "whole.cbf")
    content = (tmp_path / "whole.cbf").read_bytes()
    (tmp_path / f"good.cbf{ending}").write_bytes(pack(content))
    np.testing.assert_array_equal(read(tmp_path / f"good.cbf{ending}")[0].values, COUNTS)
    (tmp_path / f"bad.cbf{ending}").write_bytes(pack(content.replace(cbf.START, b"....")))
    assert "holds no pixels" in fails(tmp_path / f"bad.cbf{ending}")


def test_the_mark_may_stand_across_two_blocks() -> None:
    for before in (_BLOCK - 2, _BLOCK, 3 * _BLOCK - 1):
        head = b"###CBF".ljust(before)
        assert not _lacks_mark(io.BytesIO(head + cbf.START))
        assert _lacks_mark(io.BytesIO(head + cbf.START[:3]))


@pytest.mark.parametrize("start", [b"\x1f\x8b\x08", b"BZh9"])
def test_a_damaged_package_is_reported(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "bad.gz").write_bytes(start + bytes(40))
    assert "cannot be unpacked" in fails(tmp_path / "bad.gz")


def test_a_cbf_image_of_another_coding_is_left_to_fabio(tmp_path: Path) -> None:
    write_cbf(tmp_path / "a.cbf")
    whole = (tmp_path / "a.cbf").read_bytes()
    named = whole.replace(b'"signed 32-bit integer"', b'"unsigned 32-bit integer"')
    assert named != whole
    (tmp_path / "b.cbf").write_bytes(named)
    with pytest.raises(cbf.OtherCoding):
        cbf.read(tmp_path / "b.cbf")
    np.testing.assert_array_equal(read(tmp_path / "b.cbf")[0].values, COUNTS)
