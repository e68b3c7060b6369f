"""Layers in Python (deeplab_layers) beside the embedded Caffe's own, interleaved in one run, medians.

    python bench/python_layers.py

Each layer is run as one of a net in both dialects, forward and, where it has a gradient, backward, on sizes that
DeepLab's nets have. The ratio is the figure that carries over.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
import torch

from deeplab_caffe import caffe
from deeplab_caffe.caffe import log
from deeplab_caffe.formats import messages, prototxt, schema
from deeplab_caffe.formats.bvlc import to_bvlc
from timing import CLOCKS, add_arguments, interleaved, machine, table


class Row(NamedTuple):
    """A layer's definition without its ends, its bottoms, and whether backward is timed, too."""

    what: str
    text: str
    bottoms: tuple[np.ndarray, ...]
    learned: bool = False


def rows() -> list[Row]:
    """The layers of LargeFOV's nets, the domain transform and the CRF, on smooth random maps."""
    classes, labels = 21, np.random.default_rng(0).integers(0, 21, (10, 1, 321, 321)).astype(np.float32)
    accuracy = 'type: "SegAccuracy" seg_accuracy_param { ignore_label: 255 }'
    crf = 'type: "DenseCRF" dense_crf_param { pos_w: 3 pos_xy_std: 3 bi_w: 4 bi_xy_std: 65 bi_rgb_std: 3 }'
    whole = np.full((1, 1, 1, 2), 999, np.float32)
    return [
        Row(
            "Interp, scores × 8 to 513",
            'type: "Interp" interp_param { zoom_factor: 8 }',
            (_maps(classes, 65, 65),),
            True,
        ),
        Row("Interp, labels / 8", 'type: "Interp" interp_param { shrink_factor: 8 }', (labels,)),
        Row("SegAccuracy, 41", accuracy, (_maps(classes, 41, 41, items=10), labels[:, :, :41, :41])),
        Row(
            "DomainTransform, 321",
            'type: "DomainTransform"',
            (_maps(classes, 321, 321), _maps(1, 321, 321), whole.clip(0, 321)),
            True,
        ),
        Row("DenseCRF, 500 × 375", crf, (9 * _maps(classes, 375, 500), whole, 255 * _maps(3, 375, 500))),
    ]


def _maps(channels: int, height: int, width: int, items: int = 1) -> np.ndarray:
    """(items, channels, height, width), from 0 to 1, smooth."""
    coarse = np.random.default_rng(channels).uniform(0, 1, (12, 16, channels * items))
    planes = [cv2.resize(coarse[:, :, i], (width, height)) for i in range(channels * items)]
    return np.stack(planes).reshape(items, channels, height, width).astype(np.float32)


def build(row: Row, bvlc: bool) -> caffe.Net:
    """A net of the bottoms, each behind a Scale layer if the row is learned, and the layer."""
    lines, names = [], []
    for i, bottom in enumerate(row.bottoms):
        dims = " ".join(f"dim: {d}" for d in bottom.shape)
        lines.append(f'layer {{ name: "x{i}" type: "Input" top: "x{i}" input_param {{ shape {{ {dims} }} }} }}')
        names.append(f"x{i}")
        if row.learned and i == 0:
            lines.append('layer { name: "s" type: "Scale" bottom: "x0" top: "s" }')
            names[-1] = "s"
    ends = " ".join(f'bottom: "{name}"' for name in names)
    weight = "loss_weight: 1" if row.learned else ""
    text = "\n".join([*lines, f'layer {{ name: "layer" {ends} top: "y" {weight} {row.text} }}'])
    text = to_bvlc(prototxt.Document(text)) if bvlc else text
    net = caffe.Net.from_param(messages.to_message(prototxt.Document(text), schema.NetParameter()), caffe.TEST)
    for i, bottom in enumerate(row.bottoms):
        net.blobs[f"x{i}"].data[...] = bottom
    net.forward()
    return net


def compare(row: Row, arguments: argparse.Namespace) -> list[tuple[str, ...]]:
    """A line for each direction: milliseconds in Python, natively, their ratio."""
    nets = {"Python": build(row, bvlc=True), "native": build(row, bvlc=False)}
    ends = {name: [len(net.layers) - 1] * 2 for name, net in nets.items()}
    passes = {"forward": {name: partial(net._forward, *ends[name]) for name, net in nets.items()}}
    if row.learned:
        passes["backward"] = {name: partial(net._backward, *ends[name]) for name, net in nets.items()}
    repeat = 1 if "DenseCRF" in row.what else arguments.repeat
    lines = []
    for direction, tasks in passes.items():
        ms = interleaved(tasks, repeat, CLOCKS[arguments.clock])
        ratio = ms["Python"] / ms["native"]
        lines.append((f"{row.what}, {direction}", f"{ms['Python']:.1f}", f"{ms['native']:.1f}", f"{ratio:.1f}"))
    return lines


def main() -> None:
    """Print a line for each layer and direction."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, repeat=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    log.set_stderr(False)
    print(machine(arguments.threads, "cpu"))
    lines = [line for row in rows() for line in compare(row, arguments)]
    print(table(("layer", "Python, ms", "native, ms", "ratio"), lines))


if __name__ == "__main__":
    main()
