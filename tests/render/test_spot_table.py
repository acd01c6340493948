"""The table of spots: photons, places and partialities, against the image itself."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from requirements import requires

import nbnumba
from nbnumba import cli
from nbnumba.imagefiles import spots

COMMON: dict[str, Any] = {
    "cell": (50, 60, 70), "misset_deg": (10, 20, 30), "detpixels": 60, "pixel_mm": 1.4, "distance_mm": 100,
    "oversample": 2, "interpolate": False, "phi_deg": 5, "osc_deg": 1, "phisteps": 4, "fluence": 1e26,
}  # fmt: skip
ONE = np.array([(-6, -10, -3, 100.0)])


def many() -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.array(
        [(h, k, l, rng.exponential(100)) for h in range(-12, 13) for k in range(-14, 15) for l in range(-16, 17)]
    )


@pytest.mark.parametrize(
    "keywords",
    [
        {"shape": "square", "N": 8},
        {"shape": "round", "N": 8, "mosaic_spread_deg": 0.3, "mosaic_domains": 3},
        {"shape": "gauss_abc", "N": 10, "mosaic_spread_deg": 0.3, "mosaic_domains": 5},
        {"shape": "gauss_abc", "N": 10, "mosaic_spread_deg": 0.3, "spread": "continuous"},
        {"shape": "tophat_abc", "N": 6, "dispersion_percent": 1, "dispsteps": 3},
        {
            "shape": "square",
            "N": 3,
            "interpolate": True,
            "thickness_um": 300,
            "thicksteps": 2,
            "oversample_thick": True,
        },
        {"shape": "square", "N": 8, "semantics": "c", "oversample_polar": True, "phi_deg": 0},
    ],
    ids=lambda keywords: " ".join(map(str, keywords.values())),
)
def test_the_photons_are_those_of_the_image(keywords: dict[str, Any]) -> None:
    experiment = nbnumba.Experiment(**{**COMMON, "hkl": many(), "water_um": 5, **keywords})
    table = nbnumba.simulate(experiment, "cpu").spot_table()
    assert set(table) == set(spots.COLUMNS)
    dry = nbnumba.simulate(experiment.replace(water_um=0), "cpu").array.astype(float)
    assert len(table["h"]) > 50
    assert table["photons"].sum() == pytest.approx(dry.sum(), rel=1e-9)  # rounding of sums
    assert len({tuple(row) for row in zip(*(table[name] for name in "hkl"), strict=True)}) == len(table["h"])
    strongest = int(np.argmax(table["peak_photons"]))
    place = int(table["peak_slow"][strongest]), int(table["peak_fast"][strongest])
    assert table["peak_photons"][strongest] <= dry[place] * (1 + 1e-9)
    assert np.all((table["partiality"] >= 0.0) & (table["partiality"] <= 1.0))


def lone(**keywords: Any) -> tuple[nbnumba.Experiment, dict[str, Any]]:
    experiment = nbnumba.Experiment(**{**COMMON, "hkl": ONE, "detpixels": 120, "pixel_mm": 0.7, **keywords})
    return experiment, nbnumba.simulate(experiment, "cpu").spot_table()


def test_a_lone_reflection_is_where_its_photons_are() -> None:
    experiment, table = lone(shape="gauss_abc", N=6)
    image = nbnumba.simulate(experiment, "cpu").array.astype(float)
    slow, fast = np.indices(image.shape) + 0.5
    assert [int(table[name][0]) for name in "hkl"] == [-6, -10, -3]
    assert table["photons"][0] == pytest.approx(image.sum(), rel=1e-9)
    assert table["x_px"][0] == pytest.approx((image * fast).sum() / image.sum(), rel=1e-9)
    assert table["y_px"][0] == pytest.approx((image * slow).sum() / image.sum(), rel=1e-9)
    assert table["peak_photons"][0] == image.max()
    assert table["pixels"][0] == np.count_nonzero(image)
    assert table["wavelength_A"][0] == pytest.approx(1.0)
    assert table["d_A"][0] == pytest.approx(1 / np.sqrt((6 / 50) ** 2 + (10 / 60) ** 2 + (3 / 70) ** 2), rel=1e-9)
    assert table["z_images"][0] == pytest.approx(table["phi_deg"][0] - 5.0, abs=1e-9)  # of 1 degree from 5 on


SHAPES = [
    {"shape": "gauss_abc", "N": 6},
    {"shape": "tophat_abc", "N": 6},
    {"shape": "square", "N": 6},
    {"shape": "round", "N": 6},
    {"shape": "gauss_abc", "N": 6, "mosaic_spread_deg": 0.5, "mosaic_domains": 20},
    {"shape": "gauss_abc", "N": 10, "mosaic_spread_deg": 0.5, "spread": "continuous"},
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda keywords: " ".join(map(str, keywords.values())))
def test_the_partiality_of_a_rotation_is_its_share_of_the_whole_curve(shape: dict[str, Any]) -> None:
    fine = {"oversample": 4, "detpixels": 120, "pixel_mm": 0.7, "phisteps": 40}
    _, part = lone(**fine, **shape, phi_deg=4.8, osc_deg=0.8)
    _, whole = lone(**(fine | {"phisteps": 400}), **shape, phi_deg=-5, osc_deg=20)
    # As photons per angle: both images have the same exposure. 4 %: of so small a crystal with fringes some of them lie
    # beyond the box of the reflection, where the curve knows no other limit than along the normal.
    share = part["photons"][0] * 0.8 / (whole["photons"][0] * 20)
    assert 0.1 < share < 0.95
    assert part["partiality"][0] == pytest.approx(share, abs=0.04)
    assert whole["partiality"][0] == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda keywords: " ".join(map(str, keywords.values())))
def test_the_partiality_of_a_still_is_its_height_on_the_curve(shape: dict[str, Any]) -> None:
    still = {"osc_deg": 0, "phisteps": 1, "oversample": 4, "detpixels": 120, "pixel_mm": 0.7}
    found = [lone(**still, **shape, phi_deg=float(phi))[1] for phi in np.arange(4.0, 6.6, 0.1)]
    photons = np.array([table["photons"][0] if len(table["h"]) else 0.0 for table in found])
    partiality = np.array([table["partiality"][0] if len(table["h"]) else 0.0 for table in found])
    bright = photons > 0.3 * photons.max()
    assert np.count_nonzero(bright) >= 3
    if shape["shape"] == "tophat_abc":
        # Its pixels are all or nothing, too few to fill the spot: both end at the same angles.
        assert np.all(partiality[photons > 0.0] > 0.0)
        assert np.all(photons[partiality > 0.5] > 0.0)
        return
    # 8 %: of the same approximations, and of the maximum, which lies between two of the angles.
    np.testing.assert_allclose(partiality[bright] / partiality.max(), photons[bright] / photons.max(), atol=0.08)


def test_two_panels_and_the_names_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    words = "-cell 50 60 70 -misset 10 20 30 -default_F 10 -N 8 -detpixels 40 -pixel 2 -nonoise -nopgm -quiet".split()
    assert cli.main([*words, "-spotsfile", "s.h5"]) == 0
    with h5py.File("s.h5") as file:
        table = spots.read_from(file)
        assert file["spots/x_px"].attrs["units"] == "px"
    image = np.fromfile("floatimage.bin", dtype="<f4").astype(float)
    assert table["photons"].sum() == pytest.approx(image.sum(), rel=1e-9)
    for name, expected in (("s.csv", "allowed endings: .h5, .parquet, .refl"), ("no/s.h5", "cannot be written")):
        assert cli.main([*words, "-spotsfile", name]) in (2, 3)
        assert expected in capsys.readouterr().err


@requires("pyarrow")
def test_parquet(tmp_path: Path) -> None:
    from pyarrow import parquet

    _, table = lone(shape="gauss_abc", N=6)
    spots.write(tmp_path / "s.parquet", table)
    found = parquet.read_table(tmp_path / "s.parquet")
    assert found.column_names == list(spots.COLUMNS)
    np.testing.assert_array_equal(found["photons"].to_numpy(), table["photons"])


READ = """
import json, sys
from dials.array_family import flex
t = flex.reflection_table.from_file(sys.argv[1])
print(json.dumps({"hkl": list(t["miller_index"]), "xyz": list(t["xyzobs.px.value"]), "panel": list(t["panel"]),
                  "photons": list(t["intensity.sum.value"]), "partiality": list(t["partiality"])}))
"""


@requires("DIALS")
@pytest.mark.readers
def test_dials_reads_a_reflection_table(tmp_path: Path) -> None:
    import dials_programs

    _, table = lone(shape="gauss_abc", N=6, hkl=many())
    spots.write(tmp_path / "s.refl", table)
    environment = dials_programs._environment()
    command = [dials_programs.PYTHON, "-c", READ, str(tmp_path / "s.refl")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(ran.stdout.splitlines()[-1])
    np.testing.assert_array_equal(found["hkl"], np.column_stack([table[name] for name in "hkl"]))
    np.testing.assert_array_equal(found["xyz"], np.column_stack([table[name] for name in ("x_px", "y_px", "z_images")]))
    np.testing.assert_array_equal(found["photons"], table["photons"])
    shown = subprocess.run(
        ["dials.show", str(tmp_path / "s.refl")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "miller_index" in shown.stdout
