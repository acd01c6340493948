"""Where the structure factors come from, and what is said about it."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from goldens import INPUTS, copy_inputs, load, names
from reflection_files import CELLS, cif_text, expanded, unique_reflections, values_of, write_mtz
from requirements import ROOT

from nbnumba import cli
from nbnumba.errors import FileError, InputError
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene
from nbnumba.parameters.settings import Settings
from nbnumba.structure_factors.load import load as load_table
from nbnumba.structure_factors.table import ReflectionTable
from nbnumba.util.messages import notices_to

LIST = "0 0 1 5\n1 0 2 7\n1 0 2 8\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.hkl").write_text(LIST)
    return tmp_path


class Loader:
    """Loads a table, and keeps the notices and report lines."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.lines: list[str] = []

    def load(self, settings: Settings) -> ReflectionTable | None:
        with notices_to(self.notices.append):
            return load_table(settings, self.lines.append)


def test_a_list_becomes_a_table(folder: Path) -> None:
    table = Loader().load(Settings.of(hkl_file="a.hkl"))
    assert table is not None
    assert table.values.tolist() == [[[5.0, 0.0]], [[0.0, 8.0]]]
    assert (table.h_min, table.h_max, table.k_min, table.k_max, table.l_min, table.l_max) == (0, 1, 0, 0, 1, 2)
    assert table.count == 3  # lines, as C counts


def test_gaps_hold_default_F_which_goes_into_the_dump(folder: Path) -> None:
    loader = Loader()
    table = loader.load(Settings.of(hkl_file="a.hkl", default_F=12.5))
    assert table is not None
    assert table.values.tolist() == [[[5.0, 12.5]], [[12.5, 8.0]]]
    assert loader.lines == [
        "counting entries in a.hkl",
        "initializing to default_F = 12.5:",
        "done initializing:",
        "re-reading a.hkl",
        "writing dump file for next time: Fdump.bin",
    ]
    assert loader.notices == []
    again = Loader().load(Settings.of(default_F=3.0))  # not used: gaps are filled when a list is read
    assert again is not None
    np.testing.assert_array_equal(again.values, table.values)
    assert again.table[0, 0, 0] == 3.0  # outside the box


def test_a_border_is_changed_in_a_copy(folder: Path) -> None:
    table = Loader().load(Settings.of(hkl_file="a.hkl", default_F=12.5))
    assert table is not None
    assert np.shares_memory(table.bordered_by(12.5), table.table)
    other = table.bordered_by(4.0)
    np.testing.assert_array_equal(other[1:-1, 1:-1, 1:-1], table.values)
    assert np.count_nonzero(other == 4.0) == other.size - table.values.size
    assert table.table[0, 0, 0] == 12.5


def test_a_scene_holds_the_table_itself(folder: Path) -> None:
    experiment = resolve(Settings.of(hkl_file="a.hkl", cell_given=True, cell_lengths_A=(50.0, 0.0, 0.0)))
    assert experiment.reflections is not None
    assert np.shares_memory(build_scene(experiment).table, experiment.reflections.table)


def test_structure_factors_cannot_be_overwritten(folder: Path) -> None:
    """Tables in float32 and those on a GPU are kept for the next image: a change in place would not be seen there."""
    experiment = resolve(Settings.of(hkl_file="a.hkl", cell_given=True, cell_lengths_A=(50.0, 0.0, 0.0)))
    reflections = experiment.reflections
    assert reflections is not None
    for array in (reflections.table, reflections.values):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0, 0] = 7.0
    # As those of all other scenes, which compiled code tells from arrays that cannot be written.
    assert build_scene(experiment).flat.flags.writeable


def test_a_dump_of_an_earlier_run_is_read_with_one_notice(folder: Path) -> None:
    Loader().load(Settings.of(hkl_file="a.hkl", dump_file="other.bin"))
    os.utime("other.bin", (0, 1_700_000_000))
    loader = Loader()
    table = loader.load(Settings.of(dump_file="other.bin"))
    assert table is not None
    assert table.count == 4  # cells, as C counts
    date = time.strftime("%Y-%m-%d %H:%M", time.localtime(1_700_000_000))
    assert loader.notices == [f"no -hkl: structure factors are read from other.bin of {date}, h 0..1, k 0..0, l 1..2"]
    assert loader.lines == ["reading Fs from other.bin"]


def test_no_dump_is_written_when_it_is_turned_off(folder: Path) -> None:
    loader = Loader()
    loader.load(Settings.of(hkl_file="a.hkl", write_dump=False))
    assert sorted(path.name for path in folder.iterdir()) == ["a.hkl"]
    assert not any("dump" in line for line in loader.lines)


def test_a_dump_that_cannot_be_written_is_a_notice(folder: Path) -> None:
    loader = Loader()
    table = loader.load(Settings.of(hkl_file="a.hkl", dump_file="absent/F"))
    assert table is not None
    assert len(loader.notices) == 1
    assert loader.notices[0].startswith("no dump of the structure factors: absent/F: cannot be written")
    assert not any("dump" in line for line in loader.lines)


def test_a_notice_reports_an_older_dump(folder: Path) -> None:
    (folder / "Fdump.bin").mkdir()
    loader = Loader()
    assert loader.load(Settings.of(hkl_file="a.hkl")) is not None
    (line,) = loader.notices
    assert line.endswith("Fdump.bin: cannot be written: it is a folder; an older one stays as it is")


def test_neither_list_nor_dump(folder: Path) -> None:
    with pytest.raises(InputError, match=r"give -hkl FILE, -pdb FILE or -default_F F \(there is no Fdump\.bin to read"):
        Loader().load(Settings())
    assert Loader().load(Settings.of(default_F=-1.0)) is None


def test_files_that_are_missing_or_bad(folder: Path) -> None:
    with pytest.raises(FileError, match=r"^-hkl b\.hkl: cannot be read: no such file or directory$"):
        Loader().load(Settings.of(hkl_file="b.hkl", default_F=1.0))
    (folder / "Fdump.bin").write_text("no dump")
    with pytest.raises(InputError, match=r"^-dump Fdump\.bin: not a dump"):
        Loader().load(Settings.of(default_F=1.0))
    with pytest.raises(FileError, match=r"^-dump \.: cannot be read: is a directory$"):
        Loader().load(Settings.of(dump_file="."))


@pytest.mark.golden
@pytest.mark.parametrize("name", names())
def test_the_report_is_that_of_c(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = load(name)
    words = golden.words
    monkeypatch.chdir(tmp_path)
    copy_inputs(tmp_path)

    def value(option: str) -> str | None:
        return words[words.index(option) + 1] if option in words else None

    loader = Loader()
    table = loader.load(Settings.of(hkl_file=value("-hkl"), default_F=float(value("-default_F") or 0.0)))
    starts = ("counting entries", "initializing to", "done init", "re-reading", "writing dump", "reading Fs")
    assert loader.lines == [line for line in golden.report.splitlines() if line.startswith(starts)]
    count = table.count if table is not None else 0
    assert f"  {count} initialized hkls (all others =" in golden.report


@pytest.mark.parametrize("name", ["lyso.hkl", "gaps.hkl"])
def test_the_table_holds_every_line_of_a_list(name: str) -> None:
    table = Loader().load(Settings.of(hkl_file=str(INPUTS / name), write_dump=False, default_F=-1.0))
    assert table is not None
    rows = np.loadtxt(INPUTS / name)
    h, k, l = rows[:, :3].astype(int).T
    np.testing.assert_array_equal(table.values[h - table.h_min, k - table.k_min, l - table.l_min], rows[:, 3])
    assert np.count_nonzero(table.values == -1.0) == table.values.size - len({tuple(row[:3]) for row in rows})


GROUP = "P 43 21 2"
RENDER = "-detpixels 32 -pixel 2 -distance 60 -N 4 -nonoise -nopgm -quiet"
CELL = "-cell 10 10 14 90 90 90"


@pytest.fixture
def mtz(folder: Path) -> Path:
    """A whole file, beside damaged ones and others of the same reflections."""
    rows = unique_reflections(GROUP, 1.2)
    F = values_of(rows)
    write_mtz(folder / "x.mtz", GROUP, rows, [("FP", "F", F), ("SIGFP", "Q", F), ("I", "J", F * F)])
    whole = (folder / "x.mtz").read_bytes()
    (folder / "short.mtz").write_bytes(whole[:-300])
    (folder / "short.gz").write_bytes(gzip.compress(whole)[:-300])
    (folder / "x.gz").write_bytes(gzip.compress(whole))
    (folder / "x.cif").write_text(cif_text(GROUP, rows, {"F_meas_au": F}))
    (folder / "noloop.cif").write_text("data_x\n_cell.length_a 10\n")
    (folder / "nocell.cif").write_text(cif_text(GROUP, rows, {"F_meas_au": F}, cell=False))
    (folder / "empty.mtz").write_bytes(b"")
    (folder / "nan.cif").write_text(cif_text(GROUP, rows, {"F_meas_au": ["?"] * len(rows)}))
    (folder / "inside").mkdir()
    listed = expanded(GROUP, rows, F)
    (folder / "x.hkl").write_text("".join(f"{h} {k} {l} {F!r}\n" for (h, k, l), F in listed.items()))
    return folder


@pytest.mark.parametrize("name", ["x.mtz", "x.cif", "x.gz"])
@pytest.mark.parametrize("words", ["", "-interpolate", "-default_F 0 -dump D.bin"])
def test_a_file_and_its_list_for_p1_give_one_picture(name: str, words: str, mtz: Path) -> None:
    def picture(hkl: str) -> bytes:
        assert cli.main(f"-hkl {hkl} {CELL} {RENDER} {words}".split()) == 0
        return Path("floatimage.bin").read_bytes()

    from_list = picture("x.hkl")
    assert np.frombuffer(from_list, dtype=np.float32).max() > 0.0
    dump = Path("D.bin" if "D.bin" in words else "Fdump.bin")
    dump_of_list = dump.read_bytes()
    dump.unlink()
    assert picture(name) == from_list
    assert dump.read_bytes() == dump_of_list


def test_the_table_of_an_mtz(mtz: Path) -> None:
    loader = Loader()
    table = loader.load(Settings.of(hkl_file="x.mtz"))
    assert table is not None
    of_list = Loader().load(Settings.of(hkl_file="x.hkl", write_dump=False))
    assert of_list is not None
    np.testing.assert_array_equal(table.table, of_list.table)
    assert (table.h_min, table.l_max, table.count) == (of_list.h_min, of_list.l_max, of_list.count)
    assert (table.cell, of_list.cell) == (CELLS[GROUP], None)
    assert loader.lines == ["reading x.mtz", "writing dump file for next time: Fdump.bin"]
    again = Loader().load(Settings())
    assert again is not None
    np.testing.assert_array_equal(again.table, table.table)
    by_intensity = Loader().load(Settings.of(hkl_file="x.mtz", hkl_column="I", hkl_dmin=3e-10, write_dump=False))
    assert by_intensity is not None
    assert by_intensity.h_max == 3 < table.h_max
    # Squares of the amplitudes are rounded to float32 in the file.
    low = [by_intensity.h_min - table.h_min, by_intensity.k_min - table.k_min, by_intensity.l_min - table.l_min]
    there = by_intensity.values != 0.0
    part = table.values[tuple(slice(a, a + n) for a, n in zip(low, there.shape, strict=True))]
    np.testing.assert_allclose(by_intensity.values[there], part[there], rtol=1e-7)


def test_the_cell_of_the_file_and_that_of_the_crystal(mtz: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(f"-hkl x.mtz {CELL} {RENDER}".split()) == 0
    assert "has the cell" not in capsys.readouterr().err
    picture = Path("floatimage.bin").read_bytes()
    assert cli.main(f"-hkl x.mtz {RENDER}".split()) == 0
    assert "no crystal is given: -cell 10 10 14 90 90 90 is taken from -hkl x.mtz" in capsys.readouterr().err
    assert Path("floatimage.bin").read_bytes() == picture
    for cell, differs in (
        ("10.09 10 14", False),
        ("10.11 10 14", True),
        ("10 10 14 90.9", False),
        ("10 10 14 91.1", True),
    ):
        assert cli.main(f"-hkl x.cif -cell {cell} {RENDER}".split()) == 0
        assert ("the file of its structure factors 10 10 14 90 90 90" in capsys.readouterr().err) == differs
    # The same cell with its axes in another order would draw other reflections.
    assert cli.main(f"-hkl x.mtz -cell 14 10 10 {RENDER}".split()) == 2
    said = capsys.readouterr().err
    assert "cell 14 10 10 90 90 90, the file of its structure factors 10 10 14 90 90 90: the axes are those" in said


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (f"-hkl x.hkl -hkl_column F {CELL}", 2, "-hkl_column F: -hkl x.hkl is a text list, not an MTZ or CIF file"),
        (f"-hkl x.hkl -hkl_dmin 3 {CELL}", 2, "-hkl_dmin 3: -hkl x.hkl is a text list, not an MTZ or CIF file"),
        (f"-default_F 1 -hkl_dmin 3 {CELL}", 2, "-hkl_dmin 3: there is no file to take it from; give -hkl FILE"),
        (f"-default_F 1 -hkl_column F {CELL}", 2, "-hkl_column F: there is no file to take it from; give -hkl FILE"),
        (
            "-hkl x.mtz -hkl_column F",
            2,
            "-hkl_column F: -hkl x.mtz has no such column; it has H (H), K (H), L (H), FP (F)",
        ),
        ("-hkl x.mtz -hkl_column SIGFP", 2, "-hkl_column SIGFP: is of type Q in -hkl x.mtz; allowed are types F"),
        (f"-hkl short.mtz {CELL}", 2, "-hkl short.mtz: "),
        (f"-hkl short.gz {CELL}", 2, "-hkl short.gz: cannot be unpacked: "),
        (f"-hkl noloop.cif {CELL}", 2, "-hkl noloop.cif: holds no loop of merged reflections"),
        (f"-hkl nan.cif {CELL}", 2, "-hkl nan.cif: has no column of amplitudes or intensities"),
        (f"-hkl empty.mtz {CELL}", 2, "-hkl empty.mtz: holds no reflection; a line is h k l F"),
        (f"-hkl inside {CELL}", 3, "-hkl inside: cannot be read: is a directory"),
        (f"-hkl absent.mtz -hkl_dmin 3 {CELL}", 3, "-hkl absent.mtz: cannot be read: no such file or directory"),
        ("-hkl nocell.cif", 2, "-hkl nocell.cif: states no unit cell; give -mat FILE or -cell"),
        ("-hkl x.hkl", 2, "no crystal: give -mat FILE"),
        ("-hkl absent.mtz", 2, "no crystal: give -mat FILE"),
        ("-hkl x.mtz -floatfile x.mtz", 2, "-floatfile x.mtz: -hkl reads the same file"),
    ],
)
def test_mistakes_end_in_one_line(
    words: str, status: int, message: str, mtz: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in mtz.iterdir())
    assert cli.main(f"{words} {RENDER}".split()) == status
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"nbnumba: error: {message}")
    assert sorted(path.name for path in mtz.iterdir()) == before


def test_a_list_from_a_pipe_is_read_once(folder: Path) -> None:
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_text(LIST))
    writer.start()
    table = Loader().load(Settings.of(hkl_file="pipe"))
    writer.join()
    assert table is not None
    assert table.count == 3


def test_a_text_list_is_read_without_the_library_of_the_others(folder: Path) -> None:
    code = (
        "import sys; from nbnumba.structure_factors.load import load; "
        "from nbnumba.parameters.settings import Settings; "
        "load(Settings.of(hkl_file=sys.argv[1], write_dump=False)); print('gemmi' in sys.modules)"
    )
    words = [sys.executable, "-c", code, str(folder / "a.hkl")]
    run = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout == "False\n"
