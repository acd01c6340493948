"""One blow; `python -m kills` in the folder tests goes on for 200."""

from __future__ import annotations

from pathlib import Path

import pytest

from kills.campaign import Campaign, run

pytestmark = [pytest.mark.command_line, pytest.mark.slow, pytest.mark.alone]


def test_nothing_is_lost_doubled_or_changed(tmp_path: Path) -> None:
    (blow,) = run(Campaign(tmp_path, seed=2), ["one process"], 1, lambda blow: None)[-1:]
    assert blow.struck
    assert not blow.failures
