"""The table of options and how words are looked up in it."""

from __future__ import annotations

import dataclasses

import pytest

from nbnumba.errors import InputError
from nbnumba.parameters.choices import ComputeOptions
from nbnumba.parameters.command import Output
from nbnumba.parameters.fill import SPECIAL
from nbnumba.parameters.settings import PART_OF
from nbnumba.parameters.table import NANOBRAGG, PARAMETERS
from nbnumba.parameters.types import Kind, Option, Unset

# Every name that nanoBragg.c looks for anywhere in a word, and the option of ours that it belongs to.
ANYWHERE = {
    "-Na": "-Na",
    "-Nb": "-Nb",
    "-Nc": "-Nc",
    "-cell": "-cell",
    "-misset": "-misset",
    "-samplesize": "-samplesize",
    "-sample_size": "-samplesize",
    "-sample_thick": "-sample_x",
    "-sample_x": "-sample_x",
    "-sample_width": "-sample_y",
    "-sample_y": "-sample_y",
    "-width": "-sample_y",
    "-sample_heigh": "-sample_z",
    "-sample_z": "-sample_z",
    "-heigh": "-sample_z",
    "-xtalsize": "-samplesize",
    "-xtal_size": "-samplesize",
    "-xtal_thick": "-sample_x",
    "-xtal_x": "-sample_x",
    "-xtal_width": "-sample_y",
    "-xtal_y": "-sample_y",
    "-xtal_heigh": "-sample_z",
    "-xtal_z": "-sample_z",
    "-density": "-density",
    "-sample_den": "-density",
    "-molec": "-MW",
    "-Xbeam": "-Xbeam",
    "-Ybeam": "-Ybeam",
    "-Xclose": "-Xclose",
    "-Yclose": "-Yclose",
    "-ORGX": "-ORGX",
    "-ORGY": "-ORGY",
    "-pivot": "-pivot",
    "-mosflm": "-mosflm",
    "-xds": "-xds",
    "-adxv": "-adxv",
    "-denzo": "-denzo",
    "-dials": "-dials",
    "-fdet_vector": "-fdet_vector",
    "-sdet_vector": "-sdet_vector",
    "-odet_vector": "-odet_vector",
    "-beam_vector": "-beam_vector",
    "-polar_vector": "-polar_vector",
    "-spindle_axis": "-spindle_axis",
    "-twotheta_axis": "-twotheta_axis",
    "-pix0_vector": "-pix0_vector",
    "-pix0_vector_mm": "-pix0_vector_mm",
    "-distance": "-distance",
    "-close_distance": "-close_distance",
    "-detector_abs": "-detector_abs",
    "-detector_thicksteps": "-detector_thicksteps",
    "-thicksteps": "-detector_thicksteps",
    "-twotheta": "-twotheta",
    "-detector_rotx": "-detector_rotx",
    "-detector_roty": "-detector_roty",
    "-detector_rotz": "-detector_rotz",
    "-detsize_f": "-detsize_f",
    "-detsize_s": "-detsize_s",
    "-detpixels_f": "-detpixels_f",
    "-detpixels_x": "-detpixels_f",
    "-detpixels_s": "-detpixels_s",
    "-detpixels_y": "-detpixels_s",
    "-curved_det": "-curved_det",
    "-pixel": "-pixel",
    "-point_pixel": "-point_pixel",
    "-nopolar": "-nopolar",
    "-oversample_thick": "-oversample_thick",
    "-oversample_polar": "-oversample_polar",
    "-oversample_omega": "-oversample_omega",
    "-oversample": "-oversample",
    "-roi": "-roi",
    "-lambda": "-lambda",
    "-wave": "-lambda",
    "-energy": "-energy",
    "-fluence": "-fluence",
    "-flux": "-flux",
    "-exposure": "-exposure",
    "-beamsize": "-beamsize",
    "-mosaici": "-mosaic",
    "-mosaic_spr": "-mosaic",
    "-mosaic_dom": "-mosaic_domains",
    "-dispersion": "-dispersion",
    "-dispsteps": "-dispsteps",
    "-divergence": "-divergence",
    "-hdivrange": "-hdivrange",
    "-vdivrange": "-vdivrange",
    "-hdivsteps": "-hdivsteps",
    "-vdivsteps": "-vdivsteps",
    "-divsteps": "-divsteps",
    "-round_div": "-round_div",
    "-square_div": "-square_div",
    "-adc": "-adc",
    "-osc": "-osc",
    "-phisteps": "-phisteps",
    "-dmin": "-dmin",
    "-mat": "-mat",
    "-hkl": "-hkl",
    "-default_F": "-default_F",
    "-dump": "-dump",
    "-img": "-img",
    "-mask": "-mask",
    "-stolout": "-stolout",
    "-sourcefile": "-sourcefile",
    "-floatfile": "-floatfile",
    "-floatimage": "-floatfile",
    "-intfile": "-intfile",
    "-intimage": "-intfile",
    "-pgmfile": "-pgmfile",
    "-pgmimage": "-pgmfile",
    "-noisefile": "-noisefile",
    "-noiseimage": "-noisefile",
    "-nonoise": "-nonoise",
    "-nopgm": "-nopgm",
    "-scale": "-scale",
    "-pgmscale": "-pgmscale",
    "-coherent": "-coherent",
    "-printout": "-printout",
    "-printout_pixel": "-printout_pixel",
    "-noprogress": "-noprogress",
    "-progress": "-progress",
    "-interpolate": "-interpolate",
    "-nointerpolate": "-nointerpolate",
    "-round_xtal": "-round_xtal",
    "-square_xtal": "-square_xtal",
    "-gauss_xtal": "-gauss_xtal",
    "-binary_spots": "-tophat_spots",
    "-tophat_spots": "-tophat_spots",
    "-fudge": "-fudge",
    "-seed": "-seed",
    "-mosaic_seed": "-mosaic_seed",
    "-misset_seed": "-misset_seed",
    "-water": "-water",
}
# Names that count only when they are the whole word; the last three are not C's but are commonly typed.
WHOLE = (
    "-N -polar -phi -phistep -mosaic -detsize -detpixels -detector_thick -hdivstep -vdivstep -stol -4stol -Q -MW "
    "-hdiv -vdiv -dispstep"
).split()
OWN = (
    "-semantics -threads -backend -pngfile -rings -annotate -smv_header -trace_pixel -tracefile -nodump -quiet "
    "-help -h -version"
).split()


def key_of(word: str) -> str | None:
    option = NANOBRAGG.find(word)
    return option.key if option is not None else None


@pytest.mark.parametrize(("name", "key"), ANYWHERE.items())
def test_name_is_found_anywhere_in_a_word(name: str, key: str) -> None:
    assert key_of(name) == key
    assert key_of("-" + name) == key
    assert key_of("-x" + name) == key
    assert key_of(name + "Zz") == key


@pytest.mark.parametrize("name", WHOLE)
def test_whole_word_is_found_as_such_only(name: str) -> None:
    assert key_of(name) == name
    assert key_of("-" + name) == name
    for word in ("--" + name, "-x" + name, name + "Zz"):
        assert key_of(word) != name


@pytest.mark.parametrize("name", OWN)
def test_own_option_is_a_whole_word_with_one_dash_or_two(name: str) -> None:
    option = NANOBRAGG.find(name)
    assert option is not None
    assert option.own
    assert NANOBRAGG.find("-" + name) is option
    for word in ("-x" + name, name + "Zz", "--" + name):
        assert NANOBRAGG.find(word) is not option


def test_table_has_the_names_of_nanobragg_and_no_others() -> None:
    anywhere = {name: option.key for option in NANOBRAGG.options for name in option.anywhere}
    assert anywhere == ANYWHERE
    assert sorted(name for o in NANOBRAGG.options if not o.own for name in o.whole) == sorted(WHOLE)
    assert {name for o in NANOBRAGG.options if o.own for name in (o.key, *o.whole)} >= set(OWN)


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("-matrix", "-mat"),
        ("--lambda", "-lambda"),
        ("-wavelength", "-lambda"),
        ("-detector_absorb", "-detector_abs"),
        ("-mosaicity", "-mosaic"),
        ("-mosaic_spread", "-mosaic"),
        ("-sample_height", "-sample_z"),
        ("-xtal_thickness", "-sample_x"),
        ("-misset_seed", "-misset_seed"),
        ("-twotheta_axis", "-twotheta_axis"),
        ("-pix0_vector_mm", "-pix0_vector_mm"),
        ("-oversample_thick", "-oversample_thick"),
        ("-close_distance", "-close_distance"),
        ("-detpixels_fast", "-detpixels_f"),
        ("-mosaic_seeds", "-mosaic_seed"),
        ("-hdivrange_mrad", "-hdivrange"),
        ("-phistepsize", "-phisteps"),
        ("-no-interpolate", "-interpolate"),
        ("-pixels", "-pixel"),
    ],
)
def test_longest_name_wins(word: str, key: str) -> None:
    assert key_of(word) == key


@pytest.mark.parametrize("word", ["-Xbeam-Ybeam", "-mosflm-xds", "-detsize_f-detsize_s"])
def test_two_names_side_by_side_are_refused(word: str) -> None:
    with pytest.raises(InputError, match="names several options"):
        NANOBRAGG.find(word)


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("-detsize_x", "-detsize_f"),
        ("-detsize_y", "-detsize_s"),
        ("-xdet_vector", "-fdet_vector"),
        ("-ydet_vector", "-sdet_vector"),
        ("-zdet_vector", "-odet_vector"),
        ("--zdet_vector", "-odet_vector"),
        ("-distanc", "-distance"),
        ("-dist", "-distance"),
        ("-lamda", "-lambda"),
        ("-polarization", "-polar"),
        ("-XBEAM", "-Xbeam"),
        ("-xbeam", "-Xbeam"),
        ("--phii", "-phi"),
        ("-n", "-N"),
        ("-detpixel", "-detpixels"),
        ("-rotx", "-detector_rotx"),
        ("-thread", "-threads"),
        ("-quietly", "-quiet"),
        ("-fluens", "-fluence"),
        ("-semantic", "-semantics"),
        ("-phi_steps", "-phisteps"),
        ("-spindle_vector", "-spindle_axis"),
        ("-hlk", "-hkl"),
    ],
)
def test_unknown_option_names_the_nearest(word: str, nearest: str) -> None:
    assert NANOBRAGG.find(word) is None
    message = str(NANOBRAGG.unknown(word))
    assert message.startswith(f"{word}: unknown option")
    assert message.rstrip("?").endswith(f" {nearest}")


def test_far_off_option_points_at_the_help() -> None:
    assert str(NANOBRAGG.unknown("-qqqqqqq")) == "-qqqqqqq: unknown option; -help lists all options"


_FIELDS = [*PART_OF, *(f.name for cls in (Output, ComputeOptions) for f in dataclasses.fields(cls))]


def test_every_option_can_be_distinguished_and_does_something() -> None:
    fields = {*_FIELDS, "pgm_name", "write_pgm"}
    keys = [option.key for option in NANOBRAGG.options]
    assert len(set(keys)) == len(keys)
    for option in NANOBRAGG.options:
        parameter = option.parameter
        assert {*parameter.fields, *parameter.sets} <= fields, option.key
        silent = option.key in NANOBRAGG.without_effect or option.key in ("-help", "-version")
        acts = bool(parameter.fields or parameter.sets or parameter.name in SPECIAL)
        assert acts != silent, option.key
        assert (option.count == 0) == (option.kind is Kind.FLAG), option.key


def test_every_parameter_is_declared_once() -> None:
    declared: dict[str, object] = {}
    for option in NANOBRAGG.options:
        assert declared.setdefault(option.parameter.name, option.parameter) is option.parameter, option.key
    assert declared.items() <= PARAMETERS.items()
    for name, parameter in PARAMETERS.items():
        assert name in declared or name in ("U_matrix", "detector_rotation_deg"), name
        assert set(parameter.parts) <= PARAMETERS.keys(), name


def test_every_field_of_the_settings_has_an_option() -> None:
    by_special = {
        *("cell_given", "cell_lengths_A", "cell_angles", "misset", "misset_random", "reciprocal_A"),
        *("convention", "pivot_by_order", "pivot_explicit", "detector_mu", "pgm_file"),
        *("panels", "crystals_of_expt"),  # of -expt
        *("mosaic_sigmas", "lattice_spread", "diffuse_gamma", "diffuse_sigma"),
    }
    reached = {name for item in PARAMETERS.values() for name in (*item.fields, *item.sets)}
    assert set(_FIELDS) - reached - by_special == set()


def test_fields_of_the_three_records_do_not_collide() -> None:
    assert len(set(_FIELDS)) == len(_FIELDS)


@pytest.mark.parametrize(
    ("unset", "covered"),
    [(Unset.NEVER, []), (Unset.NEGATIVE, [-1, -0.5]), (Unset.NOT_POSITIVE, [-1, -0.5, 0, 0.0, -0.0])],
)
def test_unset_values(unset: Unset, covered: list[float]) -> None:
    values = [-1, -0.5, 0, 0.0, -0.0, 0.5, 1]
    assert [value for value in values if unset.covers(value)] == covered


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("-distance", "a number other than 0 [mm]"),
        ("-beam_vector", "3 numbers"),
        ("-N", "a whole number from 0 (counts as 1) to 1000000"),
        ("-backend", "auto, cpu or cuda"),
        ("-mat", "a file name"),
        ("-misset", "random, or 3 numbers [deg]"),
        ("-adc", "a number"),
    ],
)
def test_values_are_described(key: str, text: str) -> None:
    option = NANOBRAGG.find(key)
    assert isinstance(option, Option)
    assert option.parameter.describe_values() == text


@pytest.mark.parametrize("word", ["-c", "-foo", "-shared", "-xyz", "-o", "--list", "-verbose"])
def test_nothing_is_suggested_that_is_not_near(word: str) -> None:
    assert str(NANOBRAGG.unknown(word)) == f"{word}: unknown option; -help lists all options"
