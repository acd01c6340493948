"""Operations of one instruction that Python's `math` lacks, for processors, GPUs and plain Python alike.

Each works in the type of its argument, float64 or float32, and turns into an instruction of the target that a
caller is compiled for. Where Numba's compiler is off, as under the CUDA simulator, they are NumPy functions.
"""

from __future__ import annotations

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_PLAIN = bool(numba.config.DISABLE_JIT)


def _on_gpu(builder):
    return builder.module.triple.startswith("nvptx")


def _real(x):
    """Return the type of a result: that of a floating-point argument, float64 for any other."""
    return x if isinstance(x, types.Float) else types.float64


def _call_libdevice(builder, name, args):
    """Call a function of NVIDIA's library; those for float32 end in f."""
    real = args[0].type
    suffix = "f" if isinstance(real, ir.FloatType) else ""
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(real, [real] * len(args)), f"__nv_{name}{suffix}"
    )
    return builder.call(function, args)


def _rounding(name, plain):
    """Make a function that rounds to a whole number, as a float; `math.ceil` and its kin return integers."""
    if _PLAIN:
        return plain

    @intrinsic
    def operation(typingctx, x):
        real = _real(x)

        def codegen(context, builder, signature, args):
            value = context.cast(builder, args[0], signature.args[0], real)
            if _on_gpu(builder):
                return _call_libdevice(builder, name, [value])
            return builder.call(builder.module.declare_intrinsic(f"llvm.{name}", [value.type]), [value])

        return real(x), codegen

    return operation


ceil = _rounding("ceil", np.ceil)  # smallest whole number not below x
floor = _rounding("floor", np.floor)  # largest whole number not above x
round_even = _rounding("rint", np.rint)  # nearest whole number, ties to even


def _intrinsic_or(plain):
    """Decorate an intrinsic that has a form in plain Python."""
    return lambda definition: plain if _PLAIN else intrinsic(definition)


@_intrinsic_or(lambda a, b: a * b)
def rounded_product(typingctx, a, b):
    """a b, rounded by itself: never fused with an addition, whatever the target."""
    real = _real(a)

    def codegen(context, builder, signature, args):
        left, right = (context.cast(builder, arg, ty, real) for arg, ty in zip(args, signature.args, strict=True))
        if _on_gpu(builder):
            kind = "f" if isinstance(left.type, ir.FloatType) else "d"
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(left.type, [left.type] * 2), f"__nv_{kind}mul_rn"
            )
            return builder.call(function, [left, right])
        return builder.fmul(left, right)

    return real(a, b), codegen


@_intrinsic_or(lambda a, b: a / b)
def quotient(typingctx, a, b):
    """a/b; of float32 on a GPU the fast one, relative error 2e-7 for 1e-38 < |b| < 1e37."""
    real = _real(a)

    def codegen(context, builder, signature, args):
        top, bottom = (context.cast(builder, arg, ty, real) for arg, ty in zip(args, signature.args, strict=True))
        if _on_gpu(builder) and real is types.float32:
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(top.type, [top.type] * 2), "__nv_fast_fdividef"
            )
            return builder.call(function, [top, bottom])
        return builder.fdiv(top, bottom)

    return real(a, b), codegen


@_intrinsic_or(lambda value, x: type(x)(value))
def constant(typingctx, value, x):
    """A number in the type of x: a bare 1.0 would make float64 of a float32 beside it."""
    real = _real(x)

    def codegen(context, builder, signature, args):
        return context.cast(builder, args[0], signature.args[0], real)

    return real(value, x), codegen


def _plain_polynomial(x, coefficients):
    total = type(x)(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = type(x)(coefficient) + x * total
    return total


@_intrinsic_or(_plain_polynomial)
def polynomial(typingctx, x, coefficients):
    """Value of a polynomial by Horner's rule; the coefficients are a tuple from the constant term up."""
    real = _real(x)

    def codegen(context, builder, signature, args):
        at = context.cast(builder, args[0], signature.args[0], real)
        numbers = [
            context.cast(builder, builder.extract_value(args[1], i), signature.args[1].dtype, real)
            for i in range(signature.args[1].count)
        ]
        total = numbers[-1]
        for number in reversed(numbers[:-1]):
            total = builder.fadd(number, builder.fmul(at, total))
        return total

    return real(x, coefficients), codegen


def _plain_power_of_two(exponent, x):
    return type(x)(np.ldexp(1.0, int(exponent)))


@_intrinsic_or(_plain_power_of_two)
def power_of_two(typingctx, exponent, x):
    """2**exponent in the type of x, by placing the bits of an integer exponent in -1022..1023 or -126..127."""
    real = _real(x)
    integer, bias, digits = (types.int32, 127, 23) if real is types.float32 else (types.int64, 1023, 52)

    def codegen(context, builder, signature, args):
        bits = context.cast(builder, args[0], signature.args[0], integer)
        bits = builder.add(bits, context.get_constant(integer, bias))
        bits = builder.shl(bits, context.get_constant(integer, digits))
        return builder.bitcast(bits, context.get_value_type(real))

    return real(exponent, x), codegen


@_intrinsic_or(lambda x: np.float64(x).view(np.int64))
def bits_of(typingctx, x):
    """The 64 bits of a float64, as an integer."""

    def codegen(context, builder, signature, args):
        value = context.cast(builder, args[0], signature.args[0], types.float64)
        return builder.bitcast(value, context.get_value_type(types.int64))

    return types.int64(x), codegen


@_intrinsic_or(lambda bits: np.int64(bits).view(np.float64))
def float_of(typingctx, bits):
    """The float64 that 64 bits stand for."""

    def codegen(context, builder, signature, args):
        value = context.cast(builder, args[0], signature.args[0], types.int64)
        return builder.bitcast(value, context.get_value_type(types.float64))

    return types.float64(bits), codegen
