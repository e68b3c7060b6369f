"""Changes of one net made in another."""

from __future__ import annotations

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.inspection.transplant import transplant
from small_nets import conv, image, layer, net

BEFORE = net(
    image("33x33", 3),
    conv("fc6", "data", "pad: 12 kernel_size: 3 dilation: 12", 1024),
    layer("ReLU", "relu6", "fc6", tops="fc6"),
    layer("Dropout", "drop6", "fc6", tops="fc6"),
    conv("fc8", "fc6", "kernel_size: 1", 21),
)
#: the same net, narrower and for another data set
TARGET = BEFORE.replace("1024", "64").replace("num_output: 21", "num_output: 7")


def _carried(after: str, own: tuple[str, ...] = ()) -> str:
    return transplant(Document(BEFORE, "before"), Document(after, "after"), Document(TARGET, "target"), own)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pad: 12 kernel_size: 3 dilation: 12", "pad: 6 kernel_size: 3 dilation: 6"),
        ("pad: 12 kernel_size: 3 dilation: 12", "kernel_size: 3 dilation: 12 pad_h: 12 pad_w: 6"),
        ('top: "fc6"  ', 'top: "fc6" dropout_param { dropout_ratio: 0.1 } '),
        ('top: "fc8" ', 'top: "fc8" param { lr_mult: 10 } '),
        ("kernel_size: 1 ", 'kernel_size: 1 weight_filler { type: "xavier" } '),
    ],
    ids=["values", "two for one", "a new message", "a new block", "a new field"],
)
def test_fields(old, new):
    after = BEFORE.replace(old, new, 1)
    assert after != BEFORE
    wanted = Document(TARGET.replace(old, new, 1))
    assert _fields(Document(_carried(after))) == _fields(wanted)


def _fields(document: Document) -> list[object]:
    def listed(block):
        return sorted((f.name, listed(f.value) if hasattr(f.value, "fields") else f.value.text) for f in block.fields)

    return [listed(f.value) for f in document.root.fields]


def test_layers_come_and_go():
    dropout = layer("Dropout", "drop6", "fc6", tops="fc6") + "\n"
    carried = _carried(BEFORE.replace(dropout, ""))
    assert "drop6" not in carried and "num_output: 7" in carried
    more = layer("Power", "half", "fc6", "power_param { scale: 0.5 }", "fc6") + "\n"
    carried = _carried(BEFORE.replace(dropout, more + dropout))
    assert carried.index("relu6") < carried.index("half") < carried.index("drop6")


def test_what_each_net_has_for_itself_stays():
    after = BEFORE.replace("num_output: 21", "num_output: 5").replace("pad: 12", "pad: 6")
    carried = _carried(after, own=("num_output",))
    assert "num_output: 7" in carried and "pad: 6" in carried


def test_what_has_no_place_is_an_error():
    with pytest.raises(InputError, match="after: these manual edits cannot be transplanted to target: fc8: renamed"):
        _carried(BEFORE.replace('name: "fc8"', 'name: "fc9"').replace('top: "fc8"', 'top: "fc9"'))
