"""What is offered at a cursor `|` in a text, and the text that it makes."""

from __future__ import annotations

import pytest
from lsprotocol import types

from deeplab_caffe.formats import schema
from deeplab_caffe.formats.layer_facts import LAYER_FACTS
from deeplab_caffe.language_server.buffers import Buffer
from deeplab_caffe.language_server.features.completion import complete, documentation, resolve
from deeplab_caffe.language_server.workspace import Workspace
from language_server.texts import DATA, applied, at_mark

NET = """\
layer { name: "data" type: "ImageData" top: "data" top: "label" include { phase: TRAIN } }
layer { name: "data" type: "Input" top: "data" include { phase: TEST } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { name: "w" } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "prob" type: "Softmax" bottom: "conv1" top: "prob" include { phase: TEST stage: "deploy" } }
"""


def offers(
    text: str, path: str = "/net.prototxt", workspace: Workspace | None = None, **how
) -> list[types.CompletionItem]:
    offset = text.index("|")
    buffer = Buffer(f"file://{path}", path, text[:offset] + text[offset + 1 :], 1)
    found = complete(workspace or Workspace(), buffer, buffer.position(offset), **how)
    return found.items if found else []


def labels(text: str, *rest, **how) -> list[str]:
    return [item.label for item in offers(text, *rest, **how)]


def after(text: str, label: str, **how) -> str:
    """The text after an offer is taken, snippets as they are."""
    [item] = [item for item in offers(text, **how) if item.label == label]
    edit, text = item.text_edit, text.replace("|", "", 1)
    buffer = Buffer("file:///net", "/net", text, 1)
    start, end = buffer.offset(edit.range.start), buffer.offset(edit.range.end)
    assert buffer.position(start) == edit.range.start and buffer.position(end) == edit.range.end
    return text[:start] + edit.new_text + text[end:]


# -- fields


def test_fields_of_a_layer_are_those_that_it_may_still_have():
    found = labels(NET + 'layer {\n  name: "p"\n  type: "Pooling"\n  |\n}\n')
    assert found[:4] == ["bottom", "top", "pooling_param", "loss_weight"]
    assert not {"name", "type"} & set(found)
    assert set(found) | {"name", "type"} == set(schema.LayerParameter.DESCRIPTOR.fields_by_name)
    assert found.index("convolution_param") > found.index("propagate_down")


def test_fields_that_may_be_repeated_stay_and_old_ones_are_last():
    found = offers('layer { type: "Convolution" convolution_param { pad: 1 bias_term: false hole: 2 | } }')
    names = [item.label for item in found]
    assert "pad" in names and not {"bias_term", "hole"} & set(names)
    assert [item.label for item in found if item.tags] == names[-2:] == ["hole_h", "hole_w"]
    assert [item.sort_text for item in found] == sorted(item.sort_text for item in found)


@pytest.mark.parametrize(
    ("text", "label", "wanted"),
    [
        ("layer { convolution_param { nu| } }", "num_output", "layer { convolution_param { num_output: $1 } }"),
        ("layer { pooling_param {\npo|\n} }", "pool", "layer { pooling_param {\npool: ${1|MAX,AVE,STOCHASTIC|}\n} }"),
        ("layer { concat_param { | } }", "axis", "layer { concat_param { axis: $1 } }"),
        ("layer { na| }", "name", 'layer { name: "$1" }'),
        ("layer { b|ottom: 'x' }", "bottom", "layer { bottom: 'x' }"),
        ("layer { para| {} }", "param", "layer { param {} }"),
        ("layer { p| }", "loss_param", "layer { loss_param { ignore_label: ${1:255} } }"),
        ("layer { p| }", "pooling_param", "layer { pooling_param { $0 } }"),
        ("layer { input_param { | } }", "shape",
         "layer { input_param { shape { dim: ${1:1} dim: ${2:3} dim: ${3:321} dim: ${4:321} } } }"),
        ("layer { # 𝜃é\n /*x*/ convolution_param { w| } }", "bias_term",
         "layer { # 𝜃é\n /*x*/ convolution_param { bias_term: ${1|false,true|} } }"),
        ("net: 'a' lr|", "lr_policy", "net: 'a' lr_policy: \"${1|fixed,step,exp,inv,multistep,poly,sigmoid|}\""),
        ("net: 'a' |", "snapshot_format", "net: 'a' snapshot_format: ${1|HDF5,BINARYPROTO|}"),
    ],
)  # fmt: skip
def test_a_field_is_written_with_a_place_for_its_value(text, label, wanted):
    assert after(text, label) == wanted


def test_an_editor_without_snippets_gets_plain_text():
    assert after("layer { na| }", "name", snippets=False) == 'layer { name: "" }'
    assert after("layer { pooling_param { | } }", "pool", snippets=False) == "layer { pooling_param { pool: MAX } }"
    text = after(NET + "|", "layer ReLU", snippets=False)
    assert text == NET + 'layer { name: "relu2" type: "ReLU" bottom: "prob" top: "prob" }'
    assert all(item.insert_text_format is None for item in offers(NET + "|", snippets=False))


def test_a_filler_is_one_of_those_that_there_are():
    text = after("layer { convolution_param { w| } }", "weight_filler")
    kinds = "constant,uniform,gaussian,positive_unitball,xavier,msra,bilinear"
    assert text == f'layer {{ convolution_param {{ weight_filler {{ type: "${{1|{kinds}|}}" }} }} }}'


def test_fields_of_older_dialects():
    assert labels('layers { bottom: "x" | }')[:3] == ["name", "type", "bottom"]
    assert "blobs_lr" in labels("layers { | }") and "kernelsize" in labels("layers { layer { | } }")
    old = offers("layers { name: 'x' }\n|")
    assert not next(item for item in old if item.label == "layers").tags
    assert "layers Convolution" in [item.label for item in old] and "layer ReLU6" not in [item.label for item in old]
    assert not [item for item in labels("layers { layer { } }\n|") if " " in item]


def test_nothing_is_offered_where_nothing_is_known():
    assert labels("layer { # na|\n}") == labels("layer { no_such_param { | } }") == []
    assert labels("layer { name: 'a' |}", typed=" ") == []
    assert labels(NET + "layer { loss_weight: | }") == []


REST = 'layer {\n  name: "last"\n  type: "ReLU"\n  bottom: "conv1"\n  top: "conv1"\n}\n'


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ('layer {\n  type: "Pooling"\n  po|\n', "name"),
        ('layer {\n  name: "x"\n  type: "Pooling"\n  |\n', "bottom"),
        ('layer {\n  type: "Pooling"\n  pooling_param {\n    po|\n', "pool"),
        ('layer {\n  type: "Pooling" pooling_param { kernel_size: 3 |\n', "pool"),
        ('layer {\n  type: "Pooling"\n  pooling_param { pool: MAX }|\n', "name"),
        ('layer {\r\n  type: "Pooling"\r\n  pooling_param {\r\n    pool: |\r\n', "MAX"),
        ('layer {\n  name: "x"\n  bottom: "|\n\n', "prob"),
        ('layer {\n  name: "x"\n  bottom: |\n  top: "x"\n}\n', "prob"),
        ("|\n", "layer"),
        ('layer {\n  name: "x"\n}\n|\n', "layer"),
        ("lay|\n", "layer"),
    ],
)
def test_a_text_that_is_broken_where_one_types(text, first):
    """With an unclosed block above another layer, the layout tells where one is."""
    assert labels(NET + text + REST)[0] == first


# -- layers


def test_a_layer_goes_on_from_the_last_top():
    text = after(NET + "conv|", "layer Convolution")
    assert text.removeprefix(NET) == (
        'layer {\n  name: "${1:conv2}"\n  type: "Convolution"\n  bottom: "${2:prob}"\n  top: "$1"\n'
        "  param { lr_mult: ${3:1} decay_mult: ${4:1} }\n  param { lr_mult: ${5:2} decay_mult: ${6:0} }\n"
        "  convolution_param {\n    num_output: ${7:64}\n    pad: ${8:1}\n    kernel_size: ${9:3}\n"
        '    weight_filler { type: "${10|msra,xavier,gaussian|}" }\n    bias_filler { type: "constant" }\n  }\n}'
    )
    assert len([label for label in labels(NET + "|") if label.startswith("layer ")]) == len(LAYER_FACTS)


def test_a_layer_in_the_middle_goes_on_from_what_is_above():
    above, below = NET.split("\n", 1)
    assert 'bottom: "${2:data}" top: "$2"' in after(f"{above}\n|\n{below}", "layer ReLU")


# -- values


def test_blobs_for_a_bottom_are_those_above_in_a_state_shared():
    both = 'layer { name: "x" bottom: "|" }'
    assert labels(NET + both) == ["prob", "conv1", "data", "label"]
    assert labels(NET + 'layer { include { phase: TRAIN } bottom: "|" }') == ["conv1", "data", "label"]
    assert labels(NET + 'layer { include { phase: TEST } bottom: "|" }') == ["prob", "conv1", "data"]
    assert labels(NET + 'layer { exclude { stage: "deploy" } bottom: "|" }') == ["conv1", "data", "label"]
    assert labels('input: "image"\nlayer { name: "x" bottom: "|" top: "y" }\nlayer { top: "z" }') == ["image"]


@pytest.mark.parametrize(
    ("text", "label", "wanted"),
    [
        ('layer { bottom: "|" }', "conv1", 'layer { bottom: "conv1" }'),
        ('layer { bottom: "co|nv" }', "conv1", 'layer { bottom: "conv1" }'),
        ("layer { bottom: 'c| }", "conv1", "layer { bottom: 'conv1' }"),
        ('layer { bottom: "c|\n  top: "x"\n}', "conv1", 'layer { bottom: "conv1"\n  top: "x"\n}'),
        ("layer { bottom: | }", "conv1", 'layer { bottom: "conv1" }'),
        ("layer { bottom:|\n}", "conv1", 'layer { bottom: "conv1"\n}'),
        ('layer { name: "𝜃" bottom: "c|" }', "conv1", 'layer { name: "𝜃" bottom: "conv1" }'),
        ('layer {\r\n\tname: "é"\r\n\tbottom: "|"', "conv1", 'layer {\r\n\tname: "é"\r\n\tbottom: "conv1"'),
        ('layer { type: "Soft|', "SoftmaxWithLoss", 'layer { type: "SoftmaxWithLoss"'),
        ("layer { pooling_param { pool: |MAX } }", "AVE", "layer { pooling_param { pool: AVE } }"),
        ('layer { pooling_param { pool: "M|" } }', "AVE", "layer { pooling_param { pool: AVE } }"),
        ("layer { include { phase: T|", "TEST", "layer { include { phase: TEST"),
        ("layer { convolution_param { bias_term: f| } }", "false", "layer { convolution_param { bias_term: false } }"),
        ("layer { loss_param { ignore_label: | } }", "255", "layer { loss_param { ignore_label: 255 } }"),
        ("layer { param { lr_mult: | } }", "1", "layer { param { lr_mult: 1 } }"),
    ],
)
def test_a_value_is_written_whole(text, label, wanted):
    assert after(NET + text, label) == NET + wanted


def test_words_of_every_kind():
    assert labels("layer { type: '|' }") == list(LAYER_FACTS)
    assert "CONVOLUTION" in labels("layers { type: | }") and "conv" in labels('layers { layer { type: "|" } }')
    assert labels('layer { convolution_param { weight_filler { type: "|" } } }')[4:6] == ["xavier", "msra"]
    assert labels('net: "x" type: "|"')[-1] == "Adam" and labels('net: "x" regularization_type: "|"') == ["L2", "L1"]
    assert labels('net: "x" solver_mode: |') == ["CPU", "GPU"]


def test_tops_are_the_layers_name_and_its_bottoms():
    assert labels('layer { name: "a" bottom: "x" bottom: "y" top: "|" }') == ["a", "x", "y"]


def test_names(tmp_path):
    assert labels(NET + 'layer { type: "Convolution" name: "|" }') == ["conv2"]
    assert labels(NET + 'layer { type: "ReLU" top: "r" name: "|" }') == ["r", "relu2"]
    assert labels(NET + 'layer { name: "fc" param { name: "|" } }') == ["w", "fc_w", "fc_b"]
    assert labels(NET + 'layer { include { stage: "|" } }') == ["deploy"]
    (tmp_path / "deploy.prototxt").write_text('layer { name: "fc9" } layer { name: "conv1" }')
    (tmp_path / "train.prototxt").write_text("")
    assert "fc9" in labels(NET + 'layer { name: "|" }', str(tmp_path / "train.prototxt"))


def test_files(tmp_path):
    (tmp_path / "nets" / "deep").mkdir(parents=True)
    for name in (
        "nets/train.prototxt",
        "nets/list.txt",
        "nets/.hidden.prototxt",
        "init.caffemodel",
        "nets/deep/a.prototxt",
    ):
        (tmp_path / name).write_text("")
    workspace = Workspace([str(tmp_path)])
    solver = str(tmp_path / "nets" / "solver.prototxt")
    assert labels('net: "|"', solver, workspace) == ["nets/", "train.prototxt", "deep/"]
    assert labels('net: "nets/t|"', solver, workspace) == ["nets/train.prototxt", "nets/deep/"]
    assert labels('net: "a" weights: "x.caffemodel,|"', solver, workspace)[0] == "x.caffemodel,init.caffemodel"
    assert labels('net: "a" snapshot_prefix: "nets/|"', solver, workspace) == ["nets/deep/"]
    assert "nets/list.txt" in labels('layer { image_data_param { source: "nets/|" } }', solver, workspace)
    assert labels('net: "${A}/|"', solver, workspace) == labels('net: "gone/|"', solver, workspace) == []


# -- documentation


def test_documentation_is_made_when_it_is_asked_for():
    item = offers(NET + 'layer { type: "Pool|" }')[0]
    assert item.documentation is None and item.detail
    assert "*known to BVLC*" in resolve(item).documentation.value
    for text in ("layer { | }", "layer { pooling_param { pool: | } }", NET + "|", 'net: "x" lr_policy: "|"'):
        assert all(documentation(item.data) for item in offers(text))
    assert documentation(["field", "NoSuchParameter", "x"]) == documentation([]) == documentation(["word"]) == ""


@pytest.mark.parametrize("typed", ['"${A|B}/x"', '"$|{AB}/x"', '"${AB|}"', '"|${AB}/x"', '"a|b"', '"a|'])
def test_a_string_with_a_template_variable_is_replaced_to_its_end(typed):
    text = f"{DATA}layer {{\n  name: 'b' type: 'ReLU'\n  bottom: {typed}\n  top: 'b'\n}}\n"
    buffer, position = at_mark(text)
    found = complete(Workspace(), buffer, position)
    [edit] = [item.text_edit for item in found.items if item.label == "data"]
    assert applied(buffer, [edit]).splitlines()[3] == '  bottom: "data"'
