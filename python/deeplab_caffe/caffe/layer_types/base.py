"""What layer types derive from: a layer in Python (`Layer`), or a function of tensors (`TensorLayer`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from ...arrays import Shape
from ...formats import schema
from .. import mode
from ..blob import Blob
from .layer import MANY, Layer
from .registry import blobs_from_proto, layer_class, layer_type_list, register, registered

#: bytes of a value
_FLOAT = 4

__all__ = [
    "MANY",
    "DataLayer",
    "Layer",
    "LossLayer",
    "Shape",
    "TensorLayer",
    "blobs_from_proto",
    "layer_class",
    "layer_type_list",
    "register",
    "registered",
]


class TensorLayer(Layer):
    """A layer written as a function of tensors; PyTorch's autograd gives its gradients.

    Subclasses have `top_shapes` (the shape rule) and `compute`.
    """

    bottoms = (1, 1)
    tops = (1, 1)
    #: whether computing once more would draw again or change a state
    stateful: ClassVar[bool] = False
    #: whether `precision` has an effect
    takes_precision: ClassVar[bool] = False
    #: whether `compute` takes bottoms of any precision; the others get float32
    any_precision: bool = False
    #: what Convolution and InnerProduct compute in, if not in their parameters' float32; gradients of parameters and
    #: losses are float32 always
    precision: torch.dtype | None = None
    #: bottoms, parameters and tops of the last forward, as autograd knows them, and what their contents were
    _versions: Sequence[int] = ()
    _tape: tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]] | None = None

    def top_shapes(self, *bottoms: Shape) -> Sequence[Shape]:
        """Shapes of the tops from the shapes of the bottoms; fails where the bottoms do not fit."""
        raise NotImplementedError(f"{type(self).__name__}.top_shapes")

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        """The tops from the bottoms and the parameters."""
        raise NotImplementedError(f"{type(self).__name__}.compute")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, shape in zip(top, self.top_shapes(*(b.shape for b in bottom)), strict=True):
            if blob.shape != shape and blob in bottom:
                self.fail(f"cannot work in place: it makes {shape} of {blob.shape}; give the top its own name")
            blob.reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        inputs = [b.data_tensor().detach() for b in bottom]
        params = [p.data_tensor().detach() for p in self.blobs]
        if self.needs_backward:
            for i, (blob, tensor) in enumerate(zip(bottom, inputs, strict=True)):
                if blob in top and blob.data_memory.viewed:
                    inputs[i] = tensor.clone()  # the result is about to be copied over what autograd keeps
        outputs = self._record(inputs, params)
        seen = {_memory(t) for t in inputs if t.numel()}
        for blob, output in zip(top, outputs, strict=True):
            result = output.detach()
            if _memory(result) in seen and blob not in bottom:
                result = result.clone()
            blob.set_data(result)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self._refresh(top, bottom)
        for i in self.no_gradient:
            if any(propagate_down[i : i + 1 or None]):
                self.fail(f"bottom {self.param.bottom[i]} has no gradient; state propagate_down: false for it")
        assert self._tape is not None
        inputs, params, outputs = self._tape
        wanted = [t for t, flag in zip(inputs, propagate_down, strict=True) if flag and t.requires_grad]
        wanted += [t for t in params if t.requires_grad]
        used = [(o, b.diff_tensor().to(o.dtype)) for o, b in zip(outputs, top, strict=True) if o.requires_grad]
        grads: dict[int, torch.Tensor | None] = {}
        if used and wanted:
            tops, diffs = [o for o, _ in used], [d for _, d in used]
            try:
                found = torch.autograd.grad(tops, wanted, diffs, retain_graph=True, allow_unused=True)
            except RuntimeError as error:
                if "inplace operation" not in str(error):
                    raise
                self.fail(
                    "its parameters were changed since the forward pass, which its gradient needs; run that again"
                )
            grads = {id(t): g for t, g in zip(wanted, found, strict=True)}
        self._store(inputs, params, grads, [d for _, d in used], propagate_down, bottom)

    def _refresh(self, top: Sequence[Blob], bottom: Sequence[Blob]) -> None:
        """Make the tape that of the present bottoms and parameters: Caffe's backward reads those, not a past forward.

        What an in-place layer read is kept on the tape alone. A layer with a state keeps the tape of its forward.
        """
        inputs = [b.data_tensor().detach() for b in bottom]
        params = [p.data_tensor().detach() for p in self.blobs]
        if self._tape is None:
            if self.stateful:
                self.fail("backward needs a forward pass before it (what solver.step computed is not kept)")
        else:
            before, params_before, _ = self._tape
            inputs = [old if b in top else new for old, new, b in zip(before, inputs, bottom, strict=True)]
            if self.stateful or self._is_of([*before, *params_before], [*inputs, *params]):
                return
        self._record([t.detach() for t in inputs], params)

    def _is_of(self, before: Sequence[torch.Tensor], now: Sequence[torch.Tensor]) -> bool:
        """Whether tensors are those of the tape, unchanged (through numpy they change for the tape as well)."""
        if [t._version for t in before] != list(self._versions):
            return False
        return all(_memory(old) == _memory(new) for old, new in zip(before, now, strict=True))

    def _record(self, inputs: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        """Compute the tops, with a tape if backward needs it."""
        if self.needs_backward:
            for tensor, flag in zip([*inputs, *params], [*self.propagate_down, *self.param_propagate], strict=True):
                tensor.requires_grad_(flag)
        with torch.set_grad_enabled(self.needs_backward):
            outputs = list(self.compute(inputs if self.any_precision else [_full(t) for t in inputs], params))
        self._tape = (inputs, params, outputs) if self.needs_backward else None
        self._versions = [t._version for t in (*inputs, *params)]
        return outputs

    def release(self) -> None:
        """Forget what the last forward kept for backward."""
        self._tape = None

    def kept_bytes(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """What it read, if its result replaced that, and what its type needs besides."""
        if not self.needs_backward:
            return 0
        replaced = sum(b.count for b in bottom if any(b is t for t in top))
        return _FLOAT * replaced + self.kept_beside(bottom, top)

    def kept_beside(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """Bytes that its gradient needs beside its bottoms, tops and parameters: masks, places of maxima, …"""
        return 0

    def factor_and_shift(self, *params: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of an affine layer with these parameters (float64): factor and shift of each channel, both (C)."""
        raise NotImplementedError(f"{type(self).__name__}.factor_and_shift")

    def _store(
        self,
        inputs: list[torch.Tensor],
        params: list[torch.Tensor],
        grads: dict[int, torch.Tensor | None],
        top_diffs: list[torch.Tensor],
        propagate_down: Sequence[bool],
        bottom: Sequence[Blob],
    ) -> None:
        """Put gradients where they belong, never two blobs or two elements on one memory."""
        taken = {_memory(d) for d in top_diffs}
        for tensor, blob, flag in zip(inputs, bottom, propagate_down, strict=True):
            if not flag:
                continue
            gradient = grads.get(id(tensor))
            if gradient is None:
                gradient = torch.zeros_like(tensor)
            elif _memory(gradient) in taken or _repeats(gradient):
                gradient = gradient.clone()
            taken.add(_memory(gradient))
            blob.set_diff(gradient)
        for tensor, blob in zip(params, self.blobs, strict=True):
            gradient = grads.get(id(tensor))
            if gradient is not None:
                shared = _memory(gradient) in taken or _repeats(gradient)
                blob.diff_memory.accumulate(gradient.clone() if shared else gradient)


def _memory(tensor: torch.Tensor) -> int:
    """The allocation that a tensor lies in; a slice lies in that of the whole."""
    return tensor.untyped_storage().data_ptr()


def _repeats(tensor: torch.Tensor) -> bool:
    """Whether elements share memory, as in the gradient of a sum: nothing can be written into it."""
    return any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True))


def _full(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor as float32, if it is of a lower precision."""
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor


class LossLayer(TensorLayer):
    """A layer whose first top is a scalar that training makes small."""

    bottoms = (2, 2)
    tops = (1, 1)
    is_loss = True
    auto_top = True
    no_gradient: ClassVar[tuple[int, ...]] = (1,)

    def check_items(self, *bottoms: Shape) -> None:
        if bottoms[0][:1] != bottoms[1][:1]:
            self.fail(f"bottoms {bottoms[0]} and {bottoms[1]} differ in the number of items (axis 0)")


class DataLayer(TensorLayer):
    """A layer without bottoms that brings data.

    `position` counts the items used since the start. Solvers that train together share the items: in TRAIN
    each takes every `sharers`-th one from its `share` on, and the position counts those of all.
    """

    bottoms = (0, 0)
    position: int = 0
    #: where the items of the present batch came from, for `explain_label`
    present: Sequence[Any] = ()

    @property
    def sharers(self) -> int:
        """How many solvers share the items."""
        return mode.solver_count() if self.phase == schema.TRAIN else 1

    @property
    def share(self) -> int:
        """Which of them this one is, from 0."""
        return mode.solver_rank() % self.sharers

    def seek(self, position: int) -> None:
        """Go to an item count, as if that many items had been used."""
        self.position = position

    def explain_label(self, index: int, num_classes: int, ignored: Sequence[int]) -> str:
        """Where the label of item `index` of the present batch came from, and what is wrong with it."""
        return ""

    def contents(self) -> str:
        """A short description of what it reads: equal where solvers that train together read the same."""
        return ""

    def close(self) -> None:
        """Stop whatever reads ahead."""
