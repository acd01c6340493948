"""Tasks for the engines of batches, and a program that gives them to an engine: batch_tasks.py FOLDER COUNT SECONDS.

Its options are those of `nbnumba batch`; `--fail before`, `after` or `inside` lets it fail. Each task
leaves a file of its number, and prints its number, its process and its share.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from nbnumba.batch.executors.open import open_executor, own_share, run_on_ranks
from nbnumba.errors import FileError
from nbnumba.util.exits import exit_status
from nbnumba.util.signals import ending_signals_raise, wait_for_any

REFUSED = 13


def work(folder: str, number: int, seconds: float) -> tuple[int, int, int | None]:
    """Leave a file, after a while."""
    part = Path(folder) / f"{number}.part"
    try:
        part.touch()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
        if number == REFUSED:
            raise FileError(f"{number} is refused")
        part.rename(Path(folder) / f"{number}.done")
    finally:
        part.unlink(missing_ok=True)
    return number, os.getpid(), own_share().threads


def process_and_threads() -> tuple[int, int | None]:
    """Return this process and the threads that a task may use."""
    return os.getpid(), own_share().threads


def main() -> int:
    """Give tasks to an engine; return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("count", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--engine", default="local")
    parser.add_argument("--scheduler")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--fail", default="")
    given = parser.parse_args()

    def action() -> int:
        if given.fail == "before":
            raise FileError("before any work")
        with open_executor(
            given.engine,
            scheduler=given.scheduler,
            workers=given.workers,
            threads=given.threads,
            folder=Path(given.folder),
        ) as pool:
            print(pool.words, flush=True)
            numbers = [*range(given.count), REFUSED] if given.fail == "inside" else range(given.count)
            futures = [pool.submit(work, given.folder, number, given.seconds) for number in numbers]
            for future in reversed(futures) if given.fail else futures:
                wait_for_any([future])
                print(*future.result(), flush=True)
            if given.fail == "after":
                raise FileError("after all work")
        return 0

    with ending_signals_raise():
        return exit_status(lambda: run_on_ranks(given.engine, action))


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    if status == 130:  # as nbnumba.__main__
        os._exit(status)
    sys.exit(status)
