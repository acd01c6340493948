"""A batch in memory: the images of its files, in any order and in any process."""

from __future__ import annotations

import csv
import multiprocessing
import pickle
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  # the compression of the images
import numpy as np
import pytest
from requirements import requires

import nbnumba
from nbnumba import cli

SPEC = """
command = "-cell 60 70 80 90 90 90 -default_F 100 -N 5 -detpixels_f 24 -detpixels_s 20 -pixel 1 -distance 80"
count = 5
seed = 3
images_per_file = 2
[vary]
orientation = "random"
fluence = { lognormal = [25, 0.3] }
cell_jitter_percent = 1
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "spec.toml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def batch(spec: Path) -> Path:
    assert cli.main(["batch", str(spec), "-o", str(spec.parent / "out")]) == 0
    return spec.parent / "out"


def test_items_are_the_images_and_labels_of_the_batch(spec: Path, batch: Path) -> None:
    dataset = nbnumba.Dataset(spec)
    assert len(dataset) == 5
    with h5py.File(batch / "shots.h5") as file:
        stored = file["/entry/data/data"][:]
    with (batch / "labels.csv").open() as table:
        rows = list(csv.DictReader(table))
    for index in (4, 0, 2):
        pixels, labels = dataset[index]
        assert pixels.dtype == np.uint16
        np.testing.assert_array_equal(pixels, stored[index])
        assert {name: str(value) for name, value in labels.items()} == rows[index]
    assert [labels["image"] for _, labels in dataset] == [0, 1, 2, 3, 4]


def test_indices_are_those_of_a_sequence(spec: Path) -> None:
    dataset = nbnumba.Dataset(spec)
    part = dataset[1:4]
    assert len(part) == 3
    assert part[-1][1]["image"] == 3
    assert [labels["image"] for _, labels in part[::-1]] == [3, 2, 1]
    np.testing.assert_array_equal(dataset[np.int64(-1)][0], dataset[4][0])
    for index in (5, -6):
        with pytest.raises(IndexError):
            dataset[index]


def test_labels_are_known_before_rendering(spec: Path, batch: Path) -> None:
    table = nbnumba.Dataset(spec)[1:].labels
    with (batch / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))[1:]
    assert {"image", "fluence", "cell_a", "A_11", "A_33"} <= table.keys()
    for name, column in table.items():
        np.testing.assert_array_equal(column, [float(row[name]) for row in rows])


def _total(dataset: nbnumba.Dataset, index: int) -> int:
    return int(dataset[index][0].sum())


def test_it_can_be_pickled_and_works_in_other_processes(spec: Path) -> None:
    dataset = nbnumba.Dataset(spec)
    again = pickle.loads(pickle.dumps(dataset[2:]))
    np.testing.assert_array_equal(again[0][0], dataset[2][0])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_total, (dataset, 3)) == _total(dataset, 3)


def test_pixels_are_cropped_binned_and_converted(spec: Path) -> None:
    plain = nbnumba.Dataset(spec)[1][0].astype(np.int64)
    cropped = nbnumba.Dataset(spec, crop=(2, 20, 4, 24), binning=4)[1][0]
    expected = plain[2:18, 4:24].reshape(4, 4, 5, 4).sum(axis=(1, 3))
    np.testing.assert_array_equal(cropped, expected)
    assert cropped.dtype == np.int32
    largest = nbnumba.Dataset(spec, binning=10, pooling="max", square_root=True, dtype="float64")[1][0]
    blocks = plain[:20, :20].reshape(2, 10, 2, 10).max(axis=(1, 3))
    np.testing.assert_array_equal(largest, np.sqrt(blocks.astype(np.float32)).astype(np.float64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"binning": 0}, "binning: 0 is not possible"),
        ({"binning": 21}, "binning: 21 is more than the 20 pixels"),
        ({"pooling": "mean"}, "pooling: 'mean' is unknown"),
        ({"crop": (0, 21, 0, 5)}, "reaches beyond the image of 20 x 24"),
        ({"crop": (3, 3, 0, 5)}, "holds no pixel"),
        ({"crop": (0, 5)}, "allowed: slow start, slow end"),
        ({"threads": 0}, "threads: 0 is not possible"),
        ({"backend": "tpu"}, "backend: 'tpu' is unknown"),
    ],
)
def test_mistakes_are_one_line(spec: Path, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")) as caught:
        nbnumba.Dataset(spec, **options)
    assert "\n" not in str(caught.value)


def test_a_missing_spec_and_a_changed_input(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"gone\.toml"):
        nbnumba.Dataset(tmp_path / "gone.toml")
    (tmp_path / "flat.stol").write_text("0 3\n1 3\n")
    path = tmp_path / "spec.toml"
    path.write_text(SPEC.replace("-distance 80", "-distance 80 -background flat.stol:0.1"))
    sent = pickle.dumps(nbnumba.Dataset(path))
    (tmp_path / "flat.stol").write_text("0 4\n1 4\n")
    with pytest.raises(ValueError, match=r"flat\.stol"):
        pickle.loads(sent)[0]


@requires("torch")
def test_in_a_data_loader_of_pytorch(spec: Path) -> None:
    from torch.utils.data import DataLoader

    dataset = nbnumba.Dataset(spec, dtype="float32")
    loader = DataLoader(dataset, batch_size=2, num_workers=2, multiprocessing_context="spawn")
    seen = []
    for pixels, labels in loader:
        for one, number in zip(pixels, labels["image"], strict=True):
            np.testing.assert_array_equal(one.numpy(), dataset[int(number)][0])
            seen.append(int(number))
    assert seen == [0, 1, 2, 3, 4]
