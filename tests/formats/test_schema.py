"""The schema: messages, numbers and defaults of caffe.proto, and that protobuf's own tools take them."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from deeplab_caffe.caffe.proto import caffe_pb2
from deeplab_caffe.formats import schema


def test_every_message_of_the_file_is_a_class_that_survives_the_wire():
    messages = schema.DESCRIPTOR.message_types_by_name
    assert len(messages) > 60
    for name in messages:
        empty = schema.NAMES[name]()
        assert type(empty).FromString(empty.SerializePartialToString()) == empty


@pytest.mark.parametrize(
    ("message", "field", "number", "default"),
    [
        ("LayerParameter", "blobs", 7, None),
        ("LayerParameter", "convolution_param", 106, None),
        ("LayerParameter", "batch_norm_param", 139, None),
        ("NetParameter", "layer", 100, None),
        ("NetParameter", "layers", 2, None),
        ("BlobProto", "data", 5, None),
        ("BlobProto", "double_data", 8, None),
        ("ConvolutionParameter", "group", 5, 1),
        ("ConvolutionParameter", "dilation", 18, None),
        ("ConvolutionParameter", "bias_term", 2, True),
        ("ParamSpec", "lr_mult", 3, 1.0),
        ("FillerParameter", "type", 1, "constant"),
        ("FillerParameter", "sparse", 7, -1),
        ("DropoutParameter", "dropout_ratio", 1, 0.5),
        ("LossParameter", "normalization", 3, 1),
        ("EltwiseParameter", "operation", 1, 1),
        ("PoolingParameter", "pool", 1, 0),
        ("SolverParameter", "type", 40, "SGD"),
        ("SolverParameter", "clip_gradients", 35, -1.0),
        ("SolverParameter", "average_loss", 33, 1),
        ("SolverParameter", "snapshot_after_train", 28, True),
        ("SolverState", "history", 3, None),
        ("NetState", "phase", 1, 1),
        ("HDF5DataParameter", "batch_size", 2, 0),
    ],
)
def test_numbers_and_defaults_are_those_of_caffe(message, field, number, default):
    descriptor = schema.NAMES[message].DESCRIPTOR.fields_by_name[field]
    assert descriptor.number == number
    if default is not None:
        assert getattr(schema.NAMES[message](), field) == pytest.approx(default)


def test_float_defaults_are_those_of_float32():
    assert schema.BatchNormParameter().eps == pytest.approx(1e-5, rel=1e-6)
    assert schema.BatchNormParameter().moving_average_fraction == pytest.approx(0.999, rel=1e-6)


def test_enums_are_reachable_as_in_generated_code():
    assert (caffe_pb2.TRAIN, caffe_pb2.TEST) == (0, 1)
    assert caffe_pb2.PoolingParameter.AVE == 1
    assert caffe_pb2.LossParameter.BATCH_SIZE == 2
    assert caffe_pb2.ParamSpec.PERMISSIVE == 1
    assert caffe_pb2.SolverParameter.GPU == 1
    assert caffe_pb2.PoolingParameter.PoolMethod.Name(2) == "STOCHASTIC"
    assert caffe_pb2.NetParameter is schema.NetParameter


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="NetParam"):
        _ = schema.NetParam
    with pytest.raises(AttributeError):
        _ = caffe_pb2.NoSuchParameter


def test_protobufs_own_text_format_reads_and_writes_messages():
    text = 'name: "n" layer { name: "c" type: "Convolution" convolution_param { kernel_size: 3 dilation: 2 } }'
    net = text_format.Parse(text, schema.NetParameter())
    assert list(net.layer[0].convolution_param.kernel_size) == [3]
    again = text_format.Parse(text_format.MessageToString(net), schema.NetParameter())
    assert again == net


def test_blob_data_are_packed():
    blob = schema.BlobProto(data=[1.0, 2.0])
    assert blob.SerializeToString() == b"\x2a\x08\x00\x00\x80\x3f\x00\x00\x00\x40"
