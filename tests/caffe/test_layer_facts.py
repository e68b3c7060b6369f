"""The table of layer types against what layers do; a row that is wrong is noticed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cases import Case, collect
from deeplab_caffe.caffe.layer_types import registry
from deeplab_caffe.caffe.layer_types.base import registered
from deeplab_caffe.caffe.layer_types.neuron import NeuronLayer
from deeplab_caffe.formats.bvlc_schema import REFUSED_TYPES
from deeplab_caffe.formats.layer_facts import (
    ACTIVATION,
    BVLC,
    DEEPLAB_V1,
    ELSEWHERE,
    LAYER_FACTS,
    LOSS,
    SAME,
    facts_of,
    types_where,
)
from deeplab_caffe.formats.templates import template_values
from deeplab_caffe.formats.upgrade_deeplab import TYPES as DEEPLAB_V1_TYPES
from deeplab_caffe.formats.upgrade_layers import V1_TYPES
from deeplab_caffe.inspection.lint import Linter, chosen
from layer_behaviour import REFUSED_THOUGH_POSSIBLE, complaints, refused_in_place

_BVLC_TYPES = Path(__file__).parent.parent / "data" / "bvlc" / "layer_types.txt"


@pytest.mark.parametrize("name", LAYER_FACTS)
def test_the_row_is_what_the_layer_does(name: str) -> None:
    assert list(complaints(LAYER_FACTS[name])) == []


#: type, a fact of it and a value that is wrong
_WRONG = [
    *[(name, "in_place", False) for name in ("ReLU", "Softmax", "BatchNorm", "Log", "Concat", "DenseCRF", "HardSwish")],
    *[(name, "in_place", True) for name in ("Flatten", "LRN", "Reshape", "Pooling", "Eltwise", "Convolution")],
    *[(name, "reads_top", False) for name in ("Sigmoid", "TanH", "Softmax", "Exp", "MVN", "ReLU")],
    *[(name, "reads_top", True) for name in ("Convolution", "BatchNorm", "Swish", "Eltwise", "Accuracy", "HardSwish")],
    *[(name, "own_top", True) for name in ("Concat", "Reshape", "Split", "Dropout", "Power", "Parameter", "Input")],
    *[(name, "own_top", False) for name in ("Convolution", "Sigmoid", "Crop", "HardSwish")],
    *[(name, "positions", ELSEWHERE) for name in ("ReLU", "BatchNorm", "DenseCRF", "Concat", "HardSwish")],
    *[(name, "positions", SAME) for name in ("Convolution", "Pooling", "Interp", "Concat", "Slice", "Softmax", "Tile")],
    *[(name, "whole_image", False) for name in ("MVN", "DomainTransform", "DenseCRF", "AdaptiveBiasChannel")],
    *[(name, "whole_image", True) for name in ("ReLU", "Scale", "CensorLabel", "HardSwish")],
    *[(name, "ignores", "") for name in ("SoftmaxWithLoss", "InfogainLoss", "Accuracy", "SegAccuracy")],
    *[(name, "ignores", "loss_param") for name in ("HingeLoss", "SigmoidCrossEntropyLoss")],
    *[(name, "kind", ACTIVATION) for name in ("MVN", "Softmax", "Pooling")],
    *[(name, "kind", LOSS) for name in ("Accuracy", "Reduction")],
    *[(name, "kind", "other") for name in ("EuclideanLoss", "Input", "Silence")],
    *[(name, "params", ()) for name in ("Convolution", "ReLU", "SoftmaxWithLoss", "Interp")],
    *[(name, "weighted", False) for name in ("Convolution", "InnerProduct", "Embed")],
    *[(name, "weighted", True) for name in ("ReLU", "Scale", "LSTM", "Im2col")],
    *[(name, "weight_axes", 2) for name in ("Convolution", "BN", "PReLU")],
    *[(name, "in_use", "identity") for name in ("ReLU", "Softmax")],
]


@pytest.mark.parametrize(("name", "fact", "wrong"), _WRONG, ids=[f"{n}-{f}-{w}" for n, f, w in _WRONG])
def test_a_wrong_row_is_noticed(name: str, fact: str, wrong: object) -> None:
    assert getattr(LAYER_FACTS[name], fact) != wrong
    assert list(complaints(replace(LAYER_FACTS[name], **{fact: wrong}))) != []


def test_what_is_refused_though_possible_is_refused() -> None:
    assert {name: LAYER_FACTS[name].in_place for name in REFUSED_THOUGH_POSSIBLE} == dict.fromkeys(
        REFUSED_THOUGH_POSSIBLE, False
    )


# -- who knows a type


def test_which_caffe_knows_a_type() -> None:
    assert types_where(lambda row: BVLC in row.known_to) == set(_BVLC_TYPES.read_text().split())
    first_release = {name for name in DEEPLAB_V1_TYPES.values() if name}
    assert types_where(lambda row: DEEPLAB_V1 in row.known_to) == first_release
    assert {name for name in V1_TYPES.values() if name} <= set(LAYER_FACTS)


def test_twins_are_there() -> None:
    from deeplab_caffe.engine import install_as_caffe

    install_as_caffe()
    import deeplab_layers

    shipped = {name for name in deeplab_layers.__all__ if name in LAYER_FACTS}
    assert types_where(lambda row: row.twin) == shipped
    assert REFUSED_TYPES.isdisjoint(shipped)


# -- registration


def test_a_class_without_a_row_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Mystery has no row in formats/layer_facts\.py"):
        registry.register("Mystery")(type("Mystery", (NeuronLayer,), {}))


def test_a_row_without_a_class_is_refused(monkeypatch) -> None:
    monkeypatch.setitem(registry.LAYER_FACTS, "Mystery", replace(LAYER_FACTS["ReLU"], name="Mystery"))
    with pytest.raises(ValueError, match="without a class: Mystery"):
        registry.check_complete()


def test_every_class_has_its_row() -> None:
    assert {name: cls.facts for name, cls in registered().items()} == dict(LAYER_FACTS)


def test_an_unknown_type_claims_nothing() -> None:
    row = facts_of("Mystery")
    assert (row.in_place, row.weighted, row.known_to, row.positions) == (False, False, (), ELSEWHERE)
    assert facts_of("MysteryLoss").kind == LOSS


# -- text tools against the engine


@pytest.mark.parametrize("case", [c for c in collect() if c.bottoms and "top:" in c.text], ids=lambda case: case.name)
def test_lint_refuses_in_place_what_the_engine_refuses(case: Case, tmp_path: Path) -> None:
    bottom, top = next(iter(case.bottoms)), case.text.split('top: "', 1)[1].split('"')[0]
    shapes = {name: " ".join(f"dim: {size}" for size in array.shape) for name, array in case.bottoms.items()}
    inputs = [
        f'layer {{ name: "in_{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}'
        for name, dims in shapes.items()
    ]
    path = tmp_path / "net.prototxt"
    path.write_text("\n".join([*inputs, case.text.replace(f'top: "{top}"', f'top: "{bottom}"', 1)]))
    found = [f for f in Linter(chosen(), template_values([], {})).lint(path) if f.rule == "in-place-type"]
    assert bool(found) == refused_in_place(case)
