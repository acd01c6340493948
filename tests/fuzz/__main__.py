"""Fuzz by hand: `python -m fuzz --seconds 3600`."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path

from fuzz import by_atheris, fuzzer
from fuzz.fuzzer import NAMES, Fuzzer


def main() -> int:
    """Fuzz for some time; print the counts by format, and return 1 where anything failed."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=fuzzer.__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--most", type=int)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--atheris", metavar="FORMAT", choices=NAMES, help="one format, driven by coverage")
    given = parser.parse_args()
    if given.atheris:
        return by_atheris.fuzz(given.atheris, given.seconds, given.seed, given.keep.absolute())
    found = Fuzzer(given.formats or NAMES, given.seed, given.keep.absolute())
    with contextlib.suppress(KeyboardInterrupt):  # the counts so far
        found.run(given.seconds, given.most)
    print(json.dumps({"seed": given.seed, "inputs": sum(found.counts.values()), "by format": dict(found.counts),
                      "by status": {str(key): value for key, value in found.statuses.items()},
                      "failures": len(found.failures)}))  # fmt: skip
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main())
