"""What holds for every layer type, over the table of cases: shapes, purity, repetition, and gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cases import Case, collect
from deeplab_caffe import caffe
from deeplab_caffe.caffe.layers.base import TensorLayer

#: types that bring data or run a user's code: the file in this folder that tests each
_OWN_TESTS = {
    "HDF5Data": "test_hdf5_data.py",
    "ImageSegData": "test_image_seg_data.py",
    "Input": "test_net_pycaffe.py",
    "Python": "test_python_layer.py",
}
_CASES = collect()


@pytest.fixture(params=_CASES, ids=lambda case: case.name)
def case(request) -> Case:
    return request.param


@pytest.fixture
def built(case, net):
    """The case's net, its inputs filled in, every bottom wanting a gradient."""
    lines = ["force_backward: true"]
    for name, array in case.bottoms.items():
        dims = " ".join(f"dim: {d}" for d in array.shape)
        lines.append(f'layer {{ name: "in_{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}')
    made = net("\n".join([*lines, case.text]), caffe.TRAIN if case.phase == "TRAIN" else caffe.TEST)
    for name, array in case.bottoms.items():
        made.blobs[name].data[...] = array
    return made


def test_every_type_has_a_case_or_a_file_of_its_own():
    missing = set(caffe.layer_type_list()) - {case.type for case in _CASES} - set(_OWN_TESTS)
    assert sorted(missing) == []
    for kind, file in _OWN_TESTS.items():
        assert kind in (Path(__file__).parent / file).read_text(), f"{file} does not test {kind}"


def test_shapes_are_as_announced_and_bottoms_stay(case, built):
    built.reshape()
    announced = {name: blob.shape for name, blob in built.blobs.items()}
    caffe.set_random_seed(3)
    built.forward()
    assert {name: blob.data.shape for name, blob in built.blobs.items()} == announced
    in_place = set(built.top_names["layer"])
    for name in set(case.bottoms) - in_place:
        np.testing.assert_array_equal(built.blobs[name].data, case.bottoms[name].astype(np.float32))


def test_the_same_inputs_give_the_same_outputs(case, built):
    caffe.set_random_seed(3)
    built.forward()
    first = {name: built.blobs[name].data.copy() for name in built.top_names["layer"]}
    for name, array in case.bottoms.items():
        built.blobs[name].data[...] = array
    caffe.set_random_seed(3)
    built.forward()
    for name, values in first.items():
        np.testing.assert_array_equal(built.blobs[name].data, values)


def test_gradient_in_double_precision(case, built):
    """Where the layer is a function of tensors: autograd's gradient against finite differences."""
    layer = built.layer_dict["layer"]
    if not case.differentiable or not isinstance(layer, TensorLayer):
        pytest.skip("no gradient, or no function of tensors")
    bottoms = {name: torch.from_numpy(np.array(array, np.float64)) for name, array in case.bottoms.items()}
    checked = [bottoms[name].requires_grad_() for name in case.differentiable]
    params = [b.data_tensor().double() for b in layer.blobs]
    learned = [p.requires_grad_() for p in params] if case.params else []

    def compute(*tensors: torch.Tensor):
        caffe.set_random_seed(3)  # the same draws in every call
        given = {**bottoms, **dict(zip(case.differentiable, tensors, strict=False))}
        own = list(tensors[len(checked) :]) if case.params else [p.clone() for p in params]
        return tuple(layer.compute([given[name] for name in built.bottom_names["layer"]], own))

    assert torch.autograd.gradcheck(compute, (*checked, *learned), atol=1e-6)


def test_gradient_through_the_net(case, built):
    """Backward through the blobs, against the change of the outputs along a random direction."""
    if not case.differentiable or built.layer_dict["layer"].type == "Silence":
        pytest.skip("no gradient")
    random = np.random.default_rng(0)
    tops = list(dict.fromkeys(built.top_names["layer"]))
    caffe.set_random_seed(3)
    built.forward()
    weights = {name: random.standard_normal(built.blobs[name].shape) for name in tops}

    def total() -> float:
        caffe.set_random_seed(3)
        built.forward()
        return float(sum((built.blobs[name].data * w).sum(dtype=np.float64) for name, w in weights.items()))

    for name, weight in weights.items():
        built.blobs[name].diff[...] = weight
    built.clear_param_diffs()
    built.backward(start="layer", end="layer")
    diffs = {name: built.blobs[name].diff.copy() for name in case.differentiable}
    for name in case.differentiable:
        direction = random.standard_normal(case.bottoms[name].shape)
        sums = []
        for step in (1e-3, -1e-3):
            for other, array in case.bottoms.items():
                built.blobs[other].data[...] = array + step * direction if other == name else array
            sums.append(total())
        expected = (sums[0] - sums[1]) / 2e-3
        scale = np.abs(diffs[name] * direction).sum() + 1e-2
        assert float((diffs[name] * direction).sum()) == pytest.approx(expected, abs=0.01 * scale)
