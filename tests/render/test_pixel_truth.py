"""Maps of what every pixel shows agree with the image and with the table of spots."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import nbnumba
from nbnumba.cli import main

KEYWORDS = {
    "cell": (50, 60, 70, 90, 95, 90),
    "default_F": 300.0,
    "N": 6,
    "detpixels": (40, 36),
    "pixel_mm": 1.0,
    "distance_mm": 60.0,
    "wavelength_A": 3.0,
    "fluence": 1e24,
    "oversample": 2,
}
TWO = [{"cell": (50, 60, 70), "N": 6}, {"cell": (50, 60, 70), "misset_deg": (20, 30, 40), "N": 5}]
CASES = {
    "square": {"shape": "square"},
    "mosaic": {
        "shape": "gauss",
        "mosaic_spread_deg": 0.5,
        "mosaic_domains": 4,
        "dispersion_percent": 1,
        "dispsteps": 3,
    },
    "closed form": {"shape": "gauss", "spread": "continuous", "mosaic_spread_deg": 0.5, "dispersion_percent": 1},
    "two lattices": {"shape": "gauss", "crystals": TWO},
}
NAMES = ("lattice", "h", "k", "l")


@pytest.mark.parametrize("name", CASES)
def test_maps_agree_with_image_and_spots(name: str) -> None:
    keywords = KEYWORDS | CASES[name]
    if "crystals" in keywords:
        del keywords["cell"]
    experiment = nbnumba.Experiment(**keywords)
    image = nbnumba.simulate(experiment, "cpu")
    maps, table = image.pixel_truth(), image.spot_table()
    # Rounding of float32.
    np.testing.assert_allclose(maps["spot_photons"], image.array, rtol=1e-6, atol=1e-9)
    wet = nbnumba.simulate(experiment.replace(water_um=0.1), "cpu").pixel_truth()
    np.testing.assert_array_equal(wet["h"], maps["h"])
    lit = maps["lattice"] >= 0
    np.testing.assert_array_equal(lit, image.array > 0.0)
    np.testing.assert_array_equal(np.isnan(maps["wavelength_A"]), ~lit)
    # Sources lie within half a percent; the tails of a Gaussian spectrum reach a bit farther.
    assert np.nanmax(np.abs(maps["wavelength_A"] / 3.0 - 1.0)) < 0.02
    listed = set(zip(*(table[column].tolist() for column in NAMES), strict=True))
    assert set(zip(*(maps[column][lit].tolist() for column in NAMES), strict=True)) <= listed
    # The brightest pixel of each bright spot shows it, unless another is brighter there.
    bright = np.flatnonzero(table["peak_photons"] > 0.3 * table["peak_photons"].max())
    assert len(bright) >= 3
    for i in bright:
        slow, fast = int(table["peak_slow"][i]), int(table["peak_fast"][i])
        if all(int(maps[column][slow, fast]) == int(table[column][i]) for column in NAMES):
            assert maps["spot_mask"][slow, fast] == (table["peak_photons"][i] >= 1.0)
        else:
            assert table["peak_photons"][i] <= 0.5 * image.array[slow, fast] * (1 + 1e-6)  # rounding of float32
    assert 0 < maps["spot_mask"].sum() < 0.6 * maps["spot_mask"].size
    assert maps["spot_photons"][maps["spot_mask"] == 1].min() >= 0.1  # a tenth of at least one photon


def test_files_batches_and_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = "-cell 50 60 70 90 95 90 -default_F 300 -N 6 -detpixels 20 -pixel 2 -distance 60 -lambda 3 -fluence 1e24"
    (tmp_path / "s.toml").write_text(
        f'command = "{command} -shape gauss"\ncount = 3\ntruth = true\nimages_per_file = 2\n'
        '[vary]\norientation = "random"\nhit = { choice = [0, 1] }\n'
    )
    assert main(["batch", "s.toml", "-o", "out"]) == 0
    dataset = nbnumba.Dataset("s.toml", masks=True, binning=2)
    for i in range(3):
        pixels, mask, labels = dataset[i]
        with h5py.File(f"out/shots_000{i // 2}.h5") as file:
            whole = file["pixel_truth/spot_mask"][i % 2]
            assert (file["pixel_truth/lattice"][i % 2].max() == 0) == (labels["hit"] == 1)
            words = file["entry/ground_truth/command"].asstr()[i % 2].split()
        assert mask.shape == pixels.shape == (10, 10)
        np.testing.assert_array_equal(mask, whole.reshape(10, 2, 10, 2).max(axis=(1, 3)))
        assert main([*words, "-truthfile", "one.h5", "-quiet", "-nonoise", "-nopgm"]) == 0
        with h5py.File("one.h5") as file:
            np.testing.assert_array_equal(file["pixel_truth/spot_mask"][0], whole)
            assert file["pixel_truth/wavelength_A"].attrs["units"] == "angstrom"
    assert len(nbnumba.Dataset("s.toml")[0]) == 2
    # The master shows the maps of all files; of one that is missing, that there is nothing.
    parts = []
    for number in (0, 1):
        with h5py.File(f"out/shots_000{number}.h5") as file:
            parts.append({name: data[()] for name, data in file["pixel_truth"].items()})
    with h5py.File("out/shots.h5") as file:
        assert file["pixel_truth/wavelength_A"].attrs["units"] == "angstrom"
        for name, data in file["pixel_truth"].items():
            assert data.is_virtual
            np.testing.assert_array_equal(data[()], np.concatenate([part[name] for part in parts]))
    (tmp_path / "out" / "shots_0001.h5").unlink()
    with h5py.File("out/shots.h5") as file:
        assert set(np.unique(file["pixel_truth/lattice"][2])) == {-1}
        assert np.all(np.isnan(file["pixel_truth/wavelength_A"][2]))


def test_noise_of_a_master_keeps_the_maps(tmp_path: Path) -> None:
    command = "-cell 50 60 70 90 95 90 -default_F 300 -N 6 -detpixels 20 -pixel 2 -distance 60 -lambda 3 -fluence 1e24"
    (tmp_path / "s.toml").write_text(
        f'command = "{command} -shape gauss"\ncount = 2\ntruth = true\nimages_per_file = 1\n'
        'noise = false\ndtype = "float32"\n[vary]\norientation = "random"\n'
    )
    assert main(["batch", str(tmp_path / "s.toml"), "-o", str(tmp_path / "out")]) == 0
    (tmp_path / "elsewhere").mkdir()
    noisy = tmp_path / "elsewhere" / "noisy.h5"
    assert main(["noise", str(tmp_path / "out" / "shots.h5"), "-o", str(noisy), "-quiet"]) == 0
    with h5py.File(noisy) as file, h5py.File(tmp_path / "out" / "shots.h5") as stored:
        for name, data in stored["pixel_truth"].items():
            assert not file["pixel_truth"][name].is_virtual
            np.testing.assert_array_equal(file["pixel_truth"][name][()], data[()])
        assert len(np.unique(file["pixel_truth/h"][()])) > 2


def test_names_of_other_formats(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-cell", "50", "-default_F", "1", "-truthfile", "x.txt"]) == 2
    assert "-truthfile x.txt: allowed endings: .h5, .hdf5" in capsys.readouterr().err
