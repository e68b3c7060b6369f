"""The memory that this engine needs for a net's activations and parameters, in training and in testing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..caffe.blob import Blob
from ..caffe.layer_types.base import TensorLayer
from ..caffe.layer_types.gradientless import SilentLayer
from ..caffe.plan.operations import ConvolutionOperation, Operation
from .shapes import NetShapes, ShapeNet

_FLOAT = 4


@dataclass(frozen=True)
class Memory:
    """Memory of a net, in bytes.

    params: the data of all parameters; gradients: their diffs; history: what the solver keeps for them; data, diff:
    those of all blobs; kept: what forward keeps for backward besides the blobs; live: the peak if every blob is freed
    after its last use; folded: the weights of its own that planned execution makes.
    """

    params: int
    gradients: int
    history: int
    data: int
    diff: int
    kept: int
    live: int
    folded: int

    @property
    def training(self) -> int:
        """The peak of a training step, without the work space of libraries."""
        return self.params + self.gradients + self.history + self.data + self.diff + self.kept

    @property
    def testing(self) -> int:
        """The peak of a forward pass that keeps every blob, as plain execution does."""
        return self.params + self.data

    @property
    def planned(self) -> int:
        """The peak of a forward pass that frees every blob after its last use, as planned execution does."""
        return self.params + self.folded + self.live


@dataclass
class Activation:
    """Memory of one layer, in bytes.

    data, diff: of its tops, if they do not share memory with an earlier blob, and of the Splits behind them; kept: what
    its forward keeps for backward besides them.
    """

    data: int = 0
    diff: int = 0
    kept: int = 0


def memory(shapes: NetShapes, histories: int = 1) -> Memory:
    """The memory of a net; `histories`: arrays that its solver keeps per parameter (SGD 1, Adam 2)."""
    net = shapes.net
    params = _FLOAT * sum({id(b.data_memory): b.count for layer in net.layers for b in layer.blobs}.values())
    learned = _FLOAT * sum(p.blob.count for p in net.learnable_params if p.lr_mult != 0)
    rows = activations(shapes)
    data, diff, kept = (sum(getattr(row, name) for row in rows) for name in ("data", "diff", "kept"))
    operations = net.plan().operations
    live, folded = _live(net, operations), _folded(net, operations)
    return Memory(params, learned, params * histories, data, diff, kept, live, folded)


def activations(shapes: NetShapes) -> list[Activation]:
    """The memory of every layer's activations, in order."""
    places = {id(layer.layer): i for i, layer in enumerate(shapes.layers) if layer.layer is not None}
    rows = [Activation() for _ in shapes.layers]
    with_diff = {id(b.diff_memory) for b in _with_diff(shapes.net)}
    owners: dict[int, int] = {}  # memory → index of the layer that made it first
    for step in shapes.net.steps:
        layer = step.layer
        place = places[id(layer)] if layer.type != "Split" else owners[id(step.bottoms[0].data_memory)]
        rows[place].kept += layer.kept_bytes(step.bottoms, step.tops)
        for blob in step.tops:
            if id(blob.data_memory) not in owners:
                owners[id(blob.data_memory)] = place
                rows[place].data += _FLOAT * blob.count
            if id(blob.diff_memory) in with_diff:
                with_diff.remove(id(blob.diff_memory))
                rows[place].diff += _FLOAT * blob.count
    return rows


def _with_diff(net: ShapeNet) -> Iterator[Blob]:
    """The blobs that get a gradient in a backward pass."""
    for step in net.steps:
        layer = step.layer
        if layer.needs_backward and not (isinstance(layer, SilentLayer) and layer.is_silent):
            yield from step.tops if isinstance(layer, TensorLayer) else ()  # a Split reads only the diffs that exist
            yield from (b for b, flag in zip(step.bottoms, layer.propagate_down, strict=True) if flag)


def _live(net: ShapeNet, operations: Sequence[Operation]) -> int:
    """The peak of the blobs' bytes in planned execution, by what each of its operations frees."""
    alive: dict[int, int] = {}
    most = 0
    for operation in operations:
        alive.update((id(blob.data_memory), blob.count) for blob in net.steps[operation.layers[-1]].tops)
        most = max(most, sum(alive.values()))
        for held, _ in operation.frees:
            alive.pop(id(held), None)
    return _FLOAT * most


def _folded(net: ShapeNet, operations: Sequence[Operation]) -> int:
    """The bytes of the weights and biases into which planned execution folds what follows a convolution."""
    convolutions = (net.layers[o.layers[0]] for o in operations if isinstance(o, ConvolutionOperation))
    return _FLOAT * sum(blob.count for layer in convolutions for blob in layer.blobs)
