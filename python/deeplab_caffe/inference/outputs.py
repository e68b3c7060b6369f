"""Which blob of a net holds the scores, and what they are; uses only public names of pycaffe's Net."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..arrays import Size
from ..data.score_kinds import Kind
from ..errors import InputError
from ..formats.definition import read_definition
from ..formats.python_layers import layer_type, parameters

#: what the layer that makes a blob says of its contents; otherwise the values decide (kind "net")
_KINDS: dict[str, Kind] = {"Softmax": "probabilities", "Convolution": "scores", "Deconvolution": "scores"}


class ScoreBlob(NamedTuple):
    """The blob with the scores as the net computes them.

    Attributes:
        name: of the blob, (N, C, h, w).
        size: (height, width) that the net enlarges it to.
        kind: "scores", "probabilities", or "net" where the values must decide (see `data.score_kinds`).
    """

    name: str
    size: Size
    kind: Kind


def score_blob(net: Any, net_file: str | os.PathLike[str]) -> ScoreBlob:
    """Find the scores of a test or deploy net.

    A final Interp layer is skipped, because the scores are resized to the size of each image anyway.

    Args:
        net: pycaffe's Net, or the embedded one.
        net_file: its prototxt.

    Raises:
        InputError: the net has no single output of scores.
    """
    layers = {p.name: p for p in read_definition(net_file).param.layer if p.name in net.top_names}
    found = _candidates(net, layers.values())
    if len(found) != 1:
        raise InputError(f"{net_file}: expected one output with scores but got {len(found)}: {found or net.outputs}")
    makers = {top: layers[layer] for layer, tops in net.top_names.items() for top in tops if layer in layers}
    height, width = net.blobs[found[0]].data.shape[2:]
    blob = _before_interp(net, found[0], makers)
    maker = makers.get(blob)
    return ScoreBlob(blob, (int(height), int(width)), _KINDS.get(layer_type(maker), "net") if maker else "net")


def _candidates(net: Any, layers: Iterable[Any]) -> list[str]:
    """Outputs with several channels, (N, C, H, W); if there are none, such blobs that SegAccuracy or MatWrite reads."""
    taken = [p.bottom[0] for p in layers if layer_type(p) in ("SegAccuracy", "MatWrite")]
    for names in (net.outputs, dict.fromkeys(taken)):
        found = [name for name in names if len(net.blobs[name].shape) == 4 and net.blobs[name].shape[1] > 1]
        if found:
            return found
    return []


def _before_interp(net: Any, blob: str, makers: dict[str, Any]) -> str:
    maker = makers.get(blob)
    if maker is None or layer_type(maker) != "Interp":
        return blob
    stated = parameters(maker)
    crops = stated.get("pad_beg") or stated.get("pad_end")
    return blob if crops else str(net.bottom_names[maker.name][0])
