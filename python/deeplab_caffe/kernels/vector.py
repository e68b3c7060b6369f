"""Rows of float32 lanes as values inside numba functions, so that the hot loops are vector code on every host.

Numba does not vectorise plain loops over a few contiguous channels well, because the arrays might overlap. The hot
loops therefore use explicit operations: `load`, `fma`, `store`. A row is one or more vectors of eight lanes, which LLVM
lowers to AVX, SSE or NEON; a vector of 16 lanes is used where nothing is gathered. The number of vectors in a row is
given by a tuple of that length, `parts_of(lanes)`, because numba compiles a function for the types of its arguments.
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


class VectorRow(types.Type):
    """The numba type of `parts` vectors of `lanes` float32 values."""

    def __init__(self, lanes: int, parts: int) -> None:
        super().__init__(name=f"float32_row{lanes}x{parts}")
        self.lanes, self.parts = lanes, parts
        self.vector = ir.VectorType(_FLOAT, lanes)
        self.integers = ir.VectorType(_INT, lanes)


@register_model(VectorRow)
class _VectorRowModel(models.PrimitiveModel):
    def __init__(self, manager, row):
        super().__init__(manager, row, ir.ArrayType(row.vector, row.parts))


_row16 = VectorRow(2 * LANES, 1)


def parts_of(lanes: int) -> tuple[int, ...]:
    """The tuple that stands for rows of `lanes` values, a multiple of eight."""
    return (0,) * (lanes // LANES)


def _mapped(builder, row, function, *values):
    """The row whose vectors are `function` of the vectors of `values`, part by part."""
    result = ir.Constant(ir.ArrayType(row.vector, row.parts), ir.Undefined)
    for part in range(row.parts):
        vector = function(*(builder.extract_value(value, part) for value in values))
        result = builder.insert_value(result, vector, part)
    return result


def _everywhere(builder, row, value):
    """A vector with one float32 in all lanes."""
    undefined = ir.Constant(row.vector, ir.Undefined)
    one = builder.insert_element(undefined, value, _INT(0))
    return builder.shuffle_vector(one, undefined, ir.Constant(row.integers, [0] * row.lanes))


def _constant(row, value: float):
    return ir.Constant(row.vector, [float(np.float32(value))] * row.lanes)


def _address(context, builder, array_type, array, index):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _vectors(context, builder, row, array_type, array, index):
    """The addresses of a row's vectors, which begin at `index` of a flat, contiguous float32 array."""
    first = _address(context, builder, array_type, array, index)
    places = (builder.gep(first, [ir.Constant(_INT, part * row.lanes)]) for part in range(row.parts))
    return [builder.bitcast(place, row.vector.as_pointer()) for place in places]


@intrinsic
def item(typingctx, array, index):
    """One element of a flat array; negative indices do not count from the end."""

    def codegen(context, builder, signature, args):
        return builder.load(_address(context, builder, signature.args[0], *args))

    return array.dtype(array, types.intp), codegen


@intrinsic
def index_at(typingctx, array, index):
    """The bits of one element of a flat array of 32-bit values, as an index."""

    def codegen(context, builder, signature, args):
        address = _address(context, builder, signature.args[0], *args)
        return builder.zext(builder.load(builder.bitcast(address, _INT.as_pointer())), ir.IntType(64))

    return types.intp(array, types.intp), codegen


@intrinsic
def load(typingctx, parts, array, index):
    """A row of a flat float32 array from `index` on; `parts` is a tuple with a value for each vector of the row."""
    row = VectorRow(LANES, len(parts))

    def codegen(context, builder, signature, args):
        return _loaded(context, builder, row, signature.args[1], *args[1:])

    return row(parts, array, types.intp), codegen


@intrinsic
def load_repeated(typingctx, parts, group, array, index):
    """As `load`, but the first `len(group)` vectors are repeated to fill the row."""
    row, whole = VectorRow(LANES, len(parts)), len(group)

    def codegen(context, builder, signature, args):
        vectors = _loaded(context, builder, VectorRow(LANES, min(row.parts, whole)), signature.args[2], *args[2:])
        result = ir.Constant(ir.ArrayType(row.vector, row.parts), ir.Undefined)
        for part in range(row.parts):
            result = builder.insert_value(result, builder.extract_value(vectors, part % whole), part)
        return result

    return row(parts, group, array, types.intp), codegen


@intrinsic
def load16(typingctx, array, index):
    """A row of one vector of 16 lanes."""

    def codegen(context, builder, signature, args):
        return _loaded(context, builder, _row16, signature.args[0], *args)

    return _row16(array, types.intp), codegen


def _loaded(context, builder, row, array_type, array, index):
    result = ir.Constant(ir.ArrayType(row.vector, row.parts), ir.Undefined)
    for part, where in enumerate(_vectors(context, builder, row, array_type, array, index)):
        vector = builder.load(where)
        vector.align = 4
        result = builder.insert_value(result, vector, part)
    return result


@intrinsic
def store(typingctx, array, index, value):
    """Write a row into a flat float32 array from `index` on."""

    def codegen(context, builder, signature, args):
        for part, where in enumerate(_vectors(context, builder, value, signature.args[0], *args[:2])):
            builder.store(builder.extract_value(args[2], part), where, align=4)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), codegen


@intrinsic
def prefetch(typingctx, array, index):
    """Prefetch the cache line of one element of a flat array, which will be read and written soon."""

    def codegen(context, builder, signature, args):
        address = builder.bitcast(_address(context, builder, signature.args[0], *args), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [address.type, _INT, _INT, _INT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [address, _INT(0), _INT(3), _INT(1)])
        return context.get_dummy_value()

    return types.none(array, types.intp), codegen


@intrinsic
def filled(typingctx, like, scalar):
    """One float32 in all lanes of a row like `like`."""

    def codegen(context, builder, signature, args):
        vector = _everywhere(builder, like, args[1])
        return _mapped(builder, like, lambda _: vector, args[0])

    return like(like, types.float32), codegen


@intrinsic
def filled16(typingctx, scalar):
    """A row of one vector of 16 lanes with one float32 in all of them."""

    def codegen(context, builder, signature, args):
        vector = _everywhere(builder, _row16, args[0])
        return builder.insert_value(ir.Constant(ir.ArrayType(_row16.vector, 1), ir.Undefined), vector, 0)

    return _row16(types.float32), codegen


@intrinsic
def larger(typingctx, a, b):
    """b where it is larger than a, else a, lane by lane."""

    def codegen(context, builder, signature, args):
        return _mapped(builder, a, lambda one, other: _larger(builder, other, one), *args)

    return a(a, a), codegen


def _arithmetic(name: str, doc: str):
    def operation(typingctx, a, b):
        def codegen(context, builder, signature, args):
            return _mapped(builder, a, getattr(builder, name), *args)

        return a(a, a), codegen

    operation.__doc__ = doc
    return intrinsic(operation)


add = _arithmetic("fadd", "a + b, lane by lane.")
subtract = _arithmetic("fsub", "a - b, lane by lane.")
multiply = _arithmetic("fmul", "a * b, lane by lane.")


def _fma(builder, row, a, b, c):
    """a * b + c of vectors, fused where the host can."""
    kind = ir.FunctionType(row.vector, [row.vector] * 3)
    return builder.call(
        cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{row.lanes}f32"), [a, b, c]
    )


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, lane by lane, fused where the host can."""

    def codegen(context, builder, signature, args):
        return _mapped(builder, a, lambda *vectors: _fma(builder, a, *vectors), *args)

    return a(a, a, a), codegen


def _larger(builder, a, b):
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _reduced(builder, row, value, combine):
    """Fold a row into one float32: part by part, then halves of the vector."""
    vector = builder.extract_value(value, 0)
    for part in range(1, row.parts):
        vector = combine(vector, builder.extract_value(value, part))
    half = row.lanes // 2
    while half:
        low, high = (ir.Constant(ir.VectorType(_INT, half), list(range(i, i + half))) for i in (0, half))
        vector = combine(builder.shuffle_vector(vector, vector, low), builder.shuffle_vector(vector, vector, high))
        half //= 2
    return builder.extract_element(vector, _INT(0))


@intrinsic
def sum_of(typingctx, value):
    """The sum of the lanes, float32."""

    def codegen(context, builder, signature, args):
        return _reduced(builder, value, args[0], builder.fadd)

    return types.float32(value), codegen


@intrinsic
def maximum_of(typingctx, value):
    """The largest lane, float32."""

    def codegen(context, builder, signature, args):
        return _reduced(builder, value, args[0], lambda a, b: _larger(builder, a, b))

    return types.float32(value), codegen


@intrinsic
def first_of(typingctx, value, scalar):
    """The number of the first lane that equals `scalar`, or 0."""

    def codegen(context, builder, signature, args):
        wanted = _everywhere(builder, value, args[1])
        number, bits = ir.IntType(64), ir.IntType(value.lanes)
        found = number(0)
        for part in reversed(range(value.parts)):
            equal = builder.fcmp_ordered("==", builder.extract_value(args[0], part), wanted)
            lanes = builder.bitcast(equal, bits)
            here = builder.zext(builder.cttz(lanes, ir.IntType(1)(0)), number)
            found = builder.select(
                builder.icmp_unsigned("!=", lanes, bits(0)), builder.add(here, number(part * value.lanes)), found
            )
        return found

    return types.intp(value, types.float32), codegen


@intrinsic
def inverse(typingctx, scalar):
    """1 / scalar, without Python's check for division by 0."""

    def codegen(context, builder, signature, args):
        return builder.fdiv(ir.Constant(_FLOAT, 1.0), args[0])

    return types.float32(types.float32), codegen


# exp(x) = 2^n * exp(r) with n = round(x / ln 2) and |r| <= ln 2 / 2; ln 2 in float32 has an error of only 2e-9.
_ROUND = 12582912.0  # 1.5 * 2^23: a sum with it is rounded to an integer, which is in the low bits
_TAYLOR = [1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0]
CUT = -20.0


def _exp(builder, row, x):
    kept = builder.fcmp_ordered(">=", x, _constant(row, CUT))
    shifted = _fma(builder, row, x, _constant(row, 1.4426950408889634), _constant(row, _ROUND))
    n = builder.fsub(shifted, _constant(row, _ROUND))
    r = _fma(builder, row, n, _constant(row, -0.6931471805599453), x)
    result = _constant(row, _TAYLOR[0])
    for coefficient in _TAYLOR[1:]:
        result = _fma(builder, row, result, r, _constant(row, coefficient))
    exponent = builder.shl(builder.bitcast(shifted, row.integers), ir.Constant(row.integers, [23] * row.lanes))
    scaled = builder.bitcast(builder.add(builder.bitcast(result, row.integers), exponent), row.vector)
    return builder.select(kept, scaled, _constant(row, 0.0))


@intrinsic
def exp_cut(typingctx, x):
    """exp(x) for x < 80 to about 2e-7 relative, and exactly 0 below -20, as in DeepLab's program."""

    def codegen(context, builder, signature, args):
        return _mapped(builder, x, lambda vector: _exp(builder, x, vector), *args)

    return x(x), codegen
