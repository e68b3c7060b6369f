"""Layers whose shape rule is not known: shapes go on around them, and the user may state theirs."""

from __future__ import annotations

import json

import pytest

import foreign_nets
import small_nets as nets
from deeplab_caffe.cli import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.layer_facts import LAYER_FACTS
from deeplab_caffe.inspection import open_layers
from deeplab_caffe.inspection.analysis import analyse
from deeplab_caffe.inspection.shapes import infer_shapes
from deeplab_caffe.inspection.view import page

_NET = nets.net(
    nets.image("9x9", 3),
    nets.conv("conv", "data", outputs=4),
    nets.layer("FooBar", "foo", "conv", "foo_param { x: 1 }", tops="foo bar"),
    nets.layer("ReLUx", "in_place", "conv", tops="conv"),
    nets.layer("Pooling", "pool", "conv", "pooling_param { kernel_size: 3 stride: 3 }"),
    nets.conv("behind", "foo", outputs=4),
    nets.layer("Eltwise", "sum", "behind pool"),
)


def test_shapes_go_on_where_they_can(write):
    found = infer_shapes(write(_NET), keep_unknown=True)
    assert found.blobs == {
        "data": (1, 3, 9, 9), "conv": (1, 4, 9, 9), "foo": None, "bar": None, "pool": (1, 4, 3, 3), "behind": None,
        "sum": None,
    }  # fmt: skip
    assert {layer.name: layer.unknown for layer in found.layers if layer.unknown} == {
        "foo": "unknown type 'FooBar'", "in_place": "unknown type 'ReLUx'; did you mean 'ReLU'?",
    }  # fmt: skip
    with pytest.raises(InputError, match="unknown type 'FooBar'"):
        infer_shapes(write(_NET))


def test_a_stated_shape_is_gone_on_with(write):
    stated = {"foo": (1, 5, 3, 3), "bar": (7,)}
    found = analyse(write(_NET), keep_unknown=True, stated=stated)
    assert found.shapes.blobs["behind"] == (1, 4, 3, 3) and found.shapes.blobs["bar"] == (7,)
    assert found.params == (3 * 4 * 9 + 4) + (5 * 4 * 9 + 4)
    assert "behind" not in found.fields and found.fields["pool"].size == (5, 5)
    with pytest.raises(InputError, match=r"layer 'sum' \(Eltwise\): bottoms of different shapes"):
        infer_shapes(write(_NET), keep_unknown=True, stated={"foo": (1, 5, 9, 9)})


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("pool=1,1", r"--shape pool: pool \(Pooling\) gives this blob its shape; it follows from those of its bottoms"),
        ("data=1,3,8,8", r"--shape data: data \(Input\) gives this blob its shape; use --input"),
        ("pol=1,1", "--shape pol: no layer makes this blob"),
        ("foo", "--shape foo: expected a blob and its shape"),
    ],
)
def test_a_shape_that_cannot_be_stated(write, capsys, flag, message):
    assert main(["prototxt", "inspect", str(write(_NET)), "--shape", flag]) == 2
    assert message.replace("\\", "") in capsys.readouterr().err


def test_inspect_says_what_is_not_known_and_its_advice_works(write, capsys):
    path = str(write(_NET))
    assert main(["prototxt", "inspect", path]) == 0
    out = capsys.readouterr().out
    assert "not known      foo: unknown type 'FooBar'" in out and "--shape foo=N,C,H,W --shape bar=N,C,H,W" in out
    assert main(["prototxt", "inspect", path, "--shape", "foo=1,4,3,3", "--shape", "bar=1,4,3,3", "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    assert [layer["unknown"] for layer in layers if layer["name"] == "foo"] == ["unknown type 'FooBar'"]


def test_a_field_that_may_change_shapes_leaves_them_open(write):
    found = infer_shapes(write(foreign_nets.NETS["intel"]), keep_unknown=True)
    assert found.blobs == {"data": (1, 3, 9, 9), "conv": (1, 4, 9, 9), "pool": None}
    assert any("'bn_stats_batch_size'" in sentence for sentence in found.unknown)


def test_a_python_layer_that_may_not_run_is_left_open(write, monkeypatch):
    monkeypatch.setattr(open_layers, "python_layers_allowed", lambda: False)
    found = infer_shapes(write(foreign_nets.NETS["regions"]), keep_unknown=True, stated={"roi": (5, 4, 6, 6)})
    assert found.blobs["rois"] is None and found.blobs["fc"] == (5, 2)


def test_view_draws_them_with_their_text(write):
    text = page([analyse(write(_NET), tolerant=True)])
    assert '"kind":"unknown"' in text and "foo_param { x: 1 }" in text
    assert '"kind":"broken"' not in text


def test_the_advice_for_data_layers_names_all_their_tops(write):
    data = nets.layer("HDF5Data", "d", "", 'hdf5_data_param { source: "nowhere" batch_size: 1 }', tops="a b")
    with pytest.raises(InputError, match="--input a=1,3,321,321 --input b=1$") as caught:
        infer_shapes(write(data))
    words = str(caught.value).partition("shapes: ")[2].split()
    stated = {word.split("=")[0]: tuple(map(int, word.split("=")[1].split(","))) for word in words if "=" in word}
    assert infer_shapes(write(data), inputs=stated).blobs == stated


def test_the_advice_for_labels_is_a_map_where_the_layer_reads_maps(write):
    for kind, top in (("DenseImageData", "data label"), ("HDF5Data", "label")):
        message = f"{LAYER_FACTS[kind].params[0]} {{ source: 'nowhere' }}"
        with pytest.raises(InputError, match="--input label=1,1,321,321"):
            infer_shapes(write(nets.layer(kind, "d", "", message, tops=top)))
