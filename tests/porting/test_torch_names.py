"""State dicts of PyTorch nets become layers whose activations are the same."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_models import VGG16, DeepLabV3, ResNet, randomised

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.weight_files import read_weight_file, write_weight_file
from deeplab_caffe.formats.weight_fit import NetLayer
from deeplab_caffe.formats.writer import format_message
from deeplab_caffe.nets import heads, resnet, v3
from deeplab_caffe.nets.blocks import Spec, Style, layers, relu
from deeplab_caffe.porting.state_dict import StateDict, is_state_dict, read_state_dict, to_layers, write_state_dict
from deeplab_caffe.porting.torch_names import EXTRA, to_caffe, warnings
from tolerances import assert_same_sums


def state_of(model: torch.nn.Module) -> StateDict:
    return {name: value.numpy() for name, value in model.state_dict().items() if value.dtype == torch.float32}


def net_of(n: Spec, folder: Path, state: StateDict, dataset: str = "voc12") -> caffe.Net:
    (folder / "net.prototxt").write_text(format_message(n.to_proto()))
    write_weight_file(folder / "net.caffemodel", to_caffe(state, "x", dataset)[1])
    return caffe.Net(str(folder / "net.prototxt"), str(folder / "net.caffemodel"), caffe.TEST)


@pytest.mark.parametrize(("depth", "blocks"), [(50, (3, 4, 6, 3)), (101, (3, 4, 23, 3))])
@pytest.mark.parametrize("stride_on", ["1x1", "3x3"])
def test_resnet_features_agree(tmp_path: Path, depth: int, blocks: tuple[int, ...], stride_on: str) -> None:
    model = randomised(ResNet(blocks, divide=8, stride_on=stride_on))
    n = Spec(Style(training=False, width=1 / 8, stride_on_3x3=stride_on == "3x3"))
    n["data"] = layers.Input(input_param={"shape": {"dim": [2, 3, 65, 97]}})
    resnet.trunk(n, n["data"], resnet.stages(depth, rates=((1,), (1,)), strides=(2, 2)))
    net = net_of(n, tmp_path, state_of(model))
    images = np.random.default_rng(0).standard_normal((2, 3, 65, 97), dtype=np.float32)
    with torch.no_grad():
        wanted = model(torch.from_numpy(images)).numpy()
    net.blobs["data"].data[...] = images
    net.forward()
    got = net.blobs["res5c"].data
    assert got.shape == wanted.shape
    assert_same_sums(got, wanted)


def test_the_whole_of_deeplab_v3_agrees(tmp_path: Path) -> None:
    model = randomised(DeepLabV3(divide=8, classes=5, rates=(1, 2, 3)))
    n = Spec(Style(training=False, width=1 / 8, stride_on_3x3=True))
    n["data"] = layers.Input(input_param={"shape": {"dim": [2, 3, 129, 97]}})
    top = resnet.trunk(n, n["data"], resnet.stages(50, rates=((1,), (1,)), strides=(2, 2)))
    top = v3.pyramid(n, top, [1, 2, 3], image_pooling=True)
    top = relu(n, "relu", resnet.conv_bn(n, EXTRA, f"_{EXTRA}", top, 32, 3, pad=1))
    heads.scores(n, "fc1_toys", top, 5)
    net = net_of(n, tmp_path, state_of(model), "toys")
    images = np.random.default_rng(0).standard_normal((2, 3, 129, 97), dtype=np.float32)
    with torch.no_grad():
        wanted = model(torch.from_numpy(images)).numpy()
    net.blobs["data"].data[...] = images
    got = net.forward()["fc1_toys"]
    assert got.shape == wanted.shape == (2, 5, 5, 4)
    assert_same_sums(got, wanted)


def test_a_net_without_a_layer_of_the_source_is_told() -> None:
    source, found = to_caffe(state_of(DeepLabV3(divide=16, classes=5, rates=(1, 2, 3))), "x")
    assert "has a 3x3 convolution 'concat_conv'" in warnings(source, found, {})[0]
    assert warnings(source, found, {EXTRA: NetLayer("Convolution", [(16, 16, 3, 3)])}) == []


def test_vgg16_has_caffes_names_and_shapes() -> None:
    source, found = to_caffe(state_of(VGG16(divide=16, hidden=24, classes=5)), "x")
    assert source.preprocessing == "torchvision"
    assert [layer.name for layer in found[:2]] == ["conv1_1", "conv1_2"]
    assert {x.name: [b.data.shape for b in x.blobs] for x in found[-3:]} == {
        "fc6": [(24, 32 * 49), (24,)],
        "fc7": [(24, 24), (24,)],
        "fc8": [(5, 24), (5,)],
    }


def renamed(state: StateDict, family: str) -> StateDict:
    """The same weights as two families of re-implementations of DeepLab v2 name them, with its four classifiers."""
    found: StateDict = {}
    for name, values in state.items():
        if name.startswith("fc."):
            continue
        found[("Scale." if family == "Scale" else "") + name if family != "blocks" else _in_blocks(name)] = values
    head = {"Scale": "Scale.layer5.conv2d_list.{}", "layer5": "layer5.conv2d_list.{}", "blocks": "base.aspp.c{}"}[
        family
    ]
    for k in range(4):
        found[head.format(k) + ".weight"] = np.full((3, 8, 3, 3), k, np.float32)
        found[head.format(k) + ".bias"] = np.full(3, k, np.float32)
    return found


def _in_blocks(name: str) -> str:
    parts = name.split(".")
    if len(parts) == 2:
        return f"base.layer1.conv1.{'conv' if parts[0] == 'conv1' else 'bn'}.{parts[1]}"
    block = f"base.layer{int(parts[0][5:]) + 1}.block{int(parts[1]) + 1}"
    if parts[2] == "downsample":
        return f"{block}.shortcut.{('conv', 'bn')[int(parts[3])]}.{parts[4]}"
    module = {"1": "reduce", "2": "conv3x3", "3": "increase"}[parts[2][-1]]
    return f"{block}.{module}.{parts[2][:-1]}.{parts[3]}"


@pytest.mark.parametrize("family", ["Scale", "layer5", "blocks"])
def test_every_spelling_of_deeplab_v2_gives_the_same_layers(family: str) -> None:
    state = state_of(ResNet((3, 4, 23, 3), divide=16))
    plain = {layer.name: layer for layer in to_caffe(state, "x")[1]}
    source, found = to_caffe(renamed(state, family), "x", dataset="toys")
    assert (source.preprocessing, source.stride_on) == ("caffe", "1x1")
    other = {layer.name: layer for layer in found}
    assert set(other) - set(plain) == {f"fc1_toys_c{k}" for k in range(4)}
    for name, layer in plain.items():
        for mine, theirs in zip(layer.blobs, other[name].blobs, strict=True):
            np.testing.assert_array_equal(mine.data, theirs.data)
    assert other["fc1_toys_c2"].blobs[0].data.flat[0] == 2


def test_unknown_nets_and_names_are_refused() -> None:
    with pytest.raises(InputError, match="x: unknown net; its names begin with a.weight"):
        to_caffe({"a.weight": np.zeros(1, np.float32)}, "x")
    state = state_of(ResNet(divide=16))
    with pytest.raises(InputError, match="'layer2.0.gate' is not part of torchvision's ResNet-50"):
        to_caffe({**state, "layer2.0.gate.weight": np.zeros(1, np.float32)}, "x")


def test_state_dicts_are_read_in_both_formats(tmp_path: Path) -> None:
    state = {"x.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
    write_state_dict(tmp_path / "a.safetensors", state)
    tensors = {f"module.{name}": torch.from_numpy(values).double() for name, values in state.items()}
    torch.save({"epoch": 3, "state_dict": {**tensors, "bn.num_batches_tracked": torch.tensor(1)}}, tmp_path / "b.pth")
    for name in ("a.safetensors", "b.pth"):
        assert is_state_dict(tmp_path / name)
        found = read_state_dict(tmp_path / name)
        assert list(found) == ["x.weight"] and found["x.weight"].dtype == np.float32
        np.testing.assert_array_equal(found["x.weight"], state["x.weight"])


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("this must not run",))


def test_a_checkpoint_cannot_run_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"x": Harmful()}, tmp_path / "x.pth")
    with pytest.raises(InputError, match="could run code"):
        read_state_dict(tmp_path / "x.pth")
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(1 << 20, 1 << 20),
        torch.sparse_coo_tensor([[0]], [1.0], (1 << 40,), check_invariants=True),
        torch.ones(3, dtype=torch.complex64),
        torch.ones(3, device="meta"),
    ],
)
def test_what_is_no_plain_tensor_is_refused(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"conv1.weight": tensor}, tmp_path / "x.pth")
    with pytest.raises(InputError, match="'conv1.weight' is not a plain tensor|but fewer values are stored"):
        read_state_dict(tmp_path / "x.pth")


def test_a_checkpoint_that_would_unpack_to_far_more_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data/0", bytes(1 << 27))
    with pytest.raises(InputError, match="would unpack to 134217728 bytes"):
        read_state_dict(tmp_path / "x.pth")


@pytest.mark.parametrize("text", ["[1, 2", '{"x": [1, 2]}', '{"x": ["c", "Convolution", ["weight"]]}', "3"])
def test_a_wrong_description_of_an_export_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="x.safetensors: 'caffe_layers' in its metadata does not describe"):
        to_layers({"caffe_layers": text}, {"a.b": np.zeros(1, np.float32)}, "x.safetensors")


def test_a_module_that_lacks_something_is_named() -> None:
    state = state_of(VGG16(divide=16, hidden=24, classes=5))
    del state["features.2.weight"]
    with pytest.raises(InputError, match="x: 'features.2' has bias; expected weight"):
        to_caffe(state, "x")


@pytest.mark.parametrize("content", [b"", b"\x80\x02 no", b"PK\3\4 no", b"\x10\0\0\0\0\0\0\0{no", b"plain text"])
def test_damaged_state_dicts_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(InputError, match="damaged|could run code"):
        read_state_dict(tmp_path / "x.pth")


def test_written_weights_are_read_again(tmp_path: Path) -> None:
    found = to_caffe(state_of(ResNet(divide=16)), "x")[1]
    for name in ("x.caffemodel", "x.caffemodel.h5"):
        write_weight_file(tmp_path / name, found)
        again = {layer.name: layer for layer in read_weight_file(tmp_path / name).layers}
        assert set(again) == {layer.name for layer in found}
        for layer in found:
            for mine, theirs in zip(layer.blobs, again[layer.name].blobs, strict=True):
                np.testing.assert_array_equal(mine.data, theirs.data)
