"""CUDA on the simulator against the CPU: kernels, launches, buffers, copies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import goldens
import numpy as np
import pytest
import simulated
from agreement import judge
from requirements import requires
from simulator import environment

from nbnumba import cli, kernels
from nbnumba.kernels.cpu import spot_driver
from nbnumba.kernels.scene import NEVER
from nbnumba.readout.poisson import poisson_image_counter

pytestmark = [pytest.mark.twins, requires("CUDA package")]

SUPPORT = Path(__file__).resolve().parent / "support"
GATES = {"double": "cuda", "mixed": "cuda-mixed"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated")
    goldens.copy_inputs(path)
    return path


@pytest.fixture(scope="module")
def simulations(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Render everything in both precisions, in two processes."""
    processes = {
        precision: subprocess.Popen(
            [sys.executable, str(SUPPORT / "simulated.py"), precision, f"{precision}.npz"],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for precision in GATES
    }
    for process in processes.values():
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
        assert not said, said
    return {precision: np.load(folder / f"{precision}.npz") for precision in GATES}


@pytest.fixture(scope="module", params=list(GATES))
def precision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def simulation(simulations: Mapping[str, Mapping[str, Any]], precision: str) -> Mapping[str, Any]:
    return simulations[precision]


@pytest.mark.parametrize("name", list(simulated.COMMANDS))
def test_same_picture(
    name: str, simulation: Mapping[str, Any], precision: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    expected = kernels.render(simulated.scene_of(simulated.COMMANDS[name]), "cpu")
    assert expected.image.any(), "a picture that shows nothing proves nothing"
    verdict = judge(expected.image, simulation[name], GATES[precision])
    assert verdict.passed, verdict.reason
    assert simulation[f"{name} latch"] == expected.latch
    # Sums of the same numbers in another order.
    assert simulation[f"{name} solid angle"] == pytest.approx(expected.solid_angle, rel=1e-13)


@pytest.mark.parametrize("name", list(simulated.SPOT_COMMANDS))
def test_lists_of_spots(
    name: str, simulation: Mapping[str, Any], precision: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    scene = simulated.scene_of(simulated.SPOT_COMMANDS[name])
    plan = spot_driver.forced_plan(scene)
    assert plan is not None
    expected = spot_driver.render(scene, plan, 1, None, None)
    assert expected.image.any(), "a picture that shows nothing proves nothing"
    verdict = judge(expected.image, simulation[name], GATES[precision])
    assert verdict.passed, verdict.reason
    assert simulation[f"{name} listed"] == expected.spots
    # Sums of the same numbers in another order.
    assert simulation[f"{name} solid angle"] == pytest.approx(expected.solid_angle, rel=1e-13)


def test_lists_of_too_many_spots_are_split(simulation: Mapping[str, Any], precision: str) -> None:
    whole, parts = simulation["spots"], simulation["spots in parts"]
    assert simulation["spots in parts listed"] == simulation["spots listed"] > 3
    # Each part is rounded by itself, in float64, or in mixed precision in float32.
    np.testing.assert_allclose(parts, whole, rtol=1e-6, atol=1e-9 * whole.max())


def test_progress_of_spots(simulation: Mapping[str, Any]) -> None:
    seen = simulation["progress of spots"]
    assert np.count_nonzero(seen == 1.0) == len(simulated.SPOT_COMMANDS)
    assert len(seen) > 2 * len(simulated.SPOT_COMMANDS)


def test_some_picture_has_a_latch_and_some_has_none(simulation: Mapping[str, Any]) -> None:
    latches = {name: int(simulation[f"{name} latch"]) for name in simulated.COMMANDS if name.startswith("cubic")}
    assert 0 < latches["cubic"] < NEVER
    assert latches["cubic exact"] == NEVER


@pytest.mark.parametrize("name", ["square", "switches", "cubic", "water exact switches"])
def test_launches_change_no_bit(name: str, simulation: Mapping[str, Any]) -> None:
    assert np.array_equal(simulation[name], simulation[f"pieces {name}"])


def test_progress_comes_launch_by_launch(simulation: Mapping[str, Any]) -> None:
    seen = simulation["progress"]
    assert np.count_nonzero(seen == 1.0) == 4  # of four pictures
    assert len(seen) > 12


def test_images_in_flight_do_not_mix(simulation: Mapping[str, Any]) -> None:
    names = [name for name in simulation if name.startswith("many ")]
    assert len(names) == 5
    for name in names:
        assert np.array_equal(simulation[name], simulation[name.split(" ", 2)[2]]), name


def test_reflections_stay_on_the_device(simulation: Mapping[str, Any]) -> None:
    assert simulation["table is kept"]


def test_a_mask_is_not_kept(simulation: Mapping[str, Any]) -> None:
    assert simulation["mask is read again"]


def test_a_noise_image_that_fails_gives_its_buffers_back(simulation: Mapping[str, Any]) -> None:
    before, after = simulation["slots after a failure"]
    assert before == after > 0


def test_threads_that_ask_at_once_get_one_renderer(simulation: Mapping[str, Any]) -> None:
    assert simulation["renderers of threads"] == 1


def test_same_noise(simulation: Mapping[str, Any]) -> None:
    expected = poisson_image_counter(simulated.MEANS, 9, 40.0, (2, 13, 1, 15), image_number=3)
    assert np.array_equal(simulation["noise"], expected.counts)
    assert tuple(simulation["noise sums"]) == (expected.photons, expected.overloads)


def _command(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbnumba", *words], cwd=folder, env=environment(), capture_output=True, text=True
    )


@pytest.mark.command_line
def test_command_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [*simulated.COMMANDS["rotation"].split(), "-noisefile", "noise.img", "-noise_rng", "counter", "-seed", "4"]
    words += ["-phi_sampling", "mid"]  # of the start of each step a notice would tell
    ran = _command([*words, "-backend", "cuda", "-precision", "mixed", "-floatfile", "gpu.bin"], folder)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    monkeypatch.chdir(folder)
    assert cli.main([*words, "-backend", "cpu", "-floatfile", "cpu.bin", "-noisefile", "cpu.img", "-quiet"]) == 0
    images = [np.fromfile(folder / name, "<f4") for name in ("cpu.bin", "gpu.bin")]
    assert judge(*images, "cuda-mixed").passed
    # The means differ in their last digits, so a few counts may.
    counts = [np.frombuffer((folder / name).read_bytes()[-162:], "<u2") for name in ("cpu.img", "noise.img")]
    assert np.count_nonzero(counts[0] != counts[1]) <= 2


@pytest.mark.command_line
def test_a_gpu_that_is_not_there(folder: Path) -> None:
    ran = _command([*simulated.COMMANDS["peak"].split(), "-backend", "cuda", "-device", "3"], folder)
    assert ran.returncode == 4
    assert ran.stderr == "nbnumba: error: -device 3: only GPU 0 is visible\n"
