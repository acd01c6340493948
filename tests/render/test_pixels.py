"""Some pixels alone against the whole image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nbnumba import Experiment, Renderer, simulate
from nbnumba.errors import InputError

KEYWORDS: dict[str, Any] = {
    "cell": (40, 50, 60, 80, 95, 105), "default_F": 30.0, "N": 4, "misset_deg": (10, 20, 30), "wavelength_A": 1.1,
    "distance_mm": 60, "detpixels": (37, 25), "pixel_mm": 0.5, "oversample": 2, "fluence": 1e25, "phisteps": 1,
}  # fmt: skip


def panels_of(experiment: Experiment, count: int) -> Experiment:
    """Return an experiment whose panels stand beside one another; the second has a mask."""
    first = experiment.detector.panels[0]
    panels = [replace(first, origin=first.position(0, 40 * number)) for number in range(count)]
    if count > 1:
        mask = np.ones((first.n_slow, first.n_fast), dtype=np.bool_)
        mask[5:9, 3:20] = False
        panels[1] = replace(panels[1], mask=mask)
    return replace(experiment, detector=replace(experiment.detector, panels=tuple(panels)))


CASES: dict[str, dict[str, Any]] = {
    "square": {},
    "interpolated, as C": {"N": 2, "interpolate": True, "semantics": "c"},
    "Gaussian spots": {"shape": "gauss", "N": 12, "mosaic_spread_deg": 1, "mosaic_domains": 30},
    "closed form": {"shape": "gauss", "N": 12, "mosaic_spread_deg": 1, "spread": "continuous", "phisteps": None},
    "background": {"amorphous": "water:1"},
}


@pytest.mark.parametrize("name", CASES)
def test_pixels_and_boxes_are_those_of_the_image(name: str) -> None:
    experiment = panels_of(Experiment(**{**KEYWORDS, **CASES[name]}), 3)
    renderer = Renderer("cpu", 2)
    whole = renderer.render(experiment).array
    listed = np.array([(0, 0, 0), (2, 24, 36), (1, 6, 4), (1, 4, 30), (1, 6, 21), (2, 3, 11), (2, 3, 11)])
    photons = renderer.render(experiment, pixels=listed)
    assert isinstance(photons, np.ndarray)
    # Background is interpolated between other pixels of a tile, to 1e-6; all else is the same sum.
    tolerance = 2e-6 if name == "background" else 3e-7 if name == "Gaussian spots" else 0.0
    np.testing.assert_allclose(photons, whole[tuple(listed.T)], rtol=tolerance, atol=1e-9 * float(whole.max()))
    boxes = [(1, 2, 12, 3, 10), (0, 36, 36, 24, 24), (1, 10, 20, 0, 6)]
    for box, (panel, f0, f1, s0, s1) in zip(renderer.render(experiment, pixels=boxes), boxes, strict=True):
        expected = whole[panel, s0 : s1 + 1, f0 : f1 + 1]
        assert box.shape == expected.shape
        np.testing.assert_allclose(box, expected, rtol=tolerance, atol=1e-9 * float(whole.max()))


def test_one_panel_needs_no_number_and_a_region_does_not_count() -> None:
    experiment = Experiment(**KEYWORDS)
    whole = simulate(experiment).array
    cut = Experiment(**KEYWORDS, roi=(0, 3, 0, 3))
    np.testing.assert_array_equal(simulate(cut, pixels=[(20, 30), (1, 2)]), whole[[20, 1], [30, 2]])
    (box,) = simulate(cut, pixels=[(5, 9, 7, 7)])
    np.testing.assert_array_equal(box, whole[7:8, 5:10])


def test_several_crystals_add_up() -> None:
    experiment = Experiment(**KEYWORDS)
    other = Experiment(**{**KEYWORDS, "misset_deg": (50, 20, 70)}).crystal
    crystals = (replace(experiment.crystal, weight=0.6), replace(other, weight=0.4))
    both = replace(experiment, crystals=crystals)
    whole = simulate(both).array
    np.testing.assert_array_equal(simulate(both, pixels=[(3, 5), (21, 8)]), whole[[3, 21], [5, 8]])


@pytest.mark.parametrize(
    "pixels",
    [
        [], [1, 2], [(1, 2, 3, 4, 5, 6)], [(1.5, 2.0)], [("a", "b")], [(1, 2), (3,)], np.zeros((0, 2), dtype=int),
        [(25, 0)], [(0, 37)], [(-1, 0)], [(1, 0, 0)], [(0, 37, 0, 0)], [(5, 4, 0, 0)], [(3, 3, 20, 25)],
    ],
)  # fmt: skip
def test_pixels_that_are_none(pixels: Any) -> None:
    with pytest.raises(InputError, match=r"^pixels: "):
        simulate(Experiment(**KEYWORDS), pixels=pixels)


def test_of_several_panels_the_panel_must_be_told() -> None:
    with pytest.raises(InputError, match=r"^pixels: the panel of each must be told, as there are 2"):
        simulate(panels_of(Experiment(**KEYWORDS), 2), pixels=[(1, 2)])
