"""Sizes that a net's strides take, and what becomes of others."""

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.nets.input_sizes import ANY_SIZE, EIGHTH, SizeRule, as_size


@pytest.mark.parametrize(
    ("rule", "pixels", "up"),
    [
        (EIGHTH, 321, 321),
        (EIGHTH, 322, 329),
        (EIGHTH, 1, 9),
        (SizeRule(8, 2), 306, 306),
        (SizeRule(8, 2), 513, 514),
        (SizeRule(32, 1), 481, 481),
        (SizeRule(32, 1), 2048, 2049),
        (ANY_SIZE, 1, 1),
        (ANY_SIZE, 500, 500),
    ],
)
def test_next_size(rule, pixels, up):
    assert rule.up(pixels) == up
    assert rule.takes(pixels) == (pixels == up)
    assert rule.fit((pixels, up)) == (up, up)
    assert rule.check((up, up), "crop") == (up, up)


@pytest.mark.parametrize(
    ("rule", "size", "words"),
    [
        (EIGHTH, (321, 320), r"crop: got 320; wanted 8k \+ 1, such as 313 or 321: .* every 8th pixel"),
        (SizeRule(8, 2), (321, 321), r"got 321; wanted 8k \+ 2, such as 314 or 322"),
        (SizeRule(32, 1), (1, 33), r"got 1; wanted 32k \+ 1, such as 33 or 65"),
    ],
)
def test_sizes_that_do_not_fit(rule, size, words):
    with pytest.raises(InputError, match=words):
        rule.check(size, "crop")


@pytest.mark.parametrize("value", ["321", (1, 2, 3), 0, True, 1.5, None])
def test_no_size(value):
    with pytest.raises(InputError, match="crop: got .*; wanted one number of pixels, or height and width"):
        as_size(value, "crop")


def test_sizes():
    assert as_size(321, "crop") == (321, 321)
    assert as_size([33, 65], "crop") == (33, 65)
