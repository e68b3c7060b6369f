"""DeepLab v3 as the paper describes it: strides, rates, pyramid, and BatchNorm by stages."""

import numpy as np
import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.nets import VARIANTS, GeneratorOptions, generate, starts_from
from net_facts import REPOSITORY, generated, in_use, solvers
from zoo_nets import narrow_net, without_gradient


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def by_name(layers):
    return {layer["name"]: layer for layer in layers}


def convolution(layers, name):
    """Stride and dilation of a convolution, whose padding must keep its size."""
    own = layers[name]["convolution_param"]
    rate = own.get("dilation", [1])
    if own["kernel_size"] == [3]:
        assert own["pad"] == rate
    return own.get("stride", [1])[0], rate[0]


@pytest.mark.parametrize(
    ("model", "strides", "rates"),
    [
        ("v3_resnet50_block7_os8", (1, 2, 1, 1, 1, 1, 1), (1, 1, 2, 4, 8, 16, 32)),
        ("v3_resnet50_block7", (1, 2, 2, 1, 1, 1, 1), (1, 1, 1, 2, 4, 8, 16)),
        ("v3_resnet50_block7_os32", (1, 2, 2, 2, 1, 1, 1), (1, 1, 1, 1, 2, 4, 8)),
        ("v3_resnet50_block7_os128", (1, 2, 2, 2, 2, 2, 1), (1, 1, 1, 1, 1, 1, 2)),
        ("v3_resnet50_block7_os256", (1, 2, 2, 2, 2, 2, 2), (1, 1, 1, 1, 1, 1, 1)),
        ("v3_resnet101_block4", (1, 2, 2, 1), (1, 1, 1, 2)),
        ("v3_resnet101_block5", (1, 2, 2, 1, 1), (1, 1, 1, 2, 4)),
    ],
)
def test_strides_end_where_rates_begin(model, strides, rates):
    layers = by_name(generated(f"voc12/{model}", "train"))
    stages = range(2, 2 + len(strides))
    assert [convolution(layers, f"res{i}a_branch2a")[0] for i in stages] == list(strides)
    for block in "abc":
        names = [f"res{i}b{'abc'.index(block)}" if f"res{i}b1_branch2b" in layers else f"res{i}{block}" for i in stages]
        names = [name.replace("b0", "a") for name in names]
        assert [convolution(layers, f"{name}_branch2b")[1] for name in names] == list(rates)
    assert f"res{2 + len(strides)}a_branch2a" not in layers


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("v3_resnet101_block4_mg124", {5: (2, 4, 8)}),  # the paper's example, §3.2.1
        ("v3_resnet101_block7_mg121", {5: (2, 4, 2), 6: (4, 8, 4), 7: (8, 16, 8), 8: (16, 32, 16)}),
        ("v3_resnet101_block5_mg222", {5: (4, 4, 4), 6: (8, 8, 8)}),
    ],
)
def test_multi_grid_multiplies_the_rates_from_block4_on(model, wanted):
    layers = by_name(generated(f"voc12/{model}", "train"))
    for stage, rates in wanted.items():
        assert tuple(convolution(layers, f"res{stage}{b}_branch2b")[1] for b in "abc") == rates
    assert {convolution(layers, f"res4b{i}_branch2b")[1] for i in range(1, 23)} == {1}


def test_copies_of_res5_project_nothing():
    fine, coarse = (by_name(generated(f"voc12/v3_resnet50_block7{os}", "train")) for os in ("", "_os256"))
    assert "res5a_branch1" in fine and "res6a_branch1" not in fine
    assert fine["res6a"]["bottom"] == ["res5c", "res6a_branch2c"]
    subsampled = {"pool": 0, "kernel_size": 1, "stride": 2}
    assert coarse["res6a_branch1"]["type"] == "Pooling"
    assert coarse["res6a_branch1"]["pooling_param"].items() <= subsampled.items()


@pytest.mark.parametrize(("role", "factor", "zoom"), [("train", 1, 16), ("train2", 2, 8), ("test", 1, 16)])
def test_pyramid(role, factor, zoom):
    layers = by_name(generated("voc12/v3_resnet101_aspp", role))
    branches = ["aspp0", "aspp1", "aspp2", "aspp3", "image_pooling"]
    assert [convolution(layers, name)[1] for name in branches] == [1, 6 * factor, 12 * factor, 18 * factor, 1]
    for name in [*branches, "concat_projection"]:
        own = layers[name]["convolution_param"]
        assert own["num_output"] == 256 and own["bias_term"] is False
        assert layers[f"bn_{name}"]["bottom"] == layers[f"scale_{name}"]["top"] == [name]
        assert layers[f"{name}_relu"]["type"] == "ReLU"
    assert [layers[name]["bottom"] for name in branches] == [["res5c"]] * 4 + [["image_pool"]]
    assert layers["image_pool"]["pooling_param"] == {"pool": 1, "global_pooling": True}
    assert layers["aspp_concat"]["bottom"] == [*branches[:4], "image_features"]
    assert layers["concat_projection"]["bottom"] == ["aspp_concat"]
    assert layers["fc1_voc12"]["bottom"] == ["concat_projection"]
    assert layers["fc1_interp"]["interp_param"] == {"zoom_factor": zoom}


def test_a_fourth_branch_and_none_of_the_image():
    layers = by_name(generated("voc12/v3_resnet101_aspp_mg124_rate24", "train"))
    assert convolution(layers, "aspp4") == (1, 24)
    assert layers["aspp_concat"]["bottom"] == ["aspp0", "aspp1", "aspp2", "aspp3", "aspp4"]


def test_losses_are_on_labels_as_they_are():
    for role in ("train", "train2"):
        layers = by_name(generated("voc12/v3_resnet101_aspp", role))
        assert layers["loss"]["bottom"] == layers["accuracy"]["bottom"] == ["fc1_interp", "label"]


def test_batch_norm_learns_in_stage_1_and_stays_in_stage_2():
    first, second = (by_name(generated("voc12/v3_resnet101_aspp", role)) for role in ("train", "train2"))
    for key in ("_conv1", "4b7_branch2b", "_aspp1", "_concat_projection"):
        assert first[f"bn{key}"]["batch_norm_param"] == {"moving_average_fraction": pytest.approx(0.9997)}
        assert second[f"bn{key}"]["batch_norm_param"] == {"use_global_stats": True}
        assert [row["lr_mult"] for row in first[f"bn{key}"]["param"]] == [0, 0, 0]
        assert first[f"scale{key}"]["param"] == [{"decay_mult": 0}] * 2
        assert [row["lr_mult"] for row in second[f"scale{key}"]["param"]] == [0, 0]
    assert first.keys() == second.keys()


def test_deploy_net_is_the_test_net():
    test, deploy = (in_use(generated("voc12/v3_resnet101_aspp", role)) for role in ("test", "deploy"))
    assert deploy[1:] == test[1:-1]


def test_data_and_solvers():
    data = generated("voc12/v3_resnet101_aspp", "train")[0]
    assert data["transform_param"]["crop_size"] == 513 and data["image_data_param"]["batch_size"] == 16
    factors = data["transform_param"]["scale_factors"]
    assert (min(factors), max(factors)) == (0.5, 2) and data["transform_param"]["mirror"]
    second = generated("voc12/v3_resnet101_aspp", "train2")[0]
    assert second["image_data_param"]["source"].endswith("/trainval.txt")
    stages = [(s.base_lr, s.lr_policy, s.max_iter) for s in solvers("voc12/v3_resnet101_aspp")]
    assert stages == [(pytest.approx(0.007), "poly", 30000), (pytest.approx(0.001), "poly", 30000)]
    assert len(solvers("voc12/v3_resnet101_block5")) == 1
    (city,) = {s.max_iter for s in solvers("cityscapes/v3_resnet101_aspp")}
    assert city == 90000
    assert generated("cityscapes/v3_resnet101_aspp", "train")[0]["transform_param"]["crop_size"] == 769


@pytest.mark.parametrize(
    ("model", "stride", "batch", "crop"),
    [
        ("v3_resnet101_aspp", 16, 16, 513),
        ("v3_resnet101_aspp_os8", 8, 6, 513),
        ("v3_resnet101_aspp_os32", 32, 24, 513),
        ("v3_resnet101_aspp_b4", 16, 4, 513),
        ("v3_resnet101_aspp_b8", 16, 8, 513),
        ("v3_resnet101_aspp_b12", 16, 12, 513),
        ("v3_resnet101_aspp_crop321", 16, 16, 321),
    ],
)
def test_output_strides_batches_and_crops_of_tables_8_to_10(model, stride, batch, crop):
    layers = by_name(generated(f"voc12/{model}", "train"))
    data = layers["data"]
    assert data["image_data_param"]["batch_size"] == batch and data["transform_param"]["crop_size"] == crop
    assert layers["fc1_interp"]["interp_param"] == {"zoom_factor": stride}
    (solver,) = solvers(f"voc12/{model}")[:1]
    assert (solver.max_iter, solver.lr_policy, solver.base_lr) == (30000, "poly", pytest.approx(0.007))
    assert data["image_data_param"]["source"].endswith("/train_aug.txt")


def test_labels_may_shrink_to_the_scores_instead():
    plain, other = (by_name(generated(f"voc12/v3_resnet101_aspp{end}", "train")) for end in ("", "_no_upsampling"))
    assert other["loss"]["bottom"] == other["accuracy"]["bottom"] == ["fc1_voc12", "label_shrink"]
    assert other["label_shrink"]["interp_param"] == {"shrink_factor": 16}
    assert plain.keys() - other.keys() == {"fc1_interp"} and other.keys() - plain.keys() == {"label_shrink"}
    test = [generated(f"voc12/v3_resnet101_aspp{end}", "test") for end in ("", "_no_upsampling")]
    assert test[0] == test[1]


def test_batch_norm_of_imagenets_layers_may_stay_fixed():
    layers = by_name(generated("voc12/v3_resnet101_aspp_bn_fixed", "train"))
    for key in ("_conv1", "4b7_branch2b", "5c_branch2c"):
        assert layers[f"bn{key}"]["batch_norm_param"] == {"use_global_stats": True}
        assert [row["lr_mult"] for row in layers[f"scale{key}"]["param"]] == [0, 0]
    for key in ("_aspp0", "_image_pooling", "_concat_projection"):
        assert layers[f"bn{key}"]["batch_norm_param"] == {"moving_average_fraction": pytest.approx(0.9997)}
        assert layers[f"scale{key}"]["param"] == [{"decay_mult": 0}] * 2


def test_the_net_for_vocs_server_is_a_chain():
    """COCO; train_aug from 0.0001; then trainval with hard images twice, as stage 2 of a net that has one."""
    assert starts_from("voc12/v3_resnet101_aspp_coco_hard") == "voc12/v3_resnet101_aspp_coco"
    assert starts_from("voc12/v3_resnet101_aspp_coco") == "coco/v3_resnet101_aspp"
    ((first,), (last,)) = (solvers(f"voc12/v3_resnet101_aspp_{end}") for end in ("coco", "coco_hard"))
    assert (first.base_lr, first.max_iter) == (pytest.approx(0.0001), 30000)
    assert (last.base_lr, last.max_iter) == (pytest.approx(0.001), 30000)
    ours, stage2 = (
        generated("voc12/v3_resnet101_aspp_coco_hard", "train"),
        generated("voc12/v3_resnet101_aspp", "train2"),
    )
    assert ours[0]["image_data_param"].pop("source").endswith("/trainval_hard.txt")
    assert stage2[0]["image_data_param"].pop("source").endswith("/trainval.txt")
    assert ours == stage2
    test = by_name(generated("voc12/v3_resnet101_aspp_coco_hard", "test"))
    assert test["fc1_interp"]["interp_param"] == {"zoom_factor": 8}


def test_cityscapes_with_coarse_labels():
    data = generated("cityscapes/v3_resnet101_aspp_coarse", "train")[0]
    (solver,) = solvers("cityscapes/v3_resnet101_aspp_coarse")
    assert data["image_data_param"]["source"].endswith("/trainval_coarse.txt")
    assert data["transform_param"]["crop_size"] == 769 and solver.max_iter == 90000


def test_numbers_of_parameters():
    # ResNet-50 and -101 have 25,557,032 and 44,549,160, of which 2,049,000 are ImageNet's classifier.
    for model, whole in (("v3_resnet50_block4", 25_557_032), ("v3_resnet101_block4", 44_549_160)):
        assert VARIANTS[model].parameters == whole - 2_049_000 + 2048 * 21 + 21


# -- run


def open_blocks(net):
    """Slopes of 1 at the end of each block; from 0, where they start, no gradient flows into the block."""
    for name in net.params:
        if name.startswith("scale") and name.endswith("branch2c"):
            net.params[name][0].data[...] = 1


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The weights of a narrow stage 1 after one forward pass of the pyramid's net, and its loss's top."""
    folder = tmp_path_factory.mktemp("v3")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        net = narrow_net(folder, "voc12/v3_resnet50_aspp", "train", batch_size=3)
    open_blocks(net)
    net.forward()
    net.save(str(folder / "a.caffemodel"))
    return folder / "a.caffemodel"


def test_gradients_reach_every_layer_in_both_stages(tmp_path, trained):
    net = narrow_net(tmp_path, "voc12/v3_resnet50_aspp", "train", batch_size=3)
    open_blocks(net)
    net.forward()
    net.backward()
    assert {name for name in without_gradient(net) if not name.startswith("bn")} == set()
    net = narrow_net(tmp_path, "voc12/v3_resnet50_aspp", "train2", batch_size=3)
    assert set(net.copy_from(str(trained))) == set(net.params)
    net.forward()
    net.backward()
    assert {name for name in without_gradient(net) if not name.startswith(("bn", "scale"))} == set()


def test_one_set_of_weights_at_every_output_stride(tmp_path, trained):
    sizes = {}
    for stride in (4, 8, 16, 32):
        net = narrow_net(tmp_path, "voc12/v3_resnet50_aspp", "test", 65, test_output_stride=stride)
        assert set(net.copy_from(str(trained))) == set(net.params)
        assert net.forward()["fc1_interp"].shape == (1, 21, 65, 65)
        sizes[stride] = net.blobs["fc1_voc12"].shape[2:]
    assert sizes == {4: (17, 17), 8: (9, 9), 16: (5, 5), 32: (3, 3)}


def test_image_features_are_the_mean_everywhere_at_any_size(tmp_path, trained):
    net = narrow_net(tmp_path, "voc12/v3_resnet50_aspp", "deploy")
    net.copy_from(str(trained))
    net.blobs["data"].reshape(1, 3, 49, 81)
    net.blobs["data"].data[...] = np.random.default_rng(0).normal(0, 50, (1, 3, 49, 81))
    assert net.forward()["fc1_interp"].shape == (1, 21, 49, 81)
    mean, features = net.blobs["image_pooling"].data, net.blobs["image_features"].data
    assert features.shape == (1, 8, 4, 6) and (features == mean).all()
    np.testing.assert_allclose(net.blobs["image_pool"].data[0, :, 0, 0], net.blobs["res5c"].data[0].mean((1, 2)), 1e-5)


def test_what_output_strides_cannot_be():
    with pytest.raises(InputError, match="test_output_stride: got 64; this net reduces by 32 at most"):
        generate("voc12/v3_resnet50_aspp", GeneratorOptions(test_output_stride=64))
    with pytest.raises(InputError, match=r"test_output_stride 32: size of the test net: got 49; wanted 32k \+ 1"):
        generate("voc12/v3_resnet50_aspp", GeneratorOptions(test_output_stride=32, test_crop=49))
    with pytest.raises(InputError, match="test_output_stride: got 12; wanted one of"):
        GeneratorOptions(test_output_stride=12)
