"""Eight float32 lanes as a value inside numba functions, so that the hot loops are vector code on every host.

Plain numba loops over 24 contiguous channels are not vectorised well (the arrays might overlap), so the loops that
matter say what they mean: `load`, `fma`, `store`. LLVM lowers eight lanes to AVX, SSE or NEON as the host has them.

Numba keeps the compiled kernels on disk and looks only at the date of the kernel's own file: after a change here, touch
the files that import it.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 8
_FLOAT = ir.FloatType()
_INT = ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INT_VECTOR = ir.VectorType(_INT, LANES)


class Float32x8(types.Type):
    """The numba type of eight float32 values."""

    def __init__(self) -> None:
        super().__init__(name="float32x8")


float32x8 = Float32x8()


@register_model(Float32x8)
class _Float32x8Model(models.PrimitiveModel):
    def __init__(self, manager, type_):
        super().__init__(manager, type_, _VECTOR)


def _pointer(context, builder, array_type, array, index):
    """The address of lanes `index .. index + 7` of a flat, contiguous float32 array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


@intrinsic
def item(typingctx, array, index):
    """One element of a flat array; the index is taken as it is, without Python's rule for negative ones."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load(builder.gep(data, [args[1]]))

    return array.dtype(array, types.intp), codegen


def _constant(value: float):
    return ir.Constant(_VECTOR, [float(np.float32(value))] * LANES)


def _integers(value: int):
    return ir.Constant(_INT_VECTOR, [value] * LANES)


def _broadcast(builder, scalar):
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, _INT(0))
    return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(_INT_VECTOR, [0] * LANES))


def _fma(builder, a, b, c):
    """a * b + c, fused where the host can."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")
    return builder.call(function, [a, b, c])


@intrinsic
def load(typingctx, array, index):
    """Eight lanes of a flat float32 array from `index` on."""

    def codegen(context, builder, signature, args):
        lanes = builder.load(_pointer(context, builder, signature.args[0], *args))
        lanes.align = 4
        return lanes

    return float32x8(array, types.intp), codegen


@intrinsic
def store(typingctx, array, index, value):
    """Write eight lanes into a flat float32 array from `index` on."""

    def codegen(context, builder, signature, args):
        builder.store(args[2], _pointer(context, builder, signature.args[0], *args[:2]), align=4)
        return context.get_dummy_value()

    return types.none(array, types.intp, float32x8), codegen


@intrinsic
def prefetch(typingctx, array, index):
    """Ask for the cache line of one element of a flat array, which will be read and written soon."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        address = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [address.type, _INT, _INT, _INT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [address, _INT(0), _INT(3), _INT(1)])
        return context.get_dummy_value()

    return types.none(array, types.intp), codegen


@intrinsic
def broadcast(typingctx, scalar):
    """One float32 in all lanes."""

    def codegen(context, builder, signature, args):
        return _broadcast(builder, args[0])

    return float32x8(types.float32), codegen


@intrinsic
def add(typingctx, a, b):
    """a + b, lane by lane."""

    def codegen(context, builder, signature, args):
        return builder.fadd(*args)

    return float32x8(float32x8, float32x8), codegen


@intrinsic
def subtract(typingctx, a, b):
    """a - b, lane by lane."""

    def codegen(context, builder, signature, args):
        return builder.fsub(*args)

    return float32x8(float32x8, float32x8), codegen


@intrinsic
def multiply(typingctx, a, b):
    """a * b, lane by lane."""

    def codegen(context, builder, signature, args):
        return builder.fmul(*args)

    return float32x8(float32x8, float32x8), codegen


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, lane by lane, fused where the host can."""

    def codegen(context, builder, signature, args):
        return _fma(builder, *args)

    return float32x8(float32x8, float32x8, float32x8), codegen


@intrinsic
def maximum(typingctx, a, b):
    """The larger of a and b, lane by lane."""

    def codegen(context, builder, signature, args):
        a, b = args
        return builder.select(builder.fcmp_ordered(">", a, b), a, b)

    return float32x8(float32x8, float32x8), codegen


def _reduced(builder, value, combine):
    """Fold eight lanes into one by halves: lane i meets lane i + 4, then i + 2, then i + 1."""
    for half in (4, 2, 1):
        order = [(i + half) % LANES for i in range(LANES)]
        value = combine(value, builder.shuffle_vector(value, value, ir.Constant(_INT_VECTOR, order)))
    return builder.extract_element(value, _INT(0))


@intrinsic
def sum_of(typingctx, value):
    """The sum of the lanes, float32."""

    def codegen(context, builder, signature, args):
        return _reduced(builder, args[0], builder.fadd)

    return types.float32(float32x8), codegen


@intrinsic
def maximum_of(typingctx, value):
    """The largest lane, float32."""

    def codegen(context, builder, signature, args):
        return _reduced(builder, args[0], lambda a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))

    return types.float32(float32x8), codegen


# exp(x) = 2^n * exp(r) with n = round(x / ln 2) and |r| <= ln 2 / 2; ln 2 in two parts so that r is exact enough.
_ROUND = 12582912.0  # 1.5 * 2^23: adding and subtracting it rounds to the nearest integer
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_TAYLOR = [1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0]
CUT = -20.0


@intrinsic
def exp_cut(typingctx, x):
    """exp(x) for x <= 0 to about 1e-7 relative, and exactly 0 below -20, as DeepLab's program cuts it."""

    def codegen(context, builder, signature, args):
        (x,) = args
        kept = builder.fcmp_ordered(">=", x, _constant(CUT))
        x = builder.select(kept, x, _constant(CUT))
        shifted = _fma(builder, x, _constant(1.4426950408889634), _constant(_ROUND))
        n = builder.fsub(shifted, _constant(_ROUND))
        r = _fma(builder, n, _constant(-_LN2_LOW), _fma(builder, n, _constant(-_LN2_HIGH), x))
        result = _constant(_TAYLOR[0])
        for coefficient in _TAYLOR[1:]:
            result = _fma(builder, result, r, _constant(coefficient))
        exponent = builder.shl(builder.add(builder.fptosi(n, _INT_VECTOR), _integers(127)), _integers(23))
        result = builder.fmul(result, builder.bitcast(exponent, _VECTOR))
        return builder.select(kept, result, _constant(0.0))

    return float32x8(float32x8), codegen
