"""Masks from every kind of file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from nbnumba import cli
from nbnumba.errors import FileError, InputError
from nbnumba.io import cbf, mask_file

MASK = np.ones((6, 8), dtype=bool)
MASK[1, 2] = MASK[4, 7] = MASK[0, 0] = False


def write(path: Path) -> None:
    if path.suffix == ".npy":
        np.save(path, MASK)
    elif path.suffix == ".tif":
        Image.fromarray(MASK.astype(np.uint8) * 255).save(path)
    elif path.suffix == ".cbf":
        cbf.write(path, np.where(MASK, 7, -2).astype(np.int32), [])
    else:
        with h5py.File(path, "w") as file:
            name = "/mask" if path.stem == "plain" else "/entry/instrument/detector/pixel_mask"
            file[name] = np.where(MASK, 0, 8).astype(np.uint32)


@pytest.mark.parametrize("name", ["m.npy", "m.tif", "m.cbf", "m.h5", "plain.h5"])
def test_a_mask_skips_the_same_pixels_in_every_format(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name)
    np.testing.assert_array_equal(mask_file.read(tmp_path / name), MASK)
    words = f"-cell 50 60 70 -default_F 10 -N 2 -detpixels_f 8 -detpixels_s 6 -pixel 5 -nonoise -nopgm -mask {name}"
    assert cli.main(words.split()) == 0
    image = np.fromfile("floatimage.bin", dtype="<f4").reshape(6, 8)
    np.testing.assert_array_equal(image > 0, MASK)
    # It says nothing of the detector's size.
    assert cli.main(words.replace("-detpixels_f 8", "-detpixels_f 9").split()) == 2
    assert "the mask has 8 x 6 pixels, the detector 9 x 6" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x93NUMPY", "cannot be read as a mask"),
        (b"\x89HDF\r\n\x1a\nrest", "m"),
        (b"II*\0\0\0\0\0", "m"),
        (b"###CBF: VERSION 1.5", "m"),
        (b"MM\0*", "m"),
    ],
)
def test_damaged_masks(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(content)
    with pytest.raises((InputError, FileError), match=expected):
        mask_file.read(path, "-mask")


def test_what_is_no_mask(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 4)))
    with pytest.raises(InputError, match=r"of shape \(2, 3, 4\); a mask has two axes"):
        mask_file.read(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([["a", "b"]]))
    with pytest.raises(InputError, match="a mask has two axes of numbers"):
        mask_file.read(tmp_path / "b.npy")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["other"] = 1
    with pytest.raises(InputError, match="holds no pixel mask"):
        mask_file.read(tmp_path / "c.h5")
    with pytest.raises(FileError):
        mask_file.read(tmp_path / "missing.npy", "-mask")
