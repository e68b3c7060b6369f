"""The accuracies of a net: which blobs hold them, and what each of their values is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .python_layers import layer_type

#: the columns of tables of accuracies, and what they are called where people read them; fractions 0 to 1
ACCURACIES = {"pixel_accuracy": "pixel accuracy", "mean_accuracy": "mean accuracy", "mean_iou": "mean IoU"}
#: layer type → the columns of the values of its first top, in their order
_VALUES = {"SegAccuracy": tuple(ACCURACIES), "Accuracy": ("pixel_accuracy",)}


def accuracy_tops(layers: Iterable[Any]) -> dict[str, tuple[str, ...]]:
    """The blobs with accuracies, and the columns of their values; those over all pixels, so not Accuracy's of top 5.

    Args:
        layers: LayerParameters of a net.

    Example:
        >>> from deeplab_caffe.formats import schema
        >>> accuracy_tops([schema.LayerParameter(type="SegAccuracy", top=["acc"])])
        {'acc': ('pixel_accuracy', 'mean_accuracy', 'mean_iou')}
    """
    found = {}
    for layer in layers:
        kind = layer_type(layer)
        if kind in _VALUES and layer.top and (kind != "Accuracy" or layer.accuracy_param.top_k == 1):
            found[layer.top[0]] = _VALUES[kind]
    return found


def main_accuracies(outputs: Mapping[str, Sequence[float]], tops: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """The accuracies of a net with one or several: those of the blob `accuracy`, or else of the first one.

    Args:
        outputs: the values of the net's outputs.
        tops: as `accuracy_tops` gives them.

    Example:
        >>> main_accuracies({"loss": [2.0], "acc": [0.75]}, {"acc": ["pixel_accuracy"]})
        {'pixel_accuracy': 0.75}
    """
    names = [name for name in tops if name in outputs]
    if not names:
        return {}
    name = "accuracy" if "accuracy" in names else names[0]
    return dict(zip(tops[name], outputs[name], strict=False))
