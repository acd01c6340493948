"""Full disks of every size, limits of a file's size, and file systems without locks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the compression of the files
import numpy as np
import pytest
from requirements import ROOT, requires

from nbnumba import cli
from nbnumba.io.nexus.sink import Sink

pytestmark = pytest.mark.command_line

SPEC = """
command = "-cell 50 60 70 -default_F 200 -lambda 1.5 -distance 50 -pixel 1 -detpixels 32 -N 4 -fluence 1e28"
count = 40
images_per_file = 20
backend = "cpu"
[vary]
orientation = "random"
"""

# Write the products of a batch, and a file of images, again and again while the disk has room for a part of them.
WRITE = """
import sys
from pathlib import Path
from nbnumba.batch.reference import make_base
from nbnumba.batch.products import MAKERS
from nbnumba.batch.spec import read_spec
from nbnumba.errors import FileError
{prepare}
whole, out = Path(sys.argv[1]), Path(sys.argv[2])
spec, _ = read_spec(str(whole.parent / "s.toml"))
base = make_base(spec)
chunks = sorted(whole.glob("shots_*.h5"))
kinds = set()
for name, make in MAKERS.items():
    size = (whole / name).stat().st_size
    for room in rooms(size):
        allow(room)
        try:
            make(out / name, chunks, spec, base)
        except FileError as error:
            kinds.add(str(error).rpartition(": ")[2])
        else:
            raise SystemExit(f"{{name}}, {{size}} bytes, was written with room for {{room}}")
        left = list(out.iterdir())
        if left:
            raise SystemExit(f"{{name}} with room for {{room}}: left {{left}}")
print(sorted(kinds))
"""
LIMIT = """
import resource
def rooms(size):
    return [size * part // 20 for part in range(20)]
def allow(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
"""
DISK = """
import subprocess
PAGE = 4096
def rooms(size):
    return [PAGE * pages for pages in range(1, size // PAGE - 1)][:20]
def allow(size):
    subprocess.run(["mount", "-o", f"remount,size={size}", sys.argv[2]], check=True)
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    (folder / "s.toml").write_text(SPEC)
    assert cli.main(["batch", str(folder / "s.toml"), "-o", str(folder / "out")]) == 0
    return folder / "out"


def write(prepare: str, done: Path, out: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", WRITE.format(prepare=prepare), str(done), str(out)]
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, f"{ran.returncode}: {ran.stderr}"
    return ran.stdout


def test_a_limit_of_the_size_of_files(done: Path, tmp_path: Path) -> None:
    """60 limits: each time one error, no crash of the HDF5 library and nothing half-written."""
    assert write(LIMIT, done, tmp_path) == "['file too large']\n"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


@requires("small disk")
def test_a_full_disk(done: Path, disk: Path) -> None:
    assert (done / "shots.h5").stat().st_size > 20 * 4096
    assert write(DISK, done, disk) == "['no space left on device']\n"


def test_what_cannot_be_written_is_read_back(tmp_path: Path) -> None:
    """The HDF5 library crashes where it does not find again what it has written."""
    path = tmp_path / "file"
    words = (b"abcdef", 0), (b"XY", 4), (b"ZZZZ", 8), (b"!", 0)
    with path.open("w+b") as file, Path("/dev/full").open("r+b", buffering=0) as full:
        good, bad = Sink(file), Sink(full)
        for sink in (good, bad):
            for data, place in words:
                sink.seek(place)
                assert sink.write(data) == len(data)
            assert sink.seek(0, os.SEEK_END) == 12
            sink.seek(0)
            assert sink.read(100) == b"!bcdXY\0\0ZZZZ"
        good.check()
        with pytest.raises(OSError, match="No space left"):
            bad.check()


NO_LOCKS = """
#include <errno.h>
#include <stdlib.h>
int flock(int descriptor, int operation) { errno = atoi(getenv("LOCK_ERROR")); return -1; }
"""


@pytest.fixture(scope="module")
def without_locks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which flock() fails with the error that LOCK_ERROR holds."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "no_locks.c").write_text(NO_LOCKS)
    library = folder / "no_locks.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(folder / "no_locks.c")], check=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LD_PRELOAD": str(library)}
    environment.pop("HDF5_USE_FILE_LOCKING", None)
    return environment


@requires("C compiler")
@pytest.mark.parametrize("error", [37, 95, 524])
def test_a_file_system_without_locks(error: int, without_locks: dict[str, str], tmp_path: Path) -> None:
    """ENOLCK, EOPNOTSUPP and what Cray's DVS says: the batch ends well, and its files are read."""
    (tmp_path / "s.toml").write_text(SPEC.replace("= 40", "= 4"))
    environment = {**without_locks, "LOCK_ERROR": str(error)}
    every = (
        ["batch", "s.toml", "-o", "out", "--threads", "1"],
        ["convert", "out/shots_0000.h5", "-o", "all.h5"],
        ["compare", "out/shots.h5", "out/shots_0000.h5"],
    )
    for words in every if error == 37 else every[:1]:
        program = [sys.executable, "-m", "nbnumba", *words]
        ran = subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, f"{words}: {ran.stderr}"
    with h5py.File(tmp_path / "out/shots.h5") as file:
        assert np.asarray(file["/entry/data/data"]).shape == (4, 32, 32)


@requires("C compiler")
def test_the_environment_can_ask_for_locks(done: Path, without_locks: dict[str, str], tmp_path: Path) -> None:
    """HDF5_USE_FILE_LOCKING=TRUE overrules us; where there are none, the file cannot be read: status 3."""
    environment = {**without_locks, "LOCK_ERROR": "37", "HDF5_USE_FILE_LOCKING": "TRUE"}
    words = [sys.executable, "-m", "nbnumba", "convert", str(done / "shots_0000.h5"), "-o", str(tmp_path / "all.h5")]
    ran = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert ran.returncode == 3, ran.stderr
    assert "no locks available" in ran.stderr
