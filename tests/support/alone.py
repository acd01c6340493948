"""Tests that run alone, however many processes share a run: each test takes a lock, alone or with others."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

# Any files do that all processes see; nothing is written.
_DOOR, _ROOM = Path(__file__), Path(__file__).parents[1] / "conftest.py"


@contextlib.contextmanager
def turn(alone: bool) -> Iterator[None]:
    """Wait until no test that must be alone is under way, or, for such a test, until none at all is."""
    with _DOOR.open() as door, _ROOM.open() as room:
        # Locks of files are not fair: who waits for the room alone keeps the door shut meanwhile.
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
