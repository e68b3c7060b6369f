"""What a hover says, from texts alone: layers, blobs, fields, words, files, solvers."""

from __future__ import annotations

import re

import pytest
from lsprotocol import types

from deeplab_caffe.formats import schema
from deeplab_caffe.formats.layer_facts import LAYER_FACTS
from deeplab_caffe.formats.meanings import of_field, words_of
from deeplab_caffe.language_server.buffers import Buffer
from deeplab_caffe.language_server.describing.fields import field_text, layer_type_text, type_meaning, word_text
from deeplab_caffe.language_server.features.hover import hover
from deeplab_caffe.language_server.text import by_state, code
from deeplab_caffe.language_server.workspace import Workspace

NET = """\
layer { name: "data" type: "ImageData" top: "data" top: "label" include { phase: TRAIN }
  transform_param { crop_size: 32 } image_data_param { source: "train.txt" batch_size: 10 } }
layer { name: "data" type: "ImageData" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 32 } image_data_param { source: "no.txt" batch_size: 5 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 0 }
  convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc" include { phase: TEST } }
"""
SOLVER = """\
net: "train_val.prototxt"
test_iter: 2 test_interval: 10
base_lr: 0.1 lr_policy: "multistep" gamma: 0.1 stepvalue: 20 stepvalue: 500
max_iter: 100 iter_size: 2
snapshot: 30 snapshot_prefix: "model/x"
weights: "here.caffemodel,gone.caffemodel"
"""


def said(
    text: str, needle: str, inside: int = 1, workspace: Workspace | None = None, path: str = "/net.prototxt"
) -> str:
    """The hover's text at a place in a text, "" for none."""
    found = at(text, needle, inside, workspace, path)
    assert found is None or isinstance(found.contents, types.MarkupContent)
    return found.contents.value if found else ""


def at(text, needle, inside=1, workspace=None, path="/net.prototxt"):
    buffer = Buffer(f"file://{path}", path, text, 1)
    return hover(workspace or Workspace(), buffer, buffer.position(text.index(needle) + inside))


# -- layers and blobs


def test_a_layer():
    assert said(NET, '"conv"').splitlines() == [
        "**Convolution** `conv`",
        "",
        "Learned filters slide over the map; with dilation, atrous.",
        "",
        "- top `conv`: 10×4×16×16 in TRAIN, 5×4×16×16 in TEST",
        "- parameters: 112 = 4×3×3×3 + 4 (108 of them not learned)",
        "- multiply-adds: 276 k in TRAIN, 138 k in TEST",
        "- memory: 41.0 kB values + 41.0 kB gradients in TRAIN, 20.5 kB values + 20.5 kB gradients in TEST",
        "- output stride: 2",
        "- receptive field: 3×3 pixels of `data`",
        "",
        "*`convolution_param` · known to BVLC*",
    ]


def test_a_layer_is_found_by_its_name_its_type_and_its_header():
    name = said(NET, '"ip"')
    assert name.startswith("**InnerProduct** `ip`")
    assert name == said(NET, '"InnerProduct"') == said(NET, 'layer { name: "ip"')


def test_a_layer_of_some_states():
    assert "- top `acc`: scalar" in said(NET, '"acc"') and "\n- only in TEST\n" in said(NET, '"acc"')
    assert "- in no state in which the net is used" in said(
        NET + 'layer { name: "x" type: "ReLU" bottom: "ip" top: "x" include { min_level: 1 } }', '"x"'
    )


def test_a_layer_while_another_one_is_typed():
    """A broken layer takes no shapes from those that do not depend on it."""
    text = NET.replace("num_output: 2", "num_output: ")
    assert "- top `conv`: 10×4×16×16 in TRAIN" in said(text, '"conv"')
    assert "- top `loss`: not known" in said(text, '"loss"')


def test_layers_of_2013_and_2014():
    window = "convolution_param { num_output: 2 kernel_size: 1 }"
    old = f'layers {{ name: "c" type: CONVOLUTION bottom: "data" top: "c" {window} }}'
    text = said(f'input: "data" input_dim: [1, 3, 4, 4] {old}', "CONVOLUTION")
    assert "- top `c`: 1×2×4×4" in text and "*today `Convolution` · `convolution_param` · known to BVLC*" in text
    oldest = 'layers { layer { name: "c" type: "conv" num_output: 2 kernelsize: 1 } bottom: "data" top: "c" }'
    assert "- top `c`: 1×2×4×4" in said(f'input: "data" input_dim: [1, 3, 4, 4] {oldest}', '"conv"')


def test_a_layer_of_an_unknown_type():
    video = 'layer { name: "x" type: "VideoData" top: "v" }'
    assert "A layer of SSD or 3-D networks, not known here." in said(video, "VideoData")
    assert said('layer { name: "x" type: "Foo*<b>" top: "v" }', "Foo").startswith("`Foo*<b>` `x`")


def test_a_blob():
    assert said(NET, 'bottom: "conv"', 9).splitlines() == [
        "blob `conv`",
        "",
        "- shape 10×4×16×16 in TRAIN, 5×4×16×16 in TEST",
        "- made by `conv` (Convolution, [line 5](file:///net.prototxt#L5))",
        "- changed in place by `relu` (ReLU, [line 7](file:///net.prototxt#L7))",
        "- read by `ip` (InnerProduct, [line 8](file:///net.prototxt#L8))",
    ]


def test_a_blob_of_several_states():
    lines = said(NET, 'bottom: "label"', 9).splitlines()
    link = "[line {0}](file:///net.prototxt#L{0})".format
    assert lines[3] == f"- made by `data` (ImageData, {link(1)}) in TRAIN, `data` (ImageData, {link(3)}) in TEST"
    assert lines[4] == f"- read by `loss` (SoftmaxWithLoss, {link(9)}), `acc` (Accuracy, {link(10)}) in TEST"


def test_a_blob_that_nobody_makes_or_reads():
    assert "made by no layer above" in said(NET.replace('bottom: "ip"', 'bottom: "pi"'), 'bottom: "pi"', 9)
    assert "read by no layer: an output" in said(NET, 'top: "acc"', 6)
    inputs = 'input: "data" input_dim: [1, 2, 3, 4] layer { name: "r" type: "ReLU" bottom: "data" top: "r" }'
    assert "- shape 1×2×3×4\n- made by the net's `input`" in said(inputs, 'input: "data"', 8)


# -- fields and words


def test_a_field():
    assert said(NET, "lr_mult") == (
        "**lr_mult** · `float` · default `1`\n\nFactor of the solver's learning rate. 0 freezes the parameter.\n\n"
        "*range ≥ 0 · `ParamSpec` · since Caffe of 2015*"
    )


def test_a_field_that_is_old():
    old = 'layer { type: "Convolution" convolution_param { hole: 2 } }'
    assert "**Old**: today `dilation`" in said(old, "hole") and "since DeepLab v1" in said(old, "hole")


def test_a_field_of_another_caffe():
    text = 'layer { type: "Pooling" pooling_param { ceil_mode: false } } layer { pooling_param { such: 1 } }'
    assert "pull request 3057" in said(text, "ceil_mode") and said(text, "such") == ""


def test_words():
    text = 'layer { type: "Pooling" pooling_param { pool: AVE } } layer { w { type: "xavier" } }'
    assert said(text, "AVE").startswith("**AVE**\n\nThe mean of each window")
    assert said('layer { convolution_param { weight_filler { type: "xavier" } } }', "xavier").startswith("**xavier**")
    assert "The default." in said(text.replace("AVE", "MAX"), "MAX")


def test_nothing_is_said_of_nothing():
    assert said("# layer { }\n" + NET, "layer") == said("layer { }\n\n", "\n\n") == said("", "", 0) == ""


@pytest.mark.parametrize(("name", "start", "end"), [("conv", 5, 9), ("𝜃é", 6, 9)])
def test_what_is_marked_is_the_name_or_the_value(name, start, end):
    """Positions count UTF-16 units: 𝜃 is two."""
    text = f'# é\r\nlayer {{ name: "{name}"\r\n  type:\t"ReLU" }}'
    found = at(text, '"' + name)
    assert found.range == types.Range(types.Position(1, 14), types.Position(1, 14 + 2 + end - start))
    assert at(text, "type:").range == types.Range(types.Position(2, 2), types.Position(2, 6))


def test_every_field_and_word_can_be_described():
    for message in schema.DESCRIPTOR.message_types_by_name.values():
        for field in message.fields:
            text = field_text(field)
            assert of_field(field).text in text
            assert not re.search(r"<[a-z/]", re.sub("`[^`]*`", "", text)), f"{text}: this is HTML outside of code"
            assert all(word_text(field, word) for word in words_of(field))
    assert all(type_meaning(kind) and layer_type_text(kind).startswith(f"**{kind}**") for kind in LAYER_FACTS)


def test_pieces_of_markdown():
    assert code("a") == "`a`" and code("a`b") == "`` a`b ``"
    assert by_state({"TRAIN": "1", "TEST": "1"}) == "1"
    assert by_state({"TRAIN": "1", "TEST": "2", "TEST deploy": "2"}) == "1 in TRAIN, 2 in TEST and TEST deploy"
    assert by_state({"TRAIN": "1", "TEST": ""}) == "1 in TRAIN"


# -- solvers and files


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "train_val.prototxt").write_text(NET)
    (tmp_path / "train.txt").write_text("a.jpg 1\n" * 40)
    (tmp_path / "here.caffemodel").write_bytes(b"123")
    return Workspace([str(tmp_path)])


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("base_lr", "- rate: 0.1 at the first update, 0.01 at 20, 0.01 at the last (99), by `base_lr"),
        ("stepvalue", "- not reached: 500"),
        (
            "max_iter",
            "- each update sees 10 × iter_size 2 = 20 images\n- the training sees 2,000 images: the list of 40 50.0",
        ),
        ("test_iter", "- each test sees 10 images\n- tests: 11 in 100 updates"),
        ("snapshot:", "- the last one is `model/x_iter_100.caffemodel`\n- 4 snapshots in 100 updates"),
    ],
)
def test_what_follows_from_a_field_of_a_solver(workspace, field, wanted):
    assert wanted in said(SOLVER, field, 1, workspace, "/x/solver.prototxt")


@pytest.mark.parametrize(
    ("rest", "wanted"),
    [("snapshot: 30", "x_iter_100"), ("snapshot: 30 snapshot_after_train: false", "x_iter_90"), ("", "x_iter_100")],
)
def test_the_last_snapshot(rest, wanted):
    text = f'snapshot_prefix: "x" base_lr: 1 max_iter: 100 {rest}'
    assert f"- the last one is `{wanted}.caffemodel`" in said(text, "snapshot_prefix", path="/solver.prototxt")


def test_a_rate_that_falls_smoothly():
    text = 'base_lr: 0.001 lr_policy: "poly" power: 0.9 max_iter: 20000'
    rate = "- rate: 0.001 at the first update, 0.000536 at 9,999, 1.35e-7 at the last (19,999), by `base_lr"
    assert rate in said(text, "poly", path="/solver.prototxt")
    assert "The rate falls to 0 at max_iter" in said(text, "poly", path="/solver.prototxt")


@pytest.mark.parametrize(
    "change", [("max_iter: 100", ""), ("gamma: 0.1", "gamma: x"), ('"multistep"', '"?"'), ("0.1", "${A}")]
)
def test_a_solver_with_a_part_missing(workspace, change):
    for field in ("base_lr", "max_iter", "snapshot", "test_iter"):
        text = SOLVER.replace(*change)
        if field in text:
            said(text, field, 1, workspace, "/x/solver.prototxt")


def test_whether_a_file_is_there(workspace, tmp_path):
    net = said(SOLVER, '"train_val', 2, workspace, "/x/solver.prototxt")
    assert net.startswith(f"- `train_val.prototxt` is there: {tmp_path / 'train_val.prototxt'}, ")
    weights = said(SOLVER, "here.", 2, workspace, "/x/solver.prototxt").splitlines()
    assert weights[0].endswith("here.caffemodel, 3 bytes")
    assert weights[1] == f"- `gone.caffemodel` is **not there** (looked in {tmp_path} or /x)"
    assert "is there" in said(NET, "train.txt", 1, workspace) and "not there" in said(NET, "no.txt", 1, workspace)
    assert "template variable" in said(SOLVER.replace("here", "${A}"), "${A}", 1, workspace, "/x/solver.prototxt")
