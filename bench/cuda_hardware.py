"""What only a GPU can show: images against the golden ones, noise, launches, memory checker, speed.

`python -m bench.cuda_hardware` from the root of a checkout, in an environment with the extra `cuda12` or `cuda13`; the
readers of other formats (gemmi, fabio, hdf5plugin, Pillow) are not needed. It prints after every stage and keeps the
figures in `bench/results/GPU-DATE.json` as they come, so that a run which is cut off loses nothing.

Exit status: 0 when all checks pass, 1 when one fails, 2 for a mistake in the arguments, 3 when the figures cannot be
written, 4 without a GPU or a package, 130 and 143 after Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cuda_stages import Item, Session, Stage

HERE = Path(__file__).resolve().parent
PACKAGES = ("numpy", "scipy", "numba", "h5py", "typer", "rich")  # numba-cuda is looked for by nbnumba itself
_SAVE_EVERY = 2.0  # seconds


class CutOff(BaseException):
    """The run has to end now: the time is up, or a signal came."""

    def __init__(self, why: str, status: int | None) -> None:
        super().__init__(why)
        self.status = status  # None: that of the checks


@dataclass
class Progress:
    """A stage and what it has found so far."""

    stage: Stage
    items: Iterator[Item]
    found: list[Item] = field(default_factory=list)
    seconds: float = 0.0
    complete: bool = False


def main(arguments: list[str] | None = None) -> int:
    """Run all stages and return the exit status."""
    options = _parse(arguments)
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return _refuse(f"missing {', '.join(missing)}; pip install {' '.join(missing)}")
    from nbnumba.errors import DeviceError

    from .cuda_stages import STAGES, Session

    if unknown := set(options.only or ()) - {stage.name for stage in STAGES}:
        return _refuse(f"--only {min(unknown)}: no such stage; there are {_names(STAGES)}", 2)
    if options.list:
        print("\n".join(f"{stage.name:12} {stage.title}" for stage in STAGES))
        return 0
    stages = [stage for stage in STAGES if not options.only or stage.name in options.only]
    try:
        with Session(options) as session:
            return _run(stages, session, options)
    except DeviceError as error:
        return _refuse(str(error))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.cuda_hardware", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, help="end within so many minutes; what matters most comes first")
    parser.add_argument("--device", type=int, default=0, help="number of the GPU")
    parser.add_argument("--repeats", type=int, default=5, help="renders of each row that is timed")
    parser.add_argument(
        "--pixels",
        type=int,
        help="to try the script: only about so many pixels of each image, and few orientations in what is timed",
    )
    parser.add_argument("--cases", help="only golden cases and rows whose name holds this text")
    parser.add_argument("--only", action="append", metavar="STAGE", help="only this stage; may be given several times")
    parser.add_argument("--list", action="store_true", help="name the stages and end")
    parser.add_argument("--out", type=Path, help="file for the figures; - for none")
    options = parser.parse_args(arguments)
    if options.minutes is not None and not 0.05 <= options.minutes <= 10000.0:
        parser.error(f"--minutes {options.minutes:g}: allowed is 0.05 to 10000")
    for name in ("repeats", "pixels"):
        if (value := getattr(options, name)) is not None and value < 1:
            parser.error(f"--{name} {value}: allowed is 1 or more")
    return options


def _refuse(why: str, status: int = 4) -> int:
    print(f"cuda_hardware: {why}", file=sys.stderr)
    return status


def _names(stages: list[Stage]) -> str:
    return ", ".join(stage.name for stage in stages)


def _run(stages: list[Stage], session: Session, options: argparse.Namespace) -> int:
    """Run stages in the time there is, and keep what they find."""
    record = _Record(session, options.out)
    record.stages = [Progress(stage, stage.run(session)) for stage in stages]
    if not record.save():
        return 3
    print("\n".join(session.about["info"]), flush=True)
    status = None
    with _interruptible(session.seconds_left):
        try:
            _work(session, record)
        except CutOff as cut:
            record.cut_off, status = str(cut), cut.status
    checks = [item for progress in record.stages for item in progress.found if item["passed"] is not None]
    failed = [f"{item['name']}: {item['text']}" for item in checks if not item["passed"]]
    incomplete = [progress.stage.name for progress in record.stages if not progress.complete]
    print(f"\n{len(checks)} checks, {len(failed)} failed" + "".join(f"\n  {line}" for line in failed))
    if incomplete:
        print(f"not finished ({record.cut_off or 'no time left'}): {', '.join(incomplete)}")
    written = record.save()
    if record.path is not None and written:
        print(f"written to {record.path}", flush=True)
    if status is not None:
        return status
    return 1 if failed else 0 if written else 3


def _work(session: Session, record: _Record) -> None:
    """Give each stage its share of the time, then the rest of the time to those that need more."""
    total = session.seconds_left()
    for shares in (True, False):
        for progress in record.stages:
            if progress.complete or session.seconds_left() <= 0.0:
                continue
            allowed = min(session.seconds_left(), total * progress.stage.share if shares else float("inf"))
            _advance(progress, allowed, record)
            _print(progress)
            record.save()


def _advance(progress: Progress, seconds: float, record: _Record) -> None:
    """Let a stage find more until it is done or its time is over; it fails alone."""
    start = time.monotonic()
    try:
        while time.monotonic() - start < seconds:
            item = next(progress.items, None)
            if item is None:
                progress.complete = True
                return
            progress.found.append(item)
            record.save_now_and_then()
    except ModuleNotFoundError as error:
        progress.found.append({"name": progress.stage.name, "passed": None, "text": f"not run: {error}"})
        progress.complete = True
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        progress.found.append({"name": progress.stage.name, "passed": False, "text": why})
        progress.complete = True
    finally:
        progress.seconds += time.monotonic() - start


def _print(progress: Progress) -> None:
    """Print what a stage found: all of a short one, else the checks that failed."""
    items, stage = progress.found, progress.stage
    checks = [item for item in items if item["passed"] is not None]
    passed = f"{sum(item['passed'] for item in checks)} of {len(checks)} pass, " if checks else ""
    more = "" if progress.complete else ", goes on if time is left"
    print(f"\n{stage.title}: {passed}{progress.seconds:.0f} s{more}")
    if stage.table is not None and items:
        print(stage.table(items), end="")
    else:
        for item in items:
            if item["passed"] is not True or len(items) < 12:
                print(f"  {item['name']}: {item['text']}")
    sys.stdout.flush()


class _Record:
    """The figures on their way into a file."""

    def __init__(self, session: Session, out: Path | None) -> None:
        name = re.sub(r"[^a-z0-9]+", "-", session.gpu.name.lower()).strip("-")
        self.path = out or HERE / "results" / f"{name}-{time.strftime('%Y-%m-%d')}.json"
        if str(out) == "-":
            self.path = None
        self.stages: list[Progress] = []
        self.cut_off: str | None = None
        self._about = session.about
        self._saved = 0.0

    def save_now_and_then(self) -> None:
        """Write the figures unless they were written just now."""
        if time.monotonic() - self._saved > _SAVE_EVERY:
            self.save()

    def save(self) -> bool:
        """Write the figures; say so and return False where that cannot be done."""
        if self.path is None:
            return True
        from nbnumba.io.atomic import whole_file

        stages = {
            progress.stage.name: {
                "complete": progress.complete, "seconds": round(progress.seconds, 3), "found": progress.found
            }
            for progress in self.stages
        }  # fmt: skip
        text = json.dumps({**self._about, "cut_off": self.cut_off, "stages": stages}, indent=1, default=float)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self.path) as file:
                file.write(text.encode() + b"\n")
        except Exception as error:
            print(f"cuda_hardware: {self.path}: {error}", file=sys.stderr)
            return False
        self._saved = time.monotonic()
        return True


@contextlib.contextmanager
def _interruptible(seconds_left: Any) -> Iterator[None]:
    """Turn the end of the time and signals into `CutOff`."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for each in before:
            signal.signal(each, signal.SIG_IGN)  # one is enough: the figures are being written
        if number == signal.SIGALRM:
            raise CutOff("no time left", None)
        raise CutOff(signal.Signals(number).name, 128 + number)

    before: dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        before[number] = signal.signal(number, stop)
    if (seconds := seconds_left()) < float("inf"):
        signal.setitimer(signal.ITIMER_REAL, max(0.01, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
