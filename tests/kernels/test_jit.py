"""Compiled code is kept, found again without getting ready to compile, and never stale."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.command_line

# A compiled function that Python calls, and which is soon compiled.
CUT = """
import sys
from nbnumba.kernels.random import c_stream
whole = c_stream.to_whole(7.5)
print(sum(c_stream.to_whole.stats.cache_hits.values()), "numba.np.arraymath" in sys.modules, whole)
"""

# Another one, which is compiled after other code was found.
CUT_AGAIN = """
print(c_stream.to_unsigned_short(65537.0))
"""

# A kernel of which little has to be compiled: the amplitude of a spot that is cut at a constant radius.
PROBE = """
from .physics import sample as physics
from .jit import kernel

@kernel
def amplitude(radius_squared):
    return physics.lattice_factor_tophat(radius_squared, 1.0, 1.0)
"""
PROBED = """
from nbnumba.kernels.probe import amplitude
print(amplitude(0.5), sum(amplitude.stats.cache_hits.values()))
"""

PLACE = "from nbnumba.kernels import jit; print(jit.CACHE_FOLDER)"


def _run(script: str, cache: Path, package: Path = ROOT) -> str:
    environment = {**os.environ, "NBNUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(package)}
    ran = subprocess.run([sys.executable, "-c", script], cwd=package, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_kept_code_is_found_without_getting_ready_to_compile(tmp_path: Path) -> None:
    assert _run(CUT, tmp_path) == "0 True 7\n"
    assert _run(CUT, tmp_path) == "1 False 7\n"


def test_compiling_after_code_was_found(tmp_path: Path) -> None:
    _run(CUT, tmp_path)
    assert _run(CUT + CUT_AGAIN, tmp_path) == "1 False 7\n1\n"


def test_an_edit_in_a_checkout_is_seen(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "nbnumba", checkout / "nbnumba")
    cache = tmp_path / "cache"
    assert _run(CUT, cache, checkout).endswith(" 7\n")
    source = checkout / "nbnumba" / "kernels" / "random" / "c_stream.py"
    code = source.read_text()
    assert code.count("    return np.int64(value)\n") == 1
    source.write_text(code.replace("    return np.int64(value)\n", "    return np.int64(2.0 * value)\n"))
    assert _run(CUT, cache, checkout) == "0 True 15\n"


def test_an_edit_of_a_constant_is_seen(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "nbnumba", checkout / "nbnumba")
    cache = tmp_path / "cache"
    (checkout / "nbnumba" / "kernels" / "probe.py").write_text(PROBE)
    assert _run(PROBED, cache, checkout) == "0.0 0\n"
    assert _run(PROBED, cache, checkout) == "0.0 1\n"
    source = checkout / "nbnumba" / "constants.py"
    code = source.read_text()
    assert code.count("TOPHAT_RADIUS_SQUARED = 0.3969\n") == 1
    source.write_text(code.replace("TOPHAT_RADIUS_SQUARED = 0.3969\n", "TOPHAT_RADIUS_SQUARED = 0.6\n"))
    assert _run(PROBED, cache, checkout) == "1.0 0\n"


def _modules_outside() -> list[str]:
    """Return the modules beside kernels/ of which kernels import something that could be compiled."""
    found = set()
    folder = ROOT / "nbnumba" / "kernels"
    for path in folder.rglob("*.py"):
        level = len(path.relative_to(folder).parts) + 1
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == level:
                found |= {node.module} if node.module else {alias.name for alias in node.names}
    return sorted(found - {"errors", "util.messages", "util.memory"})  # which are not compiled


@pytest.mark.parametrize("module", _modules_outside())
def test_code_goes_stale_with_every_module_that_kernels_use(module: str, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "nbnumba", checkout / "nbnumba")
    before = _run(PLACE, tmp_path, checkout)
    with (checkout / "nbnumba" / f"{module}.py").open("a") as source:
        source.write("\n")
    assert _run(PLACE, tmp_path, checkout) != before


def test_without_a_place_to_keep_code(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert _run(CUT, tmp_path / "file") == "0 True 7\n"


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, suffix: str) -> None:
    """A file of compiled code that was cut short counts as absent: 0 hits, the same result, then 1 hit again."""
    assert _run(CUT, tmp_path).split()[0] == "0"
    assert _run(CUT, tmp_path).split()[0] == "1"
    kept = list(tmp_path.rglob(f"*{suffix}"))
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:20])
    assert _run(CUT, tmp_path).split()[::2] == ["0", "7"]
    assert _run(CUT, tmp_path).split()[0] == "1"
