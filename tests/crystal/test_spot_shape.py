"""Shapes of compact spots against their formulas, and -spot_cutoff against the full sum."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import goldens
import numpy as np
import pytest
from numpy.typing import NDArray

from nbnumba import cli, errors
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene
from nbnumba.kernels.cpu import driver, spot_driver
from nbnumba.kernels.scene import Scene
from nbnumba.parameters.parser import parse

LINE = (
    "-mat triclinic.mat -hkl triclinic.hkl -lambda 1.2 -distance 80 -pixel 0.4 -detpixels_x 150 -detpixels_y 90 "
    "-Na 9 -Nb 7 -Nc 11 -fudge 1.3 -oversample 1 -nointerpolate -nodump"
)


def scene_of(line: str, folder: Path) -> Scene:
    if not (folder / "triclinic.hkl").exists():
        goldens.copy_inputs(folder)
    with contextlib.chdir(folder):
        return build_scene(resolve(parse(line.split()).settings))


def amplitudes(scene: Scene, matrix: NDArray[np.float64], shape: str) -> NDArray[np.float64]:
    """Work out an image of one orientation from the formulas, pixel by pixel in plain NumPy, up to a common factor."""
    q = scene.numbers[0]
    slow, fast = np.meshgrid(np.arange(scene.n_slow) + 0.5, np.arange(scene.n_fast) + 0.5, indexing="ij")
    place = q["origin"] + scene.pixel_fast * (fast[..., None] * q["fast"] + slow[..., None] * q["slow"])
    distance = np.linalg.norm(place, axis=-1)
    scattering = (place / distance[..., None] - scene.sources[0, :3]) * scene.sources[0, 3]
    cell = scene.orientations[0].reshape(3, 3)
    hkl = scattering @ cell.T
    nearest = np.ceil(hkl - 0.5)
    offset = hkl - nearest
    index = nearest.astype(int) - [scene.h_min - 1, scene.k_min - 1, scene.l_min - 1]
    index = np.clip(index, 0, np.array(scene.table.shape) - 1)
    factor = scene.table[index[..., 0], index[..., 1], index[..., 2]]
    if shape == "gauss_star":
        reciprocal = np.linalg.inv(cell * 1e10)  # columns a*, b*, c* [1/Angstrom]
        volume = abs(np.linalg.det(cell * 1e10))
        size = (np.linalg.det(matrix) * volume) ** (1.0 / 3.0)
        exponent = 1.9 * scene.fudge * np.sum((offset @ reciprocal.T) ** 2, axis=-1) * size**2
        lattice = np.exp(-exponent)
    else:
        squared = np.sum((offset @ matrix.T) ** 2, axis=-1) * scene.fudge
        lattice = (squared < 0.3969).astype(float) if shape == "tophat_abc" else np.exp(-squared / 0.63)
        if shape == "gauss_argchk":
            lattice[squared / 0.63 >= 35.0] = 0.0
    omega = scene.pixel_fast**2 / distance**2 * scene.close_distance / distance
    return (factor * lattice * np.linalg.det(matrix)) ** 2 * omega


@pytest.mark.parametrize("between", ["", "-Nd 2 -Ne -1.5 -Nf 3"])
@pytest.mark.parametrize("shape", ["gauss_abc", "gauss_argchk", "gauss_star", "tophat_abc"])
def test_formulas(shape: str, between: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both engines of the processor against the formulas themselves."""
    wide = "-fudge 0.05" if shape == "tophat_abc" else ""  # else its spots hold a pixel at most
    scene = scene_of(f"{LINE} -shape {shape} {between} {wide} -nopolar", tmp_path)
    matrix = np.diag([9.0, 7.0, 11.0])
    if between:
        matrix += [[0, 2, 3], [2, 0, -1.5], [3, -1.5, 0]]
    expected = scene.photons * amplitudes(scene, matrix, shape)
    plan = spot_driver.forced_plan(scene)
    assert plan is not None
    monkeypatch.setattr(spot_driver, "plan_panels", lambda *arguments: [])
    for image in (driver.render(scene, 1, None, None).image, spot_driver.render(scene, plan, 1, None, None).image):
        assert np.count_nonzero(image) > 30
        # The rounding of offsets, in an exponent of up to 50; float32 for the rest.
        np.testing.assert_allclose(image, expected, rtol=3e-7, atol=1e-12 * expected.max())


def test_left_handed_axes_draw_spots_of_the_same_size(tmp_path: Path) -> None:
    """The image of default_F alone does not tell h from -h."""
    line = "-default_F 50 -lambda 1.2 -distance 80 -pixel 0.4 -detpixels 32 -N 6 -shape gauss_star -nodump -A_matrix"
    right, left = (scene_of(f"{line} {a} 0 0 0.001 0.02 0 0 0.003 0.015", tmp_path) for a in ("0.02", "-0.02"))
    images = [driver.render(scene, 1, None, None).image for scene in (right, left)]
    assert images[0].max() > 0.0
    np.testing.assert_array_equal(*images)


@pytest.mark.parametrize("cutoff", [1e-6, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize("shape", ["gauss", "gauss_abc"])
def test_what_a_cutoff_leaves_out(shape: str, cutoff: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pixel lacks more than it may, whichever engine draws; a larger cutoff saves work."""
    more = (
        f"-shape {shape} -mosaic 0.5 -mosaic_domains 5 -dispersion 2 -dispsteps 3 -oversample 2 -detector_thick 300 "
        "-detector_abs 400 -detector_thicksteps 2 -fluence 1e26 -semantics exact"
    )
    full = scene_of(f"{LINE} {more}", tmp_path)
    cut = scene_of(f"{LINE} {more} -spot_cutoff {cutoff:g}", tmp_path)
    plan, plan_cut = spot_driver.forced_plan(full), spot_driver.forced_plan(cut)
    assert plan is not None
    assert plan_cut is not None
    by_lists, by_lists_cut = (
        spot_driver.render(full, plan, 2, None, None),
        spot_driver.render(cut, plan_cut, 2, None, None),
    )
    monkeypatch.setattr(spot_driver, "plan_panels", lambda *arguments: [])
    whole, by_pixels = driver.render(full, 2, None, None), driver.render(cut, 2, None, None)
    scale = float(whole.image.max())
    for image in (by_lists_cut.image, by_pixels.image):
        missing = whole.image.astype(np.float64) - image
        assert missing.max() < cutoff
        assert missing.min() > -1e-6 * scale  # rounding to float32
    assert by_lists_cut.evaluated_steps < by_lists.evaluated_steps
    assert by_lists_cut.spots <= by_lists.spots
    if cutoff == 1e3:
        assert float((whole.image.astype(np.float64) - by_lists_cut.image).max()) > 1e-6 * cutoff


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "-Nd 2",
            "-Nd, -Ne, -Nf: 2 0 0 with -shape square; allowed with gauss_abc, gauss_argchk",
        ),
        ("-shape gauss_abc -Nd 20", "the matrix of the six must be positive definite"),
        ("-shape gauss_abc -Nd nan", "-Nd"),
        ("-shape cube", "-shape: 'cube' is unknown; allowed: square, round, gauss"),
        ("-spot_cutoff -1", "-spot_cutoff: '-1' is out of range"),
        ("-spot_cutoff nan", "-spot_cutoff"),
        ("-spread continuous", "-spread continuous: with -shape square"),
        ("-spread continuous -gauss_xtal -mosaic 20", "-spread continuous takes at most 3"),
        ("-spread continuous -gauss_xtal -fudge 0", "-spread continuous: with -fudge 0"),
        ("-spread continuous -gauss_xtal -interpolate", "-spread continuous: with -interpolate; give -nointerpolate"),
        ("-spread continuous -gauss_xtal -oversample_omega", "these take -semantics exact"),
    ],
)
def test_errors(words: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(errors.InputError, match=re.escape(message)):
        scene_of(f"{LINE} {words}", tmp_path)


def test_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    goldens.copy_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    more = "-shape gauss_abc -spread continuous -mosaic 0.5 -dispersion 1 -dispsteps 5 -spot_cutoff 0.01"
    words = [*LINE.split(), *more.split(), "-nonoise", "-nopgm", "-noprogress"]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert "gaussian (abc) xtal: 9x7x11 cells" in said
    # 0.4964 of the largest angle; sqrt(6/48) of the full width.
    assert "sigma of mosaicity 0.2482 deg about each axis, of the wavelength 0.353553 %, of the direction 0 0" in said
    assert "spots: cutoff 0.01 photons, " in said
    assert cli.main([*words, "-trace_pixel", "3", "4"]) == 2
    assert "-trace_pixel: with -spread continuous" in capsys.readouterr().err
