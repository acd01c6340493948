"""Where spots lie and which pixels count, against DIALS: many panels, a kappa goniometer, gaps between modules."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import dials_programs
import h5py
import numpy as np
import pytest
from requirements import requires

from nbnumba import cli
from nbnumba.geometry.vectors import rotation_matrix
from nbnumba.parameters.presets import PRESETS

pytestmark = [pytest.mark.slow, pytest.mark.readers, requires("DIALS")]

PIXEL_MM = 0.15
SIZE = (64, 60)
DRAWN = "-default_F 100 -shape gauss_abc -spread continuous -oversample 3 -fluence 1e28 -nointerpolate"

# Run by the system's Python: what `dials.predict` has for the models of our images and the true crystal.
_PREDICT = """
import json, sys
from dials.array_family import flex
from dxtbx.model.experiment_list import ExperimentListFactory
found = []
for images, truth in zip(sys.argv[1::2], sys.argv[2::2]):
    (one,) = ExperimentListFactory.from_filenames([images])
    one.crystal = ExperimentListFactory.from_json_file(truth, check_format=False)[0].crystal
    table = flex.reflection_table.from_predictions(one, dmin=1.8)
    found.append([[*hkl, panel, *xyz] for hkl, panel, xyz in zip(*(table[name] for name in
                 ("miller_index", "panel", "xyzcal.px")))])
print(json.dumps(found))
"""

# How many pixels DIALS leaves out, and how many of them are not those of a picture of the gaps.
_MASKS = """
import json, sys
import numpy as np
from dxtbx.model.experiment_list import ExperimentListFactory
found = []
for images, good in zip(sys.argv[1::2], sys.argv[2::2]):
    (one,) = ExperimentListFactory.from_filenames([images])
    (mask,) = one.imageset.get_mask(0)
    found.append([mask.count(False), int((mask.as_numpy_array() != np.load(good)).sum())])
print(json.dumps(found))
"""


def frame(rotation: np.ndarray, origin: Any) -> dict[str, Any]:
    return {"fast_axis": rotation[:, 0].tolist(), "slow_axis": rotation[:, 1].tolist(), "origin": list(origin)}


def turn(axis: int, degrees: float) -> np.ndarray:
    return rotation_matrix(np.eye(3)[axis], math.radians(degrees))


def panel(name: str, size: tuple[int, int], rotation: np.ndarray, origin: Any) -> dict[str, Any]:
    return {
        "name": name, "type": "SENSOR_PAD", "image_size": list(size), "pixel_size": [PIXEL_MM, PIXEL_MM],
        "trusted_range": [0.0, 65535.0], **frame(rotation, origin),
    }  # fmt: skip


def pads() -> dict[str, Any]:
    """Return four quadrants of eight pairs of panels about a hole, each a little out of place."""
    plain = {"image_size": [0, 0], "pixel_size": [0.0, 0.0]}
    panels: list[dict[str, Any]] = []
    quadrants = []
    for quadrant in range(4):
        children = []
        for pair in range(8):
            row, column = divmod(pair, 2)
            rotation = turn(2, 90 * (row % 2) + 0.4 * pair - 1.0) @ turn(0, 0.2 * pair)
            place = np.array([2.0 + 22.0 * column + 0.05 * pair, 3.0 + 10.8 * row, 0.1 * pair])
            for half in range(2):
                origin = place + rotation @ [half * (SIZE[0] * PIXEL_MM + 0.6), 0.0, 0.0]
                children.append({"panel": len(panels)})
                panels.append(panel(f"q{quadrant}p{pair}h{half}", SIZE, rotation, origin))
        of_quadrant = frame(turn(2, 90 * quadrant + 0.3) @ turn(1, 0.5), (0.2 * quadrant, -0.1, 0.3))
        quadrants.append({"name": f"q{quadrant}", **plain, **of_quadrant, "children": children})
    root = {"name": "root", **plain, **frame(turn(0, 180), (0, 0, -100)), "children": quadrants}
    return {"panels": panels, "hierarchy": root}


def experiment_list(detector: dict[str, Any], rotation: dict[str, Any]) -> str:
    models = {"beam": 0, "detector": 0, "crystal": 0} | dict.fromkeys(rotation, 0)
    return json.dumps(
        {
            "__id__": "ExperimentList",
            "experiment": [{"__id__": "Experiment", "identifier": "", **models}],
            "imageset": [],
            "beam": [
                {"__id__": "monochromatic", "direction": [0.0, 0.0, 1.0], "wavelength": 1.1, "divergence": 0.0,
                 "sigma_divergence": 0.0, "polarization_normal": [0.0, 1.0, 0.0], "polarization_fraction": 0.999}
            ],
            "detector": [detector],
            "goniometer": [], "scan": [],
            "crystal": [
                {"__id__": "crystal", "real_space_a": [50.0, 3.0, 1.0], "real_space_b": [-2.0, 60.0, 4.0],
                 "real_space_c": [1.0, -3.0, 70.0], "space_group_hall_symbol": " P 1"}
            ],
            "profile": [], "scaling_model": [],
            **{name: [model] for name, model in rotation.items()},
        }
    )  # fmt: skip


def spots(file: Path, margin: float, sizes: Any) -> dict[tuple[int, ...], np.ndarray]:
    """Return x, y and z [pixels, images] of bright, whole spots inside a panel, by h, k, l and panel."""
    with h5py.File(file) as content:
        table = {name: content["spots"][name][()] for name in content["spots"]}
    fast, slow = sizes
    bright = table["photons"] > 0.02 * np.median(np.sort(table["photons"])[-50:])
    inside = [margin < table[f"{axis}_px"] for axis in "xy"]
    inside += [table["x_px"] < fast - margin, table["y_px"] < slow - margin]
    chosen = np.flatnonzero(np.all([bright, *inside], axis=0))
    names = ("h", "k", "l", "panel")
    return {
        tuple(int(table[name][i]) for name in names): np.array(
            [table["x_px"][i], table["y_px"][i], table["z_images"][i], table["partiality"][i]]
        )
        for i in chosen
    }


def test_spots_lie_where_dials_predicts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pads.expt").write_text(experiment_list(pads(), {}))
    line = f"-expt pads.expt {DRAWN} -N 20 -mosaic 0.4 -semantics exact -nonoise -nodump -quiet"
    assert cli.main(f"{line} -h5file pads_0001.h5 -spotsfile pads_spots.h5".split()) == 0
    axis = np.array([0.914, 0.279, -0.297]) / np.linalg.norm([0.914, 0.279, -0.297])
    kappa = {"axes": [[1.0, 0.0, 0.0], axis.tolist(), [0.6, 0.8, 0.0]], "angles": [20.0, 35.0, -10.0],
             "names": ["phi", "kappa", "omega"], "scan_axis": 1}  # fmt: skip
    scan = {"image_range": [1, 2], "batch_offset": 0, "oscillation": [20.0, 2.0], "exposure_time": [1.0, 1.0],
            "epochs": [0.0, 0.0], "valid_image_ranges": {}}  # fmt: skip
    tilted = turn(0, 180) @ turn(0, 11)
    flat = {"panels": [panel("p", (320, 300), tilted, (-24.0, 22.0, -80.0))]}
    Path("kappa.expt").write_text(experiment_list(flat, {"goniometer": kappa, "scan": scan}))
    Path("s.toml").write_text(
        f'command = "-expt kappa.expt {DRAWN} -N 10 -mosaic 0.15 -phisteps 20"\nsemantics = "exact"\nnoise = false\n'
        'spots = true\ndtype = "float32"\n[series]\nphi0_deg = 20\nosc_deg = 2\nimages = 2\n'
    )
    assert cli.main(["series", "s.toml", "-o", "out"]) == 0
    of_pads, of_kappa = dials_programs.ask(
        _PREDICT, "pads_0001.h5", "pads.expt", "out/series_master.h5", "out/series.expt"
    )

    drawn = spots(Path("pads_spots.h5"), 5.0, SIZE)
    predicted = {tuple(hkl): np.array([x, y]) for *hkl, x, y, _ in of_pads}
    # DIALS predicts fewer reflections of a still than our spots have tails in.
    both = drawn.keys() & predicted.keys()
    assert len(both) > 25
    assert len({hkl[3] for hkl in both}) > 15
    # Of 0.06 pixels by samples of a spot hardly larger than a pixel, and by its width across the Ewald sphere.
    for hkl in both:
        np.testing.assert_allclose(drawn[hkl][:2], predicted[hkl], rtol=0, atol=0.1)

    drawn = {hkl: place for hkl, place in spots(Path("out/spots.h5"), 5.0, (320, 300)).items() if place[3] > 0.98}
    predicted = {tuple(hkl): np.array([x, y, z]) for *hkl, x, y, z in of_kappa}
    assert len(drawn) > 100
    assert drawn.keys() <= predicted.keys()
    for hkl, ours in drawn.items():
        np.testing.assert_allclose(ours[:2], predicted[hkl][:2], rtol=0, atol=0.1)
        assert ours[2] == pytest.approx(predicted[hkl][2], abs=0.02)  # of an image of 2 degrees in 20 steps


@pytest.mark.parametrize("name", ["pilatus6m", "eiger9m"])
def test_dials_leaves_out_the_gaps_between_modules(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    preset = PRESETS[name]
    places = [np.arange(size) % (module + gap) < module for size, module, gap in zip(
        preset.size, preset.module, preset.gap, strict=True)]  # fmt: skip
    np.save("good.npy", np.outer(places[1], places[0]))
    line = f"-detector {name} -cell 50 60 70 -default_F 10 -N 3 -distance 200 -oversample 1 -roi 100 110 100 110"
    files = "-noisefile n.img -h5file a_0001.h5 -cbffile b_0001.cbf"
    assert cli.main(f"{line} -detector_abs inf -seed 1 -nodump -nopgm -quiet {files}".split()) == 0
    gaps = places[0].size * places[1].size - int(places[0].sum() * places[1].sum())
    masks = dials_programs.ask(_MASKS, "a_0001.h5", "good.npy", "b_0001.cbf", "good.npy")
    assert masks == [[gaps, 0], [gaps, 0]]
