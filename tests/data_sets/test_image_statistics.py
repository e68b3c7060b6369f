"""Held-out part, mean colour and largest image of a list."""

import cv2
import numpy as np
import pytest

from deeplab_caffe.data import ListEntry, crop_for, hold_out, largest_image, mean_bgr
from deeplab_caffe.errors import InputError


def entries(count):
    return [ListEntry(f"/{n}.png", None, n + 1) for n in range(count)]


@pytest.mark.parametrize(
    ("count", "part", "held"), [(100, 0.1, 10), (367, 0.1, 37), (7, 0.3, 2), (2, 0.9, 1), (2, 0.1, 1)]
)
def test_parts_are_disjoint_complete_and_of_the_size_asked(count, part, held):
    rest, out = hold_out(entries(count), part)
    assert len(out) == held
    assert sorted(rest + out, key=lambda e: e.line) == entries(count)
    assert hold_out(entries(count), part) == (rest, out)


def test_held_out_lines_form_contiguous_blocks_spread_over_the_list():
    _, out = hold_out(entries(100), 0.2, blocks=4)
    lines = np.array([entry.line for entry in out])
    starts = lines[np.flatnonzero(np.diff(lines, prepend=-9) > 1)]
    assert starts.tolist() == [21, 46, 71, 96]


@pytest.mark.parametrize(("count", "part"), [(1, 0.5), (10, 0), (10, 1)])
def test_impossible_splits_are_refused(count, part):
    with pytest.raises(InputError, match="cannot hold out"):
        hold_out(entries(count), part)


def test_mean_counts_pixels_not_images(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.full((2, 3, 3), (10, 20, 30), np.uint8))
    cv2.imwrite(str(tmp_path / "1.png"), np.full((1, 2, 3), (90, 20, 30), np.uint8))
    assert mean_bgr(entries(2), tmp_path) == pytest.approx((30, 20, 30))
    with pytest.raises(InputError, match=r"2\.png: cannot read the image"):
        mean_bgr(entries(3), tmp_path)


def test_largest_height_and_width_may_come_from_different_images(tmp_path):
    for n, shape in enumerate([(10, 50), (40, 20)]):
        cv2.imwrite(str(tmp_path / f"{n}.png"), np.zeros(shape, np.uint8))
    assert largest_image(entries(2), tmp_path) == (40, 50)


def test_crop_is_the_next_size_of_the_form_8k_plus_1():
    assert crop_for((360, 480)) == (361, 481)
    assert crop_for((361, 362)) == (361, 369)
    assert crop_for((500, 500), 32) == (513, 513)
