"""Which files a command line reads and writes, and that none of them is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from goldens import copy_inputs

from nbnumba import cli

pytestmark = pytest.mark.command_line

RENDER = "-mat lyso.mat -hkl lyso.hkl -detpixels 20 -N 5 -nonoise -quiet"


@pytest.fixture(autouse=True)
def _in_a_folder_of_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)


def contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir()}


def refused(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command line that must be refused without touching a file; return its error."""
    before = contents()
    assert cli.main(line.split()) == 2
    assert contents() == before
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-floatfile lyso.mat", "-floatfile lyso.mat: -mat reads the same file"),
        ("-intfile ./lyso.hkl", "-intfile ./lyso.hkl: -hkl reads the same file"),
        ("-pgmfile s.txt -sourcefile s.txt", "-pgmfile s.txt: -sourcefile reads the same file"),
        ("-noisefile mask.img -mask mask.img", "-noisefile mask.img: -mask reads the same file"),
        ("-intfile t.stol -background t.stol:0.1", "-intfile t.stol: -background reads the same file"),
        ("-intfile header.img -img header.img", "-intfile header.img: -img reads the same file"),
        ("-tracefile lyso.mat -trace_pixel 1 1", "-tracefile lyso.mat: -mat reads the same file"),
        ("-dump lyso.hkl", "-dump lyso.hkl: -hkl reads the same file"),
        ("-floatfile Fdump.bin", "-dump Fdump.bin: -floatfile writes the same file"),
        ("-floatfile same -intfile same", "-intfile same: -floatfile writes the same file"),
    ],
)
def test_no_output_replaces_another_file_of_the_run(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(f"{RENDER} {words}", capsys).startswith(f"nbnumba: error: {message}")


def test_a_dump_that_is_read_is_an_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*RENDER.split(), "-dump", "D.bin"]) == 0
    line = "-mat lyso.mat -detpixels 20 -N 5 -dump D.bin -floatfile D.bin"
    assert refused(line, capsys).startswith("nbnumba: error: -floatfile D.bin: -dump reads the same file")


def test_a_dump_that_is_neither_read_nor_written_is_no_file_of_the_run() -> None:
    assert cli.main([*RENDER.split(), "-nodump", "-floatfile", "Fdump.bin"]) == 0
    assert Path("Fdump.bin").stat().st_size == 20 * 20 * 4


def test_noise_does_not_replace_the_image_that_it_reads(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.bin").write_bytes(bytes(8 * 8 * 4))
    message = refused("noise x.bin -detpixels 8 -noisefile ./x.bin", capsys)
    assert message.startswith("nbnumba: error: -noisefile ./x.bin: noise reads the same file")


def test_an_explicit_dump_that_cannot_be_written_is_found_before_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    before = contents()
    assert cli.main([*RENDER.split(), "-dump", "absent/D.bin"]) == 3
    assert contents() == before
    assert capsys.readouterr().err.startswith("nbnumba: error: -dump absent/D.bin: cannot be written: there is no")
