"""What a test may need and a machine may lack, and the only way to skip a test for it.

A test states its need as `@requires("supervisor data")`; conftest.py skips it where the need is not
met. A skip that is issued in any other way, or for a requirement that is there after all, fails.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from supervisor_data import supervisor_folder

ROOT = Path(__file__).resolve().parent.parent


def _supervisor_data() -> str | None:
    folder = supervisor_folder()
    for name in ("A.mat", "scaled.hkl", "args.txt", "c_main.npz", "c_main_stdout.txt", "exact.npz"):
        if not (folder / name).is_file():
            return f"no {folder / name}; NBNUMBA_SUPERVISOR names its folder"
    return None


def _nanobragg() -> str | None:
    program = os.environ.get("NANOBRAGG_BIN")
    if not program:
        return "NANOBRAGG_BIN does not name a nanoBragg executable"
    return None if os.access(program, os.X_OK) else f"NANOBRAGG_BIN={program} cannot be executed"


def chromium_path() -> str | None:
    """Return the path of a Chromium: NBNUMBA_CHROMIUM, else where systems have it; None where there is none."""
    named = os.environ.get("NBNUMBA_CHROMIUM")
    names = (named,) if named else ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def _chromium() -> str | None:
    found = chromium_path()
    return None if found else "no chromium, chromium-browser or google-chrome in PATH; NBNUMBA_CHROMIUM names one"


def _cuda_package() -> str | None:
    found = importlib.util.find_spec("numba_cuda")
    return None if found else "the package numba-cuda is not installed (extra cuda, or test)"


# Requirement -> function that says why it is missing here, or returns None where it is present.
# The functions are cheap and are asked again when the session ends.
REQUIREMENTS: dict[str, Callable[[], str | None]] = {
    "CUDA package": _cuda_package,
    "supervisor data": _supervisor_data,
    "nanoBragg executable": _nanobragg,
    "Chromium": _chromium,
}


def requires(name: str) -> pytest.MarkDecorator:
    """Mark a test (or a module, as `pytestmark`) that needs a registered requirement."""
    if name not in REQUIREMENTS:
        raise KeyError(f"requirement {name!r} is not registered in tests/requirements.py: {sorted(REQUIREMENTS)}")
    return pytest.mark.requires(name)
