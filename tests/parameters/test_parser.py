"""Command lines of nanoBragg, read into settings."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

import goldens
import pytest
import random_commands
from hypothesis import given
from hypothesis import strategies as st
from requirements import requires

from nbnumba import Experiment
from nbnumba.errors import FileError, InputError
from nbnumba.experiment.command_line import with_whole_paths
from nbnumba.parameters.choices import ComputeOptions, Convention, Pivot, Semantics, Shape
from nbnumba.parameters.command import CommandLine, Output
from nbnumba.parameters.parser import parse, parse_with_files
from nbnumba.parameters.settings import Settings
from nbnumba.parameters.table import NANOBRAGG

RTD = 180.0 / math.pi
# Last-bit differences between 180 * (1/pi) and 180/pi; every conversion but that is exact below.
ANGLE = 4e-16


def values(line: str) -> dict[str, Any]:
    """Return the fields that a command line changes from their defaults."""
    return changed(parse(line.split()))


def changed(command: CommandLine) -> dict[str, Any]:
    defaults = [*Settings().items(), *vars(Output()).items(), *vars(ComputeOptions()).items()]
    values = [*command.settings.items(), *vars(command.output).items(), *vars(command.compute).items()]
    return {name: value for (name, default), (_, value) in zip(defaults, values, strict=True) if value != default}


def test_nothing_typed_leaves_the_defaults() -> None:
    assert parse([]) == CommandLine()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # Crystal
        ("-mat A.mat", {"matrix_file": "A.mat"}),
        ("-matrix -A.mat", {"matrix_file": "-A.mat"}),
        ("-N 5", {"Na": 5, "Nb": 5, "Nc": 5}),
        ("-N 12.0", {"Na": 12, "Nb": 12, "Nc": 12}),
        ("-N -3", {"Na": -3, "Nb": -3, "Nc": -3}),
        ("-N 5 -Nb 2", {"Na": 5, "Nb": 2, "Nc": 5}),
        ("-Nb 2 -N 5", {"Na": 5, "Nb": 5, "Nc": 5}),
        ("-Nc 0", {"Nc": 0}),
        ("-samplesize 0.003", {"sample_x": 0.003 / 1000, "sample_y": 0.003 / 1000, "sample_z": 0.003 / 1000}),
        ("-samplesize 2 -xtal_y 5", {"sample_x": 0.002, "sample_y": 0.005, "sample_z": 0.002}),
        ("-xtal_y 5 -xtalsize 2", {"sample_x": 0.002, "sample_y": 0.002, "sample_z": 0.002}),
        ("-sample_thick 1 -width 2 -height 3", {"sample_x": 0.001, "sample_y": 0.002, "sample_z": 0.003}),
        ("-xtal_thickness 1 -xtal_width 2 -xtal_height 3", {"sample_x": 0.001, "sample_y": 0.002, "sample_z": 0.003}),
        ("-round_xtal", {"shape": Shape.ROUND}),
        ("-gauss_xtal", {"shape": Shape.GAUSS}),
        ("-tophat_spots", {"shape": Shape.TOPHAT}),
        ("-binary_spots", {"shape": Shape.TOPHAT}),
        ("-round_xtal -square_xtal", {}),
        ("-fudge 1.5", {"fudge": 1.5}),
        ("-mosaic 0", {"mosaic_spread": 0.0}),
        ("-mosaic -1", {}),
        ("-mosaic_domains 25", {"mosaic_domains": 25}),
        ("-mosaic_dom 0", {}),
        ("-mosaic_domains 25 -mosaic_domains -2", {}),
        ("-mosaic_seed -7", {"mosaic_seed": -7}),
        ("-misset_seed 7", {"misset_seed": 7}),
        ("-misset random", {"misset_random": True}),
        ("-misset randomly", {"misset_random": True}),
        ("-misset 1 2 3 -misset random", {"misset_random": True}),
        # Structure factors
        ("-hkl P1.hkl", {"hkl_file": "P1.hkl"}),
        ("-default_F 12.5", {"default_F": 12.5}),
        ("-dump D.bin -nodump", {"dump_file": "D.bin", "write_dump": False}),
        ("-interpolate", {"interpolate": True}),
        ("-interpolate -nointerpolate", {"interpolate": False}),
        # Beam
        ("-lambda 0.9768", {"wavelength": 0.9768 / 1.0e10}),
        ("-wavelength 0.9768", {"wavelength": 0.9768 / 1.0e10}),
        ("-energy 12000 -lambda 2", {"wavelength": 2 / 1.0e10}),
        ("-lambda 2 -energy 12000", {"wavelength": (12398.42 / 12000) / 1.0e10}),
        ("-fluence 1e24", {"fluence": 1e24}),
        ("-flux 3e13", {"flux": 3e13}),
        ("-exposure -1", {"exposure": -1.0}),
        ("-beamsize 0.02", {"beamsize": 0.02 / 1000}),
        ("-beamsize -1", {"beamsize": -0.001}),
        ("-polar 0.9", {"polarization": 0.9}),
        ("-nopolar -polar 0.9", {"polarization": 0.9}),
        ("-polar 0.9 -nopolar", {"polarization": 0.9, "nopolar": True}),
        # Goniometer
        ("-osc 0", {"osc": 0.0}),
        ("-osc -1", {"osc": -1 / RTD}),  # to C not given
        ("-phistep 0", {"phistep": 0.0}),
        ("-phistep -1", {}),
        ("-phisteps 0", {"phisteps": 0}),
        ("-phisteps 4 -phisteps -3", {}),
        # Sampling and background
        ("-oversample 3", {"oversample": 3}),
        ("-oversample 3 -oversample 0", {}),
        ("-oversample_thick", {"oversample_thick": True}),
        ("-oversample_polar", {"oversample_polar": True}),
        ("-oversample_omega", {"oversample_omega": True}),
        ("-dmin 2.5", {"dmin": 2.5 * 1e-10}),
        ("-water 60", {"water_size": 60 / 1e6}),
        # Detector
        ("-pixel 0.172", {"pixel_size": 0.172 / 1000}),
        ("-detsize 60", {"detsize_f": 0.06, "detsize_s": 0.06}),
        ("-detsize_fast 60 -detsize_slow 42", {"detsize_f": 0.06, "detsize_s": 0.042}),
        ("-detpixels 128", {"pixels_fast": 128, "pixels_slow": 128}),
        ("-detpixels_x 120 -detpixels_y 104", {"pixels_fast": 120, "pixels_slow": 104}),
        ("-detpixels_f 120 -detpixels_s 104", {"pixels_fast": 120, "pixels_slow": 104}),
        ("-detpixels 128 -detpixels_f 0", {"pixels_slow": 128}),
        ("-detector_abs 300", {"detector_mu": 1.0 / (300 * 1e-6)}),
        ("-detector_absorb -5", {"detector_mu": 1.0 / (-5 * 1e-6)}),
        ("-detector_abs inf", {"detector_mu": 0.0}),
        ("-detector_abs Infinite", {"detector_mu": 0.0}),
        ("-detector_thick 450 -detector_abs 0", {"detector_mu": 0.0}),
        ("-detector_abs inf -detector_thick 450", {"detector_mu": 0.0, "detector_thick": 450 * 1e-6}),
        ("-detector_thick -4", {"detector_thick": -4 * 1e-6}),
        ("-detector_thicksteps 4", {"detector_thicksteps": 4}),
        ("-thicksteps 4 -detector_thicksteps 0", {}),
        ("-curved_det", {"curved_detector": True}),
        ("-point_pixel", {"point_pixel": True}),
        ("-roi 30 90 45 110", {"roi": (30, 90, 45, 110)}),
        ("-roi -1 90 0 -5", {"roi": (None, 90, 0, None)}),
        # Output, noise, engine
        ("-floatimage f.bin -intimage i.img", {"float_file": "f.bin", "int_file": "i.img"}),
        ("-scale 2.5 -adc 10", {"scale": 2.5, "adc": 10.0}),
        ("-scale 2.5 -scale 0", {}),
        ("-nopgm", {"pgm_file": None}),
        ("-pgmfile a.pgm -nopgm", {"pgm_file": None}),
        ("-nopgm -pgmimage a.pgm", {"pgm_file": "a.pgm"}),
        ("-pgmfile a.pgm -nopgm -pgmscale 4", {"pgm_file": "a.pgm", "pgm_scale": 4.0}),
        ("-pgmscale -4", {}),
        ("-pgmscale 4 -nopgm", {"pgm_file": None, "pgm_scale": 4.0}),
        ("-nonoise", {"noise_file": None}),
        ("-noisefile a.img -nonoise", {"noise_file": None}),
        ("-nonoise -noiseimage a.img", {"noise_file": "a.img"}),
        ("-seed 2147483647", {"seed": 2147483647}),
        ("-pngfile p.png -rings", {"png_file": "p.png", "rings": True}),
        ("-pngfile p.png -annotate", {"png_file": "p.png", "annotate": True}),
        ("-smv_header adxv", {"smv_header": "adxv"}),
        ("-trace_pixel 5 6 -tracefile t.json", {"trace_pixel": (5, 6), "trace_file": "t.json"}),
        ("-noprogress", {"progress": False}),
        ("-noprogress -progress", {}),
        ("-quiet", {"quiet": True}),
        ("--quiet", {"quiet": True}),
        ("-semantics exact", {"semantics": Semantics.EXACT}),
        ("-semantics exact --semantics c", {}),
        ("-threads 1", {"threads": 1}),
        ("-backend cpu", {"backend": "cpu"}),
        ("-backend cpu -backend auto", {}),
        ("-help -version", {}),
    ],
)
def test_option_sets_fields(line: str, expected: dict[str, Any]) -> None:
    assert values(line) == expected


@pytest.mark.parametrize(
    ("line", "field", "degrees"),
    [
        ("-misset -10 20 -30.5", "misset", (-10, 20, -30.5)),
        ("-misset random -misset 1 2 3", "misset", (1, 2, 3)),
        ("-mosaic 0.8", "mosaic_spread", 0.8),
        ("-mosaicity 0.8", "mosaic_spread", 0.8),
        ("-mosaic_spread 0.8", "mosaic_spread", 0.8),
        ("-phi -5", "phi", -5),
        ("-osc 1.5", "osc", 1.5),
        ("-phistep 0.3", "phistep", 0.3),
        ("-detector_rotx 5", "detector_rotx", 5),
        ("-detector_roty -3", "detector_roty", -3),
        ("-detector_rotz 7.5", "detector_rotz", 7.5),
        ("-twotheta 15", "twotheta", 15),
    ],
)
def test_angles_are_in_degrees(line: str, field: str, degrees: Any) -> None:
    command = parse(line.split())
    got = dict(command.settings.items())[field]
    assert not command.settings.crystal.misset_random
    expected = tuple(d / RTD for d in degrees) if isinstance(degrees, tuple) else degrees / RTD
    assert got == pytest.approx(expected, rel=ANGLE, abs=0.0)


def test_degrees_become_radians_as_in_c() -> None:
    # 30/(180*M_1_PI) and math.radians(30) differ in the last bit: where this fails the table lost C's division.
    assert parse(["-phi", "30"]).settings.goniometer.phi == 30.0 / (180.0 * 0.31830988618379067154)


SPREAD = {"divergence_or_dispersion_given": True}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-dispersion 2", {"dispersion": 0.02}),
        ("-dispersion -2", {"dispersion": -0.02}),
        ("-dispsteps 5", {"dispsteps": 5}),
        ("-dispsteps 0", {}),
        ("-divergence 4", {"hdivrange": 0.004, "vdivrange": 0.004}),
        ("-divergence 4 -vdivrange 0", {"hdivrange": 0.004, "vdivrange": 0.0}),
        ("-hdivrange 4 -divergence -1", {}),
        ("-hdivstep 1 -vdivstep 2", {"hdivstep": 0.001, "vdivstep": 0.002}),
        ("-hdivstep 0", {}),
        ("-hdivsteps 3 -vdivsteps 4", {"hdivsteps": 3, "vdivsteps": 4}),
        ("-divsteps 3 -vdivsteps -1", {"hdivsteps": 3}),
        ("-square_div", {"round_divergence": False}),
        ("-square_div -round_div", {}),
    ],
)
def test_divergence_and_dispersion(line: str, expected: dict[str, Any]) -> None:
    assert values(line) == {**expected, **SPREAD}


@pytest.mark.parametrize(
    ("line", "lengths", "degrees"),
    [
        ("-cell 75", (75, 0, 0), (0, 0, 0)),
        ("-cell 40 50", (40, 50, 0), (0, 0, 0)),
        ("-cell 40 50 60 80", (40, 50, 60), (80, 0, 0)),
        ("-cell 40 50 60 80 85 95", (40, 50, 60), (80, 85, 95)),
        ("-cell 40 0 0", (40, 0, 0), (0, 0, 0)),
        ("-cell 40 50 60 -cell 30", (30, 50, 60), (0, 0, 0)),
        ("-cell 40 50 -nopolar", (40, 50, 0), (0, 0, 0)),
    ],
)
def test_cell_takes_one_to_six_numbers(line: str, lengths: tuple[float, ...], degrees: tuple[float, ...]) -> None:
    settings = parse(line.split()).settings
    assert settings.crystal.cell_given
    assert settings.crystal.cell_lengths_A == lengths
    assert settings.crystal.cell_angles == pytest.approx(tuple(d / RTD for d in degrees), rel=ANGLE, abs=0.0)


@pytest.mark.parametrize(
    ("line", "pivot"),
    [
        ("", Pivot.BEAM),
        ("-Xclose 1 -Xbeam 1", Pivot.BEAM),
        ("-Xclose 1 -Ybeam 1", Pivot.BEAM),
        ("-Xclose 1 -distance 1", Pivot.BEAM),
        ("-xds -mosflm", Pivot.BEAM),
        ("-xds -adxv", Pivot.BEAM),
        ("-xds -denzo", Pivot.BEAM),
        ("-xds -dials", Pivot.BEAM),
        ("-Xclose 1 -pivot beam", Pivot.BEAM),
        ("-Xclose 1 -pivot the_beam", Pivot.BEAM),
        ("-Xbeam 1 -Xclose 1", Pivot.SAMPLE),
        ("-Xbeam 1 -Yclose 1", Pivot.SAMPLE),
        ("-Xbeam 1 -ORGX 1", Pivot.SAMPLE),
        ("-Xbeam 1 -ORGY 1", Pivot.SAMPLE),
        ("-distance 1 -close_distance 1", Pivot.SAMPLE),
        ("-distance 1 -twotheta 0", Pivot.SAMPLE),
        ("-mosflm -xds", Pivot.SAMPLE),
        ("-distance 1 -pivot sample", Pivot.SAMPLE),
        ("-pivot sample -distance 1", Pivot.BEAM),
        ("-twotheta_axis 0 1 0", Pivot.BEAM),
        ("-detector_rotx 3", Pivot.BEAM),
    ],
)
def test_last_option_that_moves_the_pivot_wins(line: str, pivot: Pivot) -> None:
    assert parse(line.split()).settings.detector.pivot_by_order is pivot


@pytest.mark.parametrize(
    ("line", "explicit"),
    [("-xds", None), ("-pivot beam -xds", Pivot.BEAM), ("-pivot beam -pivot sample -adxv", Pivot.SAMPLE)],
)
def test_explicit_pivot_is_remembered(line: str, explicit: Pivot | None) -> None:
    assert parse(line.split()).settings.detector.pivot_explicit is explicit


VECTORS = ["fdet_vector", "sdet_vector", "odet_vector", "beam_vector", "polar_vector"]
VECTORS += ["spindle_axis", "twotheta_axis", "pix0_vector"]


@pytest.mark.parametrize("name", VECTORS)
def test_vector_selects_custom_and_nothing_else(name: str) -> None:
    assert values(f"-{name} 1 -2 0.5") == {name: (1.0, -2.0, 0.5), "convention": Convention.CUSTOM}


@pytest.mark.parametrize(
    ("line", "convention"),
    [
        ("-mosflm", Convention.MOSFLM),
        ("-xds", Convention.XDS),
        ("-adxv", Convention.ADXV),
        ("-denzo", Convention.DENZO),
        ("-dials", Convention.DIALS),
        ("-beam_vector 0 0 1 -xds", Convention.XDS),
        ("-xds -pix0_vector 0 0 1", Convention.CUSTOM),
    ],
)
def test_last_convention_wins(line: str, convention: Convention) -> None:
    assert parse(line.split()).settings.detector.convention is convention


def test_custom_starts_from_the_initial_vectors() -> None:
    settings = parse("-xds -beam_vector 0 0 1".split()).settings
    initial = Settings()
    assert settings.beam.beam_vector == (0.0, 0.0, 1.0)
    assert settings.detector.fdet_vector == initial.detector.fdet_vector
    assert settings.goniometer.spindle_axis == initial.goniometer.spindle_axis


def test_twotheta_axis_leaves_angle_and_pivot() -> None:
    settings = parse("-twotheta 5 -distance 9 -twotheta_axis 0 0 1".split()).settings
    assert settings.detector.twotheta == pytest.approx(5 / RTD, rel=ANGLE)
    assert settings.detector.pivot_by_order is Pivot.BEAM


@pytest.mark.parametrize(
    ("line", "vector"),
    [
        ("-pix0_vector 1 2 3", (1.0, 2.0, 3.0)),
        ("-pix0_vector_mm 1 2 3", (0.001, 0.002, 0.003)),
        ("-pix0_vector_mm 1 2 3 -pix0_vector 1 2 3", (1.0, 2.0, 3.0)),
    ],
)
def test_pix0_vector_is_kept_in_meters(line: str, vector: tuple[float, ...]) -> None:
    assert parse(line.split()).settings.detector.pix0_vector == vector


def test_misset_seed_leaves_the_angles() -> None:
    settings = parse("-misset 1 2 3 -misset_seed 7 -N 5".split()).settings
    assert settings.crystal.misset == pytest.approx((1 / RTD, 2 / RTD, 3 / RTD), rel=ANGLE)
    assert settings.crystal.misset_seed == 7


@pytest.mark.parametrize(
    ("line", "given"),
    [("-Xbeam 1", True), ("-Ybeam 1", True), ("-Xclose 1", True), ("-ORGY 1", True), ("-distance 1", False)],
)
def test_beam_center_on_the_command_line_is_remembered(line: str, given: bool) -> None:
    settings = parse(line.split()).settings
    assert settings.detector.beam_center_given is given
    assert settings.detector.distance_given is not given


# Mistakes


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-distanc 5", "-distanc: unknown option; did you mean -distance?"),
        ("-detsize_x 5", "-detsize_x: unknown option; the right one is -detsize_f"),
        ("-distance", "-distance: needs a number other than 0 [mm], but the line ends"),
        ("-distance -pixel 0.1", "-distance: needs a number other than 0 [mm], but -pixel follows"),
        ("-misset 1 2", "-misset: needs random, or 3 numbers [deg], but after 2 of them the line ends"),
        ("-misset", "-misset: needs random, or 3 numbers [deg], but the line ends"),
        ("-cell", "-cell: needs 1 to 6 numbers"),
        ("-cell -N 5", "-cell: needs 1 to 6 numbers"),
        ("-cell 0 10", "-cell: '0' is out of range for the first length"),
        ("-cell 10 20 x", "-cell: 'x' is not a number"),
        ("-cell 10 -20", "'-20': an option is expected after -cell 10"),
        ("-mat", "-mat: needs a file name, but the line ends"),
        ("-mat -hkl P1.hkl", "-mat: needs a file name, but -hkl follows"),
        ("-detector_abs", "-detector_abs: needs a number [um] or inf, but the line ends"),
        ("-detector_thicksteps", "-detector_thicksteps: needs a whole number"),
        ("-roi 1 2 3", "-roi: needs 4 whole numbers"),
        ("-beam_vector 1 0", "-beam_vector: needs 3 numbers"),
        ("-pivot foot", "-pivot: 'foot' is unknown; allowed: sample or beam"),
        ("-semantics C", "-semantics: 'C' is unknown; allowed: c or exact"),
        ("-backend gpu", "-backend: 'gpu' is unknown; allowed: auto, cpu or cuda"),
        ("-smv_header xds", "-smv_header: 'xds' is unknown; allowed: c, dials or adxv"),
        ("-lambda 1.0A", "-lambda: '1.0A' is not a number; allowed: a number greater than 0 [Å]"),
        ("-lambda 1,5", "-lambda: '1,5' is not a number"),
        ("-lambda nan", "-lambda: 'nan' is not a number"),
        ("-lambda inf", "-lambda: 'inf' is not a number"),
        ("-lambda 1_0", "-lambda: '1_0' is not a number"),
        ("-lambda ١", "-lambda: '\\u0661' is not a number"),
        ("-phi -inf", "-phi: '-inf' is not a number"),
        ("-mosaic 1e45", "-mosaic: '1e45' is out of range; allowed: a number from 0 to 360 [deg]"),
        ("-lambda 0", "-lambda: '0' is out of range; allowed: a number greater than 0 [Å]"),
        ("-lambda -1", "-lambda: '-1' is out of range"),
        ("-lambda 1e999", "-lambda: '1e999' is out of range"),
        ("-lambda 1e-320", "-lambda: '1e-320' is out of range"),
        ("-phi 1e51", "-phi: '1e51' is out of range"),
        ("-energy 0", "-energy: '0' is out of range"),
        ("-pixel 0", "-pixel: '0' is out of range"),
        ("-pixel -0.1", "-pixel: '-0.1' is out of range"),
        ("-distance 0", "-distance: '0' is out of range"),
        ("-close_distance -5", "-close_distance: '-5' is out of range"),
        ("-detsize -5", "-detsize: '-5' is out of range"),
        ("-flux -1", "-flux: '-1' is out of range"),
        ("-fluence -1", "-fluence: '-1' is out of range"),
        ("-water -1", "-water: '-1' is out of range"),
        ("-polar 90", "-polar: '90' is out of range; allowed: a number from -1 to 1"),
        ("-N 12.7", "-N: '12.7' is not a whole number"),
        ("-N 1e3", "-N: '1e3' is not a whole number"),
        ("-N ten", "-N: 'ten' is not a whole number"),
        ("-N 1000001", "-N: '1000001' is out of range; allowed: a whole number from 0 (counts as 1) to 1000000"),
        ("-N 99999999999999999999999999999", "-N: '99999999999999999999999999999' is out of range"),
        ("-seed 2147483648", "-seed: '2147483648' is out of range; allowed: a whole number from -2147483647"),
        ("-detpixels -5", "-detpixels: '-5' is out of range"),
        ("-detpixels 3000000", "-detpixels: '3000000' is out of range"),
        ("-oversample 10001", "-oversample: '10001' is out of range"),
        ("-threads 0", "-threads: '0' is out of range"),
        ("-Xbeam-Ybeam 5", "-Xbeam-Ybeam: names several options (-Xbeam, -Ybeam)"),
        ("-Xbeam -Xbeam-Ybeam", "-Xbeam: needs a number [mm], but -Xbeam-Ybeam follows"),
        ("A.mat", "'A.mat': an option is expected here"),
        ("-", "'-': an option is expected here"),
        ("-5", "'-5': an option is expected here"),
        ("-distance 100 200", "'200': an option is expected after -distance 100"),
        ("-beam_vector 1 0 0 0", "'0': an option is expected after -beam_vector 1 0 0"),
    ],
)
def test_mistake_is_named(line: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(line.split())
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_detpixels_limit_names_the_memory() -> None:
    with pytest.raises(InputError, match="a square of that needs 4 TB"):
        parse(["-detpixels", "1000001"])


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_impossible_file_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"-hkl: .* is not a file name"):
        parse(["-hkl", name])


def test_word_with_blanks_and_control_characters_stays_on_one_line() -> None:
    with pytest.raises(InputError) as caught:
        parse(["-distance", "1\n2" + "x" * 100])
    assert str(caught.value).startswith("-distance: '1\\n2xxx")
    assert len(str(caught.value)) < 150


# Notices


@pytest.mark.parametrize(
    ("line", "notices"),
    [
        ("-coherent -hdiv 0.2 -vdiv 0.3 -dispstep 3", ["-coherent", "-hdiv", "-vdiv", "-dispstep"]),
        ("-stol a -4stol b -Q c -stolout d", ["-stol", "-4stol", "-Q", "-stolout"]),
        ("-density 1 -sample_den 1.2 -MW 18 -molec 18", ["-density", "-sample_den", "-MW", "-molec"]),
        ("-hdiv -N 5", ["-hdiv"]),
        ("-MW", ["-MW"]),
    ],
)
def test_option_without_effect_gets_a_notice(line: str, notices: list[str]) -> None:
    command = parse(line.split())
    assert command.notices == tuple(f"{word} has no effect, as in nanoBragg" for word in notices)
    assert changed(command).keys() <= {"Na", "Nb", "Nc"}


@pytest.mark.parametrize("line", ["-printout", "-printout_pixel 5 6", "-printout_pixel -1 6", "-printout_pixel"])
def test_printout_names_the_option_that_shows_a_pixel(line: str) -> None:
    command = parse([*line.split(), "-N", "3"])
    word = line.split()[0]
    assert command.notices == (f"{word} has no effect; -trace_pixel SLOW FAST shows what goes into a pixel",)
    assert changed(command) == {"Na": 3, "Nb": 3, "Nc": 3}


def test_words_after_a_flag_are_ignored_with_a_notice() -> None:
    command = parse("-curved_det 1 yes -5 -N 3".split())
    assert changed(command) == {"curved_detector": True, "Na": 3, "Nb": 3, "Nc": 3}
    assert command.notices == tuple(
        f"'{word}' has no meaning: -curved_det takes no value" for word in ("1", "yes", "-5")
    )


def test_name_with_letters_in_front_is_read_with_a_notice() -> None:
    command = parse(["-no-interpolate"])
    assert command.settings.factors.interpolate is True
    assert command.notices == ("-no-interpolate is read as -interpolate, as in nanoBragg",)
    with pytest.raises(InputError, match=r"^-no-interpolate is read as -interpolate"):
        parse("-no-interpolate -semantics exact".split())
    assert parse("--interpolate -wavelength 1 -mosaicity 1 -binary_spots --quiet".split()).notices == ()


@pytest.mark.parametrize(
    ("line", "count"),
    [("-sourcefile s.txt -divergence 2 -dispsteps 3", 1), ("-sourcefile s.txt", 0), ("-divergence 2", 0)],
)
def test_source_file_beside_divergence_gets_a_notice(line: str, count: int) -> None:
    notices = parse(line.split()).notices
    assert len(notices) == count
    assert all(line.startswith("-sourcefile: ") for line in notices)


# Headers

HEADER = {
    "SIZE1": 110,
    "SIZE2": 90,
    "PIXEL_SIZE": 0.7,
    "DISTANCE": 85,
    "WAVELENGTH": 1.1,
    "BEAM_CENTER_X": 33,
    "BEAM_CENTER_Y": 36,
    "PHI": 12,
    "OSC_RANGE": 0.5,
    "TWOTHETA": 7,
}


def write_header(path: Path, **changes: float | str | None) -> str:
    """Write an SMV file without pixels; None leaves a key out."""
    pairs = {"HEADER_BYTES": 512, "DIM": 2, "BYTE_ORDER": "little_endian", "TYPE": "unsigned_short"}
    pairs = {key: value for key, value in {**pairs, **HEADER, **changes}.items() if value is not None}
    text = "{\n" + "".join(f"{key}={value};\n" for key, value in pairs.items()) + "}\f"
    path.write_text(text.ljust(512))
    return str(path)


GEOMETRY = {
    "pixel_size": 0.7 / 1000,
    "distance": 85 / 1000,
    "wavelength": 1.1 / 1e10,
    "Xbeam": 33 / 1000,
    "pixels_fast": 110,
    "pixels_slow": 90,
    "detsize_f": 0.7 / 1000 * 110,
    "detsize_s": 0.7 / 1000 * 90,
    "phi": 12 / (180.0 * 0.31830988618379067154),
    "osc": 0.5 / (180.0 * 0.31830988618379067154),
}


def test_image_header_becomes_defaults(tmp_path: Path) -> None:
    name = write_header(tmp_path / "h.img")
    assert changed(parse(["-img", name])) == {**GEOMETRY, "Ybeam": 36 / 1000, "header_file": name}


def test_mask_header_counts_y_from_the_other_end(tmp_path: Path) -> None:
    name = write_header(tmp_path / "m.img")
    expected = {**GEOMETRY, "Ybeam": 0.7 / 1000 * 90 - 36 / 1000, "mask_file": name}
    assert changed(parse(["-mask", name])) == expected


def test_header_counts_wherever_its_option_stands(tmp_path: Path) -> None:
    name = write_header(tmp_path / "h.img")
    settings = parse(["-distance", "50", "-osc", "-1", "-img", name, "-pixel", "0.2"]).settings
    assert settings.detector.distance == 50 / 1000
    assert settings.goniometer.osc == -1 / RTD
    assert settings.detector.pixel_size == 0.2 / 1000
    assert settings.beam.wavelength == 1.1 / 1e10
    assert not parse(["-img", name]).settings.detector.distance_given


def test_image_header_beats_mask_header_and_the_last_of_each_counts(tmp_path: Path) -> None:
    mask = write_header(tmp_path / "m.img", DISTANCE=60, WAVELENGTH=2)
    image = write_header(tmp_path / "i.img", DISTANCE=70, WAVELENGTH=None, BEAM_CENTER_Y=None)
    absent = str(tmp_path / "absent.img")
    settings = parse(["-img", absent, "-img", image, "-mask", mask]).settings
    assert settings.detector.distance == 70 / 1000
    assert settings.beam.wavelength == 2 / 1e10
    assert settings.detector.Ybeam == settings.detector.detsize_s - 36 / 1000
    assert (settings.detector.mask_file, settings.detector.header_file) == (mask, image)


def test_pixels_of_a_header_beat_detsize_but_not_detpixels(tmp_path: Path) -> None:
    name = write_header(tmp_path / "h.img")
    settings = parse(["-img", name, "-detsize", "10", "-detpixels_f", "50"]).settings
    assert (settings.detector.pixels_fast, settings.detector.pixels_slow) == (50, 90)
    unset = parse(["-img", name, "-detpixels", "0"]).settings
    assert (unset.detector.pixels_fast, unset.detector.detsize_f) == (None, 0.7 / 1000 * 110)


def test_distance_finds_close_distance_and_orgx_finds_xds_orgx(tmp_path: Path) -> None:
    name = write_header(tmp_path / "h.img", XDS_ORGX=41.5, XDS_ORGY=30.25, CLOSE_DISTANCE=84)
    settings = parse(["-img", name]).settings
    assert settings.detector.distance == settings.detector.close_distance == 84 / 1000
    assert (settings.detector.ORGX, settings.detector.ORGY) == (41.5, 30.25)
    assert not settings.detector.beam_center_given


def test_a_distance_that_is_typed_beats_a_header_in_exact_and_is_told_of_in_c(tmp_path: Path) -> None:
    name = write_header(tmp_path / "h.img", CLOSE_DISTANCE=84)
    as_c = parse(["-img", name, "-distance", "200"])
    assert as_c.settings.detector.close_distance == 84 / 1000
    assert as_c.notices == (
        f"-distance 200 is not used, as in nanoBragg: -img {name}: CLOSE_DISTANCE is 84, which decides; "
        "-close_distance replaces it",
    )
    assert parse(["-img", name, "-distance", "84"]).notices == ()
    assert parse(["-img", name, "-distance", "200", "-close_distance", "90"]).notices == ()
    exact = parse(["-img", name, "-distance", "200", "-semantics", "exact"])
    assert (exact.settings.detector.distance, exact.settings.detector.close_distance) == (0.2, None)
    assert exact.notices == ()


def test_negative_range_of_a_header_is_not_given(tmp_path: Path) -> None:
    assert parse(["-img", write_header(tmp_path / "h.img", OSC_RANGE=-1)]).settings.goniometer.osc is None


@pytest.mark.parametrize(
    ("changes", "words", "message"),
    [
        ({"PIXEL_SIZE": 0}, [], "PIXEL_SIZE is 0; it must be greater than 0"),
        ({"WAVELENGTH": -1}, [], "WAVELENGTH is -1; it must be greater than 0"),
        ({"CLOSE_DISTANCE": -84}, [], "CLOSE_DISTANCE is -84; it must be greater than 0"),
        ({"DISTANCE": "inf"}, [], "DISTANCE is inf; allowed is a size up to 1e+50"),
        ({"SIZE1": 0}, [], "SIZE1 is "),
    ],
)
def test_header_that_makes_no_sense_is_refused(
    tmp_path: Path, changes: dict[str, Any], words: list[str], message: str
) -> None:
    name = write_header(tmp_path / "h.img", **changes)
    with pytest.raises(InputError) as caught:
        parse(["-img", name, *words])
    assert str(caught.value).startswith(f"-img {name}: {message}")


def test_option_mends_a_header(tmp_path: Path) -> None:
    name = write_header(tmp_path / "h.img", WAVELENGTH=0)
    assert parse(["-img", name, "-lambda", "2"]).settings.beam.wavelength == 2 / 1e10


def test_missing_header_file_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"-img .*absent\.img"):
        parse(["-img", str(tmp_path / "absent.img")])


# Whole command lines

WORDS = [name for option in NANOBRAGG.options for name in option.spellings if option.key not in ("-img", "-mask")]
WORDS += ["0", "1", "-1", "2.5", "-1e-300", "1e300", "inf", "nan", "random", "beam", "c", "-", "", "x", "-x", "-matX"]


@pytest.mark.property
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=12))
def test_any_words_make_settings_or_one_line(words: list[str]) -> None:
    try:
        command = parse(words)
    except InputError as error:
        said = [str(error)]
    else:
        said = list(command.notices)
        assert all(math.isfinite(value) for _, value in command.settings.items() if isinstance(value, float))
    assert all(line.isprintable() for line in said)


def test_files_among_the_options() -> None:
    command, files = parse_with_files("a.bin -detpixels 5 b.bin -nopgm c.bin -seed 3 d.bin".split())
    assert files == ("a.bin", "b.bin", "c.bin", "d.bin")
    assert command.notices == ()
    assert command.output.seed == 3


@pytest.mark.golden
@pytest.mark.parametrize("name", goldens.names())
def test_golden_command_line_is_understood(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(goldens.INPUTS)
    words = goldens.load(name).words
    command = parse(words)
    expected = 1 if "-sourcefile" in words and any("div" in word or "disp" in word for word in words) else 0
    if "-distance" in words and "-img" in words:  # the header's close distance decides, and a notice says so
        expected += b"CLOSE_DISTANCE" in Path(words[words.index("-img") + 1]).read_bytes()
    assert len(command.notices) == expected
    assert command.output.float_file == "float.bin"
    assert not command.output.progress


def test_words_of_the_real_job() -> None:
    words = goldens.load("supervisor_small").words
    settings = parse(words).settings
    assert settings.detector.convention is Convention.CUSTOM
    assert settings.detector.pivot_by_order is Pivot.SAMPLE  # -twotheta 0 stands last
    assert settings.detector.pix0_vector == (-216.336293 / 1000.0, 215.205512 / 1000.0, -230.200866 / 1000.0)
    assert settings.detector.odet_vector == (-0.000088, 0.004914, -0.999988)
    assert (settings.goniometer.phi, settings.goniometer.phisteps) == (0.0, 10)


@pytest.mark.differential
@requires("nanoBragg executable")
@pytest.mark.parametrize(
    "line",
    [
        "-phisteps 0",
        "-phisteps -3 -osc 2",
        "-phistep 0 -phisteps 4 -osc 2",
        "-dispersion -2 -dispsteps 3",
        "-dispsteps 4",
        "-detector_thick -10 -thicksteps 3",
        "-detector_thick 300 -detector_abs inf",
        "-detector_abs 0 -detector_thick 300",
        "-detector_abs -5 -detector_thick 300",
        "-hdivsteps 3",
        "-hdivrange -1 -hdivstep 1.5",
        "-hdivstep 0 -hdivrange 3",
        "-xds -beam_vector 1 0.02 0",
        "-beam_vector 1 0.02 0 -xds",
        "-odet_vector 2 0.1 0 -twotheta 3",
        "-pix0_vector_mm 1 2 3 -Xclose 0.7 -pivot the_beam",
        "-distance -60",
        "-distance 50 -close_distance 40",
        "-N 5 -Na 2 -Nc -1",
        "-samplesize 0.00002 -height 0.00001 -sample_y -1",
        "-beamsize -1 -flux 1e12",
        "-flux 1e12 -exposure 0",
        "-mosaic -1 -mosaic_domains 3",
        "-mosaic 0 -mosaic_domains 3",
        "-detpixels_x 0 -detsize 2",
        "-roi -1 7 2 -1",
        "-misset 4 5 6 -misset random -misset_seed 2",
        "-energy_ev 9000 --Na 6 -xtal_thickness 0.00002",
        "-no-interpolate",
    ],
)
def test_settings_lead_to_the_report_of_nanobragg(line: str, tmp_path: Path) -> None:
    import os
    import subprocess

    from nbnumba.commandline.report import setup_lines
    from nbnumba.experiment.resolve import resolve_with_choices

    words = "-cell 35 -default_F 10 -N 4 -detsize 1.6 -nonoise -noprogress -oversample 1".split() + line.split()
    done = subprocess.run(
        [os.environ["NANOBRAGG_BIN"], *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    theirs = [text.rstrip() for text in done.stdout.split("\nsolid angle")[0].splitlines() if text.strip()]
    ours = [text.rstrip() for text in setup_lines(resolve_with_choices(parse(words).settings), None)]
    assert [text for text in ours if text] == theirs


def test_files_of_a_command_line_may_start_in_a_folder(tmp_path: Path) -> None:
    outside = str(tmp_path / "elsewhere" / "P1.hkl")
    settings = parse(["-mat", "A.mat", "-hkl", outside, "-sourcefile", "deep/beam"], tmp_path).settings
    assert settings.crystal.matrix_file == str(tmp_path / "A.mat")
    assert settings.factors.hkl_file == outside
    assert settings.beam.source_file == str(tmp_path / "deep" / "beam")
    assert settings.factors.dump_file == str(tmp_path / "Fdump.bin")


@pytest.mark.parametrize("folder", [None, "."])
def test_whole_paths_mean_the_same(folder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random_commands.prepare_folder(tmp_path)
    monkeypatch.chdir(tmp_path)

    def meaning(command: CommandLine) -> object:
        files = {
            name: None if value is None else str(Path(value).absolute())
            for name, value in command.settings.items()
            if name.endswith("_file")
        }
        return command.settings.changed(**files), command.compute, command.output.seed

    for seed in range(100):
        typed = parse(random_commands.random_command(Random(seed)), folder)
        words = NANOBRAGG.words(with_whole_paths(typed.given, folder))
        assert meaning(parse(words)) == meaning(typed)
        assert not any(word.endswith((".hkl", ".mat")) and not Path(word).is_absolute() for word in words)


@pytest.mark.parametrize(
    ("line", "key"),
    [("-cell_spread 0.1", "-cell"), ("-energy_spread 1", "-energy"), ("-fluxes 3", "-flux"), ("-Nax 3", "-Na")],
)
def test_a_name_that_extends_an_option_is_told(line: str, key: str) -> None:
    word = line.split()[0]
    assert f"{word} is read as {key}, as in nanoBragg" in parse(line.split()).notices
    with pytest.raises(InputError, match=rf"^{word} is read as {key}, as in nanoBragg; with -semantics exact"):
        parse([*line.split(), "-semantics", "exact"])


def test_stray_words_are_errors_in_exact() -> None:
    with pytest.raises(InputError, match=r"^'1' has no meaning: -curved_det takes no value; with -semantics exact"):
        parse("-semantics exact -curved_det 1 -N 3".split())


def test_no_option_of_ours_extends_one_of_nanobragg() -> None:
    """Where a name of nanoBragg's is found inside, a slip in ours would be read as that; two are old."""
    names = {name for option in NANOBRAGG.options if not option.own for name in option.anywhere}
    ours = {name for option in NANOBRAGG.options if option.own for name in option.spellings}
    assert {word for word in ours if any(name in word for name in names)} == {"-hkl_column", "-hkl_dmin"}


@pytest.mark.parametrize(
    ("line", "notice"),
    [
        (
            "-mosaic -1",
            "-mosaic -1 counts as not given, as in nanoBragg; allowed otherwise: a number from 0 to 360 [deg]",
        ),
        ("-N -3", "-N -3 counts as 1, as in nanoBragg; allowed otherwise: a whole number from 0"),
        ("-Nb -1", "-Nb -1 counts as 1, as in nanoBragg"),
        (
            "-oversample 0",
            "-oversample 0 counts as not given, as in nanoBragg; allowed otherwise: a whole number from 1 to 10000",
        ),
        ("-phisteps -2", "-phisteps -2 counts as not given, as in nanoBragg"),
        (
            "-hdivrange -1",
            "-hdivrange -1 counts as not given, as in nanoBragg; allowed otherwise: a number of at least 0 [mrad]",
        ),
        ("-dispsteps -1", "-dispsteps -1 counts as not given"),
        ("-detpixels -1", None),
        ("-mosaic 0 -N 0 -oversample 1 -phisteps 0 -dispsteps 0 -hdivrange 0 -vdivstep 0 -scale 0 -pgmscale -1", ""),
    ],
)
def test_numbers_that_C_takes_by_its_own_rule(line: str, notice: str | None) -> None:
    words = line.split()
    if notice is None:  # never allowed
        with pytest.raises(InputError, match="out of range"):
            parse(words)
        return
    notices = parse(words).notices
    if not notice:
        assert notices == () == parse([*words, "-semantics", "exact"]).notices
        return
    assert len(notices) == 1
    assert notices[0].startswith(notice)
    for strict in ({"words": [*words, "-semantics", "exact"]}, {"words": words, "strict": True}):
        with pytest.raises(InputError, match=rf"^{words[0]}: '{words[1]}' is out of range; allowed: a "):
            parse(**strict)


@pytest.mark.parametrize(
    "keywords", [{"mosaic_spread_deg": -1}, {"N": (3, -3, 3)}, {"oversample": 0}, {"phisteps": -1}]
)
@pytest.mark.parametrize("semantics", ["c", "exact"])
def test_keywords_take_no_such_numbers(keywords: dict[str, Any], semantics: str) -> None:
    (name,) = keywords
    with pytest.raises(InputError, match=rf"^{name}: '-?\d' is out of range; allowed: a "):
        Experiment(cell=(50, 60, 70), default_F=1, detpixels=4, semantics=semantics, **keywords)
