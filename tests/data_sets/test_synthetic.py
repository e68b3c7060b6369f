"""The synthetic sample: reproducible pictures, labels that fit, a folder that the other tools read."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.data import Dataset, check_files, check_labels, full_path, read_label
from deeplab_caffe.data.synthetic import CLASSES, draw_image, draw_sample
from deeplab_caffe.errors import InputError


@pytest.fixture(scope="module")
def pictures():
    return [draw_image(0, index) for index in range(24)]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set") / "sample"
    draw_sample(folder, train=3, val=2)
    return folder


def test_the_same_numbers_give_the_same_picture(pictures):
    for first, again in zip(pictures[5], draw_image(0, 5), strict=True):
        np.testing.assert_array_equal(first, again)
    assert draw_image(1, 5)[0].shape != pictures[5][0].shape or (draw_image(1, 5)[0] != pictures[5][0]).any()


def test_sizes_types_and_labels(pictures):
    shapes = {label.shape for _, label in pictures}
    assert len(shapes) > 10 and any(h > w for h, w in shapes) and any(w > h for h, w in shapes)
    for image, label in pictures:
        assert image.dtype == label.dtype == np.uint8 and image.shape == (*label.shape, 3)
        assert min(label.shape) >= 200 and max(label.shape) <= 321
        check_labels(label, len(CLASSES), 255, "picture")


def test_every_class_occurs_and_background_does_not_take_all(pictures):
    counts = sum(np.bincount(label.ravel(), minlength=256) for _, label in pictures)
    share = counts / counts.sum()
    assert (share[1 : len(CLASSES)] > 0.01).all()
    assert 0.5 < share[0] < 0.85


def test_border_parts_classes_and_is_about_three_pixels_wide(pictures):
    for _, label in pictures:
        shrunk = cv2.morphologyEx((label == 255).astype(np.uint8), cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
        assert shrunk.sum() < 0.002 * label.size  # nowhere a thick patch
        for first, second in ((label[:, 1:], label[:, :-1]), (label[1:], label[:-1])):
            touching = (first != second) & (first != 255) & (second != 255)
            assert touching.mean() < 1e-3


def test_outlines_are_visible_in_the_image(pictures):
    """Colour changes across outlines, or no CRF could find them."""
    steps = []
    for image, label in pictures:
        blurred = cv2.GaussianBlur(image, (0, 0), 1).astype(np.float32)
        slope = np.hypot(cv2.Sobel(blurred, -1, 1, 0), cv2.Sobel(blurred, -1, 0, 1)).sum(2)
        steps.append(slope[label == 255].mean() / slope[label == 0].mean())
    assert np.median(steps) > 3


def test_folder_is_in_vocs_layout_and_reads_as_a_data_set(sample):
    data = Dataset.read(sample / "dataset.toml")
    assert data.classes == CLASSES and data.missing(["train", "val"]) is None
    for part, count in (("train", 3), ("val", 2)):
        entries = data.entries(part)
        check_files(entries, data.root, data.list_path(part))
        ids = (sample / "ImageSets/Segmentation" / f"{part}.txt").read_text().split()
        assert len(entries) == len(ids) == count
        assert (sample / "list" / f"{part}_id.txt").read_text().split() == ids
    entry = data.entries("val")[0]
    image, label = draw_image(0, 3)
    np.testing.assert_array_equal(read_label(full_path(data.root, entry.label)), label)
    with Image.open(full_path(data.root, entry.label)) as stored:
        assert stored.mode == "P"
    read = cv2.imread(full_path(data.root, entry.image))[..., ::-1]
    assert np.abs(read.astype(int) - image).mean() < 4


def test_finished_sample_is_not_drawn_again(sample):
    before = (sample / "JPEGImages/sample_000000.jpg").stat().st_mtime_ns
    draw_sample(sample, train=3, val=2)
    assert (sample / "JPEGImages/sample_000000.jpg").stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["JPEGImages/sample_000001.jpg", "list/val_id.txt", "dataset.toml"])
def test_what_was_deleted_is_drawn_again(tmp_path, name):
    draw_sample(tmp_path, train=1, val=1)
    before = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    draw_sample(tmp_path, train=1, val=1)
    assert (tmp_path / name).read_bytes() == before


def test_other_settings_and_unfinished_samples_are_drawn_anew(tmp_path):
    draw_sample(tmp_path, train=2, val=1)
    stamp = json.loads((tmp_path / "synthetic.json").read_text())
    (tmp_path / "synthetic.json").write_text(json.dumps({**stamp, "finished": False}))
    (tmp_path / "JPEGImages/sample_000001.jpg").unlink()
    draw_sample(tmp_path, train=2, val=1)
    assert (tmp_path / "JPEGImages/sample_000001.jpg").is_file()
    draw_sample(tmp_path, train=1, val=1)
    assert len(list((tmp_path / "JPEGImages").iterdir())) == len(list((tmp_path / "SegmentationClass").iterdir())) == 2


def test_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty and not a synthetic sample"):
        draw_sample(tmp_path, train=1, val=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_counts_below_one_are_refused(tmp_path):
    with pytest.raises(InputError, match="val=0; expected at least one"):
        draw_sample(tmp_path / "new", train=1, val=0)
    assert not (tmp_path / "new").exists()
