"""Attention to scale: one shared net on two or three scales, and the ways to merge its scores."""

import numpy as np
import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.nets import VARIANTS, GeneratorOptions, generate
from net_facts import REPOSITORY, generated, in_use, solvers
from tolerances import assert_same_sums
from zoo_nets import narrow_net, without_gradient

MERGES = ("max", "average", "attention")
#: suffixes of the copies, in the order that their scores are merged in
COPIES = {2: ("_res05",), 3: ("_res075", "_res05")}


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def by_name(layers):
    return {layer["name"]: layer for layer in layers}


@pytest.mark.parametrize("number", [2, 3])
def test_every_scale_goes_through_large_fov_with_the_same_parameters(number):
    layers = by_name(generated(f"voc12/scales{number}_max", "train"))
    wanted = in_use(generated("voc12/largefov_v1", "train")[1:-3])
    for suffix in ("", *COPIES[number]):
        branch = [layers[layer["name"] + suffix] for layer in wanted]
        for layer, plain in zip(branch, wanted, strict=True):
            assert [name.removesuffix(suffix) for name in layer["bottom"]] == plain["bottom"]
            assert in_use([layer])[0].get("convolution_param") == plain.get("convolution_param")
            shared = [f"{plain['name']}_w", f"{plain['name']}_b"] if plain["type"] == "Convolution" else []
            assert [row["name"] for row in layer.get("param", [])] == shared
    assert layers["data_res05"]["interp_param"] == {"shrink_factor": 2}
    if number == 3:
        assert layers["data_res075"]["interp_param"] == {"shrink_factor": 4, "zoom_factor": 3}


def test_attention_net():
    layers = by_name(generated("voc12/scales3_attention", "train"))
    assert layers["attention_features"]["bottom"] == ["fc7", "fc7_res075_interp", "fc7_res05_interp"]
    first, second = (layers[name]["convolution_param"] for name in ("attention1", "attention2"))
    assert (first["num_output"], first["kernel_size"], first["pad"]) == (512, [3], [1])
    assert (second["num_output"], second["kernel_size"]) == (3, [1])
    assert layers["attention"] == {
        "name": "attention", "type": "Softmax", "bottom": ["attention2"], "top": ["attention"]
    }  # fmt: skip


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("merge", MERGES)
def test_extra_supervision_adds_a_loss_for_each_scale(number, merge):
    plain, supervised = (generated(f"voc12/scales{number}_{merge}{s}", "train") for s in ("", "_esupv"))
    assert supervised[: len(plain)] == plain
    more = {layer["name"]: layer["bottom"] for layer in supervised[len(plain) :] if layer["type"] != "SegAccuracy"}
    wanted = {
        "loss_res1": ["fc8_voc12", "label_shrink"],
        "loss_res075": ["fc8_voc12_res075_interp", "label_shrink"],
        "label_shrink16": ["label"],
        "loss_res05": ["fc8_voc12_res05", "label_shrink16"],
    }
    assert more == {name: bottoms for name, bottoms in wanted.items() if number == 3 or "075" not in name}


def test_numbers_of_parameters():
    # LargeFOV, and 3x3 from the 1024 features of each scale to 512, 1x1 from these to one per scale
    assert VARIANTS["scales3_average"].parameters == 20_505_429
    assert VARIANTS["scales2_attention"].parameters == 20_505_429 + (9 * 2048 + 1) * 512 + 513 * 2
    assert VARIANTS["scales3_attention"].parameters == 20_505_429 + (9 * 3072 + 1) * 512 + 513 * 3


def test_recipe_and_sizes():
    first, second = solvers("voc12/scales3_attention_esupv")
    assert (first.base_lr, first.stepsize, first.max_iter) == (pytest.approx(0.001), 2000, 6000)
    assert generated("voc12/scales3_attention_esupv", "train")[0]["image_data_param"]["batch_size"] == 30
    assert generated("coco80/scales2_max", "train")[-3]["bottom"] == ["label"]
    with pytest.raises(InputError, match=r"option crop: got 49; wanted 32k \+ 1, such as 33 or 65"):
        generate("voc12/scales3_max", GeneratorOptions(crop=49))


# -- run


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("merge", MERGES)
def test_merging(tmp_path, number, merge):
    net = narrow_net(tmp_path, f"voc12/scales{number}_{merge}_esupv", "train", 65)
    net.forward()
    maps = [net.blobs["fc8_voc12"].data, *(net.blobs[f"fc8_voc12{s}_interp"].data for s in COPIES[number])]
    assert {m.shape for m in maps} == {(2, 21, 9, 9)}
    if merge == "attention":
        weights = net.blobs["attention"].data
        assert weights.shape == (2, number, 9, 9) and weights.min() >= 0
        np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
        merged = sum(weights[:, k : k + 1] * m for k, m in enumerate(maps))
    else:
        merged = np.max(maps, 0) if merge == "max" else np.mean(maps, 0)
    assert_same_sums(net.blobs["fc_fusion"].data, merged)
    net.backward()
    assert without_gradient(net) == []


@pytest.mark.parametrize("suffix", COPIES[3])
def test_each_scale_is_scored_where_it_lies(tmp_path, suffix):
    """A smaller copy gives the scores that the net gives an image of that size."""
    net = narrow_net(tmp_path, "voc12/scales3_max", "deploy", 65)
    for name, blobs in net.params.items():
        blobs[0].data[...] = np.random.default_rng(len(name)).normal(0, 0.2, blobs[0].shape)
    net.forward()
    copy, scores = net.blobs[f"data{suffix}"].data.copy(), net.blobs[f"fc8_voc12{suffix}"].data.copy()
    alone = narrow_net(tmp_path, "voc12/largefov_v1", "deploy", copy.shape[2])
    for name, blobs in alone.params.items():
        for blob, shared in zip(blobs, net.params[name], strict=True):
            blob.data[...] = shared.data
    alone.blobs["data"].data[...] = copy
    alone.forward()
    assert_same_sums(alone.blobs["fc8_voc12"].data, scores)
