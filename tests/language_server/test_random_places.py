"""Hover and completion at random places of randomly broken texts: no error, and edits around the cursor."""

from __future__ import annotations

import random

import pytest

from deeplab_caffe.language_server.buffers import Buffer
from deeplab_caffe.language_server.features.completion import complete
from deeplab_caffe.language_server.features.hover import hover
from deeplab_caffe.language_server.workspace import Workspace

_TEXTS = (
    'layer { name: "é𝜃" type: "Input" top: "data" input_param { shape { dim: [1, 3, 9, 9] } } }\r\n'
    'layer {\r\n\tname: "c"  # a comment\r\n\ttype: "Convolution"\r\n\tbottom: "data"\r\n\ttop: "c"\r\n'
    "\tconvolution_param { num_output: ${N} kernel_size: 3 weight_filler { type: 'msra' } }\r\n}\r\n",
    "layers { layer { name: 'a' type: 'conv' num_output: 2 kernelsize: 3 } bottom: 'data' top: 'a' }\n"
    "layers { name: 'b' type: RELU bottom: 'a' top: 'a' include { phase: TEST stage: 's' } }\n",
    'net: "net.prototxt"\nbase_lr: 0.1 lr_policy: "step" stepsize: 3 max_iter: 9\n'
    'weights: "a,b"\ntrain_state { level: 1 }\n',
)
_PIECES = (
    "{",
    "}",
    '"',
    "'",
    "#",
    "\n",
    ":",
    "[",
    "]",
    "<",
    "${",
    "𝜃",
    "layer {",
    'bottom: "',
    "type: ",
    "\\",
    "\0",
    "",
)


@pytest.mark.parametrize("seed", range(3))
def test_broken_texts(seed: int) -> None:
    random_ = random.Random(seed)
    for _ in range(25):
        text = random_.choice(_TEXTS)
        for _ in range(random_.randrange(1, 5)):
            at = random_.randrange(len(text) + 1)
            text = text[:at] + random_.choice(_PIECES) + text[at + random_.randrange(12) :]
        buffer = Buffer("file:///a.prototxt", "/a.prototxt", text, 1)
        for _ in range(6):
            offset = random_.randrange(len(text) + 1)
            position = buffer.position(offset)
            hover(Workspace(), buffer, position)
            found = complete(Workspace(), buffer, position)
            for item in found.items[:3] if found else ():
                where = item.text_edit.range
                assert where.start.line == where.end.line
                assert buffer.offset(where.start) <= buffer.offset(position) <= buffer.offset(where.end)
