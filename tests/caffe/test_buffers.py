"""Memory of a plan's large results: used again when nothing lies in it any more, and never before."""

from __future__ import annotations

import torch

from deeplab_caffe.caffe.plan.buffers import Buffers


def test_a_block_is_used_again_when_its_tensor_is_gone():
    buffers = Buffers()
    first = buffers.empty(1000)
    where = first.data_ptr()
    assert first.shape == (1000,) and first.dtype == torch.float32 and where % 64 == 0
    assert buffers.empty(500).data_ptr() != where
    del first
    assert buffers.empty(800).data_ptr() == where


def test_views_and_arrays_hold_the_block():
    buffers = Buffers()
    image = buffers.image((1, 3, 4, 5))
    assert image.shape == (1, 3, 4, 5) and image.is_contiguous(memory_format=torch.channels_last)
    image.fill_(7)
    view, array = image[:, 1:].flatten(2), image.numpy()
    del image
    buffers.empty(60).fill_(0)
    del view
    buffers.empty(60).fill_(0)
    assert (array == 7).all()


def test_the_smallest_that_fits_is_taken():
    buffers = Buffers()
    held = [buffers.empty(count) for count in (300, 100, 200)]
    middle = held[2].data_ptr()
    held.clear()
    assert buffers.empty(150).data_ptr() == middle


def test_blocks_that_are_too_small_give_way_to_a_larger_one():
    buffers = Buffers()
    buffers.empty(100)
    large = buffers.empty(1000)
    assert not buffers._free
    del large
    assert [block.numel() for block in buffers._free] == [1000]
