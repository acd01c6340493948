"""Temporary names of files that are being written, and which of them no process writes any more.

A name holds the process (its number and when it started), the batch and the machine, so that what a dead process of
a batch has left behind is distinguished from what another one, perhaps on another machine, is still writing.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
import socket
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

NO_BATCH = "single"
_NAME = re.compile(r"\.nbnumba-(\d+)-(\d+)-([^-]+)-([^-]+)-([^-]*)-[0-9a-f]+\.part")
_KEY_LENGTH = 12  # of the letters that stand for a batch or a machine


@dataclass(frozen=True)
class Batch:
    """The batch for which files are written.

    Attributes
    ----------
    key : str
        Stands for it in temporary names.
    finished : callable
        Tells whether a path holds a file of this batch that is whole; such a file is never replaced.
    """

    key: str
    finished: Callable[[Path], bool]


_batch: ContextVar[Batch | None] = ContextVar("batch", default=None)


def batch_key(fingerprint: str) -> str:
    """Return what stands for a batch in temporary names."""
    return fingerprint[:_KEY_LENGTH]


@contextlib.contextmanager
def writing_for(fingerprint: str, finished: Callable[[Path], bool] = lambda path: False) -> Iterator[None]:
    """Let the files that are written in the block belong to a batch.

    They are on the disk, their names too, when their block ends, and replace no file that is `finished`.

    Parameters
    ----------
    fingerprint : str
        Stands for the batch.
    finished : callable, optional
        See `Batch`.
    """
    token = _batch.set(Batch(batch_key(fingerprint), finished))
    try:
        yield
    finally:
        _batch.reset(token)


def current_batch() -> Batch | None:
    """Return the batch for which files are written now."""
    return _batch.get()


def temporary_beside(target: Path) -> Path:
    """Return a new name in the folder of a file.

    It is not derived from the name of the file, which may already be as long as the file system allows.
    """
    batch = _batch.get()
    process = os.getpid()
    parts = (process, _started(process) or 0, batch.key if batch else NO_BATCH, *_machine(), secrets.token_hex(6))
    return target.parent / f".nbnumba-{'-'.join(map(str, parts))}.part"


class Leftovers(NamedTuple):
    """What became of the temporary files of a batch in a folder."""

    removed: int
    elsewhere: tuple[str, ...]  # names of the other machines whose files stay, as their writers are not known


def remove_leftovers(folder: Path, fingerprint: str) -> Leftovers:
    """Remove the temporary files of a batch whose processes, on this machine, have ended.

    Files of other batches, of single images and of living processes stay, and those of other machines.
    """
    removed, elsewhere = 0, set()
    for path in folder.glob(".nbnumba-*.part"):
        found = _NAME.fullmatch(path.name)
        if found is None or found[3] != batch_key(fingerprint) or not path.is_file():
            continue
        if found[4] != _machine()[0]:
            elsewhere.add(found[5] or "another machine")
        elif not _lives(int(found[1]), int(found[2])):
            path.unlink(missing_ok=True)
            removed += 1
    return Leftovers(removed, tuple(sorted(elsewhere)))


@functools.cache
def _machine() -> tuple[str, str]:
    """Return a key for this machine as its processes are numbered, and its name, fit for a file name.

    Two machines, or two containers, may have the same name.
    """
    name = socket.gethostname()
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape"))
    with contextlib.suppress(OSError):
        digest.update(Path("/proc/sys/kernel/random/boot_id").read_bytes())
    with contextlib.suppress(OSError):
        digest.update(os.fsencode(Path("/proc/self/ns/pid").readlink()))  # processes have numbers of their own in it
    return digest.hexdigest()[:_KEY_LENGTH], re.sub(r"[^A-Za-z0-9.]", "_", name)[:40]


def _started(process: int) -> int | None:
    """Return when a process started, in ticks; None where that cannot be found out, or it has ended."""
    try:
        # The name of the program stands in parentheses and may hold anything.
        fields = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None


def _lives(process: int, started: int) -> bool:
    """Tell whether a process of this machine is there; another one may have got its number since."""
    if started:
        return _started(process) == started
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user, for example
        return True
    return True
