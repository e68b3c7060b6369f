"""Buffers that one image leaves to the next."""

from __future__ import annotations

import gc

import numpy as np

from deeplab_caffe.crf.mean_field import MeanField
from deeplab_caffe.crf.spare_buffers import SPARE, SpareBuffers, aligned

SIZE = 2**18


def test_the_smallest_spare_buffer_that_is_large_enough_is_taken_once():
    spare = SpareBuffers()
    large, middle, small = (aligned(SIZE + more) for more in (9, 5, 1))
    spare.give([large, middle, small])
    assert spare.take(SIZE + 3) is middle
    assert spare.take(SIZE + 3) is large
    assert all(spare.take(SIZE + 3) is not one for one in (large, middle, small))


def test_only_the_latest_buffers_of_useful_sizes_are_kept():
    spare = SpareBuffers(kept=1)
    first, last, tiny = aligned(SIZE), aligned(SIZE), aligned(16)
    spare.give([first, last, tiny])
    assert spare.take(SIZE) is last
    assert spare.take(SIZE) is not first
    assert spare.take(16) is not tiny


def test_an_inference_leaves_its_buffers_to_the_next_when_it_is_gone():
    field = MeanField(np.zeros((8, 256, 256), np.float32))
    taken = field._buffers[0]
    assert not any(one is taken for one in SPARE._spare.values())
    del field
    gc.collect()
    assert any(one is taken for one in SPARE._spare.values())
