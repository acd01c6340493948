"""What may differ from image to image: blank shots, several lattices, orientations of a table, files and words."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from nbnumba import Dataset
from nbnumba.batch import reference
from nbnumba.batch.reference import Base, make_base
from nbnumba.batch.sample import draw, image_experiment, image_words
from nbnumba.batch.spec import read_spec
from nbnumba.batch.spec_model import Spec
from nbnumba.cli import main
from nbnumba.errors import FileError, InputError
from nbnumba.experiment.ground_truth import A_matrix
from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.parameters.parser import parse
from nbnumba.render.renderer import simulate

CELL = "-cell 50 60 70 90 95 90 -misset 10 20 30"
REST = "-default_F 100 -detpixels 24 -pixel 1 -distance 60 -lambda 3 -N 4 -fluence 1e24 -shape gauss"
COMMAND = f"{CELL} {REST}"


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands with -hkl write a dump into the working folder, which those without would read."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def written(folder: Path, vary: str, command: str = COMMAND, count: int = 200, **top: object) -> str:
    lines = {"command": command, "count": count, "seed": 7} | top
    text = "".join(
        f"{key} = {value!r}\n".replace("True", "true").replace("False", "false") for key, value in lines.items()
    )
    path = folder / "s.toml"
    path.write_text(f"{text}[vary]\n{vary}\n")
    return str(path)


def made(folder: Path, vary: str, command: str = COMMAND, **top: object) -> tuple[Spec, Base]:
    spec, _ = read_spec(written(folder, vary, command, **top))
    return spec, make_base(spec)


def failure(folder: Path, vary: str, command: str = COMMAND, **top: object) -> str:
    with pytest.raises(InputError) as error:
        read_spec(written(folder, vary, command, **top))
    return str(error.value).removeprefix(f"{folder}/")


def is_drawn_by_its_words(spec: Spec, base: Base, image: int) -> Experiment:
    drawn = draw(spec, base, image)
    experiment = image_experiment(base, drawn)
    again = resolve(parse(image_words(base, drawn)).settings.changed(write_dump=False))
    np.testing.assert_array_equal(simulate(again, "cpu").array, simulate(experiment, "cpu").array)
    return experiment


def labels(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open() as file:
        return list(csv.DictReader(file))


def angle(one: np.ndarray, other: np.ndarray) -> float:
    """Angle of the rotation between two matrices of one cell [deg]."""
    turn = one @ np.linalg.inv(other)
    return math.degrees(math.acos(np.clip((np.trace(turn) - 1.0) / 2.0, -1.0, 1.0)))


class TestBlankShots:
    def test_the_share_of_hits(self, tmp_path: Path) -> None:
        spec, base = made(tmp_path, "hit_rate = 0.3", count=2000)
        hits = [draw(spec, base, image).values["hit"] for image in range(2000)]
        assert set(hits) == {0, 1}
        assert abs(np.mean(hits) - 0.3) < 5 * math.sqrt(0.3 * 0.7 / 2000)  # five standard errors

    @pytest.mark.parametrize("shape", ["gauss", "square"])
    @pytest.mark.parametrize("semantics", ["exact", "c"])
    def test_a_blank_shot_has_background_alone(self, shape: str, semantics: str, tmp_path: Path) -> None:
        command = f"{COMMAND} -shape {shape} -water 0.03"
        spec, base = made(tmp_path, "hit = 0", command, semantics=semantics)
        blank = is_drawn_by_its_words(spec, base, 0)
        water = simulate(blank, "cpu").array
        assert water.min() > 0.0
        assert water.max() < 1.6 * water.min()  # water alone falls off slowly
        spots = simulate(base.experiment, "cpu").array
        if semantics == "exact":  # as C scales water, spots do not show
            assert spots.max() > 2.0 * water.max()

    def test_labels_say_that_nothing_was_hit(self, tmp_path: Path) -> None:
        path = written(tmp_path, 'orientation = "random"\nhit_rate = 0.5', count=6, noise=False)
        assert main(["batch", path, "-o", str(tmp_path / "out")]) == 0
        rows = labels(tmp_path / "out")
        assert {row["hit"] for row in rows} == {"0", "1"}
        for row in rows:
            blank = row["hit"] == "0"
            assert (float(row["expected_photons"]) == 0.0) == blank
            assert math.isnan(float(row["A_11"])) == blank
        table = Dataset(path).labels
        assert [str(hit) for hit in table["hit"]] == [row["hit"] for row in rows]
        np.testing.assert_array_equal(table["A_23"], [float(row["A_23"]) for row in rows])

    def test_no_crystal_that_the_beam_meets(self) -> None:
        both = simulate(resolve(parse(f"{COMMAND} -crystal_share 0 -water 50".split()).settings), "cpu").array
        water = simulate(resolve(parse(f"{COMMAND} -default_F 1e-9 -water 50".split()).settings), "cpu").array
        np.testing.assert_allclose(both, water, rtol=1e-6)  # rounding of float32


class TestSeveralLattices:
    def test_each_has_an_orientation_of_its_own(self, tmp_path: Path) -> None:
        spec, base = made(tmp_path, 'orientation = "random"\ncrystals = { integers = [0, 3] }')
        counts = set()
        for image in range(12):
            drawn = draw(spec, base, image)
            experiment = image_experiment(base, drawn)
            counts.add(drawn.values["crystals"])
            assert drawn.values["hit"] == min(1, drawn.values["crystals"])
            assert len(experiment.crystals) == max(1, drawn.values["crystals"])
            first = A_matrix(experiment.crystals[0])
            assert all(angle(A_matrix(one), first) > 2.0 for one in experiment.crystals[1:])
        assert counts == {0, 1, 2, 3}
        two = next(image for image in range(12) if draw(spec, base, image).values["crystals"] == 2)
        whole = simulate(is_drawn_by_its_words(spec, base, two), "cpu").array
        alone, _ = made(tmp_path, 'orientation = "random"')
        np.testing.assert_array_equal(draw(alone, base, two).rotation, draw(spec, base, two).rotation)
        one = simulate(image_experiment(base, draw(alone, base, two)), "cpu").array
        assert np.all(whole >= one * (1.0 - 1e-6))  # rounding of float32
        assert whole.sum() > 1.05 * one.sum()

    def test_split_crystals(self, tmp_path: Path) -> None:
        spec, base = made(tmp_path, 'orientation = "random"\ncrystals = 3\nsplit_deg = 0.5')
        angles = []
        for image in range(150):
            first, *others = [A_matrix(one) for one in image_experiment(base, draw(spec, base, image)).crystals]
            angles += [angle(one, first) for one in others]
        # The length of a vector of three normal components: mean square 3 sigma^2; 300 of them, five standard errors.
        assert abs(np.mean(np.square(angles)) / (3 * 0.25) - 1.0) < 5 * math.sqrt(2.0 / 3.0 / 300)
        is_drawn_by_its_words(spec, base, 4)

    def test_the_same_in_all_images_of_a_rotation(self, tmp_path: Path) -> None:
        path = tmp_path / "s.toml"
        path.write_text(
            f'command = "{COMMAND}"\n[series]\nosc_deg = 1\nimages = 3\n[vary]\ncrystals = 2\nsplit_deg = 0.3\n'
        )
        from nbnumba.batch.series_spec import read_series

        (sweep,) = read_series(str(path))
        base = make_base(sweep.spec)
        lying = [
            [A_matrix(one) for one in image_experiment(base, draw(sweep.spec, base, image)).crystals]
            for image in range(3)
        ]
        np.testing.assert_array_equal(lying[0], lying[2])
        assert angle(lying[0][0], lying[0][1]) > 0.01

    def test_labels_of_all(self, tmp_path: Path) -> None:
        path = written(tmp_path, "crystals = { choice = [1, 2] }\nsplit_deg = 1", count=4, noise=False)
        assert main(["batch", path, "-o", str(tmp_path / "out")]) == 0
        rows = labels(tmp_path / "out")
        assert {row["crystals"] for row in rows} == {"1", "2"}
        assert all(math.isnan(float(row["A2_33"])) == (row["crystals"] == "1") for row in rows)

    @pytest.mark.parametrize(
        ("vary", "message"),
        [
            ("crystals = 2", "crystals: several would lie alike; give split_deg, or orientation"),
            ("split_deg = 2", "split_deg: goes with crystals"),
            ("crystals = 21", "crystals: 21 is out of range; allowed: a whole number from 0 to 20"),
            ("hit_rate = 1.5", "hit_rate: 1.5 is out of range; allowed: a number from 0 to 1"),
            ("hit_rate = nan", "hit_rate: nan is not a finite number; allowed: a number from 0 to 1"),
            ("hit_rate = { choice = [1] }", "hit_rate: {'choice': [1]} is not a number; allowed: a number from 0 to 1"),
            ("hit_rate = 0.5\nhit = 1", "hit: "),
            ('misset_x_deg = 3\norientation = "random"', "misset_x_deg: misset_x_deg contradicts a random orientation"),
        ],
    )
    def test_contradictions(self, vary: str, message: str, tmp_path: Path) -> None:
        found = failure(tmp_path, vary)
        assert message.split(": ", 1)[1] in found
        assert "[vary] " in found


class TestOrientations:
    def test_missets_take_the_place_of_the_command_s(self, tmp_path: Path) -> None:
        spec, base = made(tmp_path, "misset_x_deg = 5\nmisset_y_deg = { uniform = [0, 90] }")
        y = draw(spec, base, 3).values["misset_y_deg"]
        said = resolve(parse(f"{COMMAND} -misset 5 {y!r} 0 -semantics exact".split()).settings)
        varied = is_drawn_by_its_words(spec, base, 3)
        # Rounding, of turning back and turning anew.
        np.testing.assert_allclose(A_matrix(varied.crystal), A_matrix(said.crystal), atol=1e-15)

    def test_matrices_of_a_table(self, tmp_path: Path) -> None:
        spec, base = made(tmp_path, 'orientation = "random"', count=3)
        drawn = [A_matrix(image_experiment(base, draw(spec, base, image)).crystal) for image in range(3)]
        names = [f"{{}}_{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)]
        B = base.experiment.crystal.upright_reciprocal
        for letter, matrices in (("A", drawn), ("U", [A @ np.linalg.inv(B) for A in drawn])):
            lines = [",".join(repr(float(number)) for number in matrix.ravel()) for matrix in matrices]
            (tmp_path / "t.csv").write_text("\n".join([",".join(names).replace("{}", letter), *lines]))
            tabled, base = made(tmp_path, 'csv = "t.csv"', count=3)
            for image, A in enumerate(drawn):
                found = A_matrix(is_drawn_by_its_words(tabled, base, image).crystal)
                np.testing.assert_allclose(found, A, atol=1e-15)  # rounding of two inversions

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ("A_11,A_12\n1,2", "t.csv line 1: A_13 is missing; a matrix takes A_11 ... A_33"),
            ("ABC", "t.csv line 2: A_11 ... A_33: a*, b*, c* lie in one plane"),
            ("UVW", "t.csv line 2: U_11 ... U_33: is no rotation"),
        ],
    )
    def test_what_is_no_matrix(self, table: str, message: str, tmp_path: Path) -> None:
        if table in ("ABC", "UVW"):
            names = ",".join(f"{table[0]}_{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3))
            table = f"{names}\n1,2,3,4,5,6,7,8,9"
        (tmp_path / "t.csv").write_text(table)
        assert message in failure(tmp_path, 'csv = "t.csv"', count=1)

    def test_a_detector_that_tilts(self, tmp_path: Path) -> None:
        spec, base = made(tmp_path, "detector_rotx_deg = { normal = [0, 1] }\ntwotheta_deg = { uniform = [0, 9] }")
        values = draw(spec, base, 1).values
        experiment = is_drawn_by_its_words(spec, base, 1)
        words = f"{COMMAND} -semantics exact -detector_rotx {values['detector_rotx_deg']!r}".split()
        said = resolve(parse([*words, "-twotheta", repr(values["twotheta_deg"])]).settings)
        np.testing.assert_array_equal(experiment.detector.panels[0].origin, said.detector.panels[0].origin)
        np.testing.assert_array_equal(experiment.detector.panels[0].fast, said.detector.panels[0].fast)


class TestFilesAndWords:
    HKL: ClassVar = {"one.hkl": "1 0 0 5\n0 1 0 7\n", "two.hkl": "1 1 1 500\n2 1 0 70\n"}

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name, text in self.HKL.items():
            (tmp_path / name).write_text(text)
        return tmp_path

    def test_each_image_has_its_structure(self, folder: Path) -> None:
        command = COMMAND.replace("-default_F 100 ", "")
        spec, base = made(folder, 'structure = { choice = ["one.hkl", "two.hkl"], weights = [1, 3] }', command)
        chosen = [draw(spec, base, image).texts["structure"] for image in range(200)]
        assert abs(chosen.count("two.hkl") / 200 - 0.75) < 5 * math.sqrt(0.75 * 0.25 / 200)  # five standard errors
        for name, F in (("one.hkl", 5.0), ("two.hkl", 500.0)):
            experiment = is_drawn_by_its_words(spec, base, chosen.index(name))
            assert experiment.reflections is not None
            assert experiment.reflections.values.max() == max(F, 7.0)

    def test_files_of_a_table_and_labels(self, folder: Path) -> None:
        (folder / "t.csv").write_text("hkl,shape,N\ntwo.hkl,square,3\none.hkl,gauss,4\ntwo.hkl,round,5\n")
        path = written(folder, 'csv = "t.csv"', COMMAND.replace("-default_F 100 ", "").replace("-shape gauss", ""), 3,
                       images_per_file=1)  # fmt: skip
        assert main(["batch", path, "-o", str(folder / "out")]) == 0
        rows = labels(folder / "out")
        assert [(row["hkl"], row["shape"], row["N"]) for row in rows] == [
            ("two.hkl", "square", "3"), ("one.hkl", "gauss", "4"), ("two.hkl", "round", "5")
        ]  # fmt: skip
        pixels = [pixels for pixels, _ in Dataset(path)]
        assert [image.sum() for image in pixels] == [int(row["total_photons"]) for row in rows]
        (folder / "two.hkl").write_text("1 1 1 50\n")
        assert main(["batch", path, "-o", str(folder / "out"), "--resume"]) == 2  # a file has changed

    def test_a_mask_for_every_image(self, folder: Path) -> None:
        masks = np.ones((2, 24, 24), dtype=np.uint8)
        masks[0, :, :9] = masks[1, 15:] = 0
        for number, mask in enumerate(masks):
            np.save(folder / f"{number}.npy", mask)
        spec, base = made(folder, 'mask = { choice = ["0.npy", "1.npy"] }')
        for image in range(6):
            drawn = draw(spec, base, image)
            array = simulate(image_experiment(base, drawn), "cpu").array
            np.testing.assert_array_equal(array != 0.0, masks[int(drawn.texts["mask"][0])] != 0)

    @pytest.mark.parametrize(
        ("vary", "message"),
        [
            ("hkl = 3", "hkl: 3; allowed: the name of a file, in quotes, or { choice = [one, another, ...] }"),
            ("hkl = { uniform = [1, 2] }", "hkl: {'uniform': [1, 2]} is not a way to draw; allowed: the name of a"),
            ("hkl = { choice = [] }", "hkl: choice = []; it takes [one, another, ...]"),
            ('shape = { choice = ["square", "cube"] }', 'shape: \'cube\' is unknown; allowed: "square", "round"'),
            ('hkl = { choice = ["a", "b"], weights = [1] }', "hkl: weights = [1]; allowed: 2 numbers of at least 0"),
            ('shape = "square"', "command: -shape cannot stand here; shape below [vary] chooses it"),
        ],
    )
    def test_mistakes(self, vary: str, message: str, tmp_path: Path) -> None:
        assert message in failure(tmp_path, vary)

    def test_a_file_that_is_not_there(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = written(
            folder, 'structure = { choice = ["one.hkl", "none.hkl"] }', COMMAND.replace("-default_F 100", "")
        )
        assert main(["batch", path, "-o", str(folder / "out")]) == 3
        message = f"{path} line 5: [vary] structure: {folder / 'none.hkl'}: cannot be read: no such file or directory"
        assert message in capsys.readouterr().err
        assert not (folder / "out").exists()

    @pytest.mark.parametrize(
        ("vary", "key", "name"),
        [
            ('amorphous = { choice = ["none.stol:1", "water:0.5"] }', "amorphous", "none.stol"),
            ('mask = "none.img"\npsf = "gauss"', "mask", "none.img"),
            ('csv = "t.csv"', "csv", "none.hkl"),
        ],
    )
    def test_the_key_of_a_file_that_is_not_there_is_named(
        self, vary: str, key: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "t.csv").write_text("hkl\none.hkl\nnone.hkl\n")
        command = COMMAND.replace("-default_F 100", "") if key == "csv" else COMMAND
        path = written(folder, vary, command, count=2)
        assert main(["batch", path, "-o", str(folder / "out")]) == 3
        option = "-mask " if key == "mask" else ""
        message = f"{path} line 5: [vary] {key}: {option}{folder / name}: cannot be read: no such file or directory"
        assert message in capsys.readouterr().err
        with pytest.raises(FileError) as error:
            Dataset(path)
        assert f"[vary] {key}: " in str(error.value)


def test_each_choice_is_worked_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is room; structure factors are read once for all masks beside them."""
    for number in range(6):
        (tmp_path / f"{number}.hkl").write_text("".join(f"{h} 1 2 {number + h}\n" for h in range(1, 20)))
    shapes = 'shape = { choice = ["gauss", "round", "tophat"] }\n'
    structures = f"structure = {{ choice = {[f'{number}.hkl' for number in range(6)]} }}\n"
    command = COMMAND.replace("-default_F 100", "-nodump").replace(" -shape gauss", "")
    spec, base = made(tmp_path, shapes + structures, command, count=200)
    for size, kept in ((1 << 28, 18), (0, None)):
        monkeypatch.setattr(reference, "_SMALL", size)
        found: dict[tuple[str, ...], set[int]] = {}
        tables: dict[str, set[int]] = {}
        alive = []
        for image in range(200):
            texts = draw(spec, base, image).texts
            one = base.with_texts(texts)
            alive.append(one)  # so that no other takes its place in memory
            found.setdefault((texts["shape"], texts["structure"]), set()).add(id(one))
            tables.setdefault(texts["structure"], set()).add(id(one.experiment.reflections))
        assert len(found) == 18
        if kept is not None:
            assert {len(ones) for ones in found.values()} == {1}
            assert {len(ones) for ones in tables.values()} == {1}
        else:  # a few, with the one of the first choice
            assert max(len(ones) for ones in found.values()) > 1
            held = {id(one.experiment.reflections) for one in base._variants.values()}
            assert len(held | {id(base.experiment.reflections)}) <= reference.MOST_FACTORS + 1
