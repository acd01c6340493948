"""DIALS' own reader finds the pixels, beams and rotations of NXmx files where and what they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dxtbx_reader
import numpy as np
import pytest
from plain_experiments import CENTERS, TILTS, experiment, lab_position, points
from requirements import requires

from nbnumba.beam.frames import to_imgcif
from nbnumba.experiment.ground_truth import ground_truth
from nbnumba.experiment.model import Experiment
from nbnumba.imagefiles.nexus import NexusWriter
from nbnumba.io.nexus.master import write_master
from nbnumba.render.renderer import simulate

pytestmark = [requires("DIALS' reader"), pytest.mark.readers]

TOLERANCE = 1e-9  # m, in every coordinate; what is found is rounding, below 1e-14 m

# A laboratory with nothing along an axis: axes of an arbitrary rotation.
_TURNED = (
    "-beam_vector 0.36 0.48 -0.8 -fdet_vector -0.8 0.6 0 -sdet_vector 0.48 0.64 0.6 -odet_vector 0.36 0.48 -0.8 "
    "-polar_vector -0.8 0.6 0 -spindle_axis 0.48 0.64 0.6 -twotheta_axis 0 0 1 "
)
LABORATORIES = {
    **CENTERS,
    "turned": _TURNED + "-Xbeam 0.7 -Ybeam 0.6",
    "turned, by the closest point": _TURNED + "-Xclose 0.7 -Yclose 0.6 -pivot sample",
    "corner": _TURNED + "-pix0_vector_mm 40 55 -99",
    "polarization aslant": "-beam_vector 1 0 0 -polar_vector 1 2 3 -Xbeam 0.7 -Ybeam 0.6",
    "beam aslant to the detector": "-beam_vector 1 0.1 -0.2 -Xbeam 0.7 -Ybeam 0.6",
}
GEOMETRIES = {
    f"{name}, {tilt}": f"{words} {turn}"
    for name, words in LABORATORIES.items()
    for tilt, turn in {"flat": "", **TILTS}.items()
}


@dataclass
class Case:
    """Images of a file, what they were made from, and what the reader found."""

    path: Path
    records: list[Experiment]
    pixels: list[np.ndarray]
    found: dict[str, Any] = field(default_factory=dict)


def write(
    path: Path, records: list[Experiment], dtype: str = "float32", pixels: list[np.ndarray] | None = None
) -> Case:
    """Write images, arbitrary ones unless given."""
    if pixels is None:
        pixels = [arbitrary(record, dtype, seed) for seed, record in enumerate(records)]
    with NexusWriter(path, records[0], len(records), dtype) as writer:
        for index, (record, image) in enumerate(zip(records, pixels, strict=True)):
            writer.write(index, image, record, ground_truth(record))
    return Case(path, records, pixels)


def arbitrary(record: Experiment, dtype: str, seed: int) -> np.ndarray:
    panels = record.detector.panels
    shape = (len(panels), max(p.n_slow for p in panels), max(p.n_fast for p in panels))
    image = np.random.default_rng(seed).uniform(0.0, 65533.0, shape).astype(dtype)
    return image[0] if len(panels) == 1 else image


def with_panels(record: Experiment, *sizes: tuple[int, int]) -> Experiment:
    """Return the experiment with panels of (n_slow, n_fast) pixels, each shifted and turned against the first."""
    first = record.detector.panels[0]
    panels = []
    for number, (n_slow, n_fast) in enumerate(sizes):
        angle = 0.3 * number
        fast = math.cos(angle) * first.fast + math.sin(angle) * first.normal
        normal = math.cos(angle) * first.normal - math.sin(angle) * first.fast
        origin = first.origin + 0.011 * number * first.fast - 0.003 * number * first.slow
        panels.append(replace(first, n_slow=n_slow, n_fast=n_fast, fast=fast, normal=normal, origin=origin))
    return replace(record, detector=replace(record.detector, panels=tuple(panels)))


def rotation_cases() -> dict[str, list[Experiment]]:
    slices = [experiment(f"-xds -phi {10 + 0.5 * i} -osc 0.5 -phisteps 3") for i in range(3)]
    apart = [experiment(f"-phi {7 * i} -osc 0.5 -phisteps 3") for i in range(3)]
    other = [experiment(f"-phi {0.5 * i} -osc 0.5 -phisteps 3 -misset {i} 2 3") for i in range(3)]
    return {
        "one slice": [experiment(f"{_TURNED} -phi 33 -osc 0.25 -phisteps 2")],
        "slices": slices,
        "stills": [experiment(f"-misset {i} 2 3") for i in range(3)],
        "apart": apart,
        "other crystals": other,
    }


def spectrum_cases() -> dict[str, list[Experiment]]:
    bands = [
        experiment(f"-lambda {1 + 0.01 * i} -dispersion {i + 1} -dispsteps {3 + i} -hdivrange 1 -hdivsteps 2")
        for i in range(3)
    ]
    return {
        "one wavelength": [experiment("-lambda 1.3")],
        "a wavelength each": [experiment(f"-lambda {1 + 0.1 * i}") for i in range(3)],
        "one band": bands[:1],
        "a band each": bands,
        "band and line": [bands[1], experiment("-lambda 1.2")],
        "a pulse each": [
            experiment(f"-spectrum sase:12000:60:2:40 -spectrum_seed {i} -gauss_hdiv 1 -gauss_divs 3") for i in range(3)
        ],
        "pink": [experiment("-spectrum pink:12000:60:200:30")],
    }


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Write all files, and read them in one process."""
    folder = tmp_path_factory.mktemp("files")
    found: dict[str, Case] = {}

    def add(name: str, make: Callable[[Path], Case]) -> None:
        found[name] = make(folder / f"shot_{len(found):04d}.h5")

    for name, words in GEOMETRIES.items():
        add(name, lambda path, words=words: write(path, [experiment(words)]))
    for dtype in ("float32", "int32", "uint16"):
        add(dtype, lambda path, dtype=dtype: write(path, [experiment("-Xbeam 1 -Ybeam 2")] * 2, dtype))
    tilted = experiment(CENTERS["xds"] + " " + TILTS["both"])
    for name, sizes in {
        "two panels": [(9, 12), (9, 12)],
        "panels of other heights": [(9, 12), (4, 12), (7, 12)],
        "panels of other widths": [(9, 12), (4, 5), (3, 11)],
        "many panels": [(3, 4)] * 12,
    }.items():
        add(name, lambda path, sizes=sizes: write(path, [with_panels(tilted, *sizes)] * 2, "int32"))
    for name, records in {**rotation_cases(), **spectrum_cases()}.items():
        add(name, lambda path, records=records: write(path, records))
    add("stretched", lambda path: write(path, [experiment("-mosflm -twotheta_axis 0 1.1 0 -twotheta 23.5")]))
    sensor = "-detector_abs 300 -detector_thick 450 -detector_thicksteps 4 "
    add("sensor", lambda path: write(path, [experiment(sensor + TILTS["rotated"])]))
    add("peak", lambda path: write_simulated(path, ""))
    add("peak after a turn", lambda path: write_simulated(path, "-phi 33 -osc 0.001 -phisteps 1"))
    add("peak, turned", lambda path: write_simulated(path, f"{_TURNED} -phi -21 -osc 0.001 -phisteps 1 -twotheta 9"))
    for name, sets in {
        "master of stills": [rotation_cases()["stills"], [experiment("-lambda 1.2")] * 2],
        "master of slices": [rotation_cases()["slices"][:2], rotation_cases()["slices"][2:]],
    }.items():
        add(name, lambda path, sets=sets: write_chunks(path, sets))
    requests = [
        (
            case.path,
            [
                point
                for panel in range(len(case.records[0].detector.panels))
                for point in points(case.records[0], panel)
            ],
        )
        for case in found.values()
    ]
    for case, result in zip(found.values(), dxtbx_reader.read(requests), strict=True):
        case.found = result
    return found


def write_simulated(path: Path, words: str) -> Case:
    """Write a picture of one strong spot or a few."""
    record = experiment(
        f"-detpixels 64 -pixel 0.3 -N 12 -mosaic 0 -mosaic_domains 1 -oversample 1 -distance 60 {words}"
    )
    return write(path, [record], pixels=[simulate(record).array])


def write_chunks(path: Path, sets: list[list[Experiment]]) -> Case:
    chunks = [write(path.with_name(f"{path.stem}_chunk_{i}.h5"), records) for i, records in enumerate(sets)]
    assert write_master(path, [chunk.path for chunk in chunks]) == sum(map(len, sets))
    return Case(path, [r for chunk in chunks for r in chunk.records], [p for chunk in chunks for p in chunk.pixels])


def check_positions(case: Case) -> None:
    record = case.records[0]
    assert "error" not in case.found, case.found
    assert case.found["format"] == "FormatNXmx"
    panels = record.detector.panels
    assert len(case.found["panels"]) == len(panels)
    frame = to_imgcif(record.beam)
    ours = [frame @ lab_position(record, *point) for panel in range(len(panels)) for point in points(record, panel)]
    np.testing.assert_allclose(np.array(case.found["points_mm"]) / 1000.0, ours, rtol=0.0, atol=TOLERANCE)
    for panel, theirs in zip(panels, case.found["panels"], strict=True):
        assert theirs["image_size"] == [panel.n_fast, panel.n_slow]
        # Conversions between units, each rounded.
        np.testing.assert_allclose(theirs["pixel_size_mm"], panel.pixel_size * 1e3, rtol=1e-14)


def check_pixels(case: Case) -> None:
    panels = case.records[0].detector.panels
    assert case.found["images"] == len(case.pixels)
    for image, theirs in zip(case.pixels, case.found["data"], strict=True):
        parts = image[np.newaxis] if len(panels) == 1 else image
        for panel, part, pixels in zip(panels, parts, theirs, strict=True):
            np.testing.assert_array_equal(pixels, part[: panel.n_slow, : panel.n_fast])


@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_pixel_is_where_it_is(cases: dict[str, Case], name: str) -> None:
    case = cases[name]
    check_positions(case)
    check_pixels(case)
    # What the reader assumes of every NXmx file: the frame is turned so that it holds.
    assert case.found["sample_to_source"] == [0.0, 0.0, 1.0]
    np.testing.assert_allclose(to_imgcif(case.records[0].beam) @ case.records[0].beam.direction, [0, 0, -1], atol=1e-15)


def test_steps_of_a_stretched_detector_are_as_long_as_they_are(cases: dict[str, Case]) -> None:
    case = cases["stretched"]
    record = case.records[0]
    assert np.linalg.norm(record.detector.panels[0].fast) > 1.001
    ours = [to_imgcif(record.beam) @ lab_position(record, *point) for point in points(record)]
    np.testing.assert_allclose(np.array(case.found["points_mm"]) / 1000.0, ours, rtol=0.0, atol=TOLERANCE)


def test_the_geometries_differ(cases: dict[str, Case]) -> None:
    # Else the test above would say little. Conventions that mean the same are few.
    corners = {tuple(np.round(cases[name].found["points_mm"][0], 6)) for name in GEOMETRIES}
    assert len(corners) > 0.6 * len(GEOMETRIES)


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint16"])
def test_pixels_of_every_type(cases: dict[str, Case], dtype: str) -> None:
    check_pixels(cases[dtype])
    (panel,) = cases[dtype].found["panels"]
    lowest, highest = panel["trusted_range"]
    assert lowest in (-1.0, 0.0)  # older versions take one off
    assert highest == {"float32": 2**31 - 1, "int32": 2**31 - 4, "uint16": 65532}[dtype]
    assert panel["gain"] == 1.0
    assert panel["pedestal"] == 0.0


@pytest.mark.parametrize("name", ["two panels", "panels of other heights", "panels of other widths", "many panels"])
def test_every_panel_is_where_it_is(cases: dict[str, Case], name: str) -> None:
    check_positions(cases[name])
    check_pixels(cases[name])


def test_a_sensor_is_as_thick_as_what_was_simulated(cases: dict[str, Case]) -> None:
    case = cases["sensor"]
    record = case.records[0]
    (panel,) = case.found["panels"]
    thickness = record.detector.sensor.depth
    assert panel["thickness_mm"] == pytest.approx(thickness * 1e3, rel=1e-14)
    assert thickness > 4e-4
    assert panel["material"] == "Si"
    # The reader's own positions allow for the depth at which photons are absorbed: the surface is compared.
    origin, fast, slow = (np.array(panel[key]) for key in ("origin_mm", "fast", "slow"))
    step = panel["pixel_size_mm"][0]
    frame = to_imgcif(record.beam)
    for point, seen in zip(points(record), case.found["points_mm"], strict=True):
        surface = origin + step * (point[1] * fast + point[2] * slow)
        np.testing.assert_allclose(surface / 1e3, frame @ lab_position(record, *point), rtol=0.0, atol=TOLERANCE)
        assert 1e-6 < np.linalg.norm(surface - seen) / 1e3 < thickness
    # Without a sensor the parallax is too small to be seen.
    assert cases["float32"].found["panels"][0]["thickness_mm"] == pytest.approx(1e-6)


@pytest.mark.parametrize("name", ["one slice", "slices"])
def test_a_rotation_is_one(cases: dict[str, Case], name: str) -> None:
    check_rotation(cases[name])


def check_rotation(case: Case) -> None:
    first = case.records[0]
    assert not case.found["still"]
    axis = to_imgcif(first.beam) @ first.goniometer.spindle
    np.testing.assert_allclose(case.found["goniometer"]["axis"], axis, atol=1e-15)
    assert case.found["goniometer"]["fixed"] == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert case.found["scan"]["image_range"] == [1, len(case.records)]
    start, width = case.found["scan"]["oscillation_deg"]
    # Degrees to radians and back.
    assert start == pytest.approx(math.degrees(first.goniometer.phi), rel=1e-12)
    assert width == pytest.approx(math.degrees(first.goniometer.osc), rel=1e-12)
    assert case.found["scan"]["exposure_times"] == [1.0] * len(case.records)


@pytest.mark.parametrize("name", ["stills", "apart", "other crystals"])
def test_images_that_do_not_continue_one_another_are_stills(cases: dict[str, Case], name: str) -> None:
    assert cases[name].found["still"]
    assert cases[name].found["goniometer"] is None
    assert cases[name].found["scan"] is None
    check_pixels(cases[name])


@pytest.mark.parametrize("name", spectrum_cases())
def test_every_image_has_its_wavelength(cases: dict[str, Case], name: str) -> None:
    check_wavelengths(cases[name])


def check_wavelengths(case: Case) -> None:
    expected = []
    for record in case.records:
        wavelengths, weights = record.beam.sources.spectrum
        expected.append(np.average(wavelengths, weights=weights) * 1e10)
    # Sums and conversions, each rounded.
    np.testing.assert_allclose(case.found["wavelengths_A"], expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["one wavelength", "one band", "a pulse each", "pink"])
def test_every_image_has_its_spectrum(cases: dict[str, Case], name: str) -> None:
    for record, found in zip(cases[name].records, cases[name].found["spectra"], strict=True):
        wavelengths, weights = record.beam.sources.spectrum
        if len(wavelengths) == 1:
            assert found is None
            continue
        # The reader's own product of energy and wavelength, 12398.4..., agrees with ours to 5e-7.
        np.testing.assert_allclose(found["energies_ev"], 12398.42 / (wavelengths * 1e10), rtol=5e-7)
        np.testing.assert_allclose(found["weights"], weights, rtol=1e-15)


@pytest.mark.parametrize("name", ["peak", "peak after a turn", "peak, turned"])
def test_the_brightest_pixel_is_a_reflection(cases: dict[str, Case], name: str) -> None:
    """Geometry, rotation and orientation fit together: the reader's numbers index our picture."""
    case = cases[name]
    slow, fast = np.unravel_index(np.argmax(case.pixels[0]), case.pixels[0].shape)
    (panel,) = case.found["panels"]
    origin, along_fast, along_slow = (np.array(panel[key]) for key in ("origin_mm", "fast", "slow"))
    step = panel["pixel_size_mm"][0]
    place = origin + (fast + 0.5) * step * along_fast + (slow + 0.5) * step * along_slow
    wavelength = case.found["wavelengths_A"][0]
    q = (place / np.linalg.norm(place) + np.array(case.found["sample_to_source"])) / wavelength
    turn = np.eye(3)
    if case.found["goniometer"] is not None:
        start, width = case.found["scan"]["oscillation_deg"]
        turn = rotation(np.array(case.found["goniometer"]["axis"]), math.radians(start + width / 2))
    A = turn @ ground_truth(case.records[0]).A_matrix_imgcif
    h = np.linalg.solve(A, q)
    assert np.linalg.norm(q) > 0.05  # 1/Angstrom: not the direct beam
    # The center of a spot of a crystal of 12 cells lies within the width of its shape factor.
    assert np.max(np.abs(h - np.rint(h))) < 0.08, h
    assert np.any(np.rint(h) != 0)


def rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    x, y, z = axis
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + math.sin(angle) * skew + (1 - math.cos(angle)) * skew @ skew


def test_a_master_shows_the_stills_of_all_files(cases: dict[str, Case]) -> None:
    case = cases["master of stills"]
    check_positions(case)
    check_pixels(case)
    check_wavelengths(case)
    assert case.found["still"]


def test_a_master_shows_one_rotation(cases: dict[str, Case]) -> None:
    check_rotation(cases["master of slices"])
    check_pixels(cases["master of slices"])


def test_axes_that_are_nearly_at_right_angles_are_put_so(tmp_path: Path) -> None:
    # As typed to six digits, from a refined geometry.
    record = experiment(
        "-fdet_vector 0 1.3e-6 1 -sdet_vector 1e-6 -1 0 -Xbeam 0.7 -Ybeam 0.6 -odet_vector 1 0 0 -pivot beam"
    )
    panel = record.detector.panels[0]
    assert panel.is_skew
    case = write(tmp_path / "skew_0001.h5", [record])
    (found,) = dxtbx_reader.read([(case.path, [(0, fast, slow) for _, fast, slow in points(record)])], data=False)
    turn = to_imgcif(record.beam)
    for (_, fast, slow), place in zip(points(record), found["points_mm"], strict=True):
        moved = np.linalg.norm(np.array(place) * 1e-3 - turn @ panel.position(slow, fast))
        assert moved < 0.01 * panel.pixel_size
