"""The isotropic B factor: every structure factor weakened by its own resolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nbnumba
from nbnumba.errors import InputError
from nbnumba.experiment.scene import build_scene

B = 17.0
STILL = {
    "cell": (31, 37, 43, 81, 93, 107),
    "misset_deg": (10, 20, 30),
    "N": 6,
    "wavelength_A": 1.0,
    "distance_mm": 60,
    "pixel_mm": 0.8,
    "detpixels": 64,
    "fluence": 1e28,
}


def weakened(hkl: np.ndarray, experiment: nbnumba.Experiment) -> np.ndarray:
    """exp(-B s²) with s = 1/(2 d), d from the direct cell by the metric tensor."""
    cell = experiment.crystal.real_space * 1e10
    metric = np.linalg.inv(cell @ cell.T)
    return np.exp(-B * np.einsum("ni,ij,nj->n", hkl, metric, hkl) / 4.0)


def indices(limit: int) -> np.ndarray:
    span = np.arange(-limit, limit + 1.0)
    return np.stack(np.meshgrid(span, span, span, indexing="ij"), axis=-1).reshape(-1, 3)


@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize("interpolate", [False, True])
def test_a_list_is_drawn_as_if_it_held_weaker_amplitudes(semantics: str, interpolate: bool) -> None:
    hkl = indices(9)
    F = np.random.default_rng(1).uniform(10.0, 100.0, len(hkl))
    options = STILL | {"semantics": semantics, "interpolate": interpolate}
    ours = nbnumba.Experiment(hkl=np.column_stack([hkl, F]), B_factor_A2=B, **options)
    table = np.column_stack([hkl, F * weakened(hkl, ours)])
    expected = nbnumba.simulate(nbnumba.Experiment(hkl=table, **options)).array
    found = nbnumba.simulate(ours).array
    assert expected.max() > 0.0
    # Two ways to the same factor, both in float64, then float32 pixels: two units in the last place.
    np.testing.assert_allclose(found, expected, rtol=2.5e-7, atol=1e-12 * expected.max())


@pytest.mark.parametrize("more", [{}, {"mosaic_spread_deg": 3.0, "mosaic_domains": 4, "phi_deg": 5, "osc_deg": 2}])
def test_default_F_is_weakened_as_far_as_the_detector_sees(more: dict[str, float]) -> None:
    options = STILL | more
    ours = nbnumba.Experiment(default_F=50.0, B_factor_A2=B, **options)
    hkl = indices(24)  # beyond the corners of the detector
    table = np.column_stack([hkl, 50.0 * weakened(hkl, ours)])
    expected = nbnumba.simulate(nbnumba.Experiment(hkl=table, interpolate=False, **options)).array
    np.testing.assert_allclose(nbnumba.simulate(ours).array, expected, rtol=2.5e-7, atol=1e-12 * expected.max())


def test_a_list_within_default_F() -> None:
    ours = nbnumba.Experiment(hkl=np.array([[3, 1, 2, 700.0]]), default_F=50.0, B_factor_A2=B, **STILL)
    scene = build_scene(ours)
    table = scene.flat.reshape(int(scene.nh), int(scene.nk), int(scene.nl))
    for place, F in (((3, 1, 2), 700.0), ((-3, -1, -2), 50.0), ((0, 0, 0), 50.0)):
        h, k, l = (int(i - first + 1) for i, first in zip(place, (scene.h_min, scene.k_min, scene.l_min), strict=True))
        # Rounding of one exponential.
        assert table[h, k, l] == pytest.approx(F * weakened(np.array([place]), ours)[0], rel=1e-13)


def test_the_command_line_draws_the_same(tmp_path: Path) -> None:
    line = "-cell 31 37 43 81 93 107 -misset 10 20 30 -N 6 -lambda 1 -distance 60 -pixel 0.8 -detpixels 64"
    typed = nbnumba.Experiment.from_command(
        f"{line} -fluence 1e28 -default_F 50 -B_factor {B} -semantics exact", tmp_path
    )
    again = nbnumba.Experiment.from_command(" ".join(typed.command), tmp_path)
    expected = nbnumba.simulate(nbnumba.Experiment(default_F=50.0, B_factor_A2=B, **STILL)).array
    for experiment in (typed, again):
        np.testing.assert_array_equal(nbnumba.simulate(experiment).array, expected)


def test_what_cannot_be() -> None:
    with pytest.raises(InputError, match=r"B_factor_A2: .*-3.* at least 0 \[Å\^2\]"):
        nbnumba.Experiment(default_F=1.0, B_factor_A2=-3.0, **STILL)
    rows = np.column_stack([indices(3), np.ones(343)])
    with pytest.raises(InputError, match="B_factor_A2: 17 and default_F 50 do not go together"):
        nbnumba.Experiment(hkl=rows, interpolate=True, default_F=50.0, B_factor_A2=B, **STILL)


def test_a_table_far_from_the_origin_stays_as_small_as_it_is() -> None:
    far = nbnumba.Experiment(hkl=[[1000, 1000, 1000, 50.0], [1001, 1001, 1001, 60.0]], B_factor_A2=B, **STILL)
    assert build_scene(far).flat.size == 4**3
