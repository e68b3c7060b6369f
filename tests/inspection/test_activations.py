"""An activation that no Caffe has, HardSwish: inspect, lint and view know it by its row and its class alone."""

from __future__ import annotations

from fractions import Fraction

import pytest

import small_nets as nets
from deeplab_caffe import caffe
from deeplab_caffe.formats.layer_facts import ACTIVATION, types_where
from deeplab_caffe.formats.templates import template_values
from deeplab_caffe.inspection.analysis import analyse
from deeplab_caffe.inspection.lint import Linter, chosen
from deeplab_caffe.inspection.view.details import kind

_NET = nets.net(
    nets.image("9x9", 3),
    nets.conv("a", "data", "kernel_size: 3 pad: 1", outputs=4),
    nets.layer("HardSwish", "h", "a", tops="a"),
    nets.conv("b", "a", "kernel_size: 1", outputs=2),
)


def _lint(path) -> list[str]:
    return [finding.rule for finding in Linter(chosen(), template_values([], {})).lint(path)]


def test_inspect(write):
    analysis = analyse(write(_NET), phase=caffe.TRAIN)
    layer = next(x for x in analysis.layers if x.shapes.name == "h")
    assert (layer.cost.params, layer.cost.multiply_adds) == (0, 4 * 81)
    assert (layer.field.size, layer.field.stride) == ((3, 3), (Fraction(1), Fraction(1)))
    assert layer.activation.data == 0  # in place


def test_what_it_reads_is_kept_where_its_result_replaces_it(write):
    loss = 'layer { name: "loss" type: "Reduction" bottom: "b" top: "loss" loss_weight: 1 }'
    analysis = analyse(write(_NET + loss), phase=caffe.TRAIN)
    layer = next(x for x in analysis.layers if x.shapes.name == "h")
    assert layer.activation.kept == 4 * 4 * 81


def test_lint_takes_it_for_an_activation(write):
    assert _lint(write(_NET)) == []
    assert "missing-activation" in _lint(write(_NET.replace('"HardSwish"', '"Dropout"')))
    assert "relu-after-wrong-blob" in _lint(write(_NET + nets.layer("HardSwish", "again", "a", tops="c")))


def test_columns_and_rows_of_one_kernel_need_no_activation_between(write):
    """As in ENet's asymmetric convolutions."""
    column, row = "kernel_h: 5 kernel_w: 1 pad_h: 2", "kernel_h: 1 kernel_w: 5 pad_w: 2"
    layers = [
        nets.layer("Convolution", name, below, f"convolution_param {{ num_output: 4 {sizes} }}")
        for name, below, sizes in (("a", "data", column), ("b", "a", row))
    ]
    text = nets.net(nets.image("9x9", 3), *layers)
    assert _lint(write(text)) == []
    assert _lint(write(text.replace(row, "kernel_h: 1 kernel_w: 3"))) == ["missing-activation"]


@pytest.mark.parametrize("layer_type", sorted(types_where(lambda row: row.kind == ACTIVATION)))
def test_view_colours_activations_alike(layer_type):
    assert kind(layer_type) == "unit"
