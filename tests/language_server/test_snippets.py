"""Every layer type has a snippet, in the layout of the formatter, that makes a layer without faults."""

from __future__ import annotations

import pytest

from deeplab_caffe.formats import schema
from deeplab_caffe.formats.formatting import format_document
from deeplab_caffe.formats.layer_facts import LAYER_FACTS
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.upgrade import upgrade_net
from deeplab_caffe.language_server.completing import snippets


@pytest.mark.parametrize("old", [False, True], ids=["layer", "layers"])
@pytest.mark.parametrize("layer_type", LAYER_FACTS)
def test_a_layer_is_valid_and_in_our_layout(layer_type, old):
    snippet = snippets.layer_snippet(layer_type, "a_name", "a_top", old)
    if old and not snippet:
        assert layer_type not in ("Convolution", "Pooling", "SoftmaxWithLoss", "Interp")
        return
    text = snippets.plain(snippet) + "\n"
    assert format_document(Document(text)) == text
    net = to_message(Document(text), schema.NetParameter())
    if (layer_type, old) == ("Crop", True):
        return  # it is aligned with the net around it as it is upgraded
    upgrade_net(net, "snippet")
    [layer] = net.layer
    assert (layer.name, layer.type) == ("a_name", layer_type)
    stated = {field.name for field, _ in layer.ListFields() if field.message_type is not None} - {"param"}
    assert stated <= {*LAYER_FACTS[layer_type].params}


def test_every_snippet_is_of_a_type():
    assert set(snippets._rows()) <= set(LAYER_FACTS)


def test_what_is_special_in_a_snippet_is_escaped():
    text = snippets.layer_snippet("ReLU", "a", "fc8_${EXP}\\")
    assert text == 'layer { name: "${1:a}" type: "ReLU" bottom: "${2:fc8_\\${EXP\\}\\\\}" top: "$2" }'
    assert snippets.plain(text) == 'layer { name: "a" type: "ReLU" bottom: "fc8_${EXP}\\" top: "fc8_${EXP}\\" }'


def test_free_names():
    assert snippets.free_name("relu", {"relu1", "relu3"}) == "relu2"
    assert snippets.free_name("loss", set()) == "loss" and snippets.free_name("loss", {"loss"}) == "loss1"
    assert snippets.free_name("data", {"data"}) == "data"
