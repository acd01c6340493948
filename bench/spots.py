"""Compact spots: the job of the largest published set of images, and how cost grows with orientations and pixels."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .others import Plan, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbnumba.kernels.scene import Scene
    from nbnumba.kernels.types import Rendered

# 320 A100 took 251 s for 100 000 such images.
RECORD = (
    "-cell 67.2 59.8 47.2 90 110.3 90 -misset 10 20 30 -hkl random.hkl -lambda {wavelength} -distance 141.7 "
    "-pixel {pixel} -detpixels {edge} -N 16 -shape gauss_argchk -mosaic 0.05 -mosaic_domains 25 -oversample 1 "
    "-fluence {fluence} -nointerpolate -nodump"
)
ENERGY_EV, CHANNELS, WIDTH = 7120.0, 100, 0.01
RESOLUTION_A = 1.7
BRIGHTEST = 1e4  # photons in the brightest pixel
SAMPLED = f"-dispersion {100 * WIDTH:g} -dispsteps {CHANNELS}"
VARIANTS = (
    ("exponent 35", SAMPLED, 12.0),
    ("-spot_cutoff 1e-3", f"{SAMPLED} -spot_cutoff 1e-3", 2.5),
    ("closed form, channel by channel", "-spread continuous -sourcefile channels.txt -spot_cutoff 1e-3", 0.5),
    ("closed form, Gaussian spectrum", f"-spread continuous {SAMPLED} -spot_cutoff 1e-3", 0.15),
)
GROWTH = (
    "-cell 79 79 38 90 90 90 -default_F 100 -lambda 1 -distance 200 -N 30 -shape gauss_abc -mosaic 0.3 "
    "-mosaic_domains {orientations} -oversample 1 -fluence 1e24 -nointerpolate -nodump -detpixels {edge} -pixel {pixel}"
)
ORIENTATIONS = (1, 10, 100, 1_000, 10_000, 100_000)
EDGES = (500, 1000, 2000, 4000, 8000)  # 0.25 to 64 Mpixel


def scene_of(line: str, folder: Path) -> Scene:
    """Build the scene of a command line in a folder that holds its files."""
    from nbnumba.experiment.resolve import resolve
    from nbnumba.experiment.scene import build_scene
    from nbnumba.parameters.parser import parse

    with contextlib.chdir(folder):
        return build_scene(resolve(parse(line.split()).settings))


def render(scene: Scene) -> Rendered:
    """Render a scene with one thread."""
    from nbnumba.kernels.cpu import driver

    return driver.render(scene, 1, None, None)


def processor_seconds(work: Callable[[], Any], rounds: int) -> float:
    """Return the median processor time of some work, which has been done before."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return statistics.median(found)


def write_inputs(folder: Path, wavelength: float) -> None:
    """Write random structure factors, and the channels as a list of sources."""
    real = np.array([[67.2, 0.0, 0.0], [0.0, 59.8, 0.0], [0.0, 0.0, 47.2]])
    angle = np.radians(110.3)
    real[2] = 47.2 * np.array([np.cos(angle), 0.0, np.sin(angle)])
    reciprocal = np.linalg.inv(real)  # columns a*, b*, c*
    most = [int(length / RESOLUTION_A) + 1 for length in (67.2, 59.8, 47.2)]
    h, k, l = (axis.ravel() for axis in np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"))
    listed = np.linalg.norm(np.stack([h, k, l], axis=1) @ reciprocal.T, axis=1) < 1.0 / RESOLUTION_A
    listed &= (h + k) % 2 == 0  # C2
    factors = np.random.default_rng(1).rayleigh(100.0, int(listed.sum()))
    rows = np.column_stack([h[listed], k[listed], l[listed], factors])
    np.savetxt(folder / "random.hkl", rows, fmt="%d %d %d %.3f")
    channels = wavelength * (1.0 + WIDTH * np.linspace(-0.5, 0.5, CHANNELS))
    (folder / "channels.txt").write_text("".join(f"-10 0 0 1 {channel * 1e-10:.9e}\n" for channel in channels))


def record_job(plan: Plan) -> Table:
    """Time the job of the largest published set, in four ways; with --quick on a sixteenth of the pixels."""
    wavelength = 12398.41984 / ENERGY_EV
    edge = 750 if plan.quick else 3000
    rows, raw = [], []
    with tempfile.TemporaryDirectory(prefix="nbnumba-bench-") as name:
        folder = Path(name)
        write_inputs(folder, wavelength)

        def line(more: str, fluence: float) -> str:
            words = RECORD.format(wavelength=wavelength, pixel=0.11 * 3000 / edge, edge=edge, fluence=f"{fluence:.6g}")
            return f"{words} {more}"

        first = render(scene_of(line(VARIANTS[1][1], 1e28), folder))
        fluence = 1e28 * BRIGHTEST / float(first.image.max())
        for variant, more, goal in VARIANTS:
            scene = scene_of(line(more, fluence), folder)
            rendered = render(scene)
            seconds = processor_seconds(lambda s=scene: render(s), plan.rounds)
            nominal = scene.samples_per_pixel * rendered.image.size
            brightest = float(rendered.image.max())
            rows.append(
                [
                    variant, f"{seconds:.2f}", f"{goal:g}", str(rendered.spots), f"{rendered.evaluated_steps:.2e}",
                    f"{nominal:.2e}", f"{brightest:.0f}", f"{_differs(scene, rendered.image):.1e}",
                ]
            )  # fmt: skip
            raw.append({"variant": variant, "seconds": seconds, "spots": rendered.spots, "nominal": nominal})
    return Table(
        "record-job",
        f"The record job, {edge} x {edge} pixels",
        "100 channels over 1 %, 25 domains of 0.05 degrees, N = 16, random F to 1.7 Å, 1e4 photons in the brightest "
        "pixel. The kernel alone, one thread; the goals are those of 3000 x 3000 pixels on an AMD EPYC. The last "
        "column: largest difference from the kernel that asks every pixel, in 64 x 64 pixels about the brightest.",
        [
            "spots", "processor time [s]", "goal [s]", "listed", "steps evaluated", "nominal steps", "brightest pixel",
            "difference",
        ],
        rows,
        raw,
    )  # fmt: skip


def _differs(scene: Scene, image: Any) -> float:
    """Return the largest difference from the kernel that asks every pixel, about the brightest; NaN in closed form."""
    from nbnumba.kernels.cpu import driver

    if scene.continuous:
        return float("nan")
    slow, fast = (int(at) for at in np.unravel_index(int(np.argmax(image)), image.shape))
    part = scene.replace(
        slow_first=max(0, slow - 32), slow_last=min(scene.n_slow - 1, slow + 31),
        fast_first=max(0, fast - 32), fast_last=min(scene.n_fast - 1, fast + 31),
    )  # fmt: skip
    whole = driver.render_panels([part], 1, None, None, few=True)[0].image
    here = slice(part.slow_first, part.slow_last + 1), slice(part.fast_first, part.fast_last + 1)
    return float(np.abs(whole[here].astype(np.float64) - image[here]).max())


def growth(plan: Plan) -> Table:
    """Time images of 1 to 100 000 orientations on 0.25 to 64 Mpixel."""
    orientations = ORIENTATIONS[:4] if plan.quick else ORIENTATIONS
    edges = EDGES[:3] if plan.quick else EDGES
    rows, raw = [], []
    with tempfile.TemporaryDirectory(prefix="nbnumba-bench-") as name:
        for count in orientations:
            cells = [f"{count}"]
            for edge in edges:
                scene = scene_of(GROWTH.format(orientations=count, edge=edge, pixel=300.0 / edge), Path(name))
                rendered = render(scene)
                seconds = processor_seconds(lambda s=scene: render(s), 1)
                raw.append({"orientations": count, "edge": edge, "seconds": seconds, "spots": rendered.spots})
                cells.append(f"{seconds:.3f} ({rendered.spots})")
            rows.append(cells)
    return Table(
        "growth",
        "Cost of compact spots",
        "Processor time of the kernel alone [s], one thread, and spots listed (0: every pixel was asked), by "
        "orientations and megapixels of a detector of 300 mm.",
        ["orientations", *(f"{edge * edge / 1e6:g} Mpixel" for edge in edges)],
        rows,
        raw,
    )


TABLES: dict[str, Callable[[Plan], Table]] = {"record-job": record_job, "growth": growth}
