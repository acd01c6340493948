"""The CUDA kernels compiled without a GPU, and what is said where there is none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from requirements import requires

from nbnumba import cli
from nbnumba.errors import DeviceError
from nbnumba.kernels.cuda import device as cuda_device
from nbnumba.kernels.physics import functions
from nbnumba.kernels.physics import sample as physics

pytestmark = pytest.mark.twins

SMALL = "-cell 50 60 70 90 90 90 -default_F 10 -lambda 1 -distance 100 -detpixels 4 -N 5 -nointerpolate -nonoise -nopgm"
SQUARE, ROUND, GAUSS, TOPHAT = range(4)
NEAREST, CUBIC = 0, 1


def run(words: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    root = str(Path(__file__).resolve().parent.parent.parent.parent)
    return subprocess.run(
        [sys.executable, "-m", "nbnumba", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root, **environment},
        capture_output=True,
        text=True,
    )


@requires("CUDA compiler")
class TestCompiled:
    """PTX, from NVIDIA's compiler."""

    @pytest.mark.parametrize("capability", [(7, 5), (8, 0), (9, 0), (10, 0)], ids=lambda c: f"{c[0]}.{c[1]}")
    def test_capabilities(self, capability: tuple[int, int]) -> None:
        from bench import cuda_compile

        for name, code in cuda_compile.some_kernels(capability):
            assert f".target sm_{capability[0]}{capability[1]}" in code, name
            assert ".visible .entry" in code, name
            assert ".extern .func" not in code, f"{name} calls what is not there"

    @pytest.mark.parametrize(
        ("shape", "look_up", "compound"),
        [(ROUND, NEAREST, False), (GAUSS, CUBIC, False), (TOPHAT, NEAREST, True)],
    )
    @pytest.mark.parametrize("single", [False, True], ids=["double", "mixed"])
    def test_other_kernels(self, shape: int, look_up: int, compound: bool, single: bool) -> None:
        from bench import cuda_compile

        code = cuda_compile.sum_ptx((shape, look_up, compound, single and not compound), (9, 0))
        assert ".visible .entry" in code

    def test_lists_of_spots(self) -> None:
        from bench import cuda_compile

        codes = dict(cuda_compile.spot_kernels_ptx((7, 5)))
        codes["apart"] = cuda_compile.draw_spots_ptx((GAUSS, False, True, True), (10, 0))
        codes["overlapping"] = cuda_compile.draw_spots_ptx((TOPHAT, True, False, False), (9, 0))
        for name, code in codes.items():
            assert ".visible .entry" in code, name
            assert ".extern .func" not in code, f"{name} calls what is not there"
            assert not re.search(r"\batom\.", code), name

    @pytest.mark.parametrize("single", [False, True], ids=["double", "mixed"])
    def test_a_diffuse_halo(self, single: bool) -> None:
        from bench import cuda_compile

        code = cuda_compile.sum_ptx((SQUARE, NEAREST, False, single, False, True), (8, 0))
        assert ".visible .entry" in code
        assert ".extern .func" not in code

    def test_background_and_readout(self) -> None:
        """They compile, and what draws random numbers is never contracted."""
        from bench import cuda_compile

        codes = dict(cuda_compile.chain_ptx((7, 5)))
        assert {"background", "count", "along slow", "read"} <= set(codes)
        for name, code in codes.items():
            assert ".visible .entry" in code, name
            assert ".extern .func" not in code, f"{name} calls what is not there"
        for name in ("count", "read"):
            _check_rounding(codes[name])

    def test_float32_stays_float32(self) -> None:
        """What mixed precision computes from the offsets touches no float64."""
        from numba import float32, int32

        from bench import cuda_compile

        signatures = {
            physics.lattice_ratio: (float32,) * 6,
            physics.sinc3: (float32,) * 2,
            physics.sinc3_central: (float32,),
            functions.exp_of_parts: (int32, float32),
        }
        for function, signature in signatures.items():
            code = cuda_compile.ptx(function, signature, (8, 6), device=True)
            assert ".f32" in code
            assert ".f64" not in code, function.__name__

    def test_inner_loop_of_mixed_precision_has_little_float64(self) -> None:
        """The reduction of h, k and l to their offsets, and nothing else."""
        from bench import cuda_compile

        loop = cuda_compile.orientation_loop(cuda_compile.sum_ptx((SQUARE, NEAREST, False, True), (9, 0)))
        assert loop is not None
        assert "div.approx.ftz.f32" in loop
        operations = [line for line in loop.splitlines() if ".f64" in line and "mov.f64" not in line]
        # 9 loads and 9 products and sums for h, k and l; per axis 4 for the nearest index and the offset, 3 for the
        # turns; 6 conversions to float32.
        assert len(operations) <= 9 + 9 + 3 * (4 + 3) + 6, "\n".join(operations)

    def test_noise_is_never_contracted(self) -> None:
        """A product may be fused with a sum unless it is marked as rounded: none that meets a sum is unmarked."""
        from bench import cuda_compile

        _check_rounding(cuda_compile.noise_ptx((9, 0)))


def _check_rounding(code: str) -> None:
    """Check that no product is, or can be, fused with a sum."""
    assert "mul.rn.f64" in code
    assert not re.search(r"\b(fma|mad)\.[a-z.]*f(32|64)", code)
    assert not re.search(r"\.(approx|full|ftz)\b", code)
    products = set(re.findall(r"mul\.f64\s+(%\w+),", code))
    sums = re.findall(r"(?:add|sub)\.f64\s+%\w+,\s*(%\w+),\s*(%\w+);", code)
    assert sums
    assert not products & {operand for operands in sums for operand in operands}


@requires("CUDA package")
@pytest.mark.parametrize("blocks", [1, 32, 127, 128])
def test_numba_warns_of_no_launch(blocks: int) -> None:
    """Sums and scans have few blocks; a user would see a warning of Numba's with every image."""
    import numba

    from nbnumba.kernels.cuda import kernel

    before = numba.config.CUDA_LOW_OCCUPANCY_WARNINGS
    launched = kernel.configured(kernel.fold_kernel(), blocks, 0)  # warnings are errors here
    assert launched.griddim == (blocks, 1, 1)
    assert launched.blockdim == (kernel.THREADS_PER_BLOCK, 1, 1)
    assert before == numba.config.CUDA_LOW_OCCUPANCY_WARNINGS


@requires("CUDA package")
def test_launches_go_by_the_speed_of_those_before() -> None:
    """The first one of a kernel is left out: the compiler has its part in it."""
    from nbnumba.kernels.cuda.launcher import LAUNCH_SECONDS, Launcher

    launcher = Launcher(cuda_device.Gpu(0, "a GPU", (9, 0), 0, 100, 1e9, 2))
    guess = launcher.steps_per_launch("kernel")
    launcher.learn_rate("kernel", 1000, 5.0)
    assert launcher.steps_per_launch("kernel") == guess
    launcher.learn_rate("kernel", 10**9, 0.01)
    assert launcher.steps_per_launch("kernel") == pytest.approx(1e11 * LAUNCH_SECONDS)
    launcher.learn_rate("kernel", 10**9, 0.0)
    assert launcher.steps_per_launch("kernel") == pytest.approx(1e11 * LAUNCH_SECONDS)
    assert launcher.steps_per_launch("another") == guess


@requires("CUDA package")
def test_compiled_kernels_belong_to_a_release_of_numba_cuda() -> None:
    """What one release has stored, another may not be able to load."""
    import importlib.metadata
    from types import SimpleNamespace

    from nbnumba.kernels.cuda import kernel

    key = kernel.fold_kernel()._cache._index_key((), SimpleNamespace(magic_tuple=lambda: ((12, 9), (9, 0))))
    assert importlib.metadata.version("numba-cuda") in key


@requires("CUDA package")
class TestErrors:
    """Exceptions of the CUDA package become one line each."""

    @pytest.mark.parametrize(
        ("code", "text"),
        [
            (2, "GPU 0: out of device memory"),
            (222, "GPU 0: the NVIDIA driver is too old for the CUDA package; update the driver"),
            (700, "GPU 0: the kernel failed: it read or wrote where it must not"),
            (719, "GPU 0: the kernel failed"),
            (999, "GPU 0: error 999: unknown"),
        ],
    )
    def test_codes(self, code: int, text: str) -> None:
        from numba.cuda.cudadrv.driver import CudaAPIError

        with pytest.raises(DeviceError) as raised, cuda_device.translated("GPU 0"):
            raise CudaAPIError(code, "unknown")
        assert str(raised.value) == text

    @pytest.mark.parametrize(
        ("message", "text"),
        [
            ("Error at driver init: \n\nCUDA driver library cannot be found.\nEnsure.\n:", "no NVIDIA driver is found"),
            ("Error at driver init: Call to cuInit results in CUDA_ERROR_NO_DEVICE (100)", "no GPU is visible"),
            (
                "Error at driver init: Call to cuInit results in CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)",
                "the NVIDIA driver does not fit its kernel module; update or restart",
            ),
        ],
    )
    def test_no_driver_or_device(self, message: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from numba.cuda.cudadrv.error import CudaSupportError

        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        with pytest.raises(DeviceError) as raised, cuda_device.translated("CUDA"):
            raise CudaSupportError(message)
        assert str(raised.value) == f"CUDA: {text}"

    def test_the_variable_that_hides_gpus_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from numba.cuda.cudadrv.driver import CudaAPIError

        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "9")
        with pytest.raises(DeviceError, match=r"no GPU is visible \(CUDA_VISIBLE_DEVICES is '9'\)"), \
                cuda_device.translated("CUDA"):  # fmt: skip
            raise CudaAPIError(100, "none")

    def test_other_mistakes_pass_through(self) -> None:
        with pytest.raises(ZeroDivisionError), cuda_device.translated("CUDA"):
            raise ZeroDivisionError


@requires("no GPU")
@pytest.mark.command_line
class TestWithoutGpu:
    """Machines without a GPU, with or without the CUDA package."""

    def test_auto_says_nothing(self, tmp_path: Path) -> None:
        ran = run([*SMALL.split(), "-backend", "auto"], tmp_path)
        assert ran.returncode == 0
        assert "GPU" not in ran.stderr

    def test_cuda_fails_in_one_line(self, tmp_path: Path) -> None:
        ran = run([*SMALL.split(), "-backend", "cuda"], tmp_path)
        assert ran.returncode == 4
        assert re.fullmatch(r"nbnumba: error: CUDA: [^\n]+\n", ran.stderr)
        assert not (tmp_path / "floatimage.bin").exists()

    def test_auto_with_a_device_falls_back_with_a_notice(self, tmp_path: Path) -> None:
        ran = run([*SMALL.split(), "-device", "0", "-quiet"], tmp_path)
        assert ran.returncode == 0
        notices = [line for line in ran.stderr.splitlines() if "compiling" not in line]
        assert len(notices) == 1
        assert "rendered by the processor, as the GPU cannot be used: CUDA: " in notices[0]
        assert (tmp_path / "floatimage.bin").stat().st_size == 64


@pytest.mark.command_line
def test_options_that_only_a_gpu_heeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main([*SMALL.split(), "-backend", "cpu", "-device", "1"]) == 0
    said = capsys.readouterr().err
    assert "-device 1 has no effect" in said


def test_hidden_gpus_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert not cuda_device.may_be_there()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("NUMBA_DISABLE_CUDA", "1")
    assert not cuda_device.may_be_there()


@pytest.mark.command_line
def test_nothing_of_cuda_is_loaded_for_the_processor(tmp_path: Path) -> None:
    script = (
        "import sys; from nbnumba import cli; "
        f"status = cli.main({[*SMALL.split(), '-backend', 'cpu', '-quiet']!r}); "
        "print(status, any(name.startswith(('numba.cuda', 'numba_cuda')) for name in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True,
                         env={"PATH": "", "PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent.parent),
                              "HOME": str(tmp_path)})  # fmt: skip
    assert ran.stdout == "0 False\n", ran.stderr
