"""Structure factors by photon energy: against direct summation, tables of one's own, phases of an MTZ, images."""

from __future__ import annotations

import copy
import json
import pickle
import shlex
import shutil
from pathlib import Path

import gemmi
import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from reflection_files import write_mtz
from small_model import GROUPS, pdb_text

from nbnumba import Experiment, cli
from nbnumba.batch.reference import make_base
from nbnumba.batch.sample import draw, image_experiment
from nbnumba.batch.spec import read_spec
from nbnumba.errors import FileError, InputError
from nbnumba.experiment.resolve import resolve
from nbnumba.parameters.parser import parse
from nbnumba.parameters.settings import Settings
from nbnumba.render.renderer import simulate
from nbnumba.structure_factors import scatterers
from nbnumba.structure_factors.by_energy import SAME, EnergyFactors
from nbnumba.structure_factors.from_model import B_SOLVENT, K_SOLVENT, waves_of
from nbnumba.structure_factors.load import FactorSource
from nbnumba.structure_factors.symmetry import Layout, rotations_of
from nbnumba.structure_factors.table import ReflectionTable
from nbnumba.trace.passes import trace_image

D_MIN = 2.0
EDGE = 7112.0  # eV, K edge of iron
LINE = "-semantics exact -misset 10 20 30 -N 4 -distance 60 -detpixels 24 -pixel 2 -oversample 1 -nodump "


def iron(group: str = "P 21 21 21") -> str:
    """Return a model with two atoms of iron, A/6/FE5 and A/12/FE1."""
    return pdb_text(group).replace("ZN", "FE")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.pdb").write_text(iron())
    return tmp_path


def by_energy(**fields: object) -> EnergyFactors:
    settings = Settings.of(**{"pdb_file": "m.pdb", "hkl_dmin": D_MIN * 1e-10, "anomalous": True, **fields})
    with FactorSource(settings) as source:
        found = source.by_energy()
    assert found is not None
    return found


def F_at(table: ReflectionTable, hkl: NDArray[np.int64]) -> NDArray[np.float64]:
    h, k, l = (hkl - [table.h_min, table.k_min, table.l_min]).T
    return table.values[h, k, l]


def direct(structure: gemmi.Structure, hkl: NDArray[np.int64], energy: float, elements: str = "") -> np.ndarray:
    """Sum over all atoms and operations, f0 + f' + i f'' of every element; or f' + i f'' of some elements alone."""
    fractions = np.array(structure.cell.frac.mat.tolist())
    total = np.zeros(len(hkl), dtype=np.complex128)
    for operation in structure.find_spacegroup().operations():
        turned = hkl @ np.array(operation.rot) // 24
        shift = np.exp(2j * np.pi * (hkl @ np.array(operation.tran)) / 24.0)
        q = turned @ fractions
        for where in structure[0].all():
            atom = where.atom
            if elements and atom.element.name.upper() not in elements.split():
                continue
            f1, f2 = gemmi.cromer_liberman(atom.element.atomic_number, energy)
            stol2 = np.sum(q**2, axis=1) / 4.0
            f0 = 0.0 if elements else np.array([atom.element.it92.calculate_sf(float(s)) for s in stol2])
            if atom.aniso.nonzero():
                damping = np.exp(-2.0 * np.pi**2 * np.einsum("ni,ij,nj->n", q, atom.aniso.as_mat33().tolist(), q))
            else:
                damping = np.exp(-atom.b_iso * stol2)
            phase = np.exp(2j * np.pi * (turned @ np.array(structure.cell.fractionalize(atom.pos).tolist())))
            total += atom.occ * (f0 + f1 + 1j * f2) * damping * phase * shift
    return total


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("energy", [EDGE - 3.0, EDGE + 15.0])
def test_both_sides_of_the_iron_edge_against_direct_summation(group: str, energy: float) -> None:
    structure = gemmi.read_pdb_string(iron(group))
    structure.setup_cell_images()
    hkl, normal = waves_of(structure, D_MIN, 0.0, 0.0)  # without solvent, which has no atoms to sum over
    found = scatterers.found_in(structure, (), "model")
    assert [one.name for one, _ in found] == ["C", "Fe", "N", "O", "S"]
    factors = EnergyFactors(
        scatterers=tuple(one for one, _ in found),
        normal=normal,
        partial=np.array([scatterers.partial_waves(structure, atoms, hkl, D_MIN, 1.5) for _, atoms in found]),
        layout=Layout(hkl, structure.find_spacegroup().operations(), 0.0, "model"),
        d_min=D_MIN,
        cell=structure.cell.parameters,
        place="model",
    )
    (table,) = factors.tables(np.array([energy]))
    size = np.abs(normal).max()
    for rotation in rotations_of(structure.find_spacegroup().operations()):
        turned = hkl @ rotation
        for sign in (1, -1):
            expected = np.abs(direct(structure, sign * turned, energy))
            # Density on a grid of float32: what the test of the model's own amplitudes allows.
            np.testing.assert_allclose(F_at(table.reflections, sign * turned), expected, atol=3e-4 * size)
    plus, minus = np.abs(direct(structure, hkl, energy)), np.abs(direct(structure, -hkl, energy))
    ours = F_at(table.reflections, hkl) - F_at(table.reflections, -hkl)
    assert np.corrcoef(ours, plus - minus)[0, 1] > 0.9999
    # The difference is one of this edge: large above, where f'' is 3.9 electrons, small below.
    assert np.std(plus - minus) / np.std(plus) > (0.02 if energy > EDGE else 0.0)


def test_what_each_kind_of_atoms_adds_is_its_sum() -> None:
    structure = gemmi.read_pdb_string(iron("P 1 21 1"))
    structure.setup_cell_images()
    hkl, _ = waves_of(structure, D_MIN, 0.0, 0.0)
    for one, atoms in scatterers.found_in(structure, (), "model"):
        f1, f2 = gemmi.cromer_liberman(gemmi.Element(one.name).atomic_number, EDGE)
        expected = direct(structure, hkl, EDGE, one.name.upper()) / (f1 + 1j * f2)
        # Float32 on the grid.
        np.testing.assert_allclose(
            scatterers.partial_waves(structure, atoms, hkl, D_MIN, 1.5), expected, atol=2e-4 * np.abs(expected).max()
        )


def test_far_from_every_edge_nothing_but_solvent_and_f0_counts(folder: Path) -> None:
    shutil.copyfile("m.pdb", "n.pdb")
    zero = folder / "zero.txt"
    zero.write_text("1000 0 0\n100000 0 0\n")
    every = tuple((name, str(zero)) for name in ("C", "N", "O", "S", "Fe"))
    (table,) = by_energy(anomalous_files=every).tables(np.array([EDGE, 9000.0]))
    with FactorSource(Settings.of(pdb_file="n.pdb", hkl_dmin=D_MIN * 1e-10)) as source:
        plain = source.load()
    assert plain is not None
    np.testing.assert_allclose(table.reflections.table, plain.table, rtol=1e-12, atol=1e-12)


def test_tables_of_sites_and_elements(folder: Path) -> None:
    """Two oxidation states of iron: edges 4 eV apart, at atoms that are named."""
    for name, edge in (("two", 7116.0), ("three", 7120.0)):
        energies = np.arange(7080.0, 7160.0)
        f2 = 0.5 + 3.4 / (1.0 + np.exp(-(energies - edge)))
        f1 = -6.0 - 2.0 / (1.0 + ((energies - edge) / 3.0) ** 2)
        np.savetxt(f"{name}.txt", np.column_stack([energies, f1, f2]), header="eV f' f''")
    files = (("A/6/FE5", "two.txt"), ("fe", "three.txt"))
    factors = by_energy(anomalous_files=files)
    names = [one.name for one in factors.scatterers]
    assert names == ["A/6/FE5", "C", "Fe", "N", "O", "S"]
    assert [one.count for one in factors.scatterers] == [1, 4, 1, 2, 2, 2]
    between = np.array([7118.0])
    values = dict(zip(names, (one.factors(between)[0] for one in factors.scatterers), strict=True))
    assert values["A/6/FE5"].imag > values["Fe"].imag + 2.0
    # An element's table serves its other atoms; the site has its own, the others are gemmi's.
    both = by_energy(anomalous_files=(("FE", "three.txt"),))
    plus, _ = factors.amplitudes(np.array(list(values.values())))
    swapped, _ = factors.amplitudes(np.array([values["Fe"], *list(values.values())[1:]]))
    expected, _ = both.amplitudes(np.array([values[name] for name in ("C", "Fe", "N", "O", "S")]))
    np.testing.assert_allclose(swapped, expected, atol=1e-4 * expected.max())  # float32 on the grid
    assert np.abs(plus - expected).max() > 0.01 * expected.max()
    with pytest.raises(InputError, match=r"A/6/FE5=two.txt: covers 7080 to 7159 eV; the beam has 9000 to 9000 eV"):
        factors.tables(np.array([9000.0]))


def test_channels_are_grouped_by_what_changes(folder: Path) -> None:
    factors = by_energy()
    energies = np.linspace(7000.0, 7230.0, 231)
    tables = factors.tables(energies)
    np.testing.assert_array_equal(np.sort(np.concatenate([table.channels for table in tables])), np.arange(231))
    for table in tables:
        for one in factors.scatterers:
            values = one.factors(energies[table.channels])
            assert np.ptp(values.real) <= SAME
            assert np.ptp(values.imag) <= SAME
    sizes = [len(table.channels) for table in tables]
    assert sizes[0] > 1  # far below the edge
    near = next(table for table in tables if EDGE - 0.6 < energies[table.channels[0]] < EDGE + 0.6)
    assert len(near.channels) == 1
    given = factors.tables(energies[::-1], 10)
    assert [len(table.channels) for table in given] == [24] + [23] * 9
    assert energies[::-1][given[0].channels].max() < energies[::-1][given[1].channels].min()
    assert [len(table.channels) for table in factors.tables(energies[:3], 10)] == [1, 1, 1]
    again = factors.tables(energies, None)
    once_more = factors.tables(energies, None)
    assert all(one.reflections is other.reflections for one, other in zip(again, once_more, strict=True))


@pytest.mark.parametrize("group", ["P 1 21 1", "P 21 21 21"])
def test_phases_of_an_mtz_serve_as_the_model_does(folder: Path, group: str) -> None:
    (folder / "m.pdb").write_text(iron(group))
    structure = gemmi.read_pdb("m.pdb")
    structure.setup_cell_images()
    hkl, normal = waves_of(structure, D_MIN, K_SOLVENT, B_SOLVENT)
    columns = [("FC", "F", np.abs(normal)), ("PHIC", "P", np.degrees(np.angle(normal)))]
    write_mtz(folder / "f.mtz", group, [tuple(row) for row in hkl.tolist()], columns, cell=GROUPS[group])
    energies = np.array([EDGE - 30.0, EDGE + 8.0])
    models = by_energy().tables(energies)
    phased = by_energy(hkl_file="f.mtz", hkl_column="FC", phase_column="PHIC").tables(energies)
    for one, other in zip(phased, models, strict=True):
        # Float32 in the MTZ and on the grid, whose spacing follows from the reflections of the file.
        np.testing.assert_allclose(
            one.reflections.table, other.reflections.table, atol=1e-4 * other.reflections.table.max()
        )


def record(words: str) -> Experiment:
    return resolve(parse((LINE + words).split()).settings)


@pytest.mark.parametrize("semantics", ["exact", "c"])
def test_image_is_the_sum_over_its_channels(folder: Path, semantics: str) -> None:
    (folder / "s.txt").write_text("7100 1\n7111 2\n7114 4\n7150 1\n")
    common = f"-pdb m.pdb -hkl_dmin 2 -anomalous -nopolar -semantics {semantics} "
    whole = record(common + "-spectrum_file s.txt")
    assert len(whole.crystal.energy_groups) == 4
    image = simulate(whole, threads=1)
    expected = sum(
        share / 8.0 * simulate(record(common + f"-energy {energy}"), threads=1).array.astype(np.float64)
        for energy, share in ((7100, 1), (7111, 2), (7114, 4), (7150, 1))
    )
    # float32 of every image.
    np.testing.assert_allclose(image.array, expected, rtol=4e-7)
    one_table = simulate(record(common.replace("-anomalous ", "") + "-spectrum_file s.txt"), threads=1).array
    assert np.abs(one_table - expected).max() > 0.01 * expected.max()
    slow, fast = np.unravel_index(np.argmax(image.array), image.array.shape)
    trace, _ = trace_image(whole, (int(slow), int(fast)), float(image.array[slow, fast]), image.latches)
    assert len(trace.passes) == 4
    assert trace.quantities["I_pixel_final"] == pytest.approx(float(image.array[slow, fast]), rel=1e-6)


def test_command_line_reports_tables_and_memory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "-pdb m.pdb -hkl_dmin 2 -anomalous -spectrum gauss:7112:20:12 -nonoise -nopgm -h5file a.h5 -threads 1"
    assert cli.main((LINE + words).split()) == 0
    out = capsys.readouterr().out
    assert "tables for 12 energies from 7084.5 to 7139.5 eV, " in out
    assert " MB; anomalous scatterers C Fe N O S" in out
    with h5py.File("a.h5") as file:
        said = json.loads(file["/entry/ground_truth/anomalous"].asstr()[0])
    assert (said[0]["energies_ev"][0], said[-1]["energies_ev"][1]) == pytest.approx((7084.5, 7139.5))
    assert list(said[0]["f"]) == ["C", "Fe", "N", "O", "S"]
    assert said[0]["f"]["Fe"][1] < 1.0 < 3.0 < said[-1]["f"]["Fe"][1]  # below and above the edge
    assert cli.main((LINE + words + " -anomalous_bins 3").split()) == 0
    assert "structure factors by energy: 3 tables for 12 energies" in capsys.readouterr().out


def test_a_batch_computes_the_model_once(folder: Path) -> None:
    (folder / "spec.toml").write_text(
        f'command = "{LINE.replace("-semantics exact ", "")}-pdb m.pdb -anomalous -hkl_dmin 3 '
        '-spectrum sase:7112:30:2:12 -anomalous_bins 4"\ncount = 3\n[vary]\norientation = "random"\n'
    )
    spec, _ = read_spec("spec.toml")
    base = make_base(spec)
    made = [image_experiment(base, draw(spec, base, image)) for image in range(2)]
    for one in made:
        assert len(one.crystal.energy_groups) == 4
        for group, first in zip(one.crystal.energy_groups, base.experiment.crystal.energy_groups, strict=True):
            assert group.reflections is first.reflections  # the channels are the same, and so are the tables
    assert not np.array_equal(made[0].beam.sources.weights, made[1].beam.sources.weights)


def test_keywords_say_the_same_as_a_command(folder: Path) -> None:
    Path("fe.txt").write_text("7000 -4 0.5\n7112 -8 0.5\n7113 -8 3.9\n7300 -5 3.8\n")
    made = Experiment(
        pdb="m.pdb",
        hkl_dmin_A=3,
        anomalous_file="FE=fe.txt A/6/FE5=fe.txt",
        anomalous_bins=3,
        spectrum="sase:7112:40:3:9",
        spectrum_seed=4,
        gauss_hdiv_mrad=2,
        gauss_divs=3,
        cell=(24, 27, 31),
        N=5,
        distance_mm=60,
        detpixels=16,
        pixel_mm=3,
        oversample=1,
    )
    assert len(made.crystal.energy_groups) == 3
    assert sum(len(group.sources) for group in made.crystal.energy_groups) == 27
    again = Experiment.from_command(shlex.join(made.command))
    np.testing.assert_array_equal(simulate(again, threads=1).array, simulate(made, threads=1).array)
    there = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(simulate(there, threads=1).array, simulate(made, threads=1).array)
    assert copy.deepcopy(made).replace(distance_mm=90).crystal.energy_groups
    moved = made.replace(distance_mm=90)
    for one, other in zip(moved.crystal.energy_groups, made.crystal.energy_groups, strict=True):
        assert one.reflections is other.reflections
    assert not made.replace(anomalous_file="FE=fe.txt", anomalous_bins=1).crystal.energy_groups
    with pytest.raises(InputError, match="spectrum, wavelength_A: give one of the two"):
        made.replace(wavelength_A=1.0)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ("-default_F 1 -anomalous", InputError, "-anomalous: there are no atoms; give -pdb FILE"),
        ("-default_F 1 -anomalous_bins 3", InputError, "-anomalous_bins: 3 has no effect without -anomalous"),
        ("-pdb m.pdb -phase_column PHIC", InputError, "-phase_column: PHIC has no effect without -hkl"),
        ("-pdb m.pdb -hkl f.mtz -phase_column PHIC", InputError, "has no effect without -anomalous"),
        ("-pdb m.pdb -hkl f.mtz -anomalous", InputError, "stands beside -hkl f.mtz; give one of the two"),
        ("-pdb m.pdb -hkl a.hkl -anomalous -phase_column PHIC", InputError, "is a text list, not an MTZ"),
        (
            "-pdb m.pdb -hkl f.mtz -anomalous -phase_column P",
            InputError,
            "-phase_column P: .*has no such column; it has",
        ),
        ("-pdb m.pdb -hkl f.mtz -anomalous -phase_column FC", InputError, "is of type F in .*; allowed is type P"),
        ("-pdb m.pdb -hkl f.mtz -anomalous -phase_column PHIC", InputError, "has the cell 9 10 11 90 90 90, and"),
        ("-pdb m.pdb -anomalous_file FE", InputError, "-anomalous_file: 'FE' is not ELEMENT=FILE"),
        ("-pdb m.pdb -anomalous_file =fe.txt", InputError, "is not ELEMENT=FILE"),
        ("-pdb m.pdb -anomalous_file FE=none.txt", FileError, "-anomalous_file FE none.txt: cannot be read: no such"),
        ("-pdb m.pdb -anomalous_file SE=fe.txt", InputError, "'SE'=fe.txt: .*has no atom of this element"),
        ("-pdb m.pdb -anomalous_file A/7/FE5=fe.txt", InputError, "'A/7/FE5'=fe.txt: .*has no such atom"),
        ("-pdb m.pdb -anomalous_file FE=fe.txt -anomalous_file fe=fe.txt", InputError, "'fe' is given twice"),
        ("-pdb m.pdb -anomalous_file FE=bad.txt", InputError, "bad.txt, line 2: has 2 columns; a line is energy"),
        ("-pdb m.pdb -anomalous_file FE=short.txt", InputError, "holds 1 point; at least two are needed"),
        ("-pdb m.pdb -anomalous_file FE=twice.txt", InputError, "the energy 7000 stands twice"),
        ("-pdb m.pdb -anomalous_file FE=wild.txt", InputError, "a factor is beyond 1000 electrons"),
        ("-pdb m.pdb -anomalous_file FE=nan.txt", InputError, "line 1: 'nan' is no finite number"),
    ],
)
def test_contradictions_and_malformed_files(folder: Path, words: str, error: type[Exception], message: str) -> None:
    Path("a.hkl").write_text("1 2 3 4\n")
    Path("fe.txt").write_text("7000 -4 1\n9000 -3 2\n")
    Path("bad.txt").write_text("7000 -4 1\n9000 -3\n")
    Path("short.txt").write_text("# nothing more\n7000 -4 1\n")
    Path("twice.txt").write_text("7000 -4 1\n7000 -3 2\n")
    Path("wild.txt").write_text("7000 -4 1e4\n9000 -3 2\n")
    Path("nan.txt").write_text("7000 nan 1\n9000 -3 2\n")
    rows = [(1, 2, 3), (2, 0, 1)]
    columns = [("FC", "F", np.array([5.0, 6.0])), ("PHIC", "P", np.array([10.0, 20.0]))]
    write_mtz(folder / "f.mtz", "P 21 21 21", rows, columns)
    with pytest.raises(error, match=message) as raised:
        record("-energy 8000 " + ("-cell 24 27 31 " if "default_F" in words else "-hkl_dmin 3 ") + words)
    assert "\n" not in str(raised.value)
