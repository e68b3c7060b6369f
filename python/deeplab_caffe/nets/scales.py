"""Smaller copies of the image, which go through one net with shared parameters, and the enlarging of its results.

A copy is identified by the suffix of its names. Sizes 16k + 1 halve exactly; 32k + 1 shrink to three quarters as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..caffe.net_spec import Top, layers
from . import outputs
from .blocks import Spec
from .net_context import NetContext

#: suffix to the factors of the Interp layer that makes the copy
_MAKING = {"_res05": {"shrink_factor": 2}, "_res075": {"shrink_factor": 4, "zoom_factor": 3}}
#: suffix to the factors of the one that enlarges a map of the copy to the size of the whole image's
_BACK = {"_res05": {"zoom_factor": 2}, "_res075": {"zoom_factor": 4, "shrink_factor": 3}}
_PADS = {"pad_beg": 0, "pad_end": 0}
#: suffix to a description
AT = {"": "the image as it is", "_res05": "half of the image's size", "_res075": "three quarters of its size"}


def copies(n: Spec, images: Top, suffixes: Sequence[str]) -> dict[str, Top]:
    """The image and its smaller copies, by suffix: "" is the image itself, the others are `data<suffix>`."""
    made = {"": images}
    for suffix in suffixes:
        n.section(AT[suffix])
        made[suffix] = n.put(f"data{suffix}", layers.Interp(images, **_MAKING[suffix], **_PADS))
    return made


def enlarged(n: Spec, name: str, top: Top, suffix: str) -> Top:
    """`<name><suffix>_interp`: a map (N, C, h, w) of a copy, enlarged to the resolution of the whole image's map."""
    return n.put(f"{name}{suffix}_interp", layers.Interp(top, **_BACK[suffix], **_PADS))


def losses(n: Spec, context: NetContext, fusion: Top, label: Top, name: str, suffixes: Sequence[str]) -> None:
    """A loss for the fused scores, and one for the scores `<name><suffix>` of each scale.

    The half has labels of its own. For the three quarters the enlarged scores are compared, since labels cannot be
    resampled by 3/4 exactly.
    """
    shrunk = outputs.shrunk_label(n, label)
    outputs.loss_and_accuracy(n, context, fusion, shrunk)
    outputs.loss_and_accuracy(n, context, n[name], shrunk, "_res1")
    if "_res075" in suffixes:
        outputs.loss_and_accuracy(n, context, n[f"{name}_res075_interp"], shrunk, "_res075")
    shrunk16 = outputs.shrunk_label(n, label, 16, name="label_shrink16")
    outputs.loss_and_accuracy(n, context, n[f"{name}_res05"], shrunk16, "_res05")
