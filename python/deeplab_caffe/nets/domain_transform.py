"""DeepLab with a domain transform (Chen, Barron, Papandreou, Murphy, Yuille, arXiv 1511.03328).

The scores of DeepLab-LargeFOV, enlarged to the image, pass an edge-preserving filter: they spread to their neighbours
except across edges. The edges are learnt together with the scores (EdgeNet); or they are the gradients of the image,
and only test and deploy nets have the filter. Choices where the paper is silent, or not known here:

- The filter: three iterations; standard deviations of 100 pixels, and of 1 for learnt edges, whose scale is learnt
  anyway, or 60 colour levels for gradients.
- EdgeNet starts from weak edges everywhere (bias 1, small weights), since without any edges the filter would blur the
  scores completely, and learns as fast as the classifier.
- Training follows DeepLab v1's stage 1, on labels of full resolution, from a trained DeepLab-LargeFOV.
- On the attention net (DeepLab v2's Table 5) the filter follows the merged scores; it is trained from that net, without
  the losses of the single scales.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from ..caffe.net_spec import Top, layers, params
from . import attention, outputs, roles
from .blocks import NEW, Spec, relu
from .deeplab_v1 import large_fov_scores
from .net_context import NetContext
from .solver_recipes import STEP_V1
from .variant import Variant

_ITERATIONS, _SPATIAL_SIGMA = 3, 100
_EDGE_SIGMA, _COLOUR_SIGMA = 1, 60


def with_edge_net(n: Spec, context: NetContext, scores: roles.ScoreBuilder = large_fov_scores) -> None:
    """DT-EdgeNet: (N, 3, 8k+1, 8l+1) and `data_dim` to `fc8_dt` (N, C, 8k+1, 8l+1), in every role.

    scores: writes the layers up to the scores at stride 8, among them VGG-16's relu1_2, relu2_2 and relu3_3.
    """

    def full_resolution(n: Spec, scores: Top) -> Top:
        return _filtered(n, "DomainTransform", outputs.full_resolution(n, scores), _edge_net(n), _EDGE_SIGMA)

    def training(n: Spec, context: NetContext, scores: Top, label: Top) -> None:
        outputs.loss_and_accuracy(n, context, full_resolution(n, scores), label)

    roles.write_net(n, context, scores, training, full_resolution, dims=True)


def with_gradients(n: Spec, context: NetContext) -> None:
    """The filter alone: DeepLab-LargeFOV, in test and deploy nets filtered along the gradients of the image."""

    def full_resolution(n: Spec, scores: Top) -> Top:
        sigma = _COLOUR_SIGMA * context.scale
        return _filtered(n, "DomainTransformForwardOnly", outputs.full_resolution(n, scores), _gradients(n), sigma)

    roles.write_net(n, context, large_fov_scores, full_resolution=full_resolution, dims=not context.is_training)


def _filtered(n: Spec, layer_type: str, scores: Top, edges: Top, range_sigma: float) -> Top:
    n.section("scores spread to their neighbours, except across edges")
    own = {"num_iter": _ITERATIONS, "spatial_sigma": _SPATIAL_SIGMA, "range_sigma": range_sigma}
    return n.put("fc8_dt", getattr(layers, layer_type)(scores, edges, n["data_dim"], domain_transform_param=own))


def _edge_net(n: Spec) -> Top:
    """`edge` (N, 1, h, w), 0 or more: a 1x1 convolution of the features of conv1 to conv3 at the image's resolution.

    The paper enlarges the features, concatenates them and convolves the result. Convolving each by 1x1 before it is
    enlarged, and adding the three, gives the same numbers without 448 channels of full resolution.
    """
    n.section("EdgeNet: how strong the edge is at each pixel")
    parts = []
    for layer, factor in (("1_2", 1), ("2_2", 2), ("3_3", 4)):
        name = f"edge_conv{layer}"
        top = _edges_of(n, name, n[f"relu{layer}"], bias_term=factor == 1)
        parts.append(n.put(f"{name}_interp", layers.Interp(top, zoom_factor=factor)) if factor > 1 else top)
    return relu(n, "relu_edge", n.put("edge", layers.Eltwise(*parts, operation=params.Eltwise.SUM)))


def _edges_of(n: Spec, name: str, features: Top, bias_term: bool) -> Top:
    """The contribution of one layer's features to the edges, at their resolution."""
    shape: dict[str, Any] = {"num_output": 1, "kernel_size": 1} | ({} if bias_term else {"bias_term": False})
    if n.style.training:
        shape["weight_filler"] = {"type": "gaussian", "std": 1e-4}
        shape |= {"bias_filler": {"type": "constant", "value": 1}} if bias_term else {}
    blobs = 1 + bias_term
    param = n.param(NEW[:blobs], (f"{name}_w", f"{name}_b")[:blobs])
    return n.put(name, layers.Convolution(features, convolution_param=shape, **param))


def _gradients(n: Spec) -> Top:
    """`edge` (N, 1, h, w): the absolute difference of a pixel and the one before, summed over channels and directions.

    The absolute difference of two numbers is their maximum plus the maximum of their negatives. So two max poolings
    compute it; at the border, where they see one pixel, the result is 0.
    """
    n.section("edges: gradients of the image")
    images, opposite = n["data"], n.put("data_opposite", layers.Power(n["data"], scale=-1))
    parts = []
    for name, across in (("horizontal", True), ("vertical", False)):
        window = {"kernel_h": 2 - across, "kernel_w": 1 + across, "pad_h": 1 - across, "pad_w": int(across)}
        for sign, bottom in (("", images), ("_opposite", opposite)):
            pooled = layers.Pooling(bottom, pool=params.Pooling.MAX, stride=1, **window)
            parts.append(n.put(f"{name}{sign}", layers.Crop(n.put(f"{name}{sign}_pool", pooled), images)))
    by_channel = n.put("gradient", layers.Eltwise(*parts, operation=params.Eltwise.SUM))
    channels = layers.Slice(by_channel, ntop=3, name="gradient_slice")
    tops = [n.put(f"gradient_{k}", top) for k, top in enumerate(channels)]
    return n.put("edge", layers.Eltwise(*tops, operation=params.Eltwise.SUM))


_FILTER = Variant(
    title="DeepLab-LargeFOV, scores filtered by the domain transform along the gradients of the image",
    build=with_gradients,
    recipes=STEP_V1,
    source="Domain transform (arXiv 1511.03328)",
    initial="VGG-16, its fc6 subsampled to 3x3, its fc6 and fc7 to 1024 channels (vgg16_20M.caffemodel)",
    parameters=20_505_429,
    field_of_view=224,
)

#: learnt weights of the three convolutions of EdgeNet, and the bias
_EDGE_NET = 64 + 128 + 256 + 1
_ATTENTION = attention.VARIANTS["scales3_attention_coco"]
_attention_scores = partial(attention.merged_scores, suffixes=attention.THREE, merge=attention.attention)

VARIANTS: dict[str, Variant] = {
    "dt_gradient": _FILTER,
    "dt_edgenet": replace(
        _FILTER,
        title="DeepLab-LargeFOV with EdgeNet and the domain transform, trained jointly (DT-EdgeNet)",
        build=with_edge_net,
        source="Domain transform (arXiv 1511.03328)",
        initial="the trained largefov_v1",
        starts_from="largefov_v1",
        parameters=20_505_429 + _EDGE_NET,
    ),
    "scales3_attention_coco_dt": replace(
        _FILTER,
        title=f"{_ATTENTION.title}, with EdgeNet and the domain transform",
        build=partial(with_edge_net, scores=_attention_scores),
        source="Domain transform (arXiv 1511.03328); score: DeepLab v2 (arXiv 1606.00915), Table 5",
        initial="the trained scales3_attention_coco",
        starts_from="scales3_attention_coco",
        parameters=_ATTENTION.parameters + _EDGE_NET,
        field_of_view=None,
        sizes=_ATTENTION.sizes,
    ),
}
