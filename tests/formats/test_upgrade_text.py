"""Upgrading prototxt in its places: what it becomes, what stays, what is said."""

from __future__ import annotations

import json

import pytest

import deeplab_v1_nets as recipes
import legacy_nets
from deeplab_caffe.cli import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.placeholders import Placeholders
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.templates import fill_in
from deeplab_caffe.formats.upgrade import upgrade_net
from deeplab_caffe.formats.upgrade_text import upgrade_document


def _upgraded(text: str) -> str:
    return upgrade_document(Document(text)).text


def _comments(text: str) -> list[str]:
    return [comment.rstrip() for _, comment in Document(text).comments]


def _message(text: str, kind: str = "NetParameter"):
    return to_message(Document(text), schema.NAMES[kind](), placeholders=Placeholders())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            'layers {\n  type: CONVOLUTION # kind\n  name: "a"\n  blobs_lr: 1 # w\n  blobs_lr: 2.0\n\n'
            "  weight_decay: 1\n  convolution_param {\n    pad: 2\n    hole: 2 # atrous\n  }\n}\n",
            'layer {\n  type: "Convolution" # kind\n  name: "a"\n  param { lr_mult: 1 decay_mult: 1 } # w\n'
            "  param { lr_mult: 2 }\n\n  convolution_param {\n    pad: 2\n    dilation: 2 # atrous\n  }\n}\n",
        ),
        (
            'layers { name: "r" type: RELU bottom: "a" top: "a" }',
            'layer { name: "r" type: "ReLU" bottom: "a" top: "a" }',
        ),
        (
            'layers < type: 4 param: "w" blobs_lr: [1, ${LR}] convolution_param < hole_h: ${H} hole_w: 4 > >',
            'layer < type: "Convolution" param { name: "w" lr_mult: 1 } param { lr_mult: ${LR} } '
            "convolution_param < dilation: ${H} dilation: 4 > >",
        ),
        (
            "layers { type: SOFTMAX_LOSS softmaxloss_param { # weights\n  ignore_label: 255 } }",
            'layer { type: "SoftmaxWithLoss" loss_param { # weights\n  ignore_label: 255 } }',
        ),
        (
            "layers { type: DATA data_param { mirror: ${M} source: 's' crop_size: 3 } }",
            "layer { type: \"Data\" transform_param { mirror: ${M} crop_size: 3 } data_param { source: 's' } }",
        ),
        (
            "layers {\n  layer {\n    type: 'conv'\n    pad: 1\n    # k\n    kernelsize: 3\n    name: 'c'\n"
            "    stride: 2 # s\n  }\n  bottom: 'x'\n}\n",
            'layer {\n  type: "Convolution"\n  convolution_param {\n    pad: 1\n    # k\n    kernel_size: 3\n'
            "    stride: 2\n  }\n  name: 'c'\n  # s\n  bottom: 'x'\n}\n",
        ),
        ("solver_type: ADAM # best", 'type: "Adam" # best'),
        (
            "base_lr: 1 net_param { layers { type: POWER } } ",
            'base_lr: 1 net_param { layer { type: "Power" } } ',
        ),
    ],
    ids=["v1", "one line", "lists", "comments in blocks", "data", "v0", "solver", "net in a solver"],
)
def test_what_becomes_of_a_text(old, new):
    assert _upgraded(old) == new
    assert _upgraded(new) == new


@pytest.mark.filterwarnings("ignore:.*becomes an Input")
@pytest.mark.parametrize("name", legacy_nets.NETS)
def test_the_text_means_what_the_message_becomes(name, tmp_path):
    text = legacy_nets.read(name)
    values = legacy_nets.values(tmp_path, name)
    result = upgrade_document(Document(text))
    assert result.dialect == legacy_nets.DIALECTS[name]
    assert _comments(result.text) == _comments(text)
    assert upgrade_document(Document(result.text)).changes == []
    wanted = to_message(Document(text, variables=values), schema.NetParameter())
    upgrade_net(wanted, name)
    for layer in wanted.layer:
        for param, field in ((layer.concat_param, "concat_dim"), (layer.slice_param, "slice_dim")):
            if param.HasField(field):
                param.axis = getattr(param, field)
                param.ClearField(field)
    assert to_message(Document(result.text, variables=values), schema.NetParameter()) == wanted


@pytest.mark.parametrize("name", legacy_nets.NETS)
def test_any_layout_is_upgraded(name):
    text = legacy_nets.read(name)
    wanted = _message(_upgraded(text))
    for seed in range(8):
        anew = legacy_nets.laid_out_anew(text, seed)
        result = _upgraded(anew)
        assert _message(result) == wanted
        assert "".join(_comments(result)).count("#") == "".join(_comments(anew)).count("#")


@pytest.mark.filterwarnings("ignore:.*has_label")
def test_published_nets_become_those_of_today():
    data = recipes.data("data label", "l.txt", "/v", "label_type: PIXEL batch_size: 3", "mirror: true crop_size: 321")
    for recipe in (recipes.deeplab_train, recipes.deeplab_test, recipes.msc_train, recipes.weak_em_adapt_train):
        rows = recipe(data)
        assert _message(_upgraded(recipes.old_text(rows))) == _message(recipes.new_text(rows))


def test_every_change_has_its_place_in_the_original():
    text = legacy_nets.read("v0")
    lines = text.splitlines()
    result = upgrade_document(Document(text, "v0.prototxt"))
    for change in result.changes:
        assert lines[change.line - 1][change.column - 1 :].startswith(change.old.split()[0])
    conv1 = [c for c in result.changes if c.layer == "conv1" and c.old.startswith("kernelsize")]
    assert [(c.line, c.new) for c in conv1] == [(14, "convolution_param { kernel_size: 5 }")]


def test_a_field_that_did_nothing_is_named():
    text = "layers { layer { name: 'r' type: 'relu' kernelsize: 3 } }"
    result = upgrade_document(Document(text, "f"))
    assert [(c.old, c.new) for c in result.changes if "no such field" in c.note] == [("kernelsize: 3", "")]
    assert any("this type has no field 'kernelsize'; it is dropped" in note for note in result.notes)


def test_memory_data_with_a_third_top_becomes_an_input():
    result = upgrade_document(Document(legacy_nets.read("deeplab_v1_deploy"), "d"))
    layer = _message(result.text).layer[0]
    assert layer.type == "Input" and not layer.HasField("memory_data_param")
    shapes = [list(shape.dim) for shape in layer.input_param.shape]
    assert shapes == [[1, 3, 25, 25], [1, 1, 1, 1], [1, 1, 1, 2]]
    assert "d:5:3: layer 'data' (MEMORY_DATA): becomes an Input, whose blobs ('data', 'label'" in result.notes[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layers { type: ${T} }", "f:1:10: type: ${T}: the upgrade depends on the layer's type; set it to a value"),
        ("layers { layer { type: '${T}' } }", "f: layer '' (${T}): unknown type; the types of 2013 are"),
        ("layers { name: 'g' type: GAIN_CHANNEL }", "f:1:20: layer 'g' (GAIN_CHANNEL): GAIN_CHANNEL has no"),
        ("layers { layer { name: 'w' type: 'conv' fg: 1 } }", "f:1:41: layer 'w' (conv): V0LayerParameter has no"),
        ("layers { } layer { }", "f: has both 'layer' and"),
        ("\nlayers { name: x }", "f:2:16: layer 'x': 'name': expected a quoted string, got x"),
        ("layer { convolution_param { hole: 2 } }", "f:1:29: layer '' (): 'hole' belongs to the 'layers'"),
    ],
)
def test_what_cannot_be_upgraded_says_why(text, expected):
    with pytest.raises(InputError) as caught:
        upgrade_document(Document(text, "f"))
    assert expected in str(caught.value)


@pytest.mark.parametrize(("field", "dialect"), [("bn_mode: INFERENCE", "SegNet"), ("frozen: true", "PSPNet")])
def test_the_bn_of_segnet_and_that_of_pspnet(field, dialect):
    assert upgrade_document(Document(f"layer {{ type: 'BN' bn_param {{ {field} }} }}")).dialect == dialect


def test_filling_in_a_template():
    document = Document('name: "${A}-${B}" # ${A}\n${C}\n')
    assert fill_in(document, {"A": 'x"\\', "B": "y", "C": "input_dim: 1"}) == (
        'name: "x\\"\\\\-y" # ${A}\ninput_dim: 1\n'
    )
    assert fill_in(document, {"B": "y"}, whole=False) == 'name: "${A}-y" # ${A}\n${C}\n'
    with pytest.raises(InputError, match=r"<prototxt>:1:8: the template variable \$\{A\} has no value; --set A=…"):
        fill_in(document, {"B": "y"})


# -- the command


def test_the_command_writes_the_text_and_reports(tmp_path, capsys):
    path = tmp_path / "old.prototxt"
    path.write_text('layers { name: "r" type: RELU bottom: "${IN}" top: "a" }\n')
    assert main(["prototxt", "upgrade", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out == 'layer { name: "r" type: "ReLU" bottom: "${IN}" top: "a" }\n'
    assert "old.prototxt: V1; 2 changes" in err and '1:20: type: RELU → type: "ReLU"' in err
    assert main(["prototxt", "upgrade", str(path), "--fill", "--set", "IN=x", "--in-place", "--report", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["dialect"] == "V1" and report["changes"][1]["new"] == 'type: "ReLU"'
    assert path.read_text() == 'layer { name: "r" type: "ReLU" bottom: "x" top: "a" }\n'
    assert main(["prototxt", "upgrade", str(path), "--in-place"]) == 0
    assert "nothing to upgrade" in capsys.readouterr().out


def test_a_variable_without_a_value_is_an_error_where_one_is_wanted(tmp_path, capsys):
    path = tmp_path / "t.prototxt"
    path.write_text("\nname: '${NOWHERE}'\n")
    assert main(["prototxt", "upgrade", str(path), "--fill", "-o", str(tmp_path / "out")]) == 2
    assert "t.prototxt:2:8: the template variable ${NOWHERE} has no value" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_variable_and_a_number_that_could_stand_for_it():
    text = (
        "layers { name: 'c' type: CONVOLUTION bottom: 'a' top: 'c' blobs_lr: ${LR} "
        "convolution_param { num_output: 9900001 kernel_size: 9900002 hole: ${H} } }"
    )
    upgraded = upgrade_document(Document(text)).text
    assert "param { lr_mult: ${LR} }" in upgraded and "dilation: ${H}" in upgraded
    assert "num_output: 9900001 kernel_size: 9900002" in upgraded


def test_digits_in_a_name_are_no_variable():
    text = "layers { name: '9900001' type: POWER bottom: 'a' top: 'c' param: '9900001' blobs_lr: ${LR} }"
    upgraded = upgrade_document(Document(text)).text
    assert upgraded.count("9900001") == 2 and "lr_mult: ${LR}" in upgraded


@pytest.mark.parametrize(
    "text",
    [
        "solver_type: ${V}",
        "layers { name: 'c' type: CONVOLUTION bottom: 'a' top: 'c' param: 'w' blob_share_mode: ${V} }",
        "layers { name: 'd' type: IMAGE_SEG_DATA top: 'd' image_data_param { source: 's' has_label: ${V} } }",
        "layers { name: 'c' type: INTERP bottom: 'a' top: 'c' strict_dim: ${V} }",
    ],
)
def test_a_variable_that_decides_the_upgrade_is_an_error(text):
    with pytest.raises(InputError, match=r"f:1:\d+: \w+: \$\{V\}: the upgrade depends on its value; set it to a value"):
        upgrade_document(Document(text, "f"))
