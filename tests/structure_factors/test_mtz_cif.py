"""MTZ and CIF files: which column is taken, and that symmetry brings it to P1."""

from __future__ import annotations

import gzip
import io
import time
from pathlib import Path

import gemmi
import numpy as np
import pytest
from reflection_files import CELLS, Expanded, Rows, cif_text, expanded, filled, unique_reflections, values_of, write_mtz

from nbnumba.errors import InputError
from nbnumba.structure_factors.french_wilson import from_measured
from nbnumba.structure_factors.mtz_cif import CIF, MTZ, ReflectionFile, kind_of
from nbnumba.util.messages import notices_to

NAN = float("nan")


class Reading:
    """What `ReflectionFile` makes of a file."""

    def __init__(self, path: Path, column: str | None = None, dmin: float = 0.0, default_F: float = 0.0) -> None:
        self.notices: list[str] = []
        data = path.read_bytes()
        kind = kind_of(io.BytesIO(data), f"-hkl {path}")
        assert kind is not None
        with notices_to(self.notices.append):
            file = ReflectionFile(data, kind, column, f"-hkl {path}")
            self.table, self.box, self.count = file.table(dmin * 1e-10, default_F)
        self.cell = file.cell
        self.values = self.table[1:-1, 1:-1, 1:-1]

    @property
    def low(self) -> tuple[int, int, int]:
        return self.box.h_min, self.box.k_min, self.box.l_min

    @property
    def reflections(self) -> Expanded:
        return filled(self.values, self.low)

    def at(self, *hkl: int) -> float:
        h, k, l = (index - low for index, low in zip(hkl, self.low, strict=True))
        return float(self.values[h, k, l])


@pytest.mark.parametrize("group", CELLS)
def test_an_mtz_is_brought_to_p1(group: str, tmp_path: Path) -> None:
    rows = unique_reflections(group)
    F = values_of(rows)
    write_mtz(tmp_path / "x.mtz", group, rows, [("FP", "F", F)])
    reading = Reading(tmp_path / "x.mtz")
    expected = expanded(group, rows, F)
    assert reading.reflections == expected
    assert reading.count == len(expected) > len(rows)
    assert reading.cell == pytest.approx(CELLS[group], abs=1e-5)  # MTZ holds float32
    indices = np.array(list(expected))
    assert (reading.box.h_min, reading.box.h_max) == (indices[:, 0].min(), indices[:, 0].max())
    assert (reading.box.l_min, reading.box.l_max) == (indices[:, 2].min(), indices[:, 2].max())
    (line,) = reading.notices
    assert (
        f"column FP of dataset native, amplitudes; {len(rows)} unique reflections in {group.replace(' :', ':')}" in line
    )
    assert f"{len(expected)} in P1" in line


@pytest.mark.parametrize("group", CELLS)
def test_any_equivalent_may_stand_in_the_file(group: str, tmp_path: Path) -> None:
    rows = unique_reflections(group)
    F = values_of(rows)
    random = np.random.default_rng(3)
    operations = list(gemmi.SpaceGroup(group).operations())
    moved: Rows = []
    for row in rows:
        h, k, l = operations[random.integers(len(operations))].apply_to_hkl(row)
        sign = int(random.choice([1, -1]))
        moved.append((sign * h, sign * k, sign * l))
    write_mtz(tmp_path / "x.mtz", group, moved, [("FP", "F", F)])
    assert Reading(tmp_path / "x.mtz").reflections == expanded(group, rows, F)


@pytest.mark.parametrize("group", CELLS)
def test_friedel_mates_of_a_pair_differ(group: str, tmp_path: Path) -> None:
    rows = unique_reflections(group)
    plus, minus = values_of(rows, 1), values_of(rows, 2)
    columns = [("F(+)", "G", plus), ("SIGF(+)", "L", plus), ("F(-)", "G", minus), ("SIGF(-)", "L", minus)]
    write_mtz(tmp_path / "x.mtz", group, rows, columns)
    reading = Reading(tmp_path / "x.mtz")
    assert reading.reflections == expanded(group, rows, plus, minus)
    assert "column F(+)/F(-) of dataset native, amplitudes of Friedel mates" in reading.notices[0]
    for name in ("F(+)", "F(-)"):
        assert Reading(tmp_path / "x.mtz", name).reflections == reading.reflections


def test_a_mate_that_is_missing_is_served_by_the_other(tmp_path: Path) -> None:
    rows: Rows = [(1, 2, 3), (2, 1, 1), (1, 1, 1), (2, 2, 1)]
    plus, minus = np.array([5.0, NAN, 7.0, NAN]), np.array([NAN, 6.0, 8.0, NAN])
    write_mtz(tmp_path / "x.mtz", "P 1", rows, [("Fplus", "G", plus), ("Fminus", "G", minus)])
    assert Reading(tmp_path / "x.mtz").reflections == {
        (1, 2, 3): 5.0,
        (-1, -2, -3): 5.0,
        (2, 1, 1): 6.0,
        (-2, -1, -1): 6.0,
        (1, 1, 1): 7.0,
        (-1, -1, -1): 8.0,
    }


def test_intensities_become_amplitudes(tmp_path: Path) -> None:
    rows: Rows = [(1, 2, 3), (2, 1, 1), (1, 1, 1), (3, 0, 0)]
    I = np.array([25.0, -4.0, 0.0, NAN])
    write_mtz(tmp_path / "x.mtz", "P 1", rows, [("IMEAN", "J", I)])
    reading = Reading(tmp_path / "x.mtz", default_F=1.5)
    assert (reading.at(1, 2, 3), reading.at(-1, -2, -3), reading.at(2, 1, 1), reading.at(1, 1, 1)) == (5, 5, 0, 0)
    assert reading.count == 6
    assert "column IMEAN of dataset native, intensities, drawn as their square roots" in reading.notices[0]


def test_pairs_of_intensities(tmp_path: Path) -> None:
    columns = [("I(+)", "K", np.array([16.0])), ("I(-)", "K", np.array([9.0]))]
    write_mtz(tmp_path / "x.mtz", "P 1", [(1, 2, 3)], columns)
    assert Reading(tmp_path / "x.mtz").reflections == {(1, 2, 3): 4.0, (-1, -2, -3): 3.0}


@pytest.mark.parametrize(
    ("columns", "taken"),
    [
        ([("I", "J"), ("F(+)", "G"), ("F(-)", "G"), ("FWT", "F")], "FWT"),
        ([("FC", "F"), ("FWT", "F"), ("FP", "F")], "FP"),
        ([("FWT", "F"), ("F-model", "F")], "F-model"),
        ([("DELFWT", "F"), ("FX", "F")], "DELFWT"),
        ([("I", "J"), ("F(+)", "G"), ("F(-)", "G")], "F(+)/F(-)"),
        ([("I(+)", "K"), ("I(-)", "K"), ("I", "J")], "I"),
        ([("one", "G"), ("other", "G")], "one/other"),
        ([("SIGF", "Q"), ("PHI", "P"), ("I(+)", "K"), ("I(-)", "K")], "I(+)/I(-)"),
        ([("lonely", "G")], "lonely"),
    ],
)
def test_the_column_that_is_taken_by_its_type(columns: list[tuple[str, str]], taken: str, tmp_path: Path) -> None:
    write_mtz(tmp_path / "x.mtz", "P 1", [(1, 2, 3)], [(name, kind, np.array([4.0])) for name, kind in columns])
    assert f"column {taken} of dataset" in Reading(tmp_path / "x.mtz").notices[0]


def test_a_column_by_name_in_the_first_dataset_that_has_it(tmp_path: Path) -> None:
    columns = [(name, "F", np.array([float(value)])) for value, name in enumerate(("A", "B", "B", "C"), 1)]
    write_mtz(tmp_path / "x.mtz", "P 1", [(1, 2, 3)], columns, ("one", "two", "three"), (1, 2, 3, 3))
    reading = Reading(tmp_path / "x.mtz", "B")
    assert reading.at(1, 2, 3) == 2.0
    assert "column B of dataset two" in reading.notices[0]


def test_columns_that_cannot_be_taken(tmp_path: Path) -> None:
    one = np.array([1.0])
    write_mtz(tmp_path / "x.mtz", "P 1", [(1, 2, 3)], [("FP", "F", one), ("SIGFP", "Q", one), ("FREE", "I", one)])
    with pytest.raises(
        InputError,
        match=r"^-?hkl_column FX: -hkl .*x\.mtz has no such column; it has H \(H\), K \(H\), "
        r"L \(H\), FP \(F\), SIGFP \(Q\), FREE \(I\)$",
    ):
        Reading(tmp_path / "x.mtz", "FX")
    with pytest.raises(InputError, match=r"hkl_column SIGFP: is of type Q in .*; allowed are types F \(amplitude\), G"):
        Reading(tmp_path / "x.mtz", "SIGFP")
    with pytest.raises(InputError, match=r"hkl_column H: is of type H"):
        Reading(tmp_path / "x.mtz", "H")
    write_mtz(tmp_path / "y.mtz", "P 1", [(1, 2, 3)], [("PHI", "P", one)])
    with pytest.raises(InputError, match=r"y\.mtz: has no column of amplitudes or intensities.*; it has H .*PHI \(P\)"):
        Reading(tmp_path / "y.mtz")


def test_what_is_missing_is_left_out(tmp_path: Path) -> None:
    write_mtz(tmp_path / "x.mtz", "P 1", [(1, 2, 3), (9, 9, 9)], [("F", "F", np.array([4.0, NAN]))])
    reading = Reading(tmp_path / "x.mtz", default_F=2.0)
    assert reading.count == 2
    assert reading.box.h_max == 1
    assert (reading.at(1, 2, 3), reading.at(0, 0, 0), reading.table[0, 0, 0]) == (4.0, 2.0, 2.0)
    write_mtz(tmp_path / "x.mtz", "P 1", [(1, 2, 3)], [("F", "F", np.array([NAN]))])
    with pytest.raises(InputError, match=r"x\.mtz: column F holds no value$"):
        Reading(tmp_path / "x.mtz")
    write_mtz(tmp_path / "x.mtz", "P 1", [], [("F", "F", np.array([]))])
    with pytest.raises(InputError, match=r"x\.mtz: "):
        Reading(tmp_path / "x.mtz")
    write_mtz(tmp_path / "x.mtz", "P 1", [(1, 2, 3)], [("F", "F", np.array([np.inf]))])
    with pytest.raises(InputError, match=r"x\.mtz: column F holds inf; allowed are -1e\+50 to 1e\+50"):
        Reading(tmp_path / "x.mtz")


def test_systematic_absences_are_zero_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    rows: Rows = [(3, 3, 3), (1, 0, 0), (2, 0, 0)]  # 1 0 0 is absent in P 21 21 21, and so is 3 0 0
    write_mtz(tmp_path / "x.mtz", "P 21 21 21", rows, [("F", "F", np.array([8.0, 4.0, 5.0]))])
    reading = Reading(tmp_path / "x.mtz", default_F=2.0)
    assert [reading.at(h, 0, 0) for h in range(-3, 4)] == [0.0, 5.0, 4.0, 2.0, 4.0, 5.0, 0.0]
    assert (reading.at(0, 1, 0), reading.at(0, 2, 0), reading.at(1, 1, 1), reading.at(0, 1, 1)) == (0.0, 2.0, 2.0, 2.0)
    operations = gemmi.SpaceGroup("P 21 21 21").operations()
    for h, k, l in np.ndindex(reading.values.shape):
        hkl = [h - 3, k - 3, l - 3]
        if operations.is_systematically_absent(hkl) and abs(hkl[0]) != 1:
            assert reading.values[h, k, l] == 0.0
        else:
            assert reading.values[h, k, l] != 0.0 or hkl[0] in (-1, 1)


def test_of_reflections_that_are_repeated_the_last_row_counts(tmp_path: Path) -> None:
    rows: Rows = [(1, 2, 3), (2, 2, 2), (-1, -2, 3), (-1, -2, -3), (2, 2, 2), (-1, 2, -3), (2, -2, 2)]
    F = np.array([1.0, 6.0, 2.0, 3.0, 6.0, 4.0, 6.0])
    write_mtz(tmp_path / "x.mtz", "P 21 21 21", rows, [("F", "F", F)])
    reading = Reading(tmp_path / "x.mtz")
    assert set(reading.values.ravel()) == {0.0, 4.0, 6.0}
    assert reading.count == 16
    assert "; 2 unique reflections in P 21 21 21, 16 in P1" in reading.notices[0]
    assert reading.notices[1].endswith(": 3 rows repeat a reflection with another value; the last one counts")


def test_a_cut_in_resolution(tmp_path: Path) -> None:
    group = "P 43 21 2"
    rows = unique_reflections(group, 2.0)
    F = values_of(rows)
    write_mtz(tmp_path / "x.mtz", group, rows, [("F", "F", F)])
    cell = gemmi.UnitCell(*CELLS[group])
    for dmin in (5.0, cell.calculate_d(rows[len(rows) // 2]), 2.1):
        kept = [cell.calculate_d(row) >= dmin * (1 - 1e-9) for row in rows]
        expected = expanded(group, [row for row, keep in zip(rows, kept, strict=True) if keep], F[kept])
        reading = Reading(tmp_path / "x.mtz", dmin=dmin)
        assert reading.reflections == expected
        assert 0 < sum(kept) < len(rows)
    with pytest.raises(InputError, match=r"column F holds no value of 99 Å or coarser \(-?hkl_dmin(_A)?\)"):
        Reading(tmp_path / "x.mtz", dmin=99.0)
    Path(tmp_path / "x.cif").write_text(cif_text(group, rows, {"F_meas_au": F}, cell=False))
    assert Reading(tmp_path / "x.cif").cell is None
    assert Reading(tmp_path / "x.cif").notices[0].endswith("in P1, no unit cell")
    with pytest.raises(InputError, match=r"hkl_dmin(_A)? 3: -hkl .*x\.cif states no unit cell"):
        Reading(tmp_path / "x.cif", dmin=3.0)


def test_unmerged_observations_are_refused(tmp_path: Path) -> None:
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.SpaceGroup("P 1")
    mtz.set_cell_for_all(gemmi.UnitCell(9, 10, 11, 90, 90, 90))
    for name, kind in (("M/ISYM", "Y"), ("BATCH", "B"), ("I", "J")):
        mtz.add_column(name, kind)
    mtz.set_data(np.array([[1, 2, 3, 1, 1, 5], [1, 2, 3, 1, 2, 6]], dtype=np.float32))
    batch = gemmi.Mtz.Batch()
    batch.number = 1
    mtz.batches.append(batch)
    mtz.write_to_file(str(tmp_path / "x.mtz"))
    with pytest.raises(InputError, match=r"x\.mtz: holds unmerged observations \(1 batch\); merge them first"):
        Reading(tmp_path / "x.mtz")


@pytest.mark.parametrize("group", ["P 1", "C 1 2 1", "P 43 21 2", "F 4 3 2", "R 3 :H"])
def test_a_cif_of_macromolecules(group: str, tmp_path: Path) -> None:
    rows = unique_reflections(group)
    F = values_of(rows)
    unknown = ["?"] * len(rows)
    columns = {"status": ["o"] * len(rows), "F_meas_au": unknown, "F_meas_sigma_au": unknown, "F_calc_au": F.tolist()}
    (tmp_path / "x.cif").write_text(cif_text(group, rows, columns))
    reading = Reading(tmp_path / "x.cif")
    assert reading.reflections == expanded(group, rows, F)
    assert reading.cell == CELLS[group]
    assert "column F_calc_au of block test, amplitudes" in reading.notices[0]
    with pytest.raises(InputError, match="column F_meas_au holds no value"):
        Reading(tmp_path / "x.cif", "F_meas_au")
    with pytest.raises(InputError, match="hkl_column status: is neither an amplitude nor an intensity"):
        Reading(tmp_path / "x.cif", "status")
    with pytest.raises(InputError, match=r"hkl_column FP: .* has no such column; it has index_h, .*, F_calc_au"):
        Reading(tmp_path / "x.cif", "FP")
    for name in ("_refln.F_calc_au", "f_calc_au"):
        assert Reading(tmp_path / "x.cif", name).reflections == reading.reflections


def test_a_cell_without_the_symmetry_of_its_group_is_told_of(tmp_path: Path) -> None:
    rows = unique_reflections("P 43 21 2")
    a, *others = CELLS["P 43 21 2"]
    for longer, told in ((1.005, False), (1.15, True)):
        mtz = gemmi.Mtz(with_base=True)
        mtz.spacegroup = gemmi.SpaceGroup("P 43 21 2")
        mtz.set_cell_for_all(gemmi.UnitCell(a * longer, *others))
        mtz.add_dataset("d")
        mtz.add_column("F", "F")
        mtz.set_data(np.column_stack([rows, values_of(rows)]).astype(np.float32))
        mtz.write_to_file(str(tmp_path / "x.mtz"))
        notices = Reading(tmp_path / "x.mtz").notices
        assert any("has not the symmetry of P 43 21 2" in notice for notice in notices) is told


def test_friedel_mates_of_a_cif(tmp_path: Path) -> None:
    rows = unique_reflections("P 43 21 2")
    plus, minus = values_of(rows, 1), values_of(rows, 2)
    text = cif_text("P 43 21 2", rows, {"pdbx_F_plus": plus, "pdbx_F_minus": minus, "intensity_meas": plus})
    (tmp_path / "x.cif").write_text(text)
    expected = expanded("P 43 21 2", rows, plus, minus)
    assert Reading(tmp_path / "x.cif").reflections == expected
    assert Reading(tmp_path / "x.cif", "pdbx_F_minus").reflections == expected
    intensities = Reading(tmp_path / "x.cif", "intensity_meas").reflections
    assert intensities == expanded("P 43 21 2", rows, np.sqrt(plus))


def test_a_cif_of_small_molecules(tmp_path: Path) -> None:
    rows = unique_reflections("P n m a", 1.5)
    squares = values_of(rows) ** 2
    columns = {
        "F_squared_calc": squares,
        "F_squared_meas": [f"{v}(3)" for v in squares],
        "observed_status": ["o"] * len(rows),
    }
    (tmp_path / "x.fcf").write_text(cif_text("P n m a", rows, columns, dot="_"))
    reading = Reading(tmp_path / "x.fcf")
    assert reading.reflections == expanded("P n m a", rows, np.sqrt(squares))
    assert "column F_squared_meas of block test, intensities" in reading.notices[0]
    assert reading.cell == CELLS["P n m a"]


def test_operations_that_are_listed_serve_without_a_name(tmp_path: Path) -> None:
    rows = unique_reflections("P n m a", 1.5)
    F = values_of(rows)
    text = cif_text(None, rows, {"F_meas": F}, dot="_")
    triplets = [operation.triplet() for operation in gemmi.SpaceGroup("P n m a").operations()]
    listed = "loop_\n_symmetry_equiv_pos_as_xyz\n" + "".join(f"'{triplet}'\n" for triplet in triplets)
    (tmp_path / "x.cif").write_text(text.replace("loop_\n", f"{listed}loop_\n", 1))
    reading = Reading(tmp_path / "x.cif")
    assert reading.reflections == expanded("P n m a", rows, F)
    assert "in a group of 8 operations" in reading.notices[0]
    (tmp_path / "y.cif").write_text(text)
    alone = Reading(tmp_path / "y.cif")
    assert alone.reflections == expanded("P 1", rows, F)
    assert "in P1 (the file states no space group)" in alone.notices[0]


def test_a_group_of_unknown_name(tmp_path: Path) -> None:
    rows = unique_reflections("P 21 21 21")
    path = tmp_path / "a.mtz"
    write_mtz(path, "P 21 21 21", rows, [("FP", "F", values_of(rows))])
    known = Reading(path)
    path.write_bytes(path.read_bytes().replace(b"'P 21 21 21'", b"'P 21 91 21'"))
    unknown = Reading(path)
    assert "in a group of 4 operations" in unknown.notices[0]
    np.testing.assert_array_equal(unknown.table, known.table)
    path.write_bytes(path.read_bytes().replace(b"SYMM ", b"SYMX "))
    with pytest.raises(InputError, match=r"the space group 'P 21 91 21' is unknown, and no operations are listed"):
        Reading(path)
    text = cif_text("P 21 21 21", rows, {"F_meas_au": values_of(rows)}).replace("P 21 21 21", "P 21 91 21")
    (tmp_path / "a.cif").write_text(text)
    with pytest.raises(InputError, match=r"the space group 'P 21 91 21' is unknown"):
        Reading(tmp_path / "a.cif")


def test_the_first_block_that_has_the_column(tmp_path: Path) -> None:
    blocks = [
        cif_text("P 1", [(1, 2, 3)], {name: [value]}).replace("data_test", f"data_{block}")
        for block, name, value in (("a", "fom", 1), ("b", "F_calc_au", 2), ("c", "F_meas_au", 3), ("d", "F_meas_au", 4))
    ]
    (tmp_path / "x.cif").write_text("".join(blocks))
    first = Reading(tmp_path / "x.cif")
    assert (first.at(1, 2, 3), "of block b" in first.notices[0]) == (2.0, True)
    named = Reading(tmp_path / "x.cif", "F_meas_au")
    assert (named.at(1, 2, 3), "of block c" in named.notices[0]) == (3.0, True)


def test_the_kind_is_recognized_by_the_content() -> None:
    def kind(content: bytes) -> str | None:
        return kind_of(io.BytesIO(content), "-hkl reflections.hkl")

    assert kind(b"MTZ rest") == MTZ
    assert kind(b"data_x\n") == CIF
    assert kind(b"\xef\xbb\xbf# comment\r\n\n  # another\n  DATA_x") == CIF
    assert kind(b"# comment data_\n1 2 3 4\n") is None
    assert kind(b"1 2 3 4\ndata_x\n") is None
    assert kind(b"") is None
    assert kind(b"MTZ") is None
    assert kind(b"#" * 1_000_000) is None
    assert kind(gzip.compress(b"MTZ rest")) == MTZ
    assert kind(gzip.compress(b"\ndata_x\n")) == CIF
    with pytest.raises(InputError, match=r"\.hkl: packed by gzip, and neither MTZ, CIF nor XDS_ASCII; unpack"):
        kind(gzip.compress(b"1 2 3 4\n"))
    with pytest.raises(InputError, match=r"reflections\.hkl: cannot be unpacked"):
        kind(gzip.compress(b"MTZ rest" * 99)[:15])


def test_packed_files_under_any_name(tmp_path: Path) -> None:
    rows = unique_reflections("P 43 21 2")
    F = values_of(rows)
    write_mtz(tmp_path / "x.mtz", "P 43 21 2", rows, [("FP", "F", F)])
    expected = expanded("P 43 21 2", rows, F)
    for name in ("x.mtz.gz", "packed"):
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "x.mtz").read_bytes()))
        assert Reading(tmp_path / name).reflections == expected
    (tmp_path / "y").write_bytes(gzip.compress(cif_text("P 43 21 2", rows, {"F_calc": F}).encode()))
    assert Reading(tmp_path / "y").reflections == expected
    strange = Path(str(tmp_path / "x") + "\udcff.mtz")  # a byte that is no text
    strange.write_bytes((tmp_path / "x.mtz").read_bytes())
    assert Reading(strange).reflections == expected


def mtz_bytes(tmp_path: Path) -> bytes:
    write_mtz(tmp_path / "whole.mtz", "P 1", [(1, 2, 3)] * 40, [("FP", "F", np.arange(40.0))])
    return (tmp_path / "whole.mtz").read_bytes()


def test_files_that_are_cut_short_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x"
    whole = mtz_bytes(tmp_path)
    for content in (whole[:4], whole[:60], whole[:300], whole[:-900], whole.replace(b"NCOL", b"NCOX")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"^-hkl .*x: [^\n]+$"):
            Reading(path)
    loop = cif_text("P 1", [(1, 2, 3)], {"F_meas": [4.0]})
    for text, message in (
        ("data_x\n_cell.length_a 3\n", "holds no loop of merged reflections"),
        ("data_x\n", "holds no loop of merged reflections"),
        (loop + "5 6\n", "not a readable CIF file: "),
        (
            loop.replace("_refln.index_l", "_refln.other"),
            "its loop of reflections lacks index_l; h, k and l are needed",
        ),
        (loop.replace("_refln.F_meas", "_refln.fom"), "has no column of amplitudes or intensities"),
        (loop.replace("4.0", "?"), "has no column of amplitudes or intensities|holds no value"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=rf"^-hkl .*x: ({message})"):
            Reading(path)


def test_bytes_that_change_end_in_a_line_or_a_table(tmp_path: Path) -> None:
    """No damage to a file makes anything but one of our errors."""
    random = np.random.default_rng(11)
    originals = [(MTZ, mtz_bytes(tmp_path)), (CIF, cif_text("P 21 21 21", [(1, 2, 3)], {"F_meas": [4.0]}).encode())]
    outcomes = {True: 0, False: 0}
    for _ in range(300):
        for kind, whole in originals:
            damaged = bytearray(whole)
            for place in random.integers(4, len(damaged), 3):
                damaged[place] = random.integers(256)
            try:
                ReflectionFile(bytes(damaged), kind, None, "-hkl x").table()
                outcomes[True] += 1
            except InputError:
                outcomes[False] += 1
    assert min(outcomes.values()) > 20


def test_indices_that_need_too_much_memory(tmp_path: Path) -> None:
    write_mtz(tmp_path / "x.mtz", "P 1", [(1, 2, 3), (900, 900, 900)], [("F", "F", np.array([4.0, 3.0]))],
              cell=(900.0, 900.0, 900.0, 90.0, 90.0, 90.0))  # fmt: skip
    with pytest.raises(InputError, match=r"x\.mtz: indices h -900\.\.900, .* allowed are"):
        Reading(tmp_path / "x.mtz")


def test_a_large_file_takes_seconds(tmp_path: Path) -> None:
    rows = np.array(gemmi.make_miller_array(gemmi.UnitCell(90, 90, 70, 90, 90, 90), gemmi.SpaceGroup("P 43 21 2"), 1.2))
    write_mtz(tmp_path / "x.mtz", "P 43 21 2", rows, [("F", "F", np.ones(len(rows)))],
              cell=(90.0, 90.0, 70.0, 90.0, 90.0, 90.0))  # fmt: skip
    start = time.process_time()
    reading = Reading(tmp_path / "x.mtz")
    # Measured: 0.5 s for a million; far slower means a loop over reflections.
    assert time.process_time() - start < 5.0 * len(rows) / 1e6 + 2.0
    assert reading.count > 10 * len(rows) > 500_000


@pytest.mark.parametrize(
    "lines",
    [
        "_symmetry.Int_Tables_number 19",
        "_space_group_IT_number 19",
        "_SPACE_GROUP.it_NUMBER 19",
        "_space_group.name_Hall 'P 2ac 2ab'",
        "_symmetry_space_group_name_Hall 'P 2ac 2ab'",
    ],
)
def test_a_space_group_by_number_or_hall_symbol_alone(lines: str, tmp_path: Path) -> None:
    group = "P 21 21 21"
    rows = unique_reflections(group)
    F = values_of(rows)
    text = cif_text(group, rows, {"F_meas_au": F}).replace(f"_symmetry.space_group_name_H-M '{group}'", lines)
    (tmp_path / "x.cif").write_text(text)
    assert Reading(tmp_path / "x.cif").reflections == expanded(group, rows, F)


@pytest.mark.parametrize(
    "line", ["_space_group_IT_number 231", "_space_group_IT_number x", "_space_group_name_Hall 'P x'"]
)
def test_a_space_group_that_is_none(line: str, tmp_path: Path) -> None:
    rows = unique_reflections("P 1")
    text = cif_text(None, rows, {"F_meas_au": values_of(rows)}).replace("loop_", f"{line}\nloop_")
    (tmp_path / "x.cif").write_text(text)
    with pytest.raises(InputError, match=r"space group number|Hall symbol"):
        Reading(tmp_path / "x.cif")


@pytest.mark.parametrize(("listed", "agrees"), [("P 21 21 21", True), ("P 2 2 2", False), ("P 1 21 1", False)])
def test_name_and_operations_that_disagree_are_an_error(listed: str, agrees: bool, tmp_path: Path) -> None:
    group = "P 21 21 21"
    rows = unique_reflections(group)
    operations = "\n".join(f"'{operation.triplet()}'" for operation in gemmi.SpaceGroup(listed).operations())
    text = cif_text(group, rows, {"F_meas_au": values_of(rows)})
    text = text.replace("loop_", f"loop_\n_space_group_symop_operation_xyz\n{operations}\nloop_", 1)
    (tmp_path / "x.cif").write_text(text)
    if agrees:
        assert Reading(tmp_path / "x.cif").reflections == expanded(group, rows, values_of(rows))
        return
    with pytest.raises(InputError, match=r"operations that it lists are not those of P 21 21 21"):
        Reading(tmp_path / "x.cif")


@pytest.mark.parametrize(("number", "agrees"), [("19", True), ("18", False), ("?", True)])
def test_name_and_number_that_disagree_are_an_error(number: str, agrees: bool, tmp_path: Path) -> None:
    rows = unique_reflections("P 21 21 21")
    text = cif_text("P 21 21 21", rows, {"F_meas_au": values_of(rows)})
    text = "\ufeff" + text.replace(
        "loop_", f"_symmetry.Int_Tables_number {number}\nloop_", 1
    )  # after a byte order mark
    (tmp_path / "x.cif").write_text(text, "utf-8")
    if agrees:
        assert Reading(tmp_path / "x.cif").reflections == expanded("P 21 21 21", rows, values_of(rows))
        return
    with pytest.raises(InputError, match=r"space group number 18 that it states is not that of P 21 21 21, 19; one of"):
        Reading(tmp_path / "x.cif")


def test_intensities_below_zero_are_counted(tmp_path: Path) -> None:
    rows = unique_reflections("P 1")
    values = values_of(rows)
    values[:3] *= -1.0
    write_mtz(tmp_path / "x.mtz", "P 1", rows, [("I", "J", values)])
    assert any(line.endswith(": 3 intensities below 0 are drawn as 0") for line in Reading(tmp_path / "x.mtz").notices)


def test_intensities_with_errors_become_mean_amplitudes(tmp_path: Path) -> None:
    group = "P 43 21 2"
    rows = unique_reflections(group)
    random = np.random.default_rng(4)
    I, sigma = random.normal(20.0, 30.0, len(rows)).astype(np.float32), np.full(len(rows), 25.0)
    hkl, operations = np.array(rows), gemmi.SpaceGroup(group).operations()
    cell = gemmi.UnitCell(*CELLS[group])
    spacings = np.array([cell.calculate_d(row) for row in rows])
    F = from_measured(hkl, I.astype(np.float64), sigma, operations, lambda indices: spacings)
    expected = expanded(group, rows, F)
    write_mtz(tmp_path / "x.mtz", group, rows, [("IMEAN", "J", I), ("FOM", "W", sigma), ("SIGIMEAN", "Q", sigma)])
    (tmp_path / "y.cif").write_text(cif_text(group, rows, {"intensity_meas": I, "intensity_sigma": sigma}))
    columns = {"F_squared_sigma": sigma, "F_squared_meas": I}
    (tmp_path / "z.cif").write_text(cif_text(group, rows, columns, dot="_"))
    for name in ("x.mtz", "y.cif", "z.cif"):
        reading = Reading(tmp_path / name)
        assert reading.reflections.keys() == expected.keys()
        # MTZ holds the cell, and so the shells' middles, in float32.
        np.testing.assert_allclose([reading.reflections[key] for key in expected], list(expected.values()), rtol=1e-6)
        assert "intensities, drawn by their standard deviations (French-Wilson)" in reading.notices[0]
        assert reading.notices[1].endswith(
            "intensities below 0 are drawn as the small amplitudes that they leave likely"
        )


def test_errors_of_friedel_mates(tmp_path: Path) -> None:
    rows: Rows = [(1, 2, 3), (2, 1, 1)]
    plus, minus, small, large = np.array([16.0, NAN]), np.array([9.0, 4.0]), np.full(2, 1e-4), np.full(2, 5.0)
    order = [("I(+)", "K", plus), ("SIGI(+)", "M", small), ("I(-)", "K", minus), ("SIGI(-)", "M", large)]
    write_mtz(tmp_path / "x.mtz", "P 1", rows, order)
    text = cif_text("P 1", rows, {"pdbx_I_plus": ["16", "?"], "pdbx_I_plus_sigma": ["1e-4", "?"],
                                  "pdbx_I_minus": minus, "pdbx_I_minus_sigma": large})  # fmt: skip
    (tmp_path / "x.cif").write_text(text)
    for name in ("x.mtz", "x.cif"):
        reading = Reading(tmp_path / name)
        assert reading.at(1, 2, 3) == pytest.approx(4.0, rel=1e-6)  # an error of 1e-4 hardly counts
        assert reading.at(-1, -2, -3) != pytest.approx(3.0, rel=1e-3)
        assert reading.at(2, 1, 1) == reading.at(-2, -1, -1) != pytest.approx(2.0, rel=1e-3)


def state_resolution(path: Path, limit: float) -> None:
    """Let the header of an MTZ file state a limit of resolution [Angstrom]."""
    data = path.read_bytes()
    start = data.index(b"RESO ")
    stated = f"RESO  {0.0001:.8f}   {limit**-2:.10f}".ljust(80).encode()
    path.write_bytes(data[:start] + stated + data[start + 80 :])


def test_index_columns_are_found_wherever_they_stand(tmp_path: Path) -> None:
    rows = unique_reflections("P 43 21 2")
    F = values_of(rows)
    expected = expanded("P 43 21 2", rows, F)
    mtz = gemmi.Mtz()
    mtz.spacegroup = gemmi.SpaceGroup("P 43 21 2")
    mtz.add_dataset("native")
    for name, kind in (("FP", "F"), ("L", "H"), ("K", "H"), ("H", "H")):
        mtz.add_column(name, kind, dataset_id=0)
    mtz.set_cell_for_all(gemmi.UnitCell(*CELLS["P 43 21 2"]))
    h, k, l = np.array(rows).T
    mtz.set_data(np.column_stack([F, l, k, h]).astype(np.float32))
    mtz.write_to_file(str(tmp_path / "x.mtz"))
    state_resolution(tmp_path / "x.mtz", 3.0)  # gemmi took the first three columns for h, k and l
    assert Reading(tmp_path / "x.mtz").reflections == expected
    text = cif_text("P 43 21 2", rows, {"F_meas_au": F})
    head, body = text.split("_refln.F_meas_au\n")
    head = head.replace("_refln.index_h\n_refln.index_k\n_refln.index_l\n", "")
    turned = "".join(" ".join(line.split()[::-1]) + "\n" for line in body.splitlines())
    (tmp_path / "x.cif").write_text(f"{head}_REFLN.F_MEAS_AU\n_refln.Index_L\n_refln.INDEX_K\n_Refln.index_h\n{turned}")
    assert Reading(tmp_path / "x.cif").reflections == expected
    small = cif_text("P 43 21 2", rows, {"F_squared_calc": F**2}, dot="_")
    (tmp_path / "y.cif").write_text(small.replace("_refln_", "_REFLN_").replace("index_h", "INDEX_H"))
    assert Reading(tmp_path / "y.cif").reflections == expected


def test_indices_that_are_none(tmp_path: Path) -> None:
    mtz = gemmi.Mtz()
    mtz.spacegroup = gemmi.SpaceGroup("P 1")
    mtz.add_dataset("native")
    for name, kind in (("H", "H"), ("K", "H"), ("FP", "F")):
        mtz.add_column(name, kind, dataset_id=0)
    mtz.set_data(np.ones((1, 3), dtype=np.float32))
    mtz.write_to_file(str(tmp_path / "x.mtz"))
    with pytest.raises(InputError, match=r"x\.mtz: has 2 columns of indices \(type H\); allowed are three"):
        Reading(tmp_path / "x.mtz")
    text = cif_text("P 1", [(1, 2, 3)], {"F_meas": [4.0]})
    for bad in ("?", "1.5", "x"):
        (tmp_path / "x.cif").write_text(text.replace("1 2 3 4.0", f"{bad} 2 3 4.0"))
        with pytest.raises(InputError, match=r"x\.cif: holds an index h, k or l that is missing or not a whole number"):
            Reading(tmp_path / "x.cif")


def test_of_several_crystals_and_wavelengths_in_one_loop_the_first_is_taken(tmp_path: Path) -> None:
    rows: Rows = [(1, 2, 3), (1, 2, 3), (2, 2, 2), (1, 2, 3)]
    columns = {"crystal_id": ["A", "A", "A", "B"], "Wavelength_ID": [1, 2, 1, 1], "F_meas_au": [4.0, 5.0, 6.0, 7.0]}
    (tmp_path / "x.cif").write_text(cif_text("P 1", rows, columns))
    reading = Reading(tmp_path / "x.cif")
    assert (reading.at(1, 2, 3), reading.at(2, 2, 2), reading.count) == (4.0, 6.0, 4)
    assert (
        "of block test, crystal 'A', the first of 2, wavelength '1', the first of 2, amplitudes" in reading.notices[0]
    )
    assert len(reading.notices) == 1


@pytest.mark.parametrize(("limit", "allowed"), [(0.3, True), (2.5, True), (0.2, False), (2000.0, False)])
def test_a_stated_resolution_that_no_crystal_has_is_an_error(limit: float, allowed: bool, tmp_path: Path) -> None:
    text = cif_text("P 1", [(1, 2, 3)], {"F_meas": [4.0]}).replace("loop_", f"_reflns.d_resolution_high {limit}\nloop_")
    (tmp_path / "x.cif").write_text(text)
    write_mtz(tmp_path / "x.mtz", "P 1", [(1, 2, 3)], [("FP", "F", np.array([4.0]))])
    state_resolution(tmp_path / "x.mtz", limit)
    for name, what in (("x.cif", "it"), ("x.mtz", "its header")):
        if allowed:
            assert Reading(tmp_path / name).at(1, 2, 3) == 4.0
            continue
        with pytest.raises(InputError, match=rf"{what} states a resolution of {limit:g} Å; allowed are 0\.3 to 1000"):
            Reading(tmp_path / name)
