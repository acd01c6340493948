"""The program `nbnumba`, also as `python -m nbnumba`."""

import os
import sys

SIGNALED, INTERRUPTED = 128, 130


def main(argv: list[str] | None = None) -> int:
    """Run the program and return its exit status; Ctrl-C while it is still being loaded is no traceback either."""
    try:
        status = _run(argv)
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("nbnumba: interrupted\n")
        status = INTERRUPTED
    if argv is None and status > SIGNALED and "PMI_RANK" in os.environ and "mpi4py.MPI" not in sys.modules:
        _end_by_signal(status - SIGNALED)
    if status == INTERRUPTED and argv is None:
        # Python remembers a Ctrl-C that met it in code it was importing, and would end by that signal all the same.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(status)
    return status


def _end_by_signal(number: int) -> None:
    """End as if nothing had handled a signal: mpiexec waits for ever where a rank exits before MPI has started."""
    import signal

    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _run(argv: list[str] | None) -> int:
    """Run the program; what goes wrong while it is being loaded, for want of memory most often, is one line too."""
    try:
        from .cli import main as run
    except Exception as error:
        from .util.exits import failed

        return failed(error)
    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
