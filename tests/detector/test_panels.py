"""Panels whose place is given."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from nbnumba.detector.model import Detector
from nbnumba.detector.panels import placed_panels
from nbnumba.detector.placement import resolve_axes, resolve_detector
from nbnumba.errors import InputError
from nbnumba.geometry.panel import PanelGeometry
from nbnumba.geometry.vectors import vector
from nbnumba.parameters.choices import Convention
from nbnumba.parameters.settings import Settings

BEAM = vector((1, 0, 0))
PANEL = PanelGeometry(
    40, 30, (1e-4, 1e-4), vector((0.1, 0.002, -0.003)), vector((0.0, 0.0, 1.0)), vector((0.0, -1.0, 0.0))
)


def place(*panels: PanelGeometry) -> Detector:
    settings = Settings.of(panels=panels)
    return resolve_detector(settings, resolve_axes(settings))


def test_one_panel_equals_the_same_detector_of_options() -> None:
    given = place(PANEL)
    settings = Settings.of(pixels_fast=40, pixels_slow=30, distance=0.1, Xbeam=2e-3 - 5e-5, Ybeam=3e-3 - 5e-5)
    typed = resolve_detector(settings, resolve_axes(settings))
    assert given.panels[0].sensor == typed.panels[0].sensor
    apart = {"sensor", "mask", "gaps", "name", "group"}
    for name in {field.name for field in dataclasses.fields(typed.panels[0])} - apart:
        np.testing.assert_allclose(
            getattr(given.panels[0], name), getattr(typed.panels[0], name), atol=1e-15, err_msg=name
        )
    assert given.center.Fbeam == pytest.approx(typed.center.Fbeam)
    assert given.center.Sbeam == pytest.approx(typed.center.Sbeam)
    assert pytest.approx(typed.center.ORGX) == given.center.ORGX
    assert (given.placement.detsize_f, given.placement.detsize_s) == pytest.approx((4e-3, 3e-3))


def test_normal_points_away_from_the_sample() -> None:
    mirrored = dataclasses.replace(PANEL, slow=(0.0, 1.0, 0.0))
    for panel in place(PANEL, mirrored).panels:
        assert panel.normal.tolist() == [1, 0, 0]
        assert panel.close_distance == panel.distance == 0.1


def test_a_tilted_panel() -> None:
    c, s = math.cos(0.4), math.sin(0.4)
    (panel,) = placed_panels(Settings.of(panels=(dataclasses.replace(PANEL, fast=(s, 0.0, c)),)), BEAM)
    # The plane through the corner, met by the beam and by its own perpendicular.
    assert panel.close_distance == pytest.approx(0.1 * c + 0.003 * s)
    assert panel.distance == pytest.approx(panel.close_distance / c)


def test_panels_behind_the_sample_and_along_the_beam() -> None:
    behind = dataclasses.replace(PANEL, origin=(-0.1, 0.0, 0.0))
    (panel,) = placed_panels(Settings.of(panels=(behind,)), BEAM)
    assert (panel.distance, panel.close_distance) == (-0.1, 0.1)
    assert panel.normal.tolist() == [-1, 0, 0]
    along = dataclasses.replace(PANEL, origin=(0.0, -0.05, 0.0), slow=(1.0, 0.0, 0.0))
    (panel,) = placed_panels(Settings.of(panels=(along,)), BEAM)
    assert panel.close_distance == 0.05
    assert math.isfinite(panel.distance)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_fast": 0}, r"^panel 1: has 0 x 30 pixels; at least 1 x 1 is needed$"),
        ({"n_slow": -1}, r"^panel 1: has 40 x -1 pixels; at least"),
        ({"pixel_sizes": (0.0, 1e-4)}, r"^panel 1: a pixel measures 0 mm; it must be greater than 0$"),
        ({"pixel_sizes": (1e-4, math.nan)}, r"^panel 1: a pixel measures nan mm"),
        ({"origin": (math.inf, 0.0, 0.0)}, r"^panel 1: its corner lies at \(inf, 0\.0, 0\.0\); it must be somewhere$"),
        ({"origin": (0.0, 1.0, 1.0)}, r"^panel 1: its plane passes through the sample; it must not$"),
        ({"fast": (0.0, 0.0, 0.0)}, r"^panel 1: fast \(0\.0, 0\.0, 0\.0\) and slow .* must be unit vectors at right"),
        ({"fast": (0.0, 0.0, 2.0)}, r"^panel 1: fast \(0\.0, 0\.0, 2\.0\) and slow"),
        ({"fast": (math.nan, 0.0, 1.0)}, r"^panel 1: fast \(nan, "),
        ({"slow": (0.0, -0.8, 0.6)}, r"^panel 1: fast .* and slow \(0\.0, -0\.8, 0\.6\) must be unit vectors at right"),
    ],
)
def test_panels_that_cannot_be(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        place(PANEL, dataclasses.replace(PANEL, **changes))  # type: ignore[arg-type]


def test_pixels_of_all_panels_count() -> None:
    large = dataclasses.replace(PANEL, n_fast=40_000, n_slow=40_000)
    with pytest.raises(InputError, match=r"^panels: 2 x 40000 x 40000 pixels would need 12\.8 GB; at most 2147483647"):
        place(large, large)


def test_a_curved_detector_is_one_panel() -> None:
    settings = Settings.of(panels=(PANEL, PANEL), curved_detector=True)
    with pytest.raises(InputError, match=r"^-curved_det: contradicts panels: 2 panels cannot be one curved detector$"):
        resolve_detector(settings, resolve_axes(settings))


def test_panels_stand_in_the_frame_of_any_convention() -> None:
    settings = Settings.of(panels=(dataclasses.replace(PANEL, origin=(-3e-3, 2e-3, 0.1), fast=(1.0, 0.0, 0.0)),))
    settings = settings.changed(convention=Convention.XDS)
    detector = resolve_detector(settings, resolve_axes(settings))
    assert detector.panels[0].distance == pytest.approx(0.1)
    assert (detector.center.Fbeam, detector.center.Sbeam) == pytest.approx((3e-3, 2e-3))


def test_oblong_pixels() -> None:
    oblong = dataclasses.replace(PANEL, pixel_sizes=(1e-4, 3e-4))
    # Slow runs along -y, fast along z.
    np.testing.assert_allclose(oblong.position(1.0, 10.0), [0.1, 0.002 - 3e-4, -0.003 + 1e-3], rtol=1e-15)
    with pytest.raises(InputError, match="oblong"):
        assert oblong.pixel_size
    assert PANEL.pixel_size == 1e-4


def test_panels_compare_by_their_numbers() -> None:
    assert dataclasses.replace(PANEL) == PANEL
    assert hash(dataclasses.replace(PANEL)) == hash(PANEL)
    assert dataclasses.replace(PANEL, origin=PANEL.origin * (1.0 + 1e-15)) != PANEL
