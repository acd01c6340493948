"""The commands of the pages run, with smaller images."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from reflection_files import CELLS, unique_reflections, values_of, write_mtz
from small_model import pdb_text
from test_docs import ROOT, copy_inputs, written_pages

import nbnumba
from nbnumba import cli
from nbnumba.refine.report import write_expt

_NOT_RUN = re.compile(r"^<!-- not run by the tests: (.+) -->$")
_LANGUAGES = ("", "bash", "sh")
# What a block may need that the tests do not have.
_NEEDS = {"the network", "SLURM", "a GPU", "a nanoBragg executable", "DIALS", "an hour", "a page until Ctrl-C"}
_ELSEWHERE = "-lambda 1 -distance 100 -detpixels 32 -N 5 -shape gauss_abc -fluence 1e20 -oversample 1"
# Smaller in every way that does not change what the options mean.
_SMALLER = (
    (r"-detpixels \d+", "-detpixels 64"),
    (r"-mosaic_domains \d+", "-mosaic_domains 2"),
    (r"-phisteps \d+", "-phisteps 2"),
    (r"-anomalous_bins \d+", "-anomalous_bins 2"),
    (r"-oversample \d+", "-oversample 1"),
    (r"-detector \w+", "-detector cspad -roi 800 830 800 830"),
    (r" \.\.\. ", f" {_ELSEWHERE} "),
    (r"nbnumba refine", "nbnumba refine -evaluations 3"),
)


def blocks(page: Path) -> list[tuple[str | None, str]]:
    """Return the shell blocks of a page: what each needs that the tests do not have, and its text."""
    found: list[tuple[str | None, str]] = []
    language, lines, before = None, [], ""
    for line in page.read_text().splitlines():
        if not line.startswith("```"):
            (lines if language is not None else []).append(line)
            before = line if language is None else before
        elif language is None:
            language, lines = line[3:], []
        else:
            if language in _LANGUAGES:
                needs = _NOT_RUN.match(before)
                found.append((needs and needs[1], "\n".join(lines)))
            language, before = None, ""
    return found


def commands(text: str) -> list[list[str]]:
    """Return the words of every command of a block."""
    whole = re.sub(r"\\\n\s*", " ", text)
    for pattern, smaller in _SMALLER:
        whole = re.sub(pattern, smaller, whole)
    return [words for line in whole.splitlines() if (words := shlex.split(line, comments=True))]


def make_inputs(folder: Path) -> None:
    """Write the files that the pages name."""
    copy_inputs(folder)
    group = "P 43 21 2"
    rows = unique_reflections(group)
    write_mtz(folder / "scaled.mtz", group, rows, [("F", "F", values_of(rows))])
    crystal = nbnumba.Experiment(cell=CELLS[group], default_F=1, distance_mm=100, pixel_mm=1, detpixels=64, N=20)
    for name in ("indexed.expt", "start.expt", "starts.expt"):
        write_expt(crystal, "shot_0001.h5", str(folder / name))
    start = crystal.replace(fluence=1e24, oversample=1, shape="gauss_abc", spread="continuous", mosaic_spread_deg=0.1)
    start = start.replace(hkl=str(folder / "P1.hkl"), default_F=None)
    nbnumba.simulate(start).save(folder / "shot.h5")
    assert start.command[:2] == ("-semantics", "exact")  # as batches are without a word
    batch = [
        "command = " + json.dumps(shlex.join(start.command[2:])),
        "count = 2",
        'dtype = "float32"',
        "noise = false",
        "images_per_file = 2",
    ]
    (folder / "shots.toml").write_text("\n".join([*batch, "[vary]", "fluence = { uniform = [1e24, 2e24] }"]))
    assert cli.main(["batch", str(folder / "shots.toml"), "-o", str(folder / "shots")]) == 0
    (images,) = (folder / "shots").glob("shots_*.h5")
    shutil.move(images, folder / "shots.h5")
    shutil.copy(folder / "P1.hkl", folder / "F.hkl")
    (folder / "model.pdb").write_text(pdb_text())
    for name in ("one", "two"):
        (folder / f"{name}.toml").write_text('matrix = "A.mat"\nmisset_deg = [0, 0, 5]\ncrystal_share = 0.4\n')
    spec = re.search(r"^```toml\n(command = .*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert spec is not None
    (folder / "SPEC.toml").write_text(re.sub(r"count = \d+", "count = 2", spec[1]).replace("256", "32"))
    np.zeros((64, 64), np.float32).tofile(folder / "float.bin")
    nbnumba.simulate(start).save(folder / "int_0001.img")


def with_commands() -> list[Path]:
    return [page for page in written_pages() if any(needs is None for needs, _ in blocks(page))]


@pytest.mark.command_line
@pytest.mark.parametrize("page", with_commands(), ids=lambda page: page.name)
def test_commands(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    for needs, text in blocks(page):
        if needs is None:
            for program, *words in commands(text):
                assert program == "nbnumba", f"{page}: {program} is run by no test; say so above its block"
                before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
                # A fit may run out of evaluations on so small an image.
                assert cli.main(words) in ((0, 1) if words[0] == "refine" else (0,)), capsys.readouterr().err
                assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} != before


def test_what_is_not_run_says_why() -> None:
    needed = {needs for page in written_pages() for needs, _ in blocks(page)} - {None}
    assert needed == _NEEDS


def test_the_first_pages_are_among_them() -> None:
    assert {"README.md", "nanobragg.md", "processing.md", "training.md"} <= {page.name for page in with_commands()}
