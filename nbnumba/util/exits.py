"""How the program ends: exit statuses, and failures as one line."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..errors import FileError, NbnumbaError
from ..version import __version__
from .messages import say
from .signals import Ended

INTERNAL = 6  # a mistake of ours
MEMORY = 7  # not enough of it, or of threads
INTERRUPTED = 130
BROKEN_PIPE = 141  # what a shell sees of a program that SIGPIPE ended

REPORT_TO = "https://github.com/nbnumba/nbnumba/issues"

_LONGEST = 300  # characters of a message
_TAIL = 95
_FAILED_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
# What Python and the loader of shared libraries make of too little memory, of `ulimit -v` or `ulimit -u`.
_SHORTAGES = ("can't start new thread", "cannot allocate memory", "failed to map segment")


def exit_status(action: Callable[[], int]) -> int:
    """Return what an action returns, or report its failure in one line and return the status for that.

    An exception that is neither the input's nor the machine's fault is a mistake of ours: its traceback goes into a
    file, and the line names the file and where to report it.
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
    except Exception as error:
        return failed(error)
    finally:
        _give_up_lost_output()


def failed(error: Exception) -> int:
    """Report a failure and return the exit status for it."""
    if isinstance(error, NbnumbaError):
        return _fail(str(error), error.exit_status)
    if is_shortage(error):
        behind = error.__cause__ or error.__context__
        told = behind if behind is not None and is_shortage(behind) else error
        detail = f": {told}" if str(told) else ""
        return _fail(f"not enough memory{detail}", MEMORY)
    if isinstance(error, OSError):
        # Failures to write a file name it: what is left without a name is a failed print.
        place = error.filename or ("standard output" if error.errno in _FAILED_WRITE else "")
        where = f"{place}: " if place else ""
        return _fail(f"{where}{error.strerror or error}", FileError.exit_status)
    log = _log_file(error)
    beside = f" with the file {log}" if log else ""
    text = f"{type(error).__name__}: {error}"
    return _fail(f"internal error; please report it{beside} at {REPORT_TO}: {text}", INTERNAL)


def is_shortage(error: BaseException) -> bool:
    """Tell whether too little memory or too few threads are behind an exception."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    if not isinstance(error, (RuntimeError, ImportError, OSError)):
        return False
    text = str(error).lower()
    if any(words in text for words in _SHORTAGES):
        return True
    # llvmlite says that its library may be missing, and has the loader's own error behind that.
    behind = error.__cause__ or error.__context__
    return isinstance(behind, (ImportError, OSError)) and is_shortage(behind)


def _log_file(error: Exception) -> str | None:
    """Write what helps to find a mistake of ours into a new file, in this folder or that of temporary files."""
    import platform
    import tempfile
    import traceback

    name = f"nbnumba-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    text = "".join(
        [
            f"nbnumba {__version__}, Python {platform.python_version()}, {platform.platform()}\n",
            f"{' '.join(sys.argv)}\n\n",
            *traceback.format_exception(error),
        ]
    )
    for folder in (Path(), Path(tempfile.gettempdir())):
        path = folder / name
        with suppress(OSError):
            with path.open("x", encoding="utf-8", errors="surrogateescape") as file:
                try:
                    file.write(text)
                except OSError:  # a full disk
                    path.unlink()
                    raise
            return str(path)
    return None


def _fail(message: str, status: int) -> int:
    line = " ".join(message.split())
    if len(line) > _LONGEST:  # what a hostile file holds
        line = f"{line[: _LONGEST - _TAIL - 5]} ... {line[-_TAIL:]}"
    say(f"nbnumba: error: {line}")
    return status


def _give_up_lost_output() -> None:
    """Point standard output to nowhere when it cannot take the rest, so that leaving Python is silent."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
