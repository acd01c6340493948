"""Dumps of the reflection table."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from nbnumba.errors import FileError, InputError
from nbnumba.structure_factors import fdump
from nbnumba.structure_factors.table import IndexBox, inside

BOX = IndexBox(-1, 0, 3, 5, -2, -2)
VALUES = np.arange(1.0, 7.0).reshape(2, 3, 1)


def test_the_layout_is_that_of_c(tmp_path: Path) -> None:
    fdump.write(tmp_path / "F", VALUES, BOX)
    # Shape (3, 4, 2): one plane of zeros at the end of each axis.
    numbers = [1, 0, 2, 0, 3, 0, 0, 0, 4, 0, 5, 0, 6, 0, 0, 0] + [0] * 8
    assert (tmp_path / "F").read_bytes() == b"-1 0 3 5 -2 -2\n\f" + struct.pack("<24d", *numbers)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(20)
    box = IndexBox(-7, 3, 0, 6, 100, 104)
    values = rng.normal(size=box.shape)
    fdump.write(tmp_path / "F", values, box)
    again, again_box = fdump.read(tmp_path / "F", default_F=2.5)
    assert again_box == box
    np.testing.assert_array_equal(inside(again), values)
    assert again.flags.c_contiguous
    inside(again)[:] = 2.5
    assert np.all(again == 2.5)  # the border too


def test_a_first_number_that_looks_like_blanks_is_no_part_of_the_header(tmp_path: Path) -> None:
    values = np.frombuffer(b"\n\t \r\x20\x0b\x0c\x40", dtype="<f8").reshape(1, 1, 1)
    fdump.write(tmp_path / "F", values, IndexBox(0, 0, 0, 0, 0, 0))
    np.testing.assert_array_equal(inside(fdump.read(tmp_path / "F")[0]), values)


@pytest.mark.parametrize("end", [b"\n\f", b"\f"])
def test_the_form_feed_may_follow_the_last_number(end: bytes, tmp_path: Path) -> None:
    values = np.array([[[12.5]]])
    fdump.write(tmp_path / "F", values, IndexBox(0, 0, 0, 0, 0, 0))
    content = (tmp_path / "F").read_bytes().replace(b"\n\f", end)
    (tmp_path / "F").write_bytes(content)
    np.testing.assert_array_equal(inside(fdump.read(tmp_path / "F")[0]), values)


def dump(header: str, cells: int, value: float = 1.0) -> bytes:
    return header.encode() + b"\n\f" + np.full(cells, value, dtype="<f8").tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a dump of structure factors: begins with ''"),
        (b"hello\n", r"not a dump of structure factors: begins with 'hello\\n'"),
        (dump("0 0 0 0 0", 8), "not a dump"),
        (dump("0 0 0 0 0 0 0", 8), "not a dump"),
        (dump("0 0.5 0 0 0 0", 8), "not a dump"),
        (dump("0 0 0 0 0 99999999999", 8), "not a dump"),
        (dump("0 0 0 0 0 9999999999", 8), r"impossible range of indices: h 0\.\.0, k 0\.\.0, l 0\.\.9999999999"),
        (dump("1 0 0 0 0 0", 8), r"impossible range of indices: h 1\.\.0"),
        (dump("0 100000 0 100000 0 100000", 8), r"need a table of 1.00009e\+15 cells, 8e\+06 GB; allowed are"),
        (dump("0 0 0 0 0 0", 7), r"holds 69 bytes; indices h 0\.\.0, k 0\.\.0, l 0\.\.0 take 77"),
        (dump("0 0 0 0 0 0", 9), "holds 85 bytes"),
        (dump("0 0 0 0 0 0", 8, np.nan), "a structure factor with h = 0 is not finite"),
        (dump("3 3 0 0 0 0", 8, -1e300), r"a structure factor with h = 3 has the size 1e\+300; allowed are -1e\+50 to"),
        (dump("3 3 0 0 0 0", 8, np.inf), "a structure factor with h = 3 is not finite"),
    ],
)
def test_malformed_dumps(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "F").write_bytes(content)
    with pytest.raises(InputError, match=rf"^-dump .*F: .*{message}") as caught:
        fdump.read(tmp_path / "F", "-dump")
    assert "\n" not in str(caught.value)


def test_dumps_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read: no such file or directory"):
        fdump.read(tmp_path / "F")
    with pytest.raises(FileError, match="cannot be written: there is no folder"):
        fdump.write(tmp_path / "absent" / "F", VALUES, BOX)
    with pytest.raises(FileError, match="no space left on device"):
        fdump.write("/dev/full", VALUES, BOX)
