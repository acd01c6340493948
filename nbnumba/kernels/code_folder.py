"""Where compiled code is kept: a folder that no other user can write, and files that are checked to be unchanged.

Compiled code is loaded by unpickling, which runs whatever the file says, and is then called: who can write the folder
runs code as its user, and a damaged file crashes the program or changes images.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_DIGEST = 32  # bytes, at the end of each file
_DAY = 24 * 3600.0  # s
_UNUSED = 30 * _DAY
_DOOMED = ".removed-"
_OURS = re.compile(rf"[0-9a-f]{{16}}({re.escape(_DOOMED)}[0-9]+)?")  # folders: one for each hash of the sources
_FILE = re.compile(r"\.(nbi|nbc|lcs)(\.tmp\.[0-9a-f]+)?$")


def prepare(folder: Path) -> str | None:
    """Make a folder for compiled code where it is missing; return None where it can be used, else why not.

    Parameters
    ----------
    folder : Path
        Without symbolic links.
    """
    try:
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        problem = _not_ours_alone(existing, folder)
        if problem is not None:
            return problem
        for part in reversed([folder, *folder.parents][: len(folder.parts) - len(existing.parts)]):
            with contextlib.suppress(FileExistsError):  # another process was faster
                part.mkdir(mode=0o700)
        problem = _not_ours_alone(folder, folder)
        if problem is not None:
            return problem
        return None if os.access(folder, os.W_OK | os.X_OK) else "it cannot be written"
    except OSError as error:
        return (error.strerror or str(error)).lower()


def _not_ours_alone(existing: Path, folder: Path) -> str | None:
    """Return who else may write `folder` or replace a folder above it; None for no one."""
    if not hasattr(os, "geteuid"):  # Windows, where the user's profile is closed to others
        return None
    for part in (existing, *existing.parents):
        state = part.stat()
        if state.st_uid not in (0, os.geteuid()):
            return f"{part} belongs to another user"
        # In a folder with the sticky bit, such as /tmp, nobody can exchange what belongs to others.
        sticky = part != folder and state.st_mode & stat.S_ISVTX
        if state.st_mode & stat.S_IWOTH and not sticky:
            return f"every user may write {part}"
        if state.st_mode & stat.S_IWGRP and not sticky and not _is_own_group(state.st_gid):
            return f"a group may write {part}"
    return None


def _is_own_group(number: int) -> bool:
    """Tell whether a group is the one that many systems give each user, with no other members."""
    import grp
    import pwd

    if number == 0:
        return True
    try:
        group = grp.getgrgid(number)
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False
    return group.gr_name == user and set(group.gr_mem) <= {user}


class Checked:
    """Beside Numba's class of the files of a function's compiled code: each ends with a digest of what is before it.

    A file without the right digest counts as absent, and is written anew. Of several processes that compile at once,
    one saves at a time: the index tells which file has the code for which types, and would otherwise lose entries, or
    name the code for other types.
    """

    def save(self, key, data):
        with _alone(self._cache_path):
            super().save(key, data)

    def _load_index(self):
        try:
            _verify(Path(self._index_path))
        except OSError:
            return {}
        return super()._load_index()

    def _load_data(self, name):
        _verify(Path(self._data_path(name)))
        return super()._load_data(name)

    @contextlib.contextmanager
    def _open_for_write(self, filepath) -> Iterator[io.BytesIO]:
        content = io.BytesIO()
        yield content
        data = content.getvalue()
        with super()._open_for_write(filepath) as file:
            file.write(data + hashlib.sha256(data).digest())


@contextlib.contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Hold a folder against the other processes, where its file system has locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _verify(path: Path) -> None:
    """Raise OSError where a file is not what was written."""
    data = path.read_bytes()
    if hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise OSError(f"{path} is damaged")


class _Locator:
    """What Numba asks about the place of a function's compiled code."""

    def __init__(self, folder: Path, function) -> None:
        self._py_file = inspect.getfile(function)  # where Numba's warnings point to
        self._line = function.__code__.co_firstlineno
        module = Path(self._py_file)
        self._path = folder / f"{module.parent.name}_{hashlib.sha256(os.fsencode(module.parent)).hexdigest()[:16]}"

    def ensure_cache_path(self) -> None:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        return str(self._path)

    def get_source_stamp(self) -> str:
        return ""  # the folder is named by a hash of the sources

    def get_disambiguator(self) -> str:
        return str(self._line)


def kept_in(folder: Path, kind):
    """Return one of Numba's classes of caches, for functions of the processor or of CUDA, with its files in a folder.

    Numba's own way to name a folder is a setting that would move the compiled code of every other package, too.
    """

    class Implementation(kind._impl_class):
        def __init__(self, function) -> None:
            self._lineno = function.__code__.co_firstlineno
            self._locator = _Locator(folder, function)
            name = f"{Path(inspect.getfile(function)).stem}.{function.__qualname__}"
            self._filename_base = self.get_filename_base(name, getattr(sys, "abiflags", ""))

    class Kept(kind):
        _impl_class = Implementation

        def __init__(self, function) -> None:
            super().__init__(function)
            file = type("CheckedFile", (Checked, type(self._cache_file)), {})
            self._cache_file = file(
                cache_path=self._cache_path,
                filename_base=self._impl.filename_base,
                source_stamp=self._impl.locator.get_source_stamp(),
            )

    return Kept


def tidy(folder: Path) -> None:
    """Note that a folder of compiled code is in use, and once a day remove its neighbors that long have not been.

    Other versions of the program, used beside this one, note the same of theirs.
    """
    with contextlib.suppress(OSError):  # another process does the same, or the disk is full
        age = time.time() - folder.stat().st_mtime
        fresh = not any(folder.iterdir())
        if age < _DAY and not fresh:
            return
        os.utime(folder)
        for other in folder.parent.iterdir():
            if other != folder and _is_left(other):
                doomed = other.with_name(f"{other.name[:16]}{_DOOMED}{os.getpid()}")
                other.rename(doomed)  # at once: who still loads from it finds nothing, and compiles
                shutil.rmtree(doomed, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Tell whether a folder holds compiled code of ours, and nothing else, that has not been used for a month."""
    if not _OURS.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
        return False
    state = folder.stat()
    if hasattr(os, "geteuid") and state.st_uid != os.geteuid():
        return False
    if time.time() - state.st_mtime < _UNUSED:
        return False
    return all(_FILE.search(name) for _, _, names in os.walk(folder) for name in names)
