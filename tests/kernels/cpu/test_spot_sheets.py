"""Panels whose pixels are on one lattice, and panels that are a little off it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from agreement import judge
from scenes import scene_of
from scipy.spatial.transform import Rotation

from nbnumba.kernels.cpu import driver, spot_driver
from nbnumba.kernels.cpu.spot_panels import numbers_of, panels_of
from nbnumba.kernels.scene import Scene

# Spots of up to 14 pixels, which cross gaps.
LINE = (
    "-nodump -cell 30 35 40 80 95 100 -default_F 20 -lambda 1.2 -semantics exact -pixel 0.4 -distance 70 -detpixels 200"
)
KINDS = {
    "gauss": "-gauss_xtal -N 9 -mosaic 1 -mosaic_domains 4",
    "tophat, layers": "-tophat_spots -N 6 -mosaic 1 -mosaic_domains 4 -oversample 2 "
    "-detector_thick 400 -detector_abs 300 -detector_thicksteps 3",
    "crowded": "-gauss_xtal -N 4 -mosaic 1 -mosaic_domains 2",
    "closed form": "-shape gauss_abc -N 9 -spread continuous -mosaic 0.4 -spot_cutoff 1e-3",
}


def part_of(whole: Scene, slow: float, fast: float, n_slow: int, n_fast: int) -> Scene:
    """Return some pixels of a panel as a panel of their own."""
    origin = whole.origin + fast * whole.pixel_fast * whole.fast + slow * whole.pixel_slow * whole.slow
    return whole.replace(
        n_slow=n_slow, n_fast=n_fast, slow_first=0, fast_first=0, slow_last=n_slow - 1, fast_last=n_fast - 1,
        origin=origin,
    )  # fmt: skip


def turned(scene: Scene, degrees: float) -> Scene:
    """Turn a panel in its plane about the sample, and tilt it."""
    turn = Rotation.from_rotvec(np.radians(degrees) * np.array([0.6, -0.5, 0.62])).as_matrix()
    return scene.replace(**{name: turn @ getattr(scene, name) for name in ("origin", "fast", "slow", "normal")})


def detector(whole: Scene) -> list[Scene]:
    """Return 16 panels on one lattice with gaps between them, two of another size, and some that go with no other."""
    panels = [part_of(whole, 3 + 49 * row, 2 + 50 * column, 46, 47) for row in range(4) for column in range(4)]
    panels[5] = panels[5].replace(slow_first=7, slow_last=30, fast_first=11)  # a region
    panels[6] = panels[6].replace(spot_brightness=whole.spot_brightness - 3.0)
    panels[9] = turned(panels[9], 0.3)
    panels[10] = part_of(whole, 101.37, 101.5, 46, 47)
    panels[12] = panels[12].replace(pixel_fast=1.001 * whole.pixel_fast)
    panels[15] = panels[15].replace(origin=panels[15].origin + 1e-3 * whole.normal)
    panels += [part_of(whole, 40, 60, 33, 21), part_of(whole, -2, 190, 5, 64)]  # over others, and beyond the edge
    return panels


def sheets_of_panels(panels: list[Scene]) -> np.ndarray:
    """Return the sheet that each panel is part of."""
    numbers = numbers_of(panels)
    geometries = [spot_driver.geometry_of(panel) for panel in panels]
    assert None not in geometries
    return panels_of(panels[0], numbers, geometries).sheets.sheet_of


@pytest.fixture
def always_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw from lists of spots whatever they cost."""
    monkeypatch.setattr(spot_driver, "_LEAST_STEPS", 0)
    monkeypatch.setattr(spot_driver, "_PER_STEP", math.inf)


@pytest.mark.parametrize("kind", list(KINDS))
def test_panels_of_one_lattice_and_others(
    kind: str, tmp_path: Path, always_lists: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every panel is what it is alone, to the bit, and what the kernel draws that asks every pixel."""
    panels = detector(scene_of(f"{LINE} {KINDS[kind]}", tmp_path))
    sheets = sheets_of_panels(panels)
    others = [9, 10, 12, 15]
    assert len(set(sheets[others])) == len(others)
    assert len(set(np.delete(sheets, others))) == 1
    drawn = driver.render_panels(panels, 2, None, None)
    assert all(panel.spots is not None for panel in drawn)
    for panel, together in zip(panels, drawn, strict=True):
        alone = spot_driver.render(panel, spot_driver.forced_plan(panel), 1, None, None)
        assert np.array_equal(together.image, alone.image)
        # Those that only might touch an edge are listed or not, and a sheet's spots are those of its brightest panel.
        assert together.spots == pytest.approx(alone.spots, rel=0.1, abs=5)
    if kind == "closed form":  # that kernel cannot draw it
        return
    with monkeypatch.context() as patch:
        patch.setattr(spot_driver, "plan_panels", lambda *arguments: [])
        expected = driver.render_panels(panels, 2, None, None)
    # In one array: the smallest panels see few spots.
    a, b = (np.concatenate([panel.image.ravel() for panel in some])[None] for some in (expected, drawn))
    verdict = judge(a, b)
    assert verdict.passed, verdict.reason


def test_panels_of_a_lattice_are_cut_from_one_panel(tmp_path: Path, always_lists: None) -> None:
    """25 panels without gaps, which list a spot on an edge for each that it meets, and one panel of the same pixels."""
    whole = scene_of(f"{LINE} {KINDS['gauss']}", tmp_path)
    panels = [part_of(whole, 40 * row, 40 * column, 40, 40) for row in range(5) for column in range(5)]
    assert set(sheets_of_panels(panels)) == {0}
    expected = driver.render(whole, 2, None, None)
    drawn = driver.render_panels(panels, 2, None, None)
    assert sum(panel.spots for panel in drawn) > expected.spots
    image = np.array([panel.image for panel in drawn]).reshape(5, 5, 40, 40).transpose(0, 2, 1, 3).reshape(200, 200)
    # Pixels stand where they stood but for the rounding of the corners of panels, over the width of a spot.
    np.testing.assert_allclose(image, expected.image, rtol=1e-6, atol=1e-9 * expected.image.max())


def test_panels_far_around_the_sample_are_no_sheet(tmp_path: Path, always_lists: None) -> None:
    """One lattice, but no cone of less than a quarter turn holds it."""
    whole = scene_of(f"{LINE} {KINDS['gauss']} -distance 1", tmp_path)
    panels = [part_of(whole, 10 * row, 100 * column, 10, 10) for row in (0, 19) for column in (0, 1)]
    assert list(sheets_of_panels(panels)) == [0, 1, 2, 3]


def test_spots_that_no_direction_sees() -> None:
    """None is dropped that comes near enough in some direction, and most are that do not."""
    from numba import njit

    from nbnumba.kernels.physics.spot_place import cone_cosine, misses_sphere

    @njit
    def misses(k0: float, v: np.ndarray, length: float, rho: float, m: tuple, root: float) -> bool:
        cosine = cone_cosine(k0, length, rho)
        return cosine > 1.0 or misses_sphere(k0, v[0], v[1], v[2], length, cosine, m, root)

    random = np.random.default_rng(7)
    dropped = kept = 0
    for _ in range(400):
        m = random.normal(size=(3, 3)) * random.uniform(0.2, 5.0, 3)
        root = random.uniform(0.05, 0.5)
        direction = random.normal(size=3)
        v = direction / np.linalg.norm(direction) * (1.0 + random.uniform(-1.0, 1.0) * root)
        rho = root / np.linalg.svd(m, compute_uv=False)[-1]
        if rho > 0.9:
            continue
        # Directions within reach of the sphere around v, from the points of the ellipsoid.
        inside = random.normal(size=(20_000, 3))
        inside *= root * (random.random(20_000) ** (1 / 3) / np.linalg.norm(inside, axis=1))[:, None]
        towards = v + inside @ np.linalg.inv(m).T
        towards /= np.linalg.norm(towards, axis=1)[:, None]
        least = np.linalg.norm((towards - v) @ m.T, axis=1).min()
        if misses(1.0, v, float(np.linalg.norm(v)), rho, tuple(m.ravel()), root):
            dropped += 1
            assert least > root
        elif least > root:
            kept += 1
    assert dropped > 50
    assert kept < dropped
