"""Boxes of objects: read, measured, drawn."""

import numpy as np
import pytest

from deeplab_caffe.data.boxes import Box, boxes_of_labels, read_boxes, rectangles
from deeplab_caffe.errors import InputError

CLASSES = ("background", "cat", "dog")
OBJECT = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"


def annotation(tmp_path, *objects):
    path = tmp_path / "a.xml"
    path.write_text(f"<annotation>{''.join(OBJECT.format(*values) for values in objects)}</annotation>")
    return path


def test_voc_counts_from_one_and_includes_the_last_pixel(tmp_path):
    path = annotation(tmp_path, ("dog", 1, 2, 3, 4), ("cat", "2.6", 1, 99, 99))
    assert read_boxes(path, CLASSES, (10, 20)) == [Box(2, 1, 0, 4, 3), Box(1, 0, 2, 10, 20)]


def test_a_box_outside_the_image_is_none(tmp_path):
    assert read_boxes(annotation(tmp_path, ("cat", 30, 1, 40, 5)), CLASSES, (10, 20)) == []


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([("cow", 1, 1, 2, 2)], r"a\.xml: unknown class 'cow'; the classes are background, cat, dog"),
        ([("cat", "x", 1, 2, 2)], r"a\.xml: cat: xmin: expected a number of pixels, got 'x'"),
        ([("cat", "inf", 1, 2, 2)], r"a\.xml: cat: xmin: expected a number of pixels, got 'inf'"),
    ],
)
def test_what_is_no_box(tmp_path, objects, message):
    with pytest.raises(InputError, match=message):
        read_boxes(annotation(tmp_path, *objects), CLASSES, (9, 9))


def test_a_damaged_or_missing_annotation(tmp_path):
    with pytest.raises(InputError, match="cannot read the annotation"):
        read_boxes(tmp_path / "a.xml", CLASSES, (9, 9))
    (tmp_path / "a.xml").write_text("<annotation><object>")
    with pytest.raises(InputError, match="damaged annotation"):
        read_boxes(tmp_path / "a.xml", CLASSES, (9, 9))


def test_every_connected_part_of_a_label_map_has_a_box():
    label = np.zeros((6, 8), np.uint8)
    label[0:2, 0:3] = label[4:6, 7] = 2
    label[2:5, 2:4], label[5, 0] = 1, 255
    assert boxes_of_labels(label, 255) == [Box(1, 2, 2, 5, 4), Box(2, 0, 0, 2, 3), Box(2, 4, 7, 6, 8)]


def test_the_smallest_box_wins():
    label = rectangles([Box(1, 1, 1, 3, 3), Box(2, 0, 0, 4, 4)], (4, 5))
    assert label.tolist() == [[2, 2, 2, 2, 0], [2, 1, 1, 2, 0], [2, 1, 1, 2, 0], [2, 2, 2, 2, 0]]


def test_core():
    assert Box(1, 10, 20, 30, 60).core(0.25) == Box(1, 15, 30, 25, 50)
    assert Box(1, 3, 3, 4, 4).core(0.2) == Box(1, 3, 3, 4, 4)
