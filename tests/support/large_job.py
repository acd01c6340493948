"""Where the job lies that is too large for the repository; for the tests and for the benchmarks."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def large_job_folder() -> Path:
    """Return the folder of the job: NBNUMBA_LARGE_JOB, else beside the checkout."""
    explicit = os.environ.get("NBNUMBA_LARGE_JOB")
    return Path(explicit) if explicit else ROOT.parent / "shared" / "reference" / "supervisor"
