"""The cluster that a batch starts itself: nobody else reaches it, and what fails at its start is one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from batch_processes import environment, eventually, started
from requirements import requires

pytestmark = [pytest.mark.command_line, pytest.mark.slow, requires("Dask")]

SPEC = """
command = "-cell 50 60 70 -default_F 200 -lambda 1.5 -distance 50 -pixel 1 -detpixels 16 -N 4"
count = 4
images_per_file = 1
[vary]
orientation = "random"
"""

STRANGER = """
import sys
from distributed import Client
for scheme in ("tcp", "tls"):
    try:
        Client(f"{scheme}://127.0.0.1:{sys.argv[1]}", timeout=5)
    except Exception as error:
        print(scheme, "refused", type(error).__name__)
    else:
        print(scheme, "let in")
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "s.toml"
    path.write_text(SPEC)
    return path


def ports(number: int) -> set[int]:
    """Return the ports of loopback on which a process listens."""
    sockets = {link.readlink().name for link in Path(f"/proc/{number}/fd").iterdir() if link.is_symlink()}
    found = set()
    for line in Path(f"/proc/{number}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
            found.add(int(fields[1].partition(":")[2], 16))
    return found


def test_a_stranger_is_not_let_in(spec: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "nbnumba", "batch", str(spec), "-o", str(tmp_path / "out")]
    with started([*words, "--engine", "dask", "--workers", "1"], tmp_path / "log") as program:
        number = program.process.pid
        assert eventually(lambda: ports(number), 120.0), program.printed
        tried = subprocess.run(
            [sys.executable, "-c", STRANGER, str(min(ports(number)))],
            env=environment(""),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert program.wait(240.0) == 0, program.printed
        assert program.printed.count("\n") <= 2, program.printed
    assert tried.stdout.count("refused") == 2, tried.stdout + tried.stderr


def test_a_worker_that_dies_at_its_start_is_one_line(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("raise SystemExit('no such thing')\n")
    words = [sys.executable, "-m", "nbnumba", "batch", str(spec), "-o", str(tmp_path / "out")]
    ran = subprocess.run(
        [*words, "--engine", "dask", "--workers", "1"],
        env={**environment(""), "DASK_DISTRIBUTED__WORKER__PRELOAD": str(tmp_path / "bad.py")},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 5, ran.stderr
    (line,) = ran.stderr.splitlines()
    assert line.startswith("nbnumba: error: --engine dask: ")
