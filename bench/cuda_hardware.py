"""Everything that only a GPU can show: pictures against the golden ones, noise, launches, speed, memory checker.

`python -m bench.cuda_hardware` from the root of a checkout, in an environment with the extra `cuda`. It takes some
minutes, prints what it finds and writes the figures to `bench/results/GPU-DATE.json`. The exit status is 1 when a
check fails.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import cuda_compile, machine, matrix
from .report import markdown

sys.path.insert(0, str(matrix.ROOT / "tests" / "support"))

PRECISIONS = {"double": "cuda", "mixed": "cuda-mixed"}
LANES = 128  # of float32 on a multiprocessor; those of float64 are fewer by the GPU's ratio
WANTED = {"double": 1e11, "mixed": 2e11}  # steps/s, the goals for an H200
Results = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Run all checks and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.cuda_hardware", description=__doc__)
    parser.add_argument("--device", type=int, default=0, help="number of the GPU")
    parser.add_argument("--repeats", type=int, default=5, help="renders of each row of the matrix")
    parser.add_argument("--pixels", type=int, help="render about so many pixels of each picture only")
    parser.add_argument("--cases", help="only golden cases and rows whose name holds this text")
    parser.add_argument("--out", type=Path, help="file for the figures; - for none")
    options = parser.parse_args(arguments)

    from nbnumba.commandline.info import info_lines
    from nbnumba.kernels.cuda.renderer import DeviceRenderer

    found: Results = {"info": info_lines(), "machine": machine.describe(machine.cores(), None)}
    print("\n".join(found["info"]))
    with contextlib.ExitStack() as stack:
        renderers = {
            name: stack.enter_context(DeviceRenderer(options.device, name, in_flight=3)) for name in PRECISIONS
        }
        found["gpu"] = renderers["double"].gpu._asdict()
        found["golden"] = _report("golden pictures", list(check_golden(renderers, options)))
        found["noise"] = _report("noise", [check_noise(renderers["double"], options)])
        found["launches"] = _report("launches and images in flight", list(check_launches(renderers, options)))
        found["matrix"] = measure_matrix(renderers, options)
    found["sanitizer"] = _report("memory checker", [check_memory(options)])
    checks = [check for part in ("golden", "noise", "launches", "sanitizer") for check in found[part]]
    failed = [check["name"] for check in checks if check["passed"] is False]
    print(f"\n{len(checks)} checks, {len(failed)} failed" + "".join(f"\n  {name}" for name in failed))
    if str(options.out) != "-":
        _write(found, options.out)
    return 1 if failed else 0


def _report(title: str, checks: list[Results]) -> list[Results]:
    """Print a part: what failed, and how many checks there were."""
    print(f"\n{title}: {sum(check['passed'] is True for check in checks)} of {len(checks)} pass")
    for check in checks:
        if check["passed"] is not True or len(checks) < 12:
            print(f"  {check['name']}: {check['text']}")
    return checks


def _scene(words: list[str], folder: Path, pixels: int | None) -> Any:
    """Build the scene of a command line that runs in a folder, or a part of it about the middle."""
    from nbnumba.experiment.resolve import resolve
    from nbnumba.experiment.scene import build_scene
    from nbnumba.parameters.parser import parse

    with contextlib.chdir(folder):
        scene = build_scene(resolve(parse([*words, "-nodump"]).settings))
    if pixels is None or scene.region_shape[0] * scene.region_shape[1] <= pixels:
        return scene
    row, column = scene.slow_first + scene.region_shape[0] // 2, scene.fast_first + scene.region_shape[1] // 2
    side = max(1, int(pixels**0.5))
    return scene.replace(
        slow_first=row,
        slow_last=min(row + side - 1, scene.slow_last),
        fast_first=column,
        fast_last=min(column + side - 1, scene.fast_last),
        latching=False,  # where it trips depends on the whole picture
    )


def check_golden(renderers: dict[str, Any], options: argparse.Namespace) -> Iterator[Results]:
    """Compare every golden picture, `c` and `exact`, in both precisions."""
    import golden_runs
    import goldens
    from agreement import judge

    for name in goldens.names():
        if options.cases and options.cases not in name:
            continue
        golden = goldens.load(name)
        for semantics, image in (("c", golden.float_image), ("exact", golden.exact_image)):
            if image is None:
                continue
            with tempfile.TemporaryDirectory() as folder:
                goldens.copy_inputs(Path(folder))
                scene = _scene([*golden.words, "-semantics", semantics], Path(folder), options.pixels)
                left_out = golden_runs.pixels_left_out(golden, Path(folder)) if semantics == "c" else None
            part = (
                slice(scene.slow_first, scene.slow_last + 1),
                slice(scene.fast_first, scene.fast_last + 1),
            )
            if options.pixels is None:
                part = (slice(None), slice(None))
            for precision, gate in PRECISIONS.items():
                ours = renderers[precision].render(scene).image
                verdict = judge(image[part], ours[part], gate, None if left_out is None else left_out[part])
                yield {
                    "name": f"{name}, {semantics}, {precision}",
                    "passed": verdict.passed,
                    "worst_relative": verdict.worst_relative,
                    "sum_ratio": verdict.sum_ratio,
                    "text": verdict.reason or f"worst {verdict.worst_relative:.1e}",
                }


def check_noise(renderer: Any, options: argparse.Namespace) -> Results:
    """Draw a million means on both and compare every count."""
    from nbnumba.readout.poisson import poisson_image_counter

    side = 1000 if options.pixels is None else max(2, int(options.pixels**0.5))
    means = np.exp(np.random.default_rng(7).uniform(np.log(1e-4), np.log(1e9), (side, side))).astype(np.float32)
    region = (0, side - 1, 0, side - 1)
    ours, photons, overloads = renderer.draw_noise(means, region, 40.0, 5, 11)
    theirs = poisson_image_counter(means, 5, 40.0, image_number=11)
    different = int(np.count_nonzero(ours != theirs.counts))
    same = different == 0 and (photons, overloads) == (theirs.photons, theirs.overloads)
    return {"name": f"{means.size} means", "passed": same, "text": f"{different} counts differ from the processor's"}


def check_launches(renderers: dict[str, Any], options: argparse.Namespace) -> Iterator[Results]:
    """Render one picture by launches of all sizes, and many at a time: no bit may change."""
    from nbnumba.kernels.cuda.renderer import DeviceRenderer

    words = (
        "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 150 -detpixels 300 -pixel 0.5 -N 12 -mosaic 1 "
        "-mosaic_domains 11 -dispersion 2 -dispsteps 3 -oversample 2 -detector_thick 400 -detector_abs 300 -water 20"
    ).split()
    for more in (["c"], ["exact", "-oversample_thick", "-oversample_polar", "-oversample_omega"]):
        scene = _scene([*words, "-semantics", *more], matrix.ROOT / "golden" / "inputs", options.pixels)
        total = scene.region_shape[0] * scene.region_shape[1] * scene.samples_per_pixel
        for precision, renderer in renderers.items():
            whole = renderer.render(scene).image
            for steps in (total // 50, total // 7, total * 2):
                with DeviceRenderer(options.device, precision, launch_steps=max(1, steps)) as other:
                    same = np.array_equal(whole, other.render(scene).image)
                yield _same(f"{more[0]}, {precision}, launches of {steps} steps", same)
            factors = (1.0, 2.0, 0.5, 4.0, 1.0)
            others = [scene.replace(photons=scene.photons * f, water_end=scene.water_end * f) for f in factors]
            images = [rendered.image for rendered in renderer.render_many(others)]
            same = all(np.array_equal(image, whole * np.float32(f)) for image, f in zip(images, factors, strict=True))
            yield _same(f"{more[0]}, {precision}, five images, three in flight", same)


def _same(name: str, same: bool) -> Results:
    return {"name": name, "passed": same, "text": "the same to the bit" if same else "another picture"}


def measure_matrix(renderers: dict[str, Any], options: argparse.Namespace) -> list[Results]:
    """Time every row of the matrix: kernels by the GPU's clock, one picture, and one of many."""
    rows = []
    for row in matrix.load():
        if row.missing() or (options.cases and options.cases not in row.name):
            continue
        scene = _scene(list(row.words), row.inputs, options.pixels)
        steps = scene.region_shape[0] * scene.region_shape[1] * scene.samples_per_pixel
        for precision, renderer in renderers.items():
            rows.append({"name": row.name, "precision": precision, "steps": steps, **_time(renderer, scene, options)})
            rows[-1].update(_against_bound(rows[-1], scene, renderer.gpu, precision))
            if row.name == "100 mosaic domains":
                rows[-1]["goal_steps_per_second"] = WANTED[precision]
    header = ["case", "precision", "kernels [ms]", "steps/s", "of the float64 bound", "picture [ms]", "in a row [ms]"]
    print("\n" + markdown(header, [_cells(row) for row in rows]))
    return rows


def _time(renderer: Any, scene: Any, options: argparse.Namespace) -> Results:
    """Render a scene until it is warm, then some times alone and some times in a row."""
    for _ in range(2):
        renderer.render(scene)
    kernels, pictures = [], []
    for _ in range(options.repeats):
        start = time.perf_counter()
        renderer.render(scene)
        pictures.append(time.perf_counter() - start)
        kernels.append(renderer.kernel_seconds)
    start = time.perf_counter()
    count = sum(1 for _ in renderer.render_many([scene] * (2 * options.repeats)))
    in_a_row = (time.perf_counter() - start) / count
    return {"kernel_seconds": kernels, "picture_seconds": pictures, "many_seconds": in_a_row}


def _against_bound(row: Results, scene: Any, gpu: Any, precision: str) -> Results:
    """Compare the rate with what the float64 units could issue, where the inner loop is all that counts."""
    from nbnumba.kernels.cuda.plan import choose_variant

    rate = row["steps"] / max(statistics.median(row["kernel_seconds"]), 1e-9)
    if gpu.processors == 0:  # the simulator
        return {"steps_per_second": rate, "float64_operations": 0, "float64_bound": float("nan")}
    variant = choose_variant(scene, precision == "mixed")
    operations = cuda_compile.float64_operations(cuda_compile.sum_ptx(tuple(variant), gpu.capability))
    bound = gpu.processors * gpu.clock * LANES / gpu.double_ratio / max(1, operations)
    return {"steps_per_second": rate, "float64_operations": operations, "float64_bound": bound}


def _cells(row: Results) -> list[str]:
    share = row["steps_per_second"] / row["float64_bound"]
    return [
        row["name"],
        row["precision"],
        f"{statistics.median(row['kernel_seconds']) * 1e3:.3f}",
        f"{row['steps_per_second']:.3g}",
        f"{share:.0%} ({row['float64_operations']} operations)",
        f"{statistics.median(row['picture_seconds']) * 1e3:.2f}",
        f"{row['many_seconds'] * 1e3:.2f}",
    ]


def check_memory(options: argparse.Namespace) -> Results:
    """Run a small picture under NVIDIA's memory checker."""
    name = "compute-sanitizer"
    program = shutil.which(name)
    if program is None:
        return {"name": name, "passed": None, "text": "not checked: compute-sanitizer is not on the PATH"}
    words = (
        "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 150 -detpixels 100 -pixel 1 -N 5 -oversample 2 -interpolate "
        f"-nopgm -noise_rng counter -backend cuda -device {options.device}"
    ).split()
    with tempfile.TemporaryDirectory() as folder:
        for file in ("lyso.mat", "lyso.hkl"):
            shutil.copyfile(matrix.ROOT / "golden" / "inputs" / file, Path(folder) / file)
        ran = subprocess.run(
            [program, "--error-exitcode", "9", sys.executable, "-m", "nbnumba", *words],
            cwd=folder, capture_output=True, text=True, env={**_environment(), "PYTHONPATH": str(matrix.ROOT)},
        )  # fmt: skip
    summary = re.findall(r"ERROR SUMMARY:.*", ran.stdout + ran.stderr)
    return {"name": name, "passed": ran.returncode == 0, "text": (summary or [f"exit status {ran.returncode}"])[-1]}


def _environment() -> dict[str, str]:
    import os

    return dict(os.environ)


def _write(found: Results, path: Path | None) -> None:
    """Write the figures beside those of the processor."""
    name = re.sub(r"[^a-z0-9]+", "-", str(found["gpu"]["name"]).lower()).strip("-")
    path = path or matrix.HERE / "results" / f"{name}-{time.strftime('%Y-%m-%d')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    sys.exit(main())
