"""Files that once crashed a reader, kept it busy for ever, filled the memory or ended in a traceback."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
from requirements import ROOT

from nbnumba import cli

pytestmark = pytest.mark.command_line

CASES = Path(__file__).parent / "cases"
CASE_LINES = [
    ("compare bomb.png bomb.png", "bomb.png: cannot be read: Image size (3600000000 pixels) exceeds limit"),
    ("compare token.npy token.npy", "token.npy: not readable as a NumPy array"),
    (
        "compare header.npy header.npy",
        "header.npy: not readable as a NumPy array: a header of 2063627776 bytes",
    ),
    ("-hkl far.mtz -lambda 1", "-hkl far.mtz: cut short: its header should stand at byte 6538768788 of 2208"),
    (
        "-pdb flat.pdb -hkl_dmin 8 -lambda 1.5 -distance 50 -pixel 1 -detpixels 4 -nopgm -nonoise -nodump",
        "-pdb flat.pdb: no density can be made of the model: ",
    ),
    ("compare-traces big.json big.json", "big.json: is malformed"),
    ("batch bigint.toml --dry-run", "bigint.toml: no TOML: a number is too long"),
    ("batch deep.toml --dry-run", "deep.toml: no TOML: nested too deeply"),
    ("batch long4000.toml --dry-run", "long4000.toml line 4001: cuont: unknown key; did you mean count?"),
    ("compare endless.cbf endless.cbf", "endless.cbf: holds no pixels"),
    ("compare endless.tif endless.tif", "endless.tif: begins with "),
    ("compare longer.tif longer.tif", "longer.tif: begins with "),
    ("compare no_numbers.tif no_numbers.tif", "no_numbers.tif: begins with "),
    ("compare crash.h5 crash.h5", "crash.h5: is damaged: the HDF5 library crashes on it"),
]


@pytest.mark.parametrize(("words", "message"), CASE_LINES, ids=[line.split()[1] for line, _ in CASE_LINES])
def test_cases(
    words: str, message: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for path in CASES.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(words.split()) == 2
    # What a crashing library says in its own process may come before or after.
    (told,) = (line for line in capfd.readouterr().err.splitlines() if line.startswith("nbnumba: error: "))
    assert told.startswith(f"nbnumba: error: {message}")
    assert len(told) < 330
    assert not list(tmp_path.glob("nbnumba-error-*"))


@pytest.mark.parametrize("words", ["batch /dev/zero --dry-run", "-mat /dev/zero", "-hkl /dev/zero -cell 50 60 70"])
def test_devices_without_end(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*words.split(), "-lambda", "1", "-default_F", "1"] if words[0] == "-" else words.split()) == 3
    assert "/dev/zero: is a device" in capsys.readouterr().err


def test_a_pipe_without_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["sh", "-c", f"cat /dev/zero > {tmp_path / 'pipe'}"], stderr=subprocess.DEVNULL):
        assert cli.main(["compare", "--with", "/bin/true", "--list", str(tmp_path / "pipe")]) == 2
    assert "pipe: longer than 268435456 bytes, not a small text file" in capsys.readouterr().err


def test_the_table_of_a_batch_is_a_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = "-cell 50 60 70 -default_F 1 -lambda 1 -distance 50 -detpixels 4"
    (tmp_path / "s.toml").write_text(f'command = "{command}"\ncount = 1\n[vary]\ncsv = "/dev/zero"\n')
    assert cli.main(["batch", str(tmp_path / "s.toml"), "--dry-run"]) == 3
    assert "is a device" in capsys.readouterr().err


def test_a_line_of_a_long_document_is_found_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """20 000 lines: their number once squared."""
    lines = ['command = """', *["# text"] * 100, '"""', *[f"# {number}" for number in range(20_000)], "cuont = 1"]
    (tmp_path / "s.toml").write_text("\n".join(lines))
    start = time.process_time()
    assert cli.main(["batch", str(tmp_path / "s.toml"), "--dry-run"]) == 2
    assert time.process_time() - start < 20.0  # of hours
    assert f"s.toml line {len(lines)}: cuont: unknown key" in capsys.readouterr().err


def test_gzip_that_unpacks_to_gigabytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.mtz.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"MTZ ")
        block = bytes(1 << 24)
        for _ in range(70):
            file.write(block)
    assert cli.main(["-hkl", str(path), "-lambda", "1", "-distance", "50"]) == 2
    assert "a.mtz.gz: unpacks to more than" in capsys.readouterr().err


def test_an_image_that_states_more_than_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (200000, 200000), }"
    head = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header.encode() + b"\n"
    (tmp_path / "a.npy").write_bytes(head + bytes(64))
    assert cli.main(["compare", str(tmp_path / "a.npy"), str(tmp_path / "a.npy")]) == 2
    assert "more than the file holds" in capsys.readouterr().err


def test_an_hdf5_file_that_states_more_than_any_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of it is stored: the library would fill the memory with zeros."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("entry/data/data", shape=(2, 500_000, 500_000), chunks=(1, 64, 64), dtype="<i4")
    assert cli.main(["compare", str(tmp_path / "a.h5"), str(tmp_path / "a.h5")]) == 2
    assert "a.h5: states an image that takes " in capsys.readouterr().err
    assert cli.main(["convert", str(tmp_path / "a.h5"), "-o", str(tmp_path / "b.h5")]) == 2
    assert "nbnumba: error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "name", "shape"),
    [("-mask", "mask", (64, 64)), ("-spectrum_file", "a/b/spectrum_weights", (1, 4096))],
    ids=["mask", "spectrum"],
)
def test_bytes_on_which_a_decoder_crashes(
    option: str, name: str, shape: tuple[int, int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The bytes of an image of crash.h5 in another place."""
    path = tmp_path / "a.h5"
    with h5py.File(CASES / "crash.h5") as source, h5py.File(path, "w") as file:
        crashing = source["entry/data/data"]
        file.create_group("a/b").attrs["NX_class"] = np.bytes_("NXbeam")
        file["a/b/incident_wavelength"] = np.linspace(1.0, 2.0, 4096)
        file["a/b/incident_wavelength"].attrs.update(variant="spectrum", units="angstrom")
        file["a/b/spectrum"] = np.linspace(1.0, 2.0, 4096)
        file["a/b/spectrum"].attrs["units"] = "angstrom"
        packed = file.create_dataset(name, shape, "<u2", chunks=shape, **hdf5plugin.Bitshuffle(cname="lz4"))
        mask, data = crashing.id.read_direct_chunk((0, 0, 0))
        packed.id.write_direct_chunk((0, 0), data, mask)
    place = "-distance 50 -pixel 1 -detpixels 64" + (" -lambda 1" if option == "-mask" else "")
    words = f"{option} {path} -cell 50 60 70 -default_F 1 -N 2 -quiet -nopgm -nonoise -nodump {place}".split()
    words += ["-floatfile", str(tmp_path / "f.bin"), "-intfile", str(tmp_path / "i.img")]
    assert cli.main(words) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"nbnumba: error: {option} {path}: is damaged: ")  # by luck the decoder notices


def test_one_index_far_from_the_others_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.hkl").write_text("0 0 1 10\n0 1 0 10\n300 300 300 10\n")
    words = f"-hkl {tmp_path / 'a.hkl'} -cell 50 60 70 -lambda 1.5 -distance 50 -pixel 1 -detpixels 4 -N 2 -nodump"
    words += " -nopgm -nonoise -quiet -threads 1 -floatfile /dev/null -intfile /dev/null"
    assert cli.main(words.split()) == 0
    told = capsys.readouterr().err
    assert "a.hkl: 3 reflections fill " in told
    assert "one far from the others may be a mistake" in told


@pytest.mark.parametrize(("limit", "compiled"), [(150, True), (330, True), (600, True), (400, False), (700, False)])
def test_too_little_memory(limit: int, compiled: bool, tmp_path: Path) -> None:
    """From too little for NumPy to too little for the image, or to compile, `ulimit -v` in MB."""
    words = "-cell 50 60 70 -default_F 1 -lambda 1 -distance 50 -pixel 0.01 -detpixels 9000 -N 2 -quiet -threads 1"
    words += " -nopgm -nonoise -nodump"
    line = f"ulimit -v {1000 * limit}; exec {sys.executable} -m nbnumba {words} -floatfile /dev/null -intfile i.img"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    if not compiled:
        environment["NBNUMBA_CACHE_DIR"] = str(tmp_path / "cache")
    ran = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode in (2, 7), ran.stderr  # 2: the image is too large for what is free, said before it is drawn
    assert ran.stderr.count("nbnumba: error: ") == 1
    assert "Traceback" not in ran.stderr
    assert not list(tmp_path.glob(".nbnumba-*"))
