"""LargeFOV is the released net, layer by layer."""

from pathlib import Path

import pytest

from deeplab_caffe.formats import schema
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.nets import generate

REPOSITORY = Path(__file__).parents[2]

# Convolutions and pools: name (which is also the top), bottom, then fields with their values (pool 0 MAX, 1 AVE).
TRUNK = """
conv1_1 data     num_output 64 kernel_size 3 pad 1
conv1_2 conv1_1  num_output 64 kernel_size 3 pad 1
pool1   conv1_2  pool 0 kernel_size 3 stride 2 pad 1
conv2_1 pool1    num_output 128 kernel_size 3 pad 1
conv2_2 conv2_1  num_output 128 kernel_size 3 pad 1
pool2   conv2_2  pool 0 kernel_size 3 stride 2 pad 1
conv3_1 pool2    num_output 256 kernel_size 3 pad 1
conv3_2 conv3_1  num_output 256 kernel_size 3 pad 1
conv3_3 conv3_2  num_output 256 kernel_size 3 pad 1
pool3   conv3_3  pool 0 kernel_size 3 stride 2 pad 1
conv4_1 pool3    num_output 512 kernel_size 3 pad 1
conv4_2 conv4_1  num_output 512 kernel_size 3 pad 1
conv4_3 conv4_2  num_output 512 kernel_size 3 pad 1
pool4   conv4_3  pool 0 kernel_size 3 stride 1 pad 1
conv5_1 pool4    num_output 512 kernel_size 3 pad 2 dilation 2
conv5_2 conv5_1  num_output 512 kernel_size 3 pad 2 dilation 2
conv5_3 conv5_2  num_output 512 kernel_size 3 pad 2 dilation 2
pool5   conv5_3  pool 0 kernel_size 3 stride 1 pad 1
pool5a  pool5    pool 1 kernel_size 3 stride 1 pad 1
fc6     pool5a   num_output 1024 kernel_size 3 pad 12 dilation 12
fc7     fc6      num_output 1024 kernel_size 1
"""


def expected_trunk(training):
    """The layers of the table above, each convolution followed by its ReLU, fc6 and fc7 by their dropout."""
    net = schema.NetParameter()
    for line in TRUNK.strip().splitlines():
        name, bottom, *words = line.split()
        fields = dict(zip(words[::2], map(int, words[1::2]), strict=True))
        if name.startswith("pool"):
            net.layer.add(name=name, type="Pooling", bottom=[bottom], top=[name], pooling_param=fields)
            continue
        fields |= {key: [fields[key]] for key in ("kernel_size", "pad", "dilation") if key in fields}
        layer = net.layer.add(name=name, type="Convolution", bottom=[bottom], top=[name], convolution_param=fields)
        if training:
            layer.param.add(lr_mult=1, decay_mult=1)
            layer.param.add(lr_mult=2, decay_mult=0)
        number = name.removeprefix("conv").removeprefix("fc")
        net.layer.add(name=f"relu{number}", type="ReLU", bottom=[name], top=[name])
        if name.startswith("fc"):
            net.layer.add(
                name=f"drop{number}", type="Dropout", bottom=[name], top=[name]
            ).dropout_param.dropout_ratio = 0.5
    return list(net.layer)


def expected_classifier(training):
    layer = schema.LayerParameter(name="fc8_voc12", type="Convolution", bottom=["fc7"], top=["fc8_voc12"])
    layer.convolution_param.num_output = 21
    layer.convolution_param.kernel_size.append(1)
    if training:
        layer.param.add(lr_mult=10, decay_mult=1)
        layer.param.add(lr_mult=20, decay_mult=0)
        layer.convolution_param.weight_filler.type = "gaussian"
        layer.convolution_param.weight_filler.std = 0.01
        layer.convolution_param.bias_filler.type = "constant"
        layer.convolution_param.bias_filler.value = 0
    return layer


def expected_data(source, training, batch_size, crop):
    layer = schema.LayerParameter(name="data", type="ImageSegData", top=["data", "label"])
    layer.include.add(phase=schema.TRAIN if training else schema.TEST)
    layer.transform_param.mirror = training
    layer.transform_param.crop_size = crop
    layer.transform_param.mean_value.extend([104.008, 116.669, 122.675])
    own = layer.image_data_param
    own.root_folder = "data/VOCdevkit/VOC2012"
    own.source, own.batch_size, own.label_type = f"data/VOCdevkit/VOC2012/list/{source}.txt", batch_size, own.PIXEL
    if training:
        own.shuffle = True
    return layer


def read(files, role):
    message = schema.SolverParameter() if "solver" in role else schema.NetParameter()
    return to_message(Document(files[f"{role}.prototxt"], f"{role}.prototxt"), message)


@pytest.fixture(params=["largefov", "largefov_v1"])
def variant(request, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    return f"voc12/{request.param}"


@pytest.mark.parametrize(("role", "source"), [("train", "train_aug"), ("train2", "trainval_aug")])
def test_training_net(variant, role, source):
    layers = list(read(generate(variant), role).layer)
    batch_size = 30 if variant.endswith("v1") else 10
    assert layers[0] == expected_data(source, True, batch_size, 321)
    assert layers[1:-4] == expected_trunk(True)
    assert layers[-4] == expected_classifier(True)
    shrink, loss, accuracy = layers[-3:]
    wanted = schema.LayerParameter(name="label_shrink", type="Interp", bottom=["label"], top=["label_shrink"])
    wanted.interp_param.shrink_factor, wanted.interp_param.pad_beg, wanted.interp_param.pad_end = 8, 0, 0
    assert shrink == wanted
    wanted = schema.LayerParameter(name="loss", type="SoftmaxWithLoss", bottom=["fc8_voc12", "label_shrink"])
    wanted.include.add(phase=schema.TRAIN)
    wanted.loss_param.ignore_label = 255
    assert loss == wanted
    wanted = schema.LayerParameter(name="accuracy", type="SegAccuracy", bottom=["fc8_voc12", "label_shrink"])
    wanted.top.append("accuracy")
    wanted.seg_accuracy_param.ignore_label.append(255)
    assert accuracy == wanted


def test_test_net(variant):
    layers = list(read(generate(variant), "test").layer)
    assert layers[0] == expected_data("val", False, 1, 513)
    assert layers[1:-3] == expected_trunk(False)
    assert layers[-3] == expected_classifier(False)
    interp, silence = layers[-2:]
    assert (interp.type, list(interp.bottom), list(interp.top)) == ("Interp", ["fc8_voc12"], ["fc8_interp"])
    assert interp.interp_param == schema.InterpParameter(zoom_factor=8)
    assert (silence.type, list(silence.bottom), list(silence.top)) == ("Silence", ["label"], [])


def test_deploy_net_is_the_test_net_on_an_input(variant):
    files = generate(variant)
    deploy, test = read(files, "deploy").layer, read(files, "test").layer
    assert (deploy[0].type, list(deploy[0].top)) == ("Input", ["data"])
    assert list(deploy[0].input_param.shape[0].dim) == [1, 3, 513, 513]
    assert list(deploy[1:]) == list(test[1:-1])


@pytest.mark.parametrize("width", [321, 513, 9, 33])
def test_sizes_and_number_of_parameters(variant, width):
    sizes, channels = {"data": width}, {"data": 3}
    parameters = 0
    for layer in read(generate(variant), "deploy").layer[1:]:
        (bottom,), (top,) = layer.bottom, layer.top
        if layer.type == "Convolution":
            own = layer.convolution_param
            span = (own.dilation[0] if own.dilation else 1) * (own.kernel_size[0] - 1) + 1
            sizes[top] = sizes[bottom] + 2 * (own.pad[0] if own.pad else 0) - span + 1
            channels[top] = own.num_output
            parameters += own.num_output * (channels[bottom] * own.kernel_size[0] ** 2 + 1)
        elif layer.type == "Pooling":
            own = layer.pooling_param
            sizes[top] = -(-(sizes[bottom] + 2 * own.pad - own.kernel_size) // own.stride) + 1
            channels[top] = channels[bottom]
        elif layer.type == "Interp":
            sizes[top] = (sizes[bottom] - 1) * layer.interp_param.zoom_factor + 1
    assert parameters == 20_505_429
    assert (sizes["fc8_voc12"], sizes["fc8_interp"]) == ((width - 1) // 8 + 1, width)


SHARED = {"base_lr": 0.001, "momentum": 0.9, "weight_decay": 0.0005, "snapshot": 2000, "solver_mode": "GPU"}
POLY = dict(SHARED, lr_policy="poly", power=0.9, display=20, average_loss=20, max_iter=20000)
STEP = dict(SHARED, lr_policy="step", gamma=0.1, stepsize=2000, display=10)


@pytest.mark.parametrize(
    ("model", "stage", "recipe"),
    [
        ("largefov", "", POLY),
        ("largefov", "2", POLY),
        ("largefov_v1", "", dict(STEP, max_iter=6000)),
        ("largefov_v1", "2", dict(STEP, max_iter=8000)),
    ],
)
def test_solvers(monkeypatch, model, stage, recipe):
    monkeypatch.chdir(REPOSITORY)
    wanted = schema.SolverParameter(
        train_net=f"prototxt/voc12/{model}/train{stage}.prototxt",
        snapshot_prefix=f"exper/voc12/{model}/model/train{stage}",
        **recipe,
    )
    assert read(generate(f"voc12/{model}"), f"solver{stage}") == wanted
