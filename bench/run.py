"""The command `python -m bench`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from . import machine, matrix, others, precisions, report, rows, spots
from .others import Plan

RESULTS = Path(__file__).resolve().parent / "results"
TABLES = others.TABLES | spots.TABLES | precisions.TABLES
BUSY = 0.7  # load average of a machine that does something else


def main(words: list[str] | None = None) -> int:
    """Measure, print the tables and write the figures; return 1 when a picture fails the gate."""
    asked = _arguments(words)
    if asked.list:
        print("\n".join([*(row.name for row in matrix.load()), *TABLES]))
        return 0
    if asked.table is not None:
        print(report.render(json.loads(asked.table.read_text())))
        return 0
    reference = os.environ.get("NANOBRAGG_BIN")
    if reference is not None and not os.access(reference, os.X_OK):
        raise SystemExit(f"NANOBRAGG_BIN={reference}: cannot be executed")
    reference = None if reference is None else str(Path(reference).resolve())
    results = _measure(asked, reference)
    output = asked.output or RESULTS / f"{machine.short_name()}-{time.strftime('%Y-%m-%d')}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=1) + "\n")
    print(report.render(results))
    print(f"figures: {output}", file=sys.stderr)
    return 0 if all((row.get("gate") or {"passed": True})["passed"] for row in results["matrix"]) else 1


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Time nbnumba, and beside it the nanoBragg executable that NANOBRAGG_BIN names. "
        "NANOBRAGG_FLAGS says how that was compiled. The machine should do nothing else meanwhile.",
    )
    parser.add_argument("--only", action="append", metavar="ROW", help="a row or table (repeatable; see --list)")
    parser.add_argument("--list", action="store_true", help="list rows and tables")
    parser.add_argument("--quick", action="store_true", help="one round, and smaller sizes beside the matrix")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each command runs (default 5)")
    parser.add_argument("--threads", type=int, default=min(2, machine.cores()), metavar="N", help="default 2")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the figures (default bench/results/MACHINE-DATE.json)"
    )
    parser.add_argument("--table", type=Path, metavar="FILE", help="print the tables of such a file; measure nothing")
    asked = parser.parse_args(words)
    if asked.rounds is not None and asked.rounds < 1:
        parser.error("--rounds: at least 1")
    if not 1 <= asked.threads <= machine.cores():
        parser.error(f"--threads: 1 to {machine.cores()} here")
    known = {*TABLES, *(row.name for row in matrix.load())}
    for name in asked.only or ():
        if name not in known:
            parser.error(f"--only {name}: no such row or table; --list shows them")
    return asked


def _measure(asked: argparse.Namespace, reference: str | None) -> dict[str, Any]:
    rounds = asked.rounds or (1 if asked.quick else 5)
    results: dict[str, Any] = {"machine": machine.describe(asked.threads, reference), "rounds": rounds}
    if results["machine"]["load_at_start"] > BUSY:
        _say(f"load average {results['machine']['load_at_start']}: something else is running, times will be too long")
    start = time.perf_counter()
    results["others"] = []
    for name, function in TABLES.items():
        if asked.only is None or name in asked.only:
            _say(f"{time.perf_counter() - start:5.0f} s  {name}")
            results["others"].append(function(Plan(rounds, asked.threads, asked.quick)).as_json())
    results["matrix"] = []
    for row in matrix.load():
        if asked.only is None or row.name in asked.only:
            _say(f"{time.perf_counter() - start:5.0f} s  {row.name}")
            results["matrix"].append(rows.measure(row, rounds, asked.threads, reference))
    results["load_at_end"] = machine.load()
    return results


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
