"""Compare a weight file with a net: which layers would be loaded, are missing, unused, or of another shape."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..arrays import Shape
from ..errors import InputError
from ..tables import table
from .filler_types import FILLER_TYPES
from .weight_files import WeightFile
from .weights import LayerWeights


@dataclass(frozen=True)
class NetLayer:
    """A layer of a net with parameters.

    Attributes:
        type: its type.
        shapes: the shapes of its parameters.
        borrowed: which of them an earlier layer owns.
        needs_weights: False for layers that are useful with what their fillers give them (a bilinear Deconvolution).
        dilation, stride: of a convolution, in pixels of its bottom.
    """

    type: str
    shapes: Sequence[Shape]
    borrowed: Sequence[bool] = ()
    needs_weights: bool = True
    dilation: int = 1
    stride: int = 1


@dataclass(frozen=True)
class Mismatch:
    """A layer that file and net have in different shapes, so that copying fails."""

    layer: str
    reason: str


@dataclass(frozen=True)
class Fit:
    """The result of comparing a weight file with a net, by layer names.

    Attributes:
        weights, net: the two files.
        loaded: layers that get the file's values.
        missing: layers with parameters that are not in the file; they keep what their fillers give them.
        uninitialized: those of `missing` that are useless without weights.
        skipped: layers that are in the file, but not in the net.
        mismatched: layers of another shape; copying fails, and nothing is copied.
    """

    weights: str
    net: str
    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    uninitialized: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    mismatched: list[Mismatch] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether every layer that needs weights gets them and nothing of the file is unused."""
        return not (self.uninitialized or self.skipped or self.mismatched)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_whole": self.is_whole}

    def demand_initialized(self, way_out: str = "") -> None:
        """Raise InputError if a layer that needs weights gets none: the net would compute nonsense.

        way_out: the end of the message, where there is a flag that allows it.
        """
        if self.uninitialized:
            some = _shortened(self.uninitialized)
            raise InputError(
                f"{self.net}: {self.weights} has no weights for {len(self.uninitialized)} of its layers: {some}; give "
                f"weights of this net{way_out}"
            )

    def __str__(self) -> str:
        rows = [
            ("loaded", self.loaded),
            ("re-initialised (not in the file)", self.missing),
            ("skipped (not in the net)", self.skipped),
            ("of another shape", [m.layer for m in self.mismatched]),
        ]
        lines = table(("", ">layers", "which"), [[what, str(len(x)), _shortened(x)] for what, x in rows if x])
        return "\n".join(
            [f"{self.weights} into {self.net}:", *lines, *(f"{m.layer}: {m.reason}" for m in self.mismatched)]
        )


def _shortened(names: list[str], most: int = 12) -> str:
    shown = names if len(names) <= most else [*names[: most - 2], "…", names[-1]]
    return ", ".join(shown)


def net_layers(named: Iterable[tuple[str, Any]], borrowed: Container[int] = ()) -> dict[str, NetLayer]:
    """The layers with parameters among a net's layers: what `fit` compares a file with.

    Args:
        named: the name of each layer and the layer, of any engine: its `type`, its `blobs` with their shapes and, if
            the engine has it, its `param`, which says what the filler is.
        borrowed: ids of the parameters that an earlier layer owns.
    """
    found: dict[str, NetLayer] = {}
    for name, layer in named:
        if len(layer.blobs) and name not in found:
            shapes = [tuple(blob.shape) for blob in layer.blobs]
            owned_elsewhere = [id(blob) in borrowed for blob in layer.blobs]
            found[name] = _with_param(NetLayer(layer.type, shapes, owned_elsewhere), getattr(layer, "param", None))
    return found


def _with_param(layer: NetLayer, param: Any) -> NetLayer:
    if param is None:
        return layer
    p = param.convolution_param
    dilation, stride = (field[0] if field else 1 for field in (p.dilation, p.stride))
    return replace(layer, needs_weights=not _is_final(p.weight_filler.type), dilation=dilation, stride=stride)


def _is_final(filler: str) -> bool:
    """Whether a filler gives weights that are of use without training."""
    return filler in FILLER_TYPES and FILLER_TYPES[filler].is_final


def fit(file: WeightFile, net: str, layers: Mapping[str, NetLayer]) -> Fit:
    """Compare a weight file with a net, by Caffe's rules for copying weights.

    Args:
        file: the weight file.
        net: the net's file, for messages.
        layers: name → layer, the layers of the net with parameters (see `net_layers`).
    """
    stored = {layer.name: layer for layer in file.weighted}
    result = Fit(file.path, net)
    for name, layer in layers.items():
        if name in stored:
            reason = _mismatch(layer, stored[name], file.container == "HDF5")
            if reason:
                result.mismatched.append(Mismatch(name, reason))
            else:
                result.loaded.append(name)
        elif not layer.borrowed or not all(layer.borrowed):
            result.missing.append(name)
            if layer.needs_weights:
                result.uninitialized.append(name)
    result.skipped.extend(name for name in stored if name not in layers)
    return result


def _mismatch(layer: NetLayer, stored: LayerWeights, may_lack_borrowed: bool) -> str | None:
    """Why a stored layer cannot be copied into the net's; None if it can."""
    own = [tuple(s) for s in layer.shapes]
    if may_lack_borrowed and len(stored.blobs) < len(own) and layer.borrowed:
        own = [shape for shape, borrowed in zip(own, layer.borrowed, strict=True) if not borrowed]
    if len(stored.blobs) != len(own):
        return f"the file has {len(stored.blobs)} blobs, the net {len(own)}"
    for i, (shape, blob) in enumerate(zip(own, stored.blobs, strict=True)):
        wanted = (1,) * (4 - len(shape)) + shape if blob.legacy else shape
        if blob.data.shape != wanted:
            return f"blob {i} has shape {blob.data.shape} in the file, {shape} in the net"
    return None
