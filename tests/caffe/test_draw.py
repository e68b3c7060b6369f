"""caffe.draw: labels, colours, edges and formats."""

from __future__ import annotations

import shutil
import sys

import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError

_NET = """
name: "pic"
layer { name: "data" type: "Data" top: "data" top: "label" data_param { batch_size: 7 source: "x" }
  include { phase: TRAIN } }
layer { name: "in" type: "Input" top: "data" include { phase: TEST } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 3 }
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 dilation: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_h: 2 kernel_w: 3 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" exclude { phase: TRAIN } }
"""


@pytest.fixture
def proto(message):
    return message(_NET)


def _attributes(graph) -> dict[str, dict[str, str]]:
    return {node.get_name().strip('"'): node.get_attributes() for node in graph.get_nodes()}


def test_nodes_and_edges(proto):
    pytest.importorskip("pydot")
    graph = caffe.draw.get_pydot_graph(proto, "LR", display_lrm=True)
    nodes = _attributes(graph)
    assert graph.get_name() == '"pic"' and graph.get_rankdir() == "LR"
    label = r'"conv\n(Convolution)\nkernel size: 3\nstride: 1\npad: 1\ndilation: 2\nlr mult: 3"'
    assert nodes["conv_Convolution"]["label"] == label
    assert nodes["pool_Pooling"]["label"] == r'"pool\n(AVE Pooling)\nkernel size: 2x3\nstride: 1\npad: 0"'
    colors = {name: a["fillcolor"].strip('"') for name, a in nodes.items()}
    assert colors["conv_Convolution"] == "#FF5050"
    assert colors["pool_Pooling"] == "#FF9900"
    assert colors["fc_InnerProduct"] == "#CC33FF"
    assert colors["relu_ReLU"] == "#90EE90"
    assert colors["prob_Softmax"] == "#6495ED"
    assert (colors["conv_blob"], nodes["conv_blob"]["shape"]) == ("#E0E0E0", "octagon")
    edges = {(e.get_source().strip('"'), e.get_destination().strip('"')): e.get_label() for e in graph.get_edges()}
    assert edges["data_Data", "data_blob"] == '"Batch 7"'
    assert edges["conv_Convolution", "conv_blob"] == '"4"'
    assert edges["fc_InnerProduct", "fc_blob"] == '"5"'
    assert edges["conv_blob", "relu_ReLU"] == '""'


def test_phases(proto):
    pytest.importorskip("pydot")
    train = _attributes(caffe.draw.get_pydot_graph(proto, "LR", phase=caffe.TRAIN))
    test = _attributes(caffe.draw.get_pydot_graph(proto, "LR", phase=caffe.TEST))
    assert "data_Data" in train and "in_Input" not in train and "prob_Softmax" not in train
    assert "data_Data" not in test and "in_Input" in test and "prob_Softmax" in test


def test_files(proto, tmp_path, monkeypatch):
    pytest.importorskip("pydot")
    caffe.draw.draw_net_to_file(proto, str(tmp_path / "net.raw"), "TB")
    text = (tmp_path / "net.raw").read_text()
    assert text.startswith("digraph") and "conv (Convolution) kernel size: 3" in text
    with pytest.raises(InputError, match="has no suffix"):
        caffe.draw.draw_net_to_file(proto, str(tmp_path / "net"))
    if shutil.which("dot"):
        assert caffe.draw.draw_net(proto, "LR", "png").startswith(b"\x89PNG")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"cannot draw the net as png: is Graphviz's program 'dot' installed"):
        caffe.draw.draw_net_to_file(proto, str(tmp_path / "net.png"))
    assert not (tmp_path / "net.png").exists()


def test_without_pydot(proto, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydot", None)
    with pytest.raises(InputError, match=r"needs the package pydot.*pip install 'deeplab-caffe\[draw\]'"):
        caffe.draw.get_pydot_graph(proto, "LR")
