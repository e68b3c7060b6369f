"""FCN's nets as released, with computed crops."""

import numpy as np
import pytest

from deeplab_caffe.nets import starts_from
from net_facts import REPOSITORY, generated, solvers
from zoo_nets import narrow_net, without_gradient

ALL = ("fcn32s", "fcn16s", "fcn8s", "fcn8s_atonce", "fcn_alexnet")


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def shape(layer):
    """What a line of the tables below says of a layer."""
    own = layer.get("convolution_param", {})
    words = [f"{key[0]}{own[key][0]}" for key in ("kernel_size", "stride") if key in own]
    words += [str(layer["crop_param"]["offset"][0])] if "crop_param" in layer else []
    words += [f"{layer['scale_param']['filler']['value']:g}"] if "scale_param" in layer else []
    return " ".join([layer["name"], layer["type"], *layer["bottom"], *words])


FIRST = ["score_fr Convolution fc7 k1"]
SKIP4 = [
    "upscore2 Deconvolution score_fr k4 s2",
    "score_pool4 Convolution pool4 k1",
    "score_pool4c Crop score_pool4 upscore2 5",
    "fuse_pool4 Eltwise upscore2 score_pool4c",
]
SKIP3 = [
    "upscore_pool4 Deconvolution fuse_pool4 k4 s2",
    "score_pool3 Convolution pool3 k1",
    "score_pool3c Crop score_pool3 upscore_pool4 9",
    "fuse_pool3 Eltwise upscore_pool4 score_pool3c",
]


def scaled(lines, pool, value):
    """The net trained at once multiplies a pool before it scores it."""
    first, score, *rest = lines
    return [first, f"scale_{pool} Scale {pool} {value}", score.replace(f" {pool} ", f" scale_{pool} "), *rest]


END = {
    "fcn32s": [*FIRST, "upscore Deconvolution score_fr k64 s32", "score Crop upscore data 19"],
    "fcn16s": [*FIRST, *SKIP4, "upscore16 Deconvolution fuse_pool4 k32 s16", "score Crop upscore16 data 27"],
    "fcn8s": [*FIRST, *SKIP4, *SKIP3, "upscore8 Deconvolution fuse_pool3 k16 s8", "score Crop upscore8 data 31"],
    "fcn8s_atonce": [
        *FIRST, *scaled(SKIP4, "pool4", "0.01"), *scaled(SKIP3, "pool3", "0.0001"),
        "upscore8 Deconvolution fuse_pool3 k16 s8", "score Crop upscore8 data 31",
    ],
    "fcn_alexnet": [*FIRST, "upscore Deconvolution score_fr k63 s32", "score Crop upscore data 18"],
}  # fmt: skip


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("role", ["train", "test"])
def test_what_follows_fc7(model, role):
    layers = generated(f"voc12/{model}", role)
    names = [layer["name"] for layer in layers]
    assert [shape(layer) for layer in layers[names.index("drop7") + 1 : -1]] == END[model]
    assert layers[-1]["type"] == ("SoftmaxWithLoss" if role == "train" else "Silence")


def test_vgg_trunk():
    layers = {layer["name"]: layer for layer in generated("voc12/fcn8s", "train")}
    pads = {name: layer["convolution_param"].get("pad", [0]) for name, layer in layers.items() if name[:4] == "conv"}
    assert len(pads) == 13 and pads.pop("conv1_1") == [100] and set(map(tuple, pads.values())) == {(1,)}
    assert not any("dilation" in layer.get("convolution_param", {}) for layer in layers.values())
    pools = [layer["pooling_param"] for name, layer in layers.items() if name[:4] == "pool"]
    assert pools == [{"kernel_size": 2, "stride": 2}] * 5
    assert layers["fc6"]["convolution_param"] == {"num_output": 4096, "kernel_size": [7]}
    # Nothing states a filler: VGG's layers start from its weights, scores at zero.
    assert not any("weight_filler" in layers[name]["convolution_param"] for name in ("conv1_1", "fc7", "score_fr"))


def test_alexnet_trunk():
    layers = {layer["name"]: layer for layer in generated("voc12/fcn_alexnet", "train")}
    order = [name for name in layers if name[:4] in ("conv", "pool", "norm") or name[:2] == "fc"]
    assert " ".join(order) == "conv1 pool1 norm1 conv2 pool2 norm2 conv3 conv4 conv5 pool5 fc6 fc7"
    first = {"num_output": 96, "kernel_size": [11], "pad": [100], "stride": [4]}
    assert layers["conv1"]["convolution_param"] == first
    assert layers["conv4"]["convolution_param"] == {"num_output": 384, "kernel_size": [3], "pad": [1], "group": 2}
    assert layers["fc6"]["convolution_param"] == {"num_output": 4096, "kernel_size": [6]}
    assert layers["norm2"]["lrn_param"] == {"alpha": pytest.approx(1e-4)}  # the rest are Caffe's defaults
    assert layers["conv1"].get("param", [{}, {}]) == [{}, {}]  # multipliers 1 and 1


@pytest.mark.parametrize("model", ALL)
def test_upsampling_is_fixed(model):
    layers = [layer for layer in generated(f"voc12/{model}", "train") if layer["type"] == "Deconvolution"]
    for layer in layers:
        assert layer["param"] == [{"lr_mult": 0, "decay_mult": 0}]
        own = layer["convolution_param"]
        assert (own["group"], own["num_output"], own["bias_term"]) == (21, 21, False)
        assert own["weight_filler"] == {"type": "bilinear"}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("voc12/fcn32s", (1e-10, 0.99, 100000, 1)),
        ("voc12/fcn16s", (1e-12, 0.99, 100000, 1)),
        ("voc12/fcn8s", (1e-14, 0.99, 100000, 1)),
        ("voc12/fcn8s_atonce", (1e-10, 0.99, 300000, 1)),
        ("voc12/fcn_alexnet", (1e-4, 0.9, 100000, 20)),
        ("pascal_context/fcn8s", (1e-14, 0.99, 300000, 1)),
    ],
)
def test_solvers(name, wanted):
    (solver,) = solvers(name)
    assert (solver.base_lr, solver.momentum, solver.max_iter, solver.iter_size) == pytest.approx(wanted)
    assert (solver.lr_policy, solver.weight_decay, solver.snapshot) == ("fixed", pytest.approx(5e-4), 4000)


def test_whole_images_one_at_a_time():
    data = generated("voc12/fcn32s", "train")[0]
    assert data["transform_param"]["crop_size"] == 500 and "mirror" not in data["transform_param"]
    assert data["image_data_param"].get("batch_size", 1) == 1


# -- run


@pytest.mark.parametrize("model", ALL)
def test_gradients_reach_every_layer_that_learns(tmp_path, model):
    net = narrow_net(tmp_path, f"voc12/{model}", "train", 41)
    for name, blobs in net.params.items():
        if name.startswith("score"):  # at zero nothing passes them
            blobs[0].data[...] = np.random.default_rng(0).normal(0, 1, blobs[0].shape)
    net.forward()
    net.backward()
    assert {name for name in without_gradient(net) if not name.startswith(("upscore", "scale"))} == set()


def test_the_loss_is_a_sum_over_pixels_or_their_mean(tmp_path):
    for model, count in (("fcn32s", 41 * 41 - 7), ("fcn_alexnet", 1)):
        net = narrow_net(tmp_path, f"voc12/{model}", "train", 41, batch_size=1)
        net.blobs["label"].data[0, 0, 0, :7] = 255
        assert net.forward()["loss"] == pytest.approx(count * np.log(21), rel=1e-5)


@pytest.mark.parametrize("model", ALL)
def test_scores_that_are_the_same_everywhere_stay_so(tmp_path, model):
    """Bilinear kernels; at the border of an image, where no more scores are, they fade out."""
    net = narrow_net(tmp_path, f"voc12/{model}", "deploy")
    sources = [name for name in net.params if name.startswith("score")]
    for name in sources:
        net.params[name][1].data[...] = np.arange(21)
    net.blobs["data"].reshape(1, 3, 150, 187)
    scores = net.forward()["score"]
    assert scores.shape == (1, 21, 150, 187)
    inside = scores[0, :, 60:90, 60:127]
    wanted = np.broadcast_to(len(sources) * np.arange(21)[:, None, None], inside.shape)
    np.testing.assert_allclose(inside, wanted, rtol=1e-5)


@pytest.mark.parametrize("model", ["fcn16s", "fcn8s"])
def test_a_finer_net_starts_from_the_coarser(tmp_path, model):
    coarse = starts_from(f"voc12/{model}")
    assert coarse == {"fcn16s": "voc12/fcn32s", "fcn8s": "voc12/fcn16s"}[model]
    before = narrow_net(tmp_path, coarse, "train", 41)
    before.save(str(tmp_path / "coarse.caffemodel"))
    net = narrow_net(tmp_path, f"voc12/{model}", "train", 41)
    new = set(net.params) - set(net.copy_from(str(tmp_path / "coarse.caffemodel")))
    assert new == set(net.params) - set(before.params)
    assert {name for name in new if not name.startswith("upscore")} == {
        "score_pool4" if "16" in model else "score_pool3"
    }
    for name in new - {f"upscore{16 if '16' in model else 8}", "upscore2", "upscore_pool4"}:
        assert not net.params[name][0].data.any()
