"""What a comparison found, as text and as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from .metrics import Check, Metrics
from .pair import Pair
from .run_other import Run

_NAMES = {
    "correlation": "correlation",
    "sum_ratio": "sum of B / sum of A",
    "rmse": "RMSE",
    "max_difference": "largest |B - A|",
    "equal_fraction": "equal pixels",
    "displacement": "peak displacement",
    "not_finite_in_one": "not finite in one",
    "finite": "finite in both",
}


def passed(checks: list[Check]) -> bool:
    """Whether all that was asked holds."""
    return all(check.passed for check in checks)


def rows(metrics: Metrics, checks: list[Check]) -> list[tuple[str, str, str, str]]:
    """Return one line of a table per quantity: its name, its value, what is asked of it, and "pass", "FAIL" or "".

    Quantities that tell of trouble only (masked pixels, infinite ones) are left out where there is none.
    """
    m, peaks = metrics, metrics.peaks
    values = {
        "correlation": _correlation(m),
        "sum_ratio": "not defined: the sum of A is 0" if m.sum_ratio is None else near_one(m.sum_ratio),
        "rmse": _number(m.rmse),
        "max_difference": _largest(m),
        "equal_fraction": f"{_percent(m.equal_fraction)} of {m.pixels}",
        "displacement": _displacement(m),
        "not_finite_in_one": f"{m.not_finite_in_one} pixels",
        "finite": f"{m.pixels - m.not_finite - m.not_finite_in_one} pixels",
    }
    asked = {check.name: check for check in checks}
    table = []
    for name, value in values.items():
        check = asked.get(name)
        if name in ("not_finite_in_one", "finite") and (check is None or check.passed):
            continue
        verdict = "" if check is None else "pass" if check.passed else "FAIL"
        table.append((_NAMES[name], value, check.asked if check else "", verdict))
    table.insert(5, ("peaks matched", f"{peaks.matched} of {peaks.found_a} in A, {peaks.found_b} in B", "", ""))
    if peaks.shift is not None:
        table.append(("peak shift, mean", f"slow {peaks.shift[0]:+.4g}, fast {peaks.shift[1]:+.4g} pixels", "", ""))
    if m.left_out:
        table.append(("left out", f"{m.left_out} pixels, masked or outside the valid range", "", ""))
    if m.not_finite:
        table.append(("not finite in both", f"{m.not_finite} pixels", "", ""))
    return table


def text(pair: Pair, metrics: Metrics, checks: list[Check], runs: tuple[Run, Run] | None) -> str:
    """Return the report for a terminal."""
    lines = []
    for letter, name, kind, (n_slow, n_fast) in zip("AB", pair.names, pair.kinds, pair.shapes, strict=True):
        lines.append(f"{letter}: {name} ({kind}), {n_fast} x {n_slow} (fast x slow)")
    if pair.resampled:
        lines.append(f"finer pixels are added up to {pair.a.shape[1]} x {pair.a.shape[0]}")
    if runs is not None:
        lines.append(times(runs))
    table = rows(metrics, checks)
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    for name, value, asked, verdict in table:
        lines.append(f"{name:{widths[0]}}  {value:{widths[1]}}  {asked:{widths[2]}}  {verdict}".rstrip())
    lines.append("PASS" if passed(checks) else "FAIL")
    return "\n".join(lines)


def times(runs: tuple[Run, Run]) -> str:
    """Return a sentence with the wall time of both programs."""
    other, ours = runs
    return (
        f"time: {other.program} {other.seconds:.2f} s, {ours.program} {ours.seconds:.2f} s, speed-up "
        f"{speed_up(runs):.2f} (start included; the first run of nbnumba on a machine compiles)"
    )


def speed_up(runs: tuple[Run, Run]) -> float:
    """Return how many times less wall time nbnumba took, start included."""
    other, ours = runs
    return other.seconds / ours.seconds


def as_dict(pair: Pair, metrics: Metrics, checks: list[Check], runs: tuple[Run, Run] | None) -> dict[str, Any]:
    """Return everything that was found, ready for JSON: numbers that are not finite or not defined are null."""
    m = metrics
    found: dict[str, Any] = {
        "passed": passed(checks),
        "a": {"name": pair.names[0], "kind": pair.kinds[0], "shape": pair.shapes[0]},
        "b": {"name": pair.names[1], "kind": pair.kinds[1], "shape": pair.shapes[1]},
        "shape": pair.a.shape,
        "origin": pair.origin,
        "resampled": pair.resampled,
        "pixels": m.pixels,
        "left_out": m.left_out,
        "not_finite": m.not_finite,
        "not_finite_in_one": m.not_finite_in_one,
        "correlation": m.correlation,
        "one_minus_correlation": m.decorrelation,
        "rmse": m.rmse,
        "max_difference": m.max_difference,
        "max_difference_at": [m.worst[0].slow, m.worst[0].fast] if m.worst else None,
        "sum_a": m.sum_a,
        "sum_b": m.sum_b,
        "sum_ratio": m.sum_ratio,
        "equal_fraction": m.equal_fraction,
        "peaks": {
            "found_a": m.peaks.found_a,
            "found_b": m.peaks.found_b,
            "matched": m.peaks.matched,
            "mean_displacement": m.peaks.mean,
            "median_displacement": m.peaks.median,
            "largest_displacement": m.peaks.largest,
            "mean_shift": m.peaks.shift,
        },
        "worst_pixels": [{"slow": p.slow, "fast": p.fast, "a": p.a, "b": p.b} for p in m.worst],
        "checks": [{"name": c.name, "asked": c.asked, "passed": c.passed} for c in checks],
    }
    if runs is not None:
        found["runs"] = [
            {"program": run.program, "command": run.command, "seconds": run.seconds, "status": run.status}
            for run in runs
        ]
        found["speed_up"] = speed_up(runs)
    cleaned: dict[str, Any] = _finite(found)
    return cleaned


def to_json(found: dict[str, Any]) -> str:
    """Return the text of metrics.json."""
    return json.dumps(found, indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """Replace numbers that JSON lacks by None."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.6g}"


def _correlation(metrics: Metrics) -> str:
    if metrics.correlation is None:
        return "not defined: both are constant" if metrics.both_constant else "not defined: an image is constant"
    return near_one(metrics.correlation, metrics.decorrelation)


def near_one(value: float, below: float | None = None) -> str:
    """Return a number as text, a close 1 as what it lacks or has above it, `below` where 1 - value is known better."""
    off = below if below is not None else 1.0 - value
    if off == 0.0 or abs(off) > 1e-3:
        return f"{value:.9g}"
    return f"1 {'-' if off > 0.0 else '+'} {abs(off):.3g}"


def _largest(metrics: Metrics) -> str:
    if not metrics.worst:
        return _number(metrics.max_difference)
    worst = metrics.worst[0]
    return f"{metrics.max_difference:.6g} at slow {worst.slow}, fast {worst.fast}"


def _percent(fraction: float) -> str:
    """Return a percentage that says 100 only where nothing is missing."""
    if fraction == 1.0:
        return "100 %"
    return f"{min(fraction * 100.0, 99.9999):.4f} %"


def _displacement(metrics: Metrics) -> str:
    peaks = metrics.peaks
    if peaks.mean is None or peaks.median is None or peaks.largest is None:
        return "not defined: no peak matched"
    return f"median {peaks.median:.4g}, mean {peaks.mean:.4g}, largest {peaks.largest:.4g} pixels"
