"""What is logged while nets and solvers are built, with the places that the lines have in Caffe's sources."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.caffe import log
from stores import datum, write_images, write_lmdb

_NET = """
name: "pair"
layer { name: "x" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" }
  inner_product_param { num_output: 3 bias_term: false } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" }
  inner_product_param { num_output: 3 bias_term: false } include { stage: "tied" } }
layer { name: "loss" type: "EuclideanLoss" bottom: "a" bottom: "t" loss_weight: 0.5 }
layer { name: "soft" type: "Softmax" bottom: "a" top: "soft" }
"""


@pytest.fixture(autouse=True)
def _as_recorded():
    """The places are those of the Caffe that was recorded."""
    log.set_dialect("rc3")
    yield
    log.set_dialect("bvlc")


def test_lines_of_a_net(net, detailed):
    net(_NET, caffe.TRAIN, stages=["tied"])
    lines = detailed()
    assert lines[:3] == [
        ("net.cpp:58", "Initializing net from parameters: "),
        ("layer_factory.hpp:77", "Creating layer x"),
        ("net.cpp:100", "Creating Layer x"),
    ]
    for line in (
        ("net.cpp:434", "relu <- a"),
        ("net.cpp:395", "relu -> a (in-place)"),
        ("net.cpp:408", "a_relu_0_split -> a_relu_0_split_2"),
        ("net.cpp:408", "loss -> (automatic)"),
        ("net.cpp:157", "Top shape: (1)"),
        ("net.cpp:160", "    with loss weight 0.5"),
        ("net.cpp:493", "Sharing parameters 'w' owned by layer 'a', param index 0"),
        ("net.cpp:226", "relu needs backward computation."),
        ("net.cpp:228", "soft does not need backward computation."),
    ):
        assert line in lines
    # x, t, a and in place once more, three of the split, b, loss, soft: 4 bytes each
    assert ("net.cpp:165", f"Memory required for data: {4 * (6 * 9 + 1)}") in lines
    assert [text for place, text in lines if place == "net.cpp:270"] == [
        "This network produces output b",
        "This network produces output soft",
    ]
    assert lines[-1] == ("net.cpp:283", "Network initialization done.")


def test_the_definition_is_what_the_state_leaves(net, detailed, tmp_path):
    net(_NET, caffe.TEST, level=2, stages=["é"])
    text = (tmp_path / "details.txt").read_text()
    definition = text[text.index("from parameters: ") : text.index("Creating layer")].split("\n", 1)[1]
    start = 'name: "pair"\nstate {\n  phase: TEST\n  level: 2\n  stage: "\\303\\251"\n}\nlayer {\n'
    assert definition.startswith(start)
    assert 'name: "b"' not in definition and "split" not in definition
    assert "    loss_weight" not in definition and "\n  loss_weight: 0.5\n" in definition


def test_stderr_is_not_flooded_unless_asked(net, capsys):
    log.init_log(details=False)
    net(_NET, caffe.TEST)
    assert capsys.readouterr().err == ""
    caffe.init_log()
    net(_NET, caffe.TEST)
    assert "net.cpp:283] Network initialization done." in capsys.readouterr().err
    caffe.init_log(2)
    net(_NET, caffe.TEST)
    assert capsys.readouterr().err == ""


def test_layers_that_only_the_training_net_has_are_named(net, logged):
    other = net(_NET, caffe.TRAIN, stages=["tied"])
    net(_NET, caffe.TEST).share_with(other)
    assert [line for line in logged() if "Ignoring" in line] == ["Ignoring source layer b"]


def test_lines_of_data_layers(net, detailed, tmp_path):
    write_lmdb(tmp_path / "db", [datum(np.zeros((1, 2, 3), np.uint8))])
    (path,) = write_images(tmp_path, [np.zeros((4, 5, 3), np.uint8)])
    label = tmp_path / "label.png"
    cv2.imwrite(str(label), np.zeros((4, 5), np.uint8))
    (tmp_path / "list.txt").write_text(f"{path} 3\n")
    (tmp_path / "pairs.txt").write_text(f"{label} {label}\n")
    net(f"""
        layer {{ name: "d" type: "Data" top: "d" data_param {{ source: "{tmp_path}/db" batch_size: 2 backend: LMDB }} }}
        layer {{ name: "i" type: "ImageData" top: "i" top: "n"
          image_data_param {{ source: "{tmp_path}/list.txt" batch_size: 3 }} }}
        layer {{ name: "s" type: "ImageSegData" top: "s" top: "l"
          image_data_param {{ source: "{tmp_path}/pairs.txt" label_type: PIXEL }} transform_param {{ crop_size: 9 }} }}
    """).close()
    lines = detailed()
    for line in (
        ("db_lmdb.cpp:35", f"Opened lmdb {tmp_path}/db"),
        ("data_layer.cpp:41", "output data size: 2,1,2,3"),
        ("image_data_layer.cpp:38", f"Opening file {tmp_path}/list.txt"),
        ("image_data_layer.cpp:53", "A total of 1 images."),
        ("image_data_layer.cpp:83", "output data size: 3,3,4,5"),
    ):
        assert line in lines
    assert "output data size: 1,3,9,9" in [text for _, text in lines]
