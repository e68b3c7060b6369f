"""Labels that are checked while the host goes on: told later, with their place.

That a step waits for nothing is among the tests of `on_fake_device.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.caffe import mode
from deeplab_caffe.errors import InputError
from plan_nets import conv, relu
from small_nets import blob, layer

_SOLVER = """
net_param {{ {net} }} base_lr: 0.01 lr_policy: "poly" power: 0.9 momentum: 0.9 weight_decay: 0.0005 max_iter: 10
display: {display} average_loss: 3 snapshot_prefix: "s" iter_size: 2
"""
_LABELS = 'dummy_data_param { shape { dim: 2 dim: 1 dim: 9 dim: 7 } data_filler { type: "constant" value: 1 } }'
_NET = (
    layer("DummyData", "label", "", _LABELS)
    + blob("data", (2, 3, 9, 7))
    + conv("a", "data")
    + layer("BatchNorm", "bn", "a", "", "a")
    + relu("a")
    + layer("Dropout", "drop", "a", "", "a")
    + layer("Pooling", "pool", "a", "pooling_param { kernel_size: 3 stride: 1 pad: 1 }")
    + conv("score", "pool", 5)
    + layer("SoftmaxWithLoss", "loss", "score label", "loss_param { ignore_label: 255 }")
    + layer("Accuracy", "accuracy", "score label", "accuracy_param { ignore_label: 255 }")
    + layer("SegAccuracy", "seg", "score label", "seg_accuracy_param { ignore_label: 255 }")
)


@pytest.fixture
def solver(message, tmp_path, monkeypatch):
    """`solver(display)`: a solver of a small segmentation net, on what counts as a device of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mode, "asynchronous", lambda: True)

    def build(display: int = 0) -> caffe.SGDSolver:
        caffe.set_random_seed(1)
        return caffe.SGDSolver(message(_SOLVER.format(net=_NET, display=display), "SolverParameter"))

    return build


@pytest.mark.parametrize("display", [0, 1])
def test_a_wrong_label_is_told_later(solver, display):
    made = solver(display)
    made.step(1)
    made.net.blobs["label"].data[1, 0, 3, 2] = 77
    with pytest.raises(InputError, match=r"layer 'loss' .*label 77 is neither one of the 5 classes"):
        made.step(2)


def test_a_wrong_label_is_told_at_the_end_of_a_pass_that_the_user_waits_for(solver):
    net = solver().net
    net.blobs["label"].data[0] = 7
    with pytest.raises(InputError, match="label 7 is neither"):
        net.forward()
    net.blobs["label"].data[0] = 0
    net.forward()
    assert np.isfinite(net.blobs["loss"].data)


def test_the_item_is_that_of_the_batch_with_the_wrong_label(solver, monkeypatch):
    net = solver().net
    data = net.layer_dict["label"]
    monkeypatch.setattr(type(data), "explain_label", lambda self, i, n, ignored: f"{self.present[i]} has a hole")
    data.present = ["a.png", "b.png"]
    net.blobs["label"].data[1, 0, 0, 0] = 9
    net.forward_range(0, len(net.layers) - 1)
    data.present = ["c.png", "d.png"]
    with pytest.raises(InputError, match="b.png has a hole"):
        net.deferred_checks.finish()
    assert not net.deferred_checks
