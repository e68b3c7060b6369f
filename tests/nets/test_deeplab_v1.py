"""DeepLab v1's nets are the released ones, layer by layer; what they state stands here a second time."""

import numpy as np
import pytest

import deeplab_v1_nets as released
from deeplab_caffe.formats import schema
from net_facts import REPOSITORY, generated, in_use, parsed, solvers
from zoo_nets import narrow_net

GAUSSIAN = 'weight_filler {{ type: "gaussian" std: {} }} bias_filler {{ type: "constant" }}'
ONES, FROZEN, WITH_DECAY = ((1, 1), (2, 0)), ((0, 0), (0, 0)), ((0, 1), (0, 0))
DEPTHS = ("data", "pool1", "pool2", "pool3", "pool4")
DATA = released.data("data label", "a", "b", "", "")  # data layers are compared by themselves


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def without_strict_dim(layers):
    return [{key: value for key, value in layer.items() if key != "strict_dim"} for layer in layers]


@pytest.mark.parametrize(
    ("model", "batch_size", "crop", "test_crop"),
    [
        ("deeplab", 20, 306, 514),
        ("deeplab_4x4", 20, 306, 514),
        ("deeplab_7x7", 20, 306, 514),
        ("msc", 20, 321, 513),
        ("msc_largefov", 30, 321, 513),
        ("msc_largefov_coco", 30, 321, 513),
        ("largefov_coco", 30, 321, 513),
    ],
)
def test_data_layers(model, batch_size, crop, test_crop):
    train, test = (generated(f"voc12/{model}", role)[0] for role in ("train", "test"))
    assert train["image_data_param"]["batch_size"] == batch_size
    assert train["image_data_param"]["source"].endswith("list/train_aug.txt")
    assert train["image_data_param"]["label_type"] == schema.ImageDataParameter.PIXEL
    assert train["transform_param"]["crop_size"] == crop and train["transform_param"]["mirror"]
    assert test["transform_param"]["crop_size"] == test_crop and "mirror" not in test["transform_param"]


def test_deeplab_train_net():
    wanted = parsed(released.new_text(released.deeplab_train(DATA)))
    assert generated("voc12/deeplab", "train")[1:] == without_strict_dim(wanted)[1:]


def test_deeplab_test_net():
    wanted = parsed(released.new_text(released.deeplab_test(DATA)))
    *layers, silence = generated("voc12/deeplab", "test")
    assert layers[1:] == in_use(wanted)[1:]
    assert (silence["type"], silence["bottom"]) == ("Silence", ["label"])
    assert generated("voc12/deeplab", "deploy")[1:] == layers[1:]


@pytest.mark.parametrize(
    ("model", "fc6"),
    [
        ("deeplab_7x7", {"num_output": 4096, "kernel_size": [7], "pad": [12], "dilation": [4]}),
        ("deeplab_4x4", {"num_output": 4096, "kernel_size": [4], "pad": [12], "dilation": [8]}),
    ],
)
@pytest.mark.parametrize("role", ["train", "test"])
def test_other_fields_of_view_differ_in_fc6_alone(model, fc6, role):
    layers, narrow = generated(f"voc12/{model}", role), generated("voc12/deeplab", role)
    (place,) = [i for i, layer in enumerate(narrow) if layer["name"] == "fc6"]
    assert layers[place]["convolution_param"] == fc6
    layers[place] = narrow[place]
    assert layers == narrow


def layer(name, kind, bottoms, top=None, body="", multipliers=()):
    """One layer's text; its top bears its name unless another is given, and none if that is empty."""
    ends = [f'bottom: "{bottom}"' for bottom in bottoms.split()]
    ends += [f'top: "{top}"' for top in ([name] if top is None else top.split())]
    params = [f"param {{ lr_mult: {lr} decay_mult: {decay} }}" for lr, decay in multipliers]
    return f'layer {{ name: "{name}" type: "{kind}" {" ".join(ends)} {" ".join(params)} {body} }}\n'


def conv(name, bottom, body, multipliers):
    return layer(name, "Convolution", bottom, body=f"convolution_param {{ {body} }}", multipliers=multipliers)


def relu(name, top):
    return layer(name, "ReLU", top, top)


def dropout(name, top):
    return layer(name, "Dropout", top, top, "dropout_param { dropout_ratio: 0.5 }")


def branch(name, stride):
    """A side branch: two hidden layers and the scores."""
    text = ""
    std = 0.005 if name == "pool4" else 0.001
    for part, bottom, shape, fill in (
        ("conv", name, f"kernel_size: 3 pad: 1 stride: {stride}", 0.001),
        ("fc", f"{name}_conv", "kernel_size: 1", std),
    ):
        own = f"{name}_{part}"
        text += conv(own, bottom, f"num_output: 128 {shape} {GAUSSIAN.format(fill)}", ONES)
        text += relu(f"relu_{own}", own) + dropout(f"drop_{own}", own)
    scores = "" if name == "pool3" else GAUSSIAN.format(0.01)
    return text + conv(f"{name}_ms", f"{name}_fc", f"num_output: 21 kernel_size: 1 {scores}", ONES)


def msc(strides, frozen, deep, scores):
    """Data branch, trunk with its branches, head and scores; deep: the layers after pool5."""
    text, bottom = branch("data", strides[0]), "data"
    for block, (count, channels) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        for i in range(1, count + 1):
            shape = "pad: 2 dilation: 2" if block == 5 else "pad: 1"
            text += conv(f"conv{block}_{i}", bottom, f"num_output: {channels} kernel_size: 3 {shape}", frozen)
            text += relu(f"relu{block}_{i}", bottom := f"conv{block}_{i}")
        body = f"pooling_param {{ pool: MAX kernel_size: 3 stride: {2 if block < 4 else 1} pad: 1 }}"
        text += layer(f"pool{block}", "Pooling", bottom, body=body)
        bottom = f"pool{block}"
        text += branch(bottom, strides[block]) if block < 5 else ""
    return text + deep + scores


AVERAGE = layer("pool5a", "Pooling", "pool5", body="pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 }")


def deep(bottom, fc6, fc7, frozen):
    text = conv("fc6", bottom, fc6, frozen) + relu("relu6", "fc6") + dropout("drop6", "fc6")
    return text + conv("fc7", "fc6", fc7, frozen) + relu("relu7", "fc7") + dropout("drop7", "fc7")


FULL = ("num_output: 4096 kernel_size: 4 pad: 6 dilation: 4", "num_output: 4096 kernel_size: 1")
LARGE = ("num_output: 1024 kernel_size: 3 pad: 12 dilation: 12", "num_output: 1024 kernel_size: 1")
FC8 = f"num_output: 21 kernel_size: 1 {GAUSSIAN.format(0.01)}"
MAPS = "data_ms pool1_ms pool2_ms pool3_ms pool4_ms"
NETS = {
    "msc": lambda strides: msc(
        strides, FROZEN, deep("pool5", *FULL, FROZEN), conv("fc8_pascal", "fc7", FC8, ONES)
    ),
    "msc_largefov": lambda strides: msc(
        strides, WITH_DECAY, AVERAGE + deep("pool5a", *LARGE, WITH_DECAY), conv("fc8_voc12", "fc7", FC8, WITH_DECAY)
    ),
}  # fmt: skip


@pytest.mark.parametrize(("model", "scores"), [("msc", "fc8_pascal"), ("msc_largefov", "fc8_voc12")])
def test_msc_train_net(model, scores):
    text = NETS[model]((8, 4, 2, 1, 1)) + layer("fc_fusion", "Eltwise", f"{MAPS} {scores}")
    text += layer("label_shrink", "Interp", "label", body="interp_param { shrink_factor: 8 }")
    text += layer(
        "loss",
        "SoftmaxWithLoss",
        "fc_fusion label_shrink",
        "",
        "include { phase: TRAIN } loss_param { ignore_label: 255 }",
    )
    text += layer("accuracy", "SegAccuracy", "fc_fusion label_shrink", body="seg_accuracy_param { ignore_label: 255 }")
    assert generated(f"voc12/{model}", "train")[1:] == parsed(text)


@pytest.mark.parametrize(("model", "scores"), [("msc", "fc8_pascal"), ("msc_largefov", "fc8_voc12")])
def test_msc_test_net(model, scores):
    text = NETS[model]((1, 1, 1, 1, 1))
    for name, bottom, factor in (
        *(("pool1", "pool1_ms", 2), ("pool2", "pool2_ms", 4), ("pool3", "pool3_ms", 8)),
        *(("pool4", "pool4_ms", 8), ("fc8", scores, 8)),
    ):
        text += layer(f"{name}_interp", "Interp", bottom, body=f"interp_param {{ zoom_factor: {factor} }}")
    maps = "data_ms pool1_interp pool2_interp pool3_interp pool4_interp fc8_interp"
    text += layer("fc_fusion", "Eltwise", maps)
    assert generated(f"voc12/{model}", "deploy")[1:] == in_use(parsed(text))
    *layers, accuracy = generated(f"voc12/{model}", "test", feature_dir="features")[1:]
    assert layers[:-1] == in_use(parsed(text))
    assert (layers[-1]["type"], layers[-1]["bottom"]) == ("MatWrite", ["fc_fusion"])
    assert (accuracy["bottom"], accuracy["seg_accuracy_param"]) == (
        ["fc_fusion", "label"],
        {"ignore_label": [255], "reset": False},
    )


def test_nets_that_start_from_coco_are_those_without():
    for one, other in (("largefov_coco", "largefov_v1"), ("msc_largefov_coco", "msc_largefov")):
        for role in ("train", "train2", "test", "deploy"):
            assert generated(f"voc12/{one}", role) == generated(f"voc12/{other}", role)


def test_the_scores_of_other_data_sets_have_their_names():
    assert any(layer["name"] == "fc8_cityscapes" for layer in generated("cityscapes/deeplab", "deploy"))


@pytest.mark.parametrize(
    ("model", "stage1", "stage2"),
    [
        ("deeplab", (6000, 0.001, 2000, 1), (12000, 0.01, 3000, 1)),
        ("msc", (6000, 0.001, 2000, 1), (8000, 0.001, 2000, 1)),
        ("msc_largefov", (6000, 0.001, 2000, 10), (8000, 0.001, 2000, 10)),
        ("msc_largefov_coco", (6000, 0.001, 2000, 10), (8000, 0.001, 2000, 10)),
        ("largefov_coco", (6000, 0.001, 2000, 1), (8000, 0.001, 2000, 1)),
    ],
)
def test_solvers(model, stage1, stage2):
    for solver, values in zip(solvers(f"voc12/{model}"), (stage1, stage2), strict=True):
        assert (solver.max_iter, round(solver.base_lr, 6), solver.stepsize, solver.average_loss) == values
        assert (solver.lr_policy, solver.snapshot, solver.display) == ("step", 2000, 10)


# -- MSc on a net that was trained from random weights


@pytest.fixture
def narrow_msc(tmp_path):
    """MSc-LargeFOV with batch normalization, statistics of 1, and its parameters before a forward and backward pass."""
    net = narrow_net(tmp_path, "voc12/msc_largefov", "train", width=0.25, batch_norm=True, scale=1 / 58)
    net.blobs["data"].data[...] /= 58
    for name, blobs in net.params.items():
        if net.layer_dict[name].type == "BatchNorm":
            blobs[1].data[...] = blobs[2].data[...] = 1
    before = {name: [blob.data.copy() for blob in blobs] for name, blobs in net.params.items()}
    net.forward()
    net.backward()
    return net, before


def test_what_is_frozen_keeps_its_statistics_and_the_branches_learn(narrow_msc):
    net, before = narrow_msc
    moved = {n for n, blobs in before.items() if not all(map(np.array_equal, blobs, [b.data for b in net.params[n]]))}
    assert moved == {f"bn_{depth}_{part}" for depth in DEPTHS for part in ("conv", "fc")}
    wanted = {f"{depth}_{part}" for depth in DEPTHS for part in ("conv", "fc", "ms")}
    # no gradient passes pool3_ms before it has left zero
    assert {name for name in wanted if not np.any(net.params[name][0].diff)} == {"pool3_conv", "pool3_fc"}


def test_branches_start_as_strong_as_other_layers(narrow_msc):
    """The release's fillers fit features in the hundreds; on these the branches would be ten thousand times weaker."""
    net, _ = narrow_msc
    for depth in set(DEPTHS) - {"pool3"}:
        assert net.blobs[f"{depth}_ms"].data.std() > 0.01
