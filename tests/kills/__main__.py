"""Kills by hand: `python -m kills --strikes 200`."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from kills import campaign  # noqa: E402 - the paths above
from kills.campaign import ENGINES, Blow, Campaign, run  # noqa: E402


def main() -> int:
    """Strike; print the counts, and return 1 where anything was lost, doubled, changed or left over."""
    parser = argparse.ArgumentParser(prog="python -m kills", description=campaign.__doc__)
    parser.add_argument("--strikes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--folder", type=Path, help="where the batches are made; by default one for temporary files")
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"of {', '.join(ENGINES)}; all by default")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="nbnumba-kills-"))
    folder.mkdir(exist_ok=True)
    blows: list[Blow] = []

    def told(blow: Blow) -> None:
        blows.append(blow)
        with (folder / "blows.txt").open("a") as file:
            print(blow, file=file)
        for line in blow.failures:
            print(f"{blow.engine}, {blow.number.name} to {blow.target}: {line}", file=sys.stderr, flush=True)

    with contextlib.suppress(KeyboardInterrupt):  # the counts so far
        run(Campaign(folder, given.seed), given.engines or list(ENGINES), given.strikes, told)
    struck = [blow for blow in blows if blow.struck]
    counts = {
        "seed": given.seed,
        "blows": len(blows),
        "struck": len(struck),
        "of which the batch survived": sum(not blow.ended for blow in struck),
        "by engine": Counter(blow.engine for blow in struck),
        "by signal": Counter(blow.number.name for blow in struck),
        "by target": Counter(blow.target for blow in struck),
        "by moment": Counter(blow.moment for blow in struck),
        "failures": sum(bool(blow.failures) for blow in blows),
        "folder": str(folder),
    }
    print(json.dumps(counts))
    return 1 if counts["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
