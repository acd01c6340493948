"""How the program ends: exit statuses, and failures as one line."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from ..errors import FileError, InputError, NbnumbaError
from .messages import say
from .signals import Ended

INTERRUPTED = 130


BROKEN_PIPE = 141  # what a shell sees of a program that SIGPIPE ended


_FAILED_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def exit_status(action: Callable[[], int]) -> int:
    """Return what an action returns, or report its failure in one line and return the status for that.

    An exception that is neither the input's nor the machine's fault is a bug and passes through.
    """
    try:
        status = action()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        say("nbnumba: interrupted")
        return INTERRUPTED
    except Ended as end:
        say(f"nbnumba: ended by {end}")
        return end.exit_status
    except BrokenPipeError:
        return BROKEN_PIPE
    except NbnumbaError as error:
        return _fail(str(error), error.exit_status)
    except MemoryError as error:
        return _fail(f"not enough memory: {error}" if str(error) else "not enough memory", InputError.exit_status)
    except OSError as error:
        # Failures to write a file name it: what is left without a name is a failed print.
        place = error.filename or ("standard output" if error.errno in _FAILED_WRITE else "")
        where = f"{place}: " if place else ""
        return _fail(f"{where}{error.strerror or error}", FileError.exit_status)
    finally:
        _give_up_lost_output()


def _fail(message: str, status: int) -> int:
    say(f"nbnumba: error: {' '.join(message.split())}")
    return status


def _give_up_lost_output() -> None:
    """Point standard output to nowhere when it cannot take the rest, so that leaving Python is silent."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
