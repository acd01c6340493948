"""Temporary files: whose they are, and which of them nobody writes any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from requirements import ROOT

from nbnumba.io.temporary import Leftovers, remove_leftovers, temporary_beside, writing_for

OURS, OTHER = "a" * 64, "b" * 64

WRITER = """
import sys, time
from pathlib import Path
from nbnumba.io.temporary import temporary_beside, writing_for
with writing_for(sys.argv[2]):
    part = temporary_beside(Path(sys.argv[1]) / "out")
part.touch()
print(part, flush=True)
time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start a process that has a temporary file of a batch."""
    words = [sys.executable, "-c", WRITER, str(tmp_path), OURS]
    with subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=-1, text=True) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_only_files_of_dead_processes_go(tmp_path: Path, writer: tuple[subprocess.Popen[str], Path]) -> None:
    process, part = writer
    process.send_signal(signal.SIGSTOP)
    assert remove_leftovers(tmp_path, OURS) == Leftovers(0, ())
    assert part.exists()
    process.kill()
    assert remove_leftovers(tmp_path, OTHER) == Leftovers(0, ())
    # Nobody has waited for the dead process yet, so that its number is still taken.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert remove_leftovers(tmp_path, OURS) == Leftovers(1, ())
    assert not part.exists()


def test_a_number_that_a_later_process_has_got(tmp_path: Path) -> None:
    """The same number and another start: whoever wrote the file is dead."""
    with writing_for(OURS):
        part = temporary_beside(tmp_path / "out")
    number, start, rest = part.name.removeprefix(".nbnumba-").split("-", 2)
    earlier = tmp_path / f".nbnumba-{number}-{int(start) - 1}-{rest}"
    part.touch()
    earlier.touch()
    assert remove_leftovers(tmp_path, OURS) == Leftovers(1, ())
    assert part.exists()
    assert not earlier.exists()


def test_another_host_with_the_same_process_number(tmp_path: Path) -> None:
    with writing_for(OURS):
        part = temporary_beside(tmp_path / "out")
    fields = part.name.split("-")
    fields[2] = str(int(fields[2]) - 1)  # dead, if it were of this machine
    fields[4:6] = ["0123456789ab", "node7"]
    elsewhere = tmp_path / "-".join(fields)
    elsewhere.touch()
    assert remove_leftovers(tmp_path, OURS) == Leftovers(0, ("node7",))
    assert elsewhere.exists()


def test_files_that_belong_to_no_batch_stay(tmp_path: Path) -> None:
    part = temporary_beside(tmp_path / "out")
    fields = part.name.split("-")
    fields[2] = str(int(fields[2]) - 1)
    single = tmp_path / "-".join(fields)
    single.touch()
    (tmp_path / ".nbnumba-notes.part").touch()
    assert remove_leftovers(tmp_path, OURS) == Leftovers(0, ())
    assert single.exists()
    assert (tmp_path / ".nbnumba-notes.part").exists()
