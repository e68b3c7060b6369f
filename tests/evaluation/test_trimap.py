"""Bands around boundaries, held against dilations of SciPy and numbers worked by hand."""

import numpy as np
import pytest
from scipy import ndimage

from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import Trimap, band_scores, border_distance, confusion_matrices, confusion_matrix

IGNORED = 255


def blobs(seed: int, border: bool = True) -> np.ndarray:
    """A label (90, 130) of ellipses of classes 1 to 4 on 0, with a border of 255 around each if wanted."""
    random = np.random.default_rng(seed)
    label = np.zeros((90, 130), np.uint8)
    rows, columns = np.ogrid[:90, :130]
    for _ in range(4):
        y, x = random.integers((90, 130))
        a, b = random.integers(6, 28, 2)
        radius = ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2
        if border:
            label[radius < 1.25] = IGNORED
        label[radius < 1] = random.integers(1, 5)
    return label


def dilated_band(label: np.ndarray, width: int) -> np.ndarray:
    mask = label == IGNORED
    return ndimage.binary_dilation(mask, np.ones((2 * width + 1,) * 2)) & ~mask


def counted(labels, predictions, trimap):
    """The matrix of each band over several labels, from joint histograms."""
    bins = len(trimap.widths) + 1
    groups = [trimap.groups(label, IGNORED) for label in labels]
    each = [
        confusion_matrices(label, guess, 5, IGNORED, group, bins)
        for label, guess, group in zip(labels, predictions, groups, strict=True)
    ]
    return sum(each)[:-1].cumsum(0)


def test_bands_are_dilations_with_squares():
    labels = [blobs(seed) for seed in range(4)]
    predictions = [np.random.default_rng(seed).integers(0, 5, (90, 130)).astype(np.uint8) for seed in range(4)]
    matrices = counted(labels, predictions, Trimap((1, 2, 10, 40)))
    for matrix, width in zip(matrices, (1, 2, 10, 40), strict=True):
        expected = np.zeros((5, 5), np.int64)
        for label, guess in zip(labels, predictions, strict=True):
            band = dilated_band(label, width)
            expected += confusion_matrix(label[band], guess[band], 5)
        np.testing.assert_array_equal(matrix, expected)
        assert matrix.sum() > 0


def test_all_widths_at_once_give_what_each_gives_alone():
    label, guess = blobs(7), blobs(8, border=False)
    together = counted([label], [guess], Trimap.parse("1:40"))
    for width in (1, 3, 17, 40):
        np.testing.assert_array_equal(together[width - 1], counted([label], [guess], Trimap((width,)))[0])
    assert (np.diff(together.sum((1, 2))) >= 0).all()


def test_boundaries_are_where_a_square_reaches_another_label():
    label = blobs(3)
    distance = border_distance(label, IGNORED, "boundaries")
    for width in (1, 2, 10, 40):
        size = 2 * width + 1
        reached = ndimage.maximum_filter(label, size) != ndimage.minimum_filter(label, size)
        np.testing.assert_array_equal(distance <= width, reached)


def test_a_row_worked_by_hand():
    label = np.array([[0, 0, 255, 1, 1, 1, 1]], np.uint8)
    guess = np.array([[0, 1, 0, 0, 1, 1, 0]], np.uint8)
    bands = counted([label], [guess], Trimap((1, 2, 3)))
    assert bands.tolist()[0] == [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0], *[[0] * 5] * 3]
    scores = band_scores((1, 2, 3), bands)
    assert [(s.width, s.pixels, s.pixel_accuracy) for s in scores] == [(1, 2, 0), (2, 4, 0.5), (3, 5, 0.6)]
    assert scores[1].mean_iou == pytest.approx(1 / 3) and scores[1].mean_accuracy == pytest.approx(0.5)


def test_without_a_border_there_is_no_band():
    label = np.zeros((8, 9), np.uint8)
    assert (Trimap((1, 4)).groups(label, IGNORED) == 2).all()
    assert (Trimap((1, 4), "boundaries").groups(label, IGNORED) == 2).all()
    assert np.isnan(band_scores((1,), np.zeros((1, 3, 3), np.int64))[0].mean_iou)


@pytest.mark.parametrize(("text", "widths"), [("1:4", (1, 2, 3, 4)), ("1:3:9", (1, 4, 7)), ("10, 2,2", (2, 10))])
def test_widths_are_read(text, widths):
    assert Trimap.parse(text).widths == widths


@pytest.mark.parametrize(
    "text", ["", "0:4", "4:1", "1:0:5", "1:1000", "a", "1.5", "-3:4", "1:2:3:4", "20000", "1,", "0"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(InputError, match=r"^trimap: .*expected"):
        Trimap.parse(text)


def test_an_unknown_source_is_refused():
    with pytest.raises(InputError, match="unknown source 'edges'; expected ignore or boundaries"):
        Trimap((1,), "edges")
