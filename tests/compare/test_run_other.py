"""Running another program and ours on one command line, without touching the user's files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from golden_runs import run
from goldens import copy_inputs, load
from other_programs import SMALL, nbnumba, program
from requirements import requires

from nbnumba.compare.run_other import prepare_words
from nbnumba.errors import InputError


def test_input_files_become_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    copy_inputs(tmp_path)
    words = [
        "-mat",
        "lyso.mat",
        "-hkl",
        "./lyso.hkl",
        "-sourcefile",
        "/data/s.txt",
        "-lambda",
        "1",
        "-mask",
        "mask.img",
    ]
    assert prepare_words(words) == [
        *("-mat", str(tmp_path / "lyso.mat")),
        *("-hkl", str(tmp_path / "lyso.hkl")),
        *("-sourcefile", "/data/s.txt"),
        *("-lambda", "1"),
        *("-mask", str(tmp_path / "mask.img")),
    ]


def test_output_files_stay_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["-hkl", "a.hkl", "-floatfile", "/data/f.bin", "-intfile", "../i.img", "-dump", "/data/Fdump.bin"]
    words += ["-tracefile", "../trace.json"]
    prepared = prepare_words([*words, "-floatimage", "later.bin", "-pgmfile", "f.bin", "-stolout", "/data/s"])
    values = dict(zip(prepared[::2], prepared[1::2], strict=True))
    written = [values[key] for key in ("-floatfile", "-intfile", "-dump", "-tracefile", "-pgmfile", "-stolout")]
    assert all(Path(name).name == name for name in written)
    assert len(set(written)) == len(written)
    assert values["-floatimage"] == values["-floatfile"]  # the same option: the last one counts, as before


def test_dump_is_read_where_there_are_no_reflections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepare_words(["-cell", "50"]) == ["-cell", "50"]
    (tmp_path / "Fdump.bin").write_text("")
    dump = str(tmp_path / "Fdump.bin")
    assert prepare_words(["-cell", "50"]) == ["-cell", "50", "-dump", dump]
    assert prepare_words(["-dump", "Fdump.bin"]) == ["-dump", dump]
    assert prepare_words(["-hkl", "a.hkl"]) == ["-hkl", str(tmp_path / "a.hkl")]


def test_words_that_belong_to_no_option_stay_where_they_are() -> None:
    assert prepare_words(["-nopolar", "1", "-N", "3"]) == ["-nopolar", "1", "-N", "3"]
    with pytest.raises(InputError, match="-no_such"):
        prepare_words(["-no_such", "1"])


@pytest.mark.command_line
def test_two_programs_that_agree(tmp_path: Path) -> None:
    other = nbnumba(tmp_path / "other")
    status, text, notices = run(["compare", "--with", other, "-out", "results", "--", *SMALL], tmp_path)
    assert (status, notices) == (0, "")
    assert "24 x 16" in text
    assert "equal pixels         100 %" in text
    assert f"time: {other} " in text
    runs = json.loads((tmp_path / "results/metrics.json").read_text())["runs"]
    assert [found["program"] for found in runs] == [other, "nbnumba"]
    assert all(found["seconds"] > 0.0 for found in runs)
    assert other in (tmp_path / "results/compare.html").read_text()


@pytest.mark.command_line
def test_two_programs_that_differ(tmp_path: Path) -> None:
    other = nbnumba(tmp_path / "other", "-fluence", "1e20")
    assert run(["compare", "--with", other, "--", *SMALL], tmp_path)[0] == 1


@pytest.mark.command_line
def test_files_of_the_user_stay_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    copy_inputs(folder)
    for name in ("Fdump.bin", "floatimage.bin", "image.pgm"):
        (folder / name).write_text("mine")
    outside = tmp_path / "outside.bin"
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    words = ["-mat", "lyso.mat", "-hkl", "lyso.hkl", "-N", "3", "-detpixels", "16", "-pixel", "5", "-nonoise"]
    words += ["-intfile", os.fspath(outside)]
    status, _, notices = run(["compare", "--with", nbnumba(tmp_path / "other"), "--", *words], folder)
    assert (status, notices) == (0, "")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    assert not outside.exists()


@pytest.mark.command_line
def test_failure_of_a_program_is_reported_with_its_last_lines(tmp_path: Path) -> None:
    other = program(tmp_path / "other", "seq 1 50", "echo no such thing >&2", "exit 7")
    status, text, notices = run(["compare", "--with", other, "--", *SMALL], tmp_path)
    assert (status, text) == (2, "")
    lines = notices.splitlines()
    assert lines[-2] == f"{other}: no such thing"
    assert lines[0] == f"{other}: 42"
    assert f"{other} ended with status 7" in lines[-1]


@pytest.mark.command_line
def test_failure_of_both_programs(tmp_path: Path) -> None:
    other = program(tmp_path / "other", "kill -9 $$")
    status, _, notices = run(["compare", "--with", other, "--", "-mat", "missing.mat", "-default_F", "1"], tmp_path)
    assert status == 2
    assert "signal 9 and nbnumba ended with status 3" in notices
    assert "nbnumba: nbnumba: error: -mat" in notices


@pytest.mark.command_line
def test_program_without_an_image(tmp_path: Path) -> None:
    status, _, notices = run(["compare", "--with", program(tmp_path / "other", "exit 0"), "--", *SMALL], tmp_path)
    assert status == 2
    assert "wrote no float image" in notices


@requires("nanoBragg executable")
@pytest.mark.command_line
@pytest.mark.differential
@pytest.mark.parametrize("name", ["still_triclinic_misset", "phi_steps_only"])
def test_the_c_program_against_ours(tmp_path: Path, name: str) -> None:
    copy_inputs(tmp_path)
    golden = load(name)
    words = ["compare", "--with", os.environ["NANOBRAGG_BIN"], "-out", "results", "--", *golden.words]
    status, text, _ = run(words, tmp_path)
    assert status == 0, text
    found = json.loads((tmp_path / "results/metrics.json").read_text())
    assert found["a"]["shape"] == list(golden.float_image.shape)
    assert found["sum_a"] == pytest.approx(np.sum(golden.float_image, dtype=np.float64), rel=1e-7)  # another compiler
