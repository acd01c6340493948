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


def _call(builder, name, args):
    """Call a function by its name: one of NVIDIA's libdevice, or of the compiler."""
    real = args[0].type
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(real, [real] * len(args)), name)
    return builder.call(function, args)


def _is_single(value):
    return isinstance(value.type, ir.FloatType)


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
                return _call(builder, f"__nv_{name}f" if _is_single(value) else f"__nv_{name}", [value])
            return builder.call(builder.module.declare_intrinsic(f"llvm.{name}", [value.type]), [value])

        return real(x), codegen

    return operation


ceil = _rounding("ceil", np.ceil)  # smallest whole number not below x
floor = _rounding("floor", np.floor)  # largest whole number not above x
round_even = _rounding("rint", np.rint)  # nearest whole number, ties to even

_SHIFTER = 6755399441055744.0  # 1.5 2^52: a float64 of that size has no room for a fraction


def _intrinsic_or(plain):
    """Decorate an intrinsic that has a form in plain Python."""
    return lambda definition: plain if _PLAIN else intrinsic(definition)


@_intrinsic_or(lambda x: (np.ceil(x), int(np.ceil(x))))
def whole_ceil(typingctx, x):
    """Smallest whole number not below a float64 of at most nine digits, as a float64 and as an integer of 32 bits."""

    def codegen(context, builder, signature, args):
        value = context.cast(builder, args[0], signature.args[0], types.float64)
        if _on_gpu(builder):
            # Two additions: conversions are rare units' work there.
            shifter = ir.Constant(value.type, _SHIFTER)
            shifted = _call(builder, "__nv_dadd_ru", [value, shifter])
            whole = _call(builder, "__nv_dadd_rn", [shifted, ir.Constant(value.type, -_SHIFTER)])
            integer = builder.trunc(builder.bitcast(shifted, ir.IntType(64)), ir.IntType(32))
        else:
            whole = builder.call(builder.module.declare_intrinsic("llvm.ceil", [value.type]), [value])
            integer = builder.fptosi(whole, ir.IntType(32))
        return context.make_tuple(builder, signature.return_type, [whole, integer])

    return types.Tuple((types.float64, types.int32))(x), codegen


@_intrinsic_or(lambda x, smallest: max(abs(x), smallest))
def magnitude_above(typingctx, x, smallest):
    """|x|, or something between `smallest` and a millionth more where that is larger; float64."""

    def codegen(context, builder, signature, args):
        value, least = (
            context.cast(builder, arg, ty, types.float64) for arg, ty in zip(args, signature.args, strict=True)
        )
        if not _on_gpu(builder):
            magnitude = _call(builder, "llvm.fabs.f64", [value])
            return builder.select(builder.fcmp_ordered(">", magnitude, least), magnitude, least)
        # Positive numbers compare as their bits do, and as the upper halves of their bits: whole numbers are cheaper.
        half, whole = ir.IntType(32), ir.IntType(64)
        bits = builder.bitcast(value, whole)
        high = builder.and_(
            builder.trunc(builder.lshr(bits, ir.Constant(whole, 32)), half), ir.Constant(half, 2**31 - 1)
        )
        limit = builder.trunc(builder.lshr(builder.bitcast(least, whole), ir.Constant(whole, 32)), half)
        high = builder.select(builder.icmp_unsigned(">", high, limit), high, limit)
        low = builder.and_(bits, ir.Constant(whole, 2**32 - 1))
        bits = builder.or_(builder.shl(builder.zext(high, whole), ir.Constant(whole, 32)), low)
        return builder.bitcast(bits, value.type)

    return types.float64(x, smallest), codegen


@_intrinsic_or(lambda a, b: a * b)
def rounded_product(typingctx, a, b):
    """a b, rounded by itself: never fused with an addition, whatever the target."""
    real = _real(a)

    def codegen(context, builder, signature, args):
        left, right = (context.cast(builder, arg, ty, real) for arg, ty in zip(args, signature.args, strict=True))
        if _on_gpu(builder):
            return _call(builder, "__nv_fmul_rn" if _is_single(left) else "__nv_dmul_rn", [left, right])
        return builder.fmul(left, right)

    return real(a, b), codegen


@_intrinsic_or(lambda a, b: a / b)
def quotient(typingctx, a, b):
    """a/b; on a GPU in few instructions, for b of ordinary size: relative error 4e-16, in float32 2e-7."""
    real = _real(a)

    def codegen(context, builder, signature, args):
        top, bottom = (context.cast(builder, arg, ty, real) for arg, ty in zip(args, signature.args, strict=True))
        if not _on_gpu(builder):
            return builder.fdiv(top, bottom)
        if _is_single(top):
            return _call(builder, "llvm.nvvm.div.approx.ftz.f", [top, bottom])
        inverse = _call(builder, "llvm.nvvm.rcp.approx.ftz.d", [bottom])
        for _ in range(2):  # Newton's method doubles the 20 bits twice
            rest = _call(
                builder,
                "__nv_fma",
                [builder.fsub(ir.Constant(top.type, -0.0), bottom), inverse, ir.Constant(top.type, 1.0)],
            )
            inverse = _call(builder, "__nv_fma", [rest, inverse, inverse])
        return builder.fmul(top, inverse)

    return real(a, b), codegen


@_intrinsic_or(lambda value, x: type(x)(value))
def constant(typingctx, value, x):
    """A number in the type of x: a bare 1.0 would make float64 of a float32 beside it."""
    real = _real(x)

    def codegen(context, builder, signature, args):
        return context.cast(builder, args[0], signature.args[0], real)

    return real(value, x), codegen


def _plain_polynomial(x, coefficients, single):
    coefficients = single if isinstance(x, np.float32) else coefficients
    total = type(x)(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = type(x)(coefficient) + x * total
    return total


@_intrinsic_or(_plain_polynomial)
def polynomial(typingctx, x, coefficients, single):
    """Value of a polynomial by Horner's rule; tuples of coefficients for float64 and float32, from the constant up."""
    real = _real(x)
    chosen = 2 if real is types.float32 else 1

    def codegen(context, builder, signature, args):
        at = context.cast(builder, args[0], signature.args[0], real)
        kind = signature.args[chosen]
        numbers = [
            context.cast(builder, builder.extract_value(args[chosen], i), kind.dtype, real) for i in range(kind.count)
        ]
        total = numbers[-1]
        for number in reversed(numbers[:-1]):
            total = builder.fadd(number, builder.fmul(at, total))
        return total

    return real(x, coefficients, single), codegen


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


def _plain_bits_of(x):
    return x.view(np.int32) if isinstance(x, np.float32) else np.float64(x).view(np.int64)


def _plain_float_of(bits):
    return bits.view(np.float32) if isinstance(bits, np.int32) else np.int64(bits).view(np.float64)


@_intrinsic_or(_plain_bits_of)
def bits_of(typingctx, x):
    """The bits of a float64 or float32, as an integer of that size."""
    real = _real(x)
    integer = types.int32 if real is types.float32 else types.int64

    def codegen(context, builder, signature, args):
        value = context.cast(builder, args[0], signature.args[0], real)
        return builder.bitcast(value, context.get_value_type(integer))

    return integer(x), codegen


@_intrinsic_or(_plain_float_of)
def float_of(typingctx, bits):
    """The float64 or float32 that 64 or 32 bits stand for."""
    integer, real = (types.int32, types.float32) if bits is types.int32 else (types.int64, types.float64)

    def codegen(context, builder, signature, args):
        value = context.cast(builder, args[0], signature.args[0], integer)
        return builder.bitcast(value, context.get_value_type(real))

    return real(bits), codegen
