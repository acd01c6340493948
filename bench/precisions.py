"""Mixed precision beside double on the processor, row by row of the matrix."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from . import matrix
from .matrix import ROOT
from .others import Cells, Plan, Table, spread
from .processes import work


def mixed(plan: Plan) -> Table:
    """Compare the two precisions for the rows of square and round crystals."""
    rows: list[Cells] = []
    raw = []
    for row in matrix.load():
        if row.crystal not in ("square", "round"):
            continue
        if row.missing() is not None:
            rows.append([row.name, row.missing() or "", *[""] * 4])
            continue
        found = work("precisions", row.inputs, words=list(row.words), repeats=3 if plan.quick else 4 * plan.rounds)
        times = found["seconds"]
        ratio = statistics.median(times["double"]) / statistics.median(times["mixed"])
        rows.append(
            [
                row.name, f"{found['evaluated_steps']:.1e}", spread(times["double"], 3), spread(times["mixed"], 3),
                f"{ratio:.2f}", "passed" if found["passed"] else found["reason"],
            ]
        )  # fmt: skip
        raw.append({"row": row.name, "ratio": ratio, **found})
    return Table(
        "mixed",
        "Mixed precision on the processor",
        "Processor time of the kernel, one thread, the two precisions in turn; median, least and most.",
        ["row", "steps evaluated", "double [s]", "mixed [s]", "times as fast", "gate of mixed precision"],
        rows,
        raw,
    )


def measure(words: list[str], repeats: int) -> dict[str, Any]:
    """Time both precisions for a command line, in this process and in turn, and judge the images."""
    from nbnumba import kernels
    from nbnumba.experiment.resolve import resolve
    from nbnumba.experiment.scene import build_scene
    from nbnumba.parameters.parser import parse

    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from agreement import judge  # type: ignore[import-not-found]

    scene = build_scene(resolve(parse([*words, "-nodump"]).settings))
    images = {name: kernels.render(scene, "cpu", 1, precision=name) for name in ("double", "mixed")}
    if images["mixed"].precision != "mixed":
        raise ValueError("this row is not drawn in mixed precision")
    seconds: dict[str, list[float]] = {name: [] for name in images}
    for _ in range(repeats):
        for name in images:
            start = time.process_time()
            kernels.render(scene, "cpu", 1, precision=name)
            seconds[name].append(time.process_time() - start)
    verdict = judge(images["double"].image, images["mixed"].image, "cuda-mixed")
    return {
        "seconds": seconds,
        "evaluated_steps": images["mixed"].evaluated_steps,
        "passed": verdict.passed,
        "worst_relative": verdict.worst_relative,
        "reason": verdict.reason,
    }


TABLES: dict[str, Callable[[Plan], Table]] = {"mixed": mixed}
