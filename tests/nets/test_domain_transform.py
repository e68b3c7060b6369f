"""DeepLab with a domain transform: EdgeNet, edges from gradients, and what the filter does to scores."""

import numpy as np
import pytest

from deeplab_caffe.nets import starts_from
from net_facts import REPOSITORY, generated, in_use
from tolerances import assert_same_sums
from zoo_nets import narrow_net, without_gradient


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def after_scores(model, role, **options):
    """The layers behind the classifier, in short: name, type and bottoms."""
    layers = generated(f"voc12/{model}", role, **options)
    names = [layer["name"] for layer in layers]
    return [(layer["name"], layer["type"], *layer["bottom"]) for layer in layers[names.index("fc8_voc12") + 1 :]]


EDGE_NET = [
    ("fc8_interp", "Interp", "fc8_voc12"),
    ("edge_conv1_2", "Convolution", "conv1_2"),
    ("edge_conv2_2", "Convolution", "conv2_2"),
    ("edge_conv2_2_interp", "Interp", "edge_conv2_2"),
    ("edge_conv3_3", "Convolution", "conv3_3"),
    ("edge_conv3_3_interp", "Interp", "edge_conv3_3"),
    ("edge", "Eltwise", "edge_conv1_2", "edge_conv2_2_interp", "edge_conv3_3_interp"),
    ("relu_edge", "ReLU", "edge"),
    ("fc8_dt", "DomainTransform", "fc8_interp", "edge", "data_dim"),
]


def test_edge_net():
    end = [("loss", "SoftmaxWithLoss", "fc8_dt", "label"), ("accuracy", "SegAccuracy", "fc8_dt", "label")]
    assert after_scores("dt_edgenet", "train") == EDGE_NET + end
    assert after_scores("dt_edgenet", "deploy") == EDGE_NET
    layers = {layer["name"]: layer for layer in generated("voc12/dt_edgenet", "train")}
    assert layers["data"]["top"] == ["data", "label", "data_dim"]
    assert [layers[f"edge_{name}_interp"]["interp_param"]["zoom_factor"] for name in ("conv2_2", "conv3_3")] == [2, 4]
    own = [layers[f"edge_{name}"]["convolution_param"] for name in ("conv1_2", "conv2_2", "conv3_3")]
    assert [(o["num_output"], o["kernel_size"], o.get("bias_term", True)) for o in own] == [
        (1, [1], True), (1, [1], False), (1, [1], False)
    ]  # fmt: skip
    assert starts_from("voc12/dt_edgenet") == "voc12/largefov_v1"


def test_edge_net_on_the_attention_net():
    ends = [("fc8_interp", "Interp", "fc_fusion"), *EDGE_NET[1:]]
    for role in ("train", "train2", "deploy"):
        layers = generated("voc12/scales3_attention_coco_dt", role)
        shown = [(layer["name"], layer["type"], *layer.get("bottom", ())) for layer in layers]
        begin = shown.index(ends[0])
        assert shown[begin : begin + len(ends)] == ends
        attention = generated("voc12/scales3_attention_coco", "deploy")
        assert in_use(layers)[begin - 3 : begin] == in_use(attention)[-4:-1]
    losses = [
        layer["bottom"] for layer in generated("voc12/scales3_attention_coco_dt", "train") if "loss" in layer["name"]
    ]
    assert losses == [["fc8_dt", "label"]]


def test_the_filter_alone_is_in_use_only():
    def body(model, role):
        return generated(f"voc12/{model}", role)[1 if role == "train" else 2 :]

    assert body("dt_gradient", "train") == body("largefov_v1", "train")
    filtered, plain = (in_use(generated(f"voc12/{model}", "deploy")) for model in ("dt_gradient", "largefov_v1"))
    assert filtered[2 : 1 + len(plain)] == plain[1:]
    assert filtered[-1]["type"] == "DomainTransformForwardOnly"
    assert filtered[-1]["domain_transform_param"]["range_sigma"] == 60
    scaled = generated("voc12/dt_gradient", "deploy", scale=0.5)
    assert scaled[-1]["domain_transform_param"]["range_sigma"] == 30


# -- run


def enlarged(maps, size):
    """Columns of (C, h, w) interpolated to `size`, corners on corners."""
    at, known = np.linspace(0, maps.shape[2] - 1, size), np.arange(maps.shape[2])
    return np.array([[np.interp(at, known, row) for row in rows] for rows in maps])


def test_edges_are_a_convolution_of_the_concatenated_features(tmp_path):
    """As in the paper: all features at the resolution of the image, and one 1x1 convolution."""
    net = narrow_net(tmp_path, "voc12/dt_edgenet", "deploy", 17)
    random = np.random.default_rng(0)
    for name in net.params:
        for blob in net.params[name]:
            blob.data[...] = random.normal(0, 0.3, blob.shape)
    net.forward()
    names = ("conv1_2", "conv2_2", "conv3_3")
    features = [net.blobs[name].data[0].astype(float) for name in names]
    full = [enlarged(enlarged(f, 17).transpose(0, 2, 1), 17).transpose(0, 2, 1) for f in features]
    weights = np.concatenate([net.params[f"edge_{name}"][0].data.ravel() for name in names])
    edge = np.tensordot(weights, np.concatenate(full), 1) + net.params["edge_conv1_2"][1].data[0]
    assert_same_sums(net.blobs["edge"].data[0, 0], np.maximum(edge, 0))


def test_gradients_reach_every_layer(tmp_path):
    net = narrow_net(tmp_path, "voc12/dt_edgenet", "train")
    net.forward()
    net.backward()
    assert without_gradient(net) == []
    assert (net.blobs["edge"].data > 0).any()


def test_edges_are_differences_to_the_pixel_before(tmp_path):
    net = narrow_net(tmp_path, "voc12/dt_gradient", "deploy")
    net.forward()
    image = net.blobs["data"].data[0].astype(float)
    wanted = np.zeros(image.shape[1:])
    wanted[:, 1:] += np.abs(np.diff(image, axis=2)).sum(0)
    wanted[1:] += np.abs(np.diff(image, axis=1)).sum(0)
    assert_same_sums(net.blobs["edge"].data[0, 0], wanted)


@pytest.mark.parametrize("model", ["dt_gradient", "dt_edgenet"])
def test_scores_that_are_the_same_everywhere_stay_so(tmp_path, model):
    net = narrow_net(tmp_path, f"voc12/{model}", "deploy")
    net.params["fc8_voc12"][1].data[...] = np.arange(21)
    scores = net.forward()["fc8_dt"]
    np.testing.assert_allclose(scores, np.broadcast_to(np.arange(21)[:, None, None], scores.shape), rtol=1e-5)


def spread(scores):
    """How much scores vary from pixel to pixel."""
    return np.abs(np.diff(scores, axis=3)).mean()


def test_scores_flow_where_there_is_no_edge_and_within_the_image_alone(tmp_path):
    net = narrow_net(tmp_path, "voc12/dt_gradient", "deploy")
    random = np.random.default_rng(0)
    for name in net.params:
        for blob in net.params[name]:
            blob.data[...] = random.normal(0, 0.3, blob.shape)
    net.blobs["data"].data[...] = random.normal(0, 50, net.blobs["data"].shape)
    net.blobs["data_dim"].data[...] = np.array([25, 17])
    net.forward()
    before, across_edges = net.blobs["fc8_interp"].data.copy(), net.blobs["fc8_dt"].data.copy()
    net.blobs["edge"].data[...] = 0
    net.forward(start="fc8_dt")
    without_edges = net.blobs["fc8_dt"].data
    inside = np.s_[:, :, :25, :17]
    assert spread(without_edges[inside]) < 0.1 * spread(before[inside])
    assert spread(across_edges[inside]) > 0.5 * spread(before[inside])
    outside = np.ones(before.shape, bool)
    outside[inside] = False
    assert np.array_equal(without_edges[outside], before[outside])
