"""Which blob of a test net holds the scores."""

from __future__ import annotations

import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.inference import score_blob

NET = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 5 input_dim: 5
input: "label" input_dim: 1 input_dim: 1 input_dim: 9 input_dim: 9
layer { name: "fc8" type: "Convolution" bottom: "data" top: "fc8" convolution_param { num_output: 2 kernel_size: 1 } }
"""
INTERP = 'layer { name: "up" type: "Interp" bottom: "fc8" top: "up" interp_param { height: 9 width: 9 } }\n'
ACCURACY = 'layer { name: "a" type: "SegAccuracy" bottom: "up" bottom: "label" top: "a" }\n'
MAT = 'layer { name: "m" type: "MatWrite" bottom: "up" include { phase: TEST } mat_write_param { prefix: "x/" } }\n'


@pytest.mark.parametrize("ends", ["", ACCURACY, ACCURACY + MAT], ids=["output", "scored", "scored and written"])
def test_scores_before_the_last_enlargement(ends, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "test.prototxt"
    path.write_text(NET + INTERP + ends)
    assert score_blob(caffe.Net(str(path), caffe.TEST), path) == ("fc8", (9, 9), "scores")


def test_a_softmax_makes_probabilities(tmp_path):
    path = tmp_path / "deploy.prototxt"
    path.write_text(NET + 'layer { name: "p" type: "Softmax" bottom: "fc8" top: "prob" }')
    net = caffe.Net(str(path), caffe.TEST)
    assert score_blob(net, path) == ("prob", (5, 5), "probabilities")
    path.write_text(NET + 'layer { name: "p" type: "Softmax" bottom: "fc8" top: "fc8" }' + INTERP)
    assert score_blob(caffe.Net(str(path), caffe.TEST), path) == ("fc8", (9, 9), "probabilities")


def test_an_enlargement_that_crops_is_kept(tmp_path):
    path = tmp_path / "deploy.prototxt"
    path.write_text(NET + INTERP.replace("height: 9", "pad_beg: -1 height: 9"))
    assert score_blob(caffe.Net(str(path), caffe.TEST), path) == ("up", (9, 9), "net")


def test_no_scores(tmp_path):
    path = tmp_path / "test.prototxt"
    path.write_text(NET + 'layer { name: "s" type: "Silence" bottom: "fc8" bottom: "label" }')
    with pytest.raises(InputError, match="test.prototxt: expected one output with scores but got 0"):
        score_blob(caffe.Net(str(path), caffe.TEST), path)
