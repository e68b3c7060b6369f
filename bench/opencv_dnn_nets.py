"""Nets that people run with OpenCV's dnn, in full size, as prototxt: MobileNet-SSD and a pose net."""

from __future__ import annotations

from collections.abc import Iterator


def _layer(kind: str, name: str, bottoms: str, more: str = "", top: str = "") -> str:
    ends = " ".join(f'bottom: "{b}"' for b in bottoms.split())
    return f'layer {{ name: "{name}" type: "{kind}" {ends} top: "{top or name}" {more} }}\n'


def _input(name: str, size: int) -> str:
    return _layer("Input", name, "", f"input_param {{ shape {{ dim: [1, 3, {size}, {size}] }} }}")


def _convolution(name: str, bottom: str, outputs: int, kernel: int, more: str = "") -> str:
    numbers = f"num_output: {outputs} kernel_size: {kernel} pad: {kernel // 2} {more}"
    return _layer("Convolution", name, bottom, f"convolution_param {{ {numbers} }}")


def _rectified(name: str, bottom: str, outputs: int, kernel: int, kind: str = "ReLU") -> str:
    return _convolution(name, bottom, outputs, kernel) + _layer(kind, f"{name}/act", name, top=name)


def _unit(name: str, bottom: str, outputs: int, kernel: int, stride: int = 1, group: int = 1) -> str:
    """Convolution, BatchNorm, Scale, ReLU."""
    text = _convolution(name, bottom, outputs, kernel, f"bias_term: false stride: {stride} group: {group}")
    text += _layer("BatchNorm", f"{name}/bn", name, top=name)
    text += _layer("Scale", f"{name}/scale", name, "scale_param { bias_term: true }", top=name)
    return text + _layer("ReLU", f"{name}/relu", name, top=name)


#: outputs and stride of MobileNet's blocks
_BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
#: outputs of the layers behind it, 1 × 1 and 3 × 3 of stride 2
_EXTRAS = [(256, 512), (128, 256), (128, 256), (64, 128)]
#: of each map that is looked at: min_size, max_size (0: none), priors at a position
_SIZES = [(60, 0, 3), (105, 150, 6), (150, 195, 6), (195, 240, 6), (240, 285, 6), (285, 300, 6)]
_PARTS = {"loc": 1, "conf": 1, "prior": 2}


def mobilenet_ssd(size: int = 300, classes: int = 21) -> str:
    """Image `data` to detections; MobileNet of width 1 with six maps: 1917 prior boxes at 300 × 300."""
    text, below, inputs, maps = _input("data", size) + _unit("conv0", "data", 32, 3, 2), "conv0", 32, []
    for i, (outputs, stride) in enumerate(_BLOCKS, 1):
        text += _unit(f"conv{i}/dw", below, inputs, 3, stride, inputs) + _unit(f"conv{i}", f"conv{i}/dw", outputs, 1)
        below, inputs = f"conv{i}", outputs
        maps += [below] if i in (11, 13) else []
    for i, (narrow, wide) in enumerate(_EXTRAS, 14):
        text += _unit(f"conv{i}_1", below, narrow, 1) + _unit(f"conv{i}_2", f"conv{i}_1", wide, 3, 2)
        below = f"conv{i}_2"
        maps.append(below)
    for name, sizes in zip(maps, _SIZES, strict=True):
        text += "".join(_head(name, classes, *sizes))
    for what, axis in _PARTS.items():
        text += _layer("Concat", what, " ".join(f"{m}/{what}" for m in maps), f"concat_param {{ axis: {axis} }}")
    text += _layer("Reshape", "two", "conf", f"reshape_param {{ shape {{ dim: [0, -1, {classes}] }} }}")
    text += _layer("Softmax", "prob", "two", "softmax_param { axis: 2 }")
    text += _layer("Flatten", "flat", "prob", "flatten_param { axis: 1 }")
    given = f"""num_classes: {classes} share_location: true background_label_id: 0 code_type: CENTER_SIZE
      nms_param {{ nms_threshold: 0.45 top_k: 100 }} keep_top_k: 100 confidence_threshold: 0.25"""
    return text + _layer("DetectionOutput", "found", "loc flat prior", f"detection_output_param {{ {given} }}")


def _head(name: str, classes: int, least: int, most: int, priors: int) -> Iterator[str]:
    for what, outputs in (("loc", 4 * priors), ("conf", classes * priors)):
        yield _convolution(f"{name}/{what}_map", name, outputs, 1)
        yield _layer("Permute", f"{name}/{what}_last", f"{name}/{what}_map", "permute_param { order: [0, 2, 3, 1] }")
        yield _layer("Flatten", f"{name}/{what}", f"{name}/{what}_last", "flatten_param { axis: 1 }")
    sizes = f"min_size: {least} " + (f"max_size: {most} aspect_ratio: 3 " if most else "") + "aspect_ratio: 2"
    given = f"{sizes} flip: true clip: false variance: [0.1, 0.1, 0.2, 0.2] offset: 0.5"
    yield _layer("PriorBox", f"{name}/prior", f"{name} data", f"prior_box_param {{ {given} }}")


#: outputs of the trunk's layers; 0 is a pool
_TRUNK = [64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 256, 128]
#: outputs of the two branches: vectors along limbs, and maps of joints
_BRANCHES = {"L1": 38, "L2": 19}


def pose(size: int = 368, stages: int = 6, activation: str = "ReLU") -> str:
    """Image `image` to maps at stride 8: VGG's first layers and two branches, refined stage by stage."""
    text, below = _input("image", size), "image"
    for i, outputs in enumerate(_TRUNK):
        name = f"trunk{i}"
        if outputs:
            text += _rectified(name, below, outputs, 3, activation)
        else:
            text += _layer("Pooling", name, below, "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
        below = name
    for stage in range(1, stages + 1):
        ends = []
        for branch, outputs in _BRANCHES.items():
            widths, kernel = ([128] * 3 + [512], 3) if stage == 1 else ([128] * 6, 7)
            last = below
            for i, width in enumerate(widths):
                name = f"stage{stage}_{branch}_{i}"
                text += _rectified(name, last, width, 1 if i == len(widths) - 1 else kernel, activation)
                last = name
            ends.append(f"stage{stage}_{branch}")
            text += _convolution(ends[-1], last, outputs, 1)
        below = f"concat{stage}"
        trunk = [] if stage == stages else [f"trunk{len(_TRUNK) - 1}"]
        text += _layer("Concat", below, " ".join([*ends, *trunk]), "concat_param { axis: 1 }")
    return text
