"""Nets that learn from labels of images and from boxes: as released, and what their E-steps guess."""

import numpy as np
import pytest

from deeplab_caffe.data import read_dataset
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.nets import VARIANTS, GeneratorOptions, generate, list_names, starts_from
from net_facts import REPOSITORY, generated, solvers
from zoo_nets import narrow_net, without_gradient

EM = ("weak_em_adapt", "weak_em_fixed", "semi_em_fixed", "bbox_em_fixed", "semi_bbox_em_fixed")
IGNORE = {"loss_param": {"ignore_label": 255}}


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def layer(name, kind, bottoms, top=None, **fields):
    return {"name": name, "type": kind, "bottom": bottoms.split(), "top": [top or name], **fields}


def loss(name, bottoms, **fields):
    found = layer(name, "SoftmaxWithLoss", bottoms, propagate_down=[True, False], **IGNORE, **fields)
    return {key: value for key, value in found.items() if key != "top"}


def shrink(name, bottom):
    return layer(name, "Interp", bottom, interp_param={"shrink_factor": 8})


def accuracy(name, bottoms):
    return layer(name, "SegAccuracy", bottoms, seg_accuracy_param={"ignore_label": [255]})


def without_rules(layers):
    return [{key: value for key, value in item.items() if key != "include"} for item in layers]


def test_weak_em_adapt():
    layers = without_rules(generated("voc12/weak_em_adapt", "train"))
    names = [item["name"] for item in layers]
    assert layers[0]["top"] == ["data", "label_strong"] and layers[0]["image_data_param"]["batch_size"] == 20
    own = {"max_labels": 21, "ignore_label": [255]}
    assert layers[1] == layer("label_weak", "UniqueLabel", "label_strong", unique_label_param=own)
    fc6 = layers[names.index("fc6")]
    assert fc6["bottom"] == ["pool5"]
    wanted = {"num_output": 4096, "kernel_size": [4], "pad": [6], "dilation": [4]}
    assert fc6["convolution_param"] == wanted
    adapted = {"bg_portion": pytest.approx(0.4), "num_iter": 5}  # the rest are Caffe's defaults
    assert layers[names.index("fc8_voc12") + 1 :] == [
        shrink("label_shrink", "label_strong"),
        layer("fc8_biased", "AdaptiveBiasChannel", "fc8_voc12 label_weak", adaptive_bias_channel_param=adapted),
        layer("label_estep", "ArgMax", "fc8_biased", argmax_param={"axis": 1}),
        loss("loss", "fc8_voc12 label_estep"),
        accuracy("accuracy", "fc8_voc12 label_shrink"),
    ]


def test_semi_bbox_em_fixed():
    layers = without_rules(generated("voc12/semi_bbox_em_fixed", "train"))
    names = [item["name"] for item in layers]
    assert [item["top"] for item in layers[:2]] == [["data_strong", "label_strong"], ["data_bbox", "label_bbox"]]
    assert [item["image_data_param"]["batch_size"] for item in layers[:2]] == [15, 15]
    assert layers[2] == layer("data", "Concat", "data_strong data_bbox", concat_param={"axis": 0})
    cut = layer("fc8_slice", "Slice", "fc8_voc12", slice_param={"axis": 0, "slice_point": [15]})
    biases = {"bg_bias": 5, "fg_bias": 6, "ignore_label": [255], "label_type": schema.BiasChannelParameter.PIXEL}
    assert layers[names.index("fc8_voc12") + 1 :] == [
        {**cut, "top": ["fc8_strong", "fc8_bbox"]},
        shrink("label_shrink_strong", "label_strong"),
        loss("loss_strong", "fc8_strong label_shrink_strong", loss_weight=[pytest.approx(0.7)]),
        shrink("label_shrink_bbox", "label_bbox"),
        layer("fc8_bbox_biased", "BiasChannel", "fc8_bbox label_shrink_bbox", bias_channel_param=biases),
        layer("label_bbox_estep", "ArgMax", "fc8_bbox_biased", argmax_param={"axis": 1}),
        loss("loss_bbox", "fc8_bbox label_bbox_estep", loss_weight=[pytest.approx(0.3)]),
        accuracy("accuracy_strong", "fc8_strong label_shrink_strong"),
        accuracy("accuracy_bbox", "fc8_bbox label_shrink_bbox"),
    ]


@pytest.mark.parametrize("role", ["test", "deploy"])
@pytest.mark.parametrize("model", [name for name in VARIANTS if name.startswith(("semi_", "bbox_"))])
def test_in_use_they_are_large_fov(model, role):
    assert generated(f"voc12/{model}", role) == generated("voc12/largefov_v1", role)


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("weak_em_adapt", {"train": "train_aug", "train2": "trainval_aug"}),
        ("bbox_rect", {"train": "train_aug_bbox_rect", "train2": "trainval_aug_bbox_rect"}),
        ("bbox_seg", {"train": "train_aug_bbox_seg", "train2": "trainval_aug_bbox_seg"}),
        ("semi_em_fixed", {"train": "train", "weak": "train_aug_diff_train", "weak2": "trainval_aug_diff_train"}),
        ("semi_bbox_seg", {"train": "train", "train2": "train", "weak": "train_aug_diff_train_bbox_seg"}),
    ],
)
def test_lists(model, wanted):
    found = list_names(f"voc12/{model}", GeneratorOptions(), read_dataset("datasets/voc12.toml"))
    assert wanted.items() <= found.items() and found["test"] == "val"


def test_the_weak_list_can_be_chosen_and_must_be_there():
    second = generated("voc12/semi_em_fixed", "train", weak_set="val")[1]
    assert second["image_data_param"]["source"].endswith("/val.txt")
    with pytest.raises(InputError, match=r"part\.toml: no list train_aug_diff_train; .* name another with weak_set"):
        generate("person_part/semi_em_fixed")


def test_without_a_weak_list_for_it_there_is_no_stage_2(tmp_path):
    lists = "".join(f'{name} = "{name}.txt"\n' for name in ("train", "val", "train_aug_diff_train"))
    (tmp_path / "own.toml").write_text(f'name = "own"\nclasses = ["a", "b"]\n[lists]\n{lists}')
    dataset = read_dataset(tmp_path / "own.toml")
    found = list_names("own/semi_em_fixed", GeneratorOptions(), dataset)
    assert found == {"train": "train", "test": "val", "weak": "train_aug_diff_train"}
    asked = list_names("own/semi_em_fixed", GeneratorOptions(weak2_set="train"), dataset)
    assert (asked["train2"], asked["weak2"]) == ("train", "train")
    with pytest.raises(InputError, match="no list trainval_aug_diff_train"):
        list_names("own/semi_em_fixed", GeneratorOptions(iterations2=5), dataset)


def test_solvers():
    first, second = solvers("voc12/semi_bbox_em_fixed")
    assert (first.max_iter, first.average_loss, second.max_iter, second.average_loss) == (6000, 100, 8000, 1)
    assert starts_from("voc12/bbox_em_fixed") == "voc12/bbox_rect"


# -- run


def run(folder, model, bias=(0.0, 0.0), **options):
    """A narrow net after a forward and a backward pass; the biases of classes 0 and 1 set the level of their scores."""
    net = narrow_net(folder, f"voc12/{model}", "train", **options)
    for name, blobs in net.params.items():
        if name.startswith("fc8"):
            blobs[1].data[:2] = bias
    net.forward()
    net.backward()
    return net


@pytest.mark.parametrize("model", EM)
def test_gradients_reach_every_layer(tmp_path, model):
    assert without_gradient(run(tmp_path, model)) == []


def test_images_are_guessed_to_hold_their_labels_alone(tmp_path):
    for model in ("weak_em_fixed", "weak_em_adapt"):
        net = narrow_net(tmp_path, "voc12/" + model, "train")
        net.blobs["label_strong"].data[...] = np.array([7, 20])[:, None, None, None]
        net.blobs["label_strong"].data[:, :, 16:] = 0
        net.forward()
        for item, label in enumerate((7, 20)):
            assert set(np.unique(net.blobs["label_estep"].data[item])) <= {0, label}


def test_adapted_biases_give_each_label_its_share(tmp_path):
    net = run(tmp_path, "weak_em_adapt", bias=(30.0, 0.0), size=65)  # background would be everywhere
    guess = net.blobs["label_estep"].data
    assert (guess == 1).mean((1, 2, 3)) == pytest.approx(0.2, abs=0.15)


@pytest.mark.parametrize(("lead", "stays"), [(0.9, True), (1.1, False)])
def test_a_box_is_kept_while_background_leads_by_less_than_the_biases_differ(tmp_path, lead, stays):
    net = narrow_net(tmp_path, "voc12/bbox_em_fixed", "train")
    net.params["fc8_voc12"][0].data[...] = 0
    net.params["fc8_voc12"][1].data[0] = lead
    labels = net.blobs["label"].data
    labels[...] = 0
    labels[:, :, 8:24, 8:24] = 4
    net.forward()
    assert np.array_equal(net.blobs["label_estep"].data, net.blobs["label_shrink"].data * stays)


@pytest.mark.parametrize("model", EM)
def test_the_loss_is_that_of_the_guess(tmp_path, model):
    """Cross entropy with the guessed labels; of mixed batches .3 of it on top of .7 of that with the strong labels."""
    net = run(tmp_path, model, bias=(0.5, 0.2))
    kind = {"semi_em_fixed": "_image", "semi_bbox_em_fixed": "_bbox"}.get(model, "")
    scores = net.blobs[f"fc8{kind}" if kind else "fc8_voc12"]
    guess = net.blobs[f"label{kind}_estep"].data.astype(int)
    shifted = np.exp(scores.data - scores.data.max(1, keepdims=True))
    probabilities = shifted / shifted.sum(1, keepdims=True)
    np.put_along_axis(probabilities, guess, np.take_along_axis(probabilities, guess, 1) - 1, 1)
    weight = 0.3 if kind else 1
    np.testing.assert_allclose(scores.diff, weight * probabilities / guess.size, atol=1e-6)
