"""The stages of `python -m bench.cuda_hardware`: the list, what they share, and those that check.

A stage is a generator of findings. To add one: write a function that takes the `Session` and yields an `Item` for each
thing that it checks (`passed` True or False) or measures (`passed` None), and put it into STAGES at the place of its
importance, with the part of a limited time that it may take before the next stage begins.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nbnumba.commandline.info import info_lines
from nbnumba.kernels.cuda.device import choose
from nbnumba.kernels.cuda.renderer import DeviceRenderer

from . import cuda_others, cuda_speed, machine, matrix

Item = dict[str, Any]

GATES = {"double": "cuda", "mixed": "cuda-mixed"}  # precision -> tolerance of tests/support/agreement.py
CLOSING_SECONDS = 2.0  # kept for the summary where the time is limited
INPUTS = matrix.ROOT / "golden" / "inputs"
_SUPPORT = str(matrix.ROOT / "tests" / "support")
_FEW = 3
_CHECKER = "compute-sanitizer"


class Stage(NamedTuple):
    """A part of the run."""

    name: str
    title: str
    share: float  # of the time, where it is limited
    run: Callable[[Session], Iterator[Item]]
    table: Callable[[list[Item]], str] | None = None  # in place of a line for each item


class Session:
    """The GPU, its renderers and the time that is left.

    Raises
    ------
    DeviceError
        When the GPU, its driver or a package is not there.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._end = time.monotonic() + options.minutes * 60.0 - CLOSING_SECONDS if options.minutes else float("inf")
        self.options = options
        self.gpu = choose(options.device)
        self.renderers = {name: DeviceRenderer(options.device, name, in_flight=3) for name in GATES}
        self.about = {
            "info": info_lines(),
            "machine": machine.describe(machine.cores(), None),
            "gpu": self.gpu._asdict(),
            "arguments": {name: str(value) for name, value in vars(options).items() if value is not None},
        }
        if _SUPPORT not in sys.path:
            sys.path.insert(0, _SUPPORT)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        for renderer in self.renderers.values():
            with contextlib.suppress(Exception):  # a GPU that has failed fails here too
                renderer.close()

    def seconds_left(self) -> float:
        """Return the time that is left, infinite where it is not limited."""
        return self._end - time.monotonic()

    def chosen(self, name: str) -> bool:
        """Tell whether a case or a row is among those that were asked for."""
        return not self.options.cases or self.options.cases in name

    def scene(self, words: list[str], folder: Path = INPUTS) -> Any:
        """Build the scene of a command line that runs in a folder, or a part of it about the middle."""
        from nbnumba.experiment.resolve import resolve
        from nbnumba.experiment.scene import build_scene
        from nbnumba.parameters.parser import parse

        with contextlib.chdir(folder):
            scene = build_scene(resolve(parse([*words, "-nodump"]).settings))
        pixels = self.options.pixels
        if pixels is None or scene.region_shape[0] * scene.region_shape[1] <= pixels:
            return scene
        row, column = scene.slow_first + scene.region_shape[0] // 2, scene.fast_first + scene.region_shape[1] // 2
        side = max(1, int(pixels**0.5))
        return scene.replace(
            slow_first=row,
            slow_last=min(row + side - 1, scene.slow_last),
            fast_first=column,
            fast_last=min(column + side - 1, scene.fast_last),
            latching=False,  # where it trips depends on the whole image
        )

    def short_scene(self, words: list[str], folder: Path = INPUTS) -> Any:
        """Build a scene as `scene` does, with few orientations and sources where only some pixels are asked for."""
        scene = self.scene(words, folder)
        if self.options.pixels is None:
            return scene
        few = min(_FEW, scene.domains)
        return scene.replace(
            orientations=scene.orientations[:few],
            weights=scene.weights[:few],
            domains=few,
            sources=scene.sources[:_FEW],
        )


def golden(session: Session) -> Iterator[Item]:
    """Compare every golden image, `c` and `exact`, in both precisions."""
    import golden_runs
    import goldens

    for name in filter(session.chosen, goldens.names()):
        case = goldens.load(name)
        for semantics, image in (("c", case.float_image), ("exact", case.exact_image)):
            if image is None:
                continue
            with tempfile.TemporaryDirectory() as folder:
                goldens.copy_inputs(Path(folder))
                scene = session.scene([*case.words, "-semantics", semantics], Path(folder))
                left_out = golden_runs.pixels_left_out(case, Path(folder)) if semantics == "c" else None
            if session.options.pixels is not None and semantics == "c" and scene.interpolate:
                continue  # where interpolation ends depends on the whole image
            for precision in GATES:
                yield _against(session, f"{name}, {semantics}, {precision}", precision, scene, image, left_out)


def _against(session: Session, name: str, precision: str, scene: Any, image: Any, left_out: Any = None) -> Item:
    """Compare a scene with the image that it should give, by the gate of a precision."""
    from agreement import judge

    part = (slice(None), slice(None))
    if session.options.pixels is not None:
        part = (slice(scene.slow_first, scene.slow_last + 1), slice(scene.fast_first, scene.fast_last + 1))
    ours = session.renderers[precision].render(scene).image
    verdict = judge(image[part], ours[part], GATES[precision], None if left_out is None else left_out[part])
    return {
        "name": name,
        "passed": verdict.passed,
        "worst_relative": verdict.worst_relative,
        "sum_ratio": verdict.sum_ratio,
        "text": verdict.reason or f"worst {verdict.worst_relative:.1e}",
    }


def noise(session: Session) -> Iterator[Item]:
    """Draw a million means on both and compare every count."""
    from nbnumba.readout.poisson import poisson_image_counter

    pixels = session.options.pixels
    side = 1000 if pixels is None else max(2, int(pixels**0.5))
    means = np.exp(np.random.default_rng(7).uniform(np.log(1e-4), np.log(1e9), (side, side))).astype(np.float32)
    whole = (0, side - 1, 0, side - 1)
    inner = (1, side - 2, side // 3, side - 1) if side > 3 else whole
    renderer = session.renderers["double"]
    for name, region in (("whole", whole), ("a region", inner)):
        start = time.perf_counter()
        ours, photons, overloads = renderer.draw_noise(means, region, 40.0, 5, 11)
        seconds = time.perf_counter() - start
        theirs = poisson_image_counter(means, 5, 40.0, region, image_number=11)
        different = int(np.count_nonzero(ours != theirs.counts))
        same = different == 0 and (photons, overloads) == (theirs.photons, theirs.overloads)
        text = f"{different} counts differ from the processor's, {1e3 * seconds:.1f} ms"
        yield {"name": f"{means.size} means, {name}", "passed": same, "seconds": seconds, "text": text}
    yield _readout(np.minimum(means, np.float32(1e5)))


def _readout(means: Any) -> Item:
    """Read an image out on both and compare every pixel."""
    from nbnumba.readout.chain import read_out
    from nbnumba.readout.model import Readout
    from nbnumba.readout.psf import PointSpread

    readout = Readout(
        flicker=0.1, calibration=0.03, dead_time=1e-7, exposure=0.1, spread=PointSpread("fiber", 1.0), gain=1.5,
        offset=10.0, dark=2.0, readout=3.0, dtype="uint16",
    )  # fmt: skip
    start = time.perf_counter()
    ours = read_out(means, readout, 5, 11, device=0)
    seconds = time.perf_counter() - start
    theirs = read_out(means, readout, 5, 11, threads=2)
    different = int(np.count_nonzero(ours.pixels != theirs.pixels))
    text = f"{different} pixels differ from the processor's, {1e3 * seconds:.1f} ms"
    # Sums of the point spread are rounded in another order, which decides a pixel halfway between two numbers.
    return {"name": "readout", "passed": different <= 1 + means.size // 10**6, "seconds": seconds, "text": text}


_LAUNCHED = (
    "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 150 -detpixels 300 -pixel 0.5 -N 12 -mosaic 1 -mosaic_domains 11 "
    "-dispersion 2 -dispsteps 3 -oversample 2 -detector_thick 400 -detector_abs 300 -water 20"
).split()
_SWITCHES = ["-oversample_thick", "-oversample_polar", "-oversample_omega"]
_SHAPES = ((1, 1), (1, 129), (130, 1), (3, 127), (4, 42))  # of regions


def launches(session: Session) -> Iterator[Item]:
    """Render regions of odd shapes, by launches of all sizes, and many images at a time: no bit may change."""
    for semantics, more in (("c", []), ("exact", _SWITCHES)):
        scene = session.short_scene([*_LAUNCHED, "-semantics", semantics, *more])
        for precision, renderer in session.renderers.items():
            whole = renderer.render(scene).image
            for item in itertools.chain(
                _regions(scene, renderer, whole),
                _in_pieces(session, scene, precision, whole),
                _in_flight(scene, renderer, whole),
            ):
                yield {**item, "name": f"{semantics}, {precision}, {item['name']}"}


def _regions(scene: Any, renderer: DeviceRenderer, whole: Any) -> Iterator[Item]:
    """Render regions that fill no block of threads, each from the corner of the scene's own."""
    for rows, columns in _SHAPES:
        part = scene.replace(slow_last=scene.slow_first + rows - 1, fast_last=scene.fast_first + columns - 1)
        if part.slow_last > scene.slow_last or part.fast_last > scene.fast_last:
            continue
        ours, expected = renderer.render(part).image, np.zeros_like(whole)
        place = (slice(part.slow_first, part.slow_last + 1), slice(part.fast_first, part.fast_last + 1))
        expected[place] = whole[place]
        yield _same(f"region of {rows} x {columns}", np.array_equal(ours, expected))


def _in_pieces(session: Session, scene: Any, precision: str, whole: Any) -> Iterator[Item]:
    """Render by launches of few and of many steps."""
    total = scene.region_shape[0] * scene.region_shape[1] * scene.samples_per_pixel
    for steps in (total // 50, total // 7, total * 2):
        with DeviceRenderer(session.options.device, precision, launch_steps=max(1, steps)) as other:
            same = np.array_equal(whole, other.render(scene).image)
        yield _same(f"launches of {steps} steps", same)


def _in_flight(scene: Any, renderer: DeviceRenderer, whole: Any) -> Iterator[Item]:
    """Render images that differ by a power of two, several at a time."""
    factors = (1.0, 2.0, 0.5, 4.0, 1.0)
    others = [scene.replace(photons=scene.photons * f, water_end=scene.water_end * f) for f in factors]
    images = [rendered.image for rendered in renderer.render_many(others)]
    same = all(np.array_equal(image, whole * np.float32(f)) for image, f in zip(images, factors, strict=True))
    yield _same("five images, three in flight", same)


def _same(name: str, same: bool) -> Item:
    return {"name": name, "passed": bool(same), "text": "the same to the bit" if same else "another image"}


_CHECKED = {
    "square, noise": "-N 5 -oversample 2 -mosaic 1 -mosaic_domains 3 -nointerpolate -noise_rng counter "
    "-precision double",
    "tricubic, thick sensor": "-N 2 -interpolate -detector_abs 300 -detector_thick 450 -detector_thicksteps 2 "
    "-roi 3 77 5 60 -nonoise -precision mixed",
}


def memory(session: Session) -> Iterator[Item]:
    """Run two small images under NVIDIA's memory checker."""
    program = find_tool(_CHECKER)
    for name, words in _CHECKED.items():
        if program is None:
            yield {"name": name, "passed": None, "text": f"not checked: {_CHECKER} is not installed"}
            continue
        with tempfile.TemporaryDirectory() as folder:
            for file in ("lyso.mat", "lyso.hkl"):
                shutil.copyfile(INPUTS / file, Path(folder) / file)
            yield _checked(name, program, words, session, folder)


def _checked(name: str, program: str, words: str, session: Session, folder: str) -> Item:
    """Run the command line under the memory checker."""
    base = "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 150 -detpixels 100 -pixel 1 -nopgm -quiet -backend cuda"
    ours = [sys.executable, "-m", "nbnumba", *base.split(), "-device", str(session.options.device), *words.split()]
    limit = min(300.0, session.seconds_left())
    try:
        ran = subprocess.run(
            [program, "--error-exitcode", "9", *ours], cwd=folder, capture_output=True, text=True, timeout=limit,
            env={**os.environ, "PYTHONPATH": str(matrix.ROOT)},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"name": name, "passed": None, "text": f"not finished within {limit:.0f} s"}
    summary = re.findall(r"ERROR SUMMARY:.*", ran.stdout + ran.stderr)
    return {"name": name, "passed": ran.returncode == 0, "text": (summary or [f"exit status {ran.returncode}"])[-1]}


def find_tool(name: str) -> str | None:
    """Return the path of a program of the CUDA toolkit, None where it is not installed."""
    homes = [os.environ.get(variable) for variable in ("CUDA_HOME", "CUDA_PATH")] + ["/usr/local/cuda"]
    folders = [f"{home}/{below}" for home in homes if home for below in ("bin", name)]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))


STAGES = [
    Stage("golden", "Golden images", 0.35, golden),
    Stage("spots", "Lists of spots", 0.05, cuda_others.spots),
    Stage("whole", "Background, sensors and regions", 0.05, cuda_others.whole),
    Stage("derivatives", "Derivatives", 0.05, cuda_others.derivatives),
    Stage("noise", "Noise", 0.05, noise),
    Stage("launches", "Launches, regions and images in flight", 0.1, launches),
    Stage("memory", "Memory checker", 0.1, memory),
    Stage("rows", "Speed by row", 0.1, cuda_speed.rows, cuda_speed.rows_table),
    Stage("overhead", "Fixed cost of an image", 0.05, cuda_speed.overhead),
    Stage("in-flight", "Images in flight", 0.05, cuda_speed.in_flight),
    Stage("record", "Large jobs", 0.05, cuda_speed.large_jobs),
]
