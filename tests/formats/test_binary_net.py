"""Binary nets: each dialect by its own field numbers, and what cannot be told."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

import legacy_nets
from deeplab_caffe.cli import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.binary_net import is_binary, read_binary_net
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.placeholders import Placeholders
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.weights import encode_bytes, encode_varint, fields

DL2 = ["interp", "seg_accuracy", "mat_write", "dense_crf", "domain_transform", "adaptive_bias_channel", "bias_channel"]
DL2 = {f"{name}_param": number for number, name in enumerate([*DL2, "unique_label", "mat_read", "bn"], 143)}
RC3 = {**DL2, "dense_crf_param": 152, "interp_param": 153, "seg_accuracy_param": 154, "mat_write_param": 155}


def _message(text: str):
    return to_message(Document(text), schema.NetParameter(), placeholders=Placeholders())


def _varint(number: int, value: int) -> bytes:
    return encode_varint(number << 3) + encode_varint(value)


def _encoded(data: bytes, change) -> bytes:
    """The fields of a message with what `change` makes of each."""
    out = b""
    for number, wire, value in fields(memoryview(data)):
        number, value = change(number, value)
        out += _varint(number, value) if wire == 0 else (
            encode_bytes(number, bytes(value)) if wire == 2 else encode_varint(number << 3 | wire) + bytes(value)
        )  # fmt: skip
    return out


def _as_deeplab_v1(message) -> bytes:
    """A net of ours as the first release writes it."""

    def layer(number, value):
        if number == 5 and value >= 1000:
            return 5, value - 1000
        if number in (10, 15):
            own = {10: {1000: 17, 1001: 18, 1002: 19}, 15: {1000: 13, 1001: 14}}[number]
            return number, _encoded(bytes(value), lambda n, v: (own.get(n, n), v))
        return (number - 1000 if 1042 <= number < 1060 else number), value

    def net(number, value):
        return number, _encoded(bytes(value), layer) if number == 2 else value

    return _encoded(message.SerializeToString(), net)


def _as_today(message, numbers: dict[str, int]) -> bytes:
    """A net of ours with the layer-level numbers of another fork."""
    by_number = {schema.LayerParameter.DESCRIPTOR.fields_by_name[name].number: n for name, n in numbers.items()}

    def net(number, value):
        return number, _encoded(bytes(value), lambda n, v: (by_number.get(n, n), v)) if number == 100 else value

    return _encoded(message.SerializeToString(), net)


@pytest.mark.parametrize("name", ["deeplab_v1", "deeplab_v1_bbox", "v0", "v1"])
def test_old_nets_are_read_by_their_own_numbers(name, tmp_path):
    wanted = _message(legacy_nets.read(name))
    (tmp_path / "net").write_bytes(_as_deeplab_v1(wanted) if name.startswith("deeplab") else wanted.SerializeToString())
    assert read_binary_net(tmp_path / "net") == wanted


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("deeplab_v2", DL2), ("deeplab_v2", RC3), ("pspnet", DL2), ("bvlc", {}), ("deeplab_v2", {})],
    ids=["DeepLab v2", "rc3", "PSPNet", "BVLC", "ours"],
)
def test_todays_nets_of_every_fork(name, numbers, tmp_path):
    wanted = _message(legacy_nets.read(name))
    (tmp_path / "net").write_bytes(_as_today(wanted, numbers))
    assert read_binary_net(tmp_path / "net") == wanted


def test_holes_are_not_lost_where_all_types_are_common(tmp_path):
    """Convolutions alone: only the number of `hole`, force_nd_im2col elsewhere, shows the dialect."""
    text = "layers { name: 'c' type: CONVOLUTION convolution_param { num_output: 2 kernel_size: 3 hole: 4 } }"
    path = tmp_path / "net.caffemodel"
    path.write_bytes(_as_deeplab_v1(_message(text)))
    assert read_binary_net(path).layers[0].convolution_param.hole == 4
    out = tmp_path / "net.prototxt"
    assert main(["prototxt", "upgrade", str(path), "-o", str(out)]) == 0
    assert "dilation: 4" in out.read_text() and "force_nd_im2col" not in out.read_text()


def test_a_field_that_two_dialects_have_wants_the_users_word(tmp_path):
    text = "layers { name: 'c' type: CONVOLUTION convolution_param { num_output: 2 kernel_size: 3 dilation: 4 } }"
    path = tmp_path / "net"
    path.write_bytes(_message(text).SerializeToString())
    with pytest.raises(InputError, match="layer 'c': field 18 of its convolution_param is 'dilation' in V1"):
        read_binary_net(path)
    assert list(read_binary_net(path, "V1").layers[0].convolution_param.dilation) == [4]
    assert read_binary_net(path, "DeepLab v1").layers[0].convolution_param.hole_h == 4


def test_deconvolution_and_image_seg_data_have_one_number(tmp_path):
    texts = {
        "DECONVOLUTION": "layers { type: DECONVOLUTION bottom: 'x' convolution_param { num_output: 2 } }",
        "IMAGE_SEG_DATA": "layers { type: IMAGE_SEG_DATA image_data_param { source: 'x' } }",
    }
    for kind, text in texts.items():
        (tmp_path / kind).write_bytes(_as_deeplab_v1(_message(text)))
        (layer,) = read_binary_net(tmp_path / kind).layers
        assert schema.V1LayerParameter.LayerType.Name(layer.type) == kind


def test_the_label_of_unique_label_was_a_float(tmp_path):
    layer = _varint(5, 48) + encode_bytes(51, _varint(1, 10) + encode_varint(2 << 3 | 5) + struct.pack("<f", 255))
    (tmp_path / "net").write_bytes(encode_bytes(2, layer))
    (read,) = read_binary_net(tmp_path / "net").layers
    assert (read.unique_label_param.max_labels, list(read.unique_label_param.ignore_label)) == (10, [255])


def test_fields_of_no_dialect_are_named(tmp_path, capsys):
    layer = encode_bytes(1, b"conv") + encode_bytes(2, b"ReLU") + _varint(999, 1)
    path = tmp_path / "net.caffemodel"
    path.write_bytes(encode_bytes(100, layer))
    with pytest.warns(UserWarning, match="layer 'conv': field 999 is unknown in every dialect and is skipped"):
        read_binary_net(path)
    assert main(["prototxt", "upgrade", str(path)]) == 0
    assert "note:" in capsys.readouterr().err


def test_parameters_that_fit_no_dialect_are_refused(tmp_path):
    layer = encode_bytes(1, b"a") + encode_bytes(2, b"Interp") + encode_bytes(151, b"")
    (tmp_path / "net").write_bytes(encode_bytes(100, layer))
    with pytest.raises(InputError, match="match no dialect; choose one with --dialect"):
        read_binary_net(tmp_path / "net")


@pytest.mark.parametrize("data", [b"", b"\x0a\x05ab", b"\x12\xff\xff\xff\xff\x7f", bytes(range(256))])
def test_damaged_files_are_refused(data, tmp_path):
    (tmp_path / "net").write_bytes(data)
    with pytest.raises(InputError, match="net"):
        read_binary_net(tmp_path / "net")


def test_what_is_neither_text_nor_binary_is_named(tmp_path, capsys):
    (tmp_path / "net.prototxt").write_bytes(b"\x0e\xff\x00")
    assert main(["prototxt", "upgrade", str(tmp_path / "net.prototxt")]) == 2
    assert "net.prototxt: expected a prototxt or a binary net, but this is neither" in capsys.readouterr().err


def test_text_and_binary_are_told_apart():
    assert not is_binary('name: "é" # \t\n'.encode())
    assert is_binary(encode_bytes(1, b"net"))


def test_weights_stay_in_a_binary_file_and_are_missed_in_a_text(tmp_path, capsys):
    net = _message("layers { name: 'c' type: INNER_PRODUCT inner_product_param { num_output: 1 } }")
    net.layers[0].blobs.add(num=1, channels=1, height=1, width=2, data=[1, 2])
    path = tmp_path / "old.caffemodel"
    path.write_bytes(net.SerializeToString())
    assert main(["prototxt", "upgrade", str(path), "-o", str(tmp_path / "new.caffemodel"), "--report", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["dialect"] == "V1, binary" and report["changes"][0]["layer"] == "c"
    new = schema.NetParameter.FromString((tmp_path / "new.caffemodel").read_bytes())
    assert new.layer[0].type == "InnerProduct" and np.array_equal(new.layer[0].blobs[0].data, [1, 2])
    assert main(["prototxt", "upgrade", str(path), "-o", str(tmp_path / "new.prototxt")]) == 0
    assert "text has no weights: 1 blobs removed" in capsys.readouterr().out
    assert "blobs" not in Path(tmp_path / "new.prototxt").read_text()


@pytest.mark.parametrize(
    ("kind", "number", "field", "text"),
    [
        ("DetectionOutput", 204, "detection_output_param", "num_classes: 3 code_type: CENTER_SIZE keep_top_k: 7"),
        ("PriorBox", 203, "prior_box_param", "min_size: 4 aspect_ratio: 2"),
        ("ROIPooling", 8266711, "roi_pooling_param", "pooled_h: 7 pooled_w: 7 spatial_scale: 0.0625"),
        ("Proposal", 201, "proposal_param", "feat_stride: 8 ratio: 1"),  # a number that is MultiBoxLoss's in SSD
    ],
)
def test_a_layer_of_a_fork_is_read_whatever_its_number(tmp_path, kind, number, field, text):
    wanted = to_message(Document(f'layer {{ name: "a" type: "{kind}" {field} {{ {text} }} }}'), schema.NetParameter())
    layer = schema.LayerParameter(name="a", type=kind)
    inner = getattr(wanted.layer[0], field).SerializeToString()
    path = tmp_path / "net.binary"
    path.write_bytes(encode_bytes(100, layer.SerializeToString() + encode_bytes(number, inner)))
    assert read_binary_net(path) == wanted
