"""The stages of `python -m bench.cuda_hardware` that measure."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import cuda_compile, matrix
from .report import markdown

if TYPE_CHECKING:
    from .cuda_stages import Item, Session

LANES = 128  # of float32 on a multiprocessor; those of float64 are fewer by the GPU's ratio
WANTED = {"double": 1e11, "mixed": 2e11}  # steps/s of "100 mosaic domains" on an H100 or H200

_THOUSAND = (
    "-mat lyso.mat -hkl lyso.hkl -lambda 1.0 -distance 200 -pixel 0.2 -detpixels 1024 -N 5 -mosaic 0.6 "
    "-mosaic_domains 1000 -oversample 1 -nointerpolate -nonoise -nopgm"
)
_SMALL = (
    "-mat lyso.mat -hkl lyso.hkl -lambda 1.0 -distance 200 -pixel 0.2 -detpixels 1024 -N 20 -mosaic 0.6 "
    "-mosaic_domains 10 -oversample 1 -nointerpolate -nonoise -nopgm"
)
# 100 wavelengths over 1 %, 25 mosaic domains, 3000 x 3000 pixels.
_RECORD = (
    "-cell 67.2 59.8 47.2 90 110.3 90 -hkl record.hkl -default_F 0 -energy 7120 -dispersion 1 -dispsteps 100 "
    "-distance 141.7 -pixel 0.11 -detpixels 3000 -N 16 -gauss_xtal -mosaic 0.05 -mosaic_domains 25 -oversample 1 "
    "-misset 12 34 56 -nointerpolate -nonoise -nopgm"
)
_RECORD_DMIN = 1.7  # [Å]


def rows(session: Session) -> Iterator[Item]:
    """Time every row of the matrix: kernels by the GPU's clock, one image, and one of many."""
    for row in matrix.load():
        if row.missing() or not session.chosen(row.name):
            continue
        scene = session.short_scene(list(row.words), row.inputs)
        for precision in session.renderers:
            item = _timed(session, row.name, precision, scene)
            if row.name == "100 mosaic domains":
                item["goal_steps_per_second"] = WANTED[precision]
            yield item


def rows_table(items: list[Item]) -> str:
    """Return what was measured of the rows as a table."""
    header = (
        "case, precision, kernels [ms], image [ms], steps/s, of the float64 bound, float64 operations a step, "
        "one of many [ms]"
    ).split(", ")
    failed = "".join(f"{item['name']}: {item['text']}\n" for item in items if "steps" not in item)
    return markdown(header, [_cells(item) for item in items if "steps" in item]) + failed


def overhead(session: Session) -> Iterator[Item]:
    """Time images of a single pixel, and of a megapixel without a crystal's worth of work."""
    pixel = session.short_scene([*_SMALL.split(), "-roi", "512", "512", "512", "512"])
    whole = session.short_scene(_SMALL.replace("-mosaic_domains 10", "-mosaic_domains 1").split())
    for name, scene in (("one pixel", pixel), ("1024 x 1024 pixels, one orientation", whole)):
        for precision in session.renderers:
            found = _measure(session, precision, scene)
            fixed = statistics.median(found["image_seconds"]) - statistics.median(found["kernel_seconds"])
            text = f"{1e3 * fixed:.2f} ms beside the kernels, {1e3 * found['many_seconds']:.2f} ms of many in a row"
            yield {"name": f"{name}, {precision}", "passed": None, "fixed_seconds": fixed, "text": text, **found}


def in_flight(session: Session) -> Iterator[Item]:
    """Time images in a row with one to four of them in flight."""
    from nbnumba.kernels.cuda.renderer import DeviceRenderer

    scene = session.short_scene(_SMALL.split())
    for count in (1, 2, 3, 4):
        with DeviceRenderer(session.options.device, "mixed", in_flight=count) as renderer:
            renderer.render(scene)
            seconds = _in_a_row(renderer, scene, 2 * session.options.repeats)
        name = f"{count} in flight"
        yield {"name": name, "passed": None, "seconds": seconds, "text": f"{1e3 * seconds:.2f} ms an image"}


def large_jobs(session: Session) -> Iterator[Item]:
    """Time a megapixel with a thousand domains, then an image of the largest published set."""
    thousand = session.short_scene(_THOUSAND.split())
    for precision in session.renderers:
        item = _timed(session, "1024 x 1024, 1000 domains", precision, thousand)
        yield {**item, "goal_seconds": 0.01 if precision == "mixed" else None, "text": _line(item)}
    with tempfile.TemporaryDirectory() as folder:
        _write_reflections(Path(folder) / "record.hkl")
        record = session.short_scene(_RECORD.split(), Path(folder))
    for precision in session.renderers:
        item = _timed(session, "3000 x 3000, 100 wavelengths, 25 domains", precision, record)
        yield {**item, "text": _line(item)}


def _write_reflections(path: Path) -> None:
    """Write random structure factors of a C-centered lattice to the resolution of the record."""
    a, b, c, beta = 67.2, 59.8, 47.2, np.radians(110.3)
    limits = [int(length / _RECORD_DMIN) + 1 for length in (a, b, c)]
    h, k, l = (axis.ravel() for axis in np.meshgrid(*(np.arange(-n, n + 1) for n in limits), indexing="ij"))
    inverse = ((h / a) ** 2 + (l / c) ** 2 - 2.0 * h * l * np.cos(beta) / (a * c)) / np.sin(beta) ** 2 + (
        k / b
    ) ** 2  # 1/d² of a monoclinic cell
    kept = (inverse <= _RECORD_DMIN**-2) & ((h + k) % 2 == 0)
    amplitudes = np.random.default_rng(1).exponential(100.0, int(kept.sum()))
    np.savetxt(path, np.column_stack([h[kept], k[kept], l[kept], amplitudes]), fmt="%d %d %d %.2f")


def _timed(session: Session, name: str, precision: str, scene: Any) -> Item:
    """Measure a scene and compare its rate with the bound."""
    item = {
        "name": name,
        "precision": precision,
        "passed": None,
        "steps": scene.region_shape[0] * scene.region_shape[1] * scene.samples_per_pixel,
        **_measure(session, precision, scene),
    }
    item.update(_against_bound(item, scene, session.renderers[precision]))
    return {**item, "text": _line(item)}


def _measure(session: Session, precision: str, scene: Any) -> Item:
    """Render a scene until it is warm, then some times alone and some times in a row."""
    renderer = session.renderers[precision]
    for _ in range(min(2, session.options.repeats)):
        renderer.render(scene)
    kernels, images = [], []
    for _ in range(session.options.repeats):
        start = time.perf_counter()
        renderer.render(scene)
        images.append(time.perf_counter() - start)
        kernels.append(renderer.kernel_seconds)
    many = _in_a_row(renderer, scene, session.options.repeats)
    return {"kernel_seconds": kernels, "image_seconds": images, "many_seconds": many}


def _in_a_row(renderer: Any, scene: Any, count: int) -> float:
    """Return the time of an image among many [s]."""
    start = time.perf_counter()
    done = sum(1 for _ in renderer.render_many([scene] * count))
    return (time.perf_counter() - start) / done


def _against_bound(item: Item, scene: Any, renderer: Any) -> Item:
    """Compare the rate with what the float64 units could issue, where the inner loop is all that counts."""
    from nbnumba.kernels.cuda.plan import choose_variant

    gpu = renderer.gpu
    if gpu.processors == 0:  # the simulator, which has no clock either
        return {"steps_per_second": None, "float64_operations": None, "float64_bound": None}
    rate = item["steps"] / max(statistics.median(item["kernel_seconds"]), 1e-9)
    variant = choose_variant(scene, item["precision"] == "mixed")
    operations = cuda_compile.float64_operations(_ptx(renderer, variant))
    bound = gpu.processors * gpu.clock * LANES / gpu.double_ratio / max(1, operations)
    return {"steps_per_second": rate, "float64_operations": operations, "float64_bound": bound}


def _ptx(renderer: Any, variant: Any) -> str:
    """Return the PTX of a kernel that has run; it is compiled again where what was loaded from the cache lacks it."""
    try:
        code = "\n".join(map(str, renderer.launcher.kernels.sum_kernel(variant).inspect_asm().values()))
    except Exception:  # of whatever kind: the versions of numba-cuda differ here
        code = ""
    return (
        code if cuda_compile.orientation_loop(code) else cuda_compile.sum_ptx(tuple(variant), renderer.gpu.capability)
    )


def _line(item: Item) -> str:
    kernels, image, rate, share = _cells(item)[2:6]
    return f"{item['precision']}: kernels {kernels} ms, image {image} ms, {rate} steps/s, {share} of the float64 bound"


def _cells(item: Item) -> list[str]:
    known = item["steps_per_second"] is not None
    share = f"{item['steps_per_second'] / item['float64_bound']:.0%}" if known else ""
    return [
        item["name"],
        item["precision"],
        f"{statistics.median(item['kernel_seconds']) * 1e3:.3f}" if known else "?",
        f"{statistics.median(item['image_seconds']) * 1e3:.2f}",
        f"{item['steps_per_second']:.3g}" if known else "?",
        share or "?",
        str(item["float64_operations"]) if known else "?",
        f"{item['many_seconds'] * 1e3:.2f}",
    ]
