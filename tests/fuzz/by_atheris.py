"""The same inputs driven by coverage: atheris chooses the bytes, where it is installed."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path

from fuzz.fuzzer import HANG_SECONDS, MEMORY, fault_of, tidy

# Kernels are compiled from their bytecode, which stays as it is.
_FOLLOWED = [
    f"nbnumba.{name}"
    for name in ("api", "batch", "beam", "commandline", "compare", "crystal", "detector", "experiment", "imagefiles",
                 "io", "parameters", "structure_factors", "trace")
]  # fmt: skip


def fuzz(name: str, seconds: float, seed: int, keep: Path) -> int:
    """Fuzz one format for some time; libFuzzer ends the process, with a status other than 0 for a failure."""
    try:
        import atheris  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        print("skipped: atheris is not installed (pip install atheris)")
        return 0
    with atheris.instrument_imports(include=_FOLLOWED):
        from fuzz.target import run_target
        from fuzz.targets import WORDS, run_words, targets
    folder = Path(tempfile.mkdtemp(prefix="nbnumba-fuzz-"))
    os.chdir(folder)
    known = targets(folder)
    start = "\0".join(WORDS).encode() if name == "words" else known[name].seed
    corpus = keep / f"corpus-{name.replace(' ', '_')}"
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "seed").write_bytes(start)
    count = 1 if name == "words" else len(known[name].commands)

    def try_one(data: bytes) -> None:
        for number in range(count):
            with contextlib.redirect_stderr(io.StringIO()) as told, contextlib.redirect_stdout(io.StringIO()):
                status = run_words(data) if name == "words" else run_target(known[name], data, number, folder)
            tidy(folder)
            if fault := fault_of(status, told.getvalue()):
                raise RuntimeError(f"{name} {number}: {fault}")

    try_one(start)  # compiled before anything is timed
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    options = [f"-max_total_time={seconds:.0f}", f"-timeout={HANG_SECONDS:.0f}", f"-seed={seed % 2**32}"]
    options += [f"-rss_limit_mb={(resident + MEMORY) // 1_000_000}", f"-artifact_prefix={keep}/"]
    atheris.Setup([sys.argv[0], *options, "-max_len=65536", str(corpus)], try_one)
    atheris.Fuzz()
    return 0
