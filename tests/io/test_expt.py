"""DIALS experiment lists: reading them, and pictures drawn from them."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dxtbx_reader
import dxtbx_writer
import h5py
import numpy as np
import pytest
from requirements import requires

import nbnumba
from nbnumba import cli
from nbnumba.errors import FileError, InputError
from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.geometry.vectors import rotate_about
from nbnumba.imagefiles.smv import smv_fields
from nbnumba.io import expt, smv
from nbnumba.parameters.parser import parse
from nbnumba.render.renderer import simulate
from nbnumba.util.messages import notices_to

IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1]
QUARTER_X = [1, 0, 0, 0, 0, -1, 0, 1, 0]  # turns y to z
QUARTER_Z = [0, -1, 0, 1, 0, 0, 0, 0, 1]  # turns x to y

# Two panels in a group that is tilted by the rotation that takes (0, 4, 3) to (0, 5, 0), as dxtbx writes them.
TEXT = """
{"__id__": "ExperimentList",
 "experiment": [{"__id__": "Experiment", "identifier": "", "beam": 0, "detector": 0, "goniometer": 0, "scan": 0,
                 "crystal": 0}],
 "imageset": [],
 "beam": [{"__id__": "monochromatic", "direction": [0.0, 0.0, 2.0], "wavelength": 1.25, "divergence": 0.0,
           "sigma_divergence": 0.0, "polarization_normal": [0.0, 1.0, 0.0], "polarization_fraction": 0.9,
           "flux": 1e12, "transmission": 0.5, "probe": "x-ray", "sample_to_source_distance": 0.0}],
 "detector": [{"panels": [
   {"name": "a", "fast_axis": [1.0, 0.0, 0.0], "slow_axis": [0.0, 1.0, 0.0], "origin": [-10.0, 0.0, 0.0],
    "raw_image_offset": [0, 0], "image_size": [30, 20], "pixel_size": [0.2, 0.2], "trusted_range": [0.0, Infinity],
    "thickness": 0.32, "material": "Si", "mu": 3.9, "mask": [], "px_mm_strategy": {"type": "SimplePxMmStrategy"}},
   {"name": "b", "fast_axis": [0.0, 1.0, 0.0], "slow_axis": [-1.0, 0.0, 0.0], "origin": [10.0, 5.0, 1.0],
    "raw_image_offset": [0, 0], "image_size": [30, 20], "pixel_size": [0.2, 0.2], "trusted_range": [0.0, 1.0]}],
  "hierarchy": {"name": "root", "fast_axis": [1.0, 0.0, 0.0], "slow_axis": [0.0, -1.0, 0.0],
   "origin": [0.0, 0.0, -100.0], "image_size": [0, 0], "pixel_size": [0.0, 0.0], "children": [
    {"name": "g", "fast_axis": [1.0, 0.0, 0.0], "slow_axis": [0.0, 0.8, 0.6], "origin": [1.0, 2.0, 3.0],
     "image_size": [0, 0], "pixel_size": [0.0, 0.0], "children": [{"panel": 1}, {"panel": 0}]}]}}],
 "goniometer": [{"rotation_axis": [1.0, 0.0, 0.0], "fixed_rotation": [1, 0, 0, 0, 0, -1, 0, 1, 0],
                 "setting_rotation": [0, -1, 0, 1, 0, 0, 0, 0, 1]}],
 "scan": [{"image_range": [1, 3], "batch_offset": 0, "oscillation": [30.0, 0.5],
           "exposure_time": [0, 0, 0], "epochs": [0, 0, 0], "valid_image_ranges": {}}],
 "crystal": [{"__id__": "crystal", "real_space_a": [50.0, 0.0, 0.0], "real_space_b": [0.0, 80.0, 0.0],
              "real_space_c": [0.0, 0.0, 100.0], "space_group_hall_symbol": " P 1",
              "A_at_scan_points": [[1, 0, 0, 0, 1, 0, 0, 0, 1]]}],
 "profile": [], "scaling_model": []}
"""


def content() -> dict[str, Any]:
    return json.loads(TEXT)


def read(data: dict[str, Any]) -> expt.Expt:
    return expt.parse(json.dumps(data), "a.expt")


def test_beam() -> None:
    found = read(content())
    assert found.beam.tolist() == [0, 0, -1]  # the file's direction points to the source
    assert found.wavelength_A == 1.25
    assert found.polarization_normal.tolist() == [0, 1, 0]
    assert found.polarization_fraction == 0.9


def test_panels_are_carried_from_their_groups_to_the_laboratory() -> None:
    first, second = read(content()).panels
    # Worked out by hand. The group in the laboratory: fast x, slow (0, -0.8, -0.6), normal (0, 0.6, -0.8), origin
    # (1, -2, -103).
    np.testing.assert_allclose(first.origin * 1e3, [-9, -2, -103], atol=1e-12)
    np.testing.assert_allclose(first.fast, [1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(first.slow, [0, -0.8, -0.6], atol=1e-15)
    np.testing.assert_allclose(second.origin * 1e3, [11, -2 - 4 + 0.6, -103 - 3 - 0.8], atol=1e-12)
    np.testing.assert_allclose(second.fast, [0, -0.8, -0.6], atol=1e-15)
    np.testing.assert_allclose(second.slow, [-1, 0, 0], atol=1e-15)
    assert (first.n_fast, first.n_slow, first.pixel_sizes) == (30, 20, (0.2e-3, 0.2e-3))


def test_panels_without_a_hierarchy_stand_in_the_laboratory() -> None:
    data = content()
    del data["detector"][0]["hierarchy"]
    first, second = read(data).panels
    assert first.origin.tolist() == [-0.01, 0, 0]
    assert second.slow.tolist() == [-1, 0, 0]


def test_goniometer_and_scan() -> None:
    found = read(content())
    # The setting rotation carries the axis along.
    np.testing.assert_allclose(found.rotation_axis, [0, 1, 0], atol=1e-15)
    assert (found.phi_deg, found.width_deg) == (30, 0.5)


def test_crystal_is_turned_by_fixed_and_setting_rotation() -> None:
    reciprocal = read(content()).reciprocal_A
    # a* along x goes to y; b* along y goes to z; c* along z goes to -y and from there to x.
    np.testing.assert_allclose(reciprocal, [[0, 1 / 50, 0], [0, 0, 1 / 80], [1 / 100, 0, 0]], atol=1e-15)


def test_an_experiment_without_goniometer_scan_and_crystal() -> None:
    data = content()
    for name in ("goniometer", "scan", "crystal"):
        data["experiment"][0][name] = None
    found = read(data)
    assert found.reciprocal_A is None
    assert (found.phi_deg, found.width_deg) == (0, 0)
    assert found.remarks == ()
    for name in ("goniometer", "scan", "crystal"):
        del data["experiment"][0][name]
        del data[name]
    assert read(data).panels[0].n_fast == 30


def test_scan_as_newer_files_have_it() -> None:
    data = content()
    scan = data["scan"][0]
    del scan["oscillation"]
    scan["properties"] = {"oscillation": [10.0, 10.25, 10.5], "exposure_time": [0, 0, 0]}
    assert (read(data).phi_deg, read(data).width_deg) == (10, 0.25)
    scan["properties"] = {"oscillation": [10.0], "oscillation_width": [0.5]}
    assert (read(data).phi_deg, read(data).width_deg) == (10, 0.5)
    scan["properties"] = {"exposure_time": [1.0]}
    assert (read(data).phi_deg, read(data).width_deg) == (0, 0)


def test_goniometer_of_several_axes() -> None:
    data = content()
    data["goniometer"] = [{"axes": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "angles": [90, 7, 90], "scan_axis": 1}]
    found = read(data)
    # The first axis turns with the crystal, the last one carries the spindle.
    np.testing.assert_allclose(found.rotation_axis, [-1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(found.reciprocal_A, [[0, 1 / 50, 0], [0, 0, 1 / 80], [1 / 100, 0, 0]], atol=1e-15)


def test_remarks() -> None:
    data = content()
    data["experiment"].append(data["experiment"][0])
    data["beam"][0]["probe"] = "electron"
    assert read(data).remarks == (
        "-expt a.expt: holds 2 experiments; the first one counts (-expt_number 0 to 1 chooses)",
        "-expt a.expt: models that vary along the scan are not used; their means are",
        "-expt a.expt: the beam is of 'electron'; what is drawn is the scattering of X-rays",
    )


def test_mosaicity_of_other_models_is_named() -> None:
    data = content()
    data["crystal"][0] |= {"ML_half_mosaicity_deg": 0.05, "ML_domain_size_ang": 2000.0}
    data["experiment"][0]["profile"] = 0
    data["profile"] = [{"__id__": "ellipsoid", "parameterisation": {}}]
    assert [text.removeprefix("-expt a.expt: ") for text in read(data).remarks if "counts" not in text.split(";")[0]][
        -2:
    ] == [
        "its crystal has mosaic domains of 2000 Angstrom, which count only as -samplesize 0.0002",
        "its profile model, an ellipsoid of mosaicity, is not used; -mosaic_sigmas takes a spread about each axis of "
        "the crystal",
    ]
    assert any("a mosaicity of 0.1 degrees in all" in text for text in read(data).remarks)
    for profile in ([{"__id__": "gaussian_rs"}], [3], "none", []):
        data["profile"] = profile
        assert not any("profile" in text for text in read(data).remarks)


def two_lattices(data: dict[str, Any]) -> dict[str, Any]:
    data["crystal"].append(copy.deepcopy(data["crystal"][0]))
    data["crystal"][1]["real_space_a"] = [60.0, 0.0, 0.0]
    data["experiment"].append({**data["experiment"][0], "crystal": 1})
    return data


def test_lattices_of_one_image_all_count_unless_one_is_chosen() -> None:
    data = two_lattices(content())
    data["beam"].append(data["beam"][0])
    data["experiment"][1]["beam"] = 1  # the same beam twice
    found = read(data)
    assert found.remarks[0] == (
        "-expt a.expt: holds 2 experiments of one image; all 2 lattices count (-expt_number 0 to 1 chooses)"
    )
    for number, a in enumerate((50, 60)):
        ours = (found.reciprocal_A, *found.further_reciprocal_A)[number]
        np.testing.assert_allclose(np.linalg.norm(ours, axis=1), [1 / a, 1 / 80, 1 / 100], rtol=1e-12)
        one = expt.parse(json.dumps(data), "a.expt", number=number)
        np.testing.assert_array_equal(one.reciprocal_A, ours)
        assert one.further_reciprocal_A == ()
    with pytest.raises(InputError, match=r"^-expt_number: 2 names no experiment of -expt a\.expt; allowed: 0 to 1$"):
        expt.parse(json.dumps(data), "a.expt", number=2)


@pytest.mark.parametrize("other", ["beam", "imageset", "scan"])
def test_experiments_of_several_images_are_not_lattices_of_one(other: str) -> None:
    data = two_lattices(content())
    data["experiment"][1][other] = 1
    if other != "imageset":
        data[other].append({**data[other][0], "wavelength": 1.0, "oscillation": [40.0, 0.5]})
    found = read(data)
    assert found.further_reciprocal_A == ()
    assert found.remarks[0].endswith("holds 2 experiments; the first one counts (-expt_number 0 to 1 chooses)")


@pytest.mark.parametrize("semantics", ["c", "exact"])
def test_an_image_of_several_lattices_is_the_sum_of_theirs(semantics: str, tmp_path: Path) -> None:
    data = two_lattices(content())
    del data["crystal"][0]["A_at_scan_points"], data["crystal"][1]["A_at_scan_points"]
    data["crystal"][1]["real_space_b"] = [5.0, 70.0, 3.0]
    file = tmp_path / "a.expt"
    file.write_text(json.dumps(data))
    line = f"-expt {file} -default_F 100 -N 4 -phisteps 2 -oversample 1 -nointerpolate -semantics {semantics}"
    experiment, both, said = draw(line)
    assert [crystal.lengths_A[0] for crystal in experiment.crystals] == pytest.approx([50, 60])
    assert any("all 2 lattices count" in notice for notice in said)
    one, other = (draw(f"{line} -expt_number {number}")[1].astype(float) for number in (0, 1))
    assert np.abs(one - other).max() > 0.1 * both.max()
    np.testing.assert_allclose(both, one + other, rtol=4 * 2.0**-24)  # float32 of each image and of the sum
    typed = draw(f"{line} -A_matrix 0.02 0 0 0 0.0125 0 0 0 0.01")[0]
    assert len(typed.crystals) == 1
    with pytest.raises(InputError, match=r"^-expt: \S+ holds 2 lattices of one image, which -misset cannot change"):
        draw(f"{line} -misset 1 2 3")
    with pytest.raises(InputError, match=r"^-mat \S+: holds 2 lattices of one image; choose one with -expt_number"):
        draw(f"-mat {file} -default_F 100")


def test_what_panels_say_of_their_numbers_is_named_with_the_options() -> None:
    data = content()
    for panel in data["detector"][0]["panels"]:
        panel.update(gain=2.5, pedestal=4.0, trusted_range=[-1.0, 65000.0])
    assert read(data).panel_remarks == (
        "-expt a.expt: its panels state gain 2.5, pedestal 4, a trusted range up to 65000; such numbers count only "
        "where they are given: -gain 2.5 -adc 4 -saturation 65000",
    )
    data["detector"][0]["panels"][0]["gain"] = 1.5
    assert "gain 2.5 and others" in read(data).panel_remarks[0]


def test_untrusted_rectangles_and_names() -> None:
    data = content()
    first = data["detector"][0]["panels"][0]
    first["mask"] = [[2, 3, 5, 7], [28, 18, 99, 99]]
    one, two = read(data).panels
    assert (one.name, one.group, two.group) == ("a", "g", "g")
    assert (one.thickness, one.mu, one.material, one.parallax) == (0.32e-3, 3.9e3, "Si", False)
    expected = np.zeros((20, 30), dtype=bool)
    expected[3:7, 2:5] = expected[18:, 28:] = True
    np.testing.assert_array_equal(one.bad, expected)
    assert two.bad is None


def varying(data: dict[str, Any]) -> None:
    """Give models a value at each of the four scan points of three images."""
    data["crystal"][0]["A_at_scan_points"] = [
        np.diag([1 / (50 + n), 1 / 80, 1 / 100]).ravel().tolist() for n in range(4)
    ]
    data["beam"][0]["s0_at_scan_points"] = [[0.0, 0.0, -1 / (1.25 + 0.01 * n)] for n in range(4)]


def a_star(phi_deg: float | None) -> tuple[float, float, tuple[str, ...]]:
    data = content()
    varying(data)
    found = expt.parse(json.dumps(data), "a.expt", phi_deg=phi_deg)
    assert found.reciprocal_A is not None
    assert found.wavelength_A is not None
    return float(np.linalg.norm(found.reciprocal_A[0])), found.wavelength_A, found.remarks


def test_models_that_vary_along_the_scan_are_those_of_the_middle_of_the_image() -> None:
    """The scan goes from 30 to 31.5 degrees in images of half a degree."""
    between = [np.mean([1 / (50 + n), 1 / (51 + n)]) for n in range(3)]
    for phi_deg, image in ((None, 0), (30.0, 0), (30.5, 1), (31.0, 2)):
        size, wavelength, remarks = a_star(phi_deg)
        assert size == pytest.approx(between[image], rel=1e-12)
        k0 = np.mean([1 / (1.25 + 0.01 * image), 1 / (1.26 + 0.01 * image)])
        assert wavelength == pytest.approx(1 / k0, rel=1e-12)
        assert remarks == ()
    size, _, remarks = a_star(40.0)
    assert size == pytest.approx(1 / 53)
    assert remarks == (
        "-expt a.expt: phi lies outside its scan, 30 to 31.5 degrees; of models that vary along it the nearest count",
    )


def test_a_setting_rotation_that_varies() -> None:
    data = content()
    data["crystal"][0].pop("A_at_scan_points")
    turns = [[1, 0, 0, 0, math.cos(a), -math.sin(a), 0, math.sin(a), math.cos(a)] for a in (0.0, 0.02, 0.04, 0.06)]
    data["goniometer"][0].update(setting_rotation_at_scan_points=turns, rotation_axis=[0, 1, 0])
    axis = expt.parse(json.dumps(data), "a.expt", phi_deg=30.5).rotation_axis
    np.testing.assert_allclose(axis, [0, math.cos(0.03), math.sin(0.03)], atol=1e-12)


@pytest.mark.parametrize(
    "points", [[[1, 2]], [[0] * 9] * 4, [["x"] * 9] * 4, [[1e99] * 9] * 4, 7, [[math.nan] * 9] * 4]
)
def test_points_that_are_none_leave_the_static_model(points: Any) -> None:
    data = content()
    data["crystal"][0]["A_at_scan_points"] = points
    found = read(data)
    assert found.reciprocal_A is not None
    np.testing.assert_allclose(np.linalg.norm(found.reciprocal_A[0]), 1 / 50, rtol=1e-12)
    assert found.remarks == ("-expt a.expt: models that vary along the scan are not used; their means are",)


def test_values_that_a_file_may_leave_out() -> None:
    data = content()
    data["beam"] = [{"direction": [0, 0, 1], "wavelength": 1}]
    data["goniometer"] = [{"rotation_axis": [0, 3, 0]}]
    found = read(data)
    assert (found.polarization_fraction, found.polarization_normal.tolist()) == (0.999, [0, 1, 0])
    assert found.rotation_axis.tolist() == [0, 1, 0]
    np.testing.assert_allclose(found.reciprocal_A, np.diag([1 / 50, 1 / 80, 1 / 100]), atol=1e-17)


Change = Callable[[dict[str, Any]], object]
PANEL: Callable[[dict[str, Any]], dict[str, Any]] = lambda d: d["detector"][0]["panels"][1]  # noqa: E731

WRONG: list[tuple[Change, str]] = [
    (lambda d: d.update(__id__="Detector"), r'not an \.expt: it does not say "__id__": "ExperimentList"$'),
    (lambda d: d.update(experiment=[]), "holds no experiment$"),
    (lambda d: d.pop("experiment"), "experiment: is missing$"),
    (lambda d: d.update(experiment=[3]), r"experiment\[0\]: an object is needed, not 3$"),
    (lambda d: d["experiment"][0].pop("beam"), "the experiment has no beam$"),
    (lambda d: d["experiment"][0].update(detector=None), "the experiment has no detector$"),
    (lambda d: d["experiment"][0].update(beam=1), r"experiment\[0\]\.beam: is 1; there are 1 to choose from"),
    (lambda d: d["experiment"][0].update(beam=-1), r"experiment\[0\]\.beam: is -1; there are 1"),
    (
        lambda d: d["experiment"][0].update(beam=True),
        r"the number of a model, counted from 0, is needed, not true$",
    ),
    (lambda d: d["experiment"][0].update(beam="b.json"), r"beam: it stands in another file, 'b\.json'; only"),
    (lambda d: d.update(beam=[]), r"experiment\[0\]\.beam: is 0; there are 0 to choose from, counted from 0$"),
    (lambda d: d.update(detector={"panels": 1}), r"detector: a list is needed, not an object$"),
    (lambda d: d["beam"][0].update(wavelength=math.nan), r"beam\[0\]\.wavelength: a finite number is needed, not NaN"),
    (lambda d: d["beam"][0].update(wavelength=-1), r"beam\[0\]\.wavelength: is -1 Å; it must be greater than 0"),
    (lambda d: d["beam"][0].pop("wavelength"), r"beam\[0\]\.wavelength: is missing$"),
    (lambda d: d["beam"][0].update(wavelength=10**400), r"beam\[0\]\.wavelength: a finite number is needed, not 1000"),
    (lambda d: d["beam"][0].update(direction=[0, 0, 0]), r"beam\[0\]\.direction: a direction is needed, not"),
    (lambda d: d["beam"][0].update(direction=[0, 1]), r"beam\[0\]\.direction: 3 finite numbers are needed, not \[0, 1"),
    (lambda d: d["beam"][0].update(polarization_fraction=1.5), "polarization_fraction: is 1.5; allowed is 0 to 1$"),
    (lambda d: d["beam"][0].update(polarization_normal=[0, 0, 1]), "polarization_normal: lies along the beam$"),
    (lambda d: d["detector"][0].update(panels=[]), r"detector\[0\]\.panels: the detector has no panel$"),
    (
        lambda d: PANEL(d).update(origin=[0, math.inf, 0]),
        r"panels\[1\]\.origin: 3 finite numbers are needed, not \[0, I",
    ),
    (lambda d: PANEL(d).update(fast_axis=[0, 0, 0]), r"panels\[1\]\.fast_axis: a direction is needed, not \[0\.0,"),
    (lambda d: PANEL(d).update(slow_axis=[0, 1, 1]), r"panels\[1\]\.slow_axis: is not at right angles to fast_axis$"),
    (lambda d: PANEL(d).update(image_size=[0, 20]), r"panels\[1\]\.image_size: is \[0, 20\]; two whole numbers of at"),
    (lambda d: PANEL(d).update(pixel_size=[0.2, 0]), r"panels\[1\]\.pixel_size: is \[0\.2, 0\]; two sizes greater"),
    (lambda d: d["detector"][0]["hierarchy"]["children"].clear(), r"hierarchy: panel 0 is in no group$"),
    (lambda d: d["detector"][0]["hierarchy"]["children"][0]["children"].pop(), r"hierarchy: panel 0 is in no group$"),
    (
        lambda d: d["detector"][0]["hierarchy"]["children"][0]["children"][0].update(panel=2),
        r"hierarchy\.children\[0\]\.children\[0\]\.panel: is 2; there are 2",
    ),
    (lambda d: d["goniometer"][0].update(fixed_rotation=[1] * 9), "fixed_rotation: a rotation matrix is needed, not"),
    (
        lambda d: d["goniometer"][0].update(setting_rotation=[-1, 0, 0, 0, 1, 0, 0, 0, 1]),
        "setting_rotation: a rotation",
    ),
    (lambda d: d["goniometer"][0].pop("rotation_axis"), r"goniometer\[0\]\.rotation_axis: is missing$"),
    (lambda d: d.update(goniometer=[{"axes": [], "angles": [], "scan_axis": 0}]), "scan_axis: is 0; there are 0"),
    (
        lambda d: d.update(goniometer=[{"axes": [[1, 0, 0]], "angles": [1, 2], "scan_axis": 0}]),
        r"goniometer\[0\]\.angles: 1 finite numbers are needed, not \[1\.0, 2\.0\]",
    ),
    (lambda d: d["scan"][0].update(oscillation=[0, "x"]), r"scan\[0\]\.oscillation: 2 finite numbers are needed, not"),
    (lambda d: d["crystal"][0].update(real_space_b=[9, 0, 0]), "the three vectors lie in one plane or are zero$"),
    (lambda d: d["crystal"][0].update(real_space_b=[0, 0, 0]), "the three vectors lie in one plane or are zero$"),
    (lambda d: d["crystal"][0].pop("real_space_c"), r"crystal\[0\]\.real_space_c: is missing$"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_is_wrong_in_a_file(change: Change, message: str) -> None:
    data = content()
    change(data)
    with pytest.raises(InputError, match=message) as caught:
        read(data)
    text = str(caught.value)
    assert text.startswith("-expt a.expt: ")
    assert "\n" not in text
    assert len(text) < 250


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^-expt a\.expt, line 1: not JSON, so no \.expt: Expecting value$"),
        ("{\n\n'x': 1}", r"^-expt a\.expt, line 3: not JSON, so no \.expt: Expecting property name"),
        (TEXT[:300], r"^-expt a\.expt, line \d+: not JSON"),
        ("[]", r"^-expt a\.expt: not an \.expt: it does not say"),
        ("{}", r"^-expt a\.expt: not an \.expt"),
        ("[" * 100000, r"^-expt a\.expt: not an \.expt: numbers too long or lists too deep$"),
        ('{"a": ' + "1" * 5000 + "}", r"^-expt a\.expt: not an \.expt: numbers too long"),
    ],
)
def test_what_is_no_experiment_list(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        expt.parse(text, "a.expt")


def test_groups_that_are_too_deep() -> None:
    data = content()
    group: dict[str, Any] = {"children": [{"panel": 0}, {"panel": 1}]}
    for _ in range(200):
        group = {"children": [group]}
    data["detector"][0]["hierarchy"] = group
    with pytest.raises(InputError, match=r"groups within groups, more than 100 deep$"):
        read(data)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^-expt .*none\.expt: cannot be read: no such file"):
        expt.read(tmp_path / "none.expt")


# Pictures


def draw(line: str) -> tuple[Experiment, np.ndarray, list[str]]:
    command = parse(line.split())
    notices = list(command.notices)
    with notices_to(notices.append):
        record = resolve(command.settings)
    return record, simulate(record, "cpu").array, notices


def brightest(array: np.ndarray) -> tuple[int, float, float]:
    """Panel, fast and slow of the center of the brightest pixel [pixels]."""
    panel, slow, fast = np.unravel_index(np.argmax(array.reshape(-1, *array.shape[-2:])), (1, *array.shape)[-3:])
    return int(panel), fast + 0.5, slow + 0.5


def one_reflection(folder: Path, hkl: list[int]) -> str:
    """Options of a crystal with a single reflection, whose spot fills about a pixel."""
    path = folder / "one.hkl"
    path.write_text(" ".join(map(str, hkl)) + " 100\n")
    return f"-hkl {path} -dump {folder / 'F.bin'} -N 14 -oversample 1"


STANDARD = [[1, 0, 0], [0, -1, 0], [-3.1, 2.9, -80]]  # fast, slow, origin; the beam runs along -z
BEAM = [[0, 0, 1], 1.1, [0, 1, 0], 0.95]
TILTED_BEAM = [[0.02, -0.03, 1], 0.9, [0.3, 1, 0], 0.99]
C20, S20 = math.cos(0.35), math.sin(0.35)
CASES: dict[str, dict[str, Any]] = {
    "still": {
        "beam": BEAM,
        "root": None,
        "groups": [[None, [STANDARD]]],
        "goniometer": None,
        "oscillation": None,
        "hkl": [1, -2, 3],
        "target": [0, 50.5, 13.5],
    },
    "rotation": {
        "beam": TILTED_BEAM,
        "root": None,
        # Turned by a quarter, mirrored and swung out.
        "groups": [[None, [[[0, 1, 0], [C20, 0, S20], [4, -3, -70]]]]],
        "goniometer": [[0.6, 0.8, 0], QUARTER_X, QUARTER_Z],
        "oscillation": [20, 0.5],
        "hkl": [2, 1, -1],
        "target": [0, 20.5, 33.5],
    },
    "panels": {
        "beam": BEAM,
        "root": [[1, 0, 0], [0, -1, 0], [0, 0, -100]],
        "groups": [
            [[[C20, 0, S20], [0, 1, 0], [-9, -3, 2]], [[[1, 0, 0], [0, 1, 0], [1, 0, 0]]]],
            [[[C20, 0, -S20], [0, 1, 0], [2, -3, 1]], [[[0, 1, 0], [-1, 0, 0], [6, -1, 0.5]]]],
        ],
        "goniometer": [[[0, 0, 1], [0.1, 1, 0], [1, 0, 0]], [15, 4, -25], 1],
        "oscillation": [-70, 0.1],
        "hkl": [0, 3, 2],
        "target": [1, 31.5, 7.5],
    },
}

# A thick sensor that is met at 40 degrees: parallax moves the spot by more than a pixel.
SENSOR: dict[str, Any] = {
    "beam": BEAM,
    "root": None,
    "groups": [[None, [[[1, 0, 0], [0, -1, 0], [30, 3, -40]]]]],
    "goniometer": None,
    "oscillation": None,
    "hkl": [3, -2, 1],
    "target": [0, 30.5, 20.5],
    "sensor": [0.5, 2.0],
}


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Files that dxtbx wrote, and where it expects the reflection of each."""
    folder = tmp_path_factory.mktemp("expt")
    shared = {"pixel_mm": 0.1, "size": [64, 48], "cell": [1, 1.2, 1.7, 80, 95, 100]}
    cases = [
        {"file": str(folder / f"{name}.expt"), **shared, **case} for name, case in {**CASES, "sensor": SENSOR}.items()
    ]
    found = dxtbx_writer.write(cases)
    return {name: {**case, **answer} for name, case, answer in zip([*CASES, "sensor"], cases, found, strict=True)}


@requires("DIALS' reader")
@pytest.mark.readers
@pytest.mark.parametrize("name", CASES)
def test_panels_stand_where_dxtbx_has_them(name: str, written: dict[str, dict[str, Any]]) -> None:
    case = written[name]
    record = resolve(parse(["-expt", case["file"], "-default_F", "1"]).settings)
    assert len(record.detector.panels) == len(case["panels"])
    for panel, (origin_mm, fast, slow) in zip(record.detector.panels, case["panels"], strict=True):
        # Far less than the 1e-9 m that matter; the file holds all digits of a double.
        np.testing.assert_allclose(panel.origin, np.array(origin_mm) / 1000, rtol=0, atol=1e-13)
        np.testing.assert_allclose(panel.fast, fast, rtol=0, atol=1e-14)
        np.testing.assert_allclose(panel.slow, slow, rtol=0, atol=1e-14)
        assert panel.close_distance > 0
        assert panel.origin @ panel.normal == pytest.approx(panel.close_distance)
        assert (panel.distance * record.beam.direction - panel.origin) @ panel.normal == pytest.approx(0, abs=1e-12)


@requires("DIALS' reader")
@pytest.mark.readers
@pytest.mark.parametrize("name", CASES)
def test_crystal_at_the_start_of_the_scan(name: str, written: dict[str, dict[str, Any]]) -> None:
    case = written[name]
    record = resolve(parse(["-expt", case["file"], "-default_F", "1"]).settings)
    gonio = record.goniometer
    start = np.array([rotate_about(v, gonio.spindle, gonio.phi) for v in record.crystal.reciprocal_A]).T
    # Rounding of a few matrix products.
    np.testing.assert_allclose(start, np.reshape(case["A_start"], (3, 3)), rtol=0, atol=1e-14)
    np.testing.assert_allclose(record.crystal.lengths_A, case["cell"][:3], rtol=1e-12)


@requires("DIALS' reader")
@pytest.mark.readers
@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize("name", CASES)
def test_reflection_falls_where_dxtbx_predicts_it(
    name: str, semantics: str, written: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    case = written[name]
    options = one_reflection(tmp_path, case["hkl"])
    _, array, _ = draw(f"-expt {case['file']} {options} -phisteps 1 -semantics {semantics}")
    assert array.shape[-2:] == (48, 64)
    panel, fast, slow = brightest(array)
    # Half a pixel from the center of the pixel in each direction, and rounding.
    assert panel == case["predicted"][0]
    assert [fast, slow] == pytest.approx(case["predicted"][1:], abs=0.51)
    assert [panel, fast, slow] == pytest.approx(case["target"], abs=0.01)
    assert array.max() > 100 * np.median(array)


@requires("DIALS' reader")
@pytest.mark.readers
def test_both_semantics_put_panels_in_one_place(written: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    case = written["panels"]
    line = f"-expt {case['file']} {one_reflection(tmp_path, case['hkl'])}"
    pictures = [draw(f"{line} -semantics {semantics}")[1] for semantics in ("c", "exact")]
    assert pictures[0].shape == (2, 48, 64)
    np.testing.assert_array_equal(*pictures)


@requires("DIALS' reader")
@pytest.mark.readers
@pytest.mark.parametrize(
    "convention", ["", "-denzo -Xbeam 2.9 -Ybeam 3.1", "-xds -ORGX 31.5 -ORGY 29.5", "-dials -ORGX 31.5 -ORGY 29.5"]
)
def test_crystal_alone_on_an_equivalent_detector(
    convention: str, written: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    case = written["still"]
    options = one_reflection(tmp_path, case["hkl"])
    polar = "-nopolar"
    detector = "-lambda 1.1 -distance 80 -pixel 0.1 -detpixels_f 64 -detpixels_s 48"
    center = convention or "-beam_center_fast 3.1 -beam_center_slow 2.9"
    record, array, notices = draw(f"-mat {case['file']} {detector} {center} {options} {polar}")
    _, expected, _ = draw(f"-expt {case['file']} {options} {polar}")
    # Both frames are exact; what is left is rounding, enlarged by the slopes of a spot's tails.
    np.testing.assert_allclose(array, expected, rtol=2e-3, atol=1e-5 * expected.max())
    assert brightest(array) == pytest.approx(tuple(case["target"]), abs=0.01)
    assert notices == []
    assert record.crystal.lengths_A == pytest.approx(case["cell"][:3], rel=1e-12)


@requires("DIALS' reader")
@pytest.mark.readers
def test_crystal_of_another_list_keeps_its_frame(written: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    case = written["rotation"]
    options = one_reflection(tmp_path, case["hkl"])
    _, expected, _ = draw(f"-expt {case['file']} {options}")
    data = json.loads(Path(case["file"]).read_text())
    data["experiment"][0]["crystal"] = None
    bare = tmp_path / "bare.expt"
    bare.write_text(json.dumps(data))
    _, array, _ = draw(f"-expt {bare} -mat {case['file']} {options}")
    np.testing.assert_array_equal(array, expected)


@requires("DIALS' reader")
@pytest.mark.readers
def test_panels_come_back_from_a_nexus_file(
    written: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    case = written["panels"]
    words = f"-expt {case['file']} {one_reflection(tmp_path, case['hkl'])} -phisteps 1 -h5file shot_0001.h5 -quiet"
    assert cli.main(words.split()) == 0
    panel, fast, slow = case["predicted"]
    (found,) = dxtbx_reader.read([(tmp_path / "shot_0001.h5", [(0, 0, 0), (1, 64, 48)])])
    assert len(found["panels"]) == 2
    # The polarization lies along x in the list too, so that both files have one frame. Of the 1e-6 mm that matter
    # rounding of a rotation takes far less.
    for there, (origin_mm, fast_axis, slow_axis) in zip(found["panels"], case["panels"], strict=True):
        assert there["image_size"] == [64, 48]
        np.testing.assert_allclose(there["origin_mm"], origin_mm, rtol=0, atol=1e-10)
        np.testing.assert_allclose(there["fast"], fast_axis, rtol=0, atol=1e-12)
        np.testing.assert_allclose(there["slow"], slow_axis, rtol=0, atol=1e-12)
    assert found["wavelengths_A"] == pytest.approx([1.1], rel=1e-12)
    assert found["scan"]["oscillation_deg"] == pytest.approx([-70, 0.1])
    data = np.array(found["data"])[0]
    assert brightest(data) == (panel, math.floor(fast) + 0.5, math.floor(slow) + 0.5)


def test_polarization_of_the_beam(tmp_path: Path) -> None:
    data = content()
    normal = np.array([0.5, math.sqrt(0.75), 0])
    data["beam"][0].update(polarization_normal=normal.tolist(), polarization_fraction=0.8)
    data["experiment"][0].update(crystal=None)
    data["detector"][0]["hierarchy"]["children"][0].update(origin=[60.0, 2.0, -40.0])  # far off the beam
    file = tmp_path / "a.expt"
    file.write_text(json.dumps(data))
    line = f"-expt {file} -cell 5 6 7 80 90 100 -default_F 10 -N 1 -oversample 1 -phisteps 1 -semantics exact"
    record, array, _ = draw(line)
    _, unpolarized, _ = draw(f"{line} -nopolar")
    for number, panel in enumerate(record.detector.panels):
        s = panel.position(10.5, np.arange(30) + 0.5)
        s = s / np.linalg.norm(s, axis=-1, keepdims=True)
        fraction = 0.8
        # The formula of DIALS: n is the normal, s the direction of the ray, s0 that of the beam.
        expected = (1 - 2 * fraction) * (1 - (s @ normal) ** 2) + fraction * (1 + (s @ [0, 0, -1]) ** 2)
        assert np.all(np.abs(expected - 0.5 * (1 + (s @ [0, 0, -1]) ** 2)) > 0.02)  # unlike an unpolarized beam
        # Pixels are float32.
        np.testing.assert_allclose(array[number, 10] / unpolarized[number, 10], expected, rtol=1e-5)


@requires("DIALS' reader")
@pytest.mark.readers
def test_a_spot_in_a_thick_sensor_lies_where_dials_has_it(written: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    case = written["sensor"]
    line = f"-expt {case['file']} {one_reflection(tmp_path, case['hkl'])}"
    places = {}
    for words in ("-semantics exact", "-semantics exact -detector_abs inf", "-semantics c"):
        record, array, notices = draw(f"{line} {words}")
        weight = array / array.sum()
        slow, fast = np.indices(array.shape) + 0.5
        places[words] = np.array([(weight * fast).sum(), (weight * slow).sum()])
        drawn = record.detector.panels[0].sensor.layers > 1
        assert drawn == (words == "-semantics exact")
        assert any("is drawn in 20 layers" in notice for notice in notices) == drawn
        assert any("-detector_thick 500 -detector_abs 500 draws it" in notice for notice in notices) == (
            words == "-semantics c"
        )
    predicted = np.array(case["predicted"][1:])
    # A layer is drawn at its front, half a layer of 25 um too near, times tan(43 degrees); and a spot is a pixel wide.
    assert np.linalg.norm(places["-semantics exact"] - predicted) < 0.3
    assert np.linalg.norm(places["-semantics c"] - predicted) > 1.2
    np.testing.assert_allclose(places["-semantics c"], places["-semantics exact -detector_abs inf"], atol=0.02)


def test_options_of_the_sensor_beside_a_file(file: str) -> None:
    data = content()
    for panel in data["detector"][0]["panels"]:
        panel.update(thickness=0.32, mu=4.0, material="Si", px_mm_strategy={"type": "ParallaxCorrectedPxMmStrategy"})
    Path(file).write_text(json.dumps(data))
    line = f"-expt {file} -default_F 1 -N 2 -semantics exact"

    def sensor(words: str) -> tuple[float, int, float]:
        record = resolve(parse(f"{line} {words}".split()).settings)
        found = record.detector.panels[1].sensor
        assert found == record.detector.panels[0].sensor
        return round(found.depth * 1e6, 9), found.layers, round(found.mu, 9)

    assert sensor("") == (320.0, 8, 4000.0)  # of 40 um each
    assert sensor("-detector_thicksteps 5") == (320.0, 5, 4000.0)
    assert sensor("-detector_abs 100")[2] == 10000.0
    assert sensor("-detector_thick 200")[2] == 4000.0
    assert sensor("-detector_abs inf") == (0.0, 1, 0.0)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "a.expt"
    path.write_text(TEXT)
    return str(path)


def change(file: str, edit: Change) -> str:
    data = content()
    edit(data)
    Path(file).write_text(json.dumps(data))
    return file


def refused(line: str) -> str:
    with pytest.raises(InputError) as caught:
        draw(line)
    return str(caught.value)


def test_panels_that_cannot_be_drawn(file: str) -> None:
    line = f"-expt {file} -default_F 1"
    flat: Change = lambda d: (d["detector"][0].pop("hierarchy"), PANEL(d).update(origin=[1, 2, 0]))  # noqa: E731
    change(file, flat)
    assert refused(line) == f"-expt {file}: panel 0: its plane passes through the sample; it must not"
    change(file, lambda d: [p.update(image_size=[70000, 70000]) for p in d["detector"][0]["panels"]])
    assert refused(line) == (f"-expt {file}: 2 x 70000 x 70000 pixels would need 39.2 GB; at most 2147483647 pixels")


def test_options_that_several_panels_exclude(file: str, tmp_path: Path) -> None:
    line = f"-expt {file} -default_F 1"
    assert refused(f"{line} -curved_det") == (
        f"-curved_det: contradicts -expt {file}: 2 panels cannot be one curved detector"
    )
    assert refused(f"{line} -roi 1 5 1 5") == "-roi: is of one panel, and there are 2; give -panel 0 to 1"
    assert refused(f"{line} -panel 2") == "-panel: 2 is no panel of this detector; allowed: 0 to 1"


def test_what_the_command_line_says_of_several_panels(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = f"-expt {file} -default_F 1 -N 1 -phisteps 1 -quiet -nonoise"
    for options, message in (
        ("-cbffile a.cbf", "-cbffile: goes with a detector of one panel, and this one has 2; -h5file holds them all"),
        ("-trace_pixel 1 1", "-trace_pixel: is of one panel, and there are 2; give -panel 0 to 1"),
    ):
        assert cli.main(f"{line} {options}".split()) == 2
        assert capsys.readouterr().err.endswith(f"nbnumba: error: {message}\n")
    assert cli.main(f"{line} -pngfile a.png".split()) == 0
    said = capsys.readouterr().err
    assert "-intfile, -noisefile, -pgmfile: not written unless given" in said
    assert {path.name for path in tmp_path.iterdir()} == {"a.expt", "a.png", "floatimage.bin"}


def test_images_of_whole_numbers_hold_the_panels_below_one_another(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = content()
    data["detector"][0]["panels"][1].update(image_size=[28, 18])
    Path(file).write_text(json.dumps(data))
    line = f"-expt {file} -default_F 10 -N 3 -phisteps 1 -oversample 1 -quiet -seed 3 -adc 7 -fluence 1e29"
    assert cli.main(f"{line} -intfile i.img -noisefile n.img -pgmfile p.pgm -scale 2".split()) == 0
    assert "the panels lie one below the other, and the header states the place of the first" in capsys.readouterr().err
    photons = np.fromfile("floatimage.bin", np.float32).reshape(40, 30)
    assert photons[20:38, :28].all()
    assert not photons[38:].any()
    np.testing.assert_array_equal(smv.read("i.img").data, np.floor(photons * 2.0 + 7.5).clip(0, 65535))
    noise = smv.read("n.img").data.astype(float) - 7
    inside = photons > 0
    assert abs(noise[inside].sum() / photons.sum() - 1.0) < 5.0 / np.sqrt(photons.sum())  # five standard deviations
    # With a readout of one panel after the other, where the point spread stays on its panel.
    assert (
        cli.main(f"{line} -noisefile s.img -psf gauss -psf_fwhm 300 -roi 2 9 3 8 -panel 1 -fluence 1e31".split()) == 0
    )
    spread = smv.read("s.img").data.astype(float) - 7
    assert abs(spread[:20]).max() == 0
    assert spread[20:].max() > 0


def test_a_region_and_a_trace_of_one_panel(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = f"-expt {file} -default_F 10 -N 3 -phisteps 1 -oversample 1 -nonoise -semantics exact"
    assert cli.main(f"{line} -quiet".split()) == 0
    whole = np.fromfile("floatimage.bin", np.float32).reshape(2, 20, 30)
    capsys.readouterr()
    words = "-roi 2 9 3 8 -panel 1 -trace_pixel 4 5 -tracefile t.json"
    assert cli.main(f"{line} {words}".split()) == 0
    said = capsys.readouterr().out
    part = np.fromfile("floatimage.bin", np.float32).reshape(2, 20, 30)
    expected = np.zeros_like(whole)
    expected[1, 3:9, 2:10] = whole[1, 3:9, 2:10]
    np.testing.assert_array_equal(part, expected)
    (value,) = re.findall(r"^TRACE_PY: I_pixel_final (\S+)$", said, re.MULTILINE)
    assert float(value) == pytest.approx(float(whole[1, 4, 5]), rel=1e-6)  # float32
    assert f"mean= {expected.sum() / 48:.3g}"[:9] in said
    assert json.loads(Path("t.json").read_text())["pixel"] == {"slow": 4, "fast": 5, "panel": 1}
    assert cli.main(f"{line} -roi 2 9 3 8 -panel 1 -trace_pixel 15 5".split()) == 2
    assert "outside the -roi" in capsys.readouterr().err
    assert cli.main(f"{line} -panel 1 -trace_pixel 19 29 -quiet".split()) == 0
    assert "TRACE_PY: I_pixel_final" in capsys.readouterr().out


def test_one_panel_alone(file: str, tmp_path: Path) -> None:
    keywords: dict[str, Any] = {"expt": file, "default_F": 10, "N": 3, "phisteps": 1, "oversample": 1}
    all_panels = nbnumba.simulate(nbnumba.Experiment(**keywords))
    one = nbnumba.simulate(nbnumba.Experiment(**keywords, panel=1))
    assert all_panels.array[0].any()
    assert not one.array[0].any()
    np.testing.assert_array_equal(one.array[1], all_panels.array[1])
    assert one.statistics.mean == pytest.approx(one.array[1].mean(), rel=1e-6)  # sums in float32
    table, reflections = one.spot_table(), all_panels.spot_table()
    assert set(table["panel"]) == {1}
    np.testing.assert_array_equal(table["photons"], reflections["photons"][reflections["panel"] == 1])
    shown = one.pixel_truth()["spot_photons"]
    assert not shown[0].any()
    np.testing.assert_array_equal(shown[1], all_panels.pixel_truth()["spot_photons"][1])
    # Pixels that are named are those of the whole image.
    here = nbnumba.simulate(one.experiment, pixels=[(0, 3, 4), (1, 3, 4)])
    np.testing.assert_array_equal(here, all_panels.array[:, 3, 4])
    slopes = [
        nbnumba.Renderer(backend="cpu").linearize(image.experiment, ["distance", "offset"]).jacobian()
        for image in (one, all_panels)
    ]
    assert slopes[1][:, 0].any()
    assert not slopes[0][:, 0].any()
    np.testing.assert_array_equal(slopes[0][:, 1], slopes[1][:, 1])


def test_one_panel_alone_in_a_batch(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = "-default_F 10 -N 3 -phisteps 1 -oversample 1 -panel 1 -roi 2 9 3 8"
    lines = [f"command = '-expt a.expt {options}'", "count = 1", "dtype = 'float32'", "noise = false", "spots = true"]
    Path("spec.toml").write_text("\n".join(lines))
    assert cli.main(["batch", "spec.toml", "-o", "made", "--dry-run"]) == 0
    assert cli.main(["batch", "spec.toml", "-o", "made"]) == 0
    with h5py.File("made/shots_0000.h5") as images, h5py.File("made/spots.h5") as spots:
        stack = images["/entry/data/data"][0].reshape(2, 20, 30)
        assert set(spots["spots/panel"][:]) == {1}
        assert spots["spots/photons"][:].sum() == pytest.approx(stack[1].sum(), rel=1e-6)  # sums of float32
    assert stack[1].any()
    assert not stack[0].any()


def test_a_mask_of_several_panels(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    header = smv.header(
        smv_fields(resolve(parse(["-expt", file, "-default_F", "1"]).settings).detector, 1e-10,
                   resolve(parse(["-expt", file, "-default_F", "1"]).settings).goniometer, 0.0), "c",
    )  # fmt: skip
    mask = np.ones((40, 30), np.uint16)
    mask[25, 3:6] = 0
    smv.write("m.img", mask, header.replace(b"SIZE2=20", b"SIZE2=40"))
    record, array, _ = draw(f"-expt {file} -mask m.img -default_F 10 -N 3 -phisteps 1 -oversample 1")
    assert record.detector.panels[1].mask is not None
    np.testing.assert_array_equal(array.reshape(40, 30) > 0, mask > 0)


def test_no_crystal_anywhere(file: str) -> None:
    change(file, lambda d: d["experiment"][0].update(crystal=None))
    assert refused(f"-expt {file} -default_F 1") == (
        f"no crystal: -expt {file} holds none; give -mat FILE or -cell a b c al be ga"
    )
    assert refused(f"-mat {file} -default_F 1") == f"-mat {file}: holds no crystal"
    record, _, _ = draw(f"-expt {file} -cell 70 -default_F 1 -N 1")
    assert record.crystal.lengths_A.tolist() == pytest.approx([70, 70, 70])


def test_notices_of_a_crystal_that_is_not_the_files_first(file: str) -> None:
    change(file, lambda d: d["experiment"].append(copy.deepcopy(d["experiment"][0])))
    _, _, notices = draw(f"-mat {file} -default_F 1 -N 1 -detpixels 8 -oversample 1")
    assert notices[0] == f"-mat {file}: holds 2 experiments; the first one counts (-expt_number 0 to 1 chooses)"


def test_notice_of_a_spindle_that_lies_elsewhere(file: str) -> None:
    line = f"-mat {file} -default_F 1 -N 1 -detpixels 8 -oversample 1"
    # DIALS' y is MOSFLM's y.
    told = f"-mat {file}: its crystal turned about 0 1 0, as it lies here; the spindle is 0 0 1"
    assert told in draw(f"{line} -phi 1")[2]
    assert told in draw(f"{line} -osc 1")[2]
    assert told not in draw(line)[2]
    change(file, lambda d: d["goniometer"][0].update(setting_rotation=IDENTITY))
    assert not [told for told in draw(f"{line} -phi 1")[2] if "the spindle is" in told]


def test_a_fast_axis_along_the_beam(file: str) -> None:
    line = f"-mat {file} -default_F 1 -N 1 -detpixels 8"
    message = refused(f"{line} -fdet_vector 1 0 0 -sdet_vector 0 1 0")
    assert message == "-fdet_vector runs along the beam, so that the crystal's frame cannot be laid on another"
    change(file, lambda d: d["beam"][0].update(direction=[-1, 0, 0]))
    assert refused(line) == f"-mat {file}: x runs along the beam, so that the crystal's frame cannot be laid on another"
