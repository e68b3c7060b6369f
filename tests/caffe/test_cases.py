"""Layers within a net, over the table of cases: shapes and bottoms stay; gradients of layers that work on blobs."""

from __future__ import annotations

import numpy as np
import pytest

from cases import ROWS_FOLLOW_THE_VALUES, Case, collect
from deeplab_caffe import caffe
from deeplab_caffe.caffe.layer_types.base import TensorLayer

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


def test_shapes_are_as_announced_and_bottoms_stay(case, built):
    built.reshape()
    announced = {name: blob.shape for name, blob in built.blobs.items()}
    caffe.set_random_seed(3)
    built.forward()
    found = {name: blob.data.shape for name, blob in built.blobs.items()}
    assert found == announced or built.layer_dict["layer"].type in ROWS_FOLLOW_THE_VALUES
    in_place = set(built.top_names["layer"])
    for name in set(case.bottoms) - in_place:
        np.testing.assert_array_equal(built.blobs[name].data, case.bottoms[name].astype(np.float32))


def test_gradient_through_the_net(case, built):
    """Backward through the blobs, against the change of the outputs along a random direction."""
    if not case.differentiable or isinstance(built.layer_dict["layer"], TensorLayer):
        pytest.skip("no gradient, or a function of tensors, whose gradient is checked in double precision")
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
