"""The benchmarks: their command lines, what they measure, and their tables."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from requirements import ROOT, requires

from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene
from nbnumba.parameters.parser import parse
from nbnumba.render.renderer import simulate

sys.path.insert(0, str(ROOT))

from bench import matrix, report, rows, run
from bench.processes import RunFailed, timed

ROWS = [row for row in matrix.load() if row.inputs == ROOT / "golden" / "inputs"]

# phi steps, domains, sources, oversample, layers, shape, interpolation, millions of steps
EXPECTED = {
    "one orientation": (1, 1, 1, 5, 1, "square", False, 105),
    "10 phi steps": (10, 1, 1, 1, 1, "square", False, 94),
    "100 mosaic domains": (1, 100, 1, 1, 1, "square", False, 105),
    "9 wavelengths x 9 divergence": (1, 1, 81, 1, 1, "square", False, 107),
    "oversample 8": (1, 1, 1, 8, 1, "square", False, 105),
    "round, 10 domains": (1, 10, 1, 2, 1, "round", False, 168),
    "gauss, 10 domains": (1, 10, 1, 2, 1, "gauss", False, 168),
    "tophat, 10 domains": (1, 10, 1, 2, 1, "tophat", False, 168),
    "gauss, 1000 domains": (1, 1000, 1, 2, 1, "gauss", False, 16777),
    "tophat, 1000 domains": (1, 1000, 1, 2, 1, "tophat", False, 16777),
    "100 wavelengths, 25 domains, cutoff": (1, 25, 100, 1, 1, "gauss_argchk", False, 22500),
    "N = 1, tricubic": (1, 1, 1, 4, 1, "square", True, 67),
    "N = 1, tricubic until the latch": (1, 1, 1, 4, 1, "square", True, 67),
    "thick sensor, 4 layers": (1, 1, 1, 2, 4, "square", False, 67),
    "4096 x 4096": (1, 1, 1, 2, 1, "square", False, 67),
}


def _experiment(row: matrix.Row, folder: Path, words: tuple[str, ...] = ()) -> Experiment:
    row.copy_inputs(folder)
    with contextlib.chdir(folder):
        return resolve(parse([*(words or row.words), "-nodump"]).settings)


def test_no_row_is_missing() -> None:
    assert [row.name for row in ROWS] == list(EXPECTED)
    assert [row.name for row in matrix.load()] == [*EXPECTED, "large job"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_what_its_name_says(row: matrix.Row, tmp_path: Path) -> None:
    assert row.missing() is None
    experiment = _experiment(row, tmp_path)
    scene = build_scene(experiment)
    steps = scene.samples_per_pixel * scene.region_shape[0] * scene.region_shape[1]
    assert EXPECTED[row.name] == (
        experiment.goniometer.steps,
        len(experiment.crystal.mosaic_rotations),
        len(experiment.beam.sources.wavelengths),
        experiment.sampling.oversample,
        experiment.detector.sensor.layers,
        experiment.crystal.shape.value,
        experiment.interpolate,
        round(steps / 1e6),
    )


@pytest.mark.parametrize("row", matrix.load(), ids=lambda row: row.name)
def test_a_row_says_its_sampling_and_draws_neither_noise_nor_preview(row: matrix.Row) -> None:
    command = parse(row.words)
    assert command.notices == ()
    assert command.settings.sampling.oversample is not None
    assert command.output.noise_file is None
    assert command.output.pgm_file is None
    shape = "square" if row.crystal == "one cell" else row.crystal
    assert command.settings.crystal.shape == shape


@pytest.mark.parametrize(("name", "trips"), [("N = 1, tricubic", False), ("N = 1, tricubic until the latch", True)])
def test_the_latch_trips_in_one_row(name: str, trips: bool, tmp_path: Path) -> None:
    (row,) = (row for row in ROWS if row.name == name)
    coarse = " ".join(row.words).replace("-pixel 0.015625 -detpixels 2048", "-pixel 0.5 -detpixels 64")
    words = tuple(coarse.replace("-oversample 4", "-oversample 1").split())
    image = simulate(_experiment(row, tmp_path, words))
    assert image.array.shape == (64, 64)
    assert (image.latch_hkl is not None) == trips


def test_without_the_folder_of_the_last_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBNUMBA_LARGE_JOB", str(tmp_path))
    missing = matrix.load()[-1].missing()
    assert missing is not None
    assert "A.mat" in missing
    (tmp_path / "A.mat").write_text("")
    (tmp_path / "scaled.hkl").write_text("")
    assert matrix.load()[-1].missing() is None


def test_wall_time_processor_time_and_memory_of_a_process(tmp_path: Path) -> None:
    waits = timed([sys.executable, "-c", "import time; time.sleep(0.4)"], tmp_path, {})
    assert waits.wall >= 0.4
    assert waits.cpu < waits.wall
    # In a process of its own: Linux counts what this one holds as memory of the processes that it starts.
    large = "import os; x = b'x' * int(os.environ['SIZE'])"
    script = (
        "import sys; from pathlib import Path; from bench.processes import timed; "
        f"print(timed([sys.executable, '-c', {large!r}], Path(), {{'SIZE': '300000000'}}).peak_mb)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert 300.0 < float(ran.stdout) < 1000.0


def test_a_program_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="exit status 3: words on its way out"):
        timed([sys.executable, "-c", "print('words on its way out'); raise SystemExit(3)"], tmp_path, {})


def _small_row(**changes: Any) -> matrix.Row:
    words = (
        "-mat lyso.mat -hkl lyso.hkl -lambda 1.0 -distance 200 -pixel 4 -detpixels 48 -N 8 -phi 0 -osc 1 -phisteps 2 "
        "-oversample 1 -nonoise -nopgm"
    )
    return matrix.Row("small", "square", tuple(words.split()), ROOT / "golden" / "inputs", **changes)


@pytest.mark.command_line
def test_a_row_without_a_reference() -> None:
    found = rows.measure(_small_row(), rounds=2, threads=1, reference=None)
    assert found["skipped"] is None
    assert found["steps"] == 48 * 48 * 2
    assert found["reference"] is None
    assert found["gate"] is None
    for key in ("seconds", "seconds_empty", "cpu", "cpu_empty"):
        assert len(found["ours"][key]) == 2
        assert min(found["ours"][key]) > 0.0
    assert 0.0 < min(found["in_process"]["seconds"]) < min(found["ours"]["seconds"])
    assert "| small |" in report.matrix_table([found])


@pytest.mark.command_line
@pytest.mark.differential
@requires("nanoBragg executable")
@pytest.mark.parametrize("depends", ["", "because"])
def test_a_row_with_a_reference(depends: str) -> None:
    row = _small_row(picture_depends_on_threads=depends)
    found = rows.measure(row, rounds=1, threads=1, reference=os.environ["NANOBRAGG_BIN"])
    assert found["gate"]["passed"], found["gate"]["reason"]
    assert len(found["reference"]["seconds"]) == 1


def _row(name: str, reference: bool, **changes: Any) -> report.Results:
    theirs = {"seconds": [8.0, 7.5, 7.0], "seconds_empty": [0.5, 0.5, 0.5], "cpu": [14.0] * 3, "cpu_empty": [0.4] * 3}
    return {
        "name": name,
        "crystal": "square",
        "skipped": None,
        "steps": 10**8,
        "evaluated_steps": None,
        "in_process": {"seconds": [0.21, 0.2, 0.3], "empty_seconds": [0.001, 0.0, 0.002]},
        "ours": {"seconds": [0.7, 0.75, 0.8], "seconds_empty": [0.55, 0.5, 0.5], "peak_mb": 180.4}
        | {"cpu": [0.8, 0.9, 1.0], "cpu_empty": [0.5, 0.5, 0.4]},
        "reference": theirs if reference else None,
        "gate": {"passed": True, "equal_fraction": 0.999, "reason": ""} if reference else None,
        **changes,
    }


def test_ratios() -> None:
    row = _row("a", True)
    rounding = 1e-14  # of some differences and quotients
    assert report.image_time(row["ours"]) == pytest.approx(0.25, rel=rounding)
    assert report.ratio(row) == pytest.approx(28.0, rel=rounding)
    assert report.whole_ratio(row) == pytest.approx(10.0, rel=rounding)
    assert report.processor_ratio(row) == pytest.approx(34.0, rel=rounding)
    assert report.marginal_rate(row) == pytest.approx(1e8 / 0.209, rel=rounding)


def test_an_image_that_is_lost_in_the_spread_gives_no_nonsense() -> None:
    ours = {"seconds": [0.5], "seconds_empty": [0.6], "peak_mb": 1.0}
    assert report.image_time(ours) == report.SMALLEST_TIME
    assert report.image_times(ours) == [report.SMALLEST_TIME]


def test_the_table_of_the_matrix() -> None:
    slower = _row("", False)["ours"] | {"seconds": [1.0] * 3}
    lines = report.matrix_table(
        [
            _row("a", True),
            _row("b", True, gate={"passed": False, "equal_fraction": 0.9, "reason": "pixel | differs"}),
            _row("c", True, crystal="gauss", evaluated_steps=10**7, ours=slower),
            {"name": "d", "crystal": "square", "skipped": "no inputs"},
        ]
    ).splitlines()
    header = [cell.strip() for cell in lines[0].strip("|").split("|")]
    first = dict(zip(header, (cell.strip() for cell in lines[2].strip("|").split("|")), strict=False))
    assert first["case"] == "a"
    assert first["steps"] == "1e+08"
    assert first["image [s]"] == "0.250 (0.150-0.300)"
    assert first["ratio"] == "28.0 (21.7-50.0)"
    assert first["gate"] == "holds, 99.90% to the bit"
    assert r"FAILS: pixel \| differs" in lines[3]
    assert "10.0%" in lines[4]
    text = "\n".join(lines)
    assert "not measured: d: no inputs" in text
    # (28 28 14)^(1/3), the last row's image takes 0.5 s
    assert "Geometric mean of the ratio over 3 rows: 22.2; of whole processes: 9.1; smallest ratio of a square" in text


def test_the_table_without_a_reference() -> None:
    text = report.matrix_table([_row("a", False)])
    assert "nanoBragg" not in text
    assert "mean" not in text


@pytest.mark.command_line
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NANOBRAGG_BIN", raising=False)
    assert run.main(["--list"]) == 0
    names = capsys.readouterr().out.splitlines()
    assert {"large job", "start-up", "scaling-memory"} < set(names)
    file = tmp_path / "figures.json"
    assert run.main(["--quick", "--rounds", "1", "--only", "writing", "--output", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "### Writing images" in printed
    assert time.strftime("%Y-%m-%d") in printed
    assert run.main(["--table", str(file)]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("words", [["--only", "no such row"], ["--rounds", "0"], ["--threads", "0"]])
def test_mistakes(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run.main(words)
    assert caught.value.code == 2
    assert words[0] in capsys.readouterr().err
