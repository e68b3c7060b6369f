"""Fillers: exact values where there are some, statistics where they are drawn."""

from __future__ import annotations

import math

import pytest

from deeplab_caffe import caffe
from deeplab_caffe.caffe.filler import fill
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema

_SHAPE = (50, 20, 5, 5)  # fan_in 500, fan_out 1250


def _fill(shape=_SHAPE, **fields):
    return fill(shape, schema.FillerParameter(**fields))


def test_constant_zero_is_the_default():
    assert (_fill() == 0).all()
    assert (_fill(value=-2.5, shape=()) == -2.5).all()


def test_uniform_spans_its_bounds():
    values = _fill(type="uniform", min=-1, max=3)
    assert -1 <= values.min() < -0.99
    assert 2.99 < values.max() <= 3
    assert values.mean() == pytest.approx(1, abs=0.05)


def test_gaussian_has_its_mean_and_std():
    values = _fill(type="gaussian", mean=2, std=0.5)
    assert values.mean() == pytest.approx(2, abs=0.02)
    assert values.std() == pytest.approx(0.5, rel=0.02)


def test_sparse_gaussian_keeps_a_share_of_the_entries():
    values = _fill(type="gaussian", sparse=10)  # 10 of 50 inputs
    assert (values != 0).float().mean() == pytest.approx(0.2, abs=0.02)
    assert (_fill(type="gaussian", sparse=0) == 0).all()
    assert (_fill(type="gaussian", sparse=100) != 0).all()


def test_unit_ball_rows_sum_to_one():
    values = _fill(type="positive_unitball")
    assert values.min() >= 0
    assert values.flatten(1).sum(1).tolist() == pytest.approx([1.0] * 50, abs=1e-5)
    assert _fill((4,), type="positive_unitball").tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(("norm", "fan"), [(0, 500), (1, 1250), (2, 875)])
def test_xavier_and_msra_by_fan(norm, fan):
    bound = math.sqrt(3 / fan)
    values = _fill(type="xavier", variance_norm=norm)
    assert values.abs().max() <= bound
    assert values.abs().max() == pytest.approx(bound, rel=0.01)
    values = _fill(type="msra", variance_norm=norm)
    assert values.mean() == pytest.approx(0, abs=0.003)
    assert values.std() == pytest.approx(math.sqrt(2 / fan), rel=0.02)


def test_bilinear_kernel():
    values = _fill((3, 1, 4, 4), type="bilinear")
    profile = [0.25, 0.75, 0.75, 0.25]
    for channel in values:
        assert channel[0].tolist() == [[a * b for a in profile] for b in profile]
    odd = _fill((2, 2, 3, 3), type="bilinear")
    assert odd[1, 1, 0].tolist() == [0.25, 0.5, 0.25]  # BVLC's centre: symmetric for odd widths too


def test_the_seed_decides():
    caffe.set_random_seed(5)
    first, second = _fill(type="gaussian"), _fill(type="gaussian")
    caffe.set_random_seed(5)
    assert (_fill(type="gaussian") == first).all()
    assert (first != second).any()


@pytest.mark.parametrize(
    ("fields", "shape", "expected"),
    [
        ({"type": "gausian"}, (1,), "unknown filler type 'gausian'; the types are constant, uniform, gaussian"),
        ({"type": "xavier", "sparse": 1}, (1,), "'sparse' goes with the gaussian filler only, not with 'xavier'"),
        ({"type": "bilinear"}, (1, 1, 3, 4), "4-D blob with a square kernel, got (1, 1, 3, 4)"),
        ({"type": "bilinear"}, (3, 3), "4-D blob with a square kernel, got (3, 3)"),
        ({"type": "xavier"}, (3, 0), "not empty, got (3, 0)"),
        ({"type": "uniform", "min": 2, "max": 1}, (1,), "min <= max, got 2 and 1"),
        ({"type": "gaussian", "std": -1}, (1,), "std of 0 or more, got -1"),
    ],
)
def test_errors(fields, shape, expected):
    with pytest.raises(InputError) as caught:
        _fill(shape, **fields)
    assert expected in str(caught.value)


def test_a_layer_with_a_wrong_filler_says_which_it_is(layer):
    text = 'type: "InnerProduct" inner_product_param { num_output: 1 weight_filler { type: "msr" } }'
    with pytest.raises(InputError, match=r"net\.prototxt:2:1: layer 'layer' \(InnerProduct\): unknown filler"):
        layer(text, [[1.0]])


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "gaussian", "std": math.nan},
        {"type": "uniform", "min": math.nan},
        {"type": "uniform", "min": -math.inf, "max": 1},
    ],
)
def test_bounds_and_deviations_that_are_no_numbers(fields):
    with pytest.raises(InputError, match=f"the {fields['type']} filler needs"):
        _fill(**fields)
