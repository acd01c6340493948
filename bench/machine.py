"""Where and with what a benchmark ran."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from .matrix import ROOT

PACKAGES = ("numba", "llvmlite", "numpy")
VECTORS = ("avx512f", "avx2", "avx", "sve", "asimd")  # the widest that the processor has is named


def describe(threads: int, reference: str | None) -> dict[str, Any]:
    """Collect what a reader must know to judge or repeat the figures."""
    import nbnumba

    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "processor": processor(),
        "vectors": _vectors(),
        "cores": cores(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": threads,
        "nbnumba": nbnumba.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "reference": None if reference is None else Path(reference).name,
        "reference_flags": os.environ.get("NANOBRAGG_FLAGS", "not stated (NANOBRAGG_FLAGS)") if reference else None,
        "load_at_start": load(),
    }


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float:
    """Processes that ran or waited for a core during the last minute, on average."""
    return round(os.getloadavg()[0], 2)


def processor() -> str:
    """Name of the processor."""
    found = re.search(r"^model name\s*: (.*)$", _cpu_info(), re.MULTILINE)
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def short_name() -> str:
    """Name of the machine for the name of a file."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{processor()} {cores()} cores".lower())
    return words.strip("-")


def in_words(machine: dict[str, Any]) -> str:
    """Return one sentence that names machine, versions and flags."""
    text = (
        f"{machine['processor']} ({machine['vectors']}), {machine['cores']} cores, {machine['threads']} threads; "
        f"nbnumba {machine['nbnumba']} (commit {machine['commit']}), Python {machine['python']}, "
        + ", ".join(f"{name} {machine[name]}" for name in PACKAGES)
    )
    if machine["reference"] is not None:
        text += f"; nanoBragg.c: {machine['reference_flags']}"
    return f"{text}; {machine['date'].split()[0]}"


def _cpu_info() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def _vectors() -> str:
    flags = set(re.findall(r"\w+", _cpu_info()))
    return next((name for name in VECTORS if name in flags), "vector units unknown")


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _commit() -> str:
    """Short name of the commit, with a plus sign when the sources of the program differ from it."""

    def git(*words: str) -> str:
        try:
            return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return ""

    changed = git("status", "--porcelain", "--", "nbnumba")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")
