"""What the engine's tests share: nets from text, one layer fed with arrays, the folder of recordings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.caffe import log
from deeplab_caffe.formats import messages, prototxt, schema

# Small tensors, and machines whose cores are busy: threads that wait for each other would take most of the time.
torch.set_num_threads(1)

_DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(autouse=True)
def _quiet_and_seeded():
    caffe.set_mode_cpu()
    caffe.set_random_seed(1)
    log.set_stderr(False)
    yield
    log.init_log(details=False)


@pytest.fixture
def recordings() -> Path:
    """The folder of what was recorded from C++ Caffe."""
    return _DATA / "conformance"


@pytest.fixture
def logged(tmp_path):
    """Call it for the log so far, as lines without their prefix."""
    with (tmp_path / "log.txt").open("w") as stream:
        log.add_file(stream)
        yield lambda: [line.split("] ", 1)[1] for line in Path(stream.name).read_text().splitlines()]
        log.remove_file(stream)


@pytest.fixture
def detailed(tmp_path):
    """Likewise with the lines of how nets are built, each as (place, message)."""
    with (tmp_path / "details.txt").open("w") as stream:
        log.add_file(stream, details=True)
        parts = r"I[\d .:]+ ([\w.]+:\d+)\] (.*)"
        yield lambda: re.findall(parts, Path(stream.name).read_text())
        log.remove_file(stream)


@pytest.fixture
def net(tmp_path):
    """`net(text, phase=TEST, **arguments)`: a net read from a file net.prototxt."""

    def build(text: str, phase: int = caffe.TEST, **arguments) -> caffe.Net:
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        return caffe.Net(str(path), phase, **arguments)

    return build


@pytest.fixture
def message():
    """`message(text, kind='NetParameter')`: a message from prototxt."""
    return lambda text, kind="NetParameter": messages.to_message(prototxt.Document(text), schema.NAMES[kind]())


@pytest.fixture
def layer(net):
    """`layer(text, *arrays)`: a net of inputs in0, in1, … and one layer named 'layer', after one forward.

    `text` is the layer's definition without name and bottoms; `top` is 'top' unless stated. With `back=True` every
    bottom wants a gradient; with `phase` TRAIN or TEST.
    """

    def build(text: str, *arrays, phase: int = caffe.TEST, back: bool = False, run: bool = True) -> caffe.Net:
        lines = ["force_backward: true"] if back else []
        for i, array in enumerate(arrays):
            dims = " ".join(f"dim: {d}" for d in np.shape(array))
            lines.append(f'layer {{ name: "in{i}" type: "Input" top: "in{i}" input_param {{ shape {{ {dims} }} }} }}')
        bottoms = " ".join(f'bottom: "in{i}"' for i in range(len(arrays)))
        top = "" if "top:" in text or "Silence" in text else 'top: "top"'
        lines.append(f'layer {{ name: "layer" {bottoms} {top} {text} }}')
        built = net("\n".join(lines), phase)
        for i, array in enumerate(arrays):
            built.blobs[f"in{i}"].data[...] = array
        if run:
            built.forward()
        return built

    return build
