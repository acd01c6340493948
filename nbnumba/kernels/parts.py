"""Functions that only compiled code calls, compiled as parts of the kernels that call them.

Numba optimizes every function together with all that it calls, and makes machine code of it, before a caller
copies it and does both again: a function five calls below a kernel is compiled five times. A part is translated
only. The kernel gathers its parts, each once, and compiles the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from numba.core.codegen import CPUCodeLibrary, JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.registry import CPUDispatcher
from numba.core.typed_passes import IRLegalization

from .vector_width import WideCompiler


def _below(libraries: Iterable[CPUCodeLibrary]) -> Iterator[CPUCodeLibrary]:
    """Yield all libraries that are called, callers first: what nobody calls yet is not linked."""
    seen: set[CPUCodeLibrary] = set()
    waiting = [iter(libraries)]
    while waiting:
        library = next(waiting[-1], None)
        if library is None:
            waiting.pop()
        elif library not in seen:
            seen.add(library)
            yield library
            if isinstance(library, _Part):
                waiting.append(iter(library._linking_libraries))


class _Whole(JITCodeLibrary):  # type: ignore[misc]
    """The code of a kernel, which takes in its parts before it is optimized."""

    def finalize(self) -> None:
        libraries = list(_below(self._linking_libraries))
        for library in libraries:
            if isinstance(library, _Part):
                if hasattr(self, "_reload_init"):  # of newer Numbas
                    self._reload_init.update(library._reload_init)
                self._final_module.link_in(library.alone(), preserve=True)
        self._linking_libraries = [library for library in libraries if not isinstance(library, _Part)]
        super().finalize()


class _NoMachineCode(JITCodeLibrary):  # type: ignore[misc]
    """Code that callers take in, and nobody runs."""

    @property
    def codegen(self):
        """What Numba asks to connect machine code with the interpreter."""
        return _Nothing

    def get_pointer_to_function(self, name: str) -> int:
        """Return that there is none."""
        self._ensure_finalized()
        return 0


class _Nothing:
    @staticmethod
    def set_env(name: str, environment: object) -> None:
        """Connect nothing."""


class _Part(_NoMachineCode):
    """The code of a part: translated, neither optimized nor linked."""

    _alone = None

    def _optimize_functions(self, ll_module) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def finalize(self) -> None:
        self._raise_if_finalized()
        self._finalize_dynamic_globals()
        self._finalized = True

    def alone(self):
        """Return the module of this function alone, to be linked."""
        self._ensure_finalized()
        if self._alone is None:
            self._alone = super()._get_module_for_linking()
        return self._alone

    def _get_module_for_linking(self):
        """Return the module of this function and of all that it calls, for a caller that knows of no parts."""
        if self._shared_module is None or self._shared_module is self._alone:
            whole = self.alone().clone()
            for library in _below(self._linking_libraries):
                part = library.alone() if isinstance(library, _Part) else library._get_module_for_linking()
                whole.link_in(part, preserve=True)
            self._shared_module = whole
        return self._shared_module


class _Apart(_NoMachineCode, _Whole):
    """The code of a loop that is optimized on its own, without what its caller does around it."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


def _compiler(library: type[JITCodeLibrary]) -> type[CompilerBase]:
    """Return a compiler that translates functions into such a library."""

    @register_pass(mutates_CFG=False, analysis_only=False)
    class _GiveLibrary(LoweringPass):  # type: ignore[misc]
        _name = f"give_library{library.__name__}"

        def __init__(self) -> None:
            super().__init__()

        def run_pass(self, state) -> bool:
            state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library.enable_object_caching()
            return True

    class _Compiler(WideCompiler):
        def define_pipelines(self):
            passes = super().define_pipelines()[0]
            passes.add_pass_after(_GiveLibrary, IRLegalization)
            passes.finalize()
            return [passes]

    return _Compiler


WHOLE, PART, APART = _compiler(_Whole), _compiler(_Part), _compiler(_Apart)


class PhysicsDispatcher(CPUDispatcher):  # type: ignore[misc]
    """A part that Python may call as well, which compiles it once more."""

    _of_python = None

    def __call__(self, *args):
        if self._of_python is None:
            options = {name: value for name, value in self.targetoptions.items() if name != "no_cpython_wrapper"}
            self._of_python = CPUDispatcher(self.py_func, targetoptions=options, pipeline_class=WHOLE)
        return self._of_python(*args)
