"""Structure factors of atomic models: against direct summation, with solvent, kept for the next run."""

from __future__ import annotations

import gzip
from pathlib import Path

import gemmi
import numpy as np
import pytest
from small_model import GROUPS, pdb_text

from nbnumba import cli
from nbnumba.detector.resolution import finest_spacing
from nbnumba.errors import FileError, InputError
from nbnumba.experiment.resolve import resolve
from nbnumba.parameters.parser import parse
from nbnumba.parameters.settings import Settings
from nbnumba.structure_factors.from_model import Model, waves_of
from nbnumba.structure_factors.load import load
from nbnumba.structure_factors.old_pdb import check_numbers, without_line_numbers
from nbnumba.structure_factors.table import NeededRange, ReflectionTable
from nbnumba.util.messages import notices_to


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.pdb").write_text(pdb_text())
    return tmp_path


def table_of(notices: list[str] | None = None, cache: Path | None = None, **fields: object) -> ReflectionTable:
    fields = {"pdb_file": "m.pdb", "hkl_dmin": 2e-10, **fields}
    with notices_to(None if notices is None else notices.append):
        table = load(Settings.of(**fields), cache_folder=cache)  # type: ignore[arg-type]
    assert table is not None
    return table


def F_at(table: ReflectionTable, h: int, k: int, l: int) -> float:
    return float(table.values[h - table.h_min, k - table.k_min, l - table.l_min])


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("d_min", [4.0, 2.05, 0.91])
def test_amplitudes_are_those_of_direct_summation(group: str, d_min: float) -> None:
    structure = gemmi.read_pdb_string(pdb_text(group))
    hkl, waves = waves_of(structure, d_min, 0.0, 0.0)
    F = np.abs(waves)
    chosen = np.random.default_rng(2).permutation(len(hkl))[:200]
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)
    direct = np.array([abs(calculator.calculate_sf_from_model(structure[0], hkl[i].tolist())) for i in chosen])
    # The density on a grid leaves out the atoms' tails and samples them: 1 percent allowed, 0.03 found.
    assert np.abs(F[chosen] - direct).sum() < 0.01 * direct.sum()
    assert np.abs(F[chosen] - direct).max() < 0.01 * direct.max()
    everything = gemmi.make_miller_array(structure.cell, gemmi.SpaceGroup(group), d_min)
    assert len(hkl) == len(everything)


@pytest.mark.parametrize("group", GROUPS)
def test_symmetry_and_friedel_mates_fill_the_table(group: str, folder: Path) -> None:
    (folder / "m.pdb").write_text(pdb_text(group))
    table = table_of()
    structure = gemmi.read_pdb_string(pdb_text(group))
    hkl, waves = waves_of(structure, 2.0, 0.35, 46.0)
    F = np.abs(waves)
    for row, value in list(zip(hkl.tolist(), F, strict=True))[::50]:
        for operation in gemmi.SpaceGroup(group).operations():
            h, k, l = operation.apply_to_hkl(row)
            assert F_at(table, h, k, l) == F_at(table, -h, -k, -l) == value
    h, k, l = np.indices(table.values.shape)
    indices = np.stack([h + table.h_min, k + table.k_min, l + table.l_min], axis=-1).reshape(-1, 3)
    beyond = structure.cell.calculate_1_d2_array(indices.astype(np.int32)) > 0.25 * (1 + 1e-6)
    assert np.all(table.values.ravel()[beyond] == 0.0)
    assert F_at(table, 0, 0, 0) == 0.0  # in the direct beam
    assert table.count == table.values.size
    assert table.cell == pytest.approx(GROUPS[group])


def test_solvent_changes_coarse_terms_only() -> None:
    structure = gemmi.read_pdb_string(pdb_text(atoms=60))
    hkl, without = waves_of(structure, 1.0, 0.0, 0.0)
    _, solvated = waves_of(structure, 1.0, 0.35, 46.0)
    without, solvated = np.abs(without), np.abs(solvated)
    spacing = structure.cell.calculate_d_array(hkl.astype(np.int32))
    change = np.abs(solvated - without)
    coarse, fine = spacing > 6.0, spacing < 2.0
    assert change[coarse].mean() > 0.1 * without[coarse].mean()
    assert change[fine].mean() < 0.01 * without[fine].mean()
    assert np.all(change[spacing < 1.2] == 0.0)
    # A cell without atoms' room is flat: the solvent dims the coarsest terms.
    assert solvated[coarse].sum() < without[coarse].sum()


def test_default_F_fills_what_the_model_has_not(folder: Path) -> None:
    table = table_of(default_F=3.0)
    assert F_at(table, 0, 0, 0) == 3.0
    assert F_at(table, 1, 0, 0) == 0.0  # a screw axis extinguishes it
    assert F_at(table, table.h_max, table.k_max, table.l_max) in (0.0, 3.0)
    assert table.table[0, 0, 0] == 3.0


def test_pdb_mmcif_and_packed_files_are_one(folder: Path) -> None:
    structure = gemmi.read_pdb_string(pdb_text())
    (folder / "m.cif").write_text(structure.make_mmcif_document().as_string())
    (folder / "packed").write_bytes(gzip.compress((folder / "m.pdb").read_bytes()))
    expected = table_of().values
    np.testing.assert_array_equal(table_of(pdb_file="packed").values, expected)
    np.testing.assert_allclose(table_of(pdb_file="m.cif").values, expected, rtol=0, atol=1e-3 * expected.max())
    assert Model("m.cif").cell == GROUPS["P 21 21 21"]


def test_the_table_is_kept_beside_the_image(folder: Path) -> None:
    notices: list[str] = []
    first = table_of(notices, folder)
    (kept,) = folder.glob("Fpdb_*.bin")
    assert [line.split(": ")[1].split(" are ")[1][:8] for line in notices] == ["computed", "kept in "]
    content = kept.read_bytes()
    again: list[str] = []
    second = table_of(again, folder)
    assert again == [f"-pdb m.pdb: structure factors to 2 Å are read from {kept}"]
    np.testing.assert_array_equal(second.table, first.table)
    assert (second.h_min, second.count, second.cell) == (first.h_min, first.count, first.cell)
    # Anything that changes the table has a file of its own.
    table_of(None, folder, hkl_dmin=2.5e-10)
    table_of(None, folder, default_F=1.0)
    (folder / "m.pdb").write_text(pdb_text(seed=6))
    assert not np.array_equal(table_of(None, folder).values, first.values)
    assert len(list(folder.glob("Fpdb_*.bin"))) == 4
    (folder / "m.pdb").write_text(pdb_text())
    for damaged in (content[:-8], b"", b"no dump", content[:100] + b"\xff" * 8 + content[108:]):
        kept.write_bytes(damaged)
        anew: list[str] = []
        np.testing.assert_array_equal(table_of(anew, folder).table, first.table)
        assert anew[0].startswith("structure factors are computed anew: ")
        assert kept.read_bytes() == content


def test_the_table_is_not_kept_where_that_is_not_wanted_or_fails(folder: Path) -> None:
    table_of(None, folder, write_dump=False)
    table_of(None, None)
    assert [path.name for path in folder.iterdir()] == ["m.pdb"]
    notices: list[str] = []
    table_of(notices, folder / "absent")
    assert notices[-1].startswith("-pdb m.pdb: structure factors are not kept for the next run: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a readable PDB, mmCIF or CIF model"),
        ("HELLO\n", "not a readable PDB, mmCIF or CIF model"),
        (pdb_text().split("\n")[0] + "\nEND\n", "holds no atoms"),
        ("\n".join(pdb_text().split("\n")[1:]), r"states no unit cell \(CRYST1, or _cell\)"),
        (pdb_text().replace("   24.000   27.000   31.000", "    1.000    1.000    1.000"), "states no unit cell"),
        (pdb_text().replace("P 21 21 21", "P 5 5 5   "), "the space group 'P 5 5 5' is unknown"),
        (pdb_text().replace("          ZN", "          ES"), "element Es has no form factor"),
        ("data_x\n_cell.length_a 3\n", "holds no atoms|not a readable"),
    ],
)
def test_what_is_no_model_of_a_crystal(text: str, message: str, folder: Path) -> None:
    (folder / "m.pdb").write_text(text)
    with pytest.raises(InputError, match=rf"^-pdb m\.pdb: ({message})"):
        table_of()


def test_files_that_cannot_be_read(folder: Path) -> None:
    with pytest.raises(FileError, match=r"^-pdb none: cannot be read: no such file"):
        table_of(pdb_file="none")
    with pytest.raises(FileError, match=r"^-pdb \.: cannot be read: is a directory"):
        table_of(pdb_file=".")
    (folder / "packed").write_bytes(gzip.compress(pdb_text().encode())[:50])
    with pytest.raises(InputError, match=r"^-pdb packed: cannot be unpacked: "):
        table_of(pdb_file="packed")


def test_a_resolution_that_memory_does_not_hold(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"^-hkl_dmin 0\.001: .* takes a grid of .* points, .* GB.*; allowed are .*: give"
    ):
        table_of(hkl_dmin=1e-13)
    with pytest.raises(InputError, match=r"no reflection of 99 Å or coarser; a finer -hkl_dmin is allowed"):
        table_of(hkl_dmin=99e-10)
    with pytest.raises(InputError, match=r"^-pdb m\.pdb: give -hkl_dmin, the resolution"):
        table_of(hkl_dmin=0.0)


def test_remarks_on_a_model(folder: Path) -> None:
    atoms = pdb_text().split("\n")[1:-2]
    head = pdb_text("P 21 21 21").split("\n")[0]
    models = [head, "MODEL        1", *atoms, "ENDMDL", "MODEL        2", *atoms, "ENDMDL", "END", ""]
    (folder / "m.pdb").write_text("\n".join(models))
    notices: list[str] = []
    table_of(notices)
    assert notices[0] == "-pdb m.pdb: the first of 2 models is taken"
    assert notices[1] == (
        "-pdb m.pdb: structure factors are computed to 2 Å in P 21 21 21, with bulk solvent of "
        "0.35 electrons/Å^3 and B 46 Å^2"
    )
    (folder / "m.pdb").write_text(pdb_text("P 1").replace("P 1  ", "     "))
    notices.clear()
    in_p1 = table_of(notices)
    assert notices[0] == "-pdb m.pdb: states no space group; it is taken for P1"
    (folder / "m.pdb").write_text(pdb_text("P 1"))
    np.testing.assert_array_equal(in_p1.values, table_of().values)
    (folder / "m.pdb").write_text(pdb_text("P 1 21 1").replace("P 1 21 1  ", "P 21 21 21"))
    notices.clear()
    table_of(notices)
    assert notices[0] == "-pdb m.pdb: the unit cell 24 27 31 90 103 90 has not the symmetry of P 21 21 21"
    lines = pdb_text().split("\n")
    empty = [line[:54] + "  0.00" + line[60:] if line.startswith("HETATM") else line for line in lines]
    (folder / "m.pdb").write_text("\n".join(empty))
    notices.clear()
    assert not table_of(notices).values.any()
    assert notices[-1].startswith("-pdb m.pdb: all structure factors are 0")


@pytest.mark.parametrize(("occupancies", "cut"), [(("1.00", "1.00"), True), (("0.02", "0.02"), False)])
def test_rock_salt(occupancies: tuple[str, str], cut: bool, folder: Path) -> None:
    a, B = 5.64, 20.0
    lines = [f"CRYST1{a:9.3f}{a:9.3f}{a:9.3f}  90.00  90.00  90.00 F m -3 m"]
    for i, (element, x) in enumerate((("NA", 0.0), ("CL", a / 2))):
        place = f"{x:8.3f}   0.000   0.000  {occupancies[i]}{B:6.2f}"
        lines.append(f"HETATM{i + 1:5d} {element}   {element:>3} A{i + 1:4d}    {place}          {element}")
    (folder / "m.pdb").write_text("\n".join([*lines, "END", ""]))
    notices: list[str] = []
    table = table_of(notices, hkl_dmin=1e-10)
    assert any("2 atoms on special positions" in line for line in notices) == cut
    for h, k, l in ((1, 1, 1), (2, 0, 0), (2, 2, 0), (3, 1, 1), (-2, 2, -4)):
        stol2 = (h * h + k * k + l * l) / a**2 / 4.0
        sodium, chlorine = (gemmi.Element(element).it92.calculate_sf(stol2) for element in ("Na", "Cl"))
        F = 4.0 * abs(sodium + (-1) ** h * chlorine) * np.exp(-B * stol2)
        part = 1.0 if cut else 48 * 0.02
        # Of the grid; the solvent leaves no room in so small a cell.
        assert F_at(table, h, k, l) == pytest.approx(part * F, rel=2e-3)
    assert F_at(table, 1, 0, 0) == 0.0


JOB = "-pdb m.pdb -N 4 -nonoise -nopgm -quiet -detpixels 32 -pixel 3 -distance 100"


@pytest.mark.parametrize(
    "words",
    [
        "",
        "-curved_det",
        "-twotheta 30",
        "-detector_rotx 20 -detector_roty -15",
        "-distance 20",
        "-dispersion 20 -dispsteps 3",
        "-hdivrange 100 -hdivsteps 3",
        "-xds -ORGX 3 -ORGY 40",
        "-semantics exact -curved_det -Xbeam 10",
        "-interpolate",
    ],
)
def test_the_resolution_covers_every_pixel(words: str, folder: Path) -> None:
    """No sample of the picture looks up an index beyond the table's sphere."""
    from nbnumba.render.renderer import simulate

    settings = parse(f"{JOB} {words} -oversample 2 -cell 24 27 31".split()).settings
    lines: list[str] = []
    with notices_to(lines.append):
        found = resolve(settings)
    computed = float(next(line for line in lines if "computed to" in line).split("computed to ")[1].split()[0])
    assert computed < finest_spacing(found.detector, found.beam) * 1e10
    # A finer table gives the same picture, to the bit.
    finer = resolve(parse(f"{JOB} {words} -oversample 2 -cell 24 27 31 -hkl_dmin {0.7 * computed}".split()).settings)
    assert found.reflections is not None
    assert finer.reflections is not None
    assert finer.reflections.h_max > found.reflections.h_max
    pictures = [simulate(experiment).array for experiment in (found, finer)]
    assert pictures[0].max() > 0.0
    # The grid differs, and with it the amplitudes, by what direct summation shows above.
    np.testing.assert_allclose(pictures[0], pictures[1], rtol=0.02, atol=2e-3 * pictures[0].max())


def test_the_command_line_reads_a_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(f"{JOB} -cell 24 27 31 90 90 90".split()) == 0
    first = (folder / "floatimage.bin").read_bytes()
    assert "computed to" in capsys.readouterr().err
    assert len(list(folder.glob("Fpdb_*.bin"))) == 1
    assert not (folder / "Fdump.bin").exists()
    assert cli.main(JOB.split()) == 0  # the file's own cell, and the table that was kept
    err = capsys.readouterr().err
    assert "no crystal is given: -cell 24 27 31 90 90 90 is taken from -pdb m.pdb, in the orientation of -cell" in err
    assert "are read from Fpdb_" in err
    assert (folder / "floatimage.bin").read_bytes() == first
    (folder / "elsewhere").mkdir()
    assert cli.main([*JOB.split(), "-floatfile", "elsewhere/f.bin"]) == 0
    assert len(list((folder / "elsewhere").glob("Fpdb_*.bin"))) == 1
    capsys.readouterr()
    assert cli.main(f"{JOB} -cell 25 27 31 -nodump".split()) == 0
    assert (
        "the crystal has the cell 25 27 31 90 90 90, the file of its structure factors 24 27 31 90 90 90"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("-hkl x.hkl", 2, "-pdb m.pdb: stands beside -hkl x.hkl; give one of the two"),
        ("-hkl_column FP", 2, "-pdb m.pdb: stands beside -hkl_column FP; give one of the two"),
        ("-floatfile m.pdb", 2, "-floatfile m.pdb: -pdb reads the same file"),
        ("-pdb none.pdb", 3, "-pdb none.pdb: cannot be read: no such file or directory"),
    ],
)
def test_mistakes_on_the_command_line(
    words: str, status: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(f"{JOB} {words}".split()) == status
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"nbnumba: error: {message}")
    assert [path.name for path in folder.iterdir()] == ["m.pdb"]


def test_reach_of_the_picture_decides_without_hkl_dmin(folder: Path) -> None:
    notices: list[str] = []
    with notices_to(notices.append):
        load(Settings.of(pdb_file="m.pdb"), reach=NeededRange(3e-10, 1))
        load(Settings.of(pdb_file="m.pdb"), reach=NeededRange(3e-10, 3))
        load(Settings.of(pdb_file="m.pdb", dmin=5e-10), reach=NeededRange(3e-10, 1))
    found = [float(line.split("computed to ")[1].split()[0]) for line in notices]
    reciprocal = 1.0 / np.array(GROUPS["P 21 21 21"][:3])
    margin = np.linalg.norm(reciprocal)
    expected = [1 / (1 / (0.98 * d) + n * margin) for d, n in ((3.0, 1), (3.0, 3), (5.0, 1))]
    assert found == pytest.approx(expected, abs=0.0101)  # rounded down to a hundredth
    assert all(one <= other for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("indices", [1, 3])
def test_every_neighbor_that_is_looked_up_is_computed(indices: int, folder: Path) -> None:
    (folder / "m.pdb").write_text(pdb_text("P 1"))
    notices: list[str] = []
    with notices_to(notices.append):
        load(Settings.of(pdb_file="m.pdb"), reach=NeededRange(4e-10, indices))
    computed = float(notices[0].split("computed to ")[1].split()[0])
    cell = gemmi.UnitCell(*GROUPS["P 1"])
    rays = np.random.default_rng(1).normal(size=(500, 3))
    q = 0.25 * rays / np.linalg.norm(rays, axis=1, keepdims=True)  # at the finest spacing that is seen
    real = np.array(cell.orth.mat.tolist()).T
    nearest = np.rint(q @ real.T) if indices == 1 else np.floor(q @ real.T)
    for offset in [(0, 0, 0)] if indices == 1 else np.ndindex(4, 4, 4):
        found = nearest + (0 if indices == 1 else np.array(offset) - 1)
        assert cell.calculate_d_array(found.astype(np.int32)).min() >= computed


ATOMS = (
    ("N", 10.0, 10.0, 10.0),
    ("SE", 20.0, 20.0, 20.0),
    ("ZN", 5.0, 30.0, 20.0),
)


def _pdb(turn: np.ndarray, lengths: tuple[float, float, float] = (40.0, 50.0, 60.0)) -> str:
    """Return a model whose atoms, and SCALEn, stand in a frame that is turned; an atom has an anisotropic U."""
    scale = np.diag(1.0 / np.array([40.0, 50.0, 60.0])) @ turn.T
    lines = ["CRYST1{:9.3f}{:9.3f}{:9.3f}  90.00  90.00  90.00 P 21 21 21    4".format(*lengths)]
    lines += ["SCALE{}    {:10.6f}{:10.6f}{:10.6f}        0.00000".format(i + 1, *row) for i, row in enumerate(scale)]
    for number, (element, *place) in enumerate(ATOMS, 1):
        x, y, z = turn @ np.array(place)
        start = f"{number:5d} {element:>2}   ALA A{number:4d}    "
        lines.append(f"ATOM  {start}{x:8.3f}{y:8.3f}{z:8.3f}  1.00 20.00          {element:>2}  ")
        U = turn @ np.diag([0.3, 0.2, 0.1]) @ turn.T * 1e4
        six = [U[0, 0], U[1, 1], U[2, 2], U[0, 1], U[0, 2], U[1, 2]]
        lines.append(f"ANISOU{start[:-2]}" + "".join(f"{round(value):7d}" for value in six) + f"      {element:>2}  ")
    return "\n".join([*lines, "END", ""])


def test_atoms_are_carried_through_scale(tmp_path: Path) -> None:
    turned = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    tables = []
    for number, turn in enumerate((np.eye(3), turned)):
        path = tmp_path / f"{number}.pdb"
        path.write_text(("\ufeff" if number else "") + _pdb(turn), encoding="utf-8")
        table = load(Settings.of(pdb_file=str(path), hkl_dmin=4e-10, write_dump=False))
        assert table is not None
        tables.append(table.values)
    # Densities are float32 on a grid.
    np.testing.assert_allclose(tables[1], tables[0], atol=1e-3 * tables[0].max())
    assert tables[0].max() > 100.0


def test_scale_of_another_cell_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.pdb").write_text(_pdb(np.eye(3)[[1, 0, 2]] * [-1, 1, 1], (50.0, 40.0, 60.0)))
    with pytest.raises(InputError, match=r"x\.pdb: SCALEn contradicts the unit cell 50 40 60 90 90 90"):
        load(Settings.of(pdb_file=str(tmp_path / "x.pdb"), hkl_dmin=4e-10, write_dump=False))


SMALL = """data_small
_cell_length_a 8.1(2)
_cell_length_b 9.3
_cell_length_c 10.2
_cell_angle_alpha 90
_cell_angle_beta 104.5
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1 21/c 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
_atom_site_occupancy
Cu1 Cu 0 0 0 0.020(1) 1
S1 S 0.2130(4) 0.3310 0.1270 0.030 1
C1 C 0.4410 0.1240 0.3920 0.041 0.5
H1 H ? ? ? 0.05 1
loop_
_atom_site_aniso_label
_atom_site_aniso_U_11
_atom_site_aniso_U_22
_atom_site_aniso_U_33
_atom_site_aniso_U_23
_atom_site_aniso_U_13
_atom_site_aniso_U_12
S1 0.02 0.03 0.05 0.004 0.011 -0.006
"""


@pytest.mark.parametrize("spelling", ["", "upper", "B", "operations"])
def test_a_small_molecule_is_that_of_direct_summation(spelling: str, tmp_path: Path) -> None:
    text = SMALL
    if spelling == "upper":
        text = text.replace("_atom_site_fract_x", "_ATOM_SITE_FRACT_X").replace("_cell_length_a", "_CELL_LENGTH_A")
    elif spelling == "B":
        text = text.replace("U_iso_or_equiv", "B_iso_or_equiv")
        for U in ("0.020(1)", "0.030", "0.041"):
            text = text.replace(f" {U} ", f" {float(U[:5]) * 8 * np.pi**2:.6f} ")
    elif spelling == "operations":
        group = gemmi.SpaceGroup("P 1 21/c 1").operations()
        listed = "".join(f"'{operation.triplet()}'\n" for operation in group)
        text = text.replace(
            "_symmetry_space_group_name_H-M 'P 1 21/c 1'", f"loop_\n_space_group_symop_operation_xyz\n{listed}"
        )
    (tmp_path / "m.cif").write_text(text)
    notices: list[str] = []
    with notices_to(notices.append):
        table = load(Settings.of(pdb_file=str(tmp_path / "m.cif"), hkl_dmin=0.9e-10, write_dump=False))
    assert table is not None
    assert notices[0].endswith("m.cif: 1 atom without coordinates is left out")
    assert notices[1].endswith("structure factors are computed to 0.9 Å in P 1 21/c 1, no solvent")
    small = gemmi.make_small_structure_from_block(gemmi.cif.read_string(SMALL)[0])
    small.change_occupancies_to_crystallographic(0.2)
    small.setup_cell_images()
    for site in list(small.sites):
        if np.isnan(site.fract.x):
            site.occ, site.fract = 0.0, gemmi.Fractional(0, 0, 0)
    calculator = gemmi.StructureFactorCalculatorX(small.cell)
    hkl = [(h, k, l) for h in range(-6, 7, 3) for k in (0, 1, 4) for l in (0, 1, 2, 7)]
    hkl = [index for index in hkl if index != (0, 0, 0) and small.cell.calculate_d(index) > 0.9]
    direct = np.array([abs(calculator.calculate_sf_from_small_structure(small, index)) for index in hkl])
    found = np.array([F_at(table, *index) for index in hkl])
    # Of the grid, as for other models.
    assert np.abs(found - direct).max() < 0.01 * direct.max()
    assert direct.max() > 20.0


def test_small_molecules_that_cannot_be_read(tmp_path: Path) -> None:
    def error(text: str) -> str:
        (tmp_path / "m.cif").write_text(text)
        with pytest.raises(InputError) as caught:
            load(Settings.of(pdb_file=str(tmp_path / "m.cif"), hkl_dmin=0.9e-10, write_dump=False))
        return str(caught.value)

    number = "_symmetry_Int_Tables_number {}\nloop_"
    assert "number 15 that it states is not that of P 1 21/c 1, 14" in error(
        SMALL.replace("loop_", number.format(15), 1)
    )
    (tmp_path / "m.cif").write_text(SMALL.replace("loop_", number.format(14), 1))
    assert load(Settings.of(pdb_file=str(tmp_path / "m.cif"), hkl_dmin=2e-10, write_dump=False)) is not None
    assert "m.cif: the space group 'P x' is unknown" in error(SMALL.replace("P 1 21/c 1", "P x"))
    named = "loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n'-x,-y,-z'\nloop_"
    assert "operations that it lists are those of P -1, not of P 1 21/c 1" in error(SMALL.replace("loop_", named, 1))
    assert "the unit cell" in error(SMALL.replace("_cell_length_b 9.3", "_cell_length_b 0"))
    assert "holds no atoms" in error(SMALL.replace("_atom_site_fract_z", "_atom_site_other"))


def test_a_negative_U_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.cif").write_text(SMALL.replace("0.3920 0.041", "0.3920 -0.041"))
    notices: list[str] = []
    with notices_to(notices.append):
        load(Settings.of(pdb_file=str(tmp_path / "m.cif"), hkl_dmin=2e-10, write_dump=False))
    assert any("m.cif: 1 atom has a negative U" in line for line in notices)


def test_a_pdb_file_from_before_1996(tmp_path: Path) -> None:
    """Columns 73 to 80 held the entry's code and the number of the line, where element and charge stand now."""
    new = pdb_text()
    tables = []
    for number, text in enumerate((new, "".join(
        f"{line[:72]:72}1ABC{count:4d}\n" for count, line in enumerate(new.splitlines(), 95) if line[:6] != "ANISOU"
    ))):  # fmt: skip
        if number == 0:
            text = "\n".join(line for line in text.splitlines() if line[:6] != "ANISOU")
        (tmp_path / f"{number}.pdb").write_text(text)
        table = load(Settings.of(pdb_file=str(tmp_path / f"{number}.pdb"), hkl_dmin=3e-10, write_dump=False))
        assert table is not None
        tables.append(table.values)
    np.testing.assert_array_equal(tables[1], tables[0])
    assert tables[0].max() > 10.0


def test_segments_that_look_like_codes_stay() -> None:
    """A file of today may name a segment in these columns."""
    text = pdb_text().encode()
    assert without_line_numbers(text) == text
    named = b"\n".join(line[:72] + b"1ABC" + line[76:] if line[:4] == b"HETA" else line for line in text.split(b"\n"))
    assert without_line_numbers(named) == named


def test_an_atom_whose_numbers_are_none_is_refused() -> None:
    line = b"ATOM      1  N   ALA A   1      11.104   6.134   5.504  1.00 10.00           N\n"
    check_numbers(line + line[:54] + b"\nEND\n", "x.pdb")
    for bad, message in (
        (line.replace(b"11.104", b"11.x04"), r"x\.pdb, line 2: '11\.x04' in columns 31 to 38 is not a number"),
        (line.replace(b" 6.134", b"      "), r"line 2: '' in columns 39 to 46 is not a number"),
        (line.replace(b"1.00 10", b"1,00 10"), r"line 2: '1,00' in columns 55 to 60 is not a number"),
    ):
        with pytest.raises(InputError, match=message):
            check_numbers(line + bad, "x.pdb")
