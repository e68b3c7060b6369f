"""Class weights: a weight of 1 for each class is no weight at all, others scale the loss of each label."""

import json
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import caffe, cli
from deeplab_caffe.data import Dataset, write_label
from deeplab_caffe.data.class_weights import frequencies, inverse_frequency, median_frequency, read_weights
from deeplab_caffe.data.label_statistics import LabelCounts
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.infogain import read_diagonal, write_diagonal
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.nets import GeneratorOptions, generate
from deeplab_caffe.nets.weak_supervision import VARIANTS as WEAK

CLASSES = ("ground", "road", "car", "tram")


def counts(*rows, ignore=255, classes=CLASSES):
    files = np.zeros((len(rows), 256), np.uint32)
    for row, values in zip(files, rows, strict=True):
        for value, pixels in values.items():
            row[value] = pixels
    return LabelCounts("list 'train'", files, classes, ignore)


COUNTED = counts({0: 60, 1: 30, 255: 10}, {0: 80, 2: 20})


# -- the weights


def test_frequencies_are_of_the_images_that_have_the_class():
    assert frequencies(COUNTED).tolist() == [140 / 200, 30 / 100, 20 / 100, 0]


def test_median_frequency_balancing():
    """Eigen and Fergus: the median frequency divided by each; a class that no label has gets 1."""
    np.testing.assert_allclose(median_frequency(COUNTED), [0.3 / 0.7, 1, 0.3 / 0.2, 1])


def test_inverse_frequency_has_a_mean_of_1_over_the_pixels():
    weights = inverse_frequency(COUNTED)
    pixels = np.array([140, 30, 20, 0])
    assert weights[3] == 1
    np.testing.assert_allclose(weights[:3] * pixels[:3], 190 / 3)
    np.testing.assert_allclose((weights * pixels).sum() / pixels.sum(), 1)


def test_an_ignored_class_is_no_class():
    counted = counts({0: 50, 1: 40, 2: 10}, ignore=0)
    assert frequencies(counted)[0] == 0
    np.testing.assert_allclose(median_frequency(counted), [1, 0.25 / 0.4, 0.25 / 0.1, 1])
    np.testing.assert_allclose(inverse_frequency(counted), [1, 25 / 40, 25 / 10, 1])


@pytest.mark.parametrize(
    ("name", "content"),
    [("w.json", "[1, 2, 0.5, 0]"), ("w.json", '{"tram": 0, "car": 0.5, "ground": 1, "road": 2}'), ("w.npy", None)],
)
def test_weights_from_a_file(name, content, tmp_path):
    if content is None:
        np.save(tmp_path / name, np.array([1, 2, 0.5, 0], np.float32))
    else:
        (tmp_path / name).write_text(content)
    assert read_weights(tmp_path / name, CLASSES).tolist() == [1, 2, 0.5, 0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1, 2]", "has 2 weights; expected 4"),
        ('{"ground": 1, "road": 1, "car": 1}', "no weight for tram"),
        ('{"groud": 1}', "'groud' is not a class; did you mean 'ground'"),
        ("[1, 2, -1, 1]", "the weight of car is -1; expected a number, 0 or more"),
        ("[1, 2, NaN, 1]", "the weight of car is nan"),
        ("[1, 2, 1e39, 1]", "the weight of car is 1e"),
        (f"[1, 1, 1, 1{400 * '0'}]", "the weight of tram is 10{39};"),
        ("[0, 0, 0, 0]", "all weights are 0"),
        ("[1e-50, 0, 0, 0]", "all weights are 0"),  # as float32, which the matrix has
        ('["1", 2, 3, 4]', "expected a weight for each class"),
        ("{", "not valid JSON"),
        ("[1, true, 1, 1]", "expected a weight for each class"),
    ],
)
def test_files_that_hold_no_weights_are_refused(content, words, tmp_path):
    (tmp_path / "w.json").write_text(content)
    with pytest.raises(InputError, match=f"w.json: .*{words}"):
        read_weights(tmp_path / "w.json", CLASSES)


def test_arrays_that_hold_no_weights_are_refused(tmp_path):
    np.save(tmp_path / "w.npy", np.eye(4))
    with pytest.raises(InputError, match=r"float64 of shape \(4, 4\); expected 4 numbers"):
        read_weights(tmp_path / "w.npy", CLASSES)
    np.save(tmp_path / "w.npy", np.array([print], object), allow_pickle=True)
    with pytest.raises(InputError, match="w.npy"):
        read_weights(tmp_path / "w.npy", CLASSES)


def test_the_matrix_in_its_file(tmp_path):
    path = tmp_path / "h.binaryproto"
    write_diagonal(path, [1, 2.5, 0])
    proto = schema.BlobProto.FromString(path.read_bytes())
    assert list(proto.shape.dim) == [1, 1, 3, 3]
    assert list(proto.data) == [1, 0, 0, 0, 2.5, 0, 0, 0, 0]
    assert read_diagonal(path) == [1, 2.5, 0]
    proto.data[1] = 4
    path.write_bytes(proto.SerializeToString())
    assert read_diagonal(path) is None
    path.write_bytes(b"\xff\xff")
    with pytest.raises(InputError, match="not a matrix H"):
        read_diagonal(path)
    path.write_bytes(schema.BlobProto(data=[1, 2]).SerializeToString())
    with pytest.raises(InputError, match="has 2 values; expected a square matrix"):
        read_diagonal(path)


# -- the loss

_LOSS = """
layer {{ name: 's' type: 'Input' top: 's' input_param {{ shape {{ dim: [2, 3, 4, 5] }} }} }}
layer {{ name: 'l' type: 'Input' top: 'l' input_param {{ shape {{ dim: [2, 1, 4, 5] }} }} }}
layer {{ name: 'loss' type: '{type}' bottom: 's' bottom: 'l' top: 'loss' {more}
  propagate_down: true propagate_down: false loss_weight: 1.5 loss_param {{ ignore_label: 255 {param} }} }}
force_backward: true
"""


def loss_and_gradient(tmp_path, kind, param="", weights=None, labels=None):
    more = ""
    if weights is not None:
        write_diagonal(tmp_path / "h.binaryproto", weights)
        more = f"infogain_loss_param {{ source: '{tmp_path}/h.binaryproto' }}"
    (tmp_path / "net.prototxt").write_text(_LOSS.format(type=kind, more=more, param=param))
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TRAIN)
    random = np.random.default_rng(0)
    net.blobs["s"].data[...] = 3 * random.normal(size=(2, 3, 4, 5))
    net.blobs["l"].data[...] = random.choice([0, 1, 2, 255], (2, 1, 4, 5)) if labels is None else labels
    net.forward()
    net.backward()
    return net.blobs["loss"].data.copy(), net.blobs["s"].diff.copy(), net.blobs["l"].data.copy()


@pytest.mark.parametrize(
    "modes", [("", ""), ("normalize: false", "normalization: BATCH_SIZE"), ("normalization: FULL",) * 2]
)
def test_weights_of_1_are_softmax_with_loss(modes, tmp_path):
    plain, weighted = modes
    before = loss_and_gradient(tmp_path, "SoftmaxWithLoss", plain)
    after = loss_and_gradient(tmp_path, "InfogainLoss", weighted, [1, 1, 1])
    np.testing.assert_allclose(after[0], before[0], rtol=1e-6)
    np.testing.assert_allclose(after[1], before[1], rtol=1e-6, atol=1e-8)
    assert not after[1][np.broadcast_to(after[2] == 255, after[1].shape)].any()


def test_weights_scale_the_loss_of_each_label(tmp_path):
    weights = np.array([0.5, 2, 0])
    before = loss_and_gradient(tmp_path, "SoftmaxWithLoss")
    loss, gradient, labels = loss_and_gradient(tmp_path, "InfogainLoss", weights=weights)
    factor = np.append(weights, [0] * 253)[labels.astype(int)]
    np.testing.assert_allclose(gradient, factor * before[1], rtol=1e-5, atol=1e-7)
    only = [loss_and_gradient(tmp_path, "SoftmaxWithLoss", labels=np.where(labels == c, c, 255))[0] for c in range(3)]
    pixels = [(labels == c).sum() for c in range(3)]
    expected = sum(w * o * n for w, o, n in zip(weights, only, pixels, strict=True)) / sum(pixels)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_a_matrix_that_is_not_finite_is_refused(tmp_path):
    with pytest.raises(InputError, match="the matrix H, source: .* has values that are not finite"):
        loss_and_gradient(tmp_path, "InfogainLoss", weights=[1, np.nan, 0])


def test_all_pixels_ignored(tmp_path):
    loss, gradient, _ = loss_and_gradient(tmp_path, "InfogainLoss", weights=[1, 2, 3], labels=255)
    assert loss == 0 and not gradient.any()


_LEARNER = """
layer {{ name: 'x' type: 'Input' top: 'x' input_param {{ shape {{ dim: [1, 1, 40, 50] }} }} }}
layer {{ name: 'l' type: 'Input' top: 'l' input_param {{ shape {{ dim: [1, 1, 40, 50] }} }} }}
layer {{ name: 's' type: 'Convolution' bottom: 'x' top: 's' convolution_param {{ num_output: 2 kernel_size: 1 }} }}
layer {{ name: 'loss' type: '{type}' bottom: 's' bottom: 'l' top: 'loss' loss_param {{ ignore_label: 255 }} {more} }}
"""
_SOLVER = "net: 'net.prototxt' base_lr: 0.5 lr_policy: 'fixed' max_iter: 150 random_seed: 1"


def recall(kind, more=""):
    """Recall of both classes, of which 4 % of the pixels are the second, after a short training."""
    random = np.random.default_rng(0)
    labels = (random.random((1, 1, 40, 50)) < 0.04).astype(np.float32)
    Path("net.prototxt").write_text(_LEARNER.format(type=kind, more=more))
    Path("solver.prototxt").write_text(_SOLVER)
    solver = caffe.SGDSolver("solver.prototxt")
    solver.net.blobs["l"].data[...] = labels
    solver.net.blobs["x"].data[...] = labels + random.normal(scale=0.8, size=labels.shape)
    solver.step(150)
    answers = solver.net.blobs["s"].data.argmax(1, keepdims=True)
    return [(answers[labels == c] == c).mean() for c in (0, 1)], [(labels == c).sum() for c in (0, 1)]


def test_a_rare_class_is_learned_with_weights_and_missed_without(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain, pixels = recall("SoftmaxWithLoss")
    weights = median_frequency(counts(dict(enumerate(map(int, pixels))), classes=("ground", "rare")))
    write_diagonal("h.binaryproto", weights)
    weighted, _ = recall("InfogainLoss", "infogain_loss_param { source: 'h.binaryproto' }")
    assert plain[1] < 0.1 and weighted[1] > 0.6
    assert weighted[0] > 0.6  # at the cost of the frequent class


# -- nets

TOML = """
name = "toy"
root = "."
classes = ["ground", "road", "car"]
ignore_label = 11
[lists]
train = "train.txt"
trainval = "trainval.txt"
train_aug_diff_train = "train.txt"
trainval_aug_diff_train = "train.txt"
train_aug_bbox_rect = "train.txt"
trainval_aug_bbox_rect = "trainval.txt"
val = "train.txt"
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """toy.toml in an empty working folder, with two labels in train and one more in trainval."""
    monkeypatch.chdir(tmp_path)
    Path("toy.toml").write_text(TOML)
    rows = ([0] * 6 + [1] * 2, [0] * 6 + [1, 11], [2] * 8)
    for number, row in enumerate(rows):
        write_label(f"{number}.png", np.array([row], np.uint8))
    Path("train.txt").write_text("0.png 0.png\n1.png 1.png\n")
    Path("trainval.txt").write_text("0.png 0.png\n1.png 1.png\n2.png 2.png\n")
    return Dataset.read("toy.toml")


def losses(dataset, model, **options):
    files = generate(f"toy/{model}", GeneratorOptions(**options), dataset)
    nets = {
        name: to_message(Document(files[name], name), schema.NetParameter()) for name in files if "solver" not in name
    }
    return {name: [layer for layer in net.layer if "Loss" in layer.type] for name, net in nets.items()}


@pytest.mark.parametrize(
    "model",
    [
        "largefov",
        "msc_largefov",
        "scales3_attention_esupv",
        "v3_resnet50_block4",
        "dt_edgenet",
        "bbox_rect",
    ],
)
def test_every_loss_of_a_net_is_weighted(model, toy):
    plain, weighted = losses(toy, model), losses(toy, model, class_weights="inverse")
    for name, layers in weighted.items():
        assert [(p.name, p.bottom, p.include) for p in layers] == [(p.name, p.bottom, p.include) for p in plain[name]]
        for before, after in zip(plain[name], layers, strict=True):
            assert (before.type, after.type) == ("SoftmaxWithLoss", "InfogainLoss")
            stage = name.removeprefix("train").removesuffix(".prototxt")
            assert after.infogain_loss_param.source == f"prototxt/toy/{model}/class_weights{stage}.binaryproto"
            assert after.loss_param == before.loss_param and after.loss_param.ignore_label == 11


def test_fcn_divides_as_before(toy):
    for model, mode in (("fcn32s", schema.LossParameter.BATCH_SIZE), ("fcn_alexnet", schema.LossParameter.VALID)):
        (before,) = losses(toy, model)["train.prototxt"]
        (after,) = losses(toy, model, class_weights="w.json")["train.prototxt"]
        assert before.loss_param.normalize is (mode == schema.LossParameter.VALID)
        assert after.loss_param.normalization == mode and not after.loss_param.HasField("normalize")


@pytest.mark.parametrize("model", [name for name in WEAK if name not in ("bbox_rect", "bbox_seg")])
def test_nets_that_learn_from_weak_labels_refuse(model, toy):
    words = f"option class_weights: does not apply to toy/{model}: it learns from weak labels"
    with pytest.raises(InputError, match=words):
        generate(f"toy/{model}", GeneratorOptions(class_weights="inverse"), toy)


def test_command_writes_nets_and_weights_of_each_stage(toy, capsys):
    command = ["prototxt", "toy/largefov", "--data", "toy.toml", "--class-weights", "inverse", "--iterations2", "10"]
    assert cli.main(command) == 0
    shown = capsys.readouterr().out
    folder = Path("exper/toy/largefov/prototxt")
    np.testing.assert_allclose(read_diagonal(folder / "class_weights.binaryproto"), [15 / 24, 15 / 6, 1])
    np.testing.assert_allclose(
        read_diagonal(folder / "class_weights2.binaryproto"), [23 / 36, 23 / 9, 23 / 24], rtol=1e-6
    )
    assert "no label of list 'train' has car: weight 1" in shown
    header = (folder / "train.prototxt").read_text().splitlines()
    assert any("--class-weights inverse" in line for line in header)
    Path("w.json").write_text(json.dumps({"ground": 1, "road": 3, "car": 0}))
    assert cli.main([*command[:5], "w.json"]) == 0
    assert read_diagonal(folder / "class_weights.binaryproto") == [1, 3, 0]


@pytest.mark.parametrize(
    ("given", "words"),
    [("median", "which is no file; expected median-frequency, inverse"), ("bad.json", "bad.json: has 1 weights")],
)
def test_command_refuses(given, words, toy, capsys):
    Path("bad.json").write_text("[1]")
    assert cli.main(["prototxt", "toy/largefov", "--data", "toy.toml", "--class-weights", given]) == 2
    assert words in capsys.readouterr().err
    assert not Path("exper/toy/largefov/prototxt/train.prototxt").exists()


def test_missing_labels_are_said(toy, capsys):
    Path("1.png").unlink()
    assert cli.main(["prototxt", "toy/largefov", "--data", "toy.toml", "--class-weights", "inverse"]) == 2
    assert "train.txt:2" in (message := capsys.readouterr().err) and "1.png" in message
    Path("train.txt").unlink()
    assert cli.main(["prototxt", "toy/largefov", "--data", "toy.toml", "--class-weights", "inverse"]) == 2
    assert "class_weights inverse counts the labels of the list 'train'" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["binaryproto", "json", "npy"])
def test_weights_as_files(suffix, toy, capsys):
    assert cli.main(["dataset", "class-weights", "toy.toml", "-o", f"w.{suffix}"]) == 0
    frequency = [12 / 16, 3 / 16]
    expected = [np.median(frequency) / f for f in frequency] + [1]
    read = read_diagonal("w.binaryproto") if suffix == "binaryproto" else read_weights(f"w.{suffix}", toy.classes)
    np.testing.assert_allclose(read, expected, rtol=1e-6)
    assert cli.main(["dataset", "class-weights", "toy.toml", "-o", "w.txt"]) == 2
    assert "expected a file that ends in .binaryproto" in capsys.readouterr().err
