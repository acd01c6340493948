"""Skips by requirement, tests that run alone, and what stands after the tests: golden table, times, skips.

What the end tells of a test travels in its reports, since several processes may share a run (pytest-xdist).
"""

from __future__ import annotations

import contextlib
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

import hypothesis
import pytest
from alone import turn
from requirements import REQUIREMENTS

# A test belongs to the first of these markers that it bears, and to "unit" when it bears none.
SUITES = ("golden", "differential", "twins", "command_line", "readers", "browser", "property", "slow")

_skipped = pytest.StashKey[dict[str, str]]()  # node id -> requirement
_golden_rows = pytest.StashKey[list["GoldenRow"]]()
_suite_of = pytest.StashKey[dict[str, str]]()


class GoldenRow(NamedTuple):
    """One line of the table of golden cases."""

    case: str
    worst_relative: float
    equal_fraction: float
    sum_ratio: float
    passed: bool


class _Reports:
    """Collects what the reports of tests tell for the end."""

    def __init__(self, stash: pytest.Stash) -> None:
        self._stash = stash

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == "suite":
                self._stash[_suite_of][report.nodeid] = value
            elif name == "requires" and report.when == "setup":
                self._stash[_skipped][report.nodeid] = value
            elif name == "golden" and report.when == "teardown":
                self._stash[_golden_rows].append(GoldenRow(*value))


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts what runs in the background with SIGINT ignored, which all processes of the tests would inherit.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # The time that an example takes says more of the machine than of the code.
    hypothesis.settings.register_profile("any machine", deadline=None)
    hypothesis.settings.load_profile("any machine")
    config.stash[_skipped] = {}
    config.stash[_golden_rows] = []
    config.stash[_suite_of] = {}
    config.pluginmanager.register(_Reports(config.stash))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        suite = next((name for name in SUITES if item.get_closest_marker(name)), "unit")
        item.user_properties.append(("suite", suite))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Let tests that strike processes down at a moment, or wait for some seconds, have the machine to themselves."""
    shared = hasattr(item.config, "workerinput")  # by the processes of pytest-xdist
    with turn(item.get_closest_marker("alone") is not None) if shared else contextlib.nullcontext():
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose requirement is missing, before its fixtures are made."""
    for mark in item.iter_markers("requires"):
        (name,) = mark.args
        why = REQUIREMENTS[name]()
        if why is not None:
            item.user_properties.append(("requires", name))
            pytest.skip(f"needs {name}: {why}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Turn a skip that `requires` did not issue into a failure."""
    report = yield
    # Of tests of odd file names; xdist sends no strings that are not Unicode.
    report.sections = [(title, text.encode("utf-8", "backslashreplace").decode()) for title, text in report.sections]
    if report.skipped and not hasattr(report, "wasxfail") and "requires" not in dict(item.user_properties):
        report.outcome = "failed"
        report.longrepr = f"skipped without @requires(...) of tests/support/requirements.py: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Turn a module that skips itself while it is imported into an error."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"module skipped without requires(...) of tests/support/requirements.py: {report.longrepr}"
    return report


def _groundless_skips(config: pytest.Config) -> list[str]:
    """Return the tests that were skipped for something that is present now."""
    return [node for node, name in config.stash[_skipped].items() if REQUIREMENTS[name]() is None]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.exitstatus == pytest.ExitCode.OK and _groundless_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def record_golden(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return a function that puts a row into the table of golden cases; its arguments are GoldenRow's."""

    def record(*fields: object, **named_fields: object) -> None:
        row = GoldenRow(*fields, **named_fields)  # type: ignore[arg-type]
        plain = (str(row.case), *map(float, row[1:4]), bool(row.passed))  # xdist sends no other types
        request.node.user_properties.append(("golden", plain))

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    _write_golden_table(terminalreporter, config.stash[_golden_rows])
    _write_suite_times(terminalreporter, config.stash[_suite_of])
    _write_skips(terminalreporter, config)


def _write_golden_table(out: pytest.TerminalReporter, rows: list[GoldenRow]) -> None:
    if not rows:
        return
    out.section("float images against golden ones")
    width = max(len(row.case) for row in rows)
    out.write_line(f"{'case':{width}}  worst relative  equal to the bit  sum ratio - 1")
    for row in rows:
        line = f"{row.case:{width}}  {row.worst_relative:14.2e}  {row.equal_fraction:15.3%}  {row.sum_ratio - 1:13.1e}"
        out.write_line(line if row.passed else f"{line}  FAILS", red=not row.passed)


def _write_suite_times(out: pytest.TerminalReporter, suite_of: dict[str, str]) -> None:
    seconds: dict[str, float] = defaultdict(float)
    tests: dict[str, set[str]] = defaultdict(set)
    for reports in out.stats.values():
        for report in reports:
            suite = suite_of.get(getattr(report, "nodeid", ""))
            if suite is not None and isinstance(report, pytest.TestReport):
                seconds[suite] += report.duration
                tests[suite].add(report.nodeid)
    if not tests:
        return
    out.section("time of each suite")
    for suite in ("unit", *SUITES):
        if tests[suite]:
            out.write_line(f"{suite:14} {len(tests[suite]):5} tests  {seconds[suite]:8.1f} s")


def _write_skips(out: pytest.TerminalReporter, config: pytest.Config) -> None:
    out.section("skipped tests and reasons")
    skipped = config.stash[_skipped]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for node, name in skipped.items():
        counts[name][node.partition("[")[0]] += 1
    for name, tests in counts.items():
        out.write_line(f"{name}: {REQUIREMENTS[name]() or 'present'}")
        for test, count in tests.items():
            out.write_line(f"    {test}" + (f" ({count})" if count > 1 else ""))
    if not skipped:
        out.write_line("none")
    for node in _groundless_skips(config):
        out.write_line(f"ERROR: {node} was skipped although what it needs is here: {skipped[node]}", red=True)
