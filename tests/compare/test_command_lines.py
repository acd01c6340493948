"""Another program and ours on a list of command lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from golden_runs import run
from other_programs import SMALL, nbnumba, program

from nbnumba.compare.command_lines import read_list
from nbnumba.errors import InputError

pytestmark = pytest.mark.command_line

ONE = " ".join(SMALL)


def test_a_table(tmp_path: Path) -> None:
    """One line on which both agree, one on which they do not, one on which the other program fails."""
    other = program(
        tmp_path / "other.sh",
        'case "$*" in *"-N 4"*) echo no such crystal; exit 7;; *"-N 5"*) set -- "$@" -fluence 1e23;; esac',
        f'exec "{nbnumba(tmp_path / "same.sh")}" "$@"',
    )
    (tmp_path / "list.txt").write_text(f"# three\n\nnanoBragg {ONE}\n{ONE} \\\n -N 5\n{ONE} -N 4  # the last\n")
    status, text, notices = run(["compare", "--with", other, "--list", "list.txt", "-out", "found"], tmp_path)
    assert status == 1
    lines = text.splitlines()
    assert lines[0].split()[:2] == ["line", "correlation"]
    rows = [line.split() for line in lines[1:4]]
    assert [row[:2] for row in rows] == [["3", "pass"], ["4", "FAIL"], ["6", "FAIL"]]
    assert "ended with status 7" in lines[4]
    assert "no such crystal" in notices
    assert lines[5:] == ["1 of 3 pass", "wrote found/table.json"]
    found = json.loads((tmp_path / "found" / "table.json").read_text())
    assert (found["passed"], found["lines"]) == (1, 3)
    first, second, third = found["rows"]
    assert first["sum_ratio"] == 1.0
    assert first["equal_fraction"] == 1.0
    assert first["speed_up"] == pytest.approx(first["seconds"][0] / first["seconds"][1], rel=1e-14)  # of a quotient
    assert second["sum_ratio"] != pytest.approx(1.0, rel=0.5)  # anything but close
    assert second["command"].endswith("-N 5")
    assert third["error"].startswith("compare --with: ")
    folders = sorted(path.name for path in (tmp_path / "found").iterdir() if path.is_dir())
    assert folders == ["003", "004"]
    assert (tmp_path / "found" / "003" / "compare.html").stat().st_size > 0


def test_the_program_of_a_line_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(
        b"\xef\xbb\xbf./nanoBragg -cell 50 60 70 -default_F 1\r\n-cell 40 40 40 \\\r\n -N 3\r\n"
    )
    first, second = read_list(str(tmp_path / "list"))
    assert (first.number, first.words) == (1, ("-cell", "50", "60", "70", "-default_F", "1"))
    assert (second.number, second.words) == (2, ("-cell", "40", "40", "40", "-N", "3"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no command line"),
        (b"# nothing\n\n", "holds no command line"),
        (b"-cell 50 60 70\n-mat 'A.mat\n", "line 2: no closing quotation"),
        (b"-cell 50 60 70\n\n-distance x\n", "line 3: -distance"),
        (b"\xff\xfe", r"is not text \(byte 0\)"),
    ],
)
def test_malformed_lists(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(InputError, match=f"list.*{message}"):
        read_list(str(tmp_path / "list"))
    status, text, notices = run(["compare", "--with", "sh", "--list", "list"], tmp_path)
    assert (status, text) == (2, "")
    assert notices.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--list", "list"], 2, "--list list: needs --with EXECUTABLE"),
        (["--with", "sh", "--list", "absent"], 3, "absent"),
        (["--with", "no-such-program", "--list", "list"], 3, "--with no-such-program: is not there"),
        (["--with", "sh", "--list", "list", "a.bin"], 2, "'a.bin' has no place"),
    ],
)
def test_mistakes(words: list[str], status: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(ONE)
    found, text, notices = run(["compare", *words], tmp_path)
    assert (found, text) == (status, "")
    assert message in notices
    assert notices.count("\n") == 1
