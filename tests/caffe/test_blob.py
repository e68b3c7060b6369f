"""Blob: live views, shapes, memory that is kept, grown and shared."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deeplab_caffe.caffe.blob import Blob, BlobVec
from deeplab_caffe.errors import InputError


def test_views_are_live_both_ways():
    blob = Blob((2, 3))
    view = blob.data
    view[1, 2] = 5
    assert blob.data_tensor()[1, 2] == 5
    blob.data_tensor().fill_(7)
    assert (view == 7).all()
    blob.diff[...] = 3
    assert (blob.diff_tensor() == 3).all()
    assert (blob.data == 7).all()
    assert view.dtype == np.float32


def test_a_result_goes_into_the_memory_that_a_view_shows():
    blob = Blob((2,))
    view = blob.data
    blob.set_data(torch.tensor([1.0, 2.0]))
    assert view.tolist() == [1, 2]
    assert np.shares_memory(view, blob.data)


def test_a_result_in_another_layout_is_shown_in_row_major_order():
    blob = Blob((1, 2, 2, 2))
    values = torch.arange(8.0).view(1, 2, 2, 2)
    blob.set_data(values.contiguous(memory_format=torch.channels_last))
    assert blob.data.ravel().tolist() == list(range(8))
    blob.data[0, 0, 0, 0] = 9
    assert blob.data_tensor()[0, 0, 0, 0] == 9
    other = Blob()
    other.set_data(values.contiguous(memory_format=torch.channels_last))
    other.reshape(8)
    assert other.data.tolist() == list(range(8))


def test_new_blobs_are_zero_and_a_scalar_has_one_element():
    assert Blob((2, 2)).data.tolist() == [[0, 0], [0, 0]]
    scalar = Blob()
    assert (scalar.shape, scalar.count, scalar.data.shape) == ((), 1, ())


def test_reshape_keeps_the_contents_where_memory_suffices():
    blob = Blob((2, 3))
    blob.data[...] = [[1, 2, 3], [4, 5, 6]]
    blob.reshape(3, 2)
    assert blob.data.tolist() == [[1, 2], [3, 4], [5, 6]]
    blob.reshape(2)
    assert blob.data.tolist() == [1, 2]
    blob.data[0] = 9
    blob.reshape(6)
    assert blob.data.tolist() == [9, 2, 3, 4, 5, 6]


def test_reshape_that_grows_zeroes_data_and_diff():
    blob = Blob((2,))
    blob.data[...] = blob.diff[...] = 1
    blob.reshape(3)
    assert blob.data.tolist() == [0, 0, 0]
    assert blob.diff.tolist() == [0, 0, 0]


@pytest.mark.parametrize("other_shape", [(6,), (3, 2)])
def test_sharing_data_but_not_diff(other_shape):
    owner, user = Blob((2, 3)), Blob(other_shape)
    user.share_data(owner)
    owner.data[...] = 4
    owner.diff[...] = 5
    assert (user.data == 4).all()
    assert (user.diff == 0).all()
    user.data[...] = 6
    assert (owner.data == 6).all()
    user.share_diff(owner)
    assert (user.diff == 5).all()


def test_legacy_accessors_give_one_for_missing_axes():
    blob = Blob((2, 3))
    assert (blob.num, blob.channels, blob.height, blob.width) == (2, 3, 1, 1)
    blob.reshape(1, 2, 3, 4, 5)
    with pytest.raises(InputError, match=r"at most 4 axes, this blob is \(1, 2, 3, 4, 5\)"):
        _ = blob.num


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1,) * 33, "at most 32 axes, got 33"),
        ((2, -1), "must not be negative, got (2, -1)"),
        ((2**16, 2**15), "fewer than 2**31 elements, got (65536, 32768)"),
    ],
)
def test_shapes_that_cannot_be(shape, expected):
    with pytest.raises(InputError) as caught:
        Blob(shape)
    assert expected in str(caught.value)


def test_an_empty_blob():
    blob = Blob((0, 3))
    assert blob.count == 0
    assert blob.data.shape == (0, 3)


def test_gradients_add_up_until_cleared():
    blob = Blob((2,))
    for _ in range(2):
        blob.diff_memory.accumulate(torch.tensor([1.0, 2.0]))
    view = blob.diff
    assert view.tolist() == [2, 4]
    blob.diff_memory.clear()
    assert view.tolist() == [0, 0]
    blob.diff_memory.accumulate(torch.tensor([3.0, 4.0]))
    assert view.tolist() == [3, 4]


def test_add_blob_appends_zeros():
    blobs = BlobVec()
    blobs.add_blob(2, 2).data[...] = 1
    blobs.add_blob()
    assert [b.shape for b in blobs] == [(2, 2), ()]


def test_views_outlive_forwards(net):
    built = net(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 } } }'
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"'
        '  inner_product_param { num_output: 2 weight_filler { type: "constant" value: 1 } } }'
        'layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }'
    )
    x, weight, y = built.blobs["x"].data, built.params["ip"][0].data, built.blobs["y"].data
    x[...] = 1
    built.forward()
    assert y.tolist() == [[2, 2], [2, 2]]
    x[0], weight[1] = 3, -1
    built.forward()
    assert y.tolist() == [[6, 0], [2, 0]]


def test_slices_handed_down_do_not_share_memory_with_the_whole(net):
    built = net(
        "force_backward: true"
        ' layer { name: "in" type: "Input" top: "a" top: "b" input_param { shape { dim: 1 dim: 2 } } }'
        ' layer { name: "c" type: "Concat" bottom: "a" bottom: "b" top: "c" }'
    )
    built.forward()
    built.blobs["c"].diff[...] = [[1, 2, 3, 4]]
    built.backward()
    built.blobs["b"].diff[...] = 0
    assert built.blobs["c"].diff.tolist() == [[1, 2, 3, 4]]
    assert built.blobs["a"].diff.tolist() == [[1, 2]]
