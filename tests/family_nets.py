"""Small nets of families that forks of Caffe made known, written after their public descriptions."""

from __future__ import annotations

from collections.abc import Sequence


def _layer(kind: str, name: str, bottoms: str, more: str = "", tops: str = "") -> str:
    ends = [f'bottom: "{b}"' for b in bottoms.split()] + [f'top: "{t}"' for t in (tops or name).split()]
    return f'layer {{ name: "{name}" type: "{kind}" {" ".join(ends)} {more} }}\n'


def _input(name: str, *shape: int) -> str:
    return _layer("Input", name, "", f"input_param {{ shape {{ dim: {list(shape)} }} }}")


def _convolution(
    name: str, bottom: str, outputs: int, kernel: int = 3, kind: str = "Convolution", more: str = "", rate: int = 1
) -> str:
    dilation = f"dilation: {rate} " if rate > 1 else ""
    numbers = f"num_output: {outputs} kernel_size: {kernel} pad: {kernel // 2 * rate} {dilation}{more}"
    filler = 'weight_filler { type: "msra" }'
    return _layer(kind, name, bottom, f"convolution_param {{ {numbers} {filler} }}")


def _normalised(name: str, relu: str = "ReLU") -> str:
    """BatchNorm, Scale and an activation, in place."""
    text = _layer("BatchNorm", f"{name}/bn", name, tops=name)
    text += _layer("Scale", f"{name}/scale", name, "scale_param { bias_term: true }", tops=name)
    return text + (_layer(relu, f"{name}/relu", name, tops=name) if relu else "")


def _unit(name: str, bottom: str, outputs: int, kernel: int = 3, more: str = "", relu: str = "ReLU") -> str:
    return _convolution(name, bottom, outputs, kernel, more=f"bias_term: false {more}") + _normalised(name, relu)


def _separable(name: str, bottom: str, inputs: int, outputs: int, stride: int, kind: str, relu: str) -> str:
    """MobileNet's block."""
    more = f"bias_term: false stride: {stride} group: {inputs}"
    text = _convolution(f"{name}/dw", bottom, inputs, kind=kind, more=more)
    return text + _normalised(f"{name}/dw", relu) + _unit(f"{name}/sep", f"{name}/dw", outputs, 1, relu=relu)


def _ssd_head(bottom: str, classes: int, sizes: str) -> str:
    """Offsets, scores and prior boxes of a map; four priors at each position."""
    text = ""
    for what, outputs in (("loc", 16), ("conf", 4 * classes)):
        name = f"{bottom}_mbox_{what}"
        text += _convolution(name, bottom, outputs)
        text += _layer("Permute", f"{name}_perm", name, "permute_param { order: [0, 2, 3, 1] }")
        text += _layer("Flatten", f"{name}_flat", f"{name}_perm", "flatten_param { axis: 1 }")
    given = f"{sizes} aspect_ratio: 2 flip: true clip: false variance: [0.1, 0.1, 0.2, 0.2]"
    return text + _layer("PriorBox", f"{bottom}_mbox_priorbox", f"{bottom} data", f"prior_box_param {{ {given} }}")


def ssd(depthwise: str = "DepthwiseConvolution", relu: str = "ReLU6", confidence: float = 0.01) -> str:
    """SSD on a MobileNet: Liu et al., ECCV 2016; Howard et al., 2017.

    depthwise, relu: types of layers; confidence: what DetectionOutput wants of a score.
    """
    text = _input("data", 1, 3, 64, 64) + _unit("conv0", "data", 8, more="stride: 2", relu=relu)
    text += _separable("conv1", "conv0", 8, 8, 2, depthwise, relu)
    text += _separable("conv2", "conv1/sep", 8, 12, 2, depthwise, relu)
    norm = "norm_param { across_spatial: false channel_shared: false scale_filler { value: 20 } }"
    text += _layer("Normalize", "norm", "conv1/sep", norm)
    maps = ("norm", "conv2/sep")
    text += _ssd_head("norm", 3, "min_size: 10 max_size: 20") + _ssd_head("conv2/sep", 3, "min_size: 20 max_size: 40")
    for what, axis in (("loc_flat", 1), ("conf_flat", 1), ("priorbox", 2)):
        bottoms = " ".join(f"{name}_mbox_{what}" for name in maps)
        text += _layer("Concat", f"mbox_{what.removesuffix('_flat')}", bottoms, f"concat_param {{ axis: {axis} }}")
    text += _layer("Reshape", "mbox_conf_reshape", "mbox_conf", "reshape_param { shape { dim: [0, -1, 3] } }")
    text += _layer("Softmax", "mbox_conf_softmax", "mbox_conf_reshape", "softmax_param { axis: 2 }")
    text += _layer("Flatten", "mbox_conf_flatten", "mbox_conf_softmax", "flatten_param { axis: 1 }")
    given = f"""num_classes: 3 share_location: true background_label_id: 0
      nms_param {{ nms_threshold: 0.45 top_k: 100 }}
      code_type: CENTER_SIZE keep_top_k: 20 confidence_threshold: {confidence}"""
    bottoms = "mbox_loc mbox_conf_flatten mbox_priorbox"
    return text + _layer("DetectionOutput", "detection_out", bottoms, f"detection_output_param {{ {given} }}")


def _trunk(widths: Sequence[int]) -> str:
    """An image and its size, convolutions and pools, to a map of stride 2^len(widths) named by the last."""
    text, below = _input("data", 1, 3, 96, 96) + _input("im_info", 1, 3), "data"
    for i, width in enumerate(widths, 1):
        text += _convolution(f"conv{i}", below, width) + _layer("ReLU", f"relu{i}", f"conv{i}", tops=f"conv{i}")
        below = f"pool{i}"
        text += _layer("Pooling", below, f"conv{i}", "pooling_param { kernel_size: 2 stride: 2 }")
    return text


def _region_proposals(bottom: str, proposal: str) -> str:
    """Faster R-CNN's region proposal network with nine anchors; its output is `rois`."""
    text = _convolution("rpn_conv", bottom, 8) + _layer("ReLU", "rpn_relu", "rpn_conv", tops="rpn_conv")
    text += _convolution("rpn_cls_score", "rpn_conv", 18, 1) + _convolution("rpn_bbox", "rpn_conv", 36, 1)
    text += _layer("Power", "rpn_bbox_pred", "rpn_bbox", "power_param { scale: 0.1 }")
    text += _layer("Reshape", "rpn_two", "rpn_cls_score", "reshape_param { shape { dim: [0, 2, -1, 0] } }")
    text += _layer("Softmax", "rpn_prob", "rpn_two")
    text += _layer("Reshape", "rpn_prob_all", "rpn_prob", "reshape_param { shape { dim: [0, 18, -1, 0] } }")
    kind, more = proposal.split(" ", 1)
    return text + _layer(kind, "proposal", "rpn_prob_all rpn_bbox_pred im_info", more, tops="rois")


_PYTHON_PROPOSAL = """Python python_param {
  module: "rpn.proposal_layer" layer: "ProposalLayer" param_str: "'feat_stride': 16" }"""


def faster_rcnn(proposal: str = _PYTHON_PROPOSAL) -> str:
    """Ren et al., NIPS 2015, with the Python layer of its program, or another; `proposal` is its type and fields."""
    text = _trunk((4, 6, 8, 8)) + _region_proposals("pool4", proposal)
    given = "roi_pooling_param { pooled_w: 7 pooled_h: 7 spatial_scale: 0.0625 }"
    text += _layer("ROIPooling", "roi_pool", "pool4 rois", given)
    text += _layer("InnerProduct", "fc6", "roi_pool", "inner_product_param { num_output: 16 }")
    text += _layer("ReLU", "relu6", "fc6", tops="fc6") + _layer("Dropout", "drop6", "fc6", tops="fc6")
    text += _layer("InnerProduct", "cls_score", "fc6", "inner_product_param { num_output: 4 }")
    text += _layer("InnerProduct", "bbox_pred", "fc6", "inner_product_param { num_output: 16 }")
    return text + _layer("Softmax", "cls_prob", "cls_score")


def _activated(name: str, bottom: str, outputs: int, kernel: int = 3) -> str:
    """A convolution and its PReLU."""
    return _convolution(name, bottom, outputs, kernel) + _layer("PReLU", f"{name}/prelu", name, tops=name)


def pose() -> str:
    """Cao et al., CVPR 2017, with the PReLU of its later nets: two branches, refined in a second stage."""
    text = _input("image", 1, 3, 24, 32) + _activated("conv1", "image", 6)
    text += _layer("Pooling", "pool1", "conv1", "pooling_param { kernel_size: 2 stride: 2 }")
    text += _activated("features", "pool1", 8)
    below = "features"
    for stage, kernel in ((1, 3), (2, 7)):
        ends = []
        for branch, outputs in (("L1", 10), ("L2", 6)):
            name = f"Mconv1_stage{stage}_{branch}"
            ends.append(f"Mconv2_stage{stage}_{branch}")
            text += _activated(name, below, 8, kernel) + _convolution(ends[-1], name, outputs, 1)
        below = f"concat_stage{stage + 1}"
        bottoms = " ".join(ends[::-1] if stage == 2 else [*ends, "features"])
        text += _layer("Concat", below, bottoms, "concat_param { axis: 1 }")
    return text


def rfcn() -> str:
    """Dai et al., NIPS 2016."""
    text = _trunk((4, 6, 8))
    text += _region_proposals("pool3", "Proposal proposal_param { feat_stride: 8 scale: [4, 8, 16] }")
    for what, dims in (("cls", 4), ("bbox", 8)):
        text += _convolution(f"rfcn_{what}", "pool3", dims * 9, 1)
        given = f"psroi_pooling_param {{ spatial_scale: 0.125 output_dim: {dims} group_size: 3 }}"
        text += _layer("PSROIPooling", f"psroi_{what}", f"rfcn_{what} rois", given)
        given = "pooling_param { pool: AVE kernel_size: 3 stride: 3 }"
        text += _layer("Pooling", f"{what}_vote", f"psroi_{what}", given)
    text += _layer("Softmax", "cls_prob_pre", "cls_vote")
    return text + _layer("Reshape", "cls_prob", "cls_prob_pre", "reshape_param { shape { dim: [-1, 4] } }")


def shufflenet() -> str:
    """Zhang et al., CVPR 2018: a unit of stride 2 and one of stride 1, with three groups."""
    text = _input("data", 1, 3, 64, 64) + _unit("conv1", "data", 12, more="stride: 2")
    below, inputs = "conv1", 12
    for i, stride in enumerate((2, 1), 1):
        outputs = 12 if stride == 2 else 24
        text += _unit(f"u{i}/conv1", below, 6, 1, "group: 3")
        text += _layer("ShuffleChannel", f"u{i}/shuffle", f"u{i}/conv1", "shuffle_channel_param { group: 3 }")
        more = f"stride: {stride} bias_term: false"
        text += _convolution(f"u{i}/dw", f"u{i}/shuffle", 6, kind="ConvolutionDepthwise", more=more)
        text += _normalised(f"u{i}/dw", "") + _unit(f"u{i}/conv2", f"u{i}/dw", outputs, 1, "group: 3", relu="")
        if stride == 2:
            given = "pooling_param { pool: AVE kernel_size: 3 stride: 2 }"
            text += _layer("Pooling", f"u{i}/short", below, given)
            text += _layer("Concat", f"u{i}", f"u{i}/short u{i}/conv2")
        else:
            text += _layer("Eltwise", f"u{i}", f"{below} u{i}/conv2")
        text += _layer("ReLU", f"u{i}/relu", f"u{i}", tops=f"u{i}")
        below, inputs = f"u{i}", inputs + outputs
    text += _layer("Pooling", "pool", below, "pooling_param { pool: AVE global_pooling: true }")
    text += _layer("InnerProduct", "fc", "pool", "inner_product_param { num_output: 5 }")
    return text + _layer("Softmax", "prob", "fc")


def se_resnet() -> str:
    """Hu et al., CVPR 2018: a bottleneck whose channels are weighed."""
    text = _input("data", 1, 3, 64, 64) + _unit("conv1", "data", 8, 7, "stride: 2")
    text += _layer("Pooling", "pool1", "conv1", "pooling_param { kernel_size: 3 stride: 2 }")
    text += _unit("a", "pool1", 4, 1) + _unit("b", "a", 4) + _unit("c", "b", 16, 1, relu="")
    text += _layer("Pooling", "squeeze", "c", "pooling_param { pool: AVE global_pooling: true }")
    text += _convolution("down", "squeeze", 2, 1) + _layer("ReLU", "down/relu", "down", tops="down")
    text += _convolution("up", "down", 16, 1) + _layer("Sigmoid", "gate", "up", tops="up")
    text += _unit("short", "pool1", 16, 1, relu="")
    text += _layer("Axpy", "sum", "up c short") + _layer("ReLU", "sum/relu", "sum", tops="sum")
    text += _layer("Pooling", "pool", "sum", "pooling_param { pool: AVE global_pooling: true }")
    return text + _layer("InnerProduct", "classifier", "pool", "inner_product_param { num_output: 5 }")


def segnet() -> str:
    """Badrinarayanan et al., 2015: two blobs in each BN, and pools that hand their places to the decoder."""
    text, below = _input("data", 1, 3, 64, 64), "data"
    bn = "bn_param { bn_mode: INFERENCE scale_filler { value: 1 } shift_filler { value: 0.001 } }"

    def unit(name: str, bottom: str, outputs: int) -> str:
        found = _convolution(name, bottom, outputs) + _layer("BN", f"{name}_bn", name, bn, tops=name)
        return found + _layer("ReLU", f"{name}_relu", name, tops=name)

    for i, width in enumerate((4, 6), 1):
        text += unit(f"conv{i}", below, width)
        given = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
        text += _layer("Pooling", f"pool{i}", f"conv{i}", given, tops=f"pool{i} pool{i}_mask")
        below = f"pool{i}"
    for i, width in ((2, 4), (1, 4)):
        text += _layer("Upsample", f"upsample{i}", f"{below} pool{i}_mask", "upsample_param { scale: 2 }")
        text += unit(f"conv{i}_D", f"upsample{i}", width)
        below = f"conv{i}_D"
    return text + _convolution("score", below, 3) + _layer("Softmax", "prob", "score")


def fcn() -> str:
    """Long et al., CVPR 2015, in the dialect of its release: `layers`, and a CROP that aligns itself."""
    text, below = 'name: "fcn" input: "data" input_dim: 1 input_dim: 3 input_dim: 64 input_dim: 64\n', "data"
    for i, pad in ((1, 20), (2, 1)):
        numbers = f"convolution_param {{ num_output: 4 kernel_size: 3 pad: {pad} }}"
        text += f'layers {{ name: "conv{i}" type: CONVOLUTION bottom: "{below}" top: "conv{i}" {numbers} }}\n'
        text += f'layers {{ name: "relu{i}" type: RELU bottom: "conv{i}" top: "conv{i}" }}\n'
        numbers = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
        text += f'layers {{ name: "pool{i}" type: POOLING bottom: "conv{i}" top: "pool{i}" {numbers} }}\n'
        below = f"pool{i}"
    numbers = "convolution_param { num_output: 4 kernel_size: 7 }"
    text += f'layers {{ name: "fc6" type: CONVOLUTION bottom: "pool2" top: "fc6" {numbers} }}\n'
    numbers = "convolution_param { num_output: 3 kernel_size: 8 stride: 4 bias_term: false }"
    text += f'layers {{ name: "upscore" type: DECONVOLUTION bottom: "fc6" top: "upscore" {numbers} }}\n'
    return text + 'layers { name: "crop" type: CROP bottom: "upscore" bottom: "data" top: "score" }\n'


def _bottleneck(name: str, bottom: str, rate: int = 1) -> str:
    """ENet's: to 4 channels and back to 16, with PReLU, added to what it began with."""
    text, below = "", bottom
    for step, outputs, kernel in (("reduce", 4, 1), ("conv", 4, 3), ("expand", 16, 1)):
        own = f"{name}/{step}"
        text += _convolution(own, below, outputs, kernel, more="bias_term: false", rate=rate)
        text += _normalised(own, "" if step == "expand" else "PReLU")
        below = own
    text += _layer("Dropout", f"{name}/drop", below, "dropout_param { dropout_ratio: 0.01 }", tops=below)
    return text + _layer("Eltwise", name, f"{bottom} {below}") + _layer("PReLU", f"{name}/prelu", name, tops=name)


def enet() -> str:
    """Paszke et al., 2016: convolution and pool side by side, dilated bottlenecks, places of maxima for the way up."""
    text = _input("data", 1, 3, 64, 64) + _convolution("initial", "data", 13, more="stride: 2")
    text += _layer("Pooling", "image", "data", "pooling_param { kernel_size: 2 stride: 2 }")
    text += _layer("Concat", "first", "initial image") + _layer("PReLU", "first/prelu", "first", tops="first")
    given = "pooling_param { kernel_size: 2 stride: 2 }"
    text += _layer("Pooling", "down", "first", given, tops="down down_mask")
    text += _bottleneck("b1", "down") + _bottleneck("b2", "b1", 2)
    text += _layer("Upsample", "up", "b2 down_mask", "upsample_param { scale: 2 }") + _bottleneck("b3", "up")
    numbers = "convolution_param { num_output: 3 kernel_size: 2 stride: 2 }"
    return text + _layer("Deconvolution", "score", "b3", numbers) + _layer("Softmax", "prob", "score")


def icnet() -> str:
    """Zhao et al., ECCV 2018: a coarse branch on half the image, enlarged and added to a fine one."""
    text = _input("data", 1, 3, 65, 65)
    text += _layer("Interp", "half", "data", "interp_param { shrink_factor: 2 }")
    text += _unit("coarse1", "half", 6, more="stride: 2") + _unit("coarse2", "coarse1", 8, more="stride: 2")
    text += _layer("Pooling", "pyramid", "coarse2", "pooling_param { pool: AVE kernel_size: 9 stride: 9 }")
    text += _layer("Interp", "wide", "pyramid", "interp_param { height: 9 width: 9 }")
    text += _layer("Eltwise", "context", "coarse2 wide")
    text += _layer("Interp", "enlarged", "context", "interp_param { zoom_factor: 2 }")
    text += _convolution("sub", "enlarged", 8, more="bias_term: false") + _normalised("sub", "")
    text += _unit("fine", "data", 6, more="stride: 2")
    text += _unit("fine2", "fine", 8, more="stride: 2", relu="")
    text += _layer("Eltwise", "sum", "sub fine2") + _layer("ReLU", "sum/relu", "sum", tops="sum")
    text += _convolution("score", "sum", 3, 1)
    return text + _layer("Interp", "result", "score", "interp_param { zoom_factor: 4 }")


def crf_rnn() -> str:
    """Zheng et al., ICCV 2015: FCN's scores, split in two, and mean field iterations that were learned with them."""
    text = _input("data", 1, 3, 24, 32) + _convolution("conv1", "data", 6, more="stride: 2")
    text += _layer("ReLU", "relu1", "conv1", tops="conv1") + _convolution("score", "conv1", 3, 1)
    numbers = "convolution_param { num_output: 3 kernel_size: 4 stride: 2 bias_term: false }"
    text += _layer("Deconvolution", "bigscore", "score", numbers)
    text += _layer("Crop", "coarse", "bigscore data", "crop_param { axis: 2 offset: 1 }")
    text += _layer("Split", "splitting", "coarse", tops="unary Q0")
    given = """num_iterations: 3 compatibility_mode: POTTS threshold: 2 theta_alpha: 160 theta_beta: 3 theta_gamma: 3
      spatial_filter_weight: 3 bilateral_filter_weight: 5"""
    rates = "param { lr_mult: 10000 } param { lr_mult: 10000 } param { lr_mult: 1000 }"
    more = f"{rates} multi_stage_meanfield_param {{ {given} }}"
    return text + _layer("MultiStageMeanfield", "inference1", "unary Q0 data", more, tops="pred")


#: name → the text of its deploy net
FAMILIES = {
    "ssd": ssd, "pose": pose, "faster_rcnn": faster_rcnn, "rfcn": rfcn, "shufflenet": shufflenet,
    "se_resnet": se_resnet, "segnet": segnet, "fcn": fcn, "enet": enet, "icnet": icnet, "crf_rnn": crf_rnn,
}  # fmt: skip
#: what exports refuse, by family
REFUSED = {"crf_rnn": "MultiStageMeanfield"}
