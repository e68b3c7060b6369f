"""Whatever a user may get wrong: one message that says where and what, exit code 2, no traceback."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from deeplab_caffe import cli
from deeplab_caffe.data import write_label

Run = Callable[..., int]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def prepared(tiny: Path, deeplab: Run) -> Path:
    assert deeplab("data") == 0 and deeplab("prototxt") == 0
    return tiny


def _edit(path: Path, old: str, new: str) -> int:
    """Replace the first occurrence; returns its line."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def _message(capsys: Captured) -> str:
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error[error.index("deeplab: error:") :]


def test_misspelt_field(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    line = _edit(prepared / "exp/prototxt/train.prototxt", "kernel_size: 3", "kernal_size: 3")
    assert deeplab("train") == 2
    message = _message(capsys)
    assert f"exp/prototxt/train.prototxt:{line}:" in message
    assert "layer 'conv1_1' (Convolution)" in message and "'kernal_size'; did you mean 'kernel_size'?" in message


def test_unknown_layer_type(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    _edit(prepared / "exp/prototxt/train.prototxt", '"Pooling"', '"Poolign"')
    assert deeplab("train") == 2
    message = _message(capsys)
    assert "layer 'pool1': unknown type 'Poolign'; did you mean 'Pooling'?" in message


def test_shapes_that_do_not_fit(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    _edit(prepared / "exp/prototxt/train.prototxt", "shrink_factor: 8", "shrink_factor: 4")
    assert deeplab("train") == 2
    message = _message(capsys)
    assert "layer 'loss' (SoftmaxWithLoss)" in message
    assert "(2, 1, 9, 9)" in message and "(2, 3, 5, 5)" in message


def test_list_names_a_missing_image(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    (tiny / "images/i2.png").unlink()
    assert deeplab("data") == 2
    assert "train.txt:3:" in (message := _message(capsys)) and "images/i2.png" in message


def test_image_vanishes_before_training(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    (prepared / "images/i0.png").unlink()
    assert deeplab("train") == 2
    assert "exp/list/train.txt:1:" in (message := _message(capsys)) and "layer 'data' (ImageSegData)" in message


def test_unreadable_image(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    for path in (prepared / "images").glob("*.png"):
        path.write_bytes(b"not an image")
    assert deeplab("train") == 2
    message = _message(capsys)
    assert "exp/list/train.txt:" in message and "damaged, or a format that OpenCV does not support" in message


def test_label_above_the_class_count(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    write_label(tiny / "labels/i1.png", np.full((40, 48), 7, np.uint8))
    assert deeplab("data") == 2
    message = _message(capsys)
    assert "train.txt:2:" in message and "labels/i1.png" in message and "label value 7" in message and "0..2" in message


def test_label_above_the_class_count_in_training(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    for path in (prepared / "labels").glob("*.png"):
        write_label(path, np.full((40, 48), 7, np.uint8))
    assert deeplab("train") == 2
    message = _message(capsys)
    assert (
        "label 7 is neither one of the 3 classes" in message and "labels/i" in message and "list/train.txt:" in message
    )
    assert "num_output is too small" in message


def test_truncated_weights(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    assert deeplab("train") == 0
    model = prepared / "exp/model/train_iter_4.caffemodel"
    whole = model.read_bytes()
    model.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    assert deeplab("test") == 2
    assert "train_iter_4.caffemodel: truncated" in _message(capsys)


def test_label_of_the_wrong_size(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    write_label(tiny / "labels/i3.png", np.zeros((20, 24), np.uint8))
    assert deeplab("data") == 2
    message = _message(capsys)
    assert "train.txt:4:" in message and "labels/i3.png is 24×20" in message and "48×40" in message


def test_empty_list(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    (tiny / "train.txt").write_text("")
    assert deeplab("data") == 2
    assert "train.txt: the list is empty" in _message(capsys)


def test_voc_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    repository = Path(__file__).parent.parent.parent
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/voc12.toml").write_text((repository / "datasets/voc12.toml").read_text())
    assert cli.main(["all", "voc12/largefov"]) == 2
    message = _message(capsys)
    assert "data/VOCdevkit/VOC2012" in message and "  deeplab dataset voc12\n" in message and "make voc" not in message


def test_pretrained_net_without_weights(tiny: Path, capsys: Captured) -> None:
    flags = ["tiny/largefov", "--data", "tiny.toml", "--crop", "33", "--test-crop", "41x49", "--iterations2", "0"]
    assert cli.main(["prototxt", *flags]) == 0
    assert cli.main(["train", *flags[:3]]) == 2
    assert (
        "has no weight_filler" in (message := _message(capsys))
        and "exper/tiny/largefov/model/init.caffemodel" in message
    )


def test_images_larger_than_the_test_size(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    with (tiny / "tiny.toml").open("r+") as file:
        text = file.read()
        file.seek(0)
        file.write("test_size = [33, 41]\n" + text)
    assert deeplab("data") == 2
    assert "test_size is 33×41" in (message := _message(capsys)) and "[41, 49]" in message


def test_a_stage_whose_turn_has_not_come(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    for stage, needed in (("search", "test"), ("crf", "test"), ("report", "test")):
        assert deeplab(stage) == 2
        assert f"stage {stage} of exp: stage {needed} is not finished; run it first" in _message(capsys)
    assert deeplab("test") == 2
    assert "train_iter_4.caffemodel does not exist; run the stage train first" in _message(capsys)


def test_damaged_snapshot(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    assert deeplab("train") == 0
    state = prepared / "exp/model/train_iter_4.solverstate"
    state.write_bytes(state.read_bytes()[:100])
    (prepared / "exp/stages/train.json").unlink()
    capsys.readouterr()
    assert deeplab("train") == 2
    assert "remove exp/model/train_iter_4.* to resume from the previous snapshot" in _message(capsys)


def test_initial_weights_of_another_net(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    assert deeplab("train") == 0
    weights = (prepared / "exp/model/train_iter_4.caffemodel").read_bytes()
    (prepared / "exp/model/init.caffemodel").write_bytes(weights)
    net = prepared / "exp/prototxt/train.prototxt"
    net.write_text(re.sub(r'(?<=[{ ] name: "|  name: ")', "my_", net.read_text()))
    capsys.readouterr()
    assert deeplab("train") == 2
    assert "has weights for none of the net's layers" in _message(capsys)


def test_empty_net(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    (prepared / "exp/prototxt/train.prototxt").write_text("")
    assert deeplab("train") == 2
    assert "no parameters to learn" in _message(capsys)


@pytest.mark.parametrize("content", ["[1]", "{", '{"options": {"colour": 3}}'])
def test_damaged_memory_of_an_experiment(content: str, tiny: Path, deeplab: Run, capsys: Captured) -> None:
    (tiny / "exp").mkdir()
    (tiny / "exp/experiment.json").write_text(content)
    assert deeplab("data") == 2
    assert "exp/experiment.json: invalid" in _message(capsys)


def test_folders_that_are_files(prepared: Path, deeplab: Run, capsys: Captured) -> None:
    (prepared / "exp/log").write_text("")
    assert deeplab("train") == 2
    assert "exp/log" in _message(capsys)
    (prepared / "file").write_text("")
    assert cli.main(["data", "demo", "--exp", "file"]) == 2
    assert "file is a file; expected the folder" in _message(capsys)


def test_two_images_of_one_name(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    with (tiny / "val.txt").open("a") as file:
        file.write("/images/../images/i7.png /labels/i7.png\n")
    assert deeplab("data") == 2
    assert "val.txt:3: duplicate image name 'i7', first used in line 2" in _message(capsys)


def test_unknown_experiment(tiny: Path, capsys: Captured) -> None:
    assert cli.main(["all", "voc21/largefov"]) == 2
    assert "datasets/voc21.toml" in _message(capsys)


def test_image_and_label_of_colours(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    cv2.imwrite(str(tiny / "labels/i0.png"), np.zeros((40, 48, 3), np.uint8))
    assert deeplab("data") == 2
    assert "labels/i0.png: an RGB PNG" in (message := _message(capsys)) and "train.txt:1:" in message
