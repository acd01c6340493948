"""Images of panels that differ in their pixels, sensor and mask, against the sum itself in plain NumPy."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import nxmx
import pytest
from numpy.typing import NDArray

from nbnumba import Experiment, Renderer, simulate
from nbnumba.constants import R_E_SQUARED
from nbnumba.detector.model import Panel, Sensor
from nbnumba.experiment.scene import build_scene
from nbnumba.geometry.vectors import cross, unit
from nbnumba.io.nexus.geometry import read_geometry
from nbnumba.trace.walk import trace_pixel

CELLS = 3


def turned(panel: Panel, tilt: float, **changes: Any) -> Panel:
    """Return a panel that is tilted about y by some radians, with its normal and distances."""
    fast = unit(np.array([math.sin(tilt), 0.0, math.cos(tilt)]))
    normal = unit(cross(fast, panel.slow))
    made = replace(panel, fast=fast, normal=normal, **changes)
    close = float(made.origin @ normal)
    return replace(made, close_distance=close, distance=close / float(normal[0]))


def detector_of_all_kinds(semantics: str = "exact", **keywords: Any) -> Experiment:
    """Return an experiment whose three panels differ in everything."""
    keywords = {"N": CELLS, "default_F": 30.0} | keywords
    experiment = Experiment(
        semantics=semantics, cell=(40, 50, 60, 80, 95, 105), misset_deg=(10, 20, 30),
        wavelength_A=1.1, distance_mm=60, detpixels=(14, 11), pixel_mm=0.9, oversample=2, interpolate=False,
        fluence=1e25, **keywords,
    )  # fmt: skip
    first = experiment.detector.panels[0]
    mask = np.ones((5, 16), dtype=np.bool_)
    mask[2:4, 3:9] = False
    panels = (
        turned(first, 0.3, pixel_sizes=(0.5e-3, 1.3e-3), origin=np.array([0.06, 0.004, -0.01])),
        turned(
            first, -0.2, pixel_sizes=(1.1e-3, 0.4e-3), origin=np.array([0.05, 0.01, 0.002]),
            sensor=Sensor(2e-3, 4, 0.5e-3, 900.0),
        ),
        turned(first, 0.0, n_fast=16, n_slow=5, mask=mask, sensor=Sensor(1e-3, 2, 0.5e-3, 2000.0)),
    )  # fmt: skip
    return replace(experiment, detector=replace(experiment.detector, panels=panels))


def photons(experiment: Experiment, panel: Panel) -> NDArray[np.float64]:
    """Sum a panel over layers and sub-pixels, with the solid angle and polarization of a pixel's first sample."""
    oversample, beam = experiment.sampling.oversample, experiment.beam
    width, height = panel.pixel_sizes
    total = np.zeros((panel.n_slow, panel.n_fast))
    first_factor = None
    for layer in range(panel.sensor.layers):
        capture = None
        for sub_slow in range(oversample):
            for sub_fast in range(oversample):
                fast = (np.arange(panel.n_fast) + (sub_fast + 0.5) / oversample) * width
                slow = (np.arange(panel.n_slow) + (sub_slow + 0.5) / oversample) * height
                place = panel.origin + layer * panel.sensor.layer_step * panel.normal
                place = place + slow[:, None, None] * panel.slow + fast[None, :, None] * panel.fast
                distance = np.linalg.norm(place, axis=-1)
                toward = place / distance[..., None]
                cosine = toward @ beam.direction
                if first_factor is None:
                    solid_angle = width * height * panel.close_distance / distance**3
                    first_factor = solid_angle * 0.5 * (1.0 + cosine**2)  # unpolarized
                if capture is None:
                    capture = np.ones_like(distance)
                    if panel.sensor.thickness > 0.0:
                        path = panel.sensor.layer_step * panel.sensor.mu / (toward @ panel.normal)
                        capture = np.exp(-layer * path) - np.exp(-(layer + 1) * path)
                hkl = (toward - beam.direction) / beam.wavelength @ experiment.crystal.real_space.T
                lattice = np.prod(np.sin(np.pi * CELLS * hkl) / np.sin(np.pi * hkl), axis=-1)
                total += capture * (experiment.default_F * lattice) ** 2
    assert first_factor is not None
    image = R_E_SQUARED * experiment.fluence * total / oversample**2 * first_factor
    return image if panel.mask is None else np.where(panel.mask, image, 0.0)


def test_panels_that_differ_in_everything() -> None:
    experiment = detector_of_all_kinds(polarization=0.0)
    image = simulate(experiment).array
    assert image.shape == (3, 11, 16)
    for number, panel in enumerate(experiment.detector.panels):
        expected = photons(experiment, panel)
        # float32 rounds to 6e-8; NumPy's sine near whole indices loses a few digits of the ratio.
        np.testing.assert_allclose(
            image[number, : panel.n_slow, : panel.n_fast], expected, rtol=3e-7, atol=1e-9 * expected.max()
        )
        assert not image[number, panel.n_slow :].any()
        assert not image[number, :, panel.n_fast :].any()


@pytest.mark.parametrize("semantics", ["c", "exact"])
def test_a_trace_of_every_panel(semantics: str) -> None:
    experiment = detector_of_all_kinds(semantics)
    image = simulate(experiment)
    for number in range(3):
        stored = float(image.array[number, 1, 2])
        scene = build_scene(experiment, number)
        value = trace_pixel(experiment, scene, (1, 2), stored).quantities["I_pixel_final"]
        assert value == pytest.approx(stored, rel=1e-6)  # the image is float32


@pytest.mark.parametrize("shape", ["square", "round", "gauss", "tophat"])
def test_oblong_pixels_turned_by_a_right_angle(shape: str) -> None:
    """Rows as columns: the same pixels in another order, whichever way they are long."""
    experiment = detector_of_all_kinds(shape=shape, N=8, fudge=0.3, mosaic_spread_deg=0.5, mosaic_domains=40)
    panel = replace(experiment.detector.panels[0], n_fast=60, n_slow=25)
    swapped = replace(
        panel, n_fast=25, n_slow=60, pixel_sizes=panel.pixel_sizes[::-1], fast=panel.slow, slow=panel.fast
    )

    def drawn(one: Panel) -> NDArray[np.float32]:
        detector = replace(experiment.detector, panels=(one,))
        everywhere = replace(experiment.sampling, roi=(0, one.n_fast - 1, 0, one.n_slow - 1))
        return simulate(replace(experiment, detector=detector, sampling=everywhere)).array

    there, here = drawn(swapped).T, drawn(panel)
    assert here.max() > 0.0
    # Positions are summed in another order.
    np.testing.assert_allclose(there, here, rtol=2e-6, atol=1e-9 * float(here.max()))


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"interpolate": True, "semantics": "c"},
        # Enough steps for spots to be listed, panel by panel in threads.
        {"shape": "gauss", "N": 12, "mosaic_spread_deg": 1, "mosaic_domains": 400, "detpixels": (100, 90)},
        {"shape": "gauss", "N": 12, "mosaic_spread_deg": 1, "spread": "continuous"},
    ],
)
def test_panels_together_are_the_panels_alone(keywords: dict[str, Any]) -> None:
    settings = {
        "cell": (40, 50, 60, 80, 95, 105), "default_F": 30.0, "N": CELLS, "misset_deg": (10, 20, 30),
        "wavelength_A": 1.1, "distance_mm": 60, "detpixels": (21, 11), "pixel_mm": 0.3, "oversample": 1,
        "fluence": 1e25,
    } | keywords  # fmt: skip
    experiment = Experiment(**settings)
    first = experiment.detector.panels[0]
    panels = [
        turned(first, 0.02 * number, origin=first.position(first.n_slow * (number % 4), first.n_fast * (number // 4)))
        for number in range(20)
    ]

    def drawn(some: list[Panel]) -> Any:
        detector = replace(experiment.detector, panels=tuple(some))
        return Renderer("cpu", 2).render(replace(experiment, detector=detector))

    together = drawn(panels)
    assert (together.spots > 0) == (settings.get("shape") == "gauss")
    for panel, photons in zip(panels, together.array, strict=True):
        alone = drawn([panel]).array
        assert alone.max() > 0.0
        np.testing.assert_array_equal(photons, alone)


def test_an_nxmx_file_states_the_sensor_of_every_panel(tmp_path: Path) -> None:
    experiment = detector_of_all_kinds()
    first, second, third = experiment.detector.panels
    second = replace(second, sensor=replace(second.sensor, material="CdTe"))
    several = replace(experiment, detector=replace(experiment.detector, panels=(first, second, third)))
    said: list[str] = []
    simulate(several).save(tmp_path / "a.h5", notify=said.append)
    assert any("its panels have sensors that differ" in line for line in said)
    placed = read_geometry(tmp_path / "a.h5").panels
    np.testing.assert_allclose([panel.thickness for panel in placed], [0.0, 2e-3, 1e-3], rtol=1e-12)
    assert [panel.material for panel in placed[1:]] == ["CdTe", "Si"]
    again = Experiment(geometry=str(tmp_path / "a.h5"), cell=(40, 50, 60), N=3, default_F=1, semantics="exact")
    assert again.detector.panels[2].sensor.depth == pytest.approx(1e-3)
    with h5py.File(tmp_path / "a.h5") as file:
        (detector,) = nxmx.NXmx(file).entries[0].instruments[0].detectors
        assert detector.sensor_thickness.to("mm").magnitude == pytest.approx(1e-6)
        assert len(detector.modules) == 3
    alike = replace(experiment.detector, panels=(first, replace(third, sensor=first.sensor)))
    simulate(replace(experiment, detector=alike)).save(tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5") as file:
        assert "sensor_thickness" not in file["entry/instrument/detector/module_1"]
