"""SegNet's class weights become an InfogainLoss with a matrix beside the net, which computes what SegNet's loss did."""

from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.cli.main import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.infogain import read_diagonal
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.upgrade_text import upgrade_document

NET = """
layer {{ name: 's' type: 'Input' top: 's' input_param {{ shape {{ dim: [1, 3, 2, 4] }} }} }}
layer {{ name: 'l' type: 'Input' top: 'l' input_param {{ shape {{ dim: [1, 1, 2, 4] }} }} }}
layer {{
  name: "loss"
  type: "SoftmaxWithLoss"
  bottom: "s"
  bottom: "l"
  top: "loss"
  softmax_param {{engine: CAFFE}}
  loss_param: {{
    {0}
  }}
}}
"""
SEGNET = """weight_by_label_freqs: true
    ignore_label: 11  # void
    class_weighting: 0.25
    class_weighting: 2
    class_weighting: 4.5"""


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def upgraded(inner: str) -> str:
    return upgrade_document(Document(NET.format(inner), "net.prototxt"), "new.prototxt").text


@pytest.mark.parametrize("inner", [SEGNET, SEGNET.replace("\n", " ").replace("# void", "")])
def test_the_upgraded_net_computes_segnets_loss(inner, capsys):
    Path("net.prototxt").write_text(NET.format(inner))
    assert main(["prototxt", "upgrade", "net.prototxt", "-o", "out/new.prototxt"]) == 0
    assert "net.prototxt: SegNet; 3 changes" in capsys.readouterr().out
    weights = np.array(read_diagonal("out/new_loss_weights.binaryproto"))
    np.testing.assert_allclose(weights, [0.25, 2, 4.5])
    net = caffe.Net("out/new.prototxt", caffe.TRAIN)
    scores = np.random.default_rng(0).normal(size=(3, 8))
    labels = np.array([0, 1, 2, 11, 1, 0, 11, 2])
    net.blobs["s"].data[...], net.blobs["l"].data[...] = scores.reshape(1, 3, 2, 4), labels.reshape(1, 1, 2, 4)
    net.forward()
    valid = labels != 11
    log_p = (scores - np.log(np.exp(scores).sum(0)))[:, valid]
    labels = labels[valid]
    expected = -(weights[labels] * log_p[labels, np.arange(len(labels))]).sum() / len(labels)
    np.testing.assert_allclose(net.blobs["loss"].data, expected, rtol=1e-5)


def test_comments_layout_and_other_fields_stay():
    assert upgraded(SEGNET) == NET.format("ignore_label: 11  # void").replace(
        '"SoftmaxWithLoss"', '"InfogainLoss"'
    ).replace("softmax_param {engine: CAFFE}", 'infogain_loss_param { source: "new_loss_weights.binaryproto" }')


@pytest.mark.parametrize(
    ("stated", "left"),
    [
        ("normalize: true", "ignore_label: 11"),
        ("normalize: false", "normalization: BATCH_SIZE"),
        ("normalize: false normalization: FULL", "normalization: FULL"),
    ],
)
def test_normalization(stated, left):
    text = upgraded(f"{SEGNET}\n    {stated}")
    assert left in text and "normalize" not in text


def test_lists_of_weights_and_an_axis():
    text = NET.format("weight_by_label_freqs: true class_weighting: [1, 2, 3]").replace("engine: CAFFE", "axis: -3")
    upgrade = upgrade_document(Document(text, "net.prototxt"), "folder/new.prototxt")
    assert upgrade.matrices == {"folder/new_loss_weights.binaryproto": [1, 2, 3]}
    assert "loss_param:" not in upgrade.text and "axis: -3 }" in upgrade.text


def test_several_losses_have_files_of_their_own():
    text = NET.format(SEGNET)
    second = text[text.index("layer {\n") :]
    upgrade = upgrade_document(Document(text + second, "net.prototxt"), "new.prototxt")
    assert list(upgrade.matrices) == ["new_loss_weights.binaryproto", "new_loss_weights1.binaryproto"]


def test_weights_that_segnet_does_not_use_are_dropped():
    upgrade = upgrade_document(Document(NET.format("ignore_label: 11 class_weighting: 3"), "net.prototxt"))
    assert "SoftmaxWithLoss" in upgrade.text and "class_weighting" not in upgrade.text and not upgrade.matrices
    assert upgrade.changes[0].note == "not used without weight_by_label_freqs: true"


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ("weight_by_label_freqs: true", "there is no class_weighting"),
        ("weight_by_label_freqs: true class_weighting: ${W}", "class_weighting: expected a number"),
        ("weight_by_label_freqs: true class_weighting: nan", "class_weighting: expected a number, 0 or more"),
        ("weight_by_label_freqs: true class_weighting: -1", "class_weighting: expected a number, 0 or more"),
        ("weight_by_label_freqs: true class_weighting: 1e39", "class_weighting: expected a number, 0 or more"),
        ("weight_by_label_freqs: maybe class_weighting: 1", "expected true or false but got maybe"),
    ],
)
def test_weights_that_cannot_be_upgraded(inner, words):
    with pytest.raises(InputError, match=r"net.prototxt:12:\d+: layer 'loss': .*" + words):
        upgraded(inner)


def test_without_a_file_there_is_no_place_for_the_matrix(capsys):
    Path("net.prototxt").write_text(NET.format(SEGNET))
    assert main(["prototxt", "upgrade", "net.prototxt"]) == 2
    assert "becomes the matrix of an InfogainLoss, a file beside the net: give -o OUT" in capsys.readouterr().err
    assert main(["prototxt", "upgrade", "net.prototxt", "--in-place"]) == 0
    assert read_diagonal("net_loss_weights.binaryproto") == [0.25, 2, 4.5]
    assert main(["upgrade_net_proto_text", "net.prototxt", "again.prototxt"]) == 0
    assert Path("again.prototxt").read_text() == Path("net.prototxt").read_text()


def test_other_readers_say_what_to_do(capsys):
    Path("net.prototxt").write_text(NET.format(SEGNET))
    with pytest.raises(InputError, match="the Caffe of SegNet .*`deeplab prototxt upgrade FILE -o NEW`"):
        caffe.Net("net.prototxt", caffe.TRAIN)
