"""Vectors of 512 bits on every processor that has them, for our functions alone.

LLVM uses half of that on Intel processors with AVX-512, whose first generation lowered its clock rate for the full
width. The loops over a strip are arithmetic on whole vectors: half the width doubles their instructions.
"""

from __future__ import annotations

from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

# LLVM takes the attribute as it stands, and it means nothing to targets without such vectors.
_FULL_WIDTH = '"prefer-vector-width"="512"'


class _WideLower(Lower):
    """Numba's way from typed code to LLVM's, with the attribute on the function."""

    def setup_function(self, fndesc):
        super().setup_function(fndesc)
        set.add(self.function.attributes, _FULL_WIDTH)  # its own `add` knows only attributes without a value


@register_pass(mutates_CFG=True, analysis_only=False)
class _WideLowering(NativeLowering):
    _name = "wide_native_lowering"

    @property
    def lowering_class(self):
        return _WideLower


class WideCompiler(CompilerBase):
    """Numba's compiler with another last step; a `pipeline_class` of `numba.njit`."""

    def define_pipelines(self):
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [(_WideLowering if step is NativeLowering else step, about) for step, about in passes.passes]
        passes.finalize()
        return [passes]
