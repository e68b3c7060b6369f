"""Loading: a prototxt of 22,000 lines, and a .caffemodel of 500 MB, beside protobuf's own Python parser.

    python bench/load.py

One core. Prints medians, the ratio to protobuf, and the memory that loading the weights took.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from google.protobuf import text_format

from deeplab_caffe import caffe
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.weights import encode_blob, write_caffemodel

LAYERS = 1830
MEGABYTES = 500


def long_prototxt() -> str:
    """A chain of residual blocks in the style of ResNet's published files, about 23,000 lines."""
    size = ["num_output: 8", "kernel_size: 3", "pad: 1", "stride: 1", "bias_term: false"]
    convolution = ["convolution_param {", *(f"  {line}" for line in size), "}"]
    lines = ['name: "long"', 'layer { name: "data" type: "Input" top: "x0"']
    lines.append("  input_param { shape { dim: 1 dim: 8 dim: 17 dim: 17 } } }")
    for i in range(LAYERS // 3):
        lines += _layer(f"conv{i}", "Convolution", f"x{i}", f"c{i}", convolution)
        lines += _layer(f"relu{i}", "ReLU", f"c{i}", f"c{i}", [])
        addition = [f'bottom: "c{i}"', "eltwise_param {", "  operation: SUM", "}"]
        lines += _layer(f"sum{i}", "Eltwise", f"x{i}", f"x{i + 1}", addition)
    return "\n".join(lines) + "\n"


def _layer(name: str, kind: str, bottom: str, top: str, rest: list[str]) -> list[str]:
    head = [
        "layer {",
        f'  name: "{name}"',
        f'  type: "{kind}"',
        f'  bottom: "{bottom}"',
        f'  top: "{top}"',
        "  # a comment",
    ]
    return [*head, *(f"  {line}" for line in rest), "", "}", ""]


def timed(function: Callable[[], object], repeat: int = 5) -> float:
    """Median seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def bench_prototxt(folder: Path) -> None:
    path = folder / "long.prototxt"
    path.write_text(long_prototxt())
    text = path.read_text()
    parse = timed(lambda: to_message(Document(text, "long.prototxt"), schema.NetParameter()))
    build = timed(lambda: caffe.Net(str(path), caffe.TEST), repeat=3)
    theirs = timed(lambda: text_format.Parse(text, schema.NetParameter()))
    print(f"prototxt of {text.count(chr(10)):,} lines: parse {parse:.2f} s (protobuf's Python parser {theirs:.2f} s, "
          f"ratio {parse / theirs:.2f}), parse and build {build:.2f} s")  # fmt: skip


def bench_weights(folder: Path) -> None:
    rows = MEGABYTES * 250_000 // 4096
    product = f"inner_product_param {{ num_output: {rows // 2} bias_term: false }}"
    text = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4096 } } }\n'
    for name in "ab":
        text += f'layer {{ name: "{name}" type: "InnerProduct" bottom: "data" top: "{name}" {product} }}\n'
    (folder / "big.prototxt").write_text(text)
    values = np.random.default_rng(0).normal(size=(rows // 2, 4096)).astype(np.float32)
    blob = encode_blob(values)
    definition = [schema.LayerParameter(name=n, type="InnerProduct").SerializeToString() for n in "ab"]
    write_caffemodel(folder / "big.caffemodel", "big", [(d, [blob]) for d in definition])
    for who in ("ours", "protobuf", "ours", "protobuf"):
        command = [sys.executable, __file__, "--child", who, str(folder)]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="")


def child(who: str, folder: Path) -> None:
    """Load once in a fresh process, so that its memory can be read off."""
    path = folder / "big.caffemodel"
    path.read_bytes()  # a warm file cache
    if who == "ours":
        net = caffe.Net(str(folder / "big.prototxt"), caffe.TEST)
        [blobs[0].data_tensor().zero_() for blobs in net.params.values()]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    if who == "ours":
        net.copy_from(str(path))
    else:
        message = schema.NetParameter()
        message.ParseFromString(path.read_bytes())
        [np.array(layer.blobs[0].data, dtype=np.float32) for layer in message.layer]
    seconds = time.perf_counter() - start
    size = os.path.getsize(path) / 1e6
    grown = max(0.0, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3)
    print(f".caffemodel of {size:.0f} MB, {who}: {seconds:.2f} s, {grown / size:.2f} of its size on top")


def main() -> None:
    if "--child" in sys.argv:
        child(sys.argv[2], Path(sys.argv[3]))
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        bench_prototxt(Path(name))
        bench_weights(Path(name))


if __name__ == "__main__":
    main()
