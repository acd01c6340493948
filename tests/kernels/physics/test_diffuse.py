"""Diffuse halos: diffBragg's images, laws of symmetry, and one formula for processor, GPU and trace."""

from __future__ import annotations

import itertools
from typing import Any

import gpu_images
import numpy as np
import oracles
import pytest
from agreement import judge
from requirements import requires

from nbnumba import Experiment, Renderer, cli, simulate
from nbnumba.crystal.diffuse import rotations
from nbnumba.errors import InputError
from nbnumba.experiment.scene import build_scene
from nbnumba.parameters.choices import LAUE_GROUPS
from nbnumba.trace.passes import trace_image

GROUPS = {1: "-1", 5: "mmm", 7: "4/mmm"}


def diffbragg(name: str, **more: Any) -> Experiment:
    """Return the experiment of a reference image."""
    params, arrays = oracles.load("diffbragg", "diffuse")
    case, g = params["cases"][name], params["cases"]["geometry"]
    F = arrays["F_cube"]
    indices = np.indices(F.shape).reshape(3, -1).T + np.array(params["cases"]["F_cube_lowest_hkl"])
    keywords: dict[str, Any] = {
        "A_matrix": np.reshape(case["Umatrix"], (3, 3)) @ np.reshape(case["Bmatrix"], (3, 3)),
        "N": case["Ncells"],
        "shape": "gauss_abc",
        "hkl": np.column_stack([indices, F.reshape(-1)]),
        "wavelength_A": case["wavelength_A"],
        "fluence": g["fluence"] * case["spot_scale"],
        "polarization": g["polarization"],
        "polar_vector": g["polar"],
        "beam_vector": [-v for v in g["sample_to_source"]],
        "fdet_vector": g["fast"],
        "sdet_vector": g["slow"],
        "odet_vector": g["normal"],
        "pix0_vector_mm": g["pix0_mm"],
        "pixel_mm": g["pixel_mm"],
        "detpixels": 80,
        "oversample": 1,
        "interpolate": False,
        # diffBragg's polarization and solid angle are those of the pixel's center: of its only sample
        "diffuse_gamma_A": case["gamma_A"],
        "diffuse_sigma_A": case["sigma_A"],
        "diffuse_laue": GROUPS[case["laue"]],
        "diffuse_stencil": case["stencil"],
        "diffuse_axes": "diffbragg",
    }
    return Experiment(**{**keywords, **more})


@requires("oracles")
@pytest.mark.parametrize("only", [True, False])
@pytest.mark.parametrize("name", ["p1", "p4mmm", "p1_stencil1", "mmm_aniso"])
def test_halos_of_diffbragg(name: str, only: bool) -> None:
    """To 1e-6: diffBragg stores structure factors as float32."""
    _, arrays = oracles.load("diffbragg", "diffuse")
    expected = arrays[f"diffuse_{name}_{'only' if only else 'total'}"].reshape(80, 80)
    experiment = diffbragg(name, only_diffuse=only)
    image = simulate(experiment, "cpu").array
    np.testing.assert_allclose(image, expected, rtol=1e-6, atol=1e-9 * expected.max())
    scene = build_scene(experiment)
    for mixed, gate in ((False, "cuda"), (True, "cuda-mixed")):
        verdict = judge(image, gpu_images.render(scene, mixed=mixed), gate)
        assert verdict.passed, verdict.reason


SMALL: dict[str, Any] = {
    "cell": (50, 50, 70),
    "misset_deg": (10, 20, 30),
    "N": 5,
    "distance_mm": 60,
    "detpixels": 32,
    "pixel_mm": 2,
    "oversample": 1,
    "diffuse_gamma_A": (20, 40, 60),
    "diffuse_sigma_A": (0.3, 0.6, 0.4),
}


def table(seed: int = 1, size: int = 9) -> np.ndarray:
    """Return structure factors of all reflections of a box."""
    F = np.random.default_rng(seed).uniform(10, 500, (2 * size + 1,) * 3)
    return np.column_stack([np.indices(F.shape).reshape(3, -1).T - size, F.reshape(-1)])


def centers(panel: Any) -> np.ndarray:
    """Return the centers of the pixels of a panel [m]."""
    slow, fast = np.indices((panel.n_slow, panel.n_fast)) + 0.5
    return np.asarray(panel.position(slow, fast))


def by_the_formula(experiment: Experiment) -> np.ndarray:
    """Squared lattice factor of the halo at the nearest reflection of every pixel of one step, in NumPy."""
    crystal = experiment.crystal
    halo = crystal.diffuse
    assert halo is not None
    panel, beam = experiment.detector.panels[0], experiment.beam
    places = centers(panel)
    q = (places / np.linalg.norm(places, axis=-1, keepdims=True) - beam.direction) / beam.wavelength
    h = q @ crystal.real_space.T
    h0 = np.ceil(h - 0.5)
    values = experiment.reflections
    assert values is not None

    def F(indices: np.ndarray) -> np.ndarray:
        places = (indices - [values.h_min, values.k_min, values.l_min]).astype(int)
        inside = np.all((places >= 0) & (places < values.values.shape), axis=-1)
        clipped = np.clip(places, 0, np.array(values.values.shape) - 1)
        return np.where(inside, values.values[tuple(np.moveaxis(clipped, -1, 0))], experiment.default_F)

    total = np.zeros(h.shape[:2])
    own = F(h0)
    steps = range(-halo.stencil, halo.stencil + 1)
    for operation, n in itertools.product(rotations(halo.laue), itertools.product(steps, repeat=3)):
        M = crystal.upright_reciprocal @ operation
        u = 2 * np.pi * np.array(halo.sigma_A) * (h0 @ M.T)
        v = 2 * np.pi * np.array(halo.gamma_A) * ((h - h0 - n) @ M.T)
        e = np.sum(u * u, axis=-1)
        ratio = np.where(own != 0.0, F(h0 + n) / np.where(own != 0.0, own, 1.0), 1.0)
        total += ratio**2 * e * np.exp(-e) / (1 + np.sum(v * v, axis=-1)) ** 2
    count = len(rotations(halo.laue)) * len(steps) ** 3
    return np.asarray(total * 8 * np.pi * np.prod(halo.gamma_A) / count * own**2)


@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize("shape", ["square", "round", "gauss", "tophat"])
@pytest.mark.parametrize(("laue", "stencil"), [("-1", 0), ("4/mmm", 1)])
def test_the_halo_is_added_to_every_shape(shape: str, semantics: str, laue: str, stencil: int) -> None:
    keywords = {**SMALL, "hkl": table(), "default_F": 5.0, "shape": shape, "semantics": semantics, "interpolate": False}
    keywords |= {"diffuse_laue": laue, "diffuse_stencil": stencil, "polarized": False, "point_pixel": True}
    image = simulate(Experiment(**keywords), "cpu").array.astype(np.float64)
    only = simulate(Experiment(**keywords, only_diffuse=True), "cpu")
    plain = {name: value for name, value in keywords.items() if not name.startswith("diffuse")}
    spots = simulate(Experiment(**plain), "cpu").array.astype(np.float64)
    # Rounding of three float32 images.
    np.testing.assert_allclose(image, spots + only.array, rtol=4e-7, atol=1e-12 * image.max())
    experiment = only.experiment
    scene = build_scene(experiment)
    panel = experiment.detector.panels[0]
    places = centers(panel)
    expected = scene.photons * by_the_formula(Experiment(**keywords)) / np.sum(places * places, axis=-1)
    np.testing.assert_allclose(only.array, expected, rtol=2e-7)  # of float32, and of h near a tie


@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"interpolate": True},
        {"oversample": 2, "oversample_polar": True, "oversample_omega": True, "dispersion_percent": 2, "dispsteps": 2},
        {"mosaic_spread_deg": 1, "mosaic_domains": 3, "phi_deg": 5, "osc_deg": 4, "phisteps": 2, "dmin_A": 2.5},
    ],
)
def test_one_halo_on_all_back_ends_and_in_the_trace(more: dict[str, Any], semantics: str) -> None:
    keywords = {**SMALL, "hkl": table(), "shape": "gauss", "diffuse_laue": "mmm", "diffuse_stencil": 1, **more}
    experiment = Experiment(**keywords, semantics=semantics)
    image = simulate(experiment, "cpu")
    scene = build_scene(experiment)
    assert not scene.latching
    for mixed, gate in ((False, "cuda"), (True, "cuda-mixed")):
        verdict = judge(image.array, gpu_images.render(scene, mixed=mixed), gate)
        assert verdict.passed, verdict.reason
    for place in (int(np.argmax(image.array)), 5, 500):
        pixel = divmod(place, 32)
        stored = float(image.array[pixel])
        trace, _ = trace_image(experiment, pixel, stored, image.latches)
        assert trace.quantities["I_pixel_final"] == pytest.approx(stored, rel=2.0**-23)


@pytest.mark.parametrize("laue", LAUE_GROUPS)
def test_halos_have_the_symmetry_of_their_group(laue: str) -> None:
    """Symmetry-related scattering vectors see the same intensity; rotations close to a group."""
    operations = rotations(laue)
    products = {tuple((a @ b).astype(int).ravel()) for a in operations for b in operations}
    assert products == {tuple(o.astype(int).ravel()) for o in operations}
    hexagonal = laue[0] == "6" or laue.startswith("-3")
    cell = (50, 50, 70, 90, 90, 120) if hexagonal else (50, 50, 50) if laue.startswith("m-3") else (50, 50, 70)
    experiment = Experiment(**{**SMALL, "cell": cell, "detpixels": 4}, default_F=1, diffuse_laue=laue)
    halo, crystal = experiment.crystal.diffuse, experiment.crystal
    assert halo is not None
    matrices = halo.matrices(crystal.orientation, crystal.upright_reciprocal).reshape(-1, 2, 3, 3)

    def intensity(h0: np.ndarray, dh: np.ndarray) -> float:
        e = np.sum((matrices[:, 0] @ h0) ** 2, axis=1)
        return float(np.sum(e * np.exp(-e) / (1 + np.sum((matrices[:, 1] @ dh) ** 2, axis=1)) ** 2))

    h0, dh = np.array([3.0, -2.0, 1.0]), np.array([0.2, 0.1, -0.3])
    for operation in operations:
        assert intensity(operation @ h0, operation @ dh) == pytest.approx(intensity(h0, dh), rel=1e-9)


def test_axes_of_the_crystal_turn_with_it() -> None:
    """A halo of other misset angles is the same in the crystal's frame; as diffBragg has it, it is not."""
    found = {}
    for axes in ("crystal", "diagonal", "diffbragg"):
        matrices = []
        for misset in ((0, 0, 0), (40, 50, 60)):
            crystal = Experiment(**{**SMALL, "misset_deg": misset}, default_F=1, diffuse_axes=axes).crystal
            assert crystal.diffuse is not None
            matrices.append(crystal.diffuse.matrices(crystal.orientation, crystal.upright_reciprocal))
        found[axes] = np.abs(matrices[0] - matrices[1]).max()
    assert found["crystal"] < 1e-12
    assert found["diagonal"] < 1e-12
    assert found["diffbragg"] > 0.1


def test_spots_of_gaussian_shapes_are_not_cut_off_with_their_halo() -> None:
    """The engine of lists of spots leaves halos to the kernel that asks every pixel."""
    keywords = {**SMALL, "detpixels": 200, "pixel_mm": 0.4, "N": 20, "default_F": 50, "shape": "gauss"}
    image = simulate(Experiment(**keywords, mosaic_spread_deg=0.2, mosaic_domains=100), "cpu")
    assert image.spots == 0
    assert np.count_nonzero(image.array) > 0.99 * image.array.size


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-diffuse_laue mmm", "-diffuse_laue: -diffuse_gamma or -diffuse_sigma is needed"),
        ("-only_diffuse -diffuse_stencil 1", "-diffuse_stencil, -only_diffuse: -diffuse_gamma or"),
        ("-diffuse_gamma 0", "-diffuse_gamma: '0' is out of range; allowed: 1 or 3 numbers from 0.1 to 100000 [Å]"),
        ("-diffuse_gamma 10 20", "-diffuse_gamma: 2 numbers follow"),
        ("-diffuse_gamma nan", "-diffuse_gamma: 'nan' is not a number"),
        ("-diffuse_sigma -1", "-diffuse_sigma: '-1' is out of range"),
        ("-diffuse_sigma 1 -diffuse_stencil 4", "-diffuse_stencil: '4' is out of range"),
        ("-diffuse_sigma 1 -diffuse_laue 5", "-diffuse_laue: '5' is unknown; allowed: -1, 2/m, mmm"),
        ("-diffuse_sigma 1 -diffuse_laue m-3", "-diffuse_laue: m-3 is no symmetry of a cell with the lengths 50 60 70"),
        (
            "-diffuse_sigma 1 -spread continuous -gauss_xtal -nointerpolate",
            "-spread continuous: with -diffuse_gamma or -diffuse_sigma",
        ),
    ],
)
def test_errors(words: str, message: str, capsys: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["-cell", "50", "60", "70", "-default_F", "1", "-detpixels", "4", *words.split()]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_sigma_alone_takes_the_usual_gamma() -> None:
    rest = {name: value for name, value in SMALL.items() if not name.startswith("diffuse")}
    halo = Experiment(**rest, default_F=1, diffuse_sigma_A=0.2).crystal.diffuse
    assert halo is not None
    assert (halo.gamma_A, halo.sigma_A) == ((50.0,) * 3, (0.2,) * 3)
    experiment = Experiment(**rest, default_F=1, diffuse_sigma_A=0.2)
    with pytest.raises(InputError, match="-diffuse_gamma, -diffuse_sigma have none here"):
        _ = Renderer("cpu").linearize(experiment, experiment.parameters("scale")).image
