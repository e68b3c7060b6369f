"""Which blob of a test net holds the scores."""

from __future__ import annotations

import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.experiment.stages.test import _score_blob

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
    assert _score_blob(caffe.Net(str(path), caffe.TEST), path) == ("fc8", (9, 9))


def test_no_scores(tmp_path):
    path = tmp_path / "test.prototxt"
    path.write_text(NET + 'layer { name: "s" type: "Silence" bottom: "fc8" bottom: "label" }')
    with pytest.raises(InputError, match="test.prototxt: expected one output with scores but got 0"):
        _score_blob(caffe.Net(str(path), caffe.TEST), path)
