"""Data that makes no sense, images that are not upright, files that change: noticed before they spoil a result."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe import cli, engine
from deeplab_caffe.data import read_label, read_list, write_label
from deeplab_caffe.data.cityscapes import CLASSES, IDS
from deeplab_caffe.data.images import read_pixels
from deeplab_caffe.data.label_conversion import value_table
from deeplab_caffe.errors import InputError
from deeplab_caffe.experiment import demo, labels_for_cpp
from deeplab_caffe.experiment.fingerprints import file_contents
from deeplab_caffe.nets import GeneratorOptions
from small_search import search_little

Run = Callable[..., int]
Captured = pytest.CaptureFixture[str]


def _map_labels(folder: Path, table: dict[int, int]) -> None:
    for path in (folder / "labels").iterdir():
        label = read_label(path)
        write_label(path, np.vectorize(lambda v: table.get(int(v), int(v)))(label))


def _state(folder: Path, line: str) -> None:
    """Put a line at the head of the data set's TOML."""
    (folder / "tiny.toml").write_text(line + "\n" + (folder / "tiny.toml").read_text())


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({1: 0, 2: 0, 255: 0}, "is 0 'ground': the loss falls to 0"),
        ({1: 255, 2: 255}, "are masks"),
        ({0: 255, 1: 255, 2: 255}, "there is nothing to learn"),
        ({0: 1, 1: 2, 2: 3}, "count the 3 classes from 1: subtract 1"),
    ],
)
def test_labels_that_teach_nothing_are_refused(
    table: dict[int, int], words: str, tiny: Path, deeplab: Run, capsys: Captured
) -> None:
    _map_labels(tiny, table)
    assert deeplab("data") == 2
    message = capsys.readouterr().err
    assert words in message and "train.txt" in message and "Traceback" not in message


def test_ids_of_cityscapes_are_refused_where_train_ids_are_wanted(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    """Also where all values lie below 19."""
    text = (tiny / "tiny.toml").read_text()
    (tiny / "tiny.toml").write_text(text.replace('["ground", "red", "blue"]', json.dumps(list(CLASSES))))
    _map_labels(tiny, {0: IDS["road"], 1: IDS["building"], 2: IDS["sidewalk"], 255: IDS["out of roi"]})
    assert deeplab("data") == 2
    message = capsys.readouterr().err
    assert "list 'train' (train.txt): the labels have Cityscapes' ids (*_labelIds.png) instead of its 19" in message
    assert "deeplab dataset convert-labels FOLDER -o NEW_FOLDER --cityscapes" in message


def test_classes_that_cannot_be_learned_are_warned_of(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    for number in range(6):  # those of val stay
        write_label(tiny / f"labels/i{number}.png", np.minimum(read_label(tiny / f"labels/i{number}.png"), 1))
    assert deeplab("data") == 0
    shown = capsys.readouterr()
    assert "list 'val' (val.txt) has classes that list 'train' (train.txt) does not have: 2 'blue'" in shown.err
    assert "2 blue" in shown.out and "11.5 %" in shown.out


def test_one_class_is_refused_by_data_and_generator(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    text = (tiny / "tiny.toml").read_text().replace('["ground", "red", "blue"]', '["red"]')
    (tiny / "tiny.toml").write_text(text)
    assert deeplab("data") == 2
    assert "tiny.toml: classes has one entry, 'red'" in capsys.readouterr().err
    assert cli.main(["prototxt", "tiny/largefov", "--data", "tiny.toml"]) == 2
    assert "tiny.toml: classes has one entry, 'red'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('classes = ["ground", "red", "red"]', "classes 1 and 2 are both named 'red'"),
        ('classes = ["ground", " ", "red"]', "class 1 has no name"),
        ('classes = ["ground", "red", "blue"]\nmean = [0.485, 0.456, 0.406]', "not of 0..1"),
        ('classes = ["ground", "red", "blue"]\nmean = [nan, 1, 1]', "three numbers 0..255"),
    ],
)
def test_a_data_set_that_cannot_be_meant(line: str, words: str, tiny: Path, deeplab: Run, capsys: Captured) -> None:
    text = (tiny / "tiny.toml").read_text().replace('classes = ["ground", "red", "blue"]', line)
    (tiny / "tiny.toml").write_text(text)
    assert deeplab("data") == 2
    assert words in capsys.readouterr().err


def test_images_that_are_trained_on_and_scored_are_warned_of(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    (tiny / "val.txt").write_text((tiny / "train.txt").read_text())
    assert deeplab("data") == 0
    assert "images are also in list 'val' (val.txt), such as" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_an_image_that_ends_early_is_refused(suffix: str, tiny: Path, deeplab: Run, capsys: Captured) -> None:
    entry = read_list(tiny / "train.txt")[1]
    image = tiny / entry.image.lstrip("/")
    noise = np.random.default_rng(0).integers(0, 256, (*read_pixels(image).shape[:2], 3), np.uint8)
    encoded = cv2.imencode(suffix, noise)[1].tobytes()
    image.write_bytes(encoded + b"something behind the end, as some cameras write")
    assert deeplab("data") == 0
    image.write_bytes(encoded[: len(encoded) // 2])
    assert deeplab("data") == 2
    message = capsys.readouterr().err
    assert f"train.txt:2: ./{entry.image.lstrip('/')}" in message and "truncated" in message


@pytest.mark.parametrize(
    ("line", "words"), [("# my list", "Lists have no comments"), ("{image} /labels", "is a folder; expected an image")]
)
def test_lines_of_lists_that_name_no_files(line: str, words: str, tiny: Path, deeplab: Run, capsys: Captured) -> None:
    image = read_list(tiny / "train.txt")[0].image
    lines = (tiny / "train.txt").read_text()
    (tiny / "train.txt").write_text(line.format(image=image) + "\n" + lines)
    assert deeplab("data") == 2
    assert words in capsys.readouterr().err


def test_more_than_two_words_in_a_line_are_warned_of(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    (tiny / "val.txt").write_text("/images/i6.png /labels/i6.png 1\n/images/i7.png /labels/i7.png\n")
    assert deeplab("data") == 0
    warning = (
        "list 'val' (val.txt): 1 lines have more than two words, such as line 1: '/images/i6.png /labels/i6.png 1'"
    )
    assert warning in capsys.readouterr().err


@pytest.mark.parametrize("name", ["dataset", "experiment", "folder"])
def test_the_demo_refuses_options_that_it_would_override(name: str, tiny: Path) -> None:
    with pytest.raises(InputError, match=f"option {name} .*: not an option of the demo; use --"):
        demo("tiny.toml", "exp", GeneratorOptions(**{name: "tiny.toml"}))


@pytest.mark.parametrize("flags", [("--dataset", "--data"), ("--experiment", "--exp")])
def test_options_that_mean_the_same_but_differ(flags: tuple[str, str], tiny: Path, capsys: Captured) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["data", "voc12/largefov", flags[0], "a", flags[1], "b"])
    assert f"{flags[0]} a and {flags[1]} b contradict each other" in capsys.readouterr().err


def test_label_values_do_not_wrap_around(tiny: Path, capsys: Captured) -> None:
    assert value_table({}, subtract=-10)[[0, 245, 246, 255]].tolist() == [10, 255, 255, 255]
    assert cli.main(["convert-labels", "labels", "-o", "new", "--subtract", "300"]) == 2
    assert "--subtract: expected -255..255 but got 300" in capsys.readouterr().err


@pytest.fixture
def turned(tiny: Path) -> Path:
    """The data set with an image that is stored on its side; its label lies on the upright image."""
    upright = np.asarray(Image.open(tiny / "images/i0.png"))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned to the left by a quarter
    Image.fromarray(np.rot90(upright)).save(tiny / "images/i0.png", exif=exif)
    return tiny


def test_images_that_are_not_upright_stop_until_the_data_set_says(turned: Path, deeplab: Run, capsys: Captured) -> None:
    assert deeplab("data") == 2
    message = capsys.readouterr().err
    assert "1 of 6 images have an EXIF orientation other than 1, such as" in message and "images/i0.png" in message
    assert 'The sizes of the labels say: exif = "apply"' in message
    _state(turned, 'exif = "ignore"')
    assert deeplab("data") == 2
    assert "both must have the same size" in capsys.readouterr().err


def test_all_readers_turn_images_alike(turned: Path, deeplab: Run, capsys: Captured) -> None:
    _state(turned, 'exif = "apply"')
    (turned / "val.txt").write_text("/images/i0.png /labels/i0.png\n")
    for stage in ("data", "prototxt"):
        assert deeplab(stage) == 0
    net = engine.caffe().Net(str(turned / "exp/prototxt/test.prototxt"), engine.caffe().TEST)
    net.forward()
    plain = cv2.imread(str(turned / "images/i0.png"), cv2.IMREAD_COLOR)  # OpenCV turns it
    data = net.blobs["data"].data[0].transpose(1, 2, 0)[:40, :48] * 58 + np.array([104.008, 116.669, 122.675])
    np.testing.assert_allclose(data, plain, atol=1e-3)
    assert deeplab("train") == 0 and deeplab("test") == 0
    assert read_label(turned / "exp/result/val/i0.png").shape == (40, 48)
    for name in ("train", "test"):
        path = turned / f"exp/prototxt/{name}.prototxt"
        path.write_text(path.read_text().replace("    apply_exif: true\n", ""))
        assert deeplab(name, "--force") == 2
        assert "so the layer needs apply_exif: true" in capsys.readouterr().err


def test_training_is_redone_when_images_change_but_not_when_they_are_copied(
    tiny: Path, deeplab: Run, capsys: Captured
) -> None:
    for stage in ("data", "prototxt", "train"):
        assert deeplab(stage) == 0
    os.utime(tiny / "images/i0.png", (1, 1))
    assert deeplab("train") == 0
    assert "already done" in capsys.readouterr().out
    cv2.imwrite(str(tiny / "images/i0.png"), np.zeros((40, 48, 3), np.uint8))
    assert deeplab("train") == 0
    assert "images, labels, solver or initial weights have changed" in (out := capsys.readouterr().out)
    assert "train: already done" not in out


def test_contents_are_read_again_only_if_the_file_changed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    cache = tmp_path / "stages/contents.json"
    first = file_contents([str(tmp_path / "a"), str(tmp_path / "b")], cache)
    stamp = cache.stat().st_mtime_ns
    assert file_contents([str(tmp_path / "a"), str(tmp_path / "b")], cache) == first
    assert cache.stat().st_mtime_ns == stamp
    (tmp_path / "a").write_text("23")
    assert file_contents([str(tmp_path / "a"), str(tmp_path / "b")], cache) != first
    cache.write_text("[]")
    (tmp_path / "a").write_text("1")
    assert file_contents([str(tmp_path / "a"), str(tmp_path / "b")], cache) == first


def test_replaced_results_are_scored_anew_in_folders_of_videos(
    tiny: Path, deeplab: Run, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    search_little(monkeypatch)
    for number in range(8):
        for folder, kind in (("images", "v"), ("labels", "w")):
            (tiny / f"{kind}{number}").mkdir()
            shutil.move(tiny / f"{folder}/i{number}.png", tiny / f"{kind}{number}/00000.png")
    lines = [f"/v{n}/00000.png /w{n}/00000.png\n" for n in range(8)]
    (tiny / "train.txt").write_text("".join(lines[:6] + lines[:6]))  # repeated images may be trained on
    (tiny / "val.txt").write_text("".join(lines[6:]))
    assert deeplab("all", "--quick") == 0
    results = tiny / "exp/result/val"
    assert sorted(path.relative_to(results).as_posix() for path in results.rglob("*.png")) == [
        "v6/00000.png", "v7/00000.png",
    ]  # fmt: skip
    before = (tiny / "exp/evaluation.json").read_text()
    for number in (6, 7):
        label = read_label(tiny / f"w{number}/00000.png")
        write_label(results / f"v{number}/00000.png", np.where(label == 255, 0, label))
    capsys.readouterr()
    assert deeplab("evaluate", "--quick") == 0
    assert "train: already done" not in capsys.readouterr().out
    assert (tiny / "exp/evaluation.json").read_text() != before
    assert json.loads((tiny / "exp/evaluation.json").read_text())["before"]["mean_iou"] == 1


def test_names_with_blanks_and_bytes_that_are_not_utf8(
    tiny: Path, deeplab: Run, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    search_little(monkeypatch)
    for folder in ("images", "labels"):
        (tiny / folder / "i6.png").rename(tiny / folder / "a b.png")
        os.rename(os.fsencode(tiny / folder) + b"/i7.png", os.fsencode(tiny / folder) + b"/\xdf.png")
        (tiny / folder / "i0.png").rename(tiny / folder / "a b0.png")
    lines = b'"/images/a b.png" "/labels/a b.png"\n/images/\xdf.png /labels/\xdf.png\n'
    (tiny / "val.txt").write_bytes(lines)
    text = (
        (tiny / "train.txt")
        .read_text()
        .replace("/images/i0.png /labels/i0.png", '"/images/a b0.png" "/labels/a b0.png"')
    )
    (tiny / "train.txt").write_text(text)
    assert deeplab("all", "--quick") == 0, capsys.readouterr().err
    assert sorted(os.listdir(os.fsencode(tiny / "exp/result/val"))) == [b"a b.png", b"done.json", b"\xdf.png"]


def test_labels_for_a_cpp_caffe_are_copied_as_grey(tiny: Path, deeplab: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels_for_cpp, "for_cpp", lambda experiment: True)
    monkeypatch.setattr("deeplab_caffe.experiment.stages.data.for_cpp", lambda experiment: True)
    assert deeplab("data") == 0
    dataset = demo("tiny.toml", "exp", GeneratorOptions()).dataset()
    for entry in dataset.entries("train"):
        path = dataset.path_of(entry.label or "")
        assert cv2.imread(path, cv2.IMREAD_GRAYSCALE).max() == 255 and "exp/labels" in os.path.normpath(path)
        original = tiny / "labels" / Path(path).name
        np.testing.assert_array_equal(cv2.imread(path, cv2.IMREAD_GRAYSCALE), read_label(original))
