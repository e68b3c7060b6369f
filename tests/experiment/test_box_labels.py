"""`deeplab box-labels`: label files and lists made from boxes."""

import shutil

import cv2
import numpy as np
import pytest

from deeplab_caffe.cli.main import main
from deeplab_caffe.crf import CRFParameters
from deeplab_caffe.data import read_label
from deeplab_caffe.data.boxes import Box
from deeplab_caffe.experiment.labels_from_boxes import segmented

TOML = """
name = "toy"
root = "."
classes = ["background", "disc"]
[lists]
train = "train.txt"
train_bbox_rect = "train_bbox_rect.txt"
train_bbox_seg = "train_bbox_seg.txt"
"""


def disc(size=48, radius=14):
    """A red disc on green, and its labels."""
    rows, columns = np.mgrid[:size, :size]
    inside = (rows - size // 2) ** 2 + (columns - size // 2) ** 2 <= radius**2
    image = np.where(inside[:, :, None], np.uint8([200, 40, 40]), np.uint8([40, 160, 60]))
    return image, inside.astype(np.uint8)


@pytest.fixture
def toy(tmp_path):
    image, label = disc()
    cv2.imwrite(str(tmp_path / "a.png"), image[:, :, ::-1])
    cv2.imwrite(str(tmp_path / "l.png"), label)
    (tmp_path / "train.txt").write_text("/a.png /l.png\n")
    (tmp_path / "toy.toml").write_text(TOML)
    return tmp_path


def test_the_crf_finds_the_object_in_its_box():
    image, label = disc()
    found = segmented(image, [Box(1, 10, 10, 39, 39)], CRFParameters(45, 37, 3, 15, 3))
    assert (found == label).mean() > 0.99


def test_only_the_labels_of_the_boxes_around_a_pixel_are_chosen_from():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    boxes = [Box(3, 2, 2, 20, 12), Box(5, 5, 20, 28, 38)]
    found = segmented(image, boxes, CRFParameters(10, 5, 5))
    for box in boxes:
        assert (found[box.core(0.2).window] == box.label).all()
        found[box.window][found[box.window] == box.label] = 0
    assert not found.any()


def test_command(toy, capsys):
    assert main(["box-labels", str(toy / "toy.toml"), "--from-labels"]) == 0
    assert (toy / "train_bbox_rect.txt").read_text() == "/a.png /SegmentationClassBboxRect/a.png\n"
    assert (toy / "train_bbox_seg.txt").read_text() == "/a.png /SegmentationClassBboxSeg/a.png\n"
    rectangle, disc_label = read_label(toy / "SegmentationClassBboxRect/a.png"), read_label(toy / "l.png")
    assert rectangle.sum() == 29 * 29 and (rectangle >= disc_label).all()
    assert (read_label(toy / "SegmentationClassBboxSeg/a.png") == disc_label).mean() > 0.99


def test_labels_that_are_there_are_kept(toy):
    path = toy / "SegmentationClassBboxRect/a.png"
    main(["box-labels", str(toy / "toy.toml"), "--from-labels", "--kind", "rect"])
    path.write_bytes(b"mine")
    main(["box-labels", str(toy / "toy.toml"), "--from-labels", "--kind", "rect"])
    assert path.read_bytes() == b"mine"
    main(["box-labels", str(toy / "toy.toml"), "--from-labels", "--kind", "rect", "--force"])
    assert read_label(path).any()


def test_annotations_of_voc(toy):
    (toy / "Annotations").mkdir()
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>48</ymax></bndbox>"
    (toy / "Annotations/a.xml").write_text(f"<annotation><object><name>disc</name>{box}</object></annotation>")
    assert main(["box-labels", str(toy / "toy.toml"), "--kind", "rect"]) == 0
    label = read_label(toy / "SegmentationClassBboxRect/a.png")
    assert label[:, :2].all() and not label[:, 2:].any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Annotations: no such folder; use --annotations FOLDER, or --from-labels"),
        (["--from-labels", "--lists", "trian"], "no list 'trian'"),
    ],
)
def test_what_is_missing(toy, capsys, words, message):
    assert main(["box-labels", str(toy / "toy.toml"), *words]) == 2
    assert message in capsys.readouterr().err


def test_images_of_one_name_in_two_folders_have_two_labels(toy):
    for folder in ("x", "y"):
        (toy / folder).mkdir()
        (toy / "a.png").rename(toy / folder / "a.png") if folder == "y" else shutil.copy(toy / "a.png", toy / "x/a.png")
    cv2.imwrite(str(toy / "m.png"), np.zeros((48, 48), np.uint8))
    (toy / "train.txt").write_text("/x/a.png /l.png\n/y/a.png /m.png\n")
    assert main(["box-labels", str(toy / "toy.toml"), "--kind", "rect", "--from-labels"]) == 0
    labels = [read_label(toy / f"SegmentationClassBboxRect/{folder}/a.png") for folder in ("x", "y")]
    assert labels[0].any() and not labels[1].any()
