"""Results as text: tables in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from .machine import in_words
from .others import spread

Results = dict[str, Any]

SMALLEST_TIME = 1e-3  # a difference of times below it is nothing but their spread [s]


def image_times(program: dict[str, list[float]]) -> list[float]:
    """Time of an image in each round: the whole process less the same command with a single pixel [s]."""
    pairs = zip(program["seconds"], program["seconds_empty"], strict=True)
    return [max(full - empty, SMALLEST_TIME) for full, empty in pairs]


def image_time(program: dict[str, list[float]]) -> float:
    """Time of an image: median of the whole processes less median of those with a single pixel [s]."""
    difference = statistics.median(program["seconds"]) - statistics.median(program["seconds_empty"])
    return max(difference, SMALLEST_TIME)


def ratio(row: Results) -> float:
    """How many times shorter our image takes."""
    return float(image_time(row["reference"]) / image_time(row["ours"]))


def whole_ratio(row: Results) -> float:
    """How many times shorter our whole process takes."""
    reference, ours = (statistics.median(row[program]["seconds"]) for program in ("reference", "ours"))
    return float(reference / ours)


def processor_ratio(row: Results) -> float:
    """How many times less processor time our image takes."""
    reference, ours = (
        statistics.median(row[program]["cpu"]) - statistics.median(row[program]["cpu_empty"])
        for program in ("reference", "ours")
    )
    return max(float(reference), SMALLEST_TIME) / max(float(ours), SMALLEST_TIME)


def marginal_rate(row: Results) -> float:
    """Steps per second within one process, less the fixed cost of an image."""
    inside = row["in_process"]
    seconds = statistics.median(inside["seconds"]) - statistics.median(inside["empty_seconds"])
    return float(row["steps"] / max(seconds, 1e-6))


def matrix_table(rows: Sequence[Results]) -> str:
    """Return the matrix; the reference's columns stand in it when there was one."""
    measured = [row for row in rows if not row["skipped"]]
    compared = [row for row in measured if row["reference"] is not None]
    header = ["case", "steps", "steps/s", "fixed [ms]", "image [s]", "process [s]", "memory [MB]"]
    if any(row["evaluated_steps"] is not None for row in measured):
        header.insert(2, "evaluated")
    if compared:
        header += ["nanoBragg image [s]", "process [s]", "ratio", "ratio of processes", "gate"]
    lines = [_cells(row, header, bool(compared)) for row in measured]
    text = markdown(header, lines)
    for row in rows:
        if row["skipped"]:
            text += f"\nnot measured: {row['name']}: {row['skipped']}\n"
    return text + _means(compared)


def _cells(row: Results, header: Sequence[str], compared: bool) -> list[str]:
    ours, inside = row["ours"], row["in_process"]
    cells = [row["name"], f"{row['steps']:.3g}"]
    if "evaluated" in header:
        evaluated = row["evaluated_steps"]
        cells.append("" if evaluated is None else f"{evaluated / row['steps']:.1%}")
    cells += [
        f"{marginal_rate(row):.2g}",
        f"{1e3 * statistics.median(inside['empty_seconds']):.1f}",
        spread(image_times(ours), 3),
        spread(ours["seconds"]),
        f"{ours['peak_mb']:.0f}",
    ]
    if compared:
        cells += _reference_cells(row)
    return cells


def _reference_cells(row: Results) -> list[str]:
    reference, gate = row["reference"], row["gate"]
    if reference is None:
        return [""] * 5
    pairs = zip(image_times(reference), image_times(row["ours"]), strict=False)  # one of them may run more often
    ratios = [theirs / ours for theirs, ours in pairs]
    return [
        spread(image_times(reference)),
        spread(reference["seconds"]),
        f"{ratio(row):.1f}" + (f" ({min(ratios):.1f}-{max(ratios):.1f})" if len(ratios) > 1 else ""),
        f"{whole_ratio(row):.1f}",
        f"holds, {gate['equal_fraction']:.2%} to the bit" if gate["passed"] else f"FAILS: {gate['reason']}",
    ]


def _means(compared: Sequence[Results]) -> str:
    """Return the geometric means in a sentence."""
    if not compared:
        return ""
    ratios = [ratio(row) for row in compared]
    text = f"\nGeometric mean of the ratio over {len(ratios)} rows: {statistics.geometric_mean(ratios):.1f}"
    text += f"; of whole processes: {statistics.geometric_mean(map(whole_ratio, compared)):.1f}"
    square = [value for value, row in zip(ratios, compared, strict=True) if row["crystal"] == "square"]
    if square:
        text += f"; smallest ratio of a square crystal: {min(square):.1f}"
    by_processor = statistics.geometric_mean(map(processor_ratio, compared))
    return f"{text}. From processor time instead of wall time, which a busy machine spoils less: {by_processor:.1f}.\n"


def explanation(results: Results) -> str:
    """Say what the columns are."""
    threads, rounds = results["machine"]["threads"], results["rounds"]
    return (
        "A step is one structure factor times one lattice factor: pixel x sub-pixel x layer x source x phi step x "
        "domain. steps/s and fixed: within one process, the time of `simulate` for a single pixel (fixed) and the "
        "steps over the time beyond that. Image: wall time of the process less that of the same command with "
        f"`-roi 0 0 0 0`, median of {rounds} each, both in turn, {threads} threads each; in brackets the spread over "
        "the rounds. Process: the whole process, start-up, reading and writing included. Ratio: image of "
        "nanoBragg over image of nbnumba. Gate: the rule of the tests (golden/README.md), on the pictures that were "
        "timed."
    )


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, padded so that it reads well as plain text too."""
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "".join(f"| {' | '.join(map(str.ljust, line, widths))} |\n" for line in lines)


def render(results: Results) -> str:
    """Return everything that was measured, in Markdown."""
    parts = [f"Measured on {in_words(results['machine'])}.\n"]
    loads = results["machine"]["load_at_start"], results.get("load_at_end")
    parts.append(f"Load average before and after: {loads[0]} and {loads[1]}.\n")
    if results["matrix"]:
        parts.append(f"### The matrix\n\n{explanation(results)}\n\n{matrix_table(results['matrix'])}")
    for table in results["others"]:
        parts.append(f"### {table['title']}\n\n{table['note']}\n\n{markdown(table['header'], table['rows'])}")
    return "\n".join(parts)
