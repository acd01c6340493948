"""What a command shows while it works: the report on standard output, progress on standard error."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator

from ..parameters.settings import Output


class Reporter:
    """Prints report lines unless -quiet was given."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    def __call__(self, lines: Iterable[str]) -> None:
        """Print lines."""
        if not self.quiet:
            print("\n".join(lines), flush=True)


@contextlib.contextmanager
def progress_bar(what: str, output: Output) -> Iterator[Callable[[float], None] | None]:
    """Show a progress bar on standard error, on a terminal only.

    Yields
    ------
    callable or None
        Receives the fraction done; None where no bar is shown.
    """
    if output.quiet or not output.progress or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)
