"""Experiments from keywords, command lines and files, and the images drawn of them."""

from __future__ import annotations

import doctest
import math
import pickle
import pydoc
import random
import shutil
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from random_keywords import FILES, OF_FILES_ELSEWHERE, OF_OTHER_TESTS, makers, random_keywords

import nbnumba
from nbnumba import Experiment, FileError, InputError, Renderer, keywords, simulate
from nbnumba.example import INPUT_FILES
from nbnumba.geometry.vectors import random_rotation
from nbnumba.parameters.stub import keywords_module
from nbnumba.parameters.table import KEYWORDS
from nbnumba.structure_factors import fdump
from nbnumba.structure_factors.table import IndexBox

SMALL = {"cell": (40.0, 50.0, 60.0, 80.0, 95.0, 100.0), "default_F": 40.0, "N": 3, "detpixels": 12, "pixel_mm": 1.0}


def copy_inputs(folder: Path) -> None:
    for name in INPUT_FILES:
        shutil.copy(Path(nbnumba.example.__file__).parent / name, folder)


def small(**more: object) -> Experiment:
    return Experiment(**{**SMALL, **more})


@pytest.mark.parametrize("module", [nbnumba.experiment.model, nbnumba.render.renderer, nbnumba.render.image])
def test_examples_of_the_docstrings(module: object) -> None:
    assert doctest.testmod(module).failed == 0


def test_the_docstrings_have_examples() -> None:
    assert doctest.testmod(nbnumba.experiment.model).attempted >= 6


def test_keywords_draw_what_the_command_line_draws(tmp_path: Path) -> None:
    copy_inputs(tmp_path)
    line = (
        "-mat A.mat -hkl P1.hkl -lambda 1.1 -distance 90.5 -pixel 0.4 -detpixels_f 40 -detpixels_s 30 "
        "-Na 5 -Nb 6 -Nc 7 "
        "-mosaic 0.7 -mosaic_domains 4 -mosaic_seed 9 -phi 3 -osc 0.5 -phisteps 3 -oversample 2 -detector_rotx 3 "
        "-detector_roty -4 -detector_rotz 5 -twotheta 6 -pivot sample -polar 0.5 -fluence 1e25 -round_xtal -water 7 "
        "-detector_thick 300 -detector_abs 200 -detector_thicksteps 3 -oversample_omega -dispersion 2 -dispsteps 3 "
        "-hdivrange 1 -hdivsteps 2 -roi 3 35 2 28 -dmin 2 -nointerpolate -misset 10 20 30 -square_div -point_pixel "
        "-phi_sampling mid"
    )
    typed = Experiment.from_command(f"{line} -semantics exact", tmp_path)
    made = Experiment(
        matrix=tmp_path / "A.mat",
        hkl=str(tmp_path / "P1.hkl"),
        wavelength_A=1.1,
        distance_mm=90.5,
        pixel_mm=0.4,
        detpixels=(40, 30),
        N=(5, 6, 7),
        mosaic_spread_deg=0.7,
        mosaic_domains=4,
        mosaic_seed=9,
        phi_deg=3,
        osc_deg=0.5,
        phisteps=3,
        oversample=2,
        detector_rotation_deg=(3, -4, 5),
        twotheta_deg=6,
        pivot="sample",
        polarization=0.5,
        fluence=1e25,
        shape="round",
        water_um=7,
        thickness_um=300,
        attenuation_depth_um=200,
        thicksteps=3,
        oversample_omega=True,
        dispersion_percent=2,
        dispsteps=3,
        hdivrange_mrad=1,
        hdivsteps=2,
        roi=(3, 35, 2, 28),
        dmin_A=2,
        interpolate=False,
        misset_deg=(10, 20, 30),
        round_divergence=False,
        point_pixel=True,
    )
    picture = simulate(made).array
    assert picture.max() > 0.0
    np.testing.assert_array_equal(picture, simulate(typed).array)
    again = Experiment.from_command(made.command)  # the words that it states draw it again
    np.testing.assert_array_equal(picture, simulate(again).array)


def test_semantics_default_to_exact_for_keywords_and_to_c_for_a_command_line() -> None:
    assert small().semantics == "exact"
    assert small(semantics="c").semantics == "c"
    assert Experiment.from_command("nanoBragg -cell 40 -default_F 1 -detpixels 8").semantics == "c"


def test_the_types_of_the_keywords_are_those_of_the_table() -> None:
    assert Path(keywords.__file__).read_text() == keywords_module()
    assert set(keywords.Keywords.__annotations__) == set(KEYWORDS)


def test_an_array_of_reflections() -> None:
    rows = np.array([(h, k, l, 10.0 + h * h + k) for h in range(-3, 4) for k in range(-2, 3) for l in range(-2, 3)])
    ours = small(hkl=rows, default_F=0.0, N=5)
    assert ours.reflections is not None
    assert ours.reflections.values[0, 0, 0] == 10.0 + 9.0 - 2.0
    assert (ours.reflections.h_min, ours.reflections.l_max) == (-3, 2)
    assert simulate(ours).array.max() > 0.0


def test_an_array_of_reflections_equals_the_list(tmp_path: Path) -> None:
    rows = np.array([(h, k, l, 5.0 + h - k + 2 * l) for h in range(-4, 5) for k in range(-4, 5) for l in range(-4, 5)])
    (tmp_path / "P1.hkl").write_text("".join(f"{h:g} {k:g} {l:g} {F:g}\n" for h, k, l, F in rows))
    from_file = simulate(small(hkl=tmp_path / "P1.hkl")).array
    np.testing.assert_array_equal(simulate(small(hkl=rows)).array, from_file)


def test_orientation_by_U_and_by_A() -> None:
    U = random_rotation(np.random.default_rng(3))
    by_U = small(U_matrix=U)
    truth = simulate(by_U).ground_truth()
    np.testing.assert_allclose(truth.U_matrix, U, atol=1e-12)  # rounding of a product and an inverse
    np.testing.assert_allclose(truth.cell, SMALL["cell"], rtol=1e-12)
    by_A = Experiment(**{name: value for name, value in SMALL.items() if name != "cell"}, A_matrix=truth.A_matrix)
    np.testing.assert_array_equal(simulate(by_A).array, simulate(by_U).array)


def test_replace() -> None:
    near = small()
    far = near.replace(distance_mm=250.0)
    assert far.detector.panels[0].distance == pytest.approx(0.25, rel=1e-15)
    assert near.detector.panels[0].distance == pytest.approx(0.1, rel=1e-15)
    assert far.crystal.cells == (3, 3, 3)
    with pytest.raises(InputError, match="made from keywords"):
        Experiment.from_command("-cell 40 -default_F 1").replace(distance_mm=2.0)


def test_an_experiment_can_be_sent_to_another_process() -> None:
    ours = small()
    there = pickle.loads(pickle.dumps(ours))
    assert isinstance(there, Experiment)
    assert there.command == ours.command
    image = simulate(ours)
    np.testing.assert_array_equal(simulate(there).array, image.array)
    copied = pickle.loads(pickle.dumps(image))
    np.testing.assert_array_equal(copied.array, image.array)
    assert not copied.array.flags.writeable


def test_from_a_file(tmp_path: Path) -> None:
    copy_inputs(tmp_path)
    line = "-mat A.mat -hkl P1.hkl -distance 90 -pixel 0.4 -detpixels 32 -N 3"
    (tmp_path / "args.txt").write_text(
        f"# a still\nnanoBragg {line.replace('-distance', chr(92) + chr(10) + '-distance')}\n"
    )
    (tmp_path / "e.toml").write_text(
        'semantics = "c"\nmatrix = "A.mat"\nhkl = "P1.hkl"\ndistance_mm = 90\npixel_mm = 0.4\ndetpixels = 32\nN = 3\n'
    )
    picture = simulate(Experiment.from_command(line, tmp_path)).array
    for name in ("args.txt", "e.toml"):
        np.testing.assert_array_equal(simulate(Experiment.from_file(tmp_path / name)).array, picture)
    assert not (tmp_path / "Fdump.bin").exists()


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.txt: .*no such file"):
        Experiment.from_file(tmp_path / "none.txt")
    (tmp_path / "bad.toml").write_text("N = = 3\n")
    with pytest.raises(InputError, match=r"bad\.toml: .*line 1"):
        Experiment.from_file(tmp_path / "bad.toml")
    (tmp_path / "odd.toml").write_text("Nn = 3\n")
    with pytest.raises(InputError, match=r"odd\.toml: Nn is not a keyword"):
        Experiment.from_file(tmp_path / "odd.toml")
    (tmp_path / "date.TOML").write_text("cell = [40]\nhkl = 2020-01-01\n")
    with pytest.raises(InputError, match=r"date\.TOML: hkl: is not an array"):
        Experiment.from_file(tmp_path / "date.TOML")
    (tmp_path / "line.txt").write_text("-cell 40 -default_F\n")
    with pytest.raises(InputError, match=r"line\.txt: -default_F: needs a number"):
        Experiment.from_file(tmp_path / "line.txt")
    image = simulate(small())
    for name, what in (("a.img", "an SMV image"), ("a.cbf", "a CBF image"), ("a.png", "a PNG picture")):
        image.save(tmp_path / name)
        with pytest.raises(InputError, match=rf"{name}: is {what}; allowed: a command line as text, TOML, or an HDF5"):
            Experiment.from_file(tmp_path / name)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"distance_mm": 0}, r"^distance_mm: '0' is out of range; allowed: a number other than 0 \[mm\]"),
        ({"distance_mm": math.nan}, "^distance_mm: nan is not a finite number"),
        ({"N": "five"}, "^N: 'five' is not a whole number"),
        ({"N": (1, 2)}, "^N: 2 values; allowed: 1 or 3"),
        ({"beam_vector": (1, 0)}, "^beam_vector: 2 values; allowed: 3"),
        ({"beam_vector": (0, 0, 0)}, "^beam_vector: 0 0 0 has no direction"),
        ({"polarized": 1}, "^polarized: 1 is not allowed; allowed: True or False"),
        ({"oversample": True}, "^oversample: True is not a number"),
        ({"convention": "mosfilm"}, "^convention: 'mosfilm' is unknown; allowed: mosflm, denzo"),
        ({"shape": "cube"}, "^shape: 'cube' is unknown"),
        ({"semantics": "C"}, "^semantics: 'C' is unknown"),
        ({"wavelength_A": 1, "energy_ev": 12000}, "^wavelength_A, energy_ev: give one of the two"),
        ({"U_matrix": np.ones((3, 3))}, "^U_matrix: is not a rotation"),
        ({"U_matrix": [[1, 0], [0, 1]]}, r"^U_matrix: has the shape \(2, 2\)"),
        ({"cell": None, "A_matrix": np.ones((3, 3))}, "^A_matrix: .*one plane"),
        ({"cell": (40, 50, 60, 10, 10, 100)}, "^cell: angles"),
        ({"cell": None}, "^no crystal"),
        ({"hkl": np.zeros((4, 3))}, r"^hkl: has the shape \(4, 3\)"),
        ({"hkl": [[0.5, 0, 0, 1]]}, "^hkl: h, k and l must be whole numbers"),
        ({"hkl": [[1, 0, 0, math.nan]]}, "^hkl: every F must be a number"),
        ({"hkl": [[2e9, 0, 0, 1], [-2e9, 1, 1, 1]]}, "^hkl: indices .* need a table"),
        ({"detpixels": 10**6 + 1}, "^detpixels: '1000001' is out of range"),
        ({"distance_mm": 10**400}, "^distance_mm: inf is not a finite number"),
        ({"distance_mm": 1 + 2j}, "^distance_mm: .* is not a number"),
        ({"distance_mm": np.complex128(5)}, "^distance_mm: .* is not a number"),
        ({"distance_mm": np.array([[5.0]])}, "^distance_mm: .* is not a number"),
        ({"N": np.True_}, "^N: True is not a number"),
        ({"cell": {40.0, 50.0}}, "^cell: .* numbers in their order"),
        ({"cell": [40.0] * 7}, "^cell: 7 values; allowed: 1 to 6"),
        ({"cell": [40.0] * 7, "U_matrix": np.eye(3)}, "^cell: 7 values; allowed: 1 to 6"),
        ({"cell": (40, -50)}, "^cell: 40 -50 holds a negative number"),
        ({"cell": (40, 50, 60, 10, 10, 100), "U_matrix": np.eye(3)}, "^cell: angles"),
        ({"misset_deg": (1, 2)}, '^misset_deg: 2 values; allowed: 3, or "random"'),
        ({"convention": ["xds"]}, r"^convention: \['xds'\] is unknown"),
        ({"cell": None, "matrix": b"A.mat"}, "^matrix: b'A.mat' is not a name"),
        ({"hkl": b"P1.hkl"}, "^hkl: b'P1.hkl' is not a name"),
        ({"hkl": {(1, 2, 3): 5.0}}, "^hkl: is not an array of numbers"),
        ({"hkl": [(1, 2, 3), (1, 2, 3, 4)]}, "^hkl: is not an array of numbers"),
        ({"hkl": [(1, 2, 3, 4j)]}, "^hkl: is not an array of numbers"),
        ({"hkl": [(1, 2, 3, 4)], "hkl_dmin_A": 3}, "^hkl_dmin_A: goes with a file of reflections"),
        ({"hkl": [(1, 2, 3, 4)], "default_F": [1, 2]}, "^default_F: 2 values; allowed: 1"),
        ({"default_F": None}, "^no structure factors: give hkl FILE, pdb FILE or default_F F"),
    ],
)
def test_bad_values_name_the_keyword(more: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**more)


def test_a_missing_file_and_an_unknown_keyword() -> None:
    with pytest.raises(FileError, match=r"no_such\.mat"):
        small(cell=None, matrix="no_such.mat")
    with pytest.raises(FileError, match=r"^dump none\.bin: .*no such file"):
        small(dump="none.bin")
    with pytest.raises(TypeError, match="no keyword 'distance'; did you mean distance_mm"):
        small(distance=3)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("mosaic", "mosaic_spread_deg"),
        ("mosaic_deg", "mosaic_spread_deg"),
        ("lambda", "wavelength_A"),
        ("curved_det", "curved"),
        ("distanc_mm", "distance_mm"),
        ("mosaic_sed", "mosaic_seed"),
        ("badpx_seed", "badpix_seed"),
        ("rng_seed", None),
        ("foo", None),
    ],
)
def test_an_unknown_keyword_names_the_one_that_is_meant_or_none(typed: str, meant: str | None) -> None:
    with pytest.raises(TypeError) as caught:
        small(**{typed: 3})
    hint = f"; did you mean {meant}?" if meant else ""
    assert str(caught.value) == f"Experiment has no keyword {typed!r}{hint}"


def test_an_unknown_keyword_of_another_function_names_it() -> None:
    for typed, taken in (
        ("noise_seed", "Image.save takes"),
        ("seed", "Image.with_noise takes"),
        ("threads", "simulate and Renderer take"),
    ):
        with pytest.raises(TypeError) as caught:
            small(**{typed: 3})
        assert str(caught.value) == f"Experiment has no keyword {typed!r}; {taken} it"


def test_numbers_of_any_kind() -> None:
    plain = small(distance_mm=99.5, curved=True)
    for number in (np.float32(99.5), np.array(99.5), np.array([99.5]), Fraction(199, 2), Decimal("99.5"), "99.5"):
        assert small(distance_mm=number, curved=np.True_).command == plain.command


def test_what_was_given_can_change_later() -> None:
    A, reflections = np.eye(3) / 100, [[1, 2, 3, 50.0]]
    experiment = Experiment(A_matrix=A, hkl=reflections, N=iter((3, 4, 5)), detpixels=8)
    A[:], reflections[0][0] = 0, 7
    changed = experiment.replace(default_F=1)
    assert changed.crystal.cells == (3, 4, 5)
    assert changed.reflections is not None
    assert changed.reflections.h_min == 1
    np.testing.assert_allclose(changed.crystal.lengths_A, 100.0, rtol=1e-12)  # rounding of an inverse


def test_experiments_are_keys_and_say_what_they_are() -> None:
    experiment = small()
    assert {experiment: 1}[small()] == 1
    assert repr(experiment).startswith("<Experiment: -semantics exact ")
    image = simulate(experiment)
    assert repr(image).startswith("<Image: 12 x 12 pixels")
    np.testing.assert_array_equal(np.asarray(image), image.array)


def test_random_keywords_hold_every_keyword(tmp_path: Path) -> None:
    made = makers(random.Random(0), tmp_path).keys()
    assert made | OF_FILES_ELSEWHERE | OF_OTHER_TESTS == keywords.Keywords.__annotations__.keys()


def test_the_command_draws_what_random_keywords_draw(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    renderer, bright = Renderer("cpu"), 0
    for seed in range(150):
        given = random_keywords(seed, tmp_path)
        experiment = Experiment(**given)
        array = renderer.render(experiment).array
        for again in (Experiment.from_command(experiment.command), experiment.replace()):
            np.testing.assert_array_equal(renderer.render(again).array, array, err_msg=str(given))
        bright += bool(array.any())
    assert bright > 120


def test_the_command_draws_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jobs", "shots"):
        (tmp_path / name).mkdir()
    copy_inputs(tmp_path / "jobs")
    monkeypatch.chdir(tmp_path)
    typed = "-mat A.mat -hkl P1.hkl -N 3 -detpixels 16 -pixel 1"
    for experiment in (
        Experiment.from_command(typed, folder="jobs"),
        Experiment(matrix="jobs/A.mat", hkl="jobs/P1.hkl", N=3, detpixels=16, pixel_mm=1),
    ):
        image = simulate(experiment)
        image.save("shots/shot.h5")
        monkeypatch.chdir("jobs")
        for again in (
            Experiment.from_command(experiment.command),
            Experiment.from_file(tmp_path / "shots" / "shot.h5"),
        ):
            assert again.command == experiment.command
            np.testing.assert_array_equal(simulate(again).array, image.array)
        monkeypatch.chdir(tmp_path)


def test_the_command_names_the_dump_that_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_inputs(tmp_path)
    table = Experiment.from_command("-mat A.mat -hkl P1.hkl", tmp_path).reflections
    assert table is not None
    box = IndexBox(table.h_min, table.h_max, table.k_min, table.k_max, table.l_min, table.l_max)
    fdump.write(tmp_path / "Fdump.bin", table.values, box)
    monkeypatch.chdir(tmp_path.parent)
    experiment = Experiment.from_command("-mat A.mat -N 3", tmp_path.name)
    assert experiment.command[-2:] == ("-dump", str(tmp_path / "Fdump.bin"))
    again = Experiment.from_command(experiment.command).reflections
    assert again is not None
    np.testing.assert_array_equal(again.values, table.values)


def test_a_dump_beside_an_image_is_not_taken_for_its_own(tmp_path: Path) -> None:
    image = simulate(small())
    image.save(tmp_path / "shot.h5")
    (tmp_path / "Fdump.bin").write_bytes(b"another program's")
    again = simulate(Experiment.from_file(tmp_path / "shot.h5"))
    np.testing.assert_array_equal(again.array, image.array)


def test_an_orientation_drawn_from_the_time_is_kept() -> None:
    for experiment in (small(misset_deg="random"), Experiment.from_command("-cell 40 -default_F 3 -misset random")):
        again = Experiment.from_command(experiment.command)
        np.testing.assert_array_equal(again.crystal.real_space, experiment.crystal.real_space)
    experiment = small(misset_deg="random")
    nearer = experiment.replace(distance_mm=50)
    np.testing.assert_array_equal(nearer.crystal.real_space, experiment.crystal.real_space)
    assert nearer.replace(N=2).crystal.misset_seed == experiment.crystal.misset_seed
    assert "misset_seed" not in {name for name, value in nearer.origin.keywords.items() if value is not None}
    assert nearer.replace(misset_deg="random", misset_seed=3).crystal.misset_seed == 3
    assert nearer.replace(misset_deg=None).crystal.misset_seed is None


def test_replace_the_semantics() -> None:
    drawn = small(misset_deg="random", misset_seed=5)
    as_c = drawn.replace(semantics="c")
    assert as_c.semantics == "c"
    assert as_c.command[:2] == ("-semantics", "c")
    assert not np.array_equal(as_c.crystal.real_space, drawn.crystal.real_space)  # C's draw is not uniform


def test_reflections_in_memory_have_no_command(tmp_path: Path) -> None:
    experiment = small(hkl=[(1, 2, 3, 50.0)])
    assert experiment.command == ()
    assert "in memory" in repr(experiment)
    simulate(experiment).save(tmp_path / "shot.h5")
    with pytest.raises(InputError, match="holds no command line for image 0"):
        Experiment.from_file(tmp_path / "shot.h5")


def test_words_of_a_command() -> None:
    plain = Experiment.from_command(["-cell", "40", "-default_F", "3", "-N", "4"])
    for command in (
        ["nbnumba", "-cell", 40, "-default_F", 3, "-N", np.int64(4)],
        [Path("/opt/bin/nanoBragg"), "-cell", "40", "-default_F", "3", "-N", "4"],
        "./nanoBragg_omp -cell 40 \\\n  -default_F 3 \\\r\n -N 4 \\\n",
    ):
        assert Experiment.from_command(command).command == plain.command
    for bad in (b"-cell 40", ["-cell", None], ["-cell", b"40"]):
        with pytest.raises(InputError, match=r"^the command line: "):
            Experiment.from_command(bad)


def test_keywords_neither_read_nor_write_a_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Fdump.bin").write_bytes(b"not a dump")
    np.testing.assert_array_less(0.0, simulate(small()).array.max())
    assert (tmp_path / "Fdump.bin").read_bytes() == b"not a dump"


def test_a_beam_center_is_where_it_is_said_to_be_in_any_convention() -> None:
    for convention in ("mosflm", "denzo", "adxv", "xds", "dials"):
        for pivot, turn in (("beam", (0, 0, 0)), ("sample", (4, -3, 2)), ("beam", (4, -3, 2))):
            panel = small(
                convention=convention,
                pivot=pivot,
                detector_rotation_deg=turn,
                beam_center_fast_mm=3.25,
                beam_center_slow_mm=7.5,
            )
            spot = panel.detector.panels[0].position(7.5, 3.25)  # of pixels that are 1 mm wide
            distance = panel.detector.panels[0].distance
            # Rounding of sums of centimeters.
            np.testing.assert_allclose(spot, distance * panel.beam.direction, atol=1e-15)


def test_positions_of_pixels() -> None:
    panel = small(pixel_mm=0.5).detector.panels[0]
    slow, fast = np.mgrid[0:12, 0:12] + 0.5
    places = panel.position(slow, fast)
    assert places.shape == (12, 12, 3)
    expected = panel.origin + 0.0005 * (2.5 * panel.fast + 7.5 * panel.slow)
    np.testing.assert_allclose(places[7, 2], expected, rtol=1e-14, atol=1e-18)


def test_a_renderer_draws_many() -> None:
    renderer = Renderer("cpu", 1)
    experiments = [small(distance_mm=distance) for distance in (80.0, 100.0, 120.0)]
    images = list(renderer.render_many(experiments))
    assert [image.backend for image in images] == ["cpu"] * 3
    for experiment, image in zip(experiments, images, strict=True):
        assert image.experiment is experiment
        np.testing.assert_array_equal(image.array, simulate(experiment).array)
    assert not np.array_equal(images[0].array, images[1].array)


def test_engines_that_cannot_be_had() -> None:
    with pytest.raises(InputError, match="backend: 'gpu' is unknown; allowed: auto, cpu, cuda"):
        Renderer("gpu")
    with pytest.raises(InputError, match="precision: 'half' is unknown"):
        simulate(small(), precision="half")
    with pytest.raises(InputError, match=r"^threads: 0 is not possible; allowed: a whole number of at least 1"):
        Renderer(threads=0)
    with pytest.raises(InputError, match=r"^threads: 100000 is not between 1 and "):
        Renderer(threads=100000)
    for bad in ({"threads": 1.5}, {"threads": "2"}, {"threads": True}, {"device": -1}, {"device": "0"}):
        with pytest.raises(InputError, match=rf"allowed: a whole number of at least {int('threads' in bad)}"):
            simulate(small(), **bad)
    with pytest.raises(TypeError, match="an Experiment is needed, not dict"):
        simulate(SMALL)


@pytest.mark.requires("no GPU")
def test_the_backend_of_a_command_line_is_honored() -> None:
    experiment = Experiment.from_command("-cell 40 -default_F 1 -detpixels 8 -backend cuda")
    with pytest.raises(nbnumba.DeviceError):
        simulate(experiment)
    assert simulate(experiment, "cpu").backend == "cpu"


def test_noise_is_that_of_its_seed() -> None:
    image = simulate(small(fluence=1e29))
    first, again, other = (image.with_noise(seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.dtype == np.int32
    # Poisson: the deviation of the sum is the root of its mean; five of them.
    assert abs(float(first.sum()) - float(image.array.sum())) < 5.0 * math.sqrt(float(image.array.sum()))
    assert not np.array_equal(first, image.with_noise(4, number=1))
    with pytest.raises(InputError, match=r"^rng: 'mt' is unknown"):
        image.with_noise(1, "mt")


def test_importing_is_quick() -> None:
    heavy = "numba", "numpy", "h5py", "gemmi", "typer"
    code = (
        f"import sys, nbnumba; print([name for name in {heavy!r} if name in sys.modules], 'Experiment' in dir(nbnumba))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "[] True\n"


def test_replace_reads_reflections_again_only_where_they_change(tmp_path: Path) -> None:
    copy_inputs(tmp_path)
    first = small(hkl=tmp_path / "P1.hkl", N=5)
    (tmp_path / "P1.hkl").unlink()
    assert first.replace(distance_mm=80).reflections is first.reflections
    with pytest.raises(FileError, match=r"P1\.hkl"):
        first.replace(default_F=3.0)


def test_replace_computes_a_model_again_only_where_the_picture_decides_its_resolution(tmp_path: Path) -> None:
    atom = "HETATM    1  S    SO A   1       8.000   9.000  10.000  1.00 20.00           S\n"
    (tmp_path / "m.pdb").write_text(f"CRYST1   24.000   27.000   31.000  90.00  90.00  90.00 P 21 21 21\n{atom}END\n")
    given = {"pdb": tmp_path / "m.pdb", "N": 3, "detpixels": 12, "pixel_mm": 1.0, "distance_mm": 20}
    fixed, free = Experiment(**given, hkl_dmin_A=3), Experiment(**given)
    assert fixed.replace(distance_mm=10).reflections is fixed.reflections
    nearer = free.replace(distance_mm=10)
    assert free.reflections is not None
    assert nearer.reflections is not None
    assert nearer.reflections.count > free.reflections.count
    assert fixed.replace(hkl_dmin_A=4).reflections is not fixed.reflections


TINY = {"cell": (78, 78, 38), "default_F": 100, "N": 5, "detpixels": 24, "pixel_mm": 2.0}


def test_the_pixels_of_an_image_cannot_be_changed() -> None:
    image = simulate(Experiment(**TINY))
    with pytest.raises(ValueError, match="read-only"):
        image.array[0, 0] = 1.0
    copy = image.array.copy()
    copy[0, 0] = -1.0
    assert image.array[0, 0] != -1.0
    assert np.array(image, copy=True).flags.writeable


def test_experiments_are_equal_by_content(tmp_path: Path) -> None:
    one, same = Experiment(**TINY), Experiment(**TINY)
    assert one == same
    assert hash(one) == hash(same)
    assert one == pickle.loads(pickle.dumps(one)) == one.replace()
    line = "-semantics exact -cell 78 78 38 -default_F 100 -N 5 -detpixels 24 -pixel 2 -phi_sampling mid"
    assert one == Experiment.from_command(line)
    others = [
        one.replace(**{name: value})
        for name, value in {"N": 6, "detpixels": 25, "wavelength_A": 1.1, "fluence": 1e20, "phi_deg": 3.0,
                            "hkl": [[1, 0, 0, 5.0]], "semantics": "c", "oversample": 3, "water_um": 2.0}.items()
    ]  # fmt: skip
    assert len({one, same, *others}) == 1 + len(others)
    assert one != "another thing"
    listed = one.replace(hkl=[[1, 0, 0, 5.0], [0, 1, 0, 6.0]])
    assert listed == one.replace(hkl=np.array([[0, 1, 0, 6.0], [1, 0, 0, 5.0]]))
    assert listed != one.replace(hkl=[[1, 0, 0, 5.0], [0, 1, 0, 6.5]])


def test_only_public_names_are_listed() -> None:
    assert dir(nbnumba) == sorted(nbnumba.__all__)
    for name in nbnumba.__all__:
        assert getattr(nbnumba, name) is not None


def test_the_help_of_an_experiment_lists_its_keywords_with_units() -> None:
    text = pydoc.render_doc(Experiment, renderer=pydoc.plaintext)
    for line in ("wavelength_A : float", "Wavelength [Å].", "distance_mm : float", "detpixels : int | Sequence[int]"):
        assert line in text
    assert text.index("Other Parameters") < text.index("wavelength_A : float") < text.index("Raises")
    missing = [name for name in KEYWORDS if f" {name} : " not in text]
    assert missing == []
    assert '"""' not in text


def test_a_notebook_shows_an_experiment_as_a_table() -> None:
    html = Experiment(**TINY)._repr_html_()
    assert html.startswith("<table>")
    for piece in (
        "78 78 38 90 90 90 (Å, °); 5 x 5 x 5 cells, square",
        "24 x 24 pixels of 2 mm at 100 mm",
        "1 Å, 1 source",
    ):
        assert piece in html
    hostile = Experiment.from_command("-cell 78 -default_F 1 -detpixels 8 -mosaic_seed 5")
    assert "<script" not in hostile._repr_html_()


def test_an_image_is_plotted(tmp_path: Path) -> None:
    from matplotlib import pyplot

    pyplot.switch_backend("Agg")
    image = simulate(Experiment(**TINY))
    ax = image.plot(cmap="gray")
    shown = ax.get_images()[0]
    assert np.asarray(shown.get_array()).shape == (24, 24)
    labels = [text.get_text() for text in ax.texts]
    assert labels
    assert all(label.endswith(" Å") for label in labels)
    (cross,) = ax.get_lines()
    # MOSFLM's default center is the middle of the detector and half a pixel.
    np.testing.assert_allclose(cross.get_xydata()[0], [12.5, 12.5], atol=1e-9)
    assert ax.figure.axes[1].get_ylabel() == "photons/pixel (log)"
    own = pyplot.subplots()[1]
    assert image.plot(own, log=False, rings=False) is own
    assert not own.texts
    with pytest.raises(InputError, match="panel"):
        image.plot(panel=1)
    pyplot.close("all")
