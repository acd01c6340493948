"""Mosaic domains: other programs' ensembles, Gaussian and uniform ones, lists in files, and cells that differ."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import oracles
import pytest
import spots_oracle
from requirements import requires

from nbnumba import Experiment, cli, simulate
from nbnumba.crystal.ensembles import covariance_of, gaussian_points, rotations_of
from nbnumba.errors import InputError
from nbnumba.experiment.scene import build_scene
from nbnumba.kernels.random import park_miller
from nbnumba.trace.passes import trace_image

SMALL: dict[str, Any] = {
    "cell": (50, 60, 70, 80, 95, 100),
    "misset_deg": (10, 20, 30),
    "default_F": 100,
    "N": 6,
    "distance_mm": 80,
    "detpixels": 24,
    "pixel_mm": 2,
    "oversample": 1,
}


# Ensembles of other programs


@requires("oracles")
@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("mosaic", {"mosaic_model": "simtbx", "mosaic_spread_deg": 0.7, "mosaic_domains": 8}),
        ("mosaic_gauss_iso", {"mosaic_model": "diffbragg", "mosaic_spread_deg": 0.4, "mosaic_domains": 20}),
        ("mosaic_gauss_iso", {"mosaic_model": "diffbragg", "mosaic_sigmas_deg": 0.4, "mosaic_domains": 20}),
        (
            "mosaic_gauss_aniso",
            {"mosaic_model": "diffbragg", "mosaic_sigmas_deg": (0.2, 0.4, 0.9), "mosaic_domains": 20},
        ),
        ("mosaic_gauss_aniso", None),
    ],
)
def test_ensembles_of_simtbx_and_diffbragg(name: str, keywords: dict[str, Any] | None, tmp_path: Path) -> None:
    """The same matrices, and the same images but for the rounding to float32."""
    params, arrays = oracles.load("spots", name)
    matrices = arrays["mosaic_umats"].reshape(-1, 3, 3)
    if keywords is None:  # the list itself
        np.savetxt(tmp_path / "list.txt", matrices.reshape(-1, 9), fmt="%.17g")
        keywords = {"mosaic_file": tmp_path / "list.txt"}
    experiment = spots_oracle.experiment(params, **keywords)
    np.testing.assert_allclose(experiment.crystal.mosaic_rotations, matrices, rtol=0, atol=1e-12)
    image, expected = simulate(experiment, "cpu").array, arrays["raw_pixels"]
    # Half a unit of float32; and amplitudes by polynomials of 2e-11, next to a zero of which 1e-12 of the image.
    np.testing.assert_allclose(image, expected, rtol=6e-8, atol=1e-12 * expected.max())


def test_a_model_of_ones_own_leaves_the_random_numbers_of_C_alone() -> None:
    for keywords in ({"mosaic_model": "gauss"}, {"mosaic_model": "simtbx"}):
        experiment = Experiment(**SMALL, mosaic_spread_deg=1, mosaic_domains=4, **keywords)
        assert experiment.random_table == tuple(park_miller.new_table())
    named = Experiment(**SMALL, mosaic_spread_deg=1, mosaic_domains=4, mosaic_model="c", semantics="c")
    plain = Experiment(**SMALL, mosaic_spread_deg=1, mosaic_domains=4, semantics="c")
    assert named.random_table == plain.random_table != tuple(park_miller.new_table())
    np.testing.assert_array_equal(simulate(named).array, simulate(plain).array)


# Gaussian and uniform rotations


@pytest.mark.parametrize("count", [20, 100, 1000])
def test_points_are_spread_like_normal_deviates(count: int) -> None:
    points = np.concatenate([gaussian_points(count, seed) for seed in range(40)])
    covariance = points.T @ points / len(points)
    # Few points stand for more than themselves: theirs are drawn in by the width of what they stand for.
    allowed = 0.25 if count < 50 else 0.12
    np.testing.assert_allclose(covariance, np.eye(3), atol=allowed)
    np.testing.assert_allclose(points.mean(axis=0), 0.0, atol=0.02)
    assert not np.array_equal(gaussian_points(count, 1), gaussian_points(count, 2))
    np.testing.assert_array_equal(gaussian_points(count, 1), gaussian_points(count, 1))


def test_25_gaussian_domains_do_the_work_of_100() -> None:
    """Against the distribution in closed form, on spots about as wide as the mosaicity turns them."""
    keywords: dict[str, Any] = {
        **{**SMALL, "detpixels": 100, "pixel_mm": 0.5},
        "shape": "gauss_abc",
        "N": 20,
        "mosaic_model": "gauss",
        "mosaic_spread_deg": 0.12,
    }
    limit = simulate(Experiment(**keywords, spread="continuous"), "cpu").array.astype(np.float64)
    plain = Experiment(**keywords, mosaic_domains=2)
    errors: dict[str, list[float]] = {"even": [], "random": []}
    for seed in range(1, 9):
        even = Experiment(**keywords, mosaic_domains=25, mosaic_seed=seed)
        deviates = np.random.default_rng(seed).standard_normal((100, 3)) * math.radians(0.12)
        by_chance = plain.replace(
            crystal=_with(plain, mosaic_rotations=rotations_of(deviates)),
        )
        for name, experiment in (("even", even), ("random", by_chance)):
            image = simulate(experiment, "cpu").array.astype(np.float64)
            errors[name].append(float(np.sum((image - limit) ** 2) / np.sum(limit**2)))
    # Both come down as more domains are taken; of the random ones a hundred are no better than 25.
    assert np.mean(errors["even"]) < np.mean(errors["random"]) < 0.1


def _with(experiment: Any, **changes: Any) -> Any:
    import dataclasses

    return dataclasses.replace(experiment.crystal, **changes)


@pytest.mark.parametrize("model", ["gauss", "uniform"])
@pytest.mark.parametrize("sigmas", [(1.0,), (0.5, 1.0, 2.0), (0.5, 1.0, 2.0, 0.6, -0.3, 0.1)])
def test_spreads_about_the_axes_of_the_crystal(model: str, sigmas: tuple[float, ...]) -> None:
    """What is drawn has the covariance that was asked for, in the crystal's axes, and turns with it."""
    keywords = {**SMALL, "mosaic_model": model, "mosaic_sigmas_deg": sigmas, "mosaic_domains": 2000}
    experiment = Experiment(**keywords)
    crystal = experiment.crystal
    U = _orientation(experiment)
    asked = np.diag(np.broadcast_to(sigmas[:3], 3).astype(float)) ** 2
    if len(sigmas) == 6:
        for (i, j), r in zip(((0, 1), (1, 2), (0, 2)), sigmas[3:], strict=True):
            asked[i, j] = asked[j, i] = r * sigmas[i] * sigmas[j]
    if model == "uniform":  # in a ball
        asked /= 5.0
    drawn = np.degrees(1.0) ** 2 * U.T @ covariance_of(crystal.mosaic_rotations, None) @ U
    # 2000 points, evenly spread
    np.testing.assert_allclose(drawn, asked, atol=0.03 * asked.max())
    assert crystal.mosaicity is not None
    np.testing.assert_allclose(np.degrees(1.0) ** 2 * U.T @ crystal.mosaicity @ U, asked, atol=1e-6)
    few = Experiment(**{**keywords, "mosaic_domains": 5}, phi_deg=90)
    turn = few.goniometer.turn(math.pi / 2)
    expected = [turn @ R @ few.crystal.real_space.T for R in few.crystal.mosaic_rotations]
    found = build_scene(few).orientations.reshape(-1, 3, 3).transpose(0, 2, 1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * 1e-8)


def _orientation(experiment: Experiment) -> np.ndarray:
    U = simulate(experiment.replace(mosaic_domains=2, detpixels=2), "cpu").ground_truth().U_matrix
    assert U is not None
    return U


def test_uniform_rotations_end_at_their_radius() -> None:
    crystal = Experiment(**SMALL, mosaic_model="uniform", mosaic_spread_deg=0.5, mosaic_domains=500).crystal
    angles = np.degrees(np.arccos((np.trace(crystal.mosaic_rotations, axis1=1, axis2=2) - 1.0) / 2.0))
    assert 0.48 < angles.max() <= 0.5 * (1.0 + 1e-9)


def test_anisotropic_mosaicity_in_closed_form() -> None:
    """The continuous limit of many anisotropic domains."""
    keywords: dict[str, Any] = {
        **{**SMALL, "detpixels": 60, "pixel_mm": 1.0},
        "shape": "gauss_abc",
        "N": 20,
        "mosaic_model": "gauss",
        "mosaic_sigmas_deg": (0.2, 0.5, 0.8),
        "phi_deg": 40,
    }
    limit = simulate(Experiment(**keywords, spread="continuous"), "cpu").array.astype(np.float64)
    many = simulate(Experiment(**keywords, mosaic_domains=4000), "cpu").array.astype(np.float64)
    assert np.corrcoef(many.ravel(), limit.ravel())[0, 1] > 0.999
    with pytest.raises(InputError, match="several phi steps"):
        Experiment(**keywords, spread="continuous", osc_deg=1)


# Cells that differ


def test_cells_differ_among_the_domains() -> None:
    experiment = Experiment(**SMALL, lattice_spread_percent=(1, 2, 0), mosaic_domains=200)
    crystal = experiment.crystal
    assert crystal.domain_stretches is not None
    np.testing.assert_allclose(crystal.domain_stretches.mean(axis=0), 1.0, atol=1e-12)
    np.testing.assert_allclose(crystal.domain_stretches.std(axis=0), [0.01, 0.02, 0.0], rtol=1e-9)
    cells = build_scene(experiment).orientations.reshape(-1, 3, 3)
    lengths = np.linalg.norm(cells, axis=2)
    np.testing.assert_allclose(lengths, crystal.domain_stretches * crystal.lengths_A * 1e-10, rtol=1e-12)
    image = simulate(experiment, "cpu")
    plain = simulate(Experiment(**SMALL), "cpu").array
    assert not np.array_equal(image.array, plain)
    pixel = divmod(int(np.argmax(image.array)), 24)
    trace, _ = trace_image(image.experiment, pixel, float(image.array[pixel]), image.latches)
    assert trace.quantities["I_pixel_final"] == pytest.approx(image.array[pixel], rel=2.0**-23)
    with pytest.raises(InputError, match=r"lattice_spread_percent.*spread sampled"):
        Experiment(**{**SMALL, "shape": "gauss"}, lattice_spread_percent=1, spread="continuous")


# Lists of rotations


def quaternions(count: int) -> np.ndarray:
    drawn = np.random.default_rng(2).standard_normal((count, 4)) * [1, 0.01, 0.01, 0.01]
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1)[:, None])


@pytest.mark.parametrize("semantics", ["c", "exact"])
def test_quaternions_and_matrices_with_weights(semantics: str, tmp_path: Path) -> None:
    from scipy.spatial.transform import Rotation

    rows = quaternions(5)
    weights = np.array([1.0, 2.0, 0.0, 0.5, 3.0])
    matrices = Rotation.from_quat(rows[:, [1, 2, 3, 0]]).as_matrix()
    np.savetxt(tmp_path / "q.txt", np.column_stack([rows, weights]), header="w x y z weight", fmt="%.17g")
    lines = [", ".join(f"{v:.17g}" for v in (*m.reshape(-1), w)) for m, w in zip(matrices, weights, strict=True)]
    (tmp_path / "m.txt").write_text("\r\n".join(["# matrices", "", *lines]))
    by_file = {
        name: Experiment(**SMALL, semantics=semantics, mosaic_file=tmp_path / f"{name}.txt") for name in ("q", "m")
    }
    crystal = by_file["q"].crystal
    np.testing.assert_allclose(crystal.mosaic_rotations, matrices[weights > 0], atol=1e-15)
    np.testing.assert_array_equal(crystal.domain_weights, weights[weights > 0])
    images = [simulate(experiment, "cpu").array for experiment in by_file.values()]
    np.testing.assert_allclose(images[0], images[1], rtol=1e-5, atol=1e-9 * images[0].max())  # of rounded matrices
    assert by_file["q"].crystal.mosaic_model == "file"


BAD_FILES = {
    "": "holds no rotation",
    "# nothing\n": "holds no rotation",
    "1 0 0\n": "line 1: holds 3 numbers; a line is",
    "1 0 0 0\n1 0 0 0 1\n": "line 2: holds 5 numbers, the lines before it 4",
    "1 0 0 x\n": "line 1: 'x' is not a number",
    "1 0 0 nan\n": "line 1: 'nan' is not a number",
    "1 0 0 0.1\n": "line 1: is a quaternion of the length",
    "1e300 1e300 0 0\n": "line 1: is a quaternion of the length",
    "0 1 0 1 0 0 0 0 1\n": "line 1: is no rotation",
    "1 0 0 0 1 0 0 0 1e200\n": "line 1: is no rotation",
    "1 0 0 0 -1\n": "line 1: has the weight -1",
    "1 0 0 0 1e30\n": "line 1: has the weight",
    "1 0 0 0 0\n": "all weights are 0",
    "\0\1\2": "is not a number",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_malformed_lists(text: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(InputError, match=r"^mosaic_file .*list\.txt") as raised:
        Experiment(**SMALL, mosaic_file=tmp_path / "list.txt")
    assert BAD_FILES[text] in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-mosaic_file l.txt -mosaic 1", "-mosaic_file: lists the domains, and contradicts -mosaic"),
        ("-mosaic_file l.txt -mosaic_domains 3 -mosaic_model c", "contradicts -mosaic_domains, -mosaic_model"),
        ("-mosaic_file none.txt", "-mosaic_file none.txt: "),
        ("-mosaic_sigmas 1 -mosaic 1 -mosaic_model gauss", "-mosaic, -mosaic_sigmas: give one of the two"),
        ("-mosaic_sigmas 1", "-mosaic_sigmas: with -mosaic_model c; allowed: diffbragg, gauss, uniform"),
        ("-mosaic_sigmas 1 2 -mosaic_model gauss", "-mosaic_sigmas: 2 numbers follow; allowed: 1 or 3 angles"),
        ("-mosaic_sigmas 1 2 3 0.9 0.9 -0.9 -mosaic_model gauss", "correlations 0.9 0.9 -0.9 cannot occur together"),
        ("-mosaic_sigmas 1 2 3 0 0 1.1 -mosaic_model gauss", "-mosaic_sigmas: '1.1' is out of range"),
        (
            "-mosaic_sigmas 1 2 3 0 0 0 -mosaic_model diffbragg",
            "6 numbers with -mosaic_model diffbragg; allowed: 1 or 3",
        ),
        ("-mosaic_sigmas -1 -mosaic_model gauss", "-mosaic_sigmas: '-1' is out of range"),
        ("-mosaic_sigmas nan -mosaic_model gauss", "-mosaic_sigmas: 'nan' is not a number"),
        ("-mosaic_sigmas -mosaic_model gauss", "-mosaic_sigmas: needs 1 or 3 angles"),
        (
            "-mosaic 1 -mosaic_domains 5 -mosaic_model diffbragg",
            "-mosaic_domains: 5 with -mosaic_model diffbragg; an even",
        ),
        ("-mosaic 1 -mosaic_model cap", "-mosaic_model: 'cap' is unknown; allowed: c, gauss"),
        ("-mosaic 1 -mosaic_model file", "-mosaic_model: 'file' is unknown"),
        ("-lattice_spread_percent 21", "-lattice_spread_percent: '21' is out of range"),
        ("-lattice_spread_percent 1 2", "-lattice_spread_percent: 2 numbers follow"),
        ("-lattice_spread_percent 20 -mosaic_domains 100000", "-lattice_spread_percent: a domain has "),
    ],
)
def test_what_contradicts_itself(
    words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("l.txt").write_text("1 0 0 0\n")
    status = cli.main(["-cell", "50", "60", "70", "-default_F", "1", "-detpixels", "4", *words.split()])
    said = capsys.readouterr().err
    assert status == (3 if "none.txt" in words else 2)
    assert message in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.txt"]


def test_report_and_files_state_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = "-cell 50 60 70 -default_F 1 -detpixels 4 -nonoise -nopgm -h5file a.h5 -cbffile a.cbf "
    words += "-mosaic_model gauss -mosaic_sigmas 0.1 0.2 0.3 -mosaic_domains 25 -lattice_spread_percent 0.5"
    assert cli.main(words.split()) == 0
    said = capsys.readouterr().out
    assert "created a total of 25 mosaic domains\n  mosaic model gauss: 0.1 0.2 0.3 deg\n" in said
    assert "lengths of the cell vary by 0.5 % among the domains" in said
    with h5py.File("a.h5") as file:
        truth = json.loads(_first(file))
    assert truth["model"] == "gauss"
    assert truth["sigmas_deg"] == pytest.approx([0.1, 0.2, 0.3])
    assert truth["lattice_spread_percent"] == pytest.approx([0.5])
    assert b"NBNUMBA_MOSAIC_MODEL" in Path("a.cbf").read_bytes()


def _first(file: h5py.File) -> str:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(item.asstr()[()].ravel()[0]) if name.endswith("/mosaic") else None)
    return str(found[0])
