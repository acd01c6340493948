"""Two traces side by side: what counts as a difference, what is said about it, and files that are no traces."""

from __future__ import annotations

import json
from pathlib import Path

import golden_runs
import goldens
import numpy as np
import pytest

from nbnumba.errors import FileError, InputError
from nbnumba.trace.compare import compare_traces
from nbnumba.trace.load import Measure, read

TRACE = min(goldens.TRACES.glob("*.txt"))
SMALL = [
    *"-cell 40 50 60 80 95 100 -default_F 10 -N 5 -distance 100 -pixel 1 -detpixels 16 -oversample 2".split(),
    *"-mosaic 1 -mosaic_domains 3 -nonoise -quiet -noprogress -trace_pixel 3 12".split(),
]

# Name of a line, the component that is changed, and the difference that is allowed.
ALLOWED = [
    ("pix0_vector_meters", 0, 1e-11),
    ("omega_pixel_sr", 0, 1e-11),
    ("rot_b_angstroms", 2, 1e-11),
    ("polar", 0, 1e-11),
    ("steps", 0, 1e-11),
    ("F_latt_b", 0, 1e-9),
    ("F_cell", 0, 1e-9),
    ("I_before_scaling", 0, 1e-9),
    ("I_pixel_final", 0, 1e-9),
    ("floatimage_accumulated", 0, 2.0**-23),
]


def changed(folder: Path, name: str, component: int, factor: float = 1.0, shift: float = 0.0) -> Path:
    """Write the stored trace with one of its numbers changed."""
    lines = TRACE.read_text().splitlines()
    (index,) = (i for i, line in enumerate(lines) if line.startswith(f"TRACE_C: {name} "))
    words = lines[index].split()
    words[2 + component] = repr(float(words[2 + component]) * factor + shift)
    lines[index] = " ".join(words)
    path = folder / "changed.txt"
    path.write_text("\n".join(lines))
    return path


def command(folder: Path, *words: object) -> tuple[int, list[str], str]:
    status, out, err = golden_runs.run(["compare-traces", *map(str, words)], folder)
    return status, out.splitlines(), err


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a trace of ours, as text and as JSON."""
    folder = tmp_path_factory.mktemp("ours")
    status, out, err = golden_runs.run([*SMALL, "-tracefile", "t.json"], folder)
    assert status == 0, err
    (folder / "t.txt").write_text(out)
    return folder


# What counts as a difference


def test_a_trace_agrees_with_itself(tmp_path: Path) -> None:
    status, out, err = command(tmp_path, TRACE, TRACE)
    assert (status, out, err) == (0, ["the traces agree: 40 quantities"], "")


@pytest.mark.parametrize(("name", "component", "allowed"), ALLOWED)
@pytest.mark.parametrize("sign", [1, -1])
def test_relative_tolerance(name: str, component: int, allowed: float, sign: int, tmp_path: Path) -> None:
    for share, expected in ((0.9, False), (1.1, True)):
        path = changed(tmp_path, name, component, 1.0 + sign * share * allowed)
        found = compare_traces(str(TRACE), str(path)).differences
        assert [d.name for d in found] == ([name] if expected else [])


@pytest.mark.parametrize("name", ["hkl_frac", "hkl_rounded"])
@pytest.mark.parametrize("component", [0, 1, 2])
def test_absolute_tolerance_of_indices(name: str, component: int, tmp_path: Path) -> None:
    for shift, expected in ((0.9e-9, False), (-1.1e-9, True)):
        found = compare_traces(str(TRACE), str(changed(tmp_path, name, component, shift=shift))).differences
        assert [d.name for d in found] == ([name] if expected else [])


def test_rounding_where_a_component_of_a_vector_cancels_is_no_difference(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("TRACE_C: incident_vec 1 0 -0\n")
    (tmp_path / "b.txt").write_text("TRACE_PY: incident_vec 1 1e-16 0\n")
    (tmp_path / "c.txt").write_text("TRACE_PY: incident_vec 1 1e-10 0\n")
    assert command(tmp_path, "a.txt", "b.txt")[0] == 0
    assert command(tmp_path, "a.txt", "c.txt")[0] == 1


def test_one_tolerance_for_all(tmp_path: Path) -> None:
    path = changed(tmp_path, "F_latt", 0, 1.0 + 1e-6)
    assert command(tmp_path, TRACE, path)[0] == 1
    assert command(tmp_path, TRACE, path, "-tolerance", "1e-5")[0] == 0
    assert command(tmp_path, TRACE, path, "--tolerance", "0.9e-6")[0] == 1
    assert command(tmp_path, TRACE, changed(tmp_path, "R_distance_meters", 0, 1.0 + 1e-15), "-tolerance", "0")[0] == 1
    assert command(tmp_path, TRACE, TRACE, "-tolerance", "0")[0] == 0


def test_numbers_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("TRACE_PY: F_latt_a nan\nTRACE_PY: F_latt 3\n")
    (tmp_path / "b.txt").write_text("TRACE_PY: F_latt_a 1\nTRACE_PY: F_latt inf\n")
    assert command(tmp_path, "a.txt", "a.txt")[0] == 0
    assert command(tmp_path, "b.txt", "b.txt")[0] == 0
    assert [d.name for d in compare_traces(str(tmp_path / "a.txt"), str(tmp_path / "b.txt")).differences] == [
        "F_latt_a",
        "F_latt",
    ]


# What is said about it


def test_the_first_difference_is_reported_with_both_values_and_the_ratio(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("TRACE_C: F_latt 2\nTRACE_C: hkl_frac 1 2 3\nTRACE_C: polar 1\n")
    (tmp_path / "b.txt").write_text("TRACE_PY: polar 0.5\nTRACE_PY: hkl_frac 1 2.5 3\nTRACE_PY: F_latt 2\n")
    status, out, err = command(tmp_path, "a.txt", "b.txt")
    assert status == 1
    assert out == [
        "hkl_frac[1]: A 2, B 2.5, ratio B/A 1.25; differs by 0.5 absolute, allowed 1e-09",
        "2 of 3 quantities differ; this is the first",
    ]
    assert err == ""


def test_no_ratio_to_zero(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("TRACE_C: I_before_scaling 0\n")
    (tmp_path / "b.txt").write_text("TRACE_C: I_before_scaling 5\n")
    (difference,) = compare_traces(str(tmp_path / "a.txt"), str(tmp_path / "b.txt")).differences
    assert (difference.a, difference.b) == (0.0, 5.0)
    assert "ratio B/A none, A is 0" in difference.text


def test_the_quantity_closest_to_its_limit_is_reported(tmp_path: Path) -> None:
    status, out, _ = command(tmp_path, TRACE, changed(tmp_path, "F_cell", 0, 1.0 + 5e-10))
    assert status == 0
    assert "closest to its limit: F_cell: " in out[0]


@pytest.mark.parametrize(("a", "b", "missing"), [("whole", "part", "B"), ("part", "whole", "A")])
def test_a_quantity_missing_in_one_is_a_difference(a: str, b: str, missing: str, tmp_path: Path) -> None:
    (tmp_path / "whole").write_text("TRACE_C: F_latt 2\nTRACE_C: F_cell 3\n")
    (tmp_path / "part").write_text("TRACE_C: F_latt 2\n")
    status, out, _ = command(tmp_path, a, b)
    assert status == 1
    assert out[0] == f"F_cell: missing in {missing}"


def test_vectors_of_different_length_differ(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("TRACE_C: hkl_frac 2 1 4\n")
    (tmp_path / "b").write_text("TRACE_C: hkl_frac 2 1\n")
    status, out, _ = command(tmp_path, "a", "b")
    assert status == 1
    assert out[0] == "hkl_frac: 3 numbers in A, 2 in B"


# Lines and files


def test_lines_of_ours_that_c_has_not_are_named(ours: Path) -> None:
    lines = (ours / "t.txt").read_text().splitlines()
    (ours / "base.txt").write_text("\n".join(line for line in lines if line.startswith("TRACE_PY: ")))
    status, out, _ = command(ours, "base.txt", "t.txt")
    assert status == 0
    assert out[1:] == ["only in B, not compared: PHI, SOURCE, LAYER"]


@pytest.mark.parametrize("name", ["k_frac", "F_latt_b", "F_latt"])
def test_lines_of_phi_steps_are_compared_where_both_have_them(name: str, ours: Path, tmp_path: Path) -> None:
    text = (ours / "t.txt").read_text()
    start = text.index("TRACE_PY_PHI")
    (tmp_path / "b.txt").write_text(text[:start] + text[start:].replace(f"{name}=", f"{name}=1", 1))
    (difference, *_) = compare_traces(str(ours / "t.txt"), str(tmp_path / "b.txt")).differences
    assert difference.name == f"{name} of phi_tic=0"


def test_other_lines_and_line_ends_do_not_matter(tmp_path: Path) -> None:
    text = TRACE.read_text()
    (tmp_path / "b.txt").write_bytes(b"a report\r\n" + text.replace("\n", "\r\n").encode() + b"\r\nmore of it\r\n")
    assert command(tmp_path, TRACE, "b.txt")[0] == 0


def test_text_and_json_agree(ours: Path) -> None:
    status, out, _ = command(ours, "t.txt", "t.json")
    assert status == 0
    assert out[1:] == ["only in B, not compared: samples"]


@pytest.mark.parametrize("name", ["h", "F_latt", "term", "F_cell"])
def test_every_sample_of_two_files_is_compared(name: str, ours: Path, tmp_path: Path) -> None:
    stored = json.loads((ours / "t.json").read_text())
    column = stored["sub_pixels"][3]["rays"][0]["samples"][name]
    column[0][2] = column[0][2] * 1.01 + 1e-3
    (tmp_path / "b.json").write_text(json.dumps(stored))
    (difference,) = compare_traces(str(ours / "t.json"), str(tmp_path / "b.json")).differences
    assert difference.name == f"{name} of layer=0 sub_slow=1 sub_fast=1 source=0"
    assert difference.b == column[0][2]


def test_reading_keeps_order_and_kind() -> None:
    found = read(str(TRACE))
    assert list(found)[:2] == ["pix0_vector_meters", "fdet_vec"]
    assert found["hkl_frac"].measure is Measure.INDEX
    assert found["scattering_vec_A_inv"].measure is Measure.GEOMETRY
    assert found["F_latt_c"].measure is Measure.INTENSITY
    assert found["pix0_vector_meters"].numbers.dtype == np.float64


# Mistakes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no trace"),
        (b"no lines of a trace\n", "holds no trace"),
        (b"TRACE_C: F_latt 1 x\n", r"line 1: 'TRACE_C: F_latt 1 x' is not a line of a trace"),
        (b"\nTRACE_C: F_latt\n", r"line 2: 'TRACE_C: F_latt' is not a line of a trace"),
        (b"TRACE_C:\n", "line 1: 'TRACE_C:' is not a line of a trace"),
        (b"TRACE_C: F_latt 1\nTRACE_PY_PHI phi_tic=0 k_frac\n", "line 2: .* is not a line of a trace"),
        (b"TRACE_C: F_latt 1\nTRACE_PY_PHI\n", "line 2: .* is not a line of a trace"),
        (b"TRACE_C: F_latt 1\nTRACE_C: F_latt 1\n", "F_latt stands there twice; a file must hold one trace"),
        (b"\xff\xfe\x00", r"is not a trace: it is not text \(byte 0\)"),
        (b'{"format": ', "is malformed JSON"),
        (b"{" * 100_000, "is malformed JSON"),
        (b'{"format": "other"}', "its format is 'other', not 'nbnumba trace'"),
        (b'{"format": "nbnumba trace"}', "is malformed: not what a trace file holds"),
        (b'{"format": "nbnumba trace", "quantities": {"F_latt": "x"}}', "is malformed: not what a trace file holds"),
        (b'{"format": "nbnumba trace", "quantities": {"F_latt": []}}', "F_latt holds no number"),
        (b'{"format": "nbnumba trace", "quantities": 3}', "is malformed: not what a trace file holds"),
    ],
)
def test_malformed_files(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(InputError, match=f"bad.*{message}"):
        read(str(tmp_path / "bad"))
    status, out, err = command(tmp_path, TRACE, "bad")
    assert (status, out) == (2, [])
    assert err.startswith("nbnumba: error: bad")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("part", ["quantities", "phi_steps", "sub_pixels", "orientations", "water_photons"])
def test_json_that_lacks_a_part_is_malformed(part: str, ours: Path, tmp_path: Path) -> None:
    stored = json.loads((ours / "t.json").read_text())
    del stored[part]
    (tmp_path / "bad").write_text(json.dumps(stored))
    with pytest.raises(InputError, match="is malformed"):
        read(str(tmp_path / "bad"))


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        *((part, wrong) for part in ("quantities", "phi_steps", "sub_pixels") for wrong in (None, "text", [1])),
        *((part, "text") for part in ("orientations", "water_photons")),
        ("orientations", [[1, 2], [3]]),
        ("water_photons", [1]),
        ("phi_steps", [{"phi_tic": 0, "k_frac": "x"}]),
    ],
)
def test_json_with_a_wrong_part_is_malformed(part: str, instead: object, ours: Path, tmp_path: Path) -> None:
    stored = json.loads((ours / "t.json").read_text())
    (tmp_path / "bad").write_text(json.dumps(stored | {part: instead}))
    with pytest.raises(InputError, match="is malformed"):
        read(str(tmp_path / "bad"))


@pytest.mark.parametrize(("a", "b"), [("absent", TRACE), (TRACE, "absent"), (".", TRACE)])
def test_missing_files(a: object, b: object, tmp_path: Path) -> None:
    status, out, err = command(tmp_path, a, b)
    assert (status, out) == (3, [])
    assert "cannot be read" in err
    with pytest.raises(FileError, match="cannot be read"):
        read(str(tmp_path / "absent"))


def test_device_is_no_trace() -> None:
    with pytest.raises(FileError, match="/dev/zero: is a device"):
        read("/dev/zero")


@pytest.mark.parametrize("words", [["-tolerance", "x"], ["-tolerance", "-1"], ["-tolerance", "nan"], ["-other"], ["c"]])
def test_wrong_words(words: list[str], tmp_path: Path) -> None:
    status, out, err = command(tmp_path, TRACE, TRACE, *words)
    assert (status, out) == (2, [])
    assert len(err.splitlines()) == 1


def test_one_file_is_not_enough(tmp_path: Path) -> None:
    status, _, err = command(tmp_path, TRACE)
    assert status == 2
    assert "compare-traces: B is missing" in err


# The whole output of an instrumented program

INSTRUMENTED = """\
nanoBragg nanocrystal diffraction simulator
TRACE_C:detector_convention=MOSFLM
TRACE_C:angles_rad=rotx:0.1 roty:0 rotz:-0.05 twotheta:0
TRACE_C:Rx=[1 0 0; 0 0.995 -0.0998; 0 0.0998 0.995]
TRACE_C:beam_center_m=X:0.0512 Y:0.0512 pixel_mm:0.1
TRACE_C:convention_mapping=Fbeam\u2190Ybeam_mm(+0.5px)
TRACE_C:pix0_vector=0.1 0.0513 -0.0513
TRACE_C:pix0_vector=0.2 0.0513 -0.0513
TRACE_C: Fbeam = 0.0513
TRACE_C: fluence 1e+24
TRACE: a_star = [1, 2, 3]
max_I = 17
"""


def test_the_whole_output_of_an_instrumented_program(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text(INSTRUMENTED + TRACE.read_text())
    status, out, err = command(tmp_path, "c.txt", TRACE)
    assert (status, err) == (0, "")
    assert out == [
        "the traces agree: 40 quantities",
        "only in A, not compared: detector_convention, angles_rad, Rx, beam_center_m, convention_mapping, pix0_vector, "
        "pix0_vector (2), Fbeam, fluence",
    ]
    assert command(tmp_path, "c.txt", "c.txt")[1] == ["the traces agree: 49 quantities"]


def test_how_lines_with_an_equals_sign_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text(INSTRUMENTED + "TRACE_C:hkl_frac=1.5 2 -3\n")
    found = read(str(tmp_path / "c.txt"))
    assert found["detector_convention"].text == "MOSFLM"
    assert found["angles_rad"].numbers.tolist() == [0.1, 0.0, -0.05, 0.0]
    assert found["Rx"].numbers.tolist() == [1, 0, 0, 0, 0.995, -0.0998, 0, 0.0998, 0.995]
    assert found["pix0_vector (2)"].numbers.tolist() == [0.2, 0.0513, -0.0513]
    assert found["Fbeam"].numbers.tolist() == [0.0513]
    assert found["convention_mapping"].text.startswith("Fbeam\u2190")
    assert found["hkl_frac"].measure is Measure.INDEX


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("MOSFLM", "XDS", "detector_convention: A 'MOSFLM', B 'XDS'"),
        ("rotz:-0.05", "rotz:-0.06", "angles_rad[2]: A -0.05, B -0.06, ratio B/A 1.2; differs by 0.2 relative, "),
        ("0 0.995 -0.0998;", "", "Rx: 9 numbers in A, 6 in B"),
        ("0.2 0.0513", "0.2 0.0514", "pix0_vector (2)[1]: A 0.0513, B 0.0514, "),
        ("Fbeam = 0.0513", "Fbeam = none", "Fbeam: A '0.0513', B 'none'"),
    ],
)
def test_lines_of_instrumented_programs_are_compared(before: str, after: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(INSTRUMENTED)
    (tmp_path / "b.txt").write_text(INSTRUMENTED.replace(before, after))
    status, out, _ = command(tmp_path, "a.txt", "b.txt")
    assert status == 1
    assert out[0].startswith(line)


def test_traces_of_nothing_in_common(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("TRACE_C:Fbeam=1\n")
    status, out, err = command(tmp_path, "a.txt", TRACE)
    assert (status, out) == (2, [])
    assert err == f"nbnumba: error: a.txt, {TRACE}: these traces have no quantity in common\n"


# All quantities


def test_the_table_of_all_quantities(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("TRACE_C:kind=x y\nTRACE_C: F_latt 2\nTRACE_C: polar 0\nTRACE_C: F_cell 1\n")
    (tmp_path / "b.txt").write_text("TRACE_C:kind=x y\nTRACE_C: F_latt 3\nTRACE_C: polar 0\nTRACE_C: r_e_sqr 1\n")
    status, out, _ = command(tmp_path, "a.txt", "b.txt", "--all")
    assert status == 1
    rows = [line.split() for line in out[:6]]
    assert rows[0] == ["quantity", "A", "B", "difference", "ratio", "B/A"]
    assert rows[1] == ["kind", "x", "y", "x", "y"]
    assert rows[2] == ["F_latt", "2", "3", "0.5", "relative", "1.5", "DIFFERS"]
    assert rows[3] == ["polar", "0", "0", "0", "relative"]
    assert rows[4] == ["F_cell", "missing", "in", "B", "DIFFERS"]
    assert rows[5] == ["r_e_sqr", "missing", "in", "A", "DIFFERS"]
    assert out[6].startswith("F_latt: A 2, B 3, ")


def test_all_quantities_as_json(tmp_path: Path) -> None:
    path = changed(tmp_path, "F_latt", 0, 1.5)
    status, _, err = command(tmp_path, TRACE, path, "-out", "all.json")
    assert (status, err) == (1, "")
    found = json.loads((tmp_path / "all.json").read_text())
    assert (found["agree"], found["compared"], found["different"]) == (False, 40, 1)
    by_name = {entry["name"]: entry for entry in found["quantities"]}
    assert list(by_name)[:2] == ["pix0_vector_meters", "fdet_vec"]
    assert by_name["F_latt"]["ratio"] == 1.5
    assert by_name["F_latt"]["difference"] == 0.5
    assert by_name["F_latt"]["differs"]
    assert by_name["F_latt"]["b"] == [1.5 * by_name["F_latt"]["a"][0]]
    assert len(by_name["pix0_vector_meters"]["a"]) == 3
    assert not by_name["pix0_vector_meters"]["differs"]


def test_a_file_of_quantities_that_cannot_be_written(tmp_path: Path) -> None:
    status, _, err = command(tmp_path, TRACE, TRACE, "-out", "absent/all.json")
    assert status == 3
    assert "absent/all.json" in err
    assert err.count("\n") == 1
