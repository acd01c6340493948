"""A minute of damaged input; `python -m fuzz` in the folder tests goes on for an hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.fuzzer import NAMES, Fuzzer

pytestmark = [pytest.mark.command_line, pytest.mark.slow]


def test_damaged_input_is_one_line_of_error(tmp_path: Path) -> None:
    fuzzer = Fuzzer(NAMES, seed=20, keep=tmp_path / "failures")
    fuzzer.run(seconds=60.0)
    assert not fuzzer.failures, "\n".join(fuzzer.failures)
    assert len(fuzzer.counts) > len(NAMES) // 2  # the machine was not so busy that nothing was tried
