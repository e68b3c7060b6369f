"""DeepLab v2's nets: the released ResNet-101 MSC ASPP net layer by layer, and what the other rows change in it."""

from __future__ import annotations

from itertools import product, zip_longest

import numpy as np
import pytest

from deeplab_caffe.formats import schema
from deeplab_caffe.nets import starts_from
from net_facts import REPOSITORY, generated, in_use, solvers
from zoo_nets import narrow_net

SCALES = ("", "_res05", "_res075")
GAUSSIAN = {"weight_filler": {"type": "gaussian", "std": pytest.approx(0.01)}}
SUM, MAX = {}, {"eltwise_param": {"operation": schema.EltwiseParameter.MAX}}
#: blocks, channels within and after, stride of the first block, atrous rate
STAGES = (
    (("2a", "2b", "2c"), 64, 256, 1, 1),
    (("3a", "3b1", "3b2", "3b3"), 128, 512, 2, 1),
    (("4a", *(f"4b{i}" for i in range(1, 23))), 256, 1024, 1, 2),
    (("5a", "5b", "5c"), 512, 2048, 1, 4),
)


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def layer(name, kind, bottoms, top=None, **fields):
    found = {"name": name, "type": kind, "bottom": bottoms.split()}
    tops = [name] if top is None else top.split()
    return found | ({"top": tops} if tops else {}) | fields


def shared(names, lr, decay=None):
    """`param` of parameters with these names, and multipliers: 1 is the default."""
    fields = [("lr_mult", lr)] + ([("decay_mult", decay)] if decay else [])
    return [{"name": name} | {key: v[i] for key, v in fields if v[i] != 1} for i, name in enumerate(names)]


def conv_bn_scale(name, key, bottom, channels, kernel, suffix, pad=0, dilation=1, stride=1):
    geometry = {"num_output": channels, "bias_term": False, "kernel_size": [kernel]}
    for field, value, default in (("pad", pad, 0), ("dilation", dilation, 1), ("stride", stride, 1)):
        geometry |= {field: [value]} if value != default else {}
    top = name + suffix
    yield layer(top, "Convolution", bottom, convolution_param=geometry, param=shared([f"{name}_0"], [1]))
    statistics = [{"name": f"bn{key}_{i}", "lr_mult": 0, "decay_mult": 0} for i in range(3)]
    yield layer(
        f"bn{key}{suffix}", "BatchNorm", top, top, batch_norm_param={"use_global_stats": True}, param=statistics
    )
    learnt = [{"name": f"scale{key}_{i}", "lr_mult": 0, "decay_mult": 0} for i in range(2)]
    yield layer(f"scale{key}{suffix}", "Scale", top, top, scale_param={"bias_term": True}, param=learnt)


def relu(name, top, suffix):
    return layer(name + suffix, "ReLU", top + suffix, top + suffix)


def trunk(suffix):
    """conv1 to res5c_relu of the image named data + suffix."""
    yield from conv_bn_scale("conv1", "_conv1", f"data{suffix}", 64, 7, suffix, pad=3, stride=2)
    yield relu("conv1_relu", "conv1", suffix)
    yield layer(f"pool1{suffix}", "Pooling", f"conv1{suffix}", pooling_param={"kernel_size": 3, "stride": 2, "pad": 1})
    bottom = "pool1"
    for blocks, mid, out, first_stride, rate in STAGES:
        for block in blocks:
            stride = first_stride if block == blocks[0] else 1
            yield from bottleneck(block, bottom, mid, out, stride, rate, suffix, block == blocks[0])
            bottom = f"res{block}"


def bottleneck(block, bottom, mid, out, stride, rate, suffix, first):
    name = f"res{block}"
    if first:
        own = (f"{name}_branch1", f"{block}_branch1", bottom + suffix, out, 1, suffix)
        yield from conv_bn_scale(*own, stride=stride)
    own = (f"{name}_branch2a", f"{block}_branch2a", bottom + suffix, mid, 1, suffix)
    yield from conv_bn_scale(*own, stride=stride)
    yield relu(f"{name}_branch2a_relu", f"{name}_branch2a", suffix)
    own = (f"{name}_branch2b", f"{block}_branch2b", f"{name}_branch2a{suffix}", mid, 3, suffix)
    yield from conv_bn_scale(*own, pad=rate, dilation=rate)
    yield relu(f"{name}_branch2b_relu", f"{name}_branch2b", suffix)
    yield from conv_bn_scale(f"{name}_branch2c", f"{block}_branch2c", f"{name}_branch2b{suffix}", out, 1, suffix)
    shortcut = f"{name}_branch1" if first else bottom
    yield layer(name + suffix, "Eltwise", f"{shortcut}{suffix} {name}_branch2c{suffix}", **SUM)
    yield relu(f"{name}_relu", name, suffix)


def aspp(suffix):
    """Four classifiers and their sum."""
    for k, rate in enumerate((6, 12, 18, 24)):
        name = f"fc1_voc12_c{k}"
        own = {"num_output": 21, "kernel_size": [3], "pad": [rate], "dilation": [rate], **GAUSSIAN}
        param = [{"name": f"{name}_w", "lr_mult": 10}, {"name": f"{name}_b", "lr_mult": 20, "decay_mult": 0}]
        yield layer(name + suffix, "Convolution", f"res5c{suffix}", convolution_param=own, param=param)
    yield layer(f"fc1_voc12{suffix}", "Eltwise", " ".join(f"fc1_voc12_c{k}{suffix}" for k in range(4)), **SUM)


def interp(name, bottom, **factors):
    return layer(name, "Interp", bottom, interp_param=factors)


def to_fusion():
    """From the copies of the image to fc_fusion."""
    yield interp("data_res05", "data", shrink_factor=2)
    yield interp("data_res075", "data", zoom_factor=3, shrink_factor=4)
    for part, suffix in product((trunk, aspp), SCALES):
        yield from part(suffix)
    yield interp("fc1_voc12_res05_interp", "fc1_voc12_res05", zoom_factor=2)
    yield interp("fc1_voc12_res075_interp", "fc1_voc12_res075", zoom_factor=4, shrink_factor=3)
    yield layer("fc_fusion", "Eltwise", "fc1_voc12 fc1_voc12_res075_interp fc1_voc12_res05_interp", **MAX)


def losses():
    yield interp("label_shrink", "label", shrink_factor=8)
    for suffix, scores, labels in (
        ("", "fc_fusion", "label_shrink"),
        ("_res1", "fc1_voc12", "label_shrink"),
        ("_res075", "fc1_voc12_res075_interp", "label_shrink"),
        ("_res05", "fc1_voc12_res05", "label_shrink16"),
    ):
        if suffix == "_res05":
            yield interp("label_shrink16", "label", shrink_factor=16)
        own = {"include": [{}], "loss_param": {"ignore_label": 255}}  # phase TRAIN is the default value
        yield layer(f"loss{suffix}", "SoftmaxWithLoss", f"{scores} {labels}", "", **own)
        yield layer(
            f"accuracy{suffix}", "SegAccuracy", f"{scores} {labels}", seg_accuracy_param={"ignore_label": [255]}
        )


@pytest.mark.parametrize(("role", "source"), [("train", "train_aug"), ("train2", "trainval_aug")])
def test_the_released_train_net(role, source):
    data, *layers = generated("voc12/resnet101_msc_aspp", role)
    check(layers, [*to_fusion(), *losses()])
    assert len(layers) + 1 == 1369
    assert sum(1 for _ in trunk("")) == 446
    assert data["transform_param"] == {
        "mirror": True,
        "crop_size": 321,
        "mean_value": pytest.approx([104.008, 116.669, 122.675]),
        "scale_factors": [0.5, 0.75, 1, 1.25, 1.5],
    }
    own = data["image_data_param"]
    assert (own.get("batch_size", 1), own["shuffle"], own["source"].split("/")[-1]) == (1, True, f"{source}.txt")


def check(layers, wanted):
    """Compare layer by layer, so that a failure shows the first one that differs."""
    for got, want in zip_longest(layers, wanted):
        assert got == want


def test_the_released_test_net():
    data, *layers = generated("voc12/resnet101_msc_aspp", "test")
    *layers, interp_layer, accuracy = layers
    check(layers, names_only(to_fusion()))
    assert interp_layer == interp("fc1_interp", "fc_fusion", zoom_factor=8)
    own = {"ignore_label": [255], "reset": False}
    assert accuracy == layer("accuracy", "SegAccuracy", "fc1_interp label", "fc1_accuracy", seg_accuracy_param=own)
    assert data["transform_param"]["crop_size"] == 513
    check(generated("voc12/resnet101_msc_aspp", "deploy")[1:], [*layers, interp_layer])


def names_only(layers):
    """In use parameters have their shared names and nothing else."""
    for item in layers:
        names = [{"name": param["name"]} for param in item.get("param", [])]
        yield from in_use([item]) if not names else [in_use([item])[0] | {"param": names}]


def test_one_scale_is_the_released_trunk_without_shared_names():
    layers = generated("cityscapes/resnet101_aspp", "deploy")[1:-1]
    for item in layers:
        item |= {key: [name.replace("cityscapes", "voc12") for name in item[key]] for key in ("bottom", "top")}
        item["name"] = item["name"].replace("cityscapes", "voc12")
        if item["name"].startswith("fc1_voc12_c"):
            assert item["convolution_param"]["num_output"] == 19
            item["convolution_param"]["num_output"] = 21
    check(layers, in_use([*trunk(""), *aspp("")]))


@pytest.mark.parametrize(
    ("model", "heads"),
    [
        ("resnet101_msc", {"num_output": 21, "kernel_size": [1]}),
        ("resnet101_msc_largefov", {"num_output": 21, "kernel_size": [3], "pad": [12], "dilation": [12]}),
    ],
)
def test_other_rows_have_one_classifier_for_each_scale(model, heads):
    layers = generated(f"voc12/{model}", "train")[1:]
    released = [*to_fusion(), *losses()]
    for suffix in SCALES:
        own = {"convolution_param": heads | GAUSSIAN}
        param = [{"name": "fc1_voc12_w", "lr_mult": 10}, {"name": "fc1_voc12_b", "lr_mult": 20, "decay_mult": 0}]
        wanted = layer(f"fc1_voc12{suffix}", "Convolution", f"res5c{suffix}", **own, param=param)
        assert layers.pop([item["name"] for item in layers].index(f"fc1_voc12{suffix}")) == wanted
    replaced = {item["name"] for suffix in SCALES for item in aspp(suffix)}
    check(layers, [item for item in released if item["name"] not in replaced])


def test_rows_that_differ_in_their_weights_or_augmentation():
    plain = generated("voc12/resnet101_msc", "train")
    assert generated("voc12/resnet101_msc_coco", "train") == plain
    augmented = generated("voc12/resnet101_msc_coco_aug", "train")
    assert augmented[0]["transform_param"].pop("scale_factors") == [0.5, 0.75, 1, 1.25, 1.5]
    assert augmented == plain


@pytest.mark.parametrize("dataset", ["pascal_context", "person_part"])
def test_msc_is_augmented_on_context_and_person_part(dataset):
    plain, augmented = (generated(f"{dataset}/resnet101_msc{end}", "train") for end in ("", "_aug"))
    factors = augmented[0]["transform_param"].pop("scale_factors")
    assert factors == [0.5, 0.75, 1, 1.25, 1.5] and plain == augmented
    assert starts_from(f"{dataset}/resnet101_msc_aug") is None
    assert starts_from(f"{dataset}/resnet101_msc_coco_aug") == "coco/resnet101_msc"


def test_cityscapes_at_half_the_size_and_with_coarse_labels():
    whole, half = (generated(f"{name}/largefov", "test")[0] for name in ("cityscapes", "cityscapes_half"))
    sizes = [(data["transform_param"]["crop_height"], data["transform_param"]["crop_width"]) for data in (whole, half)]
    assert sizes == [(1025, 2049), (513, 1025)]
    lists = {
        name: generated(f"cityscapes_half/{name}", "train")[0]["image_data_param"]["source"].rpartition("/")[2]
        for name in ("largefov", "largefov_coarse")
    }
    assert lists == {"largefov": "train.txt", "largefov_coarse": "trainval_coarse.txt"}


def test_stride_on_the_3x3_convolution():
    usual = generated("voc12/resnet101", "deploy")
    moved = generated("voc12/resnet101", "deploy", stride_on="3x3")
    changed = [(a, b) for a, b in zip(usual, moved, strict=True) if a != b]
    assert [a["name"] for a, _ in changed] == ["res3a_branch2a", "res3a_branch2b"]
    (a1, b1), (a3, b3) = [(a["convolution_param"], b["convolution_param"]) for a, b in changed]
    assert (a1.pop("stride"), b3.pop("stride")) == ([2], [2]) and (a1, a3) == (b1, b3)


def test_resnet_solvers():
    first, second = solvers("voc12/resnet101_msc_aspp")
    for solver in (first, second):
        assert (solver.lr_policy, round(solver.power, 6), round(solver.base_lr, 8)) == ("poly", 0.9, 2.5e-4)
        assert (solver.max_iter, solver.iter_size, solver.average_loss) == (20000, 10, 20)
        assert (solver.snapshot, solver.display, solver.solver_mode) == (10000, 20, schema.SolverParameter.GPU)
        assert (round(solver.momentum, 6), round(solver.weight_decay, 8)) == (0.9, 0.0005)


@pytest.mark.parametrize(
    ("model", "batch_size", "iterations"),
    [
        ("largefov_poly_b30_6k", 30, 6000),
        ("largefov_poly_b30_10k", 30, 10000),
        ("largefov_poly_b10_10k", 10, 10000),
        ("largefov", 10, 20000),
    ],
)
def test_learning_policies(model, batch_size, iterations):
    solver = solvers(f"voc12/{model}")[0]
    assert (solver.lr_policy, round(solver.base_lr, 6), solver.max_iter) == ("poly", 0.001, iterations)
    data, *layers = generated(f"voc12/{model}", "train")
    assert data["image_data_param"]["batch_size"] == batch_size
    assert layers == generated("voc12/largefov_v1", "train")[1:]


@pytest.mark.parametrize(("model", "rates"), [("aspp_s", (2, 4, 8, 12)), ("aspp_l", (6, 12, 18, 24))])
def test_aspp_on_vgg16(model, rates):
    layers = {item["name"]: item for item in generated(f"voc12/{model}", "train")}
    assert "pool5a" not in layers
    for k, rate in enumerate(rates, 1):
        fc6, fc7, fc8 = (layers[name] for name in (f"fc6_{k}", f"fc7_{k}", f"fc8_voc12_{k}"))
        own = {"num_output": 1024, "kernel_size": [3], "pad": [rate], "dilation": [rate]}
        assert (fc6["bottom"], fc6["convolution_param"]) == (["pool5"], own)
        assert fc6["param"] == fc7["param"] == [{}, {"lr_mult": 2, "decay_mult": 0}]
        assert (fc7["bottom"], fc7["convolution_param"]) == ([f"fc6_{k}"], {"num_output": 1024, "kernel_size": [1]})
        for number in (6, 7):
            blob = [f"fc{number}_{k}"]
            assert layers[f"relu{number}_{k}"]["top"] == layers[f"drop{number}_{k}"]["top"] == blob
        assert fc8["convolution_param"] == {"num_output": 21, "kernel_size": [1], **GAUSSIAN}
        assert fc8["param"] == [{"lr_mult": 10}, {"lr_mult": 20, "decay_mult": 0}]
    total = layers["fc8_voc12"]
    assert (total["type"], total["bottom"]) == ("Eltwise", [f"fc8_voc12_{k}" for k in range(1, 5)])
    assert layers["loss"]["bottom"] == ["fc8_voc12", "label_shrink"]
    assert generated(f"voc12/{model}", "deploy")[-1] == interp("fc8_interp", "fc8_voc12", zoom_factor=8)


def test_batch_normalization_learns_on_request():
    frozen, learning = (generated("voc12/resnet101", "train", batch_norm=flag) for flag in (False, True))
    for before, after in zip(frozen, learning, strict=True):
        if before["type"] == "BatchNorm":
            assert "batch_norm_param" not in after and after["param"] == before["param"]  # the solver keeps off
        elif before["type"] == "Scale":
            assert after["param"] == [{"decay_mult": 0}] * 2
        else:
            assert after == before
    (conv,) = [item for item in generated("voc12/resnet101", "train", from_scratch=True) if item["name"] == "conv1"]
    assert conv["convolution_param"]["weight_filler"] == {"type": "msra"}


def test_from_random_weights_features_do_not_grow_with_depth(tmp_path):
    """With slopes of 1 each of the 23 blocks of res4 adds as much again, and the classifier diverges."""
    net = narrow_net(tmp_path, "voc12/resnet101", "train", batch_norm=True)
    net.forward()
    first, last = (np.square(net.blobs[name].data).mean() for name in ("res4a", "res4b22"))
    assert last == pytest.approx(first)
    for role in ("test", "deploy"):
        layers = generated("voc12/resnet101", role, from_scratch=True)
        assert not any("filler" in item.get("scale_param", {}) for item in layers)
