"""Experiments of a batch: drawn from the seed and the image's number alone."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from nbnumba.batch.drawn import Draw
from nbnumba.batch.reference import Base, make_base
from nbnumba.batch.sample import draw, image_experiment, image_words
from nbnumba.batch.spec import read_spec
from nbnumba.batch.spec_model import Spec
from nbnumba.errors import InputError
from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.parameters.parser import parse

COMMAND = "-cell 50 60 70 80 95 100 -default_F 10 -detpixels 8 -distance 100"
EVERYTHING = """
orientation = "random"
energy_ev = { normal = [12398.0, 15.0] }
distance_mm = { uniform = [195, 205] }
beam_center_fast_mm = { normal = [0.4, 0.01] }
beam_center_slow_mm = { normal = [0.4, 0.01] }
N = { integers = [8, 20] }
mosaic_spread_deg = { uniform = [0.1, 0.5] }
fluence = { lognormal = [24, 0.5] }
cell_jitter_percent = 1.0
water_um = { choice = [0, 5.5] }
"""


def made(folder: Path, vary: str, command: str = COMMAND, **top: object) -> tuple[Spec, Base]:
    lines = {"command": command, "count": 5000, "seed": 7} | top
    text = "".join(
        f"{key} = {value!r}\n".replace("True", "true").replace("False", "false") for key, value in lines.items()
    )
    path = folder / "s.toml"
    path.write_text(f"{text}[vary]\n{vary}\n")
    spec, _ = read_spec(str(path))
    return spec, make_base(spec)


def same(one: Draw, other: Draw) -> bool:
    return one.values == other.values and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("rotation", "stretch", "mosaic_seed", "noise_seed", "noise_number")
    )


def test_an_image_depends_on_seed_and_number_alone(tmp_path: Path) -> None:
    spec, base = made(tmp_path, EVERYTHING)
    other, _ = made(tmp_path, EVERYTHING, count=9, images_per_file=2, dtype="float32", backend="cpu")
    drawn = [draw(spec, base, image) for image in range(9)]
    assert all(same(draw(other, base, image), drawn[image]) for image in reversed(range(9)))
    for name in ("energy_ev", "distance_mm", "fluence"):
        assert len({one.values[name] for one in drawn}) == 9
    assert len({one.mosaic_seed for one in drawn}) == 9
    reseeded, _ = made(tmp_path, EVERYTHING, seed=8)
    again = draw(reseeded, base, 0)
    assert all(again.values[name] != drawn[0].values[name] for name in ("energy_ev", "distance_mm", "fluence"))
    assert not np.allclose(np.asarray(again.rotation), np.asarray(drawn[0].rotation))


def test_a_further_key_changes_no_other(tmp_path: Path) -> None:
    whole, base = made(tmp_path, EVERYTHING)
    alone, _ = made(tmp_path, "fluence = { lognormal = [24, 0.5] }")
    turned, _ = made(tmp_path, 'orientation = "random"')
    for image in range(5):
        drawn = draw(whole, base, image)
        assert draw(alone, base, image).values["fluence"] == drawn.values["fluence"]
        assert np.array_equal(np.asarray(draw(turned, base, image).rotation), np.asarray(drawn.rotation))


def test_distributions(tmp_path: Path) -> None:
    spec, base = made(tmp_path, EVERYTHING)
    count = 2000
    drawn = [draw(spec, base, image).values for image in range(count)]
    column = {name: np.array([values[name] for values in drawn], dtype=np.float64) for name in drawn[0]}
    # Five standard errors of a mean and of a standard deviation of 2000 values.
    assert abs(column["energy_ev"].mean() - 12398.0) < 5 * 15 / math.sqrt(count)
    assert abs(column["energy_ev"].std() - 15.0) < 5 * 15 / math.sqrt(2 * count)
    assert column["distance_mm"].min() >= 195
    assert column["distance_mm"].max() <= 205
    assert abs(column["distance_mm"].mean() - 200.0) < 5 * 10 / math.sqrt(12 * count)
    assert set(column["N"]) == set(range(8, 21))
    assert set(column["water_um"]) == {0.0, 5.5}
    assert abs(np.log10(column["fluence"]).mean() - 24.0) < 5 * 0.5 / math.sqrt(count)
    assert abs(np.log10(column["fluence"]).std() - 0.5) < 5 * 0.5 / math.sqrt(2 * count)
    assert set(column["cell_jitter_percent"]) == {1.0}
    assert all(isinstance(values["N"], int) for values in drawn)


def test_impossible_draws_are_drawn_again(tmp_path: Path) -> None:
    spec, base = made(tmp_path, "distance_mm = { normal = [0, 1] }\nN = { integers = [1, 3] }")
    drawn = [draw(spec, base, image).values for image in range(300)]
    assert all(0.0 < values["distance_mm"] < 10.0 for values in drawn)
    assert {values["N"] for values in drawn} == {1, 2, 3}


def test_what_draws_nothing_possible_ends_with_an_error(tmp_path: Path) -> None:
    spec, base = made(tmp_path, "energy_ev = { normal = [-1000, 1] }")
    with pytest.raises(InputError, match=r"image 3: energy_ev = { normal = \[-1000, 1\] } drew 100 impossible values"):
        draw(spec, base, 3)
    wild, base = made(tmp_path, "cell_jitter_percent = 1e9")
    # Three factors above 0 come once in eight draws.
    assert draw(wild, base, 0).stretch is not None


def equal(one: Experiment, other: Experiment) -> None:
    """Compare two experiments in all that the picture depends on."""
    for name in ("crystal", "beam", "detector", "goniometer", "sampling"):
        a, b = dataclasses.asdict(getattr(one, name)), dataclasses.asdict(getattr(other, name))
        # The angles of -misset are in the matrix already.
        for gone in ("misset", "misset_seed") if name == "crystal" else ():
            del a[gone], b[gone]
        if name == "goniometer" and not one.goniometer.sweeps:
            del a["sampling"], b["sampling"]
        np.testing.assert_equal(a, b, err_msg=name)
    assert one.water_size == other.water_size


MATRIX = "0.0021 0.0003 -0.001 0.0004 0.0018 0.0002 0.0011 -0.0001 0.0016"
COMMANDS = {
    "cell": COMMAND,
    "matrix": "-mat a.mat -lambda 0.1 -default_F 1 -detpixels 8",
    "matrix and cell": "-mat a.mat -cell 50 60 70 80 95 100 -default_F 1 -detpixels 8 -misset 1 2 3",
    "vectors": f"-A_matrix {MATRIX} -default_F 1 -detpixels 8 -misset random -misset_seed 4",
    "size": f"{COMMAND} -samplesize 0.001 -flux 1e12 -beamsize 0.01",
    "pivot": "-cell 50 -default_F 1 -distance 90 -twotheta 10 -detpixels 8",
    "pivot back": "-cell 50 -default_F 1 -twotheta 10 -distance 90 -detpixels 8 -Xbeam 0.1 -energy 9000",
    "pivot of XDS": "-xds -cell 50 -default_F 1 -twotheta 10 -detpixels 8",
    "noisy domains": f"{COMMAND} -mosaic 1 -mosaic_domains 3",
    "given domains": f"{COMMAND} -mosaic 1 -mosaic_domains 3 -mosaic_seed 5",
}
KEYS = {
    "everything": EVERYTHING,
    "nothing": "",
    "energy": "energy_ev = { normal = [12398.0, 15.0] }",
    "distance": "distance_mm = { uniform = [195, 205] }",
    "one axis": "Na = { integers = [3, 9] }\nNc = 5",
    "cell": "cell_jitter_percent = 2",
    "orientation": 'orientation = "random"',
}


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_words_of_an_image_draw_it(command: str, keys: str, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_text(MATRIX)
    spec, base = made(tmp_path, KEYS[keys], COMMANDS[command])
    drawn = draw(spec, base, 3)
    words = image_words(base, drawn)
    equal(resolve(parse(words).settings), image_experiment(base, drawn))


PLACES = [
    ("-xds", ("ORGX", "ORGY")),
    ("-dials -twotheta 5", ("ORGX", "ORGY")),
    ("-adxv", ("Xbeam_mm", "Ybeam_mm")),
    ("-denzo -twotheta 5", ("Xbeam_mm", "Ybeam_mm", "twotheta_deg")),
    ("", ("close_distance_mm", "detector_rotx_deg")),
    ("-Xbeam 3", ("Xbeam_mm", "distance_mm")),
    # Axes of one's own: what is given last says about what the detector turns.
    ("-fdet_vector 0 0 1 -twotheta 5", ("ORGX", "Ybeam_mm")),
    ("-fdet_vector 0 0 1 -detector_roty 5", ("ORGX", "ORGY")),
    ("-fdet_vector 0 0 1 -detector_roty 5", ("ORGX", "distance_mm")),
    ("-fdet_vector 0 0 1 -detector_roty 5 -ORGX 2 -distance 100", ("ORGX", "distance_mm")),
    ("-fdet_vector 0 0 1 -detector_roty 5 -pivot sample", ("Xbeam_mm", "Yclose_mm")),
    ("-fdet_vector 0 0 1 -twotheta 5 -distance 100", ("Xclose_mm", "twotheta_deg")),
]


@pytest.mark.parametrize(("options", "keys"), PLACES)
@pytest.mark.parametrize("semantics", ["exact", "c"])
def test_the_detector_moves_in_the_words_of_every_convention(
    options: str, keys: tuple[str, ...], semantics: str, tmp_path: Path
) -> None:
    values = ("uniform = [4, 9]", "uniform = [1, 3]", "normal = [5, 1]")
    vary = "\n".join(f"{key} = {{ {value} }}" for key, value in zip(keys, values, strict=False))
    spec, base = made(tmp_path, vary, f"-cell 50 -default_F 1 -detpixels 8 {options}", semantics=semantics)
    places = []
    for image in (0, 1):
        drawn = draw(spec, base, image)
        experiment = image_experiment(base, drawn)
        equal(resolve(parse(image_words(base, drawn)).settings), experiment)
        places.append(np.concatenate([experiment.detector.panels[0].origin, experiment.detector.panels[0].slow]))
    assert np.max(np.abs(places[0] - places[1])) > 1e-6


def test_the_fluence_follows_from_what_varies(tmp_path: Path) -> None:
    vary = "flux = { uniform = [1e12, 2e12] }\nexposure_s = { uniform = [1, 2] }\nbeamsize_mm = 0.2\n"
    for factor in ("", "fluence_factor = 0.5\n", "fluence_factor = 0\n"):
        spec, base = made(tmp_path, vary + factor)
        drawn = draw(spec, base, 1)
        experiment, values = image_experiment(base, drawn), drawn.values
        expected = values["flux"] * values["exposure_s"] / 0.2e-3**2 * values.get("fluence_factor", 1.0)
        assert experiment.fluence == pytest.approx(expected, rel=1e-12)
        assert experiment.beam.exposure == values["exposure_s"]
        equal(resolve(parse(image_words(base, drawn)).settings), experiment)


def test_a_wavelength_is_an_energy(tmp_path: Path) -> None:
    command = f"-mat a.mat -energy 9000 {COMMAND.split(maxsplit=7)[-1]}"
    (tmp_path / "a.mat").write_text(MATRIX)
    spec, base = made(tmp_path, "wavelength_A = { uniform = [1, 1.1] }", command)
    drawn = draw(spec, base, 0)
    experiment = image_experiment(base, drawn)
    assert experiment.beam.wavelength == pytest.approx(drawn.values["wavelength_A"] * 1e-10, rel=1e-15)
    equal(resolve(parse(image_words(base, drawn)).settings), experiment)
    # The command's wavelength has set the scale of the matrix.
    np.testing.assert_allclose(experiment.crystal.lengths_A, base.experiment.crystal.lengths_A, rtol=1e-12)


def test_values_arrive_in_the_experiment(tmp_path: Path) -> None:
    spec, base = made(tmp_path, EVERYTHING)
    drawn = draw(spec, base, 0)
    experiment, values = image_experiment(base, drawn), drawn.values
    assert experiment.beam.wavelength == pytest.approx(12398.42e-10 / values["energy_ev"], rel=1e-12)
    assert experiment.detector.panels[0].distance == pytest.approx(values["distance_mm"] / 1000, rel=1e-12)
    assert experiment.detector.center.Fbeam == pytest.approx(values["beam_center_fast_mm"] / 1000, rel=1e-9)
    assert experiment.detector.center.Sbeam == pytest.approx(values["beam_center_slow_mm"] / 1000, rel=1e-9)
    assert experiment.crystal.cells == (values["N"],) * 3
    assert experiment.crystal.mosaic_spread == pytest.approx(math.radians(values["mosaic_spread_deg"]), rel=1e-9)
    assert experiment.crystal.mosaic_seed == drawn.mosaic_seed
    assert experiment.beam.fluence == values["fluence"]
    assert experiment.water_size == pytest.approx(values["water_um"] * 1e-6)


def test_an_energy_does_not_change_the_cell_of_a_matrix_file(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_text(MATRIX)
    spec, base = made(tmp_path, "energy_ev = { uniform = [5000, 20000] }", "-mat a.mat -lambda 0.1 -default_F 1")
    for image in range(3):
        lengths = image_experiment(base, draw(spec, base, image)).crystal.lengths_A
        np.testing.assert_allclose(lengths, base.experiment.crystal.lengths_A, rtol=1e-12)


def test_an_orientation_turns_the_crystal_and_keeps_its_cell(tmp_path: Path) -> None:
    spec, base = made(tmp_path, 'orientation = "random"')
    start = base.experiment.crystal
    crystals = [image_experiment(base, draw(spec, base, image)).crystal for image in range(200)]
    for crystal in crystals[:3]:
        np.testing.assert_allclose(crystal.lengths_A, start.lengths_A, rtol=1e-12)
        np.testing.assert_allclose(crystal.angles, start.angles, rtol=1e-12)
        turn = np.linalg.solve(start.real_space, crystal.real_space)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(turn) > 0.0
    mean = np.mean([crystal.real_space[0] for crystal in crystals], axis=0) / np.linalg.norm(start.real_space[0])
    assert np.all(np.abs(mean) < 5 / math.sqrt(3 * 200))  # five standard errors of a direction's coordinate


def test_jitter_of_the_cell_keeps_angles_and_orientation(tmp_path: Path) -> None:
    spec, base = made(tmp_path, "cell_jitter_percent = 2")
    start = base.experiment.crystal
    ratios = []
    for image in range(300):
        crystal = image_experiment(base, draw(spec, base, image)).crystal
        ratios.append(crystal.lengths_A / start.lengths_A)
        np.testing.assert_allclose(crystal.angles, start.angles, rtol=1e-9)
        # Real axes keep their directions where the angles stay.
        along = np.cross(crystal.real_space[0], start.real_space[0])
        assert np.linalg.norm(along) < 1e-9 * np.linalg.norm(start.real_space[0]) ** 2
    spread = np.std(ratios, axis=0)
    assert np.all(np.abs(spread - 0.02) < 5 * 0.02 / math.sqrt(600))  # five standard errors
    assert np.all(np.abs(np.corrcoef(np.array(ratios).T) - np.eye(3)) < 5 / math.sqrt(300))


def test_domains_differ_from_image_to_image_unless_their_seed_is_given(tmp_path: Path) -> None:
    spec, base = made(tmp_path, "", COMMANDS["noisy domains"])
    first, second = (image_experiment(base, draw(spec, base, image)).crystal.mosaic_rotations for image in (0, 1))
    assert not np.allclose(first[1:], second[1:])
    spec, base = made(tmp_path, "", COMMANDS["given domains"])
    assert draw(spec, base, 0).mosaic_seed is None
    first, second = (image_experiment(base, draw(spec, base, image)).crystal.mosaic_rotations for image in (0, 1))
    assert np.array_equal(first, second)


def test_seeds_of_the_noise(tmp_path: Path) -> None:
    spec, base = made(tmp_path, "")
    assert [(d.noise_seed, d.noise_number) for d in (draw(spec, base, i) for i in range(2))] == [(7, 0), (7, 1)]
    spec, base = made(tmp_path, "", noise_rng="c")
    seeds = {draw(spec, base, image).noise_seed for image in range(10)}
    assert len(seeds) == 10
    spec, base = made(tmp_path, "", noise=False)
    assert draw(spec, base, 0).noise_seed is None


def test_numbers_of_a_key_are_of_one_kind(tmp_path: Path) -> None:
    spec, base = made(tmp_path, "energy_ev = { choice = [9000, 9000.5] }\ndistance_mm = 90\nN = { choice = [3, 5] }")
    drawn = [draw(spec, base, image).values for image in range(30)]
    assert {values["energy_ev"] for values in drawn} == {9000.0, 9000.5}
    kinds = {(type(values["energy_ev"]), type(values["distance_mm"]), type(values["N"])) for values in drawn}
    assert kinds == {(float, float, int)}
    assert [str(spec.vary[key]) for key in ("energy_ev", "distance_mm")] == ["{ choice = [9000, 9000.5] }", "90"]


def test_values_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("energy_ev,N\n9000,5\n9100,6\n")
    spec, base = made(tmp_path, 'csv = "t.csv"\nfluence = 1e20', count=2)
    assert draw(spec, base, 1).values == {"energy_ev": 9100.0, "N": 6, "fluence": 1e20}
    part = dataclasses.replace(spec, rows=spec.rows[1:], first_row=1)
    assert same(draw(part, base, 1), draw(spec, base, 1))


def test_experiment_that_cannot_be_names_the_image(tmp_path: Path) -> None:
    spec, base = made(tmp_path, "N = 1000000")
    with pytest.raises(InputError, match=r"image 2: N, crystal_size_mm: 1000000 x 1000000 x 1000000 unit cells"):
        image_experiment(base, draw(spec, base, 2))


SPECTRAL = "-mat lyso.mat -hkl lyso.hkl -detpixels 8 -distance 100 "


def spectral_base(folder: Path, vary: str, spectrum: str) -> tuple[Spec, Base]:
    inputs = Path(__file__).resolve().parent.parent.parent / "golden" / "inputs"
    command = SPECTRAL.replace("lyso.", f"{inputs}/lyso.") + spectrum
    return made(folder, vary, command, count=5)


def test_every_image_has_spikes_of_its_own(tmp_path: Path) -> None:
    spec, base = spectral_base(tmp_path, "spectrum_shift_ev = { normal = [0.0, 8.0] }", "-spectrum sase:9000:30:2:20")
    pulses = [image_experiment(base, draw(spec, base, image)) for image in range(3)]
    seeds = {draw(spec, base, image).spectrum_seed for image in range(3)}
    assert len(seeds) == 3
    assert None not in seeds
    wavelengths = {record.beam.wavelength for record in pulses}
    assert len(wavelengths) == 3
    for image, record in enumerate(pulses):
        # The matrix file is scaled by the wavelength of the command; the crystal is the same in every image.
        np.testing.assert_allclose(record.crystal.real_space, base.experiment.crystal.real_space, rtol=1e-12)
        again = resolve(parse(image_words(base, draw(spec, base, image))).settings.changed(write_dump=False))
        np.testing.assert_array_equal(again.beam.sources.wavelengths, record.beam.sources.wavelengths)
        np.testing.assert_array_equal(again.beam.sources.weights, record.beam.sources.weights)
        np.testing.assert_allclose(again.crystal.real_space, record.crystal.real_space, rtol=1e-12)


def test_a_seed_in_the_command_gives_every_image_the_same_pulse(tmp_path: Path) -> None:
    spec, base = spectral_base(tmp_path, "N = 5", "-spectrum sase:9000:30:2:20 -spectrum_seed 4")
    one, other = (image_experiment(base, draw(spec, base, image)).beam.sources.weights for image in range(2))
    np.testing.assert_array_equal(one, other)


def test_shots_of_a_file_are_chosen(tmp_path: Path) -> None:
    (tmp_path / "spectra.txt").write_text("9000 1 0 2\n9010 3 1 2\n")
    spec, base = spectral_base(tmp_path, "spectrum_shot = { choice = [0, 2] }", "-spectrum_file spectra.txt")
    expected = {0: [0.5, 1.5], 2: [1.0, 1.0]}
    shots = set()
    for image in range(5):
        drawn = draw(spec, base, image)
        shot = int(drawn.values["spectrum_shot"])
        shots.add(shot)
        np.testing.assert_allclose(image_experiment(base, drawn).beam.sources.weights, expected[shot], rtol=1e-15)
    assert shots == {0, 2}
    spec, base = spectral_base(tmp_path, "spectrum_shot = 3", "-spectrum_file spectra.txt")
    with pytest.raises(InputError, match=r"image 0: -spectrum_file .*: no spectrum 3; there are 3"):
        image_experiment(base, draw(spec, base, 0))


def test_energy_does_not_vary_beside_a_spectrum(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="energy_ev cannot vary beside a spectrum in the command; spectrum_shift_ev"):
        spectral_base(tmp_path, "energy_ev = 9000", "-spectrum gauss:9000:30:5")
