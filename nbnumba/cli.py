"""The program `nbnumba`: what is asked for, what to do about it, and how failures end.

Everything heavy is imported when it is needed: help and mistakes on the command line answer at once.
"""

from __future__ import annotations

import functools
import gc
import os
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from .commandline.help import COMMANDS, USAGE, help_text
from .errors import IncompleteError, InputError
from .util.exits import INTERRUPTED, exit_status
from .util.messages import let_streams_take_any_letter, logger, notice, notices_to, say
from .util.signals import ending_signals_raise
from .util.text import quote
from .version import __version__

_HELP = {"-help", "--help", "-h"}
_VERSION = {"-version", "--version"}


def main(argv: list[str] | None = None) -> int:
    """Run the program and return its exit status.

    Parameters
    ----------
    argv
        The words after the program's name; those of this process by default.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    _open_closed_streams()
    let_streams_take_any_letter()
    one_image = argv is None and bool(words) and words[0] not in COMMANDS
    if one_image:
        gc.disable()  # one image leaves little to collect, and the search took a tenth of the start
        os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # its threads would turn for 25 ms before they sleep
    # Called with words by another program, we leave that program's signals alone.
    with notices_to(notice), ending_signals_raise() if argv is None else nullcontext():
        status = exit_status(lambda: _run(words))
    if one_image:
        gc.freeze()  # else Python searches all objects as it ends, a seventh of the processor time of a small image
    return status


def _run(words: list[str]) -> int:
    if words and words[0] in COMMANDS:
        return _run_command(words)
    if _HELP.intersection(words):
        print(help_text())
        return 0
    if _VERSION.intersection(words):
        print(f"nbnumba {__version__}")
        return 0
    if words and not words[0].startswith("-"):
        raise InputError(f"{words[0]!a}: neither an option nor a command ({', '.join(COMMANDS)}); -help lists them all")
    return _simulate(words)


def _simulate(words: list[str]) -> int:
    from .experiment.required import missing_crystal
    from .io.contents import Contents, read_once
    from .parameters.parser import parse
    from .structure_factors.required import missing_structure_factors

    contents: Contents = {}
    with read_once(contents):
        command = parse(words)
    for line in command.notices:
        logger.warning(line)
    missing = missing_crystal(command.settings) or missing_structure_factors(command.settings)
    if missing:
        say(USAGE)
        raise InputError(missing)
    from .commandline.simulate import run

    try:
        run(command, contents)
    except IncompleteError:
        say(USAGE)
        raise
    return 0


def _run_command(words: list[str]) -> int:
    """Run a sub-command, which Typer parses."""
    import typer

    from .commandline.usage_errors import message
    from .parameters.tokens import DASHES

    end = words.index("--") if "--" in words else len(words)
    ours = ["--help" if word in _HELP else word for word in words[:end]]
    for word in ours:
        # Click would take "=x" for the value.
        if re.match(r"-\w=", word):
            raise InputError(
                f"{words[0]}: {quote(word)}: an option and its value are two words; type {word[:2]} {word[3:]}"
            )
        if word[:1] in DASHES and word:
            raise InputError(
                f"{words[0]}: {quote(word)}: begins with {word[0]!a}, which is not the dash of the keyboard"
            )
    command = _commands()
    try:
        # Without its standalone mode Typer leaves errors, interrupts and the exit status to us.
        status = command.main(args=[*ours, *words[end:]], prog_name="nbnumba", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        # Older versions of Typer raise click's exceptions, newer ones their own: both have this method.
        if not hasattr(error, "format_message"):
            raise
        raise InputError(f"{words[0]}: {message(error, words)}") from None
    if status == INTERRUPTED:  # what newer versions of Typer make of Ctrl-C
        raise KeyboardInterrupt
    return status if isinstance(status, int) else 0


@functools.cache
def _commands() -> Any:
    """Return the sub-commands as Typer reads them, which takes a while."""
    import typer

    from .commandline.commands import app
    from .commandline.usage_errors import without_types

    return without_types(typer.main.get_command(app))


def _open_closed_streams() -> None:
    """Point standard streams that were closed to nowhere: the next file opened would else take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115
