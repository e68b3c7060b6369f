"""Recurrent layers. Mirrors `recurrent_layer.cpp`, `rnn_layer.cpp`, `lstm_layer.cpp`, `lstm_unit_layer.cpp`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from ...arrays import Shape
from .. import log
from ..blob import Blob
from .base import TensorLayer, register


class _Recurrent(TensorLayer):
    """Bottoms x (T, N, …), cont (T, N)[, x_static (N, …)][, with expose_hidden the first states (1, N, D)]; tops
    output (T, N, D)[, the last states]. D is num_output.

    cont 0 resets a stream before its step. Without expose_hidden the state is carried from one forward to the next
    (zeros at first, and again when N changes); no gradient goes back across forwards. T is fixed at set-up.
    """

    stateful = True

    bottoms = (2, 5)
    tops = (1, 3)
    no_gradient = (1,)
    #: names of the states, in the order in which they are exposed
    states: ClassVar[tuple[str, ...]] = ()
    #: rows of a projection, in units of num_output
    blocks: ClassVar[int] = 1

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.recurrent_param
        if p.num_output == 0:
            self.fail("num_output is 0 or not stated, wanted a positive number")
        exposed = len(self.states) if p.expose_hidden else 0
        self.has_static = len(bottom) == 3 + exposed
        if len(bottom) not in (2 + exposed, 3 + exposed) or len(top) != 1 + exposed:
            states = f", the first {' and '.join(self.states)}" if exposed else ""
            self.fail(
                f"has {len(bottom)} bottoms and {len(top)} tops, wanted x, cont, perhaps x_static{states}, and "
                f"{1 + exposed} tops"
            )
        self.sizes = [_features(self, b.shape, axis) for b, axis in zip(bottom, self._feature_axes(), strict=False)]
        self.steps = bottom[0].shape[0]
        rows = self.blocks * p.num_output
        shapes: list[Shape] = [(rows, self.sizes[0]), (rows,)]
        if self.has_static:
            shapes.append((rows, self.sizes[2]))
        for i, shape in enumerate(shapes + self.own_shapes(p.num_output)):
            self.add_param(i, shape, p.weight_filler if len(shape) > 1 else p.bias_filler)
        #: carried from one forward to the next, (N, D) each
        self.carried: list[torch.Tensor] = []
        if p.debug_info:
            log.info(f"{self.param.name}: {self.steps} steps of {self.sizes[0]} inputs, {p.num_output} outputs")

    def _feature_axes(self) -> tuple[int, ...]:
        return (2, 2, 1) if self.has_static else (2, 2)

    def own_shapes(self, outputs: int) -> list[Shape]:
        """Shapes of the parameters behind those of the input."""
        raise NotImplementedError(f"{type(self).__name__}.own_shapes")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        x, cont, *rest = bottoms
        outputs = self.param.recurrent_param.num_output
        if x[0] != self.steps or cont != x[:2]:
            self.fail(f"x {x} and cont {cont}, wanted ({self.steps}, N, …) and ({self.steps}, N)")
        for shape, axis, size in zip(bottoms, self._feature_axes(), self.sizes, strict=False):
            if math.prod(shape[axis:]) != size or shape[axis - 1] != x[1]:
                self.fail(f"bottom {shape} does not fit N {x[1]} and the weights for {size} inputs")
        for name, shape in zip(self.states, rest[self.has_static :], strict=False):
            if shape != (1, x[1], outputs):
                self.fail(f"the first {name} is {shape}, wanted {(1, x[1], outputs)}")
        exposed = len(rest) - self.has_static
        return [(*x[:2], outputs), *[(1, x[1], outputs)] * exposed]

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        """The matrices are applied to every step of every stream; one to an input without steps, once."""
        matrices = sum(math.prod(blob.shape) for blob in self.blobs if len(blob.shape) > 1)
        return matrices * math.prod(bottoms[0][:2])

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x, cont, *rest = bottoms
        projected = F.linear(x.flatten(2), params[0], params[1])
        if self.has_static:
            projected = projected + F.linear(rest[0].flatten(1), params[2])
        states = [state.squeeze(0) for state in rest[self.has_static :]] or self._carried_states(x)
        own = params[3 if self.has_static else 2 :]
        output, states = self.unroll(projected, cont.detach().unsqueeze(2), states, own)
        if not self.param.recurrent_param.expose_hidden:
            self.carried = [state.detach() for state in states]
            return [output]
        return [output, *(state.unsqueeze(0) for state in states)]

    def _carried_states(self, x: torch.Tensor) -> list[torch.Tensor]:
        shape = (x.shape[1], self.param.recurrent_param.num_output)
        if not self.carried or self.carried[0].shape != shape:
            return [x.new_zeros(shape) for _ in self.states]
        return [state.to(x) for state in self.carried]

    def unroll(
        self, projected: torch.Tensor, cont: torch.Tensor, states: list[torch.Tensor], own: list[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Output (T, N, D) and the last states, from the projected inputs (T, N, blocks · D) and cont (T, N, 1)."""
        raise NotImplementedError(f"{type(self).__name__}.unroll")


def _features(layer: TensorLayer, shape: Shape, axis: int) -> int:
    """The number of values behind the axes of time and stream."""
    if len(shape) < axis:
        layer.fail(f"bottom {shape} has {len(shape)} axes, wanted more")
    return math.prod(shape[axis:])


@register("RNN")
class RNN(_Recurrent):
    """h_t = tanh(W_xh x_t + b_h [+ W_xh_static x_static] + W_hh (cont_t h_{t−1})), output tanh(W_ho h_t + b_o).

    Blobs: W_xh (D, I), b_h (D)[, W_xh_static (D, S)], W_hh (D, D), W_ho (D, D), b_o (D). Exposed state: h.
    """

    states = ("h",)

    def own_shapes(self, outputs: int) -> list[Shape]:
        return [(outputs, outputs), (outputs, outputs), (outputs,)]

    def unroll(
        self, projected: torch.Tensor, cont: torch.Tensor, states: list[torch.Tensor], own: list[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        hidden, history = states[0], []
        for inputs, goes_on in zip(projected, cont, strict=True):
            hidden = torch.tanh(inputs + F.linear(goes_on * hidden, own[0]))
            history.append(hidden)
        return torch.tanh(F.linear(torch.stack(history), own[1], own[2])), [hidden]


class _Forget(torch.autograd.Function):
    """cont · σ(f); its gradient is that of a sigmoid of this value, as in Caffe, also for cont between 0 and 1."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, cont: torch.Tensor) -> torch.Tensor:
        value = cont * torch.sigmoid(gate)
        ctx.save_for_backward(value)
        return value

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (value,) = ctx.saved_tensors
        return grads[0] * value * (1 - value), None


def _lstm_step(gates: torch.Tensor, cell: torch.Tensor, cont: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Next cell and hidden state from gates (N, 4 D) in the order i, f, o, g, the last cell (N, D), cont (N, 1)."""
    i, f, o, g = gates.chunk(4, 1)
    cell = _Forget.apply(f, cont) * cell + torch.sigmoid(i) * torch.tanh(g)
    return cell, torch.sigmoid(o) * torch.tanh(cell)


@register("LSTM")
class LSTM(_Recurrent):
    """c_t = cont_t σ(f) c_{t−1} + σ(i) tanh(g), output h_t = σ(o) tanh(c_t), with the gates i, f, o, g in blocks of D
    of W_xc x_t + b_c [+ W_xc_static x_static] + W_hc (cont_t h_{t−1}).

    Blobs: W_xc (4 D, I), b_c (4 D)[, W_xc_static (4 D, S)], W_hc (4 D, D). Exposed states: h, c.
    """

    states = ("h", "c")
    blocks = 4

    def own_shapes(self, outputs: int) -> list[Shape]:
        return [(4 * outputs, outputs)]

    def unroll(
        self, projected: torch.Tensor, cont: torch.Tensor, states: list[torch.Tensor], own: list[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        (hidden, cell), history = states, []
        for inputs, goes_on in zip(projected, cont, strict=True):
            cell, hidden = _lstm_step(inputs + F.linear(goes_on * hidden, own[0]), cell, goes_on)
            history.append(hidden)
        return torch.stack(history), [hidden, cell]


@register("LSTMUnit")
class LSTMUnit(TensorLayer):
    """One step of LSTM: last cell (1, N, D), gates (1, N, 4 D) in the order i, f, o, g, cont (1, N) to cell and
    hidden state (1, N, D)."""

    bottoms = (3, 3)
    tops = (2, 2)
    no_gradient = (2,)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        cell, gates, cont = bottoms
        if len(cell) != 3 or cell[0] != 1 or gates != (*cell[:2], 4 * cell[2]) or cont != cell[:2]:
            self.fail(f"cell {cell}, gates {gates} and cont {cont}, wanted (1, N, D), (1, N, 4 D) and (1, N)")
        return [cell, cell]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        cell, gates, cont = bottoms
        results = _lstm_step(gates.squeeze(0), cell.squeeze(0), cont.detach().reshape(-1, 1))
        return [result.unsqueeze(0) for result in results]
