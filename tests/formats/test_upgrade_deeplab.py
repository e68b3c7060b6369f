"""Nets in the dialect of DeepLab's first release: what they become, that they run, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

import deeplab_v1_nets as recipes
from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import messages, prototxt, schema
from deeplab_caffe.formats.definition import definition_of, read_definition
from deeplab_caffe.nets import generate

REPOSITORY = Path(__file__).parents[2]
PIXELS = "label_type: PIXEL batch_size: 30 shuffle: true"
TRAIN_DATA = recipes.data("data label", "list/train.txt", "/voc", PIXELS, "mirror: true crop_size: 321")
TEST_DATA = recipes.data(
    "data", "list/test.txt", "/voc", "batch_size: 1 has_label: false", "mirror: false crop_size: 514", "TEST"
)


def _parsed(text: str):
    return messages.to_message(prototxt.Document(text), schema.NetParameter())


def _upgraded(text: str, tmp_path: Path):
    path = tmp_path / "old.prototxt"
    path.write_text(text)
    return read_definition(path)


def _generated(role: str, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    return _parsed(generate("voc12/largefov_v1")[f"{role}.prototxt"])


def _data_row(layer, image: str):
    """The release's data layer for one of the generator's."""
    t, p = layer.transform_param, layer.image_data_param
    transform = f"mirror: {str(t.mirror).lower()} crop_size: {t.crop_size}"
    return recipes.data("data label", p.source, p.root_folder, image, transform, "TRAIN" if t.mirror else "TEST")


def test_the_large_fov_train_net_is_the_generated_one(tmp_path, monkeypatch):
    wanted = _generated("train", monkeypatch)
    rows = recipes.large_fov_train(_data_row(wanted.layer[0], PIXELS))
    definition = _upgraded(recipes.old_text(rows), tmp_path)
    assert len(definition.param.layer) == len(wanted.layer)
    for got, layer in zip(definition.param.layer, wanted.layer, strict=True):
        assert got == layer
    assert definition.entries[1].origin.endswith("old.prototxt:4:1")


def test_the_large_fov_test_net_is_the_generated_one_but_for_its_labels(tmp_path, monkeypatch):
    wanted = _generated("test", monkeypatch)
    rows = recipes.large_fov_test(_data_row(wanted.layer[0], "batch_size: 1 has_label: false"), "fc8/", "ids.txt")
    with pytest.warns(UserWarning, match=r"old.prototxt:2:\d+: layer 'data' \(IMAGE_SEG_DATA\): has_label is false"):
        got = _upgraded(recipes.old_text(rows), tmp_path).param
    wanted.layer[0].image_data_param.label_type = schema.ImageDataParameter.NONE
    for layer in wanted.layer:
        if layer.name in ("fc6", "fc7", "fc8_voc12"):
            layer.strict_dim = False
    written = [layer for layer in got.layer if layer.type == "MatWrite"]
    assert [layer for layer in got.layer if layer.type != "MatWrite"] == list(wanted.layer)
    assert [layer.mat_write_param.prefix for layer in written] == ["fc8/"]


@pytest.mark.filterwarnings("ignore:.*has_label")
@pytest.mark.parametrize(
    "rows",
    [
        recipes.deeplab_train(TRAIN_DATA),
        recipes.deeplab_test(TEST_DATA),
        recipes.msc_train(TRAIN_DATA),
        recipes.weak_em_adapt_train(
            recipes.data("data label_strong", "list/train.txt", "/voc", PIXELS, "mirror: true crop_size: 321")
        ),
        recipes.semi_bbox_tail(),
    ],
    ids=["deeplab-train", "deeplab-test", "msc-train", "weak-em-adapt", "semi-bbox"],
)
def test_published_nets_become_those_of_today(rows, tmp_path):
    got = _upgraded(recipes.old_text(rows), tmp_path).param
    wanted = _parsed(recipes.new_text(rows))
    assert len(got.layer) == len(rows)
    for layer, of_today in zip(got.layer, wanted.layer, strict=True):
        assert layer == of_today
    assert definition_of(got).param == got  # what is upgraded stays so


def _inputs(**shapes: tuple[int, ...]) -> str:
    return "".join(f'input: "{name}" {" ".join(f"input_dim: {d}" for d in shape)}\n' for name, shape in shapes.items())


RUNS = {
    "large_fov_train": (recipes.large_fov_train, caffe.TRAIN, {"data": 33, "label": 33}, {"label_shrink": 5}),
    "deeplab_train": (recipes.deeplab_train, caffe.TRAIN, {"data": 34, "label": 34}, {"label_shrink": 5}),
    "deeplab_test": (recipes.deeplab_test, caffe.TEST, {"data": 34}, {"fc8_interp": 49, "fc8_crop": 34}),
    "msc_train": (recipes.msc_train, caffe.TRAIN, {"data": 33, "label": 33}, {"fc_fusion": 5, "pool3_ms": 5}),
    "weak_em": (recipes.weak_em_adapt_train, caffe.TRAIN, {"data": 33, "label_strong": 33}, {"label_estep": 5}),
}


@pytest.mark.parametrize(("recipe", "phase", "inputs", "sizes"), RUNS.values(), ids=RUNS)
def test_published_nets_run_and_agree_with_todays(recipe, phase, inputs, sizes, tmp_path):
    rows = recipe(TRAIN_DATA, width=64)[1:]
    shapes = {name: (1, 3 if name == "data" else 1, size, size) for name, size in inputs.items()}
    random = np.random.default_rng(0)
    image = random.normal(0, 50, shapes["data"])
    results = []
    for text in (recipes.old_text(rows), recipes.new_text(rows)):
        path = tmp_path / "net.prototxt"
        path.write_text(_inputs(**shapes) + text)
        caffe.set_random_seed(3)
        net = caffe.Net(str(path), phase)
        for name, blob in net.blobs.items():
            if name in shapes:
                blob.data[...] = image if name == "data" else 3
        net.forward()
        if phase == caffe.TRAIN:
            net.backward()
        assert {name: net.blobs[name].data.shape[-1] for name in sizes} == sizes
        results.append({name: blob.data.copy() for name, blob in net.blobs.items()})
    assert results[0].keys() == results[1].keys()
    for name, values in results[0].items():
        np.testing.assert_array_equal(values, results[1][name], err_msg=name)


def test_argmax_is_for_each_pixel_only_in_this_dialect():
    plain = 'layers { name: "a" type: ARGMAX bottom: "x" top: "a" }'
    assert not definition_of(_parsed(plain)).param.layer[0].HasField("argmax_param")
    marked = plain + 'layers { name: "p" type: PADDING bottom: "x" top: "p" }'
    assert definition_of(_parsed(marked)).param.layer[0].argmax_param.axis == 1


@pytest.mark.parametrize(
    ("holes", "dilation"),
    [("hole: 2", [2]), ("hole_h: 3 hole_w: 1", [3, 1]), ("hole_h: 3", [3, 1]), ("hole_h: 2 hole_w: 2", [2]), ("", [])],
)
def test_holes_are_dilation(holes, dilation):
    text = f'layers {{ name: "c" type: CONVOLUTION strict_dim: true convolution_param {{ num_output: 1 {holes} }} }}'
    wanted = schema.LayerParameter(name="c", type="Convolution")
    wanted.convolution_param.num_output = 1
    wanted.convolution_param.dilation.extend(dilation)
    assert list(definition_of(_parsed(text)).param.layer) == [wanted]


def test_every_type_but_one_has_a_counterpart():
    for value in schema.V1LayerParameter.DESCRIPTOR.enum_types_by_name["LayerType"].values:
        if value.number < 1039 or value.name == "GAIN_CHANNEL":  # those before are of other Caffes
            continue
        net = schema.NetParameter()
        net.layers.add(name="x", type=value.number)
        kind = definition_of(net).param.layer[0].type
        assert kind.lower() == value.name.replace("_", "").lower() and kind in caffe.layer_type_list()


def test_a_stated_label_type_stands(recwarn):
    text = "layers { type: IMAGE_SEG_DATA image_data_param { has_label: false max_labels: 3 label_type: PIXEL } }"
    p = definition_of(_parsed(text)).param.layer[0].image_data_param
    assert p == schema.ImageDataParameter(label_type=schema.ImageDataParameter.PIXEL)
    assert not recwarn.list


def test_dense_crf_of_the_train_deeplab_net():
    text = (
        'layers { name: "crf" type: DENSE_CRF bottom: "s" bottom: "d" bottom: "i" top: "q" include { phase: TEST }'
        " dense_crf_param { max_iter: 10 pos_w: 3 pos_xy_std: 3 bi_w: 5 bi_xy_std: 50 bi_rgb_std: 10 } }"
    )
    layer = definition_of(_parsed(text)).param.layer[0]
    assert (layer.type, layer.dense_crf_param.bi_xy_std[0], layer.include[0].phase) == ("DenseCRF", 50, caffe.TEST)


def test_messages_that_protobuf_itself_has_read_are_upgraded():
    text = 'layers { name: "c" type: CONVOLUTION convolution_param { num_output: 1 hole: 4 } }'
    message = text_format.Parse(text, caffe.proto.caffe_pb2.NetParameter())
    assert list(definition_of(message, "mine").param.layer[0].convolution_param.dilation) == [4]


REFUSED = [
    (
        'layers { name: "c" type: SOFTMAX_LOSS\n softmaxloss_param { ignore_label: 255\n weight_source: "w.txt" } }',
        "f:3:2: layer 'c' (SOFTMAX_LOSS): weight_source 'w.txt': SoftmaxWithLoss does not support class weights",
    ),
    (
        'layers { name: "c" type: SOFTMAX_LOSS\n softmaxloss_param { ignore_label: 255 ignore_label: 254 } }',
        "f:2:40: layer 'c' (SOFTMAX_LOSS): ignores several labels (255, 254); SoftmaxWithLoss supports one",
    ),
    (
        'layers { name: "c" type: SOFTMAX_LOSS\n softmaxloss_param { ignore_label: 1 } loss_param { } }',
        "f:2:2: layer 'c' (SOFTMAX_LOSS): has both softmaxloss_param and loss_param",
    ),
    (
        'layers { name: "a" type: RELU }\nlayers { name: "g"\n type: GAIN_CHANNEL }',
        "f:3:2: layer 'g' (GAIN_CHANNEL): GAIN_CHANNEL has no counterpart today",
    ),
    (
        'layers { name: "g"\n gain_channel_param { num_output_nz: 1 } }',
        "f:2:2: layer 'g' (): GAIN_CHANNEL has no counterpart today",
    ),
    (
        'layers { name: "p" type: PADDING }\nlayers { name: "e"\n type: EUCLIDEAN_LOSS }',
        "f:3:2: layer 'e' (EUCLIDEAN_LOSS): DeepLab's first release divides this loss by the number of values",
    ),
    (
        'layers { name: "e" type: EUCLIDEAN_LOSS loss_weight: 2\n euclidean_loss_param { type: L2sqrt } }',
        "layer 'e' (EUCLIDEAN_LOSS): DeepLab's first release divides this loss by",
    ),
    (
        'layers { name: "c" type: CONVOLUTION convolution_param {\n hole: 2\n hole_w: 3 } }',
        "f:3:2: layer 'c' (CONVOLUTION): has hole, hole_w; expected either hole, or hole_h and hole_w",
    ),
    (
        'layers { name: "c" type: CONVOLUTION convolution_param {\n dilation: 2\n hole: 2 } }',
        "f:3:2: layer 'c' (CONVOLUTION): has hole, dilation; expected either hole, or hole_h and hole_w",
    ),
    (
        'layer { name: "a" type: "ReLU" }\nlayer { name: "c" type: "Convolution" convolution_param {\n hole: 2 } }',
        "f:3:2: layer 'c' (Convolution): 'hole' belongs to the 'layers' of DeepLab's first release: use 'dilation'",
    ),
    (
        'layer { name: "c" type: "Convolution" convolution_param { hole_h: 1 } }',
        "'hole_h' belongs to the 'layers' of DeepLab's first release: use the first of two values of 'dilation'",
    ),
    (
        'layer { name: "i" type: "ImageSegData" image_data_param { has_label: false } }',
        "layer 'i' (ImageSegData): 'has_label' belongs to the 'layers' of DeepLab's first release: remove it",
    ),
    ('layer { name: "l" type: "SoftmaxWithLoss"\n softmaxloss_param { } }', "f:2:2: layer 'l' (SoftmaxWithLoss): "),
    ('layers { name: "c" type: IMAGE_SEG_DATA\n hole: 2 }', "f:2:2: layer 'c' (IMAGE_SEG_DATA): V1LayerParameter has"),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_what_has_no_counterpart_is_named_with_its_place(text, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("f").write_text(text)
    with pytest.raises(InputError) as caught:
        read_definition("f")
    assert expected in str(caught.value)


def test_without_a_file_the_message_names_the_net():
    text = 'name: "n" layers { name: "p" type: PADDING } layers { name: "g" type: GAIN_CHANNEL }'
    with pytest.raises(InputError, match=r"^n: layer 'g' \(GAIN_CHANNEL\)"):
        definition_of(_parsed(text))
    with pytest.raises(InputError, match=r"^mine: layer 'c' \(Convolution\): 'hole'"):
        caffe.Net.from_param(
            _parsed('layer { name: "c" type: "Convolution" convolution_param { hole: 2 } }'), caffe.TEST, "mine"
        )


FLAT = """
input: "data" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 3
layers {{ name: "fc" type: CONVOLUTION bottom: "data" top: "fc" {flag} convolution_param {{ num_output: 4
  kernel_size: {kernel} }} }}
layers {{ name: "p" type: PADDING bottom: "fc" top: "p" }}
"""
FULLY = """
input: "data" input_dim: 1 input_dim: {inputs}
layers {{ name: "fc" type: INNER_PRODUCT bottom: "data" top: "fc" inner_product_param {{ num_output: 4
  weight_filler {{ type: "gaussian" }} }} }}
"""


def _net(text: str, path: Path):
    path.write_text(text)
    return caffe.Net(str(path), caffe.TEST)


@pytest.mark.parametrize("suffix", ["caffemodel", "caffemodel.h5"])
def test_weights_of_another_shape_are_copied_flat_where_strict_dim_is_false(suffix, tmp_path, capfd):
    fully = _net(FULLY.format(inputs="18 input_dim: 1 input_dim: 1"), tmp_path / "fully")
    weights = str(tmp_path / f"w.{suffix}")
    (fully.save_hdf5 if suffix.endswith("h5") else fully.save)(weights)
    net = _net(FLAT.format(flag="strict_dim: false", kernel=3), tmp_path / "flat")
    net.copy_from(weights)
    np.testing.assert_array_equal(net.params["fc"][0].data.ravel(), fully.params["fc"][0].data.ravel())
    assert net.params["fc"][0].data.shape == (4, 2, 3, 3)
    assert "Copying blob 0 of layer fc, (4, 18), as it lies into (4, 2, 3, 3)" in capfd.readouterr().err
    for flag, kernel in (("", 3), ("strict_dim: true", 3), ("strict_dim: false", 2)):
        with pytest.raises(InputError, match=r"has shape \(4, 18\) for blob 0"):
            _net(FLAT.format(flag=flag, kernel=kernel), tmp_path / "flat").copy_from(weights)


def test_a_weight_file_does_not_say_strict_dim(tmp_path):
    net = _net(FLAT.format(flag="strict_dim: false", kernel=3), tmp_path / "flat")
    net.save(str(tmp_path / "w.caffemodel"))
    stored = schema.NetParameter.FromString((tmp_path / "w.caffemodel").read_bytes())
    assert [layer.name for layer in stored.layer] == ["input", "fc", "p"]
    assert not any(layer.HasField("strict_dim") for layer in stored.layer)
    assert not net.layer_dict["fc"].param.strict_dim
