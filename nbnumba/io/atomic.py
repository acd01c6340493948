"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from numpy.typing import NDArray

from ..errors import FileError, InputError
from .temporary import current_batch, temporary_beside

PathLike = str | os.PathLike[str]

# The name is taken, or the file system has no hard links.
_NO_LINKS = {errno.EEXIST, errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
_WRITE_BLOCK = 1 << 24  # bytes per call, so that Ctrl-C takes effect on a slow disk


@contextlib.contextmanager
def whole_file(path: PathLike, *, seekable: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name when the block ends without an exception.

    Parameters
    ----------
    path : str or path
        What to write. A symbolic link is followed to its target. A pipe or a device is written directly.
    seekable : bool
        The format jumps to and fro in its file and reads it: pipes and devices are refused.

    Yields
    ------
    binary file
        A file beside `path` under a temporary name, for writing and reading. On any exception it is removed and
        whatever stood under `path` stays as it was. The block should do nothing but write: an OSError in it is taken
        for a failure to write `path`. The block may leave the file open only.

    Raises
    ------
    FileError
        The folder or the file cannot be written, the disk is full, or another process removed the temporary file or put
        another one in its place.
    InputError
        The name is empty or holds a null character.

    Notes
    -----
    Files of a batch (`nbnumba.io.temporary.writing_for`) have their names on the disk too when the block ends, and do
    not replace a file of the same batch that is whole: the new one is dropped.
    """
    name = _checked_name("", path)
    with _failures_named(name):
        if _is_written_directly(name):
            if seekable:
                raise OSError(None, "it is a pipe or a device; this format needs a file")
            with Path(name).open("wb") as file:
                yield file
            return
        target = _resolved(name)
        _refuse_unwritable(target)
        temporary = temporary_beside(target)
        try:
            with _create(temporary, target) as file:
                yield file
                _finish(file, temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def _finish(file: BinaryIO, temporary: Path, target: Path) -> None:
    """Put the file that was written, and no other, under its name."""
    file.flush()
    os.fsync(file.fileno())  # else a machine that dies can leave the name with a part of the content
    _check_identity(file, temporary)
    batch = current_batch()
    if batch is None:
        temporary.replace(target)
        return
    if not _linked(temporary, target) and not (target.exists() and batch.finished(target)):
        temporary.replace(target)
    temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _check_identity(file: BinaryIO, temporary: Path) -> None:
    """Raise where the temporary name is gone or belongs to another file by now."""
    try:
        same = os.path.samestat(os.fstat(file.fileno()), temporary.lstat())
    except FileNotFoundError:
        same = False
    if not same:
        raise OSError(None, f"its temporary file {temporary.name} was removed or replaced before it was finished")


def _linked(temporary: Path, target: Path) -> bool:
    """Give a file a second name if that is free; return False where it is not, or the file system knows no links."""
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


def _sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _failures_named(name: str) -> Iterator[None]:
    """Say which file it is that an OSError in the block kept from being written."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{name}: cannot be written: {reason(error)}") from error


def write_array(file: IO[bytes], array: NDArray[Any]) -> None:
    """Write the items of an array in C order, in blocks, without copying a contiguous one."""
    flat = array.reshape(-1)
    step = max(1, _WRITE_BLOCK // flat.itemsize)
    for start in range(0, flat.size, step):
        file.write(flat[start : start + step].data)


def check_can_write(option: str, path: PathLike) -> None:
    """Find out before a long computation whether a file could be written at its end.

    A file is created and removed beside the target: permission bits alone tell neither about
    read-only disks nor about the superuser.

    Parameters
    ----------
    option : str
        The option that named the file, for messages, e.g. ``-floatfile``.
    path : str or path
        The file to be written later.

    Raises
    ------
    FileError
        The folder is missing, is no folder or cannot be written; or the file is a folder or write-protected.
    InputError
        The name is empty or holds a null character.
    """
    name = _checked_name(option, path)
    label = f"{option} {name}".strip()
    try:
        if _is_written_directly(name):
            if not os.access(name, os.W_OK):
                raise PermissionError(None, "permission denied")
            return
        target = _resolved(name)
        _refuse_unwritable(target)
        probe = temporary_beside(target)
        try:
            probe.touch(exist_ok=False)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{label}: cannot be written: {reason(error)}") from error


def check_distinct(outputs: Iterable[tuple[str, PathLike]], inputs: Iterable[tuple[str, PathLike]] = ()) -> None:
    """Refuse outputs of one command that name the same file, or a file that the command reads.

    Parameters
    ----------
    outputs, inputs : iterable of (option, path)
        Every file the command will write and read. Pipes and devices may be named more than once.

    Raises
    ------
    InputError
        The paths of two outputs, or of an output and an input, lead to one file, by spelling or by symbolic links.
    """
    # C differs: there the file written last silently replaces the other.
    seen = {target: f"{option} reads" for option, path in inputs if (target := _file_on_disk(option, path))}
    for option, path in outputs:
        target = _file_on_disk(option, path)
        if target is None:
            continue
        if target in seen:
            name = os.fspath(path)
            raise InputError(f"{option} {name}: {seen[target]} the same file; give each output its own name")
        seen[target] = f"{option} writes"


def _file_on_disk(option: str, path: PathLike) -> Path | None:
    """Return what a name leads to; None for a pipe or a device, and where the way there fails."""
    name = _checked_name(option, path)
    try:
        return None if _is_written_directly(name) else _resolved(name)
    except OSError:  # cannot be opened either, which is said when that is tried
        return None


def reason(error: OSError) -> str:
    """Return why an operation on a file failed, in words fit for the middle of a line."""
    if error.errno is None or error.strerror is None:
        return str(error.strerror or error)  # ours, or a library's: it may hold a path
    return error.strerror.lower()


def _checked_name(option: str, path: PathLike) -> str:
    name = os.fspath(path)
    if not name:
        raise InputError(f"{option}: the file name is empty; give the name of a file".removeprefix(": "))
    if "\0" in name:
        raise InputError(f"{option}: the file name {name!r} holds a null character".removeprefix(": "))
    return name


def _resolved(name: str) -> Path:
    if name.endswith(("/", "/.")):  # pathlib takes both for the name without its end
        raise IsADirectoryError(None, "it is a folder")
    try:
        return Path(name).resolve()
    except RuntimeError as error:  # what pathlib before Python 3.13 makes of a ring of links
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error


def check_is_on_disk(option: str, path: PathLike) -> None:
    """Refuse a pipe or a device for a file that is not written from its beginning to its end.

    Raises
    ------
    FileError
    """
    name = _checked_name(option, path)
    with _failures_named(f"{option} {name}"):
        if _is_written_directly(name):
            raise OSError(None, "it is a pipe or a device; this format needs a file")


def _is_written_directly(name: str) -> bool:
    """Whether a name stands for a pipe, a device or an open descriptor rather than for a file on disk."""
    path = Path(name)
    # /dev/stdout may lead to a regular file that the shell holds open: replacing that file would lose the output.
    for _ in range(40):
        if str(path.absolute()).startswith(("/proc/", "/dev/fd/")):
            return True
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _refuse_unwritable(target: Path) -> None:
    """Raise for a target that a rename would either fail on or replace against its owner's will."""
    if target.is_dir():
        raise IsADirectoryError(None, "it is a folder")
    if not target.parent.exists():
        raise FileNotFoundError(None, f"there is no folder {target.parent}")
    if not target.parent.is_dir():
        raise NotADirectoryError(None, f"{target.parent} is not a folder")
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(None, "permission denied")


def _create(temporary: Path, target: Path) -> BinaryIO:
    """Open a new file with the mode of an existing target, else with the mode the umask leaves."""
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    file = os.fdopen(descriptor, "w+b")
    with contextlib.suppress(OSError):  # no target yet, or a file system without modes
        os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
    return file
