"""What the program says besides its results: notices on standard error, report lines, progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
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


class Reporter:
    """Prints report lines unless -quiet was given."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    def __call__(self, lines: Iterable[str]) -> None:
        """Print lines."""
        if not self.quiet:
            print("\n".join(lines), flush=True)


@contextlib.contextmanager
def progress_bar(what: str, shown: bool = True) -> Iterator[Callable[[float], None] | None]:
    """Show a progress bar on standard error, on a terminal only.

    Yields
    ------
    callable or None
        Receives the fraction done; None where no bar is shown.
    """
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)
