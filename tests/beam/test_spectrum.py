"""Spectra by name: moments, statistics of random spikes, sources, and what contradicts them."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import fabio
import h5py
import numpy as np
import nxmx
import oracles
import pytest
import spots_oracle
from plain_experiments import experiment
from requirements import requires

from nbnumba import cli
from nbnumba.beam.gaussian import points
from nbnumba.beam.spectrum import Spectrum, spectrum_of
from nbnumba.errors import InputError
from nbnumba.experiment.resolve import resolve
from nbnumba.io.spectrum_file import EV_ANGSTROM
from nbnumba.parameters.parser import parse
from nbnumba.parameters.settings import Settings
from nbnumba.render.renderer import simulate

FWHM = math.sqrt(8.0 * math.log(2.0))
_LINE = "-semantics exact -cell 62 73 84 81 93 107 -default_F 10 -N 5 -detpixels 24 -pixel 1 -distance 100 -dump none "


def spectrum(form: str, **more: object) -> Spectrum:
    found = spectrum_of(Settings.of(spectrum=form, **more))
    assert found is not None
    return found


def moments(found: Spectrum) -> tuple[float, float]:
    mean = float(np.sum(found.weights * found.energies))
    return mean, math.sqrt(float(np.sum(found.weights * (found.energies - mean) ** 2)))


def test_gauss_has_its_moments() -> None:
    found = spectrum("gauss:9000:50:301")
    mean, deviation = moments(found)
    assert len(found.energies) == 301
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-14)
    assert mean == pytest.approx(9000.0, abs=1e-9)
    # Beyond 1.5 widths on either side lies what takes half a percent from the deviation.
    assert deviation == pytest.approx(50.0 / FWHM, rel=0.01)
    one = spectrum("gauss:9000:50:1")
    np.testing.assert_array_equal(one.energies, [9000.0])


def test_pink_has_its_moments_and_a_tail_to_lower_energies() -> None:
    found = spectrum("pink:12000:60:250:2001")
    mean, deviation = moments(found)
    # Of an exponentially modified Gaussian; 3e-4 of its tail is cut off, eight decay lengths away.
    assert mean == pytest.approx(12000.0 - 250.0, abs=1.0)
    assert deviation == pytest.approx(math.hypot(60.0 / FWHM, 250.0), rel=0.02)
    below, above = (found.weights[side].sum() for side in (found.energies < 11500.0, found.energies > 12200.0))
    assert below == pytest.approx(math.exp(-2.0), rel=0.01)  # of an exponential, two decay lengths from the edge
    assert above == 0.0


def test_sase_is_its_envelope_on_average_and_spikes_in_every_shot() -> None:
    shots = np.array([spectrum("sase:9000:30:1.2:90", spectrum_seed=seed).weights for seed in range(1, 401)])
    envelope = spectrum("gauss:9000:30:90").weights
    middle = slice(25, 65)
    mean = shots.mean(axis=0)
    # The mean of 400 shots that scatter by about their own size.
    np.testing.assert_allclose(mean[middle], envelope[middle], rtol=6.0 / math.sqrt(400))
    # Channels of 1 eV average a little over spikes of 1.2 eV: by theory the contrast is 0.79.
    contrast = (shots.std(axis=0) / mean)[middle].mean()
    assert contrast == pytest.approx(0.79, abs=0.06)


def test_width_of_sase_spikes() -> None:
    fine = np.array([spectrum("sase:9000:2000:20:6000", spectrum_seed=seed).weights for seed in range(1, 4)])
    flat = fine[:, 2500:3500] / spectrum("gauss:9000:2000:6000").weights[2500:3500]
    flat = flat / flat.mean(axis=1, keepdims=True) - 1.0
    lag = 10  # channels of 1 eV: half of the full width, where the correlation has fallen to a half
    correlation = np.mean(flat[:, lag:] * flat[:, :-lag]) / np.mean(flat**2)
    assert correlation == pytest.approx(0.5, abs=0.12)  # of about 150 spikes


def test_sase_is_drawn_from_its_seed_alone() -> None:
    one, again = spectrum("sase:9000:30:1:50", spectrum_seed=7), spectrum("sase:9000:30:1:50", spectrum_seed=7)
    other = spectrum("sase:9000:30:1:50", spectrum_seed=8)
    np.testing.assert_array_equal(one.weights, again.weights)
    np.testing.assert_array_equal(one.energies, other.energies)  # of a grid that stays, whatever the seed
    assert np.abs(one.weights - other.weights).max() > 1e-3


def test_shift_moves_every_energy() -> None:
    plain, moved = spectrum("gauss:9000:50:11"), spectrum("gauss:9000:50:11", spectrum_shift=12.5)
    np.testing.assert_allclose(moved.energies, plain.energies + 12.5, rtol=1e-15)
    np.testing.assert_array_equal(moved.weights, plain.weights)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("spectrum.txt", "is unknown; allowed: gauss:mean_ev:fwhm_ev:channels, .*-spectrum_file"),
        ("gauss", "1 value; allowed: gauss:mean_ev:fwhm_ev:channels"),
        ("gauss:9000:50:11:2", "4 values"),
        ("gauss:nan:50:11", "mean_ev is 'nan'"),
        ("gauss:9000:-1:11", "fwhm_ev is '-1'"),
        ("gauss:9000:inf:11", "fwhm_ev is 'inf'"),
        ("gauss:9000:50:0", "channels is '0'"),
        ("gauss:9000:50:1.5", "channels is '1.5'"),
        ("gauss:9000:50:999999999", "channels is '999999999'; allowed are whole numbers from 1 to 100000"),
        (f"gauss:9000:50:{'1' * 5000}", "channels is '111"),
        ("gauss:9000:9000:11", "photon energies from -3272.* allowed are 100"),
        ("sase:9000:5000:1e-9:10", "spikes of 1e-09 eV are too narrow"),
    ],
)
def test_malformed_forms(form: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        spectrum(form)
    assert str(error.value).startswith("-spectrum")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-spectrum gauss:9000:5:3 -lambda 1.4", "-lambda: contradicts -spectrum"),
        ("-energy 9000 -spectrum gauss:9000:5:3", "-energy: contradicts -spectrum"),
        ("-spectrum_file a.txt -energy 9000", "-energy: contradicts -spectrum_file"),
        ("-spectrum gauss:9000:5:3 -dispersion 1", "-spectrum: contradicts -dispersion"),
        ("-spectrum gauss:9000:5:3 -dispsteps 3", "-spectrum: contradicts -dispsteps"),
        ("-spectrum gauss:9000:5:3 -sourcefile a", "-spectrum: contradicts -sourcefile"),
        ("-spectrum gauss:9000:5:3 -spectrum_file a", "-spectrum: contradicts -spectrum_file"),
        ("-spectrum gauss:9000:5:3 -spectrum_shot 1", "-spectrum_shot: 1 goes with -spectrum_file"),
        ("-spectrum gauss:9000:5:3 -spectrum_seed 1", "-spectrum_seed: 1 has no effect on 'gauss:9000:5:3'"),
        ("-spectrum_file a -spectrum_seed 1", "-spectrum_seed: 1 goes with -spectrum sase"),
        ("-spectrum_shot 1", "-spectrum_shot: 1 has no spectrum to act on"),
        ("-spectrum_shift 1", "-spectrum_shift: 1 has no spectrum to act on"),
        ("-gauss_hdiv 1 -hdivrange 1", "-gauss_hdiv: contradicts -hdivrange"),
        ("-gauss_vdiv 1 -divsteps 3", "-gauss_vdiv: contradicts -hdivsteps"),
        ("-gauss_hdiv 1 -sourcefile a", "-gauss_hdiv: contradicts -sourcefile"),
        ("-gauss_hdiv 600", "-gauss_hdiv: 600 mrad; at most 500"),
        ("-gauss_divs 5", "-gauss_divs: 5 directions have no width"),
        ("-gauss_hdiv 1 -gauss_divs 100000 -spectrum gauss:9000:5:11", "-gauss_divs: 100000 x 11 steps make 1100000"),
    ],
)
def test_contradictions_are_named(words: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve(parse((_LINE + words).split()).settings)


def test_channels_become_sources_of_every_direction() -> None:
    settings = parse((_LINE + "-spectrum gauss:9000:50:7 -hdivrange 1 -hdivsteps 3").split()).settings
    sources = resolve(settings).beam.sources
    found = spectrum("gauss:9000:50:7")
    assert sources.weights.shape == (21,)
    assert sources.normalized_weights.mean() == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_array_equal(sources.wavelengths, np.tile(found.wavelengths, 3))
    np.testing.assert_allclose(sources.normalized_weights / 21, np.tile(found.weights, 3) / 3, rtol=1e-14)


@pytest.mark.parametrize("semantics", ["exact", "c"])
def test_image_is_the_weighted_mean_of_its_channels(semantics: str, tmp_path: Path) -> None:
    table = tmp_path / "a.txt"
    table.write_text("12000 1\n12400 0\n12700 5\n12900 2\n")
    crystal = f"-pixel 1 -oversample 1 -nopolar -semantics {semantics}"
    line = "-cell 62 73 84 90 90 90 -misset 11 22 33 -default_F 10 -N 5 -dump none.bin -detpixels 24 -distance 100 "

    def photons(words: str) -> np.ndarray:
        return simulate(resolve(parse((line + crystal + words).split()).settings), threads=1).array.astype(np.float64)

    expected = sum(share / 8.0 * photons(f" -energy {ev}") for ev, share in ((12000, 1), (12700, 5), (12900, 2)))
    # float32 of every image.
    np.testing.assert_allclose(photons(f" -spectrum_file {table}"), expected, rtol=4e-7)


def test_mean_wavelength_is_that_of_the_experiment() -> None:
    assert experiment("").beam.spectrum_origin is None  # of a single wavelength
    beam = resolve(parse((_LINE + "-spectrum pink:9000:50:200:7").split()).settings).beam
    weights, wavelengths = beam.sources.weights, beam.sources.wavelengths
    assert beam.wavelength == pytest.approx(np.sum(weights * wavelengths) / np.sum(weights), rel=1e-15)


@pytest.mark.parametrize("count", [3, 4, 25, 100])
def test_gaussian_points_have_mean_0_and_variance_1(count: int) -> None:
    for plane in (True, False):
        found = points(count, plane)
        assert found.shape == (count, 2)
        np.testing.assert_allclose(found.mean(axis=0), 0.0, atol=1e-14)
        expected = np.eye(2) if plane else np.ones((2, 2))
        np.testing.assert_allclose(found.T @ found / count, expected, atol=1e-13)


def test_gaussian_points_fill_the_plane_like_a_gaussian() -> None:
    found = points(2000, True)
    squares = np.sum(found**2, axis=1)
    for limit in (0.5, 1.0, 4.0):
        # The number within a radius: steps of the spiral, and what the stretching to unit variance moves.
        assert np.mean(squares < limit) == pytest.approx(1.0 - math.exp(-limit / 2.0), abs=0.005)
    # The spiral leaves no side empty.
    assert np.abs(np.mean(np.exp(2j * np.arctan2(found[:, 1], found[:, 0])))) < 0.01


def test_gaussian_divergence_spreads_the_directions() -> None:
    beam = resolve(parse((_LINE + "-gauss_hdiv 3 -gauss_vdiv 1 -gauss_divs 60").split()).settings).beam
    assert len(beam.sources.weights) == 60
    vertical = beam.polarization_axis  # C's horizontal divergence turns about the other axis
    across = -beam.sources.directions
    off = np.cross(beam.direction, vertical)
    widths = {axis: FWHM * np.sqrt(np.mean((across @ vector) ** 2)) for axis, vector in (("v", vertical), ("h", off))}
    # Angles and their sines differ by their third power.
    assert sorted(widths.values()) == pytest.approx([1e-3, 3e-3], rel=1e-5)
    np.testing.assert_array_equal(beam.sources.weights, 1.0)


def test_continuous_keeps_channels_and_takes_divergence_as_variance() -> None:
    line = _LINE + "-gauss_xtal -spread continuous -mosaic 0.1 -spectrum gauss:9000:50:5 -gauss_hdiv 2 -gauss_divs 9"
    record = resolve(parse(line.split()).settings)
    assert len(record.beam.sources.weights) == 5
    assert record.closed_form is not None
    assert record.closed_form.bandwidth == 0.0
    assert math.sqrt(np.trace(record.closed_form.divergence)) * FWHM == pytest.approx(2e-3, rel=1e-5)
    found = spectrum("gauss:9000:50:5")
    order = np.argsort(record.beam.sources.wavelengths)
    shares = record.beam.sources.normalized_weights / 5
    np.testing.assert_allclose(shares[order], found.weights[::-1], rtol=1e-13)


@requires("oracles")
@pytest.mark.parametrize(("name", "factor"), [("spectrum", 5.0), ("spectrum_xray_source", 1.0)])
def test_channels_of_simtbx(name: str, factor: float, tmp_path: Path) -> None:
    """simtbx's xray_beams are as many times too bright as there are channels."""
    params, arrays = oracles.load("spots", name)
    energies = EV_ANGSTROM / np.array(params["sources_lambda_A"])
    table = np.column_stack([energies, params["sources_intensity"]])
    np.savetxt(tmp_path / "s.txt", table, fmt="%.17g")
    experiment = spots_oracle.experiment(params, wavelength_A=None, spectrum_file=tmp_path / "s.txt")
    expected = arrays["raw_pixels"] / factor
    # Half a unit of float32; and amplitudes by polynomials of 2e-11, next to a zero of which 1e-12 of the image.
    np.testing.assert_allclose(simulate(experiment, "cpu").array, expected, rtol=6.5e-8, atol=1e-12 * expected.max())


def test_formats_of_one_wavelength_state_the_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = "-spectrum pink:12000:60:200:30 -nonoise -nopgm -intfile i.img -cbffile c.cbf -h5file a.h5 -threads 1"
    assert cli.main((_LINE + words).split()) == 0
    mean = resolve(parse((_LINE + "-spectrum pink:12000:60:200:30").split()).settings).beam.wavelength * 1e10
    assert float(fabio.open("i.img").header["WAVELENGTH"]) == pytest.approx(mean, rel=1e-10)  # digits of the header
    found = re.search(r"Wavelength ([0-9.]+) A", fabio.open("c.cbf").header["_array_data.header_contents"])
    assert found is not None
    assert float(found[1]) == pytest.approx(mean, rel=1e-12)
    with h5py.File("a.h5") as file:
        (entry,) = nxmx.NXmx(file).entries
        (beam,) = entry.instruments[0].beams
        np.testing.assert_allclose(beam.incident_wavelength.to("angstrom").magnitude, [mean], rtol=1e-14)


def test_a_polychromatic_expt_takes_a_spectrum(tmp_path: Path) -> None:
    panel = {"fast_axis": [1, 0, 0], "slow_axis": [0, -1, 0], "origin": [-1, 1, -90], "image_size": [12, 9]}
    content = {
        "__id__": "ExperimentList",
        "experiment": [{"beam": 0, "detector": 0}],
        "beam": [{"__id__": "polychromatic", "direction": [0, 0, 1], "wavelength_range": [1.0, 1.1]}],
        "detector": [{"panels": [{**panel, "pixel_size": [0.2, 0.2]}]}],
    }
    path = tmp_path / "a.expt"
    path.write_text(json.dumps(content))
    line = f"-expt {path} -cell 50 60 70 -default_F 10 -N 5 "
    with pytest.raises(InputError, match="no single wavelength"):
        resolve(parse(line.split()).settings)
    beam = resolve(parse((line + "-spectrum gauss:12000:50:3").split()).settings).beam
    assert len(beam.sources.weights) == 3
