"""docs/porting.md: its commands, one after another, in a folder as DeepLab v1's users had it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.cli import main
from deeplab_caffe.data import write_label
from deeplab_caffe.formats.weight_files import read_weight_file, write_weight_file
from deeplab_caffe.formats.weights import BlobArray, LayerWeights
from deeplab_v1_nets import data, large_fov_test, new_text, old_text
from small_search import search_little

GUIDE = Path(__file__).parent.parent.parent / "docs" / "porting.md"
WIDTH = 8
#: what makes the guide's nets small enough to run here
NARROW = ["--width", str(1 / WIDTH), "--crop", "33", "--test-crop", "65"]


def commands() -> list[str]:
    blocks = re.findall(r"(?<!-->\n)```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def make_old_folder(folder: Path) -> None:
    """Images, lists, a net in DeepLab v1's dialect with template variables, and its weights as files of 2015."""
    random = np.random.default_rng(0)
    for name in ("old", "list", "images", "labels"):
        (folder / name).mkdir()
    for i in range(6):
        cv2.imwrite(str(folder / f"images/{i}.png"), random.integers(0, 256, (40, 50, 3), dtype=np.uint8))
        write_label(folder / f"labels/{i}.png", random.integers(0, 3, (40, 50)).astype(np.uint8))
    lines = [f"/images/{i}.png /labels/{i}.png\n" for i in range(6)]
    (folder / "list/train.txt").write_text("".join(lines[:4]))
    (folder / "list/val.txt").write_text("".join(lines[4:]))
    (folder / "list/val_id.txt").write_text("4\n5\n")
    for name, count in (("mine", 21), ("pets", 3)):
        classes = ", ".join(f'"class {i}"' for i in range(count))
        lists = '[lists]\ntrain = "list/train.txt"\nval = "list/val.txt"\n'
        (folder / f"{name}.toml").write_text(f'name = "{name}"\nclasses = [{classes}]\n{lists}')
    first = data("data label", "${EXP}/list/val.txt", "${DATA_ROOT}", "batch_size: 1 has_label: false",
                 "mirror: false crop_size: 65", "TEST")  # fmt: skip
    rows = large_fov_test(first, "scores/", "list/val_id.txt", WIDTH)
    (folder / "old/test.prototxt").write_text("# as released\n" + old_text(rows))
    write_old_weights(folder / "old/train2_iter_8000.caffemodel")


def write_old_weights(path: Path) -> None:
    """Weights for the net's shapes, found by building it."""
    net = path.parent / "shapes.prototxt"
    rows = large_fov_test(data("data label", "x", "", "batch_size: 1", ""), "x/", "", WIDTH)[1:-1]
    shape = "input_param { shape { dim: 1 dim: 3 dim: 33 dim: 33 } }"
    net.write_text(f'layer {{ name: "data" type: "Input" top: "data" {shape} }}\n' + new_text(rows))
    built = caffe.Net(str(net), caffe.TEST)
    random = np.random.default_rng(1)
    layers = []
    for name, blobs in built.params.items():
        arrays = [random.standard_normal(b.shape).astype(np.float32) * 0.1 for b in blobs]
        layers.append(LayerWeights(name, "Convolution", [BlobArray(x) for x in arrays]))
    write_weight_file(path, layers, "old", form="V1")
    net.unlink()


def test_every_command_of_the_guide_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    search_little(monkeypatch)
    make_old_folder(tmp_path)
    for command in commands():
        program, *words = shlex.split(command)
        if program == "mkdir":
            Path(words[-1]).mkdir()
            continue
        assert program == "deeplab"
        if words[0] == "prototxt" and "--data" in words:
            words += [*NARROW, "--prototxt", f"prototxt/{words[1]}"] if words[1].startswith("mine") else NARROW
        assert main(words) == 0, f"{command}: {capsys.readouterr().err[-500:]}"
    shown = capsys.readouterr().out
    assert "equal" in shown
    assert read_weight_file("old/train2_iter_8000.caffemodel").dialect == "V1"
    assert (tmp_path / "exper/mine/largefov_v1/report/index.html").is_file()
    assert (tmp_path / "exper/pets/largefov/model/train_iter_2.caffemodel").is_file()
    for name in ("largefov.py", "largefov.safetensors", "largefov.json", "labels.onnx", "scores/4_blob_0.mat"):
        assert (tmp_path / name).is_file(), name
