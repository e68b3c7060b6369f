"""Every layer against tensors recorded from C++ Caffe: outputs, gradients, parameters after the pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.formats import prototxt, schema

_FOLDER = Path(__file__).parent.parent / "data" / "conformance" / "layers"
_CASES = sorted(path.stem for path in _FOLDER.glob("*.npz"))


def _definition(record):
    return prototxt.to_message(prototxt.Document(str(record["prototxt"])), schema.NetParameter())


def _close(what: str, ours: np.ndarray, recorded: np.ndarray) -> None:
    assert ours.shape == recorded.shape, what
    tolerance = 1e-5 * np.abs(recorded).max(initial=0) + 1e-6
    np.testing.assert_allclose(ours, recorded, rtol=0, atol=tolerance, err_msg=what)


@pytest.fixture(params=_CASES, name="case")
def _case(request):
    """(record, net) after the recorded number of forward passes."""
    record = dict(np.load(_FOLDER / f"{request.param}.npz"))
    phase = caffe.TRAIN if str(record["phase"]) == "TRAIN" else caffe.TEST
    net = caffe.Net.from_param(_definition(record), phase, request.param)
    for key in (k for k in record if k.startswith("in_")):
        name = key[3:] + "_raw" if key[3:] + "_raw" in net.blobs else key[3:]
        net.blobs[name].reshape(*record[key].shape)
        net.blobs[name].data[...] = record[key]
    for i, blob in enumerate(net.layer_dict["layer"].blobs):
        if f"param_{i}" in record:
            blob.data[...] = record[f"param_{i}"]
    for _ in range(int(record["forwards"])):
        net.forward()
    return record, net


def test_agrees_with_the_recording(case):
    record, net = case
    layer = net.layer_dict["layer"]
    for key, value in record.items():
        if key.startswith("out_"):
            _close(key, net.blobs[key[4:]].data, value)
        elif key.startswith("param_after_"):
            _close(key, layer.blobs[int(key[12:])].data, value)
        elif key.startswith("topdiff_"):
            net.blobs[key[8:]].diff[...] = value
    if not any(key.startswith(("bottomdiff_", "paramdiff_")) for key in record):
        return
    # The nets without force_backward have no loss: Caffe ran nothing there, and the recorded diffs are zero.
    assert layer.needs_backward or not _definition(record).force_backward
    net.clear_param_diffs()
    net.backward(start="layer", end="layer")
    for key, value in record.items():
        if key.startswith("bottomdiff_"):
            _close(key, net.blobs[key[11:]].diff, value)
        elif key.startswith("paramdiff_"):
            _close(key, layer.blobs[int(key[10:])].diff, value)
