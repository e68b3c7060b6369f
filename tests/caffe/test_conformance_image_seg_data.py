"""The "ImageSegData" layer against batches recorded from C++ Caffe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.formats import messages, prototxt, schema

_CASES = sorted(p.stem for p in (Path(__file__).parent.parent / "data/conformance/image_seg_data").glob("*.npz"))


@pytest.mark.parametrize("case", _CASES)
def test_four_batches(case, recordings, monkeypatch):
    monkeypatch.chdir(recordings / "image_seg_data")
    record = dict(np.load(f"{case}.npz"))
    definition = messages.to_message(prototxt.Document(str(record["prototxt"])), schema.NetParameter())
    net = caffe.Net.from_param(definition, caffe.TRAIN if str(record["phase"]) == "TRAIN" else caffe.TEST, case)
    compared = [name for name in ("data", "label", "data_dim") if name in record and name in net.blobs]
    assert "data" in compared
    for i in range(4):
        net.forward()
        for name in compared:
            np.testing.assert_allclose(net.blobs[name].data, record[name][i], rtol=1e-6, atol=1e-5, err_msg=name)
    net.close()
