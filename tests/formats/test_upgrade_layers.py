"""Nets of 2013 (V0) and 2014 (V1) as today's."""

from __future__ import annotations

import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import messages, prototxt, schema
from deeplab_caffe.formats.upgrade import upgrade_net

_V0 = """
name: "old" input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9 force_backward: true
layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "padded" }
layers { layer { name: "conv1" type: "conv" num_output: 4 kernelsize: 3 stride: 2 group: 1 biasterm: false
    weight_filler { type: "gaussian" std: 0.5 } blobs_lr: 1. blobs_lr: 2. weight_decay: 1. weight_decay: 0. }
  bottom: "padded" top: "conv1" }
layers { layer { name: "relu1" type: "relu" } bottom: "conv1" top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 3 stride: 2 } bottom: "conv1" top: "pool1" }
layers { layer { name: "norm1" type: "lrn" local_size: 3 alpha: 0.0001 beta: 0.7 } bottom: "pool1" top: "norm1" }
layers { layer { name: "drop" type: "dropout" dropout_ratio: 0.3 } bottom: "norm1" top: "norm1" }
layers { layer { name: "fc" type: "innerproduct" num_output: 5 } bottom: "norm1" top: "fc" }
layers { layer { name: "prob" type: "softmax" } bottom: "fc" top: "prob" }
"""


def _read(text: str):
    return messages.to_message(prototxt.Document(text), schema.NetParameter())


def _same(layer, text: str) -> None:
    assert layer == messages.to_message(prototxt.Document(text), schema.LayerParameter())


def test_v0_field_by_field():
    net = _read(_V0)
    assert upgrade_net(net, "f") == [None, 1, 2, 3, 4, 5, 6, 7]  # element 0 was padding
    assert (net.name, net.force_backward, len(net.layers)) == ("old", True, 0)
    _same(
        net.layer[1],
        'name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { lr_mult: 1 decay_mult: 1 }'
        "param { lr_mult: 2 decay_mult: 0 } convolution_param { num_output: 4 kernel_size: 3 stride: 2 group: 1 pad: 2"
        ' bias_term: false weight_filler { type: "gaussian" std: 0.5 } }',
    )
    _same(net.layer[2], 'name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1"')
    _same(
        net.layer[3],
        'name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" '
        "pooling_param { pool: AVE kernel_size: 3 stride: 2 }",
    )
    _same(
        net.layer[4],
        'name: "norm1" type: "LRN" bottom: "pool1" top: "norm1" lrn_param { local_size: 3 alpha: 0.0001 beta: 0.7 }',
    )
    _same(
        net.layer[5],
        'name: "drop" type: "Dropout" bottom: "norm1" top: "norm1" dropout_param { dropout_ratio: 0.3 }',
    )
    assert net.layer[6].inner_product_param.num_output == 5


def test_v0_padding_goes_to_all_that_read_it():
    net = _read(
        'input: "a" input_dim: 1 input_dim: 1 input_dim: 6 input_dim: 6 '
        'layers { layer { name: "p" type: "padding" pad: 2 } bottom: "a" top: "p" }'
        'layers { layer { name: "c" type: "conv" num_output: 1 kernelsize: 3 } bottom: "p" top: "c" }'
        'layers { layer { name: "m" type: "pool" kernelsize: 3 } bottom: "p" top: "m" }'
    )
    upgrade_net(net, "f")
    assert [(x.name, list(x.bottom)) for x in net.layer[1:]] == [("c", ["a"]), ("m", ["a"])]
    assert (list(net.layer[1].convolution_param.pad), net.layer[2].pooling_param.pad) == ([2], 2)


def test_v0_data_layers():
    net = _read(
        'layers { layer { name: "d" type: "data" source: "db" batchsize: 8 scale: 0.5 meanfile: "m" cropsize: 27'
        ' mirror: true rand_skip: 2 } top: "d" top: "l" }'
        'layers { layer { name: "i" type: "images" source: "t" batchsize: 3 new_height: 4 new_width: 5'
        ' shuffle_images: true } top: "i" top: "k" }'
        'layers { layer { name: "w" type: "window_data" source: "w" batchsize: 2 det_fg_threshold: 0.6'
        ' det_bg_threshold: 0.1 det_fg_fraction: 0.2 det_context_pad: 3 det_crop_mode: "square" } top: "w" top: "m" }'
        'layers { layer { name: "o" type: "hdf5_output" hdf5_output_param { file_name: "f" } } bottom: "i" }'
    )
    upgrade_net(net, "f")
    data, images, windows, output = net.layer
    _same(
        data,
        'name: "d" type: "Data" top: "d" top: "l" data_param { source: "db" batch_size: 8 rand_skip: 2 }'
        'transform_param { scale: 0.5 mean_file: "m" crop_size: 27 mirror: true }',
    )
    _same(
        images,
        'name: "i" type: "ImageData" top: "i" top: "k" '
        'image_data_param { source: "t" batch_size: 3 new_height: 4 new_width: 5 shuffle: true }',
    )
    _same(
        windows,
        'name: "w" type: "WindowData" top: "w" top: "m" window_data_param { source: "w" batch_size: 2 '
        'fg_threshold: 0.6 bg_threshold: 0.1 fg_fraction: 0.2 context_pad: 3 crop_mode: "square" }',
    )
    assert output.hdf5_output_param.file_name == "f"


def test_v0_runs(tmp_path):
    (tmp_path / "net.prototxt").write_text(_V0.replace("biasterm: false", "biasterm: true"))
    built = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    assert [layer.type for layer in built.layers] == [
        "Input", "Convolution", "ReLU", "Pooling", "LRN", "Dropout", "InnerProduct", "Softmax",
    ]  # fmt: skip
    assert built.blobs["conv1"].shape == (1, 4, 6, 6)
    assert built.layer_dict["conv1"].origin.endswith("net.prototxt:4:1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('layers { layer { name: "x" type: "conw" } }', "f: layer 'x' (conw): unknown type; the types of 2013 are acc"),
        (
            'layers { layer { name: "p" type: "padding" pad: 1 } bottom: "a" top: "b" }'
            'layers { layer { name: "r" type: "relu" } bottom: "b" top: "c" }',
            "f: layer 'r' (relu): a layer of type padding ('p') must have one bottom and feed a conv or pool layer",
        ),
        ('layers { name: "a" type: RELU } layer { name: "b" }', "f: has both 'layer' and"),
        ('layers { layer { type: "relu" } } layers { name: "a" type: RELU }', ""),
    ],
)
def test_what_cannot_be_upgraded(text, expected):
    if not expected:  # a net that has one layer of 2013 is read as one of 2013 throughout
        net = _read(text)
        upgrade_net(net, "f")
        assert [layer.type for layer in net.layer] == ["ReLU", ""]
        return
    with pytest.raises(InputError) as caught:
        upgrade_net(_read(text), "f")
    assert expected in str(caught.value)


def test_a_v0_field_that_does_not_suit_its_type_is_named_and_dropped():
    net = _read('layers { layer { name: "r" type: "relu" kernelsize: 3 } }')
    with pytest.warns(UserWarning, match=r"f: layer 'r' \(relu\): this type has no field 'kernelsize'"):
        upgrade_net(net, "f")
    _same(net.layer[0], 'name: "r" type: "ReLU"')


def test_v1_lists_become_param_specs():
    net = _read(
        'layers { name: "a" type: INNER_PRODUCT param: "w" blobs_lr: 1 blobs_lr: 2 weight_decay: 0.5'
        " blob_share_mode: PERMISSIVE loss_weight: 2 include { phase: TRAIN } inner_product_param { num_output: 2 } }"
    )
    assert upgrade_net(net, "f") == [0]
    _same(
        net.layer[0],
        'name: "a" type: "InnerProduct" param { name: "w" share_mode: PERMISSIVE lr_mult: 1 decay_mult: 0.5 }'
        "param { lr_mult: 2 } loss_weight: 2 include { phase: TRAIN } inner_product_param { num_output: 2 }",
    )


def test_v1_transformation_fields_move():
    net = _read(
        'layers { name: "a" type: IMAGE_DATA image_data_param { source: "s" scale: 2 mirror: true crop_size: 3'
        ' mean_file: "m" } }'
        'layers { name: "b" type: DATA data_param { source: "s" scale: 2 } transform_param { mirror: true } }'
    )
    upgrade_net(net, "f")
    _same(
        net.layer[0],
        'name: "a" type: "ImageData" image_data_param { source: "s" }'
        'transform_param { scale: 2 mirror: true crop_size: 3 mean_file: "m" }',
    )
    _same(net.layer[1], 'name: "b" type: "Data" data_param { source: "s" } transform_param { scale: 2 mirror: true }')


def test_every_v1_type_has_a_name_of_today():
    for value in schema.V1LayerParameter.DESCRIPTOR.enum_types_by_name["LayerType"].values:
        if value.number >= 1000:  # DeepLab v1's
            continue
        net = schema.NetParameter()
        net.layers.add(name="x", type=value.number)
        upgrade_net(net, "f")
        kind = net.layer[0].type
        assert kind.lower() == value.name.replace("_", "").lower().replace("none", "") or kind == "SoftmaxWithLoss"
        assert not kind or kind in caffe.layer_type_list()
