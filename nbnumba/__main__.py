"""The program `nbnumba`, also as `python -m nbnumba`."""

import sys


def main(argv: list[str] | None = None) -> int:
    """Run the program and return its exit status; Ctrl-C while it is still being loaded is no traceback either."""
    try:
        from .cli import main as run

        return run(argv)
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("nbnumba: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
