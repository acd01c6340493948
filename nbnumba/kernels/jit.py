"""How every function here is compiled, and how compiled code is kept.

Numba hands options such as `error_model` and `fastmath` down from whichever caller compiles a function
first, so each decorator here writes them all out. The only floating-point liberty is `contract`, the
fusing of a multiplication and an addition; `strict` functions have not even that.

Numba's own cache does not notice an edit in another module, so compiled code lives in the user's cache
folder under a hash of all kernel sources and of the versions that compile them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path

import llvmlite
import numba
import numpy as np
from numba.core import cgutils
from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys
from numba.extending import intrinsic

from ..util.memory import check_address_space_to_compile
from . import code_folder, parts


def _cache_home() -> Path:
    """Return the folder in which compiled code is kept, by platform and environment."""
    explicit = os.environ.get("NBNUMBA_CACHE_DIR")
    if explicit:
        return Path(explicit)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "nbnumba"


def _source_hash() -> str:
    """Hash the kernel sources and the versions of the packages that compile them."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    # The constants stand outside, and are compiled in.
    for source in (*sorted(folder.rglob("*.py")), folder.parent / "constants.py"):
        digest.update(source.relative_to(folder.parent).as_posix().encode() + b"\0" + source.read_bytes())
    for version in (numba.__version__, llvmlite.__version__, np.__version__, sys.version):
        digest.update(version.encode())
    return digest.hexdigest()[:16]


def _use_cache_folder() -> tuple[Path | None, str]:
    """Return our folder of compiled code, made ready, or None and why no compiled code can be kept."""
    try:
        home = Path(os.path.realpath(_cache_home()))
    except RuntimeError:
        return None, "there is no home folder"
    folder = home / _source_hash()
    problem = code_folder.prepare(folder)
    if problem is not None:
        return None, f"{home}: {problem}"
    code_folder.tidy(folder)
    return folder, ""


CACHE_FOLDER, CACHE_PROBLEM = _use_cache_folder()
_CACHE = CACHE_FOLDER is not None and not numba.config.DISABLE_JIT


def compiling_line() -> str:
    """Return what to tell the user when a kernel has to be compiled."""
    if CACHE_FOLDER is not None:
        return "compiling for this machine, once; the next start takes a second"
    return (
        f"compiling, as every start must for some seconds: compiled code cannot be kept in {CACHE_PROBLEM}; "
        "NBNUMBA_CACHE_DIR names another folder, which must be yours alone"
    )


_OPTIONS = {
    "error_model": "numpy",
    "fastmath": {"contract"},
    "boundscheck": False,
    "nogil": True,
    "no_cfunc_wrapper": True,  # nobody calls through C; each would cost compile time
    "pipeline_class": parts.WHOLE,
}
_STRICT = _OPTIONS | {"fastmath": False}
_PART = {"pipeline_class": parts.PART, "no_cpython_wrapper": True}
_APART = {"pipeline_class": parts.APART, "no_cpython_wrapper": True}


def _part_for_python_too(function, options):
    """Compile as a part of callers that Python may call as well."""
    if numba.config.DISABLE_JIT:
        return function
    options = options | _PART | {"nopython": True, "forceinline": True}
    return parts.PhysicsDispatcher(function, pipeline_class=options.pop("pipeline_class"), targetoptions=options)


def physics(function):
    """Compile a small function of numbers that is inlined where it is called."""
    return _part_for_python_too(function, _OPTIONS)


def strict_physics(function):
    """Compile as `physics`, without fusing multiply-adds, for what must not differ from C in the last bit."""
    return _part_for_python_too(function, _STRICT)


def inner_inlined(function):
    """Compile as `inner`, and always into its callers: constants among the arguments then are constants."""
    return numba.njit(function, forceinline=True, **_OPTIONS | _PART)


def generic(function):
    """Compile a function that takes another one among its arguments, as a part of its callers' source.

    Handed on as an argument, a compiled function would be tied to this process and could not be kept.
    """
    return numba.njit(function, inline="always", no_cpython_wrapper=True, **_OPTIONS)


def inner(function):
    """Compile a function over arrays that only compiled code may call; it is kept with its callers.

    It is optimized before it meets its callers: its loops are the faster for it.
    """
    return numba.njit(function, **_OPTIONS | _APART)


def strict_inner(function):
    """Compile as `inner` and, as `strict`, without fusing multiply-adds."""
    return numba.njit(function, **_STRICT | _APART)


def strict(function):
    """Compile without fusing multiply-adds: every operation rounds as written. The result is kept."""
    return _kept(numba.njit(function, **_STRICT))


def kernel(function):
    """Compile a function over arrays that Python calls, from several threads at once, and keep the result."""
    return _kept(numba.njit(function, **_OPTIONS))


class _Cache(FunctionCache):
    """Numba's cache on disk, which finds compiled code without getting ready to compile.

    Numba first loads every function that compiled code could call, and SciPy's linear algebra where that is
    installed: 0.3 s of processor time, half the time that a start takes. Compiling does so itself when it must.
    """

    def load_overload(self, sig, target_context):
        rtsys.initialize(target_context)  # what compiled code needs to handle arrays
        try:
            found = self._load_overload(sig, target_context)
        except Exception:  # a damaged file counts as none, and is written anew
            found = None
            with contextlib.suppress(OSError):
                self.flush()
        if found is None:
            check_address_space_to_compile()
        return found

    def save_overload(self, sig, data):
        with contextlib.suppress(OSError):  # a full disk: the code is used, and compiled again by the next start
            super().save_overload(sig, data)


def _kept(dispatcher):
    """Give a compiled function its place in the cache folder."""
    if _CACHE:
        dispatcher._cache = code_folder.kept_in(CACHE_FOLDER, _Cache)(dispatcher.py_func)
    return dispatcher


def _plain_borrowed(array):
    """The same array, where nothing is compiled."""
    return array


@intrinsic
def _compiled_borrowed(typingctx, array):
    """The same array without a part in counting its references; it must outlive what is done with it.

    Numba counts in every function that is handed an array. Two threads that count the same array's references
    wait for each other, a third of the time of a short strip.
    """

    def codegen(context, builder, signature, args):
        make = context.make_array(signature.args[0])
        copy = make(context, builder, value=args[0])
        copy.meminfo = cgutils.get_null_value(copy.meminfo.type)
        return copy._getvalue()

    return array(array), codegen


borrowed = _plain_borrowed if numba.config.DISABLE_JIT else _compiled_borrowed
