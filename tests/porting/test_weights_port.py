"""`deeplab weights port`, from files to a file that a net loads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_models import VGG16, ResNet, randomised

from deeplab_caffe import caffe
from deeplab_caffe.cli import main
from deeplab_caffe.formats.weight_files import read_weight_file
from deeplab_caffe.nets import GeneratorOptions, generate
from deeplab_caffe.porting.state_dict import write_state_dict
from tolerances import assert_same_sums


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    write_state_dict(path, {k: v.numpy() for k, v in VGG16(8, 512, 5).state_dict().items()})
    return path


def narrow(folder: Path, name: str, **options: object) -> Path:
    path = folder / "deploy.prototxt"
    path.write_text(
        generate(name, GeneratorOptions(width=1 / 8, test_crop=66 if "deeplab" in name else 65, **options))[
            "deploy.prototxt"
        ]
    )
    return path


@pytest.mark.parametrize("name", ["voc12/largefov", "voc12/deeplab_4x4", "voc12/deeplab_7x7", "voc12/aspp_l"])
def test_vgg16_starts_every_vgg_net(tmp_path: Path, vgg16: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    net, output = narrow(tmp_path, name), tmp_path / "init.caffemodel"
    assert main(["weights", "port", str(vgg16), "--to", str(net), "-o", str(output)]) == 0
    assert "not initialised from the weights: fc8_" in capsys.readouterr().out
    built = caffe.Net(str(net), str(output), caffe.TEST)
    fresh = {layer for layer in built.params if layer.startswith("fc8")}
    assert {layer.name for layer in read_weight_file(output).layers} == set(built.params) - fresh
    record = json.loads(Path(f"{output}.json").read_text())
    copied = {b["layer"]: b["max_abs"] for b in record["blobs"]["blobs"] if b["layer"] == "conv3_2"}
    assert copied == {"conv3_2": 0}


def test_the_trunk_computes_what_torchvision_would(tmp_path: Path, vgg16: Path) -> None:
    net, output = narrow(tmp_path, "voc12/largefov"), tmp_path / "init.caffemodel"
    assert main(["weights", "port", str(vgg16), "--to", str(net), "-o", str(output)]) == 0
    built = caffe.Net(str(net), str(output), caffe.TEST)
    torch.manual_seed(0)
    model = VGG16(8, 512, 5)
    pixels = np.random.default_rng(1).integers(0, 256, (3, 65, 65)).astype(np.float32)  # RGB
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    theirs = (pixels / 255 - mean[:, None, None]) / std[:, None, None]
    with torch.no_grad():
        wanted = model.features[:4](torch.from_numpy(theirs[None].astype(np.float32))).numpy()  # to relu1_2
    built.blobs["data"].data[0] = pixels[::-1] - np.array([104.008, 116.669, 122.675])[:, None, None]
    built.forward()
    inner = np.s_[:, :, 2:-2, 2:-2]  # the border's padding is of another colour
    assert_same_sums(built.blobs["conv1_2"].data[inner], wanted[inner])


def test_activations_beside_those_of_the_source(
    tmp_path: Path, vgg16: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, reduced = tmp_path / "whole", tmp_path / "reduced"
    whole.mkdir(), reduced.mkdir()
    nets = narrow(whole, "voc12/largefov"), narrow(reduced, "voc12/aspp_l")
    words = ["--from-net", str(nets[0]), "--to", str(nets[1]), "-o", str(tmp_path / "x.caffemodel")]
    assert main(["weights", "port", str(vgg16), *words]) == 0
    record = json.loads((tmp_path / "x.caffemodel.json").read_text())
    checks = {check["blob"]: check["relative"] for check in record["activations"]["checks"]}
    assert checks["pool5"] < 0.3 and checks["conv1_1"] > 0  # the border's colour reaches far in so small an image
    assert "blobs of" in capsys.readouterr().out


def test_strides_that_stand_elsewhere_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = randomised(ResNet((3, 4, 23, 3), divide=8))
    torch.save(model.state_dict(), tmp_path / "resnet.pth")
    for stride_on, warned in (("1x1", True), ("3x3", False)):
        net = narrow(tmp_path, "voc12/resnet101_msc_aspp", stride_on=stride_on)
        words = ["--to", str(net), "-o", str(tmp_path / "x.caffemodel")]
        assert main(["weights", "port", str(tmp_path / "resnet.pth"), *words]) == 0
        assert ("--stride-on 3x3" in capsys.readouterr().err) is warned


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--classes", "a"], "--classes: expected integers separated by commas but got 'a'"),
        (["--rename", "a"], "--rename: got 'a'; expected OLD=NEW"),
        (["--rename", "conv9=x"], "the weights have no layer 'conv9'"),
        (["--map", "none.txt"], "none.txt: cannot read the new names"),
    ],
)
def test_bad_flags(
    tmp_path: Path, vgg16: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    net = narrow(tmp_path, "voc12/largefov")
    output = tmp_path / "x.caffemodel"
    assert main(["weights", "port", str(vgg16), "--to", str(net), "-o", str(output), *words]) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()
