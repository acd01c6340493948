"""Where compiled code is kept: a folder that nobody else can write, and files that prove to be unchanged.

Compiled code is loaded by unpickling, which runs whatever the file says, and is then called: who can write the folder
runs code as its user, and a damaged file crashes the program or changes images.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_DIGEST = 32  # bytes, at the end of each file


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
    """Say who else may write `folder`, or exchange what exists of the way to it for another; None: nobody."""
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

    A file without the right digest counts as absent, and is written anew.
    """

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


def _verify(path: Path) -> None:
    """Raise OSError where a file is not what was written."""
    data = path.read_bytes()
    if hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise OSError(f"{path} is damaged")


def keep_checked(cache) -> None:
    """Let a cache of Numba's, of functions for the processor or for CUDA, keep its files with digests."""
    kind = type("CheckedFile", (Checked, type(cache._cache_file)), {})
    implementation = cache._impl
    cache._cache_file = kind(
        cache_path=cache._cache_path,
        filename_base=implementation.filename_base,
        source_stamp=implementation.locator.get_source_stamp(),
    )
