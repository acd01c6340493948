"""Raw float images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from goldens import load

from nbnumba.errors import FileError, InputError
from nbnumba.io import floatfile


def test_the_bytes_are_little_endian_float32_row_by_row(tmp_path: Path) -> None:
    floatfile.write(tmp_path / "a.bin", np.array([[1.0, 2.0], [3.0, -0.5], [0.0, 1e-3]]))
    expected = np.array([1.0, 2.0, 3.0, -0.5, 0.0, 1e-3], dtype="<f4")
    assert (tmp_path / "a.bin").read_bytes() == expected.tobytes()


def test_what_is_written_is_read_back_to_the_bit(tmp_path: Path) -> None:
    image = load("detsize_rect").float_image
    floatfile.write(tmp_path / "a.bin", image)
    again = floatfile.read(tmp_path / "a.bin", image.shape)
    assert again.dtype == np.float32
    np.testing.assert_array_equal(again, image)
    again[0, 0] = 1.0  # the caller owns it


@pytest.mark.parametrize("size", [0, 23, 25, 1000])
def test_a_size_that_does_not_match_names_both(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(size))
    with pytest.raises(InputError, match=rf"a\.bin: holds {size} bytes; 3 x 2 pixels .* take 24; -detpixels_f and"):
        floatfile.read(tmp_path / "a.bin", (2, 3), "-floatfile")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"a\.bin: cannot be read: no such file or directory$"):
        floatfile.read(tmp_path / "a.bin", (2, 3))
    with pytest.raises(FileError, match="cannot be read: is a directory"):
        floatfile.read(tmp_path, (2, 3))
