"""What CUDA does, without a CUDA device: no tensor of the host meets one of the device, and the host does not wait.

`test_fake_device.py` runs these tests, in a process of their own: once there is a device, PyTorch's autograd starts a
thread for it, and processes with such threads cannot be forked.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cases import Case, collect
from deeplab_caffe import caffe
from deeplab_caffe.caffe.layer_types.neuron import ReLU
from deeplab_caffe.crf import CRFRNN
from deeplab_caffe.crf.backends import torch_backend
from deeplab_caffe.crf.backends.base import BackendOptions
from deeplab_caffe.crf.params import CRFParameters
from deeplab_caffe.errors import InputError
from fake_device import FakeDevice, MixedDevices, fake_device, needs_fake_device
from layer_runs import build, cases_of
from plan_nets import NETS, fill
from small_nets import blob, layer
from tolerances import assert_same_sums

pytestmark = needs_fake_device

#: types whose forward waits, and for what; the programs that they mirror compute them on the host
_WAITING_TYPES = {
    "AdaptiveBiasChannel": "lists of labels, of any length",
    "DenseCRF": "the compiled CRF is the host's",
    "DetectionOutput": "how many boxes are left",
    "DomainTransform": "the size of each item's map is checked",
    "DomainTransformForwardOnly": "the size of each item's map is checked",
    "DominantChannel": "channels are ranked on the host",
    "Filter": "how many items are selected, which is the top's shape",
    "MultiStageMeanfield": "the lattice of the image",
    "Proposal": "how many boxes are left",
    "ROIAlign": "how many samples the largest region has, and the regions of each item",
    "ROIPooling": "how large the largest bin is",
    "UniqueLabel": "how many labels there are",
}


def _run(case: Case, device: FakeDevice | None = None) -> dict[str, np.ndarray]:
    """Tops, and diffs of bottoms and parameters, after a pass in both directions; looks at them last."""
    net = build(case)
    tops, last = net.top_names["layer"], len(net.layers) - 1
    caffe.set_random_seed(5)
    if device is not None:
        device.waits.clear()
    net.forward_range(0, last)
    found = {name: net.blobs[name].data_tensor() for name in tops}
    backward = bool(case.differentiable and tops)
    if backward:
        for i, name in enumerate(tops):
            diff = np.random.default_rng(i).uniform(-1, 1, net.blobs[name].shape).astype(np.float32)
            net.blobs[name].set_diff(caffe.mode.on_device(torch.from_numpy(np.asarray(diff))))
        net.clear_param_diffs()
        net.backward_range(last, last)
        found |= {f"{name} diff": net.blobs[name].diff_tensor() for name in case.differentiable}
        found |= {f"param {i} diff": p.diff_tensor() for i, p in enumerate(net.layer_dict["layer"].blobs)}
    waits = device.waits[:] if device else []
    result = {name: tensor.detach().cpu().numpy() for name, tensor in found.items()}
    if device:
        device.waits[:] = waits
    return result


@pytest.mark.parametrize("case", collect(), ids=lambda case: case.name)
def test_every_type_computes_there_as_on_the_host(case):
    expected = _run(case)
    with fake_device() as device:
        found = _run(case, device)
    for name, values in expected.items():
        assert found[name].shape == values.shape
        if not case.random:
            assert_same_sums(found[name], values, name)
    assert not device.waits or case.type in _WAITING_TYPES


@pytest.mark.parametrize("layer_type", _WAITING_TYPES)
def test_types_that_are_said_to_wait_do(layer_type):
    with fake_device() as device:
        _run(cases_of(layer_type)[0], device)
    assert device.waits


def test_a_layer_that_goes_to_the_host_is_noticed(monkeypatch):
    monkeypatch.setattr(ReLU, "compute", lambda self, bottoms, params: [bottoms[0].cpu().relu().to(bottoms[0].device)])
    with fake_device() as device:
        net = build(cases_of("ReLU")[0])
        device.waits.clear()
        net.forward_range(0, len(net.layers) - 1)
    assert device.waits == ["_to_copy"]


def test_a_layer_that_mixes_devices_is_refused(monkeypatch):
    monkeypatch.setattr(ReLU, "compute", lambda self, bottoms, params: [bottoms[0] * torch.ones(bottoms[0].shape)])
    with fake_device() as device, pytest.raises(MixedDevices, match="mul: tensors of the host"):
        _run(cases_of("ReLU")[0], device)


def test_what_waits_is_noted():
    with fake_device() as device:
        ones = torch.ones(3, device=device.torch_device)
        _ = ones[ones > 0], float(ones.sum()), torch.bincount(ones.long()), ones.cpu(), ones.tolist()
    assert device.waits == ["index", "_local_scalar_dense", "bincount", "_to_copy", "_to_copy"]


@pytest.mark.parametrize("layer_type", ["Embed", "BatchReindex", "Upsample", "PSROIPooling"])
def test_a_wrong_index_is_told_when_the_host_waits(layer_type):
    with fake_device():
        net = build(cases_of(layer_type)[0])
        net.blobs[net.bottom_names["layer"][-1]].data[...] = 999
        net.forward_range(0, len(net.layers) - 1)  # goes on with indices in range
        with pytest.raises(InputError, match="layer 'layer' .*999"):
            net.deferred_checks.finish()


@pytest.mark.parametrize("name", NETS)
def test_planned(name, message):
    param = message(blob("data", (2, 3, 9, 7)) + NETS[name])

    def forward() -> dict[str, np.ndarray]:
        caffe.set_random_seed(1)
        net = caffe.Net.from_param(param, caffe.TEST, name)
        fill(net)
        return {key: value.copy() for key, value in net.plan().forward().items()}

    expected = forward()
    with fake_device():
        found = forward()
    for key, values in expected.items():
        assert_same_sums(found[key], values, key)


_SOLVER = """
net_param {{ {net} }} type: "{type}" base_lr: 0.01 lr_policy: "fixed" max_iter: 10 iter_size: 2 display: {display}
weight_decay: 0.01 {more} snapshot_prefix: "s"
"""
_SHARED = (
    'param { name: "w" } '
    'convolution_param { num_output: 3 kernel_size: 1 bias_term: false weight_filler { type: "xavier" } }'
)
_NET = (
    blob("data", (2, 3, 9, 7))
    + layer("DummyData", "label", "", "dummy_data_param { shape { dim: 2 dim: 1 dim: 9 dim: 7 } }")
    + layer("Convolution", "a", "data", _SHARED)
    + layer("BatchNorm", "n", "a", "", "a")
    + layer("Convolution", "b", "a", _SHARED)
    + layer("SoftmaxWithLoss", "loss", "b label")
)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_a_step_of_every_solver(kind, precision, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    more = {"SGD": "momentum: 0.9", "Nesterov": "momentum: 0.9", "AdaDelta": "momentum: 0.9", "Adam": "momentum: 0.9"}
    param = message(_SOLVER.format(net=_NET, type=kind, more=more.get(kind, ""), display=0), "SolverParameter")
    image = np.random.default_rng(0).standard_normal((2, 3, 9, 7)).astype(np.float32)

    def weights(device: FakeDevice | None) -> np.ndarray:
        caffe.set_random_seed(1)
        solver = getattr(caffe, f"{kind}Solver")(param)
        solver.net.set_precision(precision)
        solver.net.blobs["data"].data[...] = image
        if device:
            device.waits.clear()
        solver.step(2)
        assert not device or device.waits == []
        return solver.net.params["a"][0].data.copy()

    expected = weights(None)
    with fake_device() as device:
        found = weights(device)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_what_is_displayed_is_waited_for(message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    param = message(_SOLVER.format(net=_NET, type="SGD", more="", display=3), "SolverParameter")
    with fake_device() as device:
        solver = caffe.SGDSolver(param)
        device.waits.clear()
        solver.step(3)
    assert device.waits != []


def test_the_crf(monkeypatch):
    rng = np.random.default_rng(0)
    pairs = [
        (rng.integers(0, 255, (9, 7, 3), np.uint8), rng.standard_normal((4, 9, 7)).astype(np.float32)) for _ in "ab"
    ]
    options, settings = BackendOptions(False, 0, "cpu"), CRFParameters(w1=4, sigma_alpha=10, sigma_beta=5, iterations=3)
    expected = torch_backend.infer(pairs, settings, options)
    with fake_device() as device:
        monkeypatch.setattr(torch_backend, "_device", lambda name: device.torch_device)
        with torch.inference_mode(False):
            found = torch_backend.infer(pairs, settings, options)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_the_crf_that_learns():
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.standard_normal((2, 4, 9, 7)).astype(np.float32))
    image = torch.from_numpy(rng.uniform(0, 255, (2, 3, 9, 7)).astype(np.float32))

    def gradients(device: torch.device) -> list[np.ndarray]:
        crf = CRFRNN(4, CRFParameters(w1=4, sigma_alpha=10, sigma_beta=5, iterations=2)).to(device)
        given = scores.to(device, copy=True).requires_grad_()
        crf(given, image.to(device)).square().sum().backward()
        return [given.grad.cpu().numpy(), *(p.grad.cpu().numpy() for p in crf.parameters())]

    expected = gradients(torch.device("cpu"))
    with fake_device() as device:
        found = gradients(device.torch_device)
    for one, other in zip(found, expected, strict=True):
        assert_same_sums(one, other)
