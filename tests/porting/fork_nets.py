"""Random nets of the layer types of forks and their neighbours, for exports and gradients."""

from __future__ import annotations

import random
from collections.abc import Callable

#: a blob's name and shape (N, C, H, W)
Blob = tuple[str, tuple[int, int, int, int]]


class _Writer:
    """Writes layers one behind another."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.text = ""
        self._count = 0

    def layer(self, kind: str, bottoms: list[str], more: str = "", tops: int = 1) -> str:
        """Add a layer; its first top, which has the layer's name."""
        self._count += 1
        name = f"l{self._count}_{kind.lower()}"
        names = [name, *(f"{name}_{i}" for i in range(1, tops))]
        ends = [f'bottom: "{b}"' for b in bottoms] + [f'top: "{t}"' for t in names]
        self.text += f'layer {{ name: "{name}" type: "{kind}" {" ".join(ends)} {more} }}\n'
        return name

    def convolution(self, blob: Blob, kind: str = "Convolution") -> Blob:
        """Add a convolution of some geometry."""
        name, (n, c, h, w) = blob
        depthwise = kind != "Convolution"
        outputs = c if depthwise else self.random.choice([4, 8])
        kernel, stride = self.random.choice([1, 3]), self.random.choice([1, 1, 2]) if min(h, w) > 8 else 1
        pad = self.random.choice([0, kernel // 2])
        if min(h, w) + 2 * pad < kernel:
            pad = kernel // 2
        group = self.random.choice([1, 2, 4]) if not depthwise and c % 4 == 0 else 1
        shape = f"num_output: {outputs} kernel_size: {kernel} stride: {stride} pad: {pad}"
        more = f"convolution_param {{ {shape} {f'group: {group}' if not depthwise else ''} }}"
        size = [(side + 2 * pad - kernel) // stride + 1 for side in (h, w)]
        return self.layer(kind, [name], more), (n, outputs, size[0], size[1])


def _same(kind: str, more: str = "") -> Callable[[_Writer, Blob], Blob]:
    return lambda w, blob: (w.layer(kind, [blob[0]], more), blob[1])


def _normalize(w: _Writer, blob: Blob) -> Blob:
    flags = (f"{name}: {w.random.choice(['true', 'false'])}" for name in ("across_spatial", "channel_shared"))
    return w.layer("Normalize", [blob[0]], f"norm_param {{ {' '.join(flags)} }}"), blob[1]


def _shuffle(w: _Writer, blob: Blob) -> Blob:
    return w.layer("ShuffleChannel", [blob[0]], "shuffle_channel_param { group: 2 }"), blob[1]


def _permute(w: _Writer, blob: Blob) -> Blob:
    order = [0, *w.random.sample([1, 2, 3], 3)]
    shape = tuple(blob[1][axis] for axis in order)
    back = [order.index(axis) for axis in range(4)]
    turned = w.layer("Permute", [blob[0]], f"permute_param {{ order: {order} }}")
    rectified = w.layer("Mish", [turned])
    assert len(shape) == 4
    return w.layer("Permute", [rectified], f"permute_param {{ order: {back} }}"), blob[1]


def _axpy(w: _Writer, blob: Blob) -> Blob:
    pooled = w.layer("Pooling", [blob[0]], "pooling_param { pool: AVE global_pooling: true }")
    other = w.layer("ReLU6", [blob[0]])
    return w.layer("Axpy", [w.layer("Sigmoid", [pooled]), blob[0], other]), blob[1]


def _reorg(w: _Writer, blob: Blob) -> Blob:
    name, (n, c, h, width) = blob
    if h % 2 or width % 2 or c % 4:
        return _shuffle(w, blob)
    return w.layer("Reorg", [name], "reorg_param { stride: 2 }"), (n, c * 4, h // 2, width // 2)


def _unpool(w: _Writer, blob: Blob) -> Blob:
    name, (n, c, h, width) = blob
    if h % 2 or width % 2:
        return _axpy(w, blob)
    pooled = w.layer("Pooling", [name], "pooling_param { kernel_size: 2 stride: 2 }", tops=2)
    more = "unpooling_param { kernel_size: 2 stride: 2 }"
    return w.layer("Unpooling", [pooled, f"{pooled}_1"], more), blob[1]


def _concat(w: _Writer, blob: Blob) -> Blob:
    name, (n, c, h, width) = blob
    return w.layer("Concat", [name, w.layer("HardSwish", [name])]), (n, 2 * c, h, width)


_STEPS: tuple[Callable[[_Writer, Blob], Blob], ...] = (
    _Writer.convolution,
    lambda w, blob: w.convolution(blob, "ConvolutionDepthwise"),
    lambda w, blob: w.convolution(blob, "DepthwiseConv"),
    _same("ReLU6"), _same("Mish"), _same("HardSwish"), _same("PReLU"), _same("SpatialDropout"),
    _same("BatchNorm", "batch_norm_param { use_global_stats: true }"),
    _normalize, _shuffle, _permute, _axpy, _reorg, _unpool, _concat,
)  # fmt: skip


def fork_net(seed: int, side: int = 12) -> str:
    """A net of some ten random layers on an image `data` (2, 4, side, side), and its last blob pooled in regions."""
    writer = _Writer(seed)
    blob: Blob = ("data", (2, 4, side, side))
    head = f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: {list(blob[1])} }} }} }}\n'
    blob = writer.convolution(blob)
    for _ in range(writer.random.randint(4, 9)):
        if blob[1][1] <= 16:
            blob = writer.random.choice(_STEPS)(writer, blob)
    return head + writer.text
