"""Names that are no text, a plain C locale, and kernels that are not compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from goldens import INPUTS
from requirements import ROOT

OPTIONS = b"-quiet -default_F 100 -N 3 -lambda 1 -distance 100 -pixel 1 -detpixels 8 -seed 3 -nopgm -nodump".split()
CELL = b"-cell 50 60 70".split()


def run(words: list[bytes], folder: Path, **environment: str) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [os.fsencode(sys.executable), b"-m", b"nbnumba", *words]
    found = subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        (b"caf\xe9", {}),
        ("caf\u00e9".encode(), {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}),
    ],
)
def test_any_bytes_make_a_name(name: bytes, environment: dict[str, str], tmp_path: Path) -> None:
    matrix = name + b".mat"
    (tmp_path / os.fsdecode(matrix)).write_bytes((INPUTS / "bigcell.mat").read_bytes())
    outputs = {
        b"-floatfile": b".bin",
        b"-intfile": b"_001.img",
        b"-noisefile": b"_n_001.img",
        b"-cbffile": b".cbf",
        b"-h5file": b".h5",
        b"-pngfile": b".png",
    }
    names = [word for option, ending in outputs.items() for word in (option, name + ending)]
    run([*OPTIONS, b"-mat", matrix, b"-smv_header", b"dials", *names], tmp_path, **environment)
    found = {os.fsencode(path.name) for path in tmp_path.iterdir()}
    assert found >= {name + ending for ending in outputs.values()}


def test_a_plain_locale_has_another_letter_for_angstrom(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    for word, shown in (("-help", "wavelength [A] (default 1)"), ("-lambda", "greater than 0 [A]")):
        done = subprocess.run(
            [sys.executable, "-m", "nbnumba", word], cwd=tmp_path, env=environ, capture_output=True, check=False
        )
        assert shown.encode() in done.stdout + done.stderr
        assert b"Traceback" not in done.stderr


def test_kernels_run_without_being_compiled(tmp_path: Path) -> None:
    """The same image, to the last bit, and the noise drawn from it."""
    shared = [*OPTIONS, *CELL, b"-noisefile", b"n.img", b"-intfile", b"i.img", b"-trace_pixel", b"3", b"3"]
    run([*shared, b"-floatfile", b"f.bin"], tmp_path)
    compiled = [(tmp_path / name).read_bytes() for name in ("f.bin", "i.img", "n.img")]
    run([*shared, b"-floatfile", b"f.bin"], tmp_path, NUMBA_DISABLE_JIT="1")
    assert [(tmp_path / name).read_bytes() for name in ("f.bin", "i.img", "n.img")] == compiled
