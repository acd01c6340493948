"""Compiled code is kept where nobody else can write, and is used only as it was written."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from numba.core.caching import IndexDataCacheFile
from requirements import ROOT, requires

from nbnumba.kernels import code_folder

PROBE = """
import sys
import numpy as np
from nbnumba.kernels import jit

@jit.kernel
def double(values):
    return values * 2.0

print(double(np.ones(3))[0], sum(double.stats.cache_hits.values()), jit.CACHE_PROBLEM)
print(jit.compiling_line())
"""


class Planted:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo planted",)


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    """Return a program with a kernel that compiles in a second."""
    path = tmp_path / "probe.py"
    path.write_text(PROBE)
    return path


def run(probe: Path, cache: Path) -> list[str]:
    """Run the program; return the result, the hits of the cache and why there is none, and the notice."""
    environment = {**os.environ, "NBNUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, str(probe)], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def kept(cache: Path) -> list[Path]:
    """Return the files of compiled code."""
    return sorted(path for path in cache.rglob("*.nb[ic]"))


def test_the_folder_is_made_for_this_user_alone(probe: Path, tmp_path: Path) -> None:
    cache = tmp_path / "new" / "cache"
    old = os.umask(0)
    try:
        assert run(probe, cache)[0] == "2.0 0 "
    finally:
        os.umask(old)
    for folder in (cache.parent, cache, *cache.iterdir()):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert run(probe, cache)[0] == "2.0 1 "


def write_by_all(cache: Path) -> None:
    cache.chmod(0o777)


def write_by_a_group(cache: Path) -> None:
    os.chown(cache, -1, 12345)
    cache.chmod(0o770)


def owned_by_another(cache: Path) -> None:
    for path in (cache, *cache.rglob("*")):
        os.chown(path, 12345, 12345)


def parent_written_by_all(cache: Path) -> None:
    cache.parent.chmod(0o777)


@requires("superuser")
@pytest.mark.parametrize(
    ("open_up", "why"),
    [
        (write_by_all, "every user may write {cache}"),
        (write_by_a_group, "a group may write {cache}"),
        (owned_by_another, "belongs to another user"),
        (parent_written_by_all, "every user may write {cache.parent}"),
    ],
)
def test_a_folder_that_another_can_write_is_not_used(open_up: object, why: str, probe: Path, tmp_path: Path) -> None:
    """Index files that run a command, planted in a warm cache: the command does not run, and the user is told."""
    cache = tmp_path / "parent" / "cache"
    run(probe, cache)
    indices = [path for path in kept(cache) if path.suffix == ".nbi"]
    assert indices
    for path in indices:
        path.write_bytes(pickle.dumps(Planted()))
    open_up(cache)  # type: ignore[operator]
    result, notice = run(probe, cache)
    assert result.startswith("2.0 0 ")
    assert why.format(cache=cache) in result
    assert "every start" in notice
    assert "NBNUMBA_CACHE_DIR" in notice


@requires("superuser")
def test_a_link_leads_to_the_folder_that_is_checked(probe: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o777)
    cache.chmod(0o777)
    (tmp_path / "link").symlink_to(cache)
    assert "every user may write" in run(probe, tmp_path / "link")[0]


def test_a_sticky_folder_above_is_good() -> None:
    """As /tmp, where nobody can exchange what belongs to others."""
    assert Path("/tmp").stat().st_mode & 0o1002 == 0o1002
    folder = Path("/tmp") / f"nbnumba-test-{os.getpid()}"
    try:
        assert code_folder.prepare(folder) is None
        folder.chmod(0o1777)
        assert code_folder.prepare(folder) == f"every user may write {folder}"
    finally:
        folder.rmdir()


def test_a_place_that_cannot_be_written() -> None:
    assert code_folder.prepare(Path("/proc/none/cache")) is not None


@pytest.mark.slow
def test_damaged_files_are_compiled_anew(probe: Path, tmp_path: Path) -> None:
    """Bits flipped, files cut and bytes zeroed, in index and code: the same result, and no damaged file is called."""
    cache = tmp_path / "cache"
    run(probe, cache)
    good = {path: path.read_bytes() for path in kept(cache)}
    assert {path.suffix for path in good} == {".nbi", ".nbc"}
    generator = random.Random(5)
    for trial in range(8):
        path = list(good)[trial % len(good)]
        data = bytearray(good[path])
        at = generator.randrange(len(data))
        if trial < 4:
            data[at] ^= 1 << generator.randrange(8)
        elif trial < 6:
            del data[at:]
        else:
            data[at : at + 512] = bytes(len(data[at : at + 512]) or 1)
            data[at] ^= 1  # it may have been zero
        path.write_bytes(data)
        assert run(probe, cache)[0] == "2.0 0 ", (path.name, trial)
    assert run(probe, cache)[0] == "2.0 1 "


OTHER = """
import numba, os
before = numba.config.CACHE_DIR
from nbnumba.kernels import jit
from nbnumba.kernels.random import counter_driver
assert numba.config.CACHE_DIR == before == os.environ.get("NUMBA_CACHE_DIR", "")

@numba.njit(cache=True)
def twice(x):
    return 2 * x

print(twice(4), sum(twice.stats.cache_hits.values()))
print(twice.stats.cache_path)
"""


@pytest.mark.parametrize("named", [False, True])
def test_code_of_other_packages_stays_in_its_own_place(named: bool, tmp_path: Path) -> None:
    """A module with a cached function is imported after ours: its code is kept where Numba would keep it."""
    (tmp_path / "other.py").write_text(OTHER)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    environment = {**os.environ, "NBNUMBA_CACHE_DIR": str(ours), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    environment.pop("NUMBA_CACHE_DIR", None)
    if named:
        environment["NUMBA_CACHE_DIR"] = str(theirs)
    expected = theirs if named else tmp_path / "__pycache__"
    for hits in (0, 1):
        command = [sys.executable, "-c", "import other"]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        result, place = ran.stdout.splitlines()
        assert result == f"8 {hits}"
        assert Path(place).is_relative_to(expected)
    assert not kept(ours)
    assert kept(expected)


SAVING = """
import sys
from numba.core.caching import IndexDataCacheFile
from nbnumba.kernels.code_folder import Checked

class File(Checked, IndexDataCacheFile):
    pass

sys.stdin.readline()
for number in range(100):
    File(sys.argv[1], "code", "").save((sys.argv[2], number), f"of {sys.argv[2]} {number}")
"""


def test_processes_that_save_at_once_lose_and_mix_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-c", SAVING, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    savers = [subprocess.Popen([*words, name], stdin=subprocess.PIPE, env=environment) for name in "ab"]
    for saver in savers:
        assert saver.stdin is not None
        saver.stdin.close()  # both begin
    assert [saver.wait(60) for saver in savers] == [0, 0]
    kept = type("File", (code_folder.Checked, IndexDataCacheFile), {})(str(tmp_path), "code", "")
    for name in "ab":
        for number in range(100):
            assert kept.load((name, number)) == f"of {name} {number}"


def test_folders_of_other_versions_go_when_unused_for_a_month(probe: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    run(probe, cache)
    (ours,) = cache.iterdir()
    month, day = 31 * 86400.0, 2 * 86400.0

    def version(number: int, age: float) -> Path:
        folder = cache / f"{number:016x}"
        shutil.copytree(ours, folder)
        os.utime(folder, (time.time() - age,) * 2)
        return folder

    unused, in_use = version(1, month), version(2, day)
    strangers = [version(3, month), version(4, month)]
    (strangers[0] / "thesis.txt").write_text("not ours")
    strangers[1] = strangers[1].rename(cache / "keep")
    os.utime(strangers[0], (time.time() - month,) * 2)
    outside = tmp_path / "outside"
    shutil.copytree(ours, outside)
    link = cache / f"{5:016x}"
    link.symlink_to(outside)

    assert run(probe, cache)[0] == "2.0 1 "  # within a day of the last look around
    assert unused.exists()
    os.utime(ours, (time.time() - day,) * 2)
    assert run(probe, cache)[0] == "2.0 1 "
    assert not unused.exists()
    assert all(path.exists() for path in (ours, in_use, *strangers, link, outside))
    assert time.time() - ours.stat().st_mtime < 86400.0
    assert len(list(cache.iterdir())) == 5
