"""Scripts of this folder that run on the CUDA simulator, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from requirements import ROOT

# Whole numbers of 32 bits wrap around on purpose; NumPy's scalars, which stand for them on the simulator, warn.
SIMULATOR = {
    "NUMBA_ENABLE_CUDASIM": "1",
    "NUMBA_DISABLE_JIT": "1",
    "PYTHONWARNINGS": "ignore:overflow encountered:RuntimeWarning",
}


def environment() -> dict[str, str]:
    """Return the variables of such a process."""
    return {**os.environ, **SIMULATOR, "PYTHONPATH": str(ROOT)}


def results_of(script: str, folder: Path) -> Mapping[str, Any]:
    """Run a script that takes the name of an .npz file, and return what it has written."""
    ran = subprocess.run(
        [sys.executable, str(Path(__file__).parent / script), "simulated.npz"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert not ran.stderr
    found: Mapping[str, Any] = np.load(folder / "simulated.npz")
    return found
