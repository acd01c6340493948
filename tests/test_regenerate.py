"""golden/regenerate.py: what changed is told, and nothing is overwritten unasked. Runs on a copy of golden/."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from goldens import GOLDEN
from requirements import ROOT, requires

pytestmark = pytest.mark.command_line

CASES = ("default_F_fills", "oversample_2_omega")  # without and with a picture of the corrected program


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of some golden cases with the script."""
    golden = tmp_path / "golden"
    shutil.copytree(GOLDEN / "inputs", golden / "inputs")
    for name in CASES:
        shutil.copytree(GOLDEN / "cases" / name, golden / "cases" / name)
    shutil.copyfile(GOLDEN / "regenerate.py", golden / "regenerate.py")
    (tmp_path / "tests" / "support").mkdir(parents=True)
    shutil.copyfile(ROOT / "tests" / "support" / "agreement.py", tmp_path / "tests" / "support" / "agreement.py")
    return golden


def program(folder: Path, *more: str) -> Path:
    """Return nbnumba with some more options as an executable; its picture is that of the C program."""
    path = folder / "program"
    lines = ["#!/bin/sh", f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m nbnumba "$@" {" ".join(more)}', ""]
    path.write_text("\n".join(lines))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def regenerate(golden: Path, executable: Path | str | None, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NANOBRAGG")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    if executable is not None:
        environment["NANOBRAGG_BIN"] = str(executable)
    command = [sys.executable, str(golden / "regenerate.py"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_pictures_lie_within_the_gate_and_nothing_is_written(copy: Path, tmp_path: Path) -> None:
    before = contents(copy)
    done = regenerate(copy, program(tmp_path))
    assert done.returncode in (0, 1), done.stderr
    assert "OUTSIDE THE GATE" not in done.stdout
    assert all(f"\n{name}:" in done.stdout for name in CASES)
    assert contents(copy) == before


def test_changes_are_reported_and_written_only_on_demand(copy: Path, tmp_path: Path) -> None:
    before = contents(copy)
    other = program(tmp_path, "-fluence", "1e20")
    done = regenerate(copy, other, CASES[1])
    assert done.returncode == 1
    assert "OUTSIDE THE GATE" in done.stdout
    assert "stdout.txt, line" in done.stdout
    assert contents(copy) == before

    done = regenerate(copy, other, CASES[1], "--overwrite")
    assert done.returncode == 1
    after = contents(copy)
    changed = {name for name in after if after[name] != before.get(name)}
    case = f"cases/{CASES[1]}"
    assert changed == {f"{case}/images.npz", f"{case}/stdout.txt", "provenance.json"}
    (note,) = json.loads(after["provenance.json"]).values()
    assert note["command"] == ["program", *(copy / case / "args.txt").read_text().split()]
    assert len(note["sha256"]) == 64
    assert note["date"][:2] == "20"
    with np.load(copy / case / "images.npz") as new, np.load(GOLDEN / case / "images.npz") as old:
        assert sorted(new.files) == sorted(old.files)
        np.testing.assert_array_equal(new["exact"], old["exact"])  # its program was not named
        assert new["float"].max() < old["float"].max()

    done = regenerate(copy, other, CASES[1])
    assert (done.returncode, "unchanged" in done.stdout) == (0, True)


def test_new_case_into_another_folder(copy: Path, tmp_path: Path) -> None:
    before = contents(copy)
    for name in ("images.npz", "stdout.txt"):
        (copy / "cases" / CASES[0] / name).unlink()
    done = regenerate(copy, program(tmp_path), CASES[0], "--into", str(tmp_path / "new"))
    assert done.returncode == 1
    assert f"{CASES[0]}:\n    new" in done.stdout
    made = contents(tmp_path / "new")
    assert made[f"cases/{CASES[0]}/args.txt"] == before[f"cases/{CASES[0]}/args.txt"]
    assert {"provenance.json", f"cases/{CASES[0]}/images.npz", f"cases/{CASES[0]}/stdout.txt"} < made.keys()
    again = regenerate(copy, program(tmp_path), CASES[0], "--into", str(tmp_path / "new"))
    assert (again.returncode, "not empty" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("executable", "words", "message"),
    [
        (None, [], "NANOBRAGG_BIN does not name"),
        ("/no/such/program", [], "/no/such/program: no such executable"),
        ("false", [CASES[0]], "status 1"),
        ("true", ["no_such_case"], "no such case: no_such_case"),
    ],
)
def test_mistakes(copy: Path, executable: str | None, words: list[str], message: str) -> None:
    done = regenerate(copy, executable, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@requires("nanoBragg executable")
def test_the_c_program_reproduces_its_goldens(copy: Path) -> None:
    done = regenerate(copy, os.environ["NANOBRAGG_BIN"])
    assert done.returncode in (0, 1), done.stderr  # another build may move last digits
    assert "OUTSIDE THE GATE" not in done.stdout
    assert "stdout.txt" not in done.stdout
