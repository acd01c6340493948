"""Where the structure factors come from, and what is said about it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from goldens import INPUTS, copy_inputs, load, names

from nbnumba.errors import FileError, InputError
from nbnumba.resolve import resolve
from nbnumba.scene import build_scene
from nbnumba.settings import Settings
from nbnumba.structure_factors import ReflectionTable
from nbnumba.structure_factors import load as load_table

LIST = "0 0 1 5\n1 0 2 7\n1 0 2 8\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.hkl").write_text(LIST)
    return tmp_path


class Listener:
    """Collects what is said."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.lines: list[str] = []

    def load(self, settings: Settings) -> ReflectionTable | None:
        return load_table(settings, self.notices.append, self.lines.append)


def test_a_list_becomes_a_table(folder: Path) -> None:
    table = Listener().load(Settings(hkl_file="a.hkl"))
    assert table is not None
    assert table.values.tolist() == [[[5.0, 0.0]], [[0.0, 8.0]]]
    assert (table.h_min, table.h_max, table.k_min, table.k_max, table.l_min, table.l_max) == (0, 1, 0, 0, 1, 2)
    assert table.count == 3  # lines, as C counts


def test_gaps_hold_default_F_which_goes_into_the_dump(folder: Path) -> None:
    listener = Listener()
    table = listener.load(Settings(hkl_file="a.hkl", default_F=12.5))
    assert table is not None
    assert table.values.tolist() == [[[5.0, 12.5]], [[12.5, 8.0]]]
    assert listener.lines == [
        "counting entries in a.hkl",
        "initializing to default_F = 12.5:",
        "done initializing:",
        "re-reading a.hkl",
        "writing dump file for next time: Fdump.bin",
    ]
    assert listener.notices == []
    again = Listener().load(Settings(default_F=3.0))  # not used: gaps are filled when a list is read
    assert again is not None
    np.testing.assert_array_equal(again.values, table.values)
    assert again.table[0, 0, 0] == 3.0  # outside the box


def test_a_border_is_changed_in_a_copy(folder: Path) -> None:
    table = Listener().load(Settings(hkl_file="a.hkl", default_F=12.5))
    assert table is not None
    assert table.bordered_by(12.5) is table.table
    other = table.bordered_by(4.0)
    np.testing.assert_array_equal(other[1:-1, 1:-1, 1:-1], table.values)
    assert np.count_nonzero(other == 4.0) == other.size - table.values.size
    assert table.table[0, 0, 0] == 12.5


def test_a_scene_holds_the_table_itself(folder: Path) -> None:
    experiment = resolve(
        Settings(hkl_file="a.hkl", cell_given=True, cell_lengths_A=(50.0, 0.0, 0.0)), lambda line: None
    )
    assert experiment.reflections is not None
    assert build_scene(experiment).table is experiment.reflections.table


def test_a_dump_of_an_earlier_run_is_read_with_one_notice(folder: Path) -> None:
    Listener().load(Settings(hkl_file="a.hkl", dump_file="other.bin"))
    os.utime("other.bin", (0, 1_700_000_000))
    listener = Listener()
    table = listener.load(Settings(dump_file="other.bin"))
    assert table is not None
    assert table.count == 4  # cells, as C counts
    date = time.strftime("%Y-%m-%d %H:%M", time.localtime(1_700_000_000))
    assert listener.notices == [f"no -hkl: structure factors are read from other.bin of {date}, h 0..1, k 0..0, l 1..2"]
    assert listener.lines == ["reading Fs from other.bin"]


def test_no_dump_is_written_when_it_is_turned_off(folder: Path) -> None:
    listener = Listener()
    listener.load(Settings(hkl_file="a.hkl", write_dump=False))
    assert sorted(path.name for path in folder.iterdir()) == ["a.hkl"]
    assert not any("dump" in line for line in listener.lines)


def test_a_dump_that_cannot_be_written_is_a_notice(folder: Path) -> None:
    listener = Listener()
    table = listener.load(Settings(hkl_file="a.hkl", dump_file="absent/F"))
    assert table is not None
    assert len(listener.notices) == 1
    assert listener.notices[0].startswith("no dump of the structure factors: absent/F: cannot be written")
    assert not any("dump" in line for line in listener.lines)


def test_a_notice_tells_of_an_older_dump(folder: Path) -> None:
    (folder / "Fdump.bin").mkdir()
    listener = Listener()
    assert listener.load(Settings(hkl_file="a.hkl")) is not None
    (line,) = listener.notices
    assert line.endswith("Fdump.bin: cannot be written: it is a folder; an older one stays as it is")


def test_neither_list_nor_dump(folder: Path) -> None:
    with pytest.raises(InputError, match=r"give -hkl FILE, -pdb FILE or -default_F F \(there is no Fdump\.bin to read"):
        Listener().load(Settings())
    assert Listener().load(Settings(default_F=-1.0)) is None


def test_files_that_are_missing_or_bad(folder: Path) -> None:
    with pytest.raises(FileError, match=r"^-hkl b\.hkl: cannot be read: no such file or directory$"):
        Listener().load(Settings(hkl_file="b.hkl", default_F=1.0))
    (folder / "Fdump.bin").write_text("no dump")
    with pytest.raises(InputError, match=r"^-dump Fdump\.bin: not a dump"):
        Listener().load(Settings(default_F=1.0))
    with pytest.raises(FileError, match=r"^-dump \.: cannot be read: is a directory$"):
        Listener().load(Settings(dump_file="."))


@pytest.mark.golden
@pytest.mark.parametrize("name", names())
def test_the_report_is_that_of_c(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = load(name)
    words = golden.words
    monkeypatch.chdir(tmp_path)
    copy_inputs(tmp_path)

    def value(option: str) -> str | None:
        return words[words.index(option) + 1] if option in words else None

    listener = Listener()
    table = listener.load(Settings(hkl_file=value("-hkl"), default_F=float(value("-default_F") or 0.0)))
    starts = ("counting entries", "initializing to", "done init", "re-reading", "writing dump", "reading Fs")
    assert listener.lines == [line for line in golden.report.splitlines() if line.startswith(starts)]
    count = table.count if table is not None else 0
    assert f"  {count} initialized hkls (all others =" in golden.report


@pytest.mark.parametrize("name", ["lyso.hkl", "gaps.hkl"])
def test_the_table_holds_every_line_of_a_list(name: str) -> None:
    table = Listener().load(Settings(hkl_file=str(INPUTS / name), write_dump=False, default_F=-1.0))
    assert table is not None
    rows = np.loadtxt(INPUTS / name)
    h, k, l = rows[:, :3].astype(int).T
    np.testing.assert_array_equal(table.values[h - table.h_min, k - table.k_min, l - table.l_min], rows[:, 3])
    assert np.count_nonzero(table.values == -1.0) == table.values.size - len({tuple(row[:3]) for row in rows})
