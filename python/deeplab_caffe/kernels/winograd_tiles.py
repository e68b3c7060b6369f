"""What Winograd's convolution does with one tile of some channels: straight vector code, made from the matrices.

All arrays are flat float32. A tile's size m and the vectors in a row are told by tuples of that length. Vectors have as
many lanes as the processor's; lanes are channels that lie side by side.
"""

from __future__ import annotations

from itertools import chain, repeat

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .registers import LANES
from .vector import VectorRow
from .winograd_matrices import Factors, matrices

_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_FMA = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
#: one vector as a value of numba
_flags = VectorRow(LANES, 1)


def _everywhere(value: float):
    return ir.Constant(_VECTOR, [float(np.float32(value))] * LANES)


class _Code:
    """Instructions on vectors, written into the function that is being compiled."""

    def __init__(self, context, builder, signature, arguments) -> None:
        self.builder, self._context = builder, context
        self._types, self._arguments = signature.args, arguments

    def start(self, i: int, index=None):
        """The address of an element of the array that is the i-th argument, by default of the first."""
        data = self._context.make_array(self._types[i])(self._context, self.builder, self._arguments[i]).data
        return data if index is None else self.builder.gep(data, [index])

    def places(self, start, count: int, stride) -> list:
        """Addresses of `count` elements, `stride` elements apart."""
        return [self.builder.gep(start, [self.builder.mul(stride, _INT(i))]) for i in range(count)]

    def load(self, place):
        vector = self.builder.load(self.builder.bitcast(place, _VECTOR.as_pointer()))
        vector.align = 4
        return vector

    def store(self, vector, place) -> None:
        self.builder.store(vector, self.builder.bitcast(place, _VECTOR.as_pointer()), align=4)

    def repeated(self, scalar):
        """A vector with one float32 in all lanes."""
        undefined = ir.Constant(_VECTOR, ir.Undefined)
        one = self.builder.insert_element(undefined, scalar, ir.IntType(32)(0))
        return self.builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), LANES), None))

    def exchanged(self, a, b, half: int) -> tuple:
        """Two vectors with the upper halves of each 2 · half lanes of `a` and the lower ones of `b` exchanged."""
        low = [i if not i & half else i - half + LANES for i in range(LANES)]
        masks = (ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes) for lanes in (low, [i + half for i in low]))
        first, second = (self.builder.shuffle_vector(a, b, mask) for mask in masks)
        return first, second

    def fma(self, a, b, c):
        """a * b + c, fused where the processor can."""
        function = cgutils.get_or_insert_function(self.builder.module, _FMA, f"llvm.fmuladd.v{LANES}f32")
        return self.builder.call(function, [a, b, c])

    def combined(self, coefficients, vectors):
        """The sum of vectors times constants."""
        terms = sorted((abs(c) != 1, c < 0, i) for i, c in enumerate(coefficients) if c)
        total = None
        for _, _, i in terms:  # factors of 1 first, then of -1
            factor, vector = float(coefficients[i]), vectors[i]
            if total is None:
                total = vector if factor == 1 else self.builder.fmul(_everywhere(factor), vector)
            elif abs(factor) == 1:
                total = (self.builder.fadd if factor == 1 else self.builder.fsub)(total, vector)
            else:
                total = self.fma(_everywhere(factor), vector, total)
        return total

    def transformed(self, factors: Factors, vectors) -> list:
        """A product of two matrices with a list of vectors."""
        for matrix in reversed(factors):
            vectors = [self.combined(row, vectors) for row in matrix]
        return vectors

    def transformed_twice(self, factors: Factors, rows) -> list[list]:
        """Both sides of a square of vectors: M d M^T. Gives columns."""
        halves = [self.transformed(factors, row) for row in rows]
        return [self.transformed(factors, column) for column in zip(*halves, strict=True)]

    def store_square(self, columns, start, step) -> None:
        """Write columns of vectors row by row, `step` elements apart."""
        for i, row in enumerate(zip(*columns, strict=True)):
            for j, vector in enumerate(row):
                self.store(vector, self.builder.gep(start, [self.builder.mul(step, _INT(i * len(columns) + j))]))


@intrinsic
def copy(typingctx, source, start, target, to, count):
    """Copy `count` elements; the arrays do not overlap."""

    def codegen(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        _, start, _, to, count = arguments
        cgutils.raw_memcpy(builder, code.start(2, to), code.start(0, start), count, _INT(4))
        return context.get_dummy_value()

    return types.none(source, types.intp, target, types.intp, types.intp), codegen


@intrinsic
def clear(typingctx, target, to, count):
    """Make `count` elements 0."""

    def codegen(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        _, to, count = arguments
        cgutils.memset(builder, code.start(0, to), builder.mul(count, _INT(4)), 0)
        return context.get_dummy_value()

    return types.none(target, types.intp, types.intp), codegen


@intrinsic
def transform_input(typingctx, tile, image, start, row, column, transformed, to, step):
    """B^T d B of n × n inputs, `row` and `column` elements apart from `start` on; written `step` apart from `to` on."""
    m = len(tile)

    def codegen(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        _, _, start, row, column, _, to, step = arguments
        lines = code.places(code.start(1, start), m + 2, row)
        inputs = [[code.load(place) for place in code.places(line, m + 2, column)] for line in lines]
        code.store_square(code.transformed_twice(matrices(m).input, inputs), code.start(5, to), step)
        return context.get_dummy_value()

    where = types.intp
    return types.none(tile, image, where, where, where, transformed, where, where), codegen


@intrinsic
def transform_weight(typingctx, tile, taps, start, step, transformed, to, to_step):
    """G g G^T of 3 × 3 weights, `step` elements apart from `start` on; written `to_step` apart from `to` on."""
    m = len(tile)

    def codegen(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        _, _, start, step, _, to, to_step = arguments
        found = [code.load(place) for place in code.places(code.start(1, start), 9, step)]
        columns = code.transformed_twice(matrices(m).weight, [found[i : i + 3] for i in (0, 3, 6)])
        code.store_square(columns, code.start(4, to), to_step)
        return context.get_dummy_value()

    where = types.intp
    return types.none(tile, taps, where, where, transformed, where, where), codegen


@intrinsic
def transpose(typingctx, source, start, stride, target, to, to_stride):
    """Copy a square of LANES × LANES elements, rows `stride` apart from `start` on, as columns `to_stride` apart."""

    def codegen(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        _, start, stride, _, to, to_stride = arguments
        rows = [code.load(place) for place in code.places(code.start(0, start), LANES, stride)]
        half = LANES // 2
        while half:  # exchange corners: lanes i + half of row i with lanes i of row i + half
            for i in (i for i in range(LANES) if not i & half):
                rows[i], rows[i + half] = code.exchanged(rows[i], rows[i + half], half)
            half //= 2
        for row, place in zip(rows, code.places(code.start(3, to), LANES, to_stride), strict=True):
            code.store(row, place)
        return context.get_dummy_value()

    where = types.intp
    return types.none(source, where, where, target, where, where), codegen


@intrinsic
def transform_output(typingctx, tile, products, start, step, bias, channel, slope, image, to, row, column, flags):
    """A^T M A of n × n products, plus a bias, negative values times `slope`; `row` and `column` apart from `to` on.

    Returns `flags`, in which there is NaN now if one of them is not finite.
    """
    m = len(tile)

    def codegen(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        _, _, start, step, _, channel, slope, _, to, row, column, flags = arguments
        found = [code.load(place) for place in code.places(code.start(1, start), (m + 2) ** 2, step)]
        rows = [found[i : i + m + 2] for i in range(0, len(found), m + 2)]
        columns = code.transformed_twice(matrices(m).output, rows)
        shift, slopes, zero = code.load(code.start(4, channel)), code.repeated(slope), _everywhere(0)
        flag = builder.extract_value(flags, 0)
        for i, line in enumerate(code.places(code.start(7, to), m, row)):
            for j, place in enumerate(code.places(line, m, column)):
                value = builder.fadd(columns[j][i], shift)
                flag = code.fma(value, zero, flag)
                negative = builder.fcmp_ordered("<", value, zero)
                code.store(builder.select(negative, code.fma(value, slopes, zero), value), place)
        return builder.insert_value(flags, flag, 0)

    where, slopes = types.intp, types.float32
    return _flags(tile, products, where, where, bias, where, slopes, image, where, where, where, _flags), codegen


@intrinsic
def no_flags(typingctx):
    """Flags that say nothing yet."""

    def codegen(context, builder, signature, arguments):
        return ir.Constant(ir.ArrayType(_VECTOR, 1), [_everywhere(0)])

    return _flags(), codegen


@intrinsic
def multiply(typingctx, rows, vectors, left, start, stride, panel, first, depth, product, to, to_stride):
    """A product (rows, depth) · (depth, vectors · LANES) with the sums in registers.

    `left` has `stride` elements a row from `start` on, `panel` is dense from `first` on, the product has `to_stride`.
    There is at least one step: were none possible, LLVM would make much code for that case.
    """
    count, width = len(rows), len(vectors)

    def codegen(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        _, _, _, start, stride, _, first, depth, _, to, to_stride = arguments
        lines, weights = code.places(code.start(2, start), count, stride), code.start(5, first)
        before, loop, after = builder.block, builder.append_basic_block("step"), builder.append_basic_block("sums")
        builder.branch(loop)
        builder.position_at_end(loop)
        k, sums = builder.phi(_INT), [[builder.phi(_VECTOR) for _ in range(width)] for _ in range(count)]
        here = builder.gep(weights, [builder.mul(k, _INT(width * LANES))])
        loaded = [code.load(place) for place in code.places(here, width, _INT(LANES))]
        results = []
        for line, own in zip(lines, sums, strict=True):
            value = code.repeated(builder.load(builder.gep(line, [k])))
            results.append([code.fma(value, weight, total) for weight, total in zip(loaded, own, strict=True)])
        following = builder.add(k, _INT(1))
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
        for value, first, next_ in [
            (k, _INT(0), following),
            *zip(chain(*sums), repeat(_everywhere(0)), chain(*results), strict=False),
        ]:
            value.add_incoming(first, before)
            value.add_incoming(next_, loop)
        builder.position_at_end(after)
        for line, own in zip(code.places(code.start(8, to), count, to_stride), results, strict=True):
            for place, total in zip(code.places(line, width, _INT(LANES)), own, strict=True):
                code.store(total, place)
        return context.get_dummy_value()

    where = types.intp
    return types.none(rows, vectors, left, where, where, panel, where, where, product, where, where), codegen
