"""What every layer type must do, over the cases of tests/cases: no type may be without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cases import Case, collect
from deeplab_caffe import caffe
from deeplab_caffe.caffe.layer_types.base import TensorLayer
from deeplab_caffe.formats import messages, prototxt, schema
from deeplab_caffe.formats.writer import format_message
from tolerances import TENSOR, assert_same_sums

_CASES = collect()
#: types that bring data or run the user's code, with the test of their own that holds them
_OWN_TESTS = {
    "AnnotatedData": "test_layers_annotated_data.py",
    "Data": "test_layers_database_data.py",
    "DenseImageData": "test_layers_label_map_data.py",
    "HDF5Data": "test_hdf5_data.py",
    "HDF5Output": "test_layers_hdf5_output.py",
    "ImageData": "test_layers_image_data.py",
    "ImageLabelmapData": "test_layers_label_map_data.py",
    "ImageSegData": "test_conformance_image_seg_data.py",
    "Input": "test_net_pycaffe.py",
    "MemoryData": "test_layers_memory_data.py",
    "MultiBoxLoss": "test_layers_detection.py",
    "Python": "test_python_layer.py",
    "WindowData": "test_layers_window_data.py",
    "MatRead": "test_layers_mat.py",
    "MatWrite": "test_layers_mat.py",
}


def _message(text: str):
    return messages.to_message(prototxt.Document(text), schema.NetParameter())


def _build(case: Case) -> caffe.Net:
    """The case's layer below inputs of its bottoms' shapes, filled in; seeded, so that parameters repeat."""
    inputs = [
        f'layer {{ name: "in_{name}" type: "Input" top: "{name}" input_param {{ shape {{ {_dims(array)} }} }} }}'
        for name, array in case.bottoms.items()
    ]
    caffe.set_random_seed(1)
    phase = caffe.TRAIN if case.phase == "TRAIN" else caffe.TEST
    net = caffe.Net.from_param(_message("\n".join(["force_backward: true", *inputs, case.text])), phase, case.name)
    _feed(net, case)
    return net


def _dims(array: np.ndarray) -> str:
    return " ".join(f"dim: {size}" for size in array.shape)


def _feed(net: caffe.Net, case: Case) -> None:
    for name, array in case.bottoms.items():
        net.blobs[name].reshape(*array.shape)
        net.blobs[name].data[...] = array


def _outputs(net: caffe.Net) -> dict[str, np.ndarray]:
    """Copies of the tops after a forward pass."""
    net.forward()
    return {name: net.blobs[name].data.copy() for name in net.top_names["layer"]}


def _tensors(net: caffe.Net, case: Case, dtype: torch.dtype) -> list[torch.Tensor]:
    return [torch.from_numpy(np.asarray(case.bottoms[name])).to(dtype) for name in net.bottom_names["layer"]]


@pytest.fixture(params=_CASES, ids=lambda case: case.name, name="case")
def _case(request) -> Case:
    return request.param


@pytest.fixture
def function(case):
    """(net, layer) of a case whose layer is a function of tensors, after one forward pass."""
    net = _build(case)
    layer = net.layer_dict["layer"]
    if not isinstance(layer, TensorLayer) or type(layer).compute is TensorLayer.compute:
        pytest.skip(f"{case.type} works on blobs")
    net.forward()
    return net, layer


def test_every_type_has_a_case_or_a_test_of_its_own():
    covered = {case.type for case in _CASES}
    missing = [t for t in caffe.layer_type_list() if t not in covered and t not in _OWN_TESTS]
    assert missing == []
    assert covered <= set(caffe.layer_type_list())
    for kind, file in _OWN_TESTS.items():
        assert kind in (Path(__file__).parent / file).read_text(), f"{file} does not test {kind}"


def test_the_shape_rule_says_what_is_computed(case, function):
    net, layer = function
    shapes = [net.blobs[name].shape for name in net.bottom_names["layer"]]
    computed = [net.blobs[name].shape for name in net.top_names["layer"]]
    if not set(net.bottom_names["layer"]) & set(net.top_names["layer"]):
        assert [tuple(s) for s in layer.top_shapes(*shapes)] == computed
    params = [p.data_tensor().clone() for p in layer.blobs]
    tops = layer.compute(_tensors(net, case, torch.float32), params)
    assert [tuple(t.shape) for t in tops] == computed


def test_prototxt_round_trip(case):
    written = _message(case.text)
    assert _message(format_message(written)) == written


def test_forward_twice_is_the_same(case):
    net = _build(case)
    if case.random:
        caffe.set_random_seed(5)
    first = _outputs(net)
    _feed(net, case)
    if case.random:
        caffe.set_random_seed(5)
    for name, again in _outputs(net).items():
        np.testing.assert_array_equal(again, first[name], err_msg=name)


def test_a_planned_pass_is_the_same(case):
    net = _build(case)
    caffe.set_random_seed(5)
    plain = _outputs(net)
    net = _build(case)
    plan = net.plan(keep=net.top_names["layer"])
    caffe.set_random_seed(5)
    plan.forward()
    for name, wanted in plain.items():
        assert_same_sums(net.blobs[name].data, wanted, name)


def test_bfloat16_bottoms_give_nearly_the_same(case, function):
    net, layer = function
    wanted = _outputs(net)
    if not layer.any_precision or case.random:
        pytest.skip("takes float32 only, or draws")
    net = _build(case)
    for name in case.differentiable:
        net.blobs[name].set_data(net.blobs[name].data_tensor().bfloat16())
    for name, found in _outputs(net).items():
        scale = np.abs(wanted[name]).max(initial=0)
        np.testing.assert_allclose(found, wanted[name], rtol=0, atol=0.03 * scale, err_msg=name)
    net.backward(start="layer", end="layer")
    for name in case.differentiable:
        assert net.blobs[name].diff_tensor().dtype in (torch.bfloat16, torch.float32)


def _checked(case: Case, layer: TensorLayer, bottoms: list[torch.Tensor], names: list[str]):
    """(compute over the checked tensors, the checked tensors): bottoms in `differentiable`, and the parameters."""
    params = [p.data_tensor().detach().double() for p in layer.blobs]
    places = [i for i, name in enumerate(names) if name in case.differentiable]
    tensors = [bottoms[i] for i in places] + (params if case.params else [])
    for tensor in tensors:
        tensor.requires_grad_()

    def compute(*given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        caffe.set_random_seed(3)  # the same draws in every call
        inputs = list(bottoms)
        for i, tensor in zip(places, given, strict=False):
            inputs[i] = tensor
        own = list(given[len(places) :]) if case.params else [p.clone() for p in params]
        return tuple(layer.compute(inputs, own))

    return compute, tensors


def test_gradient_by_finite_differences(case, function):
    net, layer = function
    compute, tensors = _checked(case, layer, _tensors(net, case, torch.float64), net.bottom_names["layer"])
    if not tensors or not net.top_names["layer"]:
        pytest.skip("nothing whose gradient could be checked")
    assert torch.autograd.gradcheck(compute, tensors, atol=1e-6)


def test_backward_through_blobs_is_the_gradient(case, function):
    net, layer = function
    compute, tensors = _checked(case, layer, _tensors(net, case, torch.float64), net.bottom_names["layer"])
    if not tensors or not net.top_names["layer"]:
        pytest.skip("nothing whose gradient could be checked")
    _feed(net, case)
    caffe.set_random_seed(3)
    net.forward()
    tops = [net.blobs[name] for name in net.top_names["layer"]]
    diffs = [np.random.default_rng(i).uniform(-1, 1, blob.shape) for i, blob in enumerate(tops)]
    for blob, diff in zip(tops, diffs, strict=True):
        blob.diff[...] = diff
    net.clear_param_diffs()
    net.backward(start="layer", end="layer")
    pairs = [(y, torch.from_numpy(d)) for y, d in zip(compute(*tensors), diffs, strict=True) if y.requires_grad]
    expected = torch.autograd.grad([y for y, _ in pairs], tensors, [d for _, d in pairs])
    names = [name for name in net.bottom_names["layer"] if name in case.differentiable]
    blobs = [net.blobs[name] for name in names] + (list(layer.blobs) if case.params else [])
    for blob, gradient in zip(blobs, expected, strict=True):
        assert_same_sums(blob.diff, gradient.numpy())


def test_memory_layout_does_not_matter(case, function):
    net, layer = function
    bottoms = _tensors(net, case, torch.float32)
    if not any(t.dim() == 4 for t in bottoms):
        pytest.skip("no bottom of 4 axes")
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        caffe.set_random_seed(3)
        given = [t.contiguous(memory_format=layout) if t.dim() == 4 else t.clone() for t in bottoms]
        results.append(layer.compute(given, [p.data_tensor().clone() for p in layer.blobs]))
    for plain, other in zip(*results, strict=True):
        assert_same_sums(other.detach().numpy(), plain.detach().numpy())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu(case):
    if case.random:
        pytest.skip("other random numbers on another device")
    results = []
    for choose in (caffe.set_mode_cpu, caffe.set_mode_gpu):
        choose()
        net = _build(case)
        found = _outputs(net)
        if case.differentiable and net.top_names["layer"]:
            for name in net.top_names["layer"]:
                net.blobs[name].diff[...] = np.random.default_rng(0).uniform(-1, 1, net.blobs[name].shape)
            net.backward(start="layer", end="layer")
            found.update((f"{name} diff", net.blobs[name].diff.copy()) for name in case.differentiable)
        results.append(found)
    for name, cpu in results[0].items():
        assert_same_sums(results[1][name], cpu, name, share=2 * TENSOR)
