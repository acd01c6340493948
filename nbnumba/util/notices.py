"""One-line remarks for the user, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

Notify = Callable[[str], None]
"""What receives the remarks of a computation, one line each."""


def notice(line: str) -> None:
    """Tell the user something on standard error."""
    say(f"nbnumba: notice: {line}")


def say(line: str) -> None:
    """Print a line on standard error, or lose it where nobody listens."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)
