"""Options change what they say and nothing else, and come back from the command in the header."""

import argparse
import shlex
from pathlib import Path

import pytest

from deeplab_caffe.data import Dataset
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.nets import GeneratorOptions, add_arguments, command_line, from_arguments, generate
from deeplab_caffe.nets.blocks import Style

TOML = """
name = "toy"
root = "images"
classes = ["sky", "road", "car"]
ignore_label = 11
mean = [1, 2.5, 3]
{more}
[lists]
{lists}
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A function that describes a data set of three classes; the working folder is a new one."""
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()

    def describe(more="", lists="train = 'train.txt'\nval = 'val.txt'"):
        Path("toy.toml").write_text(TOML.format(more=more, lists=lists))
        return Dataset.read("toy.toml")

    return describe


def nets(dataset, **options):
    """The generated files as messages, by role."""
    files = generate("toy/largefov", GeneratorOptions(**options), dataset)
    result = {}
    for name, text in files.items():
        message = schema.SolverParameter() if "solver" in name else schema.NetParameter()
        result[name.removesuffix(".prototxt")] = to_message(Document(text, name), message)
    return result


def layer(net, name):
    (found,) = [layer for layer in net.layer if layer.name == name]
    return found


def test_another_data_set(toy):
    made = nets(toy("crop = [33, 65]\ntest_size = [361, 481]"))
    assert set(made) == {"train", "test", "deploy", "solver"}
    data = layer(made["train"], "data")
    assert (data.transform_param.crop_height, data.transform_param.crop_width) == (33, 65)
    assert not data.transform_param.HasField("crop_size")
    assert list(data.transform_param.mean_value) == [1, 2.5, 3]
    assert (data.image_data_param.source, data.image_data_param.ignore_label) == ("images/train.txt", 11)
    assert layer(made["train"], "fc8_toy").convolution_param.num_output == 3
    assert layer(made["train"], "loss").loss_param.ignore_label == 11
    assert list(layer(made["train"], "accuracy").seg_accuracy_param.ignore_label) == [11]
    assert layer(made["test"], "data").transform_param.crop_width == 481
    assert list(layer(made["deploy"], "data").input_param.shape[0].dim) == [1, 3, 361, 481]


@pytest.mark.parametrize(
    ("line", "root", "labels"),
    [
        ("/a.jpg /a.png", "images", "PIXEL"),
        ("a.jpg a.png", "images/", "PIXEL"),
        ("/a.jpg", "images", "NONE"),
        (None, "images", "PIXEL"),
    ],
)
def test_root_and_labels_follow_the_list(toy, line, root, labels):
    if line:
        Path("images/val.txt").write_text(line + "\n")
    own = layer(nets(toy())["test"], "data").image_data_param
    assert own.root_folder == root
    assert own.label_type == getattr(schema.ImageDataParameter, labels)


def test_stage_2_needs_a_list_or_a_wish(toy):
    assert "train2" not in nets(toy())
    assert "train2" in nets(toy(), train2_set="val")
    lists = "train = 'a'\nval = 'b'\ntrainval = 'c'"
    assert layer(nets(toy("", lists))["train2"], "data").image_data_param.source == "images/c"
    assert "train2" not in nets(toy("", lists), iterations2=0)
    with pytest.raises(
        InputError, match=r"toy\.toml: no list trainval_aug or trainval; .* name another with train2_set"
    ):
        nets(toy(), iterations2=5)


def test_batch_norm_net(toy):
    made = nets(toy(), batch_norm=True, moving_average_fraction=0.95, width=0.25)
    names = [item.name for item in made["train"].layer]
    at = names.index("conv1_1")
    assert names[at : at + 4] == ["conv1_1", "bn_conv1_1", "scale_conv1_1", "relu1_1"]
    fc = names.index("fc6")
    assert names[fc : fc + 5] == ["fc6", "bn_fc6", "scale_fc6", "relu6", "drop6"]
    conv, norm, scale = made["train"].layer[at : at + 3]
    assert conv.convolution_param.bias_term is False and len(conv.param) == 1
    assert conv.convolution_param.weight_filler.type == "msra"
    assert not conv.convolution_param.HasField("bias_filler")
    assert [spec.lr_mult for spec in norm.param] == [0, 0, 0]
    assert norm.batch_norm_param == schema.BatchNormParameter(moving_average_fraction=0.95)
    assert scale.scale_param.bias_term and len(scale.param) == 2
    assert list(norm.bottom) == list(norm.top) == list(scale.top) == ["conv1_1"]
    assert layer(made["train"], "fc8_toy").convolution_param.weight_filler.type == "gaussian"
    assert names[1:-4] == [item.name for item in made["test"].layer][1:-3]
    assert not any(item.param for item in made["test"].layer)


def test_from_scratch_without_batch_norm(toy):
    for name in ("conv1_1", "fc7"):
        own = layer(nets(toy(), from_scratch=True)["train"], name).convolution_param
        assert (own.weight_filler.type, own.bias_filler.type) == ("msra", "constant")
        assert not layer(nets(toy())["train"], name).convolution_param.HasField("weight_filler")


@pytest.mark.parametrize(("width", "channels"), [(1, 64), (0.5, 32), (0.3, 16), (0.32, 24), (0.01, 8), (1.5, 96)])
def test_width_gives_multiples_of_8(width, channels):
    assert Style(width=width).channels(64) == channels


def test_width_1_keeps_any_number():
    assert Style().channels(21) == 21


def test_data_and_end_options(toy):
    made = nets(
        toy(), scale=0.5, scale_factors=[0.5, 1], batch_size=3, dropout=0.25, feature_dir="f", softmax=True,
        root_folder="r", crop=(41, 49), test_crop=[57, 57],
    )  # fmt: skip
    train, test = layer(made["train"], "data"), layer(made["test"], "data")
    assert list(train.transform_param.scale_factors) == [0.5, 1] and not test.transform_param.scale_factors
    assert train.transform_param.scale == test.transform_param.scale == 0.5
    assert (train.image_data_param.batch_size, test.image_data_param.batch_size) == (3, 1)
    assert train.image_data_param.root_folder == "r" and test.transform_param.crop_size == 57
    assert layer(made["train"], "drop7").dropout_param.dropout_ratio == 0.25
    written = schema.MatWriteParameter(prefix="f/val/fc8/", source="images/val_id.txt", strip=0, period=1)
    assert layer(made["test"], "fc8_mat").mat_write_param == written
    assert list(made["deploy"].layer[-1].top) == ["prob"]


def test_solver_options(toy):
    made = nets(
        toy(), policy="fixed", base_lr=0.25, iterations=7, iterations2=9, train2_set="val", snapshot=5, display=3,
        random_seed=0, iter_size=2, solver_mode="CPU", experiment="e", folder="p",
    )  # fmt: skip
    wanted = schema.SolverParameter(
        train_net="p/train2.prototxt", snapshot_prefix="e/model/train2", lr_policy="fixed", base_lr=0.25, max_iter=9,
        snapshot=5, display=3, random_seed=0, iter_size=2, solver_mode="CPU", momentum=0.9, weight_decay=0.0005,
        average_loss=20,
    )  # fmt: skip
    assert made["solver2"] == wanted and made["solver"].max_iter == 7


def test_the_rate_of_stage_2(toy):
    made = nets(toy(), base_lr=0.25, base_lr2=0.5, iterations2=9, train2_set="val")
    assert (made["solver"].base_lr, made["solver2"].base_lr) == (0.25, 0.5)
    with pytest.raises(InputError, match="option base_lr2: got 0; wanted a number above 0"):
        GeneratorOptions(base_lr2=0)
    with pytest.raises(InputError, match="base_lr2: toy/largefov has no second training stage here; ask for one with"):
        nets(toy(), base_lr2=0.5, iterations2=0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crop": 0}, "option crop: got 0; wanted one number of pixels, or height and width"),
        ({"crop": "321"}, "option crop: got '321'; wanted one number of pixels, or height and width"),
        ({"crop": (9, 9, 9)}, "wanted one number of pixels, or height and width"),
        ({"batch_size": 0}, "option batch_size: got 0; wanted a whole number, at least 1"),
        ({"iterations": 1.5}, "option iterations: got 1.5"),
        ({"iterations2": -1}, "option iterations2: got -1; wanted a whole number, at least 0"),
        ({"base_lr": 0}, "option base_lr: got 0; wanted a number above 0"),
        ({"width": float("nan")}, "option width: got nan"),
        ({"policy": "linear"}, "option policy: got 'linear'; wanted step, poly or fixed"),
        ({"solver_mode": "gpu"}, "option solver_mode: got 'gpu'; wanted GPU or CPU"),
        ({"dropout": 1}, "option dropout: got 1"),
        ({"scale_factors": (1, 0)}, "option scale_factors: got"),
        ({"moving_average_fraction": 0.5}, "moving_average_fraction: belongs to BatchNorm; give batch_norm as well"),
    ],
)
def test_options_that_cannot_work(options, words):
    with pytest.raises(InputError, match=words):
        GeneratorOptions(**options)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("largefov", "got 'largefov'; wanted <data set>/<model>, such as voc12/largefov"),
        ("toy/largefow", "there is no model 'largefow'; did you mean 'largefov'"),
        ("toy/zzz", "known are: .*largefov, .*resnet101"),
        ("voc12/largefov", r"toy\.toml describes 'toy', but 'voc12/largefov' asks for 'voc12'"),
    ],
)
def test_unknown_names(toy, name, words):
    with pytest.raises(InputError, match=words):
        generate(name, dataset=toy())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crop": 320}, r"option crop: got 320; wanted 8k \+ 1, such as 313 or 321: scores lie on every 8th"),
        ({"test_crop": (9, 16)}, "option test_crop: got 16; .* 9 or 17"),
        ({"crop": 1}, "got 1; .* 9 or 17"),
    ],
)
def test_sizes_that_the_net_does_not_take(toy, options, words):
    with pytest.raises(InputError, match=words):
        nets(toy(), **options)


def test_sizes_of_the_data_set_are_rounded_up_to_those_that_the_net_takes(toy):
    made = nets(toy("crop = [320, 321]\ntest_size = [1, 514]"))
    data = [layer(made[role], "data").transform_param for role in ("train", "test")]
    assert [(own.crop_size or (own.crop_height, own.crop_width)) for own in data] == [321, (9, 521)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"stride_on": "3x3"},
            "option stride_on: does not apply to toy/largefov, only to models such as resnet101 or v3_resnet50_aspp",
        ),
        ({"test_output_stride": 8}, "option test_output_stride: does not apply to toy/largefov"),
        ({"weak_set": "val"}, "option weak_set: .*, only to models such as semi_em_fixed or semi_bbox_em_fixed"),
    ],
)
def test_options_that_do_not_apply_to_the_model(toy, options, words):
    with pytest.raises(InputError, match=words):
        nets(toy(), **options)


def test_faults_of_the_data_set(toy):
    with pytest.raises(InputError, match=r"toy\.toml: no list train_aug or train; add one under \[lists\]"):
        nets(toy("", "val = 'v'"))
    with pytest.raises(InputError, match=r"no list 'trian'; did you mean 'train'"):
        nets(toy(), train_set="trian")
    with pytest.raises(InputError, match=r"'toy': there is no datasets/toy\.toml; known are: camvid, .*voc12; or"):
        generate("toy/largefov")


ALL = GeneratorOptions(
    dataset="my sets/a.toml", crop=(41, 49), test_crop=513, width=0.25, batch_norm=True, base_lr=1e-5, iterations2=0,
    scale_factors=(0.5, 1.25), policy="step", moving_average_fraction=0.95, scale=0.00390625, softmax=True,
    random_seed=1,
)  # fmt: skip


@pytest.mark.parametrize("options", [GeneratorOptions(), ALL])
def test_the_command_in_the_header_gives_the_options_back(options):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parser.format_help()
    words = shlex.split(shlex.join(command_line(options)))
    assert from_arguments(parser.parse_args(words)) == options
    assert bool(words) == (options is ALL)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--crop", "3x"], "--crop: got '3x'; wanted pixels, as 321 or 321x417"),
        (["--batch-size", "2.5"], "--batch-size: got '2.5'; wanted a whole number"),
        (["--scale-factors", "1;2"], "--scale-factors: got '1;2'; wanted numbers separated by commas"),
    ],
)
def test_flags_that_cannot_be_read(words, message):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(InputError, match=message):
        from_arguments(parser.parse_args(words))


def test_header(toy):
    text = generate("toy/largefov", GeneratorOptions(batch_size=4), toy())["train.prototxt"]
    title, command, edit, digest = text.splitlines()[:4]
    assert title == "# DeepLab-LargeFOV, trained as in DeepLab v2, on toy: the net of stage 1."
    assert command == "# Made by: deeplab prototxt toy/largefov --batch-size 4"
    assert "FORCE=1" in edit and digest.startswith("# sha256: ")
    assert "# head: 3x3 kernels at rate 12" in text
