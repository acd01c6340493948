"""Background and readout of an experiment: from what was typed to the pixels and files."""

from __future__ import annotations

import json
from pathlib import Path

import fabio
import h5py
import numpy as np
import pytest

import nbnumba
from nbnumba.cli import main
from nbnumba.errors import InputError
from nbnumba.experiment.readout import modules
from nbnumba.parameters.presets import PRESETS, silicon_attenuation
from nbnumba.parameters.table import VARYING

PLAIN = {
    "cell": (78.0, 78.0, 38.0), "N": (5, 5, 5), "default_F": 100.0, "misset_deg": (10.0, 20.0, 30.0), "detpixels": 32,
    "pixel_mm": 1.0, "distance_mm": 60.0, "flux": 1e12, "exposure_s": 0.1, "beamsize_mm": 0.05, "oversample": 1,
}  # fmt: skip


def experiment(**more: object) -> nbnumba.Experiment:
    return nbnumba.Experiment(**(PLAIN | more))  # type: ignore[arg-type]


def test_background_is_added_to_the_spots() -> None:
    spots = nbnumba.simulate(experiment()).array.astype(np.float64)
    water = nbnumba.simulate(experiment(amorphous="water:0.1")).array - spots
    both = nbnumba.simulate(experiment(amorphous="water:0.1 air:40")).array - spots
    layers = nbnumba.simulate(experiment(water_layer_mm=0.1, air_layer_mm=40.0)).array - spots
    assert water.min() > 0.0
    assert np.all(both > water)
    np.testing.assert_array_equal(both, layers)
    # Twice the thickness, twice the photons; float32 of the sum.
    twice = nbnumba.simulate(experiment(amorphous="water:0.2")).array - spots
    np.testing.assert_allclose(twice, 2.0 * water, atol=2e-7 * spots.max())


def test_a_table_of_a_file_and_its_range(tmp_path: Path) -> None:
    table = tmp_path / "flat.stol"
    table.write_text("0 3\n2 3\n")
    flat = nbnumba.simulate(experiment(amorphous=f"{table}:0.1:1.1:20", polarized=False)).array
    assert np.all(flat > 0.0)
    table.write_text("0 3\n0.05 3\n")
    with pytest.raises(InputError, match=r"covers stol 0 to 0\.05 1/A; the image needs"):
        experiment(amorphous=f"{table}:0.1")


def test_noise_goes_through_the_readout_and_its_truth_is_told() -> None:
    image = nbnumba.simulate(
        experiment(amorphous="water:1", gain=3.0, readout_noise=2.0, psf="gauss", psf_fwhm_um=1500.0)
    )
    counts = image.with_noise(5)
    np.testing.assert_array_equal(counts, image.detected(5).pixels)
    assert abs(counts.sum() / (3.0 * image.array.sum()) - 1.0) < 0.2  # what the spread moves out of 32 pixels
    truth = json.loads(image.ground_truth(5, "counter").readout)
    assert truth["gain"] == 3.0
    assert truth["spread"]["fwhm"] == pytest.approx(1.5)
    assert image.ground_truth().readout is None


def test_bad_pixels_and_the_beamstop_are_masked_in_files(tmp_path: Path) -> None:
    image = nbnumba.simulate(experiment(dead_pixels=3, hot_pixels=2, beamstop_mm=3.0, saturation=500))
    mask = image.experiment.detector.panels[0].mask
    assert mask is not None
    assert not mask[16, 16]
    shaded = int((~mask).sum())
    assert 3 + 26 <= shaded <= 5 + 32  # a disc of 3 pixels around the middle, and the bad ones
    image.save(tmp_path / "a.cbf", noise_seed=1)
    image.save(tmp_path / "a.h5", noise_seed=1, dtype="int32")
    np.testing.assert_array_equal(fabio.open(str(tmp_path / "a.cbf")).data == -2, ~mask)
    with h5py.File(tmp_path / "a.h5") as file:
        detector = file["entry/instrument/detector"]
        np.testing.assert_array_equal(detector["pixel_mask"][:] != 0, ~mask)
        assert detector["saturation_value"][()] == 499
        assert file["entry/data/data"][0][mask].max() <= 500


def test_gaps_are_marked_otherwise_than_masked_pixels(tmp_path: Path) -> None:
    from nbnumba.experiment.readout import modules
    from nbnumba.parameters.presets import PRESETS

    image = nbnumba.simulate(
        nbnumba.Experiment(
            cell=(50,), default_F=1.0, N=1, detector_preset="pilatus6m", beamstop_mm=3.0, roi=(0, 3, 0, 3)
        )
    )
    gaps, panel = ~modules(PRESETS["pilatus6m"]), image.experiment.detector.panels[0]
    assert panel.mask is not None
    image.save(tmp_path / "a.cbf", noise_seed=1)
    image.save(tmp_path / "a.h5", dtype="int32", noise_seed=1)
    pixels = fabio.open(str(tmp_path / "a.cbf")).data
    np.testing.assert_array_equal(pixels == -1, gaps)
    np.testing.assert_array_equal(pixels == -2, ~panel.mask & ~gaps)
    with h5py.File(tmp_path / "a.h5") as file:
        mask = file["entry/instrument/detector/pixel_mask"][()]
    np.testing.assert_array_equal(mask == 1, gaps)
    np.testing.assert_array_equal(mask == 1 << 8, ~panel.mask & ~gaps)


@pytest.mark.parametrize("name", ["good.img", "good.npy"])
def test_a_mask_is_written_for_images_that_cannot_mark_pixels(name: str, tmp_path: Path) -> None:
    from nbnumba.io import mask_file

    good = str(tmp_path / name)
    base = ["-cell", "50", "-default_F", "1", "-N", "1", "-nopgm", "-nonoise", "-quiet", "-nodump"]
    base += ["-floatfile", str(tmp_path / "f.bin"), "-intfile", str(tmp_path / "i.img")]
    size = ["-detpixels", "40", "-pixel", "0.5"]
    bad = ["-dead_pixels", "3", "-hot_pixels", "2", "-beamstop", "3"]
    assert main([*base, *size, *bad, "-semantics", "exact", "-good_pixels", good]) == 0
    experiment = nbnumba.Experiment(
        cell=(50,), default_F=1.0, N=1, detpixels=40, pixel_mm=0.5, dead_pixels=3, hot_pixels=2, beamstop_mm=3.0
    )
    expected = experiment.detector.panels[0].mask
    assert expected is not None
    mask = mask_file.read(good)
    assert 0 < np.count_nonzero(~expected) < expected.size
    np.testing.assert_array_equal(mask, expected)
    assert main([*base, *size, "-mask", good]) == 0  # it is read again


def test_detectors_by_name_have_the_sizes_of_their_makers() -> None:
    sizes = {"pilatus6m": (2463, 2527), "eiger9m": (3110, 3269), "eiger16m": (4150, 4371), "mx340": (3840, 3840)}
    for name, size in sizes.items():
        assert PRESETS[name].size == size
    pilatus = modules(PRESETS["pilatus6m"])
    assert pilatus.shape == (2527, 2463)
    assert pilatus.sum() == 60 * 487 * 195
    assert not pilatus[195:212].any()
    # 1 mm at 8 keV: NIST's 64.68 cm2/g of 2.33 g/cm3.
    assert silicon_attenuation(12.39842e-10 / 8.0) == pytest.approx(15070.0, rel=1e-3)


def test_a_named_detector_and_what_is_given_beside_it() -> None:
    made = experiment(detector_preset="jungfrau4m", detpixels=None, pixel_mm=None, gain=40.0)
    panel = made.detector.panels[0]
    assert (panel.n_fast, panel.n_slow, panel.pixel_size) == (2068, 2164, 75e-6)
    assert made.readout is not None
    assert (made.readout.gain, made.readout.saturation) == (40.0, 10000)
    assert made.detector.sensor.thickness == 320e-6
    assert panel.mask is not None
    with pytest.raises(InputError, match="contradict"):
        experiment(detector_preset="eiger9m")


def test_numbers_vary_in_a_batch() -> None:
    names = "water_layer_mm air_layer_mm ice_layer_mm psf_fwhm_um gain flicker flicker_pixels"
    names += " readout_noise dark_current beamstop_mm"
    assert set(names.split()) <= set(VARYING)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-background water", "'water' is not TABLE:thick_mm"),
        ("-background water:x", "the thickness in mm is 'x'"),
        ("-background water:-1", "the thickness in mm is '-1'"),
        ("-background water:1:0", "the density is '0'"),
        ("-background water:1:1:nan", "the molar mass is 'nan'"),
        ("-background water:1:1:18:4", "is not TABLE:thick_mm"),
        ("-background gone.stol:1", "gone.stol: cannot be read"),
        ("-background icerings=9:1", "the width of rings is '9'"),
        ("-psf moffat:1", "must be above 1"),
        ("-psf square", "allowed are gauss, fiber"),
        ("-psf gauss -psf_fwhm 0", "-psf_fwhm: '0'"),
        ("-psf file", "-psf_file"),
        ("-psf gauss -psf_file k.txt", "-psf_file"),
        ("-gain 0", "-gain: '0'"),
        ("-readout_noise -1", "-readout_noise: '-1'"),
        ("-flicker nan", "-flicker: 'nan'"),
        ("-saturation 0", "-saturation: '0'"),
        ("-dead_pixels 5000", "the detector has 1024 pixels"),
        ("-detector eiger", "-detector: 'eiger' is unknown"),
        ("-detector eiger9m", "contradict"),
        ("-dead_time 100 -exposure 0", "-exposure"),
        ("-rate_limit 1e6 -exposure 0", "-rate_limit"),
        ("-rate_limit 0", "-rate_limit"),
        ("-gain 1e20", "-gain: '1e20'"),
        ("-dark_current 1e30", "-dark_current: '1e30'"),
        ("-psf gauss -psf_fwhm 1e20", "-psf_fwhm: 1e+20 um: allowed are above 0 to 10000 pixels"),
        ("-psf charge -psf_stage counts", "-psf_stage"),
        ("-beamstop 1e9", "covers the whole detector"),
        ("-gain 2 -adc 1e30", "-adc: 1e+30"),
    ],
)
def test_mistakes_are_one_line(
    words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    line = f"-cell 50 50 50 90 90 90 -N 5 -default_F 9 -misset 0 0 0 -detpixels 32 -semantics exact -seed 1 {words}"
    assert main(line.split()) in (2, 3)
    error = capfd.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_table_belongs_to_the_folder_of_its_spec_and_to_the_inputs_of_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "where the SPEC is"
    folder.mkdir()
    (folder / "flat.stol").write_text("0 3\n1 3\n")
    (folder / "spec.toml").write_text(
        'command = "-cell 50 50 50 90 90 90 -N 5 -default_F 1 -detpixels 16 -flux 1e12 -exposure 1 '
        '-background flat.stol:0.1"\ncount = 1\n'
    )
    monkeypatch.chdir(tmp_path)
    words = ["batch", str(folder / "spec.toml"), "-o", str(tmp_path / "out")]
    assert main(words) == 0
    again = nbnumba.Experiment.from_file(tmp_path / "out" / "shots_0000.h5")
    np.testing.assert_array_equal(again.background[0].points, [[0, 3], [1, 3]])
    capfd.readouterr()
    (folder / "flat.stol").write_text("0 4\n1 4\n")
    assert main([*words, "--resume"]) == 2
    assert "flat.stol" in capfd.readouterr().err
