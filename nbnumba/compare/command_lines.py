"""Another program and ours on a list of command lines, as a table."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.atomic import whole_file
from ..io.opening import read_small
from . import summary
from .comparing import Comparing, make_folder
from .metrics import Metrics
from .run_other import Run, find, prepare_words, run_both

_COMMAND_SHOWN = 60  # characters
_HEADER = (
    "line",
    "",
    "correlation",
    "sum B / A",
    "largest |B-A|",
    "equal",
    "peaks",
    "other [s]",
    "ours [s]",
    "speed-up",
)
_WIDTHS = (4, 5, 13, 13, 13, 10, 9, 9, 8, 8)


@dataclass(frozen=True)
class Line:
    """One command line of a list."""

    number: int
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """The line as it would be typed."""
        return shlex.join(self.words)


def read_list(path: str) -> list[Line]:
    """Read command lines, one a line; a backslash at the end joins the next line, # begins a comment.

    A line may begin with the name of a program.

    Raises
    ------
    FileError
        The file cannot be read.
    InputError
        A line is no command line of nanoBragg, or there is none.
    """
    try:
        text = read_small(path, "--list").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"--list {path}: is not text (byte {error.start})") from None
    found = []
    for number, typed in _joined_lines(text):
        try:
            words = shlex.split(typed, comments=True)
        except ValueError as error:
            raise InputError(f"--list {path}, line {number}: {str(error).lower()}") from None
        if words and not words[0].startswith("-"):
            words = words[1:]
        if not words:
            continue
        try:
            prepare_words(words)
        except InputError as error:
            raise InputError(f"--list {path}, line {number}: {error}") from None
        found.append(Line(number, tuple(words)))
    if not found:
        raise InputError(f"--list {path}: holds no command line")
    return found


def _joined_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines, those that a backslash joins as one, and the number of the first."""
    first, joined = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        first = first or number
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        yield first, joined + line
        first, joined = 0, ""
    if joined:
        yield first, joined


def compare_all(executable: str, path: str, how: Comparing, folder: Path | None) -> int:
    """Run another program and nbnumba on every command line of a list, print a table, return the exit status.

    A line on which a program fails, fails alone.

    Parameters
    ----------
    executable : str
        A path, or a name to look up in PATH.
    path : str
        The list.
    how : Comparing
    folder : path or None
        Receives a folder for each line, named by its number, and table.json.

    Raises
    ------
    FileError
        The list cannot be read, the executable cannot be started, or the folder cannot be written.
    InputError
        See `read_list`.
    """
    find(executable)
    lines = read_list(path)
    print(_joined(_HEADER) + "  command")
    rows = []
    for line in lines:
        found = _compare(executable, line, how, folder)
        rows.append(found)
        print(_joined(_cells(found)) + f"  {_shortened(line.text)}", flush=True)
        if found["error"]:
            print(f"      {found['error']}", flush=True)
    passed = sum(row["passed"] for row in rows)
    print(f"{passed} of {len(rows)} pass")
    if folder is not None:
        with whole_file(folder / "table.json") as file:
            file.write(summary.to_json({"passed": passed, "lines": len(rows), "rows": rows}).encode())
        print(f"wrote {folder / 'table.json'}")
    return 0 if passed == len(rows) else 1


def _compare(executable: str, line: Line, how: Comparing, folder: Path | None) -> dict[str, Any]:
    """Compare on one command line."""
    row: dict[str, Any] = {"line": line.number, "command": line.text, "passed": False, "error": ""}
    try:
        images, runs = run_both(executable, line.words)
        place = None if folder is None else make_folder(str(folder / f"{line.number:03d}"))
        report = how.report(images, runs, place)
    except InputError as error:
        return row | {"error": str(error)}
    return row | {"passed": report.passed, **_figures(report.metrics, runs)}


def _figures(metrics: Metrics, runs: tuple[Run, Run]) -> dict[str, Any]:
    return {
        "correlation": metrics.correlation,
        "one_minus_correlation": metrics.decorrelation,
        "sum_ratio": metrics.sum_ratio,
        "max_difference": metrics.max_difference,
        "equal_fraction": metrics.equal_fraction,
        "largest_displacement": metrics.peaks.largest,
        "seconds": [run.seconds for run in runs],
        "speed_up": summary.speed_up(runs),
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    verdict = "pass" if row["passed"] else "FAIL"
    if row["error"]:
        return (str(row["line"]), verdict, *[""] * (len(_HEADER) - 2))
    correlation, ratio = row["correlation"], row["sum_ratio"]
    moved = row["largest_displacement"]
    return (
        str(row["line"]),
        verdict,
        "" if correlation is None else summary.near_one(correlation, row["one_minus_correlation"]),
        "" if ratio is None else summary.near_one(ratio),
        "" if row["max_difference"] is None else f"{row['max_difference']:.4g}",
        f"{100.0 * row['equal_fraction']:.4f} %",
        "" if moved is None else f"{moved:.3g}",
        *(f"{seconds:.2f}" for seconds in row["seconds"]),
        f"{row['speed_up']:.2f}",
    )


def _joined(cells: tuple[str, ...]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))


def _shortened(text: str) -> str:
    return text if len(text) <= _COMMAND_SHOWN else text[: _COMMAND_SHOWN - 3] + "..."
