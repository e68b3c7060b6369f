"""Crop layers of 2014, in which FCN was released: their offsets follow from the net."""

from __future__ import annotations

import warnings

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.definition import definition_in
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.upgrade_text import upgrade_document


def _layer(kind: str, name: str, bottoms: str, more: str = "") -> str:
    ends = " ".join(f"bottom: '{bottom}'" for bottom in bottoms.split())
    return f"layers {{ name: '{name}' type: {kind} {ends} top: '{name}' {more} }}\n"


def _convolution(name: str, bottom: str, kernel: int, pad: int = 0, kind: str = "CONVOLUTION", stride: int = 1) -> str:
    numbers = f"num_output: 2 kernel_size: {kernel} pad: {pad} stride: {stride}"
    return _layer(kind, name, bottom, f"convolution_param {{ {numbers} }}")


def _vgg() -> str:
    """The strides of VGG16 with the pad of FCN; fc7 and the pools have the names of that net."""
    text, below = "input: 'data' input_dim: [1, 3, 64, 64]\n" + _convolution("conv1", "data", 3, 100), "conv1"
    for i in range(1, 6):
        text += _layer("POOLING", f"pool{i}", below, "pooling_param { kernel_size: 2 stride: 2 }")
        below = f"pool{i}"
    return text + _convolution("fc6", "pool5", 7) + _layer("RELU", "fc7", "fc6")


_32S = _vgg() + _convolution("up", "fc7", 64, kind="DECONVOLUTION", stride=32) + _layer("CROP", "score", "up data")
_16S = (
    _vgg()
    + _convolution("score2", "fc7", 4, kind="DECONVOLUTION", stride=2)
    + _convolution("score_pool4", "pool4", 1)
    + _layer("CROP", "crop4", "score_pool4 score2")
    + _layer("ELTWISE", "fuse", "score2 crop4")
    + _convolution("up", "fuse", 32, kind="DECONVOLUTION", stride=16)
    + _layer("CROP", "score", "up data")
)


@pytest.mark.parametrize(("text", "offsets"), [(_32S, [19]), (_16S, [5, 27])], ids=["fcn32s", "fcn16s"])
def test_the_offsets_are_those_of_fcn_today(text: str, offsets: list[int]) -> None:
    crops = [e.param for e in definition_in(Document(text)).entries if e.param.type == "Crop"]
    assert [list(crop.crop_param.offset) for crop in crops] == [[offset] for offset in offsets]
    assert all(crop.crop_param.axis == 2 for crop in crops)
    upgraded = upgrade_document(Document(text)).text
    assert [f"offset: {offset}" in upgraded for offset in offsets] == [True] * len(offsets)
    assert definition_in(Document(upgraded)).param == definition_in(Document(text)).param


def test_a_crop_of_today_that_takes_a_corner_beside_its_reference_is_noted() -> None:
    """As in HED's file of 2015, whose Caffe aligned; BVLC's does not."""
    hed = _vgg().replace("layers", "layer").replace("CONVOLUTION", "'Convolution'").replace("POOLING", "'Pooling'")
    hed = hed.replace("RELU", "'ReLU'") + "layer { name: 'c' type: 'Crop' bottom: 'conv1' bottom: 'data' top: 'c' %s }"
    with pytest.warns(UserWarning, match="takes the upper left corner, as in BVLC's Caffe; .* offset: 99 }"):
        (crop,) = (e.param for e in definition_in(Document(hed % "")).entries if e.param.type == "Crop")
    assert not crop.HasField("crop_param")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        definition_in(Document(hed % "crop_param { axis: 2 }"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_vgg() + _layer("CROP", "c", "fc7 data"), "its first bottom has 1/32 times the second's positions"),
        (_vgg() + _layer("CROP", "c", "fc7"), "has 1 bottoms, expected the map to crop"),
        (_layer("CROP", "c", "a b"), "its bottoms come from no common blob"),
        (_convolution("x", "a", 3) + _layer("CROP", "c", "x a"), "the offset would be -1"),
        (_convolution("x", "a", 2, 2) + _layer("CROP", "c", "x a"), "the offset would be 1.5"),
    ],
)
def test_a_crop_that_cannot_be_aligned_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"net.prototxt:.* layer 'c' \(Crop\): .*{message}"):
        definition_in(Document(text, "net.prototxt"))


def test_layers_of_segnet_and_deconvnet() -> None:
    text = (
        _layer("BN", "b", "x", "bn_param { bn_mode: INFERENCE scale_filler { value: 1 } }")
        + _layer("UNPOOLING", "u", "b mask", "unpooling_param { unpool: MAX kernel_size: 2 stride: 2 unpool_size: 14 }")
        + _layer("UPSAMPLE", "s", "u mask", "upsample_param { scale: 2 }")
    )
    layers = [entry.param for entry in definition_in(Document(text)).entries]
    assert [layer.type for layer in layers] == ["BN", "Unpooling", "Upsample"]
    assert layers[1].unpooling_param.unpool_size == 14


def test_an_autocrop_becomes_a_crop_with_its_offset() -> None:
    """As RCF's Caffe has it, in today's form."""
    today = upgrade_document(Document(_32S)).text
    assert today.count('"Crop"') == 1
    offset = "crop_param { axis: 2 offset: 19 }"
    text = today.replace('"Crop"', '"AutoCrop"').replace(offset, "")
    assert "AutoCrop" in text and "crop_param" not in text
    assert definition_in(Document(text)).param == definition_in(Document(today)).param
    upgraded = upgrade_document(Document(text))
    assert definition_in(Document(upgraded.text)).param == definition_in(Document(today)).param
    assert [change.old for change in upgraded.changes if "Crop" in change.new] == ['type: "AutoCrop"']


def test_an_autocrop_that_cannot_be_aligned_is_named() -> None:
    text = """layer { name: "x" type: "Convolution" bottom: "a" top: "x" convolution_param { kernel_size: 3 } }
      layer { name: "c" type: "AutoCrop" bottom: "x" bottom: "a" top: "c" }"""
    with pytest.raises(InputError, match=r":2:\d+: layer 'c' \(Crop\): cannot be aligned: the offset would be -1"):
        definition_in(Document(text))
