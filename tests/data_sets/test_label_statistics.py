"""What labels hold: counted, shown as a table, refused where it makes no sense, warned of where it may make none."""

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.cli.main import main
from deeplab_caffe.data import check_labels, read_label, voc_palette, write_label
from deeplab_caffe.data.cityscapes import CLASSES as CITY_CLASSES
from deeplab_caffe.data.cityscapes import IDS, TRAIN_IDS
from deeplab_caffe.data.label_conversion import convert_labels, value_table
from deeplab_caffe.data.label_statistics import LabelCounts, check_class_count, examine, histogram
from deeplab_caffe.data.labels import is_grey, value_counts, write_grey_label
from deeplab_caffe.errors import InputError

CLASSES = ("ground", "red", "blue")


def counts(*labels, where="list 'train'", trained=True, classes=CLASSES, ignore=255):
    files = np.stack([value_counts(np.array(label, np.uint8)[None]) for label in labels])
    return LabelCounts(where, files, classes, ignore, trained)


GOOD = counts([0, 0, 1, 2, 255, 0, 0, 0], [0, 1, 1, 2, 2, 2, 0, 0])
VAL = counts([0, 1, 1, 2], where="list 'val'", trained=False)


def test_value_counts():
    label = np.array([[0, 3, 3], [255, 3, 0]], np.uint8)
    assert {v: n for v, n in enumerate(value_counts(label).tolist()) if n} == {0: 2, 3: 3, 255: 1}


def test_good_labels_give_no_message():
    assert examine([GOOD], [VAL]) == ([], [])


@pytest.mark.parametrize(
    ("taught", "words"),
    [
        (
            counts([255, 255], [255, 255]),
            "every pixel of all 2 labels is 255, the ignore label: there is nothing to le",
        ),
        (counts([0, 0], [0, 0]), "every pixel of all 2 labels is 0 'ground': the loss falls to 0, whatever"),
        (counts([1, 255]), "apart from ignored ones, is 1 'red'"),
        (counts([0, 0, 255], [0, 255, 255]), r"are masks, whose 255 is the object.*convert-labels .*--map 255=1"),
    ],
)
def test_training_labels_that_teach_nothing_are_refused(taught, words):
    (error,) = examine([taught], [VAL]).errors
    assert re.search(words, error), error


@pytest.mark.parametrize(
    ("taught", "others", "words"),
    [
        (
            GOOD,
            [counts([0, 0], where="list 'val'", trained=False)],
            "list 'val': every pixel .* scores on this list say",
        ),
        (counts([0, 0, 1]), [VAL], r"no label has 2 'blue', so the net cannot learn it"),
        (counts([0, 0, 1]), [VAL], r"list 'val' has classes that list 'train' does not have: 2 'blue'"),
        (counts([0, 1, 2, 255, 255, 255, 255]), [VAL], r"57 % of the pixels are 255.*in 1 of 1 labels more than half"),
        (counts([1, 1, 2]), [VAL], r"the values 1 to 2 occur, but never 0 'ground'.*--subtract 1"),
        (counts([0, 1, 2], ignore=0), [VAL], r"ignore_label = 0 is also the class 0 'ground'"),
    ],
)
def test_labels_that_may_be_wrong_are_warned_of(taught, others, words):
    found = examine([taught], others)
    assert not found.errors
    assert any(re.search(words, text) for text in found.warnings), found.warnings


def test_nothing_to_score_is_refused():
    (error,) = examine([], [counts([255], where="labels", trained=False)]).errors
    assert error.startswith("labels: every pixel of all 1 labels is 255, the ignore label: there is nothing to score")


def test_border_and_scarce_classes_of_a_second_stage_are_no_finding():
    border = counts([0, 0, 0, 0, 0, 0, 1, 1, 2, 255])
    assert examine([border], [VAL, counts([0, 1], where="list 'trainval'")]) == ([], [])


def test_one_class_cannot_be_learned():
    check_class_count(CLASSES, "a.toml")
    with pytest.raises(
        InputError, match=r"a\.toml: classes has one entry, 'road'.*loss 0.*\[\"background\", \"road\"\]"
    ):
        check_class_count(["road"], "a.toml")


def test_histogram():
    lines = histogram({"train": GOOD, "val": VAL}).splitlines()
    assert [line.split() for line in lines] == [
        ["labels", "train", "images", "val", "images"],
        ["0", "ground", "50", "%", "2", "25", "%", "1"],
        ["1", "red", "18.8", "%", "2", "50", "%", "1"],
        ["2", "blue", "25", "%", "2", "25", "%", "1"],
        ["255", "(ignored)", "6.25", "%", "1", "-", "0"],
    ]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("values", "num_classes", "others", "words"),
    [
        ([7, 11, 23, 255], 19, (), r"Cityscapes' ids .*--cityscapes"),
        ([0, 200], 2, (), r"masks: write the object as class 1: .*--map 200=1"),
        ([150, 3], 150, (1, 2), r"count the 150 classes from 1.*--subtract 1"),
        ([150, 3], 150, (0, 1), r"too small \(the file needs 151"),
    ],
)
def test_likely_causes_of_invalid_values(values, num_classes, others, words):
    with pytest.raises(InputError, match=words):
        check_labels(np.array([values], np.uint8), num_classes, 255, "a.png", others)


def test_converted_labels(tmp_path):
    write_label(tmp_path / "in/a/1.png", np.array([[7, 0, 255], [33, 26, 8]], np.uint8))
    assert convert_labels(tmp_path / "in", tmp_path / "out", value_table(TRAIN_IDS, others=255)) == 1
    assert read_label(tmp_path / "out/a/1.png").tolist() == [[0, 255, 255], [18, 13, 1]]
    assert value_table({}, subtract=1)[[0, 1, 5, 255]].tolist() == [255, 0, 4, 255]
    assert value_table({255: 1})[[0, 1, 255]].tolist() == [0, 1, 1]
    with pytest.raises(InputError, match="another folder"):
        convert_labels(tmp_path / "in", tmp_path / "in", value_table({}))


def test_grey_labels_are_what_opencv_reads(tmp_path):
    label = np.array([[0, 1, 20, 255]], np.uint8)
    write_grey_label(tmp_path / "grey.png", label)
    write_label(tmp_path / "palette.png", label, voc_palette())
    Image.fromarray(label).save(tmp_path / "a.tif")
    assert Image.open(tmp_path / "grey.png").mode == "L" and (read_label(tmp_path / "grey.png") == label).all()
    assert [is_grey(tmp_path / name) for name in ("grey.png", "palette.png", "a.tif")] == [True, False, True]


def test_command(tmp_path, capsys):
    write_label(tmp_path / "in/1.png", np.array([[0, 255, 7]], np.uint8))
    command = ["convert-labels", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    assert main([*command, "--map", "255=1", "7=255"]) == 0
    assert read_label(tmp_path / "out/1.png").tolist() == [[0, 1, 255]]
    assert f"wrote 1 labels to {tmp_path}/out" in capsys.readouterr().out
    assert main([*command, "--cityscapes"]) == 0
    assert read_label(tmp_path / "out/1.png").tolist() == [[255, 255, 0]]
    for words in (["--map", "a=1"], ["--map", "256=1"], ["--others", "300"]):
        assert main([*command, *words]) == 2
    assert main(["convert-labels", str(tmp_path / "none"), "-o", str(tmp_path / "out")]) == 2


# -- Cityscapes' ids and train ids, which both look like classes to the other

STREET = {"road": 33, "building": 20, "vegetation": 14, "car": 7, "sidewalk": 6, "sky": 4, "pole": 1, "person": 1}
IDS_BELOW_19 = {"unlabeled": 1, "rectification border": 2, "road": 50, "sidewalk": 8, "building": 30, "pole": 2}


def street(numbers, shares, void=0, suffix="", classes=CITY_CLASSES):
    """Labels of four images with so many pixels of each label, in the numbers of `numbers`, and `void` of 255."""
    row = np.repeat([numbers[name] for name in shares], list(shares.values()))
    labels = [np.append(row, [255] * void) for _ in range(4)]
    paths = [f"gtFine/train/aachen/{n}{suffix}" for n in range(4)] if suffix else []
    return dataclasses.replace(counts(*labels, classes=classes), paths=paths)


TRAIN_NUMBERS = {name: number for number, name in enumerate(CITY_CLASSES)}
ID_NAMES = tuple(IDS)[:-1]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (street(IDS, IDS_BELOW_19), r"ids \(\*_labelIds.png\) instead of its 19 .* values are those of road and buil"),
        (street(IDS, IDS_BELOW_19, suffix="_gtFine_labelIds.png"), r"ids .* instead of its 19 .*: their names say so"),
        (street(TRAIN_NUMBERS, {"road": 19, "pole": 1}, suffix="_gtFine_labelIds.png"), "their names say so"),
        (
            street(TRAIN_NUMBERS, STREET, classes=ID_NAMES),
            r"19 train ids .* instead of its ids .* building, sky and car",
        ),
        (street(TRAIN_NUMBERS, STREET, 9, "_gtFine_labelTrainIds.png", ID_NAMES), "train ids .* their names say so"),
    ],
)
def test_the_other_kind_of_ids_is_refused(labels, words):
    (error,) = examine([labels], []).errors
    assert re.search(words, error), error
    assert error.startswith("list 'train': ")


@pytest.mark.parametrize(
    "labels",
    [
        street(TRAIN_NUMBERS, STREET),
        street(TRAIN_NUMBERS, STREET, 9, "_gtFine_labelTrainIds.png"),
        street(TRAIN_NUMBERS, STREET, 9, "_gtFine_labelIds.png"),  # 255 is no id: the name is wrong
        street(TRAIN_NUMBERS, STREET, 0, "_gtFine_labelIds.png"),  # and so are the most frequent values
        street(IDS, STREET, classes=ID_NAMES, suffix="_gtFine_labelIds.png"),
        street(IDS, IDS_BELOW_19, classes=ID_NAMES, suffix="_gtFine_labelTrainIds.png"),
        street(IDS, IDS_BELOW_19, classes=tuple(f"class {n}" for n in range(19))),  # another data set
    ],
)
def test_the_right_kind_of_ids_is_no_finding(labels):
    assert not examine([labels], []).errors
