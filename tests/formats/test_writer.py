"""Messages as text: layout as people write it, and every value comes back through the parser."""

import struct

import numpy as np
import pytest

from deeplab_caffe.formats import schema
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.writer import LINE_WIDTH, format_float, format_message, quote


def parsed(text, message):
    return to_message(Document(text), message)


def test_layout_of_a_layer():
    net = schema.NetParameter(name="toy")
    conv = net.layer.add(include=[{"phase": schema.TRAIN}], top=["conv"], bottom=["data"], type="Convolution")
    conv.name = "conv"
    conv.param.add(lr_mult=10, decay_mult=1)
    conv.param.add(lr_mult=20, decay_mult=0)
    conv.convolution_param.num_output = 21
    conv.convolution_param.weight_filler.type = "gaussian"
    conv.convolution_param.weight_filler.std = 0.01
    net.layer.add(name="relu", type="ReLU", bottom=["conv"], top=["conv"])
    assert format_message(net, {"conv": "scores\nof the toy"}) == (
        'name: "toy"\n'
        "\n"
        "# scores\n"
        "# of the toy\n"
        "layer {\n"
        '  name: "conv"\n'
        '  type: "Convolution"\n'
        '  bottom: "data"\n'
        '  top: "conv"\n'
        "  param { lr_mult: 10 decay_mult: 1 }\n"
        "  param { lr_mult: 20 decay_mult: 0 }\n"
        "  include { phase: TRAIN }\n"
        "  convolution_param {\n"
        "    num_output: 21\n"
        '    weight_filler { type: "gaussian" std: 0.01 }\n'
        "  }\n"
        "}\n"
        'layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }\n'
    )


def test_old_layers_begin_with_their_name_too():
    net = schema.NetParameter()
    net.layers.add(bottom=["a"], top=["b"], name="pool", type=17, loss_weight=[1])
    assert format_message(net) == 'layers { name: "pool" type: POOLING bottom: "a" top: "b" loss_weight: 1 }\n'


def test_a_block_too_long_for_one_line_is_broken():
    solver = schema.SolverParameter()
    solver.train_state.stage.extend(["x" * 18] * 3)
    assert max(map(len, format_message(solver).splitlines())) <= LINE_WIDTH
    assert format_message(solver).count("\n") == 1
    solver.train_state.stage.append("x" * 18)
    assert format_message(solver).splitlines()[:2] == ["train_state {", f'  stage: "{"x" * 18}"']
    assert parsed(format_message(solver), schema.SolverParameter()) == solver


def test_a_block_within_a_block_on_one_line():
    net = schema.NetParameter()
    net.layer.add().input_param.shape.add(dim=[1, 3, 513, 513])
    assert format_message(net) == "layer {\n  input_param { shape { dim: 1 dim: 3 dim: 513 dim: 513 } }\n}\n"


def test_presence_survives():
    solver = schema.SolverParameter(snapshot=0, momentum=0)
    solver.train_state.SetInParent()
    assert format_message(solver) == "momentum: 0\nsnapshot: 0\ntrain_state {}\n"
    assert parsed(format_message(solver), schema.SolverParameter()) == solver


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0005, "0.0005"),
        (1, "1"),
        (0.1, "0.1"),
        (1e-5, "1e-5"),
        (104.008, "104.008"),
        (-0.0, "-0"),
        (3e38, "3e38"),
        (9900001, "9900001"),
        (16777216, "16777216"),
        (1e15, "1000000000000000"),
        (1e16, "1e16"),
        (0.0001, "1e-4"),
        (1.5e-5, "1.5e-5"),
        (1e-45, "1e-45"),
        (1.1754942e-38, "1.1754942e-38"),
        (3.4028235e38, "3.4028235e38"),
        (2.0**-96, "1.2621775e-29"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
    ],
)
def test_floats_as_people_write_them(value, text):
    assert format_float(value) == text


def test_any_float_reads_back():
    bits = np.random.default_rng(0).integers(0, 2**32, 2000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    blob = schema.BlobProto(data=values.tolist() + [float("inf"), float("-inf")], double_data=[0.1, 1e300])
    assert parsed(format_message(blob), schema.BlobProto()) == blob
    assert all(np.float32(format_float(float(v))) == v for v in values)


def test_floats_are_written_alike_by_every_version_of_numpy(monkeypatch):
    monkeypatch.setattr(np, "float32", None)
    assert format_float(9900001.0) == "9900001" and format_float(0.1) == "0.1"


def test_doubles_are_written_as_python_writes_them():
    values = np.random.default_rng(1).integers(0, 2**63, 500).view(np.float64)
    for value in values[np.isfinite(values)].tolist() + [0.1, 1e300, 5e-324]:
        text = format_float(value, double=True)
        assert float(text) == value and len(text.split("e")[0]) <= len(repr(value).split("e")[0])


def test_nan_reads_back():
    text = format_message(schema.SolverParameter(base_lr=struct.unpack("f", b"\0\0\xc0\x7f")[0]))
    assert text == "base_lr: nan\n"
    assert np.isnan(parsed(text, schema.SolverParameter()).base_lr)


@pytest.mark.parametrize("text", ['say "hi"', "back\\slash", "two\nlines\t", "\x011", "Ünïcödé ☃", "it's", "", "# no"])
def test_strings_read_back(text):
    net = schema.NetParameter(name=text)
    assert parsed(format_message(net), schema.NetParameter()) == net
    assert "\n" not in quote(text)


def test_bytes_read_back():
    datum = schema.Datum(data=bytes(range(256)), label=3)
    assert format_message(datum).isascii()
    assert parsed(format_message(datum), schema.Datum()) == datum


def filled(message, depth=0):
    """Every field of a message set, to values that are not the defaults."""
    for field in message.DESCRIPTOR.fields:
        values = getattr(message, field.name)
        repeated = hasattr(values, "extend")
        if field.message_type is not None:
            if depth < 3:
                filled(values.add() if repeated else values, depth + 1)
            continue
        value = {8: True, 9: 'a"b', 12: b"\0\xff"}.get(field.type, 7)
        value = field.enum_type.values[-1].number if field.enum_type is not None else value
        if repeated:
            values.extend([value, value])
        else:
            setattr(message, field.name, value)
    return message


@pytest.mark.parametrize("name", ["NetParameter", "SolverParameter", "LayerParameter", "SolverState"])
def test_every_field_of_the_schema_reads_back(name):
    message = filled(schema.NAMES[name](), 1)
    text = format_message(message)
    again = parsed(text, schema.NAMES[name]())
    assert again == message and format_message(again) == text
