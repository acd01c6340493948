"""Every option of the table either changes what `convert` and `noise` write, or is named as without effect."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
from plain_experiments import experiment
from requirements import ROOT

from nbnumba import cli
from nbnumba.commandline import effects
from nbnumba.imagefiles.smv import smv_fields
from nbnumba.io import smv
from nbnumba.parameters.table import NANOBRAGG

pytestmark = pytest.mark.command_line

BASE = {
    "-detpixels_f": "12",
    "-detpixels_s": "9",
    "-pixel": "0.2",
    "-distance": "100",
    "-lambda": "1",
    "-Xbeam": "1",
    "-Ybeam": "1.3",
    "-twotheta": "5",
    "-cell": "40 50 60 80 90 100",
    "-misset": "10 20 30",
    "-mosaic": "0.3",
    "-mosaic_domains": "3",
    "-dispersion": "1",
    "-dispsteps": "2",
    "-osc": "1",
    "-phisteps": "2",
    "-flux": "1e12",
    "-exposure": "0.5",
    "-polar": "0.5",
    "-detector_thick": "100",
    "-semantics": "exact",
}
EXPT = """
{"__id__": "ExperimentList", "experiment": [{"beam": 0, "detector": 0}],
 "beam": [{"direction": [0, 0, 1], "wavelength": 1.25}],
 "detector": [{"panels": [{"fast_axis": [1, 0, 0], "slow_axis": [0, -1, 0], "origin": [-1, 1, -90],
                           "image_size": [12, 9], "pixel_size": [0.2, 0.2]}]}]}
"""
# Values that differ from those above, and options to take away (-x) or to add before, so that they can count.
CASES: dict[str, tuple[str, str]] = {
    "-mat": ("lyso.mat", "-cell -misset"),
    "-A_matrix": ("0.02 0 0 0 0.03 0 0 0 0.01", "-cell"),
    "-cell": ("41 52 63", ""),
    "-crystal": ("lyso.mat", "-cell -misset"),
    "-crystal_share": ("0.5", ""),
    "-misset": ("1 2 3", ""),
    "-misset_seed": ("5", "-misset=random"),
    "-N": ("7", ""),
    "-Na": ("7", ""),
    "-Nb": ("7", ""),
    "-Nc": ("7", ""),
    "-samplesize": ("0.0001", ""),
    "-sample_x": ("0.0001", ""),
    "-sample_y": ("0.0001", ""),
    "-sample_z": ("0.0001", ""),
    "-square_xtal": ("", "-gauss_xtal="),
    "-round_xtal": ("", ""),
    "-gauss_xtal": ("", ""),
    "-tophat_spots": ("", ""),
    "-fudge": ("2", ""),
    "-shape": ("gauss_star", ""),
    "-Nd": ("0.1", "-gauss_xtal= -shape=gauss_abc"),
    "-Ne": ("0.1", "-gauss_xtal= -shape=gauss_abc"),
    "-Nf": ("0.1", "-gauss_xtal= -shape=gauss_abc"),
    "-spread": ("continuous", "-gauss_xtal="),
    "-spot_cutoff": ("1", ""),
    "-mosaic": ("0.7", ""),
    "-mosaic_domains": ("5", ""),
    "-mosaic_seed": ("7", ""),
    "-mosaic_model": ("gauss", ""),
    "-mosaic_sigmas": ("0.1 0.2 0.3", "-mosaic -mosaic_model=gauss"),
    "-mosaic_file": ("domains.txt", "-mosaic -mosaic_domains"),
    "-lattice_spread_percent": ("0.5", ""),
    "-diffuse_gamma": ("20 30 40", ""),
    "-diffuse_sigma": ("0.2", ""),
    "-diffuse_laue": ("2/m", "-cell=40,50,60,90,100,90 -diffuse_sigma=0.2"),
    "-diffuse_stencil": ("1", "-diffuse_sigma=0.2"),
    "-diffuse_axes": ("diagonal", "-diffuse_sigma=0.2"),
    "-only_diffuse": ("", "-diffuse_sigma=0.2"),
    "-hkl": ("none.hkl", ""),
    "-hkl_column": ("F", ""),
    "-hkl_dmin": ("3", ""),
    "-pdb": ("none.pdb", ""),
    "-anomalous": ("", ""),
    "-anomalous_file": ("FE=none.txt", ""),
    "-anomalous_bins": ("3", ""),
    "-phase_column": ("PHIC", ""),
    "-default_F": ("7", ""),
    "-B_factor": ("20", ""),
    "-dump": ("none.bin", ""),
    "-nodump": ("", ""),
    "-interpolate": ("", ""),
    "-nointerpolate": ("", ""),
    "-lambda": ("1.3", ""),
    "-energy": ("9000", ""),
    "-fluence": ("1e20", "-flux"),
    "-flux": ("1e11", ""),
    "-exposure": ("0.7", ""),
    "-beamsize": ("0.03", ""),
    "-polar": ("0.7", ""),
    "-nopolar": ("", ""),
    "-dispersion": ("3", ""),
    "-dispsteps": ("3", ""),
    "-divergence": ("3", ""),
    "-hdivrange": ("3", ""),
    "-vdivrange": ("3", ""),
    "-divsteps": ("3", ""),
    "-hdivsteps": ("3", ""),
    "-vdivsteps": ("3", ""),
    "-hdivstep": ("3", ""),
    "-vdivstep": ("3", ""),
    "-round_div": ("", "-divergence=3"),
    "-square_div": ("", "-divergence=3"),
    "-sourcefile": ("sources.txt", ""),
    "-spectrum": ("gauss:9000:50:3", "-lambda -dispersion -dispsteps"),
    "-spectrum_file": ("spectrum.txt", "-lambda -dispersion -dispsteps"),
    "-spectrum_shot": ("1", "-lambda -dispersion -dispsteps -spectrum_file=spectrum.txt"),
    "-spectrum_seed": ("7", "-lambda -dispersion -dispsteps -spectrum=sase:9000:50:5:9"),
    "-spectrum_shift": ("7", "-lambda -dispersion -dispsteps -spectrum=gauss:9000:50:3"),
    "-gauss_hdiv": ("3", ""),
    "-gauss_vdiv": ("3", ""),
    "-gauss_divs": ("7", "-gauss_hdiv=2"),
    "-beam_tilt_fast": ("3", ""),
    "-beam_tilt_slow": ("3", ""),
    "-distance": ("110", ""),
    "-close_distance": ("110", ""),
    "-pixel": ("0.3", "-detpixels_f -detpixels_s -detsize_f=2.4 -detsize_s=1.8"),
    "-detsize": ("2.4", "-detpixels_f"),
    "-detsize_f": ("2.4", "-detpixels_f"),
    "-detsize_s": ("1.8", "-detpixels_s"),
    "-detpixels": ("12", ""),
    "-detpixels_f": ("11", ""),
    "-detpixels_s": ("11", ""),
    "-Xbeam": ("1.1", ""),
    "-Ybeam": ("1.1", ""),
    "-Xclose": ("1.1", "-Xbeam -Ybeam -spindle_axis=0,0,1"),
    "-Yclose": ("1.1", "-Xbeam -Ybeam -spindle_axis=0,0,1"),
    "-ORGX": ("3", "-Xbeam -Ybeam -xds="),
    "-ORGY": ("3", "-Xbeam -Ybeam -xds="),
    "-beam_center_fast": ("1.1", ""),
    "-beam_center_slow": ("1.1", ""),
    "-detector_rotx": ("3", ""),
    "-detector_roty": ("3", ""),
    "-detector_rotz": ("3", ""),
    "-twotheta": ("7", ""),
    "-pivot": ("sample", "-detector_rotx=7"),
    "-expt": ("a.expt", ""),
    "-expt_number": ("0", ""),
    "-geometry": ("a.expt", ""),
    "-img": ("a.img", "-detpixels_f -detpixels_s"),
    "-mask": ("a.img", "-detpixels_f -detpixels_s"),
    "-detector_abs": ("0", ""),
    "-detector_thick": ("300", ""),
    "-detector_thicksteps": ("3", ""),
    "-curved_det": ("", ""),
    "-point_pixel": ("", ""),
    "-panel": ("0", ""),
    "-roi": ("1 5 2 6", ""),
    "-mosflm": ("", "-denzo="),
    "-denzo": ("", ""),
    "-adxv": ("", ""),
    "-xds": ("", ""),
    "-dials": ("", ""),
    "-beam_vector": ("1 0.1 0", ""),
    "-fdet_vector": ("0 0.1 1", ""),
    "-sdet_vector": ("0.1 -1 0", ""),
    "-odet_vector": ("1 0.1 0", ""),
    "-polar_vector": ("0 1 0", ""),
    "-spindle_axis": ("0 1 0", ""),
    "-twotheta_axis": ("0 0 1", ""),
    "-pix0_vector": ("0.1 -0.001 0.001", "-Xbeam -Ybeam"),
    "-pix0_vector_mm": ("100 -1 1", "-Xbeam -Ybeam"),
    "-phi": ("3", ""),
    "-osc": ("3", ""),
    "-phistep": ("0.3", "-osc"),
    "-phisteps": ("4", "-osc -phisteps"),
    "-phi_sampling": ("mid", ""),
    "-oversample": ("3", ""),
    "-oversample_thick": ("", ""),
    "-oversample_polar": ("", ""),
    "-oversample_omega": ("", ""),
    "-dmin": ("3", ""),
    "-water": ("3", ""),
    "-background": ("water:0.1", ""),
    "-layer_water": ("0.1", ""),
    "-layer_air": ("5", ""),
    "-layer_ice": ("0.1", ""),
    "-detector": ("eiger9m", ""),
    "-beamstop": ("0.5", ""),
    "-psf": ("gauss", "-psf_fwhm=100"),
    "-psf_fwhm": ("200", "-psf=gauss"),
    "-psf_radius": ("4", "-psf=gauss -psf_fwhm=100"),
    "-psf_file": ("none.txt", ""),
    "-psf_stage": ("counts", "-psf=gauss -psf_fwhm=100"),
    "-flicker": ("0.1", ""),
    "-flicker_pixels": ("0.1", ""),
    "-calibration": ("0.1", ""),
    "-calib_seed": ("7", "-calibration=0.1"),
    "-dead_time": ("100", ""),
    "-rate_limit": ("1e3", ""),
    "-gain": ("2", ""),
    "-dark_current": ("1", ""),
    "-readout_noise": ("2", ""),
    "-saturation": ("1000", ""),
    "-dead_pixels": ("3", ""),
    "-hot_pixels": ("3", ""),
    "-badpix_seed": ("7", "-dead_pixels=3"),
    "-floatfile": ("f.bin", ""),
    "-intfile": ("i.img", ""),
    "-scale": ("3", ""),
    "-adc": ("7", ""),
    "-pgmfile": ("p.pgm", ""),
    "-pgmscale": ("3", ""),
    "-nopgm": ("", ""),
    "-pngfile": ("p.png", ""),
    "-rings": ("", ""),
    "-annotate": ("", ""),
    "-h5file": ("h.h5", ""),
    "-h5data": ("counts", ""),
    "-cbffile": ("c.cbf", ""),
    "-spotsfile": ("s.h5", ""),
    "-truthfile": ("q.h5", ""),
    "-good_pixels": ("g.img", ""),
    "-smv_header": ("adxv", ""),
    "-trace_pixel": ("1 1", ""),
    "-show_config": ("json", ""),
    "-tracefile": ("t.json", ""),
    "-noisefile": ("n.img", ""),
    "-nonoise": ("", ""),
    "-seed": ("6", ""),
    "-noise_rng": ("c", ""),
    "-semantics": ("c", ""),
    "-backend": ("cpu", ""),
    "-threads": ("1", ""),
    "-precision": ("double", ""),
    "-device": ("0", ""),
}
# About what the program says, not about files.
TALK = {"-quiet", "-progress", "-noprogress", "-help", "-version"}
# Told before anything is read.
NEVER = set(NANOBRAGG.without_effect)
# Do not show in the files themselves: the counts are the same whatever computes them.
SAME_COUNTS = {"-threads", "-backend", "-device"}

_IDLE = re.compile(r"^nbnumba: notice: (?:convert|noise): without effect here: (.*)$", re.MULTILINE)
_TIME = re.compile(rb"# \d{4}-\d\d-\d\dT[\d:.]+")


@pytest.fixture(autouse=True)
def _in_a_folder_with_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (np.arange(108, dtype="<f4") * 3).tofile("in.bin")
    shutil.copyfile(ROOT / "golden" / "inputs" / "lyso.mat", "lyso.mat")
    Path("a.expt").write_text(EXPT)
    Path("spectrum.txt").write_text("9000 1 3\n9050 2 1\n")
    Path("sources.txt").write_text("-10 0 0 1 1.0e-10\n-10 0 0 3 1.1e-10\n")
    Path("domains.txt").write_text("1 0 0 0\n1 0 0 0\n")
    record = experiment("-distance 77")
    header = smv.header(smv_fields(record.detector, record.beam.wavelength, record.goniometer, 40.0), "c")
    smv.write("a.img", np.ones((9, 12), np.uint16), header)


def line(key: str) -> tuple[list[str], list[str]]:
    """Return the words before an option, and its own."""
    values, before = CASES[key]
    kept = dict(BASE)
    for change in before.split():
        name, equals, value = change.partition("=")
        kept.pop(name, None)
        if equals:
            kept[name] = value.replace(",", " ")
    words = [word for name, value in kept.items() for word in (name, *value.split())]
    return words, [key, *values.split()]


def h5_content(path: Path) -> dict[str, object]:
    found: dict[str, object] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if name in ("entry/start_time", "entry/end_time_estimated"):
            return
        values = {f"@{key}": np.asarray(value).tolist() for key, value in item.attrs.items() if "time" not in key}
        if isinstance(item, h5py.Dataset):
            data = np.asarray(item[()])
            if name.endswith(("_weights", "_weight")):
                data = data / data.sum()  # one more source of every wavelength is no other spectrum
            # 12 digits: sums over other sources round differently.
            values["data"] = [f"{value:.12g}" if data.dtype.kind == "f" else value for value in data.ravel().tolist()]
        found[name] = repr(values)

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def contents(ignored: set[str]) -> dict[str, object]:
    """Return what every file of the folder holds, moments apart; and remove those that are no inputs."""
    found: dict[str, object] = {}
    for path in sorted(Path().iterdir()):
        if path.name in ignored:
            continue
        found[path.name] = h5_content(path) if path.suffix == ".h5" else _TIME.sub(b"", path.read_bytes())
        path.unlink()
    return found


def run(words: list[str], capsys: pytest.CaptureFixture[str], inputs: set[str]) -> tuple[object, set[str]]:
    """Return what was written, and which options were named as without effect."""
    status = cli.main(words)
    named = _IDLE.search(capsys.readouterr().err)
    return (status, contents(inputs)), set() if named is None else set(named[1].split(", "))


def wrongly_reported(command: list[str], capsys: pytest.CaptureFixture[str], same: set[str]) -> Mapping[str, str]:
    """Return what is wrong with what is said of each option."""
    inputs = {path.name for path in Path().iterdir()}
    bases: dict[tuple[str, ...], object] = {}
    wrong = {}
    for key in CASES:
        before, own = line(key)
        if tuple(before) not in bases:
            bases[tuple(before)], _ = run([*command, *before], capsys, inputs)
        written, named = run([*command, *before, *own], capsys, inputs)
        changes = written != bases[tuple(before)] or key in same
        if changes == (key in named):
            wrong[key] = "is named, and changes the files" if changes else "changes nothing, and is not named"
    return wrong


def test_every_option_is_tried() -> None:
    assert set(CASES) | TALK | NEVER == {option.key for option in NANOBRAGG.options}


def test_some_options_have_effects_and_some_have_none() -> None:
    assert {effects.facts(option.key) == () for option in NANOBRAGG.options} == {True, False}


@pytest.mark.slow
@pytest.mark.parametrize("target", ["out.h5", "out.cbf", "out.img", "out.bin"])
def test_convert(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert wrongly_reported(["convert", "in.bin", "-o", target], capsys, set()) == {}


@pytest.mark.slow
@pytest.mark.parametrize("files", [[], ["-h5file", "out.h5", "-cbffile", "out.cbf"]])
def test_noise(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command = ["noise", "in.bin", "-seed", "5", "-noise_rng", "counter", *files]
    assert wrongly_reported(command, capsys, SAME_COUNTS) == {}
