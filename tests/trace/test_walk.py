"""The trace of one pixel: C's own values, the stored pixel, the lines, the file, and mistakes."""

from __future__ import annotations

import contextlib
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import golden_runs
import goldens
import numpy as np
import pytest
from large_job import large_job_folder
from requirements import requires

from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene
from nbnumba.parameters.parser import parse
from nbnumba.render.renderer import simulate
from nbnumba.trace import walk as trace
from nbnumba.trace.compare import compare_traces
from nbnumba.trace.load import read

SMALL = [
    *"-cell 40 50 60 80 95 100 -default_F 10 -N 5 -distance 100 -pixel 1 -detpixels 16 -oversample 1".split(),
    *"-nonoise -noprogress".split(),
]
# Everything that a pixel sums over, in one command.
RICH = [
    *SMALL,
    *"-oversample 2 -divergence 3 -divsteps 2 -square_div -mosaic 1 -mosaic_domains 3".split(),
    *"-phi 5 -osc 1 -phisteps 4".split(),
    *"-detector_abs 500 -detector_thick 300 -detector_thicksteps 3".split(),
]
RICH_SHAPE = (3, 4, 4, 4, 3)  # layers, sub-pixels, sources, phi steps, domains
MANY_SAMPLES = 2000

# What does not depend on how the crystal is turned.
OF_THE_DETECTOR = (
    "pix0 fdet sdet pixel_pos R_ omega close obliquity diffracted incident lambda scattering rot_a_star rot_b_star "
    "rot_c_star r_e fluence steps oversample capture polar cos_2theta"
).split()


def run(words: list[str], folder: Path) -> list[str]:
    """Run a command line that must succeed; return the lines of standard output."""
    status, out, err = golden_runs.run(words, folder)
    assert status == 0, err
    return out.splitlines()


def quantities(lines: list[str]) -> dict[str, list[float]]:
    words = (line.split() for line in lines if line.startswith("TRACE_PY: "))
    return {name: [float(v) for v in values] for _, name, *values in words}


def entries(lines: list[str], kind: str) -> list[dict[str, float]]:
    found = [line.split()[1:] for line in lines if line.startswith(f"TRACE_PY_{kind} ")]
    return [{key: float(value) for key, value in (word.split("=") for word in words)} for words in found]


def experiment_of(words: list[str], folder: Path) -> Experiment:
    with contextlib.chdir(folder):
        return resolve(parse([*words, "-nodump"]).settings)


# C's own traces


def golden_traces() -> list[object]:
    """Return (file, case or None, slow, fast) of every stored trace; those without a case are of the real job."""
    parameters = []
    for path in sorted(goldens.TRACES.glob("*.txt")):
        match = re.fullmatch(r"(.+)_s(\d+)_f(\d+)", path.stem)
        assert match is not None
        name = match[1] if match[1] in goldens.names() else None
        marks = () if name else requires("large job")
        parameters.append(pytest.param(path, name, int(match[2]), int(match[3]), id=path.stem, marks=marks))
    return parameters


@pytest.mark.golden
@pytest.mark.parametrize(("path", "case", "slow", "fast"), golden_traces())
def test_traces_of_c(path: Path, case: str | None, slow: int, fast: int, tmp_path: Path) -> None:
    if case is not None:
        goldens.copy_inputs(tmp_path)
        words = [*goldens.load(case).words, "-oversample", "1"]
    else:
        for name in ("A.mat", "scaled.hkl"):
            (tmp_path / name).symlink_to(large_job_folder() / name)
        words = (large_job_folder() / "args.txt").read_text().split()
    evaluated_apart = phi0_applies(experiment_of(words, tmp_path), slow, fast)
    if case is None:
        words += ["-roi", str(fast), str(fast), str(slow), str(slow)]
    ours = tmp_path / "ours.txt"
    ours.write_text("\n".join(run([*words, "-trace_pixel", str(slow), str(fast)], tmp_path)))

    assert list(quantities(ours.read_text().splitlines())) == list(read(str(path)))
    comparison = compare_traces(str(path), str(ours))
    different = [d.text for d in comparison.differences]
    if evaluated_apart:
        different = [text for text in different if text.startswith(tuple(OF_THE_DETECTOR))]
    assert not different, "\n".join(different)


def phi0_applies(experiment: Experiment, slow: int, fast: int) -> bool:
    """Tell whether C evaluates this pixel in an orientation of its own (DIFFERENCES.md, row phi0)."""
    angles = experiment.goniometer.angles
    stale = len(angles) > 1 and bool(np.any(angles == 0.0))
    return stale and golden_runs.first_evaluated_pixel(experiment) == (slow, fast)


def test_units_are_given_for_every_quantity_of_c() -> None:
    path = min(goldens.TRACES.glob("*.txt"))
    assert list(read(str(path))) == list(trace.UNITS)


# The stored pixel


def one_rounding_apart(value: float, stored: np.float32) -> bool:
    return abs(np.float32(value) - stored) <= np.spacing(np.abs(stored))


def check_pixels(experiment: Experiment, count: int) -> None:
    """Compare the brightest pixel and some others with what is stored."""
    image = simulate(experiment)
    scene = build_scene(experiment).replace(latch=image.latch)
    fast_first, fast_last, slow_first, slow_last = experiment.sampling.roi
    allowed = np.zeros(image.array.shape, bool)
    allowed[slow_first : slow_last + 1, fast_first : fast_last + 1] = True
    mask = experiment.detector.panels[0].mask
    if mask is not None:
        allowed &= mask
    places = np.flatnonzero(allowed)
    chosen = {int(np.argmax(image.array)), int(places[0]), int(places[-1])}
    chosen |= {int(i) for i in np.random.default_rng(1).choice(places, count)}
    for place in chosen:
        slow, fast = divmod(place, image.array.shape[1])
        stored = image.array[slow, fast]
        found = trace.trace_pixel(experiment, scene, (slow, fast), float(stored))
        value = found.quantities["I_pixel_final"]
        assert isinstance(value, float)
        assert one_rounding_apart(value, stored), (slow, fast, value, stored)
        assert found.quantities["floatimage_accumulated"] == stored


@pytest.mark.parametrize("semantics", ["c", "exact"])
def test_weights_of_mosaic_domains(semantics: str, tmp_path: Path) -> None:
    goldens.copy_inputs(tmp_path)
    experiment = experiment_of([*RICH, "-semantics", semantics], tmp_path)
    weights = np.linspace(0.2, 1.7, len(experiment.crystal.mosaic_rotations))
    check_pixels(replace(experiment, crystals=(replace(experiment.crystal, domain_weights=weights),)), 3)


def middle_rows(experiment: Experiment) -> Experiment:
    """Cut the region of interest to its middle rows where a whole picture of many samples would take long."""
    if build_scene(experiment).samples_per_pixel <= MANY_SAMPLES:
        return experiment
    fast_first, fast_last, slow_first, slow_last = experiment.sampling.roi
    middle = (slow_first + slow_last) // 2
    roi = (fast_first, fast_last, max(slow_first, middle - 2), min(slow_last, middle + 2))
    return replace(experiment, sampling=replace(experiment.sampling, roi=roi))


@pytest.mark.golden
@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize("name", goldens.names())
def test_final_value_is_the_stored_pixel(name: str, semantics: str, tmp_path: Path) -> None:
    goldens.copy_inputs(tmp_path)
    experiment = experiment_of([*goldens.load(name).words, "-semantics", semantics], tmp_path)
    check_pixels(middle_rows(experiment), count=2)


@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize(
    "more",
    [
        "",
        "-oversample_omega",
        "-oversample_polar",
        "-oversample_thick",
        "-oversample_thick -oversample_polar -oversample_omega -dmin 3",
        "-nopolar -oversample_polar",
        "-water 50 -dmin 2.5",
        "-water 50 -oversample_thick -oversample_polar -oversample_omega -dmin 2.5",
        "-curved_det",
        "-point_pixel -round_xtal",
        "-phi 0",
    ],
)
def test_final_value_where_everything_is_summed(more: str, semantics: str, tmp_path: Path) -> None:
    check_pixels(experiment_of([*RICH, *more.split(), "-semantics", semantics], tmp_path), count=8)


def test_weights_of_sources(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("-10 0 0 1 1e-10\n-10 0.01 0 3 1.01e-10\n-10 0 0.01 0 0.99e-10\n")
    words = [*SMALL, "-sourcefile", "s.txt", "-semantics", "exact"]
    check_pixels(experiment_of(words, tmp_path), count=8)
    lines = run([*words, "-trace_pixel", "3", "4"], tmp_path)
    assert [entry["weight"] for entry in entries(lines, "SOURCE")] == [0.5, 1.5]  # a source of weight 0 is left out


# The lines


def test_one_line_for_each_phi_step_source_and_layer(tmp_path: Path) -> None:
    lines = run([*RICH, "-trace_pixel", "3", "12"], tmp_path)
    phi, sources, layers = (entries(lines, kind) for kind in ("PHI", "SOURCE", "LAYER"))
    assert [entry["phi_tic"] for entry in phi] == [0, 1, 2, 3]
    # To radians and back.
    assert [entry["phi_deg"] for entry in phi] == pytest.approx([5.0, 5.25, 5.5, 5.75], rel=1e-14)
    assert list(phi[0]) == ["phi_tic", "phi_deg", "k_frac", "F_latt_b", "F_latt"]
    first = quantities(lines)
    assert phi[0]["k_frac"] == first["hkl_frac"][1]
    assert phi[0]["F_latt_b"] == first["F_latt_b"][0]
    assert phi[0]["F_latt"] == first["F_latt"][0]
    assert [entry["source"] for entry in sources] == [0, 1, 2, 3]
    assert [sources[0][f"incident_{axis}"] for axis in "xyz"] == first["incident_vec"]
    assert [entry["thick_tic"] for entry in layers] == [0, 1, 2]
    # As C: the last layer's capture scales the pixel.
    assert first["capture_fraction"] == [layers[-1]["capture_fraction"]]
    assert layers[0]["capture_fraction"] > layers[1]["capture_fraction"] > layers[2]["capture_fraction"] > 0.0


def test_numbers_have_15_digits(tmp_path: Path) -> None:
    lines = run([*SMALL, "-trace_pixel", "3", "12"], tmp_path)
    (line,) = (line for line in lines if line.startswith("TRACE_PY: R_distance_meters "))
    # From the corner (0.1, 0.009, -0.009): center of pixel 3 along -y, of pixel 12 along z.
    distance = math.sqrt(0.1**2 + (0.009 - 0.0035) ** 2 + (0.0125 - 0.009) ** 2)
    assert line.split()[2] == f"{distance:.15g}"


def test_one_solid_angle_serves_the_pixel_unless_its_switch_is_on(tmp_path: Path) -> None:
    kept = quantities(run([*RICH, "-trace_pixel", "3", "12"], tmp_path))
    own = quantities(run([*RICH, "-oversample_omega", "-trace_pixel", "3", "12"], tmp_path))
    assert kept["omega_pixel"] == kept["omega_pixel_sr"]
    assert kept["oversample_omega"] == [0]
    assert own["omega_pixel_sr"] == kept["omega_pixel_sr"]
    assert own["omega_pixel"][0] != own["omega_pixel_sr"][0]
    assert own["oversample_omega"] == [1]


@pytest.mark.parametrize("N", [1, 2, 5, 8])
def test_amplitudes_of_a_parallelepiped_have_their_signs(N: int, tmp_path: Path) -> None:
    for slow, fast in ((0, 0), (3, 12), (15, 2), (9, 9)):
        words = [*SMALL, "-N", str(N), "-mosaic", "4", "-trace_pixel", str(slow), str(fast)]
        q = quantities(run(words, tmp_path))
        for axis, x in zip("abc", q["hkl_frac"], strict=True):
            exact = math.sin(math.pi * N * x) / math.sin(math.pi * x)
            # 2 x 2.2e-11 of the polynomial for the sine, above and below; near a zero of the numerator the 15 printed
            # digits of h, up to 5e-15 of it times pi N over the sine below.
            assert q[f"F_latt_{axis}"][0] == pytest.approx(exact, rel=1e-10, abs=1e-12)
        product = q["F_latt_a"][0] * q["F_latt_b"][0] * q["F_latt_c"][0]
        assert q["F_latt"][0] == pytest.approx(product, rel=1e-13)  # four numbers of 15 printed digits


@pytest.mark.parametrize("shape", ["round_xtal", "gauss_xtal", "tophat_spots"])
def test_amplitudes_of_other_shapes(shape: str, tmp_path: Path) -> None:
    seen = set()
    for slow, fast in ((0, 0), (3, 12), (15, 2), (8, 9), (9, 9)):
        q = quantities(run([*SMALL, f"-{shape}", "-trace_pixel", str(slow), str(fast)], tmp_path))
        offsets = np.array(q["hkl_frac"]) - np.array(q["hkl_rounded"])
        if shape == "round_xtal":
            x = math.pi * 5 * math.sqrt(float(offsets @ offsets))
            exact = 125 * 0.723601254558268 * 3 * (math.sin(x) / x - math.cos(x)) / (x * x)
        else:
            star = np.array([q[f"rot_{axis}_star_A_inv"] for axis in "abc"])
            radius_squared = float(np.sum((offsets @ star) ** 2)) * 125**2
            exact = (
                125 * math.exp(-radius_squared / 0.63) if shape == "gauss_xtal" else 125.0 * (radius_squared < 0.3969)
            )
        # The 15 printed digits of h; the exponent of a Gaussian spot, up to some hundred, multiplies their error. Far
        # from the lattice point both are 0 or nearly so.
        assert q["F_latt"][0] == pytest.approx(exact, rel=1e-10, abs=1e-300)
        assert math.isnan(q["F_latt_a"][0])  # these amplitudes are no product
        seen.add(math.copysign(1.0, q["F_latt"][0]))
    assert seen == ({1.0, -1.0} if shape == "round_xtal" else {1.0})


def test_the_latch_is_where_the_render_found_it(tmp_path: Path) -> None:
    goldens.copy_inputs(tmp_path)
    words = [*goldens.load("interpolate_latch_midway").words, "-tracefile", "t.json", "-trace_pixel"]
    experiment = experiment_of(words[:-3], tmp_path)
    image = simulate(experiment)
    per_pixel = build_scene(experiment).samples_per_pixel
    latched = image.latch // per_pixel
    interpolated = []
    for place in (latched - 1, latched + 1):
        run([*words, *(str(i) for i in divmod(place, image.array.shape[1]))], tmp_path)
        interpolated.append(flat(json.loads((tmp_path / "t.json").read_text()), "interpolated").any())
    assert interpolated == [True, False]


def test_water_of_the_corrected_picture_has_a_line(tmp_path: Path) -> None:
    words = [*RICH, "-water", "50", "-trace_pixel", "3", "12"]
    assert not entries(run(words, tmp_path), "WATER")
    lines = run([*words, "-semantics", "exact"], tmp_path)
    dry = quantities(run([*RICH, "-trace_pixel", "3", "12", "-semantics", "exact"], tmp_path))
    (water,) = entries(lines, "WATER")
    # A difference of two numbers of 15 printed digits, which loses some of them.
    expected = quantities(lines)["I_pixel_final"][0] - dry["I_pixel_final"][0]
    assert water["photons"] == pytest.approx(expected, rel=1e-9)


def test_quiet_leaves_the_trace_alone(tmp_path: Path) -> None:
    lines = run([*SMALL, "-trace_pixel", "3", "12", "-quiet"], tmp_path)
    assert len(lines) == 40 + 3
    assert all(line.startswith("TRACE_PY") for line in lines)


def test_the_picture_is_the_same_with_and_without(tmp_path: Path) -> None:
    run(RICH, tmp_path)
    alone = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    run([*RICH, "-trace_pixel", "3", "12"], tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == alone


# The file


def flat(stored: dict, name: str) -> np.ndarray:
    """Return a quantity of every sample, (sub-pixels of all layers, sources, phi steps, domains)."""
    return np.array([[ray["samples"][name] for ray in place["rays"]] for place in stored["sub_pixels"]])


@pytest.fixture
def stored(tmp_path: Path) -> dict:
    run([*RICH, "-trace_pixel", "3", "12", "-tracefile", "t.json", "-quiet"], tmp_path)
    return json.loads((tmp_path / "t.json").read_text())


def test_file_holds_every_sample(stored: dict) -> None:
    layers, subs, sources, phis, domains = RICH_SHAPE
    terms = flat(stored, "term")
    assert terms.shape == (layers * subs, sources, phis, domains)
    assert [(p["layer"], p["sub_slow"], p["sub_fast"]) for p in stored["sub_pixels"]] == [
        (layer, i, j) for layer in range(layers) for i in range(2) for j in range(2)
    ]
    assert np.array(stored["orientations"]).shape == (phis, domains, 3, 3)
    np.testing.assert_array_equal(stored["orientation_weights"], np.ones((phis, domains)))
    assert len({float(h) for h in flat(stored, "h").ravel()}) == terms.size  # no two samples are the same
    # Rounding of a sum of 576 terms, each up to 1.1e-16 of the sum so far.
    assert stored["quantities"]["I_before_scaling"] == pytest.approx(math.fsum(terms.ravel()), rel=1e-13)
    assert stored["sub_pixels"][-1]["rays"][-1]["sum_after"] == stored["quantities"]["I_before_scaling"]


def test_samples_of_the_file_follow_from_its_vectors(stored: dict) -> None:
    cells = np.array(stored["orientations"]) * 1e-10
    for place in stored["sub_pixels"]:
        d = np.array(place["position"]) / np.linalg.norm(place["position"])
        for ray in place["rays"]:
            q = (d - np.array(ray["incident"])) / ray["wavelength"]
            hkl = cells @ q
            for i, name in enumerate("hkl"):
                np.testing.assert_allclose(ray["samples"][name], hkl[..., i], atol=1e-12)  # rounding of h up to 20
    term = (flat(stored, "F_latt") * flat(stored, "F_cell")) ** 2
    np.testing.assert_allclose(flat(stored, "term"), term, rtol=1e-14)  # order of the products


def test_file_has_units_of_everything_that_has_one(stored: dict) -> None:
    units = stored["units"]
    assert units["quantities"]["scattering_vec_A_inv"] == "1/m"  # the name is C's
    assert units["sub_pixels"]["position"] == "m"
    assert units["rays"]["scattering_vector"] == "1/m"
    assert units["samples"]["F_cell"] == "electrons"
    for part, entry in (
        ("sub_pixels", stored["sub_pixels"][0]),
        ("rays", stored["sub_pixels"][0]["rays"][0]),
        ("samples", stored["sub_pixels"][0]["rays"][0]["samples"]),
        ("quantities", stored["quantities"]),
    ):
        assert set(units[part]) <= set(entry)


def test_file_and_lines_agree(tmp_path: Path) -> None:
    lines = run([*RICH, "-trace_pixel", "3", "12", "-tracefile", "t.json"], tmp_path)
    (tmp_path / "t.txt").write_text("\n".join(lines))
    # 15 printed digits.
    assert not compare_traces(str(tmp_path / "t.txt"), str(tmp_path / "t.json"), 1e-14).differences


def test_file_is_json_without_nan(tmp_path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    run([*SMALL, "-round_xtal", "-trace_pixel", "3", "12", "-tracefile", "t.json"], tmp_path)
    stored = json.loads((tmp_path / "t.json").read_text(), parse_constant=refuse)
    assert stored["quantities"]["F_latt_a"] is None
    assert stored["quantities"]["F_latt"] != 0.0


def test_samples_beyond_dmin_are_in_the_file_and_not_in_the_sum(tmp_path: Path) -> None:
    run([*SMALL, "-dmin", "20", "-trace_pixel", "0", "0", "-tracefile", "t.json"], tmp_path)
    stored = json.loads((tmp_path / "t.json").read_text())
    (ray,) = stored["sub_pixels"][0]["rays"]
    assert ray["passes_dmin"] is False
    assert ray["samples"]["counted"] == [[False]]
    assert ray["samples"]["term"][0][0] > 0.0
    assert stored["quantities"]["I_before_scaling"] == 0.0
    assert stored["quantities"]["polar"] == 0.0  # as C: never needed


# Mistakes


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("-trace_pixel 16 0", r"pixel slow 16, fast 0 is not on the detector; allowed are 0 to 15 \(slow\)"),
        ("-trace_pixel 0 16", "pixel slow 0, fast 16 is not on the detector"),
        ("-trace_pixel -1 3", "pixel slow -1, fast 3 is not on the detector"),
        ("-trace_pixel 3 9 -roi 4 8 2 6", r"outside the -roi .* 2 to 6 \(slow\) and 4 to 8 \(fast\)"),
        ("-tracefile t.json", "-tracefile t.json: no pixel is chosen"),
        ("-trace_pixel 3 4 -tracefile absent/t.json", "-tracefile absent/t.json: cannot be written"),
        ("-trace_pixel 3 4 -tracefile same -floatfile same", "-tracefile same: -floatfile writes the same file"),
        ("-trace_pixel 3 4 -tracefile t.json -oversample 708", "sums over 501264 samples.* at most 500000"),
        ("-trace_pixel 3", "-trace_pixel: needs 2 whole numbers"),
        ("-trace_pixel 3.5 4", "'3.5' is not a whole number"),
    ],
)
def test_mistakes_are_found_before_the_render(more: str, message: str, tmp_path: Path) -> None:
    status, out, err = golden_runs.run([*SMALL, *more.split()], tmp_path)
    assert status in (2, 3)
    assert re.search(message, err), err
    assert len(err.splitlines()) == 1
    assert not out
    assert not list(tmp_path.iterdir())


def test_masked_pixel(tmp_path: Path) -> None:
    goldens.copy_inputs(tmp_path)
    golden = goldens.load("mask")
    mask = experiment_of(list(golden.words), tmp_path).detector.panels[0].mask
    assert mask is not None
    slow, fast = np.argwhere(~mask)[0]
    status, _, err = golden_runs.run([*golden.words, "-trace_pixel", str(slow), str(fast)], tmp_path)
    assert status == 2
    assert f"pixel slow {slow}, fast {fast} is masked" in err
    assert not (tmp_path / "float.bin").exists()


def test_a_long_trace_without_file_is_allowed(tmp_path: Path) -> None:
    words = [*SMALL, *"-mosaic 1 -mosaic_domains 1000 -phi 1 -osc 1 -phisteps 1001 -roi 3 3 4 4".split()]
    experiment = experiment_of(words, tmp_path)
    trace.check_pixel(experiment, (4, 3), writes_file=False)
    check_pixels(experiment, count=1)


def test_a_run_without_trace_does_not_load_it(tmp_path: Path) -> None:
    program = (
        "import sys; from nbnumba.cli import main; status = main(sys.argv[1:]); "
        "sys.exit(status or any('trace' in name for name in sys.modules if name.startswith('nbnumba')))"
    )
    root = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {program}", *SMALL],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# Interpolation


@pytest.mark.parametrize("semantics", ["c", "exact"])
def test_neighbors_of_an_interpolated_sample(semantics: str, tmp_path: Path) -> None:
    """They are the reflections of the list around h, k and l, and give the structure factor."""
    goldens.copy_inputs(tmp_path)
    base = "-mat triclinic.mat -hkl triclinic.hkl -lambda 1 -distance 100 -pixel 1 -detpixels 9 -N 1 -oversample 1"
    words = [*base.split(), "-nonoise", "-nopgm", "-interpolate", "-semantics", semantics, "-trace_pixel", "4", "5"]
    lines = run([*words, "-tracefile", "t.json"], tmp_path)
    found = entries(lines, "NEIGHBOR")
    assert [entry["neighbor"] for entry in found] == list(range(64))
    traced = quantities(lines)
    below = [math.floor(value) for value in traced["hkl_frac"]]
    expected = [(below[0] + i, below[1] + j, below[2] + m) for i in RANGE for j in RANGE for m in RANGE]
    assert [(entry["h"], entry["k"], entry["l"]) for entry in found] == expected
    # Weights of a constant and of a straight line along each axis; 15 digits are printed.
    assert sum(entry["weight"] for entry in found) == pytest.approx(1.0, rel=1e-13)
    for name, value in zip("hkl", traced["hkl_frac"], strict=True):
        assert sum(entry["weight"] * entry[name] for entry in found) == pytest.approx(value, rel=1e-12)
    listed = [line.split() for line in (tmp_path / "triclinic.hkl").read_text().splitlines()]
    factors = {tuple(int(float(word)) for word in words[:3]): float(words[3]) for words in listed if len(words) >= 4}
    known = [entry for entry in found if (entry["h"], entry["k"], entry["l"]) in factors]
    assert len(known) > 32, "a place in the middle of the list"
    for entry in known:
        assert entry["F_cell"] == factors[entry["h"], entry["k"], entry["l"]]
    total = sum(entry["weight"] * entry["F_cell"] for entry in found)
    assert traced["F_cell"][0] == pytest.approx(total, rel=1e-11)  # 64 terms of both signs, 15 digits each
    assert [entry["weight"] for entry in json.loads((tmp_path / "t.json").read_text())["neighbors"]] == pytest.approx(
        [entry["weight"] for entry in found], rel=1e-14
    )


def test_no_neighbors_without_interpolation(tmp_path: Path) -> None:
    goldens.copy_inputs(tmp_path)
    words = "-mat triclinic.mat -hkl triclinic.hkl -lambda 1 -distance 100 -pixel 1 -detpixels 9 -N 5 -oversample 1"
    lines = run([*words.split(), "-nonoise", "-nopgm", "-nointerpolate", "-trace_pixel", "4", "5"], tmp_path)
    assert quantities(lines)
    assert not entries(lines, "NEIGHBOR")


RANGE = (-1, 0, 1, 2)
